"""The long format: one row for each unit, side and option."""

import numpy as np

from electjax.labelled.ballots.records import Batch
from electjax.labelled.ballots.schema import unique_names
from electjax.labelled.units.draft import Draft, Side, within
from electjax.labelled.units.options import kind_of, parties_of, rows_first
from electjax.labelled.units.schema import RowKind
from electjax.labelled.units.table import (
    CONTEST,
    CONTEST_NO,
    OPTION,
    SIDE,
    UNIT,
    UNIT_NAME,
    VOTES,
    amounts,
    chosen,
    coded,
    find,
    need,
)


def is_long(batch: Batch) -> bool:
    """Whether the header names a side, an option and votes."""
    return all(find(batch, names) is not None for names in (SIDE, OPTION, VOTES))


def read_long(
    batch: Batch,
    *,
    contest: str | None,
    unit: str | None,
    rows: str | None,
    electors: str | None,
    kind: RowKind | None,
) -> Draft:
    """Units of a long table; an option without a row has no votes in that unit."""
    area, contests, keys = contests_of(batch, contest)
    column = chosen(batch, unit, "unit") if unit is not None else need(batch, UNIT, "the unit")
    code, labels = coded(batch, column)
    place, own = within(area, code, len(contests))
    sizes = np.array([len(units) for units in own])
    place += (np.cumsum(sizes) - sizes)[area]
    first = np.full(sizes.sum(), len(place))
    np.minimum.at(first, place, np.arange(len(place)))
    names = [labels[u] for units in own for u in units]
    spoken = find(batch, UNIT_NAME) if unit is None else None
    if spoken is not None:
        cells = batch.columns[batch.find(spoken, "names of units")].cells()[first].tolist()
        names = [said or name for said, name in zip(cells, names, strict=True)]
    found, sides = coded(batch, need(batch, SIDE, "the side"))
    order = rows_first(sides, batch.file, rows)
    votes = amounts(batch, need(batch, VOTES, "votes"))
    kind = kind or kind_of(sides[order[0]])
    found_sides = [_side(batch, found == s, area, place, votes, len(contests), len(first)) for s in order]
    halves = [
        Side(own, [parties_of(names, side=sides[s], rows=kind if row else None) for names in own], table)
        for s, row, (own, table, _) in zip(order, (True, False), found_sides, strict=True)
    ]
    return Draft(
        where=batch.file,
        contests=contests,
        keys=keys,
        of=np.repeat(np.arange(len(contests)), sizes),
        names=names,
        rows=halves[0],
        columns=halves[1],
        kind=kind,
        lines=batch.lines[first],
        electors=None if electors is None else _of_units(batch, electors, place, first),
        notes=[note for *_, note in found_sides if note],
    )


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


def _side(
    batch: Batch,
    here: np.ndarray,
    area: np.ndarray,
    place: np.ndarray,
    votes: np.ndarray,
    contests: int,
    units: int,
) -> tuple[list[list[str]], np.ndarray, str | None]:
    """Options of one side in order of appearance in their contest, their votes in each unit, and what is to note."""
    name = need(batch, OPTION, "the option")
    code, labels = coded(batch, name)
    option, items = within(area[here], code[here], contests)
    width = max(len(own) for own in items)
    table = np.zeros((units, width), votes.dtype)
    spot = place[here] * width + option
    np.add.at(table.reshape(-1), spot, votes[here])
    return [[labels[k] for k in own] for own in items], table, repeats(spot, [labels[k] for k in code[here]])


def repeats(spot: np.ndarray, said: list[str]) -> str | None:
    """A sentence on options that share a name in one place and so are one; None where there are none.

    Rows that are there twice by mistake do not pass for that: the totals of the two sides would differ.
    """
    first = np.unique(spot, return_index=True)[1]
    if len(first) == len(spot):
        return None
    again = np.ones(len(spot), bool)
    again[first] = False
    names = list(dict.fromkeys(said[k] for k in np.flatnonzero(again)))
    shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"options of one name are added up ({again.sum()} rows): {shown}"


def _of_units(batch: Batch, name: str, place: np.ndarray, first: np.ndarray) -> np.ndarray:
    """A number that belongs to the unit and is repeated on each of its rows."""
    name = chosen(batch, name, "electors")
    values = amounts(batch, name, "electors")
    other = values != values[first][place]
    if other.any():
        at = int(other.argmax())
        raise batch.fault(
            f"{values[at]:g} here and {values[first][place][at]:g} in row {batch.lines[first[place[at]]]}",
            at,
            batch.find(name, "electors"),
            expected="one number for each unit",
            mend="correct one of the two rows",
        )
    return np.asarray(values[first])
