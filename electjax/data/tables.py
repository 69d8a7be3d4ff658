"""The tables of a folder of booths as columns of numbered texts, and the errors they share."""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from electjax.data.axes import UNKNOWN, Axis
from electjax.data.errors import data_error, suggest
from electjax.data.labels import unique_names
from electjax.data.records import Batch, Column, Records, clean, number, open_text

Said = str | Callable[[int], str]
_LARGEST = 2**31  # sizes of cells are kept in 32 bits
_QUOTED = re.compile(r'"[^"]*"')
_DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", " ": None})


def find_table(folder: Path, name: str) -> Path | None:
    """The file `<name>.csv` of the folder, plain or gzipped; None where there is none."""
    return next((path for end in ("csv", "csv.gz") if (path := folder / f"{name}.{end}").is_file()), None)


def need_table(folder: Path, name: str, columns: str) -> Path:
    """As `find_table`, but the file must be there."""
    found = find_table(folder, name)
    if found is None:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise data_error(
            f"no {name}.csv, only {there}",
            where=str(folder),
            expected=f"{name}.csv ({columns})",
            mend="add the file, or name the folder that holds it",
        )
    return found


def read_table(path: Path, encoding: str, tidy: Callable[[str], str] = clean) -> Batch:
    """A delimited file (comma, semicolon or tab, plain, gzipped or zipped), cells by `tidy`.

    A regular file of millions of rows takes a second. Whatever is not one record per line, all of one length, is
    read again record by record, which finds the lines of records and the fault.
    """
    try:
        with open_text(path, encoding) as stream:
            text = stream.read().rstrip()
    except UnicodeDecodeError:
        return Records(path, encoding).whole(tidy)
    bare = _QUOTED.sub("", text) if '"' in text else text  # commas and lines within quotes are of a cell
    delimiter = max(",;\t", key=bare.partition("\n")[0].count)
    try:
        # NaN would be one text too many: blanks are told by `clean`, as in other readers.
        frame = pd.read_csv(
            io.StringIO(text), sep=delimiter, header=None, dtype="category", na_filter=False, skip_blank_lines=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return Records(path, encoding).whole(tidy)
    lines = {len(frame), text.count("\n") + 1, bare.count("\n") + 1}
    regular = len(lines) == 1 and bare.count(delimiter) == len(frame) * (frame.shape[1] - 1)
    if not regular or "\0" in text or '"' in bare:
        return Records(path, encoding).whole(tidy)
    if len(frame) < 2:
        raise data_error("no rows after the header", where=path.name, expected="rows", mend="check the file")
    names = unique_names([tidy(str(frame[p].iloc[0])) for p in frame])
    columns = (_column(name, frame[p].iloc[1:], tidy) for p, name in enumerate(names))
    return Batch(path.name, np.arange(2, len(frame) + 1), tuple(columns))


def has(batch: Batch, name: str) -> bool:
    """Whether the table has a column of this name, whatever its case."""
    return name.casefold() in (column.casefold() for column in batch.names)


def need_columns(batch: Batch, *names: str) -> None:
    """Refuse a table that lacks a column, or has it twice."""
    for name in names:
        if not has(batch, name) or has(batch, f"{name} (2)"):
            raise data_error(
                f"the header has {'two columns' if has(batch, name) else 'no column'} {name!r}",
                where=batch.file,
                row=1,
                column=name,
                expected=f"the columns {', '.join(names)}, once each",
                mend="rename or remove one" if has(batch, name) else f"add it, or rename one: {', '.join(batch.names)}",
            )


def column_of(batch: Batch, name: str) -> Column:
    """The column of this name."""
    return batch.columns[batch.find(name, name)]


def refuse(batch: Batch, bad: np.ndarray, name: str, problem: Said, expected: str, mend: Said) -> None:
    """Refuse the first row that is bad, with the column of this name; what is said may depend on the row, from 0."""
    if bad.any():
        row = int(bad.argmax())
        told, remedy = (said if isinstance(said, str) else said(row) for said in (problem, mend))
        raise batch.fault(told, row, batch.find(name, name), expected=expected, mend=remedy)


def labels_of(batch: Batch, name: str) -> Column:
    """A column that is never blank."""
    column = column_of(batch, name)
    refuse(batch, column.blank, name, "the cell is blank", f"a {name}", "fill it in, or remove the row")
    return column


def counts_of(batch: Batch, name: str) -> np.ndarray:
    """A column of whole numbers of at least 0."""
    column = column_of(batch, name)
    problems = [_count_problem(text) for text in column.texts]
    wrong, mend = (
        np.array([bool(problem) for problem in problems])[column.codes],
        "write digits only; where nobody is, 0",
    )
    refuse(batch, wrong, name, lambda row: problems[column.codes[row]], "a whole number, 0 or more", mend)
    counts = [0 if problem else int(float(text)) for text, problem in zip(column.texts, problems, strict=True)]
    return np.array(counts)[column.codes]


def numbers_of(batch: Batch, name: str, what: str = "a number") -> np.ndarray:
    """A column of finite numbers, NaN where blank."""
    values = batch.numbers(batch.find(name, name), what)
    refuse(batch, np.isinf(values), name, "infinite", what, "correct the cell")
    return values


def look_up(batch: Batch, name: str, index: Mapping[str, int], what: str, source: str) -> np.ndarray:
    """Numbers of a column's labels; a label that is not in the index is refused."""
    column = labels_of(batch, name)
    found = np.array([index.get(text, -1) for text in column.texts])[column.codes]
    refuse(
        batch,
        found < 0,
        name,
        lambda row: f"unknown {what} {column.texts[column.codes[row]]!r}",
        f"a {what} of {source}",
        lambda row: near(column.texts[column.codes[row]], list(index)),
    )
    return found


def categories_of(batch: Batch, axis: Axis) -> np.ndarray:
    """Codes of an axis's column, -1 where blank; capitals, spaces and kinds of dashes do not matter."""
    column = column_of(batch, axis.name)
    return category_codes(batch, axis.name, column, axis, np.ones(len(batch.lines), bool))


def category_codes(batch: Batch, name: str, column: Column, axis: Axis, rows: np.ndarray) -> np.ndarray:
    """As `categories_of`, of some rows of a column that may hold several axes; -1 in other rows."""
    known = {_folded(label): code for code, label in enumerate(axis.categories)} | {"": UNKNOWN}
    codes = np.array([known.get(_folded(text), -2) for text in column.texts])[column.codes]
    refuse(
        batch,
        (codes == -2) & rows,
        name,
        lambda row: f"unknown category {column.texts[column.codes[row]]!r} of {axis.name}",
        f"one of {', '.join(axis.categories)}",
        lambda row: near(column.texts[column.codes[row]], axis.categories) + ", or change the axes",
    )
    return np.where(rows, codes, UNKNOWN)


def no_repeats(batch: Batch, key: np.ndarray, name: str, said: Callable[[int], str], mend: str) -> None:
    """Refuse the first row whose key a row before it has."""
    order = np.argsort(key, kind="stable")
    again = key[order][1:] == key[order][:-1]
    if not again.any():
        return
    repeats, firsts = order[1:][again], order[:-1][again]
    at = int(repeats.argmin())
    row = int(repeats[at])
    problem = f"{said(row)} again, as in row {int(batch.lines[firsts[at]])}"
    raise batch.fault(problem, row, batch.find(name, name), expected="one row for each", mend=mend)


def near(name: str, known: Sequence[str] | Iterable[str]) -> str:
    """Names that come close, where there are too many to list them all."""
    names = list(known)
    said = suggest(name, names)
    if len(names) > 30 and not said.startswith("did"):
        return f"known: {', '.join(names[:5])} and {len(names) - 5} more"
    return said


def _column(name: str, cells: pd.Series, tidy: Callable[[str], str]) -> Column:
    """A column of categories, its texts numbered in order of appearance."""
    codes = np.asarray(cells.cat.codes, np.int32)
    texts = [tidy(str(text)) for text in cells.cat.categories]
    first = np.full(len(texts), len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the last assignment holds
    order = np.argsort(first)[: int((first < len(codes)).sum())]
    place = np.zeros(len(texts), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return Column(name, place[codes], tuple(texts[p] for p in order))


def _count_problem(text: str) -> str:
    """What keeps a text from being a count; blank where nothing does."""
    value = number(text) if text else 0.0
    if not text:
        return "the cell is blank"
    if not np.isfinite(value):
        return f"{text!r} is not a number"
    if value < 0:
        return f"{text!r} is negative"
    if value != np.floor(value):
        return f"{text!r} is not a whole number"
    return f"{text!r} is larger than any electorate" if value >= _LARGEST else ""


def _folded(text: str) -> str:
    return text.casefold().translate(_DASHES)
