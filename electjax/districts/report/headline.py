"""The first sentences of a report: what was found, as one would tell it, then what was done."""

from collections.abc import Mapping
from typing import Any

from electjax.data.verdict import LEVELS, Verdict
from electjax.districts.report import tables
from electjax.report.tables import Metrics, enumeration

_MOST_SCENARIOS = 4


def headline(metrics: Metrics, verdicts: Mapping[str, Verdict]) -> list[str]:
    """What was found, and what was run, in sentences made from the metrics.

    verdicts: on the calibrations, by model.
    """
    labels = tables.parties(metrics)
    observed = metrics["observed"]["seats"]
    won = ", ".join(f"{label} {observed[label]}" for label in labels)
    models = [model.upper() for model in metrics["models"]]
    returns = f"{sum(observed.values())} districts, won as {won}."
    if not models:
        return [returns]
    done = f"Simulated with {enumeration(models)}: {metrics['simulations']:,} elections in {metrics['seconds']:.0f} s."
    calibrated = [
        _calibrated_sentence(model, found["optimal"], observed, labels)
        for model, found in metrics["models"].items()
        if "optimal" in found
    ]
    return [*_finding(metrics, verdicts), f"{returns} {done}", *calibrated]


def _finding(metrics: Metrics, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The finding of the task: scenarios, a prediction, or what the model that comes closest says."""
    worst = len(LEVELS)
    level = {model: LEVELS.index(verdicts[model].level) if model in verdicts else worst for model in metrics["models"]}
    if metrics.get("counterfactual"):
        model = min(metrics["counterfactual"], key=lambda name: level[name])
        return _scenarios(model, metrics["counterfactual"][model])
    for stage in ("prediction", "optimal", "default"):
        found = {model: stages[stage] for model, stages in metrics["models"].items() if stage in stages}
        if found:
            model = min(found, key=lambda name: (level[name], found[name].get("distance") or 0.0))
            if stage == "optimal" and level[model] == LEVELS.index("not usable"):
                return [_nothing(found, model, metrics)]
            return [_result(model, stage, found[model], metrics, several=len(found) > 1)]
    return []


def _result(model: str, stage: str, found: Metrics, metrics: Metrics, *, several: bool) -> str:
    """Who wins how many seats in the elections of a model, and who won them in fact."""
    observed = metrics["observed"]["seats"]
    leader = max(found["seats_mean"], key=lambda party: found["seats_mean"][party])
    named = list(dict.fromkeys([max(observed, key=lambda party: observed[party]), leader]))
    low, high = ("seats_low", "seats_high") if "seats_low" in found else ("seats_min", "seats_max")
    wins = enumeration([_seats(p, found["seats_mean"][p], found[low][p], found[high][p]) for p in named])
    fact = enumeration([f"{party} {observed[party]}" for party in named])
    name, election = model.upper(), metrics["election"]
    start = {
        "prediction": f"As calibrated to {metrics.get('calibrated_to') or 'an election'}, {name}",
        "optimal": f"Calibrated to {election}, {name}",
        "default": f"At its default parameters, {name}",
    }[stage]
    closest = f", the closest of {len(metrics['models'])} models," if several else ""
    of = f"{sum(observed.values())} seats of {election}"
    return f"{start}{closest} gives {wins} of the {of}; in fact it was {fact}."


def _nothing(found: Mapping[str, Metrics], model: str, metrics: Metrics) -> str:
    """No calibration can be relied on."""
    observed = metrics["observed"]["seats"]
    first = max(observed, key=lambda party: observed[party])
    best = f"{found[model]['seats_mean'][first]:.0f} seats to {first}, which won {observed[first]}"
    names = enumeration([name.upper() for name in found])
    could = f"None of {names} could be" if len(found) > 1 else f"{names} could not be"
    return f"{could} calibrated to {metrics['election']}: the best that {model.upper()} found gives {best}."


def _scenarios(model: str, worlds: Mapping[str, Metrics]) -> list[str]:
    """For each scenario the party whose share of the seats changes most."""
    (_, base), *rest = worlds.items()
    told = []
    for name, world in rest[:_MOST_SCENARIOS]:
        change = world["seat_share_change"]
        party = max(change, key=lambda label: abs(change[label]))
        before = _range(base, party) + (f" of {base['districts']}" if world["districts"] != base["districts"] else "")
        told.append(
            f"under “{name}” {party} would win {_range(world, party)} of {world['districts']} seats instead of {before}"
        )
    more = f"; and {len(rest) - _MOST_SCENARIOS} scenarios more" if len(rest) > _MOST_SCENARIOS else ""
    return [f"By {model.upper()}, {'; '.join(told)}{more}."]


def _range(world: Metrics, party: str) -> str:
    return f"{world['seats_mean'][party]:.0f} ({world['seats_low'][party]}–{world['seats_high'][party]})"


def _seats(party: str, mean: float, low: float, high: float) -> str:
    return f"{party} {mean:.0f} ({low:.0f}–{high:.0f})"


def _calibrated_sentence(model: str, optimal: Metrics, observed: Metrics, labels: list[str]) -> str:
    mean = "/".join(f"{optimal['seats_mean'][label]:.1f}" for label in labels)
    sentence = f"{model.upper()} at its calibrated parameters gives {mean} seats on average"
    sentence += f" and the observed seats exactly in {optimal['p_exact']:.1%} of the runs"
    best: Any = optimal.get("best_draw")
    if best and tables.seat_vector(best["seats"], labels) == tables.seat_vector(observed, labels):
        return f"{sentence}; its best draw reproduces all the observed seats."
    if best:
        return f"{sentence}; its best draw gives {tables.seat_vector(best['seats'], labels)}."
    return f"{sentence}."
