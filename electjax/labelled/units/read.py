"""Read units: long and wide tables, DataFrames, and saved units."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import xarray as xr

from electjax.labelled.ballots.records import Batch
from electjax.labelled.ballots.schema import check_choice
from electjax.labelled.ballots.store import is_netcdf
from electjax.labelled.booths.axes import Axis
from electjax.labelled.errors import data_error
from electjax.labelled.units.draft import Draft, units_dataset
from electjax.labelled.units.long import is_long, read_long
from electjax.labelled.units.merge import drop_unused, merge_small
from electjax.labelled.units.schema import RowKind, validate_units
from electjax.labelled.units.store import load_units
from electjax.labelled.units.table import read_source
from electjax.labelled.units.totals import with_electors, with_equal_totals, without_empty
from electjax.labelled.units.traits import join_traits
from electjax.labelled.units.truth import join_truth, sum_truth
from electjax.labelled.units.wide import Cells, need_sides, read_wide

Table = str | os.PathLike[str] | pd.DataFrame


def read_units(
    source: Table | xr.Dataset,
    *,
    truth: Table | Cells | None = None,
    merge_below: float = 0.03,
    contest: str | None = None,
    unit: str | None = None,
    rows: Sequence[str] | str | None = None,
    columns: Sequence[str] | None = None,
    electors: str | None = None,
    kind: RowKind | None = None,
    rescale: bool = False,
    row_traits: Table | None = None,
    column_traits: Table | None = None,
    axes: Mapping[str, Any] | Sequence[Axis] | None = None,
    encoding: str | None = None,
    name: str | None = None,
) -> xr.Dataset:
    """Read row and column margins of units into a units Dataset (see `electjax.labelled.units.schema`).

    Formats, told apart by their header:

    - long: one row for each unit, side and option, with columns contest (or district, constituency), unit, side,
      option and votes. A number of the contest (`district_no`) keeps contests of one name apart. Of the two sides,
      one called party, list or group is rows, one called candidate is columns; else the first one is rows.
    - wide: one row for each unit, with `rows` and `columns` naming columns of the table.
    - a netCDF file by `save_units`, or a units Dataset: these are as they were made, checked.

    Text may be separated by commas, semicolons or tabs, and gzipped or zipped. Options without votes in their contest
    and empty units are left out; `notes` says so.

    Args:
        source: a path, a DataFrame or a Dataset.
        truth: the counted cross-tables: a table with contest, row (or party), column (or candidate) and votes; or, of
            a wide table, its columns with the units' cells, {(row, column): name}. Options are joined by name where
            all names agree, else in order of appearance; `notes` names contests whose margins differ.
        merge_below: options with a share below it in their contest become one option OTHER, where there are at least
            two of them; 0 for no merging.
        contest, unit: columns, where the header calls them otherwise.
        rows: of a long table, the side that is rows; of a wide one, columns.
        columns: of a wide table, columns.
        electors: column of the units' electors, who become "did not vote" as far as they did not: on the side of
            columns where rows hold all electors, on both sides where rows are votes of another election.
        kind: what rows are, "votes" on another ballot paper or "groups" of people. Default: by the name of the side
            of a long table; groups of a wide one.
        rescale: scale the rows of a unit to the total of its columns (or electors), instead of refusing totals that
            differ.
        row_traits, column_traits: tables of options: option (or candidate, party), contest unless the same in all,
            then columns of categories or numbers, blank where unknown.
        axes: configuration of the traits' axes, as for booths. Default: each column of text is one.
        encoding: codec of text files. Default: UTF-8, or Latin-1 where the file is not.
        name: name of the units; default: the file's.

    Raises:
        ElectionDataError: one line that names the file, the row (line of the file, the header is 1; of a DataFrame
            counted from 0) and the column, what was found, what was expected and how to mend it.
    """
    if kind is not None:
        check_choice("read_units(kind=)", kind, get_args(RowKind))
    if isinstance(merge_below, bool) or not 0 <= merge_below < 1:
        mend = "0.03 merges options below 3 %, 0 none"
        raise data_error(
            f"found {merge_below!r}", where="merge_below", expected="a share of votes in [0, 1)", mend=mend
        )
    if isinstance(source, xr.Dataset) or (not isinstance(source, pd.DataFrame) and is_netcdf(Path(source))):
        given = {"truth": truth, "contest": contest, "unit": unit, "rows": rows, "columns": columns}
        given |= {"electors": electors, "kind": kind, "row_traits": row_traits, "column_traits": column_traits}
        return _made(source, {key for key, value in given.items() if value is not None}, name)
    batch = read_source(source, encoding)
    cells = truth if isinstance(truth, Mapping) else None
    if is_long(batch) and columns is None and not isinstance(rows, list | tuple) and cells is None:
        side = None if rows is None else str(rows)
        draft = read_long(batch, contest=contest, unit=unit, rows=side, electors=electors, kind=kind)
    else:
        own, other = need_sides(batch, rows, columns)
        draft = read_wide(
            batch, contest=contest, unit=unit, rows=own, columns=other, electors=electors, kind=kind, cells=cells
        )
    draft = without_empty(with_equal_totals(with_electors(draft, rescale=rescale), rescale=rescale))
    draft = sum_truth(draft)
    if truth is not None and not isinstance(truth, Mapping):
        draft = join_truth(draft, read_source(truth, encoding))
    if row_traits is not None or column_traits is not None:
        draft = join_traits(draft, _optional(row_traits, encoding), _optional(column_traits, encoding), axes)
    return finished(draft, name=name or _stem(source), merge_below=merge_below)


def finished(draft: Draft, *, name: str, merge_below: float) -> xr.Dataset:
    """The Dataset of a draft, without options nobody voted for, small ones merged."""
    return units_dataset(
        merge_small(drop_unused(draft), merge_below), name=name, source=draft.where, merge_below=merge_below
    )


def _made(source: xr.Dataset | str | os.PathLike[str], given: set[str], name: str | None) -> xr.Dataset:
    units = validate_units(source) if isinstance(source, xr.Dataset) else load_units(Path(source))
    if given:
        raise data_error(
            f"{sorted(given)[0]} for units that are made",
            where=str(units.attrs.get("source", "units")),
            expected="only a name",
            mend="name it when reading the table",
        )
    return units if name is None else units.assign_attrs(name=name)


def _optional(table: Table | None, encoding: str | None) -> Batch | None:
    return None if table is None else read_source(table, encoding)


def _stem(source: Any) -> str:
    return "units" if isinstance(source, pd.DataFrame) else Path(source).name.split(".")[0]
