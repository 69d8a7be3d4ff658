"""`electjax.calm.fit`: turnout and choice of demographic cells, and the pull of candidates, from booth totals."""

import os
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.calm.codec import check_fittable, encode_booths
from electjax.calm.decode import Fitted, decode_fit, effects_of, shared_of
from electjax.calm.model.design import Design
from electjax.calm.model.estimate import Estimate, estimate, information, moved
from electjax.calm.model.integrate import integrated
from electjax.calm.model.problem import in_rows
from electjax.calm.model.rank import affinity_rank
from electjax.calm.model.uncertainty import laplace_covariance, sandwich_covariance
from electjax.calm.model.unseen import held_out, unseen_losses, with_mean_effects
from electjax.calm.options import FitOptions
from electjax.calm.verbs.read import read_booths
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.numerics.host import double_precision


@with_options
def fit(
    booths: xr.Dataset | str | os.PathLike[str],
    options: FitOptions,
    *,
    start: xr.Dataset | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Fit CALM to booth totals (calm.md, all sections).

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        start: an earlier fit of the same terms to begin with, or its file.
        progress: called with steps done, most steps, and what is being done.

    Returns:
        Parameters by their name in the source, each with <name>_se where errors are asked for, in log-odds unless said
        otherwise: alpha, beta_T(feature), gamma(party), beta_P(feature, party), eta(axis) or eta(party, axis),
        eta_constituency(constituency, axis), xi, tower(cell_feature, trait), effect_T(constituency),
        effect_P(constituency, party), b_T(booth), b_P(booth, party), rho_T, rho_P (correlations); eta_raw and eta_pp:
        eta per unit of g, and in percentage points per SD of it. What standardises g: g_mean(axis), g_sd(axis). Cells
        at the mean of their constituency: turnout(constituency, cell), choice(constituency, cell, party). Booths:
        fitted_turnout, fitted_share, and what was observed. theta_value(theta) with theta_covariance(theta, theta_):
        the free parameters; identified(axis) or (party, axis), whether data rather than a penalty choose eta.
        trace(step). attrs: objective, log_likelihood, gradient, steps, converged, rank, validation, notes; options and
        axes as JSON; verdict and verdict_reasons, how far the fit can be relied on (good, with care, not usable).

    Raises:
        ElectionDataError: invalid booths or options, or a start with other terms.

    Example:
        >>> import electjax
        >>> fit = electjax.calm.fit(electjax.calm.simulate("tiny"), model="recommended", context=0)
        >>> fit.eta.sizes["axis"], bool(fit.attrs["converged"])
        (4, True)
    """
    data = read_booths(booths)
    if options.penalties == "holdout":
        from electjax.calm.diagnosis import choose_penalties  # which most fits do without

        check_fittable(data, options.design)
        options = choose_penalties(data, options, progress=progress)
    if start is not None:
        from electjax.calm.store import fit_of  # most fits have no start

        start = fit_of(start)
    return decode_fit(fit_arrays(data, options, start=start, progress=progress), data)


def fit_arrays(
    booths: xr.Dataset, options: FitOptions, *, start: xr.Dataset | None = None, progress: Progress | None = None
) -> Fitted:
    """`calm.fit` on booths that are valid, without labels."""
    notes = check_fittable(booths, options.design) + options.notes()
    how: dict[str, Any] = {"coding": options.coding, "covariates": options.covariates, "axes": options.axes}
    data = encode_booths(booths, checked=True, **how)
    out = held_out(data.booths.constituency, options.holdout, jax.random.key(options.seed))
    if out.any():
        data = encode_booths(booths, checked=True, train=~out, **how)
    design, hyper = options.design, options.hyper(data.axes)
    with double_precision():
        found = estimate(
            data.booths,
            data.frame,
            hyper,
            design,
            start=None if start is None else shared_of(start, data, options),
            effects=None if start is None else effects_of(start, data, options),
            tolerance=options.tolerance,
            max_steps=options.max_steps,
            chunk=options.chunk,
            seed=options.seed,
            progress=None if progress is None else lambda done, most: progress(done, most, "fit"),
        )
        if options.integrates:
            at = information(found.point, found.problem, design)
            found = moved(found, integrated(found.point, found.problem, design, at), design)
        if out.any():
            found = moved(found, with_mean_effects(found.point, found.problem), design)
        known, covariance, rank = None, None, None
        if options.errors != "none":
            known = information(found.point, found.problem, design)
            if options.errors == "laplace":
                covariance = laplace_covariance(known)
            else:
                covariance = sandwich_covariance(known, data.booths.constituency)
        if design.affinity != "none":  # in a hierarchy, of what the constituencies' eta lie around
            by_party = design.affinity == "party"
            rank = affinity_rank(
                data.frame,
                np.asarray(found.affinity.g),
                effects=design.constituency_effects and options.lambda_constituency == 0,
                by_party=by_party,
            )
        validation = _validation(found, design, out) if out.any() else {}
    return Fitted(data, options, found, known, covariance, rank, out, validation, notes)


def _validation(found: Estimate, design: Design, out: np.ndarray) -> dict[str, float]:
    """Losses of the booths kept out.

    turnout: BCE above that of a perfect fit, per elector; party: KL per vote; total: both sums per elector.
    """
    lost = unseen_losses(found.point, found.problem, design)
    rows = in_rows(found.problem.booths)
    number = len(out)
    turnout = np.asarray(lost.turnout)[:number][out]
    party = np.asarray(lost.party)[:number][out]
    electors, votes = (np.asarray(x)[:number][out].sum() for x in (rows.sizes.sum(1), rows.votes.sum(1)))
    return {
        "turnout": float(turnout.sum() / electors),
        "party": float(party.sum() / votes),
        "total": float((turnout.sum() + party.sum()) / electors),
        "booths": int(out.sum()),
    }
