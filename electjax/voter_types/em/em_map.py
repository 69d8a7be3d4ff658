"""The EM map, its acceleration by SQUAREM, and when to stop (sections 2.2 and 2.3).

SQUAREM: Varadhan and Roland, "Simple and globally convergent methods for accelerating the convergence of any EM
algorithm", Scandinavian Journal of Statistics 35 (2008), scheme S3. It steps in log mu, gamma and delta, where every
point is a distribution, and a step is taken only where the observed log-likelihood does not fall.

M-step for mu, psi and delta: multinomial logits with varying menus on weighted counts (section 4, appendix C).

The likelihood of a type's votes needs only the counts n[k, j, s, l] per office, context and option. Without
restricted menus the maximum is a share (eqs. 2.6, 3.3); with menus it is Luce's choice model, and each office and
type is a problem of L dimensions of its own.

M-step for pi and gamma: who belongs to which type (eqs. 2.5, 4.2, 5.1 to 5.3).

The penalised observed log-likelihood and its gradient, on the device.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from electjax.voter_types.em.mixture import LOG_ZERO, Types, expect, log_choice, log_likelihood, log_shares
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


STEP = 4.0  # longest Newton step in psi
ROUNDING = 1e-13  # relative error of a sum: a step that loses less is taken, or Newton's method would stall there


def maximise_choice(counts: Float[Array, "K J S O"], types: Types, mask: Array, x: Array, *, rounds: int = 1) -> Types:
    """New `log_mu` and `delta`, at which Q is at least what it was; exact where every office has one menu.

    A type that holds no votes of an office keeps its probabilities there.
    """
    shared = types.log_mu.shape[1] < mask.shape[0]  # one set of intercepts for all offices
    if x.shape[-1] == 0 and mask.shape[1] == 1 and not shared:
        return types._replace(log_mu=_shares(counts[:, :, 0], types.log_mu))
    for _ in range(rounds):
        types = _intercepts(counts, types, mask, x, shared=shared)
        if x.shape[-1]:
            types = _effects(counts, types, mask, x)
    return types


def _shares(votes: Array, before: Array) -> Array:
    """log of the options' shares of the votes [K, J, O]."""
    total = votes.sum(-1, keepdims=True)
    share = jnp.log(jnp.where(votes > 0, votes, 1.0)) - jnp.log(jnp.where(total > 0, total, 1.0))
    return jnp.where(total > 0, jnp.where(votes > 0, jnp.maximum(share, LOG_ZERO), LOG_ZERO), before)


def _intercepts(counts: Array, types: Types, mask: Array, x: Array, *, shared: bool) -> Types:
    """A step that raises Q for sure (Hunter's minorisation), and a Newton step from there where that raises it more.

    The first treats options without votes exactly, where Newton would only creep towards minus infinity. Options and
    contexts are leading axes here, [S, O, K, J]: sums over few of them then run along many types and offices.
    """
    options = mask.shape[2]
    counts = counts.transpose(2, 3, 0, 1)
    mask = mask.transpose(1, 2, 0)[:, :, None]
    moved = jnp.einsum("jsoq,kq->sokj", x, types.delta) if x.shape[-1] else 0.0
    votes = counts.sum(0)  # [O, K, J]
    size = counts.sum(1, keepdims=True)  # [S, 1, K, J]

    def choices(log_mu: Array) -> Array:
        """`log_choice` in this order."""
        psi = log_mu[None] + moved
        norm = jax.nn.logsumexp(jnp.where(mask, psi, 4 * LOG_ZERO), axis=1, keepdims=True)
        return jnp.where(mask, jnp.maximum(psi - norm, LOG_ZERO), LOG_ZERO)

    def over(values: Array) -> Array:
        return values.sum(-1, keepdims=True) if shared else values

    def normalised(log_mu: Array) -> Array:
        return jnp.maximum(jax.nn.log_softmax(log_mu, axis=0), LOG_ZERO)

    def value(choices: Array) -> Array:
        return over((counts * choices).sum((0, 1)))

    before = types.log_mu.transpose(2, 0, 1)
    expected = over((size * jnp.exp(choices(before)) * mask).sum(0))
    own = over(votes)
    ratio = jnp.log(jnp.where(own > 0, own, 1.0)) - jnp.log(jnp.where(expected > 0, expected, 1.0))
    first = jnp.where(own > 0, before + jnp.where(expected > 0, ratio, 0.0), LOG_ZERO)
    first = normalised(jnp.where(own.sum(0, keepdims=True) > 0, first, before))

    at_first = choices(first)
    chance = jnp.exp(at_first) * mask
    weighted = size * chance
    level = over(weighted.sum(0))
    slope = own - level
    total = over(size.sum((0, 1)))
    jitter = 1e-12 * total + 1e-300
    # a constant added to psi changes nothing: the ones make the matrix regular without touching the step
    diagonal = jnp.eye(options)[:, :, None, None] * (level + jitter)
    curve = total / options + diagonal - over((weighted[:, :, None] * chance[:, None]).sum(0))
    step = jnp.clip(jnp.stack(_solve([list(row) for row in curve], list(slope))), -STEP, STEP)
    second = normalised(jnp.where(own > 0, first + step, first))
    before_value, after_value = value(at_first), value(choices(second))
    better = after_value > before_value - ROUNDING * jnp.abs(before_value)
    return types._replace(log_mu=jnp.where(better, second, first).transpose(1, 2, 0))


def _effects(counts: Array, types: Types, mask: Array, x: Array) -> Types:
    """A damped Newton step for delta of each type with the intercepts held."""
    size = counts.sum(-1)

    def value(delta: Array) -> Array:
        """The part of Q that mu and delta decide, by type: sum_sl n log mu (eqs. 4.4, C.1)."""
        return (counts * log_choice(types._replace(delta=delta), mask, x)).sum((-1, -2)).sum(-1)

    chance = jnp.exp(log_choice(types, mask, x)) * mask
    mean = jnp.einsum("kjso,jsoq->kjsq", chance, x)
    slope = jnp.einsum("kjso,jsoq->kq", counts, x) - jnp.einsum("kjs,kjsq->kq", size, mean)
    curve = jnp.einsum("kjs,kjso,jsoq,jsor->kqr", size, chance, x, x) - jnp.einsum(
        "kjs,kjsq,kjsr->kqr", size, mean, mean
    )
    scale = jnp.trace(curve, axis1=1, axis2=2)[:, None, None]
    regular = curve + (1e-10 * scale + 1e-300) * jnp.eye(x.shape[-1])
    step = jnp.stack(_solve([list(row) for row in jnp.moveaxis(regular, 0, -1)], list(slope.T)), axis=-1)
    tries = 0.5 ** jnp.arange(6)
    before = value(types.delta)
    values = jax.vmap(lambda t: value(types.delta + t * step))(tries)  # [tries, K]
    good = values >= before - ROUNDING * jnp.abs(before)
    chosen = jnp.where(good.any(0), tries[jnp.argmax(good, axis=0)], 0.0)
    return types._replace(delta=types.delta + chosen[:, None] * step)


def _solve(matrix: list[list[Array]], vector: list[Array]) -> list[Array]:
    """Solve many small positive definite systems, given by their entries, by elimination side by side."""
    rows = [[*row, right] for row, right in zip(matrix, vector, strict=True)]
    for i in range(len(rows)):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for other in range(len(rows)):
            if other != i:
                factor = rows[other][i]
                rows[other] = [value - factor * pivot for value, pivot in zip(rows[other], rows[i], strict=True)]
    return [row[-1] for row in rows]


BLOCK = 2048  # rows whose products of covariates stay in the cache


def maximise_shares(
    members: Float[Array, "G K"], gamma: Float[Array, "P K"], design: Float[Array, "G P"], ridge: Array | float
) -> Float[Array, "P K"]:
    """New gamma, at which the penalised Q is at least what it was.

    With an intercept alone this is eq. 2.5. With covariates it is one damped Newton step of the weighted multinomial
    logit from the gamma before, the first type as the baseline; ridge shrinks the slopes, not the intercepts.
    """
    if design.shape[1] == 1:
        total = members.sum(0)
        share = jnp.log(jnp.where(total > 0, total, 1.0)) - jnp.log(total.sum())
        return jnp.where(total > 0, jnp.maximum(share, LOG_ZERO), LOG_ZERO)[None]
    types = gamma.shape[1]
    if types == 1:
        return gamma
    size = members.sum(1)

    def value(gamma: Array) -> Array:
        return (members * jax.nn.log_softmax(design @ gamma, axis=-1)).sum() - penalty(gamma, ridge)

    share = jnp.exp(jax.nn.log_softmax(design @ gamma, axis=-1))  # as in `value`, and in the E-step: computed once
    slope = design.T @ (members - size[:, None] * share)
    slope = (slope - _shrink(gamma, ridge) * gamma)[:, 1:]
    curve = _curvature(share[:, 1:], size, design)
    regular = _shrink(gamma, ridge)[:, 1:].T.reshape(-1)  # [(K - 1) P], types first
    flat = slope.T.reshape(-1)
    jitter = 1e-12 * jnp.trace(curve) + 1e-300
    step = jnp.linalg.solve(curve + jnp.diag(regular + jitter), flat)
    step = jnp.pad(step.reshape(types - 1, -1).T, ((0, 0), (1, 0)))
    before = value(gamma)
    least = before - ROUNDING * jnp.abs(before)

    def halve(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        return carry[0] / 2, value(gamma + carry[0] / 2 * step)

    scale, after = lax.while_loop(
        lambda carry: ~(carry[1] >= least) & (carry[0] > 1e-6), halve, (jnp.ones(()), value(gamma + step))
    )
    return jnp.where(after >= least, gamma + scale * step, gamma)


def penalty(gamma: Array, ridge: Array | float) -> Array:
    """ridge / 2 times the sum of the squared slopes."""
    return ridge / 2 * (gamma[1:] ** 2).sum()


def _shrink(gamma: Array, ridge: Array | float) -> Array:
    return jnp.broadcast_to(ridge, gamma.shape).at[0].set(0.0)


def _curvature(share: Array, size: Array, design: Array) -> Array:
    """sum_g m_g (diag pi_g - pi_g pi_g') x V_g V_g', [(K - 1) P] squared, from products of distinct pairs only."""
    types, columns = share.shape[1], design.shape[1]
    first, second = np.triu_indices(types)
    p, q = np.triu_indices(columns)

    def pairs_of(share: Array, size: Array, design: Array) -> Array:
        weight = size[:, None] * share[:, first] * ((first == second) - share[:, second])
        return weight.T @ (design[:, p] * design[:, q])

    whole = len(design) // BLOCK * BLOCK  # the rest is worked off by itself
    pairs = pairs_of(share[whole:], size[whole:], design[whole:])
    if whole:
        parts = [x[:whole].reshape(-1, BLOCK, *x.shape[1:]) for x in (share, size, design)]
        pairs, _ = lax.scan(lambda total, part: (total + pairs_of(*part), None), pairs, parts)
    square = jnp.zeros((types, types, len(p)), pairs.dtype).at[first, second].set(pairs).at[second, first].set(pairs)
    full = jnp.zeros((types, types, columns, columns), pairs.dtype)
    full = full.at[:, :, p, q].set(square).at[:, :, q, p].set(square)
    return full.transpose(0, 2, 1, 3).reshape(types * columns, types * columns)


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
