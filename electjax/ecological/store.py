"""Units in netCDF files, written whole or not at all."""

import os
from pathlib import Path

import xarray as xr

from electjax.files import atomic_path
from electjax.labelled.ballots.store import read_netcdf
from electjax.labelled.checks import in_a_folder
from electjax.labelled.units.schema import validate_units


def save_units(units: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write units to a netCDF file that `read_units` reads back identically.

    It is written beside the target and renamed, so the target is either the old file or the whole new one.

    Raises:
        ElectionDataError: units that break the schema, or no such parent folder.
    """
    target = in_a_folder(path)
    checked = validate_units(units)
    with atomic_path(target) as partial:
        checked.to_netcdf(partial, engine="h5netcdf")
    return target


def load_units(path: Path) -> xr.Dataset:
    """Units of a netCDF file."""
    mend = "save the units again, or convert the file to netCDF 4"
    units = read_netcdf(path, expected="units as save_units writes them", mend=mend)
    source = units.attrs.get("source", path.name)
    return validate_units(units.assign_attrs(source=path.name)).assign_attrs(source=source)  # faults are of this file
