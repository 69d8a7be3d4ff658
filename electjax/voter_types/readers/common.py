"""What the readers of ballots share: how a format is recognised, contests, and what a file says of voters.

A reader is a file of this folder that declares READERS; `voter_types.read` finds it there.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings, unique_names
from electjax.data.records import Batch, Records, number
from electjax.data.sources import is_parquet, is_workbook, names_of, read_table
from electjax.data.table import Table, fold
from electjax.data.text import head_of
from electjax.numerics.registry import modules_in
from electjax.voter_types.ballots import MISSING, SPLIT, TICKET, menu_kinds
from electjax.voter_types.options import Incomplete, ReadOptions, TextOptions
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

    @cached_property
    def head(self) -> list[list[str]]:
        """The first records of a text file in lower case, without blank ones; none of anything else."""
        if self.is_frame or self.path.is_dir() or is_parquet(self.path) or is_workbook(self.path):
            return []
        rows = [
            [cell.casefold() for cell in row] for _, row in head_of(self.path, self.options.encoding).rows if any(row)
        ]
        return rows[:HEADER_ROWS]

    @cached_property
    def names(self) -> list[str]:
        """The names of a table's columns, folded as `data.table.fold` does; none of what is no table."""
        return [fold(name) for name in names_of(self.given, self.options)]

    @cached_property
    def table(self) -> Table:
        """All rows of a table; a ballot without any mark stays a ballot."""
        return read_table(self.given, self.options, rows="ballots", blank_rows=True)

    @property
    def records(self) -> Records:
        """The text as records."""
        return Records(self.path, self.options.encoding or "utf-8-sig")


class Reader(NamedTuple):
    """A format of ballots.

    Attributes:
        name: what the attribute `reader` of its ballots says.
        order: readers are asked in this order, so that one that takes any table comes last.
        recognises: whether it reads this source.
        read: all ballots.
        stream: ballots in chunks of so many voters; None where the votes of a voter may lie far apart.
    """

    name: str
    order: int
    recognises: Callable[[Source], bool]
    read: Callable[[Source, ReadOptions], xr.Dataset]
    stream: Callable[[Source, TextOptions, int], Iterator[xr.Dataset]] | None = None


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


# -------------------------------------------------------------------------------- voters

_VOTER = ("voter", "voter_id", "id", "cvr_id", "cvrnumber")


class VoterColumns(NamedTuple):
    """Positions of the columns that belong to voters; None where there is no such column."""

    voter: int | None
    weight: int | None
    cluster: int | None
    covariates: tuple[int, ...]

    def taken(self) -> set[int]:
        """All positions."""
        return {p for p in (self.voter, self.weight, self.cluster, *self.covariates) if p is not None}


def _asked(batch: Batch | Table, name: str, keyword: str) -> int:
    return batch.asked(name, keyword) if isinstance(batch, Table) else batch.find(name, keyword)


def voter_columns(batch: Batch | Table, options: TextOptions) -> VoterColumns:
    """Find the named columns; a column called "weight" or "voter" (or "id") needs no naming."""
    folded = [name.casefold() for name in batch.names]
    voter = next((folded.index(name) for name in _VOTER if name in folded), None)
    weight = folded.index("weight") if "weight" in folded else None
    return VoterColumns(
        voter,
        _asked(batch, options.weight, "weight") if options.weight else weight,
        _asked(batch, options.cluster, "cluster") if options.cluster else None,
        tuple(_asked(batch, name, "covariates") for name in options.covariates or ()),
    )


def add_voters(ds: xr.Dataset, batch: Batch | Table, columns: VoterColumns, first: np.ndarray | slice) -> xr.Dataset:
    """Add row, labels, weight, cluster and covariates of voters, whose records are `first`."""
    ds = ds.assign_coords(row=("voter", batch.lines[first].astype(np.int64)))
    if columns.voter is not None:
        ds = ds.assign_coords(voter=batch.columns[columns.voter].cells()[first])
    if columns.weight is not None:
        values = batch.numbers(columns.weight, "a number of at least 0")
        if np.isnan(values).any():
            raise batch.fault(
                "the weight is blank",
                int(np.isnan(values).argmax()),
                columns.weight,
                expected="a number of at least 0",
                mend="fill it in, or write 0 to leave the voter out",
            )
        ds["weight"] = ("voter", values[first])
    if columns.cluster is not None:
        ds["cluster"] = ("voter", batch.columns[columns.cluster].cells()[first])
    if columns.covariates:
        terms, values = _design(batch, columns.covariates)
        ds["covariate"] = (("voter", "term"), values[first])
        ds = ds.assign_coords(term=strings(terms))
    return ds


def complete(ds: xr.Dataset, batch: Batch | Table, columns: VoterColumns, incomplete: Incomplete) -> xr.Dataset:
    """Refuse or leave out voters with a blank covariate."""
    if "covariate" not in ds:
        return ds
    blank = np.isnan(ds["covariate"].values).any(axis=1)
    if not blank.any():
        return ds
    if incomplete == "drop":
        kept = ds.isel(voter=~blank)
        return kept.assign_attrs(incomplete_voters=int(blank.sum()))
    at = int(np.searchsorted(batch.lines, ds["row"].values[blank.argmax()]))
    where = next(p for p in columns.covariates if batch.columns[p].blank[at])
    raise batch.fault(
        f"the covariate is blank ({int(blank.sum())} voter(s) lack a covariate)",
        at,
        where,
        expected="a value for every voter",
        mend="fill it in, or pass incomplete='drop' to leave these voters out",
    )


def sorted_labels(texts: Sequence[str]) -> list[str]:
    """Labels in order: by value where all are numbers, else as text."""
    values = [number(text) for text in texts]
    if np.isnan(values).any():
        return sorted(texts)
    return [text for _, text in sorted(zip(values, texts, strict=True))]


def _design(batch: Batch | Table, positions: Sequence[int]) -> tuple[list[str], np.ndarray]:
    """Numeric columns as they are, columns of text as one indicator for each level but the first."""
    terms: list[str] = []
    columns: list[np.ndarray] = []
    for position in positions:
        column = batch.columns[position]
        levels = column.present()
        if not np.isnan([number(text) for text in levels]).any():
            terms.append(column.name)
            columns.append(batch.numbers(position, "a number"))
            continue
        levels = sorted_labels(levels)
        code = column.coded({text: k for k, text in enumerate(levels)})
        if len(levels) < 2:
            raise batch.fault(
                f"only one level, {levels[0]!r}",
                0,
                position,
                expected="two or more levels, or numbers",
                mend="leave the covariate out: it is the intercept",
            )
        for k, level in enumerate(levels[1:], start=1):
            terms.append(f"{column.name}[{level}]")
            columns.append(np.where(code < 0, np.nan, code == k))
    return terms, np.column_stack(columns).astype(float)


# -------------------------------------------------------------------------------- contests

NO_VOTE = "no vote"
WRITE_IN = "write-in"
_KEPT = ("TabulatorNum", "BatchId", "CountingGroup", "PrecinctPortion", "BallotType")
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
    as missing with `overvote="missing"`; the attribute `overvotes` counts them.
    """
    kept = [contests[j] for j in chosen]
    counts = [len(contest.options) + 1 for contest in kept]
    wide = max(counts)
    kinds, masks = menu_kinds(counts, wide)
    choice = np.where(cast.spoilt, MISSING, cast.choice)
    if options.overvote == "missing":
        choice = np.where(cast.overvoted, MISSING, choice)
    many = [f"{c.name} (vote for {c.vote_for})" for j, c in enumerate(contests) if c.vote_for != 1]
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


def finish_ballots(ds: xr.Dataset, batch: Batch | Table, options: TextOptions) -> xr.Dataset:
    """Add what the export says of voters beside their votes: coordinates, and what the options name."""
    voters = voter_columns(batch, options)
    ds = add_voters(ds, batch, voters, slice(None))
    for position, column in enumerate(batch.columns):
        if column.name in _KEPT and position not in voters.taken():
            ds = ds.assign_coords({column.name: ("voter", column.cells())})
    return checked(complete(ds, batch, voters, options.incomplete), invalid=options.invalid)
