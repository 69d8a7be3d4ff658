"""Fit CALM: parameters that minimise the objective, and the information about them.

Newton's method on the arrow of the Fisher information is the default; L-BFGS, over all booths, and Adam, over random
chunks of them, are here too. Mobilisation weighted by the model's own shares is fitted in epochs: the weights of an
epoch are the fitted shares of the one before (calm.md section 4), held constant while it lasts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.model.affinity import Affinity, Standard
from electjax.calm.model.data import Booths, Frame
from electjax.calm.model.design import Design, Hyper, Local, Shared
from electjax.calm.model.heads import contrast, mobilisation_weights
from electjax.calm.model.parts import blocks_in_parts, is_large, is_traced, newton_in_parts, parts_of
from electjax.calm.model.problem import Problem, blank, fitted, in_rows, pose, unpack, value
from electjax.calm.model.sums import blocks
from electjax.numerics.arrow import Arrow, Point, Search, begin, eliminate, newton_arrow, steepness

Method = Literal["newton", "lbfgs", "adam"]
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
        trace: the objective after each step (Newton) or batch of steps.
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
    method: Method = "newton",
    start: Shared | None = None,
    effects: Local | None = None,
    standard: Standard | None = None,
    tolerance: float = 1e-6,
    max_steps: int = 200,
    chunk: int = 64,
    batch: int = 8,
    learning_rate: float = 0.02,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Minimise the objective of calm.md section 5. In double precision: call it under `double_precision`.

    Args:
        method: newton; lbfgs, full batch; adam, over `batch` random chunks of booths a step.
        start, effects: where to begin; by default the shares of the whole, and no effect of anything.
        standard: statistics that standardise g; by default those of the training booths.
        tolerance: stop when a step promises to lower the objective by less than this; it is a log-likelihood.
        max_steps: most steps of the optimiser, in every epoch of the mobilisation.
        chunk: booths worked off at a time.
        progress: called with steps done and most steps.
    """
    chunk = min(chunk, booths.polled.shape[0])
    weights = first_weights(booths, frame)
    problem = pose(booths, frame, hyper, design, weights=weights, chunk=chunk, standard=standard)
    point = first_point(problem, design, start=start, effects=effects, seed=seed)
    trace: list[float] = []
    adam = partial(_adam, batch=batch, rate=learning_rate, seed=seed)
    methods: dict[str, Callable[..., Search]] = {"newton": _newton, "lbfgs": _lbfgs, "adam": adam}

    def run(own: Problem, at: Point) -> Search:
        return methods[method](own, at, design, tolerance, max_steps, trace, progress)

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
    """Search in epochs until the weights of the mobilisation settle; once where they are not the model's own.

    Args:
        run: searches with the weights of a problem held constant, from a point.
    """
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


# ------------------------------------------------------------------------------------ optimisers


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


@partial(jax.jit, static_argnames="design")
def _lbfgs_steps(problem: Problem, point: Point, state: Any, design: Design, count: Array) -> tuple[Point, Any, Array]:
    method, function = _lbfgs_method(), lambda at: value(at, problem, design)
    both = optax.value_and_grad_from_state(function)

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        done, at, memory, _ = carry
        reached, slope = both(at, state=memory)
        move, memory = method.update(slope, memory, at, value=reached, grad=slope, value_fn=function)
        return done + 1, optax.apply_updates(at, move), memory, reached

    first = (jnp.int32(0), point, state, jnp.zeros(()))
    _, point, state, reached = jax.lax.while_loop(lambda c: c[0] < count, step, first)
    return point, state, reached


def _lbfgs_method() -> optax.GradientTransformationExtraArgs:
    return optax.lbfgs(memory_size=20)


def _lbfgs(
    problem: Problem,
    point: Point,
    design: Design,
    tolerance: float,
    max_steps: int,
    trace: list[float],
    progress: Callable[[int, int], None] | None,
) -> Search:
    state, steps, done, last = _lbfgs_method().init(point), 0, False, np.inf
    while steps < max_steps and not done:
        turn = min(10, max_steps - steps)
        point, state, reached = _lbfgs_steps(problem, point, state, design, jnp.int32(turn))
        steps += turn
        trace.append(float(reached))
        # ten steps that gain less than ten times the tolerance, or than rounding
        done = last - trace[-1] <= 10 * tolerance + 1e-14 * abs(trace[-1])
        last = trace[-1]
        if progress is not None:
            progress(steps, max_steps)
    return begin(point)._replace(value=_value(problem, point, design), steps=jnp.int32(steps), done=jnp.asarray(done))


@partial(jax.jit, static_argnames="design")
def _value(problem: Problem, point: Point, design: Design) -> Array:
    return value(point, problem, design)


@partial(jax.jit, static_argnames=("design", "batch"))
def _adam_steps(
    problem: Problem, point: Point, state: Any, key: Array, design: Design, batch: int, rates: Array, count: Array
) -> tuple[Point, Any, Array]:
    """The first `count` of the steps that there are rates for, and the mean of the objective's estimates."""
    number, chunk = problem.booths.weight.shape
    keys = jax.random.split(key, rates.shape[0])
    method = optax.adam(1.0)  # the rate of a step comes with it

    def lost(at: Point, rows: Array) -> Array:
        """The objective's unbiased estimate from some chunks: their losses count number / batch times."""
        width = at.groups.shape[1]
        groups = at.groups.reshape(*problem.booths.weight.shape, width)[rows].reshape(batch * chunk, width)
        some = jax.tree.map(lambda x: x[rows], (problem.booths, problem.weights, problem.cached))
        part = problem._replace(booths=some[0], weights=some[1], cached=some[2])
        scale = number / batch
        losses = value(Point(at.shared, groups), part, design)
        held = value(
            Point(at.shared, 0.0 * groups), part._replace(booths=some[0]._replace(weight=0.0 * some[0].weight)), design
        )
        return scale * losses - (scale - 1.0) * held

    def step(n: Array, carry: tuple[Point, Any, Array]) -> tuple[Point, Any, Array]:
        at, memory, total = carry
        rows = jax.random.choice(keys[n], number, (batch,), replace=False)
        reached, slope = jax.value_and_grad(lost)(at, rows)
        move, memory = method.update(slope, memory, at)
        return optax.apply_updates(at, jax.tree.map(lambda x: rates[n] * x, move)), memory, total + reached

    point, state, total = jax.lax.fori_loop(0, count, step, (point, state, jnp.zeros(())))
    return point, state, total / count


def _adam(
    problem: Problem,
    point: Point,
    design: Design,
    tolerance: float,
    max_steps: int,
    trace: list[float],
    progress: Callable[[int, int], None] | None,
    *,
    batch: int,
    rate: float,
    seed: int,
) -> Search:
    state, turn = optax.adam(1.0).init(point), 50  # steps between two reports of progress
    batch = min(batch, problem.booths.weight.shape[0])
    rates = optax.cosine_decay_schedule(rate, max_steps)(jnp.arange(max_steps + -max_steps % turn))
    for done in range(0, max_steps, turn):
        key, count = jax.random.fold_in(jax.random.key(seed), done // turn), min(turn, max_steps - done)
        own = rates[done : done + turn]
        point, state, reached = _adam_steps(problem, point, state, key, design, batch, own, jnp.int32(count))
        trace.append(float(reached))
        if progress is not None:
            progress(done + count, max_steps)
    least = _value(problem, point, design)
    # no parameter by itself could lower the objective by more than this part of it
    flat = steepness_at(point, problem, design) ** 2 <= tolerance * (1.0 + jnp.abs(least))
    return begin(point)._replace(value=least, steps=jnp.int32(max_steps), done=flat)
