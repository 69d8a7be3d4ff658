"""What a fit of CALM, its diagnostics and other candidates come to: plain numbers, and a fit by category."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import norm

from electjax.calm.options import read_options
from electjax.data.axes import axes_of
from electjax.data.notes import notes_of
from electjax.data.verdict import verdict_of
from electjax.report.tables import Metrics, plain, single_numbers

PLANTED = ("eta", "xi", "beta_T", "beta_P")  # parameters whose true values generated booths have


def calm_metrics(fit: xr.Dataset, booths: xr.Dataset) -> Metrics:
    """What was fitted and what came out, as plain numbers."""
    found: Metrics = {
        "data": str(booths.attrs.get("name", "booths")),
        "booths": booths.sizes["booth"],
        "constituencies": booths.sizes["constituency"],
        "cells": booths.sizes["cell"],
        "parties": [str(party) for party in booths["party"].values],
        "electors": int(booths["electors"].sum()),
        "votes": int(booths["polled"].sum()),
        "level": float(fit.attrs["level"]),
        "coefficients": coefficients(fit),
        "parameters": parameters(fit),
        **{name: plain(fit.attrs[name]) for name in ("objective", "log_likelihood", "gradient") if name in fit.attrs},
        "steps": int(fit.attrs["steps"]),
        "converged": bool(fit.attrs["converged"]),
        "scatter": scatter(fit),
    }
    found |= {"notes": notes_of(fit)}
    validation = json.loads(fit.attrs["validation"])
    found |= {"validation_loss": validation} if validation else {}
    truth = recovery(fit, booths)
    return found if truth is None else found | {"truth": truth}


def diagnostic_metrics(found: xr.Dataset) -> Metrics:
    """What a diagnostic says, its single numbers, and what booths that were held out gain, by measure."""
    told = verdict_of(found.attrs)
    metrics: Metrics = {"finding": str(found.attrs["finding"])} | ({} if told is None else {"verdict": told.level})
    metrics |= single_numbers(found)
    for measure in found["measure"].values if "gain" in found else []:
        own = found.sel(measure=measure)
        loss = {str(model): plain(own["loss"].sel(model=model)) for model in found["model"].values}
        metrics[str(measure)] = loss | {name: plain(own[name]) for name in ("gain", "gain_se", "gain_z")}
    return metrics


def swap_metrics(worlds: xr.Dataset, candidates: Mapping[str, Any]) -> Metrics:
    """Votes and seats before and after `candidates` were swapped, and the difference: in all, and where they were."""
    changed = worlds["changed"].transpose("constituency", "party")
    places = [str(place) for place in worlds["constituency"].values[changed.any("party").values]]
    return {
        "changes": [
            f"{place}, {party}: {_traits(own)}"
            for place, parties in candidates.items()
            for party, own in parties.items()
        ],
        "parties": {
            str(party): {name: _change(worlds.sel(party=party), name) for name in ("votes", "seats")}
            for party in worlds["party"].values
        },
        "places": {
            place: {
                str(party): {"votes": _change(worlds.sel(constituency=place, party=party), "constituency_votes")}
                for party in worlds["party"].values
            }
            for place in places
        },
    }


def _traits(own: Mapping[str, Any] | None) -> str:
    if own is None:
        return "does not stand"
    return ", ".join(f"{axis} {'unknown' if trait is None else trait}" for axis, trait in own.items()) or "as it was"


def _change(world: xr.Dataset, name: str) -> Metrics:
    before, after = (plain(world[name].sel(scenario=scenario)) for scenario in ("before", "after"))
    ends = {
        end: plain(world[f"{name}_change_{end}"]) if f"{name}_change_low" in world else None for end in ("low", "high")
    }
    return {"before": before, "after": after, "change": {"value": plain(world[f"{name}_change"]), **ends}}


def affinity_metrics(table: xr.Dataset) -> Metrics:
    """g of named cells and a candidate, as it is and standardised, by axis; and what that gains in log odds."""
    rows = []
    for cell in table["cell"].values:
        own = table.sel(cell=cell)
        row: Metrics = {"cell": str(cell)}
        for name in ("raw", "standardised"):
            row[name] = {str(axis): plain(own[name].sel(axis=axis)) for axis in table["axis"].values}
        rows.append(row | ({"boost": plain(own["boost"])} if "boost" in own else {}))
    return {"candidate": table.attrs["candidate"], "cells": rows}


def fitted_margins(fit: xr.Dataset) -> xr.Dataset:
    """Fitted turnout and choice by category of each axis, over all constituencies.

    A category's turnout is the mean over its electors, its choice the mean over those who are expected to vote, both at
    the mean booth effect of the constituency.

    Returns:
        `turnout(group)`, `choice(group, party)`, `electors(group)` and, as shares of an axis, `weight(group)`; a group
        is a category of an axis, named in the coordinates `axis` and `category`.
    """
    electors = fit["electors"].transpose("constituency", "cell").values
    voters = electors * np.nan_to_num(fit["turnout"].transpose("constituency", "cell").values)
    choice = np.nan_to_num(fit["choice"].transpose("constituency", "cell", "party").values)
    votes = np.einsum("ac,ack->ck", voters, choice)
    electors, voters = electors.sum(0), voters.sum(0)
    labels = fit["cell_category"].transpose("cell", "axis").values.astype(str)
    rows = []
    for d, axis in enumerate(fit["axis"].values):
        for category in dict.fromkeys(label for label in labels[:, d] if label):
            own = labels[:, d] == category
            size, voting = electors[own].sum(), voters[own].sum()
            if size > 0 and voting > 0:
                rows.append((str(axis), category, size, voting / size, votes[own].sum(0) / voting))
    axes, categories, sizes, turnout, shares = zip(*rows, strict=True) if rows else ((),) * 5
    of_axis = {axis: sum(size for name, size in zip(axes, sizes, strict=True) if name == axis) for axis in axes}
    return xr.Dataset(
        {
            "turnout": ("group", np.array(turnout, float)),
            "choice": (("group", "party"), np.array(shares, float).reshape(len(rows), fit.sizes["party"])),
            "electors": ("group", np.array(sizes, float)),
            "weight": ("group", np.array([size / of_axis[axis] for axis, size in zip(axes, sizes, strict=True)])),
        },
        coords={
            "axis": ("group", np.array(axes, dtype=str)),
            "category": ("group", np.array(categories, dtype=str)),
            "party": fit["party"].values,
        },
    )


def coefficients(fit: xr.Dataset) -> Metrics:
    """eta by component, such as "age" or "BJP: age".

    Per standard deviation of g in log odds, with its interval; for g as it is (`raw`); as the average effect on a
    party's share in percentage points; and what a full match adds over an average one (`boost`).
    """
    if "eta" not in fit:
        return {}
    reach = norm.ppf(0.5 + float(fit.attrs["level"]) / 2)
    found: Metrics = {}
    for label, where in _components(fit["eta"]):
        row = {"eta": plain(fit["eta"].sel(where))}
        for name in ("eta_se", "eta_raw", "eta_raw_se", "eta_pp", "eta_pp_se", "boost", "g_mean", "g_sd"):
            if name in fit:
                known = {dim: at for dim, at in where.items() if dim in fit[name].dims}
                row[name] = plain(fit[name].sel(known))
        if "identified" in fit:
            at = {dim: label for dim, label in where.items() if dim in fit["identified"].dims}
            row["identified"] = bool(fit["identified"].sel(at))
        error = row.get("eta_se")
        for end, sign in (("low", -1), ("high", 1)):
            row[end] = None if error is None or row["eta"] is None else row["eta"] + sign * reach * error
        found[label] = row
    return found


def _components(values: xr.DataArray) -> Iterator[tuple[str, dict[str, str]]]:
    """Labels of the entries of a coefficient, and where they stand."""
    parties = values["party"].values if "party" in values.dims else [None]
    for party in parties:
        for axis in values["axis"].values:
            if party is None:
                yield str(axis), {"axis": str(axis)}
            else:
                yield f"{party}: {axis}", {"party": str(party), "axis": str(axis)}


def parameters(fit: xr.Dataset) -> Metrics:
    """The other parameters that are few, by name, with their standard errors: {"value", "se"}."""
    found: Metrics = {}
    for name in ("alpha", "gamma", "xi", "rho_T", "rho_P"):
        if name not in fit:
            continue
        error = fit.get(f"{name}_se")
        labels = fit["party"].values if fit[name].dims else [None]
        for label in labels:
            where = {} if label is None else {"party": label}
            found[name if label is None else f"{name}[{label}]"] = {
                "value": plain(fit[name].sel(where)),
                "se": None if error is None else plain(error.sel(where)),
            }
    return found


def scatter(fit: xr.Dataset) -> Metrics:
    """How far the booths' fitted shares are from those observed: root mean squares, each booth counting once."""
    turnout = fit["fitted_turnout"] - fit["observed_turnout"]
    share = (fit["fitted_share"] - fit["observed_share"]).transpose("booth", "party")
    rms = {str(party): plain(np.sqrt((share.sel(party=party) ** 2).mean())) for party in share["party"].values}
    return {"turnout": plain(np.sqrt((turnout**2).mean())), "share": rms}


def recovery(fit: xr.Dataset, booths: xr.Dataset) -> Metrics | None:
    """How far a fit is from the truth of generated booths; None where that is not known.

    `parameters` by label with truth, estimate and z; `within`, how many of all compared lie in their interval; and the
    mean absolute error of the cells, each weighted by its electors. Parameters are compared where they are the same
    quantity (`_same`).
    """
    if "true_eta" not in booths or "eta" not in fit:
        return None
    known = _same(fit, booths)
    reach = norm.ppf(0.5 + float(fit.attrs["level"]) / 2)
    rows: Metrics = {}
    compared: list[np.ndarray] = []
    for name in PLANTED:
        truth = known.get(name)
        if truth is None or name not in fit or set(truth.dims) != set(fit[name].dims):
            continue
        error = fit.get(f"{name}_se", fit[name] * np.nan)
        truth, value, error = xr.align(truth, fit[name], error, join="inner")
        compare = xr.Dataset({"truth": truth, "estimate": value, "se": error.where(error > 0)})
        compare["z"] = (value - truth) / compare["se"]
        compared.append(compare["z"].values[np.isfinite(compare["z"].values)])
        if name.startswith("beta"):
            continue
        each = [(name, compare)] if not truth.dims else []
        each += [(f"{name}[{label}]", compare.sel({dim: label})) for dim in truth.dims for label in truth[dim].values]
        rows |= {label: single_numbers(one) for label, one in each}
    z = np.concatenate(compared) if compared else np.zeros(0)
    found: Metrics = {
        "parameters": rows,
        "compared": int(z.size),
        "within": plain((np.abs(z) < reach).mean()) if z.size else None,
        "largest_z": plain(np.abs(z).max()) if z.size else None,
    }
    weight = fit["electors"]
    for name in ("turnout", "choice"):
        if f"true_{name}" in booths:
            gap = abs(fit[name] - booths[f"true_{name}"])
            found[f"{name}_error"] = plain(gap.weighted(weight.fillna(0)).mean())
    said: Mapping[str, Any] = json.loads(booths.attrs.get("truth", "{}"))
    return found | {"proximity": said.get("proximity", {})}


def _same(fit: xr.Dataset, booths: xr.Dataset) -> dict[str, xr.DataArray]:
    """True values by name of what means the same in the fit: eta per standard deviation of the fit's g.

    An eta whose axis has another kernel or proximity than the truth, or that shares its work with a two-tower term, is
    another quantity; so are coefficients relative to a category or a party, or beside a g that features were taken off,
    and a xi of an m_ic that is made otherwise.
    """
    said, options = json.loads(booths.attrs.get("truth", "{}")), read_options(fit.attrs["options"])
    design, true = options.design, {name: booths[f"true_{name}"] for name in PLANTED if f"true_{name}" in booths}
    made, taken = (
        {axis.name: replace(axis, proximity=None) for axis in axes_of(attrs["axes"])}
        for attrs in (booths.attrs, booths.attrs | fit.attrs)
    )
    names = [str(name) for name in fit["axis"].values]
    alike = np.array([made.get(name) == taken.get(name) for name in names])
    planted = said.get("proximity", {})
    if "proximity" in fit:
        near = zip(names, fit["proximity"].values, strict=True)
        alike &= np.array([bool(np.isclose(value, planted.get(name, value))) for name, value in near])
    scale = np.ones(len(names))
    if "g_sd" in said:
        sd = np.array([said["g_sd"].get(name, np.nan) for name in names])
        scale = fit["g_sd"].values / np.where(sd > 0, sd, np.nan)
    elif design.project or design.weighting != "plain":
        scale = np.full(len(names), np.nan)
    found: dict[str, xr.DataArray] = {}
    if not design.tower:
        factor = xr.DataArray(np.where(alike, scale, np.nan), dims="axis", coords={"axis": names})
        found["eta"] = (true["eta"] * factor).dropna("axis")
    if options.coding != "reference" and design.identification == "sum_to_zero" and not design.project:
        wanted = ("beta_T",) if design.tower else ("beta_T", "beta_P")
        found |= {name: true[name] for name in wanted if name in true}
    weights = np.array([said.get("axis_weight", {}).get(name, 1 / len(names)) for name in names])
    same = design.mobilisation == "previous" and not design.raw_mobilisation and bool(alike.all())
    same = same and "axis_weight" in fit and np.allclose(fit["axis_weight"].values, weights)
    if "xi" in true and same and np.allclose(scale, 1, rtol=1e-2):
        found["xi"] = true["xi"]
    return found
