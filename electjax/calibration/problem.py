"""A calibration problem, and what every method shares: evaluating points, keeping draws, picking psi_opt."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.calibration.distance import Target, distance, flatten_summary
from electjax.calibration.prior import Space, unit_to_params
from electjax.core.parallel import ordered_map
from electjax.simulators.base import Contest, Params, Plan, Simulator, simulate_runs

FEWEST = 10  # accepted draws
CHUNK = 1024  # points a compiled call, rounded up to whole batches
Progress = Callable[[int, int, str], None]


class Setting(NamedTuple):
    """The static part of a problem: what a compiled program depends on besides shapes."""

    simulator: Simulator
    options: Any
    plan: Plan
    norm: str = "rms"


class Problem(NamedTuple):
    """What is calibrated against what."""

    setting: Setting
    space: Space
    contest: Contest
    may_win: Bool[Array, " K"]
    fixed: Params  # the parameters that are not calibrated
    goal: Target


class Draws(NamedTuple):
    """Simulated points, on the host, in the order in which they were simulated."""

    unit: Float[np.ndarray, "N D"]
    statistics: Float[np.ndarray, "N T"]
    distance: Float[np.ndarray, " N"]

    def take(self, index: np.ndarray) -> "Draws":
        """The draws at these positions."""
        return Draws(*(field[index] for field in self))


def join(parts: list[Draws]) -> Draws:
    """Concatenate draws."""
    return Draws(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@partial(jax.jit, static_argnames="setting")
def _evaluate(
    key: Array, runs: Array, params: Params, contest: Contest, may_win: Array, goal: Target, *, setting: Setting
) -> tuple[Array, Array]:
    simulator, options, plan, norm = setting
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
    )
    statistics = flatten_summary(outcome.summary)
    return statistics, distance(statistics, goal, norm=norm)


def evaluate(
    key: Key[Array, ""],
    runs: Int[np.ndarray, " N"],
    unit: Float[np.ndarray, "N D"],
    problem: Problem,
) -> Draws:
    """Simulate one election at every point of the unit cube; run r uses the key and r alone.

    Points go to the device in chunks of one size, so that every stage of a method shares one compiled program.
    """
    batch = problem.setting.plan.batch
    size = -(-CHUNK // batch) * batch
    number = len(runs)
    padded = np.resize(np.arange(number), -(-number // size) * size)

    def work(first: int) -> tuple[np.ndarray, np.ndarray]:
        index = padded[first : first + size]
        fixed = {name: np.broadcast_to(value, (size, *value.shape)) for name, value in problem.fixed.items()}
        params = fixed | unit_to_params(problem.space, unit[index])
        numbers = jnp.asarray(runs[index], jnp.int32)
        statistics, far = _evaluate(
            key, numbers, params, problem.contest, problem.may_win, problem.goal, setting=problem.setting
        )
        return np.asarray(statistics), np.asarray(far)

    starts = range(0, len(padded), size)
    parts = list(ordered_map(work, starts)) if len(starts) > 1 else [work(0)]
    statistics, far = (np.concatenate(column)[:number] for column in zip(*parts, strict=True))
    return Draws(np.asarray(unit), statistics, far)


def best_on_average(
    key: Key[Array, ""], draws: Draws, problem: Problem, *, candidates: int = 32, replicates: int = 64
) -> tuple[Float[np.ndarray, " D"], float, int]:
    """psi_opt: the candidate whose mean simulated statistics lie closest to the observed ones.

    The paper takes the parameters of the single closest simulation, which rewards luck. Here the closest
    `candidates` draws are each simulated `replicates` times with common random numbers, and judged by their mean.

    Returns psi_opt in the unit cube, the distance of its mean, and the number of simulations.
    """
    order = np.argsort(draws.distance, kind="stable")[:candidates]
    candidates = len(order)
    unit = draws.unit[order]
    runs = np.tile(np.arange(replicates), candidates)
    found = evaluate(key, runs, np.repeat(unit, replicates, axis=0), problem)
    mean = found.statistics.reshape(candidates, replicates, -1).mean(axis=1)
    far = np.asarray(distance(jnp.asarray(mean), problem.goal, norm=problem.setting.norm))
    best = int(np.argmin(far))
    return unit[best], float(far[best]), candidates * replicates


def select(draws: Draws, *, tolerance: float) -> tuple[np.ndarray, float]:
    """Positions of the accepted draws, closest first, and the tolerance that accepted them.

    Where fewer than FEWEST come within the tolerance, the closest FEWEST are kept instead, and the tolerance
    returned is the largest distance among them.
    """
    order = np.argsort(draws.distance, kind="stable")
    within = int(np.sum(draws.distance <= tolerance))
    if within >= FEWEST:
        return order[:within], tolerance
    order = order[:FEWEST]
    return order, max(tolerance, float(draws.distance[order[-1]]))
