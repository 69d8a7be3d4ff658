"""Counterfactuals: what a scenario changes and what it leaves, what is refused, and the task around them."""

import itertools
import json
import math
import re
from dataclasses import fields

import numpy as np
import pytest
import xarray as xr
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st

import electjax
from electjax.data.options import made
from electjax.data.progress import silent
from electjax.districts.models.base import simulate_runs
from electjax.districts.options import method_group, model_group, split_values
from electjax.districts.report.figures import scenario_seats
from electjax.districts.report.page import report
from electjax.districts.report.tables import scenario_rows
from electjax.districts.scenario import change, move_popularity, resize
from electjax.districts.task import TaskOptions, counterfactual
from electjax.districts.verbs.counterfactual import check_scenarios, seat_statistics
from electjax.districts.verbs.predict import posterior_basis
from electjax.report.report import write_report
from electjax.run.config import ConfigError, conf_dir, job_of, resolved, restore
from tests.districts.test_predict import OPEN, made_posterior

RUNS = 300


@pytest.fixture(scope="module")
def small():
    """Districts of different sizes that vote alike."""
    rng = np.random.default_rng(4)
    sizes = rng.integers(500, 4000, 20)
    votes = np.array([[size // 2, size // 3, size - size // 2 - size // 3] for size in sizes])
    return electjax.districts.dataset(
        votes, districts=[f"d{i}" for i in range(20)], parties=list("ABC"), attrs={"name": "small"}
    )


@pytest.fixture(scope="module")
def posterior(small):
    eta = np.random.default_rng(1).uniform(0.4, 0.99, (30, 3))
    return made_posterior(small, "pcm", {"eta": eta}, options=OPEN)


@pytest.fixture(scope="module")
def worlds(small, posterior):
    share = float(small["popularity"].sel(party="A"))
    scenarios = {
        "nothing": {"swing": {"B": 0.0}, "parameters": {"eta": {"times": 1}}, "districts": 20},
        "as it was": {"popularity": {"A": share}},
        "B plus 4": {"swing": {"B": 0.04}},
        "B plus 8": {"swing": {"B": 0.08}},
        "B plus 12": {"swing": {"B": 0.12}},
        "all B": {"popularity": {"B": 1.0}, "parameters": {"eta": 0.2}},
        "even": {"parameters": {"eta": 0.0}},
        "B in strongholds": {"parameters": {"eta": [0.0, 0.99, 0.0]}},
    }
    return electjax.districts.counterfactual(posterior, small, scenarios, runs=RUNS, seed=5)


# --------------------------------------------------------------------------------------------- popularity


@given(
    st.lists(st.floats(0.01, 1), min_size=3, max_size=6), st.floats(0, 1), st.floats(0, 0.5), st.integers(0, 2**31 - 1)
)
@settings(max_examples=60, deadline=None)
def test_parties_that_are_not_named_keep_their_proportions(weights, share, other, seed):
    rng = np.random.default_rng(seed)
    popularity = rng.dirichlet(np.asarray(weights) * 10, 4) * 0.9 + 0.1 / len(weights)
    parties = [f"p{k}" for k in range(len(weights))]
    new = move_popularity(popularity, parties, {"p0": share * (1 - other), "p1": other})
    np.testing.assert_allclose(new.sum(axis=1), 1.0)
    np.testing.assert_allclose(new[:, 0], share * (1 - other), atol=1e-9)
    np.testing.assert_allclose(new[:, 1], other, atol=1e-9)
    rest = popularity[:, 2:] / popularity[:, 2:].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(new[:, 2:], rest * new[:, 2:].sum(axis=1, keepdims=True), atol=1e-9)


def test_swing_by_hand():
    old = np.array([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(move_popularity(old, list("ABC"), {"C": 0.1}, swing=True), [[0.4375, 0.2625, 0.3]])
    new = move_popularity(old, list("ABC"), {"A": -0.1, "B": 0.1}, swing=True)
    np.testing.assert_allclose(new, [[0.4, 0.4, 0.2]])
    np.testing.assert_allclose(move_popularity(old, list("ABC"), {"A": 0.2, "B": 0.2, "C": 0.6}), [[0.2, 0.2, 0.6]])


def test_a_party_without_votes_may_be_given_some():
    new = move_popularity(np.array([[0.7, 0.3, 0.0]]), list("ABC"), {"C": 0.1})
    np.testing.assert_allclose(new, [[0.63, 0.27, 0.1]])


def test_no_change_keeps_every_bit():
    old = np.random.default_rng(0).dirichlet([3.0, 2.0, 1.0], 500)
    old = old / old.sum(axis=1, keepdims=True)
    new = move_popularity(old, list("ABC"), {"A": 0.0}, swing=True)
    np.testing.assert_array_equal(new.astype(np.float32), old.astype(np.float32))


# ---------------------------------------------------------------------------------------------- districts


@given(st.lists(st.integers(50, 5000), min_size=1, max_size=60), st.integers(1, 200))
@settings(max_examples=80, deadline=None)
def test_new_districts_have_the_same_electors_and_spread(sizes, districts):
    old = np.asarray(sizes)
    if districts > old.sum() // 100:
        districts = max(1, int(old.sum() // 100))
    new = resize(old, districts)
    assert new.sum() == old.sum()
    assert len(new) == districts
    if districts == len(old):
        np.testing.assert_array_equal(new, old)  # in their own order
    new = np.sort(new)
    expected = np.quantile(old, (np.arange(districts) + 0.5) / districts, method="hazen")
    assert np.abs(new - expected * old.sum() / expected.sum()).max() < 1
    if len(set(sizes)) == 1:
        assert new.max() - new.min() <= 1


def test_as_many_districts_are_the_same_districts():
    sizes = np.array([30, 10, 20])
    np.testing.assert_array_equal(resize(sizes, 3), sizes)
    # twice as many: 100, 125, 175, 225, 275 and 300, halved; of equal remainders the first are rounded up
    np.testing.assert_array_equal(resize(np.array([300, 100, 200]), 6), [50, 63, 88, 112, 137, 150])


@pytest.mark.slow
def test_seats_grow_with_the_districts(small, posterior):
    changes = {"twice": {"districts": 40}, "one": {"districts": 1}}
    found = electjax.districts.counterfactual(posterior, small, changes, runs=RUNS, seed=0)
    assert found["districts"].values.tolist() == [20, 40, 1]
    assert (found["seats"].sum("party") == found["districts"]).all()
    np.testing.assert_allclose(found["popularity"], np.broadcast_to(small["popularity"], (3, 3)))
    # a single district votes like the nation, whose largest party is A
    assert (found["seats"].sel(scenario="one", party="A") == 1).all()
    assert float(found["p_majority"].sel(scenario="one", party="A")) == 1.0


# --------------------------------------------------------------------------------------------- parameters


def test_parameters_change_where_the_scenario_says(small, posterior):
    basis, draw = posterior_basis(small, posterior, runs=50, seed=0)
    drawn = posterior["eta"].values[draw].astype(np.float32)
    cases = {
        "number": (0.3, np.full((50, 3), 0.3)),
        "array": ([0.1, 0.2, 0.3], np.tile([0.1, 0.2, 0.3], (50, 1))),
        "less": ({"add": -0.2}, drawn - 0.2),
        "half": ({"times": 0.5}, drawn * 0.5),
        "label": ({"B": 0.3}, np.where([False, True, False], 0.3, drawn)),
        "both": ({"B": {"times": 0.5}, "C": 1.0}, np.stack([drawn[:, 0], drawn[:, 1] * 0.5, np.ones(50)], axis=1)),
    }
    for name, (value, expected) in cases.items():
        new = change(basis, name, {"parameters": {"eta": value}}).values["eta"]
        np.testing.assert_allclose(new, expected, rtol=1e-6, err_msg=name)
    np.testing.assert_array_equal(basis.values["eta"], drawn)


def test_values_by_label_in_several_dimensions(small):
    phi = np.arange(6.0).reshape(2, 3) / 10
    options = {"communities": 2, "attitudes": "given"}
    fixed = {"phi": phi, "shares": [0.5, 0.5]}
    posterior = made_posterior(small, "sim", {"concentration": [0.5, 1.0]}, fixed=fixed, options=options)
    basis, _ = posterior_basis(small, posterior, runs=4, seed=0)
    new = change(basis, "x", {"parameters": {"phi": {"B": -1.0, "community 2": {"C": {"add": 0.25}}}}}).values["phi"]
    np.testing.assert_allclose(new, np.tile([[0.0, -1.0, 0.2], [0.3, -1.0, 0.75]], (4, 1, 1)), atol=1e-6)
    with pytest.raises(ValueError, match=r"sums to 1\.3; expected 1"):
        change(basis, "x", {"parameters": {"shares": {"community 1": 0.8}}})


def test_one_value_becomes_one_per_district_where_the_model_allows_it(small):
    posterior = made_posterior(small, "dpm", {"gamma": [0.5, 0.6]})
    basis, draw = posterior_basis(small, posterior, runs=6, seed=0)
    new = change(basis, "x", {"parameters": {"gamma": {"d3": 0.9}}})
    assert new.values["gamma"].shape == (6, 20)
    np.testing.assert_allclose(new.values["gamma"][:, 3], 0.9)
    np.testing.assert_allclose(new.values["gamma"][:, 4], np.array([0.5, 0.6])[draw])
    with pytest.raises(ValueError, match="gamma has a value for each of 20 districts"):
        change(new, "y", {"districts": 30})
    assert change(new, "y", {"districts": 30, "parameters": {"gamma": 0.5}}).values["gamma"].shape == (6,)


# --------------------------------------------------------------------------------------------- the verb


def test_a_scenario_without_a_change_is_the_baseline_bit_by_bit(worlds):
    for name in ("nothing", "as it was"):
        for variable in ("seats", "vote_fraction", "mwm", "swm"):
            one, other = (worlds[variable].sel(scenario=which, drop=True) for which in ("baseline", name))
            xr.testing.assert_identical(one, other)
        assert float(abs(worlds["seat_share_change"].sel(scenario=name)).max()) == 0.0


def test_more_votes_give_more_seats(worlds):
    order = ["baseline", "B plus 4", "B plus 8", "B plus 12"]
    seats = worlds["seats"].sel(party="B", scenario=order).values
    for less, more in itertools.pairwise(seats):
        gain = more - less
        assert gain.mean() > 4 * gain.std() / math.sqrt(RUNS)
    np.testing.assert_allclose(worlds["popularity"].sel(party="B", scenario=order).diff("scenario"), 0.04, atol=1e-9)
    assert (worlds["seats"].sel(scenario="all B", party="B") == 20).all()


def test_common_random_numbers_make_changes_more_certain_than_seats(worlds):
    paired = worlds["seat_share_change_se"].sel(scenario="B plus 4", party="B")
    both = [worlds["seats_se"].sel(scenario=name, party="B") / 20 for name in ("baseline", "B plus 4")]
    assert float(paired) < 0.8 * math.hypot(*map(float, both))


def test_strongholds_win_seats_for_the_second_party(worlds):
    seats = worlds["seats"].sel(party="B")
    assert (seats.sel(scenario="even") == 0).all()  # a third of the votes of every district
    assert (seats.sel(scenario="B in strongholds") > 0).mean() > 0.95


def test_exchanged_parties_exchange_their_seats(small):
    """A and B with equal concentration: A at x is to the seats what B at x is."""
    posterior = made_posterior(small, "pcm", {"eta": np.full((1, 3), 0.9)}, options=OPEN)
    shares = {"one": {"A": 0.45, "B": 0.3, "C": 0.25}, "other": {"A": 0.3, "B": 0.45, "C": 0.25}}
    scenarios = {name: {"popularity": given} for name, given in shares.items()}
    found = electjax.districts.counterfactual(posterior, small, scenarios, runs=600, seed=2)
    one, other = found.sel(scenario="one"), found.sel(scenario="other")
    for mine, theirs in (("A", "B"), ("B", "A"), ("C", "C")):
        gap = float(one["seats_mean"].sel(party=mine) - other["seats_mean"].sel(party=theirs))
        error = math.hypot(float(one["seats_se"].sel(party=mine)), float(other["seats_se"].sel(party=theirs)))
        assert abs(gap) < 4 * error


def test_statistics_by_hand():
    seats = xr.DataArray(
        [[[2, 1, 1], [3, 1, 0], [2, 2, 0], [0, 4, 0]], [[4, 0, 0]] * 4], dims=("scenario", "run", "party")
    ).assign_coords(party=list("ABC"))
    found = seat_statistics(seats, xr.DataArray([4, 4], dims="scenario")).isel(scenario=0)
    assert found["seats_mean"].values.tolist() == [1.75, 2.0, 0.25]
    assert found["p_majority"].values.tolist() == [0.25, 0.25, 0.0]  # two of four is no majority
    assert found["p_first"].values.tolist() == [0.625, 0.375, 0.0]  # the tie is shared
    assert found["seats_quantile"].sel(quantile=0.5).values.tolist() == [2, 1, 0]
    np.testing.assert_allclose(found["seats_se"].sel(party="A"), np.std([2, 3, 2, 0]) / 2)


def test_a_sweep_of_values_compiles_once(small, posterior, worlds):
    before = simulate_runs._cache_size()
    sweep = {f"{x:.2f}": {"popularity": {"B": x}, "parameters": {"eta": {"A": x}}} for x in (0.1, 0.2, 0.5, 0.9)}
    found = electjax.districts.counterfactual(posterior, small, sweep, runs=20, seed=1)
    assert simulate_runs._cache_size() == before
    assert (found["seats_mean"].sel(party="B")[1:].diff("scenario") >= 0).all()


def test_what_is_known_of_a_result(worlds, posterior):
    assert list(worlds["scenario"].values[:2]) == ["baseline", "nothing"]
    assert json.loads(worlds.attrs["scenarios"])["B plus 4"] == {"swing": {"B": 0.04}}
    assert set(worlds["draw"].values) <= set(posterior["draw"].values)
    assert all("units" in worlds[name].attrs for name in worlds.data_vars)


# ------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ({}, "scenario 'x' changes nothing"),
        ({"popularty": {"A": 0.2}}, "no such change 'popularty'; did you mean popularity"),
        ({"popularity": 0.4}, "popularity is 0.4; expected a mapping"),
        ({"popularity": {}}, "expected a mapping"),
        ({"popularity": {"A": 0.4}, "swing": {"B": 0.1}}, "expected one of them"),
        ({"popularity": {"AA": 0.4}}, "popularity: no party 'AA'; did you mean A"),
        ({"popularity": {"A": 1.2}}, "A would have a share of 1.2; expected 0 to 1"),
        ({"popularity": {"A": "40 %"}}, "A is '40 %'; expected a share"),
        ({"popularity": {"A": True}}, "A is True; expected a share"),
        ({"popularity": {"A": 0.7, "B": 0.6}}, "A, B would share 1.3 of the votes; expected at most 1"),
        ({"popularity": {"A": 0.2, "B": 0.2, "C": 0.2}}, "share 0.6 of the votes and no other party has any"),
        ({"swing": {"C": -0.3}}, "C would have a share of -0.13"),
        ({"parameters": {"gamma": 0.5}}, "model pcm has no parameter 'gamma'"),
        ({"parameters": {"eta": 1.5}}, "parameter eta would be 1.5; expected 0 to 1"),
        ({"parameters": {"eta": {"B": -1}}}, "parameter eta would be -1; expected 0 to 1"),
        ({"parameters": {"eta": {"D": 0.5}}}, "parameter eta: no value for 'D'; known: A, B, C"),
        ({"parameters": {"eta": {"B": {"plus": 0.5}}}}, "parameter eta, B: no value for 'plus'; it has one value"),
        ({"parameters": {"eta": {"B": "high"}}}, "parameter eta, B: found 'high'; expected a number"),
        ({"parameters": {"eta": {"add": None}}}, "add is None; expected a number"),
        ({"parameters": {"eta": [0.1, 0.2]}}, r"shape \(2,\); expected \(3,\)"),
        ({"parameters": {"eta": float("nan")}}, "found nan; expected a number"),
        ({"districts": 0}, "districts is 0; expected a whole number from 1"),
        ({"districts": 12.5}, "districts is 12.5"),
        ({"districts": 10**9}, "to the [0-9,]+ electors"),
    ],
)
def test_scenarios_that_make_no_sense_are_named(small, posterior, scenario, said):
    with pytest.raises(ValueError, match=said) as error:
        electjax.districts.counterfactual(posterior, small, {"x": scenario})
    assert str(error.value).startswith("scenario 'x'")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=said):  # and before anything is calibrated
        check_scenarios(small, "pcm", {"x": scenario}, params={}, options=OPEN)


def test_a_change_that_leaves_the_support_says_in_how_many_runs(small, posterior):
    scenario = {"parameters": {"eta": {"add": 0.3}}}
    with pytest.raises(ValueError, match=r"eta would be 1\.\d+ in \d+ of 50 runs; expected 0 to 1"):
        electjax.districts.counterfactual(posterior, small, {"x": scenario}, runs=50)
    check_scenarios(small, "pcm", {"x": scenario}, params={}, options=OPEN)  # depends on the draws: not known before


@pytest.mark.parametrize(
    ("scenarios", "said"),
    [
        ({}, "expected at least one"),
        (["districts"], "expected at least one"),
        ({"baseline": {"districts": 3}}, "scenario 'baseline': this is the election without a change"),
        ({3: {"districts": 3}}, "found the name 3; expected text"),
    ],
)
def test_bad_sets_of_scenarios_are_named(small, posterior, scenarios, said):
    with pytest.raises(ValueError, match=said):
        electjax.districts.counterfactual(posterior, small, scenarios)


def test_popularity_cannot_be_set_where_it_is_an_outcome(small):
    posterior = made_posterior(small, "sim", {"concentration": [0.5, 1.0]})
    for scenario in ({"popularity": {"A": 0.4}}, {"swing": {"A": 0.1}}):
        with pytest.raises(ValueError, match="in model sim the popularity of parties comes out of the simulation"):
            electjax.districts.counterfactual(posterior, small, {"x": scenario})


# --------------------------------------------------------------------------------------------- task, report


def asked(scenarios, *, eta=0.99, **more):
    """What a configuration asks of the task."""
    model = made(model_group("pcm"), {"eta": eta, **OPEN, "priors": {"eta": [0.0, 1.0]}}, where="model")
    inference = made(method_group("smc"), {}, where="inference")
    return made(
        TaskOptions, {"models": {"pcm": model}, "inference": inference, "scenarios": scenarios, **more}, where="task"
    )


@pytest.fixture(scope="module")
def result(small, posterior):
    """The task with a calibration that is already known."""
    found = posterior.assign(
        seats=(("draw", "party"), np.tile(small["seats"].values, (30, 1))),
        vote_fraction=(("draw", "party"), np.tile(small["popularity"].values, (30, 1))),
        mwm=("draw", np.full(30, 0.5)),
        swm=("draw", np.full(30, 0.1)),
        distance=("draw", np.linspace(0.1, 1.0, 30)),
        observed_seats=small["seats"],
        observed_vote_fraction=small["popularity"],
        observed_mwm=0.5,
        observed_swm=0.01,
    ).assign_attrs(simulations=100, acceptance_rate=0.3, tolerance=1.0)
    scenarios = {"B plus 8": {"swing": {"B": 0.08}}, "more districts & <more>": {"districts": 40}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(electjax.districts, "calibrate", lambda *_, **__: found, raising=False)
        return counterfactual(small, asked(scenarios, runs=10, optimal_runs=40, eta=0.9), silent)


def test_the_task_leaves_scenarios_beside_the_calibration(result):
    worlds = result.tree["pcm/counterfactual"].to_dataset()
    numbers = result.metrics["counterfactual"]["pcm"]
    assert list(numbers) == ["baseline", "B plus 8", "more districts & <more>"]
    assert numbers["more districts & <more>"]["districts"] == 40
    for name, found in numbers.items():
        mine = worlds.sel(scenario=name)
        assert sum(found["seats_mean"].values()) == pytest.approx(found["districts"])
        assert found["seats_mean"]["B"] == pytest.approx(float(mine["seats_mean"].sel(party="B")))
        assert found["seats_low"]["B"] <= found["seats_mean"]["B"] <= found["seats_high"]["B"]
    assert result.metrics["simulations"] == 10 + 100 + 40 + 3 * 40
    json.dumps(result.metrics, allow_nan=False)


def test_a_scenario_is_refused_before_the_calibration(small, monkeypatch):
    monkeypatch.setattr(electjax.districts, "calibrate", lambda *_, **__: pytest.fail("calibrated"), raising=False)
    bad = asked({"x": {"swing": {"Z": 0.1}}})
    with pytest.raises(ValueError, match="scenario 'x', swing: no party 'Z'"):
        counterfactual(small, bad, silent)


def test_the_report_tells_and_draws_the_scenarios(result, tmp_path):
    write_report(tmp_path, report(result), config="")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "What would have been" in html
    assert "more districts &amp; &lt;more&gt;" in html
    assert (tmp_path / "figures" / "scenarios_pcm.png").stat().st_size > 10_000
    rows = scenario_rows(result.metrics)
    assert [row["Scenario"] for row in rows] == list(result.metrics["counterfactual"]["pcm"])
    assert rows[2]["Districts"] == "40"


def test_the_picture_has_a_line_per_scenario_and_says_who_wins(worlds):
    figure = scenario_seats(worlds)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(worlds["scenario"].values)
    assert ax.get_xlabel() == "seats"
    said = [label.get_text() for label in ax.child_axes[0].get_yticklabels()]
    assert said[list(worlds["scenario"].values).index("all B")] == "B 100 %"


# -------------------------------------------------------------------------------------------- configuration


@pytest.fixture
def hydra_at_conf():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


@pytest.mark.usefixtures("hydra_at_conf")
def test_the_experiment_is_possible_and_takes_scenarios_of_the_command_line():
    set_here = ["scenarios.more.districts=90", "scenarios={swing back: {swing: {AAP: -0.1}}}"]
    cfg = compose("config", ["+experiment=delhi2020_counterfactual", *set_here])
    found = job_of(restore(resolved(cfg))).options
    assert found.scenarios["more"] == {"districts": 90}
    assert found.scenarios["swing back"] == {"swing": {"AAP": -0.1}}
    assert len(found.scenarios) > 4
    values = {item.name: getattr(found.models["pcm"], item.name) for item in fields(found.models["pcm"])}
    params, options = split_values("pcm", {name: value for name, value in values.items() if name != "priors"})
    election = electjax.districts.load("delhi2020")
    assert check_scenarios(election, "pcm", found.scenarios, params=params, options=options) is None


@pytest.mark.usefixtures("hydra_at_conf")
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "scenarios: expected sections such as"),
        (["scenarios.x=3"], "scenarios.x: expected some of popularity, swing"),
        (["scenarios.x={}"], "scenarios.x: expected some of popularity, swing"),
        (["scenarios.x.district=3"], "scenarios.x.district: expected one of popularity, swing"),
    ],
)
def test_wrong_sections_are_named(overrides, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        job_of(compose("config", ["task=counterfactual", *overrides]))
