"""Cell shares of a unit, and the likelihood of its column margins (context and overdispersion)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from electjax.numerics.choice import CONTEXT_FLOOR, choice

ROUNDING = 0.25  # variance added to every count, so that a unit of a few voters does not settle anything


class Expected(NamedTuple):
    """Mean [c] and covariance [c, c] of a unit's column margins, given those of its rows."""

    mean: Float[Array, "*u c"]
    covariance: Float[Array, "*u c c"]


def in_surroundings(
    eta: Float[Array, "r c"],
    rows: Float[Array, " r"],
    mix: Float[Array, " r"],
    here: Bool[Array, " c"],
    beta: Array | float,
) -> Float[Array, "r c"]:
    """Cell shares of a unit: theta_rc ((mu_uc + e) / (mu_c + e))^beta, scaled to 1 (as the context of `heads`).

    Args:
        eta: logits of the contest's cells.
        rows: row margins of the unit.
        mix: shares of the rows in the contest.
        here: columns that are there.
    """
    theta = choice(eta, here)
    near, far = rows @ theta / jnp.maximum(rows.sum(), 1.0), mix @ theta
    return choice(eta + beta * (jnp.log(near + CONTEXT_FLOOR) - jnp.log(far + CONTEXT_FLOOR)), here)


def slope_of_means(
    eta: Float[Array, "r c"],
    rows: Float[Array, " r"],
    mix: Float[Array, " r"],
    here: Bool[Array, " c"],
    beta: Array | float,
) -> Float[Array, "c rc"]:
    """Derivative of the unit's expected column margins in the logits of the contest's cells."""
    theta, size = choice(eta, here), jnp.maximum(rows.sum(), 1.0)
    near, far = rows @ theta / size, mix @ theta
    own = in_surroundings(eta, rows, mix, here, beta)

    def moved(shares: Array, weight: Array) -> Array:  # of weight @ softmax in its logits, [c, r, c]
        eye = jnp.eye(shares.shape[1])
        return weight[:, None] * (shares.T[:, :, None] * eye[:, None, :] - shares.T[:, :, None] * shares[None, :, :])

    direct = moved(own, rows)
    ratio = moved(theta, rows / size) / (near + CONTEXT_FLOOR)[:, None, None]
    ratio = ratio - moved(theta, mix) / (far + CONTEXT_FLOOR)[:, None, None]
    whole = direct + beta * jnp.einsum("cd,drk->crk", direct.sum(axis=1), ratio)
    return whole.reshape(here.shape[0], -1)


def expected(shares: Float[Array, "r c"], rows: Float[Array, " r"], rho: Float[Array, ""]) -> Expected:
    """Moments of the column margins: choices within a row of the unit are correlated by rho."""
    return Expected(rows @ shares, within_rows(row_variance(rows, rho), shares))


def regular(covariance: Float[Array, "c c"], counts: Float[Array, " n"]) -> Float[Array, "c c"]:
    """The covariance of counts whose sum is known, with that of rounding, made regular.

    Along their sum it is 0, and so is all that its inverse meets; what is put there is as large as the rest, so that
    nothing is lost to rounding where units are large.
    """
    return covariance + ROUNDING * jnp.eye(covariance.shape[0]) + counts.sum()


def within_rows(variance: Float[Array, " r"], shares: Float[Array, "r c"]) -> Float[Array, "c c"]:
    """sum_r v_r (diag theta_r - theta_r theta_r')."""
    spread = variance[:, None] * shares
    return jnp.diag(spread.sum(axis=0)) - spread.T @ shares


def row_variance(rows: Float[Array, "*u r"], rho: Float[Array, "..."]) -> Float[Array, "*u r"]:
    """A (1 + (A - 1) rho): variance of a count of A voters, over theta (1 - theta)."""
    return rows * (1.0 + jnp.maximum(rows - 1.0, 0.0) * rho)


def inverse_and_log_determinant(matrix: Float[Array, "c c"]) -> tuple[Float[Array, "c c"], Float[Array, ""]]:
    """Those of a small positive definite matrix, by sweeping one row after the other.

    Thousands of them at a time are plain vectorised arithmetic so, where LAPACK would be called for each.
    """

    def sweep(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        left, total = state
        pivot = left[k, k]
        line = left[k] / pivot
        swept = (left - line[:, None] * line * pivot).at[k].set(line).at[:, k].set(line)
        return swept.at[k, k].set(-1.0 / pivot), total + jnp.log(pivot)

    swept, total = jax.lax.fori_loop(0, matrix.shape[0], sweep, (matrix, jnp.zeros(())))
    return -swept, total
