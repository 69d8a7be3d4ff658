"""electjax: a JAX research toolkit for elections.

Four wings, each with the same verbs: `districts`, `voter_types`, `calm` and `ecological`; `bridges` leads from one to
another. Names load on first use, so that the arrays can be imported without xarray, pandas or Hydra.
"""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version

import lazy_loader

try:
    __version__ = _version("electjax")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
