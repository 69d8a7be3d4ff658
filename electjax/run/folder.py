"""Files and folders that are either whole or not there.

A run writes into a hidden folder beside its own, which takes the run's name when the last file is done: a
reader, an interrupt or a second run in the same second never meets a half-written result.

A run that can be continued has its folder from the start, with config.yaml and a folder `checkpoints`, and is
unfinished for as long as that is there.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import IO, Any

from electjax.data.files import atomic_path

CHECKPOINTS = "checkpoints"
_CONFIG, _FACTS = "config.yaml", "run.json"


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


@contextlib.contextmanager
def unfinished_folder(folder: Path, config: str, facts: dict[str, Any]) -> Iterator[Path]:
    """Make `folder` one that can be continued from, and yield the folder in it that is for checkpoints.

    config: the text of config.yaml. facts: what else `read_unfinished` shall return, as JSON. A block that fails after
    a checkpoint leaves the folder, and its error says in a note how to go on; before that, a new folder is removed.

    Raises ValueError where another process is at work in the folder.
    """
    checkpoints = folder / CHECKPOINTS
    resumed = checkpoints.exists()
    checkpoints.mkdir(parents=True, exist_ok=True)
    with (checkpoints / "lock").open("w") as lock:
        _hold(lock, folder)
        try:
            for path, text in ((folder / _CONFIG, config), (checkpoints / _FACTS, json.dumps(facts))):
                with atomic_path(path) as partial:
                    partial.write_text(text, "utf-8")
            yield checkpoints
        except BaseException as error:
            if resumed or any(checkpoints.glob("*/*.npz")):
                error.add_note(f"python -m electjax.run resume={shown(folder)} continues it")
            else:
                shutil.rmtree(checkpoints)
                (folder / _CONFIG).unlink(missing_ok=True)
            raise


def read_unfinished(folder: Path) -> tuple[str, dict[str, Any]]:
    """The text of config.yaml and the facts of an unfinished run; ValueError where `folder` holds none."""
    for path in (folder, folder / _CONFIG, folder / CHECKPOINTS):
        if not path.exists():
            whole = f"{shown(folder)} holds a whole run" if path.name == CHECKPOINTS else f"no {shown(path)}"
            raise ValueError(f"{whole}; expected the folder of an unfinished one, with {_CONFIG} and {CHECKPOINTS}")
    facts = folder / CHECKPOINTS / _FACTS
    return (folder / _CONFIG).read_text("utf-8"), json.loads(facts.read_text("utf-8")) if facts.exists() else {}


def finish_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a hidden folder, move what it wrote into the unfinished `folder`, and remove the checkpoints.

    They go last: whatever happens before, the run can be continued.
    """
    checkpoints = folder / CHECKPOINTS
    partial = checkpoints / ".results"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    write(partial)
    for path in sorted(partial.iterdir()):
        if (folder / path.name).is_dir():  # left by a run that was killed just here
            shutil.rmtree(folder / path.name)
        os.replace(path, folder / path.name)
    shutil.rmtree(checkpoints)


def _hold(lock: IO[str], folder: Path) -> None:
    """Keep other processes out for as long as this file is open, where the system can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"{shown(folder)}: another process is at work in this folder") from None


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
