"""Tables and draws of the model against its definition: margins, bounds, odds, noise, and the spread of draws."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from electjax.ecological.model import draws as dr
from electjax.ecological.model import estimate as es
from electjax.ecological.model import problem as pb
from electjax.ecological.model.balance import contest_bounds, unit_bounds
from electjax.ecological.model.data import block_places
from electjax.numerics.host import double_precision
from tests.ecological.three_contests import COLUMNS, ROWS, dense, point_of, shares_by_hand, spread_by_hand


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


def of_units(made, tables, size=4):
    place, block, _ = block_places(made.of, size=size)
    return np.asarray(tables)[block, place]


def test_tables_have_the_margins_of_units_and_the_odds_of_the_model(made, problem, found):
    tables = es.unit_tables(found.eta, 0.6, problem)
    own = of_units(made, tables)
    assert np.abs(own.sum(axis=2) - made.rows).max() < 1e-6
    assert np.abs(own.sum(axis=1) - made.columns).max() < 1e-6
    low, high = unit_bounds(made.rows, made.columns)
    assert (own >= low - 1e-6).all()
    assert (own <= high + 1e-6).all()
    assert np.asarray(tables).sum() == pytest.approx(made.rows.sum())  # nothing is in padding
    contest = es.in_contests(tables, problem)
    np.testing.assert_allclose(contest, [own[made.of == d].sum(axis=0) for d in range(3)], rtol=1e-12)
    # odds ratios of a unit where every margin is positive are those of the logits, which context leaves alone
    full = [u for u in range(len(own)) if made.of[u] == 0 and (own[u] > 1e-6).all()]
    assert full
    eta = np.asarray(found.eta)[0]
    want = eta[1:, 1:] - eta[:1, 1:] - eta[1:, :1] + eta[:1, :1]
    for u in full:
        log = np.log(own[u])
        np.testing.assert_allclose(log[1:, 1:] - log[:1, 1:] - log[1:, :1] + log[:1, :1], want, atol=1e-5)


def test_noise_is_that_of_normal_tables_given_their_columns(made, problem):
    """Residuals of a regression of drawn cells on drawn columns know nothing of the formula."""
    point, draws, d = point_of(problem, 8), 40_000, 0
    eta, rho = pb.logits(point, problem)
    got = np.asarray(es.noise(eta, rho, 0.6, problem))[d]
    rng, total = np.random.default_rng(9), np.zeros((draws, ROWS * COLUMNS))
    here = np.ones(COLUMNS, bool)
    for rows in made.rows[made.of == d]:
        shares = shares_by_hand(np.asarray(eta)[d], rows, made.contests.mix[d], here, 0.6)
        spread = spread_by_hand(shares, rows, expit(float(rho[d])))
        cells = np.stack([rng.multivariate_normal(np.zeros(COLUMNS), s, draws) for s in spread], axis=1)
        seen = cells.sum(axis=1) + 0.5 * rng.normal(size=(draws, COLUMNS))
        flat = cells.reshape(draws, -1)
        total += flat - seen @ np.linalg.lstsq(seen, flat)[0]
    products = total[:, :, None] * total[:, None, :]
    error = products.std(axis=0) / np.sqrt(draws)
    # what the regression takes away beyond the truth is about 4 coefficients of 40,000 draws: below the error
    assert (np.abs(products.mean(axis=0) - got) < 5 * error + 1e-6).all()
    assert np.linalg.eigvalsh(got).min() > -1e-8 * got.max()
    # rows have their margins, columns nearly
    by_row = got.reshape(ROWS, COLUMNS, -1).sum(axis=1)
    assert np.abs(by_row).max() < 1e-8 * got.max()


@pytest.fixture(scope="module")
def known(made, problem, found):
    """What draws are made from, with hardly any uncertainty but that of votes; the estimate and its bounds."""
    with double_precision():
        still = jax.tree.map(jnp.zeros_like, found.point)
        known = dr.posterior(found, still, context_sd=0.0, inflation=1e-12)
        centre = es.in_contests(es.unit_tables(found.eta, 0.6, problem), problem)
        bounds = tuple(es.in_contests(x, problem) for x in unit_bounds(problem.blocks.rows, problem.blocks.columns))
        return SimpleNamespace(known=known, centre=centre, bounds=bounds)


def test_draws_have_margins_and_bounds_whatever_is_drawn(made, problem, known):
    wild = known.known._replace(context_sd=jnp.asarray(1.0), votes=5.0 * known.known.votes)
    keys = jax.random.split(jax.random.key(1), 400)
    tables = np.asarray(dr.draw_tables(keys, wild, problem, known.centre, known.bounds))
    rows, columns = (np.stack([x[made.of == d].sum(axis=0) for d in range(3)]) for x in (made.rows, made.columns))
    assert np.abs(tables.sum(axis=3) - rows).max() < 1e-5
    assert np.abs(tables.sum(axis=2) - columns).max() < 1e-5
    for d in range(3):
        low, high = contest_bounds(made.rows[made.of == d], made.columns[made.of == d])
        assert (tables[:, d] >= np.asarray(low) - 1e-5).all()
        assert (tables[:, d] <= np.asarray(high) + 1e-5).all()
    assert tables.std(axis=0).max() > 10.0


def test_draws_vary_as_parameters_and_votes_do(made, problem, found, known):
    """Votes alone: mean and covariance of the formula. Parameters alone: their spread grows with the inflation."""
    keys = jax.random.split(jax.random.key(2), 400)
    of = known.known
    tables = np.asarray(dr.draw_tables(keys, of, problem, known.centre, known.bounds))
    want = np.asarray(es.noise(found.eta, found.rho, 0.6, problem))
    sd = np.sqrt(np.maximum(np.einsum("dkk->dk", want), 0)).reshape(3, ROWS, COLUMNS)
    low, high = (np.asarray(x) for x in known.bounds)
    centre = np.asarray(known.centre)
    inside = (centre - 3 * sd > low) & (centre + 3 * sd < high) & (sd > 1)  # no bound is in the way
    assert inside.sum() >= 6
    assert (np.abs(tables.mean(axis=0) - centre)[inside] < 4.5 * sd[inside] / np.sqrt(400)).all()
    # a standard deviation of 400 draws has an error of 1 / sqrt(800) of it
    np.testing.assert_allclose(tables.std(axis=0)[inside], sd[inside], rtol=4.5 / np.sqrt(800) + 0.02)

    silent = jnp.zeros_like(of.votes)
    still = jax.tree.map(jnp.zeros_like, found.point)
    wide = [dr.posterior(found, still, context_sd=0.0, inflation=k)._replace(votes=silent) for k in (0.01, 0.04)]
    one, two = (np.asarray(dr.draw_tables(keys, x, problem, known.centre, known.bounds)).std(axis=0) for x in wide)
    np.testing.assert_allclose(two[inside] / one[inside], 2.0, rtol=0.1)  # the same normals, twice as far


def test_contexts_are_spread_evenly_over_a_student_t():
    found = np.asarray(dr.spread_out(jax.random.key(5), 40))
    ends = stats.t.ppf(np.linspace(0, 1, 41), 4)
    ranked = np.sort(found)
    assert ((ends[:-1] - 1e-9 <= ranked) & (ranked <= ends[1:] + 1e-9)).all()
    assert not np.array_equal(ranked, found)
    assert not np.array_equal(found, dr.spread_out(jax.random.key(6), 40))


def test_parameters_are_drawn_with_the_inverse_of_the_information(problem, found):
    still = jax.tree.map(jnp.zeros_like, found.point)
    laplace = dr.posterior(found, still, context_sd=0.12, inflation=2.5).laplace
    known = es.curvature(found.point, problem)
    want = 2.5 * np.linalg.inv(dense(known))
    root, ties, spread = (np.asarray(x) for x in (laplace.root, laplace.ties, laplace.spread))
    p, q = root.shape[0], spread.shape[1]
    np.testing.assert_allclose(root @ root.T, want[:p, :p], rtol=1e-6, atol=1e-9)
    for d in range(3):
        own = slice(p + d * q, p + (d + 1) * q)
        moved = -ties[d] @ root
        np.testing.assert_allclose(
            moved @ moved.T + spread[d] @ spread[d].T, want[own, own], rtol=1e-6, atol=1e-6 * np.abs(want).max()
        )
        np.testing.assert_allclose(moved @ root.T, want[own, :p], rtol=1e-6, atol=1e-6 * np.abs(want).max())
