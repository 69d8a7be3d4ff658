"""The report of a run of CALM: its sentences, its figures and its tables."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import xarray as xr

from electjax.calm.report import tables
from electjax.calm.report.figures import (
    booth_scatter,
    category_heatmap,
    change_forest,
    coefficient_forest,
    diagnostic_figures,
)
from electjax.calm.report.headline import sentences
from electjax.data.verdict import Verdict, verdict, verdict_of
from electjax.report.report import Report, ReportFigure, ResultTable, RowsSection, source_text
from electjax.report.tables import Metrics

_CAPTION = "Effect of a candidate like the cell, by axis, with its standard error."
_NOTE = (
    "η is the shift in the log odds of a party among people of a cell when its candidate is one standard deviation more"
    " like them on an axis; pp is what that makes of the party's share, on average over the electors who vote. Raw: the"
    " same for g as it is, from 0 (nothing in common) to 1 (a full match). Full match: what a candidate like the cell"
    " adds over an average one."
)
_PARAMETERS = "Log odds, but for ρ: the correlation of two electors' choices within a booth."
_AFFINITY = (
    "How near a candidate is to people of a cell, on each axis: 1 for a match, less for adjacent categories, 0 for"
    " none; then standardised over constituencies, cells and parties, as the model takes it."
)
_SWAP = (
    "Expected votes and seats of each party under the fitted model, with the candidates as they are and with others;"
    " the difference with its interval over draws of the parameters."
)
_HOLDOUT = (
    "Losses of booths that were kept out of the fit, with and without a term: KL of the party shares, and BCE of the"
    " turnout above that of a perfect fit. Differences are paired booth by booth, their standard errors clustered by"
    " constituency. Where the model has booth effects, a booth that was kept out has the mean one of its constituency."
)
_EFFECTS = (
    "Booth effects are part of the fit, so this shows how much of the scatter they take up, and is no test; booths kept"
    " out have their constituency's mean effect."
)
_NO_EFFECTS = "The model has no booth effects: what is off the line is what it leaves unexplained."
_TRUTH = "These booths were generated, and what they were generated from is known."


def figures(tree: xr.DataTree, metrics: Metrics) -> Iterator[ReportFigure]:
    """All figures of a run, in the order of the report."""
    fit = tree["fit"].to_dataset()
    truth = metrics.get("truth", {}).get("parameters", {})
    if metrics["coefficients"]:
        known = {name: truth[f"eta[{name}]"]["truth"] for name in metrics["coefficients"] if f"eta[{name}]" in truth}
        yield ReportFigure(
            "coefficients.png",
            "Candidate affinity",
            "Effect of one standard deviation of affinity on each axis, on the log odds of the party and on its share.",
            partial(coefficient_forest, metrics["coefficients"], metrics["level"], known),
        )
    if tree["margins"].sizes["group"]:
        yield ReportFigure(
            "categories.png",
            "Who votes, and for whom",
            "Fitted turnout and choice of the electors of each category, in per cent; in brackets the category's share"
            " of the electors.",
            partial(category_heatmap, tree["margins"].to_dataset()),
        )
    yield ReportFigure(
        "booths.png",
        "Booths, observed and fitted",
        "Turnout and party shares of every booth. " + (_EFFECTS if "b_T" in fit else _NO_EFFECTS),
        partial(booth_scatter, fit),
    )
    if "counterfactual" in tree.children:
        yield ReportFigure(
            "counterfactual.png",
            "Other candidates",
            "What other candidates change of the expected votes and seats of each party.",
            partial(change_forest, tree["counterfactual"].to_dataset()),
        )
    yield from diagnostic_figures(tree)


def report(result: Any) -> Report:
    """What is said of a run: `result.tree` with the fit and its diagnostics, `result.metrics` with its numbers."""
    metrics, tree, attrs = result.metrics, result.tree, result.tree["fit"].attrs
    rows = tables.coefficient_rows(metrics) or tables.parameter_rows(metrics)
    return Report(
        title=attrs.get("title") or metrics["data"],
        headline=list(sentences(metrics, tree["margins"].to_dataset(), tables.swaps_of(metrics))),
        source=source_text("Booths", attrs),
        summary=tables.summary(metrics),
        table=ResultTable(rows, _CAPTION, _NOTE),
        before=[
            RowsSection(
                "affinity",
                "Cells and candidate",
                tables.affinity_rows(metrics),
                tables.candidate_of(metrics),
                _AFFINITY,
            ),
            RowsSection("diagnostics", "Diagnostics", tables.diagnostic_rows(metrics)),
            RowsSection("holdout", "Booths kept out", tables.holdout_rows(metrics), note=_HOLDOUT),
            RowsSection("truth", "Against the truth", tables.truth_rows(metrics), _TRUTH, truth_text(metrics)),
            RowsSection(
                "candidates", "Other candidates", tables.counterfactual_rows(metrics), swap_text(metrics), _SWAP
            ),
            RowsSection("places", "Other candidates by constituency", tables.place_rows(metrics)),
        ],
        figures=figures(tree, metrics),
        after=[RowsSection("parameters", "Other parameters", tables.parameter_rows(metrics), note=_PARAMETERS)],
        notes=metrics["notes"],
        verdict=verdict_of_all(tree),
    )


def verdict_of_all(tree: xr.DataTree) -> Verdict:
    """The verdict on a run: of its fit and other candidates; a diagnostic alone makes it no worse than "with care"."""
    known = {name: found for name, node in tree.children.items() if (found := verdict_of(node.attrs))}
    return verdict(
        doubt if name in ("fit", "counterfactual") else doubt._replace(level="with care")
        for name, found in known.items()
        for doubt in found.doubts
    )


def truth_text(metrics: Metrics) -> str:
    """How far the fit is from the truth, in a sentence."""
    truth = metrics.get("truth")
    if not truth or not truth["compared"]:
        return ""
    said = (
        f"Of {truth['compared']:,} parameters with a standard error, {truth['within']:.0%} lie within their"
        f" {metrics['level']:.0%} interval, the furthest {truth['largest_z']:.1f} standard errors off."
    )
    if "choice_error" in truth:
        said += (
            f" Of cells, the turnout is off by {100 * truth['turnout_error']:.2f} and the choice by"
            f" {100 * truth['choice_error']:.2f} percentage points on average."
        )
    return said


def swap_text(metrics: Metrics) -> str:
    """Which candidates are others, in a sentence."""
    changes = tables.swaps_of(metrics)
    return f"Changed: {changes}." if changes else ""
