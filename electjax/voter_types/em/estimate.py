"""Maximum likelihood of a mixture of voter types: many starts, better ones made from the best, then Newton's method.

Mixtures have many local maxima, and most random starts end in poor ones that share some of the best one's types.
Moves from good solutions reach in one round what thousands of random starts may miss: a type is given up for the split
of another, types of several solutions are crossed, types trade what they do in some offices, and solutions are shaken.
Split and merge moves are those of Ueda et al., "SMEM algorithm for mixture models", Neural Computation 12 (2000).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from electjax.numerics.host import host_generator
from electjax.voter_types.em.mixture import LOG_ZERO, Types, order_by_share
from electjax.voter_types.em.newton import BLURRED, SAME, Maximum, affordable, end_runs, local_maxima, types_at
from electjax.voter_types.em.rows import Profiles, Rows, lay_out
from electjax.voter_types.em.runs import LANES, Runs, Way, draw_starts, filled, join, run_long, run_starts, take

LOOSE = 1e-6  # relative change at which a start that is only to be compared stops
FULL_WORK = 2e7  # rows x cells x types x starts up to which every start is run to the end
KEPT, LONG = 0.2, 400  # share of the starts that go on otherwise, and for how many evaluations of the EM map at most
FEW, CAPACITY = 16, 256  # starts that need no large program; what it holds at least, so that one serves all
SCOUT = 8192  # voters on whom starts are compared where the rows are too many for that
FINALISTS = 3  # solutions of theirs that are run on all rows
BRIEF = 20  # Newton steps at most of the starts that are not the best
OFTEN = 0.2  # share of the starts that reached the best maximum, above which no moves are made


class Estimate(NamedTuple):
    """The best maximum found, types from the largest to the smallest, and the way there."""

    types: Types
    log_likelihood: float  # observed, without constants and without the penalty
    objective: float  # with the penalty
    gradient: float  # largest slope per unit of weight; NaN where Newton's method was not used
    converged: bool
    maps: int  # evaluations of the EM map of the run that ended here
    trace: np.ndarray  # objective after each cycle of that run
    runs: Runs  # every start as EM left it
    scouts: int  # voters of the sample that the starts were compared on; 0 where those are all
    maxima: list[Maximum]  # best first
    moves: int  # further starts, made from the best


def estimate(
    profiles: Profiles,
    *,
    types: int,
    key: Array,
    rows: Rows | None = None,
    restarts: int = 100,
    start: str | Types = "random",
    way: Way | None = None,
    prune: float | None = None,
    moves: bool = True,
    newton: bool = True,
    shared: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Estimate:
    """Fit `types` types to the profiles. Call it under `double_precision()`.

    Args:
        profiles: collapsed ballots.
        key: everything random comes from it, every start from its index.
        rows: the profiles laid out, where they already are.
        start: random, votes or kmeans (see `runs.py`), or the initial values themselves.
        moves: whether moves from the best solutions follow, unless the best one was found often.
        newton: whether Newton's method ends the search, where its Hessian is affordable.
        shared: one set of intercepts of psi for all offices; the rest as in `SearchOptions`.
    """
    way = way or Way()
    say = progress or (lambda done, total, text: None)
    key_start, key_move, key_scout = jax.random.split(key, 3)
    rows = lay_out(profiles) if rows is None else rows
    large = rows.cells is None
    scout = lay_out(sample_profiles(key_scout, profiles), layout="dense") if large else rows
    if isinstance(start, Types):
        starts, restarts = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], start), 1
    else:
        capacity = 1 << (restarts - 1).bit_length() if restarts <= FEW else max(CAPACITY, -(-restarts // LANES) * LANES)
        starts = draw_starts(key_start, scout, types=types, restarts=capacity, kind=start, shared=shared)
    run = partial(run_starts, number=restarts, loose=LOOSE) if large else partial(_run, restarts=restarts, prune=prune)
    runs = run(starts, scout, way)
    say(restarts, restarts, f"best of the starts: {runs.objective.max():.4f}")

    best, made = best_runs(runs), 0
    # starts near each other, as those by k-means are, may all miss the best
    often = start == "random" and np.mean(runs.objective > best.objective[0] - 1e-6 * abs(best.objective[0])) > OFTEN
    if moves and types > 1 and not often and isinstance(start, str):
        best, made = explore(key_move, runs, scout, way, capacity=max(capacity, CAPACITY), say=say)
    if large:
        best = _on_all_rows(best, rows, way, say)

    winner, gradient, same = take(best, [0]), np.nan, BLURRED
    ended = runs
    if newton and not large and affordable(winner.types, rows, runs=restarts + 1):
        ended, _ = end_runs(runs, rows, way, steps=BRIEF)
        both = join(winner, ended)
        winner, gradients = end_runs(take(both, [int(np.argmax(both.objective))]), rows, way)
        gradient, same = float(gradients[0]), SAME
    elif newton and affordable(winner.types, rows):
        winner, gradients = end_runs(winner, rows, way)
        gradient = float(gradients[0])
    elif not winner.converged[0] and not large:
        winner = winner._replace(**run_long(types_at(winner, 0), rows, way)._asdict())
    maxima = local_maxima(winner, take(ended, []) if large else ended, same=same)
    maxima = [each._replace(types=order_by_share(jax.tree.map(np.asarray, each.types), profiles)) for each in maxima]
    best_types, objective = maxima[0].types, maxima[0].objective
    trace: np.ndarray = winner.trace[0]
    return Estimate(
        types=best_types,
        log_likelihood=objective + way.ridge / 2 * float((np.asarray(best_types.gamma)[1:] ** 2).sum()),
        objective=objective,
        gradient=gradient,
        converged=bool(winner.converged[0]),
        maps=int(winner.maps[0]),
        trace=trace[np.isfinite(trace)],
        runs=runs,
        scouts=SCOUT if large else 0,
        maxima=maxima,
        moves=made,
    )


def sample_profiles(key: Array, profiles: Profiles) -> Profiles:
    """The rows of SCOUT voters drawn at random by weight, with all the weight."""
    share = profiles.weight / profiles.weight.sum()
    drawn = host_generator(key).multinomial(SCOUT, share)
    own = np.flatnonzero(drawn)
    part = {name: getattr(profiles, name)[own] for name in ("code", "square", "voters", "group")}
    return profiles._replace(**part, weight=drawn[own] * (profiles.weight.sum() / SCOUT))


def _run(starts: Types, rows: Rows, way: Way, *, restarts: int, prune: float | None) -> Runs:
    """All the starts run to the end; or shortly, and the best of them to the end."""
    assert rows.cells is not None
    work = float(rows.cells.size) * starts.gamma.shape[2] * restarts
    keep = (1.0 if work <= FULL_WORK else KEPT) if prune is None else prune
    if keep >= 1 or restarts == 1:
        return run_starts(starts, rows, way, number=restarts)
    short = run_starts(starts, rows, way, number=restarts, loose=LOOSE)
    order = np.argsort(-short.objective)
    best, rest = np.split(order, [max(1, round(keep * restarts))])
    chosen = take(short, best)
    way = way._replace(max_maps=min(way.max_maps, LONG))
    ended = run_starts(filled(chosen.types, len(starts.gamma)), rows, way, number=len(best))
    ended = ended._replace(maps=ended.maps + chosen.maps)
    back = np.argsort(np.concatenate([best, rest]))
    return take(join(ended, take(short, rest)._replace(converged=np.zeros(len(rest), bool))), back)


def _on_all_rows(pool: Runs, rows: Rows, way: Way, say: Callable[[int, int, str], None]) -> Runs:
    """The best solutions of the scouts run on all rows, and the best of those to the end; a single entry."""

    def tell(maps: int, objective: float) -> None:
        say(0, 0, f"all rows: {maps} evaluations, {objective:.4f}")

    number = min(FINALISTS, len(pool.objective))
    loose = join(*(run_long(types_at(pool, i), rows, way, loose=LOOSE, say=tell) for i in range(number)))
    first = take(loose, [int(np.argmax(loose.objective))])
    last = run_long(types_at(first, 0), rows, way, say=tell)
    trace = np.concatenate([run.trace[0][np.isfinite(run.trace[0])] for run in (first, last)])
    return last._replace(maps=last.maps + first.maps, trace=trace[None])


APART = 0.3  # solutions that moves are made from differ so much in log-likelihood: near copies add nothing
POOL = 16  # how many these are
FADE = 0.7  # by this factor each is a likelier parent than the next best
MOVES, FOLLOWED = 96, 24  # per round; those that go on after a short run
SHORT = 3e-5  # relative change at which that ends
FOLLOWED_MAPS = 250  # most evaluations of the EM map of those that go on: enough to tell whether they are better
GAIN = 1e-4  # in log-likelihood, below which a round gained nothing
ROUNDS, IDLE = 60, 12  # most rounds; rounds in a row without a gain that end the search
# shares of the kinds of moves; several types may be replaced at once
KINDS = {"cross": 0.1, "seed": 0.1, "split": 0.4, "swap": 0.25, "shake": 0.15}
AT_ONCE = (0.25, 0.35, 0.4)  # shares of one, two and three
SWAPPED, SHAKEN = 0.3, (0.03, 0.3)  # share of the offices swapped; how much noise shakes a solution


def best_runs(runs: Runs) -> Runs:
    """The POOL best runs, best first, no two of the same log-likelihood."""
    chosen: list[int] = []
    for i in np.argsort(-runs.objective):
        if len(chosen) == POOL:
            break
        if not chosen or runs.objective[chosen[-1]] - runs.objective[i] > APART:
            chosen.append(int(i))
    return take(runs, chosen)


def explore(
    key: Array, runs: Runs, rows: Rows, way: Way, *, capacity: int, say: Callable[[int, int, str], None]
) -> tuple[Runs, int]:
    """Rounds of moves from the best runs until they gain nothing: the best runs then, and how many starts it took.

    All moves get a short run, the best of them a full one. `capacity` is that of the compiled program, at least MOVES.
    """
    pool = best_runs(runs)
    allowed: np.ndarray = np.asarray(rows.mask.any(1))
    allowed = np.any(allowed, axis=0, keepdims=True) if runs.types.log_mu.shape[1] < len(allowed) else allowed
    idle = 0
    for turn in range(ROUNDS):
        before = pool.objective[0]
        moves = propose_moves(jax.random.fold_in(key, turn), pool.types, rows, allowed, number=MOVES)
        short = run_starts(filled(moves, capacity), rows, way, number=MOVES, loose=SHORT)
        kept = take(short, np.argsort(-short.objective)[:FOLLOWED])
        full = run_starts(filled(kept.types, capacity), rows, way._replace(max_maps=FOLLOWED_MAPS), number=FOLLOWED)
        pool = best_runs(join(pool, full))
        say(turn + 1, ROUNDS, f"moves from the best: {pool.objective[0]:.4f}")
        idle = 0 if pool.objective[0] > before + GAIN else idle + 1
        if idle == IDLE:
            break
    return pool, MOVES * (turn + 1)


def propose_moves(key: Array, pool: Types, rows: Rows, allowed: np.ndarray, *, number: int) -> Types:
    """`number` starts made from a pool of solutions, the best first.

    allowed: [J', O] the options that are on some menu.
    """
    random = host_generator(key)
    size = len(pool.gamma)
    chance = FADE ** np.arange(size)
    made = []
    for _ in range(number):
        parent = _member(pool, int(random.choice(size, p=chance / chance.sum())))
        kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
        if kind == "cross" and size > 1:
            made.append(_cross(random, parent, _member(pool, int(random.integers(size)))))
        elif kind == "swap" and len(allowed) > 1:
            made.append(_swap(random, parent, allowed))
        elif kind == "shake":
            made.append(_shake(random, parent, allowed))
        else:
            for _ in range(1 + int(random.choice(len(AT_ONCE), p=AT_ONCE))):
                seeded = kind == "seed"
                parent = _seed_row(random, parent, rows, allowed) if seeded else _split(random, parent, allowed)
            made.append(parent)
    return cast(Types, jax.tree.map(lambda *leaves: np.stack(leaves), *made))


def _member(pool: Types, index: int) -> Types:
    return Types(*(leaf[index] for leaf in pool))


def _split(random: np.random.Generator, parent: Types, allowed: np.ndarray) -> Types:
    """One type gives up its place to a noisy copy of another."""
    noise = random.exponential(size=allowed.shape) * allowed
    mix = random.uniform(0, 1, (len(allowed), 1)) * random.uniform(0.2, 1)
    return _replace_type(random, parent, noise, mix, allowed)


def _seed_row(random: np.random.Generator, parent: Types, rows: Rows, allowed: np.ndarray) -> Types:
    """One type gives up its place to the votes of a row, where it has any, and another's probabilities elsewhere."""
    assert rows.cells is not None
    assert rows.used is not None
    weight = np.asarray(rows.weight)
    row = random.choice(len(weight), p=np.sqrt(weight) / np.sqrt(weight).sum())
    votes = np.zeros(rows.mask.size)
    votes[np.asarray(rows.used)] = np.asarray(rows.cells[:, row])
    chosen = votes.reshape(rows.mask.shape).sum(1)
    chosen = chosen.sum(0, keepdims=True) if len(allowed) < len(chosen) else chosen
    mix = np.where(chosen.sum(-1, keepdims=True) > 0, random.uniform(0.4, 0.9), 0.0)
    return _replace_type(random, parent, chosen + 1e-12 * allowed, mix, allowed)


def _replace_type(
    random: np.random.Generator, parent: Types, other: np.ndarray, mix: np.ndarray, allowed: np.ndarray
) -> Types:
    """A random type becomes a mixture of another one and of given probabilities, and takes half of its share."""
    gamma, log_mu, delta = (np.array(leaf) for leaf in parent)
    types = gamma.shape[1]
    lost = int(random.integers(types))
    source = (lost + int(random.integers(1, types))) % types
    other = np.where(allowed, other, 1e-30)
    log_mu[lost] = _blend(log_mu[source], other, mix)
    delta[lost] = delta[source]
    gamma[:, lost] = gamma[:, source]
    gamma[0, [lost, source]] -= np.log(2)
    return _tidy(gamma, log_mu, delta)


def _swap(random: np.random.Generator, parent: Types, allowed: np.ndarray) -> Types:
    """Two types trade what they do in some of the offices; all move a little off the boundary."""
    log_mu = np.array(parent.log_mu)
    pair = random.choice(len(log_mu), 2, replace=False)
    some = random.random(len(allowed)) < SWAPPED
    log_mu[np.ix_(pair, some)] = log_mu[np.ix_(pair[::-1], some)]
    return _tidy(np.asarray(parent.gamma), _blend(log_mu, allowed, 0.02), np.asarray(parent.delta))


def _shake(random: np.random.Generator, parent: Types, allowed: np.ndarray) -> Types:
    """Noise on all probabilities."""
    noise = random.exponential(size=parent.log_mu.shape) * allowed
    log_mu = _blend(np.asarray(parent.log_mu), noise, random.uniform(*SHAKEN))
    return _tidy(np.asarray(parent.gamma), log_mu, np.asarray(parent.delta))


def _blend(log_mu: np.ndarray, other: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """log mu of a mixture with probabilities in proportion to `other`, which EM can leave zero from."""
    whole = np.maximum(other.sum(-1, keepdims=True), 1e-300)  # an office may have no option
    return np.asarray(np.log((1 - share) * np.exp(log_mu) + share * other / whole))


def _cross(random: np.random.Generator, one: Types, other: Types) -> Types:
    """As many types as each has, taken at random from both."""
    both = [
        np.concatenate([np.asarray(a), np.asarray(b)], axis) for a, b, axis in zip(one, other, (1, 0, 0), strict=True)
    ]
    types = np.shape(one.gamma)[1]
    own = random.permutation(2 * types)[:types]
    return _tidy(both[0][:, own], both[1][own], both[2][own])


def _tidy(gamma: np.ndarray, log_mu: np.ndarray, delta: np.ndarray) -> Types:
    """Shares that are not zero, normalised; with covariates the first type as the baseline."""
    gamma = np.maximum(gamma, np.log(1e-3)) if len(gamma) == 1 else gamma - gamma[:, :1]
    gamma = gamma - np.log(np.exp(gamma).sum()) if len(gamma) == 1 else gamma
    return Types(*(cast(Array, leaf) for leaf in (gamma, np.maximum(log_mu, LOG_ZERO), delta)))
