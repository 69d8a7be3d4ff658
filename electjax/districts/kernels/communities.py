"""Communities of electors that vote as one: how they form, and the urn by which they choose a party.

The electors of a district form communities by a Chinese restaurant process: elector i joins a community of n members
with probability n / (i - 1 + alpha) and founds one with probability alpha / (i - 1 + alpha). In order of appearance,
the community of the first of m + 1 electors has 1 + X members with X beta-binomial, whose tail has a closed form,

    P(X >= x) = R(m - x) / R(m),    R(y) = Gamma(y + 1 + alpha) / Gamma(y + 1),

and the electors left over form such a partition again: a uniform for every community and no loop over electors.
Communities then draw from a reinforced urn (see `electjax.districts.kernels.urn`) one after the other.

`vote_by_district` and `vote_interleaved` are the fast engine: one community at a time in every run, with runs side by
side. `electors_one_by_one` is the reference, literally elector by elector.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from electjax.districts.kernels import urn
from electjax.districts.kernels.agent import _chunked_scan
from electjax.districts.kernels.polling import choose
from electjax.numerics import random

FEW_ROUNDS = 24


class Rule(NamedTuple):
    """What is fixed about the choice of communities (static)."""

    fraction: bool  # the urn's reading: fractions with a prior mass, or counts
    by_elector: bool  # a community is as many balls as it has members, not one
    national: bool  # one urn for all districts, not a fresh one for each
    bound: bool  # a party is switched off once its total is used up
    split: bool  # of a community larger than that the rest chooses again; otherwise all of it votes


class Habits(NamedTuple):
    """How communities choose: the traced parameters of the urn and of the book-keeping."""

    gamma: Float[Array, " S"]  # copy probability of `urn.ball_weights`, of the communities of a district
    base: Float[Array, " K"]
    prior_mass: Float[Array, ""]
    totals: Int[Array, " K"]


class Count(NamedTuple):
    """The state of the election: balls in the urn and votes polled, by party."""

    balls: Int[Array, " K"]
    polled: Int[Array, " K"]


def _joined_of_many(u: Array, others: Array, alpha: Array) -> Int[Array, "..."]:
    """X where m >= alpha, by inversion of its tail.

    R(y) is close to (w^2 - (alpha^2 - 1) / 12)^(alpha / 2) with w = y + (1 + alpha) / 2. With R(0) put right, the
    Kolmogorov-Smirnov distance to the exact law is at most .0006. Who joins and who stays out are both computed
    without cancellation, and the fewer of them are used.
    """
    m = others.astype(jnp.float32)
    log_share = 2.0 * jnp.log(u) / alpha
    shift = 0.5 + 0.5 * alpha
    bend = (alpha * alpha - 1.0) / 12.0
    before = (m + shift) * (m + shift) - bend  # R(m)^(2 / alpha)
    after = before * jnp.exp(log_share)
    end = jnp.sqrt(jnp.maximum(after + bend, 0.0))
    joined = jnp.floor(before * -jnp.expm1(log_share) / (m + shift + end))
    nobody = after <= jnp.exp(2.0 * jax.lax.lgamma(1.0 + alpha) / alpha)
    out = jnp.where(nobody, 0.0, jnp.maximum(jnp.ceil(end - shift), 1.0))
    joined = jnp.where(joined < out, joined.astype(jnp.int32), others - out.astype(jnp.int32))
    return jnp.clip(joined, 0, others)


def _joined_of_few(u: Array, others: Array, alpha: Array) -> Int[Array, "..."]:
    """X where m <= alpha, by summing up: P(X >= x) is the product of (m - j) / (m - j + alpha) over j < x."""
    m = others.astype(jnp.float32)
    step = 1.0 / (m + alpha)
    share = m * step
    above, below = jnp.ones_like(u), jnp.ones_like(u)
    joined = jnp.zeros_like(others)
    for j in range(FEW_ROUNDS):  # every factor of the product is at most a half, and nothing is left after m
        above = above * jnp.maximum(share - j * step, 0.0)
        below = below * jnp.maximum(1.0 - j * step, 0.0)
        joined = joined + (u * below < above)
    return jnp.minimum(joined, others)


def community_size(
    u: Float[Array, "..."], electors: Int[Array, "..."], alpha: Float[Array, "..."]
) -> Int[Array, "..."]:
    """Members of the community that the first of `electors` belongs to; 0 where there is nobody.

    The sum over a partition is exact where float32 cannot count.
    """
    others = jnp.maximum(electors - 1, 0)
    joined = jnp.where(others <= alpha, _joined_of_few(u, others, alpha), _joined_of_many(u, others, alpha))
    return jnp.where(electors > 0, 1 + joined, 0)


def _active(count: Count, habits: Habits, rule: Rule) -> Bool[Array, " K"]:
    """Parties that can be chosen. While electors wait one of them can: the totals sum to the electors."""
    return count.polled < habits.totals if rule.bound else jnp.ones(count.polled.shape, bool)


def _choice(bits: Array, count: Count, gamma: Array, habits: Habits, rule: Rule) -> Int[Array, ""]:
    """The party that the next community draws: by the weights of `urn.ball_weights`, up to a factor and cheaper."""
    copied, mass = count.balls.astype(jnp.float32), jnp.float32(1.0)
    if rule.fraction:
        mass = jnp.sum(copied) + habits.prior_mass
        copied = copied + habits.prior_mass * habits.base
    # where there is nobody to copy the base decides even at gamma = 1, and where that is nothing the choice is even
    weights = gamma * copied + jnp.maximum((1.0 - gamma) * mass, 1e-20) * habits.base + 1e-30
    cumulative = random.running_sum(jnp.where(_active(count, habits, rule), weights, 0.0))
    return jnp.sum(random.open_uniform(bits) * cumulative[-1] >= cumulative, dtype=jnp.int32)


def _cast(size: Array, party: Array, count: Count, habits: Habits, rule: Rule) -> tuple[Int[Array, ""], Count]:
    """A community of `size` members, or nobody, votes for a party: the votes cast and the count after.

    Where the community is split these are fewer than its members.
    """
    chosen = jnp.arange(habits.totals.shape[0]) == party
    cast = size
    if rule.bound and rule.split:
        left = jnp.sum(jnp.where(chosen, habits.totals - count.polled, 0), dtype=jnp.int32)
        cast = jnp.where(left > 0, jnp.minimum(size, left), size)  # an end also where totals are too few
    balls = cast if rule.by_elector else (size > 0).astype(jnp.int32)
    return cast, Count(count.balls + chosen * balls, count.polled + chosen * cast)


def _word(key: Array, lane: Array, turn: Array) -> UInt32[Array, ""]:
    return random.random_bits(key, lane[None], 1, turn)[0, 0]


Turn = tuple[Array, Array, Array, Array, Count]


def _more(least: Array | float, carry: Turn) -> Bool[Array, ""]:
    return carry[1] > least


def vote_by_district(
    key: Key[Array, ""], electors: Int[Array, " S"], alpha: Float[Array, " S"], habits: Habits, *, rule: Rule
) -> Int[Array, "S K"]:
    """Votes with the districts polling one after the other, a district's communities in order of appearance."""
    key_sizes, key_votes = random.subkey(key, jnp.arange(2))

    def district(count: Count, inputs: tuple[Array, ...]) -> tuple[Count, Array]:
        lane, electors, alpha, gamma = inputs
        start = count if rule.national else count._replace(balls=jnp.zeros_like(count.balls))

        # The next community and its party are drawn at the end of a turn and carried over. Used in the turn that
        # draws them, the compiler would draw them again for every part of the state.
        def community(joined: Callable[..., Array], least: Array | float, carry: Turn) -> Turn:
            turn, waiting, size, party, count = carry
            cast, count = _cast(size, party, count, habits, rule)
            waiting = waiting - cast
            fresh = 1 + joined(random.open_uniform(_word(key_sizes, lane, turn)), waiting - 1, alpha)
            size = jnp.where(size > cast, size - cast, jnp.where(waiting > least, fresh, 0))
            return turn + 1, waiting, size, _choice(_word(key_votes, lane, turn), count, gamma, habits, rule), count

        # a turn of nobody begins both stages
        carry: Turn = (jnp.int32(0), electors, jnp.int32(0), jnp.int32(0), start)
        carry = jax.lax.while_loop(partial(_more, 1.0 + alpha), partial(community, _joined_of_many, 1.0 + alpha), carry)
        carry = jax.lax.while_loop(partial(_more, 0.0), partial(community, _joined_of_few, 0.0), carry)
        after = carry[-1]
        return after, after.polled - start.polled

    lane = jnp.arange(electors.shape[0], dtype=jnp.int32)
    nothing = jnp.zeros_like(habits.totals)
    return jax.lax.scan(district, Count(nothing, nothing), (lane, electors, alpha, habits.gamma))[1]


def _shuffled(bits: UInt32[Array, " S"]) -> tuple[Int[Array, " S"], Int[Array, " S"]]:
    """A random order of the lanes, and every lane's place in it.

    Lanes ride in the low bits of what is sorted: a sort of pairs, as in `jnp.argsort`, takes ten times as long.
    """
    lane = jnp.arange(bits.shape[0], dtype=jnp.uint32)
    width = (bits.shape[0] - 1).bit_length()
    if width > 16:
        order = jnp.argsort(bits)
        return order, jnp.argsort(order)
    mask = jnp.uint32((1 << width) - 1)
    order = jnp.sort((bits & ~mask) | lane) & mask
    place = jnp.sort((order << width) | lane) & mask
    return order.astype(jnp.int32), place.astype(jnp.int32)


def vote_interleaved(
    key: Key[Array, ""], electors: Int[Array, " S"], alpha: Float[Array, " S"], habits: Habits, *, rule: Rule
) -> Int[Array, "S K"]:
    """Votes in rounds: in round j the j-th communities of all districts, in random order."""
    key_sizes, key_votes, key_rest, key_order = random.subkey(key, jnp.arange(4))
    districts, parties = electors.shape[0], habits.totals.shape[0]
    lane = jnp.arange(districts, dtype=jnp.int32)

    def one_round(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        turn, waiting, balls, votes = carry
        sizes = community_size(random.open_uniform(random.random_bits(key_sizes, lane, 1, turn)[0]), waiting, alpha)
        order, place = _shuffled(random.random_bits(key_order, lane, 1, turn)[0])
        bits = random.random_bits(key_votes, lane, 1, turn)[0]

        def community(before: Count, inputs: tuple[Array, ...]) -> tuple[Count, tuple[Array, Array]]:
            lane, size, bits, gamma, own = inputs

            def rest(carry: tuple[Array, Array, Count]) -> tuple[Array, Array, Count]:
                attempt, size, count = carry
                party = _choice(_word(key_rest, lane, attempt), count, gamma, habits, rule)
                cast, count = _cast(size, party, count, habits, rule)
                return attempt + 1, size - cast, count

            count = before if rule.national else before._replace(balls=own)
            cast, count = _cast(size, _choice(bits, count, gamma, habits, rule), count, habits, rule)
            if rule.bound and rule.split:
                attempt = turn * parties
                count = jax.lax.while_loop(lambda carry: carry[1] > 0, rest, (attempt, size - cast, count))[2]
            return count, (count.polled - before.polled, count.balls)

        # an urn for every district is handed to it and back; one for the nation is handed on
        own = jnp.broadcast_to(balls, votes.shape)[order]
        start = Count(
            balls if rule.national else jnp.zeros_like(habits.totals), jnp.sum(votes, axis=0, dtype=jnp.int32)
        )
        after, (cast, own) = jax.lax.scan(community, start, (order, sizes[order], bits, habits.gamma[order], own))
        balls = after.balls if rule.national else own[place]
        return turn + 1, waiting - sizes, balls, votes + cast[place]

    votes = jnp.zeros((districts, parties), jnp.int32)
    start = (jnp.int32(0), electors, votes[0] if rule.national else votes, votes)
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1] > 0), one_round, start)[3]


def formed_one_by_one(key: Array, district: Array, first: Array, alpha: Array) -> Int[Array, " N"]:
    """Members of the community that each elector founded, 0 for those who joined one, district after district.

    district: that of every elector. first: where the electors of a district begin. Who joins, joins a random one
    of those before, so that a community's chances are in proportion to its members (eq. 3).
    """
    total = district.shape[0]

    def step(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        founder, sizes = carry
        elector, u = inputs[0].astype(jnp.int32), inputs[1]
        s = district[elector]
        before = (elector - first[s]).astype(jnp.float32)
        point = u * (before + alpha[s])
        mine = jnp.where(point < before, founder[first[s] + point.astype(jnp.int32)], elector)
        return (founder.at[elector].set(mine), sizes.at[mine].add(elector < total)), None

    nobody = jnp.zeros(total, jnp.int32)
    return _chunked_scan(step, (nobody, nobody), key, total, ())[1]


def _rounds(key: Array, district: Array, first: Array, sizes: Array) -> Int[Array, " N"]:
    """Electors in the order in which the communities that they founded vote in rounds; the others come last."""
    founders = (sizes > 0).astype(jnp.int32)
    founded = jnp.cumsum(founders) - founders
    turn = jnp.where(sizes > 0, founded - founded[first[district]], jnp.iinfo(jnp.int32).max)
    return jnp.lexsort((jax.random.bits(key, turn.shape, jnp.uint32), turn))


def electors_one_by_one(
    key: Key[Array, ""],
    electors: Int[Array, " S"],
    alpha: Float[Array, " S"],
    habits: Habits,
    *,
    rule: Rule,
    total: int,
    rounds: bool,
) -> Int[Array, "S K"]:
    """Votes with every elector joining or founding a community, and then every community choosing, one by one.

    total: static number of electors, the sum of `electors`. rounds: interleaved, otherwise by district.
    """
    key_form, key_order, key_votes = jax.random.split(key, 3)
    districts, parties = electors.shape[0], habits.totals.shape[0]
    district = jnp.repeat(jnp.arange(districts), electors, total_repeat_length=total)
    first = jnp.cumsum(electors, dtype=jnp.int32) - electors
    sizes = formed_one_by_one(key_form, district, first, alpha)
    order = _rounds(key_order, district, first, sizes) if rounds else jnp.arange(total)

    def community(carry: tuple[Array, Array, Array], inputs: tuple[Array, Array]) -> tuple[Any, None]:
        turn, u = inputs
        founder = order[turn]
        s = district[founder]
        own = 0 if rule.national else s

        def choice(carry: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array, Array]:
            attempt, rest, balls, polled, votes = carry
            active = _active(Count(balls[own], polled), habits, rule)
            weights = urn.ball_weights(
                balls[own].astype(jnp.float32),
                active,
                gamma=habits.gamma[s],
                base=habits.base,
                prior_mass=habits.prior_mass,
                fraction=rule.fraction,
            )
            vote = choose(u[attempt], weights).astype(jnp.int32)
            left = jnp.sum(vote * (habits.totals - polled), dtype=jnp.int32)
            cast = jnp.where(left > 0, jnp.minimum(rest, left), rest) if rule.bound and rule.split else rest
            balls = balls.at[own].add(vote * cast if rule.by_elector else vote)
            return attempt + 1, rest - cast, balls, polled + vote * cast, votes.at[s].add(vote * cast)

        members = jnp.where(turn < total, sizes[founder], 0)
        start = (jnp.int32(0), members, *carry)
        return jax.lax.while_loop(lambda carry: carry[1] > 0, choice, start)[2:], None

    nothing = jnp.zeros((1 if rule.national else districts, parties), jnp.int32)
    start = (nothing, nothing[0], jnp.zeros((districts, parties), jnp.int32))
    return _chunked_scan(community, start, key_votes, total, (parties,))[2]
