"""What the wing says of ballots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.kind import Kind, one_file
from electjax.data.table import fold
from electjax.voter_types.describing import option_table
from electjax.voter_types.options import ABSTAIN
from electjax.voter_types.schema import BALLOTS
from electjax.voter_types.verbs.read import read

_EXAMPLE = """voter,President,Governor,Senate,Sheriff
1,Blue,Blue,Blue,no vote
2,Red,Red,Red,Red
3,Blue,Red,Blue,Blue
4,Red,Red,no vote,Red
5,Blue,Blue,Blue,Blue
6,Red,Blue,Red,Red
7,Blue,Blue,Blue,Blue
8,Red,Red,Red,no vote
9,no vote,Blue,Red,Red
10,Blue,Blue,Blue,Red
11,Red,Red,Red,Red
12,Blue,Blue,no vote,Blue
"""
_VOTERS = {"voter", "voterid", "cvrid", "cvrnumber", "castvoterecord", "ballotid", "rownumber", "boxposition"}
_OFFICES = ("president", "governor", "senat", "house", "sheriff", "mayor", "council", "clerk", "judge", "attorney")
_FILES = ("cvrexport", "cvr_export", "cast_vote_record", "cvr", "ballots")


def _likely(path: Path | None, names: Sequence[str], numeric: Sequence[bool]) -> float:
    folded = [fold(name) for name in names]
    if any(name.startswith(("y_", "choice_")) for name in names) or "cvrnumber" in folded:
        return 1.0
    if path is not None and path.is_dir():
        found = [file.name.casefold() for file in path.rglob("*") if file.is_file()][:1000]
        if any(name.startswith(_FILES) and name.endswith(".json") for name in found):
            return 1.0
        return 0.8 if found and all(name.endswith((".xml", ".parquet")) for name in found) else 0.0
    if path is not None and path.suffix.casefold() in (".json", ".xml"):
        return 0.9
    if path is not None and path.suffix.casefold() == ".zip" and not names:
        return 0.6
    if _VOTERS & set(folded):
        return 0.9
    if names and all(numeric) and {"count", "freq", "frequency", "weight"} & set(folded):
        return 0.75
    if sum(any(word in name for word in _OFFICES) for name in folded) > 1 and "votes" not in folded:
        return 0.8
    return 0.2 if names and sum(numeric) < len(names) / 2 else 0.05


def _facts(ballots: xr.Dataset) -> Mapping[str, Any]:
    offices = [str(name) for name in ballots["office"].values]
    more = f" and {len(offices) - 6} more" if len(offices) > 6 else ""
    choice, labels = ballots["choice"].values, option_table(ballots)
    missing = int((choice < 0).sum())
    blank = np.vectorize(lambda label: label.casefold() in ABSTAIN, otypes=[bool])(labels)
    none = int((blank[np.arange(len(labels)), choice] & (choice >= 0)).sum())
    return {
        "voters": ballots.sizes["voter"],
        "offices": f"{len(offices)} ({', '.join(offices[:6])}{more})",
        "options": ballots.sizes["option"],
        "votes": int(choice.size) - missing - none,
        "abstentions": none,
        "missing or not on the ballot": missing,
        "scheme": ballots.attrs.get("scheme", ""),
    }


KIND = Kind(
    name="ballots",
    about="votes of single voters in several offices",
    conventions=BALLOTS.conventions,
    likely=_likely,
    read=read,
    facts=_facts,
    call="electjax.voter_types.fit(electjax.voter_types.read({source}{options}), types=3)",
    command="python -m electjax.run task=voter_types data=ballots data.path={source}{options} voter_types.types=3",
    template=one_file("ballots.csv", _EXAMPLE),
)
