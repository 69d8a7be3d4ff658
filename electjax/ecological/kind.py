"""What the wing says of units."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.kind import Kind, one_file
from electjax.data.table import fold
from electjax.ecological.readers.columns import OPTION, SIDE, UNIT, UNIT_NAME, VOTES
from electjax.ecological.readers.layout import AMOUNTS, OPTIONS, SIDES, TIMES
from electjax.ecological.readers.sides import is_side
from electjax.ecological.schema import UNITS
from electjax.ecological.verbs.read import read

_EXAMPLE = """precinct,county,old,young,blue,red,income
1,East,310,190,262,238,41.5
2,East,120,380,301,199,38.2
3,East,405,95,188,312,52.0
4,East,222,278,270,230,44.7
5,West,350,150,214,286,49.9
6,West,98,402,318,182,36.1
7,West,275,225,251,249,
8,West,180,320,287,213,40.3
"""
_LEAST = 4  # columns of numbers: two groups, two parties


def _likely(path: Path | None, names: Sequence[str], numeric: Sequence[bool]) -> float:
    folded = {fold(name) for name in names}

    def has(*words: str) -> bool:
        return not folded.isdisjoint(map(fold, words))

    if {"side", "option"} <= folded:
        return 1.0
    unit = has(*UNIT, *UNIT_NAME)
    if has(*OPTION, *OPTIONS):
        stacked = sum(number and is_side(name) for name, number in zip(names, numeric, strict=True)) == 2
        if has(*VOTES, *AMOUNTS) and (has(*SIDE, *SIDES) or stacked):  # also returns of several elections are such
            return (1.0 if unit else 0.8) if has(*SIDE, *set(SIDES) - set(TIMES)) else 0.65
        if stacked:
            return 0.8 if unit else 0.6
    groups = any(word in name for name in folded for word in ("vap", "white", "black", "hisp", "pct", "share"))
    if sum(numeric) < _LEAST or "party" in folded:
        return 0.05
    return 0.85 if unit and groups else 0.7 if unit or groups else 0.3


def _facts(units: xr.Dataset) -> Mapping[str, Any]:
    facts: dict[str, Any] = {
        "units": units.sizes["unit"],
        "contests": units.sizes["contest"],
        "rows": units.sizes["row"],
        "columns": units.sizes["column"],
        "voters": int(units["row_margin"].sum()),
    }
    if "unit_covariate" in units:
        facts["covariates"] = ", ".join(units["unit_variable"].values.tolist())
    return facts | ({"areas": len(set(units["unit_area"].values.tolist()))} if "unit_area" in units.coords else {})


KIND = Kind(
    name="units",
    about="row and column margins of units whose cross-table nobody counted",
    conventions=UNITS.conventions,
    likely=_likely,
    read=read,
    facts=_facts,
    call="electjax.ecological.estimate(electjax.ecological.read({source}{options}))",
    command="python -m electjax.run task=ecological data=units data.path={source}{options}",
    template=one_file("units.csv", _EXAMPLE),
)
