"""Indian returns by the Trivedi Centre for Political Data (TCPD): one row per candidate, in two layouts.

The download of Lok Dhaba has 47 columns, with `Constituency_No`, `Electors` and `Valid_Votes`: a constituency is its
number, so two of the same name stay apart. The candidate file has 24, without constituency numbers, electors or NOTA:
a constituency is its name and its type (GEN, SC, ST), and where a name and type hold two candidates at the same place,
two constituencies share the name and nothing in the file tells them apart: an error. `Poll_No` 0 is the general poll,
1, 2, ... are bye-polls of the same assembly.
"""

import xarray as xr

from electjax.data.labels import party_label
from electjax.data.returns_table import Row, Table
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base

_COLUMNS = {"delimid", "valid_votes", "n_cand", "enop", "constituency_no"}
_NAMES_ONLY = {"constituency_name", "constituency_type", "alliance", "terms", "terms_contested"}
_POLL = ("state_name", "assembly_no", "poll_no", "year")
_CANDIDATE = ("party", "votes", "position")
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
    base.one_election(kept, _CHOICES)
    left = len(table.rows) - len(kept.rows)
    others = ", ".join(p for p in polls if p != chosen)
    return kept, f"{left} rows of other polls (Poll_No {others})" if left else ""


def poll_attrs(table: Table, left_out: str, reader: str) -> dict[str, str]:
    """Attributes that say which poll the election is."""
    row = table.rows[0]
    state, year, number = (table.text(row, column) for column in ("state_name", "year", "assembly_no"))
    title = f"{state} {year}, assembly {number}"
    return {"reader": reader, "title": title, **({"left_out": left_out} if left_out else {})}


def _line(table: Table, row: Row, district: str) -> base.Line:
    party, votes = party_label(table.name(row, "party")), table.count(row, "votes")
    return base.Line(row, district, party, votes, rank=table.count(row, "position"))


def _read(source: base.Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    table.require(*_POLL, "constituency_no", "constituency_name", *_CANDIDATE, "electors")
    table, left_out = select_poll(table, options)
    numbered = [(table.name(row, "constituency_no"), row) for row in table]
    names = base.constant_per_district(table, numbered, "constituency_name", table.name)
    labels = base.distinct_names((name, number) for number, name in names.items())
    lines = [_line(table, row, labels[names[number], number]) for number, row in numbered]
    electors = None
    if table.filled("electors"):
        rows = [(line.district, line.row) for line in lines]
        electors = base.constant_per_district(table, rows, "electors", table.count)
    if table.filled("valid_votes"):
        base.warn_incomplete(table, lines, "valid_votes")
    attrs = poll_attrs(table, left_out, "lokdhaba")
    return base.build_election(table, lines, options, votes_column="votes", electors=electors, attrs=attrs)


LOK_DHABA = base.Reader(
    "TCPD Lok Dhaba (47 columns)",
    "Constituency_No, Constituency_Name, Party, Votes, ...",
    lambda header: len(_COLUMNS & header.columns) >= 2,
    _read,
)


def _matches_names(header: base.Header) -> bool:
    return len(_NAMES_ONLY & header.columns) >= 2 and "constituency_no" not in header.columns


def _read_names(source: base.Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    table.require(*_POLL, "constituency_name", "constituency_type", *_CANDIDATE)
    table, left_out = select_poll(table, options)
    keys = [(table.name(row, "constituency_name"), table.text(row, "constituency_type")) for row in table]
    labels = base.distinct_names(keys)
    lines = [_line(table, row, labels[key]) for key, row in zip(keys, table, strict=True)]
    _reject_shared_names(table, lines)
    attrs = poll_attrs(table, left_out, "tcpd")
    return base.build_election(table, lines, options, votes_column="votes", attrs=attrs)


def _reject_shared_names(table: Table, lines: list[base.Line]) -> None:
    seen: dict[tuple[str, int], base.Line] = {}
    for line in lines:
        first = seen.setdefault((line.district, line.rank), line)
        if first is not line:
            raise table.fault(
                f"two candidates at place {line.rank} of {line.district!r},"
                f" in rows {first.row.line} and {line.row.line}",
                line.row,
                "constituency_name",
                expected="one constituency for each name and type",
                mend="add a number to the name of one of the two constituencies",
            )


BY_NAME = base.Reader(
    "TCPD candidate file (24 columns)", "Constituency_Name, Party, Votes, Position, ...", _matches_names, _read_names
)
