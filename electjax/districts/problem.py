"""From an election and plain settings to a calibration problem in arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

import electjax
from electjax.data.errors import data_error
from electjax.data.options import made
from electjax.districts.abc.distance import Measure, Target, target
from electjax.districts.abc.generation import permitted
from electjax.districts.abc.learned import learn_measure
from electjax.districts.abc.methods import METHODS
from electjax.districts.abc.prior import PriorSpec, make_space
from electjax.districts.abc.problem import Method, Problem, Setting, Summarise, chunk_size, evaluate
from electjax.districts.abc.proposal import prior_points
from electjax.districts.abc.statistics import STATISTICS
from electjax.districts.builders import votes_of
from electjax.districts.codec import Encoded, dim_labels, encode, encode_params, observed_statistics
from electjax.districts.models import get_simulator
from electjax.districts.models.base import check_options, make_plan
from electjax.districts.options import CalibrateOptions, chosen_options
from electjax.districts.schema import seat_index
from electjax.numerics.host import host_generator


class Search(NamedTuple):
    """How a calibration searches, with everything that follows from the method filled in."""

    method: Method
    options: Any  # of the method
    accept: int
    tolerance: float | None
    adjust: str
    paper: bool  # whether the paper's statistics are compared as they are
    summaries: str
    pilot: int


def search_of(asked: CalibrateOptions, of_methods: Any, *, where: str) -> Search:
    """The method of inference that is asked for, with its options and defaults.

    Raises:
        ElectionDataError: options that do not go together.
    """
    method = METHODS[asked.method]
    own = chosen_options(asked.method, of_methods, where=where)
    scaled = getattr(own, "scaling", "tolerance") == "mad"
    if asked.summaries == "learned" and scaled:
        raise data_error(
            "found 'learned' beside scaling='mad'",
            where=f"{where}(summaries=)",
            expected="scaling='tolerance', as learned summaries have scales of their own",
            mend="leave out scaling",
        )
    paper = asked.statistics == "paper" and asked.summaries == "given"
    tolerance = asked.tolerance
    if tolerance is None:
        tolerance = method.tolerance if paper and not scaled else method.tolerance_of_others
    if tolerance is not None and np.isnan(tolerance):
        raise data_error(
            "found None",
            where=f"{where}(tolerance=)",
            expected=f"a tolerance, which {method.name} needs where the statistics are not the paper's",
            mend="name one",
        )
    adjust, accept = asked.adjust or method.adjust, asked.accept or method.accept
    return Search(method, own, accept, tolerance, adjust, paper, asked.summaries, asked.pilot)


def make_problem(
    election: xr.Dataset,
    model: str,
    *,
    priors: Mapping[str, PriorSpec] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    search: CalibrateOptions | None = None,
) -> tuple[Problem, Encoded]:
    """What is calibrated against what; arguments as in `districts.calibrate`.

    Other statistics than the paper's have scale 1 here; `with_own_measure` gives them theirs.
    """
    asked = search or made(CalibrateOptions, {}, where="districts.calibrate")
    statistic = asked.statistics if callable(asked.statistics) else STATISTICS[asked.statistics].of
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
    observed: dict[str, Any] = observed_statistics(election)
    goal = target(**observed, seat_tolerance=asked.seat_tolerance, share_tolerance=asked.share_tolerance)
    measure = Measure(goal, asked.distance)
    if statistic is not None:
        features = _observed_features(election, statistic, name_of(asked.statistics))
        measure = Measure(Target(features, np.ones(features.shape)), asked.distance)
    allows = None
    if simulator.permits is not None and searched & set(simulator.permits_of):
        permits, known = simulator.permits, {name: np.asarray(value) for name, value in fixed.items()}
        allows = lambda points: permits(known | points, settings)  # noqa: E731
    plan = make_plan(simulator, encoded.contest, options=settings, engine=asked.engine)
    problem = Problem(
        setting=Setting(simulator, settings, plan, statistic),
        space=space,
        contest=encoded.contest,
        may_win=jnp.asarray(encoded.may_win),
        fixed=fixed,
        goal=goal,
        measure=measure,
        norm=asked.distance,
        permits=allows,
    )
    return problem, encoded


def with_own_measure(key: Array, problem: Problem, *, summaries: str, pilot: int) -> tuple[Problem, int, float]:
    """Scales, or learned summaries, from `pilot` simulations of prior draws; and how many these were.

    Third comes the share of the prior's simulations in which a statistic is not finite: such are never accepted. Of
    learned summaries it is 0, as they are learned from finite ones.
    """
    if summaries == "learned":
        measure, spent = learn_measure(key, problem, pilot=pilot)
        return problem._replace(measure=measure), spent, 0.0
    key_points, key_runs = jax.random.split(key)
    rng = host_generator(key_points)
    unit, _ = permitted(problem, lambda number: prior_points(rng, number, problem.space.levels), pilot)
    draws = evaluate(key_runs, np.arange(pilot), unit, problem)
    measure = problem.measure.rescaled(draws.features)
    infinite = ~np.isfinite(np.asarray(problem.measure.statistics(draws.features), float)).all(axis=1)
    return problem._replace(measure=measure), pilot, float(infinite.mean())


def returns(election: xr.Dataset, wanted: str) -> tuple[np.ndarray, np.ndarray]:
    """votes[S, K] and winner[S] of the returns; ElectionDataError where only a summary is known."""
    votes = votes_of(election, wanted, mend="use the paper's statistics and method=smc")
    return votes.to_numpy(), seat_index(election).to_numpy()


def _observed_features(election: xr.Dataset, statistic: Summarise, name: str) -> np.ndarray:
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


def name_of(statistics: str | Summarise) -> str:
    """A statistic as one writes it in a configuration."""
    if isinstance(statistics, str):
        return statistics
    return f"{statistics.__module__}:{getattr(statistics, '__qualname__', type(statistics).__name__)}"
