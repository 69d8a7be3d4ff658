"""From votes to outcomes: winners, seats, winning margins, summary statistics, proportionality and swing.

Every function is pure, takes ``votes[..., district, party]`` (or weights ``[..., party]``) with any leading
dimensions, and works under `jax.jit` and `jax.vmap`.  Notation of A. Mitra, "Agent-based Simulation of
District-based Elections", section 3: ``V_sk`` votes of party k in district s, ``W_s`` the winner, ``P_s`` the
winning margin, ``M_k`` seats; the summary statistics are those of its section 6.

Counts stay integers until the last step.  Votes of one district are added as int32 (exact below 2^31, where
float32 stops at 2^24), national totals in two exact halves, and only the resulting ratios are float32.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num, PRNGKeyArray

from electjax.numerics import random

Array = jax.Array | np.ndarray

# A count below 2^31 is high * 2^SPLIT + low; each half adds up exactly in int32 over a million districts.
_SPLIT = 11


class Summary(NamedTuple):
    """The summary statistics of Mitra, section 6, on any leading dimensions."""

    seats: Int[jax.Array, "*batch party"]
    vote_fraction: Float[jax.Array, "*batch party"]
    mwm: Float[jax.Array, "*batch"]
    swm: Float[jax.Array, "*batch"]


class SwingCurve(NamedTuple):
    """A party's national vote share and its share of the seats at each swing."""

    vote_share: Float[jax.Array, "swing *batch"]
    seat_share: Float[jax.Array, "swing *batch"]


def winners(
    votes: Num[Array, "*batch district party"],
    *,
    key: PRNGKeyArray | None = None,
    may_win: Bool[Array, "party"] | tuple[bool, ...] | None = None,
) -> Int[jax.Array, "*batch district"]:
    """Index of the winning party of each district, ``W_s = argmax_k V_sk`` (Mitra, section 3).

    votes: counts, or any float strength, for models whose winner is not the party with most sampled votes; integers
    are never turned into floats. key: breaks ties uniformly at random; without it the first tied party wins. may_win:
    one flag per party, at least one ``True``. A district without votes is a tie of all the parties that may win.
    """
    votes = jnp.asarray(votes)
    if may_win is not None:
        barred = -jnp.inf if jnp.issubdtype(votes.dtype, jnp.floating) else -1
        if jnp.issubdtype(votes.dtype, jnp.unsignedinteger):
            votes = votes.astype(jnp.int32)
        votes = jnp.where(jnp.asarray(may_win, dtype=bool), votes, barred)
    if key is None:
        return jnp.argmax(votes, axis=-1)
    tied = votes == votes.max(axis=-1, keepdims=True)
    # The j-th of the tied parties, j uniform: one draw per district instead of one per party.
    shape = tied.shape[:-1]
    u = random.open_uniform(random.random_bits(key, jnp.arange(math.prod(shape)), 1)).reshape(shape)
    rank = jnp.floor(u * tied.sum(axis=-1)).astype(jnp.int32)
    return jnp.argmax(tied.cumsum(axis=-1) == rank[..., None] + 1, axis=-1)


def seats(winner: Int[Array, "*batch district"], num_parties: int) -> Int[jax.Array, "*batch party"]:
    """Seats ``M_k``: the number of districts each party wins (Mitra, section 3)."""
    return (jnp.asarray(winner)[..., None] == jnp.arange(num_parties)).sum(axis=-2)


def margins(
    votes: Num[Array, "*batch district party"], winner: Int[Array, "*batch district"]
) -> Float[jax.Array, "*batch district"]:
    """Winning margin ``P_s = V_sW / n_s``, the winner's fraction of the votes cast (Mitra, section 3).

    The paper's margin is this fraction, not the lead over the runner-up.  NaN in a district without votes.
    """
    votes = jnp.asarray(votes)
    won = jnp.take_along_axis(votes, jnp.asarray(winner)[..., None], axis=-1)[..., 0]
    return _ratio(won, votes.sum(axis=-1))


def shares(votes: Num[Array, "*batch district party"]) -> Float[jax.Array, "*batch district party"]:
    """Fraction of each district's votes that each party polled; NaN in a district without votes."""
    votes = jnp.asarray(votes)
    return _ratio(votes, votes.sum(axis=-1, keepdims=True))


def vote_fractions(votes: Num[Array, "*batch district party"]) -> Float[jax.Array, "*batch party"]:
    """Mean over districts of each party's vote fraction (Mitra, section 6, statistic ii).

    Every district counts the same whatever its size; `national_shares` weighs by votes.  Districts without
    votes have no fraction and are left out of the mean.
    """
    return _mean(shares(votes), axis=-2)


def national_shares(votes: Num[Array, "*batch district party"]) -> Float[jax.Array, "*batch party"]:
    """Fraction of all votes that each party polled: the popularity ``theta`` (Mitra, section 3).

    Exact to float32 for any national total, up to a million districts.
    """
    votes = jnp.asarray(votes)
    if jnp.issubdtype(votes.dtype, jnp.floating):
        totals = votes.sum(axis=-2)
    else:
        high, low = (votes >> _SPLIT).sum(axis=-2), (votes & (2**_SPLIT - 1)).sum(axis=-2)
        totals = high.astype(jnp.float32) * 2**_SPLIT + low.astype(jnp.float32)
    return _ratio(totals, totals.sum(axis=-1, keepdims=True))


def mean_margin(margin: Float[Array, "*batch district"]) -> Float[jax.Array, "*batch"]:
    """MWM, the mean winning margin over districts (Mitra, section 6, statistic iii)."""
    return _mean(jnp.asarray(margin), axis=-1)


def sd_margin(margin: Float[Array, "*batch district"]) -> Float[jax.Array, "*batch"]:
    """SWM, the standard deviation of the winning margin over districts (Mitra, section 6, statistic iii).

    The population form (divisor S): the districts are all there are.  The paper does not say which it
    prints; with 56 to 70 districts both forms round to its figures (Tables 5 and 9).
    """
    margin = jnp.asarray(margin)
    return jnp.sqrt(_mean((margin - _mean(margin, axis=-1)[..., None]) ** 2, axis=-1))


def summaries(
    votes: Num[Array, "*batch district party"], *, winner: Int[Array, "*batch district"] | None = None
) -> Summary:
    """Seats, mean vote fractions, MWM and SWM of an election (Mitra, section 6); by default most votes win."""
    if winner is None:
        winner = winners(votes)
    margin = margins(votes, winner)
    return Summary(
        seats=seats(winner, votes.shape[-1]),
        vote_fraction=vote_fractions(votes),
        mwm=mean_margin(margin),
        swm=sd_margin(margin),
    )


def gallagher(votes: Num[Array, "*batch party"], seats: Num[Array, "*batch party"]) -> Float[jax.Array, "*batch"]:
    """Least-squares index of disproportionality, 0 (proportional) to 100.

    ``sqrt(1/2 sum_k (100 v_k - 100 m_k)^2)`` with v and m the shares of votes and of seats; both arguments
    may be counts or shares.  A pooled "others" enters as one party, which overstates the index a little.
    M. Gallagher, "Proportionality, disproportionality and electoral systems", Electoral Studies 10 (1991).
    """
    gap = 100.0 * (_normalised(votes) - _normalised(seats))
    return jnp.sqrt(0.5 * (gap**2).sum(axis=-1))


def effective_parties(weights: Num[Array, "*batch party"]) -> Float[jax.Array, "*batch"]:
    """Effective number of parties, ``1 / sum_k p_k^2``: of votes (ENPV) or of seats (ENPS).

    ``weights`` are counts or shares.  M. Laakso and R. Taagepera, "Effective number of parties: a measure
    with application to West Europe", Comparative Political Studies 12 (1979).
    """
    return 1.0 / (_normalised(weights) ** 2).sum(axis=-1)


def swing_curve(
    votes: Num[Array, "*batch district party"],
    party: int,
    swings: Float[Array, "swing"],
    *,
    may_win: Bool[Array, "party"] | tuple[bool, ...] | None = None,
) -> SwingCurve:
    """Seats-votes curve of a party under uniform swing.

    At swing d the party's share of every district becomes x + d, held in [0, 1]; the other parties share
    the remainder in the proportions they have there (equally, where the party had every vote).  The vote
    share is national, weighted by votes, so it moves by d itself until some district is held at a bound.
    Districts without votes take no part.  Ties go to the party named first.
    D. Butler and S. Van Beek, "Why not swing? Measuring electoral change", PS 23 (1990).
    """
    votes = jnp.asarray(votes)
    size = votes.sum(axis=-1).astype(jnp.float32)
    fraction = jnp.where(size[..., None] > 0, shares(votes), 0.0)
    own = jnp.arange(votes.shape[-1]) == party
    x = fraction[..., party]
    rest = jnp.where(x[..., None] < 1, fraction, ~own) * ~own
    rest = rest / jnp.maximum(rest.sum(axis=-1, keepdims=True), jnp.finfo(jnp.float32).tiny)

    def at(swing: jax.Array) -> tuple[jax.Array, jax.Array]:
        moved = jnp.clip(x + swing, 0.0, 1.0)
        # Without a swing the fractions are kept as they are: no rounding may decide a close district.
        other = jnp.where(swing == 0, fraction, (1.0 - moved[..., None]) * rest)
        winner = winners(jnp.where(own, moved[..., None], other), may_win=may_win)
        return _weighted_mean(moved, size), _weighted_mean(winner == party, size > 0)

    return SwingCurve(*jax.lax.map(at, jnp.asarray(swings, dtype=jnp.float32)))


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    """``part / whole`` in float32, NaN where the whole is 0; integers are divided after they were added."""
    nothing = whole == 0
    return jnp.where(nothing, jnp.nan, part.astype(jnp.float32) / jnp.where(nothing, 1, whole))


def _normalised(weights: Num[Array, "*batch party"]) -> jax.Array:
    weights = jnp.asarray(weights)
    return _ratio(weights, weights.sum(axis=-1, keepdims=True))


def _mean(values: jax.Array, axis: int) -> jax.Array:
    """Mean over the values that exist (districts without votes are NaN); NaN where none does."""
    known = ~jnp.isnan(values)
    return _ratio(jnp.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis))


def _weighted_mean(values: jax.Array, weights: jax.Array) -> jax.Array:
    weights = weights.astype(jnp.float32)
    return _ratio((values * weights).sum(axis=-1), weights.sum(axis=-1))
