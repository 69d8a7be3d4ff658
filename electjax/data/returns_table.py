"""A delimited text file as rows that remember their line, with the checks every text reader shares."""

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from electjax.data.errors import ElectionDataError, data_error

_COUNT = re.compile(r"[0-9]{1,15}(\.0*)?")  # 15 digits: far above any electorate, safely inside int64
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Row(NamedTuple):
    """One record: the line of the file it starts on (the header is line 1) and its cells."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A parsed file. Columns are found whatever their case; errors name the file, the row and the column."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {column.casefold(): i for i, column in reversed(list(enumerate(self.columns)))}

    @cached_property
    def _repeated(self) -> set[str]:
        return {column for column, n in Counter(c.casefold() for c in self.columns).items() if n > 1}

    def __contains__(self, column: str) -> bool:
        return column in self._index

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def text(self, row: Row, column: str) -> str:
        """The cell with surrounding and repeated white space removed."""
        return " ".join(row.cells[self._index[column]].split())

    def name(self, row: Row, column: str) -> str:
        """A cell that must not be blank: a district, a party, a winner."""
        found = self.text(row, column)
        if not found:
            raise self.fault("the cell is blank", row, column, expected="a name", mend="fill it in or remove the row")
        return found

    def count(self, row: Row, column: str) -> int:
        """A cell that holds a whole number of at least 0 (`12` or `12.0`)."""
        found = self.text(row, column)
        if _COUNT.fullmatch(found):
            return int(found.split(".")[0])
        if not found:
            problem, mend = "the cell is blank", "write 0 if nobody voted so, or remove the row"
        elif not _NUMBER.fullmatch(found):
            problem, mend = f"{found!r} is not a number", "write digits only, without separators or notes"
        elif found.startswith("-"):
            problem, mend = f"{found!r} is negative", "correct the cell"
        elif float(found) > 1e15:
            problem, mend = f"{found!r} is larger than any electorate", "correct the cell"
        else:
            problem, mend = f"{found!r} is not a whole number", "give counts of votes, not shares or averages"
        raise self.fault(problem, row, column, expected="a whole number, 0 or more", mend=mend)

    def fault(
        self, problem: str, row: Row | None = None, column: str | None = None, *, expected: str, mend: str
    ) -> ElectionDataError:
        """The error for a place in this file, the column spelt as in its header."""
        spelt = self.columns[self._index[column]] if column is not None and column in self else column
        line = None if row is None else row.line
        return data_error(problem, where=self.file, row=line, column=spelt, expected=expected, mend=mend)

    def require(self, *columns: str) -> None:
        """Every column must be there exactly once."""
        for column in columns:
            if column not in self or column in self._repeated:
                raise data_error(
                    f"the header has {'two columns' if column in self else 'no column'} {column!r}",
                    where=self.file,
                    row=1,
                    column=column,
                    expected=f"the columns {', '.join(columns)}, once each",
                    mend="rename the column or add it",
                )

    def where(self, conditions: Mapping[str, object]) -> "Table":
        """The rows whose cells equal the given values (compared as text)."""
        kept = self
        for column, value in conditions.items():
            key = column.casefold()
            if key not in self:
                raise data_error(
                    f"no column {column!r} to select {value!r} from",
                    where=self.file,
                    row=1,
                    column=column,
                    expected=f"one of {', '.join(self.columns)}",
                    mend="select by a column of the file",
                )
            rows = tuple(row for row in kept if self.text(row, key) == str(value))
            if not rows:
                raise self.fault(
                    f"no row has the value {str(value)!r}",
                    None,
                    key,
                    expected=f"one of {', '.join(kept.values(key)[:20])}",
                    mend="select another value",
                )
            kept = replace(kept, rows=rows)
        return kept

    def filled(self, column: str) -> bool:
        """Whether an optional column is there with at least one cell that is not blank."""
        return column in self and any(self.text(row, column) for row in self)

    def values(self, column: str) -> list[str]:
        """The different values of a column, in order of appearance."""
        return list(dict.fromkeys(self.text(row, column) for row in self))


def open_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError:
        problem, expected, mend = "no such file", "an existing file", "check the path"
    except IsADirectoryError:
        problem, expected, mend = "this is a folder", "a file", "name the file in it"
    except (OSError, EOFError, zlib.error) as error:
        problem, expected, mend = (f"cannot be read ({error})", "a readable file", "check the file and its permissions")
    raise data_error(problem, where=str(path), expected=expected, mend=mend)


def parse_table(file: str, raw: bytes, encoding: str) -> Table:
    """Decode and split a delimited file (comma, semicolon or tab, as its header has them)."""
    text = _decode(file, raw, encoding)
    if not text.strip():
        raise data_error("the file is empty", where=file, expected="a header and rows", mend="check the download")
    header = next(line for line in text.splitlines() if line.strip())
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[Row] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append(Row(start, tuple(cells)))
            start = reader.line_num + 1
    except csv.Error as error:
        raise data_error(
            f"cannot be split into cells ({error})",
            where=file,
            row=start,
            expected="cells in matching double quotes",
            mend="close the quotes in this row",
        ) from None
    columns = tuple(" ".join(cell.split()) for cell in records[0].cells)
    for row in records[1:]:
        if len(row.cells) != len(columns):
            raise data_error(
                f"{len(row.cells)} cells",
                where=file,
                row=row.line,
                column=columns[min(len(row.cells), len(columns)) - 1],
                expected=f"{len(columns)}, as in the header",
                mend="quote cells that hold the delimiter, or complete the row",
            )
    if len(records) == 1:
        raise data_error("no rows after the header", where=file, row=1, expected="returns", mend="check the download")
    return Table(file, columns, tuple(records[1:]))


def _decode(file: str, raw: bytes, encoding: str) -> str:
    row = None
    if raw[:2] == b"PK":
        problem, expected, mend = ("this is a zip archive or a workbook", "a text file", "unpack it or save it as CSV")
    else:
        try:
            text = raw.decode(encoding)
        except LookupError:
            problem, expected, mend = (f"no encoding {encoding!r}", "a Python codec name", "pass encoding='utf-8'")
        except UnicodeDecodeError as error:
            row = raw[: error.start].count(b"\n") + 1
            guess = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
            problem = f"byte 0x{raw[error.start]:02x} at position {error.start} is not {encoding}"
            expected, mend = f"text in {encoding}", f"pass the file's encoding, e.g. encoding={guess!r}"
        else:
            if "\0" not in text:
                return text
            row = text[: text.index("\0")].count("\n") + 1
            problem, expected, mend = ("a NUL character", "text", "pass the file's encoding, e.g. encoding='utf-16'")
    raise data_error(problem, where=file, row=row, expected=expected, mend=mend)
