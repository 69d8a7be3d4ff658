"""What the command line does with units: estimate cross-tables from margins, by several methods, against truth."""

import json
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import electjax
from electjax.data.notes import notes_of
from electjax.data.options import option, options
from electjax.data.progress import Stages
from electjax.ecological.options import EstimateOptions, ReadOptions, SimulateOptions, TaskOptions
from electjax.ecological.report.tables import check_table, context_table, coverage_table
from electjax.ecological.verbs.table import frame_of, pooled_table
from electjax.report.result import Result, Source, Sweep, Task, given, path_from, taken_by, write_tree
from electjax.report.sweep import sweep_figure
from electjax.report.tables import Metrics, plain

ERROR = "mean_ei"
_CANDIDATE = "own_candidate"  # share of the votes in cells of a party's voters and its candidate
_FILES = ("column_table", "truth", "row_traits", "column_traits")  # options of `read` that may be paths
_LONG = ("unit", "draw")  # dims that only fit.nc has


@options
class UnitsData(ReadOptions):
    """A user's file of units."""

    path: str = option(meaning="the table of units; its format is told by its header")
    name: str = option("${electjax.stem:}", "what results are filed under")


def read(data: UnitsData, folder: Path, settings: TaskOptions) -> xr.Dataset:
    """The units of a user's file. Faults name the key of the configuration."""
    path, values = path_from(folder, data.path), given(data, "path")
    files = {key: path_from(folder, values[key]) for key in _FILES if isinstance(values[key], str)}
    try:
        return electjax.ecological.read(path, **values | files)
    except electjax.ElectionDataError as error:
        message = str(error)
        paths = {"path": path, **files}
        key = next((key for key, file in paths.items() if message.startswith(f"{file}: ")), None)
        raise electjax.ElectionDataError(f"data.{key}: {message}" if key else in_keys(message, values)) from None


def in_keys(message: str, keys: Collection[str]) -> str:
    """A message about arguments as one about keys: `units.csv, contest: ...` begins with `data.contest`."""
    options = "|".join(item.name for item in fields(UnitsData))
    said = re.sub(rf"(?<![\w.])({options})=", r"data.\1=", message)
    said = re.sub(r"^ecological\.\w+\((?:data\.)?(\w+)=\)", r"data.\1", said)
    place = said.partition(": ")[0]
    key = place.rpartition(", ")[2]
    if key not in keys or key == place:
        return f"data.{said}" if place in keys else said
    return f"data.{key}: {place.removesuffix(f', {key}')}: {said.removeprefix(f'{place}: ')}"


def generate(data: SimulateOptions, folder: Path, settings: TaskOptions) -> xr.Dataset:
    """Units with a known truth."""
    return electjax.ecological.simulate(**given(data))


def ecological(units: xr.Dataset, settings: TaskOptions, stage: Stages) -> Result:
    """Estimate the tables by the method of the settings, and by those they compare it with.

    The tree has `/units`, `/fit`, and a node per other method by its name.
    """
    started = time.perf_counter()
    method = settings.method
    nodes, seconds = {"/units": units}, {}
    for name in dict.fromkeys((method, *settings.baselines)):
        begun, said = time.perf_counter(), stage("estimate" if name == method else name)
        if name == method:
            found = electjax.ecological.estimate(units, progress=said, **taken_by(EstimateOptions, settings))
        else:
            found = electjax.ecological.estimate(units, method=name)
            said(1, 1, "")
        nodes["/fit" if name == method else f"/{name}"] = found
        seconds[name] = time.perf_counter() - begun
    fit = nodes["/fit"]
    metrics = table_metrics(fit, units)
    others = {name: nodes["/fit" if name == method else f"/{name}"] for name in seconds}
    metrics["methods"] = {name: method_metrics(found) | {"seconds": seconds[name]} for name, found in others.items()}
    metrics |= {"notes": notes_of(fit), "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def write(folder: Path, result: Result) -> None:
    """Write result.nc, without what has draws or units: data.nc and fit.nc have that."""
    methods = {name: node.to_dataset() for name, node in result.tree.children.items() if name != "units"}
    short = {name: found.drop_dims(_LONG, errors="ignore") for name, found in methods.items()}
    write_tree(folder / "result.nc", xr.DataTree.from_dict(short))


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """Every cell of every contest; all contests added up; and contest by contest how sure and how far off it is."""
    fit = result.tree["fit"].to_dataset()
    found = {"cells": electjax.ecological.table(fit), "contests": check_table(fit)}
    if fit.sizes["contest"] > 1:
        found["all_contests"] = frame_of(pooled_table(fit))
    if "cells_by_context" in fit:
        found["contexts"] = context_table(fit)
    return {name: table.dropna(axis=1, how="all") for name, table in found.items()}


# ------------------------------------------------------------------------------------ metrics


def table_metrics(fit: xr.Dataset, units: xr.Dataset) -> Metrics:
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


# ------------------------------------------------------------------------------------ sweeps


def sweep_rows(metrics: Metrics) -> list[tuple[Metrics, Metrics]]:
    """Of a job the error, coverage and widths of intervals, what the own candidates keep, and how the fit ended."""
    row: dict[str, Any] = {ERROR: metrics[ERROR], "worst_ei": metrics["worst_ei"]}
    for level, found in metrics.get("intervals", {}).items():
        percent = f"{100 * float(level):g}"
        row |= {f"coverage_{percent}": found["coverage"], f"width_{percent}": found["width"]}
    chosen = metrics.get("by_context", {}).get(f"{metrics.get('context', 0):g}", {})
    row |= {_CANDIDATE: chosen.get("own_party")}
    row |= {f"{name}_ei": found[ERROR] for name, found in metrics["methods"].items() if name != metrics["method"]}
    return [({}, row | {name: metrics[name] for name in ("steps", "converged", "seconds") if name in metrics})]


def least_error(table: pd.DataFrame, keys: Sequence[str]) -> str:
    """The setting with the least mean EI over the data that all settings have; empty where there is no choice."""
    settings = [key for key in keys if not _is_data(key)]
    known = table.dropna(subset=ERROR)
    if not settings or known.empty:
        return ""
    data = [key for key in keys if _is_data(key)]
    repeat = known[data].astype(str).agg("/".join, axis=1) if data else 0
    wide = known.assign(repeat=repeat).pivot_table(index="repeat", columns=settings, values=ERROR, sort=False)
    wide = wide.dropna()  # data that some setting failed with tell nothing of the others
    if wide.shape[1] < 2 or wide.empty:
        return ""
    mean = wide.mean().sort_values(kind="stable")
    named = [_named(settings, at) for at in mean.index]
    over = "one data set" if len(wide) == 1 else f"mean over {len(wide)} data sets"
    said = f"Least error: {named[0]}, with a mean EI of {mean.iloc[0]:.2f} % ({over});"
    said += f" next {named[1]} with {mean.iloc[1]:.2f} %."
    return f"{said} Where the truth is unknown, margins cannot make this choice."


def sweep_figures(table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[Metrics]) -> list[Figure]:
    """Mean EI along the first setting, a line for each value of the others, mean over seeds.

    Without truth, the share of the votes in cells of a party and its own candidate.
    """
    what, ylabel = (
        (ERROR, "mean EI, %") if table[ERROR].notna().any() else (_CANDIDATE, "own candidates' share of the votes")
    )
    along = next((key for key in keys if not _is_data(key)), keys[0] if keys else "job")
    others = [key for key in keys if key not in (along, "seed", "data.seed")]
    named = table[others].apply(lambda row: _named(others, tuple(row)), axis=1) if others else what.replace("_", " ")
    values = table.assign(line=named, value=pd.to_numeric(table[what]))
    wide = values.pivot_table(index=along, columns="line", values="value", sort=False, dropna=False)
    lines = {str(name): wide[name].tolist() for name in wide}
    return [sweep_figure(wide.index.tolist(), lines, label=along, ylabel=ylabel, whole=False)]


def _is_data(key: str) -> bool:
    """Whether a swept key draws or chooses other data, which repeat a setting and are none."""
    return key == "seed" or key.startswith("data.")


def _named(settings: Sequence[str], at: Any) -> str:
    values = at if isinstance(at, tuple) else (at,)
    return " ".join(f"{name}={value}" for name, value in zip(settings, values, strict=True))


def sweep_said(table: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The setting with the least error."""
    least = least_error(table, keys)
    return ["", least] if least else []


def report(result: Result) -> Any:
    """The page of a run, and its table."""
    from electjax.ecological.report import page

    return page.report(result)


TASKS = (
    Task(
        "ecological",
        "estimate the cross-tables of contests from the row and column margins of their units, beside other methods "
        "and, where it was counted, the truth (data=units)",
        kind="units",
        example="data=units data.path=my.csv",
        sources={"units": Source(UnitsData, read), "ecological": Source(SimulateOptions, generate)},
        groups={"ecological": {"ecological": TaskOptions}},
        options=TaskOptions,
        run=ecological,
        report=report,
        write=write,
        fits=lambda result: {"": result.tree["fit"].to_dataset()},
        tables=tables,
        sweep=Sweep(sweep_rows, sweep_figures, sweep_said),
        section="ecological",
    ),
)
