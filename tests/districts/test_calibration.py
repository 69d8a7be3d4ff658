"""Calibration: priors, distance, both methods, psi_opt; and the labelled verbs around them."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import electjax
from electjax.districts import dataset
from electjax.districts.abc import distance as distances_of
from electjax.districts.abc.methods.explore_exploit import exploit_draws
from electjax.districts.abc.prior import make_space, reflect, unit_to_params
from electjax.districts.abc.problem import CHUNK, Draws, _evaluate, select
from electjax.districts.kernels.outcome import Summary
from electjax.districts.models.dm import DM
from electjax.districts.models.dpm import DPM
from electjax.numerics import parallel


@pytest.fixture(scope="module")
def small():
    """An election of known gamma: one simulated run of DPM at .85."""
    base = electjax.districts.uniform({"A": 0.5, "B": 0.35, "C": 0.15}, districts=40, electors=200_000)
    run = electjax.districts.simulate(base, "dpm", {"gamma": 0.85}, runs=1, seed=5).isel(run=0)
    return dataset(
        run["votes"].values, districts=list(run["district"].values), parties=list("ABC"), attrs={"name": "known"}
    )


@pytest.fixture(scope="module")
def explored(small):
    return electjax.districts.calibrate(small, "dpm", method="explore_exploit", seed=1, budget=6000, accept=200)


@pytest.fixture(scope="module")
def rejected(small):
    return electjax.districts.calibrate(
        small, "dpm", method="rejection", seed=1, budget=8 * CHUNK, accept=10**6, adjust="none"
    )


# ------------------------------------------------------------------------------------------------ prior


def test_unit_cube_maps_to_the_prior_range():
    space = make_space(DM, {"concentration": (0.1, 10.0)})
    values = unit_to_params(space, np.array([[0.0], [0.5], [1.0]]))["concentration"]
    np.testing.assert_allclose(values, [0.1, 1.0, 10.0], rtol=1e-6)
    space = make_space(DPM, {"gamma": (0.2, 0.6)})
    np.testing.assert_allclose(unit_to_params(space, np.array([[0.25]]))["gamma"], [0.3])


def test_default_prior_leaves_the_prior_mass_fixed():
    assert [axis.name for axis in make_space(DPM).axes] == ["gamma"]


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"gama": (0, 1)}, "unknown parameter 'gama'"),
        ({"gamma": (0.5, 0.5)}, "low < high"),
        ({"gamma": (0.5, 1.5)}, r"within \[0, 1\]"),
        ({"gamma": (0.5, float("inf"))}, "finite"),
    ],
)
def test_bad_priors_are_named(bounds, said):
    with pytest.raises(ValueError, match=said):
        make_space(DPM, bounds)


@given(st.floats(-5, 5, width=32), st.floats(-0.375, 0.375, width=32))
@settings(max_examples=50, deadline=None)
def test_reflection_stays_inside_and_is_continuous(x, step):
    inside, moved = reflect(jnp.array([x, x + step]))
    assert 0.0 <= float(inside) <= 1.0
    assert abs(float(moved) - float(inside)) <= abs(step) + 1e-5


def test_reflection_keeps_what_is_inside_and_mirrors_at_the_walls():
    np.testing.assert_allclose(reflect(jnp.array([0.3, -0.2, 1.1, 2.3])), [0.3, 0.2, 0.9, 0.3], atol=1e-6)


# --------------------------------------------------------------------------------------------- distance


def test_distance_by_hand():
    goal = distances_of.target([60, 10], [0.6, 0.4], 0.55, 0.06)
    summary = Summary(jnp.array([64, 6]), jnp.array([0.6, 0.4]), jnp.float32(0.55), jnp.float32(0.10))
    statistics = distances_of.flatten_summary(summary)
    # gaps in tolerances: 2, -2, 0, 0, 0, 2
    assert float(distances_of.distance(statistics, goal)) == pytest.approx(np.sqrt(12 / 6), rel=1e-5)
    assert float(distances_of.distance(statistics, goal, norm="max")) == pytest.approx(2.0, rel=1e-5)


def test_unknown_statistics_do_not_count():
    goal = distances_of.target([60, 10], [0.6, 0.4], np.nan, np.nan)
    statistics = jnp.array([64.0, 6.0, 0.6, 0.4, 0.9, 0.9])
    assert float(distances_of.distance(statistics, goal)) == pytest.approx(np.sqrt(8 / 4), rel=1e-5)


# ---------------------------------------------------------------------------------------------- methods


def test_exploit_draws_surround_the_closest_points_of_their_round():
    unit = jax.random.uniform(jax.random.key(0), (3 * 20, 2))
    far = jnp.sum((unit - 0.5) ** 2, axis=1)
    near = exploit_draws(jax.random.key(1), unit, far, 0.01, rounds=3, seeds_kept=2, exploit=8)
    for index, points in enumerate(np.asarray(near).reshape(3, 8, 2)):
        own = np.asarray(unit)[index * 20 : index * 20 + 20]
        seeds = own[np.argsort(np.sum((own - 0.5) ** 2, axis=1))[:2]]
        gap = np.abs(points[:, None] - seeds[None]).max(axis=-1).min(axis=1)
        assert gap.max() < 5 * 0.01


def test_rejection_draws_follow_the_prior_and_acceptance_is_the_rule(rejected):
    assert rejected.attrs["simulations"] >= 8 * CHUNK
    assert float(rejected["distance"].max()) <= rejected.attrs["tolerance"] == 1.0
    assert stats.kstest(rejected["prior_gamma"].values, "uniform").pvalue > 1e-3


def test_rejection_recovers_the_known_gamma(rejected):
    low, high = np.quantile(rejected["gamma"].values, [0.005, 0.995])
    assert low <= 0.85 <= high
    assert high - low < 0.25  # against a prior of width 1


def test_explore_exploit_finds_the_same_place_with_fewer_simulations(explored, rejected):
    gap = abs(float(explored["optimal_gamma"]) - float(rejected["optimal_gamma"]))
    assert gap < 4 * float(rejected["gamma"].std())
    assert explored.attrs["acceptance_rate"] > 1.5 * rejected.attrs["acceptance_rate"]


def test_psi_opt_is_near_the_truth(explored):
    assert abs(float(explored["optimal_gamma"]) - 0.85) < 0.08


def test_draws_come_closest_first_with_their_statistics(explored, small):
    distances = explored["distance"].values
    assert (np.diff(distances) >= 0).all()
    goal = distances_of.target(
        small["seats"].values,
        explored["observed_vote_fraction"].values,
        explored["observed_mwm"].values,
        explored["observed_swm"].values,
    )
    statistics = np.concatenate(
        [
            explored["seats"],
            explored["vote_fraction"],
            explored["mwm"].values[:, None],
            explored["swm"].values[:, None],
        ],
        axis=1,
    )
    np.testing.assert_allclose(distances_of.distance(statistics, goal), distances, rtol=1e-4, atol=1e-5)
    assert int(explored["seats"].sum("party").isel(draw=0)) == 40
    assert float(explored["weight"].sum()) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_result_on_one_thread_or_many(small, explored, monkeypatch):
    monkeypatch.setattr(parallel, "host_workers", lambda: 1)
    again = electjax.districts.calibrate(small, "dpm", method="explore_exploit", seed=1, budget=6000, accept=200)
    for name in ("gamma", "distance", "seats", "optimal_gamma"):
        np.testing.assert_array_equal(again[name], explored[name])


def test_new_priors_budgets_and_methods_compile_nothing_new(small, explored, rejected):
    before = _evaluate._cache_size()
    search = {"method": "explore_exploit", "seed": 2, "budget": 3000, "accept": 10}
    electjax.districts.calibrate(small, "dpm", priors={"gamma": (0.5, 0.95)}, tolerance=2.0, **search)
    electjax.districts.calibrate(
        small, "dpm", method="rejection", seed=2, budget=2000, accept=10, params={"prior_mass": 1.0}
    )
    assert _evaluate._cache_size() == before


def test_selection_keeps_the_closest_where_nothing_is_close():
    far = np.linspace(5, 6, 2000)[::-1]
    draws = Draws(np.zeros((2000, 1)), np.zeros((2000, 4)), np.zeros((2000, 4)), far)
    kept, reached = select(draws, tolerance=1.0)
    assert len(kept) == 10
    assert reached == pytest.approx(far[::-1][9])
    kept, reached = select(draws, tolerance=5.5)
    assert len(kept) == int((far <= 5.5).sum())
    assert reached == 5.5


@pytest.mark.ci
def test_the_budget_is_spent_to_the_last_whole_round(small):
    everything = {"seed": 0, "accept": 10**6, "tolerance": 50.0}
    result = electjax.districts.calibrate(small, "dpm", method="explore_exploit", budget=2300, **everything)
    assert result.sizes["draw"] == 2300 // 80 * 80
    result = electjax.districts.calibrate(small, "dpm", method="rejection", budget=1500, **everything)
    assert result.sizes["draw"] == 1500


def test_an_unreachable_election_is_said_to_be_so(small):
    with pytest.warns(electjax.ElectionDataWarning, match="before the tolerance was reached"):
        result = electjax.districts.calibrate(
            small, "dpm", method="explore_exploit", seed=0, budget=2000, priors={"gamma": (0.0, 0.2)}
        )
    assert result.attrs["tolerance"] > 1.0
    assert result.attrs["tolerance_asked"] == 1.0


@pytest.mark.slow
def test_a_vector_comes_back_with_its_labels_and_goes_back_in():
    election = electjax.districts.uniform({"A": 0.5, "B": 0.35, "C": 0.15}, districts=6, electors=6000)
    settings = {"method": "explore_exploit", "budget": 160, "accept": 10**6, "tolerance": 1e3}
    settings["options"] = {"districts": "open"}
    found = electjax.districts.calibrate(election, "pcm", seed=2, params={"prior_mass": 2.0}, **settings)
    assert found["eta"].dims == ("draw", "party")
    assert found["optimal_eta"].dims == ("party",)
    assert found["prior_eta"].dims == ("prior_draw", "party")
    assert list(found["party"].values) == ["A", "B", "C"]
    assert ((found["eta"] >= 0) & (found["eta"] <= 1)).all()
    assert len(np.unique(found["eta"])) > found.sizes["draw"]  # the parties' values differ
    assert json.loads(found.attrs["fixed_parameters"])["prior_mass"] == 2.0
    options = settings["options"]
    again = electjax.districts.simulate(election, "pcm", {"eta": found["optimal_eta"].values}, runs=8, options=options)
    assert json.loads(again.attrs["parameters"])["eta"] == pytest.approx(found["optimal_eta"].values.tolist())
    again = electjax.districts.simulate(election, "pcm", {"eta": [0.0, 1.0, 0.0]}, runs=8, options=options)
    spread = again["votes"].std("district").mean("run") / again["votes"].mean(["district", "run"])
    assert (spread.sel(party="B") > 3 * spread.drop_sel(party="B")).all()


# ----------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "dmm"}, "unknown model 'dmm'; there are: dm, dpm, ecm, pcm, sim"),
        ({"method": "smc2"}, "found 'smc2'; expected one of exact, explore_exploit, rejection, smc"),
        ({"distance": "l2"}, "found 'l2'; expected one of rms, max"),
        ({"budget": 0}, r"calibrate(budget=): found 0; expected a whole number of at least 1"),
        ({"seeds_kept": 50}, "found 50; expected 1 to explore=40"),
        ({"exploit": 0}, "(exploit=): found 0"),
        ({"budget": 30}, "budget=30: expected at least one round"),
        ({"seat_tolerance": 0.0}, "(seat_tolerance=): found 0.0; expected a number above 0"),
        ({"seed": 2**32}, "found 4294967296; expected a whole number from 0 to 2^32 - 1"),
        ({"model": "dm", "params": {"concentration": 0.0}, "priors": {"concentration": (0.0, 1.0)}}, "concentration"),
        ({"explor": 50}, "(explor=): found 50; expected one of its options; did you mean explore"),
        ({"method": "exact", "sampler": "gibbs"}, "found 'gibbs'; expected one of auto, grid, nuts"),
        ({"method": "smc", "explore": 50}, "(explore=): found 50; expected one of the options"),
        ({"statistics": "log_votes"}, "(tolerance=): found None; expected a tolerance, which explore_exploit needs"),
        ({"options": {"readng": "count"}}, "unknown option 'readng'"),
        ({"options": {"reading": "counts"}}, "reading='counts' is not one of fraction | count"),
        ({"params": {"prior_mass": -1}}, "prior_mass=-1 lies outside its range"),
    ],
)
def test_bad_settings_are_named(small, change, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        electjax.districts.calibrate(small, **({"method": "explore_exploit"} | change))
