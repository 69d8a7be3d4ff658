"""District-wise Polarization Model (DPM): electors copy those before them (Mitra, section 4.2, eq. 2).

The paper writes prob(X_si = k) proportional to gamma_s n_sk + (1 - gamma_s) theta_k. Two readings:

fraction  n_sk is the fraction of the district's electors so far, with prior mass c0 theta (the default;
          c0 = 2.5 is what Table 1 supports, c0 = 0 the literal fraction). Simulated by exact-moment blocks.
count     n_sk is the number of electors: a Polya urn of concentration (1 - gamma) / gamma, one exact
          Dirichlet-multinomial draw. c0 plays no part.
"""

from functools import partial
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from electjax.districts.kernels import urn
from electjax.districts.kernels.dirichlet_multinomial import urns_log
from electjax.districts.kernels.polling import SINGLE_BLOCK, Poll, Schedule, leap_schedule, start_size
from electjax.districts.models.base import Bookkeeping, Contest, Parameter, Params, Simulator, option, options
from electjax.districts.models.polls import holds, one_by_one, poll_parties, urn_poll


@options
class DPMOptions:
    """Readings of DPM, and how coarse its blocks are (growth 0.5 is safe, 3 is wrong)."""

    reading: Literal["fraction", "count"] = option("fraction", "how the urn weighs earlier electors")
    bookkeeping: Bookkeeping = option("interleaved", "how party totals are held fixed")
    growth: float = option(0.5, "how much a block of electors may grow the urn, as a share of it", above=0)


def make_poll(
    key: Array, popularity: Array, districts: int, params: Params, *, options: DPMOptions
) -> tuple[Poll, Any, None]:
    """The urn of eq. 2 in the chosen reading; gamma may differ by district."""
    gamma = jnp.broadcast_to(params["gamma"], (districts,))
    poll = urn_poll(popularity, params["prior_mass"], fraction=options.reading == "fraction", first=urn.first_electors)
    return poll, gamma, None


def schedule(contest: Contest, *, options: DPMOptions) -> Schedule:
    """Blocks that grow with the urn under the fraction reading, one block under the count reading."""
    if not options.growth > 0:
        raise ValueError(f"model dpm: option growth={options.growth}: expected more than 0")
    if options.reading == "count":
        return SINGLE_BLOCK
    start = start_size(contest.popularity.size, options.growth)
    return leap_schedule(int(np.max(contest.electors)), growth=options.growth, start=start)


def log_likelihood(votes: Int[Array, "S K"], contest: Contest, params: Params, options: DPMOptions) -> Float[Array, ""]:
    """Every district is a Polya urn of its own."""
    concentration = urn.polya_concentration(jnp.broadcast_to(params["gamma"], contest.electors.shape))
    return urns_log(votes, contest.electors, concentration[:, None] * contest.popularity)


DPM = Simulator(
    name="dpm",
    title="District-wise Polarization Model",
    source="Mitra, section 4.2, eq. 2",
    parameters=(
        Parameter(
            name="gamma",
            symbol="γ",
            default=0.99,
            support=(0.0, 1.0),
            meaning="polarization: the probability of copying an earlier elector of the district",
            prior=(0.0, 1.0),
            per=("district",),
        ),
        Parameter(
            name="prior_mass",
            symbol="c₀",
            default=2.5,
            support=(0.0, np.inf),
            meaning="pseudo-electors that stand for the national popularity (fraction reading)",
        ),
    ),
    options=DPMOptions,
    poll=partial(poll_parties, make_poll=make_poll),
    schedule=schedule,
    holds=holds,
    one_by_one=one_by_one,
    log_likelihood=log_likelihood,
    has_likelihood=lambda options: options.reading == "count" and options.bookkeeping == "none",
)
