"""`electjax.ecological.summary`: who voted for whom, in one contest or in all together."""

import os

import pandas as pd
import xarray as xr

from electjax.ecological.report.tables import whole_table
from electjax.ecological.store import estimate_of
from electjax.ecological.verbs.table import frame_of
from electjax.report.said import said


def summary(fit: xr.Dataset | str | os.PathLike[str], *, contest: str | None = None, show: bool = True) -> pd.DataFrame:
    """Print the transition table of one contest, or of all contests added up by party, and return it.

    What makes the estimate doubtful stands above the table.

    Args:
        fit: result of `ecological.estimate`, its file, or the folder of a run.
        contest: its label; all together by default.
        show: whether it is printed.

    Returns:
        By row and column, the columns of `ecological.table`: row_total and count, share of the row with the ends of
        its intervals and its bounds, the share among those who voted where a column holds those who did not, and truth
        and true_share where tables were counted. Of all contests together intervals are those of the sum, and parties
        with under half a per cent of the votes on both sides, and those beyond the largest dozen, are in OTHER. Where
        there are no parties, names stand for them.

    Raises:
        ElectionDataError: no estimate, or an unknown contest.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, seed=1)
        >>> table = electjax.ecological.summary(electjax.ecological.estimate(units, draws=0, contexts=()), show=False)
        >>> table.groupby("row")["share"].sum().round(6).unique().tolist()
        [1.0]
    """
    estimate = estimate_of(fit)
    chosen = whole_table(estimate, contest, verb="summary")
    frame = frame_of(chosen).drop(columns=["contest", "row_party", "column_party"]).set_index(["row", "column"])
    return said(frame.dropna(axis=1, how="all"), estimate.attrs, show=show, note=f"{chosen.name}; shares of each row")
