"""Seals of files: a digest at the end of a file, or beside the files of a folder, that tells damage."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

_MARK = b"electjax sha256:"
SIZE = len(_MARK) + hashlib.sha256().digest_size
_BESIDE = "electjax.sha256"


def seal(path: Path) -> None:
    """Add the digest of a file at its end, where HDF5 and zip do not look, or to a folder as one more file."""
    found = _MARK + _digest(path)
    with open(path / _BESIDE if path.is_dir() else path, "ab") as file:
        file.write(found)


def seal_holds(path: Path) -> bool | None:
    """Whether a file or folder is as it was when it was sealed; None of one without a seal."""
    if path.is_dir():
        beside = path / _BESIDE
        return beside.read_bytes() == _MARK + _digest(path) if beside.is_file() else None
    before = path.stat().st_size - SIZE
    if before < 0:
        return None
    with open(path, "rb") as file:
        file.seek(before)
        found = file.read()
    return found == _MARK + _digest(path, before) if found.startswith(_MARK) else None


def _digest(path: Path, size: int | None = None) -> bytes:
    """Of the first `size` bytes of a file, or of the names and bytes of all files in a folder."""
    found = hashlib.sha256()
    if path.is_dir():
        for part in sorted(part for part in path.rglob("*") if part.is_file() and part.name != _BESIDE):
            found.update(f"{part.relative_to(path).as_posix()}\0".encode() + _digest(part))
        return found.digest()
    for block in _blocks(path, path.stat().st_size if size is None else size):
        found.update(block)
    return found.digest()


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while size and (block := file.read(min(size, 1 << 20))):
            size -= len(block)
            yield block
