"""A file or DataFrame of units as columns of numbered texts, found by any of their usual names; contests they name."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from electjax.data.errors import data_error, suggest
from electjax.data.labels import unique_names
from electjax.data.records import Batch, Column, clean, number, open_text, spaced
from electjax.data.tables import read_table

CONTEST = ("contest", "district", "constituency", "electorate")
CONTEST_NO = ("contest_no", "district_no", "constituency_no", "electorate_no")
UNIT = ("unit", "booth", "precinct", "polling_unit", "polling_place", "polling_station")
UNIT_NAME = ("unit_name", "booth_name", "precinct_name")
SIDE = ("side", "ballot", "margin")
OPTION = ("option", "choice", "label")
VOTES = ("votes", "count", "n", "voters")
_LIKE_CONTESTS = ("county", "district", "constituency", "electorate", "province", "riding", "seat", "state", "contest")
_FALLBACKS = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}


def read_source(source: "str | os.PathLike[str] | pd.DataFrame", encoding: str | None) -> tuple[Batch, list[str]]:
    """The records of a delimited file (plain, gzipped, zipped) or of a DataFrame, and a note where a codec was guessed.

    Only an empty cell is blank: NA may be the name of an option (`blanked`).

    Args:
        source: a path or a DataFrame; the first row of a DataFrame is row 0 in messages.
        encoding: codec; None for UTF-8 or UTF-16 with its mark, else Windows-1252, else Latin-1.
    """
    if isinstance(source, pd.DataFrame):
        return _of_frame(source), []
    path = Path(source)
    if not path.is_file():
        problem = "this is a folder" if path.is_dir() else "no such file"
        raise data_error(problem, where=str(path), expected="an existing file", mend="check the path")
    codec = _codec(path, [encoding] if encoding else _codecs(path))
    guessed = None if encoding else _FALLBACKS.get(codec)
    notes = [f"{path.name} is read as {guessed}; pass encoding= if names look wrong"] if guessed else []
    return read_table(path, codec, spaced), notes


def blanked(batch: Batch, kept: Sequence[str]) -> Batch:
    """The batch with NA and the like as blanks, but for the columns named."""
    columns = (c if c.name in kept else c._replace(texts=tuple(map(clean, c.texts))) for c in batch.columns)
    return replace(batch, columns=tuple(columns))


def find(batch: Batch, names: Sequence[str]) -> str | None:
    """The first of the names that is a column, as its header spells it; None where none is."""
    folded = {column.casefold(): column for column in reversed(batch.names)}
    return next((folded[name.casefold()] for name in names if name.casefold() in folded), None)


def need(batch: Batch, names: Sequence[str], what: str) -> str:
    """As `find`, but one must be there."""
    found = find(batch, names)
    if found is None:
        raise data_error(
            f"the header has no column for {what}",
            where=batch.file,
            row=1,
            expected=f"a column {' or '.join(repr(name) for name in names[:4])}",
            mend=f"rename one of {', '.join(batch.names[:20])}",
        )
    return found


def chosen(batch: Batch, name: str, keyword: str) -> str:
    """A column that the caller names, as its header spells it."""
    found = find(batch, [str(name)])
    if found is None:
        raise data_error(
            f"no column {name!r}",
            where=f"{batch.file}, {keyword}",
            expected="a column of the header",
            mend=suggest(str(name), batch.names),
        )
    return found


def coded(batch: Batch, name: str) -> tuple[np.ndarray, list[str]]:
    """A column that is never blank: the number of each record's label, and the labels in order of appearance."""
    position = batch.find(name, "labels")
    column = batch.columns[position]
    if column.blank.any():
        of_frame = "; pandas reads NA as blank, read_csv(keep_default_na=False) does not"
        mend = f"fill it in, or remove the row{of_frame if batch.file == 'DataFrame' else ''}"
        raise batch.fault(
            "the cell is blank", int(column.blank.argmax()), position, expected=f"a label of the {name}", mend=mend
        )
    labels = column.present()
    return column.coded({label: code for code, label in enumerate(labels)}), labels


def amounts(batch: Batch, name: str, what: str = "votes") -> np.ndarray:
    """A column of numbers of at least 0, integers where all are whole."""
    position = batch.find(name, what)
    column = batch.columns[position]
    column = column._replace(texts=tuple(map(clean, column.texts)))
    values = np.array([number(text) if text else np.nan for text in column.texts])
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any() and (bad := wrong[column.codes]).any():
        at = int(bad.argmax())
        text = column.texts[column.codes[at]]
        said = f"{text!r} is {'negative' if number(text) < 0 else 'not a finite number'}" if text else "it is blank"
        mend = "write digits without separators; where nobody is, 0"
        raise batch.fault(said, at, position, expected="a number, 0 or more", mend=mend)
    if (values == np.floor(values)).all():
        values = values.astype(np.int64)
    return np.asarray(values[column.codes])


def column_of(batch: Batch, given: str | None, usual: tuple[str, ...], what: str) -> str:
    """The column that the caller names, else one of the usual names."""
    return chosen(batch, given, what) if given is not None else need(batch, usual, f"the {what}")


def contest_columns(batch: Batch, name: str | None) -> list[str]:
    """The columns that tell contests: the caller's, else name and number."""
    if name is not None:
        return [chosen(batch, name, "contest")]
    return [found for names in (CONTEST, CONTEST_NO) if (found := find(batch, names)) is not None]


def theirs(batch: Batch, contest: str | None) -> str | None:
    """The caller's column of contests where another table has it, too."""
    return find(batch, [contest]) if contest is not None else None


def one_contest(batch: Batch, used: list[str]) -> str:
    """A sentence on units without contests, and on the columns that may name some."""
    free = [name for name in batch.names if name.casefold() not in {own.casefold() for own in used}]
    like = [name for name in free if any(word in name.casefold() for word in _LIKE_CONTESTS)]
    return "all units are one contest" + (f"; contest= if {' or '.join(like[:3])} names theirs" if like else "")


def contests_of(batch: Batch, name: str | None) -> tuple[np.ndarray, list[str], list[tuple[str, ...]]]:
    """Contest of each record, the labels of contests in order of appearance, and all they are called.

    A number tells contests apart that share a name. Without a column for it, all records are of one contest.
    """
    spoken = chosen(batch, name, "contest") if name is not None else find(batch, CONTEST)
    numbered = None if name is not None else find(batch, CONTEST_NO)
    if spoken is None and numbered is None:
        return np.zeros(len(batch.lines), np.int64), ["all"], [("all",)]
    if spoken is None or numbered is None:
        code, labels = coded(batch, spoken or numbered or "")
        return code.astype(np.int64), labels, [(label,) for label in labels]
    names, said = coded(batch, spoken)
    code, numbers = coded(batch, numbered)
    first = np.unique(code, return_index=True)[1]
    other = names != names[first][code]
    if other.any():
        at = int(other.argmax())
        raise batch.fault(
            f"{numbers[code[at]]} is {said[names[at]]!r} here and {said[names[first][code[at]]]!r} before",
            at,
            batch.find(spoken, "the contest"),
            expected=f"one name for each {numbered}",
            mend="correct the number or the name",
        )
    plain = [said[n] for n in names[first].tolist()]
    labels = plain if len(set(plain)) == len(plain) else [f"{n} {name}" for n, name in zip(numbers, plain, strict=True)]
    labels = unique_names(labels)
    return code.astype(np.int64), labels, list(zip(numbers, plain, labels, strict=True))


def _codecs(path: Path) -> list[str]:
    with open_text(path, "latin-1") as stream:
        mark = stream.read(2)
    return ["utf-16"] if mark in ("\xff\xfe", "\xfe\xff") else ["utf-8-sig", *_FALLBACKS]


def _codec(path: Path, codecs: Sequence[str]) -> str:
    """The first codec that can read the file; the last one where none can."""
    for codec in codecs[:-1]:
        try:
            with open_text(path, codec) as stream:
                stream.read()
        except UnicodeDecodeError:
            continue
        return codec
    return codecs[-1]


def _of_frame(frame: pd.DataFrame) -> Batch:
    if not len(frame):
        raise data_error("no rows", where="DataFrame", expected="units", mend="check the selection")
    if any(name is not None for name in frame.index.names):  # labels that were made the index are columns too
        frame = frame.reset_index()
    names = unique_names([spaced(str(name)) for name in frame.columns])
    columns = []
    for position, name in enumerate(names):
        codes, values = pd.factorize(frame.iloc[:, position], use_na_sentinel=True)
        texts = _texts(values)
        missing = codes < 0
        columns.append(Column(name, np.where(missing, len(texts), codes), (*texts, "")))
    return Batch("DataFrame", np.arange(len(frame)), tuple(columns))


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    """Cells as text; a whole number that was read as a decimal one has no decimals."""
    found = (value.item() if isinstance(value, np.generic) else value for value in values)
    return tuple(spaced(str(int(v)) if isinstance(v, float) and v.is_integer() else str(v)) for v in found)
