"""`electjax.ecological.read`: units of long and wide tables, DataFrames, and files of `ecological.save`."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import default_of, with_options
from electjax.data.records import Batch
from electjax.data.store import is_netcdf, is_zarr, load
from electjax.ecological.options import MERGE_BELOW, ReadOptions
from electjax.ecological.readers import readers
from electjax.ecological.readers.columns import read_source, theirs
from electjax.ecological.readers.draft import finished
from electjax.ecological.readers.sides import with_electors, with_equal_totals, without_empty
from electjax.ecological.readers.traits import join_traits
from electjax.ecological.readers.truth import join_truth, sum_truth
from electjax.ecological.schema import UNITS, validate

Source = str | os.PathLike[str] | pd.DataFrame | xr.Dataset


@with_options
def read(path: Source, *, options: ReadOptions) -> xr.Dataset:
    """Read row and column margins of units into a units Dataset (see `electjax.ecological.schema`).

    Formats, told apart by their header:

    - long: one row for each unit, side and option, with columns contest (or district, constituency), unit, side,
      option and votes. A number of the contest (`district_no`) keeps contests of one name apart. Of the two sides,
      one called party, list (Zweitstimme, PR) or group is rows, one called candidate (Erststimme, SMD) is columns, an
      earlier year comes before a later one; else the first one is rows.
    - wide: one row for each unit, with `rows` and `columns` naming columns of the table.
    - a file by `ecological.save`, or a units Dataset: these are as they were made, checked.

    Text may be separated by commas, semicolons or tabs, and gzipped or zipped. Options without votes in their contest
    and empty units are left out; `notes` says so, and names contests whose truth has other margins.

    Args:
        path: of a table or of what was saved; or a DataFrame or a Dataset.

    Returns:
        row_margin(unit, row) and column_margin(unit, column), voters; truth(contest, row, column) and
        unit_truth(unit, row, column) where they were counted; row_name, column_name, row_party and column_party by
        contest; traits where they are given.

    Raises:
        ElectionDataError: one line that names the file, the row (line of the file, the header is 1; of a DataFrame
            counted from 0) and the column, what was found, what was expected and how to mend it.

    Example:
        >>> import electjax
        >>> import pandas as pd
        >>> table = pd.DataFrame({"old": [30, 10], "young": [20, 40], "dem": [25, 20], "rep": [25, 30]})
        >>> units = electjax.ecological.read(table, rows=["old", "young"], columns=["dem", "rep"])
        >>> units["column_margin"].values.tolist()
        [[25, 25], [20, 30]]
    """
    if isinstance(path, xr.Dataset) or (not isinstance(path, pd.DataFrame) and _is_saved(Path(path))):
        return _made(path, options)
    batch, notes = read_source(path, options.encoding)
    lacking = [(reader, reader.lacks(batch, options)) for reader in readers()]
    reader = next((reader for reader, lack in lacking if not lack), None)
    if reader is None:
        raise data_error(
            ", and ".join(f"{lack} as the {reader.name} format has" for reader, lack in lacking),
            where=batch.file,
            row=1,
            expected=", or ".join(reader.needs for reader, _ in lacking),
            mend=f"columns: {', '.join(batch.names[:30])}",
        )
    draft = reader.read(batch, options)
    draft = replace(draft, notes=[*notes, *draft.notes])
    draft = without_empty(with_equal_totals(with_electors(draft, rescale=options.rescale), rescale=options.rescale))
    draft = sum_truth(draft)
    if options.truth is not None and not isinstance(options.truth, Mapping):
        counted, notes = read_source(options.truth, options.encoding)
        draft = replace(draft, notes=[*draft.notes, *notes])
        columns: dict[str, str | None] = {
            name: theirs(counted, getattr(options, name)) for name in ("contest", "votes")
        }
        draft = join_truth(draft, counted, **columns)
    if options.row_traits is not None or options.column_traits is not None:
        of_rows, row_notes = _optional(options.row_traits, options.encoding)
        of_columns, column_notes = _optional(options.column_traits, options.encoding)
        draft = replace(draft, notes=[*draft.notes, *row_notes, *column_notes])
        draft = join_traits(draft, of_rows, of_columns, options.axes, contest=options.contest, option=options.option)
    below = MERGE_BELOW if options.merge_below is None else options.merge_below
    stem = "units" if isinstance(path, pd.DataFrame) else Path(path).name.split(".")[0]
    return finished(draft, name=options.name or stem, merge_below=below)


def _is_saved(path: Path) -> bool:
    return is_netcdf(path) or is_zarr(path)


def _made(source: xr.Dataset | str | os.PathLike[str], options: ReadOptions) -> xr.Dataset:
    """Units that are made already: no option but their name says anything about them."""
    units = validate(source) if isinstance(source, xr.Dataset) else load(source, [UNITS])
    given = [f.name for f in fields(options) if f.name != "name" and getattr(options, f.name) is not default_of(f)]
    if given:
        raise data_error(
            f"{sorted(given)[0]} for units that are made",
            where=str(units.attrs.get("source", "units")),
            expected="only a name",
            mend="give it when reading the table",
        )
    return units if options.name is None else units.assign_attrs(name=options.name)


def _optional(table: Any, encoding: str | None) -> tuple[Batch | None, list[str]]:
    return (None, []) if table is None else read_source(table, encoding)
