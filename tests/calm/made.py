"""A fit made by hand, as `calm.fit` gives it, of which tests change what verdict, report and tables read."""

import numpy as np
import xarray as xr

from electjax.calm.options import FitOptions
from electjax.calm.schema import FIT
from electjax.calm.verdict import about, judge
from electjax.data.finished import finished
from electjax.data.schema import conform


def made_fit(booths: xr.Dataset, *, attrs: dict | None = None, values: dict | None = None, **options) -> xr.Dataset:
    """A fit of booths that meets their totals, with `values` and `attrs` in place of its own, and its verdict."""
    size = {dim: booths.sizes[dim] for dim in ("axis", "party", "constituency", "cell", "booth")}
    own = FitOptions(**options)
    axis, line = ("axis", np.linspace(0.1, 0.4, size["axis"])), np.linspace(0.1, 0.4, size["party"])
    turnout = booths["polled"] / booths["electors"]
    share = (booths["votes"] / booths["polled"]).transpose("booth", "party")
    of = booths["booth_constituency"].values
    cells = np.stack([booths["cell_size"].values[of == place].sum(0) for place in booths["constituency"].values])
    choice = np.where(booths["fielded"].values, line, 0.0)
    choice = choice / choice.sum(1, keepdims=True)
    found = {
        "theta_value": ("theta", [0.0]),
        "alpha": 0.1,
        "alpha_se": 0.2,
        "gamma": ("party", line),
        "gamma_se": ("party", line),
        **{name: axis for name in ("eta", "eta_se", "eta_pp", "eta_pp_se", "g_mean", "g_sd", "proximity")},
        "axis_weight": axis,
        "identified": ("axis", np.ones(size["axis"], bool)),
        "turnout": (("constituency", "cell"), np.full((size["constituency"], size["cell"]), 0.5)),
        "choice": (("constituency", "cell", "party"), np.repeat(choice[:, None], size["cell"], axis=1)),
        "electors": (("constituency", "cell"), cells),
        "booth_electors": booths["electors"].variable,
        "held_out": ("booth", np.zeros(size["booth"], bool)),
        "fitted_turnout": turnout.variable,
        "observed_turnout": turnout.variable,
        "fitted_share": share.variable,
        "observed_share": share.variable,
        "b_T": ("booth", np.zeros(size["booth"])),
        "b_P": (("booth", "party"), np.zeros(share.shape)),
    }
    coords = {name: booths[name].values for name in ("axis", "party", "constituency", "cell", "booth")}
    coords |= {"cell_category": (("cell", "axis"), booths["cell_category"].values)}
    coords |= {"booth_constituency": ("booth", of), "theta": ["alpha"]}
    said = {
        "name": str(booths.attrs["name"]),
        "options": own.json(),
        "axes": booths.attrs["axes"],
        "level": own.level,
        "errors": own.errors,
        "validation": "{}",
        "notes": "",
        "objective": 1.0,
        "log_likelihood": -2.0,
        "gradient": 0.0,
        "steps": 3,
        "converged": 1,
        "rank": size["axis"],
        "rank_without_affinity": 0,
    }
    ds = xr.Dataset(found, coords, said | (attrs or {})).assign(values or {})
    ds = conform(ds, FIT)
    return finished(ds, about=about(ds), verdict=judge(ds))
