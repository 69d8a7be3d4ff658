"""The report of ecological estimates: its sentences, its figures and its tables."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.notes import notes_of
from electjax.data.verdict import verdict_of
from electjax.ecological.report.figures import context_lines, row_forest, transition_heatmap, unit_figure
from electjax.ecological.report.tables import (
    check_rows,
    check_table,
    context_rows,
    coverage_rows,
    coverage_table,
    method_rows,
    share_rows,
    summary,
    voters_rows,
    whole_table,
)
from electjax.ecological.report.truth import error_strip, truth_scatter
from electjax.ecological.schema import ESTIMATE
from electjax.ecological.verbs.table import TransitionTable, contest_table, contests_of, method_name, pooled_table
from electjax.report.report import Report, ReportFigure, ResultTable, RowsSection, source_text
from electjax.report.tables import Metrics, enumeration, interval_text

_MOST_NOTABLE = 3  # contests with figures of their own, by votes and by error
_MOST_CONTESTS = 150  # rows of the table of contests

_TABLE = (
    "Per cent of each row's voters who chose the column, with the 95 % interval where the method has one. All contests"
    " are added up by party; intervals are those of the sum, though made to fit single contests."
)
_ONE_TABLE = "Per cent of each row's voters who chose the column, with the 95 % interval where the method has one."
_VOTERS = "The same as shares of those of the row who voted: who did not is left out."
_CONTEXT = (
    "Whoever lives where a party is strong may vote for it more often than others of the same group do: the exponent β"
    " says by how much (0: not at all). It is an assumption, which margins cannot tell: they look much the same under"
    " very different β, and the estimates depend on it."
)
_CONTEXT_NOTE = (
    "The same data estimated with other exponents. Where these rows differ in what matters to you, the answer rests on"
    " the assumption. Contests like these whose tables were counted can settle it."
)
_COVERAGE = "Cells of rows with over 3 % of their contest's votes whose table was counted."
_EI = (
    "EI: the per cent of votes that stand in another cell than they should. Inside, width: share of the intervals of"
    " cell shares that hold the truth, and their mean width, in rows with over 3 % of the votes."
)
_LINES = (
    "Each line is a unit: the pairs of shares that its margins leave possible. Where the lines meet is where the"
    " margins say most, if all units are alike."
)
_DOTS = (
    "A row's share of the voters of each unit against a column's share of its votes, for the largest rows and the"
    " column that most of each chose; with the share that the contest's estimate leads to there."
)
_WENT, _BRACKETS = "Where the voters went", "Brackets: the row's share of the votes."
_ROWS = "Shares of each row's voters with their intervals; grey what the margins of the units leave possible."
_TRUTH = (
    "Cells in rows with over 3 % of their contest's votes. Right: the share of the intervals that hold the truth, by"
    " the estimated share, with two standard errors of a calibrated one; dashed what was promised."
)
_ERRORS = "EI by contest: the per cent of its votes that stand in another cell than they should."


def figures(tree: xr.DataTree) -> Iterator[ReportFigure]:
    """All figures of a run, in the order of the report."""
    result = tree["fit"].to_dataset()
    if result.sizes["contest"] == 1:
        yield from _contest_figures(result, contests_of(result)[0])
        yield from _context(result)
        return
    said = f"All {result.sizes['contest']:,} contests added up by party. {_BRACKETS}"
    yield ReportFigure("all.png", _WENT, said, partial(transition_heatmap, pooled_table(result)))
    yield from _context(result)
    if "error" in result and np.isfinite(result["error"].values).any():
        yield ReportFigure("truth.png", "Against the truth", _TRUTH, partial(truth_scatter, result))
        yield ReportFigure("errors.png", "Against the truth", _ERRORS, partial(error_strip, result, others_of(tree)))
    largest, worst = notable(result)
    for i, contest in enumerate(largest):
        yield from _contest_figures(result, contest, "The contests with most votes", f"votes_{i + 1}_", units=i == 0)
    for i, contest in enumerate(worst):
        yield from _contest_figures(
            result, contest, "The contests with the largest errors", f"error_{i + 1}_", units=False
        )


def _contest_figures(
    result: xr.Dataset, contest: str, title: str = "", prefix: str = "", *, units: bool = True
) -> Iterator[ReportFigure]:
    """Those of one contest; without a title of its own each is a section."""
    table = contest_table(result, contest)
    of = f"{contest}{_error(result, contest)}. " if title else ""
    yield ReportFigure(f"{prefix}table.png", title or _WENT, of + _BRACKETS, partial(transition_heatmap, table))
    yield ReportFigure(f"{prefix}rows.png", title or "Row by row", of + _ROWS, partial(row_forest, table))
    if not units:
        return
    said = _LINES if table.votes.shape == (2, 2) else _DOTS
    yield ReportFigure(f"{prefix}units.png", title or "Units", of + said, partial(unit_figure, result, table))


def _context(result: xr.Dataset) -> Iterator[ReportFigure]:
    if "cells_by_context" not in result or result.sizes["context"] < 2:
        return
    together = "" if result.sizes["contest"] == 1 else " All contests added up."
    said = f"Shares of each row over the context exponent, which is assumed and which margins cannot tell.{together}"
    yield ReportFigure("context.png", "What rests on the assumption", said, partial(context_lines, result))


def notable(result: xr.Dataset) -> tuple[list[str], list[str]]:
    """The contests with most votes, and of the others those with the largest errors."""
    checked = check_table(result)
    largest = checked["contest"].head(_MOST_NOTABLE).tolist()
    others = checked[~checked["contest"].isin(largest)].dropna(subset="ei")
    return largest, others.nlargest(_MOST_NOTABLE, "ei")["contest"].tolist()


def others_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Results of other methods in the tree, by what they are called."""
    nodes = {name: node.to_dataset() for name, node in tree.children.items() if name != "fit"}
    return {method_name(node): node for node in nodes.values() if node.attrs.get("conventions") == ESTIMATE.conventions}


def report(result: Any) -> Report:
    """What is said of a run: `result.tree` with the estimate and those of other methods, `result.metrics`."""
    estimate, metrics = result.tree["fit"].to_dataset(), result.metrics
    attrs, contests = estimate.attrs, estimate.sizes["contest"]
    others = others_of(result.tree)
    check = check_rows(estimate, _MOST_CONTESTS) if contests > 1 else []
    left_out = f" The {_MOST_CONTESTS} with most votes of {contests:,}." if contests > _MOST_CONTESTS else ""
    methods = method_rows({method_name(estimate): estimate} | others)
    table = whole_table(estimate)
    return Report(
        title=attrs.get("title") or metrics.get("data") or attrs.get("name", "Ecological estimates"),
        headline=headline(estimate, metrics),
        source=source_text("Units", attrs),
        verdict=verdict_of(attrs),
        summary=summary(estimate, others),
        table=ResultTable(share_rows(table), note=_TABLE if contests > 1 else _ONE_TABLE),
        before=[
            RowsSection("voters", "Among those who voted", voters_rows(table), _VOTERS),
            RowsSection(
                "context", "The assumption", context_rows(estimate), _CONTEXT, _CONTEXT_NOTE, "The context exponent"
            ),
            RowsSection("coverage", "Intervals", coverage_rows(estimate), _COVERAGE),
            RowsSection("methods", "Other methods", methods, note=_EI.partition(" Inside")[0]),
        ],
        figures=figures(result.tree),
        after=[RowsSection("contests", "Contest by contest", check, note=_EI + left_out)],
        notes=notes_of(estimate),
    )


def headline(result: xr.Dataset, metrics: Metrics) -> list[str]:
    """Who voted for whom, what was estimated, and how well, in a few sentences."""
    contests, attrs = result.sizes["contest"], result.attrs
    table = whole_table(result)
    took = f", in {metrics['seconds']:.0f} s" if "seconds" in metrics else ""
    sentences = [
        finding(table),
        f"{table.votes.sum():,.0f} {'votes' if table.voters is None else 'electors'} in {result.sizes['unit']:,} units"
        f" of {contests:,} contest{'' if contests == 1 else 's'}, estimated by {method_name(result)}{took}.",
    ]
    if attrs.get("method") == "context":
        spread = float(attrs.get("context_sd") or 0)
        around = f", and intervals allow for ± {spread:g} around it" if spread else ""
        sentences.append(
            f"The context exponent is assumed to be {float(attrs['context']):g}{around}: margins cannot tell it."
        )
    return [*sentences, *_truth(result)]


def finding(table: TransitionTable) -> str:
    """Which column most of each of the largest rows chose, in a sentence; of those who voted where that is told."""
    share, low, high = table.share, table.low, table.high
    if table.voters is not None:
        share, low, high = table.voters
    level = max(low, default=None)
    told = []
    for i in np.argsort(-table.row_votes, kind="stable")[:_MOST_NOTABLE]:
        if np.isfinite(share[i]).any():
            j = int(np.nanargmax(share[i]))
            ends = "" if level is None else f" ({interval_text(low[level][i, j], high[level][i, j])})"
            told.append(f"{100 * share[i, j]:.0f} %{ends} of {table.rows[i]} chose {table.columns[j]}")
    among = "" if table.voters is None else "Among those who voted, "
    return f"{among}{enumeration(told)}." if told else "The rows have no voters."


def _truth(result: xr.Dataset) -> Iterator[str]:
    if "error" not in result or not np.isfinite(result["error"].values).any():
        return
    error = result["error"].values[np.isfinite(result["error"].values)]
    said = f"Of 100 votes {error.mean():.2f} stand in a wrong cell"
    if result.sizes["contest"] > 1:
        said += f", on average over {error.size:,} contests whose table was counted (the worst: {error.max():.2f})"
    yield said + "."
    coverage = coverage_table(result)
    coverage = coverage[coverage["cells"] > 0]
    if len(coverage):
        parts = [
            f"{line['covered']:.1%} of the {100 * line['level']:g} % intervals" for line in coverage.to_dict("records")
        ]
        width = 100 * coverage["width"].iloc[-1]
        yield f"The truth is inside {' and '.join(parts)}, the last {width:.1f} points wide on average."


def _error(result: xr.Dataset, contest: str) -> str:
    if "error" not in result:
        return ""
    error = float(result["error"].values[contests_of(result).index(contest)])
    return f" (EI {error:.2f} %)" if np.isfinite(error) else ""
