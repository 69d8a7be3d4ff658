"""Runs of EM from many starts: initial values, and a queue of runs over a fixed number of lanes (section 2.2).

All starts may be on the same rows, as those of a fit, or each on a data set of its own, as those of replicates.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.special import log_softmax

from electjax.numerics.parallel import host_workers, side_by_side
from electjax.voter_types.em.em_map import Walk, begin, em_cycle, maximise_choice, objective_of, squarem_cycle
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.rows import Rows, cell_sums, stacked

LANES = 64  # runs side by side where one alone would leave the machine idle
BUSY, FEWER = 50_000, 8  # cells x types from which fewer lanes cost no time, and leave fewer idle at the end
WORK = 1 << 23  # most rows x types of runs on different data sets
TRACE = 512  # cycles whose objective is kept
KMEANS_ROUNDS = 8
SHORT = 24  # evaluations of the EM map that every start on a data set has before the best go on
KEEP = 2  # starts that go on
INSIDE = 0.01  # how far starts from an estimate move off it


class Way(NamedTuple):
    """How to run EM and when to stop."""

    tolerance: float = 1e-9
    by: str = "log_likelihood"  # or "parameters": what the tolerance is of, the relative change or the largest one
    accelerate: bool = True
    max_maps: int = 20_000
    ridge: float = 0.0


class Runs(NamedTuple):
    """Where every start ended, on the device or the host; the leading axis counts starts."""

    types: Types
    objective: Any  # penalised observed log-likelihood at the end or one EM step before
    maps: Any  # evaluations of the EM map
    converged: Any  # whether the change fell below the tolerance
    trace: Any  # [starts, TRACE] objective after each cycle, NaN after the end


def draw_start(key: Array, rows: Rows, *, types: int, kind: str, shared: bool = False) -> Types:
    """Initial values from the rows (dense layout).

    votes: every voter is assigned to a type at random, and the parameters are the means of the assigned votes
    (section 2.2); with many voters these starts are close to each other. kmeans: rows in clusters of the nearest mean.
    """
    assert rows.cells is not None
    member = (_assign_voters if kind == "votes" else _nearest_means)(key, rows, types) * rows.weight
    counts = cell_sums(member, rows).reshape(types, *rows.mask.shape)
    margin = counts.sum(0)
    share = margin / jnp.maximum(margin.sum((-1, -2), keepdims=True), 1e-300)
    spread = rows.mask / jnp.maximum(rows.mask.sum((-1, -2), keepdims=True), 1)
    counts = counts + 0.5 * share + 0.5 * spread  # no probability starts at zero: EM would never leave it
    before = even_types(np.ones((types, 1, 1)), rows.mask, rows, shared=shared)
    return maximise_choice(counts, before, rows.mask, rows.x, rounds=3)


def random_starts(key: Array, rows: Rows, *, types: int, restarts: int, shared: bool = False) -> Types:
    """Every probability vector uniform on the simplex, equal shares; each start from the key and its index."""
    words = np.asarray(jax.random.key_data(key)).ravel().tolist()
    offices, _, options = rows.mask.shape
    shape = (types, 1 if shared else offices, options)
    noise = [np.random.default_rng([*words, i]).exponential(size=shape) for i in range(restarts)]
    return even_types(np.stack(noise), np.asarray(rows.mask), rows, shared=shared)


def even_types(noise: np.ndarray, mask: Any, rows: Rows, *, shared: bool) -> Types:
    """Equal shares, and probabilities in proportion to positive numbers [..., K, J or 1, O]; in numpy if `mask` is."""
    allowed = mask.any(1).any(0, keepdims=True) if shared else mask.any(1)
    chance = noise * (allowed + 1e-30 * ~allowed)
    lead, types, columns = chance.shape[:-3], chance.shape[-3], rows.design.shape[1]
    xp = np if isinstance(mask, np.ndarray) else jnp
    return Types(
        xp.full((*lead, columns, types), -np.log(types) if columns == 1 else 0.0),
        xp.log(chance / chance.sum(-1, keepdims=True)),
        xp.zeros((*lead, types, rows.x.shape[-1])),
    )


def _assign_voters(key: Array, rows: Rows, types: int) -> Array:
    """The share of each row's voters that go to each type if they pick one at random, [K, U]."""
    voters = jnp.maximum(jnp.round(rows.weight), 1.0)

    def deal(left: Array, k: Array) -> tuple[Array, Array]:
        own = jax.random.binomial(jax.random.fold_in(key, k), left, 1.0 / (types - k))
        return left - own, own

    own = lax.scan(deal, voters, jnp.arange(types))[1]
    return own / voters


def _nearest_means(key: Array, rows: Rows, types: int) -> Array:
    """Lloyd's algorithm on the 0/1 rows from random rows as centres; membership [K, U]."""
    assert rows.cells is not None
    cells = rows.cells
    some = cells.shape[1] >= types
    seeds = jax.random.choice(key, cells.shape[1], (types,), replace=not some, p=rows.weight / rows.weight.sum())

    def assign(centres: Array) -> Array:
        nearest = jnp.argmin((centres**2).sum(1)[:, None] - 2 * centres @ cells, axis=0)
        return jax.nn.one_hot(nearest, types, axis=0)

    def move(_: Array, centres: Array) -> Array:
        member = assign(centres) * rows.weight
        total = member.sum(1)[:, None]
        return jnp.where(total > 0, member @ cells.T / jnp.where(total > 0, total, 1.0), centres)

    return assign(lax.fori_loop(0, KMEANS_ROUNDS, move, cells[:, seeds].T))


def in_batches(function: Callable[[Any], Any], tree: Any, size: int) -> Any:
    """`lax.map(..., batch_size=size)` for trees some of whose leaves are empty, as delta is without covariates."""
    number = jax.tree.leaves(tree)[0].shape[0]
    size = min(size, number)
    index = jnp.minimum(jnp.arange(-(-number // size) * size), number - 1).reshape(-1, size)
    found = lax.map(lambda part: jax.vmap(function)(jax.tree.map(lambda leaf: leaf[part], tree)), index)
    return jax.tree.map(lambda leaf: leaf.reshape(index.size, *leaf.shape[2:])[:number], found)


def draw_starts(key: Array, rows: Rows, *, types: int, restarts: int, kind: str, shared: bool = False) -> Types:
    """Initial values of many starts of one of `STARTS`, each keyed by its index."""
    if kind == "random":
        return random_starts(key, rows, types=types, restarts=restarts, shared=shared)
    return _draw_starts(key, rows, types=types, restarts=restarts, kind=kind, shared=shared)


@partial(jax.jit, static_argnames=("types", "restarts", "kind", "shared"))
def _draw_starts(key: Array, rows: Rows, *, types: int, restarts: int, kind: str, shared: bool = False) -> Types:
    return in_batches(
        lambda i: draw_start(jax.random.fold_in(key, i), rows, types=types, kind=kind, shared=shared),
        jnp.arange(restarts),
        LANES,
    )


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


@partial(jax.jit, static_argnames=("lanes", "accelerate", "by", "mapped"))
def run_all(
    starts: Types,
    rows: Rows,
    *,
    number: Array,
    tolerance: Array,
    max_maps: Array,
    ridge: Array,
    first: Array | int = 0,
    owner: Array | None = None,
    mapped: tuple[str, ...] = (),
    lanes: int = LANES,
    accelerate: bool = True,
    by: str = "log_likelihood",
) -> Runs:
    """Run EM from start `first` up to `number`, which is left out, until each converges or has used its maps.

    A lane that is done takes the next start of the queue, so that slow runs hold up no others.

    Args:
        owner: the data set of each start, where there are several.
        mapped: the arrays of the rows that have a leading axis of data sets.
    """
    capacity = starts.gamma.shape[0]
    lanes = min(lanes, capacity)
    maps_a_cycle = 3 if accelerate else 1
    cycle = partial(squarem_cycle if accelerate else em_cycle, ridge=ridge, by=by)
    one_cycle = jax.vmap(cycle, in_axes=(0, mapped_axes(*mapped) if mapped else None))

    def fetch(index: Array) -> Walk:
        return begin(jax.tree.map(lambda leaf: leaf[jnp.minimum(index, capacity - 1)], starts))

    def data_of(place: Array) -> dict[str, Array]:
        assert owner is not None
        return {name: getattr(rows, name)[owner[jnp.minimum(place, capacity - 1)]] for name in mapped}

    def advance(state: Any) -> Any:
        walk, place, data, following, runs = state
        cycles = walk.maps // maps_a_cycle
        walk = one_cycle(walk, rows._replace(**data))
        trace = runs.trace.at[place, cycles].set(walk.objective, mode="drop")
        converged = walk.change < tolerance
        done = (converged | (walk.maps >= max_maps)) & (place < number)
        end = jnp.where(done, place, capacity)  # beyond the end: dropped
        ended = (walk.types, walk.objective, walk.maps, converged)
        kept = jax.tree.map(lambda all_, own: all_.at[end].set(own, mode="drop"), runs[:4], ended)
        runs = Runs(kept[0], kept[1], kept[2], kept[3], trace)
        place = jnp.where(done, following + jnp.cumsum(done) - 1, place)
        fresh = jax.vmap(fetch)(place)
        walk = jax.tree.map(lambda a, b: jnp.where(done.reshape(-1, *[1] * (a.ndim - 1)), a, b), fresh, walk)
        if mapped:
            data = lax.cond(done.any(), lambda: data_of(place), lambda: data)
        return walk, place, data, following + done.sum(), runs

    place = first + jnp.arange(lanes)
    walk = jax.vmap(fetch)(place)
    empty = Runs(
        starts,
        jnp.full(capacity, -jnp.inf),
        jnp.zeros(capacity, walk.maps.dtype),
        jnp.zeros(capacity, bool),
        jnp.full((capacity, TRACE), jnp.nan),
    )
    state = (walk, place, data_of(place) if mapped else {}, jnp.asarray(first + lanes), empty)
    return lax.while_loop(lambda state: (state[1] < number).any(), advance, state)[-1]


def run_starts(
    starts: Types,
    rows: Rows,
    way: Way,
    *,
    number: int | None = None,
    loose: float = 0.0,
    owner: np.ndarray | None = None,
    mapped: tuple[str, ...] = (),
    lanes: int | None = None,
) -> Runs:
    """`run_all` from the first `number` starts, as host arrays; `loose` is a tolerance that replaces a smaller one.

    Their products are too small to share among cores, so that each core takes a part of the starts. With covariates
    one takes all: batched LAPACK calls at a time can lock up XLA's threads on CPU. Call it under `double_precision()`.
    """
    capacity = starts.gamma.shape[0]
    number = capacity if number is None else number
    if lanes is None:
        assert rows.cells is not None
        busy = rows.cells.size * starts.gamma.shape[2] > BUSY and jax.default_backend() == "cpu"
        lanes = FEWER if busy else LANES
    run = partial(
        run_all,
        starts,
        rows,
        owner=owner,
        mapped=mapped,
        tolerance=max(way.tolerance, loose),
        max_maps=way.max_maps,
        ridge=way.ridge,
        lanes=lanes,
        accelerate=way.accelerate,
        by=way.by,
    )

    def run_part(ends: tuple[int, int]) -> Runs:
        first, last = ends
        return jax.tree.map(lambda leaf: np.asarray(leaf)[first:last].copy(), run(first=first, number=last))

    parts = 1 if rows.design.shape[1] > 1 else max(1, min(host_workers(), -(-number // lanes)))
    bounds = np.linspace(0, number, parts + 1).round().astype(int).tolist()
    if parts > 1:
        run(first=0, number=0)  # compiled once, not by every thread
    return join(*side_by_side(run_part, list(pairwise(bounds))))


@partial(jax.jit, static_argnames=("accelerate", "by"))
def one_cycle(walk: Walk, rows: Rows, ridge: Array, *, accelerate: bool = True, by: str = "log_likelihood") -> Walk:
    """One cycle of one run, in either layout."""
    return (squarem_cycle if accelerate else em_cycle)(walk, rows, ridge, by=by)


def run_long(
    start: Types, rows: Rows, way: Way, *, loose: float = 0.0, say: Callable[[int, float], None] | None = None
) -> Runs:
    """One run over many rows, cycle by cycle from the host, so that it shows how far it is; a single entry."""
    walk, trace = begin(jax.tree.map(jnp.asarray, start)), []
    tolerance = max(way.tolerance, loose)
    while walk.change >= tolerance and walk.maps < way.max_maps:
        walk = one_cycle(walk, rows, way.ridge, accelerate=way.accelerate, by=way.by)
        trace.append(float(walk.objective))
        if say:
            say(int(walk.maps), trace[-1])
    kept = np.full(TRACE, np.nan)
    kept[: len(trace)] = trace[:TRACE]
    ended = Runs(walk.types, walk.objective, walk.maps, walk.change < tolerance, kept)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], ended)


def take(runs: Runs, index: Any) -> Runs:
    """Some of the runs."""
    return jax.tree.map(lambda leaf: leaf[np.asarray(index, int)], runs)


def join(*parts: Runs) -> Runs:
    """All of the runs."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def filled(types: Types, capacity: int) -> Types:
    """The same starts with the last one repeated up to `capacity`, so that one compiled program serves all numbers."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(np.concatenate([leaf, np.repeat(leaf[-1:], capacity - len(leaf), axis=0)])), types
    )


class Best(NamedTuple):
    """The best fit of each data set; the leading axis counts them."""

    types: Types
    objective: np.ndarray  # penalised observed log-likelihood
    converged: np.ndarray


def best_fits(
    starts: Sequence[Types], rows: Rows, *, tolerance: float = 1e-8, max_maps: int = 3000, ridge: float = 0.0
) -> Best:
    """The best of several starts for each of B data sets; those of the first data set come first.

    All starts run a little; only the most promising of a data set run until they converge.

    Args:
        starts: B times as many for each.
        rows: the data sets, as `stack_rows` lays them out.
    """
    sets = len(rows.weight)
    number, capacity = len(starts) // sets, -(-len(starts) // LANES) * LANES  # few capacities: each is a program
    flat: Types = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
    owner = np.repeat(np.arange(sets), number)
    mapped = stacked(rows)
    lanes = int(np.clip(WORK // (rows.weight[0].size * flat.gamma.shape[2]), 1, LANES))
    way = Way(tolerance, max_maps=max_maps, ridge=ridge)

    def run(begun: Types, owner: np.ndarray, way: Way) -> tuple[Runs, np.ndarray]:
        """The runs, and their objectives where they ended, by data set; one program serves all numbers of starts."""
        more = capacity - len(owner)
        begun, where = filled(begun, capacity), np.pad(owner, (0, more), mode="edge")
        runs = run_starts(begun, rows, way, number=len(owner), owner=where, mapped=mapped, lanes=lanes)
        ends = _ends(filled(runs.types, capacity), rows, where, way.ridge, mapped=mapped)[: len(owner)]
        return runs, np.nan_to_num(ends, nan=-np.inf).reshape(sets, -1)

    if number > KEEP:
        tried, score = run(flat, owner, way._replace(max_maps=SHORT))
        top = np.argsort(-score, axis=1, kind="stable")[:, :KEEP] + number * np.arange(sets)[:, None]
        flat, owner = take(tried, top.reshape(-1)).types, np.repeat(np.arange(sets), KEEP)
    ended, score = run(flat, owner, way)
    best = take(ended, score.argmax(axis=1) + score.shape[1] * np.arange(sets))
    return Best(best.types, score.max(axis=1), best.converged)


@partial(jax.jit, static_argnames="mapped")
def _ends(types: Types, rows: Rows, owner: Array, ridge: Array, *, mapped: tuple[str, ...]) -> Array:
    """Penalised observed log-likelihood of each solution on its data set."""

    def one(each: tuple[Types, Array]) -> Array:
        own, place = each
        return objective_of(own, rows._replace(**{name: getattr(rows, name)[place] for name in mapped}), ridge)

    return in_batches(one, (types, owner), LANES)


def mapped_axes(*mapped: str) -> Rows:
    """Which arrays of the rows differ between data sets, as `vmap` wants to know."""
    flags: list[Any] = [0 if name in mapped else None for name in Rows._fields]
    return Rows(*flags)
