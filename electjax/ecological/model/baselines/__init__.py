"""Classical estimates of a contest's cell shares, one share theta_rc per cell for all units of the contest.

A method is one file here. Its name is the file's, it has a `TITLE`, and a function `shares` that takes contests padded
to one shape (row margins [d, u, r], column margins [d, u, c], empty units, which rows and columns are there) and gives
theta [d, r, c], 0 in padding.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from electjax.ecological.model.balance import balance
from electjax.ecological.model.data import Shares, UnitColumns, UnitRows
from electjax.numerics.covariance import Tensor
from electjax.numerics.registry import modules_in


class Baseline(NamedTuple):
    """A method: its title, and the function that gives shares."""

    title: str
    shares: Callable[..., Any]


@cache
def baselines() -> dict[str, Baseline]:
    """The methods by name: every module of this folder is one."""
    return {name: Baseline(module.TITLE, module.shares) for name, module in modules_in(__name__).items()}


@jax.jit
def table_of(theta: Float[Tensor, "d r c"], rows: UnitRows, columns: UnitColumns) -> Shares:
    """Counts of a contest's cells: shares, those below 0 as 0, times the voters of the row, balanced to the margins."""
    of_rows, of_columns = (jnp.asarray(x, float).sum(1) for x in (rows, columns))
    return balance(jnp.maximum(theta, 0.0) * of_rows[:, :, None], of_rows, of_columns)
