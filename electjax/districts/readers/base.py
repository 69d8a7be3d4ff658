"""What every reader of returns shares: its contract, and votes as lines of arrays with the rules that hold for all.

A line is the votes of a candidate, a party or a ballot line in a district, or in a part of one: lines of a district are
summed by party, lines of one candidate are one person's.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import ElectionDataError, data_warning
from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.numbers import is_suppressed
from electjax.data.rows import numbered, row_keys, without_totals
from electjax.data.table import Column, Table, fold
from electjax.data.vocabulary import find_word, words_of
from electjax.districts.options import ReadOptions

# Who is no candidate, and what is nobody's name; folded as names of columns are.
NO_CHOICE = frozenset(
    "blankvote blankvotes blankballots blank void voidvote voidvotes overvote overvotes undervote undervotes"  # noqa: SIM905
    " noneoftheabove noneofthesecandidates rejected rejectedvotes rejectedballots invalid invalidvotes invalidballots"
    " spoilt spoiltvotes spoiltballots spoiled spoiledvotes spoiledballots ungultige votosnulos blancs nuls".split()
)
NOBODY = frozenset(
    "other others scattering scattered writein writeins writeinvotes writeintotals blankvotescattering"  # noqa: SIM905
    " notdesignated".split()
)
# What stands in place of votes where a seat had one candidate.
WALKOVERS = frozenset(
    "uncontested unopposed unc unopp electedunopposed returnedunopposed walkover acclaimed acclamation"  # noqa: SIM905
    " byacclamation electedbyacclamation nocontest nopoll".split()
)
PARTS = ("county", "precinct", "mode", "unit")  # columns that divide a district
FEW = 0.001  # share of the votes by which sums and totals of offices differ
_MARKS = re.compile(r"^\*+\s*|\s*\*+$|\s*\((elected|élue?|elected/élue?|gewählt)\)", re.IGNORECASE)


class Reader(NamedTuple):
    """One format: its name and layout for people, and the functions that recognise and read its table.

    general: whether others are asked first, as the layout is nobody's in particular.
    """

    name: str
    layout: str
    matches: Callable[[Table], bool]
    read: Callable[[Table, ReadOptions], xr.Dataset]
    general: bool = False


class Lines(NamedTuple):
    """Votes of one candidate, party or ballot line in one district, line by line.

    Attributes:
        table: where they are from, with notes on how it was read.
        row: of the table, from 0, of each line.
        district, districts: its number, and the labels of all.
        party, parties: its number, and the labels of all; those of one label are one.
        votes: of the line.
        column: position of the votes in the table, for errors.
        rank: place in the district as declared, which settles a tie at the top; None: unknown.
        candidate: number of the person, -1: a line by itself; None: all are.
    """

    table: Table
    row: np.ndarray
    district: np.ndarray
    districts: Sequence[str]
    party: np.ndarray
    parties: Sequence[str]
    votes: np.ndarray
    column: int
    rank: np.ndarray | None = None
    candidate: np.ndarray | None = None

    def take(self, kept: np.ndarray) -> "Lines":
        """Some of the lines."""
        return self._replace(
            row=self.row[kept],
            district=self.district[kept],
            party=self.party[kept],
            votes=self.votes[kept],
            rank=None if self.rank is None else self.rank[kept],
            candidate=None if self.candidate is None else self.candidate[kept],
        )

    def noted(self, *notes: str) -> "Lines":
        """The same lines with further notes."""
        return self._replace(table=self.table.noted(*notes))


def district_labels(table: Table, position: int, *others: int | None) -> tuple[np.ndarray, list[str]]:
    """District of each row, and the labels: the name, with what other columns say where several share a name."""
    column = table.labels(position, "a name")
    apart = [p for p in others if p is not None and p != position and len(np.unique(table.columns[p].codes)) > 1]
    code, first = numbered(row_keys(table, [position, *apart]))
    names = [column.at(row) for row in first]
    often = Counter(names)

    def said(row: int) -> str:
        return ", ".join(filter(None, (table.columns[p].at(row) for p in apart)))

    return code, [n if often[n] == 1 else f"{n} ({said(row)})" for n, row in zip(names, first, strict=True)]


def asked_district(table: Table, options: ReadOptions, *apart: str) -> tuple[np.ndarray, list[str]] | None:
    """Districts by the column that `district=` names, told apart by columns above it; None where it is not given."""
    if options.district is None:
        return None
    position = table.asked(options.district, "district")
    above = [p for name in (*apart, "state", "state_po") if (p := find_word(table, name, taken=[position])) is not None]
    wider = set(above) if position != find_word(table, "county") else set(above) - {find_word(table, "precinct")}
    return district_labels(table, position, *sorted(wider))


def party_codes(column: Column, no_choice: bool = False) -> tuple[np.ndarray, list[str]]:
    """Party of each row, and the labels; a missing one is "others"; spoilt ballots are NOTA where that is asked."""
    labels = [
        NOTA
        if no_choice and fold(text) in NO_CHOICE
        else OTHERS
        if not text or fold(text) in NOBODY
        else party_label(text)
        for text in column.texts
    ]
    order = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    return np.array([order[label] for label in labels], np.int64)[column.codes], list(order)


def candidate_codes(table: Table, *positions: int) -> tuple[np.ndarray, np.ndarray, Table]:
    """Person of each row, -1 where it is nobody's; which rows are spoilt ballots; the table with notes."""
    keys, nobody, spoilt, marked = [], np.ones(len(table), bool), np.zeros(len(table), bool), 0
    for position in positions:
        column = table.columns[position]
        names = [_MARKS.sub("", text) if "*" in text or text.endswith(")") else text for text in column.texts]
        marked += sum(name != text for name, text in zip(names, column.texts, strict=True))
        order: dict[str, int] = {}
        codes = np.array([order.setdefault(name.casefold(), len(order)) for name in names])[column.codes]
        keys.append(Column(column.name, codes.astype(np.int32), tuple(order)))
        folded = [fold(name) for name in names]
        nobody &= np.array([not name or name in NOBODY for name in folded], bool)[column.codes]
        spoilt |= np.array([name in NO_CHOICE for name in folded], bool)[column.codes]
    plain = Table(table.file, table.lines, tuple(keys))
    code, _ = numbered(row_keys(plain, range(len(keys))))
    code = np.where(nobody | spoilt, -1, code)
    return code, spoilt, table.noted("marks at names of candidates left out") if marked else table


def counted(table: Table, positions: Sequence[int], options: ReadOptions) -> tuple[np.ndarray, Table]:
    """Votes of some columns, [n, m]; -1 where a cell is missing. Shares are multiplied where `total=` is given.

    Words such as "unopposed" are missing votes, too: who has them won without a poll.
    """
    table = _without_walkovers(table, positions)
    _no_suppressed(table, positions)
    if options.total is None:
        try:
            return np.stack([table.counts(p, missing=-1) for p in positions], axis=1), table
        except ElectionDataError as error:
            if "not a whole number" not in str(error):
                raise
            raise ElectionDataError(f"{error}, or pass total= with the column of all votes") from None
    at = table.asked(options.total, "total")
    totals = table.counts(at)
    shares = np.stack([table.numbers(p, "a share", low=0) for p in positions], axis=1)
    largest = np.nanmax(shares, initial=0.0)
    scale = 1.0 if largest <= 1 else 0.01
    if largest > 100:
        row, k = np.unravel_index(np.nanargmax(shares), shares.shape)
        raise table.fault(
            f"{shares[row, k]:g} is no share",
            int(row),
            positions[int(k)],
            expected="shares, which total= multiplies",
            mend="leave out total= where votes are counts",
        )
    votes = np.rint(shares * scale * totals[:, None])
    said = f"shares multiplied by {table.names[at]!r}"
    return np.where(np.isnan(votes), -1, votes).astype(np.int64), table.noted(said)


def _without_walkovers(table: Table, positions: Sequence[int]) -> Table:
    """The table in which cells of votes that say that there was no poll are blank."""
    columns, count = list(table.columns), 0
    for position in positions:
        column = columns[position]
        said = np.array([fold(text) in WALKOVERS for text in column.texts], bool)
        if said[column.codes].any():
            count += int(said[column.codes].sum())
            texts = dict.fromkeys("" if gone else text for text, gone in zip(column.texts, said, strict=True))
            order = {text: k for k, text in enumerate(texts)}
            new = ["" if gone else text for text, gone in zip(column.texts, said, strict=True)]
            codes = np.array([order[text] for text in new], np.int32)[column.codes]
            columns[position] = Column(column.name, codes, tuple(order))
    if not count:
        return table
    return replace(table, columns=tuple(columns)).noted(f"{count} cells say that there was no poll, and are no votes")


def _no_suppressed(table: Table, positions: Sequence[int]) -> None:
    """Refuse votes that are withheld: who has them stood, so that they are no blank, and cannot be summed."""
    if table.style.suppressed != "missing":
        return
    for position in positions:
        column = table.columns[position]
        hidden = np.array([is_suppressed(text) for text in column.texts], bool)[column.codes]
        mend = "pass suppressed= the number to count: votes of a district cannot be summed without it"
        table.refuse(hidden, position, lambda row, at=column.at: f"{at(row)!r} is a suppressed number", "votes", mend)  # type: ignore[misc]


def reject_repeats(lines: Lines, parts: Sequence[int], position: int, options: ReadOptions) -> None:
    """Refuse rows of one candidate, or of one party where none is named, that differ in nothing but their votes.

    Args:
        lines: a row of the table each; those of nobody, or without candidates of no party, are each by itself.
        parts: positions of the columns that tell apart rows of one candidate or party.
        position: of the party, for errors.
        options: whether rows that repeat another word for word are counted.
    """
    table = lines.table
    if options.repeated == "keep":
        every = row_keys(table, range(len(table.columns)))
        lines = lines.take(np.unique(every, return_index=True)[1])
    key = row_keys(table, parts)[lines.row]
    # without candidates parties are as they are written: undervotes and overvotes are both for nobody
    party = table.columns[position].codes[lines.row].astype(np.int64) if lines.candidate is None else lines.party
    for code in (lines.district, party, *([] if lines.candidate is None else [lines.candidate + 1])):
        key = numbered(key)[0] * (int(code.max(initial=0)) + 1) + code
    alone = table.columns[position].blank[lines.row] if lines.candidate is None else lines.candidate < 0
    key = np.where(alone, -1 - np.arange(len(key)), key)
    told = "" if lines.candidate is None else "one candidate of "

    def said(line: int) -> str:
        district, label = lines.districts[lines.district[line]], lines.parties[lines.party[line]]
        return f"{told}party {label!r} is in district {district!r}"

    mend = "merge the rows, add a column candidate, or add a column district_no that differs"
    table.take(lines.row).no_repeats(key, position, said, mend)


def no_blank_votes(lines: Lines) -> Lines:
    """Votes that are missing are refused, but where all of a district are: nobody voted in it."""
    blank = lines.votes < 0
    if not blank.any():
        return lines
    some = np.bincount(lines.district, ~blank, len(lines.districts)) > 0
    bad = np.zeros(len(lines.table), bool)
    bad[lines.row[blank & some[lines.district]]] = True
    mend = "write 0 if nobody voted so, or remove the row"
    lines.table.refuse(bad, lines.column, "the cell is blank", "a whole number, 0 or more", mend)
    return lines._replace(votes=np.where(blank, 0, lines.votes))


def one_for_each(lines: Lines, position: int, values: np.ndarray, said: Callable[[int], Any]) -> np.ndarray:
    """What a column says of each district on each of its rows: the row that says it, -1 where none does.

    Args:
        lines: their rows.
        position: of the column, for errors.
        values: of each row of the table, the same for the same, negative where missing.
        said: what a row says, for errors.
    """
    table, rows = lines.table, lines.row
    told = np.flatnonzero(values[rows] >= 0)
    first = np.full(len(lines.districts), -1)
    first[lines.district[told][::-1]] = rows[told][::-1]  # the last assignment holds
    differs = np.zeros(len(table), bool)
    before = np.full(len(table), -1)
    before[rows[told]] = first[lines.district[told]]
    differs[rows[told]] = values[rows[told]] != values[before[rows[told]]]
    if differs.any():
        row = int(differs.argmax())
        at = int(before[row])
        name = lines.districts[lines.district[told][rows[told] == row][0]]
        raise table.fault(
            f"district {name!r} has {said(row)!r} here and {said(at)!r} in row {int(table.lines[at])}",
            row,
            position,
            expected="one value per district",
            mend="correct one of the two rows",
        )
    return first


def electors_of(lines: Lines, position: int | None) -> tuple[np.ndarray | None, Lines]:
    """Registered electors of every district; none where a district has none, with a warning."""
    if position is None or not lines.table.columns[position].present():
        return None, lines
    values = lines.table.counts(position, missing=-1)
    rows = one_for_each(lines, position, values, lambda row: int(values[row]))
    if (rows >= 0).all():
        return values[rows], lines
    lacking = lines.districts[int((rows < 0).argmax())]
    note = f"no electors for {int((rows < 0).sum())} districts, such as {lacking!r}: electors left out of the election"
    data_warning(note, where=lines.table.file, column=lines.table.names[position])
    return None, lines.noted(note)


def check_totals(lines: Lines, position: int | None) -> None:
    """Warn where a district's votes differ from its total in a column: rows may be missing."""
    if position is None or not lines.table.columns[position].present():
        return
    table = lines.table
    totals = table.counts(position, missing=-1)[lines.row]
    summed = np.bincount(lines.district, lines.votes, len(lines.districts))
    most = np.full(len(lines.districts), -1)
    np.maximum.at(most, lines.district, totals)
    wrong = (most >= 0) & (most != summed)
    if not wrong.any():
        return
    first = int(wrong.argmax())
    row = int(lines.row[(lines.district == first).argmax()])
    near = abs(most[first] - summed[first]) <= max(FEW * most[first], 5)
    why = "a few votes are elsewhere" if near else "are rows missing?"
    more = f"; so in {int(wrong.sum())} districts" if wrong.sum() > 1 else ""
    data_warning(
        f"the votes of {lines.districts[first]!r} sum to {int(summed[first])}, not {most[first]}: {why}{more}",
        where=table.file,
        row=int(table.lines[row]),
        column=table.names[position],
    )


def one_seat(table: Table) -> None:
    """Refuse districts of several seats: a column of them above 1."""
    for name in words_of("magnitude"):
        position = table.find(name)
        if position is None or not table.is_numeric(position):
            continue
        seats = table.numbers(position)
        if (seats > 1).any():
            row = int((seats > 1).argmax())
            raise table.fault(
                f"a district with {seats[row]:g} seats",
                row,
                position,
                expected="districts of one seat",
                mend=f"leave them out with where={{{table.names[position]!r}: 1}}",
            )


def no_totals(table: Table, options: ReadOptions, *names: str) -> Table:
    """The table without rows whose label in one of these columns, or of parts of districts, says that they add up."""
    places = [find_word(table, name) for name in (*names, "county", "precinct")]
    places += [] if options.district is None else [table.asked(options.district, "district")]
    return without_totals(table, sorted({p for p in places if p is not None}), [], options.totals)
