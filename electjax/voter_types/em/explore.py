"""Better maxima from those found: a type given up for the split of another, and types of several solutions crossed.

Besides, types trade what they do in some offices, and solutions are shaken.

Mixtures have many local maxima, and most random starts end in poor ones that share some of the best one's types.
Moves from good solutions reach in one round what thousands of random starts may miss. Split and merge moves are
those of Ueda et al., "SMEM algorithm for mixture models", Neural Computation 12 (2000).
"""

from collections.abc import Callable
from typing import cast

import jax
import numpy as np
from jax import Array

from electjax.numerics.host import host_generator
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.restarts import Runs, Way, filled, join, run_starts, take
from electjax.voter_types.em.rows import Rows

APART = 0.3  # solutions that moves are made from differ so much in log-likelihood: near copies add nothing
POOL = 16  # how many these are
FADE = 0.7  # by this factor each is a likelier parent than the next best
MOVES, KEPT = 96, 24  # per round; those that go on after a short run
SHORT = 3e-5  # relative change at which that ends
LONG = 250  # most evaluations of the EM map of those that go on: enough to tell whether they are better
GAIN = 1e-4  # in log-likelihood, below which a round gained nothing
ROUNDS, IDLE = 60, 12  # most rounds; rounds in a row without a gain that end the search
# shares of the kinds of moves; several types may be replaced at once
KINDS = {"cross": 0.1, "seed": 0.1, "split": 0.4, "swap": 0.25, "shake": 0.15}
AT_ONCE = (0.25, 0.35, 0.4)  # shares of one, two and three
SWAPPED, SHAKEN = 0.3, (0.03, 0.3)  # share of the offices swapped; how much noise shakes a solution


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
        kept = take(short, np.argsort(-short.objective)[:KEPT])
        full = run_starts(filled(kept.types, capacity), rows, way._replace(max_maps=LONG), number=KEPT)
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
    found: Types = jax.tree.map(lambda *leaves: np.stack(leaves), *made)
    return found


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
