"""Tables brought to margins: nearest in Kullback-Leibler divergence, and inside bounds; what margins bound.

Leading axes are batches, whose tables stop together; what all tables of a batch share may come without these axes.
Margins of a table have one sum. A cell of padding, where the row or the column has a margin of 0, comes out as 0.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from electjax.numerics.covariance import Tensor

FLOOR = 1e-12  # of the independent table: a cell of 0 that bounds may open
FURTHEST = 1e100  # to keep a factor from 0 and infinity


@jax.jit
def balance(
    table: Real[Tensor, "*b r c"],
    rows: Real[Tensor, "... r"],
    columns: Real[Tensor, "... c"],
    *,
    steps: Array | int = 200,
    tolerance: Array | float = 1e-12,
) -> Float[Array, "*b r c"]:
    """Scale rows and columns in turn until the margins are met: iterative proportional fitting (Deming, Stephan 1940).

    The result has the table's odds ratios. A row or a column of zeros whose margin is positive becomes independent.
    Where other zeros of the table leave no solution, or the steps do not suffice, what is missing is added as the
    product of the gaps of rows and columns (Altschuler et al. 2017, algorithm 2), so that margins are met in any case.

    Args:
        table: at least 0; less counts as 0. Its scale does not matter.
        rows, columns: margins.
        steps: at most.
        tolerance: largest gap to stop at, as a share of the sum of a table.
    """
    rows, columns = _spread(table, rows, columns)
    table, filled = _apart(table, rows, columns)
    of_rows, of_columns = rows - filled.sum(-1), columns - filled.sum(-2)
    enough = tolerance * rows.sum(-1)

    def off(state: tuple[Array, Array, Array]) -> Array:
        step, _, gap = state
        return (step < steps) & (gap > enough).any()

    def sweep(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, table, _ = state
        table = table * _ratio(of_rows, table.sum(-1))[..., None]
        margin = table.sum(-2)
        return step + 1, table * _ratio(of_columns, margin)[..., None, :], jnp.abs(of_columns - margin).max(-1)

    start = (jnp.array(0), table, jnp.full(rows.shape[:-1], jnp.inf))
    return _met(jax.lax.while_loop(off, sweep, start)[1] + filled, rows, columns)


@jax.jit
def within(
    table: Real[Tensor, "*b r c"],
    rows: Real[Tensor, "... r"],
    columns: Real[Tensor, "... c"],
    low: Real[Tensor, "... r c"],
    high: Real[Tensor, "... r c"],
    *,
    steps: Array | int = 100,
    tolerance: Array | float = 1e-11,
) -> Float[Array, "*b r c"]:
    """The table inside bounds and with these margins that is nearest to a given one in Kullback-Leibler divergence.

    It is clip(table_rc a_r b_c, low_rc, high_rc), whose factors are found in turn, each one exactly (ascent of the dual
    by blocks), with Newton's step for all of them after each turn where it brings the margins nearer. Where no such
    table exists the bounds hold, and the margins as far as they can.

    Args:
        table, rows, columns, steps, tolerance: as for `balance`.
        low, high: bounds, those of `contest_bounds` for instance; the margins bound a cell besides.
    """
    rows, columns = _spread(table, rows, columns)
    high = jnp.minimum(high, jnp.minimum(rows[..., None], columns[..., None, :]))
    low = jnp.clip(jnp.asarray(low, float), 0.0, high)
    table = balance(table, rows, columns)
    floor = FLOOR * _independent(rows, columns)
    table = jnp.where(high > low, jnp.maximum(table, floor), 1.0)
    enough = tolerance * rows.sum(-1)

    def clipped(a: Array, b: Array) -> Array:
        return jnp.clip(table * a[..., None] * b[..., None, :], low, high)

    def missing(found: Array) -> tuple[Array, Array]:
        gaps = jnp.concatenate([rows - found.sum(-1), columns - found.sum(-2)], axis=-1)
        return gaps, jnp.abs(gaps).max(-1)

    def off(state: tuple[Array, Array, Array, Array]) -> Array:
        step, *_, gap = state
        return (step < steps) & (gap > enough).any()

    def turn(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        step, _, b, _ = state
        a = _factor(table * b[..., None, :], low, high, rows)
        b = _factor(_turned(table * a[..., None]), _turned(low), _turned(high), columns)
        found = clipped(a, b)
        gaps, gap = missing(found)
        move = jnp.exp(_newton(jnp.where((found > low) & (found < high), found, 0.0), gaps))
        new_a, new_b = a * move[..., : a.shape[-1]], b * move[..., a.shape[-1] :]
        left = missing(clipped(new_a, new_b))[1]
        better = left < gap
        a, b = (jnp.where(better[..., None], new, old) for new, old in ((new_a, a), (new_b, b)))
        return step + 1, a, b, jnp.where(better, left, gap)

    start = (jnp.array(0), jnp.ones_like(rows), jnp.ones_like(columns), jnp.full(rows.shape[:-1], jnp.inf))
    _, a, b, _ = jax.lax.while_loop(off, turn, start)
    return clipped(a, b)


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


def _spread(table: Tensor, rows: Tensor, columns: Tensor) -> tuple[Array, Array]:
    """The margins of every table of a batch."""
    *batch, r, c = table.shape
    rows, columns = jnp.asarray(rows, float), jnp.asarray(columns, float)
    return jnp.broadcast_to(rows, (*batch, r)), jnp.broadcast_to(columns, (*batch, c))


def _newton(free: Array, gaps: Array) -> Array:
    """Newton's step for the logarithms of all factors, from the cells that no bound holds and what margins lack."""
    rows, columns = free.sum(-1), free.sum(-2)
    upper = jnp.concatenate([rows[..., None] * jnp.eye(rows.shape[-1]), free], axis=-1)
    lower = jnp.concatenate([_turned(free), columns[..., None] * jnp.eye(columns.shape[-1])], axis=-1)
    slope = jnp.concatenate([upper, lower], axis=-2)
    # a little on the diagonal: factors of rows and of columns may trade a constant, and some may do nothing
    ridge = 1e-9 * jnp.concatenate([rows, columns], axis=-1) + 1e-30
    root = jnp.linalg.cholesky(slope + ridge[..., None] * jnp.eye(ridge.shape[-1]))
    step = jax.scipy.linalg.cho_solve((root, True), gaps[..., None])[..., 0]
    return jnp.nan_to_num(jnp.clip(step, -5.0, 5.0))


def _turned(table: Array) -> Array:
    return jnp.swapaxes(table, -1, -2)


def _ratio(wanted: Array, found: Array) -> Array:
    """What to multiply by; 0 where there is nothing."""
    return jnp.where(found > 0, wanted / jnp.where(found > 0, found, 1.0), 0.0)


def _independent(rows: Array, columns: Array) -> Array:
    return rows[..., None] * _ratio(columns, rows.sum(-1, keepdims=True))[..., None, :]


def _apart(table: Tensor, rows: Array, columns: Array) -> tuple[Array, Array]:
    """Rows and columns that have something, and the independent table of those that have only zeros."""
    here = (rows > 0)[..., None] & (columns > 0)[..., None, :]
    table = jnp.where(here, jnp.maximum(jnp.asarray(table, float), 0.0), 0.0)
    empty = (table.sum(-1) == 0)[..., None] | (table.sum(-2) == 0)[..., None, :]
    return table, jnp.where(empty, _independent(rows, columns), 0.0)


def _met(table: Array, rows: Array, columns: Array) -> Array:
    """A table of exactly these margins from one that nearly has them."""
    table = table * jnp.minimum(_ratio(rows, table.sum(-1)), 1.0)[..., None]
    table = table * jnp.minimum(_ratio(columns, table.sum(-2)), 1.0)[..., None, :]
    return table + _independent(jnp.maximum(rows - table.sum(-1), 0.0), jnp.maximum(columns - table.sum(-2), 0.0))


def _factor(y: Array, low: Array, high: Array, wanted: Array) -> Array:
    """a such that sum_c clip(a y_c, low_c, high_c) is what is wanted.

    The sum is linear in a between the places where a cell is at a bound. Looking at all of these takes the square of
    the cells, which are few, and no sorting.
    """
    y = jnp.where(high > low, y, 1.0)  # a cell without room has its value whatever the factors are
    places = jnp.clip(jnp.concatenate([low / y, high / y], axis=-1), 1.0 / FURTHEST, FURTHEST)
    found = jnp.clip(places[..., :, None] * y[..., None, :], low[..., None, :], high[..., None, :]).sum(-1)
    below, above = found <= wanted[..., None], found >= wanted[..., None]

    def pick(values: Array) -> tuple[Array, Array]:
        least, most = values.min(-1, keepdims=True), values.max(-1, keepdims=True)
        return jnp.where(below, values, least).max(-1), jnp.where(above, values, most).min(-1)

    (from_place, to_place), (from_sum, to_sum) = pick(places), pick(found)
    room = to_sum - from_sum
    part = jnp.where(room > 0, (wanted - from_sum) / jnp.where(room > 0, room, 1.0), 0.5)
    return from_place + jnp.clip(part, 0.0, 1.0) * (to_place - from_place)
