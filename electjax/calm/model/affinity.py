"""How well a cell matches a candidate: g and its standardisation (calm.md sections 1, 2, 6).

    g_ack,d = e_cd' A_d z_akd,   A_d = fixed_d + rho_d band_d,

over (constituency, cell, party, axis), since candidates stand in a constituency and cells are the same everywhere. A
block that is unknown or does not apply is zero, so that after standardising it counts like a mismatch.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from electjax.calm.model.design import Design, Frame, Tensor, Weighting

CONSTANT = 1e2  # a spread of so many rounding errors is none
EXPLAINED = 1e-11  # what a projection leaves of the largest g is rounding, not a spread


class Standard(NamedTuple):
    """What the training set says of g; kept with the fit and used at prediction.

    Attributes:
        mean, sd: of each axis; the sd is 0 where g does not vary.
        projection: coefficients of g on (1, x), by party, where g is projected off the cell features.
    """

    mean: Float[Tensor, " d"]
    sd: Float[Tensor, " d"]
    projection: Float[Tensor, "k f1 d"] | None = None


class Affinity(NamedTuple):
    """g as the party head takes it and as it is; 0 for parties without a candidate."""

    g: Float[Tensor, "a c k d"]
    raw: Float[Tensor, "a c k d"]
    standard: Standard


class Moments(NamedTuple):
    """Weight, mean and sum of squared deviations of g so far."""

    weight: Float[Tensor, ""]
    mean: Float[Tensor, " d"]
    m2: Float[Tensor, " d"]


def build(frame: Frame, rho: Float[Tensor, " d"], design: Design, standard: Standard | None = None) -> Affinity:
    """g of every candidate and cell, standardised over the training set, whose cells are the frame's.

    Args:
        standard: of an earlier fit, for prediction; by default that of the frame.
    """
    found = raw(frame, rho)
    g = found
    if standard is None:
        projection = projection_of(g, frame, design.weighting) if design.project else None
        g = _off(g, frame, projection)
        standard = standard_of(g, frame, design.weighting)._replace(projection=projection)
    else:
        g = _off(g, frame, standard.projection)
    return Affinity(jnp.where(_stands(frame), standardise(g, standard), 0.0), found, standard)


def combined_kernel(frame: Frame, rho: Float[Tensor, " d"]) -> Float[Array, "d l l"]:
    """Proximity of a cell's category (row) to a candidate's (column), A(rho) of section 2."""
    return jnp.asarray(frame.fixed) + jnp.asarray(rho)[:, None, None] * frame.band


def raw(frame: Frame, rho: Float[Tensor, " d"]) -> Float[Array, "a c k d"]:
    """g as section 2 defines it; 0 where either side is unknown, outside a nest, or nobody stands."""
    cell = jnp.asarray(frame.cell_codes)[None, :, None, :]
    candidate = jnp.asarray(frame.candidate_codes)[:, None, :, :]
    axis = jnp.arange(cell.shape[-1])
    near = combined_kernel(frame, rho)[axis, jnp.maximum(cell, 0), jnp.maximum(candidate, 0)]
    near = jnp.where((cell >= 0) & (candidate >= 0), near, 0.0)
    near = jnp.where(frame.scalar, jnp.asarray(frame.candidate_values)[:, None, :, :], near)
    applies = jnp.asarray(frame.cell_gate)[None, :, None, :] & jnp.asarray(frame.candidate_gate)[:, None, :, :]
    return jnp.where(applies & _stands(frame), near, 0.0)


def weights_of(frame: Frame, weighting: Weighting = "plain") -> Float[Array, "a c k"]:
    """How often (a, c, k) counts: once for every booth that has the cell, or by the cell's electors.

    Parties without a candidate never count, nor do cells that no booth has.
    """
    weight = jnp.asarray(frame.presence if weighting == "plain" else frame.electors)
    return weight[:, :, None] * jnp.asarray(frame.fielded)[:, None, :]


def standard_of(g: Float[Tensor, "a c k d"], frame: Frame, weighting: Weighting = "plain") -> Standard:
    """Mean and sd of each component over (i, c, k) (section 2), in two passes."""
    return standard_from(moments_of(g, weights_of(frame, weighting)))


def standardise(g: Float[Tensor, "*more d"], standard: Standard) -> Float[Array, "*more d"]:
    """(g - mean) / sd, and 0 where the training set has no spread."""
    sd = jnp.asarray(standard.sd)
    return jnp.where(sd > 0, (jnp.asarray(g) - standard.mean) / jnp.where(sd > 0, sd, 1.0), 0.0)


def projection_of(g: Float[Tensor, "a c k d"], frame: Frame, weighting: Weighting = "plain") -> Float[Array, "k f1 d"]:
    """Weighted least squares of g on (1, x), party by party (section 6).

    What it takes away from eta'g lies in the span of gamma_k + x'beta_k, so that without penalties the model stays
    the same.
    """
    x = _with_one(frame)
    weight = weights_of(frame, weighting)
    gram = jnp.einsum("ck,cf,ch->kfh", weight.sum(axis=0), x, x)
    moment = jnp.einsum("ack,cf,ackd->kfd", weight, x, jnp.asarray(g))
    size = jnp.sqrt(jnp.diagonal(gram, axis1=1, axis2=2))
    scale = jnp.where(size > 0, 1 / jnp.where(size > 0, size, 1.0), 0.0)  # the inverse cuts off by relative size
    inverse = jnp.linalg.pinv(gram * scale[:, :, None] * scale[:, None, :], rtol=1e-10, hermitian=True)
    return scale[:, :, None] * (inverse @ (scale[:, :, None] * moment))


def moments_of(g: Float[Tensor, "*more d"], weight: Float[Tensor, "*more"]) -> Moments:
    """Moments of one chunk; what has weight 0 does not matter, whatever it holds."""
    g, weight = jnp.asarray(g).reshape(-1, g.shape[-1]), jnp.asarray(weight).reshape(-1, 1)
    g = jnp.where(weight > 0, g, 0.0)
    count = weight.sum()
    mean = (weight * g).sum(axis=0) / jnp.where(count > 0, count, 1.0)
    m2 = (weight * (g - mean) ** 2).sum(axis=0)
    largest = jnp.abs(g).max(axis=0, initial=0.0)
    rounding = count * (CONSTANT * jnp.finfo(g.dtype).eps * largest) ** 2
    return Moments(count, mean, jnp.where(m2 > rounding, m2, 0.0))


def standard_from(moments: Moments) -> Standard:
    """Mean and sd from moments; the derivative of an sd of 0 is 0."""
    variance = jnp.asarray(moments.m2) / jnp.where(moments.weight > 0, moments.weight, 1.0)
    some = variance > 0
    return Standard(jnp.asarray(moments.mean), jnp.where(some, jnp.sqrt(jnp.where(some, variance, 1.0)), 0.0))


def candidate_features(frame: Frame) -> Float[Array, "a k z"]:
    """z_k of section 1: one-hot blocks side by side, each as long as the longest; a scalar stands first in its block.

    Unknown and outside a nest is a zero block. `electjax.data.axes.trait_labels` names the columns.
    """
    z = _one_hot(frame, frame.candidate_codes)
    first = jnp.arange(z.shape[-1]) == 0
    value = jnp.where(first, jnp.asarray(frame.candidate_values)[..., None], 0.0)
    z = jnp.where(jnp.asarray(frame.scalar)[:, None], value, z)
    z = jnp.where((jnp.asarray(frame.candidate_gate) & jnp.asarray(frame.fielded)[..., None])[..., None], z, 0.0)
    return z.reshape(*z.shape[:2], -1)


def cell_features(frame: Frame) -> Float[Array, "c z"]:
    """e_c of section 2: the same blocks for cells; a scalar axis has a one, so that g = e' diag(A_d) z throughout."""
    e = _one_hot(frame, frame.cell_codes)
    first = jnp.arange(e.shape[-1]) == 0
    e = jnp.where(jnp.asarray(frame.scalar)[:, None], jnp.where(first, 1.0, 0.0), e)
    return jnp.where(jnp.asarray(frame.cell_gate)[..., None], e, 0.0).reshape(e.shape[0], -1)


def _one_hot(frame: Frame, codes: Tensor) -> Array:
    kinds = jnp.arange(frame.fixed.shape[-1])
    return (jnp.asarray(codes)[..., None] == kinds).astype(jnp.asarray(frame.fixed).dtype)


def _stands(frame: Frame) -> Array:
    return jnp.asarray(frame.fielded)[:, None, :, None]


def _with_one(frame: Frame) -> Array:
    x = jnp.asarray(frame.features)
    return jnp.concatenate([jnp.ones((x.shape[0], 1), x.dtype), x], axis=1)


def _off(g: Array, frame: Frame, projection: Float[Tensor, "k f1 d"] | None) -> Array:
    if projection is None:
        return g
    left = g - jnp.einsum("cf,kfd->ckd", _with_one(frame), projection)
    return jnp.where(jnp.abs(left) > EXPLAINED * jnp.abs(g).max(axis=(0, 1, 2), initial=0.0), left, 0.0)
