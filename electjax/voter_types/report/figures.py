"""Figures of voter types. They read the Datasets of `fit`, `select` and `residuals`."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

from electjax.report.draw import (
    BLUE,
    GREY,
    HATCHES,
    INK,
    MARKERS,
    PARTY_COLOURS,
    VERMILION,
    WIDTH,
    cell_text,
    heatmap,
    labels,
    legend,
    letters_in,
    look,
    named_rows,
    names_height,
    new_figure,
    panels,
    percent,
    shade_bar,
    short,
    stroke,
    truth_mark,
    truths,
    whole_numbers,
)
from electjax.report.tables import level_text
from electjax.voter_types.describing import option_table
from electjax.voter_types.report.tables import CRITERIA

_MOST_ROWS = 60  # of a heatmap
_MOST_COLUMNS = 22
_BESIDE, _LEAST, _MOST = 2.8, 0.28, 0.6  # inches: room for names of offices, and widths of a cell
_SCALE = 3.2  # inches that the scale of shades needs
_MOST_OFFICES = 36  # of a table of pairs, those with the largest residuals
_MOST_MAXIMA = 15
_OFF: dict[str, Any] = {"facecolor": "#EFEFEF", "edgecolor": "#BDBDBD", "hatch": "/////", "lw": 0}


def type_names(fit: xr.Dataset) -> list[str]:
    """How the types are called: "type 1" and so on."""
    return [f"type {label}" for label in fit["type"].values]


def same_options(fit: xr.Dataset) -> list[str]:
    """What the options are called where all offices that have one call it the same; else nothing."""
    labels = option_table(fit)
    known = fit["mu"].transpose("type", "office", "option").notnull().any("type").values
    found = [{str(label) for label in column[on]} for column, on in zip(labels.T, known.T, strict=True)]
    return [label.pop() for label in found] if all(len(label) == 1 for label in found) else []


def shares(fit: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of the types among these voters with the ends of their intervals; NaN where there is no standard error."""
    value = fit["pi"].values.astype(float)
    low, high = (fit[name].values if name in fit else np.full_like(value, np.nan) for name in ("pi_low", "pi_high"))
    return value, low, high


def propensities(fit: xr.Dataset) -> Figure:
    """mu as a heatmap: of the voters of a type who may choose all options, how many choose which.

    A panel per type where all offices have the same few options; else a row per office and option, of those in which
    the types differ most. Hatched: an option that was on no menu. Framed: a probability at its boundary of 0.
    """
    options = same_options(fit)
    types, offices = fit.sizes["type"], fit.sizes["office"]
    if options and types * len(options) <= _MOST_COLUMNS and offices <= _MOST_ROWS:
        return _panels(fit, options)
    return _rows(fit)


def _panels(fit: xr.Dataset, options: list[str]) -> Figure:
    mu, edge = fit["mu"].transpose("type", "office", "option").values, _edge(fit)
    types, offices, _ = mu.shape
    size = float(
        np.clip((WIDTH - _BESIDE) / (types * len(options)) - 0.05, _LEAST, max(_MOST, _SCALE / (types * len(options))))
    )
    across = max(1, min(types, int((WIDTH - _BESIDE + 0.01) / (size * len(options)))))
    names = fit["office"].values.astype(str).tolist()
    share, _, _ = shares(fit)
    with look():
        height = 0.25 * offices + names_height(options, size) + 1.4
        figure, axes = panels(types, size * len(options), height, across=across, beside=_BESIDE)
        for k, (ax, label) in enumerate(zip(axes, type_names(fit), strict=True)):
            image = heatmap(ax, mu[k], options, cell=size, rows=names if k % across == 0 else None)
            if k % across:
                ax.set_yticks([])
            ax.set_title(f"{label}\n{100 * share[k]:.0f} %")
            _cells(ax, mu[k], edge[k])
        _scale(figure, image, axes, mu, edge)
    return figure


def _rows(fit: xr.Dataset) -> Figure:
    mu, edge = fit["mu"].transpose("type", "office", "option").values, _edge(fit)
    known = np.argwhere(np.isfinite(mu).any(0))
    if len(known) > _MOST_ROWS:
        apart = np.array([np.nanmax(mu[:, j, o]) - np.nanmin(mu[:, j, o]) for j, o in known])
        known = known[np.sort(np.argsort(-apart, kind="stable")[:_MOST_ROWS])]
    office, option = known.T
    table, offices = option_table(fit), labels(fit["office"].values.astype(str).tolist(), 24)
    rows = [f"{offices[j]}: {short(table[j, o], 19)}" for j, o in known]
    share, _, _ = shares(fit)
    columns = [f"{label} ({100 * each:.0f} %)" for label, each in zip(type_names(fit), share, strict=True)]
    size = float(np.clip((WIDTH - _BESIDE - 1.0) / len(columns), _LEAST / 2, max(1.2, _SCALE / len(columns))))
    mu, edge = mu[:, office, option].T, edge[:, office, option].T
    with look():
        figure = new_figure(size * len(columns) + _BESIDE + 1.0, 0.22 * len(rows) + 2.0)
        ax = figure.subplots()
        image = heatmap(ax, mu, columns, cell=size)
        ax.set_yticks(np.arange(len(rows)), labels(rows, 46))
        if size >= 2 * _LEAST:
            ax.set_xticks(np.arange(len(columns)), [name.replace(" (", "\n(") for name in columns], rotation=0)
        for row in np.flatnonzero(np.diff(office)):
            ax.axhline(row + 0.5, color=INK, lw=0.6)
        _cells(ax, mu, edge, numbers=size >= _LEAST)
        _scale(figure, image, ax, mu, edge)
    return figure


def _edge(fit: xr.Dataset) -> np.ndarray:
    """Which probabilities are at their boundary, [type, office, option]."""
    mu = fit["mu"].transpose("type", "office", "option")
    return fit.get("at_boundary", mu < 0).transpose(*mu.dims).values.astype(bool) & mu.notnull().values


def _cells(ax: Axes, mu: np.ndarray, edge: np.ndarray, *, numbers: bool = True) -> None:
    """What stands in the cells of a heatmap."""
    for i, k in np.ndindex(*mu.shape):
        if np.isnan(mu[i, k]):
            ax.add_patch(Rectangle((k - 0.5, i - 0.5), 1, 1, **_OFF))
            continue
        if numbers:
            cell_text(ax, i, k, f"{100 * mu[i, k]:.0f}", dark=bool(mu[i, k] > 0.6))
        if edge[i, k]:
            ax.add_patch(Rectangle((k - 0.44, i - 0.44), 0.88, 0.88, fill=False, ec=VERMILION, lw=0.9))


def _scale(figure: Figure, image: AxesImage, axes: Any, mu: np.ndarray, edge: np.ndarray) -> None:
    """The scale of the shades, and what hatches and frames mean."""
    shade_bar(figure, image, axes, "share of the voters of a type")
    handles = [Patch(label="on no menu", **_OFF)] if np.isnan(mu).any() else []
    if edge.any():
        handles.append(Patch(facecolor="none", edgecolor=VERMILION, label="at the boundary"))
    if handles:
        legend(figure, handles)


def type_shares(fit: xr.Dataset, truth: np.ndarray | None = None) -> Figure:
    """Share of the voters that each type has, with its interval; `truth`, where known, as crosses."""
    value, low, high = shares(fit)
    at = -np.arange(len(value), dtype=float)
    with look():
        figure = new_figure(6.4, 0.38 * len(value) + 1.1)
        ax = figure.subplots()
        ax.barh(at, value, height=0.55, color=BLUE, alpha=0.3)
        ax.hlines(at, low, high, color=INK, lw=1.6)
        ax.plot(value, at, "o", color=INK, ms=4.5)
        level = level_text(float(fit.attrs.get("level", 0.95)))
        handles = [stroke(f"estimate, {level} % interval", width=1.6, style="-", marker="o", ms=4.5)]
        if truth is not None:
            truths(ax, truth, at)
            handles.append(truth_mark())
        ax.set_xlim(0, None)
        ax.set_xlabel("share of the voters")
        percent(ax, axis="x")
        named_rows(ax, at, type_names(fit))
        legend(figure, handles)
    return figure


def scree(selection: xr.Dataset, chosen: int | None = None) -> Figure:
    """Information criteria over the number of types, BIC in front; smaller is better."""
    count = selection["types"].values
    known = [name for name in CRITERIA if name in selection]
    with look():
        figure = new_figure(6.4, 3.7)
        ax = figure.subplots()
        for i, name in reversed(list(enumerate(known))):
            front = i == 0
            colour = BLUE if front else PARTY_COLOURS[1:][i % 6]
            style: dict[str, Any] = {"lw": 2.0, "ms": 5.5} if front else {"lw": 1.0, "ms": 3.5, "alpha": 0.75}
            ax.plot(count, selection[name], marker=MARKERS[i], color=colour, label=CRITERIA[name], **style)
        if chosen is not None:
            ax.axvline(chosen, color=INK, lw=1.0, ls=(0, (4, 3)), zorder=1)
        ax.set(xlabel="number of types", ylabel="information criterion")
        ax.ticklabel_format(axis="y", useOffset=False, style="plain")
        whole_numbers(ax)
        handles, _ = ax.get_legend_handles_labels()
        extra = [stroke("chosen")] if chosen is not None else []
        legend(figure, [*handles[::-1], *extra])
    return figure


def sharpness(fit: xr.Dataset) -> Figure:
    """How surely voters belong to their likeliest type; and where the voters of each likeliest type may belong."""
    zeta = fit["zeta"].transpose("profile", "type").values
    weight = fit["profile_weight"].values.astype(float)
    modal, sure = zeta.argmax(axis=1), zeta.max(axis=1)
    types = zeta.shape[1]
    bins = np.linspace(1 / types, 1, 21) if types > 1 else np.linspace(0, 1, 21)
    with look():
        figure = new_figure(6.6 + 0.3 * types, 3.6)
        left, right = figure.subplots(1, 2, width_ratios=[1.6, 1.0])
        total = np.zeros(len(bins) - 1)
        for k, label in enumerate(type_names(fit)):
            height, _ = np.histogram(sure[modal == k], bins, weights=weight[modal == k] / weight.sum())
            style = {"color": _colour(k), "alpha": 0.6, "hatch": HATCHES[k % len(HATCHES)], "ec": "white"}
            left.stairs(total + height, bins, baseline=total, fill=True, lw=0, label=label, **style)
            total = total + height
        left.stairs(total, bins, color=INK, lw=0.8)
        left.set(xlabel="probability of the likeliest type", ylabel="share of the voters")
        percent(left)
        table = np.stack([_mean(zeta[modal == k], weight[modal == k]) for k in range(types)])
        own = [str(label) for label in fit["type"].values]
        heatmap(right, table, own, cell=2.0 / types, rows=own, aspect="equal")
        for i, j in np.argwhere(np.isfinite(table)):
            cell_text(right, i, j, f"{100 * table[i, j]:.0f}", dark=table[i, j] > 0.6)
        right.set(xlabel="may be of", ylabel="likeliest type", title="mean probability, per cent")
        handles, _ = left.get_legend_handles_labels()
        legend(figure, handles)
    return figure


def local_maxima(fit: xr.Dataset) -> Figure:
    """The maxima of the log-likelihood that the starts ended at, the best first, and how many ended there."""
    height = fit["maxima_log_likelihood"].values.astype(float)[:_MOST_MAXIMA]
    starts = fit["maxima_starts"].values.astype(int)
    rest = int(starts[_MOST_MAXIMA:].sum())
    shown = starts[:_MOST_MAXIMA]
    at = -np.arange(len(height), dtype=float)
    with look():
        figure = new_figure(6.4, 0.28 * len(height) + 1.2)
        ax = figure.subplots()
        ax.barh(at, shown, height=0.62, color=[BLUE, *[GREY] * (len(height) - 1)], alpha=0.7)
        for y, number in zip(at, shown, strict=True):
            ax.annotate(f"{number:,}", (number, y), (4, 0), textcoords="offset points", va="center")
        named_rows(ax, at, [f"{value:,.4f}" for value in height])
        ax.margins(x=0.12)
        more = f"; {rest:,} more elsewhere" if rest else ""
        ax.set(xlabel=f"starts that ended there, of {starts.sum():,}{more}", ylabel="log-likelihood")
        whole_numbers(ax)
    return figure


def bivariate_residuals(residuals: xr.Dataset) -> Figure:
    """How far each pair of offices is from independence within types: standardised residuals of their two-way table.

    Values far above 1 are pairs that vote together for a reason that the types do not know.
    """
    values = residuals["bivariate"].transpose("office", "office_").values.astype(float)
    keep = np.sort(np.argsort(-np.nan_to_num(values).max(1), kind="stable")[:_MOST_OFFICES])
    values = values[np.ix_(keep, keep)]
    names = [str(residuals["office"].values[j]) for j in keep]
    beside = min(max(map(len, names)), 30) / letters_in(1.0) + 1.4
    side = float(np.clip(0.4 * len(names), 2.4, WIDTH - beside))
    top = max(3.0, float(np.nanquantile(values, 0.98))) if np.isfinite(values).any() else 3.0
    with look():
        figure = new_figure(side + beside, side + beside - 0.6)
        ax = figure.subplots()
        image = heatmap(
            ax, values, names, cell=side / len(names), rows=names, colours="Oranges", high=top, aspect="equal"
        )
        ax.set_facecolor("#F2F2F2")
        if side / len(names) >= 0.3:
            for i, j in np.argwhere(np.isfinite(values)):
                cell_text(ax, i, j, f"{values[i, j]:.1f}", dark=values[i, j] > 0.7 * top)
        shade_bar(figure, image, ax, "chi-square per degree of freedom", of_shares=False)
    return figure


def _mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if weight.sum() <= 0:
        return np.full(values.shape[1], np.nan)
    return np.average(values, axis=0, weights=weight)


def _colour(k: int) -> str:
    return PARTY_COLOURS[k % len(PARTY_COLOURS)]
