"""Whether a result can be relied on: one scheme for every wing, told in the same three words everywhere.

A wing's `verdict.py` says what makes its results doubtful. The verb that estimates puts the verdict into the attributes
of its result; report, terminal, summary and metrics.json read it from there, so none of them can forget it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

Level = Literal["good", "with care", "not usable"]
LEVELS: tuple[Level, ...] = ("good", "with care", "not usable")
ATTRS = {
    "verdict": "good, with care or not usable",
    "verdict_reasons": "why, as a JSON list of sentences, the gravest first",
    "about": "what this is, in a line",
}


class Doubt(NamedTuple):
    """A reason not to rely on a result as it stands: how grave, and a sentence that says what to do about it."""

    level: Level
    reason: str


class Verdict(NamedTuple):
    """How far a result can be relied on, and why not further; good has no reasons.

    Attributes:
        level: good, with care or not usable.
        reasons: sentences, the gravest first.
    """

    level: Level
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.level}: {' '.join(self.reasons)}" if self.reasons else self.level


def verdict(doubts: Iterable[Doubt]) -> Verdict:
    """The level of the gravest doubt, and all reasons by their gravity."""
    ranked = sorted(dict.fromkeys(doubts), key=lambda doubt: -LEVELS.index(doubt.level))
    return Verdict(ranked[0].level if ranked else "good", tuple(doubt.reason for doubt in ranked))


def together(verdicts: Mapping[str, Verdict]) -> Verdict:
    """The verdict on several results by name: each reason begins with its result, where there are several."""
    doubts = [
        Doubt(found.level, reason if len(verdicts) == 1 else f"{name}: {reason}")
        for name, found in verdicts.items()
        for reason in found.reasons
    ]
    return verdict(doubts)


def attrs_of(found: Verdict) -> dict[str, str]:
    """The verdict as attributes of a Dataset."""
    return {"verdict": found.level, "verdict_reasons": json.dumps(found.reasons, ensure_ascii=False)}


def verdict_of(attrs: Mapping[Any, Any]) -> Verdict | None:
    """The verdict that these attributes tell, if they do."""
    level = next((level for level in LEVELS if level == attrs.get("verdict")), None)
    return level and Verdict(level, tuple(json.loads(attrs.get("verdict_reasons", "[]"))))


def metrics_of(found: Verdict) -> dict[str, Any]:
    """The verdict as metrics.json has it."""
    return {"level": found.level, "reasons": [*found.reasons]}
