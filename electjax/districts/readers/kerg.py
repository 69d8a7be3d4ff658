"""Results of German federal elections, kerg2 of the Bundeswahlleiterin: a row a region, group and vote.

Regions are the federation, states and constituencies (Wahlkreise), which are read; groups are parties, candidates of no
party, and figures such as Wahlberechtigte, the electors. A voter has two votes, `Stimme` 1 for a candidate and 2 for a
list: two elections, of which `ballot=` or `where=` chooses one. A blank `Anzahl` says that the party did not stand.
"""

import numpy as np
import xarray as xr

from electjax.data.labels import INDEPENDENT
from electjax.data.rows import one_election
from electjax.data.table import Table, fold
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base
from electjax.districts.readers.sums import build_election

_NEEDED = ("gebietsart", "gebietsname", "gruppenart", "gruppenname", "anzahl")
_FIGURES, _ELECTORS, _CONSTITUENCY = "systemgruppe", "wahlberechtigte", "wahlkreis"


def _rows(table: Table, name: str, good: str) -> np.ndarray:
    """Which rows have this in a column, as names of columns are compared."""
    column = table.column(name)
    return np.array([fold(text) == good for text in column.texts], bool)[column.codes]


def _one_vote(table: Table, options: ReadOptions) -> Table:
    """The rows of one of the two votes, and those that are of neither."""
    position = table.find("stimme")
    if position is None:
        return table
    column = table.columns[position]
    votes = column.present()
    if options.ballot is None:
        if len(votes) > 1:
            raise table.fault(
                f"a voter has two votes: {', '.join(votes)}",
                None,
                position,
                expected="one of them",
                mend=f"choose with ballot={votes[0]!r} (1 the candidates, 2 the lists)",
            )
        return table
    if options.ballot not in votes:
        mend = f"pass ballot={(votes or ['1'])[0]!r}"
        raise table.fault(f"no vote {options.ballot!r}", None, position, expected=", ".join(votes), mend=mend)
    good = np.array([text in ("", options.ballot) for text in column.texts], bool)
    return table.take(good[column.codes], f"votes are {table.names[position]} {options.ballot}")


def _read(table: Table, options: ReadOptions) -> xr.Dataset:
    for name in _NEEDED:
        table.need(name)
    one_election(table, ("wahlart", "wahltag"))
    here = _rows(table, "gebietsart", _CONSTITUENCY)
    table.refuse(np.full(1, not here.any()), None, "no region is a Wahlkreis", "constituencies", "read kerg2 as it is")
    table = _one_vote(table.take(here, "regions other than Wahlkreise left out") if not here.all() else table, options)
    code, districts = base.district_labels(table, table.need("gebietsname"), table.find("gebietsnummer"))
    at = table.need("anzahl")
    counts, table = base.counted(table, [at], options)
    figures = _rows(table, "gruppenart", _FIGURES)
    single = np.array(["einzelbewerb" in fold(text) for text in table.column("gruppenart").texts], bool)
    party, parties = base.party_codes(table.column("gruppenname"))
    alone = single[table.column("gruppenart").codes]
    if alone.any():
        parties = [*parties, INDEPENDENT] if INDEPENDENT not in parties else parties
        party = np.where(alone, parties.index(INDEPENDENT), party)
    lines = base.Lines(table, np.arange(len(table)), code, districts, party, parties, counts[:, 0], at)
    electors, lines = _electors(lines, figures)
    lines = lines.take(~figures & (lines.votes >= 0))
    date = table.column("wahltag").at(0) if table.has("wahltag") else ""
    return build_election(lines, options, electors=electors, attrs={"reader": "kerg2", "date": date})


def _electors(lines: base.Lines, figures: np.ndarray) -> tuple[np.ndarray | None, base.Lines]:
    """Registered electors of every constituency, from the rows that say so."""
    rows = np.flatnonzero(figures & _rows(lines.table, "gruppenname", _ELECTORS) & (lines.votes >= 0))
    electors = np.full(len(lines.districts), -1)
    electors[lines.district[rows]] = lines.votes[rows]
    if (electors >= 0).all():
        return electors, lines
    return None, lines.noted("no electors for some districts: left out of the election") if len(rows) else lines


READER = base.Reader(
    "kerg2 (Germany)",
    "Gebietsart, Gebietsname, Gruppenart, Gruppenname, Stimme, Anzahl, ...",
    lambda table: all(map(table.has, _NEEDED)),
    _read,
)
