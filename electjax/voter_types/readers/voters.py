"""What a text file says of voters beside their votes: labels, weights, clusters and covariates."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.labels import strings
from electjax.data.records import Batch, number

Incomplete = Literal["error", "drop"]

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


def voter_columns(batch: Batch, *, weight: str | None, cluster: str | None, covariates: Sequence[str]) -> VoterColumns:
    """Find the named columns; a column called "weight" or "voter" (or "id") needs no naming."""
    folded = [name.casefold() for name in batch.names]
    voter = next((folded.index(name) for name in _VOTER if name in folded), None)
    weights = batch.find(weight, "weight") if weight else folded.index("weight") if "weight" in folded else None
    names = (covariates,) if isinstance(covariates, str) else covariates
    return VoterColumns(
        voter,
        weights,
        batch.find(cluster, "cluster") if cluster else None,
        tuple(batch.find(name, "covariates") for name in names),
    )


def add_voters(ds: xr.Dataset, batch: Batch, columns: VoterColumns, first: np.ndarray | slice) -> xr.Dataset:
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


def complete(ds: xr.Dataset, batch: Batch, columns: VoterColumns, incomplete: Incomplete) -> xr.Dataset:
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


def _design(batch: Batch, positions: Sequence[int]) -> tuple[list[str], np.ndarray]:
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
