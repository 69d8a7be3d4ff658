"""Which columns of a long table are which, also where it has other names for them, or its sides beside each other.

Sides are told by a column (`side`, or one of a few usual names that has two values), by two columns of labels of which
each row fills one, or by two columns of votes that are called like sides.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from electjax.data.rows import row_keys
from electjax.data.table import Column, Table, make_column
from electjax.data.vocabulary import words_of
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers.columns import OPTION, SIDE, UNIT, UNIT_NAME, VOTES, asked_or, contest_columns
from electjax.ecological.readers.sides import is_side

# What may tell the sides where it has two values: elections, ballots and kinds of labels.
TIMES = (
    *("election", "wahl", "wahlart", "election_type", "office", "stage", "round", "wahlgang", "tour"),
    *("year", "jahr", "election_date", "wahltag", "date", "datum"),
)
SIDES = (
    *("stimme", "stimmart", "stimmenart", "stimmzettel", "vote_type", "ballot_type", "ballot_paper"),
    *("group", "gruppe", "type", "typ", "art", "dimension", "merkmal", "variable", "matrix", "table"),
    *TIMES,
)
OPTIONS = (
    *("bezeichnung", "auspraegung", "wahlvorschlag", "category", "kategorie"),
    *(*words_of("party"), *words_of("candidate"), "list", "liste"),
)
AMOUNTS = (*words_of("votes"), "wert", "value", "people", "personen")
_NEEDED = ("side", "option", "votes")


class Layout(NamedTuple):
    """A long table with the positions of its columns, and those of the columns that tell contests."""

    table: Table
    unit: int | None
    side: int
    option: int
    votes: int
    contests: list[int]


def layout_of(table: Table, given: ReadOptions) -> Layout | str:
    """The layout of a table; or what it lacks to be long, in words."""
    contests = contest_columns(table, given.contest)
    unit = asked_or(table, given.unit, (*UNIT, *UNIT_NAME), "unit")
    votes = asked_or(table, given.votes, (*VOTES, *AMOUNTS), "votes")
    option = asked_or(table, given.option, OPTION, "option")
    side = asked_or(table, given.side, SIDE, "side")
    used = {p for p in (unit, votes, *contests) if p is not None}
    if side is None and votes is None:
        table, side, votes = _stacked(table, used)
    if side is None and option is None:
        table, side, option = _filled(table, used)
    if option is None:
        option = next((p for p in _places(table, OPTIONS) if p not in used and p != side and _full(table, p)), None)
    told = [] if side is not None else _two_valued(table, {*used, option})
    if len({_split(table, p) for p in told}) == 1 and option is not None and votes is not None:
        side = told[0]
    lacking = [name for name, p in zip(_NEEDED, (side, option, votes), strict=True) if p is None]
    if side is None or option is None or votes is None:
        names = " or ".join(repr(table.names[p]) for p in told)
        return f"no column for {' and '.join(lacking)}" + (f" (side= may be {names})" if told else "")
    if unit is None and contests and given.contest is None:
        keys = row_keys(table, [contests[0], side, option])
        if len(np.unique(keys)) == len(keys):  # a row for each option of a district: districts are units
            unit, contests = contests[0], []
            table = table.noted(f"no column for parts of {table.names[unit]!r}: these are the units")
    return Layout(table, unit, side, option, votes, contests)


def _places(table: Table, words: Iterable[str]) -> list[int]:
    return list(dict.fromkeys(p for word in words if (p := table.find(word)) is not None))


def _full(table: Table, position: int) -> bool:
    """Whether a column of labels has one in each row."""
    return not table.columns[position].blank.any()


def _two_valued(table: Table, used: Set[int | None]) -> list[int]:
    """Columns that may tell two sides."""
    return [p for p in _places(table, SIDES) if p not in used and len(table.columns[p].present()) == 2]


def _split(table: Table, position: int) -> bytes:
    """How two values divide the rows, whatever they are."""
    codes = row_keys(table, [position])
    return (codes == codes[0]).tobytes()


def _filled(table: Table, used: Set[int]) -> tuple[Table, int | None, int | None]:
    """The table with the sides and options that two columns of labels are, of which each row fills one."""
    labels = [p for p in range(len(table.columns)) if p not in used and not table.is_numeric(p)]
    empty = {p: blank for p in labels if (blank := table.columns[p].blank).any() and not blank.all()}
    pairs = [(p, q) for p, q in combinations(empty, 2) if (empty[p] != empty[q]).all()]
    if len(pairs) != 1:
        return table, None, None
    first, second = (table.columns[p] for p in pairs[0])
    side = make_column("side", np.where(first.blank, 1, 0), (first.name, second.name))
    codes = np.where(first.blank, second.codes + len(first.texts), first.codes)
    option = make_column("option", codes, (*first.texts, *second.texts))
    note = f"each row fills {first.name!r} or {second.name!r}: they are the sides"
    return _instead(table, pairs[0], (side, option)).noted(note), pairs[0][0], pairs[0][1]


def _stacked(table: Table, used: Set[int]) -> tuple[Table, int | None, int | None]:
    """The table twice, with the votes of each of two columns that are called like sides."""
    numbers = [p for p, name in enumerate(table.names) if p not in used and is_side(name) and table.is_numeric(p)]
    if len(numbers) != 2 or not _places(table, (*OPTION, *OPTIONS)):
        return table, None, None
    first, second = (table.columns[p] for p in numbers)
    size = len(table)
    side = make_column("side", np.repeat([0, 1], size), (first.name, second.name))
    codes = np.concatenate([first.codes, second.codes + len(first.texts)])
    votes = make_column("votes", codes, (*first.texts, *second.texts))
    twice = table.take(np.tile(np.arange(size), 2))
    note = f"columns {first.name!r} and {second.name!r} are the votes of two sides"
    return _instead(twice, numbers, (side, votes)).noted(note), numbers[0], numbers[1]


def _instead(table: Table, places: Sequence[int], new: Sequence[Column]) -> Table:
    """The table with other columns in these places."""
    columns = list(table.columns)
    for position, column in zip(places, new, strict=True):
        columns[position] = column
    return replace(table, columns=tuple(columns))
