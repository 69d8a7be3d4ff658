"""What a file is and how it is read, before anything is estimated from it; and small valid files to begin with."""

import inspect
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.kind import Kind
from electjax.data.notes import notes_of
from electjax.data.options import made
from electjax.data.parts import table_parts
from electjax.data.reading import TableOptions
from electjax.data.sources import first_rows, is_parquet, is_workbook, read_table
from electjax.data.store import is_netcdf, is_zarr
from electjax.data.table import Table
from electjax.kinds import WINGS, checked, load_file

_CLOSE = 0.25  # of the likeliest kind: others are named as well
_LEAST = 0.25
_EVEN = 0.1  # kinds so much less likely are named, too, where they cannot be read
_SHOWN = 20  # columns
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_. -]*[A-Za-z0-9_]|[A-Za-z]")  # text that needs no quotes for Hydra


@dataclass(frozen=True)
class Description:
    """What `describe` found; printed, it is a page.

    Attributes:
        source: the file, or "table".
        kind: returns, ballots, booths or units, or what a saved result is; "" where nothing reads the source.
        facts: what it holds, by name.
        notes: how it was read: columns taken for others, what was left out and why.
        warnings: what looks wrong.
        error: why it cannot be read, as one line; "" where it can.
        call: Python that analyses it. command: the same on the command line.
        others: what the source is as another kind that is about as likely.
    """

    source: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    call: str = ""
    command: str = ""
    others: tuple["Description", ...] = ()

    def __str__(self) -> str:
        """A page: a heading, then a line for each thing."""
        lines = [f"{self.source}: {self.kind or 'of no kind that can be told'}"]
        lines += [f"  {name}: {f'{fact:,}' if isinstance(fact, int) else fact}" for name, fact in self.facts.items()]
        for heading, said in (("notes", self.notes), ("warnings", self.warnings)):
            lines += [f"  {heading}:", *(f"    - {line}" for line in said)] if said else []
        lines += [f"  cannot be read: {self.error}"] if self.error else []
        lines += ["  analyse it:", *(f"    {way}" for way in self.ways)] if self.ways else []
        for other in self.others:
            how = f", though not as it is: {other.error}" if other.error else ":"
            lines += [f"  may also be {other.kind} (kind={other.kind!r}){how}", *(f"    {way}" for way in other.ways)]
        return "\n".join(lines)

    @property
    def ways(self) -> list[str]:
        """The command and the call that analyse it."""
        return [way for way in (self.command, self.call) if way]


@cache
def kinds() -> dict[str, Kind]:
    """The kinds of data of all wings, by name."""
    found = [import_module(f"electjax.{wing}.kind").KIND for wing in WINGS]
    return {kind.name: kind for kind in found}


def describe(source: Any, kind: str | None = None, **options: Any) -> Description:
    """Say what a file or table is, how it is read, what was left out, and how to analyse it.

    Nothing is estimated. Print the result to read it.

    Args:
        source: a path (text, workbook, Parquet, netCDF, Zarr, a folder), or a pandas, polars or Arrow table.
        kind: returns, ballots, booths or units; None: told from the columns.
        options: of the kind's `read`, such as where= or rows=.

    Returns:
        A `Description`. A source that cannot be read has the reason as `error`.

    Raises:
        ElectionDataError: no such file, or no such kind.

    Example:
        >>> import electjax
        >>> import pandas as pd
        >>> table = pd.DataFrame({"district": ["D1", "D1"], "party": ["A", "B"], "votes": [10, 5]})
        >>> said = electjax.describe(table)
        >>> said.kind, said.facts["votes"]
        ('returns', 15)
    """
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    if path is not None and not path.exists():
        raise data_error("no such file", where=str(path), expected="a file or folder", mend="check the path")
    if kind is not None and kind not in kinds():
        raise data_error(
            f"no kind {kind!r}", where="kind", expected="a kind of data", mend=suggest(kind, list(kinds()))
        )
    if isinstance(source, xr.Dataset) or (path is not None and (is_netcdf(path) or is_zarr(path))):
        return _saved(source, path)
    table, trouble = _beginning(source, options)
    names = [] if table is None else table.names
    numeric = [] if table is None else [table.is_numeric(position) for position in range(len(names))]
    able = [k for k in kinds().values() if set(options) <= set(inspect.signature(k.read).parameters)]
    ranked = sorted(((k.likely(path, names, numeric), k) for k in able or kinds().values()), key=lambda pair: -pair[0])
    if kind is None and options and len(able) == 1:
        kind = able[0].name
    if kind is not None:
        return _with_table(_described(source, kinds()[kind], options), source, options)
    if ranked[0][0] < _LEAST:
        shown = f"; its columns are {', '.join(names[:12])}" if names else ""
        reason = trouble or f"its kind cannot be told{shown}; pass kind= one of {', '.join(kinds())}"
        return Description(_name(source), "", error=reason)
    near = [(score, k) for score, k in ranked if score >= max(_LEAST, ranked[0][0] - _CLOSE)]
    tried = [(score, _described(source, k, options)) for score, k in near]
    likely, best = next(((score, said) for score, said in tried if not said.error), tried[0])
    others = [said for score, said in tried if said is not best and (not said.error or score > likely - _EVEN)]
    return _with_table(replace(best, others=tuple(others)), source, options)


def template(kind: str, folder: str | os.PathLike[str]) -> Path:
    """Write a small valid example of a kind of data into a new folder, to be filled with one's own.

    Args:
        kind: returns, ballots, booths or units.
        folder: a new one.

    Returns:
        The folder.

    Raises:
        ElectionDataError: no such kind, or the folder is there already.

    Example:
        >>> import electjax, tempfile
        >>> with tempfile.TemporaryDirectory() as here:
        ...     folder = electjax.template("units", f"{here}/mine")
        ...     electjax.describe(folder / "units.csv").kind
        'units'
    """
    if kind not in kinds():
        raise data_error(f"no kind {kind!r}", where="template", expected="a kind", mend=suggest(kind, list(kinds())))
    target = in_a_folder(folder)
    if target.exists():
        raise data_error("it is there already", where=str(target), expected="a new folder", mend="choose another name")
    with atomic_path(target) as partial:
        partial.mkdir()
        kinds()[kind].template(partial)
    return target


def _described(source: Any, kind: Kind, options: Mapping[str, Any]) -> Description:
    call = _filled(kind.call, source, options, python=True)
    command = _filled(kind.command, source, options, python=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data = kind.read(source, **options)
        except ElectionDataError as error:
            return Description(_name(source), kind.name, error=str(error))
    said = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return Description(_name(source), kind.name, kind.facts(data), tuple(notes_of(data)), said, "", call, command)


def _saved(source: Any, path: Path | None) -> Description:
    try:
        data = checked(source) if path is None else load_file(path)
    except ElectionDataError as error:
        return Description(_name(source), "", error=str(error))
    kind = next((k for k in kinds().values() if k.conventions == data.attrs.get("conventions")), None)
    if kind is None:
        told = str(data.attrs.get("conventions", "")).removeprefix("electjax ")
        return Description(
            _name(source),
            f"{told} (a saved result)",
            {str(dim): n for dim, n in data.sizes.items()},
            tuple(notes_of(data)),
            call=f"electjax.load({str(path)!r})",
        )
    call = _filled(kind.call, source, {}, python=True)
    command = _filled(kind.command, source, {}, python=False)
    return Description(_name(source), kind.name, kind.facts(data), tuple(notes_of(data)), call=call, command=command)


def _asked(options: Mapping[str, Any]) -> TableOptions:
    known = {item.name for item in fields(TableOptions)}
    asked = {name: value for name, value in options.items() if name in known}
    if not isinstance(asked.get("columns", {}), Mapping):
        del asked["columns"]  # columns of a cross-table
    return made(TableOptions, asked, where="describe")


def _beginning(source: Any, options: Mapping[str, Any]) -> tuple[Table | None, str]:
    """The source as a table, of a large text its first part alone, as all of it is read once its kind is told; or why
    it is none."""
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    if path is not None and path.is_dir() and not is_parquet(path):
        return None, ""
    try:
        asked = _asked(options)
        if path is not None and is_parquet(path):
            return first_rows(path, asked), ""
        if path is None or is_workbook(path):
            return read_table(source, asked), ""
        return next(part for part in table_parts(path, asked, warn=False) if len(part)), ""
    except ElectionDataError as error:
        return None, str(error)


def _with_table(said: Description, source: Any, options: Mapping[str, Any]) -> Description:
    """What the table holds, where no kind could be read from it."""
    if not said.error or (isinstance(source, str | os.PathLike) and Path(source).is_dir()):
        return said
    try:
        table = read_table(source, _asked(options))
    except ElectionDataError:
        return said
    shown = [f"{name}{' (numbers)' if table.is_numeric(p) else ''}" for p, name in enumerate(table.names[:_SHOWN])]
    more = f" and {len(table.names) - _SHOWN} more" if len(table.names) > _SHOWN else ""
    facts = {"rows": len(table), "columns": ", ".join(shown) + more, "header": f"row {table.header}"}
    return replace(
        said, facts=facts if table.header is not None else facts | {"header": "of the table"}, notes=table.notes
    )


def _name(source: Any) -> str:
    return Path(source).name if isinstance(source, str | os.PathLike) else "table"


def _filled(text: str, source: Any, options: Mapping[str, Any], *, python: bool) -> str:
    """A call or a command with the source and the options that were given."""
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    if python:
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        return text.format(source="table" if path is None else repr(path), options=given)
    if path is None:
        return ""
    given = "".join(f" {_quoted(f'data.{name}={_yaml(value)}')}" for name, value in options.items())
    return text.format(source=_quoted(path), options=given)


def _yaml(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    plain = all(letter.isalnum() or letter in "._-/=," for letter in text)
    return text if plain else "'" + text.replace("'", "'\\''") + "'"
