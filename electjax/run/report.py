"""The figures and the report of a run, made from its result tree and metrics."""

import platform
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.calm.report.page import calm_figures, render_calm
from electjax.districts.report.counterfactual import scenario_seats
from electjax.districts.report.figures import geography, main_parties, posterior_predictive, seat_distribution
from electjax.districts.report.page import calibration_rows, identification_rows, render_report
from electjax.districts.report.posterior import MOST_PAIRS, posterior_pairs, posterior_parameters
from electjax.districts.report.trace import calibration_trace, has_trace
from electjax.ecological.report.page import cells_figures, is_cells, render_cells
from electjax.report.page import ReportFigure
from electjax.report.style import save_figure
from electjax.report.tables import Metrics
from electjax.voter_types.report.page import render_types, types_figures

_SEATS = "Seat distributions"
_GEOGRAPHY = "Geography"
_POSTERIOR = "Posterior of the parameters"
_PREDICTIVE = "Posterior predictive"
_TRACE = "Course of the calibration"
_SCENARIOS = "Scenarios"


def write_report(
    folder: Path,
    tree: xr.DataTree,
    metrics: Metrics,
    *,
    config_yaml: str | None = None,
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write ``figures/*.png`` and ``report.html`` into the folder of a run.

    Parameters
    ----------
    folder
        The folder of the run.
    tree
        ``/observed`` and per model ``/default``, ``/optimal``, ``/posterior``, with a node ``geography`` below the
        first three, and ``/counterfactual``; what is absent is left out. Of a run of voter types ``/ballots``,
        ``/fit``, ``/selection`` and ``/residuals``; of the candidate-aware model ``/fit``, ``/margins`` and a node per
        diagnostic; of ecological inference ``/fit`` and a node per other method.
    metrics
        The content of ``metrics.json``.
    config_yaml
        The resolved configuration; by default that of ``config.yaml`` in the folder.
    meta
        Entries of `render_report` that replace those made here from the tree.
    """
    if config_yaml is None:
        config = folder / "config.yaml"
        config_yaml = config.read_text("utf-8") if config.exists() else ""
    figures, render, own = _parts(tree, metrics)
    pictures = []
    for drawn in figures:
        path = save_figure(drawn.figure, folder / "figures" / drawn.file)
        pictures.append((drawn.title, drawn.caption, path.read_bytes()))
    html = render(metrics, pictures, config_yaml, {**own, **(meta or {})})
    (folder / "report.html").write_text(html, "utf-8")


def _parts(tree: xr.DataTree, metrics: Metrics) -> tuple[Iterator[ReportFigure], Callable[..., str], dict[str, Any]]:
    """Figures, the function that makes the page, and what the page says of its origin, for the kind of run."""
    if is_cells(tree):
        return cells_figures(tree, metrics), partial(render_cells, tree), _fit_meta(tree, "Units")
    if "coefficients" in metrics:
        return calm_figures(tree, metrics), render_calm, _fit_meta(tree, "Booths")
    if "fit" in metrics:
        return types_figures(tree, metrics), render_types, _fit_meta(tree, "Ballots")
    return run_figures(tree, metrics), render_report, _meta(tree)


def run_figures(tree: xr.DataTree, metrics: Metrics) -> Iterator[ReportFigure]:
    """All figures of an election's run, in the order of the report."""
    models = {name: tree[name] for name in metrics["models"] if name in tree.children}
    simulations = {
        name: {kind: node[kind].to_dataset() for kind in ("default", "optimal") if kind in node.children}
        for name, node in models.items()
    }
    simulations = {name: kinds for name, kinds in simulations.items() if kinds}
    if simulations:
        runs = sorted({data.sizes["run"] for kinds in simulations.values() for data in kinds.values()})
        yield ReportFigure(
            "seats.png",
            _SEATS,
            "How often each party wins so many seats over "
            f"{' or '.join(f'{n:,}' for n in runs)} simulated elections per setting. "
            "The dashed line marks the seats it won.",
            seat_distribution(simulations, metrics["observed"]["seats"]),
        )
    for name, node in models.items():
        if "counterfactual" in node.children:
            worlds = node["counterfactual"].to_dataset()
            yield ReportFigure(
                f"scenarios_{name}.png",
                _SCENARIOS,
                f"{name.upper()}: seats under each scenario, {worlds.sizes['run']:,} elections each, with parameters"
                " drawn from the posterior. Dot: mean; thick and thin bar: the intervals that hold 50 and 90 % of them."
                " All scenarios share their draws and their random numbers. Parties that win nothing are left out.",
                scenario_seats(worlds),
            )
    yield from _geography(tree, simulations)
    posteriors = _posteriors(tree)
    for name, posterior in posteriors.items():
        draws = f"{posterior.sizes['draw']:,} accepted draws"
        yield ReportFigure(
            f"posterior_{name}.png",
            _POSTERIOR,
            f"{name.upper()}: {draws}, weighted, against the prior. Above each panel the weighted median and "
            "the interval that holds 90 % of the weight; the dashed line is ψ_OPT, the best parameters on average.",
            posterior_parameters(posterior),
        )
        pairs = posterior_pairs(posterior)
        if pairs is not None:
            yield ReportFigure(
                f"pairs_{name}.png",
                _POSTERIOR,
                f"{name.upper()}: the same draws in pairs, area by weight; the cross is ψ_OPT. Of many parameters, the"
                f" {MOST_PAIRS} that the election says most about.",
                pairs,
            )
    for name, posterior in posteriors.items():
        optimal = simulations.get(name, {}).get("optimal")
        fresh = "" if optimal is None else f" The outline shows {optimal.sizes['run']:,} fresh elections at ψ_OPT."
        yield ReportFigure(
            f"predictive_{name}.png",
            _PREDICTIVE,
            f"{name.upper()}: every summary statistic in the accepted simulations, with the value observed. "
            f"Accepted simulations were chosen for being close, so they must look good.{fresh}",
            posterior_predictive(posterior, optimal),
        )
    yield from _trace(posteriors)


def _trace(posteriors: Mapping[str, xr.Dataset]) -> Iterator[ReportFigure]:
    """How sequential calibrations went."""
    traced = {name: posterior for name, posterior in posteriors.items() if has_trace(posterior)}
    if traced:
        yield ReportFigure(
            "trace.png",
            _TRACE,
            "Generation by generation: the tolerance, the share of the simulations that came within it, and how many"
            " independent draws the weighted ones are worth. A tolerance that no longer falls while the acceptance rate"
            " does has found what the model can reach.",
            calibration_trace(traced),
        )


def _geography(tree: xr.DataTree, simulations: Mapping[str, Mapping[str, xr.Dataset]]) -> Iterator[ReportFigure]:
    """Where the parties' voters live, if the tree holds it."""
    found = {
        name: {kind: tree[f"{name}/{kind}/geography"].to_dataset() for kind in kinds}
        for name, kinds in simulations.items()
        if all("geography" in tree[f"{name}/{kind}"].children for kind in kinds)
    }
    if not found:
        return
    seen = tree["observed"].children.get("geography")
    popularity = tree["observed"].to_dataset()["popularity"]
    shares = {str(party): float(popularity.sel(party=party)) for party in popularity["party"].values}
    drawn = ", ".join(main_parties(shares))
    outline = "" if seen is None else " Dashed: the returns, a single election, so more ragged than a mean over many."
    yield ReportFigure(
        "geography.png",
        _GEOGRAPHY,
        f"In how many of the districts a party has which share of the votes ({drawn}), over all runs of a model."
        " A narrow hump is a party as strong everywhere as in the nation, which wins nearly all districts or none;"
        f" a wide or double one is a party with strongholds.{outline}",
        geography(found, shares, None if seen is None else seen.to_dataset()),
    )


def _posteriors(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The calibrated models that accepted something, by name."""
    found = {
        name: node["posterior"].to_dataset() for name, node in tree.children.items() if "posterior" in node.children
    }
    return {name: posterior for name, posterior in found.items() if posterior.sizes["draw"]}


def _meta(tree: xr.DataTree) -> dict[str, Any]:
    observed = tree["observed"].attrs if "observed" in tree.children else {}
    posteriors = _posteriors(tree)
    source = observed.get("source")
    return {
        "title": observed.get("title") or observed.get("name"),
        "source": f"Returns: {str(source).rstrip('.')}." if source else None,
        "calibration": calibration_rows(posteriors),
        "identification": identification_rows(posteriors),
        "versions": versions(),
    }


def _fit_meta(tree: xr.DataTree, kind: str) -> dict[str, Any]:
    attrs = tree["fit"].attrs
    source = f"{kind}: {str(attrs['source']).rstrip('.')}." if attrs.get("source") else None
    return {"title": attrs.get("title"), "source": source, "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of the package, of Python and of the libraries that decide the numbers."""
    found = {}
    for name in ("electjax", "jax", "jaxlib", "numpy", "xarray"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found | {"Python": platform.python_version(), "system": platform.platform()}
