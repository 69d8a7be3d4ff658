"""`electjax.ecological.table`: an estimate as tidy lines; tables of contests, and their sum, as a report reads them."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from electjax.ecological.model.baselines import baselines
from electjax.ecological.options import LARGE
from electjax.ecological.schema import DID_NOT_VOTE, OTHER, TABLE
from electjax.ecological.store import estimate_of
from electjax.ecological.verbs.coverage import ROUNDING

NO_PARTY = "no party"
LAST = ("RARE", "SOLO", NO_PARTY, OTHER, DID_NOT_VOTE)  # what stands behind the parties, in this order
_MOST_KEYS, _SMALL = 12, 0.005  # keys beyond so many, and with a smaller share of the votes, join OTHER


class OfVoters(NamedTuple):
    """Shares among those of a row who voted, [row, column]: NaN for the column of those who did not.

    Attributes:
        share: estimate.
        low, high: ends of the intervals, by level; empty where there are none.
    """

    share: np.ndarray
    low: dict[float, np.ndarray]
    high: dict[float, np.ndarray]


class TransitionTable(NamedTuple):
    """Who of the rows chose which column, in one contest or in all together; [row, column] but for `row_votes`.

    Attributes:
        name: of the contest.
        row_keys, column_keys: what they are pooled by: parties, or names.
        votes, row_votes: estimate and its row totals.
        low, high: ends of the intervals of the shares, by level; empty where there are none.
        least, most: bounds of the shares that the units' margins set (Duncan and Davis).
        truth: counted votes, None where they are unknown.
        voters: shares among those who voted, where a column holds those who did not.
    """

    name: str
    rows: list[str]
    columns: list[str]
    row_keys: list[str]
    column_keys: list[str]
    votes: np.ndarray
    row_votes: np.ndarray
    low: dict[float, np.ndarray]
    high: dict[float, np.ndarray]
    least: np.ndarray
    most: np.ndarray
    truth: np.ndarray | None
    voters: OfVoters | None = None

    @property
    def share(self) -> np.ndarray:
        """Share of the row's voters in each cell."""
        return ratio(self.votes, self.row_votes[:, None])

    @property
    def true_share(self) -> np.ndarray:
        """The same as counted; NaN where it is unknown."""
        if self.truth is None:
            return np.full(self.votes.shape, np.nan)
        return ratio(self.truth, self.truth.sum(1, keepdims=True))


def table(fit: xr.Dataset | str | os.PathLike[str]) -> pd.DataFrame:
    """Every cell of every contest, one line each.

    Args:
        fit: result of `ecological.estimate`, or its file.

    Returns:
        Columns: contest, row, column, row_party, column_party (as pooled); row_total and count, the voters (or
        electors) of the row and of the cell; share of the row with the ends of its intervals (low_80, high_80, low_95,
        high_95; not for methods without intervals); where a column holds those who did not vote voters_share, the
        share among those of the row who voted, with its intervals; bound_low and bound_high, the share's bounds by the
        margins of the units; truth (a count) and true_share where a table was counted.

    Raises:
        ElectionDataError: no estimate.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, seed=1)
        >>> found = electjax.ecological.table(electjax.ecological.estimate(units, draws=0, contexts=()))
        >>> found.groupby(["contest", "row"])["share"].sum().round(6).unique().tolist()
        [1.0]
    """
    return pd.concat([frame_of(of_contest) for of_contest in contest_tables(estimate_of(fit))], ignore_index=True)


def frame_of(table: "TransitionTable") -> pd.DataFrame:
    """A transition table as tidy lines, in the columns of `ecological.table`."""
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
        "row_total": np.broadcast_to(table.row_votes[:, None], shape),
        "count": table.votes,
        "share": table.share,
    }
    numbers |= _ends(table.low, table.high, "")
    if table.voters is not None:
        numbers |= {"voters_share": table.voters.share, **_ends(table.voters.low, table.voters.high, "voters_")}
    truth = np.full(shape, np.nan) if table.truth is None else table.truth
    numbers |= {"bound_low": table.least, "bound_high": table.most, "truth": truth, "true_share": table.true_share}
    frame = pd.DataFrame(found | {name: values.ravel() for name, values in numbers.items()})
    first = ["contest", "row", "column", "row_party", "column_party"]
    return frame[[*first, *numbers]]


def _ends(low: Mapping[float, np.ndarray], high: Mapping[float, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Ends of intervals by the names of their columns."""
    ends = ((end, level, by) for level in low for end, by in (("low", low), ("high", high)))
    return {f"{prefix}{end}_{100 * level:g}": by[level] for end, level, by in ends}


def of_voters(
    columns: list[str], votes: np.ndarray, draws: np.ndarray | None, levels: Iterable[float]
) -> OfVoters | None:
    """Shares among those who voted, where a column holds those who did not; draws are [draw, row, column]."""
    if DID_NOT_VOTE not in columns:
        return None
    voted = np.array([name != DID_NOT_VOTE for name in columns])

    def shares(cells: np.ndarray) -> np.ndarray:
        return np.where(voted, ratio(cells, cells[..., voted].sum(-1, keepdims=True)), np.nan)

    low, high = {}, {}
    if draws is not None:
        for level in levels:
            low[level], high[level] = np.quantile(shares(draws), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return OfVoters(shares(votes), low, high)


def method_name(result: xr.Dataset) -> str:
    """A method in words."""
    method = str(result.attrs.get("method", "estimate"))
    if method == "context":
        return "pooled logits with context"
    known = baselines()
    return known[method].title if method in known else method


def contests_of(result: xr.Dataset) -> list[str]:
    """Labels of the contests."""
    return [str(label) for label in result["contest"].values]


def contest_table(result: xr.Dataset, contest: str) -> TransitionTable:
    """The table of one contest, by its label."""
    return _table_at(result, contests_of(result).index(contest))


def contest_tables(result: xr.Dataset) -> Iterator[TransitionTable]:
    """Those of all contests."""
    return (_table_at(result, d) for d in range(result.sizes["contest"]))


def pooled_table(result: xr.Dataset) -> TransitionTable:
    """The tables of all contests added up by party; intervals are those of the sum, from the draws."""
    rows, columns = key_places(result, "row"), key_places(result, "column")
    votes = pool(cells_of(result, "cells"), rows, columns)
    total = votes.sum(1)
    low, high, draws, levels = {}, {}, None, _levels(result)
    if "draws" in result:
        draws = pool(cells_of(result, "draws", "draw"), rows, columns)
        for level in levels:
            ends = np.quantile(ratio(draws, total[:, None]), [(1 - level) / 2, (1 + level) / 2], axis=0)
            low[level], high[level] = ends
    bounds = (pool(cells_of(result, f"bound_{end}"), rows, columns) for end in ("low", "high"))
    least, most = (ratio(bound, total[:, None]) for bound in bounds)
    truth = None
    if "truth" in result and not _unknown(result).any():
        truth = pool(cells_of(result, "truth"), rows, columns)
    row, column = list(rows), list(columns)
    voters = of_voters(column, votes, draws, levels)
    return TransitionTable(
        "all contests", row, column, row, column, votes, total, low, high, least, most, truth, voters
    )


def pool(cells: np.ndarray, rows: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cells [..., contest, row, column] summed over contests by the keys of `key_places`."""
    row, column = np.stack(list(rows.values()), -1) * 1.0, np.stack(list(columns.values()), -1) * 1.0
    return np.asarray(np.einsum("...drl,drk->...kl", np.nan_to_num(cells) @ column, row))


def key_places(result: xr.Dataset, side: str) -> dict[str, np.ndarray]:
    """Where each key of a side stands, [contest, option], the key with most votes first.

    Votes of both sides count, so that rows and columns stand in one order. Keys with under half a per cent of the
    votes on both sides, and those beyond a dozen, join OTHER.
    """
    keys = keys_of(result, side)
    cells = np.nan_to_num(cells_of(result, "cells"))
    total: dict[str, float] = defaultdict(float)
    large: set[str] = set()
    for name, votes in (("row", cells.sum(2)), ("column", cells.sum(1))):
        of = keys_of(result, name)
        for key in map(str, np.unique(of)):
            number = votes[of == key].sum()
            total[key] += number
            large |= {key} if number >= _SMALL * votes.sum() else set()
    here = {str(key) for key in np.unique(keys)} - {""}
    order = sorted(here, key=lambda key: (LAST.index(key) if key in LAST else -1, -total[key], key))
    named = [key for key in order if key not in LAST]
    few = set(named) - large | set(named[_MOST_KEYS:])
    places = {key: keys == key for key in order if key not in few}
    if few:
        rest = np.isin(keys, list(few))
        places[OTHER] = places[OTHER] | rest if OTHER in places else rest
    return places


def keys_of(result: xr.Dataset, side: str) -> np.ndarray:
    """What options are pooled by, [contest, option]: key or party; where there is none the name, if all share it."""
    names = result[f"{side}_name"].values.astype(str)
    alone = names if (names == names[0]).all() else np.where(names == "", "", NO_PARTY)
    for coord in (f"{side}_pooled", f"{side}_party"):
        if coord in result.coords:
            keys = result[coord].values.astype(str)
            return np.where((keys == "") | (names == ""), alone, keys)
    return alone


def own_party(result: xr.Dataset) -> np.ndarray:
    """Cells of a party's voters and its candidate, [contest, row, column]."""
    row, column = keys_of(result, "row"), keys_of(result, "column")
    return (row[:, :, None] == column[:, None, :]) & (row != "")[:, :, None] & ~np.isin(row, LAST)[:, :, None]


def large_rows(result: xr.Dataset) -> np.ndarray:
    """Cells in rows with over 3 % of their contest's votes, [contest, row, column]."""
    cells = cells_of(result, "cells")
    row = np.nansum(cells, axis=2)
    return np.isfinite(cells) & (row > LARGE * row.sum(1, keepdims=True))[:, :, None]


def intervals(result: xr.Dataset) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """By level whether each interval holds the truth (1, 0, NaN: unknown), and its width; [contest, row, column]."""
    if "share_low" not in result:
        return {}
    lows, highs = (cells_of(result, name, "level") for name in ("share_low", "share_high"))
    truth = true_shares(result)
    found = {}
    for level, low, high in zip(result["level"].values.astype(float), lows, highs, strict=True):
        found[float(level)] = np.where(np.isfinite(truth), inside(truth, low, high), np.nan), high - low
    return found


def inside(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether shares are within an interval; a cell that the margins leave no choice has one without width."""
    return np.asarray((truth >= low - ROUNDING) & (truth <= high + ROUNDING))


def true_shares(result: xr.Dataset) -> np.ndarray:
    """Counted shares of the rows, NaN where unknown, [contest, row, column]."""
    if "truth" not in result:
        return np.full(cells_of(result, "cells").shape, np.nan)
    truth = np.where(np.isfinite(cells_of(result, "cells")), cells_of(result, "truth"), np.nan)
    return ratio(truth, np.nansum(truth, axis=2, keepdims=True))


def _table_at(result: xr.Dataset, d: int) -> TransitionTable:
    r, c = (int((result[f"{side}_name"].values[d] != "").sum()) for side in ("row", "column"))
    at = (..., d, slice(r), slice(c))
    votes = cells_of(result, "cells")[at]
    total = votes.sum(1)
    low, high = {}, {}
    if "share_low" in result:
        lows, highs = (cells_of(result, name, "level")[at] for name in ("share_low", "share_high"))
        levels = _levels(result)
        low, high = dict(zip(levels, lows, strict=True)), dict(zip(levels, highs, strict=True))
    least, most = (ratio(cells_of(result, f"bound_{end}")[at], total[:, None]) for end in ("low", "high"))
    truth = None if "truth" not in result or _unknown(result)[d] else cells_of(result, "truth")[at]
    rows, columns = ([str(name) for name in result[f"{side}_name"].values[d] if name] for side in ("row", "column"))
    row_keys, column_keys = ([str(key) for key in keys_of(result, side)[d] if key] for side in ("row", "column"))
    draws = cells_of(result, "draws", "draw")[at] if "draws" in result else None
    voters = of_voters(columns, votes, draws, _levels(result))
    return TransitionTable(
        contests_of(result)[d],
        rows,
        columns,
        row_keys,
        column_keys,
        votes,
        total,
        low,
        high,
        least,
        most,
        truth,
        voters,
    )


def _levels(result: xr.Dataset) -> list[float]:
    """Those of the intervals."""
    return [float(level) for level in result["level"].values] if "level" in result.coords else []


def cells_of(result: xr.Dataset, name: str, *leading: str) -> np.ndarray:
    """Cells of a variable as numbers, [*leading, contest, row, column]."""
    return np.asarray(result[name].transpose(*leading, *TABLE).values)


def _unknown(result: xr.Dataset) -> np.ndarray:
    """Contests without a truth."""
    there = np.isfinite(cells_of(result, "cells"))
    return np.asarray((there & ~np.isfinite(cells_of(result, "truth"))).any((1, 2)))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotients, NaN over 0."""
    return np.asarray(part / np.where(whole > 0, whole, np.nan))
