"""`electjax.calm.summary`: the parameters of a fit as a table."""

import os

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from electjax.calm.metrics import coefficients, parameters
from electjax.calm.store import fit_of


def summary(fit: xr.Dataset | str | os.PathLike[str]) -> pd.DataFrame:
    """The coefficients of candidate affinity and the other parameters that stand alone, one line each.

    Args:
        fit: result of `calm.fit`, or its file.

    Returns:
        By `parameter`, such as "eta[age]" or "gamma[A]": estimate, se, and low and high, the ends of the interval at
        the fit's level, all in log odds (of eta: per standard deviation of the affinity g; of rho_T and rho_P:
        correlations); pp and pp_se, the average effect of that on the party's share in percentage points (calm.md
        section 8), of eta only. NaN where there is none, as with errors="none".

    Raises:
        ElectionDataError: no fit, or a file that is none.

    Example:
        >>> import electjax
        >>> fit = electjax.calm.fit(electjax.calm.simulate("tiny"), errors="none")
        >>> table = electjax.calm.summary(fit)
        >>> list(table.columns)
        ['estimate', 'se', 'low', 'high', 'pp', 'pp_se']
        >>> table.index[0]
        'eta[age]'
    """
    checked = fit_of(fit)
    reach = norm.ppf(0.5 + float(checked.attrs["level"]) / 2)
    rows = {
        f"eta[{name}]": (row["eta"], row.get("eta_se"), row.get("eta_pp"), row.get("eta_pp_se"))
        for name, row in coefficients(checked).items()
    }
    rows |= {name: (row["value"], row["se"], None, None) for name, row in parameters(checked).items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "se", "pp", "pp_se"], dtype=np.float64)
    table.insert(2, "low", table["estimate"] - reach * table["se"])
    table.insert(3, "high", table["estimate"] + reach * table["se"])
    return table.rename_axis("parameter")
