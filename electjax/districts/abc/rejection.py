"""ABC rejection: draw from the prior, simulate, keep what comes close (Mitra, section 6)."""

from functools import partial
from itertools import count

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from electjax.districts.abc.generation import permitted
from electjax.districts.abc.problem import CHUNK, Draws, Problem, Progress, Sample, equally_weighted, evaluate, join
from electjax.numerics.parallel import ordered_map


@partial(jax.jit, static_argnames=("number", "size"))
def prior_draws(key: Key[Array, ""], first: int, *, number: int, size: int) -> Float[Array, "N D"]:
    """Points first, first + 1, ... of a stream of uniform draws from the unit cube of dimension `size`."""
    points = first + jnp.arange(number)
    return jax.vmap(lambda point: jax.random.uniform(jax.random.fold_in(key, point), (size,)))(points)


def permitted_draws(key: Key[Array, ""], first: int, number: int, problem: Problem) -> Float[np.ndarray, "N D"]:
    """`number` draws from the prior, from point `first` of the stream on, drawn again where it does not permit them."""
    turns = count()

    def draw(asked: int) -> np.ndarray:
        turn = next(turns)
        own = key if turn == 0 else jax.random.fold_in(key, turn)
        return np.asarray(prior_draws(own, first, number=asked, size=problem.space.size), float)

    return permitted(problem, draw, number)[0]


def rejection(
    key: Key[Array, ""],
    problem: Problem,
    *,
    budget: int,
    accept: int,
    tolerance: float | None,
    progress: Progress | None = None,
) -> Sample:
    """Simulate prior draws until `accept` of them lie within the tolerance or the budget is spent.

    Draws are independent and identically distributed: with equal weights the accepted ones are a sample of the
    ABC posterior at this tolerance. Without a tolerance the whole budget is spent and the closest `accept` are kept.
    """
    key_prior, key_runs = jax.random.split(key)

    def work(first: int) -> Draws:
        number = min(CHUNK, budget - first)
        unit = permitted_draws(key_prior, first, number, problem)
        return evaluate(key_runs, first + np.arange(number), unit, problem)

    parts: list[Draws] = []
    found = 0
    for part in ordered_map(work, range(0, budget, CHUNK)):
        parts.append(part)
        found += int(np.sum(part.distance <= (tolerance or 0.0)))
        if progress:
            best = min(float(p.distance.min()) for p in parts)
            progress(min(len(parts) * CHUNK, budget), budget, f"{found} accepted, best distance {best:.2f}")
        if found >= accept and tolerance is not None:
            break
    draws = join(parts)
    if tolerance is None:
        tolerance = float(np.sort(draws.distance)[min(accept, budget) - 1])
    return equally_weighted(draws, problem, tolerance=tolerance, accept=accept, from_prior=True)
