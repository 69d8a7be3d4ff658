"""The Dirichlet-multinomial law: n choices among categories whose shares are themselves Dirichlet.

    P(x | a) = n! Gamma(A) / Gamma(n + A) prod_k Gamma(x_k + a_k) / (x_k! Gamma(a_k)),    n = sum_k x_k, A = sum_k a_k

It is the law of a Polya urn that starts with a_k balls of each colour. For a million electors the logarithms of these
gammas are near 1e7 while that of P is near -20. Each is therefore split into z log z - z and a small remainder. With
m = a + x and M = A + n, the large parts add up to deviances that vanish where x, a and m are in proportion,

    -sum_k [D(x_k, n m_k / M) + D(a_k, A m_k / M)],    D(o, e) = o log(o / e) - o + e

(after C. Loader, "Fast and accurate computation of binomial probabilities", 2000, where the second urn is infinite).
Nothing large cancels: float32 keeps an absolute error of about 1e-4 per row, at concentrations from 1e-9 to 1e9.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)  # from 8 on, right to 2e-14
SERIES_TERMS = 8


def _deviance(o: Array, e: Array, gap: Array) -> Array:
    """D(o, e), given gap = o - e to full relative precision."""
    total = o + e
    v = gap / jnp.where(total > 0, total, 1.0)
    near = jnp.abs(v) < 0.1
    square = jnp.where(near, v * v, 0.0)
    series = jnp.zeros_like(v)
    for j in reversed(range(SERIES_TERMS)):
        series = series * square + 1.0 / (2 * j + 3)
    close = gap * v + 2.0 * o * v * square * series
    # the branch not taken must stay finite, or its gradient spoils the other's
    ratio = jnp.where(near | (o <= 0), 1.0, o / jnp.where(e > 0, e, 1.0))
    return jnp.where(near, close, o * jnp.log(ratio) - gap)


def _log_gamma_remainder(z: Array) -> Array:
    """log Gamma(z) - z log z + z for z > 0, by Stirling's series, from 8 steps above where z is below 8."""
    small = z < 8.0
    w = jnp.where(small, z + 8.0, z)
    inverse = 1.0 / (w * w)
    tail = jnp.zeros_like(z)
    for term in reversed(STIRLING):
        tail = tail * inverse + term
    series = 0.5 * jnp.log(2.0 * math.pi / w) + tail / w
    low = jnp.where(small, z, 1.0)
    y = low * (low + 7.0)  # z (z + 1) ... (z + 7) in pairs from the ends
    steps = jnp.log(y * (y + 6.0) * (y + 10.0) * (y + 12.0))
    return series + jnp.where(small, w * jnp.log(w) - low * jnp.log(low) - 8.0 - steps, 0.0)


def _log_factorial_remainder(x: Array) -> Array:
    """log x! - x log x + x for whole x >= 0."""
    some = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, jnp.log(some) + _log_gamma_remainder(some), 0.0)


def dirichlet_multinomial_log(counts: Int[Array, "*R K"], shape: Float[Array, "*#R K"]) -> Float[Array, "*R"]:
    """Log probability of these counts among all with the same sum; a category of shape 0 takes nothing.

    shape: the Dirichlet parameters a, at least one of them positive in every row.
    """
    shape = jnp.broadcast_to(shape, counts.shape)
    open_ = shape > 0
    a = jnp.where(open_, shape, 1.0)
    x = jnp.where(open_, counts, 0).astype(a.dtype)
    n = jnp.sum(x, axis=-1, keepdims=True)
    total = jnp.sum(jnp.where(open_, a, 0.0), axis=-1, keepdims=True)
    m, after = a + x, total + n
    gap = x * (total / after) - a * (n / after)
    large = _deviance(jnp.stack([x, a]), jnp.stack([n, total]) * (m / after), jnp.stack([gap, -gap])).sum(axis=0)
    small = _log_gamma_remainder(m) - _log_gamma_remainder(a) - _log_factorial_remainder(x)
    whole = _log_gamma_remainder(after) - _log_gamma_remainder(total) - _log_factorial_remainder(n)
    parts = jnp.where(open_, small - large, jnp.where(counts > 0, -jnp.inf, 0.0))
    return jnp.sum(parts, axis=-1) - whole[..., 0]


def multinomial_log(counts: Int[Array, "*R K"], shares: Float[Array, "*#R K"]) -> Float[Array, "*R"]:
    """Log probability of multinomial counts among all with the same sum; shares are used up to a factor."""
    shares = jnp.broadcast_to(shares, counts.shape)
    open_ = shares > 0
    x = jnp.where(open_, counts, 0).astype(shares.dtype)
    n = jnp.sum(x, axis=-1, keepdims=True)
    p = jnp.where(open_, shares, 1.0) / jnp.sum(shares, axis=-1, keepdims=True)
    parts = -_deviance(x, n * p, x - n * p) - _log_factorial_remainder(x)
    parts = jnp.where(open_, parts, jnp.where(counts > 0, -jnp.inf, 0.0))
    return jnp.sum(parts, axis=-1) + _log_factorial_remainder(n)[..., 0]


def urns_log(counts: Int[Array, "L C"], sizes: Int[Array, " L"], shape: Float[Array, "L C"]) -> Float[Array, ""]:
    """Log probability of independent urns, one per row; -inf where a row does not add up to its size."""
    rows = dirichlet_multinomial_log(counts, shape)
    return jnp.where(jnp.all(jnp.sum(counts, axis=-1) == sizes), jnp.sum(rows), -jnp.inf)
