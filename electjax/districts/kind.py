"""What the wing says of returns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.kind import Kind, one_file
from electjax.data.table import fold
from electjax.data.vocabulary import words_of
from electjax.districts.schema import ELECTION
from electjax.districts.verbs.read import read

_EXAMPLE = """district,party,candidate,votes,electors
North,Blue,A. Ash,4210,9800
North,Green,B. Birch,3650,9800
North,Red,C. Cedar,1120,9800
South,Blue,D. Dale,2980,9100
South,Green,E. Elm,4475,9100
South,Red,F. Fir,930,9100
East,Blue,G. Gorse,3390,8700
East,Green,H. Holly,2210,8700
East,Red,I. Ivy,2740,8700
West,Blue,J. Juniper,3015,9300
West,Green,K. Kapok,3875,9300
West,Red,L. Larch,1590,9300
"""


def _likely(path: Path | None, names: Sequence[str], numeric: Sequence[bool]) -> float:
    folded = {fold(part) for name in names for part in (name, name.split("/")[0])}

    def has(*words: str) -> bool:
        return any(fold(word) in folded for name in words for word in words_of(name))

    if has("votes") and has("party", "candidate", "party_simplified", "party_detailed") and not has("side"):
        return 0.9 if has("district", "district_no", "state", "office") else 0.6
    wide = any(name.startswith("votes_") for name in folded) or any(
        name.casefold().startswith("votes_") for name in names
    )
    if has("district", "constituency_name"):
        return 0.8 if wide else 0.5 if sum(numeric) >= 2 else 0.1
    return 0.1


def _facts(election: xr.Dataset) -> Mapping[str, Any]:
    votes = election["votes"]
    seats = election["seats"].to_series().astype(int)
    shown = ", ".join(f"{party} {count}" for party, count in seats.items() if count)
    facts = {
        "districts": election.sizes["district"],
        "parties": election.sizes["party"],
        "votes": int(votes.sum()),
        "seats": shown,
    }
    return facts | ({"electors": int(election["electors"].sum())} if "electors" in election else {})


KIND = Kind(
    name="returns",
    about="votes of parties in districts",
    conventions=ELECTION.conventions,
    likely=_likely,
    read=read,
    facts=_facts,
    call="electjax.districts.calibrate(electjax.districts.read({source}{options}), model='dpm')",
    command="python -m electjax.run data=csv data.path={source}{options} model=dpm",
    template=one_file("returns.csv", _EXAMPLE),
)
