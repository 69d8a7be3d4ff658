"""Passes over the booths of a large problem, shared among the cores of the host.

XLA works a loop over chunks of booths off on one core. Here every core takes a part of the chunks, in a thread; what is
small is put together afterwards.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from electjax.calm.model.design import Design
from electjax.calm.model.problem import Problem, held, lost
from electjax.calm.model.sums import Sums, gathered, sums
from electjax.numerics.arrow import Arrow, Point, Search, host_loop, newton_arrow
from electjax.numerics.parallel import host_workers, side_by_side

T = TypeVar("T")
LARGE = 1_000_000  # booths x cells x parties from which parts are worth their programs


class Part(NamedTuple):
    """Some chunks of a problem.

    Attributes:
        problem: of them alone.
        rows: the booths of the problem that they hold.
        known: how many of these, at the beginning, another part holds as well; they have weight 0 here.
    """

    problem: Problem
    rows: slice
    known: int


def is_large(problem: Problem) -> bool:
    """Whether parts pay, on this host."""
    terms = problem.booths.sizes.size * problem.frame.fielded.shape[1]
    return terms >= LARGE and host_workers() > 1 and problem.booths.weight.shape[0] > 1


def is_traced(tree: Any) -> bool:
    """Whether this is a part of a program that is being compiled, where the host cannot look at numbers."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def parts_of(problem: Problem) -> tuple[Part, ...]:
    """The problem in parts of one size, one per core; the last overlaps the one before where it does not come out."""
    chunks, chunk = problem.booths.weight.shape
    size = -(-chunks // min(host_workers(), chunks))
    found = []
    for start in range(0, chunks, size):
        first = min(start, chunks - size)

        def some(x: Array, first: int = first) -> Array:
            return jnp.asarray(np.asarray(x)[first : first + size])

        booths = jax.tree.map(some, problem.booths)
        weight = np.array(booths.weight)
        weight[: start - first] = 0.0
        own = problem._replace(
            booths=booths._replace(weight=jnp.asarray(weight)),
            weights=some(problem.weights),
            cached=None if problem.cached is None else some(problem.cached),
        )
        found.append(Part(own, slice(first * chunk, (first + size) * chunk), (start - first) * chunk))
    return tuple(found)


def blocks_in_parts(
    point: Point,
    problem: Problem,
    parts: tuple[Part, ...],
    design: Design,
    *,
    together: bool = True,
    scored: bool = True,
) -> tuple[Arrow, Float[Array, "i p"]]:
    """`sums.blocks`; `together` False works the parts off in turn, so that the first alone compiles."""

    def of(part: Part, own: Point) -> Sums:
        return sums(own, part.problem, design)

    each = _each(of, point, parts, together)
    return gathered(point, problem, tuple(each), design, known=tuple(part.known for part in parts), scored=scored)


def value_in_parts(
    point: Point, problem: Problem, parts: tuple[Part, ...], design: Design, *, together: bool = True
) -> Float[Array, ""]:
    """`problem.value`."""

    def of(part: Part, own: Point) -> Array:
        return lost(own, part.problem, design)

    return sum(_each(of, point, parts, together), held(point, problem, design))


def newton_in_parts(
    problem: Problem, search: Search, design: Design, tolerance: float, until: Array | int, *, parts: tuple[Part, ...]
) -> Search:
    """`estimate.newton`, step by step from the host."""
    together = int(search.steps) > 0  # before that nothing is compiled

    def arrow(point: Point) -> Arrow:
        return blocks_in_parts(point, problem, parts, design, together=together, scored=False)[0]

    def reached(point: Point) -> Array:
        return value_in_parts(point, problem, parts, design, together=together)

    return newton_arrow(arrow, reached, search, tolerance=tolerance, until=until, loop=host_loop)


def _each(work: Callable[[Part, Point], T], point: Point, parts: tuple[Part, ...], together: bool) -> list[T]:
    groups = np.asarray(point.groups)

    def run(part: Part) -> T:
        return jax.block_until_ready(work(part, Point(point.shared, jnp.asarray(groups[part.rows]))))

    return side_by_side(run, parts) if together else [run(part) for part in parts]
