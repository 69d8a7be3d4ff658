"""Votes and seats if other candidates had stood, by a CALM fit."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from electjax.calm.basis import Basis, basis_of, pose_basis, posterior_of
from electjax.calm.model.predict import by_constituency, expected, simulate
from electjax.calm.model.problem import Problem
from electjax.calm.options import CounterfactualOptions, Effects
from electjax.calm.schema import COUNTERFACTUAL
from electjax.calm.verdict import of_changes, on_a_fit
from electjax.data.axes import Axis, axis_names, candidate_codes, candidate_values, gate_of
from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.numerics.covariance import tails
from electjax.numerics.host import double_precision

Candidates = Mapping[str, Mapping[str, Mapping[str, Any] | None]]
SCENARIOS = ("before", "after")
_ARGUMENT = "calm.counterfactual(candidates=)"
_EXAMPLE = "{'Madipur': {'BJP': {'caste': 'SC'}}}"


@with_options
def counterfactual(
    fit: xr.Dataset | str | os.PathLike[str],
    booths: xr.Dataset | str | os.PathLike[str],
    options: CounterfactualOptions,
    *,
    candidates: Candidates | pd.DataFrame | str | os.PathLike[str],
    progress: Progress | None = None,
) -> xr.Dataset:
    """Votes and seats with the candidates that stood and with others; booths, voters and parameters stay what they are.

    Before and after share their draws of the parameters: a change that changes nothing makes a difference of exactly 0.
    The candidates' own appeal that no axis holds stays with the party, and mobilisation keeps the weights of the fit.

    Args:
        fit: what `calm.fit` returned, or its file.
        booths: the booths of the fit, or others with its axes and parties.
        candidates: by constituency and party, the traits that change: {"Madipur": {"BJP": {"caste": "SC"}}}. A trait
            None is unknown, a candidate None withdraws, and one of a party that had none stands. Or rows with the
            columns constituency, party and any axes, a DataFrame or the path of a CSV, where a blank is unknown.
        progress: called with draws done, of how many, and a line.

    Returns:
        Over scenario (before, after): votes(scenario, party), seats(scenario, party),
        constituency_votes and constituency_share(scenario, constituency, party), winner(scenario, constituency), the
        party's label, at the estimate; the differences after - before <name>_change; with draws, the ends of all their
        intervals, <name>_low and <name>_high, <name>_change_low and <name>_change_high; seats_mean(scenario, party),
        the mean over draws; and p_win(scenario, constituency, party). Intervals are of what is expected, without the
        chance of single votes. changed(constituency, party): whether the candidate is another. attrs: verdict, that of
        the fit, and not usable where the change rests on an eta that is not identified.

    Raises:
        ElectionDataError: booths that do not fit, an unknown constituency, party, axis or category, nobody left to vote
            for, or an option out of range.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> fit = electjax.calm.fit(booths, errors="none")
        >>> found = electjax.calm.counterfactual(fit, booths, candidates={"C01": {"BJP": None}}, draws=0)
        >>> float(found.constituency_votes.sel(scenario="after", constituency="C01", party="BJP"))
        0.0
    """
    with double_precision():
        basis = basis_of(fit, booths)
        named = changes_of(candidates, basis.encoded.axes)
        problems = (basis.problem, _changed(basis, swap_candidates(basis.booths, named, basis.encoded.axes)))
        stands = np.stack([np.asarray(problem.frame.fielded) for problem in problems])
        rule: Effects = options.booth_effects if basis.design.booth_effects else "zero"

        def at_estimate(problem: Problem) -> np.ndarray:
            found = expected(basis.point, basis.to, problem, basis.design, rule)
            return np.asarray(by_constituency(found, problem))

        values = _totals(np.stack([at_estimate(problem) for problem in problems]), stands)
        drawn: dict[str, np.ndarray] = {}
        joint, draws = 0, options.draws
        if draws:
            posterior, joint = posterior_of(basis)
            key, votes = jax.random.key(options.seed), []
            for n, problem in enumerate(problems):
                said = None if progress is None else _told(progress, n * draws, 2 * draws)
                how: dict[str, Any] = {"draws": draws, "effects": rule, "whole": True, "progress": said}
                votes.append(simulate(key, posterior, basis.to, problem, basis.design, **how))
            drawn = _totals(np.stack(votes, axis=1), stands)
    found = _decoded(basis, values, drawn, options.level)
    found["changed"] = xr.zeros_like(found["constituency_votes_change"], dtype=bool)
    for place, parties in named.items():
        found["changed"].loc[{"constituency": place, "party": list(parties)}] = True
    found.attrs = {
        "title": str(basis.booths.attrs.get("name", "")),
        "candidates": json.dumps(named, default=str),
        "draws": draws,
        "jointly_drawn_booths": joint,
        "level": options.level,
        "seed": options.seed,
    }
    number = sum(len(parties) for parties in named.values())
    about = (
        f"votes and seats with {number:,} other candidate{'' if number == 1 else 's'}, before and after; {draws} draws"
    )
    good = on_a_fit(basis.fit, of_changes(basis.fit, named))
    return finished(conform(found, COUNTERFACTUAL), about=about, verdict=good)


def changes_of(candidates: Any, axes: tuple[Axis, ...]) -> dict[str, dict[str, dict[str, Any] | None]]:
    """Other candidates as a mapping of their traits by constituency and party, from any of their forms."""
    if isinstance(candidates, str | os.PathLike):
        path = Path(candidates)
        if not path.is_file():
            raise _fault(f"no file {str(path)!r}", "a CSV of candidates, or a mapping", _EXAMPLE)
        candidates = pd.read_csv(path, dtype=str, keep_default_na=False)
    if isinstance(candidates, pd.DataFrame):
        return _from_rows(candidates, axes)
    if not isinstance(candidates, Mapping) or not candidates:
        raise _fault(f"found {candidates!r}", "traits by constituency and party", f"as in {_EXAMPLE}")
    for place, parties in candidates.items():
        own = parties.values() if isinstance(parties, Mapping) else ()
        if not own or not all(traits is None or isinstance(traits, Mapping) for traits in own):
            raise _fault(f"found {parties!r} in {place!r}", "traits by party, or None", f"as in {_EXAMPLE}")
    return {
        str(place): {str(party): None if traits is None else dict(traits) for party, traits in parties.items()}
        for place, parties in candidates.items()
    }


def swap_candidates(
    booths: xr.Dataset, changes: Mapping[str, Mapping[str, Mapping[str, Any] | None]], axes: tuple[Axis, ...]
) -> xr.Dataset:
    """Booths with other candidates; their votes stay, so that they may be for somebody who no longer stands."""
    booths = booths.copy()
    category, value, fielded = (
        booths[name].transpose("constituency", "party", ...).values.copy()
        for name in ("candidate_category", "candidate_value", "fielded")
    )
    category = category.astype(object)
    places, parties = (booths[dim].values.tolist() for dim in ("constituency", "party"))
    known = {axis.name: axis for axis in axes}
    order = [str(name) for name in booths["axis"].values]
    for place, own in changes.items():
        a = _index(place, places, "constituency")
        for party, traits in own.items():
            k = _index(party, parties, "party")
            fielded[a, k] = traits is not None
            for name, given in (traits or {}).items():
                _index(name, axis_names(axes), "axis")
                d = order.index(name)
                if known[name].categories:
                    category[a, k, d] = "" if given is None else str(given)
                    _category(category[a, k, d], known[name], f"{_ARGUMENT}, {place}, {party}")
                else:
                    value[a, k, d] = _number(given, f"{place}, {party}, {name}")
        if not fielded[a].any():
            raise _fault(f"nobody stands in {place!r}", "at least one candidate", "let one stand")
    for name, values in (
        ("candidate_category", category.astype(str)),
        ("candidate_value", value),
        ("fielded", fielded),
    ):
        dims = ("constituency", "party", "axis")[: values.ndim]
        booths[name] = (dims, values, booths[name].attrs)
    return booths


def _changed(basis: Basis, booths: xr.Dataset) -> Problem:
    """The problem of the same booths with other candidates."""
    axes, frame = basis.encoded.axes, basis.encoded.frame
    codes = candidate_codes(booths, axes)
    frame = frame._replace(
        candidate_codes=codes,
        candidate_values=candidate_values(booths, axes),
        candidate_gate=gate_of(codes, axes),
        fielded=booths["fielded"].transpose("constituency", "party").values.astype(bool),
    )
    encoded = basis.encoded._replace(frame=frame)
    return pose_basis(basis.fit, encoded, basis.options, basis.design, basis.own, basis.areas)


def _totals(votes: np.ndarray, stands: np.ndarray) -> dict[str, np.ndarray]:
    """Votes [..., scenario, a, k] and what follows from them; stands is [scenario, a, k]."""
    best = np.where(stands, votes, -1.0).argmax(axis=-1)
    wins = best[..., None] == np.arange(votes.shape[-1])
    return {
        "constituency_votes": votes,
        "constituency_share": votes / np.maximum(votes.sum(axis=-1, keepdims=True), 1e-30),
        "votes": votes.sum(axis=-2),
        "seats": wins.sum(axis=-2).astype(float),
        "wins": wins,
    }


def _decoded(basis: Basis, values: dict[str, np.ndarray], drawn: dict[str, np.ndarray], level: float) -> xr.Dataset:
    booths = basis.booths
    found: dict[str, np.ndarray] = {}
    for name in ("votes", "seats", "constituency_votes", "constituency_share"):
        value, each = values[name], drawn.get(name)
        found |= {name: value, f"{name}_change": value[1] - value[0]}
        if each is not None:
            for end, where in zip(("low", "high"), tails(level), strict=True):
                found[f"{name}_{end}"] = np.quantile(each, where, axis=0)
                found[f"{name}_change_{end}"] = np.quantile(each[:, 1] - each[:, 0], where, axis=0)
    if drawn:
        found |= {"seats_mean": drawn["seats"].mean(axis=0), "p_win": drawn["wins"].mean(axis=0)}
    found["winner"] = booths["party"].values[values["wins"].argmax(axis=-1)]
    return xr.Dataset(
        {name: (COUNTERFACTUAL.variables[name].dims, value) for name, value in found.items()},
        {name: booths[name].values for name in ("constituency", "party")} | {"scenario": list(SCENARIOS)},
    )


def _from_rows(rows: pd.DataFrame, axes: tuple[Axis, ...]) -> dict[str, dict[str, dict[str, Any] | None]]:
    names = [str(name) for name in rows.columns]
    for needed in ("constituency", "party"):
        if needed not in names:
            raise _fault(
                f"no column {needed!r}", f"constituency, party and some of {', '.join(axis_names(axes))}", "add it"
            )
    for name in names:
        if name not in ("constituency", "party"):
            _index(name, axis_names(axes), "axis")
    found: dict[str, dict[str, dict[str, Any] | None]] = {}
    for row in rows.astype(object).to_dict("records"):
        place, party = str(row.pop("constituency")), str(row.pop("party"))
        if party in found.get(place, {}):
            raise _fault(f"{party!r} is there twice in {place!r}", "one row per candidate", "remove one")
        traits = {str(name): None if pd.isna(text) or str(text).strip() == "" else text for name, text in row.items()}
        found.setdefault(place, {})[party] = traits
    if not found:
        raise _fault("no rows", "a row per candidate", "give at least one")
    return found


def _index(name: str, known: list[str], what: str) -> int:
    if name not in known:
        raise _fault(f"no {what} {name!r}", "one of the booths'", suggest(name, known))
    return known.index(name)


def _category(label: str, axis: Axis, where: str) -> None:
    if label and label not in axis.categories:
        raise data_error(
            f"unknown category {label!r} of {axis.name}",
            where=where,
            expected=f"one of {', '.join(axis.categories)}, or None where unknown",
            mend=suggest(label, list(axis.categories)),
        )


def _number(given: Any, where: str) -> float:
    try:
        number = math.nan if given is None else float(given)
    except (TypeError, ValueError):
        number = math.inf
    if math.isinf(number):
        raise _fault(f"found {given!r} for {where}", "a number, or None where unknown", "this axis is scalar")
    return number


def _fault(problem: str, expected: str, mend: str) -> ElectionDataError:
    return data_error(problem, where=_ARGUMENT, expected=expected, mend=mend)


def _told(progress: Progress, before: int, whole: int) -> Progress:
    return lambda done, _, line: progress(before + done, whole, line)
