"""Fast samplers for counts, written for wide batches of small draws on CPU and GPU.

`jax.random` has no hypergeometric, its binomial is wrong in float32 above about 1e7 trials and its
gamma costs hundreds of nanoseconds. The samplers here use a fixed number of operations and no rejection,
so they vectorise: inversion where a count is small, a Cornish-Fisher expansion of the normal quantile where
it is not, Wilson-Hilferty for gammas. The error of each is stated and tested against scipy.
"""

import math
from itertools import accumulate

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

INVERSION_MEAN = 5.0
INVERSION_ROUNDS = 20
HYPERGEOMETRIC_ROUNDS = 20
LOG_GAMMA_BOOST = 4  # unit steps by which a small shape is raised before the approximation
CHAIN = 8  # categories up to which a multinomial is a chain


def _threefry(key: Array, x0: Array, x1: Array) -> tuple[Array, Array]:
    """The threefry-2x32 block cipher with 20 rounds (Salmon et al. 2011), as `jax.random` uses it.

    Unrolled here it is one kernel; jax's loop of kernels costs twice the time and several times the compilation.
    """
    words = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    x0, x1 = x0 + words[0], x1 + words[1]
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << turn) | (x1 >> (32 - turn)))
        x0 = x0 + words[(group + 1) % 3]
        x1 = x1 + words[(group + 2) % 3] + jnp.uint32(group + 1)
    return x0, x1


def _threefry_words(key: Array) -> UInt32[Array, "2 ..."]:
    """The words of threefry keys, the first two of another implementation's keys."""
    return jnp.moveaxis(jax.random.key_data(key)[..., :2], -1, 0)


def threefry_key(key: Key[Array, ""]) -> Key[Array, ""]:
    """The key as a threefry key.

    Other implementations draw differently under `jax.vmap`, so that a draw would depend on its batch.
    """
    return jax.random.wrap_key_data(jnp.moveaxis(_threefry_words(key), 0, -1), impl="threefry2x32")


def subkey(key: Key[Array, "..."], number: Int[Array, "*n"] | int) -> Key[Array, "..."]:
    """Keys by number: what `jax.random.fold_in` gives, for one number or an array of them, cheap to compile.

    Several keys and several numbers are broadcast together.
    """
    words = _threefry_words(key)
    number = jnp.broadcast_to(jnp.asarray(number, jnp.uint32), jnp.broadcast_shapes(words.shape[1:], jnp.shape(number)))
    pair = _threefry(words, jnp.zeros_like(number), number)
    return jax.random.wrap_key_data(jnp.stack(pair, axis=-1), impl="threefry2x32")


def random_bits(
    key: Key[Array, "*S"], lane: Int[Array, " S"], words: int, turn: Int[Array, "..."] | int = 0
) -> UInt32[Array, "W S"]:
    """32-bit words for every lane; a lane's words depend on the key, its number and the turn alone.

    The key and the turn are common to all lanes, or one each.

    Both words of a threefry block are used, at half the cost of `jax.random.bits`. The key must serve no other
    draw than those of as many words at other turns.
    """
    pairs = (words + 1) // 2
    shape = (pairs, lane.shape[0])
    lanes = jnp.broadcast_to(lane.astype(jnp.uint32), shape)
    blocks = jax.lax.broadcasted_iota(jnp.uint32, shape, 0) + jnp.uint32(pairs) * jnp.asarray(turn, jnp.uint32)
    return jnp.concatenate(_threefry(_threefry_words(key), lanes, blocks))[:words]


def open_uniform(bits: UInt32[Array, "..."]) -> Float[Array, "..."]:
    """Map 32 random bits to (0, 1), never 0 or 1.

    Only 23 bits are used: with 24, adding half a step rounds to 1.0 in float32.
    """
    return (bits >> 9).astype(jnp.float32) * jnp.float32(2**-23) + jnp.float32(2**-24)


def _half_uniforms(bits: Array) -> tuple[Array, Array]:
    """Two uniforms on (0, 1) with 16 bits each from one word: enough for a factor that is not a tail."""
    scale = jnp.float32(2**-16)
    low = (bits & 0xFFFF).astype(jnp.float32) * scale + jnp.float32(2**-17)
    high = (bits >> 16).astype(jnp.float32) * scale + jnp.float32(2**-17)
    return low, high


def normal_quantile(u: Float[Array, "..."]) -> Float[Array, "..."]:
    """Standard normal quantile; erf_inv is cheaper than ndtri and as good inside +-5.4."""
    return jnp.float32(2**0.5) * jax.lax.erf_inv(2.0 * u - 1.0)


def _binomial_inversion(u: Array, n: Array, p: Array) -> Array:
    """Smallest x with CDF(x) >= u, by summing the mass function; for n p below about `INVERSION_MEAN`."""
    odds = p / (1.0 - p)
    mass = jnp.exp(n * jnp.log1p(-p))
    step = odds * (n + 1.0)
    cumulative = mass
    x = jnp.zeros_like(u)
    for j in range(INVERSION_ROUNDS):
        x = x + (u > cumulative)
        mass = mass * (step * (1.0 / (j + 1.0)) - odds)
        cumulative = cumulative + mass
    return jnp.minimum(x, n)


def _binomial_cornish_fisher(u: Array, n: Array, p: Array) -> Array:
    """Normal quantile with skewness and kurtosis corrections, less the variance that rounding adds."""
    z = normal_quantile(u)
    pq = p * (1.0 - p)
    skew = 1.0 - 2.0 * p
    sd = jnp.sqrt(jnp.maximum(n * pq - 1.0 / 12.0, 1e-2))
    z2 = z * z
    cubic = (z2 - 3.0) * ((1.0 - 6.0 * pq) / 24.0) - (2.0 * z2 - 5.0) * (skew * skew / 36.0)
    y = n * p + sd * z + skew * (z2 - 1.0) / 6.0 + z * cubic / sd
    return jnp.clip(jnp.floor(y + 0.5), 0.0, n)


def binomial(u: Float[Array, "..."], n: Float[Array, "..."], p: Float[Array, "..."]) -> Float[Array, "..."]:
    """Binomial(n, p) counts from one uniform each (inverse distribution function).

    Kolmogorov-Smirnov distance to the exact law at most .001; exact to float32 where the smaller of the
    expected successes and failures is below `INVERSION_MEAN`. `n` and the result are whole
    numbers held in floats.
    """
    flip = p > 0.5
    q = jnp.where(flip, 1.0 - p, p)
    q = jnp.clip(q, 0.0, 0.5)
    x = jnp.where(n * q < INVERSION_MEAN, _binomial_inversion(u, n, q), _binomial_cornish_fisher(u, n, q))
    return jnp.where(flip, n - x, x)


def _hypergeometric_inversion(u: Array, good: Array, total: Array, draws: Array) -> Array:
    """Smallest x with CDF(x) >= u, by summing the mass function; good and draws at most half of the total."""
    n, k = jnp.minimum(good, draws), jnp.maximum(good, draws)
    bad = total - k
    # P(0) is a product of n factors (bad - i) / (total - i): gamma functions where the total is small, and else its
    # logarithm by the midpoint rule, as those would cancel
    centre = total - 0.5 * (n - 1.0)
    rest = jnp.maximum(centre - k, 0.5)
    curve = -k * (centre + rest) / jnp.square(centre * rest)
    log_large = n * jnp.log1p(-jnp.minimum(k / centre, 0.999)) + n**3 / 24.0 * curve
    few = total < 500.0

    def falling(x: Array) -> Array:
        x = jnp.where(few, x, 2.0 * n + 1.0)
        return jax.lax.lgamma(x + 1.0) - jax.lax.lgamma(jnp.maximum(x - n, 0.0) + 1.0)

    mass = jnp.exp(jnp.where(few, falling(bad) - falling(total), log_large))
    cumulative = mass
    x = jnp.zeros_like(u)
    for j in range(HYPERGEOMETRIC_ROUNDS):
        x = x + (u > cumulative)
        mass = mass * ((n - j) * (k - j)) / ((j + 1.0) * jnp.maximum(bad - n + j + 1.0, 1.0))
        mass = jnp.maximum(mass, 0.0)
        cumulative = cumulative + mass
    return jnp.minimum(x, n)


def _hypergeometric_cornish_fisher(u: Array, good: Array, total: Array, draws: Array) -> Array:
    """Normal quantile with skewness and kurtosis corrections, less the variance that rounding adds."""
    z = normal_quantile(u)
    p, f = good / total, draws / total
    variance = draws * p * (1.0 - p) * (1.0 - f) * (total / jnp.maximum(total - 1.0, 1.0))
    sd = jnp.sqrt(jnp.maximum(variance - 1.0 / 12.0, 1e-2))
    skewed = (1.0 - 2.0 * p) * (1.0 - 2.0 * f)  # skewness times the standard deviation
    spread = (1.0 - 6.0 * p * (1.0 - p)) * (1.0 - 6.0 * f * (1.0 - f)) - 6.0 * p * (1.0 - p) * f * (1.0 - f) * 1.0
    z2 = z * z
    cubic = (z2 - 3.0) * spread / 24.0 - (2.0 * z2 - 5.0) * skewed * skewed / 36.0
    return jnp.floor(draws * p + sd * z + skewed * (z2 - 1.0) / 6.0 + z * cubic / sd + 0.5)


def hypergeometric(
    u: Float[Array, "..."], good: Float[Array, "..."], total: Float[Array, "..."], draws: Float[Array, "..."]
) -> Float[Array, "..."]:
    """How many of `good` among `total` are in a random subset of `draws`, from one uniform each.

    Whole numbers held in floats. Kolmogorov-Smirnov distance to the exact law at most .003; exact to float32 where the
    expected count, or that of what is left out or not good, is below `INVERSION_MEAN`.
    """
    flip_good, flip_draws = 2.0 * good > total, 2.0 * draws > total
    k = jnp.where(flip_good, total - good, good)
    n = jnp.where(flip_draws, total - draws, draws)
    whole = jnp.maximum(total, 1.0)
    small = n * (k / whole) < INVERSION_MEAN
    x = jnp.where(small, _hypergeometric_inversion(u, k, whole, n), _hypergeometric_cornish_fisher(u, k, whole, n))
    x = jnp.where(flip_draws, k - x, x)
    x = jnp.where(flip_good, draws - x, x)
    return jnp.clip(x, jnp.maximum(0.0, draws + good - total), jnp.minimum(good, draws))


def count_bits(bits: UInt32[Array, "..."], n: Int[Array, "..."]) -> Int[Array, "..."]:
    """Binomial(n, 1/2) counts for n up to 32, exactly: the ones among n random bits."""
    mask = jnp.where(n >= 32, jnp.uint32(0xFFFFFFFF), (jnp.uint32(1) << n.astype(jnp.uint32)) - 1)
    return jax.lax.population_count(bits & mask).astype(jnp.int32)


def binomial_half(bits: UInt32[Array, "..."], n: Int[Array, "..."]) -> Int[Array, "..."]:
    """Binomial(n, 1/2) counts from 32 random bits each: exact up to n = 32, Cornish-Fisher above."""
    z = normal_quantile(open_uniform(bits))
    wide = jnp.maximum(n, 33).astype(jnp.float32)
    sd = jnp.sqrt(wide / 4.0 - 1.0 / 12.0)
    # the offset from the floor of n / 2 is small enough for float32 even where n is not
    offset = jnp.floor(sd * (z - (z * z - 3.0) * z / (12.0 * wide)) + 0.5 * (n % 2) + 0.5).astype(jnp.int32)
    return jnp.where(n <= 32, count_bits(bits, n), jnp.clip(n // 2 + offset, 0, n))


def gamma_wilson_hilferty(bits: UInt32[Array, "2 ..."], shape: Float[Array, "..."]) -> Float[Array, "..."]:
    """Gamma(shape, 1) variates by the cube of a normal (Wilson and Hilferty 1931), with no rejection.

    Below shape 3 the draw is made at shape + 2 and brought down by U1^(1/shape) U2^(1/(shape + 1)). The
    Kolmogorov-Smirnov distance to the exact law is about .003 at worst and falls as 1/shape. Shape 0 gives 0.
    """
    z = normal_quantile(open_uniform(bits[0]))
    small = shape < 3.0
    a = jnp.where(small, shape + 2.0, shape)
    h = jax.lax.rsqrt(9.0 * a)
    root = jnp.maximum(1.0 - h * h + z * h, 0.0)
    floor = jnp.maximum(shape, 1e-30)
    u1, u2 = _half_uniforms(bits[1])
    boost = jnp.log(u1) / floor + jnp.log(u2) / (floor + 1.0)
    return a * root**3 * jnp.where(small, jnp.exp(boost), 1.0)


def log_gamma(bits: UInt32[Array, "4 ..."], shape: Float[Array, "..."]) -> Float[Array, "..."]:
    """Logarithms of Gamma(shape, 1) variates, which do not underflow where the shape is small; -inf at shape 0.

    The cube of a normal (Wilson and Hilferty 1931) at shape + 4, brought down by prod_j U_j^(1 / (shape + j)). The
    Kolmogorov-Smirnov distance to the exact law is below .001 for every shape.
    """
    raised = shape + LOG_GAMMA_BOOST
    z = normal_quantile(open_uniform(bits[0]))
    h = jax.lax.rsqrt(9.0 * raised)
    root = jnp.maximum(1.0 - h * h + z * h, 1e-6)
    floor = jnp.maximum(shape, 1e-30)
    low, high = bits[2:] & 0xFFFF, bits[2:] >> 16
    steps = jnp.log(open_uniform(bits[1])) / floor
    for j, word in enumerate((low[0], high[0], low[1]), start=1):
        steps = steps + jnp.log((word.astype(jnp.float32) + 0.5) * jnp.float32(2**-16)) / (shape + j)
    draws = jnp.log(raised) + 3.0 * jnp.log(root) + steps
    return jnp.where(shape > 0, draws, -jnp.inf)


def running_sum(values: Float[Array, "K ..."]) -> Float[Array, "K ..."]:
    """Cumulative sum over the leading axis, term by term: a zero repeats the sum before it exactly."""
    return jnp.stack(list(accumulate(values)))


def multinomial(
    bits: UInt32[Array, "K ..."], n: Int[Array, "..."], weights: Float[Array, "K ..."]
) -> Int[Array, "K ..."]:
    """Multinomial counts over the leading axis, one word of `bits` a category.

    Weights need not sum to one; a category of weight 0 gets no count as long as one weight is positive.
    A few categories are a chain of binomials whose last takes the rest: put the largest last, it absorbs what
    float32 cannot resolve when n passes 2^24. Many are drawn group by group, in chains that are short and wide.
    """
    return (_multinomial_chain if weights.shape[0] <= CHAIN else _multinomial_groups)(bits, n, weights)


def _split(u: Array, n: Array, p: Array) -> Array:
    """Binomial counts as integers, all of n where p is one."""
    x = binomial(u, n.astype(jnp.float32), p).astype(jnp.int32)
    # float32 rounds n above 2^24
    return jnp.where(p >= 1.0, n, jnp.clip(x, 0, n))


def _multinomial_chain(bits: Array, n: Array, weights: Array, tail: Array | None = None) -> Array:
    """tail: what each category's weight and those after it add up to, where that is known."""
    if tail is None:
        tail = jax.lax.cumsum(weights, axis=0, reverse=True)
    # p is exactly one where nothing comes after, so that certainty stays certain
    p = jnp.where(tail > 0, weights / jnp.maximum(tail, 1e-37), 0.0)

    def link(left: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        x = _split(inputs[0], left, inputs[1])
        return left - x, x

    # a scan, not an unrolled chain: the compiler would recompute each link inside all later ones
    left, counts = jax.lax.scan(link, n, (open_uniform(bits[:-1]), p[:-1]))
    return jnp.concatenate([counts, left[None]])


def _multinomial_groups(bits: Array, n: Array, weights: Array) -> Array:
    """First among groups of categories, then within all groups at once: two short chains instead of a long one."""
    categories, *lanes = weights.shape
    groups = math.ceil(math.sqrt(categories))
    size = -(-categories // groups)
    spare = size * groups - categories
    # the padding comes first, so that what takes the rest is a category
    padded = jnp.pad(weights.reshape(categories, -1), ((spare, 0), (0, 0))).reshape(size, -1)
    # several times faster than a cumulative sum; a matrix product's rounding would depend on the other lanes
    _, tail = jax.lax.scan(lambda after, w: (after + w, after + w), jnp.zeros_like(padded[0]), padded, reverse=True)
    by_group = _multinomial_chain(bits[:groups], n, tail[0].reshape(groups, *lanes))
    # the padding and what takes the rest need no words
    words = jnp.pad(bits[groups:].reshape(categories - groups, -1), ((spare, groups), (0, 0))).reshape(size, -1)
    counts = _multinomial_chain(words, by_group.reshape(-1), padded, tail)
    return counts.reshape(size * groups, *lanes)[spare:]


def each_lane(active: Bool[Array, "K *S"]) -> Bool[Array, "K ..."]:
    """Which categories are open, ready to meet [K, S] arrays: the same in all lanes, or by lane."""
    return active if active.ndim == 2 else active[:, None]


def _log_shares(log_gammas: Float[Array, "K ..."]) -> Float[Array, "K ..."]:
    """Shares from log gammas: a softmax, which survives shapes whose gammas all underflow."""
    return jax.nn.softmax(log_gammas, axis=0)


def dirichlet(key: Key[Array, ""], shape: Float[Array, "K ..."]) -> Float[Array, "K ..."]:
    """Dirichlet shares over the leading axis, exact (rejection sampling in log space); shape 0 gives share 0."""
    draws = jax.random.loggamma(key, jnp.maximum(shape, 1e-30))
    return _log_shares(jnp.where(shape > 0, draws, -jnp.inf))


def dirichlet_lanes(
    key: Key[Array, "*S"], lane: Int[Array, " S"], shape: Float[Array, "K S"], active: Bool[Array, "K *S"] | None
) -> Float[Array, "K S"]:
    """Exact Dirichlet shares per lane from the lane's own key; inactive categories get share 0."""
    keys = subkey(key, lane)
    draws = jax.vmap(jax.random.loggamma, in_axes=(0, 1), out_axes=1)(keys, jnp.maximum(shape, 1e-30))
    on = (shape > 0) if active is None else (shape > 0) & each_lane(active)
    # with nobody left to choose from, an even split that the caller's totals cut to nothing
    any_on = jnp.any(on, axis=0)
    return _log_shares(jnp.where(on | ~any_on, draws, -jnp.inf))
