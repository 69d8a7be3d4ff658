"""The units Dataset: row and column margins of each unit, contest by contest.

A contest is one election in one place, a unit a booth or precinct of it. Rows are groups of voters, or the options of
another ballot paper; columns are the candidates or parties. How many of a row voted for a column is unknown.

| variable | dims | meaning |
|---|---|---|
| `row_margin` | unit, row | voters of each row; int64 where all are whole, else float64 |
| `column_margin` | unit, column | votes of each column, as many in all as the unit's rows have |
| `truth` | contest, row, column | the counted cross-table, NaN for a contest where it is unknown; optional |
| `unit_truth` | unit, row, column | the same of each unit; optional |
| `row_category`, `column_category` | contest, row or column, axis | traits of options, "" where unknown; optional |
| `row_covariate` | contest, row, row_variable | numbers of options, NaN where unknown; optional |
| `column_covariate` | contest, column, column_variable | the same of columns; optional |

Contests differ in their options: `row_name(contest, row)` and `column_name(contest, column)` name them, and the places
after a contest's last option are padding, with a blank name and margins of 0. `row_party` and `column_party` are the
parties of options, "" where there is none; what was merged is called `OTHER`, and so is its party. The units of a
contest stand together: `unit_contest(unit)` is its label, `unit_name(unit)` the unit's own name. Attributes: `name`,
`source`, `rows` ("votes" of another ballot paper, or "groups" of people), `axes` (JSON, as booths have them),
`merge_below`, `notes` (JSON: what the reader did, in sentences).
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr

import electjax
from electjax.data.axes import axes_of, axis_names, codes_of
from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings, strings_like

RowKind = Literal["votes", "groups"]

CONVENTIONS = "electjax units"
OTHER = "OTHER"
DID_NOT_VOTE = "did not vote"
AGREE = 1e-6  # relative difference of two totals that are not whole

_BUILD = "build it with ecological.read"
_DIMS: dict[str, tuple[str, ...]] = {
    "row_margin": ("unit", "row"),
    "column_margin": ("unit", "column"),
    "truth": ("contest", "row", "column"),
    "unit_truth": ("unit", "row", "column"),
    "row_category": ("contest", "row", "axis"),
    "column_category": ("contest", "column", "axis"),
    "row_covariate": ("contest", "row", "row_variable"),
    "column_covariate": ("contest", "column", "column_variable"),
    "unit_contest": ("unit",),
    "unit_name": ("unit",),
    "row_name": ("contest", "row"),
    "column_name": ("contest", "column"),
    "row_party": ("contest", "row"),
    "column_party": ("contest", "column"),
}
_NEEDED = ("row_margin", "column_margin", "unit_contest", "row_name", "column_name")
_COORDS = ("unit_contest", "unit_name", "row_name", "column_name", "row_party", "column_party")
_ATTRS: dict[str, dict[str, str]] = {
    "row_margin": {"long_name": "voters of the row", "units": "voters"},
    "column_margin": {"long_name": "votes of the column", "units": "votes"},
    "truth": {"long_name": "counted voters of the row who chose the column", "units": "voters"},
    "unit_truth": {"long_name": "counted voters of the row who chose the column", "units": "voters"},
    "row_category": {"long_name": "trait of the row", "units": "category label"},
    "column_category": {"long_name": "trait of the column", "units": "category label"},
    "row_covariate": {"long_name": "covariate of the row", "units": "of the variable"},
    "column_covariate": {"long_name": "covariate of the column", "units": "of the variable"},
    "unit_contest": {"long_name": "contest of the unit"},
    "unit_name": {"long_name": "name of the unit"},
    "row_name": {"long_name": "name of the row, blank in padding"},
    "column_name": {"long_name": "name of the column, blank in padding"},
    "row_party": {"long_name": "party of the row"},
    "column_party": {"long_name": "party of the column"},
}


def validate(units: xr.Dataset) -> xr.Dataset:
    """Check units against the schema and return them with the schema's dims order, dtypes and units of measure.

    The units of a contest are put together, contests in their order. What may be missing is added: parties (none),
    names of units (their labels), notes (none). The argument itself stays as it is.

    Raises:
        ElectionDataError: one line that names the variable, the coordinate, what was found, what was expected and how
            to mend it.
    """
    if not isinstance(units, xr.Dataset):
        found = type(units).__name__
        raise data_error(f"found {found}", where="units", expected="an xarray Dataset of units", mend=_BUILD)
    where = place(units)
    ds = units.copy()
    _check_dims(ds, where)
    ds = ds.set_coords([name for name in _COORDS if name in ds.variables])
    ds = _with_labels(ds, where)
    ds = _with_options(ds, where)
    ds = _in_order(ds, where)
    _check_margins(ds, where)
    _check_truth(ds, where)
    ds = _check_traits(ds, where)
    _check_attrs(ds, where)
    for name, attrs in _ATTRS.items():
        if name in ds.variables:
            ds[name].attrs = attrs | ds[name].attrs
    return ds


def place(units: xr.Dataset) -> str:
    """Where a fault in these units is: their file, else their name."""
    return str(units.attrs.get("source") or f"units {units.attrs.get('name', '')!r}")


def contest_index(units: xr.Dataset) -> np.ndarray:
    """Number of each unit's contest, [N]."""
    index = {label: d for d, label in enumerate(units["contest"].values.tolist())}
    return np.array([index.get(label, -1) for label in units["unit_contest"].values.tolist()])


def select_contests(units: xr.Dataset, contests: Sequence[str]) -> xr.Dataset:
    """Some contests with their units, in the order given; padding that none of them needs is left out.

    Raises:
        ElectionDataError: no such contest.
    """
    known = [str(label) for label in units["contest"].values]
    for label in contests:
        if label not in known:
            mend = suggest(str(label), known)
            raise data_error(f"no contest {label!r}", where=place(units), expected="one of the contests", mend=mend)
    kept = units.isel(contest=[known.index(label) for label in contests])
    kept = kept.isel(unit=np.isin(kept["unit_contest"].values, contests))
    width = {side: int((kept[f"{side}_name"].values != "").sum(axis=1).max(initial=0)) for side in ("row", "column")}
    kept = kept.isel({side: slice(n) for side, n in width.items()})
    return validate(kept.drop_vars([side for side in width if side in kept.coords]))


def notes_of(units: xr.Dataset) -> list[str]:
    """What the reader did, in sentences."""
    return [str(note) for note in json.loads(units.attrs.get("notes", "[]"))]


def _check_dims(ds: xr.Dataset, where: str) -> None:
    for name in _NEEDED:
        if name not in ds.variables:
            raise data_error(f"no {name!r}", where=where, expected=f"{name}({', '.join(_DIMS[name])})", mend=_BUILD)
    for name, dims in _DIMS.items():
        if name not in ds.variables:
            continue
        if set(ds[name].dims) != set(dims):
            problem = f"{name} has dims {ds[name].dims}"
            raise data_error(problem, where=where, expected=f"{dims}", mend="rename or drop dims")
        ds[name] = ds[name].transpose(*dims)
    for dim in ("contest", "unit", "row", "column"):
        if not ds.sizes[dim]:
            raise data_error(f"no {dim}", where=where, expected=f"at least one {dim}", mend="check the selection")


def _with_labels(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Labels of contests and units as text, different from each other."""
    for dim in ("contest", "unit"):
        if dim not in ds.coords:
            raise data_error(f"no labels of {dim!r}", where=where, expected="a coordinate of labels", mend=_BUILD)
        labels = strings(ds[dim].values)
        twice = [label for label, n in Counter(labels.tolist()).items() if n > 1 or not label.strip()]
        if twice:
            raise data_error(
                f"{twice[0]!r} is {'there twice' if twice[0].strip() else 'blank'}",
                where=f"{where}, coordinate {dim!r}",
                expected="one different label each",
                mend="rename it",
            )
        ds = ds.assign_coords({dim: (dim, labels, ds[dim].attrs)})
    names = ds["unit_name"] if "unit_name" in ds.coords else ds["unit"]
    of = strings(ds["unit_contest"].values)
    return ds.assign_coords(
        unit_contest=("unit", of, ds["unit_contest"].attrs), unit_name=("unit", strings(names.values), names.attrs)
    )


def _with_options(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Names of options: padding last, no name twice in a contest; labels of the dims where all contests share them."""
    for side in ("row", "column"):
        names = strings_like(ds[f"{side}_name"].values)
        here = names != ""
        count = here.sum(axis=1)
        for d, own in enumerate(names.tolist()):
            said = own[: count[d]]
            contest = str(ds["contest"].values[d])
            twice = [name for name, n in Counter(said).items() if n > 1]
            if not said or "" in said or twice:
                problem = f"{twice[0]!r} is there twice" if twice else "a blank before a name" if said else "no option"
                raise data_error(
                    f"{problem} in contest {contest!r}",
                    where=f"{where}, {side}_name",
                    expected="different names, blanks (padding) after them",
                    mend="rename or reorder the options",
                )
        party = f"{side}_party"
        given = ds[party] if party in ds.coords else None
        parties = strings_like(np.full(names.shape, "") if given is None else given.values)
        dims = ("contest", side)
        same = (names == names[0]).all()
        ds = ds.assign_coords(
            {
                f"{side}_name": (dims, names, ds[f"{side}_name"].attrs),
                party: (dims, np.where(here, parties, ""), {} if given is None else given.attrs),
                side: (side, names[0] if same else np.arange(names.shape[1])),
            }
        )
    return ds


def _in_order(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Units by contest, every contest with some."""
    of = contest_index(ds)
    if (of < 0).any():
        label = str(ds["unit_contest"].values[of < 0][0])
        raise data_error(
            f"unknown contest {label!r} of unit {str(ds['unit'].values[(of < 0).argmax()])!r}",
            where=f"{where}, unit_contest",
            expected="a label of the coordinate 'contest'",
            mend="choose contests with select_contests",
        )
    empty = np.setdiff1d(np.arange(ds.sizes["contest"]), of)
    if empty.size:
        label = str(ds["contest"].values[empty[0]])
        mend = "leave the contest out (select_contests)"
        raise data_error(f"contest {label!r} has no units", where=where, expected="at least one unit", mend=mend)
    return ds if (np.diff(of) >= 0).all() else ds.isel(unit=np.argsort(of, kind="stable"))


def _check_margins(ds: xr.Dataset, where: str) -> None:
    of = contest_index(ds)
    for side in ("row", "column"):
        name = f"{side}_margin"
        values = ds[name].values
        if values.dtype.kind not in "iuf":
            raise data_error(f"{name} holds {values.dtype}", where=where, expected="numbers", mend=_BUILD)
        padding = (ds[f"{side}_name"].values == "")[of]
        for bad, expected in (
            (~(np.isfinite(values) & (values >= 0)), "a number, 0 or more"),
            (padding & (values != 0), "0 in padding, where the option has no name"),
        ):
            if bad.any():
                i, k = (int(n) for n in np.argwhere(bad)[0])
                spot = f"unit={str(ds['unit'].values[i])!r}, {side}={str(ds[f'{side}_name'].values[of[i], k]) or k!r}"
                problem = f"found {values[i, k].item()!r}"
                raise data_error(problem, where=f"{where}, {name}({spot})", expected=expected, mend="correct it")
    margins = [whole(ds["row_margin"].values), whole(ds["column_margin"].values)]
    kind = np.result_type(*margins)
    for name, values in zip(("row_margin", "column_margin"), margins, strict=True):
        ds[name] = ds[name].copy(data=values.astype(kind))
    rows, columns = (ds[name].values.sum(axis=1) for name in ("row_margin", "column_margin"))
    differ = disagree(rows, columns)
    if differ.any():
        i = int(differ.argmax())
        raise data_error(
            f"rows add up to {rows[i]:g}, columns to {columns[i]:g}",
            where=f"{where}, unit {str(ds['unit'].values[i])!r}",
            expected="the same total",
            mend=f"correct the unit; {int(differ.sum())} such units",
        )
    if (rows == 0).any():
        label = str(ds["unit"].values[(rows == 0).argmax()])
        raise data_error("the unit is empty", where=f"{where}, unit {label!r}", expected="voters", mend="leave it out")
    for whole_of, said in ((1.0, "shares"), (100.0, "per cent")):
        if kind.kind == "f" and len(rows) > 1 and (np.abs(rows - whole_of) < 1e-2 * whole_of).all():
            raise data_error(
                f"{said}: every unit adds up to about {whole_of:g}",
                where=where,
                expected="counts, as a unit of many voters says more than one of few",
                mend="multiply shares by the voters of the unit",
            )


def _check_truth(ds: xr.Dataset, where: str) -> None:
    """Counts of at least 0, 0 in padding, and all of a table or nothing."""
    of = contest_index(ds)
    for name in ("truth", "unit_truth"):
        if name not in ds:
            continue
        values = ds[name].values.astype(np.float64)
        here = (ds["row_name"].values != "")[:, :, None] & (ds["column_name"].values != "")[:, None, :]
        here = here if name == "truth" else here[of]
        unknown = np.isnan(values) & here
        partly = unknown.any(axis=(1, 2)) & (unknown != here).any(axis=(1, 2))
        filled = np.where(here, values, np.nan_to_num(values, nan=0.0))
        bad = (np.nan_to_num(filled, nan=0.0) < 0) | np.isinf(filled) | (~here & (filled != 0))
        wrong = partly | bad.any(axis=(1, 2))
        if wrong.any():
            i = int(wrong.argmax())
            label = str(ds["contest" if name == "truth" else "unit"].values[i])
            raise data_error(
                f"{'some cells are unknown' if partly[i] else f'found {filled[i][bad[i]][0]:g}'} in {label!r}",
                where=f"{where}, {name}",
                expected="counts of at least 0 in the cells of its options, or NaN in all of them",
                mend="correct it, or leave the truth of this table out",
            )
        filled[unknown.any(axis=(1, 2))] = np.nan
        ds[name] = ds[name].copy(data=filled)


def _check_traits(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Categories that the axes know, numbers that are finite or unknown; both blank in padding."""
    for side in ("row", "column"):
        padding = ds[f"{side}_name"].values == ""
        name = f"{side}_covariate"
        if name in ds:
            values = np.where(padding[..., None], np.nan, ds[name].values.astype(np.float64))
            if np.isinf(values).any():
                raise data_error("infinite", where=f"{where}, {name}", expected="numbers or NaN", mend="correct it")
            ds[name] = ds[name].copy(data=values)
        name = f"{side}_category"
        if name not in ds:
            continue
        axes = axes_of(ds.attrs.get("axes"))
        found = [str(label) for label in ds["axis"].values] if "axis" in ds.coords else []
        if sorted(found) != sorted(axis_names(axes)):
            raise data_error(
                f"axes {', '.join(found) or 'without labels'}",
                where=f"{where}, coordinate 'axis'",
                expected=f"{', '.join(axis_names(axes))}, as in the attribute axes",
                mend="write the configuration of the axes into attrs['axes'] (axes_json)",
            )
        ds = ds.assign_coords(axis=strings(found)).sel(axis=axis_names(axes))
        labels = np.where(padding[..., None], "", strings_like(ds[name].values))
        codes_of(labels, axes, where=f"{where}, {name}")
        ds[name] = ds[name].copy(data=labels)
    return ds


def _check_attrs(ds: xr.Dataset, where: str) -> None:
    kind = ds.attrs.get("rows")
    if kind not in get_args(RowKind):
        expected = "'votes' (on another ballot paper) or 'groups' (of people)"
        raise data_error(f"found {kind!r}", where=f"{where}, attribute rows", expected=expected, mend="set it")
    ds.attrs = {"name": "units", "notes": "[]", "merge_below": 0.0} | ds.attrs
    ds.attrs |= {"conventions": CONVENTIONS, "electjax_version": electjax.__version__}


def whole(values: np.ndarray) -> np.ndarray:
    """Numbers as integers where all of them are whole and held exactly."""
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    exact = (values == np.floor(values)).all() and values.max(initial=0.0) < 2.0**53
    return values.astype(np.int64 if exact else np.float64)


def disagree(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where two totals are not the same: at all where both are whole numbers, else by more than rounding."""
    if first.dtype.kind in "iu" and second.dtype.kind in "iu":
        return np.asarray(first != second)
    return np.abs(first - second) > AGREE * np.maximum(np.maximum(np.abs(first), np.abs(second)), 1.0)
