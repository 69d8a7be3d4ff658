"""A fit of voter types: from ballots to arrays, and from arrays to a labelled Dataset and back."""

import json
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import numpy as np
import xarray as xr
from jax import Array

from electjax.data.errors import data_error
from electjax.data.finished import finished
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.data.store import is_zarr, load
from electjax.numerics.covariance import Covariance, interval
from electjax.numerics.host import double_precision
from electjax.voter_types.codec import Encoded, decode_rows, encode_ballots, encode_stream
from electjax.voter_types.em.diagnose import Finding, Names, check_design, diagnose
from electjax.voter_types.em.estimate import Estimate, estimate
from electjax.voter_types.em.mixture import (
    LOG_ZERO,
    Free,
    Types,
    count_parameters,
    criteria,
    disorder,
    find_free,
    match_types,
    reorder,
    row_posterior,
)
from electjax.voter_types.em.mixture import labels as free_labels
from electjax.voter_types.em.rows import Rows, are_counts, lay_out, standardise
from electjax.voter_types.em.runs import Way
from electjax.voter_types.em.uncertainty import (
    Quantities,
    averages,
    cluster_pairs,
    covariance,
    quantities,
    standard_errors,
    voters_of,
)
from electjax.voter_types.options import Errors, FitOptions, SearchOptions
from electjax.voter_types.schema import FIT, REPORTED
from electjax.voter_types.verbs.read import read, stream
from electjax.voter_types.verdict import about_fit, judge

Given = xr.Dataset | str | os.PathLike[str]  # a Dataset, or the path of one
Ballots = Given | Iterable[xr.Dataset]
MOST_PROFILES = 100_000  # unique rows up to which a result holds them
KEPT_ATTRS = ("title", "name", "source", "scheme")  # of the ballots, that results carry on


class Fitted(NamedTuple):
    """A fit as arrays, with all that its Dataset is made from."""

    encoded: Encoded
    estimate: Estimate
    rows: Rows  # with covariates of mean 0 and standard deviation 1, as the types have them
    basis: np.ndarray  # [P, P] from their gamma to that of the covariates as given
    free: Free
    covariance: Covariance | None
    errors: str
    findings: list[Finding]


def fit_arrays(
    encoded: Encoded,
    ballots: xr.Dataset | None = None,
    *,
    types: int,
    options: SearchOptions,
    errors: Errors = "none",
    initial: xr.Dataset | None = None,
    reference: xr.Dataset | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """`voter_types.fit` on encoded ballots; the Dataset is only asked for clusters."""
    data, basis = standardise(encoded.profiles)
    start: str | Types = options.start
    restarts = options.restarts
    if initial is not None:
        own = types_of(initial, encoded)
        if own.gamma.shape[1] != types:
            raise data_error(
                f"a fit of {own.gamma.shape[1]} types",
                where="voter_types.fit(initial=)",
                expected=f"{types}, as in types=",
                mend="pass the same number",
            )
        start, restarts = own._replace(gamma=cast(jax.Array, np.linalg.solve(basis, own.gamma))), 1
    how, clusters = _kind_of_errors(errors, encoded, ballots)
    way = Way(options.tolerance, options.criterion, options.acceleration == "squarem", options.max_maps, options.ridge)
    with double_precision():
        rows = lay_out(data)
        found = estimate(
            data,
            types=types,
            key=jax.random.key(options.seed),
            rows=rows,
            restarts=restarts,
            start=start,
            way=way,
            prune=options.prune,
            moves=options.moves,
            newton=options.newton,
            shared=options.common,
            progress=progress,
        )
        if reference is not None:
            other = types_of(reference, encoded)
            order = match_types(found.types, other)
            found = found._replace(types=reorder(found.types, order))
        free = find_free(found.types, data)
        spread = None
        if how != "none":
            spread = covariance(found.types, rows, data, free, kind=how, clusters=clusters, ridge=options.ridge)
        labels = encoded.labels
        names = Names([str(k + 1) for k in range(types)], labels.offices, labels.option, labels.terms, labels.features)
        findings = diagnose(
            found.types,
            data,
            names=names,
            covariance=spread,
            free=free,
            clusters=None if clusters is None else clusters.shape[0],
            parameters=count_parameters(data, types, common=options.common),
        )
        if labels.features:
            findings += check_design(data.mask, data.x, common=options.common, features=labels.features)
    return Fitted(encoded, found, rows, basis, free, spread, how, findings)


def whole_ballots(ballots: Ballots) -> Ballots:
    """What is in a file, where it is one that is read whole; whatever else is given stays as it is."""
    if not isinstance(ballots, str | os.PathLike) or is_zarr(Path(ballots)):
        return ballots
    return read(ballots)


def encoded_ballots(
    ballots: Ballots, covariates: Sequence[str] | bool | None = None, *, unique: bool = True
) -> Encoded:
    """Ballots as unique rows, from wherever they are; what is too large for memory is read in chunks."""
    ballots = whole_ballots(ballots)
    if isinstance(ballots, xr.Dataset):
        return encode_ballots(ballots, covariates, unique=unique)
    if isinstance(ballots, str | os.PathLike):
        ballots = stream(ballots)
    return encode_stream(cast("Iterable[xr.Dataset]", ballots), covariates)


def known_fit(fit: Given) -> xr.Dataset:
    """A fit as a checked Dataset, read where a path is given."""
    return load(fit, [FIT]) if isinstance(fit, str | os.PathLike) else conform(fit, FIT)


def fitted_arrays(fit: xr.Dataset, ballots: Ballots) -> tuple[Types, Encoded]:
    """The parameters of a fit, and the ballots with the covariates that it has."""
    terms = [str(term) for term in fit["term"].values[1:]] if "term" in fit.coords else []
    encoded = encoded_ballots(ballots, terms or False)
    with double_precision():
        return types_of(fit, encoded), encoded


def kept_attrs(attrs: Any) -> dict[str, Any]:
    """What a result says of the ballots it comes from."""
    return {name: attrs[name] for name in KEPT_ATTRS if attrs.get(name)}


def types_of(fit: xr.Dataset, encoded: Encoded) -> Types:
    """The parameters of an earlier fit, for these ballots.

    Raises:
        ElectionDataError: its offices, options, terms or features are not those of the ballots.
    """
    labels = encoded.labels
    for name, dim, wanted in (("mu", "office", labels.offices), ("gamma", "term", labels.terms)):
        if name not in fit or tuple(str(label) for label in fit[dim].values) != wanted:
            raise data_error(
                f"its {dim}s are {'unknown' if name not in fit else ', '.join(map(str, fit[dim].values))}",
                where="the earlier fit",
                expected=", ".join(wanted),
                mend="fit it to the same offices and covariates",
            )
    mu = fit["mu"].transpose("type", "office", "option").values
    with np.errstate(divide="ignore"):
        log_mu = np.maximum(np.log(mu), LOG_ZERO)
    log_mu = _shared(log_mu) if int(fit.attrs.get("common", 0)) else log_mu
    log_mu = np.nan_to_num(log_mu, nan=LOG_ZERO)
    gamma = fit["gamma"].transpose("term", "type").values
    if len(gamma) == 1:
        gamma = np.log(np.maximum(fit["pi"].values, np.exp(LOG_ZERO)))[None]
    delta = fit["delta"].transpose("type", "feature").values if "delta" in fit else np.zeros((len(mu), 0))
    return Types(*(cast(jax.Array, leaf) for leaf in (gamma, log_mu, delta)))  # on the host, in double precision


def _shared(log_mu: np.ndarray) -> np.ndarray:
    """The one set of log mu behind those of the offices [K, J, O], which have NaN for options on no menu of theirs."""
    known = np.isfinite(log_mu[0])
    found = log_mu[:, [known.sum(1).argmax()]]
    for _ in range(log_mu.shape[2]):
        for own, on in zip(np.moveaxis(log_mu, 1, 0), known, strict=True):
            both = on & np.isfinite(found[0, 0])
            if both.any():  # an option that both have tells how the two scales differ
                shift = (found[:, 0, both] - own[:, both]).max(1, keepdims=True)
                found[:, 0] = np.where(np.isfinite(found[:, 0]), found[:, 0], own + shift)
    return found


def _kind_of_errors(errors: Errors, encoded: Encoded, ballots: xr.Dataset | None) -> tuple[str, Any]:
    """How standard errors are found, and the clusters."""
    clustered = ballots is not None and "cluster" in ballots and encoded.inverse is not None
    kind = str(errors)
    if errors == "auto":
        kind = "cluster" if clustered else "information" if are_counts(encoded.profiles) else "sandwich"
    if kind != "cluster":
        return kind, None
    if not clustered:
        raise data_error(
            "there are no clusters",
            where="voter_types.fit(errors='cluster')",
            expected="ballots held whole, with cluster(voter)",
            mend="name the column: voter_types.read(..., cluster=)",
        )
    assert ballots is not None
    assert encoded.inverse is not None
    weight = ballots["weight"].values if "weight" in ballots else None
    return kind, cluster_pairs(ballots["cluster"].values, encoded.inverse, weight)


def decode_fit(fitted: Fitted, options: FitOptions) -> xr.Dataset:
    """All that a fit says, labelled. Call it under `double_precision()`."""
    level, profiles = options.level, options.profiles
    found, data, labels = fitted.estimate, fitted.encoded.profiles, fitted.encoded.labels
    number = found.types.gamma.shape[1]
    with_rows = profiles or (profiles is None and len(data.code) <= MOST_PROFILES)
    value, unsure, zeta = _describe(found.types, fitted.rows, fitted.basis, with_rows=with_rows)
    fit = xr.Dataset(
        coords={
            "type": np.arange(1, number + 1),
            "office": np.array(labels.offices),
            "option": np.arange(labels.options.shape[1]),
            "option_label": (("office", "option"), labels.options),
            "term": np.array(labels.terms),
        }
    )
    if labels.features:
        fit = fit.assign_coords(feature=np.array(labels.features))
    error = None
    if fitted.covariance is not None:
        error = standard_errors(found.types, fitted.rows, fitted.free, fitted.covariance, basis=fitted.basis)
    for name, (dims, units, _) in REPORTED.items():
        if name == "delta" and not labels.features:
            continue
        own = np.asarray(getattr(value, name))
        fit[name] = (dims, own)
        if error is None:
            continue
        se = np.asarray(getattr(error, name))
        fit[f"{name}_se"] = (dims, se)
        if units == "1":
            ends = interval(own, se, level=level, scale="logit")
            for side, end in zip(("low", "high"), ends, strict=True):
                fit[f"{name}_{side}"] = (dims, end, {"level": level})
    fit["pi_sample"] = ("type", fit["pi"].values)
    shape = (number, len(labels.offices), labels.options.shape[1])
    fit["at_boundary"] = (REPORTED["mu"][0], np.broadcast_to(fitted.free.boundary, shape))
    fit["on_menu"] = (("office", "option"), data.mask.any(1))
    if zeta is not None:
        fit = fit.assign(_profiles(fitted, np.asarray(zeta)))
    fit = fit.assign(_search(fitted)).assign(_covariance(fitted))
    voters = float(data.weight.sum())
    count = count_parameters(data, number, common=found.types.log_mu.shape[1] < data.mask.shape[0])
    # the size of the sample is a number of voters, whatever survey weights sum to
    judged = criteria(found.log_likelihood, count, voters_of(data), float(unsure) * voters_of(data) / voters, number)
    fit.attrs = kept_attrs(fitted.encoded.attrs) | {
        "log_likelihood": found.log_likelihood,
        "objective": found.objective,
        "types": number,
        "parameters": count,
        "parameters_free": len(free_labels(fitted.free)),
        "voters": voters,
        "sample": voters_of(data),
        "rows": len(data.code),
        **judged._asdict(),
        "seed": options.seed,
        "restarts": options.restarts,
        "moves": found.moves,
        "maps": found.maps,
        "converged": int(found.converged),
        "gradient": found.gradient,
        "ridge": options.ridge,
        "common": int(found.types.log_mu.shape[1] < data.mask.shape[0]),
        "errors": fitted.errors,
        "level": level,
        "remarks": json.dumps(
            [each.sentence for each in fitted.findings if each.level == "remark"], ensure_ascii=False
        ),
    }
    checked = conform(fit, FIT)
    return finished(checked, about=about_fit(checked), verdict=judge(checked, fitted.findings))


@partial(jax.jit, static_argnames="with_rows")
def _describe(types: Types, rows: Rows, basis: Array, *, with_rows: bool) -> tuple[Quantities, Array, Array | None]:
    """What is reported of the types, how unsure those of the voters are, and zeta of every row where it is held."""
    zeta = row_posterior(types, rows) if with_rows else None
    return quantities(types, averages(types, rows, basis)), disorder(types, rows), zeta


def _profiles(fitted: Fitted, zeta: np.ndarray) -> dict[str, Any]:
    """The unique rows, and how likely each type is for each."""
    data = fitted.encoded.profiles
    found: dict[str, Any] = {"zeta": (("profile", "type"), zeta[: len(data.code)])}
    found |= decode_rows(fitted.encoded)
    if data.design.shape[1] > 1:
        found["profile_covariate"] = (("profile", "term"), data.design[data.group])
    return found


def _search(fitted: Fitted) -> dict[str, Any]:
    """Local maxima, starts, and the course of EM."""
    found = fitted.estimate
    where = f"where each start ended, on a sample of {found.scouts:,} voters with the weight of all"
    said = {"long_name": where} if found.scouts else {}
    return {
        "maxima_log_likelihood": ("maximum", np.array([each.objective for each in found.maxima])),
        "maxima_starts": ("maximum", np.array([each.starts for each in found.maxima])),
        "start_log_likelihood": ("start", np.asarray(found.runs.objective), said),
        "start_maps": ("start", np.asarray(found.runs.maps)),
        "start_converged": ("start", np.asarray(found.runs.converged)),
        "trace_log_likelihood": ("iteration", found.trace),
    }


def _covariance(fitted: Fitted) -> dict[str, Any]:
    """Covariance of the free parameters, with their names."""
    if fitted.covariance is None:
        return {}
    labels, shared = fitted.encoded.labels, fitted.free.log_mu.shape[1] == 1 < len(fitted.encoded.labels.offices)

    def name(kind: str, first: int, second: int, third: int) -> str:
        if kind == "gamma":
            return f"gamma[{labels.terms[first]}, {second + 1}]"
        if kind == "delta":
            return f"delta[{first + 1}, {labels.features[second]}]"
        office = "all offices" if shared else labels.offices[second]
        return f"psi[{first + 1}, {office}, {labels.option(second, third)}]"

    names = np.array([name(*each) for each in free_labels(fitted.free)], dtype=np.str_)
    return {"theta_name": (("theta",), names), "theta_covariance": (("theta", "theta_"), _as_given(fitted))}


def _as_given(fitted: Fitted) -> np.ndarray:
    """Covariance of the free parameters, gamma being that of the covariates as they were given."""
    assert fitted.covariance is not None
    place = np.argwhere(fitted.free.gamma)
    turn = np.eye(len(fitted.covariance.matrix))
    same = place[:, None, 1] == place[None, :, 1]
    turn[: len(place), : len(place)] = fitted.basis[place[:, None, 0], place[None, :, 0]] * same
    return np.asarray(turn @ fitted.covariance.matrix @ turn.T)
