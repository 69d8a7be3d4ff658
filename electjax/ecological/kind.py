"""What the wing says of units."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.kind import Kind, one_file
from electjax.data.table import fold
from electjax.data.vocabulary import words_of
from electjax.ecological.schema import UNITS
from electjax.ecological.verbs.read import read

_EXAMPLE = """precinct,old,young,blue,red
1,310,190,262,238
2,120,380,301,199
3,405,95,188,312
4,222,278,270,230
5,350,150,214,286
6,98,402,318,182
7,275,225,251,249
8,180,320,287,213
"""
_LEAST = 4  # columns of numbers: two groups, two parties


def _likely(path: Path | None, names: Sequence[str], numeric: Sequence[bool]) -> float:
    folded = {fold(name) for name in names}
    if {"side", "option"} <= folded:
        return 1.0
    unit = any(fold(word) in folded for word in words_of("unit"))
    groups = any(word in name for name in folded for word in ("vap", "white", "black", "hisp", "pct", "share"))
    if sum(numeric) < _LEAST or "party" in folded:
        return 0.05
    return 0.85 if unit and groups else 0.7 if unit or groups else 0.3


def _facts(units: xr.Dataset) -> Mapping[str, Any]:
    return {
        "units": units.sizes["unit"],
        "contests": units.sizes["contest"],
        "rows": units.sizes["row"],
        "columns": units.sizes["column"],
        "voters": int(units["row_margin"].sum()),
    }


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
