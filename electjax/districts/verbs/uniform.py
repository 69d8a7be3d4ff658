"""Elections that were never held: a starting point for exploring the space of outcomes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.labels import OTHERS
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.schema import election_dataset


def uniform(
    popularity: Mapping[str, float],
    *,
    districts: int = 100,
    electors: int = 1_000_000,
    name: str = "uniform",
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """An election in which every district votes like the nation (the setting of Mitra, section 5).

    Args:
        popularity: party -> share of the votes; shares are divided by their sum. "others", if there, last.
        districts: number of districts.
        electors: votes polled in all, shared equally by the districts.
        name: name of the election.
        attrs: further attributes.

    Raises:
        ElectionDataError: no positive share, or fewer electors than districts.
    """
    parties = list(popularity)
    shares = np.array([popularity[party] for party in parties], dtype=float)
    where = f"election {name!r}"
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise data_error(
            f"popularity {dict(popularity)}",
            where=where,
            expected="shares of at least 0, one of them positive",
            mend="give each party its share of the votes",
        )
    if not 1 <= districts <= electors:
        raise data_error(
            f"{electors} electors in {districts} districts",
            where=where,
            expected="at least one district and one elector in each",
            mend="raise electors or lower districts",
        )
    sizes = largest_remainder(np.ones(districts), electors)
    votes = np.stack([largest_remainder(shares, int(size)) for size in sizes])
    best = parties[int(np.argmax(shares[: len(parties) - (OTHERS in parties and len(parties) > 1)]))]
    title = {"title": f"{districts} districts that all vote like the nation", "source": "hypothetical", "date": ""}
    return election_dataset(
        votes,
        districts=[f"district {s + 1}" for s in range(districts)],
        parties=parties,
        winner=[best] * districts,
        attrs={"name": name, **title, **(attrs or {})},
    )
