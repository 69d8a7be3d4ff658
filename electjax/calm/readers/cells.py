"""cells.csv: electors of each booth by demographic cell; joint.csv: how the cells of a population are shared out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from electjax.calm.readers.roll import Roll
from electjax.data.axes import UNKNOWN, Axis, gate_of
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.records import Batch
from electjax.data.tables import categories_of, counts_of, fault, has, need_columns, no_repeats


class Cells(NamedTuple):
    """The cells of a table, in order of the categories of the axes, the last axis fastest.

    Attributes:
        codes: categories of the cells, -1 where an axis does not apply, [c, d].
        row_cell: the cell of each row of the table.
    """

    codes: np.ndarray
    row_cell: np.ndarray


def read_cells(batch: Batch, roll: Roll, axes: Sequence[Axis]) -> tuple[np.ndarray, np.ndarray]:
    """Electors of each booth and cell, [i, c], and the cells' codes, [c, d]; they add up to the booths' electors."""
    need_columns(batch, "booth", *(axis.name for axis in axes if axis.categories), "n")
    known = {"booth", "constituency", "n", *(axis.name.casefold() for axis in axes)}
    for name in batch.names:
        if name.casefold() not in known:
            raise data_error(
                f"a column {name!r} that is no axis",
                where=batch.file,
                row=1,
                column=name,
                expected=f"booth, n and the axes {', '.join(axis.name for axis in axes)}",
                mend=f"{suggest(name, sorted(known))}; make it an axis, or add up over it and remove it",
            )
    booth = roll.rows_in(batch)
    size = counts_of(batch, "n")
    cells = table_cells(batch, axes, groups=booth)
    count = len(cells.codes)
    sizes = np.bincount(booth * count + cells.row_cell, weights=size, minlength=len(roll.labels) * count)
    sizes = np.rint(sizes).astype(np.int64).reshape(len(roll.labels), count)
    total = sizes.sum(axis=1)
    if (total != roll.electors).any():
        at = int((total != roll.electors).argmax())
        rows = batch.lines[booth == at]
        place = f"rows {rows.min()} to {rows.max()} of {batch.file}" if len(rows) else f"it has no row in {batch.file}"
        raise roll.fault(
            at,
            "electors",
            f"booth {roll.names[at]!r} has {roll.electors[at]} electors, its cells add up to {total[at]} ({place})"
            + (f"; {int((total != roll.electors).sum())} such booths" if (total != roll.electors).sum() > 1 else ""),
            expected="cells that add up to the electors",
            mend="correct the electors or the cells",
        )
    return sizes, cells.codes


def table_cells(batch: Batch, axes: Sequence[Axis], groups: np.ndarray | None = None) -> Cells:
    """The cells of a table that has a column for each axis.

    A category where its axis does not apply, such as a caste of a Muslim, is left out, with a warning: rows that then
    fall into one cell add up. The same row twice within a group is an error.
    """
    codes = np.full((len(batch.lines), len(axes)), UNKNOWN, np.int32)
    for d, axis in enumerate(axes):
        if axis.categories:
            codes[:, d] = categories_of(batch, axis)
        elif has(batch, axis.name):
            raise data_error(
                f"axis {axis.name!r} is scalar: a number of the candidate, nothing of a cell",
                where=batch.file,
                row=1,
                column=axis.name,
                expected="it in candidates.csv only",
                mend="remove the column, or give the axis categories",
            )
    given = _number(codes, axes)
    no_repeats(
        batch,
        given if groups is None else groups * np.int64(given.max(initial=0) + 1) + given,
        "booth" if has(batch, "booth") else axes[0].name,
        lambda row: f"cell {_said(codes[row], axes)}",
        "add the rows up",
    )
    gate = gate_of(codes, axes)
    for d, axis in enumerate(axes):
        blank = gate[:, d] & (codes[:, d] == UNKNOWN) & bool(axis.categories)
        if blank.any():
            raise fault(
                batch,
                int(blank.argmax()),
                axis.name,
                "the cell is blank" + "".join(f", where {p} is {c}" for p, c in axis.within or ()),
                expected=f"one of {', '.join(axis.categories)}",
                mend="fill it in, or add a category such as 'Unknown' to the axis",
            )
        idle = ~gate[:, d] & (codes[:, d] != UNKNOWN)
        if idle.any():
            inside = " and ".join(f"{p} {c}" for p, c in axis.within or ())
            data_warning(
                f"{axis.name} is given outside {inside} in {int(idle.sum())} row(s), the first is row"
                f" {batch.lines[idle.argmax()]}; it is left out there, since the axis is within {inside}",
                where=batch.file,
                column=axis.name,
            )
    codes = np.where(gate, codes, UNKNOWN)
    _, first, index = np.unique(_number(codes, axes), return_index=True, return_inverse=True)
    return Cells(codes[first], index)


def _number(codes: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """One number for each combination of categories, in their order."""
    numbers = np.zeros(len(codes), np.int64)
    for d, axis in enumerate(axes):
        numbers = numbers * (len(axis.categories) + 1) + codes[:, d] + 1
    return numbers


def _said(codes: np.ndarray, axes: Sequence[Axis]) -> str:
    return repr(" ".join(axis.categories[n] for n, axis in zip(codes.tolist(), axes, strict=True) if n >= 0))
