"""Totals of units: both sides must have the same. Shares of a total are made counts, and who did not vote an option."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from electjax.data.errors import data_error, data_warning
from electjax.data.labels import OTHERS
from electjax.ecological.options import UnitsOptions
from electjax.ecological.readers.draft import Draft, Side
from electjax.ecological.readers.sums import without_sums
from electjax.ecological.schema import DID_NOT_VOTE, disagree, whole

LOUD = 0.03  # of a unit's voters: rows that are scaled by more are worth a warning
MUCH = 0.05  # the same of what margins leave of a total, which the caller named
ABOUT = 0.01  # of a total: what shares may exceed it by
NEAR = 0.05  # of a voter: shares that give no more than this beside whole numbers come from counts
SEVERAL = 4  # units of 90 to 101 voters each that are percentages, not chance
GOLDEN = 0.6180339887498949
_WHICH = ("rows", "columns")


def settle_totals(draft: Draft, options: UnitsOptions, total: str | None) -> Draft:
    """The units with the same total on both sides, counts of people, without empty ones.

    Args:
        draft: as a reader found it.
        options: how it is read.
        total: the column that shares may be of, for the error where the caller does not name one.
    """
    draft = _with_total(_without_missing(draft), options.rest, total)
    draft = without_sums(draft, options.totals)
    draft = _with_equal_totals(_with_electors(draft, rescale=options.rescale), rescale=options.rescale)
    return _without_empty(draft)


class _Parts(NamedTuple):
    """A side as parts of a total.

    Attributes:
        share: of each option, [N, K]; votes where the file has counts.
        left: the share of none of them, [N].
        scale: what the file's shares are of: 1, or 100 of percentages; None where it has counts.
        of: total or electors.
    """

    share: np.ndarray
    left: np.ndarray
    scale: float | None
    of: str


def scale_of(votes: np.ndarray, total: np.ndarray | None = None) -> float | None:
    """What margins [N, K] are shares of: 1, or 100 of percentages; None of counts.

    Whole percentages can be told from counts by the totals only.
    """
    sums, most = votes.sum(axis=1), votes.max()
    there = sums > 0
    if not there.any():
        return None
    parts = not (votes == np.floor(votes)).all()
    people = 0.0 if total is None else float(np.median(total))
    if most <= 1 + ABOUT and (parts or people > 1):
        return 1.0
    if most > 100 * (1 + ABOUT) or (total is not None and np.median(np.abs(sums - total)) <= ABOUT * people):
        return None
    full = bool(90 <= np.median(sums[there]) <= 100 * (1 + ABOUT) and (sums[there] > 50).all())
    return 100.0 if (parts and (full or people > 0)) or (full and people > 100 * (1 + ABOUT)) else None


def _with_total(draft: Draft, rest: str, usual: str | None) -> Draft:
    """Counts of shares and of percentages, and an option for who is in the total and on no side."""
    total, electors = draft.total, draft.electors
    if total is None:
        _refuse_shares(draft, usual)
        return draft
    base = [electors if electors is not None and draft.kind == "groups" else total, total]
    closed = [False, electors is not None and bool((electors == total).all())]  # these leave who did not vote
    scales = [scale_of(side.votes, of) for side, of in zip(_sides(draft), base, strict=True)]
    if 100.0 in scales and None in scales and _sides(draft)[scales.index(None)].votes.max() <= 100:
        scales = [100.0, 100.0]
    parts = [_parts(draft, k, base[k], scales[k]) for k in range(2)]
    if rest == "drop" and (parts[1].left > 0).any():
        less = [of * (1 - parts[1].left) for of in base]
        base = [np.rint(part) if (of == np.floor(of)).all() else part for part, of in zip(less, base, strict=True)]
    found, left = draft, []
    for which, side, own, of in zip(_WHICH, _sides(draft), parts, base, strict=True):
        if own.scale is not None:
            said = "percentages" if own.scale == 100 else "shares"
            found = found.noted(f"{which} are {said} and multiplied by the {own.of} of the unit")
            apart = float(np.abs(own.share.sum(axis=1) + own.left - 1).max(where=of > 0, initial=0))
            if apart > 1e-3:
                found = found.noted(f"{which} miss the whole by up to {100 * apart:.2g} % and are scaled to it")
        votes, more = _counted(side.votes, own, of, drop=rest == "drop")
        found = _changed(found, which, votes)
        left.append(more)
    for k, which in enumerate(_WHICH):
        if (parts[k].left > 0).any() and not closed[k]:
            found = found.noted(_said(draft, which, parts[k].left, rest))
            found = _plus(found, which, left[k], OTHERS) if rest == "others" else found
    return found


def _refuse_shares(draft: Draft, usual: str | None) -> None:
    """Refuse shares that nothing makes counts, also rounded to whole numbers: no two places are alike in size."""
    for which, side in zip(_WHICH, _sides(draft), strict=True):
        sums = side.votes.sum(axis=1)
        scale = scale_of(side.votes) or _whole_scale(side.votes)
        if scale is not None:
            size = 1 if scale == 1 else 100
            whole_ones = (side.votes == np.floor(side.votes)).all()
            counts = f", or total={size} if these are counts and every unit has {size} voters" if whole_ones else ""
            column = "" if usual is None else repr(usual)
            raise data_error(
                f"{'shares' if scale == 1 else 'per cent'}: the {which} of every unit add up to about"
                f" {np.median(sums):.3g}",
                where=draft.where,
                expected="counts, as a unit of many voters says more than one of few",
                mend=f"pass total={column}, the column of voters that they are shares of{counts}",
            )


def _whole_scale(votes: np.ndarray) -> float | None:
    """The same of whole numbers: 1 or 100 where all units add up to it, or nearly so and there are several."""
    sums = votes.sum(axis=1)
    if len(sums) > 1 and (sums == 1).all():
        return 1.0
    near = len(sums) > 1 and sums.min() >= 99 and sums.max() <= 101
    return 100.0 if near or (len(sums) >= SEVERAL and sums.min() >= 90 and sums.max() <= 101) else None


def _parts(draft: Draft, k: int, base: np.ndarray, scale: float | None) -> _Parts:
    """A side as parts of what it is a part of."""
    votes, which = _sides(draft)[k].votes, _WHICH[k]
    sums = votes.sum(axis=1)
    of = "electors" if base is draft.electors else "total"
    if scale is None:
        more = "" if k else ", or pass electors= if rows hold all electors"
        draft.refuse(
            disagree(sums, base) & (sums > base),
            lambda i: f"{which} add up to {sums[i]:g}, the {of} to {base[i]:g}",
            "no more voters than there are",
            f"correct the unit{more}",
        )
        left = np.divide(base - sums, base, out=np.zeros(len(sums)), where=disagree(sums, base))
        return _Parts(votes, left, None, of)
    # Shares are rounded, to how many digits tells by how much their sums may miss the whole, in a unit and on average.
    digits = next((d for d in range(8) if np.abs(np.round(votes, d) - votes).max() < 1e-9), 8)
    step, wide = 10.0**-digits / scale, votes.shape[1]
    sums = sums / scale
    draft.refuse(
        (sums > 1 + max(wide * step / 2, ABOUT)) | ((sums == 0) & (base > 0)),
        lambda i: f"{which} are shares that add up to {sums[i] * scale:g}",
        f"at most {scale:g}, and more than 0",
    )
    gap = np.where(sums > 0, 1 - sums, 0.0)
    usual = gap[sums > 0].mean() > max(1e-3, 4 * step * np.sqrt(wide / 12 / len(gap)))
    left = np.where(gap > (0.0 if usual else wide * step / 2 + 1e-9), gap, 0.0)
    return _Parts(votes / scale, left, scale, of)


def _counted(votes: np.ndarray, own: _Parts, base: np.ndarray, *, drop: bool) -> tuple[np.ndarray, np.ndarray]:
    """Counts [N, K] of a side, and of what is left [N]; together the base, in whole numbers where it is in such."""
    if own.scale is None:
        return votes, np.where(own.left > 0, np.maximum(base - votes.sum(axis=1), 0), 0)
    full = np.column_stack([own.share, 0 * own.left if drop else own.left])
    full /= np.maximum(full.sum(axis=1, keepdims=True), 1e-300)
    found = apportioned(full, base) if (base == np.floor(base)).all() else full * base[:, None]
    return found[:, :-1], found[:, -1]


def apportioned(share: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Whole numbers [N, K] that add up to whole totals [N], each next to its share of it.

    Where shares come from counts these are found again. Else what is rounded up differs from unit to unit, so that a
    small group is not rounded to nobody in all of them (systematic sampling, its start the golden ratio's multiples).
    """
    exact = share * total[:, None]
    counted = np.abs(exact - np.rint(exact)).max(axis=1) <= NEAR
    start = np.where(counted, 0.5, np.arange(1, len(total) + 1) * GOLDEN % 1)
    edges = np.minimum(np.floor(np.cumsum(exact, axis=1) + start[:, None]), total[:, None])
    edges[:, -1] = total
    return np.diff(edges, axis=1, prepend=0).astype(np.int64)


def _said(draft: Draft, which: str, left: np.ndarray, rest: str) -> str:
    """What is done with the rest; aloud where it is much."""
    what = f"the option {OTHERS!r}" if rest == "others" else "left out"
    share = float(left.mean())
    said = f"{which} leave {100 * share:.2g} % of the total of a unit on average; that is {what}"
    if share > MUCH:
        data_warning(f"{said}; pass electors= if they did not vote", where=draft.where)
    return said


def _without_missing(draft: Draft) -> Draft:
    """Units all of whose numbers are known."""
    known = [side.votes.sum(axis=1) for side in (draft.rows, draft.columns)]
    known += [values for values in (draft.electors, draft.total) if values is not None]
    missing = np.isnan(np.asarray(known, float)).any(axis=0)
    if not missing.any():
        return draft
    if missing.all():
        mend = "pass suppressed= a number to count"
        raise data_error("no unit without suppressed cells", where=draft.where, expected="units with votes", mend=mend)
    note = f"{int(missing.sum())} of {len(missing)} units with suppressed cells are left out"
    data_warning(note, where=draft.where, row=int(draft.lines[missing.argmax()]))
    found = draft.take(~missing)
    for which, side in zip(_WHICH, _sides(found), strict=True):
        found = _changed(found, which, whole(side.votes))
    return found.noted(note)


def _with_electors(draft: Draft, *, rescale: bool) -> Draft:
    """Close the totals with those who did not vote.

    Where rows are groups, or add up to the electors, they hold all electors, and only the columns get one more. Votes
    on another ballot paper (of an election before, say) leave electors out on both sides: each gets "did not vote".
    """
    electors = draft.electors
    if electors is None:
        return draft
    rows, columns = (side.votes.sum(axis=1) for side in _sides(draft))
    _unlike(draft, columns > electors, ("votes", columns), electors, "no more votes than electors")
    closed = not disagree(rows, electors).any()
    if draft.kind == "votes" and not closed:
        _unlike(draft, rows > electors, ("rows", rows), electors, "no more votes than electors")
        if not disagree(rows, columns).any():
            raise data_error(
                "rows and columns have the same totals without electors",
                where=f"{draft.where}, electors",
                expected="two ballot papers that different numbers used",
                mend="leave electors out: those who used neither would be a row and a column of their own",
            )
        if draft.unit_truth is not None:
            problem, mend = "cells of voters who voted both times", "leave electors or the truth out"
            raise data_error(problem, where=f"{draft.where}, truth", expected="cells of all electors", mend=mend)
        both = _plus(_plus(draft, "rows", electors - rows, DID_NOT_VOTE), "columns", electors - columns, DID_NOT_VOTE)
        return both.noted("electors without a vote on a side are its option 'did not vote'")
    if not closed and not rescale:
        bad = disagree(rows, electors)
        _unlike(draft, bad, ("rows", rows), electors, "the same total (or pass rescale=True)")
    grown = _plus(draft, "columns", electors - columns, DID_NOT_VOTE)
    return grown.noted("electors without a vote are the column 'did not vote'")


def _with_equal_totals(draft: Draft, *, rescale: bool) -> Draft:
    """Refuse units whose rows and columns have different totals, or scale their rows."""
    rows, columns = (side.votes.sum(axis=1) for side in _sides(draft))
    differ = disagree(rows, columns)
    if not differ.any():
        return draft
    lost = (rows == 0) & differ
    if lost.any() or not rescale:
        expected = "voters in the rows of a unit with votes" if rescale else "the same total (or pass rescale=True)"
        more = not rescale and draft.kind == "groups" and bool((rows > columns)[differ].all())
        draft.refuse(
            lost if rescale else differ,
            lambda i: f"rows add up to {rows[i]:g}, columns to {columns[i]:g}",
            expected,
            "correct the unit, or pass electors='rows' if the others did not vote" if more else "correct the unit",
        )
    scale = np.divide(columns, rows, out=np.ones(len(rows)), where=rows > 0)
    votes = np.where(differ[:, None], draft.rows.votes * scale[:, None], draft.rows.votes)
    apart = np.abs(np.where(differ, scale - 1, 0.0))
    i = int(apart.argmax())
    note = (
        f"the rows of {int(differ.sum())} of {len(rows)} units are scaled to the total of their columns, by up to"
        f" {100 * apart[i]:.3g} %"
    )
    if apart[i] > LOUD:
        data_warning(f"{note} ({draft.unit(i)})", where=draft.where, row=int(draft.lines[i]))
    return _changed(draft, "rows", votes).noted(note)


def _without_empty(draft: Draft) -> Draft:
    """Units with voters, and contests that have some."""
    kept = draft.columns.votes.sum(axis=1) > 0
    if kept.all():
        return draft
    if not kept.any():
        raise data_error("no votes", where=draft.where, expected="units with votes", mend="check the columns")
    found = draft.take(kept)
    gone = [label for label in draft.contests if label not in set(found.contests)]
    notes = [f"{len(gone)} contests without votes are left out: {', '.join(gone[:5])}"] if gone else []
    return found.noted(f"{int((~kept).sum())} empty units are left out", *notes)


def _sides(draft: Draft) -> tuple[Side, Side]:
    return draft.rows, draft.columns


def _changed(draft: Draft, which: str, votes: np.ndarray, **more: Any) -> Draft:
    """The units with other votes on one side."""
    side: dict[str, Any] = {which: replace(getattr(draft, which), votes=votes, **more)}
    return replace(draft, **side)


def _plus(draft: Draft, which: str, votes: np.ndarray, name: str) -> Draft:
    """The units with one more option in every contest of a side, after its others; in the truth it has what is left."""
    side, other = _sides(draft)[:: 1 if which == "rows" else -1]
    if any(name in own for own in side.names):
        if name == DID_NOT_VOTE:
            raise data_error(
                f"an option {DID_NOT_VOTE!r} and electors",
                where=draft.where,
                expected="one of them",
                mend="leave electors out, or that option",
            )
        name = f"{name} (the rest)"
    count = np.array([len(own) for own in side.names])[draft.of]
    grown = np.zeros((len(votes), side.votes.shape[1] + 1), np.result_type(side.votes, votes))
    grown[:, :-1] = side.votes
    grown[np.arange(len(votes)), count] = votes
    truth = draft.unit_truth
    if truth is not None:
        axis = 2 if which == "columns" else 1
        left = np.expand_dims(np.maximum(other.votes - truth.sum(axis=axis), 0), axis)
        truth = np.concatenate([truth, left], axis=axis)
    names, parties = [[*own, name] for own in side.names], [[*own, ""] for own in side.parties]
    return replace(_changed(draft, which, grown, names=names, parties=parties), unit_truth=truth)


def _unlike(draft: Draft, bad: np.ndarray, sums: tuple[str, np.ndarray], electors: np.ndarray, expected: str) -> None:
    name, found = sums
    draft.refuse(bad, lambda i: f"{name} add up to {found[i]:g}, electors are {electors[i]:g}", expected)
