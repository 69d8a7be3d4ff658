"""District-wise Polarization Model (DPM): electors copy those before them (Mitra, section 4.2, eq. 2).

The paper writes prob(X_si = k) proportional to gamma_s n_sk + (1 - gamma_s) theta_k. Two readings:

fraction  n_sk is the fraction of the district's electors so far, with prior mass c0 theta (the default;
          c0 = 2.5 is what Table 1 supports, c0 = 0 the literal fraction). Simulated by exact-moment blocks.
count     n_sk is the number of electors: a Polya urn of concentration (1 - gamma) / gamma, one exact
          Dirichlet-multinomial draw. c0 plays no part.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array

from electjax.core import random, urn
from electjax.core.polling import SINGLE_BLOCK, Poll, Schedule, Tally, leap_schedule, start_size
from electjax.simulators.base import Bookkeeping, Contest, Parameter, Params, Simulator
from electjax.simulators.polls import holds, one_by_one, poll_parties


@dataclass(frozen=True)
class DPMOptions:
    """Readings of DPM; `growth` is how much a block may grow the electors so far (0.5 is safe, 3 is wrong)."""

    reading: Literal["fraction", "count"] = "fraction"
    bookkeeping: Bookkeeping = "interleaved"
    growth: float = 0.5


def _count_block(key: Array, tally: Tally, size: Array, active: Array | None, gamma: Array, *, base: Array) -> Array:
    """Polya urn: the next electors are Dirichlet-multinomial given the count, also among surviving parties."""
    concentration = jnp.clip((1.0 - gamma) / jnp.maximum(gamma, 1e-9), 1e-9, urn.MAX_CONCENTRATION)
    shape = tally.votes + concentration * base[:, None]
    shares = random.dirichlet_lanes(key, tally.lane, shape, active)
    bits = random.random_bits(key, tally.lane + jnp.int32(1 << 30), shape.shape[0])
    return random.multinomial(bits, size, shares)


def make_poll(
    key: Array, popularity: Array, districts: int, params: Params, *, options: DPMOptions
) -> tuple[Poll, Any, None]:
    """The urn of eq. 2 in the chosen reading; gamma may differ by district."""
    gamma = jnp.broadcast_to(params["gamma"], (districts,))
    prior_mass = params["prior_mass"]
    fraction = options.reading == "fraction"

    def weights(votes: Array, active: Array, gamma: Array) -> Array:
        base = popularity[:, None]
        return urn.ball_weights(votes, active, gamma=gamma, base=base, prior_mass=prior_mass, fraction=fraction)

    def block(key: Array, tally: Tally, size: Array, active: Array | None, gamma: Array) -> Array:
        return urn.leap(key, *tally, size, active, gamma=gamma, base=popularity, prior_mass=prior_mass)

    def start(u: Array, counts: Array, electors: Array, active: Array | None, gamma: Array) -> tuple[Array, Array]:
        return urn.first_electors(u, counts, electors, active, gamma=gamma, base=popularity, prior_mass=prior_mass)

    if not fraction:
        return Poll(weights, partial(_count_block, base=popularity)), gamma, None
    return Poll(weights, block, start), gamma, None


def schedule(contest: Contest, *, options: DPMOptions) -> Schedule:
    """Blocks that grow with the urn under the fraction reading, one block under the count reading."""
    if not options.growth > 0:
        raise ValueError(f"model dpm: option growth={options.growth}: expected more than 0")
    if options.reading == "count":
        return SINGLE_BLOCK
    start = start_size(contest.popularity.size, options.growth)
    return leap_schedule(int(contest.electors.max()), growth=options.growth, start=start)


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
            support=(0.0, float("inf")),
            meaning="pseudo-electors that stand for the national popularity (fraction reading)",
        ),
    ),
    options=DPMOptions,
    poll=partial(poll_parties, make_poll=make_poll),
    schedule=schedule,
    holds=holds,
    one_by_one=one_by_one,
)
