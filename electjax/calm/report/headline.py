"""What was found, in sentences that can be quoted: what candidates change, who votes for whom, what others would do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.report.tables import Metrics, enumeration, level_text

_MOST = 3  # effects, and parties, that are named
_LEAST = 0.05  # share of an axis below which a category is not spoken of


def sentences(metrics: Metrics, margins: xr.Dataset, changes: str) -> Iterator[str]:
    """The finding first, then what was done.

    Args:
        metrics: of the run.
        margins: turnout and choice by category, as of `fitted_margins`.
        changes: which candidates are others, in words.
    """
    yield from _other_candidates(metrics, changes)
    yield from _affinity(metrics)
    yield from _categories(margins)
    yield _done(metrics)
    kept = metrics.get("validation_loss")
    if kept:
        yield (
            f"On booths kept out it loses {kept['turnout']:.5f} per elector in turnout and {kept['party']:.5f} per vote"
            " in the party shares."
        )


def _affinity(metrics: Metrics) -> Iterator[str]:
    """What a candidate like the voter adds, by axis: what is clear, what is not, and what is not identified."""
    rows = metrics["coefficients"]
    told = {name: row for name, row in rows.items() if row.get("identified", True)}
    if rows and not told:
        yield (
            "What candidates change is not identified: in these constituencies the pull of a candidate cannot be told"
            " from that of the party."
        )
        return
    clear = {name: row for name, row in told.items() if _is_clear(row)}
    level = level_text(metrics["level"])
    best = sorted(clear, key=lambda name: -abs(_points(clear[name])))
    for pulls, verb in ((True, "gains"), (False, "loses")):
        named = [name for name in best if (clear[name]["eta"] > 0) == pulls]
        if named:
            effects = [_effect(name, clear[name], level, first=n == 0) for n, name in enumerate(named[:_MOST])]
            start = "Candidates like the voter draw votes" if pulls else "Candidates like the voter lose votes"
            yield f"{start}: one standard deviation closer, a party {verb} {enumeration(effects)}."
    known = any(row.get("eta_se") is not None for row in told.values())
    unclear = [name for name in told if name not in clear]
    if known and unclear:
        yield f"Not clearly different from nothing: {_some(unclear)}."
    elif unclear:
        effects = [_effect(name, told[name], level, first=n == 0) for n, name in enumerate(unclear[:_MOST])]
        yield f"One standard deviation closer to its candidate, a party changes by {enumeration(effects)}."
    blind = [name for name in rows if name not in told]
    if blind:
        yield f"What candidates change is not identified on {_some(blind)}."


def _is_clear(row: Mapping[str, Any]) -> bool:
    low, high = row.get("low"), row.get("high")
    return low is not None and high is not None and (low > 0 or high < 0)


def _points(row: Mapping[str, Any]) -> float:
    return float(row["eta"] if row.get("eta_pp") is None else row["eta_pp"])


def _effect(name: str, row: Mapping[str, Any], level: str, *, first: bool) -> str:
    """An effect in percentage points with its interval; without one, with its sign."""
    value, error = row.get("eta_pp"), row.get("eta_pp_se")
    if value is None:
        return f"on {name} {abs(row['eta']):.2f} in log odds"
    units = " percentage points of the vote" if first else ""
    if error is None or row.get("low") is None:
        return f"on {name} {value:+.1f}{units}"
    told = f"on {name} {abs(value):.1f}{units}"
    reach = (row["high"] - row["low"]) / 2 / row["eta_se"] * error
    ends = sorted((abs(value) - reach, abs(value) + reach))
    return f"{told} ({f'{level} % interval ' if first else ''}{ends[0]:.1f} to {ends[1]:.1f})"


def _categories(margins: xr.Dataset) -> Iterator[str]:
    """Where turnout is highest and lowest, and where the largest party is strongest and weakest, by the model."""
    weight, turnout = margins["weight"].values, margins["turnout"].values
    spoken = np.flatnonzero((weight >= _LEAST) & (weight < 1))
    if len(spoken) < 2:
        return
    names = [
        f"{label} ({axis})" for axis, label in zip(margins["axis"].values, margins["category"].values, strict=True)
    ]
    top, low = (int(spoken[at]) for at in (turnout[spoken].argmax(), turnout[spoken].argmin()))
    if f"{turnout[top]:.0%}" != f"{turnout[low]:.0%}":
        yield (
            f"By the fitted model turnout is highest among electors of {names[top]}, {turnout[top]:.0%}, and lowest"
            f" among those of {names[low]}, {turnout[low]:.0%}."
        )
    first = margins["axis"].values == margins["axis"].values[0]
    choice = margins["choice"].transpose("group", "party").values
    votes = (margins["electors"] * margins["turnout"]).values[first] @ choice[first]
    k = int(votes.argmax())
    share = choice[:, k]
    most, least = (int(spoken[at]) for at in (share[spoken].argmax(), share[spoken].argmin()))
    yield (
        f"{margins['party'].values[k]}, which has {float(votes[k] / votes.sum()):.0%} of the votes, is strongest among"
        f" voters of {names[most]}, {share[most]:.0%}, and weakest among those of {names[least]}, {share[least]:.0%}."
    )


def _other_candidates(metrics: Metrics, changes: str) -> Iterator[str]:
    """What other candidates would change."""
    parties = metrics.get("counterfactual", {}).get("parties", {})
    size = {party: abs(row["votes"]["change"]["value"] or 0.0) for party, row in parties.items()}
    moved = sorted((party for party in parties if size[party] >= 0.5), key=lambda party: -size[party])
    said = "; ".join(_moved(party, parties[party]) for party in moved[:_MOST]) or "no change of votes"
    if parties and changes:
        yield f"With other candidates ({changes}) the model expects {said}."


def _moved(party: str, row: Mapping[str, Any]) -> str:
    votes, seats = row["votes"]["change"], row["seats"]["change"]["value"] or 0.0
    ends = "" if votes["low"] is None else f" ({votes['low']:+,.0f} to {votes['high']:+,.0f})"
    told = f"{party} {votes['value']:+,.0f} votes{ends}"
    return f"{told} and {seats:+,.0f} seat{'' if abs(seats) == 1 else 's'}" if seats else told


def _done(metrics: Metrics) -> str:
    where, steps = metrics["constituencies"], metrics["steps"]
    return (
        f"CALM was fitted to {metrics['booths']:,} booths in {where:,} constituenc{'y' if where == 1 else 'ies'} with"
        f" {metrics['electors']:,} electors in {metrics['cells']:,} kinds of cells and {metrics['votes']:,} votes for"
        f" {len(metrics['parties'])} parties; it {'converged' if metrics['converged'] else 'did not converge'} in"
        f" {steps} steps, and all took {metrics['seconds']:.0f} s."
    )


def _some(names: Sequence[str]) -> str:
    left = len(names) - 2 * _MOST
    return f"{', '.join(names[: 2 * _MOST])} and {left} more" if left > 0 else enumeration(names)
