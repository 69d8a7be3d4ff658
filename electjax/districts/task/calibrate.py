"""Task `calibrate`: every model as set, calibrated to the observed result, and at its best parameters."""

import time
from typing import Any

import xarray as xr

import electjax
from electjax.data.progress import Stages, silent
from electjax.districts.posterior import parameter_names
from electjax.districts.task.metrics import best_draw, election_metrics
from electjax.districts.task.simulate import simulate_model, split_values
from electjax.run.result import Result, nodes_of
from electjax.run.settings import Settings


def calibrate(election: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """Simulate each model as set, calibrate it by ABC, simulate again at psi_opt with fresh seeds."""
    started = time.perf_counter()
    nodes = nodes_of("/observed", election)
    metrics = election_metrics(election) | {"models": {}}
    simulations = 0
    for name, model in settings.models.items():
        default, default_numbers = simulate_model(election, name, model, settings, stage)
        params, options = split_values(name, model.values)
        kept: dict[str, Any] = {} if settings.checkpoints is None else {"checkpoint": settings.checkpoints / name}
        posterior = electjax.districts.calibrate(
            election,
            model=name,
            method=settings.method,
            seed=settings.seed,
            budget=settings.budget,
            priors=dict(model.priors),
            params=params,
            options=options,
            engine=settings.engine,
            progress=stage(f"{name}: calibration"),
            **settings.method_options,
            **kept,
        )
        best = {key: posterior[f"optimal_{key}"].values for key in parameter_names(posterior)}
        optimal, optimal_numbers = simulate_model(election, name, model, settings, stage, optimal=best)
        nodes |= nodes_of(f"/{name}/default", default)
        nodes |= nodes_of(f"/{name}/optimal", optimal)
        nodes[f"/{name}/posterior"] = posterior
        metrics["models"][name] = {
            "default": default_numbers,
            "optimal": optimal_numbers | {"best_draw": best_draw(posterior)},
        }
        simulations += settings.runs + int(posterior.attrs["simulations"]) + settings.optimal_runs
    metrics |= {"simulations": simulations, "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)
