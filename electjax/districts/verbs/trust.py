"""Is one calibration to be trusted? `check`, `sensitivity` and `identifiability`."""

from typing import Any

import numpy as np
import xarray as xr

from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.schema import Schema, conform
from electjax.districts import checks, results
from electjax.districts.abc import trust
from electjax.districts.codec import observed_statistics
from electjax.districts.options import PredictOptions, SensitivityOptions
from electjax.districts.results import origin_of, parameter_names, scalars
from electjax.districts.store import Stored, election_of, fit_of, result_of
from electjax.districts.verbs.outcomes import outcomes
from electjax.districts.verbs.predict import predict
from electjax.districts.verdict import LEARNT, contractions, verdict_on

FEWEST_ESS = 20.0
_PRIOR = "prior_"


@with_options
def check(fit: Stored, election: Stored, *, prediction: Stored | None = None, asked: PredictOptions) -> xr.Dataset:
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
    about = f"{len(columns)} statistics of {len(sample):,} predicted elections against the returns"
    return _checked(table, checks.CHECK, fit, about)


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
    attrs = origin_of(posterior) | {"check": "sensitivity to the tolerance"}
    found = xr.Dataset(variables, coords={"epsilon": cuts, "parameter": labels}, attrs=attrs)
    return _checked(found, checks.SENSITIVITY, posterior, f"{len(labels)} parameters at {len(cuts)} tolerances")


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
    _, learnt = contractions(posterior)
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
        attrs=origin_of(posterior) | {"check": "identifiability"},
    )
    about = f"{int((learnt >= LEARNT).sum())} of {len(labels)} parameters identified"
    return _checked(table, checks.IDENTIFIABILITY, posterior, about)


def _checked(table: xr.Dataset, schema: Schema, fit: xr.Dataset, about: str) -> xr.Dataset:
    """A check with what it is of, and the verdict on the calibration."""
    of = f"{str(fit.attrs['model']).upper()} calibrated to {fit.attrs.get('election') or 'an election'}"
    return finished(conform(table, schema), about=f"{of}: {about}", verdict=verdict_on(fit))
