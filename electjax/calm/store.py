"""Booths and results in files: netCDF or Zarr, and folders of tidy CSV files for booths; whole or not at all."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from electjax.calm.booths import areas_of, checked_booths
from electjax.calm.schema import FIT, POSTERIOR, schemas
from electjax.calm.verbs.read import AXES_FILE
from electjax.data import store
from electjax.data.axes import Axis, axes_of
from electjax.data.errors import data_error
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.schema import conform
from electjax.data.seal import seal

_FILES = ("booths.csv", "cells.csv", "votes.csv", "candidates.csv", AXES_FILE)


def save(data: xr.Dataset | xr.DataTree, path: str | os.PathLike[str]) -> Path:
    """Write booths, or a result of this wing, to a netCDF file, or a Zarr folder where the name ends in ".zarr".

    It is written beside the target and renamed, so the target is either as it was or wholly new.

    Args:
        data: booths, or what a verb of `electjax.calm` returned.
        path: its parent folder must be there.

    Returns:
        The path; `calm.load` reads it back identically.

    Raises:
        ElectionDataError: data that break their schema, no such parent folder, or a Zarr folder without zarr.

    Example:
        >>> import electjax, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = electjax.calm.save(electjax.calm.simulate("tiny"), f"{folder}/booths.nc")
        ...     electjax.calm.load(path).sizes["booth"]
        40
    """
    if not isinstance(data, xr.DataTree):
        return store.save(data, path, schemas())
    target = in_a_folder(path)
    if "posterior" not in data.children:
        raise data_error(
            "a tree without posterior", where="calm.save", expected="what calm.nuts returns", mend="pass it"
        )
    conform(data["posterior"].to_dataset(), POSTERIOR)
    with atomic_path(target) as partial:
        if target.suffix == ".zarr":
            store.need_zarr(target)
            data.to_zarr(partial, mode="w", zarr_format=2, consolidated=True)
        else:
            data.to_netcdf(partial, engine="h5netcdf")
        seal(partial)
    return target


def load(path: str | os.PathLike[str]) -> xr.Dataset | xr.DataTree:
    """What `calm.save` wrote, checked: booths, a fit, a prediction, ...; the chains of `calm.nuts` as a DataTree.

    Raises:
        ElectionDataError: no such file, one that is damaged or of another kind, or content that breaks its schema, such
            as a fit without `theta_value` or with parameters that are no numbers.

    Example:
        >>> import electjax, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = electjax.calm.save(electjax.calm.madipur(), f"{folder}/madipur.nc")
        ...     electjax.calm.load(path).attrs["name"]
        'madipur'
    """
    file = Path(path)
    if not (store.is_netcdf(file) or store.is_zarr(file)):
        return store.load(path, schemas())
    expected, mend = "a file as calm.save writes it", "save it again"
    with store.opened(file, expected=expected, mend=mend, where=str(path)) as root:
        chains = root.attrs.get("conventions") == POSTERIOR.conventions
    if not chains:
        return store.load(path, schemas())
    try:
        with xr.open_datatree(file, engine="h5netcdf" if file.is_file() else "zarr") as tree:
            groups = {name: store.loaded(node.to_dataset()) for name, node in tree.children.items()}
    except Exception as error:  # a damaged file makes the libraries below raise whatever they like
        raise data_error(f"cannot be opened ({error})", where=str(path), expected=expected, mend=mend) from None
    if "posterior" not in groups:
        raise data_error("no group 'posterior'", where=str(path), expected=expected, mend=mend)
    conform(groups["posterior"], POSTERIOR)
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"conventions": POSTERIOR.conventions}), **groups})


def fit_of(fit: xr.Dataset | str | os.PathLike[str]) -> xr.Dataset:
    """A fit, checked; or that of a file.

    Raises:
        ElectionDataError: no fit, or one that breaks its schema.
    """
    found = load(fit) if isinstance(fit, str | os.PathLike) else fit
    if not isinstance(found, xr.Dataset) or found.attrs.get("conventions") != FIT.conventions:
        raise data_error("no CALM fit", where="fit", expected="the result of calm.fit", mend="give the fit first")
    return found if found is not fit else conform(fit, FIT)


def write(booths: xr.Dataset, folder: str | os.PathLike[str]) -> Path:
    """Write booths as the folder of tidy CSV files that `calm.read` reads.

    What comes back is the same but for the order of cells, parties and constituencies (see there), constituencies
    without booths, and a known truth, which has no place in these files; attributes other than `axes` are lost too.

    Args:
        booths: a booths Dataset.
        folder: a new one, or one with booths only, which is replaced.

    Returns:
        The folder.

    Raises:
        ElectionDataError: booths that break the schema, no such parent folder, or a folder with other files in it.

    Example:
        >>> import electjax, tempfile
        >>> with tempfile.TemporaryDirectory() as here:
        ...     folder = electjax.calm.write(electjax.calm.madipur(), f"{here}/madipur")
        ...     sorted(path.name for path in folder.iterdir())
        ['axes.json', 'booths.csv', 'candidates.csv', 'cells.csv', 'votes.csv']
    """
    target = in_a_folder(folder)
    ds = checked_booths(booths)
    others = sorted(p.name for p in target.iterdir() if p.name not in _FILES) if target.is_dir() else []
    if others or target.is_file():
        raise data_error(
            f"there is {others[0] if others else 'a file'} already",
            where=str(target),
            expected="a new folder, or one with booths only, which is replaced",
            mend="choose another name",
        )
    axes = axes_of(ds.attrs["axes"])
    with atomic_path(target) as partial:
        partial.mkdir()
        tables = {
            "booths": _booths(ds),
            "cells": _cells(ds, axes),
            "votes": _votes(ds),
            "candidates": _traits(ds, axes),
        }
        for name, table in tables.items():
            table.to_csv(partial / f"{name}.csv", index=False)
        (partial / AXES_FILE).write_text(json.dumps(json.loads(ds.attrs["axes"]), indent=2) + "\n", encoding="utf-8")
    return target


def _booths(ds: xr.Dataset) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {
        "booth": ds["booth"].values,
        "constituency": ds["booth_constituency"].values,
        "electors": ds["electors"].values,
        "polled": ds["polled"].values,
    }
    if "previous" in ds:
        known = ~np.isnan(ds["previous"].values).all(axis=0)
        parties = ds["party"].values.tolist()
        columns |= {f"previous_{parties[k]}": ds["previous"].values[:, k] for k in np.flatnonzero(known)}
    if "covariate_value" in ds:
        names = ds["covariate"].values.tolist()
        columns |= {name: ds["covariate_value"].values[:, q] for q, name in enumerate(names)}
    for name, coord in ds.coords.items():
        if coord.dims == ("booth",) and coord.dtype.kind == "U" and name not in ("booth", "booth_constituency"):
            columns[str(name)] = coord.values
    return pd.DataFrame(columns)


def _cells(ds: xr.Dataset, axes: Sequence[Axis]) -> pd.DataFrame:
    """Cells that are not empty; a cell that is empty everywhere has one row, so that it is not forgotten."""
    sizes = ds["cell_size"].values
    written = sizes > 0
    written[0] |= ~written.any(axis=0)
    booth, cell = np.nonzero(written)
    columns = {"booth": ds["booth"].values[booth]}
    for d, axis in enumerate(axes):
        if axis.categories:
            columns[axis.name] = ds["cell_category"].values[cell, d]
    return pd.DataFrame(columns | {"n": sizes[booth, cell]})


def _votes(ds: xr.Dataset) -> pd.DataFrame:
    """Votes of the parties of the constituency; a booth without votes has rows too."""
    booth, party = np.nonzero(ds["fielded"].values[areas_of(ds)])
    labels = {"booth": ds["booth"].values[booth], "party": ds["party"].values[party]}
    return pd.DataFrame(labels | {"votes": ds["votes"].values[booth, party]})


def _traits(ds: xr.Dataset, axes: Sequence[Axis]) -> pd.DataFrame:
    """Candidates of the constituencies that have booths."""
    polling = np.isin(ds["constituency"].values, ds["booth_constituency"].values)
    constituency, party = np.nonzero(ds["fielded"].values & polling[:, None])
    columns = {"constituency": ds["constituency"].values[constituency], "party": ds["party"].values[party]}
    for d, axis in enumerate(axes):
        source = "candidate_category" if axis.categories else "candidate_value"
        columns[axis.name] = ds[source].values[constituency, party, d]
    return pd.DataFrame(columns)
