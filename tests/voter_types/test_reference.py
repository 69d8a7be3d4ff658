"""The engine of voter types beside plain loops over voters, brute force, and published fits."""

import itertools
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import electjax
from electjax.numerics.host import double_precision
from electjax.voter_types.em.em_map import begin, em_map, maximise_choice, maximise_shares, penalty, squarem_cycle
from electjax.voter_types.em.mixture import LOG_ZERO, Types, expect, log_likelihood, row_log_likelihood, row_posterior
from electjax.voter_types.em.rows import lay_out
from electjax.voter_types.em.runs import run_all
from electjax.voter_types.em.simulate import simulate_choices
from tests.voter_types import by_hand

BALLOTS = Path(__file__).parents[2].parent / "shared" / "data" / "ballots"

# Cases that share their shapes share a compiled program.
CASES = {
    "complete": {},
    "missing": {"missing": 0.25},
    "weights": {"missing": 0.25, "weighted": True},
    "menus": {"menus": True, "voters": 80},
    "covariates": {"columns": 3, "weighted": True, "voters": 80},
    "candidates": {"menus": True, "features": 1, "missing": 0.1, "weighted": True, "columns": 3, "voters": 80},
}

step = jax.jit(em_map)


@jax.jit
def look(types, rows):
    """E-step, log-likelihood by row, and gradient."""
    return expect(types, rows), row_log_likelihood(types, rows), jax.grad(log_likelihood)(types, rows)


@jax.jit
def solve(counts, members, types, rows, ridge):
    """Both M-steps to the end."""

    def again(_, types):
        types = maximise_choice(counts, types, rows.mask, rows.x)
        return types._replace(gamma=maximise_shares(members, types.gamma, rows.design, ridge))

    return lax.fori_loop(0, 300, again, types)


@jax.jit
def plain_em(types, rows, ridge):
    """Many EM steps."""
    return lax.fori_loop(0, 400, lambda _, types: em_map(types, rows, ridge)[0], types)


@jax.jit
def climb(types, rows, ridge):
    """Observed log-likelihood, penalised, along 20 EM steps and along 20 SQUAREM cycles."""

    def value(types):
        return log_likelihood(types, rows) - penalty(types.gamma, ridge)

    def plain(types, _):
        return em_map(types, rows, ridge)[0], value(types)

    def fast(walk, _):
        return squarem_cycle(walk, rows, ridge), value(walk.types)

    return lax.scan(plain, types, length=20)[1], lax.scan(fast, begin(types), length=20)[1]


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


def on_device(ballots, *, unique=False, **layout):
    return lay_out(by_hand.as_profiles(ballots, unique=unique), **layout)


def assert_types(found, expected, atol=1e-10):
    np.testing.assert_allclose(jax.nn.softmax(found.gamma), jax.nn.softmax(expected.gamma), rtol=0, atol=atol)
    if found.gamma.shape[0] > 1:
        np.testing.assert_allclose(found.gamma, expected.gamma, rtol=atol, atol=atol)
    np.testing.assert_allclose(np.exp(found.log_mu), np.exp(expected.log_mu), rtol=0, atol=atol)
    np.testing.assert_allclose(found.delta, expected.delta, rtol=atol, atol=atol)


@pytest.mark.parametrize("case", CASES)
def test_both_steps_are_those_of_the_source(case):
    ballots = by_hand.draw_ballots(1, **CASES[case])
    parameters = by_hand.draw_parameters(2, ballots)
    rows, types = on_device(ballots), by_hand.as_types(parameters)
    zeta = by_hand.memberships(parameters, ballots)

    found, _, _ = look(types, rows)
    assert float(found.log_likelihood) == pytest.approx(by_hand.log_likelihood(parameters, ballots), rel=1e-12)
    counts = np.zeros(found.counts.shape)
    for i in range(len(ballots.choice)):
        for j in by_hand.seen(ballots, i):
            counts[:, j, ballots.context[i, j], ballots.choice[i, j]] += ballots.weight[i] * zeta[i]
    np.testing.assert_allclose(found.counts, counts, rtol=0, atol=1e-10)

    ridge = 0.5 if case == "covariates" else 0.0
    best = solve(found.counts, found.members, types, rows, ridge)
    assert_types(best, by_hand.as_types(by_hand.maximise(zeta, ballots, ridge=ridge)))


@pytest.mark.parametrize("case", ["complete", "missing", "weights"])
def test_em_walks_the_same_way_as_voter_by_voter(case):
    """Where the M-step has a closed form every step is the same."""
    ballots = by_hand.draw_ballots(3, **CASES[case])
    parameters = by_hand.draw_parameters(4, ballots)
    rows, types = on_device(ballots), by_hand.as_types(parameters)
    for _ in range(25):
        parameters = by_hand.em_step(parameters, ballots)
        types, _ = step(types, rows, 0.0)
    assert_types(types, by_hand.as_types(parameters))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["menus", "candidates"])
def test_engine_stops_where_the_exact_steps_stop(case):
    """With menus or covariates the engine takes one Newton step where the source solves; the fixed points agree."""
    ridge = 1.0
    ballots = by_hand.draw_ballots(5, **CASES[case] | {"voters": 160})  # enough to keep mu off the boundary
    types = by_hand.as_types(by_hand.draw_parameters(6, ballots, types=2))
    rows = on_device(ballots)
    for _ in range(5):
        types = plain_em(types, rows, ridge)
    here = by_hand.Parameters(*(np.asarray(part) for part in types))
    assert_types(by_hand.as_types(by_hand.em_step(here, ballots, ridge=ridge)), types, atol=1e-6)
    assert float(log_likelihood(types, rows)) == pytest.approx(by_hand.log_likelihood(here, ballots), rel=1e-10)


@pytest.mark.ci
def test_collapsed_weighted_and_voter_by_voter_fits_agree():
    ballots = by_hand.draw_ballots(7, 300, offices=3, menus=True, missing=0.1, columns=2, levels=1)
    start = by_hand.as_types(by_hand.draw_parameters(8, ballots))
    profiles = by_hand.as_profiles(ballots, unique=True)
    assert len(profiles.code) < len(ballots.choice) - 50
    assert profiles.voters.sum() == len(ballots.choice)
    single = plain_em(start, on_device(ballots), 0.1)
    collapsed = plain_em(start, lay_out(profiles), 0.1)
    # the unique voters, each with a weight that counts all that are like it
    same = np.column_stack([ballots.choice, ballots.context, ballots.design])
    _, first, counts = np.unique(same, axis=0, return_index=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(first))
    few = ballots._replace(
        choice=ballots.choice[first][order],
        context=ballots.context[first][order],
        design=ballots.design[first][order],
        weight=counts[order].astype(float),
    )
    # a vote that is missing says as little as an office that is not on the ballot, so more rows collapse than here
    assert len(first) >= len(profiles.code)
    assert_types(collapsed, single)
    assert_types(plain_em(start, on_device(few), 0.1), single)
    fits = [
        float(log_likelihood(single, on_device(b, unique=u)))
        for b, u in ((ballots, False), (ballots, True), (few, False))
    ]
    np.testing.assert_allclose(fits, by_hand.log_likelihood(by_hand.Parameters(*single), ballots), rtol=1e-12)


def test_likelihood_sums_over_all_assignments():
    """Pr(Y) is the sum of Pr(Y, Z) over all K^N assignments Z, and zeta the share of those with Z_i = k."""
    ballots = by_hand.draw_ballots(9, 6, menus=True, missing=0.2, columns=3, features=1)
    parameters = by_hand.draw_parameters(10, ballots)
    prior = np.array([by_hand.shares(parameters, ballots, i) for i in range(6)])
    votes = np.array([[by_hand.vote_chance(parameters, ballots, i, k) for k in range(3)] for i in range(6)])
    mass, with_type = 0.0, np.zeros((6, 3))
    for assignment in itertools.product(range(3), repeat=6):
        z = (np.arange(6), np.array(assignment))
        together = float(np.prod(prior[z]) * np.prod(votes[z]))
        mass += together
        with_type[z] += together
    rows, types = on_device(ballots), by_hand.as_types(parameters)
    assert float(log_likelihood(types, rows)) == pytest.approx(math.log(mass), rel=1e-12)
    np.testing.assert_allclose(row_posterior(types, rows), with_type / mass, rtol=0, atol=1e-12)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    missing=st.sampled_from([0.0, 0.4]),
    weighted=st.booleans(),
    menus=st.booleans(),
    ridge=st.sampled_from([0.0, 0.3]),
)
def test_log_likelihood_never_falls(seed, missing, weighted, menus, ridge):
    ballots = by_hand.draw_ballots(seed, 30, menus=True, missing=missing, weighted=weighted, columns=3, features=1)
    context = ballots.context if menus else np.where(ballots.context < 0, -1, 3)
    choice = ballots.choice
    # the first voters cast every vote there is, so that all examples have the same shapes
    context[:7], choice[:7] = np.array([[1, 1, 2, 2, 3, 3, 3], [0, 1, 0, 2, 0, 1, 2]])[:, :, None]
    ballots = ballots._replace(context=context, choice=choice)
    with double_precision():
        start = by_hand.as_types(by_hand.draw_parameters(seed + 1, ballots))
        for path in map(np.asarray, climb(start, on_device(ballots), ridge)):
            assert np.isfinite(path).all()
            assert np.diff(path).min() >= -1e-10 * np.abs(path).max()


def test_layouts_agree():
    ballots = by_hand.draw_ballots(11, **CASES["candidates"] | {"offices": 9, "levels": 1, "voters": 700})
    types = by_hand.as_types(by_hand.draw_parameters(12, ballots))
    dense, blocks = (on_device(ballots, unique=True, layout=name, chunk=300) for name in ("dense", "blocks"))
    assert blocks.block is not None
    assert blocks.block.shape[0] > 1  # several chunks, the last one filled up
    assert blocks.block.shape[1] > 1  # several blocks of offices
    one, other = look(types, dense), look(types, blocks)
    np.testing.assert_allclose(one[1], other[1].reshape(-1)[: len(one[1])], rtol=0, atol=1e-10)
    for a, b in zip((*one[0], *one[2]), (*other[0], *other[2]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("menus", [False, True])
def test_a_thousand_offices_do_not_underflow(menus):
    """Pr(Y_i) is about exp(-1000), below what a double holds; the sum of logs is not."""
    ballots = by_hand.draw_ballots(13, 60, offices=1000, menus=menus, missing=0.1)
    parameters = by_hand.draw_parameters(14, ballots)
    assert min(by_hand.vote_chance(parameters, ballots, i, 0) for i in range(3)) < 1e-300
    rows, types = on_device(ballots), by_hand.as_types(parameters)
    logs = np.array(
        [
            [
                math.log(by_hand.shares(parameters, ballots, i)[k])
                + math.fsum(
                    math.log(by_hand.chances(parameters, ballots, k, j, ballots.context[i, j])[ballots.choice[i, j]])
                    for j in by_hand.seen(ballots, i)
                )
                for k in range(3)
            ]
            for i in range(5)
        ]
    )
    np.testing.assert_allclose(look(types, rows)[1][:5], np.logaddexp.reduce(logs, axis=1), rtol=1e-12)
    for _ in range(15):
        types, objective = step(types, rows, 0.0)
        assert np.isfinite(float(objective))
    assert all(np.isfinite(leaf).all() for leaf in types)


def test_probabilities_of_zero_and_one_stay_numbers():
    """Types that never choose an option: their voters fit with certainty, and others are impossible, not NaN."""
    sizes = np.array([20, 15, 5])
    ballots = by_hand.draw_ballots(15)
    rows = on_device(ballots._replace(choice=np.repeat(np.tile(np.arange(3)[:, None], 4), sizes, axis=0)))
    types = Types(jnp.zeros((1, 3)), jnp.log(0.3 + 0.1 * jnp.eye(3))[:, None].repeat(4, 1), jnp.zeros((3, 0)))
    for _ in range(60):
        types, _ = step(types, rows, 0.0)
    np.testing.assert_allclose(np.exp(types.log_mu), np.eye(3)[:, None].repeat(4, 1), rtol=0, atol=1e-15)
    np.testing.assert_allclose(jax.nn.softmax(types.gamma)[0], sizes / 40, rtol=1e-12)
    found, by_row, gradient = look(types, rows)
    assert float(found.log_likelihood) == pytest.approx(float(sizes @ np.log(sizes / 40)), rel=1e-12)
    assert all(np.isfinite(leaf).all() for leaf in gradient)
    # ballots that no type can cast
    strange = on_device(ballots._replace(choice=np.tile([0, 1, 2, 0], (40, 1))))
    found, by_row, gradient = look(types, strange)
    assert np.isfinite(by_row).all()
    assert (np.asarray(by_row) < LOG_ZERO).all()
    assert all(np.isfinite(leaf).all() for leaf in (*found, *gradient, *step(types, strange, 0.0)[0]))


def published(name):
    """Ballots of a file of poLCA: categories 1.. in each column, blank where missing."""
    path = BALLOTS / f"{name}_int.csv"
    if not path.exists():
        pytest.skip(f"the {name} data are not here ({path})")
    return xr.Dataset({"choice": (("voter", "office"), pd.read_csv(path).fillna(0).to_numpy().astype(np.int8) - 1)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("carcinoma", 1, -524.4648),
        ("carcinoma", 2, -317.2568),
        ("carcinoma", 3, -293.7050),
        ("carcinoma", 4, -289.2858),
        ("gss82", 1, -2872.2296),
        ("gss82", 2, -2783.2680),
        ("gss82", 4, -2746.6208),
    ],
)
def test_published_maxima(name, types, expected):
    fit = electjax.voter_types.fit(published(name), types, restarts=100, seed=1, errors="none")
    assert fit.attrs["log_likelihood"] == pytest.approx(expected, abs=1e-4)


def test_local_maxima_of_gss82():
    """Other programs' 500 starts with three types ended at five maxima; so do ours, most often at the same ones."""
    fit = electjax.voter_types.fit(published("gss82"), 3, restarts=500, seed=1, errors="none")
    found = fit["maxima_log_likelihood"].values
    assert found[0] == pytest.approx(-2754.5454, abs=1e-4)
    for expected in (-2755.617, -2755.739, -2762.005, -2762.231):
        assert np.abs(found - expected).min() < 1e-3
    assert (np.diff(found) < 0).all()
    starts = fit["maxima_starts"].values
    assert starts.sum() == 500
    assert starts[0] >= 100


@pytest.mark.slow
def test_planted_parameters_come_back():
    """Within three standard errors, and these of the right size: the mean of z^2 over d parameters is 1."""
    ballots = by_hand.draw_ballots(16, 4000, offices=5, menus=True, columns=2)
    truth = by_hand.Parameters(
        gamma=np.array([[0.0, -1.0], [0.0, 0.7]]),
        psi=np.log([[[0.2, 0.2, 0.6]] * 5, [[0.1, 0.6, 0.3]] * 5]),
        delta=np.zeros((2, 0)),
    )
    choice, _ = simulate_choices(
        jax.random.key(17), by_hand.as_types(truth), ballots.context, ballots.mask, design=ballots.design
    )
    fit = electjax.voter_types.fit(
        xr.Dataset(
            {
                "choice": (("voter", "office"), choice),
                "menu": (("voter", "office"), np.maximum(ballots.context, 0)),
                "covariate": (("voter", "term"), ballots.design[:, 1:]),
            },
            coords={"term": ["age"]},
        ),
        2,
        restarts=8,
        seed=18,
    )
    gaps = {
        "gamma": (fit["gamma"].values - truth.gamma)[:, 1:] / fit["gamma_se"].values[:, 1:],
        "psi": (fit["psi"].values - truth.psi + truth.psi[..., :1])[..., 1:] / fit["psi_se"].values[..., 1:],
        "mu": (fit["mu"].values - by_hand.full_menu(truth)) / fit["mu_se"].values,
    }
    for gap in gaps.values():
        assert np.isfinite(gap).all()
        assert np.abs(gap).max() < 3
    square = np.concatenate([gaps["gamma"].ravel(), gaps["psi"].ravel()]) ** 2
    assert square.mean() == pytest.approx(1, abs=3 * np.sqrt(2 / square.size))


def test_a_sweep_compiles_once():
    ballots = by_hand.draw_ballots(1, **CASES["missing"])
    data = xr.Dataset({"choice": (("voter", "office"), ballots.choice)})
    how = {"types": 2, "moves": False, "newton": False, "errors": "none"}
    electjax.voter_types.fit(data, restarts=4, **how)
    before = run_all._cache_size()
    for ridge, tolerance, restarts in ((0.0, 1e-7, 4), (0.5, 1e-9, 3), (1.0, 1e-5, 4)):
        electjax.voter_types.fit(data, seed=restarts, restarts=restarts, ridge=ridge, tolerance=tolerance, **how)
    assert run_all._cache_size() == before
