"""Estimated cells against counted ones."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from electjax.data.checks import checked_levels

CONVENTIONS = "electjax cells"
LEVELS = (0.8, 0.95)
LARGE = 0.03  # share of a contest's votes above which the shares of a row count in checks of intervals
ROUNDING = 1e-6  # of a share: draws are kept in single precision, and some cells are certain
TABLE = ("contest", "row", "column")


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
    result["error"] = ("contest", error, {"long_name": "error index EI, half the votes misplaced", "units": "%"})
    result.attrs["mean_ei"] = float(error[known].mean())
    if "cells_by_context" in result:
        every = result["cells_by_context"].transpose("context", *TABLE).values[:, known]
        result["error_by_context"] = ("context", error_index(every, truth[known]).mean(axis=1), {"units": "%"})
    if "draws" in result:
        found = coverage(result, levels=LEVELS)
        for n, level in enumerate(LEVELS):
            result.attrs[f"coverage_{round(100 * level)}"] = float(found["coverage"][n])
            result.attrs[f"width_{round(100 * level)}"] = float(found["width"][n])
    return result


def coverage(result: xr.Dataset, levels: Sequence[float] = LEVELS, *, large: float = LARGE) -> xr.Dataset:
    """How often the intervals of cell shares hold the counted ones.

    Args:
        result: of `ecological.estimate`, with draws and truth.
        levels: nominal probabilities of the central intervals.
        large: rows below this share of a contest's votes are left out.

    Returns:
        Over `level`: coverage and mean width of all cells, coverage_by_contest(level, contest), NaN without truth, and
        coverage_by_share(level, share), where cells are grouped by their estimated share; cells: their number.

    Raises:
        ValueError: no draws, no truth, or a level that is not between 0 and 1.
    """
    nominal = checked_levels(levels)
    for name, mend in (("draws", "estimate with draws=200"), ("truth", "estimate with truth=")):
        if name not in result:
            raise ValueError(f"no {name} in the estimate; {mend}")
    truth = result["truth"].transpose(*TABLE).values
    draws = result["draws"].transpose("draw", *TABLE).values.astype(np.float64)
    cells = result["cells"].transpose(*TABLE).values
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.nansum(cells, axis=2, keepdims=True)
        weight = total / np.nansum(total, axis=(1, 2), keepdims=True)
        counted, drawn = truth / np.nansum(truth, axis=2, keepdims=True), draws / total
    use = (weight > large) & np.isfinite(counted) & np.isfinite(cells)
    tails = (1 - nominal) / 2
    # padding is NaN all over
    low, high = (np.quantile(drawn, side, axis=0) for side in (tails, 1 - tails))
    held = (low - ROUNDING <= counted) & (counted <= high + ROUNDING)
    number = use.sum(axis=(1, 2))
    number = np.where(number > 0, number, np.nan)  # nothing is known of a contest without truth
    edges = np.array([0.0, 0.02, 0.1, 0.5, 0.8, 1.0])
    share = result["share"].transpose(*TABLE).values
    group = np.clip(np.digitize(np.nan_to_num(share), edges) - 1, 0, len(edges) - 2)
    groups = [use & (group == g) for g in range(len(edges) - 1)]
    by_share = [[held[n][own].mean() if own.any() else np.nan for own in groups] for n in range(len(nominal))]
    return xr.Dataset(
        {
            "coverage": ("level", held[:, use].mean(axis=1)),
            "width": ("level", (high - low)[:, use].mean(axis=1)),
            "coverage_by_contest": (("level", "contest"), (held & use).sum(axis=(2, 3)) / number),
            "coverage_by_share": (("level", "share"), np.array(by_share)),
            "cells": ((), int(use.sum())),
        },
        coords={
            "level": nominal,
            "contest": result["contest"].values,
            "share": [f"{a:g}-{b:g}" for a, b in pairwise(edges)],
        },
        attrs={"check": "coverage of central intervals of cell shares", "large": large},
    )
