"""Units to arrays, with the labels that stay outside; and what was estimated back to a labelled Dataset."""

import json
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.axes import axes_of, codes_of, gate_of, kernel_arrays, proximity_of
from electjax.data.finished import finished
from electjax.data.labels import strings
from electjax.data.notes import notes_of, notes_text
from electjax.data.options import as_json
from electjax.data.schema import conform, place_of
from electjax.ecological.keys import Keys, pooling_keys
from electjax.ecological.model.data import KINDS, Blocks, Contests, block_places, in_blocks
from electjax.ecological.model.estimate import Tables
from electjax.ecological.options import LEVELS, EstimateOptions
from electjax.ecological.schema import ESTIMATE, TABLE, UNITS, contest_index, validate
from electjax.ecological.verbs.coverage import coverage
from electjax.ecological.verdict import about, judge

CAVEAT = (
    "the context exponent of {context:g} is an assumption that margins cannot check; "
    "see the tables at other exponents, and calibrate_context for contests like these whose tables were counted"
)
_KEPT = ("row_margin", "column_margin", "truth")

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
    row, column = (codes_of(data[f"{s}_category"].values, axes, where=place_of(data, UNITS)) for s in ("row", "column"))
    applies = [gate_of(codes, axes) & (codes >= 0) for codes in (row, column)]
    kernels, proximity = kernel_arrays(axes), proximity_of(axes)
    found = []
    for a, axis in enumerate(axes):
        near = (kernels.fixed[a] + proximity[a] * kernels.band[a])[row[:, :, None, a], column[:, None, :, a]]
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


def decode_estimate(tables: Tables, units: xr.Dataset, code: Encoded, options: EstimateOptions) -> xr.Dataset:
    """The result of `ecological.estimate`."""
    here = _here(code)
    found = tables.found
    notes = [*code.notes, CAVEAT.format(context=options.context)]
    result = _begun(tables.contests, tables.bounds, units, code, options, notes)
    of, own = np.asarray(code.blocks.contest)[code.block], np.asarray(tables.units)[code.block, code.place]
    result["unit_cells"] = (("unit", "row", "column"), np.where(here[of], own, np.nan))
    contexts = sorted({options.context, *tables.others})
    every = np.stack([tables.contests if b == options.context else tables.others[b] for b in contexts])
    result = result.assign_coords(context=contexts)
    result["cells_by_context"] = (("context", *TABLE), np.where(here, every, np.nan))
    result["correlation"] = ("contest", 1.0 / (1.0 + np.exp(-np.asarray(found.rho))))
    result = _with_pooled(result, tables, code, options)
    if len(tables.draws):
        result["draws"] = (("draw", *TABLE), np.where(here, tables.draws, np.nan).astype(np.float32))
        total = np.where(code.row_total > 0, code.row_total, np.nan)[:, :, None]
        for name, side in (("share_low", -1.0), ("share_high", 1.0)):
            levels = [np.quantile(tables.draws, 0.5 + side * level / 2, axis=0) / total for level in LEVELS]
            result[name] = (("level", *TABLE), np.where(here, np.stack(levels), np.nan))
        result = result.assign_coords(level=list(LEVELS))
    result.attrs |= {
        "context": options.context,
        "context_sd": options.context_sd,
        "steps": found.steps,
        "converged": int(found.converged),
        "stopped": json.dumps(tables.stopped),
        "log_posterior": -found.value,
    }
    return _finished(result)


def decode_baseline(
    table: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], units: xr.Dataset, code: Encoded, options: EstimateOptions
) -> xr.Dataset:
    """The result of a baseline: a table without uncertainty."""
    return _finished(_begun(table, bounds, units, code, options, list(code.notes)))


def _begun(
    table: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    units: xr.Dataset,
    code: Encoded,
    options: EstimateOptions,
    notes: list[str],
) -> xr.Dataset:
    here = _here(code)
    result = units.drop_vars([name for name in units.data_vars if name not in _KEPT])
    result = result.drop_vars("unit_variable", errors="ignore")
    total = np.where(code.row_total > 0, code.row_total, np.nan)[:, :, None]
    for name, values in (
        ("cells", table),
        ("bound_low", bounds[0]),
        ("bound_high", bounds[1]),
        ("share", table / total),
    ):
        result[name] = (TABLE, np.where(here, values, np.nan))
    for side, keys in (("row", code.keys.row), ("column", code.keys.column)):
        padded = [own + [""] * (result.sizes[side] - len(own)) for own in keys]
        result = result.assign_coords({f"{side}_pooled": (("contest", side), np.array(padded, dtype=np.str_))})
    kept = ("name", "source", "rows", "merge_below")
    result.attrs = {key: units.attrs[key] for key in kept if key in units.attrs} | {
        "method": options.method,
        "options": as_json(options),
        "seed": options.seed,
        "notes": notes_text(notes) or "[]",
    }
    return result


def _finished(result: xr.Dataset) -> xr.Dataset:
    checked = conform(with_checks(result), ESTIMATE)
    return finished(checked, about=about(checked), verdict=judge(checked))


def _with_pooled(result: xr.Dataset, tables: Tables, code: Encoded, options: EstimateOptions) -> xr.Dataset:
    """What contests share: mean logits of kinds of cells, deviations of pairs, effects of features."""
    shared = np.asarray(tables.found.point.shared)
    kinds, pairs = len(KINDS), len(code.pairs)
    result = result.assign_coords(kind=list(KINDS))
    there = [(np.asarray(code.contests.kind)[_here(code)] == k).any() for k in range(kinds)]
    result["kind_logit"] = ("kind", np.where(there, shared[:kinds], np.nan))
    row_keys, column_keys = (list(dict.fromkeys(pair[side] for pair in code.pairs)) for side in (0, 1))
    logit = np.full((len(row_keys), len(column_keys)), np.nan)
    for (row, column), value in zip(code.pairs, shared[kinds : kinds + pairs], strict=True):
        logit[row_keys.index(row), column_keys.index(column)] = value
    result = result.assign_coords(row_key=strings(row_keys), column_key=strings(column_keys))
    result["pair_logit"] = (("row_key", "column_key"), logit)
    if code.features and options.affinity:
        result = result.assign_coords(feature=strings(list(code.features)))
        result["feature_effect"] = ("feature", shared[kinds + pairs : -1])
        if len(tables.shared_sd):
            result["feature_effect_se"] = ("feature", tables.shared_sd[kinds + pairs : -1])
    return result


def _here(code: Encoded) -> np.ndarray:
    return np.asarray(code.contests.row_here)[:, :, None] & np.asarray(code.contests.column_here)[:, None, :]


def error_index(cells: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """EI = 50 sum |n - n_hat| / sum n of tables [..., R, C], in %; cells that are NaN in both count nothing."""
    return np.asarray(50.0 * np.nansum(np.abs(truth - cells), axis=(-2, -1)) / np.nansum(truth, axis=(-2, -1)))


def with_checks(result: xr.Dataset) -> xr.Dataset:
    """Add the errors to a result whose truth is known, and to its attributes how they are on average."""
    if "truth" not in result or not result["truth"].notnull().any():
        return result
    known = result["truth"].notnull().any(("row", "column")).values
    truth = result["truth"].transpose(*TABLE).values
    error = np.full(len(known), np.nan)
    error[known] = error_index(result["cells"].values[known], truth[known])
    result["error"] = ("contest", error)
    result.attrs["mean_ei"] = float(error[known].mean())
    if "cells_by_context" in result:
        every = result["cells_by_context"].transpose("context", *TABLE).values[:, known]
        result["error_by_context"] = ("context", error_index(every, truth[known]).mean(axis=1))
    if "draws" in result:
        found = coverage(result)
        for n, level in enumerate(LEVELS):
            result.attrs[f"coverage_{round(100 * level)}"] = float(found["coverage"][n])
            result.attrs[f"width_{round(100 * level)}"] = float(found["width"][n])
    return result
