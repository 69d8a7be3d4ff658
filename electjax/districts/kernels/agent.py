"""The reference engine: every elector votes one by one. Exact, slow, and what the fast engine is held against.

It takes the same `Poll` as the drivers of `districts.kernels.polling` and uses only its `weights`, so it shares no
sampler with the block draws.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from electjax.districts.kernels.polling import Poll, choose
from electjax.numerics.random import open_uniform

CHUNK = 2048


def _chunked_scan(step: Any, carry: Any, key: Array, length: int, width: tuple[int, ...]) -> Any:
    """Scan `step(carry, (position, u))` over positions 0 .. length - 1, drawing uniforms chunk by chunk."""

    size = min(CHUNK, length)

    def chunk(carry: Any, index: Array) -> tuple[Any, None]:
        u = open_uniform(jax.random.bits(jax.random.fold_in(key, index), (size, *width), jnp.uint32))
        return jax.lax.scan(step, carry, (index * size + jnp.arange(size), u))[0], None

    return jax.lax.scan(chunk, carry, jnp.arange(-(-length // size)))[0]


def electors_open(
    key: Key[Array, ""], electors: Int[Array, " S"], parties: int, local: Any, *, poll: Poll, largest: int
) -> Int[Array, "K S"]:
    """Votes without book-keeping, elector by elector, all districts side by side.

    largest: static bound on the electors of a district.
    """
    everyone = jnp.ones((parties, electors.shape[0]), bool)

    def step(votes: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
        turn, u = inputs
        vote = choose(u, poll.weights(votes.astype(jnp.float32), everyone, local))
        return votes + (vote & (turn < electors)), None

    votes = jnp.zeros(everyone.shape, jnp.int32)
    return _chunked_scan(step, votes, key, largest, electors.shape)


def polling_order(key: Key[Array, ""], electors: Int[Array, " S"], total: int, *, order: str) -> Int[Array, " N"]:
    """District of each elector in the order in which they vote.

    by_district  one district after the other.
    interleaved  elector i of a district with n electors comes at (i + U) / n of the poll, so that all districts keep a
                 steady pace; with equal electorates these are rounds, one elector per district, in random order.
    shuffled     every order is equally likely.
    """
    district = jnp.repeat(jnp.arange(electors.shape[0]), electors, total_repeat_length=total)
    if order == "by_district":
        return district
    u = open_uniform(jax.random.bits(key, (total,), jnp.uint32))
    if order == "shuffled":
        return district[jnp.argsort(u)]
    first = jnp.cumsum(electors) - electors
    turn = jnp.arange(total) - first[district]
    return district[jnp.argsort((turn + u) / electors[district])]


def electors_bound(
    key: Key[Array, ""],
    electors: Int[Array, " S"],
    totals: Int[Array, " K"],
    local: Any,
    *,
    poll: Poll,
    total: int,
    order: str,
) -> Int[Array, "K S"]:
    """Votes under book-keeping, elector by elector: a party leaves the choice once its total is used up.

    total: static number of electors, the sum of `electors`; the `totals` must leave room for them.
    order: see `polling_order`.
    """
    key_order, key_votes = jax.random.split(key)
    sequence = polling_order(key_order, electors, total, order=order)

    def step(carry: tuple[Array, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        votes, remaining = carry
        turn, u = inputs
        s = sequence[jnp.minimum(turn, total - 1)]
        here = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, s, 1, axis=-1), local)
        column = jax.lax.dynamic_slice_in_dim(votes, s, 1, axis=-1)
        weights = poll.weights(column.astype(jnp.float32), (remaining > 0)[:, None], here)
        vote: Bool[Array, " K"] = choose(u, weights)[:, 0] & (turn < total)
        return (votes.at[:, s].add(vote), remaining - vote), None

    votes = jnp.zeros((totals.shape[0], electors.shape[0]), jnp.int32)
    return _chunked_scan(step, (votes, totals), key_votes, total, ())[0]
