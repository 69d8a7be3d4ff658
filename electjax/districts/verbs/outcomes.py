"""`outcomes`, `swing_curve` and `geography`: the field's indices and pictures for returns and for simulations."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.finished import finished
from electjax.data.schema import conform
from electjax.districts.builders import leads, votes_of, winning_lead, winning_margin
from electjax.districts.kernels import outcome
from electjax.districts.results import GEOGRAPHY, OUTCOMES, SIMULATION, SWING_CURVE
from electjax.districts.schema import ELECTION, may_win, seat_index, where_of
from electjax.districts.store import Stored, election_of, result_of

_BINS = 20


def outcomes(elections: Stored) -> xr.Dataset:
    """Seats, margins, summary statistics and indices of an election, or of every run of a simulation.

    Args:
        elections: an election with votes (a Dataset, a name or a path), or the result of `districts.simulate`.

    Returns:
        Dataset with seats(..., party), margin(..., district), the winner's share of the votes, and lead(..., district),
        how much more of them than the runner-up it has; vote_fraction(..., party), mwm and swm (mean and sd of the
        winner's share), mean_lead, gallagher, parties_votes and parties_seats, where ... is `run` for a simulation.
        Returns keep their declared winners; a pooled "others" enters as one party.

    Raises:
        ElectionDataError: no votes(district, party).

    Examples:
        >>> import electjax
        >>> found = electjax.districts.outcomes("delhi2020")
        >>> round(float(found["gallagher"]), 1), round(float(found["mwm"]), 3)
        (31.5, 0.547)
    """
    elections = _elections(elections)
    votes = votes_of(elections, "outcomes")
    lead = votes.dims[:-2]
    if "run" in votes.dims:
        parties = votes["party"].values
        order = np.argsort(parties)
        labels = elections["winner"].transpose(*lead, "district").values
        winner = order[np.searchsorted(parties, labels, sorter=order)]
        margin, ahead = np.asarray(outcome.margins(votes.values, winner)), leads(votes.values, winner)
    else:
        winner, margin = seat_index(elections).values, winning_margin(elections).values
        ahead = winning_lead(elections)
    seats = np.asarray(outcome.seats(winner, votes.sizes["party"]))
    shares = outcome.national_shares(votes.values)
    found = {
        "seats": ((*lead, "party"), seats),
        "margin": ((*lead, "district"), margin),
        "vote_fraction": ((*lead, "party"), outcome.vote_fractions(votes.values)),
        "mwm": (lead, outcome.mean_margin(margin)),
        "swm": (lead, outcome.sd_margin(margin)),
        "lead": ((*lead, "district"), ahead),
        "mean_lead": (lead, np.nanmean(ahead, axis=-1)),
        "gallagher": (lead, outcome.gallagher(shares, seats)),
        "parties_votes": (lead, outcome.effective_parties(shares)),
        "parties_seats": (lead, outcome.effective_parties(seats)),
    }
    coords = {dim: votes[dim] for dim in votes.dims if dim in votes.coords}
    dataset = xr.Dataset({name: (dims, np.asarray(value)) for name, (dims, value) in found.items()}, coords=coords)
    return finished(conform(dataset, OUTCOMES), about=_about("outcomes", elections))


def swing_curve(election: Stored, party: str, *, swings: Sequence[float] | np.ndarray | None = None) -> xr.Dataset:
    """Seats-votes curve of a party under uniform swing.

    Seats go by the votes as pooled: where a party inside "others" holds a seat in fact, the curve at swing 0 may
    differ from the returns, because the pool counts as one candidate.

    Args:
        election: an election with votes: a Dataset, a name or a path.
        party: label of the party that gains the swing; the others lose it in proportion.
        swings: swings as shares of the votes; by default -.2 to .2 in steps of .01.

    Returns:
        Dataset with vote_share(swing) and seat_share(swing).

    Raises:
        ElectionDataError: an unknown party, or no votes(district, party).

    Examples:
        >>> import electjax
        >>> curve = electjax.districts.swing_curve("delhi2020", "BJP", swings=[0.0, 0.1])
        >>> [round(float(share), 2) for share in curve["seat_share"]]
        [0.11, 0.6]
    """
    election = election_of(election)
    votes = votes_of(election, "swing_curve")
    parties = _parties(election, party)
    swings = np.round(np.arange(-20, 21) / 100, 2) if swings is None else np.asarray(swings, dtype=float)
    allowed = tuple(bool(flag) for flag in may_win(election))
    curve = outcome.swing_curve(votes.values, parties.index(party), swings, may_win=allowed)
    found = xr.Dataset(
        {
            "vote_share": ("swing", np.asarray(curve.vote_share), {"long_name": f"votes of {party}"}),
            "seat_share": ("swing", np.asarray(curve.seat_share), {"long_name": f"seats of {party}"}),
        },
        coords={"swing": ("swing", swings, {"long_name": f"uniform swing to {party}"})},
        attrs={"party": party, "election": str(election.attrs.get("name", ""))},
    )
    about = f"seats of {party} over {len(swings)} uniform swings in {found.attrs['election'] or 'an election'}"
    return finished(conform(found, SWING_CURVE), about=about)


def geography(elections: Stored, party: str | None = None, *, bins: int | Sequence[float] = _BINS) -> xr.Dataset:
    """Histogram over districts of the parties' shares of a district's votes (Mitra, section 4.5 and Figure 1).

    A narrow one says that the districts are alike, a wide or two-humped one that the party has strongholds.

    Args:
        elections: an election with votes (a Dataset, a name or a path), or the result of `districts.simulate`, whose
            runs are taken together.
        party: label of one party; by default all of them.
        bins: number of bins of equal width from 0 to 1, or their edges in ascending order.

    Returns:
        Dataset with density(party, bin), or density(bin) of one party: districts per unit of vote share, as a share
        of all districts in which anybody voted, so that it integrates to one from 0 to 1. Coordinates bin (its
        middle), low(bin) and high(bin); a bin holds its low edge, the last one both.

    Raises:
        ElectionDataError: no votes(district, party), an unknown party, or edges that do not ascend.

    Examples:
        >>> import electjax
        >>> electjax.districts.geography("delhi2020", "AAP", bins=4)["density"].values.round(2).tolist()
        [0.0, 1.26, 2.69, 0.06]
    """
    elections = _elections(elections)
    votes = votes_of(elections, "geography")
    parties = _parties(elections, party)
    edges = np.linspace(0.0, 1.0, bins + 1) if isinstance(bins, int) else np.asarray(bins, dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
        raise data_error(
            f"found {bins!r}",
            where="districts.geography(bins=)",
            expected="a number of at least 1, or two or more ascending edges",
            mend="leave it out for 20",
        )
    polled = votes.values.reshape(-1, len(parties))
    polled = polled[polled.sum(axis=1) > 0]
    shares = polled / polled.sum(axis=1, keepdims=True)
    counts = np.stack([np.histogram(column, edges)[0] for column in shares.T])
    density = counts / (max(len(shares), 1) * np.diff(edges))
    found = xr.Dataset(
        {"density": (("party", "bin"), density)},
        coords={
            "party": votes["party"],
            "bin": (edges[:-1] + edges[1:]) / 2,
            "low": ("bin", edges[:-1]),
            "high": ("bin", edges[1:]),
        },
    )
    origin = ("name", "election", "model", "engine", "options", "parameters", "seed", "electjax_version")
    found.attrs = {key: elections.attrs[key] for key in origin if key in elections.attrs}
    about = _about(f"shares of a district's votes by party in {len(edges) - 1} bins", elections)
    return finished(conform(found if party is None else found.sel(party=party), GEOGRAPHY), about=about)


def _about(what: str, elections: xr.Dataset) -> str:
    """What was worked out of which elections."""
    name = elections.attrs.get("name") or elections.attrs.get("election") or "an election"
    runs = f"{elections.sizes['run']:,} simulated elections of " if "run" in elections.dims else ""
    return f"{what} of {runs}{name}"


def _parties(elections: xr.Dataset, asked: str | None) -> list[str]:
    parties = [str(label) for label in elections["party"].values]
    if asked is not None and asked not in parties:
        raise data_error(
            f"no party {asked!r}",
            where=where_of(elections),
            expected=f"one of {', '.join(parties)}",
            mend=suggest(asked, parties),
        )
    return parties


def _elections(elections: Stored) -> xr.Dataset:
    """An election, or many simulated ones."""
    if isinstance(elections, xr.Dataset) and "run" not in elections.dims:
        return election_of(elections)
    return result_of(elections, SIMULATION, ELECTION)
