"""District-wise Model (DM): every district has its own popularity of the parties (Mitra, section 4.1, eq. 1).

    theta_s ~ Dirichlet(c theta),    prob(X_si = k) = theta_sk

The paper writes c = 1 (the parameter vector is theta itself); its Table 1 supports c = 3, the default here. One
multinomial draw per district replaces the loop over electors, exactly.
"""

from functools import partial
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from electjax.districts.kernels.dirichlet_multinomial import urns_log
from electjax.districts.kernels.polling import SINGLE_BLOCK, Poll, Tally, usable
from electjax.districts.models.base import Bookkeeping, Contest, Parameter, Params, Simulator, option, options
from electjax.districts.models.polls import holds, one_by_one, poll_parties
from electjax.numerics import random


@options
class DMOptions:
    """Readings of DM: what decides a district, and the book-keeping of party totals."""

    winner: Literal["votes", "mode"] = option("votes", "who wins: the party with most votes, or the most popular one")
    bookkeeping: Bookkeeping = option("none", "how party totals are held fixed")


def _block(key: Array, tally: Tally, size: Array, active: Array | None, local: Array) -> Array:
    weights = local if active is None else usable(local, active[:, None])
    return random.multinomial(random.random_bits(key, tally.lane, weights.shape[0]), size, weights)


POLL = Poll(weights=lambda votes, active, local: usable(local, active), block=_block)


def make_poll(
    key: Array, popularity: Array, districts: int, params: Params, *, options: DMOptions
) -> tuple[Poll, Any, Array | None]:
    """Draw theta_s for every district; it is also what decides under winner = "mode"."""
    shape = params["concentration"] * jnp.broadcast_to(popularity[:, None], (popularity.shape[0], districts))
    theta = random.dirichlet(key, shape)
    return POLL, theta, theta if options.winner == "mode" else None


def log_likelihood(votes: Int[Array, "S K"], contest: Contest, params: Params, options: DMOptions) -> Float[Array, ""]:
    """The districts' votes are independent and Dirichlet-multinomial."""
    concentration = jnp.broadcast_to(params["concentration"], contest.electors.shape)
    return urns_log(votes, contest.electors, concentration[:, None] * contest.popularity)


DM = Simulator(
    name="dm",
    title="District-wise Model",
    source="Mitra, section 4.1, eq. 1",
    parameters=(
        Parameter(
            name="concentration",
            symbol="c",
            default=3.0,
            support=(1e-3, 1e6),
            meaning="how closely the districts follow the national popularity; the paper's text has 1",
            prior=(0.1, 200.0),
            scale="log",
            per=("district",),
        ),
    ),
    options=DMOptions,
    poll=partial(poll_parties, make_poll=make_poll),
    schedule=lambda contest, *, options: SINGLE_BLOCK,  # electors are independent given theta_s
    holds=holds,
    one_by_one=one_by_one,
    log_likelihood=log_likelihood,
    has_likelihood=lambda options: options.bookkeeping == "none",
)
