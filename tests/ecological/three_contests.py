"""Units of three contests, the problem they pose, and its parts worked out by hand."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from scipy import stats
from scipy.special import expit, softmax

from electjax.ecological.model import estimate as es
from electjax.ecological.model.data import KINDS, Assumed, Contests, in_blocks
from electjax.numerics.arrow import Point

UNITS = (5, 7, 3)  # of the contests
ROWS, COLUMNS, PAIRS, FEATURES = 3, 4, 6, 2
FIRST = len(KINDS)  # of the pairs among the shared parameters
ASSUMED = Assumed(
    context=0.6, tau=(0.2, 0.3, 0.5), pair_sd=0.5, feature_sd=0.5, level=(1.5, 0.2, -0.1), level_sd=1.5, rho_sd=2.0
)


def made_units():
    """Units of three contests: one lacks a row and another a column, one unit has a voter, one lacks a row's voters."""
    rng = np.random.default_rng(3)
    of = np.repeat(np.arange(3), UNITS)
    row_here, column_here = np.ones((3, ROWS), bool), np.ones((3, COLUMNS), bool)
    row_here[1, 2] = column_here[2, 3] = False
    eta = np.where(column_here[:, None, :], rng.normal(size=(3, ROWS, COLUMNS)), -np.inf)
    weight = rng.dirichlet(np.ones(ROWS), of.size) * row_here[of]
    size = rng.integers(80, 900, of.size)
    size[1], weight[3, 1] = 1, 0.0
    rows = rng.multinomial(size, weight / weight.sum(axis=1, keepdims=True)).astype(float)
    columns = rng.multinomial(rows.astype(int), softmax(eta, axis=2)[of]).sum(axis=1).astype(float)
    mix = np.stack([rows[of == d].sum(axis=0) for d in range(3)])
    shape = (3, ROWS, COLUMNS)
    pair, kind = rng.integers(PAIRS, size=shape), rng.integers(len(KINDS), size=shape)
    features = rng.normal(size=(*shape, FEATURES))
    contests = Contests(row_here, column_here, mix / mix.sum(axis=1, keepdims=True), pair, kind, features)
    return SimpleNamespace(rows=rows, columns=columns, of=of, contests=contests)


def posed(made, assumed=ASSUMED, *, size=4):
    """The problem of these units."""
    pairs = getattr(made, "pairs", PAIRS)
    return es.posed(in_blocks(made.rows, made.columns, made.of, size=size), made.contests, assumed, pairs=pairs)


def point_of(problem, seed):
    """Parameters at random; the correlations are small, as they are."""
    rng = np.random.default_rng(seed)
    groups = 0.7 * rng.normal(size=(len(problem.contests.mix), problem.own.shape[2]))
    shared = 0.7 * rng.normal(size=problem.shared.shape[2])
    shared[-1] -= 4.0
    return Point(jnp.asarray(shared), jnp.asarray(groups))


def logits_by_hand(point, contests, assumed=ASSUMED):
    """g_c + level_kind + delta_pair + features' phi + tau_kind z_rc of each cell, and the logit of rho."""
    shared, groups = np.asarray(point.shared), np.asarray(point.groups)
    level, delta = shared[:FIRST], shared[FIRST : FIRST + PAIRS]
    phi, rho = shared[FIRST + PAIRS : -1], shared[-1] + groups[:, -1]
    z = groups[:, COLUMNS:-1].reshape(contests.pair.shape)
    eta = groups[:, None, :COLUMNS] + level[contests.kind] + delta[contests.pair] + contests.features @ phi
    return eta + np.asarray(assumed.tau)[contests.kind] * z, rho


def shares_by_hand(eta, rows, mix, here, beta):
    """Shares of a unit's cells, only of the columns that are there."""
    theta = softmax(eta[:, here], axis=1)
    near, far = rows @ theta / rows.sum(), mix @ theta
    raised = theta * ((near + 1e-4) / (far + 1e-4)) ** beta
    return raised / raised.sum(axis=1, keepdims=True)


def spread_by_hand(shares, rows, rho):
    """Covariance of the cells of each row of a unit, [r, c, c]."""
    v = rows * (1 + np.maximum(rows - 1, 0) * rho)
    return np.stack([v_r * (np.diag(s) - np.outer(s, s)) for v_r, s in zip(v, shares, strict=True)])


def value_by_hand(point, made, assumed=ASSUMED):
    """Minus the log posterior: normal counts of all columns but one, normal priors."""
    own, total = made.contests, 0.0
    eta, rho = logits_by_hand(point, own, assumed)
    for rows, columns, d in zip(made.rows, made.columns, made.of, strict=True):
        here = own.column_here[d]
        shares = shares_by_hand(eta[d], rows, own.mix[d], here, assumed.context)
        number = here.sum()
        # rounding adds as many votes to some columns as it takes from others
        rounding = 0.25 * (np.eye(number) - 1 / number)
        covariance = spread_by_hand(shares, rows, expit(rho[d])).sum(axis=0) + rounding
        total -= stats.multivariate_normal.logpdf(columns[here][1:], (rows @ shares)[1:], covariance[1:, 1:])
    shared, groups = np.asarray(point.shared), np.asarray(point.groups)
    sizes = (FIRST, PAIRS, FEATURES, 1)
    mean = np.concatenate([assumed.level, np.zeros(PAIRS + FEATURES), [assumed.rho]])
    sd = np.repeat([assumed.level_sd, assumed.pair_sd, assumed.feature_sd, assumed.rho_sd], sizes)
    own_sd = np.repeat([assumed.column_sd, 1.0, assumed.rho_spread], (COLUMNS, ROWS * COLUMNS, 1))
    return total - stats.norm.logpdf(shared, mean, sd).sum() - stats.norm.logpdf(groups, 0.0, own_sd).sum()


def dense(arrow):
    """The whole matrix of an arrow: shared parameters, then those of one group after the other."""
    p, (g, q) = arrow.shared.shape[0], arrow.group_gradient.shape
    matrix = np.zeros((p + g * q, p + g * q))
    matrix[:p, :p] = arrow.shared
    for d in range(g):
        own = slice(p + d * q, p + (d + 1) * q)
        matrix[own, own], matrix[own, :p] = arrow.groups[d], arrow.border[d]
        matrix[:p, own] = matrix[own, :p].T
    return matrix
