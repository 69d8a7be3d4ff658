"""The task that applies an earlier fit to other data: new ballots, new booths, another election."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from electjax.data.options import option, options
from electjax.data.progress import Stages
from electjax.report.result import Predict, Result, Source, Sweep, Task, path_from
from electjax.report.tables import Metrics
from electjax.run.errors import ConfigError


@options
class PredictOptions:
    """Options of the task."""

    fit: str | None = option(None, "of task=predict: the folder of an earlier run, or the file of one of its fits")
    seed: int = option(0, "of what is drawn")


def predict_task(others: Mapping[str, Task]) -> Task:
    """The task, for the data and the fits of those tasks that can predict."""
    able = {name: task for name, task in others.items() if task.predict is not None}
    sources = {name: _source(source, task) for task in able.values() for name, source in task.sources.items()}
    known: dict[str, Task] = {}  # the first task of a kind of data speaks for it
    for task in able.values():
        known.setdefault(task.kind, task)

    def how(result: Metrics) -> Predict:
        predict = known[result["predicted"]].predict
        assert predict is not None
        return predict

    def run(data: xr.Dataset, settings: PredictOptions, stage: Stages) -> Result:
        assert settings.fit is not None
        fit = _opened(Path(settings.fit))
        task = next(task for task in known.values() if task.predict and _is_of(fit, task.predict))
        assert task.predict is not None
        made = task.predict.run(fit, data, settings.seed, stage)
        return made._replace(metrics={"predicted": task.kind, "fit": settings.fit} | made.metrics)

    return Task(
        name="predict",
        about="apply the fit of an earlier run to other data: its districts, ballots or booths (fit=outputs/...)",
        kind="data for a fit",
        example="fit=outputs/mine/<date>_<time> data=booths data.path=my_folder",
        sources=sources,
        groups={},
        options=PredictOptions,
        run=run,
        report=lambda result: how(result.metrics).report(result),
        tables=lambda result: how(result.metrics).tables(result),
        sweep=Sweep(_rows, _figures),
        placed=_placed,
    )


def _placed(settings: PredictOptions, folder: Path) -> PredictOptions:
    """The options with the whole path of the fit, which the user gave from this folder."""
    if settings.fit is None:
        raise ConfigError("fit: missing; give it as fit=outputs/... (the folder of an earlier run)")
    return replace(settings, fit=str(path_from(folder, settings.fit)))


def _source(source: Source, task: Task) -> Source:
    """Data that are read once the fit is known to suit them."""

    def load(chosen: Any, folder: Path, settings: PredictOptions) -> xr.Dataset:
        assert settings.fit is not None
        assert task.predict is not None
        fit = _opened(Path(settings.fit))
        if not _is_of(fit, task.predict):
            found = str(fit.attrs.get("conventions", "")).removeprefix("electjax ")
            expected = " or ".join(name.removeprefix("electjax ") for name in task.predict.fits)
            raise ConfigError(
                f"fit: {settings.fit} is {found!r}, and the data are {task.kind}; expected {expected!r}, "
                f"as task={task.name} leaves it, or data of the fit's own kind"
            )
        return source.load(chosen, folder, task.options() if task.section else settings)

    return Source(source.options, load)


def _is_of(fit: xr.Dataset, predict: Predict) -> bool:
    return fit.attrs.get("conventions") in predict.fits


def _opened(path: Path) -> xr.Dataset:
    """The one fit that the path leads to.

    Raises:
        ConfigError: a folder with several fits, or with none.
        ElectionDataError: no such file, or a damaged one.
    """
    from electjax.runs import Run, load

    found = load(path)
    if not isinstance(found, Run):
        assert isinstance(found, xr.Dataset)
        return found
    if len(found.fits) != 1:
        files = " or ".join(f"fit={file}" for file in sorted(path.glob("fit*.nc")))
        raise ConfigError(
            f"fit: {path} holds several fits; give one of them: {files}"
            if files
            else f"fit: {path} holds no fit; expected the folder of a run that estimated something, not of "
            f"task={found.task}"
        )
    return found.fit


# ------------------------------------------------------------------------------------ sweeps


def _rows(metrics: Metrics) -> list[tuple[Metrics, Metrics]]:
    """Every single number of the metrics by its place in them."""
    return [({}, dict(_numbers(metrics, "")))]


def _numbers(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{above}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{above}{name}", value


def _figures(table: pd.DataFrame, keys: Any, metrics: Any) -> list[Figure]:
    """None: what is predicted differs between kinds of data."""
    return []
