"""Goodman's regression."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from electjax.ecological.model.data import ColumnHere, RowHere, Shares, UnitColumns, UnitRows

TITLE = "Goodman's regression"


@jax.jit
def shares(rows: UnitRows, columns: UnitColumns, row_here: RowHere, column_here: ColumnHere) -> Shares:
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
