"""ABC rejection: draw from the prior, simulate, keep what comes close (Mitra, section 6)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from electjax.calibration.problem import CHUNK, Draws, Problem, Progress, evaluate, join
from electjax.core.parallel import ordered_map


@partial(jax.jit, static_argnames=("number", "size"))
def prior_draws(key: Key[Array, ""], first: int, *, number: int, size: int) -> Float[Array, "N D"]:
    """Points first, first + 1, ... of a stream of uniform draws from the unit cube of dimension `size`."""
    points = first + jnp.arange(number)
    return jax.vmap(lambda point: jax.random.uniform(jax.random.fold_in(key, point), (size,)))(points)


def rejection(
    key: Key[Array, ""],
    problem: Problem,
    *,
    budget: int,
    accept: int,
    tolerance: float,
    progress: Progress | None = None,
) -> Draws:
    """Simulate prior draws until `accept` of them lie within the tolerance or the budget is spent.

    Draws are independent and identically distributed: with equal weights the accepted ones are a sample of the
    ABC posterior at this tolerance. Returns every simulation, accepted or not.
    """
    key_prior, key_runs = jax.random.split(key)

    def work(first: int) -> Draws:
        number = min(CHUNK, budget - first)
        unit = prior_draws(key_prior, first, number=number, size=problem.space.size)
        return evaluate(key_runs, first + np.arange(number), np.asarray(unit), problem)

    parts: list[Draws] = []
    found = 0
    for part in ordered_map(work, range(0, budget, CHUNK)):
        parts.append(part)
        found += int(np.sum(part.distance <= tolerance))
        if progress:
            best = min(float(p.distance.min()) for p in parts)
            progress(min(len(parts) * CHUNK, budget), budget, f"{found} accepted, best distance {best:.2f}")
        if found >= accept:
            break
    return join(parts)
