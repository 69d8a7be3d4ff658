"""Demographic axes as configuration: what categories people and candidates fall into, and who is how near to whom.

    age:       {categories: ["18-25", "26-35", ...], kernel: ordinal, proximity: 0.5}  # of neighbouring bins
    religion:  {categories: [Hindu, Muslim, ...], kernel: match}
    caste:     {categories: [General, OBC, ...], kernel: match, within: {religion: Hindu}}  # 0 unless both are Hindu
    education: {categories: [School, College], kernel: proximity, proximity: [[1, 0.5], [0.5, 1]]}
    valence:   {kernel: scalar}  # a number of the candidate, the same for all cells

A kernel (section 2 of the CALM document) is a file of `electjax/data/kernels`. The proximity of an ordinal axis is only
what a fit begins with: its option `proximity` sets another. The order of axes is theirs everywhere, and a nested axis
comes after the one it is within.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import ElectionDataError, data_error, suggest
from electjax.numerics.registry import names_in

UNKNOWN = -1
FILES = (".yaml", ".yml", ".json")
_KEYS = ("categories", "kernel", "proximity", "within")

DEFAULT: dict[str, dict[str, Any]] = {
    "age": {"categories": ["18-25", "26-35", "36-45", "46-60", "61-75", "76+"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim", "Sikh", "Christian", "Jain", "Other"], "kernel": "match"},
    "caste": {
        "categories": ["General", "OBC", "SC", "ST", "Other"],
        "kernel": "match",
        "within": {"religion": "Hindu"},
    },
    "income": {"categories": ["Low", "Middle", "High"], "kernel": "match"},
}


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        name: its label along the dim `axis`.
        categories: in order; none for a scalar axis.
        kernel: how near two categories are, by the name of its file.
        proximity: what the kernel keeps: a number between neighbours (ordinal), or a matrix row by row, cell's
            category by candidate's (proximity).
        within: the axes before it and their categories that someone must have for this axis to apply.
    """

    name: str
    categories: tuple[str, ...] = ()
    kernel: str = "match"
    proximity: Any = None
    within: tuple[tuple[str, str], ...] | None = None


class KernelArrays(NamedTuple):
    """The proximity matrix of an axis is fixed + rho * band; axes with fewer categories are filled up with zeros."""

    scalar: np.ndarray  # [d]
    fixed: np.ndarray  # [d, l, l]
    band: np.ndarray  # [d, l, l]


def axes_of(spec: "Mapping[str, Any] | Sequence[Axis] | str | Path | None" = None) -> tuple[Axis, ...]:
    """The axes that a configuration describes.

    Args:
        spec: by name, as above (an axis that is None is left out); a yaml or json file of that; the JSON of
            `axes_json`; axes, which stay as they are; or None for the default: age, religion, caste of Hindus and
            income, 180 cells.

    Raises:
        ElectionDataError: one line that names the key, such as `axes.caste.within`.
    """
    entries: Any = DEFAULT if spec is None else spec
    if isinstance(entries, Path) or (isinstance(entries, str) and entries.casefold().endswith(FILES)):
        entries = _file(Path(entries))
    if isinstance(entries, str):
        try:
            entries = dict(json.loads(entries))
        except (ValueError, TypeError) as error:
            raise _fault("axes", f"no JSON: {error}", "axes by name", "write them with axes_json") from None
    if isinstance(entries, Sequence):
        entries = _spec(entries)  # checked like any other
    if not isinstance(entries, Mapping):
        raise _fault("axes", f"found {entries!r}", "axes by name", "as in axes: {religion: {categories: [A, B]}}")
    axes: list[Axis] = []
    for name, entry in entries.items():
        if entry is not None:
            axes.append(_axis(str(name), entry, axes))
    if not axes:
        raise _fault("axes", "no axis", "at least one axis", "leave it out for the default axes")
    return tuple(axes)


def _file(path: Path) -> Any:
    """What a yaml or json file holds; JSON is yaml too."""
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.safe_load(path.read_bytes())
    except OSError:
        raise _fault(str(path), "no such file", "axes as yaml or json", "check the path, or give a mapping") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise _fault(path.name, f"cannot be read ({said})", "axes by name as yaml or json", "correct it") from None


def axes_json(axes: Sequence[Axis]) -> str:
    """The axes as JSON, which `axes_of` reads back."""
    return json.dumps(_spec(axes))


def axis_names(axes: Sequence[Axis]) -> list[str]:
    """Labels of the dim `axis`."""
    return [axis.name for axis in axes]


def kernel_names() -> list[str]:
    """The kernels there are: the files of `electjax/data/kernels`."""
    return names_in("electjax.data.kernels")


def kernel_of(name: str) -> Any:
    """The file of a kernel, as a module."""
    return import_module(f"electjax.data.kernels.{name}")


def kernel_arrays(axes: Sequence[Axis]) -> KernelArrays:
    """Kernels as arrays (section 2): A(rho) has 1 on the diagonal, rho on adjacent categories and 0 beyond."""
    size = max([len(axis.categories) for axis in axes] + [1])
    fixed, band = np.zeros((2, len(axes), size, size))
    for d, axis in enumerate(axes):
        n = len(axis.categories)
        fixed[d, :n, :n], band[d, :n, :n] = kernel_of(axis.kernel).matrices(n, axis.proximity)
    return KernelArrays(np.array([not axis.categories for axis in axes]), fixed, band)


def proximity_of(axes: Sequence[Axis], values: Mapping[str, float] | None = None) -> np.ndarray:
    """Proximity rho of adjacent categories of every axis, [d]: 0 unless the axis is ordinal.

    It is that of `values`, by axis, else of the axis, else what its kernel begins with.

    Raises:
        ElectionDataError: no such ordinal axis, or a value outside [0, 1].
    """
    found, ordinal = {}, {axis.name: axis for axis in axes if kernel_of(axis.kernel).START is not None}
    for name, axis in ordinal.items():
        found[name] = kernel_of(axis.kernel).START if axis.proximity is None else axis.proximity
    for name, value in (values or {}).items():
        if name not in ordinal:
            known = suggest(str(name), list(ordinal)) if ordinal else "there is none"
            raise _fault(f"proximity.{name}", "no such ordinal axis", "an axis with the kernel ordinal", known)
        found[name] = _setting(ordinal[name].kernel, value, 0, f"proximity.{name}")
    return np.array([found.get(axis.name, 0.0) for axis in axes], float)


def codes_of(labels: np.ndarray, axes: Sequence[Axis], *, where: str = "categories") -> np.ndarray:
    """Codes of category labels [..., d]: -1 for a blank, and on scalar axes.

    Raises:
        ElectionDataError: a label that is no category of its axis.
    """
    labels = np.asarray(labels)
    codes = np.full(labels.shape, UNKNOWN, np.int32)
    for d, axis in enumerate(axes):
        found, index = np.unique(labels[..., d].astype(str), return_inverse=True)
        known = {label: code for code, label in enumerate(axis.categories)} | {"": UNKNOWN}
        strange = [label for label in found.tolist() if label not in known]
        if strange:
            raise data_error(
                f"unknown category {strange[0]!r} of {axis.name}",
                where=where,
                expected=f"one of {', '.join(axis.categories)}, or blank" if axis.categories else "a blank",
                mend=suggest(strange[0], axis.categories) if axis.categories else "an axis that is scalar has none",
            )
        codes[..., d] = np.array([known[label] for label in found.tolist()], np.int32)[index.reshape(codes.shape[:-1])]
    return codes


def gate_of(codes: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Whether an axis applies, [..., d]: everywhere but where a nested axis finds another category, or none known."""
    gate = np.ones(codes.shape, bool)
    place = {axis.name: d for d, axis in enumerate(axes)}
    for d, axis in enumerate(axes):
        for parent, category in axis.within or ():
            p = place[parent]
            gate[..., d] &= gate[..., p] & (codes[..., p] == axes[p].categories.index(category))
    return gate


def cell_codes(booths: xr.Dataset, axes: Sequence[Axis]) -> np.ndarray:
    """Category of each cell on each axis, [c, d]; -1 where not applicable."""
    return codes_of(_labels(booths, "cell_category", ("cell",), axes), axes, where="cell_category")


def candidate_codes(booths: xr.Dataset, axes: Sequence[Axis]) -> np.ndarray:
    """Category of each candidate on each axis, [a, k, d]; -1 where unknown."""
    labels = _labels(booths, "candidate_category", ("constituency", "party"), axes)
    return codes_of(labels, axes, where="candidate_category")


def candidate_values(booths: xr.Dataset, axes: Sequence[Axis]) -> np.ndarray:
    """Each candidate's value on scalar axes, [a, k, d]; 0 elsewhere and where unknown (section 6: missing traits)."""
    shape = booths.sizes["constituency"], booths.sizes["party"], len(axes)
    if "candidate_value" not in booths:
        return np.zeros(shape)
    values = booths["candidate_value"].sel(axis=axis_names(axes)).transpose("constituency", "party", "axis").values
    scalar = np.array([not axis.categories for axis in axes])
    return np.where(scalar & np.isfinite(values), values, 0.0)


def every_cell(axes: Sequence[Axis]) -> np.ndarray:
    """Labels [c, d] of all combinations of categories, the last axis fastest; blank where an axis does not apply."""
    kept: list[dict[str, str]] = [{}]
    for axis in axes:
        free = axis.categories or ("",)
        kept = [
            cell | {axis.name: label}
            for cell in kept
            for label in (free if all(cell[p] == category for p, category in axis.within or ()) else ("",))
        ]
    return np.array([[cell[axis.name] for axis in axes] for cell in kept], dtype=np.str_)


def cell_labels(labels: np.ndarray) -> list[str]:
    """A name for each cell from its categories [c, d], such as "46-60 Hindu OBC Middle"."""
    rows = np.asarray(labels).astype(str).tolist()
    names = [" ".join(label for label in row if label) for row in rows]
    return names if len(set(names)) == len(names) else [" ".join(label or "-" for label in row) for row in rows]


def trait_labels(axes: Sequence[Axis]) -> tuple[np.ndarray, list[str]]:
    """Which columns of `electjax.calm.model.affinity.candidate_features` stand for something, and their names.

    These are "caste[OBC]" for a category, and the axis's own name for a scalar.
    """
    size = kernel_arrays(axes).fixed.shape[1]
    named = [
        (d * size + n, f"{axis.name}[{label}]" if label else axis.name)
        for d, axis in enumerate(axes)
        for n, label in enumerate(axis.categories or ("",))
    ]
    return np.array([column for column, _ in named]), [name for _, name in named]


def _labels(booths: xr.Dataset, name: str, dims: tuple[str, ...], axes: Sequence[Axis]) -> np.ndarray:
    there = [str(label) for label in booths["axis"].values]
    for axis in axes:
        if axis.name not in there:
            raise data_error(
                f"no axis {axis.name!r}", where=name, expected="every axis", mend=suggest(axis.name, there)
            )
    return np.asarray(booths[name].sel(axis=axis_names(axes)).transpose(*dims, "axis").values)


def _axis(name: str, entry: Any, before: Sequence[Axis]) -> Axis:
    """One entry of the configuration, checked."""
    key = f"axes.{name}"
    if not name.strip() or not isinstance(entry, Mapping):
        raise _fault(key, f"found {entry!r}", f"a name and some of {', '.join(_KEYS)}", "as in {categories: [A, B]}")
    for other in entry:
        if other not in _KEYS:
            raise _fault(f"{key}.{other}", "no such setting of an axis", ", ".join(_KEYS), suggest(str(other), _KEYS))
    kernel: Any = entry.get("kernel") or "match"
    if kernel not in kernel_names():
        known = kernel_names()
        raise _fault(f"{key}.kernel", f"no kernel {kernel!r}", " or ".join(known), suggest(str(kernel), known))
    categories = _categories(entry.get("categories"), kernel, f"{key}.categories")
    return Axis(
        name=name,
        categories=categories,
        kernel=kernel,
        proximity=_setting(kernel, entry.get("proximity"), len(categories), f"{key}.proximity"),
        within=_parents(entry.get("within"), name, before, f"{key}.within"),
    )


def _setting(kernel: str, found: Any, size: int, key: str) -> Any:
    """What an axis with so many categories keeps for its kernel."""

    def fault(problem: str, expected: str, mend: str) -> ElectionDataError:
        return _fault(key, problem, expected, mend)

    return kernel_of(kernel).read(found, size, fault)


def _categories(found: Any, kernel: str, key: str) -> tuple[str, ...]:
    if not kernel_of(kernel).CATEGORIES:
        if found:
            raise _fault(key, f"categories of a {kernel} axis", "none", "leave them out, or use another kernel")
        return ()
    if isinstance(found, str) or not isinstance(found, Sequence) or not found:
        raise _fault(key, f"found {found!r}", "a list of labels", "as in [Low, Middle, High]")
    if any(isinstance(label, bool) for label in found):
        raise _fault(key, "found true or false", "text", "write labels such as 'yes' and 'no' in quotes")
    labels = tuple(str(label).strip() for label in found)
    if not all(labels) or len(set(labels)) < len(labels):
        raise _fault(key, f"found {list(labels)}", "different labels that are not blank", "a blank means unknown")
    return labels


def _parents(found: Any, name: str, before: Sequence[Axis], key: str) -> tuple[tuple[str, str], ...] | None:
    if found is None:
        return None
    if not isinstance(found, Mapping) or not found:
        raise _fault(key, f"found {found!r}", "an axis and its category", "as in {religion: Hindu}")
    known = {axis.name: axis for axis in before}
    for parent, category in found.items():
        if parent not in known:
            mend = suggest(str(parent), list(known)) if known else f"put {name} after the axis it is within"
            raise _fault(key, f"no axis {parent!r} before {name}", "an axis that comes earlier", mend)
        if category not in known[parent].categories:
            there = known[parent].categories or ("none, the axis is scalar",)
            problem = f"{parent} has no category {category!r}"
            raise _fault(key, problem, f"one of {', '.join(there)}", suggest(str(category), there))
    return tuple((str(parent), str(category)) for parent, category in found.items())


def _spec(axes: Sequence[Axis]) -> dict[str, dict[str, Any]]:
    """Configuration of axes: only what is set."""
    found: dict[str, dict[str, Any]] = {}
    for axis in axes:
        if not isinstance(axis, Axis):
            raise _fault("axes", f"found {axis!r}", "axes by name", "as in axes: {religion: {categories: [A, B]}}")
        entry: dict[str, Any] = {"categories": list(axis.categories)} if axis.categories else {}
        entry["kernel"] = axis.kernel
        if axis.proximity is not None:
            entry["proximity"] = axis.proximity
        if axis.within is not None:
            entry["within"] = dict(axis.within)
        found[axis.name] = entry
    return found


def _fault(where: str, problem: str, expected: str, mend: str) -> ElectionDataError:
    return data_error(problem, where=where, expected=expected, mend=mend)
