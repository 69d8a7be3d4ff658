"""Standard errors of a mixture: observed information, sandwich, delta method.

The parameters are those of `free.py`, without what lies at a boundary. Information weighs a row as a count of voters:
with survey weights it takes their sum for the size of the sample, and only the sandwich is right (of independent
voters, or of clusters of them).
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int
from scipy import sparse

from electjax.numerics.covariance import Covariance, delta_errors, inverse_covariance, sandwich
from electjax.voter_types.em.em_map import score, valid
from electjax.voter_types.em.mixture import BOUNDARY, LOG_ZERO, Free, Types, expect, log_choice, log_shares
from electjax.voter_types.em.rows import NOTHING, Profiles, Rows, are_counts
from electjax.voter_types.em.runs import in_batches

KINDS = ("information", "sandwich", "cluster")
NO_MAXIMUM = -1e-6  # scaled curvature at which the likelihood curves upwards, beyond what stopping early explains
HOLD = 1 << 24  # numbers that a batch of tangents, or a chunk of scores, may hold
CLUSTERS = 1 << 18  # pairs of a cluster and a row at a time

Values = Array | np.ndarray


class Averages(NamedTuple):
    """What quantities are averaged over: the sample's covariates and menus, held at what they are."""

    design: Array  # [G, P]
    members: Array  # [G] share of the weight per covariate row
    menus: Array  # [K, J, S] share of the contexts among the expected voters of each type at each office
    mask: Array  # [J, S, O]
    x: Array  # [J, S, O, Q]
    basis: Array  # [P, P] from gamma of the covariates as they are fitted to gamma of those that were given


class Quantities(NamedTuple):
    """What is reported of a mixture, or the standard errors of that."""

    pi: Float[Values, " K"]  # sample average of pi_i
    mu: Float[Values, "K J O"]  # all that is ever on the office's menu, covariates of options at zero; NaN otherwise
    mu_met: Float[Values, "K J O"]  # average over the contexts met (eq. 4.1, zeta in place of Z)
    psi: Float[Values, "K J O"]  # relative to the first option that is ever on the menu
    gamma: Float[Values, "P K"]  # relative to the first type
    delta: Float[Values, "K Q"]


def places(free: Free) -> Int[np.ndarray, " d"]:
    """Where the free parameters lie among all of gamma, log mu and delta.

    A constant added to the log mu of an office changes nothing. Derivatives in the free parameters are therefore
    those in log mu itself at the places of psi, and one program serves whatever is free.
    """
    return np.flatnonzero(np.concatenate([free.gamma.ravel(), free.log_mu.ravel(), free.delta.ravel()]))


def _columns(function: Callable[[Types], Any], types: Types, place: Array, batch: int) -> Array:
    """Columns of the Jacobian of all that `function` returns, for the parameters at these places, [d, M]."""
    flat, unravel = ravel_pytree(types)

    def column(index: Array) -> Array:
        tangent = jax.nn.one_hot(index, flat.size, dtype=flat.dtype)
        return jax.jvp(lambda flat: ravel_pytree(function(unravel(flat)))[0], (flat,), (tangent,))[1]

    return in_batches(column, place, batch)


@partial(jax.jit, static_argnames="batch")
def _information(types: Types, rows: Rows, place: Array, ridge: Array, *, batch: int) -> Array:
    hessian = _columns(lambda own: score(own, rows, ridge), types, place, batch)[:, place]
    return -(hessian + hessian.T) / 2


def _batch(rows: Rows, types: int) -> int:
    widest = max(rows.mask.size, rows.design.shape[0], rows.weight.shape[-1])
    return int(np.clip(HOLD // (4 * widest * types), 1, 64))


def information(types: Types, rows: Rows, free: Free, *, ridge: float = 0.0) -> Float[Array, "d d"]:
    """Observed information: minus the Hessian of the penalised observed log-likelihood in the free parameters."""
    place = places(free)
    if not place.size:
        return jnp.zeros((0, 0))
    batch = _batch(rows, types.gamma.shape[1])
    return _information(types, rows, jnp.asarray(place), jnp.asarray(ridge, float), batch=batch)


@jax.jit
def _scores(types: Types, place: Array, cells: Array, design: Array, mask: Array, x: Array) -> Array:
    def value(own: Types, cell: Array, v: Array) -> Array:
        table = log_choice(own, mask, x).reshape(own.gamma.shape[1], -1)
        # the last column is for cells that say nothing
        joint = jnp.pad(table, ((0, 0), (0, 1)))[:, cell].sum(1) + jax.nn.log_softmax(v @ own.gamma)
        return jax.nn.logsumexp(joint)

    def row(cell: Array, v: Array) -> Array:
        return ravel_pytree(jax.grad(value)(types, cell, v))[0]

    return jax.vmap(row)(cells, design)[:, place]


def row_scores(
    types: Types, profiles: Profiles, free: Free, index: np.ndarray | None = None
) -> Iterator[tuple[slice, Float[np.ndarray, "n d"]]]:
    """Gradients of the log-likelihood of single rows (of one voter each), in chunks, with their places in `index`."""
    place = jnp.asarray(places(free))
    offices, width = profiles.code.shape[1], profiles.mask.shape[1] * profiles.mask.shape[2]
    index = np.arange(len(profiles.code)) if index is None else index
    chunk = int(np.clip(HOLD // (8 * profiles.mask.size * types.gamma.shape[1]), 64, 1 << 14))
    chunk = min(chunk, 1 << max(len(index) - 1, 1).bit_length())  # few shapes, few compilations
    mask, x = jnp.asarray(profiles.mask), jnp.asarray(profiles.x, float)
    for start in range(0, len(index), chunk):
        own = index[start : start + chunk]
        code = profiles.code[own].astype(np.int64)
        cells = np.where(code == NOTHING, offices * width, code + np.arange(offices) * width)
        cells = np.pad(cells, ((0, chunk - len(own)), (0, 0)), constant_values=offices * width)
        design = np.pad(profiles.design[profiles.group[own]], ((0, chunk - len(own)), (0, 0)))
        found = _scores(types, place, jnp.asarray(cells), jnp.asarray(design), mask, x)
        yield slice(start, start + len(own)), np.asarray(found)[: len(own)]


def cluster_pairs(cluster: np.ndarray, inverse: np.ndarray, weight: np.ndarray | None = None) -> sparse.csr_matrix:
    """Weight that each cluster of voters has in each row, [C, U].

    Args:
        cluster: [N] label of each voter's cluster.
        inverse: [N] row each voter belongs to.
        weight: [N] weights; one each by default.
    """
    names, number = np.unique(cluster, return_inverse=True)
    weight = np.ones(len(inverse)) if weight is None else np.asarray(weight, float)
    shape = (len(names), int(inverse.max()) + 1)
    return sparse.coo_matrix((weight, (number.reshape(-1), inverse)), shape=shape).tocsr()


def meat(
    types: Types, profiles: Profiles, free: Free, clusters: sparse.csr_matrix | None = None
) -> Float[np.ndarray, "d d"]:
    """Variance of the sum of the scores, of independent voters or of independent clusters of them.

    sum_i w_i^2 s_i s_i' times N / (N - 1), or sum_c S_c S_c' times C / (C - 1) with S_c = sum of w_i s_i over the
    cluster (`cluster_pairs`). Weights that are all whole numbers are counts of voters.
    """
    size = len(places(free))
    total = np.zeros((size, size))
    if clusters is None:
        square = profiles.weight if are_counts(profiles) else profiles.square
        for part, scores in row_scores(types, profiles, free):
            total += scores.T @ (square[part, None] * scores)
        number = voters_of(profiles)
        return total * number / max(number - 1, 1)
    number = clusters.shape[0]
    # as many clusters at a time as have so many pairs; their sums are [clusters, d]
    edges = np.searchsorted(clusters.indptr, np.arange(0, clusters.nnz, CLUSTERS))
    bounds = np.unique([*edges, *range(0, number, max(1, HOLD // max(size, 1))), number])
    for first, last in pairwise(bounds):
        own = clusters[first:last]
        index = np.unique(own.indices)
        own = own[:, index].tocsc()
        sums = np.zeros((last - first, size))
        for part, scores in row_scores(types, profiles, free, index):
            sums += own[:, part] @ scores
        total += sums.T @ sums
    return total * number / max(number - 1, 1)


def voters_of(profiles: Profiles) -> float:
    """How many voters the rows stand for."""
    return float((profiles.weight if are_counts(profiles) else profiles.voters).sum())


def covariance(
    types: Types,
    rows: Rows,
    profiles: Profiles,
    free: Free,
    *,
    kind: str = "information",
    clusters: sparse.csr_matrix | None = None,
    ridge: float = 0.0,
) -> Covariance:
    """Covariance of the free parameters by the inverse information, or the sandwich around `meat`.

    Where the information is singular, a generalised inverse stands in for the inverse. It is right for whatever the
    flat directions do not change; `delta_method` gives the rest no standard error.

    Raises:
        ValueError: the kind is none of KINDS, or it is "cluster" and there are no clusters.
    """
    if kind not in KINDS or (kind == "cluster" and clusters is None):
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}, or the clusters of the voters are not given")
    curve = np.asarray(information(types, rows, free, ridge=ridge))
    bread = inverse_covariance(curve)
    if kind == "information":
        return bread
    return sandwich(bread, meat(types, profiles, free, clusters if kind == "cluster" else None))


def delta_method(function: Callable[..., Any], types: Types, free: Free, found: Covariance, *given: Any) -> Any:
    """Standard errors of `function(types, *given)`, in the same shape.

    NaN for a value that no free parameter changes, and for one that moves along a flat direction.
    """
    place = places(free)
    leaves, tree = jax.tree.flatten(jax.eval_shape(function, types, *given))
    sizes = [leaf.size for leaf in leaves]
    error = np.full(sum(sizes), np.nan)
    if place.size:
        widest = max([len(error), *(leaf.size for leaf in jax.tree.leaves(given))]) * types.gamma.shape[1]
        batch = int(np.clip(HOLD // widest, 1, 64))
        jacobian = np.asarray(_jacobian(types, jnp.asarray(place), given, function=function, batch=batch)).T
        constant = ~jacobian.any(axis=1)
        error = np.where(constant, np.nan, delta_errors(jacobian, found))
    parts = np.split(error, np.cumsum(sizes)[:-1])
    shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(tree, shaped)


@partial(jax.jit, static_argnames=("function", "batch"))
def _jacobian(types: Types, place: Array, given: tuple[Any, ...], *, function: Callable[..., Any], batch: int) -> Array:
    return _columns(lambda own: function(valid(own), *given), types, place, batch)


@jax.jit
def averages(types: Types, rows: Rows, basis: Any = None) -> Averages:
    """The sample's covariates, and its menus as each type meets them; `basis` is that of `standardise`."""
    basis = jnp.eye(rows.design.shape[1]) if basis is None else jnp.asarray(basis)
    found = expect(types, rows)
    members, size = found.members.sum(1), found.counts.sum(-1)
    total = size.sum(-1, keepdims=True)
    menus = jnp.where(total > 0, size / jnp.where(total > 0, total, 1.0), 0.0)
    return Averages(rows.design, members / members.sum(), menus, rows.mask, rows.x, basis)


@jax.jit
def quantities(types: Types, over: Averages) -> Quantities:
    """What is reported of a mixture."""
    ever = over.mask.any(1)
    shape = (types.log_mu.shape[0], *ever.shape)
    log_mu = jax.nn.log_softmax(jnp.where(ever, types.log_mu, 4 * LOG_ZERO), axis=-1)
    first = jnp.broadcast_to(ever.argmax(-1)[None, :, None], (*shape[:2], 1))
    met = jnp.einsum("kjs,kjso->kjo", over.menus, jnp.exp(log_choice(types, over.mask, over.x)) * over.mask)
    voted = over.menus.sum(-1, keepdims=True) > 0
    gamma = over.basis @ (types.gamma - types.gamma[:, :1])
    return Quantities(
        pi=over.members @ jnp.exp(log_shares(types, over.design)),
        mu=jnp.where(ever, jnp.exp(log_mu), jnp.nan),
        mu_met=jnp.where(ever & voted, met, jnp.nan),
        psi=jnp.where(ever, log_mu - jnp.take_along_axis(log_mu, first, axis=-1), jnp.nan),
        gamma=gamma,
        delta=types.delta,
    )


def standard_errors(types: Types, rows: Rows, free: Free, found: Covariance, *, basis: Any = None) -> Quantities:
    """Standard errors of `quantities`, by the delta method; menus and covariates are held at what they are.

    NaN at a boundary (a probability within `BOUNDARY` of 0 or 1 and its psi, a type of such a share), for what is
    constant (a baseline), and for what the data do not identify.
    """
    over = averages(types, rows, basis)
    value = jax.tree.map(np.asarray, quantities(types, over))
    error = delta_method(quantities, types, free, found, over)

    def inside(chance: np.ndarray) -> np.ndarray:
        return (chance > BOUNDARY) & (chance < 1 - BOUNDARY)

    here, first = inside(value.pi), np.asarray(rows.mask).any(1).argmax(-1)
    base = np.take_along_axis(value.mu, np.broadcast_to(first[:, None], (*value.mu.shape[:2], 1)), axis=-1)
    alone = here.size == 1  # the share of an only type is no parameter
    keep = Quantities(
        pi=here,
        mu=inside(value.mu),
        mu_met=inside(value.mu_met),
        psi=inside(value.mu) & inside(base),
        gamma=np.broadcast_to(here, value.gamma.shape),
        delta=np.broadcast_to((here | alone)[:, None], value.delta.shape),
    )
    return jax.tree.map(lambda own, se: np.where(own, se, np.nan), keep, error)
