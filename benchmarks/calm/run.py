# ruff: noqa: E402 (the process is pinned before jax is imported)
"""CALM at Delhi's scale and at India's, and beside PyTorch.

    python benchmarks/calm/run.py [--small] [--part NAME] [--out benchmarks/results/calm.json]

Every part runs in a process of its own on two cores, in double precision unless it says otherwise.

generate: `electjax.calm.simulate("delhi")`, seconds and peak memory. literal, recommended: `electjax.calm.fit` from
that Dataset to estimates with standard errors, the first fit of the process with compilation and the second without;
peak memory of the process; how far eta is from the truth (the literal model knows neither constituency effects nor
overdispersion, which these data have, so its standard errors are too small). evaluation: the objective with its
gradient, and a Newton step's arrow of the information, at 1,000 to a million booths (copies of Delhi), in chunks.
doubling: the same with twice the cells, and with twice the parties. pytorch: one objective and gradient beside the
document's pseudocode in PyTorch (`torch_calm.py`, which says how to install it), dense and sparing, float32 and
float64; ratios are medians over rounds in turn. pytorch_fit: seconds until the objective is within a distance of its
minimum, from the same start; PyTorch with L-BFGS and with Adam.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # where what benchmarks share is

import common

PARTS = ("generate", "literal", "recommended", "evaluation", "doubling", "pytorch", "pytorch_fit")
ARGS = common.arguments(__doc__.splitlines()[0], PARTS)
CORES = 2
common.pin(CORES)

import resource
import statistics
import tempfile
import time
import warnings
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table
from tile import tile

import electjax
from electjax.calm.codec import encode_booths
from electjax.calm.model.affinity import build
from electjax.calm.model.design import Design
from electjax.calm.model.estimate import estimate, first_point, first_weights
from electjax.calm.model.problem import pose, value
from electjax.calm.model.sums import blocks
from electjax.calm.options import FitOptions
from electjax.data.axes import axes_of
from electjax.numerics.host import double_precision

CHUNK = 128
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LIMIT = 900.0  # seconds for a PyTorch fit


def draw(small):
    return electjax.calm.simulate("small" if small else "delhi", seed=1)


def arrays(small):
    """Booths, frame and hyperparameters of the default literal model."""
    booths = draw(small)
    encoded = encode_booths(booths)
    hyper = jax.tree.map(jnp.asarray, FitOptions().hyper(axes_of(booths.attrs["axes"])))
    return jax.tree.map(np.asarray, encoded.booths), jax.tree.map(np.asarray, encoded.frame), hyper


def posed(booths, frame, hyper, design):
    weights = first_weights(booths, frame)
    return jax.jit(partial(pose, design=design, chunk=CHUNK))(booths, frame, hyper, weights=weights)


@partial(jax.jit, static_argnames="design")
def gradient(point, problem, design):
    return jax.value_and_grad(value)(point, problem, design)


@partial(jax.jit, static_argnames="design")
def arrow(point, problem, design):
    return blocks(point, problem, design)[0]


def generate(small):
    """Draw Delhi."""
    before, begin = _peak(), time.perf_counter()
    booths = draw(small)
    return {
        "seconds": time.perf_counter() - begin,
        "peak_gib": _peak(),
        "peak_gib_before": before,
        **{dim: booths.sizes[dim] for dim in ("constituency", "booth", "cell", "party")},
        "electors": int(booths["electors"].sum()),
    }


def fit(small, *, model):
    """From the Dataset to the estimate; the data are drawn in another process, so that the memory is the fit's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "booths.nc"
        scale = "small" if small else "delhi"
        # data of the recommended model: a context, and overdispersion instead of booth effects
        own = ", context=0.3, booth_sd=(0.0, 0.0)" if model == "recommended" else ""
        drawn = f"electjax.calm.simulate({scale!r}, seed=1{own})"
        code = f"import electjax; electjax.calm.save({drawn}, {str(path)!r})"
        subprocess.run([sys.executable, "-c", code], check=True)
        booths = electjax.calm.read(path)
    before, seconds = _peak(), []
    for _ in range(2):
        begin = time.perf_counter()
        result = electjax.calm.fit(booths, model=model)
        seconds.append(time.perf_counter() - begin)
    z = (result["eta"] - booths["true_eta"]) / result["eta_se"]
    terms = int((booths["cell_size"] > 0).sum()) * booths.sizes["party"]
    return {
        "model": model,
        "booths": booths.sizes["booth"],
        "cell_party_terms": terms,
        "cell_party_terms_with_empty_cells": booths["cell_size"].size * booths.sizes["party"],
        "seconds_with_compilation": seconds[0],
        "seconds": seconds[1],
        "steps": int(result.attrs["steps"]),
        "converged": bool(result.attrs["converged"]),
        "peak_gib": _peak(),
        "peak_gib_before": before,
        "eta": dict(zip(result["axis"].values.tolist(), result["eta"].values.tolist(), strict=True)),
        "true_eta": dict(zip(booths["axis"].values.tolist(), booths["true_eta"].values.tolist(), strict=True)),
        "z": dict(zip(result["axis"].values.tolist(), z.values.tolist(), strict=True)),
    }


def _cost(booths, frame, hyper, repeats, design):
    """Seconds of one evaluation and of one arrow, compiled."""
    problem = posed(booths, frame, hyper, design)
    point = first_point(problem, design)
    work = {
        "gradient": lambda _: jax.block_until_ready(gradient(point, problem, design)),
        "arrow": lambda _: jax.block_until_ready(arrow(point, problem, design)),
    }
    first = {name: common.first_call(call) for name, call in work.items()}
    seconds = common.interleaved(work, repeats)
    return {name: {"first_call_seconds": first[name], "seconds": statistics.median(seconds[name])} for name in work}


def evaluation(small):
    """Booths by the thousand and by the million."""
    booths, frame, hyper = arrays(small)
    rows = []
    for number in SIZES[:2] if small else SIZES:
        some, own = tile(jax.random.key(0), booths, frame, number)
        cost = _cost(some, own, hyper, 3 if number > 100_000 else 7, Design())
        rows.append({"booths": number, "constituencies": len(own.fielded), **cost, "peak_gib": _peak()})
        del some, own
    for row in rows:
        for name in ("gradient", "arrow"):
            row[name]["microseconds_per_booth"] = 1e6 * row[name]["seconds"] / row["booths"]
    return {"cells": booths.sizes.shape[1], "parties": booths.votes.shape[1], "rows": rows}


def twice_the_cells(booths, frame):
    """Every cell there twice, with half of its electors."""
    double = ("features", "cell_codes", "cell_gate")
    more = {name: np.concatenate([getattr(frame, name)] * 2) for name in double}
    wide = {name: np.concatenate([getattr(frame, name) / 2] * 2, axis=1) for name in ("presence", "electors")}
    return booths._replace(sizes=np.concatenate([booths.sizes / 2] * 2, axis=1)), frame._replace(**more, **wide)


def twice_the_parties(booths, frame):
    """Every party there twice, with half of its votes."""
    double = ("candidate_codes", "candidate_values", "candidate_gate", "fielded")
    more = {name: np.concatenate([getattr(frame, name)] * 2, axis=1) for name in double}
    halves = {name: np.concatenate([getattr(booths, name) / 2] * 2, axis=1) for name in ("votes", "previous")}
    return booths._replace(**halves), frame._replace(**more)


def doubling(small):
    """Twice the cells, twice the parties, each alone, timed in turn."""
    booths, frame, hyper = arrays(small)
    design, work = Design(), {}
    given = {
        "once": (booths, frame),
        "cells": twice_the_cells(booths, frame),
        "parties": twice_the_parties(booths, frame),
    }
    for name, (some, own) in given.items():
        problem = posed(some, own, hyper, design)
        at = first_point(problem, design)
        for kind, call in (("gradient", gradient), ("arrow", arrow)):
            work[kind, name] = lambda _, call=call, at=at, p=problem: jax.block_until_ready(call(at, p, design))
            common.first_call(work[kind, name])
    seconds = common.interleaved(work, 5 if small else 9)
    return {
        "booths": len(booths.polled),
        "cells": booths.sizes.shape[1],
        "parties": booths.votes.shape[1],
        **{
            kind: {
                "seconds": {name: statistics.median(seconds[kind, name]) for name in given},
                "ratio": {
                    name: common.median_ratio(seconds[kind, name], seconds[kind, "once"])
                    for name in ("cells", "parties")
                },
            }
            for kind in ("gradient", "arrow")
        },
    }


def pytorch(small):
    """One objective with its gradient."""
    import torch
    import torch_calm

    torch.set_num_threads(CORES)
    booths, frame, hyper = arrays(small)
    design = Design()
    g = np.asarray(build(frame, hyper.rho, design).g)
    problem = posed(booths, frame, hyper, design)
    point = first_point(problem, design)
    short = jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == jnp.float64 else x, (point, problem))

    def in_single(_):
        with jax.enable_x64(False):
            return float(jax.block_until_ready(gradient(*short, design))[0])

    work = {
        "electjax": lambda _: float(jax.block_until_ready(gradient(point, problem, design))[0]),
        "electjax, float32": in_single,
    }
    for name, dense in (("PyTorch", True), ("PyTorch, sparing", False)):
        for dtype in (torch.float64, torch.float32):
            model = torch_calm.Calm(booths, frame, g, hyper, dtype=dtype, dense=dense)
            label = name if dtype == torch.float64 else f"{name}, float32"
            work[label] = lambda _, model=model: torch_calm.gradient(model)
    first = common.first_call(work["electjax"])
    # at the start the two sides must compute the same
    objective = {name: call(0) for name, call in work.items()}
    seconds = common.interleaved(work, 5 if small else 9)
    return {
        "booths": len(booths.polled),
        "cells": booths.sizes.shape[1],
        "parties": booths.votes.shape[1],
        "first_call_seconds": first,
        "objective": objective,
        "seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "ratio": {
            name: common.median_ratio(times, seconds["electjax, float32" if "float32" in name else "electjax"])
            for name, times in seconds.items()
        },
        "peak_gib": _peak(),
    }


def pytorch_fit(small):
    """Seconds until the objective is near its minimum."""
    import torch
    import torch_calm

    torch.set_num_threads(CORES)
    booths, frame, hyper = arrays(small)
    design = Design()
    g = np.asarray(build(frame, hyper.rho, design).g)

    def own():
        times = []
        begin = time.perf_counter()
        found = estimate(
            booths,
            frame,
            hyper,
            design,
            max_steps=100,
            chunk=CHUNK,
            progress=lambda *_: times.append(time.perf_counter() - begin),
        )
        return found, list(zip(times, found.trace, strict=True))

    paths = {}
    found, paths["electjax, first fit"] = own()
    best = found.value
    found, paths["electjax"] = own()

    limit = 30.0 if small else LIMIT
    for name, dense, method in (
        ("PyTorch, L-BFGS", True, "lbfgs"),
        ("PyTorch, sparing, L-BFGS", False, "lbfgs"),
        ("PyTorch, Adam", True, "adam"),
    ):
        model = torch_calm.Calm(booths, frame, g, hyper, dtype=torch.float64, dense=dense)
        start = model().item()
        paths[name] = torch_calm.fit(model, method=method, seconds=limit, goal=best + 0.1)
        del model
    seconds = {
        name: {
            f"{gap:g}": next((t for t, v in path if v <= best + gap), None) for gap in (1000.0, 100.0, 10.0, 1.0, 0.1)
        }
        for name, path in paths.items()
    }
    return {
        "booths": len(booths.polled),
        "start": start,
        "minimum": best,
        "steps": found.steps,
        "limit_seconds": limit,
        # None: not within the limit
        "seconds_until_within": seconds,
        "evaluations": {name: len(path) for name, path in paths.items() if name.startswith("PyTorch")},
        "nearest": {name: min(v for _, v in path) - best for name, path in paths.items()},
        "ratio": {
            name: {gap: t / seconds["electjax"][gap] for gap, t in times.items() if t and seconds["electjax"][gap]}
            for name, times in seconds.items()
        },
    }


def _peak():
    """Most memory this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


WORK = {
    "generate": generate,
    "literal": partial(fit, model="literal"),
    "recommended": partial(fit, model="recommended"),
    "evaluation": evaluation,
    "doubling": doubling,
    "pytorch": pytorch,
    "pytorch_fit": pytorch_fit,
}


def part(name, small):
    """One part."""
    if name.startswith("pytorch") and _torch() is None:
        return {"left_out": "PyTorch is not installed, see torch_calm.py"}
    with double_precision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WORK[name](small)


def _torch():
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def measure(small):
    """All parts, each in a process of its own."""
    found = {"benchmark": "calm", **common.provenance(CORES)}
    found["versions"]["torch"] = _torch()
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
    whole = Table(title="whole runs")
    for heading in ("", "booths", "seconds", "with compilation", "peak GiB", "steps", "eta, (estimate - truth) / se"):
        whole.add_column(heading, justify="left" if heading in ("", "eta, (estimate - truth) / se") else "right")
    row = result["generate"]
    whole.add_row("generate", f"{row['booth']:,}", f"{row['seconds']:.1f}", "", f"{row['peak_gib']:.2f}", "", "")
    for name in ("literal", "recommended"):
        row = result[name]
        z = ", ".join(f"{axis} {value:+.1f}" for axis, value in row["z"].items())
        times = (f"{row['seconds']:.1f}", f"{row['seconds_with_compilation']:.1f}", f"{row['peak_gib']:.2f}")
        whole.add_row(name, f"{row['booths']:,}", *times, str(row["steps"]), z)

    linear = Table(title="one evaluation")
    for heading in ("booths", "objective and gradient, s", "us per booth", "arrow, s", "us per booth", "peak GiB"):
        linear.add_column(heading, justify="right")
    for row in result["evaluation"]["rows"]:
        pairs = [f(row[k]) for k in ("gradient", "arrow") for f in (_seconds, _each)]
        linear.add_row(f"{row['booths']:,}", *pairs, f"{row['peak_gib']:.2f}")
    twice = result["doubling"]
    ratios = ", ".join(
        f"{kind}, {n} x {r:.2f}" for kind in ("gradient", "arrow") for n, r in twice[kind]["ratio"].items()
    )

    console = Console(width=130)
    console.print(whole, linear, f"twice as many: {ratios}", sep="\n")
    if "seconds" in result["pytorch"]:
        beside = Table(title="beside PyTorch: objective and gradient")
        for heading in ("", "seconds", "x electjax"):
            beside.add_column(heading, justify="left" if heading == "" else "right")
        for name, seconds in result["pytorch"]["seconds"].items():
            beside.add_row(name, f"{seconds:,.4f}", f"{result['pytorch']['ratio'][name]:,.1f}")
        until = Table(title="seconds until the objective is so near its minimum")
        gaps = next(iter(result["pytorch_fit"]["seconds_until_within"].values()))
        for heading in ("", *gaps):
            until.add_column(heading, justify="left" if heading == "" else "right")
        for name, times in result["pytorch_fit"]["seconds_until_within"].items():
            until.add_row(name, *("never" if t is None else f"{t:,.1f}" for t in times.values()))
        console.print(beside, until, sep="\n")
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    console.print(f"{result['device']} · {result['cpu']} · {versions}")


def _seconds(row):
    return f"{row['seconds']:,.4f}"


def _each(row):
    return f"{row['microseconds_per_booth']:.1f}"


if __name__ == "__main__":
    if ARGS.part:
        print(json.dumps(part(ARGS.part, ARGS.small)))
    else:
        RESULT = measure(ARGS.small)
        show(RESULT)
        common.write(ARGS.out, RESULT)
