"""How far a simulated election is from the observed one.

The summary statistics are those of Mitra, section 6: seats per party, mean vote fraction per party, mean and
standard deviation of the winning margin, laid out in this order in one vector of length 2 K + 2. A calibration may
look at others instead; a `Measure` says at which, on which scale, and in which norm. It works on the host, so that
scales may adapt without a program being compiled again.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from electjax.districts.kernels.outcome import Summary

SEAT_TOLERANCE = 2.0
SHARE_TOLERANCE = 0.02


class Target(NamedTuple):
    """Observed statistics, NaN where unknown, and the tolerance (scale) of each."""

    observed: Float[np.ndarray, " T"]
    tolerance: Float[np.ndarray, " T"]


class Measure(NamedTuple):
    """What a calibration compares: statistics, their observed values and scales, and the norm.

    project: turns features[N, F] into the statistics[N, T] that are compared; None where they are the same.
    """

    goal: Target
    norm: str = "rms"
    project: Callable[[np.ndarray], np.ndarray] | None = None

    def statistics(self, features: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N T"]:
        """The compared statistics of simulations."""
        return features if self.project is None else self.project(features)

    def distance(self, features: Float[np.ndarray, "N F"]) -> Float[np.ndarray, " N"]:
        """Distance of simulations from the observed election."""
        return distance(self.statistics(features), self.goal, norm=self.norm)

    def rescaled(self, features: Float[np.ndarray, "N F"]) -> "Measure":
        """The same with scales from simulations: their median absolute deviation, or their sd where that is 0.

        D. Prangle, "Adapting the ABC distance function", Bayesian Analysis 12 (2017). Raises ValueError where a
        statistic is finite in none of the simulations.
        """
        statistics = np.asarray(self.statistics(features), float)
        finite = np.isfinite(statistics).all(axis=1)
        if not finite.any():
            raise ValueError(f"statistics: finite in none of {len(finite)} simulations; expected finite numbers")
        statistics = statistics[finite]  # the others are infinitely far
        scale = 1.4826 * np.median(np.abs(statistics - np.median(statistics, axis=0)), axis=0)
        scale = np.where(scale > 0, scale, statistics.std(axis=0))
        # what never varies cannot tell parameters apart
        return self._replace(goal=self.goal._replace(tolerance=np.where(scale > 0, scale, np.inf)))


def flatten_summary(summary: Summary) -> Float[Array, "*R T"]:
    """Seats, vote fractions, MWM and SWM as one vector per run."""
    margins = jnp.stack([summary.mwm, summary.swm], axis=-1)
    return jnp.concatenate([summary.seats.astype(jnp.float32), summary.vote_fraction, margins], axis=-1)


def target(
    seats: np.ndarray,
    vote_fraction: np.ndarray,
    mwm: np.ndarray | float,
    swm: np.ndarray | float,
    *,
    seat_tolerance: float = SEAT_TOLERANCE,
    share_tolerance: float = SHARE_TOLERANCE,
) -> Target:
    """Target of a calibration: a seat counts `seat_tolerance`, fractions and margins `share_tolerance`."""
    observed = np.concatenate([seats, vote_fraction, [float(mwm), float(swm)]]).astype(float)
    tolerance = np.full(observed.shape, float(share_tolerance))
    tolerance[: len(seats)] = seat_tolerance
    return Target(observed, tolerance)


def distance(
    statistics: Float[np.ndarray, "*R T"] | Float[Array, "*R T"], goal: Target, *, norm: str = "rms"
) -> Float[np.ndarray, "*R"]:
    """Distance in tolerances over the statistics that were observed: root mean square, or the largest.

    A simulation with a statistic that is not finite is infinitely far.
    """
    gap = (np.asarray(statistics, float) - np.asarray(goal.observed)) / np.asarray(goal.tolerance)
    known = ~np.isnan(np.asarray(goal.observed))
    gap = np.where(known, gap, 0.0)
    if norm == "max":
        far = np.max(np.abs(gap), axis=-1)
    else:
        far = np.sqrt(np.sum(gap * gap, axis=-1) / max(int(known.sum()), 1))
    return np.where(np.isnan(far), np.inf, far)
