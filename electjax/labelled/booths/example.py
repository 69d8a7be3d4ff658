"""The practical example of the CALM document (section 10): Madipur, and a 54-year-old Hindu OBC middle-class candidate.

One constituency shows how affinity works, not how strong it is: its candidates are the same as its parties, so that
eta is not identified (see `electjax.calm.rank`).
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import expit, softmax

import electjax
from electjax.calm.affinity import Standard, build, raw, standardise
from electjax.calm.data import Frame
from electjax.calm.design import Design, Hyper
from electjax.core.host import double_precision
from electjax.labelled.booths.axes import (
    Axis,
    axes_json,
    axes_of,
    axis_names,
    candidate_codes,
    candidate_values,
    cell_labels,
    codes_of,
    every_cell,
    gate_of,
    kernel_arrays,
    rho_of,
)
from electjax.labelled.booths.schema import validate_booths

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

    Returns:
        Booths of one constituency with 180 cells and three parties. The BJP's candidate is the document's; all else
        is invented, as the attribute `note` says. `true_eta(axis)`, `true_turnout` and `true_choice` are what the
        votes are drawn from.
    """
    axes = axes_of()
    rng = np.random.default_rng(seed)
    labels = every_cell(axes)
    codes = codes_of(labels, axes)
    shares = [np.where(codes[:, d] < 0, 1.0, np.array(_MIX[axis.name])[codes[:, d]]) for d, axis in enumerate(axes)]
    mix = np.prod(shares, axis=0)
    sizes = rng.multinomial(rng.integers(600, 1500, size=booths), rng.dirichlet(400 * mix / mix.sum(), size=booths))
    parties = list(CANDIDATES)
    names = cell_labels(labels)
    ds = xr.Dataset(
        {
            "cell_size": (("booth", "cell"), sizes.astype(np.int32)),
            "electors": ("booth", sizes.sum(axis=1, dtype=np.int64)),
            "cell_category": (("cell", "axis"), labels),
            "candidate_category": (
                ("constituency", "party", "axis"),
                [[_labels(CANDIDATES[party], axes) for party in parties]],
            ),
            "fielded": (("constituency", "party"), np.ones((1, len(parties)), bool)),
            "true_eta": ("axis", _TRUTH["eta"]),
            "true_gamma": ("party", _TRUTH["gamma"]),
        },
        coords={
            "booth": [f"Madipur {number}" for number in range(1, booths + 1)],
            "booth_constituency": ("booth", [CONSTITUENCY] * booths),
            "constituency": [CONSTITUENCY],
            "cell": names,
            "party": parties,
            "axis": axis_names(axes),
        },
        attrs={
            "name": "madipur",
            "title": "Madipur, the practical example of CALM",
            "source": "section 10 of the CALM document; the rest is generated",
            "note": _NOTE,
            "axes": axes_json(axes),
            "truth": json.dumps(_TRUTH | {"rho_age": 0.5}),
            "seed": seed,
            "electjax_version": electjax.__version__,
        },
    )
    with double_precision():
        g = np.asarray(build(_frame(ds, axes), Hyper(rho_of(axes), np.full(4, 0.25)), Design()).g[0])  # type: ignore[arg-type]
    utility = np.array(_TRUTH["gamma"]) + g @ np.array(_TRUTH["eta"])
    sd_T, sd_P = _TRUTH["booth_sd"]
    pi = expit(_TRUTH["alpha"] + rng.normal(0, sd_T, (booths, 1)))
    theta = softmax(utility + rng.normal(0, sd_P, (booths, 1, len(parties))), axis=2)
    voters = rng.binomial(sizes, pi)
    votes = rng.multinomial(voters, theta).sum(axis=1)
    ds["polled"] = ("booth", voters.sum(axis=1, dtype=np.int64))
    ds["votes"] = (("booth", "party"), votes.astype(np.int64))
    ds["true_turnout"] = (("constituency", "cell"), np.full((1, len(names)), expit(_TRUTH["alpha"])))
    ds["true_choice"] = (("constituency", "cell", "party"), softmax(utility, axis=1)[None])
    return validate_booths(ds)


def madipur_table(data: xr.Dataset | None = None, rho: float | None = None) -> xr.Dataset:
    """The affinity vectors of section 10: of five cells with the BJP's candidate, raw and standardised.

    Args:
        data: booths, by default those of `madipur`, or a fit to them, whose mean, sd and rho are taken.
        rho: proximity of adjacent age bins; by default that of the fit, or of the axes.

    Returns:
        `raw(cell, axis)` is [1, 1, 1, 1] for the full match and [rho, 1, 0, 1] for the document's second cell;
        `standardised(cell, axis)`, `g_mean(axis)` and `g_sd(axis)`. Where one eta is known, fitted or true, also
        `eta(axis)` and `boost(cell)` = eta'g, the log-odds that the candidate gains.

    Raises:
        ElectionDataError: axes without a category of the example, or rho outside [0, 1].
    """
    data = madipur() if data is None else data
    axes = axes_of(data.attrs["axes"])
    values = {} if rho is None else {"age": rho}
    if rho is None and "rho" in data:
        values = {axis.name: float(data["rho"].sel(axis=axis.name)) for axis in axes if axis.kernel == "ordinal"}
    near = rho_of(axes, values)
    labels = np.array([_labels(cell, axes) for cell in CELLS])
    with double_precision():
        if "g_mean" in data:
            standard = Standard(*(data[name].sel(axis=axis_names(axes)).values for name in ("g_mean", "g_sd")))
        else:
            weights = np.full(len(axes), 1 / len(axes))
            standard = build(_frame(data, axes), Hyper(near, weights), Design()).standard  # type: ignore[arg-type]
        own = np.array([[_labels(CANDIDATES[PARTY], axes)]])
        found = raw(_frame_of(labels, codes_of(own, axes), np.zeros(own.shape), axes), near)[0, :, 0]
        table = xr.Dataset(
            {
                "raw": (("cell", "axis"), np.asarray(found)),
                "standardised": (("cell", "axis"), np.asarray(standardise(found, standard))),
                "g_mean": ("axis", np.asarray(standard.mean)),
                "g_sd": ("axis", np.asarray(standard.sd)),
            },
            coords={"cell": cell_labels(labels), "axis": axis_names(axes)},
            attrs={
                "candidate": f"{PARTY}: {' '.join(CANDIDATES[PARTY].values())}",
                "rho_age": float(near[axis_names(axes).index("age")]),
            },
        )
    eta = data.get("eta", data.get("true_eta"))
    if eta is not None and eta.dims == ("axis",):
        table["eta"] = ("axis", eta.sel(axis=axis_names(axes)).values)
        table["boost"] = (table["standardised"] * table["eta"]).sum("axis")
    return table


def _labels(traits: dict[str, str], axes: Sequence[Axis]) -> list[str]:
    return [traits.get(axis.name, "") for axis in axes]


def _frame(booths: xr.Dataset, axes: Sequence[Axis]) -> Frame:
    """What g needs: each cell counts once for every booth that has it."""
    labels = booths["cell_category"].sel(axis=axis_names(axes)).transpose("cell", "axis").values
    frame = _frame_of(labels, candidate_codes(booths, axes), candidate_values(booths, axes), axes)
    sizes = booths["cell_size"].transpose("booth", "cell").values
    area = booths["booth_constituency"].values
    own = (area == booths["constituency"].values[:, None]).astype(float)
    fielded = booths["fielded"].transpose("constituency", "party").values
    return frame._replace(fielded=fielded, presence=own @ (sizes > 0), electors=own @ sizes)


def _frame_of(labels: np.ndarray, candidates: np.ndarray, values: np.ndarray, axes: Sequence[Axis]) -> Frame:
    """Cells and candidates without features, all of whom count once."""
    cells, (places, parties, _) = codes_of(labels, axes), candidates.shape
    kernels = kernel_arrays(axes)
    everywhere = np.ones((places, len(cells)))
    return Frame(
        features=np.zeros((len(cells), 0)),
        cell_codes=cells,
        candidate_codes=candidates,
        candidate_values=values,
        scalar=kernels.scalar,
        fixed=kernels.fixed,
        band=kernels.band,
        cell_gate=gate_of(cells, axes),
        candidate_gate=gate_of(candidates, axes),
        fielded=np.ones((places, parties), bool),
        presence=everywhere,
        electors=everywhere,
    )
