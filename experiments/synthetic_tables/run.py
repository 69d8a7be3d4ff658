"""Table 1 of the paper beside ours: DM and DPM, 100 districts, 1,000,000 electors, fixed seeds.

    python experiments/synthetic_tables/run.py [--runs 1000]

Prints mean seats of both, and the mean absolute error of the default and of the literal readings.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import electjax

HERE = Path(__file__).parent
READINGS = {
    "DM default (c = 3)": ("dm", {}, {}),
    "DM literal (c = 1)": ("dm", {"concentration": 1.0}, {}),
    "DPM default (fraction, c0 = 2.5)": ("dpm", {}, {}),
    "DPM literal fraction (c0 = 0)": ("dpm", {"prior_mass": 0.0}, {}),
    "DPM literal count": ("dpm", {}, {"reading": "count"}),
}


def printed() -> list[dict[str, str]]:
    """The rows of the paper's Table 1."""
    with (HERE / "table1.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seats_of(row: dict[str, str], params: dict, options: dict, *, runs: int, seed: int) -> np.ndarray:
    """Simulated seats, shape (runs, 3), for one row of the table."""
    election = electjax.uniform_election({party: float(row[f"theta{k}"]) for k, party in enumerate("ABC", 1)})
    if row["setting"]:
        params = params | {"gamma": float(row["setting"].removeprefix("gamma="))}
    model = row["model"].lower()
    simulated = electjax.simulate(election, model, params, options=options, runs=runs, seed=seed)
    return simulated["seats"].values


def table(runs: int) -> dict[str, dict]:
    """For every reading: rows with the paper's seats, ours (mean, sd), and the mean absolute error."""
    result = {}
    for name, (model, params, options) in READINGS.items():
        rows, gaps = [], []
        for seed, row in enumerate(printed()):
            if row["model"].lower() != model:
                continue
            seats = seats_of(row, params, options, runs=runs, seed=seed)
            paper = np.array([float(row[f"seats{k}"]) for k in (1, 2, 3)])
            theta = [float(row[f"theta{k}"]) for k in (1, 2, 3)]
            ours, sd = seats.mean(axis=0), seats.std(axis=0)
            spread = {"min": seats.min(axis=0).tolist(), "max": seats.max(axis=0).tolist(), "sd": sd.round(2).tolist()}
            mean = {"paper": paper.tolist(), "ours": ours.round(2).tolist()}
            rows.append({"theta": theta, "setting": row["setting"], **mean, **spread})
            gaps.append(np.abs(ours - paper))
        result[name] = {"rows": rows, "mean_absolute_error": float(np.mean(gaps))}
    return result


def main() -> None:
    """Print the table and keep it in result.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    result = table(runs)
    view = Table(title=f"Table 1, mean seats over {runs} runs (paper: 100)")
    for column in ("reading", "theta", "setting", "paper", "ours", "sd"):
        view.add_column(column)
    for name, reading in result.items():
        for row in reading["rows"]:
            cells = ("/".join(f"{value:g}" for value in row[key]) for key in ("theta", "paper", "ours", "sd"))
            theta, paper, ours, sd = cells
            view.add_row(name, theta, row["setting"], paper, ours, sd)
        view.add_row(name, "", "", "", f"mean absolute error {reading['mean_absolute_error']:.2f}", "", style="bold")
    Console(width=130).print(view)
    (HERE / "result.json").write_text(json.dumps({"runs": runs, **result}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
