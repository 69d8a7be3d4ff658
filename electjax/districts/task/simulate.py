"""Task `simulate`: every model at its set parameters."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import electjax
from electjax.data.progress import Stages, silent
from electjax.districts.models import get_simulator
from electjax.districts.task.metrics import election_metrics, simulation_metrics
from electjax.report.metrics import Metrics
from electjax.run.result import Result, nodes_of
from electjax.run.settings import ModelSettings, Settings

MEASURE = ("seat_tolerance", "share_tolerance")


def simulate(election: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """Simulate `settings.runs` elections under each model, all with the same seed."""
    started = time.perf_counter()
    nodes = nodes_of("/observed", election)
    metrics = election_metrics(election) | {"models": {}}
    for name, model in settings.models.items():
        default, numbers = simulate_model(election, name, model, settings, stage)
        nodes |= nodes_of(f"/{name}/default", default)
        metrics["models"][name] = {"default": numbers}
    metrics |= {"simulations": settings.runs * len(settings.models), "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def simulate_model(
    election: xr.Dataset,
    name: str,
    model: ModelSettings,
    settings: Settings,
    stage: Stages,
    *,
    optimal: Mapping[str, Any] | None = None,
) -> tuple[xr.Dataset, Metrics]:
    """Simulate one model as set; or, given `optimal` parameters, at those and with fresh seeds."""
    params, options = split_values(name, model.values)
    params |= optimal or {}
    runs = settings.runs if optimal is None else settings.optimal_runs
    report = stage(f"{name}: {'set' if optimal is None else 'calibrated'} parameters")
    simulation = electjax.districts.simulate(
        election,
        model=name,
        params=params,
        options=options,
        runs=runs,
        seed=settings.seed if optimal is None else fresh_seed(settings.seed),
        engine=settings.engine,
        progress=report,
    )
    measure = {key: settings.method_options[key] for key in MEASURE if key in settings.method_options}
    if "distance" in settings.method_options:
        measure["norm"] = settings.method_options["distance"]
    numbers = simulation_metrics(simulation, election, parameters=params, **measure)
    return simulation, numbers


def fresh_seed(seed: int) -> int:
    """A seed for simulations that must share no draw with those of `seed`."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1)[0] >> 1)


def split_values(model: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a model's settings into its parameters (numbers, traced) and its options (readings).

    Where both have one name, a word is the option: kappa = 0.5, or kappa = beta.
    """
    names = get_simulator(model).defaults
    params = {name: value for name, value in values.items() if name in names and not isinstance(value, str)}
    return params, {name: value for name, value in values.items() if name not in params}
