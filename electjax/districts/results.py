"""Results of the wing's verbs, declared: what `save` writes and `load` checks, and the units of all variables."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.schema import Schema, Variable, refuse
from electjax.data.verdict import ATTRS
from electjax.districts.models import SIMULATORS
from electjax.districts.models.base import Simulator

_MWM = "mean over districts of the winner's share of the votes (the paper's mean winning margin)"
_SWM = "sd over districts of the winner's share of the votes (of the paper's winning margin)"
_LEAD = "winner's share of the votes less the runner-up's"
_RUN, _SIZES = ("run",), ("run", "district", "party")
_PROVENANCE = {
    "election": "name of the election",
    "model": "name of the model",
    "options": "readings of the model, JSON",
    "seed": "of the random numbers",
    "engine": "leap or agent",
    **ATTRS,
}


def labels(*dims: str) -> dict[str, Variable]:
    """Coordinates of these dims that hold text."""
    return {dim: Variable((dim,), "label", dim, f"{dim} label", coord=True, required=True) for dim in dims}


def _either(*dims: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The dims of one election, or those of many runs."""
    return dims, ("run", *dims)


def parameter_names(fit: xr.Dataset) -> list[str]:
    """The calibrated parameters of a fit, in the order of the Dataset."""
    prefix = "optimal_"
    return [str(name).removeprefix(prefix) for name in fit.data_vars if str(name).startswith(prefix)]


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


def origin_of(result: xr.Dataset) -> dict[str, Any]:
    """How a result came about, without what says which kind it is."""
    return {str(key): value for key, value in result.attrs.items() if key != "conventions"}


def _summaries(*lead: str) -> dict[str, Variable]:
    """The summary statistics of elections over some leading dims."""
    return {
        "seats": Variable((*lead, "party"), "count", "seats won", "seats"),
        "vote_fraction": Variable((*lead, "party"), "number", "mean over districts of the party's vote fraction"),
        "mwm": Variable(lead, "number", _MWM),
        "swm": Variable(lead, "number", _SWM),
    }


SIMULATION = Schema(
    name="simulated elections",
    variables={
        "votes": Variable(_SIZES, "count", "votes polled", "votes"),
        "winner": Variable(("run", "district"), "label", "party that won the seat", "party label"),
        "margin": Variable(("run", "district"), "number", "winner's share of the votes polled"),
        "lead": Variable(("run", "district"), "number", _LEAD),
        "mean_lead": Variable(_RUN, "number", f"mean over districts of the {_LEAD}"),
        **_summaries("run"),
        "seats": Variable(("run", "party"), "count", "seats won", "seats", required=True),
        "run": Variable(_RUN, "whole", "number of the simulated election", coord=True, required=True),
        "draw": Variable(_RUN, "whole", "draw of the posterior", coord=True),
        "district": Variable(("district",), "label", "district", "district label", coord=True),
        **labels("party"),
    },
    build="districts.simulate or districts.predict",
    attrs=_PROVENANCE | {"parameters": "values of the parameters that do not vary, JSON"},
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
        "observed_mwm": Variable((), "number", f"observed {_MWM}"),
        "observed_swm": Variable((), "number", f"observed {_SWM}"),
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
        "party": Variable(("party",), "label", "party", "party label", coord=True),
    },
    build="districts.calibrate",
    attrs=_PROVENANCE
    | {
        "fixed_parameters": "parameters that were not calibrated, JSON",
        "method": "method of inference",
        "simulations": "simulations of the search, at most its budget",
        "simulations_pilot": "simulations of the pilot",
        "simulations_optimal": "simulations that chose psi_opt",
        "tolerance": "largest accepted distance",
        "tolerance_asked": "the one that was asked for; 0: none",
        "ties": "districts that are tied in the returns, JSON, if any",
        "ess": "effective sample size",
        "not_finite": "share of the prior's simulations that are rejected for a statistic that is not finite, if any",
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
        **labels("scenario", "party"),
    },
    build="districts.counterfactual",
    attrs=_PROVENANCE | {"scenarios": "the scenarios, JSON"},
)


def _check_recovery(ds: xr.Dataset, where: str) -> xr.Dataset:
    """The truths are there, and draws of the same parameters."""
    prefix = "truth_"
    names = [str(name).removeprefix(prefix) for name in ds.data_vars if str(name).startswith(prefix)]
    lacking = [name for name in names if name not in ds or ds[name].dims[:2] != ("replicate", "draw")]
    if not names or lacking:
        problem = f"no draws of {lacking[0]!r}" if lacking else "no truth_<parameter>"
        expected = "truth_<parameter>(replicate, ...) and <parameter>(replicate, draw, ...)"
        raise data_error(problem, where=where, expected=expected, mend="run districts.recover")
    return ds


_EACH = ("replicate",)
RECOVERY = Schema(
    name="recovery",
    variables={
        "weight": Variable(("replicate", "draw"), "number", "weight of the draw", required=True, finite=True),
        "seats": Variable(("replicate", "party"), "count", "seats won in the simulated election", "seats"),
        "tolerance": Variable(_EACH, "number", "tolerance of the calibration", "tolerances"),
        "ess": Variable(_EACH, "number", "effective sample size", "draws"),
        "simulations": Variable(_EACH, "count", "simulations of the calibration"),
        "party": Variable(("party",), "label", "party", "party label", coord=True),
    },
    build="districts.recover",
    attrs=_PROVENANCE,
    check=_check_recovery,
)

OUTCOMES = Schema(
    name="outcomes",
    variables={
        "seats": Variable(_either("party"), "count", "seats won", "seats", required=True),
        "margin": Variable(_either("district"), "number", "winner's share of the votes polled"),
        "vote_fraction": Variable(_either("party"), "number", "mean over districts of the party's vote fraction"),
        "mwm": Variable(_either(), "number", _MWM),
        "swm": Variable(_either(), "number", _SWM),
        "lead": Variable(_either("district"), "number", _LEAD),
        "mean_lead": Variable(_either(), "number", f"mean over districts of the {_LEAD}"),
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
        **labels("district", "party"),
    },
    build="districts.outcomes",
    attrs=ATTRS,
)
SWING_CURVE = Schema(
    name="swing curve",
    variables={
        "vote_share": Variable(("swing",), "number", "votes of the party", required=True),
        "seat_share": Variable(("swing",), "share", "seats of the party", required=True),
        "swing": Variable(("swing",), "number", "uniform swing to the party", coord=True),
    },
    build="districts.swing_curve",
    attrs={"party": "who gains the swing", "election": "name of the election", **ATTRS},
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
    attrs=ATTRS,
)

RESULTS = (SIMULATION, CALIBRATION, COUNTERFACTUAL, RECOVERY, OUTCOMES, SWING_CURVE, GEOGRAPHY)
