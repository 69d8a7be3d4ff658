"""Tables whose cells hold the choice as a label: which columns are offices, and what blanks and words mean."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.labels import said_of_case, strings
from electjax.data.numbers import number
from electjax.data.table import Table, fold
from electjax.voter_types.ballots import MISSING, menu_kinds
from electjax.voter_types.options import Absent, Blank, TextOptions
from electjax.voter_types.readers.common import (
    Cast,
    Contest,
    Source,
    already_coded,
    ballot_attrs,
    cast_ballots,
    option_labels,
    scheme_labels,
)
from electjax.voter_types.readers.several import further_ranks, several_votes
from electjax.voter_types.readers.voters import sorted_labels
from electjax.voter_types.readers.words import Kind, kind_of, kinds_of

MOST_LABELS = 30_000  # of an office: codes are kept in 16 bits
_MOST_OPTIONS = 200
_MOST_NUMBERS = 30  # such as ages
_MOST_WORDS = 100_000
_FEW_ROWS = 20  # from which on an office has fewer options than half its rows
# What tables call the columns of voters that no one votes for.
_VOTERS = frozenset(
    (
        *(
            "precinct",
            "precinctname",
            "precinctid",
            "county",
            "countyname",
            "jurisdiction",
            "ballotstyle",
            "ballottype",
        ),
        *("ballotstyleid", "batch", "batchid", "tabulator", "tabulatornum", "countinggroup", "precinctportion"),
        *("state", "year", "date", "election", "electiondate", "electiontype", "stage"),
    )
)


class Votes(NamedTuple):
    """Choices of voters in offices.

    Attributes:
        offices: names of J offices.
        labels: of each office's options. parties: of the options; None where the source has none.
        code: [V, J] number of the label chosen; -1 where the cell is blank, or there is none.
        absent: [V, J] where there is no cell; None: nowhere.
    """

    offices: Sequence[str]
    labels: Sequence[Sequence[str]]
    code: np.ndarray
    parties: Sequence[Sequence[str]] | None = None
    absent: np.ndarray | None = None


def office_columns(source: Source, table: Table, taken: set[int], options: TextOptions) -> list[int]:
    """Positions of the offices: those asked for, else all columns that are not taken and look like an office."""
    if options.offices is not None:
        asked = [table.asked(name, "offices") for name in options.offices]
        for position in asked:
            if why := _no_office(table, position, options.scheme, asked=True):
                mend = "leave it out of offices; other columns stay with the voters"
                raise table.fault(why, position=position, expected="the options of an office", mend=mend)
        return asked
    found, without = [], []
    others = _VOTERS | set(map(fold, options.where))
    further = further_ranks(table.names)
    for position in range(len(table.columns)):
        name = table.names[position]
        if position in taken or fold(name) in others:
            continue
        why = f"it is a further rank of {further[position]!r}" if position in further else ""
        if why := why or _no_office(table, position, options.scheme):
            without.append(f"{name!r}: {why}")
            source.warn_once(
                f"{why}, so it is no office and stays with the voters; name the offices by offices=[...]", column=name
            )
            continue
        found.append(position)
    if not found:
        told = f" ({'; '.join(without[:3])}{'; ...' if len(without) > 3 else ''})" if without else ""
        mend = "name them by offices=[...]"
        raise table.fault(f"no column is an office{told}", expected="one column per office", mend=mend)
    return found


def _no_office(table: Table, position: int, scheme: Any, *, asked: bool = False) -> str:
    """Why a column is no office; blank where it may be one."""
    texts = [text for text in table.columns[position].texts if text]
    rows = table.of or len(table)
    if already_coded([texts], scheme):
        return ""
    if several := several_votes(table.names[position], texts):
        return several
    if len(texts) < _MOST_WORDS:  # write-ins may be very many
        kinds = kinds_of(texts)
        options = sum(kind is Kind.OPTION for kind in kinds)
        if options < len(texts) and options < _MOST_OPTIONS:
            return ""
    if len(texts) == rows > 2:
        return "the column has another value in every row"
    if len(texts) >= _MOST_OPTIONS or (rows >= _FEW_ROWS and 2 * len(texts) > rows):
        return f"the column has {len(texts)} different values"
    if _numeric(texts) and len(texts) >= _MOST_NUMBERS and not asked:
        return f"the column has {len(texts)} different numbers"
    if _numeric(texts) and not all(float(text).is_integer() for text in texts):
        return "the column holds numbers with decimals"
    return "" if texts else "the column is blank"


def labelled_votes(table: Table, positions: Sequence[int]) -> Votes:
    """Labels in the columns of offices, coded 0, 1, ... in sorted order; 1.0 among whole numbers is 1."""
    labels, codes = [], []
    for position in positions:
        column = table.columns[position]
        _refuse_strange(table, position)
        whole = all(float(text).is_integer() for text in column.texts if text) if _numeric(column.texts) else False
        spelt = [str(int(float(text))) if text and whole else text for text in column.texts]
        own = sorted_labels([text for text in dict.fromkeys(spelt) if text])
        if len(own) > MOST_LABELS:
            problem, mend = f"{len(own)} different options", "leave it out of offices, or merge its write-ins"
            raise table.fault(problem, None, position, expected=f"at most {MOST_LABELS}", mend=mend)
        place = {text: code for code, text in enumerate(own)}
        labels.append(own)
        codes.append(np.array([place.get(text, MISSING) for text in spelt], dtype=np.int16)[column.codes])
    return Votes([table.names[p] for p in positions], labels, np.stack(codes, axis=1))


def _refuse_strange(table: Table, position: int) -> None:
    """A text that is no word of ballots in a column that otherwise holds numbers is a mistake, not an option."""
    column = table.columns[position]
    if len(column.texts) > _MOST_OPTIONS:
        return
    odd = np.array([bool(text) and np.isnan(number(text)) and kind_of(text) is Kind.OPTION for text in column.texts])
    numbers = sum(bool(text) and not np.isnan(number(text)) for text in column.texts)
    if numbers > 2 * odd.sum():
        table.refuse(
            odd[column.codes],
            position,
            lambda row: f"{column.at(row)!r} is not a number",
            "a number, as in the other rows, or a word such as undervote",
            "correct the cell, or leave it blank",
        )


def _numeric(texts: Sequence[str]) -> bool:
    return not any(np.isnan(number(text)) for text in texts if text)


class _Empty(NamedTuple):
    """What cells without a choice mean, [V, J] each: an office that was not on the ballot (None: all were), no vote."""

    off: np.ndarray | None
    none: np.ndarray


def label_ballots(
    votes: Votes,
    source: Source,
    table: Table,
    options: TextOptions,
    reader: str,
    *,
    blank: Blank | None = None,
    absent: Absent | None = None,
) -> xr.Dataset:
    """Ballots of labels. Undervotes and overvotes are no vote, option 0, and several write-ins are one option.

    Args:
        votes: what the cells say.
        source: of the table. table: the rows, for errors and the name of the file.
        options: how it is read.
        reader: the format.
        blank: what a blank cell means in this format; None where it has no meaning of its own.
        absent: what it means that there is no cell.
    """
    kinds = [kinds_of(labels) for labels in votes.labels]
    for office, own in zip(votes.offices, votes.labels, strict=True):
        for said in islice(said_of_case("option", own), 3):
            source.warn_once(said, column=str(office))
    meaning = options.blank or blank
    _warn_of_blanks(votes, source, kinds, meaning, absent)
    scheme = already_coded(votes.labels, options.scheme)
    attrs = ballot_attrs(options, table.file, scheme or "options", reader)
    words = any(kind in (Kind.UNDERVOTE, Kind.OVERVOTE) or own.count(Kind.WRITTEN) > 1 for own in kinds for kind in own)
    empty = _empty(votes, meaning, absent)
    if scheme is None and (words or "abstain" in (meaning, absent) or blank == "not_on_ballot"):
        return _cast(votes, empty, options, attrs)
    labels, code, off = votes.labels, votes.code, empty.off
    if scheme is not None:
        places = [np.array([*map(int, own), MISSING], dtype=np.int16) for own in labels]
        code = np.stack([place[code[:, j]] for j, place in enumerate(places)], axis=1)
        code = np.where(empty.none, 0, code) if scheme == "ticket" else code
        labels = [[str(each) for each in range(len(scheme_labels(scheme)))] for _ in labels]
    wide = max(2, *(len(own) for own in labels)) if labels else 2
    ds = xr.Dataset(
        {"choice": (("voter", "office"), code)},
        coords={
            "office": strings(votes.offices),
            "option": np.arange(wide),
            "option_label": option_labels(labels, scheme, wide),
        },
        attrs=attrs,
    )
    if votes.parties is not None and scheme is None:
        ds = ds.assign_coords(option_party=option_labels(votes.parties, None, wide))
    if off is not None:
        numbers, masks = menu_kinds([len(own) for own in labels], wide)
        ds["menu"] = (("voter", "office"), np.where(off, 0, numbers))
        ds["available"] = (("menu_kind", "option"), masks)
    return ds


def _empty(votes: Votes, meaning: Blank | None, absent: Absent | None) -> _Empty:
    nowhere = np.zeros(votes.code.shape, bool)
    no_cell = nowhere if votes.absent is None else votes.absent
    blank = (votes.code == MISSING) & ~no_cell
    off = [
        cells for cells, is_off in ((blank, meaning == "not_on_ballot"), (no_cell, absent == "off_ballot")) if is_off
    ]
    none = [cells for cells, is_none in ((blank, meaning == "abstain"), (no_cell, absent == "abstain")) if is_none]
    return _Empty(np.logical_or.reduce(off) if off else None, np.logical_or.reduce(none) if none else nowhere)


def _cast(votes: Votes, empty: _Empty, options: TextOptions, attrs: dict[str, Any]) -> xr.Dataset:
    """Votes as a contest has them: 0 is no vote."""
    missing = (votes.code == MISSING) & ~empty.none
    choice = (votes.code + 1).astype(np.int16)
    if empty.off is not None:
        missing &= ~empty.off
        choice[empty.off] = MISSING
    parties = votes.parties or [("",) * len(labels) for labels in votes.labels]
    contests = [
        Contest(name, 1, False, tuple(labels), tuple(own))
        for name, labels, own in zip(votes.offices, votes.labels, parties, strict=True)
    ]
    over, spoilt = np.zeros((2, *choice.shape), dtype=bool)
    ds = cast_ballots(contests, range(len(contests)), Cast(choice, over, spoilt), options, attrs)
    if missing.any():
        ds["choice"] = ds["choice"].copy(data=np.where(missing, MISSING, ds["choice"].values))
    return ds if votes.parties is not None else ds.drop_vars("option_party")


def _warn_of_blanks(
    votes: Votes, source: Source, kinds: Sequence[Sequence[Kind]], blank: Blank | None, absent: Absent | None
) -> None:
    """Where nothing says that a voter abstained, an empty cell may be that."""
    words = {Kind.ABSTAINED, Kind.UNDERVOTE, Kind.OVERVOTE}
    if any(kind in words for own in kinds for kind in own):
        return
    no_cell = np.zeros(votes.code.shape, bool) if votes.absent is None else votes.absent
    found = {
        "blanks": ((votes.code == MISSING) & ~no_cell if blank is None else None, "blank='abstain'", "'not_on_ballot'"),
        "offices without a row": (no_cell if absent is None else None, "absent='abstain'", "'off_ballot'"),
    }
    for what, (cells, abstain, off) in found.items():
        if cells is not None and cells.any():
            source.warn_once(
                f"{what} are votes that are missing, and nothing says that a voter abstained; pass {abstain} if that "
                f"is no vote, {off} if the office was not on the ballot, or 'missing'",
                column=str(votes.offices[int(cells.any(axis=0).argmax())]),
            )
