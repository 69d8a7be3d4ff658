"""Penalties of a CALM fit, chosen on booths held out within their constituency."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.calm.codec import encode_booths
from electjax.calm.model.diagnose import folds_of
from electjax.calm.model.penalties import search_penalties
from electjax.calm.model.split import held_out
from electjax.calm.options import Options
from electjax.data.errors import data_error, data_warning
from electjax.numerics.host import double_precision

SHARE = 0.2  # of the booths that the fit may see,
FEW = 500  # but where these would be fewer, each of them once in as many
FOLDS = 5


def choose_penalties(
    booths: xr.Dataset, options: Options, *, progress: Callable[[int, int, str], None] | None = None
) -> Options:
    """The options with the penalties at which held-out booths are predicted best.

    Args:
        booths: valid booths.
        options: with the penalties to begin with. Booths that `holdout` keeps out of the fit are not looked at.

    Raises:
        ElectionDataError: no constituency has booths enough to hold one out.
    """
    given: dict[str, Any] = {"coding": options.coding, "covariates": options.covariates, "axes": options.axes}
    data = encode_booths(booths, checked=True, **given)
    area, key = np.asarray(data.booths.constituency), jax.random.key(options.seed)
    kept = np.flatnonzero(~held_out(area, options.holdout, key))
    out = np.zeros((FOLDS if SHARE * len(kept) < FEW else 1, len(area)), bool)
    if len(out) == 1:
        out[0, kept] = held_out(area[kept], SHARE, jax.random.fold_in(key, 1))
    else:
        out[:, kept] = folds_of(area[kept], FOLDS, jax.random.fold_in(key, 1)) == np.arange(FOLDS)[:, None]
    if not out.any():
        raise data_error(
            "no constituency has a booth to spare",
            where="calm.fit(penalties='holdout')",
            expected="2 booths or more in some constituency",
            mend="give the penalties, with penalties='given'",
        )
    weight = np.zeros(len(area))
    weight[kept] = 1.0
    with double_precision():
        found = search_penalties(
            jax.tree.map(jax.numpy.asarray, data.booths._replace(weight=weight)),
            data.frame,
            options.hyper(data.axes),
            options.design,
            out,
            tolerance=options.tolerance,
            max_steps=options.max_steps,
            chunk=options.chunk,
            progress=None if progress is None else lambda done, most: progress(done, most, "penalties"),
        )
    for name in found.edge:
        data_warning(f"{name} went to the end of its range", where="penalties chosen on held-out booths")
    chosen: dict[str, Any] = {name: float(getattr(found.hyper, name)) for name in found.names}
    return replace(options, penalties="given", **chosen)
