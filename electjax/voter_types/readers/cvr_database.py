"""A database of cast-vote records in Parquet: a row for each voter and office, in folders state=/county_name=.

Columns: cvr_id (a voter, within the county), office, candidate, party; and, where they are there, district, magnitude
and what else is known of voters, such as precinct_medsl. UNDERVOTE is no vote, OVERVOTE too many, WRITEIN and NOT
QUALIFIED a write-in. What a voter chose is the party of the candidate; what there was to choose are the parties that
had a vote in the voter's district, in all counties of the state that the database has. By default ballots are recoded
relative to the vote for president; with scheme="options" they stay parties.

A county is in memory at a time. `read` gives unique ballots with weights, which are exact for the likelihood; `stream`
keeps voters apart.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as arrow
import xarray as xr

from electjax.data.encoded import one_dictionary
from electjax.data.errors import data_error, data_warning
from electjax.data.labels import strings
from electjax.data.notes import notes_text
from electjax.data.sources import is_parquet
from electjax.data.table import fold, make_table, near
from electjax.voter_types.em.rows import row_labels
from electjax.voter_types.options import ReadOptions, TextOptions
from electjax.voter_types.readers.common import Reader, Source, ballot_attrs, finish_ballots
from electjax.voter_types.readers.database_files import (
    COUNTY,
    FOLDERS,
    NEEDED,
    STATE,
    County,
    chosen,
    coded,
    columns_of,
    counties_of,
    each_county,
    folder_of,
    spelt,
    wanted,
    whole_numbers,
)
from electjax.voter_types.readers.database_survey import OVERVOTE, VOTES, Survey, choices, label, survey, unknown
from electjax.voter_types.readers.marks import refuse_unused
from electjax.voter_types.readers.words import NO_VOTE, WRITE_IN
from electjax.voter_types.schema import checked

_NAME = "cast-vote-record database"
_PRECINCT = "precinct_medsl"
_UNUSED = ("header", "sheet", "encoding", "thousands", "suppressed", "totals", "absent", "blank", "weight")
_HELD = 1 << 22  # unique rows of counties that are held before they are made one


class _Voters(NamedTuple):
    """The voters of a county.

    Attributes:
        table: the rows of the county that are read.
        cells: [N, J] menu * (O + 1) + option + 1; 0 not on the ballot.
        first: [N] a row of each.
        rows, voter: the rows that are votes, and whose.
        overvotes: how many votes were too many.
    """

    county: County
    table: pa.Table
    cells: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    voter: np.ndarray
    overvotes: int


def is_database(source: Source) -> bool:
    """Whether this is a Parquet file, or a folder of them, with the columns of votes."""
    if not is_parquet(source.path):
        return False
    file = source.path if source.path.is_file() else next(source.path.rglob("*.parquet"))
    return set(NEEDED) <= set(spelt(columns_of(file), source.options.columns))


def read_database(source: Source, options: ReadOptions) -> xr.Dataset:
    """Unique ballots with weights: how many voters cast each."""
    counties, found, scheme, file = _prepared(source, options, options.parties)
    asked = list(found.levels)
    tables: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    held = overvotes = 0
    for voters in _each(counties, found, options):
        columns = [_codes(voters, name, found, options) for name in asked]
        table, weight = _unique(np.column_stack([voters.cells, *columns]))
        tables.append(table)
        weights.append(weight)
        held += len(table)
        overvotes += voters.overvotes
        if held > _HELD:
            table, weight = _unique(np.concatenate(tables), np.concatenate(weights))
            tables, weights, held = [table], [weight], 0
    if not tables:
        raise data_error("no votes", where=file, expected="rows of an office with one vote", mend="check where=")
    table, weight = _unique(np.concatenate(tables), np.concatenate(weights))
    coded_columns = [(table[:, len(found.offices) + k], list(found.levels[name])) for k, name in enumerate(asked)]
    rows = make_table(file, np.arange(1, len(table) + 1), asked, coded_columns, header=None)
    ds = finish_ballots(_dataset(table[:, : len(found.offices)], found, options, file), rows, options)
    ds["weight"] = ("voter", weight[ds["row"].values - 1].astype(float))
    before = float(ds["weight"].sum())
    ds = _collapsed(_recoded(ds.drop_vars("row"), found, options, scheme))
    dropped = before - float(ds["weight"].sum())
    said = f"{ds['weight'].sum():.0f} voters are {ds.sizes['voter']} different ballots with weights (stream keeps each)"
    attrs = {"overvotes": overvotes} | ({"dropped_voters": int(dropped)} if "dropped_voters" in ds.attrs else {})
    return checked(ds.assign_attrs(attrs | {"notes": notes_text([*found.notes, said])}))


def stream_database(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The voters, county by county."""
    counties, found, scheme, file = _prepared(source, options, None)
    for voters in _each(counties, found, options):
        county = voters.county
        ids = arrow.cast(voters.table.column("cvr_id").take(pa.array(voters.first)), pa.string())
        columns = {name: _codes(voters, name, found, options) for name in found.levels}
        precinct = coded(voters.table, _PRECINCT)
        for start in range(0, len(ids), size):
            part = slice(start, start + size)
            first = voters.first[part]
            order, codes = np.unique(np.array(ids[part].to_pylist(), np.str_), return_inverse=True)
            own = [(codes, order.tolist()), *((column[part], list(found.levels[n])) for n, column in columns.items())]
            rows = make_table(county.place, first + 1, ["cvr_id", *columns], own, header=None)
            ds = finish_ballots(_dataset(voters.cells[part], found, options, file), rows, options)
            said = {STATE: np.full(len(first), county.state), COUNTY: np.full(len(first), county.name)}
            if _PRECINCT in voters.table.column_names:
                said[_PRECINCT] = strings(precinct.texts)[precinct.codes[first]]
            kept = np.isin(first + 1, ds["row"].values)
            ds = ds.assign_coords({name: ("voter", labels[kept]) for name, labels in said.items()})
            if scheme != "options" and not _aligned(ds, found):
                said_so = f"{len(first)} voters without a vote for {' or '.join(found.parties)} at the top are left out"
                data_warning(said_so, where=county.place)
            else:
                yield _recoded(ds, found, options, scheme).assign_attrs(notes=notes_text(found.notes))


def _prepared(
    source: Source, options: TextOptions, parties: Sequence[str] | None
) -> tuple[list[County], Survey, str, str]:
    """The counties that are read, what a first pass finds of their states, the scheme, and the name of it all."""
    file = source.path.name
    refuse_unused(options, _UNUSED, file, f"a {_NAME}")
    every = counties_of(source.path)
    names = columns_of(every[0].files[0])
    for name, given in options.columns.items():
        if fold(given) not in map(fold, names):
            raise data_error(f"no column {given!r}", where=f"{file}, columns", expected=name, mend=near(given, names))
    counties = chosen(every, options.where, file)
    states = {county.state for county in counties}
    scheme = options.scheme if isinstance(options.scheme, str) else "ticket"
    return counties, survey([c for c in every if c.state in states], options, scheme, file, parties), scheme, file


def _each(counties: Sequence[County], found: Survey, options: TextOptions) -> Iterator[_Voters]:
    """The voters of each county with their votes."""
    conditions = {folder_of(name): wanted(value) for name, value in options.where.items()}
    names = {*VOTES, "cvr_id", _PRECINCT, *conditions, *found.levels} - set(FOLDERS)
    place = {name: j for j, name in enumerate(found.offices)}
    wide, used = len(found.options) + 1, 0
    value = {name: k + 1 for k, name in enumerate(found.options)}
    value[OVERVOTE] = 1 if options.overvote == "abstain" else 0
    for county, table in each_county(counties, tuple(sorted(names)), options.columns):
        if any(name in conditions and not conditions[name](own) for name, own in county.folders.items()):
            continue
        office, district = coded(table, "office"), coded(table, "district")
        choice, _ = choices(table)
        column = office.of(place, -1)
        kept = column >= 0
        if (seats := whole_numbers(table, "magnitude", county.place)) is not None:
            kept &= seats <= 1
        for name in conditions.keys() - set(FOLDERS):
            if name not in table.column_names:
                raise unknown(name, table, "where")
            own = coded(table, name)
            kept &= np.array([conditions[name](text) for text in own.texts])[own.codes]
        used += int(kept.sum())
        if not kept.any():
            continue
        kinds = np.array(
            [[found.kind.get((county.state, i, j), 0) for j in district.texts] for i in office.texts], np.int32
        )
        cell = kinds[office.codes, district.codes] * wide + choice.of(value, 0)
        rows = np.flatnonzero(kept)
        ids = table.column("cvr_id") if len(rows) == len(table) else table.column("cvr_id").filter(pa.array(kept))
        if ids.null_count:
            expected, mend = "a voter", "remove the row"
            raise data_error("the cell is blank", where=county.place, column="cvr_id", expected=expected, mend=mend)
        known = one_dictionary(ids.chunks)
        voter = known.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        cells = _laid_out(county, found, options, voter * len(place) + column[rows], cell[rows], known.dictionary)
        first = np.zeros(len(cells), np.int64)
        first[voter[::-1]] = rows[::-1]
        over = choice.texts.index(OVERVOTE)
        yield _Voters(county, table, cells, first, rows, voter, int((choice.codes[rows] == over).sum()))
    if not used and conditions:
        raise data_error("no row left", where="where", expected="rows", mend="check its values")


def _laid_out(
    county: County, found: Survey, options: TextOptions, at: np.ndarray, cell: np.ndarray, voters: Any
) -> np.ndarray:
    """Cells by voter and office; a second row of a voter and office is one too many."""
    offices, wide = len(found.offices), len(found.options) + 1
    size = len(voters) * offices
    table = np.zeros(size, np.int32)
    table[at] = cell
    differ = table[at] != cell
    again = len(at) - np.count_nonzero(table)
    if not again:
        return table.reshape(-1, offices)
    spot = int(at[differ.argmax()] if differ.any() else np.flatnonzero(np.bincount(at, minlength=size) > 1)[0])
    said = f"voter {voters[spot // offices].as_py()!r} has two rows"
    where, office, expected = county.place, found.offices[spot % offices], "one row for a voter and office"
    if differ.any() and options.invalid == "error":
        mend = "remove one, or pass invalid='missing'"
        raise data_error(f"{said} that differ", where=where, column=office, expected=expected, mend=mend)
    if options.repeated != "drop":
        mend = "remove one, or pass repeated='drop'"
        raise data_error(said, where=where, column=office, expected=expected, mend=mend)
    table[at[differ]] = table[at[differ]] // wide * wide  # no option, on the ballot
    told = f"{said}; {again} such rows are counted once, or missing where they differ"
    data_warning(told, where=where, column=office)
    return table.reshape(-1, offices)


def _codes(voters: _Voters, name: str, found: Survey, options: TextOptions) -> np.ndarray:
    """A column that the options name, one number for each voter."""
    levels, county = found.levels[name], voters.county
    if name in FOLDERS:
        own = levels[label(county, county.folders[name], name, options)]
        return np.full(len(voters.cells), own, np.int32)
    column = coded(voters.table, name)
    codes = column.of({text: levels[label(county, text, name, options)] for text in column.texts}, 0)
    differ = codes[voters.rows] != codes[voters.first][voters.voter]
    if differ.any():
        voter = voters.table.column("cvr_id")[int(voters.rows[differ.argmax()])].as_py()
        problem, mend = f"voter {voter!r} has several values", "correct a row"
        raise data_error(problem, where=county.place, column=name, expected="one for all rows of a voter", mend=mend)
    return codes[voters.first]


def _unique(table: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and the weight of each."""
    number = row_labels(table)
    size = int(number.max()) + 1
    first = np.zeros(size, np.int64)
    first[number[::-1]] = np.arange(len(table))[::-1]
    return table[first], np.bincount(number, weight, size)


def _dataset(cells: np.ndarray, found: Survey, options: TextOptions, file: str) -> xr.Dataset:
    """Ballots by parties."""
    wide = len(found.options) + 1
    parties = [["" if name in (NO_VOTE, WRITE_IN) else name for name in found.options]] * len(found.offices)
    return xr.Dataset(
        {
            "choice": (("voter", "office"), cells % wide - 1),
            "menu": (("voter", "office"), cells // wide),
            "available": (("menu_kind", "option"), found.menus),
        },
        coords={
            "office": strings(found.offices),
            "option": np.arange(len(found.options)),
            "option_label": ("option", strings(found.options)),
            "option_party": (("office", "option"), np.array(parties, np.str_)),
        },
        attrs=ballot_attrs(options, file, "options", _NAME) | ({"top": found.top} if found.top else {}),
    )


def _aligned(ds: xr.Dataset, found: Survey) -> bool:
    """Whether a voter voted for one of the two parties at the top."""
    top = str(ds.attrs.get("top"))
    if top not in ds["office"].values or not set(found.parties) <= set(found.options):
        return True  # recode says what is wrong
    codes = [found.options.index(party) for party in found.parties]
    return bool(np.isin(ds["choice"].sel(office=top).values, codes).any())


def _recoded(ds: xr.Dataset, found: Survey, options: TextOptions, scheme: str) -> xr.Dataset:
    """Ballots in the scheme that is asked for."""
    if scheme == "options":
        return ds
    from electjax.voter_types.verbs.recode import recode  # only where it is asked for

    return recode(ds, scheme=scheme, top=options.top, parties=found.parties)


def _collapsed(ds: xr.Dataset) -> xr.Dataset:
    """Voters with the same ballot as one row."""
    columns = []
    for name in (name for name in ds.variables if "voter" in ds[name].dims and name not in ("weight", "voter")):
        values = ds[name].values
        codes = values if values.dtype.kind in "iu" else np.unique(values, return_inverse=True)[1].reshape(values.shape)
        columns.append(codes.reshape(len(values), -1))
    number = row_labels(np.concatenate(columns, axis=1))
    first = np.unique(number, return_index=True)[1]
    return ds.isel(voter=first).assign(weight=("voter", np.bincount(number, ds["weight"].values)))


READERS = [Reader(_NAME, 0, is_database, read_database, stream_database)]
