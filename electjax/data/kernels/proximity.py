"""proximity: a matrix of one's own, by category of the cell and of the candidate."""

from collections.abc import Callable
from typing import Any

import numpy as np

EXAMPLE = {"categories": ["School", "College"], "kernel": "proximity", "proximity": [[1, 0.5], [0.2, 1]]}
CATEGORIES = True
START = None


def read(found: Any, size: int, fault: Callable[[str, str, str], Exception]) -> tuple[tuple[float, ...], ...]:
    """A row per category of cells, a column per category of candidates."""
    expected = f"{size} rows of {size} numbers in [0, 1]"
    mend = "one row for each category of cells, one column for each of candidates"
    if found is None:
        raise fault("no matrix with the kernel proximity", expected, "give it, or change the kernel")
    try:
        matrix = np.array([list(row) for row in found], dtype=float)
    except (TypeError, ValueError):
        raise fault(f"found {found!r}", expected, mend) from None
    if matrix.shape != (size, size):
        raise fault(f"found shape {matrix.shape}", expected, mend)
    if not ((matrix >= 0) & (matrix <= 1)).all():
        raise fault(f"found {matrix[~((matrix >= 0) & (matrix <= 1))][0]:g}", expected, mend)
    return tuple(tuple(row) for row in matrix.tolist())


def matrices(size: int, kept: tuple[tuple[float, ...], ...]) -> tuple[np.ndarray, np.ndarray]:
    """The matrix as it is."""
    return np.array(kept, float), np.zeros((size, size))
