"""Cast-vote records in the common data format of NIST (SP 1500-103, version 1.0), JSON or XML.

A report, a file or several in a folder or zip, holds Election with its Contests and Candidates, and a CVR for each
ballot. Of a ballot's snapshots the one that CurrentSnapshotId names counts. A selection is a vote where a position has
NumberVotes above 0 and no indication to the contrary, and in ranked contests Rank 1. A contest that is listed without
votes got none; one that is not listed is not on the ballot.
"""

from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import msgspec
import xarray as xr
from msgspec import Struct, field

from electjax.data.archive import Files, decoded, first_name, misformed, open_files
from electjax.data.errors import data_error
from electjax.data.markup import elements
from electjax.data.unpack import TEXTS
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import Contest, Reader, Source
from electjax.voter_types.readers.marks import TABLES_ONLY, WHOLE, Ballots, refuse_unused, vote_of
from electjax.voter_types.readers.words import WRITE_IN

_NAME = "NIST 1500-103"
_FILES = (".json", ".xml")
_ROOT = "CastVoteRecordReport"
_MEND = "known are CVR.CastVoteRecordReport of NIST 1500-103, Dominion's CvrExport*.json with its manifests, Hart's Cvr"
_LEADING = {"cvr_id": "unique_id", "BatchId": "batch_id", "BallotType": "ballot_style_id", "PrecinctPortion": "unit"}
_RANKED = {"rcv", "ranked", "stv", "borda", "range"}


class _Position(Struct, rename="pascal", gc=False):
    number_votes: int = 1
    has_indication: str = "yes"
    is_allocable: str = "unknown"
    rank: int | None = None


class _Selected(Struct, rename="pascal", gc=False):
    contest_selection_id: str = ""
    selection_position: list[_Position] = []
    rank: int | None = None


class _Voted(Struct, gc=False):
    contest: str = field(name="ContestId")
    selections: list[_Selected] = field(name="CVRContestSelection", default_factory=list)
    overvotes: int | None = field(name="Overvotes", default=None)


class _Snapshot(Struct, gc=False):
    id: str = field(name="@id")
    contests: list[_Voted] = field(name="CVRContest", default_factory=list)


class _Cvr(Struct, gc=False):
    current: str = field(name="CurrentSnapshotId")
    snapshots: list[_Snapshot] = field(name="CVRSnapshot")
    unique_id: str = field(name="UniqueId", default="")
    batch_id: str = field(name="BatchId", default="")
    ballot_style_id: str = field(name="BallotStyleId", default="")
    unit: str = field(name="BallotStyleUnitId", default="")


class _Selection(Struct, gc=False):
    id: str = field(name="@id")
    candidates: list[str] = field(name="CandidateIds", default_factory=list)
    parties: list[str] = field(name="PartyIds", default_factory=list)
    said: str = field(name="Selection", default="")
    written: bool = field(name="IsWriteIn", default=False)


class _Contest(Struct, gc=False):
    id: str = field(name="@id")
    name: str = field(name="Name")
    selections: list[_Selection] = field(name="ContestSelection", default_factory=list)
    votes_allowed: int | None = field(name="VotesAllowed", default=None)
    elected: int | None = field(name="NumberElected", default=None)
    variation: str = field(name="VoteVariation", default="")

    @property
    def ranked(self) -> bool:
        """Whether voters rank."""
        return self.variation in _RANKED


class _Named(Struct, gc=False):
    """A candidate, a party or a part of the country."""

    id: str = field(name="@id")
    name: str = field(name="Name", default="")
    short: str = field(name="Abbreviation", default="")
    party: str = field(name="PartyId", default="")


class _Election(Struct, gc=False):
    contests: list[_Contest] = field(name="Contest")
    candidates: list[_Named] = field(name="Candidate", default_factory=list)


class _Report(Struct, gc=False):
    elections: list[_Election] = field(name="Election")
    ballots: list[_Cvr] = field(name="CVR", default_factory=list)
    parties: list[_Named] = field(name="Party", default_factory=list)
    units: list[_Named] = field(name="GpUnit", default_factory=list)


_LISTS = {"Election", "Contest", "ContestSelection", "Candidate", "Party", "GpUnit"}
_LISTS |= {"CVRSnapshot", "CVRContest", "CVRContestSelection", "SelectionPosition"}


class _Known(NamedTuple):
    """A contest of the reports that are read, and the numbers of its selections."""

    place: int
    contest: Contest
    options: dict[str, int]


def is_nist(source: Source) -> bool:
    """Whether this is JSON or XML: a file, a folder or a zip without tables."""
    path: Path = source.path
    if path.is_file() and path.suffix.casefold() in _FILES:
        return True
    return first_name(path, _FILES) is not None and first_name(path, TEXTS) is None


def read_nist(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots."""
    path: Path = source.path
    refuse_unused(options, TABLES_ONLY, path.name, "this format")
    known: dict[str, _Known] = {}
    ballots = Ballots(list(_LEADING))
    with open_files(path, _FILES) as files:
        for name in files.names:
            _read(files, name, known, ballots)
    return ballots.dataset([each.contest for each in known.values()], options, path.name, _NAME)


def _read(files: Files, name: str, known: dict[str, _Known], ballots: Ballots) -> None:
    """Add the contests and the ballots of a report."""
    data = files.read(name)
    if name.casefold().endswith(".json"):
        report = decoded(data, _Report, name, _MEND)
        records = enumerate(report.ballots)
    else:
        report = _of_xml(data, name)
        records = enumerate(_converted(each, _Cvr, name) for each in elements(data, name, ["CVR"], _ROOT))
    parties = {each.id: each.short or each.name for each in report.parties}
    for election in report.elections:
        candidates = {each.id: each for each in election.candidates}
        for contest in election.contests:
            made = _contest(contest, candidates, parties)
            own = known.setdefault(contest.id, _Known(len(known), made, {}))
            if own.contest != made:
                problem = f"contest {contest.id!r} differs from that of another report"
                raise data_error(problem, where=name, expected="reports of one election", mend="read them one by one")
            own.options.update({each.id: k for k, each in enumerate(contest.selections, start=1)})
    units = {each.id: each.name or each.id for each in report.units}
    for number, record in records:
        where = f"{name}, CVR[{number}]"
        snapshot = next((each for each in record.snapshots if each.id == record.current), None)
        if snapshot is None:
            problem = f"no snapshot {record.current!r}"
            raise data_error(problem, where=where, expected="the snapshot of CurrentSnapshotId", mend="export it again")
        votes = []
        for voted in snapshot.contests:
            found = known.get(voted.contest)
            if found is None:
                raise _unknown(f"contest {voted.contest!r}", where)
            votes.append((found.place, _vote(voted, found, where)))
        said = [getattr(record, attribute) for attribute in _LEADING.values()]
        ballots.add(votes, [said[0] or str(len(ballots.sizes) + 1), *said[1:-1], units.get(said[-1], said[-1])])


def _vote(voted: _Voted, known: _Known, where: str) -> int:
    """The vote of a ballot in a contest."""
    ranked = known.contest.ranked
    marked: list[int] = []
    for selection in voted.selections:
        for each in selection.selection_position:
            if each.number_votes <= 0 or "no" in (each.has_indication, each.is_allocable):
                continue
            if ranked and (each.rank or selection.rank or 1) != 1:
                continue
            option = known.options.get(selection.contest_selection_id)
            if option is None:
                raise _unknown(f"selection {selection.contest_selection_id!r} of contest {voted.contest!r}", where)
            if option not in marked:
                marked.append(option)
    return vote_of(marked, over=not ranked and (voted.overvotes or 0) > 0)


def _contest(contest: _Contest, candidates: dict[str, _Named], parties: dict[str, str]) -> Contest:
    """A contest with the names and parties of its selections."""
    labels, sides = [], []
    for each in contest.selections:
        people = [candidates[key] for key in each.candidates if key in candidates]
        names = [person.name for person in people if person.name] or [parties.get(key, key) for key in each.parties]
        own = [parties.get(person.party, "") for person in people] or [parties.get(key, "") for key in each.parties]
        labels.append(" / ".join(names) or each.said or (WRITE_IN if each.written else each.id))
        sides.append(next(filter(None, own), ""))
    votes = contest.votes_allowed or contest.elected or 1
    return Contest(contest.name, 1 if contest.ranked else votes, contest.ranked, tuple(labels), tuple(sides))


def _of_xml(data: bytes, name: str) -> _Report:
    """A report in XML without its ballots."""
    found: dict[str, list[Any]] = {"Election": [], "Party": [], "GpUnit": []}
    for element in elements(data, name, list(found), _ROOT):
        found[element.tag].append(_plain(element, name))
    return _converted(found, _Report, name)


def _converted(found: Any, form: type[Any], name: str) -> Any:
    plain = _plain(found, name) if isinstance(found, Element) else found
    try:
        return msgspec.convert(plain, form, strict=False)
    except msgspec.ValidationError as error:
        raise misformed(error, name, "export it again") from None


def _plain(element: Element, name: str) -> Any:
    """An element as the JSON of this format has it."""
    if not len(element) and not element.attrib:
        return " ".join((element.text or "").split())
    found: dict[str, Any] = {"@id": element.get("ObjectId", "")}
    try:
        for each in element:
            key = each.tag
            if key in _LISTS:
                found.setdefault(key, []).append(_plain(each, name))
            else:
                value = _plain(each, name)
                found[key] = str(value).split() if key in ("CandidateIds", "PartyIds") else value
    except RecursionError:
        raise data_error("is nested too deeply", where=name, expected="XML of an export", mend="check it") from None
    return found


def _unknown(what: str, where: str) -> Exception:
    mend = "export the report with its Election"
    return data_error(f"a vote for {what}, which the report has not", where=where, expected="its Id", mend=mend)


READERS = [Reader(_NAME, 1, is_nist, read_nist, whole=WHOLE)]
