"""PCM and SIM calibrated to the elections of the paper (its Tables 5 to 9); writes elections.json.

    python experiments/districts/calibration/elections.py [NAME ...] [--out PATH]

PCM by sequential Monte Carlo with default settings, one eta per party (the 56 units of the United States: supporters
go where they follow nobody in proportion to electorates). SIM with five communities, whose attitudes to the parties
are searched among -1, 0 and 1 by Metropolis moves: the paper searches them at random for the closest simulation.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import electjax
from electjax.data.files import atomic_path
from electjax.data.programs import start_cache
from electjax.districts.results import parameter_names

ELECTIONS = ("delhi2013", "delhi2015", "delhi2020", "odisha2019_assembly", "odisha2019_loksabha", "us2016", "us2020")
FRESH = 200  # elections simulated at psi_opt
SHARES = (0.35, 0.35, 0.1, 0.1, 0.1)  # of SIM's communities
SEARCHED = {"phi": {"levels": [-1, 0, 1]}, "concentration": (0.05, 50.0), "sigma": (0.1, 4.0)}


def study(name, model, budget, seed):
    """One election and one model: the closest draw, and 200 fresh elections at psi_opt."""
    election = electjax.districts.load(name)
    options, how = {}, {"tolerance": 0.5}
    if name.startswith("us"):
        options["base"] = "electorate"
    params = {}
    if model == "sim":
        options |= {"communities": 5, "attitudes": "given"}
        params = {"shares": list(SHARES)}
        how |= {"priors": SEARCHED, "move": "mcmc"}
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        posterior = electjax.districts.calibrate(
            election, model, seed=seed, budget=budget, options=options, params=params, **how
        )
    seconds = time.perf_counter() - began
    names = parameter_names(posterior)
    optimal = {n: posterior[f"optimal_{n}"].values for n in names}
    fresh = electjax.districts.simulate(
        election, model, params | optimal, options=options, runs=FRESH, seed=seed + 10_000
    )
    seats, observed = fresh["seats"].values, election["seats"].values
    draw = posterior.isel(draw=0)
    return {
        "parties": [str(p) for p in election["party"].values],
        "observed": {
            "seats": observed.tolist(),
            "mwm": number(posterior["observed_mwm"]),
            "swm": number(posterior["observed_swm"]),
        },
        "best_draw": {
            "seats": draw["seats"].values.tolist(),
            "vote_fraction": np.round(draw["vote_fraction"].values.astype(float), 4).tolist(),
            "mwm": number(draw["mwm"]),
            "swm": number(draw["swm"]),
            "distance": number(draw["distance"]),
            "largest_seat_gap": int(np.abs(draw["seats"].values - observed).max()),
        },
        "optimal": {
            "parameters": {n: np.round(v, 4).tolist() for n, v in optimal.items()},
            "seats_mean": np.round(seats.mean(axis=0), 2).tolist(),
            "seats_sd": np.round(seats.std(axis=0), 2).tolist(),
            "mwm": number(fresh["mwm"].mean()),
            "swm": number(fresh["swm"].mean()),
            "largest_seat_gap": float(np.abs(seats.mean(axis=0) - observed).max()),
            "p_exact": float((seats == observed).all(axis=1).mean()),
        },
        "contraction": {n: np.round(posterior[f"contraction_{n}"].values, 3).tolist() for n in names},
        "simulations": int(posterior.attrs["simulations"]),
        "tolerance": float(posterior.attrs["tolerance"]),
        "ess": float(posterior.attrs["ess"]),
        "stopped": posterior.attrs["stopped"],
        "seconds": seconds,
        "warnings": [str(w.message) for w in said],
    }  # fmt: skip


def number(value):
    """A rounded float, None where unknown."""
    value = float(value)
    return None if np.isnan(value) else round(value, 4)


def show(result):
    """Print the table."""
    table = Table(title="observed, closest draw, 200 fresh elections at psi_opt")
    for heading in (
        "election",
        "model",
        "seats",
        "closest draw",
        "psi_opt",
        "MWM",
        "closest",
        "psi_opt",
        "P exact",
        "simulations",
        "s",
    ):
        table.add_column(heading)
    for model, rows in result["models"].items():
        for name, row in rows.items():
            best, optimal = row["best_draw"], row["optimal"]
            table.add_row(
                name, model, "/".join(map(str, row["observed"]["seats"])), "/".join(map(str, best["seats"])),
                "/".join(f"{s:.1f}" for s in optimal["seats_mean"]), str(row["observed"]["mwm"]), str(best["mwm"]),
                str(optimal["mwm"]), f"{optimal['p_exact']:.3f}", f"{row['simulations']:,}", f"{row['seconds']:.0f}",
            )  # fmt: skip
    Console(width=150).print(table)


def main():
    """Run all elections, or those named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(ELECTIONS), metavar="NAME")
    parser.add_argument("--models", nargs="+", default=["pcm", "sim"])
    parser.add_argument("--budget", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start_cache()
    result = {"budget": args.budget, "seed": args.seed, "fresh": FRESH, "electjax": electjax.__version__, "models": {}}
    for model in args.models:
        rows = result["models"].setdefault(model, {})
        for name in args.names:
            if model == "sim" and name.startswith("us"):
                continue  # the paper has no SIM for the United States
            rows[name] = study(name, model, args.budget, args.seed)
            print(f"{model} {name}: {rows[name]['seconds']:.0f} s", flush=True)
    show(result)
    if args.out:
        with atomic_path(args.out) as partial:
            partial.write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
