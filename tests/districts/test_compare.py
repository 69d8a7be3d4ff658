"""Scores against closed forms and scoringrules; evidence against brute force; models of simulated data come back."""

import json
import warnings

import jax
import numpy as np
import pytest
from scipy import stats

import electjax
from electjax.data.verdict import verdict_of
from electjax.districts import dataset
from electjax.districts.abc.generation import permitted_draws
from electjax.districts.abc.problem import evaluate
from electjax.districts.abc.scores import crps, energy_score, evidence, log_score, probabilities
from electjax.districts.problem import make_problem
from electjax.districts.report.posterior import model_probabilities
from electjax.districts.verbs.compare import compare
from electjax.districts.verbs.recover import _observing, _table

# ----------------------------------------------------------------------------------------------- scores


def test_crps_of_a_normal_forecast():
    draws = np.random.default_rng(0).standard_normal(4000)
    for observed in (-1.0, 0.3, 4.0):
        exact = observed * (2 * stats.norm.cdf(observed) - 1) + 2 * stats.norm.pdf(observed) - 1 / np.sqrt(np.pi)
        found = crps(draws, observed)
        assert abs(found.value - exact) < 4 * found.error


def test_standard_errors_are_those_of_repeated_forecasts():
    rng = np.random.default_rng(1)
    found = [energy_score(rng.standard_normal((60, 3)), np.array([1.0, 0.0, -0.5])) for _ in range(400)]
    spread = np.std([score.value for score in found])
    assert np.mean([score.error for score in found]) == pytest.approx(spread, rel=4 / np.sqrt(2 * 400))


def test_scores_are_unbiased_and_prefer_the_truth():
    rng = np.random.default_rng(2)
    few = np.array([crps(rng.standard_normal(3), 0.5).value for _ in range(5000)])
    exact = 0.5 * (2 * stats.norm.cdf(0.5) - 1) + 2 * stats.norm.pdf(0.5) - 1 / np.sqrt(np.pi)
    assert abs(few.mean() - exact) < 4 * few.std() / np.sqrt(len(few))
    truth = rng.standard_normal((100, 2))
    right, narrow, shifted = ([energy_score(f, x).value for x in truth] for f in (
        rng.standard_normal((150, 2)), 0.4 * rng.standard_normal((150, 2)), 0.7 + rng.standard_normal((150, 2)),
    ))  # fmt: skip
    assert np.mean(right) < min(np.mean(narrow), np.mean(shifted))


@pytest.mark.slow  # to import it takes long
def test_scores_agree_with_scoringrules():
    rules = pytest.importorskip("scoringrules")
    draws, observed = np.random.default_rng(3).normal(size=(50, 4)), np.array([0.1, 2.0, -1.0, 0.0])
    expected = rules.es_ensemble(observed, draws, estimator="fair", backend="numpy")
    assert energy_score(draws, observed).value == pytest.approx(float(expected))
    expected = rules.crps_ensemble(observed[1], draws[:, 1], estimator="fair", backend="numpy")
    assert crps(draws[:, 1], observed[1]).value == pytest.approx(float(expected))


def test_log_score_counts_exact_hits_with_half_a_draw_added():
    draws = np.array([[3, 1], [2, 2], [3, 1], [4, 0]])
    assert log_score(draws, np.array([3, 1])).value == pytest.approx(-np.log(2.5 / 5))
    assert log_score(draws, np.array([0, 4])).value == pytest.approx(np.log(10))


# --------------------------------------------------------------------------------------------- evidence


def search_trace(rng, number, widths=(np.inf, 1.0)):
    """Two generations for a distance |x - 1| under x ~ N(0, 1): from the prior, and from N(1, 1/2) with weights."""
    first, second = rng.standard_normal(number), 1 + rng.standard_normal(number) / 2
    far = np.stack([np.abs(first - 1), np.abs(second - 1)])
    log_weight = np.stack([np.zeros(number), stats.norm.logpdf(second) - stats.norm.logpdf(second, 1, 0.5)])
    kept = far <= np.array(widths)[:, None]
    return np.where(kept, far, np.inf), np.where(kept, log_weight - np.log(number), -np.inf), np.array(widths)


def test_evidence_is_unbiased_with_the_right_error_at_every_tolerance():
    rng = np.random.default_rng(4)
    for tolerance in (2.0, 1.0, 0.3):
        exact = stats.norm.cdf(1 + tolerance) - stats.norm.cdf(1 - tolerance)
        found = [evidence(*search_trace(rng, 400), np.full(2, 400), tolerance) for _ in range(400)]
        values = np.array([e.value for e in found])
        assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(400)
        assert np.mean([e.error for e in found]) == pytest.approx(values.std(), rel=4 / np.sqrt(2 * 400))
    assert all(e.draws > 100 for e in found)


def test_evidence_knows_what_it_cannot_know():
    far, log_weight, reached = search_trace(np.random.default_rng(5), 50, widths=(2.0, 1.0))
    assert np.isnan(evidence(far, log_weight, reached, np.full(2, 50), 2.5).value)
    nothing = evidence(far + 0.5, log_weight, reached, np.full(2, 50), 0.4)
    assert nothing.value == nothing.draws == 0
    assert nothing.error == pytest.approx(np.exp(log_weight[1].max()))


def test_probabilities_and_their_errors():
    value, error, prior = np.array([0.02, 0.01, 0.0]), np.array([0.002, 0.002, 1e-4]), np.array([0.25, 0.5, 0.25])
    p, se = probabilities(value, error, prior)
    np.testing.assert_allclose(p, [0.5, 0.5, 0.0])
    rng = np.random.default_rng(6)
    mass = prior * (value + error * rng.standard_normal((20_000, 3)) * 0.1)
    spread = (mass / mass.sum(axis=1, keepdims=True)).std(axis=0)
    np.testing.assert_allclose(0.1 * se, spread, rtol=0.03)
    assert np.isnan(probabilities(np.zeros(2), np.ones(2), np.ones(2) / 2)[0]).all()


# --------------------------------------------------------------------------------------------- elections


def held(model, params, *, seed=3, name="known", options=None):
    """One simulated election of known model and parameters."""
    base = electjax.districts.uniform({"A": 0.5, "B": 0.3, "C": 0.2}, districts=30, electors=60_000)
    run = electjax.districts.simulate(base, model, params, runs=1, seed=seed, options=options).isel(run=0)
    return dataset(
        run["votes"].values, districts=list(run["district"].values), parties=list("ABC"), attrs={"name": name}
    )


MODELS = ("dm", "pcm")
SETTINGS = {"budget": 8192, "accept": 300, "tolerance": 1.0}


@pytest.fixture(scope="module")
def of_dm():
    return held("dm", {"concentration": 3.0})


@pytest.fixture(scope="module")
def searched(of_dm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pcm does not reach the tolerance, as it should not
        return {model: electjax.districts.calibrate(of_dm, model, seed=1, **SETTINGS) for model in MODELS}


@pytest.fixture(scope="module")
def compared(of_dm, searched):
    return compare(of_dm, searched, runs=400, seed=1)


@pytest.mark.slow
def test_a_model_is_recognised_in_its_own_elections(compared):
    assert list(compared["model"].values) == ["dm", "pcm"]
    said = json.loads(compared.attrs["probability"])
    assert said["dm"] > 0.95
    assert sum(said.values()) == pytest.approx(1.0)
    at = compared.sel(epsilon=compared.attrs["tolerance"])
    assert float(at["probability"].sum()) == pytest.approx(1.0)
    assert float(at["probability_se"].max()) <= 0.05
    assert int(at["draws"].sel(model="dm")) >= 100
    # the curve starts near the prior and grows towards the truth
    curve = compared["probability"].sel(model="dm").values
    assert curve[0] < curve[-1] + 0.05


@pytest.mark.slow
def test_evidence_of_smc_agrees_with_brute_force(of_dm, compared):
    """Plain rejection from the prior, at tolerances wide enough for it, gives the same evidence."""
    number, checked = 16_384, []
    for model in MODELS:
        brute = electjax.districts.calibrate(
            of_dm, model, method="rejection", budget=number, accept=10**6, tolerance=4, seed=11
        )
        trace = brute["trace_distance"].values[0]
        for epsilon in compared["epsilon"].values:
            hits = int((trace <= epsilon).sum())
            if epsilon > 4 or hits < 20:
                continue
            share = hits / number
            mine = compared.sel(model=model, epsilon=epsilon)
            error = np.hypot(np.sqrt(share * (1 - share) / number), float(mine["evidence_se"]))
            assert abs(float(mine["evidence"]) - share) < 3 * error, (model, epsilon)
            checked.append(model)
    assert min(checked.count(model) for model in MODELS) >= 5


@pytest.mark.slow
def test_probabilities_are_those_of_the_models_that_were_drawn():
    """Of elections given a probability of p to be dm's, a share p are: model and parameters drawn from the prior."""
    base = electjax.districts.uniform({"A": 0.5, "B": 0.3, "C": 0.2}, districts=30, electors=60_000)
    replicates, number, epsilon = 150, 16_384, 1.5
    problems = [make_problem(base, model)[0] for model in MODELS]
    keys = jax.random.split(jax.random.key(0), 8)
    tables = [_table(keys[i], problem, number, None) for i, problem in enumerate(problems)]
    found, truth = [], []
    for i, problem in enumerate(problems):
        unit = permitted_draws(keys[2 + i], 0, replicates, problem)
        data = evaluate(keys[4 + i], np.arange(replicates), unit, problem)
        for r in range(replicates):
            measure = _observing(problem, data, r).measure
            values = np.array([(measure.distance(table.features) <= epsilon).mean() for table in tables])
            error = np.sqrt(values * (1 - values) / number)
            p, _ = probabilities(values, error, np.full(2, 0.5))
            if not np.isnan(p).any():
                found.append(p[0])
                truth.append(i == 0)
    p, dm = np.array(found), np.array(truth)
    assert len(p) > 0.9 * 2 * replicates
    for low, high in ((0.0, 1.01), (0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = (p >= low) & (p < high)
        error = np.sqrt(np.sum(p[inside] * (1 - p[inside])))
        assert abs(dm[inside].sum() - p[inside].sum()) < 3 * error + 1, (low, high)
    assert p[dm].mean() > 0.6
    assert p[~dm].mean() < 0.4


@pytest.mark.slow
def test_scores_are_in_their_units_and_name_the_better_forecast(compared):
    assert compared["crps_seats"].dims == ("model", "party")
    assert (compared["log_score"] > 0).all()
    assert float(compared["log_score"].max()) <= np.log(2 * 400 + 2)
    for name in ("energy_seats", "energy_statistics", "log_score"):
        assert (compared[f"{name}_se"] > 0).all()
    gap = compared["energy_statistics"].diff("model").item()
    error = float(np.hypot(*compared["energy_statistics_se"].values))
    assert gap > -2 * error  # pcm does not predict dm's election better


@pytest.mark.ci
def test_prior_weights_move_the_odds_as_bayes_says(of_dm, searched):
    odds = []
    for prior in (None, {"dm": 1, "pcm": 9}):
        found = compare(of_dm, searched, runs=0, at=2.2, prior=prior)
        assert found.attrs["tolerance"] == 2.2
        p = found["probability"].sel(epsilon=2.2)
        odds.append(float(p.sel(model="dm") / p.sel(model="pcm")))
    assert odds[0] / odds[1] == pytest.approx(9.0)


@pytest.mark.ci
def test_thin_evidence_is_said_to_be_thin(of_dm, searched):
    said = verdict_of(compare(of_dm, searched, runs=0, at=0.05).attrs)
    thin = [reason for reason in said.reasons if "simulations carry its evidence at tolerance 0.05" in reason]
    assert len(thin) == 2
    assert any("sufficient across models" in reason for reason in said.reasons)


def test_models_may_have_arguments_of_their_own(of_dm):
    models = {"narrow": {"model": "dm", "priors": {"concentration": (2.0, 4.0)}}, "wide": {"model": "dm"}}
    found = compare(of_dm, models, runs=0, method="rejection", budget=4096, accept=10**6, tolerance=2.0)
    assert found.attrs["verdict"] == "with care"
    assert electjax.districts.summary(found, show=False).index.tolist() == ["narrow", "wide"]
    # the same model: a prior around the truth has more evidence
    assert list(found["model"].values) == ["narrow", "wide"]
    assert json.loads(found.attrs["probability"])["narrow"] > 0.6
    assert (found["evidence_se"] < 0.1 * found["evidence"]).all()


@pytest.mark.slow
def test_the_figure_draws_every_model(compared):
    ax = model_probabilities(compared).axes[0]
    curves = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(curves["DM"], compared["probability"].sel(model="dm"))


@pytest.mark.ci
def test_what_cannot_be_compared_is_said(of_dm, searched):
    posterior = searched["dm"]
    explored = electjax.districts.calibrate(of_dm, "dm", method="explore_exploit", budget=800, accept=50, tolerance=3.0)
    for models, said, more in (
        (["dm"], "two or more", {}),
        ({"dm": posterior, "other": posterior.assign_attrs(seat_tolerance=1.0)}, "seat_tolerance", {}),
        ({"dm": posterior, "other": explored}, "no importance weights", {}),
        ({"dm": posterior, "other": posterior.assign_attrs(statistics="log_votes")}, "scale of the model's own", {}),
        ({"dm": posterior, "other": posterior}, "prior", {"prior": {"dm": 1.0}}),
    ):
        with pytest.raises(ValueError, match=said):
            compare(of_dm, models, **more)
