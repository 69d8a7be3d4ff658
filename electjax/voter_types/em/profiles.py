"""Ballots collapsed to unique rows: what the likelihood needs of N voters, in U rows (section 3).

Two voters with the same votes, menus and covariates contribute the same term to the likelihood, so collapsing on
(y, m, v) is exact, also with menus and covariates. Host arrays only; `rows.py` lays them out for the device.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NOTHING = -1  # a cell that says nothing: the vote is missing, or the office is not on the ballot
_KEY = 2**62  # what a mixed-radix key may reach before it is relabelled


class Profiles(NamedTuple):
    """U unique rows over J offices with S contexts of O options each, P covariate columns, Q columns in psi.

    A context of an office is a menu with the covariates of its options; a cell is an option in a context,
    numbered s * O + l.
    """

    code: np.ndarray  # [U, J] cell, NOTHING where there is none
    weight: np.ndarray  # [U] sum of the weights of the row's voters
    square: np.ndarray  # [U] sum of their squares
    voters: np.ndarray  # [U] how many they are
    group: np.ndarray  # [U] row of `design`
    design: np.ndarray  # [G, P] unique covariate rows, the intercept first
    mask: np.ndarray  # [J, S, O] the options of a context
    x: np.ndarray  # [J, S, O, Q] covariates of the options in psi; Q = 0 without any


def collapse(
    choice: np.ndarray,
    context: np.ndarray,
    mask: np.ndarray,
    *,
    x: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    covariates: np.ndarray | None = None,
    unique: bool = True,
) -> tuple[Profiles, np.ndarray]:
    """Collapse voters to unique rows of votes, menus and covariates.

    Args:
        choice: [N, J] option, negative where the vote is missing.
        context: [N, J] context of the office, negative where the office is not on the ballot.
        mask: [J, S, O] options of each context.
        x: [J, S, O, Q] covariates of the options.
        weight: [N] weights; one each by default. Voters of weight zero are kept.
        covariates: [N, P - 1] covariates of the voters, without the intercept.
        unique: False keeps every voter as a row of its own.

    Returns:
        The profiles and, per voter, the row it belongs to.
    """
    voters, offices = choice.shape
    options = mask.shape[2]
    seen = (choice >= 0) & (context >= 0)
    code = np.where(seen, context * options + choice, NOTHING).astype(_smallest(mask.shape[1] * options))
    weight = np.ones(voters) if weight is None else np.asarray(weight, float)
    slopes = np.zeros((voters, 0)) if covariates is None else np.asarray(covariates, float)
    design, group = np.unique(slopes, axis=0, return_inverse=True) if slopes.shape[1] else (slopes[:1], None)
    group = np.zeros(voters, np.int64) if group is None else group.reshape(-1)
    inverse = row_labels(np.column_stack([code, group]) if len(design) > 1 else code) if unique else np.arange(voters)
    rows = int(inverse.max()) + 1 if voters else 0
    first = _first_of(inverse, rows)
    found = Profiles(
        code=code[first],
        weight=np.bincount(inverse, weight, rows),
        square=np.bincount(inverse, weight**2, rows),
        voters=np.bincount(inverse, minlength=rows),
        group=group[first].astype(np.int32),
        design=np.column_stack([np.ones(len(design)), design]),
        mask=mask,
        x=np.zeros((offices, *mask.shape[1:], 0)) if x is None else x,
    )
    return found, inverse


def combine(parts: Sequence[Profiles]) -> Profiles:
    """The profiles of all the voters of several parts, which share their offices, contexts and columns."""
    code = np.concatenate([part.code for part in parts])
    design = np.concatenate([part.design for part in parts])
    ends = np.cumsum([0, *(len(part.design) for part in parts)])
    group = np.concatenate([part.group + start for part, start in zip(parts, ends, strict=False)])
    design, merged = np.unique(design, axis=0, return_inverse=True)
    group = merged.reshape(-1)[group]
    inverse = row_labels(np.column_stack([code, group]) if len(design) > 1 else code)
    rows = int(inverse.max()) + 1
    first = _first_of(inverse, rows)

    def total(name: str) -> np.ndarray:
        values = np.concatenate([getattr(part, name) for part in parts])
        return np.bincount(inverse, values, rows).astype(values.dtype)

    return parts[0]._replace(
        code=code[first],
        weight=total("weight"),
        square=total("square"),
        voters=total("voters"),
        group=group[first].astype(np.int32),
        design=design,
    )


def standardise(profiles: Profiles) -> tuple[Profiles, np.ndarray]:
    """The profiles with covariates of mean 0 and standard deviation 1, and what turns their gamma into the given ones'.

    A covariate that does not vary stays as it is. gamma of the covariates as given is `basis @ gamma`, [P, P] @ [P, K].
    """
    size = np.bincount(profiles.group, profiles.weight, len(profiles.design))
    values = profiles.design[:, 1:]
    mean = size @ values / size.sum()
    spread = np.sqrt(size @ (values - mean) ** 2 / size.sum())
    varies = spread > 1e-12 * (1 + np.abs(mean))
    mean, spread = np.where(varies, mean, 0.0), np.where(varies, spread, 1.0)
    basis = np.diag([1.0, *(1 / spread)])
    basis[0, 1:] = -mean / spread
    return profiles._replace(design=np.column_stack([np.ones(len(values)), (values - mean) / spread])), basis


def row_labels(table: np.ndarray) -> np.ndarray:
    """Number the distinct rows of an integer table [N, columns], 0 for the row that sorts first; exact, no hashing.

    Columns are read as digits of one number, which is relabelled to ranks whenever it would grow too large.
    """
    key = np.zeros(len(table), np.int64)
    size = 1
    for column in table.T:
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        radix = high - low + 1
        if size > _KEY // radix:
            key, size = _ranks(key)
        key = key * radix + (column.astype(np.int64) - low)
        size *= radix
    return _ranks(key)[0]


def _first_of(inverse: np.ndarray, rows: int) -> np.ndarray:
    """The first member of every row."""
    first = np.zeros(rows, np.int64)
    first[inverse[::-1]] = np.arange(len(inverse))[::-1]
    return first


def _ranks(key: np.ndarray) -> tuple[np.ndarray, int]:
    distinct, ranks = np.unique(key, return_inverse=True)
    return ranks.reshape(-1), len(distinct)


def _smallest(cells: int) -> type[np.signedinteger]:
    return np.int8 if cells <= 127 else np.int16 if cells <= 32767 else np.int32


def contexts_of(profiles: Profiles) -> np.ndarray:
    """Context of every cell, [U, J], NOTHING where there is none."""
    return np.where(profiles.code == NOTHING, NOTHING, profiles.code // profiles.mask.shape[2])


def are_counts(profiles: Profiles) -> bool:
    """Whether the weights are whole numbers: a row stands for so many voters of weight 1."""
    return bool(np.array_equal(profiles.weight, np.round(profiles.weight)))


def met_contexts(profiles: Profiles) -> tuple[Profiles, np.ndarray]:
    """The profiles without the contexts that no row meets, and which context each of the new ones was, [J, S].

    Numbers beyond those an office needs stand for a context without options, and are -1 there.
    """
    offices, contexts, options = profiles.mask.shape
    seen, context = profiles.code != NOTHING, contexts_of(profiles)
    met = [np.unique(context[:, j][seen[:, j]]) for j in range(offices)]
    most = max(1, *(len(own) for own in met))
    origin = np.full((offices, most), -1)
    mask = np.zeros((offices, most, options), bool)
    x = np.zeros((offices, most, options, profiles.x.shape[-1]))
    number = np.zeros((offices, contexts + 1), np.int64)
    for j, own in enumerate(met):
        origin[j, : len(own)] = own
        mask[j, : len(own)] = profiles.mask[j, own]
        x[j, : len(own)] = profiles.x[j, own]
        number[j, own] = np.arange(len(own))
    renumbered = number[np.arange(offices), context] * options + profiles.code % options
    code = np.where(seen, renumbered, NOTHING).astype(_smallest(most * options))
    return profiles._replace(code=code, mask=mask, x=x), origin
