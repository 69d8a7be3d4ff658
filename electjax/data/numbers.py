"""Numbers as people write them: `1,346`, `1.346`, `1 346`, `1'346`, `3.00E+03`, `12%`; suppressed cells by name.

A column has one way of writing. It is the one in which all its cells are numbers; where there is none, or where two
would give different numbers, or where some cells but 0 are percentages, it is refused rather than guessed.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "nil", ".", "..", "<na>", "blank", "(blank)"}
    | {"-", "--", "\u2013", "\u2014"}
)
_SUPPRESSED = re.compile(r"\(?x\)?|\*+|#+|[<\u2264]\s*\d+|\d+\s*or (fewer|less)|suppressed|withheld", re.IGNORECASE)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SPACES = {ord(mark): " " for mark in "\u00a0\u2009\u202f"} | {0x2019: "'", 0x2212: "-"}
_GROUPED = {
    mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}({re.escape(mark)}\d{{3}})+({point}\d+)?|[+-]?\d{{1,3}}({point}\d+)?" + more)
    for mark, point, more in (
        (",", r"\.", r"|[1-9]\d?(,\d\d)+,\d{3}"),  # 1,20,345 as in India
        (".", ",", ""),
        (" ", "[.,]", ""),
        ("'", "[.,]", ""),
    )
}
AS_ONE = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})")  # 1.346 is a number and a bit, or one thousand and more
DIGITS = 15  # far above any electorate, and exact as a float


class Fault(NamedTuple):
    """What is wrong with a cell, and how to mend it."""

    problem: str
    mend: str


class Numbers(NamedTuple):
    """What texts say: values, NaN where missing; and what is wrong with each text, None where nothing is."""

    values: np.ndarray
    faults: list[Fault | None]


def is_suppressed(text: str) -> bool:
    """Whether a cell says that its number is withheld."""
    return bool(_SUPPRESSED.fullmatch(text))


def is_missing(text: str) -> bool:
    """Whether a cell says that it has no value; never a name."""
    return text.casefold() in MISSING


def looks_numeric(text: str) -> bool:
    """Whether a cell is a number in some way of writing."""
    if text.isdigit() and text.isascii():
        return True
    plain = text.translate(_SPACES).removesuffix("%").rstrip()
    ways = (_PLAIN, *_GROUPED.values())
    return any(way.fullmatch(plain) for way in ways) or (plain.count(",") == 1 and _are_decimal([plain]))


def number(text: str) -> float:
    """The number a cell holds in plain digits, NaN for anything else."""
    return float(text) if _PLAIN.fullmatch(text) else np.nan


def parse_numbers(
    texts: Sequence[str], *, whole: bool = False, thousands: str | None = None, suppressed: float | str | None = None
) -> Numbers:
    """The numbers of a column's texts, its way of writing told from all of them.

    Args:
        texts: cells, white space at their ends removed; blank where missing.
        whole: only whole numbers of at least 0 are right, which tells `1.346` from a number and a bit.
        thousands: the mark between thousands, "none" for none; None: told from the texts.
        suppressed: what suppressed cells are: a number, or "missing"; None: they are a problem.
    """
    faults: list[Fault | None] = [None] * len(texts)
    joined = "".join(texts)
    if joined.isdigit() and joined.isascii() and thousands in (None, "none") and max(map(len, texts)) <= DIGITS:
        return Numbers(np.array([float(text) if text else np.nan for text in texts]), faults)
    values = np.full(len(texts), np.nan)
    spelt: list[tuple[int, str]] = []
    for k, text in enumerate(texts):
        if is_missing(text):
            continue
        if not _SUPPRESSED.fullmatch(text):
            spelt.append((k, text.translate(_SPACES)))
        elif whole and isinstance(suppressed, float) and suppressed % 1:
            faults[k] = Fault(f"{text!r} counts as {suppressed:g}", "pass a whole number as suppressed=")
        elif suppressed is None:
            faults[k] = Fault(f"{text!r} is a suppressed number", "pass suppressed='missing', or the number to count")
        elif suppressed != "missing":
            values[k] = float(suppressed)
    ways = _ways([text for _, text in spelt], whole, thousands)
    marked = [text.endswith("%") for _, text in spelt if text.strip("0.,% ")]  # 0 is the same with and without
    odd = sum(marked) * 2 <= len(marked) if any(marked) and not all(marked) else None
    for k, text in spelt:
        if whole and text.endswith("%"):
            faults[k] = Fault(f"{text!r} is a percentage, not a whole number", "give counts")
            continue
        if text.endswith("%") is odd and text.strip("0.,% "):
            said = f"{text!r} has {'a percent sign' if odd else 'no percent sign'}, unlike the other numbers"
            faults[k] = Fault(said, "write all with it, or none")
            continue
        if len(ways) > 1 and AS_ONE.fullmatch(text):
            said = f"{text!r} may be thousands or a decimal"
            faults[k] = Fault(said, f"pass thousands={ways[0]!r} or thousands='none'")
            continue
        values[k] = _value(text, ways[0])
        faults[k] = _fault(text, values[k], whole)
    return Numbers(values, faults)


def _fault(text: str, value: float, whole: bool) -> Fault | None:
    if np.isnan(value):
        mixed = any(way.fullmatch(text) for way in _GROUPED.values()) or _PLAIN.fullmatch(text)
        if mixed:
            return Fault(f"{text!r} is written unlike the other numbers", "write all alike, or pass thousands=")
        if text.startswith("="):
            return Fault(f"{text!r} is a formula without its value", "save the workbook from a spreadsheet program")
        return Fault(f"{text!r} is not a number", "correct the cell")
    if np.isinf(value):
        return Fault(f"{text!r} is too large", "correct the cell")
    if not whole:
        return None
    if value < 0:
        return Fault(f"{text!r} is negative", "correct the cell")
    if value != np.floor(value):
        return Fault(f"{text!r} is not a whole number", "give counts, not shares or averages")
    too_large = value >= 10.0**DIGITS
    return Fault(f"{text!r} is larger than any electorate", "correct the cell") if too_large else None


def _ways(texts: Sequence[str], whole: bool, thousands: str | None) -> list[str]:
    """The ways of writing in which all texts are numbers: marks between thousands, "none", "decimal" for 1,5.

    More than one: they disagree.
    """
    bare = [text.removesuffix("%").rstrip() for text in texts]
    if thousands is not None:
        decimal = thousands == "none" and not whole and "," in "".join(bare) and _are_decimal(bare)
        return ["decimal" if decimal else thousands]
    plain = all(_PLAIN.fullmatch(text) for text in bare)
    split = plain and any("." in text for text in bare) and _all_grouped(bare, ".")
    if plain and not split:
        return ["none"]
    if split:  # such as 1.346 and 998
        return ["."] if whole and not _are_percentages(bare) else [".", "none"]
    fits = [mark for mark in _GROUPED if _all_grouped(bare, mark)]
    if whole:
        fits = [mark for mark in fits if all(_value(text, mark) % 1 == 0 for text in bare)]
    if not fits:
        return ["decimal"] if not whole and _are_decimal(bare) else [_most(bare)]
    if fits[0] == "," and not whole and _are_decimal(bare) and all(text.count(",") <= 1 for text in bare):
        return [",", "none"]
    return fits[:1]


def _are_percentages(texts: Sequence[str]) -> bool:
    """Whether numbers with a point make whole hundreds together, as percentages of districts or units do."""
    values = [float(text) for text in texts]
    hundreds = sum(values) / 100
    return max(values) <= 100 and round(hundreds) >= 1 and abs(hundreds - round(hundreds)) < 0.0005 * len(values)


def _all_grouped(texts: Sequence[str], mark: str) -> bool:
    return any(mark in text for text in texts) and all(_GROUPED[mark].fullmatch(text) for text in texts)


def _are_decimal(texts: Sequence[str]) -> bool:
    """Whether all are numbers with a decimal comma."""
    return all(text.count(",") <= 1 and "." not in text and _PLAIN.fullmatch(text.replace(",", ".")) for text in texts)


def _most(texts: Sequence[str]) -> str:
    """The way of writing that most texts have, so that the others are the ones to name."""
    counts = {mark: sum(mark in text and bool(way.fullmatch(text)) for text in texts) for mark, way in _GROUPED.items()}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] > sum(bool(_PLAIN.fullmatch(text)) for text in texts) else "none"


def _value(text: str, way: str) -> float:
    scale = 0.01 if text.endswith("%") else 1.0
    bare = text.removesuffix("%").rstrip()
    if way in _GROUPED:
        if not _GROUPED[way].fullmatch(bare):
            return np.nan
        bare = bare.replace(way, "").replace(",", ".") if way != "," else bare.replace(",", "")
    elif way == "decimal":
        bare = bare.replace(",", ".")
    return float(bare) * scale if _PLAIN.fullmatch(bare) else np.nan
