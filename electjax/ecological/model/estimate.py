"""Contests fitted jointly: the mode of the posterior, its curvature, and the tables it implies."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from electjax.ecological.model.balance import balance
from electjax.ecological.model.data import Assumed, Blocks, Contests, over_blocks
from electjax.ecological.model.problem import (
    Problem,
    arrow,
    first_point,
    in_surroundings,
    inverse_and_log_determinant,
    logits,
    of_contest,
    pose,
    regular,
    row_variance,
    value,
    within_rows,
)
from electjax.numerics.arrow import Arrow, Point, Search, begin, newton_arrow


class Mode(NamedTuple):
    """Where the posterior is highest.

    Attributes:
        point: parameters.
        eta: logits of the contests' cells.
        rho: logit of each contest's correlation.
        problem: what was computed with.
        steps, converged: of Newton's method.
        value: minus the log posterior, but for constants.
    """

    point: Point
    eta: Float[Array, "d r c"]
    rho: Float[Array, " d"]
    problem: Problem
    steps: int
    converged: bool
    value: float


class Tables(NamedTuple):
    """What was estimated, without labels.

    Attributes:
        found: the mode at the context assumed.
        units: tables of units, [B, m, R, C].
        contests: their sums, [D, R, C].
        others: tables of contests at other contexts.
        bounds: least and largest counts, [D, R, C] each.
        draws: [S, D, R, C].
        stopped: exponents at which the search ended before it converged.
        shared_sd: standard deviation of the shared parameters in the draws' approximation, [p]; without draws none.
    """

    found: Mode
    units: np.ndarray
    contests: np.ndarray
    others: dict[float, np.ndarray]
    bounds: tuple[np.ndarray, np.ndarray]
    draws: np.ndarray
    stopped: list[float]
    shared_sd: np.ndarray


def posed(blocks: Blocks, contests: Contests, assumed: Assumed, *, pairs: int) -> Problem:
    """`pose`, compiled: contests laid out with what is assumed of them."""
    # plain numbers would be of a weaker type, and have a program of their own
    return _pose(blocks, contests, Assumed(*(jnp.asarray(x, float) for x in assumed)), pairs)


def at_context(problem: Problem, beta: float) -> Problem:
    """The same problem at another exponent, by the same program."""
    return problem._replace(assumed=problem.assumed._replace(context=jnp.asarray(beta, float)))


def mode(problem: Problem, start: Point | None = None, *, tolerance: float, max_steps: int) -> Mode:
    """Climb to the mode. In double precision: call it under `double_precision`.

    Args:
        start: by default `first_point`.
        tolerance: stop when a step promises to raise the log posterior by less than this.
    """
    search = begin(_first(problem) if start is None else start)
    search = _search(problem, search, tolerance, max_steps)
    eta, rho = _logits(search.point, problem)
    return Mode(search.point, eta, rho, problem, int(search.steps), bool(search.done), float(search.value))


@jax.jit
def curvature(point: Point, problem: Problem) -> Arrow:
    """The arrow at a point, compiled."""
    return arrow(point, problem)


def expected_tables(eta: Float[Array, "d r c"], beta: Array | float, problem: Problem) -> Float[Array, "b m r c"]:
    """A_ur theta_urc of every unit."""

    def of_block(block: Blocks) -> Array:
        contest = of_contest(problem.contests, block.contest)
        logits = eta[block.contest]
        of_unit = jax.vmap(lambda rows: in_surroundings(logits, rows, contest.mix, contest.column_here, beta))
        return block.rows[:, :, None] * of_unit(block.rows)

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
        contest = of_contest(problem.contests, block.contest)
        logits, rate = eta[block.contest], jax.nn.sigmoid(rho[block.contest])

        def of_unit(margin: Array) -> Array:
            shares = in_surroundings(logits, margin, contest.mix, contest.column_here, beta)
            spread = jax.vmap(lambda v, s: within_rows(v[None], s[None]))(row_variance(margin, rate), shares)
            inverse, _ = inverse_and_log_determinant(regular(spread.sum(axis=0), margin))
            edge = spread.transpose(1, 0, 2).reshape(columns, rows * columns)
            free = spread[:, :, None, :] * jnp.eye(rows)[:, None, :, None]
            return free.reshape(rows * columns, rows * columns) - edge.T @ (inverse @ edge)

        return jax.vmap(of_unit)(block.rows).sum(axis=0)

    found = over_blocks(of_block, problem.blocks, numbers=2 * (rows * columns) ** 2)
    return jax.ops.segment_sum(found, problem.blocks.contest, num_segments=eta.shape[0])


_first = jax.jit(first_point)
_logits = jax.jit(logits)


@partial(jax.jit, static_argnames="pairs")
def _pose(blocks: Blocks, contests: Contests, assumed: Assumed, pairs: int) -> Problem:
    return pose(blocks, contests, assumed, pairs=pairs)


@jax.jit
def _search(problem: Problem, start: Search, tolerance: Array | float, until: Array | int) -> Search:
    return newton_arrow(
        lambda at: arrow(at, problem), lambda at: value(at, problem), start, tolerance=tolerance, until=until
    )
