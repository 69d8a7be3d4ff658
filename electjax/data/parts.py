"""The rows of a text file in tables, one after another, so that they are never in memory all at once."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from electjax.data.encoded import codes_and_texts
from electjax.data.errors import data_error
from electjax.data.footnotes import Around
from electjax.data.options import made
from electjax.data.reading import TableOptions
from electjax.data.rows import select, select_some
from electjax.data.table import Column, Style, Table, joined, make_table
from electjax.data.text import Layout, layout_of, pieces

MANY_TEXTS = 100_000


def stream_tables(
    source: str | os.PathLike[str],
    size: int,
    options: TableOptions | None = None,
    *,
    blank_rows: bool = False,
    said: Collection[str] = (),
    layout: Layout | None = None,
) -> Iterator[Table]:
    """The rows of a text file in tables of `size`, each of which knows every text of the rows that are read.

    That takes a first pass, which also finds what all of them have as notes. Columns with very many texts (labels of
    voters, say) know those of their part only. Arguments and errors are those of `sources.read_table`.
    """
    options = made(TableOptions, {}, where="the table") if options is None else options
    layout = layout or layout_of(Path(source), options.encoding, options.header)

    def parts(warn: bool) -> Iterator[Table]:
        return table_parts(source, options, blank_rows=blank_rows, said=said, layout=layout, warn=warn)

    known: list[dict[str, int] | None] = [{} for _ in layout.names]
    rows = 0
    notes: dict[str, None] = {}
    for part in parts(True):
        rows += len(part)
        notes |= dict.fromkeys(part.notes)
        for p, column in enumerate(part.compact().columns):
            order = known[p]
            if order is not None:
                for text in column.texts:
                    order.setdefault(text, len(order))
                known[p] = order if len(order) <= MANY_TEXTS else None
    kept = [p for p, order in enumerate(known) if layout.names[p] or order is None or any(order)]
    every = [None if order is None else tuple(order) for order in known]

    def shared(table: Table) -> Table:
        columns = []
        for p in kept:
            column, order, texts = table.columns[p], known[p], every[p]
            if order is not None and texts is not None:
                codes = np.array([order.get(text, 0) for text in column.texts], np.int32)
                column = Column(column.name, codes[column.codes], texts)
            columns.append(column)
        return replace(table, columns=tuple(columns), of=rows, notes=tuple(notes))

    own = [k for k, p in enumerate(kept) if every[p] is None]
    yield from _resized(map(shared, parts(False)), size, own)


def table_parts(
    source: str | os.PathLike[str],
    options: TableOptions,
    *,
    blank_rows: bool = False,
    said: Collection[str] = (),
    layout: Layout | None = None,
    warn: bool = True,
) -> Iterator[Table]:
    """The rows of a text file in tables as they are met, each with texts of its own; a part may have no rows.

    The last part has the notes on all of them.
    """
    path = Path(source)
    layout = layout or layout_of(path, options.encoding, options.header)
    names = [name or f"column {p}" for p, name in enumerate(layout.names, start=1)]
    style = Style(options.thousands, options.suppressed, said)
    around = Around(blank_rows=blank_rows)
    left: Counter[str] = Counter()
    rows, whole = 0, None

    def chosen(table: Table) -> Table:
        nonlocal rows, whole
        named = replace(table, notes=layout.notes).renamed(options.columns)
        whole = named if len(named) else whole
        part = select_some(named, options.where, left)
        rows += len(part)
        return part

    def made_of(lines: np.ndarray, coded: Sequence[tuple[np.ndarray, Sequence[str]]]) -> Table:
        return make_table(path.name, lines, names, coded, header=layout.header, style=style)

    end = made_of(np.zeros(0, np.int64), [(np.zeros(0, np.int32), ())] * len(names))
    for lines, columns in pieces(path, layout):
        table = made_of(lines, [codes_and_texts(column) for column in columns])
        table, rest = around.without(joined([end, table]) if len(end) else table, last=False)
        end = end.take(np.zeros(0, np.int64)) if rest is None else rest
        yield chosen(table)
    part = chosen(around.without(end)[0])
    if not rows and whole is not None:
        select(whole, options.where)  # says what there is instead
    if not rows:
        mend = "check the file, or pass header= if the names are elsewhere"
        raise data_error("no rows after the header", where=path.name, expected="rows", mend=mend)
    if warn:
        around.warn(path.name)
    yield part.noted(*around.said(), *(f"{count} rows with another {name} left out" for name, count in left.items()))


def _resized(parts: Iterable[Table], size: int, own: Sequence[int]) -> Iterator[Table]:
    """Tables of exactly `size` rows, the last may be smaller; columns at `own` forget the texts of other tables."""
    held: list[Table] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count < size:
            continue
        whole = joined(held)
        for start in range(0, count - size + 1, size):
            yield _forgotten(whole.take(np.arange(start, start + size)), own)
        left = count % size
        held, count = [_forgotten(whole.take(np.arange(count - left, count)), own)], left
    if count:
        yield joined(held)


def _forgotten(table: Table, own: Sequence[int]) -> Table:
    if not own:
        return table
    compact = replace(table, columns=tuple(table.columns[p] for p in own)).compact().columns
    columns = list(table.columns)
    for p, column in zip(own, compact, strict=True):
        columns[p] = column
    return replace(table, columns=tuple(columns))
