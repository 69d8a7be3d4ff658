"""Booths without votes: electors, demographic cells; and copies of booths, to measure large countries with."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr, ndtri

from electjax.calm.model.data import Booths, Frame
from electjax.numerics.host import host_generator


def draw_electors(
    key: jax.Array, number: int, *, total: int | None = None, mean: float = 1080.0, sd: float = 230.0
) -> Int[np.ndarray, " i"]:
    """Electors of the booths of a constituency, from 300 to 1,600, or a bit more or less to add up to `total`."""
    least, most = ndtr((np.array([300.0, 1600.0]) - mean) / sd)
    sizes = mean + sd * ndtri(host_generator(key).uniform(least, most, number))
    if total is None:
        return np.rint(sizes).astype(np.int64)
    bounds = np.rint(np.cumsum(sizes) * (total / sizes.sum())).astype(np.int64)
    return np.diff(bounds, prepend=0)


def draw_shares(key: jax.Array, shares: Float[np.ndarray, "*n l"], concentration: float) -> Float[np.ndarray, "*n l"]:
    """Dirichlet shares around given ones: the larger the concentration, the nearer."""
    gamma = host_generator(key).standard_gamma(concentration * shares)
    total = gamma.sum(axis=-1, keepdims=True)
    return np.where(total > 0, gamma / np.where(total > 0, total, 1.0), shares)


def draw_cells(
    key: jax.Array,
    electors: Int[np.ndarray, " i"],
    mix: Float[np.ndarray, " c"],
    codes: Int[np.ndarray, "c d"],
    tilts: Sequence[Float[np.ndarray, "i _"]],
) -> Int[np.ndarray, "i c"]:
    """Integer cell sizes of each booth.

    Args:
        electors: they add up to these.
        mix: shares of the cells among all electors.
        codes: category of each cell on each axis, negative where the axis does not apply.
        tilts: for each axis and booth, how many times as frequent each category is as among all electors.
    """
    shares = np.repeat(mix[None], len(electors), axis=0)
    for axis, tilt in enumerate(tilts):
        applies = codes[:, axis] >= 0
        shares[:, applies] *= tilt[:, codes[applies, axis]]
    total = shares.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), mix)
    return host_generator(key).multinomial(electors, shares).astype(np.int32)


def tile(key: jax.Array, booths: Booths, frame: Frame, number: int) -> tuple[Booths, Frame]:
    """As many booths as asked for: copies of the whole electorate, each with constituencies of its own, and a part.

    For measuring time and memory, where it only matters that booths look like booths: all India has about a million.
    """
    once, constituencies = len(booths.polled), len(frame.fielded)
    copies, rest = divmod(number, once)
    some = np.sort(host_generator(key).choice(once, rest, replace=False))
    rows = np.concatenate([np.tile(np.arange(once), copies), some])
    copy = np.concatenate([np.repeat(np.arange(copies), once), np.full(rest, copies)])
    taken = Booths(*(np.asarray(each)[rows] for each in booths))
    taken = taken._replace(constituency=(taken.constituency + copy * constituencies).astype(np.int32))
    own = ("candidate_codes", "candidate_values", "candidate_gate", "fielded", "presence", "electors")
    times = copies + (rest > 0)
    more = {name: np.concatenate([np.asarray(getattr(frame, name))] * times) for name in own}
    return taken, frame._replace(**more)
