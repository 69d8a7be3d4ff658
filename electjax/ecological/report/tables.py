"""Tables of ecological estimates, tidy for further work and as text; they read results of `ecological.estimate`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from electjax.ecological.report.read import (
    CellTable,
    cells_of,
    contest_tables,
    contests_of,
    intervals,
    large_rows,
    method_name,
    own_party,
    pooled_table,
    ratio,
)

_NARROW = 0.03

Rows = list[dict[str, str]]


def table(result: xr.Dataset) -> pd.DataFrame:
    """Every cell of every contest, one line each.

    Columns: contest, row, column, row_party, column_party (as pooled), row_votes and votes; share of the row's votes
    with the ends of its intervals (low_80, high_80, low_95, high_95; not for methods without intervals), bound_low and
    bound_high, the share's bounds by the margins of the units; truth (votes) and true_share where a table was counted.
    """
    return pd.concat([_frame(table) for table in contest_tables(result)], ignore_index=True)


def mean_table(result: xr.Dataset) -> pd.DataFrame:
    """All contests added up by party (or by name, where there are no parties), in the columns of `ecological.table`.

    Parties with under half a per cent of the votes on both sides, and those beyond the largest dozen, are in OTHER.
    """
    return _frame(pooled_table(result)).drop(columns=["contest", "row_party", "column_party"])


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
    own = own_party(result)
    mean = result["error_by_context"].values if "error_by_context" in result else np.full(len(context), np.nan)
    return pd.DataFrame(
        {
            "context": context,
            "chosen": np.arange(len(context)) == at,
            "own_party": (cells * own).sum((1, 2, 3)) / cells.sum((1, 2, 3)) if own.any() else np.nan,
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
    found = pd.DataFrame(
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
        found[f"covered_{_percent(level)}"] = ratio(np.where(known, inside, 0).sum((1, 2)), known.sum((1, 2)))
        found[f"width_{_percent(level)}"] = ratio(np.where(wide, width, 0).sum((1, 2)), wide.sum((1, 2)))
    return found.sort_values("votes", ascending=False, kind="stable", ignore_index=True)


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
    summary = {"mean_ei": errors.mean(), "median_ei": errors.median(), "worst_ei": errors.max(), "best": best}
    return pd.DataFrame(summary).rename_axis("method").reset_index()


def cells_summary(result: xr.Dataset, others: Mapping[str, xr.Dataset] | None = None) -> Group:
    """The table (all contests added up), other context exponents and the check, for a terminal."""
    table = pooled_table(result) if result.sizes["contest"] > 1 else next(contest_tables(result))
    parts = [_terminal(f"{table.name}: per cent of each row, with 95 % intervals", share_rows(table))]
    for title, rows in (
        ("other context exponents; margins cannot tell which is right", context_rows(result)),
        ("against the truth", coverage_rows(result)),
        ("methods", method_rows({method_name(result): result} | dict(others or {}))),
    ):
        if rows:
            parts.append(_terminal(title, rows))
    return Group(*parts)


def share_rows(table: CellTable) -> Rows:
    """One row per row of the table: its votes, and its shares in per cent with their widest intervals."""
    share, level = table.share, max(table.low, default=None)
    rows = []
    for i, name in enumerate(table.rows):
        row = {"": name, "in all": f"{table.row_votes[i]:,.0f}"}
        for j, column in enumerate(table.columns):
            ends = "" if level is None else f"; {interval_text(table.low[level][i, j], table.high[level][i, j])}"
            row[column] = f"{100 * share[i, j]:.1f}{ends}" if np.isfinite(share[i, j]) else ""
        rows.append(row)
    return rows


def context_rows(result: xr.Dataset) -> Rows:
    """One row per context exponent."""
    if "cells_by_context" not in result:
        return []
    found = context_table(result)
    rows = []
    for line in found.to_dict("records"):
        row = {"context exponent β": f"{line['context']:g}{' (assumed)' if line['chosen'] else ''}"}
        if np.isfinite(line["own_party"]):
            row["own candidate, % of votes"] = f"{100 * line['own_party']:.1f}"
        row["votes in another cell, %"] = f"{100 * line['moved']:.1f}"
        if found["mean_ei"].notna().any():
            row["mean EI, %"] = _number(line["mean_ei"], 2)
        rows.append(row)
    return rows


def coverage_rows(result: xr.Dataset) -> Rows:
    """One row per level of the intervals."""
    return [
        {
            "interval": f"{_percent(line['level'])} %",
            "cells": f"{line['cells']:,}",
            "truth inside, %": _number(100 * line["covered"], 1),
            "mean width, points": _number(100 * line["width"], 1),
        }
        for line in coverage_table(result).to_dict("records")
        if line["cells"]
    ]


def method_rows(results: Mapping[str, xr.Dataset]) -> Rows:
    """One row per method that is compared; none where there is only one."""
    found = method_table(results)
    if len(found) < 2:
        return []
    return [
        {
            "method": str(line["method"]),
            "mean EI, %": _number(line["mean_ei"], 2),
            "median": _number(line["median_ei"], 2),
            "worst": _number(line["worst_ei"], 2),
            "best of all in": f"{100 * line['best']:.0f} %",
        }
        for line in found.to_dict("records")
    ]


def check_rows(result: xr.Dataset, most: int) -> Rows:
    """One row per contest, those with most votes first; no more than `most`."""
    found = check_table(result).dropna(axis=1, how="all")
    rows = []
    for line in found.head(most).to_dict("records"):
        row = {"contest": str(line["contest"])}
        row |= {name: f"{line[name]:,.0f}" for name in ("votes", "units")}
        row["table"] = f"{line['rows']} x {line['columns']}"
        if "ei" in line:
            row["EI, %"] = _number(line["ei"], 2)
        for name in line:
            kind, _, level = str(name).partition("_")
            if kind == "covered":
                row[f"inside {level} %, %"] = _number(100 * line[name], 0)
            elif kind == "width":
                row[f"width {level} %, points"] = _number(100 * line[name], 1)
        rows.append(row)
    return rows


def as_html(table: CellTable) -> str:
    """The shares as an html fragment, every text escaped."""
    frame = pd.DataFrame(share_rows(table)).set_index("").replace(r"; (.*)", r" (\1)", regex=True).rename_axis(None)
    return str(frame.to_html(classes="results", border=0, escape=True, justify="right"))


def interval_text(low: float, high: float) -> str:
    """An interval in per cent: 39–47; a narrow one with a decimal."""
    digits = 0 if high - low > _NARROW else 1
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}"


def _frame(table: CellTable) -> pd.DataFrame:
    shape = table.votes.shape
    row, column = (at.ravel() for at in np.indices(shape))
    names = (
        {"row": table.rows, "row_party": table.row_keys},
        {"column": table.columns, "column_party": table.column_keys},
    )
    found: dict[str, object] = {"contest": np.repeat(table.name, table.votes.size)}
    found |= {name: np.array(of, object)[row] for name, of in names[0].items()}
    found |= {name: np.array(of, object)[column] for name, of in names[1].items()}
    numbers = {
        "row_votes": np.broadcast_to(table.row_votes[:, None], shape),
        "votes": table.votes,
        "share": table.share,
    }
    for level in table.low:
        numbers |= {f"low_{_percent(level)}": table.low[level], f"high_{_percent(level)}": table.high[level]}
    truth = np.full(shape, np.nan) if table.truth is None else table.truth
    numbers |= {"bound_low": table.least, "bound_high": table.most, "truth": truth, "true_share": table.true_share}
    frame = pd.DataFrame(found | {name: values.ravel() for name, values in numbers.items()})
    first = ["contest", "row", "column", "row_party", "column_party"]
    return frame[[*first, *numbers]]


def _percent(level: float) -> str:
    return f"{100 * level:g}"


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if np.isfinite(value) else ""


def _terminal(title: str, rows: Rows) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for i, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*(Text(value.replace("; ", "\n")) for value in row.values()))
    return table
