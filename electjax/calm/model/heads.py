"""The two heads of CALM: turnout and party choice of every cell of a booth (calm.md sections 0, 3 and 4).

    logit pi_ic = alpha_0 + b_i^(T) + x_ic' beta_T + xi m_ic
    nu_ic,k     = gamma_k + b_ik^(P) + x_ic' beta_P,k + eta' g_ic,k + x_c' U z_k,    theta_ic = softmax(nu_ic)

x_ic holds the features of the cell and the covariates of the booth. All that a constituency's booths share is worked
out once, in `Terms`; a booth adds its own shift. So nothing of size booth x cell x party x axis is ever held.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from electjax.calm.model.affinity import Affinity, candidate_features
from electjax.calm.model.design import Booths, Design, Frame, Hyper, Shared
from electjax.numerics.choice import CONTEXT_FLOOR, choice


class Traits(NamedTuple):
    """What the heads need of a constituency, or, with a leading axis, of each.

    Attributes:
        g: standardised affinity, [c, k, d].
        m: affinity as the mobilisation takes it, summed over axes with their weights, [c, k].
        z: candidates' features, [k, z].
        fielded: [k].
        mix: shares of the cells among the electors, [c].
    """

    g: Float[Array, "*a c k d"]
    m: Float[Array, "*a c k"]
    z: Float[Array, "*a k z"]
    fielded: Bool[Array, "*a k"]
    mix: Float[Array, "*a c"]


class Terms(NamedTuple):
    """Utilities without what belongs to the booth: turnout [c], party [c, k], log mean shares of the context [k]."""

    turnout: Float[Array, "*a c"]
    party: Float[Array, "*a c k"]
    context: Float[Array, "*a k"]


class CellShares(NamedTuple):
    """pi [c]: turnout of a cell; theta [c, k]: shares of the parties among those of it who vote."""

    pi: Float[Array, "*i c"]
    theta: Float[Array, "*i c k"]


class Totals(NamedTuple):
    """Booth totals: T_hat, t_hat = T_hat / N and p_hat = V_hat / T_hat (calm.md section 0)."""

    polled: Float[Array, "*i"]
    turnout: Float[Array, "*i"]
    shares: Float[Array, "*i k"]


def contrast(parties: int, identification: str) -> Float[Array, "k h"]:
    """The K x (K-1) matrix that turns free party coefficients into K: orthonormal, or relative to the first party."""
    if identification == "reference":
        return jnp.eye(parties)[:, 1:]
    row, column = np.arange(parties)[:, None], np.arange(parties - 1)
    helmert = np.where(row <= column, 1.0, np.where(row == column + 1, -row, 0.0))  # a party against those before it
    return jnp.asarray(helmert / np.linalg.norm(helmert, axis=0))


def traits(frame: Frame, affinity: Affinity, hyper: Hyper, design: Design) -> Traits:
    """Put together what the heads need of every constituency."""
    met = affinity.raw if design.raw_mobilisation else affinity.g
    electors = jnp.asarray(frame.electors)
    mix = electors / jnp.maximum(electors.sum(axis=1, keepdims=True), 1.0)
    return Traits(affinity.g, met @ hyper.axis_weight, candidate_features(frame), jnp.asarray(frame.fielded), mix)


def terms(
    shared: Shared,
    own: Traits,
    features: Float[Array, "c f"],
    effects: tuple[Array | None, Array | None, Array | None],
    design: Design,
) -> Terms:
    """Utilities of a constituency's cells; `effects` are its rows of effect_T, effect_P and eta_constituency."""
    effect_T, effect_P, eta_own = effects
    number, basis = features.shape[1], contrast(own.fielded.shape[-1], design.identification)
    turnout = shared.alpha + features @ shared.beta_T[:number]
    free = shared.gamma + features @ shared.beta_P[:number]
    if effect_T is not None and effect_P is not None:
        turnout, free = turnout + effect_T, free + effect_P
    party = free @ basis.T
    if shared.eta is not None:
        eta = shared.eta if eta_own is None else shared.eta + eta_own
        party = party + (jnp.einsum("ckd,kd->ck", own.g, eta) if eta.ndim == 2 else own.g @ eta)
    if shared.left is not None and shared.right is not None:
        party = party + (features @ shared.left) @ (own.z @ shared.right).T
    if design.context:
        mean = own.mix @ choice(party, own.fielded)
        return Terms(turnout, party, jnp.log(mean + CONTEXT_FLOOR))
    return Terms(turnout, party, jnp.zeros_like(own.fielded, dtype=party.dtype))


def all_terms(shared: Shared, own: Traits, frame: Frame, design: Design) -> Terms:
    """`terms` of every constituency, stacked."""
    features = jnp.asarray(frame.features)
    effects = (shared.effect_T, shared.effect_P, shared.eta_constituency)
    return jax.vmap(lambda o, e: terms(shared, o, features, e, design))(own, effects)


def booth_cells(
    shared: Shared,
    of: Terms,
    own: Traits,
    booth: Booths,
    effect: tuple[Float[Array, ""], Float[Array, " h"]] | None,
    weights: Float[Array, " k"],
    hyper: Hyper,
    design: Design,
) -> CellShares:
    """Turnout and choice of the cells of one booth.

    Args:
        of, own: terms and traits of its constituency.
        booth: a row of Booths.
        effect: b_i^(T) and the free b_i^(P); None for none.
        weights: w_ik of the mobilisation.
    """
    basis = contrast(own.fielded.shape[0], design.identification)
    number = shared.beta_T.shape[0] - booth.covariates.shape[0]
    turnout = of.turnout + booth.covariates @ shared.beta_T[number:]
    free = booth.covariates @ shared.beta_P[number:]
    if effect is not None:
        turnout, free = turnout + effect[0], free + effect[1]
    if shared.xi is not None:
        turnout = turnout + shared.xi * (own.m @ weights)
    utility = of.party + basis @ free
    if design.context:
        mean = booth.sizes @ choice(of.party, own.fielded) / jnp.maximum(booth.sizes.sum(), 1.0)
        utility = utility + hyper.exponent * (jnp.log(mean + CONTEXT_FLOOR) - of.context)
    return CellShares(jax.nn.sigmoid(turnout), choice(utility, own.fielded))


def totals(sizes: Float[Array, " c"], cells: CellShares) -> Totals:
    """Sum the cells of a booth up."""
    voters = sizes * cells.pi
    polled = voters.sum()
    # a booth where nobody is expected to vote has shares of 0 rather than 0 / 0
    return Totals(polled, polled / jnp.maximum(sizes.sum(), 1.0), voters @ cells.theta / jnp.maximum(polled, 1e-30))


def mobilisation_weights(
    shares: Float[Array, "i k"], fielded: Bool[Array, "i k"], otherwise: Float[Array, "i k"]
) -> Float[Array, "i k"]:
    """w_ik: shares of the parties that stand, scaled to 1; `otherwise` where nothing is known (calm.md section 4)."""
    known = jnp.where(fielded, shares, 0.0)
    known = jnp.where(known.sum(axis=1, keepdims=True) > 0, known, jnp.where(fielded, otherwise, 0.0))
    total = known.sum(axis=1, keepdims=True)
    return jnp.where(total > 0, known / jnp.where(total > 0, total, 1.0), fielded / fielded.sum(axis=1, keepdims=True))
