"""The samplers against scipy: on a grid of quantiles where the draw is a function of one uniform, else by
Kolmogorov-Smirnov and chi-square with fixed keys. Critical values are those of a level of 1e-4 per test."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from electjax.numerics import random

LEVEL = 1e-4
GRID = 2**16
UNIFORMS = (np.arange(GRID) + 0.5) / GRID
binomial = jax.jit(random.binomial)
binomial_half = jax.jit(random.binomial_half)
gamma = jax.jit(random.gamma_wilson_hilferty)
multinomial = jax.jit(random.multinomial)
dirichlet = jax.jit(random.dirichlet)
dirichlet_lanes = jax.jit(random.dirichlet_lanes)
DRAWS = 20_000  # one shape, so that a sampler compiles once


def columns(*values: float, width: int = DRAWS) -> jax.Array:
    return jnp.broadcast_to(jnp.asarray(values, jnp.float32)[:, None], (len(values), width))


def binomial_on_grid(n: int, p: float) -> np.ndarray:
    u = jnp.asarray(UNIFORMS, jnp.float32)
    return np.asarray(binomial(u, jnp.full(GRID, float(n)), jnp.full(GRID, p, jnp.float32)))


def distance(draws: np.ndarray, cdf: np.ndarray, points: np.ndarray) -> float:
    """Largest difference between the draws' distribution function and `cdf`, both at `points`."""
    return np.max(np.abs(np.searchsorted(np.sort(draws), points, "right") / len(draws) - cdf))


@pytest.mark.parametrize("n", [7, 12, 20, 50, 1000, 10**5, 10**6])
@pytest.mark.parametrize("mean", [0.01, 1.0, 4.99, 5.0, 6.5, 10.0, 50.0, 400.0])
def test_binomial_distribution(n: int, mean: float) -> None:
    if mean > n / 2:
        mean = n * mean / (2 * mean + 1)  # keeps the case, at a probability below one half
    for p in map(float, np.float32([mean / n, 1 - mean / n])):
        draws = binomial_on_grid(n, p)
        values = np.unique(draws)
        smaller = min(n * p, n * (1 - p))
        # one grid step and the float32 error of a sum of masses where inversion is exact
        bound = 1e-3 if smaller > 0.999 * random.INVERSION_MEAN else 1.01 / GRID + 1e-5
        assert distance(draws, stats.binom.cdf(values, n, p), values) <= bound
        assert draws.min() >= 0
        assert draws.max() <= n


def test_binomial_inversion_is_the_quantile_function() -> None:
    draws = binomial_on_grid(40, 0.1)
    wrong = draws != stats.binom.ppf(UNIFORMS, 40, float(np.float32(0.1)))
    assert wrong.mean() <= 2 / GRID  # only where a uniform lies within float32 of a step


@pytest.mark.parametrize("n", [0, 1, 30, 10**6, 2**24 + 2])
def test_binomial_of_certainty(n: int) -> None:
    assert np.all(binomial_on_grid(n, 1.0) == np.float32(n))
    assert np.all(binomial_on_grid(n, 0.0) == 0)


@pytest.mark.parametrize("n", [1, 2, 7, 31, 32])
def test_half_splits_of_few_are_exact(n: int) -> None:
    """Enumeration: bit j of the word is the coin of unit j, so every word of n bits is one outcome."""
    size = min(n, 16)
    words = np.arange(2**size, dtype=np.uint32) << np.uint32(n - size)
    got = np.asarray(binomial_half(jnp.asarray(words), jnp.full(len(words), n)))
    expected = [int(word).bit_count() for word in words]
    assert np.array_equal(got, expected)
    noise = jnp.asarray(words | (np.uint32(0xFFFF0000) << np.uint32(n) if n < 16 else np.uint32(0)))
    assert np.array_equal(np.asarray(binomial_half(noise, jnp.full(len(words), n))), expected)


def test_half_splits_by_chi_square() -> None:
    n, draws = 20, 200_000
    got = np.asarray(binomial_half(jax.random.bits(jax.random.key(1), (draws,)), jnp.full(draws, n)))
    expected = draws * stats.binom.pmf(np.arange(n + 1), n, 0.5)
    observed = np.bincount(got, minlength=n + 1)
    inner = expected >= 5
    pooled = [np.append(x[inner], x[~inner].sum()) for x in (observed, expected)]
    assert stats.chisquare(*pooled).pvalue > LEVEL


@pytest.mark.parametrize("n", [33, 34, 101, 1000, 10**6, 3 * 10**8 + 1])
def test_half_splits_of_many(n: int) -> None:
    words = jnp.asarray((np.arange(GRID, dtype=np.uint32) << np.uint32(16)) + np.uint32(1 << 15))
    got = np.asarray(binomial_half(words, jnp.full(GRID, n)))
    values = np.unique(got)
    assert distance(got, stats.binom.cdf(values, n, 0.5), values) <= 1e-3
    assert abs(got.astype(np.float64).mean() - n / 2) <= 1e-3 * np.sqrt(n) + 1e-9


@pytest.mark.parametrize("shape", [1e-3, 0.05, 0.5, 1.0, 2.0, 2.999, 3.0, 3.5, 5.0, 20.0, 1e3, 1e6])
def test_gamma_distribution(shape: float) -> None:
    draws = 200_000
    got = np.asarray(gamma(jax.random.bits(jax.random.key(2), (2, draws)), jnp.full(draws, shape)))
    # below 1e-30 small shapes underflow to 0, which the comparison at the larger draws counts as it should
    points = np.sort(got[got > 1e-30])[::10]
    stated = 0.003 / max(1.0, shape / 3.0)
    noise = stats.kstwobign.isf(LEVEL) / np.sqrt(draws)
    assert distance(got, stats.gamma.cdf(points, shape), points) <= stated + noise


def test_gamma_is_exact_enough_on_its_quantiles() -> None:
    """From shape 3 the draw is a function of one normal: the error is seen without noise."""
    words = jnp.asarray((np.arange(GRID, dtype=np.uint32) << np.uint32(16)) + np.uint32(1 << 15))
    for shape in (3.0, 5.0, 10.0, 100.0):
        got = np.asarray(gamma(jnp.stack([words, words]), jnp.full(GRID, shape)))
        assert np.max(np.abs(stats.gamma.cdf(got, shape) - UNIFORMS)) <= 0.0024 * 3.0 / shape + 1e-4


def test_gamma_of_shape_zero() -> None:
    got = gamma(jax.random.bits(jax.random.key(3), (2, 1000)), jnp.zeros(1000))
    assert np.all(np.asarray(got) == 0.0)


def multinomial_draws(n: int, *weights: float) -> np.ndarray:
    bits = jax.random.bits(jax.random.key(4), (4, DRAWS))
    return np.asarray(multinomial(bits, jnp.full(DRAWS, n, jnp.int32), columns(*weights)))


def test_multinomial_by_enumeration() -> None:
    n, weights = 4, (0.2, 0.4, 0.6, 1.3)
    got = multinomial_draws(n, *weights)
    assert np.all(got.sum(axis=0) == n)
    cells = [cell for cell in itertools.product(range(n + 1), repeat=4) if sum(cell) == n]
    expected = DRAWS * stats.multinomial.pmf(cells, n, np.array(weights) / sum(weights))
    observed = np.array([np.all(cell == got.T, axis=1).sum() for cell in cells])
    assert observed.sum() == DRAWS
    rare = expected < 5
    pooled = [np.append(x[~rare], x[rare].sum()) for x in (observed, expected)]
    assert stats.chisquare(*pooled).pvalue > LEVEL


@pytest.mark.parametrize("weights", [(0.0, 1.0, 0.0, 3.0), (0.0, 2.0, 5.0, 0.0), (0.0, 0.0, 1e-9, 0.0)])
def test_multinomial_gives_nothing_to_weight_zero(weights: tuple[float, ...]) -> None:
    got = multinomial_draws(1000, *weights)
    assert np.all(got.sum(axis=0) == 1000)
    assert np.all(got[np.array(weights) == 0] == 0)
    assert got.min() >= 0


@pytest.mark.parametrize("n", [2**24 + 1, 300_000_001, 2**30 + 1])
def test_multinomial_past_the_integers_of_float32(n: int) -> None:
    """Totals stay exact, and means and standard deviations stay within 5 standard errors and float32's grain."""
    p = np.array([0.01, 0.09, 0.4, 0.5])
    got = multinomial_draws(n, *p)
    assert np.all(got.sum(axis=0, dtype=np.int64) == n)
    assert got.min() >= 0
    sd = np.sqrt(n * p * (1 - p))
    grain = n * 2.0**-24
    assert np.all(np.abs(got.mean(axis=1) - n * p) <= 5 * sd / np.sqrt(DRAWS) + grain)
    assert np.all(np.abs(got.std(axis=1) / sd - 1) <= 5 / np.sqrt(2 * DRAWS) + grain / sd)


def test_dirichlet_marginals_are_beta() -> None:
    shape = (0.3, 1.0, 6.0)
    shares = np.asarray(dirichlet(jax.random.key(5), columns(*shape)), np.float64)
    assert np.allclose(shares.sum(axis=0), 1.0, atol=1e-6)
    for k in range(3):
        assert stats.kstest(shares[k], stats.beta(shape[k], sum(shape) - shape[k]).cdf).pvalue > LEVEL


def test_dirichlet_of_tiny_and_huge_shapes() -> None:
    """Tiny shapes put everything on one category, category k with probability shape_k / sum; huge ones leave
    nothing but the mean; shape 0 is nothing."""
    shares = np.asarray(dirichlet(jax.random.key(6), columns(1e-6, 3e-6, 0.0)))
    assert np.allclose(shares.sum(axis=0), 1.0, atol=1e-6)
    assert np.all(shares[2] == 0)
    assert abs((shares[0] > 0.5).mean() - 0.25) <= 5 * np.sqrt(0.25 * 0.75 / DRAWS)
    assert (shares.max(axis=0) > 0.999).mean() > 0.999
    shares = np.asarray(dirichlet(jax.random.key(7), columns(1e9, 3e9, 0.0)))
    assert np.allclose(shares, np.array([[0.25], [0.75], [0.0]]), atol=1e-3)


def test_dirichlet_lanes_bars_the_inactive() -> None:
    lanes, active = jnp.arange(DRAWS), jnp.array([True, False, True])
    shares = np.asarray(dirichlet_lanes(jax.random.key(8), lanes, columns(2.0, 1.0, 3.0), active))
    assert np.all(shares[1] == 0)
    assert stats.kstest(shares[0], stats.beta(2, 3).cdf).pvalue > LEVEL


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg"])
def test_lanes_are_independent_of_their_company(implementation: str) -> None:
    """A lane's words depend on the key and the lane's number alone; they differ between lanes and keys."""
    key = jax.random.key(9, impl=implementation)
    words = np.asarray(random.random_bits(key, jnp.arange(6), 5))
    assert words.shape == (5, 6)
    assert words.dtype == np.uint32
    some = np.asarray(random.random_bits(key, jnp.array([4, 1]), 5))
    assert np.array_equal(some, words[:, [4, 1]])
    other = np.asarray(random.random_bits(jax.random.key(10, impl=implementation), jnp.arange(6), 5))
    assert len(np.unique(np.concatenate([words, other]))) == 60


def test_subkeys_are_those_of_jax() -> None:
    """`subkey` is `fold_in` written out; the cipher itself is checked by it, and turns do not overlap."""
    key = jax.random.key(12)
    numbers = np.array([0, 1, 7, 2**31 - 1])
    keys = jax.random.key_data(random.subkey(key, jnp.asarray(numbers)))
    for number, data in zip(numbers, np.asarray(keys), strict=True):
        expected = jax.random.key_data(jax.random.fold_in(key, int(number)))
        assert np.array_equal(data, np.asarray(expected))
        assert np.array_equal(np.asarray(jax.random.key_data(random.subkey(key, int(number)))), data)
    words = [np.asarray(random.random_bits(key, jnp.arange(4), 6, turn)) for turn in range(3)]
    assert len(np.unique(words)) == 3 * 6 * 4


def test_dirichlet_lanes_are_independent_of_their_company() -> None:
    everyone, shape = jnp.ones(3, bool), columns(0.7, 0.2, 4.0)
    key = jax.random.key(9)
    shares = np.asarray(dirichlet_lanes(key, jnp.arange(DRAWS), shape, everyone))
    reverse = np.asarray(dirichlet_lanes(key, jnp.arange(DRAWS)[::-1], shape, everyone))
    assert np.array_equal(reverse[:, ::-1], shares)
    assert len(np.unique(shares[2])) > DRAWS * 0.9


def test_random_bits_are_uniform_and_uncorrelated() -> None:
    lanes, words = 4096, 64
    bits = np.asarray(random.random_bits(jax.random.key(11), jnp.arange(lanes), words))
    u = np.asarray(random.open_uniform(jnp.asarray(bits)), np.float64)
    assert u.min() > 0
    assert u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > LEVEL
    centred = u - 0.5
    bound = 5 / 12 / np.sqrt(u.size)
    assert abs(np.mean(centred[:-1] * centred[1:])) <= bound
    assert abs(np.mean(centred[:, :-1] * centred[:, 1:])) <= bound


def test_open_uniform_never_reaches_its_ends() -> None:
    ends = np.asarray(random.open_uniform(jnp.array([0, 2**32 - 1], jnp.uint32)))
    assert 0 < ends[0] < 1e-7
    assert ends[1] < 1
    assert np.isfinite(np.asarray(random.normal_quantile(jnp.asarray(ends)))).all()


@pytest.mark.parametrize("categories", [9, 70, 543])
def test_multinomial_over_many_categories(categories: int) -> None:
    """Every category, also the padded and the last: mean, variance and covariances of neighbours, some of weight 0."""
    lanes, n = 20_000, 3000
    weights = np.where(np.arange(categories) % 7 == 3, 0.0, 1.0 + np.arange(categories) % 5)
    bits = random.random_bits(jax.random.key(31), jnp.arange(lanes), categories)
    counts = np.asarray(multinomial(bits, jnp.full(lanes, n), columns(*weights, width=lanes)), np.float64)
    assert np.all(counts.sum(axis=0) == n)
    assert np.all(counts[weights == 0] == 0)
    p = weights / weights.sum()
    variance = n * p * (1 - p)
    on = weights > 0
    gap = (counts.mean(axis=1) - n * p)[on] / np.sqrt(variance[on] / lanes)
    assert np.abs(gap).max() < stats.norm.isf(LEVEL / categories)
    # the sampling error of a variance is about sqrt(2 / lanes) of it
    assert np.abs(counts.var(axis=1)[on] / variance[on] - 1).max() < 6 * np.sqrt(2 / lanes)
    kept = counts[on] - counts[on].mean(axis=1, keepdims=True)
    together = (kept[:-1] * kept[1:]).mean(axis=1)
    q = p[on]
    noise = np.sqrt(variance[on][:-1] * variance[on][1:] / lanes)
    assert np.abs((together + n * q[:-1] * q[1:]) / noise).max() < stats.norm.isf(LEVEL / categories)


def test_few_and_many_categories_have_one_law() -> None:
    """Nine categories in groups, and the same with two merged in one chain: equal marginal distributions."""
    lanes = 50_000
    weights = np.array([5.0, 1.0, 2.0, 0.5, 3.0, 0.0, 1.0, 4.0, 2.0])
    merged = np.array([*weights[:7], weights[7:].sum()])

    def drawn(seed: int, weights: np.ndarray) -> np.ndarray:
        bits = random.random_bits(jax.random.key(seed), jnp.arange(lanes), len(weights))
        return np.asarray(multinomial(bits, jnp.full(lanes, 40), columns(*weights, width=lanes)))

    many, few = drawn(32, weights), drawn(33, merged)
    pairs = [*zip(many[:7], few[:7], strict=True), (many[7:].sum(axis=0), few[7])]
    for first, second in pairs:
        table = np.stack([np.bincount(x, minlength=41) for x in (first, second)])
        table = table[:, table.sum(axis=0) > 20]
        if table.shape[1] > 1:
            assert stats.chi2_contingency(table).pvalue > LEVEL / len(pairs)


HYPERGEOMETRIC = [
    (20, 7, 5),
    (20, 15, 18),
    (60, 30, 30),
    (200, 20, 50),
    (499, 240, 10),
    (501, 240, 10),
    (1000, 3, 400),
    (1000, 500, 500),
    (10**4, 40, 900),
    (10**6, 500_000, 8),
    (10**6, 2000, 2000),
    (10**6, 300_000, 450_000),
]


@pytest.mark.parametrize(("total", "good", "draws"), HYPERGEOMETRIC)
def test_hypergeometric_distribution(total: int, good: int, draws: int) -> None:
    u = jnp.asarray(UNIFORMS, jnp.float32)
    x = np.asarray(
        jax.jit(random.hypergeometric)(
            u, jnp.full(GRID, float(good)), jnp.full(GRID, float(total)), jnp.full(GRID, float(draws))
        )
    )
    law = stats.hypergeom(total, good, draws)
    values = np.unique(x)
    mean = min(draws, total - draws) * min(good, total - good) / total
    bound = 3e-3 if mean >= 0.999 * random.INVERSION_MEAN else 1.01 / GRID + 1e-3
    assert distance(x, law.cdf(values), values) <= bound
    assert x.min() >= max(0, draws + good - total)
    assert x.max() <= min(good, draws)


def test_hypergeometric_of_certainty() -> None:
    """Nothing drawn, everything drawn, none good, all good, an empty population."""
    cases = np.array([(0, 5, 3), (5, 5, 3), (2, 5, 0), (2, 5, 5), (0, 0, 0)], np.float32)
    for u in (1e-7, 0.5, 0.9999999):
        x = random.hypergeometric(jnp.full(5, u), *jnp.asarray(cases.T))
        assert np.asarray(x).tolist() == [0, 3, 0, 2, 0]


@pytest.mark.parametrize("shape", [0.001, 0.05, 0.5, 1.0, 3.0, 40.0, 1000.0])
def test_log_gamma_distribution(shape: float) -> None:
    bits = jax.random.bits(jax.random.key(34), (4, 100_000), jnp.uint32)
    x = np.asarray(random.log_gamma(bits, jnp.full(100_000, shape)), np.float64)
    # in logarithms: below float32's smallest number the exact law still has its mass
    assert (
        stats.kstest(shape * x, lambda y: stats.loggamma(shape).cdf(y / shape)).statistic < 1.95 / np.sqrt(1e5) + 1e-3
    )
