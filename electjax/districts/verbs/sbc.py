"""Does a way of calibrating find known parameters? Checks of what `districts.recover` returns.

Talts et al. (2018) for ranks, Saeilynoja et al. (2022) for their bands, Lemos et al. (2023) for TARP: see
`electjax.districts.abc.trust`.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.schema import conform
from electjax.districts import checks, results
from electjax.districts.abc import trust
from electjax.districts.options import BandOptions, CoverageOptions
from electjax.districts.results import origin_of, scalars
from electjax.districts.store import Stored, result_of

RANKS = 100
POINTS = 50  # at which cumulative distributions are drawn
_TRUTH = "truth_"


class Recovered(NamedTuple):
    """A recovery as arrays, the scalars of all parameters side by side."""

    labels: list[str]
    draws: np.ndarray  # [R, N, D]
    weight: np.ndarray  # [R, N]
    truth: np.ndarray  # [R, D]


def recovered(recovery: xr.Dataset) -> Recovered:
    """The arrays of a recovery."""
    names = [str(name).removeprefix(_TRUTH) for name in recovery.data_vars if str(name).startswith(_TRUTH)]
    labels, draws = scalars(recovery, names, ("replicate", "draw"))
    _, truth = scalars(recovery, [_TRUTH + name for name in names], ("replicate",))
    return Recovered(labels, draws, recovery["weight"].transpose("replicate", "draw").values, truth)


@with_options
def sbc(recovery: Stored, *, asked: BandOptions) -> xr.Dataset:
    """Simulation-based calibration: the truth's rank among the posterior draws, uniform where posteriors are right.

    Ranks are weighted: the share of the posterior's weight below the truth, ties broken at random, on a scale of 0 to
    99; no draw is thinned away. A hump in the histogram says that posteriors are too wide, a trough that they are too
    narrow, a slope that they lie to one side.

    Args:
        recovery: what `districts.recover` returned, or the path where it was saved.

    Returns:
        Dataset over `parameter` (every scalar): fractional_rank and rank(replicate), count(bin) with count_low and
        count_high, ecdf(point) with ecdf_low and ecdf_high (simultaneous bands, also for count), p_chi2 (bins with 20
        or more replicates expected) and p_ks. p-values are of one parameter each, not corrected for their number.

    Raises:
        ElectionDataError: no recovery.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "seed": 1}
        >>> recovery = electjax.districts.recover(election, "dm", replicates=10, **how)
        >>> checked = electjax.districts.sbc(recovery)
        >>> checked["rank"].dims, checked["parameter"].values.tolist()
        (('replicate', 'parameter'), ['concentration'])
    """
    recovery = result_of(recovery, results.RECOVERY)
    found = recovered(recovery)
    rank = trust.fractional_ranks(found.draws, found.weight, found.truth, np.random.default_rng(asked.seed))
    number, bins = len(rank), trust.bins_for(len(rank))
    points = np.arange(1, POINTS) / POINTS
    count_band = trust.histogram_band(number, bins, asked.level)
    ecdf_band = trust.ecdf_band(number, points, asked.level)
    tests = [trust.uniformity(column) for column in rank.T]
    found_ranks = xr.Dataset(
        {
            "fractional_rank": (("replicate", "parameter"), rank),
            "rank": (("replicate", "parameter"), np.minimum((rank * RANKS).astype(int), RANKS - 1)),
            "count": (("parameter", "bin"), np.stack([np.histogram(c, bins, (0, 1))[0] for c in rank.T])),
            "count_low": ("bin", count_band.low),
            "count_high": ("bin", count_band.high),
            "ecdf": (("parameter", "point"), (rank.T[..., None] <= points).mean(axis=1)),
            "ecdf_low": ("point", ecdf_band.low / number),
            "ecdf_high": ("point", ecdf_band.high / number),
            "p_chi2": ("parameter", [test.chi2 for test in tests]),
            "p_ks": ("parameter", [test.ks for test in tests]),
        },
        coords={"parameter": found.labels, "bin": (np.arange(bins) + 0.5) / bins, "point": points},
        attrs=origin_of(recovery) | {"check": "simulation-based calibration", "band_level": asked.level},
    )
    return finished(conform(found_ranks, checks.SBC), about=_about("ranks of the truth", recovery))


@with_options
def coverage(recovery: Stored, *, asked: CoverageOptions) -> xr.Dataset:
    """How often the central posterior intervals hold the truth.

    Args:
        recovery: what `districts.recover` returned, or the path where it was saved.

    Returns:
        Dataset over `parameter` and `level`: coverage, low and high (what 95 % of right methods would show, at each
        level by itself) and width, the intervals' mean width as a share of that of the prior's interval.

    Raises:
        ElectionDataError: a level that is not between 0 and 1, or no recovery.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "seed": 1}
        >>> recovery = electjax.districts.recover(election, "dm", replicates=10, **how)
        >>> checked = electjax.districts.coverage(recovery, levels=[0.5, 0.9])
        >>> checked["coverage"].sizes["level"], bool((checked["low"] < checked["high"]).all())
        (2, True)
    """
    recovery = result_of(recovery, results.RECOVERY)
    nominal = np.asarray(asked.levels, float)
    found = recovered(recovery)
    low, high = trust.central_intervals(found.draws, found.weight, nominal)
    covered = (low <= found.truth[..., None]) & (found.truth[..., None] <= high)
    number = len(covered)
    # the truths are draws from the prior
    prior_low, prior_high = (a[0] for a in trust.central_intervals(found.truth[None], np.ones((1, number)), nominal))
    expected = np.array([trust.binomial_interval(number, p) for p in nominal]) / number
    shares = xr.Dataset(
        {
            "coverage": (("parameter", "level"), covered.mean(axis=0)),
            "low": ("level", expected[:, 0]),
            "high": ("level", expected[:, 1]),
            "width": (("parameter", "level"), (high - low).mean(axis=0) / (prior_high - prior_low)),
        },
        coords={"parameter": found.labels, "level": nominal},
        attrs=origin_of(recovery) | {"check": "coverage of central intervals"},
    )
    return finished(conform(shares, checks.COVERAGE), about=_about("coverage of central intervals", recovery))


@with_options
def tarp(recovery: Stored, *, asked: BandOptions) -> xr.Dataset:
    """Tests of accuracy with random points: expected coverage of balls, all parameters at once.

    Every replicate has a reference point, the truth of another replicate; the ball around it that reaches the
    replicate's own truth should hold any share of the posterior equally often. Distances are Euclidean on the prior's
    quantile scale.

    Args:
        recovery: what `districts.recover` returned, or the path where it was saved.

    Returns:
        Dataset: fractional_rank(replicate); coverage(credibility), below the diagonal where posteriors are too
        narrow, with low and high (a simultaneous band); p_chi2 and p_ks.

    Raises:
        ElectionDataError: no recovery.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "seed": 1}
        >>> recovery = electjax.districts.recover(election, "dm", replicates=10, **how)
        >>> checked = electjax.districts.tarp(recovery)
        >>> checked["coverage"].dims, bool(0 <= checked["p_ks"] <= 1)
        (('credibility',), True)
    """
    recovery = result_of(recovery, results.RECOVERY)
    found = recovered(recovery)
    number = len(found.truth)
    truth, draws = np.empty_like(found.truth), np.empty_like(found.draws)
    for i, prior in enumerate(found.truth.T):
        truth[:, i] = trust.prior_quantile(prior, prior)
        draws[..., i] = trust.prior_quantile(found.draws[..., i].ravel(), prior).reshape(draws.shape[:-1])
    rng = np.random.default_rng(asked.seed)
    rank = trust.tarp_ranks(draws, found.weight, truth, np.roll(truth, 1, axis=0), rng)
    points = np.arange(1, POINTS) / POINTS
    band = trust.ecdf_band(number, points, asked.level)
    test = trust.uniformity(rank)
    balls = xr.Dataset(
        {
            "fractional_rank": ("replicate", rank),
            "coverage": ("credibility", (rank[:, None] <= points).mean(axis=0)),
            "low": ("credibility", band.low / number),
            "high": ("credibility", band.high / number),
            "p_chi2": test.chi2,
            "p_ks": test.ks,
        },
        coords={"credibility": points},
        attrs=origin_of(recovery) | {"check": "TARP", "band_level": asked.level},
    )
    return finished(
        conform(balls, checks.TARP), about=_about("coverage of balls around random points (TARP)", recovery)
    )


def _about(what: str, recovery: xr.Dataset) -> str:
    """What was worked out of which recovery."""
    model = str(recovery.attrs.get("model", "")).upper()
    return f"{what} in {recovery.sizes['replicate']:,} recovered elections of {model}"
