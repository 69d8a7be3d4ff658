"""Votes and seats if other candidates had stood, by a CALM fit."""

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

import electjax
from electjax.calm.basis import Basis, basis_of, bounds, check_draws, pose_basis, posterior_of, replace_frame
from electjax.calm.model.predict import Effects, by_constituency, expected, simulate
from electjax.calm.model.problem import Problem
from electjax.data.axes import Axis, axis_names, candidate_codes, candidate_values, gate_of
from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.numerics.host import double_precision

Candidates = Mapping[str, Mapping[str, Mapping[str, Any] | None]]
SCENARIOS = ("before", "after")
_ARGUMENT = "counterfactual(candidates=)"
_EXAMPLE = "{'Madipur': {'BJP': {'caste': 'SC'}}}"
_MEANING = {
    "votes": ("expected votes", "votes"),
    "seats": ("constituencies in which the party is expected to have most votes", "seats"),
    "constituency_votes": ("expected votes", "votes"),
    "constituency_share": ("expected share of the votes", "1"),
}


def counterfactual(
    fit: xr.Dataset,
    booths: xr.Dataset | str | os.PathLike[str],
    candidates: Candidates | pd.DataFrame | str | os.PathLike[str],
    *,
    booth_effects: Effects = "known",
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[int, int, str], None] | None = None,
) -> xr.Dataset:
    """Votes and seats with the candidates that stood and with others; booths, voters and parameters stay what they are.

    Before and after share their draws of the parameters: a change that changes nothing makes a difference of exactly 0.
    The candidates' own appeal that no axis holds stays with the party, and mobilisation keeps the weights of the fit.

    Args:
        fit: what `calm.fit` returned.
        booths: the booths of the fit, or others with its axes and parties.
        candidates: by constituency and party, the traits that change: {"Madipur": {"BJP": {"caste": "SC"}}}. A trait
            None is unknown, a candidate None withdraws, and one of a party that had none stands. Or rows with the
            columns constituency, party and any axes, a DataFrame or the path of a CSV, where a blank is unknown.
        booth_effects, draws, seed, level: as in `predict`.
        progress: called with draws done, of how many, and a line.

    Returns:
        Over scenario (before, after): votes(scenario, party), seats(scenario, party),
        constituency_votes and constituency_share(scenario, constituency, party), winner(scenario, constituency) at the
        estimate; the differences after - before <name>_change; with draws, the ends of all their intervals, <name>_low
        and <name>_high, <name>_change_low and <name>_change_high; seats_mean(scenario, party), the mean over draws; and
        p_win(scenario, constituency, party). Intervals are of what is expected, without the chance of single votes.
        changed(constituency, party): whether the candidate is another.

    Raises:
        ElectionDataError: booths that do not fit, an unknown constituency, party, axis or category, nobody left to vote
            for, or an argument out of range.
    """
    check_draws("counterfactual", draws, level, booth_effects)
    with double_precision():
        basis = basis_of(fit, booths)
        named = changes_of(candidates, basis.encoded.axes)
        problems = (basis.problem, _changed(basis, swap_candidates(basis.booths, named, basis.encoded.axes)))
        stands = np.stack([np.asarray(problem.frame.fielded) for problem in problems])
        rule: Effects = booth_effects if basis.design.booth_effects else "zero"

        def at_estimate(problem: Problem) -> np.ndarray:
            found = expected(basis.point, basis.to, problem, basis.design, rule)
            return np.asarray(by_constituency(found, problem))

        values = _totals(np.stack([at_estimate(problem) for problem in problems]), stands)
        drawn: dict[str, np.ndarray] = {}
        joint = 0
        if draws:
            posterior, joint = posterior_of(basis)
            key = jax.random.key(seed)
            votes = []
            for n, problem in enumerate(problems):
                said = None if progress is None else _told(progress, n * draws, 2 * draws)
                votes.append(
                    simulate(
                        key,
                        posterior,
                        basis.to,
                        problem,
                        basis.design,
                        draws=draws,
                        effects=rule,
                        whole=True,
                        progress=said,
                    )
                )
            drawn = _totals(np.stack(votes, axis=1), stands)
    found = _decoded(basis, values, drawn, bounds(level))
    found["changed"] = xr.zeros_like(found["constituency_votes_change"], dtype=bool)
    for place, parties in named.items():
        found["changed"].loc[{"constituency": place, "party": list(parties)}] = True
    found["changed"].attrs = {"long_name": "whether another candidate is given", "units": "1"}
    found.attrs = {
        "title": str(basis.booths.attrs.get("name", "")),
        "candidates": json.dumps(named, default=str),
        "draws": draws,
        "jointly_drawn_booths": joint,
        "level": level,
        "seed": seed,
        "electjax_version": electjax.__version__,
    }
    return found


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
    encoded = replace_frame(basis.encoded, frame)
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


def _decoded(
    basis: Basis, values: dict[str, np.ndarray], drawn: dict[str, np.ndarray], ends: dict[str, float]
) -> xr.Dataset:
    booths = basis.booths
    coords = {name: booths[name].values for name in ("constituency", "party")} | {"scenario": list(SCENARIOS)}
    found = xr.Dataset(coords=coords)
    for name, (meaning, units) in _MEANING.items():
        dims = ("constituency", "party") if name.startswith("constituency") else ("party",)
        value, own = values[name], drawn.get(name)
        forms = [(name, ("scenario", *dims), meaning, value, own)]
        gain = None if own is None else own[:, 1] - own[:, 0]
        forms.append((f"{name}_change", dims, f"{meaning}: after - before", value[1] - value[0], gain))
        for label, over, said, at, each in forms:
            found[label] = (over, at, {"long_name": said, "units": units})
            if each is not None:
                for end, where in ends.items():
                    note = {"long_name": f"{said}: {where:.4g} quantile over draws of the parameters", "units": units}
                    found[f"{label}_{end}"] = (over, np.quantile(each, where, axis=0), note)
    if drawn:
        mean = {"long_name": "seats, mean over draws of the parameters", "units": "seats"}
        found["seats_mean"] = (("scenario", "party"), drawn["seats"].mean(axis=0), mean)
        chance = {"long_name": "share of draws in which the party is expected to have most votes", "units": "1"}
        found["p_win"] = (("scenario", "constituency", "party"), drawn["wins"].mean(axis=0), chance)
    winner = booths["party"].values[values["wins"].argmax(axis=-1)]
    found["winner"] = (("scenario", "constituency"), winner, {"long_name": "party with most expected votes"})
    return found


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


def _told(progress: Callable[[int, int, str], None], before: int, whole: int) -> Callable[[int, int, str], None]:
    return lambda done, _, line: progress(before + done, whole, line)
