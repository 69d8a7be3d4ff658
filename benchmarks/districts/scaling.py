# ruff: noqa: E402 (the process is pinned before jax is imported)
"""Cost per run as electorates grow, India at full size, and a district of 17 million electors.

    python benchmarks/districts/scaling.py [--small] [--out benchmarks/results/districts_scaling.json]

Every part runs in a process of its own. Electors: 70 districts x 4 parties with 10^6 to 10^9 electors together, on one
core, the sizes timed in turn; a ratio is the median of the ratios of neighbouring timings. India: 1,000 elections of
543 districts (the largest eight times the smallest), 5 parties and 970 million electors through `districts.simulate` on
two cores; the first call compiles. United States 2020: 56 districts, California's 17 million electors in one.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

INDIA = {"india dpm": ("dpm", {}), "india pcm .99": ("pcm", {"eta": 0.99}), "india pcm .8": ("pcm", {"eta": 0.8})}
PARTS = ("electors", *INDIA, "california")
ARGS = common.arguments(__doc__.splitlines()[0], PARTS)
common.pin(1 if ARGS.part == "electors" else 2)

import resource
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import electjax
from electjax.districts import dataset
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models import get_simulator
from electjax.districts.models.base import Contest, check_options, make_plan, simulate_runs

SIZES = (10**6, 10**7, 10**8, 10**9)
DISTRICTS, POPULARITY = 70, (0.54, 0.38, 0.05, 0.03)
PHI = ((1.0, -1.0, 0.0, 0.0), (-1.0, 1.0, 0.0, 0.0), (-1.0, 1.0, 0.0, 0.0))
# row: model, options, values where they are not the defaults
MODELS = {
    "DM": ("dm", {}, {}),
    "DPM": ("dpm", {}, {}),
    "ECM": ("ecm", {}, {}),
    "PCM": ("pcm", {}, {}),
    "PCM, open": ("pcm", {"districts": "open"}, {}),
    "SIM": ("sim", {"attitudes": "given"}, {"phi": PHI}),
}
RUNS = 1000
INDIAN_ELECTORS, INDIAN_POPULARITY = 970_000_000, (0.38, 0.24, 0.17, 0.12, 0.09)


def runs_of(row, total, runs):
    """A call that simulates at least `runs` elections of `total` electors, in whole batches, and how many it does."""
    model, options, values = MODELS[row]
    simulator = get_simulator(model)
    options = check_options(simulator, options)
    contest = Contest(
        jnp.asarray(largest_remainder(np.ones(DISTRICTS), total), jnp.int32),
        jnp.asarray(POPULARITY, jnp.float32),
        jnp.asarray(largest_remainder(np.array(POPULARITY), total), jnp.int32),
    )
    plan = make_plan(simulator, contest, options=options)
    runs = -(-runs // plan.batch) * plan.batch
    params = {name: jnp.asarray(value, jnp.float32) for name, value in (simulator.defaults | values).items()}
    call = partial(simulate_runs, simulator=simulator, options=options, plan=plan)
    shared = (jnp.arange(runs), contest, jnp.ones(len(POPULARITY), bool), params)
    return lambda seed: jax.block_until_ready(call(jax.random.key(seed), *shared)), runs


def electors(small):
    """Microseconds per run of every model against the number of electors."""
    rows, clock = {}, common.clock(1)
    sizes = SIZES[::3] if small else SIZES
    for row in list(MODELS)[:2] if small else MODELS:
        work, count, compiled = {}, {}, {}
        for size in sizes:
            work[size], count[size] = runs_of(row, size, 64 if small else 512)
            compiled[size] = common.first_call(work[size], clock)
        seconds = common.interleaved(work, 2 if small else 5, clock=clock)
        rows[row] = {
            f"{size:.0e}": {
                "microseconds_per_run": statistics.median(seconds[size]) / count[size] * 1e6,
                "ratio_to_1e6": common.median_ratio(seconds[size], seconds[sizes[0]]) * count[sizes[0]] / count[size],
                "compile_seconds": max(compiled[size] - statistics.median(seconds[size]), 0.0),
            }
            for size in sizes
        }
    return {"districts": DISTRICTS, "parties": len(POPULARITY), "clock": clock.__name__, "rows": rows}


def peak_gib():
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def india(model, params, small):
    """Wall time and memory of elections with all electors of India."""
    sizes = largest_remainder(np.geomspace(8.0, 1.0, 543), INDIAN_ELECTORS)
    votes = np.stack([largest_remainder(np.array(INDIAN_POPULARITY), int(size)) for size in sizes])
    election = dataset(
        votes,
        districts=[f"district {s + 1}" for s in range(len(sizes))],
        parties=list("ABCDE"),
        attrs={"name": "india"},
    )
    runs = 100 if small else RUNS
    simulate = partial(electjax.districts.simulate, election, model, params, chunk=48)
    base = peak_gib()
    first = common.first_call(lambda seed: simulate(runs=1, seed=seed))
    begin, busy = time.perf_counter(), time.process_time()
    result = simulate(runs=runs, seed=1)
    wall, busy = time.perf_counter() - begin, time.process_time() - busy
    polled = result["votes"].to_numpy()
    assert (polled.sum(axis=1) == votes.sum(axis=0)).all(), "a party polls another number of votes than its total"
    if model == "pcm":
        assert (polled.sum(axis=2) <= np.floor(1.5 * sizes)).all(), "a district takes more than it holds"
    else:
        assert (polled.sum(axis=2) == sizes).all(), "a district polls another number of votes than its electors"
    return {
        "runs": runs,
        "wall_seconds": wall,
        "processor_seconds": busy,  # of both cores; on an idle machine about twice the wall time
        "first_call_seconds": first,
        "electors_per_second": runs * INDIAN_ELECTORS / wall,
        "peak_gib": peak_gib(),
        "peak_gib_before": base,
    }


def california(small):
    """Every model on the United States of 2020: the sums that it holds are exact in very unequal districts."""
    election = electjax.districts.load("us2020")
    observed = election["votes"].transpose("district", "party").to_numpy()
    sums = {"districts": observed.sum(axis=1), "parties": observed.sum(axis=0), "nation": observed.sum()}
    rows = {}
    for model in electjax.districts.list_models():
        simulator = get_simulator(model)
        begin = time.perf_counter()
        votes = (
            electjax.districts.simulate(election, model, runs=8 if small else 64)["votes"].to_numpy().astype(np.int64)
        )
        seconds = time.perf_counter() - begin
        polled = {"districts": votes.sum(axis=2), "parties": votes.sum(axis=1), "nation": votes.sum(axis=(1, 2))}
        held = ["nation", *sorted(simulator.holds(simulator.options()))]
        for name in held:
            assert (polled[name] == sums[name]).all(), f"{model}: wrong sum of votes by {name}"
        assert votes.min() >= 0, f"{model}: negative votes"
        rows[model] = {"seconds_with_compilation": seconds, "exact": held}
    return {"districts": len(observed), "largest": int(sums["districts"].max()), "rows": rows}


def part(name, small):
    if name in INDIA:
        return india(*INDIA[name], small)
    return {"electors": electors, "california": california}[name](small)


def measure(small):
    """All parts, each in a process of its own: its memory is its own, and nothing is compiled before."""
    result = {**common.provenance(2), "benchmark": "scaling"}
    for name in PARTS:
        command = [sys.executable, __file__, "--part", name, *(["--small"] if small else [])]
        result[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result


def table(title, headings, rows):
    made = Table(title=title)
    for heading in headings:
        made.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        made.add_row(*row)
    return made


def show(result):
    sizes = next(iter(result["electors"]["rows"].values()))
    growth = [
        (name, *(f"{row[size]['microseconds_per_run']:,.0f} ({row[size]['ratio_to_1e6']:.2f})" for size in sizes))
        for name, row in result["electors"]["rows"].items()
    ]
    figures = ("wall_seconds", "processor_seconds", "first_call_seconds", "peak_gib", "peak_gib_before")
    nation = [(name[6:], *(f"{result[name][figure]:.1f}" for figure in figures)) for name in INDIA]
    states = [
        (name, f"{row['seconds_with_compilation']:.1f}", ", ".join(row["exact"]))
        for name, row in result["california"]["rows"].items()
    ]
    runs = result["india dpm"]["runs"]
    largest = result["california"]["largest"]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    Console(width=120).print(
        table("µs per run (x that of 10^6 electors), 70 districts x 4 parties, one core", ("", *sizes), growth),
        table(
            f"{runs:,} elections of India: 543 districts, 5 parties, 970 million electors, two cores",
            ("", "wall s", "processor s", "first call s", "peak GiB", "GiB before"),
            nation,
        ),
        table(
            f"United States 2020, largest district {largest:,} votes", ("", "s with compilation", "exact sums"), states
        ),
        f"{result['device']} · {result['cpu']} · {versions}",
        sep="\n",
    )


if __name__ == "__main__":
    if ARGS.part:
        print(json.dumps(part(ARGS.part, ARGS.small)))
    else:
        RESULT = measure(ARGS.small)
        show(RESULT)
        common.write(ARGS.out, RESULT)
