"""The reinforced urn behind the district models: weights, exact block moments and block draws.

Elector m + 1 chooses category k with probability

    w_k = gamma (n_k + c0 b_k) / (m + c0) + (1 - gamma) b_k                                   (fraction reading)

where n_k of the first m electors chose k, b is the base distribution and c0 the prior mass in pseudo-electors:
Simon's reinforcement (Simon 1955), the paper's eq. 2 with n_sk read as a fraction. Its conditional mean and
covariance over a block of electors are known in closed form, so a block is drawn at once from the
Dirichlet-multinomial with that mean and that total variance. The count reading, w_k proportional to
gamma n_k + (1 - gamma) b_k, is a Polya urn: any block is exactly Dirichlet-multinomial.

Arrays are laid out party first, district last: counts[party, district].
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from electjax.districts.kernels.polling import usable
from electjax.numerics import random

MAX_CONCENTRATION = 1e9


class BlockMoments(NamedTuple):
    """How an urn of mass M moves over a block of L electors; every field has the shape of M.

    With x the fractions now (prior mass counted), b the base, d = x - b and x' the fractions after:
    E[x'] = b + a d and Cov(x') = (B - a^2) d d' + A (diag b - b b') + G (diag d - d b' - b d').
    """

    gain: Float[Array, "..."]  # (M' a - M) / L: the block's expected shares are b + d gain
    spread: Float[Array, "..."]  # B - a^2, never positive
    base: Float[Array, "..."]  # A
    tilt: Float[Array, "..."]  # G


def _gamma_ratio_log(mass: Array, block: Array, low: Array, high: float) -> Array:
    """Log of Gamma(M' + low) Gamma(M + high) / [Gamma(M + low) Gamma(M' + high)] by its asymptotic series.

    A difference of four lgammas has no digits left in float32; the series in 1/(M + (low + high - 1)/2) has
    a relative error below 1e-6 from M = 32.
    """
    power = low - high
    w = mass + 0.5 * (low + high - 1.0)
    w_after = w + block
    correction = power * (power - 1.0) * (power + 1.0) / 24.0
    return power * jnp.log1p(block / w) - correction * (1.0 / (w_after * w_after) - 1.0 / (w * w))


def block_moments(mass: Float[Array, "..."], block: Float[Array, "..."], gamma: Float[Array, "..."]) -> BlockMoments:
    """Closed-form moments of the fraction urn over a block, without cancellation in float32.

    mass: M = electors so far plus prior mass (at least about 32). block: L >= 1 electors to come.
    """
    after = mass + block
    log_a = _gamma_ratio_log(mass, block, gamma, 1.0)
    a_less_1 = jnp.expm1(log_a)
    gain = 1.0 + a_less_1 * (after / block)
    # y = log(M g / M') carries the factor 2 gamma - 1, so that A is smooth through gamma = 1/2
    two = 2.0 * gamma - 1.0
    w = mass + gamma
    w_after = w + block
    length = jnp.log1p(block / w) - (2.0 * gamma - 2.0) * gamma / 12.0 * (1.0 / (w_after * w_after) - 1.0 / (w * w))
    y = two * length
    growth = jnp.expm1(y)
    base = length / after * jnp.where(jnp.abs(y) < 1e-4, 1.0 + 0.5 * y, growth / jnp.where(y == 0, 1.0, y))
    b_coefficient = mass / after * (1.0 + growth)
    centre = mass + gamma - 0.5
    spread = -b_coefficient * jnp.expm1(gamma * gamma * block / (centre * (centre + block)))
    tilt = (1.0 + a_less_1) / after * jnp.expm1(y - log_a)
    return BlockMoments(gain=gain, spread=spread, base=base, tilt=tilt)


def block_concentration(
    moments: BlockMoments,
    mass: Float[Array, "..."],
    block: Float[Array, "..."],
    x: Float[Array, "K ..."],
    b: Float[Array, "K ..."],
    q: Float[Array, "K ..."],
) -> Float[Array, "..."]:
    """Concentration of the Dirichlet-multinomial whose covariance has the urn's exact trace.

    The trace is written with sums of positive terms: the plain form cancels where one party has nearly all.
    """
    own = jnp.sum(x * (1.0 - x), axis=0)
    cross = jnp.sum(x * (1.0 - b), axis=0)
    prior = jnp.sum(b * (1.0 - b), axis=0)
    trace = (
        -moments.spread * own
        + 2.0 * (moments.spread + moments.tilt) * cross
        + (moments.base - moments.spread - 2.0 * moments.tilt) * prior
    )
    after = mass + block
    inflation = after * after / block * trace / jnp.maximum(jnp.sum(q * (1.0 - q), axis=0), 1e-20)
    kappa = jnp.maximum(block - inflation, 1e-6) / jnp.maximum(inflation - 1.0, 1e-7)
    return jnp.clip(kappa, 1e-6, MAX_CONCENTRATION)


def first_electors(
    u: Float[Array, "M S"],
    counts: Int[Array, "K S"],
    electors: Int[Array, " S"],
    active: Bool[Array, " K"] | None,
    *,
    gamma: Float[Array, " S"],
    base: Float[Array, " K"],
    prior_mass: Float[Array, ""],
) -> tuple[Int[Array, "K S"], Int[Array, "M S"]]:
    """Votes of every district after its first M electors, one by one, under the fraction reading.

    The electors in `counts` have voted; u holds a uniform for each elector. Also returns whom each elector chose,
    K where nobody voted. The urn is kept as cumulative counts, so that a choice is one comparison per party.
    """
    parties = counts.shape[0]
    on = jnp.ones(parties, bool) if active is None else active
    voted = jnp.sum(counts, axis=0, dtype=jnp.int32)
    prior = random.running_sum(jnp.where(on, base, 0.0))[:, None]
    even = random.running_sum(on.astype(jnp.float32))[:, None]
    held = random.running_sum(jnp.where(on[:, None], counts, 0).astype(jnp.float32))

    rest = held[-1] - voted.astype(jnp.float32)

    def ball(held: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        turn, u = inputs
        m = turn.astype(jnp.float32)
        # the weights of eq. 2 times m + c0; where there is nobody to copy the base decides even at gamma = 1,
        # and where that is nothing either the choice is even
        by_base = jnp.maximum(prior_mass + (1.0 - gamma) * m, 1e-20)

        def weights(held: Array, prior: Array, even: Array) -> Array:
            return gamma * held + by_base * prior + 1e-30 * even

        # the sum over all is known; the last party's stays above the point, whatever the rounding
        point = u * (weights(m + rest, prior[-1], even[-1]) * (1.0 - 2.0**-21))
        below = (point < weights(held, prior, even)) & (voted <= turn) & (turn < electors)
        return held + below, parties - jnp.sum(below, axis=0, dtype=jnp.int32)

    after, choices = jax.lax.scan(ball, held, (jnp.arange(u.shape[0]), u))
    gained = (after - held).astype(jnp.int32)
    return counts + jnp.diff(gained, axis=0, prepend=0), choices


def first_settlers(
    u: Float[Array, "M L"],
    counts: Int[Array, "S L"],
    sizes: Int[Array, " L"],
    active: Bool[Array, " S"] | None,
    *,
    gamma: Float[Array, " L"],
    base: Float[Array, " S"],
    prior_mass: Float[Array, "*L"],
) -> tuple[Int[Array, "S L"], Int[Array, "M L"]]:
    """The first M of every lane, one by one, where there are many categories, all of them open and still empty.

    Ball m + 1 copies a ball before it, each as likely as the other, with probability gamma m / (m + c0), and
    follows the base otherwise: the weights of the urn, with no sum over the categories.
    """
    if active is not None:
        raise ValueError("first_settlers: all categories have to be open")
    first, categories = u.shape[0], counts.shape[0]
    turn = jnp.arange(first)[:, None]
    m = turn.astype(jnp.float32)
    copied = gamma * m / jnp.maximum(m + prior_mass, 1e-20)
    copies = u < copied
    earlier = jnp.clip((u / jnp.maximum(copied, 1e-20) * m).astype(jnp.int32), 0, first - 1)
    share = jnp.cumsum(base)
    point = (u - copied) / jnp.maximum(1.0 - copied, 1e-20) * share[-1]
    fresh = jnp.minimum(jnp.searchsorted(share, point, side="right"), categories - 1)

    def ball(choices: Array, inputs: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
        turn, copies, earlier, fresh = inputs
        copy = jnp.take_along_axis(choices, earlier[None], axis=0)[0]
        return choices.at[turn].set(jnp.where(copies, copy, fresh)), None

    choices, _ = jax.lax.scan(ball, jnp.zeros(u.shape, jnp.int32), (jnp.arange(first), copies, earlier, fresh))
    choices = jnp.where(turn < sizes, choices, categories)  # out of range: dropped below
    lane = jnp.broadcast_to(jnp.arange(counts.shape[1]), choices.shape)
    return counts.at[choices, lane].add(1, mode="drop"), choices


def _remaining_urn(
    counts: Array, voted: Array, block: Array, active: Array, gamma: Array, base: Array, prior_mass: Array
) -> tuple[Array, Array, Array, Array]:
    """Mass, fractions, base and copy probability of the urn that the active parties form among themselves.

    The reinforcement's share of the weight that is left is taken at the middle of the block.
    """
    on = random.each_lane(active)
    held = jnp.where(on, counts + prior_mass * base, 0.0)
    mass = jnp.sum(held, axis=0)
    b = jnp.where(on, base, 0.0)
    b_sum = jnp.maximum(jnp.sum(b, axis=0), 1e-30)
    b = b / b_sum
    copied = gamma * (mass + 0.5 * block) / (voted + prior_mass + 0.5 * block)
    gamma = copied / jnp.maximum(copied + (1.0 - gamma) * b_sum, 1e-30)
    # parties that hold nothing here leave no urn to copy from
    x = jnp.where(mass > 0, held / jnp.maximum(mass, 1e-6), b)
    return mass, x, b, gamma


def block_shares(
    bits: UInt32[Array, "2 K S"],
    counts: Int[Array, "K S"],
    voted: Int[Array, " S"],
    block: Int[Array, " S"],
    active: Bool[Array, "K *S"] | None,
    *,
    gamma: Float[Array, " S"],
    base: Float[Array, " K"],
    prior_mass: Float[Array, "*S"],
) -> Float[Array, "K S"]:
    """Shares, up to a factor, from which the next `block` electors of every district are drawn (fraction reading).

    Gamma variates whose Dirichlet-multinomial has the urn's exact mean and total variance over the block.
    voted: the electors so far, the sum of counts. active: parties whose total is not used up, None for all; the urn of
    those that are left copies with a probability that drifts with the mass of the rest, here held fixed over the
    block: an approximation, tested against elector-by-elector simulation.
    """
    length = jnp.maximum(block, 1).astype(jnp.float32)
    n = counts.astype(jnp.float32)
    total = voted.astype(jnp.float32)
    b = base[:, None]
    if active is None:
        mass = total + prior_mass
        x = (n + prior_mass * b) / mass
    else:
        mass, x, b, gamma = _remaining_urn(n, total, length, active, gamma, b, prior_mass)
        mass = jnp.maximum(mass, 8.0)  # the moments' series needs some mass
    moments = block_moments(mass, length, gamma)
    q = jnp.maximum(b + (x - b) * moments.gain, 0.0)
    kappa = block_concentration(moments, mass, length, x, b, q)
    # the tiny floor lets the likeliest party vote where every gamma underflows
    return random.gamma_wilson_hilferty(bits, kappa * q) + 1e-30 * q


def leap(
    key: Key[Array, ""],
    lane: Int[Array, " S"],
    counts: Int[Array, "K S"],
    voted: Int[Array, " S"],
    block: Int[Array, " S"],
    active: Bool[Array, " K"] | None,
    *,
    gamma: Float[Array, " S"],
    base: Float[Array, " K"],
    prior_mass: Float[Array, ""],
) -> Int[Array, "K S"]:
    """Votes of the next `block` electors of every district under the fraction reading; see `block_shares`.

    lane: the districts' numbers, which select their random words.
    """
    # drawn once: fused with what uses them, the compiler would draw them element by element
    bits = jax.lax.optimization_barrier(random.random_bits(key, lane, 3 * counts.shape[0]).reshape(3, *counts.shape))
    shares = block_shares(bits[:2], counts, voted, block, active, gamma=gamma, base=base, prior_mass=prior_mass)
    return jnp.where(block > 0, random.multinomial(bits[2], block, shares), 0)


def polya_concentration(gamma: Float[Array, "..."]) -> Float[Array, "..."]:
    """Balls that a Polya urn starts with, if the base sums to one: (1 - gamma) / gamma, as the engines bound it."""
    return jnp.clip((1.0 - gamma) / jnp.maximum(gamma, 1e-9), 1e-9, MAX_CONCENTRATION)


def polya_block(
    key: Key[Array, "*S"],
    lane: Int[Array, " S"],
    counts: Int[Array, "K S"],
    voted: Int[Array, " S"],
    block: Int[Array, " S"],
    active: Bool[Array, "K *S"] | None,
    *,
    gamma: Float[Array, " S"],
    base: Float[Array, " K"],
) -> Int[Array, "K S"]:
    """Votes of the next `block` electors of every district under the count reading, exactly.

    Given the count they are Dirichlet-multinomial, also among the parties whose total is not used up.
    """
    concentration = polya_concentration(gamma)
    shares = random.dirichlet_lanes(key, lane, counts + concentration * base[:, None], active)
    bits = random.random_bits(key, lane + jnp.int32(1 << 30), counts.shape[0])
    return random.multinomial(bits, block, shares)


def ball_weights(
    counts: Float[Array, "K ..."],
    active: Bool[Array, "K ..."],
    *,
    gamma: Float[Array, "..."],
    base: Float[Array, "K ..."],
    prior_mass: Float[Array, "..."],
    fraction: bool,
) -> Float[Array, "K ..."]:
    """Weights of the next elector's choice, zero for inactive parties (eq. 2 in either reading)."""
    # at gamma = 1 the base still decides where there is nobody to copy: the limit of gamma below 1
    novelty = jnp.maximum(1.0 - gamma, 1e-20)
    if fraction:
        mass = jnp.sum(counts, axis=0) + prior_mass
        share = jnp.where(mass > 0, (counts + prior_mass * base) / jnp.where(mass > 0, mass, 1.0), base)
        weights = gamma * share + novelty * base
    else:
        weights = gamma * counts + novelty * base
    # an urn whose remaining parties have neither supporters nor base weight draws evenly among them
    return usable(weights, active)
