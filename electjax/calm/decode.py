"""A CALM fit with labels: parameters by their name in the source, cells, booths, and what it takes to predict."""

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.calm.codec import Labels
from electjax.calm.model.design import Shared
from electjax.calm.model.heads import contrast
from electjax.calm.model.problem import cells, fitted, log_likelihood
from electjax.calm.model.uncertainty import booth_errors, reported, reported_errors
from electjax.calm.model.unseen import constituencies
from electjax.calm.schema import place
from electjax.data.axes import axes_json
from electjax.numerics.host import double_precision

if TYPE_CHECKING:
    from electjax.calm.verbs.fit import Fitted

CONVENTIONS = "electjax calm"
SOURCE = "candidate-aware aggregated likelihood model (CALM)"

_LOGIT = "log-odds"
_MEANING = {
    "alpha": ("intercept of the turnout, alpha_0", _LOGIT),
    "beta_T": ("coefficient in the turnout", _LOGIT),
    "gamma": ("party intercept", _LOGIT),
    "beta_P": ("coefficient in the party choice", _LOGIT),
    "eta": ("candidate affinity, per standard deviation of g", _LOGIT),
    "eta_raw": ("candidate affinity, per unit of g", _LOGIT),
    "eta_pp": ("average effect of one standard deviation of a party's g on its share", "percentage points"),
    "boost": ("a full match on the standardised scale, eta (1 - mean) / sd if it has g = 1", _LOGIT),
    "eta_constituency": ("candidate affinity of the constituency, per standard deviation of g", _LOGIT),
    "tower": ("U of the two-tower term x'Uz", _LOGIT),
    "xi": ("mobilisation: effect of m_ic on the turnout", _LOGIT),
    "effect_T": ("constituency effect on the turnout", _LOGIT),
    "effect_P": ("constituency effect on the party choice", _LOGIT),
    "rho_T": ("correlation of two electors of a booth, turnout", "1"),
    "rho_P": ("correlation of two voters of a booth, party choice", "1"),
    "b_T": ("booth effect on the turnout", _LOGIT),
    "b_P": ("booth effect on the party choice", _LOGIT),
}


def decode_fit(fit: "Fitted", booths: xr.Dataset) -> xr.Dataset:
    """The Dataset that `calm.fit` returns."""
    data, found, design = fit.encoded, fit.found, fit.options.design
    labels, number = data.labels, len(data.labels.booths)
    with double_precision():
        middle = constituencies(found.point, found.problem, design)

        free_values = found.point.shared
        values, errors = reported(free_values, found.problem, design, middle), None
        if fit.covariance is not None:
            errors = reported_errors(free_values, found.problem, design, fit.covariance, middle)
        ds = xr.Dataset(coords=_coords(booths, labels))
        for name, leaf in zip(values._fields, values, strict=True):
            if leaf is None:
                continue
            dims, columns = _dims(name, np.ndim(leaf)), list(labels.trait_columns) if name == "tower" else slice(None)
            ds[name] = _variable(dims, np.asarray(leaf)[..., columns] if dims else np.asarray(leaf), name)
            if errors is not None:
                error = np.asarray(getattr(errors, name))
                ds[f"{name}_se"] = _variable(dims, error[..., columns] if dims else error, name, "standard error: ")
        ds = _add_effects(ds, fit, number)
        known = cells(*middle, replace(design, cache="none"))
        areas = len(labels.constituencies)
        ds["turnout"] = (("constituency", "cell"), np.asarray(known.pi)[:areas], _attrs("turnout of the cell, pi"))
        ds["choice"] = (("constituency", "cell", "party"), np.asarray(known.theta)[:areas], _attrs("choice, theta"))
        sums = jax.tree.map(lambda x: np.asarray(x)[:number], fitted(found.point, found.problem, design))
        free = np.asarray(found.point.shared)
        likelihood = float(log_likelihood(found.point, found.problem, design))
    counted = {"long_name": "electors of the cell in the training booths", "units": "electors"}
    ds["electors"] = (("constituency", "cell"), np.asarray(data.frame.electors), counted)
    ds["fitted_turnout"] = ("booth", sums.turnout, _attrs("expected turnout of the booth"))
    ds["fitted_share"] = (("booth", "party"), sums.shares, _attrs("expected share among the votes of the booth"))
    electors, cast = data.booths.sizes.sum(1), np.asarray(data.booths.votes).sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ds["observed_turnout"] = ("booth", data.booths.polled / electors, _attrs("turnout of the booth"))
        ds["observed_share"] = (("booth", "party"), data.booths.votes / cast, _attrs("share of the votes of the booth"))
    ds["booth_electors"] = ("booth", electors, {"long_name": "electors", "units": "electors"})
    ds["held_out"] = ("booth", fit.held, _attrs("whether the booth was kept out of the fit"))
    if design.mobilisation != "none":
        weights = np.asarray(found.weights)
        ds["mobilisation_weight"] = (("booth", "party"), weights, _attrs("w_ik: weight of the party's candidate"))
    standard, hyper = found.affinity.standard, found.problem.hyper
    ds["g_mean"] = ("axis", np.asarray(standard.mean), _attrs("mean of g over the training set"))
    ds["g_sd"] = ("axis", np.asarray(standard.sd), _attrs("standard deviation of g over the training set"))
    if standard.projection is not None:
        ds["g_projection"] = (("party", "regressor", "axis"), np.asarray(standard.projection))
    ds["rho"] = ("axis", np.asarray(hyper.rho), _attrs("proximity of adjacent categories"))
    ds["axis_weight"] = ("axis", np.asarray(hyper.axis_weight), _attrs("weight of the axis in the mobilisation"))
    ds["covariate_mean"] = ("covariate", np.asarray(data.scale.mean), _attrs("mean over the training booths"))
    ds["covariate_sd"] = ("covariate", np.asarray(data.scale.sd), _attrs("standard deviation over the training booths"))
    names = theta_labels(found.shared, labels)
    ds = ds.assign_coords(theta=names)
    ds["theta_value"] = ("theta", free, _attrs("free shared parameters"))
    if fit.covariance is not None:
        ds = ds.assign_coords(theta_=names)
        ds["theta_covariance"] = (("theta", "theta_"), fit.covariance.matrix, _attrs("covariance of theta_value"))
    ds["trace"] = ("step", np.array(found.trace), _attrs("objective after each step"))
    ds.attrs = _attributes(fit, booths, likelihood)
    for note in fit.notes:
        warnings.warn(f"calm.fit: {note}", UserWarning, stacklevel=3)
    return ds


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


def _dims(name: str, ndim: int) -> tuple[str, ...]:
    if name in ("eta", "eta_raw", "eta_pp", "boost"):
        return ("party", "axis")[2 - ndim :]
    return {
        "beta_T": ("feature",),
        "gamma": ("party",),
        "beta_P": ("feature", "party"),
        "eta_constituency": ("constituency", "axis"),
        "tower": ("cell_feature", "trait"),
        "effect_T": ("constituency",),
        "effect_P": ("constituency", "party"),
    }.get(name, ())


def _variable(dims: tuple[str, ...], values: np.ndarray, name: str, prefix: str = "") -> xr.Variable:
    meaning, units = _MEANING[name]
    return xr.Variable(dims, values, {"long_name": prefix + meaning, "units": units})


def _attrs(meaning: str) -> dict[str, str]:
    return {"long_name": meaning, "units": "1"}


def _add_effects(ds: xr.Dataset, fit: "Fitted", number: int) -> xr.Dataset:
    """Booth effects of all K parties, and names of the two-tower term's sides."""
    labels, design = fit.encoded.labels, fit.options.design
    if "tower" in ds:
        sides = {"cell_feature": np.array(labels.features, np.str_), "trait": np.array(labels.traits, np.str_)}
        ds = ds.assign_coords(sides)
    if not design.booth_effects:
        return ds
    basis = np.asarray(contrast(len(labels.parties), design.identification))
    groups = np.asarray(fit.found.point.groups)[:number]
    ds["b_T"] = _variable(("booth",), groups[:, 0], "b_T")
    ds["b_P"] = _variable(("booth", "party"), groups[:, 1:] @ basis.T, "b_P")
    if fit.covariance is not None and fit.information is not None:
        of_T, of_P = booth_errors(fit.information, fit.covariance, design, len(labels.parties))
        ds["b_T_se"] = _variable(("booth",), np.asarray(of_T)[:number], "b_T", "standard error: ")
        ds["b_P_se"] = _variable(("booth", "party"), np.asarray(of_P)[:number], "b_P", "standard error: ")
    return ds


def _attributes(fit: "Fitted", booths: xr.Dataset, likelihood: float) -> dict[str, Any]:
    found, options = fit.found, fit.options
    attrs = {
        "conventions": CONVENTIONS,
        "model": SOURCE,
        "name": str(booths.attrs.get("name", "")),
        "source": place(booths),
        "objective": found.value,
        "log_likelihood": likelihood,
        "gradient": found.gradient,
        "steps": found.steps,
        "converged": int(found.converged),
        "integrated": int(options.integrates),
        "parameters": int(np.asarray(found.point.shared).size),
        "booths": int((~fit.held).sum()),
        "options": options.json(),
        "axes": axes_json(fit.encoded.axes),
        "errors": options.errors,
        "level": options.level,
        "exponent": options.context_exponent,
        "seed": options.seed,
        "validation": json.dumps(fit.validation),
        "warnings": json.dumps([*fit.notes, *fit.remarks]),
        "electjax_version": electjax.__version__,
    }
    if fit.rank is not None:
        attrs |= {"rank": fit.rank.with_g, "rank_without_affinity": fit.rank.without}
    return attrs
