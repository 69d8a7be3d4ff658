"""The embedded elections: official returns of seven elections, and what the district paper reports of them.

Figures are in `electjax/data/elections`: one wide CSV per election, read by `districts.read` like any user's
file, and `index.toml` with titles, sources and the paper's summary. The Indian figures are candidate returns
summed per party, the three largest parties named and everybody else (NOTA too, where the source counts it) in
"others"; `winner` is the party of the candidate with most votes and `winner_votes` that candidate's votes.

The paper: A. Mitra, "Agent-based Simulation of District-based Elections", Tables 5, 7, 8, 9.
"""

import tomllib
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.districts.schema import award_seats, summary_election
from electjax.districts.verbs.read import read


def load(name: str, *, others_may_win: bool = True) -> xr.Dataset:
    """Load an embedded election by name (see `districts.list`).

    Beside the variables of the schema it has the summary that the paper prints: `paper_popularity` and
    `paper_seats` over `place` (V1, V2, V3 or D, R) with the coordinate `place_party`, the scalars `paper_mwm`
    and `paper_swm` (mean and sd of the winning margin; NaN where none is printed), and the attribute
    `paper_mapping`, which says how `seats` and `paper_seats` are connected.

    Args:
        name: e.g. "delhi2020".
        others_may_win: whether the pooled party "others" may hold seats; if not, its districts go to the
            named party with most votes. The attribute `others_seats` always says how many seats it won.

    Raises:
        ElectionDataError: an unknown name, with the names that come close.
    """
    index = _index()
    if name not in index:
        raise data_error(
            f"no embedded election {name!r}",
            where="districts.load",
            expected="a name of districts.list()",
            mend=suggest(str(name), list(index)),
        )
    entry = index[name]
    paper = entry["paper"]
    attrs = {key: entry[key] for key in ("title", "date", "source", "note")}
    if "file" in entry:
        with as_file(_folder() / entry["file"]) as path:
            election = read(path, name=name)
        election.attrs |= attrs
    else:
        sizes = {key: entry[key] for key in ("districts", "votes_total")}
        election = summary_election(
            paper["popularity"],
            paper["seats"],
            parties=paper["party"],
            attrs={"name": name, **attrs, **sizes},
        )
    return award_seats(_with_paper(election, paper), others_may_win=others_may_win)


def names() -> list[str]:
    """Names of the embedded elections, in the order of the catalogue."""
    return list(_index())


def describe() -> pd.DataFrame:
    """The embedded elections as a table: name, title, date, districts, votes (NA: summary only), parties, source."""
    rows = []
    for name in _index():
        election = load(name)
        rows.append(
            {
                "name": name,
                "title": election.attrs["title"],
                "date": election.attrs["date"],
                "districts": int(election.sizes.get("district", election.attrs.get("districts", 0))),
                "votes": int(election["votes"].sum()) if "votes" in election else pd.NA,
                "parties": ", ".join(election["party"].values),
                "source": election.attrs["source"],
            }
        )
    return pd.DataFrame(rows).astype({"votes": "Int64"})


def _folder() -> Any:
    return files("electjax").joinpath("data", "elections")


def _index() -> dict[str, Any]:
    return tomllib.loads((_folder() / "index.toml").read_text(encoding="utf-8"))


def _with_paper(election: xr.Dataset, paper: dict[str, Any]) -> xr.Dataset:
    """Add the summary the paper prints."""
    margin = "winner's share of the votes of a district, as printed in the paper"
    election = election.assign_coords(
        place=np.array(paper["place"], dtype=np.str_),
        place_party=("place", np.array(paper["party"], dtype=np.str_)),
    )
    described: dict[str, tuple[Any, str, str]] = {
        "paper_popularity": (("place", paper["popularity"]), "popularity as printed in the paper", "1"),
        "paper_seats": (
            ("place", np.array(paper["seats"], np.int64)),
            "seats as printed in the paper",
            "seats",
        ),
        "paper_mwm": (float(paper.get("mwm", np.nan)), f"mean {margin}", "1"),
        "paper_swm": (float(paper.get("swm", np.nan)), f"sd of the {margin}", "1"),
    }
    for name, (value, long_name, units) in described.items():
        election[name] = value
        election[name].attrs = {"long_name": long_name, "units": units}
    election["place"].attrs = {"long_name": "place in the paper's table", "units": "label"}
    election["place_party"].attrs = {"long_name": "party in this place", "units": "party label"}
    election.attrs |= {"paper_tables": paper["tables"], "paper_mapping": paper["mapping"]}
    if "others_counted_with" in paper:
        election.attrs["paper_others_counted_with"] = paper["others_counted_with"]
    return election
