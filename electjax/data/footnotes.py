"""What stands around and between the rows of a table: notes below it, comments, blank rows, the header once more."""

from typing import NamedTuple

import numpy as np

from electjax.data.errors import data_error, data_warning
from electjax.data.numbers import looks_numeric
from electjax.data.table import Table


class _Met(NamedTuple):
    """Rows of a kind that were met: how many, the line and the text of the first."""

    number: int = 0
    line: int = 0
    text: str = ""


class Around:
    """The rows around those of a table, which may come in parts; a part does not end where notes may begin.

    A note is a row with text in its first cell alone where rows usually have more; between rows it leaves a warning.

    Args:
        blank_rows: whether rows stay that have no cell or the first one alone, as ballots on which nothing is marked;
            of these only what is several words, as no other row begins, is a note.
    """

    def __init__(self, *, blank_rows: bool) -> None:
        self.blank_rows = blank_rows
        self.fullest, self.words = 0, False  # most cells of a row; whether rows that are no notes begin with words
        self.met = {kind: _Met() for kind in ("comment", "lone", "blank")}
        self.notes: list[str] = []
        self.headers = 0

    def without(self, table: Table, *, last: bool = True) -> tuple[Table, Table | None]:
        """A part without what is around its rows, and the rows at its end that may be notes; none of the last part."""
        if len(table.columns) < 2 or not len(table):
            return table, None
        filled = np.zeros(len(table), np.int64)
        for column in table.columns:
            filled += ~column.blank
        first = table.columns[0]
        single = set(first.codes[filled == 1].tolist())
        texts = [text if k in single else "" for k, text in enumerate(first.texts)]
        comment = np.array([text.startswith("#") for text in texts], bool)[first.codes] & (filled == 1)
        several = [" " in text or (text.endswith(":") and not self.blank_rows) for text in texts]
        several = [said and not looks_numeric(text) for said, text in zip(several, texts, strict=True)]
        may_be = np.array(several, bool)[first.codes] & (filled == 1) & ~comment
        end = np.flip(np.logical_and.accumulate(np.flip(may_be | comment | (filled == 0))))
        if last or not end.any():
            return self._judged(table, filled, may_be, comment, end & last), None
        body = ~end
        return self._judged(table.take(body), filled[body], may_be[body], comment[body], end[body]), table.take(end)

    def _judged(
        self, table: Table, filled: np.ndarray, may_be: np.ndarray, comment: np.ndarray, end: np.ndarray
    ) -> Table:
        first = table.columns[0]
        self.fullest = max(self.fullest, int(filled.max(initial=0)))
        alone = may_be & (self.fullest > 1)
        if (
            self.blank_rows
        ):  # the first cell alone may be the voter, or the only vote: notes are words, as no row else has
            words = np.array([" " in text for text in first.texts], bool)[first.codes]
            self.words |= bool(words[~alone].any())
            if self.words and self.met["lone"].number:
                self._refuse_words(table)
            alone &= not self.words
        below = end & (alone | comment | (filled == 0))
        below = np.flip(np.logical_and.accumulate(np.flip(below)))
        self.notes += [
            f"row {table.lines[at]} below the table left out: {first.at(int(at))[:60]!r}"
            for at in np.flatnonzero(below & alone)
        ]
        again = _repeats_header(table)
        self.notes += [
            f"row {table.lines[at]} repeats the header and is left out"
            for at in np.flatnonzero(again)[: max(0, 3 - self.headers)]
        ]
        self.headers += int(again.sum())
        lone = alone & ~below & (len(table.columns) > 2)
        empty = (filled == 0) & (not self.blank_rows)
        inside = empty & ~np.flip(np.logical_and.accumulate(np.flip(empty | below)))
        for kind, rows in (("comment", comment), ("lone", lone), ("blank", inside)):
            self._count(kind, table, rows)
        drop = (below & (filled > 0)) | empty | comment | again | lone
        return table.take(~drop) if drop.any() else table

    def _count(self, kind: str, table: Table, rows: np.ndarray) -> None:
        if rows.any():
            at, met = int(rows.argmax()), self.met[kind]
            start = met if met.number else _Met(0, int(table.lines[at]), table.columns[0].at(at))
            self.met[kind] = start._replace(number=met.number + int(rows.sum()))

    def _refuse_words(self, table: Table) -> None:
        met = self.met["lone"]
        raise data_error(
            f"{met.text[:60]!r} is alone in its row, as notes are, and rows below it begin with words, too",
            where=table.file,
            row=met.line,
            expected="rows that are all alike",
            mend="remove the row if it is a note",
        )

    def said(self) -> tuple[str, ...]:
        """Notes on all that was left out."""
        comment, blank = self.met["comment"], self.met["blank"]
        notes = list(self.notes)
        if comment.number:
            notes.append(f"{comment.number} comments left out, the first in row {comment.line}")
        if blank.number:
            notes.append(f"{blank.number} blank rows left out, the first is row {blank.line}")
        return tuple(notes)

    def warn(self, file: str) -> None:
        """Warn of notes between rows."""
        count, line, text = self.met["lone"]
        if count:
            data_warning(f"{count} rows with one cell left out, the first says {text[:60]!r}", where=file, row=line)


def without_footnotes(table: Table, *, blank_rows: bool = False) -> Table:
    """A whole table without what is around its rows, see `Around`."""
    around = Around(blank_rows=blank_rows)
    found, _ = around.without(table)
    around.warn(table.file)
    return found.noted(*around.said())


def _repeats_header(table: Table) -> np.ndarray:
    same = np.ones(len(table), bool)
    for column in table.columns:
        same &= np.array([text == column.name for text in column.texts], dtype=bool)[column.codes]
    return same
