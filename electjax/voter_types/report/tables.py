"""Tables of voter types as rows of text; they read the content of metrics.json."""

from rich.console import Group

from electjax.report.tables import Metrics, Rows, terminal_table, with_error

CRITERIA = {"bic": "BIC", "aic": "AIC", "sabic": "SABIC", "caic": "CAIC", "icl": "ICL"}
_MOST_OFFICES = 60


def summary(metrics: Metrics) -> Group:
    """The numbers of types that were tried, and what the chosen types are like, for a terminal."""
    fit, parts = metrics["fit"], []
    if len(metrics["types"]) > 1:
        chosen = [i for i, number in enumerate(metrics["types"]) if int(number) == fit["types"]]
        parts.append(terminal_table(f"{metrics['ballots']}: how many types", choice_rows(metrics), bold=chosen))
    more = len(fit["mu"]) > _MOST_OFFICES
    caption = f"the first {_MOST_OFFICES} of {len(fit['mu'])} offices; all are in metrics.json" if more else ""
    title = f"{metrics['ballots']}: {' / '.join(fit['options'])}, per cent of the type with all options on offer"
    return Group(*parts, terminal_table(title, office_rows(metrics), caption=caption))


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


def office_rows(metrics: Metrics) -> Rows:
    """One row per office: per type, under its share, the probabilities of the options in per cent: 2/5/93."""
    names = [f"{name}\n{share}" for name, share in zip(type_headings(metrics), share_texts(metrics), strict=True)]
    return [
        {"Office": office}
        | {
            name: "/".join("·" if value is None else f"{100 * value:.0f}" for value in mu)
            for name, mu in zip(names, types, strict=True)
        }
        for office, types in list(metrics["fit"]["mu"].items())[:_MOST_OFFICES]
    ]


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
            "Starts at best": f"{tried['starts_at_best']:.0%}",
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
            heading: with_error(values[k], fit["gamma_se"][term][k], 2)
            for k, heading in enumerate(type_headings(metrics))
            if k
        }
        for term, values in fit["gamma"].items()
    ]


def truth_rows(metrics: Metrics) -> Rows:
    """How the fit compares to a known truth, where there is one."""
    truth = metrics.get("truth")
    if not truth:
        return []
    columns = zip(truth["types"], truth["fitted_types"], truth["shares"], truth["fitted_shares"], strict=True)
    return [
        {"True type": name, "Fitted as": f"type {fit}", "Share, true": f"{share:.1%}", "Share, fitted": f"{fitted:.1%}"}
        for name, fit, share, fitted in columns
    ]
