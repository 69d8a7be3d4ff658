"""What tables of ballots say of voters beside their votes: labels, weights, clusters, covariates."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.labels import strings
from electjax.data.numbers import looks_numeric, number
from electjax.data.rows import without_totals
from electjax.data.table import Table, fold
from electjax.data.vocabulary import find_word
from electjax.voter_types.options import Incomplete, TextOptions

_SHOWN = 12
ELECTIONS = ("election", "election_date", "election_type", "stage", "year")  # several offices are what a ballot has
_OURS = {"voter", "row", "office", "option", "choice", "menu", "weight", "cluster", "covariate", "term"}


class VoterColumns(NamedTuple):
    """Positions of the columns that belong to voters; None where there is no such column."""

    voter: int | None
    weight: int | None
    cluster: int | None
    covariates: tuple[int, ...]

    def taken(self) -> set[int]:
        """All positions."""
        return {p for p in (self.voter, self.weight, self.cluster, *self.covariates) if p is not None}


def voter_columns(table: Table, options: TextOptions) -> VoterColumns:
    """Find the named columns; those of the voter and the weight need no naming where they are called as usual."""
    return VoterColumns(
        find_word(table, "voter"),
        table.asked(options.weight, "weight") if options.weight else find_word(table, "weight"),
        table.asked(options.cluster, "cluster") if options.cluster else None,
        tuple(table.asked(name, "covariates") for name in options.covariates or ()),
    )


def said_of_voters(table: Table, columns: VoterColumns, kept: Sequence[int]) -> list[str]:
    """Sentences on columns that are called otherwise, and on those that nobody asked for."""
    usual = {"voter": columns.voter, "weight": columns.weight}
    said = [
        f"column {table.names[p]!r} is the {name}"
        for name, p in usual.items()
        if p is not None and fold(table.names[p]) != name
    ]
    names = [table.names[p] for p in kept]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return said + ([f"columns that stay with the voters: {', '.join(names[:_SHOWN])}{more}"] if names else [])


def add_voters(ds: xr.Dataset, table: Table, columns: VoterColumns, first: np.ndarray | slice) -> xr.Dataset:
    """Add row, labels, weight, cluster and covariates of voters, whose rows in the table are `first`."""
    ds = ds.assign_coords(row=("voter", table.lines[first].astype(np.int64)))
    if columns.voter is not None:
        ds = ds.assign_coords(voter=table.columns[columns.voter].cells()[first])
    if columns.weight is not None:
        what = "a number of at least 0"
        blank = table.columns[columns.weight].blank
        mend = "fill it in, or write 0 to leave the voter out"
        table.refuse(blank, columns.weight, "the weight is blank", what, mend)
        ds["weight"] = ("voter", table.numbers(columns.weight, what)[first])
    if columns.cluster is not None:
        ds["cluster"] = ("voter", table.columns[columns.cluster].cells()[first])
    if columns.covariates:
        terms, values = _design(table, columns.covariates)
        ds["covariate"] = (("voter", "term"), values[first])
        ds = ds.assign_coords(term=strings(terms))
    return ds


def kept_columns(ds: xr.Dataset, table: Table, positions: Sequence[int], first: np.ndarray | slice) -> xr.Dataset:
    """Columns stay with the voters under their own names, but for names that mean something else in a Dataset."""
    taken = {*map(str, ds.variables), *map(str, ds.dims), *_OURS}
    kept = {table.names[p]: table.columns[p].cells()[first] for p in positions if table.names[p] not in taken}
    return ds.assign_coords({name: ("voter", cells) for name, cells in kept.items()})


def complete(ds: xr.Dataset, table: Table, columns: VoterColumns, incomplete: Incomplete) -> xr.Dataset:
    """Refuse or leave out voters with a blank covariate."""
    if "covariate" not in ds:
        return ds
    blank = np.isnan(ds["covariate"].values).any(axis=1)
    if not blank.any():
        return ds
    if incomplete == "drop":
        kept = ds.isel(voter=~blank)
        return kept.assign_attrs(incomplete_voters=int(blank.sum()))
    at = int(np.searchsorted(table.lines, ds["row"].values[blank.argmax()]))
    where = next((p for p in columns.covariates if table.columns[p].blank[at]), columns.covariates[0])
    raise table.fault(
        f"the covariate is blank ({int(blank.sum())} voter(s) lack a covariate)",
        at,
        where,
        expected="a value for every voter",
        mend="fill it in, or pass incomplete='drop' to leave these voters out",
    )


class Seen:
    """The voters of the parts of a stream so far, as 8 bytes each, and how the row of one is looked up in its file."""

    def __init__(self, row_of: Callable[[str, str], int]) -> None:
        self.row_of = row_of
        self.sorted: list[np.ndarray] = []  # each less than half as long as the one before

    def refuse_again(self, table: Table, voter: int, mend: str) -> None:
        """Refuse a voter whom an earlier part has; equal hashes are no proof, so that the file is asked."""
        column = table.columns[voter]
        keys = np.fromiter((hash(column.texts[code]) for code in column.codes.tolist()), np.int64, len(table))
        for known in self.sorted:
            for row in np.flatnonzero(known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys).tolist():
                before = self.row_of(column.name, column.at(row))
                if before != table.lines[row]:
                    problem = f"voter {column.at(row)!r} again, as in row {before}"
                    raise table.fault(problem, row, voter, expected="one row for each", mend=mend)
        self.sorted.append(np.sort(keys))
        while len(self.sorted) > 1 and len(self.sorted[-2]) <= 2 * len(self.sorted[-1]):
            self.sorted.append(np.sort(np.concatenate([self.sorted.pop(), self.sorted.pop()])))


def of_voters(table: Table, voter: int, options: TextOptions, seen: Seen) -> Table:
    """The rows of voters, without sums and rows that hold nothing.

    Raises:
        ElectionDataError: a label that two rows have. Ballots without labels may be alike, as they are secret.
    """
    table = without_totals(table, [voter], [], options.totals, what="voter")
    empty = np.logical_and.reduce([column.blank for column in table.columns])
    table = table.take(~empty, f"{int(empty.sum())} blank rows left out") if empty.any() else table
    column = table.labels(voter, "the voter")
    mend = "remove one, or read a long table (voter, office, choice)"
    table.no_repeats(column.codes, voter, lambda row: f"voter {column.at(row)!r}", mend)
    if table.of and len(table):
        seen.refuse_again(table, voter, mend)
    return table


def sorted_labels(texts: Sequence[str]) -> list[str]:
    """Labels in order: by value where all are numbers, else as text."""
    values = [number(text) for text in texts]
    if np.isnan(values).any():
        return sorted(texts)
    return [text for _, text in sorted(zip(values, texts, strict=True))]


def _design(table: Table, positions: Sequence[int]) -> tuple[list[str], np.ndarray]:
    """Numeric columns as they are, columns of text as one indicator for each level but the first.

    Where most texts of a column are numbers, such as 31 or 12%, all have to be.
    """
    terms: list[str] = []
    columns: list[np.ndarray] = []
    for position in positions:
        column = table.columns[position]
        levels = sorted_labels([text for text in column.texts if text])
        if 2 * sum(map(looks_numeric, levels)) > len(levels):
            terms.append(column.name)
            columns.append(table.numbers(position, "a number, as in most rows"))
            continue
        code = column.coded({text: k for k, text in enumerate(levels)})
        if len(levels) < 2:
            raise table.fault(
                f"only one level, {levels[0]!r}" if levels else "no values",
                0,
                position,
                expected="two or more levels, or numbers",
                mend="leave the covariate out: it is the intercept",
            )
        for k, level in enumerate(levels[1:], start=1):
            terms.append(f"{column.name}[{level}]")
            columns.append(np.where(code < 0, np.nan, code == k))
    return terms, np.column_stack(columns).astype(float)
