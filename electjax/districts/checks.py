"""The rules an election Dataset keeps, and one clear line for each that is broken."""

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import OTHERS


def validate(election: xr.Dataset) -> xr.Dataset:
    """Check an election Dataset against the schema and return it unchanged.

    Raises:
        ElectionDataError: one line that names the variable, the dim and the coordinate at fault.
    """
    where = f"election {election.attrs.get('name', '')!r}"
    wanted = ["party", "popularity", "seats", *(["district", "winner"] if "votes" in election else [])]
    for name in wanted:
        if name not in election.variables:
            raise data_error(
                f"no variable or coordinate {name!r}",
                where=where,
                expected=f"{', '.join(wanted)}",
                mend="build it with districts.read, districts.load or election_dataset",
            )
    dims = {"votes": ("district", "party"), "popularity": ("party",), "seats": ("party",)}
    dims |= dict.fromkeys(("electors", "winner", "winner_votes"), ("district",))
    for name, axes in dims.items():
        if name in election and election[name].dims != axes:
            raise data_error(
                f"{name} has dims {election[name].dims}",
                where=where,
                expected=f"{axes}",
                mend=f"transpose {name}",
            )
    check_labels(election, where)
    if "votes" in election:
        check_votes(election, where)
        check_winners(election, where)
    shares = election["popularity"].values
    if not (np.isfinite(shares).all() and (shares >= 0).all() and abs(shares.sum() - 1) < 1e-6):
        raise data_error(
            f"popularity sums to {shares.sum():.6g}",
            where=where,
            expected="shares of at least 0 along dim 'party' that sum to 1",
            mend="divide the parties' votes by all votes, others included",
        )
    districts = election.sizes["district"] if "votes" in election else int(election.attrs.get("districts", -1))
    seats = election["seats"].values
    if (seats < 0).any() or seats.sum() != districts:
        raise data_error(
            f"seats {seats.tolist()} sum to {seats.sum()}",
            where=where,
            expected=f"one seat for each of {districts} districts",
            mend="count the winners again (award_seats), or set attrs['districts'] where there are no votes",
        )
    return election


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
    """Counts are whole and not negative, a district's fit 32 bits, and no district is empty."""
    for name in ("votes", "electors", "winner_votes"):
        if name not in ds:
            continue
        values = ds[name].values
        if np.issubdtype(values.dtype, np.integer):
            bad = values < 0
        elif np.issubdtype(values.dtype, np.floating):
            bad = ~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
        else:
            bad = np.ones(values.shape, dtype=bool)
        if bad.any():
            at = np.argwhere(bad)[0]
            spot = ", ".join(f"{d}={str(ds[d].values[i])!r}" for d, i in zip(ds[name].dims, at, strict=True))
            raise data_error(
                f"found {values[tuple(at)].item()!r}",
                where=f"{where}, {name}({spot})",
                expected="a whole number, 0 or more",
                mend="correct the value",
            )
    sizes = ds["votes"].values.sum(axis=ds["votes"].get_axis_num("party"), dtype=np.float64)
    if (sizes >= 2**31).any():
        raise data_error(
            f"{sizes.max():.0f} votes",
            where=f"{where}, votes(district={str(ds['district'].values[sizes.argmax()])!r})",
            expected=f"less than 2^31 = {2**31:,} in a district, what 32 bits hold",
            mend="check the figures",
        )
    empty = ds["votes"].values.sum(axis=1) == 0
    if empty.any():
        raise data_error(
            "no votes at all",
            where=f"{where}, votes(district={str(ds['district'].values[empty.argmax()])!r})",
            expected="at least one vote in every district",
            mend="leave out districts without a poll",
        )


def check_winners(ds: xr.Dataset, where: str) -> None:
    """Every winner is a party of the election, or inside "others", which then polled at least as much as any party."""
    parties = [str(p) for p in ds["party"].values]
    votes = ds["votes"].transpose("district", "party").values
    named = votes[:, : parties.index(OTHERS)] if OTHERS in parties else votes
    inside = votes[:, len(parties) - 1] >= named.max(axis=1) if OTHERS in parties else np.zeros(len(votes), bool)
    for district, winner, possible in zip(ds["district"].values, ds["winner"].values, inside, strict=True):
        if str(winner) not in parties and not possible:
            reason = "all of 'others' polled less than a party" if OTHERS in parties else "no party of the election"
            raise data_error(
                f"won by {str(winner)!r}: {reason}",
                where=f"{where}, winner(district={str(district)!r})",
                expected="a label of coordinate 'party', or a party inside 'others'",
                mend=suggest(str(winner), parties),
            )
