"""The mixture of voter types: parameters, observed log-likelihood and E-step (sections 2 to 5).

Symbols as in the source: K types, J offices, options l = 0..L, mu the probabilities of the options when all of an
office's options are on the menu, psi = log mu up to a constant, pi the shares of the types, gamma what they depend
on, zeta a row's posterior probabilities of the types.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from electjax.voter_types.em.rows import (
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


def row_log_likelihood(types: Types, rows: Rows) -> Array:
    """log Pr(Y_u), [U] (the braces of eq. 2.7 and 4.6); with blocks [chunks, U']."""
    if rows.cells is not None:
        return jax.nn.logsumexp(log_joint(types, rows), axis=0)
    tables, prior = pattern_tables(_table(types, rows), rows), log_shares(types, rows.design)
    assert rows.block is not None
    return lax.map(
        lambda chunk: jax.nn.logsumexp(block_scores(tables, chunk[0]) + prior[chunk[1]], axis=-1),
        (rows.block, rows.group),
    )


def log_likelihood(types: Types, rows: Rows) -> Array:
    """Observed log-likelihood sum_u n_u log{...}, without constants (eqs. 2.7, 3.5 with its erratum, 4.6)."""
    return (rows.weight * row_log_likelihood(types, rows)).sum()


def row_posterior(types: Types, rows: Rows) -> Array:
    """zeta per row, [U, K] (eqs. 2.4, 5.4, B.3); with blocks [chunks U', K], the last rows being filling."""
    if rows.cells is not None:
        return jax.nn.softmax(log_joint(types, rows), axis=0).T
    tables, prior = pattern_tables(_table(types, rows), rows), log_shares(types, rows.design)
    zeta = lax.map(
        lambda chunk: jax.nn.softmax(block_scores(tables, chunk[0]) + prior[chunk[1]], axis=-1),
        (rows.block, rows.group),
    )
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
