"""Covariances from a curvature that may be flat along some directions, the delta method, and intervals.

Where nothing tells some parameters apart the information is singular. A generalised inverse then stands in for the
inverse: it is right for whatever the flat directions do not change, and the rest gets no standard error.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, logit, ndtri

Tensor = Any  # an array of numpy, as it comes, or of jax, as it is computed with

# Curvature up to which a direction is flat, in units in which every parameter has 1 of its own. Rounding leaves about
# 1e-14 times the number of parameters where there is none, which has to stay below; a weak penalty beside many votes
# (lambda = .01 and 1e8 electors) makes 1e-10, which counts.
FLAT = 1e-11
LOADS = 1e-3  # part of a quantity's gradient along flat directions that leaves it without a standard error


class Covariance(NamedTuple):
    """Covariance of parameters, and where nothing tells them apart.

    Attributes:
        matrix: [p, p], of the identified part.
        root: [p, r] with root root' = matrix.
        flat: directions along which the objective is flat, of length 1 in units of `scale`, [p, n].
        scale: root of each parameter's own information, [p].
        eigenvalues: of the information in these units, ascending, [p]; negative: not at a maximum.
    """

    matrix: Float[np.ndarray, "p p"]
    root: Float[np.ndarray, "p r"]
    flat: Float[np.ndarray, "p n"]
    scale: Float[np.ndarray, " p"]
    eigenvalues: Float[np.ndarray, " p"]


class Root(NamedTuple):
    """Root of a generalised inverse, [p, p], and the scaled curvature that it was made of.

    Attributes:
        root: root root' is the generalised inverse; its columns of flat directions are 0.
        vectors: eigenvectors of the scaled curvature, [p, p].
        kept: which of them are not flat, [p].
        scale: root of each parameter's own curvature, [p].
        values: the eigenvalues, ascending, [p].
    """

    root: Float[Tensor, "p p"]
    vectors: Float[Tensor, "p p"]
    kept: Bool[Tensor, " p"]
    scale: Float[Tensor, " p"]
    values: Float[Tensor, " p"]


def inverse_root(curve: Float[Tensor, "p p"], xp: Any = np) -> Root:
    """Root of the generalised inverse of a curvature.

    Args:
        curve: positive semi-definite.
        xp: numpy, or jax.numpy for what is to be compiled.
    """
    curve = (curve + curve.T) / 2
    own = xp.diag(curve)
    told = own > 1e-14 * own.max(initial=0.0)
    scale = xp.sqrt(xp.where(told, own, 1.0))
    values, vectors = xp.linalg.eigh(curve / scale / scale[:, None])
    kept = values > FLAT
    root = xp.where(kept, vectors / xp.sqrt(xp.where(kept, values, 1.0)), 0.0) / scale[:, None]
    return Root(root, vectors, kept, scale, values)


def inverse_covariance(curve: Float[np.ndarray, "p p"]) -> Covariance:
    """The generalised inverse of an information matrix."""
    found = inverse_root(np.asarray(curve, dtype=np.float64))
    flat = found.vectors[:, ~found.kept]
    return Covariance(found.root @ found.root.T, found.root, flat, found.scale, found.values)


def sandwich(bread: Covariance, meat: Float[np.ndarray, "p p"]) -> Covariance:
    """bread meat bread, with `meat` the variance of the sum of the scores."""
    values, vectors = np.linalg.eigh((meat + meat.T) / 2)
    root = bread.matrix @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    return bread._replace(matrix=bread.matrix @ meat @ bread.matrix, root=root)


def unidentified(found: Covariance) -> Bool[np.ndarray, " p"]:
    """Parameters that the flat directions change."""
    return np.linalg.norm(found.flat, axis=1) > LOADS


def delta_errors(jacobian: Float[np.ndarray, "m p"], found: Covariance) -> Float[np.ndarray, " m"]:
    """Standard errors of quantities by the delta method, from their gradients.

    0 for a quantity that no parameter changes, NaN for one that moves along a flat direction.
    """
    error = np.linalg.norm(jacobian @ found.root, axis=1)
    if not found.flat.size:
        return np.asarray(error)
    scaled = jacobian / found.scale
    loose = np.linalg.norm(scaled @ found.flat, axis=1) > LOADS * np.linalg.norm(scaled, axis=1)
    return np.where(loose, np.nan, error)


def interval(value: Any, error: Any, *, level: float = 0.95, scale: str = "identity") -> tuple[np.ndarray, np.ndarray]:
    """Normal interval of a quantity; on the `logit` scale for probabilities, so that it stays between 0 and 1."""
    value, error = np.asarray(value, float), np.asarray(error, float)
    reach = ndtri((1 + level) / 2) * error
    if scale == "identity":
        return np.asarray(value - reach), np.asarray(value + reach)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, reach = logit(value), reach / (value * (1 - value))
        return np.asarray(expit(centre - reach)), np.asarray(expit(centre + reach))


def tails(level: float) -> tuple[float, float]:
    """The two probabilities whose quantiles bound an interval of this level."""
    return (1 - level) / 2, (1 + level) / 2


def spread(draws: Any, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard deviation (of one draw less) and the two ends of the percentile interval, over the leading axis."""
    draws = np.asarray(draws)
    low, high = (np.asarray(np.quantile(draws, at, axis=0)) for at in tails(level))
    return np.asarray(draws.std(axis=0, ddof=1)), low, high
