"""Ballots drawn from a fit."""

import os
from typing import Any

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.data.labels import strings
from electjax.numerics.host import double_precision
from electjax.voter_types.em.profiles import contexts_of
from electjax.voter_types.em.simulate import simulate_choices
from electjax.voter_types.schema import MISSING, validate
from electjax.voter_types.verbs.fit import types_of
from electjax.voter_types.verbs.predict import align_ballots, encode_fitted, whole_ballots

VOTERS = 1 << 20  # voters whose votes are drawn at a time


def simulate(
    fit: xr.Dataset,
    ballots: xr.Dataset | str | os.PathLike[str] | None = None,
    *,
    voters: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Draw every voter's type and votes from a fit, at given menus and covariates.

    Args:
        fit: what `electjax.voter_types.fit` returned.
        ballots: whose menus, covariates and missing votes are kept. By default those of the ballots that the types
            were fitted to, from the rows that the fit holds, each as often as its weight says.
        voters: so many, drawn with replacement from those ballots; by default each of them as it is, or, without
            ballots, as many as the types were fitted to.
        seed: the same seed gives the same ballots; a voter's votes do not depend on how many voters there are.

    Returns:
        A ballots Dataset, with the types drawn in `true_type(voter)`.

    Raises:
        ElectionDataError: as `voter_types.predict`, or the fit does not hold its rows or menus.
    """
    if voters is not None and voters < 1:
        raise data_error(
            f"found {voters}", where="voter_types.simulate(voters=)", expected="at least 1", mend="leave it out for all"
        )
    rng = np.random.default_rng(seed)
    if ballots is None:
        number = round(float(fit.attrs["voters"])) if voters is None else voters
        ballots = _of_rows(fit, number, rng)
    else:
        ballots = align_ballots(fit, whole_ballots(ballots))
        if voters is not None:
            drawn = rng.integers(ballots.sizes["voter"], size=voters)
            ballots = ballots.isel(voter=drawn).drop_vars(["voter", "row"], errors="ignore")
    fit = fit.sel(office=ballots["office"].values)
    number = ballots.sizes["voter"]
    choice = np.full(ballots["choice"].shape, MISSING, ballots["choice"].dtype)
    member = np.empty(number, np.int64)
    key = jax.random.key(seed)
    with double_precision():
        for start in range(0, number, VOTERS):
            part = slice(start, min(start + VOTERS, number))
            encoded = encode_fitted(fit, ballots.isel(voter=part), unique=False)
            data = encoded.profiles
            given: dict[str, Any] = {"x": data.x, "design": data.design, "group": data.group, "first": start}
            types = types_of(fit, encoded)
            choice[part], member[part] = simulate_choices(key, types, contexts_of(data), data.mask, **given)
    name = str(fit.attrs.get("name", "")) or "a fit"
    attrs = {"name": f"simulated from {name}", "title": f"Ballots simulated from {name}", "seed": seed}
    kept = {key: ballots.attrs[key] for key in ("scheme", "top") if key in ballots.attrs}
    new = ballots.drop_vars([name for name in ballots if str(name).startswith("true_")])
    new = new.drop_vars([dim for dim in ("type", "true_term") if dim in new.coords and dim not in new.dims])
    new["choice"] = (("voter", "office"), choice)
    new["true_type"] = ("voter", fit["type"].values[member])
    new.attrs = kept | attrs | {"electjax_version": electjax.__version__}
    return validate(new)


def _of_rows(fit: xr.Dataset, voters: int, rng: np.random.Generator) -> xr.Dataset:
    """Voters with the menus, missing votes and covariates of a fit's rows."""
    if "profile_choice" not in fit:
        raise _cannot("the fit does not hold its rows", "pass the ballots, or fit with profiles=True")
    choice, menu = (fit[name].transpose("profile", "office").values for name in ("profile_choice", "profile_menu"))
    restricted = bool(menu[choice >= 0].any())
    if "feature" in fit.coords or (restricted and fit.attrs.get("scheme") != "ticket"):
        raise _cannot("the fit does not hold what its menus were", "pass the ballots")
    weight = fit["profile_weight"].values
    drawn = rng.choice(len(weight), size=voters, p=weight / weight.sum())
    found = xr.Dataset(
        {"choice": (("voter", "office"), choice[drawn])},
        coords={name: fit[name] for name in ("office", "option", "option_label") if name in fit.coords},
        attrs={"scheme": fit.attrs.get("scheme", "options"), "name": "the rows of the fit"},
    )
    if restricted:
        found["menu"] = (("voter", "office"), np.maximum(menu[drawn], 0))
    if "profile_covariate" in fit:
        terms = fit["term"].values[1:]
        values = fit["profile_covariate"].transpose("profile", "term").values[drawn, 1:]
        found = found.assign(covariate=(("voter", "term"), values)).assign_coords(term=strings(terms))
    return align_ballots(fit, found)


def _cannot(problem: str, mend: str) -> Exception:
    return data_error(problem, where="voter_types.simulate", expected="the menus and covariates of voters", mend=mend)
