"""Figures of the candidate-aware model; they read Datasets of `electjax.calm.fit` and the content of metrics.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from electjax.report.draw import legend
from electjax.report.style import BLUE, GREY, INK, VERMILION, look, new_figure, party_colours, percent

_MOST_DOTS = 1500  # booths beyond which a scatter is drawn as hexagons
_MOST_PARTIES = 7
_ROWS = {"eta": "log odds per SD", "eta_pp": "percentage points per SD"}


def coefficient_forest(
    coefficients: Mapping[str, Mapping[str, Any]], level: float, truth: Mapping[str, float]
) -> Figure:
    """eta by component with its interval: log odds (section 8), and average effect on a share in percentage points.

    Parameters
    ----------
    coefficients
        Those of ``metrics.json``, the first on top.
    level
        Of the intervals.
    truth
        True log odds by component where they are known, drawn as crosses.
    """
    names = list(coefficients)
    at = -np.arange(len(names), dtype=float)
    with look():
        figure = new_figure(8.6, 0.36 * len(names) + 1.2)
        panels = figure.subplots(1, 2, sharey=True)
        for ax, (key, label) in zip(panels, _ROWS.items(), strict=True):
            value = _column(coefficients, key)
            low, high = _ends(coefficients, key)
            ax.axvline(0, color=GREY, lw=1.0, zorder=1)
            ax.hlines(at, low, high, color=BLUE, lw=2.2, alpha=0.7)
            ax.plot(value, at, "o", color=INK, ms=4.5, ls="none")
            _rows(ax, at, names)
            ax.set_xlabel(label)
        handles: list[Any] = [
            Line2D(
                [], [], color=BLUE, lw=2.2, marker="o", mfc=INK, mec=INK, ms=4.5, label=f"{100 * level:g} % interval"
            )
        ]
        if truth:
            panels[0].plot([truth.get(name, np.nan) for name in names], at, "X", color=VERMILION, ms=6.5, mec="white")
            handles.append(Line2D([], [], color=VERMILION, marker="X", ls="none", ms=6.5, label="truth"))
        legend(figure, handles)
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
    columns = len(pairs) if len(pairs) < 6 else 4
    with look():
        figure = new_figure(2.4 * columns + 0.4, 2.5 * -(-len(pairs) // columns) + 0.2)
        grid = figure.subplots(-(-len(pairs) // columns), columns, squeeze=False)
        for ax, (name, observed, fitted) in zip(grid.flat, pairs, strict=False):
            known = np.isfinite(observed) & np.isfinite(fitted)
            x, y = observed[known], fitted[known]
            ends = (min(x.min(), y.min()), max(x.max(), y.max())) if x.size else (0.0, 1.0)
            ax.plot(ends, ends, color=VERMILION, lw=1.0, zorder=3)
            if x.size > _MOST_DOTS:
                ax.hexbin(x, y, gridsize=34, bins="log", cmap="Blues", mincnt=1, lw=0)
            else:
                ax.plot(x, y, "o", color=BLUE, ms=3.0, alpha=0.5, mew=0)
            ax.grid(True, axis="both")
            ax.set(title=name, xlabel="observed", ylabel="fitted")
            percent(ax)
            percent(ax, axis="x")
            ax.locator_params(axis="x", nbins=4)
        for ax in grid.flat[len(pairs) :]:
            ax.set_axis_off()
    return figure


def category_heatmap(margins: xr.Dataset) -> Figure:
    """Turnout and choice of the electors of each category, in per cent; the axes one below the other."""
    axes, categories = margins["axis"].values.astype(str), margins["category"].values.astype(str)
    parties = [str(party) for party in margins["party"].values]
    breaks = np.flatnonzero(axes[1:] != axes[:-1]) + 0.5
    weight = margins["weight"].values
    labels = [f"{axis}: {label}  ({share:.0%})" for axis, label, share in zip(axes, categories, weight, strict=True)]
    with look():
        figure = new_figure(3.4 + 0.62 * (1 + len(parties)), 0.27 * len(labels) + 1.0)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, len(parties)])
        _shaded(left, margins["turnout"].values[:, None], ["turnout"], "Greens")
        _shaded(right, margins["choice"].transpose("group", "party").values, parties, "Blues")
        left.set_yticks(np.arange(len(labels)), labels)
        for ax in (left, right):
            for y in breaks:
                ax.axhline(y, color="white", lw=4)
    return figure


def _shaded(ax: Axes, table: np.ndarray, names: Sequence[str], colours: str) -> None:
    """A heatmap with its numbers in per cent; each column is shaded from its smallest to its largest value."""
    low, high = table.min(0), table.max(0)
    shade = 0.1 + 0.75 * (table - low) / np.maximum(high - low, 0.02)  # what hardly differs looks alike
    ax.imshow(shade, cmap=colours, vmin=0, vmax=1, aspect="auto")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.set_xticks(np.arange(len(names)), names)
    for i, j in np.ndindex(*table.shape):
        ax.text(j, i, f"{100 * table[i, j]:.1f}", ha="center", va="center", color="white" if shade[i, j] > 0.6 else INK)


def loss_surface(
    loss: np.ndarray,
    columns: tuple[str, Sequence[Any]],
    rows: tuple[str, Sequence[Any]],
    *,
    error: np.ndarray | None = None,
    planted: float | None = None,
) -> Figure:
    """Validation loss of a sweep over two settings, above that of the best: numbers left, lines over the columns right.

    Parameters
    ----------
    loss
        Mean over seeds, [row, column]; NaN where no job succeeded.
    columns, rows
        Name of a setting and its values; a single row is drawn as lines only.
    error
        Standard errors of the differences from the best, [row, column].
    planted
        The true value of the columns' setting, where it is known.
    """
    excess = loss - np.nanmin(loss)
    scale = 10.0 ** np.floor(np.log10(np.nanmax(excess))) if np.nanmax(excess) > 0 else 1.0
    best = np.unravel_index(np.nanargmin(loss), loss.shape)
    unit = "" if scale == 1 else f", {scale:.0e}".replace("e-0", "e-")
    numeric = all(isinstance(value, int | float) for value in columns[1])
    x = np.asarray(columns[1], float) if numeric else np.arange(len(columns[1]))
    with look():
        figure = new_figure(9.6, max(3.4, 0.5 * len(rows[1]) + 1.6))
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.15])
        left.imshow(excess / scale, cmap="Oranges", aspect="auto")
        left.grid(False)
        left.tick_params(length=0)
        left.set_xticks(np.arange(len(columns[1])), [f"{value:g}" if numeric else str(value) for value in columns[1]])
        left.set_yticks(
            np.arange(len(rows[1])), [f"{value:g}" if _is_number(value) else str(value) for value in rows[1]]
        )
        left.set(xlabel=columns[0], ylabel=rows[0], title=f"validation loss above the best{unit}")
        top = np.nanmax(excess) or 1.0
        for i, j in np.argwhere(np.isfinite(excess)):
            mark = "best" if (i, j) == best else f"{excess[i, j] / scale:.2f}"
            left.text(j, i, mark, ha="center", va="center", color="white" if excess[i, j] > 0.7 * top else INK)
        colours = list(party_colours([str(value) for value in rows[1]]).values())
        for i, value in enumerate(rows[1]):
            width = None if error is None else error[i] / scale
            shift = 0.0 if len(x) < 2 else 0.012 * (i - (len(rows[1]) - 1) / 2) * np.ptp(x)
            right.errorbar(
                x + shift, excess[i] / scale, width, fmt="o-", ms=4.5, lw=1.4, elinewidth=1.0,
                color=colours[i], label=f"{rows[0]} = {value:g}" if _is_number(value) else f"{rows[0]} = {value}",
            )  # fmt: skip
        if not numeric:
            right.set_xticks(x, [str(value) for value in columns[1]])
        if planted is not None and numeric:
            right.axvline(planted, color=VERMILION, lw=1.2, ls=(0, (5, 2)), label="planted")
        right.set(xlabel=columns[0], ylabel=f"validation loss above the best{unit}")
        legend(figure, right.get_legend_handles_labels()[0])
    return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _rows(ax: Axes, at: np.ndarray, names: Sequence[str]) -> None:
    """Rows named on the left, their lines upright."""
    ax.set_yticks(at, names)
    ax.set_ylim(at.min() - 0.6, at.max() + 0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
