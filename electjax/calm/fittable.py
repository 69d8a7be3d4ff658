"""What booths must have for a CALM fit beyond being valid, and what of it is thin."""

import numpy as np
import xarray as xr

from electjax.calm.model.design import Design
from electjax.calm.schema import place
from electjax.data.errors import data_error
from electjax.data.labels import strings


def check_fittable(booths: xr.Dataset, design: Design) -> list[str]:
    """Sentences about votes and previous shares that are there for some booths only.

    Args:
        booths: valid ones.
        design: of the model that they are to be fitted by.

    Raises:
        ElectionDataError: no booth has polled, or the mobilisation is weighted by previous shares that no booth has.
    """
    polled = booths["polled"].values
    if not polled.any():
        raise data_error(
            "no votes polled",
            where=f"{place(booths)}, polled",
            expected="booths that have polled",
            mend="fit booths that have polled, and use predict for these",
        )
    notes, silent = [], int((polled == 0).sum())
    if silent:
        notes.append(
            f"{silent} of {len(polled)} booths polled no votes and count as a turnout of 0; "
            "leave them out if their votes are not known"
        )
    if design.mobilisation != "previous":
        return notes
    known, whole = known_previous(booths)
    if not known.any():
        raise data_error(
            "no booth has a previous share",
            where=f"{place(booths)}, previous, which mobilisation='previous' takes as weights",
            expected="previous(booth, party)",
            mend="add previous shares, or use mobilisation='model'",
        )
    if not known.all():
        notes.append(
            f"{int((~known).sum())} of {len(known)} booths have no previous shares: as weights of the mobilisation "
            "they take the shares of their constituency in the election that is fitted"
        )
    if (known & ~whole).any():
        notes.append(
            f"{int((known & ~whole).sum())} of {len(known)} booths have previous shares of some of their parties only: "
            "the others weigh 0 in the mobilisation"
        )
    return notes


def known_previous(booths: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Whether a booth has previous shares of some of the parties that stand, and whether of all of them, [booth]."""
    if "previous" not in booths:
        nothing = np.zeros(booths.sizes["booth"], bool)
        return nothing, nothing
    index = {label: a for a, label in enumerate(strings(booths["constituency"].values).tolist())}
    area = [index[label] for label in strings(booths["booth_constituency"].values).tolist()]
    stands = booths["fielded"].transpose("constituency", "party").values.astype(bool)[area]
    shares = booths["previous"].transpose("booth", "party").values.astype(float)
    known, missing = stands & (shares > 0), stands & np.isnan(shares)
    return np.any(known, axis=1), ~np.any(missing, axis=1)
