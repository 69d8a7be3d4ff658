"""How far a fit would move with other voters, or other votes of theirs: the bootstrap, labelled."""

import jax
import numpy as np
import xarray as xr
from scipy import sparse

from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.numerics.covariance import tails
from electjax.numerics.host import double_precision
from electjax.voter_types.codec import Encoded
from electjax.voter_types.em.bootstrap import nonparametric_bootstrap, parametric_bootstrap, spread
from electjax.voter_types.em.rows import are_counts
from electjax.voter_types.em.uncertainty import cluster_pairs
from electjax.voter_types.fitted import Ballots, Given, fitted_arrays, kept_attrs, known_fit, whole_ballots
from electjax.voter_types.options import BootstrapOptions
from electjax.voter_types.schema import BOOTSTRAP, REPORTED
from electjax.voter_types.verdict import about_bootstrap, judge_bootstrap, verdict_on


@with_options
def bootstrap(
    fit: Given, ballots: Ballots, *, progress: Progress | None = None, options: BootstrapOptions
) -> xr.Dataset:
    """Fit a model anew to replicates of its ballots.

    Replicates start at the fit and keep its labels (Hungarian matching): they show its own spread, not that of other
    local maxima.

    Args:
        fit: what `voter_types.fit` returned, or its path.
        ballots: the ballots it was fitted to.
        progress: called with replicates done, of how many, and a line.

    Returns:
        A Dataset with pi, mu, mu_met, psi, gamma (and delta) of every replicate; their standard deviations `*_se`
        and percentile intervals `*_low` and `*_high` over the replicates that converged; log_likelihood(replicate)
        and converged(replicate).

    Raises:
        ElectionDataError: ballots that do not fit the schema or the fit, an argument out of range.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> found = voter_types.bootstrap(fit, ballots, replicates=4)
        >>> dict(found["mu"].sizes)
        {'replicate': 4, 'type': 1, 'office': 3, 'option': 3}
    """
    fit, ballots = known_fit(fit), whole_ballots(ballots)
    types, encoded = fitted_arrays(fit, ballots)
    data, key, number = encoded.profiles, jax.random.key(options.seed), options.replicates
    ridge = float(fit.attrs.get("ridge", 0.0))
    with double_precision():
        if options.kind == "parametric":
            drawn = parametric_bootstrap(key, types, data, replicates=number, ridge=ridge, progress=progress)
        else:
            units = _units(encoded, ballots)
            drawn = nonparametric_bootstrap(
                key, types, data, replicates=number, units=units, ridge=ridge, progress=progress
            )
        error, low, high = spread(drawn, level=options.level)
    found = xr.Dataset(coords={name: fit[name] for name in ("type", "office", "option", "option_label", "term")})
    if encoded.labels.features:
        found = found.assign_coords(feature=list(encoded.labels.features))
    below, above = tails(options.level)
    for name, (dims, _, _) in REPORTED.items():
        if name == "delta" and not encoded.labels.features:
            continue
        found[name] = (("replicate", *dims), np.asarray(getattr(drawn.quantities, name)))
        found[f"{name}_se"] = (dims, getattr(error, name))
        for end, at, own in (("low", below, low), ("high", above, high)):
            found[f"{name}_{end}"] = (dims, getattr(own, name), {"long_name": f"{name}: {at:.4g} quantile"})
    found["log_likelihood"] = ("replicate", np.asarray(drawn.log_likelihood))
    found["converged"] = ("replicate", np.asarray(drawn.converged))
    found.attrs = kept_attrs(fit.attrs) | {
        "kind": options.kind,
        "seed": options.seed,
        "level": options.level,
        "replicates_converged": int(found["converged"].sum()),
    }
    checked = conform(found, BOOTSTRAP)
    return finished(checked, about=about_bootstrap(checked), verdict=judge_bootstrap(checked, verdict_on(fit)))


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
