"""Units and results in files, and a path wherever a Dataset is taken."""

import os
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data import store
from electjax.data.errors import data_error
from electjax.data.schema import Schema, unknown_kind
from electjax.ecological.schema import ESTIMATE, SCHEMAS


def save(dataset: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write units, an estimate, a context calibration or a coverage to a file that `ecological.load` reads back.

    It is written beside the target and renamed, so the target is either the old file or the whole new one.

    Args:
        dataset: what a verb of `electjax.ecological` returned.
        path: of a netCDF file, or of a Zarr folder where the name ends in ".zarr".

    Returns:
        The path.

    Raises:
        ElectionDataError: a Dataset of another kind or one that breaks its schema, or no such parent folder.

    Example:
        >>> import electjax
        >>> import tempfile
        >>> units = electjax.ecological.simulate(contests=2, units=5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = electjax.ecological.save(units, f"{folder}/units.nc")
        ...     electjax.ecological.load(path).identical(units)
        True
    """
    return store.save(dataset, path, SCHEMAS)


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """What `ecological.save` wrote: units or a result, checked.

    Raises:
        ElectionDataError: no such file, a damaged one, one of another kind, or content that breaks its schema, such as
            a variable that is missing or NaN where an option is.

    Example:
        >>> import electjax
        >>> electjax.ecological.load("nowhere.nc")
        Traceback (most recent call last):
        ...
        electjax.data.errors.ElectionDataError: nowhere.nc: no such file; expected a file of ...; check the path
    """
    return store.load(path, SCHEMAS)


def estimate_of(fit: Any) -> xr.Dataset:
    """The result of `ecological.estimate`, or the one that was saved at a path.

    Raises:
        ElectionDataError: it is neither.
    """
    if isinstance(fit, str | os.PathLike):
        fit = store.load(fit, [ESTIMATE])
    if not isinstance(fit, xr.Dataset):
        expected, mend = "the result of ecological.estimate, or its file", "make it with that"
        raise data_error(f"found {type(fit).__name__}", where="ecological(fit=)", expected=expected, mend=mend)
    if "cells" not in fit:
        unknown_kind(fit, "estimate", [ESTIMATE])
    return fit


def schemas() -> tuple[Schema, ...]:
    """Every kind of Dataset of the wing."""
    return SCHEMAS
