# ruff: noqa: E402, I001 (the process is pinned before jax is imported)
"""ABC simulations per second on Delhi 2020: electjax, and pyABC driving the same simulator.

    python benchmarks/abc_inference.py [--small] [--out benchmarks/results/abc_inference.json]

DPM, gamma uniform on (0, 1), the paper's summary statistics, distance in tolerances; with interleaved party totals
(the model's default) and without. Every simulation is accepted on all sides, so that what is timed is simulating,
summarising, comparing and collecting.
pyABC has its best settings on one core: SingleCoreSampler, in-memory database, fixed threshold, no adaptation, no
logging; its model calls the same simulator, compiled for single runs, or the Numba loop.
"""

import common

ARGS = common.arguments(__doc__.splitlines()[0])
common.pin(1)

import logging
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import numba_reference as reference
from rich.console import Console
from rich.table import Table

import electjax
from electjax.calibration.distance import distance, flatten_summary, target
from electjax.core import outcome
from electjax.simulators import get_simulator
from electjax.simulators.base import Contest, check_options, make_plan, simulate_runs

try:
    import pyabc
except ImportError:
    raise SystemExit("this benchmark compares with pyABC: pip install pyabc") from None

BOOKKEEPING = ("interleaved", "none")
PRIOR_MASS = 2.5


class Study:
    """The calibration problem as arrays, and the ways to simulate it."""

    def __init__(self, bookkeeping):
        self.bookkeeping = bookkeeping
        self.electors, self.popularity, self.totals = common.delhi()
        self.simulator = get_simulator("dpm")
        self.options = check_options(self.simulator, {"bookkeeping": bookkeeping})
        self.contest = Contest(
            jnp.asarray(self.electors, jnp.int32),
            jnp.asarray(self.popularity, jnp.float32),
            jnp.asarray(self.totals, jnp.int32),
        )
        self.plan = make_plan(self.simulator, self.contest, options=self.options)
        self.election = electjax.load_election("delhi2020")
        votes = jnp.asarray(self.election["votes"].to_numpy())
        observed = outcome.summaries(votes)
        self.goal = target(*(np.asarray(field) for field in observed))

    def statistics(self, key, runs, gamma, plan):
        """Summary statistics of the numbered runs, one gamma each."""
        params = {"gamma": gamma, "prior_mass": jnp.full(gamma.shape, PRIOR_MASS)}
        result = simulate_runs(
            key,
            runs,
            self.contest,
            jnp.ones(len(self.popularity), bool),
            params,
            simulator=self.simulator,
            options=self.options,
            plan=plan,
            varying=True,
            keep_votes=False,
        )
        return flatten_summary(result.summary)

    def rejection(self, number):
        """Rejection as one compiled call: prior draws, simulations, distances."""

        @jax.jit
        def search(key):
            gamma = jax.random.uniform(jax.random.fold_in(key, 1), (number,))
            return gamma, distance(self.statistics(key, jnp.arange(number), gamma, self.plan), self.goal)

        return lambda seed: jax.block_until_ready(search(jax.random.key(seed)))

    def calibrate(self, number):
        """The public verb on so many prior draws; its further simulations that choose psi_opt are not counted."""
        return lambda seed: electjax.calibrate(
            self.election,
            "dpm",
            method="rejection",
            seed=seed,
            budget=number,
            accept=number,
            tolerance=1e9,
            options={"bookkeeping": self.bookkeeping},
        )

    def pyabc(self, number, model):
        """One generation of pyABC with `number` accepted particles, which is `number` simulations."""
        observed, tolerance = np.asarray(self.goal.observed), np.asarray(self.goal.tolerance)

        def compare(x, y):
            gap = (x["s"] - y["s"]) / tolerance
            return float(np.sqrt(np.mean(gap * gap)))

        def run(seed):
            np.random.seed(seed)  # noqa: NPY002 (pyABC draws from the global generator)
            abc = pyabc.ABCSMC(
                model,
                pyabc.Distribution(gamma=pyabc.RV("uniform", 0, 1)),
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
        single = jax.jit(lambda run, gamma: self.statistics(key, run[None], gamma[None], plan)[0])
        count = iter(range(2**31))
        return lambda p: {"s": np.asarray(single(np.int32(next(count)), np.float32(p["gamma"])))}

    def numba_model(self):
        """pyABC's model on the Numba loop over electors, with NumPy summaries."""
        count = iter(range(2**31))

        def model(p):
            law = (self.electors, self.popularity, float(p["gamma"]), PRIOR_MASS, False)
            if self.bookkeeping == "none":
                votes = reference.dpm(*law, next(count))
            else:
                votes = reference.dpm_interleaved(*law, self.totals, next(count))
            shares = votes / votes.sum(axis=1, keepdims=True)
            seats = np.bincount(votes.argmax(axis=1), minlength=votes.shape[1])
            margin = shares.max(axis=1)
            return {"s": np.concatenate([seats, shares.mean(axis=0), [margin.mean(), margin.std()]])}

        return model


def measure_one(bookkeeping, small):
    study = Study(bookkeeping)
    many = (4 if small else 32) * study.plan.batch
    budget = 1024 * (2 if small else 8)
    few, slow = (100, 2) if small else (1000, 10)
    work = {
        "electjax, rejection": (study.rejection(many), many),
        "electjax.calibrate": (study.calibrate(budget), budget),
        "pyABC, same simulator": (study.pyabc(few, study.jax_model()), few),
        "pyABC, Numba loop": (study.pyabc(slow, study.numba_model()), slow),
    }
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


def measure(args):
    logging.getLogger("ABC").setLevel(logging.ERROR)
    rows = {bookkeeping: measure_one(bookkeeping, args.small) for bookkeeping in BOOKKEEPING}
    return {**common.provenance(1), "benchmark": "abc_inference", "election": "delhi2020", "rows": rows}


def show(result):
    table = Table(title="ABC on Delhi 2020, DPM, one core each")
    for heading in ("party totals", "", "simulations", "simulations/s", "first call s", "x pyABC"):
        table.add_column(heading, justify="left" if heading in ("", "party totals") else "right")
    for bookkeeping, rows in result["rows"].items():
        for name, row in rows.items():
            table.add_row(
                bookkeeping,
                name,
                f"{row['simulations']:,}",
                f"{row['simulations_per_second']:,.0f}",
                f"{row['first_call_seconds']:.1f}",
                f"{row['ratio_to_pyabc']:,.2f}",
            )
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    Console(width=110).print(table, f"{result['device']} · {result['cpu']} · {versions}", sep="\n")


if __name__ == "__main__":
    RESULT = measure(ARGS)
    show(RESULT)
    common.write(ARGS.out, RESULT)
