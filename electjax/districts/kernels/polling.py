"""How the electors of all districts come to vote: freely, or under a book-keeping of party totals.

A `Poll` says how one elector chooses and how a whole block of electors is drawn; the drivers here decide who
votes when. Without book-keeping every district runs on its own. With it, party k is switched off for everybody
once its national total v_k is used up (the paper's book-keeping variables, section 4.1):

interleaved  all districts poll side by side, each at the steady pace of its own electorate;
by_district  districts poll one after the other, in the order of the data.

Arrays are laid out party first, district last: counts[party, district].
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.numerics import random

# halving an interval separates two votes with certainty long before this many steps (2^-60 a pair)
MAX_HALVINGS = 100
MAX_ATTEMPTS = 4
# districts are padded to a multiple of this, a vector's width: the compiler runs the rest of a row one by one
LANES = 8
Carry = tuple[Array, Array, Array]
BOOKKEEPING = ("none", "interleaved", "by_district")


class Tally(NamedTuple):
    """The count so far: which districts, their votes and how many of their electors have voted."""

    lane: Int[Array, " S"]  # a district's number, which selects its random words
    votes: Int[Array, "K S"]
    voted: Int[Array, " S"]


class Poll(NamedTuple):
    """A district model as the drivers see it; `local` is a pytree whose leaves end in the district axis.

    weights(counts[K, S], active[K, S], local) -> weights[K, S]: the next elector's choice.
    block(key, tally, size[S], active[K] | None, local) -> votes[K, S]: the next size[s] electors at once; active is
    None where no party is barred.
    start(u[M, S], counts[K, S], electors[S], active[K] | None, local) -> counts[K, S], choice[M, S]: the first M
    electors one by one, those in `counts` left out, and whom they chose, K where nobody voted. None: by `weights`.
    """

    weights: Callable[[Array, Array, Any], Array]
    block: Callable[[Array, Tally, Array, Array | None, Any], Array]
    start: Callable[[Array, Array, Array, Array | None, Any], tuple[Array, Array]] | None = None


class Schedule(NamedTuple):
    """Static plan of a poll: `start` electors one by one, then `blocks` blocks that grow geometrically."""

    start: int
    blocks: int


def start_size(categories: int, growth: float, least: int = 64) -> int:
    """Electors that have to vote one by one before blocks of this growth follow: start * growth >= 10 categories."""
    return max(least, math.ceil(10 * categories / growth))


def leap_schedule(largest: int, *, growth: float, start: int) -> Schedule:
    """Plan for lanes of up to `largest` electors, with blocks at most 1 + growth times the electors so far."""
    blocks = math.ceil(math.log(largest / start) / math.log1p(growth)) if largest > start else 0
    return Schedule(start=start, blocks=blocks)


SINGLE_BLOCK = Schedule(start=0, blocks=1)


def largest_remainder(shares: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers proportional to `shares[..., K]` that add up to `total` (v_k = theta_k N); ties to the first."""
    quota = np.asarray(shares, dtype=np.float64)
    quota = quota / quota.sum(axis=-1, keepdims=True) * total
    floor = np.floor(quota).astype(np.int64)
    rank = np.argsort(np.argsort(floor - quota, axis=-1, kind="stable"), axis=-1, kind="stable")
    return floor + (rank < total - floor.sum(axis=-1, keepdims=True))


def choose(u: Float[Array, "..."], weights: Float[Array, "K ..."]) -> Bool[Array, "K ..."]:
    """One-hot choice with probability proportional to `weights`; weight zero is never chosen."""
    cumulative = jnp.cumsum(weights, axis=0)
    point = u * cumulative[-1]
    below = point < cumulative
    return below & ~jnp.concatenate([jnp.zeros_like(below[:1]), below[:-1]])


def usable(weights: Array, allowed: Array) -> Array:
    """Weights restricted to the allowed parties; even where those have no weight left at all."""
    weights = jnp.where(allowed, weights, 0.0)
    return jnp.where(jnp.sum(weights, axis=0) > 0, weights, allowed.astype(weights.dtype))


def _targets(electors: Array, schedule: Schedule) -> Int[Array, "B S"]:
    """Electors that have voted in each district at the end of every block."""
    if schedule.blocks == 0:
        return jnp.zeros((0, electors.shape[0]), jnp.int32)
    first = jnp.minimum(electors, schedule.start)
    n = electors.astype(jnp.float32)
    reach = jnp.log(jnp.maximum(jnp.max(n) / max(schedule.start, 1), 1.0))
    step = jnp.arange(1, schedule.blocks + 1, dtype=jnp.float32)
    time = jnp.exp(reach * (step / schedule.blocks - 1.0))
    target = jnp.round(n * time[:, None]).astype(jnp.int32)
    return jnp.clip(target, first, electors).at[-1].set(electors)


def _start(
    poll: Poll, u: Array, counts: Array, electors: Array, active: Array | None, local: Any
) -> tuple[Int[Array, "K S"], Int[Array, "M S"]]:
    """The first electors of every district, one by one; see `Poll.start`."""
    if poll.start is not None:
        return poll.start(u, counts, electors, active, local)
    parties = counts.shape[0]
    on = jnp.broadcast_to(True if active is None else active[:, None], counts.shape)
    voted = jnp.sum(counts, axis=0, dtype=jnp.int32)

    def ball(counts: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        turn, u = inputs
        vote = choose(u, usable(poll.weights(counts.astype(jnp.float32), on, local), on))
        vote = vote & (voted <= turn) & (turn < electors)
        return counts + vote, jnp.where(jnp.any(vote, axis=0), jnp.argmax(vote, axis=0), parties)

    return jax.lax.scan(ball, counts, (jnp.arange(u.shape[0]), u))


def _padded(lane: Array, electors: Array, local: Any) -> tuple[Array, Array, Any]:
    """The same districts and some without electors, a multiple of LANES together."""
    spare = -electors.shape[0] % LANES

    def repeat_last(leaf: Array) -> Array:
        return jnp.pad(leaf, [(0, 0)] * (leaf.ndim - 1) + [(0, spare)], mode="edge")

    return repeat_last(lane), jnp.pad(electors, (0, spare)), jax.tree.map(repeat_last, local)


def _poll_freely(
    key: Array,
    lane: Array,
    electors: Array,
    counts: Array,
    active: Array | None,
    local: Any,
    *,
    poll: Poll,
    schedule: Schedule,
) -> tuple[Int[Array, "K S"], Int[Array, "M S"], Int[Array, "B K S"]]:
    """Every district on its own, from `counts` to the end: final votes, first choices, votes by block."""
    key_start, key_blocks = random.subkey(key, jnp.arange(2))
    voted = jnp.sum(counts, axis=0, dtype=jnp.int32)
    u = random.open_uniform(random.random_bits(key_start, lane, schedule.start))
    counts, choice = _start(poll, u, counts, electors, active, local)
    # not from the counts: where every run starts from nothing, the blocks' sizes and moments are common to all
    targets = jnp.maximum(_targets(electors, schedule), voted)
    begun = jnp.concatenate([jnp.maximum(jnp.minimum(electors, schedule.start), voted)[None], targets])[:-1]

    def leap(counts: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        index, voted, target = inputs
        tally = Tally(lane, counts, voted)
        votes = poll.block(random.subkey(key_blocks, index), tally, target - voted, active, local)
        return counts + votes, votes

    counts, votes = jax.lax.scan(leap, counts, (jnp.arange(schedule.blocks), begun, targets))
    return counts, choice, votes


def poll_open(
    key: Key[Array, ""],
    lane: Int[Array, " S"],
    electors: Int[Array, " S"],
    parties: int,
    local: Any,
    *,
    poll: Poll,
    schedule: Schedule,
) -> Int[Array, "K S"]:
    """Votes where no party total binds: every district on its own."""
    districts = electors.shape[0]
    lane, electors, local = _padded(lane, electors, local)
    counts = jnp.zeros((parties, electors.shape[0]), jnp.int32)
    counts, _, _ = _poll_freely(key, lane, electors, counts, None, local, poll=poll, schedule=schedule)
    return counts[:, :districts]


def _cast_round(key: Array, lane: Array, u: Array, weights: Array, present: Array, remaining: Array) -> Array:
    """One vote in every district that is present, in random order, with exact respect for the totals.

    Whoever meets a used-up party chooses again among the others. With the turn as common priority this is
    deferred acceptance, whose outcome equals polling the districts one after the other.
    """
    allowed = jnp.broadcast_to((remaining > 0)[:, None], weights.shape)
    vote = choose(u, usable(weights, allowed)) & present

    def over(carry: tuple[Array, Array, Array]) -> Array:
        return jnp.any(jnp.sum(carry[1], axis=1) > remaining)

    def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, vote, allowed = carry
        order = jnp.argsort(random.random_bits(key, lane, 1)[0])
        ranked = jnp.cumsum(vote[:, order], axis=1) > remaining[:, None]
        late = jnp.zeros_like(vote).at[:, order].set(ranked) & vote
        allowed = allowed & ~late
        fresh = random.open_uniform(random.random_bits(key, lane, 1, step)[0])
        vote = jnp.where(jnp.any(late, axis=0), choose(fresh, usable(weights, allowed)), vote)
        return step + 1, vote, allowed

    return jax.lax.while_loop(over, again, (jnp.int32(1), vote, allowed))[1]


def _cut(key: Array, lane: Array, votes: Array, remaining: Array) -> Array:
    """The part of a block's votes cast up to the vote by which a first party reaches its total; all if none does.

    Votes of a block come at independent uniform times: the interval in which that vote lies is halved, each half
    holding a Binomial(n, 1/2) of every cell, until it is alone. Votes cast after it are drawn
    anew without the party: to keep them would favour it in districts where it is weak.
    """

    def reached(cast: Array) -> Array:
        return jnp.any((jnp.sum(cast, axis=1) >= remaining) & (remaining > 0))

    def several(cast: Array, interval: Array) -> Array:
        return reached(cast + interval) & (jnp.sum(interval) > 1)

    def halving(half: Callable[[Array, Array], Array], least: int, carry: Carry) -> Carry:
        """Halve while a cell of the interval holds more than `least` votes."""

        def halve(carry: Carry) -> Carry:
            step, cast, interval = carry
            early = half(random.random_bits(key, lane, votes.shape[0], step), interval)
            within = reached(cast + early)
            return step + 1, jnp.where(within, cast, cast + early), jnp.where(within, early, interval - early)

        def more(carry: Carry) -> Array:
            return several(*carry[1:]) & (jnp.max(carry[2]) > least) & (carry[0] < MAX_HALVINGS)

        return jax.lax.while_loop(more, halve, carry)

    # most halvings meet few votes a cell, where counting bits will do
    carry = halving(random.binomial_half, 32, (jnp.int32(0), jnp.zeros_like(votes), votes))
    _, cast, interval = halving(random.count_bits, 0, carry)
    return jnp.where(several(cast, interval), cast, cast + interval)


def _start_in_rounds(
    key: Array, lane: Array, u: Array, electors: Array, totals: Array, local: Any, *, poll: Poll
) -> Int[Array, "K S"]:
    """The first electors under party totals, one per district and round, in random order within the round."""

    def ball(counts: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
        turn, u = inputs
        remaining = totals - jnp.sum(counts, axis=1, dtype=jnp.int32)
        on = jnp.broadcast_to((remaining > 0)[:, None], counts.shape)
        weights = poll.weights(counts.astype(jnp.float32), on, local)
        vote = _cast_round(random.subkey(key, turn), lane, u, weights, turn < electors, remaining)
        return counts + vote, None

    counts = jnp.zeros((totals.shape[0], electors.shape[0]), jnp.int32)
    return jax.lax.scan(ball, counts, (jnp.arange(u.shape[0]), u))[0]


def _fill(counts: Array, electors: Array, totals: Array) -> Int[Array, "K S"]:
    """Give the electors that are left to the one party whose total is not used up.

    The drivers leave at most one such party: every pass either ends a block or uses a total up.
    """
    active = jnp.sum(counts, axis=1, dtype=jnp.int32) < totals
    return counts + jnp.where(active[:, None], electors - jnp.sum(counts, axis=0, dtype=jnp.int32), 0)


def poll_interleaved(
    key: Key[Array, ""],
    lane: Int[Array, " S"],
    electors: Int[Array, " S"],
    totals: Int[Array, " K"],
    local: Any,
    *,
    poll: Poll,
    schedule: Schedule,
) -> Int[Array, "K S"]:
    """Votes under book-keeping with all districts polling side by side; sum_s V_sk = v_k exactly.

    totals must sum to the electors. A block that would take a party over its total is cut in its random order,
    the party switched off, and the rest of the block drawn anew. The first electors vote freely; only if
    a total is used up among them do they vote again, from the same random numbers, in rounds.

    Against elector-by-elector polling this is approximate: the votes of a block come at independent times where
    districts keep a steady pace, and a fraction urn's copying is held fixed over a block once a party is switched
    off. With 1,000 electors a district the tests allow for .1 seats, .005 in vote shares and .003 in margins. It does
    not hold for unequal districts of less than some hundred electors whose totals are far from the popularity: their
    first electors come too early, which can move seats.
    """
    key_start, key_rounds, key_blocks, key_cuts = random.subkey(key, jnp.arange(4))
    districts = electors.shape[0]
    lane, electors, local = _padded(lane, electors, local)
    counts = jnp.zeros((totals.shape[0], electors.shape[0]), jnp.int32)
    if schedule.start:
        u = random.open_uniform(random.random_bits(key_start, lane, schedule.start))
        counts, _ = _start(poll, u, counts, electors, None, local)
        cast = jnp.sum(counts, axis=1, dtype=jnp.int32)

        def in_rounds(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            # the barrier keeps the compiler from hoisting all this out of the loop as invariant
            again, _ = jax.lax.optimization_barrier((u, carry))
            return jnp.bool_(False), _start_in_rounds(key_rounds, lane, again, electors, totals, local, poll=poll)

        # a loop of no or one turn, not a branch: under vmap a branch is always taken
        short = jnp.any((cast >= totals) & (cast > 0))
        counts = jax.lax.while_loop(lambda carry: carry[0], in_rounds, (short, counts))[1]
    targets = _targets(electors, schedule)
    most = schedule.blocks + MAX_ATTEMPTS * totals.shape[0]

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        step, index, counts = carry
        several = jnp.sum(jnp.sum(counts, axis=1, dtype=jnp.int32) < totals) > 1
        return several & (index < schedule.blocks) & (step < most)

    def advance(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, index, counts = carry
        remaining = totals - jnp.sum(counts, axis=1, dtype=jnp.int32)
        tally = Tally(lane, counts, jnp.sum(counts, axis=0, dtype=jnp.int32))
        size = targets[index] - tally.voted
        votes = poll.block(random.subkey(key_blocks, step), tally, size, remaining > 0, local)
        cast = _cut(random.subkey(key_cuts, step), lane, votes, remaining)
        return step + 1, index + jnp.all(cast == votes), counts + cast

    if schedule.blocks:
        start = (jnp.int32(0), jnp.int32(0), counts)
        counts = jax.lax.while_loop(unfinished, advance, start)[2]
    return _fill(counts, electors, totals)[:, :districts]


def poll_by_district(
    key: Key[Array, ""],
    lane: Int[Array, " S"],
    electors: Int[Array, " S"],
    totals: Int[Array, " K"],
    local: Any,
    *,
    poll: Poll,
    schedule: Schedule,
) -> Int[Array, "K S"]:
    """Votes under book-keeping with the districts polling one after the other; sum_s V_sk = v_k exactly.

    totals must sum to the electors. All districts are drawn freely and at once. Those before the first in which a
    party reaches its total stand; that one stands up to the elector or block in which it happens, the block cut in
    its random order; the party is switched off and everything after is drawn anew: one pass per party.
    """
    parties, districts = totals.shape[0], electors.shape[0]
    lane, electors, local = _padded(lane, electors, local)
    key_polls, key_cuts = random.subkey(key, jnp.arange(2))

    def unfinished(carry: tuple[Array, Array]) -> Array:
        step, counts = carry
        return (jnp.sum(jnp.sum(counts, axis=1, dtype=jnp.int32) < totals) > 1) & (step < MAX_ATTEMPTS * parties)

    def advance(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        step, counts = carry
        remaining = totals - jnp.sum(counts, axis=1, dtype=jnp.int32)
        active = remaining > 0
        key_poll = random.subkey(key_polls, step)
        after, choice, blocks = _poll_freely(
            key_poll, lane, electors, counts, active, local, poll=poll, schedule=schedule
        )
        gained = after - counts
        so_far = jnp.cumsum(gained, axis=1, dtype=jnp.int32)
        reached = (so_far >= remaining[:, None]) & active[:, None]
        stop = jnp.argmax(jnp.any(reached, axis=0))
        left = remaining - so_far[:, stop] + gained[:, stop]
        # the poll of that district, elector by elector and then block by block
        first = choice[:, stop, None] == jnp.arange(parties)
        moves = jnp.concatenate([first.astype(jnp.int32), blocks[:, :, stop]])
        path = jnp.cumsum(moves, axis=0, dtype=jnp.int32)
        event = jnp.argmax(jnp.any((path >= left) & active, axis=1))
        before = path[event] - moves[event]
        cast = _cut(random.subkey(key_cuts, step), lane[:1], moves[event][:, None], left - before)
        index = jnp.arange(electors.shape[0])
        gained = jnp.where(index < stop, gained, 0).at[:, stop].add(before + cast[:, 0])
        return step + 1, counts + gained

    counts = jnp.zeros((parties, electors.shape[0]), jnp.int32)
    counts = jax.lax.while_loop(unfinished, advance, (jnp.int32(0), counts))[1]
    return _fill(counts, electors, totals)[:, :districts]
