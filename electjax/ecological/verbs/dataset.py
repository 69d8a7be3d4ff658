"""`electjax.ecological.dataset`: units from plain arrays; and `select_contests`, some of them."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings, strings_like, unique_names
from electjax.data.notes import notes_text
from electjax.data.options import with_options
from electjax.data.schema import place_of
from electjax.ecological.options import DatasetOptions
from electjax.ecological.readers.covariates import Covariates, notes_on, with_covariates
from electjax.ecological.schema import TABLE, UNITS, validate


@with_options
def dataset(row_margin: Any, column_margin: Any, *, options: DatasetOptions) -> xr.Dataset:
    """Units from arrays: nothing is merged, and nothing left out.

    Args:
        row_margin: voters of each row, [unit, row].
        column_margin: votes of each column, [unit, column], as many in all as the unit's rows have.

    Returns:
        A units Dataset, contests in order of appearance.

    Raises:
        ElectionDataError: arrays that do not fit together, or whatever `ecological.validate` refuses.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.dataset([[30, 20], [10, 40]], [[25, 25], [20, 30]], rows=["old", "young"])
        >>> units["row"].values.tolist(), units["unit"].values.tolist()
        (['old', 'young'], ['all/1', 'all/2'])
    """
    margins = {"row": np.asarray(row_margin), "column": np.asarray(column_margin)}
    size = len(margins["row"]) if margins["row"].ndim else 0
    of = _checked(options.contests if options.contests is not None else ["all"] * size, "contests", (size,))
    contests = list(dict.fromkeys(of.tolist()))
    names = _checked(options.units if options.units is not None else range(1, size + 1), "units", (size,))
    labels = unique_names([f"{contest}/{unit}" for contest, unit in zip(of.tolist(), names.tolist(), strict=True)])
    data: dict[str, Any] = {}
    coords: dict[str, Any] = {"contest": strings(contests), "unit": strings(labels)}
    coords |= {"unit_contest": ("unit", of), "unit_name": ("unit", names)}
    for side, given, parties in (
        ("row", options.rows, options.row_parties),
        ("column", options.columns, options.column_parties),
    ):
        values = margins[side]
        if values.ndim != 2 or len(values) != size:
            expected = f"an array [unit, {side}] of {size} units"
            raise _fault(f"{side}_margin", f"found an array of shape {values.shape}", expected)
        shape = (len(contests), values.shape[1])
        data[f"{side}_margin"] = (("unit", side), values)
        own = [f"{side} {k + 1}" for k in range(shape[1])] if given is None else given
        coords[f"{side}_name"] = (("contest", side), _checked(own, f"{side}s", shape))
        if parties is not None:
            coords[f"{side}_party"] = (("contest", side), _checked(parties, f"{side}_parties", shape))
    sizes = tuple(values.shape[1] for values in margins.values())
    truth, unit_truth = options.truth, options.unit_truth
    if unit_truth is not None:
        unit_truth = _shaped(np.asarray(unit_truth, float), "unit_truth", (size, *sizes))
        data["unit_truth"] = (("unit", *TABLE[1:]), unit_truth)
        if truth is None:
            truth = np.stack([unit_truth[of == contest].sum(axis=0) for contest in contests])
    if truth is not None:
        data["truth"] = (TABLE, _shaped(np.asarray(truth, float), "truth", (len(contests), *sizes)))
    known = _known(options, size)
    notes = notes_text(notes_on(known, "")) or "[]"
    units = xr.Dataset(data, coords, {"name": options.name, "rows": options.kind, "notes": notes})
    return validate(with_covariates(units, known))


def select_contests(units: xr.Dataset | str | os.PathLike[str], contests: Sequence[str]) -> xr.Dataset:
    """Some contests with their units, in the order given; padding that none of them needs is left out.

    Args:
        units: a Dataset of units, or its file.
        contests: their labels.

    Returns:
        A units Dataset.

    Raises:
        ElectionDataError: no such contest, or no units.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=5)
        >>> electjax.ecological.select_contests(units, ["district 3"]).sizes["unit"]
        5
    """
    units = validate(units)
    known = [str(label) for label in units["contest"].values]
    for label in contests:
        if label not in known:
            where, mend = place_of(units, UNITS), suggest(str(label), known)
            raise data_error(f"no contest {label!r}", where=where, expected="one of the contests", mend=mend)
    kept = units.isel(contest=[known.index(label) for label in contests])
    kept = kept.isel(unit=np.isin(kept["unit_contest"].values, contests))
    width = {side: int((kept[f"{side}_name"].values != "").sum(axis=1).max(initial=0)) for side in ("row", "column")}
    kept = kept.isel({side: slice(n) for side, n in width.items()})
    return validate(kept.drop_vars([side for side in width if side in kept.coords]))


def _known(options: DatasetOptions, size: int) -> Covariates:
    """What the caller knows of units."""
    area = None if options.areas is None else _checked(options.areas, "areas", (size,))
    given = {} if options.covariates is None else options.covariates
    try:
        columns = {str(name): np.asarray(given[name], np.float64) for name in given}
    except (TypeError, ValueError, KeyError, IndexError):
        raise _fault("covariates", f"found {type(given).__name__}", "{name: numbers of units}") from None
    if not columns:
        return Covariates(area)
    values = [_shaped(own, f"covariates[{name!r}]", (size,)) for name, own in columns.items()]
    return Covariates(area, tuple(columns), np.stack(values, axis=1))


def _checked(labels: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Labels as text in this shape; those of one contest are those of all."""
    found = strings_like(np.asarray(labels if not isinstance(labels, range) else list(labels)))
    if len(shape) == 2 and found.ndim == 1 and found.shape == shape[1:]:
        found = np.tile(found, (shape[0], 1))
    return _shaped(found, name, shape)


def _shaped(values: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if values.shape != shape:
        raise _fault(name, f"found an array of shape {values.shape}", f"shape {shape}")
    return values


def _fault(name: str, problem: str, expected: str) -> Exception:
    return data_error(problem, where=f"ecological.dataset({name}=)", expected=expected, mend="give one for each")
