"""Figures of voter types. They read the Datasets of `fit`, `select` and `residuals`."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from electjax.report.draw import (
    BLUE,
    GREY,
    INK,
    MARKERS,
    PARTY_COLOURS,
    VERMILION,
    cell_text,
    heatmap,
    legend,
    look,
    named_rows,
    new_figure,
    percent,
    plain,
    stroke,
    truth_mark,
    truths,
    whole_numbers,
)
from electjax.report.tables import level_text
from electjax.voter_types.report.tables import CRITERIA

_MOST_NUMBERS = 60  # offices beyond which a heatmap has no numbers in it
_MOST_MAXIMA = 15
_WIDE = 24.0  # inches
_OFF: dict[str, Any] = {"facecolor": "#EFEFEF", "edgecolor": "#BDBDBD", "hatch": "/////", "lw": 0}


def type_names(fit: xr.Dataset) -> list[str]:
    """How the types are called: "type 1" and so on."""
    return [f"type {label}" for label in fit["type"].values]


def option_names(fit: xr.Dataset) -> list[str]:
    """Labels of the options where all offices share them, else their codes."""
    codes = [str(code) for code in fit["option"].values]
    if "option_label" not in fit.coords:
        return codes
    labels = fit["option_label"]
    rows = np.atleast_2d(labels.transpose(..., "option").values)
    common = [{str(label) for label in column} - {""} for column in rows.T]
    return [label.pop() for label in common] if all(len(label) == 1 for label in common) else codes


def shares(fit: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of the types among these voters with the ends of their intervals; NaN where there is no standard error."""
    value = fit["pi"].values.astype(float)
    low, high = (fit[name].values if name in fit else np.full_like(value, np.nan) for name in ("pi_low", "pi_high"))
    return value, low, high


def propensities(fit: xr.Dataset) -> Figure:
    """mu as a heatmap, a panel per type: of the voters of a type who may choose all options, how many choose which.

    Hatched: an option that was on no menu. Framed: a probability at its boundary of 0 or 1.
    """
    mu = fit["mu"].transpose("type", "office", "option").values
    edge = fit["at_boundary"].transpose("type", "office", "option").values if "at_boundary" in fit else None
    types, offices, options = mu.shape
    size = float(np.clip(_WIDE / (types * options), 0.12, 0.42))
    numbers = offices <= _MOST_NUMBERS and size >= 0.3
    names = [str(office) for office in fit["office"].values]
    share, _, _ = shares(fit)
    with look():
        figure = new_figure(
            size * options * types + 0.25 * types + 0.075 * max(map(len, names)) + 0.6, 0.25 * min(offices, 90) + 1.3
        )
        axes = figure.subplots(1, types, squeeze=False, sharey=True)[0]
        for k, (ax, label) in enumerate(zip(axes, type_names(fit), strict=True)):
            heatmap(ax, mu[k], option_names(fit), cell=size)
            ax.set_title(f"{plain(label)}\n{share[k]:.0%}")
            for j, option in np.ndindex(offices, options):
                if np.isnan(mu[k, j, option]):
                    ax.add_patch(Rectangle((option - 0.5, j - 0.5), 1, 1, **_OFF))
                    continue
                if numbers:
                    cell_text(ax, j, option, f"{100 * mu[k, j, option]:.0f}", dark=mu[k, j, option] > 0.6, size=7.5)
                if edge is not None and edge[k, j, option]:
                    ax.add_patch(Rectangle((option - 0.44, j - 0.44), 0.88, 0.88, fill=False, ec=VERMILION, lw=0.9))
        axes[0].set_yticks(
            np.arange(offices) if offices <= 90 else [], list(map(plain, names)) if offices <= 90 else []
        )
        handles: list[Any] = [Patch(facecolor=colormaps["Blues"](at), label=f"{at:.0%}") for at in (0.0, 0.5, 1.0)]
        if np.isnan(mu).any():
            handles.append(Patch(label="on no menu", **_OFF))
        if edge is not None and edge.any():
            handles.append(Patch(facecolor="none", edgecolor=VERMILION, label="at the boundary"))
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handlelength=1.2)
    return figure


def type_shares(fit: xr.Dataset, truth: np.ndarray | None = None) -> Figure:
    """Share of the voters that each type has, with its interval; `truth`, where known, as crosses."""
    value, low, high = shares(fit)
    at = -np.arange(len(value), dtype=float)
    with look():
        figure = new_figure(6.4, 0.38 * len(value) + 1.1)
        ax = figure.subplots()
        ax.barh(at, value, height=0.55, color=[_colour(k) for k in range(len(value))], alpha=0.35)
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
            left.stairs(total + height, bins, baseline=total, fill=True, color=_colour(k), alpha=0.6, lw=0, label=label)
            total = total + height
        left.stairs(total, bins, color=INK, lw=0.8)
        left.set(xlabel="probability of the likeliest type", ylabel="share of the voters")
        percent(left)
        table = np.stack([_mean(zeta[modal == k], weight[modal == k]) for k in range(types)])
        labels = [str(label) for label in fit["type"].values]
        heatmap(right, table, labels, cell=2.0 / types, rows=labels, aspect="equal")
        for i, j in np.argwhere(np.isfinite(table)):
            cell_text(right, i, j, f"{100 * table[i, j]:.0f}", dark=table[i, j] > 0.6, size=8)
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
            ax.annotate(f"{number:,}", (number, y), (4, 0), textcoords="offset points", va="center", size=8)
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
    values = residuals["bivariate"].values.astype(float)
    names = [str(office) for office in residuals["office"].values]
    side = float(np.clip(0.32 * len(names), 3.0, 14.0))
    top = max(3.0, float(np.nanquantile(values, 0.98))) if np.isfinite(values).any() else 3.0
    with look():
        figure = new_figure(side + 2.6, side + 2.0)
        ax = figure.subplots()
        image = heatmap(
            ax, values, names, cell=side / len(names), rows=names, colours="Oranges", high=top, aspect="equal"
        )
        ax.set_facecolor("#F2F2F2")
        if len(names) <= 24:
            for i, j in np.argwhere(np.isfinite(values)):
                cell_text(ax, i, j, f"{values[i, j]:.1f}", dark=values[i, j] > 0.7 * top, size=6.5)
        figure.colorbar(image, ax=ax, shrink=0.6, label="chi-square per degree of freedom")
    return figure


def _mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if weight.sum() <= 0:
        return np.full(values.shape[1], np.nan)
    return np.average(values, axis=0, weights=weight)


def _colour(k: int) -> str:
    return PARTY_COLOURS[k % len(PARTY_COLOURS)]
