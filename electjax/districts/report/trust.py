"""Figures of trust checks: rank histograms, coverage and TARP curves, and model probabilities over the tolerance.

They read the Datasets of `electjax.districts.sbc`, `coverage`, `tarp` and `compare`.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from electjax.report.draw import legend
from electjax.report.style import BLUE, GREY, INK, MARKERS, PARTY_COLOURS, look, new_figure, percent

_COLUMNS = 4
_BAND: dict[str, Any] = {"color": GREY, "alpha": 0.3, "lw": 0}


def rank_histogram(sbc: xr.Dataset) -> Figure:
    """Rank histogram of every parameter, and below it how far its cdf is from the diagonal, with simultaneous bands."""
    labels = [str(label) for label in sbc["parameter"].values]
    columns = min(len(labels), _COLUMNS)
    rows = -(-len(labels) // columns)
    replicates, bins = sbc.sizes["replicate"], sbc.sizes["bin"]
    edges, points = np.linspace(0, 1, bins + 1), sbc["point"].values
    with look():
        figure = new_figure(2.6 * columns + 0.7, 3.6 * rows + 0.6)
        grid = figure.subplots(2 * rows, columns, squeeze=False)
        panels = list(zip(grid[0::2].flat, grid[1::2].flat, strict=True))
        for ax in (ax for pair in panels[len(labels) :] for ax in pair):
            ax.set_visible(False)
        for place, (label, (top, bottom)) in enumerate(zip(labels, panels, strict=False)):
            own = sbc.sel(parameter=label)
            low, high = (np.append(own[f"count_{end}"], own[f"count_{end}"][-1]) for end in ("low", "high"))
            top.fill_between(edges, low, high, step="post", **_BAND)
            top.axhline(replicates / bins, color=INK, lw=0.8)
            top.stairs(own["count"].values, edges, color=BLUE, fill=True, alpha=0.45, lw=0)
            top.stairs(own["count"].values, edges, color=BLUE, lw=1.2)
            top.set_title(f"{label} (p: $\\chi^2$ {_p(own['p_chi2'])}, KS {_p(own['p_ks'])})")
            bottom.fill_between(points, own["ecdf_low"] - points, own["ecdf_high"] - points, **_BAND)
            bottom.axhline(0, color=INK, lw=0.8)
            bottom.plot(points, own["ecdf"] - points, color=BLUE, lw=1.4)
            bottom.set_xlabel("rank of the truth among the draws")
            for ax in (top, bottom):
                ax.set_xlim(0, 1)
            if place % columns == 0:
                top.set_ylabel("replicates")
                bottom.set_ylabel("cdf less diagonal")
        legend(figure, [_line("observed"), _band_patch(sbc)])
    return figure


def coverage_curve(coverage: xr.Dataset) -> Figure:
    """Coverage of the central intervals of every parameter against their nominal level."""
    level = coverage["level"].values
    with look():
        figure = new_figure(5.0, 4.4)
        ax = figure.subplots()
        _diagonal(ax, level, coverage["low"].values, coverage["high"].values)
        for i, label in enumerate(coverage["parameter"].values):
            colour, marker = PARTY_COLOURS[i % len(PARTY_COLOURS)], MARKERS[i % len(MARKERS)]
            ax.plot(level, coverage["coverage"].sel(parameter=label), color=colour, marker=marker, ms=4.5, label=label)
        ax.set(xlabel="nominal level of the interval", ylabel="intervals that hold the truth")
        percent(ax)
        percent(ax, axis="x")
        handles, _ = ax.get_legend_handles_labels()
        legend(figure, [*handles, Patch(label="95 % where right", **_BAND)])
    return figure


def tarp_curve(tarp: xr.Dataset) -> Figure:
    """Expected coverage of balls around random points, all parameters at once."""
    level = tarp["credibility"].values
    with look():
        figure = new_figure(5.0, 4.4)
        ax = figure.subplots()
        _diagonal(ax, level, tarp["low"].values, tarp["high"].values)
        ax.plot(level, tarp["coverage"], color=BLUE, lw=1.6)
        ax.set(xlabel="credibility", ylabel="expected coverage", title=f"KS p = {_p(tarp['p_ks'])}")
        percent(ax)
        percent(ax, axis="x")
        legend(figure, [_line("all parameters"), _band_patch(tarp)])
    return figure


def model_probabilities(comparison: xr.Dataset) -> Figure:
    """Posterior probability of every model against the tolerance, with two standard errors; hollow below 100 draws."""
    tolerance = comparison["epsilon"].values
    with look():
        figure = new_figure(6.4, 3.9)
        ax = figure.subplots()
        for i, label in enumerate(comparison["model"].values):
            own, colour = comparison.sel(model=label), PARTY_COLOURS[i % len(PARTY_COLOURS)]
            p, se = own["probability"].values, own["probability_se"].values
            ax.fill_between(tolerance, (p - 2 * se).clip(0), (p + 2 * se).clip(max=1), color=colour, alpha=0.2, lw=0)
            ax.plot(tolerance, p, color=colour, lw=1.4, label=str(label).upper())
            for enough, face in ((True, colour), (False, "white")):
                at = (own["draws"].values >= 100) == enough
                ax.plot(tolerance[at], p[at], MARKERS[i % len(MARKERS)], color=colour, mfc=face, ms=4)
        ax.axvline(comparison.attrs["tolerance"], color=INK, lw=1.0, ls=(0, (4, 3)), zorder=1)
        ax.set_xscale("log")
        ax.invert_xaxis()
        for axis in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
            axis(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set(xlabel="tolerance (falling)", ylabel="posterior probability", ylim=(-0.02, 1.02))
        percent(ax)
        handles, _ = ax.get_legend_handles_labels()
        reported = Line2D([], [], color=INK, lw=1.0, ls=(0, (4, 3)), label="reported")
        hollow = Line2D([], [], color=INK, marker="o", mfc="white", ls="none", ms=4, label="under 100 draws")
        legend(figure, [*handles, reported, hollow])
    return figure


def _diagonal(ax: Axes, level: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    ax.fill_between(level, low, high, **_BAND)
    ax.plot([0, 1], [0, 1], color=INK, lw=0.8)
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _p(value: xr.DataArray) -> str:
    return "-" if np.isnan(value) else f"{float(value):.2g}"


def _line(label: str) -> Line2D:
    return Line2D([], [], color=BLUE, lw=1.6, label=label)


def _band_patch(check: xr.Dataset) -> Patch:
    return Patch(label=f"{100 * check.attrs['band_level']:.0f} % band", **_BAND)
