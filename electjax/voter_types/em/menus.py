"""M-step for mu, psi and delta: multinomial logits with varying menus on weighted counts (section 4, appendix C).

The likelihood of a type's votes needs only the counts n[k, j, s, l] per office, context and option. Without
restricted menus the maximum is a share (eqs. 2.6, 3.3); with menus it is Luce's choice model, and each office and
type is a problem of L dimensions of its own.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from electjax.voter_types.em.mixture import LOG_ZERO, Types, log_choice

STEP = 4.0  # longest Newton step in psi
ROUNDING = 1e-13  # relative error of a sum: a step that loses less is taken, or Newton's method would stall there


def choice_value(counts: Array, types: Types, mask: Array, x: Array) -> Array:
    """The part of Q that mu and delta decide, per type, office: sum_sl n log mu (eqs. 4.4, C.1), [K, J]."""
    return (counts * log_choice(types, mask, x)).sum((-1, -2))


def maximise_choice(counts: Float[Array, "K J S O"], types: Types, mask: Array, x: Array, *, rounds: int = 1) -> Types:
    """New `log_mu` and `delta`, at which Q is at least what it was; exact where every office has one menu.

    A type that holds no votes of an office keeps its probabilities there.
    """
    shared = types.log_mu.shape[1] < mask.shape[0]  # one set of intercepts for all offices
    if x.shape[-1] == 0 and mask.shape[1] == 1 and not shared:
        return types._replace(log_mu=_shares(counts[:, :, 0], types.log_mu))
    for _ in range(rounds):
        types = _intercepts(counts, types, mask, x, shared=shared)
        if x.shape[-1]:
            types = _effects(counts, types, mask, x)
    return types


def _shares(votes: Array, before: Array) -> Array:
    """log of the options' shares of the votes [K, J, O]."""
    total = votes.sum(-1, keepdims=True)
    share = jnp.log(jnp.where(votes > 0, votes, 1.0)) - jnp.log(jnp.where(total > 0, total, 1.0))
    return jnp.where(total > 0, jnp.where(votes > 0, jnp.maximum(share, LOG_ZERO), LOG_ZERO), before)


def _intercepts(counts: Array, types: Types, mask: Array, x: Array, *, shared: bool) -> Types:
    """A step that raises Q for sure (Hunter's minorisation), and a Newton step from there where that raises it more.

    The first treats options without votes exactly, where Newton would only creep towards minus infinity. Options and
    contexts are leading axes here, [S, O, K, J]: sums over few of them then run along many types and offices.
    """
    options = mask.shape[2]
    counts = counts.transpose(2, 3, 0, 1)
    mask = mask.transpose(1, 2, 0)[:, :, None]
    moved = jnp.einsum("jsoq,kq->sokj", x, types.delta) if x.shape[-1] else 0.0
    votes = counts.sum(0)  # [O, K, J]
    size = counts.sum(1, keepdims=True)  # [S, 1, K, J]

    def choices(log_mu: Array) -> Array:
        """`log_choice` in this order."""
        psi = log_mu[None] + moved
        norm = jax.nn.logsumexp(jnp.where(mask, psi, 4 * LOG_ZERO), axis=1, keepdims=True)
        return jnp.where(mask, jnp.maximum(psi - norm, LOG_ZERO), LOG_ZERO)

    def over(values: Array) -> Array:
        return values.sum(-1, keepdims=True) if shared else values

    def normalised(log_mu: Array) -> Array:
        return jnp.maximum(jax.nn.log_softmax(log_mu, axis=0), LOG_ZERO)

    def value(choices: Array) -> Array:
        return over((counts * choices).sum((0, 1)))

    before = types.log_mu.transpose(2, 0, 1)
    expected = over((size * jnp.exp(choices(before)) * mask).sum(0))
    own = over(votes)
    ratio = jnp.log(jnp.where(own > 0, own, 1.0)) - jnp.log(jnp.where(expected > 0, expected, 1.0))
    first = jnp.where(own > 0, before + jnp.where(expected > 0, ratio, 0.0), LOG_ZERO)
    first = normalised(jnp.where(own.sum(0, keepdims=True) > 0, first, before))

    at_first = choices(first)
    chance = jnp.exp(at_first) * mask
    weighted = size * chance
    level = over(weighted.sum(0))
    slope = own - level
    total = over(size.sum((0, 1)))
    jitter = 1e-12 * total + 1e-300
    # a constant added to psi changes nothing: the ones make the matrix regular without touching the step
    diagonal = jnp.eye(options)[:, :, None, None] * (level + jitter)
    curve = total / options + diagonal - over((weighted[:, :, None] * chance[:, None]).sum(0))
    step = jnp.clip(jnp.stack(_solve([list(row) for row in curve], list(slope))), -STEP, STEP)
    second = normalised(jnp.where(own > 0, first + step, first))
    before_value, after_value = value(at_first), value(choices(second))
    better = after_value > before_value - ROUNDING * jnp.abs(before_value)
    return types._replace(log_mu=jnp.where(better, second, first).transpose(1, 2, 0))


def _effects(counts: Array, types: Types, mask: Array, x: Array) -> Types:
    """A damped Newton step for delta of each type with the intercepts held."""
    size = counts.sum(-1)

    def value(delta: Array) -> Array:
        return choice_value(counts, types._replace(delta=delta), mask, x).sum(-1)

    chance = jnp.exp(log_choice(types, mask, x)) * mask
    mean = jnp.einsum("kjso,jsoq->kjsq", chance, x)
    slope = jnp.einsum("kjso,jsoq->kq", counts, x) - jnp.einsum("kjs,kjsq->kq", size, mean)
    curve = jnp.einsum("kjs,kjso,jsoq,jsor->kqr", size, chance, x, x) - jnp.einsum(
        "kjs,kjsq,kjsr->kqr", size, mean, mean
    )
    scale = jnp.trace(curve, axis1=1, axis2=2)[:, None, None]
    regular = curve + (1e-10 * scale + 1e-300) * jnp.eye(x.shape[-1])
    step = jnp.stack(_solve([list(row) for row in jnp.moveaxis(regular, 0, -1)], list(slope.T)), axis=-1)
    tries = 0.5 ** jnp.arange(6)
    before = value(types.delta)
    values = jax.vmap(lambda t: value(types.delta + t * step))(tries)  # [tries, K]
    good = values >= before - ROUNDING * jnp.abs(before)
    chosen = jnp.where(good.any(0), tries[jnp.argmax(good, axis=0)], 0.0)
    return types._replace(delta=types.delta + chosen[:, None] * step)


def _solve(matrix: list[list[Array]], vector: list[Array]) -> list[Array]:
    """Solve many small positive definite systems, given by their entries, by elimination side by side."""
    rows = [[*row, right] for row, right in zip(matrix, vector, strict=True)]
    for i in range(len(rows)):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for other in range(len(rows)):
            if other != i:
                factor = rows[other][i]
                rows[other] = [value - factor * pivot for value, pivot in zip(rows[other], rows[i], strict=True)]
    return [row[-1] for row in rows]
