"""Numbers of a run as metrics.json has them, tables as rows of text, and how numbers read in them.

Rows have the same keys, the table's columns; the first one names the row. A line break begins a smaller line.
"""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from rich import box
from rich.table import Table
from rich.text import Text

Metrics = dict[str, Any]
Rows = Sequence[Mapping[str, str]]

_BESIDE_NUMBERS = {"to", "of", "and", "pp", "e", "x", "s", "nan"}  # words that a cell of a number may hold
_LONG_VECTOR, _LONG_MATRIX = 6, 16  # more values than these are told by their range
_NARROW = 0.03  # an interval of shares that is no wider has a decimal


def plain(value: Any) -> Any:
    """A JSON value: scalars and arrays become numbers and lists, NaN and infinities None."""
    array = np.asarray(value)
    if array.ndim:
        return [plain(item) for item in array]
    item = array.item()
    return None if isinstance(item, float) and not math.isfinite(item) else item


def single_numbers(dataset: xr.Dataset) -> Metrics:
    """The variables of a Dataset that have one value."""
    return {str(name): plain(value) for name, value in dataset.data_vars.items() if not value.ndim}


def numeric_columns(rows: Rows) -> set[str]:
    """The columns but the first whose cells all hold numbers, which are aligned by their last digit."""
    names = list(rows[0])[1:]
    cells = {name: [row[name].split("\n")[0].strip(" -–") for row in rows] for name in names}
    return {name for name, column in cells.items() if any(column) and all(map(_is_number, filter(None, column)))}


def _is_number(text: str) -> bool:
    words = {word.lower() for word in re.findall(r"[^\W\d_]+", text)}
    return any(map(str.isdigit, text)) and words <= _BESIDE_NUMBERS


def terminal_table(
    title: str, rows: Rows, *, bold: Collection[int] = (), ends: Collection[int] = (), caption: str = ""
) -> Table:
    """The rows for a terminal.

    Args:
        title: above the table.
        rows: at least one.
        bold: numbers of the rows that stand out.
        ends: numbers of the rows with a line below.
        caption: below the table.
    """
    table = Table(title=title, caption=caption or None, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for i, heading in enumerate(rows[0]):
        table.add_column(Text(heading), justify="right" if i else "left", overflow="fold")
    for i, row in enumerate(rows):
        table.add_row(*map(Text, row.values()), style="bold" if i in bold else "", end_section=i in ends)
    return table


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number with so many digits; nothing where there is none."""
    return "" if value is None or np.isnan(value) else f"{value:{'+' if signed else ''},.{digits}f}"


def with_error(value: float | None, error: float | None, digits: int, *, signed: bool = False) -> str:
    """A number and its standard error: +0.31 ± 0.02."""
    known = error is not None and np.isfinite(error)
    return number(value, digits, signed=signed) + (f" ± {error:.{digits}f}" if known else "")


def with_interval(value: float | None, low: float | None, high: float | None, *, digits: int) -> str:
    """A change and its interval: +12 (+3 to +21)."""
    ends = "" if low is None or high is None else f" ({low:+,.{digits}f} to {high:+,.{digits}f})"
    return number(value, digits, signed=True) + ends


def interval_text(low: float, high: float) -> str:
    """An interval of shares in per cent: 39–47; a narrow one with a decimal."""
    digits = 0 if high - low > _NARROW else 1
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}"


def level_text(level: float) -> str:
    """A level in per cent, as in "95" or "99.5"."""
    return f"{100 * level:g}"


def chance_text(p: float) -> str:
    """Whole per cent; what is neither never nor always is not rounded to it."""
    if 0 < p < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= p < 1 - 1e-9 else f"{100 * p:.0f} %"


def enumeration(names: Sequence[str]) -> str:
    """Names as a sentence has them: A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def value_text(value: Any) -> str:
    """A number, a vector or a matrix to three digits, or its shape and range."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, str) or value is None:
        return str(value)
    values = np.asarray(value)
    if values.size > (_LONG_VECTOR if values.ndim < 2 else _LONG_MATRIX):
        shape = " x ".join(map(str, values.shape))
        return f"{shape} values from {values.min():.3g} to {values.max():.3g}"
    if values.ndim > 1:
        return " | ".join(map(value_text, values))
    return ", ".join(f"{number:.3g}" for number in np.ravel(values))


def markdown_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table in Markdown; numbers have four digits."""
    cells = [[*names], *([_markdown_cell(value) for value in row] for row in rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
        if row
    ]


def _markdown_cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    if isinstance(value, str) and value.startswith("["):
        return value_text(json.loads(value)).replace("|", "/")
    return str(value)
