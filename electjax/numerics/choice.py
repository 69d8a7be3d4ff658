"""Choice among the options that are there: log-softmax, and the floor of a context."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

CONTEXT_FLOOR = 1e-4  # added to shares whose ratio is the context


def choice(utility: Float[Array, "c k"], fielded: Bool[Array, " k"]) -> Float[Array, "c k"]:
    """Shares of the parties that stand, through log-softmax; the others have none."""
    return jnp.exp(jax.nn.log_softmax(jnp.where(fielded, utility, -jnp.inf), axis=-1, where=fielded))
