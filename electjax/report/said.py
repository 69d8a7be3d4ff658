"""What `summary` prints: what a result is, the verdict on it, and its table."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
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
    doubts = found.lines if found else []
    about = [str(attrs["about"])] if attrs.get("about") else []
    return [*doubts, *about, *([f"verdict: {found.level}"] if found and not doubts else [])]


def _text(table: pd.DataFrame) -> str:
    forms = {k: _form(table.iloc[:, k]) for k in range(table.shape[1]) if table.dtypes.iloc[k].kind in "fiu"}
    texts = table.head(_MOST).copy().astype(object)
    for k, form in forms.items():
        texts.isetitem(k, [form(value) for value in texts.iloc[:, k]])
    text = texts.to_string(line_width=_WIDE, na_rep="")
    left = len(table) - _MOST
    return f"{text}\n... {left:,} rows more, in the table that summary returns" if left > 0 else text


def _form(column: pd.Series) -> Callable[[float], str]:
    """How the numbers of a column read: with the decimals that its largest one needs, none where all are whole."""
    known = column[np.isfinite(column)].abs()
    most = float(known.max()) if len(known) else 0.0
    whole = bool((known % 1 == 0).all())
    digits = 0 if whole or most >= 1000 else 1 if most >= 100 else 2 if most >= 10 else 3
    form = ".2g" if 0 < most < 0.01 else f",.{digits}f"
    return lambda value: "" if np.isnan(value) else format(value, form)
