"""Readers of units, one file per format, told apart by what a table and the caller name.

A format is one file here with a `READER`; its place among others is its `order`. Modules without one help the readers.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from electjax.data.table import Table
from electjax.ecological.options import ReadOptions
from electjax.ecological.readers.draft import Draft
from electjax.numerics.registry import declared_in


class Reader(NamedTuple):
    """A format.

    Attributes:
        name: of the format, for texts.
        needs: what a table or the caller gives for it, for the error where nothing suits.
        lacks: what this table and these options lack for it, in words; "" where it can be read so.
        read: the units; it may refuse a table with a line that names the fault.
        example: a small table as text, and the options it is read with: it shows the format, and is read in the tests.
        order: readers are asked from the lowest on.
    """

    name: str
    needs: str
    lacks: Callable[[Table, ReadOptions], str]
    read: Callable[[Table, ReadOptions], Draft]
    example: tuple[str, dict[str, Any]]
    order: int = 100


@cache
def readers() -> tuple[Reader, ...]:
    """All readers: those of the modules in this folder."""
    return tuple(sorted(declared_in(__name__, Reader).values(), key=lambda reader: reader.order))
