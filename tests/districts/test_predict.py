"""The posterior predictive: which draws it takes, and what it simulates with them."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import electjax
from electjax.districts.codec import plain_params
from electjax.districts.models import get_simulator
from electjax.districts.models.base import check_options, simulate_runs
from electjax.districts.verbs.predict import posterior_basis, resample


def made_posterior(election, model, drawn, *, weight=None, fixed=None, options=None):
    """A posterior by the contract of `calibrate`: drawn is {parameter: values[draw, ...]}."""
    simulator = get_simulator(model)
    settings = check_options(simulator, options)
    number = len(next(iter(drawn.values())))
    weight = np.full(number, 1 / number) if weight is None else np.asarray(weight)
    posterior = xr.Dataset(
        {"weight": ("draw", weight), "distance": ("draw", np.zeros(number))}, coords={"draw": np.arange(number)}
    )
    for name, listed in drawn.items():
        values = np.asarray(listed)
        dims = simulator.parameter(name).each.split() if values.ndim > 1 else []
        labels = {"party": election["party"].values} if "party" in dims else {}
        posterior = posterior.assign_coords(labels)
        posterior[name] = (("draw", *dims), values, {"symbol": name})
        posterior[f"optimal_{name}"] = (dims, values[0])
    others = {p.name: p.default for p in simulator.parameters if p.name not in drawn} | (fixed or {})
    posterior.attrs = {
        "election": election.attrs["name"],
        "model": model,
        "engine": "leap",
        "options": json.dumps(vars(settings)),
        "fixed_parameters": plain_params(others),
    }
    return posterior


OPEN = {"reading": "count", "districts": "open"}  # readings of PCM that compile fast


@pytest.fixture(scope="module")
def small():
    return electjax.districts.uniform({"A": 0.5, "B": 0.35, "C": 0.15}, districts=20, electors=40_000)


# --------------------------------------------------------------------------------------------- resampling


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 200), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_draw_is_used_as_often_as_its_weight_says_to_within_one(weight, runs, seed):
    weight = np.asarray(weight)
    if not weight.sum() > 1e-6:
        weight = weight + 1.0
    used = np.bincount(resample(weight, runs, seed=seed), minlength=len(weight))
    expected = runs * weight / weight.sum()
    assert used.sum() == runs
    assert (np.abs(used - expected) < 1 + 1e-6).all()
    assert (used[weight == 0] == 0).all()


def test_resampling_is_unbiased_and_in_random_order():
    weight = np.array([0.05, 0.25, 0.7])
    seeds = range(400)
    picked = np.array([resample(weight, 3, seed=seed) for seed in seeds])
    share = np.bincount(picked.ravel(), minlength=3) / picked.size
    # three systematic points a seed: each draw's count has a variance below 1/4 a seed
    assert (np.abs(share - weight) < 4 * 0.5 / (3 * np.sqrt(len(seeds)))).all()
    first = np.bincount(picked[:, 0], minlength=3) / len(seeds)
    assert (np.abs(first - weight) < 4 * np.sqrt(weight * (1 - weight) / len(seeds))).all()


# --------------------------------------------------------------------------------------------- simulation


def test_every_run_has_the_parameters_of_its_draw(small):
    eta = np.array([[0.5, 0.5, 0.5], [0.5, 0.99, 0.1]])
    fixed = {"prior_mass": 2.0, "capacity": 1.0}
    posterior = made_posterior(small, "pcm", {"eta": eta}, weight=[0.25, 0.75], fixed=fixed, options=OPEN)
    found = electjax.districts.predict(posterior, small, runs=200, seed=3)
    assert found["votes"].dims == ("run", "district", "party")
    assert (found["draw"] == 1).sum() == 150
    np.testing.assert_allclose(found["eta"], eta[found["draw"]], rtol=1e-6)
    assert found["eta"].attrs["symbol"] == "eta"
    assert json.loads(found.attrs["parameters"]) == fixed
    assert json.loads(found.attrs["options"]) == json.loads(posterior.attrs["options"])
    # what concentration does: the votes of a party differ more between districts
    spread = found["votes"].std("district").groupby("draw").mean()
    assert spread.sel(draw=1, party="B") > 2 * spread.sel(draw=0, party="B")
    assert spread.sel(draw=1, party="C") < 0.5 * spread.sel(draw=0, party="C")


def test_draws_that_agree_predict_what_simulate_simulates(small):
    posterior = made_posterior(small, "pcm", {"eta": np.full((7, 3), 0.99)}, options=OPEN)
    runs = 400
    found = electjax.districts.predict(posterior, small, runs=runs, seed=1)
    alone = electjax.districts.simulate(small, "pcm", {"eta": 0.99}, runs=runs, seed=2, options=OPEN)
    for name in ("seats", "vote_fraction", "mwm", "swm"):
        error = np.sqrt((found[name].var("run") + alone[name].var("run")) / runs)
        assert (np.abs(found[name].mean("run") - alone[name].mean("run")) < 4 * error + 1e-6).all()
    assert (found["votes"].sum("district") == small["votes"].sum("district")).all()


def test_popularity_that_was_calibrated_decides_the_totals_of_each_run(small):
    shares = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])
    posterior = made_posterior(small, "pcm", {"eta": np.full((2, 3), 0.5), "popularity": shares}, options=OPEN)
    found = electjax.districts.predict(posterior, small, runs=60, seed=0)
    votes = found["votes"].sum("district")
    np.testing.assert_array_equal(votes, (shares * 40_000).astype(int)[found["draw"].values])
    np.testing.assert_allclose(found["popularity"], shares[found["draw"].values])


def test_the_same_seed_gives_the_same_runs_however_many_there_are(small):
    posterior = made_posterior(small, "pcm", {"eta": np.full((1, 3), 0.9)}, options=OPEN)
    few = electjax.districts.predict(posterior, small, runs=5, seed=9)
    many = electjax.districts.predict(posterior, small, runs=2000, seed=9)
    xr.testing.assert_identical(few["votes"], many["votes"].isel(run=slice(5)))
    assert (electjax.districts.predict(posterior, small, runs=5, seed=10)["votes"] != few["votes"]).any()


def test_other_values_go_in_by_label_and_compile_nothing_new(small):
    posterior = made_posterior(small, "pcm", {"eta": [[0.9, 0.5, 0.4], [0.8, 0.6, 0.3]]}, options=OPEN)
    electjax.districts.predict(posterior, small, runs=10)
    before = simulate_runs._cache_size()
    found = electjax.districts.predict(
        posterior, small, runs=10, params={"eta": {"B": 0.0, "C": {"add": 0.1}}, "capacity": 2.0}
    )
    assert simulate_runs._cache_size() == before
    draws = found["draw"].values
    np.testing.assert_allclose(found["eta"].sel(party="A"), np.array([0.9, 0.8])[draws], rtol=1e-6)
    np.testing.assert_allclose(found["eta"].sel(party="B"), 0.0)
    np.testing.assert_allclose(found["eta"].sel(party="C"), np.array([0.5, 0.4])[draws], rtol=1e-6)
    assert json.loads(found.attrs["parameters"])["capacity"] == 2.0


def test_defaults_that_only_fit_other_options_pass(small):
    options = {"communities": 2, "shares": "drawn"}  # the default of `shares` is for three communities
    posterior = made_posterior(small, "sim", {"concentration": [0.5, 1.0]}, options=options)
    basis, draw = posterior_basis(small, posterior, runs=6, seed=0)
    np.testing.assert_allclose(basis.values["shares"], np.tile([0.5, 0.3, 0.2], (6, 1)))
    np.testing.assert_allclose(basis.values["concentration"], np.array([0.5, 1.0])[draw])


@pytest.mark.slow
def test_a_posterior_of_calibrate_predicts_what_was_observed():
    base = electjax.districts.uniform({"A": 0.5, "B": 0.35, "C": 0.15}, districts=40, electors=200_000)
    run = electjax.districts.simulate(base, "dpm", {"gamma": 0.85}, runs=1, seed=5).isel(run=0)
    from electjax.districts import dataset

    known = dataset(
        run["votes"].values, districts=list(run["district"].values), parties=list("ABC"), attrs={"name": "known"}
    )
    posterior = electjax.districts.calibrate(known, "dpm", method="rejection", seed=1, budget=4096, accept=100)
    found = electjax.districts.predict(posterior, known, runs=300, seed=1)
    low, high = found["seats"].quantile([0.01, 0.99], "run")
    assert ((low <= known["seats"]) & (known["seats"] <= high)).all()
    assert np.isin(found["gamma"], posterior["gamma"].astype("f4")).all()


# ------------------------------------------------------------------------------------------------- errors


def test_what_is_no_posterior_is_refused(small):
    posterior = made_posterior(small, "pcm", {"eta": np.full((2, 3), 0.5)})
    cases = [
        (posterior.isel(draw=slice(0)), "no accepted draws"),
        (posterior.drop_attrs(), "no attribute 'model'"),
        (posterior.assign(weight=posterior["weight"] * np.nan), r"weight\(draw=.0.\): found nan; expected a number"),
        (posterior.assign_coords(party=list("ABD")), "eta has other labels along 'party'"),
    ]
    for bad, said in cases:
        with pytest.raises(ValueError, match=said):
            electjax.districts.predict(bad, small)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runs": 0}, r"predict\(runs=\): found 0"),
        ({"seed": -1}, r"seed=\): found -1"),
        ({"params": {"eta": 1.5}}, "parameter eta would be 1.5; expected 0 to 1"),
        ({"params": {"etas": 0.5}}, "model pcm has no parameter 'etas'; did you mean eta"),
        ({"params": {"eta": [0.1, 0.2]}}, r"shape \(2,\); expected \(3,\) or one number"),
    ],
)
def test_bad_arguments_are_named(small, change, said):
    posterior = made_posterior(small, "pcm", {"eta": np.full((2, 3), 0.5)})
    with pytest.raises(ValueError, match=said):
        electjax.districts.predict(posterior, small, **change)
