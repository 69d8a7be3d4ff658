"""Score and information of directions that a model does not have, at a point where all else is fitted.

What a direction would change is followed through the heads of every booth, and the booth's own effects are
eliminated. So one pass says what any number of further fits would find, up to one Newton step: parameters of each
group of booths, or another distribution of candidates' traits.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Int

from electjax.calm.model.data import Booths
from electjax.calm.model.design import Design, Shared
from electjax.calm.model.heads import Traits
from electjax.calm.model.objective import curvature, effect_curvature, weighted_loss
from electjax.calm.model.problem import Chunk, Problem, blank, chunks_of, own_traits, rates
from electjax.numerics.arrow import Point
from electjax.numerics.laplace import inverse_root

Perturb = Callable[[Shared, Traits, Array], tuple[Shared, Traits]]


class Directions(NamedTuple):
    """M directions in each of G groups of booths, the booths' effects eliminated.

    Attributes:
        score: slope of the log-likelihood, [g, m].
        border: information that a direction has in common with the shared parameters, [g, m, p].
        square: information about the directions, [g, m, m].
    """

    score: Float[Array, "g m"]
    border: Float[Array, "g m p"]
    square: Float[Array, "g m m"]


def directions(
    point: Point,
    problem: Problem,
    design: Design,
    perturb: Perturb,
    *,
    size: int,
    group: Int[Array, " i"],
    groups: int,
) -> Directions:
    """Score and information of what `perturb` changes, summed over groups of booths.

    Args:
        perturb: from shared parameters, a constituency's traits and a step of length `size` to both as the step
            leaves them; a step of zeros leaves the model as it is.
        group: of every booth, filling rows included.
    """
    unravel = ravel_pytree(blank(problem, design))[1]
    width, hyper = point.groups.shape[1], problem.hyper
    dispersion = unravel(point.shared).dispersion

    def along(vector: Array, effect: Array, step: Array, row: Booths, own: Traits, weights: Array) -> Array:
        at, mine = perturb(unravel(vector), own, step)
        return rates(at, effect, row, mine, weights, problem, design)

    def of_booth(row: Booths, own: Traits, weights: Array, effect: Array) -> tuple[Array, Array, Array]:
        step = jnp.zeros(size, point.shared.dtype)
        at, back = jax.vjp(lambda v, e, s: along(v, e, s, row, own, weights), point.shared, effect, step)
        of_shared, of_effect, of_step = jax.vmap(back)(jnp.eye(at.shape[0]))
        slope = -jax.grad(weighted_loss)(at, row, dispersion, hyper)
        known = (row.weight * curvature(at, row, dispersion, hyper))[:, None]
        heavy = known * of_step
        score, border, square = slope @ of_step, heavy.T @ of_shared, heavy.T @ of_step
        if not width:
            return score, border, square
        strength, weighted = effect_curvature(row.weight, hyper), known * of_effect
        inner = of_effect.T @ weighted + (strength + 1e-12) * jnp.eye(width)
        tie = cho_solve((jnp.linalg.cholesky(inner), True), of_effect.T @ heavy)  # [q, m]
        left = slope @ of_effect - strength * effect  # 0 where the effects are fitted
        return score - left @ tie, border - tie.T @ (weighted.T @ of_shared), square - tie.T @ (of_effect.T @ heavy)

    def add(total: Directions, chunk: tuple[Chunk, Array]) -> tuple[Directions, None]:
        some, place = chunk
        found = jax.vmap(of_booth)(some.booths, own_traits(some, problem), some.weights, some.effects)
        return Directions(*(t.at[place].add(x) for t, x in zip(total, found, strict=True))), None

    p = point.shared.shape[0]
    zero = Directions(jnp.zeros((groups, size)), jnp.zeros((groups, size, p)), jnp.zeros((groups, size, size)))
    return jax.lax.scan(add, zero, (chunks_of(point, problem), group.reshape(problem.booths.weight.shape)))[0]


def inverse_of(matrix: Float[Array, "p p"]) -> Float[Array, "p p"]:
    """Inverse of an information matrix on its own scale; what it says nothing of is left out rather than infinite."""
    root = inverse_root(matrix, jnp)[0]
    return root @ root.T


def eta_place(problem: Problem, design: Design, axis: int = 0) -> int:
    """Where the shared eta of an axis stands among the shared parameters: after alpha, beta_T, gamma and beta_P."""
    rows, free = (
        problem.frame.features.shape[1] + problem.booths.covariates.shape[-1],
        problem.frame.fielded.shape[1] - 1,
    )
    return 1 + rows + free + rows * free + axis
