"""The wide format: one row for each unit, one column of the table for each row and column of the cross-table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electjax.data.errors import data_error
from electjax.data.records import Batch
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers import Reader
from electjax.ecological.readers.columns import (
    UNIT,
    UNIT_NAME,
    amounts,
    chosen,
    contest_columns,
    contests_of,
    find,
    one_contest,
)
from electjax.ecological.readers.draft import Draft, Side
from electjax.ecological.readers.sides import kind_of, parties_of, sized

Cells = Mapping[tuple[str, str], str] | Mapping[str, Mapping[str, str]]
EXAMPLE = """precinct,old,young,dem,rep
a,30,20,25,25
b,10,40,20,30
"""


def lacks(batch: Batch, given: ReadOptions) -> str:
    """What the caller has not said."""
    sides = {"rows": given.rows, "columns": given.columns}
    return next((f"no list {name}=" for name, value in sides.items() if value is None or isinstance(value, str)), "")


def read_wide(batch: Batch, given: ReadOptions) -> Draft:
    """Units of a wide table, every row of it a unit; all contests have the same options."""
    for name in ("side", "option", "votes"):
        if getattr(given, name) is not None:
            expected, mend = "rows=[...] and columns=[...] alone", f"leave {name}= out, or rows= and columns="
            raise data_error("a column of long tables", where=f"{batch.file}, {name}", expected=expected, mend=mend)
    area, contests, keys = contests_of(batch, given.contest)
    order = np.argsort(area, kind="stable")
    sides = {
        "rows": [chosen(batch, name, "rows") for name in given.rows or ()],
        "columns": [chosen(batch, name, "columns") for name in given.columns or ()],
    }
    every = [name for own in sides.values() for name in own]
    twice = [name for name in every if every.count(name) > 1]
    if twice or not all(sides.values()):
        problem = f"{twice[0]!r} is named twice" if twice else "no rows or no columns"
        mend = "leave one of them out" if twice else "name some of the columns"
        raise data_error(problem, where=f"{batch.file}, rows and columns", expected="different columns", mend=mend)
    tables = {which: np.stack([amounts(batch, name) for name in own], axis=1)[order] for which, own in sides.items()}
    notes: list[str] = []
    kind, cells = given.kind, given.truth if isinstance(given.truth, Mapping) else None
    known = parties_of(sides["columns"])
    if kind is None:
        totals = sized([sides["rows"]], tables["rows"].sum(axis=0, keepdims=True))
        kind, notes = kind_of(None, totals, [*sides["columns"], *known])
    parties = {"rows": parties_of(sides["rows"], rows=kind), "columns": known}
    halves = [
        Side([own] * len(contests), [parties[which]] * len(contests), tables[which]) for which, own in sides.items()
    ]
    if not contest_columns(batch, given.contest):
        notes = [*notes, one_contest(batch, [*every, given.unit or "", given.electors or ""])]
    spoken = chosen(batch, given.unit, "unit") if given.unit is not None else find(batch, [*UNIT_NAME, *UNIT])
    names = [str(line) for line in batch.lines[order]]
    if spoken is not None:
        said = batch.columns[batch.find(spoken, "the unit")].cells()[order].tolist()
        names = [label or name for label, name in zip(said, names, strict=True)]
    return Draft(
        where=batch.file,
        contests=contests,
        keys=keys,
        of=area[order],
        names=names,
        rows=halves[0],
        columns=halves[1],
        kind=kind,
        lines=batch.lines[order],
        electors=None
        if given.electors is None
        else amounts(batch, chosen(batch, given.electors, "electors"), "electors")[order],
        unit_truth=None if cells is None else _cells(batch, sides["rows"], sides["columns"], cells)[order],
        notes=notes,
    )


def _cells(batch: Batch, rows: Sequence[str], columns: Sequence[str], cells: Cells) -> np.ndarray:
    """Counted cross-tables [N, R, C] of the units."""
    where = f"{batch.file}, truth"
    table = np.zeros((len(batch.lines), len(rows), len(columns)))
    pairs = _pairs(cells, where)
    missing = [f"({r}, {c})" for r in rows for c in columns if (r, c) not in pairs]
    strange = [pair for pair in pairs if pair[0] not in rows or pair[1] not in columns]
    if missing or strange:
        problem = f"no cell {missing[0]}" if missing else f"a cell {strange[0]} of no row or column"
        known = f"the rows are {', '.join(rows)}, the columns {', '.join(columns)}"
        raise data_error(problem, where=where, expected="{(row, column): name} for every cell", mend=known)
    for (row, column), name in pairs.items():
        table[:, rows.index(row), columns.index(column)] = amounts(batch, chosen(batch, name, "truth"), "voters")
    return table


def _pairs(cells: Any, where: str) -> dict[tuple[str, str], str]:
    """Cells as {(row, column): name}, from that or from {row: {column: name}}."""
    found: dict[tuple[str, str], str] = {}
    for key, value in cells.items():
        if isinstance(value, Mapping):
            found |= {(str(key), str(column)): str(name) for column, name in value.items()}
        elif isinstance(key, tuple) and len(key) == 2:
            found[str(key[0]), str(key[1])] = str(value)
        else:
            mend = "as in {('white', 'dem'): 'whdem'}"
            raise data_error(f"found the key {key!r}", where=where, expected="(row, column)", mend=mend)
    return found


READER = Reader(
    "wide",
    "rows=[...] and columns=[...]",
    lacks,
    read_wide,
    (EXAMPLE, {"rows": ["old", "young"], "columns": ["dem", "rep"]}),
    order=1,
)
