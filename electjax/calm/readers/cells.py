"""Cells of the booths: of cells.csv, or made of margins.csv, which has one axis at a time as electoral rolls do.

Margins become cells by iterative proportional fitting of many booths at once, and rounding to whole electors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from electjax.calm.readers.returns import Roll
from electjax.data import tables
from electjax.data.axes import UNKNOWN, Axis, axis_names, codes_of, every_cell, gate_of
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.records import Batch


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
    tables.need_columns(batch, "booth", *(axis.name for axis in axes if axis.categories), "n")
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
    size = tables.counts_of(batch, "n")
    cells = table_cells(batch, axes, groups=booth)
    count = len(cells.codes)
    sizes = np.bincount(booth * count + cells.row_cell, weights=size, minlength=len(roll.labels) * count)
    sizes = np.rint(sizes).astype(np.int64).reshape(len(roll.labels), count)
    total = sizes.sum(axis=1)
    off = total != roll.electors

    def said(at: int) -> str:
        rows = batch.lines[booth == at]
        place = f"rows {rows.min()} to {rows.max()} of {batch.file}" if len(rows) else f"it has no row in {batch.file}"
        found = f"booth {roll.names[at]!r} has {roll.electors[at]} electors, its cells add up to {total[at]} ({place})"
        return found + (f"; {int(off.sum())} such booths" if off.sum() > 1 else "")

    mend = "correct the electors or the cells"
    tables.refuse(roll.batch, off, "electors", said, "cells that add up to the electors", mend)
    return sizes, cells.codes


def table_cells(batch: Batch, axes: Sequence[Axis], groups: np.ndarray | None = None) -> Cells:
    """The cells of a table that has a column for each axis.

    A category where its axis does not apply, such as a caste of a Muslim, is left out, with a warning: rows that then
    fall into one cell add up. The same row twice within a group is an error.
    """
    codes = np.full((len(batch.lines), len(axes)), UNKNOWN, np.int32)
    for d, axis in enumerate(axes):
        if axis.categories:
            codes[:, d] = tables.categories_of(batch, axis)
        elif tables.has(batch, axis.name):
            raise data_error(
                f"axis {axis.name!r} is scalar: a number of the candidate, nothing of a cell",
                where=batch.file,
                row=1,
                column=axis.name,
                expected="it in candidates.csv only",
                mend="remove the column, or give the axis categories",
            )
    given = _number(codes, axes)
    tables.no_repeats(
        batch,
        given if groups is None else groups * np.int64(given.max(initial=0) + 1) + given,
        "booth" if tables.has(batch, "booth") else axes[0].name,
        lambda row: f"cell {_said(codes[row], axes)}",
        "add the rows up",
    )
    gate = gate_of(codes, axes)
    for d, axis in enumerate(axes):
        blank = gate[:, d] & (codes[:, d] == UNKNOWN) & bool(axis.categories)
        said = "the cell is blank" + "".join(f", where {p} is {c}" for p, c in axis.within or ())
        mend = "fill it in, or add a category such as 'Unknown' to the axis"
        tables.refuse(batch, blank, axis.name, said, f"one of {', '.join(axis.categories)}", mend)
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


_UNMET = 0.5  # electors: what rounding moves anyway
MAX_SWEEPS = 1000  # of iterative proportional fitting; `Raked.gap` says how far off the margins then are


def read_margins(
    batch: Batch, roll: Roll, axes: Sequence[Axis], *, joint: Path | None, rescale: bool, encoding: str
) -> tuple[np.ndarray, np.ndarray]:
    """Electors of each booth and cell, [i, c], and the cells' codes, [c, d], by iterative proportional fitting.

    Args:
        axes: all of them need margins, unless `joint` tells how an axis goes with the others.
        joint: joint.csv: a column for each axis, and `n`, a weight of at least 0; cells that are not in it are empty.
        rescale, encoding: options of `calm.read`.

    Raises:
        ElectionDataError: margins that do not add up, or that no table with the zeros of joint.csv has.

    Warns:
        ElectionDataWarning: once, to say what was assumed.
    """
    targets, first = _targets(batch, roll, axes, rescale)
    lacking = [axis.name for axis, target in zip(axes, targets, strict=True) if target is None and axis.categories]
    if lacking and joint is None:
        raise data_error(
            f"no margins of {', '.join(lacking)}",
            where=batch.file,
            expected="margins of every axis",
            mend="add them, add joint.csv, or pass axes without it",
        )
    codes, seed = _seed(joint, axes, encoding)
    # A nested axis that does not apply has a category of its own here, the last.
    columns = np.where(codes < 0, [len(axis.categories) for axis in axes], codes)
    raked = rake(targets, columns, seed=seed, tolerance=1e-4)
    at = int(raked.gap.argmax())
    if raked.gap[at] > _UNMET:
        raise batch.fault(
            f"no cells have the margins of booth {roll.names[at]!r}: {raked.gap[at]:.4g} electors are left over",
            int(first[at]),
            expected="margins that the cells with a weight can have",
            mend="correct the margins" + (f", or give more cells a weight in {joint.name}" if joint else ""),
        )
    totals = raked.table.sum(axis=1, keepdims=True)
    sizes = round_to_totals(raked.table * (roll.electors[:, None] / totals), roll.electors)
    given = [axis.name for axis, target in zip(axes, targets, strict=True) if target is not None]
    assumed = f"their odds ratios as in {joint.name}" if joint else "independent of each other within a booth"
    data_warning(
        f"the file has margins only: the cells of {len(sizes)} booth(s) are made of them by iterative proportional"
        f" fitting, with {', '.join(given)} {assumed}, and rounded to whole electors (a margin of a booth is off by"
        f" {_off(sizes, targets, columns):.2g} on average)",
        where=batch.file,
    )
    return sizes, codes


def _targets(
    batch: Batch, roll: Roll, axes: Sequence[Axis], rescale: bool
) -> tuple[list[np.ndarray | None], np.ndarray]:
    """Margins of each axis, [i, l_d + 1], the last for "does not apply"; and the first row of each booth."""
    tables.need_columns(batch, "booth", "axis", "category", "n")
    booth, count = roll.rows_in(batch), tables.counts_of(batch, "n")
    named = {axis.name: d for d, axis in enumerate(axes) if axis.categories}
    of = tables.look_up(batch, "axis", named, "axis", "the configuration")
    column = tables.column_of(batch, "category")
    mend = "remove the row: who has no category of a nested axis follows from the axis it is within"
    tables.refuse(batch, column.blank, "category", "the cell is blank", "a category of the axis", mend)
    code = np.zeros(len(booth), np.int64)
    for d in named.values():
        rows = of == d
        code[rows] = tables.category_codes(batch, "category", column, axes[d], rows)[rows]
    most = max(len(axis.categories) for axis in axes)
    tables.no_repeats(
        batch,
        (booth * len(axes) + of) * most + code,
        "category",
        lambda row: f"{axes[of[row]].name} {axes[of[row]].categories[code[row]]!r} of booth {roll.names[booth[row]]!r}",
        "add the rows up",
    )
    first = np.zeros(len(roll.labels), np.int64)
    first[booth[::-1]] = np.arange(len(booth))[::-1]
    targets: list[np.ndarray | None] = [None] * len(axes)
    for name, d in named.items():
        rows = of == d
        if not rows.any():
            continue
        table = np.zeros((len(roll.labels), len(axes[d].categories) + 1))
        table[booth[rows], code[rows]] = count[rows]
        found = table.sum(axis=1)
        total, said = _applies(axes, d, targets, roll, found)
        off = found != total
        for at in np.flatnonzero(off & ((found == 0) | (not rescale)))[:1]:  # nobody cannot be scaled up to somebody
            own = np.flatnonzero(rows & (booth == at))
            more = f"; {int(off.sum())} such booths" if off.sum() > 1 else ""
            raise batch.fault(
                f"{name} of booth {roll.names[at]!r} adds up to {found[at]:g}, {said} are {total[at]:g}{more}",
                int(own[0]) if len(own) else int(first[at]),
                batch.find("n", "n"),
                expected="margins that add up",
                mend="correct them, or pass rescale=True to scale them",
            )
        table *= np.divide(total, found, out=np.zeros(len(table)), where=found > 0)[:, None]
        table[:, -1] = roll.electors - table.sum(axis=1)
        targets[d] = table
    return targets, first


def _applies(
    axes: Sequence[Axis], d: int, targets: Sequence[np.ndarray | None], roll: Roll, found: np.ndarray
) -> tuple[np.ndarray, str]:
    """To how many electors of each booth an axis applies, and who they are; as many as found, if margins do not say."""
    within = axes[d].within
    if not within:
        return roll.electors.astype(float), "the electors"
    parent, category = within[-1]
    p = axis_names(axes).index(parent)
    target = targets[p]
    if len(within) > 1 or target is None:
        return np.minimum(found, roll.electors), "the electors"
    return target[:, axes[p].categories.index(category)], f"those with {parent} {category}"


def _seed(joint: Path | None, axes: Sequence[Axis], encoding: str) -> tuple[np.ndarray, np.ndarray]:
    """Cells [c, d] and their weights [c]: all possible ones alike, or those of joint.csv."""
    if joint is None:
        codes = codes_of(every_cell(axes), axes)
        return codes, np.ones(len(codes))
    batch = tables.read_table(joint, encoding)
    tables.need_columns(batch, *(axis.name for axis in axes if axis.categories), "n")
    weight = tables.numbers_of(batch, "n", "a weight of at least 0")
    expected, mend = "weights of at least 0, not all 0", "correct the cell"
    tables.refuse(batch, ~(weight >= 0), "n", lambda row: f"found {weight[row]:g}", expected, mend)
    tables.refuse(batch, np.full(len(weight), not weight.sum() > 0), "n", "all weights are 0", expected, mend)
    cells = table_cells(batch, axes)
    return cells.codes, np.bincount(cells.row_cell, weights=weight, minlength=len(cells.codes))


def _off(sizes: np.ndarray, targets: Sequence[np.ndarray | None], columns: np.ndarray) -> float:
    """Mean distance of the margins of the rounded cells from those given, in electors."""
    gaps = [
        np.abs(sizes @ np.eye(target.shape[1])[columns[:, d]] - target)[:, : target.shape[1] - 1].ravel()
        for d, target in enumerate(targets)
        if target is not None
    ]
    return float(np.concatenate(gaps).mean())


class Raked(NamedTuple):
    """Tables that have the margins asked for.

    Attributes:
        table: expected electors, [i, c].
        gap: largest difference to a margin that remains in a booth, in electors, [i].
        sweeps: over all axes, of the booths that needed most.
    """

    table: np.ndarray
    gap: np.ndarray
    sweeps: int


def rake(
    targets: Sequence[np.ndarray | None],
    codes: np.ndarray,
    *,
    seed: np.ndarray | None = None,
    tolerance: float = 1e-6,
    chunk: int = 1024,
) -> Raked:
    """Scale a seed until its margins are the given ones: iterative proportional fitting (Deming and Stephan 1940).

    The result is the table of those margins that is nearest to the seed in Kullback-Leibler divergence: it keeps the
    seed's odds ratios, and cells that are 0 there stay 0. With the default seed and margins of one axis each, axes
    are independent within a booth.

    Args:
        targets: margins of each axis, [i, l_d]; None for an axis that is left as it comes. The margins of a booth
            have one sum on all axes.
        codes: column of targets[d] that a cell belongs to, [c, d].
        seed: weights of cells, at least 0, [c] or [i, c]. Default: 1 each.
        tolerance: margins are met when all are within this many electors.
        chunk: booths that are fitted together; they stop together too.
    """
    codes = np.asarray(codes)
    given = [(d, np.asarray(target, float)) for d, target in enumerate(targets) if target is not None]
    count = len(given[0][1])
    start = np.broadcast_to(np.ones(len(codes)) if seed is None else np.asarray(seed, float), (count, len(codes)))
    member = [(np.eye(target.shape[1])[codes[:, d]], target) for d, target in given]
    table = np.empty((count, len(codes)))
    gap = np.empty(count)
    most = 0
    for first in range(0, count, chunk):
        part = slice(first, first + chunk)
        table[part], gap[part], sweeps = _sweep(
            start[part].copy(), [(m, target[part]) for m, target in member], tolerance
        )
        most = max(most, sweeps)
    return Raked(table, gap, most)


def round_to_totals(table: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Round the tables of booths to integers that keep each booth's total, by largest remainders carried along.

    Every entry is rounded down or up, and 0 stays 0. Who is rounded up are the largest remainders, to each of which
    is added what the cell lost in the booths before: a group of a third of an elector in every booth has an elector
    in every third booth, where remainders alone would leave it out everywhere. Tables are [i, c], and add up to the
    totals, [i].
    """
    whole = np.floor(table)
    remainder = table - whole
    rounded = whole.astype(np.int64)
    missing = np.asarray(totals, np.int64) - rounded.sum(axis=1)
    lost = np.zeros(table.shape[1])
    for booth, short in enumerate(missing.tolist()):
        owed = lost + remainder[booth]
        if short > 0:
            ranked = np.argsort(np.where(remainder[booth] > 0, -owed, np.inf), kind="stable")
            rounded[booth, ranked[:short]] += 1
            owed[ranked[:short]] -= 1
        lost = owed
    return rounded


def _sweep(
    table: np.ndarray, member: Sequence[tuple[np.ndarray, np.ndarray]], tolerance: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Scale to one axis after the other until the margins of all are met."""
    for sweep in range(1, MAX_SWEEPS + 1):
        gap = np.zeros(len(table))
        for belongs, target in member:
            margin = table @ belongs
            # Before the first scaling all axes are off, so that the gap of the sweep before counts.
            np.maximum(gap, np.abs(margin - target).max(axis=1), out=gap)
            table *= np.divide(target, margin, out=np.zeros_like(margin), where=margin > 0) @ belongs.T
        if gap.max(initial=0.0) <= tolerance:
            return table, gap, sweep
    gaps = [np.abs(table @ belongs - target).max(axis=1) for belongs, target in member]
    return table, np.max(gaps, axis=0), MAX_SWEEPS
