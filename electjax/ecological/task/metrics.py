"""What estimates of cross-tables come to, as plain numbers."""

import json

import numpy as np
import xarray as xr

from electjax.ecological.report.tables import context_table, coverage_table
from electjax.report.metrics import Metrics, plain


def cells_metrics(fit: xr.Dataset, units: xr.Dataset) -> Metrics:
    """What was estimated, what rests on the context, and how far it is from the truth, if that is known."""
    found: Metrics = {
        "data": str(units.attrs.get("name", "units")),
        "contests": units.sizes["contest"],
        "units": units.sizes["unit"],
        "votes": plain(units["column_margin"].sum()),
        "rows": str(units.attrs["rows"]),
        "counted": int(units["truth"].notnull().any(("row", "column")).sum()) if "truth" in units else 0,
        "method": str(fit.attrs["method"]),
    }
    found |= {name: plain(fit.attrs[name]) for name in ("context", "context_sd", "steps") if name in fit.attrs}
    if "converged" in fit.attrs:
        found["converged"] = bool(fit.attrs["converged"])
    found |= method_metrics(fit)
    if "share_low" in fit:
        lines = coverage_table(fit).to_dict("records")
        found["intervals"] = {
            f"{line['level']:g}": {"coverage": plain(line["covered"]), "width": plain(line["width"])} for line in lines
        }
    if "cells_by_context" in fit:
        lines = context_table(fit).to_dict("records")
        found["by_context"] = {
            f"{line['context']:g}": {name: plain(line[name]) for name in ("mean_ei", "own_party", "moved")}
            for line in lines
        }
    if "error" in fit:
        found["ei"] = {str(label): plain(fit["error"].sel(contest=label)) for label in fit["contest"].values}
    for name, over in (("kind_logit", "kind"), ("feature_effect", "feature")):
        if name in fit:
            found[name] = {str(label): plain(fit[name].sel({over: label})) for label in fit[over].values}
    if "parameters" in units.attrs:
        found["planted"] = json.loads(units.attrs["parameters"])
    return found


def method_metrics(result: xr.Dataset) -> Metrics:
    """Mean, median and worst EI over the contests whose tables were counted; None without such."""
    error = result["error"].values if "error" in result else np.zeros(0)
    error = error[np.isfinite(error)]
    if not error.size:
        return dict.fromkeys(("mean_ei", "median_ei", "worst_ei"))
    return {"mean_ei": plain(error.mean()), "median_ei": plain(np.median(error)), "worst_ei": plain(error.max())}
