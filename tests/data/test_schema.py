"""Schemas and files: what `conform` refuses and completes, and what `save` and `load` keep."""

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax import ElectionDataError
from electjax.data import store
from electjax.data.schema import Schema, Variable, conform, schema_of

SCHEMA = Schema(
    "sheep",
    {
        "wool": Variable(("farm", "year"), "count", "wool sheared", "kg", required=True),
        "share": Variable(("farm",), "share", "share of black sheep"),
        "weight": Variable((("farm",), ("farm", "year")), "number", "mean weight", "kg", finite=True),
        "owner": Variable(("farm",), "label", "who owns it", coord=True),
        "fenced": Variable(("farm",), "flag", "whether there is a fence"),
    },
    build="sheep.read",
    attrs={"country": "where"},
    needs=("country",),
)


def sheep(**changes) -> xr.Dataset:
    found = {
        "wool": (("year", "farm"), np.array([[3, 4], [5, 6], [7, 8]])),
        "share": ("farm", [0.0, 0.5]),
        "owner": ("farm", ["A", "B"]),
        "fenced": ("farm", [True, False]),
    }
    ds = xr.Dataset(found | changes, coords={"farm": ["Hill", "Dale"]}, attrs={"country": "here", "name": "flock"})
    return ds.drop_vars([name for name, value in changes.items() if value is None])


def test_dims_units_and_coordinates_follow_the_schema():
    given = sheep()
    ds = conform(given, SCHEMA)
    assert ds["wool"].dims == ("farm", "year")
    assert ds["wool"].attrs == {"long_name": "wool sheared", "units": "kg"}
    assert "owner" in ds.coords
    assert ds.attrs["conventions"] == "electjax sheep"
    assert given["wool"].dims == ("year", "farm")  # the argument stays as it is


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wool": ("farm", [1, 2])}, "wool has dims ('farm',); expected ('farm', 'year')"),
        ({"wool": (("year", "farm"), [[1, -2]])}, "wool(farm='Dale', year=0): found -2; expected a whole number"),
        ({"wool": (("year", "farm"), [[1.5, 2]])}, "found 1.5; expected a whole number, 0 or more"),
        ({"wool": (("year", "farm"), [["a", "b"]])}, "found 'a'"),
        ({"share": ("farm", [0.5, 1.5])}, "share(farm='Dale'): found 1.5; expected a number from 0 to 1"),
        ({"weight": ("farm", [1.0, np.nan])}, "weight(farm='Dale'): found nan; expected a number"),
        ({"owner": ("farm", [1, 2])}, "found 1; expected text"),
        ({"fenced": ("farm", [0, 2])}, "fenced(farm='Dale'): found 2; expected true or false"),
    ],
)
def test_a_broken_variable_ends_in_one_line(changes, said):
    with pytest.raises(ElectionDataError) as caught:
        conform(sheep(**changes), SCHEMA)
    assert said in str(caught.value)
    assert str(caught.value).startswith("sheep 'flock'")
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named():
    with pytest.raises(ElectionDataError, match=r"no 'wool'; expected wool\(farm, year\); build it with sheep.read"):
        conform(sheep().drop_vars("wool"), SCHEMA)
    bare = sheep()
    del bare.attrs["country"]
    with pytest.raises(ElectionDataError, match="no attribute 'country'"):
        conform(bare, SCHEMA)
    with pytest.raises(ElectionDataError, match="found dict; expected an xarray Dataset of sheep"):
        conform({}, SCHEMA)


@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_a_file_gives_back_what_was_written(tmp_path, ending):
    ds = conform(sheep(), SCHEMA)
    path = store.save(sheep(), tmp_path / f"flock.{ending}", [SCHEMA])
    xr.testing.assert_identical(store.load(path, [SCHEMA]), ds)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_files_that_are_none_of_ours_are_refused_in_one_line(tmp_path):
    path = store.save(sheep(), tmp_path / "flock.nc", [SCHEMA])
    whole = path.read_bytes()
    other = Schema("goats", {}, build="goats.read")
    cases = {"damaged.nc": whole[: len(whole) // 2], "text.nc": b"farm,wool\n", "empty.nc": b""}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ElectionDataError) as caught:
            store.load(tmp_path / name, [SCHEMA])
        assert "\n" not in str(caught.value)
    with pytest.raises(ElectionDataError, match="this is 'electjax sheep'; expected one of: goats"):
        store.load(path, [other])
    with pytest.raises(ElectionDataError, match="no such file"):
        store.load(tmp_path / "nowhere.nc", [SCHEMA])
    with pytest.raises(ElectionDataError, match="no folder"):
        store.save(sheep(), tmp_path / "nowhere" / "flock.nc", [SCHEMA])


def test_a_kind_is_told_by_its_conventions_or_by_what_is_required():
    assert schema_of(sheep(), [SCHEMA]) is SCHEMA
    assert schema_of(sheep().assign_attrs(conventions="electjax goats"), [SCHEMA]) is None
    assert schema_of(xr.Dataset(), [SCHEMA]) is None


@pytest.mark.parametrize("case", ["calm_missing", "calm_nan"])
def test_a_spoilt_fit_is_refused(case, tmp_path):
    booths = electjax.calm.simulate("tiny")
    fit = electjax.calm.fit(booths, max_steps=2, errors="none")
    spoilt = fit.drop_vars("theta_value") if case == "calm_missing" else fit.copy(deep=True)
    if case == "calm_nan":
        spoilt["theta_value"][0] = np.nan
    spoilt.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    said = "no 'theta_value'" if case == "calm_missing" else "theta_value.*found nan"
    for load in (electjax.load, electjax.calm.load):
        with pytest.raises(ElectionDataError, match=said):
            load(tmp_path / "fit.nc")
