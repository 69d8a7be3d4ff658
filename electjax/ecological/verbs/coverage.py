"""`electjax.ecological.coverage`: how often intervals hold what was counted."""

import os
from itertools import pairwise

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.schema import conform
from electjax.ecological.options import CoverageOptions
from electjax.ecological.schema import COVERAGE, TABLE
from electjax.ecological.store import estimate_of

ROUNDING = 1e-6  # of a share: draws are kept in single precision, and some cells are certain


@with_options
def coverage(fit: xr.Dataset | str | os.PathLike[str], *, options: CoverageOptions) -> xr.Dataset:
    """How often the intervals of cell shares hold the counted ones.

    Args:
        fit: result of `ecological.estimate` with draws and truth, or its file.

    Returns:
        Over `level`: coverage and mean width of all cells, coverage_by_contest(level, contest), NaN without truth, and
        coverage_by_share(level, share), where cells are grouped by their estimated share; cells: their number.

    Raises:
        ElectionDataError: no draws, no truth, or a level that is not between 0 and 1.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, seed=1)
        >>> fit = electjax.ecological.estimate(units, draws=50, contexts=())
        >>> found = electjax.ecological.coverage(fit, levels=[0.5, 0.95])
        >>> bool(found["coverage"].sel(level=0.5) < found["coverage"].sel(level=0.95))
        True
    """
    result, nominal = estimate_of(fit), np.atleast_1d(np.asarray(options.levels, float))
    for name, mend in (("draws", "estimate with draws=200"), ("truth", "estimate with truth=")):
        if name not in result:
            raise data_error(f"no {name}", where="ecological.coverage", expected=f"an estimate with {name}", mend=mend)
    truth = result["truth"].transpose(*TABLE).values
    draws = result["draws"].transpose("draw", *TABLE).values.astype(np.float64)
    cells = result["cells"].transpose(*TABLE).values
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.nansum(cells, axis=2, keepdims=True)
        weight = total / np.nansum(total, axis=(1, 2), keepdims=True)
        counted, drawn = truth / np.nansum(truth, axis=2, keepdims=True), draws / total
    use = (weight > options.large) & np.isfinite(counted) & np.isfinite(cells)
    tails = (1 - nominal) / 2
    # padding is NaN all over
    low, high = (np.quantile(drawn, side, axis=0) for side in (tails, 1 - tails))
    inside = (low - ROUNDING <= counted) & (counted <= high + ROUNDING)
    number = use.sum(axis=(1, 2))
    number = np.where(number > 0, number, np.nan)  # nothing is known of a contest without truth
    edges = np.array([0.0, 0.02, 0.1, 0.5, 0.8, 1.0])
    share = result["share"].transpose(*TABLE).values
    group = np.clip(np.digitize(np.nan_to_num(share), edges) - 1, 0, len(edges) - 2)
    groups = [use & (group == g) for g in range(len(edges) - 1)]
    by_share = [[inside[n][some].mean() if some.any() else np.nan for some in groups] for n in range(len(nominal))]
    found = xr.Dataset(
        {
            "coverage": ("level", inside[:, use].mean(axis=1)),
            "width": ("level", (high - low)[:, use].mean(axis=1)),
            "coverage_by_contest": (("level", "contest"), (inside & use).sum(axis=(2, 3)) / number),
            "coverage_by_share": (("level", "share"), np.array(by_share)),
            "cells": ((), int(use.sum())),
        },
        coords={
            "level": nominal,
            "contest": result["contest"].values,
            "share": [f"{a:g}-{b:g}" for a, b in pairwise(edges)],
        },
        attrs={"check": "coverage of central intervals of cell shares", "large": options.large},
    )
    return conform(found, COVERAGE)
