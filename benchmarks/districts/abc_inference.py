# ruff: noqa: E402, I001 (the process is pinned before jax is imported)
"""ABC on Delhi 2020: simulations per second beside pyABC driving the same simulator, and what a calibration adds.

    python benchmarks/districts/abc_inference.py [--small] [--out benchmarks/results/districts_abc_inference.json]

Rates: every model with its prior, the paper's summary statistics, distance in tolerances. Every simulation is accepted
on all sides, so that what is timed is simulating, summarising, comparing and collecting. pyABC has its best settings
on one core: SingleCoreSampler, in-memory database, fixed threshold, no adaptation, no logging; its model calls the same
simulator, compiled for single runs, or (DPM) the Numba loop.

Overhead: `districts.calibrate` by sequential Monte Carlo, regression adjustment and psi_opt included, and the share of
its time that is not spent in the compiled simulations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

ARGS = common.arguments(__doc__.splitlines()[0])
common.pin(1)

import logging
import statistics
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import numba_reference as reference
from rich.console import Console
from rich.table import Table

import electjax
from electjax.districts.abc import problem
from electjax.districts.abc.prior import unit_to_params
from electjax.districts.abc.distance import flatten_summary
from electjax.districts.problem import make_problem
from electjax.districts.models.base import simulate_runs

try:
    import pyabc
except ImportError:
    raise SystemExit("this benchmark compares with pyABC: pip install pyabc") from None

# row: model, options
ROWS = {
    "DM": ("dm", {}),
    "DPM, totals interleaved": ("dpm", {}),
    "DPM, no totals": ("dpm", {"bookkeeping": "none"}),
    "DPM by counts": ("dpm", {"reading": "count", "bookkeeping": "none"}),
    "ECM": ("ecm", {}),
    "PCM": ("pcm", {}),
    "SIM": ("sim", {"communities": 3}),
}
NUMBA = ("DPM, totals interleaved", "DPM, no totals")
PRIOR_MASS = 2.5


class Study:
    """The calibration problem as arrays, and the ways to simulate it."""

    def __init__(self, row):
        self.model, self.given = ROWS[row]
        self.election = electjax.districts.load("delhi2020")
        self.problem, _ = make_problem(self.election, self.model, options=self.given)
        self.plan = self.problem.setting.plan
        self.electors, self.popularity, self.totals = common.delhi()

    def statistics(self, key, runs, unit, plan):
        """Summary statistics of the numbered runs at points of the prior's unit cube."""
        setting, space = self.problem.setting, self.problem.space
        fixed = {k: jnp.broadcast_to(v, (runs.shape[0], *v.shape)) for k, v in self.problem.fixed.items()}
        result = simulate_runs(
            key,
            runs,
            self.problem.contest,
            self.problem.may_win,
            fixed | unit_to_params(space, unit),
            simulator=setting.simulator,
            options=setting.options,
            plan=plan,
            varying=True,
            keep_votes=False,
        )
        return flatten_summary(result.summary)

    def rejection(self, number):
        """Rejection as one compiled call: prior draws and simulations; distances on the host."""

        @jax.jit
        def search(key):
            unit = jax.random.uniform(jax.random.fold_in(key, 1), (number, self.problem.space.size))
            return unit, self.statistics(key, jnp.arange(number), unit, self.plan)

        def run(seed):
            unit, statistics = search(jax.random.key(seed))
            return np.asarray(unit), self.problem.measure.distance(np.asarray(statistics))

        return run

    def calibrate(self, number):
        """The public verb on so many prior draws; its further simulations that choose psi_opt are not counted."""
        return lambda seed: electjax.districts.calibrate(
            self.election,
            self.model,
            method="rejection",
            seed=seed,
            budget=number,
            accept=number,
            tolerance=1e9,
            options=self.given,
        )

    def pyabc(self, number, model):
        """One generation of pyABC with `number` accepted particles, which is `number` simulations."""
        observed, tolerance = (np.asarray(part) for part in self.problem.goal)
        names = [f"u{d}" for d in range(self.problem.space.size)]

        def compare(x, y):
            gap = (x["s"] - y["s"]) / tolerance
            return float(np.sqrt(np.mean(gap * gap)))

        def run(seed):
            np.random.seed(seed)  # noqa: NPY002 (pyABC draws from the global generator)
            abc = pyabc.ABCSMC(
                model,
                pyabc.Distribution(**{name: pyabc.RV("uniform", 0, 1) for name in names}),
                compare,
                population_size=number,
                eps=pyabc.ConstantEpsilon(1e9),
                sampler=pyabc.SingleCoreSampler(),
            )
            abc.new("sqlite://", {"s": observed})
            history = abc.run(max_nr_populations=1)
            assert history.total_nr_simulations == number

        return run

    def jax_model(self):
        """pyABC's model on the compiled simulator of single runs."""
        plan = self.plan._replace(batch=1)
        key = jax.random.key(0)
        single = jax.jit(lambda run, unit: self.statistics(key, run[None], unit[None], plan)[0])
        count = iter(range(2**31))
        size = self.problem.space.size
        return lambda p: {
            "s": np.asarray(single(np.int32(next(count)), np.array([p[f"u{d}"] for d in range(size)], np.float32)))
        }

    def numba_model(self):
        """pyABC's model on the Numba loop over electors, with NumPy summaries."""
        count = iter(range(2**31))

        def model(p):
            law = (self.electors, self.popularity, float(p["u0"]), PRIOR_MASS, False)
            if self.given.get("bookkeeping") == "none":
                votes = reference.dpm(*law, next(count))
            else:
                votes = reference.dpm_interleaved(*law, self.totals, next(count))
            shares = votes / votes.sum(axis=1, keepdims=True)
            seats = np.bincount(votes.argmax(axis=1), minlength=votes.shape[1])
            margin = shares.max(axis=1)
            return {"s": np.concatenate([seats, shares.mean(axis=0), [margin.mean(), margin.std()]])}

        return model


def rate(row, small):
    """Simulations per second of all ways of one model."""
    study = Study(row)
    many = max(1, (1 if small else 4) * 1024 // study.plan.batch) * study.plan.batch
    few, slow = (100, 2) if small else (1000, 10)
    work = {
        "electjax, rejection": (study.rejection(many), many),
        "electjax.districts.calibrate": (study.calibrate(many), many),
        "pyABC, same simulator": (study.pyabc(few, study.jax_model()), few),
    }
    if row in NUMBA:
        work["pyABC, Numba loop"] = (study.pyabc(slow, study.numba_model()), slow)
    compiled = {name: common.first_call(call) for name, (call, _) in work.items()}
    seconds = common.interleaved({name: call for name, (call, _) in work.items()}, 2 if small else 5)
    each = {name: [t / work[name][1] for t in times] for name, times in seconds.items()}
    return {
        name: {
            "simulations": work[name][1],
            "simulations_per_second": 1.0 / statistics.median(times),
            "first_call_seconds": compiled[name],
            "ratio_to_pyabc": common.median_ratio(each["pyABC, same simulator"], times),
        }
        for name, times in each.items()
    }


def overhead(row, small):
    """A whole calibration on one core: its time, and how much of it the compiled simulations take."""
    model, options = ROWS[row]
    election, evaluate = electjax.districts.load("delhi2020"), problem._evaluate
    spent = []

    def timed(*args, **named):
        begin = time.perf_counter()
        result = jax.block_until_ready(evaluate(*args, **named))
        spent.append(time.perf_counter() - begin)
        return result

    def run(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return electjax.districts.calibrate(
                election, model, options=options, seed=seed, budget=2500 if small else 10_000
            )

    run(0)
    problem._evaluate = timed
    try:
        shares, seconds, simulations = [], [], 0
        for seed in range(1, 3 if small else 4):
            spent.clear()
            begin = time.perf_counter()
            simulations = int(run(seed).attrs["simulations"])
            seconds.append(time.perf_counter() - begin)
            shares.append(1.0 - sum(spent) / seconds[-1])
    finally:
        problem._evaluate = evaluate
    return {"seconds": statistics.median(seconds), "simulations": simulations, "overhead": statistics.median(shares)}


def measure(args):
    """All figures."""
    logging.getLogger("ABC").setLevel(logging.ERROR)
    rows = {row: rate(row, args.small) for row in ROWS}
    costs = {row: overhead(row, args.small) for row in ROWS if row != "DPM, no totals"}
    found = {"benchmark": "abc_inference", "election": "delhi2020", "rows": rows, "overhead": costs}
    return {**common.provenance(1), **found}


def show(result):
    """Print both tables."""
    table = Table(title="ABC on Delhi 2020, one core each")
    for heading in ("model", "", "simulations", "simulations/s", "first call s", "x pyABC"):
        table.add_column(heading, justify="left" if heading in ("model", "") else "right")
    for model, rows in result["rows"].items():
        for name, row in rows.items():
            table.add_row(
                model,
                name,
                f"{row['simulations']:,}",
                f"{row['simulations_per_second']:,.0f}",
                f"{row['first_call_seconds']:.1f}",
                f"{row['ratio_to_pyabc']:,.2f}",
            )
    costs = Table(title="electjax.districts.calibrate by smc, one core")
    for heading in ("model", "simulations", "seconds", "not simulating"):
        costs.add_column(heading, justify="left" if heading == "model" else "right")
    for model, row in result["overhead"].items():
        costs.add_row(model, f"{row['simulations']:,}", f"{row['seconds']:.1f}", f"{row['overhead']:.1%}")
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    Console(width=110).print(table, costs, f"{result['device']} · {result['cpu']} · {versions}", sep="\n")


if __name__ == "__main__":
    RESULT = measure(ARGS)
    show(RESULT)
    common.write(ARGS.out, RESULT)
