"""Where the members of groups settle: an urn of every group over all districts, many runs side by side.

The roles of `polling.py` exchanged: groups (parties, communities) are the lanes, districts the categories.
Runs are not mapped over but laid out as lanes too, group first and run last, so that every step is wide however
few groups there are: counts[district, group, run].
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.districts.kernels import urn
from electjax.districts.kernels.polling import choose, usable
from electjax.numerics import random

FIRST = 64  # members of each group that settle one by one
FEWEST = 16  # of them that settle one by one in groups that are small beside the others
SMALL = 4096  # electors of the nation up to which everyone does where districts may fill that soon
FEW, PORTION = 64, 16  # overfull districts taken together: up to FEW, or one in PORTION of all if that is more
PATIENCE = 1 / 64  # of each group's block: where no more are turned away they choose again with the next block
STEP = 0.05  # of the election: most that arrives in a block where districts may close


class Settling(NamedTuple):
    """Static plan: `start` members of each group one by one, then blocks up to these times (shares of a group).

    turns: where these first members alone may fill a district, how many of all groups come one after the other.
    """

    start: int
    times: tuple[float, ...]
    turns: int = 0


def settling_plan(total: int, groups: int, smallest: int, *, fraction: bool, growth: float, closing: bool) -> Settling:
    """Plan for groups of `total` members together, where the smallest district has `smallest` places.

    It depends on no group's own size, so that elections of other popularities share a program.
    """
    start = FIRST if fraction else 0
    turns = 0
    if closing and FIRST * groups > smallest:
        # in small elections everyone comes in turn, which is exact
        start, turns = (total, total) if total <= SMALL else (FIRST, FIRST * groups)
    time, times = start / total, []
    while time < 1.0:
        step = time * growth if fraction else 1.0
        time += min(step, STEP) if closing else step
        times.append(min(time, 1.0))
    return Settling(start, (*times[:-1], 1.0), turns)


def settle(
    key: Key[Array, " B"],
    sizes: Int[Array, "G B"],
    limits: Int[Array, "S B"] | None,
    *,
    gamma: Float[Array, "G B"],
    base: Float[Array, " S"],
    prior_mass: Float[Array, " B"],
    fraction: bool,
    plan: Settling,
) -> Int[Array, "S G B"]:
    """Members of every group in every district; all groups arrive side by side, each at a steady pace.

    limits: how many of all groups together a district takes, None for any number; they must leave room for all.

    The members of a block choose independently, given shares drawn for the block (fraction reading) or once for all
    (count reading: de Finetti). Where more come to a district than it has room for, a random subset of them stays, the
    district closes, and the others choose again among those open, by the same shares; the last few of a block, up to
    `PATIENCE`, choose with the next one instead. In which order the members of one block came is so far ignored;
    blocks are therefore short where districts may close.
    """
    districts, (groups, runs) = base.shape[0], sizes.shape
    lane = jnp.repeat(jnp.arange(groups, dtype=jnp.int32), runs)
    key_first, key_law, key_blocks = random.subkey(key, jnp.arange(3)[:, None])
    # by lane before the loop: inside, the compiler would look a key up anew for every word, at twice the whole cost
    key_law, key_blocks = jnp.tile(key_law, groups), jnp.tile(key_blocks, groups)

    def lanes(array: Array) -> Array:
        """[..., G, B] or [..., B] as [..., G * B]."""
        if array.ndim > 1 and array.shape[-2:] == (groups, runs):
            return array.reshape(*array.shape[:-2], groups * runs)
        return jnp.tile(array, groups)

    def words(key: Array, number: int, turn: Array | int = 0) -> Array:
        """[number, S, G, B]; drawn once: fused with what uses them, the compiler would draw them one by one."""
        drawn = random.random_bits(key, lane, number * districts, turn)
        return jax.lax.optimization_barrier(drawn.reshape(number, districts, groups, runs))

    counts = jnp.zeros((districts, groups, runs), jnp.int32)
    law = {"gamma": lanes(gamma), "base": base, "prior_mass": lanes(prior_mass)}
    if plan.turns and limits is not None:
        counts = _first_in_turn(key_first, sizes, limits, gamma, base, prior_mass, plan, fraction)
    elif plan.start and fraction:
        u = random.open_uniform(random.random_bits(lanes(key_first), lane, plan.start))
        counts = urn.first_settlers(u, counts.reshape(districts, -1), lanes(sizes), None, **law)[0].reshape(
            counts.shape
        )

    log_shares = jnp.zeros((districts, 1, 1))
    if not fraction:
        concentration = urn.polya_concentration(gamma)
        log_shares = random.log_gamma(words(key_law, 4), counts + concentration * base[:, None, None])

    def block(counts: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
        index, time = inputs
        key_gammas, key_turns = random.subkey(random.subkey(key_blocks, index), jnp.arange(2)[:, None])
        settled = jnp.sum(counts, axis=0, dtype=jnp.int32)
        arriving = jnp.maximum(jnp.where(time < 1.0, jnp.round(sizes * time).astype(jnp.int32), sizes) - settled, 0)
        room = None if limits is None else limits - jnp.sum(counts, axis=1, dtype=jnp.int32)
        if fraction:
            active = None if room is None else jnp.tile(room > 0, (1, groups))
            flat = (counts.reshape(districts, -1), lanes(settled), lanes(arriving))
            bits = words(key_gammas, 2).reshape(2, districts, -1)
            shares = urn.block_shares(bits, *flat, active, **law).reshape(counts.shape)
        else:
            held = log_shares if room is None else jnp.where((room > 0)[:, None], log_shares, -jnp.inf)
            shares = jnp.exp(held - jnp.maximum(jnp.max(held, axis=0), -1e30))
        if room is None:
            return counts + random.multinomial(words(key_turns, 1)[0], arriving, shares), None

        def choose_again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            turn, gained, left = carry
            space = room - jnp.sum(gained, axis=1, dtype=jnp.int32)
            open_ = (space > 0)[:, None]
            # all the same where the open districts have nothing left of the shares
            come = random.multinomial(words(key_turns, 1, 2 * turn)[0], left, usable(shares, open_))
            over = jnp.sum(come, axis=1, dtype=jnp.int32) > space
            # a branch, not a selection: in most blocks no district fills in any run
            stay = jax.lax.cond(
                jnp.any(over), lambda: _turn_away(words(key_turns, 1, 2 * turn + 1)[0], come, space, over), lambda: come
            )
            left = left - jnp.sum(stay, axis=0, dtype=jnp.int32)
            # told by the run's own lanes alone, whatever the others in its batch do
            wait = (time < 1.0) & jnp.all(left <= PATIENCE * arriving, axis=0)
            return turn + 1, gained + stay, jnp.where(wait, 0, left)

        start = (jnp.int32(0), jnp.zeros_like(counts), arriving)
        # every turn but the last closes a district
        _, gained, _ = jax.lax.while_loop(
            lambda carry: jnp.any(carry[2] > 0) & (carry[0] <= districts), choose_again, start
        )
        return counts + gained, None

    times = jnp.asarray(plan.times, jnp.float32)
    return jax.lax.scan(block, counts, (jnp.arange(len(plan.times)), times))[0]


def _turn_away(
    bits: Array, come: Int[Array, "S G B"], space: Int[Array, "S B"], over: Bool[Array, "S B"]
) -> Int[Array, "S G B"]:
    """Those of the ones that come who stay: a random subset in the districts marked, everyone in the others.

    The marked districts of all runs are taken together, some at a time: they are few.
    """
    runs = over.shape[1]
    number = max(min(over.size, FEW), -(-over.size // PORTION))

    def portion(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        stay, over = carry
        (cell,) = jnp.nonzero(over.reshape(-1), size=number, fill_value=over.size)
        district, run = cell // runs, cell % runs
        at = (district[:, None], jnp.arange(come.shape[1]), run[:, None])
        chosen = _subset(bits[at].T, come[at].T, space[district, run])
        return stay.at[at].set(chosen.T, mode="drop"), over.at[district, run].set(False, mode="drop")

    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), portion, (come, over))[0]


def _subset(bits: Array, come: Int[Array, "G N"], space: Int[Array, " N"]) -> Int[Array, "G N"]:
    """A random subset of those that come to a district, as many as it has space for, by group."""
    total = jnp.sum(come, axis=0, dtype=jnp.int32)

    def group(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        total, stay = carry
        come, u = inputs
        x = random.hypergeometric(u, *(value.astype(jnp.float32) for value in (come, total, stay)))
        # float32 rounds above 2^24: what is left must still fit
        x = jnp.clip(x.astype(jnp.int32), jnp.maximum(stay - (total - come), 0), jnp.minimum(come, stay))
        return (total - come, stay - x), x

    return jax.lax.scan(group, (total, jnp.minimum(space, total)), (come, random.open_uniform(bits)))[1]


def _first_in_turn(
    key: Array,
    sizes: Array,
    limits: Array,
    gamma: Array,
    base: Array,
    prior_mass: Array,
    plan: Settling,
    fraction: bool,
) -> Int[Array, "S G B"]:
    """Members of all groups one after the other in random order, closing districts as they fill.

    Until a group has `plan.start`; groups that are small beside it then go on to `FEWEST`, ahead of their pace.
    """
    groups, runs = sizes.shape

    def member(counts: Array, turn: Array) -> tuple[Array, None]:
        u = random.open_uniform(random.random_bits(key, jnp.zeros(runs, jnp.int32), 2, turn))
        settled = jnp.sum(counts, axis=0, dtype=jnp.int32)
        early = jnp.max(settled, axis=0) < plan.start
        left = jnp.where(early | (settled < FEWEST), sizes - settled, 0).astype(jnp.float32)
        group = choose(u[0], left)
        weights = urn.ball_weights(
            jnp.sum(jnp.where(group, counts, 0), axis=1).astype(jnp.float32),
            jnp.sum(counts, axis=1) < limits,
            gamma=jnp.sum(jnp.where(group, gamma, 0.0), axis=0),
            base=base[:, None],
            prior_mass=prior_mass,
            fraction=fraction,
        )
        return counts + (choose(u[1], weights)[:, None] & group), None

    start = jnp.zeros((base.shape[0], groups, runs), jnp.int32)
    return jax.lax.scan(member, start, jnp.arange(plan.turns))[0]


def dirichlet_settlement(key: Key[Array, ""], sizes: Int[Array, " C"], shape: Float[Array, " S"]) -> Int[Array, "S C"]:
    """Members of every community in every district: Multinomial(n_c, P_c) with P_c ~ Dirichlet(shape).

    How communities settle when nothing stops them (Mitra, section 4.5, eq. 6): a sequence of electors in which everyone
    joins a district in proportion to its members plus a constant is, in the long run, a Dirichlet draw over districts;
    given it, electors settle independently (de Finetti).
    float32 holds n_c to one part in 2^24; the counts add up to n_c exactly.
    """
    key_law, key_counts = random.subkey(key, jnp.arange(2))
    communities, districts = sizes.shape[0], shape.shape[0]
    lane = jnp.arange(communities, dtype=jnp.int32)
    bits = random.random_bits(key_law, lane, 4 * districts).reshape(4, districts, communities)
    law = jax.nn.softmax(random.log_gamma(bits, jnp.broadcast_to(shape[:, None], bits.shape[1:])), axis=0)
    return random.multinomial(random.random_bits(key_counts, lane, districts), sizes, law)
