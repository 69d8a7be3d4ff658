"""`electjax.voter_types.plot`: the report's figures of a fit, a selection or residuals."""

import os
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

import electjax
from electjax.report.plots import Plot, plotted
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
    "residuals": Plot(("bivariate",), bivariate_residuals),
}


def plot(fit: xr.Dataset | str | os.PathLike[str], kind: Kind | None = None) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: of `voter_types.fit`, `select` or `residuals`, or its file.
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
    data = electjax.voter_types.load(fit) if isinstance(fit, str | os.PathLike) else fit
    return plotted(_PLOTS, data, kind, where="voter_types.plot")
