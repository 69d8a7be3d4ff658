"""scalar: a number of the candidate, which is the same affinity for all cells; the axis has no categories."""

from collections.abc import Callable
from typing import Any

import numpy as np

EXAMPLE = {"kernel": "scalar"}
CATEGORIES = False
START = None


def read(found: Any, size: int, fault: Callable[[str, str, str], Exception]) -> None:
    """There is nothing to set."""
    if found is not None:
        raise fault("a proximity with the kernel scalar", "none", "leave it out, or use another kernel")


def matrices(size: int, kept: None) -> tuple[np.ndarray, np.ndarray]:
    """Nothing: the candidate's number stands in their place."""
    return np.zeros((size, size)), np.zeros((size, size))
