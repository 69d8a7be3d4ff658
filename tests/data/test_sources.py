"""Files as people bring them: packing, encodings, delimiters, headers, footnotes, workbooks, Parquet and frames."""

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.options import made
from electjax.data.parts import stream_tables
from electjax.data.reading import TableOptions
from electjax.data.sources import read_table
from electjax.data.text import MOST_COLUMNS

PLAIN = "district,party,votes\nD1,A,10\nD1,B,5\n"
ROWS = [["D1", "A", "10"], ["D1", "B", "5"]]


def options(**given):
    return made(TableOptions, given, where="test")


def cells(table):
    return np.stack([column.cells() for column in table.columns], axis=1).tolist()


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("returns.csv", content)
        archive.writestr("readme.pdf", b"x")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.csv", bytes), ("a.gz", gzip.compress), ("a.xz", lzma.compress), ("a.bz2", bz2.compress), ("a.zip", zipped)],
)
def test_a_packed_file_is_its_table(tmp_path, name, pack):
    table = read_table(write(tmp_path, name, pack(PLAIN.encode())))
    assert table.names == ["district", "party", "votes"]
    assert cells(table) == ROWS
    assert table.lines.tolist() == [2, 3]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_ends_of_lines(tmp_path, mark, end):
    table = read_table(write(tmp_path, "a.txt", PLAIN.replace(",", mark).replace("\n", end)))
    assert cells(table) == ROWS
    assert table.lines.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("codec", "said"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("cp1252", "Windows-1252")],
)
def test_encodings_are_told_and_said(tmp_path, codec, said):
    table = read_table(write(tmp_path, "a.csv", PLAIN.replace("D1", "Trois-Rivières").encode(codec)))
    assert table.columns[0].at(0) == "Trois-Rivières"
    assert said in " ".join(table.notes)
    assert bool(table.notes) == bool(said)


def test_a_byte_that_windows_lacks_is_latin(tmp_path):
    table = read_table(write(tmp_path, "a.csv", b"district,party,votes\nD\x90,A,1\n"))
    assert table.columns[0].at(0) == "D\x90"
    assert "Latin-1" in table.notes[0]


@pytest.mark.parametrize(
    ("above", "below", "header"),
    [
        ("Official results of 2020\n", "", 2),
        ("Official results\nin full, as certified\n\n", "", 4),
        ("# exported 2020-01-01\n", "", 2),
        ("sep=,\n", "", 2),
        ("", "\nSource: the office\n", 1),
        ("", "Source: the office,,\nNote: none,,\n,,\n", 1),
        ("", "# end\n", 1),
    ],
)
def test_what_stands_above_and_below_is_no_row(tmp_path, above, below, header):
    table = read_table(write(tmp_path, "a.csv", above + PLAIN + below))
    assert cells(table) == ROWS
    assert table.header == header
    assert table.lines.tolist() == [header + 1, header + 2]
    assert bool(table.notes) == (above[:3] != "sep" and bool(above + below))


def test_two_rows_of_names(tmp_path):
    path = write(tmp_path, "a.csv", "Unit,,Group,,Candidate,\nNo,Name,white,black,X,Y\n1,u1,100,50,90,60\n")
    assert read_table(path).names == ["No", "Name", "white", "black", "X", "Y"]
    path = write(tmp_path, "b.csv", "Unit,2015,,2020,\nName,A,B,A,B\nu1,1,2,3,4\n")
    assert read_table(path).names == ["Name", "2015 A", "2015 B", "2020 A", "2020 B"]
    path = write(tmp_path, "c.csv", "x,y,z\na,b,c\n1,2,3\n")
    assert read_table(path, options(header=2)).names == ["a", "b", "c"]
    with pytest.raises(ElectionDataError, match="line 9 is no row of names"):
        read_table(path, options(header=9))


def test_blank_cells_at_the_ends_of_rows_count_for_nothing(tmp_path):
    table = read_table(write(tmp_path, "a.csv", "district,party,votes,,\nD1,A,10\nD1,B,5,,,,\n"))
    assert cells(table) == ROWS


def test_quoted_cells_hold_delimiters_and_lines(tmp_path):
    table = read_table(write(tmp_path, "a.csv", 'district,party,votes\n"D,1","A\nB",10\nD2,"say ""x""",5\n'))
    assert cells(table) == [["D,1", "A B", "10"], ["D2", 'say "x"', "5"]]
    assert table.lines.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("a,b\n", "no rows"),
        ("a,b,c\nx,1,2\ny,3\n", "row 3: 2 cells; expected 3"),
        ("a,b,c\nx,1,2\ny,3,4,5\n", "row 3: 4 cells; expected 3"),
        ('a,b\n"x,1\ny,2\n', "matching double quotes"),
        ("a,b\nx,\0\n", "NUL"),
        ("a," * (MOST_COLUMNS + 1) + "\n" + "1," * (MOST_COLUMNS + 1), "columns; expected at most"),
        ("a" * (1 << 24) + "\nb\n", "characters"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 9, mtime=0)[:-9], "cannot be read"),
        (gzip.compress(b"a,b\n" + b"0,1\n" * (80 << 20), mtime=0), "more than 200 times its size"),
    ],
)
def test_what_cannot_be_read_ends_in_one_line(tmp_path, content, said):
    path = write(tmp_path, "a.csv", content)
    with pytest.raises(ElectionDataError, match=said) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_rows_are_chosen_and_columns_renamed(tmp_path):
    path = write(tmp_path, "a.csv", "Wahlkreis;Partei;Jahr\n1;SPD;2021\n2;CDU;2021\n3;SPD;2017\n")
    table = read_table(path, options(columns={"party": "Partei"}, where={"jahr": 2021, "party": ["spd", "cdu"]}))
    assert table.names == ["Wahlkreis", "party", "Jahr"]
    assert cells(table) == [["1", "SPD", "2021"], ["2", "CDU", "2021"]]
    with pytest.raises(ElectionDataError, match="no row has the value '2013'"):
        read_table(path, options(where={"Jahr": 2013}))
    with pytest.raises(ElectionDataError, match=r"no column 'Parti'.*did you mean Partei"):
        read_table(path, options(columns={"party": "Parti"}))


def test_frames_workbooks_and_parquet_are_the_same_table(tmp_path):
    frame = pd.DataFrame({"district": ["D1", "D1", "NA"], "votes": [10.0, 5.0, np.nan], "share": [0.25, 1.0, 0.5]})
    expected = [["D1", "10", "0.25"], ["D1", "5", "1"], ["", "", "0.5"]]
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    (tmp_path / "hive" / "state=DE").mkdir(parents=True)
    frame.to_parquet(tmp_path / "hive" / "state=DE" / "0.parquet", index=False)
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    for source in (frame, pl.from_pandas(frame), arrow, tmp_path / "a.xlsx", tmp_path / "a.parquet"):
        assert cells(read_table(source)) == expected
    table = read_table(tmp_path / "hive", options(where={"state": "DE"}))
    assert cells(table) == [[*row, "DE"] for row in expected]
    assert read_table(tmp_path / "a.xlsx").lines.tolist() == [2, 3, 4]


def test_a_workbook_of_several_sheets_asks_which(tmp_path):
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        pd.DataFrame({"x": [1]}).to_excel(book, sheet_name="one", index=False)
        pd.DataFrame({"y": [2]}).to_excel(book, sheet_name="two", index=False)
    with pytest.raises(ElectionDataError, match=r"2 sheets with cells \(one, two\)"):
        read_table(tmp_path / "a.xlsx")
    assert read_table(tmp_path / "a.xlsx", options(sheet="two")).names == ["y"]


def test_a_row_with_one_cell_between_others_is_left_out_with_a_warning(tmp_path):
    path = write(tmp_path, "a.csv", "district,party,votes\nD1,A,10\nNorthern region,,\nD2,B,5\n")
    with pytest.warns(ElectionDataWarning, match="row 3: 1 rows with one cell left out"):
        assert len(read_table(path)) == 2


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 99)), min_size=2, max_size=9), st.integers(1, 4))
def test_a_stream_is_the_whole_table(tmp_path_factory, rows, size):
    path = tmp_path_factory.mktemp("stream") / "a.csv"
    pd.DataFrame(rows, columns=["first name", "second", "n"]).to_csv(path, index=False)
    whole = cells(read_table(path, blank_rows=True))
    parts = [row for table in stream_tables(path, size) for row in cells(table)]
    assert parts == whole


def test_the_same_where_chooses_the_same_rows_of_every_source(tmp_path):
    frame = pd.DataFrame({"race": ["US Senate", "us senate", "House"], "n": [1, 2, 3]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    for where in ({"office": "us senate"}, {"OFFICE": {"US SENATE"}}, {"n": [1, 2.0]}):
        for source in (frame, tmp_path / "a.csv", tmp_path / "a.xlsx", tmp_path / "a.parquet"):
            table = read_table(source, options(columns={"office": "race"}, where=where))
            assert table.columns[1].cells().tolist() == ["1", "2"]
    for source in (tmp_path / "a.csv", tmp_path / "a.parquet"):
        with pytest.raises(ElectionDataError, match=r"no row has the value 'Governor'.*one of US Senate"):
            read_table(source, options(where={"race": "Governor"}))
    with pytest.raises(ElectionDataError, match="no value to choose"):
        read_table(frame, options(where={"race": []}))


def test_columns_change_names_at_once():
    frame = pd.DataFrame({"a": ["x"], "b": ["y"]})
    swapped = read_table(frame, options(columns={"a": "b", "b": "a"}))
    assert {column.name: column.at(0) for column in swapped.columns} == {"a": "y", "b": "x"}
    moved = read_table(pd.DataFrame({"votes": [7], "A": [3]}), options(columns={"electors": "votes", "votes": "A"}))
    assert {column.name: column.at(0) for column in moved.columns} == {"electors": "7", "votes": "3"}


def test_cells_of_any_arrow_type():
    columns = {
        "half": pa.array(np.array([1, 2.5], np.float16)),
        "bytes": pa.array([b"Smith", b"Jones"]),
        "null": pa.chunked_array([pa.nulls(1), pa.nulls(1)]),
    }
    assert cells(read_table(pa.table(columns))) == [["1", "Smith", ""], ["2.5", "Jones", ""]]


def test_cells_of_a_workbook_beyond_its_names_are_refused(tmp_path):
    pd.DataFrame([["district", "votes", None], ["D1", 5, "x"]]).to_excel(tmp_path / "a.xlsx", index=False, header=False)
    with pytest.raises(ElectionDataError, match="row 2: cells beyond the last column name 'votes'"):
        read_table(tmp_path / "a.xlsx")


def test_a_district_without_votes_at_the_end_is_no_footnote(tmp_path):
    table = read_table(write(tmp_path, "a.csv", "district,A,B\nNorth,1,2\nWest,,\n"))
    assert table.columns[0].cells().tolist() == ["North", "West"]


def workbook(path, rows, merged=()):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cells in merged:
        book.active.merge_cells(cells)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("cell", "said"), [("=SUM(1,2)", "is a formula without its value"), ("#REF!", "is not a number")]
)
def test_a_formula_without_its_value_and_an_error_are_no_blanks(tmp_path, cell, said):
    path = workbook(tmp_path / "a.xlsx", [["district", "votes"], ["D1", cell], ["D2", 5]])
    with pytest.warns(ElectionDataWarning, match=r"1 cells hold an error or a formula .* such as B2 \("):
        table = read_table(path)
    assert cells(table) == [["D1", cell], ["D2", "5"]]
    with pytest.raises(ElectionDataError, match=f"row 2, column 'votes': '.*' {said}"):
        table.counts(1, missing=-1)


def test_the_text_of_cells_merged_down_a_column_stands_in_each(tmp_path):
    rows = [["district", "party", "votes"], ["D1", "A", 10], [None, "B", 5], ["D2", "A", 7], [None, "B", None]]
    table = read_table(workbook(tmp_path / "a.xlsx", rows, ["A2:A3", "A4:A5", "C4:C5"]))
    assert cells(table) == [["D1", "A", "10"], ["D1", "B", "5"], ["D2", "A", "7"], ["D2", "B", ""]]  # no number twice


@pytest.mark.parametrize("form", ["frame", "xlsx", "parquet"])
def test_a_number_with_three_decimals_is_no_thousands(tmp_path, form):
    frame = pd.DataFrame({"share": [1.346, 2.051], "day": pd.to_datetime(["2020-01-02", "2020-01-03"])})
    if form == "xlsx":
        frame.to_excel(tmp_path / "a.xlsx", index=False)
    elif form == "parquet":
        frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(frame if form == "frame" else tmp_path / f"a.{form}", options(where={"day": "2020-01-02"}))
    assert table.numbers(0).tolist() == [1.346]
    with pytest.raises(ElectionDataError, match="not a whole number"):
        table.counts(0)
    with pytest.raises(ElectionDataError, match="expected one of 2020-01-02, 2020-01-03"):
        read_table(frame, options(where={"day": "2021"}))


def test_names_of_several_levels_are_joined_and_batches_are_tables():
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("votes", "A"), ("votes", "B")]))
    assert read_table(frame).names == ["votes A", "votes B"]
    assert cells(read_table(pa.table({"a": ["x"], "b": ["y"]}).to_batches()[0])) == [["x", "y"]]


@pytest.mark.parametrize("blank", [None, "", np.nan, pd.NA, [None, "9"]])
def test_where_chooses_blanks(tmp_path, blank):
    path = write(tmp_path, "a.csv", "round,votes\n,1\n2,3\n-,5\n")
    assert cells(read_table(path, options(where={"round": blank}))) == [["", "1"], ["", "5"]]
    with pytest.raises(ElectionDataError, match="no row has a blank; expected one of 1, 3, 5"):
        read_table(path, options(where={"votes": None}))
    with pytest.raises(ElectionDataError, match="expected one of 2, null, a blank"):
        read_table(path, options(where={"round": 7}))


def test_folders_of_parquet_that_are_left_out_are_named(tmp_path):
    for state in ("DE", "MD"):
        (tmp_path / "all" / f"state={state}").mkdir(parents=True)
        pd.DataFrame({"votes": ["10", "*"]}).to_parquet(tmp_path / "all" / f"state={state}" / "a.parquet")
    for name in ("state", "land"):
        given = options(where={name: "DE"}, columns={"land": "state"} if name == "land" else {})
        table = read_table(tmp_path / "all", given)
        assert (len(table), "folders of 1 other values of state left out" in table.notes) == (2, True)
