"""Damage to files of every kind: to their bytes, or to what is packed in them, which is then packed again."""

import bz2
import gzip
import io
import json
import lzma
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

TEXTS = [b"", b"NA", b"-1", b"1e400", b"nan", b"inf", b"0", b"1.346", b"1,346", b"X", b"*", b"12%", b'"', b"\0"]
TEXTS += [b"Total", b"99999999999999999999", b"\xe9", b"\xff", b"\n", b"\r", b"\t", b"{", b"]", b"null", b"<a>", b"&x;"]
TEXTS += [b"-", b"=1"]
VALUES: list[Any] = [None, True, -1, 0, 7, 1e300, float("nan"), float("inf"), "", "X", "12%", "Total", [], {}, [[1]]]
MARKS = {b"<": b"<>", b"{": b',:"[]{}', b"[": b',:"[]{}'}  # between which the cells of a text are, by its beginning


def damage(source: Path, target: Path, rng: np.random.Generator, content: bool = True) -> Path:
    """A copy of a file, or of a folder, in which one file is damaged: its bytes, or half the time its content.

    content: False of a file whose content no other program may change.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    copy = target / source.name
    if source.is_dir():
        shutil.copytree(source, copy)
        files = sorted(file for file in copy.rglob("*") if file.is_file())
        chosen = files[rng.integers(0, len(files))]
    else:
        shutil.copyfile(source, copy)
        chosen = copy
    whole = chosen.read_bytes()
    kind = next((kind for kind in CONTENTS if content and whole.startswith(kind)), None)
    if kind is not None and rng.random() < 0.5:
        CONTENTS[kind](chosen, rng)
    else:
        chosen.write_bytes(damaged(whole, rng))
    return copy


def damaged(raw: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file with one to three changes."""
    content = bytearray(raw)
    for _ in range(rng.integers(1, 4)):
        size = len(content)
        at = int(rng.integers(0, max(size, 1)))
        span = int(rng.integers(1, 40))
        way = rng.integers(0, 8)
        if way == 0:
            content[at : at + 1] = bytes([rng.integers(0, 256)])
        elif way == 1:
            del content[at : at + span]
        elif way == 2:
            content[at:at] = content[at : at + span]
        elif way == 3:
            del content[at:]
        elif way == 4:
            content[at:at] = _one_of(TEXTS, rng)
        elif way == 5:
            of = MARKS.get(bytes(content[:1]), b',;\n\t"')
            marks = [k for k, byte in enumerate(content) if byte in of]
            if len(marks) > 1:
                k = int(rng.integers(0, len(marks) - 1))
                content[marks[k] + 1 : marks[k + 1]] = _one_of(TEXTS, rng)
        elif way == 6:
            lines = bytes(content).split(b"\n")
            rng.shuffle(lines)
            content = bytearray(b"\n".join(lines))
        elif size > 8:
            content[at : at + 8] = int(rng.integers(-(2**62), 2**62)).to_bytes(8, "little", signed=True)
    return bytes(content)


def _one_of(things: Any, rng: np.random.Generator) -> Any:
    return things[int(rng.integers(0, len(things)))]


# ------------------------------------------------------------------------------------ what is packed in a file


def _zip(path: Path, rng: np.random.Generator) -> None:
    """A member is damaged; checksums are right."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = _one_of([name for name in members if members[name]], rng)
    members[chosen] = damaged(members[chosen], rng)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _packed(library: Any) -> Callable[[Path, np.random.Generator], None]:
    def change(path: Path, rng: np.random.Generator) -> None:
        path.write_bytes(library.compress(damaged(library.decompress(path.read_bytes()), rng)))

    return change


def _parquet(path: Path, rng: np.random.Generator) -> None:
    """A column is lost, doubled, renamed or of another type, or some of its cells are something else."""
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    at = int(rng.integers(0, table.num_columns))
    name, cells = table.column_names[at], table.column(at).to_pylist()
    way = rng.integers(0, 6)
    if way == 0:
        table = table.remove_column(at)
    elif way == 1:
        table = table.append_column(name, table.column(at))
    elif way == 2:
        table = table.rename_columns([*table.column_names[:at], _text(rng), *table.column_names[at + 1 :]])
    elif way == 3:
        table = table.take(rng.integers(0, len(table), int(rng.integers(0, 2 * len(table) + 1))))
    else:
        rows = rng.integers(0, len(cells), rng.integers(1, 4)) if cells else []
        text = way == 5 or isinstance(cells[0] if cells else "", str)
        for row in rows:
            cells[row] = _text(rng) if text else _one_of([None, -1, 2**40, 0], rng)
        changed = pa.array([None if cell is None else str(cell) for cell in cells] if text else cells)
        table = table.set_column(at, name, changed)
    parquet.write_table(table, path)


def _sqlite(path: Path, rng: np.random.Generator) -> None:
    """A table or a column is lost, or a cell is something else."""
    with closing(sqlite3.connect(path)) as database, database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = _one_of(tables, rng)
        column = _one_of([row[1] for row in database.execute(f'PRAGMA table_info("{table}")')], rng)
        way = rng.integers(0, 10)
        with suppress(sqlite3.Error):  # the last column cannot go
            if way == 0:
                database.execute(f'DROP TABLE "{table}"')
            elif way == 1:
                database.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
            else:
                cell = _one_of([_text(rng), None, -1, 1e300, 2**40, b"\0\xff", 0.5], rng)
                (last,) = database.execute(f'SELECT max(rowid) FROM "{table}"').fetchone()
                row = int(rng.integers(0, (last or 0) + 1)) if way < 9 else -1
                which = "1" if row < 0 else f"rowid = {row}"
                database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {which}', (cell,))


def _hdf5(path: Path, rng: np.random.Generator) -> None:
    """An array or an attribute is lost or something else."""
    import h5py

    with (
        suppress(OSError, RuntimeError, ArithmeticError, ValueError, TypeError, KeyError),
        h5py.File(path, "r+") as file,
    ):
        arrays: list[Any] = []
        file.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        array = _one_of(arrays, rng)
        _change(file, array, list(array.attrs), rng)


def _json(path: Path, rng: np.random.Generator) -> None:
    """A value somewhere in JSON is another one."""
    found = json.loads(path.read_bytes())
    inner = found
    while isinstance(inner, dict | list) and inner:
        key = _one_of(list(inner) if isinstance(inner, dict) else range(len(inner)), rng)
        if not isinstance(inner[key], dict | list) or not inner[key] or rng.random() < 0.1:
            if rng.random() < 0.2:
                del inner[key]
            else:
                inner[key] = _one_of([*VALUES, _text(rng), inner], rng) if rng.random() < 0.9 else [inner[key]] * 3
            break
        inner = inner[key]
    with suppress(ValueError):  # a value that holds itself
        path.write_text(json.dumps(found), "utf-8")


def _change(file: Any, array: Any, names: list[str], rng: np.random.Generator) -> None:
    """Damage to one array of a file of arrays, or to an attribute of it or of the file."""
    way = rng.integers(0, 5)
    owner = array if rng.random() < 0.5 and names else file
    name = _one_of(list(owner.attrs) or ["x"], rng)
    if way == 0:
        del file[array.name]
    elif way == 1:
        del owner.attrs[name]
    elif way == 2:
        owner.attrs[name] = _one_of([_text(rng), -1, 1e300, [1, 2]], rng)
    elif way == 3:
        values = array[()]
        del file[array.name]
        file[array.name] = np.resize(values, _one_of([(1,), (3,), (2, 2), ()], rng))
    else:
        values = np.array(array[()])
        where = tuple(int(rng.integers(0, length)) for length in values.shape)
        values[where] = _one_of([-1, 0, 7, 1e300, float("nan")], rng)
        array[()] = values


def _text(rng: np.random.Generator) -> str:
    text: bytes = _one_of(TEXTS, rng)
    return text.decode("latin-1")


CONTENTS: dict[bytes, Callable[[Path, np.random.Generator], None]] = {
    b"PK\x03\x04": _zip,
    b"\x1f\x8b": _packed(gzip),
    b"\xfd7zXZ\x00": _packed(lzma),
    b"BZh": _packed(bz2),
    b"PAR1": _parquet,
    b"SQLite format 3\0": _sqlite,
    b"\x89HDF": _hdf5,
    b"{": _json,
    b"[": _json,
}
