"""Cast-vote records as Dominion systems export them, to CSV.

CSV has one row per card and one column per contest and candidate. Line 1 holds the election and the version, then come
contests, candidates, and the names of the leading columns (CvrNumber, TabulatorNum, ...) with the candidates' parties.
Marks are 0 and 1, blank where the contest is not on the ballot. A ranked contest has a column per candidate and rank;
the first rank is the vote. Where a ballot has several cards each is a row.
"""

from collections.abc import Iterator
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning
from electjax.data.records import Labels, Records, clean, make_batch, number_cells
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import (
    HEADER_ROWS,
    Cast,
    Contest,
    Reader,
    Source,
    ballot_attrs,
    cast_ballots,
    chosen_contests,
    contest_name,
    finish_ballots,
)

_IDENTITY = ["cvrnumber", "tabulatornum"]
_NOT_A_MARK = -2


class _Marks(dict[str, int]):
    """Mark by cell: -1 not on the ballot, 0, 1, and -2 for anything else."""

    def __missing__(self, cell: str) -> int:
        text = clean(cell)
        self[cell] = mark = {"": -1, "0": 0, "1": 1}.get(text, _NOT_A_MARK)
        return mark


class _Layout(NamedTuple):
    """The header: names of the leading columns, the contests, and the columns of each contest's votes."""

    title: str
    leading: tuple[str, ...]
    names: tuple[str, ...]
    contests: tuple[Contest, ...]
    spans: tuple[tuple[int, int], ...]
    firsts: tuple[int, ...]  # how many columns of the span are votes (all, but the first rank only where ranked)


class _Part(NamedTuple):
    """Some ballots: their lines, numbers of the texts in their leading columns, and votes; and rows that are none."""

    lines: np.ndarray
    codes: list[np.ndarray]
    cast: Cast
    redacted: int


def is_cvr_csv(source: Source) -> bool:
    """Whether the first four records are those of a cast-vote-record export."""
    return len(source.head) == HEADER_ROWS and source.head[3][:2] == _IDENTITY


def read_cvr_csv(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    records = source.records
    layout = _layout(records)
    chosen = chosen_contests(layout.contests, options, records.file)
    texts = [Labels() for _ in layout.leading]
    marks = _Marks()
    parts = [
        _part(records.file, layout, chosen, lines, rows, texts, marks, options)
        for lines, rows in records.chunks(skip=HEADER_ROWS)
    ]
    return _dataset(records.file, layout, chosen, _joined(parts, records.file), texts, options)


def stream_cvr_csv(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The ballots of the export in chunks of `size` rows."""
    records = source.records
    layout = _layout(records)
    chosen = chosen_contests(layout.contests, options, records.file)
    every = [Labels() for _ in layout.leading]
    if options.covariates:  # levels are those of the whole file
        for _, rows in records.chunks(skip=HEADER_ROWS):
            number_cells(rows, every)
    marks = _Marks()
    for lines, rows in records.chunks(skip=HEADER_ROWS, size=size):
        texts = every if options.covariates else [Labels() for _ in every]
        part = _part(records.file, layout, chosen, lines, rows, texts, marks, options)
        if len(part.lines):
            yield _dataset(records.file, layout, chosen, part, texts, options)


def _layout(records: Records) -> _Layout:
    head = records.head(HEADER_ROWS)
    title, contests, candidates, names = head
    width = len(names)
    leading = next((p for p, text in enumerate(contests) if text), width)
    if leading == width or len(contests) != width or len(candidates) != width:
        raise data_error(
            f"rows of {len(contests)}, {len(candidates)} and {width} cells",
            where=records.file,
            row=2,
            expected="contests, candidates, and column names with parties, in rows of one length",
            mend="export the cast-vote records again",
        )
    groups = [(text, [p for p, _ in run]) for text, run in groupby(enumerate(contests[leading:]), lambda pair: pair[1])]
    made, spans, firsts = [], [], []
    for text, columns in groups:
        name, vote_for, ranked = contest_name(text)
        labels = [candidates[leading + p] for p in columns]
        count = sum(label.endswith("(1)") for label in labels) if ranked else len(labels)
        options = tuple(label.removesuffix("(1)") if ranked else label for label in labels[:count])
        parties = tuple(names[leading + p] for p in columns[:count])
        made.append(Contest(name, vote_for, ranked, options, parties))
        spans.append((columns[0], columns[-1] + 1))
        firsts.append(count)
    return _Layout(
        title[0], tuple(names[:leading]), tuple(candidates[leading:]), tuple(made), tuple(spans), tuple(firsts)
    )


def _part(
    file: str,
    layout: _Layout,
    chosen: list[int],
    lines: list[int],
    rows: list[list[str]],
    texts: list[Labels],
    marks: _Marks,
    options: TextOptions,
) -> _Part:
    """Marks of some rows as votes; a row without a number is a sum over redacted ballots, not a ballot."""
    kept = [k for k, row in enumerate(rows) if clean(row[0]).isdigit()]
    ballots = rows if len(kept) == len(rows) else [rows[k] for k in kept]
    at = np.array(lines, dtype=np.int64)[kept]
    leading = len(layout.leading)
    flat = np.fromiter(
        map(marks.__getitem__, chain.from_iterable(row[leading:] for row in ballots)),
        np.int8,
        len(ballots) * len(layout.names),
    )
    table = flat.reshape(len(ballots), len(layout.names))
    choice = np.empty((len(ballots), len(chosen)), dtype=np.int16)
    overvoted, spoilt = np.zeros((2, *choice.shape), dtype=bool)
    for k, j in enumerate(chosen):
        start, stop = layout.spans[j]
        block = table[:, start:stop]
        on_ballot = (block != -1).any(axis=1)
        marked = block[:, : layout.firsts[j]] == 1
        votes = marked.sum(axis=1)
        choice[:, k] = np.where(on_ballot, np.where(votes == 1, marked.argmax(axis=1) + 1, 0), -1)
        overvoted[:, k] = votes > 1
        spoilt[:, k] = (block == _NOT_A_MARK).any(axis=1)
        if spoilt[:, k].any() and options.invalid == "error":
            voter = int(spoilt[:, k].argmax())
            column = start + int((block[voter] == _NOT_A_MARK).argmax())
            raise data_error(
                f"{ballots[voter][leading + column]!r} is not a mark",
                where=file,
                row=int(at[voter]),
                column=f"{layout.contests[j].name}: {layout.names[column]}",
                expected="0, 1, or a blank where the contest is not on the ballot",
                mend="correct the cell, or pass invalid='missing'",
            )
    return _Part(at, number_cells(ballots, texts), Cast(choice, overvoted, spoilt), len(rows) - len(ballots))


def _joined(parts: list[_Part], file: str) -> _Part:
    if not sum(len(part.lines) for part in parts):
        raise data_error("no ballots after the header", where=file, expected="ballots", mend="check the file")
    lines, codes, cast, redacted = zip(*parts, strict=True)
    return _Part(
        np.concatenate(lines),
        [np.concatenate(column) for column in zip(*codes, strict=True)],
        Cast(*(np.concatenate(votes) for votes in zip(*cast, strict=True))),
        sum(redacted),
    )


def _dataset(
    file: str, layout: _Layout, chosen: list[int], part: _Part, texts: list[Labels], options: TextOptions
) -> xr.Dataset:
    attrs = ballot_attrs(options, file, "options", "Dominion CSV") | {"title": layout.title}
    if part.redacted:
        data_warning(f"{part.redacted} row(s) without a CvrNumber are not ballots and left out", where=file)
        attrs["redacted_rows"] = part.redacted
    batch = make_batch(file, layout.leading, part.lines, part.codes, texts)
    return finish_ballots(cast_ballots(layout.contests, chosen, part.cast, options, attrs), batch, options)


READERS = [Reader("Dominion CSV", 2, is_cvr_csv, read_cvr_csv, stream_cvr_csv)]
