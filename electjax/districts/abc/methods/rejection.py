"""ABC rejection: draw from the prior, simulate, keep what comes close (Mitra, section 6)."""

import jax
import numpy as np
from jaxtyping import Array, Key

from electjax.districts.abc.generation import permitted_draws
from electjax.districts.abc.problem import (
    CHUNK,
    Draws,
    Method,
    NoOptions,
    Problem,
    Progress,
    Sample,
    equally_weighted,
    evaluate,
    join,
)
from electjax.numerics.parallel import ordered_map


def rejection(
    key: Key[Array, ""],
    problem: Problem,
    *,
    budget: int,
    accept: int,
    tolerance: float | None,
    options: NoOptions | None = None,
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
        far = np.sort(draws.distance[np.isfinite(draws.distance)])
        tolerance = float(far[min(accept, len(far)) - 1]) if len(far) else np.inf
    return equally_weighted(draws, problem, tolerance=tolerance, accept=accept, from_prior=True)


METHOD = Method(
    name="rejection",
    title="ABC by rejection: every simulation is drawn from the prior",
    search=rejection,
    weighting=lambda options: "equal; draws come from the prior",
    reads=("statistics", "summaries", "pilot", "adjust"),
    tolerance=1.0,
    adjust="linear",
)
