"""The long format: one row for each unit, side and option."""

from collections.abc import Mapping

import numpy as np

from electjax.data.errors import data_error
from electjax.data.records import Batch
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers import Reader
from electjax.ecological.readers.columns import (
    CONTEST,
    OPTION,
    SIDE,
    UNIT,
    UNIT_NAME,
    VOTES,
    amounts,
    chosen,
    coded,
    column_of,
    contest_columns,
    contests_of,
    find,
    one_contest,
)
from electjax.ecological.readers.draft import Draft, Side, within
from electjax.ecological.readers.sides import kind_of, parties_of, rows_first, sized

EXAMPLE = """contest,unit,side,option,votes
North,n1,party,Red,40
North,n1,party,Blue,20
North,n1,candidate,Ann (Red),35
North,n1,candidate,Bob (Blue),25
"""


def lacks(batch: Batch, given: ReadOptions) -> str:
    """What it lacks to be long."""
    usual = {"side": (given.side, SIDE), "option": (given.option, OPTION), "votes": (given.votes, VOTES)}
    missing = [what for what, (name, names) in usual.items() if name is None and find(batch, names) is None]
    if missing:
        return f"no column for {' and '.join(missing)}"
    wide = given.columns is not None or isinstance(given.rows, list | tuple) or isinstance(given.truth, Mapping)
    return "no side, option and votes alone" if wide else ""


def read_long(batch: Batch, given: ReadOptions) -> Draft:
    """Units of a long table; an option without a row has no votes in that unit."""
    area, contests, keys = contests_of(batch, given.contest)
    unit_column = column_of(batch, given.unit, UNIT, "unit")
    code, labels = coded(batch, unit_column)
    place, own = within(area, code, len(contests))
    sizes = np.array([len(units) for units in own])
    place += (np.cumsum(sizes) - sizes)[area]
    first = np.full(sizes.sum(), len(place))
    np.minimum.at(first, place, np.arange(len(place)))
    names = [labels[u] for units in own for u in units]
    spoken = find(batch, UNIT_NAME) if given.unit is None else None
    if spoken is not None:
        cells = batch.columns[batch.find(spoken, "names of units")].cells()[first].tolist()
        names = [said or name for said, name in zip(cells, names, strict=True)]
    side_column = column_of(batch, given.side, SIDE, "side")
    option_column = column_of(batch, given.option, OPTION, "option")
    votes_column = column_of(batch, given.votes, VOTES, "votes")
    found, sides = coded(batch, side_column)
    order, notes = rows_first(sides, batch.file, None if given.rows is None else str(given.rows))
    counts = amounts(batch, votes_column)
    options = coded(batch, option_column)
    (row_names, row_votes, row_note), (column_names, column_votes, column_note) = (
        _side(options, found == s, area, place, counts, len(contests), len(first)) for s in order
    )
    notes += [note for note in (row_note, column_note) if note]
    if not contest_columns(batch, given.contest):
        used = [unit_column, side_column, option_column, votes_column, spoken or "", given.electors or ""]
        notes.append(_one_contest(batch, used, row_note or column_note))
    parties = [parties_of(own, side=sides[order[1]]) for own in column_names]
    columns = Side(column_names, parties, column_votes)
    of = np.repeat(np.arange(len(contests)), sizes)
    kind = given.kind
    if kind is None:
        known = [name for own in (*column_names, *parties) for name in own]
        totals = Side(row_names, [], row_votes).totals(of)
        kind, said = kind_of(sides[order[0]], sized(row_names, totals), known)
        notes += said
    row_parties = [parties_of(own, side=sides[order[0]], rows=kind) for own in row_names]
    return Draft(
        where=batch.file,
        contests=contests,
        keys=keys,
        of=of,
        names=names,
        rows=Side(row_names, row_parties, row_votes),
        columns=columns,
        kind=kind,
        lines=batch.lines[first],
        electors=None if given.electors is None else _of_units(batch, given.electors, place, first),
        notes=notes,
    )


def _one_contest(batch: Batch, used: list[str], repeated: str | None) -> str:
    """As `one_contest`, where no option is there twice in a unit: it would be that of different contests."""
    if repeated is None:
        return one_contest(batch, used)
    folded = {own.casefold() for own in used}
    free = [name for name in batch.names if name.casefold() not in folded]
    raise data_error(
        "no column for the contest, and units with an option twice",
        where=batch.file,
        row=1,
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


READER = Reader(
    "long",
    "contest, unit, side, option and votes (or side=, option=, votes=)",
    lacks,
    read_long,
    (EXAMPLE, {}),
    order=0,
)
