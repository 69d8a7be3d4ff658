"""`electjax.voter_types.summary`: the types of a fit as a table."""

import os
from typing import Any, Literal

import pandas as pd
import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.report.said import said
from electjax.voter_types.describing import describe
from electjax.voter_types.frames import membership_frame, shares_frame, types_frame

Part = Literal["types", "shares", "membership"]


def summary(fit: xr.Dataset | str | os.PathLike[str] | Any, *, part: Part = "types", show: bool = True) -> pd.DataFrame:
    """What voters of each type do, one line per type, office and option, and how many voters are of it.

    Args:
        fit: result of `voter_types.fit`, its file, the folder of a run, or what `electjax.load` made of that.
        part: "types", what they do; "shares", how many voters are of each, with a sentence that describes it; or
            "membership", how the log odds of being of a type rather than the first depend on covariates.
        show: whether to print it: the verdict on the fit, a sentence per type, and the table, of types in per cent.

    Returns:
        Of "types" by type, office and option (its label; its code where it has none): `probability`, mu, that a voter
        of the type chooses the option where all options are on the ballot, with its standard error `se`, the ends `low`
        and `high` of its interval, and `at_boundary`, whether it is 0; `share`, pi, of the voters who are of the type,
        with its standard error and the ends of its interval. Of "shares" by type `share`, `se`, `low`, `high`,
        `voters` and `does`. Of "membership" by type and term `estimate`, `se`, `z`, `p`, `low` and `high`. Columns that
        the fit has not are left out, as are options that were on no ballot.

    Raises:
        ElectionDataError: no fit, or a file that is none.

    Example:
        >>> import electjax
        >>> ballots = electjax.voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = electjax.voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> table = electjax.voter_types.summary(fit, show=False)
        >>> table.groupby(["type", "office"])["probability"].sum().round(6).unique().tolist()
        [1.0]
    """
    data = electjax.voter_types.load(fit) if isinstance(fit, str | os.PathLike) else getattr(fit, "fit", fit)
    if not isinstance(data, xr.Dataset) or "mu" not in data or "pi" not in data:
        expected, mend = "the result of voter_types.fit", "pass that"
        raise data_error("found something else", where="voter_types.summary", expected=expected, mend=mend)
    frames = {"types": types_frame, "shares": shares_frame, "membership": membership_frame}
    if part not in frames:
        where, mend = "voter_types.summary(part=)", "take one of these"
        raise data_error(f"found {part!r}", where=where, expected=f"one of {', '.join(frames)}", mend=mend)
    table = frames[part](data)
    if show:
        printed = _per_cent(table) if part == "types" else table.drop(columns="does", errors="ignore")
        about = "\n".join([str(data.attrs.get("about", "")), "", *map(str, describe(data))]).strip()
        said(printed, dict(data.attrs) | {"about": about}, show=True, note=_NOTES[part])
    return table


_NOTES = {
    "types": "per cent of a type's voters, where all options are on the ballot",
    "shares": "share of the voters of each type",
    "membership": "log odds of being of a type, rather than of the first",
}


def _per_cent(table: pd.DataFrame) -> pd.DataFrame:
    """Types side by side, in per cent."""
    wide = (100 * table["probability"]).round(1).unstack("type")
    order = table.loc[[table.index[0][0]]].droplevel("type").index
    return wide.reindex(order.append(wide.index.difference(order, sort=False))).rename(columns="type {}".format)
