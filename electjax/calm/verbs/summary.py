"""`electjax.calm.summary`: the parameters of a fit as a table."""

import os

import numpy as np
import pandas as pd
import xarray as xr

from electjax.calm.report.frames import coefficient_frame, parameter_frame
from electjax.calm.store import fit_of
from electjax.calm.verdict import about, verdict_on
from electjax.data.verdict import attrs_of
from electjax.report.said import said
from electjax.report.tables import level_text

_COLUMNS = ["estimate", "se", "z", "low", "high", "pp", "pp_se"]


def summary(fit: xr.Dataset | str | os.PathLike[str], *, show: bool = True) -> pd.DataFrame:
    """Print the coefficients of candidate affinity and the other parameters that stand alone, and return them.

    What makes the fit doubtful stands above the table.

    Args:
        fit: result of `calm.fit`, its file, or the folder of a run.
        show: whether it is printed.

    Returns:
        By `parameter`, such as "eta[age]" or "gamma[A]": estimate, se, z = estimate / se, and low and high, the ends of
        the interval at the fit's level, all in log odds (of eta: per standard deviation of the affinity g; of rho_T and
        rho_P: correlations); pp and pp_se, the average effect of that on the party's share in percentage points
        (calm.md section 8), of eta only. NaN where there is none, as with errors="none".

    Raises:
        ElectionDataError: no fit, or a file that is none.

    Example:
        >>> import electjax
        >>> fit = electjax.calm.fit(electjax.calm.simulate("tiny"), errors="none")
        >>> table = electjax.calm.summary(fit, show=False)
        >>> list(table.columns)
        ['estimate', 'se', 'z', 'low', 'high', 'pp', 'pp_se']
        >>> table.index[0]
        'eta[age]'
    """
    checked = fit_of(fit)
    table = pd.concat([coefficient_frame(checked), parameter_frame(checked)])
    table = table.set_index("parameter").reindex(columns=_COLUMNS).astype(np.float64)
    attrs = {"about": about(checked), **attrs_of(verdict_on(checked))}
    note = (
        f"eta: log odds per standard deviation of the affinity; pp: percentage points of a party's share; low, high:"
        f" {level_text(float(checked.attrs['level']))} % interval"
    )
    return said(table, attrs, show=show, note=note)
