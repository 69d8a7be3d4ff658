"""Cast-vote records as Dominion systems export them to JSON.

JSON is CvrExport*.json beside its manifests, in a folder or zip. A session is one scanned ballot (or card); of its
records the one flagged IsCurrent counts, the adjudicated one if there is one. A contest that is listed without marks
got no vote. A mark counts where IsVote is true and, in ranked contests, where Rank is 1. Parties are those of
PartyManifest, by the candidate's or the mark's PartyId.
"""

import json
import zipfile
from array import array
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.records import Labels, make_batch
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import (
    WRITE_IN,
    Cast,
    Contest,
    Reader,
    Source,
    ballot_attrs,
    cast_ballots,
    chosen_contests,
    finish_ballots,
)

_EXPORT = "cvrexport"
_LEADING = {
    "TabulatorNum": ("TabulatorId", "TabulatorManifest"),
    "BatchId": ("BatchId", None),
    "CountingGroup": ("CountingGroupId", "CountingGroupManifest"),
    "PrecinctPortion": ("PrecinctPortionId", "PrecinctPortionManifest"),
    "BallotType": ("BallotTypeId", "BallotTypeManifest"),
}


class _Files(NamedTuple):
    """The files of an export by name, whatever folder of the zip they lie in, and how to open one."""

    where: str
    names: dict[str, str]
    read: Callable[[str], bytes]

    def load(self, name: str) -> Any:
        """The JSON of a file; None where there is no such file."""
        if name.casefold() not in self.names:
            return None
        try:
            return json.loads(self.read(self.names[name.casefold()]))
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise data_error(
                f"{name} cannot be read ({error})", where=self.where, expected="JSON", mend="unpack the export again"
            ) from None

    def manifest(self, name: str) -> list[dict[str, Any]]:
        """The entries of a manifest, [] where the export has none."""
        found = self.load(f"{name}.json")
        return list(found.get("List", [])) if isinstance(found, dict) else []

    def exports(self) -> list[str]:
        """The files of records, in the order of their numbers."""
        names = [name for name in self.names if name.startswith(_EXPORT) and name.endswith(".json")]
        return sorted(names, key=lambda name: (len(name), name))


def is_cvr_json(source: Source) -> bool:
    """Whether this is a folder, a zip or a file of a JSON export."""
    path = source.path
    if path.is_dir():
        return any(found.name.casefold().startswith(_EXPORT) for found in path.glob("*.json"))
    if path.suffix.casefold() == ".json":
        return path.name.casefold().startswith(_EXPORT)
    return zipfile.is_zipfile(path) and bool(_files(path).exports())


def read_cvr_json(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    files = _files(source.path)
    numbers, contests, candidates = _contests(files)
    chosen = chosen_contests(contests, options, files.where)
    place = {numbers[j]: k for k, j in enumerate(chosen)}
    ranked = {numbers[j] for j in chosen if contests[j].ranked}
    parties = {entry["Id"]: _text(entry) for entry in files.manifest("PartyManifest")}
    seen: dict[int, str] = {}
    choice, overvoted, sessions = array("h"), array("b"), array("q")
    labels = [Labels() for _ in _LEADING]
    codes = [array("i") for _ in _LEADING]
    for number, (session, record) in enumerate(_sessions(files), start=1):
        votes, over = [-1] * len(chosen), [0] * len(chosen)
        for contest in chain.from_iterable(card.get("Contests", []) for card in record.get("Cards", [record])):
            k = place.get(contest["Id"])
            if k is None:
                continue
            first_only = contest["Id"] in ranked
            cast = {
                mark["CandidateId"]: mark.get("PartyId")
                for mark in contest.get("Marks", ())
                if mark.get("IsVote", True) and (not first_only or mark.get("Rank", 1) == 1)
            }
            for candidate, party in cast.items():
                if candidate not in candidates:
                    raise data_error(
                        f"a mark for candidate {candidate}, who is in no manifest",
                        where=f"{files.where}, session {number}",
                        expected="the Id of a candidate",
                        mend="add CandidateManifest.json of this election",
                    )
                if party in parties:
                    seen.setdefault(candidate, parties[party])
            over[k] = len(cast) > 1 or (not first_only and contest.get("Overvotes", 0) > 0)
            votes[k] = candidates[next(iter(cast))] if len(cast) == 1 and not over[k] else 0
        if max(votes) >= 0:  # a card may have none of the contests that are read
            choice.extend(votes)
            overvoted.extend(over)
            sessions.append(number)
            for known, column, (key, _) in zip(labels, codes, _LEADING.values(), strict=True):
                column.append(known[str(record.get(key, session.get(key, "")))])
    if not sessions:
        raise data_error("no ballots", where=files.where, expected="sessions with contests", mend="check the export")
    shape = (len(sessions), len(chosen))
    cast_votes = Cast(
        np.frombuffer(choice, np.int16).reshape(shape),
        np.frombuffer(overvoted, np.int8).reshape(shape).astype(bool),
        np.zeros(shape, dtype=bool),
    )
    contests = _with_parties(files, numbers, contests, candidates, seen)
    texts = [_spoken(files, manifest, known) for known, (_, manifest) in zip(labels, _LEADING.values(), strict=True)]
    columns = [np.frombuffer(column, np.int32) for column in codes]
    batch = make_batch(files.where, list(_LEADING), np.frombuffer(sessions, np.int64), columns, texts)
    attrs = ballot_attrs(options, files.where, "options", "Dominion JSON")
    ds = finish_ballots(cast_ballots(contests, chosen, cast_votes, options, attrs), batch, options)
    ds["row"].attrs["long_name"] = "number of the session in the export"
    return ds


def _files(path: Path) -> _Files:
    if path.is_dir() or path.suffix.casefold() == ".json":
        folder = path if path.is_dir() else path.parent
        found = {file.name.casefold(): file.name for file in folder.glob("*.json")}
        if path != folder:  # one file of records was named: read that one only
            found = {key: name for key, name in found.items() if not key.startswith(_EXPORT) or name == path.name}
        return _Files(path.name, found, lambda name: (folder / name).read_bytes())
    with zipfile.ZipFile(path) as archive:
        members = {Path(name).name.casefold(): name for name in archive.namelist()}

    def read(name: str) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)

    return _Files(path.name, members, read)


def _contests(files: _Files) -> tuple[list[int], list[Contest], dict[int, int]]:
    """Contest numbers, contests without parties, and each candidate's option code."""
    entries = files.manifest("ContestManifest")
    if not entries or not files.manifest("CandidateManifest"):
        raise data_error(
            "no contests or no candidates",
            where=files.where,
            expected="ContestManifest.json and CandidateManifest.json beside CvrExport*.json",
            mend="unpack the whole export into one folder",
        )
    options: dict[int, list[str]] = {entry["Id"]: [] for entry in entries}
    candidates: dict[int, int] = {}
    for entry in files.manifest("CandidateManifest"):
        if entry["ContestId"] in options:
            label = WRITE_IN if entry.get("Type") == "WriteIn" else _text(entry)
            options[entry["ContestId"]].append(label)
            candidates[entry["Id"]] = len(options[entry["ContestId"]])
    contests = [
        Contest(
            _text(entry),
            int(entry.get("VoteFor", 1)),
            int(entry.get("NumOfRanks", 0)) > 0,
            tuple(options[entry["Id"]]),
            ("",) * len(options[entry["Id"]]),
        )
        for entry in entries
    ]
    return [entry["Id"] for entry in entries], contests, candidates


def _with_parties(
    files: _Files, numbers: list[int], contests: list[Contest], codes: dict[int, int], seen: dict[int, str]
) -> list[Contest]:
    """Contests with the parties of their candidates, from the manifest or from the marks."""
    names = {entry["Id"]: _text(entry) for entry in files.manifest("PartyManifest")}
    known = {number: [""] * len(contest.options) for number, contest in zip(numbers, contests, strict=True)}
    for entry in files.manifest("CandidateManifest"):
        party = names.get(entry.get("PartyId", -1), seen.get(entry["Id"], ""))
        if entry["ContestId"] in known:
            known[entry["ContestId"]][codes[entry["Id"]] - 1] = party
    return [contest._replace(parties=tuple(known[number])) for number, contest in zip(numbers, contests, strict=True)]


def _sessions(files: _Files) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every session and the record of it that counts."""
    for name in files.exports():
        for session in (files.load(name) or {}).get("Sessions", []):
            versions = [session[key] for key in ("Modified", "Original") if session.get(key)]
            current = [record for record in versions if record.get("IsCurrent", True)] or versions
            yield from ((session, record) for record in current[:1])


def _spoken(files: _Files, manifest: str | None, numbers: Labels) -> list[str]:
    """The descriptions of some numbers, in the order in which they were met."""
    names = {str(entry["Id"]): _text(entry) for entry in files.manifest(manifest)} if manifest else {}
    return [names.get(number, number) for number in numbers]


def _text(entry: dict[str, Any]) -> str:
    return " ".join(str(entry.get("Description", entry.get("Id", ""))).split())


READERS = [Reader("Dominion JSON", 1, is_cvr_json, read_cvr_json)]
