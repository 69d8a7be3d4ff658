"""TCPD Lok Dhaba, 47 columns: one row per candidate, with `Constituency_No`, `Electors` and `Valid_Votes`.

The Trivedi Centre for Political Data's download of Indian election results. A constituency is its number, so
two of the same name stay apart. `Poll_No` 0 is the general poll, 1, 2, ... are bye-polls of the same
assembly.
"""

import xarray as xr

from electjax.data.labels import party_label
from electjax.data.returns_table import Table
from electjax.districts.readers.base import (
    Header,
    Line,
    Reader,
    ReadOptions,
    Source,
    build_election,
    constant_per_district,
    distinct_names,
    one_election,
    warn_incomplete,
)

_OWN = {"delimid", "valid_votes", "n_cand", "enop", "constituency_no"}
_CHOICES = {
    "state_name": "where={'State_Name': ...}",
    "election_type": "where={'Election_Type': ...}",
    "year": "year=",
    "assembly_no": "assembly_no=",
}


def select_poll(table: Table, options: ReadOptions) -> tuple[Table, str]:
    """The rows of one poll, the general poll (0) unless `poll_no` says otherwise, and what was left out.

    The poll is chosen first: a bye-poll falls in a later year than the general poll it belongs to.
    """
    table = table.where(options.selection())
    polls = table.values("poll_no")
    chosen = "0" if options.poll_no is None else str(options.poll_no)
    if chosen not in polls:
        raise table.fault(
            f"no row has the poll number {chosen}" + (" (the general poll)" if chosen == "0" else ""),
            None,
            "poll_no",
            expected=f"one of {', '.join(polls)}",
            mend=f"pass poll_no={polls[0]}",
        )
    kept = table.where({"poll_no": chosen})
    one_election(kept, _CHOICES)
    left = len(table.rows) - len(kept.rows)
    others = ", ".join(p for p in polls if p != chosen)
    return kept, f"{left} rows of other polls (Poll_No {others})" if left else ""


def poll_attrs(table: Table, left_out: str, reader: str) -> dict[str, str]:
    """Attributes that say which poll the election is."""
    row = table.rows[0]
    state, year, number = (table.text(row, column) for column in ("state_name", "year", "assembly_no"))
    title = f"{state} {year}, assembly {number}"
    return {"reader": reader, "title": title, **({"left_out": left_out} if left_out else {})}


def _matches(header: Header) -> bool:
    return len(_OWN & header.columns) >= 2


def _read(source: Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    table.require(
        "state_name",
        "assembly_no",
        "poll_no",
        "year",
        "constituency_no",
        "constituency_name",
        "party",
        "votes",
        "position",
        "electors",
    )
    table, left_out = select_poll(table, options)
    numbered = [(table.name(row, "constituency_no"), row) for row in table]
    names = constant_per_district(table, numbered, "constituency_name", table.name)
    labels = distinct_names((name, number) for number, name in names.items())
    lines = [
        Line(
            row,
            labels[names[number], number],
            party_label(table.name(row, "party")),
            table.count(row, "votes"),
            rank=table.count(row, "position"),
        )
        for number, row in numbered
    ]
    electors = None
    if table.filled("electors"):
        rows = [(line.district, line.row) for line in lines]
        electors = constant_per_district(table, rows, "electors", table.count)
    if table.filled("valid_votes"):
        warn_incomplete(table, lines, "valid_votes")
    return build_election(
        table,
        lines,
        options,
        votes_column="votes",
        electors=electors,
        attrs=poll_attrs(table, left_out, "lokdhaba"),
    )


READER = Reader("TCPD Lok Dhaba (47 columns)", "Constituency_No, Constituency_Name, Party, Votes, ...", _matches, _read)
