"""How many types: the number of parameters, information criteria, and how sharply voters are told apart."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from electjax.voter_types.em.free import chosen_options
from electjax.voter_types.em.mixture import Types, log_choice, log_joint, log_shares
from electjax.voter_types.em.profiles import Profiles
from electjax.voter_types.em.rows import Rows, block_scores, pattern_tables


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
    office with one option has none. Probabilities that end at the boundary in some types only do count.

    Args:
        profiles: the voters.
        types: K.
        common: all offices share their intercepts.
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
    assert rows.block is not None
    table = log_choice(types, rows.mask, rows.x).reshape(types.gamma.shape[1], -1)
    tables, prior = pattern_tables(table, rows), log_shares(types, rows.design)
    own = lax.map(
        lambda chunk: _uncertainty(block_scores(tables, chunk[0]) + prior[chunk[1]]), (rows.block, rows.group)
    )
    return (rows.weight * own).sum()


def _uncertainty(joint: Array) -> Array:
    log_zeta = jax.nn.log_softmax(joint, axis=-1)
    return -(jnp.exp(log_zeta) * log_zeta).sum(-1)
