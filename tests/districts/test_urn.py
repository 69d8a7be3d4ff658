"""The urn's closed forms: block moments against the step-by-step recursion, draws against both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from electjax.districts.kernels import urn
from tests.districts.runs import contest, moments_agree, outcomes, urn_variance

LEVEL = 1e-4
THETA = np.array([0.54, 0.385, 0.043, 0.032])
block_moments = jax.jit(urn.block_moments)


def recursion(mass: float, block: int, gamma: float) -> tuple[float, float, float, float]:
    """The four block coefficients, elector by elector in float64.

    D = M (x - b) drifts by gamma D / M; E[D D'] = P d d' + Q (diag b - b b') + T (diag d - d b' - b d') with
    P, Q and T all multiplied by 1 + 2 gamma / M at each elector, Q raised by 1 and T by gamma E[D] / M.
    """
    masses = mass + np.arange(block)
    grown = np.cumprod(1.0 + gamma / masses)
    twice = np.cumprod(1.0 + 2.0 * gamma / masses)
    after = mass + block
    a = mass * grown[-1] / after
    before = np.concatenate([[1.0], grown[:-1]])
    q = twice[-1] * np.sum(1.0 / twice)
    t = twice[-1] * np.sum(gamma * mass * before / masses / twice)
    # B - a^2 = a^2 (ratio - 1), the ratio's logarithm summed term by term: no cancellation
    ratio = np.sum(np.log1p(-((gamma / masses) ** 2) / (1.0 + gamma / masses) ** 2))
    return (after * a - mass) / block, a * a * np.expm1(ratio), q / after**2, t / after**2


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.3, 0.5, 0.5001, 0.6, 0.8, 0.99, 1.0])
def test_block_moments_match_the_recursion(gamma: float) -> None:
    """To float32 and the series' remainder, which falls as 1 / M^2."""
    gamma = float(np.float32(gamma))
    sizes = [(34.5, 17), (66.5, 1), (66.5, 32), (1e3, 500), (1e5, 1), (1e5, 50_000), (1e6, 3), (1e6, 500_000)]
    for mass, block in sizes:
        got = block_moments(jnp.float32(mass), jnp.float32(block), jnp.float32(gamma))
        expected = recursion(mass, block, gamma)
        unit = expected[2]  # the covariance that the others are added to
        for value, reference, scale in zip(got, expected, (1.0, unit, unit, unit), strict=True):
            allowed = (3e-5 + 0.25 / mass**2) * abs(reference) + 1e-6 * scale
            assert abs(float(value) - reference) <= allowed


def test_recursion_agrees_with_gamma_functions() -> None:
    """The reference itself against the published closed form, at a size where lgamma keeps its digits."""
    mass, block, gamma = 40.0, 20, 0.8
    after = mass + block
    a = np.exp(gammaln(after + gamma) + gammaln(mass + 1) - gammaln(mass + gamma) - gammaln(after + 1))
    g = np.exp(gammaln(after + 2 * gamma) + gammaln(mass) - gammaln(mass + 2 * gamma) - gammaln(after))
    closed = (
        (after * a - mass) / block,
        g * mass**2 / after**2 - a * a,
        (after - mass * g) / (after**2 * (1 - 2 * gamma)),
        (mass * g - after * a) / after**2,
    )
    assert np.allclose(recursion(mass, block, gamma), closed, rtol=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 0.2, 0.8, 0.99, 1.0])
def test_variance_recursion_agrees_with_the_closed_form(gamma: float) -> None:
    """From scratch without prior mass q_n = [Gamma(n + 2 gamma) / (Gamma(2 gamma) Gamma(n)) - n] / (2 gamma - 1)."""
    n = 500
    grown = np.exp(gammaln(n + 2 * gamma) - gammaln(2 * gamma) - gammaln(n)) if gamma > 0 else 0.0
    assert urn_variance(n, gamma, 0.0) == pytest.approx((grown - n) / (2 * gamma - 1), rel=1e-9)


def test_variance_recursion_at_one_half() -> None:
    n = 500
    assert urn_variance(n, 0.5, 0.0) == pytest.approx(n * np.sum(1.0 / np.arange(1, n + 1)), rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 1.0])
def test_one_block_has_the_exact_mean_and_trace(gamma: float) -> None:
    """urn.leap from a lopsided count, against the conditional mean and the trace of the conditional covariance."""
    lanes, block, prior_mass = 100_000, 48, 2.5
    counts = np.array([2, 0, 20, 74])
    base = np.array([0.032, 0.043, 0.385, 0.54])
    voted = counts.sum()
    votes = jax.jit(urn.leap)(
        jax.random.key(1),
        jnp.arange(lanes),
        jnp.broadcast_to(jnp.asarray(counts)[:, None], (4, lanes)),
        jnp.full(lanes, voted),
        jnp.full(lanes, block),
        None,
        gamma=jnp.full(lanes, gamma),
        base=jnp.asarray(base, jnp.float32),
        prior_mass=jnp.float32(prior_mass),
    )
    votes = np.asarray(votes, np.float64)
    assert np.all(votes.sum(axis=0) == block)
    mass = voted + prior_mass
    d = (counts + prior_mass * base) / mass - base
    gain, spread, constant, tilt = recursion(mass, block, gamma)
    mean = block * (base + gain * d)
    trace = spread * d @ d + constant * (1 - base @ base) + tilt * (d.sum() - 2 * d @ base)
    trace *= (mass + block) ** 2
    noise = votes.std(axis=1) / np.sqrt(lanes)
    assert np.all(np.abs(votes.mean(axis=1) - mean) <= 5 * noise)
    squares = np.sum((votes - mean[:, None]) ** 2, axis=0)
    assert abs(squares.mean() - trace) <= 5 * squares.std() / np.sqrt(lanes)


SIZE, DISTRICTS = 2000, 2048
GAMMAS = (0.0, 0.3, 0.5, 0.8, 0.99, 1.0)


def dpm_votes(prior_mass: float, **more: object) -> dict[float, np.ndarray]:
    """votes[gamma, replicate, party]: uncapped districts are independent, gamma differs by district."""
    runs = 36
    gamma = np.tile(GAMMAS, DISTRICTS // len(GAMMAS) + 1)[:DISTRICTS]
    params = {"gamma": gamma, "prior_mass": prior_mass}
    election = contest(np.full(DISTRICTS, SIZE), THETA)
    options = {"bookkeeping": "none"} | more
    votes = outcomes("dpm", election, runs=runs, params=params, options=options, batch=1).votes
    return {g: votes[:, gamma == np.float64(g)].reshape(-1, len(THETA)) for g in GAMMAS}


@pytest.mark.parametrize("prior_mass", [0.0, 2.5])
def test_vote_counts_have_the_closed_form_moments(prior_mass: float) -> None:
    unit = np.diag(THETA) - np.outer(THETA, THETA)
    for gamma, votes in dpm_votes(prior_mass).items():
        assert len(votes) > 12_000
        assert moments_agree(votes, SIZE * THETA, urn_variance(SIZE, float(np.float32(gamma)), prior_mass) * unit)


def test_extremes_of_gamma_have_known_laws() -> None:
    """Without copying votes are binomial; with nothing but copying the urn is Polya's: beta-binomial."""
    votes = dpm_votes(2.5)
    for k, share in enumerate(THETA):
        law = stats.binom(SIZE, share)
        assert _distance(votes[0.0][:, k], law) <= _critical(votes[0.0]) + 1e-3
        law = stats.betabinom(SIZE, 2.5 * share, 2.5 * (1 - share))
        assert _distance(votes[1.0][:, k], law) <= _critical(votes[1.0]) + 3e-3


def _distance(draws: np.ndarray, law: stats.rv_discrete) -> float:
    values = np.unique(draws)
    return np.max(np.abs(np.searchsorted(np.sort(draws), values, "right") / len(draws) - law.cdf(values)))


def _critical(draws: np.ndarray) -> float:
    """Kolmogorov's critical distance; the samplers' own stated error is added by the caller."""
    return stats.kstwobign.isf(LEVEL) / np.sqrt(len(draws))


def test_count_reading_is_dirichlet_multinomial() -> None:
    for gamma, votes in dpm_votes(2.5, reading="count").items():
        if gamma in (0.0, 1.0):
            continue
        concentration = (1 - gamma) / gamma
        unit = np.diag(THETA) - np.outer(THETA, THETA)
        spread = SIZE * (SIZE + concentration) / (1 + concentration)
        assert moments_agree(votes, SIZE * THETA, spread * unit)
        for k, share in enumerate(THETA):
            law = stats.betabinom(SIZE, concentration * share, concentration * (1 - share))
            assert _distance(votes[:, k], law) <= _critical(votes) + 1e-3


def test_count_reading_at_the_extremes() -> None:
    """gamma = 0 is independent voting; gamma = 1 gives every district to one party, drawn from the base."""
    votes = dpm_votes(2.5, reading="count")
    for k, share in enumerate(THETA):
        assert _distance(votes[0.0][:, k], stats.binom(SIZE, share)) <= _critical(votes[0.0]) + 1e-3
    assert np.all(votes[1.0].max(axis=1) == SIZE)
    assert moments_agree(votes[1.0] / SIZE, THETA, np.diag(THETA) - np.outer(THETA, THETA))


@pytest.mark.parametrize("concentration", [3.0, pytest.param(1.0, marks=pytest.mark.ci)])
def test_dm_is_dirichlet_multinomial(concentration: float) -> None:
    election = contest(np.full(DISTRICTS, SIZE), THETA)
    votes = outcomes("dm", election, runs=8, params={"concentration": concentration}, batch=1).votes
    votes = votes.reshape(-1, len(THETA))
    spread = SIZE * (SIZE + concentration) / (1 + concentration)
    assert moments_agree(votes, SIZE * THETA, spread * (np.diag(THETA) - np.outer(THETA, THETA)))
    for k, share in enumerate(THETA):
        law = stats.betabinom(SIZE, concentration * share, concentration * (1 - share))
        assert _distance(votes[:, k], law) <= _critical(votes) + 1e-3
