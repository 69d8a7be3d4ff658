"""`electjax.ecological.calibrate_context`: the contextual exponent of contests whose cross-tables were counted."""

import warnings
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import as_json, with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform, place_of
from electjax.ecological.codec import encode_units, error_index
from electjax.ecological.model.estimate import at_context, in_contests, mode, unit_tables
from electjax.ecological.options import CalibrateOptions, UnitsOptions
from electjax.ecological.schema import CALIBRATION, UNITS
from electjax.ecological.verbs.estimate import problem_of, units_of
from electjax.ecological.verbs.read import Source
from electjax.numerics.host import double_precision

RESAMPLES = 2000


@with_options
def calibrate_context(
    units: Source,
    truth: Any = None,
    *,
    options: CalibrateOptions,
    reading: UnitsOptions,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Error of the estimates against the context, where the truth is known: what to assume of contests like these.

    Args:
        units, truth, progress: as of `ecological.estimate`; the truth may be in the units.

    Returns:
        error(context, contest): EI in %; mean_ei(context); best(contest): the exponent at which a contest's error is
        least. attrs: context, where the mean error is least (a parabola through the three lowest neighbours);
        context_se, by resampling contests: how sure these contests make it, not how others differ; context_spread, the
        standard deviation of `best`, of which much is noise; mean_ei, the least.

    Raises:
        ElectionDataError: no truth, exponents that are no ascending grid, or what `ecological.estimate` refuses.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, context=0.6, seed=3)
        >>> found = electjax.ecological.calibrate_context(units, contexts=[0.0, 0.5, 1.0])
        >>> found["mean_ei"].idxmin().item()
        0.5
    """
    data = units_of(units, truth, reading)
    counted = data["truth"].transpose("contest", "row", "column").values if "truth" in data else None
    known = np.zeros(0, bool) if counted is None else np.isfinite(counted).any(axis=(1, 2))
    if counted is None or not known.any():
        raise data_error("no truth", where=place_of(data, UNITS), expected="counted cross-tables", mend="give truth=")
    code = encode_units(data, checked=True)
    grid = np.asarray(options.contexts)
    error = np.empty((grid.size, int(known.sum())))
    with double_precision():
        problem = problem_of(code, options, float(grid[0]))
        point = None
        for n, beta in enumerate(grid.tolist()):
            if progress is not None:
                progress(n, grid.size, f"context {beta:g}")
            at = mode(at_context(problem, beta), point, tolerance=options.tolerance, max_steps=options.max_steps)
            point = at.point
            if not at.converged:
                warnings.warn(f"context {beta:g}: the search ended before it converged", stacklevel=3)
            tables = np.asarray(in_contests(unit_tables(at.eta, beta, problem), problem))
            error[n] = error_index(tables[known], counted[known])
    if progress is not None:
        progress(grid.size, grid.size, "done")
    best, least = lowest(grid, error.mean(axis=1))
    generator = np.random.default_rng(options.seed)
    weight = generator.multinomial(error.shape[1], np.full(error.shape[1], 1 / error.shape[1]), RESAMPLES)
    resampled = [lowest(grid, error @ w / error.shape[1])[0] for w in weight]
    by_contest = [lowest(grid, curve)[0] for curve in error.T]
    found = xr.Dataset(
        {
            "error": (("context", "contest"), error),
            "mean_ei": ("context", error.mean(axis=1)),
            "best": ("contest", np.array(by_contest)),
        },
        coords={"context": grid, "contest": data["contest"].values[known]},
        attrs={
            "check": "error against the contextual exponent",
            "context": best,
            "context_se": float(np.std(resampled)) if error.shape[1] > 1 else float("nan"),
            "context_spread": float(np.std(by_contest)),
            "mean_ei": least,
            "source": data.attrs.get("source", ""),
            "options": as_json(options),
        },
    )
    return conform(found, CALIBRATION)


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
