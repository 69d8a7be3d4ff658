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

KINDS = {"default": "default parameters", "optimal": "calibrated parameters", "prediction": "predicted elections"}
_MAIN_SHARE, _MOST_MAIN = 0.1, 3  # parties whose geography is drawn
_ACROSS = 4  # panels beside each other
_WRAP = 26  # letters of a scenario's name in a line
_LINES, _LINE = 4, 0.16  # of a scenario's name at most, and inches of one
_ROW, _GAP = 0.17, 0.2  # inches per party, and between scenarios


def seat_distribution(simulations: Mapping[str, Mapping[str, xr.Dataset]], observed: Mapping[str, float]) -> Figure:
    """Share of the runs that give each party so many seats, one row per model, against the seats observed.

    simulations: by model and by "default" and "optimal", either of which may be absent, with `seats(run, party)`.
    observed: seats by party label; NaN where they are unknown.
    """
    parties = list(observed)
    across, count = min(len(parties), _ACROSS), len(simulations)
    down = -(-len(parties) // across) * count
    width = min(2.3, (draw.WIDTH - 0.7) / across)
    with draw.look():
        figure = draw.new_figure(width * across + 0.7, 1.9 * down + 0.8)
        grid = figure.subplots(down, across, squeeze=False)
        for ax in grid.flat[len(grid.flat) - across :]:
            ax.set_axis_off()
        for place, party in enumerate(parties):
            first, column = place // across * count, place % across
            won = np.array([observed[party]])
            seats = [{kind: data["seats"].sel(party=party).values for kind, data in runs.items()}
                     for runs in simulations.values()]  # fmt: skip
            # one axis for all models
            bins = draw.seat_bins(*(sample for of in seats for sample in of.values()), won[np.isfinite(won)])
            for row, (model, samples) in enumerate(zip(simulations, seats, strict=True)):
                ax = grid[first + row, column]
                ax.set_axis_on()
                for kind, sample in samples.items():
                    draw.histogram(ax, sample, bins, filled=kind != "default", share=True)
                draw.observed_line(ax, observed[party])
                draw.seat_axis(ax, bins)
                draw.percent(ax)
                if column == 0:
                    ax.set_ylabel(f"{model.upper()}\nshare of runs")
            known = [f"observed {observed[party]:.0f}"] if np.isfinite(observed[party]) else []
            draw.title(grid[first, column], party, width - 0.5, *known)
            ax.set_xlabel("seats")
        kinds = dict.fromkeys(kind for runs in simulations.values() for kind in runs)
        marks = [draw.line("observed seats")] if np.isfinite(list(observed.values())).any() else []
        draw.legend(figure, [draw.patch(KINDS.get(kind, kind), filled=kind != "default") for kind in kinds] + marks)
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
    hatches = draw.party_hatches(main)
    kinds = list(dict.fromkeys(kind for settings in models.values() for kind in settings))
    with draw.look():
        figure = draw.new_figure(3.6 * len(kinds) + 0.7, 1.5 * len(models) + 0.9)
        grid = figure.subplots(len(models), len(kinds), squeeze=False, sharex=True, sharey="row")
        for axes, (model, settings) in zip(grid, models.items(), strict=True):
            for ax, kind in zip(axes, kinds, strict=True):
                for party in main if kind in settings else []:
                    districts, edges = _histogram_of(settings[kind], party)
                    ax.stairs(districts, edges, fill=True, fc=(colours[party], 0.35), ec=colours[party],
                              hatch=hatches[party], lw=0)  # fmt: skip
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
        patches = [draw.patch(party, colour=colours[party], shade=0.35, hatch=hatches[party]) for party in main]
        draw.legend(figure, [*patches, *outline])
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
    across = _ACROSS
    blocks = -(-len(parties) // across)
    weights = posterior["weight"].values
    with draw.look():
        figure = draw.new_figure(draw.WIDTH, 2.2 * (2 * blocks + 1))
        grid = figure.add_gridspec(2 * blocks + 1, across)
        panels: list[tuple[Axes, str, dict[str, str], str]] = [
            (
                figure.add_subplot(grid[row * blocks + i // across, i % across]),
                name,
                {"party": party},
                f"{party}: {label}",
            )
            for row, (name, label) in enumerate([("seats", "seats"), ("vote_fraction", "vote fraction")])
            for i, party in enumerate(parties)
        ]
        panels += [
            (figure.add_subplot(grid[-1, 0]), "mwm", {}, "mean of the winner's share"),
            (figure.add_subplot(grid[-1, 1]), "swm", {}, "sd of the winner's share"),
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
            ax.set_xlabel(draw.wrapped(label, draw.letters_in(1.9)))
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
    names = ["\n".join(textwrap.wrap(name, _WRAP, max_lines=_LINES, placeholder="…")) for name in names]
    known = [str(party) for party in worlds["party"].values]
    short = dict(zip(known, draw.labels(known, _WRAP - 6), strict=True))
    chance = worlds["p_majority"].transpose("scenario", "party").values
    chances = [chances_text(dict(zip(short.values(), row, strict=True))) for row in chance]
    lines = max(*(len(said) for said in chances), *(name.count("\n") + 1 for name in names), 1)
    block = max(_ROW * len(parties), _LINE * lines) + _GAP
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
            ax.plot(mean[:, k], y, draw.marker(k), color=colour, ms=5.5, mec="white", mew=0.6)
        ax.axvline(districts[0] / 2 if whole else 50, color=draw.INK, lw=1.1, ls=(0, (5, 2)), zorder=1)
        ax.hlines(centre[1:] + block / 2, 0, 1, transform=ax.get_yaxis_transform(), color="#E6E6E6", lw=0.7)
        ax.grid(False)
        ax.set_ylim(centre[-1] - block / 2, block / 2)
        ax.set_yticks(centre, list(map(draw.plain, names)))
        ax.tick_params(axis="y", length=0)
        right = ax.secondary_yaxis("right")
        right.set_yticks(centre, [draw.plain("\n".join(said)) for said in chances])
        right.tick_params(axis="y", length=0)
        right.spines["right"].set_visible(False)
        ax.set_xlabel("seats" if whole else "share of the seats, per cent")
        ax.annotate("chance of a majority", (1.0, 1.01), xycoords="axes fraction", ha="left", color="#444444")
        draw.whole_numbers(ax)
        marks = list(map(draw.marker, range(len(parties))))
        handles = [
            draw.stroke(party, colour=colours[party], width=4.5, style="-", marker=mark, mec="white", ms=6)
            for party, mark in zip(parties, marks, strict=True)
        ]
        half = draw.stroke("half of the seats", width=1.1, style=(0, (5, 2)))
        draw.legend(figure, [*handles, half, draw.stroke("mean of the baseline", width=0.9, style=(0, (1, 2)))])
    return figure
