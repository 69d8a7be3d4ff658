"""Figures of a simulated and calibrated election.  They read labelled Datasets and know no model.

Every function returns a matplotlib `Figure` made without pyplot; `style.save_figure` writes it.  A simulation
Dataset has ``seats(run, party)``; a calibration Dataset has one variable per parameter on ``draw``,
``prior_<parameter>``, ``optimal_<parameter>``, ``weight(draw)`` and simulated and observed summaries.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from electjax.report.style import (
    BLUE,
    GREY,
    INK,
    MARKERS,
    VERMILION,
    look,
    new_figure,
    party_colours,
    percent,
    sample_bins,
    seat_bins,
    weighted_quantiles,
    whole_numbers,
)
from electjax.report.tables import GREEK

_MOST_PANELS = 8  # a vector parameter with more components is drawn as intervals
_MOST_PAIRS = 6


class _Component(NamedTuple):
    """One scalar of the posterior: a scalar parameter or one entry of a vector parameter."""

    label: str
    draws: np.ndarray
    prior: np.ndarray | None
    optimal: float


def seat_distribution(simulations: Mapping[str, Mapping[str, xr.Dataset]], observed: Mapping[str, float]) -> Figure:
    """Share of the runs that give each party so many seats, one row per model, against the seats observed.

    Parameters
    ----------
    simulations
        ``{model: {"default": Dataset, "optimal": Dataset}}``; either may be absent.
    observed
        Seats by party label.
    """
    parties = list(observed)
    with look():
        figure = new_figure(2.3 * len(parties) + 0.7, 1.9 * len(simulations) + 0.8)
        grid = figure.subplots(len(simulations), len(parties), squeeze=False)
        for axes, (model, runs) in zip(grid, simulations.items(), strict=True):
            for ax, party in zip(axes, parties, strict=True):
                samples = {kind: data["seats"].sel(party=party).values for kind, data in runs.items()}
                bins = seat_bins(*samples.values(), np.array([observed[party]]))
                for kind, sample in samples.items():
                    _histogram(ax, sample, bins, filled=kind != "default", share=True)
                _observed_line(ax, observed[party])
                _seat_axis(ax, bins)
                percent(ax)
            axes[0].set_ylabel(f"{model.upper()}\nshare of runs")
        for ax, party in zip(grid[0], parties, strict=True):
            ax.set_title(f"{party} (observed {observed[party]:.0f})")
        for ax in grid[-1]:
            ax.set_xlabel("seats")
        kinds = dict.fromkeys(kind for runs in simulations.values() for kind in runs)
        names = {"default": "default parameters", "optimal": "optimal parameters"}
        _legend(
            figure,
            [_patch(names.get(kind, kind), filled=kind != "default") for kind in kinds] + [_line("observed seats")],
        )
    return figure


def posterior_parameters(posterior: xr.Dataset) -> Figure:
    """Posterior of every parameter: weighted histogram, prior and psi_opt; long vectors as 90 % intervals."""
    names = parameter_names(posterior)
    short = [c for name in names for c in _components(posterior, name) if _size(posterior, name) <= _MOST_PANELS]
    long = [name for name in names if _size(posterior, name) > _MOST_PANELS]
    weights = posterior["weight"].values
    columns = max(1, min(len(short), 4)) if not long else 4
    rows = -(-len(short) // columns)
    with look():
        width = max(2.7 * columns + 0.4, 5.2)
        figure = new_figure(width, 2.5 * rows + 3.0 * len(long) + 0.5)
        grid = figure.add_gridspec(rows + len(long), columns, height_ratios=[1.0] * rows + [1.2] * len(long))
        for i, component in enumerate(short):
            ax = figure.add_subplot(grid[divmod(i, columns)])
            _posterior_panel(ax, component, weights)
            ax.set_xlabel(component.label)
            if i % columns == 0:
                ax.set_ylabel("density")
        for i, name in enumerate(long):
            _interval_panel(figure.add_subplot(grid[rows + i, :]), posterior, name)
        _legend(
            figure,
            [_patch("posterior"), _patch("prior", filled=False), _line("optimal, $\\psi_{OPT}$")],
        )
    return figure


def posterior_pairs(posterior: xr.Dataset) -> Figure | None:
    """Accepted draws of each pair of scalars, area by weight; None with fewer than two or over six."""
    components = [c for name in parameter_names(posterior) for c in _components(posterior, name)]
    count = len(components)
    if not 2 <= count <= _MOST_PAIRS:
        return None
    weights = posterior["weight"].values
    area = 14.0 * weights / weights.mean()
    with look():
        figure = new_figure(2.2 * count + 0.6, 2.0 * count + 0.9)
        grid = figure.subplots(count, count, squeeze=False, sharex="col")
        for i, row in enumerate(components):
            for j, column in enumerate(components):
                ax = grid[i, j]
                if j > i:
                    ax.set_visible(False)
                elif j == i:
                    _posterior_panel(ax, row, weights, title=False, prior=False)
                    ax.set_yticks([])
                else:
                    ax.scatter(column.draws, row.draws, s=area, color=BLUE, alpha=0.35, linewidths=0)
                    ax.plot(column.optimal, row.optimal, "P", color=VERMILION, ms=8, mec="white", mew=0.8)
                    ax.yaxis.set_major_locator(MaxNLocator(4))
                    ax.grid(True, axis="both")
                ax.xaxis.set_major_locator(MaxNLocator(3))
                if i == count - 1:
                    ax.set_xlabel(column.label)
                if j == 0 and i > 0:
                    ax.set_ylabel(row.label)
                if 0 < j < i:
                    ax.tick_params(labelleft=False)
        _legend(figure, [_patch("posterior"), _line("optimal, $\\psi_{OPT}$")])
    return figure


def posterior_predictive(posterior: xr.Dataset, optimal: xr.Dataset | None = None) -> Figure:
    """Every summary statistic of the accepted simulations, weighted, with the value observed.

    Parameters
    ----------
    posterior
        A calibration Dataset.
    optimal
        Optional simulation Dataset at psi_opt, drawn as an outline: fresh runs were not chosen for being
        close to the observation, accepted ones were.
    """
    parties = [str(party) for party in posterior["party"].values]
    columns = max(len(parties), 3)
    weights = posterior["weight"].values
    with look():
        figure = new_figure(2.3 * columns + 0.7, 6.6)
        grid = figure.add_gridspec(3, columns)
        panels: list[tuple[Axes, str, dict[str, str], str]] = [
            (figure.add_subplot(grid[row, i]), name, {"party": party}, f"{party}: {label}")
            for row, (name, label) in enumerate([("seats", "seats"), ("vote_fraction", "vote fraction")])
            for i, party in enumerate(parties)
        ]
        panels += [
            (figure.add_subplot(grid[2, 0]), "mwm", {}, "mean winning margin"),
            (figure.add_subplot(grid[2, 1]), "swm", {}, "sd of winning margin"),
        ]
        for ax, name, where, label in panels:
            seen = float(posterior[f"observed_{name}"].sel(where))
            sample = posterior[name].sel(where).values
            fresh = None if optimal is None else optimal[name].sel(where).values
            both = [sample] if fresh is None else [sample, fresh]
            bins = seat_bins(*both, np.array([seen])) if name == "seats" else sample_bins(np.concatenate(both))
            _histogram(ax, sample, bins, weights=weights, share=True)
            if fresh is not None:
                _histogram(ax, fresh, bins, filled=False, share=True, colour=INK)
            _observed_line(ax, seen)
            ax.set_xlabel(label)
            percent(ax)
            if name == "seats":
                _seat_axis(ax, bins)
            else:
                _fraction_axis(ax)
            if ax.get_subplotspec().colspan.start == 0:  # type: ignore[union-attr]
                ax.set_ylabel("share of draws")
        handles: list[Any] = [_patch("accepted simulations"), _line("observed")]
        if optimal is not None:
            handles.insert(1, _patch("fresh runs at $\\psi_{OPT}$", filled=False, colour=INK))
        _legend(figure, handles)
    return figure


def sweep_figure(
    values: Sequence[Any],
    seats_mean: Mapping[str, Sequence[float]],
    *,
    label: str,
    observed: Mapping[str, float] | None = None,
    seats_min: Mapping[str, Sequence[float]] | None = None,
    seats_max: Mapping[str, Sequence[float]] | None = None,
    title: str = "",
) -> Figure:
    """Mean seats of each party against a swept value or a seed, with the range over runs and the observation.

    Parameters
    ----------
    values
        The swept values: numbers, or texts for a categorical axis.
    seats_mean, seats_min, seats_max
        By party label, one entry per value.
    label
        What was swept, the name of the horizontal axis.
    observed
        Seats by party label, drawn as dashed lines in the parties' colours.
    """
    numeric = all(isinstance(value, int | float | np.number) for value in values)
    x = np.asarray(values, dtype=float) if numeric else np.arange(len(values), dtype=float)
    order = np.argsort(x, kind="stable")
    # A seed orders nothing: its points are not joined.
    joined = numeric and label != "seed"
    colours = party_colours(list(seats_mean))
    with look():
        figure = new_figure(6.8, 3.9)
        ax = figure.subplots()
        for i, (party, mean) in enumerate(seats_mean.items()):
            colour, y = colours[party], np.asarray(mean, dtype=float)
            if seats_min is not None and seats_max is not None:
                low, high = np.asarray(seats_min[party]), np.asarray(seats_max[party])
                if joined:
                    ax.fill_between(x[order], low[order], high[order], color=colour, alpha=0.15, lw=0)
                else:
                    ax.vlines(x, low, high, color=colour, alpha=0.4, lw=2)
            line, marker = "-" if joined else "none", MARKERS[i % len(MARKERS)]
            ax.plot(x[order], y[order], ls=line, marker=marker, ms=4.5, lw=1.6, color=colour, label=party)
            if observed is not None and party in observed:
                ax.axhline(observed[party], color=colour, ls=(0, (4, 3)), lw=1.1, zorder=1)
        ax.set(xlabel=label, ylabel="seats (mean over runs)", title=title)
        if not numeric:
            ax.set_xticks(x, [str(value) for value in values], rotation=30 if len(values) > 4 else 0)
        elif np.all(x == np.round(x)):
            whole_numbers(ax)
        whole_numbers(ax, axis="y")
        handles, _ = ax.get_legend_handles_labels()
        extra = [Line2D([], [], color=INK, ls=(0, (4, 3)), lw=1.1, label="observed")] if observed else []
        _legend(figure, [*handles, *extra])
    return figure


def parameter_names(posterior: xr.Dataset) -> list[str]:
    """The calibrated parameters: the variables on ``draw`` that have a ``prior_`` or an ``optimal_``."""
    return [
        str(name)
        for name, variable in posterior.data_vars.items()
        if "draw" in variable.dims and (f"optimal_{name}" in posterior or f"prior_{name}" in posterior)
    ]


def _size(posterior: xr.Dataset, name: str) -> int:
    return posterior[name].size // posterior.sizes["draw"]


def _components(posterior: xr.Dataset, name: str) -> Iterator[_Component]:
    """The scalars of one parameter, flattened over its vector dimension."""
    variable = posterior[name].transpose("draw", ...)
    dims = variable.dims[1:]
    prior = posterior.get(f"prior_{name}")
    optimal = posterior.get(f"optimal_{name}", xr.full_like(variable[0], np.nan))
    for index in np.ndindex(*variable.shape[1:]):
        at = dict(zip(dims, index, strict=True))
        which = [str(variable[dim].values[i]) if dim in variable.coords else str(i) for dim, i in at.items()]
        yield _Component(
            label=" ".join([_symbol(posterior, name), *which]),
            draws=variable.isel(at).values,
            # A prior without the vector dimension is common to all components.
            prior=None if prior is None else prior.isel(at, missing_dims="ignore").values,
            optimal=float(optimal.isel(at)),
        )


def _symbol(posterior: xr.Dataset, name: str) -> str:
    symbol = str(posterior[name].attrs.get("symbol", name))
    if "\\" in symbol and "$" not in symbol:
        return f"${symbol}$"
    return GREEK.get(symbol, symbol)


def _posterior_panel(
    ax: Axes, component: _Component, weights: np.ndarray, *, title: bool = True, prior: bool = True
) -> None:
    if prior and component.prior is not None:
        _histogram(ax, component.prior, np.linspace(component.prior.min(), component.prior.max(), 13), filled=False)
    _histogram(ax, component.draws, sample_bins(component.draws), weights=weights)
    _observed_line(ax, component.optimal)
    ax.margins(x=0.02)
    if title:
        low, median, high = weighted_quantiles(component.draws, weights, [0.05, 0.5, 0.95])
        ax.set_title(f"{median:.3g}  (90 %: {low:.3g} to {high:.3g})", color="#444444")


def _interval_panel(ax: Axes, posterior: xr.Dataset, name: str) -> None:
    """Weighted median and 90 % interval of every component, components in order of their median."""
    draws = posterior[name].transpose("draw", ...).values.reshape(posterior.sizes["draw"], -1)
    low, median, high = weighted_quantiles(draws, posterior["weight"].values, [0.05, 0.5, 0.95])
    order = np.argsort(median)
    place = np.arange(order.size)
    if f"prior_{name}" in posterior:
        prior = posterior[f"prior_{name}"].values
        ax.axhspan(*np.quantile(prior, [0.05, 0.95]), color=GREY, alpha=0.18, lw=0)
    ax.vlines(place, low[order], high[order], color=BLUE, lw=2, alpha=0.55)
    ax.plot(place, median[order], ".", color=BLUE, ms=4)
    if f"optimal_{name}" in posterior:
        ax.plot(place, posterior[f"optimal_{name}"].values.ravel()[order], "_", color=VERMILION, ms=6, mew=1.6)
    unit = "".join(f"{dim}s" for dim in posterior[name].dims if dim != "draw")
    ax.set(xlabel=f"{order.size} {unit}, in order of the median (bars: 90 %)", ylabel=_symbol(posterior, name))
    ax.set_xticks([])


def _histogram(
    ax: Axes,
    sample: np.ndarray,
    bins: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    filled: bool = True,
    share: bool = False,
    colour: str | None = None,
) -> None:
    """Filled blue, or a grey outline with a light fill; heights are shares of the sample or a density."""
    height, _ = np.histogram(sample, bins, weights=weights)
    height = height / height.sum() if share else height / (height.sum() * np.diff(bins))
    if filled:
        ax.stairs(height, bins, fill=True, color=colour or BLUE, alpha=0.45, lw=0)
        ax.stairs(height, bins, color=colour or BLUE, lw=1.2)
    else:
        if colour is None:
            ax.stairs(height, bins, fill=True, color=GREY, alpha=0.3, lw=0)
        ax.stairs(height, bins, color=colour or GREY, lw=1.2)


def _observed_line(ax: Axes, value: float) -> None:
    if np.isfinite(value):
        ax.axvline(value, color=VERMILION, lw=1.6, ls=(0, (5, 2)), zorder=4)


def _seat_axis(ax: Axes, bins: np.ndarray) -> None:
    """Whole seats, never negative, and never so few that a single bar fills the panel."""
    spare = max(0.0, (5 - (bins[-1] - bins[0])) / 2)
    low = max(bins[0] - spare, -0.5)
    ax.set_xlim(low - 0.3, max(bins[-1] + spare, low + 5) + 0.3)
    whole_numbers(ax)


def _fraction_axis(ax: Axes) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.08)


def _patch(label: str, *, filled: bool = True, colour: str | None = None) -> Patch:
    edge = colour or (BLUE if filled else GREY)
    shade = 0.45 if filled else 0.3 if colour is None else 0.0
    return Patch(facecolor=(edge, shade), edgecolor=edge, lw=1.2, label=label)


def _line(label: str) -> Line2D:
    return Line2D([], [], color=VERMILION, lw=1.6, ls=(0, (5, 2)), label=label)


def _legend(figure: Figure, handles: Sequence[Any]) -> None:
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
