"""The wide format: one row for each unit, one column of the table for each row and column of the cross-table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electjax.data.errors import data_error, suggest
from electjax.data.records import Batch
from electjax.ecological.readers.draft import Draft, Side
from electjax.ecological.readers.long import contest_columns, contests_of, one_contest
from electjax.ecological.readers.options import kind_of, parties_of, sized
from electjax.ecological.readers.table import UNIT, UNIT_NAME, amounts, chosen, find
from electjax.ecological.schema import RowKind

Cells = Mapping[tuple[str, str], str] | Mapping[str, Mapping[str, str]]


def read_wide(
    batch: Batch,
    *,
    contest: str | None,
    unit: str | None,
    rows: Sequence[str],
    columns: Sequence[str],
    electors: str | None,
    kind: RowKind | None,
    cells: Cells | None = None,
) -> Draft:
    """Units of a wide table, every row of it a unit; all contests have the same options."""
    area, contests, keys = contests_of(batch, contest)
    order = np.argsort(area, kind="stable")
    sides = {
        "rows": [chosen(batch, name, "rows") for name in rows],
        "columns": [chosen(batch, name, "columns") for name in columns],
    }
    every = [name for own in sides.values() for name in own]
    twice = [name for name in every if every.count(name) > 1]
    if twice or not all(sides.values()):
        problem = f"{twice[0]!r} is named twice" if twice else "no rows or no columns"
        mend = "leave one of them out" if twice else "name some of the columns"
        raise data_error(problem, where=f"{batch.file}, rows and columns", expected="different columns", mend=mend)
    tables = {which: np.stack([amounts(batch, name) for name in own], axis=1)[order] for which, own in sides.items()}
    notes: list[str] = []
    known = parties_of(sides["columns"])
    if kind is None:
        totals = sized([sides["rows"]], tables["rows"].sum(axis=0, keepdims=True))
        kind, notes = kind_of(None, totals, [*sides["columns"], *known])
    parties = {"rows": parties_of(sides["rows"], rows=kind), "columns": known}
    halves = [
        Side([own] * len(contests), [parties[which]] * len(contests), tables[which]) for which, own in sides.items()
    ]
    if not contest_columns(batch, contest):
        notes = [*notes, one_contest(batch, [*every, unit or "", electors or ""])]
    spoken = chosen(batch, unit, "unit") if unit is not None else find(batch, [*UNIT_NAME, *UNIT])
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
        electors=None if electors is None else amounts(batch, chosen(batch, electors, "electors"), "electors")[order],
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


def need_sides(batch: Batch, rows: Any, columns: Any, lacking: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the columns of both sides; `lacking` is what the header lacks to be long."""
    long = f"no column for {' and '.join(lacking)} as the long format has, and " if lacking else ""
    for keyword, given in (("rows", rows), ("columns", columns)):
        if given is None or isinstance(given, str):
            near = suggest(given, batch.names) if isinstance(given, str) else f"columns: {', '.join(batch.names[:30])}"
            raise data_error(
                f"{long}no list {keyword}= as the wide one needs",
                where=batch.file,
                row=1 if lacking else None,
                expected="contest, unit, side, option and votes (or side=, option=, votes=), or rows=[...] and"
                " columns=[...]",
                mend=near,
            )
    return [str(name) for name in rows], [str(name) for name in columns]
