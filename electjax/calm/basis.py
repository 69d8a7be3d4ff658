"""A CALM fit and booths, brought together: what prediction, counterfactuals and the bootstrap begin with."""

import os
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calm.booths import BOOTHS
from electjax.calm.codec import Encoded, Scale, encode_booths
from electjax.calm.decode import free_effects, standard_of_fit, theta_labels
from electjax.calm.model.design import Design
from electjax.calm.model.estimate import first_weights
from electjax.calm.model.heads import contrast, mobilisation_weights
from electjax.calm.model.predict import Transfer, expected, tied, transfer
from electjax.calm.model.problem import Problem, blank, pose
from electjax.calm.options import FitOptions, read_options
from electjax.calm.store import fit_of
from electjax.calm.verbs.read import read_booths
from electjax.data.axes import Axis, axes_of
from electjax.data.errors import data_error, suggest
from electjax.data.schema import place_of
from electjax.numerics.arrow import Point
from electjax.numerics.laplace import Laplace

OF_A_CONSTITUENCY = ("effect_T[", "effect_P[", "eta_constituency[")  # parameters that a new constituency lacks
SAME = 1e-8  # largest change of a fitted share at which a booth is the one of the fit


@dataclass(frozen=True)
class Basis:
    """Booths as the problem that a fit poses of them.

    Attributes:
        booths: checked, parties in the order of the fit.
        point: the parameters of the fit, its booths' effects in free directions.
        to: how the parameters of the fit are carried over to these booths and constituencies.
        own: row of each booth in the fit, whether or not it was kept out there; -1 for none.
        areas: place of each constituency in the fit, -1 for none.
    """

    fit: xr.Dataset
    booths: xr.Dataset
    encoded: Encoded
    options: FitOptions
    design: Design
    problem: Problem
    point: Point
    to: Transfer
    own: np.ndarray
    areas: np.ndarray


def basis_of(fit: xr.Dataset | str | os.PathLike[str], booths: xr.Dataset | str | os.PathLike[str]) -> Basis:
    """Bring a fit and booths together. In double precision: call it under `double_precision`.

    Raises:
        ElectionDataError: no fit, invalid booths, or axes, parties or covariates that are not those of the fit.
    """
    fit, booths = fit_of(fit), read_booths(booths)
    options, axes = read_options(fit.attrs["options"]), axes_of(fit.attrs["axes"])
    _same_axes(booths, axes)
    booths = _in_order(booths, fit)
    covariates = _labels(fit, "covariate") if "covariate" in fit.coords else []
    encoded = encode_booths(
        booths,
        coding=options.coding,
        covariates=covariates,
        axes=axes,
        scale=Scale(fit["covariate_mean"].values, fit["covariate_sd"].values),
        checked=True,
    )
    areas = _place(encoded.labels.constituencies, _labels(fit, "constituency"))
    encoded = encoded._replace(frame=encoded.frame._replace(electors=_electors(fit, encoded, areas)))
    design = replace(options.design, cache="none")
    own = _place(encoded.labels.booths, _labels(fit, "booth"))
    problem = pose_basis(fit, encoded, options, design, own, areas)
    of = _place(_texts(fit["booth_constituency"]), _labels(fit, "constituency"))
    to = transfer(
        _parameters(fit, encoded, problem, design),
        own,
        areas[np.asarray(encoded.booths.constituency)],
        of,
        ~fit["held_out"].values.astype(bool),
        fit.sizes["constituency"],
    )
    return Basis(fit, booths, encoded, options, design, problem, _point(fit, design), to, own, areas)


def pose_basis(
    fit: xr.Dataset, encoded: Encoded, options: FitOptions, design: Design, own: np.ndarray, areas: np.ndarray
) -> Problem:
    """The problem of booths with the hyperparameters, the standardisation and the weights of a fit."""
    hyper = options.hyper(encoded.axes)._replace(
        rho=jnp.asarray(fit["proximity"].values), axis_weight=jnp.asarray(fit["axis_weight"].values)
    )
    weights = _weights(fit, encoded, design, own, areas)
    chunk = min(options.chunk, len(own))
    return pose(
        encoded.booths, encoded.frame, hyper, design, weights=weights, chunk=chunk, standard=standard_of_fit(fit)
    )


def posterior_of(basis: Basis) -> tuple[Laplace, int]:
    """The normal approximation of the fit's posterior, and how many of its booths keep their ties to the rest.

    Ties of a booth's effects to the shared parameters are not part of a fit: they are worked out from booths that come
    with the electors, votes and candidates of the fit. Effects of other booths are drawn by themselves, from their
    standard errors, which makes intervals wider than they need be.

    Raises:
        ElectionDataError: a fit without errors.
    """
    fit = basis.fit
    if "theta_covariance" not in fit:
        raise data_error(
            "a fit without standard errors",
            where="draws",
            expected="a fit with errors",
            mend="fit with errors='laplace'",
        )
    value, vector = np.linalg.eigh(fit["theta_covariance"].values)
    root = jnp.asarray(vector * np.sqrt(np.maximum(value, 0.0)))
    number, width = basis.point.groups.shape
    if not width:
        empty = jnp.zeros((number, 0, basis.point.shared.shape[0]))
        return Laplace(basis.point, root, empty, jnp.zeros((number, 0, 0))), 0
    spread = np.zeros((number, width, width))
    spread[:, 0, 0] = fit["b_T_se"].values
    form = np.asarray(contrast(fit.sizes["party"], basis.design.identification))
    spread[:, 1:, 1:] = free_spread(_by_party(fit, "b_P_se"), form)
    same = _same(basis)
    ties, roots = tied(basis.point, basis.to, basis.problem, same, jnp.asarray(spread), design=basis.design)
    return Laplace(basis.point, root, ties, roots), int(same.sum())


def free_spread(errors: np.ndarray, form: np.ndarray) -> np.ndarray:
    """Root of the covariance in free directions of effects with given standard errors, [i, h, h] from [i, k].

    The parties' effects are taken as independent before they are made to add up to zero, with the variances that then
    leave each its standard error; where none do, they come out wider. `form` is [k, h] with orthonormal columns.
    """
    before = errors**2 @ np.linalg.pinv((form @ form.T) ** 2, rtol=1e-10, hermitian=True)
    value, vector = np.linalg.eigh(np.einsum("kh,ik,kg->ihg", form, before, form))
    return np.asarray(vector * np.sqrt(np.maximum(value, 0.0))[:, None, :])


def _same(basis: Basis) -> np.ndarray:
    """Whether a booth has the electors and votes polled of the fit, and comes out as it did there, [i]."""
    fit, to, own = basis.fit, basis.to, np.asarray(basis.to.own)
    found = expected(basis.point, to, basis.problem, basis.design, "known")
    data = basis.encoded.booths
    electors = np.asarray(data.sizes).sum(axis=1)
    turnout = np.asarray(data.polled) / np.maximum(electors, 1.0)
    near = np.abs(np.asarray(found.turnout) - fit["fitted_turnout"].values[own]) < SAME
    near &= (np.abs(np.asarray(found.shares) - _by_party(fit, "fitted_share")[own]) < SAME).all(axis=1)
    near &= (electors == fit["booth_electors"].values[own]) & (turnout == fit["observed_turnout"].values[own])
    return np.asarray(near & (own >= 0))


def _parameters(fit: xr.Dataset, encoded: Encoded, problem: Problem, design: Design) -> np.ndarray:
    """Place of each free parameter among those of the fit; -1 for those of a constituency that it has not seen."""
    known = {label: n for n, label in enumerate(_labels(fit, "theta"))}
    wanted = theta_labels(blank(problem, design), encoded.labels)
    for label in wanted:
        if label not in known and not label.startswith(OF_A_CONSTITUENCY):
            raise data_error(
                f"the fit has no {label}",
                where="booths",
                expected="the axes, covariates and parties of the fit",
                mend=suggest(label, list(known)),
            )
    return np.array([known.get(label, -1) for label in wanted], dtype=np.int32)


def _point(fit: xr.Dataset, design: Design) -> Point:
    shared = jnp.asarray(fit["theta_value"].values)
    if not design.booth_effects:
        return Point(shared, jnp.zeros((fit.sizes["booth"], 0)))
    own = free_effects(fit, design)
    return Point(shared, jnp.concatenate([own.b_T[:, None], own.b_P], axis=1))


def _weights(fit: xr.Dataset, encoded: Encoded, design: Design, own: np.ndarray, areas: np.ndarray) -> Any:
    """w_ik: of the fit for its own booths, or previous shares where these are given; else the constituency's mean."""
    if design.mobilisation == "none":
        return first_weights(encoded.booths, encoded.frame)
    fitted, area = _by_party(fit, "mobilisation_weight"), np.asarray(encoded.booths.constituency)
    of = _place(_texts(fit["booth_constituency"]), _labels(fit, "constituency"))
    total = np.zeros((fit.sizes["constituency"], fitted.shape[1]))
    np.add.at(total, of, fitted)
    mean = np.where(areas[area][:, None] >= 0, total[areas[area]], total.sum(axis=0))
    known = np.where(own[:, None] >= 0, fitted[own], 0.0)
    if design.mobilisation == "previous":
        given = np.asarray(encoded.booths.previous)
        known = np.where(given.sum(axis=1, keepdims=True) > 0, given, known)
    stands = np.asarray(encoded.frame.fielded)[area]
    return mobilisation_weights(jnp.asarray(known), jnp.asarray(stands), jnp.asarray(mean))


def _electors(fit: xr.Dataset, encoded: Encoded, areas: np.ndarray) -> np.ndarray:
    """Electors of the cells of each constituency: of the training booths where the fit knows it."""
    cell = _place(encoded.labels.cells, _labels(fit, "cell"))
    values = fit["electors"].transpose("constituency", "cell").values[areas][:, cell]
    known = np.where((areas >= 0)[:, None] & (cell >= 0), values, 0.0)
    use = known.sum(axis=1, keepdims=True) > 0
    return np.where(use, known, np.asarray(encoded.frame.electors))


def _same_axes(booths: xr.Dataset, axes: tuple[Axis, ...]) -> None:
    here = {axis.name: axis.categories for axis in axes_of(booths.attrs["axes"])}
    there = {axis.name: axis.categories for axis in axes}
    if here == there:
        return
    odd = sorted(set(here) ^ set(there)) or [name for name in there if here[name] != there[name]]
    raise data_error(
        f"the axes differ from the fit's in {odd[0]}",
        where=place_of(booths, BOOTHS),
        expected="; ".join(f"{name}: {', '.join(labels) or 'scalar'}" for name, labels in there.items()),
        mend="read the booths with the axes of the fit (fit.attrs['axes'])",
    )


def _in_order(booths: xr.Dataset, fit: xr.Dataset) -> xr.Dataset:
    """Booths with parties, and the same constituencies, in the order of the fit."""
    here, parties = _labels(booths, "party"), _labels(fit, "party")
    odd = [name for name in here if name not in parties] + [name for name in parties if name not in here]
    if odd:
        raise data_error(
            f"party {odd[0]!r} is only in the {'booths' if odd[0] in here else 'fit'}",
            where=place_of(booths, BOOTHS),
            expected=f"the parties of the fit: {', '.join(parties)}",
            mend="rename or pool parties; one that does not stand has fielded false",
        )
    places = _labels(fit, "constituency")
    same = set(places) == set(_labels(booths, "constituency"))
    return booths.sel(party=parties, constituency=places) if same else booths.sel(party=parties)


def _by_party(fit: xr.Dataset, name: str) -> np.ndarray:
    return np.asarray(fit[name].transpose("booth", "party").values)


def _labels(data: xr.Dataset, dim: str) -> list[str]:
    return _texts(data[dim])


def _texts(values: xr.DataArray) -> list[str]:
    return [str(value) for value in values.values]


def _place(wanted: Any, known: list[str]) -> np.ndarray:
    """Place of each label among those known; -1 for none."""
    index = {label: n for n, label in enumerate(known)}
    return np.array([index.get(label, -1) for label in wanted], dtype=np.int32)
