# ruff: noqa: E402 (the process is pinned before jax is imported)
"""Voter types beside StepMix: cost per EM step, whole fits, many restarts, a county's ballots, ten million ballots.

    python benchmarks/voter_types/run.py [--small] [--part NAME] [--out benchmarks/results/voter_types.json]

Every part runs in a process of its own, both sides on the same two cores, warm and in turn, with one tolerance
(relative change of the observed log-likelihood, 1e-9). StepMix has its best settings: votes handed over as a 0/1
matrix, which saves coding them anew in every step (`codes`: as its users call it), no progress bar, one Newton step per
M-step for covariates. Ratios are medians over rounds. `first_call_seconds` compiles; the others do not.

iteration, covariates: one EM step, N = 100,000 voters, 10 offices, 3 options, 5 types, nothing collapsed; without and
with 5 continuous covariates of the voters. end_to_end: `electjax.voter_types.fit` from ballots to estimate, 10 starts.
restarts: 1,000 starts of gss82, 3 types, each run to the tolerance. evaluations: EM maps until gss82's maximum with 4
types. yuma: K = 1..8 with menus, 200 starts each. large: 10 million ballots x 20 offices, peak memory, and how far from
the truth. The parts on real ballots are left out where these are not at hand (ELECTJAX_SHARED says where).
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

PARTS = ("iteration", "covariates", "end_to_end", "restarts", "evaluations", "yuma", "large")
ARGS = common.arguments(__doc__.splitlines()[0], PARTS)
CORES = 2
common.pin(CORES)

import os
import resource
import statistics
import time
import warnings
from functools import partial
from importlib.metadata import version

import jax
import numpy as np
import pandas as pd
import xarray as xr
from jax import lax
from rich.console import Console
from rich.table import Table

import electjax
from electjax.numerics.host import double_precision
from electjax.voter_types.em.em_map import em_map
from electjax.voter_types.em.mixture import Types, log_likelihood
from electjax.voter_types.em.rows import collapse, lay_out
from electjax.voter_types.em.runs import random_starts
from electjax.voter_types.em.simulate import simulate_choices

BALLOTS = Path(os.environ.get("ELECTJAX_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data" / "ballots"
REAL = ("restarts", "evaluations", "yuma")
TOLERANCE = 1e-9
OPTIONS = 3
GSS_4 = -2746.6208  # published maximum of gss82 with four types


def planted(types, offices, sharpness, seed, columns=0):
    """Types that choose one option of each office with about this probability."""
    rng = np.random.default_rng(seed)
    favourite = np.eye(OPTIONS)[rng.integers(0, OPTIONS, (types, offices))]
    mu = sharpness * favourite + (1 - sharpness) * rng.dirichlet(np.ones(OPTIONS), (types, offices))
    pi = rng.dirichlet(np.full(types, 10.0))
    gamma = np.vstack([np.log(pi / pi[0]), rng.normal(size=(columns, types)) / 2]) if columns else np.log(pi)[None]
    gamma[1:, 0] = 0.0
    return Types(gamma, np.log(mu), np.zeros((types, 0)))


def cast(truth, voters, seed):
    """Votes of voters of these types [N, J], and their covariates."""
    offices, columns = truth.log_mu.shape[1], truth.gamma.shape[0] - 1
    covariates = np.random.default_rng(seed).normal(size=(voters, columns))
    design = np.column_stack([np.ones(voters), covariates]) if columns else None
    menus = np.zeros((voters, offices), np.int8)
    choice, _ = simulate_choices(
        jax.random.key(seed), truth, menus, np.ones((offices, 1, OPTIONS), bool), design=design
    )
    return choice, covariates if columns else None


def as_ballots(choice):
    return xr.Dataset({"choice": (("voter", "office"), choice)})


def zero_one(choice, options=OPTIONS):
    return (choice[:, :, None] == np.arange(options)).reshape(len(choice), -1).astype(float)


def stepmix(types, offices, *, iterations=100_000, restarts=1, seed=0, codes=False, options=OPTIONS, tolerance=0.0):
    """StepMix as it is fastest."""
    from stepmix.stepmix import StepMix

    given = {"integer_codes": False, "max_n_outcomes": options, "total_outcomes": offices * options}
    return StepMix(
        n_components=types,
        n_steps=1,
        measurement="categorical",
        measurement_params=None if codes else given,
        structural="covariate",
        structural_params={"method": "newton-raphson", "max_iter": 1, "intercept": True},
        n_init=restarts,
        abs_tol=0.0,
        rel_tol=tolerance,
        max_iter=iterations,
        random_state=seed,
        progress_bar=0,
    )


def fit(ballots, types, seed, restarts, **how):
    """The public verb, every start run to the end, without standard errors unless asked for."""
    how = {"tolerance": TOLERANCE, "prune": 1.0, "errors": "none"} | how
    return electjax.voter_types.fit(ballots, types, restarts=restarts, seed=seed, **how)


def iteration(small, columns=0):
    """One EM step on voters that are not collapsed."""
    voters, offices, types, steps = (20_000 if small else 100_000), 10, 5, 10
    choice, covariates = cast(planted(types, offices, 0.6, 1, columns), voters, 2)
    mask = np.ones((offices, 1, OPTIONS), bool)
    one_menu = np.zeros_like(choice)
    rows = lay_out(collapse(choice, one_menu, mask, covariates=covariates, unique=False)[0])
    matrix = zero_one(choice)

    @jax.jit
    def walk(types, rows):
        return lax.fori_loop(0, steps, lambda _, types: em_map(types, rows, 0.0)[0], types)

    start = jax.tree.map(lambda leaf: leaf[0], random_starts(jax.random.key(0), rows, types=types, restarts=1))

    def own(_):
        return jax.block_until_ready(walk(start, rows))

    def theirs(seed, *, iterations, codes=False):
        votes = choice.astype(float) if codes else matrix
        return stepmix(types, offices, iterations=iterations, seed=seed, codes=codes).fit(votes, covariates)

    first = common.first_call(own)
    work = {"electjax": own}
    for name, codes in (("StepMix", False), ("StepMix, codes", True)):
        work[name, 2] = partial(theirs, iterations=2, codes=codes)
        work[name, steps + 2] = partial(theirs, iterations=steps + 2, codes=codes)
    seconds = common.interleaved(work, 3 if small else 7)
    each = {"electjax": [t / steps for t in seconds["electjax"]]}
    for name in ("StepMix", "StepMix, codes"):
        each[name] = [(b - a) / steps for a, b in zip(seconds[name, 2], seconds[name, steps + 2], strict=True)]

    fitted = theirs(1, iterations=5)
    found = fitted.get_parameters()
    mu = np.asarray(found["measurement"]["pis"]).reshape(types, offices, OPTIONS)
    gamma = np.asarray(found["structural"]["beta"]).T if columns else np.log(found["weights"])[None]
    mean = float(jax.jit(log_likelihood)(Types(gamma, np.log(mu), np.zeros((types, 0))), rows)) / voters
    return {
        "voters": voters,
        "offices": offices,
        "types": types,
        "covariates": columns,
        "first_call_seconds": first,
        # at the parameters that StepMix found: both sides compute the same
        "log_likelihood_gap": abs(mean - fitted.score(matrix, covariates)),
        "seconds_per_step": {name: statistics.median(times) for name, times in each.items()},
        "ratio": {name: common.median_ratio(times, each["electjax"]) for name, times in each.items()},
    }


def end_to_end(small):
    """From ballots to the estimate of 5 types, 10 starts."""
    voters, offices, types, restarts = (20_000 if small else 100_000), 10, 5, 2 if small else 10
    choice, _ = cast(planted(types, offices, 0.9, 3), voters, 4)
    ballots = as_ballots(choice)
    found = {}

    def own(seed):
        result = fit(ballots, types, seed, restarts)
        found["electjax"] = float(result.attrs["log_likelihood"])

    def theirs(seed):
        votes = zero_one(choice)
        fitted = stepmix(types, offices, restarts=restarts, seed=seed, tolerance=TOLERANCE).fit(votes)
        found["StepMix"] = float(fitted.score(votes)) * voters

    def collapsed(seed):
        """StepMix given the unique rows with their counts, which its users have to work out themselves."""
        unique, counts = np.unique(choice, axis=0, return_counts=True)
        model = stepmix(types, offices, restarts=restarts, seed=seed, tolerance=TOLERANCE)
        votes = zero_one(unique)
        model.fit(votes, sample_weight=counts.astype(float))
        found["StepMix, collapsed by hand"] = float(model.score(votes, sample_weight=counts)) * voters

    first = common.first_call(own)
    work = {"electjax": own, "StepMix": theirs, "StepMix, collapsed by hand": collapsed}
    seconds = common.interleaved(work, 3, slow=("StepMix",))
    return {
        "voters": voters,
        "unique_rows": len(np.unique(choice, axis=0)),
        "restarts": restarts,
        "first_call_seconds": first,
        "log_likelihood": found,
        **_beside(seconds),
    }


def _beside(seconds):
    return {
        "seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "ratio": {name: common.median_ratio(times, seconds["electjax"]) for name, times in seconds.items()},
    }


def coded(name):
    """Votes of a file of poLCA: categories 1.. in each column, blank where missing."""
    return pd.read_csv(BALLOTS / f"{name}_int.csv").fillna(0).to_numpy().astype(np.int8) - 1


def restarts(small):
    """Many starts of gss82 with 3 types, and where they end."""
    number, choice = 100 if small else 1000, coded("gss82")
    options, voters = int(choice.max()) + 1, len(choice)
    found = {}

    def own(seed):
        found["electjax"] = fit(as_ballots(choice), 3, seed, number)["start_log_likelihood"].values

    def theirs(seed, *, collapsed=False):
        rows, counts = np.unique(choice, axis=0, return_counts=True) if collapsed else (choice, np.ones(voters))
        model = stepmix(3, 4, restarts=number, seed=seed, options=options, tolerance=TOLERANCE)
        model.fit(zero_one(rows, options), sample_weight=counts.astype(float))
        name = "StepMix, collapsed by hand" if collapsed else "StepMix"
        found[name] = np.array(model.lower_bound_buffer_) * voters

    first = common.first_call(own)
    work = {"electjax": own, "StepMix": theirs, "StepMix, collapsed by hand": partial(theirs, collapsed=True)}
    seconds = common.interleaved(work, 2 if small else 3, slow=("StepMix", "StepMix, collapsed by hand"))
    return {
        "data": "gss82",
        "restarts": number,
        "first_call_seconds": first,
        "best": {name: float(np.max(ends)) for name, ends in found.items()},
        "share_at_best": {name: float(np.mean(ends > np.max(ends) - 1e-3)) for name, ends in found.items()},
        **_beside(seconds),
    }


def evaluations(small):
    """Evaluations of the EM map, over the starts of gss82 with 4 types that reach its maximum."""
    result = fit(as_ballots(coded("gss82")), 4, 1, 100 if small else 1000)
    ends, maps = result["start_log_likelihood"].values, result["start_maps"].values
    there = maps[ends > GSS_4 - 1e-3]
    return {
        "data": "gss82",
        "published": GSS_4,
        "best": float(ends.max()),
        "starts": len(ends),
        "there": len(there),
        "maps": {f"{q} %": float(np.percentile(there, q)) for q in (5, 25, 50, 75, 95)} if len(there) else {},
    }


def yuma(small):
    """A county's ballots with menus: K = 1..8."""
    table = pd.read_csv(BALLOTS / "yuma2020_y_m.csv")
    choice, menu = (table.filter(regex=f"^{letter}_") for letter in "ym")
    cells = ("voter", "office")
    ballots = xr.Dataset(
        {"choice": (cells, choice.fillna(-1).to_numpy(np.int8)), "menu": (cells, menu.to_numpy(np.int8))}
    )
    number = 20 if small else 200
    rows, passes = {}, {}
    for seed in (1, 2):
        begin = time.perf_counter()
        for types in range(1, 9):
            start = time.perf_counter()
            result = fit(ballots, types, seed, number, prune=None)
            row = rows.setdefault(str(types), {"log_likelihood": {}, "seconds": {}})
            row["log_likelihood"][seed] = float(result.attrs["log_likelihood"])
            row["seconds"][seed] = time.perf_counter() - start
        passes[seed] = time.perf_counter() - begin
    return {
        "voters": len(table),
        "restarts": number,
        "seconds_with_compilation": passes[1],
        "seconds": passes[2],
        "types": rows,
    }


def large(small):
    """Ballots by the million, and the planted parameters in standard errors."""
    voters, offices, types = (200_000 if small else 10_000_000), 20, 4
    truth = planted(types, offices, 0.72, 5)
    choice, _ = cast(truth, voters, 6)
    ballots = as_ballots(choice)
    before = _peak()
    begin = time.perf_counter()
    result = fit(ballots, types, 1, 10, errors="information", prune=None)
    seconds = time.perf_counter() - begin
    peak = _peak()
    order = np.argsort(-truth.gamma[0])
    gaps = {
        "pi": (result["pi"].values - np.exp(truth.gamma[0])[order]) / result["pi_se"].values,
        "mu": (result["mu"].values - np.exp(truth.log_mu)[order]) / result["mu_se"].values,
    }
    return {
        "voters": voters,
        "offices": offices,
        "types": types,
        "unique_rows": int(result.attrs["rows"]),
        "seconds_with_compilation": seconds,
        "peak_gib": peak,
        "peak_gib_before": before,
        "largest_z": {name: float(np.nanmax(np.abs(gap))) for name, gap in gaps.items()},
        "mean_square_z": {name: float(np.nanmean(gap**2)) for name, gap in gaps.items()},
    }


def _peak():
    """Most memory this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


WORK = {
    "iteration": iteration,
    "covariates": partial(iteration, columns=5),
    "end_to_end": end_to_end,
    "restarts": restarts,
    "evaluations": evaluations,
    "yuma": yuma,
    "large": large,
}


def part(name, small):
    """One part."""
    if name in REAL and not BALLOTS.is_dir():
        return {"left_out": "its ballots are not here"}
    with double_precision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WORK[name](small)


def measure(small):
    """All parts, each in a process of its own."""
    found = {"benchmark": "voter_types", **common.provenance(CORES)}
    found["versions"]["stepmix"] = version("stepmix")
    for name in PARTS:
        command = [sys.executable, __file__, "--part", name, *(["--small"] if small else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr}")
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}: done", file=sys.stderr, flush=True)
    return found


def show(result):
    """Print the tables."""
    beside = Table(title="beside StepMix, two cores")
    for heading in ("", "", "seconds", "x electjax", "first call s"):
        beside.add_column(heading, justify="left" if heading == "" else "right")
    for name in PARTS[:4]:
        row = result[name]
        for side, seconds in row.get("seconds_per_step", row.get("seconds", {})).items():
            first = f"{row['first_call_seconds']:.1f}" if side == "electjax" else ""
            beside.add_row(name, side, f"{seconds:,.4f}", f"{row['ratio'][side]:,.1f}", first)
    others = Table(title="electjax alone")
    for heading in ("", "figures"):
        others.add_column(heading)
    for name in PARTS[4:]:
        figures = {key: value for key, value in result[name].items() if key != "types" or not isinstance(value, dict)}
        others.add_row(name, ", ".join(f"{key} {value}" for key, value in figures.items()))
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    Console(width=120).print(beside, others, f"{result['device']} · {result['cpu']} · {versions}", sep="\n")


if __name__ == "__main__":
    if ARGS.part:
        print(json.dumps(part(ARGS.part, ARGS.small)))
    else:
        RESULT = measure(ARGS.small)
        show(RESULT)
        common.write(ARGS.out, RESULT)
