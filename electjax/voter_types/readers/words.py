"""What words on ballots say: that a voter did not choose, chose too many, or wrote a name in."""

import re
from collections.abc import Sequence
from enum import Enum, auto

from electjax.data.table import fold
from electjax.voter_types.options import ABSTAIN

NO_VOTE = "no vote"
WRITE_IN = "write-in"
SAID = ("none", "blank")  # say something on a ballot, though in other tables they mean "missing"


class Kind(Enum):
    """What the label of an option is."""

    OPTION = auto()
    ABSTAINED = auto()
    UNDERVOTE = auto()
    OVERVOTE = auto()
    WRITTEN = auto()


_UNDER = {"undervote", "undervotes", "undervoted"}
_OVER = {"overvote", "overvotes", "overvoted"}
_MORE = frozenset("novotes blankvote blankvotes notvoted didnotvote skipped noselection nochoice abstained".split())  # noqa: SIM905
_NONE = {fold(word) for word in ABSTAIN} | _MORE
_WRITTEN = re.compile(
    r"((un)?(qualified|certified|resolved|assigned|registered)[ -]+)?write[- _]?ins?\b", re.IGNORECASE
)


def kind_of(label: str) -> Kind:
    """What a label says."""
    key = fold(label)
    if key in _UNDER:
        return Kind.UNDERVOTE
    if key in _OVER:
        return Kind.OVERVOTE
    if key in _NONE:
        return Kind.ABSTAINED
    return Kind.WRITTEN if _WRITTEN.match(label) else Kind.OPTION


def kinds_of(labels: Sequence[str]) -> list[Kind]:
    """What some labels say."""
    return [kind_of(label) for label in labels]
