"""Fit contests jointly: the mode of the posterior, and its curvature."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from electjax.ecological.model.data import Assumed, Blocks, Contests
from electjax.ecological.model.problem import Problem, arrow, first_point, logits, pose, value
from electjax.numerics.arrow import Arrow, Point, Search, begin, newton_arrow


class Mode(NamedTuple):
    """Where the posterior is highest.

    Attributes:
        point: parameters.
        eta: logits of the contests' cells.
        rho: logit of each contest's correlation.
        problem: what was computed with.
        steps, converged: of Newton's method.
        value: minus the log posterior, but for constants.
    """

    point: Point
    eta: Float[Array, "d r c"]
    rho: Float[Array, " d"]
    problem: Problem
    steps: int
    converged: bool
    value: float


def posed(blocks: Blocks, contests: Contests, assumed: Assumed, *, pairs: int) -> Problem:
    """`pose`, compiled: contests laid out with what is assumed of them."""
    # plain numbers would be of a weaker type, and have a program of their own
    return _pose(blocks, contests, Assumed(*(jnp.asarray(x, float) for x in assumed)), pairs)


def at_context(problem: Problem, beta: float) -> Problem:
    """The same problem at another exponent, by the same program."""
    return problem._replace(assumed=problem.assumed._replace(context=jnp.asarray(beta, float)))


def mode(problem: Problem, start: Point | None = None, *, tolerance: float = 1e-2, max_steps: int = 200) -> Mode:
    """Climb to the mode. In double precision: call it under `double_precision`.

    Args:
        start: by default `first_point`.
        tolerance: stop when a step promises to raise the log posterior by less than this.
    """
    search = begin(_first(problem) if start is None else start)
    search = _search(problem, search, tolerance, max_steps)
    eta, rho = _logits(search.point, problem)
    return Mode(search.point, eta, rho, problem, int(search.steps), bool(search.done), float(search.value))


@jax.jit
def curvature(point: Point, problem: Problem) -> Arrow:
    """The arrow at a point, compiled."""
    return arrow(point, problem)


_first = jax.jit(first_point)
_logits = jax.jit(logits)


@partial(jax.jit, static_argnames="pairs")
def _pose(blocks: Blocks, contests: Contests, assumed: Assumed, pairs: int) -> Problem:
    return pose(blocks, contests, assumed, pairs=pairs)


@jax.jit
def _search(problem: Problem, start: Search, tolerance: Array | float, until: Array | int) -> Search:
    return newton_arrow(
        lambda at: arrow(at, problem), lambda at: value(at, problem), start, tolerance=tolerance, until=until
    )
