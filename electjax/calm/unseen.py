"""Booths that a fit has not seen.

A booth without an effect of its own gets the mean effect of its constituency's training booths; where there are none, 0.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from electjax.calm.problem import Problem
from electjax.core.arrow import Point


def mean_effects(point: Point, problem: Problem) -> Float[jax.Array, "a q"]:
    """Mean effect of the training booths of each constituency."""
    return _means(point.groups, problem)


def with_mean_effects(point: Point, problem: Problem) -> Point:
    """The point with the mean effect of its constituency for each booth of weight 0."""
    seen = problem.booths.weight.ravel() > 0
    area = problem.booths.constituency.ravel()
    return point._replace(groups=jnp.where(seen[:, None], point.groups, mean_effects(point, problem)[area]))


def _means(values: Float[jax.Array, "i v"], problem: Problem) -> Float[jax.Array, "a v"]:
    area, weight = problem.booths.constituency.ravel(), problem.booths.weight.ravel()
    number = problem.frame.fielded.shape[0]
    total = jax.ops.segment_sum(weight[:, None] * values, area, num_segments=number)
    count = jax.ops.segment_sum(weight, area, num_segments=number)[:, None]
    return jnp.where(count > 0, total / jnp.where(count > 0, count, 1.0), 0.0)
