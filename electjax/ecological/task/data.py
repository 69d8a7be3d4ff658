"""The units of task `ecological`: a user's file, or generated ones. Faults name the key of the configuration."""

import re
from pathlib import Path
from typing import Any

import xarray as xr

import electjax

_KEYS = (
    "rows",
    "columns",
    "rescale",
    "electors",
    "truth",
    "kind",
    "contest",
    "unit",
    "side",
    "option",
    "votes",
    "encoding",
)
_FILES = ("truth", "row_traits", "column_traits")


def load_units(path: Path | None, settings: dict[str, Any], launched: Path) -> xr.Dataset:
    """Read the file at `path`, or generate units where there is none.

    Args:
        settings: the keys of the data group that were given a value.
        launched: the folder that relative paths start from.

    Raises:
        ElectionDataError: one line about a key `data.*`, or about the file.
    """
    files = {key: launched / Path(settings[key]).expanduser() for key in _FILES if _is_path(settings.get(key))}
    try:
        if path is None:
            return electjax.ecological.simulate(**settings)
        return electjax.ecological.read(path, **settings | files)
    except electjax.ElectionDataError as error:
        message = str(error)
        paths = files if path is None else {"path": path, **files}
        key = next((key for key, file in paths.items() if message.startswith(f"{file}: ")), None)
        raise electjax.ElectionDataError(f"data.{key}: {message}" if key else in_keys(message, settings)) from None


def in_keys(message: str, settings: dict[str, Any]) -> str:
    """A message about arguments as one about keys: `units.csv, contest: ...` begins with `data.contest`."""
    said = re.sub(rf"(?<![\w.])({'|'.join(_KEYS)})=", r"data.\1=", message)
    said = re.sub(r"^\w+\((?:data\.)?(\w+)=\)", r"data.\1", said)
    place = said.partition(": ")[0]
    key = place.rpartition(", ")[2]
    if key not in settings or key == place:
        return f"data.{said}" if place in settings else said
    return f"data.{key}: {place.removesuffix(f', {key}')}: {said.removeprefix(f'{place}: ')}"


def _is_path(value: Any) -> bool:
    return isinstance(value, str)
