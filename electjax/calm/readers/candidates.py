"""candidates.csv and votes.csv: who stood with which traits, and how many voted for them in each booth."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from electjax.calm.readers.roll import Roll
from electjax.data.axes import UNKNOWN, Axis
from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.records import Batch
from electjax.data.tables import (
    categories_of,
    column_of,
    counts_of,
    fault,
    labels_of,
    look_up,
    near,
    need_columns,
    no_repeats,
    numbers_of,
)

Rest = Literal["others", "drop", "error"]
POOLS = (NOTA, OTHERS)  # they have no candidate, and need no row in candidates.csv


class Candidates(NamedTuple):
    """Who stood: codes [a, k, d] (-1 unknown), values of scalar axes [a, k, d] (NaN unknown), fielded [a, k]."""

    parties: list[str]
    codes: np.ndarray
    values: np.ndarray
    fielded: np.ndarray


class Votes(NamedTuple):
    """Votes [i, k], votes polled [i], and how many of these went to no party named in the file."""

    votes: np.ndarray
    polled: np.ndarray
    rest: int


def read_candidates(batch: Batch, roll: Roll, axes: Sequence[Axis]) -> Candidates:
    """Candidates by constituency and party, parties in order of the file with "others" last; blanks are unknown."""
    need_columns(batch, "constituency", "party", *(axis.name for axis in axes))
    index = {name: a for a, name in enumerate(roll.constituencies)}
    constituency = look_up(batch, "constituency", index, "constituency", roll.batch.file)
    labels = [party_label(text) for text in labels_of(batch, "party").texts]
    parties = sorted(dict.fromkeys(labels), key=lambda label: label == OTHERS)
    party = np.array([parties.index(label) for label in labels])[column_of(batch, "party").codes]
    no_repeats(
        batch,
        constituency * len(parties) + party,
        "party",
        lambda row: f"party {parties[party[row]]!r} in {roll.constituencies[constituency[row]]!r}",
        "keep the party's main candidate; of several independents, one or 'others'",
    )
    shape = len(roll.constituencies), len(parties), len(axes)
    codes, values = np.full(shape, UNKNOWN, np.int32), np.full(shape, np.nan)
    for d, axis in enumerate(axes):
        if axis.categories:
            codes[constituency, party, d] = categories_of(batch, axis)
        else:
            values[constituency, party, d] = numbers_of(batch, axis.name, "a number, or a blank where unknown")
    fielded = np.zeros(shape[:2], bool)
    fielded[constituency, party] = True
    return Candidates(parties, codes, values, fielded)


def read_votes(batch: Batch, roll: Roll, candidates: Candidates, rest: Rest) -> tuple[Votes, Candidates]:
    """Votes by booth and party, and the candidates with NOTA and "others" among them where these have votes."""
    need_columns(batch, "booth", "party", "votes")
    booth, count = roll.rows_in(batch), counts_of(batch, "votes")
    labels = [party_label(text) for text in labels_of(batch, "party").texts]
    label = column_of(batch, "party").codes
    known = candidates.parties + [pool for pool in POOLS if pool in labels and pool not in candidates.parties]
    candidates = _with_parties(candidates, sorted(known, key=lambda name: name == OTHERS))
    index = {name: k for k, name in enumerate(candidates.parties)}
    party = np.array([index.get(name, -1) for name in labels])[label]
    for row in np.flatnonzero(party < 0)[:1]:
        name = labels[label[row]]
        raise fault(
            batch,
            row,
            "party",
            f"party {name!r} has no candidate anywhere",
            expected="a party of candidates.csv",
            mend=near(name, candidates.parties) + "; or add its candidates, traits blank where unknown",
        )
    no_repeats(
        batch,
        booth * len(index) + party,
        "party",
        lambda row: f"party {candidates.parties[party[row]]!r} in booth {roll.names[booth[row]]!r}",
        "add the rows up",
    )
    votes = np.zeros((len(roll.labels), len(index)), np.int64)
    votes[booth, party] = count
    pool = np.isin(candidates.parties, POOLS)
    lacking = (count > 0) & ~(candidates.fielded[roll.constituency[booth], party] | pool[party])
    if lacking.any():
        row = int(lacking.argmax())
        where = roll.constituencies[roll.constituency[booth[row]]]
        raise fault(
            batch,
            row,
            "party",
            f"{count[row]} votes for {candidates.parties[party[row]]!r}, which has no candidate row in {where!r}",
            expected="a row in candidates.csv for every party with votes in the constituency",
            mend="add the row (traits blank where unknown), or count the votes for 'others'",
        )
    voted = np.zeros(len(roll.labels), bool)
    voted[booth] = True
    result, candidates = _complete(votes, voted, roll, candidates, rest)
    return result, _with_pools(result.votes, roll, candidates)


def no_votes(roll: Roll, candidates: Candidates) -> Votes:
    """Of booths that have not polled yet: 0 everywhere."""
    return Votes(np.zeros((len(roll.labels), len(candidates.parties)), np.int64), np.zeros_like(roll.electors), 0)


def _complete(
    votes: np.ndarray, voted: np.ndarray, roll: Roll, candidates: Candidates, rest: Rest
) -> tuple[Votes, Candidates]:
    """What to do with votes polled that the file gives to no party."""
    assert roll.polled is not None
    total = votes.sum(axis=1)
    short = roll.polled - total
    for booth in np.flatnonzero((short < 0) | ((short > 0) & (~voted | (rest == "error"))))[:1]:
        found = f"its votes in votes.csv add up to {total[booth]}" if voted[booth] else "it has no row in votes.csv"
        raise roll.fault(
            int(booth),
            "polled",
            f"{roll.polled[booth]} votes polled in booth {roll.names[booth]!r}, {found}",
            expected="votes that add up to the votes polled" if rest == "error" else "at most the votes polled",
            mend="correct one of the two"
            + ("; rest='others' gives the remainder to others" if rest == "error" and short[booth] > 0 else ""),
        )
    if rest == "drop":
        return Votes(votes, total, int(short.sum())), candidates
    if short.any():
        if OTHERS not in candidates.parties:
            candidates = _with_parties(candidates, [*candidates.parties, OTHERS])
            votes = np.column_stack([votes, np.zeros_like(total)])
        votes[:, candidates.parties.index(OTHERS)] += short
    return Votes(votes, roll.polled, int(short.sum())), candidates


def _with_parties(candidates: Candidates, parties: list[str]) -> Candidates:
    """The same candidates among more parties, which have none."""
    shape = len(candidates.fielded), len(parties), candidates.codes.shape[2]
    codes, values = np.full(shape, UNKNOWN, np.int32), np.full(shape, np.nan)
    fielded = np.zeros(shape[:2], bool)
    place = [parties.index(name) for name in candidates.parties]
    codes[:, place], values[:, place], fielded[:, place] = candidates[1:]
    return Candidates(parties, codes, values, fielded)


def _with_pools(votes: np.ndarray, roll: Roll, candidates: Candidates) -> Candidates:
    """NOTA and "others" are on the ballot wherever they have votes."""
    polled = np.zeros(candidates.fielded.shape)
    np.add.at(polled, roll.constituency, votes)
    pool = np.isin(candidates.parties, POOLS)
    return candidates._replace(fielded=candidates.fielded | (pool & (polled > 0)))
