"""`electjax.calm.plot`: the report's figures of a fit, a prediction, other candidates or a diagnostic."""

import os
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import electjax
from electjax.calm.metrics import coefficients, fitted_margins
from electjax.calm.report import figures
from electjax.report.plots import Plot, plotted

Kind = Literal[
    "coefficients",
    "categories",
    "booths",
    "counterfactual",
    "prediction",
    "placebo",
    "rho_curve",
    "stability",
    "holdout",
]
_OF_THE_FIT = ("coefficients", "categories", "booths")


def plot(fit: xr.Dataset | str | os.PathLike[str], kind: Kind | None = None) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: of `calm.fit`, `calm.predict`, `calm.counterfactual` or a diagnostic; its file; or a run of the command
            line, or its folder.
        kind: of a fit "coefficients" (eta with its intervals, calm.md section 8), "categories" (turnout and choice by
            category) or "booths" (fitted against observed shares); "prediction" (expected shares); "counterfactual"
            (what other candidates change); of a diagnostic its name: "placebo", "rho_curve", "stability" or "holdout"
            (of `calm.mobilisation` too). By default the first one that the result has the variables for.

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
    return plotted(_PLOTS, _opened(fit, kind), kind, where="calm.plot")


def _opened(fit: Any, kind: str | None) -> Any:
    """The Dataset that has the variables of this kind: of a run, its fit or a node of its tree."""
    if isinstance(fit, str | os.PathLike):
        fit = electjax.load(fit)
    if not isinstance(fit, electjax.Run):
        return fit
    node = kind if kind is not None or fit.fits else "prediction"
    if node in _PLOTS and node not in _OF_THE_FIT and node in fit.tree.children:
        return fit.tree[node].to_dataset()
    return fit.fit


def _coefficients(fit: xr.Dataset) -> Figure:
    return figures.coefficient_forest(coefficients(fit), float(fit.attrs["level"]), {})


_PLOTS = {
    "coefficients": Plot(("eta", "theta_value"), _coefficients),
    "categories": Plot(
        ("turnout", "choice", "cell_category"), lambda fit: figures.category_heatmap(fitted_margins(fit))
    ),
    "booths": Plot(("fitted_turnout", "fitted_share"), figures.booth_scatter),
    "counterfactual": Plot(("votes_change", "seats_change"), figures.change_forest),
    "prediction": Plot(("party_share", "known"), lambda found: figures.prediction_dots(found, {})),
    "placebo": Plot(("permuted_z",), figures.permutation_histogram),
    "rho_curve": Plot(("excess", "objective"), figures.proximity_curve),
    "stability": Plot(("group_eta",), figures.stability_strip),
    "holdout": Plot(("constituency_gain",), figures.gain_strip),
}
