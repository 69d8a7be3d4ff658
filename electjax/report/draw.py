"""The marks that the figures share: histograms, observed values, axes of seats and the legend."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from electjax.report.style import BLUE, GREY, VERMILION, whole_numbers


def histogram(
    ax: Axes,
    sample: np.ndarray,
    bins: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    filled: bool = True,
    share: bool = False,
    colour: str | None = None,
) -> None:
    """Filled blue, or a grey outline with a light fill; heights are shares of the sample or a density."""
    height, _ = np.histogram(sample, bins, weights=weights)
    height = height / height.sum() if share else height / (height.sum() * np.diff(bins))
    if filled:
        ax.stairs(height, bins, fill=True, color=colour or BLUE, alpha=0.45, lw=0)
        ax.stairs(height, bins, color=colour or BLUE, lw=1.2)
    else:
        if colour is None:
            ax.stairs(height, bins, fill=True, color=GREY, alpha=0.3, lw=0)
        ax.stairs(height, bins, color=colour or GREY, lw=1.2)


def observed_line(ax: Axes, value: float) -> None:
    """The dashed line of an observed or optimal value, where there is one."""
    if np.isfinite(value):
        ax.axvline(value, color=VERMILION, lw=1.6, ls=(0, (5, 2)), zorder=4)


def seat_axis(ax: Axes, bins: np.ndarray) -> None:
    """Whole seats, never negative, and never so few that a single bar fills the panel."""
    spare = max(0.0, (5 - (bins[-1] - bins[0])) / 2)
    low = max(bins[0] - spare, -0.5)
    ax.set_xlim(low - 0.3, max(bins[-1] + spare, low + 5) + 0.3)
    whole_numbers(ax)


def fraction_axis(ax: Axes) -> None:
    """Few ticks, and room at both ends."""
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.08)


def patch(label: str, *, filled: bool = True, colour: str | None = None, shade: float | None = None) -> Patch:
    """The legend's sample of a histogram."""
    edge = colour or (BLUE if filled else GREY)
    if shade is None:
        shade = 0.45 if filled else 0.3 if colour is None else 0.0
    return Patch(facecolor=(edge, shade), edgecolor=edge, lw=1.2, label=label)


def line(label: str) -> Line2D:
    """The legend's sample of an `observed_line`."""
    return Line2D([], [], color=VERMILION, lw=1.6, ls=(0, (5, 2)), label=label)


def legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for the whole figure, above it."""
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
