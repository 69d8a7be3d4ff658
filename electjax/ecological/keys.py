"""What the cells of different contests have in common: a key for each row and each column, by party or by group.

Cells with the same pair of keys share a pooled logit. Where columns do not tell their parties, a row and a column of a
contest are taken for one party if their shares rise and fall together from unit to unit (`matched`).
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from electjax.ecological.schema import DID_NOT_VOTE, OTHER, contest_index

SOLO = "SOLO"  # a candidate without a party
RARE = "RARE"  # all keys that few contests have

FEWEST = 3  # contests that a key needs to stand on its own
FEW = 0.2  # share of columns with the party of a row, below which parties are matched
UNLIKE = 0.15  # what a score loses when one share is e times the other
ALIKE = 0.35  # score from which a row and a column are one party

Labels = list[list[str]]


@dataclass(frozen=True)
class Keys:
    """Keys of each contest's options, without padding.

    Attributes:
        row, column: key of each option; an option without a party is SOLO.
        row_pooled, column_pooled: the same with the keys of few contests as RARE.
        kind: of each cell, [D, R, C], as in `electjax.ecological.model.data.KINDS`; 0 in padding.
        notes: what was decided, in sentences.
    """

    row: Labels
    column: Labels
    row_pooled: Labels
    column_pooled: Labels
    kind: np.ndarray
    notes: list[str]


def pooling_keys(units: xr.Dataset) -> Keys:
    """Keys of rows and columns, and the kinds of their cells.

    Votes on another ballot paper have the keys of their parties, and so have columns: spellings that differ only in
    case, accents, punctuation and spaces are one. A column without a party that is named like a row's party has that
    party, another is SOLO. Where fewer than a fifth of the columns have the party of a row, parties are matched by the
    votes of units. Groups of people have their names as keys, columns their parties or names, and no cell is a party's
    own. Keys of fewer than three contests are pooled as RARE, unless there are fewer than three contests. The units
    are checked ones.
    """
    votes = units.attrs["rows"] == "votes"
    names, parties = (
        [_labels(units[f"{side}_{what}"].values, units[f"{side}_name"].values) for side in ("row", "column")]
        for what in ("name", "party")
    )
    notes: list[str] = []
    if votes:
        spelling = _spellings(
            [*_flat(parties[0]), *(_flat(names[0]) if not any(_flat(parties[0])) else ()), *_flat(parties[1])]
        )
        row = [_party_keys(*own, spelling) for own in zip(names[0], parties[0], strict=True)]
        column = [_party_keys(*own, spelling) for own in zip(names[1], parties[1], strict=True)]
        column, notes = _told_apart(units, row, column)
    else:
        said = [[one or name for one, name in zip(*own, strict=True)] for own in zip(parties[1], names[1], strict=True)]
        row, column = _group_keys(names[0]), _group_keys(said)
    row_pooled, rare_rows = _pooled(row)
    column_pooled, rare_columns = _pooled(column)
    for side, rare in (("rows", rare_rows), ("columns", rare_columns)):
        if rare:
            notes.append(f"keys of {side} in fewer than {FEWEST} contests are pooled as {RARE}: {', '.join(rare)}")
    kind = _kinds(row, column, (units.sizes["row"], units.sizes["column"]), votes)
    return Keys(row, column, row_pooled, column_pooled, kind, notes)


def tidy(name: str) -> str:
    """A name without case, accents, punctuation and spaces; the name itself where nothing else is left."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalnum()) or name


def matched(rows: np.ndarray, columns: np.ndarray, voters: np.ndarray) -> np.ndarray:
    """Which row each column goes with in one contest, -1 for none.

    The score of a pair is the correlation of their shares over units minus 0.15 |log of the ratio of their sizes|. The
    assignment with the greatest sum of scores is taken (Hungarian method), pairs that score 0.35 or less are dropped.

    Args:
        rows, columns: margins [N, R] and [N, C] of the same units, all or some of them.
        voters: of each unit, [N]; none is empty.
    """
    found = np.full(columns.shape[1], -1)
    if not rows.shape[1] or not columns.shape[1]:
        return found
    apart = np.log(np.maximum(rows.sum(axis=0), 0.5))[:, None] - np.log(np.maximum(columns.sum(axis=0), 0.5))
    score = _correlation(rows / voters[:, None], columns / voters[:, None]) - UNLIKE * np.abs(apart)
    for r, c in zip(*linear_sum_assignment(score, maximize=True), strict=True):
        if score[r, c] > ALIKE:
            found[c] = r
    return found


def _correlation(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of each row with each column; 0 where one of them does not vary."""

    def scaled(share: np.ndarray) -> np.ndarray:
        off = share - share.mean(axis=0)
        size = np.sqrt((off**2).sum(axis=0))
        return np.asarray(off / np.where(size > 1e-12, size, np.inf))

    return np.asarray(scaled(rows).T @ scaled(columns))


def _told_apart(units: xr.Dataset, row: Labels, column: Labels) -> tuple[Labels, list[str]]:
    """The columns' keys, by the votes of units where their parties do not tell."""
    candidates = [key for key in _flat(column) if key not in (OTHER, DID_NOT_VOTE)]
    known = set(_flat(row)) - {OTHER, DID_NOT_VOTE, SOLO}
    if not candidates or not known:
        return column, []
    same = sum(key in known for key in candidates)
    if same >= FEW * len(candidates):
        alone = candidates.count(SOLO)
        return column, [f"{alone} of {len(candidates)} columns have no party"] if alone else []
    found = _by_votes(units, row, column, known)
    # Parties that are named, but otherwise than rows: one row's party for all the columns of a party.
    seen: dict[str, Counter[str]] = {}
    for old, new in zip(_flat(column), _flat(found), strict=True):
        if old not in known | {OTHER, DID_NOT_VOTE, SOLO}:
            seen.setdefault(old, Counter())[new] += 1
    for name, times in seen.items():
        most, number = times.most_common(1)[0]
        one = most if 2 * number > times.total() else name
        found = [
            [one if old == name else new for old, new in zip(*own, strict=True)]
            for own in zip(column, found, strict=True)
        ]
    number = sum(key in known for key in _flat(found))
    return found, [
        f"columns do not tell the parties of rows: {number} of {len(candidates)} are matched with a row by their votes"
    ]


def _by_votes(units: xr.Dataset, row: Labels, column: Labels, known: set[str]) -> Labels:
    """Keys of columns that no row has, each contest's matched with the rows that no column names."""
    rows, columns = units["row_margin"].values, units["column_margin"].values
    first = np.searchsorted(contest_index(units), np.arange(len(row) + 1))
    found = []
    for d, (own, other) in enumerate(zip(row, column, strict=True)):
        here = slice(first[d], first[d + 1])
        free = [r for r, key in enumerate(own) if key in known and key not in other]
        open_ = [c for c, key in enumerate(other) if key not in known | {OTHER, DID_NOT_VOTE}]
        new = list(other)
        pairs = matched(rows[here][:, free], columns[here][:, open_], rows[here].sum(axis=1))
        for c, r in zip(open_, pairs.tolist(), strict=True):
            new[c] = own[free[r]] if r >= 0 else new[c]
        found.append(new)
    return found


def _party_keys(names: list[str], parties: list[str], spelling: dict[str, str]) -> list[str]:
    """Keys of one contest's options by party; by name where it is spelt like a party."""
    return [
        _special(party or name) or spelling.get(tidy(party or name), SOLO)
        for name, party in zip(names, parties, strict=True)
    ]


def _group_keys(names: Labels) -> Labels:
    spelling = _spellings(_flat(names))
    return [[_special(name) or spelling[tidy(name)] for name in own] for own in names]


def _special(name: str) -> str:
    """The name of a merged or an abstaining option as it is always written, "" for others."""
    return {tidy(OTHER): OTHER, tidy(DID_NOT_VOTE): DID_NOT_VOTE}.get(tidy(name), "")


def _spellings(names: Iterable[str]) -> dict[str, str]:
    """The first spelling of each name."""
    found: dict[str, str] = {}
    for name in names:
        if name:
            found.setdefault(tidy(name), name)
    return found


def _pooled(keys: Labels) -> tuple[Labels, list[str]]:
    """Keys with those of few contests as RARE, and which these are."""
    times = Counter(key for own in keys for key in dict.fromkeys(own))
    rare = {key for key, number in times.items() if number < FEWEST} if len(keys) >= FEWEST else set()
    return [[RARE if key in rare else key for key in own] for own in keys], sorted(rare)


def _kinds(row: Labels, column: Labels, shape: tuple[int, int], votes: bool) -> np.ndarray:
    """Index into KINDS: own party, cross, other."""
    kind = np.zeros((len(row), *shape), np.int64)
    for d, (own, other) in enumerate(zip(row, column, strict=True)):
        first, second = np.array(own)[:, None], np.array(other)
        mixed = np.isin(first, (OTHER, SOLO)) | np.isin(second, (OTHER, SOLO))
        kind[d, : len(own), : len(other)] = np.where(mixed, 2, np.where(votes & (first == second), 0, 1))
    return kind


def _labels(values: np.ndarray, names: np.ndarray) -> Labels:
    """Labels of each contest's options, without padding."""
    count = (names != "").sum(axis=1).tolist()
    return [own[:number] for own, number in zip(values.tolist(), count, strict=True)]


def _flat(labels: Labels) -> list[str]:
    return [label for own in labels for label in own]
