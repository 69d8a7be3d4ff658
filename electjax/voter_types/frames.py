"""Results of voter types as tidy tables."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from electjax.numerics.covariance import interval
from electjax.voter_types.describing import describe, option_table

_COLUMNS = {"probability": "mu", "se": "mu_se", "low": "mu_low", "high": "mu_high", "at_boundary": "at_boundary"}
_SHARES = {"share": "pi", "se": "pi_se", "low": "pi_low", "high": "pi_high"}


def types_frame(fit: xr.Dataset) -> pd.DataFrame:
    """mu by type, office and option, with the share of the type."""
    mu = fit["mu"].transpose("type", "office", "option")
    names = option_table(fit)
    rows = [
        (kind, office, option)
        for kind in mu["type"].values
        for office, options in zip(mu["office"].values.astype(str), names, strict=True)
        for option in options
    ]
    shares = {f"share{'' if name == 'share' else f'_{name}'}": variable for name, variable in _SHARES.items()}
    columns = {name: fit[variable] for name, variable in (_COLUMNS | shares).items() if variable in fit}
    table = pd.DataFrame(
        {name: values.broadcast_like(mu).transpose(*mu.dims).values.ravel() for name, values in columns.items()},
        index=pd.MultiIndex.from_tuples(rows, names=list(mu.dims)),
    )
    return table[table["probability"].notna()]


def shares_frame(fit: xr.Dataset) -> pd.DataFrame:
    """How many voters are of each type, and what they do."""
    columns: dict[str, Any] = {name: fit[own].values for name, own in _SHARES.items() if own in fit}
    voters = float(fit.attrs["voters"]) if "voters" in fit.attrs else np.nan
    columns |= {"voters": fit["pi"].values * voters, "does": [each.does for each in describe(fit)]}
    return pd.DataFrame(columns, index=pd.Index(fit["type"].values, name="type"))


def membership_frame(fit: xr.Dataset) -> pd.DataFrame:
    """Coefficients of the multinomial logit of membership against the first type."""
    gamma = fit["gamma"].transpose("type", "term").isel(type=slice(1, None))
    value = gamma.values.ravel()
    known = "gamma_se" in fit
    error = fit["gamma_se"].transpose("type", "term").values[1:].ravel() if known else np.full(value.size, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = value / error
    low, high = interval(value, error, level=float(fit.attrs.get("level", 0.95)))
    index = pd.MultiIndex.from_product([gamma["type"].values, gamma["term"].values.astype(str)], names=["type", "term"])
    columns = {"estimate": value, "se": error, "z": z, "p": 2 * norm.sf(np.abs(z)), "low": low, "high": high}
    return pd.DataFrame(columns, index=index)


def selection_frame(selection: xr.Dataset) -> pd.DataFrame:
    """A row per number of types."""
    names = [str(name) for name, value in selection.data_vars.items() if value.dims == ("types",)]
    index = pd.Index(selection["types"].values, name="types")
    return pd.DataFrame({name: selection[name].values for name in names}, index=index)


def pairs_frame(residuals: xr.Dataset) -> pd.DataFrame:
    """A row per pair of offices, what is least explained first."""
    pair = ("office", "office_")
    names = residuals["office"].values.astype(str)
    i, j = np.triu_indices(len(names), 1)
    known = {"residual": "bivariate", "chi_square": "bivariate_x2", "df": "bivariate_df", "p": "bivariate_p"}
    columns = {name: residuals[own].transpose(*pair).values[i, j] for name, own in known.items() if own in residuals}
    index = pd.MultiIndex.from_arrays([names[i], names[j]], names=["office", "other_office"])
    table = pd.DataFrame(columns, index=index)
    return table[table["residual"].notna()].sort_values("residual", ascending=False, kind="stable")


def voters_frame(found: xr.Dataset) -> pd.DataFrame:
    """A row per voter of a prediction: the likeliest type, and how likely each is."""
    columns = {
        str(name): value.values for name, value in found.coords.items() if value.dims == ("voter",) and name != "voter"
    }
    columns["likeliest_type"] = found["modal_type"].values
    zeta = found["zeta"].transpose("voter", "type").values
    columns |= {f"type_{label}": zeta[:, k] for k, label in enumerate(found["type"].values)}
    voter = found["voter"].values if "voter" in found.coords else np.arange(found.sizes["voter"]) + 1
    return pd.DataFrame(columns, index=pd.Index(voter, name="voter"))
