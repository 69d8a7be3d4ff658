"""Calibration of the district models: likelihood-free (Mitra, section 6), and exact where there is a likelihood."""

from electjax.calibration.adjust import ADJUSTMENTS, adjust, adjust_sample
from electjax.calibration.distance import (
    NORMS,
    SEAT_TOLERANCE,
    SHARE_TOLERANCE,
    Measure,
    Target,
    distance,
    flatten_summary,
    target,
)
from electjax.calibration.exact import exact
from electjax.calibration.explore_exploit import explore_exploit
from electjax.calibration.learned import learn_measure
from electjax.calibration.prior import Space, make_space, unit_to_params
from electjax.calibration.problem import Draws, Problem, Sample, best_on_average
from electjax.calibration.rejection import rejection
from electjax.calibration.smc import smc
from electjax.calibration.statistics import STATISTICS

METHODS = {"smc": smc, "rejection": rejection, "explore_exploit": explore_exploit, "exact": exact}

__all__ = [
    "ADJUSTMENTS",
    "METHODS",
    "NORMS",
    "SEAT_TOLERANCE",
    "SHARE_TOLERANCE",
    "STATISTICS",
    "Draws",
    "Measure",
    "Problem",
    "Sample",
    "Space",
    "Target",
    "adjust",
    "adjust_sample",
    "best_on_average",
    "distance",
    "exact",
    "explore_exploit",
    "flatten_summary",
    "learn_measure",
    "make_space",
    "rejection",
    "smc",
    "target",
    "unit_to_params",
]
