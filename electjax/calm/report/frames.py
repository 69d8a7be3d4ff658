"""Tidy tables of CALM, as data: a fit, other candidates, diagnostics and predictions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from electjax.calm.metrics import coefficients, fitted_margins, parameters
from electjax.data.verdict import verdict_of

_AXIS = "axis_"  # before the name of an axis that is a column, which may be called as another column is
_ENDS = ("", "_low", "_high")


def fit_frames(fit: xr.Dataset) -> dict[str, pd.DataFrame]:
    """A fit: coefficients, parameters, cells by constituency, categories and booths.

    Shares, turnouts and choices are from 0 to 1; cells and booths have a row for each party.
    """
    return {
        "coefficients": coefficient_frame(fit),
        "parameters": parameter_frame(fit),
        "cells": cell_frame(fit),
        "categories": category_frame(fit),
        "booths": booth_frame(fit),
    }


def coefficient_frame(fit: xr.Dataset) -> pd.DataFrame:
    """eta by axis, and by party where each has its own; z is the estimate over its standard error."""
    rows = []
    for (label, row), where in zip(coefficients(fit).items(), _places(fit), strict=True):
        kept = {key: row.get(key) for key in ("eta_raw", "eta_raw_se", "boost", "boost_se", "g_mean", "g_sd")}
        told = {"estimate": row["eta"], "se": row.get("eta_se"), "z": _ratio(row["eta"], row.get("eta_se"))}
        told |= {"low": row["low"], "high": row["high"], "pp": row.get("eta_pp"), "pp_se": row.get("eta_pp_se")}
        rows.append({"parameter": f"eta[{label}]"} | where | told | kept | {"identified": row.get("identified")})
    return pd.DataFrame(rows)


def parameter_frame(fit: xr.Dataset) -> pd.DataFrame:
    """The other parameters that stand alone."""
    reach = norm.ppf(0.5 + float(fit.attrs["level"]) / 2)
    rows = []
    for name, row in parameters(fit).items():
        value, error = row["value"], row["se"]
        ends = [None if value is None or error is None else value + way * reach * error for way in (-1, 1)]
        rows.append(
            {"parameter": name, "estimate": value, "se": error, "z": _ratio(value, error)}
            | dict(zip(("low", "high"), ends, strict=True))
        )
    return pd.DataFrame(rows)


def cell_frame(fit: xr.Dataset) -> pd.DataFrame:
    """Every cell of every constituency that has electors there: turnout and choice, a row for each party."""
    over = ("constituency", "cell", "party")
    electors = np.nan_to_num(fit["electors"].transpose(*over[:2]).values)
    place, cell = np.nonzero(electors > 0)
    parties = fit["party"].values.astype(str)
    times = len(parties)
    labels = fit["cell_category"].transpose("cell", "axis").values.astype(str)
    columns: dict[str, Any] = {
        "constituency": np.repeat(fit["constituency"].values.astype(str)[place], times),
        "cell": np.repeat(fit["cell"].values.astype(str)[cell], times),
    }
    columns |= {
        f"{_AXIS}{name}": np.repeat(labels[cell, d], times) for d, name in enumerate(map(str, fit["axis"].values))
    }
    columns |= {
        "party": np.tile(parties, len(place)),
        "electors": np.repeat(electors[place, cell], times),
        "turnout": np.repeat(fit["turnout"].transpose(*over[:2]).values[place, cell], times),
        "choice": fit["choice"].transpose(*over).values[place, cell].ravel(),
    }
    return pd.DataFrame(columns)


def category_frame(fit: xr.Dataset) -> pd.DataFrame:
    """Turnout and choice of the categories of every axis, over all constituencies, a row for each party."""
    margins = fitted_margins(fit)
    parties = margins["party"].values.astype(str)
    each = {name: np.repeat(margins[name].values, len(parties)) for name in ("axis", "category", "electors", "weight")}
    found = each | {"turnout": np.repeat(margins["turnout"].values, len(parties))}
    found |= {"party": np.tile(parties, margins.sizes["group"])}
    return pd.DataFrame(found | {"choice": margins["choice"].transpose("group", "party").values.ravel()})


def booth_frame(fit: xr.Dataset) -> pd.DataFrame:
    """Booths observed and fitted, a row for each party; b_T and b_P are booth effects."""
    parties = fit["party"].values.astype(str)
    number = len(parties)
    single = {"electors": "booth_electors", "turnout": "observed_turnout", "fitted_turnout": "fitted_turnout"}
    single |= {name: name for name in ("b_T", "held_out")}
    double = {"share": "observed_share", "fitted_share": "fitted_share", "b_P": "b_P"}
    columns: dict[str, Any] = {"booth": np.repeat(fit["booth"].values.astype(str), number)}
    if "booth_constituency" in fit.coords:
        columns["constituency"] = np.repeat(fit["booth_constituency"].values.astype(str), number)
    columns |= {name: np.repeat(fit[source].values, number) for name, source in single.items() if source in fit}
    columns["party"] = np.tile(parties, fit.sizes["booth"])
    for name, source in double.items():
        if source in fit:
            columns[name] = fit[source].transpose("booth", "party").values.ravel()
    return pd.DataFrame(columns)


def swap_frames(worlds: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Other candidates: votes and seats by party before, after and their difference; and by constituency."""
    whole = {"party": worlds["party"].values.astype(str)}
    for name in ("votes", "seats"):
        whole |= _compared(worlds, name, ("party",))
    over = ("constituency", "party")
    places, parties = (worlds[dim].values.astype(str) for dim in over)
    each = {"constituency": np.repeat(places, len(parties)), "party": np.tile(parties, len(places))}
    each |= {"changed": worlds["changed"].transpose(*over).values.ravel()}
    each |= _compared(worlds, "constituency_votes", over, "votes")
    each |= _compared(worlds, "constituency_share", over, "share")
    if "p_win" in worlds:
        each |= {f"p_win_{s}": worlds["p_win"].sel(scenario=s).transpose(*over).values.ravel() for s in _SCENARIOS}
    return {"counterfactual": pd.DataFrame(whole), "counterfactual_constituencies": pd.DataFrame(each)}


_SCENARIOS = ("before", "after")


def _compared(worlds: xr.Dataset, name: str, over: tuple[str, ...], short: str = "") -> dict[str, np.ndarray]:
    """A variable before and after, and its change with the ends of its interval."""
    short = short or name
    if name not in worlds:
        return {}
    found = {f"{short}_{s}": worlds[name].sel(scenario=s).transpose(*over).values.ravel() for s in _SCENARIOS}
    for end in _ENDS:
        if f"{name}_change{end}" in worlds:
            found[f"{short}_change{end}"] = worlds[f"{name}_change{end}"].transpose(*over).values.ravel()
    return found


def diagnostic_frame(nodes: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """The diagnostics by name: verdict, finding, and why the verdict is not good."""
    rows = []
    for name, found in nodes.items():
        told = verdict_of(found.attrs)
        level, reasons = ("", ()) if told is None else (told.level, told.reasons)
        rows.append(
            {"diagnostic": name, "verdict": level, "finding": found.attrs["finding"], "reasons": " ".join(reasons)}
        )
    return pd.DataFrame(rows)


def prediction_frames(found: xr.Dataset) -> dict[str, pd.DataFrame]:
    """A prediction: parties, constituencies and booths, each with the ends of its intervals where there are draws."""
    parties = found["party"].values.astype(str)
    number = len(parties)
    whole = {"party": parties} | _with_ends(found, {"votes": "party_votes", "share": "party_share"}, ("party",))
    places = found["constituency"].values.astype(str)
    each = {"constituency": np.repeat(places, number), "party": np.tile(parties, len(places))}
    each |= _with_ends(found, {"votes": "constituency_votes"}, ("constituency", "party"))
    booths = {name: np.repeat(found[name].values.astype(str), number) for name in ("booth", "booth_constituency")}
    booths["constituency"] = booths.pop("booth_constituency")
    turnout = _with_ends(found, {"turnout": "turnout"}, ("booth",))
    booths |= {"known": np.repeat(found["known"].values, number)}
    booths |= {name: np.repeat(values, number) for name, values in turnout.items()}
    booths["party"] = np.tile(parties, found.sizes["booth"])
    booths |= _with_ends(found, {"votes": "votes", "share": "share"}, ("booth", "party"))
    return {"parties": pd.DataFrame(whole), "constituencies": pd.DataFrame(each), "booths": pd.DataFrame(booths)}


def _with_ends(found: xr.Dataset, names: Mapping[str, str], over: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {
        f"{short}{end}": found[f"{name}{end}"].transpose(*over).values.ravel()
        for short, name in names.items()
        for end in _ENDS
        if f"{name}{end}" in found
    }


def _places(fit: xr.Dataset) -> list[dict[str, str]]:
    """Axis, and party where each has its own, of the coefficients in their order."""
    if "eta" not in fit:
        return []
    axes = [str(axis) for axis in fit["axis"].values]
    if "party" not in fit["eta"].dims:
        return [{"axis": axis} for axis in axes]
    return [{"party": str(party), "axis": axis} for party in fit["party"].values for axis in axes]


def _ratio(value: float | None, error: float | None) -> float | None:
    return None if value is None or not error else value / error
