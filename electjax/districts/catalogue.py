"""The embedded elections: official returns of seven elections, and what the district paper reports of them.

Figures are in `electjax/data/elections`. The Indian figures are candidate returns summed per party, the three largest
parties named and everybody else (NOTA too, where the source counts it) in "others"; `winner` is the party of the
candidate with most votes and `winner_votes` that candidate's votes.

The paper: A. Mitra, "Agent-based Simulation of District-based Elections", Tables 5, 7, 8, 9.
"""

import builtins
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from electjax.data import elections
from electjax.data.labels import strings
from electjax.districts.builders import award_seats, dataset, summary_election


def list() -> "builtins.list[str]":
    """Names of the embedded elections, in the order of the catalogue.

    Examples:
        >>> import electjax
        >>> electjax.districts.list()[:3]
        ['delhi2013', 'delhi2015', 'delhi2020']
    """
    return builtins.list(elections.index())


def describe() -> pd.DataFrame:
    """The embedded elections as a table: name, title, date, districts, votes (NA: summary only), parties, source.

    Examples:
        >>> import electjax
        >>> electjax.districts.describe().set_index("name").loc["delhi2020", ["districts", "votes"]].to_list()
        [70, 9285593]
    """
    rows = []
    for name in elections.index():
        election = embedded(name)
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


def embedded(name: str, *, others_may_win: bool = True) -> xr.Dataset:
    """An embedded election, with the summary that the paper prints of it; see `districts.load`.

    Raises:
        ElectionDataError: an unknown name, with the names that come close.
    """
    entry = elections.entry_of(name)
    paper = entry["paper"]
    attrs = {"name": name} | {key: entry[key] for key in ("title", "date", "source", "note")}
    if "file" in entry:
        returns = elections.returns_of(name)
        known: dict[str, Any] = {
            key: returns[key].values for key in ("winner", "winner_votes", "electors") if key in returns
        }
        election = dataset(
            returns["votes"].values,
            districts=builtins.list(returns["district"].values),
            parties=builtins.list(returns["party"].values),
            attrs=attrs,
            **known,
        )
    else:
        sizes = {key: entry[key] for key in ("districts", "votes_total")}
        election = summary_election(paper["popularity"], paper["seats"], parties=paper["party"], attrs=attrs | sizes)
    return award_seats(_with_paper(election, paper), others_may_win=others_may_win)


def _with_paper(election: xr.Dataset, paper: dict[str, Any]) -> xr.Dataset:
    """Add the summary the paper prints."""
    election = election.assign_coords(place=strings(paper["place"]), place_party=("place", strings(paper["party"])))
    election["paper_popularity"] = ("place", paper["popularity"])
    election["paper_seats"] = ("place", np.array(paper["seats"], np.int64))
    election["paper_mwm"] = float(paper.get("mwm", np.nan))
    election["paper_swm"] = float(paper.get("swm", np.nan))
    election.attrs |= {"paper_tables": paper["tables"], "paper_mapping": paper["mapping"]}
    if "others_counted_with" in paper:
        election.attrs["paper_others_counted_with"] = paper["others_counted_with"]
    return election
