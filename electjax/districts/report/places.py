"""Districts one by one, as a map or a strip: who won, who is expected to, how surely, and with what share.

A map needs a file of outlines and geopandas (the extra `map`); without one the districts are bars, sorted.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from electjax.data.errors import data_error
from electjax.districts.report.frames import mean_shares
from electjax.districts.schema import seat_index
from electjax.report import draw

_NAMED = 5  # districts that an error lists
_PALEST = 0.25  # what a probability of 0 leaves of a colour


class Places(NamedTuple):
    """What is drawn of every district: a winner as an index of the party, and a number from 0 to 1; [district] each."""

    title: str
    winner: np.ndarray
    value: np.ndarray


def places_of(elections: xr.Dataset, returns: xr.Dataset | None) -> list[Places]:
    """The panels: who won, where that is known; who wins most runs and how often; and the share it has on average."""
    parties = elections["party"].values.astype(str)
    won = (elections["winner"].transpose("run", "district").values[..., None] == parties).mean(axis=0)
    likely = won.argmax(axis=1)
    at = np.arange(len(likely))
    found = []
    if returns is not None:
        votes = returns["votes"].transpose("district", "party").values
        share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
        seat = seat_index(returns).values
        found.append(Places("won, and the winner's share", seat, share[at, seat]))
    found.append(Places("probable winner, and how probable", likely, won[at, likely]))
    if "votes" in elections or "share_mean" in elections:
        found.append(Places("probable winner, and its expected share", likely, mean_shares(elections)[at, likely]))
    return found


def places_figure(elections: xr.Dataset, returns: xr.Dataset | None, outlines: str | os.PathLike[str] | None) -> Figure:
    """A panel for each of `places_of`: a map where outlines are given, else a strip of bars by winner and share."""
    names = elections["party"].values.astype(str).tolist()
    panels = places_of(elections, returns)
    shapes = None if outlines is None else outlines_of(outlines, elections["district"].values.astype(str).tolist())
    colours, hatches = draw.party_colours(names), draw.party_hatches(names)
    with draw.look():
        if shapes is None:
            figure, axes = draw.panels(len(panels), draw.WIDTH, 1.7, across=1)
            order = np.lexsort((-panels[0].value, panels[0].winner))
        else:
            figure, axes = draw.panels(len(panels), draw.WIDTH / len(panels), 3.6, across=len(panels))
        for ax, panel in zip(axes, panels, strict=True):
            if shapes is None:
                _bars(ax, panel, order, names, colours, hatches)
            else:
                _map(ax, panel, shapes, names, colours, hatches)
            ax.set_title(panel.title)
        there = sorted({int(k) for panel in panels for k in panel.winner})
        draw.legend(figure, [draw.patch(names[k], colour=colours[names[k]], hatch=hatches[names[k]]) for k in there])
    return figure


def _bars(ax: Axes, panel: Places, order: np.ndarray, names: list[str], colours: Any, hatches: Any) -> None:
    for k in np.unique(panel.winner):
        at = np.flatnonzero(panel.winner[order] == k)
        look = {"facecolor": (colours[names[k]], 0.6), "edgecolor": colours[names[k]], "hatch": hatches[names[k]]}
        ax.bar(at, panel.value[order][at], width=1.0, lw=0.3, **look)
    ax.set(ylim=(0, 1), xlim=(-0.5, len(order) - 0.5), xlabel="districts, by winner and share")
    ax.set_xticks([])
    draw.percent(ax)


def _map(ax: Axes, panel: Places, shapes: Any, names: list[str], colours: Any, hatches: Any) -> None:
    for k in np.unique(panel.winner):
        at = np.flatnonzero(panel.winner == k)
        strength = _PALEST + (1 - _PALEST) * panel.value[at]
        faces = [to_rgba(colours[names[k]], alpha) for alpha in strength]
        shapes.iloc[at].plot(ax=ax, color=faces, edgecolor="white", linewidth=0.4, hatch=hatches[names[k]])
    ax.set_aspect("equal")
    ax.set_axis_off()


def with_map(election: xr.Dataset, path: Path) -> xr.Dataset:
    """The election with the file of its districts' outlines, whose names are held against theirs."""
    outlines_of(path, election["district"].values.astype(str).tolist())
    return election.assign_attrs(map=str(path.absolute()))


def outlines_of(path: str | os.PathLike[str], districts: list[str]) -> Any:
    """The outlines of these districts, in their order, from GeoJSON, TopoJSON, a shapefile or a GeoPackage.

    The column of names is the one that holds most of them; capitals and spaces do not matter. Outlines of other places
    are left out.

    Raises:
        ElectionDataError: no geopandas, a file that it cannot read, or a district without outline.
    """
    where = str(path)
    try:
        import geopandas
    except ImportError:
        expected, mend = "the package geopandas", "pip install 'electjax[map]', or leave the map out"
        raise data_error("a map needs geopandas", where=where, expected=expected, mend=mend) from None
    if not Path(path).exists():
        raise data_error("no such file", where=where, expected="outlines of the districts", mend="check the path")
    try:
        frame = geopandas.read_file(path)
    except Exception as error:  # GDAL's errors are many
        said = " ".join(str(error).split())
        expected, mend = "GeoJSON, TopoJSON, a shapefile or a GeoPackage", "check the file"
        raise data_error(f"cannot be read ({said})", where=where, expected=expected, mend=mend) from None
    wanted = [_plain(name) for name in districts]
    texts = {name: [_plain(value) for value in frame[name]] for name in frame.columns.drop(frame.geometry.name)}
    best = max(texts, key=lambda name: len(set(wanted) & set(texts[name])), default=None)
    place = {} if best is None else {value: n for n, value in reversed(list(enumerate(texts[best])))}
    lost = [name for name, plain in zip(districts, wanted, strict=True) if plain not in place]
    if lost:
        spare = [str(value) for value in ([] if best is None else frame[best]) if _plain(value) not in wanted]
        problem = f"no outline of {len(lost)} of {len(districts)} districts: {_some(lost)}"
        mend = f"rename them; outlines without a district: {_some(spare)}" if spare else "give another file"
        raise data_error(problem, where=where, expected="a column with the names of the districts", mend=mend)
    return frame.iloc[[place[name] for name in wanted]]


def _plain(name: Any) -> str:
    return " ".join(str(name).split()).casefold()


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
