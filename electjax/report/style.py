"""One look for every figure, and how figures become files; nothing global is changed."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

# Okabe and Ito's colours, told apart with every common colour vision deficiency.
INK, GREY, BLUE, VERMILION = "#222222", "#9AA0A6", "#0072B2", "#D55E00"
PARTY_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
OTHERS_COLOUR = "#8A8A8A"
MARKERS = "osD^vPX"

_LOOK: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
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
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def look() -> Iterator[None]:
    """The settings of all figures, within this block only, whatever the user's own settings are."""
    with rc_context():
        rcdefaults()
        rcParams.update(_LOOK)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that draws itself with Agg: no window, no pyplot state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png_bytes(figure: Figure, *, dpi: int = 150) -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with look():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 150) -> Path:
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


def party_colours(parties: list[str]) -> dict[str, str]:
    """A colour per party in the given order; the pooled rest is grey."""
    named = [party for party in parties if party != "others"]
    colours = {party: PARTY_COLOURS[i % len(PARTY_COLOURS)] for i, party in enumerate(named)}
    return colours | {"others": OTHERS_COLOUR}


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
