"""What it changes to integrate booth effects out instead of maximising over them, in one Newton step.

The objective of calm.md section 5 is minimised over shared parameters and booth effects together. That is biased: the
range of effects that would do for a booth depends on the shared parameters, and a minimum does not see it. The bias
does not shrink as booths are added, while standard errors do, so that intervals come to miss the truth. The Laplace
approximation of the integral over the effects of booth i has half the log-determinant of their information besides,

    -log integral exp(-f_i) db = f_i(theta, b_i) + 1/2 log |G_i(theta, b_i)| + constant,   b_i = b_i(theta),

and a Newton step from the joint minimum along the slope of these terms takes the bias off to first order.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from electjax.calm.data import Booths
from electjax.calm.design import Design
from electjax.calm.estimate import Information
from electjax.calm.heads import Traits
from electjax.calm.objective import curvature
from electjax.calm.problem import Chunk, Problem, blank, chunks_of, own_traits, rates
from electjax.calm.uncertainty import given_shared, inverse_root
from electjax.core.arrow import Point


def integrated(point: Point, problem: Problem, design: Design, information: Information) -> Point:
    """The point with the shared parameters at the maximum of the integrated likelihood, and effects that go with them.

    Effects of constituencies are parameters like others: they are not integrated out. May be compiled and mapped.

    Args:
        point: the joint minimum.
        problem, design: that it solves.
        information: there (`estimate.information`).

    Returns:
        The same point where the model has no booth effects.
    """
    if not design.booth_effects:
        return point
    direct, through = _slopes(point, problem, design=design)
    ties, _ = given_shared(information.border, information.groups)
    slope = direct - jnp.einsum("iqp,iq->p", ties, through)
    root = inverse_root(jnp.asarray(information.shared), jnp)[0]
    step = -root @ (root.T @ slope)
    return Point(point.shared + step, point.groups - ties @ step)


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
