"""The counted cross-tables of contests, joined to the options of their units."""

from dataclasses import replace

import numpy as np

from electjax.labelled.ballots.records import Batch
from electjax.labelled.booths.tables import near
from electjax.labelled.errors import ElectionDataError, data_error
from electjax.labelled.units.draft import Draft, within
from electjax.labelled.units.long import contests_of
from electjax.labelled.units.schema import disagree
from electjax.labelled.units.table import VOTES, amounts, coded, need

_ROW = ("row", "group", "list", "race", "from", "party")
_COLUMN = ("column", "candidate", "choice", "to", "party")


SLIPS = 0.1  # most of a contest's votes that may be elsewhere if options are still to be taken in order


def join_truth(draft: Draft, batch: Batch) -> Draft:
    """The truth [D, R, C] of a table with contest, row, column and votes; NaN in contests that it lacks.

    Options are joined by name where all names of the truth are those of the units, else in order of appearance, as
    spellings differ between files, or by their votes where the order does not fit. A contest whose options cannot be
    told has no truth, and `notes` says so.

    Raises:
        ElectionDataError: no common contest, or none whose options can be told.
    """
    area, contests, keys = contests_of(batch, None)
    row = need(batch, _ROW, "rows")
    column = need(batch, [name for name in _COLUMN if name.casefold() != row.casefold()], "columns")
    votes = amounts(batch, need(batch, VOTES, "votes"), "votes")
    sides = [coded(batch, name) for name in (row, column)]
    (r, r_names), (c, c_names) = sides
    (i, r_own), (j, c_own) = within(area, r, len(contests)), within(area, c, len(contests))
    counted = np.zeros((len(contests), i.max() + 1, j.max() + 1))
    np.add.at(counted, (area, i, j), votes)  # options of one name are one, as in the units
    target = _contests(draft, batch, contests, keys)
    truth = np.full((len(draft.contests), *(side.votes.shape[1] for side in (draft.rows, draft.columns))), np.nan)
    joined = {"by name": 0, "in order": 0, "by votes": 0}
    faults: list[ElectionDataError] = []
    both = ((draft.rows, r_own, r_names, row), (draft.columns, c_own, c_names, column))
    for t, d in enumerate(target):
        if d < 0:
            continue
        table = counted[t, : len(r_own[t]), : len(c_own[t])]
        places: list[list[int]] = []
        ways: list[str] = []
        for axis, (side, own, names, name) in enumerate(both):
            said, options = [names[k] for k in own[t]], side.names[d]
            total = side.votes[draft.of == d].sum(axis=0)[: len(options)]
            place, how = _places(said, options, table.sum(axis=1 - axis), total)
            if place is None:
                faults.append(_too_many(batch, draft.contests[d], name, options, said))
                break
            places.append(place)
            ways.append(how)
        else:
            truth[d] = 0
            np.add.at(truth[d], np.ix_(places[0], places[1]), table)
            for how in ways:
                joined[how] += 1
    lost = [str(fault) for fault in faults]
    if faults and not any(joined.values()):
        raise faults[0]
    if lost:
        draft = replace(draft, notes=[*draft.notes, f"{len(lost)} contests are without their truth: {lost[0]}"])
    found = replace(draft, truth=truth, notes=[*draft.notes, *_joined(draft, batch, target, joined)])
    return replace(found, notes=[*found.notes, *other_margins(found)])


def _places(
    said: list[str], options: list[str], counted: np.ndarray, total: np.ndarray
) -> tuple[list[int] | None, str]:
    """Place of each option of the truth among those of the units, None where they cannot be told; and how it was found.

    Names that agree decide. The others are taken in order; where that does not fit, and votes tell them, by their
    votes; those without a vote do not matter.
    """
    if set(said) <= set(options):
        return [options.index(name) for name in said], "by name"
    if len(said) == len(options) and not disagree(counted, total.astype(float)).any():
        return list(range(len(said))), "in order"
    free = [k for k, name in enumerate(options) if name not in said]
    place = [options.index(name) if name in options else -1 for name in said]
    for k in np.flatnonzero(np.array(place) < 0).tolist():
        same = [f for f in free if not disagree(counted[[k]], total[[f]].astype(float)).any()]
        if len(same) == 1 or (same and counted[k] == 0):
            place[k] = same[0]
            free.remove(same[0])
        elif counted[k] == 0:
            place[k] = 0
    if min(place) >= 0:
        return place, "by votes"
    near_enough = len(said) == len(options) and np.abs(counted - total).sum() <= SLIPS * total.sum()
    return (list(range(len(said))), "in order") if near_enough else (None, "")


def sum_truth(draft: Draft) -> Draft:
    """The truth of contests as the sum of their units'."""
    if draft.unit_truth is None:
        return draft
    truth = np.zeros((len(draft.contests), *draft.unit_truth.shape[1:]))
    np.add.at(truth, draft.of, draft.unit_truth)
    apart = sum(
        disagree(draft.unit_truth.sum(axis=2 - axis), side.votes.astype(float)).any(axis=1)
        for axis, side in enumerate((draft.rows, draft.columns))
    )
    units = int((np.asarray(apart) > 0).sum())
    notes = [f"the truth of {units} of {len(draft.of)} units has other margins than the unit"] if units else []
    found = replace(draft, truth=truth, notes=[*draft.notes, *notes])
    return replace(found, notes=[*found.notes, *other_margins(found)])


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


def _contests(draft: Draft, batch: Batch, contests: list[str], keys: list[tuple[str, ...]]) -> list[int]:
    """Contest of the units for each of the truth, -1 for none."""
    if len(draft.contests) == 1 and keys == [("all",)]:
        return [0]
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
            where=batch.file,
            expected="contests as in the units",
            mend=near(contests[0], draft.contests),
        )
    used = [d for d in target if d >= 0]
    if len(set(used)) < len(used):
        d = next(d for d in used if used.count(d) > 1)
        problem = f"two contests that could be {draft.contests[d]!r}"
        raise data_error(problem, where=batch.file, expected="one for each of the units", mend="rename one")
    return target


def _too_many(batch: Batch, contest: str, column: str, names: list[str], said: list[str]) -> ElectionDataError:
    return data_error(
        f"{len(said)} options of {contest!r}, such as {next(n for n in said if n not in names)!r}",
        where=batch.file,
        column=column,
        expected=f"the {len(names)} of the units, or names that are theirs: {', '.join(names[:12])}",
        mend="give the contest the same options in both files",
    )


def _joined(draft: Draft, batch: Batch, target: list[int], joined: dict[str, int]) -> list[str]:
    """How contests and options of the truth were joined."""
    used = [d for d in target if d >= 0]
    ways = [f"{n} times {how}" for how, n in joined.items() if n]
    notes = [f"the truth of {batch.file} is joined to {len(used)} contests, their rows and columns {', '.join(ways)}"]
    without = [label for d, label in enumerate(draft.contests) if d not in used]
    if without:
        notes.append(f"{len(without)} contests have no truth: {', '.join(without[:5])}")
    if len(used) < len(target):
        notes.append(f"the truth has {len(target) - len(used)} contests that the units lack")
    return notes
