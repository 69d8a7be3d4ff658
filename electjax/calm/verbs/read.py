"""Read booths: a folder of tidy CSV files, or one netCDF file."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from electjax.calm.booths import checked_booths, dataset
from electjax.calm.options import ReadOptions
from electjax.calm.readers import returns
from electjax.calm.readers.cells import read_cells, read_margins
from electjax.data.axes import Axis, axes_json, axes_of
from electjax.data.errors import data_error
from electjax.data.labels import party_label, strings
from electjax.data.options import with_options
from electjax.data.store import is_netcdf, is_zarr, read_netcdf
from electjax.data.tables import find_table, near, need_table, read_table

AXES_FILE = "axes.json"
_CANDIDATES = "constituency, party and a column for each axis"


@with_options
def read(path: str | os.PathLike[str], options: ReadOptions) -> xr.Dataset:
    """Read booths into a booths Dataset (see `calm.dataset`).

    A folder holds these files, separated by commas, semicolons or tabs, plain or gzipped (`.csv.gz`):

    - `booths.csv`: booth, constituency, electors, polled; `previous_<party>` are shares at the previous election, other
      columns of numbers covariates, other columns of text coordinates of the booths.
    - `cells.csv`: booth, a column for each axis with categories, n. Where the axis does not apply (caste of a
      non-Hindu) it is blank. A booth lacks the cells it has no row for.
    - instead of cells, `margins.csv`: booth, axis, category, n. Cells are made of these by iterative proportional
      fitting, with a warning: as if the axes were independent within a booth, or with the odds ratios of
      `joint.csv` (a column for each axis, and a weight n).
    - `votes.csv`: booth, party, votes.
    - `candidates.csv`: constituency, party, a column for each axis; blank where the trait is unknown. NOTA and "others"
      need no row.
    - `axes.json`: the axes, unless they are the default ones.

    Booths that two constituencies call alike are labelled "<constituency>/<booth>"; the other files then need a column
    constituency too. Cells are in order of their categories, parties in order of candidates.csv with "others" last.

    Args:
        path: the folder, or a file by `calm.save`.

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
    source = Path(path)
    if not source.exists():
        raise data_error("no such file", where=str(source), expected="a folder or netCDF file", mend="check the path")
    folder = source.is_dir() and not is_zarr(source)
    booths = _folder(source, options) if folder else _file(source, options)
    return booths if options.name is None else booths.assign_attrs(name=options.name)


def read_booths(booths: xr.Dataset | str | os.PathLike[str]) -> xr.Dataset:
    """Booths as verbs take them, checked: a Dataset, or the path of what `calm.read` reads."""
    return read(booths) if isinstance(booths, str | os.PathLike) else checked_booths(booths)


def _file(path: Path, options: ReadOptions) -> xr.Dataset:
    """Booths of a file; `axes` replace those of the file, whose categories must fit."""
    if not is_netcdf(path) and not is_zarr(path):
        raise data_error(
            "neither a folder nor netCDF",
            where=path.name,
            expected="a folder with booths.csv, or a file by calm.save",
            mend="name the folder that holds the CSV files",
        )
    mend = "save the booths again, or convert the file to netCDF 4"
    booths = read_netcdf(path, expected="booths as calm.save writes them", mend=mend)
    if options.axes is not None:
        booths.attrs["axes"] = axes_json(axes_of(options.axes))
    return checked_booths(booths.assign_attrs(source=path.name))


def _folder(folder: Path, options: ReadOptions) -> xr.Dataset:
    own, spec, encoding = folder / AXES_FILE, options.axes, options.encoding
    axes = axes_of(own.read_text(encoding="utf-8") if spec is None and own.is_file() else spec)
    roll = returns.read_roll(
        read_table(need_table(folder, "booths", returns.COLUMNS), encoding), need_polled=options.votes
    )
    table = read_table(need_table(folder, "candidates", _CANDIDATES), encoding)
    candidates = returns.read_candidates(table, roll, axes)
    counted = returns.no_votes(roll, candidates)
    if options.votes:
        table = read_table(need_table(folder, "votes", "booth, party, votes"), encoding)
        counted, candidates = returns.read_votes(table, roll, candidates, options.rest)
    margins = find_table(folder, "margins")
    if margins is not None and find_table(folder, "cells") is not None:
        raise data_error("cells.csv and margins.csv", where=str(folder), expected="one of them", mend="remove one")
    if margins is not None:
        sizes, codes = read_margins(
            read_table(margins, encoding),
            roll,
            axes,
            joint=find_table(folder, "joint"),
            rescale=options.rescale,
            encoding=encoding,
        )
    else:
        file = need_table(folder, "cells", "booth, a column for each axis, n; or margins.csv: booth, axis, category, n")
        sizes, codes = read_cells(read_table(file, encoding), roll, axes)
    return _dataset(folder, roll, axes, sizes, codes, candidates, counted)


def _dataset(
    folder: Path,
    roll: returns.Roll,
    axes: Sequence[Axis],
    sizes: np.ndarray,
    codes: np.ndarray,
    candidates: returns.Candidates,
    counted: returns.Votes,
) -> xr.Dataset:
    ds = dataset(
        cell_size=sizes,
        votes=counted.votes,
        polled=counted.polled,
        cell_category=_categories(codes, axes),
        candidate_category=_categories(candidates.codes, axes),
        candidate_value=candidates.values,
        fielded=candidates.fielded,
        previous=_previous(roll, candidates.parties) if roll.previous else None,
        covariates=roll.covariates or None,
        booths=roll.labels,
        constituencies=roll.constituencies,
        booth_constituency=strings(roll.constituencies)[roll.constituency],
        parties=candidates.parties,
        axes=axes,
        name=folder.resolve().name,
        source=folder.name,
    )
    if counted.rest:
        ds.attrs["rest"] = counted.rest
    return ds.assign_coords({n: ("booth", texts) for n, texts in roll.notes.items() if n not in ds.variables})


def _categories(codes: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Labels of codes [..., d]; blank for -1."""
    labels = [np.array([*axis.categories, ""], dtype=np.str_)[codes[..., d]] for d, axis in enumerate(axes)]
    return np.stack(labels, axis=-1)


def _previous(roll: returns.Roll, parties: Sequence[str]) -> np.ndarray:
    """Previous shares of the parties, NaN for those without a column."""
    shares = np.full((len(roll.labels), len(parties)), np.nan)
    for label, values in roll.previous.items():
        party = party_label(label)
        if party not in parties:
            raise data_error(
                f"unknown party {label!r}",
                where=roll.batch.file,
                row=1,
                column=f"{returns.PREVIOUS}{label}",
                expected="a party of candidates.csv",
                mend=f"{near(label, parties)}; or remove the column",
            )
        shares[:, parties.index(party)] = values
    return shares
