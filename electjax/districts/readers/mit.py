"""MIT Election Lab returns: one row per candidate and ballot line, `year, state, candidatevotes, ...`.

A district is a state, with its `district` number in a House file. Lines are summed by `party_simplified`
(where OTHER means "others") or, on request, `party_detailed`. A candidate on several lines (a fusion ticket)
wins or loses with all of them; whether the lines' votes also count for the candidate's main party is the
option `fusion`. Rows of blank, void and "none of these" ballots follow the policy for NOTA.
"""

import xarray as xr

from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.returns_table import Row, Table
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base

_COLUMNS = {"state_po", "state_fips", "candidatevotes", "totalvotes", "party_simplified", "party_detailed"}
_NO_CHOICE = {
    "BLANK VOTE",
    "BLANK VOTES",
    "VOID",
    "VOID VOTE",
    "OVERVOTES",
    "UNDERVOTES",
    "NONE OF THE ABOVE",
    "NONE OF THESE CANDIDATES",
}
_NOBODY = {"", "OTHER", "OTHERS", "SCATTERING", "WRITEIN", "BLANK VOTE/SCATTERING", "NOT DESIGNATED"}
_CHOICES = {"year": "year="} | {
    column: f"where={{{column!r}: ...}}" for column in ("office", "stage", "runoff", "special", "mode")
}


def _read(source: base.Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    column = options.party_column.casefold()
    table.require("year", "state", "candidate", "candidatevotes", column)
    table = table.where(options.selection())
    base.one_election(table, _CHOICES)
    lines = [_line(table, row, column) for row in table]
    if table.filled("totalvotes"):
        base.warn_incomplete(table, lines, "totalvotes")
    if options.fusion == "candidate":
        lines = _merge_tickets(lines)
    year = table.text(table.rows[0], "year")
    office = table.text(table.rows[0], "office") if "office" in table else "returns"
    attrs = {
        "reader": "mit",
        "title": f"{office} {year}",
        "date": year,
        "party_column": column,
        "fusion": options.fusion,
    }
    return base.build_election(table, lines, options, votes_column="candidatevotes", attrs=attrs)


def _line(table: Table, row: Row, column: str) -> base.Line:
    district = table.name(row, "state")
    if "district" in table:
        district = f"{district} {table.name(row, 'district')}"
    candidate = table.text(row, "candidate").upper()
    if candidate in _NO_CHOICE:
        party = NOTA
    elif column == "party_simplified":
        party = party_label(table.name(row, column))
    else:  # write-ins have no party in the detailed column
        party = party_label(table.text(row, column) or OTHERS)
    votes = table.count(row, "candidatevotes")
    return base.Line(row, district, party, votes, candidate="" if candidate in _NOBODY else candidate)


def _merge_tickets(lines: list[base.Line]) -> list[base.Line]:
    """Give every line of a candidate the party of the candidate's main line."""
    tickets: dict[tuple[str, str], list[base.Line]] = {}
    for line in lines:
        if line.candidate and line.party != NOTA:
            tickets.setdefault((line.district, line.candidate), []).append(line)
    party = {key: base.main_line(own).party for key, own in tickets.items()}
    return [line._replace(party=party.get((line.district, line.candidate), line.party)) for line in lines]


READER = base.Reader(
    "MIT Election Lab",
    "year, state, candidate, candidatevotes, party_simplified, ...",
    lambda header: len(_COLUMNS & header.columns) >= 3,
    _read,
)
