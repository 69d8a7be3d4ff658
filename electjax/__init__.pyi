from . import bridges as bridges
from . import calm as calm
from . import districts as districts
from . import ecological as ecological
from . import voter_types as voter_types
from .data.errors import ElectionDataError as ElectionDataError
from .data.errors import ElectionDataWarning as ElectionDataWarning
from .data.programs import cache as cache
from .describing import Description as Description
from .describing import describe as describe
from .describing import template as template
from .kinds import save as save
from .runs import Run as Run
from .runs import load as load

__version__: str
