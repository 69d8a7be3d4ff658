"""Figures of ecological estimates whose truth is known: how far off they are, and what their intervals hold."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from electjax.ecological.report.figures import ORANGE
from electjax.ecological.verbs.table import (
    cells_of,
    contests_of,
    intervals,
    large_rows,
    method_name,
    own_party,
    true_shares,
)
from electjax.report.draw import (
    BLUE,
    GREY,
    INK,
    MARKERS,
    PARTY_COLOURS,
    VERMILION,
    areas,
    dot,
    legend,
    line,
    look,
    new_figure,
    percent,
    plain,
    scatter_axes,
    short,
    stroke,
)
from electjax.report.tables import level_text

_MOST_NAMED = 30  # contests beyond which they have no names in a figure
_BINS = (0.0, 0.02, 0.05, 0.15, 0.4, 0.7, 1.0)  # of the estimated shares whose coverage is told apart


def truth_scatter(result: xr.Dataset) -> Figure:
    """Estimated against counted cell shares in rows over 3 %, and how often intervals hold them, by the estimate."""
    here = np.isfinite(cells_of(result, "cells"))
    every = cells_of(result, "share"), true_shares(result), large_rows(result), own_party(result)
    estimate, truth, wide, loyal = (values[here] for values in every)
    rows = np.nansum(cells_of(result, "cells"), axis=2)
    size = np.broadcast_to(rows[:, :, None], here.shape)[here]
    known = np.isfinite(truth) & np.isfinite(estimate) & wide
    by_level = {level: inside[here] for level, (inside, _) in intervals(result).items()}
    with look():
        figure = new_figure(9.6 if by_level else 5.0, 4.6)
        left, *right = figure.subplots(1, 2 if by_level else 1, squeeze=False)[0]
        left.plot([0, 1], [0, 1], color=GREY, lw=1.0, zorder=1)
        shade = float(np.clip(600 / max(known.sum(), 1), 0.15, 0.6))
        handles = []
        for label, part, colour in (("cross", ~loyal, BLUE), ("own party", loyal, ORANGE)):
            at = known & part
            if at.any():
                left.scatter(truth[at], estimate[at], s=0.5 * areas(size[at]), color=colour, alpha=shade, lw=0)
                handles.append(dot(colour, f"{label if loyal.any() else 'cell'}, area by the row's votes"))
        left.set_aspect("equal")
        scatter_axes(left, "counted share of the row", "estimated")
        for ax in right:
            handles += _coverage(ax, {level: inside[known] for level, inside in by_level.items()}, estimate[known])
        legend(figure, handles)
    return figure


def error_strip(result: xr.Dataset, others: Mapping[str, xr.Dataset] | None = None) -> Figure:
    """EI of each contest from the smallest to the largest, the mean dashed; of other methods as marks above them."""
    error = result["error"].values.astype(float)
    order = np.argsort(np.where(np.isfinite(error), error, np.inf))[: int(np.isfinite(error).sum())]
    named = len(order) <= _MOST_NAMED
    at = np.arange(len(order))
    with look():
        figure = new_figure(7.6, 3.4 if not named else 4.0)
        ax = figure.subplots()
        ax.bar(at, error[order], width=0.8, color=BLUE, alpha=0.55)
        mean = error[order].mean() if len(order) else np.nan
        ax.axhline(mean, color=VERMILION, lw=1.6, ls=(0, (5, 2)))
        handles: list[Any] = [Patch(facecolor=(BLUE, 0.55), label=method_name(result)), line(f"its mean, {mean:.2f} %")]
        for n, (name, other) in enumerate((others or {}).items()):
            if "error" in other:
                style: dict[str, Any] = {
                    "marker": MARKERS[n % len(MARKERS)],
                    "color": PARTY_COLOURS[1:][n % 6],
                    "ls": "none",
                    "ms": 3.5,
                }
                ax.plot(at, other["error"].sel(contest=result["contest"]).values[order], **style)
                handles.append(Line2D([], [], label=f"{name}, mean {float(other['error'].mean()):.2f} %", **style))
        ax.set(ylabel="EI, per cent of the votes", xlabel="" if named else "contest, by error", ylim=(0, None))
        labels = [short(contests_of(result)[d]) for d in order] if named else []
        ax.set_xticks(at if named else [], list(map(plain, labels)), rotation=90)
        ax.margins(x=0.01)
        legend(figure, handles)
    return figure


def _coverage(ax: Axes, by_level: Mapping[float, np.ndarray], estimate: np.ndarray) -> Iterator[Line2D]:
    """Shares of the intervals that hold the truth, by the size of the estimate, with two standard errors."""
    part = np.clip(np.digitize(estimate, _BINS[1:-1]), 0, len(_BINS) - 2)
    at = np.arange(len(_BINS) - 1)
    number = np.bincount(part, minlength=len(at)).astype(float)
    for n, (level, inside) in enumerate(sorted(by_level.items())):
        colour = (BLUE, INK)[n % 2]
        covered = np.bincount(part, weights=inside, minlength=len(at)) / np.where(number > 0, number, np.nan)
        error = 2 * np.sqrt(level * (1 - level) / np.maximum(number, 1))
        ax.axhline(level, color=colour, lw=0.9, ls=(0, (4, 3)))
        ax.errorbar(at + 0.12 * (n - 0.5), covered, error, fmt="o-", ms=4.5, lw=1.2, elinewidth=0.9, color=colour)
        whole = f"{inside.mean():.1%}" if inside.size else "none"
        label = f"{level_text(level)} % intervals: {whole}"
        yield stroke(label, colour=colour, width=1.2, style="-", marker="o", ms=4.5)
    names = [f"{100 * low:g}–{100 * high:g}" for low, high in pairwise(_BINS)]
    ax.set_xticks(at, [f"{plain(name)}\n({count:,.0f})" for name, count in zip(names, number, strict=True)])
    ax.set(xlabel="estimated share, per cent (cells)", ylabel="truth inside the interval", ylim=(0, 1.04))
    percent(ax)
