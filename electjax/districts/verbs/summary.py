"""`electjax.districts.summary`: a calibration, simulated elections or scenarios as a table."""

import os

import numpy as np
import pandas as pd
import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.districts.results import parameter_names, scalars
from electjax.report.draw import weighted_quantiles

_LEVELS = [0.05, 0.5, 0.95]


def summary(fit: xr.Dataset | str | os.PathLike[str]) -> pd.DataFrame:
    """The parameters of a calibration, or the seats of simulated elections or scenarios, one line each.

    Args:
        fit: of `districts.calibrate`; or of `simulate`, `predict` or `counterfactual`; or its file.

    Returns:
        Of a calibration, by `parameter` (such as "gamma" or "eta BJP"): weighted mean and sd of the draws, their 5, 50
        and 95 % quantiles low, median and high, optimal (psi_opt), contraction against the prior, and ess, how many
        independent draws they are worth (Kish). Of elections, by party, or by scenario and party: mean, sd, the 5, 50
        and 95 % quantiles, min and max of the seats over runs.

    Raises:
        ElectionDataError: neither of them.

    Example:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> elections = electjax.districts.simulate(election, model="dm", runs=4)
        >>> electjax.districts.summary(elections).index.tolist()
        ['A', 'B']
    """
    data = electjax.districts.load(fit) if isinstance(fit, str | os.PathLike) else fit
    if isinstance(data, xr.Dataset) and "draw" in data.dims and "weight" in data:
        return _parameters(data)
    if isinstance(data, xr.Dataset) and "seats" in data and "run" in data["seats"].dims:
        return _seats(data["seats"])
    expected, mend = "the result of districts.calibrate, simulate, predict or counterfactual", "pass that"
    raise data_error("found something else", where="districts.summary", expected=expected, mend=mend)


def _parameters(fit: xr.Dataset) -> pd.DataFrame:
    names = parameter_names(fit)
    labels, draws = scalars(fit, names, ("draw",))
    weight = fit["weight"].values / fit["weight"].values.sum()
    mean = weight @ draws
    low, median, high = weighted_quantiles(draws, weight, _LEVELS)
    table = {
        "mean": mean,
        "sd": np.sqrt(weight @ (draws - mean) ** 2),
        "low": low,
        "median": median,
        "high": high,
        "optimal": scalars(fit, [f"optimal_{name}" for name in names], ())[1],
    }
    if all(f"contraction_{name}" in fit for name in names):
        table["contraction"] = scalars(fit, [f"contraction_{name}" for name in names], ())[1]
    return pd.DataFrame(table | {"ess": 1 / (weight**2).sum()}, index=pd.Index(labels, name="parameter"))


def _seats(seats: xr.DataArray) -> pd.DataFrame:
    low, median, high = (seats.quantile(level, "run").drop_vars("quantile") for level in _LEVELS)
    columns = {"mean": seats.mean("run"), "sd": seats.std("run"), "low": low, "median": median, "high": high}
    columns |= {"min": seats.min("run"), "max": seats.max("run")}
    return pd.DataFrame({name: values.to_series() for name, values in columns.items()})
