"""match: 1 for the same category and 0 for another (calm.md section 2)."""

from collections.abc import Callable
from typing import Any

import numpy as np

EXAMPLE = {"categories": ["Hindu", "Muslim"], "kernel": "match"}
CATEGORIES = True
START = None


def read(found: Any, size: int, fault: Callable[[str, str, str], Exception]) -> None:
    """There is nothing to set."""
    if found is not None:
        raise fault("a proximity with the kernel match", "none", "use the kernel ordinal or proximity")


def matrices(size: int, kept: None) -> tuple[np.ndarray, np.ndarray]:
    """The identity."""
    return np.eye(size), np.zeros((size, size))
