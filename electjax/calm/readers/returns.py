"""booths.csv, candidates.csv and votes.csv: booths, who stood in them with which traits, and who got how many votes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from electjax.calm.options import Rest
from electjax.data import tables
from electjax.data.axes import UNKNOWN, Axis
from electjax.data.errors import data_error
from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.records import Batch, number

COLUMNS = "booth, constituency, electors, polled"
PREVIOUS = "previous_"
_OWN = ("booth", "constituency", "electors", "polled")


class Roll(NamedTuple):
    """The booths in order of the file.

    Attributes:
        batch: the table; its rows are the booths.
        labels: different from each other: where two constituencies call a booth alike, "<constituency>/<booth>".
        names: as the file has them.
        constituency: index into `constituencies`, [i].
        electors, polled: [i]; polled is None where the file need not have it and does not.
        previous: share of a party at the previous election by its label, NaN where unknown.
        covariates: numbers by the name of their column.
        notes: texts by the name of their column.
    """

    batch: Batch
    labels: list[str]
    names: list[str]
    constituency: np.ndarray
    constituencies: list[str]
    electors: np.ndarray
    polled: np.ndarray | None
    previous: dict[str, np.ndarray]
    covariates: dict[str, np.ndarray]
    notes: dict[str, np.ndarray]

    def rows_in(self, batch: Batch) -> np.ndarray:
        """The booth of each row of another table, by `booth` and, where that table has it, `constituency`."""
        if not tables.has(batch, "constituency"):
            if len(set(self.names)) < len(self.names):
                raise data_error(
                    "no column 'constituency', and constituencies share labels of booths",
                    where=batch.file,
                    row=1,
                    expected="booth and constituency in this case",
                    mend="add the column constituency, or make the labels of booths differ",
                )
            index = {name: i for i, name in enumerate(self.names)}
            return tables.look_up(batch, "booth", index, "booth", self.batch.file)
        where = {name: a for a, name in enumerate(self.constituencies)}
        constituency = tables.look_up(batch, "constituency", where, "constituency", self.batch.file)
        booth = tables.labels_of(batch, "booth")
        pairs, inverse = np.unique(constituency * np.int64(len(booth.texts)) + booth.codes, return_inverse=True)
        both = {(a, name): i for i, (a, name) in enumerate(zip(self.constituency.tolist(), self.names, strict=True))}
        keys = [(int(p) // len(booth.texts), booth.texts[int(p) % len(booth.texts)]) for p in pairs]
        found = np.array([both.get(key, -1) for key in keys])[inverse]

        def said(row: int) -> str:
            a, name = keys[inverse[row]]
            return f"unknown booth {name!r} in constituency {self.constituencies[a]!r}"

        def mend(row: int) -> str:
            a, name = keys[inverse[row]]
            return tables.near(name, [other for area, other in both if area == a])

        tables.refuse(batch, found < 0, "booth", said, f"a booth of {self.batch.file}", mend)
        return found


def read_roll(batch: Batch, *, need_polled: bool) -> Roll:
    """The booths of the table, one row each."""
    tables.need_columns(batch, *(name for name in _OWN if name != "polled" or need_polled))
    booth, constituency = tables.labels_of(batch, "booth"), tables.labels_of(batch, "constituency")
    names, constituencies = booth.cells().tolist(), list(constituency.present())
    index = {name: a for a, name in enumerate(constituencies)}
    of = constituency.coded(index)
    labels = names
    if len(set(names)) < len(names):
        labels = [f"{constituencies[a]}/{name}" for a, name in zip(of, names, strict=True)]
    tables.no_repeats(
        batch,
        np.unique(labels, return_inverse=True)[1],
        "booth",
        lambda row: f"booth {names[row]!r} of {constituencies[of[row]]!r}",
        "remove one of the two rows",
    )
    electors = tables.counts_of(batch, "electors")
    polled = tables.counts_of(batch, "polled") if tables.has(batch, "polled") else None
    tables.refuse(batch, electors == 0, "electors", "no electors", "at least one", "leave the booth out")
    if polled is not None:
        given = polled
        tables.refuse(
            batch,
            given > electors,
            "polled",
            lambda row: f"{given[row]} votes polled by {electors[row]} electors",
            "at most as many as electors",
            "correct one of the two",
        )
    return _with_more(Roll(batch, labels, names, of, constituencies, electors, polled, {}, {}, {}))


def _with_more(roll: Roll) -> Roll:
    """Shares of the previous election, covariates and notes from the other columns."""
    batch = roll.batch
    for name in batch.names:
        if name.casefold() in _OWN:
            continue
        if name.casefold().startswith(PREVIOUS):
            roll.previous[name[len(PREVIOUS) :]] = _shares(batch, name)
        elif _numeric(batch, name):
            values = tables.numbers_of(batch, name)
            said = f"blank in {int(np.isnan(values).sum())} row(s)"
            expected = "a number for every booth, since the column is a covariate"
            tables.refuse(batch, np.isnan(values), name, said, expected, "fill it in, or remove the column")
            roll.covariates[name] = values
        else:
            roll.notes[name] = tables.column_of(batch, name).cells()
    if roll.previous:
        total = np.nansum(list(roll.previous.values()), axis=0)
        tables.refuse(
            batch,
            total > 1 + 1e-6,
            f"{PREVIOUS}{next(iter(roll.previous))}",
            lambda at: f"previous shares add up to {total[at]:.6g}",
            "shares that add up to at most 1",
            "divide by all votes of that election",
        )
    return roll


def _shares(batch: Batch, name: str) -> np.ndarray:
    what = "a share in [0, 1], or a blank"
    values = tables.numbers_of(batch, name, what)
    wrong = (values < 0) | (values > 1)
    tables.refuse(batch, wrong, name, lambda row: f"found {values[row]:g}", what, "divide percentages by 100")
    return values


def _numeric(batch: Batch, name: str) -> bool:
    """Whether most of what a column holds are numbers; the rest of it are then faults."""
    column = tables.column_of(batch, name)
    filled = ~column.blank
    numbers = np.array([bool(text) and not np.isnan(number(text)) for text in column.texts])[column.codes]
    return bool(filled.any()) and numbers.sum() * 2 > filled.sum()


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
    tables.need_columns(batch, "constituency", "party", *(axis.name for axis in axes))
    index = {name: a for a, name in enumerate(roll.constituencies)}
    constituency = tables.look_up(batch, "constituency", index, "constituency", roll.batch.file)
    labels = [party_label(text) for text in tables.labels_of(batch, "party").texts]
    parties = sorted(dict.fromkeys(labels), key=lambda label: label == OTHERS)
    party = np.array([parties.index(label) for label in labels])[tables.column_of(batch, "party").codes]
    tables.no_repeats(
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
            codes[constituency, party, d] = tables.categories_of(batch, axis)
        else:
            values[constituency, party, d] = tables.numbers_of(batch, axis.name, "a number, or a blank where unknown")
    fielded = np.zeros(shape[:2], bool)
    fielded[constituency, party] = True
    return Candidates(parties, codes, values, fielded)


def read_votes(batch: Batch, roll: Roll, candidates: Candidates, rest: Rest) -> tuple[Votes, Candidates]:
    """Votes by booth and party, and the candidates with NOTA and "others" among them where these have votes."""
    tables.need_columns(batch, "booth", "party", "votes")
    booth, count = roll.rows_in(batch), tables.counts_of(batch, "votes")
    labels = [party_label(text) for text in tables.labels_of(batch, "party").texts]
    label = tables.column_of(batch, "party").codes
    known = candidates.parties + [pool for pool in POOLS if pool in labels and pool not in candidates.parties]
    candidates = _with_parties(candidates, sorted(known, key=lambda name: name == OTHERS))
    index = {name: k for k, name in enumerate(candidates.parties)}
    party = np.array([index.get(name, -1) for name in labels])[label]
    parties = candidates.parties
    tables.refuse(
        batch,
        party < 0,
        "party",
        lambda row: f"party {labels[label[row]]!r} has no candidate anywhere",
        "a party of candidates.csv",
        lambda row: tables.near(labels[label[row]], parties) + "; or add its candidates, traits blank where unknown",
    )
    tables.no_repeats(
        batch,
        booth * len(index) + party,
        "party",
        lambda row: f"party {parties[party[row]]!r} in booth {roll.names[booth[row]]!r}",
        "add the rows up",
    )
    votes = np.zeros((len(roll.labels), len(index)), np.int64)
    votes[booth, party] = count
    area = roll.constituency[booth]
    tables.refuse(
        batch,
        (count > 0) & ~(candidates.fielded[area, party] | np.isin(parties, POOLS)[party]),
        "party",
        lambda row: (
            f"{count[row]} votes for {parties[party[row]]!r}, which has no candidate row in"
            f" {roll.constituencies[area[row]]!r}"
        ),
        "a row in candidates.csv for every party with votes in the constituency",
        "add the row (traits blank where unknown), or count the votes for 'others'",
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
        more = "; rest='others' gives the remainder to others" if rest == "error" and short[booth] > 0 else ""
        raise roll.batch.fault(
            f"{roll.polled[booth]} votes polled in booth {roll.names[booth]!r}, {found}",
            int(booth),
            roll.batch.find("polled", "polled"),
            expected="votes that add up to the votes polled" if rest == "error" else "at most the votes polled",
            mend=f"correct one of the two{more}",
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
