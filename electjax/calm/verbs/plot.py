"""`electjax.calm.plot`: the report's figures of a fit or of a diagnostic."""

import os
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import electjax
from electjax.calm.metrics import coefficients, fitted_margins
from electjax.calm.report import figures
from electjax.report.plots import Plot, plotted

Kind = Literal["coefficients", "categories", "booths", "placebo", "rho_curve", "stability", "holdout"]


def plot(fit: xr.Dataset | str | os.PathLike[str], kind: Kind | None = None) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: of `calm.fit` or of a diagnostic, or its file.
        kind: of a fit "coefficients" (eta with its intervals, calm.md section 8), "categories" (turnout and choice by
            category) or "booths" (fitted against observed shares); of a diagnostic its name: "placebo", "rho_curve",
            "stability" or "holdout" (of `calm.mobilisation` too). By default the first one that the result has the
            variables for.

    Returns:
        The axes of matplotlib, an array of them where the figure has several: `axes.figure.savefig("it.png")` writes
        it. In a notebook that has pyplot the figure is shown.

    Raises:
        ElectionDataError: an unknown kind, or one that the result has not the variables for.

    Example:
        >>> import electjax
        >>> fit = electjax.calm.fit(electjax.calm.simulate("tiny"), errors="none")
        >>> axes = electjax.calm.plot(fit, kind="booths")
        >>> axes[0].get_title()
        'turnout'
    """
    data = electjax.calm.load(fit) if isinstance(fit, str | os.PathLike) else fit
    return plotted(_PLOTS, data, kind, where="calm.plot")


def _coefficients(fit: xr.Dataset) -> Figure:
    return figures.coefficient_forest(coefficients(fit), float(fit.attrs["level"]), {})


_PLOTS = {
    "coefficients": Plot(("eta", "theta_value"), _coefficients),
    "categories": Plot(
        ("turnout", "choice", "cell_category"), lambda fit: figures.category_heatmap(fitted_margins(fit))
    ),
    "booths": Plot(("fitted_turnout", "fitted_share"), figures.booth_scatter),
    "placebo": Plot(("permuted_z",), figures.permutation_histogram),
    "rho_curve": Plot(("excess", "objective"), figures.proximity_curve),
    "stability": Plot(("group_eta",), figures.stability_strip),
    "holdout": Plot(("constituency_gain",), figures.gain_strip),
}
