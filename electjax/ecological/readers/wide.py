"""The wide format: one row for each unit, one column of the table for each row and column of the cross-table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electjax.data.errors import data_error
from electjax.data.rows import without_repeats
from electjax.data.table import Table
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers import Reader
from electjax.ecological.readers.columns import (
    UNIT,
    UNIT_NAME,
    amounts,
    asked_or,
    contest_columns,
    contests_of,
    named,
    one_contest,
    settled,
    tell_twice,
)
from electjax.ecological.readers.covariates import covariates_of, not_used, places_of
from electjax.ecological.readers.draft import Draft, Side
from electjax.ecological.readers.sides import kind_of, parties_of, sized

EXAMPLE = """precinct,old,young,dem,rep
a,30,20,25,25
b,10,40,20,30
"""


def lacks(table: Table, given: ReadOptions) -> str:
    """What the caller has not said."""
    sides = {"rows": given.rows, "columns": given.columns}
    return next((f"no list {name}=" for name, value in sides.items() if value is None or _is_name(value)), "")


def _is_name(value: Any) -> bool:
    return isinstance(value, str | Mapping)


def read_wide(table: Table, given: ReadOptions) -> Draft:
    """Units of a wide table, every row of it a unit; all contests have the same options."""
    for name in ("side", "option", "votes"):
        if getattr(given, name) is not None:
            expected, mend = "rows=[...] and columns=[...] alone", f"leave {name}= out, or rows= and columns="
            raise data_error("a column of long tables", where=f"{table.file}, {name}", expected=expected, mend=mend)
    sides = _sides(table, given)
    every = [position for own in sides.values() for position in own]
    unit = asked_or(table, given.unit, (*UNIT_NAME, *UNIT, "name"), "unit")
    extra = {name: _number(table, getattr(given, name), name) for name in ("total", "electors")}
    cells = given.truth if isinstance(given.truth, Mapping) else None
    areas = contest_columns(table, given.contest)
    about = places_of(table, given)
    numbers = [*every, *(p for p in extra.values() if p is not None), *about.every]
    table = settled(table, given, [unit, *areas, about.area], numbers)
    used = {*numbers, *areas} | ({unit} if unit is not None else set())
    if unit is not None:
        table = without_repeats(table, given.repeated)
    area, contests, keys = contests_of(table, areas)
    if unit is not None:
        tell_twice(table, unit, area, used)
    order = np.argsort(area, kind="stable")
    names = {which: [table.names[position] for position in own] for which, own in sides.items()}
    names["columns"] = _as_in_header(names["columns"], names["rows"])
    votes = {which: amounts(table, own)[order] for which, own in sides.items()}
    found = {
        name: None if position is None else amounts(table, [position], name)[order, 0]
        for name, position in extra.items()
    }
    if isinstance(given.total, int | float):
        found["total"] = np.full(len(table), given.total)
    if given.electors == "rows" and extra["electors"] is None:
        found["electors"] = votes["rows"].sum(axis=1)
    notes = list(named(table, {"unit": unit, "contest": areas[0] if areas else None}, given))
    kind, known = given.kind, parties_of(names["columns"])
    if kind is None:
        totals = sized([names["rows"]], votes["rows"].sum(axis=0, keepdims=True))
        kind, said = kind_of(None, totals, [*names["columns"], *known])
        notes += said
    if not areas:
        notes.append(one_contest(table, used))
    parties = {"rows": parties_of(names["rows"], rows=kind), "columns": known}
    halves = [
        Side([own] * len(contests), [parties[which]] * len(contests), votes[which]) for which, own in names.items()
    ]
    labels = [str(line) for line in table.lines[order]]
    if unit is not None:
        told = table.columns[unit].cells()[order].tolist()
        labels = [label or line for label, line in zip(told, labels, strict=True)]
    about_them, said = covariates_of(table, about, np.arange(len(table)), np.arange(len(table)))
    notes += said
    counted, places = (None, []) if cells is None else _cells(table, names["rows"], names["columns"], cells)
    return Draft(
        where=table.file,
        contests=contests,
        keys=keys,
        of=area[order],
        names=labels,
        rows=halves[0],
        columns=halves[1],
        kind=kind,
        lines=table.lines[order],
        electors=found["electors"],
        total=found["total"],
        unit_truth=None if counted is None else counted[order],
        known=about_them.take(order),
        notes=[*table.notes, *notes, *not_used(table, [*used, *places])],
    )


def _sides(table: Table, given: ReadOptions) -> dict[str, list[int]]:
    """Positions of the columns of both sides."""
    sides = {which: [table.asked(name, which) for name in getattr(given, which) or ()] for which in ("rows", "columns")}
    every = [position for own in sides.values() for position in own]
    twice = [table.names[position] for position in every if every.count(position) > 1]
    if twice or not all(sides.values()):
        problem = f"{twice[0]!r} is named twice" if twice else "no rows or no columns"
        mend = "leave one of them out" if twice else "name some of the columns"
        raise data_error(problem, where=f"{table.file}, rows and columns", expected="different columns", mend=mend)
    return sides


def _as_in_header(columns: list[str], rows: list[str]) -> list[str]:
    """Names of columns; those that rows have, too, without the number that tells two columns of one name apart."""
    plain = [name.removesuffix(" (2)") for name in columns]
    return [own if own in rows and own not in columns else name for own, name in zip(plain, columns, strict=True)]


def _number(table: Table, name: str | float | None, keyword: str) -> int | None:
    """Position of a column that the caller names; electors may be as many as are in the rows."""
    rows = keyword == "electors" and name == "rows" and not table.has("rows")
    return None if not isinstance(name, str) or rows else table.asked(name, keyword)


def _cells(
    table: Table, rows: Sequence[str], columns: Sequence[str], cells: Mapping[Any, Any]
) -> tuple[np.ndarray, list[int]]:
    """Counted cross-tables [N, R, C] of the units, and the positions of their columns."""
    where = f"{table.file}, truth"
    pairs = _pairs(cells, where)
    missing = [f"({r}, {c})" for r in rows for c in columns if (r, c) not in pairs]
    strange = [pair for pair in pairs if pair[0] not in rows or pair[1] not in columns]
    if missing or strange:
        problem = f"no cell {missing[0]}" if missing else f"a cell {strange[0]} of no row or column"
        known = f"the rows are {', '.join(rows)}, the columns {', '.join(columns)}"
        raise data_error(problem, where=where, expected="{(row, column): name} for every cell", mend=known)
    places = [table.asked(pairs[row, column], "truth") for row in rows for column in columns]
    return amounts(table, places, "voters").reshape(-1, len(rows), len(columns)).astype(float), places


def _pairs(cells: Mapping[Any, Any], where: str) -> dict[tuple[str, str], str]:
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
