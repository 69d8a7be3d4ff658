"""The rows of ballots as the device sees them, in one of two layouts that give the same numbers.

Both answer two questions: the sum over offices of a table at each row's cells (E-step), and the sum of the rows'
memberships per cell (M-step).

- `dense`: a 0/1 matrix of the cells that occur by rows, so that both are matrix products; fastest for many
  restarts of few rows.
- `blocks`: offices in blocks of few distinct joint patterns; a row looks up one number per block instead of one
  per office. It takes U x B small integers instead of U x C doubles, and rows go in chunks, so that no array of
  U x K ever exists.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.ops import segment_sum

from electjax.voter_types.em.profiles import NOTHING, Profiles

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
    cells: Array | None  # [C', U], of the C' cells of all J * S * O that some row is in
    used: Array | None  # [C'] which ones these are
    block: Array | None  # [chunks, B, U'] pattern of the row in each block
    column: Array | None  # [B, M, J'] cells of a pattern, C where there is none


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
            block=None,
            column=None,
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
        cells=None,
        used=None,
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
