"""Cells of the booths: of cells.csv, or made of margins.csv, which has one axis at a time as electoral rolls do.

Margins become cells by iterative proportional fitting of many booths at once, and rounding to whole electors.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from electjax.calm.options import ReadOptions
from electjax.calm.readers.returns import Roll, ours
from electjax.data.axes import UNKNOWN, Axis, axis_names, codes_of, every_cell, gate_of
from electjax.data.categories import categories_of
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.numbers import parse_numbers
from electjax.data.rows import without_repeats, without_totals
from electjax.data.table import Table
from electjax.data.vocabulary import ignored


class Cells(NamedTuple):
    """The cells of a table, in order of the categories of the axes, the last axis fastest.

    Attributes:
        codes: categories of the cells, -1 where an axis does not apply, [c, d].
        row_cell: the cell of each row of the table.
    """

    codes: np.ndarray
    row_cell: np.ndarray


def read_cells(
    table: Table, roll: Roll, axes: Sequence[Axis], options: ReadOptions
) -> tuple[np.ndarray, np.ndarray, Table]:
    """Electors of each booth and cell, [i, c], and the cells' codes, [c, d]; they add up to the booths' electors."""
    table = ours(table, "booth", *(axis.name for axis in axes if axis.categories), "n", optional=("constituency",))
    table = roll.of_these(table)
    table = without_totals(table, [table.need("booth")], (), options.totals)
    table = without_repeats(table, options.repeated)
    known = {"booth", "constituency", "n", *(axis.name.casefold() for axis in axes)}
    for position, name in enumerate(table.names):
        if name.casefold() not in known:
            raise table.fault(
                f"a column {name!r} that is no axis",
                position=position,
                expected=f"booth, n and the axes {', '.join(axis.name for axis in axes)}",
                mend=f"{suggest(name, sorted(known))}; make it an axis, or add up over it and remove it",
            )
    booth = roll.rows_in(table)
    size = amounts_of(table)
    cells = table_cells(table, axes, groups=booth)
    count = len(cells.codes)
    sizes = np.bincount(booth * count + cells.row_cell, weights=size, minlength=len(roll.labels) * count)
    sizes = sizes.reshape(len(roll.labels), count)
    total = sizes.sum(axis=1)
    whole = bool((size % 1 == 0).all())
    off = np.abs(total - roll.electors) > (0 if whole else _UNMET)
    if options.rescale:
        off &= total == 0  # nobody cannot be scaled up to somebody

    def said(at: int) -> str:
        rows = table.lines[booth == at]
        place = f"rows {rows.min()} to {rows.max()} of {table.file}" if len(rows) else f"it has no row in {table.file}"
        found = f"booth {roll.names[at]!r} has {roll.electors[at]} electors, its cells add up to {total[at]:.10g}"
        return f"{found} ({place})" + (f"; {int(off.sum())} such booths" if off.sum() > 1 else "")

    mend = "correct the electors or the cells, or pass rescale=True to scale the cells"
    expected = "cells that add up to the electors"
    roll.table.refuse(off, roll.table.need("electors"), said, expected, mend)
    if not whole or (total != roll.electors).any():
        sizes = round_to_totals(sizes * (roll.electors / total)[:, None], roll.electors)
        scaled = int((np.abs(total - roll.electors) > _UNMET).sum())
        table = table.noted(
            "sizes of cells are rounded to whole electors"
            + (f", those of {scaled} booths first scaled to their electors" if scaled else "")
        )
    return np.rint(sizes).astype(np.int64), cells.codes, table


def amounts_of(table: Table) -> np.ndarray:
    """The column `n`: whole numbers, or where it has fractions, as frames for poststratification have, any from 0."""
    position = table.need("n")
    texts, style = table.compact().columns[position].texts, table.style
    as_counts, as_numbers = (
        parse_numbers(texts, whole=whole, thousands=style.thousands, suppressed=style.suppressed)
        for whole in (True, False)
    )
    if any(as_counts.faults) and not any(as_numbers.faults) and not (as_numbers.values < 0).any():
        return table.numbers(position, "a number of at least 0", low=0, blank=False)
    return table.counts(position).astype(float)


def table_cells(table: Table, axes: Sequence[Axis], groups: np.ndarray | None = None) -> Cells:
    """The cells of a table that has a column for each axis.

    A category where its axis does not apply, such as a caste of a Muslim, is left out, with a warning: rows that then
    fall into one cell add up. The same row twice within a group is an error.
    """
    codes = np.full((len(table), len(axes)), UNKNOWN, np.int32)
    key = np.zeros(len(table), np.int64) if groups is None else groups.astype(np.int64)
    size = int(key.max(initial=0)) + 1
    for d, axis in enumerate(axes):
        if axis.categories:
            found = categories_of(table, axis)
            codes[:, d], spelt = found
            more = int(spelt.max(initial=0)) + 2
            if size * more > 1 << 62:
                key = np.unique(key, return_inverse=True)[1]
                size = int(key.max(initial=0)) + 1
            key, size = key * more + spelt + 1, size * more
        elif table.has(axis.name):
            raise table.fault(
                f"axis {axis.name!r} is scalar: a number of the candidate, nothing of a cell",
                position=table.find(axis.name),
                expected="it in candidates.csv only",
                mend="remove the column, or give the axis categories",
            )
    place = table.find("booth") if table.has("booth") else table.find(*(axis.name for axis in axes))
    table.no_repeats(key, place or 0, lambda row: f"cell {_said(codes[row], axes)}", "add the rows up")
    gate = gate_of(codes, axes)
    for d, axis in enumerate(axes):
        blank = gate[:, d] & (codes[:, d] == UNKNOWN) & bool(axis.categories)
        said = "the cell is blank" + "".join(f", where {p} is {c}" for p, c in axis.within or ())
        mend = "fill it in, or add a category such as 'Unknown' to the axis"
        table.refuse(blank, table.find(axis.name), said, f"one of {', '.join(axis.categories)}", mend)
        idle = ~gate[:, d] & (codes[:, d] != UNKNOWN)
        if idle.any():
            inside = " and ".join(f"{p} {c}" for p, c in axis.within or ())
            data_warning(
                f"{axis.name} is given outside {inside} in {int(idle.sum())} row(s), the first is row"
                f" {table.lines[idle.argmax()]}; it is left out there, since the axis is within {inside}",
                where=table.file,
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
    table: Table, roll: Roll, axes: Sequence[Axis], *, joint: Table | None, options: ReadOptions
) -> tuple[np.ndarray, np.ndarray, Table]:
    """Electors of each booth and cell, [i, c], and the cells' codes, [c, d], by iterative proportional fitting.

    Args:
        table: the margins.
        axes: all of them need margins, unless `joint` tells how an axis goes with the others.
        joint: a column for each axis, and `n`, a weight of at least 0; cells that are not in it are empty.

    Raises:
        ElectionDataError: margins that do not add up, or that no table with the zeros of `joint` has.

    Warns:
        ElectionDataWarning: once, to say what was assumed.
    """
    table = roll.of_these(ours(table, "booth", "axis", "category", "n", optional=("constituency",)))
    table = without_totals(table, [table.need("booth"), table.need("category")], (), options.totals)
    table = without_repeats(table, options.repeated)
    targets, first = _targets(table, roll, axes, options.rescale)
    lacking = [axis.name for axis, target in zip(axes, targets, strict=True) if target is None and axis.categories]
    if lacking and joint is None:
        raise data_error(
            f"no margins of {', '.join(lacking)}",
            where=table.file,
            expected="margins of every axis",
            mend="add them, add joint.csv, or pass axes without it",
        )
    codes, seed = _seed(joint, axes)
    # A nested axis that does not apply has a category of its own here, the last.
    columns = np.where(codes < 0, [len(axis.categories) for axis in axes], codes)
    raked = rake(targets, columns, seed=seed, tolerance=1e-4)
    at = int(raked.gap.argmax())
    if raked.gap[at] > _UNMET:
        raise table.fault(
            f"no cells have the margins of booth {roll.names[at]!r}: {raked.gap[at]:.4g} electors are left over",
            int(first[at]),
            expected="margins that the cells with a weight can have",
            mend="correct the margins" + (f", or give more cells a weight in {joint.file}" if joint else ""),
        )
    totals = raked.table.sum(axis=1, keepdims=True)
    sizes = round_to_totals(raked.table * (roll.electors[:, None] / totals), roll.electors)
    given = [axis.name for axis, target in zip(axes, targets, strict=True) if target is not None]
    assumed = f"their odds ratios as in {joint.file}" if joint else "independent of each other within a booth"
    data_warning(
        f"the file has margins only: the cells of {len(sizes)} booth(s) are made of them by iterative proportional"
        f" fitting, with {', '.join(given)} {assumed}, and rounded to whole electors (a margin of a booth is off by"
        f" {_off(sizes, targets, columns):.2g} on average)",
        where=table.file,
    )
    used = [table.need(name) for name in ("booth", "axis", "category", "n")] + [table.find("constituency") or 0]
    return sizes, codes, table.noted(*ignored(table, used))


def _targets(
    table: Table, roll: Roll, axes: Sequence[Axis], rescale: bool
) -> tuple[list[np.ndarray | None], np.ndarray]:
    """Margins of each axis, [i, l_d + 1], the last for "does not apply"; and the first row of each booth."""
    booth, count = roll.rows_in(table), amounts_of(table)
    near_by = 0 if (count % 1 == 0).all() else _UNMET
    named = {axis.name: d for d, axis in enumerate(axes) if axis.categories}
    of = table.look_up(table.need("axis"), named, "axis", "the configuration")
    position = table.need("category")
    column = table.columns[position]
    mend = "remove the row: who has no category of a nested axis follows from the axis it is within"
    table.refuse(column.blank, position, "the cell is blank", "a category of the axis", mend)
    code, spelt = np.zeros((2, len(booth)), np.int64)
    for d in named.values():
        rows = of == d
        found = categories_of(table, axes[d], position=position, rows=rows)
        code[rows], spelt[rows] = found.codes[rows], found.spelt[rows]
    most = int(spelt.max(initial=0)) + 1
    table.no_repeats(
        (booth * len(axes) + of) * most + spelt,
        position,
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
        target = np.zeros((len(roll.labels), len(axes[d].categories) + 1))
        np.add.at(target, (booth[rows], code[rows]), count[rows])
        total_given = target.sum(axis=1)
        total, said = _applies(axes, d, targets, roll, total_given)
        off = np.abs(total_given - total) > near_by
        # Nobody cannot be scaled up to somebody.
        for at in np.flatnonzero(off & ((total_given == 0) | (not rescale)))[:1]:
            own = np.flatnonzero(rows & (booth == at))
            more = f"; {int(off.sum())} such booths" if off.sum() > 1 else ""
            raise table.fault(
                f"{name} of booth {roll.names[at]!r} adds up to {total_given[at]:.10g}, {said} are {total[at]:.10g}"
                + more,
                int(own[0]) if len(own) else int(first[at]),
                table.need("n"),
                expected="margins that add up",
                mend="correct them, or pass rescale=True to scale them",
            )
        target *= np.divide(total, total_given, out=np.zeros(len(target)), where=total_given > 0)[:, None]
        target[:, -1] = roll.electors - target.sum(axis=1)
        targets[d] = target
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


def _seed(joint: Table | None, axes: Sequence[Axis]) -> tuple[np.ndarray, np.ndarray]:
    """Cells [c, d] and their weights [c]: all possible ones alike, or those of a joint table."""
    if joint is None:
        codes = codes_of(every_cell(axes), axes)
        return codes, np.ones(len(codes))
    joint = ours(joint, *(axis.name for axis in axes if axis.categories), "n")
    position = joint.need("n")
    weight = joint.numbers(position, "a weight of at least 0")
    expected, mend = "weights of at least 0, not all 0", "correct the cell"
    joint.refuse(~(weight >= 0), position, lambda row: f"found {weight[row]:g}", expected, mend)
    joint.refuse(np.full(len(weight), not weight.sum() > 0), position, "all weights are 0", expected, mend)
    cells = table_cells(joint, axes)
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
