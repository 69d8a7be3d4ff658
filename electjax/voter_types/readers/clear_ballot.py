"""Cast-vote records as Clear Ballot systems export them, to CSV.

One row per ballot (RowNumber, BoxID, BallotID, PrecinctID, ...), and a column for each choice, called
`Choice_<id>_<rank>:<contest>:Vote For <n>:<choice>:<party>`: 1 where it is marked, 0 where not, blank where the contest
is not on the ballot. In ranked contests the first rank is the vote.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby

import xarray as xr

from electjax.data.table import Table, fold
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.columns import Block, ballots_of
from electjax.voter_types.readers.common import Contest, Reader, Source, ballot_attrs, with_voters

_NAME = "Clear Ballot CSV"
_CHOICE = re.compile(
    r"choice_(?P<id>\d+)_(?P<rank>\d+):(?P<contest>.*):\s*vote for\s*=?\s*(?P<count>\d+)\s*:"
    r"(?P<choice>.*):(?P<party>[^:]*)",
    re.IGNORECASE,
)
_NO_PARTY = {"nonpartisan", "none", "na", ""}


def is_clear_ballot(source: Source) -> bool:
    """Whether there are columns of choices beside the ballot's number."""
    return "ballotid" in source.names and any(re.match(r"choice\d", name) for name in source.names)


def read_clear_ballot(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    return _ballots(source.parts(), options)


def stream_clear_ballot(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The ballots of the export in chunks of `size` rows."""
    return with_voters(_ballots([table], options) for table in source.tables(size))


def _ballots(tables: Iterable[Table], options: TextOptions) -> xr.Dataset:
    parts = iter(tables)
    table = next(parts)
    found = {p: match for p, name in enumerate(table.names) if (match := _CHOICE.fullmatch(name))}
    leading = [p for p in range(len(table.columns)) if p not in found]
    strange = next((p for p in leading if table.names[p].casefold().startswith("choice_")), None)
    if strange is not None:
        expected = "Choice_<id>_<rank>:<contest>:Vote For <n>:<choice>:<party>"
        raise table.fault("the name of a choice", position=strange, expected=expected, mend="export the records again")
    blocks = []
    place: dict[str, int] = {}
    for match in found.values():
        place.setdefault(match["contest"], len(place))
    by_contest = sorted(found, key=lambda p: place[found[p]["contest"]])
    for name, run in groupby(by_contest, lambda p: found[p]["contest"].strip()):
        columns = tuple(run)
        ranked = any(int(found[p]["rank"]) > 1 for p in columns)
        own = tuple(p for p in columns if int(found[p]["rank"]) == 1)
        labels = tuple(found[p]["choice"].strip() for p in own)
        parties = tuple("" if fold(found[p]["party"]) in _NO_PARTY else found[p]["party"].strip() for p in own)
        count = int(found[columns[0]]["count"])
        blocks.append(Block(Contest(name, 1 if ranked else count, ranked, labels, parties), own, columns))
    attrs = ballot_attrs(options, table.file, "options", _NAME)
    return ballots_of(chain([table], parts), blocks, leading, options, attrs)


READERS = [Reader(_NAME, 4, is_clear_ballot, read_clear_ballot, stream_clear_ballot)]
