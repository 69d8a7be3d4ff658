"""Data and results of every kind in files, whichever wing they belong to: `electjax.save`, and loading one file."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.store import checked_kind, is_netcdf, is_zarr, opened

WINGS = ("districts", "voter_types", "calm", "ecological")
_EXPECTED = "data or a result of a wing, as `save` writes them"


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
        >>> import electjax, tempfile
        >>> delhi = electjax.districts.load("delhi2020")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = electjax.save(delhi, f"{folder}/delhi.nc")
        ...     electjax.load(path).identical(delhi)
        True
    """
    attrs = dataset.attrs if isinstance(dataset, xr.Dataset) else {}
    return Path(_store_of(attrs, "the Dataset").save(dataset, path))


def load_file(path: str | os.PathLike[str]) -> xr.Dataset:
    """What `save` wrote, checked against its schema; ElectionDataError as of `electjax.load`."""
    file = Path(path)
    if not is_netcdf(file) and not is_zarr(file):
        problem = "neither netCDF nor Zarr" if file.exists() else "no such file"
        raise data_error(problem, where=str(path), expected=_EXPECTED, mend="check the path")
    with opened(file, expected=_EXPECTED, mend="save it again", where=str(path)) as dataset:
        attrs = dict(dataset.attrs)
    found: xr.Dataset = _store_of(attrs, str(path)).load(path)
    return found


def checked(dataset: xr.Dataset) -> xr.Dataset:
    """Data or a result of any wing, checked against its schema.

    Raises:
        ElectionDataError: a Dataset of no kind that the package knows, or one that breaks its schema.
    """
    return checked_kind(dataset, "the Dataset", _store_of(dataset.attrs, "the Dataset").schemas())


def _store_of(attrs: dict[Any, Any], where: str) -> Any:
    """The module with the `save` and `load` of the wing that has this kind of Dataset."""
    told = attrs.get("conventions")
    for wing in WINGS:
        found = import_module(f"electjax.{wing}.store")
        if any(schema.conventions == told for schema in found.schemas()):
            return found
    raise data_error(
        f"conventions {told!r}", where=where, expected=_EXPECTED, mend="save it with the wing that its data belong to"
    )
