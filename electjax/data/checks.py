"""Checks of arguments that verbs of several wings share."""

from collections.abc import Sequence

import numpy as np

from electjax.data.errors import data_error


def check_choice(where: str, found: object, allowed: Sequence[str]) -> None:
    """Refuse an option of a verb that is none of the allowed words."""
    if found not in allowed:
        raise data_error(
            f"found {found!r}", where=where, expected=f"one of {', '.join(allowed)}", mend="choose one of these"
        )


def checked_levels(levels: Sequence[float]) -> np.ndarray:
    """Nominal probabilities of intervals as an array; ValueError where one is not between 0 and 1."""
    nominal = np.asarray(levels, float)
    if nominal.ndim != 1 or not ((nominal > 0) & (nominal < 1)).all():
        raise ValueError(f"levels={list(levels)}: expected numbers between 0 and 1")
    return nominal
