"""Ballots: every format read back, every fault named by row and column, recoding by hand, and streams."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.labels import unique_names
from electjax.voter_types.ballots import ticket_menus
from tests.data_paths import shared

CODED = """precinct,top,y_Senate,y_House,y_House,m_Senate,m_House,m_House,party,age,w
P1,D,2,2,,3,3,0,L,40,1.5
P1,R,0,,1,3,0,1,M,31,1
P2,D,1,2,,3,2,0,S,62,0.5
P2,R,,0,,3,3,0,L,55,2
"""
CVR = """"2024 General","5.17.17.1","","","","","","","","","","","","","","","",""
"","","","","","President (Vote For=1)","President (Vote For=1)","President (Vote For=1)","Sheriff (Vote For=1)",\
"Sheriff (Vote For=1)","Clerk (Vote For=1)","Clerk (Vote For=1)","Council (Vote For=2)","Council (Vote For=2)",\
"Mayor (Number of positions=1, Number of ranks=2)","Mayor (Number of positions=1, Number of ranks=2)",\
"Mayor (Number of positions=1, Number of ranks=2)","Mayor (Number of positions=1, Number of ranks=2)"
"","","","","","Ann","Bob","Cy","Dee","Ed","Flo","Write-in","Gus","Hal","Ida(1)","Jo(1)","Ida(2)","Jo(2)"
"CvrNumber","TabulatorNum","BatchId","PrecinctPortion","BallotType","DEM","REP","LBR","DEM","REP","REP","","","","","","",""
="1",="10",="1","P 1","A","1","0","0","1","0","1","0","1","1","1","0","0","1"
="2",="10",="1","P 1","A","0","1","0","1","0","0","0","0","0","0","1","1","0"
="3",="10",="2","P 2","B","1","0","0","","","0","1","","","","","",""
="4",="10",="2","P 2","B","0","1","0","","","1","1","","","","","",""
="5",="10",="2","P 2","B","0","0","1","","","1","0","","","","","",""
="6",="10",="2","P 2","B","0","0","0","","","1","0","","","","","",""
"""


def write(folder: Path, text: str, name: str = "b.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fault(path: Path, **options: object) -> str:
    with pytest.raises(ElectionDataError) as caught:
        electjax.voter_types.read(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_coded_wide(tmp_path):
    ballots = electjax.voter_types.read(
        write(tmp_path, CODED), weight="w", cluster="precinct", covariates=["party", "age"]
    )
    assert ballots["office"].values.tolist() == ["Senate", "House", "House (2)"]
    assert ballots["choice"].values.tolist() == [[2, 2, -1], [0, -1, 1], [1, 2, -1], [-1, 0, -1]]
    assert ballots["menu"].values.tolist() == [[3, 3, 0], [3, 0, 1], [3, 2, 0], [3, 3, 0]]
    assert ballots["choice"].dtype == ballots["menu"].dtype == np.int8
    assert ballots["term"].values.tolist() == ["party[M]", "party[S]", "age"]
    assert ballots["covariate"].values.tolist() == [[0, 0, 40], [1, 0, 31], [0, 1, 62], [0, 0, 55]]
    assert ballots["weight"].values.tolist() == [1.5, 1, 0.5, 2]
    assert ballots["cluster"].values.tolist() == ["P1", "P1", "P2", "P2"]
    assert ballots["top"].values.tolist() == ["D", "R", "D", "R"]
    assert ballots["row"].values.tolist() == [2, 3, 4, 5]
    assert ballots.attrs["scheme"] == "ticket"
    some = electjax.voter_types.read(write(tmp_path, CODED), offices=["House"])
    assert some["office"].values.tolist() == ["House"]


def test_splits_of_coded_ballots(tmp_path):
    """y = 2 is straight, 1 split; only contested offices can be split, and abstention has no code."""
    path = write(tmp_path, CODED)
    split = electjax.voter_types.read(path, scheme="split")
    assert split["choice"].values.tolist() == [[0, 0, -1], [-1, -1, -1], [1, -1, -1], [-1, -1, -1]]
    assert split["menu"].values.tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert split.attrs["scheme"] == "split"
    binary = electjax.voter_types.read(write(tmp_path, "y_A,y_B\n0,1\n1,\n"), scheme="split")
    assert binary["choice"].values.tolist() == [[0, 1], [1, -1]]
    many = electjax.voter_types.read(write(tmp_path, "y_A,y_B\n0,4\n1,\n"))
    assert many.sizes["option"] == 5
    assert many.attrs["scheme"] == "options"


def test_separators_and_packing(tmp_path):
    plain = electjax.voter_types.read(write(tmp_path, CODED))
    tabs = electjax.voter_types.read(write(tmp_path, "\n" + CODED.replace(",", "\t"), "t.csv"))
    assert tabs["row"].values.tolist() == [3, 4, 5, 6]
    (tmp_path / "g.csv.gz").write_bytes(gzip.compress(CODED.encode()))
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("inner.csv", CODED)
    for other in (
        tabs,
        electjax.voter_types.read(tmp_path / "g.csv.gz"),
        electjax.voter_types.read(tmp_path / "z.zip"),
    ):
        xr.testing.assert_equal(other["choice"].drop_vars("row"), plain["choice"].drop_vars("row"))


def test_labelled_wide(tmp_path):
    text = "id,A,B,weight\nx,10,no,1\ny,9,yes,2\nz,NA,.,1\nw,9,yes,0\n"
    ballots = electjax.voter_types.read(write(tmp_path, text))
    assert ballots["choice"].values.tolist() == [[1, 0], [0, 1], [-1, -1], [0, 1]]
    assert ballots["option_label"].values.tolist() == [["9", "10"], ["no", "yes"]]
    assert ballots["voter"].values.tolist() == ["x", "y", "z", "w"]
    assert "menu" not in ballots
    assert ballots.attrs["scheme"] == "options"
    codes = "A,B\n0,1\n2,\n1,2\n"
    assert electjax.voter_types.read(write(tmp_path, codes), scheme="ticket")["choice"].values.tolist() == [
        [0, 1],
        [2, -1],
        [1, 2],
    ]


def test_published_files():
    yuma = electjax.voter_types.read(shared("data/ballots/yuma2020_y_m.csv"))
    assert yuma.sizes["voter"] == 4919
    assert yuma.sizes["office"] == 16
    assert (yuma["menu"].values == 0).mean() == pytest.approx(29514 / (4919 * 16))
    assert ((yuma["choice"].values < 0) == (yuma["menu"].values == 0)).all()
    rows = np.column_stack([yuma["choice"].values, yuma["menu"].values, yuma["top"].values == "D"])
    assert len(np.unique(rows, axis=0)) == 791
    assert np.bincount(yuma["choice"].values[yuma["choice"].values >= 0]).tolist() == [7822, 7559, 33809]
    carcinoma = electjax.voter_types.read(shared("data/ballots/carcinoma_int.csv"))
    assert carcinoma["choice"].shape == (118, 7)
    assert np.unique(carcinoma["choice"].values).tolist() == [0, 1]
    gss = electjax.voter_types.read(shared("data/ballots/gss82_int.csv"))
    assert gss["choice"].shape == (1202, 4)
    # The first rows of the file are 1,1,1,1: the first option of every office.
    assert gss["choice"].values[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (("P1,R,0", "P1,R,5"), {}, ["row 3", "y_Senate", "found 5"]),
        (("P1,R,0", "P1,R,q"), {}, ["row 3", "y_Senate", "'q' is not a number"]),
        (("3,3,0,L,40", "3,7,0,L,40"), {}, ["row 2", "m_House", "found 7", "contested"]),
        (("3,3,0,L,40", "3,,0,L,40"), {}, ["row 2", "m_House", "menu is blank"]),
        (("P2,D,1,2,,3,2,0", "P2,D,1,1,,3,2,0"), {}, ["row 4", "House", "1 (split)", "only the own party"]),
        (("P1,R,0,,1", "P1,R,0,1,1"), {}, ["row 3", "House", "not on this ballot", "invalid='missing'"]),
        ((",w\n", ",w,m_Mayor\n"), {}, ["row 2", "11 cells; expected 12"]),
        (("L,40,1.5", "L,40"), {}, ["row 2", "10 cells"]),
        (("31,1\n", "31,-1\n"), {"weight": "w"}, ["row 3", "weight", "-1"]),
        (("31,1\n", "31,\n"), {"weight": "w"}, ["row 3", "'w'", "blank"]),
        (("62,0.5", ",0.5"), {"covariates": ["age"]}, ["row 4", "'age'", "1 voter(s)", "incomplete='drop'"]),
        (("62,0.5", "62,0.5"), {"covariates": ["agee"]}, ["'agee'", "did you mean age"]),
        (("62,0.5", "62,0.5"), {"offices": ["Mayor"]}, ["Mayor", "offices"]),
        (("62,0.5", "62,0.5"), {"invalid": "drop"}, ["invalid", "'drop'"]),
        (("P1,D", '"P1,D'), {}, ["row 2", "quotes"]),
    ],
)
def test_faults_of_a_wide_file(tmp_path, change, options, said):
    old, new = change
    assert old in CODED
    message = fault(write(tmp_path, CODED.replace(old, new, 1)), **options)
    for part in said:
        assert part in message


def test_other_faults_of_files(tmp_path):
    assert "no such file" in fault(tmp_path / "none.csv")
    assert "folder" in fault(tmp_path)
    assert "empty" in fault(write(tmp_path, "\n"))
    assert "no rows" in fault(write(tmp_path, "A,B\n"))
    assert "row 4, column 'id': voter '1' again, as in row 2" in fault(write(tmp_path, "id,A\n1,x\n2,y\n1,x\n"))
    assert "offices=" in fault(write(tmp_path, "A\n" + "\n".join(map(str, range(1002)))))
    latin = tmp_path / "l.csv"
    latin.write_bytes(b"A,B\n\xe9,1\nx,1\n")
    assert electjax.voter_types.read(latin)["option_label"].values[0].tolist() == ["x", "\xe9"]
    assert "cp1252" in fault(latin, encoding="utf-8")
    assert "codec" in fault(write(tmp_path, CODED), encoding="latin-99")
    assert "y_Mayor" in fault(write(tmp_path, "y_A,m_A,m_Mayor\n1,3,3\n"))


def test_invalid_votes_and_incomplete_voters(tmp_path):
    path = write(tmp_path, CODED.replace("P1,R,0,,1", "P1,R,0,1,1").replace("31,1\n", ",1\n"))
    with pytest.warns(ElectionDataWarning, match=r"row 3, column 'House'.* 1 such vote"):
        ballots = electjax.voter_types.read(path, invalid="missing")
    assert ballots["choice"].values[1].tolist() == [0, -1, 1]
    kept = electjax.voter_types.read(
        path, covariates="age", incomplete="drop"
    )  # the voter with the faulty vote is the one dropped
    assert kept["row"].values.tolist() == [2, 4, 5]
    assert kept.attrs["incomplete_voters"] == 1


def test_long(tmp_path):
    text = (
        "voter,office,choice,party,weight,age\n1,Pres,Ann,DEM,2,40\n2,Pres,Bob,REP,1,30\n1,Sheriff,Dee,DEM,2,40\n"
        "3,Pres,,,1,50\n3,Sheriff,Ed,REP,1,50\n"
    )
    path = write(tmp_path, text)
    ballots = electjax.voter_types.read(path, covariates="age")
    assert ballots["choice"].values.tolist() == [[0, 0], [1, -1], [-1, 1]]
    assert ballots["option_party"].values.tolist() == [["DEM", "REP"], ["DEM", "REP"]]
    assert ballots["weight"].values.tolist() == [2, 1, 1]
    assert ballots["covariate"].values.tolist() == [[40], [30], [50]]
    assert ballots["voter"].values.tolist() == ["1", "2", "3"]
    assert "menu" not in ballots
    off = electjax.voter_types.read(path, absent="off_ballot")
    assert off["menu"].values.tolist() == [[1, 1], [1, 0], [1, 1]]
    assert off["available"].values.tolist() == [[False, False], [True, True]]
    again = fault(write(tmp_path, text + "1,Sheriff,Ed,REP,2,40\n"))
    assert "row 7, column 'choice'" in again
    assert "row 4" in again
    assert "row 5, column 'age'" in fault(
        write(tmp_path, text.replace("3,Pres,,,1,50", "2,Pre,,,1,50")), covariates="age"
    )
    party = fault(write(tmp_path, text + "2,Sheriff,Ed,DEM,1,30\n"))
    assert "row 7, column 'party'" in party
    assert "row 6" in party
    assert "row 3, column 'office'" in fault(write(tmp_path, text.replace("2,Pres", "2,")))


def test_long_with_menus(tmp_path):
    path = write(tmp_path, "voter,office,choice,menu\na,S,2,3\na,H,0,2\nb,S,,1\n")
    ballots = electjax.voter_types.read(path)
    assert ballots["choice"].values.tolist() == [[2, 0], [-1, -1]]
    assert ballots["menu"].values.tolist() == [[3, 2], [1, 0]]
    assert "row 4, column 'menu'" in fault(write(tmp_path, "voter,office,choice,menu\na,S,2,3\na,H,0,2\nb,S,,\n"))
    assert "row 2, column 'choice'" in fault(write(tmp_path, "voter,office,choice,menu\na,S,3,3\n"))


def test_cast_vote_records_csv(tmp_path):
    ballots = electjax.voter_types.read(write(tmp_path, CVR), cluster="PrecinctPortion")
    assert ballots["office"].values.tolist() == ["President", "Sheriff", "Clerk", "Mayor"]
    # Ballot 4 marks both options of Clerk: no valid vote. Of Mayor the first rank counts.
    assert ballots["choice"].values.tolist() == [
        [1, 1, 1, 1], [2, 1, 0, 2], [1, -1, 2, -1], [2, -1, 0, -1], [3, -1, 1, -1], [0, -1, 1, -1]
    ]  # fmt: skip
    assert (ballots["menu"].values == 0).tolist() == (ballots["choice"].values == -1).tolist()
    assert ballots["option_label"].values[0].tolist() == ["no vote", "Ann", "Bob", "Cy"]
    assert ballots["option_party"].values[1].tolist() == ["", "DEM", "REP", ""]
    assert ballots["voter"].values.tolist() == ["1", "2", "3", "4", "5", "6"]
    assert ballots["BallotType"].values.tolist() == ["A", "A", "B", "B", "B", "B"]
    assert ballots["row"].values.tolist() == [5, 6, 7, 8, 9, 10]
    assert ballots.attrs["overvotes"] == 1
    assert ballots.attrs["left_out"] == "Council (vote for 2)"
    assert ballots.attrs["title"] == "2024 General"
    missing = electjax.voter_types.read(write(tmp_path, CVR), overvote="missing")
    assert missing["choice"].values[3].tolist() == [2, -1, -1, -1]
    assert "2 votes" in fault(write(tmp_path, CVR), offices=["Council"])
    bad = write(tmp_path, CVR.replace('="5",="10",="2","P 2","B","0","0","1"', '="5",="10",="2","P 2","B","0","0","*"'))
    assert "row 9, column 'President: Cy'" in fault(bad)
    assert electjax.voter_types.read(bad, invalid="missing")["choice"].values[4].tolist() == [-1, -1, 1, -1]
    summed = write(tmp_path, CVR + '"","","","Redacted","B","3","2","0","","","4","0","","","","","",""\n')
    with pytest.warns(ElectionDataWarning, match="1 row"):
        assert electjax.voter_types.read(summed).sizes["voter"] == 6


def test_recoding_by_hand(tmp_path):
    """Own party and menus of the six ballots of CVR, written out."""
    ballots = electjax.voter_types.read(write(tmp_path, CVR))
    ticket = electjax.voter_types.recode(ballots)
    assert ticket["top"].values.tolist() == ["DEM", "REP", "DEM", "REP"]  # ballots 5 (LBR) and 6 (no vote) go
    assert ticket.attrs["dropped_voters"] == 2
    assert ticket["office"].values.tolist() == ["Sheriff", "Clerk"]  # nobody of the two parties stands for Mayor
    assert ticket.attrs["left_out"] == "Council (vote for 2); Mayor"
    assert ticket["choice"].values.tolist() == [[2, 1], [1, 0], [-1, 0], [-1, 0]]  # a write-in abstains
    assert ticket["menu"].values.tolist() == [[3, 1], [3, 2], [0, 1], [0, 2]]
    assert ticket["option_label"].values.tolist() == ["abstain", "split", "straight"]
    assert "available" not in ticket
    for split in (
        electjax.voter_types.recode(ballots, scheme="split"),
        electjax.voter_types.recode(ticket, scheme="split"),
    ):
        assert split["choice"].values.tolist() == [[0, -1], [1, -1], [-1, -1], [-1, -1]]
        assert split["menu"].values.tolist() == [[1, 0], [1, 0], [0, 0], [0, 0]]
        assert split["available"].values.tolist() == [[False, False], [True, True]]
    mixed = electjax.voter_types.recode(ballots, scheme={"Clerk": "options", "Mayor": "options"}, top="President")
    assert mixed["choice"].values.tolist() == [[2, 1, 1], [1, 0, 2], [-1, 2, -1], [-1, 0, -1]]
    assert mixed["option_label"].values.tolist()[1] == ["no vote", "Flo", "Write-in"]
    assert mixed.attrs["scheme"] == "mixed"
    kept = electjax.voter_types.recode(ballots, keep_unaligned=True)
    assert kept["choice"].values[4:].tolist() == [[-1, -1], [-1, -1]]
    third = electjax.voter_types.recode(ballots, parties=["DEM", "LBR"])
    assert third["top"].values.tolist() == ["DEM", "DEM", "LBR"]
    assert electjax.voter_types.read(write(tmp_path, CVR), scheme="ticket").equals(ticket)


def test_third_parties():
    base = xr.Dataset(
        {"choice": (("voter", "office"), [[0, 0], [0, 2], [1, 1], [1, 3]])},
        coords={
            "office": ["Governor", "House"],
            "option_label": (
                ("office", "option"),
                [["A (D)", "B (R)", "C (G)", ""], ["E (D)", "F (G)", "G (G)", "abstain"]],
            ),
        },
    )
    split = electjax.voter_types.recode(base)
    assert split["choice"].values.tolist() == [[2], [1], [1], [0]]
    assert split["menu"].values.tolist() == [[3], [3], [1], [1]]
    abstain = electjax.voter_types.recode(base, others="abstain")
    assert abstain["choice"].values.tolist() == [[2], [0], [0], [0]]
    assert abstain["menu"].values.tolist() == [[2], [2], [1], [1]]
    missing = electjax.voter_types.recode(base, others="missing")
    assert missing["choice"].values.tolist() == [[2], [-1], [-1], [0]]
    with pytest.raises(ElectionDataError, match="top="):
        electjax.voter_types.recode(base.assign_coords(office=["A", "B"]))
    with pytest.raises(ElectionDataError, match="two parties"):
        electjax.voter_types.recode(base, parties=["D"])


def export(folder: Path) -> None:
    def marks(*candidates: int, vote: bool = True) -> list[dict]:
        return [{"CandidateId": c, "PartyId": c % 10, "Rank": 1, "IsVote": vote} for c in candidates]

    def record(contests: list[dict], current: bool = True) -> dict:
        cards = [{"Id": 1, "Contests": contests}]
        return {"PrecinctPortionId": 7, "BallotTypeId": 1, "IsCurrent": current, "Cards": cards}

    def contest(number: int, found: list[dict]) -> dict:
        return {"Id": number, "Overvotes": 0, "Undervotes": 0, "Marks": found}

    sessions = [
        {"Original": record([contest(1, marks(11)), contest(2, marks(21))])},
        {"Original": record([contest(1, marks(11, 12)), contest(2, [])])},
        {"Original": record([contest(1, [])], False), "Modified": record([contest(1, marks(12))])},
        {"Original": {"PrecinctPortionId": 8, "IsCurrent": True, "Contests": [contest(1, marks(12, vote=False))]}},
        {"Original": record([contest(3, marks(31, 32))])},
    ]
    lists = {
        "ContestManifest": [
            {"Id": 1, "Description": "President", "VoteFor": 1, "NumOfRanks": 0},
            {"Id": 2, "Description": "Sheriff", "VoteFor": 1},
            {"Id": 3, "Description": "Council", "VoteFor": 2},
        ],
        "CandidateManifest": [
            {"Id": i, "Description": f"c{i}", "ContestId": i // 10, "Type": "Regular"} for i in (11, 12, 21, 22, 31, 32)
        ],
        "PartyManifest": [{"Id": 1, "Description": "DEM"}, {"Id": 2, "Description": "REP"}],
        "PrecinctPortionManifest": [{"Id": 7, "Description": "North"}],
    }
    for name, entries in lists.items():
        (folder / f"{name}.json").write_text(json.dumps({"Version": "5", "List": entries}))
    for number, part in enumerate((sessions[:2], sessions[2:]), start=1):
        (folder / f"CvrExport_{number}.json").write_text(json.dumps({"Version": "5", "Sessions": part}))


def test_cast_vote_records_json(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    export(folder)
    ballots = electjax.voter_types.read(folder)
    # 2: both marked; 3: the adjudicated record; 4: the mark is no vote; 5: none of the contests read.
    assert ballots["choice"].values.tolist() == [[1, 1], [0, 0], [2, -1], [0, -1]]
    assert ballots["menu"].values.tolist() == [[1, 1], [1, 1], [1, 0], [1, 0]]
    assert ballots["PrecinctPortion"].values.tolist() == ["North", "North", "North", "8"]
    assert ballots["row"].values.tolist() == [1, 2, 3, 4]
    assert ballots.attrs["overvotes"] == 1
    assert ballots.attrs["left_out"] == "Council (vote for 2)"
    assert electjax.voter_types.recode(ballots)["choice"].values.tolist() == [[2], [-1]]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"sub/{file.name}")
    assert electjax.voter_types.read(tmp_path / "all.zip").equals(ballots)
    assert electjax.voter_types.read(folder / "CvrExport_1.json").sizes["voter"] == 2
    (folder / "CandidateManifest.json").unlink()
    assert "CandidateManifest.json" in fault(folder)


def test_saved_ballots(tmp_path):
    pytest.importorskip("zarr", reason="zarr is an optional package")
    ballots = electjax.voter_types.read(
        write(tmp_path, CODED), weight="w", cluster="precinct", covariates=["party", "age"]
    )
    for name in ("b.nc", "b.zarr", "b.zarr"):  # the second time over the first
        back = electjax.voter_types.read(electjax.voter_types.save(ballots, tmp_path / name))
        xr.testing.assert_identical(back.load().drop_attrs(), ballots.drop_attrs())
        assert {**back.attrs, "source": "b.csv"} == ballots.attrs
    assert not electjax.voter_types.read(tmp_path / "b.zarr")[
        "choice"
    ].variable._in_memory  # a Zarr folder is read when it is used
    pieces = electjax.voter_types.stream(
        write(tmp_path, CODED), chunk=3, weight="w", cluster="precinct", covariates=["party", "age"]
    )
    joined = electjax.voter_types.save(pieces, tmp_path / "c.zarr")
    xr.testing.assert_identical(electjax.voter_types.read(joined).load().drop_attrs(), ballots.drop_attrs())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.csv", "b.nc", "b.zarr", "c.zarr"]
    with pytest.raises(ElectionDataError, match="folder"):
        electjax.voter_types.save(ballots, tmp_path / "none" / "b.nc")
    with pytest.raises(ElectionDataError, match="menu"):
        electjax.voter_types.save(ballots.assign(menu=ballots["menu"] * 0), tmp_path / "b.nc")
    assert electjax.voter_types.read(tmp_path / "b.nc").equals(ballots)
    assert "weight='w'" in fault(tmp_path / "b.nc", weight="w")


@pytest.mark.parametrize("chunk", [2, 5, 100])
def test_a_voter_of_two_parts_of_a_stream_is_refused_as_in_read(tmp_path, chunk):
    rows = "".join(f"v{k},{k % 2},2\n" for k in range(11))
    path = write(tmp_path, f"voter,y_x,y_z\n{rows}v4,1,2\n")
    for ask in (electjax.voter_types.read, lambda path: list(electjax.voter_types.stream(path, chunk=chunk))):
        with pytest.raises(ElectionDataError, match=r"row 13, column 'voter': voter 'v4' again, as in row 6; "):
            ask(path)
    with pytest.raises(ElectionDataError, match=r"row 11, column 'voter': voter 'v4' again, as in row 4; "):
        list(electjax.voter_types.stream(pd.read_csv(path), chunk=chunk))


@pytest.mark.parametrize("text", [CODED, CVR, "A,B\n10,x\n9,y\n,x\n8,z\n"])
def test_streams_join_to_the_whole(tmp_path, text):
    path = write(tmp_path, text)
    whole = electjax.voter_types.read(path)
    for source in (path, whole):
        parts = list(electjax.voter_types.stream(source, chunk=3))
        assert [part.sizes["voter"] for part in parts][:-1] == [3] * (len(parts) - 1)
        joined = xr.concat(parts, dim="voter", data_vars="minimal", coords="minimal", compat="equals", join="exact")
        xr.testing.assert_equal(joined, whole)
    with pytest.raises(ElectionDataError, match="chunk"):
        electjax.voter_types.stream(path, chunk=0)
    with pytest.raises(ElectionDataError, match="far apart"):
        electjax.voter_types.stream(write(tmp_path, "voter,office,choice\na,S,2\n"))


def dataset(**changes: object) -> xr.Dataset:
    ds = xr.Dataset(
        {
            "choice": (("office", "voter"), [[0, 1, -1], [2, 2, 0]]),
            "menu": (("voter", "office"), [[3, 3], [1, 2], [0, 3]]),
        }
    )
    return ds.assign(changes)


def test_schema():
    checked = electjax.voter_types.validate(dataset())
    assert checked["choice"].dims == ("voter", "office")
    assert checked["choice"].dtype == np.int8
    assert checked["office"].values.tolist() == ["office 1", "office 2"]
    assert checked.attrs["scheme"] == "ticket"
    assert electjax.voter_types.validate(checked).identical(checked)
    floats = dataset(choice=(("voter", "office"), [[0, 2], [1, 2], [np.nan, 0.0]]))
    assert electjax.voter_types.validate(floats)["choice"].equals(checked["choice"])
    split = xr.Dataset({"choice": (("voter", "office"), [[False, True], [True, True]])})
    assert electjax.voter_types.validate(split)["choice"].dtype == np.int8
    assert electjax.voter_types.validate(split)["choice"].values.tolist() == [[0, 1], [1, 1]]
    many = xr.Dataset({"choice": (("voter", "office"), [[0], [200]])})
    assert electjax.voter_types.validate(many)["choice"].dtype == np.int16
    mask = np.ones((3, 2, 3), dtype=bool)
    general = dataset().drop_vars("menu").assign(available=(("voter", "office", "option"), mask))
    assert "menu" not in electjax.voter_types.validate(general)
    mask[1, 1, 2] = False
    with pytest.raises(ElectionDataError, match="voter 1, column 'office 2': a vote for 2"):
        electjax.voter_types.validate(general)
    assert ticket_menus(2).tolist() == [[False, False], [True, True], [True, False], [True, True]]
    assert unique_names(["a", "b", "a", "a (2)", "a"]) == ["a", "b", "a (3)", "a (2)", "a (4)"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"choice": (("voter", "office"), [[0, 3], [1, 2], [-1, 0]])}, "available"),
        ({"choice": (("voter", "office"), [[0, -2], [1, 2], [-1, 0]])}, "voter 0, column 'office 2': choice is -2"),
        ({"choice": (("voter", "office"), [[0, 0.5], [1, 2], [-1, 0]])}, "choice is 0.5"),
        ({"choice": (("voter", "office"), [["a", "b"]] * 3)}, "integer codes"),
        ({"menu": (("voter", "office"), [[3, 3], [1, 4], [0, 3]])}, "voter 1, column 'office 2': menu is 4"),
        ({"menu": (("voter", "office"), [[3, 3], [1, 1], [0, 3]])}, "menu 1 (only the other party)"),
        ({"menu": ("voter", [1, 2, 3])}, "menu has dims"),
        ({"weight": ("voter", [1.0, np.nan, 1.0])}, "voter 1, column 'weight': found nan"),
        ({"weight": ("voter", [0.0, 0.0, 0.0])}, "all weights are 0"),
        ({"covariate": (("voter", "term"), [[1.0], [2.0], [np.inf]])}, "covariate(voter=2, term=0) is inf"),
        ({"available": (("voter", "option"), np.ones((3, 3), dtype=bool))}, "available has dims"),
    ],
)
def test_faults_of_a_dataset(changes, said):
    with pytest.raises(ElectionDataError) as caught:
        electjax.voter_types.validate(dataset(**changes))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_and_repeated():
    with pytest.raises(ElectionDataError, match="no voter"):
        electjax.voter_types.validate(dataset().isel(voter=[]))
    with pytest.raises(ElectionDataError, match="no office"):
        electjax.voter_types.validate(dataset().isel(office=[]))
    with pytest.raises(ElectionDataError, match="repeated"):
        electjax.voter_types.validate(dataset().assign_coords(office=["A", "A"]))
    with pytest.raises(ElectionDataError, match="choice"):
        electjax.voter_types.validate(xr.Dataset())
    for other in (np.zeros((3, 2), int), "ballots.csv", dataset()["choice"], None):
        with pytest.raises(ElectionDataError, match=f"found {type(other).__name__}; expected an xarray Dataset"):
            electjax.voter_types.validate(other)
    labels = (("office", "option"), [["a", "b", "c"], ["a", "b", ""]])
    with pytest.raises(ElectionDataError, match="option of this office"):
        electjax.voter_types.validate(dataset().assign_coords(option_label=labels))


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), scheme=st.sampled_from(["ticket", "split"]), others=st.sampled_from(["split", "abstain", "missing"])
)
def test_recoding_keeps_the_schema(data, scheme, others):
    """Whatever stood and was voted, the recoded ballots are valid and say what the votes said."""
    voters, offices = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 3))
    party = st.sampled_from(["D", "R", "G", ""])
    parties = [
        ["", "D", "R", "G"],
        *(["", *data.draw(st.lists(party, min_size=3, max_size=3))] for _ in range(offices)),
    ]
    labels = [["no vote", *(f"c{j}{k}" for k in range(3))] for j in range(offices + 1)]

    def drawn(values: st.SearchStrategy, *shape: int) -> np.ndarray:
        count = int(np.prod(shape))
        return np.array(data.draw(st.lists(values, min_size=count, max_size=count))).reshape(shape)

    on = np.ones((voters, offices + 1, 4), dtype=bool)
    on[:, 1:, 1:] = drawn(st.booleans(), voters, offices, 3)
    choice = drawn(st.integers(-1, 3), voters, offices + 1)
    possible = np.take_along_axis(on, np.maximum(choice, 0)[..., None], axis=2)[..., 0]
    choice = np.where(possible, choice, 0)
    choice[0, 0], choice[1, 0] = 1, 2
    raw = xr.Dataset(
        {"choice": (("voter", "office"), choice), "available": (("voter", "office", "option"), on)},
        coords={
            "office": ["President", *(f"o{j}" for j in range(offices))],
            "option_label": (("office", "option"), labels),
            "option_party": (("office", "option"), parties),
        },
    )
    stands = [j for j in range(1, offices + 1) if {"D", "R"} & set(parties[j])]
    if not stands:
        with pytest.raises(ElectionDataError):
            electjax.voter_types.recode(raw, scheme=scheme, others=others, parties=["D", "R"])
        return
    recoded = electjax.voter_types.recode(raw, scheme=scheme, others=others, parties=["D", "R"])
    assert electjax.voter_types.validate(recoded).identical(recoded)
    straight = 2 if scheme == "ticket" else 0
    aligned = np.isin(choice[:, 0], [1, 2])
    for place, j in enumerate(stands):
        own = np.array(parties[j])[np.maximum(choice[aligned, j], 0)] == np.where(choice[aligned, 0] == 1, "D", "R")
        found = recoded["choice"].values[:, place] == straight
        assert (found <= (own & (choice[aligned, j] > 0))).all()
        if scheme == "ticket":
            assert (found == (own & (choice[aligned, j] > 0))).all()
