"""What the command line does with districts: simulate every model, calibrate it, and ask what might have been."""

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import electjax
from electjax.data.errors import ElectionDataWarning, suggest
from electjax.data.options import option, options
from electjax.data.progress import Stages
from electjax.districts.abc.methods import METHODS
from electjax.districts.metrics import HIGH, LOW, best_draw, election_metrics, scenario_metrics, simulation_metrics
from electjax.districts.models import get_simulator, list_models
from electjax.districts.models.base import POPULARITY
from electjax.districts.options import (
    OUTLINES,
    CalibrateOptions,
    ReadOptions,
    SimulateOptions,
    method_group,
    model_group,
    split_values,
)
from electjax.districts.report.frames import mean_shares, models_with
from electjax.districts.results import CALIBRATION, parameter_names
from electjax.districts.scenario import KEYS
from electjax.districts.verbs.counterfactual import check_scenarios
from electjax.districts.verdict import is_posterior
from electjax.report.result import Predict, Result, Source, Sweep, Task, given, path_from, write_result, write_tree
from electjax.report.sweep import sweep_figure
from electjax.report.tables import Metrics

SIMULATED = ("simulations", "simulations_pilot", "simulations_optimal")
SMALL = 2_000_000  # votes of more values than this are left out of result.nc
PRIORS = ("dirichlet", "around", "levels")
MEASURE = {"seat_tolerance": "seat_tolerance", "share_tolerance": "share_tolerance", "distance": "norm"}


@options
class CatalogueData:
    """An election of the embedded catalogue."""

    name: str = option(meaning="which election")
    others_may_win: bool = option(True, 'whether the pooled party "others" may win a district')
    map: str | None = option(None, OUTLINES)


@options
class CsvData(ReadOptions):
    """A user's file of returns."""

    path: str = option(meaning="the file of returns; its format is told by its header")
    name: str = option("${electjax.stem:}", "what results are filed under")
    top_parties: int | str | Sequence[str] | None = option(
        None, 'how many parties to keep by votes, or their labels; the rest becomes "others"; null: all'
    )
    map: str | None = option(None, OUTLINES)


@options
class TaskOptions(SimulateOptions):
    """Options of all tasks with districts; runs are those at each model's set parameters."""

    optimal_runs: int = option(200, "simulated elections, with fresh seeds, at the calibrated parameters", low=1)
    budget: int = option(CalibrateOptions.budget, "most simulations that the calibration of a model may use", low=1)
    models: Mapping[str, Any] = option(
        {}, "the models, by name", good=bool, expected="at least one model, as in model=[dm,dpm]"
    )
    inference: Any = option(meaning="how models are calibrated")
    scenarios: Mapping[str, Any] = option(
        {}, "of task=counterfactual, by name: some of popularity or swing {party: share}, parameters, districts"
    )
    checkpoints: str | None = option(None, "folder in which calibrations are kept while they run")

    def conflicts(self) -> Iterator[tuple[str, Any, str, str]]:
        """What is no change, and priors of unknown parameters."""
        for name, changes in self.scenarios.items():
            if not isinstance(changes, Mapping) or not changes:
                yield f"scenarios.{name}", changes, f"some of {', '.join(KEYS)}", "as in {districts: 140}"
            for change in changes:
                if change not in KEYS:
                    yield f"scenarios.{name}.{change}", change, f"one of {', '.join(KEYS)}", suggest(str(change), KEYS)
        for name, model in self.models.items():
            yield from wrong_priors(name, model.priors)


@options
class CounterfactualOptions(TaskOptions):
    """Options of the task counterfactual."""

    def conflicts(self) -> Iterator[tuple[str, Any, str, str]]:
        """There are scenarios."""
        if not self.scenarios:
            yield "scenarios", {}, "sections such as scenarios.larger={districts: 140}", "name one"
        yield from super().conflicts()


def wrong_priors(model: str, priors: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, str]]:
    """Priors of what is no parameter, and what is no prior; whether one fits its parameter is checked later."""
    known = [parameter.name for parameter in get_simulator(model).parameters]
    for name, prior in priors.items():
        key = f"models.{model}.priors.{name}"
        if name not in (*known, POPULARITY.name):
            yield key, name, f"one of {', '.join(known)}", suggest(name, known)
        elif isinstance(prior, Mapping):
            if len(prior) != 1 or not set(prior) <= set(PRIORS) or not all(map(_is_numeric, prior.values())):
                kinds = ", ".join(f"{{{kind}: ...}}" for kind in PRIORS)
                yield key, prior, f"[low, high] or one of {kinds} with numbers", "as in [0.5, 1]"
        elif not _is_numeric(prior) or np.shape(prior) != (2,) or not prior[0] < prior[1]:
            yield key, prior, "numbers [low, high] with low < high", "as in [0.5, 1]"


def _is_numeric(value: object) -> bool:
    """A number, or a list of numbers, or of such lists."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def load(data: CatalogueData, folder: Path, settings: TaskOptions) -> xr.Dataset:
    """An embedded election."""
    return _with_map(electjax.districts.load(data.name, others_may_win=data.others_may_win), data.map, folder)


def read(data: CsvData, folder: Path, settings: TaskOptions) -> xr.Dataset:
    """The returns of a user's file."""
    found = electjax.districts.read(path_from(folder, data.path), **given(data, "path", "map"))
    return _with_map(found, data.map, folder)


def _with_map(election: xr.Dataset, outlines: str | None, folder: Path) -> xr.Dataset:
    from electjax.districts.report.places import with_map

    return election if outlines is None else with_map(election, path_from(folder, outlines))


def simulate(election: xr.Dataset, settings: TaskOptions, stage: Stages) -> Result:
    """Simulate `settings.runs` elections under each model, all with the same seed."""
    started = time.perf_counter()
    nodes = nodes_of("/observed", election)
    metrics = election_metrics(election) | {"models": {}}
    for name in settings.models:
        default, numbers = simulate_model(election, name, settings, stage)
        nodes |= nodes_of(f"/{name}/default", default)
        metrics["models"][name] = {"default": numbers}
    metrics |= {"simulations": settings.runs * len(settings.models), "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def calibrate(election: xr.Dataset, settings: TaskOptions, stage: Stages) -> Result:
    """Simulate each model as set, calibrate it, simulate again at psi_opt with fresh seeds."""
    started = time.perf_counter()
    nodes = nodes_of("/observed", election)
    metrics = election_metrics(election) | {"models": {}}
    simulations = 0
    for name, model in settings.models.items():
        default, default_numbers = simulate_model(election, name, settings, stage)
        params, readings = split_values(name, given(model, "priors"))
        kept = {"checkpoint": Path(settings.checkpoints) / name} if settings.checkpoints else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ElectionDataWarning)  # the verdict is told with the result
            fit = electjax.districts.calibrate(
                election,
                model=name,
                priors={
                    key: tuple(map(float, prior)) if isinstance(prior, list) else prior
                    for key, prior in model.priors.items()
                },
                params=params,
                options=readings,
                seed=settings.seed,
                budget=settings.budget,
                engine=settings.engine,
                progress=stage(f"{name}: calibration"),
                **given(settings.inference),
                **kept,
            )
        best = {key: fit[f"optimal_{key}"].values for key in parameter_names(fit)}
        optimal, optimal_numbers = simulate_model(election, name, settings, stage, optimal=best)
        nodes |= nodes_of(f"/{name}/default", default)
        nodes |= nodes_of(f"/{name}/optimal", optimal)
        nodes[f"/{name}/fit"] = fit
        metrics["models"][name] = {
            "default": default_numbers,
            "optimal": optimal_numbers | {"best_draw": best_draw(fit)},
        }
        simulations += settings.runs + settings.optimal_runs + sum(int(fit.attrs.get(key, 0)) for key in SIMULATED)
    metrics |= {"simulations": simulations, "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def counterfactual(election: xr.Dataset, settings: TaskOptions, stage: Stages) -> Result:
    """Calibrate, then simulate `settings.optimal_runs` elections per model and scenario with draws of its calibration.

    The tree has a node `/<model>/counterfactual` more, the metrics an entry `counterfactual` by model and scenario.
    A scenario that is not possible is refused before anything is calibrated.
    """
    for name, model in settings.models.items():
        params, readings = split_values(name, given(model, "priors"))
        check_scenarios(election, name, settings.scenarios, params=params, options=readings)
    tree, metrics = calibrate(election, settings, stage)
    started = time.perf_counter()
    found: Metrics = {}
    for name in settings.models:
        worlds = electjax.districts.counterfactual(
            tree[f"{name}/fit"].to_dataset(),
            election,
            settings.scenarios,
            runs=settings.optimal_runs,
            seed=fresh_seed(settings.seed),
            progress=stage(f"{name}: scenarios"),
        )
        tree[f"{name}/counterfactual"] = xr.DataTree(worlds)
        found[name] = scenario_metrics(worlds)
    extra = sum(settings.optimal_runs * len(scenarios) for scenarios in found.values())
    seconds = metrics["seconds"] + time.perf_counter() - started
    done = {"counterfactual": found, "simulations": metrics["simulations"] + extra, "seconds": seconds}
    return Result(tree, metrics | done)


def simulate_model(
    election: xr.Dataset, name: str, settings: TaskOptions, stage: Stages, *, optimal: Mapping[str, Any] | None = None
) -> tuple[xr.Dataset, Metrics]:
    """Simulate one model as set; or, given `optimal` parameters, at those and with fresh seeds."""
    params, readings = split_values(name, given(settings.models[name], "priors"))
    params |= optimal or {}
    simulation = electjax.districts.simulate(
        election,
        model=name,
        params=params,
        options=readings,
        runs=settings.runs if optimal is None else settings.optimal_runs,
        seed=settings.seed if optimal is None else fresh_seed(settings.seed),
        engine=settings.engine,
        progress=stage(f"{name}: {'set' if optimal is None else 'calibrated'} parameters"),
    )
    asked = given(settings.inference)
    measure = {MEASURE[key]: value for key, value in asked.items() if key in MEASURE}
    return simulation, simulation_metrics(simulation, election, parameters=params, **measure)


def fresh_seed(seed: int) -> int:
    """A seed for simulations that must share no draw with those of `seed`."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1)[0] >> 1)


def nodes_of(path: str, elections: xr.Dataset) -> dict[str, xr.Dataset]:
    """Returns or a simulation in the tree, and below it the histogram of its votes over the districts.

    The votes of a simulation are left out unless they are small; their mean shares are kept.
    """
    if "votes" not in elections:
        return {path: elections}
    small = "run" not in elections.dims or elections["votes"].size <= SMALL
    shares = {} if small else {"share_mean": (("district", "party"), mean_shares(elections))}
    return {
        path: elections if small else elections.drop_vars("votes").assign(shares),
        f"{path}/geography": electjax.districts.geography(elections),
    }


def write(folder: Path, result: Result) -> None:
    """Write result.nc, and posterior_<model>.nc for ArviZ of what is a posterior."""
    write_result(folder, result)
    election = result.tree["observed"].to_dataset()
    for model, fit in fits(result).items():
        if fit.sizes["draw"] and is_posterior(fit):
            made = models_with(result.tree, "prediction").get(model)
            inference = electjax.districts.to_inference_data(fit, prediction=made, election=election)
            write_tree(folder / f"posterior_{model}.nc", inference)


def fits(result: Result) -> dict[str, xr.Dataset]:
    """The calibrations by model."""
    return models_with(result.tree, "fit")


def predict(fit: xr.Dataset, election: xr.Dataset, seed: int, stage: Stages) -> Result:
    """Elections with the draws of a calibration: of the same election, or another with the same parties."""
    started = time.perf_counter()
    name = str(fit.attrs["model"])
    made = electjax.districts.predict(fit, election, seed=seed, progress=stage(f"{name}: prediction"))
    low, high = (made["seats"].quantile(level, "run", method="inverted_cdf") for level in (LOW, HIGH))
    found = simulation_metrics(made, election, parameters={})
    found |= {"seats_low": low.to_series().to_dict(), "seats_high": high.to_series().to_dict()}
    nodes = nodes_of("/observed", election) | nodes_of(f"/{name}/prediction", made)
    metrics = election_metrics(election) | {"calibrated_to": str(fit.attrs.get("election", ""))}
    metrics |= {"models": {name: {"prediction": found}}, "simulations": made.sizes["run"]}
    return Result(xr.DataTree.from_dict(nodes), metrics | {"seconds": time.perf_counter() - started})


def sweep_rows(metrics: Metrics) -> list[tuple[Metrics, Metrics]]:
    """A line per model and stage (default, optimal): parameters first, mean seats and the fit last."""
    rows = []
    for model, stages in metrics["models"].items():
        for stage, found in stages.items():
            parameters = {
                f"{model}.{name}": json.dumps(value) if isinstance(value, list) else value
                for name, value in found["parameters"].items()
            }
            fit = {name: found[name] for name in ("mwm", "swm", "p_exact", "distance")}
            seats = {
                f"{kind}_{party}": number
                for kind in ("mean", "min", "max")
                for party, number in found[f"seats_{kind}"].items()
            }
            rows.append(({"model": model, "stage": stage} | parameters, seats | fit))
    return rows


def sweep_figures(table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[Metrics]) -> list[Figure]:
    """A panel per model and stage: seats along the swept key, or by job if several were swept."""
    label = keys[0] if len(keys) == 1 else "job"
    known = [found["observed"]["seats"] for found in metrics]
    same = all(seats == known[0] for seats in known)  # elections may be swept too
    parties = list(dict.fromkeys(party for seats in known for party in seats))
    figures = []
    for (model, stage), rows in table.groupby(["model", "stage"], sort=False):
        mean, low, high = (
            {party: rows[f"{kind}_{party}"].tolist() for party in parties} for kind in ("mean", "min", "max")
        )
        figure = sweep_figure(
            rows[label].tolist(),
            mean,
            label=label,
            observed=known[0] if same else None,
            seats_min=low,
            seats_max=high,
            title=f"{str(model).upper()} {stage}",
        )
        figures.append(figure)
    return figures


def sweep_fixed(table: pd.DataFrame) -> set[str]:
    """Ranges of seats, and parameters that are the same in all jobs."""
    models = set(table["model"])
    same = {str(name) for name in table if str(name).split(".")[0] in models and table[name].nunique() < 2}
    return same | {str(name) for name in table if str(name).startswith(("min_", "max_"))}


def tables(result: Result) -> Any:
    """All tables of a run."""
    from electjax.districts.report import frames

    return frames.tables(result)


def report(result: Result) -> Any:
    """The page of a run, and its table."""
    from electjax.districts.report import page

    return page.report(result)


_task = partial(
    Task,
    kind="returns",
    example="data=csv data.path=my.csv",
    sources={"catalogue": Source(CatalogueData, load), "csv": Source(CsvData, read)},
    groups={
        "model": {name: model_group(name) for name in list_models()},
        "inference": {name: method_group(name) for name in METHODS},
    },
    report=report,
    write=write,
    fits=fits,
    tables=tables,
    predict=Predict((CALIBRATION.conventions,), predict, report, tables),
    sweep=Sweep(sweep_rows, sweep_figures, fixed=sweep_fixed),
    hidden=("chunk", "checkpoints"),
)
TASKS = (
    _task(
        "calibrate",
        "simulate each model as set, find by ABC the parameters that give the observed result, and simulate again "
        "at the best of them with fresh seeds (the default)",
        options=TaskOptions,
        run=calibrate,
        resumes=lambda settings: METHODS[settings.inference.method].resumes,
    ),
    _task("simulate", "simulate each model as set", options=TaskOptions, run=simulate),
    _task(
        "counterfactual",
        "calibrate, then simulate every scenario under the posterior: other votes, parameters, districts",
        options=CounterfactualOptions,
        run=counterfactual,
        resumes=lambda settings: METHODS[settings.inference.method].resumes,
    ),
)
