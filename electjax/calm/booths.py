"""The booths Dataset: electors of each booth by demographic cell, its votes, and the candidates' traits.

All dims have labels, different from each other. Generated booths also carry the truth, `true_*`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.axes import UNKNOWN, Axis, axes_json, axes_of, axis_names, cell_labels, codes_of, gate_of
from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings, strings_like, unique_names
from electjax.data.schema import Schema, Variable, conform, refuse, spot

_BOOTHS: dict[str, Variable] = {
    "cell_size": Variable(("booth", "cell"), "count", "electors of the cell", "electors", required=True),
    "electors": Variable(("booth",), "count", "registered electors", "electors"),
    "polled": Variable(("booth",), "count", "votes polled", "votes"),
    "votes": Variable(("booth", "party"), "count", "votes", "votes", required=True),
    "cell_category": Variable(("cell", "axis"), "label", "category of the cell", "category label", required=True),
    "candidate_category": Variable(
        ("constituency", "party", "axis"), "label", "category of the candidate", "category label", required=True
    ),
    "candidate_value": Variable(
        ("constituency", "party", "axis"), "number", "value of the candidate on a scalar axis", "of the axis"
    ),
    "fielded": Variable(("constituency", "party"), "flag", "whether the party has a candidate"),
    "previous": Variable(("booth", "party"), "number", "share at the previous election"),
    "covariate_value": Variable(
        ("booth", "covariate"), "number", "covariate of the booth", "of the covariate", finite=True
    ),
    "booth_constituency": Variable(
        ("booth",), "label", "constituency of the booth", "constituency label", required=True, coord=True
    ),
}


def _check_booths(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Labels and axes, sums where they are not given, and what goes together."""
    axes = axes_of(ds.attrs.get("axes"))
    for dim in ("booth", "cell", "party"):
        if not ds.sizes[dim]:
            raise data_error(f"no {dim}", where=where, expected=f"at least one {dim}", mend="check the selection")
    ds = _with_labels(ds, axes, where)
    _check_cells(ds, axes, where)
    _check_candidates(ds, axes, where)
    _check_counts(ds, where)
    _check_totals(ds, where)
    if "covariate_value" in ds:
        ds["covariate_value"] = ds["covariate_value"].astype(np.float64)
    if "previous" in ds:
        _check_previous(ds, where)
    return ds.assign_attrs(axes=axes_json(axes))


BOOTHS = Schema(
    "booths",
    _BOOTHS,
    build="calm.read, calm.dataset or calm.simulate",
    attrs={
        "axes": "the axes as JSON (electjax.data.axes)",
        "name": "of the booths",
        "source": "where they are from",
        "notes": "how the tables were read, where anything was told, repaired or left out",
    },
    check=_check_booths,
)


def checked_booths(booths: Any) -> xr.Dataset:
    """Booths, checked and completed; nothing else."""
    return conform(booths, BOOTHS)


def areas_of(booths: xr.Dataset) -> np.ndarray:
    """Place of each booth's constituency along the dim `constituency`, [booth]."""
    index = {label: a for a, label in enumerate(strings(booths["constituency"].values).tolist())}
    return np.array([index[label] for label in strings(booths["booth_constituency"].values).tolist()], dtype=np.int32)


def dataset(
    *,
    cell_size: Any,
    votes: Any,
    cell_category: Any,
    candidate_category: Any,
    booth_constituency: Sequence[str] | np.ndarray,
    parties: Sequence[str],
    axes: Any = None,
    booths: Sequence[str] | None = None,
    constituencies: Sequence[str] | None = None,
    polled: Any = None,
    fielded: Any = None,
    candidate_value: Any = None,
    previous: Any = None,
    covariates: Mapping[str, Any] | None = None,
    name: str = "booths",
    source: str = "",
) -> xr.Dataset:
    """Booths from plain arrays, checked.

    Args:
        cell_size: electors of each booth and cell, [booth, cell]; whole numbers.
        votes: [booth, party]; they add up to `polled`.
        cell_category: category of each cell on each axis, [cell, axis]; "" where the axis does not apply.
        candidate_category: of the candidates, [constituency, party, axis]; "" where unknown.
        booth_constituency: label of the constituency of each booth.
        parties: labels.
        axes: as configuration (electjax.data.axes); None: age, religion, caste of Hindus and income.
        booths: labels; None: "1", "2", ...
        constituencies: labels, in the order of the arrays; None: in the order of `booth_constituency`.
        polled: votes polled, [booth]; None: the sum of the votes.
        fielded: whether a party has a candidate, [constituency, party]; None: everywhere.
        candidate_value: numbers of the candidates on scalar axes, [constituency, party, axis].
        previous: shares at the previous election, [booth, party], NaN where unknown.
        covariates: numbers of the booths by name.
        name, source: of the booths, for reports and errors.

    Returns:
        A booths Dataset: `cell_size(booth, cell)`, `electors(booth)`, `polled(booth)`, `votes(booth, party)`,
        `cell_category(cell, axis)`, `candidate_category` and `candidate_value(constituency, party, axis)`,
        `fielded(constituency, party)`, `previous(booth, party)`, `covariate_value(booth, covariate)`; labels on all
        dims, and `booth_constituency(booth)`. attrs: name, source, and axes as JSON.

    Raises:
        ElectionDataError: one line that names the variable, the coordinate and what was expected.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.dataset(
        ...     cell_size=[[60, 40], [30, 70]], votes=[[40, 20], [10, 50]], parties=["A", "B"],
        ...     cell_category=[["Low"], ["High"]], candidate_category=[[["Low"], ["High"]]],
        ...     booth_constituency=["North", "North"], axes={"income": {"categories": ["Low", "High"]}},
        ... )
        >>> booths.electors.values.tolist(), booths.cell.values.tolist()
        ([100, 100], ['Low', 'High'])
    """
    given = axes_of(axes)
    sizes = np.asarray(cell_size)
    variables: dict[str, Any] = {
        "cell_size": sizes,
        "votes": votes,
        "polled": polled,
        "cell_category": np.asarray(cell_category),
        "candidate_category": np.asarray(candidate_category),
        "candidate_value": candidate_value,
        "fielded": fielded,
        "previous": previous,
        "covariate_value": None if covariates is None else np.column_stack([*map(np.asarray, covariates.values())]),
    }
    found = {key: (BOOTHS.variables[key].shapes[0], np.asarray(v)) for key, v in variables.items() if v is not None}
    area = strings(booth_constituency)
    places = list(dict.fromkeys(area.tolist())) if constituencies is None else constituencies
    coords: dict[str, Any] = {
        "booth": strings(range(1, len(sizes) + 1) if booths is None else booths),
        "constituency": strings(places),
        "party": strings(parties),
        "axis": strings(axis_names(given)),
        "booth_constituency": ("booth", area),
    }
    if covariates is not None:
        coords["covariate"] = strings(covariates)
    attrs = {"name": name, "axes": axes_json(given)} | ({"source": source} if source else {})
    try:
        ds = xr.Dataset(found, coords, attrs)
    except ValueError as error:
        raise data_error(
            str(error), where="calm.dataset", expected="arrays that go together", mend="see their shapes"
        ) from None
    return conform(ds, BOOTHS)


def _with_labels(ds: xr.Dataset, axes: tuple[Axis, ...], where: str) -> xr.Dataset:
    """Labels as text, different from each other; axes in the order of the configuration."""
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
            raise data_error(
                f"no labels of {dim!r}",
                where=where,
                expected="a coordinate of labels",
                mend=f"build it with {BOOTHS.build}",
            )
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
            where=f"{where}, candidate_value({spot(ds, 'candidate_value', tuple(np.argwhere(wrong)[0]))})",
            expected="a finite number on a scalar axis, else NaN",
            mend="correct it, or make the axis scalar",
        )
    if "fielded" not in ds:
        ds["fielded"] = (BOOTHS.variables["fielded"].dims, np.ones((ds.sizes["constituency"], ds.sizes["party"]), bool))
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
    """Counts in their dtypes; sums where they are not given."""
    for name in ("cell_size", "electors", "polled", "votes"):
        if name not in ds:
            source = "cell_size" if name == "electors" else "votes"
            ds[name] = ("booth", ds[source].values.astype(np.int64).sum(axis=1))
        refuse(ds, name, ds[name].values >= 2**31, where, expected="a number that an electorate can have")
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
    of = areas_of(ds)
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


def _check_previous(ds: xr.Dataset, where: str) -> None:
    """Shares that are known are such."""
    ds["previous"] = ds["previous"].astype(np.float64)
    shares = ds["previous"].values
    bad = (shares < 0) | (np.nansum(shares, axis=1, keepdims=True) > 1 + 1e-6) | np.isinf(shares)
    if bad.any():
        at = tuple(np.argwhere(bad)[0])
        raise data_error(
            f"shares {', '.join(f'{s:.4g}' for s in shares[at[0]])}",
            where=f"{where}, previous({spot(ds, 'previous', at)})",
            expected="shares of at least 0 that add up to at most 1, NaN where unknown",
            mend="divide the votes by all votes of that election",
        )
