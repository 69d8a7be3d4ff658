"""A sweep over settings of the candidate-aware model: which of them predicts best the booths that were kept out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from electjax.report.sweep import loss_surface, sweep_figure

LOSS = "validation"
_SEEDS = ("seed", "data.seed")  # repeat a setting, and are none


class Settled(NamedTuple):
    """One setting, over its seeds: mean validation loss, mean difference from the best with its standard error."""

    values: tuple[Any, ...]
    seeds: int
    loss: float
    excess: float
    error: float  # NaN for a single seed


def calm_row(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Of a job its validation loss, its coefficients and how the fit ended."""
    kept = metrics.get("validation_loss") or {}
    losses = {LOSS: kept.get("total"), f"{LOSS}_turnout": kept.get("turnout"), f"{LOSS}_party": kept.get("party")}
    etas = {f"eta_{name}": row["eta"] for name, row in metrics["coefficients"].items()}
    xi = metrics["parameters"].get("xi")
    mobilised = {} if xi is None else {"xi": xi["value"]}
    return losses | etas | mobilised | {name: metrics[name] for name in ("objective", "steps", "converged")}


def settings_swept(table: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The swept keys that are settings: all but the seeds."""
    return [key for key in keys if key not in _SEEDS and key in table]


def ranking(table: pd.DataFrame, keys: Sequence[str]) -> list[Settled]:
    """The settings, the one with the smallest mean validation loss first.

    Differences are taken within a seed, which draws the same data or the same split for all settings.
    """
    settings = settings_swept(table, keys)
    if not settings or LOSS not in table or not table[LOSS].notna().any():
        return []
    seeds = [key for key in keys if key in _SEEDS and key in table]
    known = table[table[LOSS].notna()]
    columns = known.assign(repeat=0 if not seeds else known[seeds].astype(str).agg("/".join, axis=1))
    wide = columns.pivot_table(index="repeat", columns=settings, values=LOSS, aggfunc="mean", sort=False)
    wide = wide.dropna(axis=1) if wide.notna().all().any() else wide
    mean = wide.mean()
    excess = wide.sub(wide[mean.idxmin()], axis=0)
    error = excess.std(ddof=1) / np.sqrt(len(wide)) if len(wide) > 1 else mean * np.nan
    found = []
    for at in mean.sort_values(kind="stable").index:
        values = at if isinstance(at, tuple) else (at,)
        found.append(Settled(values, len(wide), float(mean[at]), float(excess[at].mean()), float(error[at])))
    return found


def best_said(table: pd.DataFrame, keys: Sequence[str]) -> str:
    """Which setting predicts best, and what the best with another value of each key loses; empty without a choice."""
    ranked = ranking(table, keys)
    if len(ranked) < 2:
        return ""
    names, first = settings_swept(table, keys), ranked[0]
    best = " ".join(f"{name}={value}" for name, value in zip(names, first.values, strict=True))
    seeds = f"mean over {first.seeds} seeds" if first.seeds > 1 else "one seed"
    said = f"Best: {best}, with a validation loss of {first.loss:.6g} ({seeds})."
    for i, name in enumerate(names):
        other = next((row for row in ranked if row.values[i] != first.values[i]), None)
        if other is not None:
            error = "" if np.isnan(other.error) else f" ± {other.error:.1e}"
            said += f" The best with another {name}, {other.values[i]}, loses {other.excess:.1e}{error} more."
    return said


def calm_figure(table: pd.DataFrame, keys: Sequence[str], planted: float | None) -> Figure:
    """Validation loss over the two settings with most values, mean over everything else; or eta by job.

    The proximity rho, if it was swept, runs along the horizontal axis.
    """
    ranked = ranking(table, keys)
    names = settings_swept(table, keys)
    if len(ranked) < 2:
        etas = {str(name).removeprefix("eta_"): table[name].tolist() for name in table if str(name).startswith("eta_")}
        label = keys[0] if len(keys) == 1 else "job"
        return sweep_figure(table[label].tolist(), etas, label=label, ylabel="η per SD", whole=False)
    levels = {name: sorted({row.values[i] for row in ranked}, key=_order) for i, name in enumerate(names)}
    order = sorted(names, key=lambda name: (not _is_rho(name), -len(levels[name])))
    across, down = order[0], order[1] if len(order) > 1 else None
    rows = [""] if down is None else levels[down]
    loss, error = np.full((2, len(rows), len(levels[across])), np.nan)
    for i, value in enumerate(rows):
        for j, other in enumerate(levels[across]):
            own = [
                row
                for row in ranked
                if row.values[names.index(across)] == other and (down is None or row.values[names.index(down)] == value)
            ]
            if own:
                loss[i, j] = np.mean([row.loss for row in own])
                error[i, j] = own[0].error if len(own) == 1 else np.nan
    return loss_surface(
        loss,
        (across, levels[across]),
        (down or "", rows),
        error=error if np.isfinite(error).any() else None,
        planted=planted if _is_rho(across) else None,
    )


def _is_rho(name: str) -> bool:
    return name.startswith("calm.rho")


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value))
