"""Figures of calibrations: the posterior of each parameter and of their pairs, their course, and checks of trust.

A posterior has one variable per parameter on `draw`, and `prior_<parameter>`, `optimal_<parameter>` and `weight(draw)`
beside it. The checks are Datasets of `districts.sbc`, `coverage`, `tarp` and `compare`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from electjax.districts.report.tables import GREEK
from electjax.districts.results import parameter_names
from electjax.districts.verdict import is_posterior
from electjax.report import draw

_MOST_PANELS = 8  # a parameter with more components is drawn as intervals
MOST_PAIRS = 6
_COLUMNS = 4
_BAND: dict[str, Any] = {"color": draw.GREY, "alpha": 0.3, "lw": 0}
_TRACE = {
    "trace_tolerance": "tolerance",
    "trace_acceptance_rate": "acceptance rate",
    "trace_ess": "effective sample size",
}


class _Component(NamedTuple):
    """One scalar of the posterior: a scalar parameter or one entry of a vector parameter."""

    label: str
    draws: np.ndarray
    prior: np.ndarray | None
    optimal: float
    contraction: float  # against the prior; NaN where the calibration does not say


def posterior_parameters(posterior: xr.Dataset) -> Figure:
    """The draws of every parameter: weighted histogram, prior and psi_opt; long vectors as 90 % intervals."""
    names = parameter_names(posterior)
    long = [name for name in names if _size(posterior, name) > _MOST_PANELS]
    rows = _rows([list(_components(posterior, name)) for name in names if name not in long])
    weights = posterior["weight"].values
    columns = max(map(len, rows), default=1) if not long else _COLUMNS
    with draw.look():
        width = max(2.7 * columns + 0.4, 5.2)
        figure = draw.new_figure(width, 2.5 * len(rows) + 3.0 * len(long) + 0.5)
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
        draw.legend(
            figure, [_draws_patch(posterior), draw.patch("prior", filled=False), draw.line(f"optimal, {draw.PSI}")]
        )
    return figure


def pairs_of(posterior: xr.Dataset) -> list[_Component]:
    """The scalars that are drawn in pairs: all, or of more than six those six that contract most against the prior.

    None of fewer than two, and of more than six where the contraction is not known.
    """
    components = [c for name in parameter_names(posterior) for c in _components(posterior, name)]
    if len(components) > MOST_PAIRS:
        known = sorted((c.contraction for c in components if np.isfinite(c.contraction)), reverse=True)
        least = known[MOST_PAIRS - 1] if len(known) == len(components) else np.inf
        components = [c for c in components if c.contraction >= least][:MOST_PAIRS]
    return components if len(components) > 1 else []


def posterior_pairs(posterior: xr.Dataset) -> Figure:
    """Accepted draws of each pair of scalars (`pairs_of`), area by weight."""
    components = pairs_of(posterior)
    count = len(components)
    weights = posterior["weight"].values
    area = 14.0 * weights / weights.mean()
    with draw.look():
        figure = draw.new_figure(2.2 * count + 0.6, 2.0 * count + 0.9)
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
                    ax.scatter(column.draws, row.draws, s=area, color=draw.BLUE, alpha=0.35, linewidths=0)
                    ax.plot(column.optimal, row.optimal, "P", color=draw.VERMILION, ms=8, mec="white", mew=0.8)
                    ax.yaxis.set_major_locator(MaxNLocator(4))
                    ax.grid(True, axis="both")
                ax.xaxis.set_major_locator(MaxNLocator(3))
                if i == count - 1:
                    ax.set_xlabel(column.label)
                if j == 0 and i > 0:
                    ax.set_ylabel(row.label)
                if 0 < j < i:
                    ax.tick_params(labelleft=False)
        draw.legend(figure, [_draws_patch(posterior), draw.line(f"optimal, {draw.PSI}")])
    return figure


def _draws_patch(fit: xr.Dataset) -> Patch:
    """The legend's sample of the draws, by what they are."""
    return draw.patch("posterior" if is_posterior(fit) else "best draws found")


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
    names = {dim: draw.labels(variable[dim].values.astype(str).tolist(), 18, lines=3)
             for dim in dims if dim in variable.coords}  # fmt: skip
    for index in np.ndindex(*variable.shape[1:]):
        at = dict(zip(dims, index, strict=True))
        which = [names[dim][i] if dim in names else str(i) for dim, i in at.items()]
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
        draw.histogram(ax, component.prior, np.linspace(component.prior.min(), component.prior.max(), 13), filled=False)
    draw.histogram(ax, component.draws, draw.sample_bins(component.draws), weights=weights)
    draw.observed_line(ax, component.optimal)
    ax.margins(x=0.02)
    if title:
        low, median, high = draw.weighted_quantiles(component.draws, weights, [0.05, 0.5, 0.95])
        ax.set_title(f"{median:.3g}  (90 %: {low:.3g} to {high:.3g})", color="#444444")


def _interval_panel(ax: Axes, posterior: xr.Dataset, name: str) -> None:
    """Weighted median and 90 % interval of every component, components in order of their median."""
    draws = posterior[name].transpose("draw", ...).values.reshape(posterior.sizes["draw"], -1)
    low, median, high = draw.weighted_quantiles(draws, posterior["weight"].values, [0.05, 0.5, 0.95])
    order = np.argsort(median)
    place = np.arange(order.size)
    if f"prior_{name}" in posterior:
        prior = posterior[f"prior_{name}"].values
        ax.axhspan(*np.quantile(prior, [0.05, 0.95]), color=draw.GREY, alpha=0.18, lw=0)
    ax.vlines(place, low[order], high[order], color=draw.BLUE, lw=2, alpha=0.55)
    ax.plot(place, median[order], ".", color=draw.BLUE, ms=4)
    if f"optimal_{name}" in posterior:
        ax.plot(place, posterior[f"optimal_{name}"].values.ravel()[order], "_", color=draw.VERMILION, ms=6, mew=1.6)
    which = " and ".join(str(dim) for dim in posterior[name].dims if dim != "draw")
    ax.set_xlabel(f"{order.size} values by {which}, in order of the median (bars: 90 %)")
    ax.set_ylabel(_symbol(posterior, name))
    ax.set_xticks([])


def has_trace(posterior: xr.Dataset) -> bool:
    """Whether a calibration went through more than one generation."""
    return posterior.sizes.get("generation", 0) > 1 and all(name in posterior for name in _TRACE)


def calibration_trace(posteriors: Mapping[str, xr.Dataset]) -> Figure:
    """A line per model in three panels, each over the generations; the tolerance on a logarithmic axis."""
    with draw.look():
        figure = draw.new_figure(8.4, 2.9)
        axes = figure.subplots(1, len(_TRACE))
        for i, (model, posterior) in enumerate(posteriors.items()):
            colour, marker = draw.PARTY_COLOURS[i % len(draw.PARTY_COLOURS)], draw.MARKERS[i % len(draw.MARKERS)]
            for ax, name in zip(axes, _TRACE, strict=True):
                values = posterior[name].values
                ax.plot(np.arange(len(values)), values, color=colour, marker=marker, ms=4, lw=1.6, label=model.upper())
        for ax, said in zip(axes, _TRACE.values(), strict=True):
            ax.set(xlabel="generation", title=said)
            draw.whole_numbers(ax)
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes[0].yaxis.set_minor_formatter(NullFormatter())
        draw.percent(axes[1])
        for ax in axes[1:]:
            ax.set_ylim(bottom=0)
        draw.legend(figure, axes[0].get_legend_handles_labels()[0])
    return figure


def rank_histogram(sbc: xr.Dataset) -> Figure:
    """Rank histogram of every parameter, and below it how far its cdf is from the diagonal, with simultaneous bands."""
    labels = [str(label) for label in sbc["parameter"].values]
    columns = min(len(labels), _COLUMNS)
    rows = -(-len(labels) // columns)
    replicates, bins = sbc.sizes["replicate"], sbc.sizes["bin"]
    edges, points = np.linspace(0, 1, bins + 1), sbc["point"].values
    with draw.look():
        figure = draw.new_figure(2.6 * columns + 0.7, 3.6 * rows + 0.6)
        grid = figure.subplots(2 * rows, columns, squeeze=False)
        panels = list(zip(grid[0::2].flat, grid[1::2].flat, strict=True))
        for ax in (ax for pair in panels[len(labels) :] for ax in pair):
            ax.set_visible(False)
        for place, (label, (top, bottom)) in enumerate(zip(labels, panels, strict=False)):
            one = sbc.sel(parameter=label)
            low, high = (np.append(one[f"count_{end}"], one[f"count_{end}"][-1]) for end in ("low", "high"))
            top.fill_between(edges, low, high, step="post", **_BAND)
            top.axhline(replicates / bins, color=draw.INK, lw=0.8)
            top.stairs(one["count"].values, edges, color=draw.BLUE, fill=True, alpha=0.45, lw=0)
            top.stairs(one["count"].values, edges, color=draw.BLUE, lw=1.2)
            draw.title(top, label, 1.9)
            top.set_title(f"{top.get_title()}\np: $\\chi^2$ {_p(one['p_chi2'])}, KS {_p(one['p_ks'])}")
            bottom.fill_between(points, one["ecdf_low"] - points, one["ecdf_high"] - points, **_BAND)
            bottom.axhline(0, color=draw.INK, lw=0.8)
            bottom.plot(points, one["ecdf"] - points, color=draw.BLUE, lw=1.4)
            bottom.set_xlabel("rank of the truth")
            for ax in (top, bottom):
                ax.set_xlim(0, 1)
            if place % columns == 0:
                top.set_ylabel("replicates")
                bottom.set_ylabel("cdf less diagonal")
        draw.legend(figure, [draw.stroke("observed", colour=draw.BLUE, width=1.6, style="-"), _band_patch(sbc)])
    return figure


def coverage_curve(coverage: xr.Dataset) -> Figure:
    """Coverage of the central intervals of every parameter against their nominal level."""
    level = coverage["level"].values
    with draw.look():
        figure = draw.new_figure(5.0, 4.4)
        ax = figure.subplots()
        _diagonal(ax, level, coverage["low"].values, coverage["high"].values)
        for i, label in enumerate(coverage["parameter"].values):
            colour, marker = draw.PARTY_COLOURS[i % len(draw.PARTY_COLOURS)], draw.MARKERS[i % len(draw.MARKERS)]
            ax.plot(level, coverage["coverage"].sel(parameter=label), color=colour, marker=marker, ms=4.5, label=label)
        ax.set(xlabel="nominal level of the interval", ylabel="intervals that hold the truth")
        handles, _ = ax.get_legend_handles_labels()
        draw.legend(figure, [*handles, Patch(label="95 % where right", **_BAND)])
    return figure


def tarp_curve(tarp: xr.Dataset) -> Figure:
    """Expected coverage of balls around random points, all parameters at once."""
    level = tarp["credibility"].values
    with draw.look():
        figure = draw.new_figure(5.0, 4.4)
        ax = figure.subplots()
        _diagonal(ax, level, tarp["low"].values, tarp["high"].values)
        ax.plot(level, tarp["coverage"], color=draw.BLUE, lw=1.6)
        ax.set(xlabel="credibility", ylabel="expected coverage", title=f"KS p = {_p(tarp['p_ks'])}")
        draw.legend(figure, [draw.stroke("all parameters", colour=draw.BLUE, width=1.6, style="-"), _band_patch(tarp)])
    return figure


def model_probabilities(comparison: xr.Dataset) -> Figure:
    """Posterior probability of every model against the tolerance, with two standard errors; hollow below 100 draws."""
    tolerance = comparison["epsilon"].values
    with draw.look():
        figure = draw.new_figure(6.4, 3.9)
        ax = figure.subplots()
        for i, label in enumerate(comparison["model"].values):
            one, colour = comparison.sel(model=label), draw.PARTY_COLOURS[i % len(draw.PARTY_COLOURS)]
            p, se = one["probability"].values, one["probability_se"].values
            ax.fill_between(tolerance, (p - 2 * se).clip(0), (p + 2 * se).clip(max=1), color=colour, alpha=0.2, lw=0)
            ax.plot(tolerance, p, color=colour, lw=1.4, label=str(label).upper())
            for enough, face in ((True, colour), (False, "white")):
                at = (one["draws"].values >= 100) == enough
                ax.plot(tolerance[at], p[at], draw.MARKERS[i % len(draw.MARKERS)], color=colour, mfc=face, ms=4)
        ax.axvline(comparison.attrs["tolerance"], color=draw.INK, lw=1.0, ls=(0, (4, 3)), zorder=1)
        ax.set_xscale("log")
        ax.invert_xaxis()
        for axis in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
            axis(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set(xlabel="tolerance (falling)", ylabel="posterior probability", ylim=(-0.02, 1.02))
        draw.percent(ax)
        handles, _ = ax.get_legend_handles_labels()
        hollow = draw.stroke("under 100 draws", style="none", marker="o", mfc="white", ms=4)
        draw.legend(figure, [*handles, draw.stroke("reported"), hollow])
    return figure


def _diagonal(ax: Axes, level: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    ax.fill_between(level, low, high, **_BAND)
    ax.plot([0, 1], [0, 1], color=draw.INK, lw=0.8)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    draw.percent(ax)
    draw.percent(ax, axis="x")


def _p(value: xr.DataArray) -> str:
    return "-" if np.isnan(value) else f"{float(value):.2g}"


def _band_patch(check: xr.Dataset) -> Patch:
    return Patch(label=f"{100 * check.attrs['band_level']:.0f} % band", **_BAND)
