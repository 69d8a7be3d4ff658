"""Contests fitted jointly, as a function of what they share and of what is their own.

    eta_drc = g_dc + level_kind(rc) + delta_pair(rc) + features_rc' phi + tau_kind(rc) z_drc

g, z and the logit of the correlation rho_d belong to a contest; levels, delta, phi and the typical rho are shared. So
the information is an arrow (core.arrow), and it is summed up in the logits of the cells before it is chained.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from electjax.ecological.model.data import KINDS, Assumed, Blocks, Contests, cells_of, over_blocks
from electjax.ecological.model.unit import (
    Expected,
    expected,
    in_surroundings,
    inverse_and_log_determinant,
    regular,
    row_variance,
    slope_of_means,
    within_rows,
)
from electjax.numerics.arrow import Arrow, Point


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
        own, rate = of_contest(problem.contests, block.contest), jax.nn.sigmoid(rho[block.contest])

        def of_unit(rows: Array, columns: Array) -> Array:
            shares = in_surroundings(eta[block.contest], rows, own.mix, own.column_here, problem.assumed.context)
            return _misfit(expected(shares, rows, rate), columns).loss

        return jax.vmap(of_unit)(block.rows, block.columns).sum()

    return over_blocks(of_block, problem.blocks).sum() + _held(point, problem)[0]


def arrow(point: Point, problem: Problem) -> Arrow:
    """The posterior's arrow at a point: Gauss-Newton in the logits, Fisher information in rho."""
    eta, rho = logits(point, problem)

    def of_block(block: Blocks) -> Parts:
        own = of_contest(problem.contests, block.contest)
        return _parts(eta[block.contest], rho[block.contest], block, own, problem.assumed.context)

    parts = over_blocks(of_block, problem.blocks)
    number = problem.contests.mix.shape[0]
    sums = jax.tree.map(lambda x: jax.ops.segment_sum(x, problem.blocks.contest, num_segments=number), parts)

    held, slope, own_slope, precision, own_precision = _held(point, problem)
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
        sums.loss.sum() + held,
        gradient.at[last].add(sums.rho_slope.sum()),
        own_gradient.at[:, last].add(sums.rho_slope),
        shared,
        border,
        groups,
    )


def of_contest(contests: Contests, contest: Array) -> Contests:
    """The rows of one contest."""
    return jax.tree.map(lambda x: x[contest], contests)


def _held(point: Point, problem: Problem) -> tuple[Array, Array, Array, Array, Array]:
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


def _parts(eta: Array, rho: Array, block: Blocks, own: Contests, beta: Array) -> Parts:
    """The sums over the units of a block."""

    def of_unit(rows: Array, columns: Array) -> tuple[Array, ...]:
        def moments(eta: Array, rho: Array) -> tuple[Expected, Array]:
            shares = in_surroundings(eta, rows, own.mix, own.column_here, beta)
            return expected(shares, rows, jax.nn.sigmoid(rho)), shares

        found, back, shares = jax.vjp(moments, eta, rho, has_aux=True)
        loss, inverse, pulled = _misfit(found, columns)
        slope, rho_slope = back(Expected(-pulled, 0.5 * (inverse - pulled[:, None] * pulled)))
        rate = jax.nn.sigmoid(rho)
        extra = (row_variance(rows, rate) - rows) * (1.0 - rate)  # slope of the rows' variance in the logit of rho
        turned = inverse @ within_rows(extra, shares)
        jacobian = slope_of_means(eta, rows, own.mix, own.column_here, beta)
        return loss, slope, rho_slope, 0.5 * (turned * turned.T).sum(), jacobian, inverse @ jacobian

    loss, slope, rho_slope, rho_bend, jacobian, heavy = jax.vmap(of_unit)(block.rows, block.columns)
    bend = jacobian.reshape(-1, jacobian.shape[-1]).T @ heavy.reshape(-1, jacobian.shape[-1])
    return Parts(loss.sum(), slope.sum(axis=0).ravel(), bend, rho_slope.sum(), rho_bend.sum())
