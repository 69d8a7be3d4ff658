"""`electjax.voter_types.plot`: the report's figures of a fit, a selection or residuals."""

import os
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

import electjax
from electjax.report.plots import Plot, plotted
from electjax.runs import Run
from electjax.voter_types.report.figures import (
    bivariate_residuals,
    local_maxima,
    propensities,
    scree,
    sharpness,
    type_shares,
)

Kind = Literal["propensities", "shares", "sharpness", "maxima", "scree", "residuals"]
_PLOTS = {
    "propensities": Plot(("mu", "pi"), propensities),
    "shares": Plot(("pi",), type_shares),
    "sharpness": Plot(("zeta", "profile_weight"), sharpness),
    "maxima": Plot(("maxima_log_likelihood", "maxima_starts"), local_maxima),
    "scree": Plot(("types", "bic"), scree),
    "residuals": Plot(("bivariate", "office_"), bivariate_residuals),
}


def plot(fit: xr.Dataset | str | os.PathLike[str] | Run, kind: Kind | None = None) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: of `voter_types.fit`, `select` or `residuals`, or its file; or the folder of a run, or what `electjax.load`
            made of that, which have all three.
        kind: of a fit "propensities" (mu, a panel per type), "shares" (pi with its intervals), "sharpness" (how surely
            voters belong to their likeliest type) or "maxima" (where the starts ended); of a selection "scree"
            (information criteria over the number of types); of residuals "residuals" (chi-square of each pair of
            offices per degree of freedom). By default the first one that the result has the variables for.

    Returns:
        The axes of matplotlib, an array of them where the figure has several: `axes.figure.savefig("it.png")` writes
        it. In a notebook that has pyplot the figure is shown.

    Raises:
        ElectionDataError: an unknown kind, or one that the result has not the variables for.

    Example:
        >>> import electjax
        >>> ballots = electjax.voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = electjax.voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> axes = electjax.voter_types.plot(fit, kind="shares")
        >>> axes.get_xlabel()
        'share of the voters'
    """
    given = electjax.load(fit) if isinstance(fit, str | os.PathLike) else fit
    return plotted(_PLOTS, _part(given, kind) if isinstance(given, Run) else given, kind, where="voter_types.plot")


def _part(run: Run, kind: str | None) -> xr.Dataset:
    """What a run has a figure of this kind from; its fit where there is none."""
    needs = _PLOTS[kind].needs if kind in _PLOTS else ()
    if not needs or all(name in run.fit.variables for name in needs):
        return run.fit
    nodes = (run.tree[name].to_dataset() for name in ("selection", "residuals") if name in run.tree.children)
    return next((node for node in nodes if all(name in node.variables for name in needs)), run.fit)
