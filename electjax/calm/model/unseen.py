"""Booths that a fit does not see: which are held out, and what they are expected to do; constituencies as one booth.

A booth without an effect of its own gets the mean effect of its constituency's training booths, or 0 without any.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from electjax.calm.model.design import Booths, Design
from electjax.calm.model.objective import Losses, booth_losses, entropy
from electjax.calm.model.problem import Problem, fitted, in_chunks, in_rows, pose
from electjax.numerics.arrow import Point
from electjax.numerics.host import host_generator


def held_out(area: np.ndarray, share: float, key: jax.Array) -> np.ndarray:
    """Choose a share of the booths of every constituency at random, [i]; at least one of each stays in the fit."""
    generator = host_generator(key)
    out = np.zeros(len(area), bool)
    for a in np.unique(area):
        booths = np.flatnonzero(area == a)
        number = min(round(share * len(booths)), len(booths) - 1)
        out[generator.permutation(booths)[:number]] = True
    return out


def folds_of(area: Int[np.ndarray, " i"], folds: int, key: Array) -> Int[np.ndarray, " i"]:
    """A fold for every booth, of equal sizes within a constituency; -1, never held out, where it has a single booth."""
    generator = host_generator(key)
    fold = np.full(len(area), -1)
    for a in np.unique(area):
        own = generator.permutation(np.flatnonzero(area == a))
        if len(own) > 1:
            fold[own] = (np.arange(len(own)) + generator.integers(folds)) % folds
    return fold


def mean_effects(point: Point, problem: Problem) -> Float[jax.Array, "a q"]:
    """Mean effect of the training booths of each constituency."""
    return _means(point.groups, problem)


@jax.jit
def with_mean_effects(point: Point, problem: Problem) -> Point:
    """The point with the mean effect of its constituency for each booth of weight 0."""
    seen = problem.booths.weight.ravel() > 0
    area = problem.booths.constituency.ravel()
    return point._replace(groups=jnp.where(seen[:, None], point.groups, mean_effects(point, problem)[area]))


@partial(jax.jit, static_argnames="design")
def constituencies(point: Point, problem: Problem, design: Design) -> tuple[Point, Problem]:
    """Each constituency's training booths as one: all their cells, their mean effect, covariates and weights."""
    rows = in_rows(problem.booths)
    areas, parties = problem.frame.fielded.shape

    def total(values: Float[jax.Array, "i v"]) -> Float[jax.Array, "a v"]:
        return jax.ops.segment_sum(rows.weight[:, None] * values, rows.constituency, num_segments=areas)

    whole = Booths(
        sizes=problem.frame.electors,
        polled=total(rows.polled[:, None])[:, 0],
        votes=total(rows.votes),
        constituency=jnp.arange(areas, dtype=rows.constituency.dtype),
        covariates=_means(rows.covariates, problem),
        previous=_means(rows.previous, problem),
        weight=jnp.ones(areas),
    )
    weights = _means(problem.weights.reshape(-1, parties), problem)
    chunk = min(areas, problem.weights.shape[1])
    standard = problem.affinity.standard
    plain = replace(design, cache="none")
    made = pose(whole, problem.frame, problem.hyper, plain, weights=weights, chunk=chunk, standard=standard)
    effects = in_chunks(mean_effects(point, problem), chunk)
    return point._replace(groups=effects.reshape(effects.shape[0] * chunk, point.groups.shape[1])), made


@partial(jax.jit, static_argnames="design")
def unseen_losses(point: Point, problem: Problem, design: Design) -> Losses:
    """N BCE above that of a perfect fit and T KL of every booth, [i] with filling rows.

    A booth of weight 0 has the mean effect of its constituency. Overdispersed models are judged by the same measure.
    """
    rows = in_rows(problem.booths)
    sums = fitted(with_mean_effects(point, problem), problem, design)
    lost = jax.vmap(lambda s, row: booth_losses(s, row, None, problem.hyper.epsilon))(sums, rows)
    return Losses(lost.turnout - jax.vmap(entropy)(rows), lost.party)


def group_means(
    values: Float[jax.Array, "i v"], group: Int[jax.Array, " i"], weight: Float[jax.Array, " i"], groups: int
) -> Float[jax.Array, "g v"]:
    """Weighted means of groups of rows; 0 for a group of no weight."""
    total = jax.ops.segment_sum(weight[:, None] * values, group, num_segments=groups)
    count = jax.ops.segment_sum(weight, group, num_segments=groups)[:, None]
    return jnp.where(count > 0, total / jnp.where(count > 0, count, 1.0), 0.0)


def _means(values: Float[jax.Array, "i v"], problem: Problem) -> Float[jax.Array, "a v"]:
    area, weight = problem.booths.constituency.ravel(), problem.booths.weight.ravel()
    return group_means(values, area, weight, problem.frame.fielded.shape[0])
