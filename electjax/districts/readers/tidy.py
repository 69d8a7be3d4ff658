"""Tidy CSV: one row per district and party, `district, party, votes`.

Optional columns: `electors`, and `winner` (party label), repeated on each row of the district; `district_no`,
which keeps two districts of one name apart; `candidate`, which makes the file candidate-level: rows of one
party in a district are then summed, while without it a second row for a (district, party) pair is an error.
"""

import xarray as xr

from electjax.data.labels import OTHERS, party_label
from electjax.data.returns_table import Table
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base

_COLUMNS = {"district", "party", "votes"}


def _read(source: base.Source, options: ReadOptions) -> xr.Dataset:
    table = source.table
    known = [c for c in ("electors", "winner", "district_no", "candidate") if c in table]
    table.require("district", "party", "votes", *known)
    table = table.where(options.selection())
    labels = base.distinct_names(base.named_district(table, row) for row in table)
    lines = [
        base.Line(
            row,
            labels[base.named_district(table, row)],
            party_label(table.name(row, "party")),
            table.count(row, "votes"),
            candidate=table.text(row, "candidate") if "candidate" in table else "",
        )
        for row in table
    ]
    if "candidate" not in table:
        _reject_duplicates(table, lines)
    rows = [(line.district, line.row) for line in lines]
    winners = None
    if table.filled("winner"):
        declared = base.constant_per_district(table, rows, "winner", lambda row, c: party_label(table.name(row, c)))
        winners = {d: (w, _own_votes(table, [x for x in lines if x.district == d], w)) for d, w in declared.items()}
    electors = base.constant_per_district(table, rows, "electors", table.count) if table.filled("electors") else None
    return base.build_election(
        table, lines, options, votes_column="votes", winners=winners, electors=electors, attrs={"reader": "tidy"}
    )


def _own_votes(table: Table, lines: list[base.Line], winner: str) -> int | None:
    """Votes of the declared winner: the strongest line under that label; unknown inside "others"."""
    own = [line.votes for line in lines if line.party == winner != OTHERS]
    if not own and not any(line.party == OTHERS for line in lines):
        raise table.fault(
            f"the winner {winner!r} has no row in district {lines[0].district!r}",
            lines[0].row,
            "winner",
            expected=f"one of {', '.join(line.party for line in lines)}",
            mend="correct the label",
        )
    return max(own, default=None)


def _reject_duplicates(table: Table, lines: list[base.Line]) -> None:
    seen: dict[tuple[str, str], base.Line] = {}
    for line in lines:
        first = seen.setdefault((line.district, line.party), line)
        if first is not line:
            raise table.fault(
                f"party {line.party!r} is in district {line.district!r} twice,"
                f" in rows {first.row.line} and {line.row.line}",
                line.row,
                "party",
                expected="one row per district and party",
                mend="merge the rows, add a column candidate, or add a column district_no that differs",
            )


READER = base.Reader(
    "tidy CSV",
    "district, party, votes [, electors, winner, candidate]",
    lambda header: len(_COLUMNS & header.columns) >= 2,
    _read,
    general=True,
)
