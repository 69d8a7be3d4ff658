"""What a diagnostic is made of: fits that leave booths or terms out, and comparisons with a standard error.

All fits of a diagnostic have the same shapes. Booths that are left out have weight 0 and terms that are left out see
zeros, so one compiled program serves them all, and each begins where the last one ended.

The score and the information of parameters that a model lacks say, in one pass over the booths, what any number of
further fits would find up to one Newton step: an eta of each group of booths, or other traits of the candidates. The
effects of a booth are eliminated.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Int
from scipy.stats import chi2

from electjax.calm.model.affinity import Standard
from electjax.calm.model.design import Booths, Design, Frame, Hyper, Shared
from electjax.calm.model.estimate import first_point, first_weights, in_epochs, information, newton
from electjax.calm.model.heads import Traits
from electjax.calm.model.objective import curvature, effect_curvature, weighted_loss
from electjax.calm.model.problem import Chunk, Problem, blank, chunks_of, own_traits, pose, rates
from electjax.numerics.arrow import Point, Search, begin
from electjax.numerics.covariance import inverse_root

LEAST = 1e-6  # of the information that a group has about an eta, the part that must not be explained by all else
Perturb = Callable[[Shared, Traits, Array], tuple[Shared, Traits]]


class Directions(NamedTuple):
    """M directions in each of G groups of booths, the booths' effects eliminated.

    Attributes:
        score: slope of the log-likelihood, [g, m].
        border: information that a direction has in common with the shared parameters, [g, m, p].
        square: information about the directions, [g, m, m].
    """

    score: Float[Array, "g m"]
    border: Float[Array, "g m p"]
    square: Float[Array, "g m m"]


def directions(
    point: Point, problem: Problem, design: Design, perturb: Perturb, *, size: int, group: Int[Array, " i"], groups: int
) -> Directions:
    """Score and information of what `perturb` changes, summed over groups of booths.

    Args:
        perturb: from shared parameters, a constituency's traits and a step of length `size` to both as the step
            leaves them; a step of zeros leaves the model as it is.
        group: of every booth, filling rows included.
    """
    unravel = ravel_pytree(blank(problem, design))[1]
    width, hyper = point.groups.shape[1], problem.hyper
    dispersion = unravel(point.shared).dispersion

    def along(vector: Array, effect: Array, step: Array, row: Booths, own: Traits, weights: Array) -> Array:
        at, mine = perturb(unravel(vector), own, step)
        return rates(at, effect, row, mine, weights, problem, design)

    def of_booth(row: Booths, own: Traits, weights: Array, effect: Array) -> tuple[Array, Array, Array]:
        step = jnp.zeros(size, point.shared.dtype)
        at, back = jax.vjp(lambda v, e, s: along(v, e, s, row, own, weights), point.shared, effect, step)
        of_shared, of_effect, of_step = jax.vmap(back)(jnp.eye(at.shape[0]))
        slope = -jax.grad(weighted_loss)(at, row, dispersion, hyper)
        known = (row.weight * curvature(at, row, dispersion, hyper))[:, None]
        heavy = known * of_step
        score, border, square = slope @ of_step, heavy.T @ of_shared, heavy.T @ of_step
        if not width:
            return score, border, square
        strength, weighted = effect_curvature(row.weight, hyper), known * of_effect
        inner = of_effect.T @ weighted + (strength + 1e-12) * jnp.eye(width)
        tie = cho_solve((jnp.linalg.cholesky(inner), True), of_effect.T @ heavy)  # [q, m]
        left = slope @ of_effect - strength * effect  # 0 where the effects are fitted
        return score - left @ tie, border - tie.T @ (weighted.T @ of_shared), square - tie.T @ (of_effect.T @ heavy)

    def add(total: Directions, chunk: tuple[Chunk, Array]) -> tuple[Directions, None]:
        some, place = chunk
        found = jax.vmap(of_booth)(some.booths, own_traits(some, problem), some.weights, some.effects)
        return Directions(*(t.at[place].add(x) for t, x in zip(total, found, strict=True))), None

    p = point.shared.shape[0]
    zero = Directions(jnp.zeros((groups, size)), jnp.zeros((groups, size, p)), jnp.zeros((groups, size, size)))
    return jax.lax.scan(add, zero, (chunks_of(point, problem), group.reshape(problem.booths.weight.shape)))[0]


def inverse_of(matrix: Float[Array, "p p"]) -> Float[Array, "p p"]:
    """Inverse of an information matrix on its own scale; what it says nothing of is left out rather than infinite."""
    root = inverse_root(matrix, jnp).root
    return root @ root.T


def eta_place(problem: Problem, design: Design, axis: int = 0) -> int:
    """Where the shared eta of an axis stands among the shared parameters: after alpha, beta_T, gamma and beta_P."""
    rows = problem.frame.features.shape[1] + problem.booths.covariates.shape[-1]
    free = problem.frame.fielded.shape[1] - 1
    return 1 + rows + free + rows * free + axis


class Fit(NamedTuple):
    """A fit of a problem; `problem` has the weights of the mobilisation that the point goes with."""

    point: Point
    problem: Problem
    value: float
    steps: int
    converged: bool


class Paired(NamedTuple):
    """Mean losses per unit without and with something, and what it gains: the difference with its standard error."""

    without: float
    with_it: float
    gain: float
    se: float

    @property
    def z(self) -> float:
        """The gain in standard errors."""
        return self.gain / self.se if self.se > 0 else 0.0


class Parts(NamedTuple):
    """eta of each group of booths, all else shared by the groups.

    Attributes:
        eta, se: [g, d]; NaN where a group does not tell.
        mean: of the groups, weighted as their errors suggest, [d].
        q, degrees, p_value: of the same eta in all groups: chi-squared with so many degrees of freedom, [d].
    """

    eta: Float[np.ndarray, "g d"]
    se: Float[np.ndarray, "g d"]
    mean: Float[np.ndarray, " d"]
    q: Float[np.ndarray, " d"]
    degrees: Int[np.ndarray, " d"]
    p_value: Float[np.ndarray, " d"]


# ------------------------------------------------------------------------------------ fits


@partial(jax.jit, static_argnames=("design", "chunk"))
def posed(
    booths: Booths,
    frame: Frame,
    hyper: Hyper,
    weight: Float[Array, " i"],
    standard: Standard | None = None,
    *,
    design: Design,
    chunk: int,
) -> Problem:
    """A problem in which each booth counts `weight` times; g is standardised over those that count.

    Covariates stay standardised as they come, which matters to their penalty only.
    """
    area, number = jnp.asarray(booths.constituency), frame.fielded.shape[0]
    counted = (jnp.asarray(booths.sizes) > 0) * (weight > 0)[:, None]
    booths = booths._replace(weight=weight)
    frame = frame._replace(
        presence=jax.ops.segment_sum(counted.astype(weight.dtype), area, number),
        electors=jax.ops.segment_sum(jnp.asarray(booths.sizes) * weight[:, None], area, number),
    )
    weights = first_weights(booths, frame)
    return pose(booths, frame, hyper, replace(design, cache="none"), weights=weights, chunk=chunk, standard=standard)


def solve(
    problem: Problem, design: Design, start: Point | None = None, *, tolerance: float = 1e-9, max_steps: int = 200
) -> Fit:
    """Fit by Newton's method from `start`, in epochs where the mobilisation takes the model's own shares."""
    point = first_point(problem, design) if start is None else start

    def run(own: Problem, at: Point) -> Search:
        return newton(own, begin(at), design, tolerance, jnp.int32(max_steps))

    ended = in_epochs(run, problem, point, design)
    return Fit(ended.search.point, ended.problem, float(ended.search.value), ended.steps, ended.converged)


def without_affinity(problem: Problem) -> Problem:
    """The problem without what candidates add to the choice: eta and the towers stay 0."""
    own = problem.traits
    return problem._replace(traits=own._replace(g=0.0 * own.g, z=0.0 * own.z))


def without_mobilisation(problem: Problem) -> Problem:
    """The problem without what candidates add to the turnout: xi stays 0."""
    return problem._replace(traits=problem.traits._replace(m=0.0 * problem.traits.m))


# ------------------------------------------------------------------------------------ comparisons


def paired(
    without: Float[np.ndarray, " n"],
    with_it: Float[np.ndarray, " n"],
    size: Float[np.ndarray, " n"],
    cluster: Int[np.ndarray, " n"],
) -> Paired:
    """Compare losses of the same booths per elector (or vote), clustered by constituency.

    Args:
        without, with_it: summed losses of each booth.
        size: its electors, or its votes.
        cluster: its constituency; where there is but one, booths are taken as independent.
    """
    whole = size.sum()
    names, place = np.unique(cluster, return_inverse=True)
    if len(names) < 2:
        names, place = np.arange(len(size)), np.arange(len(size))
    gain = (without - with_it).sum() / whole
    residual = np.bincount(place.ravel(), (without - with_it) - gain * size)  # of a ratio of two sums
    number = len(names)
    se = np.sqrt((residual**2).sum() * number / max(number - 1, 1)) / whole
    return Paired(float(without.sum() / whole), float(with_it.sum() / whole), float(gain), float(se))


# ------------------------------------------------------------------------------------ stability


@partial(jax.jit, static_argnames=("design", "groups"))
def _by_group(point: Point, problem: Problem, design: Design, group: Array, groups: int) -> Directions:
    def more(shared: Shared, own: Traits, step: Array) -> tuple[Shared, Traits]:
        assert shared.eta is not None
        return shared._replace(eta=shared.eta + step), own

    axes = problem.frame.scalar.shape[0]
    return directions(point, problem, design, more, size=axes, group=group, groups=groups)


def group_etas(point: Point, problem: Problem, design: Design, group: Int[np.ndarray, " i"], groups: int) -> Parts:
    """eta of each group of booths by one Newton step from a common eta, all other parameters shared and moving along.

    The groups' estimates hang together through what they share; Q takes their whole covariance.
    """
    filling = problem.booths.weight.size - len(group)
    found = _by_group(point, problem, design, jnp.pad(jnp.asarray(group), (0, filling)), groups)
    known = np.asarray(information(point, problem, design).shared)
    axes = found.score.shape[1]
    first = eta_place(problem, design)
    rest = np.delete(np.arange(len(known)), np.arange(first, first + axes))
    border = np.asarray(found.border)[:, :, rest].reshape(groups * axes, -1)
    square = np.zeros((groups, axes, groups, axes))
    square[np.arange(groups), :, np.arange(groups)] = found.square
    square = square.reshape(groups * axes, -1)
    curve = square - border @ np.asarray(inverse_of(jnp.asarray(known[np.ix_(rest, rest)]))) @ border.T
    told = _told(curve, np.diag(square))
    covariance = np.full_like(curve, np.nan)
    inside = np.ix_(told, told)
    covariance[inside] = np.linalg.inv(curve[inside])
    eta = np.full(groups * axes, np.nan)
    eta[told] = covariance[inside] @ np.asarray(found.score).ravel()[told]
    common = np.asarray(point.shared)[first : first + axes]
    eta = eta.reshape(groups, axes) + common
    covariance = covariance.reshape(groups, axes, groups, axes)
    rows = [_heterogeneity(eta[:, d], covariance[:, d, :, d]) for d in range(axes)]
    mean, q, degrees = (np.array(x) for x in zip(*rows, strict=True))
    se = np.sqrt(np.einsum("gdgd->gd", covariance))
    return Parts(eta, se, mean, q, degrees, chi2.sf(q, np.maximum(degrees, 1)))


def _told(curve: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Which directions the data tell, the worst left out one by one."""
    told = np.diag(curve) > LEAST * np.maximum(own, 1e-300)
    told &= own > 1e-10 * own.max(initial=0.0)
    while told.any():
        inside = np.flatnonzero(told)
        scale = np.sqrt(own[inside])
        value, vector = np.linalg.eigh(curve[np.ix_(inside, inside)] / np.outer(scale, scale))
        if value[0] > LEAST:
            break
        told[inside[np.abs(vector[:, 0]).argmax()]] = False
    return told


def _heterogeneity(eta: np.ndarray, covariance: np.ndarray) -> tuple[float, float, int]:
    """Mean by generalised least squares, Q, and its degrees of freedom."""
    known = np.isfinite(eta)
    if known.sum() < 1:
        return np.nan, np.nan, 0
    inverse = np.linalg.inv(covariance[np.ix_(known, known)])
    weight = inverse.sum(axis=0)
    mean = weight @ eta[known] / weight.sum()
    apart = eta[known] - mean
    return float(mean), float(apart @ inverse @ apart), int(known.sum()) - 1


def left_out(
    point: Point, problem: Problem, design: Design, group: Int[np.ndarray, " i"], groups: int
) -> Float[np.ndarray, "g p"]:
    """Shared parameters without each group, by the infinitesimal jackknife: right for groups that are small parts."""
    known = information(point, problem, design)
    scores = np.zeros((groups, point.shared.shape[0]))
    np.add.at(scores, group, np.asarray(known.scores)[: len(group)])
    return np.asarray(point.shared) + scores @ np.asarray(inverse_of(known.shared))
