"""booths.csv, candidates.csv and votes.csv: booths, who stood in them with which traits, and who got how many votes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from electjax.calm.options import ReadOptions, Rest
from electjax.data.axes import UNKNOWN, Axis
from electjax.data.categories import categories_of
from electjax.data.errors import data_error
from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.numbers import looks_numeric
from electjax.data.rows import numbered, one_election, row_keys, without_repeats, without_totals
from electjax.data.table import Column, Table, near
from electjax.data.vocabulary import find_word, ignored

PREVIOUS = "previous_"
_OWN = ("booth", "constituency", "electors", "polled")
_LARGEST = 2**31  # sizes of cells are kept in 32 bits


class Roll(NamedTuple):
    """The booths in order of the file.

    Attributes:
        table: the table; its rows are the booths.
        labels: different from each other: where two constituencies call a booth alike, "<constituency>/<booth>".
        names: as the file has them.
        constituency: index into `constituencies`, [i].
        electors, polled: [i]; polled is None where the file need not have it and does not.
        previous: share of a party at the previous election by its label, NaN where unknown.
        covariates: numbers by the name of their column.
        notes: texts by the name of their column.
        chosen: whether `where` chose them, so that other tables may have rows of more booths.
    """

    table: Table
    labels: list[str]
    names: list[str]
    constituency: np.ndarray
    constituencies: list[str]
    electors: np.ndarray
    polled: np.ndarray | None
    previous: dict[str, np.ndarray]
    covariates: dict[str, np.ndarray]
    notes: dict[str, np.ndarray]
    chosen: bool = False

    def of_these(self, table: Table) -> Table:
        """The rows of another table that are of these booths or constituencies, where `where` chose them."""
        of = {"constituency": [self.constituencies[a] for a in self.constituency], "booth": self.names}
        places = {name: p for name in of if (p := table.find(name)) is not None}
        if not self.chosen or not places:
            return table
        known = set(
            zip(*(of[name] for name in places), strict=True)
        )  # booths of two constituencies may be called alike
        key, first = numbered(row_keys(table, list(places.values())))
        cells = [[table.columns[p].at(int(row)) for row in first] for p in places.values()]
        kept = np.array([said in known for said in zip(*cells, strict=True)], bool)[key]
        return table if kept.all() else table.take(kept, f"{int((~kept).sum())} rows of booths not chosen left out")

    def rows_in(self, table: Table) -> np.ndarray:
        """The booth of each row of another table, by `booth` and, where that table has it, `constituency`."""
        if not table.has("constituency"):
            if len(set(self.names)) < len(self.names):
                raise data_error(
                    "no column 'constituency', and constituencies share labels of booths",
                    where=table.file,
                    row=1,
                    expected="booth and constituency in this case",
                    mend="add the column constituency, or make the labels of booths differ",
                )
            index = {name: i for i, name in enumerate(self.names)}
            return table.look_up(table.need("booth"), index, "booth", self.table.file)
        where = {name: a for a, name in enumerate(self.constituencies)}
        constituency = table.look_up(table.need("constituency"), where, "constituency", self.table.file)
        position = table.need("booth")
        booth = table.labels(position, "a booth")
        pairs, inverse = np.unique(constituency * np.int64(len(booth.texts)) + booth.codes, return_inverse=True)
        both = {(a, name): i for i, (a, name) in enumerate(zip(self.constituency.tolist(), self.names, strict=True))}
        keys = [(int(p) // len(booth.texts), booth.texts[int(p) % len(booth.texts)]) for p in pairs]
        found = np.array([both.get(key, -1) for key in keys])[inverse]

        def said(row: int) -> str:
            a, name = keys[inverse[row]]
            return f"unknown booth {name!r} in constituency {self.constituencies[a]!r}"

        def mend(row: int) -> str:
            a, name = keys[inverse[row]]
            return near(name, [other for area, other in both if area == a])

        table.refuse(found < 0, position, said, f"a booth of {self.table.file}", mend)
        return found


def read_roll(table: Table, options: ReadOptions) -> Roll:
    """The booths of the table, one row each."""
    needed = [name for name in _OWN if name != "polled" or options.votes]
    table = ours(table, *needed)
    one_election(table, ("office", "contest", "race", "election", "stage"))
    amounts = [position for name in ("electors", "polled") if (position := table.find(name)) is not None]
    places = [table.need("booth"), table.need("constituency")]
    table = without_totals(table, places, amounts, options.totals, what="booth")
    table = without_repeats(table, options.repeated)
    booth, constituency = (table.labels(p, f"a {table.names[p]}") for p in places)
    names, constituencies = booth.cells().tolist(), constituency.present()
    index = {name: a for a, name in enumerate(constituencies)}
    of = constituency.coded(index)
    labels = names
    if len(set(names)) < len(names):
        labels = [f"{constituencies[a]}/{name}" for a, name in zip(of, names, strict=True)]
    table.no_repeats(
        np.unique(labels, return_inverse=True)[1],
        places[0],
        lambda row: f"booth {names[row]!r} of {constituencies[of[row]]!r}",
        "remove one of the two rows",
    )
    electors = table.counts(table.need("electors"))
    polled = table.counts(table.need("polled")) if table.has("polled") else None
    few = table.need("electors")
    table.refuse(electors == 0, few, "no electors", "at least one", "leave the booth out")
    table.refuse(
        electors >= _LARGEST,
        few,
        lambda row: f"{str(electors[row])!r} is larger than any electorate",
        "electors",
        "correct it",
    )
    if polled is not None:
        given = polled
        over = given > electors
        more = f"; {int(over.sum())} such booths" if over.sum() > 1 else ""
        table.refuse(
            over,
            table.need("polled"),
            lambda row: f"{given[row]} votes polled by {electors[row]} electors in booth {names[row]!r}{more}",
            "at most as many as electors",
            "correct one of the two",
        )
    return _with_more(Roll(table, labels, names, of, constituencies, electors, polled, {}, {}, {}, bool(options.where)))


def ours(table: Table, *needed: str, optional: Sequence[str] = ()) -> Table:
    """The table in which the columns needed have our names, where they are called as such columns usually are."""
    theirs: dict[str, str] = {}
    for name in (*needed, *optional):
        taken = [table.asked(each, "columns") for each in (*theirs.values(), *filter(table.has, needed))]
        if not table.has(name) and (position := find_word(table, name, taken=taken)) is not None:
            theirs[name] = table.names[position]
    table = table.renamed(theirs)
    for name in needed:
        table.need(name)
    return table


def _with_more(roll: Roll) -> Roll:
    """Shares of the previous election, covariates and notes from the other columns."""
    table = roll.table
    previous = []
    for position, name in enumerate(table.names):
        if name.casefold() in _OWN:
            continue
        if name.casefold().startswith(PREVIOUS):
            roll.previous[name[len(PREVIOUS) :]] = _shares(table, position)
            previous.append(position)
        elif _numeric(table.columns[position]):
            values = table.numbers(position)
            said = f"blank in {int(np.isnan(values).sum())} row(s)"
            expected = "a number for every booth, since the column is a covariate"
            table.refuse(np.isnan(values), position, said, expected, "fill it in, or remove the column")
            roll.covariates[name] = values
        else:
            roll.notes[name] = table.columns[position].cells()
    return _rounded(roll, previous) if previous else roll


def _rounded(roll: Roll, positions: Sequence[int]) -> Roll:
    """Previous shares that add up to at most 1: what rounding of two to four digits puts above it is divided by."""
    table, shares = roll.table, np.array(list(roll.previous.values()))
    total = np.nansum(shares, axis=0)
    ends = [text.rpartition(".")[2] for p in positions for text in table.columns[p].present() if "." in text]
    digits = min(max(2, *map(len, ends), 2), 4) if ends else 2
    slack = 0.5 * 10.0**-digits * (~np.isnan(shares)).sum(axis=0) + 1e-6
    table.refuse(
        total > 1 + slack,
        positions[0],
        lambda at: f"previous shares add up to {total[at]:.6g}",
        "shares that add up to at most 1",
        "divide by all votes of that election",
    )
    above = total > 1 + 1e-6
    if not above.any():
        return roll
    scale = np.where(above, total, 1.0)
    note = f"previous shares of {int(above.sum())} booths add up to at most {total.max():.5g} and are divided by that"
    previous = {name: values / scale for name, values in roll.previous.items()}
    return roll._replace(previous=previous, table=table.noted(note))


def _shares(table: Table, position: int) -> np.ndarray:
    what = "a share in [0, 1], or a blank"
    values = table.numbers(position, what)
    wrong = (values < 0) | (values > 1)
    table.refuse(wrong, position, lambda row: f"found {values[row]:g}", what, "divide percentages by 100")
    return values


def _numeric(column: Column) -> bool:
    """Whether most of what a column holds are numbers; the rest of it are then faults."""
    filled = ~column.blank
    numbers = np.array([looks_numeric(text) for text in column.texts], dtype=bool)[column.codes]
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


def read_candidates(table: Table, roll: Roll, axes: Sequence[Axis], options: ReadOptions) -> tuple[Candidates, Table]:
    """Candidates by constituency and party, parties in order of the file with "others" last; blanks are unknown."""
    table = roll.of_these(ours(table, "constituency", "party", *(axis.name for axis in axes)))
    one_election(table)
    table = without_repeats(table, options.repeated)
    index = {name: a for a, name in enumerate(roll.constituencies)}
    constituency = table.look_up(table.need("constituency"), index, "constituency", roll.table.file)
    column = table.labels(table.need("party"), "a party")
    labels = [party_label(text) for text in column.texts]
    present = [labels[code] for code in np.unique(column.codes)]
    parties = sorted(dict.fromkeys(present), key=lambda label: label == OTHERS)
    party = np.array([parties.index(label) if label in parties else -1 for label in labels])[column.codes]
    table.no_repeats(
        constituency * len(parties) + party,
        table.need("party"),
        lambda row: f"party {parties[party[row]]!r} in {roll.constituencies[constituency[row]]!r}",
        "a party has one candidate in a constituency: keep its main one, give independents labels of their own, or"
        " count them for 'others'",
    )
    shape = len(roll.constituencies), len(parties), len(axes)
    codes, values = np.full(shape, UNKNOWN, np.int32), np.full(shape, np.nan)
    for d, axis in enumerate(axes):
        if axis.categories:
            codes[constituency, party, d] = categories_of(table, axis).codes
        else:
            said = "a number, or a blank where unknown"
            values[constituency, party, d] = table.numbers(table.need(axis.name), said)
    fielded = np.zeros(shape[:2], bool)
    fielded[constituency, party] = True
    own = [table.need(name) for name in ("constituency", "party", *(axis.name for axis in axes))]
    return Candidates(parties, codes, values, fielded), table.noted(*ignored(table, own))


def read_votes(
    table: Table, roll: Roll, candidates: Candidates, options: ReadOptions
) -> tuple[Votes, Candidates, Table]:
    """Votes by booth and party, and the candidates with NOTA and "others" among them where these have votes."""
    table = roll.of_these(ours(table, "booth", "party", "votes", optional=("constituency",)))
    one_election(table)
    places = [table.need("booth"), table.need("party"), *filter(None, [table.find("constituency")])]
    table = without_totals(table, places, (), options.totals)
    table = without_repeats(table, options.repeated)
    booth, count = roll.rows_in(table), table.counts(table.need("votes"))
    column = table.labels(table.need("party"), "a party")
    labels, label = [party_label(text) for text in column.texts], column.codes
    there = {labels[code] for code in np.unique(label)}
    known = candidates.parties + [pool for pool in POOLS if pool in there and pool not in candidates.parties]
    candidates = _with_parties(candidates, sorted(known, key=lambda name: name == OTHERS))
    index = {name: k for k, name in enumerate(candidates.parties)}
    party = np.array([index.get(name, -1) for name in labels])[label]
    parties = candidates.parties
    position = table.need("party")
    table.refuse(
        party < 0,
        position,
        lambda row: f"party {labels[label[row]]!r} has no candidate anywhere",
        "a party of candidates.csv",
        lambda row: near(labels[label[row]], parties) + "; or add its candidates, traits blank where unknown",
    )
    table.no_repeats(
        booth * len(index) + party,
        position,
        lambda row: f"party {parties[party[row]]!r} in booth {roll.names[booth[row]]!r}",
        "add the rows up",
    )
    votes = np.zeros((len(roll.labels), len(index)), np.int64)
    votes[booth, party] = count
    area = roll.constituency[booth]
    table.refuse(
        (count > 0) & ~(candidates.fielded[area, party] | np.isin(parties, POOLS)[party]),
        position,
        lambda row: (
            f"{count[row]} votes for {parties[party[row]]!r}, which has no candidate row in"
            f" {roll.constituencies[area[row]]!r}"
        ),
        "a row in candidates.csv for every party with votes in the constituency",
        "add the row (traits blank where unknown), or count the votes for 'others'",
    )
    if options.totals != "keep":
        _refuse_sums(votes, roll)
    voted = np.zeros(len(roll.labels), bool)
    voted[booth] = True
    result, candidates = _complete(votes, voted, roll, candidates, options.rest)
    used = [*places, table.need("votes")]
    return result, _with_pools(result.votes, roll, candidates), table.noted(*ignored(table, used))


def _refuse_sums(votes: np.ndarray, roll: Roll) -> None:
    """Refuse a booth whose electors and votes are those of all others, or of all others of its constituency."""
    amounts = np.column_stack([roll.electors, votes])
    area = np.zeros((len(roll.constituencies), amounts.shape[1]), np.int64)
    np.add.at(area, roll.constituency, amounts)
    several = np.bincount(roll.constituency, minlength=len(area))[roll.constituency] > 2
    found = ((2 * amounts == area[roll.constituency]).all(axis=1) & several) | (
        (2 * amounts == amounts.sum(axis=0)).all(axis=1) & (len(amounts) > 2)
    )
    roll.table.refuse(
        found & ((amounts > 0).sum(axis=1) > 2),
        roll.table.need("booth"),
        lambda row: f"the electors and votes of booth {roll.names[row]!r} are those of the other booths together",
        "single booths, without totals",
        "remove it from all tables, or pass totals='keep' if it is none",
    )


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
        raise roll.table.fault(
            f"{roll.polled[booth]} votes polled in booth {roll.names[booth]!r}, {found}",
            int(booth),
            roll.table.find("polled"),
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
