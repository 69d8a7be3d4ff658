"""Read booths: a folder of tidy CSV files, or one netCDF file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import xarray as xr

from electjax.calm.readers.candidates import Candidates, Rest, Votes, no_votes, read_candidates, read_votes
from electjax.calm.readers.cells import read_cells
from electjax.calm.readers.marginals import read_margins
from electjax.calm.readers.roll import COLUMNS, PREVIOUS, Roll, read_roll
from electjax.calm.schema import validate
from electjax.calm.store import AXES_FILE, load_booths
from electjax.data.axes import Axis, axes_json, axes_of, axis_names, cell_labels
from electjax.data.checks import check_choice
from electjax.data.errors import data_error
from electjax.data.labels import party_label, strings, unique_names
from electjax.data.tables import find_table, near, need_table, read_table

_CANDIDATES = "constituency, party and a column for each axis"


def read(
    path: str | os.PathLike[str],
    *,
    axes: Mapping[str, Any] | Sequence[Axis] | None = None,
    rest: Rest = "others",
    votes: bool = True,
    rescale: bool = False,
    encoding: str = "utf-8-sig",
    name: str | None = None,
) -> xr.Dataset:
    """Read booths into a booths Dataset (see `electjax.calm.schema`).

    A folder holds these files, separated by commas, semicolons or tabs, plain or gzipped (`.csv.gz`):

    - `booths.csv`: booth, constituency, electors, polled; `previous_<party>` are shares at the previous election, other
      columns of numbers covariates, other columns of text coordinates of the booths.
    - `cells.csv`: booth, a column for each axis with categories, n. Where the axis does not apply (caste of a
      non-Hindu) it is blank. A booth lacks the cells it has no row for.
    - instead of cells, `margins.csv`: booth, axis, category, n. Cells are made of these by iterative proportional
      fitting, with a warning: as if the axes were independent within a booth, or with the odds ratios of
      `joint.csv` (a column for each axis, and a weight n).
    - `votes.csv`: booth, party, votes.
    - `candidates.csv`: constituency, party, a column for each axis; blank where the trait is unknown. NOTA and "others"
      need no row.
    - `axes.json`: the axes, unless they are the default ones.

    Booths that two constituencies call alike are labelled "<constituency>/<booth>"; the other files then need a column
    constituency too. Cells are in order of their categories, parties in order of candidates.csv with "others" last.

    Args:
        path: the folder, or a netCDF file by `calm.save`.
        axes: the axes as configuration (see `electjax.data.axes`). Default: those of the file, else age,
            religion, caste of Hindus, income.
        rest: what becomes of votes polled that votes.csv gives to no party: votes of "others"; "drop", so that the
            votes polled are those of the parties; or an "error".
        votes: whether there are votes; without, for booths that have not polled yet, `polled` and `votes` are 0.
        rescale: scale margins that do not add up to the booth's electors, instead of refusing them.
        encoding: codec of the text files.
        name: name of the booths; default: the folder's or file's.

    Raises:
        ElectionDataError: one line that names the file, the row (line of the file, the header is 1) and the column,
            what was found, what was expected and how to mend it.

    Warns:
        ElectionDataWarning: cells made of margins, and categories where their axis does not apply.
    """
    check_choice("calm.read(rest=)", rest, get_args(Rest))
    source = Path(path)
    if not source.exists():
        raise data_error("no such file", where=str(source), expected="a folder or netCDF file", mend="check the path")
    booths = _folder(source, axes, rest, votes, rescale, encoding) if source.is_dir() else load_booths(source, axes)
    return booths if name is None else booths.assign_attrs(name=name)


def _folder(
    folder: Path,
    spec: Mapping[str, Any] | Sequence[Axis] | None,
    rest: Rest,
    polled: bool,
    rescale: bool,
    encoding: str,
) -> xr.Dataset:
    own = folder / AXES_FILE
    axes = axes_of(own.read_text(encoding="utf-8") if spec is None and own.is_file() else spec)
    roll = read_roll(read_table(need_table(folder, "booths", COLUMNS), encoding), need_polled=polled)
    table = read_table(need_table(folder, "candidates", _CANDIDATES), encoding)
    candidates = read_candidates(table, roll, axes)
    counted = no_votes(roll, candidates)
    if polled:
        table = read_table(need_table(folder, "votes", "booth, party, votes"), encoding)
        counted, candidates = read_votes(table, roll, candidates, rest)
    margins = find_table(folder, "margins")
    if margins is not None and find_table(folder, "cells") is not None:
        raise data_error("cells.csv and margins.csv", where=str(folder), expected="one of them", mend="remove one")
    if margins is not None:
        sizes, codes = read_margins(
            read_table(margins, encoding),
            roll,
            axes,
            joint=find_table(folder, "joint"),
            rescale=rescale,
            encoding=encoding,
        )
    else:
        file = need_table(folder, "cells", "booth, a column for each axis, n; or margins.csv: booth, axis, category, n")
        sizes, codes = read_cells(read_table(file, encoding), roll, axes)
    return validate(_dataset(folder, roll, axes, sizes, codes, candidates, counted))


def _dataset(
    folder: Path,
    roll: Roll,
    axes: Sequence[Axis],
    sizes: np.ndarray,
    codes: np.ndarray,
    candidates: Candidates,
    counted: Votes,
) -> xr.Dataset:
    cells = _categories(codes, axes)
    traits = _categories(candidates.codes, axes)
    ds = xr.Dataset(
        {
            "cell_size": (("booth", "cell"), sizes.astype(np.int32)),
            "electors": ("booth", roll.electors.astype(np.int64)),
            "polled": ("booth", counted.polled.astype(np.int64)),
            "votes": (("booth", "party"), counted.votes),
            "cell_category": (("cell", "axis"), cells),
            "candidate_category": (("constituency", "party", "axis"), traits),
            "candidate_value": (("constituency", "party", "axis"), candidates.values),
            "fielded": (("constituency", "party"), candidates.fielded),
        },
        coords={
            "booth": strings(roll.labels),
            "cell": strings(unique_names(cell_labels(cells))),
            "party": strings(candidates.parties),
            "axis": strings(axis_names(axes)),
            "constituency": strings(roll.constituencies),
            "booth_constituency": ("booth", strings(roll.constituencies)[roll.constituency]),
        },
        attrs={"name": folder.resolve().name, "source": folder.name, "axes": axes_json(axes)},
    )
    if counted.rest:
        ds.attrs["rest"] = counted.rest
    if roll.previous:
        ds["previous"] = (("booth", "party"), _previous(roll, candidates.parties))
    if roll.covariates:
        ds["covariate_value"] = (("booth", "covariate"), np.column_stack(list(roll.covariates.values())))
        ds = ds.assign_coords(covariate=strings(roll.covariates))
    notes = {note: ("booth", texts) for note, texts in roll.notes.items() if note not in ds.variables}
    return ds.assign_coords(notes)


def _categories(codes: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Labels of codes [..., d]; blank for -1."""
    labels = [np.array([*axis.categories, ""], dtype=np.str_)[codes[..., d]] for d, axis in enumerate(axes)]
    return np.stack(labels, axis=-1)


def _previous(roll: Roll, parties: Sequence[str]) -> np.ndarray:
    """Previous shares of the parties, NaN for those without a column."""
    shares = np.full((len(roll.labels), len(parties)), np.nan)
    for label, values in roll.previous.items():
        party = party_label(label)
        if party not in parties:
            raise data_error(
                f"unknown party {label!r}",
                where=roll.batch.file,
                row=1,
                column=f"{PREVIOUS}{label}",
                expected="a party of candidates.csv",
                mend=f"{near(label, parties)}; or remove the column",
            )
        shares[:, parties.index(party)] = values
    return shares
