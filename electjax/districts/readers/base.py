"""What every reader shares: its contract, the options, and the sums over candidates and parties."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_warning
from electjax.data.labels import INDEPENDENT, NOTA, OTHERS
from electjax.data.returns_table import Row, Table, parse_table
from electjax.districts.builders import dataset
from electjax.districts.options import Policy, ReadOptions

BINARY = (b"\x89HDF\r\n\x1a\n", b"CDF")  # how netCDF files begin


class Header(NamedTuple):
    """What a reader is chosen by: the first bytes of the file and its column names in lower case."""

    magic: bytes
    columns: frozenset[str]


@dataclass(frozen=True)
class Source:
    """A file to read: its path, its bytes (unpacked) and the encoding of its text."""

    path: Path
    raw: bytes
    encoding: str = "utf-8-sig"

    @cached_property
    def table(self) -> Table:
        """The file as a table of text."""
        return parse_table(self.path.name, self.raw, self.encoding)

    @cached_property
    def header(self) -> Header:
        """What tells the format; a binary file has no columns."""
        magic = self.raw[:8]
        columns = () if magic.startswith(BINARY) else self.table.columns
        return Header(magic, frozenset(column.casefold() for column in columns))


class Reader(NamedTuple):
    """One file format: its name and layout for people, and the functions that recognise and read it.

    general: whether others are asked first, as the layout is nobody's in particular.
    """

    name: str
    layout: str
    matches: Callable[[Header], bool]
    read: Callable[[Source, ReadOptions], xr.Dataset]
    general: bool = False


class Line(NamedTuple):
    """Votes of one candidate (or party, or ballot line) in one district."""

    row: Row
    district: str
    party: str
    votes: int
    rank: int = 1  # place in the district as declared; settles a tie at the top
    candidate: str = ""  # lines of one district with the same name are one person's; blank: a line by itself


def policy_for(party: str, options: ReadOptions) -> Policy:
    """What happens to the votes of a party label: a party of its own, part of "others", or left out."""
    if party in (INDEPENDENT, NOTA):
        return options.independents if party == INDEPENDENT else options.nota
    return "others" if party == OTHERS else "party"


def distinct_names(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Label each (name, number) pair: the name alone where it is unique, else `name (number)`."""
    pairs = list(dict.fromkeys(keys))
    names = [name for name, _ in pairs]
    repeated = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    return {(name, number): f"{name} ({number})" if name in repeated else name for name, number in pairs}


def build_election(
    table: Table,
    lines: Sequence[Line],
    options: ReadOptions,
    *,
    votes_column: str,
    winners: Mapping[str, tuple[str, int | None]] | None = None,
    electors: Mapping[str, int] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Sum lines per district and party under the policies for independents and NOTA, and build the election.

    The seat goes to the candidate with most votes (a tie to the better declared rank, then to the line that
    comes first, with a warning), so independents never win as a pool. NOTA never wins: the law gives the seat
    to the candidate with most votes. Parties are ordered by votes, most first; districts as they appear. A
    district that lacks a party has 0 votes for it.

    winners: declared winner of every district and their own votes (None: unknown); by default from the lines.
    electors: registered electors of every district. table and votes_column are named in errors.

    Raises ElectionDataError for a district without votes.
    """
    by_district: dict[str, list[Line]] = {}
    for line in lines:
        by_district.setdefault(line.district, []).append(line)
    totals: dict[str, int] = {}
    cells: dict[tuple[str, str], int] = {}
    for line in lines:
        policy = policy_for(line.party, options)
        if policy != "drop":
            party = OTHERS if policy == "others" else line.party
            totals[party] = totals.get(party, 0) + line.votes
            key = (line.district, party)
            cells[key] = cells.get(key, 0) + line.votes
    parties = sorted(totals, key=lambda p: (p == OTHERS, -totals[p], p))
    if not set(parties) - {OTHERS}:
        raise table.fault(
            "every row is independent, NOTA or others",
            expected="at least one named party",
            mend="pass independents='party', or name the parties",
        )
    votes = np.array([[cells.get((d, p), 0) for p in parties] for d in by_district], dtype=np.int64)
    polled = dict(zip(by_district, votes.sum(axis=1).tolist(), strict=True))
    declared = []
    for district, members in by_district.items():
        if polled[district] == 0:
            raise table.fault(
                f"district {district!r} has no votes",
                members[0].row,
                votes_column,
                expected="at least one vote in every district",
                mend="remove districts without a poll (uncontested or postponed)",
            )
        if electors and polled[district] > electors[district]:
            data_warning(
                f"district {district!r} has {polled[district]} votes and {electors[district]} electors",
                where=table.file,
                row=members[0].row.line,
                column="electors",
            )
        declared.append(winners[district] if winners else _top_candidate(table, members, options))
    own = [
        cells[district, label] if (district, label) in cells and label != OTHERS else known
        for district, (label, known) in zip(by_district, declared, strict=True)
    ]
    return dataset(
        votes,
        districts=list(by_district),
        parties=parties,
        winner=[label for label, _ in declared],
        winner_votes=None if any(v is None for v in own) else np.array(own, dtype=np.int64),
        electors=[electors[d] for d in by_district] if electors else None,
        others_may_win=options.others_may_win,
        attrs={
            "name": Path(table.file).name.split(".")[0],
            "title": table.file,
            "source": table.file,
            "independents": options.independents,
            "nota": options.nota,
            **(attrs or {}),
        },
    )


def constant_per_district(
    table: Table, rows: Iterable[tuple[str, Row]], column: str, parse: Callable[[Row, str], Any]
) -> dict[str, Any]:
    """The value of a column that belongs to the district and is repeated on each of its rows."""
    found: dict[str, tuple[Any, Row]] = {}
    for district, row in rows:
        value = parse(row, column)
        first, at = found.setdefault(district, (value, row))
        if value != first:
            raise table.fault(
                f"district {district!r} has {value!r} here and {first!r} in row {at.line}",
                row,
                column,
                expected="one value per district",
                mend="correct one of the two rows",
            )
    return {district: value for district, (value, _) in found.items()}


def named_district(table: Table, row: Row) -> tuple[str, str]:
    """Name and number of a row's district; the number is optional and keeps districts of one name apart."""
    return table.name(row, "district"), table.name(row, "district_no") if "district_no" in table else ""


def warn_incomplete(table: Table, lines: Sequence[Line], column: str) -> None:
    """Warn where a district's votes differ from its total in `column`: rows may be missing."""
    summed: dict[str, int] = {}
    first: dict[str, Row] = {}
    for line in lines:
        summed[line.district] = summed.get(line.district, 0) + line.votes
        first.setdefault(line.district, line.row)
    rows = [(line.district, line.row) for line in lines if table.text(line.row, column)]
    totals = constant_per_district(table, rows, column, table.count)
    for district, total in totals.items():
        if summed[district] != total:
            data_warning(
                f"the votes of {district!r} sum to {summed[district]}, not {total}: are rows missing?",
                where=table.file,
                row=first[district].line,
                column=column,
            )


def one_election(table: Table, columns: Mapping[str, str]) -> None:
    """Every column that tells elections apart must have one value; `columns` says how to choose for each."""
    for column, how in columns.items():
        if column in table and len(found := table.values(column)) > 1:
            shown = ", ".join(found[:15]) + (", ..." if len(found) > 15 else "")
            raise table.fault(
                f"the file holds several elections: {shown}", None, column, expected="one", mend=f"choose with {how}"
            )


def _top_candidate(table: Table, lines: Sequence[Line], options: ReadOptions) -> tuple[str, int]:
    """Party and votes of the candidate with most votes, all lines of a candidate counted together."""
    people: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        if line.party != NOTA and policy_for(line.party, options) != "drop":
            people.setdefault((line.candidate, 0 if line.candidate else line.row.line), []).append(line)
    if not people:
        raise table.fault(
            f"district {lines[0].district!r} has no candidate",
            lines[0].row,
            expected="a candidate who can win the seat",
            mend="remove the district, or keep independents (independents='others')",
        )
    totals = [(sum(line.votes for line in own), own) for own in people.values()]
    ranked = sorted(totals, key=lambda person: (-person[0], person[1][0].rank))
    votes, best = ranked[0]
    if [(n, own[0].rank) for n, own in ranked[1:2]] == [(votes, best[0].rank)]:
        data_warning(
            f"{best[0].district!r} is tied: counted for {best[0].party!r}, who comes first in the file",
            where=table.file,
            row=best[0].row.line,
        )
    return main_line(best).party, votes


def main_line(lines: Sequence[Line]) -> Line:
    """The line a candidate is known by: the largest one of a named party, else of others."""
    return max(lines, key=lambda line: (line.party != OTHERS, line.votes))
