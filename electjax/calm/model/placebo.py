"""Would shuffled candidates do as well? A permutation test of one axis of the candidates' affinity (calm.md section 9).

A candidate's traits on an axis are a vector z_ak, and g_ack = h_c' z_ak is linear in it. At the fit without the axis,
the score and the information of each entry of every z_ak are worked out once; those of any shuffled candidates are
sums of them. The efficient score U of eta on the axis and its variance V, every other parameter eliminated, then give

    z = U / sqrt(V),    eta = U / (V + 2 lambda_eta),

the test statistic and one Newton step from eta = 0, for thousands of permutations at once. Permutations are compared
by z: some shuffled candidates are told apart from the parties better than others, so that eta itself is not equally
sure.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from electjax.calm.model import affinity
from electjax.calm.model.design import Design, Frame, Shared, Tensor
from electjax.calm.model.diagnose import Directions, directions, eta_place, inverse_of
from electjax.calm.model.estimate import information, newton
from electjax.calm.model.heads import Traits
from electjax.calm.model.problem import Problem
from electjax.numerics.arrow import Point, begin


class Statistics(NamedTuple):
    """Of one axis: eta per standard deviation of g, its standard error, the test statistic. 0 where nothing is told."""

    eta: Float[Tensor, "*n"]
    se: Float[Tensor, "*n"]
    z: Float[Tensor, "*n"]


class Placebo(NamedTuple):
    """What the statistics of any candidates are made of.

    Attributes:
        of: score and information of the entries of z, per constituency; the entries of a party stand together.
        inverse: of the information about all other shared parameters, [p, p].
        first, second: sums over cells of h and h h', weighted as the standardisation does, [a, l] and [a, l, l].
        total: weight of all (i, c, k).
        penalty: lambda_eta.
    """

    of: Directions
    inverse: Float[Array, "p p"]
    first: Float[Array, "a l"]
    second: Float[Array, "a l l"]
    total: Float[Array, ""]
    penalty: Float[Array, ""]


def traits_of(frame: Frame, axis: int) -> Float[Array, "a k l"]:
    """z_ak of one axis: one-hot, the value on a scalar axis, zero where unknown or outside a nest."""
    z = affinity.candidate_features(frame)
    return z.reshape(*z.shape[:2], frame.scalar.shape[0], -1)[:, :, axis]


def nearness(frame: Frame, rho: Float[Tensor, " d"], axis: int) -> Float[Array, "c l"]:
    """h_c of one axis, with g_ack = h_c' z_ak."""
    cell = affinity.cell_features(frame)
    cell = cell.reshape(cell.shape[0], frame.scalar.shape[0], -1)[:, axis]
    return jnp.where(jnp.asarray(frame.scalar)[axis], cell, cell @ affinity.combined_kernel(frame, rho)[axis])


def without_axis(problem: Problem, axis: int) -> Problem:
    """The problem with an affinity of 0 on one axis; everything else as it is."""
    return problem._replace(traits=problem.traits._replace(g=problem.traits.g.at[..., axis].set(0.0)))


def with_traits(problem: Problem, z: Float[Array, "a k l"], axis: int, design: Design) -> Problem:
    """The problem with other candidates on one axis of the affinity, standardised anew; everything else as it is."""
    frame = problem.frame
    raw = jnp.einsum("cl,akl->ack", nearness(frame, problem.hyper.rho, axis), z)
    standard = affinity.standard_of(raw[..., None], frame, design.weighting)
    g = jnp.where(frame.fielded[:, None, :], affinity.standardise(raw[..., None], standard)[..., 0], 0.0)
    return problem._replace(traits=problem.traits._replace(g=problem.traits.g.at[..., axis].set(g)))


@partial(jax.jit, static_argnames=("design", "axis"))
def prepare(point: Point, problem: Problem, design: Design, axis: int) -> Placebo:
    """What permutations have in common; point and problem are those `without_axis`, and the parties share eta."""
    frame = problem.frame
    h = nearness(frame, problem.hyper.rho, axis)
    areas, parties = frame.fielded.shape

    def met(shared: Shared, own: Traits, step: Array) -> tuple[Shared, Traits]:
        assert shared.eta is not None
        g = own.g.at[..., axis].set(h @ step.reshape(parties, -1).T)
        return shared._replace(eta=shared.eta.at[axis].set(1.0)), own._replace(g=g)

    area = problem.booths.constituency.ravel()
    found = directions(point, problem, design, met, size=parties * h.shape[1], group=area, groups=areas)
    weight = affinity.weights_of(frame, design.weighting)
    per_cell = weight.max(axis=2)  # the same for every party that stands
    return Placebo(
        found,
        inverse_of(information(point, problem, design).shared),
        per_cell @ h,
        jnp.einsum("ac,cl,cm->alm", per_cell, h, h),
        weight.sum(),
        jnp.asarray(problem.hyper.lambda_eta),
    )


@partial(jax.jit, static_argnames="batch")
def scored(placebo: Placebo, z: Float[Array, "n a k l"], *, batch: int = 64) -> Statistics:
    """Statistics of many distributions of candidates' traits, one Newton step from eta = 0."""
    return jax.lax.map(lambda one: _score(placebo, one), z, batch_size=batch)


def _score(placebo: Placebo, z: Float[Array, "a k l"]) -> Statistics:
    flat = z.reshape(z.shape[0], -1)
    mean = jnp.einsum("al,akl->", placebo.first, z) / placebo.total
    variance = jnp.einsum("akl,alm,akm->", z, placebo.second, z) / placebo.total - mean**2
    of = placebo.of
    score = (of.score * flat).sum()
    cross = jnp.einsum("amp,am->p", of.border, flat)
    whole = jnp.einsum("am,amn,an->", flat, of.square, flat)
    told = whole - cross @ placebo.inverse @ cross
    some = (told > 1e-9 * whole) & (variance > 1e-12)
    told, sd = jnp.where(some, told, 1.0), jnp.sqrt(jnp.where(some, variance, 1.0))
    curve = told / sd**2 + 2.0 * placebo.penalty
    found = Statistics(score / sd / curve, 1.0 / jnp.sqrt(curve), score / jnp.sqrt(told))
    return jax.tree.map(lambda x: jnp.where(some, x, 0.0), found)


@partial(jax.jit, static_argnames=("design", "axis", "batch"))
def refitted(
    problem: Problem,
    point: Point,
    z: Float[Array, "n a k l"],
    design: Design,
    axis: int,
    *,
    tolerance: Array | float,
    max_steps: Array | int,
    batch: int = 1,
) -> Statistics:
    """The same by fitting all parameters for each; `batch` fits at a time."""

    def fit(one: Array) -> Statistics:
        own = with_traits(problem, one, axis, design)
        found = newton(own, begin(point), design, tolerance, max_steps).point
        place = eta_place(own, design, axis)
        eta = found.shared[place]
        error = jnp.sqrt(inverse_of(information(found, own, design).shared)[place, place])
        return Statistics(eta, error, jnp.where(error > 0, eta / jnp.where(error > 0, error, 1.0), 0.0))

    return jax.lax.map(fit, z, batch_size=batch)


def shuffles(
    groups: Int[np.ndarray, " n"], moving: Bool[np.ndarray, " n"], count: int, generator: np.random.Generator
) -> Int[np.ndarray, "count n"]:
    """Index arrays that shuffle the places that move within their groups and leave the others."""
    own = np.where(moving, groups, groups.max(initial=0) + 1 + np.arange(len(groups)))
    order = np.argsort(own, kind="stable")
    shuffled = np.lexsort((generator.random((count, len(own))), np.broadcast_to(own, (count, len(own)))), axis=1)
    found = np.empty((count, len(own)), np.int64)
    found[:, order] = shuffled
    return found


def p_value(observed: Tensor | float, permuted: Float[Tensor, " b"]) -> float:
    """Two-sided: how many permutations are as far from 0, the real candidates counted in, (1 + b) / (1 + B)."""
    far = np.abs(np.asarray(permuted)) >= np.abs(np.asarray(observed)) * (1.0 - 1e-9)  # but for rounding
    return float((1 + far.sum()) / (1 + far.size))
