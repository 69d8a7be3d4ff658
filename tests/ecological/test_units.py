"""Units: long and wide tables read as they stand, truth joined, small options merged, every fault in one line."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.notes import notes_of
from electjax.ecological.readers.sides import parties_of
from tests.ecological.units_by_hand import CELLS, SIDES, SOUTH_COLUMNS, TRUTH, WIDE, long_frame, written


def test_a_long_table_becomes_units_with_small_options_merged(tmp_path):
    units = electjax.ecological.read(long_frame(), truth=written(tmp_path / "truth.csv", TRUTH))
    assert units["unit"].values.tolist() == ["North/n1", "North/n2", "South/s1"]
    assert units["unit_contest"].values.tolist() == ["North", "North", "South"]
    assert units["row_name"].values.tolist() == [["Red", "Blue", "OTHER"], ["Red", "Green", ""]]
    assert units["row_margin"].values.tolist() == [[40, 17, 3], [20, 20, 0], [5, 4, 0]]
    assert units["row_party"].values.tolist() == [["Red", "Blue", "OTHER"], ["Red", "Green", ""]]
    # one small option stays by itself
    assert units["column_name"].values.tolist() == [["Ann (Red)", "Bob (Blue (Old))", "Cy"], [*SOUTH_COLUMNS, ""]]
    assert units["column_party"].values.tolist() == [["Red", "Blue (Old)", ""], ["Green", "Red", ""]]
    assert units["column_margin"].values.tolist() == [[35, 25, 0], [20, 18, 2], [3, 6, 0]]
    assert units["row_margin"].dtype == np.int64
    assert units.attrs["rows"] == "votes"
    # names of South agree and its rows are in another order; those of North do not, and are in the same order
    assert units["truth"].values.tolist() == [[[50, 10, 0], [4, 32, 1], [1, 1, 1]], [[1, 4, 0], [2, 2, 0], [0, 0, 0]]]
    notes = " | ".join(notes_of(units))
    assert "1 empty units" in notes
    assert "truth of 'North' has other columns than its units: 2 of 100" not in notes
    assert "2 times by name, 2 times in order" in notes


def test_files_and_frames_and_numbered_contests_are_the_same(tmp_path):
    frame = long_frame()
    plain = electjax.ecological.read(frame, name="a")
    text = frame.to_csv(index=False)
    packed = tmp_path / "units.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    numbered = frame.rename(columns={"contest": "district", "unit": "Booth", "votes": "N"})
    numbered.insert(0, "district_no", numbered["district"].map({"North": 7, "South": 3}).astype(float))
    for other in (packed, written(tmp_path / "semi.csv", text.replace(",", ";")), numbered, frame.sample(frac=1.0)):
        found = electjax.ecological.read(other, name="a")
        assert sorted(found["unit"].values.tolist()) == sorted(plain["unit"].values.tolist())
        if not isinstance(other, pd.DataFrame) or "district_no" in other:
            assert found.assign_attrs(source="", notes="").identical(plain.assign_attrs(source="", notes=""))
            assert ("column 'district' is the contest" in said(found)) == isinstance(other, pd.DataFrame)
    # two contests of one name are told apart by their numbers
    numbered["district"] = "Mid"
    assert electjax.ecological.read(numbered)["contest"].values.tolist() == ["7 Mid", "3 Mid"]


def test_latin_letters_and_commas_in_names(tmp_path):
    frame = long_frame().assign(unit_name="Café, School")
    (tmp_path / "u.csv").write_bytes(frame.to_csv(index=False).encode("latin-1"))
    units = electjax.ecological.read(tmp_path / "u.csv")
    assert units["unit_name"].values.tolist() == ["Café, School"] * 3
    assert units["unit"].values.tolist() == ["North/Café, School", "North/Café, School (2)", "South/Café, School"]


def test_names_over_two_lines(tmp_path):
    text = long_frame().assign(unit_name="Town, the\nSchool").to_csv(index=False)
    assert (
        electjax.ecological.read(written(tmp_path / "u.csv", text))["unit_name"].values.tolist()
        == ["Town, the School"] * 3
    )


def test_the_side_of_rows():
    frame = long_frame()
    assert (
        electjax.ecological.read(frame.iloc[::-1])["row_name"].values[0, 0] == "Green"
    )  # party is rows, though it comes last
    turned = electjax.ecological.read(frame, rows="candidate")
    assert turned["row_party"].values[0].tolist() == ["Red", "Blue (Old)", ""]
    assert turned.attrs["rows"] == "votes"
    groups = electjax.ecological.read(frame.replace({"side": {"party": "group", "candidate": "party"}}))
    assert groups.attrs["rows"] == "groups"
    assert groups["row_party"].values[0].tolist() == ["", "", "OTHER"]
    assert parties_of(["A (B)", "C"], side="party") == ["B", "C"]


def test_a_wide_table_with_the_truth_of_its_units():
    units = electjax.ecological.read(WIDE, **SIDES, truth=CELLS)
    nested = {"old": {"dem": "od", "rep": "or"}, "young": {"dem": "yd", "rep": "yr"}}
    assert electjax.ecological.read(WIDE, **SIDES, truth=nested).identical(units)
    assert units["unit"].values.tolist() == ["all/a", "all/b", "all/a (2)"]
    assert units["row"].values.tolist() == ["old", "young"]
    assert units["unit_truth"].values[1].tolist() == [[5, 5], [15, 25]]
    assert units["truth"].values.tolist() == [[[17, 28], [32, 33]]]
    assert units.attrs["rows"] == "groups"
    assert (units["column_party"].values == ["dem", "rep"]).all()
    several = electjax.ecological.read(
        WIDE.assign(county=["x", "y", "x"]), contest="county", unit="precinct", **SIDES, truth=CELLS
    )
    assert several["unit"].values.tolist() == ["x/a", "x/a (2)", "y/b"]
    assert several["truth"].values.tolist() == [[[12, 23], [17, 8]], [[5, 5], [15, 25]]]


def test_numbers_that_are_not_whole():
    units = electjax.ecological.read(WIDE.assign(old=WIDE["old"] + 0.25, young=WIDE["young"] - 0.25), **SIDES)
    assert units["row_margin"].dtype == units["column_margin"].dtype == np.float64
    assert units["row_margin"].values[0].tolist() == [30.25, 19.75]


def test_electors_who_did_not_vote():
    electors = WIDE.assign(old=WIDE["old"] + 8, young=WIDE["young"] + 2, roll=WIDE["dem"] + WIDE["rep"] + 10)
    units = electjax.ecological.read(electors, **SIDES, electors="roll")
    assert units["column"].values.tolist() == ["dem", "rep", "did not vote"]
    assert units["column_margin"].values.tolist() == [[25, 25, 10], [20, 30, 10], [4, 6, 10]]
    assert units["column_party"].values[0].tolist() == ["dem", "rep", ""]
    with_truth = electjax.ecological.read(electors, **SIDES, electors="roll", truth=CELLS)
    assert with_truth["unit_truth"].values[0].tolist() == [[10, 20, 8], [15, 5, 2]]
    # two elections: both leave some electors out, and are scaled to none
    both = electjax.ecological.read(WIDE.assign(old=WIDE["old"] + 1, roll=100), **SIDES, electors="roll", kind="votes")
    assert both["row_margin"].values[0].tolist() == [31, 20, 49]
    assert both["column_margin"].values[0].tolist() == [25, 25, 50]
    # abstention is no small option, and no votes: 5 of 100 are merged below 6 % though few voted
    few = pd.DataFrame({"g": [500, 600], "a": [90, 180], "b": [5, 10], "c": [5, 10], "roll": [500, 600]})
    merged = electjax.ecological.read(few, rows=["g"], columns=["a", "b", "c"], electors="roll", merge_below=0.06)
    assert merged["column"].values.tolist() == ["a", "did not vote", "OTHER"]
    kept = electjax.ecological.read(few, rows=["g"], columns=["a", "b", "c"], electors="roll", merge_below=0.04)
    assert kept["column"].values.tolist() == ["a", "b", "c", "did not vote"]


def test_electors_that_say_nothing_are_refused():
    with pytest.raises(ElectionDataError, match="the same totals without electors"):
        electjax.ecological.read(WIDE.assign(roll=100), **SIDES, electors="roll", kind="votes")
    with pytest.raises(ElectionDataError, match="rows add up to 50, electors are 100"):
        electjax.ecological.read(WIDE.assign(roll=100), **SIDES, electors="roll")
    with pytest.warns(ElectionDataWarning, match="the rows of 3 of 3 units are scaled .* by up to 900 %"):
        scaled = electjax.ecological.read(WIDE.assign(roll=100), **SIDES, electors="roll", rescale=True)
    assert scaled["row_margin"].values.tolist() == [[60, 40], [20, 80], [50, 50]]
    named = WIDE.rename(columns={"rep": "did not vote"}).assign(roll=WIDE["dem"] + WIDE["rep"])
    with pytest.raises(ElectionDataError, match="an option 'did not vote' and electors"):
        electjax.ecological.read(named, rows=["old", "young"], columns=["dem", "did not vote"], electors="roll")


def test_electors_in_a_long_table():
    frame = long_frame().assign(roll=lambda f: f["unit"].map({"n1": 80, "n2": 60, "s1": 10, "s2": 3}))
    frame.loc[(frame["side"] == "party") & (frame["option"] == "Red"), "votes"] += 1  # another total than candidates
    units = electjax.ecological.read(frame, electors="roll")
    assert units["row_name"].values[1].tolist() == ["Red", "Green", "did not vote", ""]
    assert units["row_margin"].sum("row").values.tolist() == [80, 60, 10, 3]
    assert units["column_margin"].sum("column").values.tolist() == [80, 60, 10, 3]


def test_rows_are_scaled_only_when_asked():
    frame = WIDE.assign(old=WIDE["old"] * 2, young=WIDE["young"] * 2)
    with pytest.warns(ElectionDataWarning, match=r"scaled .* by up to 50 % \(unit 'a' of 'all'\)"):
        units = electjax.ecological.read(frame, **SIDES, rescale=True)
    assert np.allclose(units["row_margin"].values, WIDE[["old", "young"]].values, rtol=1e-12)
    assert "the rows of 3 of 3 units are scaled" in " ".join(notes_of(units))
    with pytest.raises(ElectionDataError, match="row 0, unit 'a' of 'all': rows add up to 100, columns to 50"):
        electjax.ecological.read(frame, **SIDES)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("North,n1,party,Red,40", "North,n1,party,Red,4x", "u.csv, row 2, column 'votes': '4x' is not a number"),
        ("North,n1,party,Red,40", "North,n1,party,Red,-4", "u.csv, row 2, column 'votes': '-4' is less than 0"),
        ("North,n1,party,Red,40", "North,n1,party,Red,", "u.csv, row 2, column 'votes': the cell is blank"),
        ("North,n1,party,Red,40", "North,n1,party,Red,41", "row 2, unit 'n1' of 'North': rows add up to 61"),
        ("North,n1,party,Red,40", "North,,party,Red,40", "row 2, column 'unit': the cell is blank"),
        ("North,n2,party,Red,20", "North,n1,party,Red,20", "row 2, unit 'n1' of 'North': rows add up to 80"),
        ("North,n1,party,Red,40", "North,n1,list,Red,40", "sides list, party, candidate; expected two sides"),
        ("contest,unit,side", "contest,place,side", "row 1, column 'unit': the header has no column for the unit"),
        ("unit,side,option", "unit,sides,option", "row 1: no column for side as .*side="),
        ("North,n1,party,Red,40", "North,n1,party,Red", "row 2: 4 cells; expected 5"),
    ],
)
def test_faults_of_a_long_file_are_named(tmp_path, old, new, match):
    text = long_frame().to_csv(index=False)
    assert old in text
    with pytest.raises(ElectionDataError, match=match) as caught:
        electjax.ecological.read(written(tmp_path / "u.csv", text.replace(old, new, 1)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"rows": ["old", "yung"]}, "DataFrame, rows: no column 'yung'.*did you mean young"),
        ({"rows": "old"}, "no column for side and option and votes .* no list rows="),
        ({"rows": []}, "no rows or no columns"),
        ({"columns": ["dem", "old"]}, "'old' is named twice"),
        ({"truth": {("old", "dem"): "od"}}, r"no cell \(old, rep\)"),
        ({"truth": CELLS | {("old", "oth"): "or"}}, "of no row or column"),
        ({"truth": CELLS | {("old", "dem"): "odd"}}, "truth: no column 'odd'"),
        ({"electors": "roll"}, "electors: no column 'roll'"),
        ({"electors": "dem"}, "votes add up to 50, electors are 25"),
        ({"merge_below": 3}, r"ecological.read\(merge_below=\): found 3"),
        ({"kind": "people"}, r"ecological.read\(kind=\): found 'people'"),
        ({"contest": "county"}, "contest: no column 'county'"),
    ],
)
def test_faults_of_a_wide_table_are_named(changes, match):
    with pytest.raises(ElectionDataError, match=match):
        electjax.ecological.read(WIDE, **{**SIDES, **changes})


def test_options_of_one_name_are_one(tmp_path):
    frame = long_frame()
    same = {"Bob (Blue (Old))": "Independent", "Cy": "Independent"}
    units = electjax.ecological.read(frame.replace({"option": same}))
    plain = electjax.ecological.read(frame)
    own = units["column_margin"].sel(unit=["North/n1", "North/n2"]).values
    assert (np.sort(own[:, :2]) == np.sort([[35, 25], [20, 20]])).all()
    assert plain["column_margin"].values.sum() == units["column_margin"].values.sum()
    assert "options of one name are added up" in " ".join(notes_of(units))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ElectionDataError, match="no such file"):
        electjax.ecological.read(tmp_path / "none.csv")


@given(seed=st.integers(0, 10_000), below=st.sampled_from([0.0, 0.03, 0.1, 0.3]))
@settings(max_examples=25, deadline=None)
def test_merging_keeps_totals_and_touches_small_options_only(seed, below):
    rng = np.random.default_rng(seed)
    tables = rng.integers(0, 30, (6, 5, 4)) * (rng.uniform(size=(1, 5, 1)) ** 2 > 0.1)
    tables = np.round(tables * rng.dirichlet(np.ones(5))[None, :, None] * 5).astype(int)
    tables[0, 0, 0] += 1
    frame = pd.DataFrame({f"r{i}": tables[:, i].sum(axis=1) for i in range(5)})
    frame = frame.assign(**{f"c{j}": tables[:, :, j].sum(axis=1) for j in range(4)})
    frame = frame.assign(**{f"r{i}c{j}": tables[:, i, j] for i in range(5) for j in range(4)})
    cells = {(f"r{i}", f"c{j}"): f"r{i}c{j}" for i in range(5) for j in range(4)}
    rows, columns = [f"r{i}" for i in range(5)], [f"c{j}" for j in range(4)]
    units = electjax.ecological.read(frame, rows=rows, columns=columns, truth=cells, merge_below=below)
    for side, names, axis in (("row", rows, 1), ("column", columns, 2)):
        totals = frame[names].sum()
        share = totals / totals.sum()
        small = [name for name in names if 0 < share[name] < below]
        expected = [name for name in names if share[name] > 0 and (len(small) < 2 or name not in small)]
        assert units[side].values.tolist() == expected + ["OTHER"] * (len(small) > 1)
        kept = frame[(frame[names].sum(axis=1) > 0)]
        assert (units[f"{side}_margin"].sum(side).values == kept[names].sum(axis=1).values).all()
        assert (units[f"{side}_margin"].values == units["unit_truth"].values.sum(axis=3 - axis)).all()
    assert (units["truth"].values[0] == units["unit_truth"].values.sum(axis=0)).all()


def said(units) -> str:
    return " | ".join(notes_of(units))


def test_districts_under_an_unknown_header_are_not_added_up():
    frame = long_frame().rename(columns={"contest": "province"}).replace({"unit": {"s1": "n1", "s2": "n2"}})
    with pytest.raises(ElectionDataError, match=r"no column for the contest.*pass contest=, one of province") as caught:
        electjax.ecological.read(frame)
    assert "\n" not in str(caught.value)
    expected = electjax.ecological.read(long_frame())["row_margin"].values.tolist()
    assert electjax.ecological.read(frame, contest="province")["row_margin"].values.tolist() == expected
    alone = electjax.ecological.read(frame[frame["province"] == "North"])
    assert "all units are one contest; contest= if province names theirs" in said(alone)
    assert "all units are one contest" in said(electjax.ecological.read(WIDE, **SIDES))
    assert "contest= if county names" in said(electjax.ecological.read(WIDE.assign(county="x"), **SIDES))
    assert "one contest" not in said(electjax.ecological.read(WIDE.assign(county="x"), **SIDES, contest="county"))


def test_columns_that_are_called_otherwise_can_be_named():
    names = {"side": "paper", "option": "item", "votes": "total"}
    frame = long_frame().rename(columns=names)
    named = electjax.ecological.read(frame, **names)
    assert named.assign_attrs(source="").identical(electjax.ecological.read(long_frame()).assign_attrs(source=""))
    with pytest.raises(ElectionDataError, match="no column for option and votes as the long format has"):
        electjax.ecological.read(frame, side="paper")
    with pytest.raises(ElectionDataError, match=r"option: no column 'items'.*did you mean item"):
        electjax.ecological.read(frame, **{**names, "option": "items"})
    with pytest.raises(ElectionDataError, match="side: a column of long tables"):
        electjax.ecological.read(WIDE, **SIDES, side="dem")


@pytest.mark.parametrize(
    ("rows", "columns", "kind"),
    [
        ("Zweitstimme", "Erststimme", "votes"),
        ("PR", "SMD", "votes"),
        ("second vote", "first vote", "votes"),
        ("2016", "2020", "votes"),
        ("first round", "second round", "votes"),
        ("ethnicity", "party", "groups"),
        ("here", "there", "votes"),  # its options are called like the parties of the other side
    ],
)
def test_sides_are_told_by_words_and_by_names(rows, columns, kind):
    frame = long_frame().replace({"side": {"party": rows, "candidate": columns}})
    unknown = rows == "here"
    units = electjax.ecological.read(frame if unknown else frame.iloc[::-1])
    assert "Red" in units["row_name"].values[0]
    assert units.attrs["rows"] == kind
    assert ("taken as groups of people; kind='votes'" in said(units)) == (kind == "groups")
    assert ("side 'here' is taken as rows" in said(units)) == unknown


def test_rows_with_names_of_their_own_are_noted_as_groups():
    people = long_frame().replace(
        {"side": {"party": "kind"}, "option": {"Red": "young", "Blue": "old", "Green": "new"}}
    )
    units = electjax.ecological.read(people)
    assert units.attrs["rows"] == "groups"
    assert "rows are side 'kind', taken as groups of people" in said(units)
    assert "groups of people" not in said(electjax.ecological.read(people, kind="groups"))


def test_encodings(tmp_path):
    frame = long_frame().assign(unit_name="Café – Žďár")
    for codec, name, note in (
        ("utf-8", "Café – Žďár", ""),
        ("utf-16", "Café – Žďár", ""),
        ("cp1250", "Café – Žïár", "Windows-1252"),
    ):
        (tmp_path / "u.csv").write_bytes(frame.to_csv(index=False).encode(codec))
        units = electjax.ecological.read(tmp_path / "u.csv")
        assert set(units["unit_name"].values.tolist()) == {name}
        assert ("read as Windows-1252" in said(units)) == bool(note)
        assert note in said(units)
        right = electjax.ecological.read(tmp_path / "u.csv", encoding=codec)
        assert set(right["unit_name"].values.tolist()) == {"Café – Žďár"}
        assert "read as" not in said(right)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"option": {"Blue": "NA"}}, "row 4, column 'option': the cell is blank; expected a label of the option"),
        ({"unit": {"n2": "nan"}}, "row 3, column 'unit': the cell is blank"),
        ({"votes": {40: "NULL"}}, "row 2, column 'votes': the cell is blank"),
    ],
)
def test_a_missing_cell_is_never_a_name_or_a_number(tmp_path, change, match):
    text = long_frame().astype({"votes": object}).replace(change).to_csv(index=False)
    with pytest.raises(ElectionDataError, match=match):
        electjax.ecological.read(written(tmp_path / "u.csv", text))


def test_units_that_are_made_are_not_merged_again(tmp_path):
    units = electjax.ecological.read(long_frame())
    path = electjax.ecological.save(units, tmp_path / "units.nc")
    for source in (units, path):
        assert electjax.ecological.read(source).equals(units)
        with pytest.raises(ElectionDataError, match="merge_below for units that are made"):
            electjax.ecological.read(source, merge_below=0.1)
