"""`electjax.voter_types.summary`: the types of a fit as a table."""

import os

import numpy as np
import pandas as pd
import xarray as xr

import electjax
from electjax.data.errors import data_error

_COLUMNS = {"probability": "mu", "se": "mu_se", "low": "mu_low", "high": "mu_high", "at_boundary": "at_boundary"}
_SHARES = {"share": "pi", "share_low": "pi_low", "share_high": "pi_high"}


def summary(fit: xr.Dataset | str | os.PathLike[str]) -> pd.DataFrame:
    """What voters of each type do, one line per type, office and option, and how many voters are of it.

    Args:
        fit: result of `voter_types.fit`, or its file.

    Returns:
        By type, office and option (its label; its code where it has none): `probability`, mu, that a voter of the type
        chooses the option where all options are on the ballot, with its standard error `se`, the ends `low` and `high`
        of its interval, and `at_boundary`, whether it is 0 or 1; `share`, pi, of the voters who are of the type, with
        the ends of its interval. Columns that the fit has not are left out, as are options that were on no ballot.

    Raises:
        ElectionDataError: no fit, or a file that is none.

    Example:
        >>> import electjax
        >>> ballots = electjax.voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = electjax.voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> table = electjax.voter_types.summary(fit)
        >>> table.groupby(["type", "office"])["probability"].sum().round(6).unique().tolist()
        [1.0]
    """
    data = electjax.voter_types.load(fit) if isinstance(fit, str | os.PathLike) else fit
    if not isinstance(data, xr.Dataset) or "mu" not in data or "pi" not in data:
        expected, mend = "the result of voter_types.fit", "pass that"
        raise data_error("found something else", where="voter_types.summary", expected=expected, mend=mend)
    mu = data["mu"].transpose("type", "office", "option")
    labels = data.coords.get("option_label", data["option"]).broadcast_like(mu[0]).transpose("office", "option")
    names = np.where(labels.values.astype(str) == "", data["option"].values.astype(str), labels.values.astype(str))
    rows = [
        (kind, office, option)
        for kind in mu["type"].values
        for office, options in zip(mu["office"].values.astype(str), names, strict=True)
        for option in options
    ]
    columns = {name: data[variable] for name, variable in (_COLUMNS | _SHARES).items() if variable in data}
    table = pd.DataFrame(
        {name: values.broadcast_like(mu).transpose(*mu.dims).values.ravel() for name, values in columns.items()},
        index=pd.MultiIndex.from_tuples(rows, names=list(mu.dims)),
    )
    return table[table["probability"].notna()]
