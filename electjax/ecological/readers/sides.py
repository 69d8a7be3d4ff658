"""The two sides: which are rows, what they are, and the parties of options."""

import re
from collections.abc import Sequence

import numpy as np

from electjax.data.errors import data_error
from electjax.ecological.keys import tidy
from electjax.ecological.options import RowKind
from electjax.ecological.schema import DID_NOT_VOTE, OTHER

# What files call the two sides. Both may be votes for parties: a list vote is a row, a district's vote a column.
_PARTIES = {
    *("party", "parties", "partyvote", "list", "lists", "listvote", "pr", "proportional", "proportionalvote"),
    *("zweitstimme", "zweitstimmen", "secondvote", "landesliste", "partei", "parteien", "liste", "listenstimme"),
    *("zweit", "parti", "listes", "partido", "partidos", "lista", "listas", "partito", "partiti", "partij", "lijst"),
}
_CANDIDATES = {
    *("candidate", "candidates", "candidatevote", "smd", "singlemember", "erststimme", "erststimmen", "firstvote"),
    *("direktstimme", "kandidat", "kandidaten", "candidat", "candidats", "candidato", "candidatos", "candidati"),
    *("uninominal", "uninominale", "kandidaat", "erst"),
}
_PLACES = {"constituency", "constituencyvote", "electoratevote", "districtvote", "wahlkreis", "circonscription"}
_VOTES_BEFORE = {"regional", "region", "regionalvote", "regionallist", "previous", "previousvote", "earlier"}
_PEOPLE = {
    *(
        "group",
        "groups",
        "race",
        "races",
        "ethnicity",
        "caste",
        "age",
        "agegroup",
        "sex",
        "gender",
        "religion",
        "language",
    ),
    *("gruppe", "gruppen", "alter", "altersgruppe", "geschlecht", "konfession", "sprache", "groupe", "grupo", "gruppo"),
}
_ROWS = _PARTIES | _VOTES_BEFORE | _PEOPLE | {"row", "rows", "from"}
_COLUMNS = _CANDIDATES | _PLACES | {"column", "columns", "vote", "choice", "to"}
_BALLOTS = _PARTIES | _CANDIDATES | _PLACES | _VOTES_BEFORE | {"vote"}
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|2[01]\d\d)(?!\d)")
_ROUND = re.compile(
    r"(?:round|tour)\D{0,2}([12])|\b([12])(?:st|nd|er|e)?[ _-]?(?:round|tour)|(first|second)[ _-]?round"
)


def rows_first(sides: Sequence[str], where: str, rows: str | None) -> tuple[tuple[int, int], list[str]]:
    """Which of the two sides of a file are rows, and which columns; and a note where nothing tells them.

    The caller may say so; else a known word for rows or for columns decides, an earlier year or round before a later
    one, else the order of appearance.
    """
    if len(sides) != 2:
        raise data_error(
            f"sides {', '.join(sides)}",
            where=where,
            expected="two sides, such as party and candidate",
            mend="keep the rows of two sides",
        )
    folded = [tidy(side) for side in sides]
    notes: list[str] = []
    if rows is not None:
        if tidy(rows) not in folded:
            raise data_error(
                f"no side {rows!r}", where=f"{where}, rows", expected=" or ".join(sides), mend="name one of the two"
            )
        first = folded.index(tidy(rows))
    elif (folded[0] in _COLUMNS) != (folded[1] in _COLUMNS):
        first = int(folded[0] in _COLUMNS)
    elif (folded[0] in _ROWS) != (folded[1] in _ROWS):
        first = int(folded[1] in _ROWS)
    elif (folded[0] in _PEOPLE) != (folded[1] in _PEOPLE):  # of groups and parties, groups are rows
        first = int(folded[1] in _PEOPLE)
    elif None not in (times := [_time(side) for side in sides]) and times[0] != times[1]:
        first = int(str(times[1]) < str(times[0]))
    else:
        first = 0
        notes = [f"side {sides[0]!r} is taken as rows, as it comes first; rows={sides[1]!r} if it is {sides[1]!r}"]
    return (first, 1 - first), notes


def is_side(name: str) -> bool:
    """Whether a column is called like a side: of parties, candidates, people, or of an election's year or round."""
    word = tidy(name)
    return any(w in (_ROWS | _COLUMNS) for w in (word, word.removeprefix("votes"))) or _time(name) is not None


def kind_of(side: str | None, rows: Sequence[tuple[str, float]], columns: Sequence[str]) -> tuple[RowKind, list[str]]:
    """What rows are, votes for parties or candidates or groups of people, and a note where they are taken for groups.

    A known word for their side decides; else rows are votes if half of their names, or of their votes, are called like
    parties or names of columns.

    Args:
        side: what the file calls their side, if it does.
        rows: names of rows and their votes.
        columns: names and parties of columns.
    """
    word = tidy(side) if side else ""
    if word in _BALLOTS or (side and _time(side) and not _YEAR.sub("", side).strip()) or (side and _ROUND.search(word)):
        return "votes", []
    if word not in _PEOPLE:
        other = {tidy(name) for name in columns if name}
        own = [(tidy(name), votes) for name, votes in rows if tidy(name) not in (tidy(OTHER), tidy(DID_NOT_VOTE))]
        for weights in ({name: 1.0 for name, _ in own}.items(), own):
            whole = sum(votes for _, votes in weights)
            if whole and 2 * sum(votes for name, votes in weights if name in other) >= whole:
                return "votes", []
    said = f"rows are side {side!r}," if side else "rows are"
    return "groups", [f"{said} taken as groups of people; kind='votes' if they are votes"]


def sized(names: Sequence[Sequence[str]], totals: np.ndarray) -> list[tuple[str, float]]:
    """Each contest's options with their votes, [D, K], in one list."""
    return [
        (name, float(votes))
        for own, row in zip(names, totals, strict=True)
        for name, votes in zip(own, row[: len(own)], strict=True)
    ]


def parties_of(names: Sequence[str], *, side: str = "party", rows: RowKind | None = None) -> list[str]:
    """The party of each option: what stands in brackets at the end of its name, else the name of a party itself.

    Args:
        names: of the options.
        side: what the file calls their side; candidates without brackets have no party.
        rows: what rows are, if they are rows: options of another ballot paper are parties, groups have none.
    """
    if rows == "groups":
        return [""] * len(names)
    itself = tidy(side) in _PARTIES or (rows == "votes" and tidy(side) not in _CANDIDATES)
    return [_in_brackets(name) or (name if itself else "") for name in names]


def _time(side: str) -> str | None:
    """The year or the round that a side names."""
    year, turn = _YEAR.search(side), _ROUND.search(side.casefold())
    if year:
        return year[1]
    if turn:
        return {"first": "1", "second": "2"}.get(turn[3], turn[1] or turn[2])
    return None


def _in_brackets(name: str) -> str:
    """Text of the last pair of brackets, which may hold others, where the name ends with it."""
    depth = 0
    for at in range(len(name) - 1, 0, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            return name[at + 1 : -1].strip() if name[at] == "(" else ""
    return ""
