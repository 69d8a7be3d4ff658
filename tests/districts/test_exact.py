"""Likelihoods against enumeration, simulation and sums of logarithms; the exact posterior against quadrature."""

import sys
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from electjax.districts.abc.distance import Measure, target
from electjax.districts.abc.grid import adaptive_grid, grid_draws
from electjax.districts.abc.methods.exact import (
    ExactOptions,
    _Data,
    _grid,
    _log_prior_and_params,
    _Model,
    _nuts,
    _to_unit,
    exact,
    r_hat,
)
from electjax.districts.abc.prior import Axis, Space, make_space, unit_to_params
from electjax.districts.abc.problem import Problem, Setting
from electjax.districts.kernels.dirichlet_multinomial import dirichlet_multinomial_log, multinomial_log
from electjax.districts.models import get_simulator
from electjax.districts.models.base import check_options, filled, make_plan
from electjax.numerics.host import double_precision
from tests.districts.enumeration import law, polya_urn
from tests.districts.runs import STANDARD_ERRORS, contest, outcomes

COUNT = {"reading": "count", "bookkeeping": "none"}
OPEN = {"reading": "count", "districts": "open"}
SHARES = np.array([0.55, 0.3, 0.1, 0.04, 0.01])


def problem(model, votes, priors=None, options=None, params=None):
    """The calibration of a model against these votes."""
    simulator, (districts, parties) = get_simulator(model), votes.shape
    chosen = check_options(simulator, options)
    popularity = votes.sum(axis=0) / votes.sum()
    election = contest(votes.sum(axis=1), popularity, votes.sum(axis=0))
    sizes = {"party": parties, "district": districts}
    shapes = {p.name: tuple(sizes[dim] for dim in p.each.split()) for p in simulator.parameters}
    space = make_space(simulator, priors, shapes, popularity)
    fixed = {name: value for name, value in (simulator.defaults | (params or {})).items()}
    for axis in space.axes:
        fixed.pop(axis.name, None)
    goal = target(np.zeros(parties), popularity, 0.5, 0.1)
    return Problem(
        setting=Setting(simulator, chosen, make_plan(simulator, election, options=chosen)),
        space=space,
        contest=election,
        may_win=jnp.ones(parties, bool),
        fixed={name: jnp.asarray(value, jnp.float32) for name, value in fixed.items()},
        goal=goal,
        measure=Measure(goal),
    )


def dirichlet_votes(seed, districts, electors, shape):
    rng = np.random.default_rng(seed)
    return np.stack([rng.multinomial(electors, rng.dirichlet(shape)) for _ in range(districts)])


def moments(density, low, high, points=20_001):
    """Mean, sd and log integral over (low, high) of exp(density(x)), by Simpson's rule."""
    x = np.linspace(low, high, points)
    log_p = np.array([density(value) for value in x])
    p = np.exp(log_p - log_p.max())
    mass = integrate.simpson(p, x=x)
    mean = integrate.simpson(p * x, x=x) / mass
    return mean, np.sqrt(integrate.simpson(p * (x - mean) ** 2, x=x) / mass), np.log(mass) + log_p.max()


# ------------------------------------------------------------------------------------------ probabilities


def urn_by_draws(counts, shape):
    """Log probability of Polya's urn, ball by ball."""
    n = counts.sum()
    drawn = sum(np.log(a + np.arange(x)).sum() for x, a in zip(counts, shape, strict=True))
    orders = np.log(np.arange(1, n + 1)).sum() - sum(np.log(np.arange(1, x + 1)).sum() for x in counts)
    return drawn - np.log(shape.sum() + np.arange(n)).sum() + orders


@pytest.mark.parametrize("concentration", [1e-6, 1e-3, 1.0, 30.0, 1e4, 1e9])
def test_log_probability_and_slope_ball_by_ball(concentration):
    rng = np.random.default_rng(1)
    rows = []
    for n in (1, 7, 900, 130_000, 1_000_000):
        shares = rng.dirichlet(np.maximum(concentration * SHARES, 1e-3))
        rows.append(rng.multinomial(n, shares))
    shape = concentration * SHARES
    single = jax.jit(dirichlet_multinomial_log)(jnp.asarray(rows), jnp.asarray(shape, jnp.float32))
    with double_precision():
        both = jax.jit(
            lambda c: jax.jvp(lambda c: dirichlet_multinomial_log(jnp.asarray(rows), c * SHARES), [c], [1.0])
        )
        double, slope = both(concentration)
    for row, low, high, rise in zip(rows, single, double, slope, strict=True):
        expected = urn_by_draws(row, shape)
        assert float(high) == pytest.approx(expected, abs=1e-7)
        assert float(low) == pytest.approx(expected, abs=1e-3)
        n, a = row.sum(), shape
        by_ball = sum(s * (1 / (b + np.arange(x))).sum() for x, s, b in zip(row, SHARES, a, strict=True))
        # what the ratio of a few thousand sums leaves of 16 digits
        assert concentration * float(rise) == pytest.approx(
            concentration * (by_ball - (1 / (a.sum() + np.arange(n))).sum()), abs=1e-6, rel=1e-6
        )


def test_empty_rows_closed_categories_and_the_multinomial_limit():
    shape = jnp.array([2.0, 0.0, 1.0])
    law_of = jax.jit(dirichlet_multinomial_log)
    found = law_of(jnp.array([[0, 0, 0], [1, 0, 1], [1, 1, 0]]), shape)
    np.testing.assert_allclose(found, [0.0, urn_by_draws(np.array([1, 1]), np.array([2.0, 1.0])), -np.inf], atol=1e-5)
    slope = jax.grad(jax.jit(lambda c: dirichlet_multinomial_log(jnp.array([3, 0, 2]), c * shape)))(1.0)
    assert np.isfinite(slope)
    counts = np.array([560, 290, 95, 45, 10])
    expected = stats.multinomial.logpmf(counts, 1000, SHARES)
    assert float(multinomial_log(jnp.asarray(counts), jnp.asarray(3 * SHARES))) == pytest.approx(expected, abs=1e-4)
    near = law_of(jnp.asarray(counts), jnp.asarray(1e9 * SHARES))
    assert float(near) == pytest.approx(expected, abs=2e-3)


# -------------------------------------------------------------------------------------------- likelihoods

ETA = (0.3, 0.8)
CASES = {
    # model: options, params, electors, popularity, the urns: sizes, base and balls of each
    "dm": ({}, {"concentration": 1.7}, (2, 3), (0.5, 0.3, 0.2), (1.7, 1.7)),
    "dpm": (COUNT, {"gamma": (0.2, 0.7)}, (2, 3), (0.5, 0.3, 0.2), (4.0, 3 / 7)),
    "pcm": (OPEN, {"eta": ETA}, (2, 3, 4), (0.5, 0.5), tuple(3 * (1 - eta) / eta for eta in ETA)),
    "pcm by size": (
        OPEN | {"base": "electorate"},
        {"eta": ETA},
        (2, 3, 4),
        (0.5, 0.5),
        tuple(3 * (1 - eta) / eta for eta in ETA),
    ),
}


def by_enumeration(case):
    """Probability of every table votes[S][K], from the definition: one urn after the other, ball by ball."""
    _, _, electors, popularity, balls = CASES[case]
    parties = case.startswith("pcm")
    sizes = np.asarray(contest(electors, popularity).totals) if parties else electors
    base = popularity if not parties else (1 / 3, 1 / 3, 1 / 3) if case == "pcm" else tuple(np.array(electors) / 9)
    urns = [law((int(n),), base, polya_urn(c, base), None, "shuffled") for n, c in zip(sizes, balls, strict=True)]
    table = {}
    for rows in product(*(urn.items() for urn in urns)):
        votes = np.array([row[0][0] for row in rows])
        table[(votes.T if parties else votes).tobytes()] = float(np.prod([p for _, p in rows]))
    return table


@pytest.mark.parametrize("case", CASES)
def test_every_table_of_a_tiny_election_has_its_probability(case):
    options, params, electors, popularity, _ = CASES[case]
    simulator = get_simulator(case.split()[0])
    chosen = check_options(simulator, options)
    election = contest(electors, popularity)
    table = by_enumeration(case)
    votes = np.stack([np.frombuffer(row, int).reshape(len(electors), -1) for row in table])
    assert simulator.has_likelihood(chosen)
    with double_precision():
        values = {name: jnp.asarray(value, float) for name, value in (simulator.defaults | params).items()}
        likelihood = jax.jit(lambda rows: simulator.log_likelihood(rows, election, values, chosen))
        found = np.exp(jax.vmap(likelihood)(jnp.asarray(votes)))
        np.testing.assert_allclose(found, list(table.values()), rtol=1e-6)  # the popularity is held in float32
        assert found.sum() == pytest.approx(1.0, abs=1e-12)
        assert likelihood(jnp.asarray(votes[0] + 1)) == -np.inf


@pytest.mark.parametrize(
    "case", ["dpm", "pcm by size", *(pytest.param(c, marks=pytest.mark.slow) for c in ("dm", "pcm"))]
)
def test_simulated_elections_have_the_likelihoods_frequencies(case):
    options, params, electors, popularity, _ = CASES[case]
    runs, table = 2**15, by_enumeration(case)
    election = contest(electors, popularity)
    result = outcomes(case.split()[0], election, runs=runs, params=params, options=options, batch=2**11, seed=3)
    found, counts = np.unique(result.votes.reshape(runs, -1).astype(int), axis=0, return_counts=True)
    tally = {row.tobytes(): n for row, n in zip(found, counts, strict=True)}
    assert set(tally) <= set(table)
    for votes, p in table.items():
        assert abs(tally.get(votes, 0) / runs - p) <= STANDARD_ERRORS * np.sqrt(p * (1 - p) / runs) + 1e-5


def test_pcm_without_book_keeping_draws_the_totals_too():
    simulator, election = get_simulator("pcm"), contest((1, 2), (0.7, 0.3))
    chosen = check_options(simulator, OPEN | {"bookkeeping": "none"})
    values = {name: jnp.float32(value) for name, value in simulator.defaults.items()} | {"eta": jnp.array(ETA)}
    tables = [np.array(t).reshape(2, 2) for t in product(range(4), repeat=4) if sum(t) == 3]
    likelihood = jax.jit(jax.vmap(lambda rows: simulator.log_likelihood(rows, election, values, chosen)))
    found = np.asarray(likelihood(jnp.asarray(tables)))
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-5)
    both = sum(np.exp(p) for p, t in zip(found, tables, strict=True) if t.sum(axis=0)[0] == 2)
    assert both == pytest.approx(stats.binom.pmf(2, 3, 0.7), abs=1e-5)


def test_there_is_a_likelihood_only_where_nothing_couples_the_urns():
    for model, options in (
        ("dm", {"bookkeeping": "interleaved"}),
        ("dpm", {"bookkeeping": "none"}),
        ("dpm", {"reading": "count"}),
        ("pcm", {"reading": "count"}),
        ("pcm", {"districts": "open"}),
        ("ecm", {}),
        ("sim", {}),
    ):
        simulator = get_simulator(model)
        assert not simulator.has_likelihood(check_options(simulator, options)), (model, options)


# --------------------------------------------------------------------------------------------------- grid


@pytest.mark.parametrize("sd", [0.2, 1e-3, 1e-8])
def test_the_grid_finds_a_peak_however_narrow(sd):
    density = stats.norm(0.1234, sd)
    grid = adaptive_grid(lambda u: density.logpdf(u[:, 0]), 1)
    inside = stats.truncnorm((0 - 0.1234) / sd, (1 - 0.1234) / sd, 0.1234, sd)
    assert np.exp(grid.log_evidence) == pytest.approx(density.cdf(1) - density.cdf(0), abs=1e-6)
    draws = grid_draws(grid, np.random.default_rng(0), 4000)[:, 0]
    assert abs(draws.mean() - inside.mean()) < 0.01 * inside.std()
    assert draws.std() == pytest.approx(inside.std(), rel=0.01)
    np.testing.assert_allclose(inside.cdf(np.quantile(draws, [0.05, 0.5, 0.95])), [0.05, 0.5, 0.95], atol=0.002)


def test_the_grid_keeps_both_of_two_peaks():
    near, far = stats.norm(0.1, 1e-4), stats.norm(0.93, 1e-4)
    grid = adaptive_grid(lambda u: np.logaddexp(near.logpdf(u[:, 0]), far.logpdf(u[:, 0]) - np.log(3)), 1)
    assert np.exp(grid.log_evidence) == pytest.approx(4 / 3, rel=1e-4)
    assert (grid_draws(grid, np.random.default_rng(0), 1000) > 0.5).mean() == pytest.approx(0.25, abs=0.002)


def test_the_grid_follows_a_narrow_ridge():
    covariance = 1e-6 * np.array([[1.0, 0.98], [0.98, 1.0]])
    density = stats.multivariate_normal([0.3, 0.7], covariance)
    grid = adaptive_grid(density.logpdf, 2)
    assert grid.log_evidence == pytest.approx(0.0, abs=1e-3)
    draws = grid_draws(grid, np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.05)  # 5 standard errors of independent draws


def test_dm_has_the_posterior_of_quadrature():
    votes = dirichlet_votes(2, 40, 100_000, 5.0 * np.array([0.55, 0.35, 0.1]))
    setting = problem("dm", votes)
    sample = exact(jax.random.key(0), setting, votes=votes, accept=2000)
    base = np.asarray(setting.contest.popularity, float)

    def log_posterior(u):
        shape = 0.1 * 2000.0**u * base
        return stats.dirichlet_multinomial.logpmf(votes, shape, votes.sum(axis=1)).sum()

    mean, sd, log_evidence = moments(log_posterior, 0.4, 0.7, 1001)
    assert sample.trace["log_evidence"] == pytest.approx(log_evidence, abs=1e-4)
    assert abs(sample.draws.unit.mean() - mean) < 0.01 * sd
    assert sample.draws.unit.std() == pytest.approx(sd, rel=0.01)
    # and it is a sample like any other
    assert sample.weight.sum() == pytest.approx(1.0)
    assert (np.diff(sample.draws.distance) >= 0).all()
    assert sorted(sample.number) == list(range(2000))
    assert sample.draws.statistics.shape == (2000, 2 * 3 + 2)
    assert (sample.draws.statistics[:, :3].sum(axis=1) == 40).all()
    assert sample.stopped == "exact"
    assert sample.trace["tolerance"].size == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "priors", "options", "name"),
    [("dm", {"concentration": (0.5, 50.0)}, {}, "concentration"), ("dpm", {"gamma": (0.02, 0.9)}, COUNT, "gamma")],
)
def test_the_truth_ranks_uniformly_among_exact_draws(model, priors, options, name):
    """Parameters from the prior, votes from the leap engine, posterior from the grid: ranks are uniform."""
    replicates, draws = 300, 99
    setting = problem(model, np.array([[500, 300, 200]] * 25), priors, options)
    unit = np.random.default_rng(5).uniform(size=(replicates, 1))
    truth = {key: np.asarray(v, np.float32) for key, v in unit_to_params(setting.space, unit).items()}
    fixed = {key: np.broadcast_to(v, (replicates, *v.shape)) for key, v in setting.fixed.items()}
    elections = outcomes(model, setting.contest, runs=replicates, params=fixed | truth, options=options, varying=True)
    ranks = []
    with double_precision():
        own = _Model(setting.space, setting.setting.simulator, setting.setting.options)
        for index, votes in enumerate(elections.votes):
            data = _Data(jnp.asarray(votes, int), setting.contest, setting.fixed)
            found = _grid(jax.random.key(index), own, data, accept=draws)
            ranks.append((found.unit[:, 0] < unit[index, 0]).sum())
    assert name in truth
    assert stats.kstest((np.array(ranks) + 0.5) / (draws + 1), "uniform").pvalue > 1e-3


# --------------------------------------------------------------------------------------------------- NUTS

SIMPLEX = Space((Axis("a", 0.1, 20.0, True), Axis("b", 0.0, 1.0, False, (2, 3), "simplex", (2.0, 0.5, 1.5))))


def test_logits_carry_the_prior_and_the_parameters():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, SIMPLEX.size))
    expected = unit_to_params(SIMPLEX, _to_unit(logits, SIMPLEX))
    prior_of = jax.jit(lambda point: _log_prior_and_params(point, SIMPLEX))
    with double_precision():
        for index, point in enumerate(logits):
            log_prior, params = prior_of(jnp.asarray(point))
            for name, value in params.items():
                np.testing.assert_allclose(value, expected[name][index], rtol=1e-9)
            steps = 1e-6 * np.eye(SIMPLEX.size)
            rise = np.diagonal(_to_unit(point + steps, SIMPLEX) - _to_unit(point - steps, SIMPLEX)) / 2e-6
            assert float(log_prior) == pytest.approx(np.log(rise).sum(), abs=1e-5)


def test_r_hat_sees_chains_that_stay_apart():
    same = np.random.default_rng(0).normal(size=(4, 1000, 2))
    assert (r_hat(same) < 1.01).all()
    apart = same + np.array([0, 0, 0, 1.0])[:, None, None] * np.array([1.0, 0.0])
    assert r_hat(apart)[0] > 1.05
    assert r_hat(apart)[1] < 1.01


def by_nuts(setting, votes, draws):
    with double_precision():
        model = _Model(setting.space, setting.setting.simulator, setting.setting.options)
        data = _Data(jnp.asarray(votes), setting.contest, setting.fixed)
        return _nuts(jax.random.key(1), model, data, accept=draws, chains=4, warmup=400)


@pytest.mark.ci
def test_pcm_factorises_over_the_parties():
    """NUTS in three dimensions against one quadrature per party, the evidence included."""
    rng = np.random.default_rng(6)
    votes = np.stack(
        [
            rng.multinomial(n, rng.dirichlet(np.full(30, c)))
            for n, c in zip((9000, 6000, 900), (6.0, 2.0, 0.5), strict=True)
        ]
    ).T
    found = by_nuts(problem("pcm", votes, options=OPEN), votes, draws=1000)
    assert found.diagnostics["divergences"] == 0
    whole = 0.0
    for k in range(3):

        def log_posterior(eta, own=votes[:, k]):
            return stats.dirichlet_multinomial.logpmf(own, np.full(30, (1 - eta) / eta), own.sum())

        mean, sd, log_evidence = moments(log_posterior, 0.01, 0.99, 4001)
        whole += log_evidence
        draws = found.unit[:, k]
        assert abs(draws.mean() - mean) < STANDARD_ERRORS * sd / np.sqrt(1000)
        assert draws.std() == pytest.approx(sd, rel=STANDARD_ERRORS / np.sqrt(2 * 1000))
    assert found.log_evidence == pytest.approx(whole, abs=STANDARD_ERRORS / np.sqrt(4096))


@pytest.mark.slow
def test_popularity_by_nuts_and_on_the_grid():
    votes = dirichlet_votes(7, 30, 5000, 4.0 * np.array([0.6, 0.4]))
    setting = problem("dm", votes, {"concentration": (0.1, 200.0), "popularity": {"dirichlet": 2.0}})
    grid = exact(jax.random.key(2), setting, votes=votes, accept=4000)
    nuts = by_nuts(setting, votes, draws=4000)
    mean, sd = grid.draws.unit.mean(axis=0), grid.draws.unit.std(axis=0)
    assert (np.abs(nuts.unit.mean(axis=0) - mean) < STANDARD_ERRORS * sd * np.sqrt(2 / 4000)).all()
    np.testing.assert_allclose(nuts.unit.std(axis=0), sd, rtol=STANDARD_ERRORS / np.sqrt(4000))
    assert nuts.log_evidence == pytest.approx(float(grid.trace["log_evidence"]), abs=STANDARD_ERRORS / np.sqrt(4096))


# ------------------------------------------------------------------------------------------------- errors

SMALL = np.array([[30, 20], [10, 40], [25, 25]])


@pytest.mark.parametrize(
    ("setting", "change", "said"),
    [
        ({"model": "dm"}, {"votes": None}, "needs the votes of every district"),
        ({"model": "dpm"}, {}, "model dpm with reading=fraction.* has no likelihood; there is one for dm"),
        ({"model": "ecm"}, {}, "model ecm .* has no likelihood"),
        ({"model": "dm", "priors": {"concentration": {"levels": [1.0, 2.0]}}}, {}, "intervals and simplexes"),
        ({"model": "pcm", "options": OPEN, "priors": {"popularity": {"dirichlet": 1.0}}}, {}, "totals are fixed"),
        ({"model": "dm"}, {"accept": 0}, "accept=0"),
        ({"model": "dm"}, {"votes": SMALL + 1}, "probability zero"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(setting, change, said):
    with pytest.raises(ValueError, match=said.replace("|", r"\|")):
        exact(jax.random.key(0), problem(votes=SMALL, **setting), **({"votes": SMALL, "accept": 10} | change))


def test_without_blackjax_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "blackjax", None)
    with pytest.raises(ValueError, match=r"chains need blackjax: pip install 'electjax\[mcmc\]'"):
        exact(
            jax.random.key(0),
            problem("dm", SMALL),
            votes=SMALL,
            accept=10,
            options=filled(ExactOptions, sampler="nuts"),
        )
