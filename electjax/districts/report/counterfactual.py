"""Scenarios in the report: seats that would have been won, as a picture and as a table."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich import box
from rich.table import Table

from electjax.report.draw import legend
from electjax.report.style import INK, look, new_figure, party_colours, whole_numbers
from electjax.report.tables import Metrics

_WRAP = 26  # letters of a scenario's name in a line
_ROW, _GAP = 0.17, 0.2  # inches per party, and between scenarios


def scenario_seats(worlds: xr.Dataset) -> Figure:
    """Seats of every party under every scenario: mean, 50 and 90 % intervals, and who has a majority how often.

    Parameters
    ----------
    worlds
        The Dataset of `districts.counterfactual`. Where the number of districts differs, shares of the seats are drawn.
    """
    names = [str(name) for name in worlds["scenario"].values]
    districts = worlds["districts"].values
    whole = len(set(districts)) == 1
    unit = 1.0 if whole else districts[:, None] / 100.0
    colours = party_colours([str(party) for party in worlds["party"].values])
    reach = worlds["seats_quantile"].max(["scenario", "quantile"]).values
    parties = [str(party) for party, most in zip(worlds["party"].values, reach, strict=True) if most > 0]
    mean = worlds["seats_mean"].sel(party=parties).transpose("scenario", "party").values / unit
    quantile = worlds["seats_quantile"].sel(party=parties).transpose("quantile", "scenario", "party")
    low, lower, upper, high = (quantile.sel(quantile=level).values / unit for level in (0.05, 0.25, 0.75, 0.95))
    block = _ROW * len(parties) + _GAP
    centre = -block * np.arange(len(names))
    with look():
        figure = new_figure(8.4, block * len(names) + 1.1)
        ax = figure.subplots()
        for k, party in enumerate(parties):
            y = centre + _ROW * ((len(parties) - 1) / 2 - k)
            colour = colours[party]
            ax.axvline(mean[0, k], color=colour, lw=0.9, ls=(0, (1, 2)), zorder=1)
            ax.hlines(y, low[:, k], high[:, k], color=colour, lw=1.4)
            ax.hlines(y, lower[:, k], upper[:, k], color=colour, lw=4.5, alpha=0.55)
            ax.plot(mean[:, k], y, "o", color=colour, ms=4.5, mec="white", mew=0.6)
        ax.axvline(districts[0] / 2 if whole else 50, color=INK, lw=1.1, ls=(0, (5, 2)), zorder=1)
        ax.hlines(centre[1:] + block / 2, 0, 1, transform=ax.get_yaxis_transform(), color="#E6E6E6", lw=0.7)
        ax.grid(False)
        ax.set_ylim(centre[-1] - block / 2, block / 2)
        ax.set_yticks(centre, ["\n".join(textwrap.wrap(name, _WRAP)) for name in names])
        ax.tick_params(axis="y", length=0)
        right = ax.secondary_yaxis("right")
        chance = worlds["p_majority"].transpose("scenario", "party").values
        known = [str(party) for party in worlds["party"].values]
        right.set_yticks(centre, ["\n".join(_chances(dict(zip(known, row, strict=True)))) for row in chance])
        right.tick_params(axis="y", length=0)
        right.spines["right"].set_visible(False)
        ax.set_xlabel("seats" if whole else "share of the seats, per cent")
        ax.annotate("chance of a majority", (1.0, 1.01), xycoords="axes fraction", ha="left", color="#444444")
        whole_numbers(ax)
        handles: list[Any] = [Line2D([], [], color=colours[p], lw=4.5, label=p) for p in parties]
        handles.append(Line2D([], [], color=INK, lw=1.1, ls=(0, (5, 2)), label="half of the seats"))
        handles.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (1, 2)), label="mean of the baseline"))
        legend(figure, handles)
    return figure


def _chances(chances: Mapping[str, float]) -> list[str]:
    """Who wins more than half of the seats how often, the likeliest first, and how often nobody does."""
    likely = sorted((item for item in chances.items() if item[1] > 0), key=lambda item: -item[1])
    nobody = 1.0 - sum(chances.values())
    shown = [*likely, *([("nobody", nobody)] if nobody > 1e-9 else [])]
    return [f"{who} {_per_cent(p)}" for who, p in shown]


def _per_cent(p: float) -> str:
    """Whole per cent; what is neither never nor always is not rounded to it."""
    if 0 < p < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 < p < 1 - 1e-9 else f"{100 * p:.0f} %"


def scenario_rows(metrics: Metrics) -> list[dict[str, str]]:
    """One row per model and scenario: districts, every party's mean seats and 90 % interval, chances of a majority."""
    return [
        {
            "Model": model.upper(),
            "Scenario": name,
            "Districts": f"{found['districts']}",
            **{party: _seats(found, party) for party in found["seats_mean"]},
            "Majority": ", ".join(_chances(found["p_majority"])),
        }
        for model, scenarios in metrics.get("counterfactual", {}).items()
        for name, found in scenarios.items()
    ]


def _seats(found: Metrics, party: str) -> str:
    votes = f"; votes {found['popularity'][party]:.1%}" if "popularity" in found else ""
    low, high = found["seats_low"][party], found["seats_high"][party]
    return f"{found['seats_mean'][party]:.1f} ({low:.0f}–{high:.0f}){votes}"


def scenario_table(metrics: Metrics) -> Table:
    """The rows of the scenarios for a terminal."""
    rows = scenario_rows(metrics)
    table = Table(
        title=f"{metrics['election']}: seats that would have been won, mean and 90 % interval",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in rows[0]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(value.replace("; ", "\n") for value in row.values()))
    return table
