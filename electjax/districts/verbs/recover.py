"""`districts.recover`: known parameters, elections simulated from them, and what calibration makes of these."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from electjax.districts.abc import METHODS, Draws, Problem, Sample, adjust_sample, unit_to_params
from electjax.districts.abc.adjust import ADJUSTMENTS, Adjusted
from electjax.districts.abc.problem import chunk_size, equally_weighted, evaluate, join, point_params
from electjax.districts.abc.rejection import permitted_draws
from electjax.districts.codec import dim_labels, plain_params, provenance, seed_key
from electjax.districts.models.base import simulate_runs
from electjax.districts.problem import check_choice, check_positive, make_problem, name_of, with_own_measure
from electjax.districts.verbs.calibrate import TOLERANCE

_PROBLEM = ("priors", "params", "options", "distance", "seat_tolerance", "share_tolerance", "statistics", "engine")


class Replicate(NamedTuple):
    """What was found on one simulated election."""

    moved: Adjusted
    tolerance: float
    simulations: int


def recover(
    election: xr.Dataset,
    model: str = "dpm",
    *,
    replicates: int = 200,
    seed: int = 0,
    method: str = "smc",
    share_table: bool = True,
    budget: int = 20_000,
    tolerance: float | None = None,
    accept: int = 500,
    adjust: str | None = None,
    summaries: str = "given",
    pilot: int = 4096,
    progress: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Draw parameters from the prior, simulate an election from each, and calibrate on it.

    The result feeds `sbc`, `coverage` and `tarp`. Elections have the districts, electorates and popularity of the
    one given, and calibrations know these: nothing but the calibrated parameters is unknown.

    Args:
        election: what the simulated elections are modelled on.
        model: name of the model.
        replicates: number of simulated elections.
        seed: the same seed gives the same result.
        method: as of `calibrate`, and so are budget, tolerance, accept, adjust, summaries, pilot and settings.
        share_table: with method="rejection", one table of `budget` simulations serves all replicates: each takes the
            closest `accept` of those within the tolerance. Replicates then share the table's Monte Carlo error, which
            is small where many draws are accepted. Otherwise there is a calibration per replicate.

    Returns:
        Dataset over `replicate` and `draw`: a variable per calibrated parameter, adjusted where asked, and weight;
        truth_<parameter>(replicate), simulated seats(replicate, party), and tolerance, ess and simulations
        (replicate). A replicate with fewer draws than others is filled up with NaN of weight 0.

    Raises:
        ValueError: as `calibrate`; fewer than 2 replicates; summaries="learned" with a shared table.
    """
    adjustment = adjust or ("linear" if method in ("smc", "rejection") else "none")
    check_choice("method", method, METHODS)
    check_choice("adjust", adjustment, ADJUSTMENTS)
    check_positive(budget=budget, accept=accept, pilot=pilot, tolerance=1.0 if tolerance is None else tolerance)
    if replicates < 2:
        raise ValueError(f"replicates={replicates}: expected at least 2")
    shared = share_table and method == "rejection"
    if shared and summaries == "learned":
        raise ValueError("summaries=learned looks near each election: expected share_table=False")
    own = {name: value for name, value in settings.items() if name not in _PROBLEM}
    problem, encoded = make_problem(election, model, **{k: v for k, v in settings.items() if k in _PROBLEM})
    statistics = settings.get("statistics", "paper")
    paper = statistics == "paper" and summaries == "given"
    if tolerance is None and paper:
        tolerance = TOLERANCE.get(method)
    if tolerance is None and method == "smc":
        tolerance = 0.0
    if tolerance is None and method == "explore_exploit":
        raise ValueError("tolerance: explore_exploit needs one where the statistics are not the paper's")
    key_truth, key_data, key_search, key_pilot = jax.random.split(seed_key(seed), 4)
    if not paper and method != "exact" and summaries == "given":
        # the scales are those of the prior, whatever was observed
        problem, _ = with_own_measure(key_pilot, problem, summaries=summaries, pilot=pilot)
    truth = permitted_draws(key_truth, 0, replicates, problem)
    data = evaluate(key_data, np.arange(replicates), truth, problem)
    search = {"budget": budget, "accept": accept, "tolerance": tolerance, **own}

    def calibrations() -> Iterator[Replicate]:
        votes = _votes(key_data, truth, problem) if method == "exact" else None
        for r in range(replicates):
            this = _observing(problem, data, r)
            if summaries == "learned":
                key = jax.random.fold_in(key_pilot, r)
                this, _ = with_own_measure(key, this, summaries=summaries, pilot=pilot)
            extra = {} if votes is None else {"votes": votes[r]}
            sample: Sample = METHODS[method](jax.random.fold_in(key_search, r), this, **search, **extra)  # type: ignore[operator]
            yield Replicate(adjust_sample(sample, this, adjustment), sample.tolerance, sample.simulations)

    def from_table() -> Iterator[Replicate]:
        if own:
            raise ValueError(f"method rejection: unexpected keyword argument '{next(iter(own))}'")
        table = _table(key_search, problem, budget, progress)
        for r in range(replicates):
            this = _observing(problem, data, r)
            sample = _closest_of(table, this, accept=accept, tolerance=tolerance)
            yield Replicate(adjust_sample(sample, this, adjustment), sample.tolerance, 0 if r else budget)

    found = []
    for replicate in from_table() if shared else calibrations():
        found.append(replicate)
        if progress:
            progress(len(found), replicates, f"{len(found)} of {replicates} elections calibrated")
    simulator, options = problem.setting.simulator, problem.setting.options
    dataset = _decode(found, truth, data, problem, dim_labels(simulator, options, encoded))
    dataset.attrs = provenance(election, simulator, options, seed) | {
        "engine": problem.setting.plan.engine,
        "method": method,
        "method_options": plain_params(own),
        "fixed_parameters": plain_params(problem.fixed),
        "priors": str({axis.name: str(axis) for axis in problem.space.axes}),
        "statistics": name_of(statistics),
        "summaries": summaries,
        "adjustment": adjustment,
        "budget": budget,
        "accept": accept,
        "tolerance_asked": -1.0 if tolerance is None else float(tolerance),
        "share_table": int(shared),
        "simulations": int(sum(replicate.simulations for replicate in found)),
    }
    return dataset


def _observing(problem: Problem, data: Draws, r: int) -> Problem:
    """The problem with simulated election r observed; statistics that were unknown stay so."""

    def seen(before: np.ndarray, now: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(before), np.nan, np.asarray(now, float))

    measure = problem.measure
    features = measure.statistics(data.features[r : r + 1])[0]
    goal = problem.goal._replace(observed=seen(problem.goal.observed, data.statistics[r]))
    measure = measure._replace(goal=measure.goal._replace(observed=seen(measure.goal.observed, features)))
    return problem._replace(goal=goal, measure=measure)


def _votes(key: Array, unit: Float[np.ndarray, "R D"], problem: Problem) -> Int[np.ndarray, "R S K"]:
    """The votes of the elections that `evaluate` simulates with this key."""
    size, parts = chunk_size(problem), []
    for first in range(0, len(unit), size):
        index = np.minimum(np.arange(first, first + size), len(unit) - 1)
        outcome = simulate_runs(
            key,
            jnp.asarray(index, jnp.int32),
            problem.contest,
            problem.may_win,
            point_params(problem, unit[index]),
            simulator=problem.setting.simulator,
            options=problem.setting.options,
            plan=problem.setting.plan,
            varying=True,
        )
        parts.append(np.asarray(outcome.votes))
    return np.concatenate(parts)[: len(unit)]


def _table(key: Array, problem: Problem, budget: int, progress: Callable[[int, int, str], None] | None) -> Draws:
    """`budget` simulations of prior draws."""
    key_prior, key_runs = jax.random.split(key)
    unit = permitted_draws(key_prior, 0, budget, problem)
    parts = []
    step = 32 * chunk_size(problem)
    for first in range(0, budget, step):
        runs = np.arange(first, min(first + step, budget))
        parts.append(evaluate(key_runs, runs, unit[runs], problem))
        if progress:
            progress(int(runs[-1]) + 1, budget, "table of simulations")
    return join(parts)


def _closest_of(table: Draws, problem: Problem, *, accept: int, tolerance: float | None) -> Sample:
    """The closest `accept` draws of the table, none further than the tolerance."""
    far = problem.measure.distance(table.features)
    number = min(accept, len(far))
    index = np.sort(np.argpartition(far, number - 1)[:number])
    largest = float(far[index].max())
    near = table._replace(distance=far).take(index)
    reached = largest if tolerance is None else min(largest, tolerance)
    return equally_weighted(near, problem, tolerance=reached, accept=accept, from_prior=True)


def _decode(
    found: list[Replicate], truth: np.ndarray, data: Draws, problem: Problem, labels: dict[str, list[str]]
) -> xr.Dataset:
    """Replicates side by side, with labels."""
    draws = max(len(replicate.moved.weight) for replicate in found)
    unit = np.full((len(found), draws, truth.shape[1]), 0.5)
    weight = np.zeros((len(found), draws))
    for r, replicate in enumerate(found):
        number = len(replicate.moved.weight)
        unit[r, :number], weight[r, :number] = replicate.moved.unit, replicate.moved.weight
    simulator, parties = problem.setting.simulator, labels["party"]
    dims = {axis.name: simulator.parameter(axis.name).each.split() for axis in problem.space.axes}
    used = {"party"} | {dim for own in dims.values() for dim in own}
    dataset = xr.Dataset(coords={dim: labels[dim] for dim in labels if dim in used})
    known = unit_to_params(problem.space, truth)
    for name, values in unit_to_params(problem.space, unit).items():
        meaning = {"long_name": simulator.parameter(name).meaning, "units": "1"}
        filled = np.where((weight > 0).reshape(*weight.shape, *[1] * len(dims[name])), values, np.nan)
        dataset[name] = (["replicate", "draw", *dims[name]], filled, meaning)
        dataset[f"truth_{name}"] = (["replicate", *dims[name]], np.asarray(known[name]), meaning)
    dataset["weight"] = (("replicate", "draw"), weight, {"long_name": "weight of the draw", "units": "1"})
    dataset["seats"] = (("replicate", "party"), data.statistics[:, : len(parties)].astype(np.int32))
    dataset["tolerance"] = ("replicate", [replicate.tolerance for replicate in found])
    dataset["ess"] = ("replicate", weight.sum(axis=1) ** 2 / np.square(weight).sum(axis=1))
    dataset["simulations"] = ("replicate", [replicate.simulations for replicate in found])
    return dataset
