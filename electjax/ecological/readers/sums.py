"""Units that add up other units, and options that add up the others of their side: neither is one more."""

import numpy as np

from electjax.data.errors import data_error, data_warning
from electjax.data.reading import Handling
from electjax.data.rows import is_total, sums_above
from electjax.ecological.readers.draft import Draft

ENOUGH = 3  # units in which an option has as many votes as the others together: not by chance


def without_sums(draft: Draft, handling: Handling | None) -> Draft:
    """Units without one that adds up those above it in its contest, all below it, or all others, whatever its name."""
    if handling == "keep":
        return draft
    _refuse_whole_options(draft)
    margins = np.column_stack([draft.rows.votes, draft.columns.votes]).astype(float)
    whole = np.zeros(len(margins), bool)  # those that add up the units of all contests
    if len(draft.contests) > 1 and all(
        side.names.count(side.names[0]) == len(side.names) for side in (draft.rows, draft.columns)
    ):
        whole = np.isclose(2 * margins, margins.sum(axis=0), rtol=1e-9, atol=0).all(axis=1)
        whole &= (margins > 0).sum(axis=1) >= 2
    total = whole.copy()
    starts = np.flatnonzero(np.diff(draft.of, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(margins)], strict=True):
        if end - start > 2:
            some = slice(start, end)
            total[some] |= sums_above(margins[some])
            if draft.total is not None:  # shares are rounded: by less than a voter for each unit above
                above = np.cumsum(margins[some], axis=0) - 2 * margins[some]
                above[0] = margins[some][1:].sum(axis=0) - margins[start]
                most = np.r_[end - start - 1, np.arange(1, end - start)]
                near = (np.abs(above) <= most[:, None]).all(axis=1)
                total[some] |= near & sums_above(np.stack([draft.total[some]] * 2, axis=1))
    if handling != "drop":
        draft.refuse(
            total,
            lambda i: f"it adds up the units {'other than' if whole[i] else 'below' if i in starts else 'above'} it",
            "single units, without totals",
            "remove it, or pass totals='drop' to leave it out or totals='keep' if it is none",
        )
    if not total.any():
        return draft
    i = int(total.argmax())
    note = f"{int(total.sum())} units that add up others are left out, the first is {draft.names[i]!r}"
    data_warning(note, where=draft.where, row=int(draft.lines[i]))
    return draft.take(~total).noted(note)


def _refuse_whole_options(draft: Draft) -> None:
    """Refuse an option that has in all units as many votes as the others together: a total that is called an option."""
    for which, side in (("rows", draft.rows), ("columns", draft.columns)):
        votes = side.votes[side.votes.sum(axis=1) > 0].astype(float)
        names = next(iter(side.names))
        if any(own != names for own in side.names) or (votes.sum(axis=0) > 0).sum() < 3:
            continue
        adds_up = np.isclose(2 * votes, votes.sum(axis=1, keepdims=True), rtol=1e-3, atol=0).all(axis=0)
        sure = len(votes) >= ENOUGH and bool((votes == np.floor(votes)).all())
        exact = (2 * votes == votes.sum(axis=1, keepdims=True)).all(axis=0)
        for name, whole, certain in zip(names, adds_up, exact & sure, strict=False):
            if certain or (whole and is_total(name)):
                raise data_error(
                    f"{name!r} has in every unit as many votes as the other {which} together",
                    where=draft.where,
                    expected=f"{which} that are parts of the voters",
                    mend="leave it out, or pass totals='keep' if it is none of their total",
                )
