"""Booths in netCDF files and in folders of tidy CSV files, written whole or not at all."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from electjax.calm.schema import validate
from electjax.data.axes import Axis, axes_json, axes_of
from electjax.data.errors import data_error
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.store import is_netcdf, read_netcdf

AXES_FILE = "axes.json"
_FILES = ("booths.csv", "cells.csv", "votes.csv", "candidates.csv", AXES_FILE)


def save(booths: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write booths to a netCDF file that `calm.read` reads back identically, with all that they carry.

    It is written beside the target and renamed, so the target is either the old file or the whole new one.

    Raises:
        ElectionDataError: booths that break the schema, or no such parent folder.
    """
    target = in_a_folder(path)
    checked = validate(booths)
    with atomic_path(target) as partial:
        checked.to_netcdf(partial, engine="h5netcdf")
    return target


def load_booths(path: Path, axes: Mapping[str, Any] | Sequence[Axis] | None = None) -> xr.Dataset:
    """Booths of a netCDF file; `axes` replace those of the file, whose categories must fit."""
    if not is_netcdf(path):
        raise data_error(
            "neither a folder nor netCDF",
            where=path.name,
            expected="a folder with booths.csv, or a file by calm.save",
            mend="name the folder that holds the CSV files",
        )
    mend = "save the booths again, or convert the file to netCDF 4"
    booths = read_netcdf(path, expected="booths as calm.save writes them", mend=mend)
    if axes is not None:
        booths.attrs["axes"] = axes_json(axes_of(axes))
    booths.attrs["source"] = path.name
    return validate(booths)


def write(booths: xr.Dataset, folder: str | os.PathLike[str]) -> Path:
    """Write booths as the folder of tidy CSV files that `calm.read` reads.

    What comes back is the same but for the order of cells, parties and constituencies (see there), constituencies
    without booths, and a known truth, which has no place in these files; attributes other than `axes` are lost too.

    Raises:
        ElectionDataError: booths that break the schema, no such parent folder, or a folder with other files in it.
    """
    target = in_a_folder(folder)
    ds = validate(booths)
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
    index = {label: a for a, label in enumerate(ds["constituency"].values.tolist())}
    of = np.array([index[label] for label in ds["booth_constituency"].values.tolist()])
    booth, party = np.nonzero(ds["fielded"].values[of])
    return pd.DataFrame(
        {
            "booth": ds["booth"].values[booth],
            "party": ds["party"].values[party],
            "votes": ds["votes"].values[booth, party],
        }
    )


def _traits(ds: xr.Dataset, axes: Sequence[Axis]) -> pd.DataFrame:
    """Candidates of the constituencies that have booths."""
    polling = np.isin(ds["constituency"].values, ds["booth_constituency"].values)
    constituency, party = np.nonzero(ds["fielded"].values & polling[:, None])
    columns = {"constituency": ds["constituency"].values[constituency], "party": ds["party"].values[party]}
    for d, axis in enumerate(axes):
        source = "candidate_category" if axis.categories else "candidate_value"
        columns[axis.name] = ds[source].values[constituency, party, d]
    return pd.DataFrame(columns)
