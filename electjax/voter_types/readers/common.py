"""What the readers of ballots share: how a format is recognised, contests, and what a file says of voters.

A reader is a file of this folder that declares READERS; `voter_types.read` finds it there.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.labels import strings, unique_names
from electjax.data.notes import with_notes
from electjax.data.parts import stream_tables, table_parts
from electjax.data.sources import is_parquet, is_workbook, names_of, read_table
from electjax.data.table import Table, fold
from electjax.data.text import SAMPLE, Layout, head_of, layout_of
from electjax.data.vocabulary import ignored
from electjax.numerics.registry import modules_in
from electjax.voter_types.ballots import MISSING, SPLIT, TICKET, menu_kinds
from electjax.voter_types.options import ReadOptions, TextOptions
from electjax.voter_types.readers.voters import Seen, add_voters, complete, kept_columns, said_of_voters, voter_columns
from electjax.voter_types.readers.words import NO_VOTE, SAID, WRITE_IN, Kind, kinds_of
from electjax.voter_types.schema import checked

HEADER_ROWS = 4  # records from which a format is told


class Source:
    """What is read, and how it begins; nothing of it is read before it is asked for.

    Attributes:
        given: a path or a frame. options: how it is read.
        path: of the file or folder; of a frame one where nothing is.
    """

    def __init__(self, given: Any, options: TextOptions) -> None:
        self.given, self.options = given, options
        self.is_frame = not isinstance(given, str | os.PathLike)
        self.path = Path(os.devnull, "frame") if self.is_frame else Path(given)
        self._said: set[tuple[str, str | None]] = set()
        self.seen = Seen(self._row_of)

    @cached_property
    def is_table(self) -> bool:
        """Whether this is a frame, a workbook or Parquet, not text."""
        return self.is_frame or is_workbook(self.path) or is_parquet(self.path)

    @cached_property
    def head(self) -> list[list[str]]:
        """The first records of a text file in lower case, without blank ones; none of anything else."""
        if self.is_table or self.path.is_dir():
            return []
        rows = [
            [cell.casefold() for cell in row] for _, row in head_of(self.path, self.options.encoding).rows if any(row)
        ]
        return rows[:HEADER_ROWS]

    @cached_property
    def header(self) -> list[str]:
        """The names of a table's columns; none of what is no table."""
        return list(self.table.names if is_workbook(self.path) else names_of(self.given, self.options))

    @cached_property
    def names(self) -> list[str]:
        """The same, folded as `data.table.fold` does."""
        return [fold(name) for name in self.header]

    @cached_property
    def sample(self) -> list[list[str]]:
        """The first rows of a table, by position of their columns."""
        if self.is_table:
            few = self.table.take(np.arange(min(len(self.table), SAMPLE)))
            return [list(cells) for cells in zip(*(column.cells().tolist() for column in few.columns), strict=True)]
        layout = layout_of(self.path, self.options.encoding, self.options.header)
        rows = head_of(self.path, self.options.encoding).rows
        return [row for line, row in rows if line > layout.header]

    @cached_property
    def table(self) -> Table:
        """All rows of a table; a ballot without any mark stays a ballot."""
        return read_table(self.given, self.options, rows="ballots", blank_rows=True, said=SAID).compact()

    def parts(self, layout: Layout | None = None) -> Iterator[Table]:
        """The rows in tables as they are met, each with texts of its own, so that not all cells are held at once."""
        if self.is_table:
            yield self.table
        else:
            yield from table_parts(self.path, self.options, blank_rows=True, said=SAID, layout=layout)

    def tables(self, size: int) -> Iterator[Table]:
        """The rows in tables of `size`, each of which knows every text of them all; of text never all at once."""
        if not self.is_table:
            yield from stream_tables(self.path, size, self.options, blank_rows=True, said=SAID)
            return
        table = self.table
        for start in range(0, len(table), size):
            part = table.take(np.arange(start, min(start + size, len(table))))
            yield replace(part, of=len(table))

    def _row_of(self, name: str, text: str) -> int:
        """The first row with a text in a column, by another pass."""
        for part in self.parts():
            column = part.columns[part.asked(name, "columns")]
            if text in column.texts and (rows := np.flatnonzero(column.codes == column.texts.index(text))).size:
                return int(part.lines[rows[0]])
        return -1

    def warn_once(self, problem: str, column: str | None = None) -> None:
        """Warn of what holds for the whole source, though it is read in parts."""
        if (problem, column) not in self._said:
            self._said.add((problem, column))
            data_warning(problem, where=self.table_name, column=column)

    @property
    def table_name(self) -> str:
        """The name of the file, for messages."""
        return "DataFrame" if self.is_frame else self.path.name


class Reader(NamedTuple):
    """A format of ballots.

    Attributes:
        name: what the attribute `reader` of its ballots says.
        order: readers are asked in this order, so that one that takes any table comes last.
        recognises: whether it reads this source.
        read: all ballots.
        stream: ballots in chunks of so many voters; None where only `read` can.
        whole: why only that can.
    """

    name: str
    order: int
    recognises: Callable[[Source], bool]
    read: Callable[[Source, ReadOptions], xr.Dataset]
    stream: Callable[[Source, TextOptions, int], Iterator[xr.Dataset]] | None = None
    whole: str = "one voter's votes may lie far apart in this format"


def known_readers() -> list[Reader]:
    """The readers of this folder, in the order in which they are asked."""
    modules = modules_in(__name__.rpartition(".")[0]).values()
    readers = [reader for module in modules for reader in getattr(module, "READERS", ())]
    return sorted(readers, key=lambda reader: reader.order)


def ballot_attrs(options: TextOptions, file: str, scheme: str, reader: str) -> dict[str, Any]:
    """Attributes of ballots read from `file`."""
    known = {"name": Path(file).name.split(".")[0], "source": file, "scheme": scheme, "reader": reader}
    return known | ({"top": options.top} if options.top else {})


def already_coded(labels: Sequence[Sequence[str]], scheme: Any) -> Any:
    """The asked scheme where the labels of all offices are its codes already, else None: they are options."""
    codes = {"ticket": {"0", "1", "2"}, "split": {"0", "1"}}.get(scheme or "", set())
    return scheme if codes and all(set(known) <= codes for known in labels) else None


def scheme_labels(scheme: str) -> tuple[str, ...]:
    """What the codes of a scheme mean."""
    return TICKET if scheme == "ticket" else SPLIT


def option_labels(labels: Sequence[Sequence[str]], scheme: str | None, wide: int) -> tuple[Any, np.ndarray]:
    """The coordinate of labels: those of the scheme, or each office's own, filled up to `wide`."""
    if scheme is not None:
        return "option", strings(scheme_labels(scheme))
    return ("office", "option"), np.array([[*own, *[""] * (wide - len(own))] for own in labels], dtype=np.str_)


# -------------------------------------------------------------------------------- contests

KEPT = frozenset(
    (
        *("TabulatorNum", "BatchId", "CountingGroup", "PrecinctPortion", "BallotType"),
        *("BoxID", "PrecinctID", "BallotStyleID", "PrecinctStyleName", "Status", "Remade"),
    )
)
_VOTE_FOR = re.compile(r"\s*\(\s*Vote\s*For\s*=?\s*(\d+)\s*\)\s*$", re.IGNORECASE)
_RANKED = re.compile(r"\s*\(\s*Number of positions\s*=\s*(\d+).*$", re.IGNORECASE)


class Contest(NamedTuple):
    """One contest: how many options a voter may choose, and the options with their parties."""

    name: str
    vote_for: int
    ranked: bool
    options: tuple[str, ...]
    parties: tuple[str, ...]


class Cast(NamedTuple):
    """Votes of some ballots in some contests.

    choice: shape (voters, contests); -1 not on the ballot, 0 no valid vote, 1.. the option.
    overvotes: how many are 0 because too many options were marked. spoilt: those whose marks cannot be read.
    """

    choice: np.ndarray
    overvoted: np.ndarray
    spoilt: np.ndarray


def contest_name(text: str) -> tuple[str, int, bool]:
    """Name, number of votes and whether it is ranked, from a header such as "Governor (Vote For=1)"."""
    if found := _RANKED.search(text):
        return text[: found.start()], int(found[1]), True
    if found := _VOTE_FOR.search(text):
        return text[: found.start()], int(found[1]), False
    return text, 1, False


def chosen_contests(contests: Sequence[Contest], options: TextOptions, file: str) -> list[int]:
    """Which contests are read: those asked for, else all in which a voter has one vote.

    A contest in which a voter may choose several options has no single choice. It is left out, or an error where it
    is asked for.
    """
    names = [contest.name for contest in contests]
    single = [j for j, contest in enumerate(contests) if contest.vote_for == 1]
    if options.offices is None:
        if not single:
            raise data_error(
                "no contest with one vote per voter", where=file, expected="at least one", mend="use another file"
            )
        return single
    for name in options.offices:
        if name not in names:
            raise data_error(
                f"no contest {name!r}", where=file, expected="contests of the file", mend=suggest(name, names)
            )
        if contests[names.index(name)].vote_for != 1:
            raise data_error(
                f"a voter has {contests[names.index(name)].vote_for} votes",
                where=file,
                column=name,
                expected="contests in which a voter chooses one option",
                mend="leave the contest out of offices",
            )
    return [j for j in single if names[j] in options.offices]


def cast_ballots(
    contests: Sequence[Contest], chosen: Sequence[int], cast: Cast, options: TextOptions, attrs: dict[str, Any]
) -> xr.Dataset:
    """Ballots of the chosen contests: option 0 is no valid vote, the others are the candidates in order.

    Menu 0 is a contest that is not on the ballot. Too many marks are no valid vote, so they count as abstention, or
    as missing with `overvote="missing"`; the attribute `overvotes` counts them. Options that say undervote or overvote
    are what they say, and several write-ins are one option.
    """
    many = [f"{c.name} (vote for {c.vote_for})" for j, c in enumerate(contests) if c.vote_for != 1]
    kept, cast = _understood([contests[j] for j in chosen], cast)
    counts = [len(contest.options) + 1 for contest in kept]
    wide = max(counts)
    kinds, masks = menu_kinds(counts, wide)
    kinds = kinds.astype(np.int16)
    choice = np.where(cast.spoilt, MISSING, cast.choice) if cast.spoilt.any() else cast.choice
    if options.overvote == "missing":
        choice = np.where(cast.overvoted, MISSING, choice)
    return xr.Dataset(
        {
            "choice": (("voter", "office"), choice),
            "menu": (("voter", "office"), np.where(cast.choice >= 0, kinds, 0)),
            "available": (("menu_kind", "option"), masks),
        },
        coords={
            "office": strings(unique_names([contest.name for contest in kept])),
            "option": np.arange(wide),
            "option_label": option_labels([(NO_VOTE, *contest.options) for contest in kept], None, wide),
            "option_party": option_labels([("", *contest.parties) for contest in kept], None, wide),
        },
        attrs=attrs
        | {"overvotes": int(cast.overvoted.sum()), "left_out": "; ".join(many)}
        | ({"spoilt": int(cast.spoilt.sum())} if cast.spoilt.any() else {}),
    )


def _understood(contests: Sequence[Contest], cast: Cast) -> tuple[list[Contest], Cast]:
    """Contests without options that are no candidates, and with one for all write-ins."""
    kept = []
    choice, overvoted = cast.choice.copy(), cast.overvoted.copy()
    for j, contest in enumerate(contests):
        kinds = kinds_of(contest.options)
        written = [k for k, kind in enumerate(kinds) if kind is Kind.WRITTEN]
        if len(written) < 2 and all(kind in (Kind.OPTION, Kind.WRITTEN) for kind in kinds):
            kept.append(contest)
            continue
        own = sorted({k for k, kind in enumerate(kinds) if kind is Kind.OPTION} | set(written[:1]))
        code = np.zeros(len(kinds) + 2, dtype=choice.dtype)  # of no vote, of each option, and at the end of -1
        code[-1] = MISSING
        for new, k in enumerate(own, start=1):
            code[[m + 1 for m in written] if k in written else k + 1] = new
        over = np.array([False, *(kind is Kind.OVERVOTE for kind in kinds), False])
        overvoted[:, j] |= over[choice[:, j]]
        choice[:, j] = code[choice[:, j]]
        labels = [WRITE_IN if k in written and len(written) > 1 else contest.options[k] for k in own]
        kept.append(contest._replace(options=tuple(labels), parties=tuple(contest.parties[k] for k in own)))
    return kept, cast._replace(choice=choice, overvoted=overvoted)


def finish_ballots(
    ds: xr.Dataset,
    table: Table,
    options: TextOptions,
    *,
    first: np.ndarray | slice = slice(None),
    kept: Sequence[int] | None = None,
) -> xr.Dataset:
    """Add what the source says of voters beside their votes: coordinates, what the options name, and notes.

    Args:
        ds: the votes.
        table: columns of voters, a row each; or a row a vote.
        options: how it is read.
        first: each voter's row in the table.
        kept: columns that stay with the voters; None: those that systems of voting call as in `KEPT`.
    """
    voters = voter_columns(table, options)
    ds = add_voters(ds, table, voters, first)
    stay = [p for p, name in enumerate(table.names) if name in KEPT] if kept is None else kept
    stay = [p for p in stay if p not in voters.taken()]
    ds = kept_columns(ds, table, stay, first)
    unused = ignored(table, {*stay, *voters.taken()}) if kept is None else ()
    ds = with_notes(ds, [*table.notes, *said_of_voters(table, voters, stay), *unused])
    ds = complete(ds, table, voters, options.incomplete)
    return ds if table.of and not ds.sizes["voter"] else checked(ds, invalid=options.invalid)


def with_voters(parts: Iterable[xr.Dataset]) -> Iterator[xr.Dataset]:
    """The parts of a stream of which some voters are left."""
    return (part for part in parts if part.sizes["voter"])
