"""A database of cast-vote records in Parquet, written by hand: ballots, streams, and its faults."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from electjax import ElectionDataWarning, voter_types
from tests.voter_types.faults import fault

NAMES = ("cvr_id", "precinct_medsl", "office", "district", "candidate", "party", "magnitude")
PRESIDENT, HOUSE, STATE = "US PRESIDENT", "US HOUSE", "STATE HOUSE"


def row(voter, office, district, party, candidate=None, seats=1, precinct="P1"):
    return voter, precinct, office, district, candidate or f"A {party}", party, seats


def none(voter, office, district, said, seats=1, precinct="P1"):
    return voter, precinct, office, district, said, None, seats


# Two counties of AZ share district 1 of the House, where a Republican has votes in the other county only.
APACHE = [
    row(1, PRESIDENT, "", "DEM"), row(1, HOUSE, "01", "DEM"), row(1, STATE, "7", "DEM"),
    row(2, PRESIDENT, "", "REP"), row(2, HOUSE, "01", "DEM"), none(2, STATE, "7", "UNDERVOTE"),
    row(3, PRESIDENT, "", "DEM"), row(3, HOUSE, "01", "DEM"), row(3, STATE, "7", "DEM"),
    row(4, PRESIDENT, "", "LBT"), none(4, HOUSE, "01", "WRITEIN"), none(4, STATE, "7", "OVERVOTE"),
    row(5, PRESIDENT, "", "DEM", precinct="P2"), none(5, HOUSE, "01", "NOT QUALIFIED", precinct="P2"),
]  # fmt: skip
PIMA = [
    row(1, PRESIDENT, "", "REP"), row(1, HOUSE, "01", "REP"),
    none(2, PRESIDENT, "", "OVERVOTE"), row(2, HOUSE, "01", "LBT"),
]  # fmt: skip
YORK = [row("a", PRESIDENT, "", "REP"), row("a", HOUSE, "01", "REP"), row("a", STATE, "1", "REP", seats=2)]


def put(folder, rows, state, county, *, names=NAMES):
    path = folder / f"state={state}" / f"county_name={county}"
    path.mkdir(parents=True, exist_ok=True)
    columns = zip(*rows, strict=True)
    parquet.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), path / "part-0.parquet")
    return path / "part-0.parquet"


@pytest.fixture
def folder(tmp_path):
    here = tmp_path / "release"
    put(here, APACHE, "AZ", "APACHE")
    put(here, PIMA, "AZ", "PIMA")
    put(here, YORK, "PA", "NEW%20YORK")
    return here


def seen(ballots):
    """Ballots as sorted lists: choices, menus, weight."""
    rows = np.column_stack([ballots["choice"].values, ballots["menu"].values, ballots["weight"].values])
    return sorted(rows.astype(int).tolist())


def test_ballots_relative_to_the_president(folder):
    ballots = voter_types.read(folder)
    assert ballots["office"].values.tolist() == [HOUSE, STATE]
    assert ballots.attrs["scheme"] == "ticket"
    assert ballots.attrs["top"] == PRESIDENT
    assert ballots.attrs["parties"] == "DEM, REP"
    assert ballots.attrs["dropped_voters"] == 2
    assert ballots.attrs["overvotes"] == 2
    # House: both stood in AZ, one Republican in PA. State House 7: a Democrat only. PA's has two votes: left out.
    assert seen(ballots) == [
        [0, -1, 3, 0, 1],  # 5: a write-in
        [1, 0, 3, 1, 1],  # 2: splits, abstains where only the other party stood
        [2, -1, 2, 0, 1],  # the voter of York
        [2, -1, 3, 0, 1],  # of Pima
        [2, 2, 3, 2, 2],  # 1 and 3
    ]
    assert "1 votes for STATE HOUSE left out" in ballots.attrs["notes"]
    assert "6 voters are 5 different ballots" in ballots.attrs["notes"]


def test_ballots_by_party(folder):
    ballots = voter_types.read(folder, scheme="options")
    assert ballots["option_label"].values.tolist() == ["no vote", "DEM", "REP", "LBT", "write-in"]
    assert ballots["office"].values.tolist() == [PRESIDENT, HOUSE, STATE]
    assert ballots["weight"].sum() == 8
    four = ballots["choice"].values.tolist().index([3, 4, 0])
    assert ballots["available"].values[ballots["menu"].values[four]].astype(int).tolist() == [
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 0, 0, 0],
    ]
    missing = voter_types.read(folder, scheme="options", overvote="missing")
    assert [3, 4, -1] in missing["choice"].values.tolist()
    again = voter_types.recode(voter_types.read(folder, scheme="options"), parties=["DEM", "REP"])
    assert sorted(map(tuple, again["choice"].values.tolist())) == [(0, -1), (1, 0), (2, -1), (2, -1), (2, 2)]
    split = voter_types.read(folder, scheme="split")
    assert split["option_label"].values.tolist() == ["straight", "split"]


def test_where_goes_to_the_folders(folder):
    (folder / "state=PA" / "county_name=NEW%20YORK" / "part-0.parquet").write_bytes(b"damaged")
    ballots = voter_types.read(folder, where={"state": ["az"], "county_name": "pima"}, scheme="options")
    assert ballots["weight"].values.tolist() == [1, 1]
    # menus are those of the state: a Democrat has votes in the other county
    assert ballots["available"].values[ballots["menu"].values[0, 1]].astype(int).tolist() == [1, 1, 1, 1, 1]
    assert "release, where: no state 'OH'; expected one of AZ, PA" in fault(folder, where={"state": "OH"})
    assert "part-0.parquet: cannot be read" in fault(folder)
    some = voter_types.read(folder, where={"state": "AZ", "precinct_medsl": "P2"})
    assert some["weight"].values.tolist() == [1]
    assert "no column 'precint_medsl'" in fault(folder, where={"state": "AZ", "precint_medsl": "P2"})
    assert "no row left" in fault(folder, where={"state": "AZ", "precinct_medsl": "P3"})
    one = voter_types.read(folder / "state=AZ" / "county_name=PIMA", scheme="options")
    assert one["weight"].values.tolist() == [1, 1]


def test_offices_and_top(folder):
    ballots = voter_types.read(folder, offices=[STATE])
    assert ballots["office"].values.tolist() == [STATE]
    assert voter_types.read(folder, offices=STATE, scheme="options")["office"].values.tolist() == [STATE]
    house = voter_types.read(folder, top=HOUSE)
    assert house["office"].values.tolist() == [PRESIDENT, STATE]
    assert house.attrs["top"] == HOUSE
    assert "no office 'Sheriff'" in fault(folder, offices=["Sheriff"])
    two = voter_types.read(folder, where={"office": [PRESIDENT, HOUSE]}, scheme="options")
    assert two["office"].values.tolist() == [PRESIDENT, HOUSE]


def test_clusters_and_covariates(folder):
    ballots = voter_types.read(folder, cluster="county_name", covariates=["state"])
    assert sorted(set(ballots["cluster"].values.tolist())) == ["AZ/APACHE", "AZ/PIMA", "PA/NEW YORK"]
    assert ballots["term"].values.tolist() == ["state[PA]"]
    assert ballots["covariate"].values.ravel().tolist() == [
        float(str(each).startswith("PA")) for each in ballots["cluster"].values
    ]
    precincts = voter_types.read(folder, cluster="precinct_medsl")["cluster"].values.tolist()
    assert sorted(set(precincts)) == ["AZ/APACHE/P1", "AZ/APACHE/P2", "AZ/PIMA/P1", "PA/NEW YORK/P1"]
    assert "no column 'precinct'" in fault(folder, cluster="precinct")


def test_streams_keep_voters_apart(folder):
    parts = list(voter_types.stream(folder, chunk=3))
    assert [part.sizes["voter"] for part in parts] == [3, 1, 1, 1]
    assert parts[0]["voter"].values.tolist() == ["1", "2", "3"]
    assert parts[0]["county_name"].values.tolist() == ["APACHE"] * 3
    assert parts[1]["precinct_medsl"].values.tolist() == ["P2"]
    assert parts[-1]["voter"].values.tolist() == ["a"]
    with pytest.warns(ElectionDataWarning, match="AZ/PIMA: 1 voters without a vote for DEM or REP"):
        assert [part.sizes["voter"] for part in voter_types.stream(folder, chunk=1)] == [1] * 6
    whole = voter_types.fit(voter_types.read(folder), types=1, restarts=1)
    from_parts = voter_types.fit(voter_types.stream(folder, chunk=3), types=1, restarts=1)
    by_path = voter_types.fit(folder, types=1, restarts=1)
    for other in (from_parts, by_path):
        np.testing.assert_allclose(other["mu"].values, whole["mu"].values)
        assert other.attrs["log_likelihood"] == pytest.approx(whole.attrs["log_likelihood"])
        assert other.attrs["voters"] == 6


def test_second_rows_of_a_voter(folder):
    put(folder, [*APACHE, APACHE[0]], "AZ", "APACHE")
    with pytest.warns(ElectionDataWarning, match="AZ/APACHE, column 'US PRESIDENT': voter 1 has two rows; 1 such"):
        assert voter_types.read(folder)["weight"].sum() == 6
    assert "voter 1 has two rows" in fault(folder, repeated="refuse")
    put(folder, [*APACHE, row(1, PRESIDENT, "", "REP")], "AZ", "APACHE")
    assert "AZ/APACHE, column 'US PRESIDENT': voter 1 has two rows that differ" in fault(folder)
    with pytest.warns(ElectionDataWarning, match="voter 1 has two rows"):
        assert voter_types.read(folder, invalid="missing")["weight"].sum() == 5


def test_one_file_and_other_names(tmp_path):
    rows = [("AZ", "APACHE", *each) for each in APACHE] + [("AZ", "PIMA", *each) for each in PIMA]
    names = ("state", "county_name", "ballot", *NAMES[1:])
    path = tmp_path / "all.parquet"
    parquet.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)
    ballots = voter_types.read(path, columns={"cvr_id": "ballot"})
    assert ballots["weight"].sum() == 5
    assert voter_types.read(path, columns={"cvr_id": "ballot"}, where={"County": "PIMA"})["weight"].sum() == 1
    assert "all.parquet, columns: no column 'side'" in fault(path, columns={"cvr_id": "ballot", "party": "side"})


def test_faults(folder):
    for name, value in {"header": 2, "encoding": "cp1252", "weight": "w", "absent": "off_ballot"}.items():
        assert f"{name}={value!r} means nothing for a cast-vote-record database" in fault(folder, **{name: value})
    put(folder, [each[:-1] for each in PIMA], "AZ", "PIMA", names=(*NAMES[:4], "name", "party"))
    assert "no column 'candidate'" in fault(folder)
    put(folder, [(*each[:-1], "two") for each in PIMA], "AZ", "PIMA")
    assert "AZ/PIMA, column 'magnitude'" in fault(folder)
    path = put(folder, [(None, *each[1:]) for each in PIMA], "AZ", "PIMA")
    assert "AZ/PIMA, column 'cvr_id': the cell is blank" in fault(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "part-0.parquet: cannot be read" in fault(folder)
