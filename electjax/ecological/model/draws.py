"""Draws of contests' tables: parameters, the assumed context, and votes within units, each as uncertain as it is."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from electjax.ecological.model.balance import balance, within
from electjax.ecological.model.estimate import Mode, curvature, expected_tables, in_contests, noise
from electjax.ecological.model.problem import Problem, logits
from electjax.numerics.arrow import Point, eliminate
from electjax.numerics.covariance import inverse_root
from electjax.numerics.laplace import Laplace, draw, given_shared


class Posterior(NamedTuple):
    """What draws are made from.

    Attributes:
        laplace: parameters at the context assumed, their covariance inflated.
        slope: of the parameters in the context.
        context, context_sd: middle and scale of the exponent.
        votes: root of the covariance of the votes in a contest's cells, [d, rc, rc].
        middle: expected tables at the mode, brought to the contests' margins.
        rows, columns: margins of the contests.
    """

    laplace: Laplace
    slope: Point
    context: Float[Array, ""]
    context_sd: Float[Array, ""]
    votes: Float[Array, "d rc rc"]
    middle: Float[Array, "d r c"]
    rows: Float[Array, "d r"]
    columns: Float[Array, "d c"]


def posterior(found: Mode, slope: Point, *, context_sd: float, inflation: float) -> Posterior:
    """The normal approximation around a mode; `slope` is the change of the parameters per unit of context."""
    problem = found.problem
    known = curvature(found.point, problem)
    schur, *_ = _eliminate(known)
    root, vectors, *_ = inverse_root(np.asarray(schur))
    root = root @ vectors.T  # roots that rounding moves little, so that a seed has the same draws elsewhere
    ties, spread = given_shared(known.border, known.groups)
    wide = np.sqrt(inflation)
    covariance = np.asarray(noise(found.eta, found.rho, problem.assumed.context, problem))
    size, axes = np.linalg.eigh(covariance)  # on the host: batched decompositions are slow on a device
    votes = (axes * np.sqrt(np.maximum(size, 0.0))[:, None, :]) @ np.swapaxes(axes, 1, 2)
    rows, columns = in_contests(problem.blocks.rows, problem), in_contests(problem.blocks.columns, problem)
    return Posterior(
        Laplace(found.point, jnp.asarray(wide * root), ties, wide * spread),
        slope,
        problem.assumed.context,
        jnp.asarray(context_sd, float),
        jnp.asarray(votes),
        _balanced(found.eta, problem.assumed.context, problem, rows, columns),
        rows,
        columns,
    )


@jax.jit
def draw_tables(
    keys: Key[Array, " s"],
    known: Posterior,
    problem: Problem,
    centre: Float[Array, "d r c"],
    bounds: tuple[Float[Array, "d r c"], Float[Array, "d r c"]],
) -> Float[Array, "s d r c"]:
    """Tables of every contest, one for each key: inside their bounds, with the contests' margins.

    Args:
        centre: estimate of the tables, about which the draws lie.
        bounds: of the cells, from the margins of the units.
    """

    def one(given: tuple[Array, Array]) -> Array:
        of_point, of_votes = jax.random.split(given[0])
        moved = jnp.maximum(known.context_sd * given[1], -known.context)  # an exponent is not below 0
        point = jax.tree.map(lambda at, by: at + moved * by, draw(of_point, known.laplace), known.slope)
        eta, _ = logits(point, problem)
        mean = _balanced(eta, known.context + moved, problem, known.rows, known.columns)
        shock = jax.random.normal(of_votes, known.votes.shape[:2])
        votes = jnp.einsum("dkl,dl->dk", known.votes, shock).reshape(centre.shape)
        return jnp.maximum(centre + mean - known.middle + votes, 0.0)

    shifts = spread_out(jax.random.fold_in(keys[0], 2), keys.shape[0])  # 0 and 1 are what the key is split into
    tables = jax.lax.map(one, (keys, shifts), batch_size=5)

    def inside(_: Array, tables: Array) -> Array:
        return within(tables, known.rows, known.columns, *bounds)

    # again from there, for the few in a corner of their bounds that did not get to their margins
    return jax.lax.fori_loop(0, 2, inside, tables)


def spread_out(key: Key[Array, ""], number: int) -> Float[Array, " number"]:
    """Draws of Student's t with four degrees of freedom, one from each of `number` equal parts, in random order.

    All contests share a draw's exponent, so that their intervals would otherwise all be off in one direction. The tails
    are heavy because the exponent is known from few elections. The quantile is that of Shaw (2006).
    """
    of_order, of_place = jax.random.split(key)
    at = (jax.random.permutation(of_order, number) + jax.random.uniform(of_place, (number,), float)) / number
    root = jnp.sqrt(jnp.maximum(4.0 * at * (1.0 - at), 1e-12))
    return jnp.sign(at - 0.5) * 2.0 * jnp.sqrt(jnp.cos(jnp.arccos(root) / 3.0) / root - 1.0)


@jax.jit
def _balanced(
    eta: Float[Array, "d r c"], beta: Array, problem: Problem, rows: Array, columns: Array
) -> Float[Array, "d r c"]:
    return balance(in_contests(expected_tables(eta, beta, problem), problem), rows, columns, steps=50, tolerance=1e-6)


_eliminate = jax.jit(eliminate)
