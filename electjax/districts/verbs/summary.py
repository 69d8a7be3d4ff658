"""`electjax.districts.summary`: a calibration, simulated elections, scenarios or checks as a table."""

import os

import pandas as pd
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.verdict import attrs_of, together, verdict_of
from electjax.districts.checks import CHECK, COMPARISON, IDENTIFIABILITY
from electjax.districts.opening import results_in
from electjax.districts.report import frames
from electjax.report.said import said

_EXPECTED = "the result of districts.calibrate, simulate, predict, counterfactual, check, identifiability or compare"


def summary(fit: xr.Dataset | str | os.PathLike[str], *, show: bool = True) -> pd.DataFrame:
    """Print a calibration, simulated elections or scenarios, the verdict on them first, and return the table.

    Args:
        fit: of `districts.calibrate`; or of `simulate`, `predict`, `counterfactual`, `check`, `identifiability` or
            `compare`; its file; or the folder of a run.
        show: whether to print.

    Returns:
        Of a calibration, by `parameter` (such as "gamma" or "eta BJP"): weighted mean and sd of the draws, their 5, 50
        and 95 % quantiles low, median and high, optimal (psi_opt), contraction against the prior, whether it is
        identified (25 % or more), and ess, how many independent draws they are worth (Kish). Of elections, by party,
        or by scenario and party: mean, sd, the 5, 50 and 95 % quantiles, min and max of the seats over runs. Of a
        check, by statistic or parameter, and of a comparison, by model, its columns. Of the folder of a run its
        calibrations, else its elections, by model where there are several.

    Raises:
        ElectionDataError: none of these.

    Example:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> elections = electjax.districts.simulate(election, model="dm", runs=4)
        >>> electjax.districts.summary(elections, show=False).index.tolist()
        ['A', 'B']
    """
    found = results_in(fit, where="districts.summary")
    tables = {name: _table(result) for name, result in found.items()}
    if len(found) == 1:
        [(name, result)] = found.items()
        return said(tables[name], result.attrs, show=show)
    verdicts = {name: told for name, result in found.items() if (told := verdict_of(result.attrs))}
    attrs = {"about": "\n".join(str(result.attrs.get("about", name)) for name, result in found.items())}
    attrs |= attrs_of(together(verdicts)) if verdicts else {}
    return said(pd.concat(tables, names=["model"]), attrs, show=show)


def _table(data: xr.Dataset) -> pd.DataFrame:
    """The table of one result."""
    if "draw" in data.dims and "weight" in data:
        return frames.parameters(data)
    if "seats" in data and "run" in data["seats"].dims:
        return frames.seats(data)
    kind = data.attrs.get("conventions")
    if kind in (CHECK.conventions, IDENTIFIABILITY.conventions):
        return data.to_dataframe()
    if kind == COMPARISON.conventions:
        at = data.sel(epsilon=data.attrs["tolerance"], method="nearest").reset_coords("epsilon", drop=True)
        return at.drop_dims("party", errors="ignore").to_dataframe()
    raise data_error("found something else", where="districts.summary", expected=_EXPECTED, mend="pass that")
