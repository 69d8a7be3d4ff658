"""The tables of voter types, for a terminal and as rows for html; they read the content of `metrics.json`."""

import math
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment
from rich import box
from rich.console import Group
from rich.table import Table

from electjax.report.tables import Metrics

CRITERIA = {"bic": "BIC", "aic": "AIC", "sabic": "SABIC", "caic": "CAIC", "icl": "ICL"}
_MOST_OFFICES = 60


def types_summary(metrics: Metrics) -> Group:
    """The numbers of types that were tried, and what the chosen types are like, for a terminal."""
    tables = [profile_table(metrics)]
    if len(metrics["types"]) > 1:
        tables.insert(0, choice_table(metrics))
    return Group(*tables)


def choice_table(metrics: Metrics) -> Table:
    """One row per number of types."""
    table = _table(f"{metrics['ballots']}: how many types")
    rows = choice_rows(metrics)
    for heading in rows[0]:
        table.add_column(heading, justify="right")
    for row, number in zip(rows, metrics["types"], strict=True):
        table.add_row(*row.values(), style="bold" if int(number) == metrics["fit"]["types"] else "")
    return table


def profile_table(metrics: Metrics) -> Table:
    """One column per type: its share with its interval, and of every office its probabilities in per cent."""
    fit = metrics["fit"]
    table = _table(
        f"{metrics['ballots']}: {' / '.join(fit['options'])}, per cent of the type with all options on offer"
    )
    table.add_column("", overflow="fold")
    for heading, interval in zip(type_headings(metrics), share_texts(metrics), strict=True):
        table.add_column(f"{heading}\n{interval}", justify="right")
    for office, cells in office_rows(metrics):
        table.add_row(office, *cells)
    if len(fit["mu"]) > _MOST_OFFICES:
        table.caption = f"the first {_MOST_OFFICES} of {len(fit['mu'])} offices; all are in metrics.json"
    return table


def type_headings(metrics: Metrics) -> list[str]:
    """ "type 1" and so on."""
    return [f"type {k + 1}" for k in range(metrics["fit"]["types"])]


def share_texts(metrics: Metrics) -> list[str]:
    """Shares of the types with their intervals: 44.9 % (43.2–46.6)."""
    fit = metrics["fit"]
    return [
        f"{100 * share:.1f} %"
        + (f" ({100 * low:.1f}–{100 * high:.1f})" if low is not None and high is not None else "")
        for share, low, high in zip(fit["shares"], fit["shares_low"], fit["shares_high"], strict=True)
    ]


def office_rows(metrics: Metrics) -> Iterator[tuple[str, list[str]]]:
    """Per office its name and, per type, the probabilities of its options: 2/5/93."""
    for office, types in list(metrics["fit"]["mu"].items())[:_MOST_OFFICES]:
        yield office, ["/".join("·" if value is None else f"{100 * value:.0f}" for value in mu) for mu in types]


def choice_rows(metrics: Metrics) -> list[dict[str, str]]:
    """One row per number of types: fit, parameters, criteria, and how clearly types are told apart."""
    tested = any("blrt_p" in found for found in metrics["types"].values())
    return [
        {
            "Types": f"{number}",
            "Log-likelihood": f"{found['log_likelihood']:,.2f}",
            "Parameters": f"{found['parameters']:,}",
            **{label: f"{found[name]:,.1f}" for name, label in CRITERIA.items() if name in found},
            "Entropy": f"{found['entropy']:.3f}" if int(number) > 1 else "",
            "Starts at best": f"{found['starts_at_best']:.0%}",
            **({"BLRT p": "" if found.get("blrt_p") is None else f"{found['blrt_p']:.3f}"} if tested else {}),
        }
        for number, found in metrics["types"].items()
    ]


def membership_rows(metrics: Metrics) -> list[dict[str, str]]:
    """One row per term: its coefficient in every type but the baseline, with its standard error."""
    fit = metrics["fit"]
    if len(fit["gamma"]) < 2 or fit["types"] < 2:
        return []
    return [
        {"Term": term}
        | {
            heading: _with_error(values[k], fit["gamma_se"][term][k])
            for k, heading in enumerate(type_headings(metrics))
            if k
        }
        for term, values in fit["gamma"].items()
    ]


def truth_rows(metrics: Metrics) -> list[dict[str, str]]:
    """How the fit compares to a known truth, where there is one."""
    truth = metrics.get("truth")
    if not truth:
        return []
    columns = zip(truth["types"], truth["fitted_types"], truth["shares"], truth["fitted_shares"], strict=True)
    return [
        {"True type": name, "Fitted as": f"type {own}", "Share, true": f"{share:.1%}", "Share, fitted": f"{found:.1%}"}
        for name, own, share, found in columns
    ]


def as_html(metrics: Metrics) -> str:
    """The table of the chosen types as an html fragment, every text escaped."""
    return _HTML.render(
        options=" / ".join(metrics["fit"]["options"]),
        headings=zip(type_headings(metrics), share_texts(metrics), strict=True),
        rows=list(office_rows(metrics)),
    )


def _with_error(value: float | None, error: float | None) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.2f}" + ("" if error is None else f"; ± {error:.2f}")


def _table(title: str, **options: Any) -> Table:
    return Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, **options)


_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<table class="results">
<caption>Share of each type among these voters with its interval, and per office {{ options }}: per cent of a type's
voters who choose each, where all options are on the ballot. A dot stands for an option that was on no ballot.</caption>
<thead><tr><th scope="col">Office</th>
{%- for heading, share in headings %}<th scope="col">{{ heading }}<small>{{ share }}</small></th>{% endfor -%}
</tr></thead>
<tbody>
{% for office, cells in rows %}
<tr><th scope="row">{{ office }}</th>{% for cell in cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
""")
