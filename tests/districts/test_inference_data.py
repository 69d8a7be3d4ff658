"""The file that ArviZ reads: its groups, its numbers, and what becomes of the weights."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.districts.task import write
from electjax.report.result import Result

PARTIES = ["AAP", "BJP", "INC", "others"]
DRAWS = 400


@pytest.fixture(scope="module")
def delhi() -> xr.Dataset:
    return electjax.districts.load("delhi2020")


def made_up_posterior(weight: np.ndarray, *, seed: int = 3) -> xr.Dataset:
    """A calibration Dataset of a scalar and a vector parameter, with these weights."""
    rng, number = np.random.default_rng(0), len(weight)
    return xr.Dataset(
        {
            "concentration": ("draw", rng.normal(0.8, 0.05, number), {"symbol": "a"}),
            "sigma": (("draw", "party"), rng.uniform(0.1, 1.0, size=(number, 4))),
            "unadjusted_concentration": ("draw", rng.normal(0.8, 0.05, number)),
            "optimal_concentration": 0.8,
            "optimal_sigma": ("party", np.full(4, 0.5)),
            "prior_concentration": ("prior_draw", rng.uniform(size=1000)),
            "prior_sigma": (("prior_draw", "party"), rng.uniform(size=(1000, 4))),
            "weight": ("draw", weight / weight.sum()),
            "distance": ("draw", np.sort(rng.gamma(3.0, size=number))),
            "seats": (("draw", "party"), rng.multinomial(70, [0.8, 0.2, 0, 0], number)),
            "observed_seats": ("party", [62, 8, 0, 0]),
            "observed_vote_fraction": ("party", [0.54, 0.38, 0.05, 0.03]),
            "observed_mwm": 0.547,
            "observed_swm": 0.062,
        },
        coords={"draw": np.arange(number), "party": PARTIES},
        attrs={
            "model": "sim",
            "options": "{}",
            "fixed_parameters": "{}",
            "seed": seed,
            "method": "smc",
            "simulations": 9000,
        },
    )


def made_up_prediction(runs: int = 50) -> xr.Dataset:
    rng = np.random.default_rng(1)
    return xr.Dataset(
        {
            "seats": (("run", "party"), rng.multinomial(70, [0.8, 0.2, 0, 0], runs)),
            "mwm": ("run", rng.uniform(size=runs)),
            "concentration": ("run", rng.uniform(size=runs)),
            "draw": ("run", np.arange(runs)),
        },
        coords={"run": np.arange(runs), "party": PARTIES},
    )


def test_groups_dimensions_and_attributes_are_those_of_the_schema(delhi):
    tree = electjax.districts.to_inference_data(
        made_up_posterior(np.ones(DRAWS)), prediction=made_up_prediction(), election=delhi
    )
    sizes = {name: dict(node.sizes) for name, node in tree.children.items()}
    assert sizes == {
        "posterior": {"chain": 1, "draw": DRAWS, "party": 4},
        "sample_stats": {"chain": 1, "draw": DRAWS},
        "prior": {"chain": 1, "draw": 1000, "party": 4},
        "posterior_predictive": {"chain": 1, "draw": 50, "party": 4},
        "observed_data": {"party": 4, "district": 70},
        "constant_data": {"party": 4, "district": 70},
    }
    assert set(tree["posterior"].data_vars) == set(tree["prior"].data_vars) == {"concentration", "sigma"}
    assert set(tree["posterior_predictive"].data_vars) == {"seats", "mwm"}
    assert set(tree["observed_data"].data_vars) == {"seats", "vote_fraction", "mwm", "swm", "votes"}
    assert tree["posterior/sigma"].dims == ("chain", "draw", "party")
    assert int(tree["constant_data/electors"].sum()) == int(delhi["votes"].sum())
    for node in tree.children.values():
        assert node.attrs["creation_library"] == node.attrs["inference_library"] == "electjax"
        assert node.attrs["inference_library_version"] == electjax.__version__
        assert "T" in node.attrs["created_at"]
    assert tree["posterior"].attrs["model"] == "sim"


def test_what_is_not_given_is_left_out():
    tree = electjax.districts.to_inference_data(made_up_posterior(np.ones(20)))
    assert set(tree.children) == {"posterior", "sample_stats", "prior", "observed_data"}
    assert "votes" not in tree["observed_data"]


def test_equal_weights_keep_every_draw_once():
    posterior = made_up_posterior(np.ones(DRAWS))
    tree = electjax.districts.to_inference_data(posterior)
    place = tree["sample_stats/accepted_draw"].values[0]
    assert sorted(place) == list(range(DRAWS))
    assert list(place) != sorted(place)
    np.testing.assert_array_equal(tree["posterior/concentration"].values[0], posterior["concentration"].values[place])
    assert tree["posterior"].attrs["kish_ess"] == pytest.approx(DRAWS)


def test_a_draw_comes_about_as_often_as_its_weight_says():
    weight = np.random.default_rng(5).gamma(0.3, size=DRAWS)
    posterior = made_up_posterior(weight)
    tree = electjax.districts.to_inference_data(posterior)
    place = tree["sample_stats/accepted_draw"].values[0]
    share = posterior["weight"].values
    # systematic resampling: every count is the expected one, rounded up or down
    assert (np.abs(np.bincount(place, minlength=DRAWS) - DRAWS * share) < 1.0 + 1e-9).all()
    np.testing.assert_allclose(tree["sample_stats/weight"].values[0], share[place])
    np.testing.assert_allclose(tree["sample_stats/distance"].values[0], posterior["distance"].values[place])
    assert tree["posterior"].attrs["kish_ess"] == pytest.approx(1 / np.square(share).sum())
    # neighbours are independent: copies of one draw do not lie side by side
    series = tree["posterior/concentration"].values[0]
    assert abs(np.corrcoef(series[1:], series[:-1])[0, 1]) < 4 / np.sqrt(DRAWS)
    # and the sum of copies over the order in which the draws stand has no trend
    assert np.mean(series) == pytest.approx(
        float((posterior["concentration"] * share).sum()), abs=4 * 0.05 / np.sqrt(DRAWS)
    )


def test_the_same_seed_gives_the_same_resampling():
    weight = np.random.default_rng(5).gamma(1.0, size=DRAWS)
    places = [
        electjax.districts.to_inference_data(made_up_posterior(weight, seed=seed))["sample_stats/accepted_draw"].values
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(places[0], places[1])
    assert (places[0] != places[2]).any()


def test_a_calibration_without_draws_is_refused():
    with pytest.raises(ValueError, match="no accepted draws"):
        electjax.districts.to_inference_data(made_up_posterior(np.ones(5)).isel(draw=slice(0, 0)))


def test_arviz_opens_and_summarises_the_file_of_a_run(tmp_path: Path, delhi):
    base, stats = pytest.importorskip("arviz_base"), pytest.importorskip("arviz_stats.summary")
    diagnostics = pytest.importorskip("arviz_stats.sampling_diagnostics")
    weight = np.random.default_rng(5).gamma(2.0, size=DRAWS)
    posterior = made_up_posterior(weight)
    nodes = {"/observed": delhi, "/dpm/fit": posterior, "/dpm/prediction": made_up_prediction()}
    write(tmp_path, Result(xr.DataTree.from_dict(nodes), {}))
    assert {path.name for path in tmp_path.iterdir()} >= {"result.nc", "posterior_dpm.nc"}
    with xr.open_datatree(tmp_path / "posterior_dpm.nc", engine="h5netcdf") as tree:
        table = stats.summary(tree, round_to="none")
        assert list(table.index) == ["concentration", *(f"sigma[{party}]" for party in PARTIES)]
        share = posterior["weight"].values
        mean = float((posterior["concentration"] * share).sum())
        sd = float(np.sqrt((np.square(posterior["concentration"] - mean) * share).sum()))
        assert table.loc["concentration", "mean"] == pytest.approx(mean, abs=4 * sd / np.sqrt(DRAWS))
        assert table.loc["concentration", "sd"] == pytest.approx(sd, rel=4 / np.sqrt(DRAWS))
        assert 0.5 * DRAWS < float(diagnostics.ess(tree)["concentration"]) < 2 * DRAWS
        assert base.extract(tree).sizes["sample"] == DRAWS
        assert base.extract(tree, group="prior").sizes["sample"] == 1000
        assert base.extract(tree, group="posterior_predictive")["seats"].sizes["sample"] == 50
