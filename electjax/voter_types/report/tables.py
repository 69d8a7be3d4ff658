"""Tables of voter types as rows of text; they read the content of metrics.json."""

from rich.console import Group, RenderableType
from rich.text import Text

from electjax.report.tables import Metrics, Rows, terminal_table, with_error

CRITERIA = {"bic": "BIC", "aic": "AIC", "sabic": "SABIC", "caic": "CAIC", "icl": "ICL"}
MOST_LINES = 300  # choices that the page lists
_MOST_PRINTED = 60


def summary(metrics: Metrics) -> Group:
    """The numbers of types that were tried, and what the chosen types are like, for a terminal."""
    fit = metrics["fit"]
    parts: list[RenderableType] = []
    if len(metrics["types"]) > 1:
        chosen = [i for i, number in enumerate(metrics["types"]) if int(number) == fit["types"]]
        parts.append(terminal_table(f"{metrics['ballots']}: how many types", choice_rows(metrics), bold=chosen))
    told = [f"Type {k + 1}, {share}: {does}" for k, (share, does) in enumerate(_described(fit))]
    parts.append(Text("\n".join([f"\n{metrics['ballots']}: types of voters by their share, and what they do", *told])))
    rows = choices_rows(metrics, intervals=False)
    ends = [i for i, row in enumerate(rows[1:]) if row["Office"] != rows[i]["Office"]]
    rows = [{**row, **({"Office": ""} if i and i - 1 not in ends else {})} for i, row in enumerate(rows)]
    left = len(rows) - _MOST_PRINTED
    caption = f"the first {_MOST_PRINTED} choices; {left} more are in tables/types.csv" if left > 0 else ""
    title = f"{metrics['ballots']}: per cent of a type's voters, where all options are on the ballot"
    return Group(*parts, terminal_table(title, rows[:_MOST_PRINTED], ends=ends, caption=caption))


def type_headings(metrics: Metrics) -> list[str]:
    """ "type 1" and so on."""
    return [f"type {k + 1}" for k in range(metrics["fit"]["types"])]


def share_texts(shares: Metrics) -> list[str]:
    """Shares of the types with their intervals: 44.9 % (43.2–46.6)."""
    return [
        f"{100 * share:.1f} %"
        + (f" ({100 * low:.1f}–{100 * high:.1f})" if low is not None and high is not None else "")
        for share, low, high in zip(shares["shares"], shares["shares_low"], shares["shares_high"], strict=True)
    ]


def type_rows(metrics: Metrics) -> Rows:
    """One row per type: its share of the voters, and what they do."""
    return [
        {"Type": f"type {k + 1}", "Share of the voters": share, "What they do": does}
        for k, (share, does) in enumerate(_described(metrics["fit"]))
    ]


def _described(fit: Metrics) -> list[tuple[str, str]]:
    return list(zip(share_texts(fit), fit["does"], strict=True))


def choices_rows(metrics: Metrics, *, intervals: bool = True) -> Rows:
    """One row per office and option: of each type, under its share, the voters who choose it, with its interval."""
    fit = metrics["fit"]
    names = [f"{name}\n{share}" for name, share in zip(type_headings(metrics), share_texts(fit), strict=True)]
    rows = []
    for office, mu in fit["mu"].items():
        options = fit["options"][office]
        low, high = (fit.get(f"mu_{end}", {}).get(office) if intervals else None for end in ("low", "high"))
        for o, option in enumerate(options):
            if all(own[o] is None for own in mu):
                continue
            cells = {}
            for k, name in enumerate(names):
                ends = (
                    ""
                    if low is None or high is None or low[k][o] is None
                    else f"\n{100 * low[k][o]:.0f}–{100 * high[k][o]:.0f}"
                )
                cells[name] = "·" if mu[k][o] is None else f"{100 * mu[k][o]:.0f} %{ends}"
            rows.append({"Office": office, "Choice": option} | cells)
    return rows


def choice_rows(metrics: Metrics) -> Rows:
    """One row per number of types: fit, parameters, criteria, and how clearly types are told apart."""
    tested = any("blrt_p" in tried for tried in metrics["types"].values())
    return [
        {
            "Types": f"{number}",
            "Log-likelihood": f"{tried['log_likelihood']:,.2f}",
            "Parameters": f"{tried['parameters']:,}",
            **{label: f"{tried[name]:,.1f}" for name, label in CRITERIA.items() if name in tried},
            "Entropy": f"{tried['entropy']:.3f}" if int(number) > 1 else "",
            "Starts at best": f"{100 * tried['starts_at_best']:.0f} %",
            **({"BLRT p": "" if tried.get("blrt_p") is None else f"{tried['blrt_p']:.3f}"} if tested else {}),
        }
        for number, tried in metrics["types"].items()
    ]


def membership_rows(metrics: Metrics) -> Rows:
    """One row per term: its coefficient in every type but the baseline, with its standard error."""
    fit = metrics["fit"]
    if len(fit["gamma"]) < 2 or fit["types"] < 2:
        return []
    return [
        {"Term": term}
        | {
            heading: with_error(values[k], fit["gamma_se"][term][k] if "gamma_se" in fit else None, 2)
            for k, heading in enumerate(type_headings(metrics))
            if k
        }
        for term, values in fit["gamma"].items()
    ]


def pair_rows(metrics: Metrics) -> Rows:
    """The pairs of offices that the types explain least."""
    return [
        {"Office": first, "Other office": other, "Chi-square per degree of freedom": f"{value:,.1f}"}
        for first, other, value in metrics.get("least_explained", [])
    ]


def truth_rows(metrics: Metrics) -> Rows:
    """How the fit compares to a known truth, where there is one."""
    truth = metrics.get("truth")
    if not truth:
        return []
    columns = zip(truth["types"], truth["fitted_types"], truth["shares"], truth["fitted_shares"], strict=True)
    return [
        {
            "True type": name,
            "Fitted as": f"type {fit}",
            "Share, true": f"{100 * share:.1f} %",
            "Share, fitted": f"{100 * fitted:.1f} %",
        }
        for name, fit, share, fitted in columns
    ]
