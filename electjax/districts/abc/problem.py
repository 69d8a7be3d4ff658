"""A calibration problem, and what every method shares: evaluating points, keeping draws, picking psi_opt."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.districts.abc.distance import Measure, Target, distance, flatten_summary
from electjax.districts.abc.prior import Space, unit_to_params
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models.base import Contest, Params, Plan, Simulator, options, simulate_runs
from electjax.numerics.parallel import ordered_map

FEWEST = 10  # accepted draws
CANDIDATES = 32  # for psi_opt
CHUNK = 1024  # points a compiled call, rounded up to whole batches
Progress = Callable[[int, int, str], None]
Summarise = Callable[[Array, Array], Array]  # votes[S, K] and winner[S] of an election to a vector


class Statistic(NamedTuple):
    """Summary statistics by name; `of` computes them, a pure function in jax.numpy (None: the paper's)."""

    name: str
    meaning: str
    of: Summarise | None


@options
class NoOptions:
    """A method may have no options of its own."""


class Method(NamedTuple):
    """A method of inference.

    search(key, problem, *, budget, accept, tolerance, options, progress) -> Sample. One that resumes also takes
    `checkpoint`; one that needs the votes of every district `votes`.
    options: the group of what only this method reads. accept, tolerance, adjust: what holds where the user says
    nothing, the tolerance with the paper's statistics; with others it is `tolerance_of_others`, NaN where the user must
    name one. weighting: how the draws are weighted, from the options. reads: options of `calibrate` that play a part.
    """

    name: str
    title: str
    search: Callable[..., "Sample"]
    weighting: Callable[[Any], str]
    reads: tuple[str, ...] = ()
    options: type[Any] = NoOptions
    accept: int = 500
    tolerance: float | None = None
    tolerance_of_others: float | None = None
    adjust: str = "none"
    resumes: bool = False
    needs_votes: bool = False
    likelihood_free: bool = True


class Setting(NamedTuple):
    """The static part of a problem: what a compiled program depends on besides shapes."""

    simulator: Simulator
    options: Any
    plan: Plan
    statistic: Summarise | None = None  # of the features; None: the paper's statistics are the features


class Problem(NamedTuple):
    """What is calibrated against what."""

    setting: Setting
    space: Space
    contest: Contest
    may_win: Bool[Array, " K"]
    fixed: Params  # the parameters that are not calibrated
    goal: Target  # the paper's statistics, by which psi_opt is judged
    measure: Measure  # what the draws are accepted by
    norm: str = "rms"
    permits: Callable[[Params], Bool[np.ndarray, " N"]] | None = None  # where the prior is not zero


class Draws(NamedTuple):
    """Simulated points, on the host, in the order in which they were simulated."""

    unit: Float[np.ndarray, "N D"]
    statistics: Float[np.ndarray, "N T"]
    features: Float[np.ndarray, "N F"]
    distance: Float[np.ndarray, " N"]

    def take(self, index: np.ndarray) -> "Draws":
        """The draws at these positions."""
        return Draws(*(field[index] for field in self))


class Sample(NamedTuple):
    """What a method hands back: accepted draws, closest first, with weights that sum to one.

    number: of the simulation. closest: the candidates for psi_opt. trace: a value per generation, and
    distance[G, M], log_weight[G, M] of its accepted draws, padded with inf and -inf: the logarithm of prior over
    proposal density and number proposed, so that the weights of the draws within any eps add up to an estimate of
    P(distance <= eps), the ABC evidence.
    """

    draws: Draws
    weight: Float[np.ndarray, " N"]
    number: Int[np.ndarray, " N"]
    closest: Draws
    simulations: int
    acceptance_rate: float
    tolerance: float
    stopped: str
    trace: dict[str, np.ndarray]
    measure: Measure  # the scales as they were in the end


def join(parts: list[Draws]) -> Draws:
    """Concatenate draws."""
    return Draws(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@partial(jax.jit, static_argnames="setting")
def _evaluate(
    key: Array, runs: Array, params: Params, contest: Contest, may_win: Array, *, setting: Setting
) -> tuple[Array, Array]:
    simulator, options, plan, statistic = setting
    outcome = simulate_runs(
        key,
        runs,
        contest,
        may_win,
        params,
        simulator=simulator,
        options=options,
        plan=plan,
        varying=True,
        keep_votes=False,
        statistic=statistic,
    )
    statistics = flatten_summary(outcome.summary)
    return statistics, statistics if outcome.features is None else outcome.features


def chunk_size(problem: Problem) -> int:
    """Points that go to the device together: whole batches."""
    batch = problem.setting.plan.batch
    return -(-CHUNK // batch) * batch


def point_params(problem: Problem, unit: Float[np.ndarray, "N D"]) -> dict[str, Any]:
    """All parameters of the points, with the parties' totals where the popularity varies."""
    params: dict[str, Any] = {name: np.broadcast_to(v, (len(unit), *v.shape)) for name, v in problem.fixed.items()}
    params |= unit_to_params(problem.space, unit)
    if "popularity" in params:
        params["totals"] = largest_remainder(params["popularity"], problem.setting.plan.total)
    return {name: np.asarray(v, np.int32 if name == "totals" else np.float32) for name, v in params.items()}


def evaluate(
    key: Key[Array, ""], runs: Int[np.ndarray, " N"], unit: Float[np.ndarray, "N D"], problem: Problem
) -> Draws:
    """Simulate one election at every point of the unit cube; run r uses the key and r alone.

    Points go to the device in chunks of one size, so that every stage of a method shares one compiled program.
    """
    size = chunk_size(problem)
    number = len(runs)
    padded = np.resize(np.arange(number), -(-number // size) * size)

    def work(first: int) -> tuple[np.ndarray, np.ndarray]:
        index = padded[first : first + size]
        params = point_params(problem, np.asarray(unit)[index])
        numbers = jnp.asarray(runs[index], jnp.int32)
        found = _evaluate(key, numbers, params, problem.contest, problem.may_win, setting=problem.setting)
        return np.asarray(found[0]), np.asarray(found[1])

    starts = range(0, len(padded), size)
    parts = list(ordered_map(work, starts)) if len(starts) > 1 else [work(0)]
    statistics, features = (np.concatenate(column)[:number] for column in zip(*parts, strict=True))
    return Draws(np.asarray(unit, float), statistics, features, problem.measure.distance(features))


def closest(draws: Draws, problem: Problem, number: int = CANDIDATES) -> Draws:
    """The draws closest to the observed election by the paper's statistics, closest first."""
    far = distance(draws.statistics, problem.goal, norm=problem.norm)
    return draws.take(np.argsort(far, kind="stable")[:number])


def best_on_average(
    key: Key[Array, ""], unit: Float[np.ndarray, "N D"], problem: Problem, *, replicates: int = 64
) -> tuple[Float[np.ndarray, " D"], float, int]:
    """psi_opt: the candidate of these whose mean simulated statistics lie closest to the observed ones.

    The paper takes the parameters of the single closest simulation, which rewards luck. Here every candidate is
    simulated `replicates` times with common random numbers, and judged by the mean of the paper's statistics.

    Returns psi_opt in the unit cube, the distance of its mean, and the number of simulations.
    """
    number = len(unit)
    runs = np.tile(np.arange(replicates), number)
    found = evaluate(key, runs, np.repeat(unit, replicates, axis=0), problem)
    mean = found.statistics.reshape(number, replicates, -1).mean(axis=1, dtype=float)
    far = distance(mean, problem.goal, norm=problem.norm)
    best = int(np.argmin(far))
    return unit[best], float(far[best]), number * replicates


def select(draws: Draws, *, tolerance: float) -> tuple[np.ndarray, float]:
    """Positions of the accepted draws, closest first, and the tolerance that accepted them.

    Where fewer than FEWEST come within the tolerance, the closest FEWEST are kept instead, and the tolerance
    returned is the largest distance among them. What is infinitely far is never accepted.
    """
    order = np.argsort(draws.distance, kind="stable")[: int(np.isfinite(draws.distance).sum())]
    if not len(order):
        raise ValueError(f"statistics: finite in none of {len(draws.distance)} simulations; expected finite numbers")
    within = int(np.sum(draws.distance <= tolerance))
    if within >= FEWEST:
        return order[:within], tolerance
    order = order[:FEWEST]
    return order, max(tolerance, float(draws.distance[order[-1]]))


def equally_weighted(draws: Draws, problem: Problem, *, tolerance: float, accept: int, from_prior: bool) -> Sample:
    """A sample of all that a method simulated, by the tolerance alone."""
    kept, reached = select(draws, tolerance=tolerance)
    number = len(draws.distance)
    within = float(np.mean(draws.distance <= tolerance))
    trace = {
        "tolerance": np.array([reached]),
        "acceptance_rate": np.array([within]),
        "ess": np.array([float(len(kept))]),
        "simulations": np.array([number]),
    }
    if from_prior:
        trace["distance"] = draws.distance[kept][None]
        trace["log_weight"] = np.full((1, len(kept)), -np.log(number))
    enough = int(np.sum(draws.distance <= tolerance)) >= accept
    return Sample(
        draws.take(kept),
        np.full(len(kept), 1.0 / len(kept)),
        kept,
        closest(draws, problem),
        number,
        within,
        reached,
        f"{accept} accepted" if enough else "budget spent",
        trace,
        problem.measure,
    )
