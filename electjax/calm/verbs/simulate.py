"""Booths with a known truth, drawn from CALM: a small country, or Delhi at its real scale."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from scipy.special import logit

from electjax.calm.booths import checked_booths
from electjax.calm.codec import encode_booths
from electjax.calm.electorate import draw_electorate
from electjax.calm.model.affinity import build
from electjax.calm.model.design import Booths, Design, Frame
from electjax.calm.model.generate import Expected, Truth, cells_of, draw_cell_votes, draw_totals, expect, solve_effects
from electjax.calm.options import SimulateOptions, weight_of
from electjax.data.axes import DEFAULT, Axis, axes_of, axis_names, proximity_of
from electjax.data.elections import returns_of
from electjax.data.errors import data_error, suggest
from electjax.data.options import with_options
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


@with_options
def simulate(scale: str = "small", *, options: SimulateOptions) -> xr.Dataset:
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

    Returns:
        A booths Dataset with the truth: `true_alpha`, `true_beta_T(feature)`, `true_gamma(party)`,
        `true_beta_P(feature, party)`, `true_eta(axis)`, `true_xi`, `true_effect_T(constituency)`,
        `true_effect_P(constituency, party)`, `true_b_T(booth)`, `true_b_P(booth, party)`; what they imply: `true_rate`
        and `true_share` expected of each booth, `true_turnout` and `true_choice` of each constituency's cells in a
        booth with its mean effects; `attrs["truth"]`: JSON of all scalars.

    Raises:
        ElectionDataError: an unknown scale, or options that are out of range.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny", seed=1, eta=0.3)
        >>> dict(booths.votes.sizes), booths.true_eta.values.tolist()
        ({'booth': 40, 'party': 4}, [0.3, 0.3, 0.3, 0.3])
    """
    chosen, election = _scale(scale, options)
    parties, absent = options.parties, options.absent
    if election is not None:
        parties, absent = [str(party) for party in election["party"].values], 0.0
    keys = iter(jax.random.split(jax.random.key(options.seed), 16))
    given = axes_of(_axes(chosen.categories) if options.axes is None else options.axes)
    near = proximity_of(given, options.proximity)

    found = draw_electorate(
        next(keys),
        given,
        parties,
        constituencies=chosen.constituencies or 1,
        booths=chosen.booths,
        election=election,
        unknown=options.unknown,
        absent=absent,
    )
    encoded = encode_booths(found, checked=True)
    arrays, frame = encoded.booths, encoded.frame
    features = [*encoded.labels.features, *encoded.labels.covariates]
    weight = weight_of(given, options.axis_weight, "calm.simulate")
    with double_precision():
        affinity = jax.tree.map(np.asarray, _build(frame, near, Design(weighting=options.weighting)))
    level, effect = np.log(_shares(options.shares, parties)), _by_axis(options.eta, given)
    truth = _parameters(
        next(keys),
        arrays,
        frame,
        features,
        options if election is None else replace(options, constituency_sd=(0.0, 0.0)),
        gamma=level - level.mean(),
        eta=effect,
        axis_weight=weight,
    )
    # the previous election was like this one without mobilisation, give or take
    truth = _real_totals(arrays, frame, affinity.g, truth, election)
    arrays = arrays._replace(previous=_previous(next(keys), expect(arrays, frame, affinity.g, truth).shares))
    if options.xi:
        truth = _real_totals(arrays, frame, affinity.g, truth._replace(xi=options.xi), election)
    expected = expect(arrays, frame, affinity.g, truth)
    key = next(keys)
    if options.cells:
        by_cell = draw_cell_votes(key, arrays, frame, affinity.g, truth)
        votes = by_cell.sum(axis=1, dtype=np.int64)
        found["true_cell_votes"] = (("booth", "cell", "party"), by_cell)
    else:
        votes = draw_totals(key, found["electors"].values, expected, truth.rho_T, truth.rho_P).votes
    found = found.assign(
        votes=(("booth", "party"), votes),
        polled=("booth", votes.sum(axis=1)),
        previous=(("booth", "party"), arrays.previous),
    )
    found = found.assign(_truth(truth, effect, expected, cells_of(arrays, frame, affinity.g, truth))).assign_coords(
        feature=np.array(features, dtype=np.str_)
    )

    def by_axis(values: np.ndarray) -> dict[str, float]:
        return dict(zip(axis_names(given), np.asarray(values).tolist(), strict=True))

    scalars = {
        "scale": scale,
        "seed": options.seed,
        "alpha": truth.alpha,
        "xi": truth.xi,
        "context": options.context,
        "correlation_T": options.correlation_T,
        "correlation_P": options.correlation_P,
        "eta": by_axis(effect),
        "eta_sd": options.eta_sd,
        "proximity": by_axis(near),
        "axis_weight": by_axis(weight),
        "g_mean": by_axis(affinity.standard.mean),
        "g_sd": by_axis(affinity.standard.sd),
        "weighting": options.weighting,
        "coefficient_sd": list(options.coefficient_sd),
        "booth_sd": list(options.booth_sd),
        "constituency_sd": None if election is not None else list(options.constituency_sd),
        "drawn": "cells" if options.cells else "booths",
    }
    found.attrs["truth"] = json.dumps(scalars)
    return checked_booths(found)


def _scale(name: str, options: SimulateOptions) -> tuple[Scale, xr.Dataset | None]:
    if name not in SCALES:
        raise _fault(f"no scale {name!r}", "scale", " or ".join(SCALES), suggest(str(name), list(SCALES)))
    chosen, wanted = SCALES[name], options.constituencies
    election = None if chosen.election is None else returns_of(chosen.election)
    if election is not None:
        there = election.sizes["district"]
        if wanted is not None and wanted > there:
            raise _fault(f"found {wanted}", "constituencies", f"at most {there}", "as many as the election has")
        election = election.isel(district=slice(wanted))
    return chosen._replace(
        constituencies=wanted or chosen.constituencies, booths=options.booths or chosen.booths
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
    options: SimulateOptions,
    *,
    gamma: np.ndarray,
    eta: np.ndarray,
    axis_weight: np.ndarray,
) -> Truth:
    """Coefficients add up to zero over the categories of an axis, and over the parties."""
    rng = host_generator(key)
    coefficient_sd, booth_sd, constituency_sd = options.coefficient_sd, options.booth_sd, options.constituency_sd
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
        alpha=float(logit(options.turnout)),
        beta_T=beta_T,
        gamma=gamma,
        beta_P=beta_P - beta_P.mean(axis=1, keepdims=True),
        eta=eta + options.eta_sd * rng.normal(size=(areas, len(eta))),
        effect_T=constituency_sd[0] * rng.normal(size=areas),
        effect_P=np.where(frame.fielded, effects(areas, constituency_sd[1]), 0.0),
        b_T=booth_sd[0] * rng.normal(size=number),
        b_P=effects(number, booth_sd[1]),
        xi=0.0,
        axis_weight=axis_weight,
        exponent=options.context,
        rho_T=options.correlation_T,
        rho_P=options.correlation_P,
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


def _by_axis(given: Any, axes: Sequence[Axis]) -> np.ndarray:
    """eta of each axis [d], from a mapping, a sequence or one number."""
    labels = axis_names(axes)
    if given is None or isinstance(given, Mapping):
        for label in given or {}:
            if label not in labels:
                raise _fault(f"no axis {label!r}", "eta", ", ".join(labels), suggest(str(label), labels))
        return np.array([float((given or {}).get(label, ETA.get(label, OTHERWISE))) for label in labels])
    values = np.broadcast_to(np.asarray(given, float), len(labels)) if np.ndim(given) == 0 else np.asarray(given, float)
    if values.shape != (len(labels),):
        raise _fault(
            f"found {values.shape[0]} numbers", "eta", f"one for each of {', '.join(labels)}", "or name the axes"
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


def _fault(problem: str, argument: str, expected: str, mend: str) -> Exception:
    return data_error(problem, where=f"calm.simulate({argument}=)", expected=expected, mend=mend)
