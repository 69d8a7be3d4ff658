"""Wide tables: one row per voter, one column per office.

Columns `y_<office>` hold the document's codes and `m_<office>` the menus; a name that occurs twice pairs by order.
Other tables hold labels, which are coded 0, 1, ... in sorted order, office by office.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.labels import strings
from electjax.data.numbers import number
from electjax.data.rows import one_election
from electjax.data.table import Table
from electjax.voter_types.ballots import MISSING, SPLIT, TICKET, menu_kinds
from electjax.voter_types.options import Blank, TextOptions
from electjax.voter_types.readers.common import Reader, Source, ballot_attrs, finish_ballots, with_voters
from electjax.voter_types.readers.labelled import label_ballots, labelled_votes, office_columns
from electjax.voter_types.readers.voters import ELECTIONS, VoterColumns, of_voters, voter_columns

_CODES, _MENUS = "y_", "m_"
_MOST_OPTIONS = 1000


def read_wide(source: Source, options: TextOptions) -> xr.Dataset:
    """All voters of a wide table."""
    return build(source, source.table, options)


def stream_wide(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The voters of a wide table in chunks; labels are coded as in the whole file, which takes a pass of its own."""
    return with_voters(build(source, table, options) for table in source.tables(size))


def build(
    source: Source, table: Table, options: TextOptions, reader: str = "wide", blank: Blank | None = None
) -> xr.Dataset:
    """Ballots of rows of a wide table, whose format may say what a blank is."""
    voters = voter_columns(table, options)
    named = {*voters.taken(), *(table.find(name) for name in (options.top, *(options.offices or ())) if name)}
    one_election(table, [name for name in ELECTIONS if table.find(name) not in named])
    if voters.voter is not None:
        table = of_voters(table, voters.voter, options, source.seen)
    if codes := _prefixed(table, _CODES):
        ds, used = _coded(source, table, codes, options)
    else:
        ds, used = _labelled(source, table, voters, options, reader, blank)
    rest = [p for p in range(len(table.columns)) if p not in used | voters.taken()]
    return finish_ballots(ds, table, options, kept=rest)


def _coded(source: Source, table: Table, codes: dict[str, int], options: TextOptions) -> tuple[xr.Dataset, set[int]]:
    """Codes in `y_` columns, menus in `m_` columns; and which columns these are."""
    menus = _prefixed(table, _MENUS)
    unknown = [name for name in menus if name not in codes]
    if unknown:
        raise table.fault(
            f"a menu without votes: no column {_CODES + unknown[0]!r}",
            position=menus[unknown[0]],
            expected="a column y_ for every column m_",
            mend="rename or remove the column",
        )
    offices = list(codes) if options.offices is None else _selected(table, list(codes), options.offices)
    choice = np.stack([_whole(table, codes[name], "a code 0, 1, 2, ..., or a blank") for name in offices], axis=1)
    largest = _largest(table, [codes[name] for name in offices])
    scheme: Any = options.scheme or ("ticket" if menus or largest <= 2 else "options")
    if scheme == "split" and largest > 1:
        scheme = "ticket"  # of which the splits are made afterwards
    names = {"ticket": TICKET, "split": SPLIT, "options": ("",) * max(largest + 1, 2)}[scheme]
    for j, name in enumerate(offices):
        table.refuse(
            choice[:, j] >= len(names),
            codes[name],
            lambda row, j=j: f"found {int(choice[row, j])}",  # type: ignore[misc]
            f"a code of the scheme {scheme!r}, 0 to {len(names) - 1}, or a blank",
            "correct the cell, or pass scheme='options'",
        )
    ds = xr.Dataset(
        {"choice": (("voter", "office"), choice)},
        coords={"office": strings(offices), "option": np.arange(len(names))},
        attrs=ballot_attrs(options, table.file, scheme, "wide"),
    )
    if any(names):
        ds = ds.assign_coords(option_label=("option", strings(names)))
    everywhere = np.full(len(table), 3)  # an office without menus is on every ballot, with every option
    if menus:
        found = [_menu(table, menus[name]) if name in menus else everywhere for name in offices]
        ds["menu"] = (("voter", "office"), np.stack(found, axis=1))
    return _with_blanks(ds, options.blank), {*codes.values(), *menus.values()}


def _with_blanks(ds: xr.Dataset, blank: Blank | None) -> xr.Dataset:
    """Blanks of coded votes as they are to be taken, where they are not to be missing."""
    choice = ds["choice"].values
    if blank == "abstain" and ds.attrs["scheme"] != "split":  # which has no code for it
        on = ds["menu"].values > 0 if "menu" in ds else True
        ds["choice"] = ds["choice"].copy(data=np.where((choice == MISSING) & on, 0, choice))
    elif blank == "not_on_ballot":
        if "menu" in ds:
            kinds = ds["menu"].values
        else:
            size = ds.sizes["option"]
            numbers, masks = menu_kinds([size] * ds.sizes["office"], size)
            kinds = np.broadcast_to(numbers, choice.shape)
            ds["available"] = (("menu_kind", "option"), masks)
        ds["menu"] = (("voter", "office"), np.where(choice == MISSING, 0, kinds))
    return ds


def _labelled(
    source: Source, table: Table, voters: VoterColumns, options: TextOptions, reader: str, blank: Blank | None
) -> tuple[xr.Dataset, set[int]]:
    """Labels (text or numbers) in the columns of the offices; and which columns these are."""
    offices = office_columns(source, table, voters.taken(), options)
    votes = labelled_votes(table, offices)
    return label_ballots(votes, source, table, options, reader, blank=blank), set(offices)


def _prefixed(table: Table, prefix: str) -> dict[str, int]:
    """Office to position of the columns with this prefix; the order of repeated names numbers them."""
    found = {p: name for p, name in enumerate(table.names) if name.casefold().startswith(prefix)}
    return {name[len(prefix) :].strip(): p for p, name in found.items() if len(name) > len(prefix)}


def _selected(table: Table, offices: list[str], wanted: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in offices:
            table.asked(_CODES + name, "offices")
    return [name for name in offices if name in wanted]


def _whole(table: Table, position: int, expected: str) -> np.ndarray:
    """A column of codes, -1 where blank."""
    values = table.numbers(position, expected)
    wrong = ~np.isnan(values) & ((values < 0) | (values != np.floor(values)) | (values > _MOST_OPTIONS))
    table.refuse(wrong, position, lambda row: f"found {values[row]:g}", expected, "correct the cell")
    return np.where(np.isnan(values), MISSING, values).astype(np.int16)


def _menu(table: Table, position: int) -> np.ndarray:
    expected = "a menu: 0 not on this ballot, 1 only the other party, 2 only the own party, 3 contested"
    values = _whole(table, position, expected)
    table.refuse(
        (values < 0) | (values > 3),
        position,
        lambda row: "the menu is blank" if values[row] < 0 else f"found {values[row]}",
        expected,
        "correct the cell",
    )
    return values


def _largest(table: Table, positions: Sequence[int]) -> int:
    """The largest code anywhere in the file, so that every chunk of it knows the same options."""
    texts = (text for p in positions for text in table.columns[p].texts)
    return int(max((value for text in texts if not np.isnan(value := number(text))), default=0))


READERS = [Reader("wide", 9, lambda source: bool(source.names), read_wide, stream_wide)]
