"""Data and results of the wing in files, and what may stand for them: a path, or the name of an embedded election."""

import os
from pathlib import Path

import xarray as xr

from electjax.data import elections, store
from electjax.data.errors import data_error, suggest
from electjax.data.schema import Schema, conform
from electjax.districts.builders import award_seats
from electjax.districts.catalogue import embedded
from electjax.districts.checks import CHECKS
from electjax.districts.results import CALIBRATION, RESULTS
from electjax.districts.schema import ELECTION, validate

Stored = xr.Dataset | str | os.PathLike[str]
SCHEMAS = (ELECTION, *RESULTS, *CHECKS)


def save(dataset: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write an election, or any result of the wing's verbs, to a file that `districts.load` reads back identically.

    It is written beside the target and renamed, so the target is either as it was or wholly new.

    Args:
        dataset: an election Dataset, or what a verb returned.
        path: netCDF; a Zarr folder where the name ends in ".zarr".

    Returns:
        The path of the file.

    Raises:
        ElectionDataError: a Dataset of no such kind or one that breaks its schema, no such folder, or no zarr.

    Examples:
        >>> import electjax, tempfile
        >>> election = electjax.districts.load("us2020")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = electjax.districts.save(election, f"{folder}/election.nc")
        ...     electjax.districts.load(path).identical(election)
        True
    """
    return store.save(dataset, path, SCHEMAS)


def load(source: str | os.PathLike[str], *, others_may_win: bool = True) -> xr.Dataset:
    """An embedded election by its name (see `districts.list`), else what `districts.save` wrote to a file.

    An embedded election has, beside the variables of `districts.validate`, the summary that the paper prints:
    paper_popularity and paper_seats over `place` (V1, V2, V3 or D, R) with the coordinate place_party, the scalars
    paper_mwm and paper_swm (mean and sd of the winning margin; NaN where none is printed), and the attribute
    `paper_mapping`, which says how `seats` and paper_seats are connected.

    Args:
        source: a name such as "delhi2020", or the path of a netCDF file or Zarr folder.
        others_may_win: whether the pooled party "others" of an election may hold seats; if not, its districts go to the
            named party with most votes. The attribute `others_seats` always says how many seats it won.

    Returns:
        The Dataset, checked against its schema.

    Raises:
        ElectionDataError: neither a name nor a file, a file that is damaged or of another kind, or content that breaks
            its schema.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.load("delhi2020")
        >>> dict(zip(election["party"].values.tolist(), election["seats"].values.tolist()))
        {'AAP': 62, 'BJP': 8, 'INC': 0, 'others': 0}
    """
    if str(source) in elections.index():
        return embedded(str(source), others_may_win=others_may_win)
    if not Path(source).exists():
        raise data_error(
            f"no embedded election {str(source)!r}, and no such file",
            where="districts.load",
            expected="a name of districts.list(), or the path of a file by districts.save",
            mend=suggest(str(source), list(elections.index())),
        )
    found = store.load(source, SCHEMAS)
    if found.attrs["conventions"] == ELECTION.conventions and found.attrs.get("others_may_win", 1) > others_may_win:
        return award_seats(found, others_may_win=False)
    return found


def election_of(election: Stored) -> xr.Dataset:
    """An election given as a Dataset, a name or a path, checked."""
    if not isinstance(election, str | os.PathLike):
        return validate(election)
    return _loaded(election, ELECTION)


def fit_of(fit: Stored) -> xr.Dataset:
    """A calibration given as a Dataset or a path, checked."""
    return conform(fit, CALIBRATION) if not isinstance(fit, str | os.PathLike) else _loaded(fit, CALIBRATION)


def result_of(result: Stored, *schemas: Schema) -> xr.Dataset:
    """A result given as a Dataset or a path, of one of these kinds."""
    if isinstance(result, str | os.PathLike):
        return _loaded(result, *schemas)
    told = result.attrs.get("conventions") if isinstance(result, xr.Dataset) else None
    if len(schemas) == 1 and told in (None, schemas[0].conventions):
        return conform(result, schemas[0])
    return store.checked_kind(result, "the Dataset", schemas)


def _loaded(source: str | os.PathLike[str], *schemas: Schema) -> xr.Dataset:
    found = load(source)
    if found.attrs["conventions"] not in {schema.conventions for schema in schemas}:
        raise data_error(
            f"this is {found.attrs['conventions']!r}",
            where=str(source),
            expected=" or ".join(schema.name for schema in schemas),
            mend=f"give a file of {' or '.join(schema.build for schema in schemas)}",
        )
    return found


def schemas() -> tuple[Schema, ...]:
    """Every kind of Dataset of the wing."""
    return SCHEMAS
