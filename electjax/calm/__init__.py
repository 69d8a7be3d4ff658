"""How groups vote at booths, and what candidates change: the candidate-aware aggregated likelihood."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
