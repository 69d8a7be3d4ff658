"""What `summary` and `plot` take: a result, its file, or the folder of a run."""

import os
from pathlib import Path
from typing import Any

import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.districts.report.frames import STAGES, models_with
from electjax.districts.results import CALIBRATION
from electjax.districts.store import load


def run_in(source: Any, *, where: str) -> Any:
    """The run in a folder, where the source is one; else None.

    Raises:
        ElectionDataError: the folder of a run of another wing.
    """
    if not isinstance(source, str | os.PathLike) or not (Path(source) / "metrics.json").is_file():
        return None
    opened = electjax.load(source)
    if "models" not in opened.metrics:
        expected = "a run of task=calibrate, simulate, counterfactual or predict with returns"
        mend = f"open it with electjax.load({str(source)!r})"
        raise data_error(
            f"a run of task={opened.task}", where=f"{where}({str(source)!r})", expected=expected, mend=mend
        )
    return opened


def results_in(source: Any, *, where: str) -> dict[str, xr.Dataset]:
    """Results by name: a single one without a name, or of a run's folder its calibrations, else its elections.

    Raises:
        ElectionDataError: no Dataset, no such file, or the folder of a run of another wing.
    """
    opened = run_in(source, where=where)
    if opened is not None:
        fits = {name: fit for name, fit in opened.fits.items() if fit.attrs["conventions"] == CALIBRATION.conventions}
        made = {stage: models_with(opened.tree, stage) for stage in STAGES if not fits}
        several = len([stage for stage in made if made[stage]]) > 1
        return fits or {
            f"{model} {stage}" if several else model: elections
            for stage, models in made.items()
            for model, elections in models.items()
        }
    data = load(source) if isinstance(source, str | os.PathLike) else source
    if not isinstance(data, xr.Dataset):
        expected, mend = "a Dataset, its file or the folder of a run", "pass what a verb of this wing returned"
        raise data_error(f"found {type(data).__name__}", where=where, expected=expected, mend=mend)
    return {"": data}
