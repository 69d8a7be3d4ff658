"""Units to arrays, with the labels that stay outside."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.axes import axes_of, codes_of, gate_of, kernel_arrays, rho_of
from electjax.ecological.keys import Keys, pooling_keys
from electjax.ecological.model.data import Blocks, Contests, block_places, in_blocks
from electjax.ecological.schema import contest_index, notes_of, place, validate

Features = list[tuple[str, np.ndarray]]


class Encoded(NamedTuple):
    """Units as arrays.

    Attributes:
        blocks, contests: what a fit computes with.
        keys: of rows and columns.
        pairs: the pooled keys of a row and a column, in the order of `contests.pair`.
        features: names of the features of cells.
        row_total, column_total: votes of each contest's options, [D, R] and [D, C].
        block, place: where each unit is in `blocks`, [N] each.
        notes: what reader and codec did, in sentences.
    """

    blocks: Blocks
    contests: Contests
    keys: Keys
    pairs: tuple[tuple[str, str], ...]
    features: tuple[str, ...]
    row_total: np.ndarray
    column_total: np.ndarray
    block: np.ndarray
    place: np.ndarray
    notes: list[str]


def encode_units(units: xr.Dataset, *, size: int = 16, checked: bool = False) -> Encoded:
    """Check units and turn them into arrays.

    Features of cells, each with mean 0 and standard deviation 1 over the cells where it is known, weighted by the
    votes they would have if rows and columns were independent, and 0 elsewhere:

    - `affinity[religion]`: how near row and column are on an axis of traits (the axis' kernel; 0 where unknown);
    - `column[incumbent]`: a covariate of columns, the same in all rows;
    - `row[age] x Labour`: a covariate of rows, in the columns with that key.

    Args:
        units: as `ecological.read` makes them.
        size: of blocks of units.
        checked: they passed `ecological.validate` before.

    Raises:
        ElectionDataError: invalid units.
    """
    data = units if checked else validate(units)
    of = contest_index(data)
    row_here, column_here = (data[f"{side}_name"].values != "" for side in ("row", "column"))
    rows, columns = (data[f"{side}_margin"].values.astype(np.float64) for side in ("row", "column"))
    row_total, column_total = _summed(rows, of, len(row_here)), _summed(columns, of, len(row_here))
    keys = pooling_keys(data)
    pair, pairs = _pairs(keys, row_here, column_here)
    weight = row_total[:, :, None] * column_total[:, None, :] / row_total.sum(axis=1)[:, None, None]
    features, notes = _features(data, keys, row_here[:, :, None] & column_here[:, None, :], weight)
    contests = Contests(
        row_here=row_here,
        column_here=column_here,
        mix=row_total / row_total.sum(axis=1, keepdims=True),
        pair=pair,
        kind=keys.kind,
        features=np.moveaxis(np.array([v for _, v in features]).reshape(-1, *pair.shape), 0, -1),
    )
    spot, block, _ = block_places(of, size=size)
    return Encoded(
        blocks=in_blocks(rows, columns, of, size=size),
        contests=contests,
        keys=keys,
        pairs=pairs,
        features=tuple(name for name, _ in features),
        row_total=row_total,
        column_total=column_total,
        block=block,
        place=spot,
        notes=[*notes_of(data), *keys.notes, *notes],
    )


def _pairs(keys: Keys, row_here: np.ndarray, column_here: np.ndarray) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    """Index of each cell's pair of pooled keys, 0 in padding, and the pairs that some contest has."""
    row, row_keys = _coded(keys.row_pooled, row_here)
    column, column_keys = _coded(keys.column_pooled, column_here)
    code = row[:, :, None] * len(column_keys) + column[:, None, :]
    here = row_here[:, :, None] & column_here[:, None, :]
    known, index = np.unique(code[here], return_inverse=True)
    pair = np.zeros(code.shape, np.int64)
    pair[here] = index
    return pair, tuple((row_keys[n // len(column_keys)], column_keys[n % len(column_keys)]) for n in known.tolist())


def _coded(keys: list[list[str]], here: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Number of each option's key, in order of appearance, and the keys."""
    labels = list(dict.fromkeys(key for own in keys for key in own))
    number = {label: n for n, label in enumerate(labels)}
    codes = np.zeros(here.shape, np.int64)
    codes[here] = [number[key] for own in keys for key in own]
    return codes, labels


def _features(data: xr.Dataset, keys: Keys, here: np.ndarray, weight: np.ndarray) -> tuple[Features, list[str]]:
    """Standardised features of cells, and notes on those that say nothing."""
    raw = [*_affinities(data, here), *_of_columns(data, here), *_of_rows(data, keys, here)]
    found, silent = [], []
    for name, values in raw:
        scaled = _standardised(values, weight)
        if scaled is None:
            silent.append(name)
        else:
            found.append((name, scaled))
    return found, [f"left out, the same in all cells: {', '.join(silent)}"] if silent else []


def _affinities(data: xr.Dataset, here: np.ndarray) -> Features:
    """Proximity of rows and columns on each axis, 0 where the axis does not apply or a trait is unknown."""
    if "row_category" not in data or "column_category" not in data:
        return []
    axes = axes_of(data.attrs.get("axes"))
    row, column = (codes_of(data[f"{s}_category"].values, axes, where=place(data)) for s in ("row", "column"))
    applies = [gate_of(codes, axes) & (codes >= 0) for codes in (row, column)]
    kernels, rho = kernel_arrays(axes), rho_of(axes)
    found = []
    for a, axis in enumerate(axes):
        near = (kernels.fixed[a] + rho[a] * kernels.band[a])[row[:, :, None, a], column[:, None, :, a]]
        both = applies[0][:, :, None, a] & applies[1][:, None, :, a]
        found.append((f"affinity[{axis.name}]", np.where(here, np.where(both, near, 0.0), np.nan)))
    return found


def _of_columns(data: xr.Dataset, here: np.ndarray) -> Features:
    if "column_covariate" not in data:
        return []
    values = np.moveaxis(data["column_covariate"].values, -1, 0)
    names = data["column_variable"].values.tolist()
    return [(f"column[{name}]", np.where(here, v[:, None, :], np.nan)) for name, v in zip(names, values, strict=True)]


def _of_rows(data: xr.Dataset, keys: Keys, here: np.ndarray) -> Features:
    """Covariates of rows, for each key of columns in its cells only: the same in all columns they would cancel."""
    if "row_covariate" not in data:
        return []
    values = np.moveaxis(data["row_covariate"].values, -1, 0)
    key, labels = _coded(keys.column_pooled, data["column_name"].values != "")
    return [
        (f"row[{name}] x {label}", np.where(here & (key == n)[:, None, :], v[:, :, None], np.nan))
        for name, v in zip(data["row_variable"].values.tolist(), values, strict=True)
        for n, label in enumerate(labels)
    ]


def _standardised(values: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """Values with weighted mean 0 and standard deviation 1 where they are known, else 0; None if they do not vary."""
    known = np.isfinite(values)
    share = np.where(known, weight, 0.0)
    if not share.sum():
        return None
    share, filled = share / share.sum(), np.where(known, values, 0.0)
    mean = (share * filled).sum()
    off = np.where(known, filled - mean, 0.0)
    sd = np.sqrt((share * off**2).sum())
    return off / sd if sd > 1e-9 * max(abs(mean), np.abs(filled).max()) else None


def _summed(values: np.ndarray, of: np.ndarray, contests: int) -> np.ndarray:
    """Sums over the units of each contest."""
    total = np.zeros((contests, values.shape[1]))
    np.add.at(total, of, values)
    return total
