"""Task `calm`: booths fitted by the candidate-aware model, the fit examined, and what other candidates would change."""

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import norm

import electjax
from electjax.labelled.booths.fitted_margins import fitted_margins
from electjax.tasks.metrics import Metrics, plain, single_numbers
from electjax.tasks.progress import Stages, silent
from electjax.tasks.result import Result
from electjax.tasks.settings import CalmSettings, Settings

VERBS = {  # by the name of a diagnostic in the settings
    "holdout": "holdout_calm",
    "placebo": "placebo_calm",
    "rho": "rho_curve_calm",
    "mobilisation": "mobilisation_calm",
    "stability": "stability_calm",
    "collinearity": "collinearity_calm",
}
_FIT_ONLY = ("errors", "holdout", "penalties")  # options that a diagnostic sets itself


def calm(booths: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """Fit the model, and do what else the settings ask for.

    The tree has `/fit`, `/margins` (turnout and choice by axis), a node per diagnostic by its name, `/counterfactual`
    where other candidates are given, and `/affinity` for the document's example.
    """
    started = time.perf_counter()
    own, seed = settings.calm, settings.seed
    with warnings.catch_warnings():  # the fit says what is to be said, below
        warnings.simplefilter("ignore", UserWarning)
        said = stage("fit")
        fit = electjax.fit_calm(booths, seed=seed, progress=said, **own.options)
        said(1, 1, f"{fit.attrs['steps']} steps")
        nodes = {"/fit": fit, "/margins": fitted_margins(fit)}
        for name in own.diagnostics:
            said = stage(name)
            verb, watched = getattr(electjax, VERBS[name]), {} if name == "collinearity" else {"progress": said}
            nodes[f"/{name}"] = verb(booths, **diagnostic_options(name, own, fit, seed), **watched)
            said(1, 1, "")
        if own.candidates:
            said = stage("other candidates")
            options: dict[str, Any] = {"draws": own.draws, "seed": seed, "level": fit.attrs["level"]}
            nodes["/counterfactual"] = electjax.counterfactual(fit, booths, candidates=own.candidates, **options)
            said(1, 1, "")
    metrics = calm_metrics(fit, booths)
    if own.example:
        nodes["/affinity"] = electjax.madipur_table(fit)
        metrics["affinity"] = affinity_metrics(nodes["/affinity"])
    metrics["diagnostics"] = {name: diagnostic_metrics(nodes[f"/{name}"]) for name in own.diagnostics}
    notes = json.loads(fit.attrs["warnings"])
    for note in notes:
        warnings.warn(note, stacklevel=1)
    metrics |= {"warnings": notes, "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def diagnostic_options(name: str, own: CalmSettings, fit: xr.Dataset, seed: int) -> dict[str, Any]:
    """What a diagnostic is called with: the model as it was fitted, at the penalties that were chosen for it."""
    options = {key: value for key, value in own.options.items() if key not in _FIT_ONLY}
    if own.options.get("penalties") == "holdout":
        chosen = json.loads(fit.attrs["options"])
        options |= {key: value for key, value in chosen.items() if key.startswith("lambda_")}
    seeded = {} if name == "collinearity" else {"seed": seed}
    return options | seeded | dict(own.diagnostic_options.get(name, {}))


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
    validation = json.loads(fit.attrs["validation"])
    found |= {"validation_loss": validation} if validation else {}
    truth = recovery(fit, booths)
    return found if truth is None else found | {"truth": truth}


def diagnostic_metrics(found: xr.Dataset) -> Metrics:
    """The verdict of a diagnostic, its single numbers, and what booths that were held out gain, by measure."""
    metrics: Metrics = {"verdict": str(found.attrs["verdict"])} | single_numbers(found)
    for measure in found["measure"].values if "gain" in found else []:
        own = found.sel(measure=measure)
        loss = {str(model): plain(own["loss"].sel(model=model)) for model in found["model"].values}
        metrics[str(measure)] = loss | {name: plain(own[name]) for name in ("gain", "gain_se", "gain_z")}
    return metrics


def affinity_metrics(table: xr.Dataset) -> list[Metrics]:
    """g of named cells, as it is and standardised, by axis; and what the candidate gains there in log odds."""
    rows = []
    for cell in table["cell"].values:
        own = table.sel(cell=cell)
        row: Metrics = {"cell": str(cell)}
        for name in ("raw", "standardised"):
            row[name] = {str(axis): plain(own[name].sel(axis=axis)) for axis in table["axis"].values}
        rows.append(row | ({"boost": plain(own["boost"])} if "boost" in own else {}))
    return rows


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
    mean absolute error of the cells, each weighted by its electors.
    """
    if "true_eta" not in booths or "eta" not in fit:
        return None
    reach = norm.ppf(0.5 + float(fit.attrs["level"]) / 2)
    rows: Metrics = {}
    compared: list[np.ndarray] = []
    for name in ("eta", "xi", "beta_T", "beta_P"):
        truth = booths.get(f"true_{name}")
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
    return found | _planted(booths)


def _planted(booths: xr.Dataset) -> Metrics:
    """The proximity of adjacent age bins that was planted."""
    said: Mapping[str, Any] = json.loads(booths.attrs.get("truth", "{}"))
    return {"rho_age": said["rho"]["age"]} if "age" in said.get("rho", {}) else {}
