"""What `summary` prints: what a result is, the verdict on it, and its table."""

import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd

from electjax.data.verdict import verdict_of

_MOST = 40  # rows that are printed
_WIDE = 200  # characters of a line


def said(table: pd.DataFrame, attrs: Mapping[Any, Any], *, show: bool, note: str = "") -> pd.DataFrame:
    """Print what a result is, what makes it doubtful, its table and a note, where that is asked for; give the table.

    Args:
        table: of the result.
        attrs: of the result, with the verdict.
        show: whether to print.
        note: lines below the table.
    """
    if show:
        print("\n".join([*headed(attrs), "", _text(table), *([note] if note else [])]), file=sys.stdout)
    return table


def headed(attrs: Mapping[Any, Any]) -> list[str]:
    """The lines above a table: the verdict where it is not good, then what this is, then a good verdict."""
    found = verdict_of(attrs)
    doubts = [f"{found.level.upper()}: {reason}" for reason in found.reasons] if found else []
    about = [str(attrs["about"])] if attrs.get("about") else []
    return [*doubts, *about, *([f"verdict: {found.level}"] if found and not doubts else [])]


def _text(table: pd.DataFrame) -> str:
    text = table.head(_MOST).to_string(float_format=lambda value: f"{value:.4g}", na_rep="", line_width=_WIDE)
    left = len(table) - _MOST
    return f"{text}\n... {left:,} rows more, in the table that summary returns" if left > 0 else text
