"""`electjax.ecological.plot`: the report's figures of an estimate."""

import os
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from electjax.ecological.report.figures import context_lines, row_forest, transition_heatmap, unit_figure
from electjax.ecological.report.tables import whole_table
from electjax.ecological.report.truth import error_strip, truth_scatter
from electjax.ecological.store import estimate_of
from electjax.report.plots import Plot, plotted

Kind = Literal["table", "rows", "units", "context", "truth", "errors"]


def plot(
    fit: xr.Dataset | str | os.PathLike[str], kind: Kind | None = None, *, contest: str | None = None
) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: result of `ecological.estimate`, or its file.
        kind: "table" (shares of each row), "rows" (shares with their intervals and bounds), "units" (what each unit
            allows, King 1997, of a contest of two rows and two columns; else shares of voters against shares of votes),
            "context" (shares over the context exponent, which is assumed), or, where tables were counted, "truth"
            (estimated against counted shares) and "errors" (by contest). "table" by default.
        contest: label of the one to draw. By default all together; of "units" the first one. "truth" and "errors" are
            of all contests.

    Returns:
        The axes of matplotlib, an array of them where the figure has several: `axes.figure.savefig("it.png")` writes
        it. In a notebook that has pyplot the figure is shown.

    Raises:
        ElectionDataError: no estimate, an unknown kind or contest, or a kind that the estimate has not the variables
            for.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, seed=1)
        >>> estimate = electjax.ecological.estimate(units, draws=0, contexts=())
        >>> axes = electjax.ecological.plot(estimate, kind="truth")
        >>> axes.get_xlabel()
        'counted share of the row'
    """
    plots = {
        "table": Plot(("cells",), lambda data: transition_heatmap(whole_table(data, contest))),
        "rows": Plot(("cells", "bound_low"), lambda data: row_forest(whole_table(data, contest))),
        "units": Plot(("cells", "row_margin"), lambda data: unit_figure(data, whole_table(data, contest, first=True))),
        "context": Plot(("cells_by_context",), lambda data: context_lines(data, contest)),
        "truth": Plot(("truth",), truth_scatter),
        "errors": Plot(("error",), error_strip),
    }
    data = estimate_of(fit)
    whole_table(data, contest)  # an unknown contest is refused whatever the kind
    return plotted(plots, data, kind, where="ecological.plot")
