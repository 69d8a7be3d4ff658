"""Files of units that went wrong once: what they say is read, or refused, never something else in silence."""

from pathlib import Path

import pandas as pd
import pytest

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.notes import notes_of

CASES = Path(__file__).parents[1] / "cases"
SIDES = {"rows": ["white", "black"], "columns": ["X", "Y"], "kind": "groups"}


def test_01_a_total_is_no_unit(tmp_path):
    path = CASES / "01_total_row" / "units.csv"
    with pytest.warns(ElectionDataWarning, match="units.csv, row 14: 1 total rows left out, the first is 'Total'"):
        units = electjax.ecological.read(path, **SIDES)
    assert (units.sizes["unit"], units["row_margin"].sum()) == (12, 2585 + 2887)
    assert "1 total rows left out, the first is 'Total' (row 14)" in notes_of(units)
    assert electjax.ecological.read(path, **SIDES, totals="keep").sizes["unit"] == 13
    # without its name, arithmetic tells it
    bare = tmp_path / "bare.csv"
    bare.write_text(path.read_text().replace("Total", "u12"))
    with pytest.raises(ElectionDataError, match=r"bare.csv, row 14, unit 'u12' of 'all': it adds up the units above"):
        electjax.ecological.read(bare, **SIDES)
    with pytest.warns(ElectionDataWarning, match="row 14: 1 units that add up others are left out"):
        assert electjax.ecological.read(bare, **SIDES, totals="drop").equals(units)


@pytest.mark.parametrize("options", [{}, {"rescale": True}, {"rescale": True, "electors": "total"}])
@pytest.mark.parametrize("whole", [1, 100])
def test_02_shares_are_no_counts(tmp_path, options, whole):
    frame = pd.read_csv(CASES / "02_shares_rescale" / "shares.csv")
    frame[[*SIDES["rows"], *SIDES["columns"]]] *= whole
    frame.to_csv(tmp_path / "shares.csv", index=False)
    said = r"shares.csv: (shares|per cent): the rows of every unit add up to about 1.*; pass total='total', the column"
    with pytest.raises(ElectionDataError, match=said):
        electjax.ecological.read(tmp_path / "shares.csv", **SIDES, **options)


def test_02_shares_of_a_total_are_counts():
    path = CASES / "02_shares_rescale" / "shares.csv"
    frame = pd.read_csv(path)
    units = electjax.ecological.read(path, **SIDES, total="total")
    assert units["column"].values.tolist() == ["X", "Y", "others"]
    assert (units["row_margin"].sum("row") == frame["total"].values).all()
    exact = frame[["X", "Y"]].values * frame[["total"]].values
    assert (abs(units["column_margin"].values[:, :2] - exact) < 1).all()
    assert "columns leave 3 % of the total of a unit on average; that is the option 'others'" in notes_of(units)
    kept = electjax.ecological.read(path, **SIDES, total="total", rest="drop")
    assert kept["column"].values.tolist() == ["X", "Y"]
    assert abs(kept["column_margin"].sum() / frame["total"].sum() - 0.97) < 1e-3
    stayed = electjax.ecological.read(path, **SIDES, total="total", electors="total")
    assert stayed["column"].values.tolist() == ["X", "Y", "did not vote"]
    assert (stayed["column_margin"].values == units["column_margin"].values).all()


@pytest.mark.parametrize(("name", "units"), [("two_headers", ["u1", "u2"]), ("units_title", ["u1", "u2"])])
def test_09_what_is_above_the_header_is_no_header(name, units):
    found = electjax.ecological.read(CASES / "09_preamble" / f"{name}.csv", **SIDES)
    assert found["unit_name"].values.tolist() == units
    assert found["row_margin"].values.tolist() == [[100, 50], [80, 90]]
    assert found["column_margin"].values.tolist() == [[90, 60], [70, 100]]
    assert "row 1 is above the header" in notes_of(found)[0]


def test_17_a_unit_that_is_there_twice(tmp_path):
    path = CASES / "17_duplicate_rows" / "units.csv"
    with pytest.warns(
        ElectionDataWarning, match="units.csv, row 4: the row repeats row 2 word for word and is counted"
    ):
        units = electjax.ecological.read(path, **SIDES)
    assert units["unit_name"].values.tolist() == ["u1", "u2"]
    with pytest.warns(ElectionDataWarning, match="unit 'u1' is there twice, in rows 2 and 4, both are kept"):
        assert electjax.ecological.read(path, **SIDES, repeated="keep").sizes["unit"] == 3
    with pytest.raises(
        ElectionDataError, match="row 4: the row repeats row 2 word for word; expected rows that differ"
    ):
        electjax.ecological.read(path, **SIDES, repeated="refuse")
    other = tmp_path / "other.csv"
    other.write_text(path.read_text() + "u1,1,2,2,1\n")
    with pytest.warns(ElectionDataWarning, match="unit 'u1' is there twice, in rows 2 and 5, both are kept"):
        assert electjax.ecological.read(other, **SIDES)["unit_name"].values.tolist() == ["u1", "u2", "u1"]
