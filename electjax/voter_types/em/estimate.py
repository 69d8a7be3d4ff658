"""Maximum likelihood of a mixture of voter types: many starts, better ones made from the best, then Newton's method."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from electjax.numerics.host import host_generator
from electjax.voter_types.em.explore import best_runs, explore
from electjax.voter_types.em.matching import order_by_share
from electjax.voter_types.em.maxima import BLURRED, SAME, Maximum, affordable, end_runs, local_maxima
from electjax.voter_types.em.mixture import Types
from electjax.voter_types.em.profiles import Profiles
from electjax.voter_types.em.restarts import LANES, Runs, Way, draw_starts, filled, join, run_long, run_starts, take
from electjax.voter_types.em.rows import Rows, lay_out

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
        types: K.
        key: everything random comes from it, every start from its index.
        rows: the profiles laid out, where they already are.
        restarts: number of starts.
        start: random, votes or kmeans (see `restarts.py`), or the initial values themselves.
        way: tolerance and acceleration of EM.
        prune: share of the starts that go on after a short run; by default all of them unless that is much work.
        moves: whether moves from the best solutions follow, unless the best one was found often.
        newton: whether Newton's method ends the search, where its Hessian is affordable.
        shared: one set of intercepts of psi for all offices.
        progress: called with what is done, what there is to do, and a line.
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
        winner = winner._replace(**run_long(_one(winner, 0), rows, way)._asdict())
    maxima = local_maxima(winner, take(ended, []) if large else ended, same=same)
    maxima = [each._replace(types=_ordered(each.types, profiles)) for each in maxima]
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


def sample_profiles(key: Array, profiles: Profiles, *, voters: int = SCOUT) -> Profiles:
    """The rows of so many voters drawn at random by weight, with all the weight."""
    share = profiles.weight / profiles.weight.sum()
    drawn = host_generator(key).multinomial(voters, share)
    own = np.flatnonzero(drawn)
    part = {name: getattr(profiles, name)[own] for name in ("code", "square", "voters", "group")}
    return profiles._replace(**part, weight=drawn[own] * (profiles.weight.sum() / voters))


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
    loose = join(*(run_long(_one(pool, i), rows, way, loose=LOOSE, say=tell) for i in range(number)))
    first = take(loose, [int(np.argmax(loose.objective))])
    last = run_long(_one(first, 0), rows, way, say=tell)
    trace = np.concatenate([run.trace[0][np.isfinite(run.trace[0])] for run in (first, last)])
    return last._replace(maps=last.maps + first.maps, trace=trace[None])


def _one(runs: Runs, index: int) -> Types:
    return jax.tree.map(lambda leaf: leaf[index], runs.types)


def _ordered(types: Types, profiles: Profiles) -> Types:
    return order_by_share(jax.tree.map(np.asarray, types), profiles)
