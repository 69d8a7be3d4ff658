"""Log votes: what a Dirichlet law of the districts' shares has to say of its concentration."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from electjax.districts.abc.problem import Statistic


def log_votes(votes: Int[Array, "S K"], winner: Int[Array, " S"]) -> Float[Array, " K"]:
    """Mean over districts of the log votes of every party, half a vote added.

    For Dirichlet laws of the districts' shares (DM, DPM by counts) or of a party's votes over districts (PCM by
    counts) it is sufficient as electorates grow.
    """
    return jnp.mean(jnp.log(votes.astype(jnp.float32) + 0.5), axis=0)


STATISTIC = Statistic("log_votes", "mean over districts of the log votes of every party", log_votes)
