"""What the benchmarks share: pinning, interleaved timing, the Delhi election, provenance, output.

Import this module and call `pin` before anything that imports jax: XLA sizes its thread pool by the affinity.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

Name = TypeVar("Name")


def arguments(description: str, parts: Sequence[str] = ()) -> argparse.Namespace:
    """The command line; parts: pieces of the benchmark that can be asked for alone."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--small", action="store_true", help="a check that it runs, with few repeats")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    if parts:
        parser.add_argument("--part", choices=parts, help="only this part, as JSON to stdout")
    else:
        parser.add_argument("--cores", type=int, default=1, help="CPU cores for both sides (default 1)")
    return parser.parse_args()


def pin(cores: int) -> None:
    """Keep this process on `cores` cores (the last ones); both sides then have as many threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-cores:]))
    os.environ["NUMBA_NUM_THREADS"] = str(cores)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(cores)


def clock(cores: int) -> Callable[[], float]:
    """Processor time where one core does all the work, which a busy machine disturbs less; otherwise wall time."""
    import jax

    return time.process_time if cores == 1 and jax.default_backend() == "cpu" else time.perf_counter


def interleaved(
    work: dict[Name, Callable[[int], Any]],
    repeats: int,
    slow: Collection[Name] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, list[float]]:
    """Seconds of every piece of work, called in turn with fresh seeds: a slow moment hits all of them alike.

    Those named `slow` take part in the first two rounds only.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in work}
    for repeat in range(repeats):
        for name, call in work.items():
            if repeat >= 2 and name in slow:
                continue
            begin = clock()
            call(repeat + 1)
            seconds[name].append(clock() - begin)
    return seconds


def first_call(call: Callable[[int], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    begin = clock()
    call(0)
    return clock() - begin


def median_ratio(reference: list[float], own: list[float]) -> float:
    """Median of reference / own over the rounds in which both were timed."""
    return statistics.median(a / b for a, b in zip(reference, own, strict=False))


def delhi() -> tuple[Any, Any, Any]:
    """Votes polled per district, popularity and party totals of Delhi 2020 (70 districts, 9.3 million votes)."""
    import numpy as np

    import electjax
    from electjax.districts.kernels.polling import largest_remainder

    election = electjax.districts.load("delhi2020")
    electors = election["votes"].sum("party").to_numpy().astype(np.int64)
    popularity = election["popularity"].to_numpy()
    return electors, popularity, largest_remainder(popularity, int(electors.sum()))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Model of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def provenance(cores: int) -> dict[str, Any]:
    import jax

    import electjax

    packages = ("jax", "jaxlib", "numba", "numpy", "pyabc")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": _cpu(),
        "cores": cores,
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "device": jax.devices()[0].device_kind,
        "backend": jax.default_backend(),
        "versions": {
            "electjax": electjax.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in packages},
        },
    }


def write(path: Path | None, figures: dict[str, Any]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(figures, indent=2) + "\n")
    draft.replace(path)
