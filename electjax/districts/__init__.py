"""How seats follow from votes: five district models, simulated and calibrated to real elections."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
