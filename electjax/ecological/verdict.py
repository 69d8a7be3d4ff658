"""Whether an estimate can be relied on: what margins cannot check is said, and what this estimate rests on."""

import json
from collections.abc import Iterator

import numpy as np
import xarray as xr

from electjax.data.verdict import Doubt, Verdict, verdict
from electjax.ecological.schema import TABLE

MOVED = 0.05  # share of the votes that another exponent may put into another cell
FEW_UNITS = 10  # of a contest that stands alone; several contests learn from each other
WIDE, USELESS = 0.4, 0.7  # mean width of the 95 % intervals of shares, by votes


def judge(result: xr.Dataset) -> Verdict:
    """The verdict on a result of `ecological.estimate`.

    Not usable: a fit that did not converge, or intervals 70 points wide on average. With care: a method without
    intervals; no draws; rows that are groups of people; votes that move with the context exponent (5 %); a contest
    alone with fewer than ten units; intervals 40 points wide.
    """
    return verdict(_doubts(result))


def _doubts(result: xr.Dataset) -> Iterator[Doubt]:
    attrs = result.attrs
    if attrs["method"] != "context":
        reason = f"The method {attrs['method']} has no intervals: nothing says how far it may be off."
        yield Doubt("with care", f"{reason} method='context' has them.")
        return
    if not attrs["converged"]:
        said = f"The fit did not converge in {attrs['steps']} steps: raise max_steps, or check the units."
        yield Doubt("not usable", said)
    others = [beta for beta in json.loads(attrs.get("stopped", "[]")) if beta != attrs["context"]]
    if others:
        named = ", ".join(f"{beta:g}" for beta in others)
        yield Doubt("with care", f"The fit did not converge at context exponent {named}: raise max_steps.")
    yield from _context(result)
    if result.sizes["contest"] == 1 and result.sizes["unit"] < FEW_UNITS:
        said = f"One contest with {result.sizes['unit']} units: so few say little of who voted for whom."
        yield Doubt("with care", said)
    yield from _width(result)


def _context(result: xr.Dataset) -> Iterator[Doubt]:
    assumed = f"the context exponent ({result.attrs['context']:g}) is assumed, and margins cannot check it"
    if result.attrs.get("rows") == "groups":
        said = (
            f"Rows are groups of people: {assumed}; their choice may go with where they live in ways it does not know."
        )
        yield Doubt("with care", f"{said} Compare the tables at other exponents.")
    if "cells_by_context" not in result:
        return
    cells = np.nan_to_num(result["cells_by_context"].transpose("context", *TABLE).values)
    context = result["context"].values
    chosen = cells[int(np.abs(context - float(result.attrs["context"])).argmin())]
    moved = 0.5 * np.abs(cells - chosen).sum((1, 2, 3)) / max(chosen.sum(), 1e-300)
    most = int(moved.argmax())
    if moved[most] > MOVED:
        said = f"At the context exponent {context[most]:g} {moved[most]:.0%} of the voters stand in another cell"
        yield Doubt("with care", f"{said}: {assumed}.")


def _width(result: xr.Dataset) -> Iterator[Doubt]:
    if "share_low" not in result:
        yield Doubt("with care", "There are no draws, so there are no intervals: set draws.")
        return
    level = result["level"].values.max()
    width = (result["share_high"] - result["share_low"]).sel(level=level).transpose(*TABLE).values
    weight = np.nan_to_num(result["cells"].transpose(*TABLE).values) * np.isfinite(width)
    mean = float((np.nan_to_num(width) * weight).sum() / max(weight.sum(), 1e-300))
    if mean > WIDE:
        said = f"The {level:.0%} intervals of shares are {100 * mean:.0f} points wide on average"
        if mean > USELESS:
            yield Doubt("not usable", f"{said}: the margins say next to nothing.")
        else:
            yield Doubt("with care", f"{said}: the margins say little.")


def about(result: xr.Dataset) -> str:
    """What a result is, in a line."""
    sizes, attrs = result.sizes, result.attrs
    contests, units = sizes["contest"], sizes["unit"]
    said = f"who voted for whom in {contests:,} contest{'' if contests == 1 else 's'} with {units:,} units"
    said += f" ({float(np.nansum(result['cells'].values)):,.0f} voters)"
    if attrs["method"] != "context":
        return f"{said}, by the method {attrs['method']}"
    ended = "converged" if attrs["converged"] else "not converged"
    return f"{said}; context exponent {attrs['context']:g}, {ended} in {attrs['steps']} steps"
