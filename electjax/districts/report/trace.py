"""How a sequential calibration went: tolerance, acceptance rate and effective sample size by generation."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from electjax.report.draw import legend
from electjax.report.style import MARKERS, PARTY_COLOURS, look, new_figure, percent, whole_numbers

_PANELS = {
    "trace_tolerance": "tolerance",
    "trace_acceptance_rate": "acceptance rate",
    "trace_ess": "effective sample size",
}


def has_trace(posterior: xr.Dataset) -> bool:
    """Whether a calibration went through more than one generation."""
    return posterior.sizes.get("generation", 0) > 1 and all(name in posterior for name in _PANELS)


def calibration_trace(posteriors: Mapping[str, xr.Dataset]) -> Figure:
    """A line per model in three panels, each over the generations; the tolerance on a logarithmic axis.

    Parameters
    ----------
    posteriors
        By model, calibration Datasets with ``trace_tolerance(generation)``, ``trace_acceptance_rate`` and
        ``trace_ess``.
    """
    with look():
        figure = new_figure(8.4, 2.9)
        axes = figure.subplots(1, len(_PANELS))
        for i, (model, posterior) in enumerate(posteriors.items()):
            colour, marker = PARTY_COLOURS[i % len(PARTY_COLOURS)], MARKERS[i % len(MARKERS)]
            for ax, name in zip(axes, _PANELS, strict=True):
                values = posterior[name].values
                ax.plot(np.arange(len(values)), values, color=colour, marker=marker, ms=4, lw=1.6, label=model.upper())
        for ax, said in zip(axes, _PANELS.values(), strict=True):
            ax.set(xlabel="generation", title=said)
            whole_numbers(ax)
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes[0].yaxis.set_minor_formatter(NullFormatter())
        percent(axes[1])
        for ax in axes[1:]:
            ax.set_ylim(bottom=0)
        legend(figure, axes[0].get_legend_handles_labels()[0])
    return figure
