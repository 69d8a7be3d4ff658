"""Results of ecological inference as `electjax.estimate_cells` lays them out, made from tables that are known."""

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

LEVELS = (0.8, 0.95)
CONTEXTS = (0.3, 0.6, 0.8)


def cells_by_hand(
    tables: Sequence[np.ndarray],
    parties: Sequence[str],
    *,
    off: float = 0.2,
    draws: int = 60,
    seed: int = 0,
    truth: bool = True,
    method: str = "context",
) -> xr.Dataset:
    """A result whose estimate is the true table with noise, scaled back to the rows; that of each unit is the truth.

    Parameters
    ----------
    tables
        Of each contest the unit tables, [unit, row, column]; contests may differ in rows and columns.
    parties
        Of rows and columns by their place; longer than both.
    off
        Standard deviation of the noise in the logarithm of a cell, of the estimate and of the draws alike.
    """
    rng = np.random.default_rng(seed)
    whole = [table.sum(0).astype(float) for table in tables]
    size = (len(tables), max(len(t) for t in whole), max(t.shape[1] for t in whole))
    counted, cells, least, most = (np.full(size, np.nan) for _ in range(4))
    drawn = np.full((draws, *size), np.nan, np.float32)
    by_context = np.full((len(CONTEXTS), *size), np.nan)
    names = {"row": np.full(size[:2], "", "U20"), "column": np.full((size[0], size[2]), "", "U20")}
    keys = {side: of.copy() for side, of in names.items()}
    margins = {side: [] for side in names}
    unit_cells, unit_contest = [], []
    for d, (own, table) in enumerate(zip(tables, whole, strict=True)):
        r, c = table.shape
        at = (d, slice(r), slice(c))
        counted[at] = table
        cells[at] = _moved(table, off * rng.normal(size=table.shape))
        for n in range(draws):
            drawn[(n, *at)] = _moved(cells[at], off * rng.normal(size=table.shape))
        for x, context in enumerate(CONTEXTS):
            by_context[(x, *at)] = _moved(cells[at], (context - 0.6) * np.eye(r, c))
        a, b = own.sum(2), own.sum(1)
        n = a.sum(1)[:, None, None]
        least[at] = np.maximum(a[:, :, None] + b[:, None, :] - n, 0).sum(0)
        most[at] = np.minimum(a[:, :, None], b[:, None, :]).sum(0)
        names["row"][d, :r] = keys["row"][d, :r] = parties[:r]
        keys["column"][d, :c] = parties[:c]
        names["column"][d, :c] = [f"Candidate {d + 1}.{j + 1}" for j in range(c)]
        pad = (0, size[1] - r), (0, size[2] - c)
        margins["row"].append(np.pad(a, ((0, 0), pad[0])))
        margins["column"].append(np.pad(b, ((0, 0), pad[1])))
        unit_cells.append(np.pad(own.astype(float), ((0, 0), *pad)))
        unit_contest += [f"Contest {d + 1}"] * len(own)
    total = np.nansum(cells, axis=2, keepdims=True)
    table_dims = ("contest", "row", "column")
    result = xr.Dataset(
        {
            "cells": (table_dims, cells),
            "share": (table_dims, cells / total),
            "bound_low": (table_dims, least),
            "bound_high": (table_dims, most),
            "row_margin": (("unit", "row"), np.concatenate(margins["row"])),
            "column_margin": (("unit", "column"), np.concatenate(margins["column"])),
        },
        coords={
            "contest": [f"Contest {d + 1}" for d in range(size[0])],
            "row": np.arange(size[1]),
            "column": np.arange(size[2]),
            "unit": [f"{contest}/{i}" for i, contest in enumerate(unit_contest)],
            "unit_contest": ("unit", unit_contest),
            **{f"{side}_name": (("contest", side), of) for side, of in names.items()},
            **{f"{side}_party": (("contest", side), of) for side, of in keys.items()},
        },
        attrs={"conventions": "electjax cells", "method": method, "rows": "votes", "name": "made by hand"},
    )
    if method == "context":
        result["unit_cells"] = (("unit", "row", "column"), np.concatenate(unit_cells))
        ends = [np.quantile(drawn / total, [(1 - level) / 2, (1 + level) / 2], axis=0) for level in LEVELS]
        result["share_low"] = (("level", *table_dims), np.stack([low for low, _ in ends]))
        result["share_high"] = (("level", *table_dims), np.stack([high for _, high in ends]))
        result["draws"] = (("draw", *table_dims), drawn)
        result["cells_by_context"] = (("context", *table_dims), by_context)
        result = result.assign_coords(level=list(LEVELS), context=list(CONTEXTS))
        result.attrs |= {"context": 0.6, "context_sd": 0.15, "steps": 30, "converged": 1}
        result.attrs |= {"warnings": "[]", "notes": json.dumps(["Two <empty> units were left out."])}
    if truth:
        result["truth"] = (table_dims, counted)
        result["error"] = ("contest", 50 * np.nansum(np.abs(cells - counted), axis=(1, 2)) / total.sum((1, 2)))
        if method == "context":
            off_by = 50 * np.nansum(np.abs(by_context - counted), axis=(2, 3)) / total.sum((1, 2))
            result["error_by_context"] = ("context", off_by.mean(1))
    return result


def _moved(table: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Cells times exp(log), scaled back to the rows."""
    moved = table * np.exp(log)
    sums = moved.sum(1, keepdims=True)
    return moved * table.sum(1, keepdims=True) / np.where(sums > 0, sums, 1.0)
