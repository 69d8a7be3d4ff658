"""Booths to arrays, with the labels that stay outside; and what booths must have for a fit beyond being valid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.calm.booths import BOOTHS, areas_of, checked_booths
from electjax.calm.model.design import Booths, Design, Frame
from electjax.data import axes as ax
from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings
from electjax.data.schema import place_of


@dataclass(frozen=True)
class Labels:
    """What the axes of the arrays are called."""

    booths: tuple[str, ...]
    constituencies: tuple[str, ...]
    cells: tuple[str, ...]
    parties: tuple[str, ...]
    axes: tuple[str, ...]
    features: tuple[str, ...]  # of cells
    covariates: tuple[str, ...]  # of booths
    traits: tuple[str, ...]  # of candidates
    trait_columns: tuple[int, ...]  # where these stand in the arrays


class Scale(NamedTuple):
    """How booth covariates were standardised: (x - mean) / sd, over the training booths."""

    mean: np.ndarray
    sd: np.ndarray


class Encoded(NamedTuple):
    """Booths as arrays."""

    booths: Booths
    frame: Frame
    axes: tuple[ax.Axis, ...]
    labels: Labels
    scale: Scale


def encode_booths(
    booths: xr.Dataset,
    *,
    coding: str = "one_hot",
    covariates: Sequence[str] | None = None,
    axes: object = None,
    train: np.ndarray | None = None,
    scale: Scale | None = None,
    checked: bool = False,
) -> Encoded:
    """Check booths and turn them into arrays; `coding`, `covariates` and `axes` are options of `calm.fit`.

    Args:
        train: whether a booth counts, [booth]; all do by default. The others get weight 0 and enter no statistics.
        scale: of an earlier fit, for the covariates; by default they are standardised over the training booths.
        checked: the booths passed `calm.validate` before.

    Raises:
        ElectionDataError: invalid booths, or an unknown covariate.
    """
    data = booths if checked else checked_booths(booths)
    described = ax.axes_of(data.attrs["axes"] if axes is None else axes)  # type: ignore[arg-type]
    number = data.sizes["booth"]
    weight = np.ones(number) if train is None else np.asarray(train, dtype=float)
    constituencies, area = strings(data["constituency"].values), areas_of(data)
    sizes = data["cell_size"].transpose("booth", "cell").values.astype(float)
    codes, candidates = ax.cell_codes(data, described), ax.candidate_codes(data, described)
    features, names = cell_features(codes, described, coding)
    values, used = _covariates(data, covariates)
    scale = scale or _scale_of(values, weight)
    previous = np.zeros((number, data.sizes["party"]))
    if "previous" in data:
        previous = np.nan_to_num(data["previous"].transpose("booth", "party").values.astype(float))
    columns, traits = ax.trait_labels(described)
    arrays = Booths(
        sizes=sizes,
        polled=data["polled"].values.astype(float),
        votes=data["votes"].transpose("booth", "party").values.astype(float),
        constituency=area,
        covariates=(values - scale.mean) / scale.sd,
        previous=previous,
        weight=weight,
    )
    frame = Frame(
        features=features,
        cell_codes=codes,
        candidate_codes=candidates,
        candidate_values=ax.candidate_values(data, described),
        **ax.kernel_arrays(described)._asdict(),
        cell_gate=ax.gate_of(codes, described),
        candidate_gate=ax.gate_of(candidates, described),
        fielded=data["fielded"].transpose("constituency", "party").values.astype(bool),
        presence=_summed((sizes > 0) * (weight > 0)[:, None], area, len(constituencies)),
        electors=_summed(sizes * weight[:, None], area, len(constituencies)),
    )
    labels = Labels(
        booths=tuple(strings(data["booth"].values)),
        constituencies=tuple(constituencies),
        cells=tuple(strings(data["cell"].values)),
        parties=tuple(strings(data["party"].values)),
        axes=tuple(axis.name for axis in described),
        features=tuple(names),
        covariates=tuple(used),
        traits=tuple(traits),
        trait_columns=tuple(int(column) for column in columns),
    )
    return Encoded(arrays, frame, described, labels, scale)


def cell_features(codes: np.ndarray, axes: Sequence[ax.Axis], coding: str = "one_hot") -> tuple[np.ndarray, list[str]]:
    """x_c: a block of columns per axis, and their names such as "religion[Hindu]" (calm.md section 0).

    A cell to which an axis does not apply has zeros in its block.
    """
    columns, names = [np.zeros((len(codes), 0))], []
    for d, axis in enumerate(axes):
        if axis.kernel == "scalar":
            continue
        block = (codes[:, [d]] == np.arange(len(axis.categories))).astype(float)
        labels = [f"{axis.name}[{label}]" for label in axis.categories]
        if coding != "one_hot":
            base = block[:, :1] if coding == "sum_to_zero" else 0.0
            block, labels = block[:, 1:] - base, labels[1:]
        columns.append(block)
        names += labels
    return np.concatenate(columns, axis=1), names


def _covariates(data: xr.Dataset, wanted: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Values [i, q] and names of the covariates to use."""
    there = strings(data["covariate"].values).tolist() if "covariate_value" in data else []
    used = there if wanted is None else [str(name) for name in wanted]
    for name in used:
        if name not in there:
            raise data_error(
                f"no covariate {name!r}",
                where=place_of(data, BOOTHS),
                expected="covariates of the booths",
                mend=suggest(name, there) if there else "these booths have none",
            )
    if not used:
        return np.zeros((data.sizes["booth"], 0)), []
    values = data["covariate_value"].transpose("booth", "covariate").values
    return values[:, [there.index(name) for name in used]].astype(float), used


def _scale_of(values: np.ndarray, weight: np.ndarray) -> Scale:
    total = max(weight.sum(), 1.0)
    mean = weight @ values / total
    sd = np.sqrt(weight @ (values - mean) ** 2 / total)
    return Scale(mean, np.where(sd > 0, sd, 1.0))


def _summed(values: np.ndarray, area: np.ndarray, number: int) -> np.ndarray:
    """Sums over the booths of each constituency."""
    total = np.zeros((number, values.shape[1]))
    np.add.at(total, area, values)
    return total


def check_fittable(booths: xr.Dataset, design: Design) -> list[str]:
    """Sentences about previous shares that are there for some of the booths, valid ones, only.

    Raises:
        ElectionDataError: no booth has polled, or the mobilisation is weighted by previous shares that no booth has.
    """
    polled = booths["polled"].values
    if not polled.any():
        raise data_error(
            "no votes polled",
            where=f"{place_of(booths, BOOTHS)}, polled",
            expected="booths that have polled",
            mend="fit booths that have polled, and use predict for these",
        )
    notes: list[str] = []
    if design.mobilisation != "previous":
        return notes
    known, whole = known_previous(booths)
    if not known.any():
        raise data_error(
            "no booth has a previous share",
            where=f"{place_of(booths, BOOTHS)}, previous, which mobilisation='previous' takes as weights",
            expected="previous(booth, party)",
            mend="add previous shares, or use mobilisation='model'",
        )
    if not known.all():
        notes.append(
            f"{int((~known).sum())} of {len(known)} booths have no previous shares: as weights of the mobilisation "
            "they take the shares of their constituency in the election that is fitted"
        )
    if (known & ~whole).any():
        notes.append(
            f"{int((known & ~whole).sum())} of {len(known)} booths have previous shares of some of their parties only: "
            "the others weigh 0 in the mobilisation"
        )
    return notes


def known_previous(booths: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Whether a booth has previous shares of some of the parties that stand, and whether of all of them, [booth]."""
    if "previous" not in booths:
        nothing = np.zeros(booths.sizes["booth"], bool)
        return nothing, nothing
    stands = booths["fielded"].transpose("constituency", "party").values.astype(bool)[areas_of(booths)]
    shares = booths["previous"].transpose("booth", "party").values.astype(float)
    known, missing = stands & (shares > 0), stands & np.isnan(shares)
    return np.any(known, axis=1), ~np.any(missing, axis=1)
