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

from electjax.calm.affinity import Affinity, Standard
from electjax.calm.data import Booths, Frame
from electjax.calm.design import Design, Hyper, Local, Shared
from electjax.calm.heads import contrast, mobilisation_weights
from electjax.calm.problem import Problem, blank, blocks, fitted, pose, unpack, value
from electjax.core.arrow import Arrow, Point, Search, begin, eliminate, newton_arrow

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
        gradient: largest slope in units of its curvature.
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
    problem = _pose(booths, frame, hyper, weights, standard, design=design, chunk=chunk)
    point = first_point(problem, design, start=start, effects=effects, seed=seed)
    trace: list[float] = []
    steps = 0
    adam = partial(_adam, batch=batch, rate=learning_rate, seed=seed)
    methods: dict[str, Callable[..., Search]] = {"newton": _newton, "lbfgs": _lbfgs, "adam": adam}
    run = methods[method]
    after = problem.weights
    for _ in range(EPOCHS):
        problem = problem._replace(weights=after)
        search = run(problem, point, design, tolerance, max_steps, trace, progress)
        point, steps = search.point, steps + int(search.steps)
        if design.mobilisation == "model":
            after = frozen_weights(point, problem, design)
        settled = float(jnp.abs(after - problem.weights).max()) < SETTLED
        if settled:
            break
    number = booths.polled.shape[0]
    shared, local = unpack(point, problem, design)
    return Estimate(
        shared,
        None if local is None else jax.tree.map(lambda x: x[:number], local),
        point,
        problem.affinity,
        float(search.value),
        float(search.gradient),
        steps,
        bool(search.done) and settled,
        problem.weights.reshape(-1, problem.weights.shape[-1])[:number],
        trace,
        problem,
    )


def moved(found: Estimate, point: Point, design: Design) -> Estimate:
    """The estimate at another point; the objective, its slope and the steps stay those of the minimum."""
    shared, local = unpack(point, found.problem, design)
    number = found.weights.shape[0]
    local = None if local is None else jax.tree.map(lambda x: x[:number], local)
    return found._replace(point=point, shared=shared, local=local)


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
    width = 1 + problem.frame.fielded.shape[1] - 1 if design.booth_effects else 0
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


@partial(jax.jit, static_argnames=("design", "chunk"))
def _pose(
    booths: Booths, frame: Frame, hyper: Hyper, weights: Array, standard: Standard | None, *, design: Design, chunk: int
) -> Problem:
    return pose(booths, frame, hyper, design, weights=weights, chunk=chunk, standard=standard)


@partial(jax.jit, static_argnames="design")
def frozen_weights(point: Point, problem: Problem, design: Design) -> Float[Array, "n m k"]:
    """Weights of the next epoch: the fitted shares, out of reach of the gradient."""
    shares = fitted(point, problem, design).shares
    fielded = problem.frame.fielded[problem.booths.constituency.ravel()]
    return jax.lax.stop_gradient(mobilisation_weights(shares, fielded, shares)).reshape(problem.weights.shape)


@partial(jax.jit, static_argnames="design")
def information(point: Point, problem: Problem, design: Design) -> Information:
    """Information at a point, filling rows included."""
    arrow, scores = blocks(point, problem, design)
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


def _newton(
    problem: Problem,
    point: Point,
    design: Design,
    tolerance: float,
    max_steps: int,
    trace: list[float],
    progress: Callable[[int, int], None] | None,
) -> Search:
    search = begin(point)
    while not (bool(search.done) or bool(search.stuck)) and int(search.steps) < max_steps:
        search = newton(problem, search, design, tolerance, search.steps + 1)
        trace.append(float(search.value))
        if progress is not None:
            progress(int(search.steps), max_steps)
    return search


@partial(jax.jit, static_argnames="design")
def _lbfgs_steps(
    problem: Problem, point: Point, state: Any, design: Design, count: Array
) -> tuple[Point, Any, Array, Array]:
    method, function = _lbfgs_method(), lambda at: value(at, problem, design)
    both = optax.value_and_grad_from_state(function)

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        done, at, memory, _, _ = carry
        reached, slope = both(at, state=memory)
        move, memory = method.update(slope, memory, at, value=reached, grad=slope, value_fn=function)
        return done + 1, optax.apply_updates(at, move), memory, reached, optax.tree.norm(slope)

    zero = jnp.zeros(())
    first = (jnp.int32(0), point, state, zero, zero)
    _, point, state, reached, slope = jax.lax.while_loop(lambda c: c[0] < count, step, first)
    return point, state, reached, slope


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
    state, steps, done = _lbfgs_method().init(point), 0, False
    reached = slope = jnp.zeros(())
    while steps < max_steps and not done:
        turn = min(10, max_steps - steps)
        point, state, reached, slope = _lbfgs_steps(problem, point, state, design, jnp.int32(turn))
        steps += turn
        trace.append(float(reached))
        # ten steps that gain less than ten times the tolerance, or than rounding
        done = len(trace) > 1 and trace[-2] - trace[-1] <= 10 * tolerance + 1e-14 * abs(trace[-1])
        if progress is not None:
            progress(steps, max_steps)
    return begin(point)._replace(
        value=_value(problem, point, design), gradient=slope, steps=jnp.int32(steps), done=jnp.asarray(done)
    )


@partial(jax.jit, static_argnames="design")
def _value(problem: Problem, point: Point, design: Design) -> Array:
    return value(point, problem, design)


@partial(jax.jit, static_argnames=("design", "batch"))
def _adam_steps(
    problem: Problem, point: Point, state: Any, key: Array, design: Design, batch: int, rates: Array
) -> tuple[Point, Any, Array]:
    number = problem.booths.weight.shape[0]
    method = optax.adam(1.0)  # the rate of a step comes with it

    def lost(at: Point, rows: Array) -> Array:
        """The objective's unbiased estimate from some chunks: their losses count number / batch times."""
        width = at.groups.shape[1]
        groups = at.groups.reshape(*problem.booths.weight.shape, width)[rows].reshape(-1, width)
        some = jax.tree.map(lambda x: x[rows], (problem.booths, problem.weights, problem.cached))
        part = problem._replace(booths=some[0], weights=some[1], cached=some[2])
        scale = number / batch
        losses = value(Point(at.shared, groups), part, design)
        held = value(
            Point(at.shared, 0.0 * groups), part._replace(booths=some[0]._replace(weight=0.0 * some[0].weight)), design
        )
        return scale * losses - (scale - 1.0) * held

    def step(carry: tuple[Point, Any], way: tuple[Array, Array]) -> tuple[tuple[Point, Any], Array]:
        at, memory = carry
        rows = jax.random.choice(way[0], number, (batch,), replace=False)
        reached, slope = jax.value_and_grad(lost)(at, rows)
        move, memory = method.update(slope, memory, at)
        return (optax.apply_updates(at, jax.tree.map(lambda x: way[1] * x, move)), memory), reached

    (point, state), reached = jax.lax.scan(step, (point, state), (jax.random.split(key, rates.shape[0]), rates))
    return point, state, reached.mean()


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
    state, turns = optax.adam(1.0).init(point), max(1, max_steps // 50)
    batch = min(batch, problem.booths.weight.shape[0])
    rates = optax.cosine_decay_schedule(rate, turns * 50)(jnp.arange(turns * 50)).reshape(turns, 50)
    for turn in range(turns):
        key = jax.random.fold_in(jax.random.key(seed), turn)
        point, state, reached = _adam_steps(problem, point, state, key, design, batch, rates[turn])
        trace.append(float(reached))
        if progress is not None:
            progress((turn + 1) * 50, turns * 50)
    slope = jax.grad(lambda at: _value(problem, at, design))(point)
    size = optax.tree.norm(slope)
    return begin(point)._replace(
        value=_value(problem, point, design),
        gradient=size,
        steps=jnp.int32(turns * 50),
        done=size <= jnp.sqrt(tolerance * (1.0 + abs(trace[-1]))),
    )
