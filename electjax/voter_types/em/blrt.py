"""The bootstrap likelihood-ratio test of K - 1 against K types (McLachlan 1987), data sets side by side.

The likelihood ratio of one type more has no chi-square distribution, since the smaller model lies on the boundary of
the larger. So data sets are simulated from the smaller fit at the voters' own menus and covariates, and both models
are fitted to each. Nylund, Asparouhov and Muthen, Structural Equation Modeling 14 (2007).
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Bool, Float
from scipy.special import softmax

from electjax.numerics.host import host_generator
from electjax.voter_types.em.mixture import Types
from electjax.voter_types.em.profiles import Profiles
from electjax.voter_types.em.rows import Rows
from electjax.voter_types.em.simulate import expand, simulate_profiles
from electjax.voter_types.em.stacks import (
    Best,
    best_fits,
    host_types,
    in_stacks,
    inside,
    join_stacks,
    normalised,
    random_types,
)

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
    tolerance: float = 1e-8,
    max_maps: int = 3000,
    ridge: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> RatioTest:
    """Test the K - 1 types of `null` against the K types of `alternative`. Call it under `jax.enable_x64`.

    Data set b depends on the key and on b alone. Its smaller model starts from `null` and at random; its larger from
    `alternative`, from its own smaller fit with a type split in two, and at random.

    Args:
        key: of the data sets and starts.
        null: K - 1 types, which the data sets are drawn from.
        alternative: K types.
        profiles: the voters.
        ratio: 2 (L_K - L_{K-1}) of these fits to the voters.
        replicates: B, number of data sets.
        starts: starts of each fit, at least 2. Too few miss the maximum of K types, and p comes out too small.
        tolerance: relative change of the log-likelihood at which a fit has converged.
        max_maps: most evaluations of the EM map in a fit.
        ridge: penalty on the slopes of gamma.
        progress: called as progress(data sets done, B).
    """
    voters = expand(profiles)
    draw, search = jax.random.split(key)
    data = [simulate_profiles(jax.random.fold_in(draw, b), null, profiles, voters) for b in range(replicates)]
    settings = {"tolerance": tolerance, "max_maps": max_maps, "ridge": ridge}
    few, many = [], []
    for index, rows in in_stacks(data):
        random = [host_generator(jax.random.fold_in(search, b)) for b in index]
        fits = _fit_both(random, rows, null, alternative, starts=max(starts, 2), **settings)
        few.append(fits[0])
        many.append(fits[1])
        if progress:
            progress(int(index[-1]) + 1, replicates)
    smaller, larger = join_stacks(few, replicates), join_stacks(many, replicates)
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
    random: Sequence[np.random.Generator], rows: Rows, null: Types, alternative: Types, *, starts: int, **settings: Any
) -> tuple[Best, Best]:
    """Both models fitted to every data set."""
    blind = starts - 1 if null.gamma.shape[1] > 1 else 0  # one type has one maximum, and EM is there at once
    begun = []
    for own in random:
        begun += [inside(null, rows), *(random_types(own, null, rows) for _ in range(blind))]
    smaller = best_fits(begun, rows, **settings)
    begun = []
    for b, own in enumerate(random):
        base = inside(jax.tree.map(itemgetter(b), smaller.types), rows)
        halves = [split_type(own, base) for _ in range(starts - starts // 2 - 1)]
        blinds = [random_types(own, alternative, rows) for _ in range(starts // 2)]
        begun += [inside(alternative, rows), *halves, *blinds]
    return smaller, best_fits(begun, rows, **settings)
