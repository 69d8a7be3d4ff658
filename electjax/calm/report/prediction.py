"""What an earlier fit expects of other booths: its numbers and its page."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from electjax.calm.report.figures import prediction_dots
from electjax.data.verdict import verdict_of
from electjax.report.report import Report, ReportFigure, ResultTable, RowsSection, source_text
from electjax.report.tables import Metrics, Rows, enumeration, interval_text, level_text, number, plain, terminal_table

_CAPTION = "Expected votes of all booths together, and in how many constituencies a party is expected to be ahead."
_NOTE = (
    "Intervals are of what is expected, over draws of the parameters, without the chance of single votes. Booths that"
    " the fit has not seen have the mean booth effect of their constituency."
)
_MOST_PLACES = 40


def prediction_metrics(found: xr.Dataset, booths: xr.Dataset) -> Metrics:
    """What is expected, as plain numbers; where the booths have polled, how far off it was."""
    votes = found["constituency_votes"].transpose("constituency", "party")
    ahead = found["party"].values[votes.values.argmax(axis=1)].astype(str)
    electors = booths["electors"].sel(booth=found["booth"]).values.astype(float)
    metrics: Metrics = {
        "data": str(booths.attrs.get("name", "booths")),
        "booths": found.sizes["booth"],
        "constituencies": found.sizes["constituency"],
        "known_booths": int(found["known"].sum()),
        "electors": int(electors.sum()),
        "level": float(found.attrs["level"]),
        "turnout": plain(found["turnout"].values @ electors / electors.sum()),
        "parties": {
            str(party): {
                name: plain(found[name].sel(party=party))
                for name in ("party_votes", "party_share", "party_share_low", "party_share_high")
                if name in found
            }
            | {"ahead": int((ahead == str(party)).sum())}
            for party in found["party"].values
        },
    }
    polled = booths["polled"].sel(booth=found["booth"]).values.astype(float)
    if polled.any():
        own = booths["votes"].sel(booth=found["booth"], party=found["party"]).transpose("booth", "party").values
        share = found["share"].transpose("booth", "party").values
        off = np.abs(own - polled[:, None] * share).sum() / (2 * polled.sum())
        metrics["observed"] = {
            "turnout": plain(polled.sum() / electors.sum()),
            "turnout_error": plain(np.abs(polled - electors * found["turnout"].values).sum() / electors.sum()),
            "misplaced_votes": plain(off),
            "shares": {str(p): plain(x) for p, x in zip(found["party"].values, own.sum(0) / own.sum(), strict=True)},
        }
    return metrics


def prediction_rows(metrics: Metrics) -> Rows:
    """One row per party."""
    observed = metrics.get("observed", {}).get("shares", {})
    return [
        {"party": party, "expected votes": number(row["party_votes"], 0), "share": f"{row['party_share']:.1%}"}
        | ({"interval, %": _interval(row)} if "party_share_low" in row else {})
        | ({"observed": f"{observed[party]:.1%}"} if observed else {})
        | {"ahead in": str(row["ahead"])}
        for party, row in metrics["parties"].items()
    ]


def _interval(row: Metrics) -> str:
    return interval_text(row["party_share_low"], row["party_share_high"])


def place_rows(found: xr.Dataset) -> Rows:
    """One row per constituency: who is ahead, by how much, and with what share."""
    votes = found["constituency_votes"].transpose("constituency", "party").values
    parties = found["party"].values.astype(str)
    rows = []
    for place, own in list(zip(found["constituency"].values.astype(str), votes, strict=True))[:_MOST_PLACES]:
        order = np.argsort(-own, kind="stable")
        second = own[order[1]] if len(order) > 1 else 0.0
        total = max(own.sum(), 1e-30)
        rows.append(
            {
                "constituency": place,
                "ahead": parties[order[0]],
                "share": f"{own[order[0]] / total:.1%}",
                "lead over the second": f"{(own[order[0]] - second) / total:.1%}",
            }
        )
    return rows


def report(result: Any) -> Report:
    """The page of a prediction."""
    found, metrics = result.tree["prediction"].to_dataset(), result.metrics
    rows = prediction_rows(metrics)
    return Report(
        title=f"{metrics['data']}: predicted",
        headline=list(headline(metrics)),
        source=source_text("Booths", {"source": metrics.get("source", "")}),
        summary=terminal_table(f"{metrics['data']}: expected by the fit", rows),
        table=ResultTable(rows, _CAPTION, _NOTE),
        before=[RowsSection("places", "Constituencies", place_rows(found))],
        figures=figures(found, metrics),
        notes=[found.attrs["effects"][:1].upper() + found.attrs["effects"][1:] + "."],
        verdict=verdict_of(found.attrs),
    )


def figures(found: xr.Dataset, metrics: Metrics) -> Iterator[ReportFigure]:
    """Figures of a prediction."""
    yield ReportFigure(
        "prediction.png",
        "Expected shares",
        "Expected share of the votes of all booths, with its interval where there are draws; crosses where the booths"
        " have polled.",
        partial(prediction_dots, found, metrics.get("observed", {}).get("shares", {})),
    )


def headline(metrics: Metrics) -> Iterator[str]:
    """Who is expected to be ahead, how far off that was where votes are known, and what was done."""
    parties = metrics["parties"]
    order = sorted(parties, key=lambda party: -parties[party]["party_votes"])
    level = level_text(metrics["level"])
    said = []
    for n, party in enumerate(order[:3]):
        row = parties[party]
        name = f"{level} % interval " if n == 0 else ""
        ends = f" ({name}{_interval(row)})" if "party_share_low" in row else ""
        said.append(f"{party} {100 * row['party_share']:.1f} %{ends}")
    ahead, places = parties[order[0]]["ahead"], metrics["constituencies"]
    yield (
        f"The fit expects {enumeration(said)} of the votes, and a turnout of {metrics['turnout']:.1%};"
        f" {order[0]} is ahead in {ahead:,} of {places:,} constituenc{'y' if places == 1 else 'ies'}."
    )
    if observed := metrics.get("observed"):
        yield (
            f"These booths have polled: {observed['misplaced_votes']:.1%} of the expected votes would have to change"
            f" party to match every booth, and its turnout is off by {100 * observed['turnout_error']:.1f} points on"
            " average."
        )
    yield (
        f"An earlier fit of CALM was applied to {metrics['booths']:,} booths with {metrics['electors']:,} electors,"
        f" {metrics['known_booths']:,} of them booths of the fit, in {metrics['seconds']:.0f} s."
    )
