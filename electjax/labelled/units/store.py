"""Units in netCDF files, written whole or not at all."""

import os
from pathlib import Path

import numpy as np
import xarray as xr

from electjax.files import atomic_path
from electjax.labelled.ballots.store import loaded
from electjax.labelled.checks import in_a_folder
from electjax.labelled.errors import data_error
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
    try:
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            units = loaded(opened)
    except (OSError, ValueError, KeyError) as error:
        raise data_error(
            f"cannot be opened ({error})",
            where=path.name,
            expected="units as save_units writes them",
            mend="save the units again, or convert the file to netCDF 4",
        ) from None
    units.attrs = {key: v.item() if isinstance(v, np.generic) else v for key, v in units.attrs.items()}
    source = units.attrs.get("source", path.name)
    return validate_units(units.assign_attrs(source=path.name)).assign_attrs(source=source)  # faults are of this file
