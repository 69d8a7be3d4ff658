"""How data was read, a sentence each: the attribute `notes` of a Dataset of any wing, a list in JSON."""

import json
from collections.abc import Iterable

import xarray as xr


def notes_text(notes: Iterable[str]) -> str:
    """Notes as the attribute has them, each once; "" where there are none."""
    told = list(dict.fromkeys(filter(None, notes)))
    return json.dumps(told, ensure_ascii=False) if told else ""


def notes_of(dataset: xr.Dataset) -> list[str]:
    """The notes of a Dataset."""
    text = str(dataset.attrs.get("notes", ""))
    return [str(note) for note in json.loads(text)] if text else []


def with_notes(dataset: xr.Dataset, notes: Iterable[str]) -> xr.Dataset:
    """The Dataset with further notes; where it has none at all, without the attribute."""
    text = notes_text([*notes_of(dataset), *notes])
    return dataset.assign_attrs(notes=text) if text else dataset
