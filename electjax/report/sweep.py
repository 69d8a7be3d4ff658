"""Figures of sweeps: something by party over one setting, or a loss over two."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from electjax.report.draw import (
    MARKERS,
    VERMILION,
    cell_text,
    heatmap,
    labels,
    legend,
    letters_in,
    look,
    new_figure,
    party_colours,
    plain,
    stroke,
    whole_numbers,
    wrapped,
)


def sweep_figure(
    values: Sequence[Any],
    seats_mean: Mapping[str, Sequence[float]],
    *,
    label: str,
    observed: Mapping[str, float] | None = None,
    seats_min: Mapping[str, Sequence[float]] | None = None,
    seats_max: Mapping[str, Sequence[float]] | None = None,
    title: str = "",
    ylabel: str = "seats (mean over runs)",
    whole: bool = True,
) -> Figure:
    """Mean seats of each party against a swept value or a seed, with the range over runs and the observation.

    Args:
        values: the swept values: numbers, or texts for a categorical axis.
        seats_mean, seats_min, seats_max: by party label, one entry per value.
        label: what was swept, the name of the horizontal axis.
        observed: seats by party label, drawn as dashed lines in the parties' colours.
        title: of the figure.
        ylabel, whole: what else may be drawn than seats, and whether it comes in whole numbers.
    """
    numeric = all(isinstance(value, int | float | np.number) for value in values)
    x = np.asarray(values, dtype=float) if numeric else np.arange(len(values), dtype=float)
    order = np.argsort(x, kind="stable")
    # A seed orders nothing: its points are not joined.
    joined = numeric and label != "seed"
    colours = party_colours(list(seats_mean))
    with look():
        room = letters_in(5.5 / len(values)) - 1
        level = numeric or room > 10 or max(len(str(value)) for value in values) <= room
        figure = new_figure(6.8, 3.9 + (0 if level else 1.6) + 0.2 * len(seats_mean))
        ax = figure.subplots()
        for i, (party, mean) in enumerate(seats_mean.items()):
            colour, y = colours[party], np.asarray(mean, dtype=float)
            if seats_min is not None and seats_max is not None:
                low, high = np.asarray(seats_min[party]), np.asarray(seats_max[party])
                if joined:
                    ax.fill_between(x[order], low[order], high[order], color=colour, alpha=0.15, lw=0)
                else:
                    ax.vlines(x, low, high, color=colour, alpha=0.4, lw=2)
            joint, marker = "-" if joined else "none", MARKERS[i % len(MARKERS)]
            ax.plot(x[order], y[order], ls=joint, marker=marker, ms=4.5, lw=1.6, color=colour, label=party)
            if observed is not None and party in observed:
                ax.axhline(observed[party], color=colour, ls=(0, (4, 3)), lw=1.1, zorder=1)
        ax.set(xlabel=plain(label), ylabel=plain(ylabel), title=wrapped(title, 60))
        if not numeric:
            names = labels(list(map(str, values)), room if level else 24, lines=3)
            ax.set_xticks(x, names, rotation=0 if level else 90)
        elif np.all(x == np.round(x)):
            whole_numbers(ax)
        if whole:
            whole_numbers(ax, axis="y")
        else:
            ax.ticklabel_format(axis="y", useOffset=False)
        handles, _ = ax.get_legend_handles_labels()
        extra = [stroke("observed", width=1.1)] if observed else []
        legend(figure, [*handles, *extra])
    return figure


def loss_surface(
    loss: np.ndarray,
    columns: tuple[str, Sequence[Any]],
    rows: tuple[str, Sequence[Any]],
    *,
    error: np.ndarray | None = None,
    planted: float | None = None,
) -> Figure:
    """Validation loss of a sweep over two settings, above that of the best: numbers left, lines over the columns right.

    Args:
        loss: mean over seeds, [row, column]; NaN where no job succeeded.
        columns, rows: name of a setting and its values; a single row is drawn as lines only.
        error: standard errors of the differences from the best, [row, column].
        planted: the true value of the columns' setting, where it is known.
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
        top = np.nanmax(excess) or 1.0
        names = [[_text(value) for value in values] for _, values in (columns, rows)]
        cell = 3.4 / len(names[0])
        heatmap(left, excess / scale, names[0], cell=cell, rows=names[1], colours="Oranges", high=top / scale)
        left.set(xlabel=columns[0], ylabel=rows[0], title=f"validation loss above the best{unit}")
        for i, j in np.argwhere(np.isfinite(excess)):
            mark = "best" if (i, j) == best else f"{excess[i, j] / scale:.2f}"
            cell_text(left, i, j, mark, dark=excess[i, j] > 0.7 * top)
        colours = list(party_colours([str(value) for value in rows[1]]).values())
        for i in range(len(rows[1])):
            width = None if error is None else error[i] / scale
            shift = 0.0 if len(x) < 2 else 0.012 * (i - (len(rows[1]) - 1) / 2) * np.ptp(x)
            right.errorbar(
                x + shift, excess[i] / scale, width, fmt=f"{MARKERS[i % len(MARKERS)]}-", ms=4.5, lw=1.4,
                elinewidth=1.0, color=colours[i], label=f"{rows[0]} = {names[1][i]}",
            )  # fmt: skip
        if not numeric:
            room = letters_in(4.0 / len(x))
            right.set_xticks(x, labels([str(value) for value in columns[1]], room, lines=3))
        if planted is not None and numeric:
            right.axvline(planted, color=VERMILION, lw=1.2, ls=(0, (5, 2)), label="planted")
        right.set(xlabel=columns[0], ylabel=f"validation loss above the best{unit}")
        legend(figure, right.get_legend_handles_labels()[0])
    return figure


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
