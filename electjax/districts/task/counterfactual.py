"""Task `counterfactual`: every model calibrated, then simulated as its posterior has it and under every scenario."""

import time

import numpy as np
import xarray as xr

import electjax
from electjax.data.progress import Stages, silent
from electjax.districts.task.calibrate import calibrate
from electjax.districts.task.simulate import fresh_seed, split_values
from electjax.districts.verbs.counterfactual import check_scenarios
from electjax.report.metrics import Metrics, plain
from electjax.run.result import Result
from electjax.run.settings import Settings

LOW, HIGH = 0.05, 0.95  # quantiles of the seats that the metrics hold


def counterfactual(election: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """The task `calibrate`, and `settings.optimal_runs` elections per model and scenario with draws of its posterior.

    The tree has a node `/<model>/counterfactual` more, the metrics an entry `counterfactual` by model and scenario.
    A scenario that is not possible is refused before anything is calibrated.
    """
    for name, model in settings.models.items():
        params, options = split_values(name, model.values)
        check_scenarios(election, name, settings.scenarios, params=params, options=options)
    tree, metrics = calibrate(election, settings, stage)
    started = time.perf_counter()
    found: Metrics = {}
    for name in settings.models:
        worlds = electjax.districts.counterfactual(
            tree[f"{name}/posterior"].to_dataset(),
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


def scenario_metrics(worlds: xr.Dataset) -> Metrics:
    """Per scenario: districts, popularity where it goes in, seats (mean, 5 and 95 %), probabilities and change."""
    return {str(name): _one(worlds.sel(scenario=name)) for name in worlds["scenario"].values}


def _one(world: xr.Dataset) -> Metrics:
    shares = {"popularity": _by_party(world, world["popularity"].values)} if "popularity" in world else {}
    quantiles = world["seats_quantile"].transpose("quantile", "party")
    low, high = (quantiles.sel(quantile=level).values.astype(np.int64) for level in (LOW, HIGH))
    return {
        "districts": plain(world["districts"]),
        **shares,
        "seats_mean": _by_party(world, world["seats_mean"].values),
        "seats_low": _by_party(world, low),
        "seats_high": _by_party(world, high),
        **{name: _by_party(world, world[name].values) for name in ("p_majority", "p_first", "seat_share_change")},
        "mwm": plain(world["mwm"].mean()),
    }


def _by_party(world: xr.Dataset, values: np.ndarray) -> Metrics:
    return {str(party): plain(value) for party, value in zip(world["party"].values, values, strict=True)}
