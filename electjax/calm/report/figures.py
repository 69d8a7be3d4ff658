"""Figures of CALM: of a fit, and of its diagnostics (calm.md section 9)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from electjax.report import draw
from electjax.report.report import ReportFigure
from electjax.report.tables import level_text

_MOST_DOTS = 1500  # booths beyond which a scatter is drawn as hexagons
_MOST_PARTIES = 7
_ROWS = {"eta": "log odds per SD", "eta_pp": "percentage points per SD"}


def coefficient_forest(
    coefficients: Mapping[str, Mapping[str, Any]], level: float, truth: Mapping[str, float]
) -> Figure:
    """eta by component with its interval: log odds (section 8), and average effect on a share in percentage points.

    The coefficients are those of metrics.json, the first on top; true log odds are crosses where they are known.
    """
    names = list(coefficients)
    at = -np.arange(len(names), dtype=float)
    with draw.look():
        figure = draw.new_figure(8.6, 0.36 * len(names) + 1.2)
        pair = figure.subplots(1, 2, sharey=True)
        for ax, (key, label) in zip(pair, _ROWS.items(), strict=True):
            value = _column(coefficients, key)
            low, high = _ends(coefficients, key)
            ax.axvline(0, color=draw.GREY, lw=1.0, zorder=1)
            draw.forest_bars(ax, at, value, low, high)
            ax.plot(value, at, "o", color=draw.INK, ms=4.5, ls="none")
            draw.named_rows(ax, at, names)
            ax.set_xlabel(draw.plain(label))
        ends: dict[str, Any] = {"marker": "o", "mfc": draw.INK, "mec": draw.INK, "ms": 4.5}
        handles = [draw.stroke(f"{level_text(level)} % interval", colour=draw.BLUE, width=2.2, style="-", **ends)]
        if truth:
            draw.truths(pair[0], [truth.get(name, np.nan) for name in names], at)
            handles.append(draw.truth_mark())
        draw.legend(figure, handles)
    return figure


def _column(coefficients: Mapping[str, Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([np.nan if row.get(key) is None else row[key] for row in coefficients.values()], float)


def _ends(coefficients: Mapping[str, Mapping[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals; those of other scales are as many standard errors wide as eta's."""
    if key == "eta":
        return _column(coefficients, "low"), _column(coefficients, "high")
    value, error = _column(coefficients, key), _column(coefficients, f"{key}_se")
    width = _column(coefficients, "high") - _column(coefficients, "low")
    reach = width / (2 * _column(coefficients, "eta_se"))
    return value - reach * error, value + reach * error


def booth_scatter(fit: xr.Dataset) -> Figure:
    """Fitted against observed turnout and party shares, a point per booth; many booths become hexagons."""
    parties = [str(party) for party in fit["party"].values][:_MOST_PARTIES]
    pairs = [("turnout", fit["observed_turnout"].values, fit["fitted_turnout"].values)]
    for party in parties:
        at = {"party": party}
        pairs.append((party, fit["observed_share"].sel(at).values, fit["fitted_share"].sel(at).values))
    with draw.look():
        figure, axes = draw.panels(len(pairs), 2.4, 2.7, across=4)
        for ax, (name, observed, fitted) in zip(axes, pairs, strict=True):
            known = np.isfinite(observed) & np.isfinite(fitted)
            x, y = observed[known], fitted[known]
            ends = (min(x.min(), y.min()), max(x.max(), y.max())) if x.size else (0.0, 1.0)
            ax.plot(ends, ends, color=draw.VERMILION, lw=1.0, zorder=3)
            if x.size > _MOST_DOTS:
                ax.hexbin(x, y, gridsize=34, bins="log", cmap="Blues", mincnt=1, lw=0)
            else:
                ax.plot(x, y, "o", color=draw.BLUE, ms=3.0, alpha=0.5, mew=0)
            draw.title(ax, name, 1.9)
            draw.scatter_axes(ax, "observed", "fitted")
    return figure


def category_heatmap(margins: xr.Dataset) -> Figure:
    """Turnout and choice of the electors of each category, in per cent; the axes one below the other."""
    axes, categories = margins["axis"].values.astype(str), margins["category"].values.astype(str)
    parties = [str(party) for party in margins["party"].values]
    breaks = np.flatnonzero(axes[1:] != axes[:-1]) + 0.5
    weight = margins["weight"].values
    labels = [f"{axis}: {label}  ({share:.0%})" for axis, label, share in zip(axes, categories, weight, strict=True)]
    with draw.look():
        cell = min(0.75, (draw.WIDTH - 3.4) / (1 + len(parties)))
        height = 0.27 * len(labels) + draw.names_height(["turnout", *parties], cell) + 1.2
        figure = draw.new_figure(3.4 + cell * (1 + len(parties)), height)
        pair = figure.subplots(1, 2, sharey=True, width_ratios=[1, len(parties)])
        turnout, choice = margins["turnout"].values[:, None], margins["choice"].transpose("group", "party").values
        _shaded(pair[0], turnout, ["turnout"], labels, cell)
        image = _shaded(pair[1], choice, parties, None, cell)
        draw.shade_bar(figure, image, list(pair), "share of the electors (turnout), of the voters (parties)")
        for ax in pair:
            for y in breaks:
                ax.axhline(y, color="white", lw=4)
    return figure


def _shaded(ax: Axes, table: np.ndarray, names: Sequence[str], rows: Sequence[str] | None, cell: float) -> AxesImage:
    """A heatmap with its numbers in per cent, shaded from 0 to 100."""
    image = draw.heatmap(ax, table, names, cell=cell, rows=rows)
    ax.xaxis.tick_top()
    for i, j in np.ndindex(*table.shape):
        draw.cell_text(ax, i, j, f"{100 * table[i, j]:.1f}", dark=bool(table[i, j] > 0.6))
    return image


def prediction_dots(found: xr.Dataset, observed: Mapping[str, float]) -> Figure:
    """Expected share of each party in all booths, with its interval, and what was observed."""
    parties = [str(party) for party in found["party"].values]
    at = -np.arange(len(parties), dtype=float)
    with draw.look():
        figure = draw.new_figure(7.6, 0.36 * len(parties) + 1.3)
        ax = figure.subplots()
        handles = [draw.dot(draw.INK, "expected")]
        if "party_share_low" in found:
            ax.hlines(at, found["party_share_low"], found["party_share_high"], color=draw.BLUE, lw=2.2, alpha=0.7)
            level = level_text(float(found.attrs["level"]))
            handles.append(draw.stroke(f"{level} % interval", colour=draw.BLUE, width=2.2, style="-"))
        ax.plot(found["party_share"], at, "o", color=draw.INK, ms=4.5)
        if observed:
            draw.truths(ax, [observed.get(party, np.nan) for party in parties], at)
            handles.append(draw.dot(draw.VERMILION, "observed", marker="X", size=6.5))
        draw.named_rows(ax, at, parties)
        ax.set_xlabel("share of the votes")
        draw.percent(ax, axis="x")
        draw.legend(figure, handles)
    return figure


def change_forest(worlds: xr.Dataset) -> Figure:
    """What other candidates change of each party's votes and seats, with intervals where there are draws."""
    parties = [str(party) for party in worlds["party"].values]
    at = -np.arange(len(parties), dtype=float)
    with draw.look():
        figure = draw.new_figure(8.6, 0.36 * len(parties) + 1.3)
        pair = figure.subplots(1, 2, sharey=True)
        for ax, name in zip(pair, ("votes", "seats"), strict=True):
            ax.axvline(0, color=draw.GREY, lw=1.0, zorder=1)
            if f"{name}_change_low" in worlds:
                ends = (worlds[f"{name}_change_{end}"].values for end in ("low", "high"))
                ax.hlines(at, *ends, color=draw.BLUE, lw=2.2, alpha=0.7)
            ax.plot(worlds[f"{name}_change"], at, "o", color=draw.INK, ms=4.5)
            draw.named_rows(ax, at, parties)
            ax.set_xlabel(f"change of expected {name}")
            if name == "seats":
                low, high = ax.get_xlim()
                ax.set_xlim(min(low, -1.0), max(high, 1.0))
                draw.whole_numbers(ax)
        handles = [draw.dot(draw.INK, "at the estimate")]
        if "votes_change_low" in worlds:
            level = f"{level_text(float(worlds.attrs['level']))} % " if "level" in worlds.attrs else ""
            handles.append(draw.stroke(f"{level}interval", colour=draw.BLUE, width=2.2, style="-"))
        draw.legend(figure, handles)
    return figure


def permutation_histogram(placebo: xr.Dataset) -> Figure:
    """z of shuffled candidates, and of the real ones."""
    sample, real = placebo["permuted_z"].values, float(placebo["z"])
    with draw.look():
        figure = draw.new_figure(6.4, 3.2)
        ax = figure.subplots()
        draw.histogram(ax, sample, draw.sample_bins(sample), share=True)
        draw.observed_line(ax, real)
        ax.set(xlabel="η / its standard error", ylabel="share of permutations")
        draw.percent(ax)
        draw.legend(figure, [draw.patch("shuffled candidates"), draw.line("real candidates")])
    return figure


def proximity_curve(curve: xr.Dataset) -> Figure:
    """Validation loss of held-out booths and objective of the others, over the proximity of adjacent categories."""
    proximity = curve["proximity"].values
    with draw.look():
        figure = draw.new_figure(8.6, 3.2)
        left, right = figure.subplots(1, 2)
        left.errorbar(
            proximity,
            curve["excess"].values,
            curve["excess_se"].values,
            fmt="o-",
            color=draw.BLUE,
            ms=4.5,
            lw=1.6,
            elinewidth=1.0,
        )
        left.set(xlabel="proximity ρ", ylabel="validation loss above the best")
        objective = curve["objective"].values
        right.plot(proximity, objective - objective.min(), "o-", color=draw.INK, ms=4.5, lw=1.6)
        right.set(xlabel="proximity ρ", ylabel="objective above its lowest")
        draw.observed_line(left, float(curve["best"]))
        draw.observed_line(right, float(curve["refined"]))
        draw.legend(figure, [draw.line("lowest")])
    return figure


def stability_strip(stability: xr.Dataset) -> Figure:
    """eta of each group around the common one, a row per axis."""
    names = [str(axis) for axis in stability["axis"].values]
    value = stability["group_eta"].transpose("axis", "group").values
    error = stability["group_eta_se"].transpose("axis", "group").values
    common, width = stability["eta"].values, 2 * stability["eta_se"].values
    groups = value.shape[1]
    # along a row, from the smallest to the largest
    order = np.argsort(np.where(np.isnan(value), np.inf, value), axis=1)
    value, error = np.take_along_axis(value, order, axis=1), np.take_along_axis(error, order, axis=1)
    offset = np.linspace(0.36, -0.36, groups) if groups > 1 else np.zeros(1)
    with draw.look():
        figure = draw.new_figure(7.6, float(np.clip(0.2 + 0.05 * groups, 0.6, 1.8)) * len(names) + 1.0)
        ax = figure.subplots()
        for row, label in enumerate(names):
            known = np.isfinite(value[row])
            at = -row + offset[known]
            ax.hlines(at, (value - error)[row, known], (value + error)[row, known], color=draw.BLUE, lw=0.9, alpha=0.5)
            ax.plot(value[row, known], at, "o", color=draw.BLUE, ms=2.6, mew=0, label=label)
            middle = common[row]
            ax.fill_betweenx(
                [-row - 0.42, -row + 0.42], middle - width[row], middle + width[row], color=draw.VERMILION, alpha=0.2
            )
            ax.plot([middle, middle], [-row - 0.42, -row + 0.42], color=draw.VERMILION, lw=1.4)
        # a group that tells nothing has an interval of any width
        low, high = np.nanquantile(value, [0.01, 0.99]) if np.isfinite(value).any() else (-1.0, 1.0)
        margin = 0.25 * max(high - low, 0.1)
        ax.set_xlim(min(low, (common - width).min()) - margin, max(high, (common + width).max()) + margin)
        draw.named_rows(ax, -np.arange(len(names), dtype=float), names)
        ax.set_xlabel("η per SD")
        group = draw.stroke("a group, ± 1 standard error", colour=draw.BLUE, width=0.9, style="-", marker="o", ms=3)
        draw.legend(figure, [group, draw.patch("all booths, ± 2 standard errors", colour=draw.VERMILION, shade=0.2)])
    return figure


def gain_strip(holdout: xr.Dataset) -> Figure:
    """What candidate affinity gains in each constituency's held-out booths, from the smallest to the largest."""
    gain = np.sort(holdout["constituency_gain"].sel(measure="KL").values)
    gain = gain[np.isfinite(gain)]
    with draw.look():
        figure = draw.new_figure(6.8, 3.0)
        ax = figure.subplots()
        ax.bar(np.arange(1, len(gain) + 1), gain, width=0.8, color=draw.BLUE, alpha=0.55)
        ax.axhline(0, color=draw.INK, lw=0.8)
        ax.axhline(float(holdout["gain"].sel(measure="KL")), color=draw.VERMILION, lw=1.6, ls=(0, (5, 2)))
        ax.set(xlabel="constituency, by gain", ylabel="gain in KL, nats per vote")
        ax.margins(x=0.01)
        draw.whole_numbers(ax)
    return figure


_DIAGNOSTICS = {
    "placebo": (
        permutation_histogram,
        "Placebo: z of η for {axis} with the {axis} of candidates shuffled, against that of the real candidates.",
    ),
    "rho_curve": (
        proximity_curve,
        "Proximity of adjacent categories of {curve_axis}: validation loss above that of the best value, with its"
        " standard error, and the objective of the training booths above its lowest.",
    ),
    "stability": (
        stability_strip,
        "Stability: η of each {by}, one standard error to either side, against the common one, with two.",
    ),
    "holdout": (
        gain_strip,
        "Booths kept out: by how much candidate affinity improves the party shares of each constituency (KL per vote);"
        " dashed the mean over votes.",
    ),
}


def diagnostic_figures(tree: xr.DataTree) -> Iterator[ReportFigure]:
    """Those of the diagnostics that were run."""
    for name, (drawn, caption) in _DIAGNOSTICS.items():
        if name in tree.children:
            found = tree[name].to_dataset()
            yield ReportFigure(f"{name}.png", "Diagnostics", caption.format_map(found.attrs), partial(drawn, found))
