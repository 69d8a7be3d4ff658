"""Bounds, balancing, baselines and the generator of ecological inference, against enumeration, numpy and scipy."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import rel_entr

from electjax.ecological.model.balance import balance, contest_bounds, unit_bounds, within
from electjax.ecological.model.data import KINDS
from electjax.ecological.model.generate import ABSENT, ABSTAINED, OTHER, draw_tables, surrounded
from electjax.numerics.host import double_precision
from tests.ecological.by_hand import drawn_units


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


def tables_with(rows, columns):
    """Every table of whole numbers with these margins."""
    if len(rows) == 1:
        return [np.array([columns])]
    firsts = (f for f in product(*(range(min(rows[0], c) + 1) for c in columns)) if sum(f) == rows[0])
    return [np.vstack([f, rest]) for f in firsts for rest in tables_with(rows[1:], np.subtract(columns, f))]


@pytest.fixture(scope="module")
def drawn():
    """Contests of unequal numbers of units and of candidates."""
    return drawn_units(5, contests=3, units=40, rows=4, parties=4, fewest_units=0.5, fielded=0.5)


def margins(drawn):
    """What the array functions take."""
    return drawn.rows, drawn.columns, drawn.row_here, drawn.column_here


@pytest.mark.parametrize(
    ("rows", "columns"), [((5, 3), (2, 6)), ((4, 1, 3), (2, 3, 3)), ((6, 0, 1), (1, 5, 1)), ((2, 5), (3, 0, 4))]
)
def test_bounds_are_what_enumeration_finds(rows, columns):
    low, high = unit_bounds(np.array(rows), np.array(columns))
    every = np.stack(tables_with(rows, columns))
    np.testing.assert_array_equal(low, every.min(axis=0))
    np.testing.assert_array_equal(high, every.max(axis=0))


def test_bounds_of_a_contest_are_what_enumeration_of_its_units_finds():
    rows, columns = np.array([[3, 1], [1, 4], [0, 0]]), np.array([[2, 2], [0, 5], [0, 0]])
    low, high = contest_bounds(rows, columns)
    every = np.stack([sum(t) for t in product(*map(tables_with, rows.tolist(), columns.tolist()))])
    np.testing.assert_array_equal(low, every.min(axis=0))
    np.testing.assert_array_equal(high, every.max(axis=0))
    of_whole = unit_bounds(rows.sum(axis=0), columns.sum(axis=0))
    assert (low >= of_whole[0]).all()
    assert (high <= of_whole[1]).all()
    assert (low > of_whole[0]).any()


def projected(table, rows, columns, low=None, high=None):
    """The nearest table of these margins in Kullback-Leibler divergence, by scipy."""
    shape, size = table.shape, rows.sum()
    low, high = np.zeros(shape) if low is None else low, np.minimum.outer(rows, columns) if high is None else high
    keep = np.vstack([np.kron(np.eye(shape[0]), np.ones(shape[1])), np.kron(np.ones(shape[0]), np.eye(shape[1]))[:-1]])
    wanted, start = np.concatenate([rows, columns[:-1]]) / size, table.ravel() / table.sum()
    found = minimize(
        lambda x: rel_entr(x, start).sum() - x.sum(),
        (low + high).ravel() / 2 / size,
        jac=lambda x: np.log(np.maximum(x, 1e-12) / start),
        bounds=list(zip(low.ravel() / size, high.ravel() / size, strict=True)),
        constraints={"type": "eq", "fun": lambda x: keep @ x - wanted, "jac": lambda x: keep},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    return size * found.x.reshape(shape)


def test_balance_meets_margins_and_keeps_odds_ratios():
    rng = np.random.default_rng(0)
    table, rows, columns = rng.gamma(1.0, size=(3, 4)), np.array([30.0, 5.0, 10.0]), np.array([4.0, 21.0, 8.0, 12.0])
    found = np.asarray(balance(table, rows, columns))
    np.testing.assert_allclose(found.sum(axis=1), rows, rtol=1e-13)
    np.testing.assert_allclose(found.sum(axis=0), columns, rtol=1e-13)
    moved = np.log(found / table)  # factors of rows and columns alone: what makes it the projection
    np.testing.assert_allclose(moved - moved[:1] - moved[:, :1] + moved[0, 0], 0.0, atol=1e-9)
    np.testing.assert_allclose(found, projected(table, rows, columns), atol=1e-4)


def test_balance_fills_and_leaves_empty_what_it_must():
    table = np.array([[0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, 3.0], [0.5, 0.5, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    rows, columns = np.array([6.0, 10.0, 4.0, 0.0]), np.array([9.0, 6.0, 5.0, 0.0])
    found = np.asarray(balance(table, rows, columns))
    np.testing.assert_allclose(found.sum(axis=1), rows, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), columns, atol=1e-12)
    assert (found[3] == 0).all()
    assert (found[:, 3] == 0).all()
    # the row and the column without a word are independent of the others
    np.testing.assert_allclose(found[0, :3], rows[0] * columns[:3] / 20.0, rtol=1e-9)
    np.testing.assert_allclose(found[:3, 2], rows[:3] * columns[2] / 20.0, rtol=1e-9)
    # zeros that leave no solution give way
    stuck = np.asarray(balance(np.eye(4), rows, columns))
    np.testing.assert_allclose(stuck.sum(axis=1), rows, atol=1e-12)
    np.testing.assert_allclose(stuck.sum(axis=0), columns, atol=1e-12)


def test_within_is_the_nearest_table_inside_the_bounds():
    rng = np.random.default_rng(3)
    table, rows, columns = rng.gamma(0.5, size=(3, 4)), np.array([30.0, 5.0, 10.0]), np.array([4.0, 21.0, 8.0, 12.0])
    inside = balance(rng.gamma(2.0, size=(3, 4)), rows, columns)
    low, high = np.asarray(inside) * 0.8, np.asarray(inside) * 1.3
    found = np.asarray(within(table, rows, columns, low, high))
    assert (np.isclose(found, low) | np.isclose(found, high)).sum() >= 3  # the bounds matter
    np.testing.assert_allclose(found, projected(table, rows, columns, low, high), atol=1e-4)


def test_within_keeps_margins_and_bounds_of_hard_tables(drawn):
    rows, columns = (x.sum(axis=1).astype(float) for x in (drawn.rows, drawn.columns))
    truth = drawn.tables.sum(axis=1).astype(float)
    wide = [np.asarray(x) for x in contest_bounds(drawn.rows, drawn.columns)]
    rng = np.random.default_rng(1)
    for low, high in (wide, (0.9 * truth, 1.1 * truth)):
        table = rng.uniform(size=truth.shape) ** 8
        before = np.asarray(balance(table, rows, columns))
        assert ((before > high * (1 + 1e-9)) | (before < low * (1 - 1e-9))).any()
        found = np.asarray(within(table, rows, columns, low, high))
        assert (found >= low).all()
        assert (found <= high).all()
        np.testing.assert_allclose(found.sum(axis=2), rows, atol=1e-6)
        np.testing.assert_allclose(found.sum(axis=1), columns, atol=1e-6)
        np.testing.assert_allclose(within(truth, rows, columns, low, high), truth, atol=1e-6)


def test_a_batch_of_tables_shares_margins_and_bounds(drawn):
    rows, columns = (x.sum(axis=1).astype(float) for x in (drawn.rows, drawn.columns))
    low, high = contest_bounds(drawn.rows, drawn.columns)
    many = np.random.default_rng(7).gamma(1.0, size=(5, *low.shape))
    np.testing.assert_allclose(balance(many, rows, columns)[3], balance(many[3], rows, columns), rtol=1e-6)
    np.testing.assert_allclose(
        within(many, rows, columns, low, high)[3], within(many[3], rows, columns, low, high), atol=1e-5
    )


def test_drawn_units_fit_together():
    found = drawn_units(
        1, contests=12, units=20, rows=4, parties=5, fewest_units=0.3, fielded=0.4, abstention=0.3, traits=2
    )
    np.testing.assert_array_equal(found.tables.sum(axis=3), found.rows)
    np.testing.assert_array_equal(found.tables.sum(axis=2), found.columns)
    assert (found.columns[np.broadcast_to(~found.column_here[:, None], found.columns.shape)] == 0).all()
    np.testing.assert_array_equal(found.column_here, found.column_key != ABSENT)
    # padding comes last, the column of those who did not vote before it
    assert (np.diff(found.column_here.astype(int), axis=1) <= 0).all()
    last = found.column_here.sum(axis=1) - 1
    assert (found.column_key[np.arange(12), last] == ABSTAINED).all()
    assert (found.column_key == OTHER).sum() == 12
    units = (found.rows.sum(axis=2) > 0).sum(axis=1)
    assert units.min() < 15
    assert units.max() <= 20
    assert len(set(last)) > 1
    own = found.row_key[:, :, None] == found.column_key[:, None, :]
    assert KINDS[0] == "own party"
    assert (found.kind[own & (found.row_key != OTHER)[:, :, None]] == 0).all()
    assert (found.kind[:, -1] == 2).all()
    assert (found.kind[~own] > 0).all()
    theta = found.parameters.theta
    np.testing.assert_allclose(theta.sum(axis=2), 1.0)
    assert abs(np.median(theta[np.arange(12), :, last]) - 0.3) < 0.1
    again = drawn_units(
        1, contests=12, units=20, rows=4, parties=5, fewest_units=0.3, fielded=0.4, abstention=0.3, traits=2
    )
    np.testing.assert_array_equal(again.tables, found.tables)


@pytest.mark.parametrize("rho", [0.0, 0.05, 0.4])
def test_counts_have_the_mean_and_variance_of_the_likelihood(rho):
    draws, voters, theta = 40_000, np.array([30, 7, 1]), np.array([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [0.2, 0.2, 0.6]])
    rng = np.random.default_rng(8)
    found = draw_tables(rng, np.tile(voters, (1, draws, 1)), np.broadcast_to(theta, (1, draws, 3, 3)), np.array([rho]))[
        0
    ]
    mean = voters[:, None] * theta
    variance = mean * (1.0 - theta) * (1.0 + (voters[:, None] - 1.0) * rho)
    assert (np.abs(found.mean(axis=0) - mean) < 4.5 * np.sqrt(variance / draws)).all()
    square = (found - mean) ** 2
    assert (np.abs(square.mean(axis=0) - variance) < 4.5 * square.std(axis=0) / np.sqrt(draws)).all()
    # covariance of two columns of a row: -A theta theta' (1 + (A - 1) rho)
    both = (found - mean)[:, :, 0] * (found - mean)[:, :, 1]
    wanted = -voters * theta[:, 0] * theta[:, 1] * (1.0 + (voters - 1.0) * rho)
    assert (np.abs(both.mean(axis=0) - wanted) < 4.5 * both.std(axis=0) / np.sqrt(draws)).all()


def test_drawn_tables_have_the_moments_of_their_parameters():
    found = drawn_units(4, contests=6, units=300, rows=4, parties=4, rho=0.02)
    of = found.parameters
    voters = found.rows[..., None]
    mean, spread = voters * of.local, of.local * (1.0 - of.local) * voters
    variance = spread * (1.0 + np.maximum(voters - 1, 0) * of.rho[:, None, None, None])
    off = (found.tables - mean) / np.sqrt(np.where(variance > 0, variance, 1.0))
    number = (variance > 0).sum()
    # cells of a row of a unit hang together, 4 of them: their number counts as a quarter at least
    assert abs(off.sum() / number) < 4 * np.sqrt(4 / number)
    for d in range(6):
        square = off[d][variance[d] > 0] ** 2
        assert abs(square.mean() - 1.0) < 4 * np.sqrt(4 / square.size) * square.std()


def test_the_context_has_its_exponent():
    rows = drawn_units(2, contests=4, units=80, rows=3, parties=3, beta=0.0).rows
    theta = np.random.default_rng(1).dirichlet(np.ones(3), size=(4, 3))
    np.testing.assert_allclose(surrounded(theta, rows, 0.0), np.broadcast_to(theta[:, None], (4, 80, 3, 3)), rtol=1e-12)
    near = (rows @ theta) / rows.sum(axis=2, keepdims=True)
    far = (rows.sum(axis=1)[:, None] @ theta)[:, 0] / rows.sum(axis=(1, 2))[:, None]
    context = np.log(near + 1e-4) - np.log(far + 1e-4)[:, None]
    moved = np.log(surrounded(theta, rows, 0.6)) - np.log(theta)[:, None]
    # of two columns, the logit of every row moves by beta times what the surroundings differ by
    wanted = np.broadcast_to(0.6 * (context[..., 0] - context[..., 1])[:, :, None], moved.shape[:3])
    np.testing.assert_allclose(moved[..., 0] - moved[..., 1], wanted, atol=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.6])
def test_voters_follow_their_surroundings_only_with_a_context(beta):
    found = drawn_units(6, contests=8, units=200, rows=3, parties=3, beta=beta, rho=0.005, unit_sd=0.8)
    theta, voters = found.parameters.theta, found.rows[..., None]
    near = (found.rows @ theta) / found.rows.sum(axis=2, keepdims=True)
    far = (found.rows.sum(axis=1)[:, None] @ theta) / found.rows.sum(axis=(1, 2))[:, None, None]
    # score of the exponent at 0: votes beyond those of the contest's shares, times the context
    context = (np.log(near + 1e-4) - np.log(far + 1e-4))[:, :, None, :]
    tilt = context - (theta[:, None] * context).sum(axis=3, keepdims=True)
    score = ((found.tables - voters * theta[:, None]) * tilt).sum(axis=(2, 3))
    z = score.sum() / np.sqrt((score**2).sum())
    assert (abs(z) < 4) if beta == 0 else (z > 10)


def test_neighbours_are_alike_and_traits_attract():
    smooth = drawn_units(9, contests=20, units=60, rows=3, parties=3, near=1.0, voters=20_000.0)
    rough = drawn_units(9, contests=20, units=60, rows=3, parties=3, near=0.0, voters=20_000.0)

    def unlike(found):
        logits = np.log((found.rows[..., 0] + 0.5) / (found.rows[..., 1] + 0.5))
        gap = np.linalg.norm(found.place[:, :, None] - found.place[:, None, :], axis=3)
        close = (gap < 0.1) & (gap > 0)
        off = (logits[:, :, None] - logits[:, None, :]) ** 2
        return off[close].mean() / off[gap > 0.5].mean()

    assert unlike(smooth) < 0.4
    assert unlike(rough) > 0.8

    plain, drawn_to = (
        drawn_units(3, contests=9, units=2, rows=4, parties=4, traits=2, affinity=a).parameters.eta for a in (0.0, 0.7)
    )
    found = drawn_units(3, contests=9, units=2, rows=4, parties=4, traits=2, affinity=0.7)
    shared = (found.row_trait[:, :, None] == found.column_trait[:, None, :]) & (found.row_trait >= 0)[:, :, None]
    np.testing.assert_allclose(drawn_to - plain, 0.7 * shared, atol=1e-12)
    assert shared.any()
    assert (found.row_trait[found.row_key == OTHER] == -1).all()
