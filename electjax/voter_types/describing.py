"""What the voters of each type do, in a sentence with the names of offices and candidates."""

import re
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.voter_types.options import ABSTAIN

MOSTLY = 0.5  # share of the offices from which a choice is what a type mostly does
APART = 0.1  # difference from all voters that is worth a word
_EXAMPLES = 3  # offices that a sentence names
_LONGEST = 60  # letters of a name in a sentence; tables have it whole
_PARTY = re.compile(r"\(([^()]{1,16})\)\s*$")
_DO = {"straight": "vote a straight ticket", "split": "split their ticket"}


class Described(NamedTuple):
    """A type in words: the share of the voters, and what they do, as in "mostly choose Blue; ..."."""

    label: str
    share: float
    does: str

    def __str__(self) -> str:
        return f"Type {self.label} ({100 * self.share:.0f} % of the voters): {self.does}."


def option_table(fit: xr.Dataset) -> np.ndarray:
    """What each option of each office is called, [office, option]: its label, else its code."""
    codes = fit["option"].values.astype(str) if "option" in fit.coords else np.arange(fit.sizes["option"]).astype(str)
    shape = (fit.sizes["office"], len(codes))
    if "option_label" not in fit.coords:
        return np.broadcast_to(codes, shape)
    labels = fit["option_label"].transpose(..., "option").values.astype(str)
    labels = np.broadcast_to(labels, shape)
    return np.where(labels == "", codes, labels)


def describe(fit: xr.Dataset) -> list[Described]:
    """What voters of each type do: what they mostly choose, where not, and where they differ most from all voters.

    A choice that has one name in several offices, as a party or "straight", counts as one: the name in brackets at the
    end of all labels of candidates, or their party, else the label.
    """
    mu = np.nan_to_num(fit["mu"].transpose("type", "office", "option").values.astype(float))
    share = fit["pi"].values.astype(float)
    labels, offices = option_table(fit), np.array([_short(name) for name in fit["office"].values.astype(str)])
    kinds = _kinds(fit, labels)
    everyone = np.einsum("k,kjo->jo", share / max(share.sum(), 1e-300), mu)
    return [
        Described(str(label), float(own_share), _does(own, everyone, labels, kinds, offices, alone=len(share) == 1))
        for label, own_share, own in zip(fit["type"].values, share, mu, strict=True)
    ]


def _kinds(fit: xr.Dataset, labels: np.ndarray) -> np.ndarray:
    """What an option is called in every office that has one like it."""
    if "option_party" in fit.coords:
        party = fit["option_party"].transpose("office", "option").values.astype(str)
        return np.where(party == "", labels, party)
    found = [[_PARTY.search(label) for label in row] for row in labels.tolist()]
    if not all(any(row) for row in found):
        return labels
    return np.array(
        [
            [mark[1] if mark else label for mark, label in zip(*both, strict=True)]
            for both in zip(found, labels, strict=True)
        ]
    )


def _does(
    own: np.ndarray, everyone: np.ndarray, labels: np.ndarray, kinds: np.ndarray, offices: np.ndarray, *, alone: bool
) -> str:
    """What one type does, [office, option], in words."""
    number = len(offices)
    first = own.argmax(1)
    at = np.arange(number)
    kind = kinds[at, first]
    names, counts = np.unique(kind, return_counts=True)
    main = str(names[counts.argmax()])
    if number == 1:
        order = [o for o in np.argsort(-own[0], kind="stable") if own[0, o] > 0.05][:_EXAMPLES]
        return "; ".join(_choose(own[0, o], labels[0, o]) for o in order)
    count, parts, seen = int(counts.max()), [], np.zeros(own.shape, bool)
    seen[own <= 0.0] = True
    if count >= max(MOSTLY * number, 2):
        mean = own[at, first][kind == main].mean()
        where = f"in all {number} offices" if count == number else f"in {count} of {number} offices"
        parts.append(f"mostly {_do(main)} {where} ({100 * mean:.0f} % on average)")
        others = [j for j in np.argsort(-own.max(1), kind="stable") if kind[j] != main][: _EXAMPLES - 1]
        parts += [f"{offices[j]}: {_choose(own[j, first[j]], labels[j, first[j]])}" for j in others]
        seen |= kinds == main
        seen[others] = True
    gap = np.where(seen, -np.inf, own - everyone)
    room = _EXAMPLES if not parts else _EXAMPLES - 1
    for place in np.argsort(-gap, axis=None, kind="stable"):
        j, o = divmod(int(place), gap.shape[1])
        if room and np.isfinite(gap[j, o]) and gap[j, o] >= APART:
            parts.append(
                f"{offices[j]}: {_choose(own[j, o], labels[j, o])} (of all voters {100 * everyone[j, o]:.0f} %)"
            )
            gap[j] = -np.inf
            room -= 1
    if not parts:
        usual = np.argsort(-own.max(1), kind="stable")[:_EXAMPLES]
        parts = [f"{offices[j]}: {_choose(own[j, first[j]], labels[j, first[j]])}" for j in usual]
        return "; ".join(parts) if alone else f"like all voters: {'; '.join(parts)}"
    return "; ".join(parts)


def _choose(probability: float, label: str) -> str:
    return f"{100 * probability:.0f} % {_do(str(label))}"


def _do(label: str) -> str:
    """What voters do who choose this."""
    if label.casefold() in ABSTAIN:
        return "abstain" if label == "abstain" else f"abstain ({label})"
    return _DO.get(label, f"choose {_short(label)}")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"
