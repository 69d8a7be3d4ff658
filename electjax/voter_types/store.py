"""Ballots in netCDF files and Zarr folders, written whole or not at all."""

import importlib.util
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import ElectionDataError, data_error
from electjax.data.files import atomic_path
from electjax.districts.checks import in_a_folder
from electjax.voter_types.schema import VARIABLES, validate

_ROWS_PER_FILE = 1 << 16  # a chunk of `voter_types.stream` is four of them
_MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")


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
        _need_zarr(target)
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


def is_netcdf(path: Path) -> bool:
    """Whether the file begins as netCDF does."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(8).startswith(_MAGIC)


def is_zarr(path: Path) -> bool:
    """Whether the folder is a Zarr store."""
    return path.is_dir() and any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))


@contextmanager
def opened(path: Path) -> Iterator[xr.Dataset]:
    """Open a netCDF file or Zarr folder; variables are read when they are used."""
    try:
        if is_zarr(path):
            _need_zarr(path)
            ds = xr.open_zarr(path, chunks=None)
        else:
            ds = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, ElectionDataError):
            raise
        raise data_error(
            f"cannot be opened ({error})",
            where=path.name,
            expected="ballots as voter_types.save writes them",
            mend="save the ballots again, or convert the file to netCDF 4",
        ) from None
    # Appending to a Zarr folder forgets which of its variables are coordinates.
    ds = ds.set_coords([name for name in ds.data_vars if name not in VARIABLES])
    with ds:
        ds.attrs = _plain(ds.attrs)
        yield ds


def read_netcdf(path: Path, *, expected: str, mend: str, where: str | None = None) -> xr.Dataset:
    """A whole netCDF file, as the Dataset was that it was written from.

    Args:
        expected, mend: for the error of a file that cannot be opened.
        where: what that error calls the file; its name by default.
    """
    try:
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            return loaded(ds)
    except (OSError, ValueError, KeyError) as error:
        raise data_error(
            f"cannot be opened ({error})", where=where or path.name, expected=expected, mend=mend
        ) from None


def loaded(ds: xr.Dataset) -> xr.Dataset:
    """This Dataset in memory, text and numbers as they were, without what the file says of its storage."""
    ds = ds.load().copy()
    ds.attrs = _plain(ds.attrs)
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "OTSU":  # variable-length strings come back as objects
            ds[name] = variable.copy(data=np.array(variable.values.tolist(), dtype=np.str_))
        ds[name].encoding = {}
    ds.encoding = {}
    return ds


def _plain(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes with the numbers of Python, which files give back as numpy's."""
    return {key: v.item() if isinstance(v, np.generic) else v for key, v in attrs.items()}


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


def _need_zarr(path: Path) -> None:
    if importlib.util.find_spec("zarr") is None:
        raise data_error(
            "this is a Zarr folder and zarr is not installed",
            where=path.name,
            expected="the package zarr",
            mend="pip install 'electjax[zarr]', or use netCDF",
        )
