"""Is a posterior to be trusted? One verb per check.

`sbc`, `coverage` and `tarp` judge a way of calibrating, by what `recover` finds on elections simulated from known
parameters; `districts.check`, `districts.sensitivity` and `identifiability` judge one posterior.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.checks import checked_levels
from electjax.districts.abc import trust
from electjax.districts.codec import observed_statistics
from electjax.districts.posterior import parameter_names
from electjax.districts.verbs.outcomes import outcomes
from electjax.districts.verbs.predict import predict

RANKS = 100
POINTS = 50  # at which cumulative distributions are drawn
LEVELS = (0.5, 0.8, 0.9, 0.95)
FRACTIONS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.15, 0.1)
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
    """The arrays of a recovery; ValueError where it is none."""
    names = _names(recovery, _TRUTH)
    if not names or not {"replicate", "draw"} <= set(recovery.dims) or "weight" not in recovery:
        raise ValueError("no recovery: expected the Dataset of `recover`, with weight and truth_<parameter>")
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


def sbc(recovery: xr.Dataset, *, level: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Simulation-based calibration: the truth's rank among the posterior draws, uniform where posteriors are right.

    Ranks are weighted: the share of the posterior's weight below the truth, ties broken at random, on a scale of 0 to
    99; no draw is thinned away. A hump in the histogram says that posteriors are too wide, a trough that they are too
    narrow, a slope that they lie to one side.

    Args:
        recovery: of `recover`.
        level: probability with which a right method stays within a band everywhere.
        seed: of the random breaking of ties.

    Returns:
        Dataset over `parameter` (every scalar): fractional_rank and rank(replicate), count(bin) with count_low and
        count_high, ecdf(point) with ecdf_low and ecdf_high (simultaneous bands, also for count), p_chi2 (bins with 20
        or more replicates expected) and p_ks. p-values are of one parameter each, not corrected for their number.
    """
    found = recovered(recovery)
    rank = trust.fractional_ranks(found.draws, found.weight, found.truth, np.random.default_rng(seed))
    number, bins = len(rank), trust.bins_for(len(rank))
    points = np.arange(1, POINTS) / POINTS
    count_band, ecdf_band = trust.histogram_band(number, bins, level), trust.ecdf_band(number, points, level)
    tests = [trust.uniformity(column) for column in rank.T]
    return xr.Dataset(
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
        attrs=recovery.attrs | {"check": "simulation-based calibration", "band_level": level},
    )


def coverage(recovery: xr.Dataset, levels: Sequence[float] = LEVELS) -> xr.Dataset:
    """How often the central posterior intervals hold the truth.

    Args:
        recovery: of `recover`.
        levels: nominal probabilities of the intervals.

    Returns:
        Dataset over `parameter` and `level`: coverage, low and high (what 95 % of right methods would show, at each
        level by itself) and width, the intervals' mean width as a share of that of the prior's interval.

    Raises:
        ValueError: a level that is not between 0 and 1.
    """
    nominal = checked_levels(levels)
    found = recovered(recovery)
    low, high = trust.central_intervals(found.draws, found.weight, nominal)
    held = (low <= found.truth[..., None]) & (found.truth[..., None] <= high)
    number = len(held)
    # the truths are draws from the prior
    prior_low, prior_high = (a[0] for a in trust.central_intervals(found.truth[None], np.ones((1, number)), nominal))
    expected = np.array([trust.binomial_interval(number, p) for p in nominal]) / number
    return xr.Dataset(
        {
            "coverage": (("parameter", "level"), held.mean(axis=0)),
            "low": ("level", expected[:, 0]),
            "high": ("level", expected[:, 1]),
            "width": (("parameter", "level"), (high - low).mean(axis=0) / (prior_high - prior_low)),
        },
        coords={"parameter": found.labels, "level": nominal},
        attrs=recovery.attrs | {"check": "coverage of central intervals"},
    )


def tarp(recovery: xr.Dataset, *, level: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Tests of accuracy with random points: expected coverage of balls, all parameters at once.

    Every replicate has a reference point, the truth of another replicate; the ball around it that reaches the
    replicate's own truth should hold any share of the posterior equally often. Distances are Euclidean on the prior's
    quantile scale.

    Args:
        recovery: of `recover`.
        level: probability with which a right method stays within the band everywhere.
        seed: of the random breaking of ties.

    Returns:
        Dataset: fractional_rank(replicate); coverage(credibility), below the diagonal where posteriors are too
        narrow, with low and high (a simultaneous band); p_chi2 and p_ks.
    """
    found = recovered(recovery)
    number = len(found.truth)
    truth, draws = np.empty_like(found.truth), np.empty_like(found.draws)
    for i, prior in enumerate(found.truth.T):
        truth[:, i] = trust.prior_quantile(prior, prior)
        draws[..., i] = trust.prior_quantile(found.draws[..., i].ravel(), prior).reshape(draws.shape[:-1])
    rng = np.random.default_rng(seed)
    rank = trust.tarp_ranks(draws, found.weight, truth, np.roll(truth, 1, axis=0), rng)
    points = np.arange(1, POINTS) / POINTS
    band = trust.ecdf_band(number, points, level)
    test = trust.uniformity(rank)
    return xr.Dataset(
        {
            "fractional_rank": ("replicate", rank),
            "coverage": ("credibility", (rank[:, None] <= points).mean(axis=0)),
            "low": ("credibility", band.low / number),
            "high": ("credibility", band.high / number),
            "p_chi2": test.chi2,
            "p_ks": test.ks,
        },
        coords={"credibility": points},
        attrs=recovery.attrs | {"check": "TARP", "band_level": level},
    )


def check(
    election: xr.Dataset,
    posterior: xr.Dataset,
    prediction: xr.Dataset | None = None,
    *,
    runs: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Posterior predictive check: does the calibrated model give elections that look like the observed one?

    Args:
        election: the observed election.
        posterior: of `calibrate`.
        prediction: of `predict`; by default `runs` elections are simulated.
        runs, seed: of the prediction that is made here.

    Returns:
        Dataset over `statistic` (seats and vote fractions of every party, the winning margins' mean, sd, least and
        largest, Gallagher's index, effective numbers of parties): observed; mean, sd, low and high (5 and 95 %) of
        the prediction; p, the share of predictions above the observed value, ties counted half; p_two_sided. p near 0
        or 1 says that the model cannot produce this. `fitted` marks the statistics that the calibration looked at:
        they fit better than they would had they not been used.
    """
    if prediction is None:
        prediction = predict(posterior, election, runs=runs, seed=seed)
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
    paper = str(posterior.attrs.get("statistics", "paper")) == "paper"
    fitted = [paper and label.split()[0] in ("seats", "vote_fraction", "mwm", "swm") for label in columns]
    return xr.Dataset(
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
        attrs={key: posterior.attrs[key] for key in ("election", "model", "method", "seed") if key in posterior.attrs}
        | {"check": "posterior predictive", "runs": len(sample)},
    )


def sensitivity(posterior: xr.Dataset, fractions: Sequence[float] = FRACTIONS) -> xr.Dataset:
    """How the posterior changes as the tolerance falls: a result that still moves with it is not yet to be trusted.

    Args:
        posterior: of `calibrate`. Its regression adjustment was made once, at the full tolerance, which hides part of
            the movement: where there was one, look at unadjusted_* too.
        fractions: shares of the accepted draws, by weight; each gives a tolerance. Shares that leave an effective
            sample of fewer than 20 are left out.

    Returns:
        Dataset over `epsilon`, the tolerances (falling), and `parameter`: mean, sd, and low, median and high (5, 50,
        95 %); the same before regression adjustment as unadjusted_*, where there was one; share, ess and draws of
        each; and drift(parameter), the change of the mean over the range in the sd of the tightest posterior.
    """
    names = parameter_names(posterior)
    weight, far = posterior["weight"].values, posterior["distance"].values
    order = np.argsort(far, kind="stable")
    held = np.cumsum(weight[order]) / weight.sum()
    cuts: list[float] = []
    for fraction in sorted(set(fractions), reverse=True):
        cut = float(far[order][min(int(np.searchsorted(held, fraction * (1 - 1e-9))), len(far) - 1)])
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
    attrs = posterior.attrs | {"check": "sensitivity to the tolerance"}
    return xr.Dataset(variables, coords={"epsilon": cuts, "parameter": labels}, attrs=attrs)


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


def identifiability(posterior: xr.Dataset) -> xr.Dataset:
    """What the election says about each parameter, against what the prior said.

    Args:
        posterior: of `calibrate`.

    Returns:
        Dataset over `parameter`: contraction (1 - posterior variance / prior variance on the prior's quantile scale),
        identified (contraction of .25 or more: an sd of at most .87 of the prior's), mean and sd, low and high (5 and
        95 %), prior_sd, and said, the same in words, such as "eta INC: not identified, contraction 3 %".
    """
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
    return xr.Dataset(
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
        attrs=posterior.attrs | {"check": "identifiability"},
    )


def _names(dataset: xr.Dataset, prefix: str) -> list[str]:
    """The parameters that have a variable of this prefix."""
    return [str(name).removeprefix(prefix) for name in dataset.data_vars if str(name).startswith(prefix)]
