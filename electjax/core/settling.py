"""Where the members of groups settle: an urn of every group over all districts, many runs side by side.

The roles of `electjax.core.polling` exchanged: groups (parties, say) are the lanes, districts the categories. Runs
are not mapped over but laid out as lanes too, group first and run last, so that every step is wide however few groups
there are: counts[district, group, run].
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.core import random, urn
from electjax.core.polling import MAX_HALVINGS, choose

INTERPOLATIONS = 12
SLACK = 2.5  # standard deviations
BITS = 32


class Settling(NamedTuple):
    """Static plan: `start` members of each group one by one, then `blocks` blocks that grow geometrically.

    tight: the first members alone may fill a district.
    """

    start: int
    blocks: int
    tight: bool


def settle(
    key: Key[Array, " B"],
    sizes: Int[Array, "G B"],
    limits: Int[Array, "S B"] | None,
    *,
    gamma: Float[Array, "G B"],
    base: Float[Array, " S"],
    prior_mass: Float[Array, " B"],
    fraction: bool,
    schedule: Settling,
) -> Int[Array, "S G B"]:
    """Members of every group in every district; all groups arrive side by side, each at a steady pace.

    limits: how many of all groups together a district takes, None for any number; they must leave room for all. A
    block that would overfill a district is cut in its random order at the member that fills it, the district is closed
    and the rest drawn anew. Under the count reading (`fraction` False) the one block is exact.
    """
    districts, (groups, runs) = base.shape[0], sizes.shape
    lane = jnp.repeat(jnp.arange(groups, dtype=jnp.int32), runs)
    key_first, key_blocks, key_cuts = random.subkey(key, jnp.arange(3)[:, None])

    def lanes(array: Array) -> Array:
        """[..., G, B] or [..., B] as [..., G * B]."""
        if array.ndim > 1 and array.shape[-2:] == (groups, runs):
            return array.reshape(*array.shape[:-2], groups * runs)
        return jnp.tile(array, groups)

    law = {"gamma": lanes(gamma), "base": base}
    if fraction:
        law["prior_mass"] = lanes(prior_mass)
    draw = urn.leap if fraction else urn.polya_block

    def block(step: Array, counts: Array, target: Array, room: Array | None) -> Array:
        """Where the next members of all groups would settle; districts without room are closed."""
        settled = jnp.sum(counts, axis=0, dtype=jnp.int32)
        active = None if room is None else jnp.repeat(room > 0, groups, axis=0).reshape(districts, -1)
        flat = counts.reshape(districts, -1)
        more = draw(
            lanes(random.subkey(key_blocks, step)),
            lane,
            flat,
            lanes(settled),
            lanes(jnp.maximum(target - settled, 0)),
            active,
            **law,
        )
        return more.reshape(counts.shape)

    counts = jnp.zeros((districts, groups, runs), jnp.int32)
    if schedule.start and schedule.tight and limits is not None:
        counts = _first_in_turn(key_first, sizes, limits, gamma, base, prior_mass, schedule.start)
    elif schedule.start:
        u = random.open_uniform(random.random_bits(lanes(key_first), lane, schedule.start))
        first, _ = urn.first_settlers(u, counts.reshape(districts, -1), lanes(sizes), None, **law)
        counts = first.reshape(counts.shape)
    reach = jnp.log(jnp.maximum(jnp.max(sizes, axis=0) / max(schedule.start, 1), 1.0))

    def target(index: Array) -> Array:
        """Members that have settled at the end of the numbered block of each run."""
        time = jnp.exp(reach * ((index + 1) / schedule.blocks - 1.0))
        reached = jnp.round(sizes * time).astype(jnp.int32)
        reached = jnp.clip(reached, jnp.minimum(sizes, schedule.start), sizes)
        return jnp.where(index + 1 >= schedule.blocks, sizes, reached)

    if limits is None:

        def leap(counts: Array, index: Array) -> tuple[Array, None]:
            return counts + block(index, counts, target(index), None), None

        return jax.lax.scan(leap, counts, jnp.arange(schedule.blocks))[0]

    most = schedule.blocks + 2 * districts

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return jnp.any((carry[1] < schedule.blocks) & (carry[0] < most))

    def advance(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, index, counts = carry
        room = limits - jnp.sum(counts, axis=1, dtype=jnp.int32)
        more = block(step, counts, target(index), room)
        cast = _cut(random.subkey(key_cuts, step), more, room)
        whole = jnp.all(cast == more, axis=(0, 1))
        return step + 1, index + whole, counts + cast

    start = (jnp.zeros(runs, jnp.int32), jnp.zeros(runs, jnp.int32), counts)
    return jax.lax.while_loop(unfinished, advance, start)[2]


def _first_in_turn(
    key: Array, sizes: Array, limits: Array, gamma: Array, base: Array, prior_mass: Array, most: int
) -> Int[Array, "S G B"]:
    """Up to `most` members of each group, one after the other in random order, closing districts as they fill."""
    groups, runs = sizes.shape
    quota = jnp.minimum(sizes, most)

    def member(counts: Array, turn: Array) -> tuple[Array, None]:
        u = random.open_uniform(random.random_bits(key, jnp.zeros(runs, jnp.int32), 2, turn))
        settled = jnp.sum(counts, axis=0, dtype=jnp.int32)
        group = choose(u[0], jnp.where(settled < quota, sizes - settled, 0).astype(jnp.float32))
        own = jnp.sum(jnp.where(group, counts, 0), axis=1).astype(jnp.float32)
        weights = urn.ball_weights(
            own,
            jnp.sum(counts, axis=1) < limits,
            gamma=jnp.sum(jnp.where(group, gamma, 0.0), axis=0),
            base=base[:, None],
            prior_mass=prior_mass,
            fraction=True,
        )
        return counts + (choose(u[1], weights)[:, None] & group), None

    return jax.lax.scan(member, jnp.zeros((base.shape[0], groups, runs), jnp.int32), jnp.arange(groups * most))[0]


def _cut(key: Key[Array, " B"], more: Int[Array, "S G B"], room: Int[Array, "S B"]) -> Int[Array, "S G B"]:
    """The part of a block that has settled when a first open district is full; all of it if none fills.

    Members arrive at independent uniform times. A time that splits the interval in which the district fills parts
    every count of it binomially: first a little after and a little before the moment expected, which shrinks the
    interval to its square root; then in halves, by counting bits.
    """
    districts, groups, runs = more.shape
    lane = jnp.repeat(jnp.arange(groups, dtype=jnp.int32), runs)
    open_ = room > 0

    def full(cast: Array) -> Bool[Array, " B"]:
        return jnp.any((jnp.sum(cast, axis=1, dtype=jnp.int32) >= room) & open_, axis=0)

    def bits(turn: Array) -> Array:
        return random.random_bits(jnp.tile(key, groups), lane, districts, turn).reshape(more.shape)

    def keep(split: Array, early: Array, cast: Array, interval: Array) -> tuple[Array, Array]:
        """Go on with the part of the interval in which the district fills, in the runs that are split."""
        early = jnp.where(split, early, 0)
        within = full(cast + early)
        left = jnp.where(within & split, early, interval - early)
        return jnp.where(within, cast, cast + early), left

    def search(least: int, last: int, draw: Any, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        def wanted(cast: Array, interval: Array) -> Bool[Array, " B"]:
            several = full(cast + interval) & (jnp.sum(interval, axis=(0, 1), dtype=jnp.float32) > 1)
            return several & (jnp.max(interval, axis=(0, 1)) > least)

        def split(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            turn, cast, interval = carry
            return turn + 1, *keep(wanted(cast, interval), draw(turn, cast, interval), cast, interval)

        def again(carry: tuple[Array, Array, Array]) -> Array:
            return jnp.any(wanted(*carry[1:])) & (carry[0] < last)

        return jax.lax.while_loop(again, split, carry)

    def interpolated(turn: Array, cast: Array, interval: Array) -> Array:
        need = (room - jnp.sum(cast, axis=1, dtype=jnp.int32)).astype(jnp.float32)
        there = jnp.maximum(jnp.sum(interval, axis=1, dtype=jnp.int32), 1).astype(jnp.float32)
        share = jnp.where(open_, need / there, jnp.inf)
        soonest = jnp.min(share, axis=0)
        sd = jnp.sqrt(
            jnp.maximum(jnp.min(jnp.where(share == soonest, soonest * (1 - soonest) / there, 1.0), axis=0), 0)
        )
        p = jnp.clip(soonest + SLACK * sd * (1 - 2 * (turn % 2)), 0.0, 1.0)
        u = random.open_uniform(bits(turn))
        early = random.binomial(u, interval.astype(jnp.float32), jnp.broadcast_to(p, interval.shape))
        return jnp.clip(early.astype(jnp.int32), 0, interval)

    def halved(half: Any) -> Any:
        return lambda turn, cast, interval: half(bits(turn), interval)

    carry = (jnp.int32(0), jnp.zeros_like(more), more)
    _, *rest = search(BITS, INTERPOLATIONS, interpolated, carry)
    last = INTERPOLATIONS + MAX_HALVINGS
    _, *rest = search(BITS, last, halved(random.binomial_half), (jnp.int32(INTERPOLATIONS), *rest))
    _, cast, interval = search(0, 2 * last, halved(random.count_bits), (jnp.int32(last), *rest))
    return cast + interval
