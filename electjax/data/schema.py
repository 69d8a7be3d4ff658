"""Schemas: what a Dataset of each kind holds, declared once.

A wing's `schema.py` declares a `Schema` for its data and for each of its results: every variable with its dims, kind,
units and meaning. Validation, the builders, `save` and `load`, and the documentation are made from these declarations.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import data_error

Kind = Literal["count", "whole", "number", "share", "label", "key", "flag"]
_WORDS = {
    "count": "a whole number, 0 or more",
    "whole": "a whole number",
    "number": "a number",
    "share": "a number from 0 to 1",
    "label": "text",
    "flag": "true or false",
}


class Variable(NamedTuple):
    """A variable or coordinate.

    Attributes:
        dims: its dims in order; or several such tuples where the model decides.
        kind: count (whole, 0 or more), whole, number, share (0 to 1), label (text), key (text or numbers that only
            tell groups apart) or flag (true or false).
        meaning: one line; its long_name.
        units: of the values.
        required: whether a Dataset without it is refused.
        coord: whether it is a coordinate.
        finite: whether NaN and infinities are refused; counts and whole numbers never have them.
    """

    dims: tuple[str, ...] | tuple[tuple[str, ...], ...]
    kind: Kind
    meaning: str
    units: str = "1"
    required: bool = False
    coord: bool = False
    finite: bool = False

    @property
    def shapes(self) -> tuple[tuple[str, ...], ...]:
        """The dims that are allowed."""
        if all(isinstance(dim, str) for dim in self.dims):
            return (self.dims,)  # type: ignore[return-value]
        return self.dims  # type: ignore[return-value]


class Schema(NamedTuple):
    """A kind of Dataset.

    Attributes:
        name: the kind, as in "booths"; the attribute `conventions` of its Datasets is "electjax <name>".
        variables: all that the kind knows of; a Dataset may carry more.
        build: what makes such a Dataset, for error texts.
        attrs: attributes and their meaning.
        needs: the attributes that must be there.
        check: what no declaration says: takes the Dataset and its place, returns it, perhaps completed.
    """

    name: str
    variables: Mapping[str, Variable]
    build: str
    attrs: Mapping[str, str] = {}
    needs: Sequence[str] = ()
    check: Callable[[xr.Dataset, str], xr.Dataset] | None = None

    @property
    def conventions(self) -> str:
        """The attribute that tells the kind."""
        return f"electjax {self.name}"


def conform(dataset: Any, schema: Schema) -> xr.Dataset:
    """A copy of the Dataset with the schema's dims order and units, checked.

    Raises:
        ElectionDataError: one line that names the variable, the coordinate, what was found and what was expected.
    """
    if not isinstance(dataset, xr.Dataset):
        found = type(dataset).__name__
        expected = f"an xarray Dataset of {schema.name}"
        raise data_error(f"found {found}", where=schema.name, expected=expected, mend=_built(schema))
    where = place_of(dataset, schema)
    ds = arranged(dataset, schema, where)
    for name in schema.needs:
        if name not in ds.attrs:
            raise data_error(f"no attribute {name!r}", where=where, expected=schema.attrs[name], mend=_built(schema))
    for name, variable in schema.variables.items():
        if name in ds.variables:
            check_values(ds, name, variable, where)
    coords = [name for name, variable in schema.variables.items() if variable.coord and name in ds.data_vars]
    ds = ds.set_coords(coords)
    if schema.check is not None:
        ds = schema.check(ds, where)
    for name, variable in schema.variables.items():
        if name in ds.variables:
            array = ds.variables[name]
            array.attrs = {"long_name": variable.meaning, "units": variable.units} | array.attrs
    ds.attrs |= {"conventions": schema.conventions, "electjax_version": electjax.__version__}
    return ds


def arranged(dataset: xr.Dataset, schema: Schema, where: str) -> xr.Dataset:
    """A copy with the dims order of the schema; what is required is there."""
    ds = dataset.copy()
    turned = {}
    for name, variable in schema.variables.items():
        if name in ds.variables:
            dims = _dims(name, ds.variables[name].dims, variable, where)
            if dims != ds.variables[name].dims:
                turned[name] = ds[name].transpose(*dims)
        elif variable.required:
            expected = f"{name}({', '.join(variable.shapes[0])})"
            raise data_error(f"no {name!r}", where=where, expected=expected, mend=_built(schema))
    return ds.assign(turned) if turned else ds  # every call of `assign` aligns the whole Dataset


def place_of(dataset: xr.Dataset, schema: Schema) -> str:
    """Where a fault of this Dataset is: its file, else its name."""
    return str(dataset.attrs.get("source") or f"{schema.name} {dataset.attrs.get('name', '')!r}")


def schema_of(dataset: xr.Dataset, schemas: Sequence[Schema]) -> Schema | None:
    """The schema a Dataset was written with: by its conventions, else by the variables that are required."""
    told = dataset.attrs.get("conventions")
    if told is not None:
        return next((schema for schema in schemas if schema.conventions == told), None)
    for schema in schemas:
        needed = [name for name, variable in schema.variables.items() if variable.required]
        if needed and all(name in dataset.variables for name in needed):
            return schema
    return None


def check_values(ds: xr.Dataset, name: str, variable: Variable, where: str) -> None:
    """The values of a variable are of its kind."""
    values = ds.variables[name].values
    if variable.kind == "key":
        return
    if variable.kind == "label":
        if values.dtype.kind not in "OTSU":
            refuse(ds, name, np.ones(values.shape, bool), where, expected=_WORDS["label"])
        return
    numeric = values.dtype.kind in "iufb" if variable.kind == "flag" else values.dtype.kind in "iuf"
    if not numeric:
        refuse(ds, name, np.ones(values.shape, bool), where, expected=_WORDS[variable.kind])
    if variable.kind == "flag":
        bad = (values != 0) & (values != 1)
    elif variable.kind in ("count", "whole") and values.dtype.kind in "iu":
        bad = values < 0 if variable.kind == "count" else np.zeros(values.shape, bool)
    elif variable.kind in ("count", "whole"):
        bad = ~(np.isfinite(values) & (values == np.floor(values)))
        bad |= (values < 0) if variable.kind == "count" else False
    else:
        bad = ~np.isfinite(values) if variable.finite else np.zeros(values.shape, bool)
        bad |= ((values < 0) | (values > 1)) if variable.kind == "share" else False
    refuse(ds, name, bad, where, expected=_WORDS[variable.kind])


def refuse(ds: xr.Dataset, name: str, bad: np.ndarray, where: str, *, expected: str, mend: str = "correct it") -> None:
    """Raise the error of the first entry that is bad, with its labels; nothing where none is.

    Raises:
        ElectionDataError: `<where>, <name>(<dim>='<label>'): found <value>`.
    """
    if not np.any(bad):
        return
    at = tuple(np.argwhere(bad)[0])
    value = ds[name].values[at]
    found = value.item() if isinstance(value, np.generic) else value
    raise data_error(f"found {found!r}", where=f"{where}, {name}({spot(ds, name, at)})", expected=expected, mend=mend)


def spot(ds: xr.Dataset, name: str, at: Sequence[Any]) -> str:
    """The labels of an entry, as in "booth='12', party='A'"."""
    dims = ds[name].dims
    labels = [str(ds[dim].values[i]) if dim in ds.coords else int(i) for dim, i in zip(dims, at, strict=True)]
    return ", ".join(f"{dim}={label!r}" for dim, label in zip(dims, labels, strict=True))


def _dims(name: str, found: tuple[Any, ...], variable: Variable, where: str) -> tuple[str, ...]:
    """The dims of the schema, in their order."""
    for dims in variable.shapes:
        if set(found) == set(dims):
            return tuple(dims)
    expected = " or ".join(str(dims) for dims in variable.shapes)
    raise data_error(f"{name} has dims {found}", where=where, expected=expected, mend="rename or drop dims")


def _built(schema: Schema) -> str:
    return f"build it with {schema.build}"


def unknown_kind(dataset: xr.Dataset, where: str, schemas: Sequence[Schema]) -> NoReturn:
    """Refuse a Dataset that is of none of these kinds."""
    told = dataset.attrs.get("conventions")
    problem = f"this is {told!r}" if told else f"variables {', '.join(map(str, list(dataset.variables)[:8]))}"
    known = ", ".join(schema.name for schema in schemas)
    raise data_error(problem, where=where, expected=f"one of: {known}", mend="load it with the wing that made it")
