"""Is eta told by the data, or chosen by its penalty alone? (calm.md section 6: collinearity)

Next to free coefficients of x times party, candidate affinity only counts for what they do not explain. In one
constituency a candidate is the same as a party, so that g of any axis in x is explained in full; several
constituencies with different candidates and the same coefficients leave something.

The design has a row for each constituency, cell and party, or for each booth and party with the mean over the booth's
electors: the totals of a booth tell less than its cells would. Adding a number to all parties of a row changes
nothing, so rows are taken around their mean over the parties that stand. Host arrays, by Gram matrices.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from electjax.calm.model.design import Booths, Frame, Tensor

COLLINEAR = 1e-9  # of the eigenvalues of a Gram matrix with a diagonal of 1, what counts as 0
EXPLAINED = 1e-12  # what is left of the squares of g after explaining all of it


class Rank(NamedTuple):
    """Rank of the design without and with g, and which components of eta the data tell.

    `identified` is [d], or [k, d] where each party has its own eta.
    """

    without: int
    with_g: int
    identified: Bool[np.ndarray, "*k d"]


class _Rows(NamedTuple):
    x: Float[np.ndarray, "r f"]  # with the one
    g: Float[np.ndarray, "r k e"]
    weight: Float[np.ndarray, " r"]
    fielded: Bool[np.ndarray, "r k"]
    group: Int[np.ndarray, " r"]


class _Left(NamedTuple):
    rank: int  # of everything but g
    scale: Float[np.ndarray, " e"]  # squares of g
    varying: Float[np.ndarray, " e"]  # its squares around party intercepts (and constituency effects)
    gram: Float[np.ndarray, "e e"]  # its cross products once everything else has explained what it can


def affinity_rank(
    frame: Frame,
    g: Float[Tensor, "a c k d"],
    *,
    booths: Booths | None = None,
    effects: bool = False,
    by_party: bool = False,
) -> Rank:
    """Rank of [x times party, g] with and without g, up to shifts of all parties, and what of eta is identified.

    Args:
        frame: its `presence` says which cells there are.
        g: raw or standardised, which makes no difference unless a party stands in some constituencies only.
        booths: to count what booth totals tell instead of cells; booths of weight 0 tell nothing.
        effects: constituencies have effects of their own on the parties that no penalty holds.
        by_party: every party has its own eta.
    """
    left = _left(_rows(frame, g, booths, by_party), effects)
    rank, null = _spaces(left)
    identified = np.abs(null).max(axis=1, initial=0.0) < 1e-4
    return Rank(left.rank, left.rank + rank, identified.reshape(-1, np.shape(g)[-1]) if by_party else identified)


def variance_inflation(
    frame: Frame,
    g: Float[Tensor, "a c k d"],
    *,
    booths: Booths | None = None,
    effects: bool = False,
    by_party: bool = False,
) -> Float[np.ndarray, "*k d"]:
    """1 / (1 - R^2) of each component of g given x times party and the other components; inf where R^2 is 1."""
    left = _left(_rows(frame, g, booths, by_party), effects)
    _, null = _spaces(left)
    size = np.sqrt(np.where(left.scale > 0, left.scale, 1.0))
    inverse = np.linalg.pinv(left.gram / np.outer(size, size), rcond=EXPLAINED, hermitian=True)
    unknown = np.abs(null).max(axis=1, initial=0.0) >= 1e-4
    inflation = np.where(unknown, np.inf, np.diag(inverse) * left.varying / size**2)
    return inflation.reshape(-1, np.shape(g)[-1]) if by_party else inflation


def rank_sentence(rank: Rank, axes: Sequence[str], parties: Sequence[str] | None = None) -> str | None:
    """What is not identified, in plain words; None where the data tell all of eta."""
    if rank.identified.all():
        return None
    if rank.identified.ndim == 1:
        names = [f"eta[{axes[d]}]" for (d,) in np.argwhere(~rank.identified)]
    elif not rank.identified.any():
        names = ["eta of every party and axis"]
    else:
        who = parties or [str(k + 1) for k in range(len(rank.identified))]
        names = [f"eta[{who[k]}, {axes[d]}]" for k, d in np.argwhere(~rank.identified)]
    return (
        f"Not identified: {', '.join(names)}. Beside the cell features times party the candidates' affinity adds"
        f" {rank.with_g - rank.without} to a rank of {rank.without} where {rank.identified.size} would be needed, so"
        " that the penalty chooses alone; it takes more constituencies with different candidates, or fewer features."
    )


def _rows(frame: Frame, g: Tensor, booths: Booths | None, by_party: bool) -> _Rows:
    fielded = np.asarray(frame.fielded, bool)
    affinity = np.asarray(g, float) * fielded[:, None, :, None]
    if by_party:  # a column for each party and axis
        own = np.eye(affinity.shape[2])
        affinity = np.einsum("ackd,kj->ackjd", affinity, own).reshape(*affinity.shape[:3], -1)
    x = np.asarray(frame.features, float)
    if booths is None:
        presence = np.asarray(frame.presence, float)
        group, cell = np.nonzero(presence > 0)
        x, affinity, weight = x[cell], affinity[group, cell], presence[group, cell]
    else:
        sizes = np.asarray(booths.sizes, float)
        kept = (np.asarray(booths.weight) > 0) & (sizes.sum(axis=1) > 0)
        sizes, group = sizes[kept], np.asarray(booths.constituency)[kept]
        weight = sizes.sum(axis=1) * np.asarray(booths.weight, float)[kept]
        mix = sizes / sizes.sum(axis=1, keepdims=True)
        x = np.concatenate([mix @ x, np.asarray(booths.covariates, float)[kept]], axis=1)
        mean = np.empty((len(mix), *affinity.shape[2:]))
        for a in np.unique(group):
            mean[group == a] = np.tensordot(mix[group == a], affinity[a], axes=1)
        affinity = mean
    one = np.ones((len(x), 1))
    return _Rows(np.concatenate([one, x], axis=1), affinity, weight / max(weight.sum(), 1.0), fielded[group], group)


def _left(rows: _Rows, effects: bool) -> _Left:
    """What is left of g once party intercepts, x times party and effects have explained what they can."""
    scale = np.einsum("r,rke->e", rows.weight, rows.g**2)
    x, g, rank = rows.x, _between(rows.g, rows.fielded), 0
    if effects:  # a shift of each constituency and party: take everything around the constituency's mean
        x, g = _within(x, rows), _within(g, rows)
        stands = [rows.fielded[rows.group == a][0].sum() for a in np.unique(rows.group)]
        rank = int(sum(max(n - 1, 0) for n in stands))
        varying = np.einsum("r,rke->e", rows.weight, g**2)
    else:
        _, around = _explain(rows.x[:, :1], g, rows)
        varying = np.einsum("r,rke->e", rows.weight, around**2)
    more, residual = _explain(x, g, rows)
    gram = np.tensordot(rows.weight[:, None, None] * residual, residual, axes=((0, 1), (0, 1)))
    return _Left(rank + more, scale, varying, gram)


def _explain(x: np.ndarray, g: np.ndarray, rows: _Rows) -> tuple[int, np.ndarray]:
    """Rank of x times party, and g less its weighted least squares fit on it."""
    parties, width = g.shape[1], x.shape[1]
    gram = np.zeros((parties * width, parties * width))
    kinds, kind = np.unique(rows.fielded, axis=0, return_inverse=True)
    for n, stands in enumerate(kinds):
        own = kind.reshape(-1) == n
        around = np.diag(stands.astype(float)) - np.outer(stands, stands) / max(stands.sum(), 1)
        gram += np.kron(around, (rows.weight[own, None] * x[own]).T @ x[own])
    size = np.sqrt(np.diag(gram))
    size = np.where(size > 1e-8 * np.abs(x).max(initial=0.0), size, np.inf)  # an empty column explains nothing
    value, vector = np.linalg.eigh(gram / np.outer(size, size))
    kept = value > COLLINEAR * max(value[-1], 0.0)
    kept &= value > 0
    inverse = (vector[:, kept] / value[kept]) @ vector[:, kept].T / np.outer(size, size)
    for _ in range(2):  # again for what rounding left
        moment = np.tensordot(rows.weight[:, None] * x, g, axes=(0, 0)).swapaxes(0, 1)  # [k, f, e]
        slope = (inverse @ moment.reshape(parties * width, -1)).reshape(parties, width, -1)
        g = g - _between(np.tensordot(x, slope, axes=(1, 1)), rows.fielded)
    return int(kept.sum()), g


def _between(g: np.ndarray, fielded: np.ndarray) -> np.ndarray:
    """Around the mean over the parties that stand."""
    stands = fielded[:, :, None]
    mean = (g * stands).sum(axis=1, keepdims=True) / np.maximum(stands.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.where(stands, g - mean, 0.0))


def _within(values: np.ndarray, rows: _Rows) -> np.ndarray:
    """Around the weighted mean of the constituency."""
    found = np.array(values, float)
    for a in np.unique(rows.group):
        own = rows.group == a
        found[own] -= np.average(found[own], axis=0, weights=rows.weight[own])
    return found


def _spaces(left: _Left) -> tuple[int, np.ndarray]:
    """Rank that g adds, and the directions of eta that the data do not tell, [e, n]."""
    size = np.sqrt(np.where(left.scale > 0, left.scale, 1.0))
    value, vector = np.linalg.eigh(left.gram / np.outer(size, size))
    told = value > EXPLAINED
    return int(told.sum()), vector[:, ~told]
