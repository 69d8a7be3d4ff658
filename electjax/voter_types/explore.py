"""Better maxima from those found: a type given up for the split of another, and types of several solutions crossed.

Mixtures have many local maxima, and most random starts end in poor ones that share some of the best one's types.
Moves from good solutions reach in one round what thousands of random starts may miss. Split and merge moves are
those of Ueda et al., "SMEM algorithm for mixture models", Neural Computation 12 (2000).
"""

from collections.abc import Callable
from typing import cast

import jax
import numpy as np
from jax import Array

from electjax.core.host import host_generator
from electjax.voter_types.mixture import LOG_ZERO, Types
from electjax.voter_types.restarts import LANES, Runs, Way, filled, join, run_starts, take
from electjax.voter_types.rows import Rows

APART = 1e-3  # solutions closer than this in log-likelihood count as one
GAIN = 1e-4  # in log-likelihood, below which a round of moves gained nothing
LOOSE = 1e-6  # relative change at which a start that is only to be compared stops
POOL = 6  # solutions that moves are made from
ROUNDS, IDLE = 24, 3  # most rounds; rounds in a row without a gain that end the search


def best_runs(runs: Runs, most: int = POOL) -> Runs:
    """The best runs, best first, no two of the same log-likelihood."""
    chosen: list[int] = []
    for i in np.argsort(-runs.objective):
        if len(chosen) == most:
            break
        if not chosen or runs.objective[chosen[-1]] - runs.objective[i] > APART:
            chosen.append(int(i))
    return take(runs, chosen)


def explore(
    key: Array, runs: Runs, rows: Rows, way: Way, *, capacity: int, say: Callable[[int, int, str], None]
) -> tuple[Runs, int]:
    """Rounds of moves from the best runs until they gain nothing: the best runs then, and how many starts it took.

    In each round the moves get a short run, and the best of them a full one. `capacity` is that of the compiled
    program.
    """
    pool = best_runs(runs)
    allowed: np.ndarray = np.asarray(rows.mask.any(1))
    allowed = np.any(allowed, axis=0, keepdims=True) if runs.types.log_mu.shape[1] < len(allowed) else allowed
    number = min(LANES, capacity)
    idle = 0
    for turn in range(ROUNDS):
        before = pool.objective[0]
        moves = propose_moves(jax.random.fold_in(key, turn), pool.types, allowed, number=number)
        short = run_starts(filled(moves, capacity), rows, way, number=number, loose=LOOSE)
        chosen = best_runs(short, max(1, number // 8))
        full = run_starts(filled(chosen.types, capacity), rows, way, number=len(chosen.objective))
        pool = best_runs(join(pool, full))
        say(turn + 1, ROUNDS, f"moves from the best: {pool.objective[0]:.4f}")
        idle = 0 if pool.objective[0] > before + GAIN else idle + 1
        if idle == IDLE:
            break
    return pool, number * (turn + 1)


def propose_moves(key: Array, pool: Types, allowed: np.ndarray, *, number: int) -> Types:
    """`number` starts made from a pool of solutions, the best first and likeliest; half by splits, half by crossing.

    allowed: [J', O] the options that are on some menu.
    """
    random = host_generator(key)
    size = len(pool.gamma)
    chance = 0.5 ** np.arange(size)
    made = []
    for i in range(number):
        parent = _member(pool, int(random.choice(size, p=chance / chance.sum())))
        if i % 2 and size > 1:
            made.append(_cross(random, parent, _member(pool, int(random.integers(size)))))
        else:
            made.append(_split(random, parent, allowed))
    found: Types = jax.tree.map(lambda *leaves: np.stack(leaves), *made)
    return found


def _member(pool: Types, index: int) -> Types:
    return Types(*(leaf[index] for leaf in pool))


def _split(random: np.random.Generator, parent: Types, allowed: np.ndarray) -> Types:
    """One type gives up its place to a noisy copy of another, or to a random one."""
    gamma, log_mu, delta = (np.array(leaf) for leaf in parent)
    types = gamma.shape[1]
    lost = random.integers(types)
    source = (lost + random.integers(1, types)) % types if types > 1 else lost
    noise = np.where(allowed, random.exponential(size=allowed.shape), 1e-30)
    noise /= noise.sum(-1, keepdims=True)
    mix = random.uniform(0, 1, (len(allowed), 1)) * random.uniform(0.2, 1)
    log_mu[lost] = np.log((1 - mix) * np.exp(log_mu[source]) + mix * noise)
    delta[lost] = delta[source]
    gamma[:, lost] = gamma[:, source]
    gamma[0, [lost, source]] -= np.log(2)
    return _tidy(gamma, log_mu, delta)


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
