"""Columns of a table as categories of an axis; ages and other numbers fall into the ranges that categories are."""

import re
from typing import NamedTuple

import numpy as np

from electjax.data.axes import UNKNOWN, Axis
from electjax.data.numbers import number
from electjax.data.table import Column, Table, near

_DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", " ": None})
_NUMBER = r"(\d+(?:\.\d+)?)"
_BETWEEN = re.compile(rf"{_NUMBER}(?:-|to|bis)({_NUMBER[1:-1]})")
_ABOVE = re.compile(rf"{_NUMBER}(?:\+|(?:and|or)(?:over|more|above|older)|-)|(?:>=|\u2265){_NUMBER}")
_BELOW = re.compile(rf"(?:<|under|below){_NUMBER}|{_NUMBER}(?:(?:and|or)(?:under|less|below|younger))")


class Coded(NamedTuple):
    """A column on an axis.

    Attributes:
        codes: the category of each row, -1 where missing.
        spelt: a number for each row that differs where the column says something else: a category, or a number that
            falls into its range.
    """

    codes: np.ndarray
    spelt: np.ndarray


def categories_of(table: Table, axis: Axis, *, position: int | None = None, rows: np.ndarray | None = None) -> Coded:
    """The categories of an axis's column; capitals, spaces and kinds of dashes do not matter.

    Args:
        table: that has the column.
        axis: one with categories.
        position: of the column; None: the column has the name of the axis.
        rows: those to read, where a column holds several axes; other rows are -1.

    Raises:
        ElectionDataError: a category that the axis has not, or a number outside all of its ranges.
    """
    position = table.need(axis.name) if position is None else position
    column = table.columns[position]
    codes, spelt = _codes(column, axis)
    strange = (codes == -2)[column.codes]
    ranges = [label for label in axis.categories if range_of(label) is not None]

    def said(row: int) -> str:
        text = column.at(row)
        if ranges and not np.isnan(number(text)):
            return f"{text} is in no range of {axis.name}"
        return f"unknown category {text!r} of {axis.name}"

    table.refuse(
        strange if rows is None else strange & rows,
        position,
        said,
        f"one of {', '.join(axis.categories)}",
        lambda row: near(column.at(row), axis.categories) + ", or change the axes",
    )
    found, spelt = codes[column.codes], spelt[column.codes]
    return Coded(found, spelt) if rows is None else Coded(np.where(rows, found, UNKNOWN), np.where(rows, spelt, 0))


def range_of(label: str) -> tuple[float, float] | None:
    """The numbers that a category such as "18-25", "60+" or "under 18" spans, the upper end not among them.

    Between whole numbers years are meant, which are whole until the next birthday: 25.5 is of "18-25".
    """
    text = _folded(label)
    if found := _BETWEEN.fullmatch(text):
        low, high = float(found[1]), float(found[2])
        return (low, high + 1) if low.is_integer() and high.is_integer() else (low, np.nextafter(high, np.inf))
    if found := _ABOVE.fullmatch(text):
        return float(found[1] or found[2]), np.inf
    if found := _BELOW.fullmatch(text):
        return -np.inf, float(found[1]) if found[1] else float(found[2]) + 1
    return None


def _codes(column: Column, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """For each text its category, -1 for a blank and -2 for what is none; and what tells apart what it says."""
    known = {_folded(label): code for code, label in enumerate(axis.categories)} | {"": UNKNOWN}
    codes = np.array([known.get(_folded(text), -2) for text in column.texts], np.int64)
    spelt = codes.copy()
    spans = [(code, span) for code, label in enumerate(axis.categories) if (span := range_of(label)) is not None]
    left = np.flatnonzero(codes == -2) if spans else ()
    for k in left:
        value = number(column.texts[k])
        within = [code for code, (low, high) in spans if low <= value < high]
        if len(within) == 1:
            codes[k], spelt[k] = within[0], len(axis.categories) + k
    return codes, spelt


def _folded(text: str) -> str:
    return text.casefold().translate(_DASHES)
