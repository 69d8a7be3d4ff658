"""Bytes and text of a file, however it is packed and encoded, without trusting the size that it claims."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from electjax.data.errors import data_error

TEXTS = (".csv", ".txt", ".tsv", ".tab")
LARGE = 1 << 28  # bytes up to which no ratio of packing is suspicious
RATIO = 200  # tables shrink to a twentieth or so; a bomb, to a thousandth
_PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_BLOCK = 1 << 20
BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError)


class _Guarded(io.RawIOBase):
    """A stream of unpacked bytes that stops where they are too many for the file they come from."""

    def __init__(self, stream: IO[bytes], packed: int, file: str) -> None:
        self.stream, self.left, self.file = stream, max(LARGE, RATIO * packed), file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self.stream.read(len(buffer))
        self.left -= len(found)
        if self.left < 0:
            raise data_error(
                f"unpacks to more than {RATIO} times its size",
                where=self.file,
                expected="a packed table",
                mend="unpack it first, if it is what it should be",
            )
        buffer[: len(found)] = found
        return len(found)


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it is gzip, xz, bzip2, or a zip with one text file."""
    try:
        with open(path, "rb") as raw:
            magic = raw.read(8)
        size = os.path.getsize(path)
        if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with zipfile.ZipFile(path) as archive, archive.open(_only_text(path, archive)) as member:
                yield io.BufferedReader(_Guarded(member, size, path.name), _BLOCK)
            return
        unpack = next((opener for start, opener in _PACKED.items() if magic.startswith(start)), None)
        if unpack is None:
            with open(path, "rb") as raw:
                yield raw
            return
        with unpack(path, "rb") as member:
            yield io.BufferedReader(_Guarded(member, size, path.name), _BLOCK)
    except FileNotFoundError:
        raise data_error("no such file", where=str(path), expected="an existing file", mend="check the path") from None
    except IsADirectoryError:
        raise data_error("this is a folder", where=str(path), expected="a file", mend="name a file in it") from None
    except BROKEN as error:
        raise data_error(
            f"cannot be read ({getattr(error, 'strerror', None) or error})",
            where=str(path),
            expected="a readable file",
            mend="it may be incomplete: fetch it again, or check its permissions",
        ) from None


@contextmanager
def open_text(path: Path, encoding: str | None) -> Iterator[IO[str]]:
    """The text of a file; faults of its encoding end in one line."""
    codec = encoding or encoding_of(path)
    try:
        if not codecs.lookup(codec)._is_text_encoding:
            raise LookupError
    except LookupError:
        raise data_error(
            f"no encoding {codec!r}", where=path.name, expected="a Python codec name", mend="pass encoding='utf-8'"
        ) from None
    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=codec, newline="") as text:
        try:
            yield text
        except UnicodeError as error:
            at = f"byte 0x{error.object[error.start]:02x}" if isinstance(error, UnicodeDecodeError) else str(error)
            guess = "utf-16" if codec != "utf-16" and mark_of(path) == "utf-16" else "cp1252"
            raise data_error(
                f"{at} is not {codec}",
                where=path.name,
                expected=f"text in {codec}",
                mend=f"pass the file's encoding, e.g. encoding={guess!r}, or leave encoding= out",
            ) from None


def mark_of(path: Path) -> str | None:
    """The encoding that the first bytes of a file tell."""
    with open_bytes(path) as raw:
        start = raw.read(4096)
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    if len(start) > 3 and start.count(b"\0") > len(start) // 4:  # UTF-16 without a mark: every other byte of ASCII is 0
        return "utf-16-le" if start[1::2].count(b"\0") > start[::2].count(b"\0") else "utf-16-be"
    return None


def encoding_of(path: Path) -> str:
    """The codec of a text file: what its mark says, UTF-8 if all of it is, else Windows-1252, else Latin-1.

    Returns of real offices come in these. Windows-1252 leaves five bytes undefined, which Latin-1 has; detectors by
    frequency of letters guess Central European or Macintosh codecs from a few accents, so none is asked.
    """
    try:
        state = os.stat(path)
    except OSError:
        return _encoding(path, 0, 0)
    return _encoding(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _encoding(path: Path, changed: int, size: int) -> str:
    told = mark_of(path)
    return told or next((name for name in ("utf-8", "cp1252") if _decodes(path, name)), "latin-1")


def _decodes(path: Path, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    with open_bytes(path) as raw:
        block = b" "
        while block:
            block = raw.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                return False
    return True


def _only_text(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
    texts = [m for m in members if m.filename.casefold().endswith(TEXTS)] or members[: len(members) == 1]
    if len(texts) != 1:
        names = ", ".join(m.filename for m in members[:8]) or "nothing"
        raise data_error(
            f"{len(texts)} text files in the zip ({names})",
            where=path.name,
            expected="one table",
            mend="unpack it and name the file",
        )
    return texts[0]
