"""The election Dataset, declared: what it holds and the rules it keeps.

An election is an `xarray.Dataset` over `district` and `party`, labelled by text; `ELECTION` declares its variables. A
pooled rest is the party `"others"`, always last and in every denominator. Whether it may win a district is the
attribute `others_may_win`; where it may not, `seats` gives its districts to the named party with most votes, while
`winner` keeps who won in fact. Its seats under "may win" are always in the attribute `others_seats`.
"""

from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import NOTA, OTHERS
from electjax.data.schema import Schema, Variable, conform, refuse

_PRINTED = "as printed in the paper"


def validate(election: xr.Dataset) -> xr.Dataset:
    """Check an election Dataset against the schema.

    Args:
        election: votes, winners, popularity and seats as `districts.read` gives them.

    Returns:
        A copy with the schema's order of dims, and units where they were missing. Variables: votes(district, party),
        electors, winner and winner_votes(district), popularity and seats(party). stood(district, party) says where a
        party was on the ballot, for files that tell: no row or a blank is "did not stand", 0 is no vote. No model uses
        it yet.

    Raises:
        ElectionDataError: one line that names the variable, the dim and the coordinate at fault.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.6, "B": 0.4}, districts=3, electors=90)
        >>> electjax.districts.validate(election)["seats"].values.tolist()
        [3, 0]
        >>> electjax.districts.validate(election.drop_vars("seats"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        electjax.data.errors.ElectionDataError: election 'uniform': no 'seats'; expected seats(party); build it with ...
    """
    if not isinstance(election, xr.Dataset) or not election.attrs.get("name"):
        return conform(election, ELECTION)
    # what an error calls the election is its name, not where its figures come from
    source = {key: election.attrs[key] for key in ("source",) if key in election.attrs}
    bare = election.assign_attrs()
    bare.attrs = {key: value for key, value in election.attrs.items() if key != "source"}
    checked = conform(bare, ELECTION)
    return checked.assign_attrs(source)


def where_of(election: xr.Dataset) -> str:
    """What an error calls this election."""
    return f"election {election.attrs.get('name', '')!r}"


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


def check_labels(ds: xr.Dataset, where: str) -> None:
    """Labels are different and not blank, and "others" comes last."""
    for dim in ("district", "party"):
        if dim not in ds.coords:
            continue
        labels = [str(label) for label in ds[dim].values]
        repeated = [label for label in labels if labels.count(label) > 1] if len(set(labels)) < len(labels) else []
        if not labels or repeated or any(not label.strip() for label in labels):
            problem = f"repeated label {repeated[0]!r}" if repeated else "a blank label" if labels else "no labels"
            raise data_error(
                problem,
                where=f"{where}, coordinate {dim!r}",
                expected="one different label each",
                mend="rename or merge",
            )
        if dim == "party" and OTHERS in labels and (labels[-1] != OTHERS or len(labels) == 1):
            raise data_error(
                f"{OTHERS!r} is at place {labels.index(OTHERS) + 1} of {len(labels)}",
                where=f"{where}, coordinate 'party'",
                expected=f"{OTHERS!r} last, after at least one named party",
                mend="reorder the parties, or keep one by name",
            )


def check_votes(ds: xr.Dataset, where: str) -> None:
    """Votes are counts, a district's fit 32 bits, and no district is empty."""
    votes = ds["votes"].transpose("district", "party")
    numeric = votes.dtype.kind in "iuf"
    values = votes.values
    whole = np.isfinite(values) & (values >= 0) & (values == np.floor(values)) if numeric else np.zeros(values.shape)
    refuse(ds.assign(votes=votes), "votes", whole == 0, where, expected="a whole number, 0 or more")
    sizes = values.sum(axis=1, dtype=np.float64)
    if (sizes >= 2**31).any():
        raise data_error(
            f"{sizes.max():.0f} votes",
            where=f"{where}, votes(district={str(ds['district'].values[sizes.argmax()])!r})",
            expected=f"less than 2^31 = {2**31:,} in a district, what 32 bits hold",
            mend="check the figures",
        )
    if (sizes == 0).any():
        raise data_error(
            "no votes at all",
            where=f"{where}, votes(district={str(ds['district'].values[sizes.argmin()])!r})",
            expected="at least one vote in every district",
            mend="leave out districts without a poll",
        )


def check_winners(ds: xr.Dataset, where: str) -> None:
    """Every winner is a party of the election, or inside "others", which then polled at least as much as any party."""
    parties = [str(p) for p in ds["party"].values]
    votes = ds["votes"].transpose("district", "party").values
    named = votes[:, : parties.index(OTHERS)] if OTHERS in parties else votes
    inside = votes[:, len(parties) - 1] >= named.max(axis=1) if OTHERS in parties else np.zeros(len(votes), bool)
    known = set(parties)
    for district, winner, possible in zip(ds["district"].values, ds["winner"].values, inside, strict=True):
        if str(winner) not in known and not possible:
            reason = "all of 'others' polled less than a party" if OTHERS in parties else "no party of the election"
            raise data_error(
                f"won by {str(winner)!r}: {reason}",
                where=f"{where}, winner(district={str(district)!r})",
                expected="a label of coordinate 'party', or a party inside 'others'",
                mend=suggest(str(winner), parties),
            )


def _check(ds: xr.Dataset, where: str) -> xr.Dataset:
    """What the declarations do not say: labels, sums, winners, seats."""
    check_labels(ds, where)
    if "votes" in ds:
        if "winner" not in ds or "district" not in ds.coords:
            lacking = "winner" if "winner" not in ds else "district"
            expected = "winner(district) and district labels beside votes(district, party)"
            raise data_error(f"no {lacking!r}", where=where, expected=expected, mend=f"build it with {ELECTION.build}")
        check_votes(ds, where)
        check_winners(ds, where)
        if "stood" in ds:
            absent = (ds["votes"].transpose("district", "party").values > 0) & (ds["stood"].values == 0)
            refuse(ds, "stood", absent, where, expected="1 (true) where the party has votes")
    shares = ds["popularity"].values
    if not (np.isfinite(shares).all() and (shares >= 0).all() and abs(shares.sum() - 1) < 1e-6):
        raise data_error(
            f"popularity sums to {shares.sum():.6g}",
            where=where,
            expected="shares of at least 0 along dim 'party' that sum to 1",
            mend="divide the parties' votes by all votes, others included",
        )
    districts = ds.sizes["district"] if "votes" in ds else int(ds.attrs.get("districts", -1))
    seats = ds["seats"].values
    if (seats < 0).any() or seats.sum() != districts:
        raise data_error(
            f"seats {seats.tolist()} sum to {seats.sum()}",
            where=where,
            expected=f"one seat for each of {districts} districts",
            mend="build it again with districts.dataset, or set attrs['districts'] where there are no votes",
        )
    return ds


_DISTRICT, _PARTY, _PLACE = ("district",), ("party",), ("place",)
_LABEL: dict[str, Any] = {"kind": "label", "coord": True}
ELECTION = Schema(
    name="election",
    variables={
        "votes": Variable(("district", "party"), "count", "votes polled", "votes"),
        "stood": Variable(
            ("district", "party"), "flag", "whether the party stood in the district; no model reads it yet"
        ),
        "electors": Variable(_DISTRICT, "count", "registered electors", "electors"),
        "winner": Variable(_DISTRICT, "label", "party that won the seat", "party label"),
        "winner_votes": Variable(_DISTRICT, "count", "votes of the seat's winner", "votes"),
        "popularity": Variable(_PARTY, "number", "share of all votes polled", required=True),
        "seats": Variable(_PARTY, "whole", "seats", "seats", required=True),
        "district": Variable(_DISTRICT, meaning="district", units="district label", **_LABEL),
        "party": Variable(_PARTY, meaning="party", units="party label", required=True, **_LABEL),
        "place": Variable(_PLACE, meaning="place in the paper's table", units="label", **_LABEL),
        "place_party": Variable(_PLACE, meaning="party in this place", units="party label", **_LABEL),
        "paper_popularity": Variable(_PLACE, "share", f"popularity {_PRINTED}"),
        "paper_seats": Variable(_PLACE, "count", f"seats {_PRINTED}", "seats"),
        "paper_mwm": Variable((), "number", f"mean winner's share of the votes of a district, {_PRINTED}"),
        "paper_swm": Variable((), "number", f"sd of the winner's share of the votes of a district, {_PRINTED}"),
    },
    build="districts.read, districts.load or districts.dataset",
    attrs={
        "name": "short name",
        "title": "name for people",
        "date": "day of the poll",
        "source": "where the figures come from",
        "notes": "how the file was read, where anything was told, repaired or left out",
        "others_may_win": "1 where the pooled rest may hold seats, else 0",
        "others_seats": "seats of the pooled rest where it may hold them",
        "districts": "number of districts, where there are no votes",
        "votes_total": "votes polled, where there are no votes by district",
        "map": "file of the districts' outlines",
    },
    check=_check,
)
