"""The result table of an election (Mitra, Table 5): rows made once, rendered to a terminal and to html."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment
from rich import box
from rich.table import Table

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "sigma": "σ",
    "phi": "φ",
    "psi": "ψ",
}

_LONG_VECTOR, _LONG_MATRIX = 6, 16  # more values than these are told by their range
_MANY = 4  # of more parameters than these, only the calibrated ones are shown
_WRAP = 36  # letters of parameters in a line of the terminal's table

Metrics = Mapping[str, Any]


class Row(NamedTuple):
    """One line of the table, as text: party columns hold (seats, range), other absent figures are ""."""

    kind: str  # observed | proportional | default | optimal | best_draw
    name: str
    parameters: str
    seats: tuple[tuple[str, str], ...]
    likely: str
    mwm: str
    swm: str
    p_exact: str
    distance: str


def election_table(metrics: Metrics) -> Table:
    """The table for a terminal: seats per party as mean over range, and the summary statistics.

    Parameters
    ----------
    metrics
        The content of ``metrics.json``.
    """
    table = Table(
        title=f"{metrics['election']}: seats by party, mean over runs and range",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for party in parties(metrics):
        table.add_column(party, justify="right", overflow="fold")
    for heading in ("most likely", "MWM", "SWM", "P(exact)", "distance"):
        table.add_column(heading, justify="right", overflow="fold")
    rows = metrics_rows(metrics)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(
            _lines(row.name, *_wrapped(row.parameters)),
            *(_lines(*cell) for cell in row.seats),
            *(row.likely, row.mwm, row.swm, row.p_exact, row.distance),
            style="bold" if row.kind in {"observed", "optimal"} else "",
            end_section=following is not None and following.kind == "default",
        )
    return table


def as_html(metrics: Metrics) -> str:
    """The same table as an html fragment, every text escaped."""
    return _HTML.render(parties=parties(metrics), rows=metrics_rows(metrics), election=metrics["election"])


def metrics_rows(metrics: Metrics) -> list[Row]:
    """The rows of the table: observed, proportional, then default, optimal and best draw of each model."""
    return list(_rows(metrics))


def _rows(metrics: Metrics) -> Iterator[Row]:
    labels = parties(metrics)
    observed = metrics["observed"]
    yield _plain_row("observed", "Observed", labels, observed["seats"], observed)
    if metrics.get("proportional"):
        yield _plain_row("proportional", "Proportional", labels, metrics["proportional"], {})
    for model, results in metrics["models"].items():
        for kind in ("default", "optimal"):
            if kind in results:
                shown = parameters_text(_own(results, kind))
                yield _simulated_row(kind, f"{model.upper()} {kind}", labels, results[kind], shown)
        best = results.get("optimal", {}).get("best_draw")
        if best:
            yield _plain_row("best_draw", f"{model.upper()} best draw", labels, best["seats"], best)


def _own(results: Metrics, kind: str) -> Metrics:
    """The parameters that a row shows: at the optimum the calibrated ones, at the default all unless they are many."""
    parameters = results[kind]["parameters"]
    calibrated = (results.get("optimal", {}).get("best_draw") or {}).get("parameters", parameters)
    if kind == "default" and len(parameters) <= _MANY:
        return parameters
    return {name: value for name, value in parameters.items() if name in calibrated}


def parties(metrics: Metrics) -> list[str]:
    """Party labels in the order of the observed seats."""
    return list(metrics["observed"]["seats"])


def seat_vector(seats: Mapping[str, int], labels: Sequence[str]) -> str:
    """Seats of all parties in one word: 62/8/0/0."""
    return "/".join(f"{round(seats.get(label, 0))}" for label in labels)


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Parameters as read in a table: γ = 0.87, or η = 0.72, 0.8, 0.72; rows of a matrix apart by a bar.

    What is too long to read is told by its shape and range.
    """
    return "; ".join(f"{GREEK.get(name, name)} = {value_text(value)}" for name, value in parameters.items())


def value_text(value: Any) -> str:
    """A number, a vector or a matrix to three digits, or its shape and range."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, str) or value is None:
        return str(value)
    values = np.asarray(value)
    if values.size > (_LONG_VECTOR if values.ndim < 2 else _LONG_MATRIX):
        shape = " x ".join(map(str, values.shape))
        return f"{shape} values from {values.min():.3g} to {values.max():.3g}"
    if values.ndim > 1:
        return " | ".join(map(value_text, values))
    return ", ".join(f"{number:.3g}" for number in np.ravel(values))


def _simulated_row(kind: str, name: str, labels: Sequence[str], result: Metrics, parameters: str) -> Row:
    mean, low, high = result["seats_mean"], result["seats_min"], result["seats_max"]
    return Row(
        kind=kind,
        name=name,
        parameters=parameters,
        seats=tuple((f"{mean[k]:.1f}", f"{low[k]:.0f}–{high[k]:.0f}") for k in labels),
        likely=seat_vector(result["seats_mode"], labels) if "seats_mode" in result else "",
        p_exact=_probability_text(result["p_exact"]),
        **_margin_cells(result),
    )


def _plain_row(kind: str, name: str, labels: Sequence[str], seats: Mapping[str, int], rest: Metrics) -> Row:
    """A row of one outcome: no range, nothing most likely, no probability."""
    return Row(
        kind=kind,
        name=name,
        parameters=parameters_text(rest.get("parameters", {})),
        seats=tuple((f"{seats[label]:.0f}" if label in seats else "", "") for label in labels),
        likely="",
        p_exact="",
        **_margin_cells(rest),
    )


def _margin_cells(result: Metrics) -> dict[str, str]:
    return {
        "mwm": _number_text(result.get("mwm"), ".2f"),
        "swm": _number_text(result.get("swm"), ".2f"),
        "distance": _number_text(result.get("distance"), ".3g"),
    }


def _number_text(value: float | None, form: str) -> str:
    return "" if value is None or np.isnan(value) else format(value, form)


def _probability_text(p: float) -> str:
    """Two digits, but no probability between 0 and 1 is shown as 0 or 1."""
    if p in (0, 1):
        return f"{p:.0f}"
    return "<0.01" if p < 0.005 else ">0.99" if p > 0.995 else f"{p:.2f}"


def _wrapped(parameters: str) -> list[str]:
    """Lines of whole parameters."""
    lines: list[str] = []
    for part in filter(None, parameters.split("; ")):
        if lines and len(lines[-1]) + len(part) < _WRAP:
            lines[-1] += f"; {part}"
        else:
            lines.append(part)
    return lines


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<table class="results">
<caption>{{ election }}: seats by party (mean over runs, range below), most likely seat vector, mean and
standard deviation of the winning margin (MWM, SWM), probability of the observed seats,
distance (in tolerances; of the mean over runs, for a best draw of the draw itself). A parameter with a value per party
has them in the order of the columns.</caption>
<thead><tr><th scope="col">Model</th>
{%- for party in parties %}<th scope="col">{{ party }}</th>{% endfor -%}
<th scope="col">Most likely</th><th scope="col">MWM</th><th scope="col">SWM</th>
<th scope="col">P(exact)</th><th scope="col">Distance</th></tr></thead>
<tbody>
{% for row in rows %}
<tr class="{{ row.kind }}"><th scope="row">{{ row.name }}
{%- if row.parameters %}<small>{{ row.parameters }}</small>{% endif %}</th>
{%- for mean, range in row.seats %}<td>{{ mean }}{% if range %}<small>{{ range }}</small>{% endif %}</td>
{%- endfor -%}
<td>{{ row.likely }}</td><td>{{ row.mwm }}</td><td>{{ row.swm }}</td><td>{{ row.p_exact }}</td>
<td>{{ row.distance }}</td></tr>
{% endfor %}
</tbody>
</table>
""")
