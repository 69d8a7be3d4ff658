"""Sequential Monte Carlo ABC: generations of draws within a tolerance that shrinks.

importance  every generation proposes around the last and weights its accepted draws by prior over proposal density
            (population Monte Carlo; M. Beaumont and others, Biometrika 96, 2009)
mcmc        the draws that remain within the new tolerance are duplicated, and the copies moved by Metropolis steps
            (C. Drovandi and A. Pettitt, "Estimation of parameters for macroparasite population evolution using
            approximate Bayesian computation", Biometrics 67, 2011)

Simulations run in chunks on the device; everything that stops a calibration is looked at between chunks, so also
within a generation. Run r of a calibration depends on the key and r alone, and the proposals of a chunk on the key,
the generation and the chunk: the same key gives the same result however many threads work, and an interrupted
calibration continues from the last whole generation as if nothing had happened.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Array, Float, Key

from electjax.districts.abc.distance import Measure
from electjax.districts.abc.generation import Generation, Search, State, by_importance, by_metropolis, from_prior
from electjax.districts.abc.problem import FEWEST, Draws, Method, Problem, Progress, Sample
from electjax.districts.abc.proposal import fit_proposal
from electjax.districts.models.base import filled, option
from electjax.districts.models.base import options as options_group

ANCESTORS = 50  # fewest draws that a proposal is fitted to
MOVES = {"importance": by_importance, "mcmc": by_metropolis}
ROWS = ("distance", "log_weight")  # of the trace, with a value per draw


@options_group
class SMCOptions:
    """How a sequential search goes from generation to generation, and what ends it."""

    quantile: float = option(0.4, "the next tolerance: this quantile of the accepted distances", above=0, below=1)
    schedule: Literal["quantile", "ess"] = option(
        "quantile", "ess: the tolerance that leaves the share `quantile` of the effective sample size"
    )
    move: Literal["importance", "mcmc"] = option(
        "importance", "propose anew and weight, or move copies by Metropolis steps"
    )
    covariance: Literal["full", "local"] = option(
        "full", "one kernel for all draws, or one shaped by a draw's neighbours"
    )
    scaling: Literal["tolerance", "mad"] = option(
        "tolerance", "scales of the statistics: the tolerances, or their spread (MAD) in each generation"
    )
    defensive: float = option(0.05, "share of the proposals that come from the prior", low=0, below=1)
    min_acceptance: float = option(0.005, "stop where a generation accepts less than this share", low=0, below=1)
    min_gain: float = option(0.01, "stop where the tolerance falls by less than this share", low=0, below=1)
    wall_time: float | None = option(None, "stop after so many seconds; results then depend on the machine", above=0)
    generations: int = option(30, "stop after so many generations", low=1)

    def conflicts(self) -> Iterator[tuple[str, str, str, str]]:
        """Another measure in every generation is no target for Metropolis steps."""
        if self.scaling == "mad" and self.move == "mcmc":
            yield "scaling", self.scaling, "tolerance where move is mcmc", "use move='importance'"


class Checkpoint(Protocol):
    """Where the state of a search outlives an interruption."""

    def latest(self) -> Mapping[str, np.ndarray] | None:
        """The state that was saved last, if any."""

    def save(self, state: Mapping[str, np.ndarray]) -> None:
        """Keep a state in place of the last."""


def smc(
    key: Key[Array, ""],
    problem: Problem,
    *,
    budget: int,
    accept: int,
    tolerance: float,
    options: SMCOptions | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Sample:
    """Shrink the tolerance generation by generation until it reaches `tolerance`, or a rule stops the search.

    accept: accepted draws a generation, at least (all of the last chunk's are kept); no more than a quarter of the
    budget. The search also stops by its budget (simulations that count: what other threads had begun when a generation
    ended does not).

    A generation that is stopped half-way counts if its effective sample size is at least half of `accept`; otherwise
    the last whole one is the result. Raises ValueError for so few draws or simulations that nothing can be selected.
    """
    chosen = options or filled(SMCOptions)
    if accept < FEWEST:
        raise ValueError(f"accept={accept}: expected at least {FEWEST} draws a generation")
    if budget < 4 * FEWEST:
        raise ValueError(f"budget={budget}: expected at least {4 * FEWEST} simulations")
    accept = min(accept, budget // 4)  # otherwise a small budget is spent before anything is selected
    saved = checkpoint.latest() if checkpoint else None
    state = None if saved is None else unpack(saved)
    started = time.monotonic() - (0.0 if state is None else state.seconds)

    def out_of(simulations: int) -> str:
        if simulations >= budget:
            return "budget spent"
        late = chosen.wall_time is not None and time.monotonic() - started >= chosen.wall_time
        return "wall time" if late else ""

    search = Search(key, problem, accept, budget, chosen.min_acceptance, out_of, progress)
    adaptive = chosen.scaling == "mad"
    while state is None or not state.stopped:
        if state is None:
            state = _begin(search, tolerance, adaptive=adaptive)
        else:
            aim = next_tolerance(state.draws.distance, state.log_weight, chosen.quantile, chosen.schedule, tolerance)
            reached = float(state.trace["tolerance"][-1])
            stop = out_of(state.simulations) or ("no gain" if 1.0 - aim / reached < chosen.min_gain else "")
            stop = "generations" if len(state.trace["tolerance"]) >= chosen.generations else stop
            if stop:
                state = state._replace(stopped=stop)
            else:
                alive = state.draws.distance <= aim
                proposal = fit_proposal(
                    state.draws.unit[alive],
                    _relative(state.log_weight[alive]),
                    problem.space.levels,
                    local=chosen.covariance == "local",
                    scale=2.0 if chosen.move == "importance" else 2.38**2 / problem.space.size,
                    defensive=chosen.defensive,
                )
                current = problem._replace(measure=_with_scale(problem.measure, state.scale))
                found = MOVES[chosen.move](search, current, state, alive, proposal, aim)
                state = _advance(state, found, current.measure, aim, accept, adaptive=adaptive)
        if not state.stopped and state.trace["tolerance"][-1] <= tolerance:
            state = state._replace(stopped="tolerance reached")
        state = state._replace(seconds=time.monotonic() - started)
        if checkpoint:
            checkpoint.save(pack(state))
    return _sample(state, problem)


def next_tolerance(
    distance: Float[np.ndarray, " N"],
    log_weight: Float[np.ndarray, " N"],
    quantile: float,
    schedule: str,
    tolerance: float,
) -> float:
    """The tolerance of the next generation: a quantile of the weighted distances, or by effective sample size.

    At least ANCESTORS draws stay within it, or half of them where there are fewer.
    """
    order = np.argsort(distance, kind="stable")
    weight = _relative(log_weight[order])
    mass = np.cumsum(weight)
    share = mass / mass[-1]
    if schedule == "ess":
        ess = mass**2 / np.cumsum(weight**2)
        share = np.maximum.accumulate(ess) / ess[-1]
    place = max(int(np.searchsorted(share, quantile)), min(ANCESTORS, len(order) // 2) - 1)
    aim, far = distance[order[min(place, len(order) - 1)]], distance[order]
    if aim == far[-1] and np.sum(far < aim) >= FEWEST:
        aim = far[far < aim][-1]  # many are equally far: go on with those that are closer
    return max(float(aim), tolerance)


def _begin(search: Search, tolerance: float, *, adaptive: bool) -> State:
    """The state after the draws from the prior: the closest of them, as many as a generation accepts."""
    found, measure = from_prior(search), search.problem.measure
    if adaptive:
        measure = measure.rescaled(found.features)
        found = found._replace(draws=found.draws._replace(distance=measure.distance(found.draws.features)))
    far = np.sort(found.draws.distance)
    far = far[np.isfinite(far)]
    if not len(far):
        raise ValueError(f"statistics: finite in none of {found.simulated} simulations; expected finite numbers")
    reached = max(float(far[min(search.accept, len(far)) - 1]), tolerance)
    keep = (found.draws.distance <= reached) & np.isfinite(found.draws.distance)
    found = found._replace(draws=found.draws.take(keep), log_weight=found.log_weight[keep], number=found.number[keep])
    return _after(found, measure, reached, 0, {})


def _advance(state: State, found: Generation, measure: Measure, aim: float, accept: int, *, adaptive: bool) -> State:
    """The state after a generation; where it was stopped too early, the old one, and why it ends."""
    simulations = state.simulations + found.simulated
    if found.stopped and (not len(found.number) or effective_size(found.log_weight) < accept / 2):
        return state._replace(simulations=simulations, closest=found.closest, stopped=found.stopped)
    if adaptive:
        measure = measure.rescaled(found.features)
        found = found._replace(draws=found.draws._replace(distance=measure.distance(found.draws.features)))
        aim = float(found.draws.distance.max())
    return _after(found, measure, aim, state.simulations, state.trace)


def _after(
    found: Generation, measure: Measure, reached: float, before: int, trace: Mapping[str, list[np.ndarray]]
) -> State:
    order = np.argsort(found.draws.distance, kind="stable")
    draws, log_weight = found.draws.take(order), found.log_weight[order]
    news = {
        "tolerance": reached,
        "acceptance_rate": len(found.number) / found.simulated,
        "ess": effective_size(log_weight),
        "simulations": found.simulated,
        "distance": draws.distance,
        "log_weight": log_weight,
    }
    return State(
        draws,
        log_weight,
        found.number[order],
        found.closest,
        np.asarray(measure.goal.tolerance, float),
        before + found.simulated,
        0.0,
        found.permitted,
        {name: [*trace.get(name, []), np.asarray(value)] for name, value in news.items()},
        found.stopped,
    )


def _sample(state: State, problem: Problem) -> Sample:
    weight = _relative(state.log_weight)
    trace = {name: np.stack(values) for name, values in state.trace.items() if name not in ROWS}
    longest = max(map(len, state.trace["distance"]))
    for name, fill in zip(ROWS, (np.inf, -np.inf), strict=True):
        rows = [np.pad(row, (0, longest - len(row)), constant_values=fill) for row in state.trace[name]]
        trace[name] = np.stack(rows)
    return Sample(
        state.draws,
        weight / weight.sum(),
        state.number,
        state.closest,
        state.simulations,
        float(trace["acceptance_rate"][-1]),
        float(trace["tolerance"][-1]),
        state.stopped,
        trace,
        _with_scale(problem.measure, state.scale),
    )


def effective_size(log_weight: Float[np.ndarray, " N"]) -> float:
    """Kish's effective sample size of weighted draws."""
    weight = _relative(log_weight)
    return float(weight.sum() ** 2 / np.sum(weight**2))


def _relative(log_weight: np.ndarray) -> np.ndarray:
    return np.exp(log_weight - log_weight.max())


def _with_scale(measure: Measure, scale: np.ndarray) -> Measure:
    return measure._replace(goal=measure.goal._replace(tolerance=scale))


def pack(state: State) -> dict[str, np.ndarray]:
    """A state as plain arrays."""
    flat = {f"draws.{name}": value for name, value in state.draws._asdict().items()}
    flat |= {f"closest.{name}": value for name, value in state.closest._asdict().items()}
    flat |= {
        f"trace.{generation}.{name}": value
        for name, values in state.trace.items()
        for generation, value in enumerate(values)
    }
    whole = ("log_weight", "number", "scale", "simulations", "seconds", "permitted", "stopped")
    return flat | {name: np.asarray(getattr(state, name)) for name in whole}


def unpack(flat: Mapping[str, np.ndarray]) -> State:
    """The state that was packed."""

    def part(prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): flat[name] for name in flat if name.startswith(prefix)}

    trace: dict[str, list[np.ndarray]] = {}
    for name, value in sorted(part("trace.").items(), key=lambda item: int(item[0].split(".")[0])):
        trace.setdefault(name.split(".", 1)[1], []).append(value)
    return State(
        Draws(**part("draws.")),
        flat["log_weight"],
        flat["number"],
        Draws(**part("closest.")),
        flat["scale"],
        int(flat["simulations"]),
        float(flat["seconds"]),
        float(flat["permitted"]),
        trace,
        str(flat["stopped"]),
    )


def _weighting(options: SMCOptions) -> str:
    by_steps = options.move == "mcmc"
    return "equal; draws were moved by Metropolis steps" if by_steps else "prior over proposal density"


METHOD = Method(
    name="smc",
    title="ABC by sequential Monte Carlo, generation by generation",
    options=SMCOptions,
    search=smc,
    weighting=_weighting,
    reads=("statistics", "summaries", "pilot", "adjust"),
    tolerance=0.5,
    tolerance_of_others=0.0,
    adjust="linear",
    resumes=True,
)
