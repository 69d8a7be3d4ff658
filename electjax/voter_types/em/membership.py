"""M-step for pi and gamma: who belongs to which type (eqs. 2.5, 4.2, 5.1 to 5.3)."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from electjax.voter_types.em.menus import ROUNDING
from electjax.voter_types.em.mixture import LOG_ZERO

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
