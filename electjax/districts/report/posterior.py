"""Figures of calibrated parameters: the posterior of each, and of their pairs.

A calibration Dataset has one variable per parameter on ``draw``, and ``prior_<parameter>``,
``optimal_<parameter>`` and ``weight(draw)`` beside it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from electjax.report.draw import histogram, legend, line, observed_line, patch
from electjax.report.style import BLUE, GREY, VERMILION, look, new_figure, sample_bins, weighted_quantiles
from electjax.report.tables import GREEK

_MOST_PANELS = 8  # a parameter with more components is drawn as intervals
MOST_PAIRS = 6
_COLUMNS = 4


class _Component(NamedTuple):
    """One scalar of the posterior: a scalar parameter or one entry of a vector parameter."""

    label: str
    draws: np.ndarray
    prior: np.ndarray | None
    optimal: float
    contraction: float  # against the prior; NaN where the calibration does not say


def posterior_parameters(posterior: xr.Dataset) -> Figure:
    """Posterior of every parameter: weighted histogram, prior and psi_opt; long vectors as 90 % intervals."""
    names = parameter_names(posterior)
    long = [name for name in names if _size(posterior, name) > _MOST_PANELS]
    rows = _rows([list(_components(posterior, name)) for name in names if name not in long])
    weights = posterior["weight"].values
    columns = max(map(len, rows), default=1) if not long else _COLUMNS
    with look():
        width = max(2.7 * columns + 0.4, 5.2)
        figure = new_figure(width, 2.5 * len(rows) + 3.0 * len(long) + 0.5)
        heights = [1.0] * len(rows) + [1.2] * len(long)
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for i, row in enumerate(rows):
            for j, component in enumerate(row):
                ax = figure.add_subplot(grid[i, j])
                _posterior_panel(ax, component, weights)
                ax.set_xlabel(component.label)
                if j == 0:
                    ax.set_ylabel("density")
        for i, name in enumerate(long):
            _interval_panel(figure.add_subplot(grid[len(rows) + i, :]), posterior, name)
        legend(
            figure,
            [patch("posterior"), patch("prior", filled=False), line("optimal, $\\psi_{OPT}$")],
        )
    return figure


def posterior_pairs(posterior: xr.Dataset) -> Figure | None:
    """Accepted draws of each pair of scalars, area by weight; None with fewer than two.

    Of more than six, those six are drawn that contract most against the prior; None where that is not known.
    """
    components = [c for name in parameter_names(posterior) for c in _components(posterior, name)]
    if len(components) > MOST_PAIRS:
        known = sorted((c.contraction for c in components if np.isfinite(c.contraction)), reverse=True)
        least = known[MOST_PAIRS - 1] if len(known) == len(components) else np.inf
        components = [c for c in components if c.contraction >= least][:MOST_PAIRS]
    count = len(components)
    if count < 2:
        return None
    weights = posterior["weight"].values
    area = 14.0 * weights / weights.mean()
    with look():
        figure = new_figure(2.2 * count + 0.6, 2.0 * count + 0.9)
        grid = figure.subplots(count, count, squeeze=False, sharex="col")
        for i, row in enumerate(components):
            for j, column in enumerate(components):
                ax = grid[i, j]
                if j > i:
                    ax.set_visible(False)
                elif j == i:
                    _posterior_panel(ax, row, weights, title=False, prior=False)
                    ax.set_yticks([])
                else:
                    ax.scatter(column.draws, row.draws, s=area, color=BLUE, alpha=0.35, linewidths=0)
                    ax.plot(column.optimal, row.optimal, "P", color=VERMILION, ms=8, mec="white", mew=0.8)
                    ax.yaxis.set_major_locator(MaxNLocator(4))
                    ax.grid(True, axis="both")
                ax.xaxis.set_major_locator(MaxNLocator(3))
                if i == count - 1:
                    ax.set_xlabel(column.label)
                if j == 0 and i > 0:
                    ax.set_ylabel(row.label)
                if 0 < j < i:
                    ax.tick_params(labelleft=False)
        legend(figure, [patch("posterior"), line("optimal, $\\psi_{OPT}$")])
    return figure


def parameter_names(posterior: xr.Dataset) -> list[str]:
    """The calibrated parameters: the variables on ``draw`` that have a ``prior_`` or an ``optimal_``."""
    return [
        str(name)
        for name, variable in posterior.data_vars.items()
        if "draw" in variable.dims and (f"optimal_{name}" in posterior or f"prior_{name}" in posterior)
    ]


def _rows(parameters: list[list[_Component]]) -> list[list[_Component]]:
    """Panels of short parameters: all in one row if they fit, else scalars first, then every vector."""
    scalars = [c for components in parameters for c in components if len(components) == 1]
    everything = [c for components in parameters for c in components]
    vectors = [components for components in parameters if len(components) > 1]
    groups = [everything] if len(everything) <= _COLUMNS else [scalars, *vectors]
    return [group[i : i + _COLUMNS] for group in groups for i in range(0, len(group), _COLUMNS)]


def _size(posterior: xr.Dataset, name: str) -> int:
    return posterior[name].size // posterior.sizes["draw"]


def _components(posterior: xr.Dataset, name: str) -> Iterator[_Component]:
    """The scalars of one parameter, flattened over its vector dimension."""
    variable = posterior[name].transpose("draw", ...)
    dims = variable.dims[1:]
    prior = posterior.get(f"prior_{name}")
    nothing = xr.full_like(variable[0], np.nan, dtype=float)
    optimal, contraction = (posterior.get(f"{what}_{name}", nothing) for what in ("optimal", "contraction"))
    for index in np.ndindex(*variable.shape[1:]):
        at = dict(zip(dims, index, strict=True))
        which = [str(variable[dim].values[i]) if dim in variable.coords else str(i) for dim, i in at.items()]
        yield _Component(
            label=" ".join([_symbol(posterior, name), *which]),
            draws=variable.isel(at).values,
            # A prior without the vector dimension is common to all components.
            prior=None if prior is None else prior.isel(at, missing_dims="ignore").values,
            optimal=float(optimal.isel(at)),
            contraction=float(contraction.isel(at)),
        )


def _symbol(posterior: xr.Dataset, name: str) -> str:
    symbol = str(posterior[name].attrs.get("symbol", name))
    if "\\" in symbol and "$" not in symbol:
        return f"${symbol}$"
    return GREEK.get(symbol, symbol)


def _posterior_panel(
    ax: Axes, component: _Component, weights: np.ndarray, *, title: bool = True, prior: bool = True
) -> None:
    if prior and component.prior is not None:
        histogram(ax, component.prior, np.linspace(component.prior.min(), component.prior.max(), 13), filled=False)
    histogram(ax, component.draws, sample_bins(component.draws), weights=weights)
    observed_line(ax, component.optimal)
    ax.margins(x=0.02)
    if title:
        low, median, high = weighted_quantiles(component.draws, weights, [0.05, 0.5, 0.95])
        ax.set_title(f"{median:.3g}  (90 %: {low:.3g} to {high:.3g})", color="#444444")


def _interval_panel(ax: Axes, posterior: xr.Dataset, name: str) -> None:
    """Weighted median and 90 % interval of every component, components in order of their median."""
    draws = posterior[name].transpose("draw", ...).values.reshape(posterior.sizes["draw"], -1)
    low, median, high = weighted_quantiles(draws, posterior["weight"].values, [0.05, 0.5, 0.95])
    order = np.argsort(median)
    place = np.arange(order.size)
    if f"prior_{name}" in posterior:
        prior = posterior[f"prior_{name}"].values
        ax.axhspan(*np.quantile(prior, [0.05, 0.95]), color=GREY, alpha=0.18, lw=0)
    ax.vlines(place, low[order], high[order], color=BLUE, lw=2, alpha=0.55)
    ax.plot(place, median[order], ".", color=BLUE, ms=4)
    if f"optimal_{name}" in posterior:
        ax.plot(place, posterior[f"optimal_{name}"].values.ravel()[order], "_", color=VERMILION, ms=6, mew=1.6)
    which = " and ".join(str(dim) for dim in posterior[name].dims if dim != "draw")
    ax.set_xlabel(f"{order.size} values by {which}, in order of the median (bars: 90 %)")
    ax.set_ylabel(_symbol(posterior, name))
    ax.set_xticks([])
