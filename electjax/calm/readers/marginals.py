"""margins.csv: electors of each booth by one axis at a time, as electoral rolls give them, and cells made of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from electjax.calm.raking import rake, round_to_totals
from electjax.calm.readers.cells import table_cells
from electjax.calm.readers.roll import Roll
from electjax.data.axes import Axis, axis_names, codes_of, every_cell
from electjax.data.errors import data_error, data_warning
from electjax.data.records import Batch
from electjax.data.tables import (
    category_codes,
    column_of,
    counts_of,
    fault,
    look_up,
    need_columns,
    no_repeats,
    numbers_of,
    read_table,
)

_UNMET = 0.5  # electors: what rounding moves anyway


def read_margins(
    batch: Batch, roll: Roll, axes: Sequence[Axis], *, joint: Path | None, rescale: bool, encoding: str
) -> tuple[np.ndarray, np.ndarray]:
    """Electors of each booth and cell, [i, c], and the cells' codes, [c, d], by iterative proportional fitting.

    Args:
        batch: margins.csv: booth, axis, category, n.
        roll: the booths.
        axes: all of them need margins, unless `joint` tells how an axis goes with the others.
        joint: joint.csv: a column for each axis, and `n`, a weight of at least 0; cells that are not in it are empty.
        rescale: margins that do not add up to the electors are scaled.
        encoding: of joint.csv.

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
    if (raked.gap > _UNMET).any():
        at = int(raked.gap.argmax())
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
    need_columns(batch, "booth", "axis", "category", "n")
    booth, count = roll.rows_in(batch), counts_of(batch, "n")
    named = {axis.name: d for d, axis in enumerate(axes) if axis.categories}
    of = look_up(batch, "axis", named, "axis", "the configuration")
    blank = column_of(batch, "category").blank
    if blank.any():
        raise fault(
            batch,
            int(blank.argmax()),
            "category",
            "the cell is blank",
            expected="a category of the axis",
            mend="remove the row: who has no category of a nested axis follows from the axis it is within",
        )
    code = np.zeros(len(booth), np.int64)
    for d in named.values():
        rows = of == d
        code[rows] = category_codes(batch, "category", column_of(batch, "category"), axes[d], rows)[rows]
    most = max(len(axis.categories) for axis in axes)
    no_repeats(
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
    batch = read_table(joint, encoding)
    need_columns(batch, *(axis.name for axis in axes if axis.categories), "n")
    weight = numbers_of(batch, "n", "a weight of at least 0")
    bad = ~(weight >= 0)
    if bad.any() or not weight.sum() > 0:
        row = int(bad.argmax())
        problem = f"found {weight[row]:g}" if bad.any() else "all weights are 0"
        raise fault(batch, row, "n", problem, expected="weights of at least 0, not all 0", mend="correct the cell")
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
