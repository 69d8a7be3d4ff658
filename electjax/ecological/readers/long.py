"""The long format: one row for each unit, side and option."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from electjax.data.errors import data_error, data_warning
from electjax.data.rows import row_keys
from electjax.data.table import Table
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers import Reader
from electjax.ecological.readers.columns import (
    CONTEST,
    UNIT,
    UNIT_NAME,
    amounts,
    asked_or,
    coded,
    contests_of,
    named,
    one_contest,
    settled,
)
from electjax.ecological.readers.covariates import covariates_of, not_used, places_of, same_in_unit
from electjax.ecological.readers.draft import Draft, Side, within
from electjax.ecological.readers.layout import layout_of
from electjax.ecological.readers.sides import kind_of, parties_of, rows_first, sized

EXAMPLE = """contest,unit,side,option,votes
North,n1,party,Red,40
North,n1,party,Blue,20
North,n1,candidate,Ann (Red),35
North,n1,candidate,Bob (Blue),25
"""


def lacks(table: Table, given: ReadOptions) -> str:
    """What it lacks to be long."""
    found = layout_of(table, given)
    if isinstance(found, str):
        return found
    lists = (given.rows, given.columns)
    wide = isinstance(given.truth, Mapping) or any(not isinstance(x, str | Mapping | None) for x in lists)
    return "no side, option and votes alone" if wide else ""


def read_long(table: Table, given: ReadOptions) -> Draft:
    """Units of a long table; an option without a row has no votes in that unit."""
    layout = layout_of(table, given)
    if isinstance(layout, str):
        raise data_error(layout, where=table.file, row=table.header, expected=READER.needs, mend="name the columns")
    table, areas = layout.table, layout.contests
    unit = table.need(*UNIT, what="for the unit") if layout.unit is None else layout.unit
    found = {"unit": unit, "side": layout.side, "option": layout.option, "votes": layout.votes}
    all_of_rows = given.electors == "rows" and not table.has("rows")
    extra = {"total": asked_or(table, given.total, (), "total") if isinstance(given.total, str) else None}
    extra["electors"] = None if all_of_rows else asked_or(table, given.electors, (), "electors")
    spoken = table.find(*UNIT_NAME) if given.unit is None else None
    spoken = None if spoken == found["unit"] else spoken
    labels = [found["unit"], *areas, found["option"]]
    about = places_of(table, given)
    numbers = [found["votes"], found["side"], *(p for p in extra.values() if p is not None), *about.every]
    table = settled(table, given, [*labels, about.area], numbers, found["side"])
    area, contests, keys = contests_of(table, areas)
    place, first, sizes, names = _units(table, found["unit"], area, len(contests))
    if spoken is not None:
        cells = table.columns[spoken].cells()[first].tolist()
        names = [said or name for said, name in zip(cells, names, strict=True)]
    side, sides = coded(table, found["side"])
    order, notes = rows_first(sides, table.file, None if given.rows is None else str(given.rows))
    counts = amounts(table, [found["votes"]])[:, 0]
    option, options = coded(table, found["option"])
    kept, note = _once(table, given, place, side, counts)
    (row_names, row_votes, row_note), (column_names, column_votes, column_note) = (
        _side((option, options), (side == s) & kept, area, place, counts, len(contests), len(first)) for s in order
    )
    notes += [said for said in (note, row_note, column_note) if said]
    used = [*labels, *numbers, *([spoken] if spoken is not None else [])]
    if not areas:
        notes.append(_one_contest(table, used, row_note or column_note))
    parties = [parties_of(own, side=sides[order[1]]) for own in column_names]
    kind = given.kind
    if kind is None:
        known = [name for own in (*column_names, *parties) for name in own]
        of = np.repeat(np.arange(len(contests)), sizes)
        totals = Side(row_names, [], row_votes).totals(of)
        kind, said = kind_of(sides[order[0]], sized(row_names, totals), known)
        notes += said
    row_parties = [parties_of(own, side=sides[order[0]], rows=kind) for own in row_names]
    people: dict[str, Any] = {
        name: None if position is None else _of_units(table, position, name, place, first)
        for name, position in extra.items()
    }
    if isinstance(given.total, int | float):
        people["total"] = np.full(len(first), given.total)
    if all_of_rows:
        people["electors"] = row_votes.sum(axis=1)
    covariates, about_them = covariates_of(table, about, place, first)
    notes = [*named(table, {**found, "contest": areas[0] if areas else None}, given), *notes, *about_them]
    return Draft(
        where=table.file,
        contests=contests,
        keys=keys,
        of=np.repeat(np.arange(len(contests)), sizes),
        names=names,
        rows=Side(row_names, row_parties, row_votes),
        columns=Side(column_names, parties, column_votes),
        kind=kind,
        lines=table.lines[first],
        **people,
        known=covariates,
        notes=[*table.notes, *notes, *not_used(table, used)],
    )


def _units(
    table: Table, unit: int, area: np.ndarray, contests: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Unit of each row, by contest; the first row of each unit, how many a contest has, and their names."""
    code, labels = coded(table, unit)
    place, own = within(area, code, contests)
    sizes = np.array([len(units) for units in own], dtype=np.int64)
    place += (np.cumsum(sizes) - sizes)[area]
    first = np.full(sizes.sum(), len(place))
    np.minimum.at(first, place, np.arange(len(place)))
    return place, first, sizes, [labels[u] for units in own for u in units]


def _once(
    table: Table, given: ReadOptions, place: np.ndarray, side: np.ndarray, votes: np.ndarray
) -> tuple[np.ndarray, str]:
    """Which rows count, [n]: one that repeats another word for word does not; and a note.

    Two candidates of one name may have as many votes, too. Rows are there twice by mistake if they make the same
    difference on both sides of the unit, or if the sides agree without them only.
    """
    kept = np.ones(len(table), bool)
    if given.repeated == "keep":
        return kept, ""
    _, first, key = np.unique(row_keys(table, range(len(table.columns))), return_index=True, return_inverse=True)
    again = first[key] != np.arange(len(table))
    if not again.any():
        return kept, ""
    every, twice = (
        np.bincount(2 * place + side, weights=np.where(some, votes, 0), minlength=2 * place.max() + 2).reshape(-1, 2)
        for some in (kept, again)
    )
    both = (twice[:, 0] == twice[:, 1]) & (twice[:, 0] > 0)
    mended = (every[:, 0] != every[:, 1]) & ((every - twice)[:, 0] == (every - twice)[:, 1])
    again &= (both | mended)[place]
    if not again.any():
        return kept, ""
    row = int(again.argmax())
    said = f"the row repeats row {int(table.lines[first[key[row]]])} word for word"
    if given.repeated == "refuse":
        mend = "remove it, or pass repeated='drop' or repeated='keep'"
        raise table.fault(said, row, expected="rows that differ", mend=mend)
    more = f"; {int(again.sum())} such rows" if again.sum() > 1 else ""
    said = f"{said} and is counted once{more}; pass repeated='keep' to count both"
    data_warning(said, where=table.file, row=int(table.lines[row]))
    note = f"{int(again.sum())} rows that repeat another left out, the first is row {int(table.lines[row])}"
    return ~again, note


def _one_contest(table: Table, used: list[int], repeated: str | None) -> str:
    """As `one_contest`, where no option is there twice in a unit: it would be that of different contests."""
    if repeated is None:
        return one_contest(table, used)
    free = [name for position, name in enumerate(table.names) if position not in used]
    raise data_error(
        "no column for the contest, and units with an option twice",
        where=table.file,
        row=table.header,
        expected=f"a column {' or '.join(map(repr, CONTEST))}, or each option once in a unit",
        mend=f"pass contest=, one of {', '.join(free[:20])}" if free else "add the contest, or rename options",
    )


def _side(
    options: tuple[np.ndarray, list[str]],
    here: np.ndarray,
    area: np.ndarray,
    place: np.ndarray,
    votes: np.ndarray,
    contests: int,
    units: int,
) -> tuple[list[list[str]], np.ndarray, str | None]:
    """Options of one side in order of appearance in their contest, their votes in each unit, and what is to note."""
    code, labels = options
    option, items = within(area[here], code[here], contests)
    width = max(len(own) for own in items)
    table = np.zeros((units, width), votes.dtype)
    spot = place[here] * width + option
    np.add.at(table.reshape(-1), spot, votes[here])
    return [[labels[k] for k in own] for own in items], table, _repeats(spot, code[here], labels)


def _repeats(spot: np.ndarray, code: np.ndarray, labels: list[str]) -> str | None:
    """A sentence on options that share a name in one place and so are one; None where there are none.

    Rows that are there twice by mistake do not pass for that: the totals of the two sides would differ.
    """
    first = np.unique(spot, return_index=True)[1]
    if len(first) == len(spot):
        return None
    again = np.ones(len(spot), bool)
    again[first] = False
    names = [labels[k] for k in dict.fromkeys(code[again].tolist())]
    shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"options of one name are added up ({again.sum()} rows): {shown}"


def _of_units(table: Table, position: int, what: str, place: np.ndarray, first: np.ndarray) -> np.ndarray:
    """A number that belongs to the unit and is repeated on each of its rows."""
    values = amounts(table, [position], what)[:, 0]
    same_in_unit(table, position, values, place, first, lambda row: f"{values[row]:g}")
    return np.asarray(values[first])


READER = Reader(
    "long",
    "contest, unit, side, option and votes (or side=, option=, votes=)",
    lacks,
    read_long,
    (EXAMPLE, {}),
    order=0,
)
