"""Contests fitted jointly, as a function of what they share and of what is their own.

    eta_drc = g_dc + level_kind(rc) + delta_pair(rc) + features_rc' phi + tau_kind(rc) z_drc

g, z and the logit of the correlation rho_d belong to a contest; levels, delta, phi and the typical rho are shared. So
the information is an arrow (`electjax.numerics.arrow`), and it is summed up in the logits of the cells before it is
chained.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from electjax.ecological.model.data import KINDS, Assumed, Blocks, Contests, cells_of, over_blocks
from electjax.numerics.arrow import Arrow, Point
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
    """Cell shares of a unit: theta_rc ((mu_uc + e) / (mu_c + e))^beta, scaled to 1 (the context of CALM).

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


class Problem(NamedTuple):
    """All that a fit computes with; `shared` [d, rc, p] and `own` [d, rc, q] chain the logits of cells to parameters.

    The last shared and the last own parameter are logits of correlations, on which no logit of a cell depends.
    """

    blocks: Blocks
    contests: Contests
    assumed: Assumed
    shared: Float[Array, "d rc p"]
    own: Float[Array, "d rc q"]


class Parts(NamedTuple):
    """Sums over a contest's units: loss; slope and information in its logits and in its logit of rho."""

    loss: Float[Array, "*d"]
    slope: Float[Array, "*d rc"]
    bend: Float[Array, "*d rc rc"]
    rho_slope: Float[Array, "*d"]
    rho_bend: Float[Array, "*d"]


def pose(blocks: Blocks, contests: Contests, assumed: Assumed, *, pairs: int) -> Problem:
    """Lay out the parameters: levels, pairs, features, typical rho; columns, deviations, rho."""
    contests, assumed = jax.tree.map(jnp.asarray, contests), Assumed(*map(jnp.asarray, assumed))
    number, rows, columns = contests.pair.shape
    here = cells_of(contests).reshape(number, -1, 1)
    kind = jax.nn.one_hot(contests.kind.reshape(number, -1), len(KINDS))
    pair = jax.nn.one_hot(contests.pair.reshape(number, -1), pairs)
    features = contests.features.reshape(number, rows * columns, -1)
    silent = jnp.zeros((number, rows * columns, 1))
    column = jnp.broadcast_to(jnp.tile(jnp.eye(columns), (rows, 1)), (number, rows * columns, columns))
    deviation = jnp.eye(rows * columns) * (kind @ assumed.tau)[:, :, None]
    shared = jnp.concatenate([kind, pair, features, silent], axis=2) * here
    own = jnp.concatenate([column, deviation, silent], axis=2) * here
    return Problem(jax.tree.map(jnp.asarray, blocks), contests, assumed, shared, own)


def prior(problem: Problem) -> tuple[Array, Array, Array]:
    """Prior mean [p] and precision [p] of the shared parameters, precision [q] of a contest's own."""
    of, kinds, columns = problem.assumed, len(KINDS), problem.contests.column_here.shape[1]
    features = problem.contests.features.shape[-1]
    pairs = problem.shared.shape[2] - kinds - features - 1
    ones = jnp.ones
    mean = jnp.concatenate([of.level, jnp.zeros(pairs + features), of.rho[None]])
    sizes = ((kinds, of.level_sd), (pairs, of.pair_sd), (features, of.feature_sd), (1, of.rho_sd))
    deviations = problem.own.shape[2] - columns - 1
    own = jnp.concatenate([ones(columns) / of.column_sd**2, ones(deviations), ones(1) / of.rho_spread**2])
    return mean, jnp.concatenate([ones(n) / sd**2 for n, sd in sizes]), own


def first_point(problem: Problem) -> Point:
    """Where a search begins: the prior's means, the columns' shares, and units that are taken to say little."""
    here, blocks = problem.contests.column_here, problem.blocks
    votes = jax.ops.segment_sum(blocks.columns.sum(axis=1), blocks.contest, num_segments=here.shape[0])
    level = jnp.log(votes + 0.5) - jnp.log(votes.sum(axis=1, keepdims=True) + 1.0)
    level = jnp.where(here, level - jnp.mean(level, axis=1, keepdims=True, where=here), 0.0)
    groups = jnp.zeros((here.shape[0], problem.own.shape[2])).at[:, : here.shape[1]].set(level)
    return Point(prior(problem)[0].at[-1].set(-2.0), groups)


def logits(point: Point, problem: Problem) -> tuple[Float[Array, "d r c"], Float[Array, " d"]]:
    """Logits of every contest's cells and of its rho."""
    eta = problem.shared @ point.shared + jnp.einsum("dkq,dq->dk", problem.own, point.groups)
    return eta.reshape(problem.contests.pair.shape), point.shared[-1] + point.groups[:, -1]


def value(point: Point, problem: Problem) -> Float[Array, ""]:
    """Minus the log posterior, but for constants."""
    eta, rho = logits(point, problem)

    def of_block(block: Blocks) -> Array:
        contest, rate = of_contest(problem.contests, block.contest), jax.nn.sigmoid(rho[block.contest])

        def of_unit(rows: Array, columns: Array) -> Array:
            beta = problem.assumed.context
            shares = in_surroundings(eta[block.contest], rows, contest.mix, contest.column_here, beta)
            return _misfit(expected(shares, rows, rate), columns).loss

        return jax.vmap(of_unit)(block.rows, block.columns).sum()

    return over_blocks(of_block, problem.blocks).sum() + _of_prior(point, problem)[0]


def arrow(point: Point, problem: Problem) -> Arrow:
    """The posterior's arrow at a point: Gauss-Newton in the logits, Fisher information in rho."""
    eta, rho = logits(point, problem)

    def of_block(block: Blocks) -> Parts:
        contest = of_contest(problem.contests, block.contest)
        return _parts(eta[block.contest], rho[block.contest], block, contest, problem.assumed.context)

    parts = over_blocks(of_block, problem.blocks)
    number = problem.contests.mix.shape[0]
    sums = jax.tree.map(lambda x: jax.ops.segment_sum(x, problem.blocks.contest, num_segments=number), parts)

    of_prior, slope, own_slope, precision, own_precision = _of_prior(point, problem)
    heavy = sums.bend @ problem.shared
    shared = jnp.einsum("dkp,dkr->pr", problem.shared, heavy) + jnp.diag(precision)
    border = jnp.einsum("dkq,dkp->dqp", problem.own, heavy)
    groups = jnp.einsum("dkq,dkr->dqr", problem.own, sums.bend @ problem.own) + jnp.diag(own_precision)
    last = -1  # the logits of correlations
    shared = shared.at[last, last].add(sums.rho_bend.sum())
    border = border.at[:, last, last].add(sums.rho_bend)
    groups = groups.at[:, last, last].add(sums.rho_bend)
    gradient = jnp.einsum("dkp,dk->p", problem.shared, sums.slope) + slope
    own_gradient = jnp.einsum("dkq,dk->dq", problem.own, sums.slope) + own_slope
    return Arrow(
        sums.loss.sum() + of_prior,
        gradient.at[last].add(sums.rho_slope.sum()),
        own_gradient.at[:, last].add(sums.rho_slope),
        shared,
        border,
        groups,
    )


def of_contest(contests: Contests, contest: Array) -> Contests:
    """The rows of one contest."""
    return jax.tree.map(lambda x: x[contest], contests)


def _of_prior(point: Point, problem: Problem) -> tuple[Array, Array, Array, Array, Array]:
    """The prior's value, slopes and precisions."""
    mean, precision, own = prior(problem)
    slope, own_slope = precision * (point.shared - mean), own * point.groups
    half = 0.5 * (slope @ (point.shared - mean) + (own_slope * point.groups).sum())
    return half, slope, own_slope, precision, own


class Misfit(NamedTuple):
    """Minus the Gaussian log-likelihood of a unit, the inverse of its covariance, and that times the residual."""

    loss: Float[Array, ""]
    inverse: Float[Array, "c c"]
    pulled: Float[Array, " c"]


def _misfit(moments: Expected, columns: Float[Array, " c"]) -> Misfit:
    inverse, log_determinant = inverse_and_log_determinant(regular(moments.covariance, columns))
    pulled = inverse @ (columns - moments.mean)
    return Misfit(0.5 * ((columns - moments.mean) @ pulled + log_determinant), inverse, pulled)


def _parts(eta: Array, rho: Array, block: Blocks, contest: Contests, beta: Array) -> Parts:
    """The sums over the units of a block."""

    def of_unit(rows: Array, columns: Array) -> tuple[Array, ...]:
        def moments(eta: Array, rho: Array) -> tuple[Expected, Array]:
            shares = in_surroundings(eta, rows, contest.mix, contest.column_here, beta)
            return expected(shares, rows, jax.nn.sigmoid(rho)), shares

        found, back, shares = jax.vjp(moments, eta, rho, has_aux=True)
        loss, inverse, pulled = _misfit(found, columns)
        slope, rho_slope = back(Expected(-pulled, 0.5 * (inverse - pulled[:, None] * pulled)))
        rate = jax.nn.sigmoid(rho)
        extra = (row_variance(rows, rate) - rows) * (1.0 - rate)  # slope of the rows' variance in the logit of rho
        turned = inverse @ within_rows(extra, shares)
        jacobian = slope_of_means(eta, rows, contest.mix, contest.column_here, beta)
        return loss, slope, rho_slope, 0.5 * (turned * turned.T).sum(), jacobian, inverse @ jacobian

    loss, slope, rho_slope, rho_bend, jacobian, heavy = jax.vmap(of_unit)(block.rows, block.columns)
    bend = jacobian.reshape(-1, jacobian.shape[-1]).T @ heavy.reshape(-1, jacobian.shape[-1])
    return Parts(loss.sum(), slope.sum(axis=0).ravel(), bend, rho_slope.sum(), rho_bend.sum())
