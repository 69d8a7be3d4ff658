"""The embedded elections as labelled arrays: official returns of six elections, and a summary of a seventh.

Figures are in the folder `elections` beside this file: one table per election (a row per district, a column
`votes_<party>` per party), and `index.toml` with titles, sources and what the district paper prints of them.
"""

import tomllib
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import OTHERS, strings
from electjax.data.sources import read_table

_PREFIX = "votes_"


def index() -> dict[str, Any]:
    """What is known of each embedded election besides its returns, by name, in the order of the catalogue."""
    return tomllib.loads((_folder() / "index.toml").read_text(encoding="utf-8"))


def entry_of(name: str) -> dict[str, Any]:
    """The entry of an embedded election in the index.

    Raises:
        ElectionDataError: an unknown name, with the names that come close.
    """
    known = index()
    if name not in known:
        raise data_error(
            f"no embedded election {name!r}",
            where="districts.load",
            expected="a name of districts.list(), or the path of a file by districts.save",
            mend=suggest(str(name), list(known)),
        )
    return dict(known[name])


def returns_of(name: str) -> xr.Dataset:
    """The returns of an embedded election.

    Returns:
        Dataset with votes(district, party) int64; where the table has them, electors(district) and
        winner_votes(district), int64, and winner(district), a party label. Parties are ordered by votes, most first,
        "others" last. attrs: name.

    Raises:
        ElectionDataError: an unknown name, or an election that is known by its summary only.
    """
    entry = entry_of(name)
    if "file" not in entry:
        raise data_error(
            "no votes, only a summary",
            where=f"election {name!r}",
            expected="an election with returns by district",
            mend="choose another of districts.list()",
        )
    with as_file(_folder() / entry["file"]) as path:
        table = read_table(path)
    columns = [position for position, column in enumerate(table.names) if column.startswith(_PREFIX)]
    votes = {table.names[p].removeprefix(_PREFIX): table.counts(p) for p in columns}
    parties = sorted(votes, key=lambda party: (party == OTHERS, -votes[party].sum(), party))
    returns = xr.Dataset(
        {"votes": (("district", "party"), np.stack([votes[party] for party in parties], axis=1))},
        coords={"district": strings(table.column("district").cells()), "party": strings(parties)},
        attrs={"name": name},
    )
    for column in ("electors", "winner_votes"):
        if table.has(column):
            returns[column] = ("district", table.counts(table.need(column)))
    if table.has("winner"):
        returns["winner"] = ("district", strings(table.column("winner").cells()))
    return returns


def _folder() -> Any:
    return files("electjax").joinpath("data", "elections")
