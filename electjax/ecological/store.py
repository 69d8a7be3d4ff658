"""Units in netCDF files, written whole or not at all."""

import os
from pathlib import Path

import xarray as xr

from electjax.data.files import atomic_path, in_a_folder
from electjax.data.store import read_netcdf
from electjax.ecological.schema import validate


def save(units: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write units to a netCDF file that `ecological.read` reads back identically.

    It is written beside the target and renamed, so the target is either the old file or the whole new one.

    Raises:
        ElectionDataError: units that break the schema, or no such parent folder.
    """
    target = in_a_folder(path)
    checked = validate(units)
    with atomic_path(target) as partial:
        checked.to_netcdf(partial, engine="h5netcdf")
    return target


def load_units(path: Path) -> xr.Dataset:
    """Units of a netCDF file."""
    mend = "save the units again, or convert the file to netCDF 4"
    units = read_netcdf(path, expected="units as ecological.save writes them", mend=mend)
    source = units.attrs.get("source", path.name)
    return validate(units.assign_attrs(source=path.name)).assign_attrs(source=source)  # faults are of this file
