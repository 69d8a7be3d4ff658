"""What the command line does with CALM: fit booths, examine the fit, and ask what other candidates would change."""

import inspect
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import electjax
from electjax.calm.metrics import affinity_metrics, calm_metrics, diagnostic_metrics, fitted_margins, swap_metrics
from electjax.calm.options import DRAWS, FitOptions, ReadOptions, SimulateOptions, TaskOptions
from electjax.calm.schema import FIT
from electjax.calm.verbs.counterfactual import changes_of, swap_candidates
from electjax.calm.verbs.madipur import madipur_table
from electjax.data.axes import axes_of
from electjax.data.options import option, options
from electjax.data.progress import Stages
from electjax.report.result import Predict, Result, Source, Sweep, Task, given, path_from, taken_by, write_tree
from electjax.report.sweep import loss_surface, sweep_figure
from electjax.report.tables import Metrics, markdown_table

EVERYWHERE = "everywhere"  # stands for every constituency among other candidates
LOSS = "validation"
PROXIMITY = "calm.proximity."  # keys of proximities, before the axis
_FIT_ONLY = ("errors", "holdout", "penalties")  # options that a diagnostic sets itself
_SEEDS = ("seed", "data.seed")  # repeat a setting, and are none


@options
class Settings(FitOptions, TaskOptions):
    """Options of the task."""


@options
class BoothsData(ReadOptions):
    """A user's booths."""

    path: str = option(meaning="a folder of CSV files, or a netCDF file")
    name: str = option("${electjax.stem:}", "what results are filed under")


@options
class GeneratedBooths(SimulateOptions):
    """Booths with a known truth."""

    name: str = option(meaning="what results are filed under")
    scale: Literal["tiny", "small", "delhi"] = option(
        "small", "40, 480 or about 13,700 booths, these with the real totals of Delhi 2020"
    )


@options
class MadipurData:
    """The constituency of the document's example."""

    name: str = option(meaning="what results are filed under")
    seed: int = option(0, "of the few booths, which are generated", low=0)


def read(data: BoothsData, folder: Path, settings: Settings) -> xr.Dataset:
    """The booths of a user."""
    axes = data.axes if settings.axes is None else settings.axes
    booths = electjax.calm.read(path_from(folder, data.path), **given(data, "path", "name", "axes"), axes=axes)
    return booths.assign_attrs(name=data.name)


def generate(data: GeneratedBooths, folder: Path, settings: Settings) -> xr.Dataset:
    """Generated booths."""
    axes = data.axes if settings.axes is None else settings.axes
    booths = electjax.calm.simulate(data.scale, **given(data, "scale", "name", "axes"), axes=axes)
    return booths.assign_attrs(name=data.name)


def madipur(data: MadipurData, folder: Path, settings: Settings) -> xr.Dataset:
    """The document's example."""
    return electjax.calm.madipur(seed=data.seed).assign_attrs(name=data.name)


def calm(booths: xr.Dataset, settings: Settings, stage: Stages) -> Result:
    """Fit the model, and do what else the settings ask for.

    The tree has `/fit`, `/margins` (turnout and choice by axis), a node per diagnostic by its name, `/counterfactual`
    where other candidates are given, and `/affinity` for the document's example.
    """
    started = time.perf_counter()
    candidates = everywhere(settings.candidates, booths) if settings.draws else {}
    if candidates:  # what is not possible is refused before anything is fitted
        axes = axes_of(settings.axes or booths.attrs["axes"])
        swap_candidates(booths, changes_of(candidates, axes), axes)
    with warnings.catch_warnings():  # the fit says what is to be said, below
        warnings.simplefilter("ignore", UserWarning)
        said = stage("fit")
        fit = electjax.calm.fit(booths, progress=said, **taken_by(FitOptions, settings))
        said(1, 1, f"{fit.attrs['steps']} steps")
        nodes = {"/fit": fit, "/margins": fitted_margins(fit)}
        for name in settings.diagnostics:
            said = stage(name)
            verb = getattr(electjax.calm, name)
            nodes[f"/{name}"] = verb(booths, **diagnostic_options(verb, name, settings, fit, progress=said))
            said(1, 1, "")
        if candidates:
            said = stage("other candidates")
            nodes["/counterfactual"] = electjax.calm.counterfactual(
                fit,
                booths,
                candidates=candidates,
                draws=0 if fit.attrs["errors"] == "none" else settings.draws,  # nothing to draw from
                seed=settings.seed,
                level=fit.attrs["level"],
                progress=said,
            )
            said(1, 1, "")
    metrics = calm_metrics(fit, booths)
    if settings.example:
        nodes["/affinity"] = madipur_table(fit)
        metrics["affinity"] = affinity_metrics(nodes["/affinity"])
    if candidates:
        metrics["counterfactual"] = swap_metrics(nodes["/counterfactual"], settings.candidates)
    metrics["diagnostics"] = {name: diagnostic_metrics(nodes[f"/{name}"]) for name in settings.diagnostics}
    metrics["seconds"] = time.perf_counter() - started
    return Result(xr.DataTree.from_dict(nodes), metrics)


def write(folder: Path, result: Result) -> None:
    """Write result.nc without the fit, which is fit.nc."""
    write_tree(folder / "result.nc", result.tree.filter(lambda node: node.name != "fit"))


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """The fit, other candidates and the diagnostics as tidy tables."""
    from electjax.calm.report import frames

    nodes = {name: node.to_dataset() for name, node in result.tree.children.items()}
    examined = {name: nodes[name] for name in result.metrics["diagnostics"]}
    found = frames.fit_frames(nodes["fit"]) | {"diagnostics": frames.diagnostic_frame(examined)}
    return found | (frames.swap_frames(nodes["counterfactual"]) if "counterfactual" in nodes else {})


def predicted(fit: xr.Dataset, booths: xr.Dataset, seed: int, stage: Stages) -> Result:
    """What an earlier fit expects of other booths, with intervals where it has standard errors: `/prediction`."""
    from electjax.calm.report.prediction import prediction_metrics

    started, said = time.perf_counter(), stage("prediction")
    draws = DRAWS if "theta_covariance" in fit else 0
    found = electjax.calm.predict(fit, booths, draws=draws, seed=seed, level=fit.attrs["level"], progress=said)
    said(1, 1, "")
    metrics = prediction_metrics(found, booths) | {"source": str(booths.attrs.get("source", ""))}
    metrics["seconds"] = time.perf_counter() - started
    return Result(xr.DataTree.from_dict({"/prediction": found}), metrics)


def diagnostic_options(verb: Any, name: str, settings: Settings, fit: xr.Dataset, **more: Any) -> dict[str, Any]:
    """What a diagnostic is called with: the model as it was fitted, at the penalties that were chosen for it."""
    found = {key: value for key, value in taken_by(FitOptions, settings).items() if key not in _FIT_ONLY}
    if settings.penalties == "holdout":
        chosen = json.loads(fit.attrs["options"])
        found |= {key: value for key, value in chosen.items() if key.startswith("lambda_")}
    known = inspect.signature(verb).parameters
    every = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    found = {key: value for key, value in (found | more).items() if every or key in known}
    return found | dict(settings.diagnostic_options.get(name, {}))


def everywhere(candidates: Mapping[str, Any], booths: xr.Dataset) -> dict[str, Any]:
    """Other candidates with those of "everywhere" put into every constituency where their party stands."""
    found = {place: parties for place, parties in candidates.items() if place != EVERYWHERE}
    for party, traits in (candidates.get(EVERYWHERE) or {}).items():
        for place in map(str, booths["constituency"].values):
            known = party not in booths["party"].values or bool(booths["fielded"].sel(constituency=place, party=party))
            if known and party not in (found.get(place) or {}):  # a party that is not known is refused below
                found[place] = {**(found.get(place) or {}), party: traits}
    return found


# ------------------------------------------------------------------------------------ sweeps


class Settled(NamedTuple):
    """One setting, over its seeds: mean validation loss, mean difference from the best with its standard error."""

    values: tuple[Any, ...]
    seeds: int
    loss: float
    excess: float
    error: float  # NaN for a single seed


def sweep_rows(metrics: Metrics) -> list[tuple[Metrics, Metrics]]:
    """The validation loss of a job, its coefficients and how the fit ended."""
    kept = metrics.get("validation_loss") or {}
    losses = {LOSS: kept.get("total"), f"{LOSS}_turnout": kept.get("turnout"), f"{LOSS}_party": kept.get("party")}
    etas = {f"eta_{name}": row["eta"] for name, row in metrics["coefficients"].items()}
    xi = metrics["parameters"].get("xi")
    mobilised = {} if xi is None else {"xi": xi["value"]}
    ended = {name: metrics[name] for name in ("objective", "steps", "converged")}
    return [({}, losses | etas | mobilised | ended)]


def settings_swept(table: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The swept keys that are settings: all but the seeds."""
    return [key for key in keys if key not in _SEEDS and key in table]


def ranking(table: pd.DataFrame, keys: Sequence[str]) -> list[Settled]:
    """The settings, the one with the smallest mean validation loss first.

    Differences are taken within a seed, which draws the same data or the same split for all settings.
    """
    settings = settings_swept(table, keys)
    if not settings or LOSS not in table or not table[LOSS].notna().any():
        return []
    seeds = [key for key in keys if key in _SEEDS and key in table]
    known = table[table[LOSS].notna()]
    columns = known.assign(repeat=0 if not seeds else known[seeds].astype(str).agg("/".join, axis=1))
    wide = columns.pivot_table(index="repeat", columns=settings, values=LOSS, aggfunc="mean", sort=False)
    wide = wide.dropna(axis=1) if wide.notna().all().any() else wide
    mean = wide.mean()
    excess = wide.sub(wide[mean.idxmin()], axis=0)
    error = excess.std(ddof=1) / np.sqrt(len(wide)) if len(wide) > 1 else mean * np.nan
    found = []
    for at in mean.sort_values(kind="stable").index:
        values = at if isinstance(at, tuple) else (at,)
        found.append(Settled(values, len(wide), float(mean[at]), float(excess[at].mean()), float(error[at])))
    return found


def best_said(table: pd.DataFrame, keys: Sequence[str]) -> str:
    """Which setting predicts best, and what the best with another value of each key loses; empty without a choice."""
    ranked = ranking(table, keys)
    if len(ranked) < 2:
        return ""
    names, first = settings_swept(table, keys), ranked[0]
    best = " ".join(f"{name}={value}" for name, value in zip(names, first.values, strict=True))
    seeds = f"mean over {first.seeds} seeds" if first.seeds > 1 else "one seed"
    said = f"Best: {best}, with a validation loss of {first.loss:.6g} ({seeds})."
    for i, name in enumerate(names):
        other = next((row for row in ranked if row.values[i] != first.values[i]), None)
        if other is not None:
            error = "" if np.isnan(other.error) else f" ± {other.error:.1e}"
            said += f" The best with another {name}, {other.values[i]}, loses {other.excess:.1e}{error} more."
    return said


def sweep_figures(table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[Metrics]) -> list[Figure]:
    """Validation loss over the two settings with most values, mean over everything else; or eta by job.

    A proximity, if it was swept, runs along the horizontal axis.
    """
    ranked = ranking(table, keys)
    names = settings_swept(table, keys)
    if len(ranked) < 2:
        etas = {str(name).removeprefix("eta_"): table[name].tolist() for name in table if str(name).startswith("eta_")}
        label = keys[0] if len(keys) == 1 else "job"
        return [sweep_figure(table[label].tolist(), etas, label=label, ylabel="η per SD", whole=False)]
    levels = {name: sorted({row.values[i] for row in ranked}, key=_order) for i, name in enumerate(names)}
    order = sorted(names, key=lambda name: (not name.startswith(PROXIMITY), -len(levels[name])))
    across, down = order[0], order[1] if len(order) > 1 else None
    rows = [""] if down is None else levels[down]
    loss, error = np.full((2, len(rows), len(levels[across])), np.nan)
    for i, value in enumerate(rows):
        for j, other in enumerate(levels[across]):
            here = [
                row
                for row in ranked
                if row.values[names.index(across)] == other and (down is None or row.values[names.index(down)] == value)
            ]
            if here:
                loss[i, j] = np.mean([row.loss for row in here])
                error[i, j] = here[0].error if len(here) == 1 else np.nan
    axis = across.removeprefix(PROXIMITY) if across.startswith(PROXIMITY) else ""
    planted = {found["truth"]["proximity"].get(axis) for found in metrics if "truth" in found}
    surface = loss_surface(
        loss,
        (across, levels[across]),
        (down or "", rows),
        error=error if np.isfinite(error).any() else None,
        planted=planted.pop() if len(planted) == 1 else None,
    )
    return [surface]


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value))


def sweep_said(table: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The settings by what they lose on held-out booths, and the best of them in words."""
    ranked = ranking(table, keys)
    if len(ranked) < 2:
        return []
    names = [*settings_swept(table, keys), "seeds", LOSS, "above the best", "±"]
    rows = [[*row.values, row.seeds, f"{row.loss:.7g}", row.excess, row.error] for row in ranked]
    return ["", *markdown_table(names, rows), "", best_said(table, keys)]


def report(result: Result) -> Any:
    """The page of a run, and its table."""
    from electjax.calm.report import page

    return page.report(result)


def prediction_report(result: Result) -> Any:
    """The page of a prediction, and its table."""
    from electjax.calm.report import prediction

    return prediction.report(result)


def prediction_tables(result: Result) -> dict[str, pd.DataFrame]:
    """A prediction as tidy tables."""
    from electjax.calm.report import frames

    return frames.prediction_frames(result.tree["prediction"].to_dataset())


TASKS = (
    Task(
        "calm",
        "fit turnout and choice of demographic cells to booth totals, with the likeness of cell and candidate; examine "
        "the fit; swap candidates (data=booths)",
        kind="booths",
        example="data=booths data.path=my_folder",
        sources={
            "booths": Source(BoothsData, read),
            "calm_delhi": Source(GeneratedBooths, generate),
            "madipur": Source(MadipurData, madipur),
        },
        groups={"calm": {"calm": Settings}},
        options=Settings,
        run=calm,
        report=report,
        write=write,
        fits=lambda result: {"": result.tree["fit"].to_dataset()},
        tables=tables,
        predict=Predict((FIT.conventions,), predicted, prediction_report, prediction_tables),
        sweep=Sweep(sweep_rows, sweep_figures, sweep_said),
        section="calm",
    ),
)
