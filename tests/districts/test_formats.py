"""Formats that people bring, a small fixture each: facts of the layout alone, names and figures are made up."""

import gzip
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

import electjax
from electjax.data.notes import notes_of
from electjax.districts.readers import READERS


def file(tmp_path, text, name="r.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def read(tmp_path, text, encoding="utf-8", **options):
    return electjax.districts.read(file(tmp_path, text, encoding=encoding), **options)


def votes(election):
    """Votes by district and party, where the party stood."""
    stood = election.get("stood", xr.ones_like(election["votes"], bool)).values
    return {
        d: {p: int(election["votes"].values[i, j]) for j, p in enumerate(election["party"].values) if stood[i, j]}
        for i, d in enumerate(election["district"].values.tolist())
    }


def winners(election):
    return dict(zip(election["district"].values.tolist(), election["winner"].values.tolist(), strict=True))


def refused(tmp_path, text, *parts, **options):
    with pytest.raises(electjax.ElectionDataError) as caught:
        read(tmp_path, text, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == []


# ---------------------------------------------------------------- MIT Election Lab

SENATE = """year,state,state_po,office,district,stage,special,candidate,party_detailed,party_simplified,mode,\
candidatevotes,totalvotes
2020,IOWA,IA,US SENATE,statewide,GEN,FALSE,CAND A,DEMOCRAT,DEMOCRAT,TOTAL,40,101
2020,IOWA,IA,US SENATE,statewide,GEN,FALSE,CAND B,REPUBLICAN,REPUBLICAN,TOTAL,60,102
2020,OHIO,OH,US SENATE,statewide,GEN,FALSE,CAND C,DEMOCRAT,DEMOCRAT,TOTAL,7,10
2020,OHIO,OH,US SENATE,statewide,GEN,FALSE,NA,NA,NA,TOTAL,3,10
"""


def test_senate_returns_are_of_states_and_a_few_votes_of_difference_warn(tmp_path):
    with pytest.warns(electjax.ElectionDataWarning, match="'IOWA' sum to 100, not 102: a few votes are elsewhere"):
        election = read(tmp_path, SENATE)
    assert winners(election) == {"IOWA": "REPUBLICAN", "OHIO": "DEMOCRAT"}
    assert votes(election)["OHIO"] == {"DEMOCRAT": 7, "others": 3}


def test_house_returns_with_an_at_large_district_in_latin_1(tmp_path):
    text = (
        "year,state,state_po,office,district,candidate,party,party_simplified,candidatevotes,totalvotes\n"
        "2018,WYOMING,WY,US HOUSE,0,PEÑA,REPUBLICAN,REPUBLICAN,9,9\n"
        "2018,IOWA,IA,US HOUSE,1,B\x90,DEMOCRAT,DEMOCRAT,5,5\n"
        "2018,IOWA,IA,US HOUSE,2,C,DEMOCRAT,DEMOCRAT,5,5\n"
    )
    election = read(tmp_path, text, encoding="latin-1")
    assert election["district"].values.tolist() == ["WYOMING 0", "IOWA 1", "IOWA 2"]
    assert "Latin-1" in election.attrs["notes"]


PRECINCTS = """precinct,office,party_detailed,party_simplified,mode,votes,county_name,candidate,district,magnitude,\
year,stage,state,special,writein,state_po
P1,GOVERNOR,DEMOCRAT,DEMOCRAT,TOTAL,11,KENT,CAND A,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,DEMOCRAT,DEMOCRAT,EARLY,5,KENT,CAND A,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,DEMOCRAT,DEMOCRAT,MAIL,6,KENT,CAND A,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,REPUBLICAN,REPUBLICAN,EARLY,4,KENT,CAND B,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,REPUBLICAN,REPUBLICAN,MAIL,9,KENT,CAND B,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,DEMOCRAT,DEMOCRAT,TOTAL,20,SUSSEX,CAND A,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,REPUBLICAN,REPUBLICAN,TOTAL,2,SUSSEX,CAND B,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,,,TOTAL,99,SUSSEX,OVERVOTES,,1,2022,GEN,DELAWARE,FALSE,FALSE,DE
P1,GOVERNOR,,,TOTAL,1,SUSSEX,WRITEIN,,1,2022,GEN,DELAWARE,FALSE,TRUE,DE
"""


def test_modes_are_summed_unless_their_total_is_there(tmp_path):
    election = read(tmp_path, PRECINCTS, nota="drop")
    assert votes(election) == {"DELAWARE": {"DEMOCRAT": 31, "REPUBLICAN": 15, "others": 1}}
    assert "2 rows of single modes left out" in election.attrs["notes"]
    assert votes(read(tmp_path, PRECINCTS))["DELAWARE"]["others"] == 100  # spoilt ballots win nothing, as NOTA
    county = read(tmp_path, PRECINCTS, nota="drop", district="county_name")
    assert winners(county) == {"KENT": "REPUBLICAN", "SUSSEX": "DEMOCRAT"}
    precinct = read(tmp_path, PRECINCTS, nota="drop", district="precinct")
    assert precinct["district"].values.tolist() == ["P1 (KENT)", "P1 (SUSSEX)"]


# ---------------------------------------------------------------- OpenElections

OPEN = """county,precinct,office,district,party,candidate,votes
Adams,North,State House,1,DEM,Ann,"1,346"
Adams,North,State House,1,REP,Bob,998
Adams,South,State House,1,DEM,Ann,2
Adams,South,State House,1,REP,Bob,*
Adams,Total,State House,1,DEM,Ann,"1,348"
Adams,North,Governor,,DEM,Cy,7
Adams,North,Governor,,REP,Di,8
Brown,East,Governor,,DEM,Cy,9
Brown,East,Governor,,REP,Di,1
Brown,East,Governor,,,Under Votes,4
"""


def test_openelections(tmp_path):
    house = {"where": {"office": "State House"}}
    refused(tmp_path, OPEN, "several elections: State House, Governor", "where=")
    refused(tmp_path, OPEN, "row 5, column 'votes'", "'*' is a suppressed number", **house, totals="drop")
    with pytest.warns(electjax.ElectionDataWarning, match="1 total rows left out, the first is 'Total'"):
        election = read(tmp_path, OPEN, **house, suppressed=3)
    assert votes(election) == {"1": {"DEM": 1348, "REP": 1001}}
    refused(tmp_path, OPEN, "no row has a district", "district='county'", where={"office": "Governor"}, totals="drop")
    counties = read(tmp_path, OPEN, where={"office": "Governor"}, district="county", nota="drop")
    assert winners(counties) == {"Adams": "REP", "Brown": "DEM"}


def test_rows_of_a_county_that_add_up_its_precincts_are_refused(tmp_path):
    text = (
        "county,precinct,party,candidate,district,votes\nAdams,North,DEM,Ann,1,5\nAdams,South,DEM,Ann,1,6\n"
        "Adams,North,REP,Bob,1,7\nAdams,,DEM,Ann,1,11\nAdams,,REP,Bob,1,7\n"
    )
    refused(tmp_path, text, "row 5, column 'precinct': rows without precinct add up", "totals='drop'")
    with pytest.warns(electjax.ElectionDataWarning, match="add up those with one: 2 left out"):
        assert votes(read(tmp_path, text, totals="drop")) == {"1": {"DEM": 11, "REP": 7}}
    assert votes(read(tmp_path, text, totals="keep")) == {"1": {"DEM": 22, "REP": 14}}


# ---------------------------------------------------------------- United Kingdom

WIDE = """ONS ID,Constituency name,Region name,Constituency type,First party,Electorate,Valid votes,Invalid votes,\
Majority,Con,Lab,SNP,All other candidates,Of which other winner
W1,Aberavon,Wales,County,Lab,"50,750","31,598",60,"10,490","6,518","17,008",,"8,072",0
S1,Angus,Scotland,County,SNP,"63,952","43,170",45,"3,795","17,421","2,051","21,216","2,482",0
"""


def test_house_of_commons_library_wide(tmp_path):
    election = read(tmp_path, WIDE)
    assert set(election["party"].values) == {"Con", "Lab", "SNP", "others"}
    assert votes(election)["Aberavon"] == {"Con": 6518, "Lab": 17008, "others": 8072}
    assert winners(election) == {"Aberavon": "Lab", "Angus": "SNP"}
    assert election["electors"].values.tolist() == [50750, 63952]
    assert "columns not used:" in election.attrs["notes"]
    assert "Majority" in election.attrs["notes"]
    chosen = read(tmp_path, WIDE, parties=["Con", "Lab", "SNP"])
    assert "others" not in chosen["party"].values


def test_house_of_commons_library_long(tmp_path):
    text = (
        "Constituency name,Party name,Party abbreviation,Candidate first name,Candidate surname,Votes,Share\n"
        "Aberavon,Labour,Lab,Ann,Moss,17008,.6\n"
        "Aberavon,Independent,Ind,Bob,Reed,5000,.2\n"
        "Aberavon,Independent,Ind,Cy,Reed,6000,.2\n"
        "Angus,Labour,Lab,Ann,Moss,10,1\n"
    )
    election = read(tmp_path, text)
    assert votes(election) == {"Aberavon": {"Labour": 17008, "others": 11000}, "Angus": {"Labour": 10}}
    assert "column 'Votes' is" not in election.attrs["notes"]
    assert "column 'Constituency name' is the district" in election.attrs["notes"]


# ---------------------------------------------------------------- Canada

CANADA = """Official voting results
Electoral district name/Nom de circonscription,Electoral district number,Candidate/Candidat,\
Political affiliation/Appartenance,Votes obtained/Votes obtenus
Montréal,24001,Léa Roy **,Bloc Québécois,1200
Montréal,24001,Max Cole (Elected),Liberal,2400
Avalon,10001,Ann Hill,Liberal,100
Avalon,10001,Bob Hay,Independent,30
** incumbent
"""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_elections_canada(tmp_path, encoding):
    election = read(tmp_path, CANADA, encoding=encoding)
    assert votes(election) == {
        "Montréal": {"Liberal": 2400, "Bloc Québécois": 1200},
        "Avalon": {"Liberal": 100, "others": 30},
    }
    for said in ("row 1 is above the header", "row 7 below the table", "marks at names of candidates"):
        assert said in election.attrs["notes"]


IN_CELLS = """Province,Electoral District Name/Nom de circonscription,\
Electoral District Number/Numéro de circonscription,\
Candidate/Candidat,Votes Obtained/Votes obtenus,Percentage of Votes Obtained /Pourcentage des votes obtenus
NL,Avalon,10001,Ann Hill ** Liberal/Libéral,120,60.0
NL,Avalon,10001,Bob van Hay NDP-New Democratic Party/NPD-Nouveau Parti démocratique,80,40.0
QC,Montréal,24001,Léa Roy Liberal/Libéral,90,30.0
QC,Montréal,24001,Max Cole NDP-New Democratic Party/NPD-Nouveau Parti démocratique,150,50.0
QC,Montréal,24001,Al Oh Rhinoceros/Rhinocéros,30,10.0
QC,Montréal,24001,Di Dy Independent/Indépendant,30,10.0
QC,Québec,24002,Ed Ek Liberal/Libéral,70,70.0
QC,Québec,24002,Flo Fay NDP-New Democratic Party/NPD-Nouveau Parti démocratique,30,30.0
"""


def test_elections_canada_with_parties_in_the_cells_of_candidates(tmp_path):
    election = read(tmp_path, IN_CELLS, independents="party")
    ndp = "NDP-New Democratic Party"
    assert votes(election) == {
        "Avalon": {"Liberal": 120, ndp: 80},
        "Montréal": {"Liberal": 90, ndp: 150, "Rhinocéros": 30, "IND": 30},
        "Québec": {"Liberal": 70, ndp: 30},
    }
    assert election["winner"].values.tolist() == ["Liberal", ndp, "Liberal"]
    assert f"parties are told from the cells of candidates: Liberal, {ndp}, Rhinocéros, Independent" in notes_of(
        election
    )
    refused(
        tmp_path, IN_CELLS.replace("Al Oh Rhinoceros/Rhinocéros", "Al Oh Rhinoceros"), "row 6", "no party in 'Al Oh"
    )


# ---------------------------------------------------------------- Germany

KERG = """Wahlart;Wahltag;Gebietsart;Gebietsnummer;Gebietsname;Gruppenart;Gruppenname;Stimme;Anzahl;Prozent
BT;26.09.2021;Bund;99;Bundesgebiet;Partei;SPD;1;2.344;52,1
BT;26.09.2021;Wahlkreis;1;Nord;System-Gruppe;Wahlberechtigte;;5.000;
BT;26.09.2021;Wahlkreis;1;Nord;Partei;SPD;1;1.346;60,5
BT;26.09.2021;Wahlkreis;1;Nord;Partei;SPD;2;900;40,5
BT;26.09.2021;Wahlkreis;1;Nord;Partei;CDU;1;800;36,0
BT;26.09.2021;Wahlkreis;1;Nord;Partei;CDU;2;1.200;50,0
BT;26.09.2021;Wahlkreis;1;Nord;Einzelbewerber/Wählergruppe;EB: Ohm;1;54;3,5
BT;26.09.2021;Wahlkreis;2;Süd;System-Gruppe;Wahlberechtigte;;4.000;
BT;26.09.2021;Wahlkreis;2;Süd;Partei;SPD;1;998;50,0
BT;26.09.2021;Wahlkreis;2;Süd;Partei;SPD;2;998;50,0
BT;26.09.2021;Wahlkreis;2;Süd;Partei;CDU;1;;
BT;26.09.2021;Wahlkreis;2;Süd;Partei;CDU;2;997;50,0
"""


def test_kerg2_of_germany(tmp_path):
    refused(tmp_path, KERG, "a voter has two votes: 1, 2", "ballot='1'")
    first = read(tmp_path, KERG, ballot="1")
    assert votes(first) == {"Nord": {"SPD": 1346, "CDU": 800, "others": 54}, "Süd": {"SPD": 998}}
    assert first["electors"].values.tolist() == [5000, 4000]
    second = read(tmp_path, KERG, where={"Stimme": 2})
    assert winners(second) == {"Nord": "CDU", "Süd": "SPD"}


def test_two_votes_in_columns(tmp_path):
    text = (
        "Wahlkreis;Wahlberechtigte;SPD;;CDU;\n;;Erststimmen;Zweitstimmen;Erststimmen;Zweitstimmen\n"
        "Nord;5.000;1.346;900;800;1.200\nSüd;4.000;998;998;997;999\n"
    )
    refused(tmp_path, text, "columns of two votes", "ballot='erststimme'", header=[1, 2])
    election = read(tmp_path, text, ballot="Zweitstimmen", header=[1, 2])
    assert votes(election) == {"Nord": {"CDU": 1200, "SPD": 900}, "Süd": {"CDU": 999, "SPD": 998}}
    long = "Wahlkreis;Partei;Erststimmen;Zweitstimmen\nNord;SPD;1.346;900\nNord;CDU;800;1.200\n"
    assert winners(read(tmp_path, long, columns={"votes": "Zweitstimmen"})) == {"Nord": "CDU"}


# ---------------------------------------------------------------- Form 20, other tables

FORM_20 = """Serial No. of Polling Station,No of valid votes cast in favour of,,,Total of Valid Votes,\
No. Of Rejected Votes,NOTA,Total
,BJP,INC,IND,,,,
1,10,20,3,33,1,4,38
2,30,5,,35,0,2,37
Total,40,25,3,68,1,6,75
"""


def test_form_20_is_a_district_a_booth(tmp_path):
    with pytest.warns(electjax.ElectionDataWarning, match="1 total rows left out"):
        election = read(tmp_path, FORM_20, district="Serial No. of Polling Station", header=[1, 2])
    assert votes(election) == {"1": {"BJP": 10, "INC": 20, "others": 7}, "2": {"BJP": 30, "INC": 5, "others": 2}}


def test_a_column_that_adds_up_the_others_is_no_party(tmp_path):
    text = "constituency,Lab,Con,Alle\nX,10,5,15\nY,3,7,10\n"
    refused(tmp_path, text, "column 'Alle': the column adds up the others", "parties=[...]")
    assert read(tmp_path, text, parties=["Lab", "Con"]).sizes["party"] == 2


def test_shares_are_multiplied_by_their_total_or_refused(tmp_path):
    text = "district,party,share,ballots\nX,A,.6,100\nX,B,.4,100\nY,A,.25,40\nY,B,.75,40\n"
    shares = {"columns": {"votes": "share"}}
    refused(tmp_path, text, "not a whole number", "total=", **shares)
    assert votes(read(tmp_path, text, **shares, total="ballots")) == {"X": {"A": 60, "B": 40}, "Y": {"B": 30, "A": 10}}
    wide = "district,votes_A,votes_B,n\nX,60%,40%,100\nY,25%,75%,40\n"
    assert votes(read(tmp_path, wide, total="n"))["Y"] == {"B": 30, "A": 10}
    refused(tmp_path, "district,party,votes,n\nX,A,600,1000\n", "600 is no share", total="n")


def test_winners_by_a_mark(tmp_path):
    text = "district,party,candidate,votes,elected\nX,A,a,5,yes\nX,B,b,5,no\nY,A,c,3,no\nY,B,d,1,yes\n"
    assert winners(read(tmp_path, text)) == {"X": "A", "Y": "B"}
    refused(tmp_path, text.replace("b,5,no", "b,5,yes"), "row 3, column 'elected'", "'X' has 2 winners")


def test_two_winners_of_indian_returns_are_refused(tmp_path):
    head = "State_Name,Assembly_No,Constituency_No,Constituency_Name,Year,Poll_No,Position,Party,Votes,Electors,ENOP\n"
    rows = "Goa,1,1,X,{year},0,1,A,10,90,2\nGoa,1,1,X,{year},0,{place},B,9,90,2\nGoa,1,1,X,{year},0,3,C,1,90,2\n"
    refused(tmp_path, head + rows.format(year=1970, place=1), "two winners in 'X', in rows 2 and 3")
    with pytest.warns(electjax.ElectionDataWarning, match="districts of two members"):
        read(tmp_path, head + rows.format(year=1957, place=2))


def test_columns_may_be_called_anything(tmp_path):
    text = "Ort;Liste;Zahl\nX;A;3\nX;B;2\n"
    refused(tmp_path, text, "unknown columns: Ort, Liste, Zahl", "columns={")
    election = read(tmp_path, text, columns={"district": "Ort", "party": "Liste", "votes": "Zahl"})
    assert votes(election) == {"X": {"A": 3, "B": 2}}
    assert "'Ort' is district" in election.attrs["notes"]


def test_rows_of_precincts_are_summed(tmp_path):
    long = "district,precinct,party,votes\nX,1,A,3\nX,2,A,4\nX,1,B,1\nX,2,B,\n"
    assert votes(read(tmp_path, long)) == {"X": {"A": 7, "B": 1}}
    wide = "district,precinct,votes_A,votes_B\nX,1,3,1\nX,2,4,\n"
    assert votes(read(tmp_path, wide)) == {"X": {"A": 7, "B": 1}}


def test_frames_datasets_and_files_of_any_kind_are_read_alike(tmp_path):
    table = {"district": ["X", "X", "Y"], "party": ["A", "B", "A"], "votes": [3, 2, 5]}
    text = "district,party,votes\nX,A,3\nX,B,2\nY,A,5\n"
    packed = tmp_path / "r.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    pl.DataFrame(table).write_parquet(tmp_path / "r.parquet")
    pd.DataFrame(table).to_excel(tmp_path / "r.xlsx", index=False)
    sources = [pd.DataFrame(table), pl.DataFrame(table), pa.table(table), packed]
    first = read(tmp_path, text)
    for name in ("r.nc", "r.zarr"):
        xr.testing.assert_identical(electjax.districts.read(electjax.districts.save(first, tmp_path / name)), first)
    xr.testing.assert_identical(electjax.districts.read(first), first)
    for source in [*sources, tmp_path / "r.parquet", tmp_path / "r.xlsx"]:
        xr.testing.assert_equal(electjax.districts.read(source), first)


# ---------------------------------------------------------------- large tables


@pytest.mark.ci
def test_a_million_rows_and_many_parties_are_read_in_seconds(tmp_path):
    rng = np.random.default_rng(0)
    rows, districts = 300_000, 10_000
    home, polled = rng.integers(0, districts, rows), rng.integers(1, 10**5, rows)
    table = pa.table(
        {
            "district": [f"D{d}" for d in home],
            "party": [f"P{p}" for p in rng.integers(0, 9, rows)],
            "candidate": [f"C{k}" for k in range(rows)],
            "votes": polled,
        }
    )
    start = time.process_time()
    election = electjax.districts.read(table)
    assert time.process_time() - start < 20
    assert int(election["votes"].sum()) == int(polled.sum())
    most = np.zeros(districts, np.int64)
    np.maximum.at(most, home, polled)
    assert election.sizes["district"] == len(np.unique(home))
    wide = pa.table({"district": ["X", "Y"], **{f"P{k}": [k + 1, 2 * k + 1] for k in range(20_000)}})
    start = time.process_time()
    election = electjax.districts.read(wide)
    assert time.process_time() - start < 30
    assert winners(election) == {"X": "P19999", "Y": "P19999"}


def test_each_reader_has_a_name_and_a_layout():
    assert len({reader.name for reader in READERS}) == len(READERS) >= 6


# ---------------------------------------------------------------- districts without a poll


@pytest.mark.parametrize("cell", ["", "0", "unopposed", "Uncontested", "Elected unopposed", "walk-over", "-"])
@pytest.mark.parametrize("candidates", [False, True])
@pytest.mark.filterwarnings("ignore::electjax.ElectionDataWarning")
def test_a_seat_that_one_candidate_won_without_a_poll(tmp_path, cell, candidates):
    rows = [("X", "A", "Ann", "60"), ("X", "B", "Bob", "40"), ("Y", "A", "Cy", cell), ("Z", "B", "Di", "9")]
    names = ["district", "party", "candidate", "votes"]
    kept = [k for k in range(4) if candidates or k != 2]
    text = "\n".join(",".join(row[k] for k in kept) for row in (names, *rows))
    refused(tmp_path, text, "row 4", "district 'Y' has no votes (only 'A' stood)", "uncontested='drop'")
    election = read(tmp_path, text, uncontested="drop")
    assert election["district"].values.tolist() == ["X", "Z"]
    assert "1 districts without votes left out: Y (only 'A' stood)" in notes_of(election)
    said = any("1 cells say that there was no poll" in note for note in notes_of(election))
    assert said == (cell[-1:].isalpha())


@pytest.mark.filterwarnings("ignore::electjax.ElectionDataWarning")
def test_a_district_without_a_poll_in_a_wide_table(tmp_path):
    text = "district,votes_A,votes_B\nX,6,4\nY,unopposed,\nZ,1,2\n"
    refused(tmp_path, text, "row 3", "district 'Y' has no votes (only 'A' stood)")
    assert read(tmp_path, text, uncontested="drop").sizes["district"] == 2


def test_labels_that_differ_by_case_alone_are_told(tmp_path):
    text = "district,party,votes\nLeeds,Lab,10\nLeeds,Con,5\nYork,LAB,3\nYork,Con,4\n"
    with pytest.warns(electjax.ElectionDataWarning, match="party 'LAB' differs from 'Lab' by case alone"):
        election = read(tmp_path, text)
    assert any("'LAB' differs from 'Lab'" in note for note in notes_of(election))


def test_a_total_at_the_top_is_refused(tmp_path):
    text = "district,votes_A,votes_B\nUK,8,6\nX,5,4\nY,3,2\n"
    refused(tmp_path, text, "row 2", "district 'UK' adds up the districts below it", "totals='drop'")


def test_columns_of_several_years_are_several_elections(tmp_path):
    text = "district,A 2016,B 2016,A 2020,B 2020\nX,10,20,3,4\nY,5,30,5,6\n"
    refused(tmp_path, text, "columns of several years: 2016, 2020", "ballot='2020'")
    assert votes(read(tmp_path, text, ballot="2020")) == {"X": {"A": 3, "B": 4}, "Y": {"A": 5, "B": 6}}
    text = "district,party,votes_2016,votes_2020\nX,A,1,2\nX,B,5,3\n"
    refused(tmp_path, text, "several years: 2016, 2020", "columns={'votes': 'votes_2020'}")
    assert votes(read(tmp_path, text, columns={"votes": "votes_2016"})) == {"X": {"A": 1, "B": 5}}


def test_votes_for_nobody_are_no_party(tmp_path):
    wide = "district,Ann,Bob,Write-in,Undervotes,Overvotes,Ballots cast\nX,10,5,1,2,1,19\nY,3,4,1,0,0,8\n"
    rows = [("Ann", 10, 3), ("Bob", 5, 4), ("Write-in", 1, 1), ("Undervotes", 2, 0), ("Overvotes", 1, 0)]
    tidy = "district,party,votes\n" + "".join(f"X,{p},{x}\nY,{p},{y}\n" for p, x, y in rows)
    for text in (wide, tidy):
        election = read(tmp_path, text)
        assert votes(election)["X"] == {"Ann": 10, "Bob": 5, "others": 4}
        assert "3 votes for none of the candidates are counted with others" in str(notes_of(election))
        assert votes(read(tmp_path, text, nota="drop"))["X"] == {"Ann": 10, "Bob": 5, "others": 1}
    summed = "district,candidate,party,votes\nX,Ann,A,10\nX,Bob,B,5\nX,Ballots Cast,,15\nY,Ann,A,1\nY,Bob,B,2\n"
    with pytest.warns(electjax.ElectionDataWarning, match="1 total rows left out, the first is 'Ballots Cast'"):
        assert votes(read(tmp_path, summed))["X"] == {"A": 10, "B": 5}


@pytest.mark.parametrize("text", ["district,party,votes\nX,A,9\nX,B,*\n", "district,votes_A,votes_B\nX,9,*\n"])
def test_who_has_suppressed_votes_stood(tmp_path, text):
    refused(tmp_path, text, "'*' is a suppressed number", "pass suppressed= the number", suppressed="missing")
    assert votes(read(tmp_path, text, suppressed=3)) == {"X": {"A": 9, "B": 3}}


def test_names_that_look_the_same_are_the_same(tmp_path):
    names = ["Qu\u00e9bec", "Que\u0301bec", "\u200fQu\u00e9bec\u200b", "Qu\u00e9\u00adbec"]
    text = "district,party,votes\n" + "".join(f"{name},{party},9\n" for name, party in zip(names, "ABCD", strict=True))
    assert votes(read(tmp_path, text)) == {"Qu\u00e9bec": dict.fromkeys("ABCD", 9)}
    assert votes(read(tmp_path, text, where={"district": names[1]})) == {"Qu\u00e9bec": dict.fromkeys("ABCD", 9)}
    word = "\u0915\u094d\u200d\u0937"  # a joiner that is seen
    assert list(votes(read(tmp_path, f"district,party,votes\n{word},A,1\n"))) == [word]


def test_a_stage_of_some_rows_alone_is_another_election(tmp_path):
    text = "district,stage,party,votes\nX,,A,10\nX,,B,5\nY,runoff,A,3\nY,runoff,B,4\n"
    refused(tmp_path, text, "column 'stage': the file holds several elections: runoff, and rows with a blank")
    assert list(votes(read(tmp_path, text, where={"stage": None}))) == ["X"]


def test_a_party_that_is_the_sum_of_all_is_refused(tmp_path):
    text = "district,party,votes\nX,A,10\nX,B,5\nX,Turnout,15\nY,A,3\nY,B,4\nY,Turnout,7\n"
    refused(tmp_path, text, "row 4, column 'party'", "'Turnout' has in every district as many votes as all others")
    assert winners(read(tmp_path, text, totals="keep")) == {"X": "Turnout", "Y": "Turnout"}
    refused(tmp_path, "district,A,A.1\nX,10,5\nY,3,4\n", "column 'A.1'", "a second column")
