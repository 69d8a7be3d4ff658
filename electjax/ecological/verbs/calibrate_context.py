"""`electjax.ecological.calibrate_context`: the contextual exponent of contests whose cross-tables were counted."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.ecological.check import error_index
from electjax.ecological.codec import encode_units
from electjax.ecological.model.estimate import at_context, mode
from electjax.ecological.model.tables import in_contests, unit_tables
from electjax.ecological.schema import place
from electjax.ecological.settings import settings_of
from electjax.ecological.verbs.estimate import READING, Progress, parted, problem_of, units_of
from electjax.ecological.verbs.read import Table
from electjax.numerics.host import double_precision

GRID = tuple(np.round(np.arange(0.0, 1.25, 0.1), 1).tolist())
RESAMPLES = 2000


def calibrate_context(
    units: Table | xr.Dataset,
    truth: Any = None,
    *,
    contexts: Sequence[float] = GRID,
    merge_below: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> xr.Dataset:
    """Error of the estimates against the context, where the truth is known: what to assume of contests like these.

    Args:
        units, truth, merge_below, progress: as of `ecological.estimate`; the truth may be in the units.
        contexts: exponents to try, ascending, at least three.
        seed: of the resampling.
        **options: of `ecological.estimate`, but for context, contexts and draws.

    Returns:
        error(context, contest): EI in %; mean_ei(context); best(contest): the exponent at which a contest's error is
        least. attrs: context, where the mean error is least (a parabola through the three lowest neighbours);
        context_se, by resampling contests: how sure these contests make it, not how others differ; context_spread, the
        standard deviation of `best`, of which much is noise; mean_ei, the least.

    Raises:
        ElectionDataError: no truth, exponents that are no ascending grid, or what `ecological.estimate` refuses.
    """
    for name in ("context", "draws", "method"):
        if name in options:
            raise data_error(f"option {name}", where="calibrate_context", expected="none", mend="leave it out")
    chosen, reading = parted(options | {"contexts": tuple(np.atleast_1d(contexts)), "seed": seed})
    settings = settings_of(chosen, READING)
    grid = np.asarray(settings.contexts)
    if grid.size < 3 or (np.diff(grid) <= 0).any():
        raise data_error(
            f"found {contexts}", where="contexts", expected="at least three numbers, ascending", mend="sort them"
        )
    data = units_of(units, truth, merge_below, reading)
    counted = data["truth"].transpose("contest", "row", "column").values if "truth" in data else None
    known = np.zeros(0, bool) if counted is None else np.isfinite(counted).any(axis=(1, 2))
    if counted is None or not known.any():
        raise data_error("no truth", where=place(data), expected="counted cross-tables", mend="give truth=")
    code = encode_units(data, checked=True)
    error = np.empty((grid.size, int(known.sum())))
    with double_precision():
        problem = problem_of(code, settings)
        point = None
        for n, beta in enumerate(grid.tolist()):
            if progress is not None:
                progress(n, grid.size, f"context {beta:g}")
            found = mode(at_context(problem, beta), point, tolerance=settings.tolerance, max_steps=settings.max_steps)
            point = found.point
            if not found.converged:
                warnings.warn(f"context {beta:g}: the search ended before it converged", stacklevel=2)
            tables = np.asarray(in_contests(unit_tables(found.eta, beta, problem), problem))
            error[n] = error_index(tables[known], counted[known])
    if progress is not None:
        progress(grid.size, grid.size, "done")
    best, least = lowest(grid, error.mean(axis=1))
    generator = np.random.default_rng(seed)
    weight = generator.multinomial(error.shape[1], np.full(error.shape[1], 1 / error.shape[1]), RESAMPLES)
    resampled = [lowest(grid, error @ w / error.shape[1])[0] for w in weight]
    own = [lowest(grid, curve)[0] for curve in error.T]
    return xr.Dataset(
        {
            "error": (("context", "contest"), error, {"long_name": "error index EI", "units": "%"}),
            "mean_ei": ("context", error.mean(axis=1), {"long_name": "mean error index EI", "units": "%"}),
            "best": ("contest", np.array(own), {"long_name": "exponent of the least error"}),
        },
        coords={"context": grid, "contest": data["contest"].values[known]},
        attrs={
            "check": "error against the contextual exponent",
            "context": best,
            "context_se": float(np.std(resampled)) if error.shape[1] > 1 else float("nan"),
            "context_spread": float(np.std(own)),
            "mean_ei": least,
            "source": data.attrs.get("source", ""),
            "settings": settings.json(),
        },
    )


def lowest(grid: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    """Where a curve on a grid is lowest, and how low: the vertex of the parabola around its least value."""
    at = int(curve.argmin())
    if at in (0, grid.size - 1):
        return float(grid[at]), float(curve[at])
    square, slope, level = np.polyfit(grid[at - 1 : at + 2] - grid[at], curve[at - 1 : at + 2], 2)
    if square <= 0:
        return float(grid[at]), float(curve[at])
    move = -slope / (2 * square)
    return float(grid[at] + move), float(level - slope**2 / (4 * square))
