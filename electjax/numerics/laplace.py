"""The normal approximation of a posterior whose parameters are shared ones and those of many groups (Laplace)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Key

from electjax.numerics.arrow import Point
from electjax.numerics.covariance import Tensor


class Laplace(NamedTuple):
    """The normal approximation of the posterior, ready to be drawn from.

    Attributes:
        mean: where it is centred.
        root: of the covariance of the shared parameters, [p, p].
        ties: a booth's effects move by -ties times what the shared parameters move by, [i, q, p].
        spread: root of the covariance of a booth's effects given the shared parameters, [i, q, q].
    """

    mean: Point
    root: Float[Tensor, "p p"]
    ties: Float[Tensor, "i q p"]
    spread: Float[Tensor, "i q q"]


def draw(key: Key[Array, ""], posterior: Laplace) -> Point:
    """One draw of all parameters; may be mapped over keys."""
    of_shared, of_groups = jax.random.split(key)
    mean = posterior.mean
    moved = jnp.asarray(posterior.root) @ jax.random.normal(of_shared, mean.shared.shape, mean.shared.dtype)
    noise = jax.random.normal(of_groups, mean.groups.shape, mean.groups.dtype)
    own = jnp.einsum("iqr,ir->iq", jnp.asarray(posterior.spread), noise) - jnp.asarray(posterior.ties) @ moved
    return Point(mean.shared + moved, mean.groups + own)


@jax.jit
def given_shared(border: Float[Array, "i q p"], groups: Float[Array, "i q q"]) -> tuple[Array, Array]:
    """Ties of each booth's effects to the shared parameters, and a root of their covariance given these."""
    width = groups.shape[1]
    if not width:
        return border, groups
    eye = jnp.eye(width)

    def one(edge: Array, inner: Array) -> tuple[Array, Array]:
        factor = jnp.linalg.cholesky(inner + 1e-12 * eye)
        root = solve_triangular(factor, eye, lower=True, trans=1)  # one batched call, as in numerics.arrow
        return root @ (root.T @ edge), root

    return jax.vmap(one)(border, groups)
