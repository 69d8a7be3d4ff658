"""The summary of a sweep: one table and one plot beside the folders of its jobs.

It is made from the metrics.json and job.json that the jobs leave in their folders, whatever launched them.
"""

import contextlib
import json
import math
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.image import imread, imsave

from electjax.calm.task.sweep import best_said, calm_figure, calm_row, ranking, settings_swept
from electjax.ecological.task.sweep import ERROR, cells_figure, cells_row, least_error
from electjax.report.style import png_bytes
from electjax.report.sweep import sweep_figure
from electjax.report.tables import value_text
from electjax.run.folder import atomic_path


class Job(NamedTuple):
    """One job of a sweep as its folder tells it; `metrics` is empty where it failed."""

    number: int
    overrides: dict[str, str]
    metrics: dict[str, Any]
    error: str | None


def read_jobs(folder: Path) -> list[Job]:
    """The jobs of a sweep's folder, by number; a job that left no word is a failed one."""
    jobs = []
    for sub in folder.iterdir():
        if not sub.is_dir() or not sub.name.isdecimal():
            continue
        note = _read(sub / "job.json") or {"overrides": [], "error": "the job ended without a word"}
        overrides = dict(override.split("=", 1) for override in note["overrides"] if "=" in override)
        jobs.append(Job(int(sub.name), overrides, _read(sub / "metrics.json") or {}, note["error"]))
    return sorted(jobs)


def swept_keys(jobs: Sequence[Job]) -> list[str]:
    """The overrides that differ between the jobs."""
    keys = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    return [key for key in keys if len({job.overrides.get(key) for job in jobs}) > 1]


def sweep_table(jobs: Sequence[Job]) -> pd.DataFrame:
    """One row per job, model and stage (default, optimal): swept keys, parameters, mean seats and the fit.

    A job of voter types has one row: swept keys, the number of types, the fit and the shares of the types. So has one
    of the candidate-aware model: swept keys, validation loss, eta and how the fit ended. One of ecological inference:
    swept keys, error, intervals and how the fit ended.
    """
    rows = []
    for job in jobs:
        if ERROR in job.metrics:
            rows.append(({"job": job.number} | _swept(job, jobs), cells_row(job.metrics)))
        if "coefficients" in job.metrics:
            rows.append(({"job": job.number} | _swept(job, jobs), calm_row(job.metrics)))
        if "fit" in job.metrics:
            rows.append(({"job": job.number} | _swept(job, jobs), _types_row(job.metrics)))
        for model, stages in job.metrics.get("models", {}).items():
            for stage, found in stages.items():
                row: dict[str, Any] = {"job": job.number} | _swept(job, jobs) | {"model": model, "stage": stage}
                row |= {f"{model}.{name}": _cell(value) for name, value in found["parameters"].items()}
                fit = {name: found[name] for name in ("mwm", "swm", "p_exact", "distance")}
                seats = {
                    f"{kind}_{party}": number
                    for kind in ("mean", "min", "max")
                    for party, number in found[f"seats_{kind}"].items()
                }
                rows.append((row, seats | fit))
    # parameters differ between models: put what all rows have last
    return pd.DataFrame([row for row, _ in rows]).join(pd.DataFrame([last for _, last in rows]))


def write_summary(folder: Path, jobs: Sequence[Job]) -> None:
    """Write sweep.csv, sweep.md and, where some job succeeded, sweep.png."""
    table = sweep_table(jobs)
    with atomic_path(folder / "sweep.csv") as partial:
        table.to_csv(partial, index=False)
    with atomic_path(folder / "sweep.md") as partial:
        partial.write_text(sweep_markdown(table, jobs), "utf-8")
    if len(table):
        with atomic_path(folder / "sweep.png") as partial:
            imsave(partial, draw_panels(table, jobs))


def draw_panels(table: pd.DataFrame, jobs: Sequence[Job]) -> np.ndarray:
    """An image, a panel per model and stage: seats along the swept key, or by job if several were swept."""
    keys = swept_keys(jobs)
    label = keys[0] if len(keys) == 1 else "job"
    if "share_1" in table:
        return _types_panels(table, label)
    if ERROR in table:
        return imread(BytesIO(png_bytes(cells_figure(table, keys))))
    if "validation" in table:
        planted = {job.metrics["truth"].get("rho_age") for job in jobs if "truth" in job.metrics}
        return imread(BytesIO(png_bytes(calm_figure(table, keys, planted.pop() if len(planted) == 1 else None))))
    known = [job.metrics["observed"]["seats"] for job in jobs if job.metrics]
    same = all(seats == known[0] for seats in known)  # elections may be swept too
    parties = list(dict.fromkeys(party for seats in known for party in seats))
    panels = []
    for (model, stage), rows in table.groupby(["model", "stage"], sort=False):
        mean, low, high = (
            {party: rows[f"{kind}_{party}"].tolist() for party in parties} for kind in ("mean", "min", "max")
        )
        figure = sweep_figure(
            rows[label].tolist(),
            mean,
            label=label,
            observed=known[0] if same else None,
            seats_min=low,
            seats_max=high,
            title=f"{str(model).upper()} {stage}",
        )
        panels.append(imread(BytesIO(png_bytes(figure))))
    return np.vstack(panels)


def _types_panels(table: pd.DataFrame, label: str) -> np.ndarray:
    """BIC and the shares of the types."""
    names = [name for name in table if str(name).startswith("share_")]
    shares = {str(name).replace("share_", "type "): table[name].tolist() for name in names}
    panels = {"BIC": {"BIC": table["bic"].tolist()}, "share of the voters": shares}
    drawn = [
        sweep_figure(table[label].tolist(), values, label=label, ylabel=ylabel, whole=False)
        for ylabel, values in panels.items()
    ]
    return np.vstack([imread(BytesIO(png_bytes(figure))) for figure in drawn])


def _types_row(metrics: dict[str, Any]) -> dict[str, Any]:
    """Of a job of voter types what was chosen, how it fits, and the shares of the types."""
    fit = metrics["fit"]
    own = metrics["types"][str(fit["types"])]
    names = ("log_likelihood", "parameters", "aic", "bic", "icl", "entropy")
    shares = {f"share_{k + 1}": share for k, share in enumerate(fit["shares"])}
    return {"types": fit["types"], **{name: own[name] for name in names}, **shares}


def _swept(job: Job, jobs: Sequence[Job]) -> dict[str, Any]:
    return {key: _number(job.overrides.get(key, "")) for key in swept_keys(jobs)}


def sweep_markdown(table: pd.DataFrame, jobs: Sequence[Job]) -> str:
    """The table without ranges and what never differs; below it, where booths were kept out, the settings by what they
    lose there; and what became of the jobs that failed."""
    models = {str(model) for job in jobs for model in job.metrics.get("models", {})}
    same = {name for name in table if str(name).split(".")[0] in models and table[name].nunique() < 2}
    table = table[[name for name in table if not str(name).startswith(("min_", "max_")) and name not in same]]
    lines = _markdown([str(name) for name in table], [map(_short, row) for row in table.itertuples(index=False)])
    ranked = ranking(table, swept_keys(jobs)) if "validation" in table else []
    if len(ranked) > 1:
        names = [*settings_swept(table, swept_keys(jobs)), "seeds", "validation", "above the best", "±"]
        rows = [[*row.values, row.seeds, f"{row.loss:.7g}", row.excess, row.error] for row in ranked]
        lines += ["", *_markdown(names, [map(_short, row) for row in rows]), "", best_said(table, swept_keys(jobs))]
    least = least_error(table, swept_keys(jobs)) if ERROR in table else ""
    lines += ["", least] if least else []
    failed = [job for job in jobs if job.error]
    if failed:
        lines += ["", f"{len(failed)} of {len(jobs)} jobs failed:", ""]
        lines += [f"- job {job.number} ({_said(job)}): {job.error}" for job in failed]
    return "\n".join(lines) + "\n"


def _markdown(names: list[str], rows: list[Iterable[str]]) -> list[str]:
    """The lines of a table."""
    cells = [names, *map(list, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
        if row
    ]


def _said(job: Job) -> str:
    return " ".join(f"{key}={value}" for key, value in job.overrides.items())


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _short(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    if isinstance(value, str) and value.startswith("["):
        return value_text(json.loads(value)).replace("|", "/")
    return str(value)
