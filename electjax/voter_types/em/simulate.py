"""Votes drawn from a mixture, at given menus and covariates: the model of sections 1 to 5 run forwards.

Replicates of a data set are stacked, to be fitted side by side.

Voter i's draws depend on the key and on i alone, whatever the size of the chunks.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int

from electjax.numerics.random import random_bits, threefry_key
from electjax.voter_types.em.mixture import Types, log_choice, log_shares
from electjax.voter_types.em.rows import NOTHING, PATTERNS, Profiles, Rows, are_counts, combine, contexts_of, stacked

CHUNK = 1 << 16  # voters drawn at a time


class Voters(NamedTuple):
    """What is given of every voter before they vote."""

    group: np.ndarray  # [N] row of the covariates
    context: np.ndarray  # [N, J] context of each office, NOTHING where no vote is drawn
    weight: np.ndarray  # [N]


def simulate_choices(
    key: Array,
    types: Types,
    context: Any,
    mask: Any,
    *,
    x: Any = None,
    design: Any = None,
    group: Any = None,
    first: int = 0,
) -> tuple[Int[np.ndarray, "N J"], Int[np.ndarray, " N"]]:
    """Draw every voter's type (eq. 5.1) and votes (section 4.2). Call it under `jax.enable_x64`.

    Args:
        key: every voter takes draws of their own from it.
        types: the mixture.
        context: [N, J] context of each office (a menu), negative where the office is not on the ballot.
        mask: [J, S, O] options of each context.
        x: [J, S, O, Q] covariates of the options.
        design: [N, P] covariates of the voters, the intercept first; or [G, P], of which `group` [N] takes rows.
        group: [N] row of `design`; all voters share one row, or have one each, without it.
        first: number of the first voter, for voters that come in parts.

    Returns:
        Options chosen, [N, J], -1 where the office is not on the ballot; the voters' types, [N].
    """
    context = np.asarray(context)
    number, offices = context.shape
    design = np.ones((1, 1)) if design is None else np.asarray(design, float)
    if group is None:
        group = np.arange(number) if len(design) == number else np.zeros(number)
    x = np.zeros((*np.shape(mask), 0)) if x is None else x
    key, tables = threefry_key(key), vote_tables(types, jnp.asarray(design), jnp.asarray(mask), jnp.asarray(x))
    choice = np.empty((number, offices), _codes(np.shape(mask)[2]))
    member = np.empty(number, _codes(len(tables.choice)))
    size = min(CHUNK, number)
    lane, group = np.arange(size, dtype=np.int32), np.asarray(group, np.int32)
    for start in range(0, number, size):
        part = slice(start, min(start + size, number))
        short = start + size - part.stop
        own = np.pad(context[part], ((0, short), (0, 0)), constant_values=NOTHING)
        drawn = draw_votes(key, tables, lane + np.int32(first + start), np.pad(group[part], (0, short)), own)
        choice[part], member[part] = (np.asarray(each)[: size - short] for each in drawn)
    return choice, member


class VoteTables(NamedTuple):
    """Cumulative probabilities to draw from."""

    shares: Array  # [G, K]
    choice: Array  # [K, J, S, O]


@jax.jit
def vote_tables(types: Types, design: Array, mask: Array, x: Array) -> VoteTables:
    """Cumulative pi per covariate row and mu per context; an option off the menu adds nothing."""
    chance = jnp.where(mask, jnp.exp(log_choice(types, mask, x)), 0.0)
    return VoteTables(_cumulate(jnp.exp(log_shares(types, design))), _cumulate(chance))


@jax.jit
def draw_votes(key: Array, tables: VoteTables, voter: Array, group: Array, context: Array) -> tuple[Array, Array]:
    """Votes [N, J] and types [N] of the voters with these numbers, by inversion with one uniform each."""
    offices, contexts, options = tables.choice.shape[1:]
    bits = random_bits(key, voter, offices + 1)
    uniform = (bits.astype(float) + 0.5) * 2.0**-32
    member = (uniform[0][:, None] >= tables.shares[group]).sum(1)
    cell = (member[:, None] * offices + jnp.arange(offices)) * contexts + context
    bounds = tables.choice.reshape(-1, options)
    # the last bound is 1: nobody is beyond it
    chosen = sum((bounds[:, option][cell] <= uniform[1:].T).astype(int) for option in range(options - 1))
    return jnp.where(context >= 0, chosen, NOTHING), member


def _cumulate(chance: Array) -> Array:
    total = jnp.cumsum(chance, axis=-1)
    return total / jnp.where(total[..., -1:] > 0, total[..., -1:], 1.0)


def _codes(number: int) -> type[np.signedinteger]:
    return np.int8 if number <= 127 else np.int16


def expand(profiles: Profiles) -> Voters:
    """The voters behind collapsed rows.

    Weights that are whole numbers are counts: a row stands for so many voters of weight 1. Otherwise every voter
    of a row keeps the row's average weight. A vote that is missing stays so.
    """
    whole = are_counts(profiles)
    times = (profiles.weight if whole else profiles.voters).astype(np.int64)
    each = np.ones(len(times)) if whole else profiles.weight / np.maximum(profiles.voters, 1)
    return Voters(*(np.repeat(part, times, axis=0) for part in (profiles.group, contexts_of(profiles), each)))


def simulate_profiles(key: Array, types: Types, profiles: Profiles, voters: Voters) -> Profiles:
    """Profiles of new votes of the same voters (`expand(profiles)`): a replicate of the parametric bootstrap."""
    choice, _ = simulate_choices(
        key, types, voters.context, profiles.mask, x=profiles.x, design=profiles.design, group=voters.group
    )
    options = profiles.mask.shape[2]
    code = np.where(voters.context >= 0, voters.context * options + choice, NOTHING).astype(profiles.code.dtype)
    one = np.ones(len(code), profiles.voters.dtype)
    new = profiles._replace(code=code, weight=voters.weight, square=voters.weight**2, voters=one, group=voters.group)
    return combine([new])


HOLD = 1 << 26  # most votes of the data sets at hand
DENSE = 1 << 14  # most entries of a data set's 0/1 matrix


def in_stacks(data: Sequence[Profiles]) -> Iterator[tuple[np.ndarray, Rows]]:
    """The data sets in stacks of one shape, and their numbers; the last stack is filled up with its last data set."""
    size = -(-max(len(each.code) for each in data) // 32) * 32
    batch = int(np.clip(HOLD // (size * data[0].mask.shape[0]), 1, len(data)))
    for first in range(0, len(data), batch):
        index = np.minimum(np.arange(first, first + batch), len(data) - 1)
        yield index, stack_rows([data[b] for b in index], size)


def stack_rows(data: Sequence[Profiles], size: int) -> Rows:
    """Data sets of the same offices and contexts along a leading axis, filled up to `size` rows of weight 0.

    Dense where that is small enough for a cache, otherwise in blocks of offices.
    """
    like = data[0]
    _, contexts, options = like.mask.shape

    def filled(values: np.ndarray, blank: int) -> np.ndarray:
        return np.pad(values, [(0, size - len(values)), *[(0, 0)] * (values.ndim - 1)], constant_values=blank)

    code = np.stack([filled(each.code, NOTHING) for each in data]).astype(np.int32)  # [B, U, J]
    weight, group = (np.stack([filled(getattr(each, name), 0) for each in data]) for name in ("weight", "group"))
    rows = Rows(
        weight=jnp.asarray(weight, float),
        group=jnp.asarray(group, jnp.int32),
        design=jnp.asarray(like.design, float),
        mask=jnp.asarray(like.mask),
        x=jnp.asarray(like.x, float),
    )
    if size * like.mask.size <= DENSE:
        cells = np.zeros((len(data), like.mask.size, size))
        b, u, j = np.nonzero(code != NOTHING)
        cells[b, j * contexts * options + code[b, u, j], u] = 1.0
        used = np.flatnonzero(cells.any(axis=(0, 2)))
        return rows._replace(cells=jnp.asarray(cells[:, used]), used=jnp.asarray(used))
    index, column = _joint_patterns(code + 1, contexts * options)
    return rows._replace(
        weight=rows.weight[:, None],
        group=rows.group[:, None],
        block=jnp.asarray(index[:, None]),
        column=jnp.asarray(column),
    )


def _joint_patterns(digit: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Offices in blocks with every joint pattern that there can be, so that all data sets share them.

    From digits [B, U, J], 0 for nothing and the cell + 1 otherwise: the patterns of the rows [B, blocks, U], and the
    cells of the patterns [blocks, M, J'].
    """
    (_, rows, offices), base = digit.shape, width + 1
    # a block costs a look-up per row, and its table a sum per pattern and office
    lengths = [n for n in range(1, offices + 1) if base**n <= PATTERNS] or [1]
    length = min(lengths, key=lambda n: -(-offices // n) * (rows + n * base**n))
    place = np.pad(np.arange(offices), (0, -offices % length), constant_values=offices).reshape(-1, length)
    padded = np.pad(digit, ((0, 0), (0, 0), (0, 1)))[:, :, place]  # [B, U, blocks, J']
    index = (padded * base ** np.arange(length)).sum(axis=-1)
    own = np.arange(base**length)[:, None] // base ** np.arange(length) % base  # [M, J']
    none = (own == 0) | (place[:, None] == offices)
    column = np.where(none, offices * width, place[:, None] * width + own - 1)
    return index.transpose(0, 2, 1).astype(np.int32), column.astype(np.int32)


def one_set(rows: Rows, index: int) -> Rows:
    """One of the data sets."""
    return rows._replace(**{name: getattr(rows, name)[index] for name in stacked(rows)})
