"""Independence: what is certain to be wrong where parties have voters of their own, and so the least to beat."""

import jax
import jax.numpy as jnp

from electjax.ecological.model.data import ColumnHere, RowHere, Shares, UnitColumns, UnitRows

TITLE = "independence of rows and columns"


@jax.jit
def shares(rows: UnitRows, columns: UnitColumns, row_here: RowHere, column_here: ColumnHere) -> Shares:
    """Every row votes as the contest does."""
    votes = jnp.where(column_here, jnp.asarray(columns, float).sum(1), 0.0)
    of_all = votes / jnp.maximum(votes.sum(-1, keepdims=True), 1.0)
    return jnp.where(row_here[:, :, None], of_all[:, None, :], 0.0)
