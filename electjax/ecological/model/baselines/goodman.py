"""Goodman's regression."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Real

from electjax.numerics.covariance import Tensor

TITLE = "Goodman's regression"


@jax.jit
def shares(
    rows: Real[Tensor, "d u r"],
    columns: Real[Tensor, "d u c"],
    row_here: Bool[Tensor, "d r"],
    column_here: Bool[Tensor, "d c"],
) -> Float[Array, "d r c"]:
    """Least squares of the units' column shares on their row shares, weighted by voters (Goodman 1953).

    Nothing keeps theta between 0 and 1; its rows add up to 1 where the units tell all rows apart. Where they do not,
    theta is the solution of least norm.
    """

    def one(a: Array, b: Array) -> Array:
        weight = 1.0 / jnp.sqrt(jnp.maximum(a.sum(-1, keepdims=True), 1.0))
        theta: Array = jnp.linalg.lstsq(a * weight, b * weight)[0]
        return theta

    theta = jax.vmap(one)(jnp.asarray(rows, float), jnp.asarray(columns, float))
    return jnp.where(row_here[:, :, None] & column_here[:, None, :], theta, 0.0)
