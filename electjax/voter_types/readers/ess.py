"""Cast-vote records as ES&S systems export them, to a workbook or CSV.

One row per ballot: Cast Vote Record, Precinct, Ballot Style, then a column for each contest, which holds the choice,
"undervote" or "overvote", and is blank where the contest is not on the ballot. A contest in which a voter has several
votes has as many columns, of one name or the later ones of none.
"""

import re
from collections.abc import Iterator

import xarray as xr

from electjax.data.table import Table, fold
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import Reader, Source, finish_ballots, with_voters
from electjax.voter_types.readers.labelled import label_ballots, labelled_votes, office_columns
from electjax.voter_types.readers.voters import of_voters, voter_columns

_NAME = "ES&S"
_VOTER = "castvoterecord"
_VOTERS = frozenset(
    (
        *("precinct", "ballotstyle", "ballotstatus", "batch", "tabulator", "tabulatorcvr", "machine", "pollplace"),
        *("pollingplace", "votinglocation", "party", "originalballotexception", "remainingballotexception"),
        *("ballotimage", "audited", "listnumber", "sheet"),
    )
)
_FURTHER = re.compile(r"(?P<contest>.+) \(\d+\)|column \d+")


def is_ess(source: Source) -> bool:
    """Whether there is a column of the records' numbers."""
    return _VOTER in source.names


def read_ess(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    return _ballots(source, source.table, options)


def stream_ess(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The ballots of the export in chunks of `size` rows."""
    return with_voters(_ballots(source, table, options) for table in source.tables(size))


def _ballots(source: Source, table: Table, options: TextOptions) -> xr.Dataset:
    voters = voter_columns(table, options)
    table = of_voters(table, table.need("voter", _VOTER), options, source.seen)
    contests = _contests(table, voters.taken())
    several = {first: own for first, own in contests.items() if len(own) > 1}
    for first, own in several.items():
        if table.names[first] in (options.offices or ()):
            expected, mend = "contests in which a voter chooses one option", "leave the contest out of offices"
            raise table.fault(f"a voter has {len(own)} votes", position=first, expected=expected, mend=mend)
    taken = set(range(len(table.columns))) - {first for first, own in contests.items() if len(own) == 1}
    offices = office_columns(source, table, taken, options)
    ds = label_ballots(labelled_votes(table, offices), source, table, options, _NAME, blank="not_on_ballot")
    if options.offices is None:
        said = [f"{table.names[first]} (vote for {len(own)})" for first, own in several.items()]
        ds = ds.assign_attrs(left_out="; ".join(said))
    used = {*offices, *voters.taken(), *(p for own in several.values() for p in own)}
    return finish_ballots(ds, table, options, kept=[p for p in range(len(table.columns)) if p not in used])


def _contests(table: Table, taken: set[int]) -> dict[int, list[int]]:
    """The first column of each contest, and all its columns."""
    found: dict[int, list[int]] = {}
    for position, name in enumerate(table.names):
        if position in taken or fold(name) in _VOTERS:
            continue
        further = _FURTHER.fullmatch(name)
        last = next(reversed(found), None)
        if further and last is not None and further["contest"] in (None, table.names[last]):
            found[last].append(position)
        else:
            found[position] = [position]
    return found


READERS = [Reader(_NAME, 5, is_ess, read_ess, stream_ess)]
