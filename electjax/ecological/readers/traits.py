"""Traits of options: categories on axes, as candidates of booths have them, and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from electjax.data.axes import Axis, axes_of, axis_names
from electjax.data.errors import data_error
from electjax.data.records import Batch, number
from electjax.data.tables import category_codes, near
from electjax.ecological.readers.columns import OPTION, blanked, coded, contest_columns, find, need, theirs
from electjax.ecological.readers.draft import Draft, Side, Traits

_OPTION = (*OPTION, "row", "column", "candidate", "party", "group", "name")


def join_traits(
    draft: Draft,
    rows: Batch | None,
    columns: Batch | None,
    axes: Mapping[str, Any] | Sequence[Axis] | None,
    *,
    contest: str | None = None,
    option: str | None = None,
) -> Draft:
    """The draft with what tables say of options.

    A table has a column for the option, one for the contest unless an option is the same in all, and one for each
    trait: an axis of categories, or numbers. Blanks are unknown.

    Args:
        draft: the units, their options not yet merged.
        rows, columns: the tables of both sides.
        axes: configuration of axes; None for an axis of each column of text, with the kernel "match".
        contest, option: what the units' table calls their columns: these tables may, too.
    """
    tables = {"rows": rows, "columns": columns}
    keys = {which: _keys(batch, contest, option) for which, batch in tables.items() if batch is not None}
    tables = {which: batch and blanked(batch, keys[which]) for which, batch in tables.items()}
    free = {which: _numbers(batch, keys[which], axes) for which, batch in tables.items() if batch is not None}
    known: tuple[Axis, ...] = ()
    if axes is not None:
        known = axes_of(axes)
    else:
        texts: dict[str, set[str]] = {}
        for which, own in free.items():
            batch = tables[which]
            assert batch is not None
            for column in batch.columns:
                if column.name not in own and column.name not in keys[which]:
                    texts.setdefault(column.name, set()).update(column.present())
        known = axes_of({name: {"categories": sorted(found)} for name, found in texts.items()}) if texts else ()

    def described(which: str, side: Side) -> Side:
        batch = tables[which]
        if batch is None:
            return side
        return replace(side, traits=_traits(batch, draft, side, keys[which], known, free[which]))

    return replace(draft, axes=known, rows=described("rows", draft.rows), columns=described("columns", draft.columns))


def _keys(batch: Batch, contest: str | None, option: str | None) -> list[str]:
    """The option's column, then those of contests."""
    contests = contest_columns(batch, theirs(batch, contest))
    usual = [name for name in (*filter(None, [option]), *_OPTION) if name not in contests]
    return [need(batch, usual, "the option"), *contests]


def _numbers(batch: Batch, keys: list[str], axes: Any) -> list[str]:
    """Columns that hold numbers only and are no axis."""
    said = [] if axes is None else axis_names(axes_of(axes))
    return [
        column.name
        for column in batch.columns
        if column.name not in keys
        and column.name not in said
        and (axes is not None or all(np.isfinite(number(text)) for text in column.present()))
    ]


def _traits(
    batch: Batch, draft: Draft, side: Side, keys: list[str], axes: tuple[Axis, ...], numbers: list[str]
) -> Traits:
    code, labels = coded(batch, keys[0])
    contests = [coded(batch, name) for name in keys[1:]]
    shape = side.votes.shape[1]
    category = np.full((len(draft.contests), shape, len(axes)), "", dtype=object)
    covariate = np.full((len(draft.contests), shape, len(numbers)), np.nan)
    codes = {a: _codes(batch, axis) for a, axis in enumerate(axes)}
    values = [batch.numbers(batch.find(name, name), "a number") for name in numbers]
    known = {name: d for d, own in reversed(list(enumerate(draft.keys))) for name in own}
    if draft.keys == [("all",)] and len(contests) == 1 and len(contests[0][1]) == 1:  # one contest that has no name
        known = {contests[0][1][0]: 0}
    index = [{name: k for k, name in enumerate(own)} for own in side.names]
    done: set[tuple[int, int]] = set()
    for row in range(len(batch.lines)):
        areas = list(range(len(draft.contests)))
        if contests:
            said = [names[c[row]] for c, names in contests]
            own = next((known[name] for name in said if name in known), None)
            if own is None:
                raise batch.fault(
                    f"unknown contest {said[0]!r}", row, expected="one of the units", mend=near(said[0], draft.contests)
                )
            areas = [own]
        name = labels[code[row]]
        spots = [(d, index[d][name]) for d in areas if name in index[d]]
        if not spots or done & set(spots):
            every = list(dict.fromkeys(option for d in areas for option in side.names[d]))
            contest = draft.contests[spots[0][0] if spots else areas[0]]
            raise batch.fault(
                f"{name!r} {'again' if spots else 'is no option'} of {contest!r}",
                row,
                batch.find(keys[0], "the option"),
                expected="one row for each option of the units",
                mend="remove one of the rows" if spots else near(name, every),
            )
        done |= set(spots)
        for d, k in spots:
            for a, axis in enumerate(axes):
                found = codes[a][row]
                category[d, k, a] = axis.categories[found] if found >= 0 else ""
            for q, column in enumerate(values):
                covariate[d, k, q] = column[row]
    return Traits(category.astype(np.str_), tuple(numbers), covariate)


def _codes(batch: Batch, axis: Axis) -> np.ndarray:
    """Codes of an axis's column, -1 where blank or where the table lacks it."""
    name = find(batch, [axis.name])
    every = np.ones(len(batch.lines), bool)
    if not axis.categories:
        raise data_error(
            f"the axis {axis.name} is scalar",
            where=batch.file,
            expected="axes of categories",
            mend="leave it out of the axes: columns of numbers are covariates",
        )
    if name is None:
        return np.full(len(batch.lines), -1)
    return category_codes(batch, name, batch.columns[batch.find(name, name)], axis, every)
