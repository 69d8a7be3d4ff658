"""Bootstrap of a mixture: replicates of the voters, or of their votes, fitted side by side from the estimate.

Every replicate depends on the key and on its own number alone. Types keep the labels of the estimate: each replicate
is lined up with it by Hungarian matching. Replicates start at the estimate, a little off the boundary, so that what
they show is its own spread and not that of other local maxima.

The bootstrap likelihood-ratio test of K - 1 against K types (McLachlan 1987), data sets side by side.

The likelihood ratio of one type more has no chi-square distribution, since the smaller model lies on the boundary of
the larger. So data sets are simulated from the smaller fit at the voters' own menus and covariates, and both models
are fitted to each. Nylund, Asparouhov and Muthen, Structural Equation Modeling 14 (2007).
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.special import softmax

from electjax.numerics import covariance
from electjax.numerics.host import host_generator
from electjax.voter_types.em.mixture import Types, log_likelihood, match_types, reorder
from electjax.voter_types.em.rows import Profiles, Rows, are_counts, lay_out, stacked
from electjax.voter_types.em.runs import (
    Best,
    Way,
    best_fits,
    host_types,
    inside,
    mapped_axes,
    normalised,
    random_types,
    run_starts,
    take,
)
from electjax.voter_types.em.simulate import expand, in_stacks, simulate_profiles, stack_rows
from electjax.voter_types.em.uncertainty import Quantities, Values, averages, quantities

LANES = 64
HOLD = 1 << 24  # numbers that the lanes of a batch may hold
MOST_MAPS = 5_000  # evaluations of the EM map that a replicate may take

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
    ridge: float = 0.0,
    progress: Progress | None = None,
) -> Replicates:
    """Voters drawn with replacement, as multinomial counts of the collapsed rows.

    Args:
        key: replicate i draws by `fold_in(key, i)`.
        types, profiles: the estimate, and the data it was fitted to.
        units: [C, U] weight that each cluster has in each row (`uncertainty.cluster_pairs`): whole clusters are
            drawn. Voters with unequal weights in one row are clusters of one.

    Raises:
        ValueError: voters of one row have different weights and no units are given.
    """
    rows = lay_out(profiles)
    start = inside(types, rows)
    width = max(1, min(LANES, replicates, HOLD // (4 * len(profiles.code) * types.gamma.shape[1])))

    def batch(numbers: np.ndarray) -> Rows:
        drawn = np.stack([draw_weights(jax.random.fold_in(key, int(i)), profiles, units) for i in numbers])
        short = rows.weight.size - drawn.shape[1]
        return rows._replace(weight=jnp.asarray(np.pad(drawn, ((0, 0), (0, short))).reshape(-1, *rows.weight.shape)))

    return _fit(types, start, batch, ("weight",), replicates, width, ridge, progress)


def parametric_bootstrap(
    key: Array,
    types: Types,
    profiles: Profiles,
    *,
    replicates: int = 200,
    ridge: float = 0.0,
    progress: Progress | None = None,
) -> Replicates:
    """Votes drawn anew from the estimate, at the voters' own menus, covariates and weights; what is missing stays so.

    Voters of one row share its average weight. Arguments as in `nonparametric_bootstrap`.
    """
    start = inside(types, lay_out(profiles))
    voters = expand(profiles)
    size = min(len(voters.group), 4 * len(profiles.code))  # rows of a replicate, hardly more
    width = max(1, min(LANES, replicates, HOLD // (4 * size * types.gamma.shape[1])))

    def batch(numbers: np.ndarray) -> Rows:
        parts = [simulate_profiles(jax.random.fold_in(key, int(i)), types, profiles, voters) for i in numbers]
        # few different numbers of rows: each is a compilation
        return stack_rows(parts, -(-max(len(part.code) for part in parts) // 256) * 256)

    return _fit(types, start, batch, None, replicates, width, ridge, progress)


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
    mapped: tuple[str, ...] | None,
    replicates: int,
    width: int,
    ridge: float,
    progress: Progress | None,
) -> Replicates:
    way = Way(max_maps=MOST_MAPS, ridge=ridge)
    starts: Types = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], width, axis=0), start)
    parts = []
    for first in range(0, replicates, width):
        # the last batch is filled up, so that one program serves all
        numbers = np.minimum(np.arange(first, first + width), replicates - 1)
        rows, real = batch(numbers), min(width, replicates - first)
        own = stacked(rows) if mapped is None else mapped
        runs = run_starts(starts, rows, way, number=real, owner=np.arange(width), mapped=own, lanes=width)
        runs = take(runs, np.minimum(np.arange(width), real - 1))
        order = np.stack([match_types(jax.tree.map(itemgetter(i), runs.types), types) for i in range(width)])
        found = _report(runs.types, order, rows, mapped_axes(*own), runs.converged, runs.maps)
        parts.append(jax.tree.map(lambda leaf, real=real: np.asarray(leaf)[:real], found))
        if progress:
            progress(first + real, replicates, "bootstrap")
    return Replicates(*jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts))


@partial(jax.jit, static_argnames="axes")
def _report(types: Types, order: Array, rows: Rows, axes: Rows, converged: Array, maps: Array) -> Replicates:
    types = jax.vmap(reorder)(types, order)
    found = jax.vmap(lambda own, data: quantities(own, averages(own, data)), in_axes=(0, axes))(types, rows)
    fit = jax.vmap(log_likelihood, in_axes=(0, axes))(types, rows)
    return Replicates(types, found, fit, converged, maps)


def spread(found: Replicates, *, level: float = 0.95) -> tuple[Quantities, Quantities, Quantities]:
    """Standard deviation of the replicates that converged, and their percentile interval."""
    done = np.asarray(found.converged)
    ends = [covariance.spread(leaf[done], level=level) for leaf in found.quantities]
    return tuple(Quantities(*part) for part in zip(*ends, strict=True))  # type: ignore[return-value]


WIDTH = 1.0  # of the disturbance of a type that is split, in log mu


class RatioTest(NamedTuple):
    """The test, and the data sets behind it."""

    ratio: float  # 2 (L_K - L_{K-1}) of the voters
    p: float  # (1 + #{ratios >= ratio}) / (B + 1)
    p_se: float  # its Monte Carlo standard error
    ratios: Float[np.ndarray, " B"]  # of the data sets, at least 0 since the smaller model is a special case
    short: float  # share of the data sets whose K types did not reach the likelihood of their K - 1 types
    converged: Bool[np.ndarray, "B 2"]  # fits of K - 1 and of K types


def ratio_test(
    key: Array,
    null: Types,
    alternative: Types,
    profiles: Profiles,
    ratio: float,
    *,
    replicates: int = 100,
    starts: int = 10,
    ridge: float = 0.0,
) -> RatioTest:
    """Test the K - 1 types of `null` against the K types of `alternative`. Call it under `jax.enable_x64`.

    Data set b depends on the key and on b alone. Its smaller model starts from `null` and at random; its larger from
    `alternative`, from its own smaller fit with a type split in two, and at random.

    Args:
        null: K - 1 types, which the data sets are drawn from.
        ratio: 2 (L_K - L_{K-1}) of these fits to the voters.
        replicates: B, number of data sets.
        starts: starts of each fit, at least 2. Too few miss the maximum of K types, and p comes out too small.
    """
    voters = expand(profiles)
    draw, search = jax.random.split(key)
    data = [simulate_profiles(jax.random.fold_in(draw, b), null, profiles, voters) for b in range(replicates)]
    few, many = [], []
    for index, rows in in_stacks(data):
        random = [host_generator(jax.random.fold_in(search, b)) for b in index]
        fits = _fit_both(random, rows, null, alternative, starts=max(starts, 2), ridge=ridge)
        few.append(fits[0])
        many.append(fits[1])
    smaller, larger = (jax.tree.map(lambda *parts: np.concatenate(parts)[:replicates], *fits) for fits in (few, many))
    converged = np.stack([smaller.converged, larger.converged], axis=1)
    return judge(ratio, 2 * (larger.objective - smaller.objective), converged)


def judge(ratio: float, ratios: np.ndarray, converged: np.ndarray) -> RatioTest:
    """The p-value of a likelihood ratio among those of the data sets."""
    # what rounding and the tolerance leave of a ratio of zero is not a failure
    short = float((ratios < -1e-4).mean())
    ratios = np.maximum(ratios, 0.0)
    p = float((1 + (ratios >= ratio).sum()) / (len(ratios) + 1))
    return RatioTest(ratio, p, float(np.sqrt(p * (1 - p) / (len(ratios) + 1))), ratios, short, converged)


def split_type(random: np.random.Generator, types: Types) -> Types:
    """K types from K - 1: one, drawn by its share, becomes two halves that are disturbed in their votes."""
    gamma, log_mu, delta = (np.asarray(leaf) for leaf in types)
    chosen = random.choice(gamma.shape[1], p=softmax(gamma[0]))
    gamma = np.append(gamma, gamma[:, [chosen]], axis=1)
    gamma[0, [chosen, -1]] -= np.log(2.0)
    gamma = gamma if len(gamma) == 1 else gamma - gamma[:, :1]
    log_mu = np.append(log_mu, log_mu[[chosen]], axis=0)
    log_mu[[chosen, -1]] += WIDTH * random.standard_normal((2, *log_mu.shape[1:]))
    return host_types(gamma, normalised(log_mu), np.append(delta, delta[[chosen]], axis=0))


def _fit_both(
    random: Sequence[np.random.Generator], rows: Rows, null: Types, alternative: Types, *, starts: int, ridge: float
) -> tuple[Best, Best]:
    """Both models fitted to every data set."""
    blind = starts - 1 if null.gamma.shape[1] > 1 else 0  # one type has one maximum, and EM is there at once
    begun = []
    for own in random:
        begun += [inside(null, rows), *(random_types(own, null, rows) for _ in range(blind))]
    smaller = best_fits(begun, rows, ridge=ridge)
    begun = []
    for b, own in enumerate(random):
        base = inside(jax.tree.map(itemgetter(b), smaller.types), rows)
        halves = [split_type(own, base) for _ in range(starts - starts // 2 - 1)]
        blinds = [random_types(own, alternative, rows) for _ in range(starts // 2)]
        begun += [inside(alternative, rows), *halves, *blinds]
    return smaller, best_fits(begun, rows, ridge=ridge)
