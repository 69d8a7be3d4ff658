"""Cells and candidates for tests of CALM, and g from its definition."""

from itertools import product

import jax
import numpy as np

from electjax.calm.model import affinity as af
from electjax.calm.model.design import Frame
from electjax.data import axes as ax

SMALL = {  # 1 + 5 + 1 + 2 + 2 = 11 free features, and 2 free parties
    "age": {"categories": ["18-25", "26-35", "36-45", "46-60", "61-75", "76+"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim"]},
    "caste": {"categories": ["General", "OBC", "SC"], "within": {"religion": "Hindu"}},
    "income": {"categories": ["Low", "Middle", "High"]},
}
CANDIDATES = np.array(
    [
        [["46-60", "Hindu", "OBC", "Middle"], ["36-45", "Hindu", "SC", "Low"], ["61-75", "Muslim", "", "High"]],
        [["26-35", "Muslim", "", "Middle"], ["46-60", "Hindu", "General", "High"], ["36-45", "Hindu", "OBC", "Low"]],
    ]
)
RHO = np.array([0.5, 0.0, 0.0, 0.0])

# compiled once for each shape
raw, standardise = jax.jit(af.raw), jax.jit(af.standardise)
standard_of = jax.jit(af.standard_of, static_argnames="weighting")
build = jax.jit(af.build, static_argnums=2)


def frame_of(candidates, spec=SMALL, cells=None, values=None, fielded=None, presence=None, electors=None):
    """A frame of all cells with one-hot features."""
    axes = ax.axes_of(spec)
    cells = ax.every_cell(axes) if cells is None else np.array(cells)
    own, other = ax.codes_of(cells, axes), ax.codes_of(np.array(candidates), axes)
    ones = np.ones((len(other), len(cells)))
    presence = ones if presence is None else presence
    return Frame(
        features=np.concatenate([own[:, [d]] == np.arange(len(a.categories)) for d, a in enumerate(axes)], 1) * 1.0,
        cell_codes=own,
        candidate_codes=other,
        candidate_values=np.zeros(other.shape) if values is None else values,
        **ax.kernel_arrays(axes)._asdict(),
        cell_gate=ax.gate_of(own, axes),
        candidate_gate=ax.gate_of(other, axes),
        fielded=np.ones(other.shape[:2], bool) if fielded is None else fielded,
        presence=presence,
        electors=presence if electors is None else electors,
    )


def drawn(areas=4, parties=3, seed=0, gaps=True):
    """Random candidates, some unknown or missing, and cells that are not everywhere."""
    rng = np.random.default_rng(seed)
    cells = ax.every_cell(ax.axes_of(SMALL))
    people = cells[rng.integers(len(cells), size=(areas, parties))]
    fielded, presence = np.ones((areas, parties), bool), np.ones((areas, len(cells)))
    if gaps:
        people[rng.uniform(size=people.shape) < 0.1] = ""
        fielded[0, -1] = False
        presence = rng.integers(0, 4, size=presence.shape) * 1.0
    return frame_of(people, fielded=fielded, presence=presence, electors=presence * rng.uniform(1, 9, presence.shape))


def by_hand(frame, axes, rho):
    """g from its definition, one number at a time."""
    (areas, parties, _), cells = frame.candidate_codes.shape, len(frame.cell_codes)
    found = np.zeros((areas, cells, parties, len(axes)))
    for a, c, k, d in product(range(areas), range(cells), range(parties), range(len(axes))):
        own, other = frame.cell_codes[c], frame.candidate_codes[a, k]
        if own[d] < 0 or other[d] < 0 or not frame.fielded[a, k]:
            continue
        if axes[d].name == "caste" and not (own[1] == other[1] == 0):
            continue
        gap = abs(int(own[d]) - int(other[d]))
        found[a, c, k, d] = 1.0 if gap == 0 else rho if gap == 1 and axes[d].name == "age" else 0.0
    return found
