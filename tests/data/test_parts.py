"""Text files in parts: the same rows, lines and notes as of the whole, however small the parts are."""

import subprocess
import sys

import numpy as np
import pytest

from electjax.data import text
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.options import made
from electjax.data.parts import stream_tables, table_parts
from electjax.data.reading import TableOptions
from electjax.data.sources import read_table

ROWS = "".join(f"voter {k},Ann,P{k % 3}\n" for k in range(40))
FILES = {
    "plain": "id,Mayor,precinct\n" + ROWS,
    "quoted": "id,Mayor,precinct\n" + ROWS + 'voter 40,"Bob\nJr",P1\n' + ROWS,
    "quoted twice": "id,Mayor,precinct\n" + ROWS + 'voter 40,"Bob\n\nJr","P\n1"\n' + ROWS,
    "footnotes": "A title\nid,Mayor,precinct\n" + ROWS + "Source: the county,,\n* of the year,,\n",
    "short note": "id,Mayor,precinct\n" + ROWS + "\nSource: the county\n",
    "comments": "id,Mayor,precinct\n" + ROWS + "# half,,\n" + ROWS + "id,Mayor,precinct\n" + ROWS + "# end,,\n",
    "blank rows": "id,Mayor,precinct\n" + ROWS + ",,\n,,\n" + ROWS + ",,\n" * 30,
    "windows": ("id,Mayor,precinct\n" + ROWS).replace("Ann", "Änne").encode("cp1252"),
    "line ends": ("id,Mayor,precinct\n" + ROWS).replace("\n", "\r\n"),
    "no line end": ("id,Mayor,precinct\n" + ROWS)[:-1],
    "lone": "id,Mayor,precinct\n" + ROWS + "Ward two:,,\n" + ROWS,
}


@pytest.fixture(params=[64, 300, 1 << 22])
def block(request, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", request.param)
    monkeypatch.setattr(text, "CHUNK", max(2, request.param // 64))
    return request.param


def cells(table):
    return np.stack([column.cells() for column in table.columns], axis=1).tolist()


def written(folder, content):
    path = folder / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.filterwarnings("ignore::electjax.ElectionDataWarning")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("blank_rows", [False, True])
def test_parts_are_the_whole(tmp_path, block, name, blank_rows, monkeypatch):
    path = written(tmp_path, FILES[name])
    given = made(TableOptions, {"columns": {"place": "precinct"}}, where="test")
    parts = list(stream_tables(path, 7, given, blank_rows=blank_rows))
    few = list(table_parts(path, given, blank_rows=blank_rows))
    monkeypatch.undo()
    whole = read_table(path, given, blank_rows=blank_rows)
    assert [row for part in parts for row in cells(part)] == cells(whole)
    assert [line for part in parts for line in part.lines.tolist()] == whole.lines.tolist()
    assert [line for part in few for line in part.lines.tolist()] == whole.lines.tolist()
    assert {frozenset(part.notes) for part in parts} == {frozenset(whole.notes)}
    assert {note for part in few for note in part.notes} == set(whole.notes)


def test_notes_between_rows_are_warned_of_once(tmp_path, block):
    with pytest.warns(ElectionDataWarning, match=r"a.csv, row 42: 1 rows with one cell left out") as said:
        list(stream_tables(written(tmp_path, FILES["lone"]), 7))
    assert len(said) == 1


def test_rows_left_out_are_counted_over_all_parts(tmp_path, block):
    given = made(TableOptions, {"where": {"precinct": "P2"}}, where="test")
    path = written(tmp_path, FILES["plain"])
    parts = list(stream_tables(path, 5, given))
    assert {part.notes for part in parts} == {read_table(path, given).notes}
    assert parts[0].notes[-1] == "27 rows with another precinct left out"


def test_what_may_be_a_note_is_no_row_that_others_are_like(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 64)
    content = "first,second\n" + "Ann,Bob\n" * 9 + "Jo Di,\n" + "Ann,Bob\n" * 40 + "Jo Di,Bob\n" * 9
    path = written(tmp_path, content.replace("\n", ",x\n").replace("Jo Di,,x", "Jo Di,,"))
    with pytest.raises(ElectionDataError, match=r"row 11: 'Jo Di' is alone in its row, as notes are, and rows below"):
        list(table_parts(path, made(TableOptions, {}, where="test"), blank_rows=True))


def test_a_name_of_two_lines_above_no_rows(tmp_path):
    for header in ('"di\nstrict",votes', '"di\n\nstrict",votes', '"di\nstrict","vo\ntes"'):
        with pytest.raises(ElectionDataError, match="no rows after the header"):
            read_table(written(tmp_path, header + "\n"))


def test_a_stream_that_is_left_does_not_hold_up_the_end_of_a_program(tmp_path):
    path = written(tmp_path, FILES["plain"])
    lines = f"from electjax.data.parts import stream_tables\nparts = stream_tables({str(path)!r}, 1)\nnext(parts)"
    subprocess.run([sys.executable, "-c", lines], check=True, timeout=60)
