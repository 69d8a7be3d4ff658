"""Where sequential methods look next: a mixture of kernels around the draws that came close.

Continuous coordinates move on the probit scale, where the prior is standard normal; discrete ones keep their cell or
take one at random. A share of the proposals comes from the prior itself, which bounds the importance weights.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

from electjax.districts.abc.prior import from_probit, to_probit

JUMPS = 2.0  # discrete coordinates that a proposal draws anew, on average
MOST_JUMP = 0.25
NEIGHBOURS = 0.2  # share of the ancestors that shape a local kernel
RIDGE = 1e-6  # of the prior's variance, so that a kernel never loses a dimension


class Proposal(NamedTuple):
    """Ancestors, their weights, and the kernel around them."""

    x: Float[np.ndarray, "J C"]  # continuous coordinates, probit scale
    cell: Int[np.ndarray, "J E"]  # discrete coordinates
    weight: Float[np.ndarray, " J"]
    root: Float[np.ndarray, "1 C C"] | Float[np.ndarray, "J C C"]  # Cholesky roots of the kernel's covariance
    levels: Int[np.ndarray, " D"]  # cells per coordinate, 0 where continuous
    jump: float
    defensive: float  # share of the proposals that come from the prior


def split(unit: Float[np.ndarray, "N D"], levels: Int[np.ndarray, " D"]) -> tuple[np.ndarray, np.ndarray]:
    """Continuous coordinates on the probit scale, and the cells of the discrete ones."""
    cells = np.minimum((unit[:, levels > 0] * levels[levels > 0]).astype(int), levels[levels > 0] - 1)
    return to_probit(unit[:, levels == 0]), cells


def unite(x: np.ndarray, cell: np.ndarray, levels: np.ndarray) -> Float[np.ndarray, "N D"]:
    """Points of the unit cube; a cell is represented by its middle."""
    unit = np.empty((len(x), len(levels)))
    unit[:, levels == 0] = from_probit(x)
    unit[:, levels > 0] = (cell + 0.5) / levels[levels > 0]
    return unit


def fit_proposal(
    unit: Float[np.ndarray, "J D"],
    weight: Float[np.ndarray, " J"],
    levels: Int[np.ndarray, " D"],
    *,
    local: bool,
    scale: float,
    defensive: float,
) -> Proposal:
    """Kernel around these draws, `scale` times their weighted covariance, or that of the neighbours of each.

    scale 2: M. Beaumont and others, "Adaptive approximate Bayesian computation", Biometrika 96 (2009). Local: S.
    Filippi and others, "On optimality of kernels for ABC SMC", Stat. Appl. Genet. Mol. Biol. 12 (2013).
    """
    weight = weight / weight.sum()
    x, cell = split(unit, levels)
    size = x.shape[1]
    floor = RIDGE * np.eye(size)
    mean = weight @ x
    overall = (x - mean).T * weight @ (x - mean) + floor
    covariance = overall[None]
    if local and size and len(x) > 2 * size + 2:
        near = max(2 * size + 2, int(NEIGHBOURS * len(x)))
        whitened = np.linalg.solve(np.linalg.cholesky(overall), x.T).T
        gap = np.sum((whitened[:, None] - whitened) ** 2, axis=-1)
        around = np.argpartition(gap, near - 1, axis=1)[:, :near]
        offset = x[around] - x[:, None]
        w = weight[around] / weight[around].sum(axis=1, keepdims=True)
        covariance = np.einsum("jn,jna,jnb->jab", w, offset, offset) + floor
    discrete = int(np.sum(levels > 0))
    jump = min(MOST_JUMP, JUMPS / max(discrete, 1))
    return Proposal(x, cell, weight, np.linalg.cholesky(scale * covariance), levels, jump, defensive)


def prior_points(rng: np.random.Generator, number: int, levels: Int[np.ndarray, " D"]) -> Float[np.ndarray, "N D"]:
    """Draws from the prior."""
    unit = rng.random((number, len(levels)))
    return unite(*split(unit, levels), levels)


def propose(rng: np.random.Generator, number: int, proposal: Proposal) -> Float[np.ndarray, "N D"]:
    """Draws from the mixture."""
    ancestor = rng.choice(len(proposal.weight), size=number, p=proposal.weight)
    moved = perturb(rng, proposal.x[ancestor], proposal.cell[ancestor], proposal, ancestor)
    fresh = prior_points(rng, number, proposal.levels)
    return np.where(rng.random(number)[:, None] < proposal.defensive, fresh, moved)


def perturb(
    rng: np.random.Generator, x: np.ndarray, cell: np.ndarray, proposal: Proposal, ancestor: np.ndarray
) -> Float[np.ndarray, "N D"]:
    """The kernel alone: symmetric on the probit scale and on the cells."""
    root = proposal.root[ancestor if len(proposal.root) > 1 else np.zeros_like(ancestor)]
    moved = x + np.einsum("nab,nb->na", root, rng.standard_normal(x.shape))
    sizes = proposal.levels[proposal.levels > 0]
    anew = rng.random(cell.shape) < proposal.jump
    other = np.minimum((rng.random(cell.shape) * sizes).astype(int), sizes - 1)
    return unite(moved, np.where(anew, other, cell), proposal.levels)


def log_prior_ratio(unit: Float[np.ndarray, "N D"], proposal: Proposal, block: int = 256) -> Float[np.ndarray, " N"]:
    """log(prior / proposal density) of points: the importance weight of a draw from the mixture."""
    points, cells = split(unit, proposal.levels)
    sizes = proposal.levels[proposal.levels > 0]
    inverse = np.linalg.inv(proposal.root)
    own = np.log(proposal.weight) + np.sum(np.log(np.diagonal(inverse, axis1=1, axis2=2)), axis=1)
    moved = []
    for first in range(0, len(points), block):
        x, cell = points[first : first + block], cells[first : first + block]
        if len(inverse) == 1:
            gap = (x @ inverse[0].T)[:, None] - proposal.x @ inverse[0].T
        else:
            gap = np.einsum("jab,njb->nja", inverse, x[:, None] - proposal.x)
        log = own - 0.5 * np.sum(gap * gap, axis=-1)
        for place, size in enumerate(sizes):
            same = cell[:, None, place] == proposal.cell[:, place]
            log = log + np.log(proposal.jump + (1.0 - proposal.jump) * size * same)
        # the constant of the normal densities cancels, and so do the prior's cells
        moved.append(logsumexp(log, axis=1) + 0.5 * np.sum(x * x, axis=1))
    over_prior = np.concatenate(moved)
    with np.errstate(divide="ignore"):
        return -np.logaddexp(np.log(proposal.defensive), np.log1p(-proposal.defensive) + over_prior)
