"""Booths and results in files, checked when they are read; booths from plain arrays."""

import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.calm.schema import schemas
from electjax.data.errors import ElectionDataError

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate("tiny")


@pytest.fixture(scope="module")
def fit(booths):
    return electjax.calm.fit(booths, model="recommended", context=0)


def line(path):
    """The error of a file, which takes no time once the schemas are known."""
    schemas()
    begin = time.perf_counter()
    with pytest.raises(ElectionDataError) as caught:
        electjax.calm.load(path)
    assert time.perf_counter() - begin < 30
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(str(path))
    assert "expected" in said
    return said


@pytest.mark.parametrize("kind", ["booths", "fit", "prediction", "world"])
@pytest.mark.parametrize("end", ["nc", "zarr"])
def test_everything_comes_back_identically(kind, end, booths, fit, tmp_path):
    if end == "zarr":
        pytest.importorskip("zarr")
    made = {
        "booths": lambda: booths,
        "fit": lambda: fit,
        "prediction": lambda: electjax.calm.predict(fit, booths, draws=4),
        "world": lambda: electjax.calm.counterfactual(fit, booths, candidates={"C01": {"BJP": None}}, draws=4),
    }[kind]()
    path = electjax.calm.save(made, tmp_path / f"{kind}.{end}")
    xr.testing.assert_identical(electjax.calm.load(path), made)


def test_a_path_is_as_good_as_a_dataset(booths, fit, tmp_path):
    saved, folder = electjax.calm.save(fit, tmp_path / "fit.nc"), electjax.calm.write(booths, tmp_path / "booths")
    file = electjax.calm.save(booths, tmp_path / "booths.nc")
    wanted = electjax.calm.predict(fit, booths)
    for place in (folder, file):
        found = electjax.calm.predict(str(saved), place)
        np.testing.assert_allclose(found["constituency_votes"].sel(party=wanted["party"]), wanted["constituency_votes"])


def test_faults_of_saved_fits_are_one_line(fit, tmp_path):
    path = tmp_path / "fit.nc"
    fit.drop_vars("theta_value").to_netcdf(path, engine="h5netcdf")
    assert "no 'theta_value'; expected theta_value(theta)" in line(path)
    theta = fit["theta_value"].copy()
    theta[3] = np.nan
    fit.assign(theta_value=theta).to_netcdf(path, engine="h5netcdf")
    assert "theta_value(theta=" in line(path)
    fit.drop_vars("g_sd").to_netcdf(path, engine="h5netcdf")
    assert "no 'g_sd'" in line(path)
    for name, value in (("options", "{"), ("options", '{"lamda_b": 1}'), ("axes", "no")):
        fit.assign_attrs({name: value}).to_netcdf(path, engine="h5netcdf")
        with pytest.raises(ElectionDataError):
            electjax.calm.load(path)


@pytest.mark.parametrize(("name", "said"), [("calm_missing", "no 'theta_value'"), ("calm_nan", "theta_value(theta=")])
def test_fits_of_an_earlier_version_are_refused_in_one_line(name, said):
    assert said in line(CASES / f"{name}.nc")


def test_a_damaged_file_is_one_line(fit, tmp_path):
    whole = electjax.calm.save(fit, tmp_path / "fit.nc").read_bytes()
    path = tmp_path / "damaged.nc"
    for part in (whole[: len(whole) // 2], whole[:600], whole[:8] + bytes(len(whole) - 8)):
        path.write_bytes(part)
        assert "cannot be opened" in line(path)
    path.write_text("votes")
    assert "neither netCDF nor Zarr" in line(path)


def test_another_wings_dataset_is_refused(tmp_path):
    path = tmp_path / "other.nc"
    xr.Dataset({"x": 1}, attrs={"conventions": "electjax ballots"}).to_netcdf(path, engine="h5netcdf")
    assert "this is 'electjax ballots'" in line(path)


def test_booths_from_arrays():
    given = {
        "cell_size": [[60, 40], [30, 70]],
        "votes": [[40, 20], [10, 50]],
        "cell_category": [["Low"], ["High"]],
        "candidate_category": [[["Low"], ["High"]]],
        "booth_constituency": ["North", "North"],
        "parties": ["A", "B"],
        "axes": {"income": {"categories": ["Low", "High"]}},
    }
    found = electjax.calm.dataset(**given, covariates={"land": [1.0, 2.0]}, previous=[[0.5, 0.4], [np.nan, 0.2]])
    assert found["polled"].values.tolist() == [60, 60]
    assert found["fielded"].values.all()
    assert found["covariate_value"].sel(covariate="land").values.tolist() == [1, 2]
    assert found.attrs["conventions"] == "electjax booths"
    xr.testing.assert_identical(electjax.calm.validate(found), found)
    with pytest.raises(ElectionDataError, match=r"calm\.dataset: .*; expected arrays that go together"):
        electjax.calm.dataset(**given | {"parties": ["A"]})
    with pytest.raises(ElectionDataError, match=r"polled\(booth='1'\): found -1; expected a whole number, 0 or more"):
        electjax.calm.dataset(**given, polled=[-1, 60])
