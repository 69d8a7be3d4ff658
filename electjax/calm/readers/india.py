"""Booths of Uttar Pradesh and Gujarat, of the public database on religion and politics in India.

Tables of a state and year: `uprolls2012` has electors of booths and percentages by religion among the names that were
matched, `upvidhansabha2012` (or a Lok Sabha's) has turnout and votes, `upcandidates2012` the likely religion of
candidates, and `upid` joins the booths of several years.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.calm.booths import dataset
from electjax.calm.options import ReadOptions
from electjax.calm.readers.cells import round_to_totals
from electjax.calm.readers.database import Database, Keys, ids_of, is_sqlite, linked, parts_of, rows_of
from electjax.data.axes import Axis, axes_of
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.labels import NOTA, OTHERS, party_label
from electjax.data.notes import with_notes
from electjax.data.rows import numbered, select
from electjax.data.table import Table, fold

RELIGIONS = ("hindu", "muslim", "christian", "sikh", "jain", "buddhist", "parsi")
# The small religions are told too often from names: they are one category unless the axes say otherwise.
DEFAULT = {"religion": {"categories": ["Hindu", "Muslim", "Other"], "kernel": "match"}}
_UNKNOWN = ("", "unknown")


class Parties(NamedTuple):
    """Votes by party: their labels, and [i, k], NaN where blank."""

    labels: list[str]
    votes: np.ndarray


def recognises(source: Any) -> bool:
    """Whether this is such a database: a SQLite file, or a folder of its tables."""
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    return is_sqlite(path) or (path.is_dir() and any("rolls" in name for name in parts_of(path)))


def read(source: Any, options: ReadOptions) -> xr.Dataset:
    """Booths of one election."""
    base = Database(Path(source), options)
    if options.columns:
        raise base.fault("columns= with a database", "its own names of columns", "leave it out")
    axis = _axis(options)
    state, year, name = base.election()
    end = f"_{year % 100:02}"
    results = select(base.table(name, lambda column: _is_result(column, end)), options.where)
    keys = Keys(results)
    left = (keys.labels == "") & ~keys.total
    notes = [f"{int(n.sum())} {what} left out" for n, what in ((keys.total, "totals"), (left, "rows without a booth"))]
    notes = [note for note in notes if not note.startswith("0 ")]
    results = results.take(keys.labels != "")
    keys = Keys(results)
    parties = _votes(results, end)
    turnout = results.numbers(results.need(f"turnout{end}"), "votes polled", low=0)
    roll_year = year if options.rolls is None else options.rolls
    rolls = base.table(base.need(f"{state}rolls{roll_year}", "rolls"), lambda column: not column.startswith("revision"))
    roll_keys = Keys(rolls)
    at = linked(base, state, keys, roll_keys)
    roll_end = f"_{roll_year % 100:02}"
    electors = rolls.numbers(rolls.need(f"electors{roll_end}"), "electors", low=0)[at]
    shares, blanks = _religions(rolls, roll_end, axis)
    shares = shares[at]
    covariates = {
        column: rolls.numbers(rolls.asked(f"{column}{roll_end}", "covariates"))[at] for column in options.covariates
    }
    total = np.nansum(parties.votes, axis=1)
    polled = np.where(np.isnan(turnout), total, turnout)
    faults = {
        "are there twice": keys.again,
        "have no rolls": at < 0,
        "are twice in the rolls": (at >= 0) & roll_keys.again[at],
        "have rolls without electors or religion": ~(electors > 0) | ~(shares.sum(axis=1) > 0),
        "have percentages above 100 together": shares.sum(axis=1) > 102,
        "have no votes of any party": np.isnan(parties.votes).all(axis=1) | ((total == 0) & ~(turnout == 0)),
        "have more votes than turnout": total > polled,
        "have a higher turnout than electors": polled > electors,
        "lack a covariate": np.isnan(np.array([*covariates.values()]).reshape(-1, len(at))).any(axis=0),
    }
    kept = _kept(faults, results, keys, options)
    if np.isnan(turnout[kept]).any():
        notes.append(f"turnout is blank in {int(np.isnan(turnout[kept]).sum())} booths, and the sum of the votes there")
    notes += [f"{int(bad.sum())} booths {said} (left out)" for said, bad in faults.items() if bad.any()]
    electors, polled = electors[kept].astype(np.int64), polled[kept].astype(np.int64)
    notes += _coverage(results, end, kept, electors)
    labels, votes = _pooled(parties, kept, options, base)
    notes.append(f"parties: {', '.join(labels)}")
    area, constituencies, people = _constituencies(base, state, year, keys.place[kept])
    short = polled - votes.sum(axis=1)
    if options.rest == "error" and short.any():
        problem = f"{int(short.max())} votes of booth {keys.labels[kept][short.argmax()]} go to no party"
        raise results.fault(problem, expected="votes that add up to the turnout", mend="pass rest='others' or 'drop'")
    if options.rest == "drop":
        polled = votes.sum(axis=1)
    elif short.any():
        if OTHERS not in labels:
            labels, votes = [*labels, OTHERS], np.column_stack([votes, np.zeros_like(short)])
        votes[:, labels.index(OTHERS)] += short
    cells = round_to_totals(shares[kept] / shares[kept].sum(axis=1, keepdims=True) * electors[:, None], electors)
    notes.append("cells are the percentages of matched names, unmatched electors spread alike, in whole electors")
    if blanks:
        notes.append(f"{blanks} blank percentages of small groups are taken for 0")
    previous = _previous(base, state, keys, kept, labels, notes) if options.previous is not None else None
    fielded = np.zeros((len(constituencies), len(labels)), bool)
    np.logical_or.at(fielded, area, votes > 0)
    religion, said = _candidates(people, end, constituencies, labels, axis, options)
    own = fielded & ~np.isin(labels, (OTHERS, NOTA))
    notes.append(f"religion of {int(((religion != '') & own).sum())} of {int(own.sum())} candidates is known")
    if (said & ~fielded).any():
        notes.append(f"{int((said & ~fielded).sum())} candidates without any vote are left out")
    if not options.votes:
        votes, polled = np.zeros_like(votes), np.zeros_like(polled)
    booths = dataset(
        cell_size=cells,
        votes=votes,
        polled=polled,
        cell_category=np.array(axis.categories)[:, None],
        candidate_category=np.where(fielded, religion, "")[..., None],
        fielded=fielded,
        previous=previous,
        covariates={column: values[kept] for column, values in covariates.items()} or None,
        booths=keys.labels[kept].tolist(),
        constituencies=constituencies,
        booth_constituency=np.array(constituencies)[area],
        parties=labels,
        axes=(axis,),
        name=f"{state}{year}",
        source=Path(source).name,
    )
    return with_notes(booths, [*results.notes, *rolls.notes, *notes])


def _axis(options: ReadOptions) -> Axis:
    axes = axes_of(DEFAULT if options.axes is None else options.axes)
    if len(axes) != 1 or axes[0].name != "religion" or not axes[0].categories:
        found = ", ".join(axis.name for axis in axes)
        raise data_error(
            f"axes {found}",
            where="axes",
            expected="the one axis religion, with categories: the database has no other cells",
            mend="as in axes={'religion': {'categories': ['Hindu', 'Muslim', 'Other']}}",
        )
    return axes[0]


def _is_result(column: str, end: str) -> bool:
    if column.startswith(("ac_id_", "booth_id_", "electors_", "turnout_", "nota_")):
        return "percent" not in column
    return column.startswith("votes_") and column.endswith(end) and not column.endswith(f"_percent{end}")


def _votes(results: Table, end: str) -> Parties:
    """Votes by party; columns that are of one party are added up, blanks being 0 where another is not."""
    named = {position: m[1] for position, name in enumerate(results.names) if (m := _party(name, end))}
    nota = results.find(f"nota{end}")
    if nota is not None and "nota" not in named.values() and results.columns[nota].present():
        named[nota] = NOTA
    if not named:
        expected = f"such as votes_bjp{end}"
        raise results.fault("no column of votes", expected=expected, mend=f"there are {', '.join(results.names[:12])}")
    labels = list(dict.fromkeys(party_label(name) for name in named.values()))
    votes = np.full((len(results), len(labels)), np.nan)
    for position, name in named.items():
        k = labels.index(party_label(name))
        values = results.counts(position, missing=-1).astype(float)
        values[values < 0] = np.nan
        votes[:, k] = np.where(np.isnan(votes[:, k]), values, votes[:, k] + np.nan_to_num(values))
    return Parties(labels, votes)


def _party(column: str, end: str) -> re.Match[str] | None:
    return re.fullmatch(rf"votes_(?!.*_percent{end}$)(.+){end}", column)


def _category(religion: str, axis: Axis) -> int:
    """The category of a religion; the one for others where it has none of its own; -1 where there is none either."""
    known = {fold(label): code for code, label in enumerate(axis.categories)}
    return known.get(fold(religion), known.get("other", known.get("others", -1)))


def _religions(rolls: Table, end: str, axis: Axis) -> tuple[np.ndarray, int]:
    """Percentages by category, [i, c], 0 where blank; and how many were blank beside others."""
    shares = np.zeros((len(rolls), len(axis.categories)))
    filled, blank = np.zeros(len(rolls), bool), np.zeros(len(rolls), np.int64)
    for religion in RELIGIONS:
        position = rolls.find(f"{religion}_percent{end}")
        if position is None:
            continue
        code = _category(religion, axis)
        if code < 0:
            mend = "add the category, or 'Other'"
            raise data_error(f"no category for {religion}", where="axes.religion", expected="one", mend=mend)
        values = rolls.numbers(position, "a percentage", low=0)
        shares[:, code] += np.nan_to_num(values)
        filled |= ~np.isnan(values)
        blank += np.isnan(values)
    if not filled.any():
        expected = f"such as hindu_percent{end}"
        raise rolls.fault("no percentages of religions", expected=expected, mend="check the table")
    return shares, int(blank[filled].sum())


def _kept(faults: dict[str, np.ndarray], results: Table, keys: Keys, options: ReadOptions) -> np.ndarray:
    """Rows of booths that are right; each of the others is counted for the first fault it has."""
    kept = np.ones(len(results), bool)
    for said, bad in list(faults.items()):
        faults[said] = bad & kept
        kept &= ~bad
    if kept.all():
        return kept
    counted = ", ".join(f"{int(bad.sum())} {said}" for said, bad in faults.items() if bad.any())
    problem = f"{int((~kept).sum())} of {len(kept)} booths cannot be used: {counted}"
    row = int((~kept).argmax())
    if options.faulty == "refuse" or not kept.any():
        problem = f"{problem}; the first is {keys.labels[row]}"
        raise results.fault(problem, row, expected="booths with rolls and votes", mend="pass faulty='drop', or mend it")
    data_warning(f"{problem}; they are left out", where=results.file)
    return kept


def _coverage(results: Table, end: str, kept: np.ndarray, electors: np.ndarray) -> list[str]:
    """A sentence where the rolls have far fewer or more electors than the results say."""
    position = results.find(f"electors{end}")
    said = np.nan if position is None else np.nansum(results.numbers(position, "electors", low=0)[kept])
    ratio = electors.sum() / said if said > 0 else 1.0
    return [] if 0.9 < ratio < 1.1 else [f"the rolls have {ratio:.0%} of the electors that the results have"]


def _pooled(parties: Parties, kept: np.ndarray, options: ReadOptions, base: Database) -> tuple[list[str], np.ndarray]:
    """Labels and votes of the parties that are kept, with the others as one, last."""
    votes = np.nan_to_num(parties.votes[kept]).astype(np.int64)
    if isinstance(options.parties, int | float):
        share = votes.sum(axis=0) / max(int(votes.sum()), 1)
        large = (share >= options.parties) & (share > 0)
    else:
        known = {label.casefold(): label for label in parties.labels}
        for name in options.parties:
            if party_label(str(name)).casefold() not in known:
                raise base.fault(f"no party {name!r}", "parties with votes", suggest(str(name), parties.labels))
        wanted = {party_label(str(name)).casefold() for name in options.parties}
        large = np.array([label.casefold() in wanted for label in parties.labels])
    large &= np.array([label != OTHERS for label in parties.labels])
    labels = [label for label, keep in zip(parties.labels, large, strict=True) if keep]
    rest = votes[:, ~large].sum(axis=1)
    if not rest.any():
        return labels, votes[:, large]
    return [*labels, OTHERS], np.column_stack([votes[:, large], rest])


def _constituencies(base: Database, state: str, year: int, place: np.ndarray) -> tuple[np.ndarray, list[str], Table]:
    """Constituency of each booth, their labels, and the table of candidates, whose first column is theirs."""
    people = base.table(
        base.need(f"{state}candidates{year}"),
        lambda name: name.startswith(("ac_id_", "pc_id_")) or "_religion_" in name,
    )
    key = next((name for name in people.names if name.startswith("ac_id_")), None)
    if key is None:  # of a Lok Sabha: its constituencies are of several of the booths'
        key = next((name for name in people.names if name.startswith("pc_id_")), "pc_id_09")
        people.need(key)
        ids = base.table(base.need(f"{state}id"), lambda name: name in (key, key.replace("pc_", "ac_")))
        known = Keys(ids, ids.need(key.replace("pc_", "ac_")), ids.need(key))
        there = known.labels != ""
        at = rows_of(known.place[there], place)
        if (at < 0).any():
            problem = f"constituency {place[at < 0][0]} is in no {key} of {ids.file}"
            raise base.fault(problem, "one for each", "complete the table, or leave it out with where=")
        place = np.array([label.partition("/")[2] for label in known.labels[there].tolist()], np.str_)[at]
    area, first = numbered(place)
    position = people.need(key)
    others = tuple(column for p, column in enumerate(people.columns) if p != position)
    people = replace(people, columns=(people.columns[position], *others))
    return area, place[first].tolist(), people


def _candidates(
    people: Table, end: str, constituencies: list[str], labels: Sequence[str], axis: Axis, options: ReadOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Category of each candidate, [a, k], blank where unknown; and who has a religion at all in the table."""
    place = ids_of(people, 0)
    at = rows_of(place, np.array(constituencies, np.str_))
    category = np.full((len(constituencies), len(labels)), "", dtype=f"<U{max(map(len, axis.categories))}")
    said = np.zeros(category.shape, bool)
    for k, label in enumerate(labels):
        names = [label, label.casefold()]
        position = people.find(*(f"candidate_{name}_religion{end}" for name in names))
        sure = people.find(*(f"candidate_{name}_religion_certainty{end}" for name in names))
        if position is None or label in (OTHERS, NOTA):
            continue
        column = people.columns[position]
        found = [_category(text, axis) if text.casefold() not in _UNKNOWN else -1 for text in column.texts]
        names_of = np.array([axis.categories[code] if code >= 0 else "" for code in found], np.str_)
        own = np.where(at >= 0, names_of[column.codes][at], "")
        if options.certainty > 0:
            certain = np.full(len(people), np.nan) if sure is None else people.numbers(sure, "a certainty")
            own = np.where(certain[at] >= options.certainty, own, "")
        category[:, k] = own
        said[:, k] = (at >= 0) & ~column.blank[at]
    return category, said


def _previous(
    base: Database, state: str, keys: Keys, kept: np.ndarray, labels: Sequence[str], notes: list[str]
) -> np.ndarray:
    """Shares of the parties in the election before, [i, k], NaN where a booth has no equal or a party no votes."""
    year = base.options.previous
    assert year is not None
    end = f"_{year % 100:02}"
    table = base.table(base.results(state, year), lambda column: _is_result(column, end))
    before, parties = Keys(table), _votes(table, end)
    at = linked(base, state, keys, before)[kept]
    votes = np.nan_to_num(parties.votes)
    total = votes.sum(axis=1)
    good = (at >= 0) & (total[at] > 0) & ~before.again[at]
    notes.append(f"{int(good.sum())} of {len(at)} booths have shares of {year}")
    shares = np.full((len(at), len(labels)), np.nan)
    own = {label.casefold(): k for k, label in enumerate(parties.labels)}
    for k, label in enumerate(labels):
        if label.casefold() in own and label != OTHERS:
            share = votes[:, own[label.casefold()]] / np.where(total > 0, total, 1)
            shares[:, k] = np.where(good, share[at], np.nan)
    return shares
