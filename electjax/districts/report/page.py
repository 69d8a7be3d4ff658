"""The report of an election's run: its figures and its tables."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import xarray as xr

from electjax.data.verdict import Verdict, together, verdict_of
from electjax.districts.report import tables
from electjax.districts.report.figures import (
    geography,
    main_parties,
    posterior_predictive,
    scenario_seats,
    seat_distribution,
)
from electjax.districts.report.frames import STAGES, models_with
from electjax.districts.report.headline import headline
from electjax.districts.report.places import places_figure
from electjax.districts.report.posterior import (
    MOST_PAIRS,
    calibration_trace,
    has_trace,
    pairs_of,
    posterior_pairs,
    posterior_parameters,
)
from electjax.districts.verdict import is_posterior, verdict_on
from electjax.report.report import Report, ReportFigure, ResultTable, RowsSection, source_text
from electjax.report.tables import Metrics

_PARAMETERS = "Calibrated parameters"
_CAPTION = (
    "{}: seats by party (mean over runs, range below), most likely seat vector, mean and standard deviation over"
    " districts of the winner's share of the votes (the winning margin of the paper, MWM and SWM), mean lead of the"
    " winner over the runner-up, probability of the observed seats, distance (in tolerances; of the mean over runs, for"
    " a best draw of the draw itself). A parameter with a value per party has them in the order of the columns."
)
_NOTE = (
    "Default: the parameters the model comes with, some of which were fitted to tables of the paper (DM's c = 3, prior"
    " masses, PCM's L = 1.5, ECM's α = 20 and β = .5). Optimal: ψ_OPT, of the draws closest to the observation the one"
    " whose mean over further simulations stays closest, simulated again with fresh seeds. Best draw: the single"
    " closest simulation, chosen among many, so fresh runs usually lie a little further away. P(exact) is the share of"
    " runs that give every party its observed seats. Shares are of the votes cast in a district; a pooled “others”"
    " counts as one runner-up."
)
_SCENARIOS = (
    "Simulated with the draws of the calibration: of each party's seats the mean and the interval that holds 90"
    " % of the elections, below it its share of the votes where the scenario sets it; and how often a party wins more"
    " than half of the seats. Baseline: the election as it was. A model's parameters are what they were in a district."
)
_CALIBRATION = (
    "By every method but “exact”, which has a likelihood, this is approximate Bayesian computation: parameters are"
    " drawn, the election is simulated with them, and a draw is accepted where the simulated statistics (seats, vote"
    " fractions and winning margins, unless set otherwise) come within the tolerance of the observed ones."
)
_IDENTIFICATION = (
    "Contraction is the share of the prior's variance that the posterior is without, on the scale on which the prior is"
    " uniform: 0 % is a posterior as wide as the prior. Below 25 % the parameter counts as not identified: its value in"
    " the tables above is as good as any other of its interval."
)


def report(result: Any) -> Report:
    """What is said of a run: `result.tree` with returns, simulations and posteriors, `result.metrics` with its numbers.

    The tree has `/observed` and per model `/default`, `/optimal`, `/fit`, `/counterfactual` and `/prediction`, with a
    node `geography` below elections; what is absent is left out.
    """
    tree, metrics = result.tree, result.metrics
    observed = tree["observed"].attrs if "observed" in tree.children else {}
    posteriors = fits_of(tree)
    verdicts = {name: verdict_on(fit) for name, fit in models_with(tree, "fit").items()}
    for name, prediction in models_with(tree, "prediction").items():
        if found := verdict_of(prediction.attrs):
            verdicts[name] = found
    return Report(
        title=observed.get("title") or observed.get("name") or metrics["election"],
        headline=headline(metrics, verdicts),
        verdict=_of_all(verdicts),
        source=source_text("Returns", observed),
        summary=tables.summary(metrics),
        table=ResultTable(
            tables.election_rows(metrics), _CAPTION.format(metrics["election"]), _NOTE, tables.row_kinds(metrics)
        ),
        before=[RowsSection("scenarios", "What would have been", tables.scenario_rows(metrics), note=_SCENARIOS)],
        figures=figures(tree, metrics),
        after=[
            RowsSection("calibration", "How it was calibrated", tables.calibration_rows(posteriors), _CALIBRATION),
            RowsSection(
                "identification",
                "Identified parameters",
                tables.identification_rows(posteriors),
                _IDENTIFICATION,
                heading="What the election says about each parameter",
            ),
        ],
    )


def _of_all(verdicts: Mapping[str, Verdict]) -> Verdict | None:
    """The verdict on a run; where it has several models, every reason names its own."""
    return together({model.upper(): found for model, found in verdicts.items()}) if verdicts else None


def figures(tree: xr.DataTree, metrics: Metrics) -> Iterator[ReportFigure]:
    """All figures of a run, in the order of the report."""
    models = {name: tree[name] for name in metrics["models"] if name in tree.children}
    simulations = {
        name: {kind: node[kind].to_dataset() for kind in STAGES if kind in node.children}
        for name, node in models.items()
    }
    simulations = {name: kinds for name, kinds in simulations.items() if kinds}
    if simulations:
        runs = sorted({data.sizes["run"] for kinds in simulations.values() for data in kinds.values()})
        yield ReportFigure(
            "seats.png",
            "Seat distributions",
            "How often each party wins so many seats over "
            f"{' or '.join(f'{n:,}' for n in runs)} simulated elections per setting. "
            "The dashed line marks the seats it won.",
            partial(seat_distribution, simulations, metrics["observed"]["seats"]),
        )
    for name, node in models.items():
        if "counterfactual" in node.children:
            worlds = node["counterfactual"].to_dataset()
            yield ReportFigure(
                f"scenarios_{name}.png",
                "Scenarios",
                f"{name.upper()}: seats under each scenario, {worlds.sizes['run']:,} elections each, with the draws of"
                " the calibration. Dot: mean; thick and thin bar: the intervals that hold 50 and 90 % of them."
                " All scenarios share their draws and their random numbers. Parties that win nothing are left out.",
                partial(scenario_seats, worlds),
            )
    yield from _places(tree, simulations)
    yield from _geography(tree, simulations)
    posteriors = fits_of(tree)
    for name, posterior in posteriors.items():
        what = "accepted draws, weighted" if is_posterior(posterior) else "best draws found, no posterior"
        yield ReportFigure(
            f"parameters_{name}.png",
            _PARAMETERS,
            f"{name.upper()}: {posterior.sizes['draw']:,} {what}, against the prior. Above each panel their median and "
            "the interval that holds 90 % of them; the dashed line is ψ_OPT, the best parameters on average.",
            partial(posterior_parameters, posterior),
        )
        if pairs_of(posterior):
            yield ReportFigure(
                f"pairs_{name}.png",
                _PARAMETERS,
                f"{name.upper()}: the same draws in pairs, area by weight; the cross is ψ_OPT. Of many parameters, the"
                f" {MOST_PAIRS} that the election says most about.",
                partial(posterior_pairs, posterior),
            )
    for name, posterior in posteriors.items():
        optimal = simulations.get(name, {}).get("optimal")
        fresh = "" if optimal is None else f" The outline shows {optimal.sizes['run']:,} fresh elections at ψ_OPT."
        yield ReportFigure(
            f"predictive_{name}.png",
            "Accepted simulations",
            f"{name.upper()}: every summary statistic in the accepted simulations, with the value observed. "
            f"Accepted simulations were chosen for being close, so they must look good.{fresh}",
            partial(posterior_predictive, posterior, optimal),
        )
    yield from _trace(posteriors)


def _trace(posteriors: Mapping[str, xr.Dataset]) -> Iterator[ReportFigure]:
    """How sequential calibrations went."""
    traced = {name: posterior for name, posterior in posteriors.items() if has_trace(posterior)}
    if traced:
        yield ReportFigure(
            "trace.png",
            "Course of the calibration",
            "Generation by generation: the tolerance, the share of the simulations that came within it, and how many"
            " independent draws the weighted ones are worth. A tolerance that no longer falls while the acceptance rate"
            " does has found what the model can reach.",
            partial(calibration_trace, traced),
        )


def _places(tree: xr.DataTree, simulations: Mapping[str, Mapping[str, xr.Dataset]]) -> Iterator[ReportFigure]:
    """Every district: who won it, who is expected to, and how surely; on a map, where the returns have one."""
    returns = tree["observed"].to_dataset() if "observed" in tree.children else None
    if returns is None or "votes" not in returns:
        return
    outlines = returns.attrs.get("map")
    how = "Stronger colours are larger shares or probabilities." if outlines else "A bar is a district."
    for name, stages in simulations.items():
        stage, elections = list(stages.items())[-1]
        if elections.sizes["district"] == returns.sizes["district"]:
            yield ReportFigure(
                f"map_{name}.png",
                "District by district",
                f"{name.upper()}, {stage} parameters: who won, who wins most of the simulated elections and how often,"
                f" and with what share on average. {how} The models know a district by its electors alone, not by its"
                " past: they cannot tell whose stronghold it is.",
                partial(places_figure, elections, returns, outlines),
            )


def _geography(tree: xr.DataTree, simulations: Mapping[str, Mapping[str, xr.Dataset]]) -> Iterator[ReportFigure]:
    """Where the parties' voters live, if the tree holds it."""
    histograms = {
        name: {kind: tree[f"{name}/{kind}/geography"].to_dataset() for kind in kinds}
        for name, kinds in simulations.items()
        if all("geography" in tree[f"{name}/{kind}"].children for kind in kinds)
    }
    if not histograms:
        return
    observed = tree["observed"].children.get("geography")
    popularity = tree["observed"].to_dataset()["popularity"]
    shares = {str(party): float(popularity.sel(party=party)) for party in popularity["party"].values}
    drawn = ", ".join(main_parties(shares))
    outline = "" if observed is None else " Dashed: the returns, one election, so more ragged than a mean over many."
    yield ReportFigure(
        "geography.png",
        "Geography",
        f"In how many of the districts a party has which share of the votes ({drawn}), over all runs of a model."
        " A narrow hump is a party as strong everywhere as in the nation, which wins nearly all districts or none;"
        f" a wide or double one is a party with strongholds.{outline}",
        partial(geography, histograms, shares, None if observed is None else observed.to_dataset()),
    )


def fits_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The calibrated models that accepted something, by name."""
    return {name: fit for name, fit in models_with(tree, "fit").items() if fit.sizes["draw"]}
