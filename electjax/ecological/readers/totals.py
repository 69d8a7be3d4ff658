"""The two totals of a unit: electors who did not vote, totals that differ, units without anybody."""

from dataclasses import replace

import numpy as np

from electjax.data.errors import ElectionDataError, data_error
from electjax.ecological.readers.draft import Draft, Side
from electjax.ecological.schema import DID_NOT_VOTE, disagree


def with_electors(draft: Draft, *, rescale: bool) -> Draft:
    """Close the totals with those who did not vote.

    Where rows are groups, or add up to the electors, they hold all electors, and only the columns get one more. Votes
    on another ballot paper (of an election before, say) leave electors out on both sides: each gets "did not vote".
    """
    electors = draft.electors
    if electors is None:
        return draft
    rows, columns = draft.rows.votes.sum(axis=1), draft.columns.votes.sum(axis=1)
    _refuse(
        draft, columns > electors, columns, electors, "votes add up to", "electors are", "no more votes than electors"
    )
    closed = not disagree(rows, electors).any()
    if draft.kind == "votes" and not closed:
        _refuse(draft, rows > electors, rows, electors, "rows add up to", "electors are", "no more votes than electors")
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
        return replace(
            draft,
            rows=_plus(draft, draft.rows, electors - rows),
            columns=_plus(draft, draft.columns, electors - columns),
            notes=[*draft.notes, "electors without a vote on a side are its option 'did not vote'"],
        )
    if not closed and not rescale:
        bad = disagree(rows, electors)
        _refuse(draft, bad, rows, electors, "rows add up to", "electors are", "the same total (or pass rescale=True)")
    truth = draft.unit_truth
    if truth is not None:
        stayed = np.maximum(draft.rows.votes - truth.sum(axis=2), 0)
        truth = np.concatenate([truth, stayed[:, :, None]], axis=2)
    return replace(
        draft,
        columns=_plus(draft, draft.columns, electors - columns),
        unit_truth=truth,
        notes=[*draft.notes, "electors without a vote are the column 'did not vote'"],
    )


def with_equal_totals(draft: Draft, *, rescale: bool) -> Draft:
    """Refuse units whose rows and columns have different totals, or scale their rows."""
    rows, columns = draft.rows.votes.sum(axis=1), draft.columns.votes.sum(axis=1)
    differ = disagree(rows, columns)
    if not differ.any():
        return draft
    lost = (rows == 0) & differ
    if lost.any() or not rescale:
        bad = lost if rescale else differ
        expected = "voters in the rows of a unit with votes" if rescale else "the same total (or pass rescale=True)"
        _refuse(draft, bad, rows, columns, "rows add up to", "columns to", expected)
    scale = np.divide(columns, rows, out=np.ones(len(rows)), where=rows > 0)
    votes = np.where(differ[:, None], draft.rows.votes * scale[:, None], draft.rows.votes)
    apart = np.abs(np.where(differ, scale - 1, 0.0)).max()
    note = (
        f"the rows of {int(differ.sum())} of {len(rows)} units are scaled to the total of their columns, by up to"
        f" {100 * apart:.3g} %"
    )
    return replace(draft, rows=replace(draft.rows, votes=votes), notes=[*draft.notes, note])


def without_empty(draft: Draft) -> Draft:
    """Units with voters, and contests that have some."""
    kept = draft.columns.votes.sum(axis=1) > 0
    if kept.all():
        return draft
    if not kept.any():
        raise data_error("no votes", where=draft.where, expected="units with votes", mend="check the columns")
    there = np.bincount(draft.of[kept], minlength=len(draft.contests)) > 0
    gone = [label for label, here in zip(draft.contests, there.tolist(), strict=True) if not here]
    notes = [f"{int((~kept).sum())} empty units are left out"]
    notes += [f"{len(gone)} contests without votes are left out: {', '.join(gone[:5])}"] if gone else []

    def some(side: Side) -> Side:
        of = np.flatnonzero(there).tolist()
        return replace(
            side, names=[side.names[d] for d in of], parties=[side.parties[d] for d in of], votes=side.votes[kept]
        )

    return replace(
        draft,
        contests=[draft.contests[d] for d in np.flatnonzero(there)],
        keys=[draft.keys[d] for d in np.flatnonzero(there)],
        of=(np.cumsum(there) - 1)[draft.of[kept]],
        names=[draft.names[i] for i in np.flatnonzero(kept)],
        rows=some(draft.rows),
        columns=some(draft.columns),
        lines=draft.lines[kept],
        electors=None if draft.electors is None else draft.electors[kept],
        unit_truth=None if draft.unit_truth is None else draft.unit_truth[kept],
        notes=[*draft.notes, *notes],
    )


def _plus(draft: Draft, side: Side, votes: np.ndarray) -> Side:
    """The side with one more option in every contest, after its others."""
    if any(DID_NOT_VOTE in own for own in side.names):
        raise data_error(
            f"an option {DID_NOT_VOTE!r} and electors",
            where=draft.where,
            expected="one of them",
            mend="leave electors out, or that option",
        )
    grown = np.zeros((len(votes), side.votes.shape[1] + 1), np.result_type(side.votes, votes))
    grown[:, :-1] = side.votes
    grown[np.arange(len(votes)), np.array([len(own) for own in side.names])[draft.of]] = votes
    return replace(
        side,
        names=[[*own, DID_NOT_VOTE] for own in side.names],
        parties=[[*own, ""] for own in side.parties],
        votes=grown,
    )


def _refuse(
    draft: Draft, bad: np.ndarray, one: np.ndarray, other: np.ndarray, said: str, than: str, expected: str
) -> None:
    if bad.any():
        raise _fault(draft, bad, f"{said} {one[bad.argmax()]:g}, {than} {other[bad.argmax()]:g}", expected)


def _fault(draft: Draft, bad: np.ndarray, problem: str, expected: str) -> ElectionDataError:
    i = int(bad.argmax())
    more = f"; {int(bad.sum())} such units" if bad.sum() > 1 else ""
    where = f"{draft.where}, row {draft.lines[i]}, {draft.unit(i)}"
    return data_error(problem, where=where, expected=expected, mend=f"correct the unit{more}")
