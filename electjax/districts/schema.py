"""The election Dataset: what it holds, how it is built, checked, pooled and saved.

An election is an `xarray.Dataset` over `district` and `party` (both labelled by strings):

| variable | dims | meaning |
|---|---|---|
| `votes` | district, party | votes polled, int64; absent in an election known by its summary only |
| `electors` | district | registered electors, int64, optional |
| `winner` | district | party whose candidate won the seat, as declared; may be a party inside "others" |
| `winner_votes` | district | the winner's own votes, int64; optional where a winner is inside "others" |
| `popularity` | party | share of all votes, sums to 1 |
| `seats` | party | seats, int64; a winner inside "others" counts for "others" |

A pooled rest is the party `"others"`, always last and in every denominator. Whether it may win a district is
the attribute `others_may_win`; where it may not, `seats` gives its districts to the named party with most
votes, while `winner` keeps who won in fact. Its seats under "may win" are always in the attribute
`others_seats`.
"""

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning, data_error, data_warning, suggest
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.labels import NOTA, OTHERS
from electjax.districts.checks import check_labels, check_votes, check_winners, validate

__all__ = [
    "ElectionDataError",
    "ElectionDataWarning",
    "award_seats",
    "election_dataset",
    "may_win",
    "pool_parties",
    "save",
    "seat_index",
    "summary_election",
    "validate",
    "winning_margin",
]

_ATTRS: dict[str, dict[str, str]] = {
    "votes": {"long_name": "votes polled", "units": "votes"},
    "electors": {"long_name": "registered electors", "units": "electors"},
    "winner": {"long_name": "party that won the seat", "units": "party label"},
    "winner_votes": {"long_name": "votes of the seat's winner", "units": "votes"},
    "popularity": {"long_name": "share of all votes polled", "units": "1"},
    "seats": {"long_name": "seats", "units": "seats"},
    "district": {"long_name": "district", "units": "district label"},
    "party": {"long_name": "party", "units": "party label"},
}


def election_dataset(
    votes: np.ndarray,
    *,
    districts: Sequence[str],
    parties: Sequence[str],
    winner: Sequence[str] | None = None,
    winner_votes: Sequence[int] | np.ndarray | None = None,
    electors: Sequence[int] | np.ndarray | None = None,
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
        others_may_win: whether "others" may hold seats.
        attrs: attributes such as `name`, `title`, `date`, `source`.

    Raises:
        ElectionDataError: as `districts.validate`.
    """
    ds = xr.Dataset(coords={"district": _strings(districts), "party": _strings(parties)}, attrs=dict(attrs or {}))
    where = f"election {ds.attrs.get('name', '')!r}"
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
    ds["winner"] = ("district", _strings(winner))
    if winner_votes is None and set(winner) <= set(parties) - {OTHERS}:
        columns = {label: k for k, label in enumerate(parties)}
        winner_votes = counts[np.arange(len(counts)), [columns[label] for label in winner]]
    if winner_votes is not None:
        ds["winner_votes"] = ("district", np.asarray(winner_votes, dtype=np.int64))
    return validate(_finish(ds, others_may_win))


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
        {
            "popularity": ("party", np.asarray(popularity, dtype=float)),
            "seats": ("party", np.asarray(seats, np.int64)),
        },
        coords={"party": _strings(parties)},
        attrs={"districts": int(np.sum(seats)), **(attrs or {})},
    )
    ds.attrs |= {"others_may_win": int(others_may_win), "electjax_version": electjax.__version__}
    ds.attrs["others_seats"] = int(ds["seats"].sel(party=OTHERS)) if OTHERS in parties else 0
    return validate(_with_units(ds))


def may_win(election: xr.Dataset) -> np.ndarray:
    """Which parties may hold a seat, shape (party,): "others" by its attribute, none of the above never."""
    allowed = {OTHERS: bool(election.attrs.get("others_may_win", 1)), NOTA: False}
    return np.array([allowed.get(str(party), True) for party in election["party"].values])


def seat_index(election: xr.Dataset) -> xr.DataArray:
    """Party that holds each seat, as an index into `party`, shape (district,).

    A winner that is not a named party counts for "others"; where "others" may not win, the named party with
    most votes holds the seat (the first of them in a tie).
    """
    parties = [str(p) for p in election["party"].values]
    columns = {p: k for k, p in enumerate(parties)}
    rest = columns.get(OTHERS, -1)
    index = np.array([columns.get(str(w), rest) for w in election["winner"].values], dtype=np.int64)
    if rest >= 0 and not election.attrs.get("others_may_win", 1):
        index = np.where(index == rest, election["votes"].values[:, :rest].argmax(axis=1), index)
    return xr.DataArray(index, dims="district", coords={"district": election["district"]}, name="seat_index")


def winning_margin(election: xr.Dataset) -> xr.DataArray:
    """Winning margin P_s = V_sW / n_s of the paper's section 3: the seat holder's share of the votes polled.

    A seat held by "others" is measured by its winner's own votes (`winner_votes`) where these are known, else
    by the pooled votes of "others", which is an upper bound. Shape (district,), units 1.
    """
    votes = election["votes"].values
    index = seat_index(election).values
    held = votes[np.arange(len(votes)), index]
    parties = election["party"].values
    if "winner_votes" in election:
        held = np.where(parties[index] == OTHERS, election["winner_votes"].values, held)
    return xr.DataArray(
        held / votes.sum(axis=1),
        dims="district",
        coords={"district": election["district"]},
        name="margin",
        attrs={"long_name": "winner's share of the votes polled", "units": "1"},
    )


def award_seats(election: xr.Dataset, *, others_may_win: bool) -> xr.Dataset:
    """Count `seats` again under the given rule for "others"; `winner` stays as declared."""
    if "votes" in election:
        return _finish(election.copy(), others_may_win)
    if not others_may_win and OTHERS in election["party"].values and int(election["seats"].sel(party=OTHERS)) > 0:
        raise data_error(
            "seats of others cannot be given to another party without votes",
            where=f"election {election.attrs.get('name', '')!r}",
            expected="an election with votes(district, party)",
            mend="keep others_may_win=True",
        )
    return election.assign_attrs(others_may_win=int(others_may_win))


def pool_parties(election: xr.Dataset, top_parties: int | str | Sequence[str]) -> xr.Dataset:
    """Fold every party but the chosen ones into "others".

    Args:
        election: an election Dataset.
        top_parties: how many parties to keep (those with most votes, most first), or the labels to keep, in
            this order. "others" is kept beside them and never counted as one of them.

    Raises:
        ElectionDataError: a label that is no party of the election, a repeated label, or a number below 1.
    """
    where = f"election {election.attrs.get('name', '')!r}, top_parties"
    parties = [str(p) for p in election["party"].values]
    named = [p for p in parties if p != OTHERS]
    keep = _chosen(election, named, top_parties, where)
    rest = [p for p in parties if p not in keep]
    source = [parties.index(p) for p in keep]
    folded = [parties.index(p) for p in rest]

    def fold(values: np.ndarray) -> np.ndarray:
        kept = values[..., source]
        return np.concatenate([kept, values[..., folded].sum(-1, keepdims=True)], axis=-1) if rest else kept

    pooled = election.drop_dims("party").assign_coords(party=_strings([*keep, OTHERS] if rest else keep))
    for name in ("votes", "popularity", "seats"):
        if name in election:
            pooled[name] = (election[name].dims, fold(election[name].values))
    if "votes" in election:
        pooled = _finish(pooled, bool(election.attrs.get("others_may_win", 1)))
    else:
        pooled.attrs["others_seats"] = int(pooled["seats"].sel(party=OTHERS)) if rest else 0
        pooled = _with_units(pooled)
    return validate(pooled)


def save(election: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write the election to a netCDF file that `districts.read` reads back identically.

    It is written beside the target and renamed, so the target is either the old file or the whole new one.
    """
    validate(election)
    target = in_a_folder(path)
    with atomic_path(target) as partial:
        election.to_netcdf(partial, engine="h5netcdf")
    return target


def _strings(labels: Sequence[str] | np.ndarray) -> np.ndarray:
    """Labels as a fixed-width unicode array, which xarray stores and compares without an object dtype."""
    return np.array([str(label) for label in labels], dtype=np.str_)


def _finish(ds: xr.Dataset, others_may_win: bool) -> xr.Dataset:
    """Derive popularity, seats and the attributes from votes and winners."""
    votes = ds["votes"].values
    totals = votes.sum(axis=0)
    parties = [str(p) for p in ds["party"].values]
    ds["popularity"] = ("party", totals / totals.sum())
    ds.attrs |= {"others_may_win": 1, "electjax_version": electjax.__version__}
    check_winners(ds, f"election {ds.attrs.get('name', '')!r}")
    allowed = np.bincount(seat_index(ds).values, minlength=len(parties))
    ds.attrs["others_seats"] = int(allowed[-1]) if parties[-1] == OTHERS else 0
    ds.attrs["others_may_win"] = int(others_may_win)
    ds["seats"] = ("party", np.bincount(seat_index(ds).values, minlength=len(parties)).astype(np.int64))
    return _with_units(ds)


def _with_units(ds: xr.Dataset) -> xr.Dataset:
    for name, attrs in _ATTRS.items():
        if name in ds.variables:
            ds[name].attrs |= attrs
    order: list[Hashable] = [name for name in _ATTRS if name in ds.data_vars]
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
