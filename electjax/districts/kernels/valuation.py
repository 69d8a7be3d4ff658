"""Electors who value every party and vote for the one they value most (Mitra, section 4.5, eq. 6).

Elector i of community c values party k at lambda_ik ~ N(phi_ck, sigma_k). Under influence it is the valuation
kappa lambda_ik + (1 - kappa) mean that counts, the mean being that of a group of n electors. As no elector has to be
looked at, communities vote by multinomials whose probabilities are one-dimensional integrals.

Fixed kappa is exact: the swayed valuations of a group are normal with variance sigma^2 (kappa^2 + (1 - kappa^2) / n)
and covariance sigma^2 (1 - kappa^2) / n between two electors, which is what electors have who are independent
given one common error of variance sigma^2 (1 - kappa^2) / n. If kappa differs by elector, single electors are exact
and the covariance of the group's votes has the right trace to leading order in 1 / n; see `choices_of_many_minds`.

Arrays are laid out party first: mean[party, ...].
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

REACH = 4.5  # standard deviations to which a valuation is followed; 3e-6 of it lies beyond at either end
NODES = 28
KAPPA_NODES = 20
MOST_COMMUNITIES = 7  # 3^7 attitudes of a party are looked through one by one


def _normal_law(z: Array) -> tuple[Array, Array]:
    """Standard normal distribution function and density from one exponential.

    Hastings' polynomial, absolute error 8e-8 (Abramowitz and Stegun, 26.2.17); erf costs several times as much.
    """
    density = 0.3989422804 * jnp.exp(-0.5 * z * z)
    t = 1.0 / (1.0 + 0.2316419 * jnp.abs(z))
    polynomial = (((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t + 0.319381530
    tail = polynomial * t * density
    return jnp.where(z > 0, 1.0 - tail, tail), density


def choice_probabilities(mean: Float[Array, "K ..."], sd: Float[Array, "K ..."]) -> Float[Array, "K ..."]:
    """Probability that each party is the one valued most: q_k = P(argmax_j N(mean_j, sd_j) = k).

    q_k is the integral over x of party k's density times the others' distribution functions. Below `low`, where some
    party is all but certain to be above x, it vanishes; at a distance d above it, all parties whose sd is below
    d / 9 are settled. So the nodes of the trapezoid rule spread geometrically from `low`, as fine as the smallest sd
    there, and one grid serves all parties.

    Absolute error below 1e-5 where the largest sd is up to 30 times the smallest, 5e-4 up to 100 times. Parties that
    are certain to tie share their chance.
    """
    mean = mean - jnp.max(mean, axis=0)
    # without any spread the largest mean wins; the floor keeps float32 fit to tell
    sd = jnp.broadcast_to(jnp.maximum(sd, 1e-12 - 1e-5 * jnp.min(mean, axis=0)), mean.shape)
    low = jnp.max(mean - REACH * sd, axis=0)
    top = mean + REACH * sd
    finest = 3.0 * jnp.min(jnp.where(top > low, sd, jnp.inf), axis=0)
    growth = jnp.log1p((jnp.max(top, axis=0) - low) / finest)
    start, scale = (mean - low) / sd, 1.0 / sd
    parties = mean.shape[0]

    def node(total: tuple[Array, ...], time: Array) -> tuple[tuple[Array, ...], None]:
        step = jnp.exp(growth * time)
        distance = finest * (step - 1.0)
        laws = [_normal_law(distance * scale[k] - start[k]) for k in range(parties)]
        # without the barrier every party's sum would compute all parties' laws again
        laws = jax.lax.optimization_barrier(laws)
        above = [step]  # products over the parties after k, with the grid's step
        for below_all, _ in laws[:0:-1]:
            above.append(above[-1] * below_all)
        before = jnp.ones_like(step)
        sums = []
        for k, (below, density) in enumerate(laws):
            sums.append(total[k] + density * (before * above[parties - 1 - k]))
            before = before * below
        return tuple(sums), None

    times = (jnp.arange(NODES, dtype=jnp.float32) + 0.5) / NODES
    rows, _ = jax.lax.scan(node, (jnp.zeros_like(low),) * parties, times)
    q = jnp.stack(rows) * scale
    return q / jnp.sum(q, axis=0)


def swayed_choices(
    own: Float[Array, "K ..."],
    group: Float[Array, "K ..."],
    error: Float[Array, "K ..."],
    sigma: Float[Array, "K ..."],
    kappa: Float[Array, ""],
) -> Float[Array, "K ..."]:
    """Choice probabilities of electors who keep a part kappa of their own valuation.

    own: the community's attitudes phi. group: expected mean valuation of the group. error: a normal of variance
    sigma^2 / n for the group, by which its mean misses that.
    """
    mean = kappa * own + (1.0 - kappa) * group + jnp.sqrt(1.0 - kappa * kappa) * error
    return choice_probabilities(mean, kappa * sigma)


def choices_of_many_minds(
    own: Float[Array, "K C ..."],
    group: Float[Array, "K ..."],
    error: Float[Array, "K ..."],
    sigma: Float[Array, "K ..."],
    members: Float[Array, "C ..."],
    electors: Float[Array, "..."],
    kappa: tuple[Float[Array, " J"], Float[Array, " J"]],
    *,
    one_group: bool,
) -> Float[Array, "K C ..."]:
    """Choice probabilities where kappa differs by elector, with the nodes and weights of its law.

    Given the error of the group's mean, its electors deviate by kappa_i (lambda_i - mean), whose variance is
    kappa_i^2 sigma^2 (1 - 1/n) and which add up to nothing: their votes vary less than independent ones. As
    multinomials cannot, the shift that the error causes is weakened in their place, by the factor t with
    1 - t^2 = |A e|^2 / |D e|^2 where D e is the shift of the group's votes and A e the same weighted by kappa.
    Averaging over both signs of the error keeps every elector's own probabilities exact.

    members: electors of the communities in the cell. electors: n. one_group: all communities are in one group.
    """
    spread = sigma * jnp.sqrt(1.0 - 1.0 / electors)

    def node(sums: tuple[Array, Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array, Array], None]:
        kappa, weight = inputs
        mean = kappa * own + (1.0 - kappa) * group
        with_error = weight * choice_probabilities(mean + error, kappa * spread)
        against = weight * choice_probabilities(mean - error, kappa * spread)
        shift = 0.5 * (with_error - against)
        middle, shifted, held = sums
        return (middle + 0.5 * (with_error + against), shifted + shift, held + kappa * shift), None

    nothing = jnp.zeros(jnp.broadcast_shapes(own.shape, group.shape), jnp.float32)
    (middle, shifted, held), _ = jax.lax.scan(node, (nothing, nothing, nothing), kappa)

    def strength(shift: Array) -> Array:
        votes = shift * members
        if one_group:
            votes = jnp.sum(votes, axis=1, keepdims=True)
        return jnp.sum(votes * votes, axis=0)

    t = jnp.sqrt(jnp.clip(1.0 - strength(held) / jnp.maximum(strength(shifted), 1e-30), 0.0, 1.0))
    return jnp.maximum(middle + t * shifted, 0.0)


def kappa_nodes(a: Float[Array, ""], b: Float[Array, ""]) -> tuple[Float[Array, " J"], Float[Array, " J"]]:
    """Nodes in (0, 1) and weights that average a choice probability over kappa ~ Beta(a, b).

    What sways electors tips where kappa / (1 - kappa) is some multiple of the gap between parties, as small as that may
    be: smooth in t = log(kappa / (1 - kappa)) whatever the gap, where a Gauss rule in kappa would miss it. A
    midpoint rule therefore, with t stretched by a sinh so that the tails need few nodes; the first and the last carry
    the tails. Absolute error for sigma and gaps of any size: below 2e-4 from a = 2, 1e-3 at a = 1, 5e-3 at a = 1/2.
    """

    def drop(t: Array) -> Array:
        """How far the log density of t lies below its peak."""
        return a * (jax.nn.softplus(-t) - jax.nn.softplus(-peak)) + b * (jax.nn.softplus(t) - jax.nn.softplus(peak))

    def reach(side: float) -> Array:
        def halve(_: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bounds
            middle = 0.5 * (low + high)
            inside = drop(peak + side * middle) < 10.0
            return jnp.where(inside, middle, low), jnp.where(inside, high, middle)

        return side * jax.lax.fori_loop(0, 24, halve, (jnp.zeros_like(a), jnp.full_like(a, 64.0)))[1]

    peak = jnp.log(a / b)
    # where hardly anything of the mean is left, its part no longer matters
    ends = jnp.stack([reach(-1.0), jnp.minimum(reach(1.0), jnp.maximum(-peak, 0.0) + 7.0)])
    width = 1.5 * jnp.sqrt(1.0 / a + 1.0 / b)
    first, last = jnp.arcsinh(ends / width)
    step = (last - first) / KAPPA_NODES
    u = first + step * (jnp.arange(KAPPA_NODES, dtype=jnp.float32) + 0.5)
    t = peak + width * jnp.sinh(u)
    weights = jnp.exp(-drop(t)) * width * jnp.cosh(u) * step
    tails = jnp.exp(-drop(peak + ends)) / jnp.stack([a, b])
    weights = weights.at[jnp.array([0, -1])].add(tails)
    return jax.nn.sigmoid(t), weights / jnp.sum(weights)


def party_attitudes(communities: int) -> np.ndarray:
    """All attitudes that communities may have to one party, [3^C, C], -1 before 0 before 1, the first slowest.

    Raises:
        ValueError: more communities than can be looked through.
    """
    if communities > MOST_COMMUNITIES:
        raise ValueError(f"communities={communities}: attitudes are drawn for at most {MOST_COMMUNITIES} communities")
    return np.array(list(product((-1.0, 0.0, 1.0), repeat=communities)), np.float32)


def permitted(attitudes: Float[Array, "A C"], shares: Float[Array, " C"], *, gross: bool) -> Bool[Array, " A"]:
    """Attitudes under which no party is good with more than half of the electorate.

    gross: the communities that favour it hold at most half (section 4.5). Otherwise the net sum
    sum_c shares_c phi_c is at most one half (section 5).
    """
    counted = jnp.maximum(attitudes, 0.0) if gross else attitudes
    return jnp.sum(counted * shares, axis=1) <= 0.5 + 1e-5  # shares of exactly a half may be rounded


def attitudes_at(rank: Float[Array, " K"], shares: Float[Array, " C"], *, gross: bool) -> Float[Array, "C K"]:
    """For every party the permitted attitudes at a rank in [0, 1]; uniform ranks give each the same chance."""
    attitudes = jnp.asarray(party_attitudes(shares.shape[0]))
    number = jnp.cumsum(permitted(attitudes, shares, gross=gross), dtype=jnp.int32)
    wanted = jnp.clip(jnp.floor(rank * number[-1]).astype(jnp.int32), 0, number[-1] - 1)
    return attitudes[jnp.searchsorted(number, wanted, side="right")].T
