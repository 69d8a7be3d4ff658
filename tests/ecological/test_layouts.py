"""Long tables that call their columns otherwise, and say in other ways which rows belong to which side."""

import numpy as np
import pandas as pd
import pytest

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.notes import notes_of
from tests.ecological.units_by_hand import written

FIRST = {"CDU": [120, 80, 60], "SPD": [90, 95, 70], "FDP": [10, 5, 20]}
SECOND = {"CDU": [110, 70, 75], "SPD": [85, 100, 60], "FDP": [25, 10, 15]}


def table(first: str, second: str, *, side: str = "Stimmart", option: str = "Partei") -> pd.DataFrame:
    lines = [
        (f"{unit + 1:03d}", said, party, votes[unit])
        for said, options in ((first, FIRST), (second, SECOND))
        for party, votes in options.items()
        for unit in range(3)
    ]
    return pd.DataFrame(lines, columns=["Stimmbezirk", side, option, "Stimmen"])


def margins(units) -> list[list[list[int]]]:
    return [units[f"{side}_margin"].values.tolist() for side in ("row", "column")]


def of(options) -> list[list[int]]:
    return np.array(list(options.values())).T.tolist()


@pytest.mark.parametrize(
    ("first", "second", "side", "turned"),
    [
        ("Erststimme", "Zweitstimme", "Stimmart", True),
        ("Zweitstimme", "Erststimme", "Stimme", False),
        ("2021", "2025", "Jahr", False),
        ("2025-02-23", "2021-09-26", "Wahltag", True),
        ("Europawahl 2024", "Bundestagswahl 2025", "Wahl", False),
    ],
)
def test_sides_are_told_by_a_column_of_two_values(tmp_path, first, second, side, turned):
    frame = table(first, second, side=side)
    path = written(tmp_path / "u.csv", frame.to_csv(index=False, sep=";"))
    units = electjax.ecological.read(path, merge_below=0)
    sides = [of(FIRST), of(SECOND)]
    assert margins(units) == (sides[::-1] if turned else sides)
    assert units["unit_name"].values.tolist() == ["001", "002", "003"]
    assert units.attrs["rows"] == "votes"
    assert {f"column {side!r} is the side", "column 'Stimmbezirk' is the unit"} <= set(notes_of(units))
    said = electjax.describe(path)
    assert (said.kind, said.error) == ("units", "")
    assert bool(said.others) == (side not in ("Stimmart", "Stimme"))  # of two elections, one may be meant


def test_contests_and_names_of_an_election_beside_its_year():
    frame = table("2021", "2025", side="Jahr").assign(Wahlkreis="7")
    frame["Election"] = "BTW " + frame["Jahr"]
    frame = pd.concat([frame, frame.assign(Wahlkreis="8")])
    units = electjax.ecological.read(frame)
    assert units["contest"].values.tolist() == ["7", "8"]
    assert electjax.ecological.read(frame.drop(columns="Jahr")).sizes["unit"] == 6
    # two columns of two values that divide the rows otherwise: the caller has to say
    frame["Typ"] = np.where(frame["Partei"] == "CDU", "gross", "klein")
    with pytest.raises(
        ElectionDataError, match=r"no column for side \(side= may be 'Typ' or 'election' or 'Jahr'\)|side="
    ):
        electjax.ecological.read(frame)
    assert electjax.ecological.read(frame, side="Jahr").sizes["contest"] == 2


def test_groups_and_parties_in_two_columns_of_labels():
    groups = {"18-34": [100, 90, 50], "35 und mehr": [120, 90, 100]}
    lines = [(f"{u + 1}", group, "", votes[u]) for group, votes in groups.items() for u in range(3)]
    lines += [(f"{u + 1}", "", party, votes[u]) for party, votes in FIRST.items() for u in range(3)]
    frame = pd.DataFrame(lines, columns=["Wahlbezirk", "Gruppe", "Partei", "Anzahl"])
    units = electjax.ecological.read(frame)
    assert units.attrs["rows"] == "groups"
    assert margins(units) == [of(groups), of(FIRST)]
    assert "each row fills 'Gruppe' or 'Partei': they are the sides" in notes_of(units)
    assert electjax.describe(frame).kind == "units"
    # one column of labels, another that says what they are
    other = frame.assign(Merkmal=np.where(frame["Gruppe"] == "", "Partei", "Alter"))
    other = other.assign(Bezeichnung=other["Gruppe"] + other["Partei"]).drop(columns=["Gruppe", "Partei"])
    assert margins(electjax.ecological.read(other, rows="Alter")) == margins(units)


@pytest.mark.parametrize("names", [("Erststimmen", "Zweitstimmen"), ("votes_2021", "votes_2017")])
def test_two_columns_of_votes_are_two_sides(names):
    lines = [(f"{u + 1}", party, FIRST[party][u], SECOND[party][u]) for party in FIRST for u in range(3)]
    frame = pd.DataFrame(lines, columns=["Wahlbezirk", "Partei", *names])
    units = electjax.ecological.read(frame)
    assert margins(units) == [of(SECOND), of(FIRST)]
    assert f"columns {names[0]!r} and {names[1]!r} are the votes of two sides" in notes_of(units)
    assert electjax.describe(frame).kind == "units"
    with pytest.raises(ElectionDataError, match="row 1, column 'votes': '-1' is less than 0"):
        electjax.ecological.read(frame.assign(**{names[1]: [25, -1, *frame[names[1]][2:]]}))


def test_districts_without_parts_are_units():
    frame = table("2021", "2025", side="Jahr").rename(columns={"Stimmbezirk": "Wahlkreis"})
    units = electjax.ecological.read(frame)
    assert units["contest"].values.tolist() == ["all"]
    assert units["unit_name"].values.tolist() == ["001", "002", "003"]
    assert "no column for parts of 'Wahlkreis': these are the units" in notes_of(units)
    assert electjax.ecological.read(frame.rename(columns={"Wahlkreis": "contest"})).sizes["unit"] == 3
    # several rows for an option of a district: parts whose column is not known are never added up
    parts = pd.concat([frame.assign(place="a"), frame.assign(place="b")])
    with pytest.raises(ElectionDataError, match="the header has no column for the unit"):
        electjax.ecological.read(parts)
    assert electjax.ecological.read(parts, unit="place").sizes["contest"] == 3


def test_counts_by_group_and_party_are_no_two_sides():
    """A cross-table of two groups has two values in a column, too: its totals tell that these are no ballots."""
    frame = table("weiblich", "divers", side="Gruppe")
    frame.loc[0, "Stimmen"] += 7
    with pytest.raises(ElectionDataError, match="rows add up to 227, columns to 220"):
        electjax.ecological.read(frame)


def test_returns_stay_returns():
    plain = table("2021", "2025", side="Jahr")[:9].drop(columns="Jahr").rename(columns={"Stimmbezirk": "Wahlkreis"})
    assert electjax.describe(plain).kind == "returns"
    frame = table("Senate", "House", side="office").rename(columns={"Stimmbezirk": "district", "Partei": "party"})
    frame.loc[3, "Stimmen"] += 3
    said = electjax.describe(frame)
    assert said.kind == "returns"
    assert "several elections: Senate, House" in said.error


def test_two_elections_may_be_units_or_returns():
    """Both are said, with what to do: estimate between the two, or choose one."""
    frame = table("2021", "2025", side="year", option="party").rename(columns={"Stimmbezirk": "Wahlkreis"})
    said = electjax.describe(frame)
    assert said.kind == "units"
    (other,) = said.others
    assert other.kind == "returns"
    assert "where={'year': '2021'}" in other.error
    page = str(said)
    assert "electjax.ecological.estimate(electjax.ecological.read(table))" in page
    assert "may also be returns (kind='returns'), though not as it is: DataFrame, column 'year': the file holds" in page
    alone = electjax.describe(frame, kind="returns", where={"year": 2021})
    assert (alone.kind, alone.error) == ("returns", "")
