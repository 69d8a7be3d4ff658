"""What a wing says of its data, so that a file can be described before anything is estimated from it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr


def one_file(name: str, text: str) -> Callable[[Path], None]:
    """A template of a single file of text."""

    def write(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return write


class Kind(NamedTuple):
    """A kind of data.

    Attributes:
        name: as in "ballots". about: what one row of it is, in a few words.
        conventions: of its Datasets.
        likely: from 0 (no) to 1 (certainly) that a source is of this kind, from its path (None of a frame), the names
            of its columns in lower case, and which of them hold numbers only.
        read: the verb that reads it.
        facts: what a Dataset holds, by name: districts, votes, ...
        call: Python that analyses it; command: the same on the command line. Both have {source}, and {options} where
            the options of reading go.
        template: writes a small valid example into a new folder.
    """

    name: str
    about: str
    conventions: str
    likely: Callable[[Path | None, Sequence[str], Sequence[bool]], float]
    read: Callable[..., xr.Dataset]
    facts: Callable[[xr.Dataset], Mapping[str, Any]]
    call: str
    command: str
    template: Callable[[Path], None]
