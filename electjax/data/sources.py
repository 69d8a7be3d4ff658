"""Any file or frame as a `Table`: delimited text, a workbook, Parquet, a pandas, polars or Arrow table.

Arrow reads text and Parquet, narwhals any frame, calamine workbooks (xlsx, xls, ods: it is the one reader of them
that needs no second pass over the sheet and holds no more than its cells).
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from electjax.data.encoded import cell_text, codes_and_texts, encoded, one_dictionary
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.footnotes import without_footnotes
from electjax.data.labels import unique_names
from electjax.data.options import made
from electjax.data.reading import TableOptions
from electjax.data.rows import select, wanted
from electjax.data.table import Style, Table, make_table
from electjax.data.text import Layout, header_of, layout_of, pieces, spaced

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = b"PAR1"


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
            found, notes = _parquet(path, options)
            return _of_arrow(found, path.name, 1, style).noted(*notes)
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


def _text(path: Path, layout: Layout, style: Style) -> Table:
    lines, parts = [np.zeros(0, np.int64)], []
    for more, columns in pieces(path, layout):
        lines.append(more)
        parts.append(columns)
    coded = [codes_and_texts(one_dictionary([part[p] for part in parts])) for p in range(len(layout.names))]
    every = np.concatenate(lines)
    return make_table(path.name, every, layout.names, coded, notes=layout.notes, header=layout.header, style=style)


def _workbook(path: Path, options: TableOptions, style: Style) -> Table:
    if not path.is_file():
        raise data_error("no such file", where=str(path), expected="a workbook", mend="check the path")
    from electjax.data.guarded import guarded  # a process of its own, which only workbooks need

    found = guarded("workbook", path, expected="a workbook", mend="save it again, or as CSV")
    sheets = {name: cells for name, cells, _ in found}
    faults = {name: lacking for name, _, lacking in found}
    if options.sheet is not None:
        if options.sheet not in sheets:
            mend = suggest(options.sheet, list(sheets))
            raise data_error(f"no sheet {options.sheet!r}", where=path.name, expected="one of the sheets", mend=mend)
        sheets = {options.sheet: sheets[options.sheet]}
    filled = {name: cells for name, cells in sheets.items() if any(any(map(cell_text, row)) for row in cells)}
    if len(filled) != 1:
        found = ", ".join(filled) or "none"
        raise data_error(
            f"{len(filled)} sheets with cells ({found})", where=path.name, expected="one table", mend="pass sheet="
        )
    ((name, cells),) = filled.items()
    if faults[name]:
        first = ", ".join(faults[name][:3])
        note = f"{len(faults[name])} cells hold an error or a formula without its value, such as {first}"
        data_warning(note, where=path.name)
    rows = [(line, [cell_text(cell) for cell in row]) for line, row in enumerate(cells, start=1)]
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


def _parquet(path: Path, options: TableOptions) -> tuple[pa.Table, list[str]]:
    """Rows of Parquet files; conditions on the folders that they lie in leave folders out, `select` does the rest."""
    import pyarrow.dataset as arrow_dataset

    try:
        dataset = _dataset(path)
        keys = [arrow_dataset.get_partition_keys(part.partition_expression) for part in dataset.get_fragments()]
        pushed, notes = None, []
        for asked, value in options.where.items():
            name = options.columns.get(asked, asked)
            there = {key[name] for key in keys if name in key}
            good = wanted(value)
            chosen = [each for each in there if each is not None and good(str(each))]
            if len(chosen) < len(there) and chosen and not (None in there and good("")):
                left = len(there) - len(chosen)
                notes.append(f"folders of {left} other values of {name} left out")
                condition = arrow_dataset.field(name).isin(chosen)
                pushed = condition if pushed is None else pushed & condition
        return dataset.to_table(filter=pushed), notes
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def first_rows(path: Path, options: TableOptions, rows: int = 1000) -> Table:
    """The beginning of a Parquet file or folder, to tell what it is."""
    try:
        found = _dataset(path).head(rows)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    return _of_arrow(found, path.name, 1, Style(options.thousands, options.suppressed)).renamed(options.columns)


def _dataset(path: Path) -> Any:
    import pyarrow.dataset as arrow_dataset

    return arrow_dataset.dataset(path, format="parquet", partitioning="hive" if path.is_dir() else None)


def _unreadable(path: Path, error: Exception) -> Exception:
    said = f"cannot be read ({error})"
    return data_error(said, where=str(path), expected="Parquet files", mend="write them again")


def _of_frame(frame: Any, style: Style) -> Table:
    """The rows of a frame, numbered from 0; labels that were made the index of a pandas frame are columns too."""
    import narwhals as nw

    if isinstance(frame, pa.Table | pa.RecordBatch):
        whole = pa.Table.from_batches([frame]) if isinstance(frame, pa.RecordBatch) else frame
        return _of_arrow(whole, "table", 0, style)
    if hasattr(frame, "set_axis"):  # pandas, with an index, and in which two columns may have one name
        frame = frame.reset_index(drop=all(name is None for name in frame.index.names))
        names = [" ".join(map(str, name)).strip() if isinstance(name, tuple) else str(name) for name in frame.columns]
        frame = frame.set_axis(unique_names(names), axis=1)
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
        texts = {name: [cell_text(cell) for cell in frame[name].to_list()] for name in frame.columns}
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
            columns.append(encoded(column))
        except (pa.ArrowException, OverflowError, ValueError) as error:
            problem, expected = f"cannot be read as text ({error})", "text, numbers or dates"
            raise data_error(problem, where=file, column=name, expected=expected, mend="correct the column") from None
    return make_table(file, lines, names, columns, header=None, style=style)
