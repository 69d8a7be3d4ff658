"""Are the posteriors to be trusted? Simulation-based calibration, coverage and sharpness; writes trust.json.

    python experiments/districts/calibration/trust.py [--small] [--out experiments/districts/calibration/trust.json]

Elections are simulated on Delhi 2020's districts from parameters drawn from the prior and calibrated again: 500 each,
by regression-adjusted rejection of the closest 500 of 65,536 simulations, which were fixed before the first look.
DPM and PCM as they are by default, with the paper's statistics; DPM by counts, whose exact posterior is known, with
log votes, which are sufficient there; and the same DPM by sequential Monte Carlo, 20,000 simulations an election at
most, on 100 elections.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import electjax
from electjax.data.files import atomic_path
from electjax.data.programs import start_cache
from electjax.districts.report.posterior import coverage_curve, rank_histogram
from electjax.report.draw import save_figure

COUNTED = {"reading": "count", "bookkeeping": "none"}
CLOSEST = {"method": "rejection", "accept": 500, "tolerance": 1e9, "budget": 65_536}
STUDIES = {
    "dpm": ("dpm", 500, CLOSEST),
    "pcm": ("pcm", 500, CLOSEST),
    "dpm by counts": ("dpm", 500, CLOSEST | {"options": COUNTED, "statistics": "log_votes"}),
    "dpm by counts, smc": (
        "dpm",
        100,
        {"method": "smc", "budget": 20_000, "accept": 500, "options": COUNTED, "statistics": "log_votes"},
    ),
}
LEVELS = (0.5, 0.8, 0.9, 0.95)
EXACT = 100  # elections whose exact posterior is worked out


def sharpness(recovery, election, model, replicates, how):
    """Posterior sd over the exact one, election by election."""
    exact = electjax.districts.recover(
        election, model, replicates=replicates, seed=1, method="exact", accept=2000, options=how["options"]
    )
    # the same seed draws the same elections
    np.testing.assert_array_equal(exact["truth_gamma"], recovery["truth_gamma"][:replicates])
    ratio = []
    for r in range(replicates):
        sd = []
        for found in (recovery, exact):
            weight = found["weight"].values[r]
            values = np.nan_to_num(found["gamma"].values[r])
            mean = weight @ values
            sd.append(np.sqrt(weight @ (values - mean) ** 2))
        ratio.append(sd[0] / sd[1])
    return {
        "elections": replicates,
        "sd_over_exact_mean": float(np.mean(ratio)),
        "sd_over_exact_median": float(np.median(ratio)),
        "sd_over_exact_max": float(np.max(ratio)),
    }


def contraction(recovery):
    """Mean over elections of 1 - posterior over prior variance, per parameter."""
    found = {}
    for name in recovery.data_vars:
        if f"truth_{name}" not in recovery:
            continue
        values, weight = recovery[name].fillna(0.0), recovery["weight"]
        mean = (values * weight).sum("draw")
        variance = (((values - mean) ** 2) * weight).sum("draw")
        shrunk = 1.0 - variance.mean("replicate") / recovery[f"truth_{name}"].var("replicate")
        found[name] = np.round(shrunk.values, 3).tolist()
    return found


def study(label, election, small):
    """One way of calibrating."""
    model, replicates, how = STUDIES[label]
    if small:
        replicates, how = 40, how | {"budget": 8192}
    began = time.perf_counter()
    recovery = electjax.districts.recover(election, model, replicates=replicates, seed=1, **how)
    seconds = time.perf_counter() - began
    ranks, cover, tarp = (
        electjax.districts.sbc(recovery),
        electjax.districts.coverage(recovery, levels=LEVELS),
        electjax.districts.tarp(recovery),
    )
    result = {
        "replicates": replicates,
        "parameters": [str(p) for p in ranks["parameter"].values],
        "p_chi2": np.round(ranks["p_chi2"].values, 4).tolist(),
        "p_ks": np.round(ranks["p_ks"].values, 4).tolist(),
        "levels": list(LEVELS),
        "coverage": np.round(cover["coverage"].transpose("parameter", "level").values, 4).tolist(),
        "p_tarp": float(tarp["p_ks"]),
        "contraction": contraction(recovery),
        "seconds": seconds,
    }
    if how.get("options") == COUNTED:
        result["sharpness"] = sharpness(recovery, election, model, min(EXACT, replicates), how)
    return result, {"ranks": rank_histogram(ranks), "coverage": coverage_curve(cover)}


def show(result):
    """Print the table."""
    table = Table(title="calibration of elections simulated from known parameters")
    for heading in (
        "",
        "parameter",
        "p chi2",
        "p KS",
        *(f"{level:.0%}" for level in LEVELS),
        "contraction",
        "sd / exact",
    ):
        table.add_column(heading)
    for label, row in result["studies"].items():
        shrunk = np.concatenate([np.atleast_1d(v) for v in row["contraction"].values()])
        sharp = row.get("sharpness", {}).get("sd_over_exact_median")
        for place, parameter in enumerate(row["parameters"]):
            table.add_row(
                label,
                parameter,
                f"{row['p_chi2'][place]:.3f}",
                f"{row['p_ks'][place]:.3f}",
                *(f"{value:.3f}" for value in row["coverage"][place]),
                f"{shrunk[place]:.2f}",
                "" if sharp is None else f"{sharp:.3f}",
            )
    Console(width=130).print(table)


def main():
    """Run all studies, or those named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start_cache()
    election = electjax.districts.load("delhi2020")
    result = {"electjax": electjax.__version__, "election": "delhi2020", "studies": {}}
    for label in args.studies:
        result["studies"][label], figures = study(label, election, args.small)
        print(f"{label}: {result['studies'][label]['seconds']:.0f} s", flush=True)
        if args.out:
            (args.out.parent / "figures").mkdir(exist_ok=True)
            for name, figure in figures.items():
                save_figure(
                    figure, args.out.parent / "figures" / f"{name}_{label.replace(' ', '_').replace(',', '')}.png"
                )
    show(result)
    if args.out:
        with atomic_path(args.out) as partial:
            partial.write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
