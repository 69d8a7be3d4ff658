"""The five models beside each other on Delhi 2020, and PCM's posterior under checks; writes models.json.

    python experiments/districts/calibration/models.py [--budget 20000] [--out PATH]

Posterior probabilities over tolerances, scores of 1,000 predicted elections a model, and for PCM which parameters are
identified, how the posterior moves with the tolerance, and what the predictions miss.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console

import electjax
from electjax.data.files import atomic_path
from electjax.data.programs import start_cache
from electjax.districts.report.posterior import model_probabilities
from electjax.report.draw import save_figure

MODELS = {
    "dm": {},
    "dpm": {},
    "ecm": {},
    "pcm": {},
    # by Metropolis moves a model has no evidence; a rank among the permitted attitudes stands for them
    "sim": {"options": {"communities": 5}, "params": {"shares": [0.35, 0.35, 0.1, 0.1, 0.1]}},
}
SCORES = ("crps_seats", "energy_seats", "energy_statistics", "log_score")


def main():
    """Compare, check, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start_cache()
    delhi = electjax.districts.load("delhi2020")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fits = {
            label: electjax.districts.calibrate(delhi, label, seed=args.seed, budget=args.budget, **own)
            for label, own in MODELS.items()
        }
        found = electjax.districts.compare(delhi, fits, seed=args.seed)
    console = Console(width=150)
    at = found.attrs["tolerance"]
    near = int(np.argmin(np.abs(found["epsilon"].values - at)))
    table = found[["evidence", "evidence_se", "probability", "probability_se", "draws"]].isel(epsilon=near)
    console.print(f"at tolerance {at:.3g}", table.to_dataframe().round(4).to_string(), sep="\n")
    scores = found[[name for name in SCORES if "party" not in found[name].dims]]
    console.print("scores, lower is better", scores.to_dataframe().round(3).to_string(), sep="\n")
    pcm = fits["pcm"]
    known = electjax.districts.identifiability(pcm)
    sensitivity = electjax.districts.sensitivity(pcm)
    check = electjax.districts.check(pcm, delhi, seed=args.seed)
    columns = ["observed", "mean", "sd", "p_two_sided"]
    console.print(
        "PCM",
        "\n".join(known["said"].values.tolist()),
        sensitivity[["mean", "sd"]].to_dataframe().round(3).unstack().to_string(),
        check[columns].to_dataframe()[columns].round(3).to_string(),
        sep="\n",
    )
    if args.out:
        result = {
            "budget": args.budget,
            "seed": args.seed,
            "comparison": found.to_dict(),
            "pcm": {"identifiability": known.to_dict(), "sensitivity": sensitivity.to_dict(), "check": check.to_dict()},
            "warnings": [str(w.message) for w in said],
        }
        (args.out.parent / "figures").mkdir(exist_ok=True)
        save_figure(model_probabilities(found), args.out.parent / "figures" / "model_probabilities.png")
        with atomic_path(args.out) as partial:
            partial.write_text(json.dumps(result, indent=1, default=float), "utf-8")


if __name__ == "__main__":
    main()
