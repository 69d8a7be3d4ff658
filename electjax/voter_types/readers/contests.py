"""Contests of a cast-vote-record export, and the ballots made of the votes in them."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings, unique_names
from electjax.data.records import Batch
from electjax.voter_types.readers.options import ReadOptions
from electjax.voter_types.readers.voters import add_voters, complete, voter_columns
from electjax.voter_types.schema import MISSING, menu_kinds, validate

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


def chosen_contests(contests: Sequence[Contest], options: ReadOptions, file: str) -> list[int]:
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
    contests: Sequence[Contest],
    chosen: Sequence[int],
    cast: Cast,
    options: ReadOptions,
    attrs: dict[str, Any],
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

    def padded(rows: Sequence[tuple[str, ...]], zero: str) -> np.ndarray:
        return np.array([[zero, *row, *[""] * (wide - 1 - len(row))] for row in rows], dtype=np.str_)

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
            "option_label": (("office", "option"), padded([contest.options for contest in kept], NO_VOTE)),
            "option_party": (("office", "option"), padded([contest.parties for contest in kept], "")),
        },
        attrs=attrs
        | {"overvotes": int(cast.overvoted.sum()), "left_out": "; ".join(many)}
        | ({"spoilt": int(cast.spoilt.sum())} if cast.spoilt.any() else {}),
    )


def finish_ballots(ds: xr.Dataset, batch: Batch, options: ReadOptions) -> xr.Dataset:
    """Add what the export says of voters beside their votes: coordinates, and what the options name."""
    voters = voter_columns(batch, weight=options.weight, cluster=options.cluster, covariates=options.covariates)
    ds = add_voters(ds, batch, voters, slice(None))
    for position, column in enumerate(batch.columns):
        if column.name in _KEPT and position not in voters.taken():
            ds = ds.assign_coords({column.name: ("voter", column.cells())})
    return validate(complete(ds, batch, voters, options.incomplete), invalid=options.invalid)
