"""What the wing says of booths."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.calm.schema import BOOTHS
from electjax.calm.store import write
from electjax.calm.verbs.read import read
from electjax.calm.verbs.simulate import simulate
from electjax.data.kind import Kind

_TABLES = {"booths", "cells", "margins", "votes", "candidates"}


def _likely(path: Path | None, names: Sequence[str], numeric: Sequence[bool]) -> float:
    if path is not None and path.is_dir():
        stems = {file.name.casefold().split(".")[0] for file in path.iterdir()}
        if "booths" in stems and len(stems & _TABLES) > 1:
            return 1.0
        return 0.5 if any("rolls" in stem for stem in stems) else 0.0
    if path is not None and path.suffix.casefold() in (".sqlite", ".sqlite3", ".db"):
        return 0.9
    return 0.3 if names and names[0].casefold() in _TABLES | {"booth"} else 0.0


def _facts(booths: xr.Dataset) -> Mapping[str, Any]:
    electors = int(booths["electors"].sum())
    polled = int(booths["polled"].sum())
    return {
        "booths": booths.sizes["booth"],
        "constituencies": booths.sizes["constituency"],
        "cells": booths.sizes["cell"],
        "parties": booths.sizes["party"],
        "electors": electors,
        "votes polled": f"{polled} ({100 * polled / max(electors, 1):.1f} %)",
    }


def _template(folder: Path) -> None:
    write(simulate("tiny"), folder)


KIND = Kind(
    name="booths",
    about="electors of demographic cells and votes of parties at polling booths",
    conventions=BOOTHS.conventions,
    likely=_likely,
    read=read,
    facts=_facts,
    call="electjax.calm.fit(electjax.calm.read({source}{options}))",
    command="python -m electjax.run task=calm data=booths data.path={source}{options}",
    template=_template,
)
