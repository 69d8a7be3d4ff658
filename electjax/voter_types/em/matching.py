"""The order of the types: labels carry no meaning, so they are fixed by share, or by likeness to a reference.

Host arrays; the assignment is Hungarian (scipy), K^3 work instead of K! permutations.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from electjax.voter_types.em.mixture import Types
from electjax.voter_types.em.profiles import Profiles


def match_types(types: Types, reference: Types, shares: Any = None) -> Int[np.ndarray, " K"]:
    """Which of `types` comes closest to each type of the reference: `reorder(types, found)` lines up with it.

    Least total squared distance of mu, each reference type with the weight `shares` gives it (the same by default).
    Types beyond those of the reference come last, in their own order.
    """
    own, other = (np.exp(np.asarray(each.log_mu)) for each in (types, reference))
    cost = ((other[:, None] - own[None]) ** 2).sum((-1, -2))
    if shares is not None:
        cost = cost * np.asarray(shares)[:, None]
    _, column = linear_sum_assignment(cost)
    return np.concatenate([column, np.setdiff1d(np.arange(len(own)), column)])


def reorder(types: Types, permutation: Any) -> Types:
    """The types in another order; the first is the baseline of gamma, whose column of coefficients is zero.

    With an intercept alone gamma stays log pi. Leading axes of the arrays are kept.
    """
    gamma = types.gamma[..., permutation]
    if gamma.shape[-2] > 1:
        gamma = gamma - gamma[..., :1]
    return Types(gamma, types.log_mu[..., permutation, :, :], types.delta[..., permutation, :])


def sample_shares(types: Types, profiles: Profiles) -> Float[np.ndarray, " K"]:
    """Sample average of the voters' pi_i (end of section 5.1); without covariates simply pi."""
    pi = softmax(profiles.design @ np.asarray(types.gamma), axis=-1)
    size = np.bincount(profiles.group, profiles.weight, len(pi))
    return np.asarray(size @ pi / size.sum())


def order_by_share(types: Types, profiles: Profiles) -> Types:
    """The types from the largest to the smallest."""
    return reorder(types, np.argsort(-sample_shares(types, profiles), kind="stable"))


def stack(many: list[Types]) -> Types:
    """Several mixtures of the same shape along a leading axis."""
    found: Types = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *many)
    return found
