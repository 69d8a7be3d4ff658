"""TCPD candidate file, 24 columns: one row per candidate, without constituency numbers, electors or NOTA.

A constituency is its name and its type (GEN, SC, ST). Where a name and type hold two candidates at the same
place, two constituencies share the name and nothing in the file tells them apart: an error.
"""

import xarray as xr

from electjax.data.labels import party_label
from electjax.data.returns_table import Table
from electjax.districts.readers.base import Header, Line, Reader, ReadOptions, Source, build_election, distinct_names
from electjax.districts.readers.lokdhaba import poll_attrs, select_poll

_OWN = {"constituency_name", "constituency_type", "alliance", "terms", "terms_contested"}


def _matches(header: Header) -> bool:
    return len(_OWN & header.columns) >= 2 and "constituency_no" not in header.columns


def _read(source: Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    table.require(
        "state_name",
        "assembly_no",
        "poll_no",
        "year",
        "constituency_name",
        "constituency_type",
        "party",
        "votes",
        "position",
    )
    table, left_out = select_poll(table, options)
    keys = [(table.name(row, "constituency_name"), table.text(row, "constituency_type")) for row in table]
    labels = distinct_names(keys)
    lines = [
        Line(
            row,
            labels[key],
            party_label(table.name(row, "party")),
            table.count(row, "votes"),
            rank=table.count(row, "position"),
        )
        for key, row in zip(keys, table, strict=True)
    ]
    _reject_shared_names(table, lines)
    attrs = poll_attrs(table, left_out, "tcpd")
    return build_election(table, lines, options, votes_column="votes", attrs=attrs)


def _reject_shared_names(table: Table, lines: list[Line]) -> None:
    seen: dict[tuple[str, int], Line] = {}
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


READER = Reader("TCPD candidate file (24 columns)", "Constituency_Name, Party, Votes, Position, ...", _matches, _read)
