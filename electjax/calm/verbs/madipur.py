"""The practical example of the CALM document (section 10): Madipur, and a 54-year-old Hindu OBC middle-class candidate.

One constituency shows how affinity works, not how strong it is: its candidates are the same as its parties, so that
eta is not identified (see `electjax.calm.model.rank`).
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
import xarray as xr
from scipy.special import expit, softmax

from electjax.calm.booths import dataset
from electjax.calm.codec import encode_booths
from electjax.calm.model.affinity import Standard, build, raw, standardise
from electjax.calm.model.design import Design, Frame
from electjax.calm.store import load
from electjax.calm.verbs.read import read
from electjax.data import axes as ax
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision

_build = jax.jit(build, static_argnames="design")
_raw = jax.jit(raw)

CONSTITUENCY, PARTY = "Madipur", "BJP"
CANDIDATES = {
    "AAP": {"age": "36-45", "religion": "Hindu", "caste": "SC", "income": "Low"},
    "BJP": {"age": "46-60", "religion": "Hindu", "caste": "OBC", "income": "Middle"},  # 54 years old
    "INC": {"age": "61-75", "religion": "Muslim", "income": "High"},
}
CELLS = (  # the document's two, then cells that are not Hindu: [age-prox, 0, 0, inc]
    {"age": "46-60", "religion": "Hindu", "caste": "OBC", "income": "Middle"},
    {"age": "36-45", "religion": "Hindu", "caste": "SC", "income": "Middle"},
    {"age": "46-60", "religion": "Muslim", "income": "Middle"},
    {"age": "61-75", "religion": "Sikh", "income": "Low"},
    {"age": "18-25", "religion": "Christian", "income": "Middle"},
)
_TRUTH: dict[str, Any] = {
    "alpha": 0.5,
    "eta": [0.2, 0.25, 0.3, 0.1],
    "gamma": [0.2, 0.3, -0.5],
    "booth_sd": [0.1, 0.15],
}
_MIX = {  # invented shares of the categories
    "age": [0.14, 0.24, 0.22, 0.23, 0.13, 0.04],
    "religion": [0.84, 0.09, 0.05, 0.01, 0.005, 0.005],
    "caste": [0.34, 0.26, 0.34, 0.01, 0.05],
    "income": [0.45, 0.42, 0.13],
}
_NOTE = (
    "Madipur's BJP candidate is the document's example (section 10). The traits of the other candidates, the booths, "
    "their electors and the votes are invented."
)


def madipur(seed: int = 0, *, booths: int = 12) -> xr.Dataset:
    """The document's example (section 10) as a booths Dataset, with votes drawn from the model.

    Args:
        seed: of all that is drawn.
        booths: how many.

    Returns:
        Booths of one constituency with 180 cells and three parties. The BJP's candidate is the document's; all else
        is invented, as the attribute `note` says. `true_eta(axis)`, `true_turnout` and `true_choice` are what the
        votes are drawn from.

    Example:
        >>> import electjax
        >>> electjax.calm.madipur().party.values.tolist()
        ['AAP', 'BJP', 'INC']
    """
    axes = ax.axes_of()
    rng = np.random.default_rng(seed)
    labels = ax.every_cell(axes)
    codes = ax.codes_of(labels, axes)
    shares = [np.where(codes[:, d] < 0, 1.0, np.array(_MIX[axis.name])[codes[:, d]]) for d, axis in enumerate(axes)]
    mix = np.prod(shares, axis=0)
    sizes = rng.multinomial(rng.integers(600, 1500, size=booths), rng.dirichlet(400 * mix / mix.sum(), size=booths))
    parties = list(CANDIDATES)
    traits = np.array([[_labels(CANDIDATES[party], axes) for party in parties]])
    frame = _frame_of(labels, traits, axes)._replace(presence=(sizes > 0).sum(axis=0, dtype=float)[None])
    with double_precision():
        g = np.asarray(_build(frame, ax.proximity_of(axes), design=Design()).g[0])
    utility = np.array(_TRUTH["gamma"]) + g @ np.array(_TRUTH["eta"])
    sd_T, sd_P = _TRUTH["booth_sd"]
    pi = expit(_TRUTH["alpha"] + rng.normal(0, sd_T, (booths, 1)))
    theta = softmax(utility + rng.normal(0, sd_P, (booths, 1, len(parties))), axis=2)
    votes = rng.multinomial(rng.binomial(sizes, pi), theta).sum(axis=1)
    ds = dataset(
        cell_size=sizes,
        votes=votes,
        cell_category=labels,
        candidate_category=traits,
        booths=[f"Madipur {number}" for number in range(1, booths + 1)],
        booth_constituency=[CONSTITUENCY] * booths,
        parties=parties,
        axes=axes,
        name="madipur",
        source="section 10 of the CALM document; the rest is generated",
    )
    ds["true_eta"], ds["true_gamma"] = ("axis", _TRUTH["eta"]), ("party", _TRUTH["gamma"])
    ds["true_turnout"] = (("constituency", "cell"), np.full((1, len(labels)), expit(_TRUTH["alpha"])))
    ds["true_choice"] = (("constituency", "cell", "party"), softmax(utility, axis=1)[None])
    return ds.assign_attrs(
        title="Madipur, the practical example of CALM",
        note=_NOTE,
        truth=json.dumps(_TRUTH | {"proximity": {"age": 0.5}}),
        seed=seed,
    )


def madipur_table(
    data: xr.Dataset | str | os.PathLike[str] | None = None, *, proximity: Mapping[str, float] | None = None
) -> xr.Dataset:
    """The affinity vectors of section 10: of five cells with the BJP's candidate, raw and standardised.

    Args:
        data: booths, by default those of `madipur`, or a fit to them, whose mean, sd and proximity are taken; or
            a file.
        proximity: of adjacent categories, as in {"age": 0.5}; by default that of the fit, or of the axes.

    Returns:
        `raw(cell, axis)` is [1, 1, 1, 1] for the full match and [rho, 1, 0, 1] for the document's second cell;
        `standardised(cell, axis)`, `g_mean(axis)` and `g_sd(axis)`. Where one eta is known, fitted or true, also
        `eta(axis)` and `boost(cell)` = eta'g, the log-odds that the candidate gains.

    Raises:
        ElectionDataError: axes without a category of the example, a proximity outside [0, 1], or a fit whose g is
            projected.

    Example:
        >>> import electjax
        >>> electjax.calm.madipur_table().raw.values[:2].tolist()
        [[1.0, 1.0, 1.0, 1.0], [0.5, 1.0, 0.0, 1.0]]
    """
    if isinstance(data, str | os.PathLike):
        data = cast(xr.Dataset, load(data)) if Path(data).is_file() else read(data)
    data = madipur() if data is None else data
    if "g_projection" in data:
        raise data_error(
            "g is projected off the cell features",
            where="calm.madipur_table",
            expected="g as section 10 shows it",
            mend="fit with project=False",
        )
    axes = ax.axes_of(data.attrs["axes"])
    values = proximity
    if proximity is None and "proximity" in data:
        ordinal = [axis.name for axis in axes if ax.kernel_of(axis.kernel).START is not None]
        values = {name: float(data["proximity"].sel(axis=name)) for name in ordinal}
    near = ax.proximity_of(axes, values)
    labels = np.array([_labels(cell, axes) for cell in CELLS])
    with double_precision():
        if "g_mean" in data:
            standard = Standard(*(data[name].sel(axis=ax.axis_names(axes)).values for name in ("g_mean", "g_sd")))
        else:
            standard = _build(encode_booths(data).frame, near, design=Design()).standard
        own = np.array([[_labels(CANDIDATES[PARTY], axes)]])
        found = _raw(_frame_of(labels, own, axes), near)[0, :, 0]
        table = xr.Dataset(
            {
                "raw": (("cell", "axis"), np.asarray(found)),
                "standardised": (("cell", "axis"), np.asarray(standardise(found, standard))),
                "g_mean": ("axis", np.asarray(standard.mean)),
                "g_sd": ("axis", np.asarray(standard.sd)),
            },
            coords={"cell": ax.cell_labels(labels), "axis": ax.axis_names(axes)},
            attrs={
                "candidate": f"{PARTY}: {' '.join(CANDIDATES[PARTY].values())}",
                "proximity": float(near[ax.axis_names(axes).index("age")]),
            },
        )
    eta = data.get("eta", data.get("true_eta"))
    if eta is not None and eta.dims == ("axis",):
        table["eta"] = ("axis", eta.sel(axis=ax.axis_names(axes)).values)
        table["boost"] = (table["standardised"] * table["eta"]).sum("axis")
    return table


def _labels(traits: dict[str, str], axes: Sequence[ax.Axis]) -> list[str]:
    return [traits.get(axis.name, "") for axis in axes]


def _frame_of(labels: np.ndarray, traits: np.ndarray, axes: Sequence[ax.Axis]) -> Frame:
    """Cells [c, d] and candidates [a, k, d] by their labels, without features; all count once."""
    cells, candidates = ax.codes_of(labels, axes), ax.codes_of(traits, axes)
    everywhere = np.ones((len(candidates), len(cells)))
    return Frame(
        features=np.zeros((len(cells), 0)),
        cell_codes=cells,
        candidate_codes=candidates,
        candidate_values=np.zeros(candidates.shape),
        **ax.kernel_arrays(axes)._asdict(),
        cell_gate=ax.gate_of(cells, axes),
        candidate_gate=ax.gate_of(candidates, axes),
        fielded=np.ones(candidates.shape[:2], bool),
        presence=everywhere,
        electors=everywhere,
    )
