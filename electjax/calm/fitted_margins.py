"""A fit by axis: turnout and choice of the electors of each category."""

import numpy as np
import xarray as xr


def fitted_margins(fit: xr.Dataset) -> xr.Dataset:
    """Fitted turnout and choice by category of each axis, over all constituencies.

    A category's turnout is the mean over its electors, its choice the mean over those who are expected to vote, both at
    the mean booth effect of the constituency.

    Args:
        fit: by `electjax.calm.fit`.

    Returns:
        `turnout(group)`, `choice(group, party)`, `electors(group)` and, as shares of an axis, `weight(group)`; a group
        is a category of an axis, named in the coordinates `axis` and `category`.
    """
    electors = fit["electors"].transpose("constituency", "cell").values
    voters = electors * np.nan_to_num(fit["turnout"].transpose("constituency", "cell").values)
    choice = np.nan_to_num(fit["choice"].transpose("constituency", "cell", "party").values)
    votes = np.einsum("ac,ack->ck", voters, choice)
    electors, voters = electors.sum(0), voters.sum(0)
    labels = fit["cell_category"].transpose("cell", "axis").values.astype(str)
    rows = []
    for d, axis in enumerate(fit["axis"].values):
        for category in dict.fromkeys(label for label in labels[:, d] if label):
            own = labels[:, d] == category
            size, voting = electors[own].sum(), voters[own].sum()
            if size > 0 and voting > 0:
                rows.append((str(axis), category, size, voting / size, votes[own].sum(0) / voting))
    axes, categories, sizes, turnout, shares = zip(*rows, strict=True) if rows else ((),) * 5
    of_axis = {axis: sum(size for name, size in zip(axes, sizes, strict=True) if name == axis) for axis in axes}
    return xr.Dataset(
        {
            "turnout": ("group", np.array(turnout, float)),
            "choice": (("group", "party"), np.array(shares, float).reshape(len(rows), fit.sizes["party"])),
            "electors": ("group", np.array(sizes, float)),
            "weight": ("group", np.array([size / of_axis[axis] for axis, size in zip(axes, sizes, strict=True)])),
        },
        coords={
            "axis": ("group", np.array(axes, dtype=str)),
            "category": ("group", np.array(categories, dtype=str)),
            "party": fit["party"].values,
        },
    )
