"""The labelled verb `simulate`: what comes back, that chunks do not matter, and what is refused."""

import json

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.districts.codec import encode
from electjax.districts.models.base import simulate_runs


@pytest.fixture(scope="module")
def delhi():
    return electjax.districts.load("delhi2020")


@pytest.fixture(scope="module")
def simulated(delhi):
    return electjax.districts.simulate(delhi, "dm", runs=130, seed=3)


def test_variables_have_dims_units_and_origin(simulated, delhi):
    assert simulated["votes"].dims == ("run", "district", "party")
    assert simulated["seats"].dims == ("run", "party")
    assert simulated["margin"].dims == ("run", "district")
    assert all(variable.attrs["units"] for variable in simulated.data_vars.values())
    assert simulated.attrs["model"] == "dm"
    assert simulated.attrs["seed"] == 3
    assert json.loads(simulated.attrs["parameters"]) == {"concentration": 3.0}
    assert list(simulated["party"].values) == list(delhi["party"].values)


def test_summaries_follow_from_the_votes(simulated, delhi):
    votes = simulated["votes"].values
    assert np.issubdtype(votes.dtype, np.integer)
    np.testing.assert_array_equal(votes.sum(axis=2), np.tile(delhi["votes"].sum("party").values, (130, 1)))
    share = votes / votes.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(simulated["vote_fraction"], share.mean(axis=1), atol=1e-6)
    winner = votes.argmax(axis=2)
    np.testing.assert_array_equal(simulated["winner"], delhi["party"].values[winner])
    np.testing.assert_array_equal(simulated["seats"], (winner[..., None] == np.arange(4)).sum(axis=1))
    np.testing.assert_allclose(simulated["mwm"], share.max(axis=2).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(simulated["swm"], share.max(axis=2).std(axis=1), atol=1e-6)


@pytest.mark.slow
def test_the_chunk_size_does_not_matter(delhi, simulated):
    for chunk in (1, 1000):
        again = electjax.districts.simulate(delhi, "dm", runs=130, seed=3, chunk=chunk)
        np.testing.assert_array_equal(again["votes"], simulated["votes"])


def test_fewer_runs_are_the_first_of_more(delhi, simulated):
    few = electjax.districts.simulate(delhi, "dm", runs=7, seed=3)
    np.testing.assert_array_equal(few["votes"], simulated["votes"][:7])
    other = electjax.districts.simulate(delhi, "dm", runs=7, seed=4)
    assert not np.array_equal(other["votes"], few["votes"])


@pytest.mark.ci
def test_a_sweep_of_gamma_compiles_once(delhi):
    electjax.districts.simulate(delhi, "dpm", {"gamma": 0.5}, runs=1, options={"bookkeeping": "none"})
    before = simulate_runs._cache_size()
    mean = [
        float(
            electjax.districts.simulate(delhi, "dpm", {"gamma": gamma}, runs=20, options={"bookkeeping": "none"})[
                "seats"
            ]
            .sel(party="AAP")
            .mean()
        )
        for gamma in np.linspace(0.0, 1.0, 20)
    ]
    assert simulate_runs._cache_size() == before
    assert mean[0] == 70
    assert mean[-1] < 50


def test_gamma_may_differ_by_district(delhi):
    gamma = np.where(np.arange(70) < 35, 0.0, 1.0)
    out = electjax.districts.simulate(delhi, "dpm", {"gamma": gamma}, runs=20, options={"bookkeeping": "none"})
    assert (out["winner"][:, :35] == "AAP").all()
    assert not (out["winner"][:, 35:] == "AAP").all()


def test_others_may_be_barred_from_winning():
    barred = electjax.districts.load("delhi2013", others_may_win=False)
    allowed = electjax.districts.load("delhi2013")
    params = {"concentration": 1.0}
    assert float(electjax.districts.simulate(barred, "dm", params, runs=50)["seats"].sel(party="others").max()) == 0
    assert float(electjax.districts.simulate(allowed, "dm", params, runs=50)["seats"].sel(party="others").max()) > 0


@pytest.mark.slow
def test_none_of_the_above_never_wins():
    from electjax.districts import dataset

    votes = np.array([[400, 500], [300, 200]])
    election = dataset(votes, districts=["N", "S"], parties=["A", "NOTA"], winner=["A", "A"])
    runs = electjax.districts.simulate(election, "dm", {"concentration": 1.0}, runs=20)
    assert (runs["seats"].sel(party="A") == 2).all()


@pytest.mark.slow
def test_party_totals_are_kept_under_bookkeeping(delhi):
    totals = delhi["votes"].sum("district")
    for rule in ("interleaved", "by_district"):
        out = electjax.districts.simulate(delhi, "dm", runs=5, options={"bookkeeping": rule})
        assert (out["votes"].sum("district") == totals).all()


def test_a_summary_needs_a_number_of_votes():
    summary = electjax.districts.load("odisha2019_loksabha")
    summary.attrs.pop("votes_total", None)
    with pytest.raises(electjax.ElectionDataError, match="votes_total"):
        electjax.districts.simulate(summary, "dm", runs=1)
    summary.attrs["votes_total"] = 147_000
    assert encode(summary).electors.tolist() == [1000] * 147


def test_a_uniform_election_mirrors_the_nation():
    election = electjax.districts.uniform({"A": 0.4, "B": 0.35, "others": 0.25}, districts=7, electors=7003)
    assert int(election["votes"].sum()) == 7003
    np.testing.assert_allclose(election["popularity"], [0.4, 0.35, 0.25], atol=1e-3)
    assert election["seats"].values.tolist() == [7, 0, 0]
    with pytest.raises(electjax.ElectionDataError, match="popularity"):
        electjax.districts.uniform({"A": -1.0})
    with pytest.raises(electjax.ElectionDataError, match="districts"):
        electjax.districts.uniform({"A": 1.0}, districts=10, electors=5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runs": 0}, r"simulate\(runs=\): found 0; expected a whole number of at least 1"),
        ({"seed": -1}, r"seed=\): found -1; expected a whole number from 0 to 2\^32 - 1"),
        ({"options": {"growth": 0.0}}, "growth=0.0"),
        ({"engine": "warp"}, "found 'warp'; expected one of leap, agent"),
        ({"params": {"gama": 0.5}}, "unknown parameter 'gama'; it has gamma, prior_mass"),
        ({"params": {"gamma": 1.5}}, r"gamma=1.5 lies outside its range \[0, 1\]"),
        ({"params": {"gamma": [0.5, 0.5]}}, "70 values, one per district"),
        ({"params": {"gamma": "high"}}, "not a finite number"),
        ({"params": {"gamma": float("nan")}}, "not a finite number"),
    ],
)
def test_bad_settings_are_named(delhi, change, said):
    with pytest.raises(ValueError, match=said):
        electjax.districts.simulate(delhi, "dpm", **change)


def test_outcomes_of_returns_and_of_simulations(delhi, simulated):
    found = electjax.districts.outcomes(delhi)
    share, seats = delhi["popularity"].values, delhi["seats"].values / 70
    assert float(found["gallagher"]) == pytest.approx(100 * np.sqrt(0.5 * ((share - seats) ** 2).sum()), rel=1e-5)
    assert float(found["parties_seats"]) == pytest.approx(1 / (seats**2).sum(), rel=1e-5)
    assert float(found["parties_votes"]) == pytest.approx(1 / (share**2).sum(), rel=1e-5)
    many = electjax.districts.outcomes(simulated)
    assert many["gallagher"].dims == ("run",)
    for name in ("seats", "margin", "mwm", "swm", "vote_fraction"):
        np.testing.assert_allclose(many[name], simulated[name], rtol=1e-6)


def test_the_swing_curve_passes_through_the_result(delhi):
    curve = electjax.districts.swing_curve(delhi, "BJP")
    now = curve.sel(swing=0.0)
    assert float(now["seat_share"]) == pytest.approx(8 / 70)
    assert float(now["vote_share"]) == pytest.approx(float(delhi["popularity"].sel(party="BJP")), abs=1e-6)
    assert (np.diff(curve["seat_share"]) >= 0).all()
    with pytest.raises(ValueError, match="no party 'CPI'; expected one of AAP, BJP"):
        electjax.districts.swing_curve(delhi, "CPI")
    with pytest.raises(ValueError, match="no votes, only a summary"):
        electjax.districts.outcomes(electjax.districts.load("odisha2019_loksabha"))


def test_the_geography_of_returns_and_of_simulations_by_hand(delhi, simulated):
    found = electjax.districts.geography(delhi, "AAP")
    share = (delhi["votes"].sel(party="AAP") / delhi["votes"].sum("party")).values
    assert found["density"].dims == ("bin",)
    assert float(found["density"].sel(bin=0.525)) == pytest.approx(20 * ((share >= 0.5) & (share < 0.55)).mean())
    many = electjax.districts.geography(simulated, bins=[0.0, 0.5, 1.0])
    polled = simulated["votes"] / simulated["votes"].sum("party")
    low = (polled < 0.5).mean(["run", "district"])
    np.testing.assert_allclose(many["density"].isel(bin=0), 2 * low)
    np.testing.assert_allclose((many["density"] * (many["high"] - many["low"])).sum("bin"), 1.0)
    assert many.attrs["model"] == "dm"


def test_the_geography_leaves_out_districts_without_votes():
    votes = (("run", "district", "party"), np.array([[[0, 0], [3, 1], [1, 0]]]))
    one = xr.Dataset({"votes": votes, "seats": (("run", "party"), [[2, 0]])}, coords={"run": [0], "party": ["A", "B"]})
    found = electjax.districts.geography(one, bins=2)
    np.testing.assert_allclose(found["density"], [[0.0, 2.0], [2.0, 0.0]])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"party": "CPI"}, "no party 'CPI'"), ({"bins": 0}, r"bins=\): found 0"), ({"bins": [0.5, 0.2]}, "ascending")],
)
def test_bad_questions_about_geography_are_named(delhi, change, said):
    with pytest.raises(ValueError, match=said):
        electjax.districts.geography(delhi, **change)
    with pytest.raises(ValueError, match="no votes, only a summary"):
        electjax.districts.geography(electjax.districts.load("odisha2019_loksabha"))


def test_vectors_and_matrices_reach_the_model():
    election = electjax.districts.uniform({"A": 0.4, "B": 0.6}, districts=5, electors=5000)
    phi = [[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]]
    given = {"phi": phi, "sigma": [0.2, 0.2]}
    runs = electjax.districts.simulate(election, "sim", given, runs=4, options={"attitudes": "given"})
    assert (runs["seats"].sel(party="A") == 5).all()
    assert json.loads(runs.attrs["parameters"])["phi"] == phi
    with pytest.raises(ValueError, match=r"phi has shape \(2, 2\); expected one number or 3 x 2 values, one per comm"):
        electjax.districts.simulate(election, "sim", given | {"phi": phi[:2]}, options={"attitudes": "given"})
