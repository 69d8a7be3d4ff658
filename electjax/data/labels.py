"""Labels: names of parties, offices and units as text, and the parties that every format calls otherwise."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

OTHERS = "others"
NOTA = "NOTA"
INDEPENDENT = "IND"
_INDEPENDENTS = {"ind", "independent", "independents"}
_NOTA = {"nota", "none of the above"}
_REST = {"others", "other"}


def strings(labels: Iterable[object]) -> np.ndarray:
    """Labels as a fixed-width array of text, which xarray stores and compares without an object dtype."""
    return np.array([str(label) for label in labels], dtype=np.str_)


def strings_like(labels: np.ndarray) -> np.ndarray:
    """Labels of any shape as text of fixed width."""
    return strings(np.asarray(labels).ravel()).reshape(np.shape(labels))


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with its number: "Sheriff", "Sheriff (2)"."""
    taken = set(names)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        label = name
        while seen[name] > 1 and (label := f"{name} ({seen[name]})") in taken:
            seen[name] += 1
        taken.add(label)
        unique.append(label)
    return unique


def said_of_case(what: str, labels: Iterable[str]) -> Iterator[str]:
    """A sentence for each label that differs from one before it in nothing but case; they are not made one."""
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(label.casefold(), label)
        if other != label:
            said = f"{what} {label!r} differs from {other!r} by case alone, and is another"
            yield f"{said}; spell them alike if it is not"


def party_label(party: str) -> str:
    """One spelling for each special party: "others", "IND" and "NOTA"; any other label is kept."""
    key = party.casefold()
    if key in _REST:
        return OTHERS
    return INDEPENDENT if key in _INDEPENDENTS else NOTA if key in _NOTA else party
