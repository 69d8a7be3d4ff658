# ruff: noqa: E402, I001 (the process is pinned before jax is imported)
"""Simulated electors per second at Delhi 2020 size, against loops over electors in Numba.

    python benchmarks/districts/simulators.py [--small] [--cores N] [--out benchmarks/results/districts_simulators.json]

References of a row: the tuned Numba loop of the same model with the same book-keeping, and where there is one
the plain loop, the equation as it stands. Both sides are warm and pinned to the same cores, and timed in turn; a
ratio is the median of the ratios of neighbouring timings.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

ARGS = common.arguments(__doc__.splitlines()[0])
common.pin(ARGS.cores)

import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numba_models as models
import numba_reference as reference
from rich.console import Console
from rich.table import Table

from electjax.districts.models import get_simulator
from electjax.districts.models.base import Contest, check_options, make_plan, simulate_runs

PRIOR_MASS, CONCENTRATION = 2.5, 3.0  # DPM's and ECM's; DM's
GAMMA = {"gamma": 0.9, "prior_mass": PRIOR_MASS}
COMMUNITIES = {"alpha": 36.0, "beta": 0.57, "prior_mass": PRIOR_MASS}
SOCIETY = {
    "shares": (0.5, 0.3, 0.2),
    "concentration": 0.5,
    "phi": ((1.0, -1.0, 0.0, 0.0), (-1.0, 1.0, 0.0, 0.0), (-1.0, 1.0, 0.0, 0.0)),
    "sigma": (1.0, 1.0, 2.0, 1.0),
    "kappa": 0.5,
}
FREE, OPEN, GIVEN = {"bookkeeping": "none"}, {"districts": "open"}, {"attitudes": "given"}


class Row(NamedTuple):
    """What electjax simulates, and the names of its references."""

    model: str
    values: dict
    options: dict
    loop: str
    plain: str | None = None
    engine: str = "leap"


ROWS = {
    "DM": Row("dm", {"concentration": CONCENTRATION}, {}, "dm"),
    "DPM": Row("dpm", GAMMA, FREE, "dpm", "dpm_plain"),
    "DPM, interleaved totals": Row("dpm", GAMMA, {"bookkeeping": "interleaved"}, "dpm_interleaved"),
    "DPM, totals by district": Row("dpm", GAMMA, {"bookkeeping": "by_district"}, "dpm_by_district"),
    "DPM, count reading": Row("dpm", GAMMA, FREE | {"reading": "count"}, "dpm_count"),
    "PCM, open, η .75": Row("pcm", {"eta": 0.75}, OPEN, "pcm .75", "pcm_plain .75"),
    "PCM, open, η .99": Row("pcm", {"eta": 0.99}, OPEN, "pcm .99", "pcm_plain .99"),
    "PCM, closing at 1.5, η .75": Row("pcm", {"eta": 0.75}, {}, "pcm_capped .75", "pcm_capped_plain .75"),
    "PCM, closing at 1.5, η .99": Row("pcm", {"eta": 0.99}, {}, "pcm_capped .99", "pcm_capped_plain .99"),
    "ECM, α 36, β .57": Row("ecm", COMMUNITIES, {"bookkeeping": "by_district"}, "ecm", "ecm_plain"),
    "SIM": Row("sim", SOCIETY, GIVEN, "sim", "sim_plain"),
    "SIM, local influence": Row("sim", SOCIETY, GIVEN | {"influence": "district"}, "sim_local", "sim_local_plain"),
    "DPM, engine agent": Row("dpm", GAMMA, FREE, "dpm", "dpm_plain", engine="agent"),
}


def numba_runs(electors, popularity, totals, cores):
    """One run of every reference; across all threads where there are several (then `cores` runs of DPM)."""
    # the likeliest party first, which suits loops that stop at the first match
    order = np.argsort(-popularity)
    theta, totals = popularity[order], totals[order].astype(np.int64)
    law = (electors, theta, GAMMA["gamma"], PRIOR_MASS)
    if cores > 1:
        return {"dpm": lambda seed: reference.dpm_runs(*law, False, seed, cores)}
    communities = (electors, totals, theta, *COMMUNITIES.values())
    society = [electors, *(np.array(value) if isinstance(value, tuple) else value for value in SOCIETY.values())]
    loops = {
        "dm": lambda seed: reference.dm(electors, theta, CONCENTRATION, seed),
        "dpm": lambda seed: reference.dpm(*law, False, seed),
        "dpm_plain": lambda seed: reference.dpm_plain(*law, seed),
        "dpm_count": lambda seed: reference.dpm(*law, True, seed),
        "dpm_interleaved": lambda seed: reference.dpm_interleaved(*law, False, totals, seed),
        "dpm_by_district": lambda seed: reference.dpm_by_district(*law, False, totals, seed),
        "ecm": lambda seed: models.ecm(*communities, seed),
        "ecm_plain": lambda seed: models.ecm_plain(*communities, seed),
    }
    for local, name in ((False, "sim"), (True, "sim_local")):
        loops[name] = partial(models.sim, *society, local)
        loops[f"{name}_plain"] = partial(models.sim_plain, *society, local)
    for eta in (".75", ".99"):
        settling = (electors, totals, np.full(len(theta), float(eta)), 1.0, np.full(len(electors), 1 / len(electors)))
        loops[f"pcm {eta}"] = partial(models.pcm, *settling)
        loops[f"pcm_plain {eta}"] = partial(models.pcm_plain, *settling)
        loops[f"pcm_capped {eta}"] = partial(models.pcm_capped, *settling, 1.5)
        loops[f"pcm_capped_plain {eta}"] = partial(models.pcm_capped_plain, *settling, 1.5)
    return loops


def electjax_runs(row, electors, popularity, totals, runs, cores):
    """A call that simulates at least `runs` elections a core, in whole batches, and how many it does."""
    simulator = get_simulator(row.model)
    options = check_options(simulator, row.options)
    contest = Contest(
        jnp.asarray(electors, jnp.int32), jnp.asarray(popularity, jnp.float32), jnp.asarray(totals, jnp.int32)
    )
    plan = make_plan(simulator, contest, options=options, engine=row.engine)
    plan = plan._replace(batch=min(plan.batch, runs))
    runs = -(-runs // plan.batch) * plan.batch
    call = partial(simulate_runs, simulator=simulator, options=options, plan=plan)
    may_win = jnp.ones(len(popularity), bool)
    params = {name: jnp.asarray(value, jnp.float32) for name, value in (simulator.defaults | row.values).items()}
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
    for name, row in ROWS.items():
        if row.loop not in loops or (row.engine == "agent" and args.small):
            continue
        if args.small:
            loops.pop(row.plain, None)
        own = min(runs, 32) if row.engine == "agent" and cpu else runs
        work[name], count[name] = electjax_runs(row, *delhi, own, cores)
        for loop in (row.loop, row.plain):  # next to it in every round
            if loop in loops:
                work[loop], count[loop] = loops[loop], args.cores
    clock = common.clock(args.cores)
    for name, call in work.items():
        compiled[name] = common.first_call(call, clock)
    slow = {name for name in work if "plain" in name}
    seconds = common.interleaved(work, 2 if args.small else 5, slow, clock)
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
            loop, plain = ROWS[name].loop, ROWS[name].plain
            found |= {"reference": loop, "ratio": common.median_ratio(each[loop], each[name])}
            if plain in each:
                found["ratio_to_plain_loop"] = common.median_ratio(each[plain], each[name])
        return found

    return {
        **common.provenance(args.cores),
        "benchmark": "simulators",
        "clock": clock.__name__,
        "election": {"name": "delhi2020", "districts": len(delhi[0]), "parties": len(delhi[1]), "votes": electors},
        "parameters": {"dm": {"concentration": CONCENTRATION}, "dpm": GAMMA, "ecm": COMMUNITIES, "sim": SOCIETY},
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
    Console(width=120).print(table, f"{result['device']} · {result['cpu']} · {versions}", sep="\n")


if __name__ == "__main__":
    RESULT = measure(ARGS)
    show(RESULT)
    common.write(ARGS.out, RESULT)
