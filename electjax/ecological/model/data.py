"""What ecological inference computes with: contests, and what is assumed about them.

Sizes: D contests, R rows and C columns (padded to the largest contest), P pooled pairs, X features, B blocks of m
units.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Real

from electjax.numerics.covariance import Tensor

Found = TypeVar("Found")

SLAB = 512  # blocks worked off at a time
ROOM = 2**25  # numbers that a slab may need to hold
# what a cell joins: a party's voters and its candidate, two parties, or neither
KINDS = ("own party", "cross", "other")

# of contests padded to one shape: margins of units, which options are there, and shares of cells
UnitRows = Real[Tensor, "d u r"]
UnitColumns = Real[Tensor, "d u c"]
RowHere = Bool[Tensor, "d r"]
ColumnHere = Bool[Tensor, "d c"]
Shares = Float[Array, "d r c"]


class Blocks(NamedTuple):
    """Units of a contest in blocks of the same size; empty units fill the last one of each contest.

    Attributes:
        rows, columns: margins A_ur and B_uc.
        contest: of the block.
    """

    rows: Float[Tensor, "b m r"]
    columns: Float[Tensor, "b m c"]
    contest: Int[Tensor, " b"]


class Contests(NamedTuple):
    """What is known of each contest beside its units.

    Attributes:
        row_here, column_here: False for padding.
        mix: shares of the rows among the contest's voters.
        pair: index of the pooled pair of a cell's keys.
        kind: index of the cell's kind in KINDS.
        features: of a cell (affinity of a row and a candidate, covariates), standardised.
    """

    row_here: Bool[Tensor, "d r"]
    column_here: Bool[Tensor, "d c"]
    mix: Float[Tensor, "d r"]
    pair: Int[Tensor, "d r c"]
    kind: Int[Tensor, "d r c"]
    features: Float[Tensor, "d r c x"]


class Assumed(NamedTuple):
    """What is chosen, not estimated: traced, so that other values do not compile again.

    Attributes:
        context: exponent beta of the surroundings; margins cannot tell it.
        tau: standard deviation of a contest's own deviation, by kind of cell, [3].
        pair_sd, feature_sd: prior standard deviations of pairs and features.
        level: prior mean of the mean logit by kind, [3].
        level_sd, column_sd: prior standard deviations of kinds and columns.
        rho, rho_sd: prior mean and standard deviation of the typical logit of the correlation within a row of a unit.
        rho_spread: of a contest's logit around the typical one.
    """

    context: Tensor
    tau: Tensor
    pair_sd: Tensor
    feature_sd: Tensor
    level: Tensor = (2.0, 0.0, 0.0)
    level_sd: Tensor = 2.0
    column_sd: Tensor = 5.0
    rho: Tensor = -4.0
    rho_sd: Tensor = 3.0
    rho_spread: Tensor = 0.5


def in_blocks(rows: np.ndarray, columns: np.ndarray, contest: np.ndarray, *, size: int = 16) -> Blocks:
    """Units [n, r], [n, c] with the index of their contest, in ascending order, as blocks of one contest each."""
    where, block, of = block_places(contest, size=size)
    spare = -of.size % SLAB if of.size > SLAB else 0  # so that one program works all slabs off
    of = np.concatenate([of, np.repeat(of[-1:], spare)])
    found = [np.zeros((of.size, size, x.shape[1])) for x in (rows, columns)]
    for blank, values in zip(found, (rows, columns), strict=True):
        blank[block, where] = values
    return Blocks(found[0], found[1], of)


def block_places(contest: np.ndarray, *, size: int = 16) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place of each unit in its block, its block, and the contest of each block."""
    number = np.bincount(contest)
    rank = np.arange(contest.size) - np.repeat(np.cumsum(number) - number, number)
    blocks = -(-number // size)
    first = np.cumsum(blocks) - blocks
    return rank % size, first[contest] + rank // size, np.repeat(np.arange(number.size), blocks)


def over_blocks(work: Callable[[Blocks], Found], blocks: Blocks, *, numbers: int = 0) -> Found:
    """What `work` gives of every block, stacked; a slab of them at a time.

    Args:
        numbers: that the work on a unit needs to hold, where they are many.
    """
    slab = max(1, min(SLAB, ROOM // max(numbers * blocks.rows.shape[1], 1)))
    if blocks.contest.shape[0] <= slab:
        return jax.vmap(work)(blocks)
    return jax.lax.map(work, blocks, batch_size=slab)


def cells_of(contests: Contests) -> Bool[Array, "d r c"]:
    """Which cells are there."""
    return jnp.asarray(contests.row_here)[:, :, None] & jnp.asarray(contests.column_here)[:, None, :]
