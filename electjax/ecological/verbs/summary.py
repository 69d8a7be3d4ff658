"""`electjax.ecological.summary`: who voted for whom, in one contest or in all together."""

import os

import pandas as pd
import xarray as xr

from electjax.ecological.report.tables import whole_table
from electjax.ecological.store import estimate_of
from electjax.ecological.verbs.table import frame_of


def summary(fit: xr.Dataset | str | os.PathLike[str], *, contest: str | None = None) -> pd.DataFrame:
    """The transition table of one contest, or of all contests added up by party.

    Args:
        fit: result of `ecological.estimate`, or its file.
        contest: its label; all together by default.

    Returns:
        By row and column, the columns of `ecological.table`: row_votes and votes, share of the row's votes with the
        ends of its intervals and its bounds, and truth and true_share where tables were counted. Of all contests
        together intervals are those of the sum, and parties with under half a per cent of the votes on both sides, and
        those beyond the largest dozen, are in OTHER. Where there are no parties, names stand for them.

    Raises:
        ElectionDataError: no estimate, or an unknown contest.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, seed=1)
        >>> table = electjax.ecological.summary(electjax.ecological.estimate(units, draws=0, contexts=()))
        >>> table.groupby("row")["share"].sum().round(6).unique().tolist()
        [1.0]
    """
    frame = frame_of(whole_table(estimate_of(fit), contest, verb="summary"))
    return frame.drop(columns=["contest", "row_party", "column_party"]).set_index(["row", "column"])
