"""What the margins of a unit say for certain about its cells (Duncan and Davis 1953)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from electjax.numerics.laplace import Tensor


def unit_bounds(
    rows: Real[Tensor, "*b r"], columns: Real[Tensor, "*b c"]
) -> tuple[Float[Array, "*b r c"], Float[Array, "*b r c"]]:
    """Least and largest count of every cell of tables with these margins, max(0, A + B - n) and min(A, B).

    Both are attained, each cell by itself. The two margins of a table have one sum, n.
    """
    row, column = jnp.asarray(rows, float)[..., None], jnp.asarray(columns, float)[..., None, :]
    low = jnp.maximum(row + column - row.sum(-2, keepdims=True), 0.0)
    # margins that are no whole numbers agree but for rounding, which must not put the least above the largest
    high = jnp.minimum(row, column)
    return jnp.minimum(low, high), high


def contest_bounds(
    rows: Real[Tensor, "*b u r"], columns: Real[Tensor, "*b u c"]
) -> tuple[Float[Array, "*b r c"], Float[Array, "*b r c"]]:
    """The same of a contest's table: the sums of its units' bounds, narrower than the bounds of its own margins."""
    low, high = unit_bounds(rows, columns)
    return low.sum(-3), high.sum(-3)
