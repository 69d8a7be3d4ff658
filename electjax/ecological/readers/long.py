"""The long format: one row for each unit, side and option."""

import numpy as np

from electjax.data.errors import data_error
from electjax.data.labels import unique_names
from electjax.data.records import Batch
from electjax.ecological.readers.draft import Draft, Side, within
from electjax.ecological.readers.options import kind_of, parties_of, rows_first, sized
from electjax.ecological.readers.table import (
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
    like_contests,
    need,
)
from electjax.ecological.schema import RowKind


def lacking(batch: Batch, *, side: str | None, option: str | None, votes: str | None) -> list[str]:
    """Which of the long format's side, option and votes the header does not name, nor the caller."""
    found = {"side": side or find(batch, SIDE), "option": option or find(batch, OPTION)}
    return [what for what, name in (found | {"votes": votes or find(batch, VOTES)}).items() if name is None]


def read_long(
    batch: Batch,
    *,
    contest: str | None,
    unit: str | None,
    side: str | None,
    option: str | None,
    votes: str | None,
    rows: str | None,
    electors: str | None,
    kind: RowKind | None,
) -> Draft:
    """Units of a long table; an option without a row has no votes in that unit."""
    area, contests, keys = contests_of(batch, contest)
    unit_column = column_of(batch, unit, UNIT, "unit")
    code, labels = coded(batch, unit_column)
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
    side_column = column_of(batch, side, SIDE, "side")
    option_column = column_of(batch, option, OPTION, "option")
    votes_column = column_of(batch, votes, VOTES, "votes")
    found, sides = coded(batch, side_column)
    order, notes = rows_first(sides, batch.file, rows)
    counts = amounts(batch, votes_column)
    options = coded(batch, option_column)
    (row_names, row_votes, row_note), (column_names, column_votes, column_note) = (
        _side(options, found == s, area, place, counts, len(contests), len(first)) for s in order
    )
    notes += [note for note in (row_note, column_note) if note]
    if not contest_columns(batch, contest):
        used = [unit_column, side_column, option_column, votes_column, spoken or "", electors or ""]
        notes.append(_one_contest(batch, used, row_note or column_note))
    parties = [parties_of(own, side=sides[order[1]]) for own in column_names]
    columns = Side(column_names, parties, column_votes)
    of = np.repeat(np.arange(len(contests)), sizes)
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
        electors=None if electors is None else _of_units(batch, electors, place, first),
        notes=notes,
    )


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
    like = like_contests(free)
    return "all units are one contest" + (f"; contest= if {' or '.join(like[:3])} names theirs" if like else "")


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
