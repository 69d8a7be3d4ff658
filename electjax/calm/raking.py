"""Cells from margins: iterative proportional fitting of many booths at once, and rounding to whole electors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Raked(NamedTuple):
    """Tables that have the margins asked for.

    Attributes:
        table: expected electors, [i, c].
        gap: largest difference to a margin that remains in a booth, in electors, [i].
        sweeps: over all axes, of the booths that needed most.
    """

    table: np.ndarray
    gap: np.ndarray
    sweeps: int


def rake(
    targets: Sequence[np.ndarray | None],
    codes: np.ndarray,
    *,
    seed: np.ndarray | None = None,
    tolerance: float = 1e-6,
    max_sweeps: int = 1000,
    chunk: int = 1024,
) -> Raked:
    """Scale a seed until its margins are the given ones: iterative proportional fitting (Deming and Stephan 1940).

    The result is the table of those margins that is nearest to the seed in Kullback-Leibler divergence: it keeps the
    seed's odds ratios, and cells that are 0 there stay 0. With the default seed and margins of one axis each, axes
    are independent within a booth.

    Args:
        targets: margins of each axis, [i, l_d]; None for an axis that is left as it comes. The margins of a booth
            have one sum on all axes.
        codes: column of targets[d] that a cell belongs to, [c, d].
        seed: weights of cells, at least 0, [c] or [i, c]. Default: 1 each.
        tolerance: margins are met when all are within this many electors.
        max_sweeps: stop there in any case; `gap` says how far off the margins then are.
        chunk: booths that are fitted together; they stop together too.
    """
    codes = np.asarray(codes)
    given = [(d, np.asarray(target, float)) for d, target in enumerate(targets) if target is not None]
    count = len(given[0][1])
    start = np.broadcast_to(np.ones(len(codes)) if seed is None else np.asarray(seed, float), (count, len(codes)))
    member = [(np.eye(target.shape[1])[codes[:, d]], target) for d, target in given]
    table = np.empty((count, len(codes)))
    gap = np.empty(count)
    most = 0
    for first in range(0, count, chunk):
        part = slice(first, first + chunk)
        table[part], gap[part], sweeps = _sweep(
            start[part].copy(), [(m, target[part]) for m, target in member], tolerance, max_sweeps
        )
        most = max(most, sweeps)
    return Raked(table, gap, most)


def round_to_totals(table: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Round the tables of booths to integers that keep each booth's total, by largest remainders carried along.

    Every entry is rounded down or up, and 0 stays 0. Who is rounded up are the largest remainders, to each of which
    is added what the cell lost in the booths before: a group of a third of an elector in every booth has an elector
    in every third booth, where remainders alone would leave it out everywhere.

    Args:
        table: expected electors that add up to the totals, [i, c].
        totals: whole electors of each booth, [i].
    """
    whole = np.floor(table)
    remainder = table - whole
    rounded = whole.astype(np.int64)
    missing = np.asarray(totals, np.int64) - rounded.sum(axis=1)
    lost = np.zeros(table.shape[1])
    for booth, short in enumerate(missing.tolist()):
        owed = lost + remainder[booth]
        if short > 0:
            ranked = np.argsort(np.where(remainder[booth] > 0, -owed, np.inf), kind="stable")
            rounded[booth, ranked[:short]] += 1
            owed[ranked[:short]] -= 1
        lost = owed
    return rounded


def _sweep(
    table: np.ndarray, member: Sequence[tuple[np.ndarray, np.ndarray]], tolerance: float, max_sweeps: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Scale to one axis after the other until the margins of all are met."""
    for sweep in range(1, max_sweeps + 1):
        gap = np.zeros(len(table))
        for belongs, target in member:
            margin = table @ belongs
            # Before the first scaling all axes are off, so that the gap of the sweep before counts.
            np.maximum(gap, np.abs(margin - target).max(axis=1), out=gap)
            table *= np.divide(target, margin, out=np.zeros_like(margin), where=margin > 0) @ belongs.T
        if gap.max(initial=0.0) <= tolerance:
            return table, gap, sweep
    gaps = [np.abs(table @ belongs - target).max(axis=1) for belongs, target in member]
    return table, np.max(gaps, axis=0), max_sweeps
