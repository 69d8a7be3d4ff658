"""Datasets of ecological inference, declared: units and what is estimated from them.

A contest is one election in one place, a unit a booth or precinct of it. Rows are groups of voters, or the options of
another ballot paper; columns are the candidates or parties. How many of a row voted for a column is unknown.

Contests differ in their options: `row_name(contest, row)` and `column_name(contest, column)` name them, and the places
after a contest's last option are padding, with a blank name and margins of 0. What was merged is called `OTHER`, and so
is its party. The units of a contest stand together. Estimates are NaN in padding.
"""

import os
from collections import Counter
from typing import Any, get_args

import numpy as np
import xarray as xr

from electjax.data.axes import axes_of, axis_names, codes_of
from electjax.data.errors import data_error
from electjax.data.labels import strings, strings_like
from electjax.data.schema import Schema, Variable, conform, refuse
from electjax.data.store import load
from electjax.data.verdict import ATTRS
from electjax.ecological.options import RowKind

OTHER = "OTHER"
DID_NOT_VOTE = "did not vote"
AGREE = 1e-6  # relative difference of two totals that are not whole
TABLE = ("contest", "row", "column")

_UNIT_TABLE = ("unit", "row", "column")
_ROWS, _COLUMNS = ("contest", "row"), ("contest", "column")
_OPTIONS = {
    "unit_contest": Variable(("unit",), "label", "contest of the unit", required=True, coord=True),
    "unit_name": Variable(("unit",), "label", "name of the unit", coord=True),
    "unit_area": Variable(("unit",), "label", "area that the unit is in, such as its county", coord=True),
    "row_name": Variable(_ROWS, "label", "name of the row, blank in padding", required=True, coord=True),
    "column_name": Variable(_COLUMNS, "label", "name of the column, blank in padding", required=True, coord=True),
    "row_party": Variable(_ROWS, "label", "party of the row, blank where there is none", coord=True),
    "column_party": Variable(_COLUMNS, "label", "party of the column, blank where there is none", coord=True),
}
_MARGINS = {
    "row_margin": Variable(("unit", "row"), "number", "voters of the row", "voters", required=True, finite=True),
    "column_margin": Variable(("unit", "column"), "number", "votes of the column", "votes", required=True, finite=True),
}
_COUNTED = "counted voters of the row who chose the column, NaN where unknown"
_TRUTH = {"truth": Variable(TABLE, "number", _COUNTED, "voters")}
_EI = "error index EI, half the votes misplaced"


def validate(units: Any) -> xr.Dataset:
    """Check units against the schema and return them with the schema's dims order, dtypes and units of measure.

    The units of a contest are put together, contests in their order. What may be missing is added: parties (none),
    names of units (their labels), notes (none). The argument itself stays as it is.

    Args:
        units: a Dataset of units, or its file.

    Returns:
        A checked copy.

    Raises:
        ElectionDataError: one line that names the variable, the coordinate, what was found, what was expected and how
            to mend it.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=2, units=5)
        >>> electjax.ecological.validate(units.isel(unit=slice(2))).sizes["unit"]
        Traceback (most recent call last):
        ...
        electjax.data.errors.ElectionDataError: ecological.simulate, seed 0: contest 'district 2' has no units; ...
    """
    if isinstance(units, str | os.PathLike):
        return load(units, [UNITS])
    if isinstance(units, xr.Dataset):  # labels may be numbers
        texts = [name for name in _OPTIONS if name in units.variables]
        units = units.assign({name: (units[name].dims, strings_like(units[name].values)) for name in texts})
    return conform(units, UNITS)


def contest_index(units: xr.Dataset) -> np.ndarray:
    """Number of each unit's contest, [N]."""
    index = {label: d for d, label in enumerate(units["contest"].values.tolist())}
    return np.array([index.get(label, -1) for label in units["unit_contest"].values.tolist()])


def _check_units(ds: xr.Dataset, where: str) -> xr.Dataset:
    for dim in ("contest", "unit", "row", "column"):
        if not ds.sizes[dim]:
            raise data_error(f"no {dim}", where=where, expected=f"at least one {dim}", mend="check the selection")
    ds = _in_order(_with_options(_with_labels(ds, where), where), where)
    _check_margins(ds, where)
    _check_truth(ds, where)
    ds = _check_traits(ds, where)
    kind = ds.attrs.get("rows")
    if kind not in get_args(RowKind):
        expected = "'votes' (on another ballot paper) or 'groups' (of people)"
        raise data_error(f"found {kind!r}", where=f"{where}, attribute rows", expected=expected, mend="set it")
    return ds.assign_attrs({"name": "units", "notes": "[]", "merge_below": 0.0} | ds.attrs)


def _check_estimate(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Cells of options are at least 0, and there is nothing in padding."""
    here = (ds["row_name"].values != "")[:, :, None] & (ds["column_name"].values != "")[:, None, :]
    voters = here & (np.nansum(ds["cells"].values, axis=2, keepdims=True) > 0)  # a row without any has no shares
    for name in ("cells", "bound_low", "bound_high", "draws", "cells_by_context", "share", "share_low", "share_high"):
        if name in ds:
            values = ds[name].values
            bad = (voters if name.startswith("share") else here) & ~(np.isfinite(values) & (values >= 0))
            refuse(ds, name, bad, where, expected="a number, 0 or more", mend="estimate again")
    return ds


def _with_labels(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Labels of contests and units as text, different from each other."""
    for dim in ("contest", "unit"):
        if dim not in ds.coords:
            raise data_error(f"no labels of {dim!r}", where=where, expected="a coordinate of labels", mend="add it")
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
    if "unit_covariate" in ds:
        if "unit_variable" not in ds.coords:
            raise data_error("no names", where=f"{where}, unit_variable", expected="names of covariates", mend="add it")
        ds = ds.assign_coords(unit_variable=strings(ds["unit_variable"].values))
        values = ds["unit_covariate"].values.astype(np.float64)
        refuse(ds, "unit_covariate", np.isinf(values), where, expected="a number, or NaN where unknown")
        ds["unit_covariate"] = ds["unit_covariate"].copy(data=values)
    if "unit_area" in ds.coords:
        refuse(ds, "unit_area", strings(ds["unit_area"].values) == "", where, expected="a label of each unit's area")
    for side in ("row", "column"):
        padding = ds[f"{side}_name"].values == ""
        name = f"{side}_covariate"
        if name in ds:
            values = np.where(padding[..., None], np.nan, ds[name].values.astype(np.float64))
            refuse(ds, name, np.isinf(values), where, expected="a number, or NaN where unknown")
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


UNITS = Schema(
    "units",
    {
        **_MARGINS,
        **_OPTIONS,
        **_TRUTH,
        "unit_truth": Variable(_UNIT_TABLE, "number", _COUNTED, "voters"),
        "unit_covariate": Variable(("unit", "unit_variable"), "number", "covariate of the unit", "of the variable"),
        "row_category": Variable((*_ROWS, "axis"), "label", "trait of the row", "category label"),
        "column_category": Variable((*_COLUMNS, "axis"), "label", "trait of the column", "category label"),
        "row_covariate": Variable((*_ROWS, "row_variable"), "number", "covariate of the row", "of the variable"),
        "column_covariate": Variable(
            (*_COLUMNS, "column_variable"), "number", "covariate of the column", "of the variable"
        ),
    },
    build="ecological.dataset or ecological.read",
    attrs={
        "name": "of the units",
        "source": "the file they come from",
        "rows": "votes (on another ballot paper) or groups (of people)",
        "axes": "JSON of the traits' axes, as booths have them",
        "merge_below": "share of a contest's votes below which options were merged",
        "notes": "JSON: what the reader did, in sentences",
        "parameters": "JSON: what generated units were drawn with",
    },
    check=_check_units,
)

ESTIMATE = Schema(
    "estimate",
    {
        "cells": Variable(TABLE, "number", "estimated voters of the row who chose the column", "voters", required=True),
        "share": Variable(TABLE, "number", "estimated share of the row that chose the column", required=True),
        "bound_low": Variable(TABLE, "number", "least count that the units' margins allow", "voters", required=True),
        "bound_high": Variable(TABLE, "number", "largest count that the units' margins allow", "voters", required=True),
        **_OPTIONS,
        "row_pooled": Variable(_ROWS, "label", "what the row is pooled by: party or name", coord=True),
        "column_pooled": Variable(_COLUMNS, "label", "what the column is pooled by: party or name", coord=True),
        **_MARGINS,
        **_TRUTH,
        "unit_cells": Variable(_UNIT_TABLE, "number", "estimated table of the unit", "voters"),
        "share_low": Variable(("level", *TABLE), "number", "lower end of the share's interval"),
        "share_high": Variable(("level", *TABLE), "number", "upper end of the share's interval"),
        "draws": Variable(("draw", *TABLE), "number", "tables drawn from the posterior", "voters"),
        "cells_by_context": Variable(("context", *TABLE), "number", "the estimate at other contexts", "voters"),
        "correlation": Variable(("contest",), "share", "correlation rho of two voters of a row in a unit"),
        "kind_logit": Variable(("kind",), "number", "mean logit of cells of a kind"),
        "pair_logit": Variable(("row_key", "column_key"), "number", "pooled deviation of a pair of parties"),
        "feature_effect": Variable(("feature",), "number", "effect on the logit of a standard deviation"),
        "feature_effect_se": Variable(("feature",), "number", "its standard error, as wide as the draws are"),
        "error": Variable(("contest",), "number", _EI, "%"),
        "error_by_context": Variable(("context",), "number", f"mean {_EI}", "%"),
    },
    build="ecological.estimate",
    attrs={
        "method": "context, or a baseline",
        "rows": "votes or groups",
        "options": "JSON of the estimate's options",
        "stopped": "JSON: context exponents at which the fit did not converge",
        **ATTRS,
    },
    needs=("method", "rows"),
    check=_check_estimate,
)

CALIBRATION = Schema(
    "context calibration",
    {
        "error": Variable(("context", "contest"), "number", _EI, "%", required=True, finite=True),
        "mean_ei": Variable(("context",), "number", f"mean {_EI}", "%", required=True, finite=True),
        "best": Variable(("contest",), "number", "exponent of the least error", required=True, finite=True),
    },
    build="ecological.calibrate_context",
    attrs={"context": "exponent of the least mean error"},
    needs=("context",),
)

COVERAGE = Schema(
    "coverage of cells",
    {
        "coverage": Variable(("level",), "share", "share of the intervals that hold the truth", required=True),
        "width": Variable(("level",), "number", "mean width of the intervals of shares", required=True),
        "coverage_by_contest": Variable(("level", "contest"), "share", "the same of each contest, NaN without truth"),
        "coverage_by_share": Variable(("level", "share"), "share", "the same by the estimated share of the cell"),
        "cells": Variable((), "count", "number of cells that were looked at"),
    },
    build="ecological.coverage",
)

SCHEMAS = (ESTIMATE, UNITS, CALIBRATION, COVERAGE)  # an estimate has the margins of its units, too
