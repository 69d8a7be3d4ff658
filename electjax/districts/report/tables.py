"""Tables of elections as rows of text (Mitra, Table 5): results, scenarios, calibrations and their parameters."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Group
from rich.table import Table

from electjax.districts.results import parameter_names
from electjax.districts.verbs.trust import identifiability
from electjax.districts.verdict import is_posterior
from electjax.report.tables import Metrics, chance_text, number, terminal_table, value_text

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "sigma": "σ",
    "phi": "φ",
    "psi": "ψ",
}
_MANY = 4  # of more parameters than these, only the calibrated ones are shown
_WRAP = 36  # letters of parameters in a line of the terminal's table
_MOST_ROWS = 12  # a parameter with more components is told in one row


def summary(metrics: Metrics) -> Group | Table:
    """Seats per party as mean over range, and the summary statistics; and scenarios, where there are some."""
    rows, kinds = election_rows(metrics), row_kinds(metrics)
    bold = [i for i, kind in enumerate(kinds) if kind in ("observed", "optimal")]
    ends = [i - 1 for i, kind in enumerate(kinds) if kind == "default"]
    title = f"{metrics['election']}: seats by party, mean over runs and range"
    short = [row | {"Model": _wrapped(row["Model"])} for row in rows]
    table = terminal_table(title, short, bold=bold, ends=ends)
    worlds = scenario_rows(metrics)
    if not worlds:
        return table
    title = f"{metrics['election']}: seats that would have been won, mean and 90 % interval"
    return Group(table, terminal_table(title, worlds))


def row_kinds(metrics: Metrics) -> list[str]:
    """What each of `election_rows` is: observed, proportional, default, optimal, best_draw or prediction."""
    return [kind for kind, _ in _rows(metrics)]


def election_rows(metrics: Metrics) -> list[dict[str, str]]:
    """Observed, proportional, then default, optimal and best draw of each model; a missing number is left empty.

    Under a model's name stand its parameters, under the mean of a party's seats their range.
    """
    return [row for _, row in _rows(metrics)]


def _rows(metrics: Metrics) -> Iterator[tuple[str, dict[str, str]]]:
    labels, observed = parties(metrics), metrics["observed"]
    yield "observed", _one_outcome("Observed", labels, observed["seats"], observed)
    if metrics.get("proportional"):
        yield "proportional", _one_outcome("Proportional", labels, metrics["proportional"], {})
    for model, results in metrics["models"].items():
        for kind in ("default", "optimal", "prediction"):
            if kind in results:
                shown = parameters_text(_shown(results, kind))
                yield kind, _simulated(f"{model.upper()} {kind}", labels, results[kind], shown)
        best = results.get("optimal", {}).get("best_draw")
        if best:
            yield "best_draw", _one_outcome(f"{model.upper()} best draw", labels, best["seats"], best)


def _shown(results: Metrics, kind: str) -> Metrics:
    """The parameters that a row shows: at the optimum the calibrated ones, at the default all unless they are many."""
    parameters = results[kind]["parameters"]
    calibrated = (results.get("optimal", {}).get("best_draw") or {}).get("parameters", parameters)
    if kind == "default" and len(parameters) <= _MANY:
        return parameters
    return {name: value for name, value in parameters.items() if name in calibrated}


def parties(metrics: Metrics) -> list[str]:
    """Party labels in the order of the observed seats."""
    return list(metrics["observed"]["seats"])


def seat_vector(seats: Mapping[str, int], labels: Sequence[str]) -> str:
    """Seats of all parties in one word: 62/8/0/0."""
    return "/".join(f"{round(seats.get(label, 0))}" for label in labels)


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Parameters as read in a table: γ = 0.87, or η = 0.72, 0.8, 0.72; rows of a matrix apart by a bar.

    What is too long to read is told by its shape and range.
    """
    return "; ".join(f"{GREEK.get(name, name)} = {value_text(value)}" for name, value in parameters.items())


def _simulated(name: str, labels: Sequence[str], result: Metrics, parameters: str) -> dict[str, str]:
    mean, low, high = result["seats_mean"], result["seats_min"], result["seats_max"]
    return {
        "Model": _under(name, parameters),
        **{label: f"{mean[label]:.1f}\n{low[label]:.0f}–{high[label]:.0f}" for label in labels},
        "Most likely": seat_vector(result["seats_mode"], labels) if "seats_mode" in result else "",
        **_statistics(result, _probability_text(result["p_exact"])),
    }


def _one_outcome(name: str, labels: Sequence[str], seats: Mapping[str, int], rest: Metrics) -> dict[str, str]:
    """A row without range, with nothing most likely and no probability."""
    return {
        "Model": _under(name, parameters_text(rest.get("parameters", {}))),
        **{label: f"{seats[label]:.0f}" if label in seats else "" for label in labels},
        "Most likely": "",
        **_statistics(rest, ""),
    }


def _statistics(result: Metrics, p_exact: str) -> dict[str, str]:
    distance = result.get("distance")
    return {
        "Winner's share": number(result.get("mwm"), 2),
        "its sd": number(result.get("swm"), 2),
        "Lead": number(result.get("mean_lead"), 2),
        "P(exact)": p_exact,
        "Distance": "" if distance is None else f"{distance:.3g}",
    }


def _probability_text(p: float) -> str:
    """Two digits, but no probability between 0 and 1 is shown as 0 or 1."""
    if p in (0, 1):
        return f"{p:.0f}"
    return "<0.01" if p < 0.005 else ">0.99" if p > 0.995 else f"{p:.2f}"


def _under(name: str, text: str) -> str:
    return f"{name}\n{text}" if text else name


def _wrapped(text: str) -> str:
    """A model's name, and below it lines of whole parameters."""
    name, _, parameters = text.partition("\n")
    lines = [name]
    for part in filter(None, parameters.split("; ")):
        if len(lines) > 1 and len(lines[-1]) + len(part) < _WRAP:
            lines[-1] += f"; {part}"
        else:
            lines.append(part)
    return "\n".join(lines)


def scenario_rows(metrics: Metrics) -> list[dict[str, str]]:
    """One row per model and scenario: districts, every party's mean seats and 90 % interval, chances of a majority."""
    return [
        {
            "Model": model.upper(),
            "Scenario": name,
            "Districts": f"{world['districts']}",
            **{party: _seats(world, party) for party in world["seats_mean"]},
            "Majority": ", ".join(chances_text(world["p_majority"])),
        }
        for model, scenarios in metrics.get("counterfactual", {}).items()
        for name, world in scenarios.items()
    ]


def _seats(world: Metrics, party: str) -> str:
    votes = f"votes {world['popularity'][party]:.1%}" if "popularity" in world else ""
    low, high = world["seats_low"][party], world["seats_high"][party]
    return _under(f"{world['seats_mean'][party]:.1f} ({low:.0f}–{high:.0f})", votes)


def chances_text(chances: Mapping[str, float]) -> list[str]:
    """Who wins more than half of the seats how often, the likeliest first, and how often nobody does."""
    likely = sorted((item for item in chances.items() if item[1] > 0), key=lambda item: -item[1])
    nobody = 1.0 - sum(chances.values())
    shown = [*likely, *([("nobody", nobody)] if nobody > 1e-9 else [])]
    return [f"{who} {chance_text(p)}" for who, p in shown]


def calibration_rows(posteriors: Mapping[str, xr.Dataset]) -> list[dict[str, str]]:
    """One row per calibrated model: method, simulations, accepted and effective draws, tolerances, priors."""
    return [
        {
            "Model": model.upper(),
            "Method": _method_text(posterior),
            "Simulations": f"{int(posterior.attrs['simulations']):,}",
            "Accepted": f"{posterior.sizes['draw']:,} ({float(posterior.attrs['acceptance_rate']):.2%})",
            "Effective draws": f"{_effective(posterior):,.0f}",
            "Tolerance": _tolerance_text(posterior.attrs.get("tolerance", "")) + _asked_text(posterior),
            "Distances": f"{float(posterior['distance'].min()):.3g} to {float(posterior['distance'].max()):.3g}",
            "Stopped by": str(posterior.attrs.get("stopped", "")),
            "Priors": ", ".join(_priors(posterior)),
        }
        for model, posterior in posteriors.items()
    ]


def identification_rows(posteriors: Mapping[str, xr.Dataset]) -> list[dict[str, str]]:
    """One row per scalar parameter, or one per vector where they are many: what the election says about it.

    Of posteriors alone: the best draws that a search found say nothing of that.
    """
    rows = []
    for model, posterior in posteriors.items():
        names = parameter_names(posterior)
        if not is_posterior(posterior) or any(f"prior_{name}" not in posterior for name in names):
            continue
        learnt = identifiability(posterior)
        of = np.array([str(label).partition(" ")[0] for label in learnt["parameter"].values])
        for name in names:
            one = learnt.isel(parameter=of == name)
            few = one.sizes["parameter"] <= _MOST_ROWS
            rows += [{"Model": model.upper()} | row for row in (_each(one) if few else _together(name, one))]
    return rows


def _each(learnt: xr.Dataset) -> Iterator[dict[str, str]]:
    for label in learnt["parameter"].values:
        one = learnt.sel(parameter=label)
        yield {
            "Parameter": str(label),
            "Mean": f"{float(one['mean']):.3g}",
            "90 % interval": f"{float(one['low']):.3g} to {float(one['high']):.3g}",
            "Contraction": chance_text(max(float(one["contraction"]), 0.0)),
            "Says": "identified" if one["identified"] else "not identified",
        }


def _together(name: str, learnt: xr.Dataset) -> Iterator[dict[str, str]]:
    contraction = learnt["contraction"].values
    yield {
        "Parameter": f"{name}, {contraction.size} values",
        "Mean": f"{float(learnt['mean'].min()):.3g} to {float(learnt['mean'].max()):.3g}",
        "90 % interval": "",
        "Contraction": " to ".join(chance_text(max(float(end), 0.0)) for end in (contraction.min(), contraction.max())),
        "Says": f"{int(learnt['identified'].sum())} of {contraction.size} identified",
    }


def _effective(posterior: xr.Dataset) -> float:
    """Kish's effective sample size of the weights."""
    weight = posterior["weight"].values.astype(float)
    return float(weight.sum() ** 2 / (weight**2).sum())


def _method_text(posterior: xr.Dataset) -> str:
    method = str(posterior.attrs.get("method", "")).replace("_", " ")
    adjustment = str(posterior.attrs.get("adjustment", "none"))
    return method if adjustment == "none" else f"{method}, {adjustment} adjustment"


def _priors(posterior: xr.Dataset) -> Iterator[str]:
    for name in parameter_names(posterior):
        attrs = posterior[name].attrs
        if "prior" in attrs:
            yield f"{attrs.get('symbol', name)} ~ {attrs['prior']}"


def _asked_text(fit: xr.Dataset) -> str:
    """The tolerance that was asked for, where it was not reached."""
    asked, reached = (fit.attrs.get(key, 0.0) for key in ("tolerance_asked", "tolerance"))
    return f"\nasked for {asked:.3g}" if asked and reached > asked * (1 + 1e-9) else ""


def _tolerance_text(tolerance: Any) -> str:
    """A number, or per-statistic tolerances kept as json text."""
    try:
        value = json.loads(tolerance) if isinstance(tolerance, str) else tolerance
        if isinstance(value, Mapping):
            return ", ".join(f"{name.replace('_', ' ')} {number:.3g}" for name, number in value.items())
        return f"{float(value):.3g}"
    except (TypeError, ValueError):
        return str(tolerance)
