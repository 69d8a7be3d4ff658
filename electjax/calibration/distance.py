"""How far a simulated election is from the observed one, in tolerances.

The summary statistics are those of Mitra, section 6: seats per party, mean vote fraction per party, mean and
standard deviation of the winning margin, laid out in this order in one vector of length 2 K + 2.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from electjax.core.outcome import Summary

NORMS = ("rms", "max")
SEAT_TOLERANCE = 2.0
SHARE_TOLERANCE = 0.02


class Target(NamedTuple):
    """Observed statistics, NaN where unknown, and the tolerance of each."""

    observed: Float[Array, " T"]
    tolerance: Float[Array, " T"]


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
    observed = np.concatenate([seats, vote_fraction, [float(mwm), float(swm)]]).astype(np.float32)
    tolerance = np.full(observed.shape, share_tolerance, np.float32)
    tolerance[: len(seats)] = seat_tolerance
    return Target(jnp.asarray(observed), jnp.asarray(tolerance))


def distance(statistics: Float[Array, "*R T"], goal: Target, *, norm: str = "rms") -> Float[Array, "*R"]:
    """Distance in tolerances over the statistics that were observed: root mean square, or the largest."""
    gap = (statistics - goal.observed) / goal.tolerance
    known = ~jnp.isnan(goal.observed)
    gap = jnp.where(known, gap, 0.0)
    if norm == "max":
        return jnp.max(jnp.abs(gap), axis=-1)
    return jnp.sqrt(jnp.sum(gap * gap, axis=-1) / jnp.maximum(jnp.sum(known), 1))
