"""Booths that are kept out of a fit."""

import jax
import numpy as np

from electjax.numerics.host import host_generator


def held_out(area: np.ndarray, share: float, key: jax.Array) -> np.ndarray:
    """Choose a share of the booths of every constituency at random, [i]; at least one of each stays in the fit."""
    generator = host_generator(key)
    out = np.zeros(len(area), bool)
    for a in np.unique(area):
        booths = np.flatnonzero(area == a)
        number = min(round(share * len(booths)), len(booths) - 1)
        out[generator.permutation(booths)[:number]] = True
    return out
