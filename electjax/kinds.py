"""Data and results of every kind, in files: `electjax.save` and `electjax.load`, whichever wing they belong to."""

import os
from importlib import import_module
from pathlib import Path

import xarray as xr

from electjax.data import store
from electjax.data.schema import Schema

_WINGS = ("districts", "voter_types", "calm", "ecological")


def save(dataset: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write data or a result of any wing to a netCDF file, or a Zarr folder where the name ends in ".zarr".

    Args:
        dataset: data or a result that a verb of the package returned.
        path: the file, which is replaced; the target is either as it was or wholly new.

    Returns:
        The path.

    Raises:
        ElectionDataError: a Dataset of no kind that the package knows, or one that breaks its schema.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> delhi = electjax.districts.load("delhi2020")
        >>> path = electjax.save(delhi, Path(tempfile.mkdtemp()) / "delhi.nc")
        >>> electjax.load(path).identical(delhi)
        True
    """
    return store.save(dataset, path, schemas())


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """What `electjax.save`, or the `save` of a wing, wrote, checked against its schema.

    Args:
        path: a netCDF file or Zarr folder.

    Returns:
        The Dataset as it was.

    Raises:
        ElectionDataError: no such file, one that is damaged, or content that breaks its schema.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> ballots = electjax.voter_types.yuma_like(voters=50)
        >>> path = electjax.save(ballots, Path(tempfile.mkdtemp()) / "ballots.nc")
        >>> electjax.load(path).sizes["voter"]
        50
    """
    return store.load(path, schemas())


def schemas() -> tuple[Schema, ...]:
    """The schemas of all wings."""
    return tuple(schema for wing in _WINGS for schema in import_module(f"electjax.{wing}.schema").SCHEMAS)
