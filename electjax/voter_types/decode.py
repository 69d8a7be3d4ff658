"""A fit of voter types as a labelled Dataset."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr
from jax import Array

from electjax.voter_types.codec import decode_rows
from electjax.voter_types.em.criteria import count_parameters, criteria, disorder
from electjax.voter_types.em.free import labels as free_labels
from electjax.voter_types.em.mixture import Types, row_posterior
from electjax.voter_types.em.rows import Rows
from electjax.voter_types.em.uncertainty import Quantities, averages, interval, quantities, standard_errors, voters_of

if TYPE_CHECKING:
    from electjax.voter_types.verbs.fit import Fitted

MOST_PROFILES = 100_000  # unique rows up to which a result holds them
CONVENTIONS = "electjax voter types"
DIMS = {
    "pi": ("type",),
    "mu": ("type", "office", "option"),
    "mu_met": ("type", "office", "option"),
    "psi": ("type", "office", "option"),
    "gamma": ("term", "type"),
    "delta": ("type", "feature"),
}
_MEANS = {
    "pi": "share of the type, average over voters",
    "mu": "probability of the option with all of the office's options on the menu",
    "mu_met": "probability of the option, averaged over the menus met",
    "psi": "log odds of the option against the office's first",
    "gamma": "log odds of membership against the first type",
    "delta": "effect of the covariate on psi",
}


def decode_fit(
    fitted: "Fitted", *, level: float, profiles: bool | None, seed: int, restarts: int, ridge: float, **attrs: Any
) -> xr.Dataset:
    """All that a fit says, labelled. Call it under `double_precision()`."""
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
    for name, dims in DIMS.items():
        if name == "delta" and not labels.features:
            continue
        units = "1" if name in ("pi", "mu", "mu_met") else "log odds"
        own = np.asarray(getattr(value, name))
        fit[name] = (dims, own, {"long_name": _MEANS[name], "units": units})
        if error is None:
            continue
        se = np.asarray(getattr(error, name))
        fit[f"{name}_se"] = (dims, se, {"long_name": f"standard error of {name}", "units": units})
        if units == "1":
            ends = interval(own, se, level=level, scale="logit")
            for side, end in zip(("low", "high"), ends, strict=True):
                fit[f"{name}_{side}"] = (
                    dims,
                    end,
                    {"long_name": f"{side} end of the interval of {name}", "level": level},
                )
    fit["pi_sample"] = fit["pi"].assign_attrs(long_name="sample average of pi_i (section 5.1)")
    shape = (number, len(labels.offices), labels.options.shape[1])
    fit["at_boundary"] = (DIMS["mu"], np.broadcast_to(fitted.free.boundary, shape))
    fit["on_menu"] = (("office", "option"), data.mask.any(1))
    if zeta is not None:
        fit = fit.assign(_profiles(fitted, np.asarray(zeta)))
    fit = fit.assign(_search(fitted)).assign(_covariance(fitted))
    voters = float(data.weight.sum())
    count = count_parameters(data, number, common=found.types.log_mu.shape[1] < data.mask.shape[0])
    # the size of the sample is a number of voters, whatever survey weights sum to
    judged = criteria(found.log_likelihood, count, voters_of(data), float(unsure) * voters_of(data) / voters, number)
    kept = {
        key: fitted.encoded.attrs[key] for key in ("title", "name", "source", "scheme") if fitted.encoded.attrs.get(key)
    }
    fit.attrs = kept | {
        "conventions": CONVENTIONS,
        "log_likelihood": found.log_likelihood,
        "objective": found.objective,
        "types": number,
        "parameters": count,
        "parameters_free": len(free_labels(fitted.free)),
        "voters": voters,
        "rows": len(data.code),
        **judged._asdict(),
        "seed": seed,
        "restarts": restarts,
        "moves": found.moves,
        "maps": found.maps,
        "converged": int(found.converged),
        "gradient": found.gradient,
        "ridge": ridge,
        "common": int(found.types.log_mu.shape[1] < data.mask.shape[0]),
        "errors": fitted.errors,
        "level": level,
        "warnings": json.dumps(fitted.notes),
        **attrs,
    }
    return fit


@partial(jax.jit, static_argnames="with_rows")
def _describe(types: Types, rows: Rows, basis: Array, *, with_rows: bool) -> tuple[Quantities, Array, Array | None]:
    """What is reported of the types, how unsure those of the voters are, and zeta of every row where it is held."""
    zeta = row_posterior(types, rows) if with_rows else None
    return quantities(types, averages(types, rows, basis)), disorder(types, rows), zeta


def _profiles(fitted: "Fitted", zeta: np.ndarray) -> dict[str, Any]:
    """The unique rows, and how likely each type is for each."""
    data = fitted.encoded.profiles
    own = zeta[: len(data.code)]
    found: dict[str, Any] = {"zeta": (("profile", "type"), own, {"long_name": "probability of the type"})}
    found |= decode_rows(fitted.encoded)
    if data.design.shape[1] > 1:
        found["profile_covariate"] = (("profile", "term"), data.design[data.group])
    return found


def _search(fitted: "Fitted") -> dict[str, Any]:
    """Local maxima, starts, and the course of EM."""
    found = fitted.estimate
    where = f", on a sample of {found.scouts:,} voters with the weight of all" if found.scouts else ""
    return {
        "maxima_log_likelihood": (
            ("maximum",),
            np.array([each.objective for each in found.maxima]),
            {"long_name": "local maxima of the (penalised) log-likelihood, best first"},
        ),
        "maxima_starts": (("maximum",), np.array([each.starts for each in found.maxima])),
        "start_log_likelihood": (
            ("start",),
            np.asarray(found.runs.objective),
            {"long_name": f"where each start ended{where}"},
        ),
        "start_maps": (("start",), np.asarray(found.runs.maps), {"long_name": "evaluations of the EM map"}),
        "start_converged": (("start",), np.asarray(found.runs.converged)),
        "trace_log_likelihood": (
            ("iteration",),
            found.trace,
            {"long_name": "(penalised) log-likelihood after each cycle of the run that led to the best maximum"},
        ),
    }


def _covariance(fitted: "Fitted") -> dict[str, Any]:
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
    return {
        "theta_name": (("theta",), names),
        "theta_covariance": (
            ("theta", "theta_"),
            _as_given(fitted),
            {"long_name": "covariance of the free parameters; psi against each type and office's likeliest option"},
        ),
    }


def _as_given(fitted: "Fitted") -> np.ndarray:
    """Covariance of the free parameters, gamma being that of the covariates as they were given."""
    assert fitted.covariance is not None
    place = np.argwhere(fitted.free.gamma)
    turn = np.eye(len(fitted.covariance.matrix))
    same = place[:, None, 1] == place[None, :, 1]
    turn[: len(place), : len(place)] = fitted.basis[place[:, None, 0], place[None, :, 0]] * same
    return np.asarray(turn @ fitted.covariance.matrix @ turn.T)
