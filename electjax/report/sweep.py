"""The figure of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from electjax.report.draw import legend
from electjax.report.style import INK, MARKERS, look, new_figure, party_colours, whole_numbers


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

    Parameters
    ----------
    values
        The swept values: numbers, or texts for a categorical axis.
    seats_mean, seats_min, seats_max
        By party label, one entry per value.
    label
        What was swept, the name of the horizontal axis.
    observed
        Seats by party label, drawn as dashed lines in the parties' colours.
    ylabel, whole
        What else may be drawn than seats, and whether it comes in whole numbers.
    """
    numeric = all(isinstance(value, int | float | np.number) for value in values)
    x = np.asarray(values, dtype=float) if numeric else np.arange(len(values), dtype=float)
    order = np.argsort(x, kind="stable")
    # A seed orders nothing: its points are not joined.
    joined = numeric and label != "seed"
    colours = party_colours(list(seats_mean))
    with look():
        figure = new_figure(6.8, 3.9)
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
        ax.set(xlabel=label, ylabel=ylabel, title=title)
        if not numeric:
            ax.set_xticks(x, [str(value) for value in values], rotation=30 if len(values) > 4 else 0)
        elif np.all(x == np.round(x)):
            whole_numbers(ax)
        if whole:
            whole_numbers(ax, axis="y")
        else:
            ax.ticklabel_format(axis="y", useOffset=False)
        handles, _ = ax.get_legend_handles_labels()
        extra = [Line2D([], [], color=INK, ls=(0, (4, 3)), lw=1.1, label="observed")] if observed else []
        legend(figure, [*handles, *extra])
    return figure
