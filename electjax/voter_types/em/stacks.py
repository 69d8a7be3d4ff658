"""Many data sets of the same offices and menus, fitted side by side from starts of their own."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.special import log_softmax

from electjax.voter_types.em.acceleration import Walk, begin, squarem_cycle
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.objective import objective_of
from electjax.voter_types.em.profiles import NOTHING, Profiles
from electjax.voter_types.em.restarts import even_types
from electjax.voter_types.em.rows import PATTERNS, Rows

HOLD = 1 << 26  # most votes of the data sets at hand
DENSE = 1 << 14  # most entries of a data set's 0/1 matrix
LANES, WORK = 64, 1 << 23  # most fits side by side, and most rows x types of theirs
SHORT = 24  # evaluations of the EM map that every start has before the best go on
KEEP = 2  # starts that go on
INSIDE = 0.01  # how far starts from an estimate move off it


class Best(NamedTuple):
    """The best fit of each data set; the leading axis counts them."""

    types: Types
    objective: np.ndarray  # penalised observed log-likelihood
    converged: np.ndarray


def in_stacks(data: Sequence[Profiles]) -> Iterator[tuple[np.ndarray, Rows]]:
    """The data sets in stacks of one shape, and their numbers; the last stack is filled up with its last data set."""
    size = -(-max(len(each.code) for each in data) // 32) * 32
    batch = int(np.clip(HOLD // (size * data[0].mask.shape[0]), 1, len(data)))
    for first in range(0, len(data), batch):
        index = np.minimum(np.arange(first, first + batch), len(data) - 1)
        yield index, stack_rows([data[b] for b in index], size)


def join_stacks(parts: Sequence[Best], number: int) -> Best:
    """The fits to all stacks, without what fills up the last."""
    found: Best = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:number], *parts)
    return found


def stack_rows(data: Sequence[Profiles], size: int) -> Rows:
    """Data sets of the same offices and contexts along a leading axis, filled up to `size` rows of weight 0.

    Dense where that is small enough for a cache, otherwise in blocks of offices.
    """
    like = data[0]
    _, contexts, options = like.mask.shape

    def filled(values: np.ndarray, blank: int) -> np.ndarray:
        return np.pad(values, [(0, size - len(values)), *[(0, 0)] * (values.ndim - 1)], constant_values=blank)

    code = np.stack([filled(each.code, NOTHING) for each in data]).astype(np.int32)  # [B, U, J]
    weight, group = (np.stack([filled(getattr(each, name), 0) for each in data]) for name in ("weight", "group"))
    rows = Rows(
        weight=jnp.asarray(weight, float),
        group=jnp.asarray(group, jnp.int32),
        design=jnp.asarray(like.design, float),
        mask=jnp.asarray(like.mask),
        x=jnp.asarray(like.x, float),
        cells=None,
        used=None,
        block=None,
        column=None,
    )
    if size * like.mask.size <= DENSE:
        cells = np.zeros((len(data), like.mask.size, size))
        b, u, j = np.nonzero(code != NOTHING)
        cells[b, j * contexts * options + code[b, u, j], u] = 1.0
        used = np.flatnonzero(cells.any(axis=(0, 2)))
        return rows._replace(cells=jnp.asarray(cells[:, used]), used=jnp.asarray(used))
    index, column = _joint_patterns(code + 1, contexts * options)
    return rows._replace(
        weight=rows.weight[:, None],
        group=rows.group[:, None],
        block=jnp.asarray(index[:, None]),
        column=jnp.asarray(column),
    )


def _joint_patterns(digit: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Offices in blocks with every joint pattern that there can be, so that all data sets share them.

    From digits [B, U, J], 0 for nothing and the cell + 1 otherwise: the patterns of the rows [B, blocks, U], and the
    cells of the patterns [blocks, M, J'].
    """
    (_, rows, offices), base = digit.shape, width + 1
    # a block costs a look-up per row, and its table a sum per pattern and office
    lengths = [n for n in range(1, offices + 1) if base**n <= PATTERNS] or [1]
    length = min(lengths, key=lambda n: -(-offices // n) * (rows + n * base**n))
    place = np.pad(np.arange(offices), (0, -offices % length), constant_values=offices).reshape(-1, length)
    padded = np.pad(digit, ((0, 0), (0, 0), (0, 1)))[:, :, place]  # [B, U, blocks, J']
    index = (padded * base ** np.arange(length)).sum(axis=-1)
    own = np.arange(base**length)[:, None] // base ** np.arange(length) % base  # [M, J']
    none = (own == 0) | (place[:, None] == offices)
    column = np.where(none, offices * width, place[:, None] * width + own - 1)
    return index.transpose(0, 2, 1).astype(np.int32), column.astype(np.int32)


def one_set(rows: Rows, index: int) -> Rows:
    """One of the data sets."""
    return rows._replace(**{name: getattr(rows, name)[index] for name in _mapped(rows)})


def random_types(random: np.random.Generator, like: Types, rows: Rows) -> Types:
    """Equal shares, and every probability vector uniform on the simplex; shapes are those of `like`."""
    mask = np.asarray(rows.mask)
    return even_types(random.standard_exponential(like.log_mu.shape), mask, rows, shared=_shared(like, rows))


def inside(types: Types, rows: Rows) -> Types:
    """The mixture a little way off the boundary, since EM never leaves a probability of zero."""
    allowed = _allowed(types, rows)
    mu = np.exp(np.asarray(types.log_mu))
    even = (mu.mean(axis=0) + allowed / np.maximum(allowed.sum(axis=-1, keepdims=True), 1)) / 2
    return host_types(types.gamma, normalised(_log((1 - INSIDE) * mu + INSIDE * even)), types.delta)


def host_types(gamma: Any, log_mu: Any, delta: Any) -> Types:
    """On the host, where many small starts are cheap to make."""
    return Types(*(np.asarray(leaf) for leaf in (gamma, log_mu, delta)))  # type: ignore[arg-type]


def _allowed(like: Types, rows: Rows) -> np.ndarray:
    """The options that are on some menu, [J', O]; J' = 1 where all offices share their intercepts."""
    allowed = np.asarray(rows.mask.any(axis=1))
    return np.asarray(allowed.any(axis=0))[None] if _shared(like, rows) else allowed


def _shared(like: Types, rows: Rows) -> bool:
    """Whether all offices share their intercepts."""
    return like.log_mu.shape[1] < len(rows.mask)


def _log(mu: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(mu, np.exp(LOG_ZERO)))


def normalised(log_mu: np.ndarray) -> np.ndarray:
    """log mu of probabilities that sum to one."""
    return np.maximum(log_softmax(log_mu, axis=-1), LOG_ZERO)


def best_fits(starts: Sequence[Types], rows: Rows, *, tolerance: float, max_maps: int, ridge: float) -> Best:
    """The best of several starts for each of B data sets; those of the first data set come first.

    All starts run a little; only the most promising of a data set run until they converge.
    """
    sets = len(rows.weight)
    number = len(starts) // sets
    flat: Types = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
    owner = np.repeat(np.arange(sets), number)
    settings = {"tolerance": tolerance, "ridge": ridge}
    if number > KEEP:
        tried = _run_queue(flat, owner, rows, max_maps=SHORT, **settings)
        score = np.nan_to_num(tried.objective, nan=-np.inf).reshape(sets, number)
        top = np.argsort(-score, axis=1, kind="stable")[:, :KEEP] + number * np.arange(sets)[:, None]
        flat, owner = jax.tree.map(lambda leaf: leaf[top.reshape(-1)], tried.types), np.repeat(np.arange(sets), KEEP)
    ended = _run_queue(flat, owner, rows, max_maps=max_maps, **settings)
    score = np.nan_to_num(ended.objective, nan=-np.inf).reshape(sets, -1)
    best = score.argmax(axis=1) + score.shape[1] * np.arange(sets)
    found: Best = jax.tree.map(lambda leaf: leaf[best], ended)
    return found


def _run_queue(starts: Types, owner: np.ndarray, rows: Rows, *, tolerance: float, max_maps: int, ridge: float) -> Best:
    """EM from each start on the data set that owns it; a lane that is done takes the next start."""
    number = len(owner)
    size = rows.weight[0].size * starts.gamma.shape[2]
    lanes = int(np.clip(WORK // size, 1, LANES))  # not fewer for a short queue: that would be another program
    place, following = np.arange(lanes), lanes
    walk = jax.device_get(_begin_at(starts, np.minimum(place, number - 1)))
    found = Best(jax.tree.map(np.array, starts), np.full(number, np.nan), np.zeros(number, bool))
    while (place < number).any():
        index = owner[np.minimum(place, number - 1)]
        walk, ends = jax.device_get(_advance(walk, rows, index, tolerance, max_maps, ridge))
        converged = walk.change < tolerance
        done = np.flatnonzero((converged | (walk.maps >= max_maps)) & (place < number))
        ended = Best(walk.types, ends, converged)
        for all_, own in zip(jax.tree.leaves(found), jax.tree.leaves(ended), strict=True):
            all_[place[done]] = own[done]
        place[done] = np.minimum(following + np.arange(len(done)), number)
        following += len(done)
        more = done[place[done] < number]
        if len(more):
            fresh = jax.device_get(_begin_at(starts, np.minimum(place, number - 1)))
            walk = jax.tree.map(np.array, walk)
            for all_, own in zip(jax.tree.leaves(walk), jax.tree.leaves(fresh), strict=True):
                all_[more] = own[more]
    return found


def _begin_at(starts: Types, place: np.ndarray) -> Walk:
    own = jax.tree.map(lambda leaf: leaf[place], starts)
    walk: Walk = jax.vmap(begin)(own)
    return walk


@jax.jit
def _advance(
    walk: Walk, rows: Rows, index: Array, tolerance: Array, max_maps: Array, ridge: Array
) -> tuple[Walk, Array]:
    """A few cycles of every lane on its data set, and the objective where they end."""
    own = rows._replace(**{name: getattr(rows, name)[index] for name in _mapped(rows)})

    def few(walk: Walk, own: Rows) -> tuple[Walk, Array]:
        stop = jnp.minimum(walk.maps + SHORT, max_maps)
        walk = lax.while_loop(
            lambda walk: (walk.change >= tolerance) & (walk.maps < stop),
            partial(squarem_cycle, rows=own, ridge=ridge),
            walk,
        )
        return walk, objective_of(walk.types, own, ridge)

    return jax.vmap(few, in_axes=(0, mapped_axes(*_mapped(rows))))(walk, own)


def _mapped(rows: Rows) -> tuple[str, ...]:
    """What has a leading axis of data sets."""
    return ("weight", "group", "cells" if rows.cells is not None else "block")


def mapped_axes(*mapped: str) -> Rows:
    """Which arrays of the rows differ between data sets, as `vmap` wants to know."""
    flags: list[Any] = [0 if name in mapped else None for name in Rows._fields]
    return Rows(*flags)
