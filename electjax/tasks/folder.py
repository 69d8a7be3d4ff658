"""Files and folders that are either whole or not there.

A run writes into a hidden folder beside its own, which takes the run's name when the last file is done: a
reader, an interrupt or a second run in the same second never meets a half-written result.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path to write to that becomes `path` when the block ends, and vanishes if the block fails."""
    partial = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def claim_folder(wanted: Path) -> Path:
    """Make and return an empty folder that no other process can claim: `wanted`, or `wanted_2` and so on."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("count() ended")


def fill_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a hidden folder, then give it the name `folder`, which may exist if it is empty.

    Raises OSError where the folder is not empty; whatever `write` raises leaves nothing behind.
    """
    partial = folder.with_name(f".{secrets.token_hex(4)}-{folder.name}")
    partial.mkdir(parents=True)
    try:
        write(partial)
        with contextlib.suppress(OSError):
            folder.rmdir()  # a rename onto an empty folder is not possible everywhere
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def drop_empty(folder: Path) -> None:
    """Remove a folder and those above it, up to the working folder, as far as they are empty."""
    above = [parent for parent in folder.parents if Path.cwd() in parent.parents]
    with contextlib.suppress(OSError):
        for empty in (folder, *above):
            empty.rmdir()


def shown(folder: Path) -> str:
    """The folder as a path from where the user is, if it lies there."""
    here = Path.cwd()
    return str(folder.relative_to(here) if here in folder.parents else folder)
