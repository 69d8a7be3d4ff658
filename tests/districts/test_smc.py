"""Sequential Monte Carlo ABC against exact posteriors, brute-force evidence, and itself after an interruption."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import electjax
from electjax.districts.abc.distance import Measure, Target
from electjax.districts.abc.generation import permitted
from electjax.districts.abc.methods.rejection import rejection
from electjax.districts.abc.methods.smc import SMCOptions, effective_size, next_tolerance, pack, smc, unpack
from electjax.districts.abc.problem import _evaluate
from electjax.districts.abc.proposal import fit_proposal, log_prior_ratio, prior_points, propose, split
from electjax.districts.models.base import filled
from electjax.districts.problem import make_problem
from electjax.numerics import parallel
from tests.districts.known_posterior import COUNTED, OPEN, PRIOR, simulated_election, weighted_summary, z_scores

SEARCH = {"budget": 15_000, "accept": 500, "statistics": "log_votes", "options": COUNTED, "priors": PRIOR}


@pytest.fixture(scope="module")
def known():
    return simulated_election("dpm", {"gamma": 0.05}, COUNTED)


@pytest.fixture(scope="module")
def exact(known):
    found = electjax.districts.calibrate(
        known, "dpm", method="exact", seed=1, accept=4000, options=COUNTED, priors=PRIOR
    )
    return found["gamma"].values


# ------------------------------------------------------------------------------- against known posteriors


@pytest.mark.parametrize(
    "how",
    [
        {},
        pytest.param({"move": "mcmc", "budget": 40_000}, marks=pytest.mark.slow),
        pytest.param({"covariance": "local", "schedule": "ess", "adjust": "heteroscedastic"}, marks=pytest.mark.slow),
    ],
    ids=["importance", "mcmc", "local"],
)
def test_adjusted_draws_have_the_exact_posterior(known, exact, how):
    found = electjax.districts.calibrate(known, "dpm", seed=2, **(SEARCH | how))
    z = z_scores(found["gamma"].values, found["weight"].values, exact)
    assert np.abs(z).max() < 3, z
    assert found["gamma"].values.std() < 1.1 * exact.std() + 3 * exact.std() / np.sqrt(2 * found.attrs["ess"])
    assert float(found["contraction_gamma"]) > 0.99


def test_without_adjustment_a_coarse_tolerance_shows(known, exact):
    found = electjax.districts.calibrate(known, "dpm", seed=2, adjust="none", tolerance=0.2, **SEARCH)
    _, sd, _, _ = weighted_summary(found["gamma"].values, found["weight"].values)
    assert sd > 1.5 * exact.std()
    assert "unadjusted_gamma" not in found


@pytest.mark.slow
def test_two_parameters_take_a_fifth_of_the_simulations_of_rejection():
    election = simulated_election("pcm", {"eta": [0.05, 0.02]}, OPEN, shares=(0.6, 0.4), districts=30, electors=60_000)
    search = {"statistics": "log_votes", "options": OPEN, "priors": {"eta": (0.0, 0.5)}, "accept": 500}
    exact = electjax.districts.calibrate(
        election, "pcm", method="exact", seed=1, options=OPEN, priors=search["priors"], accept=4000
    )
    found = electjax.districts.calibrate(election, "pcm", seed=3, tolerance=0.02, budget=60_000, **search)
    for party in "AB":
        z = z_scores(found["eta"].sel(party=party).values, found["weight"].values, exact["eta"].sel(party=party).values)
        assert np.abs(z).max() < 3.5, (party, z)  # eight figures
    # rejection accepts a prior draw with probability Z, so that as many effective draws cost ess / Z
    evidence = np.exp(found["trace_log_weight"].values[-1]).sum()
    ess = effective_size(found["trace_log_weight"].values[-1])
    assert ess / evidence > 5 * int(found["trace_simulations"].sum())


@pytest.mark.parametrize("move", ["importance", pytest.param("mcmc", marks=pytest.mark.ci)])
def test_the_evidence_is_that_of_brute_force(known, move):
    problem, _ = make_problem(known, "dpm", options=COUNTED, priors=PRIOR)
    found = smc(
        jax.random.key(3), problem, budget=20_000, accept=400, tolerance=0.7, options=filled(SMCOptions, move=move)
    )
    far = rejection(jax.random.key(4), problem, budget=30_720, accept=10**6, tolerance=3.0)
    for row, log_weight in zip(found.trace["distance"], found.trace["log_weight"], strict=True):
        eps = np.median(row[np.isfinite(row)])
        weight = np.exp(log_weight[row <= eps])
        rate = np.mean(far.draws.distance <= eps) * len(far.number) / far.simulations
        error = np.hypot(np.sqrt(rate / far.simulations), np.sqrt(np.sum(weight**2)))
        assert abs(weight.sum() - rate) < 4 * error


# ----------------------------------------------------------------------------------------------- proposals


@pytest.mark.parametrize("local", [False, True])
def test_importance_weights_are_prior_over_proposal(local):
    rng, levels = np.random.default_rng(0), np.array([0, 3, 0, 2])
    ancestors = prior_points(rng, 60, levels) * 0.5  # all on one side
    weight = rng.random(60)
    proposal = fit_proposal(ancestors, weight, levels, local=local, scale=2.0, defensive=0.1)
    points = propose(rng, 40_000, proposal)
    ratio = np.exp(log_prior_ratio(points, proposal))
    assert ratio.max() <= 1 / 0.1 + 1e-9
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))
    # weighted, the proposals are draws from the prior: uniform coordinates, cells of equal mass
    x, cells = split(points, levels)
    for column in stats.norm.cdf(x).T:
        for level in (0.1, 0.5, 0.9):
            part = ratio * (column < level)
            assert abs(part.mean() - level) < 4 * part.std() / np.sqrt(len(part))
    for column, number in zip(cells.T, (3, 2), strict=True):
        for cell in range(number):
            part = ratio * (column == cell)
            assert abs(part.mean() - 1 / number) < 4 * part.std() / np.sqrt(len(part))


def test_a_prior_that_does_not_permit_everything_is_sampled_as_such():
    rng = np.random.default_rng(1)

    class Half:
        permits = staticmethod(lambda params: params["x"] < 0.25)
        space = electjax.districts.abc.prior.Space((electjax.districts.abc.prior.Axis("x"),))

    unit, drawn = permitted(Half, lambda number: rng.random((number, 1)), 2000)
    assert len(unit) == 2000
    assert unit.max() < 0.25
    assert abs(drawn / 2000 - 4) < 4 * 4 * np.sqrt(0.75 / 2000)


def test_the_next_tolerance_leaves_the_share_asked_for():
    far, log_weight = np.arange(1.0, 1001.0), np.zeros(1000)
    assert next_tolerance(far, log_weight, 0.4, "quantile", 0.0) == pytest.approx(400, abs=1)
    assert next_tolerance(far, log_weight, 0.4, "ess", 0.0) == pytest.approx(400, abs=1)
    heavy = np.where(far <= 500, np.log(3.0), 0.0)
    assert next_tolerance(far, heavy, 0.75, "quantile", 0.0) == pytest.approx(500, abs=1)
    assert next_tolerance(far, log_weight, 0.001, "quantile", 0.0) == 50  # enough for a covariance
    assert next_tolerance(far, log_weight, 0.4, "quantile", 700.0) == 700


# --------------------------------------------------------------------------------------- mixed parameters


@pytest.mark.slow
def test_popularity_is_found_with_its_totals():
    election = simulated_election("dm", {"concentration": 30.0}, {}, electors=40_000)
    search = {"priors": {"popularity": {"dirichlet": 1.0}, "concentration": (1.0, 200.0)}, "budget": 12_000, "seed": 1}
    found = electjax.districts.calibrate(election, "dm", tolerance=0.7, **search)
    assert found["popularity"].dims == ("draw", "party")
    np.testing.assert_allclose(found["popularity"].sum("party"), 1.0, rtol=1e-9)
    mean = found["popularity"].weighted(found["weight"]).mean("draw").values
    np.testing.assert_allclose(mean, election["popularity"].values, atol=0.03)
    assert (found["prior_popularity"].std("prior_draw") > 0.15).all()


@pytest.mark.ci
def test_totals_follow_the_popularity_in_the_batched_engine():
    election = electjax.districts.uniform({"A": 0.5, "B": 0.3, "C": 0.2}, districts=8, electors=8_000)
    problem, _ = make_problem(election, "pcm", priors={"popularity": {"around": 50}, "eta": (0.2, 0.9)})
    params = electjax.districts.abc.problem.point_params(
        problem, np.random.default_rng(0).random((5, problem.space.size))
    )
    assert (params["totals"].sum(axis=1) == 8_000).all()
    np.testing.assert_allclose(params["totals"] / 8_000, params["popularity"], atol=1 / 8_000)
    setting = problem.setting
    result = electjax.districts.models.base.simulate_runs(
        jax.random.key(0), jnp.arange(5), problem.contest, problem.may_win, params,
        simulator=setting.simulator, options=setting.options, plan=setting.plan, varying=True,
    )  # fmt: skip
    np.testing.assert_array_equal(result.votes.sum(axis=1), params["totals"])


@pytest.mark.ci
def test_levels_are_weighed_like_their_posterior(known):
    """gamma known to be one of five values: ABC by levels agrees with counting the accepted draws of each."""
    values = [0.02, 0.05, 0.1, 0.2, 0.4]
    search = {"options": COUNTED, "priors": {"gamma": {"levels": values}}, "statistics": "log_votes", "tolerance": 0.3}
    found = electjax.districts.calibrate(known, "dpm", seed=1, budget=15_000, accept=1000, **search)
    assert set(np.unique(found["gamma"])) <= set(values)
    drawn = electjax.districts.calibrate(
        known, "dpm", seed=2, method="rejection", budget=20_480, accept=10**6, **search
    )
    for value in values:
        shares = [float(part["weight"].where(part["unadjusted_gamma"] == value).sum()) for part in (found, drawn)]
        sizes = [part.attrs["ess"] for part in (found, drawn)]
        error = np.sqrt(sum(max(s * (1 - s), 1e-3) / n for s, n in zip(shares, sizes, strict=True)))
        assert abs(shares[0] - shares[1]) < 4 * error


def test_a_statistic_of_ones_own_is_a_pure_function(known):
    def spread(votes, winner):
        return jnp.std(votes / votes.sum(axis=1, keepdims=True), axis=0)

    found = electjax.districts.calibrate(
        known, "dpm", seed=1, budget=4000, accept=200, options=COUNTED, statistics=spread
    )
    assert found.attrs["statistics"].endswith("spread")
    assert found["statistics"].sizes["statistic"] == 3
    np.testing.assert_allclose(found["observed_statistics"], spread(known["votes"].values, None), rtol=1e-4)
    for bad, said in (
        (lambda votes, winner: jnp.log(votes[0] * 0.0), "finite"),
        (lambda votes, winner: float(votes[0, 0]), "not a pure function"),
    ):
        with pytest.raises(ValueError, match=said):
            electjax.districts.calibrate(known, "dpm", budget=4000, options=COUNTED, statistics=bad)


def test_learned_summaries_see_what_the_papers_statistics_hold(known, exact):
    search = {"options": COUNTED, "priors": PRIOR, "seed": 3, "accept": 400}
    found = electjax.districts.calibrate(known, "dpm", summaries="learned", budget=12_000, pilot=6000, **search)
    mean, sd, _, _ = weighted_summary(found["gamma"].values, found["weight"].values)
    assert abs(mean - 0.05) < 3 * sd
    assert sd < 2 * exact.std()
    assert found.attrs["simulations"] <= 12_000  # the pilot and what chose psi_opt are counted apart
    assert found.attrs["simulations_pilot"] == 6000
    assert found.attrs["simulations_optimal"] > 0


# ------------------------------------------------------------------------------------------ stops, resume


@pytest.mark.parametrize(
    ("rule", "stopped"),
    [
        ({"tolerance": 1.0}, "tolerance reached"),
        ({"tolerance": 0.01, "budget": 4000}, "budget spent"),
        ({"tolerance": 0.01, "min_acceptance": 0.3}, "acceptance rate"),
        ({"tolerance": 0.01, "min_gain": 0.6}, "no gain"),
        ({"tolerance": 0.01, "generations": 3}, "generations"),
        ({"tolerance": 0.01, "wall_time": 1e-6}, "wall time"),
    ],
)
@pytest.mark.parametrize("move", ["importance", pytest.param("mcmc", marks=pytest.mark.slow)])
def test_every_rule_stops_the_search_and_says_so(known, rule, stopped, move):
    problem, _ = make_problem(known, "dpm", options=COUNTED, priors=PRIOR)
    search = {
        name: rule.get(name, default) for name, default in (("budget", 30_000), ("accept", 300), ("tolerance", 0))
    }
    options = filled(SMCOptions, move=move, **{name: value for name, value in rule.items() if name not in search})
    found = smc(jax.random.key(1), problem, options=options, **search)
    assert found.stopped == stopped
    assert found.simulations <= rule.get("budget", 30_000)
    assert found.simulations >= found.trace["simulations"].sum()
    assert len(found.weight) >= 150
    assert (found.draws.distance <= found.tolerance).all()
    assert found.weight.sum() == pytest.approx(1.0)


class Memory:
    """A checkpoint that remembers every state, and starts from the one it is given."""

    def __init__(self, start=None):
        self.start, self.states = start, []

    def latest(self):
        return self.start

    def save(self, state):
        self.states.append({name: np.array(value) for name, value in state.items()})


@pytest.mark.parametrize(
    "how",
    [{}, pytest.param({"move": "mcmc"}, marks=pytest.mark.ci), pytest.param({"scaling": "mad"}, marks=pytest.mark.ci)],
    ids=["importance", "mcmc", "mad"],
)
def test_a_search_that_continues_gives_what_it_would_have_given(known, how):
    problem, _ = make_problem(known, "dpm", options=COUNTED, priors=PRIOR)
    search = {"budget": 8000, "accept": 300, "tolerance": 0.3, "options": filled(SMCOptions, **how)}
    whole = Memory()
    found = smc(jax.random.key(1), problem, checkpoint=whole, **search)
    assert len(whole.states) >= 3
    for state in (whole.states[0], whole.states[-2], whole.states[-1]):
        again = smc(jax.random.key(1), problem, checkpoint=Memory(state), **search)
        for old, new in zip(jax.tree.leaves(found[:8]), jax.tree.leaves(again[:8]), strict=True):
            np.testing.assert_array_equal(old, new)
        for name, values in found.trace.items():
            np.testing.assert_array_equal(values, again.trace[name])


def test_a_state_survives_packing(known):
    problem, _ = make_problem(known, "dpm", options=COUNTED, priors=PRIOR)
    memory = Memory()
    smc(jax.random.key(1), problem, checkpoint=memory, budget=4000, accept=100, tolerance=0.5)
    state = memory.states[-1]
    again = pack(unpack(state))
    assert set(again) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(again[name], value)


@pytest.mark.ci
def test_threads_and_settings_change_neither_result_nor_program(known, monkeypatch):
    search = {"options": COUNTED, "priors": PRIOR, "seed": 1, "budget": 6000, "accept": 200}
    found = electjax.districts.calibrate(known, "dpm", **search)
    before = _evaluate._cache_size()
    monkeypatch.setattr(parallel, "host_workers", lambda: 1)
    again = electjax.districts.calibrate(known, "dpm", **search)
    for name, how in itertools.product(("gamma", "weight", "distance", "optimal_gamma"), (found, again)):
        np.testing.assert_array_equal(how[name], found[name])
    electjax.districts.calibrate(
        known, "dpm", **(search | {"priors": {"gamma": (0.01, 0.9)}, "move": "mcmc", "budget": 3000})
    )
    electjax.districts.calibrate(
        known, "dpm", **(search | {"method": "rejection", "budget": 3000, "params": {"prior_mass": 1.0}})
    )
    assert _evaluate._cache_size() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantile": 0.0}, r"calibrate\(quantile=\): found 0.0; expected a number between 0 and 1"),
        ({"defensive": 1.0}, r"defensive=\): found 1.0"),
        ({"move": "gibbs"}, "found 'gibbs'; expected one of importance, mcmc"),
        ({"schedule": "linear"}, "found 'linear'; expected one of quantile, ess"),
        ({"accept": 5}, "accept=5: expected at least 10"),
        ({"budget": 30}, "budget=30: expected at least 40"),
        ({"wall_time": 0.0}, r"wall_time=\): found 0.0; expected a number above 0"),
        ({"tolerance": 0.0}, r"tolerance=\): found 0.0; expected a number above 0"),
        ({"adjust": "cubic"}, "found 'cubic'; expected one of linear, heteroscedastic, none"),
        ({"summaries": "learned", "pilot": 50}, "pilot=50"),
        ({"priors": {"gamma": {"levels": [0.1]}}}, "two levels"),
        ({"priors": {"gamma": {"around": 3}}}, "no components"),
        ({"priors": {"popularity": (0, 1)}}, "dirichlet"),
        ({"priors": {"gamma": 3}}, "expected .low, high."),
        ({"scaling": "mad", "move": "mcmc"}, r"scaling=\): found 'mad'; expected tolerance where move is mcmc"),
        ({"summaries": "learned", "scaling": "mad"}, "scales of their own"),
        ({"priors": {"popularity": {"dirichlet": [1.0, -1.0, 2.0]}}}, "positive"),
        ({"priors": {"gamma": {"uniform": 1}}}, r"expected \[low, high\]"),
    ],
)
def test_bad_settings_are_named(known, change, said):
    with pytest.raises(ValueError, match=said):
        electjax.districts.calibrate(known, "dpm", **({"options": COUNTED, "budget": 2000} | change))


def test_many_draws_at_one_distance_do_not_stop_a_search():
    far = np.r_[np.full(190, 0.5), np.full(310, 1.0)]
    assert next_tolerance(far, np.zeros(500), 0.5, "quantile", 0.0) == 0.5


@pytest.mark.parametrize("accept", [20, 50])
def test_few_draws_a_generation_are_enough_to_go_on(known, accept):
    problem, _ = make_problem(known, "dpm", options=COUNTED, priors=PRIOR)
    found = smc(jax.random.key(1), problem, budget=12_000, accept=accept, tolerance=0.3)
    assert found.stopped != "no gain"
    assert found.tolerance < 0.6


def test_a_statistic_that_is_not_always_a_number_keeps_its_scale():
    measure = Measure(Target(np.zeros(2), np.ones(2)))
    features = np.random.default_rng(0).normal(size=(400, 2))
    features[0, 0] = np.nan
    scale = measure.rescaled(features).goal.tolerance
    np.testing.assert_allclose(scale, 1.0, atol=0.2)
    assert measure.distance(features)[0] == np.inf
    features[:300] = np.nan
    assert np.isfinite(measure.rescaled(features).goal.tolerance).all()
    features[:] = np.nan
    with pytest.raises(ValueError, match="finite in none of 400 simulations"):
        measure.rescaled(features)


@pytest.mark.ci
def test_sim_searches_attitudes_only_where_the_constraint_permits_them():
    election = electjax.districts.uniform({"A": 0.5, "B": 0.3, "C": 0.2}, districts=8, electors=8_000)
    search = {
        "options": {"attitudes": "given"},
        "priors": {"phi": {"levels": [-1, 0, 1]}, "shares": {"dirichlet": 2.0}},
    }
    for method in ("smc", "explore_exploit"):
        found = electjax.districts.calibrate(
            election, "sim", method=method, budget=1200, accept=100, tolerance=3.0, **search
        )
        draws = {name: found[name].transpose("draw", "community", ...).values for name in ("phi", "shares")}
        assert set(np.unique(draws["phi"])) <= {-1.0, 0.0, 1.0}
        assert (np.sum(draws["shares"][:, :, None] * (draws["phi"] > 0), axis=1) <= 0.5 + 1e-5).all()


def test_sim_gives_the_popularity_and_does_not_take_it(known):
    with pytest.raises(ValueError, match="prior for unknown parameter 'popularity'"):
        electjax.districts.calibrate(known, "sim", priors={"popularity": {"dirichlet": 1}})
