"""Fit CALM: parameters that minimise the objective, and the information about them.

The method is Newton's, on the arrow of the Fisher information. For 480 booths L-BFGS takes 30 to 50 times the steps to
the same objective and Adam does not reach it. A step over a million booths takes a minute in 8 GiB (benchmarks/calm):
no country needs batches of booths. Mobilisation weighted by the model's own shares is fitted in epochs: the weights of
an epoch are the fitted shares of the one before (calm.md section 4), constant while it lasts.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.model.affinity import Affinity, Standard
from electjax.calm.model.design import Booths, Design, Frame, Hyper, Local, Shared
from electjax.calm.model.heads import contrast, mobilisation_weights
from electjax.calm.model.problem import Problem, blank, fitted, in_rows, pose, unpack, value
from electjax.calm.model.sums import blocks, blocks_in_parts, is_large, is_traced, newton_in_parts, parts_of
from electjax.numerics.arrow import Arrow, Point, Search, begin, eliminate, newton_arrow, steepness

EPOCHS = 30  # most epochs of mobilisation weights
SETTLED = 1e-5  # largest change of a weight at which they are taken as settled: about what a fit leaves uncertain


class Information(NamedTuple):
    """Fisher information with penalties at the solution, booth effects eliminated.

    Attributes:
        shared: of the shared parameters, [p, p].
        border, groups: ties to the booth effects [i, q, p], and of these [i, q, q].
        scores: slope of each booth's loss in the shared parameters, the effects of the booth eliminated, [i, p].
    """

    shared: Float[Array, "p p"]
    border: Float[Array, "i q p"]
    groups: Float[Array, "i q q"]
    scores: Float[Array, "i p"]


class Estimate(NamedTuple):
    """What a fit found.

    Attributes:
        shared, local: parameters; effects of the booths, None without.
        point: the same as arrays, filling rows included.
        affinity: with the statistics that standardise it.
        value: the objective.
        gradient: largest slope at the point in any parameter, in units of its curvature.
        steps, converged: of the optimiser; where mobilisation goes in epochs, of all, and whether the weights settled.
        weights: w_ik of the mobilisation, [i, k].
        trace: the objective after each step.
        problem: what was computed with.
    """

    shared: Shared
    local: Local | None
    point: Point
    affinity: Affinity
    value: float
    gradient: float
    steps: int
    converged: bool
    weights: Float[Array, "i k"]
    trace: list[float]
    problem: Problem


def estimate(
    booths: Booths,
    frame: Frame,
    hyper: Hyper,
    design: Design,
    *,
    start: Shared | None = None,
    effects: Local | None = None,
    standard: Standard | None = None,
    tolerance: float = 1e-6,
    max_steps: int = 200,
    chunk: int = 64,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Minimise the objective of calm.md section 5. In double precision: call it under `double_precision`.

    Args:
        start, effects: where to begin; by default the shares of the whole, and no effect of anything.
        standard: statistics that standardise g; by default those of the training booths.
        max_steps: in every epoch of the mobilisation.
    """
    chunk = min(chunk, booths.polled.shape[0])
    weights = first_weights(booths, frame)
    problem = pose(booths, frame, hyper, design, weights=weights, chunk=chunk, standard=standard)
    point = first_point(problem, design, start=start, effects=effects, seed=seed)
    trace: list[float] = []

    def run(own: Problem, at: Point) -> Search:
        return _newton(own, at, design, tolerance, max_steps, trace, progress)

    search, problem, steps, converged = in_epochs(run, problem, point, design)
    point = search.point
    number = booths.polled.shape[0]
    return Estimate(
        *_parameters(point, problem, design, number),
        point,
        problem.affinity,
        float(search.value),
        float(steepness_at(point, problem, design)),
        steps,
        converged,
        in_rows(problem.weights)[:number],
        trace,
        problem,
    )


def moved(found: Estimate, point: Point, design: Design) -> Estimate:
    """The estimate at another point; the objective, its slope and the steps stay those of the minimum."""
    shared, local = _parameters(point, found.problem, design, found.weights.shape[0])
    return found._replace(point=point, shared=shared, local=local)


def _parameters(point: Point, problem: Problem, design: Design, number: int) -> tuple[Shared, Local | None]:
    """The parameters that a point stands for, without filling rows."""
    shared, local = unpack(point, problem, design)
    return shared, jax.tree.map(lambda x: x[:number], local)


def first_weights(booths: Booths, frame: Frame) -> Float[Array, "i k"]:
    """Weights of the mobilisation at epoch 0: previous shares, else those of the constituency's training booths."""
    area, fielded = jnp.asarray(booths.constituency), jnp.asarray(frame.fielded)
    votes = jnp.asarray(booths.votes) * jnp.asarray(booths.weight)[:, None]
    summed = jax.ops.segment_sum(votes, area, num_segments=fielded.shape[0])
    shares = summed / jnp.maximum(summed.sum(axis=1, keepdims=True), 1.0)
    return mobilisation_weights(jnp.asarray(booths.previous), fielded[area], shares[area])


def first_point(
    problem: Problem, design: Design, *, start: Shared | None = None, effects: Local | None = None, seed: int = 0
) -> Point:
    """Where a search begins. eta starts at 0; the towers, whose product has no slope at 0, at small random numbers."""
    rows = problem.booths.weight.size
    width = problem.frame.fielded.shape[1] if design.booth_effects else 0  # of turnout, and of all parties but one
    groups = jnp.zeros((rows, width))
    if effects is not None and width:
        given = jnp.concatenate([effects.b_T[:, None], effects.b_P], axis=1)
        groups = groups.at[: given.shape[0]].set(given)
    if start is None:
        start = _start(problem, design, seed)
    return Point(ravel_pytree(start)[0], groups)


def _start(problem: Problem, design: Design, seed: int) -> Shared:
    weight = problem.booths.weight[..., None]
    votes = (problem.booths.votes * weight).sum((0, 1))
    polled, electors = votes.sum(), (problem.booths.sizes * weight).sum()
    rate = jnp.clip((problem.booths.polled * weight[..., 0]).sum() / jnp.maximum(electors, 1.0), 1e-3, 1 - 1e-3)
    shares = jnp.log(votes + 0.5) - jnp.log(polled + 1.0)
    basis = contrast(shares.shape[0], design.identification)
    gamma = jnp.linalg.lstsq(jnp.concatenate([basis, jnp.ones((shares.shape[0], 1))], axis=1), shares)[0][:-1]
    shared = blank(problem, design)._replace(alpha=jnp.log(rate / (1 - rate)), gamma=gamma)
    if shared.left is not None and shared.right is not None:
        keys = jax.random.split(jax.random.key(seed))
        small = [
            0.1 * jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, (shared.left, shared.right), strict=True)
        ]
        shared = shared._replace(left=small[0], right=small[1])
    if shared.dispersion is not None:
        shared = shared._replace(dispersion=jnp.array([-5.0, -5.0]))
    return shared


class Ended(NamedTuple):
    """The last epoch's search, the problem with the weights that it had, steps of all, and whether it converged."""

    search: Search
    problem: Problem
    steps: int
    converged: bool


def in_epochs(run: Callable[[Problem, Point], Search], problem: Problem, point: Point, design: Design) -> Ended:
    """Search in epochs until the weights of the mobilisation settle; once where they are not the model's own."""
    steps = 0
    for left in reversed(range(EPOCHS)):
        search = run(problem, point)
        point, steps = search.point, steps + int(search.steps)
        if design.mobilisation != "model":
            return Ended(search, problem, steps, bool(search.done))
        after = frozen_weights(point, problem, design)
        settled = float(jnp.abs(after - problem.weights).max()) < SETTLED
        if settled or not left:  # a point and the weights that it was found with belong together
            break
        problem = problem._replace(weights=after)
    return Ended(search, problem, steps, bool(search.done) and settled)


@partial(jax.jit, static_argnames="design")
def frozen_weights(point: Point, problem: Problem, design: Design) -> Float[Array, "n m k"]:
    """Weights of the next epoch: the fitted shares, out of reach of the gradient."""
    shares = fitted(point, problem, design).shares
    fielded = problem.frame.fielded[problem.booths.constituency.ravel()]
    return jax.lax.stop_gradient(mobilisation_weights(shares, fielded, shares)).reshape(problem.weights.shape)


def information(point: Point, problem: Problem, design: Design) -> Information:
    """Information at a point, filling rows included. May be compiled and mapped."""
    return _eliminated(*_blocks_at(point, problem, design))


def _blocks_at(point: Point, problem: Problem, design: Design) -> tuple[Arrow, Float[Array, "i p"]]:
    if is_traced((point, problem)) or not is_large(problem):
        return blocks(point, problem, design)
    return blocks_in_parts(point, problem, parts_of(problem), design)


@jax.jit
def _eliminated(arrow: Arrow, scores: Array) -> Information:
    schur, _, border, _ = eliminate(arrow)
    # what a booth's own effects explain of its slope, its share of the penalty included, is taken out
    own = scores - jnp.einsum("iqp,iq->ip", border, arrow.group_gradient)
    return Information(schur, arrow.border, arrow.groups, own)


def names(shared: Shared) -> list[str]:
    """One name per shared parameter, in the order of the flat vector: eta[2], beta_P[4,1]."""
    found = []
    for name, leaf in zip(shared._fields, shared, strict=True):
        if leaf is None:
            continue
        index = np.ndindex(*np.shape(leaf))
        found += [f"{name}[{','.join(map(str, at))}]" if at else name for at in index]
    return found


@partial(jax.jit, static_argnames="design")
def newton(problem: Problem, search: Search, design: Design, tolerance: Array | float, until: Array | int) -> Search:
    """Damped Newton steps from where a search stands; may be mapped over problems."""

    def arrow(point: Point) -> Arrow:
        return blocks(point, problem, design)[0]

    return newton_arrow(arrow, lambda at: value(at, problem, design), search, tolerance=tolerance, until=until)


def steepness_at(point: Point, problem: Problem, design: Design) -> Float[Array, ""]:
    """Largest slope in units of its curvature."""
    return steepness(_blocks_at(point, problem, design)[0])


def _newton(
    problem: Problem,
    point: Point,
    design: Design,
    tolerance: float,
    max_steps: int,
    trace: list[float],
    progress: Callable[[int, int], None] | None,
) -> Search:
    step: Callable[..., Search] = newton
    if is_large(problem):
        step = partial(newton_in_parts, parts=parts_of(problem))
    search = begin(point)
    while not (bool(search.done) or bool(search.stuck)) and int(search.steps) < max_steps:
        search = step(problem, search, design, tolerance, search.steps + 1)
        trace.append(float(search.value))
        if progress is not None:
            progress(int(search.steps), max_steps)
    return search
