"""Units on their way from a file to a Dataset: options of each side, by contest, with votes; small ones merged."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.axes import Axis, axes_json, axis_names
from electjax.data.errors import data_error
from electjax.data.labels import strings, unique_names
from electjax.data.notes import notes_text
from electjax.ecological.options import RowKind
from electjax.ecological.readers.covariates import UNKNOWN, Covariates, with_covariates
from electjax.ecological.schema import DID_NOT_VOTE, OTHER, validate, whole

Plan = tuple[np.ndarray, list[list[int]]]  # new place of each option [D, K], -1 for none; the options kept as they are


class Traits(NamedTuple):
    """What is known of the options of one side: categories [D, K, axes] and numbers [D, K, Q]."""

    category: np.ndarray
    variables: tuple[str, ...]
    covariate: np.ndarray


@dataclass(frozen=True)
class Side:
    """Rows or columns.

    Attributes:
        names: of each contest's options.
        parties: the same of their parties, "" for none.
        votes: [N, K], the options of the unit's contest in the order of `names`, then zeros.
        traits: of the options.
    """

    names: list[list[str]]
    parties: list[list[str]]
    votes: np.ndarray
    traits: Traits | None = None

    @property
    def here(self) -> np.ndarray:
        """Which places hold an option, [D, K]."""
        return np.arange(self.votes.shape[1]) < np.array([len(own) for own in self.names])[:, None]

    def totals(self, of: np.ndarray) -> np.ndarray:
        """Votes of each option in its contest, [D, K]; `of` is the contest of each unit."""
        found = np.zeros((len(self.names), self.votes.shape[1]), self.votes.dtype)
        np.add.at(found, of, self.votes)
        return found


@dataclass(frozen=True)
class Draft:
    """Units as a reader found them, those of a contest together.

    Attributes:
        where: the file, or what the units come from.
        contests: their labels.
        keys: what other files may call each contest: its number, its name, its label.
        of: contest of each unit, [N].
        names: of units.
        rows, columns: the two sides.
        kind: what rows are.
        electors: of units, [N], where known.
        truth: [D, R, C], NaN in contests where it is unknown.
        unit_truth: [N, R, C].
        notes: what the reader did, in sentences.
        axes: of the traits.
        lines: line of the file in which each unit begins, [N].
        total: voters of units, [N], of which margins may be shares.
        known: of units beside their margins.
    """

    where: str
    contests: list[str]
    keys: list[tuple[str, ...]]
    of: np.ndarray
    names: list[str]
    rows: Side
    columns: Side
    kind: RowKind
    lines: np.ndarray
    electors: np.ndarray | None = None
    truth: np.ndarray | None = None
    unit_truth: np.ndarray | None = None
    axes: tuple[Axis, ...] = ()
    notes: list[str] = field(default_factory=list)
    total: np.ndarray | None = None
    known: Covariates = UNKNOWN

    def unit(self, i: int) -> str:
        """A unit with its contest, for messages."""
        return f"unit {self.names[i]!r} of {self.contests[self.of[i]]!r}"

    def noted(self, *notes: str) -> "Draft":
        """The same units with further notes."""
        return replace(self, notes=[*self.notes, *notes])

    def take(self, kept: np.ndarray) -> "Draft":
        """Some of the units, [N], and the contests that have any of them."""
        there = np.bincount(self.of[kept], minlength=len(self.contests)) > 0
        own = np.flatnonzero(there).tolist()

        def some(side: Side) -> Side:
            names, parties = ([each[d] for d in own] for each in (side.names, side.parties))
            return replace(side, names=names, parties=parties, votes=side.votes[kept])

        def own_of(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[kept]

        return replace(
            self,
            contests=[self.contests[d] for d in own],
            keys=[self.keys[d] for d in own],
            of=(np.cumsum(there) - 1)[self.of[kept]],
            names=[self.names[i] for i in np.flatnonzero(kept)],
            rows=some(self.rows),
            columns=some(self.columns),
            lines=self.lines[kept],
            electors=own_of(self.electors),
            total=own_of(self.total),
            unit_truth=own_of(self.unit_truth),
            known=self.known.take(kept),
        )

    def refuse(
        self, bad: np.ndarray, said: Callable[[int], str], expected: str, mend: str = "correct the unit"
    ) -> None:
        """Refuse the first unit that is bad, with the row where it begins."""
        if bad.any():
            i = int(bad.argmax())
            more = f"; {int(bad.sum())} such units" if bad.sum() > 1 else ""
            where = f"{self.where}, row {self.lines[i]}, {self.unit(i)}"
            raise data_error(said(i), where=where, expected=expected, mend=mend + more)


def within(group: np.ndarray, item: np.ndarray, groups: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Number the items of each group in order of appearance.

    Args:
        group, item: codes of each record.
        groups: how many groups there are.

    Returns:
        The number of each record's item within its group, and the items of each group in that order.
    """
    base = int(item.max(initial=0)) + 1
    pairs, first, inverse = np.unique(group.astype(np.int64) * base + item, return_index=True, return_inverse=True)
    order = np.lexsort((first, pairs // base))
    sizes = np.bincount(pairs // base, minlength=groups)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    number = np.empty(len(pairs), np.int64)
    number[order] = np.arange(len(pairs)) - np.repeat(starts[:-1], sizes)
    items = (pairs % base)[order]
    return number[inverse], [items[a:b] for a, b in pairwise(starts)]


def finished(draft: Draft, *, name: str, merge_below: float) -> xr.Dataset:
    """The Dataset of a draft, without options nobody voted for, small ones merged."""
    return units_dataset(
        merge_small(drop_unused(draft), merge_below), name=name, source=draft.where, merge_below=merge_below
    )


def units_dataset(draft: Draft, *, name: str, source: str, merge_below: float) -> xr.Dataset:
    """The Dataset of a draft, checked."""
    contests = np.array(draft.contests)[draft.of].tolist()
    labels = unique_names([f"{contest}/{unit}" for contest, unit in zip(contests, draft.names, strict=True)])
    ds = xr.Dataset(
        {
            "row_margin": (("unit", "row"), whole(draft.rows.votes)),
            "column_margin": (("unit", "column"), whole(draft.columns.votes)),
        },
        coords={
            "contest": strings(draft.contests),
            "unit": strings(labels),
            "unit_contest": ("unit", strings(contests)),
            "unit_name": ("unit", strings(draft.names)),
        },
        attrs={
            "name": name,
            "source": source,
            "rows": draft.kind,
            "merge_below": float(merge_below),
            "notes": notes_text(draft.notes) or "[]",
        },
    )
    if draft.axes:
        ds = ds.assign_coords(axis=strings(axis_names(draft.axes))).assign_attrs(axes=axes_json(draft.axes))
    for side, own in (("row", draft.rows), ("column", draft.columns)):
        ds = ds.assign_coords(
            {
                f"{side}_name": (("contest", side), _padded(own.names, own.votes.shape[1])),
                f"{side}_party": (("contest", side), _padded(own.parties, own.votes.shape[1])),
            }
        )
        if own.traits is not None and draft.axes:
            ds[f"{side}_category"] = (("contest", side, "axis"), own.traits.category.astype(np.str_))
        if own.traits is not None and own.traits.variables:
            ds = ds.assign_coords({f"{side}_variable": strings(own.traits.variables)})
            ds[f"{side}_covariate"] = (("contest", side, f"{side}_variable"), own.traits.covariate)
    ds = with_covariates(ds, draft.known)
    if draft.truth is not None:
        ds["truth"] = (("contest", "row", "column"), draft.truth)
    if draft.unit_truth is not None:
        ds["unit_truth"] = (("unit", "row", "column"), draft.unit_truth)
    return validate(ds)


def _padded(names: list[list[str]], width: int) -> np.ndarray:
    return np.array([own + [""] * (width - len(own)) for own in names], dtype=np.str_)


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
    return merged.noted(note)


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
    return narrow.noted(f"{lost} options without votes in their contest are left out")


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
