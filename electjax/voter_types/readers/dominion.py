"""Cast-vote records as Dominion systems export them, to CSV.

One row per card and one column per contest and candidate. Line 1 holds the election and the version, then come
contests, candidates, and the names of the leading columns (CvrNumber, TabulatorNum, ...) with the candidates' parties.
Some counties give two rows only, contests, and names with candidates. Marks are 0 and 1, blank where the contest is
not on the ballot. A ranked contest has a column per candidate and rank; the first rank is the vote. Where a ballot has
several cards each is a row.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning
from electjax.data.parts import stream_tables
from electjax.data.table import Table
from electjax.data.text import Layout, head_of
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.columns import Block, ballots_of
from electjax.voter_types.readers.common import Contest, Reader, Source, ballot_attrs, contest_name, with_voters

_IDENTITY = ["cvrnumber", "tabulatornum"]
_NAME = "Dominion CSV"


class _Export(NamedTuple):
    """The header: how the text is laid out, what it is called, and the contests beside the leading columns."""

    layout: Layout
    title: str
    leading: int
    blocks: tuple[Block, ...]


def is_cvr_csv(source: Source) -> bool:
    """Whether one of the first records has the names of the leading columns."""
    return any(row[:2] == _IDENTITY for row in source.head[1:])


def read_cvr_csv(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    export = _export(source)
    return _ballots(source.parts(export.layout), export, options, source.path.name)


def stream_cvr_csv(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The ballots of the export in chunks of `size` rows."""
    export = _export(source)
    tables = stream_tables(source.path, size, options, blank_rows=True, layout=export.layout)
    kept = (table for table in tables if _numbered(table).any())
    return with_voters(_ballots([table], export, options, source.path.name) for table in kept)


def _export(source: Source) -> _Export:
    head = head_of(source.path, source.options.encoding)
    rows = [(line, row) for line, row in head.rows if any(row)]
    at = next(k for k, (_, row) in enumerate(rows) if [cell.casefold() for cell in row[:2]] == _IDENTITY)
    line, names = rows[at]
    above = [row for _, row in rows[:at]]
    if not above:
        raise data_error(
            "no row of contests above the column names",
            where=source.path.name,
            row=line,
            expected="contests, candidates, and column names",
            mend="export the cast-vote records again",
        )
    title = above.pop(0)[0] if above[0][0] and len(above) > 1 else ""
    contests = _filled(above[0])
    width = len(contests)
    candidates = _wide(above[1] if len(above) > 1 else names, width)
    parties = _wide(names, width) if len(above) > 1 else [""] * width
    leading = next((p for p, text in enumerate(contests) if text), width)
    if leading == width or any(any(row[width:]) for row in (*above, names)):
        raise data_error(
            f"rows of {len(above[0])} and {len(names)} cells",
            where=source.path.name,
            row=line,
            expected="contests, candidates, and column names with parties, in rows of one length",
            mend="export the cast-vote records again",
        )
    blocks = []
    for text, run in groupby(range(leading, width), lambda p: contests[p]):
        columns = tuple(run)
        name, vote_for, ranked = contest_name(text)
        own = [p for p in columns if not ranked or candidates[p].endswith("(1)")]
        labels = tuple(candidates[p].removesuffix("(1)") if ranked else candidates[p] for p in own)
        contest = Contest(name, vote_for, ranked, labels, tuple(parties[p] for p in own))
        blocks.append(Block(contest, tuple(own), columns))
    spelt = [name or f"column {p}" for p, name in enumerate(_wide(names, leading), start=1)]
    spelt += [f"{block.contest.name}: {candidates[p]}" for block in blocks for p in block.columns]
    first = next((number for number, _ in head.rows if number > line), line + 1)
    return _Export(
        Layout(head.encoding, head.delimiter, line, tuple(spelt), first, head.notes), title, leading, tuple(blocks)
    )


def _filled(contests: Sequence[str]) -> list[str]:
    """The contest of each column, which may be said in its first column alone, up to the last one that has any."""
    width = max((p + 1 for p, text in enumerate(contests) if text), default=0)
    found: list[str] = []
    for text in contests[:width]:
        found.append(text or (found[-1] if found else ""))
    return found


def _wide(row: Sequence[str], width: int) -> list[str]:
    return [*row[:width], *[""] * (width - len(row))]


def _ballots(tables: Iterable[Table], export: _Export, options: TextOptions, file: str) -> xr.Dataset:
    """Ballots of the rows; one without a number is a sum over redacted ballots, not a ballot."""
    attrs = ballot_attrs(options, file, "options", _NAME) | {"title": export.title}
    redacted = []

    def parts() -> Iterator[Table]:
        for table in tables:
            numbered = _numbered(table)
            redacted.append(len(table) - int(numbered.sum()))
            yield table.take(numbered) if redacted[-1] else table

    ballots = ballots_of(parts(), export.blocks, range(export.leading), options, attrs)
    if not sum(redacted):
        return ballots
    data_warning(f"{sum(redacted)} row(s) without a CvrNumber are not ballots and left out", where=file)
    return ballots.assign_attrs(redacted_rows=sum(redacted))


def _numbered(table: Table) -> np.ndarray:
    number = table.columns[0]
    return np.array([text.isdigit() for text in number.texts], dtype=bool)[number.codes]


READERS = [Reader(_NAME, 3, is_cvr_csv, read_cvr_csv, stream_cvr_csv)]
