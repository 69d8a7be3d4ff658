"""How sure a CALM fit is: Laplace and sandwich covariances, the delta method, and draws.

The information about the shared parameters has the booth effects eliminated (`estimate.Information`), so that its
inverse is their marginal covariance in the Laplace approximation; a booth's own effects are normal given the shared
parameters. Where the information is singular (the gauge of the two-tower term; coefficients without a penalty that the
data do not tell apart) a generalised inverse stands in, and what moves along a flat direction has no standard error.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from electjax.calm.model.affinity import Standard, combined_kernel, standardise
from electjax.calm.model.design import Design, Shared
from electjax.calm.model.estimate import Information
from electjax.calm.model.heads import contrast
from electjax.calm.model.problem import Problem, blank, cells
from electjax.numerics.arrow import Point
from electjax.numerics.covariance import Covariance, delta_errors, inverse_covariance, inverse_root
from electjax.numerics.laplace import Laplace, given_shared

FEW_CLUSTERS = 20  # below this many the sandwich is too sure of itself
PERCENT = 100.0


class Reported(NamedTuple):
    """The shared parameters as they are reported, or their standard errors; None where the design has no such term.

    Attributes:
        alpha, beta_T [f+q], xi: as they are.
        gamma, beta_P: of all parties, [k] and [f+q, k].
        eta: [d], or [k, d] per party, per standard deviation of g.
        eta_raw: per unit of g, eta / sd; NaN where g does not vary.
        eta_pp: average change of a party's share in percentage points if its g is one standard deviation higher.
        boost: of a full match, eta (m - mean) / sd with m the largest proximity of a category to itself, 1 but for a
            proximity matrix that says otherwise; NaN for a scalar, and where g is projected, so that a match is worth
            something else in every cell and party.
        eta_constituency: of each constituency, [a, d].
        tower: U [f, z], whatever its factors.
        effect_T, effect_P: of constituencies, [a] and [a, k].
        rho_T, rho_P: correlation of two electors of a booth.
    """

    alpha: Any
    beta_T: Any
    gamma: Any
    beta_P: Any
    eta: Any = None
    eta_raw: Any = None
    eta_pp: Any = None
    boost: Any = None
    eta_constituency: Any = None
    tower: Any = None
    xi: Any = None
    effect_T: Any = None
    effect_P: Any = None
    rho_T: Any = None
    rho_P: Any = None


# ------------------------------------------------------------------------------------ covariances


def laplace_covariance(information: Information) -> Covariance:
    """The inverse of the information, booth effects eliminated: covariance of the shared parameters.

    It is that of the penalised likelihood, lambda |v|^2 being a normal prior of variance 1 / (2 lambda).
    """
    return inverse_covariance(np.asarray(information.shared))


def sandwich_covariance(information: Information, clusters: Int[np.ndarray, " i"]) -> Covariance:
    """H^-1 (G / (G - 1) sum_c S_c S_c') H^-1 with S_c the sum of the scores of a cluster's booths.

    Right, for many clusters, whatever the variance of a booth's totals and however those of a cluster hang together.
    Penalties are taken as given.

    That holds for parameters that several clusters tell of. One that a single cluster tells of, such as the effect of
    a constituency or its own eta, sets this cluster's score to 0 with its penalty and would seem to be known without
    error. Such parameters v are eliminated as booth effects are: with H the information, s the others, K the inverse
    of their Schur complement and P = (1, -H_vv^-1 H_vs)', the covariance is H_vv^-1 for v alone, the Laplace
    approximation given s, plus P (K G / (G - 1) sum_c S_cs S_cs' K) P'. So a constituency's level, intercept and
    effect together, is as sure as the likelihood says; the intercept is as sure as the effects scatter, not as their
    penalty would have it.

    Args:
        information: at the solution.
        clusters: of each booth, such as its constituency; booths without a score (of weight 0) are of none.

    Raises:
        ValueError: fewer than two clusters.
    """
    scores = np.asarray(information.scores, dtype=np.float64)[: len(clusters)]
    counts = scores.any(axis=1)
    _, place = np.unique(np.asarray(clusters)[counts], return_inverse=True)
    number = int(place.max(initial=-1)) + 1
    if number < 2:
        raise ValueError(
            f"sandwich errors: {number} constituency with votes; expected at least 2 to see how much they scatter:"
            " use laplace"
        )
    scores, place = scores[counts], place.reshape(-1)
    sums, told = np.zeros((2, number, scores.shape[1]))
    np.add.at(sums, place, scores)
    # told by booths, not by their sum, which may be 0 where it matters; a real score is no rounding of the largest
    np.add.at(told, place, np.abs(scores) > 1e-12 * np.abs(scores).max(axis=0))
    alone = (told > 0).sum(axis=0) < 2
    bread, curve = laplace_covariance(information), np.asarray(information.shared, dtype=np.float64)
    inner = inverse_root(curve[np.ix_(alone, alone)]).root
    ties = inner @ (inner.T @ curve[np.ix_(alone, ~alone)])
    outer = inverse_root(curve[np.ix_(~alone, ~alone)] - curve[np.ix_(~alone, alone)] @ ties).root
    moved = outer @ (outer.T @ sums[:, ~alone].T) * np.sqrt(number / (number - 1))
    root = np.zeros((len(curve), number + len(inner)))
    root[~alone, :number] = moved
    root[alone, :number] = -ties @ moved
    root[alone, number:] = inner
    # a square root of the same matrix, so that draws take one form
    left, size, _ = np.linalg.svd(root, full_matrices=False)
    square = np.zeros_like(curve)
    square[:, : len(size)] = left * size
    return bread._replace(matrix=root @ root.T, root=square)


def booth_covariance(information: Information, covariance: Covariance) -> Float[Array, "i q q"]:
    """Covariance of each booth's effects: given the shared parameters, plus what these do not know."""
    ties, spread = given_shared(information.border, information.groups)
    moved = ties @ jnp.asarray(covariance.root)
    return spread @ jnp.swapaxes(spread, 1, 2) + moved @ jnp.swapaxes(moved, 1, 2)


def booth_errors(information: Information, covariance: Covariance, design: Design, parties: int) -> tuple[Array, Array]:
    """Standard errors of b_T [i] and of b_P of all parties [i, k]."""
    matrix = booth_covariance(information, covariance)
    basis = contrast(parties, design.identification)
    of_P = jnp.einsum("kh,ihg,kg->ik", basis, matrix[:, 1:, 1:], basis)
    return jnp.sqrt(matrix[:, 0, 0]), jnp.sqrt(jnp.maximum(of_P, 0.0))


# ------------------------------------------------------------------------------------ delta method


def reported_errors(
    vector: Float[Array, " p"],
    problem: Problem,
    design: Design,
    covariance: Covariance,
    middle: tuple[Point, Problem] | None = None,
) -> Reported:
    """Standard errors of `reported`; compiled once per design and shapes."""
    value, jacobian = _reported_jacobian(vector, problem, middle, design)
    return cast(Reported, errors_of(value, jacobian, covariance))


@partial(jax.jit, static_argnames="design")
def _reported_jacobian(
    vector: Array, problem: Problem, middle: tuple[Point, Problem] | None, design: Design
) -> tuple[Any, Array]:
    return with_jacobian(lambda v: reported(v, problem, design, middle), vector)


def errors_of(found: Any, jacobian: Float[Array, "m p"], covariance: Covariance) -> Any:
    """Standard errors of what was found, in the same shape, as numpy arrays.

    0 for what no parameter changes, NaN where the value is NaN or moves along a flat direction.
    """
    value, slopes = np.asarray(ravel_pytree(found)[0]), np.asarray(jacobian)
    error = delta_errors(slopes, covariance)
    error = np.where(np.isnan(value), np.nan, error)
    leaves, tree = jax.tree.flatten(found)
    parts = np.split(error, np.cumsum([leaf.size for leaf in leaves])[:-1])
    return jax.tree.unflatten(tree, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])


def with_jacobian(function: Callable[[Array], Any], vector: Float[Array, " p"]) -> tuple[Any, Float[Array, "m p"]]:
    """What a function of the flat shared parameters gives, and its derivatives, some at a time."""
    flat, back = jax.vjp(lambda v: ravel_pytree(function(v))[0], vector)
    rows = jax.lax.map(lambda m: back(jax.nn.one_hot(m, flat.size))[0], jnp.arange(flat.size), batch_size=16)
    return function(vector), rows


@partial(jax.jit, static_argnames="design")
def reported(
    vector: Float[Array, " p"], problem: Problem, design: Design, middle: tuple[Point, Problem] | None = None
) -> Reported:
    """The reported parameters as a function of the flat ones, to be read and to be differentiated.

    Args:
        middle: `unseen.constituencies`, whose cells eta_pp is measured in; by default there is no eta_pp.
    """
    own: Shared = ravel_pytree(blank(problem, design))[1](vector)
    basis = contrast(problem.frame.fielded.shape[1], design.identification)
    found = Reported(own.alpha, own.beta_T, basis @ own.gamma, own.beta_P @ basis.T, xi=own.xi)
    if own.eta is not None:
        standard: Standard = problem.affinity.standard
        varies = jnp.asarray(standard.sd) > 0
        raw = jnp.where(varies, own.eta / jnp.where(varies, standard.sd, 1.0), jnp.nan)
        found = found._replace(eta=own.eta, eta_raw=raw, boost=own.eta * _full_match(problem))
        if own.eta_constituency is not None:
            found = found._replace(eta_constituency=own.eta + own.eta_constituency)
        if middle is not None:
            each = own.eta[None] if own.eta_constituency is None else (own.eta + own.eta_constituency)[:, None]
            found = found._replace(eta_pp=_percentage_points(each, vector, middle, design))
    if own.left is not None and own.right is not None:
        found = found._replace(tower=own.left @ own.right.T)
    if own.effect_T is not None and own.effect_P is not None:
        found = found._replace(effect_T=own.effect_T, effect_P=own.effect_P @ basis.T)
    if own.dispersion is not None:
        rho_T, rho_P = jax.nn.sigmoid(own.dispersion)
        found = found._replace(rho_T=rho_T, rho_P=rho_P)
    return found


def _full_match(problem: Problem) -> Float[Array, " d"]:
    frame, standard = problem.frame, problem.affinity.standard
    if standard.projection is not None:
        return jnp.full(standard.mean.shape, jnp.nan)
    own = jnp.diagonal(combined_kernel(frame, problem.hyper.rho), axis1=1, axis2=2).max(axis=1)
    return jnp.where(frame.scalar, jnp.nan, standardise(own, standard))


def average_effect(
    eta: Float[Array, "a k d"], choice: Float[Array, "a c k"], voters: Float[Array, "a c"]
) -> tuple[Float[Array, " d"], Float[Array, "k d"]]:
    """Percentage points that a party gains if its own g is one standard deviation higher (section 8), over all voters.

    A party with the share theta of a cell comes to the share that has logit theta + eta there. The mean over the voters
    and the parties that stand; and each party's own.
    """
    stands = choice > 0
    logit = jnp.log(jnp.where(stands, choice, 0.5)) - jnp.log1p(-jnp.where(stands, choice, 0.5))
    gain = jax.nn.sigmoid(logit[..., None] + eta[:, None]) - jnp.where(stands, choice, 0.5)[..., None]
    weight = (stands * voters[:, :, None])[..., None]
    summed, total = (weight * gain).sum(axis=(0, 1)), weight.sum(axis=(0, 1))
    each = summed / jnp.maximum(total, 1e-30)
    return PERCENT * summed.sum(axis=0) / jnp.maximum(total.sum(axis=0), 1e-30), PERCENT * each


def _percentage_points(eta: Array, vector: Array, middle: tuple[Point, Problem], design: Design) -> Array:
    point, problem = middle
    found = cells(point._replace(shared=vector), problem, design)
    areas, parties = problem.frame.fielded.shape
    spread = jnp.broadcast_to(eta, (areas, parties, eta.shape[-1]))
    voters = jnp.asarray(problem.frame.electors) * found.pi[:areas]
    mean, each = average_effect(spread, found.theta[:areas], voters)
    return each if design.affinity == "party" else mean


# ------------------------------------------------------------------------------------ draws


def laplace(point: Point, information: Information, covariance: Covariance) -> Laplace:
    """The posterior's normal approximation around a point; `covariance` may be another than its own inverse."""
    return Laplace(point, jnp.asarray(covariance.root), *given_shared(information.border, information.groups))
