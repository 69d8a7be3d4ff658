"""Is a posterior to be trusted? One verb per check.

`sbc`, `coverage` and `tarp` judge a way of calibrating, by what `recover` finds on elections simulated from known
parameters; `districts.check`, `districts.sensitivity` and `districts.identifiability` judge one calibration.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.schema import conform
from electjax.districts import results
from electjax.districts.abc import trust
from electjax.districts.codec import observed_statistics
from electjax.districts.options import BandOptions, CheckOptions, CoverageOptions, SensitivityOptions
from electjax.districts.results import parameter_names
from electjax.districts.store import Stored, election_of, fit_of, result_of
from electjax.districts.verbs.outcomes import outcomes
from electjax.districts.verbs.predict import predict

RANKS = 100
POINTS = 50  # at which cumulative distributions are drawn
LEARNT = 0.25  # contraction from which a parameter counts as identified; a few hundred draws leave it .1 unsure
FEWEST_ESS = 20.0

_TRUTH, _PRIOR = "truth_", "prior_"


class Recovered(NamedTuple):
    """A recovery as arrays, the scalars of all parameters side by side."""

    labels: list[str]
    draws: np.ndarray  # [R, N, D]
    weight: np.ndarray  # [R, N]
    truth: np.ndarray  # [R, D]


def recovered(recovery: xr.Dataset) -> Recovered:
    """The arrays of a recovery; ElectionDataError where it has no known parameters."""
    names = _names(recovery, _TRUTH)
    if not names:
        raise data_error(
            "no truth_<parameter>",
            where="recovery",
            expected="what districts.recover returned",
            mend="run districts.recover",
        )
    labels, draws = scalars(recovery, names, ("replicate", "draw"))
    _, truth = scalars(recovery, [_TRUTH + name for name in names], ("replicate",))
    return Recovered(labels, draws, recovery["weight"].transpose("replicate", "draw").values, truth)


def scalars(dataset: xr.Dataset, names: Sequence[str], lead: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Every component of these variables, labelled such as "eta BJP", as one array over `lead` and component."""
    labels: list[str] = []
    columns = []
    for name in names:
        variable = dataset[name].transpose(*lead, ...)
        own = variable.dims[len(lead) :]
        for index in np.ndindex(*variable.shape[len(lead) :]):
            which = [
                str(variable[dim].values[i]) if dim in variable.coords else str(i)
                for dim, i in zip(own, index, strict=True)
            ]
            labels.append(" ".join([name, *which]))
        columns.append(variable.values.reshape((*variable.shape[: len(lead)], -1)))
    return labels, np.concatenate(columns, axis=-1)


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
        attrs=_origin(recovery) | {"check": "simulation-based calibration", "band_level": asked.level},
    )
    return conform(found_ranks, results.SBC)


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
        attrs=_origin(recovery) | {"check": "coverage of central intervals"},
    )
    return conform(shares, results.COVERAGE)


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
        attrs=_origin(recovery) | {"check": "TARP", "band_level": asked.level},
    )
    return conform(balls, results.TARP)


@with_options
def check(
    fit: Stored,
    election: Stored,
    *,
    prediction: Stored | None = None,
    asked: CheckOptions,
) -> xr.Dataset:
    """Posterior predictive check: does the calibrated model give elections that look like the observed one?

    Args:
        fit: what `districts.calibrate` returned, or the path where it was saved.
        election: the observed election: a Dataset, a name or a path.
        prediction: what `districts.predict` returned, or its path; by default `runs` elections are simulated.

    Returns:
        Dataset over `statistic` (seats and vote fractions of every party, the winning margins' mean, sd, least and
        largest, Gallagher's index, effective numbers of parties): observed; mean, sd, low and high (5 and 95 %) of
        the prediction; p, the share of predictions above the observed value, ties counted half; p_two_sided. p near 0
        or 1 says that the model cannot produce this. `fitted` marks the statistics that the calibration looked at:
        they fit better than they would had they not been used.

    Raises:
        ElectionDataError: an invalid election, calibration or prediction.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> checked = electjax.districts.check(fit, election, runs=16, seed=1)
        >>> checked["statistic"].values[:2].tolist(), checked["observed"].values[:2].tolist()
        (['seats A', 'seats B'], [20.0, 0.0])
    """
    fit, election = fit_of(fit), election_of(election)
    if prediction is None:
        prediction = predict(fit, election, runs=asked.runs, seed=asked.seed)
    prediction = result_of(prediction, results.SIMULATION)
    detailed = "votes" in election
    seen = (
        outcomes(election)
        if detailed
        else xr.Dataset(
            {n: (("party",) if v.ndim else (), v) for n, v in observed_statistics(election).items()},
            coords={"party": election["party"]},
        )
    )
    made = outcomes(prediction) if detailed else prediction
    parties = [str(party) for party in election["party"].values]
    columns: dict[str, tuple[float, np.ndarray]] = {}
    for name in ("seats", "vote_fraction"):
        for party in parties:
            columns[f"{name} {party}"] = float(seen[name].sel(party=party)), made[name].sel(party=party).values
    for name in ("mwm", "swm", *(("gallagher", "parties_votes", "parties_seats") if detailed else ())):
        columns[name] = float(seen[name]), made[name].values
    if detailed:
        for name, kind in (("least margin", "min"), ("largest margin", "max")):
            columns[name] = float(getattr(seen["margin"], kind)()), getattr(made["margin"], kind)("district").values
    observed = np.array([value for value, _ in columns.values()])
    sample = np.stack([column for _, column in columns.values()], axis=1).astype(float)
    p = (sample > observed).mean(axis=0) + 0.5 * (sample == observed).mean(axis=0)
    p = np.where(np.isnan(observed), np.nan, p)
    low, high = np.quantile(sample, [0.05, 0.95], axis=0)
    by = "statistic"
    paper = str(fit.attrs.get("statistics", "paper")) == "paper"
    fitted = [paper and label.split()[0] in ("seats", "vote_fraction", "mwm", "swm") for label in columns]
    table = xr.Dataset(
        {
            "observed": (by, observed),
            "mean": (by, sample.mean(axis=0)),
            "sd": (by, sample.std(axis=0)),
            "low": (by, low),
            "high": (by, high),
            "p": (by, p),
            "p_two_sided": (by, 2 * np.minimum(p, 1 - p)),
            "fitted": (by, fitted),
        },
        coords={by: list(columns)},
        attrs={key: fit.attrs[key] for key in ("election", "model", "method", "seed") if key in fit.attrs}
        | {"check": "posterior predictive", "runs": len(sample)},
    )
    return conform(table, results.CHECK)


@with_options
def sensitivity(fit: Stored, *, asked: SensitivityOptions) -> xr.Dataset:
    """How the posterior changes as the tolerance falls: a result that still moves with it is not yet to be trusted.

    Args:
        fit: what `districts.calibrate` returned, or the path where it was saved. Its regression adjustment was made
            once, at the full tolerance, which hides part of the movement: where there was one, look at unadjusted_*
            too. Shares of the draws that leave an effective sample of fewer than 20 are left out.

    Returns:
        Dataset over `epsilon`, the tolerances (falling), and `parameter`: mean, sd, and low, median and high (5, 50,
        95 %); the same before regression adjustment as unadjusted_*, where there was one; share, ess and draws of
        each; and drift(parameter), the change of the mean over the range in the sd of the tightest posterior.

    Raises:
        ElectionDataError: no calibration, or shares out of range.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> found = electjax.districts.sensitivity(fit, fractions=[1.0, 0.5])
        >>> found["mean"].dims, found.sizes["epsilon"]
        (('epsilon', 'parameter'), 2)
    """
    posterior = fit_of(fit)
    names = parameter_names(posterior)
    weight, far = posterior["weight"].values, posterior["distance"].values
    order = np.argsort(far, kind="stable")
    mass = np.cumsum(weight[order]) / weight.sum()
    cuts: list[float] = []
    for fraction in sorted(set(asked.fractions), reverse=True):
        cut = float(far[order][min(int(np.searchsorted(mass, fraction * (1 - 1e-9))), len(far) - 1)])
        inside = np.where(far <= cut, weight, 0.0)
        if cut not in cuts and (not cuts or inside.sum() ** 2 / np.square(inside).sum() >= FEWEST_ESS):
            cuts.append(cut)
    inside = np.where(far <= np.array(cuts)[:, None], weight, 0.0)
    inside_sum = inside.sum(axis=1)
    labels, draws = scalars(posterior, names, ("draw",))
    variables: dict[str, Any] = _summaries(draws, inside, "")
    plain = [f"unadjusted_{name}" for name in names]
    if all(name in posterior for name in plain):
        variables |= _summaries(scalars(posterior, plain, ("draw",))[1], inside, "unadjusted_")
    mean, sd = variables["mean"][1], variables["sd"][1]
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = np.where(mean[-1] == mean[0], 0.0, (mean[-1] - mean[0]) / sd[-1])
    variables |= {
        "drift": ("parameter", drift),
        "share": ("epsilon", inside_sum / weight.sum()),
        "ess": ("epsilon", inside_sum**2 / np.square(inside).sum(axis=1)),
        "draws": ("epsilon", (inside > 0).sum(axis=1)),
    }
    attrs = _origin(posterior) | {"check": "sensitivity to the tolerance"}
    found = xr.Dataset(variables, coords={"epsilon": cuts, "parameter": labels}, attrs=attrs)
    return conform(found, results.SENSITIVITY)


def _summaries(draws: np.ndarray, weights: np.ndarray, prefix: str) -> dict[str, tuple[tuple[str, str], np.ndarray]]:
    """Mean, sd and quantiles of every scalar under every set of weights."""
    both = [trust.moments(draws, weight) for weight in weights]
    levels = np.array([0.05, 0.5, 0.95])
    quantiles = np.array([[trust.weighted_quantiles(c, weight, levels) for c in draws.T] for weight in weights])
    values = {
        "mean": np.stack([mean for mean, _ in both]),
        "sd": np.stack([sd for _, sd in both]),
        **{name: quantiles[..., i] for i, name in enumerate(("low", "median", "high"))},
    }
    return {prefix + name: (("epsilon", "parameter"), value) for name, value in values.items()}


def identifiability(fit: Stored) -> xr.Dataset:
    """What the election says about each parameter, against what the prior said.

    Args:
        fit: what `districts.calibrate` returned, or the path where it was saved.

    Returns:
        Dataset over `parameter`: contraction (1 - posterior variance / prior variance on the prior's quantile scale),
        identified (contraction of .25 or more: an sd of at most .87 of the prior's), mean and sd, low and high (5 and
        95 %), prior_sd, and said, the same in words, such as "eta INC: not identified, contraction 3 %".

    Raises:
        ElectionDataError: no calibration.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> found = electjax.districts.identifiability(fit)
        >>> found["parameter"].values.tolist(), bool((found["low"] <= found["high"]).all())
        (['concentration'], True)
    """
    posterior = fit_of(fit)
    names = parameter_names(posterior)
    labels, draws = scalars(posterior, names, ("draw",))
    _, prior = scalars(posterior, [_PRIOR + name for name in names], ("prior_draw",))
    weight = posterior["weight"].values
    if all(f"contraction_{name}" in posterior for name in names):
        learnt = scalars(posterior, [f"contraction_{name}" for name in names], ())[1]
    else:
        learnt = np.array([trust.contraction(c, weight, p) for c, p in zip(draws.T, prior.T, strict=True)])
    mean, sd = trust.moments(draws, weight)
    ends = np.array([trust.weighted_quantiles(c, weight, np.array([0.05, 0.95])) for c in draws.T])
    said = [
        f"{label}: {'identified' if c >= LEARNT else 'not identified'}, contraction {100 * max(c, 0.0):.0f} %"
        for label, c in zip(labels, learnt, strict=True)
    ]
    by = "parameter"
    table = xr.Dataset(
        {
            "contraction": (by, learnt),
            "identified": (by, learnt >= LEARNT),
            "mean": (by, mean),
            "sd": (by, sd),
            "low": (by, ends[:, 0]),
            "high": (by, ends[:, 1]),
            "prior_sd": (by, prior.std(axis=0)),
            "said": (by, said),
        },
        coords={by: labels},
        attrs=_origin(posterior) | {"check": "identifiability"},
    )
    return conform(table, results.IDENTIFIABILITY)


def _names(dataset: xr.Dataset, prefix: str) -> list[str]:
    """The parameters that have a variable of this prefix."""
    return [str(name).removeprefix(prefix) for name in dataset.data_vars if str(name).startswith(prefix)]


def _origin(result: xr.Dataset) -> dict[str, Any]:
    """How a result came about, without what says which kind it is."""
    return {str(key): value for key, value in result.attrs.items() if key != "conventions"}
