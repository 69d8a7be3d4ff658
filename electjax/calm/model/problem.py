"""A CALM fit as a function of shared parameters [p] and booth effects [i, q], worked off in chunks of booths."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.model import heads
from electjax.calm.model.affinity import Affinity, Standard, build
from electjax.calm.model.design import Booths, Design, Frame, Hyper, Local, Shared
from electjax.calm.model.objective import Losses, booth_losses, booth_penalty, entropy, penalty
from electjax.numerics.arrow import Point

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
    traits: heads.Traits
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
    affinity = build(frame, hyper.rho, design, standard)
    known = heads.traits(frame, affinity, hyper, design)
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
    common = heads.all_terms(shared, problem.traits, problem.frame, design)

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
        basis = heads.contrast(parties, design.identification)
        total = total + booth_penalty(local, problem.booths.weight.ravel(), problem.hyper, basis)
    return total


@partial(jax.jit, static_argnames="design")
def losses(point: Point, problem: Problem, design: Design) -> Losses:
    """N BCE and T KL of every booth, [i] with filling rows, whatever its weight."""
    return _of_booths(_losses, point, problem, design)


@partial(jax.jit, static_argnames="design")
def log_likelihood(point: Point, problem: Problem, design: Design) -> Float[Array, ""]:
    """That of the booths' totals, measured from binomial and multinomial totals that are met exactly."""
    rows, each = in_rows(problem.booths), losses(point, problem, design)
    return -rows.weight @ (each.turnout - jax.vmap(entropy)(rows) + each.party)


@partial(jax.jit, static_argnames="design")
def fitted(point: Point, problem: Problem, design: Design) -> heads.Totals:
    """Expected totals of every booth, [i] with filling rows."""
    return _of_booths(_totals, point, problem, design)


@partial(jax.jit, static_argnames="design")
def cells(point: Point, problem: Problem, design: Design) -> heads.CellShares:
    """Turnout and choice of every cell of every booth, [i, c] and [i, c, k] with filling rows."""
    return _of_booths(_cells, point, problem, design)


def chunks_of(point: Point, problem: Problem) -> Chunk:
    """The booths and their effects, stacked in chunks."""
    effects = point.groups.reshape(*problem.booths.weight.shape, point.groups.shape[1])
    return Chunk(problem.booths, problem.weights, effects, problem.cached)


def own_traits(chunk: Chunk, problem: Problem) -> heads.Traits:
    """The traits of the constituency of each booth."""
    own = jax.tree.map(lambda x: x[chunk.booths.constituency], problem.traits)
    return own if chunk.cached is None else own._replace(g=chunk.cached)


Own = tuple[Array | None, Array | None, Array | None]  # what belongs to a constituency alone


def own_effects(shared: Shared, area: Array) -> Own:
    """What belongs to a constituency alone: effects on turnout and on choice, and its eta."""
    of_area = (shared.effect_T, shared.effect_P, shared.eta_constituency)
    return jax.tree.map(lambda x: x[area], of_area)


def rates(
    shared: Shared,
    effect: Array,
    row: Booths,
    own: heads.Traits,
    weights: Array,
    problem: Problem,
    design: Design,
    *,
    mine: Own | None = None,
) -> Float[Array, " k1"]:
    """Turnout and shares of one booth, whose effects are [q] and whose constituency has the traits `own`.

    mine: parameters of its constituency alone; by default those among the shared ones.
    """
    mine = own_effects(shared, row.constituency) if mine is None else mine
    of = heads.terms(shared, own, problem.frame.features, mine, design)
    one = (effect[0], effect[1:]) if effect.shape[0] else None
    sums = heads.totals(row.sizes, heads.booth_cells(shared, of, own, row, one, weights, problem.hyper, design))
    return jnp.concatenate([sums.turnout[None], sums.shares])


def _cells(shared: Shared, common: heads.Terms, chunk: Chunk, problem: Problem, design: Design) -> heads.CellShares:
    own, area = own_traits(chunk, problem), chunk.booths.constituency
    if chunk.cached is None:
        of = jax.tree.map(lambda x: x[area], common)
    else:
        of = jax.vmap(lambda o, e: heads.terms(shared, o, problem.frame.features, e, design))(
            own, own_effects(shared, area)
        )

    def one(of: heads.Terms, own: heads.Traits, row: Booths, effect: Array, weights: Array) -> heads.CellShares:
        pair = (effect[0], effect[1:]) if effect.shape[0] else None
        return heads.booth_cells(shared, of, own, row, pair, weights, problem.hyper, design)

    return jax.vmap(one)(of, own, chunk.booths, chunk.effects, chunk.weights)


def _totals(shared: Shared, common: heads.Terms, chunk: Chunk, problem: Problem, design: Design) -> heads.Totals:
    return jax.vmap(heads.totals)(chunk.booths.sizes, _cells(shared, common, chunk, problem, design))


def _losses(shared: Shared, common: heads.Terms, chunk: Chunk, problem: Problem, design: Design) -> Losses:
    sums = _totals(shared, common, chunk, problem, design)
    return jax.vmap(lambda s, row: booth_losses(s, row, shared.dispersion, problem.hyper.epsilon))(sums, chunk.booths)


def _of_booths(work: Callable[..., Tree], point: Point, problem: Problem, design: Design) -> Tree:
    """What `work` gives of every booth, chunk by chunk."""
    shared, _ = unpack(point, problem, design)
    common = heads.all_terms(shared, problem.traits, problem.frame, design)
    found = jax.lax.map(lambda chunk: work(shared, common, chunk, problem, design), chunks_of(point, problem))
    return in_rows(found)
