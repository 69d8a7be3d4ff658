"""What an interrupted calibration needs to go on: the state after its last whole generation, in one file."""

import contextlib
import hashlib
import inspect
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electjax.data.errors import data_error
from electjax.data.seal import seal, seal_holds

FILE = "state.npz"
_PREFIX = "state/"


def identify(**parts: Any) -> str:
    """What a calibration depends on as one JSON object: plain values as they are, arrays by their digest."""
    return json.dumps({name: _plain(value) for name, value in sorted(parts.items())}, sort_keys=True)


class Checkpoint:
    """The saved state of one calibration in a folder that may not exist yet.

    A state is saved whole or not at all: killed at any moment, the file is the last or the one before. `identity`
    says which calibration it belongs to, as `identify` does; one of another calibration is refused.

    Raises:
        ElectionDataError: the folder holds the state of another calibration, a damaged one, or a file that is none.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: str):
        self.path = Path(folder) / FILE
        self.identity = identity
        if self.path.exists():
            self._read(())

    def latest(self) -> dict[str, np.ndarray] | None:
        """The state last saved, or None."""
        return self._read(None) if self.path.exists() else None

    def save(self, state: Mapping[str, np.ndarray]) -> None:
        """Replace the saved state; it is on the disk when this returns."""
        arrays = {f"{_PREFIX}{name}": np.asarray(value) for name, value in state.items()}
        objects = [name for name, value in arrays.items() if value.dtype.hasobject]
        if objects:
            raise ValueError(f"checkpoint: {objects[0].removeprefix(_PREFIX)} is no array of numbers")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=self.path.parent, prefix=f".{FILE}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, identity=np.array(self.identity), **arrays)  # type: ignore[arg-type]
                file.flush()
                seal(Path(partial))
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        finally:
            Path(partial).unlink(missing_ok=True)

    def _read(self, wanted: tuple[str, ...] | None) -> dict[str, np.ndarray]:
        """The arrays named, or all, of a file that belongs to this calibration and is as it was saved."""
        try:
            if not seal_holds(self.path):
                raise zipfile.BadZipFile
            with np.load(self.path, allow_pickle=False) as file:
                self._check(str(file["identity"]))
                names = [name for name in file.files if name.startswith(_PREFIX)] if wanted is None else wanted
                return {name.removeprefix(_PREFIX): file[name] for name in names}
        except (KeyError, EOFError, OSError, zlib.error, zipfile.BadZipFile):
            problem, expected = "damaged, or no checkpoint", "a checkpoint as it was saved"
            raise data_error(problem, where=str(self.path), expected=expected, mend="delete it to start over") from None

    def _check(self, found: str) -> None:
        if found != self.identity:
            problem = f"the checkpoint of another calibration ({_difference(found, self.identity)})"
            expected, mend = "that of this one", "take another folder, or delete it to start over"
            raise data_error(problem, where=str(self.path), expected=expected, mend=mend)


def _plain(value: Any) -> Any:
    """Anything as JSON: arrays by dtype, shape and digest, functions by name and source."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if callable(value):
        name = f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', type(value).__name__)}"
        with contextlib.suppress(OSError, TypeError):  # typed in, a function has no source
            name += f" {_digest(inspect.getsource(value).encode())}"
        return name
    array = np.asarray(value)
    if array.dtype.hasobject:
        return str(value)
    return f"{array.dtype}{list(array.shape)} {_digest(np.ascontiguousarray(array).tobytes())}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _difference(found: str, wanted: str) -> str:
    """The first thing in which two identities differ."""
    try:
        there, here = json.loads(found), json.loads(wanted)
        name = next(name for name in sorted({*there, *here}) if there.get(name) != here.get(name))
    except (ValueError, TypeError, AttributeError, StopIteration):
        return "its identity differs"
    return f"{name}: {there.get(name)!r} there, {here.get(name)!r} here"
