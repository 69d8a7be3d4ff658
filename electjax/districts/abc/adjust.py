"""Regression adjustment: accepted draws moved to where they would be had their statistics been the observed ones.

M. Beaumont, W. Zhang and D. Balding, "Approximate Bayesian computation in population genetics", Genetics 162 (2002);
with unequal variances: M. Blum and O. Francois, "Non-linear regression models for approximate Bayesian computation",
Statistics and Computing 20 (2010).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from electjax.districts.abc.prior import from_probit, to_probit, unit_to_params
from electjax.districts.abc.problem import Problem, Sample

DRAWS_EACH = 5  # effective draws that every coefficient of the regression should have
TAIL = 0.005
SMALLEST = 1e-6  # relative spread of a statistic that counts as varying
COLLINEAR = 0.03  # sd of a principal component, in sds of a statistic, below which it is left out


class Adjusted(NamedTuple):
    """Moved draws and their weights."""

    unit: Float[np.ndarray, "N D"]
    weight: Float[np.ndarray, " N"]
    done: bool  # False: too few draws for the regression, left as they were
    beyond: int  # statistics and components of them in which the observed election lies beyond the draws; -1: unknown


def adjust(
    unit: Float[np.ndarray, "N D"],
    features: Float[np.ndarray, "N T"],
    weight: Float[np.ndarray, " N"],
    observed: Float[np.ndarray, " T"],
    *,
    distance: Float[np.ndarray, " N"],
    tolerance: float,
    levels: Int[np.ndarray, " D"] | None = None,
    heteroscedastic: bool = False,
) -> Adjusted:
    """Local linear regression of the continuous coordinates, on the probit scale, on the statistics.

    Draws are weighted by their own weight and Epanechnikov's kernel of the distance, in the regression and in the
    result. Statistics that were not observed (NaN) or do not vary are left out. Discrete coordinates stay.
    """
    ratio = np.minimum(distance / tolerance, 1.0) if tolerance > 0 else np.zeros(len(unit))
    kernel = weight * (1.0 - ratio * ratio)
    total = kernel.sum()
    if not total > 0:
        return Adjusted(unit, weight / weight.sum(), False, 0)
    kernel = kernel / total
    gap, beyond = _gaps(np.asarray(features, float), np.asarray(observed, float), kernel)
    if 1.0 / np.sum(kernel**2) < DRAWS_EACH * (gap.shape[1] + 1):
        return Adjusted(unit, weight / weight.sum(), False, beyond)
    continuous = np.ones(unit.shape[1], bool) if levels is None else levels == 0
    x = to_probit(unit[:, continuous])
    design, root = np.column_stack([np.ones(len(gap)), gap]), np.sqrt(kernel)[:, None]

    def regress(target: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(root * design, root * target, rcond=None)[0]

    coefficients = regress(x)
    residual = x - design @ coefficients
    if heteroscedastic:
        # the residual's sd at the observed statistics over that at the draw's own
        log_square = regress(np.log(residual**2 + 1e-12))
        residual = residual * np.exp(-0.5 * np.clip(gap @ log_square[1:], -4.0, 4.0))
    moved = unit.copy()
    moved[:, continuous] = from_probit(coefficients[0] + residual)
    return Adjusted(moved, kernel, True, beyond)


def _gaps(
    features: Float[np.ndarray, "N T"], observed: Float[np.ndarray, " T"], kernel: Float[np.ndarray, " N"]
) -> tuple[Float[np.ndarray, "N P"], int]:
    """Principal components of the statistics, of variance one, less where the observed ones lie.

    A model may not be able to give an observed statistic, at any parameters. One that lies beyond the draws (all but
    TAIL on either side) is therefore left out, and so is a component of the others: no regression extrapolates. How
    many of both these are comes second.
    """
    mean = kernel @ features
    spread = np.sqrt(kernel @ (features - mean) ** 2)
    use = np.isfinite(observed) & (spread > SMALLEST * (1.0 + np.abs(mean)))
    z, z_observed = (features[:, use] - mean[use]) / spread[use], (observed[use] - mean[use]) / spread[use]
    within = _within(z, z_observed, kernel)
    _, size, axes = np.linalg.svd(np.sqrt(kernel)[:, None] * z[:, within], full_matrices=False)
    keep = size > COLLINEAR
    turn = axes[keep].T / size[keep]
    scores, goal = z[:, within] @ turn, z_observed[within] @ turn
    reachable = _within(scores, goal, kernel)
    return (scores - goal)[:, reachable], int(np.sum(~within) + np.sum(~reachable))


def _within(values: np.ndarray, point: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Coordinates in which a point lies among the values, not beyond them."""
    low, high = (weighted_quantile(values, weight, tail) for tail in (TAIL, 1.0 - TAIL))
    return (low <= point) & (point <= high)


def weighted_quantile(
    values: Float[np.ndarray, "N P"], weight: Float[np.ndarray, " N"], level: float
) -> Float[np.ndarray, " P"]:
    """The smallest value of every column with at least this share of the weight at or below it."""
    order = np.argsort(values, axis=0, kind="stable")
    mass = np.cumsum(weight[order], axis=0)
    place = np.minimum(np.sum(mass < level * mass[-1:], axis=0), len(values) - 1)
    return np.take_along_axis(values, np.take_along_axis(order, place[None], axis=0), axis=0)[0]


def adjust_sample(sample: Sample, problem: Problem, kind: str) -> Adjusted:
    """The accepted draws of a sample, adjusted as `kind` says."""
    if kind == "none":
        return Adjusted(sample.draws.unit, sample.weight, False, -1)
    measure = sample.measure
    moved = adjust(
        sample.draws.unit,
        measure.statistics(sample.draws.features),
        sample.weight,
        measure.goal.observed,
        distance=sample.draws.distance,
        tolerance=sample.tolerance,
        levels=problem.space.levels,
        heteroscedastic=kind == "heteroscedastic",
    )
    if problem.permits is not None and moved.done:
        # the prior is zero there: such a draw stays where it was simulated
        outside = ~problem.permits(unit_to_params(problem.space, moved.unit))
        moved.unit[outside] = sample.draws.unit[outside]
    return moved
