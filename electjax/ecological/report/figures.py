"""Figures of ecological estimates. They read results of `electjax.ecological.estimate`."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from electjax.ecological.model.generate import surrounded
from electjax.ecological.verbs.table import (
    TransitionTable,
    cells_of,
    contest_table,
    contests_of,
    inside,
    key_places,
    pool,
    pooled_table,
    ratio,
)
from electjax.report.draw import (
    BLUE,
    GREY,
    INK,
    OTHERS_COLOUR,
    PARTY_COLOURS,
    VERMILION,
    WIDTH,
    areas,
    cell_text,
    dot,
    heatmap,
    legend,
    line,
    look,
    marker,
    named_rows,
    names_height,
    new_figure,
    observed_line,
    panels,
    party_colours,
    percent,
    scatter_axes,
    shade_bar,
    short,
    stroke,
    truth_mark,
    truths,
)
from electjax.report.tables import interval_text, level_text

_MOST_ROWS = 9  # panels of a figure with one for each row
_MOST_COLUMNS = 7  # lines of a panel
_MOST_DRAWS = 300
_BESIDE, _CELL, _NARROW = 2.7, 0.66, 0.55  # inches of names, of a cell with an interval, and of the narrowest with one
ORANGE = PARTY_COLOURS[1]


def tomography(result: xr.Dataset, contest: str | None = None) -> Figure:
    """What each unit of a contest with two rows and two columns allows (King 1997, section 5).

    A line joins all pairs of shares of the two rows for the first column that a unit's margins leave possible, and the
    dot on it is the unit's estimate. Beside them the contest's own estimate, its draws and the truth where it is known.

    Raises:
        ValueError: the contest has more rows or columns.
    """
    table = contest_table(result, contest or contests_of(result)[0])
    if table.votes.shape != (2, 2):
        raise ValueError(
            f"contest {table.name!r} has {len(table.rows)} rows and {len(table.columns)} columns, not 2 x 2"
        )
    rows, columns = units_of(result, table)
    total = rows.sum(1)
    least, most = _possible(rows, columns[:, 0])
    with look():
        figure = new_figure(5.8, 5.6)
        ax = figure.subplots()
        shade = float(np.clip(40 / len(rows), 0.06, 0.5))
        # a smaller share of one row goes with a larger of the other
        ends = np.stack([np.stack([least[:, 0], most[:, 1]], 1), np.stack([most[:, 0], least[:, 1]], 1)], 1)
        ax.add_collection(LineCollection(list(ends), colors=[GREY], linewidths=0.8, alpha=shade))
        handles = [stroke("possible in a unit", colour=GREY, width=0.8, style="-")]
        if "unit_cells" in result:
            shares = ratio(units_cells(result, table)[:, :, 0], rows)
            ax.scatter(shares[:, 0], shares[:, 1], s=areas(total), color=BLUE, alpha=max(shade, 0.25), lw=0)
            handles.append(dot(BLUE, "unit, estimated"))
        if "draws" in result:
            at = contests_of(result).index(table.name)
            drawn = cells_of(result, "draws", "draw")[:_MOST_DRAWS, at, :2, 0] / table.row_votes
            ax.plot(drawn[:, 0], drawn[:, 1], "o", color=ORANGE, ms=2.2, mew=0, alpha=0.5, zorder=4)
            handles.append(dot(ORANGE, "contest, draws"))
        ax.plot(*table.share[:, 0], "o", color=INK, ms=7, mec="white", zorder=5)
        handles.append(dot(INK, "estimate"))
        if table.truth is not None:
            truths(ax, *table.true_share[:, 0], size=9, zorder=6)
            handles.append(truth_mark())
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        for axis, row in zip("xy", table.rows, strict=True):
            ax.set(**{f"{axis}label": f"share of {short(row)} for {short(table.columns[0])}"})
            percent(ax, axis=axis)
        ax.grid(True, axis="both")
        legend(figure, handles)
    return figure


def unit_scatter(
    result: xr.Dataset, contest: str | None = None, pairs: Sequence[tuple[str, str]] | None = None
) -> Figure:
    """A row's share of each unit's voters against a column's share of its votes, and what the estimate expects there.

    Args:
        result: of `ecological.estimate`.
        contest: its label; the first one by default.
        pairs: names of rows and columns, a panel each; by default the four largest rows, each with the column that
            most of it chose.
    """
    table = contest_table(result, contest or contests_of(result)[0])
    if pairs is None:
        largest = np.argsort(-table.row_votes, kind="stable")[:4]
        pairs = [(table.rows[i], table.columns[int(table.votes[i].argmax())]) for i in largest]
    rows, columns = units_of(result, table)
    total = rows.sum(1)
    expected = expected_shares(result, table)
    with look():
        figure, axes = panels(len(pairs), 3.1, 3.2, across=4)
        for ax, (row, column) in zip(axes, pairs, strict=True):
            i, j = table.rows.index(row), table.columns.index(column)
            x = rows[:, i] / total
            ax.scatter(x, columns[:, j] / total, s=areas(total), color=BLUE, alpha=0.45, lw=0)
            ax.plot(x, expected[:, j], ".", color=ORANGE, ms=3.5, mew=0, alpha=0.9)
            scatter_axes(ax, f"voters: {short(row)}", f"votes: {short(column)}")
        legend(figure, [dot(BLUE, "unit, area by votes"), dot(ORANGE, "expected there")])
    return figure


def unit_figure(result: xr.Dataset, table: TransitionTable) -> Figure:
    """What the units of a contest say: lines of a table of two rows and two columns, else shares against shares."""
    return tomography(result, table.name) if table.votes.shape == (2, 2) else unit_scatter(result, table.name)


def transition_heatmap(table: TransitionTable) -> Figure:
    """Where the voters of each row went, in per cent with the widest interval, and the truth where it is known."""
    share, level = table.share, max(table.low, default=None)
    columns = len(table.columns)
    count = 1 if table.truth is None else 2
    labels = [f"{short(row)}  ({part:.0%})" for row, part in zip(table.rows, _parts(table.row_votes), strict=True)]
    # side by side where cells are then wide enough for their intervals
    across = count if count * columns * _CELL <= WIDTH - _BESIDE else 1
    cell = min(0.85, (WIDTH - _BESIDE) / (columns * across))
    with look():
        height = 0.44 * len(labels) + names_height(table.columns, cell) + 1.1 / (count / across)
        figure, axes = panels(count, cell * columns, height, across=across, beside=_BESIDE)
        image = heatmap(axes[0], share, table.columns, cell=cell, rows=labels)
        for i, j in np.argwhere(np.isfinite(share)):
            told = level is not None and cell >= _NARROW
            dark, up = share[i, j] > 0.6, 0.17 if told else 0.0
            cell_text(axes[0], i - up, j, f"{100 * share[i, j]:.1f}", dark=dark)
            if level is not None and told:
                ends = interval_text(table.low[level][i, j], table.high[level][i, j])
                cell_text(axes[0], i + 0.25, j, ends, dark=dark)
        axes[0].set_title("estimated, per cent of the row")
        if count == 2:
            truth = table.true_share
            heatmap(axes[1], truth, table.columns, cell=cell, rows=labels if across == 1 else None)
            if across == 2:
                axes[1].set_yticks([])
            for i, j in np.argwhere(np.isfinite(truth)):
                cell_text(axes[1], i, j, f"{100 * truth[i, j]:.1f}", dark=truth[i, j] > 0.6)
                if level is not None and not inside(truth[i, j], table.low[level][i, j], table.high[level][i, j]):
                    axes[1].add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, ec=VERMILION, lw=1.4))
            axes[1].set_title("counted")
            if level is not None:
                missed = Patch(facecolor="none", edgecolor=VERMILION, label=f"outside the {100 * level:g} % interval")
                legend(figure, [missed])
        shade_bar(figure, image, axes, "share of the row")
    return figure


def row_forest(table: TransitionTable) -> Figure:
    """A panel per row (the largest nine): shares with their intervals, and behind them what the margins allow."""
    chosen = np.argsort(-table.row_votes, kind="stable")[:_MOST_ROWS]
    at = -np.arange(len(table.columns), dtype=float)
    share, truth = table.share, table.true_share
    wide = sorted(table.low, reverse=True)
    with look():
        figure, axes = panels(len(chosen), 3.3, 0.25 * len(at) + 1.0, across=3, sharey=True)
        for ax, i in zip(axes, chosen, strict=True):
            ax.hlines(at, table.least[i], table.most[i], color=GREY, lw=7.0, alpha=0.25)
            for n, level in enumerate(wide):
                width = 1.2 if n < len(wide) - 1 else 3.4
                ax.hlines(at, table.low[level][i], table.high[level][i], color=BLUE, lw=width, alpha=0.8)
            ax.plot(share[i], at, "o", color=INK, ms=3.8, ls="none")
            truths(ax, truth[i], at, size=5.5)
            ax.set(title=short(table.rows[i]), xlim=(-0.02, 1.02))
            percent(ax, axis="x")
            named_rows(ax, at, [short(name) for name in table.columns])
        handles = [dot(INK, "estimate")]
        for n, level in enumerate(wide):
            width = 1.2 if n < len(wide) - 1 else 3.4
            handles.append(stroke(f"{level_text(level)} % interval", colour=BLUE, width=width, style="-", alpha=0.8))
        handles.append(stroke("possible by the margins", colour=GREY, width=7.0, style="-", alpha=0.25))
        legend(figure, handles if table.truth is None else [*handles, truth_mark()])
    return figure


def context_lines(result: xr.Dataset, contest: str | None = None) -> Figure:
    """Shares of each row over the context exponent, which is assumed; of all contests together unless one is named."""
    cells = cells_of(result, "cells_by_context", "context")
    context = result["context"].values.astype(float)
    order = np.argsort(context)
    if contest is None and result.sizes["contest"] > 1:
        table = pooled_table(result)
        votes = pool(cells, key_places(result, "row"), key_places(result, "column"))
    else:
        table = contest_table(result, contest or contests_of(result)[0])
        d = contests_of(result).index(table.name)
        votes = cells[:, d, : len(table.rows), : len(table.columns)]
    share = votes / np.maximum(votes.sum(2, keepdims=True), 1e-300)
    truth = table.true_share
    chosen = np.argsort(-table.row_votes, kind="stable")[:_MOST_ROWS]
    drawn = np.argsort(-table.votes.sum(0), kind="stable")[:_MOST_COLUMNS]
    colours = party_colours([table.columns[j] for j in drawn if table.columns[j] != "OTHER"])
    colours["OTHER"] = OTHERS_COLOUR
    with look():
        figure, axes = panels(len(chosen), 3.3, 2.4, across=3, sharey=True)
        for ax, i in zip(axes, chosen, strict=True):
            for j in drawn:
                colour = colours[table.columns[j]]
                mark = marker(int(np.flatnonzero(drawn == j)[0]))
                ax.plot(context[order], share[order, i, j], f"{mark}-", color=colour, ms=4.0, lw=1.5)
                if np.isfinite(truth[i, j]):
                    ax.axhline(truth[i, j], color=colour, lw=0.9, ls=(0, (1, 2)))
            observed_line(ax, float(result.attrs["context"]))
            ax.set_title(short(table.rows[i]))
            ax.set_xlabel("context exponent β")
            percent(ax)
        shown = np.ix_(chosen, drawn)
        axes[0].set_ylim(0, 1.05 * np.nanmax([*share[:, *shown], truth[shown]]))  # one scale for all panels
        handles = [
            stroke(name, colour=colours[name], width=1.5, style="-", marker=marker(k), ms=4.0)
            for k, name in enumerate(table.columns[j] for j in drawn)
        ]
        handles.append(line("assumed β"))
        if np.isfinite(truth).any():
            handles.append(stroke("counted", width=0.9, style=(0, (1, 2))))
        legend(figure, handles)
    return figure


def units_of(result: xr.Dataset, table: TransitionTable) -> tuple[np.ndarray, np.ndarray]:
    """Row margins and column margins of the units of a contest, [unit, row or column]."""
    of = result["unit_contest"].values.astype(str) == table.name
    r, c = slice(len(table.rows)), slice(len(table.columns))
    rows = result["row_margin"].transpose("unit", "row").values[of][:, r]
    columns = result["column_margin"].transpose("unit", "column").values[of][:, c]
    return rows, columns


def units_cells(result: xr.Dataset, table: TransitionTable) -> np.ndarray:
    """Estimated cells of the units of a contest, [unit, row, column]."""
    of = result["unit_contest"].values.astype(str) == table.name
    cells = result["unit_cells"].transpose("unit", "row", "column").values[of]
    return np.asarray(cells[:, : len(table.rows), : len(table.columns)])


def expected_shares(result: xr.Dataset, table: TransitionTable) -> np.ndarray:
    """Column shares of each unit of a contest that its table leads to, its surroundings included, [unit, column]."""
    rows, _ = units_of(result, table)
    local = surrounded(np.nan_to_num(table.share)[None], rows[None], float(result.attrs.get("context", 0.0)))[0]
    return np.asarray(np.einsum("ur,urc->uc", rows / rows.sum(1, keepdims=True), local))


def _possible(rows: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest share of each of two rows for a column; a row without voters may have any."""
    with np.errstate(invalid="ignore", divide="ignore"):
        least = np.maximum(votes[:, None] - rows[:, ::-1], 0) / rows
        most = np.minimum(votes[:, None], rows) / rows
    return np.where(rows > 0, least, 0.0), np.where(rows > 0, most, 1.0)


def _parts(votes: np.ndarray) -> np.ndarray:
    return np.asarray(votes / votes.sum())
