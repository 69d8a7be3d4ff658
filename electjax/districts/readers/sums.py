"""From lines of votes to an election: sums by party, seats by candidate, who stood, districts without a poll."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_warning
from electjax.data.labels import INDEPENDENT, NOTA, OTHERS, said_of_case
from electjax.data.notes import notes_text
from electjax.data.rows import sums_above
from electjax.data.table import Table
from electjax.data.vocabulary import find_word
from electjax.districts.builders import dataset
from electjax.districts.options import Policy, ReadOptions
from electjax.districts.readers.base import Lines


class Winners(NamedTuple):
    """Who won each district: a party label, and the votes of the candidate, -1 where unknown."""

    party: list[str]
    votes: np.ndarray


def policy_for(party: str, options: ReadOptions) -> Policy:
    """What happens to the votes of a party label: a party of its own, part of "others", or left out."""
    if party in (INDEPENDENT, NOTA):
        return options.independents if party == INDEPENDENT else options.nota
    return "others" if party == OTHERS else "party"


def build_election(
    lines: Lines,
    options: ReadOptions,
    *,
    winners: Winners | None = None,
    electors: np.ndarray | None = None,
    tells_who_stood: bool = True,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Sum lines per district and party under the policies for independents and NOTA, and build the election.

    The seat goes to the candidate with most votes (a tie to the better declared rank, then to the line that
    comes first, with a warning), so independents never win as a pool. NOTA never wins: the law gives the seat
    to the candidate with most votes. Parties are ordered by votes, most first; districts as they appear. A
    district that lacks a party has 0 votes for it, and the party did not stand there.

    Args:
        lines: all of the file.
        options: policies, and what becomes of districts without votes.
        winners: as declared; by default from the lines.
        electors: registered electors of every district.
        tells_who_stood: whether the file says where parties stood.
        attrs: of the election.

    Raises:
        ElectionDataError: a district without votes or candidates, or one that is the sum of those above it.
    """
    table, size = lines.table, len(lines.districts)
    _one_winner(lines)
    parties, column = _parties(lines, options)
    kept = column[lines.party] >= 0
    at = lines.district[kept] * len(parties) + column[lines.party[kept]]
    votes = np.bincount(at, lines.votes[kept], size * len(parties)).astype(np.int64).reshape(size, -1)
    stood = (np.bincount(at, minlength=size * len(parties)) > 0).reshape(size, -1)
    first = np.zeros(size, np.int64)
    first[lines.district[::-1]] = lines.row[::-1]
    empty = votes.sum(axis=1) == 0
    total = np.zeros(size, bool)
    if options.totals != "keep":
        total[~empty] = sums_above(votes[~empty])
    notes = [*_totals(lines, total, first, options), *_uncontested(lines, empty, first, options)]
    for what, labels in (("district", lines.districts), ("party", lines.parties)):
        for note in said_of_case(what, labels):
            data_warning(note, where=table.file)
            notes.append(note)
    left = np.flatnonzero(~(empty | total))
    districts = [lines.districts[int(d)] for d in left]
    declared = winners or _top_candidates(lines, np.isin(np.arange(size), left), options)
    votes, stood, first = votes[left], stood[left], first[left]
    polled = votes.sum(axis=1)
    if electors is not None:
        electors = electors[left]
        _fewer_votes_than(electors, polled, districts, first, lines)
    labels = [declared.party[d] for d in left]
    named = np.array([-1 if label == OTHERS else k for k, label in enumerate(parties)])
    place = {label: int(k) for label, k in zip(parties, named, strict=True)}
    of_winner = np.array([place.get(label, -1) for label in labels], np.int64)
    by_party = (of_winner >= 0) & stood[np.arange(len(left)), of_winner]
    own = np.where(by_party, votes[np.arange(len(left)), of_winner], declared.votes[left])
    _look_like_percentages(polled, options, table)
    text = notes_text((*table.notes, *notes, *_said_of_spoilt(lines, options)))
    return dataset(
        votes,
        districts=districts,
        parties=parties,
        winner=labels,
        winner_votes=None if (own < 0).any() else own,
        electors=electors,
        stood=stood if tells_who_stood else None,
        others_may_win=options.others_may_win,
        attrs={
            "name": Path(table.file).name.split(".")[0],
            "title": table.file,
            "source": table.file,
            "independents": options.independents,
            "nota": options.nota,
            **(attrs or {}),
            **({"notes": text} if text else {}),
        },
    )


def _one_winner(lines: Lines) -> None:
    """Refuse districts in which a column of seats won has several."""
    position = find_word(lines.table, "magnitude")
    if position is None or not lines.table.is_numeric(position):
        return
    seats = np.nan_to_num(lines.table.numbers(position))[lines.row]
    if len(seats) and seats.min() == 0 and (won := np.bincount(lines.district, seats)).max() > 1:
        row = int(lines.row[np.flatnonzero(lines.district == won.argmax())[0]])
        problem = f"{lines.districts[int(won.argmax())]!r} has {won.max():g} seats"
        mend = "leave out districts of several seats"
        raise lines.table.fault(problem, row, position, expected="districts of one seat", mend=mend)


def _look_like_percentages(polled: np.ndarray, options: ReadOptions, table: Table) -> None:
    """Refuse votes that are 100 in every district where a column of totals says otherwise; warn where there is none."""
    if options.total is not None or len(polled) < 2 or (polled != 100).any():
        return
    said, position = "the votes of every district add up to 100, as percentages do", find_word(table, "total")
    if position is None:
        data_warning(f"{said}; if they are, pass total=, the column of all votes", where=table.file)
    elif table.is_numeric(position) and np.nanmax(table.numbers(position)) > 100:
        mend = f"pass total={table.names[position]!r}"
        raise table.fault(said, None, position, expected="counts, or shares of a total", mend=mend)


def _said_of_spoilt(lines: Lines, options: ReadOptions) -> Iterator[str]:
    """How many votes are for nobody, and where they are counted."""
    if NOTA in lines.parties and options.nota == "others":
        votes = int(lines.votes[lines.party == list(lines.parties).index(NOTA)].sum())
        if votes:
            yield f"{votes} votes for none of the candidates are counted with others; nota='drop' leaves them out"


def _parties(lines: Lines, options: ReadOptions) -> tuple[list[str], np.ndarray]:
    """Labels of the election's parties, most votes first; and the place of each of the lines' among them, -1: none."""
    policies = [policy_for(party, options) for party in lines.parties]
    labels = [OTHERS if policy == "others" else party for party, policy in zip(lines.parties, policies, strict=True)]
    there = np.bincount(lines.party, minlength=len(labels)) > 0
    sums = np.bincount(lines.party, lines.votes, len(labels))
    totals: dict[str, float] = {}
    for label, policy, is_there, total in zip(labels, policies, there, sums, strict=True):
        if is_there and policy != "drop":
            totals[label] = totals.get(label, 0) + total
    parties = sorted(totals, key=lambda party: (party == OTHERS, -totals[party], party))
    if not set(parties) - {OTHERS}:
        raise lines.table.fault(
            "every row is independent, NOTA or others",
            expected="at least one named party",
            mend="pass independents='party', or name the parties",
        )
    place = {party: k for k, party in enumerate(parties)}
    drop = [policy == "drop" for policy in policies]
    column = [-1 if dropped else place.get(label, -1) for label, dropped in zip(labels, drop, strict=True)]
    return parties, np.array(column, np.int64)


def _totals(lines: Lines, total: np.ndarray, first: np.ndarray, options: ReadOptions) -> list[str]:
    """What is said of districts that add up those above them."""
    if not total.any():
        return []
    at = int(total.argmax())
    said = f"district {lines.districts[at]!r} adds up the districts {'above' if at else 'below'} it"
    if options.totals != "drop":
        raise lines.table.fault(
            said,
            int(first[at]),
            None,
            expected="single districts, without totals",
            mend="remove it, or pass totals='drop' to leave it out or totals='keep' if it is none",
        )
    note = f"{said} and is left out"
    data_warning(note, where=lines.table.file, row=int(lines.table.lines[first[at]]))
    return [note]


def _uncontested(lines: Lines, empty: np.ndarray, first: np.ndarray, options: ReadOptions) -> list[str]:
    """What is said of districts without votes."""
    if not empty.any():
        return []
    at = int(empty.argmax())
    if options.uncontested == "refuse" or empty.all():
        raise lines.table.fault(
            f"district {lines.districts[at]!r} has no votes{_alone(lines, at)}",
            int(first[at]),
            lines.column,
            expected="at least one vote in every district",
            mend="pass uncontested='drop' to leave out districts without a poll (uncontested or postponed), or give the"
            " votes that you suppose",
        )
    names = [f"{lines.districts[int(d)]}{_alone(lines, int(d))}" for d in np.flatnonzero(empty)[:10]]
    more = ", ..." if empty.sum() > 10 else ""
    note = f"{int(empty.sum())} districts without votes left out: {', '.join(names)}{more}"
    data_warning(note, where=lines.table.file, row=int(lines.table.lines[first[at]]))
    return [note]


def _alone(lines: Lines, district: int) -> str:
    """Who stood alone in a district without votes."""
    here = np.unique(lines.party[lines.district == district])
    return f" (only {lines.parties[here[0]]!r} stood)" if len(here) == 1 else ""


def _fewer_votes_than(
    electors: np.ndarray, polled: np.ndarray, districts: list[str], first: np.ndarray, lines: Lines
) -> None:
    more = polled > electors
    if more.any():
        at = int(more.argmax())
        others = f"; so in {int(more.sum())} districts" if more.sum() > 1 else ""
        data_warning(
            f"district {districts[at]!r} has {polled[at]} votes and {electors[at]} electors{others}",
            where=lines.table.file,
            row=int(lines.table.lines[first[at]]),
            column="electors",
        )


def _top_candidates(lines: Lines, wanted: np.ndarray, options: ReadOptions) -> Winners:
    """Party and votes of the candidate with most votes in each district, all lines of a candidate counted together."""
    may = np.array([party != NOTA and policy_for(party, options) != "drop" for party in lines.parties])
    runs = lines.take(may[lines.party] & wanted[lines.district])
    size = len(lines.districts)
    lacking = wanted & (np.bincount(runs.district, minlength=size) == 0)
    if lacking.any():
        at = int(lacking.argmax())
        raise lines.table.fault(
            f"district {lines.districts[at]!r} has no candidate",
            int(lines.row[(lines.district == at).argmax()]),
            expected="a candidate who can win the seat",
            mend="remove the district, or keep independents (independents='others')",
        )
    if runs.candidate is None:  # who has less than the most cannot win, and need not be sorted
        most = np.zeros(size, np.int64)
        np.maximum.at(most, runs.district, runs.votes)
        runs = runs.take(runs.votes == most[runs.district])
    person = persons(runs)
    votes = np.bincount(person, runs.votes).astype(np.int64)
    start = np.full(len(votes), len(person))
    np.minimum.at(start, person, np.arange(len(person)))
    rank = np.zeros(len(votes), np.int64) if runs.rank is None else runs.rank[start]
    home = runs.district[start]
    order = np.lexsort((start, rank, -votes, home))
    top = np.r_[True, home[order][1:] != home[order][:-1]]
    best = order[top]  # of each district that is wanted, by its number
    second = order[np.minimum(np.flatnonzero(top) + 1, len(order) - 1)]
    tied = (
        (home[second] == home[best]) & (second != best) & (votes[second] == votes[best]) & (rank[second] == rank[best])
    )
    main = main_lines(runs, person)
    label = [runs.parties[code] for code in runs.party[main[best]]]
    if tied.any():
        at = int(tied.argmax())
        line = start[best[at]]
        more = f"; {int(tied.sum())} districts are tied" if tied.sum() > 1 else ""
        data_warning(
            f"{lines.districts[home[best[at]]]!r} is tied: counted for {runs.parties[runs.party[line]]!r},"
            f" who comes first in the file{more}",
            where=lines.table.file,
            row=int(lines.table.lines[runs.row[line]]),
        )
    party, own = [""] * size, np.full(size, -1)
    for district, won in zip(home[best].tolist(), label, strict=True):
        party[district] = won
    own[home[best]] = votes[best]
    return Winners(party, own)


def persons(lines: Lines) -> np.ndarray:
    """The person of each line within its district: lines of one candidate are one person's, others each their own."""
    each = np.arange(len(lines.row))
    if lines.candidate is None:
        return each
    size = int(lines.candidate.max(initial=0)) + 1
    key = np.where(lines.candidate >= 0, lines.district * size + lines.candidate, -1 - each)
    return np.unique(key, return_inverse=True)[1]


def main_lines(lines: Lines, person: np.ndarray) -> np.ndarray:
    """The line each person is known by: the largest one of a named party, else of others."""
    rest = np.array([party == OTHERS for party in lines.parties])[lines.party]
    order = np.lexsort((np.arange(len(person)), -lines.votes, rest, person))
    return order[np.r_[True, person[order][1:] != person[order][:-1]]]
