"""Newton's method on the observed log-likelihood, from where EM has become slow.

It works on all of log mu, gamma and delta. Directions in which the likelihood does not change (a constant added to
log mu, an option on no menu) have no slope and no curvature, and stay as they are.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from electjax.voter_types.acceleration import valid
from electjax.voter_types.membership import penalty
from electjax.voter_types.mixture import Types, expect, log_choice, log_likelihood, log_shares
from electjax.voter_types.restarts import in_batches
from electjax.voter_types.rows import Rows

STEP = 3.0  # longest step of a coordinate
FLAT = 1e-9  # curvature per unit of weight below which a direction counts as flat
TANGENTS = 64  # columns of the Hessian at a time


class Polished(NamedTuple):
    """Where Newton's method ended."""

    types: Types
    objective: Array
    gradient: Array  # largest slope, per unit of weight
    steps: Array


def objective_of(types: Types, rows: Rows, ridge: Array | float) -> Array:
    """Penalised observed log-likelihood."""
    return log_likelihood(types, rows) - penalty(types.gamma, ridge)


def score(types: Types, rows: Rows, ridge: Array | float = 0.0) -> Types:
    """Gradient of the penalised observed log-likelihood: that of Q at its own expectations (Fisher's identity).

    No reverse pass over the rows, so that memory stays that of an E-step.
    """
    found = expect(types, rows)

    def complete(own: Types) -> Array:
        choice = (found.counts * log_choice(own, rows.mask, rows.x)).sum()
        return choice + (found.members * log_shares(own, rows.design)).sum() - penalty(own.gamma, jnp.asarray(ridge))

    return jax.grad(complete)(types)


def polish(
    types: Types, rows: Rows, ridge: Array | float, *, tolerance: float | Array = 1e-9, steps: int = 40
) -> Polished:
    """Damped Newton steps until no slope exceeds `tolerance` per unit of weight, or no step helps.

    Curvature of the wrong sign is turned round, so that the steps climb also from a saddle point.
    """
    theta, unravel = ravel_pytree(types)
    weight = rows.weight.sum()
    moves = ravel_pytree(_movable(types))[0]

    def value(theta: Array) -> Array:
        return objective_of(unravel(theta), rows, ridge) / weight

    def slope_of(theta: Array) -> Array:
        return jnp.where(moves, ravel_pytree(score(unravel(theta), rows, ridge))[0], 0.0) / weight

    def column(theta: Array, tangent: Array) -> Array:
        return jax.jvp(slope_of, (theta,), (tangent,))[1]

    def step(state: _State) -> _State:
        hessian = lax.map(partial(column, state.theta), jnp.diag(moves * 1.0), batch_size=TANGENTS)
        values, vectors = jnp.linalg.eigh(hessian)
        size = jnp.abs(values)
        move = vectors @ jnp.where(size > FLAT, (vectors.T @ state.slope) / jnp.where(size > FLAT, size, 1.0), 0.0)
        move = move * jnp.minimum(1.0, STEP / jnp.maximum(jnp.abs(move).max(), 1e-300))
        tries = 0.5 ** jnp.arange(0, 20, 2.0)
        ends = jax.vmap(lambda scale: ravel_pytree(valid(unravel(state.theta + scale * move)))[0])(tries)
        after = lax.map(value, ends)
        best = jnp.argmax(jnp.where(jnp.isfinite(after), after, -jnp.inf))
        good = after[best] > state.value
        theta = jnp.where(good, ends[best], state.theta)
        return _State(theta, jnp.where(good, after[best], state.value), slope_of(theta), good, state.steps + 1)

    def going(state: _State) -> Array:
        return state.good & (state.steps < steps) & (jnp.abs(state.slope).max() > tolerance)

    first = _State(theta, value(theta), slope_of(theta), jnp.asarray(True), jnp.zeros((), jnp.int32))
    last = lax.while_loop(going, step, first)
    return Polished(unravel(last.theta), last.value * weight, jnp.abs(last.slope).max(), last.steps)


class _State(NamedTuple):
    theta: Array
    value: Array
    slope: Array
    good: Array
    steps: Array


def newton_work(types: Types, rows: Rows) -> float:
    """Operations of one Newton step, roughly."""
    size = sum(np.size(leaf) for leaf in types)
    cells = rows.cells.size if rows.cells is not None else rows.weight.size * rows.mask.shape[0]
    return 12.0 * cells * types.gamma.shape[-1] * size + 10.0 * size**3


@partial(jax.jit, static_argnames=("steps", "lanes"))
def polish_all(
    types: Types, rows: Rows, ridge: Array | float, *, tolerance: float | Array = 1e-9, steps: int = 40, lanes: int = 16
) -> Polished:
    """`polish` for many solutions, a few at a time."""
    return in_batches(lambda own: polish(own, rows, ridge, tolerance=tolerance, steps=steps), types, lanes)


def _movable(types: Types) -> Types:
    """All parameters but gamma's first column where there are covariates: that is the baseline."""
    flags = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, bool), types)
    if types.gamma.shape[0] == 1:
        return flags
    return flags._replace(gamma=flags.gamma.at[:, 0].set(False))
