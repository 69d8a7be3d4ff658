"""The booths Dataset: electors of each booth by demographic cell, its votes, and the candidates' traits.

| variable | dims | meaning |
|---|---|---|
| `cell_size` | booth, cell | electors, int32; 0 where the booth lacks the cell |
| `electors` | booth | registered electors, the sum of the cells, int64 |
| `polled` | booth | votes polled, at most the electors, int64 |
| `votes` | booth, party | they add up to the votes polled, int64 |
| `cell_category` | cell, axis | category of the cell; "" where the axis does not apply (scalar, caste of a Muslim) |
| `candidate_category` | constituency, party, axis | category of the candidate; "" where unknown |
| `candidate_value` | constituency, party, axis | the candidate's number on a scalar axis, NaN where unknown |
| `fielded` | constituency, party | whether the party has a candidate; it has no votes elsewhere |
| `previous` | booth, party | shares at the previous election, NaN where unknown; optional |
| `covariate_value` | booth, covariate | numbers, optional |

All dims have labels, different from each other; `booth_constituency(booth)` is the constituency of a booth. Attributes:
`name`, `source` and `axes`, the JSON of `electjax.data.axes`. Generated booths also carry the truth.
"""

from collections import Counter

import numpy as np
import xarray as xr

import electjax
from electjax.data.axes import UNKNOWN, Axis, axes_json, axes_of, axis_names, cell_labels, codes_of, gate_of
from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings, strings_like, unique_names

_DIMS: dict[str, tuple[str, ...]] = {
    "cell_size": ("booth", "cell"),
    "electors": ("booth",),
    "polled": ("booth",),
    "votes": ("booth", "party"),
    "cell_category": ("cell", "axis"),
    "candidate_category": ("constituency", "party", "axis"),
    "candidate_value": ("constituency", "party", "axis"),
    "fielded": ("constituency", "party"),
    "previous": ("booth", "party"),
    "covariate_value": ("booth", "covariate"),
    "booth_constituency": ("booth",),
}
_NEEDED = ("cell_size", "votes", "cell_category", "candidate_category", "booth_constituency")
_ATTRS: dict[str, dict[str, str]] = {
    "cell_size": {"long_name": "electors of the cell", "units": "electors"},
    "electors": {"long_name": "registered electors", "units": "electors"},
    "polled": {"long_name": "votes polled", "units": "votes"},
    "votes": {"long_name": "votes", "units": "votes"},
    "cell_category": {"long_name": "category of the cell", "units": "category label"},
    "candidate_category": {"long_name": "category of the candidate", "units": "category label"},
    "candidate_value": {"long_name": "value of the candidate on a scalar axis", "units": "of the axis"},
    "fielded": {"long_name": "whether the party has a candidate", "units": "1"},
    "previous": {"long_name": "share at the previous election", "units": "1"},
    "covariate_value": {"long_name": "covariate of the booth", "units": "of the covariate"},
    "booth_constituency": {"long_name": "constituency of the booth", "units": "constituency label"},
}
BUILD = "build it with calm.read or calm.simulate"


def validate(booths: xr.Dataset) -> xr.Dataset:
    """Check booths against the schema and return them with the schema's dims order, dtypes and units.

    What follows from the rest is added where it is missing: `electors` and `polled` as sums, `fielded` (everywhere),
    `candidate_value` (unknown), labels of cells, the default `axes`. The argument itself stays as it is.

    Raises:
        ElectionDataError: one line that names the variable, the coordinate, what was found, what was expected and how
            to mend it.
    """
    if not isinstance(booths, xr.Dataset):
        found = type(booths).__name__
        raise data_error(f"found {found}", where="booths", expected="an xarray Dataset of booths", mend=BUILD)
    where = place(booths)
    ds = booths.copy()
    axes = axes_of(ds.attrs.get("axes"))
    _check_dims(ds, where)
    ds = _with_labels(ds, axes, where)
    _check_cells(ds, axes, where)
    _check_candidates(ds, axes, where)
    _check_counts(ds, where)
    _check_totals(ds, where)
    _check_numbers(ds, where)
    ds.attrs |= {"axes": axes_json(axes), "electjax_version": electjax.__version__}
    for name, attrs in _ATTRS.items():
        if name in ds.variables:
            ds[name].attrs = attrs | ds[name].attrs
    return ds


def place(booths: xr.Dataset) -> str:
    """Where a fault in these booths is: their file, else their name."""
    return str(booths.attrs.get("source") or f"booths {booths.attrs.get('name', '')!r}")


def _check_dims(ds: xr.Dataset, where: str) -> None:
    for name in _NEEDED:
        if name not in ds.variables:
            raise data_error(f"no {name!r}", where=where, expected=f"{name}({', '.join(_DIMS[name])})", mend=BUILD)
    for name, dims in _DIMS.items():
        if name not in ds.variables:
            continue
        if set(ds[name].dims) != set(dims):
            raise data_error(
                f"{name} has dims {ds[name].dims}", where=where, expected=f"{dims}", mend="rename or drop dims"
            )
        ds[name] = ds[name].transpose(*dims)
    for dim in ("booth", "cell", "party"):
        if not ds.sizes[dim]:
            raise data_error(f"no {dim}", where=where, expected=f"at least one {dim}", mend="check the selection")


def _with_labels(ds: xr.Dataset, axes: tuple[Axis, ...], where: str) -> xr.Dataset:
    """Labels as text, different from each other; axes in the order of the configuration."""
    ds = ds.set_coords("booth_constituency")
    if "axis" not in ds.coords or sorted(map(str, ds["axis"].values)) != sorted(axis_names(axes)):
        found = ", ".join(map(str, ds["axis"].values)) if "axis" in ds.coords else "no labels"
        raise data_error(
            f"axes {found}",
            where=f"{where}, coordinate 'axis'",
            expected=f"{', '.join(axis_names(axes))}, as in the attribute axes",
            mend="write the configuration of the axes into attrs['axes'] (axes_json)",
        )
    ds = ds.assign_coords(axis=strings(ds["axis"].values)).sel(axis=axis_names(axes))
    ds["cell_category"] = ds["cell_category"].copy(data=strings_like(ds["cell_category"].values))
    ds["candidate_category"] = ds["candidate_category"].copy(data=strings_like(ds["candidate_category"].values))
    if "cell" not in ds.coords:
        ds = ds.assign_coords(cell=strings(unique_names(cell_labels(ds["cell_category"].values))))
    for dim in ("booth", "cell", "party", "constituency", "covariate"):
        if dim not in ds.dims:
            continue
        if dim not in ds.coords:
            raise data_error(f"no labels of {dim!r}", where=where, expected="a coordinate of labels", mend=BUILD)
        labels = strings(ds[dim].values)
        if len(set(labels.tolist())) < len(labels) or any(not label.strip() for label in labels.tolist()):
            label = next(name for name, n in Counter(labels.tolist()).items() if n > 1 or not name.strip())
            raise data_error(
                f"{label!r} is {'blank' if not label.strip() else 'there twice'}",
                where=f"{where}, coordinate {dim!r}",
                expected="one different label each",
                mend="rename it",
            )
        ds = ds.assign_coords({dim: (dim, labels, ds[dim].attrs)})
    of = strings(ds["booth_constituency"].values)
    strange = ~np.isin(of, ds["constituency"].values)
    if strange.any():
        raise data_error(
            f"unknown constituency {str(of[strange][0])!r} of booth {ds['booth'].values[strange.argmax()].item()!r}",
            where=f"{where}, booth_constituency",
            expected="a label of the coordinate 'constituency'",
            mend=suggest(str(of[strange][0]), ds["constituency"].values.tolist()),
        )
    return ds.assign_coords(booth_constituency=("booth", of, ds["booth_constituency"].attrs))


def _check_cells(ds: xr.Dataset, axes: tuple[Axis, ...], where: str) -> None:
    """A cell has a category where the axis applies and none elsewhere, and no two cells are alike."""
    labels = ds["cell_category"].values
    codes = codes_of(labels, axes, where=f"{where}, cell_category")
    gate = gate_of(codes, axes)
    wanted = gate & np.array([bool(axis.categories) for axis in axes])
    wrong = wanted != (codes != UNKNOWN)
    if wrong.any():
        c, d = (int(i) for i in np.argwhere(wrong)[0])
        inside = " and ".join(f"{p} {category}" for p, category in axes[d].within or ())
        raise data_error(
            f"{axes[d].name} is {str(labels[c, d])!r} in the cell {str(ds['cell'].values[c])!r}",
            where=f"{where}, cell_category",
            expected=f"one of {', '.join(axes[d].categories)}" if wanted[c, d] else f"'' outside {inside}",
            mend="give the category, 'Unknown' if need be" if wanted[c, d] else "blank it, or leave `within` out",
        )
    _, first, count = np.unique(codes, axis=0, return_index=True, return_counts=True)
    if (count > 1).any():
        label = str(ds["cell"].values[first[count > 1][0]])
        raise data_error(
            f"two cells have the categories of {label!r}", where=where, expected="different cells", mend="add them up"
        )


def _check_candidates(ds: xr.Dataset, axes: tuple[Axis, ...], where: str) -> None:
    """Known categories, numbers on scalar axes only, and somebody to vote for."""
    codes_of(ds["candidate_category"].values, axes, where=f"{where}, candidate_category")
    if "candidate_value" not in ds:
        ds["candidate_value"] = ds["candidate_category"].copy(data=np.full(ds["candidate_category"].shape, np.nan))
        ds["candidate_value"].attrs = {}
    ds["candidate_value"] = ds["candidate_value"].astype(np.float64)
    values = ds["candidate_value"].values
    wrong = np.isinf(values) | (~np.isnan(values) & np.array([bool(axis.categories) for axis in axes]))
    if wrong.any():
        raise data_error(
            f"found {values[wrong][0]:g}",
            where=f"{where}, candidate_value({_spot(ds, 'candidate_value', wrong)})",
            expected="a finite number on a scalar axis, else NaN",
            mend="correct it, or make the axis scalar",
        )
    if "fielded" not in ds:
        ds["fielded"] = (_DIMS["fielded"], np.ones((ds.sizes["constituency"], ds.sizes["party"]), bool))
    ds["fielded"] = ds["fielded"].astype(bool)
    empty = ~ds["fielded"].values.any(axis=1)
    if empty.any():
        raise data_error(
            f"no candidate in {str(ds['constituency'].values[empty][0])!r}",
            where=f"{where}, fielded",
            expected="at least one in each constituency",
            mend="add the candidates, or leave the constituency out",
        )


def _check_counts(ds: xr.Dataset, where: str) -> None:
    """Whole numbers of at least 0; sums where they are not given."""
    for name in ("cell_size", "electors", "polled", "votes"):
        if name not in ds:
            source = "cell_size" if name == "electors" else "votes"
            ds[name] = ("booth", ds[source].values.astype(np.int64).sum(axis=1))
            continue
        values = ds[name].values
        if values.dtype.kind not in "iuf":
            raise data_error(f"{name} holds {values.dtype}", where=where, expected="whole numbers", mend=BUILD)
        bad = ~((values >= 0) & (values < 2**31))
        if values.dtype.kind == "f":
            bad |= values != np.floor(values)
        if bad.any():
            raise data_error(
                f"found {values[bad][0].item()!r}",
                where=f"{where}, {name}({_spot(ds, name, bad)})",
                expected="a whole number, 0 or more",
                mend="correct it",
            )
        ds[name] = ds[name].astype(np.int32 if name == "cell_size" else np.int64)


def _check_totals(ds: xr.Dataset, where: str) -> None:
    """Cells add up to electors, votes to votes polled, and who votes is an elector and has a candidate."""
    electors, polled = ds["electors"].values, ds["polled"].values
    cells = ds["cell_size"].values.sum(axis=1, dtype=np.int64)
    votes = ds["votes"].values.sum(axis=1)
    for bad, said, expected, mend in (
        (cells != electors, lambda i: f"cells add up to {cells[i]}, electors are {electors[i]}", "the same", "correct"),
        (electors == 0, lambda _: "no electors", "at least one", "leave out"),
        (
            polled > electors,
            lambda i: f"{polled[i]} votes polled by {electors[i]} electors",
            "at most 1 each",
            "correct",
        ),
        (votes != polled, lambda i: f"votes add up to {votes[i]}, {polled[i]} are polled", "the same", "correct"),
    ):
        if bad.any():
            i = int(bad.argmax())
            raise data_error(
                said(i),
                where=f"{where}, booth {str(ds['booth'].values[i])!r}",
                expected=expected,
                mend=f"{mend} the booth" + (f"; {int(bad.sum())} such booths" if bad.sum() > 1 else ""),
            )
    index = {label: a for a, label in enumerate(ds["constituency"].values.tolist())}
    of = np.array([index[label] for label in ds["booth_constituency"].values.tolist()])
    lost = (ds["votes"].values > 0) & ~ds["fielded"].values[of]
    if lost.any():
        i, k = (int(n) for n in np.argwhere(lost)[0])
        raise data_error(
            f"{ds['votes'].values[i, k]} votes for {str(ds['party'].values[k])!r} in booth"
            f" {str(ds['booth'].values[i])!r}, without a candidate in {str(ds['constituency'].values[of[i]])!r}",
            where=f"{where}, votes",
            expected="0 where a party is not fielded",
            mend="correct fielded or the votes",
        )


def _check_numbers(ds: xr.Dataset, where: str) -> None:
    if "covariate_value" in ds:
        ds["covariate_value"] = ds["covariate_value"].astype(np.float64)
        bad = ~np.isfinite(ds["covariate_value"].values)
        if bad.any():
            raise data_error(
                f"found {ds['covariate_value'].values[bad][0]}",
                where=f"{where}, covariate_value({_spot(ds, 'covariate_value', bad)})",
                expected="finite numbers",
                mend="fill it in, or leave the covariate out",
            )
    if "previous" in ds:
        ds["previous"] = ds["previous"].astype(np.float64)
        shares = ds["previous"].values
        bad = (shares < 0) | (np.nansum(shares, axis=1, keepdims=True) > 1 + 1e-6) | np.isinf(shares)
        if bad.any():
            raise data_error(
                f"shares {', '.join(f'{s:.4g}' for s in shares[np.argwhere(bad)[0][0]])}",
                where=f"{where}, previous({_spot(ds, 'previous', bad)})",
                expected="shares of at least 0 that add up to at most 1, NaN where unknown",
                mend="divide the votes by all votes of that election",
            )


def _spot(ds: xr.Dataset, name: str, bad: np.ndarray) -> str:
    """The labels of the first bad entry."""
    at = np.argwhere(bad)[0]
    return ", ".join(f"{dim}={str(ds[dim].values[i])!r}" for dim, i in zip(ds[name].dims, at, strict=True))
