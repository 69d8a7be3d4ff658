"""How the electors of all districts come to vote: freely, or under a book-keeping of party totals.

A `Poll` says how one elector chooses and how a whole block of electors is drawn; the drivers here decide who
votes when. Without book-keeping every district runs on its own. With it, party k is switched off for everybody
once its national total v_k is used up (the paper's book-keeping variables, section 4.1):

interleaved  all districts poll side by side, each at the steady pace of its own electorate;
by_district  districts poll one after the other, in the order of the data.

Arrays are laid out party first, district last: counts[party, district].
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.core import random

# halving an interval separates two votes with certainty long before this many steps (2^-60 a pair)
MAX_HALVINGS = 100
MAX_ATTEMPTS = 4
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
    """

    weights: Callable[[Array, Array, Any], Array]
    block: Callable[[Array, Tally, Array, Array | None, Any], Array]


class Schedule(NamedTuple):
    """Static plan of a poll: `start` electors one by one, then `blocks` blocks that grow geometrically."""

    start: int
    blocks: int


def leap_schedule(electors: np.ndarray, parties: int, *, growth: float = 0.5, start: int = 64) -> Schedule:
    """Plan with blocks at most 1 + growth times the electors so far; start * growth is at least 10 K."""
    start = max(start, int(np.ceil(10 * parties / growth)))
    largest = int(np.max(electors))
    blocks = int(np.ceil(np.log(largest / start) / np.log1p(growth))) if largest > start else 0
    return Schedule(start=start, blocks=blocks)


SINGLE_BLOCK = Schedule(start=0, blocks=1)


def largest_remainder(shares: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers proportional to `shares` that add up to `total` (v_k = theta_k N); ties to the first."""
    quota = np.asarray(shares, dtype=np.float64)
    quota = quota / quota.sum() * total
    floor = np.floor(quota).astype(np.int64)
    order = np.argsort(floor - quota, kind="stable")
    floor[order[: total - int(floor.sum())]] += 1
    return floor


def choose(u: Float[Array, "..."], weights: Float[Array, "K ..."]) -> Bool[Array, "K ..."]:
    """One-hot choice with probability proportional to `weights`; weight zero is never chosen."""
    cumulative = jnp.cumsum(weights, axis=0)
    point = u * cumulative[-1]
    below = point < cumulative
    return below & ~jnp.concatenate([jnp.zeros_like(below[:1]), below[:-1]])


def _usable(weights: Array, allowed: Array) -> Array:
    """Weights restricted to the allowed parties; even where those have no weight left at all."""
    weights = jnp.where(allowed, weights, 0.0)
    return jnp.where(jnp.sum(weights, axis=0) > 0, weights, allowed.astype(weights.dtype))


def _targets(electors: Array, schedule: Schedule, largest: Array | None = None) -> Int[Array, "B S"]:
    """Electors that have voted in each district at the end of every block; `largest` sets the pace."""
    if schedule.blocks == 0:
        return jnp.zeros((0, electors.shape[0]), jnp.int32)
    first = jnp.minimum(electors, schedule.start)
    n = electors.astype(jnp.float32)
    largest = jnp.max(n) if largest is None else largest.astype(jnp.float32)
    reach = jnp.log(jnp.maximum(largest / max(schedule.start, 1), 1.0))
    step = jnp.arange(1, schedule.blocks + 1, dtype=jnp.float32)
    time = jnp.exp(reach * (step / schedule.blocks - 1.0))
    target = jnp.round(n * time[:, None]).astype(jnp.int32)
    return jnp.clip(target, first, electors).at[-1].set(electors)


def _draw_key(key: Array, index: Array, attempt: Array | int) -> Array:
    """Key of one block draw: the first attempt under book-keeping repeats the free draw."""
    return jax.random.fold_in(jax.random.fold_in(key, index), attempt)


def poll_open(
    key: Key[Array, ""],
    lane: Int[Array, " S"],
    electors: Int[Array, " S"],
    parties: int,
    local: Any,
    *,
    poll: Poll,
    schedule: Schedule,
    active: Bool[Array, " K"] | None = None,
) -> Int[Array, "K S"]:
    """Votes where no party total binds: every district on its own. `active` bars parties from the start."""
    key_start, _, key_blocks, _ = jax.random.split(key, 4)
    counts = jnp.zeros((parties, electors.shape[0]), jnp.int32)
    on = jnp.broadcast_to(True if active is None else active[:, None], counts.shape)

    def ball(counts: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
        turn, u = inputs
        vote = choose(u, _usable(poll.weights(counts.astype(jnp.float32), on, local), on))
        return counts + (vote & (turn < electors)), None

    if schedule.start:
        u = random.open_uniform(random.random_bits(key_start, lane, schedule.start))
        counts, _ = jax.lax.scan(ball, counts, (jnp.arange(schedule.start), u))

    def leap(counts: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, None]:
        index, voted, target = inputs
        tally = Tally(lane, counts, voted)
        return counts + poll.block(_draw_key(key_blocks, index, 0), tally, target - voted, active, local), None

    targets = _targets(electors, schedule)
    voted = jnp.concatenate([jnp.minimum(electors, schedule.start)[None], targets])[:-1]
    counts, _ = jax.lax.scan(leap, counts, (jnp.arange(schedule.blocks), voted, targets))
    return counts


def _cast_round(key: Array, lane: Array, u: Array, weights: Array, present: Array, remaining: Array) -> Array:
    """One vote in every district that is present, in random order, with exact respect for the totals.

    Whoever meets a used-up party chooses again among the others. With the turn as common priority this is
    deferred acceptance, whose outcome equals polling the districts one after the other.
    """
    allowed = jnp.broadcast_to((remaining > 0)[:, None], weights.shape)
    vote = choose(u, _usable(weights, allowed)) & present

    def over(carry: tuple[Array, Array, Array]) -> Array:
        return jnp.any(jnp.sum(carry[1], axis=1) > remaining)

    def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, vote, allowed = carry
        order = jnp.argsort(random.random_bits(key, lane, 1)[0])
        ranked = jnp.cumsum(vote[:, order], axis=1) > remaining[:, None]
        late = jnp.zeros_like(vote).at[:, order].set(ranked) & vote
        allowed = allowed & ~late
        fresh = random.open_uniform(random.random_bits(jax.random.fold_in(key, step), lane, 1)[0])
        vote = jnp.where(jnp.any(late, axis=0), choose(fresh, _usable(weights, allowed)), vote)
        return step + 1, vote, allowed

    return jax.lax.while_loop(over, again, (jnp.int32(1), vote, allowed))[1]


def _cut(key: Array, lane: Array, votes: Array, remaining: Array) -> Array:
    """The part of a block's votes cast before the first party reaches its total.

    Votes of a block come at independent uniform times: the interval is halved, each half holding a
    Binomial(n, 1/2) of every cell, until exactly the party's total has been let in.
    """

    def open_(carry: tuple[Array, Array, Array]) -> Array:
        step, cast, interval = carry
        left = remaining - jnp.sum(cast, axis=1)
        over = jnp.any(jnp.sum(interval, axis=1) > left) & ~jnp.any((left == 0) & (remaining > 0))
        return over & (step < MAX_HALVINGS)

    def halve(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, cast, interval = carry
        bits = random.random_bits(jax.random.fold_in(key, step), lane, votes.shape[0])
        early = random.binomial_half(bits, interval)
        too_many = jnp.any(jnp.sum(cast + early, axis=1) > remaining)
        return step + 1, jnp.where(too_many, cast, cast + early), jnp.where(too_many, early, interval - early)

    _, cast, interval = jax.lax.while_loop(open_, halve, (jnp.int32(0), jnp.zeros_like(votes), votes))
    within = jnp.all(jnp.sum(cast + interval, axis=1) <= remaining)
    return jnp.where(within, cast + interval, cast)


def poll_interleaved(
    key: Key[Array, ""],
    lane: Int[Array, " S"],
    electors: Int[Array, " S"],
    totals: Int[Array, " K"],
    local: Any,
    *,
    poll: Poll,
    schedule: Schedule,
    largest: Int[Array, ""] | None = None,
) -> Int[Array, "K S"]:
    """Votes under book-keeping with all districts polling side by side; sum_s V_sk = v_k exactly.

    totals must sum to the electors. The first electors vote in rounds, one per district in random order;
    a block that would take a party over its total is cut in its random order, the party switched off, and
    the rest of the block drawn anew.
    """
    key_start, key_rounds, key_blocks, key_cuts = jax.random.split(key, 4)
    counts = jnp.zeros((totals.shape[0], electors.shape[0]), jnp.int32)

    def ball(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        counts, remaining = carry
        turn, u = inputs
        on = jnp.broadcast_to((remaining > 0)[:, None], counts.shape)
        weights = poll.weights(counts.astype(jnp.float32), on, local)
        round_key = jax.random.fold_in(key_rounds, turn)
        vote = _cast_round(round_key, lane, u, weights, turn < electors, remaining)
        return (counts + vote, remaining - jnp.sum(vote, axis=1)), None

    remaining = totals
    if schedule.start:
        u = random.open_uniform(random.random_bits(key_start, lane, schedule.start))
        (counts, remaining), _ = jax.lax.scan(ball, (counts, remaining), (jnp.arange(schedule.start), u))

    def leap(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        index, target = inputs

        def unfinished(carry: tuple[Array, Array, Array]) -> Array:
            # every attempt but the last switches a party off; the bound also ends lanes that vmap has finished
            return jnp.any(jnp.sum(carry[1], axis=0) < target) & (carry[0] <= MAX_ATTEMPTS * totals.shape[0])

        def attempt(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            step, counts, remaining = carry
            tally = Tally(lane, counts, jnp.sum(counts, axis=0))
            draw_key = _draw_key(key_blocks, index, step)
            votes = poll.block(draw_key, tally, target - tally.voted, remaining > 0, local)
            votes = _cut(_draw_key(key_cuts, index, step), lane, votes, remaining)
            return step + 1, counts + votes, remaining - jnp.sum(votes, axis=1)

        _, counts, remaining = jax.lax.while_loop(unfinished, attempt, (jnp.int32(0), *carry))
        return (counts, remaining), None

    inputs = (jnp.arange(schedule.blocks), _targets(electors, schedule, largest))
    (counts, _), _ = jax.lax.scan(leap, (counts, remaining), inputs)
    return counts


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

    Districts are drawn freely and all at once; up to the first one in which a party reaches its total they
    stand. That one is polled again from the same random numbers with the total in force, the party is switched
    off and the districts after it are drawn anew: at most one pass per party.
    """
    districts = electors.shape[0]
    index = jnp.arange(districts)
    run = partial(poll_open, key, lane, electors, totals.shape[0], local, poll=poll, schedule=schedule)

    def bound(s: Array, remaining: Array) -> Array:
        def here(leaf: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(leaf, s, 1, axis=-1)

        there = jax.tree.map(here, local)
        largest = jnp.max(electors)
        votes = poll_interleaved(
            key, here(lane), here(electors), remaining, there, poll=poll, schedule=schedule, largest=largest
        )
        return votes[:, 0]

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return carry[0] < districts

    def advance(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        first, counts, remaining = carry
        active = remaining > 0
        votes = jnp.where(index >= first, run(active=active), 0)
        reached = jnp.any((jnp.cumsum(votes, axis=1) >= remaining[:, None]) & active[:, None], axis=0)
        stop = jnp.where(jnp.any(reached), jnp.argmax(reached), districts - 1)
        before = jnp.where(index < stop, votes, 0)
        left = remaining - jnp.sum(before, axis=1)
        last = jnp.where(jnp.all(votes[:, stop] <= left), votes[:, stop], bound(stop, left))
        counts = (counts + before).at[:, stop].add(last)
        return stop + 1, counts, left - last

    counts = jnp.zeros((totals.shape[0], districts), jnp.int32)
    return jax.lax.while_loop(unfinished, advance, (jnp.int32(0), counts, totals))[1]
