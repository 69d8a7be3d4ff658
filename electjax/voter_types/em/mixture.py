"""The mixture of voter types: parameters, observed log-likelihood and E-step (sections 2 to 5).

Symbols as in the source: K types, J offices, options l = 0..L, mu the probabilities of the options when all of an
office's options are on the menu, psi = log mu up to a constant, pi the shares of the types, gamma what they depend
on, zeta a row's posterior probabilities of the types.

Types have an order, by share or by likeness to a reference, since labels carry no meaning. A probability of zero is no
free parameter: the likelihood has its maximum there at the boundary, and no curvature speaks of its error. An option
that nobody could choose, or that nobody chose, is none either. Numbers of types are compared by criteria.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from electjax.voter_types.em.rows import (
    NOTHING,
    Profiles,
    Rows,
    block_scores,
    cell_sums,
    from_patterns,
    pattern_sums,
    pattern_tables,
    table_scores,
)

LOG_ZERO = -100.0  # log of a probability that is zero: no weight of a vote is as small, and its square is a number


class Types(NamedTuple):
    """Parameters of a mixture. `log_mu` has one office only where all offices share their intercepts."""

    gamma: Float[Array, "P K"]  # pi_i = softmax(V_i gamma) (eq. 5.1); with an intercept alone gamma = log pi
    log_mu: Float[Array, "K J O"]  # log probabilities with all options on the menu and covariates x at zero
    delta: Float[Array, "K Q"]  # what the covariates of the options add to psi


class Expected(NamedTuple):
    """What the M-step needs of the E-step."""

    counts: Float[Array, "K J S O"]  # expected votes of each type per office, context and option
    members: Float[Array, "G K"]  # expected voters of each type per covariate row
    log_likelihood: Float[Array, ""]  # observed, without constants, at the parameters that went in


def log_shares(types: Types, design: Array) -> Array:
    """log pi per covariate row, [G, K] (eq. 5.1)."""
    return jax.nn.log_softmax(design @ types.gamma, axis=-1)


def log_choice(types: Types, mask: Array, x: Array) -> Array:
    """log mu_{kjl} renormalised over each context's menu, [K, J, S, O] (eq. 4.6); LOG_ZERO off the menu."""
    psi = jnp.broadcast_to(types.log_mu[:, :, None, :], (len(types.log_mu), *mask.shape))
    psi = psi + jnp.einsum("jsoq,kq->kjso", x, types.delta) if x.shape[-1] else psi
    norm = jax.nn.logsumexp(jnp.where(mask, psi, 4 * LOG_ZERO), axis=-1, keepdims=True)  # off the menu: nothing
    return jnp.where(mask, jnp.maximum(psi - norm, LOG_ZERO), LOG_ZERO)


def _table(types: Types, rows: Rows) -> Array:
    return log_choice(types, rows.mask, rows.x).reshape(types.gamma.shape[1], -1)


def log_joint(types: Types, rows: Rows) -> Array:
    """log Pr(Z = k, Y_u) per row, [K, U] (dense layout)."""
    return table_scores(_table(types, rows), rows) + log_shares(types, rows.design).T[:, rows.group]


def _of_chunks(function: Callable[[Array], Array], types: Types, rows: Rows) -> Array:
    """A function of log Pr(Z = k, Y_u), [U', K], of each chunk of the rows (blocks layout)."""
    tables, prior = pattern_tables(_table(types, rows), rows), log_shares(types, rows.design)
    assert rows.block is not None
    return lax.map(lambda chunk: function(block_scores(tables, chunk[0]) + prior[chunk[1]]), (rows.block, rows.group))


def row_log_likelihood(types: Types, rows: Rows) -> Array:
    """log Pr(Y_u), [U] (the braces of eq. 2.7 and 4.6); with blocks [chunks, U']."""
    if rows.cells is not None:
        return jax.nn.logsumexp(log_joint(types, rows), axis=0)
    return _of_chunks(partial(jax.nn.logsumexp, axis=-1), types, rows)


def log_likelihood(types: Types, rows: Rows) -> Array:
    """Observed log-likelihood sum_u n_u log{...}, without constants (eqs. 2.7, 3.5 with its erratum, 4.6)."""
    return (rows.weight * row_log_likelihood(types, rows)).sum()


def row_posterior(types: Types, rows: Rows) -> Array:
    """zeta per row, [U, K] (eqs. 2.4, 5.4, B.3); with blocks [chunks U', K], the last rows being filling."""
    if rows.cells is not None:
        return jax.nn.softmax(log_joint(types, rows), axis=0).T
    zeta = _of_chunks(jax.nn.softmax, types, rows)
    return zeta.reshape(-1, zeta.shape[-1])


def expect(types: Types, rows: Rows) -> Expected:
    """E-step, reduced at once to the sums that the M-step needs (eqs. 3.1, 5.4, B.3)."""
    shape = (types.gamma.shape[1], *rows.mask.shape)
    one_group = rows.design.shape[0] == 1
    if rows.cells is not None:
        joint = log_joint(types, rows)
        top = joint.max(axis=0)
        scaled = jnp.exp(joint - top)
        total = scaled.sum(axis=0)
        member = scaled * (rows.weight / total)
        members = member.sum(axis=1)[None] if one_group else _by_group(member.T, rows.group, rows)
        fit = (rows.weight * (top + jnp.log(total))).sum()
        return Expected(cell_sums(member, rows).reshape(shape), members, fit)

    tables, prior = pattern_tables(_table(types, rows), rows), log_shares(types, rows.design)

    def step(carry: Expected, chunk: tuple[Array, Array, Array]) -> tuple[Expected, None]:
        block, group, weight = chunk
        joint = block_scores(tables, block) + prior[group]
        top = joint.max(axis=1)
        scaled = jnp.exp(joint - top[:, None])
        total = scaled.sum(axis=1)
        member = scaled * (weight / total)[:, None]
        fit = (weight * (top + jnp.log(total))).sum()
        return Expected(
            carry.counts + pattern_sums(member, block, tables.shape[1]),
            carry.members + member.sum(axis=0) if one_group else carry.members.at[group].add(member),
            carry.log_likelihood + fit,
        ), None

    empty = Expected(jnp.zeros_like(tables), jnp.zeros_like(prior), jnp.zeros((), prior.dtype))
    assert rows.block is not None
    found, _ = lax.scan(step, empty, (rows.block, rows.group, rows.weight))
    return found._replace(counts=from_patterns(found.counts, rows).reshape(shape))


def _by_group(member: Array, group: Array, rows: Rows) -> Array:
    return jax.ops.segment_sum(member, group, num_segments=rows.design.shape[0])


def match_types(types: Types, reference: Types) -> Int[np.ndarray, " K"]:
    """Which of `types` comes closest to each type of the reference: `reorder(types, found)` lines up with it.

    Least total squared distance of mu. Types beyond those of the reference come last, in their own order.
    """
    own, other = (np.exp(np.asarray(each.log_mu)) for each in (types, reference))
    cost = ((other[:, None] - own[None]) ** 2).sum((-1, -2))
    _, column = linear_sum_assignment(cost)
    return np.concatenate([column, np.setdiff1d(np.arange(len(own)), column)])


def reorder(types: Types, permutation: Any) -> Types:
    """The types in another order; the first is the baseline of gamma, whose column of coefficients is zero.

    With an intercept alone gamma stays log pi. Leading axes of the arrays are kept.
    """
    gamma = types.gamma[..., permutation]
    if gamma.shape[-2] > 1:
        gamma = gamma - gamma[..., :1]
    return Types(gamma, types.log_mu[..., permutation, :, :], types.delta[..., permutation, :])


def sample_shares(types: Types, profiles: Profiles) -> Float[np.ndarray, " K"]:
    """Sample average of the voters' pi_i (end of section 5.1); without covariates simply pi."""
    pi = softmax(profiles.design @ np.asarray(types.gamma), axis=-1)
    size = np.bincount(profiles.group, profiles.weight, len(pi))
    return np.asarray(size @ pi / size.sum())


def order_by_share(types: Types, profiles: Profiles) -> Types:
    """The types from the largest to the smallest."""
    return reorder(types, np.argsort(-sample_shares(types, profiles), kind="stable"))


BOUNDARY = 1e-6  # a probability below it counts as zero


class Free(NamedTuple):
    """True where a parameter is free; host arrays. Each type and office has a reference option, pi a baseline type."""

    gamma: np.ndarray  # [P, K]
    log_mu: np.ndarray  # [K, J', O]; J' = 1 where offices share their intercepts
    delta: np.ndarray  # [K, Q]
    reference: np.ndarray  # [K, J'] the likeliest option
    baseline: int
    boundary: np.ndarray  # [K, J', O] probabilities that are zero though they need not be
    empty: np.ndarray  # [K] types without voters


def chosen_options(profiles: Profiles, *, shared: bool = False) -> np.ndarray:
    """The options that are on some menu and have votes, [J', O]."""
    offices, _, options = profiles.mask.shape
    voted = np.zeros((offices, profiles.mask.shape[1] * options), bool)
    row, office = np.nonzero(profiles.code != NOTHING)
    counted = profiles.weight[row] > 0
    voted[office[counted], profiles.code[row[counted], office[counted]]] = True
    found = (voted.reshape(profiles.mask.shape) & profiles.mask).any(1)
    return found.any(0, keepdims=True) if shared else found


def find_free(types: Types, profiles: Profiles) -> Free:
    """The free parameters at a solution."""
    gamma, log_mu, delta = (np.asarray(leaf) for leaf in types)
    offices = profiles.mask.shape[0]
    possible = np.broadcast_to(chosen_options(profiles, shared=log_mu.shape[1] < offices), log_mu.shape)
    shares = sample_shares(types, profiles)
    empty = shares < BOUNDARY
    mu = np.where(possible, np.exp(log_mu), 0.0)
    mu = mu / np.maximum(mu.sum(-1, keepdims=True), 1e-300)
    zero = possible & (mu < BOUNDARY)
    reference = mu.argmax(-1)
    own = possible & ~zero & ~empty[:, None, None]
    own &= np.arange(log_mu.shape[2]) != reference[..., None]
    baseline = int(shares.argmax()) if gamma.shape[0] == 1 else 0
    moves = np.ones(gamma.shape, bool)
    moves[:, baseline] = False
    if gamma.shape[0] == 1:
        moves[0, empty] = False
    effects = np.broadcast_to(~empty[:, None], delta.shape).copy()
    return Free(moves, own, effects, reference, baseline, zero & ~empty[:, None, None], empty)


def labels(free: Free) -> list[tuple[str, int, int, int]]:
    """What each free parameter is, with its indices.

    (gamma, term, type, -1), (psi, type, office, option) or (delta, type, feature, -1).
    """
    gamma = [("gamma", int(p), int(k), -1) for p, k in np.argwhere(free.gamma)]
    psi = [("psi", int(k), int(j), int(o)) for k, j, o in np.argwhere(free.log_mu)]
    return gamma + psi + [("delta", int(k), int(q), -1) for k, q in np.argwhere(free.delta)]


class Criteria(NamedTuple):
    """Smaller is better, but for `entropy`, which is 1 where every voter's type is certain and 0 where none is."""

    aic: float  # Akaike (1974): -2 L + 2 p
    bic: float  # Schwarz (1978): -2 L + p log N
    sabic: float  # Sclove (1987): N replaced by (N + 2) / 24
    caic: float  # Bozdogan (1987): -2 L + p (log N + 1)
    icl: float  # Biernacki, Celeux, Govaert (2000): BIC + 2 x disorder
    awe: float  # Banfield, Raftery (1993): -2 (L - disorder) + 2 p (3 / 2 + log N)
    entropy: float  # Ramaswamy et al. (1993): 1 - disorder / (N log K)


def criteria(log_likelihood: float, parameters: int, voters: float, disorder: float, types: int) -> Criteria:
    """Information criteria of a fit.

    Args:
        log_likelihood: observed, without constants.
        parameters: p, as from `count_parameters`.
        voters: N, the sum of the weights.
        disorder: -sum_i sum_k zeta log zeta, as from `disorder`; 0 with one type.
        types: K.
    """
    deviance, size = -2 * log_likelihood, np.log(voters)
    bic = deviance + parameters * size
    found = (
        deviance + 2 * parameters,
        bic,
        deviance + parameters * np.log((voters + 2) / 24),
        bic + parameters,
        bic + 2 * disorder,
        deviance + 2 * disorder + 2 * parameters * (1.5 + size),
        1 - disorder / (voters * np.log(types)) if types > 1 else 1.0,
    )
    return Criteria(*(float(value) for value in found))


def count_parameters(profiles: Profiles, types: int, *, common: bool = False) -> int:
    """Free parameters of K types: (K - 1) P of gamma, K times those of psi, K Q of delta.

    An option that nobody chose, or that was on nobody's menu, is no parameter: its maximum is at zero in every type.
    Of an office's remaining options psi is free up to a constant for each set of options that the menus link; an
    office with one option has none. Probabilities that end at the boundary in some types only do count. With
    `common` all offices share their intercepts.
    """
    links = _links(profiles)
    if common:
        links = np.asarray(links.any(axis=0))[None]
    office = _free_options(links)
    return (types - 1) * profiles.design.shape[1] + types * (int(office.sum()) + profiles.x.shape[-1])


def _links(profiles: Profiles) -> np.ndarray:
    """Which chosen options of an office are together on a menu that somebody met, [J, O, O]."""
    offices, contexts, options = profiles.mask.shape
    context = profiles.code.astype(np.int64) // options
    seen = (profiles.code >= 0) & (profiles.weight > 0)[:, None]
    cell = np.arange(offices) * contexts + context
    met = np.bincount(cell[seen], minlength=offices * contexts).reshape(offices, contexts) > 0
    on = profiles.mask & met[:, :, None] & chosen_options(profiles)[:, None, :]
    return np.einsum("jso,jsp->jop", on, on, dtype=int) > 0


def _free_options(links: np.ndarray) -> np.ndarray:
    """Options less the sets that hang together, per office."""
    reach = links
    for _ in range(int(np.ceil(np.log2(max(links.shape[-1], 2))))):
        reach = reach | (np.einsum("jop,jpq->joq", reach, reach, dtype=int) > 0)
    there = np.diagonal(links, axis1=1, axis2=2)
    # an option is the first of its set where it reaches none before it
    first = there & ~np.tril(reach, -1).any(axis=-1)
    return (there & ~first).sum(axis=-1)


def disorder(types: Types, rows: Rows) -> Array:
    """-sum_u n_u sum_k zeta log zeta: what is uncertain about the voters' types."""
    if rows.cells is not None:
        return (rows.weight * _uncertainty(log_joint(types, rows).T)).sum()
    return (rows.weight * _of_chunks(_uncertainty, types, rows)).sum()


def _uncertainty(joint: Array) -> Array:
    log_zeta = jax.nn.log_softmax(joint, axis=-1)
    return -(jnp.exp(log_zeta) * log_zeta).sum(-1)
