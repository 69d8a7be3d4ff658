"""What the command line can do with a wing, and what comes of it.

A wing's `task.py` has a tuple `TASKS` of these. `electjax.run` makes configuration, help, checks, folders and sweeps of
them and knows nothing else of a wing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import xarray as xr

from electjax.data.progress import Stages
from electjax.report.tables import Metrics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Result(NamedTuple):
    """What a task found: labelled arrays, and the numbers of `metrics.json`."""

    tree: xr.DataTree
    metrics: Metrics


class Source(NamedTuple):
    """Data that a task can be given: options of a data group, and the function that makes a Dataset of them.

    load(options, folder, settings): paths start at the folder; settings are the options of the task.
    """

    options: type
    load: Callable[[Any, Path, Any], xr.Dataset]


class Sweep(NamedTuple):
    """How the jobs of a sweep over a task are summed up.

    rows(metrics): the lines of a job in the table, each as what comes first and what comes last in it.
    figures(table, keys, metrics): one above the other; keys are those that were swept, metrics those of each job.
    said(table, keys): lines below the table.
    fixed(table): columns that the table in Markdown leaves out.
    """

    rows: Callable[[Metrics], list[tuple[dict[str, Any], dict[str, Any]]]]
    figures: Callable[["pd.DataFrame", Sequence[str], Sequence[Metrics]], "list[Figure]"]
    said: Callable[["pd.DataFrame", Sequence[str]], list[str]] = lambda table, keys: []
    fixed: Callable[["pd.DataFrame"], set[str]] = lambda table: set()


class Predict(NamedTuple):
    """How a task's fit is applied to other data.

    fits: the conventions of the Datasets that it takes.
    run(fit, data, seed, stage) applies it; report and tables are as of a task.
    """

    fits: Sequence[str]
    run: Callable[[xr.Dataset, xr.Dataset, int, Stages], Result]
    report: Callable[[Result], Any]
    tables: "Callable[[Result], Mapping[str, pd.DataFrame]]"


def write_result(folder: Path, result: Result) -> None:
    """Write the tree as result.nc."""
    write_tree(folder / "result.nc", result.tree)


class Task(NamedTuple):
    """A task of the command line.

    name: as in `task=calm`. about: what it does, in a line or two.
    kind: what its data are called, as in "booths". example: a command line that chooses such data.
    sources: where data come from, by the name of the schema of a data group.
    groups: the groups of options behind its configuration groups, by group and by schema.
    options: the group that `run` takes; its fields are keys of the section, or of the whole configuration where there
    is no section. hidden: fields that a configuration does not have, or that it has for the whole run, as the seed.
    run(data, options, stage) does it. report(result) is its page and its table.
    write(folder, result) writes result.nc and what else is kept.
    fits(result): what a later run can go on from, by name, which files have: fit_<name>.nc, or fit.nc of the name "".
    tables(result): tidy tables by name, which become tables/<name>.csv.
    predict: how `task=predict` applies a fit of this task to other data.
    sweep sums up a sweep. resumes(options): whether it can go on from the folder `options.checkpoints`.
    placed(options, folder): the options with paths that start at the folder.
    show(data, folder): of a task that leaves no folder, what it prints, which may have an `error`; data are the options
    of the data group.
    """

    name: str
    about: str
    kind: str
    example: str
    sources: Mapping[str, Source]
    groups: Mapping[str, Mapping[str, type]]
    options: type
    run: Callable[[xr.Dataset, Any, Stages], Result]
    report: Callable[[Result], Any]
    sweep: Sweep
    section: str = ""
    hidden: tuple[str, ...] = ("seed",)
    write: Callable[[Path, Result], None] = write_result
    resumes: Callable[[Any], bool] = lambda options: False
    show: Callable[[Any, Path], Any] | None = None
    fits: Callable[[Result], Mapping[str, xr.Dataset]] = lambda result: {}
    tables: "Callable[[Result], Mapping[str, pd.DataFrame]]" = lambda result: {}
    predict: Predict | None = None
    placed: Callable[[Any, Path], Any] = lambda options, folder: options


def given(options: Any, *without: str) -> dict[str, Any]:
    """The values of a group of options by name, for a verb that takes them."""
    return {name: value for name, value in vars(options).items() if name not in without}


def taken_by(group: type, options: Any) -> dict[str, Any]:
    """Those values of a group of options that another group has, too."""
    return {item.name: getattr(options, item.name) for item in fields(group)}


def path_from(folder: Path, path: str) -> Path:
    """A path of the user's, who is in this folder."""
    return folder / Path(path).expanduser()


def write_tree(path: Path, tree: xr.DataTree) -> None:
    """Write a tree as netCDF, its numbers packed."""
    packed = {"zlib": True, "complevel": 4}
    numbers = {
        node.path: {name: packed for name, array in node.data_vars.items() if array.ndim and array.dtype.kind in "iuf"}
        for node in tree.subtree
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=numbers)


def write_json(path: Path, content: object) -> None:
    """Write strict, readable JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
