"""Figures by name, for the verb `plot` of every wing."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from electjax.data.errors import data_error, suggest


class Plot(NamedTuple):
    """A kind of figure: the variables it needs, and what draws it."""

    needs: tuple[str, ...]
    draw: Callable[[xr.Dataset], Figure]


def axes_of(figure: Figure) -> "Axes | np.ndarray":
    """What `plot` returns of a figure: its axes, an array of them where there are several; colour bars apart.

    Who works with pyplot, as in a notebook, has the figure among pyplot's, and sees it.
    """
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.figure(FigureClass=lambda *_, **__: figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    if len(panels) == 1:
        return panels[0]
    found = np.empty(len(panels), object)
    found[:] = panels
    return found


def plotted(plots: Mapping[str, Plot], result: Any, kind: str | None, *, where: str) -> "Axes | np.ndarray":
    """The axes of a result's figure by its name; by default the first one that the result has the variables for.

    Raises:
        ElectionDataError: no Dataset, an unknown kind, or one that the result has not the variables for.
    """
    if not isinstance(result, xr.Dataset):
        expected, mend = "a Dataset, or its file", "pass what a verb of this wing returned"
        raise data_error(f"found {type(result).__name__}", where=where, expected=expected, mend=mend)
    known = [name for name, plot in plots.items() if all(needed in result.variables for needed in plot.needs)]
    name = kind if kind is not None else next(iter(known), "")
    if name in known:
        return axes_of(plots[name].draw(result))
    expected = f"one of {', '.join(known)}" if known else "a result that has figures"
    if kind is not None and kind in plots:
        needs = ", ".join(plots[kind].needs)
        problem, mend = f"{kind!r} needs {needs}, which are not in this result", "pass another result or kind"
    else:
        problem = "found a Dataset without figures" if kind is None else f"found {kind!r}"
        mend = suggest(kind, list(plots)) if kind is not None else "pass what a verb of this wing returned"
    raise data_error(problem, where=f"{where}(kind=)", expected=expected, mend=mend)
