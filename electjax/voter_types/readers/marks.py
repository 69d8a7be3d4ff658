"""Cast-vote records that come ballot by ballot, from JSON and XML: gathered one after another, then made a Dataset."""

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.archive import first_name, open_files
from electjax.data.errors import ElectionDataError, data_error
from electjax.data.notes import notes_text
from electjax.data.options import default_of
from electjax.data.rows import select
from electjax.data.table import make_table
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import (
    Cast,
    Contest,
    ballot_attrs,
    cast_ballots,
    chosen_contests,
    finish_ballots,
)

TABLES_ONLY = ("header", "sheet", "encoding", "thousands", "suppressed", "totals", "repeated", "absent", "blank")
WHOLE = "its ballots are gathered from documents that are read whole"  # why there is no stream
_OPTIONS = 1 << 20  # numbers of options of a contest
_OVER, _NO_VOTE = -1, 0  # beside the options, which are 1, 2, ...


def refuse_unused(options: TextOptions, unused: Sequence[str], file: str, what: str) -> None:
    """Refuse options that mean nothing for a format, where they are given."""
    for item in fields(options):
        value = getattr(options, item.name)
        if item.name in unused and value != default_of(item):
            raise data_error(
                f"{item.name}={value!r} means nothing for {what}",
                where=file,
                expected="options that it knows",
                mend=f"leave {item.name}= out",
            )


def vote_of(marked: Sequence[int], *, over: bool = False) -> int:
    """The vote of a contest in which these options are marked: one from 1, 0 none, -1 too many."""
    return _OVER if over or len(marked) > 1 else marked[0] if marked else _NO_VOTE


class Ballots:
    """Ballots as they are met; what they say of their voters are texts in columns called `names`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.votes, self.sizes = array("q"), array("q")
        self.texts: list[dict[str, int]] = [{} for _ in names]
        self.codes = [array("q") for _ in names]

    def add(self, votes: Iterable[tuple[int, int]], said: Sequence[str]) -> None:
        """One ballot: the number of each of its contests with its vote, and what it says."""
        before = len(self.votes)
        self.votes.extend(contest * _OPTIONS + option + 1 for contest, option in votes)
        self.sizes.append(len(self.votes) - before)
        for text, texts, codes in zip(said, self.texts, self.codes, strict=True):
            codes.append(texts.setdefault(text, len(texts)))

    def dataset(
        self, contests: Sequence[Contest], options: TextOptions, file: str, reader: str, notes: Sequence[str] = ()
    ) -> xr.Dataset:
        """The ballots as a Dataset, those without any of its contests left out; `row` is the number of the ballot."""
        chosen = chosen_contests(contests, options, file)
        number = len(self.sizes)
        if not number:
            raise data_error("no ballots", where=file, expected="ballots with contests", mend="check the export")
        place = np.full(len(contests), -1)
        place[chosen] = np.arange(len(chosen))
        contest, option = np.divmod(np.array(self.votes, np.int64), _OPTIONS)
        at = place[contest]
        rows = np.repeat(np.arange(number), np.array(self.sizes))[at >= 0]
        at, option = at[at >= 0], option[at >= 0] - 1
        spots = rows * len(chosen) + at
        cells = np.full(number * len(chosen), -2)
        cells[spots] = option
        if np.count_nonzero(cells != -2) < len(spots):
            self._twice(spots, contests, chosen, file)
        choice = cells.reshape(number, len(chosen))
        columns = [(np.array(codes), list(texts)) for codes, texts in zip(self.codes, self.texts, strict=True)]
        table = make_table(file, np.arange(1, number + 1), self.names, columns, header=None).renamed(options.columns)
        table = table.take(np.flatnonzero((choice > -2).any(axis=1)))
        if not len(table):
            raise data_error("no ballots", where=file, expected="ballots with contests", mend="check the export")
        table = select(table, options.where).compact()
        choice = choice[table.lines - 1]
        over = choice == _OVER
        cast = Cast(np.where(over, 0, np.maximum(choice, -1)), over, np.zeros(choice.shape, dtype=bool))
        said: dict[str, Any] = ballot_attrs(options, file, "options", reader)
        said |= {"notes": notes_text(notes)} if notes else {}
        ds = finish_ballots(cast_ballots(contests, chosen, cast, options, said), table, options)
        ds["row"].attrs["long_name"] = "number of the ballot"
        return ds

    def _twice(self, spots: np.ndarray, contests: Sequence[Contest], chosen: Sequence[int], file: str) -> None:
        """Refuse a ballot that has a contest twice."""
        order = np.sort(spots)
        spot = int(order[1:][order[1:] == order[:-1]][0])
        raise data_error(
            f"ballot {spot // len(chosen) + 1} has it twice",
            where=file,
            column=contests[chosen[spot % len(chosen)]].name,
            expected="a contest once on a ballot",
            mend="export the records again",
        )


def first_bytes(path: Path, suffixes: Sequence[str], pattern: bytes) -> bytes:
    """What the beginning of the first such file of a path has of a pattern; b"" where there is none."""
    if first_name(path, suffixes) is None:
        return b""
    try:
        with open_files(path, suffixes) as files:
            start = files.beginning(files.names[0])
    except ElectionDataError:
        return b""
    found = re.search(pattern, start)
    return found[0] if found else b""
