"""What is known of units beside their margins: covariates, and the area each lies in."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.labels import strings
from electjax.data.table import Table
from electjax.data.vocabulary import find_word, ignored
from electjax.ecological.options import UnitsOptions

_SHOWN = 4


class Covariates(NamedTuple):
    """What is known of units.

    Attributes:
        area: label of each unit's, [N]; None where there are none.
        names: of covariates.
        values: [N, Q], NaN where unknown.
    """

    area: np.ndarray | None = None
    names: tuple[str, ...] = ()
    values: np.ndarray = np.zeros((0, 0))

    def take(self, kept: np.ndarray) -> "Covariates":
        """Of some of the units, as a mask or as numbers."""
        area = None if self.area is None else self.area[kept]
        return self._replace(area=area, values=self.values[kept] if self.names else self.values)


UNKNOWN = Covariates()


class Places(NamedTuple):
    """Positions of their columns in a table."""

    area: int | None
    covariates: tuple[int, ...]

    @property
    def every(self) -> list[int]:
        """All of them."""
        return [*self.covariates, *([] if self.area is None else [self.area])]


def places_of(table: Table, given: UnitsOptions) -> Places:
    """The columns that the caller names."""
    found = tuple(table.asked(name, "covariates") for name in given.covariates or ())
    twice = [table.names[position] for position in found if found.count(position) > 1]
    if twice:
        where = f"{table.file}, covariates"
        raise data_error(f"{twice[0]!r} is named twice", where=where, expected="different columns", mend="name it once")
    return Places(None if given.area is None else table.asked(given.area, "area"), found)


def covariates_of(table: Table, places: Places, units: np.ndarray, first: np.ndarray) -> tuple[Covariates, list[str]]:
    """What a table says of units, the same on each of their rows, and sentences on it.

    Args:
        table: some rows for each unit.
        places: of the columns.
        units: of each row.
        first: row of each unit.
    """
    names = tuple(table.names[position] for position in places.covariates)
    values = [_numbers(table, position) for position in places.covariates]
    for position, own in zip(places.covariates, values, strict=True):
        same_in_unit(table, position, own, units, first, lambda row, own=own: f"{own[row]:g}")  # type: ignore[misc]
    area = None
    if places.area is not None:
        column = table.labels(places.area, "a label of the area")
        same_in_unit(table, places.area, column.codes.astype(float), units, first, lambda row: repr(column.at(row)))
        area = column.cells()[first]
    known = Covariates(area, names, np.stack(values, axis=1)[first] if values else np.zeros((len(first), 0)))
    return known, notes_on(known, "" if places.area is None else table.names[places.area])


def same_in_unit(
    table: Table, position: int, values: np.ndarray, units: np.ndarray, first: np.ndarray, said: Callable[[int], str]
) -> None:
    """Refuse a value that is not that of the first row of its unit."""
    table.refuse(
        (values != values[first][units]) & ~(np.isnan(values) & np.isnan(values[first][units])),
        position,
        lambda row: f"{said(row)} here and {said(first[units[row]])} in row {table.lines[first[units[row]]]}",
        "one value for each unit",
        "correct one of the two rows",
    )


def with_covariates(units: xr.Dataset, known: Covariates) -> xr.Dataset:
    """Units with what is known of them."""
    if known.area is not None:
        units = units.assign_coords(unit_area=("unit", strings(known.area)))
    if known.names:
        units = units.assign_coords(unit_variable=strings(known.names))
        units["unit_covariate"] = (("unit", "unit_variable"), known.values)
    return units


def notes_on(known: Covariates, area: str) -> list[str]:
    """Sentences on what is known of units: that nothing is computed with it, and where it is unknown."""
    kept = [f"covariates of units ({', '.join(known.names)})"] if known.names else []
    if known.area is not None:
        kept.append(f"areas ({f'{area}, ' if area else ''}{len(set(known.area.tolist()))} of them)")
    notes = [f"{' and '.join(kept)} are kept; ecological.estimate does not use them yet"] if kept else []
    lost = np.isnan(known.values).sum(axis=0).tolist() if known.names else []
    size = len(known.values)
    return notes + [f"{name} is unknown in {n} of {size} units" for name, n in zip(known.names, lost, strict=True) if n]


def not_used(table: Table, used: Collection[int]) -> list[str]:
    """A sentence on the columns that no one asked for, and how numbers of units are kept."""
    aside = {find_word(table, name) for name in ("total", "electors")}
    free = [p for p in range(len(table.columns)) if p not in used and p not in aside and table.is_numeric(p)]
    names = [table.names[position] for position in free[:_SHOWN]] + ["..."] * (len(free) > _SHOWN)
    return [f"{said}; covariates=[{', '.join(names)}] keeps numbers" if free else said for said in ignored(table, used)]


def _numbers(table: Table, position: int) -> np.ndarray:
    values = table.numbers(position, "a number, or a blank where it is unknown")
    if np.isnan(values).all():
        raise table.fault("no number", None, position, expected="a covariate of units", mend="leave it out")
    return values
