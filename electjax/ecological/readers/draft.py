"""Units on their way from a file to a Dataset: the options of each side, contest by contest, and their votes."""

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.axes import Axis, axes_json, axis_names
from electjax.data.labels import strings, unique_names
from electjax.ecological.schema import RowKind, validate, whole


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

    def unit(self, i: int) -> str:
        """A unit with its contest, for messages."""
        return f"unit {self.names[i]!r} of {self.contests[self.of[i]]!r}"


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
            "notes": json.dumps(draft.notes, ensure_ascii=False),
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
    if draft.truth is not None:
        ds["truth"] = (("contest", "row", "column"), draft.truth)
    if draft.unit_truth is not None:
        ds["unit_truth"] = (("unit", "row", "column"), draft.unit_truth)
    return validate(ds)


def _padded(names: list[list[str]], width: int) -> np.ndarray:
    return np.array([own + [""] * (width - len(own)) for own in names], dtype=np.str_)
