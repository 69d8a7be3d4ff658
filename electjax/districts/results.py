"""Results of the wing's verbs, declared: what `save` writes and `load` checks, and the units of all variables."""

import json

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.schema import Schema, Variable, refuse
from electjax.districts.models import SIMULATORS
from electjax.districts.models.base import Simulator

_RUN, _SIZES = ("run",), ("run", "district", "party")
_PROVENANCE = {
    "election": "name of the election",
    "model": "name of the model",
    "options": "readings of the model, JSON",
    "seed": "of the random numbers",
    "engine": "leap or agent",
}


def _labels(*dims: str) -> dict[str, Variable]:
    """Coordinates of these dims that hold text."""
    return {dim: Variable((dim,), "label", dim, f"{dim} label", coord=True, required=True) for dim in dims}


def _either(*dims: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The dims of one election, or those of many runs."""
    return dims, ("run", *dims)


def parameter_names(fit: xr.Dataset) -> list[str]:
    """The calibrated parameters of a fit, in the order of the Dataset."""
    prefix = "optimal_"
    return [str(name).removeprefix(prefix) for name in fit.data_vars if str(name).startswith(prefix)]


def _summaries(*lead: str) -> dict[str, Variable]:
    """The summary statistics of elections over some leading dims."""
    return {
        "seats": Variable((*lead, "party"), "count", "seats won", "seats", required=True),
        "vote_fraction": Variable((*lead, "party"), "number", "mean over districts of the party's vote fraction"),
        "mwm": Variable(lead, "number", "mean winning margin"),
        "swm": Variable(lead, "number", "standard deviation of the winning margin"),
    }


SIMULATION = Schema(
    name="simulated elections",
    variables={
        "votes": Variable(_SIZES, "count", "votes polled", "votes", required=True),
        "winner": Variable(("run", "district"), "label", "party that won the seat", "party label", required=True),
        "margin": Variable(("run", "district"), "number", "winner's share of the votes polled"),
        **_summaries("run"),
        "run": Variable(_RUN, "whole", "number of the simulated election", coord=True),
        "draw": Variable(_RUN, "whole", "draw of the posterior", coord=True),
        **_labels("district", "party"),
    },
    build="districts.simulate or districts.predict",
    attrs=_PROVENANCE | {"parameters": "values of the parameters that do not vary, JSON"},
    needs=("model", "options"),
)


def _check_fit(ds: xr.Dataset, where: str) -> xr.Dataset:
    """A calibration can be simulated: its model is known, and every parameter has draws that make sense."""
    model = _model_of(ds, where)
    names = parameter_names(ds)
    unknown = [name for name in names if name != "popularity" and name not in model.defaults]
    if not names or unknown:
        problem = f"no parameter {unknown[0]!r} in model {model.name}" if unknown else "no calibrated parameter"
        expected = f"optimal_<parameter> for some of {', '.join(model.defaults)}"
        raise data_error(problem, where=where, expected=expected, mend="calibrate again")
    for key in ("options", "fixed_parameters"):
        try:
            json.loads(str(ds.attrs[key]))
        except ValueError:
            raise data_error(
                f"found {ds.attrs[key]!r}", where=f"{where}, attribute {key!r}", expected="JSON", mend="calibrate again"
            ) from None
    for name in names:
        if name not in ds or ds[name].dims[:1] != ("draw",) or ds[name].dtype.kind not in "iuf":
            raise data_error(
                f"no draws of {name!r}", where=where, expected=f"{name}(draw, ...), numbers", mend="calibrate again"
            )
        values = ds[name].values
        low, high = model.parameter(name).support
        slack = 1e-6 * (1.0 + np.abs(values))  # draws are kept in 32 bits
        outside = ~np.isfinite(values) | (values < low - slack) | (values > high + slack)
        refuse(ds, name, outside, where, expected=f"a number from {low:g} to {high:g}", mend="calibrate again")
    weight = ds["weight"].values
    if weight.size and not ((weight >= 0).all() and weight.sum() > 0):
        expected = "numbers of at least 0, one of them positive"
        raise data_error(
            f"weights sum to {weight.sum():g}",
            where=f"{where}, weight(draw)",
            expected=expected,
            mend="calibrate again",
        )
    return ds


def _model_of(ds: xr.Dataset, where: str) -> Simulator:
    name = str(ds.attrs["model"])
    if name not in SIMULATORS:
        raise data_error(
            f"no model {name!r}",
            where=f"{where}, attribute 'model'",
            expected="a model of districts.list_models()",
            mend=suggest(name, list(SIMULATORS)),
        )
    return SIMULATORS[name]


def _trace(name: str, meaning: str, units: str = "1") -> dict[str, Variable]:
    return {f"trace_{name}": Variable(("generation",), "number", meaning, units)}


CALIBRATION = Schema(
    name="calibration",
    variables={
        "weight": Variable(("draw",), "number", "weight of the draw", required=True, finite=True),
        "distance": Variable(("draw",), "number", "distance from the observed statistics", "tolerances", required=True),
        "accepted_at": Variable(("draw",), "whole", "number of the simulation"),
        **_summaries("draw"),
        "statistics": Variable(("draw", "statistic"), "number", "compared statistics"),
        "observed_statistics": Variable(("statistic",), "number", "observed statistics"),
        "observed_seats": Variable(("party",), "number", "observed seats won", "seats"),
        "observed_vote_fraction": Variable(("party",), "number", "observed mean over districts of the vote fraction"),
        "observed_mwm": Variable((), "number", "observed mean winning margin"),
        "observed_swm": Variable((), "number", "observed standard deviation of the winning margin"),
        **_trace("tolerance", "tolerance of the generation", "tolerances"),
        **_trace("acceptance_rate", "accepted share of the simulations"),
        **_trace("ess", "effective sample size", "draws"),
        **_trace("simulations", "simulations of the generation"),
        "trace_distance": Variable(
            ("generation", "trace_draw"), "number", "distance of the accepted draws", "tolerances"
        ),
        "trace_log_weight": Variable(
            ("generation", "trace_draw"), "number", "log of prior over proposal density and number proposed"
        ),
        "trace_log_evidence": Variable((), "number", "log probability of the votes given the model"),
        "draw": Variable(("draw",), "whole", "accepted draw, closest first", coord=True),
        **_labels("party"),
    },
    build="districts.calibrate",
    attrs=_PROVENANCE
    | {
        "fixed_parameters": "parameters that were not calibrated, JSON",
        "method": "method of inference",
        "simulations": "simulations in all",
        "tolerance": "largest accepted distance",
        "ess": "effective sample size",
        "stopped": "what ended the search",
    },
    needs=("model", "options", "fixed_parameters"),
    check=_check_fit,
)

_WORLD = ("scenario",)
_WORLDS = ("scenario", "party")
COUNTERFACTUAL = Schema(
    name="counterfactual elections",
    variables={
        **_summaries("scenario", "run"),
        "districts": Variable(_WORLD, "count", "number of districts", "districts"),
        "popularity": Variable(_WORLDS, "number", "share of all votes, mean over the draws"),
        "seats_mean": Variable(_WORLDS, "number", "mean seats over runs", "seats"),
        "seats_se": Variable(_WORLDS, "number", "Monte Carlo standard error of the mean seats", "seats"),
        "seats_quantile": Variable(
            ("scenario", "quantile", "party"), "number", "quantile of the seats over runs", "seats"
        ),
        "p_majority": Variable(_WORLDS, "share", "share of runs in which the party wins more than half of the seats"),
        "p_first": Variable(_WORLDS, "number", "share of runs in which the party wins most seats, ties shared"),
        "seat_share_change": Variable(
            _WORLDS, "number", "mean change of the share of seats against the same run of the baseline"
        ),
        "seat_share_change_se": Variable(_WORLDS, "number", "its Monte Carlo standard error"),
        "draw": Variable(_RUN, "whole", "draw of the posterior", coord=True),
        **_labels("scenario", "party"),
    },
    build="districts.counterfactual",
    attrs=_PROVENANCE | {"scenarios": "the scenarios, JSON"},
)

_EACH = ("replicate",)
RECOVERY = Schema(
    name="recovery",
    variables={
        "weight": Variable(("replicate", "draw"), "number", "weight of the draw", required=True, finite=True),
        "seats": Variable(("replicate", "party"), "count", "seats won in the simulated election", "seats"),
        "tolerance": Variable(_EACH, "number", "tolerance of the calibration", "tolerances"),
        "ess": Variable(_EACH, "number", "effective sample size", "draws"),
        "simulations": Variable(_EACH, "count", "simulations of the calibration"),
        **_labels("party"),
    },
    build="districts.recover",
    attrs=_PROVENANCE,
    needs=("model", "method"),
)

OUTCOMES = Schema(
    name="outcomes",
    variables={
        "seats": Variable(_either("party"), "count", "seats won", "seats", required=True),
        "margin": Variable(_either("district"), "number", "winner's share of the votes polled"),
        "vote_fraction": Variable(_either("party"), "number", "mean over districts of the party's vote fraction"),
        "mwm": Variable(_either(), "number", "mean winning margin"),
        "swm": Variable(_either(), "number", "standard deviation of the winning margin"),
        "gallagher": Variable(
            _either(),
            "number",
            "least-squares disproportionality of seats and votes (Gallagher 1991)",
            "0 to 100",
            required=True,
        ),
        "parties_votes": Variable(
            _either(), "number", "effective number of parties by votes (Laakso and Taagepera 1979)", "parties"
        ),
        "parties_seats": Variable(
            _either(), "number", "effective number of parties by seats (Laakso and Taagepera 1979)", "parties"
        ),
        **_labels("district", "party"),
    },
    build="districts.outcomes",
)
SWING_CURVE = Schema(
    name="swing curve",
    variables={
        "vote_share": Variable(("swing",), "number", "votes of the party", required=True),
        "seat_share": Variable(("swing",), "share", "seats of the party", required=True),
        "swing": Variable(("swing",), "number", "uniform swing to the party", coord=True),
    },
    build="districts.swing_curve",
    attrs={"party": "who gains the swing", "election": "name of the election"},
)
GEOGRAPHY = Schema(
    name="geography",
    variables={
        "density": Variable(
            (("party", "bin"), ("bin",)),
            "number",
            "density of the districts over the party's share of their votes",
            required=True,
        ),
        "bin": Variable(("bin",), "number", "share of a district's votes, middle of the bin", coord=True),
        "low": Variable(("bin",), "number", "lower edge of the bin", coord=True, required=True),
        "high": Variable(("bin",), "number", "upper edge of the bin", coord=True, required=True),
    },
    build="districts.geography",
)

_PARAMETER = ("parameter",)
_P_VALUES = "p-value of a {} test that the ranks are uniform"
SBC = Schema(
    name="simulation-based calibration",
    variables={
        "fractional_rank": Variable(("replicate", "parameter"), "share", "weight of the draws below the truth"),
        "rank": Variable(("replicate", "parameter"), "count", "rank of the truth among 100", required=True),
        "count": Variable(("parameter", "bin"), "count", "replicates with a rank in the bin", required=True),
        "count_low": Variable(("bin",), "count", "lower end of the band of the counts"),
        "count_high": Variable(("bin",), "count", "upper end of the band of the counts"),
        "ecdf": Variable(("parameter", "point"), "share", "share of the replicates with a rank up to the point"),
        "ecdf_low": Variable(("point",), "share", "lower end of the band of the cumulative shares"),
        "ecdf_high": Variable(("point",), "share", "upper end of the band of the cumulative shares"),
        "p_chi2": Variable(_PARAMETER, "number", _P_VALUES.format("chi-square")),
        "p_ks": Variable(_PARAMETER, "number", _P_VALUES.format("Kolmogorov-Smirnov")),
        **_labels("parameter"),
    },
    build="districts.sbc",
)
COVERAGE = Schema(
    name="coverage",
    variables={
        "coverage": Variable(
            ("parameter", "level"), "share", "share of the replicates whose interval holds the truth", required=True
        ),
        "low": Variable(("level",), "share", "lower end of what 95 % of right methods show"),
        "high": Variable(("level",), "share", "upper end of what 95 % of right methods show"),
        "width": Variable(("parameter", "level"), "number", "mean width as a share of that of the prior's interval"),
        "level": Variable(("level",), "share", "nominal probability", coord=True),
        **_labels("parameter"),
    },
    build="districts.coverage",
)
TARP = Schema(
    name="TARP",
    variables={
        "fractional_rank": Variable(_EACH, "share", "weight of the draws nearer to the reference than the truth"),
        "coverage": Variable(("credibility",), "share", "expected coverage of balls", required=True),
        "low": Variable(("credibility",), "share", "lower end of the band"),
        "high": Variable(("credibility",), "share", "upper end of the band"),
        "p_chi2": Variable((), "number", _P_VALUES.format("chi-square")),
        "p_ks": Variable((), "number", _P_VALUES.format("Kolmogorov-Smirnov")),
        "credibility": Variable(("credibility",), "share", "nominal probability", coord=True, required=True),
    },
    build="districts.tarp",
)
_STATISTIC = ("statistic",)
CHECK = Schema(
    name="predictive check",
    variables={
        "observed": Variable(_STATISTIC, "number", "observed value", required=True),
        "mean": Variable(_STATISTIC, "number", "mean of the predictions"),
        "sd": Variable(_STATISTIC, "number", "standard deviation of the predictions"),
        "low": Variable(_STATISTIC, "number", "5 % quantile of the predictions"),
        "high": Variable(_STATISTIC, "number", "95 % quantile of the predictions"),
        "p": Variable(_STATISTIC, "number", "share of the predictions above the observed value, ties half"),
        "p_two_sided": Variable(_STATISTIC, "number", "two-sided p-value"),
        "fitted": Variable(_STATISTIC, "flag", "whether the calibration looked at the statistic", required=True),
        **_labels("statistic"),
    },
    build="districts.check",
)
_CURVE = ("epsilon", "parameter")
SENSITIVITY = Schema(
    name="sensitivity",
    variables={
        **{
            f"{prefix}{name}": Variable(_CURVE, "number", f"{meaning} of the posterior{said}", required=not prefix)
            for prefix, said in (("", ""), ("unadjusted_", ", before regression adjustment"))
            for name, meaning in (
                ("mean", "mean"),
                ("sd", "standard deviation"),
                ("low", "5 % quantile"),
                ("median", "median"),
                ("high", "95 % quantile"),
            )
        },
        "drift": Variable(
            _PARAMETER, "number", "change of the mean over the range, in sds of the tightest posterior", required=True
        ),
        "share": Variable(("epsilon",), "number", "share of the accepted draws by weight"),
        "ess": Variable(("epsilon",), "number", "effective sample size", "draws"),
        "draws": Variable(("epsilon",), "count", "accepted draws", "draws"),
        "epsilon": Variable(("epsilon",), "number", "tolerance", "tolerances", coord=True),
        **_labels("parameter"),
    },
    build="districts.sensitivity",
)
IDENTIFIABILITY = Schema(
    name="identifiability",
    variables={
        "contraction": Variable(_PARAMETER, "number", "1 - posterior over prior variance", required=True),
        "identified": Variable(_PARAMETER, "flag", "whether the contraction is .25 or more", required=True),
        "mean": Variable(_PARAMETER, "number", "mean of the posterior"),
        "sd": Variable(_PARAMETER, "number", "standard deviation of the posterior"),
        "low": Variable(_PARAMETER, "number", "5 % quantile of the posterior"),
        "high": Variable(_PARAMETER, "number", "95 % quantile of the posterior"),
        "prior_sd": Variable(_PARAMETER, "number", "standard deviation of the prior"),
        "said": Variable(_PARAMETER, "label", "the same in words", "text"),
        **_labels("parameter"),
    },
    build="districts.identifiability",
)
_MODEL, _MODELS = ("model",), ("model", "epsilon")
COMPARISON = Schema(
    name="comparison",
    variables={
        "probability": Variable(_MODELS, "number", "posterior probability of the model", required=True),
        "probability_se": Variable(_MODELS, "number", "its standard error, by the delta method"),
        "evidence": Variable(_MODELS, "number", "P(distance <= tolerance | model)", required=True),
        "evidence_se": Variable(_MODELS, "number", "its standard error"),
        "draws": Variable(_MODELS, "count", "simulations that carry the estimate"),
        "prior_probability": Variable(_MODEL, "number", "prior probability of the model"),
        "reached": Variable(_MODEL, "number", "smallest tolerance of the search", "tolerances"),
        "simulations": Variable(_MODEL, "count", "simulations of the search"),
        "crps_seats": Variable(("model", "party"), "number", "CRPS of the party's seats, lower is better", "seats"),
        "crps_seats_se": Variable(("model", "party"), "number", "its Monte Carlo standard error", "seats"),
        "energy_seats": Variable(_MODEL, "number", "energy score of the vector of seats", "seats"),
        "energy_seats_se": Variable(_MODEL, "number", "its Monte Carlo standard error", "seats"),
        "energy_statistics": Variable(_MODEL, "number", "energy score of the paper's statistics", "tolerances"),
        "energy_statistics_se": Variable(_MODEL, "number", "its Monte Carlo standard error", "tolerances"),
        "log_score": Variable(_MODEL, "number", "-log P(exactly these seats)", "nats"),
        "log_score_se": Variable(_MODEL, "number", "its Monte Carlo standard error", "nats"),
        "epsilon": Variable(("epsilon",), "number", "tolerance", "tolerances", coord=True),
        **_labels("model"),
    },
    build="districts.compare",
)

RESULTS = (
    SIMULATION,
    CALIBRATION,
    COUNTERFACTUAL,
    RECOVERY,
    OUTCOMES,
    SWING_CURVE,
    GEOGRAPHY,
    SBC,
    COVERAGE,
    TARP,
    CHECK,
    SENSITIVITY,
    IDENTIFIABILITY,
    COMPARISON,
)
