"""Whether a result can be relied on: one scheme for every wing, told in the same three words everywhere.

A wing's `verdict.py` says what makes its results doubtful. The verb that estimates puts the verdict into the attributes
of its result; report, terminal, summary and metrics.json read it from there, so none of them can forget it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Level = Literal["good", "with care", "not usable"]
LEVELS: tuple[Level, ...] = ("good", "with care", "not usable")
ATTRS = {
    "verdict": "good, with care or not usable",
    "verdict_reasons": "why, as a JSON list of sentences, the gravest first",
    "verdict_levels": "JSON: how grave each reason is",
    "about": "what this is, in a line",
}


class Doubt(NamedTuple):
    """A reason not to rely on a result as it stands: how grave, and a sentence that says what to do about it."""

    level: Level
    reason: str


@dataclass(frozen=True)
class Verdict:
    """How far a result can be relied on, and why not further; good has no reasons.

    Attributes:
        level: good, with care or not usable: that of the gravest reason.
        reasons: sentences, the gravest first.
        levels: of each reason; none where all have that of the verdict.
    """

    level: Level
    reasons: tuple[str, ...] = ()
    levels: tuple[Level, ...] = field(default=(), compare=False)

    @property
    def doubts(self) -> list[Doubt]:
        """Each reason with how grave it is."""
        return list(map(Doubt, self.levels or (self.level,) * len(self.reasons), self.reasons))

    @property
    def lines(self) -> list[str]:
        """What leads a text: WITH CARE and the reason, a line each."""
        return [f"{doubt.level.upper()}: {doubt.reason}" for doubt in self.doubts]

    def __str__(self) -> str:
        return f"{self.level}: {' '.join(self.reasons)}" if self.reasons else self.level


def verdict(doubts: Iterable[Doubt]) -> Verdict:
    """The level of the gravest doubt, and all reasons by their gravity."""
    ranked = sorted(dict.fromkeys(doubts), key=lambda doubt: -LEVELS.index(doubt.level))
    level = ranked[0].level if ranked else "good"
    return Verdict(level, tuple(doubt.reason for doubt in ranked), tuple(doubt.level for doubt in ranked))


def together(verdicts: Mapping[str, Verdict]) -> Verdict:
    """The verdict on several results by name: each reason begins with its result, where there are several."""
    doubts = ((name, doubt) for name, found in verdicts.items() for doubt in found.doubts)
    one = len(verdicts) == 1
    return verdict(doubt if one else Doubt(doubt.level, f"{name}: {doubt.reason}") for name, doubt in doubts)


def attrs_of(found: Verdict) -> dict[str, str]:
    """The verdict as attributes of a Dataset."""
    told = {"verdict": found.level, "verdict_reasons": json.dumps(found.reasons, ensure_ascii=False)}
    return told | {"verdict_levels": json.dumps([doubt.level for doubt in found.doubts])}


def verdict_of(attrs: Mapping[Any, Any]) -> Verdict | None:
    """The verdict that these attributes tell, if they do."""
    level = next((level for level in LEVELS if level == attrs.get("verdict")), None)
    reasons, levels = (tuple(json.loads(attrs.get(f"verdict_{name}", "[]"))) for name in ("reasons", "levels"))
    return level and Verdict(level, reasons, levels)


def metrics_of(found: Verdict) -> dict[str, Any]:
    """The verdict as metrics.json has it."""
    return {"level": found.level, "reasons": [*found.reasons], "levels": [doubt.level for doubt in found.doubts]}
