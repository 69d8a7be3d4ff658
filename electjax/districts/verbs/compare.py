"""`electjax.districts.compare`: which district model does the observed election speak for?"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.finished import finished
from electjax.data.labels import strings
from electjax.data.options import with_options
from electjax.data.schema import conform
from electjax.data.verdict import Doubt, together, verdict
from electjax.districts.abc.distance import target
from electjax.districts.abc.prior import PriorSpec
from electjax.districts.abc.scores import Evidence, crps, energy_score, evidence, log_score, probabilities
from electjax.districts.checks import COMPARISON
from electjax.districts.codec import observed_statistics
from electjax.districts.options import CalibrateOptions, CompareOptions, MethodOptions
from electjax.districts.store import Stored, election_of, fit_of
from electjax.districts.verbs.calibrate import calibrate
from electjax.districts.verbs.predict import predict
from electjax.districts.verdict import of_evidence, verdict_on

CAUTION = (
    "Probabilities are of the summary statistics, not of the votes: where these are not sufficient across models they"
    " may favour the wrong one even at tolerance 0 (Robert et al. 2011). Scores are of the election that the models"
    " were calibrated on."
)
FEWEST = 100  # simulations that should carry an estimate
PRECISE = 0.05  # standard error of a probability that is good enough to report
POINTS = 24  # tolerances of the curves
_MEASURE = ("election", "distance", "seat_tolerance", "share_tolerance", "engine")


@with_options
def compare(
    election: Stored,
    models: Sequence[str] | Mapping[str, Stored | Mapping[str, Any]],
    *,
    prior: Mapping[str, float] | None = None,
    priors: Mapping[str, PriorSpec] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    asked: CompareOptions,
    of_methods: MethodOptions,
) -> xr.Dataset:
    """Posterior probabilities of models by ABC, and scores of their predictions.

    Every model is calibrated with the same measure. Its evidence, P(distance <= tolerance | model), is estimated by
    importance sampling from the generations of its search, and so are the models' probabilities, at a range of
    tolerances. Broad priors cost evidence, as they should: the same model with another prior is another model.

    Args:
        election: the observed election: a Dataset, a name or a path.
        models: names of models; or a label -> what `districts.calibrate` returned (or its path), or arguments of
            `districts.calibrate` for this model alone (model, priors, params, options ...; model is the label unless
            given).
        prior: label -> prior weight of the model; default: equal. Probabilities are reported in attrs at the tolerance
            `at`; where no tolerance meets its conditions, at the smallest that all searches reached.
        priors, params, options: as of `districts.calibrate`, for all models.
        progress: called as progress(done, budget, text).

    Returns:
        Dataset over `model`: evidence and probability(model, epsilon), epsilon a tolerance, with standard errors *_se
        (delta method) and draws, the simulations that carry each estimate; prior_probability, reached (the smallest
        tolerance of the search) and simulations. Scores, lower is better, with Monte Carlo standard errors *_se:
        crps_seats(model, party) in seats, energy_seats of the whole vector of seats, energy_statistics of the paper's
        statistics in tolerances, log_score, -log P(exactly these seats) with half a run added to hits and misses.
        attrs: tolerance, probability {label: value}; verdict and verdict_reasons: those of the calibrations, that
        summaries may not be sufficient across models, and where fewer than 100 simulations carry a model's evidence at
        the reported tolerance.

    Raises:
        ValueError: fewer than two models, posteriors of different measures or without a trace of their search, or a
            prior that does not fit.
        ElectionDataError: as `districts.calibrate`.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> models = {"narrow": {"model": "dm", "priors": {"concentration": (1, 10)}}, "wide": {"model": "dm"}}
        >>> how = {"method": "rejection", "budget": 256, "accept": 10_000, "tolerance": 30.0, "runs": 0}
        >>> found = electjax.districts.compare(election, models, **how)
        >>> found["probability"].dims, found["model"].values.tolist()
        (('model', 'epsilon'), ['narrow', 'wide'])
    """
    election = election_of(election)
    settings = {"priors": priors, "params": params, "options": options, "progress": progress}
    settings |= {item.name: getattr(asked, item.name) for item in fields(CalibrateOptions)}
    settings |= {item.name: getattr(of_methods, item.name) for item in fields(of_methods)}
    posteriors = _posteriors(election, models, settings)
    labels = list(posteriors)
    weight = _prior(prior, labels)
    tolerances = _tolerances(posteriors, asked.at)
    found = [[_evidence(posterior, tolerance) for tolerance in tolerances] for posterior in posteriors.values()]
    value, error, draws = (np.array([[getattr(e, f) for e in row] for row in found]) for f in Evidence._fields)
    pairs = [probabilities(v, e, weight) for v, e in zip(value.T, error.T, strict=True)]
    probability, probability_se = (np.stack(column, axis=1) for column in zip(*pairs, strict=True))
    reached = np.array([float(posterior["trace_tolerance"].min()) for posterior in posteriors.values()])
    place = _report_at(tolerances, probability, probability_se, draws, reached, asked.at)
    by, curve = ("model",), ("model", "epsilon")
    dataset = xr.Dataset(
        {
            "probability": (curve, probability),
            "probability_se": (curve, probability_se),
            "evidence": (curve, value),
            "evidence_se": (curve, error),
            "draws": (curve, draws),
            "prior_probability": (by, weight),
            "reached": (by, reached),
            "simulations": (by, [int(posterior.attrs["simulations"]) for posterior in posteriors.values()]),
        },
        coords={"model": strings(labels), "epsilon": tolerances},
    )
    if asked.runs:
        scores = [_scores(election, posterior, asked.runs, asked.seed) for posterior in posteriors.values()]
        dataset = dataset.merge(xr.concat(scores, dim=xr.Variable("model", strings(labels))))
    attrs = next(iter(posteriors.values())).attrs
    dataset.attrs = {key: attrs[key] for key in (*_MEASURE, "electjax_version") if key in attrs} | {
        "seed": asked.seed,
        "runs": asked.runs,
        "tolerance": float(tolerances[place]),
        "probability": json.dumps(
            {
                label: None if np.isnan(p) else round(float(p), 6)
                for label, p in zip(labels, probability[:, place], strict=True)
            }
        ),
    }
    found_of = together({label: verdict_on(posterior) for label, posterior in posteriors.items()})
    told = found_of.doubts
    told += of_evidence(labels, draws[:, place], FEWEST, float(tolerances[place]))
    about = f"{len(labels)} models of {attrs.get('election') or 'an election'} compared: {', '.join(labels)}"
    return finished(conform(dataset, COMPARISON), about=about, verdict=verdict([*told, Doubt("with care", CAUTION)]))


def _posteriors(
    election: xr.Dataset, models: Sequence[str] | Mapping[str, Stored | Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, xr.Dataset]:
    """A posterior of each model, all by one measure."""
    if not isinstance(models, Mapping):
        models = {name: {} for name in ([models] if isinstance(models, str) else models)}
    if len(models) < 2:
        raise ValueError(f"models: {', '.join(models) or 'none'}; expected two or more to compare")
    found = {}
    for label, own in models.items():
        if isinstance(own, Mapping) and not isinstance(own, xr.Dataset):
            found[label] = calibrate(election, **{"model": label, **settings, **own})
        else:
            found[label] = fit_of(own)
    first_label, first = next(iter(found.items()))
    for label, posterior in found.items():
        for key in _MEASURE:
            if posterior.attrs.get(key) != first.attrs.get(key):
                raise ValueError(
                    f"models {first_label} and {label}: {key} is {first.attrs.get(key)!r} and"
                    f" {posterior.attrs.get(key)!r}; expected one measure for all"
                )
        how = json.loads(posterior.attrs.get("method_options", "{}"))
        weights = posterior.get("trace_log_weight")
        if weights is None or not weights.size or how.get("move") == "mcmc":
            raise ValueError(
                f"model {label}: its search leaves no importance weights to estimate the evidence from;"
                " calibrate with method=smc and move=importance, or method=rejection"
            )
        paper = (posterior.attrs.get("statistics"), posterior.attrs.get("summaries")) == ("paper", "given")
        if not paper or how.get("scaling") == "mad":
            raise ValueError(
                f"model {label}: its distances are on a scale of the model's own; calibrate with statistics=paper,"
                " summaries=given and scaling=tolerance"
            )
    return found


def _prior(prior: Mapping[str, float] | None, labels: Sequence[str]) -> np.ndarray:
    """Prior probabilities in the order of the labels."""
    if prior is None:
        return np.full(len(labels), 1.0 / len(labels))
    weight = np.array([float(prior.get(label, np.nan)) for label in labels])
    if set(prior) != set(labels) or not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError(f"prior={dict(prior)}: expected a positive weight for each of {', '.join(labels)}")
    return weight / weight.sum()


def _tolerances(posteriors: Mapping[str, xr.Dataset], at: float | None) -> np.ndarray:
    """Falling tolerances at which every model's evidence can be estimated, the ends of the searches among them."""
    traces = [posterior["trace_tolerance"].values for posterior in posteriors.values()]
    widest, narrowest = min(t.max() for t in traces), min(t.min() for t in traces)
    ends = [t.min() for t in traces if t.min() <= widest]
    grid = np.geomspace(widest, max(narrowest, 1e-6 * widest), POINTS)
    return np.unique(np.concatenate([grid, ends, [] if at is None else [at]]))[::-1]


def _evidence(posterior: xr.Dataset, tolerance: float) -> Evidence:
    """The evidence of a model, from the trace of its search."""
    far, log_weight = (
        posterior[f"trace_{name}"].transpose("generation", ...).values for name in ("distance", "log_weight")
    )
    return evidence(
        far, log_weight, posterior["trace_tolerance"].values, posterior["trace_simulations"].values, tolerance
    )


def _report_at(
    tolerances: np.ndarray,
    probability: np.ndarray,
    error: np.ndarray,
    draws: np.ndarray,
    reached: np.ndarray,
    at: float | None,
) -> int:
    """Position of the tolerance that is reported."""
    if at is not None:
        return int(np.flatnonzero(tolerances == at)[0])
    known = ~np.isnan(probability).any(axis=0)
    best = np.argmax(np.where(known, probability, -1.0), axis=0)
    carried = draws[best, np.arange(len(tolerances))]
    good = np.flatnonzero(known & (np.nan_to_num(error, nan=1.0).max(axis=0) <= PRECISE) & (carried >= FEWEST))
    if good.size:
        return int(good[-1])
    common = np.flatnonzero(tolerances >= reached.max())
    return int(common[-1]) if common.size else 0


def _scores(election: xr.Dataset, posterior: xr.Dataset, runs: int, seed: int) -> xr.Dataset:
    """Scores of fresh elections under the posterior."""
    made = predict(posterior, election, runs=runs, seed=seed)
    seen: dict[str, Any] = observed_statistics(election)
    seats = made["seats"].transpose("run", "party").values.astype(float)
    goal = target(**seen, **{key: posterior.attrs[key] for key in ("seat_tolerance", "share_tolerance")})
    statistics = np.concatenate([made[name].values.reshape(runs, -1) for name in seen], axis=1)
    known = ~np.isnan(goal.observed)
    scaled, observed = ((x / goal.tolerance)[..., known] for x in (statistics, goal.observed))
    singly = [crps(column, x) for column, x in zip(seats.T, seen["seats"], strict=True)]
    found = {
        "energy_seats": energy_score(seats, seen["seats"]),
        "energy_statistics": energy_score(scaled, observed),
        "log_score": log_score(seats, seen["seats"]),
    }
    dataset = xr.Dataset(coords={"party": strings(election["party"].values)})
    dataset["crps_seats"] = ("party", [score.value for score in singly])
    dataset["crps_seats_se"] = ("party", [score.error for score in singly])
    for name, score in found.items():
        dataset[name], dataset[f"{name}_se"] = score.value, score.error
    return dataset
