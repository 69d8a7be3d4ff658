"""Files of units that look right and are not: refused in one line, or read with a word, never otherwise in silence."""

import pandas as pd
import pytest

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.notes import notes_of
from tests.ecological.units_by_hand import written

SIDES = {"rows": ["white", "black"], "columns": ["dem", "rep"], "kind": "groups"}
COUNTS = pd.DataFrame(
    {
        "precinct": ["001", "01", "1", "2"],
        "white": [6, 10, 9, 7],
        "black": [4, 10, 1, 2],
        "dem": [5, 12, 2, 4],
        "rep": [5, 8, 8, 5],
    }
)


def read(source, **options):
    return electjax.ecological.read(source, **{**SIDES, **options})


def refused(source, match, **options):
    with pytest.raises(ElectionDataError, match=match) as caught:
        read(source, **options)
    assert "\n" not in str(caught.value)


def test_an_option_that_adds_up_the_others_is_none():
    frame = COUNTS.assign(tot=COUNTS["white"] + COUNTS["black"], cast=COUNTS["dem"] + COUNTS["rep"])
    both = {"rows": ["white", "black", "tot"], "columns": ["dem", "rep", "cast"]}
    refused(frame, "'tot' has in every unit as many votes as the other rows together; expected rows that are", **both)
    refused(frame, "'cast' has in every unit as many votes as the other columns", **both | {"rows": ["white", "tot"]})
    assert read(frame, **both, totals="keep").sizes["row"] == 3
    # of two units only where its name says so; a half of all voters in each unit may be one by chance
    refused(
        frame[:2].rename(columns={"tot": "Total"}), "'Total' has in", rows=["white", "black", "Total"], rescale=True
    )
    assert read(frame[:2], rows=["white", "black", "tot"], rescale=True).sizes["row"] == 3
    halves = COUNTS.assign(women=[5, 10, 5, 3], men=[4, 9, 5, 3], other=[1, 1, 0, 3])
    assert read(halves, rows=["women", "men", "other"]).sizes["row"] == 3


def test_columns_have_one_mark_before_decimals(tmp_path):
    text = "p;jung;alt;CDU;SPD\n001;1,400;0,600;1,000;1,000\n002;0,500;1,500;0,350;1,650\n"
    asked = {"rows": ["jung", "alt"], "columns": ["CDU", "SPD"]}
    path = written(tmp_path / "u.csv", text)
    refused(path, r"column 'SPD': '1,000' may be thousands or a decimal; .* pass thousands=", **asked)
    units = read(path, **asked, thousands="none")
    assert units["column_margin"].values.tolist() == [[1.0, 1.0], [0.35, 1.65]]
    whole = written(tmp_path / "v.csv", 'p,white,black,dem,rep\n1,1.5,"1,000",1,1000.5\n2,3,8,7,4\n')
    assert read(whole)["row_margin"].values.tolist() == [[1.5, 1000], [3, 8]]


@pytest.mark.parametrize("number", ["6e15", "99999999999999999999", "1e300"])
def test_more_voters_than_there_are(number):
    refused(COUNTS.assign(white=[number, "1", "1", "1"]), "row 0, column 'white': the number is too large|is too large")


def test_names_of_units_are_text(tmp_path):
    path = written(tmp_path / "u.csv", COUNTS.to_csv(index=False))
    assert read(path)["unit_name"].values.tolist() == ["001", "01", "1", "2"]


def test_what_both_matrices_say_of_a_unit_is_no_option(tmp_path):
    groups = COUNTS[["precinct", "white", "black"]].assign(fips=[1001, 1003, 1005, 1007])
    votes = COUNTS[["precinct", "dem", "rep"]].assign(fips=[1001, 1003, 1005, 1007])
    files = [tmp_path / "g.csv", tmp_path / "v.csv"]
    for frame, path in zip((groups, votes), files, strict=True):
        frame.drop(columns="precinct").to_csv(path)  # with the numbers of rows, as R does, too
    units = electjax.ecological.read(files[0], column_table=files[1])
    assert units["row"].values.tolist() == ["white", "black"]
    assert units["column"].values.tolist() == ["dem", "rep"]
    notes = [note for note in notes_of(units) if "are no options" in note]
    assert notes == ["columns of both tables or of row numbers are no options: column 1, fips"]
    # where units are in another order, too
    named = electjax.ecological.read((groups, votes.iloc[::-1]))
    assert named["row"].values.tolist() == ["white", "black"]
    # two elections whose parties have the same names are options of both
    before = votes.drop(columns="fips")
    again = electjax.ecological.read((before, before.assign(dem=[4, 11, 3, 5], rep=[6, 9, 7, 4])))
    assert again["row"].values.tolist() == again["column"].values.tolist() == ["dem", "rep"]
    assert again.attrs["rows"] == "votes"
    assert again["column_party"].values[0].tolist() == ["dem", "rep"]
