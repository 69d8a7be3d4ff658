"""Bootstrap of a CALM fit: booths drawn anew within each constituency, and the model fitted to each draw.

Candidates, constituencies and the statistics that standardise g are held, so that eta keeps its scale. The fits start
at the estimate and run one after the other in one program.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from electjax.calm.model.design import Design
from electjax.calm.model.estimate import information, newton
from electjax.calm.model.integrate import integrated
from electjax.calm.model.problem import Problem
from electjax.calm.model.uncertainty import Reported, reported
from electjax.calm.model.unseen import constituencies
from electjax.numerics.arrow import Point, begin
from electjax.numerics.host import host_generator

BATCH = 10  # fits between two reports of progress
TOLERANCE, MAX_STEPS = 1e-8, 200  # of Newton's method; what is left is far less than replicates differ by


class Replicates(NamedTuple):
    """Fits to replicates of the booths; the leading axis counts them."""

    reported: Reported
    converged: Bool[np.ndarray, " r"]


def draw_weights(key: Array, area: Int[np.ndarray, " i"], counts: Bool[np.ndarray, " i"]) -> Float[np.ndarray, " i"]:
    """How often each booth is drawn if each constituency draws as many as it has, with replacement."""
    rng = host_generator(key)
    found = np.zeros(len(area))
    for a in np.unique(area[counts]):
        own = np.flatnonzero(counts & (area == a))
        found[own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)))
    return found


def bootstrap(
    key: Array,
    point: Point,
    problem: Problem,
    design: Design,
    *,
    replicates: int,
    integrate: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Replicates:
    """Fit the model to replicates, each from the estimate `point`; replicate r depends on the key and on r alone.

    Booths of weight 0 are never drawn, and weights w_ik of the mobilisation stay. With `integrate` each fit is
    integrated, as the estimate was.
    """
    area, weight = (np.asarray(x).ravel() for x in (problem.booths.constituency, problem.booths.weight))
    parts = []
    for start in range(0, replicates, BATCH):
        numbers = range(start, start + BATCH)  # the last batch is cut below: one program serves all
        drawn = np.stack([draw_weights(jax.random.fold_in(key, n), area, weight > 0) for n in numbers])
        rows = jnp.asarray(drawn.reshape(BATCH, *problem.booths.weight.shape))
        found = _fits(point, problem, rows, TOLERANCE, MAX_STEPS, design=design, integrate=integrate)
        parts.append(jax.tree.map(lambda x, left=replicates - start: np.asarray(x)[:left], found))
        if progress:
            progress(min(start + BATCH, replicates), replicates, "bootstrap")
    return Replicates(*jax.tree.map(lambda *part: np.concatenate(part), *parts))


@partial(jax.jit, static_argnames=("design", "integrate"))
def _fits(
    point: Point,
    problem: Problem,
    weights: Array,
    tolerance: Array,
    max_steps: Array,
    *,
    design: Design,
    integrate: bool,
) -> Replicates:
    def one(weight: Array) -> Replicates:
        own = problem._replace(booths=problem.booths._replace(weight=weight))
        search = newton(own, begin(point), design, tolerance, max_steps)
        at = search.point
        if integrate:
            at = integrated(at, own, design, information(at, own, design))
        found = reported(at.shared, own, design, constituencies(at, own, design))
        return Replicates(found, search.done)

    return jax.lax.map(one, weights)
