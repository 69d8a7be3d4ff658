"""The table of local maxima that the starts ended in."""

from typing import NamedTuple

import jax
import numpy as np

from electjax.voter_types.em.mixture import Types
from electjax.voter_types.em.newton import newton_work, polish_all
from electjax.voter_types.em.restarts import Runs, Way
from electjax.voter_types.em.rows import Rows

SAME = 1e-4  # maxima of log-likelihoods closer than this are one
BLURRED = 1e-2  # the same for runs that Newton's method did not end
STATIONARY = 1e-8  # slope per unit of weight at which a run has converged
ONE_WORK = 5e11  # most operations of a Newton step of the best run
ONE_HELD = 1e8  # most numbers that it holds
ALL_WORK = 2e9  # operations per step up to which Newton's method ends every run


class Maximum(NamedTuple):
    """A local maximum and how many starts ended there; 0 where only moves reached it."""

    types: Types
    objective: float
    starts: int


def end_runs(runs: Runs, rows: Rows, way: Way, *, steps: int = 40) -> tuple[Runs, np.ndarray]:
    """The runs ended by Newton's method, and the largest slope that each leaves."""
    ended = polish_all(runs.types, rows, way.ridge, steps=steps)
    converged = np.asarray(runs.converged) | (ended.gradient < STATIONARY)
    return runs._replace(types=ended.types, objective=ended.objective, converged=converged), ended.gradient


def affordable(types: Types, rows: Rows, *, runs: int = 1) -> bool:
    """Whether Newton's method may end so many runs, in time and memory."""
    work, held = newton_work(types, rows)
    return held <= ONE_HELD and work * runs <= (ONE_WORK if runs == 1 else ALL_WORK)


def local_maxima(winner: Runs, runs: Runs, *, same: float) -> list[Maximum]:
    """The distinct maxima of the winner, of which there is one, and the starts; best first."""
    found = [Maximum(_one(winner, 0), float(winner.objective[0]), 0)]
    for i in np.argsort(-runs.objective):
        if abs(found[-1].objective - runs.objective[i]) <= same:
            found[-1] = found[-1]._replace(starts=found[-1].starts + 1)
        else:
            found.append(Maximum(_one(runs, int(i)), float(runs.objective[i]), 1))
    return found


def _one(runs: Runs, index: int) -> Types:
    types: Types = jax.tree.map(lambda leaf: leaf[index], runs.types)
    return types
