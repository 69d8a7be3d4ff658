"""Files as people have them: what went wrong once, what blanks and words mean, and every source of a table."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

from electjax import ElectionDataError, ElectionDataWarning, voter_types
from tests.voter_types.test_ballots import CODED, fault, write

CASES = Path(__file__).parents[1] / "cases"


def quietly(source, **options):
    """Ballots that are read without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ElectionDataWarning)
        return voter_types.read(source, **options)


def votes(ballots):
    """The labels chosen, [voter][office]; "-" where missing, "" where the office was not on the ballot."""
    labels = ballots["option_label"].values
    off = ballots["menu"].values == 0 if "menu" in ballots else np.zeros(ballots["choice"].shape, bool)
    return [
        [
            "" if away else "-" if code < 0 else str(labels[j, code])
            for j, (code, away) in enumerate(zip(*row, strict=True))
        ]
        for row in zip(ballots["choice"].values, off, strict=True)
    ]


# -------------------------------------------------------------------------------- the cases


def test_an_ess_export():
    ballots = quietly(CASES / "05_ess_csv" / "cvr.csv")
    assert ballots["office"].values.tolist() == ["Contest 1", "Contest 2"]
    assert ballots["option_label"].values.tolist() == [["no vote", "A", "B"], ["no vote", "C", "D"]]
    assert votes(ballots)[6:13] == [
        ["A", ""], ["A", "D"], ["B", "C"], ["no vote", "D"], ["A", "C"], ["B", "D"], ["no vote", "C"]
    ]  # fmt: skip
    assert ballots["voter"].values.tolist() == [str(i) for i in range(1, 41)]
    assert ballots["Precinct"].values[:2].tolist() == ["p1", "p2"]
    assert ballots.attrs["overvotes"] == 3
    assert "'Cast Vote Record' is the voter" in ballots.attrs["notes"]
    some = voter_types.read(CASES / "05_ess_csv" / "cvr.csv", offices=["Contest 1", "Contest 2"], overvote="missing")
    assert (some["choice"].values == -1).sum() == 5 + 3
    named = fault(CASES / "05_ess_csv" / "cvr.csv", offices=["Cast Vote Record"])
    assert "column 'Cast Vote Record': the column has another value in every row" in named


@pytest.mark.parametrize(
    "case", ["09_preamble/cvr_two_headers", "12_ragged_trailing_commas/cvr", "12_ragged_trailing_commas/cvr_all"]
)
def test_headers_of_dominion(case):
    ballots = quietly(CASES / f"{case}.csv")
    assert ballots["choice"].values.tolist() == [[1], [2]]
    assert ballots["option_label"].values[0, 1].endswith("A")
    assert ballots["option_party"].values[0].tolist() == (["", "DEM", "REP"] if "ragged" in case else ["", "", ""])
    assert [part.sizes["voter"] for part in voter_types.stream(CASES / f"{case}.csv", chunk=1)] == [1, 1]


def test_trailing_commas_of_a_wide_file():
    ballots = quietly(CASES / "12_ragged_trailing_commas" / "wide.csv")
    assert votes(ballots) == [["A", "B"], ["B", "B"], ["A", "A"]]
    assert ballots["office"].values.tolist() == ["P", "S"]


# -------------------------------------------------------------------------------- formats

CLEAR = (
    "RowNumber,BoxID,BoxPosition,BallotID,PrecinctID,BallotStyleID,Status,Remade,"
    "Choice_1_1:Mayor: north:Vote For 1:Ann:DEM,Choice_2_1:Mayor: north:Vote For 1:Bob:Non-Partisan,"
    "Choice_3_1:Mayor: north:Vote For 1:Write-in:,"
    "Choice_4_1:Council:Vote For 2:Gus:,Choice_5_1:Council:Vote For 2:Hal:,"
    "Choice_6_1:Judge:Vote For 1:Ida:,Choice_7_1:Judge:Vote For 1:Jo:,Choice_6_2:Judge:Vote For 1:Ida:,"
    "Choice_7_2:Judge:Vote For 1:Jo:\n"
    "1,B1,1,A-1,P1,S,Normal,0,1,0,0,1,1,0,1,1,0\n"
    "2,B1,2,A-2,P1,S,Normal,0,0,0,1,1,0,,,,\n"
    "3,B1,3,A-3,P2,S,Normal,0,1,1,0,0,0,0,0,1,0\n"
)


def test_clear_ballot(tmp_path):
    ballots = quietly(write(tmp_path, CLEAR))
    assert ballots["office"].values.tolist() == ["Mayor: north", "Judge"]
    assert ballots["option_label"].values.tolist() == [
        ["no vote", "Ann", "Bob", "Write-in"],
        ["no vote", "Ida", "Jo", ""],
    ]
    assert ballots["option_party"].values[0].tolist() == ["", "DEM", "", ""]
    assert votes(ballots) == [["Ann", "Jo"], ["Write-in", ""], ["no vote", "no vote"]]  # the first rank is the vote
    assert (ballots.attrs["overvotes"], ballots.attrs["left_out"]) == (1, "Council (vote for 2)")
    assert ballots["voter"].values.tolist() == ["A-1", "A-2", "A-3"]
    assert ballots["PrecinctID"].values.tolist() == ["P1", "P1", "P2"]
    assert "2 votes" in fault(write(tmp_path, CLEAR), offices=["Council"])
    assert "row 2, column 'Choice_1_1:Mayor: north:Vote For 1:Ann:DEM': 'x'" in fault(
        write(tmp_path, CLEAR.replace("Normal,0,1,0,0", "Normal,0,x,0,0", 1))
    )
    assert "'Choice_8_1:Judge'" in fault(
        write(tmp_path, CLEAR.replace("Choice_7_1:Judge:Vote For 1:Jo:", "Choice_8_1:Judge"))
    )


def test_a_workbook_of_ess(tmp_path):
    frame = pd.DataFrame(
        {
            "Cast Vote Record": [101, 102, 103, 104],
            "Precinct": ["N", "N", "S", "S"],
            "Ballot Style": ["1", "1", "2", "2"],
            "Governor": ["Ann (DEM)", "OVER VOTE", "under-vote", "Bob (REP)"],
            "Council": ["Gus", "Hal", None, "Gus"],
            "Council ": ["Hal", "undervote", None, "undervote"],
            "Judge": ["write-in:", None, "Write-In: Zoe", "Ida"],
        }
    )
    frame.to_excel(tmp_path / "cvr.xlsx", index=False)
    ballots = quietly(tmp_path / "cvr.xlsx")
    assert ballots["office"].values.tolist() == ["Governor", "Judge"]
    assert votes(ballots) == [["Ann (DEM)", "write-in"], ["no vote", ""], ["no vote", "write-in"], ["Bob (REP)", "Ida"]]
    assert (ballots.attrs["overvotes"], ballots.attrs["left_out"]) == (1, "Council (vote for 2)")
    assert "column 'Council': a voter has 2 votes" in fault(tmp_path / "cvr.xlsx", offices=["Council"])
    ticket = voter_types.recode(ballots, top="Governor", scheme={"Judge": "options"})
    assert ticket["top"].values.tolist() == ["DEM", "REP"]


def test_tables_of_polca(tmp_path):
    ballots = quietly(write(tmp_path, "A,B,C,count\n1,2,1,40\n2,NA,1,3\n1,1,2,7\n10,1,1,1\n"))
    assert ballots.attrs["reader"] == "poLCA"
    assert ballots["choice"].values.tolist() == [[0, 1, 0], [1, -1, 0], [0, 0, 1], [2, 0, 0]]
    assert ballots["option_label"].values[0].tolist() == ["1", "2", "10"]
    assert ballots["weight"].values.tolist() == [40, 3, 7, 1]
    assert "'count' is the weight" in ballots.attrs["notes"]
    assert quietly(write(tmp_path, "A,B\n1,1\n1²2,1\n1,2\n")).attrs["reader"] == "wide"  # digits, and no number


# -------------------------------------------------------------------------------- meaning

BLANKS = "voter,Mayor,Clerk\n1,Ann,Cy\n2,,Cy\n3,Bob,\n4,Ann,Di\n5,,\n"
LONG = "voter,office,choice\n1,Mayor,Ann\n1,Clerk,Cy\n2,Mayor,\n2,Clerk,Cy\n3,Mayor,Bob\n4,Mayor,Ann\n4,Clerk,Di\n"


def test_what_a_blank_means(tmp_path):
    path = write(tmp_path, BLANKS)
    with pytest.warns(ElectionDataWarning, match=r"b.csv, column 'Mayor': blanks are votes that are missing.*blank="):
        ballots = voter_types.read(path)
    known = [["Ann", "Cy"], ["-", "Cy"], ["Bob", "-"], ["Ann", "Di"], ["-", "-"]]
    assert votes(ballots) == known
    assert votes(quietly(path, blank="missing")) == known
    for blank, said in (("abstain", "no vote"), ("not_on_ballot", "")):
        assert votes(quietly(path, blank=blank)) == [[said if vote == "-" else vote for vote in row] for row in known]
    words = BLANKS.replace("1,Ann", "1,no vote")
    assert votes(quietly(write(tmp_path, words)))[:2] == [["no vote", "Cy"], ["-", "Cy"]]  # a word for abstention
    assert "blank" in fault(path, blank="zero")


def test_what_a_blank_means_in_a_long_table(tmp_path):
    path = write(tmp_path, LONG)
    with pytest.warns(ElectionDataWarning) as caught:
        ballots = voter_types.read(path)
    assert ["blanks are votes" in str(caught[0].message), "offices without a row" in str(caught[1].message)] == [
        True
    ] * 2
    known = [["Ann", "Cy"], ["-", "Cy"], ["Bob", "-"], ["Ann", "Di"]]
    assert votes(ballots) == votes(quietly(path, blank="missing", absent="missing")) == known
    found = votes(quietly(path, blank="abstain", absent="off_ballot"))
    assert found == [["Ann", "Cy"], ["no vote", "Cy"], ["Bob", ""], ["Ann", "Di"]]
    found = votes(quietly(path, blank="not_on_ballot", absent="abstain"))
    assert found == [["Ann", "Cy"], ["", "Cy"], ["Bob", "no vote"], ["Ann", "Di"]]
    again = write(tmp_path, LONG + "4,Clerk,Di\n")
    with pytest.warns(ElectionDataWarning, match="row 9: the row repeats row 8"):
        assert votes(voter_types.read(again, blank="missing", absent="missing")) == known
    assert "row 9, column 'choice': a vote for 'Clerk' by this voter again, as in row" in fault(again, repeated="keep")


def test_blanks_of_codes(tmp_path):
    path = write(tmp_path, "y_A,y_B\n1,2\n,2\n2,\n")
    with pytest.warns(ElectionDataWarning, match="nobody abstains"):
        assert voter_types.read(path)["choice"].values.tolist() == [[1, 2], [-1, 2], [2, -1]]
    assert quietly(path, blank="abstain")["choice"].values.tolist() == [[1, 2], [0, 2], [2, 0]]
    with pytest.warns(ElectionDataWarning, match="nobody abstains"):
        off = voter_types.read(path, blank="not_on_ballot")
    assert off["menu"].values.tolist() == [[1, 1], [0, 1], [1, 0]]
    menus = write(tmp_path, "y_A,m_A\n2,3\n,3\n,0\n")
    assert quietly(menus, blank="abstain")["choice"].values.tolist() == [[2], [0], [-1]]
    codes = write(tmp_path, "A,B\n0.0,1\n2.0,\n,2\n")  # as pandas writes whole numbers with gaps
    assert quietly(codes, scheme="ticket", blank="missing")["choice"].values.tolist() == [[0, 1], [2, -1], [-1, 2]]


@pytest.mark.parametrize("none", ["undervote", "under vote", "UNDERVOTE", "Under-Votes"])
@pytest.mark.parametrize("over", ["overvote", "OVER VOTE"])
def test_words(tmp_path, none, over):
    wide = f"voter,Mayor\n1,Ann\n2,{none}\n3,{over}\n4,write-in\n5,WRITEIN\n6,Write-in: Zoe\n"
    ballots = quietly(write(tmp_path, wide))
    assert votes(ballots) == [["Ann"], ["no vote"], ["no vote"], ["write-in"], ["write-in"], ["write-in"]]
    assert ballots.attrs["overvotes"] == 1
    missing = quietly(write(tmp_path, wide), overvote="missing")
    assert votes(missing)[2] == ["-"]
    long = "voter,office,choice\n" + "".join(f"{i},Mayor,{row[0]}\n" for i, row in enumerate(wide_rows(wide)))
    assert votes(quietly(write(tmp_path, long))) == votes(ballots)
    frame = pd.DataFrame({"Mayor": [row[0] for row in wide_rows(wide)]})
    assert votes(quietly(frame, offices=["Mayor"])) == votes(ballots)


def wide_rows(text):
    return [line.split(",")[1:] for line in text.splitlines()[1:]]


def test_a_word_for_abstention_keeps_its_name(tmp_path):
    ballots = quietly(write(tmp_path, "A,B\nx,none\ny,z\nx,z\n,z\n"))
    assert ballots["option_label"].values.tolist() == [["x", "y"], ["none", "z"]]


def test_columns_that_are_no_offices(tmp_path):
    many = "name,Mayor,score,nickname,Precinct\n" + "".join(
        f"n{i},{'AB'[i % 2]},{i / 7:.2f},k{i % 13},P{i % 3}\n" for i in range(20)
    )
    with pytest.warns(ElectionDataWarning) as caught:
        ballots = voter_types.read(write(tmp_path, many))
    said = "\n".join(str(one.message) for one in caught)
    assert ballots["office"].values.tolist() == ["Mayor"]
    for name in ("name", "score", "nickname"):
        assert f"column {name!r}" in said
        assert ballots[name].dims == ("voter",)
    assert "'Precinct'" not in said
    assert "stay with the voters: name, score, nickname, Precinct" in ballots.attrs["notes"]
    for name in ("name", "nickname"):
        assert f"column {name!r}: the column has" in fault(write(tmp_path, many), offices=["Mayor", name])
    parts = [part["office"].values.tolist() for part in voter_types.stream(write(tmp_path, many), chunk=7)]
    assert parts == [["Mayor"]] * 3


def test_covariates_of_text_and_numbers(tmp_path):
    text = "voter,Mayor,share,age\n" + "".join(f"{i},{'AB'[i % 2]},{i + 10}%,{30 + i}\n" for i in range(6))
    ballots = quietly(write(tmp_path, text), covariates=["share", "age"])
    np.testing.assert_allclose(ballots["covariate"].values[:2], [[0.10, 30], [0.11, 31]])
    wrong = write(tmp_path, text.replace(",33\n", ",Not a number\n"))
    assert "row 5, column 'age': 'Not a number' is not a number" in fault(wrong, covariates=["age"])
    levels = quietly(write(tmp_path, text.replace("%", "th")), covariates=["share", "age"])
    assert levels["term"].values.tolist()[::5] == ["share[11th]", "age"]


def test_a_number_that_is_none(tmp_path):
    text = "A,B\n1,2\n2,3\n3,1\n1,Not a number\n2,2\n"
    assert "row 5, column 'B': 'Not a number' is not a number" in fault(write(tmp_path, text))
    assert votes(quietly(write(tmp_path, text.replace("Not a number", "undervote"))))[3] == ["1", "no vote"]
    ages = "Mayor,age\n" + "".join(f"{'AB'[i % 2]},{20 + i % 40}\n" for i in range(200))
    with pytest.warns(ElectionDataWarning, match="column 'age': the column has 40 different numbers"):
        assert voter_types.read(write(tmp_path, ages))["office"].values.tolist() == ["Mayor"]
    assert quietly(write(tmp_path, ages), offices=["Mayor", "age"]).sizes["option"] == 40


def test_ballots_that_are_alike_and_sums(tmp_path):
    alike = quietly(write(tmp_path, "A,B\nx,y\nx,y\nx,y\nz,y\n"))
    assert alike.sizes["voter"] == 4  # ballots are secret
    blank = quietly(write(tmp_path, "A,B\nx,y\n,\nz,y\nz,\n"), blank="abstain")
    assert votes(blank) == [["x", "y"], ["no vote", "no vote"], ["z", "y"], ["z", "no vote"]]
    summed = write(tmp_path, "voter,A,weight\n1,x,2\n2,y,3\n3,x,1\nTotal,,6\n")
    with pytest.warns(ElectionDataWarning, match="'Total'"):
        assert voter_types.read(summed).sizes["voter"] == 3
    assert "row 5" in fault(summed, totals="refuse")
    years = write(tmp_path, "voter,year,A\n1,2016,x\n2,2020,y\n3,2020,x\n")
    assert "several elections: 2016, 2020" in fault(years)
    assert votes(quietly(years, where={"year": 2020})) == [["y"], ["x"]]


def test_options_of_tables(tmp_path):
    text = "Ballots of Springfield\nno;Bürgermeister;Gewicht;Ort\n1;Ann;1,5;N\n2;Bob;2;N\n3;Ann;1;S\n"
    path = tmp_path / "b.csv"
    path.write_bytes(text.encode("cp1252"))
    options = {"columns": {"voter": "no", "weight": "Gewicht", "Mayor": "Bürgermeister"}, "where": {"Ort": "N"}}
    for ballots in (quietly(path, **options), *voter_types.stream(path, chunk=9, **options)):
        assert votes(ballots) == [["Ann"], ["Bob"]]
        assert ballots["weight"].values.tolist() == [1.5, 2]
        assert ballots["row"].values.tolist() == [3, 4]
        assert "'Gewicht' is weight" in ballots.attrs["notes"]
    assert "no sheet" not in fault(path, header=9)
    assert "Orte" in fault(path, where={"Orte": "N"})


# -------------------------------------------------------------------------------- sources


def test_every_table_is_read_alike(tmp_path):
    frame = pd.DataFrame({"voter": ["a", "b", "c"], "Mayor": ["Ann", None, "Bob"], "Clerk": ["Cy", "Cy", "Di"]})
    frame.to_csv(tmp_path / "b.csv", index=False)
    frame.to_excel(tmp_path / "b.xlsx", index=False)
    table = pa.Table.from_pandas(frame)
    pq.write_table(table, tmp_path / "b.parquet")
    expected = quietly(tmp_path / "b.csv", blank="abstain")
    assert votes(expected) == [["Ann", "Cy"], ["no vote", "Cy"], ["Bob", "Di"]]
    for source in (frame, pl.from_pandas(frame), table, tmp_path / "b.xlsx", tmp_path / "b.parquet"):
        ballots = quietly(source, blank="abstain")
        xr.testing.assert_identical(ballots.drop_vars("row").drop_attrs(), expected.drop_vars("row").drop_attrs())
        parts = list(voter_types.stream(source, chunk=2, blank="abstain"))
        assert [part["choice"].values.tolist() for part in parts] == [[[1, 1], [0, 1]], [[2, 2]]]
    assert quietly(expected, name="again").attrs["name"] == "again"
    assert quietly(expected, offices=["Clerk"])["office"].values.tolist() == ["Clerk"]
    for options, said in (({"blank": "abstain"}, "blank="), ({"offices": ["Mayer"]}, "did you mean Mayor")):
        with pytest.raises(ElectionDataError, match=said):
            voter_types.read(expected, **options)
    with pytest.raises(ElectionDataError, match="found int"):
        voter_types.read(3)


def test_a_long_frame(tmp_path):
    frame = pd.DataFrame({"cvr_id": [1, 1, 2], "contest": ["M", "C", "M"], "candidate": ["Ann", "Cy", "overvote"]})
    ballots = quietly(frame, absent="off_ballot")
    assert votes(ballots) == [["Ann", "Cy"], ["no vote", ""]]
    assert ballots.attrs["overvotes"] == 1


def test_streams_choose_rows_and_know_all_options(tmp_path):
    path = write(tmp_path, CODED)
    whole = quietly(path, where={"precinct": "P2"}, covariates=["party"])
    parts = list(voter_types.stream(path, where={"precinct": "P2"}, covariates=["party"], chunk=1))
    assert whole["term"].values.tolist() == ["party[S]"]
    joined = xr.concat(parts, dim="voter", data_vars="minimal", coords="minimal", compat="equals", join="exact")
    xr.testing.assert_equal(joined, whole)
    with pytest.raises(ElectionDataError, match="no row has the value 'P3'"):
        list(voter_types.stream(path, where={"precinct": "P3"}))


# -------------------------------------------------------------------------------- several votes


@pytest.mark.parametrize(
    ("names", "cell", "said"),
    [
        ("Council (Vote For=2)", "{a}", "a voter has 2 votes"),
        ("Council", "{a};{b}", "cells such as '[AB];[AB]' hold several votes"),
        ("Council", "{a} | {b}", "hold several votes"),
        ("Senate Choice 1,Senate Choice 2", "{a},{b}", "it is a further rank of 'Senate Choice 1'"),
        ("Senate 1st choice,Senate 2nd choice", "{a},{b}", "it is a further rank of 'Senate 1st choice'"),
    ],
)
def test_columns_of_several_votes_are_no_office(tmp_path, names, cell, said):
    rows = "".join(f"{'xy'[i % 2]},{cell.format(a='AB'[i % 2], b='ABB'[i % 3])}\n" for i in range(12))
    rows += "x,A\n" if "," not in cell else ""
    with pytest.warns(ElectionDataWarning, match=said):
        ballots = voter_types.read(write(tmp_path, f"Mayor,{names}\n{rows}"))
    assert ballots["office"].values.tolist() == ["Mayor", *(names.split(",")[:1] if "," in names else [])]


def test_options_that_differ_by_case_alone_are_told(tmp_path):
    with pytest.warns(ElectionDataWarning, match="column 'Mayor': option 'Ann' differs from 'ANN' by case alone"):
        voter_types.read(write(tmp_path, "Mayor\n" + "Ann\nANN\nBob\n" * 3))


def test_why_no_column_is_an_office(tmp_path):
    with pytest.warns(ElectionDataWarning, match="another value in every row"):
        said = fault(write(tmp_path, "voter,Mayor\n1,Ann\n2,Bob\n3,Cy\n"))
    assert "no column is an office ('Mayor': the column has another value in every row)" in said


def test_ranks_of_a_long_table_are_chosen(tmp_path):
    path = write(tmp_path, "voter,office,rank,choice\n1,Mayor,1,Ann\n1,Mayor,2,Bob\n2,Mayor,1,Bob\n")
    assert "choose first ranks with where={'rank': 1}" in fault(path)
    assert votes(quietly(path, where={"rank": 1})) == [["Ann"], ["Bob"]]
