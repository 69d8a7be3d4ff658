"""Whether posteriors can be trusted: ranks, intervals and credible regions that known truths should fall into evenly.

Every check asks one thing of many replicates, each a truth drawn from the prior, data simulated from it and a
posterior: among the posterior's draws the truth should look like one draw more. Posteriors are weighted draws
`[R, N, ...]` with weights `[R, N]`; a replicate with fewer draws than N is padded with weight 0.

Talts et al. (2018), Validating Bayesian inference algorithms with simulation-based calibration; Saeilynoja, Buerkner
and Vehtari (2022), Graphical test for discrete uniformity; Lemos et al. (2023), Sampling-based accuracy testing of
posterior estimators (TARP).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

EXPECTED = 20  # fewest replicates expected in a bin of the chi-square test
MOST_BINS = 20
BAND_DRAWS = 10_000


class Band(NamedTuple):
    """Counts that uniform values stay between, at all points at once, with the probability asked for."""

    low: Int[np.ndarray, " P"]
    high: Int[np.ndarray, " P"]


class Uniformity(NamedTuple):
    """p-values of two tests that values are uniform: bins see dispersion best, the cdf sees shifts."""

    chi2: float
    ks: float


def fractional_ranks(
    draws: Float[np.ndarray, "R N ..."],
    weight: Float[np.ndarray, "R N"],
    truth: Float[np.ndarray, "R ..."],
    rng: np.random.Generator,
) -> Float[np.ndarray, "R ..."]:
    """Where the truth stands among the draws, from 0 to 1: the weight below it, ties broken at random.

    The truth counts as one more draw of the average weight, 1 / ESS. With N equal weights this is (r + U) / (N + 1)
    for the usual rank r, exactly uniform where truth and draws come from one distribution; no draw is thinned away.
    """
    share = weight / weight.sum(axis=1, keepdims=True)
    own = np.square(share).sum(axis=1)
    wide = share.reshape(*share.shape, *[1] * (truth.ndim - 1))
    below = (wide * (draws < truth[:, None])).sum(axis=1)
    tied = (wide * (draws == truth[:, None])).sum(axis=1)
    own = own.reshape(-1, *[1] * (truth.ndim - 1))
    return (below + rng.random(truth.shape) * (tied + own)) / (1.0 + own)


def tarp_ranks(
    draws: Float[np.ndarray, "R N D"],
    weight: Float[np.ndarray, "R N"],
    truth: Float[np.ndarray, "R D"],
    reference: Float[np.ndarray, "R D"],
    rng: np.random.Generator,
) -> Float[np.ndarray, " R"]:
    """Credibility of the ball around a reference point that reaches the truth; uniform where posteriors are right.

    Unlike ranks of single parameters it sees their dependence. A reference may not depend on the truth; points of
    the prior will do.
    """
    far = np.linalg.norm(draws - reference[:, None], axis=-1)
    return fractional_ranks(far, weight, np.linalg.norm(truth - reference, axis=-1), rng)


def uniformity(values: Float[np.ndarray, " R"]) -> Uniformity:
    """Test values in [0, 1] for uniformity: chi-square over `bins_for(R)` bins, and Kolmogorov-Smirnov.

    Too few values for two bins give no chi-square test: NaN.
    """
    bins = bins_for(len(values))
    counts = np.histogram(values, bins, (0.0, 1.0))[0]
    chi2 = stats.chisquare(counts).pvalue if bins > 1 else np.nan
    return Uniformity(float(chi2), float(stats.kstest(values, "uniform").pvalue))


def bins_for(number: int) -> int:
    """Bins of equal width, each with at least EXPECTED of the values expected in it."""
    return int(np.clip(number // EXPECTED, 1, MOST_BINS))


def histogram_band(number: int, bins: int, level: float = 0.95) -> Band:
    """Counts in equal bins that `number` uniform values keep to, in all bins at once."""
    counts = np.random.default_rng(0).multinomial(number, np.full(bins, 1 / bins), BAND_DRAWS)
    return _band(counts, number, np.full(bins, 1 / bins), level)


def ecdf_band(number: int, points: Float[np.ndarray, " P"], level: float = 0.95) -> Band:
    """How many of `number` uniform values lie at or below each of the ascending points, at all points at once."""
    widths = np.diff(np.concatenate([[0.0], points, [1.0]]))
    counts = np.random.default_rng(0).multinomial(number, widths, BAND_DRAWS).cumsum(axis=1)
    return _band(counts[:, :-1], number, points, level)


def _band(counts: np.ndarray, number: int, p: np.ndarray, level: float) -> Band:
    """Binomial intervals, of the tail probability that keeps a share `level` of the simulated counts in all of them."""
    grid = np.arange(number + 1)[:, None]
    tail = 2 * np.minimum(stats.binom.cdf(grid, number, p), stats.binom.sf(grid - 1, number, p))
    smallest = np.take_along_axis(tail, counts, axis=0).min(axis=1)
    gamma = np.quantile(smallest, 1 - level, method="lower")
    kept = tail >= gamma
    return Band(kept.argmax(axis=0), number - kept[::-1].argmax(axis=0))


def weighted_quantiles(
    values: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], levels: Float[np.ndarray, " Q"]
) -> Float[np.ndarray, " Q"]:
    """Quantiles of weighted draws, interpolated; with equal weights the i-th of N is the quantile i / (N + 1).

    So the interval between two of them holds a further draw with exactly the probability between their levels.
    Beyond the first and last draw the quantile is that draw.
    """
    kept = weight > 0
    order = np.argsort(values[kept], kind="stable")
    share = weight[kept][order] / weight[kept].sum()
    own = np.square(share).sum()
    place = (np.cumsum(share) - share / 2 + own / 2) / (1.0 + own)
    return np.interp(levels, place, values[kept][order])


def central_intervals(
    draws: Float[np.ndarray, "R N D"], weight: Float[np.ndarray, "R N"], levels: Float[np.ndarray, " Q"]
) -> tuple[Float[np.ndarray, "R D Q"], Float[np.ndarray, "R D Q"]]:
    """Ends of the central intervals of every replicate, dimension and level."""
    tails = np.concatenate([(1 - levels) / 2, (1 + levels) / 2])
    ends = np.stack([[weighted_quantiles(own, w, tails) for own in of.T] for of, w in zip(draws, weight, strict=True)])
    return ends[..., : len(levels)], ends[..., len(levels) :]


def binomial_interval(number: int, p: float, level: float = 0.95) -> tuple[int, int]:
    """Central interval of the successes among `number` trials."""
    low, high = stats.binom.ppf([(1 - level) / 2, (1 + level) / 2], number, p)
    return int(low), int(high)


def moments(
    values: Float[np.ndarray, "N ..."], weight: Float[np.ndarray, " N"]
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Weighted mean and sd along the first axis."""
    share = weight / weight.sum()
    mean = np.tensordot(share, values, 1)
    return mean, np.sqrt(np.tensordot(share, np.square(values - mean), 1))


def prior_quantile(values: Float[np.ndarray, " N"], prior: Float[np.ndarray, " M"]) -> Float[np.ndarray, " N"]:
    """Values on the prior's quantile scale, where the prior is uniform: their places among draws of the prior."""
    ordered = np.sort(prior)
    both = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return both / (2.0 * len(ordered))


def contraction(
    values: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], prior: Float[np.ndarray, " M"]
) -> float:
    """1 - posterior variance / prior variance on the prior's quantile scale: 0 nothing was learnt, 1 all is known.

    Below 0 the posterior is wider than the prior, as with mass at both ends.
    """
    _, sd = moments(prior_quantile(values, prior), weight)
    _, prior_sd = moments(prior_quantile(prior, prior), np.ones(len(prior)))
    return float(1.0 - np.square(sd / prior_sd)) if prior_sd > 0 else 0.0
