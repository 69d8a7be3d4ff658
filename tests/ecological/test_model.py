"""The model against its definition: shares, likelihood, derivatives, noise, the mode, tables and draws."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from electjax.calm.model import heads
from electjax.calm.model.design import Booths, Design, Hyper, Shared
from electjax.ecological.model import data as model_data
from electjax.ecological.model import estimate as es
from electjax.ecological.model import problem as pb
from electjax.ecological.model.data import Assumed, Contests, block_places
from electjax.ecological.model.generate import draw_tables as draw_unit_tables
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision
from tests.ecological.three_contests import (
    ASSUMED,
    COLUMNS,
    PAIRS,
    ROWS,
    dense,
    logits_by_hand,
    point_of,
    posed,
    shares_by_hand,
    value_by_hand,
)

value = jax.jit(pb.value)
slope = jax.jit(jax.grad(pb.value))


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


# ------------------------------------------------------------------------------------ a unit


@pytest.mark.parametrize("beta", [0.0, 0.6, 1.3])
def test_a_cell_is_a_cell_of_the_party_head(beta):
    rng = np.random.default_rng(1)
    fielded = np.array([True, True, False, True])
    eta, sizes = rng.normal(size=(ROWS, COLUMNS)), rng.integers(1, 50, ROWS).astype(float)
    mix = rng.dirichlet(np.ones(ROWS))
    far = mix @ heads.choice(jnp.asarray(eta), jnp.asarray(fielded))
    zeros = jnp.zeros
    booth = Booths(
        sizes[None], zeros(1), zeros((1, COLUMNS)), zeros(1, int), zeros((1, 0)), zeros((1, COLUMNS)), zeros(1)
    )
    want = heads.booth_cells(
        Shared(zeros(()), zeros(1), zeros(COLUMNS - 1), zeros((1, COLUMNS - 1))),
        heads.Terms(zeros(ROWS), jnp.asarray(eta), jnp.log(far + heads.CONTEXT_FLOOR)),
        heads.Traits(
            zeros((ROWS, COLUMNS, 1)),
            zeros((ROWS, COLUMNS)),
            zeros((COLUMNS, 1)),
            jnp.asarray(fielded),
            jnp.asarray(mix),
        ),
        jax.tree.map(lambda x: jnp.asarray(x[0]), booth),
        None,
        zeros(COLUMNS),
        Hyper(*map(zeros, ((),) * len(Hyper._fields)))._replace(rho=zeros(1), axis_weight=zeros(1), exponent=beta),
        Design(context=True),
    ).theta
    got = pb.in_surroundings(jnp.asarray(eta), jnp.asarray(sizes), jnp.asarray(mix), jnp.asarray(fielded), beta)
    np.testing.assert_allclose(got, want, atol=1e-14)
    np.testing.assert_allclose(got[:, fielded], shares_by_hand(eta, sizes, mix, fielded, beta), atol=1e-12)
    assert (np.asarray(got)[:, 2] == 0).all()


def test_slope_of_means_is_the_derivative():
    rng = np.random.default_rng(2)
    here = jnp.array([True, True, False, True])
    etas, mixes = rng.normal(size=(20, ROWS, COLUMNS)), rng.dirichlet(np.ones(ROWS), 20)
    margins = rng.integers(0, 60, (20, ROWS)).astype(float)
    margins[0], margins[1], margins[2] = 0, (1, 0, 0), (0, 1e6, 3)
    betas = np.linspace(0.0, 1.5, 20)

    def mean(eta, *of):
        return of[0] @ pb.in_surroundings(eta, *of)

    def both(*of):
        of = (*of[:3], here, of[3])
        return pb.slope_of_means(*of), jax.jacfwd(mean)(*of).reshape(COLUMNS, -1)

    got, want = jax.jit(jax.vmap(both))(etas, margins, mixes, betas)
    off = np.abs(got - want) / np.maximum(margins.sum(axis=1), 1)[:, None, None]
    assert off.max() < 1e-9
    assert np.abs(want).max() > 1.0


@pytest.mark.parametrize("size", [1, 4])
def test_inverse_and_determinant_are_those_of_numpy(size):
    rng = np.random.default_rng(size)
    root = rng.normal(size=(50, size, size)) * np.exp(3 * rng.normal(size=(50, size, 1)))  # of very unlike columns
    matrices = root @ root.transpose(0, 2, 1) + 0.25 * np.eye(size)
    inverse, log_determinant = jax.jit(jax.vmap(pb.inverse_and_log_determinant))(matrices)
    np.testing.assert_allclose(log_determinant, np.linalg.slogdet(matrices)[1], rtol=1e-9, atol=1e-9)
    scale = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    off = (inverse @ matrices - np.eye(size)) * scale[:, :, None] / scale[:, None, :]
    assert np.abs(off).max() < 1e-8


def test_moments_of_a_unit_are_those_of_drawn_votes():
    draws, rho = 40_000, 0.03
    rows, shares = np.array([60, 25, 1]), np.array([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [0.2, 0.2, 0.6]])
    tiled = np.broadcast_to(shares, (1, draws, 3, 3))
    tables = draw_unit_tables(np.random.default_rng(6), np.tile(rows, (1, draws, 1)), tiled, np.array([rho]))[0]
    columns = tables.sum(axis=1)
    moments = pb.expected(jnp.asarray(shares), jnp.asarray(rows, float), jnp.asarray(rho))
    covariance = np.asarray(moments.covariance)
    assert (np.abs(columns.mean(axis=0) - moments.mean) < 4.5 * np.sqrt(np.diag(covariance) / draws)).all()
    off = columns - np.asarray(moments.mean)
    products = off[:, :, None] * off[:, None, :]
    assert (np.abs(products.mean(axis=0) - covariance) < 4.5 * products.std(axis=0) / np.sqrt(draws)).all()
    np.testing.assert_allclose(pb.row_variance(jnp.array([0.0, 0.4, 1.0, 10.0]), jnp.array(0.1)), [0, 0.4, 1, 19])


# ------------------------------------------------------------------------------------ the posterior


def test_logits_are_what_their_formula_says(made, problem):
    point = point_of(problem, 4)
    eta, rho = pb.logits(point, problem)
    want, want_rho = logits_by_hand(point, made.contests)
    here = np.asarray(model_data.cells_of(made.contests))
    np.testing.assert_allclose(np.asarray(eta)[here], want[here], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rho, want_rho, rtol=1e-12)


def test_value_is_the_normal_density_of_all_columns_but_one(made, problem):
    points = [point_of(problem, seed) for seed in range(4)]
    got = np.array([float(value(point, problem)) for point in points])
    want = np.array([value_by_hand(point, made) for point in points])
    np.testing.assert_allclose(np.diff(got), np.diff(want), rtol=1e-9)  # constants apart
    assert np.abs(np.diff(want)).min() > 1.0


def test_gradient_of_the_arrow_is_that_of_the_value(problem):
    for seed in range(3):
        point = point_of(problem, seed)
        arrow, want = es.curvature(point, problem), slope(point, problem)
        np.testing.assert_allclose(arrow.value, value(point, problem), rtol=1e-12)
        scale = np.abs(want.shared).max()
        np.testing.assert_allclose(arrow.gradient, want.shared, rtol=1e-8, atol=1e-9 * scale)
        np.testing.assert_allclose(arrow.group_gradient, want.groups, rtol=1e-8, atol=1e-9 * scale)
        assert abs(want.shared[-1]) > 0.1  # of rho
        assert (np.abs(want.groups[:, -1]) > 1e-3).all()


def test_information_is_the_sum_over_units(made, problem):
    """J' S^-1 J of the means, and 1/2 tr(S^-1 dS S^-1 dS) of what rho does to the covariance."""
    point = point_of(problem, 7)
    p, shape = point.shared.size, point.groups.shape
    own = problem.contests

    def moments(flat):
        eta, rho = pb.logits(Point(flat[:p], flat[p:].reshape(shape)), problem)

        def of_unit(rows, d):
            shares = pb.in_surroundings(eta[d], rows, own.mix[d], own.column_here[d], ASSUMED.context)
            return pb.expected(shares, rows, jax.nn.sigmoid(rho[d]))

        return jax.vmap(of_unit)(jnp.asarray(made.rows), jnp.asarray(made.of))

    flat = jnp.concatenate([point.shared, point.groups.ravel()])
    by, moved = jax.jit(lambda flat: (moments(flat), jax.jacfwd(moments)(flat)))(flat)
    inverse = np.linalg.inv(np.asarray(by.covariance) + pb.ROUNDING * np.eye(by.covariance.shape[-1]))
    means, spreads = np.asarray(moved.mean), np.asarray(moved.covariance)
    want = np.einsum("ucp,ucd,udq->pq", means, inverse, means)
    rho = np.array([p - 1, *(p + (d + 1) * shape[1] - 1 for d in range(shape[0]))])
    turned = np.einsum("uab,ubcp->uacp", inverse, spreads[..., rho])
    want[np.ix_(rho, rho)] += 0.5 * np.einsum("uabp,ubaq->pq", turned, turned)
    _, precision, own_precision = pb.prior(problem)
    want += np.diag(np.concatenate([precision, *[own_precision] * shape[0]]))
    got = dense(es.curvature(point, problem))
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9 * np.abs(want).max())
    assert np.linalg.eigvalsh(got).min() > 0


def padded(made, rows=1, columns=1, contests=1):
    """The same units with more rows and columns, and a contest without units."""
    of, own = made.contests, np.pad
    wide = ((0, contests), (0, rows), (0, columns))
    return SimpleNamespace(
        rows=own(made.rows, ((0, 0), (0, rows))),
        columns=own(made.columns, ((0, 0), (0, columns))),
        of=made.of,
        pairs=PAIRS,
        contests=Contests(
            own(of.row_here, wide[:2]),
            own(of.column_here, wide[::2]),
            own(of.mix, wide[:2]),
            own(of.pair, wide),
            own(of.kind, wide),
            own(of.features, (*wide, (0, 0))),
        ),
    )


def test_padding_changes_nothing(made, problem):
    """Of rows, columns, contests, and of units, by larger blocks: values differ by a constant, slopes not at all."""
    other = posed(padded(made), size=8)
    cell = np.arange((ROWS + 1) * (COLUMNS + 1)).reshape(ROWS + 1, COLUMNS + 1)[:ROWS, :COLUMNS].ravel()
    place = np.concatenate([np.arange(COLUMNS), COLUMNS + 1 + cell, [other.own.shape[2] - 1]])

    def widened(point):
        groups = np.zeros((4, other.own.shape[2]))
        groups[:3, place] = point.groups
        return Point(point.shared, jnp.asarray(groups))

    one, two = (point_of(problem, seed) for seed in (1, 2))
    small, large = (
        [es.curvature(x, q) for x in xs] for q, xs in ((problem, (one, two)), (other, map(widened, (one, two))))
    )
    np.testing.assert_allclose(small[1].value - small[0].value, large[1].value - large[0].value, rtol=1e-10)
    np.testing.assert_allclose(large[0].gradient, small[0].gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(large[0].group_gradient[:3, place], small[0].group_gradient, rtol=1e-9, atol=1e-9)
    rest = np.delete(np.asarray(large[0].group_gradient), place, axis=1)
    assert np.abs(rest).max() < 1e-12
    np.testing.assert_allclose(large[0].shared, small[0].shared, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(large[0].border[:3, place], small[0].border, rtol=1e-9, atol=1e-9)
    start = es._first(other)
    assert all(np.isfinite(x).all() for x in start)
    np.testing.assert_allclose(start.groups[:3, place], es._first(problem).groups, atol=1e-12)


def test_blocks_of_any_size_give_the_same(made, problem, monkeypatch):
    """Of 2 units, in slabs of 4 blocks."""
    size = 2
    monkeypatch.setattr(model_data, "SLAB", 4)
    point, other = point_of(problem, 5), posed(made, size=size)
    assert len(other.blocks.contest) == 12  # 3 + 4 + 2, and 3 so that slabs are full
    got, want = es.curvature(point, other), es.curvature(point, problem)
    constant = 0.5 * COLUMNS * np.log(pb.ROUNDING) * (other.blocks.rows[..., 0].size - problem.blocks.rows[..., 0].size)
    np.testing.assert_allclose(got.value, want.value + constant, rtol=1e-12)
    np.testing.assert_allclose(got.gradient, want.gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(got.groups, want.groups, rtol=1e-9, atol=1e-9)
    tables = es.expected_tables(pb.logits(point, problem)[0], 0.6, other)
    place, block, _ = block_places(made.of, size=size)
    np.testing.assert_allclose(np.asarray(tables)[block, place].sum(axis=2), made.rows, rtol=1e-12)
    np.testing.assert_array_equal(np.asarray(other.blocks.columns)[block, place], made.columns)


# ------------------------------------------------------------------------------------ the mode


def test_the_mode_is_a_mode(problem, found):
    assert found.converged
    at, arrow = slope(found.point, problem), es.curvature(found.point, problem)
    for part, bend in ((at.shared, jnp.diagonal(arrow.shared)), (at.groups, jnp.einsum("dqq->dq", arrow.groups))):
        assert np.abs(part / jnp.sqrt(bend)).max() < 1e-4  # in posterior standard deviations, or more of them
    rng = np.random.default_rng(0)
    for size in (1e-3, 0.05, 0.5):
        for _ in range(10):
            by = jax.tree.map(lambda x: rng.normal(size=x.shape), found.point)
            moved = jax.tree.map(lambda x, y, size=size: x + size * y, found.point, by)
            assert value(moved, problem) > found.value
    np.testing.assert_allclose(found.value, value(found.point, problem), rtol=1e-12)
    # another way to it ends there
    again = es.mode(problem, point_of(problem, 1), tolerance=1e-12, max_steps=200)
    np.testing.assert_allclose(again.value, found.value, rtol=1e-9)


def test_other_assumptions_do_not_compile_again(made, problem, found):
    programs = (es._pose, es._first, es._search, es._logits, es.curvature, es.unit_tables)
    es.curvature(found.point, problem), es.unit_tables(found.eta, 0.6, problem)
    before = [program._cache_size() for program in programs]
    other = Assumed(
        context=0.3,
        tau=(0.4, 0.1, 0.2),
        level=(1.0, 0.0, 0.5),
        level_sd=1.0,
        column_sd=3.0,
        pair_sd=0.2,
        feature_sd=0.1,
        rho=-3.0,
        rho_sd=1.0,
        rho_spread=0.2,
    )
    new = es.mode(posed(made, other), tolerance=1e-6, max_steps=50)
    es.curvature(new.point, new.problem), es.unit_tables(new.eta, 0.3, new.problem)
    assert [program._cache_size() for program in programs] == before
    assert np.abs(new.eta - found.eta).max() > 0.05
