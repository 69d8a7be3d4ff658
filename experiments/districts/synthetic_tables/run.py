"""Tables 1, 2, 3 and the rows with three communities of Table 4 beside ours, and the robustness of section 8.

    python experiments/districts/synthetic_tables/run.py [--runs 1000] [--tables 1 2 3 4]

100 districts and 1,000,000 electors, as in the paper; fixed seeds. Prints mean seats of both, the mean absolute error
of the default readings and of others, the error out of sample of what was fitted on these tables, and the spread over
runs. With all tables, everything is kept in result.json.
"""

import argparse
import csv
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from rich.console import Console
from rich.progress import track
from rich.table import Table

import electjax

HERE = Path(__file__).parent
OTHER_RUNS, GRID_RUNS, SPREAD_RUNS = 400, 200, 400  # at most, where the mean of a table or a spread is asked
FREE = 100.0  # a capacity of 100 districts: all electors fit into any
Values = Mapping[str, Any]
NOTHING: Values = MappingProxyType({})


class Row(NamedTuple):
    """A line of the paper's tables; in Table 4, theta is an outcome and `sd` is printed too."""

    table: str
    model: str
    setting: str
    theta: tuple[float, ...]
    seats: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()


class Reading(NamedTuple):
    """A way to read a model's equations."""

    name: str
    params: Values = NOTHING
    options: Values = NOTHING


class Fitted(NamedTuple):
    """A number that the text does not give and that models share; it was chosen on their tables."""

    symbol: str
    parameter: str
    models: tuple[str, ...]
    grid: tuple[float, ...]


DEFAULT = Reading("default")
READINGS = {
    "dm": (Reading("Dirichlet(3 θ), the default"), Reading("Dirichlet(θ), the literal text", {"concentration": 1.0})),
    "dpm": (
        Reading("fractions, prior mass 2.5, the default"),
        Reading("fractions without prior mass", {"prior_mass": 0.0}),
        Reading("counts, the literal text", NOTHING, {"reading": "count"}),
    ),
    "ecm": (
        Reading("fractions, prior mass 2.5, one national urn, the default"),
        Reading("eq. 4 as printed", NOTHING, {"reading": "literal"}),
        Reading("communities weighted by their members", NOTHING, {"ball": "elector"}),
        Reading("an urn in every district", NOTHING, {"urn": "district"}),
        Reading("the last community exceeds its party's total", NOTHING, {"overflow": "exceed"}),
    ),
    "pcm": (
        Reading("fractions, capacity 1.5, the default"),
        Reading("fractions, capacity 1", {"capacity": 1.0}),
        Reading("fractions, no capacity", {"capacity": FREE}),
        Reading("counts, capacity 1.5", NOTHING, {"reading": "count"}),
        Reading("counts, capacity 1, the literal text", {"capacity": 1.0}, {"reading": "count"}),
    ),
    "sim": (
        Reading("Dirichlet(0.5) placement, the default"),
        Reading("Dirichlet(1) placement", {"concentration": 1.0}),
        Reading("κ ~ Beta(2, 2) in place of .5", NOTHING, {"kappa": "beta"}),
        Reading("equal populations, the literal text", NOTHING, {"placement": "capped"}),
    ),
}
URN = {"dpm": (0, 2), "ecm": (0, 1), "pcm": (0, 3)}  # which readings are the urn of fractions and that of counts
FITTED = (
    Fitted("c", "concentration", ("dm",), (1.0, 2.0, 3.0, 4.0)),
    Fitted("c₀", "prior_mass", ("dpm", "ecm"), (0.0, 1.0, 2.5, 5.0, 10.0)),
    Fitted("L", "capacity", ("pcm",), (1.0, 1.2, 1.5, 2.0, FREE)),
    Fitted("a", "concentration", ("sim",), (0.25, 0.5, 1.0, 2.0)),
)
SOCIETIES: dict[str, dict[str, Any]] = {
    "phi1": {"phi": [[1, -1, 0], [-1, 1, 0], [-1, 1, 0]], "sigma": [1, 1, 2]},
    "phi2": {"phi": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "sigma": [1, 2, 1]},
    # section 8 prints neither its attitudes nor its shares: these are ours, within both forms of the constraint
    "polarized": {"phi": [[1, -1, 0], [-1, 1, 0], [-1, 1, 0], [-1, -1, 0]], "sigma": [1, 1, 2]},
    "friendly": {"phi": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], "sigma": [1, 2, 1]},
    "mixed": {"phi": [[1, -1, 0], [-1, 1, 0], [0, 0, 1], [0, 1, -1]], "sigma": [1, 1, 1]},
}
THETAS = ((0.5, 0.4, 0.1), (0.5, 0.3, 0.2), (0.4, 0.35, 0.25), (0.4, 0.3, 0.3), (0.35, 0.33, 0.32))
SECTION_8 = {
    "dpm": [f"gamma={gamma}" for gamma in (0.6, 0.7, 0.8, 0.9, 0.99)],
    "ecm": [f"alpha={alpha};beta={beta}" for alpha in (10, 20, 50) for beta in (0.5, 0.8)],
    "pcm": [f"eta={a}/{b}/{c}" for a in (0.5, 0.99) for b in (0.5, 0.99) for c in (0.5, 0.99)],
    "sim": [
        f"society={name};shares={shares}"
        for name in ("polarized", "friendly", "mixed")
        for shares in ("0.25/0.25/0.25/0.25", "0.4/0.3/0.2/0.1", "0.5/0.25/0.15/0.1")
    ],
}
PRINTED_SD = {"dpm": "at most 3", "ecm": "8 to 10, up to 15 for the top two", "pcm": "at most 3.5", "sim": "below 4"}


def steps(items: Iterable[Any], text: str) -> Iterable[Any]:
    """The items, with a progress bar where somebody watches."""
    return track(list(items), text, transient=True, disable=not Console().is_terminal)


def printed() -> list[Row]:
    """The rows of the paper's tables."""
    with (HERE / "tables.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))

    def triple(line: dict[str, str], name: str) -> tuple[float, ...]:
        return tuple(float(line[f"{name}{k}"]) for k in (1, 2, 3) if line[f"{name}{k}"])

    return [
        Row(line["table"], line["model"].lower(), line["setting"], *(triple(line, n) for n in ("theta", "seats", "sd")))
        for line in lines
    ]


def settings(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and options that the setting of a row stands for."""
    params: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for pair in filter(None, row.setting.split(";")):
        name, value = pair.split("=")
        if name == "society":
            params |= SOCIETIES[value]
            options |= {"attitudes": "given", "communities": len(SOCIETIES[value]["phi"])}
        elif name == "influence":
            options[name] = value
        else:
            params[name] = [float(x) for x in value.split("/")] if "/" in value else float(value)
    return params, options


def simulated(row: Row, reading: Reading = DEFAULT, *, runs: int, seed: int) -> xr.Dataset:
    """Simulations of one row under a reading of its model."""
    theta = (1 / 3, 1 / 3, 1 / 3) if row.model == "sim" else row.theta  # SIM makes its own popularity
    election = electjax.districts.uniform(dict(zip("ABC", theta, strict=True)))
    params, options = settings(row)
    params |= reading.params
    options |= reading.options
    return electjax.districts.simulate(election, row.model, params, options=options, runs=runs, seed=seed)


def seats_of(row: Row, reading: Reading = DEFAULT, *, runs: int, seed: int) -> np.ndarray:
    """Simulated seats, shape (runs, 3), for one row."""
    return simulated(row, reading, runs=runs, seed=seed)["seats"].values


def numbered(models: Iterable[str]) -> list[tuple[int, Row]]:
    """The rows of these models with their numbers, which are their seeds."""
    return [(number, row) for number, row in enumerate(printed()) if row.model in models]


def row_errors(model: str, reading: Reading = DEFAULT, *, runs: int, rows: Sequence[int] | None = None) -> np.ndarray:
    """Mean absolute error in seats of each row of a model, or of those with the numbers `rows`."""
    return np.array(
        [
            np.abs(seats_of(row, reading, runs=runs, seed=number).mean(axis=0) - row.seats).mean()
            for number, row in numbered([model])
            if rows is None or number in rows
        ]
    )


def compare(model: str, reading: Reading, runs: int) -> dict[str, Any]:
    """One reading against the rows of its model: seats of both and their mean absolute error."""
    rows = []
    for number, row in steps(numbered([model]), f"{model}: {reading.name}"):
        out = simulated(row, reading, runs=runs, seed=number)
        seats = out["seats"].values
        ours = {"ours": seats.mean(axis=0), "min": seats.min(axis=0), "max": seats.max(axis=0), "sd": seats.std(axis=0)}
        line = row._asdict() | {name: np.round(value, 2).tolist() for name, value in ours.items()}
        line |= {"paper": row.seats, "paper_sd": row.sd}
        if model == "sim":
            line["shares"] = (out["votes"].sum("district").mean("run") / 1e6).values.round(3).tolist()
        rows.append({key: line[key] for key in line if key != "seats"})
    error = np.mean([np.abs(np.subtract(row["ours"], row["paper"])) for row in rows])
    return {"mean_absolute_error": round(float(error), 3), "rows": rows}


def held_out(errors: np.ndarray, groups: Sequence[Any]) -> dict[str, Any]:
    """Choose a line of errors[choice, row] for each group of rows on the others: the choices and errors."""
    labels = np.asarray(groups)
    chosen, outside = {}, np.empty(labels.size)
    for label in dict.fromkeys(groups):
        own = labels == label
        best = int(errors[:, ~own].mean(axis=1).argmin())
        chosen[str(label)] = {
            "chosen": best,
            "error": round(float(errors[best, own].mean()), 3),
            "in_sample": round(float(errors[:, own].mean(axis=1).min()), 3),
            "errors": errors[:, own].mean(axis=1).round(3).tolist(),
        }
        outside[own] = errors[best, own]
    return {
        "errors": errors.mean(axis=1).round(3).tolist(),
        "in_sample": round(float(errors.mean(axis=1).min()), 3),
        "out_of_sample": round(float(outside.mean()), 3),
        "groups": chosen,
    }


def leave_out(fitted: Fitted, runs: int) -> dict[str, Any]:
    """Choose a number on the other table that shares it, or on the other rows of its only table."""
    models = [row.model for _, row in numbered(fitted.models)]
    errors = np.stack(
        [
            np.concatenate(
                [row_errors(model, Reading("", {fitted.parameter: value}), runs=runs) for model in fitted.models]
            )
            for value in steps(fitted.grid, f"leave out: {fitted.symbol}")
        ]
    )
    groups = models if len(fitted.models) > 1 else range(len(models))
    found = held_out(errors, list(groups))
    for group in found["groups"].values():
        group["chosen"] = fitted.grid[group["chosen"]]
    return {"models": fitted.models, "grid": fitted.grid} | found


def leave_out_urn(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Choose between the urns of fractions and of counts for each of three tables on the other two."""
    errors = np.array([[list(tables[model].values())[n]["mean_absolute_error"] for n in URN[model]] for model in URN]).T
    found = held_out(errors, list(URN))
    for group in found["groups"].values():
        group["chosen"] = ("fractions", "counts")[group["chosen"]]
    return {"models": tuple(URN), "grid": ("fractions", "counts")} | found


def spread(model: str, runs: int) -> list[dict[str, Any]]:
    """Standard deviations of the seats over runs in the settings of section 8."""
    thetas = ((),) if model == "sim" else THETAS
    lines = [Row("8", model, setting, theta) for setting in SECTION_8[model] for theta in thetas]
    found = []
    for number, row in enumerate(steps(lines, f"section 8: {model}")):
        seats = seats_of(row, runs=runs, seed=1000 + number)
        means, sd = seats.mean(axis=0).round(2).tolist(), seats.std(axis=0).round(2).tolist()
        found.append({"setting": row.setting, "theta": row.theta, "mean": means, "sd": sd})
    return found


def _join(values: Iterable[float]) -> str:
    return "/".join(f"{value:g}" for value in values)


def show_tables(console: Console, tables: Mapping[str, Mapping[str, Any]], runs: int) -> None:
    """The rows of the default readings, and the errors of all."""
    view = Table(title=f"Mean seats over {runs:,} runs of the default readings (paper: 100 runs)")
    for column in ("table", "model", "setting", "θ", "paper", "ours", "sd", "min", "max"):
        view.add_column(column)
    for readings in tables.values():
        for row in next(iter(readings.values()))["rows"]:
            sd = _join(row["sd"]) + (f" ({_join(row['paper_sd'])})" if row["paper_sd"] else "")
            theta = _join(row["theta"]) + (f" (ours {_join(row['shares'])})" if "shares" in row else "")
            cells = [_join(row[key]) for key in ("paper", "ours", "min", "max")]
            view.add_row(row["table"], row["model"], row["setting"], theta, *cells[:2], sd, *cells[2:])
        view.add_section()
    console.print(view)
    view = Table(title="Mean absolute error in seats")
    for column in ("model", "reading", "error"):
        view.add_column(column)
    for model, readings in tables.items():
        for name, found in readings.items():
            view.add_row(model, name, f"{found['mean_absolute_error']:.2f}")
    console.print(view)


def show_left_out(console: Console, left_out: Mapping[str, Mapping[str, Any]]) -> None:
    """Errors in and out of sample of what was fitted."""
    view = Table(title="Chosen on the other table, or on the other rows of the same")
    for column in ("choice", "left out", "error by choice", "chosen", "out of sample", "best in sample"):
        view.add_column(column)
    for symbol, found in left_out.items():
        whole = {"error": found["out_of_sample"]} | {key: found[key] for key in ("errors", "in_sample")}
        whole["chosen"] = ", ".join(sorted({str(group["chosen"]) for group in found["groups"].values()}))
        one_table = len(found["models"]) == 1
        for name, group in ({f"{found['models'][0]}, row by row": whole} if one_table else found["groups"]).items():
            errors = ", ".join(
                f"{value}: {error:.2f}" for value, error in zip(found["grid"], group["errors"], strict=True)
            )
            view.add_row(
                symbol, name, errors, str(group["chosen"]), f"{group['error']:.2f}", f"{group['in_sample']:.2f}"
            )
    console.print(view)


def show_spread(console: Console, spreads: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Largest and typical standard deviations by model and setting."""
    view = Table(title="Section 8: standard deviation of seats over runs")
    for column in ("model", "setting", "median, top two", "largest, top two", "largest, third", "paper"):
        view.add_column(column)
    for model, lines in spreads.items():
        for setting in [*dict.fromkeys(line["setting"] for line in lines), ""]:
            sd = np.array([line["sd"] for line in lines if setting in ("", line["setting"])])
            numbers = (np.median(sd[:, :2]), sd[:, :2].max(), sd[:, 2].max())
            paper = "" if setting else PRINTED_SD[model]
            view.add_row(model, setting or "all", *(f"{number:.1f}" for number in numbers), paper)
        view.add_section()
    console.print(view)


def main() -> None:
    """Print everything; keep it in result.json if no table is left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="runs for every row")
    parser.add_argument("--tables", nargs="+", choices="1234", default=list("1234"), help="tables to simulate")
    chosen = parser.parse_args()
    console, start = Console(width=165), time.perf_counter()
    models = list(dict.fromkeys(row.model for row in printed() if row.table in chosen.tables))
    other_runs = min(OTHER_RUNS, chosen.runs)
    tables = {
        model: {
            reading.name: compare(model, reading, other_runs if number else chosen.runs)
            for number, reading in enumerate(READINGS[model])
        }
        for model in models
    }
    show_tables(console, tables, chosen.runs)
    grid_runs, spread_runs = min(GRID_RUNS, chosen.runs), min(SPREAD_RUNS, chosen.runs)
    left_out = {f.symbol: leave_out(f, grid_runs) for f in FITTED if set(f.models) <= set(models)}
    if set(URN) <= set(models):
        left_out["urn"] = leave_out_urn(tables)
    show_left_out(console, left_out)
    spreads = {model: spread(model, spread_runs) for model in SECTION_8 if model in models}
    show_spread(console, spreads)
    console.print(f"{time.perf_counter() - start:.0f} s")
    if set("1234") <= set(chosen.tables):
        runs = {"defaults": chosen.runs, "other_readings": other_runs, "leave_out": grid_runs, "section_8": spread_runs}
        text = json.dumps({"runs": runs, "tables": tables, "leave_out": left_out, "section_8": spreads}, indent=1)
        text = re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", text)
        (HERE / "result.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
