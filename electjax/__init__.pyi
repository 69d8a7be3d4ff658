from . import bridges as bridges
from . import calm as calm
from . import districts as districts
from . import ecological as ecological
from . import voter_types as voter_types
from .data.errors import ElectionDataError as ElectionDataError
from .data.errors import ElectionDataWarning as ElectionDataWarning
from .describing import Description as Description
from .describing import describe as describe
from .describing import template as template
from .kinds import load as load
from .kinds import save as save

__version__: str
