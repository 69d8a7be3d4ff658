"""The EM map, its acceleration by SQUAREM, and when to stop (sections 2.2 and 2.3).

SQUAREM: Varadhan and Roland, "Simple and globally convergent methods for accelerating the convergence of any EM
algorithm", Scandinavian Journal of Statistics 35 (2008), scheme S3. It steps in log mu, gamma and delta, where every
point is a distribution, and a step is taken only where the observed log-likelihood does not fall.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from electjax.voter_types.em.membership import maximise_shares, penalty
from electjax.voter_types.em.menus import maximise_choice
from electjax.voter_types.em.mixture import LOG_ZERO, Types, expect
from electjax.voter_types.em.rows import Rows

STRIDE = 4.0  # by this factor the longest extrapolation grows while extrapolations succeed
LONGEST = 1e6


class Walk(NamedTuple):
    """Where a run of EM stands."""

    types: Types
    objective: Array  # penalised observed log-likelihood one EM step before `types`, or more
    change: Array  # relative change of it over the last cycle, or the largest change of a probability
    longest: Array  # longest extrapolation allowed
    maps: Array  # evaluations of the EM map so far


def em_map(types: Types, rows: Rows, ridge: Array | float) -> tuple[Types, Array]:
    """One E-step and one M-step; also the penalised observed log-likelihood of the parameters that went in."""
    found = expect(types, rows)
    choice = maximise_choice(found.counts, types, rows.mask, rows.x)
    gamma = maximise_shares(found.members, types.gamma, rows.design, ridge)
    return choice._replace(gamma=gamma), found.log_likelihood - penalty(types.gamma, ridge)


def begin(types: Types) -> Walk:
    """A run that has not taken a step."""
    infinite = jnp.full((), jnp.inf)
    return Walk(types, -infinite, infinite, jnp.ones(()), jnp.zeros((), jnp.int32))


def em_cycle(walk: Walk, rows: Rows, ridge: Array | float, *, by: str = "log_likelihood") -> Walk:
    """One plain EM step."""
    types, objective = em_map(walk.types, rows, ridge)
    return Walk(types, objective, _change(walk, types, objective, by), walk.longest, walk.maps + 1)


def squarem_cycle(walk: Walk, rows: Rows, ridge: Array | float, *, by: str = "log_likelihood") -> Walk:
    """Two EM steps, an extrapolation, and an EM step from there if it is no worse; three evaluations of the map."""

    def step(i: Array, state: _Cycle) -> _Cycle:
        new, value = em_map(state.at, rows, ridge)
        far, stride = _extrapolate(walk.types, state.at, new, walk.longest)
        return _Cycle(
            _where(i == 1, far, new),
            _where(i < 2, new, state.twice),
            jnp.where(i < 2, value, state.middle),
            value,
            jnp.where(i == 1, stride, state.stride),
        )

    # a loop, so that the map is compiled once
    nothing = jnp.zeros_like(walk.objective)
    leap, twice, middle, there, stride = lax.fori_loop(
        0, 3, step, _Cycle(walk.types, walk.types, nothing, nothing, jnp.ones_like(walk.longest))
    )
    good = (there >= middle) & jnp.isfinite(there)
    types = _where(good, leap, twice)
    objective = jnp.where(good, there, middle)
    at_limit = stride >= walk.longest
    longest = jnp.where(good, jnp.where(at_limit, walk.longest * STRIDE, walk.longest), walk.longest / STRIDE)
    return Walk(types, objective, _change(walk, types, objective, by), jnp.clip(longest, 1.0, LONGEST), walk.maps + 3)


class _Cycle(NamedTuple):
    at: Types  # where the map is evaluated next
    twice: Types  # after two steps
    middle: Array  # objective after one step
    there: Array  # objective where the map was evaluated last
    stride: Array


def _extrapolate(start: Types, once: Types, twice: Types, longest: Array) -> tuple[Types, Array]:
    """The point that two EM steps point to, and how far it is in steps."""
    step = jax.tree.map(jnp.subtract, once, start)
    bend = jax.tree.map(lambda a, b, c: a - 2 * b + c, twice, once, start)
    length = jnp.sqrt(_square(step) / jnp.maximum(_square(bend), 1e-300))
    stride = jnp.clip(length, 1.0, longest)
    return valid(jax.tree.map(lambda a, s, b: a + 2 * stride * s + stride**2 * b, start, step, bend)), stride


def _where(choose: Array, one: Types, other: Types) -> Types:
    chosen: Types = jax.tree.map(lambda a, b: jnp.where(choose, a, b), one, other)
    return chosen


def _change(walk: Walk, types: Types, objective: Array, by: str) -> Array:
    if by == "log_likelihood":
        return jnp.abs(objective - walk.objective) / jnp.abs(objective)
    moved = jnp.abs(jnp.exp(types.log_mu) - jnp.exp(walk.types.log_mu)).max()
    shares = jnp.abs(jax.nn.softmax(types.gamma) - jax.nn.softmax(walk.types.gamma)).max()
    return jnp.maximum(moved, shares)


def _square(tree: Types) -> Array:
    return sum((leaf**2).sum() for leaf in jax.tree.leaves(tree))


def valid(types: Types) -> Types:
    """Probabilities that sum to one again; parameters that ran away stay within what can be represented."""
    gamma = types.gamma
    if gamma.shape[0] == 1:
        gamma = jnp.maximum(jax.nn.log_softmax(gamma, axis=-1), LOG_ZERO)
    return Types(gamma, jnp.maximum(jax.nn.log_softmax(types.log_mu, axis=-1), LOG_ZERO), types.delta)
