"""Sets of contests whose tables are known, and fits of them.

A fit goes from the arrays of the codec through `estimate_tables`, as in `ecological.estimate`, so that a study may
change what no option changes (keys of pairs, kinds of cells, groups of contests) before it.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

import electjax
from electjax.data.options import made
from electjax.ecological.codec import Encoded, encode_units, error_index, with_checks
from electjax.ecological.model.data import Blocks, Contests
from electjax.ecological.model.estimate import Mode, Tables, mode
from electjax.ecological.options import EstimateOptions
from electjax.ecological.verbs.estimate import estimate_tables, problem_of
from electjax.numerics.host import double_precision

YEARS = ("nz_2002", "nz_2014")
GROUPS, CHOICES = ("white", "black", "natam"), ("dem", "rep", "oth")
CHECKED = ("mean_ei", "coverage_95", "coverage_80", "width_95", "width_80")


class Case(NamedTuple):
    """Contests whose tables are known, and their arrays."""

    name: str
    data: xr.Dataset
    code: Encoded

    @property
    def truth(self) -> np.ndarray:
        """Counted tables, [D, R, C]; NaN where unknown."""
        return np.asarray(self.data["truth"].transpose("contest", "row", "column").values)


def case_of(name: str, data: xr.Dataset) -> Case:
    """A case from units whose truth is known."""
    return Case(name, data, encode_units(data, checked=True))


def cases(folder: Path, small: bool) -> Iterator[tuple[str, Case | None]]:
    """Every set; None where its files are not at hand. `small`: only a small generated one."""
    if small:
        made = electjax.ecological.simulate(
            contests=6, units=12, rows=3, parties=3, fielded=1.0, merge_below=0.0, seed=1
        )
        yield "generated", case_of("generated", made)
        return
    for name in YEARS:
        files = [folder / f"{name}_{what}.csv.gz" for what in ("units_long", "truth_cross")]
        there = all(file.exists() for file in files)
        yield name, case_of(name, electjax.ecological.read(files[0], truth=files[1])) if there else None
    file = folder / "senc.csv"
    yield "senc", case_of("senc", read_senc(file)) if file.exists() else None
    yield "generated", case_of("generated", electjax.ecological.simulate(contests=24, units=40, seed=1))


def read_senc(file: Path) -> xr.Dataset:
    """Registration by race and party in North Carolina, whose cells are known in every precinct."""
    short = {"white": "wh", "black": "bl", "natam": "natam"}
    cells = {(group, choice): short[group] + choice for group in GROUPS for choice in CHOICES}
    return electjax.ecological.read(file, rows=list(GROUPS), columns=list(CHOICES), truth=cells)


# ---------------------------------------------------------------- fits and checks


def here_of(code: Encoded) -> np.ndarray:
    """Which cells are there, [D, R, C]."""
    return np.asarray(code.contests.row_here)[:, :, None] & np.asarray(code.contests.column_here)[:, None, :]


def checked(cells: np.ndarray, draws: np.ndarray, truth: np.ndarray, here: np.ndarray) -> dict[str, float]:
    """Mean EI, and coverage and width of the intervals; tables [D, R, C], draws [S, D, R, C]."""
    cells, draws = np.where(here, cells, np.nan), np.where(here, draws, np.nan)
    names = ("contest", "row", "column")
    rows = np.nansum(cells, axis=2, keepdims=True)
    share = cells / np.where(rows > 0, rows, np.nan)
    found = xr.Dataset({"cells": (names, cells), "share": (names, share), "truth": (names, truth)})
    if len(draws):
        found["draws"] = (("draw", *names), draws)
    found = with_checks(found.assign_coords(contest=np.arange(len(cells))))
    return {name: float(found.attrs[name]) for name in CHECKED if name in found.attrs}


def options_of(options: dict[str, Any]) -> EstimateOptions:
    """Keywords of `ecological.estimate`, checked."""
    return made(EstimateOptions, options, where="ecological.estimate")


def fitted(code: Encoded, **options: Any) -> Tables:
    """`ecological.estimate` on arrays."""
    with double_precision():
        return estimate_tables(code, options_of(options))


def tried(case: Case, code: Encoded | None = None, **options: Any) -> dict[str, Any]:
    """EI and coverage with these options."""
    begin = time.perf_counter()
    own = case.code if code is None else code
    tables = fitted(own, **options)
    seconds = time.perf_counter() - begin
    found: dict[str, Any] = checked(tables.contests, tables.draws, case.truth, here_of(own))
    return found | {"steps": tables.found.steps, "converged": tables.found.converged, "seconds": seconds}


def climbed(case: Case, start: Any = None, **options: Any) -> Mode:
    """The mode alone."""
    own = options_of(options)
    problem = problem_of(case.code, own, own.context)
    return mode(problem, start, tolerance=own.tolerance, max_steps=own.max_steps)


def error_of(case: Case, tables: Any) -> float:
    """Mean EI of contests' tables over the contests whose truth is known."""
    truth = case.truth
    known = np.isfinite(truth).any(axis=(1, 2))
    return float(error_index(np.asarray(tables)[known], truth[known]).mean())


def parts_of(case: Case, size: int) -> list[Encoded]:
    """The contests in groups whose sizes differ by one at most, padded to one shape so that they share a program."""
    labels = case.data["contest"].values
    groups = np.array_split(np.arange(labels.size), max(1, round(labels.size / size)))
    codes = [
        encode_units(electjax.ecological.select_contests(case.data, labels[own].tolist()), checked=True)
        for own in groups
    ]
    blocks, pairs = max(len(c.blocks.contest) for c in codes), max(len(c.pairs) for c in codes)
    return [widened(code, blocks, pairs, case.code.contests.kind.shape[1:]) for code in codes]


def widened(code: Encoded, blocks: int, pairs: int, shape: tuple[int, ...]) -> Encoded:
    """The same with empty blocks, unused pairs, and padding in rows and columns."""
    (rows, columns), old, own = shape, code.blocks, code.contests
    number, size = len(own.mix), old.rows.shape[1]

    def pad(values: Any, *sizes: int) -> np.ndarray:
        return np.pad(values, [(0, new - here) for new, here in zip(sizes, np.shape(values), strict=True)])

    more = Blocks(
        pad(old.rows, blocks, size, rows),
        pad(old.columns, blocks, size, columns),
        np.pad(old.contest, (0, blocks - len(old.contest)), mode="edge"),
    )
    contests = Contests(
        pad(own.row_here, number, rows),
        pad(own.column_here, number, columns),
        pad(own.mix, number, rows),
        pad(own.pair, number, rows, columns),
        pad(own.kind, number, rows, columns),
        pad(own.features, number, rows, columns, own.features.shape[-1]),
    )
    return code._replace(blocks=more, contests=contests, pairs=code.pairs + (("", ""),) * (pairs - len(code.pairs)))
