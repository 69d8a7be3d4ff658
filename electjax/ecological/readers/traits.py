"""Traits of options: categories on axes, as candidates of booths have them, and numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from electjax.data.axes import Axis, axes_of, axis_names
from electjax.data.categories import categories_of
from electjax.data.errors import data_error
from electjax.data.table import Table, fold, near
from electjax.ecological.options import UnitsOptions
from electjax.ecological.readers.columns import OPTION, coded, contest_columns, theirs
from electjax.ecological.readers.draft import Draft, Side, Traits

_OPTION = (*OPTION, "row", "column", "candidate", "party", "group", "name")


def join_traits(draft: Draft, rows: Table | None, columns: Table | None, given: UnitsOptions) -> Draft:
    """The draft with what tables say of options.

    A table has a column for the option, one for the contest unless an option is the same in all, and one for each
    trait: an axis of categories, or numbers. Blanks are unknown.

    Args:
        draft: the units, their options not yet merged.
        rows, columns: the tables of both sides.
        given: options of reading: `axes`, the configuration of axes, None for an axis of each column of text with the
            kernel "match"; `contest` and `option`, what the units' table calls their columns: these tables may, too.
    """
    tables = {which: table for which, table in (("rows", rows), ("columns", columns)) if table is not None}
    axes = None if given.axes is None else axes_of(given.axes)
    keys = {which: _keys(table, given) for which, table in tables.items()}
    free = {which: _numbers(table, keys[which], axes) for which, table in tables.items()}
    known = axes
    if known is None:
        texts: dict[str, set[str]] = {}
        for which, table in tables.items():
            for position, column in enumerate(table.columns):
                if position not in (*free[which], *keys[which]):
                    texts.setdefault(column.name, set()).update(column.present())
        known = axes_of({name: {"categories": sorted(found)} for name, found in texts.items()}) if texts else ()
    found: dict[str, Any] = {
        which: replace(side, traits=_traits(tables[which], draft, side, keys[which], known, free[which]))
        for which, side in (("rows", draft.rows), ("columns", draft.columns))
        if which in tables
    }
    return replace(draft, axes=known, **found).noted(*(note for table in tables.values() for note in table.notes))


def _keys(table: Table, given: UnitsOptions) -> list[int]:
    """The option's column, then those of contests."""
    contests = contest_columns(table, theirs(table, given.contest))
    usual = [name for name in (*filter(None, [given.option]), *_OPTION) if table.find(name) not in contests]
    return [table.need(*usual, what="for the option"), *contests]


def _numbers(table: Table, keys: list[int], axes: Sequence[Axis] | None) -> list[int]:
    """Columns that hold numbers only and are no axis."""
    said = {fold(name) for name in axis_names(axes or ())}
    return [
        position
        for position, column in enumerate(table.columns)
        if position not in keys
        and fold(column.name) not in said
        and (axes is not None or table.is_numeric(position) or not column.present())
    ]


def _traits(
    table: Table, draft: Draft, side: Side, keys: list[int], axes: tuple[Axis, ...], numbers: list[int]
) -> Traits:
    code, labels = coded(table, keys[0])
    contests = [coded(table, position) for position in keys[1:]]
    shape = (len(draft.contests), side.votes.shape[1])
    category = np.full((*shape, len(axes)), "", dtype=object)
    covariate = np.full((*shape, len(numbers)), np.nan)
    known_labels = np.array([_categories(table, axis) for axis in axes], dtype=object).reshape(len(axes), len(table))
    values = np.array([table.numbers(position) for position in numbers]).reshape(len(numbers), len(table))
    known = {name: d for d, own in reversed(list(enumerate(draft.keys))) for name in own}
    if draft.keys == [("all",)] and len(contests) == 1 and len(contests[0][1]) == 1:  # one contest that has no name
        known = {contests[0][1][0]: 0}
    index = [{name: k for k, name in enumerate(own)} for own in side.names]
    done: set[tuple[int, int]] = set()
    for row in range(len(table)):  # one for each option of a contest
        areas = list(range(len(draft.contests)))
        if contests:
            said = [names[c[row]] for c, names in contests]
            own = next((known[name] for name in said if name in known), None)
            if own is None:
                problem, mend = f"unknown contest {said[0]!r}", near(said[0], draft.contests)
                raise table.fault(problem, row, keys[1], expected="one of the units", mend=mend)
            areas = [own]
        name = labels[code[row]]
        spots = [(d, index[d][name]) for d in areas if name in index[d]]
        if not spots or done & set(spots):
            every = list(dict.fromkeys(option for d in areas for option in side.names[d]))
            contest = draft.contests[spots[0][0] if spots else areas[0]]
            raise table.fault(
                f"{name!r} {'again' if spots else 'is no option'} of {contest!r}",
                row,
                keys[0],
                expected="one row for each option of the units",
                mend="remove one of the rows" if spots else near(name, every),
            )
        done |= set(spots)
        for d, k in spots:
            category[d, k] = known_labels[:, row]
            covariate[d, k] = values[:, row]
    return Traits(category.astype(np.str_), tuple(table.names[p] for p in numbers), covariate)


def _categories(table: Table, axis: Axis) -> np.ndarray:
    """The category of each row on an axis, as the axis spells it; blank where missing or where the table lacks it."""
    if not axis.categories:
        raise data_error(
            f"the axis {axis.name} is scalar",
            where=table.file,
            expected="axes of categories",
            mend="leave it out of the axes: columns of numbers are covariates",
        )
    if not table.has(axis.name):
        return np.full(len(table), "", dtype=object)
    return np.array([*axis.categories, ""], dtype=object)[categories_of(table, axis).codes]
