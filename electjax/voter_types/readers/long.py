"""Long CSV: one row per vote, `voter, office, choice`.

Optional columns: `menu` (the document's menus; the choices are then its codes), `weight`, `party` (of the option
chosen), and covariates or other columns of the voter, repeated on each of the voter's rows.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import suggest
from electjax.data.labels import strings
from electjax.data.records import Batch
from electjax.voter_types.ballots import MISSING, TICKET, menu_kinds
from electjax.voter_types.options import ReadOptions
from electjax.voter_types.readers.common import (
    Reader,
    Source,
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

_NAMES = {
    "voter": ("voter", "voter_id", "cvr_id", "id"),
    "office": ("office", "contest", "race"),
    "choice": ("choice", "candidate", "vote"),
}


class _Votes(NamedTuple):
    """The votes of a file: positions of its columns, and voter, office of each record."""

    choice: int
    menu: int | None
    voter: np.ndarray
    office: np.ndarray
    offices: list[str]
    first: np.ndarray  # each voter's first record


def is_long(source: Source) -> bool:
    """Whether the header names voter, office and choice."""
    return bool(source.head) and all(any(name in source.head[0] for name in names) for names in _NAMES.values())


def read_long(source: Source, options: ReadOptions) -> xr.Dataset:
    """All votes of a long CSV as ballots."""
    batch = source.records.whole()
    votes = _votes(batch, options)
    _no_second_vote(batch, votes)
    ds = _coded(batch, votes, options) if votes.menu is not None else _labelled(batch, votes, options)
    voters = voter_columns(batch, options)
    every = votes.first[votes.voter]
    for position in sorted(voters.taken() - {voters.voter}):
        _constant(batch, position, every)
    ds = add_voters(ds, batch, voters, votes.first)
    for position, column in enumerate(batch.columns):
        free = position not in voters.taken() and column.name not in ds.variables
        if free and np.array_equal(column.codes, column.codes[every]) and column.name.casefold() not in _spoken():
            ds = ds.assign_coords({column.name: ("voter", column.cells()[votes.first])})
    return checked(complete(ds, batch, voters, options.incomplete), invalid=options.invalid)


def _votes(batch: Batch, options: ReadOptions) -> _Votes:
    folded = [name.casefold() for name in batch.names]
    at = {what: next(folded.index(n) for n in names if n in folded) for what, names in _NAMES.items()}
    for what in ("voter", "office"):
        blank = batch.columns[at[what]].blank
        if blank.any():
            raise batch.fault(
                "the cell is blank",
                int(blank.argmax()),
                at[what],
                expected=f"the {what} of the vote",
                mend="fill it in or remove the row",
            )
    names = batch.columns[at["office"]].present()
    if options.offices is not None:
        for name in options.offices:
            if name not in names:
                raise batch.fault(
                    f"no office {name!r}",
                    position=at["office"],
                    expected="offices of the file",
                    mend=suggest(name, names),
                )
        names = [name for name in names if name in options.offices]
    order = {name: j for j, name in enumerate(names)}
    column = batch.columns[at["office"]]
    office = np.array([order.get(text, -1) for text in column.texts])[column.codes]
    # The numbers of texts are in order of appearance, and so are voters.
    text = batch.columns[at["voter"]]
    _, first, voter = np.unique(
        text.coded({name: v for v, name in enumerate(text.present())}), return_index=True, return_inverse=True
    )
    menu = folded.index("menu") if "menu" in folded else None
    return _Votes(at["choice"], menu, voter, office, names, first)


def _no_second_vote(batch: Batch, votes: _Votes) -> None:
    key = votes.voter * (len(votes.offices) + 1) + votes.office
    order = np.argsort(key, kind="stable")
    again = (key[order][1:] == key[order][:-1]) & (votes.office[order][1:] >= 0)
    if again.any():
        at = int(order[1:][again].min())
        before = int(order[:-1][again][order[1:][again].argmin()])
        raise batch.fault(
            f"a second vote for {votes.offices[votes.office[at]]!r} by the voter of row {batch.lines[before]}",
            at,
            votes.choice,
            expected="one row per voter and office",
            mend="remove one of the two rows",
        )


def _table(votes: _Votes, values: np.ndarray, empty: int) -> np.ndarray:
    """Values of the records as an array (voter, office); `empty` where there is no record."""
    table = np.full((len(votes.first), len(votes.offices)), empty, dtype=np.int16)
    kept = votes.office >= 0
    table[votes.voter[kept], votes.office[kept]] = values[kept]
    return table


def _coded(batch: Batch, votes: _Votes, options: ReadOptions) -> xr.Dataset:
    """The document's codes and menus; a pair that has no row is an office not on that ballot."""
    assert votes.menu is not None
    choice = _codes(batch, votes.choice, len(TICKET), "a code of the document, or a blank")
    scheme = "split" if options.scheme == "split" and choice.max() <= 1 else "ticket"
    names = scheme_labels(scheme)
    menu = _codes(batch, votes.menu, 4, "a menu, 0 to 3")
    if (menu < 0).any():
        raise batch.fault(
            "the menu is blank", int((menu < 0).argmax()), votes.menu, expected="a menu, 0 to 3", mend="fill it in"
        )
    return xr.Dataset(
        {
            "choice": (("voter", "office"), _table(votes, choice, MISSING)),
            "menu": (("voter", "office"), _table(votes, menu, 0)),
        },
        coords={
            "office": strings(votes.offices),
            "option": np.arange(len(names)),
            "option_label": ("option", strings(names)),
        },
        attrs=ballot_attrs(options, batch.file, scheme, "long"),
    )


def _codes(batch: Batch, position: int, count: int, expected: str) -> np.ndarray:
    values = batch.numbers(position, expected)
    wrong = ~np.isnan(values) & ~np.isin(values, np.arange(count))
    if wrong.any():
        at = int(wrong.argmax())
        raise batch.fault(f"found {values[at]:g}", at, position, expected=expected, mend="correct the cell")
    return np.where(np.isnan(values), MISSING, values).astype(np.int16)


def _labelled(batch: Batch, votes: _Votes, options: ReadOptions) -> xr.Dataset:
    """Labels of the options, coded office by office."""
    column = batch.columns[votes.choice]
    order = np.argsort(votes.office, kind="stable")
    groups = np.split(order, np.searchsorted(votes.office[order], np.arange(len(votes.offices))))[1:]
    used = [np.unique(column.codes[records]) for records in groups]
    labels = [sorted_labels(list(dict.fromkeys(t for c in codes if (t := column.texts[c])))) for codes in used]
    scheme = already_coded(labels, options.scheme)
    if scheme is not None:
        labels = [[str(code) for code in range(len(scheme_labels(scheme)))] for _ in labels]
    wide = max(2, *(len(known) for known in labels)) if labels else 2
    code = np.full(len(column.codes), MISSING, dtype=np.int16)
    for records, known_here in zip(groups, labels, strict=True):
        place = {text: k for k, text in enumerate(known_here)}
        code[records] = np.array([place.get(text, MISSING) for text in column.texts])[column.codes[records]]
    ds = xr.Dataset(
        {"choice": (("voter", "office"), _table(votes, code, MISSING))},
        coords={
            "office": strings(votes.offices),
            "option": np.arange(wide),
            "option_label": option_labels(labels, scheme, wide),
        },
        attrs=ballot_attrs(options, batch.file, scheme or "options", "long"),
    )
    if scheme is None:
        ds = _parties(ds, batch, groups, code)
    if options.absent == "off_ballot":
        kinds, masks = menu_kinds([len(known_here) for known_here in labels], wide)
        present = _table(votes, np.ones(len(code), dtype=np.int16), 0)
        ds["menu"] = (("voter", "office"), np.where(present == 1, kinds, 0))
        ds["available"] = (("menu_kind", "option"), masks)
    return ds


def _parties(ds: xr.Dataset, batch: Batch, groups: list[np.ndarray], code: np.ndarray) -> xr.Dataset:
    """The party of each option, from a column `party`."""
    folded = [name.casefold() for name in batch.names]
    if "party" not in folded:
        return ds
    position = folded.index("party")
    cells = batch.columns[position].cells()
    parties = np.full((ds.sizes["office"], ds.sizes["option"]), "", dtype=cells.dtype)
    for j, records in enumerate(groups):
        cast = records[code[records] >= 0]
        _, first, inverse = np.unique(code[cast], return_index=True, return_inverse=True)
        differ = cells[cast] != cells[cast][first][inverse]
        if differ.any():
            at = int(cast[differ.argmax()])
            other = int(cast[first[inverse[differ.argmax()]]])
            raise batch.fault(
                f"party {str(cells[at])!r} here and {str(cells[other])!r} in row {batch.lines[other]} for one choice",
                at,
                position,
                expected="one party per option (the party chosen, not the voter's)",
                mend="correct one of the two rows",
            )
        parties[j, code[cast][first]] = cells[cast][first]
    return ds.assign_coords(option_party=(("office", "option"), parties))


def _constant(batch: Batch, position: int, first: np.ndarray) -> None:
    """A column of the voter has the same value on each of the voter's rows."""
    column = batch.columns[position]
    cells = np.array(column.texts, dtype=np.str_)
    differ = cells[column.codes] != cells[column.codes[first]]
    if differ.any():
        at = int(differ.argmax())
        raise batch.fault(
            f"{column.texts[column.codes[at]]!r} here and {column.texts[column.codes[first[at]]]!r} in row"
            f" {batch.lines[first[at]]} for the same voter",
            at,
            position,
            expected="one value per voter",
            mend="correct one of the two rows",
        )


def _spoken() -> set[str]:
    """Names of columns that are about votes."""
    return {"menu", "party", *(name for names in _NAMES.values() for name in names)}


READERS = [Reader("long", 3, is_long, read_long)]
