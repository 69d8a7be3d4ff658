"""Results of `estimate_cells`, kept in files."""

import os
from pathlib import Path

import xarray as xr

from electjax.files import atomic_path
from electjax.labelled.ballots.store import read_netcdf
from electjax.labelled.checks import in_a_folder
from electjax.labelled.errors import data_error
from electjax.labelled.units.check import CONVENTIONS


def is_cells(result: object) -> bool:
    """Whether something is the result of `estimate_cells`."""
    return isinstance(result, xr.Dataset) and result.attrs.get("conventions") == CONVENTIONS


def checked_cells(result: object) -> xr.Dataset:
    """The argument, which must be a result of `estimate_cells`."""
    if not isinstance(result, xr.Dataset) or not is_cells(result):
        raise data_error(
            "no estimate", where="cells", expected="the result of estimate_cells", mend="make it with that"
        )
    return result


def save_cells(result: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write an estimate to a netCDF file, whole or not at all; `load_cells` gives it back bit by bit."""
    target = in_a_folder(path)
    own = checked_cells(result)
    with atomic_path(target) as partial:
        own.to_netcdf(partial, engine="h5netcdf")
    return target


def load_cells(path: str | os.PathLike[str]) -> xr.Dataset:
    """An estimate that `save_cells` wrote."""
    if not Path(path).is_file():
        raise data_error("no such file", where=str(path), expected="a file of save_cells", mend="check the path")
    mend = "give the path of the netCDF file"
    result = read_netcdf(Path(path), expected="a file of save_cells", mend=mend, where=str(path))
    return checked_cells(result)
