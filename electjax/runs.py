"""The folder of a run, opened again: its data, its fits, its numbers, its tables and its settings."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from electjax.data.errors import data_error, data_warning
from electjax.data.verdict import Verdict
from electjax.kinds import load_file

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | os.PathLike[str]) -> Any:
    """What `electjax.save`, or the `save` of a wing, wrote, checked against its schema; or the folder of a run.

    Args:
        path: a netCDF file or Zarr folder; or the folder that a run of the command line left, or a sweep of them.

    Returns:
        The Dataset as it was. Of a run's folder a `Run`: its `data`, its `fits` by name (`fit` where there is one),
        `tables`, the whole `tree`, `metrics` and `settings`. Of a sweep's folder its runs by the number of their job;
        jobs that failed are named in a warning.

    Raises:
        ElectionDataError: no such file, one that is damaged, or content that breaks its schema.

    Example:
        >>> import electjax, tempfile
        >>> ballots = electjax.voter_types.yuma_like(voters=50)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = electjax.save(ballots, f"{folder}/ballots.nc")
        ...     electjax.load(path).sizes["voter"]
        50
    """
    folder = Path(path)
    if _is_run(folder):
        return _open_run(folder)
    return _open_sweep(folder) if (folder / "multirun.yaml").is_file() else load_file(path)


@dataclass(frozen=True)
class Run:
    """What a run of the command line left in its folder; files are read when they are asked for.

    Attributes:
        folder: of the run.
        settings: every key of config.yaml with its value.
        metrics: the numbers of metrics.json.
    """

    folder: Path
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def task(self) -> str:
        """What was done, as in task=calm."""
        return str(self.settings["task"])

    @cached_property
    def data(self) -> xr.Dataset:
        """The data as they were analysed."""
        return self._load("data.nc")

    @cached_property
    def fits(self) -> dict[str, xr.Dataset]:
        """What was estimated, by name: of districts by model, else one with the name "fit"."""
        names = sorted(path.name for path in self.folder.glob("fit*.nc"))
        return {name.removeprefix("fit_").removesuffix(".nc"): self._load(name) for name in names}

    @property
    def fit(self) -> xr.Dataset:
        """What was estimated, where that is one thing.

        Raises:
            ElectionDataError: the run has several fits, or none.
        """
        if len(self.fits) == 1:
            return next(iter(self.fits.values()))
        found = f"fits of {', '.join(self.fits)}" if self.fits else f"no fit: task={self.task} makes none"
        raise data_error(found, where=str(self.folder), expected="a run with one fit", mend="take one from run.fits")

    @cached_property
    def tree(self) -> xr.DataTree:
        """Everything in result.nc."""
        from electjax.data.guarded import guarded

        path = self.folder / "result.nc"
        if not path.is_file():
            raise data_error("no result.nc", where=str(self.folder), expected="a whole run", mend="run it again")
        expected, mend = "the result of a run", "run it again"
        guarded("netcdf", path, expected=expected, mend=mend, where=str(path))
        try:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                return tree.load()
        except Exception as error:  # a damaged file makes the libraries below raise whatever they like
            raise data_error(f"cannot be opened ({error})", where=str(path), expected=expected, mend=mend) from None

    @cached_property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """The tables of tables/*.csv."""
        import pandas as pd

        paths = sorted((self.folder / "tables").glob("*.csv"))
        return {path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in paths}

    @property
    def figures(self) -> dict[str, Path]:
        """The pictures of figures/*.png, by name."""
        return {path.stem: path for path in sorted((self.folder / "figures").glob("*.png"))}

    @property
    def report(self) -> Path | None:
        """The page report.html, where there is one."""
        page = self.folder / "report.html"
        return page if page.is_file() else None

    @property
    def verdict(self) -> Verdict | None:
        """Whether the result can be relied on."""
        told = self.metrics.get("verdict")
        return told and Verdict(told["level"], tuple(told["reasons"]), tuple(told["levels"]))

    def __repr__(self) -> str:
        told = [f"<electjax run {self.folder}>", f"task={self.task}"]
        told += [] if self.verdict is None else [str(self.verdict)]
        return "\n".join([*told, "data, fits, fit, tables, tree, metrics, settings, figures, report"])

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, and a link to the report."""
        lines = [f"<b>electjax run</b> {escape(str(self.folder))}", f"task={escape(self.task)}"]
        lines += [] if self.verdict is None else [escape(str(self.verdict))]
        link = [] if self.report is None else [f'<a href="{escape(self.report.absolute().as_uri())}">report.html</a>']
        return "<br>".join([*lines, *link])

    def _load(self, name: str) -> xr.Dataset:
        return load_file(self.folder / name)


def _is_run(folder: Path) -> bool:
    """Whether the folder is that of a run."""
    return (folder / "config.yaml").is_file() and (folder / "metrics.json").is_file()


def _open_sweep(folder: Path) -> dict[int, Run]:
    """The runs of a sweep by the number of their job.

    Raises:
        ElectionDataError: no job of the sweep has a result, or a file of one cannot be read.
    """
    jobs = sorted(
        (path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()), key=lambda p: int(p.name)
    )
    found = {int(path.name): _open_run(path) for path in jobs if _is_run(path)}
    failed = [path.name for path in jobs if int(path.name) not in found]
    if not found:
        mend = "sweep.md there says why"
        raise data_error("a sweep without a result", where=str(folder), expected="runs", mend=mend)
    if failed:
        data_warning(f"job {', '.join(failed)} of the sweep failed and is left out", where=str(folder))
    return found


def _open_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        ElectionDataError: config.yaml or metrics.json cannot be read.
    """
    from omegaconf import OmegaConf

    def read(name: str, parse: Callable[[str], Any]) -> Any:
        try:
            return parse((folder / name).read_text("utf-8"))
        except Exception as error:  # YAML's own errors are many
            problem, where = f"cannot be read ({' '.join(str(error).split())})", str(folder / name)
            raise data_error(problem, where=where, expected="the file of a run", mend="run it again") from None

    settings = read("config.yaml", lambda text: OmegaConf.to_container(OmegaConf.create(text)))
    return Run(folder, settings, read("metrics.json", json.loads))
