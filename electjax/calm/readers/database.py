"""Tables of the public database on religion and politics in India: one SQLite file, or a folder with a CSV a table."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from electjax.calm.options import ReadOptions
from electjax.data.encoded import codes_and_texts, one_dictionary
from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.data.rows import is_total, without_repeats
from electjax.data.sources import read_table
from electjax.data.table import Style, Table, joined, make_table

STATES = {"up": "Uttar Pradesh", "guj": "Gujarat"}
_NAME = re.compile(r"([a-z]+?)(rolls|candidates|vidhansabha|loksabha|id)(\d{4})?")
_PART = re.compile(r"-[a-z]$")  # large tables are several files
_MAGIC = b"SQLite format 3\0"
_ROWS = 20_000


def is_sqlite(path: Path) -> bool:
    """Whether a file says that it is a SQLite database, or is called one."""
    if not path.is_file():
        return False
    if path.suffix.casefold() in (".sqlite", ".sqlite3", ".db"):
        return True
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def parts_of(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder by the table they are, or are a part of."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        name = _PART.sub("", path.name.split(".")[0].casefold())
        if _NAME.fullmatch(name):
            found.setdefault(name, []).append(path)
    return found


class Database:
    """Tables by name."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        self.files = {} if is_sqlite(path) else parts_of(path)
        self.names = sorted(self.files) or self._names()

    def fault(self, problem: str, expected: str, mend: str) -> ElectionDataError:
        """An error about the database as a whole."""
        return data_error(problem, where=self.path.name, expected=expected, mend=mend)

    def election(self) -> tuple[str, int, str]:
        """State, year and table of results of the election that is asked for, or that alone is there."""
        found = [(m[1], int(m[3]), name) for name in self.names if (m := _NAME.fullmatch(name)) and m[3]]
        found = [each for each in found if "sabha" in each[2] and each[0] in STATES]
        state = None if self.options.state is None else self.options.state.casefold().replace(" ", "")
        state = {name.casefold().replace(" ", ""): key for key, name in STATES.items()}.get(state or "", state)
        if state is not None and state not in STATES:
            raise self.fault(f"no state {self.options.state!r}", "up or guj", suggest(state, list(STATES)))
        if not found:
            raise self.fault("no table of results", "such as upvidhansabha2012", "add the tables, or check the path")
        chosen = [e for e in found if state in (None, e[0]) and self.options.year in (None, e[1])]
        if len(chosen) != 1:
            every = ", ".join(name for _, _, name in found)
            problem = f"{len(chosen) or 'no'} elections are meant, there are {every}"
            raise self.fault(problem, "one election", f"pass state={found[0][0]!r} and year={found[0][1]}")
        return chosen[0]

    def results(self, state: str, year: int) -> str:
        """The table of results of a year."""
        found = [f"{state}{kind}{year}" for kind in ("vidhansabha", "loksabha")]
        return self.need(next((name for name in found if name in self.names), found[0]), "previous")

    def need(self, name: str, keyword: str = "") -> str:
        """The name of a table that must be there."""
        if name in self.names:
            return name
        kind = re.sub(r"\d+", "", name)
        others = [each for each in self.names if each.startswith(kind)]
        mend = f"there is {', '.join(others)}" if others else f"there are {', '.join(self.names[:12])}"
        raise self.fault(f"no table {name}", name, mend + (f"; pass {keyword}=" if keyword else ""))

    def table(self, name: str, wanted: Callable[[str], bool]) -> Table:
        """The columns wanted of a table; booths that repeat another, but for the row's number, are counted once."""
        self.need(name)
        if self.files:
            plain = replace(self.options, where={}, columns={})
            tables = [read_table(path, plain) for path in self.files[name]]
            for part in tables[1:]:
                if part.names != tables[0].names:
                    strange = sorted(set(part.names) ^ set(tables[0].names))[:3]
                    problem = f"columns are not those of {tables[0].file}: {', '.join(strange) or 'another order'}"
                    raise part.fault(problem, expected="parts of one table", mend="export them again")
            table = joined(tables)
            kept = (column for column in table.columns if column.name != "id" and wanted(column.name))
            table = replace(table, columns=tuple(kept))
        else:
            table = self._rows(name, lambda column: column != "id" and wanted(column))
        if not len(table):
            raise self.fault(f"{name} has no rows", "rows", "fill the table")
        return table if name.endswith("id") else without_repeats(table, self.options.repeated)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = None
        try:
            connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)
            yield connection
        except (sqlite3.Error, UnicodeDecodeError) as error:
            said = f"cannot be read ({' '.join(str(error).split())})"
            raise self.fault(said, "a SQLite database", "build or copy it again") from None
        finally:
            if connection is not None:
                connection.close()

    def _names(self) -> list[str]:
        with self._open() as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        return sorted(name for (name,) in rows if _NAME.fullmatch(str(name)))

    def _rows(self, name: str, wanted: Callable[[str], bool]) -> Table:
        """Some columns of a table; its rows are numbered from 1."""
        parts: list[list[pa.DictionaryArray]] = []
        with self._open() as connection:
            every = [str(row[1]) for row in connection.execute(f'PRAGMA table_info("{name}")')]
            names = [column for column in every if wanted(column)]
            if not names:
                raise self.fault(f"{name} has no columns of ours", "its columns", f"there are {', '.join(every[:12])}")
            cells = ", ".join(f'CAST("{column}" AS TEXT)' for column in names)
            cursor = connection.execute(f'SELECT {cells} FROM "{name}"')
            while rows := cursor.fetchmany(_ROWS):
                columns = zip(*rows, strict=True)
                parts.append([pa.array(column, pa.string()).fill_null("").dictionary_encode() for column in columns])
        coded = [codes_and_texts(one_dictionary([part[p] for part in parts])) for p in range(len(names))]
        count = sum(len(part[0]) for part in parts)
        style = Style(self.options.thousands, self.options.suppressed)
        return make_table(name, np.arange(1, count + 1), names, coded, header=None, style=style)


class Keys:
    """Which booth each row of a table is: "<constituency>/<booth>", blank where one of them is."""

    def __init__(self, table: Table, place: int | None = None, booth: int | None = None) -> None:
        place = _first(table, "ac_id_") if place is None else place
        booth = _first(table, "booth_id_") if booth is None else booth
        self.columns = (table.names[place], table.names[booth])
        self.place = ids_of(table, place)
        number = ids_of(table, booth)
        known = (self.place != "") & (number != "")
        self.total = np.array([is_total(t) for t in table.columns[booth].texts], bool)[table.columns[booth].codes]
        self.labels = np.where(known & ~self.total, np.strings.add(np.strings.add(self.place, "/"), number), "")
        _, first, of, count = np.unique(self.labels, return_index=True, return_inverse=True, return_counts=True)
        self.again = (count[of] > 1) & (self.labels != "")
        self.first = first[of] == np.arange(len(of))


def rows_of(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The first row with each of the keys wanted; -1 where there is none, or the key is blank."""
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = order[at]
    return np.where((keys[found] == wanted) & (wanted != ""), found, -1)


def linked(base: Database, state: str, own: Keys, other: Keys) -> np.ndarray:
    """The row of another table for each row of ours, by the same labels, or through the table that joins years."""
    if own.columns == other.columns:
        return rows_of(other.labels, own.labels)
    wanted = {*own.columns, *other.columns}
    ids = base.table(base.need(f"{state}id"), lambda name: name in wanted)
    lacking = sorted(wanted - set(ids.names))
    if lacking:
        problem = f"{ids.file} has no {', '.join(lacking)}, which would join the years"
        raise base.fault(problem, "a column for the booths of each year", "choose another year")
    ours, theirs = (Keys(ids, ids.need(keys.columns[0]), ids.need(keys.columns[1])) for keys in (own, other))
    both = (ours.labels != "") & (theirs.labels != "")
    if not both.any():
        return np.full(len(own.labels), -1)
    at = rows_of(ours.labels[both], own.labels)
    labels = np.where(at >= 0, theirs.labels[both][at], "")
    return rows_of(other.labels, labels)


def _first(table: Table, start: str) -> int:
    found = [position for position, name in enumerate(table.names) if name.startswith(start)]
    if found:
        return found[0]
    expected = "a column of numbers of constituencies and of booths"
    raise table.fault(f"no column {start}..", expected=expected, mend=f"there are {', '.join(table.names[:12])}")


def ids_of(table: Table, position: int) -> np.ndarray:
    """Numbers of constituencies or booths as text, also where they were kept as decimals."""
    column = table.columns[position]
    return np.array([text.removesuffix(".0") for text in column.texts], np.str_)[column.codes]
