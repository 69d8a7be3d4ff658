"""What the command line does with voter types: fit one or several numbers of types, and choose among them."""

import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

import electjax
from electjax.data.options import option, options
from electjax.data.progress import Stages
from electjax.report.result import Predict, Result, Source, Sweep, Task, path_from, taken_by, write_tree
from electjax.report.sweep import sweep_figure
from electjax.report.tables import Metrics, plain, single_numbers
from electjax.voter_types import applied
from electjax.voter_types.describing import describe, option_table
from electjax.voter_types.frames import membership_frame, pairs_frame, selection_frame, shares_frame, types_frame
from electjax.voter_types.options import (
    NOT_ON_THE_COMMAND_LINE,
    Criterion,
    FitOptions,
    ReadOptions,
    SelectOptions,
    TaskOptions,
    YumaOptions,
)
from electjax.voter_types.report.figures import shares
from electjax.voter_types.schema import FIT

_REACH = 1.96
_MOST_PAIRS = 10  # of offices that the page names
_LONG = ("profile", "theta", "theta_", "start", "iteration")  # dims that only fit.nc has


@options
class BallotsData(ReadOptions, YumaOptions):
    """A user's file of cast ballots; without a path, ballots that are generated."""

    path: str | None = option(meaning="the file of ballots; its format is told by its header; null: they are generated")
    name: str = option("${electjax.stem:}", "what results are filed under")


def load(data: BallotsData, folder: Path, settings: TaskOptions) -> xr.Dataset:
    """The ballots of a user's file, or generated ones."""
    if data.path is None:
        ballots = electjax.voter_types.yuma_like(**taken_by(YumaOptions, data))
    else:
        ballots = electjax.voter_types.read(path_from(folder, data.path), **taken_by(ReadOptions, data))
    return ballots.assign_attrs(name=data.name)


def voter_types(ballots: xr.Dataset, settings: TaskOptions, stage: Stages) -> Result:
    """Fit every number of types of the settings, choose one, and describe it.

    The tree has `/selection` with a row per number of types, `/fit`, the fit that was chosen, its `/residuals`, and
    `/bootstrap` where the settings ask for it.
    """
    started = time.perf_counter()
    counts, seed = settings.counts, settings.seed
    with warnings.catch_warnings():  # the report leads with the verdict
        warnings.simplefilter("ignore", UserWarning)
        selection = None
        if len(counts) > 1:
            selection = electjax.voter_types.select(
                ballots, types=counts, progress=stage("how many types"), **taken_by(SelectOptions, settings)
            )
        chosen = counts[0] if selection is None else choose(selection, settings.choose)
        said = stage(f"{chosen} type{'s' if chosen > 1 else ''}")
        fit = electjax.voter_types.fit(ballots, types=chosen, progress=said, **taken_by(FitOptions, settings))
    nodes = {"/fit": fit, "/selection": selection_of(fit) if selection is None else selection}
    nodes["/residuals"] = electjax.voter_types.residuals(fit, ballots)
    if settings.bootstrap:
        nodes["/bootstrap"] = electjax.voter_types.bootstrap(
            fit, ballots, replicates=settings.bootstrap, seed=seed, level=settings.level, progress=stage("bootstrap")
        )
    metrics: Metrics = {
        "ballots": str(ballots.attrs.get("name", "ballots")),
        "voters": ballots.sizes["voter"],
        "rows": int(fit.attrs["rows"]),
        "offices": ballots.sizes["office"],
        "restarts": int(fit.attrs["restarts"]),
        "types": {str(count): single_numbers(nodes["/selection"].sel(types=count)) for count in counts},
        "fit": fit_metrics(fit) | {"chosen_by": settings.choose if selection is not None else chosen},
        "residuals": single_numbers(nodes["/residuals"]),
    }
    if settings.bootstrap:
        again = nodes["/bootstrap"]
        metrics["bootstrap"] = {"replicates": settings.bootstrap, "shares_se": plain(again["pi_se"])}
        metrics["bootstrap"] |= _parameters(again, ("mu_se", "gamma_se"))
    truth = recovery(fit, ballots)
    metrics |= {} if truth is None else {"truth": truth}
    pairs = pairs_frame(nodes["/residuals"]).head(_MOST_PAIRS)["residual"]
    found = zip(pairs.index.tolist(), pairs, strict=True)
    metrics["least_explained"] = [[*map(str, pair), plain(value)] for pair, value in found]
    metrics |= {"remarks": json.loads(fit.attrs["remarks"]), "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def selection_of(fit: xr.Dataset) -> xr.Dataset:
    """What `voter_types.select` says of a single fit."""
    names = ("log_likelihood", "parameters", *get_args(Criterion), "entropy")
    values = {name: ("types", [fit.attrs[name]]) for name in names}
    share = fit["maxima_starts"].values[:1] / fit.attrs["restarts"]
    return xr.Dataset(values | {"starts_at_best": ("types", share)}, coords={"types": [fit.sizes["type"]]})


def choose(selection: xr.Dataset, by: str | int) -> int:
    """The number of types with the smallest value of a criterion, or the number that is given."""
    if not isinstance(by, str):
        return by
    return int(selection["types"].values[int(selection[by].values.argmin())])


def fit_metrics(fit: xr.Dataset) -> Metrics:
    """The parameters of a fit as plain numbers: mu by office with a row per type, gamma by term; options by office."""
    value, low, high = shares(fit)
    labels = option_table(fit)
    found: Metrics = {
        "types": fit.sizes["type"],
        "log_likelihood": plain(fit.attrs["log_likelihood"]),
        "level": float(fit.attrs["level"]),
        "shares": plain(value),
        "shares_low": plain(low),
        "shares_high": plain(high),
        "does": [each.does for each in describe(fit)],
        "options": {str(office): [*map(str, row)] for office, row in zip(fit["office"].values, labels, strict=True)},
    }
    return found | _parameters(fit, ("mu", "mu_se", "mu_low", "mu_high", "gamma", "gamma_se"))


def _parameters(fit: xr.Dataset, names: tuple[str, ...]) -> Metrics:
    found: Metrics = {}
    for name in names:
        if name in fit:
            key = "term" if name.startswith("gamma") else "office"
            array = fit[name].transpose(key, "type", ...)
            found[name] = {str(label): plain(array.sel({key: label})) for label in fit[key].values}
    return found


def recovery(fit: xr.Dataset, ballots: xr.Dataset) -> Metrics | None:
    """How far a fit is from the truth of generated ballots; None where it is not known or has other types.

    The types are matched to the true ones by what they do.
    """
    if "true_mu" not in ballots or ballots.sizes["type"] != fit.sizes["type"]:
        return None
    dims = ("type", "office", "option")
    mu, error, truth = (
        data.transpose(*dims).values for data in (fit["mu"], fit.get("mu_se", fit["mu"] * np.nan), ballots["true_mu"])
    )
    cost = np.nansum((truth[:, None] - mu[None]) ** 2, axis=(2, 3))
    match = linear_sum_assignment(cost)[1]
    known = np.isfinite(mu[match]) & np.isfinite(error[match]) & (error[match] > 0)
    z = np.abs((mu[match] - truth)[known] / error[match][known])
    label = electjax.voter_types.predict(fit, ballots)["modal_type"].values
    likeliest = np.argsort(match)[np.searchsorted(fit["type"].values, label)]
    names = ballots["type_name"].values if "type_name" in ballots.coords else ballots["type"].values
    return {
        "types": [str(name) for name in names],
        "fitted_types": plain(fit["type"].values[match]),
        "shares": plain(ballots["true_pi"].values),
        "fitted_shares": plain(fit["pi"].values[match]),
        "compared": int(known.sum()),
        "within": plain((z < _REACH).mean()) if z.size else None,
        "largest_z": plain(z.max()) if z.size else None,
        "agreement": plain((likeliest + 1 == ballots["true_type"].values).mean()),
    }


# ------------------------------------------------------------------------------------ sweeps


def sweep_rows(metrics: Metrics) -> list[tuple[Metrics, Metrics]]:
    """What was chosen, how it fits, and the shares of the types."""
    fit = metrics["fit"]
    chosen = metrics["types"][str(fit["types"])]
    names = ("log_likelihood", "parameters", "aic", "bic", "icl", "entropy")
    columns = {f"share_{k + 1}": share for k, share in enumerate(fit["shares"])}
    return [({}, {"types": fit["types"], **{name: chosen[name] for name in names}, **columns})]


def sweep_figures(table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[Metrics]) -> list[Figure]:
    """BIC and the shares of the types."""
    label = keys[0] if len(keys) == 1 else "job"
    names = [name for name in table if str(name).startswith("share_")]
    columns = {str(name).replace("share_", "type "): table[name].tolist() for name in names}
    panels = {"BIC": {"BIC": table["bic"].tolist()}, "share of the voters": columns}
    return [
        sweep_figure(table[label].tolist(), values, label=label, ylabel=ylabel, whole=False)
        for ylabel, values in panels.items()
    ]


def report(result: Result) -> Any:
    """The page of a run, and its table."""
    from electjax.voter_types.report import page

    return page.report(result)


def write(folder: Path, result: Result) -> None:
    """Write result.nc, without what has a row per ballot or parameter: fit.nc has that."""
    nodes = {name: node.to_dataset() for name, node in result.tree.children.items()}
    short = {name: found.drop_dims(_LONG, errors="ignore") for name, found in nodes.items()}
    write_tree(folder / "result.nc", xr.DataTree.from_dict(short))


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """What the types do, how many voters are of each, who, how many types, and which pairs of offices are left over."""
    fit = result.tree["fit"].to_dataset()
    found = {"types": types_frame(fit), "shares": shares_frame(fit)}
    if fit.sizes["type"] > 1:
        found["membership"] = membership_frame(fit)
    if result.tree["selection"].sizes["types"] > 1:
        found["selection"] = selection_frame(result.tree["selection"].to_dataset())
    return found | {"residuals": pairs_frame(result.tree["residuals"].to_dataset())}


TASKS = (
    Task(
        "voter_types",
        "find the types of voters in cast ballots by EM (data=ballots)",
        kind="ballots",
        example="data=ballots data.path=my.csv",
        sources={"ballots": Source(BallotsData, load)},
        groups={"voter_types": {"em": TaskOptions}},
        options=TaskOptions,
        run=voter_types,
        report=report,
        sweep=Sweep(sweep_rows, sweep_figures),
        section="voter_types",
        hidden=NOT_ON_THE_COMMAND_LINE,
        write=write,
        fits=lambda result: {"": result.tree["fit"].to_dataset()},
        tables=tables,
        predict=Predict((FIT.conventions,), applied.predicted, applied.report, applied.tables),
    ),
)
