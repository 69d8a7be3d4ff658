"""`electjax.calm.fit`: turnout and choice of demographic cells, and the pull of candidates, from booth totals."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.flatten_util import ravel_pytree

from electjax.calm.codec import Encoded, encode_booths
from electjax.calm.decode import CONVENTIONS, decode_fit, theta_labels
from electjax.calm.fittable import check_fittable
from electjax.calm.model.affinity import Standard
from electjax.calm.model.design import Design, Local, Shared
from electjax.calm.model.diagnose import unseen_losses
from electjax.calm.model.estimate import Estimate, Information, estimate, information, moved
from electjax.calm.model.heads import contrast
from electjax.calm.model.integrate import integrated
from electjax.calm.model.problem import blank_of, in_rows
from electjax.calm.model.rank import Rank, affinity_rank, rank_sentence
from electjax.calm.model.split import held_out
from electjax.calm.model.uncertainty import Covariance, cluster_warning, laplace_covariance, sandwich_covariance
from electjax.calm.model.unseen import with_mean_effects
from electjax.calm.options import Options, options_of
from electjax.calm.schema import validate
from electjax.calm.verbs.read import read
from electjax.data.errors import data_error
from electjax.data.files import atomic_path, in_a_folder
from electjax.numerics.host import double_precision


@dataclass(frozen=True)
class Fitted:
    """A fit before it gets labels."""

    encoded: Encoded
    options: Options
    found: Estimate
    information: Information | None
    covariance: Covariance | None
    rank: Rank | None
    held: np.ndarray  # [booth]
    validation: dict[str, float]
    notes: list[str]
    remarks: list[str]  # that need no warning


def fit(
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    start: xr.Dataset | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> xr.Dataset:
    """Fit CALM to booth totals (calm.md, all sections).

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        start: an earlier fit of the same terms to begin with.
        progress: called with steps done, most steps, and what is being done.
        **options: the fields of `electjax.calm.options.Options`, such as model, rho_age, lambda_eta,
            mobilisation, tower, overdispersed, holdout, errors.

    Returns:
        Parameters by their name in the source, each with <name>_se where errors are asked for: alpha, beta_T(feature),
        gamma(party), beta_P(feature, party), eta(axis) or eta(party, axis), eta_constituency(constituency, axis), xi,
        tower(cell_feature, trait), effect_T(constituency), effect_P(constituency, party), b_T(booth),
        b_P(booth, party), rho_T, rho_P; eta_raw and eta_pp: eta per unit of g, and in percentage points per SD of it.
        What standardises g: g_mean(axis), g_sd(axis). Cells at the mean of their constituency:
        turnout(constituency, cell), choice(constituency, cell, party). Booths: fitted_turnout, fitted_share, and what
        was observed. theta_value(theta) with theta_covariance(theta, theta_): the free parameters. trace(step).
        attrs: objective, log_likelihood, gradient, steps, converged, rank, validation, warnings; options and axes as
        JSON.

    Raises:
        ElectionDataError: invalid booths or options, or a start with other terms.
    """
    chosen = options_of(options)
    booths = validate(booths) if isinstance(booths, xr.Dataset) else read(booths)
    if chosen.penalties == "holdout":
        check_fittable(booths, chosen.design)
        from electjax.calm.penalties import choose_penalties  # it fits, too

        chosen = choose_penalties(booths, chosen, progress=progress)
    return decode_fit(fit_arrays(booths, chosen, start=start, progress=progress), booths)


def fit_arrays(
    booths: xr.Dataset,
    options: Options,
    *,
    start: xr.Dataset | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Fitted:
    """`calm.fit` on booths that are valid, without labels."""
    notes = check_fittable(booths, options.design) + options.notes()
    how: dict[str, Any] = {"coding": options.coding, "covariates": options.covariates, "axes": options.axes}
    data = encode_booths(booths, checked=True, **how)
    held = held_out(data.booths.constituency, options.holdout, jax.random.key(options.seed))
    if held.any():
        data = encode_booths(booths, checked=True, train=~held, **how)
    design, hyper = options.design, options.hyper(data.axes)
    with double_precision():
        found = estimate(
            data.booths,
            data.frame,
            hyper,
            design,
            method=options.method,  # type: ignore[arg-type]
            start=None if start is None else shared_of(start, data, options),
            effects=None if start is None else effects_of(start, data, options),
            tolerance=options.tolerance,
            max_steps=options.max_steps,
            chunk=options.chunk,
            batch=options.batch,
            learning_rate=options.learning_rate,
            seed=options.seed,
            progress=None if progress is None else lambda done, most: progress(done, most, "fit"),
        )
        if not found.converged:
            notes.append(
                f"the optimiser ({options.method}) stopped after {found.steps} steps before it converged; "
                "raise max_steps, or the penalties"
            )
        if options.integrates:
            at = information(found.point, found.problem, design)
            found = moved(found, integrated(found.point, found.problem, design, at), design)
        if held.any():
            found = moved(found, with_mean_effects(found.point, found.problem), design)
        known, covariance, rank = None, None, None
        if options.errors != "none":
            known = information(found.point, found.problem, design)
            if options.errors == "laplace":
                covariance = laplace_covariance(known)
                if options.lambda_T != 1 or options.lambda_P != 1:
                    notes.append(
                        "lambda_T or lambda_P is not 1: the objective is no log-likelihood, nor are its standard errors"
                    )
            else:
                covariance = sandwich_covariance(known, data.booths.constituency)
                few = cluster_warning(data.booths.constituency[~held])
                notes += [] if few is None else [few]
        if design.affinity != "none":  # in a hierarchy, of what the constituencies' eta lie around
            by_party = design.affinity == "party"
            rank = affinity_rank(
                data.frame,
                np.asarray(found.affinity.g),
                effects=design.constituency_effects and options.lambda_constituency == 0,
                by_party=by_party,
            )
            said = rank_sentence(rank, data.labels.axes, data.labels.parties)
            notes += [] if said is None else [said]
        validation = _validation(found, design, held) if held.any() else {}
    return Fitted(data, options, found, known, covariance, rank, held, validation, notes, options.remarks())


def save_fit(fit: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write a fit to a netCDF file, whole or not at all; `calm.load_fit` gives it back bit by bit."""
    target = in_a_folder(path)
    _check_fit(fit)
    with atomic_path(target) as partial:
        fit.to_netcdf(partial, engine="h5netcdf")
    return target


def load_fit(path: str | os.PathLike[str]) -> xr.Dataset:
    """A fit that `calm.save_fit` wrote."""
    if not Path(path).is_file():
        raise data_error(
            "no such file", where=str(path), expected="a fit written by calm.save_fit", mend="check the path"
        )
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        fit = opened.load()
    return _check_fit(fit)


def is_calm(fit: object) -> bool:
    """Whether something is the result of `calm.fit`."""
    return isinstance(fit, xr.Dataset) and fit.attrs.get("conventions") == CONVENTIONS


def shared_of(fit: xr.Dataset, data: Encoded, options: Options) -> Shared:
    """The shared parameters of an earlier fit, for booths with the same features, parties and constituencies.

    Raises:
        ElectionDataError: its parameters are others.
    """
    _check_fit(fit)
    with double_precision():
        zero = blank_of(data.frame, len(data.labels.covariates), options.design)
        flat, unravel = ravel_pytree(zero)
        wanted, have = theta_labels(zero, data.labels), [str(label) for label in fit["theta"].values]
        if wanted != have:
            odd = sorted(set(wanted) ^ set(have))
            raise data_error(
                f"its parameters differ, as {odd[0] if odd else 'their order'}",
                where="the earlier fit",
                expected=f"the {len(flat)} parameters of these options and booths",
                mend="use the same terms, axes, parties and constituencies",
            )
        return cast(Shared, unravel(jnp.asarray(fit["theta_value"].values)))


def effects_of(fit: xr.Dataset, data: Encoded, options: Options) -> Local | None:
    """Booth effects of an earlier fit; 0 for booths that it does not have, None without any."""
    if "b_T" not in fit or not options.design.booth_effects:
        return None
    own = fit[["b_T", "b_P"]].reindex(booth=list(data.labels.booths), fill_value=0.0)
    return free_effects(own, options.design)


def free_effects(fit: xr.Dataset, design: Design) -> Local:
    """Booth effects in free directions from those of all parties."""
    form = contrast(fit.sizes["party"], design.identification)  # its transpose is a left inverse of spreading them
    parties = jnp.asarray(fit["b_P"].transpose("booth", "party").values)
    return Local(jnp.asarray(fit["b_T"].values), parties @ form)


def standard_of_fit(fit: xr.Dataset) -> Standard:
    """The statistics that standardise g at prediction, as they were at the fit."""
    projection = fit["g_projection"].values if "g_projection" in fit else None
    return Standard(fit["g_mean"].values, fit["g_sd"].values, projection)


def _check_fit(fit: xr.Dataset) -> xr.Dataset:
    if not is_calm(fit):
        raise data_error("no CALM fit", where="fit", expected="the result of calm.fit", mend="make it with calm.fit")
    return fit


def _validation(found: Estimate, design: Design, held: np.ndarray) -> dict[str, float]:
    """Losses of the booths kept out.

    turnout: BCE above that of a perfect fit, per elector; party: KL per vote; total: both sums per elector.
    """
    lost = unseen_losses(found.point, found.problem, design)
    rows = in_rows(found.problem.booths)
    number = len(held)
    turnout = np.asarray(lost.turnout)[:number][held]
    party = np.asarray(lost.party)[:number][held]
    electors, votes = (np.asarray(x)[:number][held].sum() for x in (rows.sizes.sum(1), rows.votes.sum(1)))
    return {
        "turnout": float(turnout.sum() / electors),
        "party": float(party.sum() / votes),
        "total": float((turnout.sum() + party.sum()) / electors),
        "booths": int(held.sum()),
    }
