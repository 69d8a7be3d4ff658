"""Ballots in netCDF files and Zarr folders, written whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import xarray as xr

from electjax.data import store
from electjax.data.errors import data_error
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.store import loaded, need_zarr
from electjax.voter_types.schema import VARIABLES, validate

_ROWS_PER_FILE = 1 << 16  # a chunk of `voter_types.stream` is four of them


def save(ballots: xr.Dataset | Iterable[xr.Dataset], path: str | os.PathLike[str]) -> Path:
    """Write ballots to a netCDF file, or to a Zarr folder where the name ends in ".zarr", as `read` reads them.

    Args:
        ballots: a Dataset; for a Zarr folder also its chunks of voters in turn, as `voter_types.stream` yields them, so
            that ballots which do not fit into memory can be converted.
        path: the file or folder, which is replaced. It is written beside the target and renamed, so the target is
            either as it was or wholly new.

    Raises:
        ElectionDataError: ballots that break the schema, no such parent folder, or a Zarr folder without zarr.
    """
    target = in_a_folder(path)
    if target.suffix == ".zarr":
        need_zarr(target)
        with atomic_path(target) as partial:
            chunks = [ballots] if isinstance(ballots, xr.Dataset) else ballots
            for number, chunk in enumerate(chunks):
                _append(validate(chunk.load()), partial, first=number == 0)
        return target
    if not isinstance(ballots, xr.Dataset):
        raise data_error("chunks of voters", where=str(target), expected="a folder *.zarr", mend="name it so")
    checked = validate(ballots.load())
    with atomic_path(target) as partial:
        checked.to_netcdf(partial, engine="h5netcdf")
    return target


@contextmanager
def opened(path: Path) -> Iterator[xr.Dataset]:
    """Open ballots in a netCDF file or Zarr folder; variables are read when they are used."""
    mend = "save the ballots again, or convert the file to netCDF 4"
    with store.opened(path, expected="ballots as voter_types.save writes them", mend=mend) as ds:
        # Appending to a Zarr folder forgets which of its variables are coordinates.
        yield ds.set_coords([name for name in ds.data_vars if name not in VARIABLES])


def slices(path: Path, size: int) -> Iterator[xr.Dataset]:
    """The ballots of a netCDF file or Zarr folder, `size` voters at a time."""
    with opened(path) as ds:
        yield from dataset_slices(ds, size)


def dataset_slices(ds: xr.Dataset, size: int) -> Iterator[xr.Dataset]:
    """A Dataset `size` voters at a time, each part loaded and checked."""
    for start in range(0, ds.sizes.get("voter", 0), size):
        yield validate(loaded(ds.isel(voter=slice(start, start + size))))


def _append(ds: xr.Dataset, folder: Path, *, first: bool) -> None:
    """Write the first chunk, or its voters after those already there; text of any length, so that later chunks fit."""
    ds = ds.copy()
    for name in chain(ds.data_vars, ds.coords):
        if ds[name].dtype.kind == "U":
            ds[name] = ds[name].astype(object)
    if first:
        chunks = {
            name: {"chunks": tuple(_ROWS_PER_FILE if d == "voter" else max(n, 1) for d, n in ds[name].sizes.items())}
            for name in ds.variables
            if "voter" in ds[name].dims
        }
        ds.to_zarr(folder, mode="w", zarr_format=2, encoding=chunks, consolidated=True)
        return
    with opened(folder) as before:
        for name in ("office", "option"):
            if before[name].values.tolist() != ds[name].values.tolist():
                raise data_error(
                    f"chunks differ in {name}", where=folder.name, expected="chunks of one source", mend="stream again"
                )
    voters = ds.drop_vars([name for name in ds.variables if "voter" not in ds[name].dims])
    voters.to_zarr(folder, append_dim="voter", consolidated=True)
