"""Tables of the candidate-aware model, for a terminal and as rows for html; they read the content of metrics.json."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import Environment
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from electjax.report.tables import Metrics

Rows = list[dict[str, str]]

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
    "rho": "proximity",
    "mobilisation": "mobilisation",
    "stability": "stability",
    "collinearity": "collinearity",
}


def calm_summary(metrics: Metrics) -> Group:
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
            parts.append(_table(title, rows))
    parts += [Text(f"{name}: {verdict}") for name, verdict in verdicts(metrics)]
    return Group(*parts)


def coefficient_rows(metrics: Metrics) -> Rows:
    """One row per component of eta: per SD, in percentage points, raw, and of a full match."""
    known = [key for key in _HEADINGS if any(row.get(key) is not None for row in metrics["coefficients"].values())]
    return [
        {"axis": name} | {_HEADINGS[key]: _cell(key, row) for key in known}
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
    found = metrics.get("truth", {}).get("parameters", {})
    return [
        {
            "parameter": name,
            "truth": number(row["truth"], 4),
            "estimate": with_error(row["estimate"], row["se"], 4),
            "z": number(row["z"], 2, signed=True),
        }
        for name, row in found.items()
    ]


def affinity_rows(metrics: Metrics) -> Rows:
    """One row per cell that is named: its g, as it is and standardised."""
    rows = []
    for cell in metrics.get("affinity", {}).get("cells", []):
        row = {"cell": cell["cell"]}
        for name, value in cell["raw"].items():
            row[f"g {name}"] = f"{value:g}"
        for name, value in cell["standardised"].items():
            row[f"{name}, SD"] = number(value, 3, signed=True)
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
            "change": with_interval(*(row["votes"]["change"][key] for key in ("value", "low", "high")), digits=0),
        }
        for place, parties in list(places.items())[:_MOST_PLACES]
        for party, row in parties.items()
    ]


def counterfactual_rows(metrics: Metrics) -> Rows:
    """One row per party: votes and seats as it is, otherwise, and the difference with its interval."""
    found = metrics.get("counterfactual")
    if not found:
        return []
    rows = []
    for party, row in found["parties"].items():
        cells = {"party": party}
        for name in ("votes", "seats"):
            cells[name] = number(row[name]["before"], 0)
            cells[f"{name}, then"] = number(row[name]["after"], 0)
            change = row[name]["change"]
            cells[f"change of {name}"] = with_interval(change["value"], change["low"], change["high"], digits=0)
        rows.append(cells)
    return rows


def diagnostic_rows(metrics: Metrics) -> Rows:
    """One row per diagnostic: its verdict."""
    return [{"diagnostic": name, "verdict": verdict} for name, verdict in verdicts(metrics)]


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


def verdicts(metrics: Metrics) -> Iterator[tuple[str, str]]:
    """What each diagnostic says."""
    for name, found in metrics["diagnostics"].items():
        yield DIAGNOSTICS.get(name, name), found["verdict"]


def with_error(value: float | None, error: float | None, digits: int, *, signed: bool = False) -> str:
    """A number and its standard error: +0.31 ± 0.02."""
    return number(value, digits, signed=signed) + ("" if error is None else f" ± {error:.{digits}f}")


def with_interval(value: float | None, low: float | None, high: float | None, *, digits: int) -> str:
    """A change and its interval: +12 (+3 to +21)."""
    ends = "" if low is None or high is None else f" ({low:+,.{digits}f} to {high:+,.{digits}f})"
    return number(value, digits, signed=True) + ends


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number with so many digits; nothing where there is none."""
    return "" if value is None else f"{value:{'+' if signed else ''},.{digits}f}"


def as_html(metrics: Metrics) -> str:
    """The table of the coefficients as an html fragment, every text escaped."""
    rows = coefficient_rows(metrics) or parameter_rows(metrics)
    return _HTML.render(headings=list(rows[0])[1:], rows=[list(row.values()) for row in rows])


def _table(title: str, rows: Sequence[Mapping[str, str]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for i, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*map(Text, row.values()))
    return table


_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<table class="results">
<caption>Effect of a candidate like the cell, by axis, with its standard error.</caption>
<thead><tr><th scope="col"></th>{% for heading in headings %}<th scope="col">{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
""")
