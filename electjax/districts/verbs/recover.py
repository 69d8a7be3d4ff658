"""`districts.recover`: known parameters, elections simulated from them, and what calibration makes of these."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from electjax.data.errors import data_error
from electjax.data.finished import finished
from electjax.data.options import as_json, with_options
from electjax.data.schema import conform
from electjax.districts.abc.adjust import Adjusted, adjust_sample
from electjax.districts.abc.generation import permitted_draws
from electjax.districts.abc.prior import PriorSpec, unit_to_params
from electjax.districts.abc.problem import (
    Draws,
    Problem,
    Sample,
    chunk_size,
    equally_weighted,
    evaluate,
    join,
    point_params,
)
from electjax.districts.codec import dim_labels, plain_params, provenance, seed_key
from electjax.districts.models.base import simulate_runs
from electjax.districts.options import MethodOptions, RecoverOptions
from electjax.districts.problem import make_problem, name_of, search_of, with_own_measure
from electjax.districts.results import RECOVERY
from electjax.districts.store import Stored, election_of


class Replicate(NamedTuple):
    """What was found on one simulated election."""

    moved: Adjusted
    tolerance: float
    simulations: int


@with_options
def recover(
    election: Stored,
    model: str = "dpm",
    *,
    priors: Mapping[str, PriorSpec] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    asked: RecoverOptions,
    of_methods: MethodOptions,
) -> xr.Dataset:
    """Draw parameters from the prior, simulate an election from each, and calibrate on it.

    The result feeds `districts.sbc`, `districts.coverage` and `districts.tarp`. Elections have the districts,
    electorates and popularity of the one given, and calibrations know these: nothing but the calibrated parameters is
    unknown.

    Args:
        election: what the simulated elections are modelled on: a Dataset, a name or a path.
        model: name of the model.
        priors, params, options: as of `districts.calibrate`.
        progress: called as progress(done, replicates, text).

    Returns:
        Dataset over `replicate` and `draw`: a variable per calibrated parameter, adjusted where asked, and weight;
        truth_<parameter>(replicate), simulated seats(replicate, party), and tolerance, ess and simulations
        (replicate). A replicate with fewer draws than others is filled up with NaN of weight 0.

    Raises:
        ValueError, ElectionDataError: as `districts.calibrate`; summaries="learned" with a shared table.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "seed": 1}
        >>> recovery = electjax.districts.recover(election, "dm", replicates=10, **how)
        >>> recovery["truth_concentration"].sizes, recovery["concentration"].dims
        (Frozen({'replicate': 10}), ('replicate', 'draw'))
    """
    where = "districts.recover"
    election = election_of(election)
    search = search_of(asked, of_methods, where=where)
    method, replicates = search.method, asked.replicates
    shared = asked.share_table and method.name == "rejection"
    if shared and asked.summaries == "learned":
        raise data_error(
            "found 'learned' with one table of simulations",
            where=f"{where}(summaries=)",
            expected="summaries='given', as learned ones look near each election",
            mend="pass share_table=False",
        )
    problem, encoded = make_problem(election, model, priors=priors, params=params, options=options, search=asked)
    key_truth, key_data, key_search, key_pilot = jax.random.split(seed_key(asked.seed), 4)
    if not search.paper and method.likelihood_free and asked.summaries == "given":
        # the scales are those of the prior, whatever was observed
        problem, _, _ = with_own_measure(key_pilot, problem, summaries=asked.summaries, pilot=asked.pilot)
    truth = permitted_draws(key_truth, 0, replicates, problem)
    data = evaluate(key_data, np.arange(replicates), truth, problem)
    how = {"budget": asked.budget, "accept": search.accept, "tolerance": search.tolerance, "options": search.options}

    def calibrations() -> Iterator[Replicate]:
        votes = _votes(key_data, truth, problem) if method.needs_votes else None
        for r in range(replicates):
            this = _observing(problem, data, r)
            if asked.summaries == "learned":
                key = jax.random.fold_in(key_pilot, r)
                this, _, _ = with_own_measure(key, this, summaries=asked.summaries, pilot=asked.pilot)
            extra = {} if votes is None else {"votes": votes[r]}
            sample: Sample = method.search(jax.random.fold_in(key_search, r), this, **how, **extra)
            yield Replicate(adjust_sample(sample, this, search.adjust), sample.tolerance, sample.simulations)

    def from_table() -> Iterator[Replicate]:
        table = _table(key_search, problem, asked.budget, progress)
        for r in range(replicates):
            this = _observing(problem, data, r)
            sample = _closest_of(table, this, accept=search.accept, tolerance=search.tolerance)
            yield Replicate(adjust_sample(sample, this, search.adjust), sample.tolerance, 0 if r else asked.budget)

    found = []
    for replicate in from_table() if shared else calibrations():
        found.append(replicate)
        if progress:
            progress(len(found), replicates, f"{len(found)} of {replicates} elections calibrated")
    simulator, readings = problem.setting.simulator, problem.setting.options
    dataset = _decode(found, truth, data, problem, dim_labels(simulator, readings, encoded))
    dataset.attrs = provenance(election, simulator, readings, asked.seed) | {
        "engine": problem.setting.plan.engine,
        "method": method.name,
        "method_options": as_json(search.options),
        "fixed_parameters": plain_params(problem.fixed),
        "priors": str({axis.name: str(axis) for axis in problem.space.axes}),
        "statistics": name_of(asked.statistics),
        "summaries": asked.summaries,
        "adjustment": search.adjust,
        "budget": asked.budget,
        "accept": search.accept,
        "tolerance_asked": -1.0 if search.tolerance is None else float(search.tolerance),
        "share_table": int(shared),
        "simulations": int(sum(replicate.simulations for replicate in found)),
    }
    about = f"{replicates} elections simulated with {simulator.name.upper()} and calibrated again by {method.name}"
    return finished(conform(dataset, RECOVERY), about=about)


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
    dataset["weight"] = (("replicate", "draw"), weight)
    dataset["seats"] = (("replicate", "party"), data.statistics[:, : len(parties)].astype(np.int32))
    dataset["tolerance"] = ("replicate", [replicate.tolerance for replicate in found])
    dataset["ess"] = ("replicate", weight.sum(axis=1) ** 2 / np.square(weight).sum(axis=1))
    dataset["simulations"] = ("replicate", [replicate.simulations for replicate in found])
    return dataset
