"""Readers of election returns, one file per format, told apart by their columns.

A file of this folder that declares a `Reader` adds a format; nothing else has to know of it. The first reader that
recognises a table reads it; those of a layout that is nobody's in particular are asked last.
"""

from electjax.districts.readers.base import Reader
from electjax.numerics.registry import declared_in


def find_readers() -> tuple[Reader, ...]:
    """All readers, in the order in which they are asked."""
    return tuple(sorted(declared_in(__name__, Reader).values(), key=lambda reader: reader.general))


READERS = find_readers()
