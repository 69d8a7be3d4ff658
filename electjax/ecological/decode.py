"""Estimates of cells as a labelled Dataset."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import electjax
from electjax.data.labels import strings
from electjax.ecological.check import CONVENTIONS, LEVELS, TABLE, with_checks
from electjax.ecological.codec import Encoded
from electjax.ecological.model.data import KINDS
from electjax.ecological.settings import Settings

if TYPE_CHECKING:
    from electjax.ecological.verbs.estimate import Tables

CAVEAT = (
    "the context exponent of {context:g} is an assumption that margins cannot check; "
    "see the tables at other exponents, and calibrate_context for contests like these whose tables were counted"
)
_KEPT = ("row_margin", "column_margin", "truth")


def decode_cells(tables: "Tables", units: xr.Dataset, code: Encoded, settings: Settings) -> xr.Dataset:
    """The result of `ecological.estimate`."""
    here = _here(code)
    found = tables.found
    notes = [*code.notes, CAVEAT.format(context=settings.context)]
    if tables.stopped:
        where = ", ".join(f"{beta:g}" for beta in tables.stopped)
        notes.append(f"the search ended before it converged, at context {where}; raise max_steps or check the units")
    result = _begun(tables.contests, tables.bounds, units, code, settings, notes)
    own = np.asarray(tables.units)[code.block, code.place]
    result["unit_cells"] = (("unit", "row", "column"), np.where(here[_of(code)], own, np.nan))
    contexts = sorted({settings.context, *tables.others})
    every = np.stack([tables.contests if b == settings.context else tables.others[b] for b in contexts])
    result = result.assign_coords(context=contexts)
    result["cells_by_context"] = (("context", *TABLE), np.where(here, every, np.nan))
    result["correlation"] = ("contest", 1.0 / (1.0 + np.exp(-np.asarray(found.rho))))
    result = _with_pooled(result, tables, code, settings)
    if len(tables.draws):
        result["draws"] = (("draw", *TABLE), np.where(here, tables.draws, np.nan).astype(np.float32))
        total = np.where(code.row_total > 0, code.row_total, np.nan)[:, :, None]
        for name, side in (("share_low", -1.0), ("share_high", 1.0)):
            levels = [np.quantile(tables.draws, 0.5 + side * level / 2, axis=0) / total for level in LEVELS]
            result[name] = (("level", *TABLE), np.where(here, np.stack(levels), np.nan))
        result = result.assign_coords(level=list(LEVELS))
    result.attrs |= {
        "context": settings.context,
        "context_sd": settings.context_sd,
        "steps": found.steps,
        "converged": int(found.converged),
        "log_posterior": -found.value,
    }
    return with_checks(result)


def decode_baseline(
    table: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], units: xr.Dataset, code: Encoded, settings: Settings
) -> xr.Dataset:
    """The result of a baseline: a table without uncertainty."""
    return with_checks(_begun(table, bounds, units, code, settings, list(code.notes)))


def _begun(
    table: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    units: xr.Dataset,
    code: Encoded,
    settings: Settings,
    notes: list[str],
) -> xr.Dataset:
    here = _here(code)
    result = units.drop_vars([name for name in units.data_vars if name not in _KEPT])
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
        "conventions": CONVENTIONS,
        "method": settings.method,
        "settings": settings.json(),
        "seed": settings.seed,
        "notes": json.dumps(notes, ensure_ascii=False),
        "electjax_version": electjax.__version__,
    }
    return _with_units_of_measure(result)


def _with_pooled(result: xr.Dataset, tables: "Tables", code: Encoded, settings: Settings) -> xr.Dataset:
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
    if code.features and settings.affinity:
        result = result.assign_coords(feature=strings(list(code.features)))
        result["feature_effect"] = ("feature", shared[kinds + pairs : -1])
        if len(tables.shared_sd):
            result["feature_effect_se"] = ("feature", tables.shared_sd[kinds + pairs : -1])
    return result


def _here(code: Encoded) -> np.ndarray:
    return np.asarray(code.contests.row_here)[:, :, None] & np.asarray(code.contests.column_here)[:, None, :]


def _of(code: Encoded) -> np.ndarray:
    return np.asarray(code.blocks.contest)[code.block]


def _with_units_of_measure(result: xr.Dataset) -> xr.Dataset:
    attrs: dict[str, Any] = {
        "cells": {"long_name": "estimated voters of the row who chose the column", "units": "voters"},
        "share": {"long_name": "estimated share of the row that chose the column", "units": "1"},
        "bound_low": {"long_name": "least count that the units' margins allow", "units": "voters"},
        "bound_high": {"long_name": "largest count that the units' margins allow", "units": "voters"},
    }
    for name, own in attrs.items():
        result[name].attrs = own
    return result
