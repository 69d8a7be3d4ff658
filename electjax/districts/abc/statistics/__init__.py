"""Summary statistics that a calibration may compare: one file each, found by name; and the paper's.

A file of this folder that declares a `Statistic` adds one; nothing else has to know of it. A user may also pass a
function of an election, votes[S, K] and winner[S] to a vector, pure and in jax.numpy.
"""

from electjax.districts.abc.problem import Statistic
from electjax.numerics.registry import declared_in

PAPER = Statistic("paper", "seats and mean vote fraction of every party, mean and sd of the winning margin", None)
STATISTICS: dict[str, Statistic] = {"paper": PAPER} | declared_in(__name__, Statistic)
