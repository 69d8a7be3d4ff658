"""Any file or frame as a `Table`: delimited text, a workbook, Parquet, a pandas, polars or Arrow table.

Arrow reads text and Parquet, narwhals any frame, calamine workbooks (xlsx, xls, ods: it is the one reader of them
that needs no second pass over the sheet and holds no more than its cells).
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as arrow

from electjax.data.errors import data_error, suggest
from electjax.data.labels import unique_names
from electjax.data.options import made
from electjax.data.reading import TableOptions
from electjax.data.rows import select, select_some, wanted, without_footnotes
from electjax.data.table import Column, Style, Table, joined, make_table
from electjax.data.text import Irregular, Layout, header_of, irregular, layout_of, regular, spaced

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = b"PAR1"
MANY_TEXTS = 100_000


def read_table(
    source: Any,
    options: TableOptions | None = None,
    *,
    rows: str = "rows",
    blank_rows: bool = False,
    said: Collection[str] = (),
    layout: Layout | None = None,
) -> Table:
    """The rows of a path or a frame.

    Args:
        source: a path, or a pandas, polars or Arrow table, or anything that narwhals takes.
        options: how it is read.
        rows: what the rows are, for the error of a table without any.
        blank_rows: whether rows without any cell, or with the first alone, stay.
        said: texts in lower case that say something here, though elsewhere they are missing, such as "none".
        layout: of a text whose header the caller knows.

    Raises:
        ElectionDataError: what cannot be read as one table.
    """
    options = made(TableOptions, {}, where="the table") if options is None else options
    table = _read(source, options, said, layout)
    table = without_footnotes(table, blank_rows=blank_rows)
    if not len(table):
        mend = "check the file, or pass header= if the names are elsewhere"
        raise data_error("no rows after the header", where=table.file, expected=rows, mend=mend)
    table = table.renamed(options.columns)
    return select(table, options.where)


def _read(source: Any, options: TableOptions, said: Collection[str] = (), layout: Layout | None = None) -> Table:
    style = Style(options.thousands, options.suppressed, said)
    if isinstance(source, Table):
        return source
    if not isinstance(source, str | os.PathLike):
        return _of_frame(source, style)
    path = Path(source)
    if is_parquet(path):
        try:
            return _of_arrow(_parquet(path, options), path.name, 1, style)
        except UnicodeDecodeError as error:
            problem, mend = f"text that is not UTF-8 ({error.reason})", "write the file again"
            raise data_error(problem, where=path.name, expected="Parquet as written", mend=mend) from None
    if is_workbook(path):
        return _workbook(path, options, style)
    return _text(path, layout or layout_of(path, options.encoding, options.header), style)


def names_of(source: Any, options: TableOptions) -> tuple[str, ...]:
    """The names of the columns of a path or a frame, without its rows where that can be; none of what is no table."""
    if not isinstance(source, str | os.PathLike):
        names = getattr(source, "column_names", None)
        return tuple(map(str, getattr(source, "columns", ()) if names is None else names))
    path = Path(source)
    if is_parquet(path):
        try:
            return tuple(_dataset(path).schema.names)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from None
    if path.is_dir():
        return ()
    if is_workbook(path):
        return tuple(_read(path, options).names)
    return layout_of(path, options.encoding, options.header).names


def is_workbook(path: Path) -> bool:
    """Whether the name is that of a workbook."""
    return path.suffix.casefold() in WORKBOOKS


def is_parquet(path: Path) -> bool:
    """Whether this is a Parquet file, or a folder of them."""
    if path.is_dir():
        return next(path.rglob("*.parquet"), None) is not None
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == PARQUET


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

    That takes a first pass. Columns with very many texts (labels of voters, say) know those of their part only.
    Arguments and errors are those of `read_table`.
    """
    options = made(TableOptions, {}, where="the table") if options is None else options
    layout = layout or layout_of(Path(source), options.encoding, options.header)

    def parts() -> Iterator[Table]:
        return table_parts(source, options, blank_rows=blank_rows, said=said, layout=layout)

    known: list[dict[str, int] | None] = [{} for _ in layout.names]
    rows = 0
    for part in parts():
        rows += len(part)
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
        return replace(table, columns=tuple(columns), of=rows)

    own = [k for k, p in enumerate(kept) if every[p] is None]
    yield from _resized(map(shared, parts()), size, own)


def table_parts(
    source: str | os.PathLike[str],
    options: TableOptions,
    *,
    blank_rows: bool = False,
    said: Collection[str] = (),
    layout: Layout | None = None,
) -> Iterator[Table]:
    """The rows of a text file in tables as they are met, each with texts of its own; a part may have no rows."""
    path = Path(source)
    layout = layout or layout_of(path, options.encoding, options.header)
    names = [name or f"column {p}" for p, name in enumerate(layout.names, start=1)]
    style = Style(options.thousands, options.suppressed, said)
    rows, whole = 0, None
    for lines, columns in _parts(path, layout):
        coded = [codes_and_texts(column) for column in columns]
        table = make_table(path.name, lines, names, coded, header=layout.header, style=style)
        table = without_footnotes(table, blank_rows=blank_rows)
        whole = replace(table, notes=layout.notes).renamed(options.columns)
        part = select_some(whole, options.where)
        rows += len(part)
        yield part
    if rows:
        return
    if whole is not None and len(whole):
        select(whole, options.where)  # says what there is instead
    mend = "check the file, or pass header= if the names are elsewhere"
    raise data_error("no rows after the header", where=path.name, expected="rows", mend=mend)


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


def one_dictionary(parts: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    """Parts of a column as one, with one dictionary."""
    if not parts:
        return pa.array([], pa.string()).dictionary_encode()
    return pa.chunked_array(parts).unify_dictionaries().combine_chunks()


def _parts(path: Path, layout: Layout) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """The columns of a text file in parts, with the line of each record."""
    line = layout.first
    given = 0
    try:
        for columns in regular(path, layout):
            count = len(columns[0])
            yield np.arange(line, line + count), columns
            line, given = line + count, given + count
    except Irregular:
        skipped = given
        for lines, columns in irregular(path, layout):
            if skipped >= len(lines):
                skipped -= len(lines)
                continue
            yield lines[skipped:], [column.slice(skipped) for column in columns]
            skipped = 0


def _text(path: Path, layout: Layout, style: Style) -> Table:
    try:
        line, lines, parts = layout.first, [], []
        for columns in regular(path, layout):
            lines.append(np.arange(line, line + len(columns[0])))
            line += len(columns[0])
            parts.append(columns)
    except Irregular:
        lines, parts = [], []
        for more, columns in irregular(path, layout):
            lines.append(more)
            parts.append(columns)
    coded = [codes_and_texts(one_dictionary([part[p] for part in parts])) for p in range(len(layout.names))]
    every = np.concatenate(lines) if lines else np.zeros(0, np.int64)
    return make_table(path.name, every, layout.names, coded, notes=layout.notes, header=layout.header, style=style)


def codes_and_texts(column: pa.DictionaryArray) -> tuple[np.ndarray, Sequence[str]]:
    """A column as the numbers of its texts, and the texts."""
    return column.indices.to_numpy(zero_copy_only=False), column.dictionary.to_pylist()


def _workbook(path: Path, options: TableOptions, style: Style) -> Table:
    if not path.is_file():
        raise data_error("no such file", where=str(path), expected="a workbook", mend="check the path")
    from electjax.data.guarded import guarded  # a process of its own, which only workbooks need

    sheets = dict(guarded("workbook", path, expected="a workbook", mend="save it again, or as CSV"))
    if options.sheet is not None:
        if options.sheet not in sheets:
            mend = suggest(options.sheet, list(sheets))
            raise data_error(f"no sheet {options.sheet!r}", where=path.name, expected="one of the sheets", mend=mend)
        sheets = {options.sheet: sheets[options.sheet]}
    filled = {name: cells for name, cells in sheets.items() if any(any(map(_said, row)) for row in cells)}
    if len(filled) != 1:
        found = ", ".join(filled) or "none"
        raise data_error(
            f"{len(filled)} sheets with cells ({found})", where=path.name, expected="one table", mend="pass sheet="
        )
    ((name, cells),) = filled.items()
    rows = [(line, [_said(cell) for cell in row]) for line, row in enumerate(cells, start=1)]
    rows = [(line, row) for line, row in rows if any(row)]
    header, columns, notes = header_of(rows, options.header, path.name)
    body = [(line, row[: len(columns)]) for line, row in rows if line > header]
    beyond = next((line for line, row in rows if line > header and any(row[len(columns) :])), None)
    if beyond is not None:
        problem, mend = f"cells beyond the last column name {columns[-1]!r}", "name their columns, or remove them"
        raise data_error(problem, where=path.name, row=beyond, expected=f"{len(columns)} cells", mend=mend)
    texts = [
        pa.array(column, pa.string()).dictionary_encode() for column in zip(*(row for _, row in body), strict=True)
    ]
    texts = texts or [pa.array([], pa.string()).dictionary_encode() for _ in columns]
    said = (*notes, f"sheet {name!r}") if len(sheets) > 1 else notes
    lines = np.array([line for line, _ in body], dtype=np.int64)
    coded = [codes_and_texts(column) for column in texts]
    return make_table(path.name, lines, columns, coded, notes=said, header=header, style=style)


def _said(cell: Any) -> str:
    """A cell as text; a whole number that is kept as a decimal one has no decimals."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return spaced(str(cell))


def _parquet(path: Path, options: TableOptions) -> pa.Table:
    """Rows of Parquet files; conditions on the folders that they lie in leave folders out, `select` does the rest."""
    import pyarrow.dataset as arrow_dataset

    try:
        dataset = _dataset(path)
        keys = [arrow_dataset.get_partition_keys(part.partition_expression) for part in dataset.get_fragments()]
        pushed = None
        for name, value in options.where.items():
            there = {key[name] for key in keys if name in key}
            good = wanted(value)
            chosen = [each for each in there if good(str(each))]
            if chosen and name not in options.columns:
                condition = arrow_dataset.field(name).isin(chosen)
                pushed = condition if pushed is None else pushed & condition
        return dataset.to_table(filter=pushed)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _dataset(path: Path) -> Any:
    import pyarrow.dataset as arrow_dataset

    return arrow_dataset.dataset(path, format="parquet", partitioning="hive" if path.is_dir() else None)


def _unreadable(path: Path, error: Exception) -> Exception:
    said = f"cannot be read ({error})"
    return data_error(said, where=str(path), expected="Parquet files", mend="write them again")


def _of_frame(frame: Any, style: Style) -> Table:
    """The rows of a frame, numbered from 0; labels that were made the index of a pandas frame are columns too."""
    import narwhals as nw

    if isinstance(frame, pa.Table):
        return _of_arrow(frame, "table", 0, style)
    if hasattr(frame, "set_axis"):  # pandas, with an index, and in which two columns may have one name
        frame = frame.reset_index(drop=all(name is None for name in frame.index.names))
        frame = frame.set_axis(unique_names([str(name) for name in frame.columns]), axis=1)
    try:
        native = nw.from_native(frame)
        table = _as_arrow(native.collect() if isinstance(native, nw.LazyFrame) else native)
    except (TypeError, pa.ArrowException) as error:
        found = type(frame).__name__
        problem = f"found {found}" if isinstance(error, TypeError) else f"cannot be read ({error})"
        expected = "a path, or a pandas, polars or Arrow table"
        raise data_error(problem, where="the table", expected=expected, mend="pass one") from None
    return _of_arrow(table, "DataFrame", 0, style)


def _as_arrow(frame: Any) -> pa.Table:
    """A frame of narwhals; a column whose cells are of several types, such as 12 and "*", as their texts."""
    try:
        return frame.to_arrow()
    except pa.ArrowException:
        texts = {name: [_said(cell) for cell in frame[name].to_list()] for name in frame.columns}
        return pa.table({name: pa.array(cells, pa.string()) for name, cells in texts.items()})


def _of_arrow(table: pa.Table, file: str, first: int, style: Style) -> Table:
    lines = np.arange(first, first + table.num_rows)
    names = [spaced(str(name)) for name in table.column_names]
    nested = next((p for p, column in enumerate(table.columns) if pa.types.is_nested(column.type)), None)
    if nested is not None:
        problem, expected = f"cells of {table.columns[nested].type}", "text, numbers or dates"
        raise data_error(problem, where=file, column=names[nested], expected=expected, mend="leave the column out")
    columns = []
    for name, column in zip(names, table.columns, strict=True):
        try:
            columns.append(_encoded(column))
        except (pa.ArrowException, OverflowError, ValueError) as error:
            problem, expected = f"cannot be read as text ({error})", "text, numbers or dates"
            raise data_error(problem, where=file, column=name, expected=expected, mend="correct the column") from None
    return make_table(file, lines, names, columns, header=None, style=style)


def _encoded(column: pa.ChunkedArray) -> tuple[np.ndarray, Sequence[str]]:
    """Codes and texts of an Arrow column of any type; null is missing."""
    kind = column.type
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    elif pa.types.is_null(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        column = arrow.dictionary_encode(column)
    whole = one_dictionary(column.chunks)
    texts = [_said(value) for value in whole.dictionary.to_pylist()]
    codes = arrow.fill_null(whole.indices, len(texts)).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), [*texts, ""]
