"""Rows by parts of districts: counties, precincts, ways of voting, and the totals among them."""

import numpy as np

from electjax.data.errors import data_warning
from electjax.data.rows import numbered, row_keys
from electjax.data.table import Table, fold
from electjax.data.vocabulary import find_word
from electjax.districts.options import ReadOptions
from electjax.districts.readers.base import Lines

# What tells votes apart beside their mode; percentages, dates of update and the like do not.
_APART = (
    *("state", "state_po", "county_name", "county", "jurisdiction_name", "precinct", "office", "district", "year"),
    *("date", "stage", "special", "runoff", "candidate", "party", "party_detailed", "party_simplified", "writein"),
)


def one_total(table: Table, at_votes: int) -> Table:
    """The table without votes by mode of a candidate and precinct whose total is there, too."""
    position = table.find("mode")
    if position is None or len(table.columns[position].present()) < 2:
        return table
    column = table.columns[position]
    whole = np.array([fold(text) in {"total", "totals"} for text in column.texts], bool)[column.codes]
    note = "votes by mode are summed"
    if whole.any():
        apart = sorted({p for name in _APART if (p := table.find(name)) is not None} - {position, at_votes})
        key, _ = numbered(row_keys(table, apart))
        single = (np.bincount(key, whole)[key] > 0) & ~whole
        table = table.take(~single)
        note = f"{int(single.sum())} rows of single modes left out, whose total is there" if single.any() else note
    return table.noted(note)


def no_sums(lines: Lines, at_party: int, options: ReadOptions) -> Lines:
    """The lines without those of no county or no precinct that add up those of the counties or precincts.

    They are refused, as nothing but arithmetic says so, unless `totals` is "drop" or "keep".
    """
    table = lines.table
    for name in ("precinct", "county"):
        position = find_word(table, name)
        if position is None or options.totals == "keep":
            continue
        blank = table.columns[position].blank[lines.row]
        if not blank.any() or blank.all():
            continue
        above = find_word(table, "county") if name == "precinct" else None
        key = row_keys(table, [p for p in (above, at_party) if p is not None])[lines.row]
        person = np.zeros(len(key), np.int64) if lines.candidate is None else lines.candidate + 1
        for code in (lines.district, person):
            key = numbered(key)[0] * (int(code.max(initial=0)) + 1) + code
        key, _ = numbered(key)
        of_none, of_some = (np.bincount(key, lines.votes * which, key.max() + 1) for which in (blank, ~blank))
        both = (np.bincount(key, blank) > 0) & (np.bincount(key, ~blank, key.max() + 1) > 0)
        if not both.any() or (of_none != of_some)[both].any() or not of_some[both].any():
            continue
        total = blank & both[key]
        row = int(lines.row[total.argmax()])
        said = f"rows without {name} add up those with one"
        if options.totals != "drop":
            mend = "pass totals='drop' to leave them out, or totals='keep' if they are none"
            raise table.fault(said, row, position, expected="single rows, without totals", mend=mend)
        data_warning(f"{said}: {int(total.sum())} left out", where=table.file, row=int(table.lines[row]))
        lines = lines.take(~total).noted(f"{said}: {int(total.sum())} left out")
    return lines


def no_whole(lines: Lines, at_party: int, options: ReadOptions) -> None:
    """Refuse a party that has in every district as many votes as all others together: their sum by another name."""
    size = len(lines.parties)
    votes = np.bincount(lines.district * size + lines.party, lines.votes, len(lines.districts) * size).reshape(-1, size)
    votes = votes[votes.sum(axis=1) > 0]
    if options.totals == "keep" or len(votes) < 2 or ((votes > 0).sum(axis=1) < 3).all():
        return
    whole = (2 * votes == votes.sum(axis=1, keepdims=True)).all(axis=0)
    if whole.any():
        party = int(whole.argmax())
        raise lines.table.fault(
            f"party {lines.parties[party]!r} has in every district as many votes as all others together",
            int(lines.row[(lines.party == party).argmax()]),
            at_party,
            expected="parties, without their total",
            mend="remove its rows, or pass totals='keep' if it is a party",
        )
