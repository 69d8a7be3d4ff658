"""Does the model describe the votes: tables of whole ballots, and of two offices at a time, against what it expects.

Menus, missing votes and covariates are taken as given. Voters who share them (the same offices on the ballot with the
same menus, the same votes missing, the same covariates) make a table of their own, and the model's frequencies are
those within it. So a model is also blamed where votes are not missing completely at random.
"""

from operator import itemgetter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from scipy.sparse import csr_array
from scipy.special import chdtrc, softmax, xlogy

from electjax.voter_types.em.mixture import Types, chosen_options, log_choice, row_log_likelihood
from electjax.voter_types.em.rows import NOTHING, Profiles, Rows, contexts_of, row_labels
from electjax.voter_types.em.runs import best_fits, inside
from electjax.voter_types.em.simulate import expand, in_stacks, one_set, simulate_profiles

_row_log_likelihood = jax.jit(row_log_likelihood)


class TableFit(NamedTuple):
    """The model against the saturated model: a free frequency for every possible ballot of every table."""

    g2: float  # likelihood ratio, 2 sum n log(n / e)
    x2: float  # Pearson, sum (n - e)^2 / e over all ballots, also those nobody cast
    df: float  # possible ballots, less one per table, less the parameters
    p_g2: float  # of the chi-square distribution, which holds where the expected frequencies are not small
    p_x2: float
    tables: int
    sparse: float  # share of the observed ballots whose expected frequency is below 5
    expected: Float[np.ndarray, " U"]  # frequency of each row
    residual: Float[np.ndarray, " U"]  # (n - e) / sqrt(e)


class PairFit(NamedTuple):
    """Two-way tables under the model. Offices that no voter had both of have df 0 and no residual."""

    observed: Float[np.ndarray, "J O J O"]
    expected: Float[np.ndarray, "J O J O"]
    x2: Float[np.ndarray, "J J"]  # Pearson, summed over the tables of the menus that occur together
    df: Float[np.ndarray, "J J"]  # (rows - 1) (columns - 1), summed
    residual: Float[np.ndarray, "J J"]  # x2 / df, near 1 where the types explain what the offices have in common


class Replicates(NamedTuple):
    """The statistics of data sets that were drawn from the fit and fitted anew; the leading axis counts them."""

    g2: Float[np.ndarray, " B"]
    x2: Float[np.ndarray, " B"]
    pairs: Float[np.ndarray, "B J J"]  # Pearson statistic of the two-way tables
    converged: Float[np.ndarray, " B"]


def table_fit(types: Types, profiles: Profiles, rows: Rows, parameters: int) -> TableFit:
    """G2 and X2 of the fit. Call it under `jax.enable_x64`.

    Options that nobody chose are no part of the tables. Without missing votes, menus and covariates there is one
    table, and these are the usual statistics. `rows` are the profiles as laid out; rows beyond theirs are ignored.
    """
    context = contexts_of(profiles)
    table = row_labels(np.column_stack([context, profiles.group]))
    size = np.bincount(table, profiles.weight)
    first = np.unique(table, return_index=True)[1]
    chance = np.exp(np.asarray(_row_log_likelihood(types, rows)).reshape(-1)[: len(table)])
    count, expected = profiles.weight, size[table] * chance

    possible = (profiles.mask & chosen_options(profiles)[:, None]).sum(axis=2)
    offices = np.arange(profiles.mask.shape[0])
    held = context[first]
    cells = np.prod(np.where(held == NOTHING, 1.0, possible[offices, np.maximum(held, 0)]), axis=1)
    df = float(cells[size > 0].sum() - (size > 0).sum() - parameters)

    floor = np.maximum(expected, 1e-300)
    g2 = 2 * float((xlogy(count, count) - xlogy(count, floor)).sum())
    x2 = float(((count - expected) ** 2 / floor).sum() + (size.sum() - expected.sum()))
    return TableFit(
        g2=g2,
        x2=x2,
        df=df,
        p_g2=_tail(df, g2),
        p_x2=_tail(df, x2),
        tables=int((size > 0).sum()),
        sparse=float((expected < 5).mean()),
        expected=expected,
        residual=(count - expected) / np.sqrt(floor),
    )


def pair_fit(types: Types, profiles: Profiles) -> PairFit:
    """Bivariate residuals (Vermunt and Magidson 2005; Oberski, van Kollenburg and Vermunt 2013).

    A pair of offices is judged by the voters who voted in both, one table per pair of menus. With weights the
    statistics are those of the weighted frequencies. Call it under `jax.enable_x64`.
    """
    offices, contexts, options = profiles.mask.shape
    width = contexts * options
    chance = np.exp(np.asarray(log_choice(types, jnp.asarray(profiles.mask), jnp.asarray(profiles.x))))
    chance = np.where(profiles.mask, chance, 0.0)  # [K, J, S, O]

    shape = (offices, contexts, options, offices, contexts, options)
    observed = _together(profiles.code, profiles.weight, width).reshape(shape)
    held = contexts_of(profiles)
    expected = np.zeros(shape)
    member = softmax(profiles.design @ np.asarray(types.gamma), axis=-1)[profiles.group]  # [U, K]
    for share, own in zip(member.T, chance, strict=True):
        met = _together(held, profiles.weight * share, contexts).reshape(offices, contexts, offices, contexts)
        expected += np.einsum("jsht,jso,htp->jsohtp", met, own, own, optimize=True)

    possible = (profiles.mask & chosen_options(profiles)[:, None]).sum(axis=2)  # [J, S]
    free = np.maximum(possible - 1, 0)
    tables = observed.sum(axis=(2, 5)) > 0  # [J, S, J, S]
    judged = tables & (free[:, :, None, None] * free > 0)
    part = np.where(expected > 0, (observed - expected) ** 2 / np.where(expected > 0, expected, 1.0), 0.0)
    part = np.where((observed > 0) & (expected <= 0), np.inf, part)
    x2 = np.where(judged, part.sum(axis=(2, 5)), 0.0).sum(axis=(1, 3))
    df = np.where(judged, free[:, :, None, None] * free, 0).sum(axis=(1, 3)).astype(float)
    np.fill_diagonal(x2, 0.0)
    np.fill_diagonal(df, 0.0)
    residual = np.divide(x2, df, out=np.full_like(x2, np.nan), where=df > 0)
    return PairFit(observed.sum(axis=(1, 4)), expected.sum(axis=(1, 4)), x2, df, residual)


def bootstrap_fit(
    key: Array, types: Types, profiles: Profiles, *, replicates: int = 100, ridge: float = 0.0
) -> Replicates:
    """What G2, X2 and the statistics of the pairs would be if the model held: a parametric bootstrap.

    Tables of ballots are mostly empty, and the statistics of the pairs follow no chi-square distribution even where
    they are not (Oberski, van Kollenburg and Vermunt 2013); p-values from these data sets need neither. Data set b
    depends on the key and on b alone, and is fitted from the estimate. Call it under `jax.enable_x64`.
    """
    voters = expand(profiles)
    data = [simulate_profiles(jax.random.fold_in(key, b), types, profiles, voters) for b in range(replicates)]
    parts = []
    for index, rows in in_stacks(data):
        start = inside(types, rows)
        fits = best_fits([start] * len(index), rows, ridge=ridge)
        for b in np.unique(index):
            at = int(np.argmax(index == b))
            own = jax.tree.map(itemgetter(at), fits.types)
            whole = table_fit(own, data[b], one_set(rows, at), 0)
            parts.append((whole.g2, whole.x2, pair_fit(own, data[b]).x2, fits.converged[at]))
    return Replicates(*(np.stack(each) for each in zip(*parts, strict=True)))


def bootstrap_p(value: np.ndarray | float, replicates: np.ndarray) -> np.ndarray:
    """(1 + #{replicates >= value}) / (B + 1), over the leading axis."""
    return np.asarray((1 + (replicates >= value).sum(axis=0)) / (len(replicates) + 1))


def _together(code: np.ndarray, weight: np.ndarray, width: int) -> np.ndarray:
    """Weight of the rows in each pair of cells, [J * width, J * width]; a row takes J entries, not J * width."""
    rows, offices = code.shape
    seen = code != NOTHING
    column = (np.arange(offices) * width + code)[seen]
    start = np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    shape = (rows, offices * width)
    cells = csr_array((np.ones(len(column)), column, start), shape=shape)
    heavy = csr_array((np.repeat(weight, seen.sum(axis=1)), column, start), shape=shape)
    return np.asarray((cells.T @ heavy).toarray())


def _tail(df: float, value: float) -> float:
    """Upper tail of the chi-square distribution; not a number where there are no degrees of freedom left."""
    return float(chdtrc(df, value)) if 0 < df < np.inf else float("nan")
