"""One look for every figure, the marks they share, and how figures become files; nothing global is changed."""

import io
import os
import re
import tempfile
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from electjax.report.fonts import families

# Okabe and Ito's colours, told apart with every common colour vision deficiency.
INK, GREY, BLUE, VERMILION = "#222222", "#9AA0A6", "#0072B2", "#D55E00"
PARTY_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
OTHERS_COLOUR = "#8A8A8A"
MARKERS = "osD^vPX"
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "||||", "++++")  # so that colours are told apart in grey, too
DPI = 150  # of figures in files
WIDTH = 9.6  # inches: what a page shows at full size, so that text has one size in all figures
_UPRIGHT = 24  # letters in a line of an upright name
_LETTERS = 12.5  # of this font to an inch
PSI = r"$\psi_{OPT}$"  # the formula that labels hold beside names
_DOLLAR = re.compile(r"(?<!\\)\$")

_LOOK: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "figure.titlesize": 9.0,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def look() -> Iterator[None]:
    """The settings of all figures, within this block only, whatever the user's own settings are."""
    with rc_context():
        rcdefaults()
        rcParams.update(_LOOK | {"font.family": families()})
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches, at most as wide as a page) that draws itself with Agg: no window, no pyplot state."""
    figure = Figure(figsize=(min(width, WIDTH), height), layout=ConstrainedLayoutEngine(h_pad=0.07))
    FigureCanvasAgg(figure)
    return figure


def png_bytes(figure: Figure, *, dpi: int = DPI) -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with look(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the page says so in a note
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | Path, *, dpi: int = DPI) -> Path:
    """Write the figure as PNG under a temporary name, then rename: no half-written file is ever seen."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = png_bytes(figure, dpi=dpi)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def plain(text: str) -> str:
    """A name as a figure shows it: `$` is a letter, and begins no formula; escaped once, it stays as it is."""
    return PSI.join(_DOLLAR.sub(r"\\$", part) for part in str(text).split(PSI))


def wrapped(name: str, letters: int = 26, *, lines: int = 3) -> str:
    """A name in lines of so many letters, where it needs them; what is left after the last line is cut off."""
    rows = textwrap.wrap(str(name), max(letters, 4)) or [" "]
    if len(rows) > lines:
        rows[lines - 1 :] = [f"{rows[lines - 1][: max(letters, 4) - 1].rstrip()}…"]
    return plain("\n".join(rows))


def letters_in(inches: float) -> int:
    """How many letters of text go into a width."""
    return max(4, int(inches * _LETTERS))


def labels(names: Sequence[str], letters: int = 30, *, lines: int = 1) -> list[str]:
    """Names for the side of a figure, in lines of so many letters; long ones that begin alike stay different."""
    different = list(dict.fromkeys(map(str, names)))
    made = {name: wrapped(name, letters, lines=lines) for name in different}
    room = max(letters * lines - 1, 4)
    for name in [name for name in different if list(made.values()).count(made[name]) > 1 and len(name) > room]:
        made[name] = wrapped(f"{name[: room // 2].rstrip()}…{name[room // 2 - room :].lstrip()}", letters, lines=lines)
    taken = list(made.values())
    for i, name in enumerate(different):
        if made[name] in taken[:i]:
            made[name] = f"{made[name]} ({i + 1})"
    return [made[name] for name in map(str, names)]


def title(ax: Axes, name: str, inches: float, *below: str) -> None:
    """The title of a panel so wide: a name in as many lines as it needs, and short lines below it."""
    ax.set_title("\n".join([wrapped(name, letters_in(inches)), *map(plain, below)]))


def party_colours(parties: list[str]) -> dict[str, str]:
    """A colour per party in the given order; the pooled rest is grey."""
    named = [party for party in parties if party != "others"]
    colours = {party: PARTY_COLOURS[i % len(PARTY_COLOURS)] for i, party in enumerate(named)}
    return colours | {"others": OTHERS_COLOUR}


def party_hatches(parties: list[str]) -> dict[str, str]:
    """A hatch per party in the given order, none for the pooled rest: colour and hatch together are of one party."""
    named = [party for party in parties if party != "others"]
    count, colours = len(HATCHES), len(PARTY_COLOURS)
    return {party: HATCHES[(i + i // colours) % count] for i, party in enumerate(named)} | {"others": ""}


def marker(k: int) -> str:
    """The mark of the k-th party or type: colour and mark together are of one."""
    return MARKERS[(k + k // len(PARTY_COLOURS)) % len(MARKERS)]


def whole_numbers(ax: Axes, *, axis: str = "x") -> None:
    """Ticks at whole numbers only: there are no half seats."""
    getattr(ax, f"{axis}axis").set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))


def percent(ax: Axes, *, axis: str = "y") -> None:
    """Fractions shown as per cent, on round ticks."""
    getattr(ax, f"{axis}axis").set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4))


def seat_bins(*samples: np.ndarray) -> np.ndarray:
    """Bin edges centred on whole seats, common to all samples; wider than a seat where the range is wide."""
    everything = np.concatenate([np.ravel(sample) for sample in samples])
    low, high = int(everything.min()), int(everything.max())
    width = max(1, -(-(high - low + 1) // 40))
    return np.arange(low, high + width + 1, width) - 0.5


def sample_bins(sample: np.ndarray) -> np.ndarray:
    """About sqrt(n) bins, between 8 and 30, over the sample's own range."""
    low, high = float(sample.min()), float(sample.max())
    if high - low < 1e-6:
        low, high = low - 5e-4, high + 5e-4
    return np.linspace(low, high, int(np.clip(np.sqrt(sample.size), 8, 30)) + 1)


def weighted_quantiles(sample: np.ndarray, weights: np.ndarray, levels: list[float]) -> np.ndarray:
    """Quantiles of a weighted sample along its first axis, ``[level, ...]``: inverse of the weighted cdf."""
    order = np.argsort(sample, axis=0)
    ordered = np.take_along_axis(sample, order, axis=0)
    cdf = np.cumsum(weights[order], axis=0)
    places = [np.argmax(cdf >= level * cdf[-1] * (1 - 1e-9), axis=0) for level in levels]
    return np.stack([np.take_along_axis(ordered, index[None], axis=0)[0] for index in places])


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


def patch(
    label: str, *, filled: bool = True, colour: str | None = None, shade: float | None = None, hatch: str = ""
) -> Patch:
    """The legend's sample of a histogram."""
    edge = colour or (BLUE if filled else GREY)
    if shade is None:
        shade = 0.45 if filled else 0.3 if colour is None else 0.0
    return Patch(facecolor=(edge, shade), edgecolor=edge, lw=1.2, label=label, hatch=hatch)


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
    names = [str(handle.get_label()).replace(r"\$", "$") for handle in handles]
    for handle, label in zip(handles, labels(names, 34, lines=2), strict=True):
        handle.set_label(label)
    letters = max((len(row) for handle in handles for row in str(handle.get_label()).split("\n")), default=0) + 7
    across = max(1, int(figure.get_figwidth() * _LETTERS / letters))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(across, len(handles)))


def named_rows(ax: Axes, at: np.ndarray, names: Sequence[str]) -> None:
    """Rows named on the left, with upright lines."""
    ax.set_yticks(at, labels(names))
    ax.set_ylim(at.min() - 0.6, at.max() + 0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)


def heatmap(
    ax: Axes,
    shade: np.ndarray,
    columns: Sequence[str],
    *,
    cell: float,
    rows: Sequence[str] | None = None,
    colours: str = "Blues",
    high: float = 1.0,
    aspect: str = "auto",
) -> AxesImage:
    """Shades from 0 to `high` without lines between them; NaN stays white.

    `cell` is about how wide a column is, in inches: names of columns that are wider stand upright.
    """
    image = ax.imshow(np.ma.masked_invalid(shade), cmap=colours, vmin=0, vmax=high, aspect=aspect)  # type: ignore[arg-type]
    ax.grid(False)
    ax.tick_params(length=0)
    upright = max((len(str(name)) for name in columns), default=0) > letters_in(cell) - 1
    across = labels(columns, _UPRIGHT, lines=max(1, min(3, int(cell / 0.17)))) if upright else list(map(plain, columns))
    ax.set_xticks(np.arange(len(columns)), across, rotation=90 if upright else 0)
    if rows is not None:
        ax.set_yticks(np.arange(len(rows)), labels(rows))
    return image


def names_height(columns: Sequence[str], cell: float) -> float:
    """Inches that the names of a heatmap's columns take, each so wide."""
    longest = max((len(str(name)) for name in columns), default=0)
    return 0.2 if longest <= letters_in(cell) - 1 else min(longest, _UPRIGHT) / _LETTERS + 0.15


def shade_bar(figure: Figure, image: AxesImage, axes: Any, label: str, *, of_shares: bool = True) -> None:
    """The scale of a heatmap's shades, below it."""
    form = PercentFormatter(xmax=1, decimals=0) if of_shares else None
    figure.colorbar(
        image, ax=axes, location="bottom", label=label, format=form, shrink=0.8, aspect=40, ticks=MaxNLocator(5)
    )


def cell_text(ax: Axes, row: float, column: float, text: str, *, dark: bool, size: float | None = None) -> None:
    """What a heatmap says in a cell, white where the shade is dark."""
    ax.text(
        column, row, plain(text), ha="center", va="center", size=max(size or 8.0, 8.0), color="white" if dark else INK
    )


def panels(
    count: int, width: float, height: float, *, across: int, beside: float = 0.0, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """So many panels of this size (inches), up to `across` side by side that fit beside that much room."""
    across = max(1, min(across, count, int((WIDTH - beside + 0.01) / width)))
    down = -(-count // across)
    figure = new_figure(width * across + beside, height * down)
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
    return wrapped(name, letters, lines=1)


def log_axis(ax: Axes, *, axis: str = "x") -> None:
    """A logarithmic axis with plain numbers at few ticks."""
    getattr(ax, f"set_{axis}scale")("log")
    of = getattr(ax, f"{axis}axis")
    of.set_major_locator(LogLocator(numticks=5))
    of.set_minor_formatter(NullFormatter())
    low, high = getattr(ax, f"get_{axis}lim")()
    if high / low < 50:
        of.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    of.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def forest_bars(ax: Axes, at: np.ndarray, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Intervals of a forest on an axis by its values and usual intervals: of a far wider one an arrow shows the end."""
    reach = 2.5 * np.nanmedian(high - low) if np.isfinite(high - low).any() else np.inf
    if np.isfinite(reach):
        left = min(max(np.nanmin(low), np.nanmin(value) - reach), 0.0)
        right = max(min(np.nanmax(high), np.nanmax(value) + reach), 0.0)
        spare = 0.04 * max(right - left, 1e-9)
        ax.set_xlim(left - spare, right + spare)
        for beyond, place, arrow in ((low < left, left, "<"), (high > right, right, ">")):
            ax.plot(np.full(beyond.sum(), place), at[beyond], arrow, color=BLUE, ms=6, mew=0)
        low, high = low.clip(left, right), high.clip(left, right)
    ax.hlines(at, low, high, color=BLUE, lw=2.2, alpha=0.7)
