"""Tidy tables: one row per district and party, or per candidate, `district, party, votes`, whatever they are called.

So come the files of OpenElections (county, precinct, office, district, party, candidate, votes), of the House of
Commons Library (a row a candidate) and of Elections Canada. Optional columns: `electors`; `winner`, a party label
repeated on each row of the district, or a mark at each candidate; `district_no` and `state`, which keep two districts
of one name apart; `candidate`, which makes the file candidate-level: rows of one candidate in a district are one
person's. Rows by county, precinct or mode are summed. Without any of these a second row for a (district, party) pair
is an error, and a row without votes says that the party did not stand.
"""

import numpy as np
import xarray as xr

from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.rows import ELECTIONS, one_election
from electjax.data.table import Column, Table
from electjax.data.vocabulary import Found, find_columns, find_word, ignored
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base, parts
from electjax.districts.readers.sums import Winners, build_election

_YES = {"true", "yes", "y", "1", "elected", "won", "x", "winner", "*"}
_NO = {"", "false", "no", "n", "0", "not elected", "defeated", "lost"}
_CHOICES = (*ELECTIONS, "stimme", "ballot", "vote_type", "runoff", "special")


def _matches(table: Table) -> bool:
    there = [find_word(table, name) is not None for name in ("district", "party", "votes")]
    return sum(there) >= 2 and not (there == [True, True, False] and _has_ballots(table))


def _has_ballots(table: Table) -> bool:
    return any(name.casefold().startswith("votes_") for name in table.names)


def _read(table: Table, options: ReadOptions) -> xr.Dataset:
    by_choice = options.district is not None
    needed = ("party", "votes") if by_choice else ("district", "party", "votes")
    found = find_columns(table, needed, ("electors", "winner", "district_no", "candidate", "state"))
    one_election(table, _CHOICES)
    base.one_seat(table)
    table = base.no_totals(table.noted(*found.notes), options, "district", "party", "candidate")
    table = parts.one_total(table, found["votes"])
    codes, districts = base.asked_district(table, options, "county") or _districts(table, found)
    people = _people(table, found)
    candidate, spoilt, table = base.candidate_codes(table, *people)
    divided = [
        p for name in base.PARTS if (p := find_word(table, name, taken=[*found.places.values(), *people])) is not None
    ]
    party, parties = base.party_codes(table.columns[found["party"]], no_choice=True)
    if spoilt.any():
        parties = [*parties, NOTA] if NOTA not in parties else parties
        party = np.where(spoilt, parties.index(NOTA), party)
    votes, table = base.counted(table, [found["votes"]], options)
    no_party = table.columns[found["party"]].blank & ~spoilt
    if no_party.any():
        table = table.noted(f"{int(no_party.sum())} rows without a party count for others")
    rows = np.arange(len(table))
    person = candidate if people else None
    lines = base.Lines(table, rows, codes, districts, party, parties, votes[:, 0], found["votes"], candidate=person)
    known = {*found.places.values(), *people}
    others = [p for p in range(len(table.columns)) if p not in known] if people else divided
    base.reject_repeats(lines, others, found["party"], options)
    if people:
        lines = base.no_blank_votes(lines)
    elif (lines.votes < 0).any():
        polled = np.bincount(lines.district, lines.votes >= 0, len(districts)) > 0
        gone = (lines.votes < 0) & polled[lines.district]
        note = f"{int(gone.sum())} rows without votes: the party did not stand"
        lines = base.no_blank_votes(lines.take(~gone).noted(note) if gone.any() else lines)
    lines = parts.no_sums(lines, found["party"], options)
    parts.no_whole(lines, found["party"], options)
    electors, lines = base.electors_of(lines, found.get("electors"))
    winners, lines = _winners(lines, found.get("winner"))
    used = [*known, *divided, *(p for name in _CHOICES if (p := table.find(name)) is not None)]
    lines = lines.noted(*ignored(table, used))
    return build_election(lines, options, winners=winners, electors=electors, attrs={"reader": "tidy"})


def _districts(table: Table, found: Found) -> tuple[np.ndarray, list[str]]:
    """Districts by name; where the office has none, as for a whole state, the state."""
    state, position = found.get("state"), found["district"]
    if not table.columns[position].present():
        if state is None:
            known = [name for name in ("county", "precinct") if find_word(table, name) is not None]
            raise table.fault(
                "no row has a district, as in offices of a whole state",
                None,
                position,
                expected="the column that districts are",
                mend=f"pass district={(known or ['...'])[0]!r}",
            )
        return base.district_labels(table, state)
    number = found.get("district_no")
    if number is not None and table.columns[number].present():
        table.labels(number, "a name")
    return base.district_labels(table, position, number, state)


def _people(table: Table, found: Found) -> list[int]:
    """The columns of a candidate's name: one, or first name and surname."""
    if "candidate" in found:
        return [found["candidate"]]
    first = table.find("candidate_first_name", "first_name")
    last = table.find("candidate_surname", "candidate_last_name", "surname", "last_name")
    return [p for p in (first, last) if p is not None]


def _winners(lines: base.Lines, position: int | None) -> tuple[Winners | None, base.Lines]:
    """The declared winner of every district and their own votes: the strongest line under that label."""
    table = lines.table
    if position is None or not table.columns[position].present():
        return None, lines
    column = table.columns[position]
    if {text.casefold() for text in column.texts} <= _YES | _NO:
        return _marked(lines, column, position)
    column = table.labels(position, "a name")
    labels = [party_label(text) for text in column.texts]
    order = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    codes = np.array([order[label] for label in labels])[column.codes]
    first = base.one_for_each(lines, position, codes, lambda row: labels[column.codes[row]])
    winner = [labels[column.codes[row]] for row in first]
    place = {party: k for k, party in enumerate(lines.parties)}
    won = np.array([-1 if label == OTHERS else place.get(label, -1) for label in winner])
    own = np.full(len(winner), -1)
    theirs = lines.party == won[lines.district]
    np.maximum.at(own, lines.district[theirs], lines.votes[theirs])
    rest = np.array([party == OTHERS for party in lines.parties])[lines.party]
    unknown = (own < 0) & (np.bincount(lines.district, rest, len(winner)) == 0)
    if unknown.any():
        at = int(unknown.argmax())
        here = lines.party[lines.district == at]
        raise table.fault(
            f"the winner {winner[at]!r} has no row in district {lines.districts[at]!r}",
            int(first[at]),
            position,
            expected=f"one of {', '.join(lines.parties[code] for code in here[:20])}",
            mend="correct the label",
        )
    return Winners(winner, own), lines


def _marked(lines: base.Lines, column: Column, position: int) -> tuple[Winners | None, base.Lines]:
    """Winners by a mark at each candidate; a district with two has two seats."""
    table = lines.table
    yes = np.array([text.casefold() in _YES for text in column.texts], bool)[column.codes][lines.row]
    if not yes.any():
        return None, lines
    person = (
        np.where(lines.candidate >= 0, lines.candidate, -1 - lines.row) if lines.candidate is not None else lines.party
    )
    marked = np.flatnonzero(yes)
    key = np.unique(np.stack([lines.district[marked], person[marked]]), axis=1, return_index=True)
    homes, where = key[0][0], marked[key[1]]
    number = np.bincount(homes, minlength=len(lines.districts))
    if (number > 1).any():
        home = int((number > 1).argmax())
        row = int(lines.row[where[homes == home].max()])
        raise table.fault(
            f"district {lines.districts[home]!r} has {number[home]} winners",
            row,
            position,
            expected="districts of one seat",
            mend="leave out districts of several seats with where=",
        )
    if (number == 0).any():
        home = int((number == 0).argmax())
        note = f"no winner is marked in {lines.districts[home]!r}: winners by most votes"
        return None, lines.noted(note)
    line = np.empty(len(number), np.int64)
    line[homes] = where
    votes = np.bincount(lines.district, lines.votes * (person == person[line][lines.district]), len(number))
    return Winners([lines.parties[code] for code in lines.party[line]], votes.astype(np.int64)), lines


READER = base.Reader(
    "tidy CSV", "district, party, votes [, electors, winner, candidate]", _matches, _read, general=True
)
