"""The report of an election's run: its sentences and its tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import xarray as xr

from electjax.districts.report.counterfactual import scenario_rows
from electjax.districts.report.posterior import parameter_names
from electjax.districts.verbs.trust import identifiability
from electjax.report.page import RowsSection, render_page
from electjax.report.tables import Metrics, as_html, parties, seat_vector

_MOST_ROWS = 12  # a parameter with more components is told in one row
_NOTE = (
    "Default: the parameters the model comes with. Optimal: ψ_OPT, of the draws closest to the observation the one"
    " whose mean over further simulations stays closest, simulated again with fresh seeds. Best draw: the single"
    " closest simulation, chosen among many, so fresh runs usually lie a little further away. P(exact) is the share of"
    " runs that give every party its observed seats. The winning margin is the winner's fraction of the"
    " votes cast in a district."
)
_SCENARIOS = (
    "Simulated with parameters drawn from the posterior: of each party's seats the mean and the interval that holds 90"
    " % of the elections, below it its share of the votes where the scenario sets it; and how often a party wins more"
    " than half of the seats. Baseline: the election as it was. A model's parameters are what they were in a district."
)
_CALIBRATION = (
    "By every method but “exact”, which has a likelihood, this is approximate Bayesian computation: parameters are"
    " drawn, the election is simulated with them, and a draw is accepted where the simulated statistics (seats, vote"
    " fractions and winning margins, unless set otherwise) come within the tolerance of the observed ones."
)
_IDENTIFICATION = (
    "Contraction is the share of the prior's variance that the posterior is without, on the scale on which the prior is"
    " uniform: 0 % is a posterior as wide as the prior. Below 25 % the parameter counts as not identified: its value in"
    " the tables above is as good as any other of its interval."
)


def render_report(
    metrics: Metrics,
    figures: Sequence[tuple[str, str, bytes]],
    config_yaml: str,
    meta: Mapping[str, Any] | None = None,
) -> str:
    """The report as html text.

    Parameters
    ----------
    metrics
        The content of ``metrics.json``.
    figures
        ``(title, caption, image)``, the image as PNG or SVG bytes; neighbours with the same title form one
        section.  The caption, after the title, is also the image's text for those who cannot see it.
    config_yaml
        The resolved configuration.
    meta
        All optional: ``title``; ``source`` of the returns, one sentence; ``calibration`` and ``identification``, the
        rows of `calibration_rows` and `identification_rows`; ``command``; ``notes``, a list of sentences;
        ``versions``, a mapping.

    Raises
    ------
    ValueError
        An image is neither PNG nor SVG.
    """
    meta = meta or {}
    return render_page(
        title=meta.get("title") or metrics["election"],
        headline=[*headline(metrics), *([meta["source"]] if meta.get("source") else [])],
        table=as_html(metrics),
        table_note=_NOTE,
        before=[RowsSection("scenarios", "What would have been", scenario_rows(metrics), note=_SCENARIOS)],
        figures=figures,
        after=[
            RowsSection("calibration", "How it was calibrated", meta.get("calibration") or [], _CALIBRATION),
            RowsSection(
                "identification",
                "Identified parameters",
                meta.get("identification") or [],
                _IDENTIFICATION,
                heading="What the election says about each parameter",
            ),
        ],
        notes=meta.get("notes") or [],
        command=meta.get("command") or "",
        config=config_yaml,
        versions=meta.get("versions") or {},
    )


def headline(metrics: Metrics) -> list[str]:
    """What was run and what came out, in two or three sentences made from the metrics."""
    labels = parties(metrics)
    observed = metrics["observed"]["seats"]
    won = ", ".join(f"{label} {observed[label]}" for label in labels)
    models = [model.upper() for model in metrics["models"]]
    calibrated = [model for model, result in metrics["models"].items() if "optimal" in result]
    sentences = [f"{sum(observed.values())} districts, won as {won}."]
    if models:
        work = f"{metrics['simulations']:,} simulated elections in {metrics['seconds']:.0f} s"
        sentences[0] += f" Simulated with {_enumerate(models)}: {work}."
    for model in calibrated:
        sentences.append(_calibrated_sentence(model, metrics["models"][model]["optimal"], observed, labels))
    return sentences


def _calibrated_sentence(model: str, optimal: Metrics, observed: Metrics, labels: list[str]) -> str:
    mean = "/".join(f"{optimal['seats_mean'][label]:.1f}" for label in labels)
    sentence = f"{model.upper()} at its calibrated parameters gives {mean} seats on average"
    sentence += f" and the observed seats exactly in {optimal['p_exact']:.1%} of the runs"
    best = optimal.get("best_draw")
    if best and seat_vector(best["seats"], labels) == seat_vector(observed, labels):
        return f"{sentence}; its best draw reproduces all the observed seats."
    if best:
        return f"{sentence}; its best draw gives {seat_vector(best['seats'], labels)}."
    return f"{sentence}."


def calibration_rows(posteriors: Mapping[str, xr.Dataset]) -> list[dict[str, str]]:
    """One row per calibrated model: method, simulations, accepted and effective draws, tolerance, priors."""
    return [
        {
            "Model": model.upper(),
            "Method": _method_text(posterior),
            "Simulations": f"{int(posterior.attrs['simulations']):,}",
            "Accepted": f"{posterior.sizes['draw']:,} ({float(posterior.attrs['acceptance_rate']):.2%})",
            "Effective draws": f"{_effective(posterior):,.0f}",
            "Tolerance": _tolerance_text(posterior.attrs.get("tolerance", "")),
            "Distances": _range_text(posterior["distance"]),
            "Stopped by": str(posterior.attrs.get("stopped", "")),
            "Priors": ", ".join(_priors(posterior)),
        }
        for model, posterior in posteriors.items()
    ]


def identification_rows(posteriors: Mapping[str, xr.Dataset]) -> list[dict[str, str]]:
    """One row per scalar parameter, or one per vector where they are many: what the election says about it."""
    rows = []
    for model, posterior in posteriors.items():
        names = parameter_names(posterior)
        if any(f"prior_{name}" not in posterior for name in names):
            continue
        for name in names:
            own = posterior.drop_vars([f"optimal_{other}" for other in names if other != name], errors="ignore")
            found = identifiability(own)
            few = found.sizes["parameter"] <= _MOST_ROWS
            rows += [{"Model": model.upper()} | row for row in (_each(found) if few else _together(name, found))]
    return rows


def _each(found: xr.Dataset) -> Iterator[dict[str, str]]:
    for label in found["parameter"].values:
        one = found.sel(parameter=label)
        yield {
            "Parameter": str(label),
            "Mean": f"{float(one['mean']):.3g}",
            "90 % interval": f"{float(one['low']):.3g} to {float(one['high']):.3g}",
            "Contraction": _contraction_text(float(one["contraction"])),
            "Says": "identified" if one["identified"] else "not identified",
        }


def _together(name: str, found: xr.Dataset) -> Iterator[dict[str, str]]:
    learnt = found["contraction"].values
    yield {
        "Parameter": f"{name}, {learnt.size} values",
        "Mean": f"{float(found['mean'].min()):.3g} to {float(found['mean'].max()):.3g}",
        "90 % interval": "",
        "Contraction": f"{_contraction_text(learnt.min())} to {_contraction_text(learnt.max())}",
        "Says": f"{int(found['identified'].sum())} of {learnt.size} identified",
    }


def _contraction_text(contraction: float) -> str:
    """Per cent; what is not quite all is not rounded to it."""
    return ">99 %" if 0.995 <= contraction < 1 else f"{100 * max(contraction, 0.0):.0f} %"


def _effective(posterior: xr.Dataset) -> float:
    """Kish's effective sample size of the weights."""
    weight = posterior["weight"].values.astype(float)
    return float(weight.sum() ** 2 / (weight**2).sum())


def _method_text(posterior: xr.Dataset) -> str:
    method = str(posterior.attrs.get("method", "")).replace("_", " ")
    adjustment = str(posterior.attrs.get("adjustment", "none"))
    return method if adjustment == "none" else f"{method}, {adjustment} adjustment"


def _range_text(values: xr.DataArray) -> str:
    return f"{float(values.min()):.3g} to {float(values.max()):.3g}"


def _priors(posterior: xr.Dataset) -> Iterator[str]:
    for name in parameter_names(posterior):
        attrs = posterior[name].attrs
        if "prior" in attrs:
            yield f"{attrs.get('symbol', name)} ~ {attrs['prior']}"


def _tolerance_text(tolerance: Any) -> str:
    """A number, or per-statistic tolerances kept as json text."""
    try:
        value = json.loads(tolerance) if isinstance(tolerance, str) else tolerance
        if isinstance(value, Mapping):
            return ", ".join(f"{name.replace('_', ' ')} {number:.3g}" for name, number in value.items())
        return f"{float(value):.3g}"
    except (TypeError, ValueError):
        return str(tolerance)


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
