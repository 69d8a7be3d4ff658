"""Summary statistics besides the paper's. A user's own is such a function: pure, of one election, jax inside."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Statistic = Callable[[Array, Array], Array]


def log_votes(votes: Int[Array, "S K"], winner: Int[Array, " S"]) -> Float[Array, " K"]:
    """Mean over districts of the log votes of every party, half a vote added.

    What a Dirichlet law of the districts' shares (DM, DPM by counts) or of a party's votes over districts (PCM by
    counts) has to say of its concentration: it is sufficient as electorates grow.
    """
    return jnp.mean(jnp.log(votes.astype(jnp.float32) + 0.5), axis=0)


STATISTICS: dict[str, Statistic | None] = {"paper": None, "log_votes": log_votes}
