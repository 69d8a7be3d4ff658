"""A delimited text file as chunks of columns, read once and never held as cells: each different text is kept once."""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.data.labels import unique_names

CHUNK = 20_000
_MANY_TEXTS = 100_000
_BLANK = {"", "NA", "NaN", "nan", "."}
_FORMULA = re.compile(r'="(.*)"')  # some exports write ="1" so that a spreadsheet keeps the text


class Labels(dict[str, int]):
    """A number for each different text, given out in order of appearance."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class Column(NamedTuple):
    """One column: for each record the number of its text, and the texts, cleaned; a missing one is blank."""

    name: str
    codes: np.ndarray
    texts: tuple[str, ...]

    def cells(self) -> np.ndarray:
        """The text of each record."""
        return np.array(self.texts, dtype=np.str_)[self.codes]

    @property
    def blank(self) -> np.ndarray:
        """Which records are missing here."""
        return np.array([not text for text in self.texts])[self.codes]

    def present(self) -> list[str]:
        """The different texts that are not missing, in order of appearance."""
        return list(dict.fromkeys(text for text in self.texts if text))

    def coded(self, order: dict[str, int]) -> np.ndarray:
        """Each record as its text's number in `order`; -1 where missing."""
        return np.array([order[text] if text else -1 for text in self.texts], dtype=np.int32)[self.codes]


@dataclass(frozen=True)
class Batch:
    """Some records of a file: the line each begins on (the header is line 1) and their columns by position."""

    file: str
    lines: np.ndarray
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The header, a repeated name with its number."""
        return [column.name for column in self.columns]

    def find(self, name: str, what: str) -> int:
        """Position of the column called `name`, whatever its case."""
        folded = [column.casefold() for column in self.names]
        if name.casefold() not in folded:
            raise self.fault(
                f"no column {name!r} for {what}", expected="a column of the file", mend=suggest(name, self.names), row=1
            )
        return folded.index(name.casefold())

    def numbers(self, position: int, what: str) -> np.ndarray:
        """A column of numbers, NaN where missing."""
        column = self.columns[position]
        values = np.array([number(text) if text else np.nan for text in column.texts], dtype=float)
        wrong = np.array([bool(text) and np.isnan(value) for text, value in zip(column.texts, values, strict=True)])
        if wrong.any() and (bad := wrong[column.codes]).any():
            at = int(bad.argmax())
            found = column.texts[column.codes[at]]
            raise self.fault(f"{found!r} is not a number", at, position, expected=what, mend="correct the cell")
        return values[column.codes]

    def fault(
        self,
        problem: str,
        record: int | None = None,
        position: int | None = None,
        *,
        expected: str,
        mend: str,
        row: int | None = None,
    ) -> ElectionDataError:
        """The error for a record and a column of this file."""
        line = row if record is None else int(self.lines[record])
        column = None if position is None else self.columns[position].name
        return data_error(problem, where=self.file, row=line, column=column, expected=expected, mend=mend)


@dataclass(frozen=True)
class Records:
    """A text file separated by commas, semicolons or tabs, plain, gzipped or alone in a zip."""

    path: Path
    encoding: str = "utf-8-sig"

    @property
    def file(self) -> str:
        """The file's name, for errors."""
        return self.path.name

    def head(self, count: int) -> list[list[str]]:
        """The first records, cells cleaned; fewer where the file is shorter."""
        rows = []
        for _, cells in self._rows():
            rows.append([clean(cell) for cell in cells])
            if len(rows) == count:
                break
        if not rows:
            raise data_error("the file is empty", where=self.file, expected="a header and rows", mend="check the file")
        return rows

    def chunks(self, skip: int = 1, size: int = CHUNK) -> Iterator[tuple[list[int], list[list[str]]]]:
        """Lines and cells of the records after the first `skip`, all of them as long as the header."""
        lines: list[int] = []
        rows: list[list[str]] = []
        width = 0
        for count, (line, cells) in enumerate(self._rows()):
            if count < skip:
                width = len(cells)
                continue
            if len(cells) != width:
                raise data_error(
                    f"{len(cells)} cells",
                    where=self.file,
                    row=line,
                    expected=f"{width}, as in the header",
                    mend="quote cells that hold the delimiter, or complete the row",
                )
            lines.append(line)
            rows.append(cells)
            if len(rows) == size:
                yield lines, rows
                lines, rows = [], []
        if rows:
            yield lines, rows

    def batches(self, size: int) -> Iterator[Batch]:
        """The records after the header in batches of `size`, each of which knows every text of the file.

        That takes a first pass. Columns with very many texts (labels of voters, say) know those of their batch only.
        """
        names = self.header()
        known: list[Labels | None] = [Labels() for _ in names]
        for _, rows in self.chunks():
            for p, labels in enumerate(known):
                if labels is not None:
                    list(map(labels.__getitem__, [row[p] for row in rows]))
                    known[p] = labels if len(labels) <= _MANY_TEXTS else None
        cleaned = [None if labels is None else tuple(map(clean, labels)) for labels in known]
        for lines, rows in self.chunks(size=size):
            texts = [Labels() if labels is None else labels for labels in known]
            codes = number_cells(rows, texts)
            columns = (
                Column(name, code, tuple(map(clean, own)) if shared is None else shared)
                for name, code, own, shared in zip(names, codes, texts, cleaned, strict=True)
            )
            yield Batch(self.file, np.array(lines), tuple(columns))

    def whole(self, tidy: Callable[[str], str] | None = None) -> Batch:
        """All records after the header as one batch, cells by `clean` or as given."""
        names = self.header()
        texts = [Labels() for _ in names]
        lines: list[int] = []
        parts = []
        for more, rows in self.chunks():
            lines += more
            parts.append(number_cells(rows, texts))
        if not parts:
            raise data_error("no rows after the header", where=self.file, expected="ballots", mend="check the file")
        codes = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return make_batch(self.file, names, np.array(lines), codes, texts, tidy or clean)

    def header(self) -> list[str]:
        """The column names, a repeated one with its number."""
        return unique_names(self.head(1)[0])

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Records that are not empty, and the line each begins on."""
        start = 1
        with open_text(self.path, self.encoding) as text:
            try:
                first = text.readline()
                while first and not first.strip():
                    first, start = text.readline(), start + 1
                delimiter = max(",;\t", key=first.count)
                offset = start - 1
                reader = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
                for cells in reader:
                    if cells:
                        yield start, cells
                    start = reader.line_num + 1 + offset
            except csv.Error as error:
                raise data_error(
                    f"cannot be split into cells ({error})",
                    where=self.file,
                    row=start,
                    expected="cells in matching double quotes",
                    mend="close the quotes in this row",
                ) from None
            except UnicodeDecodeError as error:
                raise data_error(
                    f"byte 0x{error.object[error.start]:02x} after row {start} is not {self.encoding}",
                    where=self.file,
                    expected=f"text in {self.encoding}",
                    mend="pass the file's encoding, e.g. encoding='cp1252'",
                ) from None


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[IO[str]]:
    """Open a text file as it is, gzipped, or as the only CSV of a zip."""
    try:
        with open(path, "rb") as raw:
            magic = raw.read(2)
        if magic == b"PK":
            with zipfile.ZipFile(path) as archive, archive.open(_only_csv(path, archive)) as member:
                yield io.TextIOWrapper(member, encoding=encoding, newline="")
            return
        with (
            gzip.open(path, "rt", encoding=encoding, newline="")
            if magic == b"\x1f\x8b"
            else open(path, encoding=encoding, newline="") as text
        ):
            yield text
    except LookupError:
        raise data_error(
            f"no encoding {encoding!r}", where=path.name, expected="a Python codec name", mend="pass encoding='utf-8'"
        ) from None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise data_error(
            f"cannot be read ({getattr(error, 'strerror', None) or error})",
            where=str(path),
            expected="a readable file",
            mend="check the path and the file",
        ) from None


def clean(text: str) -> str:
    """A cell without surrounding and repeated white space; "" where it is missing."""
    tidy = spaced(text)
    return "" if tidy in _BLANK else tidy


def spaced(text: str) -> str:
    """A cell without surrounding and repeated white space, whatever it says: NA may be a name."""
    formula = _FORMULA.fullmatch(text)
    return " ".join((formula[1] if formula else text).split())


def number(text: str) -> float:
    """The number a cell holds, NaN for anything else."""
    try:
        return float(text) if "_" not in text else np.nan
    except ValueError:
        return np.nan


def _only_csv(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if name.casefold().endswith((".csv", ".txt", ".tsv"))]
    if len(names) != 1:
        raise data_error(
            f"{len(names)} text files in the zip",
            where=path.name,
            expected="one, or a cast-vote-record export with CvrExport*.json",
            mend="unpack it and name the file",
        )
    return names[0]


def number_cells(rows: list[list[str]], texts: Sequence[Labels]) -> list[np.ndarray]:
    """The number of each cell's text, one array for each of the first `len(texts)` columns."""
    return [
        np.fromiter(map(known.__getitem__, [row[p] for row in rows]), np.int32, len(rows))
        for p, known in enumerate(texts)
    ]


def make_batch(
    file: str,
    names: Sequence[str],
    lines: np.ndarray,
    codes: list[np.ndarray],
    texts: Sequence[Iterable[str]],
    tidy: Callable[[str], str] = clean,
) -> Batch:
    """The batch of records whose texts are numbered by `codes`."""
    columns = (
        Column(name, column, tuple(tidy(text) for text in known))
        for name, column, known in zip(names, codes, texts, strict=True)
    )
    return Batch(file, lines, tuple(columns))
