"""Sides of the long format and parties of options, told by their names."""

from collections.abc import Sequence

from electjax.labelled.errors import data_error
from electjax.labelled.units.schema import RowKind

# What files call the two sides. Both may be votes for parties: a list vote is a row, a district's vote a column.
_ROWS: dict[str, RowKind] = {
    **dict.fromkeys(("party", "list", "party vote", "list vote", "regional", "region", "previous", "from"), "votes"),
    **dict.fromkeys(("row", "rows", "group", "groups", "race", "ethnicity", "age", "sex", "religion"), "groups"),
}
_COLUMNS = ("candidate", "candidates", "column", "columns", "candidate vote", "constituency", "vote", "choice", "to")
_CANDIDATES = ("candidate", "candidates", "candidate vote")
_PARTIES = ("party", "list", "party vote", "list vote")


def rows_first(sides: Sequence[str], where: str, rows: str | None) -> tuple[int, int]:
    """Which of the two sides of a file are rows, and which columns.

    The caller may say so; else a known word for rows or for columns decides, else the order of appearance.
    """
    if len(sides) != 2:
        raise data_error(
            f"sides {', '.join(sides)}",
            where=where,
            expected="two sides, such as party and candidate",
            mend="keep the rows of two sides",
        )
    folded = [_fold(side) for side in sides]
    if rows is not None:
        if _fold(rows) not in folded:
            raise data_error(
                f"no side {rows!r}", where=f"{where}, rows", expected=" or ".join(sides), mend="name one of the two"
            )
        first = folded.index(_fold(rows))
    elif (folded[0] in _COLUMNS) != (folded[1] in _COLUMNS):
        first = int(folded[0] in _COLUMNS)
    elif (folded[0] in _ROWS) != (folded[1] in _ROWS):
        first = int(folded[1] in _ROWS)
    else:
        groups = [_ROWS.get(side) == "groups" for side in folded]  # of groups and parties, groups are rows
        first = int(groups[1] and not groups[0])
    return first, 1 - first


def kind_of(rows: str) -> RowKind:
    """What rows are, by the name of their side: votes for parties or candidates, or groups of people."""
    return "votes" if _fold(rows) in _CANDIDATES else _ROWS.get(_fold(rows), "groups")


def parties_of(names: Sequence[str], *, side: str = "party", rows: RowKind | None = None) -> list[str]:
    """The party of each option: what stands in brackets at the end of its name, else the name of a party itself.

    Args:
        names: of the options.
        side: what the file calls their side; candidates without brackets have no party.
        rows: what rows are, if they are rows: options of another ballot paper are parties, groups have none.
    """
    if rows == "groups":
        return [""] * len(names)
    itself = _fold(side) in _PARTIES or (rows == "votes" and _fold(side) not in _CANDIDATES)
    return [_in_brackets(name) or (name if itself else "") for name in names]


def _in_brackets(name: str) -> str:
    """Text of the last pair of brackets, which may hold others, where the name ends with it."""
    depth = 0
    for at in range(len(name) - 1, 0, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            return name[at + 1 : -1].strip() if name[at] == "(" else ""
    return ""


def _fold(side: str) -> str:
    return str(side).casefold().replace("_", " ").strip()
