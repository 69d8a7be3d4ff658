"""Figures of a simulated and calibrated election.  They read labelled Datasets and know no model.

Every function returns a matplotlib `Figure` made without pyplot; `style.save_figure` writes it.  A simulation
Dataset has ``seats(run, party)``; a calibration Dataset has one variable per parameter on ``draw``,
``prior_<parameter>``, ``optimal_<parameter>``, ``weight(draw)`` and simulated and observed summaries.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from electjax.report.draw import fraction_axis, histogram, legend, line, observed_line, patch, seat_axis
from electjax.report.style import INK, look, new_figure, party_colours, percent, sample_bins, seat_bins

KINDS = {"default": "default parameters", "optimal": "optimal parameters"}
_MAIN_SHARE, _MOST_MAIN = 0.1, 3  # parties whose geography is drawn


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
                    histogram(ax, sample, bins, filled=kind != "default", share=True)
                observed_line(ax, observed[party])
                seat_axis(ax, bins)
                percent(ax)
            axes[0].set_ylabel(f"{model.upper()}\nshare of runs")
        for ax, party in zip(grid[0], parties, strict=True):
            ax.set_title(f"{party} (observed {observed[party]:.0f})")
        for ax in grid[-1]:
            ax.set_xlabel("seats")
        kinds = dict.fromkeys(kind for runs in simulations.values() for kind in runs)
        legend(
            figure,
            [patch(KINDS.get(kind, kind), filled=kind != "default") for kind in kinds] + [line("observed seats")],
        )
    return figure


def geography(
    models: Mapping[str, Mapping[str, xr.Dataset]],
    popularity: Mapping[str, float],
    observed: xr.Dataset | None = None,
) -> Figure:
    """Over how many districts the main parties have which share of the votes, a panel per model and setting.

    Parameters
    ----------
    models
        ``{model: {"default": Dataset, "optimal": Dataset}}``, each with ``density(party, bin)`` as
        `districts.geography` gives it; either may be absent.
    popularity
        National vote shares by party label; those with a tenth of the votes are drawn, at most three.
    observed
        The same histogram of the returns, drawn as a dashed outline.
    """
    colours = party_colours(list(popularity))
    main = main_parties(popularity)
    kinds = [kind for kind in KINDS if any(kind in found for found in models.values())]
    with look():
        figure = new_figure(3.6 * len(kinds) + 0.7, 1.5 * len(models) + 0.9)
        grid = figure.subplots(len(models), len(kinds), squeeze=False, sharex=True, sharey="row")
        for axes, (model, found) in zip(grid, models.items(), strict=True):
            for ax, kind in zip(axes, kinds, strict=True):
                for party in main if kind in found else []:
                    districts, edges = _histogram_of(found[kind], party)
                    ax.stairs(districts, edges, fill=True, color=colours[party], alpha=0.35, lw=0)
                    ax.stairs(districts, edges, color=colours[party], lw=1.0)
                if observed is not None:
                    for party in main:
                        districts, edges = _histogram_of(observed, party)
                        ax.stairs(districts, edges, color=colours[party], lw=1.4, ls=(0, (3, 1.5)))
                percent(ax)
                ax.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
                ax.set_xlim(0, 1)
            axes[0].set_ylabel(f"{model.upper()}\ndistricts")
        for ax, kind in zip(grid[0], kinds, strict=True):
            ax.set_title(KINDS[kind])
        for ax in grid[-1]:
            ax.set_xlabel("share of a district's votes")
        seen = [Line2D([], [], color=INK, lw=1.4, ls=(0, (3, 1.5)), label="observed")] if observed is not None else []
        legend(figure, [*(patch(party, colour=colours[party], shade=0.35) for party in main), *seen])
    return figure


def main_parties(popularity: Mapping[str, float]) -> list[str]:
    """The parties with at least a tenth of the votes, the largest first, at most three and at least one."""
    ranked = sorted((party for party in popularity if party != "others"), key=lambda party: -popularity[party])
    return [party for i, party in enumerate(ranked) if i == 0 or popularity[party] >= _MAIN_SHARE][:_MOST_MAIN]


def _histogram_of(found: xr.Dataset, party: str) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the districts by bin, and the edges of the bins."""
    edges = np.append(found["low"].values, found["high"].values[-1])
    return found["density"].sel(party=party).values * np.diff(edges), edges


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
            histogram(ax, sample, bins, weights=weights, share=True)
            if fresh is not None:
                histogram(ax, fresh, bins, filled=False, share=True, colour=INK)
            observed_line(ax, seen)
            ax.set_xlabel(label)
            percent(ax)
            if name == "seats":
                seat_axis(ax, bins)
            else:
                fraction_axis(ax)
            if ax.get_subplotspec().colspan.start == 0:  # type: ignore[union-attr]
                ax.set_ylabel("share of draws")
        handles: list[Any] = [patch("accepted simulations"), line("observed")]
        if optimal is not None:
            handles.insert(1, patch("fresh runs at $\\psi_{OPT}$", filled=False, colour=INK))
        legend(figure, handles)
    return figure
