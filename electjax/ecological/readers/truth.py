"""The counted cross-tables of contests, joined to the options of their units."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from electjax.data.errors import ElectionDataError, data_error
from electjax.data.rows import without_totals
from electjax.data.table import Table, near
from electjax.data.vocabulary import words_of
from electjax.ecological.keys import tidy
from electjax.ecological.options import UnitsOptions
from electjax.ecological.readers.columns import VOTES, amounts, coded, contest_columns, contests_of, needed, theirs
from electjax.ecological.readers.draft import Draft, within
from electjax.ecological.schema import DID_NOT_VOTE, disagree

_ROW = ("row", "group", "list", "race", "from", "party")
NO_CONTEST = [("all",)]  # what `contests_of` says without a column for it
_COLUMN = ("column", "candidate", "choice", "to", "party")

SLIPS = 0.1  # most of the votes that may be elsewhere if options are still to be taken in order, or a total for theirs


class Counted(NamedTuple):
    """What a table of the truth says of contests.

    Attributes:
        file: its name.
        contests: their labels, and `keys`, all that they are called.
        columns: what the table calls its rows and its columns.
        said: names of options, of rows and of columns of each contest.
        tables: of each contest.
    """

    file: str
    contests: list[str]
    keys: list[tuple[str, ...]]
    columns: tuple[str, str]
    said: list[tuple[list[str], list[str]]]
    tables: list[np.ndarray]


def join_truth(draft: Draft, table: Table, given: UnitsOptions) -> Draft:
    """The truth [D, R, C] of a table with contest, row, column and votes; NaN in contests that it lacks.

    Options are joined by name, in any spelling; the others by their votes, or in order of appearance where as many are
    left and their votes are near. Who did not vote, and is not in the table, is what the other side's margin leaves. A
    contest whose options cannot be told, or whose total is another, has no truth, and `notes` says so.

    Raises:
        ElectionDataError: no common contest, or none that can be joined.
    """
    counted = _counted(table, given)
    target = _contests(draft, counted)
    truth = np.full((len(draft.contests), *(side.votes.shape[1] for side in (draft.rows, draft.columns))), np.nan)
    joined = {"by name": 0, "in order": 0, "by votes": 0}
    faults: list[ElectionDataError] = []
    for said, cells, d in zip(counted.said, counted.tables, target, strict=True):
        if d < 0:
            continue
        try:
            truth[d], ways = _placed(draft, d, said, cells, counted.columns, counted.file)
        except ElectionDataError as fault:
            faults.append(fault)
            continue
        for how in ways:
            joined[how] += 1
    if faults and not any(joined.values()):
        raise faults[0]
    notes = [f"{len(faults)} contests are without their truth: {faults[0]}"] if faults else []
    found = replace(draft, truth=truth).noted(*table.notes, *notes, *_joined(draft, counted.file, target, joined))
    return found.noted(*other_margins(found))


def _counted(table: Table, given: UnitsOptions) -> Counted:
    contest = theirs(table, given.contest)
    taken = contest_columns(table, contest)
    row = _free_column(table, _ROW, taken, "for rows")
    column = _free_column(table, _COLUMN, [*taken, row], "for columns")
    amount = needed(table, theirs(table, given.votes), VOTES, "votes")
    table = without_totals(table, [*taken, row, column], [], given.totals, what="cell")
    area, contests, keys = contests_of(table, taken)
    (r, r_names), (c, c_names) = (coded(table, position) for position in (row, column))
    (i, r_own), (j, c_own) = within(area, r, len(contests)), within(area, c, len(contests))
    if not taken and not table.has(*words_of("unit")) and len(np.unique(np.stack([r, c]), axis=1).T) < len(r):
        others = ", ".join(name for p, name in enumerate(table.names) if p not in (row, column, amount))
        raise data_error(
            "no column for the contest, and cells that are there twice",
            where=table.file,
            row=table.header,
            expected="a contest for each table",
            mend=f"pass contest=, as in the units, or rename one of {others}" if others else "add the contest",
        )
    cells = np.zeros((len(contests), i.max() + 1, j.max() + 1))
    np.add.at(cells, (area, i, j), amounts(table, [amount])[:, 0])  # options of one name are one, as in the units
    said = [([r_names[k] for k in r_own[t]], [c_names[k] for k in c_own[t]]) for t in range(len(contests))]
    tables = [cells[t, : len(rows), : len(columns)] for t, (rows, columns) in enumerate(said)]
    return Counted(table.file, contests, keys, (table.names[row], table.names[column]), said, tables)


def _free_column(table: Table, usual: tuple[str, ...], taken: list[int], what: str) -> int:
    """Position of the first of the usual columns that is not taken."""
    names = [name for name in usual if table.find(name) not in taken]
    return table.need(*names, what=what)


def _placed(
    draft: Draft, d: int, said: tuple[list[str], list[str]], table: np.ndarray, columns: tuple[str, str], file: str
) -> tuple[np.ndarray, list[str]]:
    """A contest's counted table with the places of its options [R, C], and how both sides were joined."""
    totals = [side.votes[draft.of == d].sum(axis=0).astype(float) for side in (draft.rows, draft.columns)]
    named = [side.names[d] for side in (draft.rows, draft.columns)]
    away = [options.index(DID_NOT_VOTE) if DID_NOT_VOTE in options else -1 for options in named]
    stayed = [total[k] if k >= 0 else 0.0 for k, total in zip(away, totals, strict=True)]
    possible = [totals[1].sum() - away for away in (0.0, *stayed, sum(stayed))]
    if not near_total(table.sum(), possible):
        raise _other_total(file, draft.contests[d], table.sum(), totals[1].sum())
    places: list[list[int]] = []
    ways: list[str] = []
    for axis, (options, total) in enumerate(zip(named, totals, strict=True)):
        place, how = _places(said[axis], options, table.sum(axis=1 - axis), total)
        if min(place) < 0:
            raise _unknown(file, draft.contests[d], columns[axis], options, said[axis], place)
        places.append(place)
        ways.append(how)
    truth = np.zeros((len(totals[0]), len(totals[1])))
    np.add.at(truth, np.ix_(places[0], places[1]), table)
    lacks = [k >= 0 and k not in place for k, place in zip(away, places, strict=True)]
    if all(lacks):
        raise data_error(
            f"cells of {draft.contests[d]!r} without those who did not vote, who are on both sides",
            where=f"{file}, truth",
            expected="cells of all electors",
            mend="leave electors or the truth out",
        )
    if lacks[0]:
        truth[away[0]] = np.maximum(totals[1] - truth.sum(axis=0), 0)
    if lacks[1]:
        truth[:, away[1]] = np.maximum(totals[0] - truth.sum(axis=1), 0)
    return truth, ways


def _places(said: list[str], options: list[str], counted: np.ndarray, total: np.ndarray) -> tuple[list[int], str]:
    """Place of each option of the truth among those of the units, -1 where it cannot be told; and how they were found.

    Names that agree decide, as written or `tidy`. What is left is joined in order if that fits all votes, else by votes
    that are those of one option only, else in order where as many are left on both sides, one each or with few votes
    elsewhere. Options without a vote do not matter.
    """
    place = [options.index(name) if name in options else -1 for name in said]
    folded = [tidy(name) for name in options]
    for k in _left(place):
        same = [f for f in _free(place, options) if folded[f] == tidy(said[k])]
        place[k] = same[0] if len(same) == 1 else -1
    left, free = _left(place), _free(place, options)
    if not left:
        return place, "by name"
    slots = _slots(free, len(left), options)
    votes = total[slots].sum()

    def alike(k: int, f: int) -> bool:
        return not disagree(counted[[k]], total[[f]]).any()

    if len(slots) == len(left) and all(map(alike, left, slots)):
        for k, f in zip(left, slots, strict=True):
            place[k] = f
        return place, "in order"
    told = {k: [f for f in free if alike(k, f)] for k in left if counted[k] > 0}
    for k, found in told.items():
        if len(found) == 1 and sum(found[0] in other for other in told.values()) == 1:
            place[k] = found[0]
    left, free = [k for k in _left(place) if counted[k] > 0], _free(place, options)
    slots = _slots(free, len(left), options)
    if len(slots) != len(left):
        slots = [f for f in slots if total[f] > 0]
    how = "by votes"
    if left and len(slots) == len(left):
        only = len(left) == 1 and options[slots[0]] != DID_NOT_VOTE
        if only or np.abs(counted[left] - total[slots]).sum() <= SLIPS * votes:
            how = "in order"
            for k, f in zip(left, slots, strict=True):
                place[k] = f
    return [0 if p < 0 and counted[k] == 0 else p for k, p in enumerate(place)], how


def _left(place: list[int]) -> list[int]:
    """Options of the truth without a place."""
    return [k for k, p in enumerate(place) if p < 0]


def _free(place: list[int], options: list[str]) -> list[int]:
    """Options of the units that none of the truth has."""
    return [f for f in range(len(options)) if f not in place]


def _slots(free: list[int], wanted: int, options: list[str]) -> list[int]:
    """Options that are free, without those who did not vote if these are one too many."""
    return free if len(free) == wanted else [f for f in free if options[f] != DID_NOT_VOTE]


def near_total(found: float, totals: Iterable[float]) -> bool:
    """Whether there are votes, about as many as in one of the totals."""
    return bool(found > 0) and any(abs(found - total) <= SLIPS * total for total in totals)


def _other_total(file: str, contest: str, found: float, total: float) -> ElectionDataError:
    return data_error(
        f"the truth of {contest!r} adds up to {found:g}, its units to {total:g}",
        where=f"{file}, truth",
        expected="counts of the contest's voters",
        mend="multiply shares by the voters, or leave the contest out",
    )


def sum_truth(draft: Draft) -> Draft:
    """The truth of contests as the sum of their units'."""
    if draft.unit_truth is None:
        return draft
    truth = np.zeros((len(draft.contests), *draft.unit_truth.shape[1:]))
    np.add.at(truth, draft.of, draft.unit_truth)
    draft, truth = _without_far(draft, truth)
    cells = np.asarray(draft.unit_truth)
    apart = [
        disagree(cells.sum(axis=2 - axis), side.votes.astype(float)).any(axis=1)
        for axis, side in enumerate((draft.rows, draft.columns))
    ]
    units = int(np.any(apart, axis=0).sum())
    notes = [f"the truth of {units} of {len(draft.of)} units has other margins than the unit"] if units else []
    found = replace(draft, truth=truth).noted(*notes)
    return found.noted(*other_margins(found))


def _without_far(draft: Draft, truth: np.ndarray) -> tuple[Draft, np.ndarray]:
    """The draft and the truth of its contests, unknown where those who voted are not about as many as in the units."""
    assert draft.unit_truth is not None
    width = draft.columns.votes.shape[1]
    voted = np.array(
        [[name != DID_NOT_VOTE for name in own] + [True] * (width - len(own)) for own in draft.columns.names]
    )
    counted = (truth.sum(axis=1) * voted).sum(axis=1)
    totals = (draft.columns.totals(draft.of) * voted).sum(axis=1)
    far = np.array([not near_total(c, [t]) for c, t in zip(counted.tolist(), totals.tolist(), strict=True)])
    if not far.any():
        return draft, truth
    d = int(far.argmax())
    fault = _other_total(draft.where, draft.contests[d], counted[d], totals[d])
    if far.all():
        raise fault
    truth = np.where(far[:, None, None], np.nan, truth)
    units = np.where(far[draft.of][:, None, None], np.nan, draft.unit_truth)
    notes = [*draft.notes, f"{int(far.sum())} contests are without their truth: {fault}"]
    return replace(draft, unit_truth=units, notes=notes), truth


def other_margins(draft: Draft) -> list[str]:
    """A sentence on each contest whose truth has other margins than its units."""
    if draft.truth is None:
        return []
    said = []
    for side, axis in ((draft.rows, 2), (draft.columns, 1)):
        counted, own = draft.truth.sum(axis=axis), side.totals(draft.of)
        differ = disagree(counted, own.astype(float)).any(axis=1) & ~np.isnan(counted).any(axis=1)
        said += [
            f"the truth of {draft.contests[d]!r} has other {'rows' if axis == 2 else 'columns'} than its units:"
            f" {np.abs(counted[d] - own[d]).sum() / 2:g} of {own[d].sum():g} votes are elsewhere"
            for d in np.flatnonzero(differ)
        ]
    return said


def _contests(draft: Draft, counted: Counted) -> list[int]:
    """Contest of the units for each of the truth, -1 for none."""
    contests, keys = counted.contests, counted.keys
    if len(draft.contests) == 1 and (keys == NO_CONTEST or (draft.keys == NO_CONTEST and len(keys) == 1)):
        return [0]
    if NO_CONTEST in (draft.keys, keys):
        one, other = (counted.file, draft.where) if keys == NO_CONTEST else (draft.where, counted.file)
        many = len(draft.contests) if keys == NO_CONTEST else len(contests)
        raise data_error(
            f"no column for the contest, but {many} contests in {other}",
            where=one,
            expected="the same contests in units and truth",
            mend="pass contest=, the column that names them in both",
        )
    known: dict[tuple[str, ...] | str, int] = {}
    for rank in (None, 1, 2, 0):  # number and name, then the name, the label, the number alone
        for d, own in enumerate(draft.keys):
            if rank is None or rank < len(own):
                known.setdefault(own[:2] if rank is None else own[rank], d)
    target = []
    for own in keys:
        tries = [own[:2], *own[1:], own[0]]
        target.append(next((known[name] for name in tries if name in known), -1))
    if max(target) < 0:
        raise data_error(
            f"no contest of the units, such as {contests[0]!r}",
            where=counted.file,
            expected="contests as in the units",
            mend=near(contests[0], draft.contests),
        )
    used = [d for d in target if d >= 0]
    if len(set(used)) < len(used):
        d = next(d for d in used if used.count(d) > 1)
        problem = f"two contests that could be {draft.contests[d]!r}"
        raise data_error(problem, where=counted.file, expected="one for each of the units", mend="rename one")
    return target


def _unknown(
    file: str, contest: str, column: str, options: list[str], said: list[str], place: list[int]
) -> ElectionDataError:
    return data_error(
        f"{len(said)} options of {contest!r}, such as {said[place.index(-1)]!r}",
        where=file,
        column=column,
        expected=f"the {len(options)} of the units, or names that are theirs: {', '.join(options[:12])}",
        mend="give the contest the same options in both files",
    )


def _joined(draft: Draft, file: str, target: list[int], joined: dict[str, int]) -> list[str]:
    """How contests and options of the truth were joined."""
    used = [d for d in target if d >= 0]
    ways = [f"{n} times {how}" for how, n in joined.items() if n]
    notes = [f"the truth of {file} is joined to {len(used)} contests, their rows and columns {', '.join(ways)}"]
    without = [label for d, label in enumerate(draft.contests) if d not in used]
    if without:
        notes.append(f"{len(without)} contests have no truth: {', '.join(without[:5])}")
    if len(used) < len(target):
        notes.append(f"the truth has {len(target) - len(used)} contests that the units lack")
    return notes
