"""MIT Election Lab returns: one row per candidate and ballot line, of constituencies or of precincts.

A district is a state, with its `district` number in a House file; offices of a whole state have a blank or "statewide"
district and are the state. The option `district=` names another column, such as county_name or precinct. Lines are
summed by `party_simplified` (where OTHER means "others") or, on request, `party_detailed`; a line without a party is
of "others". A candidate on several lines (a fusion ticket) wins or loses with all of them; whether the lines' votes
also count for the candidate's main party is the option `fusion`. Rows of blank, void and "none of these" ballots follow
the policy for NOTA. Votes come by `mode`: those of a candidate and precinct are summed unless one of them is TOTAL.
"""

import numpy as np
import xarray as xr

from electjax.data.labels import NOTA
from electjax.data.rows import numbered, one_election, row_keys
from electjax.data.table import Table
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base, parts
from electjax.districts.readers.sums import build_election, main_lines, persons

_COLUMNS = ("state_po", "state_fips", "candidatevotes", "totalvotes", "party_simplified", "party_detailed")
_CHOICES = ("year", "office", "stage", "runoff", "special", "date")
_WHOLE_STATE = {"", "statewide"}


def _read(table: Table, options: ReadOptions) -> xr.Dataset:
    at_votes = table.need(*(("votes", "candidatevotes") if table.has("votes") else ("candidatevotes",)))
    at_party, at_name = table.need(options.party_column), table.need("candidate")
    at_state = table.need("state")
    one_election(table, _CHOICES, keyword={"year": "year="})
    base.one_seat(table)
    table = parts.one_total(base.no_totals(table, options, "jurisdiction_name", "candidate"), at_votes)
    chosen = base.asked_district(table, options, "county_name")
    codes, districts = chosen or _districts(table, at_state)
    candidate, spoilt, table = base.candidate_codes(table, at_name)
    party, parties = base.party_codes(table.columns[at_party])
    if spoilt.any():
        parties = [*parties, NOTA] if NOTA not in parties else parties
        party = np.where(spoilt, parties.index(NOTA), party)
    no_party = table.columns[at_party].blank & ~spoilt
    if no_party.any():
        table = table.noted(f"{int(no_party.sum())} rows without a party count for others")
    votes, table = base.counted(table, [at_votes], options)
    rows = np.arange(len(table))
    lines = base.Lines(table, rows, codes, districts, party, parties, votes[:, 0], at_votes, candidate=candidate)
    base.reject_repeats(lines, [p for p in range(len(table.columns)) if p != at_votes], at_party, options)
    lines = parts.no_sums(base.no_blank_votes(lines), at_party, options)
    if chosen is None:
        base.check_totals(lines, table.find("totalvotes"))
    if options.fusion == "candidate":
        lines = _merge_tickets(lines)
    year = table.column("year").at(0) if table.has("year") else ""
    office = table.column("office").at(0) if table.has("office") else "returns"
    attrs = {
        "reader": "mit",
        "title": f"{office} {year}".rstrip(),
        "date": year,
        "party_column": options.party_column,
        "fusion": options.fusion,
    }
    return build_election(lines, options, attrs=attrs)


def _districts(table: Table, at_state: int) -> tuple[np.ndarray, list[str]]:
    """The state of each row, with the number of its district where it has one."""
    state = table.labels(at_state, "a name")
    position = table.find("district")
    if position is None:
        return base.district_labels(table, at_state)
    column = table.columns[position]
    number = ["" if text.casefold() in _WHOLE_STATE else text for text in column.texts]
    code, first = numbered(row_keys(table, [at_state, position]))
    labels = [f"{state.at(row)} {number[column.codes[row]]}".rstrip() for row in first]
    order = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    return np.array([order[label] for label in labels])[code], list(order)


def _merge_tickets(lines: base.Lines) -> base.Lines:
    """Give every line of a candidate the party of the candidate's main line."""
    nota = np.array([party == NOTA for party in lines.parties])[lines.party]
    assert lines.candidate is not None
    tickets = lines._replace(candidate=np.where(nota, -1, lines.candidate))
    person = persons(tickets)
    return lines._replace(party=lines.party[main_lines(tickets, person)][person])


READER = base.Reader(
    "MIT Election Lab",
    "year, state, candidate, candidatevotes or votes, party_simplified, ...",
    lambda table: sum(map(table.has, _COLUMNS)) >= 3,
    _read,
)
