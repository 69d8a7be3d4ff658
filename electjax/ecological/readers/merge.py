"""Small options of a contest merged into one, and options that nobody voted for left out."""

from dataclasses import replace

import numpy as np

from electjax.ecological.readers.draft import Draft, Side, Traits
from electjax.ecological.schema import DID_NOT_VOTE, OTHER


def merge_small(draft: Draft, below: float) -> Draft:
    """Options with a share below `below` of their contest's votes become OTHER, where there are at least two.

    An option that the file calls "other" joins them, those who did not vote stay what they are. Truth is merged alike.
    """
    plans = [_small(side, draft.of, below) for side in (draft.rows, draft.columns)]
    merged = _refold(draft, plans)
    places = [int(side.here.sum()) for side in (draft.rows, draft.columns, merged.rows, merged.columns)]
    if places[:2] == places[2:]:
        return draft
    rows, columns = places[0] - places[2], places[1] - places[3]
    note = (
        f"options below {100 * below:.3g} % of a contest's votes are merged into {OTHER}: {places[0]} rows of"
        f" {len(draft.contests)} contests become {places[0] - rows}, {places[1]} columns {places[1] - columns}"
    )
    return replace(merged, notes=[*draft.notes, note])


def drop_unused(draft: Draft) -> Draft:
    """The options that have a vote, or a voter in the truth."""
    used = [side.totals(draft.of) > 0 for side in (draft.rows, draft.columns)]
    if draft.truth is not None:
        counted = np.nan_to_num(draft.truth)
        used = [used[0] | (counted.sum(axis=2) > 0), used[1] | (counted.sum(axis=1) > 0)]
    lost = sum(int((side.here & ~u).sum()) for side, u in zip((draft.rows, draft.columns), used, strict=True))
    plans = [_kept(side, u) for side, u in zip((draft.rows, draft.columns), used, strict=True)]
    narrow = _refold(draft, plans)
    if not lost:
        return narrow
    return replace(narrow, notes=[*draft.notes, f"{lost} options without votes in their contest are left out"])


Plan = tuple[np.ndarray, list[list[int]]]  # new place of each option [D, K], -1 for none; the options kept as they are


def _small(side: Side, of: np.ndarray, below: float) -> Plan:
    names = [[name.strip().casefold() for name in own] for own in side.names]
    width = side.votes.shape[1]
    stayed = np.array([[name == DID_NOT_VOTE for name in own] + [False] * (width - len(own)) for own in names])
    other = np.array([[name == OTHER.casefold() for name in own] + [False] * (width - len(own)) for own in names])
    votes = np.where(stayed, 0, side.totals(of))
    small = side.here & ~stayed & (votes < below * votes.sum(axis=1, keepdims=True))
    small |= other & (small.sum(axis=1) > 1)[:, None]
    small &= (small.sum(axis=1) > 1)[:, None]
    place, kept = _kept(side, side.here & ~small)
    last = np.array([len(own) for own in kept])[:, None]
    return np.where(small, last, place), kept


def _kept(side: Side, used: np.ndarray) -> Plan:
    used = used & side.here
    return np.where(used, np.cumsum(used, axis=1) - 1, -1), [np.flatnonzero(own).tolist() for own in used]


def _refold(draft: Draft, plans: list[Plan]) -> Draft:
    """The draft with the options of both sides, and the truth, at their new places."""
    (rows, _), (columns, _) = plans
    truth, units = draft.truth, draft.unit_truth
    if truth is not None:
        truth = _fold(np.swapaxes(_fold(truth, rows), 1, 2), columns).swapaxes(1, 2)
        truth[np.isnan(truth).any(axis=(1, 2))] = np.nan
    if units is not None:
        units = _fold(np.swapaxes(_fold(units, rows[draft.of]), 1, 2), columns[draft.of]).swapaxes(1, 2)
    return replace(
        draft,
        rows=_folded(draft.rows, draft.of, plans[0]),
        columns=_folded(draft.columns, draft.of, plans[1]),
        truth=truth,
        unit_truth=units,
    )


def _folded(side: Side, of: np.ndarray, plan: Plan) -> Side:
    place, kept = plan
    merged = (place.max(axis=1) >= np.array([len(own) for own in kept])).tolist()
    traits = side.traits
    if traits is not None:
        width = int(place.max()) + 1
        category = np.full((len(kept), width, traits.category.shape[2]), "", dtype=traits.category.dtype)
        covariate = np.full((len(kept), width, traits.covariate.shape[2]), np.nan)
        for d, own in enumerate(kept):
            category[d, : len(own)] = traits.category[d, own]
            covariate[d, : len(own)] = traits.covariate[d, own]
        traits = Traits(category, traits.variables, covariate)
    return Side(
        [[side.names[d][k] for k in own] + [OTHER] * merged[d] for d, own in enumerate(kept)],
        [[side.parties[d][k] for k in own] + [OTHER] * merged[d] for d, own in enumerate(kept)],
        _fold(side.votes, place[of]),
        traits,
    )


def _fold(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values [M, K, ...] added up at their new places [M, K]; those with the place -1 are left out."""
    found = np.zeros((len(values), int(place.max()) + 1, *values.shape[2:]), values.dtype)
    for k in range(place.shape[1]):
        some = np.flatnonzero(place[:, k] >= 0)
        found[some, place[some, k]] += values[some, k]
    return found
