"""Elections from plain arrays, and elections with fewer parties."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.labels import OTHERS, strings
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.schema import ELECTION, check_labels, check_votes, check_winners, seat_index, validate, where_of


def dataset(
    votes: np.ndarray,
    *,
    districts: Sequence[str],
    parties: Sequence[str],
    winner: Sequence[str] | None = None,
    winner_votes: Sequence[int] | np.ndarray | None = None,
    electors: Sequence[int] | np.ndarray | None = None,
    stood: np.ndarray | None = None,
    others_may_win: bool = True,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build and check an election from its votes.

    Args:
        votes: integers, shape (districts, parties), at least one vote in every district.
        districts: district labels, all different.
        parties: party labels, all different; "others", if there, last.
        winner: party label of each seat's winner. Default: the party with most votes; a tie goes to the party
            that is first in `parties`, with a warning.
        winner_votes: the winner's own votes. Default: the winner's column of `votes`, left out where a winner
            is not among the named parties.
        electors: registered electors per district.
        stood: booleans of the shape of `votes`, whether the party stood in the district. Models do not use it yet.
        others_may_win: whether "others" may hold seats.
        attrs: attributes such as `name`, `title`, `date`, `source`.

    Returns:
        Dataset with votes(district, party), winner(district), popularity(party) and seats(party), as
        `districts.validate` describes it.

    Raises:
        ElectionDataError: as `districts.validate`.

    Examples:
        >>> import electjax
        >>> votes = [[60, 40], [30, 70], [55, 45]]
        >>> election = electjax.districts.dataset(votes, districts=["X", "Y", "Z"], parties=["A", "B"])
        >>> election["winner"].values.tolist(), election["seats"].values.tolist()
        (['A', 'B', 'A'], [2, 1])
    """
    ds = xr.Dataset(coords={"district": strings(districts), "party": strings(parties)}, attrs=dict(attrs or {}))
    where = where_of(ds)
    counts = np.asarray(votes)
    if counts.ndim != 2 or counts.shape != (ds.sizes["district"], ds.sizes["party"]):
        raise data_error(
            f"votes has shape {counts.shape}",
            where=where,
            expected=f"(district, party) = ({ds.sizes['district']}, {ds.sizes['party']})",
            mend="give one row per district and one column per party",
        )
    ds["votes"] = (("district", "party"), counts)
    check_labels(ds, where)
    check_votes(ds, where)
    ds["votes"] = ds["votes"].astype(np.int64)
    if electors is not None:
        ds["electors"] = ("district", np.asarray(electors, dtype=np.int64))
    if stood is not None:
        ds["stood"] = (("district", "party"), np.asarray(stood, dtype=bool))
    labels = np.asarray(parties)
    if winner is None:
        best = counts.argmax(axis=1)
        tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
        if tied.any():
            first = int(tied.argmax())
            data_warning(
                f"{int(tied.sum())} tied district(s), the first is {str(districts[first])!r}: won here by"
                f" {parties[int(best[first])]!r}, the first of the tied parties",
                where=where,
            )
        winner = [str(label) for label in labels[best]]
    ds["winner"] = ("district", strings(winner))
    if winner_votes is None and set(winner) <= set(parties) - {OTHERS}:
        columns = {label: k for k, label in enumerate(parties)}
        winner_votes = counts[np.arange(len(counts)), [columns[label] for label in winner]]
    if winner_votes is not None:
        ds["winner_votes"] = ("district", np.asarray(winner_votes, dtype=np.int64))
    return validate(_counted(ds, others_may_win))


def summary_election(
    popularity: Sequence[float],
    seats: Sequence[int],
    *,
    parties: Sequence[str],
    others_may_win: bool = True,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build an election known by shares and seats; attribute `districts` defaults to the sum of seats."""
    ds = xr.Dataset(
        {"popularity": ("party", np.asarray(popularity, dtype=float)), "seats": ("party", np.asarray(seats, np.int64))},
        coords={"party": strings(parties)},
        attrs={"districts": int(np.sum(seats)), **(attrs or {})},
    )
    ds.attrs |= {"others_may_win": int(others_may_win), "electjax_version": electjax.__version__}
    ds.attrs["others_seats"] = int(ds["seats"].sel(party=OTHERS)) if OTHERS in parties else 0
    return validate(ds)


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

    Returns:
        Dataset as of `districts.dataset`; the largest named party wins every district.

    Raises:
        ElectionDataError: no positive share, or fewer electors than districts.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 5, "B": 3, "C": 2}, districts=4, electors=4000)
        >>> election["votes"].values[0].tolist(), election["seats"].values.tolist()
        ([500, 300, 200], [4, 0, 0])
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
    return dataset(
        votes,
        districts=[f"district {s + 1}" for s in range(districts)],
        parties=parties,
        winner=[best] * districts,
        attrs={"name": name, **title, **(attrs or {})},
    )


def award_seats(election: xr.Dataset, *, others_may_win: bool) -> xr.Dataset:
    """Count `seats` again under the given rule for "others"; `winner` stays as declared."""
    if "votes" in election:
        return validate(_counted(election.copy(), others_may_win))
    if not others_may_win and OTHERS in election["party"].values and int(election["seats"].sel(party=OTHERS)) > 0:
        raise data_error(
            "seats of others cannot be given to another party without votes",
            where=where_of(election),
            expected="an election with votes(district, party)",
            mend="keep others_may_win=True",
        )
    return validate(election.assign_attrs(others_may_win=int(others_may_win)))


def pool_parties(election: xr.Dataset, top_parties: int | str | Sequence[str]) -> xr.Dataset:
    """Fold every party but the chosen ones into "others".

    Args:
        election: an election Dataset.
        top_parties: how many parties to keep (those with most votes, most first), or the labels to keep, in
            this order. "others" is kept beside them and never counted as one of them.

    Returns:
        Dataset of the same districts over fewer parties; `winner` still names the party that won.

    Raises:
        ElectionDataError: a label that is no party of the election, a repeated label, or a number below 1.

    Examples:
        >>> import electjax
        >>> pooled = electjax.districts.pool_parties(electjax.districts.load("delhi2020"), 2)
        >>> pooled["party"].values.tolist(), pooled["seats"].values.tolist()
        (['AAP', 'BJP', 'others'], [62, 8, 0])
    """
    where = f"{where_of(election)}, top_parties"
    parties = [str(p) for p in election["party"].values]
    named = [p for p in parties if p != OTHERS]
    keep = _chosen(election, named, top_parties, where)
    rest = [p for p in parties if p not in keep]
    source = [parties.index(p) for p in keep]
    folded = [parties.index(p) for p in rest]

    def fold(values: np.ndarray) -> np.ndarray:
        kept = values[..., source]
        return np.concatenate([kept, values[..., folded].sum(-1, keepdims=True)], axis=-1) if rest else kept

    pooled = election.drop_dims("party").assign_coords(party=strings([*keep, OTHERS] if rest else keep))
    for name in ("votes", "popularity", "seats", "stood"):
        if name in election:
            folded_values = fold(election[name].values)
            pooled[name] = (election[name].dims, folded_values > 0 if name == "stood" else folded_values)
    if "votes" in election:
        return validate(_counted(pooled, bool(election.attrs.get("others_may_win", 1))))
    pooled.attrs["others_seats"] = int(pooled["seats"].sel(party=OTHERS)) if rest else 0
    return validate(pooled)


def winning_margin(election: xr.Dataset) -> xr.DataArray:
    """Winning margin P_s = V_sW / n_s of Mitra, section 3: the seat holder's share of the votes polled.

    Args:
        election: an election Dataset with votes.

    Returns:
        DataArray over `district`, units 1. A seat held by "others" is measured by its winner's own votes
        (`winner_votes`) where these are known, else by the pooled votes of "others", which is an upper bound.

    Raises:
        ElectionDataError: an election that is known by its summary only.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.dataset([[60, 40], [30, 70]], districts=["X", "Y"], parties=["A", "B"])
        >>> electjax.districts.winning_margin(election).values.tolist()
        [0.6, 0.7]
    """
    votes = votes_of(election, "winning_margin").values
    index = seat_index(election).values
    winners = votes[np.arange(len(votes)), index]
    parties = election["party"].values
    if "winner_votes" in election:
        winners = np.where(parties[index] == OTHERS, election["winner_votes"].values, winners)
    return xr.DataArray(
        winners / votes.sum(axis=1),
        dims="district",
        coords={"district": election["district"]},
        name="margin",
        attrs={"long_name": "winner's share of the votes polled", "units": "1"},
    )


def winning_lead(election: xr.Dataset) -> np.ndarray:
    """How much more of a district's votes its seat's holder has than the runner-up, shape (district,).

    A pooled "others" is one candidate, unless it holds the seat and the winner's own votes are known.
    """
    votes = votes_of(election, "winning_lead").values
    index = seat_index(election).values
    won = winning_margin(election).values
    pooled = won - votes[np.arange(len(votes)), index] / votes.sum(axis=1)  # 0, or what others than the winner have
    return leads(votes, index) + pooled


def leads(votes: np.ndarray, winner: np.ndarray) -> np.ndarray:
    """The winner's share of the votes less the runner-up's, of votes[..., district, party] and winner[..., district].

    Below 0 where a party without the most votes holds the seat; NaN without votes.
    """
    rest, at = np.array(votes), winner[..., None]
    won = np.take_along_axis(rest, at, axis=-1)[..., 0]
    total = rest.sum(axis=-1, dtype=np.float64)
    np.put_along_axis(rest, at, 0, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (won - rest.max(axis=-1)) / total


def votes_of(
    elections: xr.Dataset, wanted: str, mend: str = "use an election with returns by district"
) -> xr.DataArray:
    """Votes over ..., district, party; ElectionDataError where only a summary is known, which names what needs them."""
    if "votes" not in elections:
        raise data_error(
            "no votes, only a summary",
            where=where_of(elections),
            expected=f"votes(district, party), which {wanted} needs",
            mend=mend,
        )
    return elections["votes"].transpose(..., "district", "party")


def _counted(ds: xr.Dataset, others_may_win: bool) -> xr.Dataset:
    """Popularity, seats and the attributes, from votes and winners."""
    totals = ds["votes"].values.sum(axis=0)
    parties = [str(p) for p in ds["party"].values]
    ds["popularity"] = ("party", totals / totals.sum())
    ds.attrs |= {"others_may_win": 1, "electjax_version": electjax.__version__}
    check_winners(ds, where_of(ds))
    allowed = np.bincount(seat_index(ds).values, minlength=len(parties))
    ds.attrs["others_seats"] = int(allowed[-1]) if parties[-1] == OTHERS else 0
    ds.attrs["others_may_win"] = int(others_may_win)
    ds["seats"] = ("party", np.bincount(seat_index(ds).values, minlength=len(parties)).astype(np.int64))
    order: list[Hashable] = [name for name in ELECTION.variables if name in ds.data_vars]
    return ds[[*order, *(name for name in ds.data_vars if name not in order)]]


def _chosen(election: xr.Dataset, named: list[str], top: int | str | Sequence[str], where: str) -> list[str]:
    """The parties to keep, in order."""
    if isinstance(top, int | np.integer):
        if top < 1:
            raise data_error(f"found {top}", where=where, expected="at least 1", mend="name how many parties to keep")
        share = dict(zip(election["party"].values, election["popularity"].values, strict=True))
        return sorted(named, key=lambda p: -share[p])[: int(top)]
    keep = [top] if isinstance(top, str) else [str(p) for p in top]
    for label in keep:
        if label not in named:
            raise data_error(f"no party {label!r}", where=where, expected="party labels", mend=suggest(label, named))
    if not keep or len(set(keep)) < len(keep):
        raise data_error(f"found {keep}", where=where, expected="one or more different labels", mend="name each once")
    return keep
