"""Methods beside exact posteriors: how far off, and for how many simulations; writes known.json.

    python experiments/districts/calibration/known.py [--out experiments/districts/calibration/known.json]

Two elections simulated from known parameters under readings that have a likelihood: DPM by counts (gamma = .05, 40
districts) and PCM by counts without limits (eta = .05 and .02, 30 districts, two parties). z: gap of mean, sd and of
the 5 and 95 % quantiles from those of 20,000 exact draws, in Monte Carlo standard errors at the sample's effective
size. "rejection would take": effective draws over the evidence at the tolerance reached.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import electjax
from electjax.data.files import atomic_path
from electjax.data.programs import start_cache
from electjax.districts import dataset

DPM = {
    "model": "dpm",
    "params": {"gamma": 0.05},
    "options": {"reading": "count", "bookkeeping": "none"},
    "priors": {"gamma": (0.0, 1.0)},
    "shares": {"A": 0.5, "B": 0.35, "C": 0.15},
    "districts": 40,
    "electors": 200_000,
}
PCM = {
    "model": "pcm",
    "params": {"eta": [0.05, 0.02]},
    "options": {"reading": "count", "districts": "open"},
    "priors": {"eta": (0.0, 1.0)},
    "shares": {"A": 0.6, "B": 0.4},
    "districts": 30,
    "electors": 60_000,
}
SUFFICIENT = {"statistics": "log_votes", "accept": 500}
METHODS = {
    "smc": {"method": "smc", "budget": 40_000, "tolerance": 0.01, **SUFFICIENT},
    "smc, no adjustment": {"method": "smc", "budget": 40_000, "tolerance": 0.01, "adjust": "none", **SUFFICIENT},
    "smc, mcmc moves": {"method": "smc", "move": "mcmc", "budget": 80_000, "tolerance": 0.01, **SUFFICIENT},
    "rejection": {"method": "rejection", "budget": 400_000, "tolerance": 0.01, **SUFFICIENT},
    "smc, the paper's statistics": {"method": "smc", "budget": 40_000, "tolerance": 0.25},
    "explore-exploit, the paper's statistics": {"method": "explore_exploit", "budget": 40_000, "tolerance": 0.25},
}


def elections():
    """The two problems: an election and how it is calibrated."""
    for problem in (DPM, PCM):
        base = electjax.districts.uniform(
            problem["shares"], districts=problem["districts"], electors=problem["electors"]
        )
        run = electjax.districts.simulate(
            base, problem["model"], problem["params"], runs=1, seed=5, options=problem["options"]
        )
        names = [f"district {s + 1}" for s in range(problem["districts"])]
        votes = run["votes"].isel(run=0).values
        yield (problem, dataset(votes, districts=names, parties=list(problem["shares"]), attrs={"name": "known"}))


def summary(values, weight):
    """Mean, sd, 5 and 95 % quantiles."""
    mean = weight @ values
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    quantiles = values[order][np.minimum(np.searchsorted(mass, [0.05, 0.95]), len(values) - 1)]
    return np.array([mean, np.sqrt(weight @ (values - mean) ** 2), *quantiles])


def standard_errors(exact, size):
    """Of `summary`, in a sample of this effective size from the law of the exact draws."""
    sd = exact.std()
    kurtosis = np.mean((exact - exact.mean()) ** 4) / sd**4
    errors = [sd / np.sqrt(size), sd * np.sqrt((kurtosis - 1) / (4 * size))]
    for level in (0.05, 0.95):
        low, high = np.quantile(exact, [level - 0.03, level + 0.03])
        errors.append(np.sqrt(level * (1 - level) / size) * (high - low) / 0.06)
    return np.array(errors)


def study(problem, election):
    """Every method on one election, one row per method and parameter."""
    name = next(iter(problem["priors"]))
    shared = {key: problem[key] for key in ("options", "priors")}
    exact = electjax.districts.calibrate(election, problem["model"], method="exact", accept=20_000, seed=1, **shared)
    rows = []
    for label, how in METHODS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = electjax.districts.calibrate(election, problem["model"], seed=2, **shared, **how)
        weight = found["weight"].values
        ess = float(found.attrs["ess"])
        spent = int(found["trace_simulations"].sum())
        row = {"method": label, "simulations": spent, "tolerance": float(found.attrs["tolerance"]), "ess": round(ess)}
        if "trace_log_weight" in found:
            raw = np.exp(found["trace_log_weight"].values[-1])
            row["rejection_would_take"] = round(raw.sum() ** 2 / np.sum(raw**2) / raw.sum())
        draws = found[name].values.reshape(len(weight), -1).T
        truth = exact[name].values.reshape(exact.sizes["draw"], -1).T
        row["z"], row["sd_over_exact"] = [], []
        for own, law in zip(draws, truth, strict=True):
            goal = summary(law, np.full(len(law), 1 / len(law)))
            error = np.hypot(standard_errors(law, ess), standard_errors(law, len(law)))
            row["z"].append(np.round((summary(own, weight) - goal) / error, 1).tolist())
            row["sd_over_exact"].append(round(float(summary(own, weight)[1] / goal[1]), 3))
        rows.append(row)
    return {"exact": [summary(law, np.full(len(law), 1 / len(law))).tolist() for law in truth], "rows": rows}


def main():
    """Both problems."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start_cache()
    result = {"electjax": electjax.__version__, "problems": {}}
    for problem, election in elections():
        result["problems"][problem["model"]] = found = study(problem, election)
        table = Table(title=f"{problem['model']} by counts: z of mean, sd, 5 %, 95 %")
        for heading in ("method", "simulations", "tolerance", "ESS", "z", "sd / exact", "rejection would take"):
            table.add_column(heading)
        for row in found["rows"]:
            table.add_row(
                row["method"],
                f"{row['simulations']:,}",
                f"{row['tolerance']:.3f}",
                str(row["ess"]),
                "; ".join(" ".join(f"{z:+.1f}" for z in one) for one in row["z"]),
                " ".join(f"{ratio:.2f}" for ratio in row["sd_over_exact"]),
                f"{row.get('rejection_would_take', 0):,}",
            )
        Console(width=150).print(table)
    if args.out:
        with atomic_path(args.out) as partial:
            partial.write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
