"""Cast-vote records as Hart systems export them: XML, a file for each ballot (or sheet), in a folder or zip.

A file is Cvr / Contests / Contest with Name and Options / Option with Name and Value; a contest without options got no
vote. How many votes a voter has in a contest is not said: it is the options marked and the Undervotes.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import xarray as xr

from electjax.data.archive import open_files
from electjax.data.errors import data_error
from electjax.data.markup import text, whole
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import Contest, Reader, Source
from electjax.voter_types.readers.marks import TABLES_ONLY, WHOLE, Ballots, first_bytes, refuse_unused, vote_of

_NAME = "Hart XML"
_ROOT = "Cvr"
_MOST = 1 << 25  # bytes of a ballot
_LEADING = {"cvr_id": "CvrGuid", "BatchId": "BatchNumber", "PrecinctPortion": "PrecinctSplit/Name"}


class _Contest(NamedTuple):
    """A contest as it is met: its options by Id, or by name, and how many votes ballots tell that a voter has."""

    place: int
    name: str
    options: dict[str, int]
    labels: list[str]
    told: Counter[int]
    marked: Counter[int]

    @property
    def vote_for(self) -> int:
        """With undervotes, what all ballots that are not overvoted add up to; else what most ballots have marked."""
        if self.told:
            return min(self.told)
        return max(self.marked, key=lambda number: (self.marked[number], -number)) if self.marked else 1


def is_hart(source: Source) -> bool:
    """Whether this is a file, a folder or a zip of ballots."""
    return bool(first_bytes(source.path, (".xml",), rb"<(?:\w+:)?Cvr[\s>/]"))


def read_hart(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots."""
    path: Path = source.path
    refuse_unused(options, TABLES_ONLY, path.name, "Hart's XML")
    contests: dict[str, _Contest] = {}
    ballots = Ballots(list(_LEADING))
    with open_files(path, (".xml",)) as files:
        for name in files.names:
            root = whole(files.read(name, _MOST), name, _ROOT)
            votes = []
            for element in root.iterfind("Contests/Contest"):
                label = text(element, "Name")
                key = element.findtext("Id") or label
                if not key:
                    raise data_error("a contest without Name", where=name, expected="Name", mend="export it again")
                own = contests.get(key)
                if own is None:
                    own = contests[key] = _Contest(len(contests), label or key, {}, [], Counter(), Counter())
                votes.append((own.place, _vote(element, own, name)))
            said = [text(root, where) for where in _LEADING.values()]
            ballots.add(votes, [said[0] or Path(name).stem, *said[1:]])
    found = [
        Contest(own.name, own.vote_for, False, tuple(own.labels), ("",) * len(own.labels)) for own in contests.values()
    ]
    notes = ["votes per voter and contest are what ballots have marked and undervoted"]
    return ballots.dataset(found, options, path.name, _NAME, notes).drop_vars("option_party")


def _vote(element: Element, contest: _Contest, name: str) -> int:
    """The vote of a ballot in a contest."""
    marked = []
    for option in element.iterfind("Options/Option"):
        label = text(option, "Name")
        key = option.findtext("Id") or label
        if not key:
            raise data_error("an option without Name", where=name, expected="Name", mend="export it again")
        number = contest.options.get(key)
        if number is None:
            contest.labels.append(label or key)
            number = contest.options[key] = len(contest.labels)
        if _number(option, "Value", name, 1) > 0:
            marked.append(number)
    under = _number(element, "Undervotes", name, -1)
    if under >= 0 and under + len(marked) > 0:
        contest.told[under + len(marked)] += 1
    if marked:
        contest.marked[len(marked)] += 1
    return vote_of(marked, over=_number(element, "Overvotes", name, 0) > 0)


def _number(element: Element, tag: str, name: str, missing: int) -> int:
    said = (element.findtext(tag) or "").strip()
    if not said:
        return missing
    if not said.isdecimal() or len(said) > 9:
        raise data_error(f"{tag} is {said!r}", where=name, expected="a whole number, 0 or more", mend="correct it")
    return int(said)


READERS = [Reader(_NAME, 0, is_hart, read_hart, whole=WHOLE)]
