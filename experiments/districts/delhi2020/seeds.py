"""Calibrate Delhi 2020 for several seeds and tabulate what the runs left in their folders.

python experiments/districts/delhi2020/seeds.py [--seeds 10] [--sweep multirun/delhi2020/<date>_<time>]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

OBSERVED = {"AAP": 62, "BJP": 8, "INC": 0, "others": 0}


def run_sweep(seeds: int) -> Path:
    """Run the experiment for seeds 0, 1, ... as one sweep and return its folder."""
    command = ["electjax.run", "-m", "+experiment=delhi2020", f"seed=range({seeds})", "report=false"]
    subprocess.run([sys.executable, "-m", *command], check=True)
    return max(Path("multirun/delhi2020").iterdir(), key=lambda folder: folder.stat().st_mtime)


def summarise(folder: Path) -> str:
    """A markdown table over the sweep's runs, one row per model; mean and sd over seeds."""
    runs = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/metrics.json"))]
    lines = [
        "| model | parameters | seats AAP / BJP | MWM | SWM | P(exact) | best draw is 62/8/0/0 |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in runs[0]["models"]:
        optimal = [run["models"][model]["optimal"] for run in runs]

        def spread(values: list[float], digits: int) -> str:
            return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"

        found = {  # a row per seed, a column per party
            name: np.stack([np.atleast_1d(o["parameters"][name]) for o in optimal])
            for name in optimal[0]["best_draw"]["parameters"]
        }
        parameters = [
            f"{name} = {', '.join(spread(column, 3 if values.mean() < 2 else 1) for column in values.T)}"
            for name, values in found.items()
        ]
        seats = " / ".join(spread([o["seats_mean"][party] for o in optimal], 1) for party in ("AAP", "BJP"))
        exact = sum(o["best_draw"]["seats"] == OBSERVED for o in optimal)
        cells = [
            model.upper(),
            "; ".join(parameters),
            seats,
            *(spread([o[key] for o in optimal], 3) for key in ("mwm", "swm", "p_exact")),
            f"{exact} of {len(runs)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    simulations = np.mean([run["simulations"] for run in runs])
    return "\n".join([*lines, "", f"{simulations:,.0f} simulations a seed for all models together"])


def main() -> None:
    """Run or read a sweep and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sweep", type=Path, help="read this sweep instead of running one")
    given = parser.parse_args()
    print(summarise(given.sweep or run_sweep(given.seeds)))


if __name__ == "__main__":
    main()
