"""Likelihood-free calibration of the district models (Mitra, section 6)."""

from electjax.calibration.distance import (
    NORMS,
    SEAT_TOLERANCE,
    SHARE_TOLERANCE,
    Target,
    distance,
    flatten_summary,
    target,
)
from electjax.calibration.explore_exploit import explore_exploit
from electjax.calibration.prior import Space, make_space, unit_to_params
from electjax.calibration.problem import Draws, Problem, best_on_average
from electjax.calibration.rejection import rejection

METHODS = {"explore_exploit": explore_exploit, "rejection": rejection}

__all__ = [
    "METHODS",
    "NORMS",
    "SEAT_TOLERANCE",
    "SHARE_TOLERANCE",
    "Draws",
    "Problem",
    "Space",
    "Target",
    "best_on_average",
    "distance",
    "explore_exploit",
    "flatten_summary",
    "make_space",
    "rejection",
    "target",
    "unit_to_params",
]
