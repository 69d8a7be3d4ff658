"""Cast-vote records with a column for each option of a contest: 1 marked, 0 not, blank where the ballot has it not."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.table import Table, joined
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import Cast, Contest, cast_ballots, chosen_contests, finish_ballots

_MARKS = {"": -1, "0": 0, "1": 1}
_NOT_A_MARK = -2


class Block(NamedTuple):
    """A contest and its columns: those of its options in order, and all, which may have further ranks."""

    contest: Contest
    options: tuple[int, ...]
    columns: tuple[int, ...]


def ballots_of(
    parts: Iterable[Table], blocks: Sequence[Block], leading: Sequence[int], options: TextOptions, attrs: dict[str, Any]
) -> xr.Dataset:
    """Ballots of a table.

    Args:
        parts: tables of a row a ballot, one after another, so that the marks of all are never held at once.
        blocks: the contests.
        leading: positions of the columns of voters.
        options: how it is read.
        attrs: of the ballots, filled up while the parts are read.
    """
    contests = [block.contest for block in blocks]
    chosen = chosen_contests(contests, options, attrs["source"])
    casts, voters = [], []
    for table in parts:
        casts.append(_cast(table, [blocks[j] for j in chosen], options))
        voters.append(replace(table, columns=tuple(table.columns[p] for p in leading)))
    if not sum(map(len, voters)):
        raise data_error(
            "no ballots after the header", where=attrs["source"], expected="ballots", mend="check the file"
        )
    cast = Cast(*map(np.concatenate, zip(*casts, strict=True)))
    return finish_ballots(cast_ballots(contests, chosen, cast, options, attrs), joined(voters), options)


def _cast(table: Table, blocks: Sequence[Block], options: TextOptions) -> Cast:
    choice = np.empty((len(table), len(blocks)), dtype=np.int16)
    overvoted, spoilt = np.zeros((2, *choice.shape), dtype=bool)
    for j, block in enumerate(blocks):
        if not block.options:
            problem = f"contest {block.contest.name!r} has no column of a first rank"
            expected = "columns of candidates, such as 'Ann(1)'"
            raise table.fault(problem, expected=expected, mend="export the records again")
        marks = np.stack([_marks(table, p) for p in block.columns], axis=1)
        votes = marks[:, [block.columns.index(p) for p in block.options]] == 1
        count = votes.sum(axis=1)
        on_ballot = (marks != -1).any(axis=1)
        choice[:, j] = np.where(on_ballot, np.where(count == 1, votes.argmax(axis=1) + 1, 0), -1)
        overvoted[:, j] = count > 1
        wrong = marks == _NOT_A_MARK
        spoilt[:, j] = wrong.any(axis=1)
        if wrong.any() and options.invalid == "error":
            row = int(spoilt[:, j].argmax())
            position = block.columns[int(wrong[row].argmax())]
            raise table.fault(
                f"{table.columns[position].at(row)!r} is not a mark",
                row,
                position,
                expected="0, 1, or a blank where the contest is not on the ballot",
                mend="correct the cell, or pass invalid='missing'",
            )
    return Cast(choice, overvoted, spoilt)


def _marks(table: Table, position: int) -> np.ndarray:
    """Marks of a column: -1 not on the ballot, 0, 1, and -2 for anything else."""
    column = table.columns[position]
    return np.array([_MARKS.get(text, _NOT_A_MARK) for text in column.texts], dtype=np.int8)[column.codes]
