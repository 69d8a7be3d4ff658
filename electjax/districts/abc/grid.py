"""A density on the unit cube in one or two dimensions, on a grid that refines itself where the mass is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

CELLS = {1: 4001, 2: 20_000}  # about so many, by dimension
NEGLIGIBLE = 25.0  # log density below the largest at which a cell is left out

LogDensity = Callable[[Float[np.ndarray, "N D"]], Float[np.ndarray, " N"]]


class Grid(NamedTuple):
    """Cells of one size that cover the posterior: their number along each side of the cube, and log density."""

    cells: Int[np.ndarray, "N D"]
    width: float
    log_density: Float[np.ndarray, " N"]

    @property
    def log_evidence(self) -> float:
        """Logarithm of the density's integral over the cube, by the midpoint rule."""
        return float(logsumexp(self.log_density) + self.cells.shape[1] * np.log(self.width))


def adaptive_grid(log_density: LogDensity, size: int) -> Grid:
    """Cut the unit cube into cells, and those that matter into smaller ones, until thousands share the mass.

    At every level the cells within `NEGLIGIBLE` of the largest are kept, at least the best hundredth, together with
    their neighbours: where the first cells are too coarse to show a peak they still show where it lies.
    """
    budget = CELLS[size]
    sides = int(budget ** (1.0 / size))
    cells = np.stack(np.meshgrid(*[np.arange(sides)] * size, indexing="ij"), axis=-1).reshape(-1, size)
    while True:
        values = log_density((cells + 0.5) / sides)
        values = np.where(np.isnan(values), -np.inf, values)
        best = values.max()
        heavy = values > best - NEGLIGIBLE
        if heavy.sum() >= budget // 4 or sides > 1e12 or best == -np.inf:
            return Grid(cells, 1.0 / sides, values)
        heavy |= values >= np.partition(values, -(budget // 100))[-(budget // 100)]
        near = np.stack(np.meshgrid(*[[-1, 0, 1]] * size), axis=-1).reshape(-1, size)
        kept = np.unique((cells[heavy][:, None] + near).reshape(-1, size), axis=0)
        kept = kept[((kept >= 0) & (kept < sides)).all(axis=1)]
        cut = max(2, int((budget / len(kept)) ** (1.0 / size)))
        within = np.stack(np.meshgrid(*[np.arange(cut)] * size, indexing="ij"), axis=-1).reshape(-1, size)
        cells, sides = (kept[:, None] * cut + within).reshape(-1, size), sides * cut


def grid_draws(grid: Grid, rng: np.random.Generator, number: int) -> Float[np.ndarray, "N D"]:
    """Draws by inversion at evenly spaced quantiles, with uniform jitter inside the cell.

    Even spacing keeps the noise of means and quantiles far below that of independent draws.
    """
    mass = np.cumsum(np.exp(grid.log_density - grid.log_density.max()))
    points = (np.arange(number) + rng.uniform()) / number * mass[-1]
    chosen = grid.cells[np.minimum(np.searchsorted(mass, points, side="right"), len(mass) - 1)]
    return (chosen + rng.uniform(size=chosen.shape)) * grid.width
