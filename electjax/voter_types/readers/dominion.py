"""Cast-vote records as Dominion systems export them, to CSV or to JSON.

CSV has one row per card and one column per contest and candidate. Line 1 holds the election and the version, then come
contests, candidates, and the names of the leading columns (CvrNumber, TabulatorNum, ...) with the candidates' parties.
Marks are 0 and 1, blank where the contest is not on the ballot. A ranked contest has a column per candidate and rank;
the first rank is the vote. Where a ballot has several cards each is a row.

JSON is CvrExport*.json beside its manifests, in a folder or zip. A session is one scanned ballot (or card); of its
records the one flagged IsCurrent counts, the adjudicated one if there is one. A contest that is listed without marks
got no vote. A mark counts where IsVote is true and, in ranked contests, where Rank is 1. Parties are those of
PartyManifest, by the candidate's or the mark's PartyId.
"""

import json
import zipfile
from array import array
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning
from electjax.data.records import Labels, Records, clean, make_batch, number_cells
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import (
    HEADER_ROWS,
    WRITE_IN,
    Cast,
    Contest,
    Reader,
    Source,
    ballot_attrs,
    cast_ballots,
    chosen_contests,
    contest_name,
    finish_ballots,
)

_IDENTITY = ["cvrnumber", "tabulatornum"]
_NOT_A_MARK = -2


class _Marks(dict[str, int]):
    """Mark by cell: -1 not on the ballot, 0, 1, and -2 for anything else."""

    def __missing__(self, cell: str) -> int:
        text = clean(cell)
        self[cell] = mark = {"": -1, "0": 0, "1": 1}.get(text, _NOT_A_MARK)
        return mark


class _Layout(NamedTuple):
    """The header: names of the leading columns, the contests, and the columns of each contest's votes."""

    title: str
    leading: tuple[str, ...]
    names: tuple[str, ...]
    contests: tuple[Contest, ...]
    spans: tuple[tuple[int, int], ...]
    firsts: tuple[int, ...]  # how many columns of the span are votes (all, but the first rank only where ranked)


class _Part(NamedTuple):
    """Some ballots: their lines, numbers of the texts in their leading columns, and votes; and rows that are none."""

    lines: np.ndarray
    codes: list[np.ndarray]
    cast: Cast
    redacted: int


def is_cvr_csv(source: Source) -> bool:
    """Whether the first four records are those of a cast-vote-record export."""
    return len(source.head) == HEADER_ROWS and source.head[3][:2] == _IDENTITY


def read_cvr_csv(source: Source, options: TextOptions) -> xr.Dataset:
    """All ballots of the export."""
    records = source.records
    layout = _layout(records)
    chosen = chosen_contests(layout.contests, options, records.file)
    texts = [Labels() for _ in layout.leading]
    marks = _Marks()
    parts = [
        _part(records.file, layout, chosen, lines, rows, texts, marks, options)
        for lines, rows in records.chunks(skip=HEADER_ROWS)
    ]
    return _dataset(records.file, layout, chosen, _joined(parts, records.file), texts, options)


def stream_cvr_csv(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The ballots of the export in chunks of `size` rows."""
    records = source.records
    layout = _layout(records)
    chosen = chosen_contests(layout.contests, options, records.file)
    every = [Labels() for _ in layout.leading]
    if options.covariates:  # levels are those of the whole file
        for _, rows in records.chunks(skip=HEADER_ROWS):
            number_cells(rows, every)
    marks = _Marks()
    for lines, rows in records.chunks(skip=HEADER_ROWS, size=size):
        texts = every if options.covariates else [Labels() for _ in every]
        part = _part(records.file, layout, chosen, lines, rows, texts, marks, options)
        if len(part.lines):
            yield _dataset(records.file, layout, chosen, part, texts, options)


def _layout(records: Records) -> _Layout:
    head = records.head(HEADER_ROWS)
    title, contests, candidates, names = head
    width = len(names)
    leading = next((p for p, text in enumerate(contests) if text), width)
    if leading == width or len(contests) != width or len(candidates) != width:
        raise data_error(
            f"rows of {len(contests)}, {len(candidates)} and {width} cells",
            where=records.file,
            row=2,
            expected="contests, candidates, and column names with parties, in rows of one length",
            mend="export the cast-vote records again",
        )
    groups = [(text, [p for p, _ in run]) for text, run in groupby(enumerate(contests[leading:]), lambda pair: pair[1])]
    made, spans, firsts = [], [], []
    for text, columns in groups:
        name, vote_for, ranked = contest_name(text)
        labels = [candidates[leading + p] for p in columns]
        count = sum(label.endswith("(1)") for label in labels) if ranked else len(labels)
        options = tuple(label.removesuffix("(1)") if ranked else label for label in labels[:count])
        parties = tuple(names[leading + p] for p in columns[:count])
        made.append(Contest(name, vote_for, ranked, options, parties))
        spans.append((columns[0], columns[-1] + 1))
        firsts.append(count)
    return _Layout(
        title[0], tuple(names[:leading]), tuple(candidates[leading:]), tuple(made), tuple(spans), tuple(firsts)
    )


def _part(
    file: str,
    layout: _Layout,
    chosen: list[int],
    lines: list[int],
    rows: list[list[str]],
    texts: list[Labels],
    marks: _Marks,
    options: TextOptions,
) -> _Part:
    """Marks of some rows as votes; a row without a number is a sum over redacted ballots, not a ballot."""
    kept = [k for k, row in enumerate(rows) if clean(row[0]).isdigit()]
    ballots = rows if len(kept) == len(rows) else [rows[k] for k in kept]
    at = np.array(lines, dtype=np.int64)[kept]
    leading = len(layout.leading)
    flat = np.fromiter(
        map(marks.__getitem__, chain.from_iterable(row[leading:] for row in ballots)),
        np.int8,
        len(ballots) * len(layout.names),
    )
    table = flat.reshape(len(ballots), len(layout.names))
    choice = np.empty((len(ballots), len(chosen)), dtype=np.int16)
    overvoted, spoilt = np.zeros((2, *choice.shape), dtype=bool)
    for k, j in enumerate(chosen):
        start, stop = layout.spans[j]
        block = table[:, start:stop]
        on_ballot = (block != -1).any(axis=1)
        marked = block[:, : layout.firsts[j]] == 1
        votes = marked.sum(axis=1)
        choice[:, k] = np.where(on_ballot, np.where(votes == 1, marked.argmax(axis=1) + 1, 0), -1)
        overvoted[:, k] = votes > 1
        spoilt[:, k] = (block == _NOT_A_MARK).any(axis=1)
        if spoilt[:, k].any() and options.invalid == "error":
            voter = int(spoilt[:, k].argmax())
            column = start + int((block[voter] == _NOT_A_MARK).argmax())
            raise data_error(
                f"{ballots[voter][leading + column]!r} is not a mark",
                where=file,
                row=int(at[voter]),
                column=f"{layout.contests[j].name}: {layout.names[column]}",
                expected="0, 1, or a blank where the contest is not on the ballot",
                mend="correct the cell, or pass invalid='missing'",
            )
    return _Part(at, number_cells(ballots, texts), Cast(choice, overvoted, spoilt), len(rows) - len(ballots))


def _joined(parts: list[_Part], file: str) -> _Part:
    if not sum(len(part.lines) for part in parts):
        raise data_error("no ballots after the header", where=file, expected="ballots", mend="check the file")
    lines, codes, cast, redacted = zip(*parts, strict=True)
    return _Part(
        np.concatenate(lines),
        [np.concatenate(column) for column in zip(*codes, strict=True)],
        Cast(*(np.concatenate(votes) for votes in zip(*cast, strict=True))),
        sum(redacted),
    )


def _dataset(
    file: str, layout: _Layout, chosen: list[int], part: _Part, texts: list[Labels], options: TextOptions
) -> xr.Dataset:
    attrs = ballot_attrs(options, file, "options", "Dominion CSV") | {"title": layout.title}
    if part.redacted:
        data_warning(f"{part.redacted} row(s) without a CvrNumber are not ballots and left out", where=file)
        attrs["redacted_rows"] = part.redacted
    batch = make_batch(file, layout.leading, part.lines, part.codes, texts)
    return finish_ballots(cast_ballots(layout.contests, chosen, part.cast, options, attrs), batch, options)


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


READERS = [
    Reader("Dominion JSON", 1, is_cvr_json, read_cvr_json),
    Reader("Dominion CSV", 2, is_cvr_csv, read_cvr_csv, stream_cvr_csv),
]
