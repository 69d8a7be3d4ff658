"""Cross-tables of units and contests: expected, and brought to the margins of every unit."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from electjax.ecological.model.balance import balance
from electjax.ecological.model.data import Blocks, over_blocks
from electjax.ecological.model.problem import Problem, of_contest
from electjax.ecological.model.unit import (
    in_surroundings,
    inverse_and_log_determinant,
    regular,
    row_variance,
    within_rows,
)


def expected_tables(eta: Float[Array, "d r c"], beta: Array | float, problem: Problem) -> Float[Array, "b m r c"]:
    """A_ur theta_urc of every unit."""

    def of_block(block: Blocks) -> Array:
        own = of_contest(problem.contests, block.contest)
        logits = eta[block.contest]
        shares = jax.vmap(lambda rows: in_surroundings(logits, rows, own.mix, own.column_here, beta))(block.rows)
        return block.rows[:, :, None] * shares

    return over_blocks(of_block, problem.blocks)


@jax.jit
def unit_tables(eta: Float[Array, "d r c"], beta: Array | float, problem: Problem) -> Float[Array, "b m r c"]:
    """Expected tables with the odds ratios of the model and the margins of each unit, so inside its bounds."""
    blocks = problem.blocks
    return balance(expected_tables(eta, beta, problem), blocks.rows, blocks.columns, steps=100, tolerance=1e-9)


def in_contests(tables: Float[Array, "b m *r"], problem: Problem) -> Float[Array, "d *r"]:
    """Sums over the units of each contest."""
    number = problem.contests.mix.shape[0]
    return jax.ops.segment_sum(tables.sum(axis=1), problem.blocks.contest, num_segments=number)


@jax.jit
def noise(
    eta: Float[Array, "d r c"], rho: Float[Array, " d"], beta: Array | float, problem: Problem
) -> Float[Array, "d rc rc"]:
    """Covariance of the votes in a contest's cells, given the logits and the margins of every unit.

    The votes in a row of a unit vary about its shares as in the likelihood; that all rows add up to the columns takes
    away what the margins tell.
    """
    rows, columns = problem.contests.pair.shape[1:]

    def of_block(block: Blocks) -> Array:
        own = of_contest(problem.contests, block.contest)
        logits, rate = eta[block.contest], jax.nn.sigmoid(rho[block.contest])

        def of_unit(margin: Array) -> Array:
            shares = in_surroundings(logits, margin, own.mix, own.column_here, beta)
            spread = jax.vmap(lambda v, s: within_rows(v[None], s[None]))(row_variance(margin, rate), shares)
            inverse, _ = inverse_and_log_determinant(regular(spread.sum(axis=0), margin))
            edge = spread.transpose(1, 0, 2).reshape(columns, rows * columns)
            free = spread[:, :, None, :] * jnp.eye(rows)[:, None, :, None]
            return free.reshape(rows * columns, rows * columns) - edge.T @ (inverse @ edge)

        return jax.vmap(of_unit)(block.rows).sum(axis=0)

    found = over_blocks(of_block, problem.blocks, numbers=2 * (rows * columns) ** 2)
    return jax.ops.segment_sum(found, problem.blocks.contest, num_segments=eta.shape[0])
