"""A table as columns of numbered texts, whatever file or frame it comes from; faults name the file, row and column.

A text that says "missing" (NA, null, a blank) is "" in every column but the names; the same text has one number.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.data.labels import unique_names
from electjax.data.numbers import Fault, is_missing, looks_numeric, parse_numbers
from electjax.data.text import spaced

Said = str | Callable[[int], str]
_PUNCTUATION = re.compile(r"[\W_]+")


def clean(text: str, said: Collection[str] = ()) -> str:
    """A cell without surrounding and repeated white space; "" where it says that it has no value.

    Texts that are `said`, in lower case, say something, such as "none" on a ballot.
    """
    tidy = spaced(text)
    return "" if is_missing(tidy) and tidy.casefold() not in said else tidy


def fold(name: str) -> str:
    """A name of a column without case, accents, spaces and punctuation."""
    plain = name.casefold()
    return _PUNCTUATION.sub("", plain if plain.isascii() else unicodedata.normalize("NFKD", plain))


class Column(NamedTuple):
    """One column: for each row the number of its text, and the texts, all different; a missing one is blank."""

    name: str
    codes: np.ndarray
    texts: tuple[str, ...]

    def cells(self) -> np.ndarray:
        """The text of each row."""
        return np.array(self.texts, dtype=np.str_)[self.codes]

    def at(self, row: int) -> str:
        """The text of a row."""
        return self.texts[self.codes[row]]

    @property
    def blank(self) -> np.ndarray:
        """Which rows are missing here."""
        return np.array([not text for text in self.texts], dtype=bool)[self.codes]

    def present(self) -> list[str]:
        """The different texts of these rows that are not missing, in order of appearance."""
        codes, first = np.unique(self.codes, return_index=True)
        return [text for code in codes[np.argsort(first)] if (text := self.texts[code])]

    def coded(self, order: Mapping[str, int]) -> np.ndarray:
        """Each row as its text's number in `order`; -1 where missing or not there."""
        return np.array([order.get(text, -1) if text else -1 for text in self.texts], dtype=np.int64)[self.codes]


def make_column(name: str, codes: np.ndarray, texts: Sequence[str], said: Collection[str] = ()) -> Column:
    """A column of texts as a file has them: cleaned, texts that then are the same made one."""
    cleaned = [text if text.isdigit() else clean(text, said) for text in texts]
    order = {text: k for k, text in enumerate(dict.fromkeys(cleaned))}
    if len(order) < len(cleaned):
        codes = np.array([order[text] for text in cleaned], dtype=np.int32)[codes]
    return Column(name, np.asarray(codes, np.int32), tuple(order))


def _compact(column: Column) -> Column:
    used = np.bincount(column.codes, minlength=len(column.texts)) > 0
    if used.all():
        return column
    texts = tuple(text for text, use in zip(column.texts, used, strict=True) if use)
    return Column(column.name, (np.cumsum(used, dtype=np.int32) - 1)[column.codes], texts)


class Style(NamedTuple):
    """How numbers of a table are written, where the reader was told; texts that elsewhere mean "missing"."""

    thousands: str | None = None
    suppressed: float | str | None = None
    said: Collection[str] = ()


_PLAIN = Style()


@dataclass(frozen=True)
class Table:
    """Rows of a file or frame.

    Attributes:
        file: its name, for errors.
        lines: of a text file the line each row begins on; of a frame its number from 0.
        columns: by position.
        notes: how it was read: what was guessed, skipped and left out.
        header: the line of the column names; None of a frame.
        style: how its numbers are written.
        of: how many rows there are where these are a part of them, which then knows the texts of all.
        files, of_file: where rows come from several files, their names, and the number of each row's.
    """

    file: str
    lines: np.ndarray
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    header: int | None = 1
    style: Style = _PLAIN
    of: int = 0
    files: tuple[str, ...] = ()
    of_file: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @cached_property
    def _places(self) -> dict[str, int]:
        places: dict[str, int] = {}
        for key in (str, str.casefold, fold):  # as spelt, whatever the case, whatever the punctuation
            for position, name in enumerate(self.names):
                places.setdefault(key(name), position)
        return places

    def find(self, *names: str) -> int | None:
        """Position of the first of these names that is a column; case, accents and punctuation do not matter."""
        for name in names:
            for key in (name, name.casefold(), fold(name)):
                if key and key in self._places:
                    return self._places[key]
        return None

    def has(self, *names: str) -> bool:
        """Whether one of these names is a column."""
        return self.find(*names) is not None

    def need(self, *names: str, what: str = "") -> int:
        """As `find`, but one must be there, and once."""
        position = self.find(*names)
        if position is not None:
            again = f"{self.names[position]} (2)" in self.names
            if not again:
                return position
        there = ", ".join(self.names[:30])
        ours = f"pass columns={{{names[0]!r}: 'the file's name'}}"
        raise data_error(
            f"the header has {'no column' if position is None else 'two columns'} {what or repr(names[0])}"
            + self.doubt,
            where=self.file,
            row=self.header,
            column=names[0],
            expected="one column " + " or ".join(repr(name) for name in names[:4]),
            mend=f"{ours}; the file has {there}" if position is None else "rename or remove one of the two",
        )

    @property
    def doubt(self) -> str:
        """A hint that the first row may be no header."""
        numeric = sum(looks_numeric(name) for name in self.names)
        return ", and the row read as header holds numbers; pass header= if it is another" if numeric else ""

    def asked(self, name: str, keyword: str) -> int:
        """Position of a column that the caller names."""
        position = self.find(str(name))
        if position is None:
            raise data_error(
                f"no column {name!r}",
                where=f"{self.file}, {keyword}",
                expected="a column of the header",
                mend=suggest(str(name), self.names[:200]),
            )
        return position

    def column(self, *names: str) -> Column:
        """The column of the first of these names."""
        return self.columns[self.need(*names)]

    def labels(self, position: int, what: str = "a name") -> Column:
        """A column that is never missing."""
        column = self.columns[position]
        self.refuse(column.blank, position, "the cell is blank", what, "fill it in, or remove the row")
        return column

    def numbers(self, position: int, what: str = "a number", *, low: float = -np.inf, blank: bool = True) -> np.ndarray:
        """A column of numbers, NaN where missing.

        Args:
            position: of the column.
            what: was expected, for errors.
            low: the least number that is right.
            blank: whether a cell may be missing.
        """
        return self._parsed(position, what, whole=False, low=low, blank=blank)

    def counts(
        self, position: int, what: str = "a whole number, 0 or more", *, missing: int | None = None
    ) -> np.ndarray:
        """A column of whole numbers of at least 0; `missing` where a cell is, which is refused by default."""
        values = self._parsed(position, what, whole=True, low=0, blank=missing is not None)
        return np.where(np.isnan(values), 0 if missing is None else missing, values).astype(np.int64)

    def _parsed(self, position: int, what: str, *, whole: bool, low: float, blank: bool) -> np.ndarray:
        column = self.columns[position]
        used = np.zeros(len(column.texts), bool)
        used[column.codes] = True  # of a part the texts of all rows tell how numbers are written
        texts = [text if use or self.of else "" for text, use in zip(column.texts, used, strict=True)]
        found = parse_numbers(texts, whole=whole, thousands=self.style.thousands, suppressed=self.style.suppressed)
        faults = list(found.faults)
        doubtful = (found.values < low) | np.isnan(found.values)
        for k in np.flatnonzero(used & doubtful):
            if faults[k] is None and np.isnan(found.values[k]) and not blank:
                if text := texts[k]:
                    faults[k] = Fault(
                        f"{text!r} is no number", "pass suppressed= the number to count, or remove the row"
                    )
                else:
                    faults[k] = Fault("the cell is blank", "write 0 if nobody is counted there, or remove the row")
            elif faults[k] is None and found.values[k] < low:
                faults[k] = Fault(f"{column.texts[k]!r} is less than {low:g}", "correct the cell")
        wrong = np.array([fault is not None for fault in faults], dtype=bool)
        if wrong.any() and (bad := wrong[column.codes]).any():
            row = int(bad.argmax())
            fault = faults[column.codes[row]]
            assert fault is not None
            raise self.fault(fault.problem, row, position, expected=what, mend=fault.mend)
        return found.values[column.codes]

    def every_text(self, position: int) -> list[str]:
        """The different texts of a column that are not missing, of a part of a table those of the whole."""
        column = self.columns[position]
        return [text for text in column.texts if text] if self.of else column.present()

    def is_numeric(self, position: int) -> bool:
        """Whether a column holds numbers only, and one at least."""
        present = self.columns[position].present()
        return bool(present) and all(looks_numeric(text) for text in present)

    def look_up(self, position: int, index: Mapping[str, int], what: str, source: str) -> np.ndarray:
        """Numbers of a column's labels; a label that is not in the index is refused."""
        column = self.labels(position, what)
        found = column.coded(index)
        self.refuse(
            found < 0,
            position,
            lambda row: f"unknown {what} {column.at(row)!r}",
            f"a {what} of {source}",
            lambda row: near(column.at(row), list(index)),
        )
        return found

    def take(self, rows: np.ndarray, *notes: str) -> "Table":
        """Some of the rows, as a mask or as numbers, with notes that say why."""
        columns = tuple(column._replace(codes=column.codes[rows]) for column in self.columns)
        of_file = None if self.of_file is None else self.of_file[rows]
        noted = (*self.notes, *notes)
        return replace(self, lines=self.lines[rows], columns=columns, notes=noted, of_file=of_file)

    def compact(self) -> "Table":
        """The same rows; texts that none of them has are forgotten."""
        return replace(self, columns=tuple(map(_compact, self.columns)))

    def noted(self, *notes: str) -> "Table":
        """The same rows with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def renamed(self, names: Mapping[str, str]) -> "Table":
        """Columns called by our names: {ours: theirs}."""
        columns = list(self.columns)
        chosen = {ours: self.asked(theirs, "columns") for ours, theirs in names.items()}
        for same in {self.find(ours) for ours in names} - {None} - set(chosen.values()):
            columns[same] = columns[same]._replace(name=f"{columns[same].name} (in the file)")  # type: ignore[index]
        for ours, position in chosen.items():
            columns[position] = columns[position]._replace(name=ours)
        said = [f"{theirs!r} is {ours}" for ours, theirs in names.items() if fold(ours) != fold(theirs)]
        return replace(self, columns=tuple(columns), notes=(*self.notes, *said))

    def no_repeats(self, key: np.ndarray, position: int, said: Callable[[int], str], mend: str) -> None:
        """Refuse the first row whose key a row before it has."""
        order = np.argsort(key, kind="stable")
        again = key[order][1:] == key[order][:-1]
        if not again.any():
            return
        repeats, firsts = order[1:][again], order[:-1][again]
        at = int(repeats.argmin())
        row = int(repeats[at])
        problem = f"{said(row)} again, as in {self.row_name(int(firsts[at]), row)}"
        raise self.fault(problem, row, position, expected="one row for each", mend=mend)

    def refuse(self, bad: np.ndarray, position: int | None, problem: Said, expected: str, mend: Said) -> None:
        """Refuse the first row that is bad; what is said may depend on the row, from 0."""
        if np.any(bad):
            row = int(np.argmax(bad))
            told, remedy = (said if isinstance(said, str) else said(row) for said in (problem, mend))
            raise self.fault(told, row, position, expected=expected, mend=remedy)

    def file_of(self, row: int | None) -> str:
        """The file that a row (from 0) comes from."""
        return self.file if row is None or self.of_file is None else self.files[self.of_file[row]]

    def row_name(self, row: int, beside: int) -> str:
        """What a row is called in a message on another: its line, and its file where that differs."""
        other = self.file_of(row) != self.file_of(beside)
        return f"row {int(self.lines[row])}" + (f" of {self.file_of(row)}" if other else "")

    def fault(
        self, problem: str, row: int | None = None, position: int | None = None, *, expected: str, mend: str
    ) -> ElectionDataError:
        """The error for a row (from 0) and a column of this table."""
        line = None if row is None else int(self.lines[row])
        column = None if position is None else self.columns[position].name
        return data_error(problem, where=self.file_of(row), row=line, column=column, expected=expected, mend=mend)


def near(name: str, known: Sequence[str] | Iterable[str]) -> str:
    """Names that come close, where there are too many to list them all."""
    names = list(known)
    said = suggest(name, names)
    if len(names) > 30 and not said.startswith("did"):
        return f"known: {', '.join(names[:5])} and {len(names) - 5} more"
    return said


def make_table(
    file: str,
    lines: np.ndarray,
    names: Sequence[str],
    columns: Sequence[tuple[np.ndarray, Sequence[str]]],
    **known: Any,
) -> Table:
    """A table of columns as (codes, texts); a repeated name gets a number, one without name and cells is left out."""
    said = known.get("style", _PLAIN).said
    kept = []
    for position, (name, (codes, texts)) in enumerate(zip(names, columns, strict=True)):
        column = make_column(name or f"column {position + 1}", codes, texts, said)
        if name or any(column.texts):
            kept.append(column)
    unique = unique_names([column.name for column in kept])
    named = tuple(column._replace(name=name) for name, column in zip(unique, kept, strict=True))
    return Table(file, np.asarray(lines), named, **known)


def joined(tables: Sequence[Table]) -> Table:
    """Tables of the same columns, one below the other, with the notes of all; rows know their files."""
    first = tables[0]
    if len(tables) == 1:
        return first
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    files = tuple(dict.fromkeys(table.file for table in tables))
    own = [np.full(len(table), files.index(table.file)) for table in tables]
    of_file = np.concatenate(own) if len(files) > 1 else None
    columns = []
    for parts in zip(*(table.columns for table in tables), strict=True):
        if all(part.texts is parts[0].texts for part in parts):
            columns.append(parts[0]._replace(codes=np.concatenate([part.codes for part in parts])))
            continue
        order: dict[str, int] = {}
        codes = [
            np.array([order.setdefault(text, len(order)) for text in part.texts], np.int32)[part.codes]
            for part in parts
        ]
        columns.append(Column(parts[0].name, np.concatenate(codes), tuple(order)))
    lines = np.concatenate([table.lines for table in tables])
    return replace(first, lines=lines, columns=tuple(columns), notes=notes, files=files, of_file=of_file)
