"""Read units: long and wide tables, DataFrames, and saved units."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import xarray as xr

from electjax.data.axes import Axis
from electjax.data.checks import check_choice
from electjax.data.errors import data_error
from electjax.data.records import Batch
from electjax.data.store import is_netcdf
from electjax.ecological.readers.draft import Draft, units_dataset
from electjax.ecological.readers.long import lacking, read_long, theirs
from electjax.ecological.readers.merge import drop_unused, merge_small
from electjax.ecological.readers.table import read_source
from electjax.ecological.readers.totals import with_electors, with_equal_totals, without_empty
from electjax.ecological.readers.traits import join_traits
from electjax.ecological.readers.truth import join_truth, sum_truth
from electjax.ecological.readers.wide import Cells, need_sides, read_wide
from electjax.ecological.schema import RowKind, validate
from electjax.ecological.store import load_units

MERGE_BELOW = 0.03
Table = str | os.PathLike[str] | pd.DataFrame


def read(
    source: Table | xr.Dataset,
    *,
    truth: Table | Cells | None = None,
    merge_below: float | None = None,
    contest: str | None = None,
    unit: str | None = None,
    side: str | None = None,
    option: str | None = None,
    votes: str | None = None,
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
    """Read row and column margins of units into a units Dataset (see `electjax.ecological.schema`).

    Formats, told apart by their header:

    - long: one row for each unit, side and option, with columns contest (or district, constituency), unit, side,
      option and votes. A number of the contest (`district_no`) keeps contests of one name apart. Of the two sides,
      one called party, list (Zweitstimme, PR) or group is rows, one called candidate (Erststimme, SMD) is columns, an
      earlier year comes before a later one; else the first one is rows.
    - wide: one row for each unit, with `rows` and `columns` naming columns of the table.
    - a netCDF file by `ecological.save`, or a units Dataset: these are as they were made, checked.

    Text may be separated by commas, semicolons or tabs, and gzipped or zipped. Options without votes in their contest
    and empty units are left out; `notes` says so.

    Args:
        source: a path, a DataFrame or a Dataset.
        truth: the counted cross-tables: a table with contest, row (or party), column (or candidate) and votes; or, of
            a wide table, its columns with the units' cells, {(row, column): name}. Options are joined by name, those
            whose names differ by their votes or in order of appearance; `notes` names contests whose margins differ.
        merge_below: options with a share below it in their contest become one option OTHER, where there are at least
            two of them; 0 for no merging. Default: 0.03. Units that are made are merged already.
        contest, unit: columns, where the header calls them otherwise; the contest's in the other tables, too.
        side, option, votes: the same of a long table.
        rows: of a long table, the side that is rows; of a wide one, columns.
        columns: of a wide table, columns.
        electors: column of the units' electors, who become "did not vote" as far as they did not: on the side of
            columns where rows hold all electors, on both sides where rows are votes of another election.
        kind: what rows are, "votes" on another ballot paper or "groups" of people. Default: by the name of the side
            of a long table, else votes if half of the rows are called like columns or their parties.
        rescale: scale the rows of a unit to the total of its columns (or electors), instead of refusing totals that
            differ.
        row_traits, column_traits: tables of options: option (or candidate, party), contest unless the same in all,
            then columns of categories or numbers, blank where unknown.
        axes: configuration of the traits' axes, as for booths. Default: each column of text is one.
        encoding: codec of text files. Default: UTF-8 (UTF-16 by its mark), or Windows-1252 where the file is not.
        name: name of the units; default: the file's.

    Raises:
        ElectionDataError: one line that names the file, the row (line of the file, the header is 1; of a DataFrame
            counted from 0) and the column, what was found, what was expected and how to mend it.
    """
    if kind is not None:
        check_choice("ecological.read(kind=)", kind, get_args(RowKind))
    below = MERGE_BELOW if merge_below is None else merge_below
    if isinstance(below, bool) or not 0 <= below < 1:
        mend = "0.03 merges options below 3 %, 0 none"
        raise data_error(f"found {below!r}", where="merge_below", expected="a share of votes in [0, 1)", mend=mend)
    if isinstance(source, xr.Dataset) or (not isinstance(source, pd.DataFrame) and is_netcdf(Path(source))):
        given: dict[str, Any] = {"truth": truth, "contest": contest, "unit": unit, "rows": rows, "columns": columns}
        given |= {"side": side, "option": option, "votes": votes, "electors": electors, "kind": kind, "axes": axes}
        given |= {"row_traits": row_traits, "column_traits": column_traits, "merge_below": merge_below}
        given |= {"rescale": rescale or None, "encoding": encoding}
        return _made(source, {key for key, value in given.items() if value is not None}, name)
    batch, notes = read_source(source, encoding)
    cells = truth if isinstance(truth, Mapping) else None
    long = {"side": side, "option": option, "votes": votes}
    lacks = lacking(batch, **long)
    wide = columns is not None or isinstance(rows, list | tuple) or cells is not None
    if not lacks and not wide:
        first = None if rows is None else str(rows)
        draft = read_long(batch, contest=contest, unit=unit, **long, rows=first, electors=electors, kind=kind)
    else:
        own, other = need_sides(batch, rows, columns, lacks)
        for keyword, column in long.items():
            if column is not None:
                expected, mend = "rows=[...] and columns=[...] alone", f"leave {keyword}= out, or rows= and columns="
                raise data_error(
                    "a column of long tables", where=f"{batch.file}, {keyword}", expected=expected, mend=mend
                )
        draft = read_wide(
            batch,
            contest=contest,
            unit=unit,
            rows=own,
            columns=other,
            electors=electors,
            kind=kind,
            cells=cells,
        )
    draft = replace(draft, notes=[*notes, *draft.notes])
    draft = without_empty(with_equal_totals(with_electors(draft, rescale=rescale), rescale=rescale))
    draft = sum_truth(draft)
    if truth is not None and not isinstance(truth, Mapping):
        counted, notes = read_source(truth, encoding)
        draft = replace(draft, notes=[*draft.notes, *notes])
        draft = join_truth(draft, counted, contest=theirs(counted, contest), votes=theirs(counted, votes))
    if row_traits is not None or column_traits is not None:
        of_rows, row_notes = _optional(row_traits, encoding)
        of_columns, column_notes = _optional(column_traits, encoding)
        draft = replace(draft, notes=[*draft.notes, *row_notes, *column_notes])
        draft = join_traits(draft, of_rows, of_columns, axes, contest=contest, option=option)
    return finished(draft, name=name or _stem(source), merge_below=below)


def finished(draft: Draft, *, name: str, merge_below: float) -> xr.Dataset:
    """The Dataset of a draft, without options nobody voted for, small ones merged."""
    return units_dataset(
        merge_small(drop_unused(draft), merge_below), name=name, source=draft.where, merge_below=merge_below
    )


def _made(source: xr.Dataset | str | os.PathLike[str], given: set[str], name: str | None) -> xr.Dataset:
    units = validate(source) if isinstance(source, xr.Dataset) else load_units(Path(source))
    if given:
        raise data_error(
            f"{sorted(given)[0]} for units that are made",
            where=str(units.attrs.get("source", "units")),
            expected="only a name",
            mend="give it when reading the table",
        )
    return units if name is None else units.assign_attrs(name=name)


def _optional(table: Table | None, encoding: str | None) -> tuple[Batch | None, list[str]]:
    return (None, []) if table is None else read_source(table, encoding)


def _stem(source: Any) -> str:
    return "units" if isinstance(source, pd.DataFrame) else Path(source).name.split(".")[0]
