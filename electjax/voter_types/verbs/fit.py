"""Voter types from ballots: the verb, from a Dataset of ballots to a Dataset of types."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.data.checks import check_choice
from electjax.data.errors import data_error
from electjax.data.store import is_zarr
from electjax.numerics.host import double_precision
from electjax.voter_types.codec import Encoded, encode_ballots, encode_stream
from electjax.voter_types.decode import decode_fit
from electjax.voter_types.em.criteria import count_parameters
from electjax.voter_types.em.diagnose import Names, check_design, diagnose
from electjax.voter_types.em.estimate import Estimate, estimate
from electjax.voter_types.em.free import Free, find_free
from electjax.voter_types.em.matching import match_types, reorder
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.profiles import are_counts, standardise
from electjax.voter_types.em.restarts import STARTS, Way
from electjax.voter_types.em.rows import Rows, lay_out
from electjax.voter_types.em.uncertainty import Covariance, cluster_pairs, covariance
from electjax.voter_types.verbs.read import read
from electjax.voter_types.verbs.stream import stream

Ballots = xr.Dataset | str | os.PathLike[str] | Iterable[xr.Dataset]
Start = Literal["random", "votes", "kmeans"]
Criterion = Literal["log_likelihood", "parameters"]
Acceleration = Literal["squarem", "none"]
Errors = Literal["auto", "information", "sandwich", "cluster", "none"]


class Fitted(NamedTuple):
    """A fit as arrays, with all that its Dataset is made from."""

    encoded: Encoded
    estimate: Estimate
    rows: Rows  # with covariates of mean 0 and standard deviation 1, as the types have them
    basis: np.ndarray  # [P, P] from their gamma to that of the covariates as given
    free: Free
    covariance: Covariance | None
    errors: str
    notes: list[str]


def fit(
    ballots: Ballots,
    types: int = 3,
    restarts: int = 100,
    seed: int = 0,
    covariates: Sequence[str] | bool | None = None,
    *,
    start: Start | xr.Dataset = "random",
    tolerance: float = 1e-9,
    criterion: Criterion = "log_likelihood",
    acceleration: Acceleration = "squarem",
    max_maps: int = 20_000,
    prune: float | None = None,
    moves: bool = True,
    newton: bool = True,
    ridge: float = 0.0,
    common: bool = False,
    collapse: bool = True,
    errors: Errors = "auto",
    level: float = 0.95,
    reference: xr.Dataset | None = None,
    profiles: bool | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> xr.Dataset:
    """Cluster voters into types by what they voted for in every office, by maximum likelihood.

    The model of Kuriwaki, "An EM Algorithm for Clustering Voter Types" (2020), sections 1 to 5. Votes that are
    missing are integrated out; an office that is not on a ballot says nothing of its voter; menus restrict choices as
    in section 4 (independence of irrelevant alternatives); covariates move the shares of the types (section 5).

    Args:
        ballots: see `electjax.voter_types.schema`; or the path of a file for `voter_types.read`, or of a Zarr
            folder, which like an iterable of Datasets (`voter_types.stream`) is read in chunks and never held whole.
        types: number of types, K.
        restarts: number of starts. Where the best maximum is rare among them, moves from the best solutions follow.
        seed: the same seed gives the same fit, whatever the number of lanes.
        covariates: terms of `covariate` or names of voters' variables (text becomes dummies); all of `covariate` by
            default, none with False.
        start: initial values: every probability at "random", from random assignment of the voters' "votes"
            (section 2.2), from "kmeans" of unique rows; or an earlier fit.
        tolerance, criterion: EM stops when the relative change of the log-likelihood over a cycle, or the largest
            change of a probability, falls below the tolerance.
        acceleration: "squarem", or "none" for plain EM.
        max_maps: most evaluations of the EM map per start.
        prune: share of the starts that go on after a short run; by default all, unless that is much work.
        moves: whether to look for better maxima by splitting, dropping and crossing types of the best.
        newton: whether Newton's method ends the search.
        ridge: shrinks the slopes of gamma: ridge / 2 times the sum of their squares, with covariates in standard
            deviations, is taken from the log-likelihood.
        common: one set of intercepts of psi for all offices, as covariates of offices need.
        collapse: False keeps every voter as a row, for comparison.
        errors: standard errors by the observed "information", the "sandwich" of independent voters, or one clustered
            by `cluster`. By default the last where there are clusters, the second with weights that are no counts.
        level: of the intervals.
        reference: an earlier fit whose order of types to follow; by default the largest type comes first.
        profiles: whether the result holds every unique row with its zeta; by default up to 100,000 rows.
        progress: called with what is done, what there is to do, and a line.

    Returns:
        A Dataset with `pi(type)`, `mu(type, office, option)` (all options on the menu; NaN on no menu), `mu_met`
        (averaged over the menus met), `psi`, `gamma(term, type)` and `delta(type, feature)`, with standard errors
        `*_se` and intervals of pi and mu; `zeta(profile, type)`; the maxima and starts; the trace of EM; and in the
        attributes `log_likelihood` (observed, without constants), the criteria, and `warnings` in words.

    Raises:
        ElectionDataError: ballots that do not fit the schema, an argument out of range.
    """
    if not 0 < level < 1:
        raise data_error(
            f"found {level}", where="voter_types.fit(level=)", expected="between 0 and 1", mend="as in .95"
        )
    ballots = held_ballots(ballots)
    fitted = fit_arrays(
        encoded_ballots(ballots, covariates, unique=collapse),
        ballots if isinstance(ballots, xr.Dataset) else None,
        types=types,
        restarts=restarts,
        seed=seed,
        start=start,
        tolerance=tolerance,
        criterion=criterion,
        acceleration=acceleration,
        max_maps=max_maps,
        prune=prune,
        moves=moves,
        newton=newton,
        ridge=ridge,
        common=common,
        errors=errors,
        reference=reference,
        progress=progress,
    )
    for note in fitted.notes:
        warnings.warn(f"voter_types.fit, {types} types: {note}", stacklevel=2)
    with double_precision():
        return decode_fit(
            fitted,
            level=level,
            profiles=profiles,
            seed=seed,
            restarts=restarts,
            ridge=ridge,
            electjax_version=electjax.__version__,
        )


def fit_arrays(
    encoded: Encoded,
    ballots: xr.Dataset | None = None,
    *,
    types: int,
    restarts: int,
    seed: int,
    start: Start | xr.Dataset = "random",
    tolerance: float = 1e-9,
    criterion: Criterion = "log_likelihood",
    acceleration: Acceleration = "squarem",
    max_maps: int = 20_000,
    prune: float | None = None,
    moves: bool = True,
    newton: bool = True,
    ridge: float = 0.0,
    common: bool = False,
    errors: Errors = "auto",
    reference: xr.Dataset | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Fitted:
    """`voter_types.fit` on encoded ballots; the Dataset is only asked for clusters."""
    _check(types, restarts, max_maps, tolerance, prune, ridge)
    for name, value, kind in (("criterion", criterion, Criterion), ("acceleration", acceleration, Acceleration)):
        check_choice(f"voter_types.fit({name}=)", value, get_args(kind))
    check_choice("voter_types.fit(errors=)", errors, get_args(Errors))
    data, basis = standardise(encoded.profiles)
    given: str | Types
    if isinstance(start, str):
        check_choice("voter_types.fit(start=)", start, STARTS)
        given = start
    else:
        own = types_of(start, encoded)
        if own.gamma.shape[1] != types:
            raise data_error(
                f"a fit of {own.gamma.shape[1]} types",
                where="voter_types.fit(start=)",
                expected=f"{types}, as in types=",
                mend="pass the same number",
            )
        given, restarts = own._replace(gamma=cast(jax.Array, np.linalg.solve(basis, own.gamma))), 1
    how, clusters = _kind_of_errors(errors, encoded, ballots)
    with double_precision():
        rows = lay_out(data)
        found = estimate(
            data,
            types=types,
            key=jax.random.key(seed),
            rows=rows,
            restarts=restarts,
            start=given,
            way=Way(tolerance, criterion, acceleration == "squarem", max_maps, ridge),
            prune=prune,
            moves=moves,
            newton=newton,
            shared=common,
            progress=progress,
        )
        if reference is not None:
            other = types_of(reference, encoded)
            order = match_types(found.types, other)
            found = found._replace(types=reorder(found.types, order))
        free = find_free(found.types, data)
        spread = None
        if how != "none":
            spread = covariance(found.types, rows, data, free, kind=how, clusters=clusters, ridge=ridge)
        labels = encoded.labels
        names = Names([str(k + 1) for k in range(types)], labels.offices, labels.option, labels.terms, labels.features)
        notes = diagnose(
            found.types,
            data,
            names=names,
            covariance=spread,
            free=free,
            clusters=None if clusters is None else clusters.shape[0],
            parameters=count_parameters(data, types, common=common),
            converged=found.converged,
            best_starts=found.maxima[0].starts,
            restarts=restarts,
        )
        if labels.features:
            notes += check_design(data.mask, data.x, common=common, features=labels.features)
    return Fitted(encoded, found, rows, basis, free, spread, how, notes)


def held_ballots(ballots: Ballots) -> Ballots:
    """What is in a file, where it is one that is held whole; whatever else is given stays as it is."""
    return read(ballots) if isinstance(ballots, str | os.PathLike) and not is_zarr(Path(ballots)) else ballots


def encoded_ballots(
    ballots: Ballots,
    covariates: Sequence[str] | bool | None = None,
    *,
    unique: bool = True,
) -> Encoded:
    """Ballots as unique rows, from wherever they are; what is too large to hold is read in chunks."""
    ballots = held_ballots(ballots)
    if isinstance(ballots, xr.Dataset):
        return encode_ballots(ballots, covariates, unique=unique)
    if isinstance(ballots, str | os.PathLike):
        return encode_stream(stream(ballots), covariates)
    return encode_stream(cast("Iterable[xr.Dataset]", ballots), covariates)


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


def _check(types: int, restarts: int, max_maps: int, tolerance: float, prune: float | None, ridge: float) -> None:
    for name, value, good, expected in (
        *(
            (name, number, isinstance(number, int | np.integer) and number >= 1, "a whole number of at least 1")
            for name, number in (("types", types), ("restarts", restarts), ("max_maps", max_maps))
        ),
        ("tolerance", tolerance, tolerance > 0, "a positive number"),
        ("prune", prune, prune is None or 0 < prune <= 1, "a share above 0 and up to 1, or None"),
        ("ridge", ridge, ridge >= 0, "0 or more"),
    ):
        if not good:
            raise data_error(f"found {value}", where=f"voter_types.fit({name}=)", expected=expected, mend="correct it")
