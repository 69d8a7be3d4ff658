"""Wide CSV: one row per district, `district, votes_<party>, ...`.

Optional columns: `electors`; `winner` (party label) and `winner_votes`, for a seat won by a party that is not
a column of its own; `district_no`, which keeps two districts of one name apart.
"""

import xarray as xr

from electjax.data.errors import data_warning
from electjax.data.labels import party_label
from electjax.data.returns_table import Row, Table
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base

_PREFIX = "votes_"


def _read(source: base.Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    ballots = [c.casefold() for c in table.columns if c.casefold().startswith(_PREFIX)]
    known = [c for c in ("electors", "winner", "winner_votes", "district_no") if c in table]
    table.require("district", *ballots, *known)
    parties = {c.casefold(): party_label(c[len(_PREFIX) :]) for c in table.columns if c.casefold() in ballots}
    for column, party in parties.items():
        if not party or list(parties.values()).count(party) > 1:
            raise table.fault(
                "no party after votes_" if not party else f"a second column for {party!r}",
                table.rows[0]._replace(line=1),
                column,
                expected="one column votes_<party> for each party",
                mend="rename or merge the column",
            )
    table = table.where(options.selection())
    labels = base.distinct_names(base.named_district(table, row) for row in table)
    seen: dict[str, Row] = {}
    lines, electors, winners = [], {}, {}
    for row in table:
        district = labels[base.named_district(table, row)]
        if district in seen:
            raise table.fault(
                f"district {district!r} is already in row {seen[district].line}",
                row,
                "district",
                expected="one row per district",
                mend="remove one row, or tell the districts apart in a column district_no",
            )
        seen[district] = row
        lines += [base.Line(row, district, party, table.count(row, column)) for column, party in parties.items()]
        if table.filled("electors"):
            electors[district] = table.count(row, "electors")
        if table.filled("winner"):
            winners[district] = _winner(table, row, parties)
    return base.build_election(
        table,
        lines,
        options,
        votes_column=ballots[0],
        winners=winners or None,
        electors=electors or None,
        attrs={"reader": "wide"},
    )


def _winner(table: Table, row: Row, parties: dict[str, str]) -> tuple[str, int | None]:
    winner = party_label(table.name(row, "winner"))
    votes = {party: table.count(row, column) for column, party in parties.items()}
    named = {party: n for party, n in votes.items() if party != "others"}
    if winner not in votes and "others" not in votes:
        raise table.fault(
            f"{winner!r} has no column of votes",
            row,
            "winner",
            expected=f"one of {', '.join(parties.values())}, or a column votes_others that includes it",
            mend="correct the label",
        )
    if winner in named and named[winner] < max(named.values()):
        data_warning(
            f"the declared winner {winner!r} has {named[winner]} votes, another party {max(named.values())}",
            where=table.file,
            row=row.line,
            column="winner",
        )
    if not table.filled("winner_votes"):
        return winner, None
    own = table.count(row, "winner_votes")
    most = votes.get(winner, votes.get("others", 0))
    if own > most or (winner in named and own != most):
        raise table.fault(
            f"{own} votes for the winner {winner!r}, who has {most} with all allies",
            row,
            "winner_votes",
            expected="the winner's own votes",
            mend="correct one of the two cells",
        )
    return winner, own


READER = base.Reader(
    "wide CSV",
    "district, votes_<party>, ... [, electors, winner, winner_votes]",
    lambda header: any(column.startswith(_PREFIX) for column in header.columns),
    _read,
    general=True,
)
