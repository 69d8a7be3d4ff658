"""How far a fit would move with other voters, or other votes of theirs: the bootstrap, labelled."""

import os
from collections.abc import Callable, Iterable
from typing import Literal, get_args

import jax
import numpy as np
import xarray as xr
from scipy import sparse

import electjax
from electjax.data.checks import check_choice
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision
from electjax.voter_types.codec import Encoded
from electjax.voter_types.decode import CONVENTIONS, DIMS
from electjax.voter_types.em.bootstrap import nonparametric_bootstrap, parametric_bootstrap, spread
from electjax.voter_types.em.profiles import are_counts
from electjax.voter_types.em.uncertainty import cluster_pairs
from electjax.voter_types.verbs.fit import held_ballots
from electjax.voter_types.verbs.residuals import fitted_arrays

Kind = Literal["nonparametric", "parametric"]


def bootstrap(
    fit: xr.Dataset,
    ballots: xr.Dataset | str | os.PathLike[str] | Iterable[xr.Dataset],
    kind: Kind = "nonparametric",
    replicates: int = 200,
    seed: int = 0,
    *,
    level: float = 0.95,
    progress: Callable[[int, int, str], None] | None = None,
) -> xr.Dataset:
    """Fit a model anew to replicates of its ballots.

    Replicates start at the fit and keep its labels (Hungarian matching): they show its own spread, not that of other
    local maxima.

    Args:
        fit: what `electjax.voter_types.fit` returned.
        ballots: the ballots it was fitted to.
        kind: "nonparametric" draws voters with replacement (whole clusters where the ballots have `cluster`);
            "parametric" draws new votes of the same voters from the fit, at their menus and covariates.
        replicates: how many, at least 2.
        seed: replicate b depends on it and on b alone.
        level: of the percentile intervals.
        progress: called with replicates done, of how many, and a line.

    Returns:
        A Dataset with pi, mu, mu_met, psi, gamma (and delta) of every replicate; their standard deviations `*_se`
        and percentile intervals `*_low` and `*_high` over the replicates that converged; log_likelihood(replicate)
        and converged(replicate).

    Raises:
        ElectionDataError: ballots that do not fit the schema or the fit, an argument out of range.
    """
    check_choice("voter_types.bootstrap(kind=)", kind, get_args(Kind))
    for name, value, good, expected in (
        ("replicates", replicates, replicates >= 2, "at least 2"),
        ("level", level, 0 < level < 1, "a share between 0 and 1"),
    ):
        if not good:
            raise data_error(
                f"found {value}", where=f"voter_types.bootstrap({name}=)", expected=expected, mend="correct it"
            )
    ballots = held_ballots(ballots)
    types, encoded = fitted_arrays(fit, ballots)
    data, ridge = encoded.profiles, float(fit.attrs.get("ridge", 0.0))
    key = jax.random.key(seed)
    with double_precision():
        if kind == "parametric":
            drawn = parametric_bootstrap(key, types, data, replicates=replicates, ridge=ridge, progress=progress)
        else:
            units = _units(encoded, ballots)
            drawn = nonparametric_bootstrap(
                key, types, data, replicates=replicates, units=units, ridge=ridge, progress=progress
            )
        error, low, high = spread(drawn, level=level)
        values = {name: np.asarray(getattr(drawn.quantities, name)) for name in DIMS}
    names = [name for name in DIMS if name != "delta" or encoded.labels.features]
    found = xr.Dataset(coords={name: fit[name] for name in ("type", "office", "option", "option_label", "term")})
    if encoded.labels.features:
        found = found.assign_coords(feature=list(encoded.labels.features))
    for name in names:
        about = fit[name].attrs if name in fit else {}
        found[name] = (("replicate", *DIMS[name]), values[name], about)
        for end, what, own in (
            ("se", "standard deviation over the replicates", error),
            ("low", f"{(1 - level) / 2:.4g} quantile", low),
            ("high", f"{(1 + level) / 2:.4g} quantile", high),
        ):
            found[f"{name}_{end}"] = (DIMS[name], np.asarray(getattr(own, name)), {"long_name": f"{name}: {what}"})
    found["log_likelihood"] = ("replicate", np.asarray(drawn.log_likelihood))
    found["converged"] = ("replicate", np.asarray(drawn.converged))
    kept = {name: fit.attrs[name] for name in ("title", "name", "source", "scheme") if name in fit.attrs}
    found.attrs = kept | {
        "conventions": CONVENTIONS,
        "kind": kind,
        "seed": seed,
        "level": level,
        "replicates_converged": int(found["converged"].sum()),
        "electjax_version": electjax.__version__,
    }
    return found


def _units(encoded: Encoded, ballots: object) -> sparse.csr_matrix | None:
    """What is drawn as one: a cluster, or a voter where voters of a row may differ in weight."""
    if not isinstance(ballots, xr.Dataset) or encoded.inverse is None:
        return None
    weight = ballots["weight"].values if "weight" in ballots else None
    if "cluster" in ballots:
        return cluster_pairs(ballots["cluster"].values, encoded.inverse, weight)
    if are_counts(encoded.profiles):
        return None
    return cluster_pairs(np.arange(len(encoded.inverse)), encoded.inverse, weight)
