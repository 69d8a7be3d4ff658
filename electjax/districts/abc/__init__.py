"""Calibration of the district models: likelihood-free (Mitra, section 6), and exact where there is a likelihood."""

from electjax.districts.abc.adjust import adjust, adjust_sample
from electjax.districts.abc.distance import (
    SEAT_TOLERANCE,
    SHARE_TOLERANCE,
    Measure,
    Target,
    distance,
    flatten_summary,
    target,
)
from electjax.districts.abc.learned import learn_measure
from electjax.districts.abc.methods import METHODS
from electjax.districts.abc.prior import Space, make_space, unit_to_params
from electjax.districts.abc.problem import Draws, Method, Problem, Sample, Statistic, best_on_average
from electjax.districts.abc.statistics import STATISTICS

__all__ = [
    "METHODS",
    "SEAT_TOLERANCE",
    "SHARE_TOLERANCE",
    "STATISTICS",
    "Draws",
    "Measure",
    "Method",
    "Problem",
    "Sample",
    "Space",
    "Statistic",
    "Target",
    "adjust",
    "adjust_sample",
    "best_on_average",
    "distance",
    "flatten_summary",
    "learn_measure",
    "make_space",
    "target",
    "unit_to_params",
]
