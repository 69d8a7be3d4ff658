"""Tables of ecological estimates: frames for further work, and rows of text."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from rich.console import Group

from electjax.data.errors import data_error, suggest
from electjax.ecological.schema import DID_NOT_VOTE
from electjax.ecological.verbs.table import (
    OfVoters,
    TransitionTable,
    cells_of,
    contest_table,
    contests_of,
    intervals,
    large_rows,
    method_name,
    own_party,
    pooled_table,
    ratio,
)
from electjax.report.tables import Rows, interval_text, level_text, number, terminal_table

_MOST_NAMED = 40  # contests that an error lists


def whole_table(
    result: xr.Dataset, contest: str | None = None, *, first: bool = False, verb: str = "plot"
) -> TransitionTable:
    """The table of a contest; without one that of the only or, on demand, the first contest, else all added up.

    Raises:
        ElectionDataError: an unknown contest.
    """
    known = contests_of(result)
    if contest is not None and contest not in known:
        expected, mend = f"one of {len(known)} contests", suggest(str(contest), known[:_MOST_NAMED])
        raise data_error(f"found {contest!r}", where=f"ecological.{verb}(contest=)", expected=expected, mend=mend)
    if contest is None and len(known) > 1 and not first:
        return pooled_table(result)
    return contest_table(result, contest or known[0])


def context_table(result: xr.Dataset) -> pd.DataFrame:
    """What other context exponents would have led to, one line each.

    Columns: context; chosen; own_party, the share of the votes in cells of a party's voters and its own candidate (NaN
    without such); moved, the share of the votes that stand in another cell than with the chosen one; mean_ei where the
    truth is known.
    """
    cells = np.nan_to_num(cells_of(result, "cells_by_context", "context"))
    chosen = float(result.attrs["context"])
    context = result["context"].values.astype(float)
    at = int(np.abs(context - chosen).argmin())
    loyal = own_party(result)
    mean = result["error_by_context"].values if "error_by_context" in result else np.full(len(context), np.nan)
    return pd.DataFrame(
        {
            "context": context,
            "chosen": np.arange(len(context)) == at,
            "own_party": (cells * loyal).sum((1, 2, 3)) / cells.sum((1, 2, 3)) if loyal.any() else np.nan,
            "moved": 0.5 * np.abs(cells - cells[at]).sum((1, 2, 3)) / cells[at].sum(),
            "mean_ei": mean,
        }
    )


def check_table(result: xr.Dataset) -> pd.DataFrame:
    """One line per contest, those with most votes first.

    Columns: contest, units, rows, columns, votes; by level, the mean width of the intervals of shares (width_95) in
    rows with over 3 % of the votes; and where the truth is known the EI in per cent and the share of those cells whose
    interval holds it (covered_95).
    """
    cells = cells_of(result, "cells")
    units = pd.Series(result["unit_contest"].values.astype(str)).value_counts()
    labels = contests_of(result)
    frame = pd.DataFrame(
        {
            "contest": labels,
            "units": units.reindex(labels, fill_value=0).to_numpy(),
            "rows": (result["row_name"].values != "").sum(1),
            "columns": (result["column_name"].values != "").sum(1),
            "votes": np.nansum(cells, axis=(1, 2)),
            "ei": result["error"].values if "error" in result else np.nan,
        }
    )
    wide = large_rows(result)
    for level, (inside, width) in intervals(result).items():
        known = wide & np.isfinite(inside)
        frame[f"covered_{level_text(level)}"] = ratio(np.where(known, inside, 0).sum((1, 2)), known.sum((1, 2)))
        frame[f"width_{level_text(level)}"] = ratio(np.where(wide, width, 0).sum((1, 2)), wide.sum((1, 2)))
    return frame.sort_values("votes", ascending=False, kind="stable", ignore_index=True)


def coverage_table(result: xr.Dataset) -> pd.DataFrame:
    """One line per level: how many cells with a known truth in rows over 3 %, how many are covered, and mean width."""
    wide = large_rows(result)
    lines = []
    for level, (inside, width) in intervals(result).items():
        known = wide & np.isfinite(inside)
        covered = float(inside[known].mean()) if known.any() else np.nan
        lines.append(
            {"level": level, "cells": int(known.sum()), "covered": covered, "width": float(width[wide].mean())}
        )
    return pd.DataFrame(lines, columns=["level", "cells", "covered", "width"])


def method_table(results: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """One line per result, by its name: mean, median and worst EI, and the share of contests where it is the best."""
    errors = pd.DataFrame({name: result["error"].to_series() for name, result in results.items() if "error" in result})
    errors = errors.dropna()
    if errors.empty:
        return pd.DataFrame(columns=["method", "mean_ei", "median_ei", "worst_ei", "best"])
    best = errors.idxmin(axis=1).value_counts(normalize=True).reindex(errors.columns, fill_value=0.0)
    columns = {"mean_ei": errors.mean(), "median_ei": errors.median(), "worst_ei": errors.max(), "best": best}
    return pd.DataFrame(columns).rename_axis("method").reset_index()


def summary(result: xr.Dataset, others: Mapping[str, xr.Dataset] | None = None) -> Group:
    """The table (all contests added up), other context exponents and the check, for a terminal."""
    table = whole_table(result)
    parts = [terminal_table(f"{table.name}: per cent of each row, with 95 % intervals", share_rows(table))]
    for title, rows in (
        ("of those who voted", voters_rows(table)),
        ("other context exponents; margins cannot tell which is right", context_rows(result)),
        ("against the truth", coverage_rows(result)),
        ("methods", method_rows({method_name(result): result} | dict(others or {}))),
    ):
        if rows:
            parts.append(terminal_table(title, rows))
    return Group(*parts)


def share_rows(table: TransitionTable) -> Rows:
    """One row per row of the table: its voters, and its shares in per cent with their widest intervals."""
    return _shares(table, table.row_votes, OfVoters(table.share, table.low, table.high), range(len(table.columns)))


def voters_rows(table: TransitionTable) -> Rows:
    """The same of those who voted; none where no column holds those who did not."""
    if table.voters is None:
        return []
    stayed = table.columns.index(DID_NOT_VOTE)
    voted = [j for j in range(len(table.columns)) if j != stayed]
    return _shares(table, table.row_votes - table.votes[:, stayed], table.voters, voted)


def _shares(table: TransitionTable, total: np.ndarray, shares: OfVoters, columns: Sequence[int]) -> Rows:
    level = max(shares.low, default=None)
    rows = []
    for i, name in enumerate(table.rows):
        row = {"": name, "in all": f"{total[i]:,.0f}"}
        for j in columns:
            value = shares.share[i, j]
            ends = "" if level is None else f"\n{interval_text(shares.low[level][i, j], shares.high[level][i, j])}"
            row[table.columns[j]] = f"{100 * value:.1f}{ends}" if np.isfinite(value) else ""
        rows.append(row)
    return rows


def context_rows(result: xr.Dataset) -> Rows:
    """One row per context exponent."""
    if "cells_by_context" not in result:
        return []
    frame = context_table(result)
    rows = []
    for line in frame.to_dict("records"):
        row = {"context exponent β": f"{line['context']:g}{' (assumed)' if line['chosen'] else ''}"}
        if np.isfinite(line["own_party"]):
            row["own candidate, % of votes"] = f"{100 * line['own_party']:.1f}"
        row["votes in another cell, %"] = f"{100 * line['moved']:.1f}"
        if frame["mean_ei"].notna().any():
            row["mean EI, %"] = number(line["mean_ei"], 2)
        rows.append(row)
    return rows


def coverage_rows(result: xr.Dataset) -> Rows:
    """One row per level of the intervals."""
    return [
        {
            "interval": f"{level_text(line['level'])} %",
            "cells": f"{line['cells']:,}",
            "truth inside, %": number(100 * line["covered"], 1),
            "mean width, points": number(100 * line["width"], 1),
        }
        for line in coverage_table(result).to_dict("records")
        if line["cells"]
    ]


def method_rows(results: Mapping[str, xr.Dataset]) -> Rows:
    """One row per method that is compared; none where there is only one."""
    frame = method_table(results)
    if len(frame) < 2:
        return []
    return [
        {
            "method": str(line["method"]),
            "mean EI, %": number(line["mean_ei"], 2),
            "median": number(line["median_ei"], 2),
            "worst": number(line["worst_ei"], 2),
            "best of all in": f"{100 * line['best']:.0f} %",
        }
        for line in frame.to_dict("records")
    ]


def check_rows(result: xr.Dataset, most: int) -> Rows:
    """One row per contest, those with most votes first; no more than `most`."""
    frame = check_table(result).dropna(axis=1, how="all")
    rows = []
    for line in frame.head(most).to_dict("records"):
        row = {"contest": str(line["contest"])}
        row |= {name: f"{line[name]:,.0f}" for name in ("votes", "units")}
        row["table"] = f"{line['rows']} x {line['columns']}"
        if "ei" in line:
            row["EI, %"] = number(line["ei"], 2)
        for name in line:
            kind, _, level = str(name).partition("_")
            if kind == "covered":
                row[f"inside {level} %, %"] = number(100 * line[name], 0)
            elif kind == "width":
                row[f"width {level} %, points"] = number(100 * line[name], 1)
        rows.append(row)
    return rows
