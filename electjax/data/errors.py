"""Errors and warnings about election data: one line each, with the place, the fault and the remedy."""

import warnings
from collections.abc import Sequence
from difflib import get_close_matches


class ElectionDataError(ValueError):
    """Unusable election data. The message is one line: where, what, what was expected, how to mend it."""


class ElectionDataWarning(UserWarning):
    """Election data that can be used but looks wrong, such as more votes than electors."""


def data_error(
    problem: str, *, where: str, expected: str, mend: str, row: int | None = None, column: str | None = None
) -> ElectionDataError:
    """Build the one-line error: `where[, row r][, column 'c']: problem; expected ...; mend`.

    `row` is the line of the file, the header being line 1.
    """
    return ElectionDataError(
        f"{_place(where, row, column)}: {_line(problem)}; expected {_line(expected)}; {_line(mend)}"
    )


def data_warning(problem: str, *, where: str, row: int | None = None, column: str | None = None) -> None:
    """Warn in one line about data that can be used but looks wrong."""
    warnings.warn(f"{_place(where, row, column)}: {_line(problem)}", ElectionDataWarning, stacklevel=3)


def suggest(name: str, known: Sequence[str]) -> str:
    """Say which known names come close to `name`, or list them all where none does."""
    folded = {k.casefold(): k for k in known}
    close = [folded[k] for k in get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def _place(where: str, row: int | None, column: str | None) -> str:
    place = where + (f", row {row}" if row is not None else "") + (f", column {column!r}" if column is not None else "")
    return _line(place)


def _line(text: str) -> str:
    return " ".join(text.split())
