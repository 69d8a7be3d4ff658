"""A first pass over a database of cast-vote records: the offices, options and menus that its counties share."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.data.table import fold
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.database_files import (
    COUNTY,
    FOLDERS,
    STATE,
    Coded,
    County,
    coded,
    each_county,
    wanted,
    whole_numbers,
)
from electjax.voter_types.readers.words import NO_VOTE, WRITE_IN

VOTES = ("office", "candidate", "party", "district", "magnitude")
OVERVOTE, BLANK = "overvote", "missing"
_TOP = "US PRESIDENT"
_OFFICES = (_TOP, "US SENATE", "US HOUSE", "GOVERNOR", "STATE SENATE", "STATE HOUSE")
_PARTIES = ("DEM", "REP", "LBT", "GRN", "OTH")  # the first of the options; others follow by the alphabet
_OTHER = "OTH"
_SPECIAL = {
    **dict.fromkeys(("undervote", "undervotes", "novote", "blankvote"), NO_VOTE),
    **dict.fromkeys(("overvote", "overvotes"), OVERVOTE),
    **dict.fromkeys(("writein", "writeins", "notqualified"), WRITE_IN),
}

Place = tuple[str, str, str]  # state, office, district


class Survey(NamedTuple):
    """What all counties share.

    Attributes:
        offices, options: labels; option 0 is no vote.
        menus: [kinds, O] what each kind of menu offers, the first nothing.
        kind: the kind of each place.
        levels: all texts of the columns of voters that the options name, numbered.
        top: the office at the top of the ticket, if there is one.
        parties: the two that ballots are recoded by.
        notes: sentences.
    """

    offices: tuple[str, ...]
    options: tuple[str, ...]
    menus: np.ndarray
    kind: dict[Place, int]
    levels: dict[str, dict[str, int]]
    top: str | None
    parties: tuple[str, ...]
    notes: list[str]


def survey(
    counties: Sequence[County], options: TextOptions, scheme: str, file: str, parties: Sequence[str] | None
) -> Survey:
    """Count the votes of every option in every district.

    Args:
        counties: all that the database has of the states that are read.
        options: of the reader.
        scheme: that ballots will have.
        file: the database, for errors.
        parties: the two that ballots are recoded by; None: those with most votes at the top.
    """
    votes: dict[Place, Counter[str]] = {}
    asked = [name for name in (options.cluster, *(options.covariates or ())) if name]
    levels: dict[str, dict[str, int]] = {name: {} for name in asked}
    many: Counter[str] = Counter()
    nobody = 0
    for county, table in each_county(counties, (*VOTES, *(set(asked) - set(FOLDERS))), options.columns):
        nobody += _count(county, table, votes, many)
        for name in asked:
            for text in _levels(county, table, name, options):
                levels[name].setdefault(text, len(levels[name]))
    asked_for = wanted(options.where["office"]) if "office" in options.where else bool
    offices, top = _offices({office for _, office, _ in votes if asked_for(office)}, options, scheme, file)
    found = _sum(votes, offices)
    known = [name for name in found if name not in (NO_VOTE, OVERVOTE, WRITE_IN, BLANK)]
    order = sorted(known, key=lambda name: (_PARTIES.index(name) if name in _PARTIES else len(_PARTIES), name))
    labels = (NO_VOTE, *order, *((WRITE_IN,) if WRITE_IN in found else ()))
    masks: dict[tuple[bool, ...], int] = {(False,) * len(labels): 0}
    kind: dict[Place, int] = {}
    for place, counts in votes.items():
        if place[1] in offices:
            kind[place] = masks.setdefault((True, *(label in counts for label in labels[1:])), len(masks))
    at_top = _sum(votes, [top] if top else [])
    two = parties or [name for name, _ in at_top.most_common() if name in known][:2]
    notes = [f"{rows} votes for {name} left out: voters have several there" for name, rows in many.items() if rows]
    notes += [f"{nobody} votes for candidates without a party count as {_OTHER}"] if nobody else []
    notes.append("menus are the parties with a vote in the voter's district")
    return Survey(tuple(offices), labels, np.array(list(masks)), kind, levels, top, tuple(two), notes)


def _count(county: County, table: pa.Table, votes: dict[Place, Counter[str]], many: Counter[str]) -> int:
    """Add a county's votes by place, and those of offices with several; how many are for nobody's candidates."""
    office, district = coded(table, "office"), coded(table, "district")
    choice, nobody = choices(table)
    wide, deep = len(district.texts), len(choice.texts)
    key = (office.codes.astype(np.int64) * wide + district.codes) * deep + choice.codes
    seats = whole_numbers(table, "magnitude", county.place)
    if seats is not None and (seats > 1).any():
        for code, rows in enumerate(np.bincount(office.codes[seats > 1])):
            many[office.texts[code]] += int(rows)
        key = key[seats <= 1]
    counts = np.bincount(key)
    for at in np.flatnonzero(counts):
        rest, k = divmod(int(at), deep)
        i, j = divmod(rest, wide)
        votes.setdefault((county.state, office.texts[i], district.texts[j]), Counter())[choice.texts[k]] += int(
            counts[at]
        )
    return nobody


def _sum(votes: dict[Place, Counter[str]], offices: Sequence[str]) -> Counter[str]:
    """Votes of each option in some offices."""
    found: Counter[str] = Counter()
    for place, counts in votes.items():
        if place[1] in offices:
            found.update(counts)
    return found


def _offices(names: set[str], options: TextOptions, scheme: str, file: str) -> tuple[list[str], str | None]:
    """The offices that are read, and the one at the top, which recoding needs."""
    offices = [name for name in _OFFICES if name in names] + sorted(names - set(_OFFICES))
    top = options.top or (_TOP if _TOP in offices else None)
    for name in options.offices or ():
        if name not in offices:
            raise data_error(f"no office {name!r}", where=file, expected="an office", mend=suggest(name, offices))
    if options.offices is not None:
        offices = [name for name in offices if name in options.offices or (scheme != "options" and name == top)]
    return offices, top


def choices(table: pa.Table) -> tuple[Coded, int]:
    """The option that each row is a vote for, and how many rows are for a candidate without a party."""
    candidate, party = coded(table, "candidate"), coded(table, "party")
    labels = list(dict.fromkeys([NO_VOTE, OVERVOTE, WRITE_IN, BLANK, _OTHER, *filter(None, party.texts)]))
    number = {label: k for k, label in enumerate(labels)}
    sides = np.array([number.get(text, number[_OTHER]) for text in party.texts], np.int16)
    option = np.repeat(sides[None], len(candidate.texts), axis=0)  # of each candidate with each party
    alone = np.zeros(option.shape, bool)
    for k, text in enumerate(candidate.texts):
        special = _SPECIAL.get(fold(text), "")
        if special:
            option[k] = number[special]
        elif text:
            alone[k] = [not side for side in party.texts]
        else:
            option[k, [not side for side in party.texts]] = number[BLANK]
    return Coded(option[candidate.codes, party.codes], labels), int(alone[candidate.codes, party.codes].sum())


def label(county: County, text: str, name: str, options: TextOptions) -> str:
    """A level of a column; clusters that are known within a county only are told apart by it."""
    if name != options.cluster or name == STATE:
        return text
    return county.place if name == COUNTY else f"{county.place}/{text}"


def _levels(county: County, table: pa.Table, name: str, options: TextOptions) -> Iterator[str]:
    """The texts of a column in a county."""
    if name in FOLDERS:
        yield label(county, county.state if name == STATE else county.name, name, options)
    elif name in table.column_names:
        yield from (label(county, text, name, options) for text in coded(table, name).texts)
    else:
        raise unknown(name, table, "cluster" if name == options.cluster else "covariates")


def unknown(name: str, table: pa.Table, keyword: str) -> ElectionDataError:
    """The error for a column that the database has not."""
    known = [*FOLDERS, *table.column_names]
    return data_error(f"no column {name!r}", where=keyword, expected="a column of the files", mend=suggest(name, known))
