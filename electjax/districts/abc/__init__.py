"""Calibration of the district models: likelihood-free (Mitra, section 6), and exact where there is a likelihood."""

from electjax.districts.abc.adjust import ADJUSTMENTS, adjust, adjust_sample
from electjax.districts.abc.distance import (
    NORMS,
    SEAT_TOLERANCE,
    SHARE_TOLERANCE,
    Measure,
    Target,
    distance,
    flatten_summary,
    target,
)
from electjax.districts.abc.exact import exact
from electjax.districts.abc.explore_exploit import explore_exploit
from electjax.districts.abc.learned import learn_measure
from electjax.districts.abc.prior import Space, make_space, unit_to_params
from electjax.districts.abc.problem import Draws, Problem, Sample, best_on_average
from electjax.districts.abc.rejection import rejection
from electjax.districts.abc.smc import smc
from electjax.districts.abc.statistics import STATISTICS

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
