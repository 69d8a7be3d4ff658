"""Figures of the diagnostics of the candidate-aware model (calm.md section 9)."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from electjax.report.draw import histogram, legend, line, observed_line, patch
from electjax.report.page import ReportFigure
from electjax.report.style import BLUE, INK, VERMILION, look, new_figure, percent, sample_bins, whole_numbers

_TITLE = "Diagnostics"


def diagnostic_figures(tree: xr.DataTree) -> Iterator[ReportFigure]:
    """Those of the diagnostics that were run."""
    found = {name: node.to_dataset() for name, node in tree.children.items()}
    if "placebo" in found:
        axis = found["placebo"].attrs["axis"]
        yield ReportFigure(
            "placebo.png",
            _TITLE,
            f"Placebo: z of η for {axis} with the {axis} of candidates shuffled, against that of the real candidates.",
            permutation_histogram(found["placebo"]),
        )
    if "rho" in found:
        axis = found["rho"].attrs["curve_axis"]
        yield ReportFigure(
            "rho.png",
            _TITLE,
            f"Proximity of adjacent categories of {axis}: validation loss above that of the best value, with its"
            " standard error, and the objective of the training booths above its lowest.",
            proximity_curve(found["rho"]),
        )
    if "stability" in found:
        yield ReportFigure(
            "stability.png",
            _TITLE,
            f"Stability: η of each {found['stability'].attrs['by']}, one standard error to either side, against"
            " the common one, with two.",
            stability_strip(found["stability"]),
        )
    if "holdout" in found:
        yield ReportFigure(
            "holdout.png",
            _TITLE,
            "Booths kept out: by how much candidate affinity improves the party shares of each constituency (KL per"
            " vote); dashed the mean over votes.",
            gain_strip(found["holdout"]),
        )


def permutation_histogram(placebo: xr.Dataset) -> Figure:
    """z of shuffled candidates, and of the real ones."""
    sample, real = placebo["permuted_z"].values, float(placebo["z"])
    with look():
        figure = new_figure(6.4, 3.2)
        ax = figure.subplots()
        histogram(ax, sample, sample_bins(sample), share=True)
        observed_line(ax, real)
        ax.set(xlabel="η / its standard error", ylabel="share of permutations")
        percent(ax)
        legend(figure, [patch("shuffled candidates"), line("real candidates")])
    return figure


def proximity_curve(curve: xr.Dataset) -> Figure:
    """Validation loss of held-out booths and objective of the others, over rho."""
    rho = curve["rho"].values
    with look():
        figure = new_figure(8.6, 3.2)
        left, right = figure.subplots(1, 2)
        left.errorbar(
            rho, curve["excess"].values, curve["excess_se"].values, fmt="o-", color=BLUE, ms=4.5, lw=1.6, elinewidth=1.0
        )
        left.set(xlabel="ρ", ylabel="validation loss above the best")
        objective = curve["objective"].values
        right.plot(rho, objective - objective.min(), "o-", color=INK, ms=4.5, lw=1.6)
        right.set(xlabel="ρ", ylabel="objective above its lowest")
        observed_line(left, float(curve["best"]))
        observed_line(right, float(curve["refined"]))
        legend(figure, [line("lowest")])
    return figure


def stability_strip(stability: xr.Dataset) -> Figure:
    """eta of each group around the common one, a row per axis."""
    names = [str(axis) for axis in stability["axis"].values]
    value = stability["group_eta"].transpose("axis", "group").values
    error = stability["group_eta_se"].transpose("axis", "group").values
    common, width = stability["eta"].values, 2 * stability["eta_se"].values
    groups = value.shape[1]
    # along a row, from the smallest to the largest
    order = np.argsort(np.where(np.isnan(value), np.inf, value), axis=1)
    value, error = np.take_along_axis(value, order, axis=1), np.take_along_axis(error, order, axis=1)
    offset = np.linspace(0.36, -0.36, groups) if groups > 1 else np.zeros(1)
    with look():
        figure = new_figure(7.6, float(np.clip(0.2 + 0.05 * groups, 0.6, 1.8)) * len(names) + 1.0)
        ax = figure.subplots()
        for row, label in enumerate(names):
            known = np.isfinite(value[row])
            at = -row + offset[known]
            ax.hlines(at, (value - error)[row, known], (value + error)[row, known], color=BLUE, lw=0.9, alpha=0.5)
            ax.plot(value[row, known], at, "o", color=BLUE, ms=2.6, mew=0, label=label)
            middle = common[row]
            ax.fill_betweenx(
                [-row - 0.42, -row + 0.42], middle - width[row], middle + width[row], color=VERMILION, alpha=0.2
            )
            ax.plot([middle, middle], [-row - 0.42, -row + 0.42], color=VERMILION, lw=1.4)
        # a group that tells nothing has an interval of any width
        low, high = np.nanquantile(value, [0.01, 0.99]) if np.isfinite(value).any() else (-1.0, 1.0)
        margin = 0.25 * max(high - low, 0.1)
        ax.set_xlim(min(low, (common - width).min()) - margin, max(high, (common + width).max()) + margin)
        ax.set_yticks(-np.arange(len(names)), names)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", visible=False)
        ax.grid(axis="x", visible=True)
        ax.set_xlabel("η per SD")
        legend(
            figure,
            [
                Line2D([], [], color=BLUE, marker="o", ms=3, lw=0.9, label="a group, ± 1 standard error"),
                patch("all booths, ± 2 standard errors", colour=VERMILION, shade=0.2),
            ],
        )
    return figure


def gain_strip(holdout: xr.Dataset, measure: str = "KL") -> Figure:
    """What candidate affinity gains in each constituency's held-out booths, from the smallest to the largest."""
    gain = np.sort(holdout["constituency_gain"].sel(measure=measure).values)
    gain = gain[np.isfinite(gain)]
    with look():
        figure = new_figure(6.8, 3.0)
        ax = figure.subplots()
        ax.bar(np.arange(1, len(gain) + 1), gain, width=0.8, color=BLUE, alpha=0.55)
        ax.axhline(0, color=INK, lw=0.8)
        ax.axhline(float(holdout["gain"].sel(measure=measure)), color=VERMILION, lw=1.6, ls=(0, (5, 2)))
        ax.set(xlabel="constituency, by gain", ylabel=f"gain in {measure}, nats per vote")
        ax.margins(x=0.01)
        whole_numbers(ax)
    return figure
