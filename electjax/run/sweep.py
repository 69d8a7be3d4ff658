"""The summary of a sweep: one table and one plot beside the folders of its jobs.

It is made from the config.yaml, metrics.json and job.json that the jobs leave in their folders, whatever launched them.
"""

import contextlib
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.image import imread, imsave
from omegaconf import OmegaConf

from electjax.data.files import atomic_path
from electjax.report.draw import png_bytes
from electjax.report.result import Sweep
from electjax.report.tables import markdown_table
from electjax.run.tasks import tasks


class Job(NamedTuple):
    """One job of a sweep as its folder tells it; `metrics` is empty where it failed."""

    number: int
    overrides: dict[str, str]
    metrics: dict[str, Any]
    error: str | None
    task: str


def read_jobs(folder: Path) -> list[Job]:
    """The jobs of a sweep's folder, by number; a job that left no word is a failed one."""
    jobs = []
    for sub in folder.iterdir():
        if not sub.is_dir() or not sub.name.isdecimal():
            continue
        note = _read(sub / "job.json") or {"overrides": [], "error": "the job ended without a word"}
        overrides = dict(override.split("=", 1) for override in note["overrides"] if "=" in override)
        metrics = _read(sub / "metrics.json") or {}
        task = str(OmegaConf.load(sub / "config.yaml").task) if metrics else ""
        jobs.append(Job(int(sub.name), overrides, metrics, note["error"], task))
    return sorted(jobs)


def swept_keys(jobs: Sequence[Job]) -> list[str]:
    """The overrides that differ between the jobs."""
    keys = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    return [key for key in keys if len({job.overrides.get(key) for job in jobs}) > 1]


def sweep_table(jobs: Sequence[Job]) -> pd.DataFrame:
    """The lines of all jobs that succeeded, as their tasks have them, after the job's number and the swept keys."""
    rows, keys = [], swept_keys(jobs)
    for job in jobs:
        swept: dict[str, Any] = {"job": job.number} | {key: _number(job.overrides.get(key, "")) for key in keys}
        for first, last in tasks()[job.task].sweep.rows(job.metrics) if job.metrics else ():
            rows.append((swept | first, last))
    # what comes first differs between rows: put what all have last
    return pd.concat([pd.DataFrame(list(part)) for part in zip(*rows, strict=True)], axis=1) if rows else pd.DataFrame()


def write_summary(folder: Path, jobs: Sequence[Job]) -> None:
    """Write sweep.csv, sweep.md and, where some job succeeded and its task draws them, sweep.png."""
    table, keys = sweep_table(jobs), swept_keys(jobs)
    done = [job for job in jobs if job.metrics]
    sweep = tasks()[done[0].task].sweep if done else None
    with atomic_path(folder / "sweep.csv") as partial:
        table.to_csv(partial, index=False)
    with atomic_path(folder / "sweep.md") as partial:
        partial.write_text(sweep_markdown(table, jobs, sweep), "utf-8")
    if sweep is not None:
        if not (figures := sweep.figures(table, keys, [job.metrics for job in done])):
            return
        with atomic_path(folder / "sweep.png") as partial:
            imsave(partial, np.vstack([imread(BytesIO(png_bytes(figure))) for figure in figures]))


def sweep_markdown(table: pd.DataFrame, jobs: Sequence[Job], sweep: Sweep | None) -> str:
    """The table without what the task leaves out; what it says of the table; what became of jobs that failed."""
    keys, fixed = swept_keys(jobs), sweep.fixed(table) if sweep else set()
    short = table[[name for name in table if name not in fixed]]
    lines = markdown_table([str(name) for name in short], [list(row) for row in short.itertuples(index=False)])
    lines += sweep.said(table, keys) if sweep else []
    failed = [job for job in jobs if job.error]
    if failed:
        lines += ["", f"{len(failed)} of {len(jobs)} jobs failed:", ""]
        for job in failed:
            said = " ".join(f"{key}={value}" for key, value in job.overrides.items())
            lines.append(f"- job {job.number} ({said}): {job.error}")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
