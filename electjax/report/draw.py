"""What the figures share: histograms, observed and true values, heatmaps, rows with names, axes and legends."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from electjax.report.style import BLUE, GREY, INK, VERMILION, new_figure, percent, whole_numbers


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


def dot(colour: str, label: str, *, marker: str = "o", size: float = 5.0) -> Line2D:
    """The legend's sample of a dot."""
    return Line2D([], [], color=colour, marker=marker, ls="none", ms=size, mew=0, label=label)


def stroke(label: str, *, colour: str = INK, width: float = 1.0, style: Any = (0, (4, 3)), **rest: Any) -> Line2D:
    """The legend's sample of a line, by default thin and dashed."""
    return Line2D([], [], color=colour, lw=width, ls=style, label=label, **rest)


def truths(ax: Axes, x: Any, y: Any, *, size: float = 6.5, zorder: float = 2.0) -> None:
    """Crosses at true values."""
    ax.plot(x, y, "X", color=VERMILION, ms=size, mec="white", mew=0.6, ls="none", zorder=zorder)


def truth_mark() -> Line2D:
    """The legend's sample of `truths`."""
    return Line2D([], [], color=VERMILION, marker="X", ls="none", ms=6.5, mec="white", label="truth")


def legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for the whole figure, above it, in as many lines as its width asks for."""
    letters = max((len(str(handle.get_label())) for handle in handles), default=0) + 6
    across = max(1, int(figure.get_figwidth() * 12 / letters))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(across, len(handles)))


def named_rows(ax: Axes, at: np.ndarray, names: Sequence[str]) -> None:
    """Rows named on the left, with upright lines."""
    ax.set_yticks(at, names)
    ax.set_ylim(at.min() - 0.6, at.max() + 0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)


def heatmap(
    ax: Axes,
    shade: np.ndarray,
    columns: Sequence[str],
    *,
    rows: Sequence[str] | None = None,
    colours: str = "Blues",
    high: float = 1.0,
    aspect: str = "auto",
    **ticks: Any,
) -> AxesImage:
    """Shades from 0 to `high` without lines between them; NaN stays white. `ticks` are of the columns' names."""
    image = ax.imshow(np.ma.masked_invalid(shade), cmap=colours, vmin=0, vmax=high, aspect=aspect)  # type: ignore[arg-type]
    ax.grid(False)
    ax.tick_params(length=0)
    ax.set_xticks(np.arange(len(columns)), columns, **ticks)
    if rows is not None:
        ax.set_yticks(np.arange(len(rows)), rows)
    return image


def cell_text(ax: Axes, row: float, column: float, text: str, *, dark: bool, size: float | None = None) -> None:
    """What a heatmap says in a cell, white where the shade is dark."""
    ax.text(column, row, text, ha="center", va="center", size=size, color="white" if dark else INK)


def panels(count: int, width: float, height: float, *, across: int, **shared: Any) -> tuple[Figure, list[Axes]]:
    """So many panels of this size (inches), up to `across` side by side; what is left of the grid is empty."""
    across = min(across, count)
    down = -(-count // across)
    figure = new_figure(width * across, height * down)
    grid = figure.subplots(down, across, squeeze=False, **shared)
    for ax in grid.flat[count:]:
        ax.set_axis_off()
    return figure, list(grid.flat[:count])


def areas(votes: np.ndarray) -> np.ndarray:
    """Areas of marks in proportion to votes, neither lost nor in the way."""
    return np.asarray(np.clip(60.0 * votes / max(float(np.max(votes, initial=0.0)), 1.0), 2.0, None))


def scatter_axes(ax: Axes, x: str, y: str) -> None:
    """Two axes of shares, with lines both ways."""
    ax.set(xlabel=x, ylabel=y)
    ax.grid(True, axis="both")
    percent(ax)
    percent(ax, axis="x")
    ax.locator_params(axis="x", nbins=4)


def short(name: str, letters: int = 26) -> str:
    """A name that fits beside a figure."""
    return name if len(name) <= letters else f"{name[: letters - 1].rstrip()}…"
