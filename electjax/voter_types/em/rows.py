"""Ballots collapsed to unique rows: what the likelihood needs of N voters, in U rows (section 3).

Two voters with the same votes, menus and covariates contribute the same term to the likelihood, so collapsing on
(y, m, v) is exact, also with menus and covariates. Host arrays only; `rows.py` lays them out for the device.

The rows of ballots as the device sees them, in one of two layouts that give the same numbers.

Both answer two questions: the sum over offices of a table at each row's cells (E-step), and the sum of the rows'
memberships per cell (M-step).

- `dense`: a 0/1 matrix of the cells that occur by rows, so that both are matrix products; fastest for many
  restarts of few rows.
- `blocks`: offices in blocks of few distinct joint patterns; a row looks up one number per block instead of one
  per office. It takes U x B small integers instead of U x C doubles, and rows go in chunks, so that no array of
  U x K ever exists.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.ops import segment_sum

NOTHING = -1  # a cell that says nothing: the vote is missing, or the office is not on the ballot
_KEY = 2**62  # what a mixed-radix key may reach before it is relabelled


class Profiles(NamedTuple):
    """U unique rows over J offices with S contexts of O options each, P covariate columns, Q columns in psi.

    A context of an office is a menu with the covariates of its options; a cell is an option in a context,
    numbered s * O + l.
    """

    code: np.ndarray  # [U, J] cell, NOTHING where there is none
    weight: np.ndarray  # [U] sum of the weights of the row's voters
    square: np.ndarray  # [U] sum of their squares
    voters: np.ndarray  # [U] how many they are
    group: np.ndarray  # [U] row of `design`
    design: np.ndarray  # [G, P] unique covariate rows, the intercept first
    mask: np.ndarray  # [J, S, O] the options of a context
    x: np.ndarray  # [J, S, O, Q] covariates of the options in psi; Q = 0 without any


def collapse(
    choice: np.ndarray,
    context: np.ndarray,
    mask: np.ndarray,
    *,
    x: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    covariates: np.ndarray | None = None,
    unique: bool = True,
) -> tuple[Profiles, np.ndarray]:
    """Collapse voters to unique rows of votes, menus and covariates.

    Args:
        choice: [N, J] option, negative where the vote is missing.
        context: [N, J] context of the office, negative where the office is not on the ballot.
        mask: [J, S, O] options of each context.
        x: [J, S, O, Q] covariates of the options.
        weight: [N] weights; one each by default. Voters of weight zero are kept.
        covariates: [N, P - 1] covariates of the voters, without the intercept.
        unique: False keeps every voter as a row of its own.

    Returns:
        The profiles and, per voter, the row it belongs to.
    """
    voters, offices = choice.shape
    options = mask.shape[2]
    seen = (choice >= 0) & (context >= 0)
    code = np.where(seen, context * options + choice, NOTHING).astype(_smallest(mask.shape[1] * options))
    weight = np.ones(voters) if weight is None else np.asarray(weight, float)
    slopes = np.zeros((voters, 0)) if covariates is None else np.asarray(covariates, float)
    design, group = np.unique(slopes, axis=0, return_inverse=True) if slopes.shape[1] else (slopes[:1], None)
    group = np.zeros(voters, np.int64) if group is None else group.reshape(-1)
    inverse = row_labels(np.column_stack([code, group]) if len(design) > 1 else code) if unique else np.arange(voters)
    rows = int(inverse.max()) + 1 if voters else 0
    first = _first_of(inverse, rows)
    found = Profiles(
        code=code[first],
        weight=np.bincount(inverse, weight, rows),
        square=np.bincount(inverse, weight**2, rows),
        voters=np.bincount(inverse, minlength=rows),
        group=group[first].astype(np.int32),
        design=np.column_stack([np.ones(len(design)), design]),
        mask=mask,
        x=np.zeros((offices, *mask.shape[1:], 0)) if x is None else x,
    )
    return found, inverse


def combine(parts: Sequence[Profiles]) -> Profiles:
    """The profiles of all the voters of several parts, which share their offices, contexts and columns."""
    code = np.concatenate([part.code for part in parts])
    design = np.concatenate([part.design for part in parts])
    ends = np.cumsum([0, *(len(part.design) for part in parts)])
    group = np.concatenate([part.group + start for part, start in zip(parts, ends, strict=False)])
    design, merged = np.unique(design, axis=0, return_inverse=True)
    group = merged.reshape(-1)[group]
    inverse = row_labels(np.column_stack([code, group]) if len(design) > 1 else code)
    rows = int(inverse.max()) + 1
    first = _first_of(inverse, rows)

    def total(name: str) -> np.ndarray:
        values = np.concatenate([getattr(part, name) for part in parts])
        return np.bincount(inverse, values, rows).astype(values.dtype)

    return parts[0]._replace(
        code=code[first],
        weight=total("weight"),
        square=total("square"),
        voters=total("voters"),
        group=group[first].astype(np.int32),
        design=design,
    )


def standardise(profiles: Profiles) -> tuple[Profiles, np.ndarray]:
    """The profiles with covariates of mean 0 and standard deviation 1, and what turns their gamma into the given ones'.

    A covariate that does not vary stays as it is. gamma of the covariates as given is `basis @ gamma`, [P, P] @ [P, K].
    """
    size = np.bincount(profiles.group, profiles.weight, len(profiles.design))
    values = profiles.design[:, 1:]
    mean = size @ values / size.sum()
    spread = np.sqrt(size @ (values - mean) ** 2 / size.sum())
    varies = spread > 1e-12 * (1 + np.abs(mean))
    mean, spread = np.where(varies, mean, 0.0), np.where(varies, spread, 1.0)
    basis = np.diag([1.0, *(1 / spread)])
    basis[0, 1:] = -mean / spread
    return profiles._replace(design=np.column_stack([np.ones(len(values)), (values - mean) / spread])), basis


def row_labels(table: np.ndarray) -> np.ndarray:
    """Number the distinct rows of an integer table [N, columns], 0 for the row that sorts first; exact, no hashing.

    Columns are read as digits of one number, which is relabelled to ranks whenever it would grow too large.
    """
    key = np.zeros(len(table), np.int64)
    size = 1
    for column in table.T:
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        radix = high - low + 1
        if size > _KEY // radix:
            key, size = _ranks(key)
        key = key * radix + (column.astype(np.int64) - low)
        size *= radix
    return _ranks(key)[0]


def _first_of(inverse: np.ndarray, rows: int) -> np.ndarray:
    """The first member of every row."""
    first = np.zeros(rows, np.int64)
    first[inverse[::-1]] = np.arange(len(inverse))[::-1]
    return first


def _ranks(key: np.ndarray) -> tuple[np.ndarray, int]:
    distinct, ranks = np.unique(key, return_inverse=True)
    return ranks.reshape(-1), len(distinct)


def _smallest(cells: int) -> type[np.signedinteger]:
    return np.int8 if cells <= 127 else np.int16 if cells <= 32767 else np.int32


def contexts_of(profiles: Profiles) -> np.ndarray:
    """Context of every cell, [U, J], NOTHING where there is none."""
    return np.where(profiles.code == NOTHING, NOTHING, profiles.code // profiles.mask.shape[2])


def are_counts(profiles: Profiles) -> bool:
    """Whether the weights are whole numbers: a row stands for so many voters of weight 1."""
    return bool(np.array_equal(profiles.weight, np.round(profiles.weight)))


def met_contexts(profiles: Profiles) -> tuple[Profiles, np.ndarray]:
    """The profiles without the contexts that no row meets, and which context each of the new ones was, [J, S].

    Numbers beyond those an office needs stand for a context without options, and are -1 there.
    """
    offices, contexts, options = profiles.mask.shape
    seen, context = profiles.code != NOTHING, contexts_of(profiles)
    met = [np.unique(context[:, j][seen[:, j]]) for j in range(offices)]
    most = max(1, *(len(own) for own in met))
    origin = np.full((offices, most), -1)
    mask = np.zeros((offices, most, options), bool)
    x = np.zeros((offices, most, options, profiles.x.shape[-1]))
    number = np.zeros((offices, contexts + 1), np.int64)
    for j, own in enumerate(met):
        origin[j, : len(own)] = own
        mask[j, : len(own)] = profiles.mask[j, own]
        x[j, : len(own)] = profiles.x[j, own]
        number[j, own] = np.arange(len(own))
    renumbered = number[np.arange(offices), context] * options + profiles.code % options
    code = np.where(seen, renumbered, NOTHING).astype(_smallest(most * options))
    return profiles._replace(code=code, mask=mask, x=x), origin


PATTERNS = 512  # most joint patterns of a block: its table stays in the fastest cache
DENSE = 1_500_000  # entries of a 0/1 matrix above which blocks are faster, even for many restarts
CHUNK = 1 << 15  # rows that a pass holds at a time


class Rows(NamedTuple):
    """Profiles on the device. One of `cells` (dense) and `block` (blocks) is None.

    With blocks the rows come as [chunks, rows of a chunk], the last chunk filled up with rows of weight 0.
    """

    weight: Array  # [U] or [chunks, U']
    group: Array  # [U] or [chunks, U'], rows of `design`
    design: Array  # [G, P]
    mask: Array  # [J, S, O]
    x: Array  # [J, S, O, Q]
    cells: Array | None = None  # [C', U], of the C' cells of all J * S * O that some row is in
    used: Array | None = None  # [C'] which ones these are
    block: Array | None = None  # [chunks, B, U'] pattern of the row in each block
    column: Array | None = None  # [B, M, J'] cells of a pattern, C where there is none


def lay_out(profiles: Profiles, *, layout: str = "auto", chunk: int = CHUNK) -> Rows:
    """Lay profiles out as `dense` or `blocks`; `auto` takes the first where it is small. In double precision.

    Call it, and what uses the result, under `jax.enable_x64`.
    """
    rows, offices = profiles.code.shape
    width = profiles.mask.shape[1] * profiles.mask.shape[2]
    if layout == "auto":
        layout = "dense" if rows * offices * width <= DENSE else "blocks"
    shared = {
        "design": jnp.asarray(profiles.design, float),
        "mask": jnp.asarray(profiles.mask),
        "x": jnp.asarray(profiles.x, float),
    }
    if layout == "dense":
        cells = np.zeros((offices * width, rows))
        row, office = np.nonzero(profiles.code != NOTHING)
        cells[office * width + profiles.code[row, office], row] = 1.0
        used = np.flatnonzero(cells.any(axis=1))
        return Rows(
            weight=jnp.asarray(profiles.weight, float),
            group=jnp.asarray(profiles.group),
            cells=jnp.asarray(cells[used]),
            used=jnp.asarray(used),
            **shared,
        )
    index, column = _blocks(profiles.code, width)
    chunks = max(1, -(-rows // chunk))
    size = -(-rows // chunks)

    def chunked(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, (0, chunks * size - rows))
        return padded.reshape(chunks, size)

    return Rows(
        weight=jnp.asarray(chunked(profiles.weight), float),
        group=jnp.asarray(chunked(profiles.group)),
        block=jnp.asarray(np.stack([chunked(part) for part in index], axis=1)),
        column=jnp.asarray(column),
        **shared,
    )


def table_scores(table: Array, rows: Rows) -> Array:
    """Sum over offices of `table` [K, C] at the cells of each row, [K, U] (dense layout)."""
    assert rows.cells is not None
    return table[:, rows.used] @ rows.cells


def cell_sums(member: Array, rows: Rows) -> Array:
    """Sum of `member` [K, U] over the rows in each cell, [K, C] (dense layout)."""
    assert rows.cells is not None
    sums = jnp.zeros((len(member), rows.mask.size), member.dtype)
    return sums.at[:, rows.used].set(member @ rows.cells.T)


def pattern_tables(table: Array, rows: Rows) -> Array:
    """[K, C] summed over the offices of each block and pattern: [B, M, K] (blocks layout)."""
    padded = jnp.pad(table, ((0, 0), (0, 1))).T
    return padded[rows.column].sum(axis=2)


def pattern_sums(member: Array, block: Array, size: int) -> Array:
    """Sum of `member` [U', K] over the rows of a chunk with each pattern, [B, M, K]."""
    return jnp.stack([segment_sum(member, index, num_segments=size) for index in block])


def from_patterns(sums: Array, rows: Rows) -> Array:
    """Sums per pattern [B, M, K] as sums per cell [K, C]."""
    assert rows.column is not None
    cells = rows.mask.size
    spread = jnp.broadcast_to(sums[:, :, None, :], (*rows.column.shape, sums.shape[-1]))
    flat = segment_sum(spread.reshape(-1, sums.shape[-1]), rows.column.reshape(-1), num_segments=cells + 1)
    return flat[:cells].T


def block_scores(tables: Array, block: Array) -> Array:
    """Sum over blocks of the tables [B, M, K] at the patterns of a chunk's rows, [U', K]."""
    return lax.fori_loop(1, len(block), lambda b, total: total + tables[b][block[b]], tables[0][block[0]])


def _blocks(code: np.ndarray, width: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Pattern of each row in each block [B][U], and the cells of each pattern [B, M, J']."""
    rows, offices = code.shape
    nothing = offices * width
    index: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    pattern, members = np.zeros(rows, np.int64), np.zeros((1, 0), np.int64)
    for office in range(offices):
        cell = code[:, office].astype(np.int64)
        joint = pattern * (width + 1) + cell + 1
        distinct, ranks = np.unique(joint, return_inverse=True)
        if len(distinct) > PATTERNS and members.shape[1]:
            index.append(pattern)
            columns.append(members)
            distinct, ranks = np.unique(cell + 1, return_inverse=True)
            members = np.zeros((1, 0), np.int64)
        old, last = np.divmod(distinct, width + 1)
        own = np.where(last == 0, nothing, office * width + last - 1)
        members = np.column_stack([members[old], own])
        pattern = ranks.reshape(-1)
    index.append(pattern)
    columns.append(members)
    most, longest = max(len(part) for part in columns), max(part.shape[1] for part in columns)
    column = np.full((len(columns), most, longest), nothing, np.int32)
    for part, cells in zip(column, columns, strict=True):
        part[: cells.shape[0], : cells.shape[1]] = cells
    return [part.astype(np.int32) for part in index], column


def stacked(rows: Rows) -> tuple[str, ...]:
    """The arrays with a leading axis of data sets, where the rows are those of several (`simulate.stack_rows`)."""
    return ("weight", "group", "cells" if rows.cells is not None else "block")
