"""Cast-vote records as Dominion systems export them to JSON.

JSON is CvrExport*.json beside its manifests, in a folder or zip. A session is one scanned ballot (or card); of its
records the one flagged IsCurrent counts, the adjudicated one if there is one. A contest that is listed without marks
got no vote. A mark counts where IsVote is true and, in ranked contests, where Rank is 1. Parties are those of
PartyManifest, by the candidate's or the mark's PartyId. A file is in memory at a time.
"""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

import xarray as xr
from msgspec import Struct

from electjax.data.archive import Files, decoded, first_name, open_files
from electjax.data.errors import data_error
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import Contest, Reader, Source
from electjax.voter_types.readers.marks import TABLES_ONLY, WHOLE, Ballots, refuse_unused, vote_of
from electjax.voter_types.readers.words import WRITE_IN

_NAME = "Dominion JSON"
_EXPORT = "cvrexport"
_MEND = "unpack the export again"
_LEADING = {
    "TabulatorNum": ("tabulator_id", "TabulatorManifest"),
    "BatchId": ("batch_id", None),
    "CountingGroup": ("counting_group_id", "CountingGroupManifest"),
    "PrecinctPortion": ("precinct_portion_id", "PrecinctPortionManifest"),
    "BallotType": ("ballot_type_id", "BallotTypeManifest"),
}


class _Mark(Struct, rename="pascal", gc=False):
    candidate_id: int
    party_id: int | None = None
    is_vote: bool = True
    rank: int | None = 1


class _Marked(Struct, rename="pascal", gc=False):
    id: int
    marks: list[_Mark] = []
    overvotes: int | None = 0


class _Card(Struct, rename="pascal", gc=False):
    contests: list[_Marked] = []


class _Said(Struct, rename="pascal", gc=False):
    """What a session or a record says of the ballot."""

    tabulator_id: int | str | None = None
    batch_id: int | str | None = None
    counting_group_id: int | str | None = None
    precinct_portion_id: int | str | None = None
    ballot_type_id: int | str | None = None


class _Record(_Said, rename="pascal", gc=False):
    is_current: bool = True
    cards: list[_Card] | None = None
    contests: list[_Marked] = []


class _Session(_Said, rename="pascal", gc=False):
    original: _Record | None = None
    modified: _Record | None = None


class _Export(Struct, rename="pascal", gc=False):
    sessions: list[_Session]


class _Entry(Struct, rename="pascal", gc=False):
    id: int
    description: str | None = None
    contest_id: int | None = None
    party_id: int | None = None
    type: str | None = None
    vote_for: int | None = None
    num_of_ranks: int | None = None

    @property
    def text(self) -> str:
        """What it is called."""
        return " ".join((str(self.id) if self.description is None else self.description).split())


class _Manifest(Struct, rename="pascal", gc=False):
    list: list[_Entry]


class _Export_(NamedTuple):
    """The files of an export by name, whatever folder they lie in."""

    files: Files
    paths: dict[str, str]

    def manifest(self, name: str) -> "dict[int, _Entry]":
        """The entries of a manifest by Id, none where the export has none."""
        path = self.paths.get(f"{name}.json".casefold())
        if path is None:
            return {}
        entries = decoded(self.files.read(path), _Manifest, path, _MEND).list
        found = {entry.id: entry for entry in entries}
        if len(found) < len(entries):
            again = next(entry.id for k, entry in enumerate(entries) if found[entry.id] is not entries[k])
            raise data_error(f"Id {again} occurs twice", where=path, expected="an Id for each entry", mend=_MEND)
        return found

    def names(self, name: str | None) -> dict[str, str]:
        """What the entries of a manifest are called."""
        return {str(number): entry.text for number, entry in self.manifest(name).items()} if name else {}

    def sessions(self) -> Iterator[tuple[str, _Session, _Record]]:
        """Every session with its place and the record of it that counts."""
        names = sorted((name for name in self.paths if name.startswith(_EXPORT)), key=lambda name: (len(name), name))
        for name in names:
            path = self.paths[name]
            for number, session in enumerate(decoded(self.files.read(path), _Export, path, _MEND).sessions):
                versions = [record for record in (session.modified, session.original) if record is not None]
                place = f"{path}, $.Sessions[{number}]"
                if not versions:
                    raise data_error("no record", where=place, expected="Original or Modified", mend=_MEND)
                yield place, session, next((record for record in versions if record.is_current), versions[0])


def is_cvr_json(source: Source) -> bool:
    """Whether this is a folder, a zip or a file of a JSON export."""
    path = source.path
    if path.is_file() and path.suffix.casefold() == ".json":
        return path.name.casefold().startswith(_EXPORT)
    if first_name(path, (".json",)) is None:
        return False
    with open_files(path, (".json",)) as files:
        return any(PurePath(name).name.casefold().startswith(_EXPORT) for name in files.names)


def read_cvr_json(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    path: Path = source.path
    refuse_unused(options, TABLES_ONLY, path.name, "Dominion's JSON")
    single = path.is_file() and path.suffix.casefold() == ".json"
    with open_files(path.parent if single else path, (".json",)) as files:
        return _read(_export(files, path if single else None), options, path.name)


def _export(files: Files, only: Path | None) -> _Export_:
    """The files of an export; of one file of records that is named only that one, with the manifests beside it."""
    paths: dict[str, str] = {}
    for path in files.names:
        name = PurePath(path).name.casefold()
        if only is not None and (path != PurePath(path).name or (name.startswith(_EXPORT) and path != only.name)):
            continue
        if name in paths:
            problem = f"two files are called {PurePath(path).name}: {paths[name]} and {path}"
            raise data_error(problem, where=files.where, expected="one export", mend="name the folder of one")
        paths[name] = path
    return _Export_(files, paths)


def _read(export: _Export_, options: TextOptions, file: str) -> xr.Dataset:
    contests, candidates = export.manifest("ContestManifest"), export.manifest("CandidateManifest")
    if not contests or not candidates:
        raise data_error(
            "no contests or no candidates",
            where=file,
            expected="ContestManifest.json and CandidateManifest.json beside CvrExport*.json",
            mend="unpack the whole export into one folder",
        )
    place = {number: k for k, number in enumerate(contests)}
    ranked = {number for number, entry in contests.items() if (entry.num_of_ranks or 0) > 0}
    options_of: dict[int, dict[int, int]] = {number: {} for number in contests}
    for number, entry in candidates.items():
        stands = options_of.get(-1 if entry.contest_id is None else entry.contest_id, {})
        stands[number] = len(stands) + 1
    parties, met = export.names("PartyManifest"), dict[int, int]()
    says = [(attribute, export.names(manifest)) for attribute, manifest in _LEADING.values()]
    ballots = Ballots(list(_LEADING))
    for where, session, record in export.sessions():
        votes = []
        cards = [record] if record.cards is None else record.cards
        for contest in (contest for card in cards for contest in card.contests):
            known = options_of.get(contest.id)
            if known is None:
                raise _unknown(f"contest {contest.id}", where, "ContestManifest.json")
            first_only = contest.id in ranked
            marked: list[int] = []
            for mark in contest.marks:
                if mark.is_vote and not (first_only and (mark.rank or 1) != 1):
                    option = known.get(mark.candidate_id)
                    if option is None:
                        raise _unknown(f"candidate {mark.candidate_id} of contest {contest.id}", where)
                    if option not in marked:
                        marked.append(option)
                    if mark.party_id is not None and mark.candidate_id not in met:
                        met[mark.candidate_id] = mark.party_id
            over = not first_only and (contest.overvotes or 0) > 0
            votes.append((place[contest.id], vote_of(marked, over=over)))
        said = []
        for attribute, names in says:
            number = getattr(record, attribute)
            text = str(number if number is not None else getattr(session, attribute) or "")
            said.append(names.get(text, text))
        ballots.add(votes, said)
    found = []
    for number, entry in contests.items():
        own = [candidates[candidate] for candidate in options_of[number]]
        labels = [WRITE_IN if each.type == "WriteIn" else each.text for each in own]
        sides = [parties.get(str(met.get(each.id) if each.party_id is None else each.party_id), "") for each in own]
        votes_for = 1 if entry.vote_for is None else entry.vote_for
        found.append(Contest(entry.text, votes_for, number in ranked, tuple(labels), tuple(sides)))
    ds = ballots.dataset(found, options, file, _NAME)
    ds["row"].attrs["long_name"] = "number of the session in the export"
    return ds


def _unknown(what: str, where: str, manifest: str = "CandidateManifest.json") -> Exception:
    expected, mend = f"an Id of {manifest}", f"add {manifest} of this election"
    return data_error(f"a mark for {what}, which is in no manifest", where=where, expected=expected, mend=mend)


READERS = [Reader(_NAME, 0, is_cvr_json, read_cvr_json, whole=WHOLE)]
