"""The options that every reader of tables shares, each declared once."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from electjax.data.options import option, options

Handling = Literal["drop", "keep", "refuse"]
Mark = Literal[",", ".", " ", "'", "none"]


def _is_header(value: Any) -> bool:
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return bool(rows) and all(isinstance(row, int) and not isinstance(row, bool) and row >= 1 for row in rows)


def _is_suppressed(value: Any) -> bool:
    return value == "missing" or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0)


@options
class TableOptions:
    """How a table is read, whatever it holds."""

    columns: Mapping[str, str] = option(
        {}, "what the file calls a column: our name -> the file's, such as {'party': 'Partei'}"
    )
    where: Mapping[str, Any] = option(
        {}, "rows to read: column -> value or list of values, such as {'office': 'US SENATE'}"
    )
    header: int | Sequence[int] | None = option(
        None,
        "line of the column names, or the lines of two rows of names; None: looked for below titles and comments",
        good=_is_header,
        expected="a line of the file from 1, or a list of lines",
    )
    sheet: str | None = option(None, "the sheet of a workbook; None: the only one with cells")
    encoding: str | None = option(None, "codec of a text file; None: UTF-8, UTF-16, else Windows-1252 or Latin-1")
    thousands: Mark | None = option(
        None, "the mark between thousands, 'none' where there is none; None: told from each column's cells"
    )
    suppressed: float | Literal["missing"] | None = option(
        None,
        "what suppressed cells (X, *, <10) count as: a number, or 'missing'; None: refused",
        good=_is_suppressed,
        expected="a number of at least 0, or 'missing'",
    )
    totals: Handling | None = option(
        None, "rows that add up others: left out, kept or refused; None: left out where they say so, else refused"
    )
    repeated: Handling = option("drop", "rows that repeat another word for word: counted once, kept, or refused")
