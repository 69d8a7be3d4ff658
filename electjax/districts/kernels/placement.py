"""How communities settle over districts when nothing stops them: P_c ~ Dirichlet (Mitra, section 4.5, eq. 6).

A sequence of electors in which everyone joins a district in proportion to its members plus a constant is, in the
long run, a Dirichlet draw over districts; given it, electors settle independently (de Finetti).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from electjax.numerics import random


def dirichlet_settlement(key: Key[Array, ""], sizes: Int[Array, " C"], shape: Float[Array, " S"]) -> Int[Array, "S C"]:
    """Members of every community in every district: Multinomial(n_c, P_c) with P_c ~ Dirichlet(shape).

    float32 holds n_c to one part in 2^24; the counts add up to n_c exactly.
    """
    key_law, key_counts = random.subkey(key, jnp.arange(2))
    communities, districts = sizes.shape[0], shape.shape[0]
    lane = jnp.arange(communities, dtype=jnp.int32)
    bits = random.random_bits(key_law, lane, 4 * districts).reshape(4, districts, communities)
    law = jax.nn.softmax(random.log_gamma(bits, jnp.broadcast_to(shape[:, None], bits.shape[1:])), axis=0)
    return random.multinomial(random.random_bits(key_counts, lane, districts), sizes, law)
