# ruff: noqa: E402 (the process is pinned before jax is imported)
"""Cross-tables from margins: time, memory, error and coverage, beside the classical methods.

    python benchmarks/ecological/methods.py [--data ../shared/data/ecological] [--small] [--part NAME] [--out PATH]

Every part runs in a process of its own on two cores. A set of contests (two New Zealand elections, registration in
North Carolina: left out where `--data` does not have them; and generated ones) is fitted by every method of
`ecological.estimate`, from the Dataset of units to the result: context with 200 draws and the tables at three other
exponents (the default); context, one table without draws; Goodman; least squares in the simplex; multinomial EM;
independence. Methods are timed in turn; a first call, which compiles, is timed apart, the smaller model first, so that
the default's compilation is what its draws need besides. Ratios are medians over rounds against the multinomial EM.
contests, units: the same on generated contests, 1 to 70 of them, and 1,000 to 100,000 units in 70 contests.

What other packages reach on these sets is quoted (QUOTED), not measured here.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

CORES = 2
PARTS = ("nz_2002", "nz_2014", "senc", "generated", "contests", "units")
HERE = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("ELECTJAX_SHARED", HERE.parents[1] / "shared")) / "data" / "ecological"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the contests whose tables were counted")
    parser.add_argument("--small", action="store_true", help="a check that it runs, on few generated contests")
    parser.add_argument("--part", choices=PARTS, help="only this part, as JSON to stdout")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/ecological.json; none if --small")
    return parser.parse_args()


if __name__ == "__main__":
    ARGS = arguments()
    common.pin(CORES)

import resource
import statistics
import time
import warnings
from functools import partial

import jax
from rich.console import Console
from rich.table import Table

import electjax

METHODS = {
    "context, no draws": {"draws": 0, "contexts": ()},
    "context": {},
    "goodman": {"method": "goodman"},
    "least_squares": {"method": "least_squares"},
    "em": {"method": "em"},
    "independence": {"method": "independence"},
}
REFERENCE = "em"
CHECKED = ("mean_ei", "coverage_95", "coverage_80", "width_95", "width_80")
# EI and seconds per contest that others reach, measured elsewhere on another machine under load; merged at 3 % alike
QUOTED = {
    "source": "measured elsewhere with the packages named, not by this benchmark; times on another machine, under load",
    "mean_ei": {
        "fastei mvn_pdf (R, C++)": {"nz_2002": 9.53, "nz_2014": 7.20, "senc": 3.28},
        "fastei mult (R, C++)": {"nz_2002": 11.16, "nz_2014": 8.37, "senc": 3.64},
        "Goodman": {"nz_2002": 15.1, "nz_2014": 11.9, "senc": 6.37},
        "eiPack MCMC (R)": {"senc": 1.73},
        "PyEI": {"senc": 2.12},
        "nslphom (R)": {"senc": 4.48},
    },
    "seconds_per_contest": {"fastei (R, C++)": [0.03, 0.12], "eiPack MCMC (R)": [16, 128], "PyEI, senc": [57, 57]},
    "coverage_95": {"eiPack MCMC (R)": [0.22, 0.85]},
}
LITTLE = {"contests": 6, "units": 12, "rows": 3, "parties": 3, "fielded": 1.0, "merge_below": 0.0}
NUMBERS = (1, 6, 18, 70)
UNITS = (1_000, 10_000, 100_000)
YEAR = 70
GROUPS, CHOICES = ("white", "black", "natam"), ("dem", "rep", "oth")


def made(contests=YEAR, units=80, *, small=False, seed=1):
    """Generated contests, the size of a New Zealand election unless told otherwise."""
    size = LITTLE if small else {"contests": contests, "units": units}
    return electjax.ecological.simulate(seed=seed, **size)


def read(name, folder):
    """A set of contests whose tables were counted, and the seconds that reading took; None where it is absent."""
    begin = time.perf_counter()
    if name == "senc":
        file, short = folder / "senc.csv", {"white": "wh", "black": "bl", "natam": "natam"}
        if not file.exists():
            return None
        cells = {(group, choice): short[group] + choice for group in GROUPS for choice in CHOICES}
        units = electjax.ecological.read(file, rows=list(GROUPS), columns=list(CHOICES), truth=cells)
    else:
        margins, truth = (folder / f"{name}_{what}.csv.gz" for what in ("units_long", "truth_cross"))
        if not (margins.exists() and truth.exists()):
            return None
        units = electjax.ecological.read(margins, truth=truth)
    return units, time.perf_counter() - begin


def sizes(units):
    return {dim: units.sizes[dim] for dim in ("contest", "unit", "row", "column")}


def estimated(units, name, seed):
    """From the Dataset of units to the result."""
    return electjax.ecological.estimate(units, seed=seed, **METHODS[name])


def compared(units, repeats):
    """Every method on these units: seconds with and without compilation, error and coverage."""
    work, first, attrs = {name: partial(estimated, units, name) for name in METHODS}, {}, {}
    for name, call in work.items():
        begin = time.perf_counter()
        attrs[name] = call(0).attrs
        first[name] = time.perf_counter() - begin
    seconds = common.interleaved(work, repeats)
    found = {}
    for name in METHODS:
        steady = statistics.median(seconds[name])
        found[name] = {
            "compile_seconds": max(first[name] - steady, 0.0),
            "seconds": steady,
            "seconds_per_contest": steady / units.sizes["contest"],
            f"x_{REFERENCE}": 1.0 / common.median_ratio(seconds[REFERENCE], seconds[name]),
            **{k: float(attrs[name][k]) for k in CHECKED if k in attrs[name]},
            **{k: int(attrs[name][k]) for k in ("steps", "converged") if k in attrs[name]},
        }
    return found


def of_set(name, folder, small):
    """All methods on one set."""
    if name == "generated":
        units, seconds = made(small=small), None
    elif small:
        return {"left_out": "a check on little"}
    else:
        there = read(name, folder)
        if there is None:
            return {"left_out": f"the files of {name} are not in {folder}"}
        units, seconds = there
    found = {**sizes(units), "read_seconds": seconds, "methods": compared(units, 2 if small else 5)}
    return found | peak()


def scaled(which, small):
    """The context model, and EM, on more and more contests or units."""
    rows = []
    if which == "contests":
        grid = [(2, 8), (4, 8)] if small else [(number, 80) for number in NUMBERS]
    else:
        grid = [(4, 8), (4, 16)] if small else [(YEAR, round(number / YEAR)) for number in UNITS]
    names = ("context, no draws", "context", REFERENCE)
    for contests, number in grid:
        own = {key: value for key, value in LITTLE.items() if key not in ("contests", "units")} if small else {}
        units = electjax.ecological.simulate(contests=contests, units=number, seed=1, **own)
        work = {name: partial(estimated, units, name) for name in names}
        first = {name: common.first_call(work[name]) for name in names}
        seconds = common.interleaved(work, 2 if small or units.sizes["unit"] > 20_000 else 3)
        row = {name: {"seconds": statistics.median(seconds[name])} for name in names}
        for name in names:
            row[name]["compile_seconds"] = max(first[name] - row[name]["seconds"], 0.0)
        rows.append({**sizes(units), **row, **peak()})
    return {"rows": rows}


def peak():
    """Most memory this process has held, and the device, in GiB."""
    found = {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
    stats = jax.devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    return found | ({"device_peak_gib": stats["peak_bytes_in_use"] / 2**30} if stats else {})


def part(name, folder, small):
    """One part."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scaled(name, small) if name in ("contests", "units") else of_set(name, folder, small)


def measure(folder, small):
    """All parts, each in a process of its own."""
    found = {"benchmark": "ecological", **common.provenance(CORES), "reference": REFERENCE, "quoted": QUOTED}
    for name in PARTS:
        command = [sys.executable, __file__, "--part", name, "--data", str(folder), *(["--small"] if small else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr}")
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}: {found[name].get('left_out', 'done')}", file=sys.stderr, flush=True)
    return found


def show(result):
    """Print the tables."""
    console = Console(width=130)
    for name in PARTS[:4]:
        own = result[name]
        if "methods" not in own:
            console.print(f"{name}: left out, {own['left_out']}")
            continue
        console.print(methods_table(name, own, result["quoted"]))
    for name in PARTS[4:]:
        table = Table(title=f"generated, more {name}")
        for heading in ("contests", "units", "default, s", "compile, s", "no draws, s", "EM, s", "peak GiB"):
            table.add_column(heading, justify="right")
        for row in result[name]["rows"]:
            ours, bare, em = row["context"], row["context, no draws"], row[REFERENCE]
            compile_seconds = ours["compile_seconds"] + bare["compile_seconds"]
            times = (ours["seconds"], compile_seconds, bare["seconds"], em["seconds"], row["peak_gib"])
            table.add_row(f"{row['contest']}", f"{row['unit']:,}", *(f"{value:.2f}" for value in times))
        console.print(table)
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    console.print(f"{result['device']} · {result['cpu']} · {versions}")


def methods_table(name, own, quoted):
    title = f"{name}: {own['contest']} contests, {own['unit']:,} units, peak {own['peak_gib']:.2f} GiB"
    table = Table(title=title)
    for heading in ("", "compile, s", "s", "s per contest", "x EM", "mean EI", "95 %", "80 %", "width of 95 %"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for method, row in own["methods"].items():
        times = (f"{row['compile_seconds']:.1f}", f"{row['seconds']:.3f}", f"{row['seconds_per_contest']:.4f}")
        checks = [f"{row[k]:.3f}" if k in row else "" for k in ("coverage_95", "coverage_80", "width_95")]
        table.add_row(method, *times, f"{row[f'x_{REFERENCE}']:.2f}", f"{row['mean_ei']:.2f}", *checks)
    for package, figures in quoted["mean_ei"].items():
        if name in figures:
            table.add_row(f"quoted: {package}", "", "", "", "", f"{figures[name]:.2f}", "", "", "", style="dim")
    return table


if __name__ == "__main__":
    if ARGS.part:
        print(json.dumps(part(ARGS.part, ARGS.data, ARGS.small)))
    else:
        RESULT = measure(ARGS.data, ARGS.small)
        show(RESULT)
        common.write(ARGS.out or (None if ARGS.small else HERE / "results" / "ecological.json"), RESULT)
