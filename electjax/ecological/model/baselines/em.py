"""Maximum likelihood of multinomial votes, by an accelerated EM."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from electjax.ecological.model.baselines import independence
from electjax.ecological.model.data import Blocks, ColumnHere, RowHere, Shares, UnitColumns, UnitRows, in_blocks

TITLE = "multinomial EM"


def shares(
    rows: UnitRows,
    columns: UnitColumns,
    row_here: RowHere,
    column_here: ColumnHere,
    *,
    steps: int = 20_000,
    tolerance: float = 0.1,
) -> Shares:
    """Maximum likelihood, by EM: the votes of a column of a unit are shared out among its rows.

    A unit's votes are multinomial: the log-likelihood is sum_uc B_uc log sum_r (A_ur / n_u) theta_rc.

    Pairs of steps are extrapolated as by SQUAREM (Varadhan and Roland 2008, scheme S3, here in log theta) where this
    certainly raises the log-likelihood, which so never falls. It is concave: what is found is the maximum of all.

    Args:
        steps: evaluations of `em_step` at most.
        tolerance: stop where the maximum is certainly less than this far away, in units of log-likelihood.
    """
    rows, columns = np.asarray(rows, float), np.asarray(columns, float)
    contest, unit = np.nonzero(rows.sum(-1))
    blocks = in_blocks(rows[contest, unit], columns[contest, unit], contest)  # contests differ in units many times over
    start = independence.shares(rows, columns, np.ones(row_here.shape, bool), column_here)
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


def _log(theta: Array) -> Array:
    return jnp.log(jnp.maximum(theta, 1e-300))
