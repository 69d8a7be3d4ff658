"""Copies of booths, to measure large countries with."""

import jax
import numpy as np

from electjax.calm.model.design import Booths, Frame
from electjax.numerics.host import host_generator


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
