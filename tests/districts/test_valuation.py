"""Choice probabilities, kappa nodes and permitted attitudes against closed forms, scipy and enumeration."""

from itertools import pairwise, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from electjax.districts.kernels import settling, valuation
from electjax.numerics import random

choices = jax.jit(valuation.choice_probabilities)


def probabilities(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Of cases[K, N] at once."""
    mean, sd = np.broadcast_arrays(np.float32(mean), np.float32(sd))
    return np.asarray(choices(jnp.asarray(mean), jnp.asarray(sd)), np.float64)


def integrals(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """The same for one case by scipy's adaptive quadrature, broken where parties become likely and certain."""
    mean, sd = np.float64(np.float32(mean)), np.float64(np.float32(sd))

    def density(x: float, k: int) -> float:
        z = (x - mean) / sd
        return stats.norm.pdf(z[k]) / sd[k] * special.ndtr(np.delete(z, k)).prod()

    steps = np.concatenate([mean + c * sd for c in (-9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9)])
    points = np.unique(steps[steps >= (mean - 9 * sd).max()])
    pairs = list(pairwise(points))
    return np.array([sum(integrate.quad(density, a, b, args=(k,))[0] for a, b in pairs) for k in range(len(mean))])


@pytest.mark.parametrize(
    ("ratio", "tolerance"),
    [
        (1, 1e-5),
        *(pytest.param(ratio, 1e-5, marks=pytest.mark.ci) for ratio in (3, 8, 30)),
        pytest.param(100, 5e-4, marks=pytest.mark.ci),
    ],
)
def test_choice_against_quadrature(ratio: float, tolerance: float) -> None:
    rng = np.random.default_rng(int(ratio))
    cases = 12
    sd = np.exp(rng.uniform(0, np.log(ratio), (4, cases)))
    sd[0], sd[3] = 1.0, ratio
    mean = rng.normal(size=(4, cases)) * rng.choice([0.3, 1.0, 3.0], cases) * rng.choice([1.0, ratio], cases)
    expected = np.stack([integrals(*case) for case in zip(mean.T, sd.T, strict=True)], axis=1)
    assert np.abs(expected.sum(axis=0) - 1).max() < 1e-7  # the reference is one
    assert np.abs(probabilities(mean, sd) - expected).max() < tolerance


def test_two_parties_have_a_closed_form() -> None:
    gap = np.linspace(-6, 6, 41)
    sd = np.array([[0.5], [2.0]]) * np.ones(41)
    expected = stats.norm.cdf(gap / np.hypot(0.5, 2.0))
    assert np.abs(probabilities(np.stack([gap, 0 * gap]), sd)[0] - expected).max() < 1e-5


def test_three_centred_parties_have_a_closed_form() -> None:
    """Two differences of independent normals are both positive with probability 1/4 + arcsin(correlation) / 2 pi."""
    sd = np.array([[1.0, 1, 2], [1, 1, 1], [0.3, 1, 2.4]]).T
    v = sd**2
    rest = np.stack([np.sqrt((v[k] + v[i]) * (v[k] + v[j])) for k, i, j in ((0, 1, 2), (1, 0, 2), (2, 0, 1))])
    assert np.abs(probabilities(np.zeros((3, 3)), sd) - (0.25 + np.arcsin(v / rest) / (2 * np.pi))).max() < 1e-5


def test_choice_without_spread() -> None:
    """The largest mean wins for certain, ties are shared, and the sum is one throughout."""
    mean = np.array([[1, 0.5, -1], [2, 2, 0], [0, 0, 0], [1, 0.99, -5]]).T
    expected = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0]]).T
    assert np.allclose(probabilities(mean, np.zeros((3, 1))), expected, atol=1e-5)
    wide = probabilities(mean * 1000, np.array([[1e-3], [1.0], [100.0]]))
    assert np.all(np.isfinite(wide))
    assert np.allclose(wide.sum(axis=0), 1, atol=1e-6)
    assert np.all(probabilities(np.array([[3.0]]), np.array([[1.0]])) == 1.0)


# ---------------------------------------------------------------- kappa


@pytest.mark.parametrize(
    ("a", "b", "tolerance"),
    [(2, 2, 2e-4), (2, 0.5, 2e-4), (20, 5, 1e-5), (200, 200, 1e-5), (1, 1, 1e-3), (1, 50, 1e-3), (0.5, 2, 5e-3)],
)
def test_average_over_kappa(a: float, b: float, tolerance: float) -> None:
    """kappa(1 + Z) > (1 - kappa) gap, which tips at a kappa as small as the gap; the law itself by its mean."""
    nodes, weights = (np.asarray(x, np.float64) for x in valuation.kappa_nodes(jnp.float32(a), jnp.float32(b)))
    assert np.all((nodes > 0) & (nodes < 1) & (weights > 0))
    assert abs(nodes @ weights - a / (a + b)) < tolerance
    for gap in (-0.5, 0.001, 0.01, 0.1, 0.5):
        for sd in (0.4, 1.0, 3.0):
            own = stats.norm.cdf((1.0 - gap * (1 - nodes) / nodes) / sd)

            def density(t: float, gap: float = gap, sd: float = sd) -> float:
                log = a * special.log_expit(t) + b * special.log_expit(-t) - special.betaln(a, b)
                return np.exp(log) * stats.norm.cdf((1.0 - gap * np.exp(-t)) / sd)

            points = np.log(a / b) + np.array([-60, -20, -8, -3, -1, -0.3, 0, 0.3, 1, 3, 8, 20, 60])
            pairs = pairwise(points)
            assert abs(own @ weights - sum(integrate.quad(density, *pair)[0] for pair in pairs)) < tolerance


# ---------------------------------------------------------------- attitudes

SHARES = {"paper": (0.5, 0.3, 0.2), "majority": (0.6, 0.3, 0.1), "even": (1 / 3, 1 / 3, 1 / 3)}


def allowed(shares: tuple[float, ...], gross: bool) -> list[tuple[int, ...]]:
    """The constraint as the paper words it, in whole thousandths."""
    result = []
    for column in product((-1, 0, 1), repeat=len(shares)):
        load = sum(round(3000 * share) * (max(phi, 0) if gross else phi) for share, phi in zip(shares, column))  # noqa: B905
        if load <= 1500:
            result.append(column)
    return result


@pytest.mark.parametrize("gross", [True, False])
@pytest.mark.parametrize("name", SHARES)
def test_every_permitted_attitude_is_equally_likely(name: str, gross: bool) -> None:
    expected = allowed(SHARES[name], gross)
    assert 0 < len(expected) < 27
    ranks = (jnp.arange(60 * len(expected)) + 0.5) / (60 * len(expected))
    phi = np.asarray(valuation.attitudes_at(ranks, jnp.array(SHARES[name]), gross=gross))
    columns, counts = np.unique(phi.T.astype(int), axis=0, return_counts=True)
    assert [tuple(column) for column in columns] == expected  # also in the order of the rank
    assert np.all(counts == 60)
    ends = np.asarray(valuation.attitudes_at(jnp.array([0.0, 1.0]), jnp.array(SHARES[name]), gross=gross)).T
    assert [tuple(end) for end in ends] == [expected[0], expected[-1]]


def test_the_two_constraints_differ() -> None:
    assert (1, 1, -1) in allowed(SHARES["even"], gross=False)
    assert (1, 1, -1) not in allowed(SHARES["even"], gross=True)


def test_too_many_communities_are_refused() -> None:
    assert valuation.party_attitudes(7).shape == (3**7, 7)
    with pytest.raises(ValueError, match="communities=8: attitudes are drawn for at most 7"):
        valuation.party_attitudes(8)


# ---------------------------------------------------------------- placement


@pytest.mark.parametrize("shape", [0.001, 0.05, 0.5, 2.0, 1000.0])
def test_log_gammas(shape: float) -> None:
    """Kolmogorov-Smirnov distance to the exact law in logarithms, where small shapes do not underflow."""
    draws = 2**20
    bits = random.random_bits(jax.random.key(3), jnp.arange(draws), 4)
    x = np.asarray(random.log_gamma(bits, jnp.full(draws, shape)), np.float64)
    assert np.all(np.isfinite(x))
    assert stats.kstest(x, stats.loggamma(shape).cdf).statistic < 1e-3 + 1.36 / np.sqrt(draws)


def test_settlement_is_dirichlet_multinomial() -> None:
    """Means and variances over districts, one of which is no base for anybody."""
    runs, base = 20_000, np.array([0.5, 1.0, 2.0, 0.0, 0.5])
    sizes = jnp.array([40, 3000], jnp.int32)
    keys = random.subkey(jax.random.key(5), jnp.arange(runs))
    settle = jax.jit(jax.vmap(lambda key: settling.dirichlet_settlement(key, sizes, jnp.asarray(base, jnp.float32))))
    counts = np.asarray(settle(keys), np.float64)
    assert np.all(counts.sum(axis=1) == np.asarray(sizes))
    assert np.all(counts[:, 3] == 0)
    p = base / base.sum()
    for c, n in enumerate((40, 3000)):
        mean, variance = n * p, n * p * (1 - p) * (n + base.sum()) / (1 + base.sum())
        assert np.all(np.abs(counts[..., c].mean(axis=0) - mean) <= 5 * np.sqrt(variance / runs))
        squares = (counts[..., c] - mean) ** 2
        noise = squares.std(axis=0) / np.sqrt(runs)
        assert np.all(np.abs(squares.mean(axis=0) - variance) <= 5 * noise + 1e-3 * variance)
