"""Columns of wide tables that are no office, as a voter has several votes in them, or none that counts by itself."""

import re
from collections.abc import Sequence

from electjax.voter_types.readers.common import contest_name

_NUMBERED = re.compile(r" \(\d+\)$")  # a repeated name has a number
_MARKS = re.compile(r"\s*[;|]\s*")
_RANK = re.compile(
    r"(?P<stem>.*?)[\W_]*\b(?:rank|choice|preference|pref)[\W_]*(?P<rank>\d+)"
    r"|(?P<before>.*?)[\W_]*\b(?P<nth>\d+)(?:st|nd|rd|th)[\W_]+(?:rank|choice|preference|pref)",
    re.IGNORECASE,
)


def several_votes(name: str, texts: Sequence[str]) -> str:
    """Why a column holds several votes of a voter, by its name or by cells such as "Ann; Bob"; "" where it does not."""
    number = contest_name(_NUMBERED.sub("", name))[1]
    if number > 1 and "vote" in name.casefold():
        return f"a voter has {number} votes"
    known = set(texts)
    for text in texts:
        if (";" in text or "|" in text) and known & set(_MARKS.split(text)):
            return f"cells such as {text!r} hold several votes"
    return ""


def further_ranks(names: Sequence[str]) -> dict[int, str]:
    """Positions of columns that are a second or later rank of an office whose first rank has a column, too."""
    found: dict[str, list[tuple[int, int]]] = {}
    for position, name in enumerate(names):
        if rank := _RANK.fullmatch(name.replace("_", " ")):
            stem = (rank["stem"] or rank["before"] or "").casefold()
            found.setdefault(stem, []).append((int(rank["rank"] or rank["nth"]), position))
    return {
        position: names[min(own)[1]]
        for own in found.values()
        for rank, position in own
        if rank > min(own)[0] and min(own)[0] == 1
    }
