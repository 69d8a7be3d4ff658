"""Units and results: what the schemas refuse, what files keep, and units from plain arrays."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError
from electjax.ecological.schema import ESTIMATE, contest_index
from tests.ecological.by_hand import estimate_by_hand
from tests.ecological.units_by_hand import TRUTH, long_frame, written


def test_units_are_stored_and_selected(tmp_path):
    columns = pd.DataFrame({"candidate": ["Ann (Red)", "Cy"], "caste": ["OBC", "SC"], "age": [50, 40]})
    units = electjax.ecological.read(
        long_frame(), truth=written(tmp_path / "truth.csv", TRUTH), column_traits=columns, name="example"
    )
    back = electjax.ecological.read(electjax.ecological.save(units, tmp_path / "units.nc"))
    assert back.identical(units)
    assert electjax.ecological.validate(back).identical(back)
    south = electjax.ecological.select_contests(units, ["South"])
    assert dict(south.sizes) | {"axis": 1} == {
        "contest": 1, "unit": 1, "row": 2, "column": 2, "axis": 1, "column_variable": 1,
    }  # fmt: skip
    assert south["row"].values.tolist() == ["Red", "Green"]
    turned = electjax.ecological.select_contests(units, ["South", "North"])
    assert turned["unit_contest"].values.tolist() == ["South", "North", "North"]
    assert contest_index(turned).tolist() == [0, 1, 1]
    with pytest.raises(ElectionDataError, match=r"no contest 'Nort'.*did you mean North"):
        electjax.ecological.select_contests(units, ["Nort"])
    with pytest.raises(ElectionDataError, match="truth for units that are made"):
        electjax.ecological.read(units, truth=tmp_path / "truth.csv")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda u: u.drop_vars("row_margin"), "no 'row_margin'; expected row_margin"),
        (lambda u: u.assign(row_margin=u["row_margin"] * 2), "rows add up to 120, columns to 60"),
        (lambda u: u.assign(row_margin=-u["row_margin"]), "unit='North/n1', row='Red'.*found -40"),
        (lambda u: u.isel(contest=[0]), "unknown contest 'South' of unit 'South/s1'.*select_contests"),
        (lambda u: u.isel(unit=[0, 1]), "contest 'South' has no units"),
        (lambda u: u.assign_coords(unit=["a", "a", "b"]), "'a' is there twice"),
        (lambda u: u.assign_attrs(rows="people"), "attribute rows: found 'people'"),
        (lambda u: u.assign(truth=(("contest", "row", "column"), -np.ones((2, 3, 3)))), "truth: found -1 in 'North'"),
        (lambda u: u.assign_coords(row_name=u["row_name"].str.replace("OTHER", "")), "unit='North/n1', row=2.*padding"),
        (lambda u: u.assign_coords(row_name=u["row_name"].str.replace("Red", "")), "a blank before a name"),
        (lambda u: u.assign_coords(row_name=u["row_name"].str.replace("Red", "Blue")), "'Blue' is there twice"),
    ],
)
def test_broken_units_are_refused(change, match):
    with pytest.raises(ElectionDataError, match=match):
        electjax.ecological.validate(change(electjax.ecological.read(long_frame())))


def test_other_things_than_units_are_refused():
    with pytest.raises(ElectionDataError, match="found int"):
        electjax.ecological.validate(3)


@pytest.mark.parametrize(("whole", "said"), [(1.0, "shares"), (100.0, "per cent")])
def test_shares_are_no_counts(whole, said):
    frame = pd.DataFrame({"a": [0.305, 0.6], "b": [0.695, 0.4], "x": [0.25, 0.5], "y": [0.75, 0.5]}) * whole
    with pytest.raises(
        ElectionDataError, match=f"{said}: the rows of every unit add up to about {whole:g}; expected counts"
    ):
        electjax.ecological.read(frame, rows=["a", "b"], columns=["x", "y"])


# ------------------------------------------------------------------------------------ results and files


@pytest.fixture(scope="module")
def fit() -> xr.Dataset:
    return estimate_by_hand([np.array([[[30, 5], [4, 21]], [[8, 2], [1, 19]]])], ["Red", "Blue"])


@pytest.mark.parametrize("name", ["fit.nc", "fit.zarr"])
def test_every_kind_is_kept(fit, tmp_path, name):
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    back = electjax.ecological.load(electjax.ecological.save(fit, tmp_path / name))
    xr.testing.assert_identical(back, electjax.ecological.load(electjax.ecological.save(back, tmp_path / f"2{name}")))
    for variable in fit.variables:
        np.testing.assert_array_equal(back[variable].values, fit[variable].values)
    path = electjax.ecological.save(electjax.ecological.coverage(fit), tmp_path / "coverage.nc")
    assert electjax.ecological.load(path).attrs["conventions"] == "electjax coverage of cells"


def test_a_path_is_taken_wherever_an_estimate_is(fit, tmp_path):
    path = electjax.ecological.save(fit, tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(electjax.ecological.table(path), electjax.ecological.table(fit))
    assert electjax.ecological.coverage(str(path)).equals(electjax.ecological.coverage(fit))
    units = electjax.ecological.read(long_frame())
    kept = electjax.ecological.save(units, tmp_path / "units.nc")
    one = electjax.ecological.select_contests(kept, ["South"])
    assert one.equals(electjax.ecological.select_contests(units, ["South"]))
    with pytest.raises(ElectionDataError, match="this is 'electjax units'; expected one of: estimate"):
        electjax.ecological.table(kept)
    with pytest.raises(ElectionDataError, match="this is 'electjax estimate'; expected one of: units"):
        electjax.ecological.read(path)
    with pytest.raises(ElectionDataError, match=r"found int; expected the result of ecological\.estimate"):
        electjax.ecological.coverage(3)


def spoilt(fit: xr.Dataset, name: str) -> xr.Dataset:
    bad = fit.copy(deep=True)
    bad[name].values.flat[0] = np.nan
    return bad


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda fit: fit.drop_vars("cells"), "no 'cells'; expected cells"),
        (lambda fit: spoilt(fit, "cells"), r"cells\(contest='Contest 1', row='0', column='0'\): found nan"),
        (lambda fit: spoilt(fit, "share_low"), "share_low.*found nan"),
        (lambda fit: spoilt(fit, "draws"), "draws.*found nan"),
        (lambda fit: fit.drop_attrs().assign_attrs(rows="votes"), "no attribute 'method'"),
        (lambda fit: fit.assign_attrs(conventions="electjax booths"), "this is 'electjax booths'"),
    ],
)
def test_broken_estimates_are_refused_in_one_line(fit, tmp_path, change, match):
    path = tmp_path / "fit.nc"
    change(fit).to_netcdf(path, engine="h5netcdf")
    for call in (lambda: electjax.ecological.load(path), lambda: electjax.ecological.save(change(fit), path)):
        with pytest.raises(ElectionDataError, match=match) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused_in_one_line(fit, tmp_path):
    path = electjax.ecological.save(fit, tmp_path / "fit.nc")
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:600], b"nothing"):
        path.write_bytes(damaged)
        with pytest.raises(ElectionDataError, match=r"fit\.nc") as caught:
            electjax.ecological.load(path)
        assert "\n" not in str(caught.value)


def test_what_is_estimated_conforms():
    units = electjax.ecological.simulate(contests=2, units=6, rows=3, parties=3, seed=1)
    found = electjax.ecological.estimate(units, method="goodman")
    assert found.attrs["conventions"] == ESTIMATE.conventions
    assert {name for name in found.variables if "units" not in found[name].attrs} <= set(found.dims)


# ------------------------------------------------------------------------------------ plain arrays


def test_units_from_arrays_are_those_of_a_table():
    units = electjax.ecological.read(long_frame(), merge_below=0.0)
    truth = np.where(np.arange(2)[:, None, None] == 0, np.nan, 1.0)
    arrays = {side: units[f"{side}_margin"].values for side in ("row", "column")}
    made = electjax.ecological.dataset(
        arrays["row"],
        arrays["column"],
        contests=units["unit_contest"].values,
        units=units["unit_name"].values,
        rows=units["row_name"].values,
        columns=units["column_name"].values,
        row_parties=units["row_party"].values,
        column_parties=units["column_party"].values,
        kind="votes",
    )
    for name in ("row_margin", "column_margin", "row_name", "column_party", "unit", "unit_contest"):
        assert made[name].equals(units[name])
    assert made.attrs["rows"] == "votes"
    one = [[[1, 2], [3, 4]]]
    told = electjax.ecological.dataset([[3, 7]], [[4, 6]], unit_truth=one)
    assert told["truth"].values.tolist() == told["unit_truth"].values.tolist() == one
    assert told["row"].values.tolist() == ["row 1", "row 2"]
    assert np.isnan(truth).any()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"row_margin": [3, 7]}, r"dataset\(column_margin=\)|dataset\(row_margin=\): found an array of shape \(2,\)"),
        ({"rows": ["a"]}, r"dataset\(rows=\): found an array of shape \(1,\); expected shape \(1, 2\)"),
        ({"contests": ["a", "b"]}, r"dataset\(contests=\): found an array of shape \(2,\)"),
        ({"unit_truth": [[1, 2]]}, r"dataset\(unit_truth=\)"),
        ({"column_margin": [[4, 7]]}, "rows add up to 10, columns to 11"),
        ({"kind": "people"}, r"dataset\(kind=\): found 'people'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, match):
    given = {"row_margin": [[3, 7]], "column_margin": [[4, 6]]} | changes
    with pytest.raises(ElectionDataError, match=match):
        electjax.ecological.dataset(given.pop("row_margin"), given.pop("column_margin"), **given)
