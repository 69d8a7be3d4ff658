"""One generation of sequential Monte Carlo ABC: from the prior, by importance sampling, or by Metropolis steps."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count as numbers_from
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from electjax.districts.abc.prior import unit_to_params
from electjax.districts.abc.problem import Draws, Problem, Progress, chunk_size, closest, evaluate, join
from electjax.districts.abc.proposal import Proposal, log_prior_ratio, perturb, prior_points, propose, split
from electjax.numerics.parallel import ordered_map

PATIENCE = 4  # chunks of a generation before its acceptance rate is judged
MOST_MOVES = 40
STAY = 0.01  # share of the copies that may end where they began (mcmc)
FUTILE = 10_000  # points of the prior drawn for one that is permitted


class State(NamedTuple):
    """Everything that the next generation depends on."""

    draws: Draws  # accepted in the last one, closest first
    log_weight: Float[np.ndarray, " N"]  # log(prior / proposal), less the log number proposed
    number: Int[np.ndarray, " N"]
    closest: Draws
    scale: Float[np.ndarray, " T"]  # of the measure
    simulations: int
    seconds: float
    permitted: float  # share of the prior that is permitted
    trace: Mapping[str, list[np.ndarray]]
    stopped: str


class Generation(NamedTuple):
    """What one generation found."""

    draws: Draws  # accepted
    log_weight: Float[np.ndarray, " N"]
    number: Int[np.ndarray, " N"]
    simulated: int
    features: Float[np.ndarray, "M F"]  # of all simulations
    closest: Draws
    permitted: float
    stopped: str


class Search(NamedTuple):
    """What all generations of a search share."""

    key: Key[Array, ""]
    problem: Problem
    accept: int
    budget: int
    min_acceptance: float
    out_of: Callable[[int], str]  # which rule stops the search after so many simulations, if any
    progress: Progress | None

    def rng(self, *numbers: int) -> np.random.Generator:
        """The host's generator of a part of the search."""
        words = np.asarray(jax.random.key_data(self.key)).ravel().tolist()
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([*words, *numbers])))

    def say(self, simulations: int, text: str) -> None:
        """Report progress."""
        if self.progress:
            self.progress(simulations, self.budget, text)


def from_prior(search: Search) -> Generation:
    """Draws from the prior, at least as many as a generation accepts."""
    problem, levels = search.problem, search.problem.space.levels
    parts, numbers, drawn, stopped = [], [], 0.0, ""
    # so much that a small budget has something left to select with
    most = min(search.budget, max(2 * search.accept, search.budget // 4))
    chunks = _chunks(search._replace(budget=most), 0, 0, lambda rng, n: prior_points(rng, n, levels))
    for draws, runs, count in chunks:
        parts.append(draws)
        numbers.append(runs)
        drawn += count
        simulated = sum(map(len, numbers))
        search.say(simulated, "generation 0: prior")
        stopped = search.out_of(simulated)
        if stopped or simulated >= search.accept:
            break
    everything, number = join(parts), np.concatenate(numbers)
    weight = np.full(len(number), -np.log(len(number)))
    best, permitted = closest(everything, problem), len(number) / drawn
    return Generation(everything, weight, number, len(number), everything.features, best, permitted, stopped)


def by_importance(
    search: Search, problem: Problem, state: State, alive: np.ndarray, proposal: Proposal, aim: float
) -> Generation:
    """Propose around the draws within the new tolerance until enough are accepted."""
    generation = len(state.trace["tolerance"])
    good, numbers, features, near = [state.draws.take(np.zeros(0, int))], [np.zeros(0, int)], [], [state.closest]
    accepted = simulated = 0
    drawn = 0.0
    stopped = "budget spent"
    chunks = _chunks(search, generation, state.simulations, lambda rng, n: propose(rng, n, proposal), problem)
    for turn, (draws, runs, count) in enumerate(chunks, 1):
        within = draws.distance <= aim
        good.append(draws.take(within))
        numbers.append(runs[within])
        features.append(draws.features)
        near.append(closest(draws, problem))
        accepted += int(within.sum())
        drawn += count
        simulated += len(runs)
        said = f"generation {generation}: tolerance {aim:.3g}, {accepted} of {search.accept} accepted"
        search.say(state.simulations + simulated, said)
        stopped = ""
        if accepted >= search.accept:
            break
        stopped = search.out_of(state.simulations + simulated)
        if not stopped and turn >= PATIENCE and accepted < search.min_acceptance * simulated:
            stopped = "acceptance rate"
        if stopped:
            break
    found = join(good)
    log_weight = log_prior_ratio(found.unit, proposal) - np.log(max(drawn, 1) * state.permitted)
    everything = np.concatenate(features) if features else found.features
    best = closest(join(near), problem)
    number = np.concatenate(numbers)
    return Generation(found, log_weight, number, simulated, everything, best, state.permitted, stopped)


def by_metropolis(
    search: Search, problem: Problem, state: State, alive: np.ndarray, proposal: Proposal, aim: float
) -> Generation:
    """Fill up with copies of the draws within the new tolerance, and move the copies by Metropolis steps.

    The number of steps follows from the acceptance rate of the first, so that hardly a copy stays where it began.
    """
    generation, levels = len(state.trace["tolerance"]), problem.space.levels
    rng = search.rng(generation)
    _, key_runs = jax.random.split(search.key)
    top = state.log_weight.max()
    weight = np.exp(state.log_weight[alive] - top)
    evidence = np.log(weight.sum()) + top
    # equally weighted from here on: systematic resampling
    places = (np.arange(search.accept) + rng.random()) / search.accept
    ancestor = np.minimum(np.searchsorted(np.cumsum(weight) / weight.sum(), places), len(weight) - 1)
    moving = np.flatnonzero(np.r_[False, ancestor[1:] == ancestor[:-1]])
    draws = state.draws.take(np.flatnonzero(alive)[ancestor])
    number = state.number[alive][ancestor]
    features, near, simulated, step, steps, stopped = [], [state.closest], 0, 0, 1, ""
    while step < steps and len(moving) and not stopped:
        if search.budget - state.simulations - simulated < len(moving):
            stopped = "budget spent"
            break
        x, cell = split(draws.unit[moving], levels)
        # a local kernel is one of its mixture whatever the point, so that moves there and back are equally likely
        kernel = rng.choice(len(proposal.weight), size=len(moving), p=proposal.weight)
        unit = perturb(rng, x, cell, proposal, kernel)
        y, _ = split(unit, levels)
        allowed = np.log(rng.random(len(moving))) < 0.5 * np.sum(x * x - y * y, axis=1)
        if problem.permits is not None:
            allowed &= problem.permits(unit_to_params(problem.space, unit))
        asked = np.flatnonzero(allowed)
        accepted = np.zeros(0, bool)
        if len(asked):
            runs = state.simulations + simulated + np.arange(len(asked))
            tried = evaluate(key_runs, runs, unit[asked], problem)
            accepted = tried.distance <= aim
            for old, new in zip(draws, tried, strict=True):
                old[moving[asked[accepted]]] = new[accepted]
            number[moving[asked[accepted]]] = runs[accepted]
            features.append(tried.features)
            near.append(closest(tried, problem))
        simulated += len(asked)
        rate = float(accepted.sum()) / len(moving)
        if step == 0:
            steps = int(np.clip(np.ceil(np.log(STAY) / np.log1p(-np.clip(rate, 1e-3, 0.99))), 1, MOST_MOVES))
        step += 1
        said = f"generation {generation}: tolerance {aim:.3g}, step {step} of {steps}, {rate:.0%} moved"
        search.say(state.simulations + simulated, said)
        stopped = search.out_of(state.simulations + simulated)
        if rate < search.min_acceptance:
            stopped = stopped or "acceptance rate"
    if stopped and step < steps:  # copies that did not move enough are no sample
        draws, number = draws.take(np.zeros(0, int)), number[:0]
    log_weight = np.full(len(number), evidence - np.log(search.accept))
    everything = np.concatenate(features) if features else draws.features
    best = closest(join(near), problem)
    return Generation(draws, log_weight, number, simulated, everything, best, state.permitted, stopped)


def _chunks(
    search: Search,
    generation: int,
    first: int,
    draw: Callable[[np.random.Generator, int], np.ndarray],
    problem: Problem | None = None,
) -> Iterator[tuple[Draws, np.ndarray, float]]:
    """Simulated chunks of one generation: draws, their numbers, and how many points were drawn for them."""
    problem = problem or search.problem
    size, left = chunk_size(problem), search.budget - first
    _, key_runs = jax.random.split(search.key)

    def work(chunk: int) -> tuple[Draws, np.ndarray, float]:
        number = min(size, left - chunk * size)
        rng = search.rng(generation, chunk)
        unit, drawn = permitted(problem, lambda count: draw(rng, count), number)
        runs = first + chunk * size + np.arange(number)
        return evaluate(key_runs, runs, unit, problem), runs, drawn

    yield from ordered_map(work, range(max(-(-left // size), 0)))


def permitted(
    problem: Problem, draw: Callable[[int], np.ndarray], number: int
) -> tuple[Float[np.ndarray, "N D"], float]:
    """`number` points of draw(count) that the prior permits, and about how many were drawn for them.

    Raises ValueError where the prior permits hardly anything.
    """
    if problem.permits is None or number == 0:
        return draw(number), number
    parts: list[np.ndarray] = []
    drawn = good = 0
    while good < number:
        if drawn > FUTILE * (good + 1):
            raise ValueError(f"model {problem.setting.simulator.name}: the prior permits hardly any of its points")
        unit = draw(number)
        unit = unit[problem.permits(unit_to_params(problem.space, unit))]
        drawn, good = drawn + number, good + len(unit)
        parts.append(unit)
    return np.concatenate(parts)[:number], drawn * number / good


@partial(jax.jit, static_argnames=("number", "size"))
def prior_draws(key: Key[Array, ""], first: int, *, number: int, size: int) -> Float[Array, "N D"]:
    """Points first, first + 1, ... of a stream of uniform draws from the unit cube of dimension `size`."""
    points = first + jnp.arange(number)
    return jax.vmap(lambda point: jax.random.uniform(jax.random.fold_in(key, point), (size,)))(points)


def permitted_draws(key: Key[Array, ""], first: int, number: int, problem: Problem) -> Float[np.ndarray, "N D"]:
    """`number` draws from the prior, from point `first` of the stream on, drawn again where it does not permit them."""
    turns = numbers_from()

    def draw(asked: int) -> np.ndarray:
        turn = next(turns)
        own = key if turn == 0 else jax.random.fold_in(key, turn)
        return np.asarray(prior_draws(own, first, number=asked, size=problem.space.size), float)

    return permitted(problem, draw, number)[0]
