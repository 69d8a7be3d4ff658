"""A CALM fit as a function of shared parameters [p] and booth effects [i, q], worked off in chunks of booths."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.affinity import Affinity, Standard, build
from electjax.calm.data import Booths, Frame
from electjax.calm.design import Design, Hyper, Local, Shared
from electjax.calm.heads import (
    CellShares,
    Terms,
    Totals,
    Traits,
    all_terms,
    booth_cells,
    contrast,
    terms,
    totals,
    traits,
)
from electjax.calm.objective import (
    Losses,
    booth_losses,
    booth_penalty,
    curvature,
    effect_curvature,
    entropy,
    penalty,
    weighted_loss,
)
from electjax.core.arrow import Arrow, Point

Tree = TypeVar("Tree")


class Problem(NamedTuple):
    """All that a fit computes with.

    Attributes:
        booths: in chunks, [chunks, chunk, ...]; rows of weight 0 fill the last.
        weights: w_ik of the mobilisation, [chunks, chunk, k].
        cached: standardised affinity of every booth, [chunks, chunk, c, k, d], where the design asks for it.
    """

    booths: Booths
    frame: Frame
    affinity: Affinity
    traits: Traits
    hyper: Hyper
    weights: Float[Array, "n m k"]
    cached: Float[Array, "n m c k d"] | None


@partial(jax.jit, static_argnames=("design", "chunk"))
def pose(
    booths: Booths,
    frame: Frame,
    hyper: Hyper,
    design: Design,
    *,
    weights: Array,
    chunk: int,
    standard: Standard | None = None,
) -> Problem:
    """Cut booths into chunks and work out the affinity; `standard` where it comes from an earlier fit."""
    affinity = build(frame, hyper, design, standard)
    known = traits(frame, affinity, hyper, design)
    parts = jax.tree.map(lambda x: in_chunks(jnp.asarray(x), chunk), booths)
    cached = known.g[parts.constituency] if design.cache == "booth" else None
    return Problem(
        parts,
        jax.tree.map(jnp.asarray, frame),
        affinity,
        known,
        jax.tree.map(jnp.asarray, hyper),
        in_chunks(jnp.asarray(weights), chunk),
        cached,
    )


def in_chunks(values: Array, chunk: int) -> Array:
    """[i, ...] as [chunks, chunk, ...], filled up with zeros."""
    missing = -values.shape[0] % chunk
    filled = jnp.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1))
    return filled.reshape(filled.shape[0] // chunk, chunk, *values.shape[1:])


def in_rows(chunks: Tree) -> Tree:
    """Arrays [chunks, chunk, ...] as [i, ...], filling rows included."""
    return jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), chunks)


def blank(problem: Problem, design: Design) -> Shared:
    """Shared parameters of a design, all 0."""
    return blank_of(problem.frame, problem.booths.covariates.shape[-1], design)


def blank_of(frame: Frame, covariates: int, design: Design) -> Shared:
    """Shared parameters of a design for booths with so many covariates, all 0."""
    (areas, parties), number, (axes, size, _) = frame.fielded.shape, frame.features.shape[1], frame.fixed.shape
    rows, free, traits_of = number + covariates, parties - 1, axes * size
    zeros = jnp.zeros
    eta = {"none": None, "party": zeros((parties, axes))}.get(design.affinity, zeros(axes))
    return Shared(
        alpha=zeros(()),
        beta_T=zeros(rows),
        gamma=zeros(free),
        beta_P=zeros((rows, free)),
        eta=eta,
        eta_constituency=zeros((areas, axes)) if design.affinity == "hierarchical" else None,
        left=zeros((number, design.tower)) if design.tower else None,
        right=zeros((traits_of, design.tower)) if design.tower else None,
        xi=None if design.mobilisation == "none" else zeros(()),
        effect_T=zeros(areas) if design.constituency_effects else None,
        effect_P=zeros((areas, free)) if design.constituency_effects else None,
        dispersion=zeros(2) if design.overdispersed else None,
    )


def unpack(point: Point, problem: Problem, design: Design) -> tuple[Shared, Local | None]:
    """The parameters that a point stands for; the effects of all booths, filling rows included."""
    shared = ravel_pytree(blank(problem, design))[1](point.shared)
    return shared, Local(point.groups[:, 0], point.groups[:, 1:]) if design.booth_effects else None


class Chunk(NamedTuple):
    """Some booths, the weights of their mobilisation, their effects [m, q], and their own affinity if it is kept."""

    booths: Booths
    weights: Array
    effects: Array
    cached: Array | None


def value(point: Point, problem: Problem, design: Design) -> Float[Array, ""]:
    """The objective of calm.md section 5."""
    return lost(point, problem, design) + held(point, problem, design)


@partial(jax.jit, static_argnames="design")
def lost(point: Point, problem: Problem, design: Design) -> Float[Array, ""]:
    """What the booths contribute to the objective."""
    shared, _ = unpack(point, problem, design)
    common = all_terms(shared, problem.traits, problem.frame, design)

    def add(total: Array, chunk: Chunk) -> tuple[Array, None]:
        own = _losses(shared, common, chunk, problem, design)
        both = problem.hyper.lambda_T * own.turnout + problem.hyper.lambda_P * own.party
        return total + chunk.booths.weight @ both, None

    return jax.lax.scan(jax.checkpoint(add), jnp.zeros(()), chunks_of(point, problem))[0]


@partial(jax.jit, static_argnames="design")
def held(point: Point, problem: Problem, design: Design) -> Float[Array, ""]:
    """The penalties in the objective."""
    shared, local = unpack(point, problem, design)
    parties = problem.frame.fielded.shape[1]
    total = penalty(shared, problem.hyper, design, parties)
    if local is not None:
        basis = contrast(parties, design.identification)
        total = total + booth_penalty(local, problem.booths.weight.ravel(), problem.hyper, basis)
    return total


@partial(jax.jit, static_argnames="design")
def losses(point: Point, problem: Problem, design: Design) -> Losses:
    """N BCE and T KL of every booth, [i] with filling rows, whatever its weight."""
    return _of_booths(_losses, point, problem, design)


@partial(jax.jit, static_argnames="design")
def log_likelihood(point: Point, problem: Problem, design: Design) -> Float[Array, ""]:
    """That of the booths' totals, measured from binomial and multinomial totals that are met exactly."""
    rows, lost = in_rows(problem.booths), losses(point, problem, design)
    return -rows.weight @ (lost.turnout - jax.vmap(entropy)(rows) + lost.party)


@partial(jax.jit, static_argnames="design")
def fitted(point: Point, problem: Problem, design: Design) -> Totals:
    """Expected totals of every booth, [i] with filling rows."""
    return _of_booths(_totals, point, problem, design)


@partial(jax.jit, static_argnames="design")
def cells(point: Point, problem: Problem, design: Design) -> CellShares:
    """Turnout and choice of every cell of every booth, [i, c] and [i, c, k] with filling rows."""
    return _of_booths(_cells, point, problem, design)


def blocks(point: Point, problem: Problem, design: Design) -> tuple[Arrow, Float[Array, "i p"]]:
    """The objective with its gradient and Fisher information as an arrow; and each booth's shared gradient."""
    return gathered(point, problem, (sums(point, problem, design),), design)


class Sums(NamedTuple):
    """What some booths contribute to the arrow.

    Attributes:
        loss: their part of the objective.
        square: of the information about the shared parameters, [p, p].
        bend: of the curvature in the dispersion, [2].
        scores: slope of each booth's loss in the shared parameters, [i, p], without that in the dispersion.
        dispersion: the latter, [i, 2].
        own, border, groups: slope in the booth's effects [i, q], their ties [i, q, p], and their information [i, q, q].
    """

    loss: Float[Array, ""]
    square: Float[Array, "p p"]
    bend: Float[Array, " 2"]
    scores: Float[Array, "i p"]
    dispersion: Float[Array, "i 2"]
    own: Float[Array, "i q"]
    border: Float[Array, "i q p"]
    groups: Float[Array, "i q q"]


@partial(jax.jit, static_argnames="design")
def sums(point: Point, problem: Problem, design: Design) -> Sums:
    """One pass over the booths of a problem."""
    unravel = ravel_pytree(blank(problem, design))[1]
    shared, _ = unpack(point, problem, design)
    p, hyper = point.shared.shape[0], problem.hyper

    def of_booth(row: Booths, own: Traits, weights: Array, effect: Array) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        at, back = jax.vjp(lambda v, e: rates(unravel(v), e, row, own, weights, problem, design), point.shared, effect)
        jacobian, own_jacobian = jax.vmap(back)(jnp.eye(at.shape[0]))
        lost, slope = jax.value_and_grad(weighted_loss)(at, row, shared.dispersion, hyper)
        known = (row.weight * curvature(at, row, shared.dispersion, hyper))[:, None]
        heavy, own_heavy = known * jacobian, known * own_jacobian
        of_rho = (jnp.zeros(2), jnp.zeros(2))
        if shared.dispersion is not None:
            of_rho = _slope_and_bend(lambda two: weighted_loss(at, row, two, hyper), shared.dispersion)
        return (lost, heavy, jacobian, of_rho[1]), (
            slope @ jacobian,
            of_rho[0],
            slope @ own_jacobian,
            own_jacobian.T @ heavy,
            own_jacobian.T @ own_heavy,
        )

    def add(total: tuple[Any, ...], chunk: Chunk) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        own = own_traits(chunk, problem)
        (least, heavy, jacobian, bend), per = jax.vmap(of_booth)(chunk.booths, own, chunk.weights, chunk.effects)
        square = heavy.reshape(-1, p).T @ jacobian.reshape(-1, p)
        return (total[0] + least.sum(), total[1] + square, total[2] + bend.sum(0)), per

    start = (jnp.zeros(()), jnp.zeros((p, p)), jnp.zeros(2))
    total, per = jax.lax.scan(add, start, chunks_of(point, problem))
    return Sums(*total, *in_rows(per))


@partial(jax.jit, static_argnames=("design", "known"))
def gathered(
    point: Point, problem: Problem, parts: tuple[Sums, ...], design: Design, *, known: tuple[int, ...] = (0,)
) -> tuple[Arrow, Float[Array, "i p"]]:
    """`blocks` from the sums of parts of the booths; the first `known` rows of each part are in the one before."""
    unravel = ravel_pytree(blank(problem, design))[1]
    shared, local = unpack(point, problem, design)
    p, q, hyper = point.shared.shape[0], point.groups.shape[1], problem.hyper
    parties = problem.frame.fielded.shape[1]
    fields = list(zip(*parts, strict=True))
    loss, square, bend = (jnp.stack(each).sum(0) for each in fields[:3])
    scores, rho_scores, own_gradient, cross, inner = (
        jnp.concatenate([x[n:] for x, n in zip(each, known, strict=True)]) for each in fields[3:]
    )
    if shared.dispersion is not None:  # the means and the dispersion are taken as orthogonal
        where = jnp.nonzero(_mask(problem, design), size=2)[0]
        scores = scores.at[:, where].add(rho_scores)
        square = square.at[where, where].add(jnp.maximum(jnp.abs(bend), 1e-6))

    penalised = jax.value_and_grad(lambda vector: penalty(unravel(vector), hyper, design, parties))
    (least, of_penalty), (_, diagonal) = jax.jvp(penalised, (point.shared,), (jnp.ones(p),))  # all sums of squares
    square = square + jnp.diag(diagonal)
    if local is not None:
        weight = problem.booths.weight.ravel()
        strength = effect_curvature(weight, hyper)
        own_gradient = own_gradient + strength[:, None] * point.groups
        inner = inner + strength[:, None, None] * jnp.eye(q)
        least = least + booth_penalty(local, weight, hyper, contrast(parties, design.identification))
    return Arrow(loss + least, scores.sum(0) + of_penalty, own_gradient, square, cross, inner), scores


def chunks_of(point: Point, problem: Problem) -> Chunk:
    """The booths and their effects, stacked in chunks."""
    effects = point.groups.reshape(*problem.booths.weight.shape, point.groups.shape[1])
    return Chunk(problem.booths, problem.weights, effects, problem.cached)


def own_traits(chunk: Chunk, problem: Problem) -> Traits:
    """The traits of the constituency of each booth."""
    own = jax.tree.map(lambda x: x[chunk.booths.constituency], problem.traits)
    return own if chunk.cached is None else own._replace(g=chunk.cached)


def own_effects(shared: Shared, area: Array) -> tuple[Array | None, Array | None, Array | None]:
    """What belongs to a constituency alone: effects on turnout and on choice, and its eta."""
    of_area = (shared.effect_T, shared.effect_P, shared.eta_constituency)
    return jax.tree.map(lambda x: x[area], of_area)


def rates(
    shared: Shared, effect: Array, row: Booths, own: Traits, weights: Array, problem: Problem, design: Design
) -> Float[Array, " k1"]:
    """Turnout and shares of one booth, whose effects are [q] and whose constituency has the traits `own`."""
    of = terms(shared, own, problem.frame.features, own_effects(shared, row.constituency), design)
    one = (effect[0], effect[1:]) if effect.shape[0] else None
    sums = totals(row.sizes, booth_cells(shared, of, own, row, one, weights, problem.hyper, design))
    return jnp.concatenate([sums.turnout[None], sums.shares])


def _cells(shared: Shared, common: Terms, chunk: Chunk, problem: Problem, design: Design) -> CellShares:
    own, area = own_traits(chunk, problem), chunk.booths.constituency
    if chunk.cached is None:
        of = jax.tree.map(lambda x: x[area], common)
    else:
        of = jax.vmap(lambda o, e: terms(shared, o, problem.frame.features, e, design))(own, own_effects(shared, area))

    def one(of: Terms, own: Traits, row: Booths, effect: Array, weights: Array) -> CellShares:
        pair = (effect[0], effect[1:]) if effect.shape[0] else None
        return booth_cells(shared, of, own, row, pair, weights, problem.hyper, design)

    return jax.vmap(one)(of, own, chunk.booths, chunk.effects, chunk.weights)


def _totals(shared: Shared, common: Terms, chunk: Chunk, problem: Problem, design: Design) -> Totals:
    return jax.vmap(totals)(chunk.booths.sizes, _cells(shared, common, chunk, problem, design))


def _losses(shared: Shared, common: Terms, chunk: Chunk, problem: Problem, design: Design) -> Losses:
    sums = _totals(shared, common, chunk, problem, design)
    return jax.vmap(lambda s, row: booth_losses(s, row, shared.dispersion, problem.hyper.epsilon))(sums, chunk.booths)


def _of_booths(work: Callable[..., Tree], point: Point, problem: Problem, design: Design) -> Tree:
    """What `work` gives of every booth, chunk by chunk."""
    shared, _ = unpack(point, problem, design)
    common = all_terms(shared, problem.traits, problem.frame, design)
    found = jax.lax.map(lambda chunk: work(shared, common, chunk, problem, design), chunks_of(point, problem))
    return in_rows(found)


def _mask(problem: Problem, design: Design) -> Array:
    """Where the dispersion stands among the shared parameters."""
    return ravel_pytree(blank(problem, design)._replace(dispersion=jnp.ones(2)))[0]


def _slope_and_bend(function: Callable[[Array], Array], at: Float[Array, " 2"]) -> tuple[Array, Array]:
    """First and second derivatives in each of two numbers that do not interact.

    The second are differences of the first: a polygamma function takes XLA longer to compile than all the rest.
    """
    slope, step = jax.grad(function), 1e-3
    return slope(at), (slope(at + step) - slope(at - step)) / (2.0 * step)
