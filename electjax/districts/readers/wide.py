"""Wide tables: one row per district, and a column of votes for each party: `district, votes_<party>, ...`, or its name.

So come the files of the House of Commons Library (Constituency name, Electorate, Con, Lab, ...) and Form 20 of Indian
election offices (a row a booth, candidates across). Columns called votes_ are the parties where there are any; else
every column of counts is one that is not called otherwise (electors, valid votes, majority, turnout, ...). A blank cell
says that the party did not stand. Optional columns: `electors`; `winner` (party label) and `winner_votes`, for a seat
won by a party that is not a column of its own; `district_no` and `state`, which keep two districts of one name apart.
Rows of a district by county, precinct or booth are summed.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import xarray as xr

from electjax.data.errors import data_warning
from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.numbers import looks_numeric
from electjax.data.rows import ELECTIONS, one_election, row_keys
from electjax.data.table import Table, fold
from electjax.data.vocabulary import find_word, ignored, words_of
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base
from electjax.districts.readers.sums import Winners, build_election

_PREFIX = "votes_"
# A column with one of these words is no party.
_NO_PARTY = frozenset(
    "total totals valid invalid rejected spoilt spoiled tendered turnout majority margin electorate electors registered"  # noqa: SIM905
    " registration percent percentage pct share swing id code number nr serial sl year date area population latitude"
    " longitude magnitude voters ballots polled cast wahlberechtigte wahler wahlende waehler waehlende gultige"
    " rank lat lon lng density"
    " ungultige gueltige ungueltige gesamt insgesamt summe inscrits votants abstentions blancs nuls exprimes".split()
)
_REST = base.NOBODY | {"allothercandidates", "othercandidates", "otherparties", "allothers"}
_YEAR = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")
_SAMPLE = 100  # texts of a column that say whether it holds numbers
_KNOWN = ("district", "district_no", "electors", "winner", "state", *base.PARTS)


def _matches(table: Table) -> bool:
    if find_word(table, "votes") is not None and (find_word(table, "party") is not None or table.has("votes")):
        return False
    if any(name.casefold().startswith(_PREFIX) for name in table.names):
        return True
    return find_word(table, "party") is None and len(list(islice(_counts(table), 2))) > 1


def _counts(table: Table) -> Iterator[int]:
    """Positions of columns that hold numbers, by the first cells, and are not called what is no party."""
    places = [find_word(table, name) for name in (*_KNOWN, *ELECTIONS)]
    taken = {p for p in (*places, table.find("winner_votes")) if p is not None}
    for position, column in enumerate(table.columns):
        words = re.findall(r"[a-z]+", " ".join(map(fold, re.split(r"[\W_]+", column.name))))
        if position in taken or _NO_PARTY & set(words) or words[:2] == ["of", "which"] or "%" in column.name:
            continue
        present = [text for text in column.texts[:_SAMPLE] if text]
        if 2 * sum(map(looks_numeric, present)) > len(present):
            yield position


def _parties(table: Table, options: ReadOptions) -> tuple[list[int], list[str]]:
    """The columns of votes and the parties they are of."""
    called = table.names
    prefixed = [p for p, name in enumerate(called) if name.casefold().startswith(_PREFIX)]
    if options.parties is not None:
        places = [table.asked(name, "parties") for name in options.parties]
    else:
        own = None if options.district is None else table.asked(options.district, "district")
        places = prefixed or [p for p in _counts(table) if p != own]
    bare = set(prefixed)
    names = {p: called[p][len(_PREFIX) if p in bare else 0 :] for p in places}
    if options.ballot is not None:
        names = {p: name for p, name in names.items() if options.ballot.casefold() in name.casefold()}
        names = {p: re.sub(re.escape(options.ballot), "", name, flags=re.IGNORECASE) for p, name in names.items()}
        names = {p: name.strip(" -_,:()") for p, name in names.items()}
        if not names:
            raise table.fault(
                f"no column of votes has {options.ballot!r} in its name",
                expected="ballot= a word of the names, such as 'first'",
                mend=f"columns of votes are {', '.join(table.names[p] for p in places[:12])}",
            )
    _one_ballot(table, names)
    seen: set[str] = set()
    given = frozenset(names.values())
    for position, name in names.items():
        bare_name = re.sub(r" \(\d+\)$", "", name)  # a repeated name has a number, of pandas after a point
        bare_name = first if (first := re.sub(r"\.\d+$", "", bare_name)) in given else bare_name
        label = NOTA if fold(name) in base.NO_CHOICE else OTHERS if fold(name) in _REST else party_label(name)
        plain = (bare_name if fold(name) in base.NO_CHOICE | _REST else party_label(bare_name)).casefold()
        if not plain or plain in seen:
            raise table.fault(
                f"no party after {_PREFIX}" if not plain else f"a second column for {label!r}",
                None,
                position,
                expected=f"one column {_PREFIX}<party> for each party",
                mend="rename or merge the column",
            )
        seen.add(plain)
        names[position] = label
    return list(names), list(names.values())


_MOST_YEARS = 30


def _one_ballot(table: Table, names: dict[int, str]) -> None:
    """Refuse columns of two votes that a voter has, or of several years."""
    dated = [_YEAR.findall(name) for name in names.values()]
    years = sorted({year for found in dated for year in found})
    numbers = len(years) > _MOST_YEARS or sum(map(bool, dated)) < len(dated) / 2  # of parties, not of elections
    if len(years) > 1 and not numbers and len({_YEAR.sub("", name) for name in names.values()}) < len(names):
        tidy = all(map(_YEAR.fullmatch, names.values()))
        mend = f"columns={{'votes': {table.names[max(names)]!r}}}" if tidy else f"ballot={years[-1]!r}"
        raise table.fault(f"columns of several years: {', '.join(years)}", expected="one", mend=f"choose with {mend}")
    for first, second in (
        ("erststimme", "zweitstimme"),
        ("first vote", "second vote"),
        ("constituency vote", "list vote"),
    ):
        folded = [name.casefold() for name in names.values()]
        if any(first in name for name in folded) and any(second in name for name in folded):
            raise table.fault(
                f"columns of two votes: {first} and {second}", expected="one", mend=f"choose with ballot={first!r}"
            )


def _read(table: Table, options: ReadOptions) -> xr.Dataset:
    one_election(table)
    base.one_seat(table)
    table = base.no_totals(table, options, "district")
    places, parties = _parties(table, options)
    if not places:
        raise table.fault("no columns of votes", expected="a column for each party", mend="pass parties=[...]")
    chosen = base.asked_district(table, options, "county")
    number, state = find_word(table, "district_no", taken=places), find_word(table, "state", taken=places)
    position = table.asked(options.district, "district") if options.district else table.need(*words_of("district"))
    if options.district is None:
        if number is not None and table.columns[number].present():
            table.labels(number, "a name")
        chosen = base.district_labels(table, position, number, state)
    assert chosen is not None
    codes, districts = chosen
    parts = [p for name in base.PARTS if (p := find_word(table, name, taken=[*places, position])) is not None]
    key = codes * (1 + row_keys(table, parts).max(initial=0)) + row_keys(table, parts) if parts else codes
    mend = "remove one row, or tell the districts apart in a column district_no"
    table.no_repeats(key, position, lambda row: f"district {districts[codes[row]]!r}", mend)
    votes, table = base.counted(table, places, options)
    _no_sums(table, votes, places, options)
    blank = votes < 0
    row, column = np.nonzero(~blank)
    lacking = (np.bincount(codes, (~blank).any(axis=1), len(districts)) == 0)[codes] & blank.all(axis=1)
    if lacking.any():  # nobody voted there: a line of 0 votes, so that the district is not lost
        row = np.r_[row, np.flatnonzero(lacking)]
        column = np.r_[column, np.zeros(int(lacking.sum()), np.int64)]
    order = np.argsort(row, kind="stable")
    row, column = row[order], column[order]
    values = np.maximum(votes[row, column], 0)
    called = [table.names[p] for p in places]
    named = "" if all(name.casefold().startswith(_PREFIX) for name in called) else f"parties: {', '.join(called[:12])}"
    if named:
        table = table.noted(named + (f" and {len(called) - 12} more" if len(called) > 12 else ""))
    labels = list(dict.fromkeys(parties))  # undervotes and overvotes are both for nobody
    party = np.array([labels.index(label) for label in parties])[column]
    lines = base.Lines(table, row, codes[row], districts, party, labels, values, places[0])
    electors, lines = base.electors_of(lines, _electors(table, places))
    winners, used = _winners(lines, find_word(table, "winner", taken=places), options)
    known = [*places, position, *parts, *(p for p in (number, state, _electors(table, places), *used) if p is not None)]
    lines = lines.noted(*ignored(table, known))
    return build_election(
        lines, options, winners=winners, electors=electors, tells_who_stood=bool(blank.any()), attrs={"reader": "wide"}
    )


def _electors(table: Table, places: Sequence[int]) -> int | None:
    return find_word(table, "electors", taken=places)


def _no_sums(table: Table, votes: np.ndarray, places: Sequence[int], options: ReadOptions) -> None:
    """Refuse a column that adds up all others, where names do not say what is a party."""
    said = options.parties is not None or table.names[places[0]].casefold().startswith(_PREFIX)
    if said or len(places) < 3 or len(votes) < 2 or options.totals == "keep":
        return
    counts = np.maximum(votes, 0)
    sums = (2 * counts == counts.sum(axis=1, keepdims=True)).all(axis=0) & (counts.sum(axis=0) > 0)
    if sums.any():
        position = places[int(sums.argmax())]
        raise table.fault(
            "the column adds up the others",
            None,
            position,
            expected="a column for each party, without totals",
            mend="name the columns that are parties with parties=[...], or pass totals='keep' if it is one",
        )


def _winners(
    lines: base.Lines, position: int | None, options: ReadOptions
) -> tuple[Winners | None, tuple[int | None, ...]]:
    """Declared winners and their own votes, and the columns that say so."""
    table = lines.table
    if position is None or not table.columns[position].present():
        return None, (position,)
    column = table.labels(position, "a name")
    labels = [party_label(text) for text in column.texts]
    codes = np.array([{label: k for k, label in enumerate(dict.fromkeys(labels))}[label] for label in labels])
    first = base.one_for_each(lines, position, codes[column.codes], lambda row: labels[column.codes[row]])
    winner = [labels[column.codes[row]] for row in first]
    place = {party: k for k, party in enumerate(lines.parties)}
    size = len(lines.parties)
    votes = np.bincount(lines.district * size + lines.party, lines.votes, len(winner) * size).reshape(-1, size)
    won = np.array([place.get(label, -1) for label in winner])
    rest = place.get(OTHERS, -1)
    if rest < 0 and (won < 0).any():
        at = int((won < 0).argmax())
        raise table.fault(
            f"{winner[at]!r} has no column of votes",
            int(first[at]),
            position,
            expected=f"one of {', '.join(lines.parties[:20])}, or a column {_PREFIX}{OTHERS} that includes it",
            mend="correct the label",
        )
    own = votes[np.arange(len(won)), np.where(won < 0, rest, won)].astype(np.int64)
    named = (won >= 0) & (won != rest)
    most = np.delete(votes, rest, axis=1).max(axis=1, initial=0) if rest >= 0 else votes.max(axis=1)
    less = named & (own < most)
    if less.any():
        at = int(less.argmax())
        more = f"; so in {int(less.sum())} districts" if less.sum() > 1 else ""
        data_warning(
            f"the declared winner {winner[at]!r} has {own[at]} votes, another party {int(most[at])}{more}",
            where=table.file,
            row=int(table.lines[first[at]]),
            column=table.names[position],
        )
    at_own = table.find("winner_votes")
    if at_own is None:
        return Winners(winner, np.full(len(winner), -1)), (position,)
    counts = table.counts(at_own)
    told = counts[base.one_for_each(lines, at_own, counts, lambda row: int(counts[row]))]
    wrong = (told > own) | (named & (told != own))
    if wrong.any():
        at = int(wrong.argmax())
        raise table.fault(
            f"{told[at]} votes for the winner {winner[at]!r}, who has {own[at]} with all allies",
            int(first[at]),
            at_own,
            expected="the winner's own votes",
            mend="correct one of the two cells",
        )
    return Winners(winner, told), (position, at_own)


READER = base.Reader(
    "wide CSV", "district, votes_<party>, ... [, electors, winner, winner_votes]", _matches, _read, general=True
)
