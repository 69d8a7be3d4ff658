"""Tables of CALM as rows of text; they read the content of metrics.json."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from electjax.report.tables import Metrics, Rows, number, terminal_table, with_error, with_interval

_HEADINGS = {
    "eta": "η per SD",
    "eta_pp": "pp per SD",
    "eta_raw": "η raw",
    "boost": "full match",
    "g_mean": "mean g",
    "g_sd": "SD g",
}
_MOST_PLACES = 12
DIAGNOSTICS = {
    "holdout": "booths kept out",
    "placebo": "placebo",
    "rho_curve": "proximity",
    "mobilisation": "mobilisation",
    "stability": "stability",
    "collinearity": "collinearity",
}


def summary(metrics: Metrics) -> Group:
    """Coefficients, the document's example, other candidates and diagnostics, for a terminal."""
    data = metrics["data"]
    parts: list[RenderableType] = []
    for title, rows in (
        (f"{data}: candidate affinity, coefficients and their standard errors", coefficient_rows(metrics)),
        (f"{data}: against the truth", truth_rows(metrics)),
        (f"{data}: affinity g with {candidate_of(metrics)}", affinity_rows(metrics)),
        (f"{data}: other candidates ({swaps_of(metrics)})", counterfactual_rows(metrics)),
    ):
        if rows:
            parts.append(terminal_table(title, rows))
    parts += [Text(f"{row['diagnostic']}: {row['finding']}") for row in diagnostic_rows(metrics)]
    return Group(*parts)


def coefficient_rows(metrics: Metrics) -> Rows:
    """One row per component of eta: per SD, in percentage points, raw, and of a full match."""
    known = [key for key in _HEADINGS if any(row.get(key) is not None for row in metrics["coefficients"].values())]
    return [
        {"axis": name if row.get("identified", True) else f"{name}\nnot identified"}
        | {_HEADINGS[key]: _cell(key, row) for key in known}
        for name, row in metrics["coefficients"].items()
    ]


def _cell(key: str, row: Mapping[str, Any]) -> str:
    digits = 2 if key == "eta_pp" else 3
    return with_error(row.get(key), row.get(f"{key}_se"), digits, signed=key not in ("g_mean", "g_sd"))


def parameter_rows(metrics: Metrics) -> Rows:
    """One row per other parameter that stands alone."""
    return [
        {"parameter": name, "estimate": with_error(row["value"], row["se"], 4, signed=True)}
        for name, row in metrics["parameters"].items()
    ]


def truth_rows(metrics: Metrics) -> Rows:
    """One row per parameter whose truth is known."""
    return [
        {
            "parameter": name,
            "truth": number(row["truth"], 4),
            "estimate": with_error(row["estimate"], row["se"], 4),
            "z": number(row["z"], 2, signed=True),
        }
        for name, row in metrics.get("truth", {}).get("parameters", {}).items()
    ]


def affinity_rows(metrics: Metrics) -> Rows:
    """One row per cell that is named: its g, as it is and standardised."""
    rows = []
    for cell in metrics.get("affinity", {}).get("cells", []):
        row = {"cell": cell["cell"]}
        row |= {f"g {name}": f"{value:g}" for name, value in cell["raw"].items()}
        row |= {f"{name}, SD": number(value, 3, signed=True) for name, value in cell["standardised"].items()}
        rows.append(row | ({"η'g": number(cell["boost"], 3, signed=True)} if "boost" in cell else {}))
    return rows


def candidate_of(metrics: Metrics) -> str:
    """Whose affinity the rows of `affinity_rows` tell."""
    return str(metrics.get("affinity", {}).get("candidate", ""))


def swaps_of(metrics: Metrics) -> str:
    """Which candidates are others."""
    return "; ".join(metrics.get("counterfactual", {}).get("changes", []))


def place_rows(metrics: Metrics) -> Rows:
    """One row per constituency with another candidate and party: its votes; none where it is the only one."""
    places = metrics.get("counterfactual", {}).get("places", {})
    if metrics["constituencies"] == 1:
        return []
    return [
        {
            "constituency": place,
            "party": party,
            "votes": number(row["votes"]["before"], 0),
            "then": number(row["votes"]["after"], 0),
            "change": _change(row["votes"]),
        }
        for place, parties in list(places.items())[:_MOST_PLACES]
        for party, row in parties.items()
    ]


def counterfactual_rows(metrics: Metrics) -> Rows:
    """One row per party: votes and seats as it is, otherwise, and the difference with its interval."""
    rows = []
    for party, row in metrics.get("counterfactual", {}).get("parties", {}).items():
        cells = {"party": party}
        for name in ("votes", "seats"):
            cells[name] = number(row[name]["before"], 0)
            cells[f"{name}, then"] = number(row[name]["after"], 0)
            cells[f"change of {name}"] = _change(row[name])
        rows.append(cells)
    return rows


def _change(row: Mapping[str, Any]) -> str:
    change = row["change"]
    return with_interval(change["value"], change["low"], change["high"], digits=0)


def diagnostic_rows(metrics: Metrics) -> Rows:
    """One row per diagnostic: its verdict, and what it found."""
    return [
        {"diagnostic": DIAGNOSTICS.get(name, name), "verdict": row.get("verdict", ""), "finding": row["finding"]}
        for name, row in metrics["diagnostics"].items()
    ]


def holdout_rows(metrics: Metrics) -> Rows:
    """One row per diagnostic and measure that compares booths kept out with and without a term."""
    return [
        {
            "term": {"holdout": "candidate affinity", "mobilisation": "mobilisation"}[name],
            "loss": f"{measure} per {'vote' if measure == 'KL' else 'elector'}",
            "without": number(row["without"], 6),
            "with": number(row["with"], 6),
            "gain": with_error(row["gain"], row["gain_se"], 6, signed=True),
            "z": number(row["gain_z"], 1, signed=True),
        }
        for name in ("holdout", "mobilisation")
        for measure, row in metrics["diagnostics"].get(name, {}).items()
        if measure in ("KL", "BCE")
    ]
