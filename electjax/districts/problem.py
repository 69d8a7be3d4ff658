"""From an election and plain settings to a calibration problem in arrays."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

import electjax
from electjax.data.errors import data_error
from electjax.districts.abc.distance import NORMS, SEAT_TOLERANCE, SHARE_TOLERANCE, Measure, Target, target
from electjax.districts.abc.generation import permitted
from electjax.districts.abc.learned import learn_measure
from electjax.districts.abc.prior import PriorSpec, make_space
from electjax.districts.abc.problem import Problem, Setting, chunk_size, evaluate
from electjax.districts.abc.proposal import prior_points
from electjax.districts.abc.statistics import STATISTICS, Statistic
from electjax.districts.codec import Encoded, dim_labels, encode, encode_params, observed_statistics
from electjax.districts.models import get_simulator
from electjax.districts.models.base import check_options, make_plan
from electjax.districts.schema import seat_index
from electjax.numerics.host import host_generator

SUMMARIES = ("given", "learned")


def make_problem(
    election: xr.Dataset,
    model: str,
    *,
    priors: Mapping[str, PriorSpec] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    distance: str = "rms",
    seat_tolerance: float = SEAT_TOLERANCE,
    share_tolerance: float = SHARE_TOLERANCE,
    statistics: str | Statistic = "paper",
    engine: str = "leap",
) -> tuple[Problem, Encoded]:
    """What is calibrated against what; arguments as in `electjax.districts.calibrate`.

    Other statistics than the paper's have scale 1 here; `with_own_measure` gives them theirs.
    """
    check_choice("distance", distance, NORMS)
    check_positive(seat_tolerance=seat_tolerance, share_tolerance=share_tolerance)
    if isinstance(statistics, str):
        check_choice("statistics", statistics, STATISTICS)
        statistic = STATISTICS[statistics]
    else:
        statistic = statistics
    simulator = get_simulator(model)
    settings = check_options(simulator, dict(options or {}))
    encoded = encode(election)
    labels = dim_labels(simulator, settings, encoded)
    shapes = {p.name: tuple(len(labels[dim]) for dim in p.each.split()) for p in simulator.parameters}
    shares = np.asarray(encoded.contest.totals, float)
    space = make_space(simulator, priors, shapes, shares / shares.sum())
    searched = {axis.name for axis in space.axes}
    values = encode_params(simulator, params, settings, encoded, searched)
    fixed = {name: value for name, value in values.items() if name not in searched}
    observed = observed_statistics(election)
    goal = target(
        observed["seats"],
        observed["vote_fraction"],
        observed["mwm"],
        observed["swm"],
        seat_tolerance=seat_tolerance,
        share_tolerance=share_tolerance,
    )
    measure = Measure(goal, distance)
    if statistic is not None:
        features = _observed_features(election, statistic, name_of(statistics))
        measure = Measure(Target(features, np.ones(features.shape)), distance)
    allows = None
    if simulator.permits is not None and searched & set(simulator.permits_of):
        permits, known = simulator.permits, {name: np.asarray(value) for name, value in fixed.items()}
        allows = lambda points: permits(known | points, settings)  # noqa: E731
    plan = make_plan(simulator, encoded.contest, options=settings, engine=engine)
    problem = Problem(
        setting=Setting(simulator, settings, plan, statistic),
        space=space,
        contest=encoded.contest,
        may_win=jnp.asarray(encoded.may_win),
        fixed=fixed,
        goal=goal,
        measure=measure,
        norm=distance,
        permits=allows,
    )
    return problem, encoded


def with_own_measure(key: Array, problem: Problem, *, summaries: str, pilot: int) -> tuple[Problem, int]:
    """Scales, or learned summaries, from `pilot` simulations of prior draws; and how many these were."""
    check_choice("summaries", summaries, SUMMARIES)
    if summaries == "learned":
        measure, spent = learn_measure(key, problem, pilot=pilot)
        return problem._replace(measure=measure), spent
    key_points, key_runs = jax.random.split(key)
    rng = host_generator(key_points)
    unit, _ = permitted(problem, lambda number: prior_points(rng, number, problem.space.levels), pilot)
    draws = evaluate(key_runs, np.arange(pilot), unit, problem)
    return problem._replace(measure=problem.measure.rescaled(draws.features)), pilot


def returns(election: xr.Dataset, wanted: str) -> tuple[np.ndarray, np.ndarray]:
    """votes[S, K] and winner[S] of the returns; ElectionDataError where only a summary is known."""
    if "votes" not in election:
        raise data_error(
            "no votes, only a summary",
            where=f"election {election.attrs.get('name', '')!r}",
            expected=f"votes(district, party), which {wanted} needs",
            mend="use the paper's statistics and method=smc",
        )
    return election["votes"].transpose("district", "party").to_numpy(), seat_index(election).to_numpy()


def _observed_features(election: xr.Dataset, statistic: Statistic, name: str) -> np.ndarray:
    """A statistic of the returns; one clear line where it is no vector of finite numbers."""
    votes, winner = returns(election, f"statistics={name}")
    try:
        features = np.asarray(jax.jit(statistic)(jnp.asarray(votes, jnp.int32), jnp.asarray(winner, jnp.int32)), float)
    except jax.errors.JAXTypeError as error:
        said = str(error).split("\n", 1)[0]
        raise ValueError(f"statistics={name}: not a pure function of jax arrays: {said}") from None
    if features.ndim > 1 or not np.isfinite(features).all():
        raise ValueError(
            f"statistics={name}: gives {features.tolist()} on the observed election; expected finite numbers"
        )
    return np.atleast_1d(features)


def describe_problem(problem: Problem) -> dict[str, Any]:
    """Everything in a problem that decides the result of a search, as values that `identify` understands."""
    setting, measure = problem.setting, problem.measure
    return {
        "model": setting.simulator.name,
        "options": vars(setting.options),
        "engine": setting.plan.engine,
        "chunk": chunk_size(problem),
        "version": electjax.__version__,
        "statistics": setting.statistic,
        "prior": {axis.name: list(axis) for axis in problem.space.axes},
        "fixed": dict(problem.fixed),
        "contest": problem.contest._asdict(),
        "may_win": problem.may_win,
        "goal": problem.goal._asdict(),
        "measure": measure.goal._asdict(),
        "learned": None if measure.project is None else list(vars(measure.project).values()),
        "norm": problem.norm,
    }


def name_of(statistics: str | Statistic) -> str:
    """A statistic as one writes it in a configuration."""
    if isinstance(statistics, str):
        return statistics
    return f"{statistics.__module__}:{getattr(statistics, '__qualname__', type(statistics).__name__)}"


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise ValueError unless `value` is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is not one of {' | '.join(choices)}")


def check_positive(**numbers: float) -> None:
    """Raise ValueError for the first that is not more than 0."""
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name}={number}: expected more than 0")
