"""Figures of the diagnostics of the candidate-aware model."""

from collections.abc import Iterator

import xarray as xr

from electjax.report.page import ReportFigure


def diagnostic_figures(tree: xr.DataTree) -> Iterator[ReportFigure]:
    """Those of the diagnostics that were run."""
    yield from ()


def permutation_histogram(): ...


def proximity_curve(): ...


def stability_strip(): ...
