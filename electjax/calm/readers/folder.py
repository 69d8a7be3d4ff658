"""The tables of booths that a user brings: files of a folder, found by their stems, or frames by name."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from electjax.calm.booths import dataset
from electjax.calm.options import ReadOptions
from electjax.calm.readers import returns
from electjax.calm.readers.cells import read_cells, read_margins
from electjax.data.axes import FILES, Axis, axes_of
from electjax.data.errors import data_error, suggest
from electjax.data.labels import party_label, strings
from electjax.data.notes import with_notes
from electjax.data.sources import names_of, read_table
from electjax.data.table import Table, fold, near

TABLES = {
    "booths": "booth, constituency, electors, polled",
    "cells": "booth, a column for each axis, n; or margins: booth, axis, category, n",
    "votes": "booth, party, votes",
    "candidates": "constituency, party and a column for each axis",
    "margins": "booth, axis, category, n",
    "joint": "a column for each axis, n",
}


class Tables:
    """Tables by name; which of them an option of reading means is found by the columns they have."""

    def __init__(self, found: Mapping[str, Any], place: str, options: ReadOptions) -> None:
        self.found, self.place = found, place
        asked = {("where", name) for name in options.where} | {("columns", name) for name in options.columns.values()}
        self.options: dict[str, ReadOptions] = {}
        self.notes: list[str] = []
        for name, source in found.items():
            known = {fold(column) for column in names_of(source, options)} if asked else set()
            columns = {ours: theirs for ours, theirs in options.columns.items() if fold(theirs) in known}
            known |= {fold(ours) for ours in columns}
            where = {column: value for column, value in options.where.items() if fold(column) in known}
            asked -= {("where", column) for column in where} | {("columns", theirs) for theirs in columns.values()}
            self.options[name] = replace(options, columns=columns, where=where)
        for keyword, name in sorted(asked):
            every = [column for source in found.values() for column in names_of(source, options)]
            mend = suggest(name, list(dict.fromkeys(every)))
            raise data_error(
                f"no table has a column {name!r}", where=f"{place}, {keyword}", expected="a column", mend=mend
            )

    def __contains__(self, name: str) -> bool:
        return name in self.found

    def read(self, name: str) -> Table:
        """A table that must be there."""
        if name not in self.found:
            there = ", ".join(sorted(self.found)) or "nothing"
            if Path(self.place).is_dir():
                there = ", ".join(sorted(path.name for path in Path(self.place).iterdir())[:10]) or "nothing"
            raise data_error(
                f"no {name}.csv, only {there}",
                where=self.place,
                expected=f"{name}.csv ({TABLES[name]}), or another kind of table of this name",
                mend="add the file, or name the folder that holds it",
            )
        table = read_table(self.found[name], self.options[name])
        return table if isinstance(self.found[name], str | os.PathLike) else replace(table, file=name)

    def keep(self, table: Table) -> None:
        """Remember what is to be said of a table."""
        self.notes += [f"{table.file}: {note}" for note in table.notes]


def recognises(source: Any) -> bool:
    """Whether this is a folder, or tables by name."""
    return isinstance(source, Mapping) or Path(source).is_dir()


def read(source: Any, options: ReadOptions) -> xr.Dataset:
    """Booths of a folder, or of frames and paths by name."""
    if isinstance(source, Mapping):
        tables, own, name = _given(source, options), None, "booths"
    else:
        folder = Path(source)
        files = _files(folder)
        own, name = files.pop("axes", None), folder.resolve().name
        tables = Tables(files, str(folder), options)
    axes = axes_of(own if options.axes is None else options.axes)
    table = tables.read("booths")
    roll = returns.read_roll(table, tables.options["booths"])
    tables.keep(roll.table)
    candidates, table = returns.read_candidates(tables.read("candidates"), roll, axes, options)
    tables.keep(table)
    counted = returns.no_votes(roll, candidates)
    if options.votes:
        counted, candidates, table = returns.read_votes(tables.read("votes"), roll, candidates, options)
        tables.keep(table)
    if "margins" in tables and "cells" in tables:
        raise data_error("cells.csv and margins.csv", where=tables.place, expected="one of them", mend="remove one")
    if "margins" in tables:
        joint = tables.read("joint") if "joint" in tables else None
        sizes, codes, table = read_margins(tables.read("margins"), roll, axes, joint=joint, options=options)
    else:
        sizes, codes, table = read_cells(tables.read("cells"), roll, axes, options)
    tables.keep(table)
    booths = _dataset(roll, axes, sizes, codes, candidates, counted)
    booths.attrs |= {"name": name, "source": Path(tables.place).name}
    return with_notes(booths, tables.notes)


def _given(source: Mapping[str, Any], options: ReadOptions) -> Tables:
    for name in source:
        if name not in TABLES:
            mend = suggest(str(name), list(TABLES))
            raise data_error(f"no table {name!r}", where="calm.read", expected=", ".join(TABLES), mend=mend)
    return Tables({name: frame for name, frame in source.items() if frame is not None}, "tables", options)


def _files(folder: Path) -> dict[str, Path]:
    """The files of a folder that are ours, by their stems, whatever their endings."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = path.name.split(".")[0].casefold()
        if stem not in (*TABLES, "axes") or (stem == "axes" and not path.name.casefold().endswith(FILES)):
            continue
        if stem in found:
            problem = f"{found[stem].name} and {path.name}"
            raise data_error(problem, where=str(folder), expected=f"one table of {stem}", mend="remove one")
        found[stem] = path
    return found


def _dataset(
    roll: returns.Roll,
    axes: Sequence[Axis],
    sizes: np.ndarray,
    codes: np.ndarray,
    candidates: returns.Candidates,
    counted: returns.Votes,
) -> xr.Dataset:
    ds = dataset(
        cell_size=sizes,
        votes=counted.votes,
        polled=counted.polled,
        cell_category=labels_of(codes, axes),
        candidate_category=labels_of(candidates.codes, axes),
        candidate_value=candidates.values,
        fielded=candidates.fielded,
        previous=_previous(roll, candidates.parties) if roll.previous else None,
        covariates=roll.covariates or None,
        booths=roll.labels,
        constituencies=roll.constituencies,
        booth_constituency=strings(roll.constituencies)[roll.constituency],
        parties=candidates.parties,
        axes=axes,
    )
    if counted.rest:
        ds.attrs["rest"] = counted.rest
    return ds.assign_coords({n: ("booth", texts) for n, texts in roll.notes.items() if n not in ds.variables})


def labels_of(codes: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Labels of codes [..., d]; blank for -1."""
    labels = [np.array([*axis.categories, ""], dtype=np.str_)[codes[..., d]] for d, axis in enumerate(axes)]
    return np.stack(labels, axis=-1)


def _previous(roll: returns.Roll, parties: Collection[str]) -> np.ndarray:
    """Previous shares of the parties, NaN for those without a column."""
    known = list(parties)
    shares = np.full((len(roll.labels), len(known)), np.nan)
    for label, values in roll.previous.items():
        party = party_label(label)
        if party not in known:
            raise roll.table.fault(
                f"unknown party {label!r}",
                position=roll.table.find(f"{returns.PREVIOUS}{label}"),
                expected="a party of candidates.csv",
                mend=f"{near(label, known)}; or remove the column",
            )
        shares[:, known.index(party)] = values
    return shares
