"""The baselines of ecological inference, against numpy, scipy, a grid and the truth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import xlogy

from electjax.ecological.model.baselines import em, goodman, independence, least_squares, table_of
from electjax.ecological.model.baselines.em import em_step
from electjax.ecological.model.baselines.least_squares import on_simplex
from electjax.ecological.model.data import in_blocks
from electjax.numerics.host import double_precision
from tests.ecological.by_hand import drawn_units


def log_likelihood(theta, rows, columns):
    """sum_uc B_uc log sum_r (A_ur / n_u) theta_rc of each contest; the votes' constant is left out."""
    shares = rows @ np.asarray(theta) / np.maximum(rows.sum(axis=-1, keepdims=True), 1.0)
    return xlogy(columns, shares).sum(axis=(1, 2))


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


@pytest.fixture(scope="module")
def drawn():
    """Contests of unequal numbers of units and of candidates."""
    return drawn_units(5, contests=3, units=40, rows=4, parties=4, fewest_units=0.5, fielded=0.5)


def margins(drawn):
    """What the array functions take."""
    return drawn.rows, drawn.columns, drawn.row_here, drawn.column_here


def test_independence_and_its_table_are_the_product_of_margins(drawn):
    votes = drawn.columns.sum(axis=1)
    shares = votes / votes.sum(axis=1, keepdims=True)
    found = independence.shares(*margins(drawn))
    np.testing.assert_allclose(found, np.broadcast_to(shares[:, None], found.shape), rtol=1e-12)
    product_of = drawn.rows.sum(axis=1)[:, :, None] * shares[:, None]
    np.testing.assert_allclose(table_of(found, drawn.rows, drawn.columns), product_of, rtol=1e-9)


def test_goodman_is_weighted_least_squares(drawn):
    found = np.asarray(goodman.shares(*margins(drawn)))
    for d, (rows, columns) in enumerate(zip(drawn.rows, drawn.columns, strict=True)):
        some = rows.sum(axis=1) > 0
        weight = 1.0 / np.sqrt(rows[some].sum(axis=1, keepdims=True))
        np.testing.assert_allclose(
            found[d], np.linalg.lstsq(rows[some] * weight, columns[some] * weight, rcond=None)[0], atol=1e-9
        )
    np.testing.assert_allclose(found.sum(axis=2), 1.0, atol=1e-9)
    table = np.asarray(table_of(found, drawn.rows, drawn.columns))
    assert (found < 0).any()
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(axis=2), drawn.rows.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(table.sum(axis=1), drawn.columns.sum(axis=1), rtol=1e-12)


def test_goodman_of_a_group_that_is_nowhere_else_takes_the_least_norm(drawn):
    alike = np.concatenate([drawn.rows, drawn.rows[:, :, :1]], axis=2)  # the first row twice: not told apart
    columns = drawn.columns + drawn.rows[:, :, :1] * np.eye(drawn.columns.shape[2], dtype=int)[0]
    found = np.asarray(goodman.shares(alike, columns, np.ones((3, 5), bool), drawn.column_here))
    np.testing.assert_allclose(found[:, 0], found[:, -1], atol=1e-9)


def test_projection_onto_the_simplex():
    rng = np.random.default_rng(2)
    x, here = 2.0 * rng.normal(size=(50, 5)), np.array([True, True, False, True, True])
    found = np.asarray(on_simplex(jnp.asarray(x), jnp.asarray(here)))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert (found >= 0).all()
    assert (found[:, 2] == 0).all()
    # nearest: no corner lies on the far side
    gain = ((x - found)[:, None, :] * (np.eye(5)[here] - found[:, None, :])).sum(axis=2)
    assert gain.max() < 1e-12


def test_constrained_least_squares_is_what_scipy_finds(drawn):
    found = np.asarray(least_squares.shares(*margins(drawn)))
    np.testing.assert_allclose(found.sum(axis=2), 1.0, atol=1e-9)
    assert (found >= 0).all()
    assert (found == 0).any()
    assert (found[~np.broadcast_to(drawn.column_here[:, None], found.shape)] == 0).all()
    for d in range(2):
        some = drawn.rows[d].sum(axis=1) > 0
        rows, columns = drawn.rows[d][some], drawn.columns[d][some][:, drawn.column_here[d]]
        weight = 1.0 / np.sqrt(rows.sum(axis=1, keepdims=True) * rows.sum())
        a, b = rows * weight, columns * weight
        shape = a.shape[1], b.shape[1]

        def loss(x, a=a, b=b, shape=shape):
            return 0.5 * ((a @ x.reshape(shape) - b) ** 2).sum()

        reference = minimize(
            loss,
            np.full(shape, 1.0 / shape[1]).ravel(),
            jac=lambda x, a=a, b=b, shape=shape: (a.T @ (a @ x.reshape(shape) - b)).ravel(),
            bounds=[(0.0, 1.0)] * np.prod(shape),
            constraints={"type": "eq", "fun": lambda x, shape=shape: x.reshape(shape).sum(axis=1) - 1.0},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 1000},
        )
        own = found[d][:, drawn.column_here[d]]
        assert loss(own.ravel()) <= loss(reference.x) + 1e-12
        np.testing.assert_allclose(own, reference.x.reshape(shape), atol=2e-3)


def test_em_never_falls_and_ends_at_the_maximum(drawn):
    contest, unit = np.nonzero(drawn.rows.sum(axis=2))
    blocks = in_blocks(drawn.rows[contest, unit], drawn.columns[contest, unit], contest)
    theta, path = independence.shares(*margins(drawn)), []
    for _ in range(60):
        path.append(np.asarray(log_likelihood(theta, drawn.rows, drawn.columns)))
        theta, _ = em_step(theta, jax.tree.map(jnp.asarray, blocks))
    assert np.diff(path, axis=0).min() > -1e-9 * np.abs(path).max()
    assert (path[-1] - path[0]).min() > 10
    found = em.shares(*margins(drawn))
    np.testing.assert_allclose(found.sum(axis=2), 1.0, atol=1e-9)
    value = np.asarray(log_likelihood(found, drawn.rows, drawn.columns))
    assert (value >= path[-1] - 0.1).all()
    closer = log_likelihood(em.shares(*margins(drawn), tolerance=1e-3), drawn.rows, drawn.columns)
    assert (np.asarray(closer) - value < 0.1).all()
    # steps cut short: the accelerated path does not fall either
    ways = [
        np.asarray(log_likelihood(em.shares(*margins(drawn), steps=n), *margins(drawn)[:2])) for n in range(1, 90, 3)
    ]
    assert np.diff(ways, axis=0).min() > -1e-9 * np.abs(value).max()


def test_em_finds_what_a_grid_finds():
    rows, columns = np.array([[9, 1], [6, 4], [2, 8], [0, 0]]), np.array([[8, 2], [4, 6], [3, 7], [0, 0]])
    here = np.ones((1, 2), bool)
    found = np.asarray(em.shares(rows[None], columns[None], here, here, tolerance=1e-9))[0]
    grid = np.linspace(0.0, 1.0, 401)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    share = (rows[:3, 0, None, None] * x + rows[:3, 1, None, None] * y) / rows[:3].sum(axis=1)[:, None, None]
    surface = (xlogy(columns[:3, 0, None, None], share) + xlogy(columns[:3, 1, None, None], 1.0 - share)).sum(axis=0)
    best = np.unravel_index(surface.argmax(), surface.shape)
    np.testing.assert_allclose(found[:, 0], (x[best], y[best]), atol=1.0 / 400)
    value = float(log_likelihood(found[None], rows[None], columns[None])[0])
    assert 0.0 <= value - surface.max() < 1e-3


def test_estimates_are_right_where_their_assumption_is():
    exact = drawn_units(0, contests=3, units=400, rows=4, parties=4, voters=2000.0, beta=0.0, rho=0.0)
    truth = exact.tables.sum(axis=1)
    for method in (goodman, least_squares, em):
        error = np.abs(np.asarray(table_of(method.shares(*margins(exact)), exact.rows, exact.columns)) - truth)
        assert (0.5 * error.sum(axis=(1, 2)) / truth.sum(axis=(1, 2))).max() < 0.01
    far = np.abs(np.asarray(table_of(independence.shares(*margins(exact)), exact.rows, exact.columns)) - truth)
    assert (0.5 * far.sum(axis=(1, 2)) / truth.sum(axis=(1, 2))).min() > 0.05
