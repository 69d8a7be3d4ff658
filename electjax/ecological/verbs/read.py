"""`electjax.ecological.read`: units of long and wide tables, of two matrices, and files of `ecological.save`."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import default_of, with_options
from electjax.data.store import is_netcdf, is_zarr, load
from electjax.data.vocabulary import find_word
from electjax.ecological.options import MERGE_BELOW, ReadOptions
from electjax.ecological.readers import readers
from electjax.ecological.readers.columns import open_table
from electjax.ecological.readers.draft import finished
from electjax.ecological.readers.pair import paired
from electjax.ecological.readers.totals import settle_totals
from electjax.ecological.readers.traits import join_traits
from electjax.ecological.readers.truth import join_truth, sum_truth
from electjax.ecological.schema import UNITS, validate

Source = Any  # a path, a table (pandas, polars, Arrow), two tables or arrays, or a Dataset


@with_options
def read(source: Source, *, options: ReadOptions) -> xr.Dataset:
    """Read row and column margins of units into a units Dataset (see `electjax.ecological.schema`).

    Formats, told apart by their header:

    - long: one row for each unit, side and option, with columns contest (or district, constituency), unit, side,
      option and votes, or usual names of these in English and German; the side may also be an election, a year or a
      kind of vote with two values, two columns of labels of which each row fills one, or two columns of votes. A number
      of the contest (`district_no`) keeps contests of one name apart. Of the two sides, one called party, list
      (Zweitstimme, PR) or group is rows, one called candidate (Erststimme, SMD) is columns, an earlier year comes
      before a later one; else the first one is rows.
    - wide, as for eiPack, eiCompare and PyEI: one row for each unit, with `rows` and `columns` naming columns of the
      table.
    - two matrices, as for fastei and in ei.Datasets, (groups, candidates): two tables or arrays with a row for each
      unit, joined by the unit's name (and contest) where both have one, else by order. `rows` and `columns` choose from
      their columns, and name those of arrays. `read(groups, column_table=candidates)` is the same.
    - a file by `ecological.save`, or a units Dataset: these are as they were made, checked.

    Numbers, in all of them:

    - counts of voters, the same total on both sides of a unit.
    - shares or percentages with `total=`, the column of voters that they are shares of (of rows that are groups,
      `electors=` if it is given): multiplied, and rounded so that both sides add up. What a side leaves of the total
      (write-ins, say) is an option "others", or with rest="drop" left out. Without `total=`, shares are refused, also
      those in whole per cent; `total=100` says that units of 100 voters each are counts.
    - groups of electors (VAP, CVAP) as rows with `electors=`: who did not vote is a column.

    A table is delimited text (packed or not), a workbook, Parquet, or a pandas, polars or Arrow table. Rows called
    totals are left out, rows that repeat another word for word are counted once, each with a warning; several
    elections in a table are refused unless `contest=` keeps them apart. `covariates=` keeps numbers that are known of
    units, `area=` the label of a county, say; `ecological.estimate` does not use them yet. Columns that are not used
    are named in `notes`. Options without votes in their contest and empty units are left out; `notes` says so, and
    names contests whose truth has other margins.

    Args:
        source: the path of a table or of what was saved; or a table, a pair of them, or a Dataset.

    Returns:
        row_margin(unit, row) and column_margin(unit, column), voters; truth(contest, row, column) and
        unit_truth(unit, row, column) where they were counted; row_name, column_name, row_party and column_party by
        contest; traits, unit_covariate(unit, unit_variable) and unit_area(unit) where they are given.

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
    if isinstance(source, xr.Dataset) or _is_saved(source):
        return _made(source, options)
    if options.column_table is not None:
        source = (*source, options.column_table) if isinstance(source, list | tuple) else (source, options.column_table)
    aside = replace(options, header=None, sheet=None)  # of other tables
    if isinstance(source, list | tuple):
        table, options = paired(source, options)
    else:
        table = open_table(source, options)
    lacking = [(reader, reader.lacks(table, options)) for reader in readers()]
    reader = next((reader for reader, lack in lacking if not lack), None)
    if reader is None:
        raise data_error(
            ", and ".join(f"{lack} as the {reader.name} format has" for reader, lack in lacking) + table.doubt,
            where=table.file,
            row=table.header,
            expected=", or ".join(reader.needs for reader, _ in lacking),
            mend=f"columns: {', '.join(table.names[:30])}",
        )
    total = find_word(table, "total")
    draft = settle_totals(reader.read(table, options), options, None if total is None else table.names[total])
    draft = sum_truth(draft)
    if options.truth is not None and not isinstance(options.truth, Mapping):
        draft = join_truth(draft, open_table(options.truth, aside, other=True), aside)
    if options.row_traits is not None or options.column_traits is not None:
        rows, columns = (
            None if traits is None else open_table(traits, aside, other=True)
            for traits in (options.row_traits, options.column_traits)
        )
        draft = join_traits(draft, rows, columns, aside)
    below = MERGE_BELOW if options.merge_below is None else options.merge_below
    first = source[0] if isinstance(source, list | tuple) else source
    stem = Path(first).name.split(".")[0] if isinstance(first, str | os.PathLike) else "units"
    return finished(draft, name=options.name or stem, merge_below=below)


def _is_saved(source: Any) -> bool:
    return isinstance(source, str | os.PathLike) and (is_netcdf(Path(source)) or is_zarr(Path(source)))


def _made(source: xr.Dataset | str | os.PathLike[str], options: ReadOptions) -> xr.Dataset:
    """Units that are made already: no option but their name says anything about them."""
    units = validate(source) if isinstance(source, xr.Dataset) else load(source, [UNITS])
    given = [
        item.name
        for item in fields(options)
        if item.name != "name" and not _is_default(getattr(options, item.name), default_of(item))
    ]
    if given:
        raise data_error(
            f"{min(given)} for units that are made",
            where=str(units.attrs.get("source", "units")),
            expected="only a name",
            mend="give it when reading the table",
        )
    return units if options.name is None else units.assign_attrs(name=options.name)


def _is_default(value: Any, usual: Any) -> bool:
    return value is usual or (isinstance(value, str | Mapping) and value == usual)
