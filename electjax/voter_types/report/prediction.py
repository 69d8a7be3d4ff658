"""The report of a prediction: which type other voters are of."""

from collections.abc import Mapping
from typing import Any

from electjax.report.report import Report, ResultTable, source_text
from electjax.report.tables import Metrics, Rows, terminal_table
from electjax.voter_types.verdict import verdict_on_run

_CAPTION = (
    "Share of these voters, the mean of their probabilities of being of the type; the share whose likeliest type it is;"
    " and the share among the voters that the types were fitted to."
)


def rows(metrics: Metrics) -> Rows:
    """One row per type."""
    columns = zip(metrics["shares"], metrics["likeliest"], metrics["fitted_shares"], metrics["does"], strict=True)
    return [
        {
            "Type": f"type {k + 1}",
            "Share, %": f"{100 * share:.1f}",
            "Likeliest, %": f"{100 * likeliest:.1f}",
            "Fitted, %": f"{100 * fitted:.1f}",
            "What they do": does,
        }
        for k, (share, likeliest, fitted, does) in enumerate(columns)
    ]


def _without(row: Mapping[str, str]) -> Mapping[str, str]:
    return {name: text for name, text in row.items() if name != "What they do"}


def report(result: Any) -> Report:
    """What is said of a prediction: how many voters are of each type, and how surely."""
    metrics, found = result.metrics, result.tree["prediction"]
    of = [f"{100 * share:.0f} %{'' if k else ' are'} of type {k + 1}" for k, share in enumerate(metrics["shares"])]
    shares = ", ".join(of)
    largest = max(range(len(metrics["shares"])), key=lambda k: metrics["shares"][k])
    headline = [
        f"Of {metrics['voters']:,} voters {shares}.",
        f"Type {largest + 1}, the most frequent: {metrics['does'][largest]}.",
        f"The likeliest type of a voter has a probability of {100 * metrics['sure']:.0f} % on average.",
        f"Types of {metrics['fitted_to']}, applied to {metrics['ballots']} with {len(metrics['offices'])} offices.",
    ]
    table = rows(metrics)
    return Report(
        title=found.attrs.get("title") or metrics["ballots"],
        headline=headline,
        source=source_text("Ballots", found.attrs),
        summary=terminal_table(f"{metrics['ballots']}: types of the voters", [_without(row) for row in table]),
        table=ResultTable(table, _CAPTION, "The types of every voter are in tables/voters.csv."),
        verdict=verdict_on_run(result.tree),
    )
