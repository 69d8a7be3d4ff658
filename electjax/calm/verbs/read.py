"""Read booths: a folder of tables, frames by name, a database, or one netCDF file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.calm.booths import checked_booths
from electjax.calm.options import ReadOptions
from electjax.calm.readers import folder, india
from electjax.data.axes import axes_json, axes_of
from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.store import is_netcdf, is_zarr, read_netcdf

AXES_FILE = "axes.json"
READERS = (india, folder)  # asked in this order


@with_options
def read(source: Any, options: ReadOptions) -> xr.Dataset:
    """Read booths into a booths Dataset (see `calm.dataset`).

    A folder holds these tables, each a file of that name whatever its ending: delimited text (packed or not), a
    workbook, or Parquet. A mapping gives them by name as frames (pandas, polars, Arrow) or paths, as in
    `calm.read({"booths": booths, "cells": "cells.csv", "votes": votes, "candidates": candidates})`.

    - `booths`: booth, constituency, electors, polled; `previous_<party>` are shares at the previous election, other
      columns of numbers covariates, other columns of text coordinates of the booths. Shares that add up to more than
      1 as they were rounded are divided by their sum.
    - `cells`: booth, a column for each axis with categories, n. Where the axis does not apply (caste of a
      non-Hindu) it is blank. A booth lacks the cells it has no row for. Sizes with fractions are rounded to whole
      electors, booth by booth.
    - instead of cells, `margins`: booth, axis, category, n. Cells are made of these by iterative proportional
      fitting, with a warning: as if the axes were independent within a booth, or with the odds ratios of
      `joint` (a column for each axis, and a weight n).
    - `votes`: booth, party, votes.
    - `candidates`: constituency, party, a column for each axis; blank where the trait is unknown. NOTA and "others"
      need no row.
    - `axes.yaml` or `axes.json`: the axes, unless they are the default ones.

    Axes are given in that file, or as `axes`, a mapping or another such file (`data.axes` on the command line):

        religion: {categories: [Hindu, Muslim, Other]}
        age: {categories: ["18-25", "26-45", "46+"], kernel: ordinal}

    A number in the column of an axis whose categories are ranges falls into its range; rows of `cells` that then are
    of one cell add up.

    The public database on religion and politics in India (one SQLite file, or a folder of its tables as CSV) has booths
    of Uttar Pradesh and Gujarat. Cells are electors by religion, from percentages of names that were matched; the
    religion of candidates is a trait. Its options are `state`, `year`, `rolls`, `previous`, `certainty`, `parties`,
    `covariates` and `faulty`.

    Total rows are left out where a label says so, rows that repeat another are counted once, each with a warning. The
    attribute `notes` says how the tables were read.

    Booths that two constituencies call alike are labelled "<constituency>/<booth>"; the other files then need a column
    constituency too. Cells are in order of their categories, parties in order of candidates.csv with "others" last.

    Args:
        source: the folder, tables by name, the database, or a file by `calm.save`, or a
            booths Dataset.

    Returns:
        A booths Dataset, as `calm.dataset` describes it.

    Raises:
        ElectionDataError: one line that names the file, the row (line of the file, the header is 1) and the column,
            what was found, what was expected and how to mend it.

    Warns:
        ElectionDataWarning: cells made of margins, and categories where their axis does not apply.

    Example:
        >>> import electjax, tempfile
        >>> with tempfile.TemporaryDirectory() as here:
        ...     folder = electjax.calm.write(electjax.calm.madipur(), f"{here}/madipur")
        ...     electjax.calm.read(folder).votes.sum("booth").to_series().index.tolist()
        ['AAP', 'BJP', 'INC']
    """
    booths = _read(source, options)
    return booths if options.name is None else booths.assign_attrs(name=options.name)


def read_booths(booths: xr.Dataset | str | os.PathLike[str]) -> xr.Dataset:
    """Booths as verbs take them, checked: a Dataset, or the path of what `calm.read` reads."""
    return read(booths) if isinstance(booths, str | os.PathLike) else checked_booths(booths)


def _read(source: Any, options: ReadOptions) -> xr.Dataset:
    if isinstance(source, xr.Dataset):
        return checked_booths(source)
    if not isinstance(source, Mapping | str | os.PathLike):
        found = type(source).__name__
        expected = "a path, or tables by name"
        raise data_error(f"found {found}", where="calm.read", expected=expected, mend='pass {"booths": ..., ...}')
    if not isinstance(source, Mapping):
        path = Path(source)
        if not path.exists():
            expected = "a folder, a database or a netCDF file"
            raise data_error("no such file", where=str(path), expected=expected, mend="check the path")
        if is_netcdf(path) or is_zarr(path):
            return _saved(path, options)
    for reader in READERS:
        if reader.recognises(source):
            return reader.read(source, options)
    raise data_error(
        "neither a folder nor netCDF",
        where=str(source),
        expected="a folder with booths.csv, a SQLite database, or a file by calm.save",
        mend="name the folder that holds the CSV files",
    )


def _saved(path: Path, options: ReadOptions) -> xr.Dataset:
    """Booths of a file; `axes` replace those of the file, whose categories must fit."""
    mend = "save the booths again, or convert the file to netCDF 4"
    booths = read_netcdf(path, expected="booths as calm.save writes them", mend=mend)
    if options.axes is not None:
        booths.attrs["axes"] = axes_json(axes_of(options.axes))
    return checked_booths(booths.assign_attrs(source=path.name))
