"""Proper scores of predictive draws against what was observed; lower is better. And evidence from weighted draws.

Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation. The estimators are the fair
ones: unbiased whatever the number of draws. In one dimension the energy score is the CRPS.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Score(NamedTuple):
    """A score and the Monte Carlo standard error that the number of draws gives it."""

    value: float
    error: float


def energy_score(draws: Float[np.ndarray, "N D"], observed: Float[np.ndarray, " D"]) -> Score:
    """E|X - x| - E|X - X'| / 2, Euclidean: how far the prediction lies, less what its spread excuses."""
    number = len(draws)
    gap = np.linalg.norm(draws - observed, axis=1)
    apart = np.array([np.linalg.norm(draws - draw, axis=1).sum() for draw in draws]) / max(number - 1, 1)
    # Hoeffding's projection of the U-statistic: each draw's own part of the score
    own = gap - apart
    return Score(float(gap.mean() - apart.mean() / 2), float(own.std() / np.sqrt(number)))


def crps(draws: Float[np.ndarray, " N"], observed: float) -> Score:
    """Continuous ranked probability score, in the units of the draws; the absolute error of a prediction in a point."""
    return energy_score(draws[:, None], np.array([observed]))


def log_score(draws: Float[np.ndarray, "N D"], observed: Float[np.ndarray, " D"]) -> Score:
    """-log P(exactly what was observed), with half a draw added to hits and to misses: (hits + 1/2) / (N + 1).

    So a result that no draw hits scores log(2 N + 2): a lower bound of its surprise, the same for every model.
    """
    number = len(draws)
    share = (np.sum((draws == observed).all(axis=1)) + 0.5) / (number + 1)
    return Score(float(-np.log(share)), float(np.sqrt((1 - share) / (share * (number + 1)))))


class Evidence(NamedTuple):
    """P(distance <= tolerance | model) with its standard error, and the simulations that carry the estimate."""

    value: float
    error: float
    draws: int


def evidence(
    distance: Float[np.ndarray, "G M"],
    log_weight: Float[np.ndarray, "G M"],
    reached: Float[np.ndarray, " G"],
    proposed: Float[np.ndarray, " G"],
    tolerance: float,
) -> Evidence:
    """The importance sampling estimate of the generation with the smallest tolerance that is not below this one.

    distance, log_weight: of the simulations of each generation within its tolerance, log(prior / proposal) less the
    log of the number proposed; padded with inf and -inf. reached: the generations' tolerances. proposed: their
    simulations.

    NaN where no generation kept everything within the tolerance. Where nothing lies within it the estimate is 0, and
    its error what one simulation would have added.
    """
    able = np.flatnonzero(reached >= tolerance)
    if not able.size:
        return Evidence(np.nan, np.nan, 0)
    at = able[np.argmin(reached[able])]
    weight = np.exp(log_weight[at])
    within = weight[distance[at] <= tolerance]
    total = within.sum()
    if not within.size:
        return Evidence(0.0, float(weight.max(initial=1.0 / proposed[at])), 0)
    variance = max(np.square(within).sum() - total**2 / proposed[at], 0.0)
    return Evidence(float(total), float(np.sqrt(variance)), int(within.size))


def probabilities(
    values: Float[np.ndarray, " M"], errors: Float[np.ndarray, " M"], prior: Float[np.ndarray, " M"]
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Posterior model probabilities from evidences, and their standard errors by the delta method.

    NaN where an evidence is unknown, or all are 0.
    """
    mass = prior * values
    total = mass.sum()
    if not total > 0:
        return np.full(len(mass), np.nan), np.full(len(mass), np.nan)
    found = mass / total
    slope = (np.eye(len(mass)) - found[:, None]) * prior / total  # d found_m / d value_j
    return found, np.sqrt(np.square(slope * errors).sum(axis=1))
