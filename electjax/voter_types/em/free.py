"""Which parameters of a solution are free, and those as one vector.

A probability of zero is no free parameter: the likelihood has its maximum there at the boundary, and no curvature
speaks of its error. An option that nobody could choose, or that nobody chose, is none either.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from electjax.voter_types.em.matching import sample_shares
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.profiles import NOTHING, Profiles

BOUNDARY = 1e-6  # a probability below it counts as zero


class Free(NamedTuple):
    """True where a parameter is free; host arrays. Each type and office has a reference option, pi a baseline type."""

    gamma: np.ndarray  # [P, K]
    log_mu: np.ndarray  # [K, J', O]; J' = 1 where offices share their intercepts
    delta: np.ndarray  # [K, Q]
    reference: np.ndarray  # [K, J'] the likeliest option
    baseline: int
    boundary: np.ndarray  # [K, J', O] probabilities that are zero though they need not be
    empty: np.ndarray  # [K] types without voters


def chosen_options(profiles: Profiles, *, shared: bool = False) -> np.ndarray:
    """The options that are on some menu and have votes, [J', O]."""
    offices, _, options = profiles.mask.shape
    voted = np.zeros((offices, profiles.mask.shape[1] * options), bool)
    row, office = np.nonzero(profiles.code != NOTHING)
    counted = profiles.weight[row] > 0
    voted[office[counted], profiles.code[row[counted], office[counted]]] = True
    found = (voted.reshape(profiles.mask.shape) & profiles.mask).any(1)
    return found.any(0, keepdims=True) if shared else found


def find_free(types: Types, profiles: Profiles, *, boundary: float = BOUNDARY) -> Free:
    """The free parameters at a solution."""
    gamma, log_mu, delta = (np.asarray(leaf) for leaf in types)
    offices = profiles.mask.shape[0]
    possible = np.broadcast_to(chosen_options(profiles, shared=log_mu.shape[1] < offices), log_mu.shape)
    shares = sample_shares(types, profiles)
    empty = shares < boundary
    mu = np.where(possible, np.exp(log_mu), 0.0)
    mu = mu / np.maximum(mu.sum(-1, keepdims=True), 1e-300)
    zero = possible & (mu < boundary)
    reference = mu.argmax(-1)
    own = possible & ~zero & ~empty[:, None, None]
    own &= np.arange(log_mu.shape[2]) != reference[..., None]
    baseline = int(shares.argmax()) if gamma.shape[0] == 1 else 0
    moves = np.ones(gamma.shape, bool)
    moves[:, baseline] = False
    if gamma.shape[0] == 1:
        moves[0, empty] = False
    effects = np.broadcast_to(~empty[:, None], delta.shape).copy()
    return Free(moves, own, effects, reference, baseline, zero & ~empty[:, None, None], empty)


def pack(types: Types, free: Free) -> Float[Array, "d"]:
    """The free parameters: gamma against the baseline, psi against the reference, delta, in this order."""
    psi = types.log_mu - jnp.take_along_axis(types.log_mu, jnp.asarray(free.reference)[..., None], axis=-1)
    gamma = types.gamma - types.gamma[:, free.baseline, None]
    return jnp.concatenate([gamma[free.gamma], psi[free.log_mu], types.delta[free.delta]])


def unpack(theta: Float[Array, "d"], types: Types, free: Free) -> Types:
    """The types with these free parameters; what is not free is zero, or stays at zero probability."""
    first, second = int(free.gamma.sum()), int(free.log_mu.sum())
    gamma = jnp.zeros(types.gamma.shape, theta.dtype).at[np.nonzero(free.gamma)].set(theta[:first])
    if gamma.shape[0] == 1:
        gamma = jax.nn.log_softmax(jnp.where(jnp.asarray(free.empty), LOG_ZERO, gamma))
    reference = np.arange(types.log_mu.shape[2]) == free.reference[..., None]
    psi = jnp.where(jnp.asarray(reference), 0.0, jnp.full(types.log_mu.shape, LOG_ZERO, theta.dtype))
    psi = psi.at[np.nonzero(free.log_mu)].set(theta[first : first + second])
    # a type without voters keeps what it has
    psi = jnp.where(jnp.asarray(free.empty)[:, None, None], types.log_mu, psi)
    delta = jnp.zeros(types.delta.shape, theta.dtype).at[np.nonzero(free.delta)].set(theta[first + second :])
    return Types(gamma, jax.nn.log_softmax(psi, axis=-1), delta)


def labels(free: Free) -> list[tuple[str, int, int, int]]:
    """What each free parameter is, with its indices.

    (gamma, term, type, -1), (psi, type, office, option) or (delta, type, feature, -1).
    """
    gamma = [("gamma", int(p), int(k), -1) for p, k in np.argwhere(free.gamma)]
    psi = [("psi", int(k), int(j), int(o)) for k, j, o in np.argwhere(free.log_mu)]
    return gamma + psi + [("delta", int(k), int(q), -1) for k, q in np.argwhere(free.delta)]
