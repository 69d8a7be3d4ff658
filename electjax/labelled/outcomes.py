"""`electjax.outcomes` and `electjax.swing_curve`: the field's indices for returns and for simulations."""

import numpy as np
import xarray as xr

from electjax.core import outcome
from electjax.labelled.codec import with_units
from electjax.labelled.schema import may_win, seat_index, winning_margin

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
    parties = [str(label) for label in votes["party"].values]
    if party not in parties:
        raise ValueError(f"party {party!r} is not in the election; it has {', '.join(parties)}")
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


def _votes(elections: xr.Dataset) -> xr.DataArray:
    if "votes" not in elections:
        raise ValueError("no votes(district, party): an election known by its summary only has no district results")
    return elections["votes"].transpose(..., "district", "party")
