"""Files that are either whole or not there."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from electjax.data.errors import data_error


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path to write a file or folder to; it becomes `target` when the block ends, and vanishes if it fails."""
    partial = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
    try:
        yield partial
        if target.is_dir():
            old = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
            target.rename(old)
            partial.rename(target)
            shutil.rmtree(old)
        else:
            os.replace(partial, target)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def in_a_folder(path: str | os.PathLike[str]) -> Path:
    """The path of a file to write, whose folder is there."""
    target = Path(path)
    if not target.parent.is_dir():
        raise data_error(
            f"no folder {str(target.parent)!r}",
            where=str(target),
            expected="an existing folder",
            mend="create it first",
        )
    return target
