"""One save and load for elections and results of every kind, and paths in place of Datasets."""

import inspect

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax import ElectionDataError
from electjax.data.schema import conform
from electjax.districts.results import CALIBRATION
from electjax.districts.store import SCHEMAS

HOW = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}


@pytest.fixture(scope="module")
def election():
    return electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)


@pytest.fixture(scope="module")
def fit(election):
    return electjax.districts.calibrate(election, "dm", **HOW)


@pytest.fixture(scope="module")
def results(election, fit):
    """A result of every kind, by its kind."""
    recovery = electjax.districts.recover(election, "dm", replicates=10, **(HOW | {"tolerance": None}))
    simulation = electjax.districts.simulate(election, "dm", runs=3, seed=1)
    comparison = electjax.districts.compare(election, {"one": fit, "other": fit}, runs=8)
    found = [
        election,
        simulation,
        fit,
        electjax.districts.counterfactual(fit, election, {"less": {"swing": {"A": -0.1}}}, runs=4),
        recovery,
        electjax.districts.outcomes(simulation),
        electjax.districts.swing_curve(election, "A"),
        electjax.districts.geography(election),
        electjax.districts.sbc(recovery),
        electjax.districts.coverage(recovery),
        electjax.districts.tarp(recovery),
        electjax.districts.check(fit, election, runs=8),
        electjax.districts.sensitivity(fit),
        electjax.districts.identifiability(fit),
        comparison,
    ]
    return {dataset.attrs["conventions"]: dataset for dataset in found}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_kind_comes_back_as_it_was(schema, results, tmp_path):
    dataset = results[schema.conventions]
    path = electjax.districts.save(dataset, tmp_path / "it.nc")
    xr.testing.assert_identical(electjax.districts.load(path), dataset)
    for name in dataset.variables:
        if name in schema.variables:
            assert dataset[name].attrs.keys() >= {"long_name", "units"}, name


def test_a_zarr_folder_holds_the_same(fit, tmp_path):
    pytest.importorskip("zarr")
    path = electjax.districts.save(fit, tmp_path / "fit.zarr")
    xr.testing.assert_identical(electjax.districts.load(path), fit)


def test_names_of_kinds_differ_and_every_one_says_what_makes_it():
    assert len({schema.conventions for schema in SCHEMAS}) == len(SCHEMAS)
    for schema in SCHEMAS[1:]:
        assert hasattr(electjax.districts, schema.build.split()[0].removeprefix("districts."))


def test_names_in_results_are_labels(results):
    simulation = results["electjax simulated elections"]
    assert set(np.unique(simulation["winner"])) <= {"A", "B"}
    won = simulation["votes"].idxmax("party")
    assert (simulation["winner"] == won).mean() > 0.95  # ties apart
    np.testing.assert_array_equal((simulation["winner"] == "A").sum("district"), simulation["seats"].sel(party="A"))


def test_a_path_or_a_name_stands_for_a_dataset(election, fit, tmp_path):
    file = electjax.districts.save(fit, tmp_path / "fit.nc")
    data = electjax.districts.save(election, tmp_path / "election.nc")
    expected = electjax.districts.predict(fit, election, runs=4, seed=2)
    xr.testing.assert_identical(electjax.districts.predict(file, str(data), runs=4, seed=2), expected)
    xr.testing.assert_identical(electjax.districts.identifiability(str(file)), electjax.districts.identifiability(fit))
    delhi = electjax.districts.load("delhi2020")
    xr.testing.assert_identical(electjax.districts.outcomes("delhi2020"), electjax.districts.outcomes(delhi))
    expected = electjax.districts.simulate(election, "dm", runs=3, seed=1)
    xr.testing.assert_identical(electjax.districts.simulate(data, "dm", runs=3, seed=1), expected)


def test_a_result_of_another_kind_is_named(election, fit, tmp_path):
    data = electjax.districts.save(election, tmp_path / "election.nc")
    with pytest.raises(ElectionDataError, match="this is 'electjax election'; expected calibration; give"):
        electjax.districts.predict(data, election)
    file = electjax.districts.save(fit, tmp_path / "fit.nc")
    with pytest.raises(ElectionDataError, match="this is 'electjax calibration'; expected election"):
        electjax.districts.simulate(file, "dm")


@pytest.mark.parametrize("source", ["delhi2021", "there/is/none.nc"])
def test_neither_a_name_nor_a_file_is_one_line(source):
    with pytest.raises(ElectionDataError, match=r"no embedded election .* and no such file") as caught:
        electjax.districts.load(source)
    assert source in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda fit: fit.drop_vars("weight"), "no 'weight'; expected weight(draw)"),
        (lambda fit: fit.drop_vars("concentration"), "no draws of 'concentration'"),
        (lambda fit: fit.assign(concentration=fit["concentration"] * np.nan), "concentration(draw='0'): found nan"),
        (lambda fit: fit.assign(concentration=-fit["concentration"]), "expected a number from 0.001 to 1e+06"),
        (lambda fit: fit.assign(weight=fit["weight"] * 0), "weights sum to 0"),
        (lambda fit: fit.assign_attrs(model="dmm"), "no model 'dmm'"),
        (lambda fit: fit.assign_attrs(options="{"), "attribute 'options': found '{'; expected JSON"),
        (lambda fit: fit.drop_attrs(deep=False), "no attribute 'model'"),
    ],
)
def test_a_spoilt_calibration_is_refused_when_it_is_loaded(fit, spoil, said, tmp_path):
    spoil(fit).assign_attrs(conventions=CALIBRATION.conventions).to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    with pytest.raises(ElectionDataError) as caught:
        electjax.districts.load(tmp_path / "fit.nc")
    assert said in str(caught.value)
    assert "fit.nc" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_file_is_one_line(fit, keep, tmp_path):
    path = electjax.districts.save(fit, tmp_path / "fit.nc")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ElectionDataError) as caught:
        electjax.districts.load(path)
    assert "\n" not in str(caught.value)


def test_what_breaks_its_schema_is_not_saved(fit, tmp_path):
    with pytest.raises(ElectionDataError, match="found nan"):
        electjax.districts.save(fit.assign(concentration=fit["concentration"] * np.nan), tmp_path / "fit.nc")
    with pytest.raises(ElectionDataError, match="'electjax booths'; expected one of: election"):
        electjax.districts.save(xr.Dataset(attrs={"conventions": "electjax booths"}), tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())
    assert conform(fit, CALIBRATION) is not fit


def test_what_was_estimated_comes_first():
    for verb in ("predict", "counterfactual", "check", "sensitivity", "identifiability", "to_inference_data"):
        parameters = list(inspect.signature(getattr(electjax.districts, verb)).parameters)
        assert parameters[0] == "fit", verb
        assert parameters[1:2] in ([], ["election"], ["prediction"], ["fractions"]), verb
