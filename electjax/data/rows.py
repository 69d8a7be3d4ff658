"""What rows of elections mean, the same in every wing: which belong, totals, repeats, several elections in one file."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from electjax.data.errors import data_warning
from electjax.data.numbers import is_missing, number, parse_numbers
from electjax.data.reading import Handling
from electjax.data.table import Column, Table, fold, near
from electjax.data.text import spaced

TOTALS = frozenset(
    "statewide nationwide sum sums gesamt insgesamt summe totale totaux overall"  # noqa: SIM905
    " ballotscast ballotscounted votescast validvotes registeredvoters".split()
)
# Columns that tell elections apart, where a file has several values of them.
ELECTIONS = (
    "office",
    "contest",
    "race",
    "year",
    "election",
    "election_date",
    "date",
    "election_type",
    "stage",
    "round",
)
_MARKS = frozenset({"stage", "round", "runoff", "special", "election_type"})  # of some rows, blank in the others
_TOTAL = re.compile(r"^(grand|sub)?[ -]?totals?\b|\btotals?$", re.IGNORECASE)
_SHOWN = 15


def select(table: Table, where: Mapping[str, Any]) -> Table:
    """The rows whose cells are among the given values: as text whatever the case, or as numbers."""
    for name, value in where.items():
        position = table.asked(name, "where")
        asked = _listed(value)
        if not asked:
            raise table.fault("no value to choose", None, position, expected="a value or a list", mend="name one")
        column = table.columns[position]
        kept = _among(column, value)
        if not kept.any():
            present = column.present()
            raise table.fault(
                f"no row has the value {', '.join(map(repr, asked))}" if any(asked) else "no row has a blank",
                None,
                position,
                expected=f"one of {', '.join([*present[:_SHOWN], *(['null, a blank'] if column.blank.any() else [])])}",
                mend=near(asked[0], present),
            )
        left = len(kept) - int(kept.sum())
        table = table.take(kept, f"{left} rows with another {column.name} left out") if left else table
    return table


def select_some(table: Table, where: Mapping[str, Any], left: Counter[str]) -> Table:
    """The same for a part of a table, in which there may be none; how many rows are left out is counted by column."""
    for name, value in where.items():
        column = table.columns[table.asked(name, "where")]
        kept = _among(column, value)
        if not kept.all():
            left[column.name] += len(kept) - int(kept.sum())
            table = table.take(kept)
    return table


def _listed(value: Any) -> list[str]:
    """The values of a condition as texts; None, NaN and their like are a blank."""
    each = value if isinstance(value, list | tuple | set) else [value]
    return ["" if not isinstance(one, str) and is_missing(str(one)) else spaced(str(one)) for one in each]


def _among(column: Column, value: Any) -> np.ndarray:
    good = wanted(value)
    return np.array([good(text) for text in column.texts], dtype=bool)[column.codes]


def wanted(value: Any) -> Callable[[str], bool]:
    """Whether a text is one of the values of a condition: whatever its case, or as a number."""
    texts = _listed(value)
    folded = {text.casefold() for text in texts}
    numbers = {number(text) for text in texts} - {np.nan}
    return lambda text: text.casefold() in folded or number(text) in numbers


def one_election(table: Table, choices: Sequence[str] = ELECTIONS, *, keyword: Mapping[str, str] | None = None) -> None:
    """Refuse a table that holds several elections.

    Args:
        table: of one election.
        choices: names of the columns that tell elections apart; those of them that are there have one value.
        keyword: how to choose by a column, where not by `where=`.
    """
    for name in choices:
        position = table.find(name)
        if position is None:
            continue
        spelt, found = table.names[position], table.every_text(position)
        if len(found) == 1 and name in _MARKS and table.columns[position].blank.any():
            problem = f"the file holds several elections: {found[0]}, and rows with a blank"
            mend = f"choose with where={{{spelt!r}: {found[0]!r}}}, or None for a blank"
            raise table.fault(problem, None, position, expected="one", mend=mend)
        if len(found) < 2:
            continue
        shown = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        how = (keyword or {}).get(name, f"where={{{spelt!r}: {found[0]!r}}}")
        problem = f"the file holds several elections: {shown}"
        raise table.fault(problem, None, position, expected="one", mend=f"choose with {how}")


def is_total(text: str) -> bool:
    """Whether a label says that its row adds up others."""
    return ("total" in text.casefold() and bool(_TOTAL.search(text))) or fold(text) in TOTALS


def without_totals(
    table: Table, labels: Sequence[int], amounts: Sequence[int], handling: Handling | None, *, what: str = "row"
) -> Table:
    """The table without rows that add up others.

    Args:
        table: its rows.
        labels: positions of the columns that would say so.
        amounts: positions of the columns of numbers that it would add up; rows of a wide table are also compared with
            the sum of the rows above them. Empty: labels alone decide.
        handling: of them; None: left out with a warning where a label says so, else refused.
        what: a row is, for messages.
    """
    if handling == "keep":
        return table
    said = np.zeros(len(table), bool)
    for position in labels:
        column = table.columns[position]
        said |= np.array([is_total(text) for text in column.texts], dtype=bool)[column.codes]
    silent = np.zeros(len(table), bool) if said.any() else _adds_up(table, amounts)
    found = said | silent
    if not found.any():
        return table
    row = int(found.argmax())
    texts = [table.columns[p].at(row) for p in labels]
    named = next(filter(is_total, texts), next(filter(None, texts), ""))
    if handling == "refuse" or (handling is None and silent.any()):
        raise table.fault(
            f"{what} {named!r} adds up the rows {'above' if row else 'below'} it"
            if silent.any()
            else f"{what} {named!r} is a total",
            row,
            labels[0] if labels else None,
            expected="single rows, without totals",
            mend="remove it, or pass totals='drop' to leave it out or totals='keep' if it is none",
        )
    note = f"{int(found.sum())} total rows left out, the first is {named!r} (row {table.lines[row]})"
    data_warning(f"{note}; pass totals='keep' if it is none", where=table.file, row=int(table.lines[row]))
    return table.take(~found, note)


def _adds_up(table: Table, amounts: Sequence[int]) -> np.ndarray:
    """Which rows are the sums of all rows above them, in a table with a row for each district or unit."""
    if not all(map(table.is_numeric, amounts)):
        return np.zeros(len(table), bool)
    columns = [_amounts(table, position) for position in amounts]
    return sums_above(np.stack(columns, axis=1)) if columns else np.zeros(len(table), bool)


def _amounts(table: Table, position: int) -> np.ndarray:
    """A column as counts where it may be; what is wrong with its cells is said where they are read."""
    texts, style = table.columns[position].texts, table.style
    found = parse_numbers(texts, whole=True, thousands=style.thousands, suppressed="missing")
    return np.nan_to_num(found.values)[table.columns[position].codes]


def sums_above(amounts: np.ndarray) -> np.ndarray:
    """Which rows of [n, m] are the sums of all rows above them in every column, or the first of all below it.

    Two rows and two columns that are not 0 are the least that tells: with fewer it happens by chance.
    """
    above = np.cumsum(amounts, axis=0) - amounts
    close = np.isclose(above, amounts, rtol=1e-9, atol=0).all(axis=1)
    close &= np.arange(len(amounts)) >= 2
    if len(amounts) > 2:
        close[0] = np.isclose(amounts[1:].sum(axis=0), amounts[0], rtol=1e-9, atol=0).all()
    return close & ((amounts > 0).sum(axis=1) >= 2)


def without_repeats(table: Table, handling: Handling) -> Table:
    """The table in which no row repeats another word for word; a warning names both rows."""
    if handling == "keep" or not len(table):
        return table
    _, first, key = np.unique(row_keys(table, range(len(table.columns))), return_index=True, return_inverse=True)
    again = first[key] != np.arange(len(table))
    if not again.any():
        return table
    row = int(again.argmax())
    problem = f"the row repeats {table.row_name(int(first[key[row]]), row)} word for word"
    if handling == "refuse":
        mend = "remove it, or pass repeated='drop' or repeated='keep'"
        raise table.fault(problem, row, expected="rows that differ", mend=mend)
    more = f"; {int(again.sum())} such rows" if again.sum() > 1 else ""
    data_warning(
        f"{problem} and is counted once{more}; pass repeated='keep' to count both",
        where=table.file_of(row),
        row=int(table.lines[row]),
    )
    return table.take(
        ~again, f"{int(again.sum())} rows that repeat another left out, the first is row {table.lines[row]}"
    )


def row_keys(table: Table, positions: Sequence[int]) -> np.ndarray:
    """A number for each row that tells apart the texts of some columns."""
    key = np.zeros(len(table), np.int64)
    size = 1
    for position in positions:
        column = table.columns[position]
        if size * len(column.texts) > 1 << 62:
            values, key = np.unique(key, return_inverse=True)
            size = len(values)
        key = key * len(column.texts) + column.codes
        size *= len(column.texts)
    return key


def numbered(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys as numbers in order of appearance, and where each appears first."""
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place[code], first[order]
