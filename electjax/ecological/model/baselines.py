"""The classical estimates of a contest's cell shares, one share theta_rc per cell for all units of the contest.

Each takes contests padded to one shape (row margins [d, u, r], column margins [d, u, c], empty units, which rows and
columns are there) and gives theta [d, r, c], 0 in padding; `table_of` makes a table of it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real

from electjax.ecological.model.balance import balance
from electjax.ecological.model.data import Blocks, in_blocks
from electjax.numerics.laplace import Tensor


@jax.jit
def independence(
    rows: Real[Tensor, "d u r"],
    columns: Real[Tensor, "d u c"],
    row_here: Bool[Tensor, "d r"],
    column_here: Bool[Tensor, "d c"],
) -> Float[Array, "d r c"]:
    """Every row votes as the contest does."""
    votes = jnp.where(column_here, jnp.asarray(columns, float).sum(1), 0.0)
    shares = votes / jnp.maximum(votes.sum(-1, keepdims=True), 1.0)
    return jnp.where(row_here[:, :, None], shares[:, None, :], 0.0)


@jax.jit
def goodman(
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


@jax.jit
def constrained(
    rows: Real[Tensor, "d u r"],
    columns: Real[Tensor, "d u c"],
    row_here: Bool[Tensor, "d r"],
    column_here: Bool[Tensor, "d c"],
    *,
    steps: Array | int = 20_000,
    tolerance: Array | float = 1e-9,
) -> Float[Array, "d r c"]:
    """The least squares of `goodman` among shares: rows of theta are at least 0 and add up to 1.

    Accelerated projected gradient (Beck and Teboulle 2009) that restarts where it would go uphill (O'Donoghue and
    Candes 2015). A row steps by 1 over its voters: they bound the curvature, because sum_s A_ur A_us / n_u over the
    rows s of a unit is A_ur, so that small rows move as fast as large ones.

    Args:
        rows, columns, row_here, column_here: as everywhere here.
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

    return jax.vmap(one)(*_floats(rows, columns), jnp.asarray(row_here), jnp.asarray(column_here))


def multinomial_em(
    rows: Real[Tensor, "d u r"],
    columns: Real[Tensor, "d u c"],
    row_here: Bool[Tensor, "d r"],
    column_here: Bool[Tensor, "d c"],
    *,
    steps: int = 20_000,
    tolerance: float = 0.1,
) -> Float[Array, "d r c"]:
    """Maximum likelihood of `log_likelihood` by EM: the votes of a column of a unit are shared out among its rows.

    Pairs of steps are extrapolated as by SQUAREM (Varadhan and Roland 2008, scheme S3, here in log theta) where this
    certainly raises the log-likelihood, which so never falls. It is concave: what is found is the maximum of all.

    Args:
        rows, columns, row_here, column_here: as everywhere here, on the host.
        steps: evaluations of `em_step` at most.
        tolerance: stop where the maximum is certainly less than this far away, in units of log-likelihood.
    """
    rows, columns = np.asarray(rows, float), np.asarray(columns, float)
    contest, unit = np.nonzero(rows.sum(-1))
    blocks = in_blocks(rows[contest, unit], columns[contest, unit], contest)  # contests differ in units many times over
    start = independence(rows, columns, np.ones(row_here.shape, bool), column_here)
    found = _climb(start, blocks, jnp.asarray(column_here)[:, None, :], steps, tolerance)
    return jnp.where(jnp.asarray(row_here)[:, :, None], found, 0.0)


@jax.jit
def _climb(theta: Array, blocks: Blocks, here: Array, steps: Array | int, tolerance: Array | float) -> Array:
    def inner(a: Array, b: Array) -> Array:
        return (a * b).sum((1, 2), keepdims=True)

    def to_gain(theta: Array, slope: Array) -> Array:
        # what a concave function can gain is at most its slope to the best corner
        return (jnp.where(here, slope, 0.0).max(-1) - (theta * slope).sum(-1)).sum(-1)

    def off(state: tuple[Array, ...]) -> Array:
        return (state[0] < steps) & (state[-1] > tolerance).any()

    def cycle(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, theta, longest, _ = state
        once, _ = em_step(theta, blocks)
        twice, slope = em_step(once, blocks)
        step = _log(once) - _log(theta)
        bend = _log(twice) - _log(once) - step
        stride = jnp.clip(jnp.sqrt(inner(step, step) / jnp.maximum(inner(bend, bend), 1e-300)), 1.0, longest)
        far = jax.nn.softmax(jnp.where(here, _log(theta) + 2.0 * stride * step + stride**2 * bend, -jnp.inf))
        leap, slope_there = em_step(far, blocks)
        # still uphill there, a concave function has risen all the way
        good = inner(slope_there, far - theta) >= 0.0
        gap = jnp.where(good[:, 0, 0], to_gain(far, slope_there), to_gain(once, slope))
        grown = jnp.where(stride >= longest, longest * 4.0, longest)
        longest = jnp.where(good, grown, jnp.maximum(stride / 4.0, 1.0))
        return count + 3, jnp.where(good, leap, twice), longest, gap

    number = theta.shape[0]
    state: tuple[Array, ...] = (jnp.array(0), theta, jnp.full((number, 1, 1), 4.0), jnp.full(number, jnp.inf))
    return jax.lax.while_loop(off, cycle, state)[1]


def em_step(theta: Float[Array, "d r c"], blocks: Blocks) -> tuple[Float[Array, "d r c"], Float[Array, "d r c"]]:
    """One step of EM, and the slope of the log-likelihood where it started.

    Expected counts A_ur theta_rc B_uc / sum_s A_us theta_sc, added up over units, are theta times the slope.
    """
    mean = blocks.rows @ theta[blocks.contest]
    ratio = jnp.where(blocks.columns > 0, blocks.columns / jnp.where(mean > 0, mean, 1.0), 0.0)
    slope = jax.ops.segment_sum(jnp.swapaxes(blocks.rows, 1, 2) @ ratio, blocks.contest, num_segments=theta.shape[0])
    counts = theta * slope
    total = counts.sum(-1, keepdims=True)
    return jnp.where(total > 0, counts / jnp.where(total > 0, total, 1.0), theta), slope


@jax.jit
def log_likelihood(
    theta: Float[Tensor, "d r c"], rows: Real[Tensor, "d u r"], columns: Real[Tensor, "d u c"]
) -> Float[Array, " d"]:
    """sum_uc B_uc log sum_r (A_ur / n_u) theta_rc: a unit's votes are multinomial. The votes' constant is left out."""
    rows, columns = _floats(rows, columns)
    shares = rows @ jnp.asarray(theta) / jnp.maximum(rows.sum(-1, keepdims=True), 1.0)
    return jax.scipy.special.xlogy(columns, shares).sum((1, 2))


@jax.jit
def table_of(
    theta: Float[Tensor, "d r c"], rows: Real[Tensor, "d u r"], columns: Real[Tensor, "d u c"]
) -> Float[Array, "d r c"]:
    """Counts of a contest's cells: shares, those below 0 as 0, times the voters of the row, balanced to the margins."""
    of_rows, of_columns = (x.sum(1) for x in _floats(rows, columns))
    return balance(jnp.maximum(theta, 0.0) * of_rows[:, :, None], of_rows, of_columns)


def on_simplex(x: Float[Array, "*b c"], here: Bool[Array, "..."]) -> Float[Array, "*b c"]:
    """The nearest shares: at least 0, together 1, and 0 where `here` is False.

    They are max(x - t, 0), where t is the largest of (sum - 1) / number over the entries from any one upwards.
    """
    x = jnp.where(here, x, -jnp.inf)
    upwards = (x[..., None, :] >= x[..., :, None]) & here[..., None, :]
    total = jnp.where(upwards, x[..., None, :], 0.0).sum(-1)
    level = jnp.where(here, (total - 1.0) / jnp.maximum(upwards.sum(-1), 1), -jnp.inf).max(-1, keepdims=True)
    return jnp.maximum(x - level, 0.0)


def _log(theta: Array) -> Array:
    return jnp.log(jnp.maximum(theta, 1e-300))


def _floats(rows: Tensor, columns: Tensor) -> tuple[Array, Array]:
    return jnp.asarray(rows, float), jnp.asarray(columns, float)
