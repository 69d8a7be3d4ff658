"""`electjax.districts.plot`: the report's figures of simulated elections, calibrations and checks."""

import os
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import electjax
from electjax.data.errors import data_error, suggest
from electjax.districts.opening import results_in, run_in
from electjax.districts.report import posterior
from electjax.districts.report.figures import geography, posterior_predictive, scenario_seats, seat_distribution
from electjax.districts.report.page import figures
from electjax.districts.report.places import places_figure
from electjax.report.plots import Plot, axes_of, plotted

Of = Literal["parameters", "pairs", "predictive", "trace", "scenarios", "seats", "map", "geography"]
Kind = Of | Literal["ranks", "coverage", "tarp", "models"]


def plot(
    fit: xr.Dataset | str | os.PathLike[str],
    kind: Kind | None = None,
    *,
    model: str | None = None,
    map: str | os.PathLike[str] | None = None,
) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: of `districts.calibrate`, `simulate`, `predict`, `counterfactual`, `sbc`, `coverage`, `tarp` or `compare`;
            its file; or the folder of a run, whose figures are those of its report, over all its models.
        kind: of a calibration "parameters" (draws against the prior), "pairs" (draws of each pair), "predictive" (the
            accepted simulations' summary statistics) or "trace" (its generations); of elections "seats" (by party, over
            runs), "map" (who wins each district, and how surely) or "geography" (over how many districts a party has
            which share of the votes); of a counterfactual "scenarios"; of checks "ranks" (`sbc`), "coverage", "tarp"
            and "models" (`compare`). By default the first one that the result has the variables for.
        model: of a run of several models, whose figure, where every model has its own.
        map: of the kind "map" of elections, a file of the districts' outlines; without one the districts are bars.

    Returns:
        The axes of matplotlib, an array of them where the figure has several: `axes.figure.savefig("it.png")` writes
        it. In a notebook that has pyplot the figure is shown.

    Raises:
        ElectionDataError: an unknown kind, or one that the result has not the variables for.

    Example:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> elections = electjax.districts.simulate(election, model="dm", runs=4)
        >>> axes = electjax.districts.plot(elections, kind="seats")
        >>> [ax.get_title() for ax in axes]
        ['A', 'B']
    """
    run = run_in(fit, where="districts.plot")
    if run is not None:
        return _of_run(run, kind, model)
    plots = _PLOTS | {"map": Plot(_PLOTS["map"].needs, lambda runs: places_figure(runs, None, map))}
    return plotted(plots, results_in(fit, where="districts.plot")[""], kind, where="districts.plot")


def _of_run(run: Any, kind: str | None, model: str | None) -> Axes | np.ndarray:
    """The axes of a figure of a run's report: they are called <kind>.png, or <kind>_<model>.png."""
    drawn = {figure.file.removesuffix(".png"): figure for figure in figures(run.tree, run.metrics)}
    kinds = list(dict.fromkeys(name.partition("_")[0] for name in drawn))
    kind = kind or next(iter(kinds), "")
    found = {name.partition("_")[2]: figure for name, figure in drawn.items() if name.partition("_")[0] == kind}
    name = model if model in found else next(iter(found)) if len(found) == 1 else None
    if name is None:
        known, asked = (kinds, kind) if not found else (list(found), model)
        where = f"districts.plot({'model' if found else 'kind'}=)"
        expected, mend = f"one of {', '.join(known)}", suggest(str(asked), known)
        raise data_error(f"found {asked!r}", where=where, expected=expected, mend=mend)
    return axes_of(found[name].draw())


def _name(data: xr.Dataset) -> str:
    return str(data.attrs.get("model", "model"))


def _seats(elections: xr.Dataset) -> Figure:
    unknown = dict.fromkeys(elections["party"].values.astype(str).tolist(), np.nan)
    return seat_distribution({_name(elections): {"simulated elections": elections}}, unknown)


def _geography(elections: xr.Dataset) -> Figure:
    votes = elections["votes"].sum(["run", "district"] if "run" in elections.dims else ["district"])
    shares = {str(party): float(share) for party, share in (votes / votes.sum()).to_series().items()}
    return geography({_name(elections): {"simulated elections": electjax.districts.geography(elections)}}, shares)


def _pairs(fit: xr.Dataset) -> Figure:
    if not posterior.pairs_of(fit):
        expected, mend = "at least two calibrated parameters", "plot the kind 'parameters'"
        raise data_error("nothing to pair", where="districts.plot(kind='pairs')", expected=expected, mend=mend)
    return posterior.posterior_pairs(fit)


_PLOTS = {
    "parameters": Plot(("weight", "distance"), posterior.posterior_parameters),
    "pairs": Plot(("weight", "distance"), _pairs),
    "predictive": Plot(("weight", "observed_seats"), posterior_predictive),
    "trace": Plot(
        ("trace_tolerance", "trace_acceptance_rate"), lambda fit: posterior.calibration_trace({_name(fit): fit})
    ),
    "scenarios": Plot(("p_majority", "seats_quantile"), scenario_seats),
    "seats": Plot(("winner", "seats", "run"), _seats),
    "map": Plot(("winner", "seats", "run"), lambda runs: places_figure(runs, None, None)),
    "geography": Plot(("votes",), _geography),
    "ranks": Plot(("count", "ecdf"), posterior.rank_histogram),
    "tarp": Plot(("coverage", "credibility"), posterior.tarp_curve),
    "coverage": Plot(("coverage", "level"), posterior.coverage_curve),
    "models": Plot(("probability", "epsilon"), posterior.model_probabilities),
}
