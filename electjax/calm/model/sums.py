"""What booths add to the objective, its gradient and its Fisher information: an arrow, from one pass over them.

Where a problem is large, the cores of the host share the pass. XLA works a loop over chunks of booths off on one core:
here every core takes a part of the chunks, in a thread, and what is small is put together afterwards.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.model.design import Booths, Design, Shared
from electjax.calm.model.heads import Traits, contrast
from electjax.calm.model.objective import booth_penalty, curvature, effect_curvature, penalty, weighted_loss
from electjax.calm.model.problem import (
    Chunk,
    Problem,
    blank,
    chunks_of,
    held,
    in_rows,
    lost,
    own_effects,
    own_traits,
    rates,
    unpack,
)
from electjax.numerics.arrow import Arrow, Point, Search, host_loop, newton_arrow
from electjax.numerics.parallel import host_workers, side_by_side


def blocks(point: Point, problem: Problem, design: Design) -> tuple[Arrow, Float[Array, "i p"]]:
    """The objective with its gradient and Fisher information as an arrow; and each booth's shared gradient."""
    return gathered(point, problem, (sums(point, problem, design),), design)


class Sums(NamedTuple):
    """What some booths contribute to the arrow, of p' parameters common to all and m of each constituency.

    Attributes:
        loss: their part of the objective.
        square, tie, corner: of the information about the common parameters [p', p'], between these and those of the
            constituencies [a, p', m], and about the latter [a, m, m].
        bend: of the curvature in the dispersion, [2].
        common, mine: slope of each booth's loss in the common parameters [i, p'] and in its constituency's [i, m].
        dispersion: that in the dispersion, [i, 2], which `common` lacks.
        own: that in the booth's effects, [i, q].
        border, border_mine, groups: information between these and the common parameters [i, q, p'], between them and
            those of the constituency [i, q, m], and about them [i, q, q].
    """

    loss: Float[Array, ""]
    square: Float[Array, "p1 p1"]
    tie: Float[Array, "a p1 m"]
    corner: Float[Array, "a m m"]
    bend: Float[Array, " 2"]
    common: Float[Array, "i p1"]
    mine: Float[Array, "i m"]
    dispersion: Float[Array, "i 2"]
    own: Float[Array, "i q"]
    border: Float[Array, "i q p1"]
    border_mine: Float[Array, "i q m"]
    groups: Float[Array, "i q q"]


ADDED = 5  # fields of Sums that are sums over booths


@partial(jax.jit, static_argnames="design")
def sums(point: Point, problem: Problem, design: Design) -> Sums:
    """One pass over the booths of a problem."""
    shared, _ = unpack(point, problem, design)
    hyper, areas = problem.hyper, problem.frame.fielded.shape[0]
    flat, unravel = ravel_pytree(_without_constituencies(shared))
    p, m = flat.size, _of_constituencies(shared, areas).shape[1]

    def of_booth(row: Booths, own: Traits, weights: Array, effect: Array) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        mine = own_effects(shared, row.constituency)

        def expected(v: Array, e: Array, mine: Any) -> Array:
            return rates(unravel(v), e, row, own, weights, problem, design, mine=mine)

        at, back = jax.vjp(expected, flat, effect, mine)
        # the shares add up: the slope of the last is known from the others
        found = jax.tree.map(
            lambda rows: jnp.concatenate([rows, -rows[1:].sum(0, keepdims=True)]),
            jax.vmap(back)(jnp.eye(at.shape[0])[:-1]),
        )
        jacobian, own_jacobian, parts = found
        mine_jacobian = jnp.concatenate([x.reshape(at.shape[0], -1) for x in (own_jacobian[:, :0], *_known(parts))], 1)
        lost, slope = jax.value_and_grad(weighted_loss)(at, row, shared.dispersion, hyper)
        known = (row.weight * curvature(at, row, shared.dispersion, hyper))[:, None]
        heavy, own_heavy, mine_heavy = known * jacobian, known * own_jacobian, known * mine_jacobian
        of_rho = (jnp.zeros(2), jnp.zeros(2))
        if shared.dispersion is not None:
            of_rho = _slope_and_bend(lambda two: weighted_loss(at, row, two, hyper), shared.dispersion)
        return (lost, heavy, jacobian, jacobian.T @ mine_heavy, mine_jacobian.T @ mine_heavy, of_rho[1]), (
            slope @ jacobian,
            slope @ mine_jacobian,
            of_rho[0],
            slope @ own_jacobian,
            own_jacobian.T @ heavy,
            own_jacobian.T @ mine_heavy,
            own_jacobian.T @ own_heavy,
        )

    def add(total: tuple[Any, ...], chunk: Chunk) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        own, area = own_traits(chunk, problem), chunk.booths.constituency
        added, per = jax.vmap(of_booth)(chunk.booths, own, chunk.weights, chunk.effects)
        least, heavy, jacobian, tie, corner, bend = added
        return (
            total[0] + least.sum(),
            total[1] + heavy.reshape(-1, p).T @ jacobian.reshape(-1, p),
            total[2].at[area].add(tie),
            total[3].at[area].add(corner),
            total[4] + bend.sum(0),
        ), per

    zeros = jnp.zeros
    start = (zeros(()), zeros((p, p)), zeros((areas, p, m)), zeros((areas, m, m)), zeros(2))
    total, per = jax.lax.scan(add, start, chunks_of(point, problem))
    return Sums(*total, *in_rows(per))


@partial(jax.jit, static_argnames=("design", "known", "scored"))
def gathered(
    point: Point,
    problem: Problem,
    parts: tuple[Sums, ...],
    design: Design,
    *,
    known: tuple[int, ...] = (0,),
    scored: bool = True,
) -> tuple[Arrow, Float[Array, "i p"]]:
    """`blocks` from the sums of parts of the booths; the first `known` rows of each part are in the one before.

    scored: whether the slopes of the booths are asked for; without they are empty.
    """
    unravel = ravel_pytree(blank(problem, design))[1]
    shared, local = unpack(point, problem, design)
    p, q, hyper = point.shared.shape[0], point.groups.shape[1], problem.hyper
    parties = problem.frame.fielded.shape[1]
    fields = list(zip(*parts, strict=True))
    all_booths = Sums(
        *(jnp.stack(each).sum(0) for each in fields[:ADDED]),
        *(jnp.concatenate([x[n:] for x, n in zip(each, known, strict=True)]) for each in fields[ADDED:]),
    )
    square, scores, cross = _of_all(all_booths, unravel(jnp.arange(p, dtype=float)), problem)
    own_gradient, inner = all_booths.own, all_booths.groups
    if shared.dispersion is not None:  # the means and the dispersion are taken as orthogonal
        where = jnp.nonzero(dispersion_mask(problem, design), size=2)[0]
        scores = scores.at[:, where].add(all_booths.dispersion)
        square = square.at[where, where].add(jnp.maximum(jnp.abs(all_booths.bend), 1e-6))

    penalised = jax.value_and_grad(lambda vector: penalty(unravel(vector), hyper, design, parties))
    (least, of_penalty), (_, diagonal) = jax.jvp(penalised, (point.shared,), (jnp.ones(p),))  # all sums of squares
    square = square + jnp.diag(diagonal)
    if local is not None:
        weight = problem.booths.weight.ravel()
        strength = effect_curvature(weight, hyper)
        own_gradient = own_gradient + strength[:, None] * point.groups
        inner = inner + strength[:, None, None] * jnp.eye(q)
        least = least + booth_penalty(local, weight, hyper, contrast(parties, design.identification))
    return Arrow(
        all_booths.loss + least, scores.sum(0) + of_penalty, own_gradient, square, cross, inner
    ), scores if scored else scores[:0]


def _of_all(booths: Sums, place: Shared, problem: Problem) -> tuple[Array, Array, Array]:
    """`square`, slopes and `border` in all p parameters; `place` says where each stands among them."""
    areas = problem.frame.fielded.shape[0]
    common = ravel_pytree(_without_constituencies(place))[0].astype(int)
    mine = _of_constituencies(place, areas).astype(int)
    if not mine.shape[1]:  # then they are the common ones, in their order
        return booths.square, booths.common, booths.border
    p, (number, q, _) = common.size + mine.size, booths.border.shape
    square = jnp.zeros((p, p)).at[common[:, None], common].set(booths.square)
    square = square.at[common[:, None], mine[:, None]].set(booths.tie)
    square = square.at[mine[:, None], common[:, None]].set(booths.tie)
    square = square.at[mine[:, :, None], mine[:, None]].set(booths.corner)
    row, own = jnp.arange(number)[:, None], mine[problem.booths.constituency.ravel()]
    scores = jnp.zeros((number, p)).at[:, common].set(booths.common).at[row, own].set(booths.mine)
    cross = jnp.zeros((number, q, p)).at[:, :, common].set(booths.border)
    return square, scores, cross.at[row[:, None], jnp.arange(q)[:, None], own[:, None]].set(booths.border_mine)


def _without_constituencies(shared: Shared) -> Shared:
    """The parameters that all constituencies have in common."""
    return shared._replace(effect_T=None, effect_P=None, eta_constituency=None)


def _of_constituencies(shared: Shared, areas: int) -> Float[Array, "a m"]:
    """The parameters of each constituency alone, in the order of `own_effects`."""
    own = _known((shared.effect_T, shared.effect_P, shared.eta_constituency))
    return jnp.concatenate([jnp.zeros((areas, 0)), *(x.reshape(areas, -1) for x in own)], axis=1)


def _known(parts: tuple[Array | None, ...]) -> list[Array]:
    return [part for part in parts if part is not None]


def dispersion_mask(problem: Problem, design: Design) -> Array:
    """Where the dispersion stands among the shared parameters."""
    return ravel_pytree(blank(problem, design)._replace(dispersion=jnp.ones(2)))[0]


def _slope_and_bend(function: Callable[[Array], Array], at: Float[Array, " 2"]) -> tuple[Array, Array]:
    """First and second derivatives in each of two numbers that do not interact.

    The second are differences of the first: a polygamma function takes XLA longer to compile than all the rest.
    """
    slope, step = jax.grad(function), 1e-3
    return slope(at), (slope(at + step) - slope(at - step)) / (2.0 * step)


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
    """The problem in parts of one size, one per core; the last is filled up with chunks of weight 0."""
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
