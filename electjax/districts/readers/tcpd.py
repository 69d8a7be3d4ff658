"""Indian returns by the Trivedi Centre for Political Data (TCPD): one row per candidate, in two layouts.

The download of Lok Dhaba has 47 columns, with `Constituency_No`, `Electors` and `Valid_Votes`: a constituency is its
number, so two of the same name stay apart. The candidate file has 24, without constituency numbers, electors or NOTA:
a constituency is its name and its type (GEN, SC, ST), and where a name and type hold two candidates at the same place,
two constituencies share the name and nothing in the file tells them apart: an error. `Poll_No` 0 (or blank) is the
general poll, 1, 2, ... are bye-polls of the same assembly. A blank `Position` is the last place.
"""

import numpy as np
import xarray as xr

from electjax.data.errors import data_warning
from electjax.data.numbers import number
from electjax.data.rows import numbered, one_election
from electjax.data.table import Table
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base
from electjax.districts.readers.sums import build_election

_COLUMNS = ("delimid", "valid_votes", "n_cand", "enop", "constituency_no")
_NAMES_ONLY = ("constituency_name", "constituency_type", "alliance", "terms", "terms_contested", "poll_no")
_POLL = ("state_name", "assembly_no", "poll_no", "year")
_CANDIDATE = ("party", "votes", "position")
_CHOICES = {"year": "year=", "assembly_no": "assembly_no="}
_LAST = 10**6  # place of a candidate without one
_ONE_SEAT_SINCE = 1961


def select_poll(table: Table, options: ReadOptions) -> tuple[Table, str]:
    """The rows of one poll, the general poll (0) unless `poll_no` says otherwise, and what was left out.

    The poll is chosen first: a bye-poll falls in a later year than the general poll it belongs to.
    """
    position = table.need("poll_no")
    column = table.columns[position]
    texts = [text or "0" for text in column.texts]
    polls = list(
        dict.fromkeys(texts[code] for code in column.codes[np.sort(np.unique(column.codes, return_index=True)[1])])
    )
    chosen = "0" if options.poll_no is None else str(options.poll_no)
    kept = np.array([number(text) == number(chosen) for text in texts], bool)[column.codes]
    if not kept.any():
        raise table.fault(
            f"no row has the poll number {chosen}" + (" (the general poll)" if chosen == "0" else ""),
            None,
            position,
            expected=f"one of {', '.join(polls)}",
            mend=f"pass poll_no={polls[0]}",
        )
    if column.blank[kept].any():
        table = table.noted("rows without Poll_No are of the general poll")
    table, left = table.take(kept), int((~kept).sum())
    one_election(table, ("state_name", "election_type", "year", "assembly_no"), keyword=_CHOICES)
    others = ", ".join(poll for poll in polls if number(poll) != number(chosen))
    return table, f"{left} rows of other polls (Poll_No {others})" if left else ""


def poll_attrs(table: Table, left_out: str, reader: str) -> dict[str, str]:
    """Attributes that say which poll the election is."""
    state, year, number = (table.column(column).at(0) for column in ("state_name", "year", "assembly_no"))
    title = f"{state} {year}, assembly {number}"
    return {"reader": reader, "title": title, **({"left_out": left_out} if left_out else {})}


def _lines(table: Table, codes: np.ndarray, districts: list[str], options: ReadOptions) -> base.Lines:
    party, parties = base.party_codes(table.column("party"))
    if (blank := table.column("party").blank).any():
        table = table.noted(f"{int(blank.sum())} candidates without a party count for others")
    at = table.need("votes")
    votes, table = base.counted(table, [at], options)
    rank = table.counts(table.need("position"), missing=_LAST)
    if (rank == _LAST).any():
        table = table.noted(f"{int((rank == _LAST).sum())} candidates without Position are last")
    lines = base.Lines(table, np.arange(len(table)), codes, districts, party, parties, votes[:, 0], at, rank)
    return base.no_blank_votes(lines)


def _one_winner(lines: base.Lines) -> None:
    """Refuse two candidates at the first place with different votes; say that old polls had seats of two members."""
    table = lines.table
    year = number(table.column("year").at(0))
    if year < _ONE_SEAT_SINCE:
        data_warning(
            "polls before 1961 had districts of two members, which the file does not mark: one winner is read in each",
            where=table.file,
            column="Year",
        )
    first = np.flatnonzero(lines.rank == 1)
    order = first[np.argsort(lines.district[first], kind="stable")]
    two = (lines.district[order][1:] == lines.district[order][:-1]) & (
        lines.votes[order][1:] != lines.votes[order][:-1]
    )
    if two.any():
        at = int(two.argmax())
        before, row = int(order[at]), int(order[at + 1])
        raise table.fault(
            f"two winners in {lines.districts[lines.district[row]]!r}, in rows {int(table.lines[before])}"
            f" and {int(table.lines[row])}",
            row,
            table.find("position"),
            expected="districts of one seat",
            mend="remove the district, or correct the places",
        )


def _read(table: Table, options: ReadOptions) -> xr.Dataset:
    for column in (*_POLL, "constituency_no", "constituency_name", *_CANDIDATE, "electors"):
        table.need(column)
    table, left_out = select_poll(table, options)
    base.one_seat(table)
    table = base.no_totals(table, options, "constituency_name", "candidate")
    at_name, at_number = table.need("constituency_name"), table.need("constituency_no")
    names, numbers = table.labels(at_name, "a name"), table.labels(at_number, "a name")
    by_number, first = numbered(numbers.codes)
    lines = _lines(table, by_number, [numbers.at(row) for row in first], options)
    base.one_for_each(lines, at_name, names.codes.astype(np.int64), names.at)
    codes, districts = base.district_labels(lines.table, at_name, at_number)
    lines = lines._replace(district=codes, districts=districts)
    _one_winner(lines)
    electors, lines = base.electors_of(lines, table.find("electors"))
    base.check_totals(lines, table.find("valid_votes"))
    return build_election(lines, options, electors=electors, attrs=poll_attrs(table, left_out, "lokdhaba"))


LOK_DHABA = base.Reader(
    "TCPD Lok Dhaba (47 columns)",
    "Constituency_No, Constituency_Name, Party, Votes, ...",
    lambda table: sum(map(table.has, _COLUMNS)) >= 2,
    _read,
)


def _read_names(table: Table, options: ReadOptions) -> xr.Dataset:
    for column in (*_POLL, "constituency_name", "constituency_type", *_CANDIDATE):
        table.need(column)
    table, left_out = select_poll(table, options)
    table = base.no_totals(table, options, "constituency_name", "candidate")
    at_name = table.need("constituency_name")
    codes, districts = base.district_labels(table, at_name, table.need("constituency_type"))
    lines = _lines(table, codes, districts, options)
    _reject_shared_names(lines, at_name)
    return build_election(lines, options, attrs=poll_attrs(table, left_out, "tcpd"))


def _reject_shared_names(lines: base.Lines, position: int) -> None:
    table, rank = lines.table, lines.rank
    assert rank is not None
    placed = np.flatnonzero(rank < _LAST)
    key = np.full(len(rank), -1) - np.arange(len(rank))
    key[placed] = lines.district[placed] * (_LAST + 1) + rank[placed]
    table.no_repeats(
        key,
        position,
        lambda row: f"place {rank[row]} of {lines.districts[lines.district[row]]!r}",
        "add a number to the name of one of two constituencies of one name and type",
    )


BY_NAME = base.Reader(
    "TCPD candidate file (24 columns)",
    "Constituency_Name, Party, Votes, Position, ...",
    lambda table: sum(map(table.has, _NAMES_ONLY)) >= 3 and not table.has("constituency_no"),
    _read_names,
)
