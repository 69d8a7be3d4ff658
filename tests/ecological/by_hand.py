"""Results of ecological inference as `electjax.ecological.estimate` lays them out, made from tables that are known."""

import json
from collections.abc import Sequence

import jax
import numpy as np
import xarray as xr

from electjax.ecological.model.generate import Drawn, draw_units
from electjax.ecological.options import TAU
from electjax.ecological.schema import TABLE, contest_index

LEVELS = (0.8, 0.95)
CONTEXTS = (0.3, 0.6, 0.8)
DRAWN = {
    **{"contests": 24, "units": 60, "rows": 5, "parties": 5, "fielded": 1.0, "voters": 400.0, "unit_sd": 0.5},
    **{"level": (2.0, 0.0, 0.0), "pair_sd": 0.5, "tau": TAU, "beta": 0.6, "rho": 0.01},
    **{"abstention": 0.0, "traits": 0, "affinity": 0.5},
}


def drawn_units(seed: int, **changes: object) -> Drawn:
    """Contests drawn from the model."""
    return draw_units(jax.random.key(seed), **(DRAWN | changes))  # type: ignore[arg-type]


def estimate_by_hand(
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
        attrs={"conventions": "electjax estimate", "method": method, "rows": "votes", "name": "made by hand"},
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


def assert_consistent(result: xr.Dataset, units: xr.Dataset) -> None:
    """Every table is there where its options are, has its margins, adds up and is inside its bounds."""
    here = (units["row_name"].values != "")[:, :, None] & (units["column_name"].values != "")[:, None, :]
    of = contest_index(units)
    rows, columns = (units[f"{side}_margin"].values.astype(float) for side in ("row", "column"))
    for name in ("cells", "share", "bound_low", "bound_high"):
        np.testing.assert_array_equal(np.isfinite(result[name].transpose(*TABLE).values), here)
    own = result["unit_cells"].transpose("unit", "row", "column").values
    np.testing.assert_array_equal(np.isfinite(own), here[of])
    own = np.nan_to_num(own)
    slack = 1e-6 * np.maximum(rows.sum(axis=1), 1.0)[:, None]
    assert (np.abs(own.sum(axis=2) - rows) < slack).all()
    assert (np.abs(own.sum(axis=1) - columns) < slack).all()
    low = np.maximum(rows[:, :, None] + columns[:, None, :] - rows.sum(axis=1)[:, None, None], 0.0)
    high = np.minimum(rows[:, :, None], columns[:, None, :])
    assert (own >= low - slack[..., None]).all()
    assert (own <= high + slack[..., None]).all()
    cells = result["cells"].values
    draws = result["draws"].transpose("draw", *TABLE).values.astype(float)
    for d in range(len(here)):
        mine, total = of == d, rows[of == d].sum()
        np.testing.assert_allclose(np.nan_to_num(cells[d]), own[mine].sum(axis=0), atol=1e-9 * total)
        least, most = low[mine].sum(axis=0), high[mine].sum(axis=0)
        np.testing.assert_allclose(np.nan_to_num(result["bound_low"].values[d]), least, atol=1e-9 * total)
        np.testing.assert_allclose(np.nan_to_num(result["bound_high"].values[d]), most, atol=1e-9 * total)
        some = np.nan_to_num(draws[:, d])
        assert (some >= least - 1e-6 * total).all()
        assert (some <= most + 1e-6 * total).all()
        assert np.abs(some.sum(axis=2) - rows[mine].sum(axis=0)).max() < 1e-6 * total
        assert np.abs(some.sum(axis=1) - columns[mine].sum(axis=0)).max() < 1e-6 * total
