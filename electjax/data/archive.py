"""The files of a folder or a zip, one after another, and JSON of a declared form; faults end in one line."""

import codecs
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from electjax.data.errors import data_error
from electjax.data.sources import is_workbook
from electjax.data.unpack import BROKEN, LARGE, RATIO

Form = TypeVar("Form")
_WRONG = re.compile(r"Expected `(.+)`, got `(.+?)`(?: - at `(.+)`)?")
_AT = re.compile(r"(.+) - at `(.+)`")


class Files(NamedTuple):
    """Files that lie together.

    Attributes:
        where: the folder, zip or file that they are in, for errors.
        names: their paths in it, sorted.
        place, archive: the folder, and the zip if it is one.
    """

    where: str
    names: tuple[str, ...]
    place: Path
    archive: zipfile.ZipFile | None

    def read(self, name: str, most: int | None = None) -> bytes:
        """The bytes of a file; one of more than `most` bytes is refused, or of far more than its packed size."""
        try:
            if self.archive is None:
                path = self.place / name
                size, allowed = path.stat().st_size, most
            else:
                info = self.archive.getinfo(name)
                size, allowed = info.file_size, max(LARGE, RATIO * info.compress_size) if most is None else most
            if allowed is not None and size > allowed:
                raise data_error(
                    f"{size} bytes", where=f"{self.where}, {name}", expected=f"at most {allowed}", mend="check the file"
                )
            return path.read_bytes() if self.archive is None else self.archive.read(name)
        except BROKEN as error:
            raise _broken(f"{self.where}, {name}", error) from None

    def beginning(self, name: str, size: int = 1 << 16) -> bytes:
        """The first bytes of a file."""
        try:
            with open(self.place / name, "rb") if self.archive is None else self.archive.open(name) as file:
                return file.read(size)
        except BROKEN as error:
            raise _broken(f"{self.where}, {name}", error) from None


@contextmanager
def open_files(path: Path, suffixes: Sequence[str]) -> Iterator[Files]:
    """The files with these suffixes in a folder, at any depth, or in a zip; or this one file."""
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.suffix.casefold() in suffixes and file.is_file()]
        yield Files(path.name, tuple(sorted(str(file.relative_to(path)) for file in found)), path, None)
    elif not zipfile.is_zipfile(path):
        yield Files(path.name, (path.name,), path.parent, None)
    else:
        try:
            archive = zipfile.ZipFile(path)
        except BROKEN as error:
            raise _broken(path.name, error) from None
        with archive:
            names = [name for name in archive.namelist() if PurePosixPath(name).suffix.casefold() in suffixes]
            yield Files(path.name, tuple(sorted(n for n in names if not n.startswith("__MACOSX/"))), path, archive)


def first_name(path: Path, suffixes: Sequence[str]) -> str | None:
    """The name of one such file; None where there is none, or the zip cannot be read, or is a workbook."""
    if is_workbook(path):
        return None
    if path.is_dir():
        return next((file.name for file in path.rglob("*") if file.suffix.casefold() in suffixes), None)
    if path.suffix.casefold() in suffixes:
        return path.name
    try:
        with open_files(path, suffixes) as files:
            return next(iter(files.names), None) if zipfile.is_zipfile(path) else None
    except (ValueError, OSError):
        return None


def _broken(where: str, error: Exception) -> Exception:
    said = getattr(error, "strerror", None) or error
    return data_error(f"cannot be read ({said})", where=where, expected="a whole file", mend="get it again")


_decoders: dict[Any, Any] = {}


def decoded(data: bytes, form: type[Form], where: str, mend: str = "export it again") -> Form:
    """JSON as a struct of msgspec.

    Raises:
        ElectionDataError: what is no JSON, or of another form: the file, and the place in it as a JSON path.
    """
    if form not in _decoders:
        _decoders[form] = msgspec.json.Decoder(form)
    try:
        return cast(Form, _decoders[form].decode(data.removeprefix(codecs.BOM_UTF8)))
    except msgspec.ValidationError as error:
        raise misformed(error, where, mend) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise data_error(f"cannot be read ({error})", where=where, expected="JSON in UTF-8", mend=mend) from None
    except RecursionError:
        raise data_error("is nested too deeply", where=where, expected="JSON of an export", mend=mend) from None


def misformed(error: msgspec.ValidationError, where: str, mend: str) -> Exception:
    """What msgspec says is wrong, as an error of ours."""
    if told := _WRONG.fullmatch(str(error)):
        wanted, found, at = told.groups()
        return data_error(f"found {found}", where=f"{where}, {at or '$'}", expected=wanted, mend=mend)
    told = _AT.fullmatch(str(error))
    said, at = told.groups() if told else (str(error), "$")
    return data_error(said, where=f"{where}, {at}", expected="the form of the export", mend=mend)
