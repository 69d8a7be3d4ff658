"""`outcomes`, `swing_curve` and `geography`: the field's indices and pictures for returns and for simulations."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from electjax.districts.codec import with_units
from electjax.districts.kernels import outcome
from electjax.districts.schema import may_win, seat_index, winning_margin

_BINS = 20
_INDICES = {
    "gallagher": ("least-squares disproportionality of seats and votes (Gallagher 1991)", "0 to 100"),
    "parties_votes": ("effective number of parties by votes (Laakso and Taagepera 1979)", "parties"),
    "parties_seats": ("effective number of parties by seats (Laakso and Taagepera 1979)", "parties"),
}


def outcomes(elections: xr.Dataset) -> xr.Dataset:
    """Seats, margins, summary statistics and indices of an election, or of every run of a simulation.

    Args:
        elections: an election Dataset with votes, or the result of `simulate`.

    Returns:
        Dataset with seats(..., party), margin(..., district), vote_fraction(..., party), mwm, swm, gallagher,
        parties_votes and parties_seats, where ... is `run` for a simulation. Returns keep their declared winners;
        a pooled "others" enters the indices as one party.

    Raises:
        ValueError: no votes(district, party).
    """
    votes = _votes(elections)
    lead = votes.dims[:-2]
    if "run" in votes.dims:
        winner = elections["winner"].transpose(*lead, "district").values
        margin = np.asarray(outcome.margins(votes.values, winner))
    else:
        winner, margin = seat_index(elections).values, winning_margin(elections).values
    seats = np.asarray(outcome.seats(winner, votes.sizes["party"]))
    shares = outcome.national_shares(votes.values)
    found = {
        "seats": ((*lead, "party"), seats),
        "margin": ((*lead, "district"), margin),
        "vote_fraction": ((*lead, "party"), outcome.vote_fractions(votes.values)),
        "mwm": (lead, outcome.mean_margin(margin)),
        "swm": (lead, outcome.sd_margin(margin)),
        "gallagher": (lead, outcome.gallagher(shares, seats)),
        "parties_votes": (lead, outcome.effective_parties(shares)),
        "parties_seats": (lead, outcome.effective_parties(seats)),
    }
    coords = {dim: votes[dim] for dim in votes.dims if dim in votes.coords}
    dataset = xr.Dataset({name: (dims, np.asarray(value)) for name, (dims, value) in found.items()}, coords=coords)
    for name, (long_name, units) in _INDICES.items():
        dataset[name].attrs = {"long_name": long_name, "units": units}
    return with_units(dataset)


def swing_curve(election: xr.Dataset, party: str, swings: np.ndarray | None = None) -> xr.Dataset:
    """Seats-votes curve of a party under uniform swing.

    Seats go by the votes as pooled: where a party inside "others" holds a seat in fact, the curve at swing 0 may
    differ from the returns, because the pool counts as one candidate.

    Args:
        election: an election Dataset with votes.
        party: label of the party that gains the swing; the others lose it in proportion.
        swings: swings as shares of the votes; by default -.2 to .2 in steps of .01.

    Returns:
        Dataset with vote_share(swing) and seat_share(swing).

    Raises:
        ValueError: an unknown party, or no votes(district, party).
    """
    votes = _votes(election)
    parties = _parties(votes, party)
    swings = np.round(np.arange(-20, 21) / 100, 2) if swings is None else np.asarray(swings, dtype=float)
    allowed = tuple(bool(flag) for flag in may_win(election))
    curve = outcome.swing_curve(votes.values, parties.index(party), swings, may_win=allowed)
    units = {"units": "1"}
    return xr.Dataset(
        {
            "vote_share": ("swing", np.asarray(curve.vote_share), {"long_name": f"votes of {party}", **units}),
            "seat_share": ("swing", np.asarray(curve.seat_share), {"long_name": f"seats of {party}", **units}),
        },
        coords={"swing": ("swing", swings, {"long_name": f"uniform swing to {party}", **units})},
        attrs={"party": party, "election": str(election.attrs.get("name", ""))},
    )


def geography(elections: xr.Dataset, party: str | None = None, *, bins: int | Sequence[float] = _BINS) -> xr.Dataset:
    """Histogram over districts of the parties' shares of a district's votes (Mitra, section 4.5 and Figure 1).

    A narrow one says that the districts are alike, a wide or two-humped one that the party has strongholds.

    Args:
        elections: an election Dataset with votes, or the result of `simulate`, whose runs are taken together.
        party: label of one party; by default all of them.
        bins: number of bins of equal width from 0 to 1, or their edges in ascending order.

    Returns:
        Dataset with density(party, bin), or density(bin) of one party: districts per unit of vote share, as a share
        of all districts in which anybody voted, so that it integrates to one from 0 to 1. Coordinates bin (its
        middle), low(bin) and high(bin); a bin holds its low edge, the last one both.

    Raises:
        ValueError: no votes(district, party), an unknown party, or edges that do not ascend.
    """
    votes = _votes(elections)
    parties = _parties(votes, party)
    edges = np.linspace(0.0, 1.0, bins + 1) if isinstance(bins, int) else np.asarray(bins, dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"bins={bins!r}: expected a number of at least 1, or two or more ascending edges")
    polled = votes.values.reshape(-1, len(parties))
    polled = polled[polled.sum(axis=1) > 0]
    shares = polled / polled.sum(axis=1, keepdims=True)
    counts = np.stack([np.histogram(column, edges)[0] for column in shares.T])
    density = counts / (max(len(shares), 1) * np.diff(edges))
    said = {"long_name": "density of the districts over the party's share of their votes", "units": "1"}
    middle = {"long_name": "share of a district's votes, middle of the bin", "units": "1"}
    found = xr.Dataset(
        {"density": (("party", "bin"), density, said)},
        coords={
            "party": votes["party"],
            "bin": ("bin", (edges[:-1] + edges[1:]) / 2, middle),
            "low": ("bin", edges[:-1], {"long_name": "lower edge of the bin", "units": "1"}),
            "high": ("bin", edges[1:], {"long_name": "upper edge of the bin", "units": "1"}),
        },
    )
    origin = ("name", "election", "model", "engine", "options", "parameters", "seed", "electjax_version")
    found.attrs = {key: elections.attrs[key] for key in origin if key in elections.attrs}
    return found if party is None else found.sel(party=party)


def _parties(votes: xr.DataArray, asked: str | None) -> list[str]:
    parties = [str(label) for label in votes["party"].values]
    if asked is not None and asked not in parties:
        raise ValueError(f"party {asked!r} is not in the election; it has {', '.join(parties)}")
    return parties


def _votes(elections: xr.Dataset) -> xr.DataArray:
    if "votes" not in elections:
        raise ValueError("no votes(district, party): an election known by its summary only has no district results")
    return elections["votes"].transpose(..., "district", "party")
