"""`electjax.districts.plot`: the report's figures of simulated elections, calibrations and checks."""

import os
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import electjax
from electjax.data.errors import data_error
from electjax.districts.report import posterior
from electjax.districts.report.figures import geography, posterior_predictive, scenario_seats, seat_distribution
from electjax.report.plots import Plot, plotted

Of = Literal["parameters", "pairs", "predictive", "trace", "scenarios", "seats", "geography"]
Kind = Of | Literal["ranks", "coverage", "tarp", "models"]


def plot(fit: xr.Dataset | str | os.PathLike[str], kind: Kind | None = None) -> Axes | np.ndarray:
    """A figure of the report.

    Args:
        fit: of `districts.calibrate`, `simulate`, `predict`, `counterfactual`, `sbc`, `coverage`, `tarp` or `compare`;
            or its file.
        kind: of a calibration "parameters" (posterior against prior), "pairs" (draws of each pair), "predictive" (the
            accepted simulations' summary statistics) or "trace" (its generations); of elections "seats" (by party, over
            runs) or "geography" (over how many districts a party has which share of the votes); of a counterfactual
            "scenarios"; of checks "ranks" (`sbc`), "coverage", "tarp" and "models" (`compare`). By default the first
            one that the result has the variables for.

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
    data = electjax.districts.load(fit) if isinstance(fit, str | os.PathLike) else fit
    return plotted(_PLOTS, data, kind, where="districts.plot")


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
    "geography": Plot(("votes",), _geography),
    "ranks": Plot(("count", "ecdf"), posterior.rank_histogram),
    "tarp": Plot(("coverage", "credibility"), posterior.tarp_curve),
    "coverage": Plot(("coverage", "level"), posterior.coverage_curve),
    "models": Plot(("probability", "epsilon"), posterior.model_probabilities),
}
