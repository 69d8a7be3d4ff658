"""A sweep over settings of ecological inference: what they change, and which errs least where truth is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from electjax.report.sweep import sweep_figure

ERROR = "mean_ei"
_OWN = "own_candidate"  # share of the votes in cells of a party's voters and its candidate


def cells_row(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Of a job its error, coverage and widths of intervals, what the own candidates keep, and how the fit ended."""
    row: dict[str, Any] = {ERROR: metrics[ERROR], "worst_ei": metrics["worst_ei"]}
    for level, found in metrics.get("intervals", {}).items():
        percent = f"{100 * float(level):g}"
        row |= {f"coverage_{percent}": found["coverage"], f"width_{percent}": found["width"]}
    chosen = metrics.get("by_context", {}).get(f"{metrics.get('context', 0):g}", {})
    row |= {_OWN: chosen.get("own_party")}
    row |= {f"{name}_ei": found[ERROR] for name, found in metrics["methods"].items() if name != metrics["method"]}
    return row | {name: metrics[name] for name in ("steps", "converged", "seconds") if name in metrics}


def least_error(table: pd.DataFrame, keys: Sequence[str]) -> str:
    """The setting with the least mean EI over the data that all settings have; empty where there is no choice."""
    settings = [key for key in keys if not _is_data(key)]
    known = table.dropna(subset=ERROR)
    if not settings or known.empty:
        return ""
    data = [key for key in keys if _is_data(key)]
    repeat = known[data].astype(str).agg("/".join, axis=1) if data else 0
    wide = known.assign(repeat=repeat).pivot_table(index="repeat", columns=settings, values=ERROR, sort=False)
    wide = wide.dropna()  # data that some setting failed with tell nothing of the others
    if wide.shape[1] < 2 or wide.empty:
        return ""
    mean = wide.mean().sort_values(kind="stable")
    named = [_named(settings, at) for at in mean.index]
    said = f"Least error: {named[0]}, with a mean EI of {mean.iloc[0]:.2f} % ({_number_of(len(wide))});"
    said += f" next {named[1]} with {mean.iloc[1]:.2f} %."
    return f"{said} Where the truth is unknown, margins cannot make this choice."


def cells_figure(table: pd.DataFrame, keys: Sequence[str]) -> Figure:
    """Mean EI along the first setting, a line for each value of the others, mean over seeds.

    Without truth, the share of the votes in cells of a party and its own candidate.
    """
    what, ylabel = (ERROR, "mean EI, %") if table[ERROR].notna().any() else (_OWN, "own candidates' share of the votes")
    along = next((key for key in keys if not _is_data(key)), keys[0] if keys else "job")
    others = [key for key in keys if key not in (along, "seed", "data.seed")]
    named = table[others].apply(lambda row: _named(others, tuple(row)), axis=1) if others else what.replace("_", " ")
    values = table.assign(line=named, value=pd.to_numeric(table[what]))
    wide = values.pivot_table(index=along, columns="line", values="value", sort=False, dropna=False)
    lines = {str(name): wide[name].tolist() for name in wide}
    return sweep_figure(wide.index.tolist(), lines, label=along, ylabel=ylabel, whole=False)


def _is_data(key: str) -> bool:
    """Whether a swept key draws or chooses other data, which repeat a setting and are none."""
    return key == "seed" or key.startswith("data.")


def _named(settings: Sequence[str], at: Any) -> str:
    values = at if isinstance(at, tuple) else (at,)
    return " ".join(f"{name}={value}" for name, value in zip(settings, values, strict=True))


def _number_of(data: int) -> str:
    return "one data set" if data == 1 else f"mean over {data} data sets"
