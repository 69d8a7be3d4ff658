"""Wide CSV: one row per voter, one column per office.

Columns `y_<office>` hold the document's codes and `m_<office>` the menus; a name that occurs twice pairs by order.
Other files hold labels, which are coded 0, 1, ... in sorted order, office by office.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.labels import strings, unique_names
from electjax.data.records import Batch, number
from electjax.voter_types.ballots import MISSING, SPLIT, TICKET
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import (
    Reader,
    Source,
    VoterColumns,
    add_voters,
    already_coded,
    ballot_attrs,
    complete,
    option_labels,
    scheme_labels,
    sorted_labels,
    voter_columns,
)
from electjax.voter_types.schema import checked

_CODES, _MENUS = "y_", "m_"
_MOST_OPTIONS = 1000


def read_wide(source: Source, options: TextOptions) -> xr.Dataset:
    """All voters of a wide CSV."""
    return _build(source.records.whole(), source.records.head(1)[0], options)


def stream_wide(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The voters of a wide CSV in chunks; labels are coded as in the whole file, which takes a pass of its own."""
    header = source.records.head(1)[0]
    for batch in source.records.batches(size):
        yield _build(batch, header, options)


def _build(batch: Batch, header: Sequence[str], options: TextOptions) -> xr.Dataset:
    voters = voter_columns(batch, options)
    if voters.voter is not None:
        _unique_voters(batch, voters.voter)
    ds = (_coded if _prefixed(header, _CODES) else _labelled)(batch, header, voters, options)
    ds = add_voters(ds, batch, voters, slice(None))
    return checked(complete(ds, batch, voters, options.incomplete), invalid=options.invalid)


def _coded(batch: Batch, header: Sequence[str], voters: VoterColumns, options: TextOptions) -> xr.Dataset:
    """Codes in `y_` columns, menus in `m_` columns."""
    codes, menus = _prefixed(header, _CODES), _prefixed(header, _MENUS)
    unknown = [name for name in menus if name not in codes]
    if unknown:
        raise batch.fault(
            f"a menu without votes: no column {_CODES + unknown[0]!r}",
            position=menus[unknown[0]],
            expected="a column y_ for every column m_",
            mend="rename or remove the column",
            row=1,
        )
    offices = list(codes) if options.offices is None else _selected(batch, list(codes), options.offices)
    votes = [_whole(batch, codes[name], "a code 0, 1, 2, ..., or a blank") for name in offices]
    largest = _largest(batch, [codes[name] for name in offices])
    scheme: Any = options.scheme or ("ticket" if menus or largest <= 2 else "options")
    if scheme == "split" and largest > 1:
        scheme = "ticket"  # of which the splits are made afterwards
    names = {"ticket": TICKET, "split": SPLIT, "options": ("",) * max(largest + 1, 2)}
    choice = np.stack(votes, axis=1)
    for j, name in enumerate(offices):
        if (wrong := choice[:, j] >= len(names[scheme])).any():
            raise batch.fault(
                f"found {int(choice[wrong.argmax(), j])}",
                int(wrong.argmax()),
                codes[name],
                expected=f"a code of the scheme {scheme!r}, 0 to {len(names[scheme]) - 1}, or a blank",
                mend="correct the cell, or pass scheme='options'",
            )
    ds = xr.Dataset(
        {"choice": (("voter", "office"), choice)},
        coords={"office": strings(offices), "option": np.arange(len(names[scheme]))},
        attrs=ballot_attrs(options, batch.file, scheme, "wide"),
    )
    if any(names[scheme]):
        ds = ds.assign_coords(option_label=("option", strings(names[scheme])))
    if menus:
        everywhere = np.full(len(batch.lines), 3)  # an office without menus is on every ballot, with every option
        ds["menu"] = ds["choice"].copy(
            data=np.stack([_menu(batch, menus[n]) if n in menus else everywhere for n in offices], axis=1)
        )
    return _keep(ds, batch, {*codes.values(), *menus.values(), *voters.taken()})


def _labelled(batch: Batch, header: Sequence[str], voters: VoterColumns, options: TextOptions) -> xr.Dataset:
    """Labels (text or numbers) in the columns of the offices."""
    free = [p for p in range(len(batch.columns)) if p not in voters.taken()]
    if options.offices is not None:
        free = [batch.find(name, "offices") for name in options.offices]
    if not free:
        raise batch.fault("no column is an office", expected="one column per office", mend="name the offices", row=1)
    labels = [sorted_labels(batch.columns[p].present()) for p in free]
    for position, known in zip(free, labels, strict=True):
        if len(known) > _MOST_OPTIONS:
            raise batch.fault(
                f"{len(known)} different values",
                position=position,
                expected="the options of an office",
                mend="name the offices by offices=[...]; other columns are kept with the voters",
                row=1,
            )
    scheme = already_coded(labels, options.scheme)
    if scheme is not None:
        labels = [[str(code) for code in range(len(scheme_labels(scheme)))] for _ in free]
    choice = np.stack(
        [
            batch.columns[p].coded({text: code for code, text in enumerate(known)})
            if scheme is None
            else _whole(batch, p, f"a code of the scheme {scheme!r}, or a blank")
            for p, known in zip(free, labels, strict=True)
        ],
        axis=1,
    )
    wide = max(2, *(len(known) for known in labels))
    ds = xr.Dataset(
        {"choice": (("voter", "office"), choice)},
        coords={
            "office": strings(batch.columns[p].name for p in free),
            "option": np.arange(wide),
            "option_label": option_labels(labels, scheme, wide),
        },
        attrs=ballot_attrs(options, batch.file, scheme or "options", "wide"),
    )
    return _keep(ds, batch, {*free, *voters.taken()})


def _keep(ds: xr.Dataset, batch: Batch, used: set[int]) -> xr.Dataset:
    """Columns that are neither offices nor voters' variables stay with the voters under their own names."""
    rest = [column for p, column in enumerate(batch.columns) if p not in used]
    taken = {*ds.variables, *ds.dims, "voter", "row", "weight", "cluster", "covariate", "term"}
    return ds.assign_coords({c.name: ("voter", c.cells()) for c in rest if c.name not in taken})


def _prefixed(header: Sequence[str], prefix: str) -> dict[str, int]:
    """Office to position of the columns with this prefix; the order of repeated names numbers them."""
    found = [p for p, name in enumerate(header) if name.casefold().startswith(prefix) and len(name) > len(prefix)]
    return dict(zip(unique_names([header[p][len(prefix) :] for p in found]), found, strict=True))


def _selected(batch: Batch, offices: list[str], wanted: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in offices:
            batch.find(_CODES + name, "offices")
    return [name for name in offices if name in wanted]


def _whole(batch: Batch, position: int, expected: str) -> np.ndarray:
    """A column of codes, -1 where blank."""
    values = batch.numbers(position, expected)
    wrong = ~np.isnan(values) & ((values < 0) | (values != np.floor(values)) | (values > _MOST_OPTIONS))
    if wrong.any():
        at = int(wrong.argmax())
        raise batch.fault(f"found {values[at]:g}", at, position, expected=expected, mend="correct the cell")
    return np.where(np.isnan(values), MISSING, values).astype(np.int16)


def _menu(batch: Batch, position: int) -> np.ndarray:
    expected = "a menu: 0 not on this ballot, 1 only the other party, 2 only the own party, 3 contested"
    values = _whole(batch, position, expected)
    if (wrong := (values < 0) | (values > 3)).any():
        at = int(wrong.argmax())
        found = "the menu is blank" if values[at] < 0 else f"found {values[at]}"
        raise batch.fault(found, at, position, expected=expected, mend="correct the cell")
    return values


def _largest(batch: Batch, positions: Sequence[int]) -> int:
    """The largest code anywhere in the file, so that every chunk of it knows the same options."""
    texts = (text for p in positions for text in batch.columns[p].present())
    return int(max((value for text in texts if not np.isnan(value := number(text))), default=0))


def _unique_voters(batch: Batch, position: int) -> None:
    column = batch.columns[position]
    first = np.unique(column.codes, return_index=True)[1]
    if len(first) < len(column.codes):
        repeated = np.ones(len(column.codes), dtype=bool)
        repeated[first] = False
        at = int(repeated.argmax())
        raise batch.fault(
            f"voter {column.texts[column.codes[at]]!r} has a row already",
            at,
            position,
            expected="one row per voter",
            mend="remove one, or read a long file (voter, office, choice)",
        )


READERS = [Reader("wide", 4, lambda source: bool(source.head), read_wide, stream_wide)]
