"""Readers of returns: round trips, policies, selection, and one clear line for every kind of fault."""

import csv
import gzip
import io
import string

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import electjax
from electjax.data.numbers import is_missing
from electjax.data.rows import is_total
from electjax.data.table import fold, make_table
from electjax.districts import dataset
from electjax.districts.readers import READERS
from electjax.districts.readers.base import NO_CHOICE, NOBODY
from tests.data_paths import shared

LOKDHABA = [
    "State_Name",
    "Assembly_No",
    "Constituency_No",
    "Year",
    "month",
    "DelimID",
    "Poll_No",
    "Position",
    "Candidate",
    "Sex",
    "Party",
    "Votes",
    "Age",
    "Candidate_Type",
    "Valid_Votes",
    "Electors",
    "Constituency_Name",
    "Constituency_Type",
    "District_Name",
    "Sub_Region",
    "N_Cand",
    "Turnout_Percentage",
    "Vote_Share_Percentage",
    "Deposit_Lost",
    "Margin",
    "Margin_Percentage",
    "ENOP",
    "pid",
    "Party_Type_TCPD",
    "Party_ID",
    "last_poll",
    "Contested",
    "Last_Party",
    "Last_Party_ID",
    "Last_Constituency_Name",
    "Same_Constituency",
    "Same_Party",
    "No_Terms",
    "Turncoat",
    "Incumbent",
    "Recontest",
    "MyNeta_education",
    "TCPD_Prof_Main",
    "TCPD_Prof_Main_Desc",
    "TCPD_Prof_Second",
    "TCPD_Prof_Second_Desc",
    "Election_Type",
]
TCPD = [
    "pid",
    "Assembly_No",
    "Poll_No",
    "Year",
    "Candidate",
    "Candidate_Type",
    "State_Name",
    "Constituency_Name",
    "Constituency_Type",
    "Party",
    "Last_Party",
    "Votes",
    "Sex",
    "Position",
    "Contested",
    "Turncoat",
    "Incumbent",
    "Vote_Share_Percentage",
    "Margin",
    "Margin_Percentage",
    "Age",
    "Alliance",
    "Terms",
    "Terms_Contested",
]
MIT = [
    "year",
    "state",
    "state_po",
    "state_fips",
    "state_cen",
    "state_ic",
    "office",
    "candidate",
    "party_detailed",
    "writein",
    "candidatevotes",
    "totalvotes",
    "version",
    "notes",
    "party_simplified",
]

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path, header, rows, delimiter=","):
    """Write a CSV; rows are mappings, missing columns blank."""
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, header, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_text(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def lokdhaba_rows(*rows, **common):
    """Rows of (number, name, party, votes, position) with the other required cells filled in."""
    fixed = {"State_Name": "Delhi", "Assembly_No": 11, "Year": 2020, "Poll_No": 0, "Electors": 1000} | common
    keys = ("Constituency_No", "Constituency_Name", "Party", "Votes", "Position")
    return [fixed | dict(zip(keys, row, strict=True)) for row in rows]


def tcpd_rows(*rows, **common):
    """Rows of (name, type, party, votes, position)."""
    fixed = {"State_Name": "Delhi", "Assembly_No": 9, "Year": 2013, "Poll_No": 0} | common
    keys = ("Constituency_Name", "Constituency_Type", "Party", "Votes", "Position")
    return [fixed | dict(zip(keys, row, strict=True)) for row in rows]


def mit_rows(*rows, **common):
    """Rows of (state, candidate, party_detailed, party_simplified, votes)."""
    fixed = {"year": 2016, "office": "US PRESIDENT"} | common
    keys = ("state", "candidate", "party_detailed", "party_simplified", "candidatevotes")
    made = [fixed | dict(zip(keys, row, strict=True)) for row in rows]
    for row in made:
        row["totalvotes"] = sum(r["candidatevotes"] for r in made if r["state"] == row["state"])
    return made


def votes_of(election):
    return {
        (d, p): int(election["votes"].sel(district=d, party=p))
        for d in election["district"].values
        for p in election["party"].values
    }


def error_line(path, **options):
    """The message of the error that reading must raise: one line that starts with the file."""
    with pytest.raises(electjax.ElectionDataError) as caught:
        electjax.districts.read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message.split(":", maxsplit=1)[0]
    assert "; expected " in message
    return message


# ---------------------------------------------------------------- round trips

names = st.text(string.ascii_letters + "äßéनई -'&,;\"()", min_size=1, max_size=12).map(lambda s: " ".join(s.split()))
special = {"", "others", "other", "ind", "independent", "independents", "nota", "none of the above"}


def unique_names(min_size, max_size):
    usable = names.filter(
        lambda s: not (s.casefold() in special or is_missing(s) or is_total(s) or fold(s) in NO_CHOICE | NOBODY)
    )
    return st.lists(usable, min_size=min_size, max_size=max_size, unique=True)


@st.composite
def returns(draw):
    districts, parties = draw(unique_names(1, 6)), draw(unique_names(2, 5))
    cell = st.integers(0, 10**8)
    votes = draw(st.lists(st.lists(cell, min_size=len(parties), max_size=len(parties)), min_size=len(districts)))
    votes = np.array(votes[: len(districts)], dtype=np.int64)
    ordered = np.sort(votes, axis=1)
    assume((ordered[:, -1] > ordered[:, -2]).all())  # no ties, no empty districts
    return districts, parties, votes


@quick
@given(data=returns(), seed=st.integers(0, 99), delimiter=st.sampled_from(",;\t"))
def test_tidy_csv_gives_back_every_vote(tmp_path, data, seed, delimiter):
    districts, parties, votes = data
    cells = [
        {"district": d, "party": p, "votes": int(votes[i, j])}
        for i, d in enumerate(districts)
        for j, p in enumerate(parties)
        if votes[i, j] or j == 0  # a party without votes need not be listed
    ]
    shuffled = [cells[i] for i in np.random.default_rng(seed).permutation(len(cells))]
    election = electjax.districts.read(
        write(tmp_path / "a.csv", ["district", "party", "votes"], shuffled, delimiter), nota="party", totals="keep"
    )
    assert set(election["district"].values) == set(districts)
    for i, d in enumerate(districts):
        for j, p in enumerate(parties):
            got = election["votes"].sel(district=d, party=p).item() if p in election["party"].values else 0
            assert got == votes[i, j]
        assert election["winner"].sel(district=d).item() == parties[votes[i].argmax()]
    totals = election["votes"].values.sum(0)
    assert (np.diff(totals) <= 0).all()
    np.testing.assert_allclose(election["popularity"], totals / votes.sum(), rtol=1e-12)


@quick
@given(data=returns(), top=st.integers(1, 5), may_win=st.booleans())
def test_netcdf_round_trip_is_identical(tmp_path, data, top, may_win):
    districts, parties, votes = data
    election = dataset(
        votes,
        districts=districts,
        parties=parties,
        electors=votes.sum(1) + 1,
        others_may_win=may_win,
        attrs={"name": "x", "title": "T", "date": "2020-02-08", "source": "S"},
    )
    election = electjax.districts.pool_parties(election, top)
    path = electjax.districts.save(election, tmp_path / "saved.nc")
    xr.testing.assert_identical(electjax.districts.read(path), election)
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


@pytest.mark.parametrize("name", electjax.districts.list())
def test_catalogue_survives_netcdf(tmp_path, name):
    election = electjax.districts.load(name)
    back = electjax.districts.read(electjax.districts.save(election, tmp_path / "e.nc"))
    xr.testing.assert_identical(back, election)
    assert {k: type(v) for k, v in back.attrs.items()} == {k: type(v) for k, v in election.attrs.items()}


@quick
@given(data=returns(), top=st.integers(1, 5))
def test_pooling_keeps_all_votes_seats_and_shares(data, top):
    districts, parties, votes = data
    election = dataset(votes, districts=districts, parties=parties)
    pooled = electjax.districts.pool_parties(election, top)
    assert pooled.sizes["party"] == min(top, len(parties)) + (top < len(parties))
    np.testing.assert_array_equal(pooled["votes"].sum("party"), election["votes"].sum("party"))
    assert pooled["seats"].sum() == len(districts)
    np.testing.assert_allclose(pooled["popularity"].sum(), 1, rtol=1e-12)
    for p in pooled["party"].values:
        if p != "others":
            np.testing.assert_array_equal(pooled["votes"].sel(party=p), election["votes"].sel(party=p))
            assert pooled["seats"].sel(party=p) == election["seats"].sel(party=p)
    assert pooled.attrs["others_seats"] == (pooled["seats"].sel(party="others") if top < len(parties) else 0)
    # the winner inside the pool keeps its own votes, so margins do not change
    np.testing.assert_array_equal(
        electjax.districts.winning_margin(pooled), electjax.districts.winning_margin(election)
    )


def test_saving_over_a_file_replaces_it_whole_or_not_at_all(tmp_path, monkeypatch):
    election = electjax.districts.load("us2016")
    path = electjax.districts.save(election, tmp_path / "e.nc")
    before = path.read_bytes()

    def fail(self, name, **kwargs):
        with open(name, "wb") as out:
            out.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(OSError, match="disk full"):
        electjax.districts.save(election, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_embedded_wide_files_may_be_gzipped_and_have_a_byte_order_mark(tmp_path):
    text = "\ufeffdistrict,votes_A,votes_B,votes_others,electors\nNord,10,20,5,40\nSüd,30,20,0,60\n"
    plain = write_text(tmp_path / "r.csv", text)
    packed = tmp_path / "r.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    election = electjax.districts.read(plain)
    assert votes_of(election)[("Süd", "A")] == 30
    assert election["electors"].values.tolist() == [40, 60]
    np.testing.assert_array_equal(electjax.districts.read(packed)["votes"], election["votes"])


# ---------------------------------------------------------------- telling formats apart


@pytest.mark.parametrize(
    ("columns", "reader"),
    [
        (LOKDHABA, "TCPD Lok Dhaba (47 columns)"),
        (TCPD, "TCPD candidate file (24 columns)"),
        (MIT, "MIT Election Lab"),
        (["district", "party", "votes"], "tidy CSV"),
        (["district", "votes_a", "votes_b"], "wide CSV"),
    ],
)
def test_headers_tell_the_readers_apart(columns, reader):
    assert len(LOKDHABA) == 47
    assert len(TCPD) == 24
    numbers = (np.zeros(1, int), ["1"])
    table = make_table("a.csv", np.array([2]), columns, [numbers] * len(columns))
    assert next(r.name for r in READERS if r.matches(table)) == reader


def test_unknown_header_lists_the_known_layouts(tmp_path):
    message = error_line(write_text(tmp_path / "z.csv", "id,age\n1,2\n"))
    assert "row 1" in message
    assert "district, party, votes" in message


# ---------------------------------------------------------------- policies and selection


def candidate_file(tmp_path):
    """Independents together (60) outpoll everybody in district X, but the best candidate is B's."""
    rows = lokdhaba_rows(
        (1, "X", "A", 30, 2),
        (1, "X", "B", 40, 1),
        (1, "X", "IND", 29, 3),
        (1, "X", "IND", 31, 4),
        (1, "X", "NOTA", 50, 5),
        (2, "Y", "A", 10, 2),
        (2, "Y", "IND", 70, 1),
        (2, "Y", "C", 5, 3),
    )
    return write(tmp_path / "c.csv", LOKDHABA, rows)


@pytest.mark.parametrize("kind", ["lokdhaba", "tcpd"])
def test_independents_and_nota_never_win_as_a_pool(tmp_path, kind):
    path = candidate_file(tmp_path)
    if kind == "tcpd":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        path = write(tmp_path / "t.csv", TCPD, [{k: r.get(k, "GEN") for k in TCPD} for r in rows])
    election = electjax.districts.read(path)
    assert election["party"].values.tolist() == ["A", "B", "C", "others"]
    assert election["votes"].values.tolist() == [[30, 40, 0, 110], [10, 0, 5, 70]]
    assert election["winner"].values.tolist() == ["B", "IND"]
    assert election["winner_votes"].values.tolist() == [40, 70]
    assert election["seats"].values.tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(electjax.districts.winning_margin(election), [40 / 180, 70 / 85])


def test_policies_for_independents_and_nota(tmp_path):
    path = candidate_file(tmp_path)
    kept = electjax.districts.read(path, independents="party", nota="party")
    assert votes_of(kept) == votes_of(kept) | {("X", "IND"): 60, ("X", "NOTA"): 50, ("Y", "IND"): 70}
    assert kept["winner"].values.tolist() == ["B", "IND"]
    dropped = electjax.districts.read(path, independents="drop", nota="drop")
    assert dropped["votes"].sum("party").values.tolist() == [70, 15]
    assert dropped["winner"].values.tolist() == ["B", "A"]
    with pytest.raises(electjax.ElectionDataError, match=r"nota=.*'keep'.*others, party, drop"):
        electjax.districts.read(path, nota="keep")


def test_others_forbidden_to_win_gives_the_seat_to_the_best_named_party(tmp_path):
    election = electjax.districts.read(candidate_file(tmp_path), others_may_win=False)
    assert election["seats"].values.tolist() == [1, 1, 0, 0]
    assert election.attrs["others_seats"] == 1
    assert election["winner"].values.tolist() == ["B", "IND"]
    np.testing.assert_allclose(electjax.districts.winning_margin(election), [40 / 180, 10 / 85])


def test_constituencies_of_one_name_stay_apart_by_number(tmp_path):
    rows = lokdhaba_rows((7, "X", "A", 10, 1), (7, "X", "B", 5, 2), (9, "X", "B", 8, 1), (3, "Z", "B", 1, 1))
    election = electjax.districts.read(write(tmp_path / "n.csv", LOKDHABA, rows))
    assert election["district"].values.tolist() == ["X (7)", "X (9)", "Z"]
    tidy = "district_no,district,party,votes\n1,X,A,5\n2,X,A,6\n2,X,B,7\n"
    election = electjax.districts.read(write_text(tmp_path / "t.csv", tidy))
    assert election["votes"].sum("party").to_series().to_dict() == {"X (1)": 5, "X (2)": 13}


def test_24_columns_with_a_shared_name_is_an_error_unless_the_type_differs(tmp_path):
    rows = tcpd_rows(("X", "GEN", "A", 10, 1), ("X", "SC", "B", 9, 1))
    assert electjax.districts.read(write(tmp_path / "a.csv", TCPD, rows)).sizes["district"] == 2
    rows = tcpd_rows(("X", "GEN", "A", 10, 1), ("X", "GEN", "B", 9, 1))
    message = error_line(write(tmp_path / "b.csv", TCPD, rows))
    assert "row 3, column 'Constituency_Name': place 1 of" in message
    assert "again, as in row 2" in message


def test_bye_polls_are_left_out_and_counted_or_chosen(tmp_path):
    general = lokdhaba_rows((1, "X", "A", 10, 1), (2, "Y", "B", 9, 1))
    bye = lokdhaba_rows((1, "X", "B", 6, 1), Poll_No=1, Year=2021)
    path = write(tmp_path / "p.csv", LOKDHABA, general + bye)
    election = electjax.districts.read(path)
    assert election["winner"].values.tolist() == ["A", "B"]
    assert election.attrs["left_out"] == "1 rows of other polls (Poll_No 1)"
    assert electjax.districts.read(path, poll_no=1)["winner"].values.tolist() == ["B"]
    message = error_line(write(tmp_path / "q.csv", LOKDHABA, bye))
    assert "poll_no=1" in message


@pytest.mark.parametrize(
    ("column", "value", "option"),
    [("Year", 2015, "year="), ("Assembly_No", 10, "assembly_no="), ("State_Name", "Goa", "where=")],
)
def test_several_elections_in_one_file_must_be_chosen(tmp_path, column, value, option):
    rows = lokdhaba_rows((1, "X", "A", 10, 1)) + lokdhaba_rows((1, "X", "B", 6, 1), **{column: value})
    path = write(tmp_path / "m.csv", LOKDHABA, rows)
    message = error_line(path)
    assert f"column {column!r}" in message
    assert option in message
    assert str(value) in message
    chosen = {"year=": {"year": value}, "assembly_no=": {"assembly_no": value}}.get(option, {"where": {column: value}})
    assert electjax.districts.read(path, **chosen)["winner"].values.tolist() == ["B"]
    assert "no row has the value '1900'" in error_line(path, year=1900)


def test_fusion_tickets_win_together_and_count_as_asked(tmp_path):
    rows = mit_rows(
        ("NY", "CLINTON, HILLARY", "DEMOCRAT", "DEMOCRAT", 40),
        ("NY", "CLINTON, HILLARY", "WORKING FAMILIES", "OTHER", 20),
        ("NY", "TRUMP, DONALD J.", "REPUBLICAN", "REPUBLICAN", 50),
        ("NY", "BLANK VOTE", "", "OTHER", 90),
        ("NY", "", "", "OTHER", 7),
    )
    path = write(tmp_path / "ny.csv", MIT, rows)
    by_line = electjax.districts.read(path)
    assert votes_of(by_line) == {("NY", "REPUBLICAN"): 50, ("NY", "DEMOCRAT"): 40, ("NY", "others"): 117}
    assert by_line["winner"].values.tolist() == ["DEMOCRAT"]
    by_candidate = electjax.districts.read(path, fusion="candidate", nota="drop")
    assert votes_of(by_candidate) == {("NY", "DEMOCRAT"): 60, ("NY", "REPUBLICAN"): 50, ("NY", "others"): 7}
    detailed = electjax.districts.read(path, party_column="party_detailed")
    assert votes_of(detailed)[("NY", "WORKING FAMILIES")] == 20


def test_top_parties_by_number_and_by_name(tmp_path):
    path = write_text(tmp_path / "t.csv", "district,party,votes\nX,A,5\nX,B,9\nX,C,3\nY,C,4\nY,B,1\n")
    assert electjax.districts.read(path, top_parties=1)["votes"].values.tolist() == [[9, 8], [1, 4]]
    named = electjax.districts.read(path, top_parties=["C", "A"])
    assert named["party"].values.tolist() == ["C", "A", "others"]
    assert named["winner"].values.tolist() == ["B", "C"]
    assert named["seats"].values.tolist() == [1, 0, 1]
    with pytest.raises(electjax.ElectionDataError, match=r"no party 'Z'.*known: B, C, A"):
        electjax.districts.read(path, top_parties=["Z"])
    with pytest.raises(electjax.ElectionDataError, match="at least 1"):
        electjax.districts.read(path, top_parties=0)


def test_tidy_with_candidates_sums_them(tmp_path):
    text = "district,candidate,party,votes\nX,Ann,A,5\nX,Bob,IND,4\nX,Cy,IND,4\nX,Di,A,1\n"
    election = electjax.districts.read(write_text(tmp_path / "t.csv", text))
    assert votes_of(election) == {("X", "A"): 6, ("X", "others"): 8}
    assert election["winner"].values.tolist() == ["A"]


# ---------------------------------------------------------------- faults

PARTIES = ["A", "B", "C"]


def tidy_table():
    header = ["district", "party", "votes", "electors"]
    rows = [[f"D{d}", p, str(10 * d + k + 1), "500"] for d in range(4) for k, p in enumerate(PARTIES)]
    return header, rows, "votes", "party", "district"


def wide_table():
    header = ["district", "votes_A", "votes_B", "votes_C", "electors"]
    rows = [[f"D{d}", *(str(10 * d + k + 1) for k in range(3)), "500"] for d in range(4)]
    return header, rows, "votes_B", None, "district"


def lokdhaba_table():
    rows = lokdhaba_rows(*((d + 1, f"D{d}", p, 10 * d + k + 1, 3 - k) for d in range(4) for k, p in enumerate(PARTIES)))
    return (LOKDHABA, [[str(r.get(c, "")) for c in LOKDHABA] for r in rows], "Votes", "Party", "Constituency_Name")


def tcpd_table():
    rows = tcpd_rows(*((f"D{d}", "GEN", p, 10 * d + k + 1, 3 - k) for d in range(4) for k, p in enumerate(PARTIES)))
    return TCPD, [[str(r.get(c, "")) for c in TCPD] for r in rows], "Votes", "Party", "Constituency_Name"


def mit_table():
    rows = mit_rows(*((f"D{d}", f"P{k}", p, p, 10 * d + k + 1) for d in range(4) for k, p in enumerate(PARTIES)))
    header = [c for c in MIT if c != "totalvotes"]
    return (header, [[str(r.get(c, "")) for c in header] for r in rows], "candidatevotes", "party_simplified", "state")


TABLES = {"tidy": tidy_table, "wide": wide_table, "lokdhaba": lokdhaba_table, "tcpd": tcpd_table, "mit": mit_table}


def save(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return path


@pytest.mark.parametrize("kind", TABLES)
def test_tables_without_a_fault_are_read(tmp_path, kind):
    header, rows, *_ = TABLES[kind]()
    election = electjax.districts.read(save(tmp_path / f"{kind}.csv", header, rows))
    assert election["votes"].sel(party=PARTIES).values.tolist() == [
        [10 * d + 1, 10 * d + 2, 10 * d + 3] for d in range(4)
    ]
    assert election["winner"].values.tolist() == ["C"] * 4


BAD_VOTES = {
    "-4": "negative",
    "12.5": "whole",
    "12a": "number",
    "": "blank",
    "n/a": "blank",
    "X": "suppressed",
    "1e99": "larger",
}


@quick
@given(kind=st.sampled_from(sorted(TABLES)), bad=st.sampled_from(sorted(BAD_VOTES)), data=st.data())
def test_bad_votes_name_file_row_and_column(tmp_path, kind, bad, data):
    header, rows, votes, *_ = TABLES[kind]()
    assume(not (BAD_VOTES[bad] == "blank" and kind in ("tidy", "wide")))  # there the party did not stand
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at][header.index(votes)] = bad
    message = error_line(save(tmp_path / f"{kind}.csv", header, rows))
    assert message.startswith(f"{kind}.csv, row {at + 2}, column {votes!r}: ")
    assert BAD_VOTES[bad] in message


@quick
@given(kind=st.sampled_from(sorted(TABLES)), data=st.data())
def test_blank_names_name_file_row_and_column(tmp_path, kind, data):
    header, rows, _, _, column = TABLES[kind]()
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at][header.index(column)] = data.draw(st.sampled_from(["", "  ", "\u00a0"]))
    message = error_line(save(tmp_path / f"{kind}.csv", header, rows))
    assert message.startswith(f"{kind}.csv, row {at + 2}, column {column!r}: ")
    assert "blank" in message


@pytest.mark.parametrize("kind", TABLES)
def test_each_missing_column_is_named(tmp_path, kind):
    header, rows, *needed = TABLES[kind]()
    for column in (c for c in needed if c and not c.startswith("votes_")):
        i = header.index(column)
        kept = [h for h in header if h != column]
        path = save(tmp_path / f"{kind}.csv", kept, [r[:i] + r[i + 1 :] for r in rows])
        message = error_line(path)
        assert f"row 1, column {column.casefold()!r}" in message, column
        assert "no column" in message


@pytest.mark.parametrize("kind", TABLES)
def test_an_empty_district_is_named(tmp_path, kind):
    header, rows, votes, _, district = TABLES[kind]()
    columns = [i for i, h in enumerate(header) if h == votes or h.startswith("votes_")]
    mine = [n for n, row in enumerate(rows) if row[header.index(district)] == "D2"]
    for n in mine:
        for i in columns:
            rows[n][i] = "0"
    message = error_line(save(tmp_path / f"{kind}.csv", header, rows))
    assert f"row {mine[0] + 2}, column" in message
    assert "'D2' has no votes" in message


@pytest.mark.parametrize("kind", TABLES)
def test_broken_files_name_the_place(tmp_path, kind):
    header, rows, *_ = TABLES[kind]()
    path = save(tmp_path / f"{kind}.csv", header, rows)
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)

    path.write_bytes(b"")
    assert "the file is empty" in error_line(path)
    path.write_bytes(b" \n\n")
    assert "the file is empty" in error_line(path)
    path.write_bytes(lines[0])
    assert "no rows after the header" in error_line(path)
    path.write_bytes(b"".join([*lines[:3], lines[3].replace(b",", b",\xe9", 1), *lines[4:]]))
    message = error_line(path, encoding="utf-8")
    assert "0xe9" in message
    assert "encoding='cp1252'" in message
    path.write_bytes(good.decode().encode("utf-16"))
    assert "encoding='utf-16'" in error_line(path, encoding="utf-8")
    assert electjax.districts.read(path).sizes["district"] == 4
    path.write_bytes(good)
    assert "no encoding 'klingon'" in error_line(path, encoding="klingon")
    path.write_bytes(b"".join([*lines[:2], lines[2].rstrip(b"\n") + b",surplus\n", *lines[3:]]))
    assert "row 3" in error_line(path)
    path.write_bytes(b"".join([*lines[:2], b'"open' + lines[2], *lines[3:]]))
    assert "row 3" in error_line(path)
    path.write_bytes(b"PK\x03\x04 workbook")
    assert "cannot be read" in error_line(path)
    path.unlink()
    assert "no such file" in error_line(path)
    path.mkdir()
    assert "folder" in error_line(path)


@quick
@given(data=st.data())
def test_a_duplicate_pair_in_a_party_level_file_names_both_rows(tmp_path, data):
    header, rows, *_ = tidy_table()
    at = data.draw(st.integers(0, len(rows) - 1))
    to = data.draw(st.integers(at + 1, len(rows)))
    copy = list(rows[at])
    copy[2] = "4711"
    rows.insert(to, copy)
    message = error_line(save(tmp_path / "d.csv", header, rows))
    assert f"again, as in row {at + 2};" in message
    assert f"row {to + 2}, column 'party'" in message


def test_rows_are_lines_of_the_file_even_after_blank_lines_and_breaks_in_quotes(tmp_path):
    text = 'district,party,votes\n\n"New\nDistrict",A,5\n\nX,A,-1\n'
    message = error_line(write_text(tmp_path / "l.csv", text))
    assert "row 6, column 'votes'" in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("district,votes_A,votes_B\nX,1,2\nX,3,4\n", ["row 3, column 'district'", "'X' again, as in row 2"]),
        ("district,votes_A,votes_a\nX,1,2\n", ["column 'votes_a'", "a second column"]),
        ("district,votes_A,votes_B,winner\nX,1,2,Z\n", ["row 2, column 'winner'", "'Z' has no column"]),
        ("district,votes_A,winner,winner_votes\nX,9,A,8\n", ["row 2, column 'winner_votes'", "8 votes"]),
        ("district,party,votes,electors\nX,A,1,9\nX,B,2,8\n", ["row 3, column 'electors'", "in row 2"]),
        ("district,party,votes,winner\nX,A,1,C\nX,B,2,C\n", ["row 2, column 'winner'", "'C' has no row"]),
        ("district,party,votes\nX,IND,4\n", ["at least one named party"]),
        ("district,party,votes\nX,NOTA,4\nX,A,1\nY,NOTA,3\n", ["row 4", "'Y' has no candidate"]),
        ("district,party,votes,votes\nX,A,1,2\n", ["row 1, column 'votes'", "two columns"]),
    ],
)
def test_further_faults_name_the_place(tmp_path, text, parts):
    message = error_line(write_text(tmp_path / "f.csv", text))
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "district,party,votes,electors\nX,A,10,5\n",
            "row 2, column 'electors': district 'X' has 10 votes and 5 electors",
        ),
        ("district,party,votes\nX,A,5\nX,B,5\n", "row 2: 'X' is tied: counted for 'A'"),
        ("district,votes_A,votes_B,winner\nX,1,2,A\n", "row 2, column 'winner': the declared winner 'A' has 1 votes"),
    ],
)
def test_what_looks_wrong_is_a_warning(tmp_path, text, words):
    with pytest.warns(electjax.ElectionDataWarning) as caught:
        electjax.districts.read(write_text(tmp_path / "w.csv", text))
    assert str(caught[0].message).startswith("w.csv, " + words)


def test_missing_rows_show_in_the_total_of_the_district(tmp_path):
    rows = lokdhaba_rows((1, "X", "A", 10, 1), (1, "X", "B", 9, 2), Valid_Votes=25)
    with pytest.warns(electjax.ElectionDataWarning, match=r"row 2, column 'Valid_Votes': .*sum to 19, not 25"):
        electjax.districts.read(write(tmp_path / "v.csv", LOKDHABA, rows))


# ---------------------------------------------------------------- the schema


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda ds: ds.drop_vars("seats"), "no 'seats'; expected seats(party)"),
        (lambda ds: ds.assign(votes=ds["votes"].rename(party="list")), "votes has dims ('district', 'list')"),
        (lambda ds: ds.drop_vars("winner"), "no 'winner'"),
        (lambda ds: ds.assign_coords(party=["others", "B", "C", "A"]), "'others' is at place 1 of 4"),
        (lambda ds: ds.assign_coords(party=["A", "A", "C", "others"]), "repeated label 'A'"),
        (lambda ds: ds.assign_coords(party=["A", " ", "C", "others"]), "a blank label"),
        (lambda ds: ds.assign(votes=ds["votes"] - 60000), "votes(district='ADARSH NAGAR', party='AAP')"),
        (lambda ds: ds.assign(votes=ds["votes"] + 0.5), "votes(district='ADARSH NAGAR', party='AAP')"),
        (lambda ds: ds.assign(votes=ds["votes"] * 0), "no votes at all"),
        (lambda ds: ds.assign(popularity=ds["popularity"] * 2), "popularity sums to 2"),
        (lambda ds: ds.assign(seats=ds["seats"] + 1), "sum to 74"),
        (
            lambda ds: electjax.districts.pool_parties(ds, 3).isel(party=slice(3)).assign(winner=ds["winner"] + "?"),
            "'AAP?'",
        ),
    ],
)
def test_validation_names_variable_and_coordinate(fault, words):
    with pytest.raises(electjax.ElectionDataError) as caught:
        electjax.districts.validate(fault(electjax.districts.load("delhi2020")))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_validation_arranges_dims_and_leaves_its_argument_alone():
    election = electjax.districts.load("delhi2020")
    turned = election.transpose("party", "district", ...)
    xr.testing.assert_identical(electjax.districts.validate(turned), election)
    assert turned["votes"].dims == ("party", "district")


def test_builder_checks_shape_and_ties():
    with pytest.raises(electjax.ElectionDataError, match=r"shape \(2, 2\).*\(1, 2\)"):
        dataset(np.ones((2, 2), int), districts=["X"], parties=["A", "B"])
    with pytest.warns(electjax.ElectionDataWarning, match=r"1 tied district.*'X'.*'A'"):
        election = dataset(np.array([[3, 3]]), districts=["X"], parties=["A", "B"])
    assert election["seats"].values.tolist() == [1, 0]


def test_a_netcdf_file_that_is_no_election_is_one_line(tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(electjax.ElectionDataError, match=r"a.nc: variables a; expected one of: election"):
        electjax.districts.read(tmp_path / "a.nc")
    (tmp_path / "b.nc").write_bytes(b"\x89HDF\r\n\x1a\n broken")
    assert "cannot be opened" in error_line(tmp_path / "b.nc")
    saved = electjax.districts.save(electjax.districts.load("us2020"), tmp_path / "c.nc")
    assert "columns to select year by" in error_line(saved, year=2020)


# ---------------------------------------------------------------- real files


@pytest.mark.parametrize(
    ("file", "seats"), [("delhi_2015_lokdhaba.csv", (67, 3)), ("delhi_2020_lokdhaba.csv", (62, 8))]
)
def test_lokdhaba_totals(file, seats):
    path = shared("data/india") / file
    election = electjax.districts.read(path, top_parties=["AAAP", "BJP"])
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert int(election["votes"].sum()) == sum(int(r["Votes"]) for r in rows)
    assert tuple(election["seats"].values) == (*seats, 0)
    nota = electjax.districts.read(path, nota="drop")["votes"].sum() - election["votes"].sum()
    assert int(nota) == -sum(int(r["Votes"]) for r in rows if r["Party"] == "NOTA")


@pytest.mark.parametrize("year", [2016, 2020])
def test_mit_states_equal_the_embedded_election(year):
    """By ballot line, every state but Maine and Nebraska (embedded by congressional district) agrees."""
    path = shared("data/us/president_by_state_1976_2020.csv")
    with path.open(newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["year"] == str(year)]
    embedded = electjax.districts.load(f"us{year}")
    embedded = embedded.assign_coords(district=[d.upper() for d in embedded["district"].values])

    def difference(**options):
        returns = electjax.districts.read(path, year=year, top_parties=["DEMOCRAT", "REPUBLICAN"], **options)
        assert returns.sizes["district"] == 51
        assert int(returns["votes"].sum()) == sum(int(r["candidatevotes"]) for r in rows)
        common = sorted(set(returns["district"].values) & set(embedded["district"].values) - {"MAINE", "NEBRASKA"})
        assert len(common) == 49
        ours = returns["votes"].sel(district=common).values[:, :2]
        gap = ours - embedded["votes"].sel(district=common).values
        return {d: g.tolist() for d, g in zip(common, gap, strict=True) if g.any()}

    assert difference() == {}
    # New York 2016: Working Families and Women's Equality lines for Clinton, the Conservative line for Trump
    fusion = {"NEW YORK": [140_041 + 36_294, 292_392]} if year == 2016 else {}
    assert difference(fusion="candidate") == fusion
