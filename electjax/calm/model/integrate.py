"""What it changes to integrate parameters out instead of maximising over them, in one Newton step.

The objective of calm.md section 5 is minimised over shared parameters and booth effects together. That is biased: the
range of effects that would do for a booth depends on the shared parameters, and a minimum does not see it. The bias
does not shrink as booths are added, while standard errors do, so that intervals come to miss the truth. The Laplace
approximation of the integral over the effects of booth i has half the log-determinant of their information besides,

    -log integral exp(-f_i) db = f_i(theta, b_i) + 1/2 log |G_i(theta, b_i)| + constant,   b_i = b_i(theta),

and a Newton step from the joint minimum along the slope of these terms takes the bias off to first order.

The same holds of the dispersion beside all other parameters: where constituencies have few booths, the effects that are
fitted to them take up part of the scatter, and rho_T and rho_P come out too small, as does a variance divided by n
rather than n - p. Half the log-determinant of the information about the others is what restricted likelihood adds
(Cox and Reid, "Parameter orthogonality and approximate conditional inference", JRSS B 49, 1987).
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.model.design import Booths, Design
from electjax.calm.model.estimate import Information, information
from electjax.calm.model.heads import Traits
from electjax.calm.model.objective import curvature
from electjax.calm.model.problem import Chunk, Problem, blank, chunks_of, own_traits, rates
from electjax.calm.model.sums import dispersion_mask, is_traced
from electjax.numerics.arrow import Point
from electjax.numerics.covariance import inverse_root
from electjax.numerics.laplace import given_shared


def integrated(point: Point, problem: Problem, design: Design, known: Information) -> Point:
    """The point with the shared parameters at the maximum of the integrated likelihood, and effects that go with them.

    It begins at the joint minimum with the information there, and stays where the model has neither booth effects nor
    dispersion. Effects of constituencies are parameters like others: only the dispersion is estimated with them
    integrated out. May be compiled and mapped.
    """
    if not (design.booth_effects or design.overdispersed):
        return point
    slope, ties = jnp.zeros_like(point.shared), None
    if design.booth_effects:
        direct, through = _slopes(point, problem, design=design)
        ties, _ = given_shared(known.border, known.groups)
        slope = direct - jnp.einsum("iqp,iq->p", ties, through)
    if design.overdispersed:
        slope = slope + slope_in_dispersion(point, problem, design, known)
    root = inverse_root(jnp.asarray(known.shared), jnp).root
    step = -root @ (root.T @ slope)
    return Point(point.shared + step, point.groups if ties is None else point.groups - ties @ step)


def slope_in_dispersion(
    point: Point, problem: Problem, design: Design, known: Information, *, step: float = 1e-2
) -> Float[Array, " p"]:
    """Slope of 1/2 log |information about all other shared parameters| in the two logits of the dispersion; else 0."""
    mask = dispersion_mask(problem, design)
    ways = jnp.eye(mask.size)[jnp.nonzero(mask, size=2)[0]]

    def half(shared: Array) -> Array:
        return _half_log_determinant(shared, mask)

    def after(way: Array) -> Array:
        return half(information(Point(point.shared + step * way, point.groups), problem, design).shared)

    # outside of a program one after another from the host, where what they need is compiled already
    there = jax.lax.map(after, ways) if is_traced((point, problem)) else jnp.stack([after(way) for way in ways])
    return ways.T @ ((there - half(known.shared)) / step)


@jax.jit
def _half_log_determinant(matrix: Array, without: Array) -> Array:
    """Of a matrix that may be singular but for rounding, some of its rows and columns left out."""
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 1e-12))
    kept = (1.0 - without)[:, None] * (1.0 - without) * matrix / (scale[:, None] * scale)
    values, _ = jnp.linalg.eigh(kept + jnp.diag(without))
    return 0.5 * jnp.log(jnp.maximum(values, 1e-10)).sum() + ((1.0 - without) * jnp.log(scale)).sum()


@partial(jax.jit, static_argnames="design")
def _slopes(point: Point, problem: Problem, *, design: Design) -> tuple[Float[Array, " p"], Float[Array, "i q"]]:
    """Derivatives of sum_i 1/2 log |G_i| in the shared parameters, and in each booth's effects."""
    unravel, hyper = ravel_pytree(blank(problem, design))[1], problem.hyper

    def half(vector: Array, effect: Array, row: Booths, own: Traits, weights: Array) -> Array:
        shared = unravel(vector)

        def at_effect(own_effect: Array) -> Array:
            return rates(shared, own_effect, row, own, weights, problem, design)

        at, jacobian = at_effect(effect), jax.jacfwd(at_effect)(effect)
        inner = jacobian.T @ (curvature(at, row, shared.dispersion, hyper)[:, None] * jacobian)
        return 0.5 * row.weight * jnp.linalg.slogdet(inner + 2.0 * hyper.lambda_b * jnp.eye(effect.shape[0]))[1]

    def add(total: Array, chunk: Chunk) -> tuple[Array, Array]:
        slope = jax.vmap(jax.grad(half, (0, 1)), (None, 0, 0, 0, 0))
        direct, through = slope(point.shared, chunk.effects, chunk.booths, own_traits(chunk, problem), chunk.weights)
        return total + direct.sum(0), through

    direct, through = jax.lax.scan(add, jnp.zeros_like(point.shared), chunks_of(point, problem))
    return direct, through.reshape(point.groups.shape)
