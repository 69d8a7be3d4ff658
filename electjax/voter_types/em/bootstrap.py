"""Bootstrap of a mixture: replicates of the voters, or of their votes, fitted side by side from the estimate.

Every replicate depends on the key and on its own number alone. Types keep the labels of the estimate: each replicate
is lined up with it by Hungarian matching. Replicates start at the estimate, a little off the boundary, so that what
they show is its own spread and not that of other local maxima.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy import sparse

from electjax.numerics.host import host_generator
from electjax.voter_types.em.acceleration import Walk, begin, squarem_cycle
from electjax.voter_types.em.matching import match_types, reorder
from electjax.voter_types.em.mixture import Types, log_likelihood
from electjax.voter_types.em.profiles import Profiles, are_counts
from electjax.voter_types.em.rows import Rows, lay_out
from electjax.voter_types.em.simulate import expand, simulate_profiles
from electjax.voter_types.em.stacks import inside, mapped_axes, stack_rows
from electjax.voter_types.em.uncertainty import Quantities, Values, averages, quantities

LANES = 64
HOLD = 1 << 24  # numbers that the lanes of a batch may hold

Progress = Callable[[int, int, str], None]


class Replicates(NamedTuple):
    """Fits to replicates of the data, as numpy arrays; the leading axis counts them."""

    types: Types
    quantities: Quantities
    log_likelihood: Values  # at the replicate's own maximum
    converged: Values
    maps: Values


def nonparametric_bootstrap(
    key: Array,
    types: Types,
    profiles: Profiles,
    *,
    replicates: int = 200,
    units: sparse.csr_matrix | None = None,
    tolerance: float = 1e-9,
    max_maps: int = 5_000,
    ridge: float = 0.0,
    lanes: int = LANES,
    progress: Progress | None = None,
) -> Replicates:
    """Voters drawn with replacement, as multinomial counts of the collapsed rows.

    Args:
        key: replicate i draws by `fold_in(key, i)`.
        types: the estimate.
        profiles: the data it was fitted to.
        replicates: how many.
        units: [C, U] weight that each cluster has in each row (`uncertainty.cluster_pairs`): whole clusters are
            drawn. Voters with unequal weights in one row are clusters of one.
        tolerance: relative change of the log-likelihood over a cycle at which a replicate has converged.
        max_maps: evaluations of the EM map that a replicate may take.
        ridge: as in the fit.
        lanes: replicates fitted side by side, at most.
        progress: called with replicates done, of how many, and a text.

    Raises:
        ValueError: voters of one row have different weights and no units are given.
    """
    rows = lay_out(profiles)
    start = inside(types, rows)
    width = max(1, min(lanes, replicates, HOLD // (4 * len(profiles.code) * types.gamma.shape[1])))
    axes = mapped_axes("weight")

    def batch(numbers: np.ndarray) -> Rows:
        drawn = np.stack([draw_weights(jax.random.fold_in(key, int(i)), profiles, units) for i in numbers])
        short = rows.weight.size - drawn.shape[1]
        return rows._replace(weight=jnp.asarray(np.pad(drawn, ((0, 0), (0, short))).reshape(-1, *rows.weight.shape)))

    return _fit(types, start, batch, axes, replicates, width, tolerance, max_maps, ridge, progress)


def parametric_bootstrap(
    key: Array,
    types: Types,
    profiles: Profiles,
    *,
    replicates: int = 200,
    tolerance: float = 1e-9,
    max_maps: int = 5_000,
    ridge: float = 0.0,
    lanes: int = LANES,
    progress: Progress | None = None,
) -> Replicates:
    """Votes drawn anew from the estimate, at the voters' own menus, covariates and weights; what is missing stays so.

    Voters of one row share its average weight. Arguments as in `nonparametric_bootstrap`.
    """
    start = inside(types, lay_out(profiles))
    voters = expand(profiles)
    size = min(len(voters.group), 4 * len(profiles.code))  # rows of a replicate, hardly more
    width = max(1, min(lanes, replicates, HOLD // (4 * size * types.gamma.shape[1])))

    def batch(numbers: np.ndarray) -> Rows:
        parts = [simulate_profiles(jax.random.fold_in(key, int(i)), types, profiles, voters) for i in numbers]
        # few different numbers of rows: each is a compilation
        return stack_rows(parts, -(-max(len(part.code) for part in parts) // 256) * 256)

    axes = mapped_axes("weight", "group", "cells", "block")
    return _fit(types, start, batch, axes, replicates, width, tolerance, max_maps, ridge, progress)


def draw_weights(key: Array, profiles: Profiles, units: sparse.csr_matrix | None = None) -> np.ndarray:
    """Weights of the rows when as many voters, or units, as there are have been drawn with replacement, [U]."""
    random = host_generator(key)
    if units is not None:
        number = units.shape[0]
        return np.asarray(random.multinomial(number, np.full(number, 1 / number)) @ units).reshape(-1)
    if are_counts(profiles):
        total = profiles.weight.sum()
        return random.multinomial(int(total), profiles.weight / total).astype(float)
    if not np.allclose(profiles.square * profiles.voters, profiles.weight**2, rtol=1e-9):
        raise ValueError(
            "voters with the same votes have different weights: pass units=cluster_pairs(np.arange(N), inverse, weight)"
        )
    number = profiles.voters.sum()
    return random.multinomial(number, profiles.voters / number) * profiles.weight / np.maximum(profiles.voters, 1)


def _fit(
    types: Types,
    start: Types,
    batch: Callable[[np.ndarray], Rows],
    axes: Rows,
    replicates: int,
    width: int,
    tolerance: float,
    max_maps: int,
    ridge: float,
    progress: Progress | None,
) -> Replicates:
    parts = []
    for first in range(0, replicates, width):
        # the last batch is filled up, so that one program serves all
        numbers = np.minimum(np.arange(first, first + width), replicates - 1)
        rows = batch(numbers)
        ended, change, maps = _converge(start, rows, axes, tolerance, max_maps, ridge)
        fits = jax.tree.map(np.asarray, ended)
        each = [jax.tree.map(lambda leaf, i=i: leaf[i], fits) for i in range(width)]
        order = np.stack([match_types(own, types) for own in each])
        found = _report(ended, order, rows, axes, change < tolerance, maps)
        real = min(width, replicates - first)
        parts.append(jax.tree.map(lambda leaf, real=real: np.asarray(leaf)[:real], found))
        if progress:
            progress(first + real, replicates, "bootstrap")
    return Replicates(*jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts))


@partial(jax.jit, static_argnames="axes")
def _converge(
    start: Types, rows: Rows, axes: Rows, tolerance: Array, max_maps: Array, ridge: Array
) -> tuple[Types, Array, Array]:
    def going(walk: Walk) -> Array:
        return (walk.change >= tolerance) & (walk.maps < max_maps)

    def run(own: Rows) -> Walk:
        return lax.while_loop(going, lambda walk: squarem_cycle(walk, own, ridge), begin(start))

    walk = jax.vmap(run, in_axes=(axes,))(rows)
    return walk.types, walk.change, walk.maps


@partial(jax.jit, static_argnames="axes")
def _report(types: Types, order: Array, rows: Rows, axes: Rows, converged: Array, maps: Array) -> Replicates:
    types = jax.vmap(reorder)(types, order)
    found = jax.vmap(lambda own, data: quantities(own, averages(own, data)), in_axes=(0, axes))(types, rows)
    fit = jax.vmap(log_likelihood, in_axes=(0, axes))(types, rows)
    return Replicates(types, found, fit, converged, maps)


def spread(found: Replicates, *, level: float = 0.95) -> tuple[Quantities, Quantities, Quantities]:
    """Standard deviation of the replicates that converged, and their percentile interval."""
    done = np.asarray(found.converged)
    tails = ((1 - level) / 2, (1 + level) / 2)
    kept = jax.tree.map(lambda leaf: np.asarray(leaf)[done], found.quantities)
    low, high = (jax.tree.map(lambda leaf, at=at: np.quantile(leaf, at, axis=0), kept) for at in tails)
    return jax.tree.map(lambda leaf: leaf.std(axis=0, ddof=1), kept), low, high
