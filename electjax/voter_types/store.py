"""Ballots and results in netCDF files and Zarr folders, written whole or not at all, and checked when they are read."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import xarray as xr

from electjax.data import store
from electjax.data.errors import data_error
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.schema import Schema, schema_of
from electjax.data.seal import seal
from electjax.data.store import is_zarr, loaded, need_zarr
from electjax.voter_types.schema import BALLOTS, SCHEMAS, checked

_COORDS = "coordinates_of_ballots"
_ROWS_PER_FILE = 1 << 16  # a chunk of `voter_types.stream` is four of them


def save(data: xr.Dataset | Iterable[xr.Dataset], path: str | os.PathLike[str]) -> Path:
    """Write ballots or a result to a netCDF file, or a Zarr folder where the name ends in ".zarr", for `load`.

    Args:
        data: ballots, or what a verb of voter types returned; for a Zarr folder also ballots in chunks of voters in
            turn, as `voter_types.stream` yields them, so that ballots which do not fit into memory can be converted.
        path: the file or folder, which is replaced. It is written beside the target and renamed, so the target is
            either as it was or wholly new.

    Returns:
        The path.

    Raises:
        ElectionDataError: a Dataset that breaks its schema, no such parent folder, or a Zarr folder without zarr.

    Example:
        >>> import tempfile
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = voter_types.save(ballots, f"{folder}/ballots.nc")
        ...     voter_types.load(path).sizes["voter"]
        200
    """
    target = in_a_folder(path)
    chunks = [data] if isinstance(data, xr.Dataset) else data
    if isinstance(data, xr.Dataset) and schema_of(data, SCHEMAS) not in (None, BALLOTS):
        return store.save(data.load(), target, SCHEMAS)
    if target.suffix == ".zarr":
        need_zarr(target)
        with atomic_path(target) as partial:
            for number, chunk in enumerate(chunks):
                _append(checked(chunk.load()), partial, first=number == 0)
            if partial.is_dir():
                seal(partial)
        return target
    if not isinstance(data, xr.Dataset):
        raise data_error("chunks of voters", where=str(target), expected="a folder *.zarr", mend="name it so")
    return store.save(checked(data.load()), target, SCHEMAS)


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """What `save` wrote, in memory: ballots, a fit, a selection, residuals, a bootstrap or a prediction.

    Args:
        path: the netCDF file or Zarr folder.

    Raises:
        ElectionDataError: no such file, a damaged file, data of another wing, or content that breaks the schema, such
            as a fit without a required variable or with parameters that are not numbers.

    Example:
        >>> import tempfile
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = voter_types.save(ballots, f"{folder}/ballots.nc")
        ...     voter_types.load(path).attrs["name"]
        'yuma_like'
    """
    file = Path(path)
    if is_zarr(file):
        with opened(file) as ds:
            if schema_of(ds, SCHEMAS) is BALLOTS:
                return checked(loaded(ds))
    return store.load(file, SCHEMAS)


@contextmanager
def opened(path: Path) -> Iterator[xr.Dataset]:
    """Open ballots in a netCDF file or Zarr folder; variables are read when they are used."""
    mend = "save the ballots again, or convert the file to netCDF 4"
    with store.opened(path, expected="ballots as voter_types.save writes them", mend=mend) as ds:
        # appending to a Zarr folder forgets which of its variables are coordinates
        named = ds.attrs.pop(_COORDS, None)
        coords = json.loads(named) if named else list(ds.coords)
        yield ds.set_coords([name for name in coords if name in ds.data_vars])


def slices(path: Path, size: int) -> Iterator[xr.Dataset]:
    """The ballots of a netCDF file or Zarr folder, `size` voters at a time."""
    with opened(path) as ds:
        yield from dataset_slices(ds, size)


def dataset_slices(ds: xr.Dataset, size: int) -> Iterator[xr.Dataset]:
    """A Dataset `size` voters at a time, each part loaded and checked."""
    for start in range(0, ds.sizes.get("voter", 0), size):
        yield checked(loaded(ds.isel(voter=slice(start, start + size))))


def _append(ds: xr.Dataset, folder: Path, *, first: bool) -> None:
    """Write the first chunk, or its voters after those already there; text of any length, so that later chunks fit."""
    ds = ds.copy()
    ds.attrs[_COORDS] = json.dumps(list(map(str, ds.coords)))
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


def schemas() -> tuple[Schema, ...]:
    """Every kind of Dataset of the wing."""
    return SCHEMAS
