"""Columns of a table of units: which they are, what they are called, contests they name, and their numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from electjax.data.errors import ElectionDataError, data_warning
from electjax.data.labels import unique_names
from electjax.data.reading import TableOptions
from electjax.data.rows import ELECTIONS, one_election, row_keys, select, without_totals
from electjax.data.sources import read_table
from electjax.data.table import Table, fold
from electjax.data.vocabulary import words_of
from electjax.ecological.options import UnitsOptions

CONTEST = (
    *("contest", "district", "constituency", "electorate"),
    *("wahlkreis", "wahlkreisname", "riding", "circonscription", "circunscripcion", "collegio"),
)
CONTEST_NO = (
    *("contest_no", "district_no", "constituency_no", "electorate_no"),
    *("district_number", "constituency_number", "wahlkreisnr", "wahlkreisnummer"),
)
UNIT_NAME = words_of("unit_name")
UNIT = (
    *(word for word in words_of("unit") if word not in UNIT_NAME),
    *(
        "vtd",
        "voting_district",
        "stimmbezirk",
        "wahlbezirk",
        "wahllokal",
        "bureau_de_vote",
        "mesa",
        "sezione",
        "stembureau",
    ),
)
SIDE = ("side", "ballot", "margin")
OPTION = ("option", "choice", "label")
VOTES = ("votes", "count", "n", "voters")
MOST = 1e15  # voters: whole numbers are exact below it, and nobody has as many
ALIKE = 0.02  # units that differ less may be percentages
_LIKE_CONTESTS = ("county", "district", "constituency", "electorate", "province", "riding", "seat", "state", "contest")


def open_table(source: Any, options: UnitsOptions, *, other: bool = False) -> Table:
    """A table of units; or another one about them, in which those names and conditions count that it knows."""
    given = {item.name: getattr(options, item.name) for item in fields(TableOptions)}
    names = options.columns if isinstance(options.columns, Mapping) else {}
    if not other:
        return read_table(source, TableOptions(**given | {"columns": names}), rows="units")
    table = read_table(source, TableOptions(**given | {"columns": {}, "where": {}}))
    table = table.renamed({ours: theirs for ours, theirs in names.items() if table.has(theirs)})
    return select(table, {name: value for name, value in options.where.items() if table.has(name)})


def asked_or(table: Table, given: str | None, usual: Sequence[str], keyword: str) -> int | None:
    """Position of the column that the caller names, else of one of the usual names; None where there is none."""
    return table.asked(given, keyword) if given is not None else table.find(*usual)


def needed(table: Table, given: str | None, usual: Sequence[str], keyword: str) -> int:
    """As `asked_or`, but it must be there."""
    return table.asked(given, keyword) if given is not None else table.need(*usual, what=f"for the {keyword}")


def named(table: Table, found: Mapping[str, int | None], given: UnitsOptions) -> list[str]:
    """Sentences on columns that were found under other names than ours, and not by the caller."""
    return [
        f"column {table.names[p]!r} is the {what}"
        for what, p in found.items()
        if p is not None and fold(table.names[p]) != fold(what) and getattr(given, what, None) is None
    ]


def coded(table: Table, position: int) -> tuple[np.ndarray, list[str]]:
    """A column that is never missing: the number of each row's label, and the labels in order of appearance."""
    column = table.labels(position, f"a label of the {table.names[position]}")
    labels = column.present()
    return column.coded({label: code for code, label in enumerate(labels)}), labels


def amounts(table: Table, positions: Sequence[int], what: str = "votes") -> np.ndarray:
    """Columns of numbers of at least 0, [rows, columns]: integers where all are whole, NaN where left out as missing.

    A column is of whole numbers if it can be, so that 1.346 is one thousand and more; but where this would make all
    rows equal in sum, they may be percentages, and where another column has the same mark before decimals these may be
    decimals, too: the caller has to say.
    """
    expected = f"{what}: a number, 0 or more"
    found = [_counts(table, position) for position in positions]
    sums = np.sum([values for values in found if values is not None], axis=0)
    marks = [{mark for mark in ",." if any(mark in text for text in table.columns[p].texts)} for p in positions]
    numbers = [
        table.numbers(position, expected, low=0) if values is None else values
        for position, values in zip(positions, found, strict=True)
    ]
    if table.style.thousands is None:
        alike = np.size(sums) > 1 and np.ptp(sums) <= ALIKE * np.max(sums)
        decimal = {mark for values, own in zip(found, marks, strict=True) if values is None for mark in own}
        for k, position in enumerate(positions):
            if found[k] is not None and marks[k] and (alike or marks[k] & decimal):
                numbers[k] = table.numbers(position, expected, low=0)
    for position, values in zip(positions, numbers, strict=True):
        table.refuse(values > MOST, position, "the number is too large", f"{what} of a unit", "correct the cell")
    kept = table.style.suppressed == "missing"
    for position, values in zip(positions, numbers, strict=True):
        blank = table.columns[position].blank | (False if kept else np.isnan(values))
        table.refuse(blank, position, "the cell is blank", expected, "write 0 where nobody is, or remove the row")
    every = np.stack(numbers, axis=1)
    return every.astype(np.int64) if (every == np.floor(every)).all() else every


def _counts(table: Table, position: int) -> np.ndarray | None:
    """A column of whole numbers, NaN where missing; None where it is none."""
    try:
        values = table.counts(position, missing=-1)
    except ElectionDataError:
        return None
    return np.where(values < 0, np.nan, values)


def settled(
    table: Table, given: UnitsOptions, labels: Iterable[int | None], numbers: Iterable[int], side: int | None = None
) -> Table:
    """The table without rows that a label calls totals; one that holds several elections is refused.

    Args:
        table: of units.
        given: options.
        labels: positions of the columns that name units, contests and options.
        numbers: positions of the other columns in use.
        side: position of the column of sides, which may be of two elections.
    """
    told = [position for position in labels if position is not None]
    if not told:
        told = [p for p in range(len(table.columns)) if p not in set(numbers) and not table.is_numeric(p)][:1]
    table = without_totals(table, told, [], given.totals, what="unit")
    used = {fold(table.names[position]) for position in (*told, *numbers)}
    others = [
        name
        for name in ELECTIONS
        if (p := table.find(name)) is not None
        and fold(table.names[p]) not in used
        and (side is None or _varies(table, p, side))
    ]
    how = {
        name: f"where={{{spelt!r}: {table.column(name).present()[0]!r}}}, or keep them apart with contest={spelt!r}"
        for name in others
        if table.column(name).present() and (spelt := table.column(name).name)
    }
    one_election(table, others, keyword=how)
    return table


def _varies(table: Table, position: int, within: int) -> bool:
    """Whether a column has several values where another has one."""
    return len(np.unique(row_keys(table, [within, position]))) > len(np.unique(table.columns[within].codes))


def tell_twice(table: Table, unit: int, area: np.ndarray, used: Iterable[int]) -> None:
    """Warn of a unit that is there twice in its contest, where no other column of text tells the rows apart."""
    apart = [p for p in range(len(table.columns)) if p not in set(used) and not table.is_numeric(p)]
    key = row_keys(table, [unit, *apart])
    key = np.unique(key, return_inverse=True)[1] * (int(area.max(initial=0)) + 1) + area
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    again = first[inverse] != np.arange(len(key))
    if again.any():
        at = int(again.argmax())
        line, before = (int(table.lines[row]) for row in (at, first[inverse[at]]))
        more = f"; {int(again.sum())} such rows" if again.sum() > 1 else ""
        problem = f"unit {table.columns[unit].at(at)!r} is there twice, in rows {before} and {line}, both are kept"
        data_warning(problem + more, where=table.file, row=line, column=table.names[unit])


def contest_columns(table: Table, name: str | None) -> list[int]:
    """The columns that tell contests: the caller's, else name and number."""
    if name is not None:
        return [table.asked(name, "contest")]
    return [found for names in (CONTEST, CONTEST_NO) if (found := table.find(*names)) is not None]


def theirs(table: Table, name: str | None) -> str | None:
    """The caller's column where another table has it, too."""
    return name if name is not None and table.has(name) else None


def one_contest(table: Table, used: Iterable[int | None]) -> str:
    """A sentence on units without contests, and on the columns that may name some."""
    taken = set(used)
    free = [name for position, name in enumerate(table.names) if position not in taken]
    like = [name for name in free if any(word in name.casefold() for word in _LIKE_CONTESTS)]
    return "all units are one contest" + (f"; contest= if {' or '.join(like[:3])} names theirs" if like else "")


def contests_of(table: Table, found: Sequence[int]) -> tuple[np.ndarray, list[str], list[tuple[str, ...]]]:
    """Contest of each row, the labels of contests in order of appearance, and all they are called.

    A number tells contests apart that share a name. Without a column, all rows are of one contest.

    Args:
        table: its rows.
        found: positions of their `contest_columns`.
    """
    if not found:
        return np.zeros(len(table), np.int64), ["all"], [("all",)]
    if len(found) == 1:
        code, labels = coded(table, found[0])
        return code, labels, [(label,) for label in labels]
    names, said = coded(table, found[0])
    code, numbers = coded(table, found[1])
    first = np.unique(code, return_index=True)[1]
    table.refuse(
        names != names[first][code],
        found[0],
        lambda row: f"{numbers[code[row]]} is {said[names[row]]!r} here and {said[names[first][code[row]]]!r} before",
        f"one name for each {table.names[found[1]]}",
        "correct the number or the name",
    )
    plain = [said[n] for n in names[first].tolist()]
    labels = plain if len(set(plain)) == len(plain) else [f"{n} {name}" for n, name in zip(numbers, plain, strict=True)]
    labels = unique_names(labels)
    return code, labels, list(zip(numbers, plain, labels, strict=True))
