"""Newton's method where many small groups of parameters hang together only through a few shared ones.

The matrix of such a problem is an arrow: a block per group, a border that ties each group to the shared parameters, and
the shared block. Groups are eliminated by their Schur complement, so a step costs what a pass over the data does.

Where the matrix only stands in for the Hessian (Fisher scoring), steps converge linearly, slowly along directions that
the data hardly tell. So the last few steps correct it, as L-BFGS corrects a multiple of the identity.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Array, Bool, Float, Int

Tree = TypeVar("Tree")


class Arrow(NamedTuple):
    """A function at a point, and a positive semi-definite stand-in for its Hessian; p shared, g groups of q each.

    Attributes:
        value: the function.
        gradient: with respect to the shared parameters, [p].
        group_gradient: [g, q].
        shared: [p, p].
        border: [g, q, p].
        groups: [g, q, q].
    """

    value: Float[Array, ""]
    gradient: Float[Array, " p"]
    group_gradient: Float[Array, "g q"]
    shared: Float[Array, "p p"]
    border: Float[Array, "g q p"]
    groups: Float[Array, "g q q"]


class Point(NamedTuple):
    """Shared parameters [p] and those of the groups [g, q]."""

    shared: Float[Array, " p"]
    groups: Float[Array, "g q"]


class Memory(NamedTuple):
    """The last m steps and the changes of the gradient along them, [m, p + g q], newest last; where the last began."""

    steps: Float[Array, "m n"]
    changes: Float[Array, "m n"]
    point: Float[Array, " n"]
    gradient: Float[Array, " n"]


class Search(NamedTuple):
    """Where the search stands.

    Attributes:
        point, value: the best so far.
        memory: of the steps that led there.
        gradient: steepness where the last step began.
        decrease: of the value that the last step promised.
        damping: added to the diagonal, relative to it.
        steps: taken so far.
        done, stuck: converged; no step of any damping went down.
    """

    point: Point
    value: Float[Array, ""]
    memory: Memory
    gradient: Float[Array, ""]
    decrease: Float[Array, ""]
    damping: Float[Array, ""]
    steps: Int[Array, ""]
    done: Bool[Array, ""]
    stuck: Bool[Array, ""]


def steepness(arrow: Arrow) -> Float[Array, ""]:
    """Largest slope in any parameter, shared or a group's, in units of its curvature: |gradient| / sqrt(diagonal)."""
    own = jnp.diagonal(arrow.groups, axis1=1, axis2=2)
    both = ((arrow.gradient, jnp.diagonal(arrow.shared)), (arrow.group_gradient, own))
    shared, groups = ((jnp.abs(slope) / jnp.sqrt(jnp.maximum(bend, 1e-12))).max(initial=0.0) for slope, bend in both)
    return jnp.maximum(shared, groups)


def eliminate(
    arrow: Arrow, damping: Array | float = 0.0
) -> tuple[Float[Array, "p p"], Float[Array, " p"], Array, Array]:
    """Schur complement of the shared parameters, its right-hand side; G^-1 border and G^-1 gradient of the groups."""
    if not arrow.groups.shape[1]:
        return arrow.shared, arrow.gradient, arrow.border, arrow.group_gradient
    diagonal = jnp.diagonal(arrow.groups, axis1=1, axis2=2)
    groups = arrow.groups + (damping * diagonal + 1e-12)[:, :, None] * jnp.eye(diagonal.shape[1])
    # one call for all sides: two batched LAPACK calls that do not wait for each other can lock up XLA's threads on CPU
    sides = jnp.concatenate([arrow.border, arrow.group_gradient[:, :, None]], axis=2)
    solved = jax.vmap(lambda f, b: cho_solve((f, True), b))(jnp.linalg.cholesky(groups), sides)
    border, gradient = solved[:, :, :-1], solved[:, :, -1]
    flat = arrow.border.reshape(-1, arrow.border.shape[2])
    schur = arrow.shared - flat.T @ border.reshape(flat.shape)
    return schur, arrow.gradient - flat.T @ gradient.reshape(-1), border, gradient


def solve_arrow(arrow: Arrow, damping: Array | float = 0.0) -> tuple[Point, Float[Array, ""]]:
    """The step -(H + damping diag H)^-1 gradient, and the decrease of the quadratic model that it promises."""
    schur, right, border, gradient = eliminate(arrow, damping)
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(arrow.shared), 1e-12))  # directions without information stand still
    ridge = damping + 1e-10
    schur = schur / (scale[:, None] * scale) + ridge * jnp.eye(scale.shape[0])
    step = -cho_solve(cho_factor(schur), right / scale) / scale
    group = -gradient - border @ step
    promised = -0.5 * (arrow.gradient @ step + (arrow.group_gradient * group).sum())
    return Point(step, group), promised


def begin(point: Point, *, memory: int = 10) -> Search:
    """A search that has not moved yet."""
    zero, flat = jnp.zeros(()), jnp.zeros(point.shared.size + point.groups.size)
    past = jnp.zeros((memory, flat.size))
    still = [jnp.asarray(False)] * 2
    return Search(point, zero + jnp.inf, Memory(past, past, flat, flat), zero, zero, zero, jnp.int32(0), *still)


def host_loop(go_on: Callable[[Tree], Any], step: Callable[[Tree], Tree], state: Tree) -> Tree:
    """`jax.lax.while_loop` on the host, for steps that are not one program."""
    while bool(go_on(state)):
        state = step(state)
    return state


def newton_arrow(
    blocks: Callable[[Point], Arrow],
    value: Callable[[Point], Float[Array, ""]],
    start: Search,
    *,
    tolerance: Array | float = 1e-6,
    until: Array | int = 100,
    trials: int = 12,
    loop: Callable[..., Any] = jax.lax.while_loop,
) -> Search:
    """Minimise by damped steps; one that does not go down is tried again without memory and with more damping.

    Args:
        blocks: the arrow of a point.
        value: its value alone.
        start: from `begin`, or a search to go on with.
        tolerance: stop when a step promises to lower the value by less than this (or than rounding allows).
        until: number of steps, all told, to stop at.
        trials: steps tried from a point.
        loop: `host_loop` where `blocks` and `value` are not to be compiled into one program.
    """

    def step(state: Search) -> Search:
        arrow = blocks(state.point)
        memory, first = _before_trials(state, arrow)

        def attempt(trial: _Trial) -> _Trial:
            point, promised = _proposed(state.point, arrow, memory, trial)
            return _judged(trial, point, value(point), promised, arrow.value)

        last = loop(lambda trial: _open(trial, trials), attempt, first)
        return _after_trials(state, arrow, memory, last, tolerance)

    return loop(lambda state: _unfinished(state, until), step, start)


class _Trial(NamedTuple):
    """A step that is tried: whether it is taken, the number of those tried, and where it led."""

    good: Array
    tried: Array
    damping: Array
    point: Point
    reached: Array
    promised: Array


@jax.jit
def _unfinished(state: Search, until: Array | int) -> Array:
    return ~state.done & ~state.stuck & (state.steps < until)


@jax.jit
def _open(trial: _Trial, trials: Array | int) -> Array:
    return ~trial.good & (trial.tried < trials)


@jax.jit
def _before_trials(state: Search, arrow: Arrow) -> tuple[Memory, _Trial]:
    zero = jnp.zeros(())
    first = _Trial(jnp.asarray(False), jnp.int32(0), state.damping, state.point, arrow.value, zero)
    return _remember(state, arrow), first


@jax.jit
def _proposed(point: Point, arrow: Arrow, memory: Memory, trial: _Trial) -> tuple[Point, Array]:
    move, promised = _corrected(arrow, memory, trial.damping, use=trial.tried == 0)
    return jax.tree.map(jnp.add, point, move), promised


@jax.jit
def _judged(trial: _Trial, point: Point, reached: Array, promised: Array, before: Array) -> _Trial:
    # a promise below rounding is kept if the value did not rise by more than that
    enough = before - reached >= 1e-4 * promised - 10.0 * _rounding(before)
    good = jnp.isfinite(reached) & (promised > 0) & enough
    more = jnp.where(good | (trial.tried == 0), trial.damping, jnp.maximum(4.0 * trial.damping, 1e-3))
    return _Trial(good, trial.tried + 1, more, point, reached, promised)


@jax.jit
def _after_trials(state: Search, arrow: Arrow, memory: Memory, last: _Trial, tolerance: Array | float) -> Search:
    good, damping = last.good, last.damping
    relaxed = jnp.where(damping > state.damping, damping, damping / 8.0)  # it need not have grown
    return Search(
        jax.tree.map(lambda new, old: jnp.where(good, new, old), last.point, state.point),
        jnp.where(good, last.reached, arrow.value),
        memory,
        steepness(arrow),
        last.promised,
        jnp.where(relaxed < 1e-6, 0.0, relaxed),
        state.steps + 1,
        good & (last.promised <= tolerance + _rounding(arrow.value)) & (damping < 1e-2),
        ~good,
    )


def _rounding(value: Array) -> Array:
    return 1e-14 * (1.0 + jnp.abs(value))


def _flat(shared: Array, groups: Array) -> Array:
    return jnp.concatenate([shared, groups.ravel()])


def _remember(state: Search, arrow: Arrow) -> Memory:
    """The memory with the step that led here; one along which the gradient did not rise is left out."""
    here, slope = _flat(*state.point), _flat(arrow.gradient, arrow.group_gradient)
    memory = state.memory
    step, change = here - memory.point, slope - memory.gradient
    good = (state.steps > 0) & (step @ change > 1e-12 * jnp.linalg.norm(step) * jnp.linalg.norm(change))

    def append(past: Array, new: Array) -> Array:
        return jnp.where(good, jnp.concatenate([past[1:], new[None]]), past)

    return Memory(append(memory.steps, step), append(memory.changes, change), here, slope)


def _corrected(arrow: Arrow, memory: Memory, damping: Array, use: Array) -> tuple[Point, Float[Array, ""]]:
    """The step of the two-loop recursion of L-BFGS around the arrow, and the decrease that it promises."""
    slope = _flat(arrow.gradient, arrow.group_gradient)
    product = (memory.steps * memory.changes).sum(axis=1)
    rate = jnp.where(use & (product > 0), 1.0 / jnp.where(product > 0, product, 1.0), 0.0)

    def back(rest: Array, pair: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        step, change, own = pair
        part = own * (step @ rest)
        return rest - part * change, part

    rest, parts = jax.lax.scan(back, slope, (memory.steps, memory.changes, rate), reverse=True)
    size = arrow.gradient.shape[0]
    groups = rest[size:].reshape(arrow.group_gradient.shape)
    solved, _ = solve_arrow(arrow._replace(gradient=rest[:size], group_gradient=groups), damping)

    def forth(move: Array, pair: tuple[Array, ...]) -> tuple[Array, None]:
        step, change, own, part = pair
        return move + (part - own * (change @ move)) * step, None

    move, _ = jax.lax.scan(forth, -_flat(*solved), (memory.steps, memory.changes, rate, parts))
    return Point(-move[:size], -move[size:].reshape(groups.shape)), 0.5 * (slope @ move)
