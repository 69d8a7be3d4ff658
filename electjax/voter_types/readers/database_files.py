"""The files of a database of cast-vote records: folders state=/county_name= of Parquet, and their columns as codes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as arrow
from pyarrow import parquet

from electjax.data.encoded import encoded
from electjax.data.errors import data_error
from electjax.data.rows import wanted
from electjax.data.table import clean, fold, near

NEEDED = ("cvr_id", "office", "candidate", "party")
STATE, COUNTY = "state", "county_name"
FOLDERS = (STATE, COUNTY)
_TEXTS = ("office", "district", "candidate", "party", "precinct_medsl", "precinct_cvr", *FOLDERS)
_SHOWN = 15
_BROKEN = (pa.ArrowException, OSError, UnicodeDecodeError)


class County(NamedTuple):
    """The files of a county."""

    state: str
    name: str
    files: tuple[Path, ...]

    @property
    def folders(self) -> dict[str, str]:
        """What its folders say."""
        return {STATE: self.state, COUNTY: self.name}

    @property
    def place(self) -> str:
        """What it is called in messages and labels."""
        return "/".join(part for part in (self.state, self.name) if part) or self.files[0].name


class Coded(NamedTuple):
    """A column as the number of each row's text, and the texts; "" where there is none."""

    codes: np.ndarray
    texts: list[str]

    def of(self, values: Mapping[str, int], other: int) -> np.ndarray:
        """Each row as the value of its text."""
        return np.array([values.get(text, other) for text in self.texts], np.int32)[self.codes]


def folder_of(name: str) -> str:
    """Our name of a folder or condition: state and county_name whatever their case, others in lower case."""
    key = fold(name)
    return STATE if key == STATE else COUNTY if key in (fold(COUNTY), "county") else name.casefold()


def columns_of(file: Path) -> list[str]:
    """The names of a Parquet file's columns; none where it cannot be read."""
    try:
        return list(parquet.read_schema(file).names)
    except _BROKEN:
        return []


def spelt(names: Sequence[str], renamed: Mapping[str, str]) -> dict[str, str]:
    """Our name of each column to the file's, as `columns=` says."""
    found = {name.casefold(): name for name in names}
    known = {fold(name): name for name in names}
    return found | {ours: known[fold(given)] for ours, given in renamed.items() if fold(given) in known}


def counties_of(path: Path) -> list[County]:
    """The counties of a database, by state and name; files that lie in no such folder are one."""
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    found: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        said = {folder_of(name): unquote(value) for name, _, value in (part.partition("=") for part in file.parts)}
        found.setdefault((said.get(STATE, ""), said.get(COUNTY, "")), []).append(file)
    return [County(state, name, tuple(own)) for (state, name), own in sorted(found.items())]


def chosen(counties: Sequence[County], where: Mapping[str, Any], file: str) -> list[County]:
    """The counties that `where=` asks for by state and county_name, where folders tell them apart."""
    kept = list(counties)
    for name, value in where.items():
        folder = folder_of(name)
        if folder not in FOLDERS:
            continue
        known = sorted({county.folders[folder] for county in kept} - {""})
        kept = [each for each in kept if not (own := each.folders[folder]) or wanted(value)(own)]
        if not kept:
            raise data_error(
                f"no {name} {value!r}",
                where=f"{file}, where",
                expected=f"one of {', '.join(known[:_SHOWN])}",
                mend=near(str(value), known),
            )
    return kept


def each_county(
    counties: Sequence[County], names: Sequence[str], renamed: Mapping[str, str]
) -> Iterator[tuple[County, pa.Table]]:
    """Every county with these columns, of those that it has; a file of several counties is taken apart."""
    for county in counties:
        apart = tuple(name for name, own in county.folders.items() if not own)
        table = _read(county, (*names, *apart), renamed)
        apart = tuple(name for name in apart if name in table.column_names)
        if not apart:
            yield county, table
            continue
        parts = [coded(table, name) for name in apart]
        key = np.zeros(len(table), np.int64)
        for part in parts:
            key = key * len(part.texts) + part.codes
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        table = table.take(pa.array(order)).combine_chunks()
        for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
            told = {name: part.texts[part.codes[order[start]]] for name, part in zip(apart, parts, strict=True)}
            own = County(told.get(STATE, county.state), told.get(COUNTY, county.name), county.files)
            yield own, _plain(table.slice(start, end - start))


def _plain(table: pa.Table) -> pa.Table:
    """The table without dictionaries, which know the texts of all counties."""
    columns = [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(columns, names=table.column_names)


def _read(county: County, names: Sequence[str], renamed: Mapping[str, str]) -> pa.Table:
    tables = []
    for file in county.files:
        try:
            known = spelt(parquet.read_schema(file).names, renamed)
            own = {name: known[name] for name in names if name in known}
            lacks = [name for name in NEEDED if name in names and name not in own]
            if lacks:
                raise data_error(
                    f"no column {lacks[0]!r}",
                    where=str(file),
                    expected=f"the columns {', '.join(NEEDED)}",
                    mend=f"pass columns={{{lacks[0]!r}: ...}}: {', '.join(known)}",
                )
            texts = [known[name] for name in _TEXTS if name in own]
            found = parquet.read_table(file, columns=list(own.values()), read_dictionary=texts, partitioning=None)
            tables.append(found.rename_columns(list(own)))
        except _BROKEN as error:
            said = "cannot be read" if isinstance(error, OSError) else f"cannot be read ({error})"
            raise data_error(said, where=str(file), expected="Parquet", mend="get the file again") from None
    try:
        return pa.concat_tables(tables)
    except pa.ArrowException as error:
        problem = f"its files have different columns ({error})"
        raise data_error(problem, where=county.place, expected="the same", mend="write them again") from None


def coded(table: pa.Table, name: str) -> Coded:
    """A column of any type as codes of cleaned texts; what is missing, and a column that is not there, is ""."""
    if name not in table.column_names:
        return Coded(np.zeros(len(table), np.int32), [""])
    try:
        codes, texts = encoded(table.column(name))
    except UnicodeDecodeError as error:
        problem, mend = f"a text cannot be read ({error})", "write the file again"
        raise data_error(problem, where="the database", column=name, expected="UTF-8", mend=mend) from None
    return Coded(codes, list(map(clean, texts)))


def whole_numbers(table: pa.Table, name: str, place: str) -> np.ndarray | None:
    """A column of whole numbers, 1 where missing; None where there is no such column."""
    if name not in table.column_names:
        return None
    try:
        return arrow.fill_null(arrow.cast(table.column(name), pa.int64()), 1).to_numpy()
    except pa.ArrowException as error:
        raise data_error(str(error), where=place, column=name, expected="whole numbers", mend="correct it") from None
