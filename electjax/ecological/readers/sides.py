"""The two sides: which are rows, what they are, the parties of options, and totals that must be the same."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from electjax.data.errors import data_error
from electjax.ecological.keys import tidy
from electjax.ecological.options import RowKind
from electjax.ecological.readers.draft import Draft, Side
from electjax.ecological.schema import DID_NOT_VOTE, OTHER, disagree

# What files call the two sides. Both may be votes for parties: a list vote is a row, a district's vote a column.
_PARTIES = {
    *("party", "parties", "partyvote", "list", "lists", "listvote", "pr", "proportional", "proportionalvote"),
    *("zweitstimme", "zweitstimmen", "secondvote", "landesliste", "partei", "parteien", "liste", "listenstimme"),
    *("parti", "listes", "partido", "partidos", "lista", "listas", "partito", "partiti", "partij", "lijst"),
}
_CANDIDATES = {
    *("candidate", "candidates", "candidatevote", "smd", "singlemember", "erststimme", "erststimmen", "firstvote"),
    *("direktstimme", "kandidat", "kandidaten", "candidat", "candidats", "candidato", "candidatos", "candidati"),
    *("uninominal", "uninominale", "kandidaat"),
}
_PLACES = {"constituency", "constituencyvote", "electoratevote", "districtvote", "wahlkreis", "circonscription"}
_VOTES_BEFORE = {"regional", "region", "regionalvote", "regionallist", "previous", "previousvote", "earlier"}
_PEOPLE = {"group", "groups", "race", "races", "ethnicity", "caste", "age", "sex", "gender", "religion", "language"}
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


def with_electors(draft: Draft, *, rescale: bool) -> Draft:
    """Close the totals with those who did not vote.

    Where rows are groups, or add up to the electors, they hold all electors, and only the columns get one more. Votes
    on another ballot paper (of an election before, say) leave electors out on both sides: each gets "did not vote".
    """
    electors = draft.electors
    if electors is None:
        return draft
    rows, columns = draft.rows.votes.sum(axis=1), draft.columns.votes.sum(axis=1)
    _refuse(
        draft, columns > electors, columns, electors, "votes add up to", "electors are", "no more votes than electors"
    )
    closed = not disagree(rows, electors).any()
    if draft.kind == "votes" and not closed:
        _refuse(draft, rows > electors, rows, electors, "rows add up to", "electors are", "no more votes than electors")
        if not disagree(rows, columns).any():
            raise data_error(
                "rows and columns have the same totals without electors",
                where=f"{draft.where}, electors",
                expected="two ballot papers that different numbers used",
                mend="leave electors out: those who used neither would be a row and a column of their own",
            )
        if draft.unit_truth is not None:
            problem, mend = "cells of voters who voted both times", "leave electors or the truth out"
            raise data_error(problem, where=f"{draft.where}, truth", expected="cells of all electors", mend=mend)
        return replace(
            draft,
            rows=_plus(draft, draft.rows, electors - rows),
            columns=_plus(draft, draft.columns, electors - columns),
            notes=[*draft.notes, "electors without a vote on a side are its option 'did not vote'"],
        )
    if not closed and not rescale:
        bad = disagree(rows, electors)
        _refuse(draft, bad, rows, electors, "rows add up to", "electors are", "the same total (or pass rescale=True)")
    truth = draft.unit_truth
    if truth is not None:
        stayed = np.maximum(draft.rows.votes - truth.sum(axis=2), 0)
        truth = np.concatenate([truth, stayed[:, :, None]], axis=2)
    return replace(
        draft,
        columns=_plus(draft, draft.columns, electors - columns),
        unit_truth=truth,
        notes=[*draft.notes, "electors without a vote are the column 'did not vote'"],
    )


def with_equal_totals(draft: Draft, *, rescale: bool) -> Draft:
    """Refuse units whose rows and columns have different totals, or scale their rows."""
    rows, columns = draft.rows.votes.sum(axis=1), draft.columns.votes.sum(axis=1)
    differ = disagree(rows, columns)
    if not differ.any():
        return draft
    lost = (rows == 0) & differ
    if lost.any() or not rescale:
        bad = lost if rescale else differ
        expected = "voters in the rows of a unit with votes" if rescale else "the same total (or pass rescale=True)"
        _refuse(draft, bad, rows, columns, "rows add up to", "columns to", expected)
    scale = np.divide(columns, rows, out=np.ones(len(rows)), where=rows > 0)
    votes = np.where(differ[:, None], draft.rows.votes * scale[:, None], draft.rows.votes)
    apart = np.abs(np.where(differ, scale - 1, 0.0)).max()
    note = (
        f"the rows of {int(differ.sum())} of {len(rows)} units are scaled to the total of their columns, by up to"
        f" {100 * apart:.3g} %"
    )
    return replace(draft, rows=replace(draft.rows, votes=votes), notes=[*draft.notes, note])


def without_empty(draft: Draft) -> Draft:
    """Units with voters, and contests that have some."""
    kept = draft.columns.votes.sum(axis=1) > 0
    if kept.all():
        return draft
    if not kept.any():
        raise data_error("no votes", where=draft.where, expected="units with votes", mend="check the columns")
    there = np.bincount(draft.of[kept], minlength=len(draft.contests)) > 0
    gone = [label for label, here in zip(draft.contests, there.tolist(), strict=True) if not here]
    notes = [f"{int((~kept).sum())} empty units are left out"]
    notes += [f"{len(gone)} contests without votes are left out: {', '.join(gone[:5])}"] if gone else []

    def some(side: Side) -> Side:
        of = np.flatnonzero(there).tolist()
        return replace(
            side, names=[side.names[d] for d in of], parties=[side.parties[d] for d in of], votes=side.votes[kept]
        )

    return replace(
        draft,
        contests=[draft.contests[d] for d in np.flatnonzero(there)],
        keys=[draft.keys[d] for d in np.flatnonzero(there)],
        of=(np.cumsum(there) - 1)[draft.of[kept]],
        names=[draft.names[i] for i in np.flatnonzero(kept)],
        rows=some(draft.rows),
        columns=some(draft.columns),
        lines=draft.lines[kept],
        electors=None if draft.electors is None else draft.electors[kept],
        unit_truth=None if draft.unit_truth is None else draft.unit_truth[kept],
        notes=[*draft.notes, *notes],
    )


def _plus(draft: Draft, side: Side, votes: np.ndarray) -> Side:
    """The side with one more option in every contest, after its others."""
    if any(DID_NOT_VOTE in own for own in side.names):
        raise data_error(
            f"an option {DID_NOT_VOTE!r} and electors",
            where=draft.where,
            expected="one of them",
            mend="leave electors out, or that option",
        )
    grown = np.zeros((len(votes), side.votes.shape[1] + 1), np.result_type(side.votes, votes))
    grown[:, :-1] = side.votes
    grown[np.arange(len(votes)), np.array([len(own) for own in side.names])[draft.of]] = votes
    return replace(
        side,
        names=[[*own, DID_NOT_VOTE] for own in side.names],
        parties=[[*own, ""] for own in side.parties],
        votes=grown,
    )


def _refuse(
    draft: Draft, bad: np.ndarray, one: np.ndarray, other: np.ndarray, said: str, than: str, expected: str
) -> None:
    if not bad.any():
        return
    i = int(bad.argmax())
    more = f"; {int(bad.sum())} such units" if bad.sum() > 1 else ""
    where = f"{draft.where}, row {draft.lines[i]}, {draft.unit(i)}"
    problem = f"{said} {one[i]:g}, {than} {other[i]:g}"
    raise data_error(problem, where=where, expected=expected, mend=f"correct the unit{more}")
