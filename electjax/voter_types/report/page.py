"""The report of a run of voter types: its sentences, its figures and its tables."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from electjax.report.report import Report, ReportFigure, ResultTable, RowsSection, source_text
from electjax.report.tables import Metrics, level_text
from electjax.voter_types.report.figures import (
    bivariate_residuals,
    local_maxima,
    propensities,
    scree,
    sharpness,
    type_shares,
)
from electjax.voter_types.report.tables import (
    MOST_LINES,
    choice_rows,
    choices_rows,
    membership_rows,
    pair_rows,
    summary,
    truth_rows,
    type_rows,
)
from electjax.voter_types.verdict import verdict_on_run

_CAPTION = (
    "Types are numbered by their share of the voters of these ballots, which has its interval beside it. What a type"
    " does is what its voters choose where all options are on the ballot; tables/shares.csv has it, too."
)
_NOTE = (
    "A voter belongs to one type, and votes in every office with that type's probabilities, independently from office"
    " to office."
)
_OPTIONS = (
    "Per cent of a type's voters who choose each option where all options are on the ballot, with {level} %"
    " intervals. A dot stands for an option that was on no ballot.{more} All of it is in tables/types.csv."
)
_PAIRS = "Pairs of offices that vote together for a reason that the types do not know; 1 is expected."
_CHOICE = (
    "AIC, BIC, SABIC, CAIC and ICL weigh the log-likelihood against the number of parameters; smaller is better."
    " Entropy is 1 where every voter's type is certain and 0 where none is. The likelihood has many local maxima: the"
    " last column says how many of the starts ended at the best one that was found."
)
_MEMBERSHIP = (
    "Coefficients of a multinomial logit with their standard errors: how much the log odds of being of a type, rather"
    " than of type 1, change with the term."
)
_TRUTH = "These ballots were generated, and what they were generated from is known."
_MOST_DESCRIBED = 6  # types that the headline describes
_FIGURES = {
    "propensities": (
        "What the types do",
        "Per cent of a type's voters who choose each option of an office where all options are on the ballot; with the"
        " type's name its share of the voters. Where there are many offices, those options in which the types differ"
        " most.",
    ),
    "shares": ("How many voters are of each type", "Share of the voters of these ballots, with its interval."),
    "sharpness": (
        "How surely voters are told apart",
        "Left: the posterior probability of each voter's likeliest type, coloured by that type. Right: the voters"
        " of each likeliest type, and the mean of their probabilities of being of another.",
    ),
    "scree": ("How many types", "Information criteria over the number of types; smaller is better."),
    "maxima": ("Local maxima", "Where the starts ended, the best maximum first."),
    "residuals": (
        "What the types leave unexplained",
        "Pearson's chi-square of the two-way table of each pair of offices under the fit, per degree of freedom:"
        " near 1 where the types explain what the two have in common.",
    ),
}


def figures(tree: xr.DataTree, metrics: Metrics) -> Iterator[ReportFigure]:
    """All figures of a run, in the order of the report."""
    fit = tree["fit"].to_dataset()
    truth = metrics.get("truth")
    known = np.array(truth["shares"])[np.argsort(truth["fitted_types"])] if truth else None
    yield _figure("propensities", propensities, fit)
    yield _figure("shares", type_shares, fit, known)
    if fit.sizes["type"] > 1 and "zeta" in fit:
        yield _figure("sharpness", sharpness, fit)
    if "selection" in tree.children and tree["selection"].sizes["types"] > 1:
        yield _figure("scree", scree, tree["selection"].to_dataset(), metrics["fit"]["types"])
    if "maxima_starts" in fit and fit.sizes["type"] > 1:
        yield _figure("maxima", local_maxima, fit)
    if "residuals" in tree.children and "bivariate" in tree["residuals"]:
        yield _figure("residuals", bivariate_residuals, tree["residuals"].to_dataset())


def _figure(name: str, draw: Callable[..., Figure], *given: Any) -> ReportFigure:
    return ReportFigure(f"{name}.png", *_FIGURES[name], partial(draw, *given))


def report(result: Any) -> Report:
    """What is said of a run: `result.tree` with the fit and what was asked of it, `result.metrics` with its numbers."""
    metrics, attrs = result.metrics, result.tree["fit"].attrs
    many, fit = len(metrics["types"]) > 1, metrics["fit"]
    rows = choices_rows(metrics)
    left = len(rows) - MOST_LINES
    more = f" {left:,} choices more are not shown here." if left > 0 else ""
    return Report(
        title=attrs.get("title") or metrics["ballots"],
        headline=headline(metrics),
        source=source_text("Ballots", attrs),
        summary=summary(metrics),
        verdict=verdict_on_run(result.tree),
        table=ResultTable(type_rows(metrics), _CAPTION, _NOTE),
        before=[
            RowsSection(
                "options",
                "What each type chooses",
                rows[:MOST_LINES],
                note=_OPTIONS.format(level=level_text(fit["level"]), more=more),
            ),
            RowsSection("choice", "Numbers of types compared", choice_rows(metrics) if many else [], note=_CHOICE),
            RowsSection("membership", "Who is of which type", membership_rows(metrics), note=_MEMBERSHIP),
            RowsSection("truth", "Against the truth", truth_rows(metrics), _TRUTH, truth_text(metrics)),
        ],
        after=[RowsSection("pairs", "Least explained pairs", pair_rows(metrics), note=_PAIRS)],
        figures=figures(result.tree, metrics),
        notes=metrics["remarks"],
    )


def headline(metrics: Metrics) -> list[str]:
    """What was found, type by type, then what was done, in a few sentences made from the metrics."""
    fit, tried = metrics["fit"], list(metrics["types"])
    chosen = metrics["types"][str(fit["types"])]
    number = fit["types"]
    kinds = f"fall into {number} types" if number > 1 else "are taken as one type"
    sentences = [f"The {metrics['voters']:,} voters {kinds}."]
    for k, (share, does) in enumerate(zip(fit["shares"], fit["does"], strict=True)):
        if k == _MOST_DESCRIBED:
            sentences.append(
                f"The other {number - k} types, with {_percent(sum(fit['shares'][k:]))}, are in the table."
            )
            break
        sentences.append(f"Type {k + 1} ({_percent(share)} of the voters): {does}.")
    if len(tried) > 1:
        by = f"by {fit['chosen_by'].upper()}" if isinstance(fit["chosen_by"], str) else "as set"
        sentences.append(f"Of {tried[0]} to {tried[-1]} types, {number} were chosen {by}.")
    sentences.append(
        f"{metrics['offices']} offices, {metrics['rows']:,} different ballots; {chosen['parameters']:,} parameters;"
        f" log-likelihood {fit['log_likelihood']:,.2f}, which {_percent(chosen['starts_at_best'])} of"
        f" {metrics['restarts']:,} starts reached; {metrics['seconds']:.0f} s."
    )
    return sentences


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def truth_text(metrics: Metrics) -> str:
    """How far the fit is from the truth, in a sentence."""
    truth = metrics.get("truth")
    if not truth:
        return ""
    said = f"The likeliest type is the true one of {_percent(truth['agreement'])} of the voters."
    if truth["compared"]:
        said = (
            f"Of {truth['compared']:,} probabilities with a standard error, {_percent(truth['within'])} lie within 1.96"
            f" of them from the truth, the furthest {truth['largest_z']:.1f} away. {said}"
        )
    return said
