# ruff: noqa: E402, I001 (the process is pinned before jax is imported)
"""Simulated electors per second at Delhi 2020 size, against loops over electors in Numba.

    python benchmarks/simulators.py [--small] [--cores N] [--out benchmarks/results/simulators.json]

Reference of a row: the Numba loop of the same model with the same book-keeping. Both sides are warm and pinned to
the same cores, and timed in turn; the ratio is the median of the ratios of neighbouring timings. A gamma of .9.
"""

import common

ARGS = common.arguments(__doc__.splitlines()[0])
common.pin(ARGS.cores)

import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numba_reference as reference
from rich.console import Console
from rich.table import Table

from electjax.simulators import get_simulator
from electjax.simulators.base import Contest, check_options, make_plan, simulate_runs

GAMMA, PRIOR_MASS, CONCENTRATION = 0.9, 2.5, 3.0
# row: model, options, engine, name of its reference
ROWS = {
    "DPM": ("dpm", {"bookkeeping": "none"}, "leap", "dpm"),
    "DPM, interleaved totals": ("dpm", {"bookkeeping": "interleaved"}, "leap", "dpm_interleaved"),
    "DPM, totals by district": ("dpm", {"bookkeeping": "by_district"}, "leap", "dpm_by_district"),
    "DPM, count reading": ("dpm", {"bookkeeping": "none", "reading": "count"}, "leap", "dpm_count"),
    "DM": ("dm", {}, "leap", "dm"),
    "DPM, engine agent": ("dpm", {"bookkeeping": "none"}, "agent", "dpm"),
}


def numba_runs(electors, popularity, totals, cores):
    """One run of every reference; across all threads where there are several (then `cores` runs of DPM)."""
    # the likeliest party first, which suits loops that stop at the first match
    order = np.argsort(-popularity)
    theta, totals = popularity[order], totals[order].astype(np.int64)
    law = (electors, theta, GAMMA, PRIOR_MASS)
    if cores > 1:
        return {"dpm": lambda seed: reference.dpm_runs(*law, False, seed, cores)}
    return {
        "dpm": lambda seed: reference.dpm(*law, False, seed),
        "dpm_plain": lambda seed: reference.dpm_plain(*law, seed),
        "dpm_count": lambda seed: reference.dpm(*law, True, seed),
        "dpm_interleaved": lambda seed: reference.dpm_interleaved(*law, False, totals, seed),
        "dpm_by_district": lambda seed: reference.dpm_by_district(*law, False, totals, seed),
        "dm": lambda seed: reference.dm(electors, theta, CONCENTRATION, seed),
    }


def electjax_runs(model, options, engine, electors, popularity, totals, runs, cores):
    """A call that simulates at least `runs` elections a core, in whole batches, and how many it does."""
    simulator = get_simulator(model)
    options = check_options(simulator, options)
    contest = Contest(
        jnp.asarray(electors, jnp.int32), jnp.asarray(popularity, jnp.float32), jnp.asarray(totals, jnp.int32)
    )
    plan = make_plan(simulator, contest, options=options, engine=engine)
    plan = plan._replace(batch=min(plan.batch, runs))
    runs = -(-runs // plan.batch) * plan.batch
    values = simulator.defaults | ({"gamma": GAMMA, "prior_mass": PRIOR_MASS} if model == "dpm" else {})
    call = partial(simulate_runs, simulator=simulator, options=options, plan=plan)
    may_win = jnp.ones(len(popularity), bool)
    params = {name: jnp.float32(value) for name, value in values.items()}
    numbers = jnp.arange(runs)

    def simulate(seed):
        jax.block_until_ready(call(jax.random.key(seed), numbers, contest, may_win, params))

    if cores == 1:
        return simulate, runs
    simulate(0)  # compiled once, not once a thread
    pool = ThreadPoolExecutor(cores)  # a compiled call keeps one core busy
    return lambda seed: list(pool.map(simulate, range(seed * cores, (seed + 1) * cores))), runs * cores


def measure(args):
    delhi = common.delhi()
    cpu = jax.default_backend() == "cpu"
    cores = args.cores if cpu else 1
    runs = 64 if args.small else (1024 if cpu else 16_384)
    loops = numba_runs(*delhi, args.cores)
    work, count, compiled = {}, {}, {}
    for row, (model, options, engine, loop) in ROWS.items():
        if loop not in loops or (engine == "agent" and args.small):
            continue
        work[row], count[row] = electjax_runs(
            model, options, engine, *delhi, min(runs, 32) if engine == "agent" and cpu else runs, cores
        )
    for name, loop in loops.items():
        work[name], count[name] = loop, args.cores
    for name, call in work.items():
        compiled[name] = common.first_call(call)
    seconds = common.interleaved(work, 2 if args.small else 5)
    each = {name: [t / count[name] for t in times] for name, times in seconds.items()}
    electors = int(delhi[0].sum())

    def figures(name):
        median = statistics.median(each[name])
        found = {
            "microseconds_per_run": median * 1e6,
            "electors_per_second": electors / median,
            "runs_per_call": count[name],
            "compile_seconds": max(compiled[name] - statistics.median(seconds[name]), 0.0),
        }
        if name in ROWS:
            loop = ROWS[name][3]
            found |= {"reference": loop, "ratio": common.median_ratio(each[loop], each[name])}
            if loop == "dpm" and "dpm_plain" in each:
                found["ratio_to_plain_loop"] = common.median_ratio(each["dpm_plain"], each[name])
        return found

    return {
        **common.provenance(args.cores),
        "benchmark": "simulators",
        "election": {"name": "delhi2020", "districts": len(delhi[0]), "parties": len(delhi[1]), "votes": electors},
        "gamma": GAMMA,
        "rows": {name: figures(name) for name in work},
    }


def show(result):
    cpu = result["backend"] == "cpu"
    against = f"{result['cores']} core(s) each" if cpu else "one device against one CPU core"
    table = Table(title=f"Delhi 2020, 70 districts x 4 parties, 9.3e6 votes ({against})")
    for heading in ("", "µs per run", "electors/s", "compile s", "x Numba loop", "x plain loop"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, row in result["rows"].items():
        ratios = [f"{row[key]:,.1f}" if key in row else "" for key in ("ratio", "ratio_to_plain_loop")]
        table.add_row(
            name if name in ROWS else f"Numba {name}",
            f"{row['microseconds_per_run']:,.1f}",
            f"{row['electors_per_second']:.3g}",
            f"{row['compile_seconds']:.1f}",
            *ratios,
        )
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    Console(width=110).print(table, f"{result['device']} · {result['cpu']} · {versions}", sep="\n")


if __name__ == "__main__":
    RESULT = measure(ARGS)
    show(RESULT)
    common.write(ARGS.out, RESULT)
