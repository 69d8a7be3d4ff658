"""The penalised observed log-likelihood and its gradient, on the device."""

import jax
import jax.numpy as jnp
from jax import Array

from electjax.voter_types.em.membership import penalty
from electjax.voter_types.em.mixture import Types, expect, log_choice, log_likelihood, log_shares
from electjax.voter_types.em.rows import Rows


def objective_of(types: Types, rows: Rows, ridge: Array | float) -> Array:
    """Penalised observed log-likelihood."""
    return log_likelihood(types, rows) - penalty(types.gamma, ridge)


def score(types: Types, rows: Rows, ridge: Array | float = 0.0) -> Types:
    """Gradient of the penalised observed log-likelihood: that of Q at its own expectations (Fisher's identity).

    No reverse pass over the rows, so that memory stays that of an E-step.
    """
    found = expect(types, rows)

    def complete(own: Types) -> Array:
        choice = (found.counts * log_choice(own, rows.mask, rows.x)).sum()
        return choice + (found.members * log_shares(own, rows.design)).sum() - penalty(own.gamma, jnp.asarray(ridge))

    return jax.grad(complete)(types)
