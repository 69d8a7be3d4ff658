"""Newton's method on the observed log-likelihood, from where EM has become slow.

It works on all of log mu, delta and gamma. Directions in which the likelihood does not change (a constant added to
log mu, an option on no menu) have no slope and no curvature, and stay as they are.

Slope and curvature are closed forms (Louis, "Finding the observed information matrix when using the EM algorithm",
JRSS B 44, 1982): with s_k the slope of log Pr(Z = k, Y_u) that of log Pr(Y_u) is sum_k zeta_k s_k, and its curvature
sum_k zeta_k (curvature_k + s_k s_k') - (sum_k zeta_k s_k)(sum_k zeta_k s_k)'. As s_k is linear in the cells that a row
is in and in its covariates, all rows enter through weighted cross tables of these, one per pair of types. They are a
few matrix products, made on the host: there is nothing to compile.

The table of local maxima that the starts ended in.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import log_softmax

from electjax.voter_types.em.em_map import ROUNDING
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.rows import Rows
from electjax.voter_types.em.runs import Runs, Way

STEP = 3.0  # longest step of a coordinate
SLOPE = 1e-9  # per unit of weight, at which the steps end
FLAT = 1e-9  # curvature per unit of weight below which a direction counts as flat
SCALES = 0.25 ** np.arange(10)  # of a step, tried in turn
ENOUGH = 0.1  # share of what the slope promises that ends the trials; otherwise the best of them is taken
HELD = 1 << 23  # most numbers of a product that are held at a time


class Polished(NamedTuple):
    """Where Newton's method ended; the leading axis counts solutions."""

    types: Types
    objective: np.ndarray  # penalised observed log-likelihood
    gradient: np.ndarray  # largest slope, per unit of weight
    steps: np.ndarray


class _Slopes(NamedTuple):
    value: np.ndarray  # [R]
    slope: np.ndarray  # [R, K, D]
    curvature: np.ndarray  # [R, K, D, K, D]


def polish_all(types: Types, rows: Rows, ridge: float, *, steps: int = 40) -> Polished:
    """Damped Newton steps from every solution until no slope exceeds SLOPE per unit of weight, or no step helps.

    Curvature of the wrong sign is turned round, so that the steps climb also from a saddle point.
    """
    space = Space(rows, types, ridge)
    theta = space.pack(types)
    size = space.batch(theta)
    parts = [_polish(space, theta[first : first + size], steps) for first in range(0, len(theta), size)]
    theta, value, gradient, taken = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Polished(space.unpack(theta), value, gradient, taken)


def _polish(space: "Space", theta: np.ndarray, steps: int) -> tuple[np.ndarray, ...]:
    theta = theta.copy()
    value, gradient, taken = space.value(theta), np.full(len(theta), np.inf), np.zeros(len(theta), int)
    going = np.arange(len(theta))
    for step in range(steps + 1):
        found = space.slopes(theta[going])
        gradient[going] = np.abs(found.slope).max(axis=(1, 2)) / space.total
        more = gradient[going] > SLOPE
        if step == steps or not more.any():
            break
        going = going[more]
        move = space.free * _move(found.slope[more] / space.total, found.curvature[more] / space.total)
        promised = (found.slope[more] * move).sum(axis=(1, 2))
        best, end, left = np.full(len(going), -np.inf), theta[going], np.arange(len(going))
        for scale in SCALES:
            there = space.valid(theta[going[left]] + scale * move[left])
            after = space.value(there)
            better = after > best[left]
            end[left[better]], best[left[better]] = there[better], after[better]
            before = value[going[left]]
            left = left[~(after - before > ENOUGH * scale * promised[left] - ROUNDING * np.abs(before))]
            if not len(left):
                break
        good = best > value[going]
        going = going[good]
        theta[going], value[going] = end[good], best[good]
        taken[going] += 1
        if not len(going):
            break
    return theta, value, gradient, taken


def _move(slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Newton's step with the absolute values of the curvature's eigenvalues, none longer than STEP."""
    size = slope[0].size
    values, vectors = np.linalg.eigh(curvature.reshape(-1, size, size))
    along = (np.swapaxes(vectors, 1, 2) @ slope.reshape(-1, size, 1))[..., 0]
    curved = np.abs(values) > FLAT
    along = np.where(curved, along, 0.0) / np.where(curved, np.abs(values), 1.0)
    move = (vectors @ along[..., None])[..., 0]
    move *= np.minimum(1.0, STEP / np.maximum(np.abs(move).max(axis=1, keepdims=True), 1e-300))
    return move.reshape(slope.shape)


class Space:
    """The likelihood as a function of theta [R, K, D]: per type log mu, delta and gamma in one line."""

    def __init__(self, rows: Rows, types: Types, ridge: float) -> None:
        self.rows = rows
        self.mask, self.design = np.asarray(rows.mask), np.asarray(rows.design)
        self.offices, self.options = types.log_mu.shape[-2:]  # one office where all share their intercepts
        x = np.asarray(rows.x)
        self.choice = self.offices * self.options + x.shape[-1]
        own = np.zeros((*self.mask.shape, self.offices, self.options))
        places = np.arange(len(self.mask)) if self.offices > 1 else np.zeros(len(self.mask), int)
        for office, place in enumerate(places):
            own[office, :, np.arange(self.options), place, np.arange(self.options)] = 1.0
        # what each parameter adds to psi of each cell, [J, S, O, D_c]
        self.features = np.concatenate([own.reshape(*self.mask.shape, -1), x], axis=-1)
        self.used = np.arange(self.mask.size) if rows.used is None else np.asarray(rows.used)
        self.voters = np.zeros(len(self.design))  # weight of each row of the design
        np.add.at(self.voters, np.asarray(rows.group).ravel(), np.asarray(rows.weight).ravel())
        self.total = float(self.voters.sum())
        self.free = np.ones((types.gamma.shape[-1], self.choice + self.design.shape[1]))
        if self.design.shape[1] > 1:  # the first type is the baseline
            self.free[0, self.choice :] = 0.0
        self.penalised = np.full(self.design.shape[1], float(ridge))
        self.penalised[0] = 0.0

    def pack(self, types: Types) -> np.ndarray:
        """Theta of solutions."""
        gamma, log_mu, delta = (np.asarray(leaf, float) for leaf in types)
        flat = log_mu.reshape(*log_mu.shape[:2], -1)
        return np.concatenate([flat, delta, np.swapaxes(gamma, 1, 2)], axis=-1)

    def parts(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log mu [R, K, J', O], delta [R, K, Q] and gamma [R, K, P]."""
        log_mu, delta, gamma = np.split(theta, [self.offices * self.options, self.choice], axis=-1)
        return log_mu.reshape(*theta.shape[:2], self.offices, self.options), delta, gamma

    def unpack(self, theta: np.ndarray) -> Types:
        """Solutions of theta."""
        log_mu, delta, gamma = self.parts(theta)
        return Types(np.swapaxes(gamma, 1, 2), log_mu, delta)  # type: ignore[arg-type]

    def valid(self, theta: np.ndarray) -> np.ndarray:
        """Probabilities that sum to one again; parameters that ran away stay within what can be represented."""
        log_mu, delta, gamma = self.parts(theta)
        log_mu = np.maximum(log_softmax(log_mu, axis=-1), LOG_ZERO)
        if gamma.shape[-1] == 1:
            gamma = np.maximum(log_softmax(gamma, axis=1), LOG_ZERO)
        return np.concatenate([log_mu.reshape(*theta.shape[:2], -1), delta, gamma], axis=-1)

    def batch(self, theta: np.ndarray) -> int:
        """Solutions that are worked on at a time."""
        _, types, size = theta.shape
        width = len(self.used) + self.design.shape[1]
        rows = min(self.voters_held(), np.asarray(self.rows.weight).size)
        return max(1, HELD // max(types * rows, width * rows, (types * max(width, size)) ** 2))

    def voters_held(self) -> int:
        """Rows that are worked on at a time."""
        return max(256, HELD // (2 * (len(self.used) + self.design.shape[1])))

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Which cells some rows are in, 0/1 [U', C'], their weights [U'] and rows of the design [U']."""
        rows, size = self.rows, self.voters_held()
        weight, group = np.asarray(rows.weight), np.asarray(rows.group)
        if rows.cells is not None:
            cells = np.asarray(rows.cells).T
            for first in range(0, len(cells), size):
                part = slice(first, first + size)
                yield cells[part], weight[part], group[part]
            return
        block, column = np.asarray(rows.block), np.asarray(rows.column)
        for c in range(len(block)):
            for first in range(0, block.shape[2], size):
                part = slice(first, first + size)
                own = block[c, :, part]
                cells = np.zeros((own.shape[1], self.mask.size + 1))
                for pattern, places in zip(own, column, strict=True):
                    np.put_along_axis(cells, places[pattern], 1.0, axis=1)
                yield cells[:, :-1], weight[c, part], group[c, part]

    def choices(self, log_mu: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """log mu renormalised over each context's menu, [R, K, J, S, O] (eq. 4.6)."""
        psi = log_mu[:, :, :, None] + np.einsum("jsoq,rkq->rkjso", np.asarray(self.rows.x), delta)
        psi = np.where(self.mask, psi, 4 * LOG_ZERO)
        return np.where(self.mask, np.maximum(log_softmax(psi, axis=-1), LOG_ZERO), LOG_ZERO)

    def terms(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`choices`, these of the cells that rows are in [R, K, C'], log pi [R, K, G], and the penalty [R]."""
        log_mu, delta, gamma = self.parts(theta)
        log_choice = self.choices(log_mu, delta)
        table = log_choice.reshape(*theta.shape[:2], -1)[..., self.used]
        penalty = (self.penalised * gamma**2).sum((1, 2)) / 2
        return log_choice, table, log_softmax(gamma @ self.design.T, axis=1), penalty

    def value(self, theta: np.ndarray) -> np.ndarray:
        """Penalised observed log-likelihood, [R]."""
        _, table, share, penalty = self.terms(theta)
        value = -penalty
        for cells, weight, group in self.chunks():
            value += _log_sum(table @ cells.T + share[..., group])[0] @ weight
        return value

    def slopes(self, theta: np.ndarray) -> _Slopes:
        """The penalised observed log-likelihood with its slope and curvature."""
        log_choice, table, share, penalty = self.terms(theta)
        gamma = self.parts(theta)[2]
        number, types, columns = gamma.shape
        value = -penalty
        counts = np.zeros((number, types, len(self.used)))
        lean = np.zeros((number, types, columns))
        width = len(self.used) + columns
        cross = np.zeros((number, types, types, width, width))
        for cells, weight, group in self.chunks():
            design = self.design[group]
            joint = table @ cells.T + share[..., group]
            each, zeta = _log_sum(joint)
            value += each @ weight
            member = zeta * weight
            counts += member @ cells
            lean += (member - weight * np.exp(share[..., group])) @ design
            both = np.concatenate([cells, design], axis=1)
            for k in range(types):
                for other in range(k + 1):
                    wide = member[:, k] * ((k == other) - zeta[:, other])
                    cross[:, k, other] += (both.T * wide[:, None]) @ both
        for k in range(types):
            cross[:, :k, k] = cross[:, k, :k]
        return self._at_parameters(np.exp(log_choice) * self.mask, np.exp(share), gamma, value, counts, lean, cross)

    def _at_parameters(
        self,
        chance: np.ndarray,
        share: np.ndarray,
        gamma: np.ndarray,
        value: np.ndarray,
        counts: np.ndarray,
        lean: np.ndarray,
        cross: np.ndarray,
    ) -> _Slopes:
        """Slope and curvature in theta from those in the cells and covariates of the rows."""
        number, types, columns = gamma.shape
        mean = np.einsum("rkjso,jsod->rkjsd", chance, self.features)
        bend = (self.features - mean[:, :, :, :, None]).reshape(number, types, self.mask.size, self.choice)
        own = bend[:, :, self.used]  # what moves the table's cells
        width = self.choice + columns
        lift = np.zeros((number, types, len(self.used) + columns, width))
        lift[:, :, : len(self.used), : self.choice] = own
        lift[:, :, len(self.used) :, self.choice :] = np.eye(columns)

        slope = np.concatenate([(counts[:, :, None] @ own)[:, :, 0], lean - self.penalised * gamma], axis=-1)
        turned = np.swapaxes(lift, 2, 3)
        curvature = turned[:, :, None] @ cross @ lift[:, None]  # [R, K, K, D, D]
        votes = np.zeros((number, types, self.mask.size))
        votes[..., self.used] = counts
        offered = votes.reshape(number, types, *self.mask.shape).sum(-1, keepdims=True)  # votes in each context
        spread = (offered * chance).reshape(number, types, -1)
        each = np.arange(types)
        curvature[:, each, each, : self.choice, : self.choice] -= (np.swapaxes(bend, 2, 3) * spread[:, :, None]) @ bend
        for k in range(types):
            for other in range(types):
                wide = self.voters * share[:, k] * ((k == other) - share[:, other])
                curvature[:, k, other, self.choice :, self.choice :] -= (self.design.T * wide[:, None]) @ self.design
            curvature[:, k, k, self.choice :, self.choice :] -= np.diag(self.penalised)
        fixed = self.free[:, None, :, None] * self.free[None, :, None, :]
        slope, curvature = slope * self.free, curvature * fixed
        return _Slopes(value, slope, curvature.transpose(0, 1, 3, 2, 4))


def _log_sum(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log sum exp over the types, [R, U], and the share of each type in it, [R, K, U]."""
    top = joint.max(axis=1, keepdims=True)
    part = np.exp(joint - top)
    whole = part.sum(axis=1, keepdims=True)
    return (top + np.log(whole))[:, 0], part / whole


def newton_work(types: Any, rows: Rows) -> tuple[float, float]:
    """Operations of one Newton step, roughly, and the numbers that it holds."""
    kinds, size = types.gamma.shape[-1], sum(np.size(leaf) for leaf in types)
    cells = rows.mask.size if rows.used is None else rows.used.size
    width = cells + rows.design.shape[1]
    held = max((kinds * width) ** 2, size**2, 2 * rows.mask.size * size)
    return float(rows.weight.size) * width**2 * kinds**2 + 10.0 * size**3, float(held)


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
    found = [Maximum(types_at(winner, 0), float(winner.objective[0]), 0)]
    for i in np.argsort(-runs.objective):
        if abs(found[-1].objective - runs.objective[i]) <= same:
            found[-1] = found[-1]._replace(starts=found[-1].starts + 1)
        else:
            found.append(Maximum(types_at(runs, int(i)), float(runs.objective[i]), 1))
    return found


def types_at(runs: Runs, index: int) -> Types:
    """The parameters of one of the runs."""
    types: Types = jax.tree.map(lambda leaf: leaf[index], runs.types)
    return types
