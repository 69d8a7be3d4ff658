"""ordinal: 1 for the same category, `proximity` for neighbours and 0 beyond (calm.md section 2: rho_A)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

EXAMPLE = {"categories": ["Low", "Middle", "High"], "kernel": "ordinal", "proximity": 0.5}
CATEGORIES = True
START = 0.5


def read(found: Any, size: int, fault: Callable[[str, str, str], Exception]) -> float | None:
    """A number from 0 to 1; None for the default."""
    if found is None:
        return None
    try:
        number = math.nan if isinstance(found, bool) else float(found)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise fault(f"found {found!r}", "a number in [0, 1]", "0 is a hard match, 1 no difference to neighbours")
    return number


def matrices(size: int, kept: float | None) -> tuple[np.ndarray, np.ndarray]:
    """The identity, and ones beside the diagonal."""
    return np.eye(size), np.eye(size, k=1) + np.eye(size, k=-1)
