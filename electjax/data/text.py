"""A delimited text file as records: where its header is, what stands above and below, and how cells are split.

Regular files (a record a line, all of one length) are split by Arrow, 1e6 x 20 ballots in two seconds where Python's
csv module takes fifteen and pandas eleven. Whatever Arrow refuses goes through the csv module, which knows the line
of every record: it reads what is merely untidy and names what is wrong.
"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from electjax.data.errors import data_error
from electjax.data.numbers import looks_numeric
from electjax.data.unpack import encoding_of, open_text

DELIMITERS = "\t|;,"
SAMPLE = 200  # records from which delimiter and header are told
LONGEST = 1 << 24  # characters of a line
MOST_COLUMNS = 100_000
BLOCK = 1 << 22  # characters that Arrow splits at once
CHUNK = 20_000  # records that the csv module splits at once
_SEPARATOR = re.compile(r'"?sep=([!-~\t])"?', re.IGNORECASE)
_UNSEEN = dict.fromkeys((0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))  # joiners of Indian scripts stay
_LIKELY = 0.5  # of the fullest row: cells that a row of names has at least
_SAID = {
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}

Record = tuple[int, list[str]]


class Irregular(Exception):
    """Arrow cannot split the file, or not into a record a line."""


class Layout(NamedTuple):
    """How a text file is laid out.

    Attributes:
        encoding, delimiter: of the text.
        header: the line of the column names, the last of several.
        names: the column names, cleaned, "" where a column has none.
        first: the line on which records begin.
        notes: what was skipped or guessed, a sentence each.
    """

    encoding: str
    delimiter: str
    header: int
    names: tuple[str, ...]
    first: int
    notes: tuple[str, ...]


def spaced(text: str) -> str:
    """A cell without surrounding and repeated white space; some exports write ="1" so that a sheet keeps the text.

    Letters with accents are written in one way, and marks that nobody sees are left out: no two names look the same.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_UNSEEN)
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return " ".join(text.split())


class Head(NamedTuple):
    """How a text file is written, its first records, cells cleaned, and what was guessed; blank records count too."""

    encoding: str
    delimiter: str
    rows: list[Record]
    notes: tuple[str, ...]


def head_of(path: Path, encoding: str | None) -> Head:
    """How a text file is written, and how it begins."""
    codec = encoding or encoding_of(path)
    notes = []
    if encoding is None and codec in _SAID:
        notes.append(f"read as {_SAID[codec]}; pass encoding= if names look wrong")
    with open_text(path, codec) as text:
        lines = list(islice(_lines(text, path.name), SAMPLE))
    delimiter = _delimiter(lines)
    with open_text(path, codec) as text:
        rows = [
            (line, [spaced(cell) for cell in row]) for line, row in islice(split(text, path.name, delimiter), SAMPLE)
        ]
    rows = [(line, row) for line, row in rows if not _SEPARATOR.fullmatch(delimiter.join(row).strip())]
    if not any(any(row) for _, row in rows):
        raise data_error("the file is empty", where=path.name, expected="a header and rows", mend="check the file")
    return Head(codec, delimiter, rows, tuple(notes))


def layout_of(path: Path, encoding: str | None, header: int | Sequence[int] | None) -> Layout:
    """Find the header of a text file."""
    codec, delimiter, rows, notes = head_of(path, encoding)
    at, names, said = header_of([(line, row) for line, row in rows if any(row)], header, path.name)
    if len(names) > MOST_COLUMNS:
        problem, mend = f"{len(names)} columns", "check the delimiter, or make rows of the columns"
        raise data_error(problem, where=path.name, row=at, expected=f"at most {MOST_COLUMNS}", mend=mend)
    after = next((line for line, _ in rows if line > at), None)
    if after is None:  # no records; the names may go over several lines
        with open_text(path, codec) as text:
            after = 1 + sum(1 for _ in text) if len(rows) < SAMPLE else at + 1
    return Layout(codec, delimiter, at, names, after, (*notes, *said))


def header_of(
    rows: Sequence[Record], header: int | Sequence[int] | None, file: str
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """The line of the header, the column names, and notes on what stands above; told from the first records."""
    place = {line: k for k, (line, _) in enumerate(rows)}
    if header is not None:
        asked = [header] if isinstance(header, int) else list(header)
        for line in asked:
            if line not in place:
                mend = "count lines from 1; blank lines count, and are no header"
                raise data_error(
                    f"line {line} is no row of names", where=file, expected="header= in the file", mend=mend
                )
        several = [place[line] for line in asked]
        width = max(p + 1 for k in several for p, cell in enumerate(rows[k][1]) if cell)  # the last may stand above
        return asked[-1], _names(rows, several, width), ()
    filled = [sum(map(bool, row)) for _, row in rows]
    fullest = max(filled)
    at = next(k for k, count in enumerate(filled) if count >= min(2, fullest) and count >= _LIKELY * fullest)
    while _is_upper(rows, at):
        at += 1
    upper = [k for k in range(at) if not rows[k][1][0].startswith("#")][-1:]
    upper = [k for k in upper if filled[k] > 1]
    names = _names(rows, [*upper, at])
    upper = upper if names != _names(rows, [at]) else []
    skipped = [(rows[k][0], next(filter(None, rows[k][1]))) for k in range(at) if k not in upper]
    notes = [f"row {line} is above the header and left out: {said[:60]!r}" for line, said in skipped]
    notes += [f"names of row {rows[k][0]} stand before those of row {rows[at][0]} that need it" for k in upper]
    return rows[at][0], names, tuple(notes)


def _is_upper(rows: Sequence[Record], at: int) -> bool:
    """Whether the names go on in the next row: a fuller one, still without numbers, above rows that have some."""
    if at + 2 >= len(rows):
        return False
    here, below, data = (rows[at + k][1] for k in range(3))
    more = sum(map(bool, below)) > sum(map(bool, here))
    fuller = more and len(set(filter(None, below))) >= len(set(filter(None, here)))
    return fuller and not any(map(looks_numeric, below)) and any(map(looks_numeric, data))


def _names(rows: Sequence[Record], at: Sequence[int], width: int = 0) -> tuple[str, ...]:
    """Names of the columns; where the last row of names repeats one or lacks it, the row above qualifies it.

    There are as many as the last row has, or `width` where that is more.
    """
    names = list(rows[at[-1]][1])
    while names and not names[-1]:
        names.pop()
    names += [""] * (width - len(names))
    for k in reversed(at[:-1]):
        upper = _filled_on(rows[k][1], len(names))
        often = Counter(names)
        names = [
            " ".join(filter(None, (upper[p], name))) if often[name] > 1 or not name else name
            for p, name in enumerate(names)
        ]
    return tuple(names)


def _filled_on(row: Sequence[str], width: int) -> list[str]:
    """A row of names over several columns each, repeated over them."""
    last, names = "", []
    for p in range(width):
        last = (row[p] if p < len(row) else "") or last
        names.append(last)
    return names


def _delimiter(lines: Sequence[str]) -> str:
    """What splits most lines, the first one of them earliest, into most cells."""
    told = next((found[1] for line in lines[:3] if (found := _SEPARATOR.fullmatch(line.strip()))), None)
    if told is not None:
        return told
    best = (",", (False, 0, 0))
    for mark in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=mark)]
        except csv.Error:
            widths = [line.count(mark) + 1 for line in lines]
        wide = [width for width in widths if width > 1]
        if not wide:
            continue
        usual = Counter(wide).most_common(1)[0][0]
        start = next(k for k, width in enumerate(widths) if width >= max(2, _LIKELY * usual))
        score = (2 * len(wide) >= len(widths), -start, usual)
        if score > best[1] or (not best[1][0] and score[0]):
            best = (mark, score)
    return best[0]


def split(text: IO[str], file: str, delimiter: str) -> Iterator[Record]:
    """All records of the text and the line each begins on; blank lines are no records."""
    start = 1
    try:
        reader = csv.reader(_lines(text, file), delimiter=delimiter, strict=True)
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise data_error(
            f"cannot be split into cells ({error})",
            where=file,
            row=start,
            expected="cells in matching double quotes",
            mend="close the quotes in this row",
        ) from None


def _lines(text: IO[str], file: str) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST):
        number += 1
        if len(line) >= LONGEST or "\0" in line:
            found = "a NUL character" if "\0" in line else f"a line of more than {LONGEST} characters"
            raise data_error(found, where=file, row=number, expected="text", mend="check that the file is a text table")
        yield line


def records(path: Path, layout: Layout) -> Iterator[Record]:
    """The records below the header, as long as its names; what is merely untidy is left out.

    Blank cells beyond the last name count for nothing. Comments, and rows that repeat the header, are no records.

    Raises:
        ElectionDataError: a record that is shorter than the header, or has cells beyond it.
    """
    width = len(layout.names)
    with open_text(path, layout.encoding) as text:
        for line, cells in split(text, path.name, layout.delimiter):
            if line <= layout.header:
                continue
            filled = sum(bool(cell.strip()) for cell in cells)
            extra = sum(bool(cell.strip()) for cell in cells[width:])
            note = filled == 1 and bool(cells[0].strip()) and len(cells) < width and width > 2
            if note or (filled == 1 and cells[0].startswith("#")):
                yield line, [cells[0], *[""] * (width - 1)]
            elif len(cells) < width or extra:
                raise data_error(
                    f"{len(cells)} cells",
                    where=path.name,
                    row=line,
                    expected=f"{width}, as in the header (row {layout.header})",
                    mend="quote cells that hold the delimiter, or complete the row",
                )
            else:
                yield line, cells[:width]


def _regular(path: Path, layout: Layout) -> Iterator[list[pa.DictionaryArray]]:
    """The columns of a regular file in parts of about `BLOCK` characters.

    Each part is read by itself, so that Arrow has no thread that waits for the next one when a program ends.

    Raises:
        Irregular: the part is not a record a line, all as long as the header; parts may have been given before.
    """
    width, kind = len(layout.names), pa.dictionary(pa.int32(), pa.string())
    with open_text(path, layout.encoding) as text:
        for _ in range(layout.first - 1):
            text.readline()
        names: list[str] = []
        while block := text.read(BLOCK):
            block += text.readline()
            plain = block.replace("\r\n", "\n")
            blank = plain.startswith("\n") or "\n\n" in plain
            if blank or "\0" in plain or "\r" in plain or plain.count('"') % 2:
                raise Irregular
            if not names:
                first = next(csv.reader([plain.partition("\n")[0]], delimiter=layout.delimiter))
                names = [str(p) for p in range(len(first))]
            if len(names) < width:
                raise Irregular
            found = plain.encode()
            try:
                table = arrow_csv.read_csv(
                    pa.BufferReader(found),
                    read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(found) + 1),
                    parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, ignore_empty_lines=False),
                    convert_options=arrow_csv.ConvertOptions(
                        column_types=dict.fromkeys(names, kind), strings_can_be_null=False
                    ),
                )
            except pa.ArrowInvalid:
                raise Irregular from None
            columns = [column.combine_chunks() for column in table.columns]
            if len(table) != plain.count("\n") + (not plain.endswith("\n")) or any(map(_is_filled, columns[width:])):
                raise Irregular
            yield columns[:width]


def _is_filled(column: pa.DictionaryArray) -> bool:
    return any(text.strip() for text in column.dictionary.to_pylist() if text)


def pieces(path: Path, layout: Layout) -> Iterator[tuple[np.ndarray, list[pa.DictionaryArray]]]:
    """The columns of a text file in parts, with the line of each record.

    Arrow splits what is regular; from the first part on that is not, the csv module goes on.
    """
    given = 0
    try:
        for columns in _regular(path, layout):
            count = len(columns[0])
            yield np.arange(layout.first + given, layout.first + given + count), columns
            given += count
        return
    except Irregular:
        pass
    rows = islice(records(path, layout), given, None)
    while part := list(islice(rows, CHUNK)):
        cells = list(zip(*(row for _, row in part), strict=True))
        yield np.array([line for line, _ in part]), [pa.array(column).dictionary_encode() for column in cells]
