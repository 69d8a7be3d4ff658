"""A CALM fit as a Dataset with labels, and what another computation takes from it."""

import json
import warnings
from dataclasses import dataclass, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.flatten_util import ravel_pytree

from electjax.calm.booths import BOOTHS
from electjax.calm.codec import Encoded, Labels
from electjax.calm.model.affinity import Standard
from electjax.calm.model.design import Design, Local, Shared
from electjax.calm.model.estimate import Estimate, Information
from electjax.calm.model.heads import contrast
from electjax.calm.model.problem import blank_of, cells, fitted, log_likelihood
from electjax.calm.model.rank import Rank
from electjax.calm.model.uncertainty import booth_errors, reported, reported_errors
from electjax.calm.model.unseen import constituencies
from electjax.calm.options import FitOptions
from electjax.calm.schema import FIT
from electjax.calm.verdict import BY_CHOICE, about, judge
from electjax.data.axes import axes_json
from electjax.data.errors import data_error
from electjax.data.finished import finished
from electjax.data.notes import notes_text
from electjax.data.schema import conform, place_of
from electjax.numerics.covariance import Covariance
from electjax.numerics.host import double_precision

SOURCE = "candidate-aware aggregated likelihood model (CALM)"


@dataclass(frozen=True)
class Fitted:
    """A fit before it gets labels.

    Attributes:
        held_out: whether a booth was kept out of the fit, [booth].
        notes: what is to be known of how the booths were taken.
    """

    encoded: Encoded
    options: FitOptions
    found: Estimate
    information: Information | None
    covariance: Covariance | None
    rank: Rank | None
    held_out: np.ndarray
    validation: dict[str, float]
    notes: list[str]


def decode_fit(fit: Fitted, booths: xr.Dataset) -> xr.Dataset:
    """The Dataset that `calm.fit` returns."""
    data, found, design = fit.encoded, fit.found, fit.options.design
    labels, number, areas = data.labels, len(data.labels.booths), len(data.labels.constituencies)
    values: dict[str, Any] = {}
    with double_precision():
        middle = constituencies(found.point, found.problem, design)
        free = found.point.shared
        leaves = reported(free, found.problem, design, middle)._asdict()
        if fit.covariance is not None:
            errors = reported_errors(free, found.problem, design, fit.covariance, middle)._asdict()
            leaves |= {f"{name}_se": value for name, value in errors.items()}
        for name, leaf in leaves.items():
            if leaf is not None:
                towers = name in ("tower", "tower_se")
                values[name] = np.asarray(leaf)[..., list(labels.trait_columns)] if towers else np.asarray(leaf)
        values |= _effects(fit, number)
        known = cells(*middle, replace(design, cache="none"))
        values |= {"turnout": np.asarray(known.pi)[:areas], "choice": np.asarray(known.theta)[:areas]}
        sums = jax.tree.map(lambda x: np.asarray(x)[:number], fitted(found.point, found.problem, design))
        likelihood = float(log_likelihood(found.point, found.problem, design))
    electors, polled = data.booths.sizes.sum(1), np.asarray(data.booths.votes).sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        values |= {"observed_turnout": data.booths.polled / electors, "observed_share": data.booths.votes / polled}
    standard, hyper = found.affinity.standard, found.problem.hyper
    values |= {
        "electors": data.frame.electors,
        "fitted_turnout": sums.turnout,
        "fitted_share": sums.shares,
        "booth_electors": electors,
        "held_out": fit.held_out,
        "g_mean": standard.mean,
        "g_sd": standard.sd,
        "proximity": hyper.rho,
        "axis_weight": hyper.axis_weight,
        "covariate_mean": data.scale.mean,
        "covariate_sd": data.scale.sd,
        "theta_value": free,
        "trace": found.trace,
    }
    if design.mobilisation != "none":
        values["mobilisation_weight"] = found.weights
    if standard.projection is not None:
        values["g_projection"] = standard.projection
    if fit.rank is not None:
        values["identified"] = fit.rank.identified
    names = theta_labels(found.shared, labels)
    coords = _coords(booths, labels) | {"theta": names}
    if fit.covariance is not None:
        values["theta_covariance"], coords["theta_"] = fit.covariance.matrix, names
    if "tower" in values:
        coords |= {"cell_feature": np.array(labels.features, np.str_), "trait": np.array(labels.traits, np.str_)}
    ds = xr.Dataset({name: _variable(name, np.asarray(value)) for name, value in values.items()}, coords)
    ds = conform(ds.assign_attrs(_attributes(fit, booths, likelihood)), FIT)
    found_verdict = judge(ds)
    for note in [*fit.notes, *(reason for reason in found_verdict.reasons if reason not in BY_CHOICE)]:
        warnings.warn(f"calm.fit: {note}", UserWarning, stacklevel=4)
    return finished(ds, about=about(ds), verdict=found_verdict)


def _variable(name: str, values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    shapes = FIT.variables[name].shapes
    return next(dims for dims in shapes if len(dims) == values.ndim), values


def _effects(fit: Fitted, number: int) -> dict[str, np.ndarray]:
    """Booth effects of all K parties, with their errors."""
    design, parties = fit.options.design, len(fit.encoded.labels.parties)
    if not design.booth_effects:
        return {}
    basis = np.asarray(contrast(parties, design.identification))
    groups = np.asarray(fit.found.point.groups)[:number]
    values = {"b_T": groups[:, 0], "b_P": groups[:, 1:] @ basis.T}
    if fit.covariance is not None and fit.information is not None:
        of_T, of_P = booth_errors(fit.information, fit.covariance, design, parties)
        values |= {"b_T_se": np.asarray(of_T)[:number], "b_P_se": np.asarray(of_P)[:number]}
    return values


def theta_labels(shared: Shared, labels: Labels) -> list[str]:
    """A name per free parameter, in their order: "eta[age]", "beta_P[religion[Hindu], 2]"."""
    parties = [str(k + 1) for k in range(len(labels.parties) - 1)]  # free directions, one fewer than parties
    size, rank = (0, 0) if shared.right is None else shared.right.shape
    towers = [str(r + 1) for r in range(rank)]
    trait = dict(zip(labels.trait_columns, labels.traits, strict=True))
    sides: dict[str, list[list[str]]] = {
        "beta_T": [[*labels.features, *labels.covariates]],
        "gamma": [parties],
        "beta_P": [[*labels.features, *labels.covariates], parties],
        "eta": [list(labels.axes)],
        "eta_constituency": [list(labels.constituencies), list(labels.axes)],
        "left": [list(labels.features), towers],
        "right": [[trait.get(z, f"trait {z}") for z in range(size)], towers],
        "effect_T": [list(labels.constituencies)],
        "effect_P": [list(labels.constituencies), parties],
        "dispersion": [["turnout", "party"]],
    }
    if shared.eta is not None and shared.eta.ndim == 2:
        sides["eta"] = [list(labels.parties), list(labels.axes)]
    found = []
    for name, leaf in zip(shared._fields, shared, strict=True):
        if leaf is not None:
            for index in np.ndindex(*np.shape(leaf)):
                at = ", ".join(side[i] for side, i in zip(sides.get(name, []), index, strict=True))
                found.append(f"{name}[{at}]" if index else name)
    return found


def _coords(booths: xr.Dataset, labels: Labels) -> dict[str, Any]:
    coords: dict[str, Any] = {
        "booth": list(labels.booths),
        "constituency": list(labels.constituencies),
        "cell": list(labels.cells),
        "party": list(labels.parties),
        "axis": list(labels.axes),
        "feature": [*labels.features, *labels.covariates],
        "covariate": list(labels.covariates),
        "booth_constituency": ("booth", booths["booth_constituency"].values),
        "cell_category": (("cell", "axis"), booths["cell_category"].sel(axis=list(labels.axes)).values),
    }
    text = {name: np.array(value, dtype=np.str_) for name, value in coords.items() if isinstance(value, list)}
    return coords | text


def _attributes(fit: Fitted, booths: xr.Dataset, likelihood: float) -> dict[str, Any]:
    found, options = fit.found, fit.options
    attrs = {
        "model": SOURCE,
        "name": str(booths.attrs.get("name", "")),
        "source": place_of(booths, BOOTHS),
        "objective": found.value,
        "log_likelihood": likelihood,
        "gradient": found.gradient,
        "steps": found.steps,
        "converged": int(found.converged),
        "integrated": int(options.integrates),
        "parameters": int(np.asarray(found.point.shared).size),
        "booths": int((~fit.held_out).sum()),
        "options": options.json(),
        "axes": axes_json(fit.encoded.axes),
        "errors": options.errors,
        "level": options.level,
        "context": options.exponent,
        "seed": options.seed,
        "validation": json.dumps(fit.validation),
        "notes": notes_text(fit.notes),
    }
    if fit.rank is not None:
        attrs |= {"rank": fit.rank.with_g, "rank_without_affinity": fit.rank.without}
    return attrs


# ------------------------------------------------------------------------------------ from a fit


def shared_of(fit: xr.Dataset, data: Encoded, options: FitOptions) -> Shared:
    """The shared parameters of an earlier fit, for booths with the same features, parties and constituencies.

    Raises:
        ElectionDataError: its parameters are others.
    """
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


def effects_of(fit: xr.Dataset, data: Encoded, options: FitOptions) -> Local | None:
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
