"""Goodman's regression with shares in the simplex."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from electjax.ecological.model.data import ColumnHere, RowHere, Shares, UnitColumns, UnitRows

TITLE = "constrained least squares"


@jax.jit
def shares(
    rows: UnitRows,
    columns: UnitColumns,
    row_here: RowHere,
    column_here: ColumnHere,
    *,
    steps: Array | int = 20_000,
    tolerance: Array | float = 1e-9,
) -> Shares:
    """The least squares of `goodman` among shares: rows of theta are at least 0 and add up to 1.

    Accelerated projected gradient (Beck and Teboulle 2009) that restarts where it would go uphill (O'Donoghue and
    Candes 2015). A row steps by 1 over its voters: they bound the curvature, because sum_s A_ur A_us / n_u over the
    rows s of a unit is A_ur, so that small rows move as fast as large ones.

    Args:
        steps: at most.
        tolerance: stop where no share would move by more in a step of the plain gradient.
    """

    def one(a: Array, b: Array, row: Array, column: Array) -> Array:
        weight = 1.0 / jnp.maximum(a.sum(-1, keepdims=True), 1.0)
        voters = jnp.maximum(a.sum(0), 1e-300)[:, None]
        curve, pull = (a * weight).T @ a / voters, (a * weight).T @ b / voters

        def off(state: tuple[Array, ...]) -> Array:
            return (state[0] < steps) & (state[-1] > tolerance)

        def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
            count, theta, ahead, pace, _ = state
            new = on_simplex(ahead - curve @ ahead + pull, column)
            uphill = (voters * (ahead - new) * (new - theta)).sum() > 0
            faster = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * pace**2))
            pace = jnp.where(uphill, 1.0, pace)
            further = jnp.where(uphill, new, new + (pace - 1.0) / faster * (new - theta))
            return count + 1, new, further, jnp.where(uphill, 1.0, faster), jnp.abs(new - ahead).max()

        start = jnp.where(column, b.sum(0), 0.0) / jnp.maximum(b.sum(), 1.0)
        theta = jnp.broadcast_to(start, pull.shape)
        state: tuple[Array, ...] = (jnp.array(0), theta, theta, jnp.array(1.0), jnp.array(jnp.inf))
        found: Array = jax.lax.while_loop(off, step, state)[1]
        return jnp.where(row[:, None], found, 0.0)

    return jax.vmap(one)(
        jnp.asarray(rows, float), jnp.asarray(columns, float), jnp.asarray(row_here), jnp.asarray(column_here)
    )


def on_simplex(x: Float[Array, "*b c"], here: Bool[Array, "..."]) -> Float[Array, "*b c"]:
    """The nearest shares: at least 0, together 1, and 0 where `here` is False.

    They are max(x - t, 0), where t is the largest of (sum - 1) / number over the entries from any one upwards.
    """
    x = jnp.where(here, x, -jnp.inf)
    upwards = (x[..., None, :] >= x[..., :, None]) & here[..., None, :]
    total = jnp.where(upwards, x[..., None, :], 0.0).sum(-1)
    level = jnp.where(here, (total - 1.0) / jnp.maximum(upwards.sum(-1), 1), -jnp.inf).max(-1, keepdims=True)
    return jnp.maximum(x - level, 0.0)
