"""Covariates and areas of units: kept beside the margins from any layout, checked, and said not to be used yet."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.notes import notes_of
from tests.ecological.units_by_hand import SIDES, WIDE, long_frame, written

KNOWN = WIDE.assign(
    precinct=["a", "b", "c"], county=["X", "Y", "X"], income=[1.5, -2.0, 3.0], college=["12%", "30 %", "8.5%"]
)
ASKED = {**SIDES, "covariates": ["income", "college"], "area": "county"}
KEPT = "covariates of units (income, college) and areas (county, 2 of them) are kept"
SAID = f"{KEPT}; ecological.estimate does not use them yet"


def read(frame, **options):
    return electjax.ecological.read(frame, **{**ASKED, **options})


def test_covariates_and_areas_are_kept_beside_the_margins(tmp_path):
    units = read(KNOWN)
    assert units["unit_covariate"].dims == ("unit", "unit_variable")
    assert units["unit_variable"].values.tolist() == ["income", "college"]
    assert units["unit_covariate"].values.tolist() == [[1.5, 0.12], [-2.0, 0.30], [3.0, 0.085]]
    assert units["unit_area"].values.tolist() == ["X", "Y", "X"]
    assert SAID in notes_of(units)
    assert not any("county" in note and "contest=" in note for note in notes_of(units))
    plain = electjax.ecological.read(KNOWN, **SIDES)
    assert units.drop_vars(["unit_covariate", "unit_variable", "unit_area"]).equals(plain)
    path = written(tmp_path / "u.csv", KNOWN.to_csv(index=False))
    assert read(path)["unit_covariate"].equals(units["unit_covariate"])
    for file in ("u.nc", "u.zarr"):
        assert electjax.load(electjax.save(units, tmp_path / file)).identical(units)


def test_they_follow_their_units_into_contests_and_out_of_empty_ones():
    frame = pd.concat([KNOWN, KNOWN.assign(income=KNOWN["income"] + 10, county="Z")], ignore_index=True)
    frame = frame.assign(district=["s", "n", "s", "n", "s", "n"])
    frame.loc[4, ["old", "young", "dem", "rep"]] = 0
    units = read(frame)
    assert units["unit_contest"].values.tolist() == ["s", "s", "n", "n", "n"]
    assert units["unit_covariate"].values[:, 0].tolist() == [1.5, 3.0, -2.0, 11.5, 13.0]
    assert units["unit_area"].values.tolist() == ["X", "X", "Y", "Z", "Z"]
    north = electjax.ecological.select_contests(units, ["n"])
    assert north["unit_covariate"].values[:, 0].tolist() == [-2.0, 11.5, 13.0]
    assert north["unit_area"].values.tolist() == ["Y", "Z", "Z"]


def test_a_long_table_repeats_them_on_each_row():
    frame = long_frame().assign(income=lambda f: f["unit"].map({"n1": 1, "n2": 2.5, "s1": None, "s2": 4}))
    frame["county"] = frame["unit"].map({"n1": "X", "n2": "Y", "s1": "Y", "s2": "Y"})
    units = electjax.ecological.read(frame, covariates=["income"], area="county")
    np.testing.assert_array_equal(units["unit_covariate"].values[:, 0], [1, 2.5, np.nan])
    assert units["unit_area"].values.tolist() == ["X", "Y", "Y"]
    assert "income is unknown in 1 of 4 units" in notes_of(units)
    frame.loc[5, ["income", "county"]] = [7, "Z"]
    with pytest.raises(ElectionDataError, match=r"row 5, column 'income': 7 here and 2.5 in row 1; expected one value"):
        electjax.ecological.read(frame, covariates=["income"])
    with pytest.raises(ElectionDataError, match=r"row 5, column 'county': 'Z' here and 'Y' in row 1"):
        electjax.ecological.read(frame, area="county")


def test_two_matrices_have_them_in_either():
    names = ["precinct", "county", "old", "young", "income"]
    groups, votes = KNOWN[names], KNOWN[["precinct", "dem", "rep", "college"]]
    units = electjax.ecological.read((groups, votes[::-1]), covariates=["income", "college"], area="county")
    assert units.sizes["row"] == units.sizes["column"] == 2
    assert units["unit_covariate"].equals(read(KNOWN)["unit_covariate"])
    assert units["unit_area"].values.tolist() == ["X", "Y", "X"]


@pytest.mark.parametrize(
    ("change", "options", "match"),
    [
        ({"income": ["1", "Not a number", "2"]}, {}, "row 1, column 'income': 'Not a number' is not a number"),
        ({"income": ["1", "<10", "2"]}, {}, "row 1, column 'income': '<10' is a suppressed number"),
        ({"income": ["", "", ""]}, {}, "column 'income': no number; expected a covariate"),
        ({"income": ["1e400", "1", "1"]}, {}, "'1e400' is too large"),
        ({"county": ["X", "", "Y"]}, {}, "row 1, column 'county': the cell is blank; expected a label of the area"),
        ({}, {"covariates": ["incomes"]}, "covariates: no column 'incomes'.*did you mean income"),
        ({}, {"covariates": ["income", "Income"]}, "covariates: 'income' is named twice"),
        ({}, {"area": "state"}, "area: no column 'state'"),
        ({}, {"covariates": "income"}, r"read\(covariates=\): found 'income'; expected a list"),
    ],
)
def test_what_is_no_covariate_is_refused(change, options, match):
    with pytest.raises(ElectionDataError, match=match) as caught:
        read(KNOWN.assign(**change), **options)
    assert "\n" not in str(caught.value)


def test_columns_of_numbers_that_nobody_asked_for_are_named():
    units = electjax.ecological.read(KNOWN.assign(density=7, total=50), **SIDES)
    assert "unit_covariate" not in units
    assert "unit_area" not in units.coords
    said = "columns not used: od, or, yd, yr, county, income, college, density, total; covariates=[od, or, yd, yr, ...]"
    assert any(note.startswith(said) for note in notes_of(units))


def test_arrays_with_covariates():
    margins = (WIDE[["old", "young"]].values, WIDE[["dem", "rep"]].values)
    given = {"covariates": {"income": [1, 2, np.nan]}, "areas": ["X", "Y", "X"]}
    units = electjax.ecological.dataset(*margins, **given)
    np.testing.assert_array_equal(units["unit_covariate"].values, [[1], [2], [np.nan]])
    assert notes_of(units) == [
        "covariates of units (income) and areas (2 of them) are kept; ecological.estimate does not use them yet",
        "income is unknown in 1 of 3 units",
    ]
    frame = pd.DataFrame({"income": [1.0, 2.0, 3.0], "age": [40, 50, 60]})
    assert electjax.ecological.dataset(*margins, covariates=frame)["unit_covariate"].shape == (3, 2)
    for wrong, match in (
        ({"covariates": {"income": [1, 2]}}, r"covariates\['income'\]=\): found an array of shape \(2,\)"),
        ({"covariates": [1, 2, 3]}, "found list; expected {name: numbers of units}"),
        ({"covariates": {"income": ["a", "b", "c"]}}, "expected {name: numbers of units}"),
        ({"areas": ["X"]}, r"dataset\(areas=\): found an array of shape"),
        ({"areas": ["X", "", "Y"]}, "unit_area.*expected a label of each unit's area"),
        ({"covariates": {"income": [1, 2, np.inf]}}, "unit_covariate.*found inf; expected a number, or NaN"),
    ):
        with pytest.raises(ElectionDataError, match=match):
            electjax.ecological.dataset(*margins, **wrong)


def test_a_dataset_is_checked():
    units = read(KNOWN)
    assert electjax.ecological.validate(units).identical(units)
    bare = units.drop_vars("unit_variable")
    with pytest.raises(ElectionDataError, match="unit_variable: no names; expected names of covariates"):
        electjax.ecological.validate(bare)
    turned = units.transpose()
    assert electjax.ecological.validate(turned).identical(units)


def test_an_estimate_says_that_it_does_not_use_them():
    fit = electjax.ecological.estimate(read(KNOWN), method="independence")
    assert SAID in notes_of(fit)
    assert "unit_covariate" not in fit
    assert "unit_variable" not in fit.coords
    assert fit["unit_area"].values.tolist() == ["X", "Y", "X"]
    assert isinstance(electjax.ecological.validate(read(KNOWN)), xr.Dataset)


def test_describe_shows_them(tmp_path):
    said = electjax.describe(written(tmp_path / "u.csv", KNOWN.to_csv(index=False)), **ASKED)
    assert (said.kind, said.error) == ("units", "")
    assert (said.facts["covariates"], said.facts["areas"]) == ("income, college", 2)
    assert "'data.covariates=[income, college]' data.area=county" in said.command
    assert SAID in said.notes
    saved = electjax.describe(electjax.save(read(KNOWN), tmp_path / "u.nc"))
    assert saved.facts == said.facts


def test_a_template_has_them(tmp_path):
    path = electjax.template("units", tmp_path / "mine") / "units.csv"
    asked = {"rows": ["old", "young"], "columns": ["blue", "red"], "covariates": ["income"], "area": "county"}
    units = electjax.ecological.read(path, **asked)
    assert sorted(set(units["unit_area"].values.tolist())) == ["East", "West"]
    assert np.isnan(units["unit_covariate"].values).sum() == 1
    assert electjax.describe(path, **asked).facts["areas"] == 2
