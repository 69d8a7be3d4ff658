"""The units of task `ecological`: a user's file, or generated ones. Faults name the key of the configuration."""

import re
from pathlib import Path
from typing import Any

import xarray as xr

import electjax

_FILES = ("truth", "row_traits", "column_traits")


def load_units(path: Path | None, settings: dict[str, Any], launched: Path) -> xr.Dataset:
    """Read the file at `path`, or generate units where there is none.

    Args:
        settings: the keys of the data group that were given a value.
        launched: the folder that relative paths start from.

    Raises:
        ElectionDataError: one line about a key `data.*`, or about the file.
    """
    try:
        if path is None:
            return electjax.simulate_units(**settings)
        files = {key: launched / Path(settings[key]).expanduser() for key in _FILES if _is_path(settings.get(key))}
        return electjax.read_units(path, **settings | files)
    except electjax.ElectionDataError as error:
        raise electjax.ElectionDataError(in_keys(str(error), settings)) from None


def in_keys(message: str, settings: dict[str, Any]) -> str:
    """A message about arguments as one about keys: `units.csv, contest: ...` begins with `data.contest`."""
    said = re.sub(r"(?<![\w.])(rows|columns|rescale|electors|truth|kind|contest|unit)=", r"data.\1=", message)
    said = re.sub(r"^\w+\((?:data\.)?(\w+)=\)", r"data.\1", said)
    place = said.partition(": ")[0]
    key = place.rpartition(", ")[2]
    if key not in settings or key == place:
        return f"data.{said}" if place in settings else said
    return f"data.{key}: {place.removesuffix(f', {key}')}: {said.removeprefix(f'{place}: ')}"


def _is_path(value: Any) -> bool:
    return isinstance(value, str)
