"""Booths with a known truth, drawn from CALM: a small country, or Delhi at its real scale."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import logit

from electjax.calm.codec import encode_booths
from electjax.calm.electorate import draw_electorate
from electjax.calm.model.affinity import build
from electjax.calm.model.data import Booths, Frame
from electjax.calm.model.design import Design, Hyper
from electjax.calm.model.generate import Expected, Truth, cells_of, draw_cell_votes, draw_totals, expect, solve_effects
from electjax.calm.schema import validate
from electjax.data.axes import DEFAULT, Axis, axes_of, axis_names, rho_of
from electjax.data.elections import returns_of
from electjax.data.errors import data_error, suggest
from electjax.numerics.host import double_precision, host_generator

ETA = {"age": 0.2, "religion": 0.35, "caste": 0.3, "income": 0.15}  # per standard deviation of g
OTHERWISE = 0.2  # eta of any other axis
COVARIATE_SD = 0.1  # of the coefficients of covariates

_build = partial(jax.jit, static_argnames="design")(build)


class Scale(NamedTuple):
    """What a scale stands for.

    Attributes:
        constituencies, booths: how many, and booths in each; None as the election says.
        election: whose totals are expected; None for none.
        categories: of axes that have fewer than by default.
    """

    constituencies: int | None
    booths: int | None
    election: str | None
    categories: Mapping[str, Sequence[str]]


_FEWER = {"religion": ("Hindu", "Muslim"), "caste": ("General", "OBC", "SC")}
SCALES = {
    "tiny": Scale(4, 10, None, {**_FEWER, "age": ("18-25", "26-35", "36-45"), "income": ("Low", "Middle")}),
    "small": Scale(12, 40, None, _FEWER),
    "delhi": Scale(None, None, "delhi2020", {}),
}


def simulate(
    scale: str = "small",
    *,
    constituencies: int | None = None,
    booths: int | None = None,
    parties: Sequence[str] = ("AAP", "BJP", "INC", "others"),
    axes: Mapping[str, Any] | Sequence[Axis] | None = None,
    eta: Mapping[str, float] | Sequence[float] | float | None = None,
    eta_sd: float = 0.0,
    rho_age: float = 0.5,
    rho: Mapping[str, float] | None = None,
    xi: float = 0.0,
    axis_weight: Mapping[str, float] | None = None,
    turnout: float = 0.63,
    shares: Sequence[float] | None = None,
    coefficient_sd: tuple[float, float] = (0.2, 0.25),
    booth_sd: tuple[float, float] = (0.15, 0.25),
    constituency_sd: tuple[float, float] = (0.2, 0.3),
    rho_T: float = 0.002,
    rho_P: float = 0.004,
    exponent: float = 0.0,
    weighting: str = "plain",
    unknown: float = 0.0,
    absent: float = 0.0,
    cells: bool = False,
    seed: int = 0,
) -> xr.Dataset:
    """Draw an electorate, its candidates and its votes, with every parameter known.

    The composition of a booth scatters around its constituency's, and that around the whole's (Dirichlet, axis by
    axis); cell sizes are integers. A candidate's category is more likely where it is more frequent in the constituency
    (to the power 0.5), and each party leans to categories of its own. Votes polled and votes of a booth are
    beta-binomial and Dirichlet-multinomial around what calm.md expects (section 0).

    Args:
        scale: "tiny" (4 x 10 booths), "small" (12 x 40 booths, 72 cells), or "delhi": the 70 constituencies of 2020
            with their real electors, and about 13,700 booths of 180 cells. Constituency effects are then such that the
            expected votes polled and party shares of every constituency are the real ones; a party that got no vote
            has no candidate.
        constituencies, booths: so many instead, and booths in each.
        parties: labels, where the scale is of no real election.
        axes: as in a configuration (`electjax.data.axes`); by default those of the scale.
        eta: effect of candidate affinity per standard deviation, by axis, in order, or the same for all.
        eta_sd: how much eta differs between constituencies.
        rho_age, rho: proximity of adjacent categories of the axis age, and of ordinal axes by name.
        xi, axis_weight: mobilisation, weighted with the previous shares, and the weights of the axes in it (they are
            made to add up to 1; equal by default).
        turnout, shares: of a cell like the average in a constituency like the average, where totals are not real.
        coefficient_sd: of beta_T and beta_P.
        booth_sd, constituency_sd: of the effects on turnout and choice; the latter where totals are not real.
        rho_T, rho_P: overdispersion, the correlation of two electors of a booth; 0 for none.
        exponent: of the context.
        weighting: over what g is standardised, "plain" or "size".
        unknown: share of candidates' traits that nobody knows; such a trait has no effect either.
        absent: share of candidates that do not stand, where totals are not real; two always do.
        cells: draw the votes cell by cell, and keep them in `true_cell_votes(booth, cell, party)`.
        seed: the same seed gives the same Dataset.

    Returns:
        A booths Dataset with the truth: `true_alpha`, `true_beta_T(feature)`, `true_gamma(party)`,
        `true_beta_P(feature, party)`, `true_eta(axis)`, `true_xi`, `true_effect_T(constituency)`,
        `true_effect_P(constituency, party)`, `true_b_T(booth)`, `true_b_P(booth, party)`; what they imply: `true_rate`
        and `true_share` expected of each booth, `true_turnout` and `true_choice` of each constituency's cells in a
        booth with its mean effects; `attrs["truth"]`: JSON of all scalars.

    Raises:
        ElectionDataError: an unknown scale, or numbers that are out of range.
    """
    chosen, election = _scale(scale, constituencies, booths)
    _check(turnout=turnout, rho_T=rho_T, rho_P=rho_P, unknown=unknown, absent=absent)
    if election is not None:
        parties, absent = [str(party) for party in election["party"].values], 0.0
    keys = iter(jax.random.split(jax.random.key(seed), 16))
    given = axes_of(_axes(chosen.categories) if axes is None else axes)
    near = {axis.name: rho_age for axis in given if axis.name == "age" and axis.kernel == "ordinal"} | dict(rho or {})

    found = draw_electorate(
        next(keys),
        given,
        parties,
        constituencies=chosen.constituencies or 1,
        booths=chosen.booths,
        election=election,
        unknown=unknown,
        absent=absent,
    )
    encoded = encode_booths(found)
    arrays, frame = encoded.booths, encoded.frame
    features = [*encoded.labels.features, *encoded.labels.covariates]
    weight = _by_axis(axis_weight, given, 1.0, "axis_weight")
    with double_precision():
        hyper = Hyper(rho=jnp.asarray(rho_of(given, near)), axis_weight=jnp.asarray(weight / weight.sum()))
        affinity = jax.tree.map(np.asarray, _build(frame, hyper, Design(weighting=_weighting(weighting))))
    level, effect = np.log(_shares(shares, parties)), _by_axis(eta, given, ETA, "eta")
    truth = _parameters(
        next(keys),
        arrays,
        frame,
        features,
        alpha=float(logit(turnout)),
        gamma=level - level.mean(),
        eta=effect,
        eta_sd=eta_sd,
        coefficient_sd=coefficient_sd,
        booth_sd=booth_sd,
        constituency_sd=(0.0, 0.0) if election is not None else constituency_sd,
        rest={"xi": 0.0, "axis_weight": weight / weight.sum(), "exponent": exponent, "rho_T": rho_T, "rho_P": rho_P},
    )
    # the previous election was like this one without mobilisation, give or take
    truth = _real_totals(arrays, frame, affinity.g, truth, election)
    arrays = arrays._replace(previous=_previous(next(keys), expect(arrays, frame, affinity.g, truth).shares))
    if xi:
        truth = _real_totals(arrays, frame, affinity.g, truth._replace(xi=float(xi)), election)
    expected = expect(arrays, frame, affinity.g, truth)
    key = next(keys)
    if cells:
        by_cell = draw_cell_votes(key, arrays, frame, affinity.g, truth)
        votes = by_cell.sum(axis=1, dtype=np.int64)
        found["true_cell_votes"] = (("booth", "cell", "party"), by_cell)
    else:
        votes = draw_totals(key, found["electors"].values, expected, rho_T, rho_P).votes
    found = found.assign(
        votes=(("booth", "party"), votes),
        polled=("booth", votes.sum(axis=1)),
        previous=(("booth", "party"), arrays.previous),
    )
    found = found.assign(_truth(truth, effect, expected, cells_of(arrays, frame, affinity.g, truth))).assign_coords(
        feature=np.array(features, dtype=np.str_)
    )
    scalars = {
        "scale": scale,
        "seed": seed,
        **{name: float(getattr(truth, name)) for name in ("alpha", "xi", "exponent", "rho_T", "rho_P")},
        "eta": dict(zip(axis_names(given), effect.tolist(), strict=True)),
        "eta_sd": eta_sd,
        "rho": dict(zip(axis_names(given), rho_of(given, near).tolist(), strict=True)),
        "axis_weight": dict(zip(axis_names(given), truth.axis_weight.tolist(), strict=True)),
        "g_mean": dict(zip(axis_names(given), affinity.standard.mean.tolist(), strict=True)),
        "g_sd": dict(zip(axis_names(given), affinity.standard.sd.tolist(), strict=True)),
        "weighting": weighting,
        "coefficient_sd": list(coefficient_sd),
        "booth_sd": list(booth_sd),
        "constituency_sd": None if election is not None else list(constituency_sd),
        "drawn": "cells" if cells else "booths",
    }
    found.attrs["truth"] = json.dumps(scalars)
    return validate(found)


def truth_of(booths: xr.Dataset) -> Truth:
    """The truth of generated booths as arrays: `electjax.calm.model.generate` draws more votes from it."""
    scalars = json.loads(booths.attrs["truth"])
    areas = booths.sizes["constituency"]
    eta = booths["true_eta"].values
    return Truth(
        alpha=scalars["alpha"],
        beta_T=booths["true_beta_T"].values,
        gamma=booths["true_gamma"].values,
        beta_P=booths["true_beta_P"].transpose("feature", "party").values,
        eta=booths["true_eta_constituency"].values if "true_eta_constituency" in booths else np.tile(eta, (areas, 1)),
        xi=scalars["xi"],
        effect_T=booths["true_effect_T"].values,
        effect_P=booths["true_effect_P"].values,
        b_T=booths["true_b_T"].values,
        b_P=booths["true_b_P"].values,
        axis_weight=np.array([scalars["axis_weight"][name] for name in booths["axis"].values.tolist()]),
        exponent=scalars["exponent"],
        rho_T=scalars["rho_T"],
        rho_P=scalars["rho_P"],
    )


def _scale(name: str, constituencies: int | None, booths: int | None) -> tuple[Scale, xr.Dataset | None]:
    if name not in SCALES:
        raise _fault(f"no scale {name!r}", "scale", " or ".join(SCALES), suggest(str(name), list(SCALES)))
    for argument, value in (("constituencies", constituencies), ("booths", booths)):
        if value is not None and value < 1:
            raise _fault(f"found {value}", argument, "at least 1", "leave it out for those of the scale")
    chosen = SCALES[name]
    election = None if chosen.election is None else returns_of(chosen.election)
    if election is not None:
        there = election.sizes["district"]
        if constituencies is not None and constituencies > there:
            raise _fault(f"found {constituencies}", "constituencies", f"at most {there}", "as many as the election has")
        election = election.isel(district=slice(constituencies))
    return chosen._replace(
        constituencies=constituencies or chosen.constituencies, booths=booths or chosen.booths
    ), election


def _axes(categories: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """The default axes with fewer categories."""
    return {
        name: {**entry, "categories": list(categories.get(name, entry["categories"]))}
        for name, entry in DEFAULT.items()
    }


def _parameters(
    key: jax.Array,
    booths: Booths,
    frame: Frame,
    features: Sequence[str],
    *,
    alpha: float,
    gamma: np.ndarray,
    eta: np.ndarray,
    eta_sd: float,
    coefficient_sd: tuple[float, float],
    booth_sd: tuple[float, float],
    constituency_sd: tuple[float, float],
    rest: dict[str, Any],
) -> Truth:
    """Coefficients add up to zero over the categories of an axis, and over the parties."""
    rng = host_generator(key)
    parties, areas, number = len(gamma), len(frame.fielded), len(booths.polled)
    blocks = np.array([name.split("[")[0] for name in features])
    scale = np.where(
        np.char.find(np.array(features), "[") >= 0, 1.0, COVARIATE_SD / np.maximum(coefficient_sd, 1e-12)[:, None]
    )
    beta_T = rng.normal(size=len(features)) * coefficient_sd[0] * scale[0]
    beta_P = rng.normal(size=(len(features), parties)) * coefficient_sd[1] * scale[1][:, None]
    for block in np.unique(blocks):
        inside = blocks == block
        if inside.sum() > 1:
            beta_T[inside] -= beta_T[inside].mean()
            beta_P[inside] -= beta_P[inside].mean(axis=0)

    def effects(rows: int, sd: float) -> np.ndarray:
        drawn = rng.normal(0.0, 1.0, (rows, parties)) * sd
        return drawn - drawn.mean(axis=1, keepdims=True)

    return Truth(
        alpha=alpha,
        beta_T=beta_T,
        gamma=gamma,
        beta_P=beta_P - beta_P.mean(axis=1, keepdims=True),
        eta=eta + eta_sd * rng.normal(size=(areas, len(eta))),
        effect_T=constituency_sd[0] * rng.normal(size=areas),
        effect_P=np.where(frame.fielded, effects(areas, constituency_sd[1]), 0.0),
        b_T=booth_sd[0] * rng.normal(size=number),
        b_P=effects(number, booth_sd[1]),
        **rest,
    )


def _real_totals(booths: Booths, frame: Frame, g: np.ndarray, truth: Truth, election: xr.Dataset | None) -> Truth:
    if election is None:
        return truth
    votes = election["votes"].values.astype(float)
    return solve_effects(booths, frame, g, truth, votes.sum(axis=1), votes)


def _previous(key: jax.Array, shares: np.ndarray) -> np.ndarray:
    """Shares of another election, with log-odds that differ by about 0.3."""
    odds = np.exp(host_generator(key).normal(0.0, 0.3, shares.shape)) * shares
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _truth(truth: Truth, eta: np.ndarray, expected: Expected, inside: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "true_alpha": ((), truth.alpha),
        "true_beta_T": ("feature", truth.beta_T),
        "true_gamma": ("party", truth.gamma),
        "true_beta_P": (("feature", "party"), truth.beta_P),
        "true_eta": ("axis", eta),
        "true_xi": ((), truth.xi),
        "true_effect_T": ("constituency", truth.effect_T),
        "true_effect_P": (("constituency", "party"), truth.effect_P),
        "true_b_T": ("booth", truth.b_T),
        "true_b_P": (("booth", "party"), truth.b_P),
        "true_rate": ("booth", expected.turnout),
        "true_share": (("booth", "party"), expected.shares),
        "true_turnout": (("constituency", "cell"), inside[0]),
        "true_choice": (("constituency", "cell", "party"), inside[1]),
    }
    if (truth.eta != eta).any():
        found["true_eta_constituency"] = (("constituency", "axis"), truth.eta)
    shares = ("true_rate", "true_share", "true_turnout", "true_choice")
    return {
        name: xr.Variable(
            dims, values, {"long_name": name.replace("_", " "), "units": "1" if name in shares else "log-odds"}
        )
        for name, (dims, values) in found.items()
    }


def _by_axis(given: Any, axes: Sequence[Axis], otherwise: Mapping[str, float] | float, name: str) -> np.ndarray:
    """A number for each axis [d], from a mapping, a sequence or one number."""
    labels = axis_names(axes)
    default = [otherwise.get(label, OTHERWISE) if isinstance(otherwise, Mapping) else otherwise for label in labels]
    if given is None:
        return np.array(default)
    if isinstance(given, Mapping):
        for label in given:
            if label not in labels:
                raise _fault(f"no axis {label!r}", name, ", ".join(labels), suggest(str(label), labels))
        return np.array([float(given.get(label, value)) for label, value in zip(labels, default, strict=True)])
    values = np.broadcast_to(np.asarray(given, float), len(labels)) if np.ndim(given) == 0 else np.asarray(given, float)
    if values.shape != (len(labels),):
        raise _fault(
            f"found {values.shape[0]} numbers", name, f"one for each of {', '.join(labels)}", "or name the axes"
        )
    return values


def _shares(given: Sequence[float] | None, parties: Sequence[str]) -> np.ndarray:
    """Level of the parties; by default two large ones and a rest that gets smaller."""
    if given is None:
        given = ([0.5, 0.38, 0.07, 0.05] + [0.05 * 0.7**n for n in range(1, len(parties))])[: len(parties)]
    values = np.asarray(given, float)
    if values.shape != (len(parties),) or not (values > 0).all():
        raise _fault(f"found {list(given)}", "shares", f"{len(parties)} positive numbers", "one for each party")
    return np.asarray(values / values.sum())


def _weighting(name: str) -> Any:
    if name not in ("plain", "size"):
        raise _fault(f"found {name!r}", "weighting", "plain or size", suggest(str(name), ["plain", "size"]))
    return name


def _check(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise _fault(f"found {value!r}", name, "a number in [0, 1)", "0 for none")


def _fault(problem: str, argument: str, expected: str, mend: str) -> Exception:
    return data_error(problem, where=f"calm.simulate({argument}=)", expected=expected, mend=mend)
