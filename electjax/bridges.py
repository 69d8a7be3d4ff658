"""From one wing to another: beside the command line, the only module that knows two wings.

`units_of_booths` makes units of ecological inference of CALM's booths.
"""

import os
from dataclasses import replace

import numpy as np
import xarray as xr

from electjax.calm.booths import BOOTHS, checked_booths
from electjax.data.axes import axes_of, candidate_codes
from electjax.data.errors import data_error, suggest
from electjax.data.schema import place_of
from electjax.data.store import load
from electjax.ecological.readers.draft import Draft, Side, Traits, finished
from electjax.ecological.readers.truth import sum_truth
from electjax.ecological.schema import DID_NOT_VOTE

NOT_APPLICABLE = "not applicable"


def units_of_booths(
    booths: xr.Dataset | str | os.PathLike[str], axis: str | None = None, *, merge_below: float = 0.0
) -> xr.Dataset:
    """Booths of CALM as units: rows are the categories of one axis, columns the parties and "did not vote".

    Cells are added up over the other axes; electors to whom the axis does not apply are the row "not applicable". A
    contest is a constituency. Rows carry their category and columns the candidate's as traits on that axis, so that
    affinity can be estimated; votes that a simulation drew cell by cell become the truth. Booths that polled no votes
    are left out, as they would pass for booths where nobody wanted to vote; `notes` says so.

    Args:
        booths: as `calm.read` and `calm.simulate` make them, or their file.
        axis: the name of an axis of categories; it must be given.
        merge_below: options below this share of a contest's votes become OTHER, as in `ecological.read`; 0 for none.

    Returns:
        A units Dataset, for `ecological.estimate`.

    Raises:
        ElectionDataError: booths that break the schema, no such axis, or booths without votes.

    Example:
        >>> import electjax
        >>> units = electjax.bridges.units_of_booths(electjax.calm.simulate("tiny"), "religion")
        >>> units.attrs["rows"], units["column_name"].values[0, -1].item()
        ('groups', 'did not vote')
    """
    ds = load(booths, [BOOTHS]) if isinstance(booths, str | os.PathLike) else checked_booths(booths)
    where = place_of(ds, BOOTHS)
    axes = axes_of(ds.attrs["axes"])
    known = [own.name for own in axes if own.categories]
    if axis is None:
        mend = f"name one of {', '.join(known)}" if known else "add an axis with categories"
        raise data_error("no axis=", where=where, expected="an axis of categories, which are the rows", mend=mend)
    if axis not in known:
        raise data_error(
            f"no axis {axis!r}", where=where, expected="an axis of categories", mend=suggest(str(axis), known)
        )
    if not ds["polled"].values.any():
        raise data_error("no votes", where=where, expected="booths that have polled", mend="read them with their votes")
    polled = ds["polled"].values > 0
    notes = [f"rows are electors by {axis}, columns parties and those who did not vote"]
    if not polled.all():
        notes.append(f"{int((~polled).sum())} of {len(polled)} booths polled no votes and are left out")
        ds = ds.isel(booth=polled)
    d = [own.name for own in axes].index(axis)
    own = replace(axes[d], within=None)  # of its own: the axis it is within is not there
    labels = ds["cell_category"].values[:, d]
    groups = [*own.categories, ""]
    sort = (labels[:, None] == np.array(groups)).astype(np.int64)  # [c, r]
    polling = [c for c in ds["constituency"].values.tolist() if c in set(ds["booth_constituency"].values.tolist())]
    index = {label: a for a, label in enumerate(polling)}
    of = np.array([index[label] for label in ds["booth_constituency"].values.tolist()])
    order = np.argsort(of, kind="stable")
    at = np.array([ds["constituency"].values.tolist().index(label) for label in polling])
    fielded = ds["fielded"].values[at]
    parties = ds["party"].values.tolist()
    votes = np.column_stack([ds["votes"].values, ds["electors"].values - ds["polled"].values])
    rows = [label or NOT_APPLICABLE for label in groups]
    code = candidate_codes(ds, axes)[at, :, d]
    category = np.array([*own.categories, ""])[code]  # -1 is the last: unknown
    blank = np.full((len(polling), 1), "")
    by_row = np.tile(np.array(groups), (len(polling), 1))
    draft = Draft(
        where=where,
        contests=polling,
        keys=[(label,) for label in polling],
        of=of[order],
        names=ds["booth"].values[order].tolist(),
        rows=Side(
            [rows] * len(polling),
            [[""] * len(rows)] * len(polling),
            (ds["cell_size"].values.astype(np.int64) @ sort)[order],
            _trait(by_row),
        ),
        columns=Side(
            [[*parties, DID_NOT_VOTE]] * len(polling),
            [[*parties, ""]] * len(polling),
            votes[order],
            _trait(np.concatenate([np.where(fielded, category, ""), blank], axis=1)),
        ),
        kind="groups",
        axes=(own,),
        lines=order,
        unit_truth=_drawn(ds, sort)[order] if "true_cell_votes" in ds else None,
        notes=notes,
    )
    return finished(sum_truth(draft), name=str(ds.attrs.get("name", "booths")), merge_below=merge_below)


def _trait(labels: np.ndarray) -> Traits:
    return Traits(labels[:, :, None], (), np.zeros((*labels.shape, 0)))


def _drawn(ds: xr.Dataset, sort: np.ndarray) -> np.ndarray:
    """Drawn votes [i, r, k + 1] of each group, the last column those who did not vote."""
    drawn = ds["true_cell_votes"].transpose("booth", "cell", "party").values.astype(np.int64)
    votes = np.einsum("ick,cr->irk", drawn, sort)
    stayed = ds["cell_size"].values.astype(np.int64) @ sort - votes.sum(axis=2)
    return np.concatenate([votes, stayed[:, :, None]], axis=2).astype(np.float64)
