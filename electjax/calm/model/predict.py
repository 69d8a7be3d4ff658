"""Booths under the parameters of a CALM fit, which they may or may not have been part of.

A booth that was in the fit has its own effects. Another has the mean of its constituency's booths at the estimate, and
in each draw of the posterior the effects of one of them, chosen at random, so that its intervals hold what booths
differ by. Where the constituency was not in the fit either, effects are 0.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.calm.model.design import Design, Effects, Tensor
from electjax.calm.model.heads import Totals
from electjax.calm.model.problem import Problem, fitted
from electjax.calm.model.sums import blocks
from electjax.calm.model.unseen import group_means
from electjax.numerics.arrow import Point
from electjax.numerics.laplace import Laplace, draw, given_shared

BATCH = 20  # draws between two reports of progress


class Transfer(NamedTuple):
    """Where booths find what a fit knows of them. J booths in the fit, B constituencies.

    Attributes:
        shared: place of each shared parameter among those of the fit, [p]; -1 for none, which is 0.
        own: row of the booth in the fit, [i]; -1 for a booth that it did not see.
        area: constituency of the booth in the fit, [i]; -1 for none.
        of: constituency of the fit's booths, [j].
        seen: whether the fit's booths were part of it, [j].
        order, first, number: the fit's booths by constituency [j], where one begins and how many it has [b].
    """

    shared: Int[Tensor, " p"]
    own: Int[Tensor, " i"]
    area: Int[Tensor, " i"]
    of: Int[Tensor, " j"]
    seen: Bool[Tensor, " j"]
    order: Int[Tensor, " j"]
    first: Int[Tensor, " b"]
    number: Int[Tensor, " b"]


def transfer(
    shared: Int[np.ndarray, " p"],
    own: Int[np.ndarray, " i"],
    area: Int[np.ndarray, " i"],
    of: Int[np.ndarray, " j"],
    seen: Bool[np.ndarray, " j"],
    constituencies: int,
) -> Transfer:
    """A Transfer from where things are; booths of the fit that were kept out of it count as not seen."""
    own = np.where((own >= 0) & seen[own], own, -1)
    order = np.argsort(np.where(seen, of, constituencies), kind="stable")
    number = np.bincount(of[seen], minlength=constituencies)
    return Transfer(shared, own, area, of, seen, order, np.cumsum(number) - number, number)


def carried(
    point: Point, to: Transfer, problem: Problem, effects: Effects = "known", key: Key[Array, ""] | None = None
) -> Point:
    """The parameters of a fit as those of other booths, whose problem it is.

    Args:
        effects: the booths' own where they are known, else as said above; the mean of the constituency; or none.
        key: to draw a booth whose effects one that was not seen takes; None for the mean.
    """
    shared = jnp.where(jnp.asarray(to.shared) >= 0, point.shared[to.shared], 0.0)
    rows, width = problem.booths.weight.size, point.groups.shape[1]
    if effects == "zero" or not width:
        return Point(shared, jnp.zeros((rows, width)))
    area, number = jnp.asarray(to.area), jnp.asarray(to.number)
    seen = jnp.asarray(to.seen).astype(point.groups.dtype)
    found = group_means(point.groups, jnp.asarray(to.of), seen, number.shape[0])[area]
    if effects == "known":
        if key is not None:
            step = jnp.floor(jax.random.uniform(key, area.shape) * number[area]).astype(area.dtype)
            other = point.groups[jnp.asarray(to.order)[jnp.asarray(to.first)[area] + step]]
            found = jnp.where((number[area] > 0)[:, None], other, found)
        found = jnp.where(jnp.asarray(to.own)[:, None] >= 0, point.groups[to.own], found)
        area = jnp.maximum(area, to.own)
    found = jnp.where(area[:, None] >= 0, found, 0.0)
    return Point(shared, jnp.pad(found, ((0, rows - found.shape[0]), (0, 0))))


@partial(jax.jit, static_argnames=("design", "effects"))
def expected(point: Point, to: Transfer, problem: Problem, design: Design, effects: Effects) -> Totals:
    """Turnout and shares of every booth at the parameters of a fit, [i]."""
    found = fitted(carried(point, to, problem, effects), problem, design)
    return jax.tree.map(lambda x: x[: len(to.own)], found)


def by_constituency(found: Totals, problem: Problem) -> Float[Array, "a k"]:
    """Expected votes of every constituency."""
    area = problem.booths.constituency.ravel()
    votes = (found.polled[:, None] * found.shares)[: area.shape[0]]
    return jax.ops.segment_sum(votes, area[: votes.shape[0]], num_segments=problem.frame.fielded.shape[0])


@partial(jax.jit, static_argnames=("design", "effects", "whole"))
def _draws(
    keys: Array, posterior: Laplace, to: Transfer, problem: Problem, *, design: Design, effects: Effects, whole: bool
) -> Totals | Array:
    def one(key: Array) -> Totals | Array:
        of_posterior, of_booths = jax.random.split(key)
        point = carried(draw(of_posterior, posterior), to, problem, effects, of_booths)
        found: Totals = jax.tree.map(lambda x: x[: len(to.own)], fitted(point, problem, design))
        return by_constituency(found, problem) if whole else found

    return jax.lax.map(one, keys)


def simulate(
    key: Key[Array, ""],
    posterior: Laplace,
    to: Transfer,
    problem: Problem,
    design: Design,
    *,
    draws: int,
    effects: Effects = "known",
    whole: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Totals | np.ndarray:
    """What is expected under draws of the posterior; draw r depends on the key and on r alone.

    Returns:
        Totals of every booth, [r, i, ...], or, as a whole, votes of every constituency, [r, a, k].
    """
    parts = []
    for start in range(0, draws, BATCH):
        numbers = jnp.arange(start, start + BATCH)  # the last batch is cut below: one program serves all
        keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(numbers)
        found = _draws(keys, posterior, to, problem, design=design, effects=effects, whole=whole)
        parts.append(jax.tree.map(lambda x, left=draws - start: np.asarray(x)[:left], found))
        if progress:
            progress(min(start + BATCH, draws), draws, "draws")
    return jax.tree.map(lambda *part: np.concatenate(part), *parts)


@partial(jax.jit, static_argnames="design")
def tied(
    point: Point,
    to: Transfer,
    problem: Problem,
    same: Bool[Array, " i"],
    spread: Float[Array, "j q q"],
    *,
    design: Design,
) -> tuple[Float[Array, "j q p"], Float[Array, "j q q"]]:
    """Ties and spread of the effects of a fit's booths (`Laplace`), from those that are here as they were there.

    Args:
        same: whether the booth is one of the fit, with the same electors, votes and candidates.
        spread: what the others have, whose ties are 0.
    """
    arrow, _ = blocks(carried(point, to, problem), problem, design)
    ties, own = (x[: len(to.own)] for x in given_shared(arrow.border, arrow.groups))
    number, width = point.groups.shape
    at = jnp.where(same, to.own, number)  # a row beyond the last is dropped
    column = jnp.where(jnp.asarray(to.shared) >= 0, to.shared, point.shared.shape[0])
    all_ties = jnp.zeros((number, width, point.shared.shape[0]))
    all_ties = all_ties.at[at[:, None, None], jnp.arange(width)[:, None], column].set(ties, mode="drop")
    return all_ties, spread.at[at].set(own, mode="drop")
