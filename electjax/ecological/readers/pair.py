"""Two matrices, units x rows and units x columns, as one wide table: two tables, or two arrays."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from electjax.data.errors import data_error, suggest
from electjax.data.rows import ELECTIONS, row_keys
from electjax.data.table import Table, make_table
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers.columns import UNIT, UNIT_NAME, contest_columns, open_table, theirs

_WHICH = ("rows", "columns")
_NUMBERED = re.compile(r"column \d+|unnamed: \d+|rownames?|index", re.IGNORECASE)  # rows that were numbered on saving


def paired(sources: Sequence[Any], given: ReadOptions) -> tuple[Table, ReadOptions]:
    """One table of two, and options that name the columns of both sides.

    Rows are joined by the names of units (and contests) where both tables have them once, else by order. Without a
    list of columns, all columns of numbers are a side, but for those that are the unit, contest, total and electors.

    Raises:
        ElectionDataError: other than two tables, units that only one of them has, or as many rows as not in the other.
    """
    if len(sources) != 2:
        mend = "pass (groups, candidates)"
        raise data_error(f"{len(sources)} tables", where="ecological.read", expected="two matrices", mend=mend)
    lists = {which: value for which in _WHICH if _is_list(value := getattr(given, which))}
    tables = [
        open_table(_as_table(source, which, lists.get(which)), given, other=True)
        for source, which in zip(sources, _WHICH, strict=True)
    ]
    for name in given.where:
        if not any(table.has(name) for table in tables):
            raise tables[0].fault(
                f"no column {name!r}",
                expected="where= of a column of one of the two",
                mend=suggest(str(name), tables[0].names[:200]),
            )
    if tables[0].file == tables[1].file:
        tables = [replace(table, file=f"{table.file} of {which}") for table, which in zip(tables, _WHICH, strict=True)]
    first, second = tables
    second, note = _in_order(first, second, given)
    shared = _shared(first, second)
    own = [
        _margins(table, given, lists.get(which), shared) for table, which in zip((first, second), _WHICH, strict=True)
    ]
    aside = [
        name
        for table, places in zip((first, second), own, strict=True)
        for p, name in enumerate(table.names)
        if p not in places and table.is_numeric(p) and (name in shared or _numbers_rows(table, p))
    ]
    others = [p for p, name in enumerate(second.names) if p not in own[1] and not first.has(name)]
    kept = [*own[1], *others]
    told = (
        [f"columns of both tables or of row numbers are no options: {', '.join(dict.fromkeys(aside))}"] if aside else []
    )
    columns = [*first.columns, *(second.columns[p] for p in kept)]
    table = make_table(
        f"{first.file} and {second.file}",
        first.lines,
        [column.name for column in columns],
        [(column.codes, column.texts) for column in columns],
        notes=(*first.notes, *(said for said in second.notes if said not in first.notes), note, *told),
        header=first.header,
        style=first.style,
    )
    start = len(first.columns)
    asked: dict[str, Any] = {
        "rows": [table.names[p] for p in own[0]],
        "columns": table.names[start : start + len(own[1])],
    }
    return table, replace(given, **asked)


def _is_list(value: Any) -> bool:
    return value is not None and not isinstance(value, str | Mapping)


def _as_table(source: Any, which: str, names: Sequence[str] | None) -> Any:
    """An array as a table; its columns are called as the caller says, else numbered."""
    if isinstance(source, list | tuple) or (hasattr(source, "__array__") and not hasattr(source, "columns")):
        try:
            values = np.asarray(source)
        except ValueError:
            values = np.zeros(0)
        if values.ndim != 2 or values.dtype.kind not in "iuf":
            found = f"an array of shape {values.shape} and {values.dtype}"
            mend = "pass numbers, a unit a row"
            raise data_error(found, where=f"ecological.read, {which}", expected=f"an array [unit, {which}]", mend=mend)
        told = [f"{which.removesuffix('s')} {k + 1}" for k in range(values.shape[1])] if names is None else [*names]
        if len(told) != values.shape[1]:
            expected = f"a name for each of {values.shape[1]} columns of the array"
            raise data_error(
                f"{len(told)} names", where=f"ecological.read, {which}", expected=expected, mend="give all"
            )
        return pa.table({str(name): values[:, k] for k, name in enumerate(told)})
    return source


def _shared(first: Table, second: Table) -> set[str]:
    """Columns that both tables have with the same cells: they say something of the unit and are no options."""
    both = [(a, b) for b in second.columns for a in first.columns if a.name == b.name]
    return {a.name for a, b in both if np.array_equal(a.cells(), b.cells()) and {*a.present()} - {"0"}}


def _numbers_rows(table: Table, position: int) -> bool:
    """Whether a column without a name of its own has the numbers of rows, from 0 or 1 on, in whatever order."""
    column = table.columns[position]
    if not _NUMBERED.fullmatch(column.name):
        return False
    texts = column.present()
    return len(texts) == len(table) > 2 and {*texts} in [{str(n + k) for n in range(len(table))} for k in (0, 1)]


def _margins(table: Table, given: ReadOptions, names: Sequence[str] | None, shared: set[str]) -> list[int]:
    """Positions of the columns of a side."""
    if names is not None:
        return [table.asked(name, "rows or columns") for name in names]
    asked = [given.unit, given.total, given.electors, given.area, *(given.covariates or ())]
    words = [*UNIT, *UNIT_NAME, *ELECTIONS, *(name for name in asked if isinstance(name, str))]
    aside = {p for name in words if (p := table.find(name)) is not None}
    aside |= set(contest_columns(table, theirs(table, given.contest)))
    found = [
        p
        for p, name in enumerate(table.names)
        if p not in aside and name not in shared and table.is_numeric(p) and not _numbers_rows(table, p)
    ]
    if not found:
        raise data_error(
            "no column of numbers", where=table.file, expected="a column for each option", mend="name them in a list"
        )
    return found


def _in_order(first: Table, second: Table, given: ReadOptions) -> tuple[Table, str]:
    """The second table with its rows as those of the first, and how they were joined."""
    both = (first, second)
    units = [table.find(*filter(None, [given.unit]), *UNIT_NAME, *UNIT) for table in both]
    areas = [
        [p for p in contest_columns(table, theirs(table, given.contest)) if other.has(table.names[p])]
        for table, other in zip(both, both[::-1], strict=True)
    ]
    texts = [
        _joined(table, [*area, unit]) if unit is not None else None
        for table, area, unit in zip(both, areas, units, strict=True)
    ]
    if texts[0] is None or texts[1] is None:
        if len(first) != len(second):
            problem = f"{len(first)} rows and {len(second)} in {second.file}"
            mend = "add a column that names the unit to both, or complete one"
            raise data_error(problem, where=first.file, expected="as many", mend=mend)
        return second, f"units of {first.file} and {second.file} are joined by order, as not both name them"
    if np.array_equal(texts[0], texts[1]):
        return second, "units of the two tables are joined by name"
    order = []
    for (table, text), (other, known) in zip(
        ((first, texts[0]), (second, texts[1])), ((second, texts[1]), (first, texts[0])), strict=True
    ):
        labels, place = np.unique(known, return_index=True)
        if len(labels) < len(known):
            twice = np.ones(len(known), bool)
            twice[place] = False
            row = int(twice.argmax())
            problem, mend = (
                f"unit {str(known[row])!r} is there twice",
                "name each once, or bring both in the same order",
            )
            raise other.fault(problem, row, expected=f"units that can be joined to {table.file}", mend=mend)
        found = np.minimum(np.searchsorted(labels, text), len(labels) - 1)
        table.refuse(
            labels[found] != text,
            None,
            lambda row, text=text, other=other: f"unit {str(text[row])!r} is not in {other.file}",  # type: ignore[misc]
            "the same units in both",
            "add it to the other, or leave it out",
        )
        order.append(place[found])
    return second.take(order[0]), "units of the two tables are joined by name"


def _joined(table: Table, positions: Sequence[int]) -> np.ndarray:
    """A text for each row: what names its contest and unit."""
    _, first, inverse = np.unique(row_keys(table, positions), return_index=True, return_inverse=True)
    said = [" / ".join(table.columns[p].at(int(row)) for p in positions) for row in first]
    return np.array(said, dtype=np.str_)[inverse]
