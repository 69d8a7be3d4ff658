"""Figures of simulated elections. They read labelled Datasets and know no model.

A simulation has `seats(run, party)`; a posterior has one variable per parameter on `draw`, `weight(draw)`, and the
simulated and observed summary statistics.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from electjax.districts.report.tables import chances_text
from electjax.report import draw

KINDS = {"default": "default parameters", "optimal": "optimal parameters"}
_MAIN_SHARE, _MOST_MAIN = 0.1, 3  # parties whose geography is drawn
_WRAP = 26  # letters of a scenario's name in a line
_ROW, _GAP = 0.17, 0.2  # inches per party, and between scenarios


def seat_distribution(simulations: Mapping[str, Mapping[str, xr.Dataset]], observed: Mapping[str, float]) -> Figure:
    """Share of the runs that give each party so many seats, one row per model, against the seats observed.

    simulations: by model and by "default" and "optimal", either of which may be absent, with `seats(run, party)`.
    observed: seats by party label; NaN where they are unknown.
    """
    parties = list(observed)
    with draw.look():
        figure = draw.new_figure(2.3 * len(parties) + 0.7, 1.9 * len(simulations) + 0.8)
        grid = figure.subplots(len(simulations), len(parties), squeeze=False)
        for axes, (model, runs) in zip(grid, simulations.items(), strict=True):
            for ax, party in zip(axes, parties, strict=True):
                samples = {kind: data["seats"].sel(party=party).values for kind, data in runs.items()}
                won = np.array([observed[party]])
                bins = draw.seat_bins(*samples.values(), won[np.isfinite(won)])
                for kind, sample in samples.items():
                    draw.histogram(ax, sample, bins, filled=kind != "default", share=True)
                draw.observed_line(ax, observed[party])
                draw.seat_axis(ax, bins)
                draw.percent(ax)
            axes[0].set_ylabel(f"{model.upper()}\nshare of runs")
        for ax, party in zip(grid[0], parties, strict=True):
            name = draw.plain(party)
            ax.set_title(f"{name} (observed {observed[party]:.0f})" if np.isfinite(observed[party]) else name)
        for ax in grid[-1]:
            ax.set_xlabel("seats")
        kinds = dict.fromkeys(kind for runs in simulations.values() for kind in runs)
        known = [draw.line("observed seats")] if np.isfinite(list(observed.values())).any() else []
        draw.legend(figure, [draw.patch(KINDS.get(kind, kind), filled=kind != "default") for kind in kinds] + known)
    return figure


def geography(
    models: Mapping[str, Mapping[str, xr.Dataset]], popularity: Mapping[str, float], observed: xr.Dataset | None = None
) -> Figure:
    """Over how many districts the main parties have which share of the votes, a panel per model and setting.

    models: as in `seat_distribution`, with `density(party, bin)` as `districts.geography` gives it. popularity:
    national vote shares by party label; those with a tenth of the votes are drawn, at most three. observed: the same
    histogram of the returns, drawn as a dashed outline.
    """
    colours = draw.party_colours(list(popularity))
    main = main_parties(popularity)
    kinds = list(dict.fromkeys(kind for settings in models.values() for kind in settings))
    with draw.look():
        figure = draw.new_figure(3.6 * len(kinds) + 0.7, 1.5 * len(models) + 0.9)
        grid = figure.subplots(len(models), len(kinds), squeeze=False, sharex=True, sharey="row")
        for axes, (model, settings) in zip(grid, models.items(), strict=True):
            for ax, kind in zip(axes, kinds, strict=True):
                for party in main if kind in settings else []:
                    districts, edges = _histogram_of(settings[kind], party)
                    ax.stairs(districts, edges, fill=True, color=colours[party], alpha=0.35, lw=0)
                    ax.stairs(districts, edges, color=colours[party], lw=1.0)
                if observed is not None:
                    for party in main:
                        districts, edges = _histogram_of(observed, party)
                        ax.stairs(districts, edges, color=colours[party], lw=1.4, ls=(0, (3, 1.5)))
                draw.percent(ax)
                ax.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
                ax.set_xlim(0, 1)
            axes[0].set_ylabel(f"{model.upper()}\ndistricts")
        for ax, kind in zip(grid[0], kinds, strict=True):
            ax.set_title(KINDS.get(kind, kind))
        for ax in grid[-1]:
            ax.set_xlabel("share of a district's votes")
        outline = [draw.stroke("observed", width=1.4, style=(0, (3, 1.5)))] if observed is not None else []
        draw.legend(figure, [*(draw.patch(party, colour=colours[party], shade=0.35) for party in main), *outline])
    return figure


def main_parties(popularity: Mapping[str, float]) -> list[str]:
    """The parties with at least a tenth of the votes, the largest first, at most three and at least one."""
    ranked = sorted((party for party in popularity if party != "others"), key=lambda party: -popularity[party])
    return [party for i, party in enumerate(ranked) if i == 0 or popularity[party] >= _MAIN_SHARE][:_MOST_MAIN]


def _histogram_of(histogram: xr.Dataset, party: str) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the districts by bin, and the edges of the bins."""
    edges = np.append(histogram["low"].values, histogram["high"].values[-1])
    return histogram["density"].sel(party=party).values * np.diff(edges), edges


def posterior_predictive(posterior: xr.Dataset, optimal: xr.Dataset | None = None) -> Figure:
    """Every summary statistic of the accepted simulations, weighted, with the value observed.

    optimal: simulations at psi_opt, drawn as an outline: fresh runs were not chosen for being close to the observation,
    accepted ones were.
    """
    parties = [str(party) for party in posterior["party"].values]
    columns = max(len(parties), 3)
    weights = posterior["weight"].values
    with draw.look():
        figure = draw.new_figure(2.3 * columns + 0.7, 6.6)
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
            observed = float(posterior[f"observed_{name}"].sel(where))
            sample = posterior[name].sel(where).values
            fresh = None if optimal is None else optimal[name].sel(where).values
            both = [sample] if fresh is None else [sample, fresh]
            bins = (
                draw.seat_bins(*both, np.array([observed]))
                if name == "seats"
                else draw.sample_bins(np.concatenate(both))
            )
            draw.histogram(ax, sample, bins, weights=weights, share=True)
            if fresh is not None:
                draw.histogram(ax, fresh, bins, filled=False, share=True, colour=draw.INK)
            draw.observed_line(ax, observed)
            ax.set_xlabel(draw.plain(label))
            draw.percent(ax)
            if name == "seats":
                draw.seat_axis(ax, bins)
            else:
                draw.fraction_axis(ax)
            if ax.get_subplotspec().colspan.start == 0:  # type: ignore[union-attr]
                ax.set_ylabel("share of draws")
        handles: list[Any] = [draw.patch("accepted simulations"), draw.line("observed")]
        if optimal is not None:
            handles.insert(1, draw.patch(f"fresh runs at {draw.PSI}", filled=False, colour=draw.INK))
        draw.legend(figure, handles)
    return figure


def scenario_seats(worlds: xr.Dataset) -> Figure:
    """Seats of every party under every scenario: mean, 50 and 90 % intervals, and who has a majority how often.

    Where the number of districts differs, shares of the seats are drawn.
    """
    names = [str(name) for name in worlds["scenario"].values]
    districts = worlds["districts"].values
    whole = len(set(districts)) == 1
    unit = 1.0 if whole else districts[:, None] / 100.0
    colours = draw.party_colours([str(party) for party in worlds["party"].values])
    reach = worlds["seats_quantile"].max(["scenario", "quantile"]).values
    parties = [str(party) for party, most in zip(worlds["party"].values, reach, strict=True) if most > 0]
    mean = worlds["seats_mean"].sel(party=parties).transpose("scenario", "party").values / unit
    quantile = worlds["seats_quantile"].sel(party=parties).transpose("quantile", "scenario", "party")
    low, lower, upper, high = (quantile.sel(quantile=level).values / unit for level in (0.05, 0.25, 0.75, 0.95))
    block = _ROW * len(parties) + _GAP
    centre = -block * np.arange(len(names))
    with draw.look():
        figure = draw.new_figure(8.4, block * len(names) + 1.1)
        ax = figure.subplots()
        for k, party in enumerate(parties):
            y = centre + _ROW * ((len(parties) - 1) / 2 - k)
            colour = colours[party]
            ax.axvline(mean[0, k], color=colour, lw=0.9, ls=(0, (1, 2)), zorder=1)
            ax.hlines(y, low[:, k], high[:, k], color=colour, lw=1.4)
            ax.hlines(y, lower[:, k], upper[:, k], color=colour, lw=4.5, alpha=0.55)
            ax.plot(mean[:, k], y, "o", color=colour, ms=4.5, mec="white", mew=0.6)
        ax.axvline(districts[0] / 2 if whole else 50, color=draw.INK, lw=1.1, ls=(0, (5, 2)), zorder=1)
        ax.hlines(centre[1:] + block / 2, 0, 1, transform=ax.get_yaxis_transform(), color="#E6E6E6", lw=0.7)
        ax.grid(False)
        ax.set_ylim(centre[-1] - block / 2, block / 2)
        ax.set_yticks(centre, [draw.plain("\n".join(textwrap.wrap(name, _WRAP))) for name in names])
        ax.tick_params(axis="y", length=0)
        right = ax.secondary_yaxis("right")
        chance = worlds["p_majority"].transpose("scenario", "party").values
        known = [str(party) for party in worlds["party"].values]
        chances = (chances_text(dict(zip(known, row, strict=True))) for row in chance)
        right.set_yticks(centre, [draw.plain("\n".join(said)) for said in chances])
        right.tick_params(axis="y", length=0)
        right.spines["right"].set_visible(False)
        ax.set_xlabel("seats" if whole else "share of the seats, per cent")
        ax.annotate("chance of a majority", (1.0, 1.01), xycoords="axes fraction", ha="left", color="#444444")
        draw.whole_numbers(ax)
        handles = [draw.stroke(party, colour=colours[party], width=4.5, style="-") for party in parties]
        half = draw.stroke("half of the seats", width=1.1, style=(0, (5, 2)))
        draw.legend(figure, [*handles, half, draw.stroke("mean of the baseline", width=0.9, style=(0, (1, 2)))])
    return figure
