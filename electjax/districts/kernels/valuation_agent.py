"""The reference for `electjax.districts.kernels.valuation`: every elector has a home, valuations and a vote.

Valuations are normals of `jax.random`, added up group by group; no integral and no sampler of counts is shared.
Electors come in chunks whose valuations are drawn twice from the same key, first for the groups' means and then for
the votes, so that a nation of them fits into memory.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from electjax.numerics import random

CHUNK = 2**13


def _chunks(values: Int[Array, " N"]) -> Int[Array, "M L"]:
    size = min(CHUNK, values.shape[0])
    return jnp.pad(values, (0, -values.shape[0] % size), constant_values=-1).reshape(-1, size)


def _drawn(u: Array, weights: Array) -> Array:
    """Category of every u in (0, 1) by weight; weight 0 is never drawn."""
    cumulative = jnp.cumsum(weights)
    index = jnp.searchsorted(cumulative, u * cumulative[-1], side="right")
    return jnp.minimum(index, jnp.max(jnp.where(weights > 0, jnp.arange(weights.shape[0]), 0)))


def communities(key: Key[Array, ""], shares: Float[Array, " C"], total: int) -> Int[Array, " N"]:
    """Community of every elector, C_i ~ Categorical(shares)."""
    return _drawn(random.open_uniform(jax.random.bits(key, (total,), jnp.uint32)), shares).astype(jnp.int32)


def communities_in_order(shares: Float[Array, " C"], total: int) -> Int[Array, " N"]:
    """Community after community, their sizes fixed by largest remainder; total up to 2^24."""
    quota = shares / jnp.sum(shares) * total
    sizes = jnp.floor(quota).astype(jnp.int32)
    place = jnp.argsort(jnp.argsort(sizes - quota, stable=True), stable=True)
    sizes = sizes + (place < total - jnp.sum(sizes))
    return jnp.repeat(jnp.arange(shares.shape[0], dtype=jnp.int32), sizes, total_repeat_length=total)


def homes(key: Key[Array, ""], community: Int[Array, " N"], law: Float[Array, "C S"]) -> Int[Array, " N"]:
    """District of every elector, drawn from his community's law."""

    def chunk(_: None, inputs: tuple[Array, Array]) -> tuple[None, Array]:
        index, own = inputs
        u = random.open_uniform(jax.random.bits(jax.random.fold_in(key, index), own.shape, jnp.uint32))
        choices = jax.vmap(lambda row: _drawn(u, row))(law)
        return None, jnp.take_along_axis(choices, jnp.maximum(own, 0)[None], axis=0)[0].astype(jnp.int32)

    parts = _chunks(community)
    return jax.lax.scan(chunk, None, (jnp.arange(parts.shape[0]), parts))[1].reshape(-1)[: community.shape[0]]


def homes_of_counts(
    key: Key[Array, ""], community: Int[Array, " N"], members: Int[Array, "C S"]
) -> tuple[Int[Array, " N"], Int[Array, " N"]]:
    """Community and district of every elector where the numbers are known, in random order within the community."""
    total = community.shape[0]
    cell = jnp.repeat(jnp.arange(members.size, dtype=jnp.int32), members.ravel(), total_repeat_length=total)
    own = cell // members.shape[1]
    shuffled = jnp.lexsort((jax.random.bits(key, (total,), jnp.uint32), own))
    return own, (cell % members.shape[1])[shuffled]


def _neighbours_mean(values: Float[Array, "N K"], edges: Int[Array, "E 2"]) -> Float[Array, "N K"]:
    """Mean valuation of every elector's neighbours, his own where he has none; a pair counts for both of its ends."""
    total = values.shape[0]
    a, b = edges[:, 0], edges[:, 1]
    # an elector paired with himself counts once
    ends, others = jnp.concatenate([a, jnp.where(a == b, total, b)]), jnp.concatenate([b, a])
    degree = jax.ops.segment_sum(jnp.ones_like(ends), ends, total)[:, None]
    sums = jax.ops.segment_sum(values[others], ends, total)
    return jnp.where(degree > 0, sums / jnp.maximum(degree, 1), values)


def cast_votes(
    key: Key[Array, ""],
    community: Int[Array, " N"],
    district: Int[Array, " N"],
    phi: Float[Array, "C K"],
    sigma: Float[Array, " K"],
    *,
    districts: int,
    influence: str,
    kappa: Callable[[Array, tuple[int, ...]], Array],
    edges: Int[Array, "E 2"] | None = None,
) -> Int[Array, "S K"]:
    """Votes of all electors, X_i = argmax_k of the valuation that counts (eq. 6).

    influence: "none", or whose mean sways an elector: "district", "community", "national" or, with `edges`, "network".
    kappa(key, shape): what electors keep of their own valuation.
    """
    (kinds, parties), total = phi.shape, community.shape[0]
    key_values, key_kappa = random.subkey(key, jnp.arange(2))
    group = {"district": district, "community": community}.get(influence, jnp.zeros_like(community))
    groups = {"district": districts, "community": kinds}.get(influence, 1)
    own_chunks, group_chunks, home_chunks = _chunks(community), _chunks(group), _chunks(district)
    numbers = jnp.arange(own_chunks.shape[0])

    def valuations(index: Array, own: Array) -> Array:
        noise = jax.random.normal(jax.random.fold_in(key_values, index), (own.shape[0], parties))
        return phi[jnp.maximum(own, 0)] + sigma * noise

    def add(sums: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, None]:
        index, own, group = inputs
        here = jax.ops.segment_sum(valuations(index, own), jnp.where(group < 0, groups, group), groups + 1)
        return sums + here, None

    def vote(votes: Array, inputs: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
        index, own, home, mean = inputs
        value = valuations(index, own)
        if influence != "none":
            kept = kappa(jax.random.fold_in(key_kappa, index), own.shape)[:, None]
            value = kept * value + (1.0 - kept) * (means[mean] if mean.ndim == 1 else mean)
        choice = jnp.argmax(value, axis=1)
        cell = jnp.where(own < 0, districts * parties, home * parties + choice)
        return votes + jax.ops.segment_sum(jnp.ones_like(cell), cell, districts * parties + 1), None

    means = jnp.zeros((groups + 1, parties))
    swayed_by = group_chunks
    if edges is not None:
        values = jax.lax.map(lambda inputs: valuations(*inputs), (numbers, own_chunks)).reshape(-1, parties)
        means_of_all = jnp.zeros_like(values).at[:total].set(_neighbours_mean(values[:total], edges))
        swayed_by = means_of_all.reshape(*own_chunks.shape, parties)
    elif influence != "none":
        size = jax.ops.segment_sum(jnp.ones_like(group), group, groups + 1)
        means = jax.lax.scan(add, means, (numbers, own_chunks, group_chunks))[0] / jnp.maximum(size, 1)[:, None]
    none_yet = jnp.zeros(districts * parties + 1, jnp.int32)
    votes, _ = jax.lax.scan(vote, none_yet, (numbers, own_chunks, home_chunks, swayed_by))
    return votes[:-1].reshape(districts, parties)
