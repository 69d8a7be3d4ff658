"""Long tables: one row per vote, `voter, office, choice`.

Optional columns: `menu` (the document's menus; the choices are then its codes), `weight`, `party` (of the option
chosen), and covariates or other columns of the voter, repeated on each of the voter's rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import suggest
from electjax.data.labels import strings
from electjax.data.rows import numbered, one_election, without_repeats, without_totals
from electjax.data.table import Table, fold
from electjax.data.vocabulary import ignored
from electjax.voter_types.ballots import MISSING, TICKET
from electjax.voter_types.options import ReadOptions
from electjax.voter_types.readers.common import Reader, Source, ballot_attrs, finish_ballots, scheme_labels
from electjax.voter_types.readers.labelled import MOST_LABELS, Votes, label_ballots
from electjax.voter_types.readers.voters import ELECTIONS, sorted_labels, voter_columns
from electjax.voter_types.readers.words import Kind, kind_of

_NAMES = {
    "voter": ("voter", "voter_id", "cvr_id", "ballot_id", "id"),
    "office": ("office", "contest", "race", "contest_name"),
    "choice": ("choice", "candidate", "vote", "candidate_name", "selection"),
}


class _Rows(NamedTuple):
    """The votes of a table: positions of its columns, and voter, office of each row."""

    choice: int
    menu: int | None
    voter: np.ndarray
    office: np.ndarray
    offices: list[str]
    first: np.ndarray  # each voter's first row


def is_long(source: Source) -> bool:
    """Whether the header names voter, office and choice."""
    names = set(source.names)
    return all(names & set(map(fold, spelt)) for spelt in _NAMES.values())


def read_long(source: Source, options: ReadOptions) -> xr.Dataset:
    """All votes of a long table as ballots."""
    table = source.table
    voters = voter_columns(table, options)
    one_election(table, [name for name in ELECTIONS if table.find(name) not in voters.taken()])
    table = without_totals(table, [table.need(*_NAMES["voter"])], [], options.totals, what="voter")
    rows = _rows(table, options)
    if _is_repeated(rows):
        table = without_repeats(table, options.repeated)
        rows = _rows(table, options)
        _no_second_vote(table, rows)
    make = _coded if rows.menu is not None else _labelled
    ds = make(source, table, rows, options)
    every = rows.first[rows.voter]
    for position in sorted(voters.taken() - {voters.voter}):
        _constant(table, position, every)
    spoken = {fold(name) for name in ("menu", "party", *(name for names in _NAMES.values() for name in names))}
    free = [p for p, name in enumerate(table.names) if p not in voters.taken() and fold(name) not in spoken]
    kept = [p for p in free if np.array_equal(table.columns[p].codes, table.columns[p].codes[every])]
    table = table.noted(*ignored(table, set(range(len(table.columns))) - set(free) | set(kept)))
    return finish_ballots(ds, table, options, first=rows.first, kept=kept)


def _rows(table: Table, options: ReadOptions) -> _Rows:
    at = {what: table.need(*names) for what, names in _NAMES.items()}
    text, column = (
        table.labels(at["voter"], "the voter of the vote"),
        table.labels(at["office"], "the office of the vote"),
    )
    names = column.present()
    if options.offices is not None:
        for name in options.offices:
            if name not in names:
                mend = suggest(name, names)
                raise table.fault(
                    f"no office {name!r}", position=at["office"], expected="offices of the file", mend=mend
                )
        names = [name for name in names if name in options.offices]
    office = column.coded({name: j for j, name in enumerate(names)})
    # Voters are in order of appearance.
    voter, first = numbered(text.codes)
    return _Rows(at["choice"], table.find("menu"), voter, office, names, first)


def _key(rows: _Rows) -> np.ndarray:
    return rows.voter * (len(rows.offices) + 1) + rows.office


def _is_repeated(rows: _Rows) -> bool:
    key = np.sort(_key(rows)[rows.office >= 0])
    return bool((key[1:] == key[:-1]).any())


def _no_second_vote(table: Table, rows: _Rows) -> None:
    cast, rank = np.flatnonzero(rows.office >= 0), table.find("rank", "ranking", "preference", "position")
    table.take(cast).no_repeats(
        _key(rows)[cast],
        rows.choice,
        lambda row: f"a vote for {rows.offices[rows.office[cast[row]]]!r} by this voter",
        "remove one of the two rows, or leave out the office with offices=[...]"
        if rank is None
        else f"choose first ranks with where={{{table.names[rank]!r}: 1}}",
    )


def _matrix(rows: _Rows, values: np.ndarray, empty: int) -> np.ndarray:
    """Values of the rows as an array (voter, office); `empty` where there is no row."""
    matrix = np.full((len(rows.first), len(rows.offices)), empty, dtype=np.int16)
    kept = rows.office >= 0
    matrix[rows.voter[kept], rows.office[kept]] = values[kept]
    return matrix


def _coded(source: Source, table: Table, rows: _Rows, options: ReadOptions) -> xr.Dataset:
    """The document's codes and menus; a pair that has no row is an office not on that ballot."""
    assert rows.menu is not None
    choice = _codes(table, rows.choice, len(TICKET), "a code of the document, or a blank")
    scheme = "split" if options.scheme == "split" and choice.max() <= 1 else "ticket"
    menu = _codes(table, rows.menu, 4, "a menu, 0 to 3")
    table.refuse(menu < 0, rows.menu, "the menu is blank", "a menu, 0 to 3", "fill it in")
    if options.blank == "abstain" and scheme == "ticket":
        choice = np.where((choice < 0) & (menu > 0), 0, choice)
    elif options.blank == "not_on_ballot":
        menu = np.where(choice < 0, 0, menu)
    names = scheme_labels(scheme)
    return xr.Dataset(
        {
            "choice": (("voter", "office"), _matrix(rows, choice, MISSING)),
            "menu": (("voter", "office"), _matrix(rows, menu, 0)),
        },
        coords={
            "office": strings(rows.offices),
            "option": np.arange(len(names)),
            "option_label": ("option", strings(names)),
        },
        attrs=ballot_attrs(options, table.file, scheme, "long"),
    )


def _codes(table: Table, position: int, count: int, expected: str) -> np.ndarray:
    values = table.numbers(position, expected)
    wrong = ~np.isnan(values) & ~np.isin(values, np.arange(count))
    table.refuse(wrong, position, lambda row: f"found {values[row]:g}", expected, "correct the cell")
    return np.where(np.isnan(values), MISSING, values).astype(np.int16)


def _labelled(source: Source, table: Table, rows: _Rows, options: ReadOptions) -> xr.Dataset:
    """Labels of the options, coded office by office."""
    column = table.columns[rows.choice]
    order = np.argsort(rows.office, kind="stable")
    groups = np.split(order, np.searchsorted(rows.office[order], np.arange(len(rows.offices))))[1:]
    used = [np.unique(column.codes[group]) for group in groups]
    labels = [sorted_labels([text for code in codes if (text := column.texts[code])]) for codes in used]
    if max(map(len, labels), default=0) > MOST_LABELS:
        problem, mend = "an office has too many different options", "merge its write-ins"
        raise table.fault(problem, None, rows.choice, expected=f"at most {MOST_LABELS}", mend=mend)
    code = np.full(len(table), MISSING, dtype=np.int16)
    for group, known in zip(groups, labels, strict=True):
        place = {text: k for k, text in enumerate(known)}
        code[group] = np.array([place.get(text, MISSING) for text in column.texts])[column.codes[group]]
    votes = Votes(
        rows.offices,
        labels,
        _matrix(rows, code, MISSING),
        _parties(table, rows, groups, code, labels),
        _matrix(rows, np.ones(len(code), dtype=np.int16), 0) == 0,
    )
    return label_ballots(votes, source, table, options, "long", absent=options.absent)


def _parties(
    table: Table, rows: _Rows, groups: list[np.ndarray], code: np.ndarray, labels: Sequence[Sequence[str]]
) -> list[list[str]] | None:
    """The party of each option, from a column `party`; words for no vote and write-ins may have several."""
    position = table.find("party")
    if position is None:
        return None
    cells = table.columns[position].cells()
    parties = []
    for group, known in zip(groups, labels, strict=True):
        cast = group[code[group] >= 0]
        _, first, inverse = np.unique(code[cast], return_index=True, return_inverse=True)
        single = np.array([kind_of(label) is Kind.OPTION for label in known], dtype=bool)[code[cast]]
        differ = (cells[cast] != cells[cast][first][inverse]) & single
        if differ.any():
            row, other = int(cast[differ.argmax()]), int(cast[first[inverse[differ.argmax()]]])
            raise table.fault(
                f"party {str(cells[row])!r} here and {str(cells[other])!r} in row {table.lines[other]} for one choice",
                row,
                position,
                expected="one party per option (the party chosen, not the voter's)",
                mend="correct one of the two rows",
            )
        own = dict(zip(code[cast][first].tolist(), cells[cast][first].tolist(), strict=True))
        parties.append([own[k] if kind_of(label) is Kind.OPTION else "" for k, label in enumerate(known)])
    return parties


def _constant(table: Table, position: int, first: np.ndarray) -> None:
    """A column of the voter has the same value on each of the voter's rows."""
    column = table.columns[position]
    differ = column.codes != column.codes[first]
    if differ.any():
        row = int(differ.argmax())
        raise table.fault(
            f"{column.at(row)!r} here and {column.at(first[row])!r} in row {table.lines[first[row]]} for one voter",
            row,
            position,
            expected="one value per voter",
            mend="correct one of the two rows",
        )


READERS = [Reader("long", 7, is_long, read_long)]
