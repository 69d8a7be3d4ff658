"""What is known of units beside their margins: counted tables, and traits of options."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.notes import notes_of
from electjax.ecological.schema import contest_index
from tests.data_paths import shared
from tests.ecological.units_by_hand import CELLS, SIDES, TRUTH, WIDE, long_frame, written


def test_truth_whose_margins_differ_is_kept_and_named(tmp_path):
    text = TRUTH.replace("Red Party,Ann,50", "Red Party,Ann,47").replace("Blue Party,Ann,4", "Blue Party,Ann,7")
    units = electjax.ecological.read(long_frame(), truth=written(tmp_path / "truth.csv", text))
    assert units["truth"].sel(contest="North").values[0, 0] == 47
    said = [note for note in notes_of(units) if "other" in note and "units:" in note]
    assert said == ["the truth of 'North' has other rows than its units: 3 of 100 votes are elsewhere"]


def test_contests_without_truth_are_unknown(tmp_path):
    rows = TRUTH.splitlines()
    text = "\n".join([rows[0], *(row for row in rows if row.startswith("South"))])
    units = electjax.ecological.read(long_frame(), truth=written(tmp_path / "truth.csv", text))
    assert np.isnan(units["truth"].sel(contest="North").values).all()
    assert units["truth"].sel(contest="South").sum() == 9
    assert any("1 contests have no truth: North" in note for note in notes_of(units))


@pytest.mark.parametrize("numbered", ["units", "truth"])
def test_contests_are_joined_by_what_both_files_call_them(tmp_path, numbered):
    numbers = {"North": 2, "South": 1}
    frame, truth = long_frame(), pd.read_csv(written(tmp_path / "truth.csv", TRUTH))
    plain = electjax.ecological.read(frame, truth=truth)
    other = frame if numbered == "units" else truth
    other["contest_no"] = other["contest"].map(numbers)
    assert electjax.ecological.read(frame, truth=truth)["truth"].identical(plain["truth"])
    single = frame[frame["contest"] == "North"]
    alone = electjax.ecological.read(
        single.drop(columns="contest"), truth=truth[truth["contest"] == "North"].iloc[:, 1:4]
    )
    assert (alone["truth"].values == plain["truth"].values[:1]).all()


def test_traits_of_options():
    rows = pd.DataFrame({"option": ["Red", "Blue"], "caste": ["SC", "OBC"]})
    columns = pd.DataFrame(
        {
            "contest": ["North", "North", "South"],
            "candidate": ["Ann (Red)", "Cy", "Eve (Red)"],
            "caste": ["OBC", "General", ""],
            "age": [50, np.nan, 31],
        }
    )
    units = electjax.ecological.read(long_frame(), row_traits=rows, column_traits=columns)
    assert list(json.loads(units.attrs["axes"])["caste"]["categories"]) == ["General", "OBC", "SC"]
    assert units["row_category"].values[..., 0].tolist() == [["SC", "OBC", ""], ["SC", "", ""]]
    assert units["column_category"].values[..., 0].tolist() == [["OBC", "", "General"], ["", "", ""]]
    assert units["column_variable"].values.tolist() == ["age"]
    expected = [[50, np.nan, np.nan], [np.nan, 31, np.nan]]
    assert np.array_equal(units["column_covariate"].values[..., 0], expected, equal_nan=True)
    given = electjax.ecological.read(long_frame(), row_traits=rows, axes={"caste": {"categories": ["OBC", "SC"]}})
    assert given["row_category"].equals(units["row_category"])
    with pytest.raises(ElectionDataError, match=r"row 0, column 'option': 'Reed' is no option .* did you mean Red"):
        electjax.ecological.read(long_frame(), row_traits=rows.replace("Red", "Reed"))
    with pytest.raises(ElectionDataError, match="row 2, column 'option': 'Red' again"):
        electjax.ecological.read(long_frame(), row_traits=pd.concat([rows, rows], ignore_index=True))


@pytest.mark.parametrize(("old", "new", "match"), [("contest,party", "contest,parties", "no column for rows")])
def test_faults_of_a_truth_are_named(tmp_path, old, new, match):
    assert old in TRUTH
    with pytest.raises(ElectionDataError, match=match):
        electjax.ecological.read(long_frame(), truth=written(tmp_path / "truth.csv", TRUTH.replace(old, new)))


def test_a_contest_whose_options_cannot_be_told_has_no_truth(tmp_path):
    text = TRUTH.replace("North,Small,Cy,1", "North,Large,Cy,7")
    units = electjax.ecological.read(long_frame(), truth=written(tmp_path / "truth.csv", text))
    assert np.isnan(units["truth"].sel(contest="North")).all()
    assert units["truth"].sel(contest="South").values.tolist() == [[1, 4, 0], [2, 2, 0], [0, 0, 0]]
    said = [note for note in notes_of(units) if "without their truth" in note]
    assert len(said) == 1
    assert "column 'party': 5 options of 'North', such as 'Large'" in said[0]
    alone = "\n".join(line for line in text.splitlines() if not line.startswith("South"))
    with pytest.raises(ElectionDataError, match="column 'party': 5 options of 'North'"):
        electjax.ecological.read(long_frame(), truth=written(tmp_path / "alone.csv", alone))


def test_a_truth_in_another_order_is_joined_by_votes(tmp_path):
    head, *lines = TRUTH.strip().splitlines()
    units = electjax.ecological.read(
        long_frame(), truth=written(tmp_path / "truth.csv", "\n".join([head, *lines[::-1]]))
    )
    right = electjax.ecological.read(long_frame(), truth=written(tmp_path / "right.csv", TRUTH))
    assert units["truth"].equals(right["truth"])
    assert "2 times by name, 2 times by votes" in " ".join(notes_of(units))


def test_a_truth_of_other_contests_is_refused(tmp_path):
    text = TRUTH.replace("North,", "Nrth,").replace("South,", "West,")
    with pytest.raises(ElectionDataError, match="no contest of the units"):
        electjax.ecological.read(long_frame(), truth=written(tmp_path / "truth.csv", text))


def by_hand(path: Path, below: float) -> dict[str, tuple[int, int]]:
    """Rows and columns of each district after merging, from the definition of the field's convention."""
    frame = pd.read_csv(path, encoding="latin-1")
    totals = frame.groupby(["district", "side", "option"])["votes"].sum()
    found = {}
    for district in frame["district"].unique():
        sizes = []
        for side in ("party", "candidate"):
            votes = totals[district, side]
            small = votes < below * votes.sum()
            sizes.append(len(votes) if small.sum() < 2 else int((~small).sum()) + 1)
        found[district] = (sizes[0], sizes[1])
    return found


@pytest.mark.parametrize(
    ("year", "contests", "units", "sizes"),
    [pytest.param(2002, 69, 5738, (8, 8), marks=pytest.mark.ci), (2014, 71, 5767, (7, 6))],
)
def test_new_zealand(year, contests, units, sizes):
    path = shared(f"data/ecological/nz_{year}_units_long.csv.gz")
    ds = electjax.ecological.read(path, truth=shared(f"data/ecological/nz_{year}_truth_cross.csv.gz"))
    assert (ds.sizes["contest"], ds.sizes["unit"]) == (contests, units)
    assert (ds.sizes["row"], ds.sizes["column"]) == sizes
    counts = {side: (ds[f"{side}_name"] != "").sum(side).values.tolist() for side in ("row", "column")}
    labels = ds["contest"].values.tolist()
    assert dict(zip(labels, zip(counts["row"], counts["column"], strict=True), strict=True)) == by_hand(path, 0.03)
    raw = pd.read_csv(path, encoding="latin-1")
    assert ds["row_margin"].values.sum() == raw.loc[raw["side"] == "party", "votes"].sum()
    assert not np.isnan(ds["truth"].values).any()
    named = [note for note in notes_of(ds) if "than its units" in note]
    assert len(named) == (year == 2002)
    of = contest_index(ds)
    rows = np.zeros((contests, sizes[0]), int)
    np.add.at(rows, of, ds["row_margin"].values)
    differ = (ds["truth"].sum("column").values != rows).any(axis=1)
    assert all(repr(labels[d]) in named[0] for d in np.flatnonzero(differ))


def test_north_carolina():
    rows, columns = ["white", "black", "natam"], ["dem", "rep", "oth"]
    names = dict(zip(rows, ("wh", "bl", "natam"), strict=True))
    cells = {(r, c): names[r] + c for r in rows for c in columns}
    units = electjax.ecological.read(shared("data/ecological/senc.csv"), rows=rows, columns=columns, truth=cells)
    assert dict(units.sizes) == {"contest": 1, "unit": 212, "row": 3, "column": 3}
    assert (units["unit_truth"].values.sum(axis=2) == units["row_margin"].values).all()
    assert (units["unit_truth"].values.sum(axis=1) == units["column_margin"].values).all()
    assert notes_of(units) == [
        "column 'precinct' is the unit",
        "rows are taken as groups of people; kind='votes' if they are votes",
        "all units are one contest; contest= if county names theirs",
        "columns not used: county, total",
    ]


ROLL = {"n1": 80, "n2": 60, "s1": 12, "s2": 3}


def groups_of_electors() -> pd.DataFrame:
    """Units whose rows are groups of electors: 20 of Red in n1 and n2 each, 3 of Green in s1 did not vote."""
    frame = long_frame().replace({"side": {"party": "group"}}).assign(roll=lambda f: f["unit"].map(ROLL))
    frame = frame[frame["unit"] != "s2"].reset_index(drop=True)
    for unit, option, more in (("n1", "Red", 20), ("n2", "Red", 20), ("s1", "Green", 3)):
        frame.loc[(frame["unit"] == unit) & (frame["option"] == option) & (frame["side"] == "group"), "votes"] += more
    return frame


def test_who_did_not_vote_is_not_zero_in_the_truth(tmp_path):
    truth = TRUTH.replace("Red Party", "Red").replace("Blue Party", "Blue").replace("Ann,", "Ann (Red),")
    units = electjax.ecological.read(
        groups_of_electors(), electors="roll", merge_below=0.0, truth=written(tmp_path / "t.csv", truth)
    )
    names = units["column_name"].values.tolist()
    stayed = [units["truth"].values[d, :, own.index("did not vote")] for d, own in enumerate(names)]
    # Red has 100 electors of whom 60 voted, Blue and the others all
    assert stayed[0][:4].tolist() == [40, 0, 0, 0]
    assert stayed[1][:3].tolist() == [0, 3, 0]
    counted = np.where(units["row_name"].values != "", units["truth"].sum("column").values, 0)
    assert counted.sum(axis=1).tolist() == [140, 12]
    assert not [note for note in notes_of(units) if "than its units" in note]


def test_who_did_not_vote_either_time_is_in_no_truth_of_voters(tmp_path):
    frame = long_frame().assign(roll=lambda f: f["unit"].map(ROLL))
    frame.loc[(frame["side"] == "party") & (frame["option"] == "Red"), "votes"] += 1
    with pytest.raises(ElectionDataError, match="without those who did not vote, who are on both sides") as caught:
        electjax.ecological.read(frame, electors="roll", truth=written(tmp_path / "t.csv", TRUTH))
    assert "\n" not in str(caught.value)


def test_names_that_agree_stay_together(tmp_path):
    """Options of equal votes, in another order, one of them spelt in another way and one called otherwise."""
    votes = {"Red": 10, "Blue": 10, "Green": 10, "White": 10}
    columns = {"x": 20, "y": 20}
    rows = [("n", "party", k, v) for k, v in votes.items()] + [("n", "candidate", k, v) for k, v in columns.items()]
    frame = pd.DataFrame(rows, columns=["unit", "side", "option", "votes"])
    cells = {"GREEN ": (1, 9), "Weiss": (4, 6), "blue": (8, 2), "Red": (7, 3)}
    table = [(name, c, v) for name, own in cells.items() for c, v in zip("yx", own, strict=True)]
    units = electjax.ecological.read(frame, truth=pd.DataFrame(table, columns=["party", "candidate", "votes"]))
    assert units["truth"].values[0].tolist() == [[3, 7], [2, 8], [9, 1], [6, 4]]
    # two names that agree nowhere, votes that do not tell them, but as many in order
    other = pd.DataFrame(table, columns=["party", "candidate", "votes"]).replace("blue", "Bleu")
    assert electjax.ecological.read(frame, truth=other)["truth"].values[0, 1].tolist() == [6, 4]
    # three for two places
    more = pd.concat([other, pd.DataFrame([("Gris", "x", 2)], columns=other.columns)])
    with pytest.raises(ElectionDataError, match="5 options of 'all', such as 'Weiss'"):
        electjax.ecological.read(frame, truth=more)


def test_the_callers_column_of_contests_is_that_of_all_tables(tmp_path):
    renamed = {"contest": "riding", "party": "list"}
    frame = long_frame().rename(columns=renamed)
    truth = pd.read_csv(written(tmp_path / "t.csv", TRUTH))
    plain = electjax.ecological.read(long_frame(), truth=truth)
    found = electjax.ecological.read(frame, contest="riding", truth=truth.rename(columns=renamed))
    assert found["truth"].equals(plain["truth"])
    traits = pd.DataFrame({"riding": ["North"], "option": ["Red"], "age": [50], "caste": ["SC"], "faith": ["NA"]})
    units = electjax.ecological.read(frame, contest="riding", row_traits=traits)
    assert units["row_covariate"].values[:, 0, 0].tolist()[0] == 50
    assert np.isnan(units["row_covariate"].values[1]).all()
    assert units["row_category"].sel(axis="caste").values[:, 0].tolist() == ["SC", ""]
    assert "riding" not in json.loads(units.attrs["axes"])
    with pytest.raises(
        ElectionDataError, match=r"no column for the contest, but 2 contests in DataFrame.*pass contest="
    ):
        electjax.ecological.read(frame, contest="riding", truth=truth.rename(columns={"contest": "seat"}))
    single = frame[frame["riding"] == "North"].drop(columns="riding")
    with pytest.raises(ElectionDataError, match="no column for the contest, but 2 contests"):
        electjax.ecological.read(single, truth=truth)
    assert (
        electjax.ecological.read(single, truth=truth[truth["contest"] == "North"])["truth"].values == plain["truth"][:1]
    ).all()
    twice = pd.concat([truth[truth["contest"] == "North"]] * 2).rename(columns={"contest": "seat"})
    with pytest.raises(ElectionDataError, match=r"cells that are there twice.*one of seat"):
        electjax.ecological.read(single, truth=twice)


@pytest.mark.parametrize("factor", [0.0, 0.01, 10.0])
def test_a_truth_with_another_total_is_refused(tmp_path, factor):
    truth = pd.read_csv(written(tmp_path / "t.csv", TRUTH)).astype({"votes": float})
    truth.loc[truth["contest"] == "North", "votes"] *= factor
    units = electjax.ecological.read(long_frame(), truth=truth)
    assert np.isnan(units["truth"].sel(contest="North")).all()
    assert units["truth"].sel(contest="South").sum() == 9
    notes = [note for note in notes_of(units) if "without their truth" in note]
    assert len(notes) == 1
    assert f"the truth of 'North' adds up to {100 * factor:g}, its units to 100" in notes[0]
    with pytest.raises(ElectionDataError, match="truth of 'North' adds up to"):
        electjax.ecological.read(long_frame(), truth=truth[truth["contest"] == "North"])
    cells = WIDE.assign(county=["x", "y", "x"], **{name: WIDE[name] * factor for name in CELLS.values()})
    with pytest.raises(ElectionDataError, match="truth of 'all' adds up to"):
        electjax.ecological.read(cells, **SIDES, truth=CELLS)
    cells.loc[[0, 2], list(CELLS.values())] = WIDE.loc[[0, 2], list(CELLS.values())]
    one = electjax.ecological.read(cells, **SIDES, truth=CELLS, contest="county")
    assert np.isnan(one["truth"].values).all(axis=(1, 2)).tolist() == [False, True]
    assert np.isnan(one["unit_truth"].values).all(axis=(1, 2)).tolist() == [False, False, True]
