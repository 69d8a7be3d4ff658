"""How long large files take to be read, and in how much memory: at n, 2n and 4n, beside pandas alone.

    python benchmarks/data/readers.py            # the sizes of the documentation, some ten minutes
    python benchmarks/data/readers.py --small    # a check that it runs

Each reading is a process of its own. Seconds are of the processor, all threads together, which other work on the
machine does not change much; the ratio is of the two readings one after the other. pandas is `read_csv` of the same
file and the sum, pivot or coding that makes arrays of it, without any check: what a user would write instead. Results
go to benchmarks/results/data_readers.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

RESULTS = Path(__file__).parents[1] / "results" / "data_readers.json"


def returns(path: Path, size: int) -> None:
    """Candidates: `size` rows, a hundred to a district."""
    rng = np.random.default_rng(0)
    row = np.arange(size)
    pd.DataFrame(
        {
            "district": np.char.add("district ", (row // 100).astype(str)),
            "party": np.char.add("party ", (row % 100).astype(str)),
            "candidate": np.char.add("candidate ", row.astype(str)),
            "votes": rng.integers(1, 100_000, size),
        }
    ).to_csv(path, index=False)


def wide(path: Path, size: int) -> None:
    """Fifty districts with `size` columns of parties."""
    votes = np.random.default_rng(0).integers(0, 1000, (50, size))
    frame = pd.DataFrame(votes, columns=[f"votes_party {k}" for k in range(size)])
    frame.insert(0, "district", [f"district {d}" for d in range(50)])
    frame.to_csv(path, index=False)


def ballots(path: Path, size: int) -> None:
    """`size` voters in 20 offices."""
    rng = np.random.default_rng(0)
    labels = np.array(["no vote", "Ada", "Bo", "Cy"])
    frame = pd.DataFrame({f"office {j}": labels[rng.integers(0, 4, size)] for j in range(20)})
    frame.insert(0, "voter", np.arange(size))
    frame.to_csv(path, index=False)


def units(path: Path, size: int) -> None:
    """`size` precincts with three groups and three parties."""
    rng = np.random.default_rng(0)
    groups = rng.integers(10, 1000, (size, 3))
    shares = rng.dirichlet([2, 3, 4], size)
    votes = np.floor(groups.sum(axis=1, keepdims=True) * shares).astype(int)
    votes[:, 0] += groups.sum(axis=1) - votes.sum(axis=1)
    frame = pd.DataFrame(np.hstack([groups, votes]), columns=["white", "black", "other", "A", "B", "C"])
    frame.insert(0, "precinct", np.char.add("p", np.arange(size).astype(str)))
    frame.to_csv(path, index=False)


def _ours(name: str, path: Path) -> Any:
    import electjax

    if name in ("returns", "wide"):
        return electjax.districts.read(path)
    if name == "ballots":
        return electjax.voter_types.read(path)
    return electjax.ecological.read(path, rows=["white", "black", "other"], columns=["A", "B", "C"])


def _pandas(name: str, path: Path) -> Any:
    frame = pd.read_csv(path)
    if name == "returns":
        return frame.pivot_table(index="district", columns="party", values="votes", aggfunc="sum").to_numpy()
    if name == "ballots":
        return np.stack([frame[name].astype("category").cat.codes for name in frame.columns[1:]], axis=1)
    return frame.iloc[:, 1:].to_numpy()


FILES: dict[str, tuple[Callable[[Path, int], None], int]] = {
    "returns": (returns, 1_000_000),
    "wide": (wide, 20_000),
    "ballots": (ballots, 1_000_000),
    "units": (units, 100_000),
}
WAYS = {"electjax": _ours, "pandas": _pandas}


def measure(name: str, way: str, path: Path) -> dict[str, float]:
    """Seconds of the processor and of the clock for a reading, imports apart, and the peak memory of its process."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, way, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(name: str, way: str, path: Path) -> None:
    import electjax

    for wing in ("districts", "voter_types", "ecological"):
        getattr(electjax, wing).read  # noqa: B018 (the import)
    started, clock = time.process_time(), time.perf_counter()
    WAYS[way](name, path)
    said = {"seconds": time.process_time() - started, "wall_s": time.perf_counter() - clock}
    status = Path("/proc/self/status").read_text()  # `getrusage` would count what the process that started it had
    said["peak_gib"] = int(status.split("VmHWM:")[1].split()[0]) / 2**20
    print(json.dumps({name: round(value, 3) for name, value in said.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a check that it runs")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one[0], asked.one[1], Path(asked.one[2]))
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (make, full) in FILES.items():
            largest = full // 100 if asked.small else full
            for size in (largest // 4, largest // 2, largest):
                path = Path(folder) / f"{name}.csv"
                make(path, size)
                said = {way: measure(name, way, path) for way in WAYS}
                said |= {"ratio": round(said["electjax"]["seconds"] / said["pandas"]["seconds"], 2)}
                found.setdefault(name, {})[str(size)] = said
                print(name, size, json.dumps(said), flush=True)
                path.unlink()
    if not asked.small:
        common.write(RESULTS, {**common.provenance(os.cpu_count() or 1), **found})


if __name__ == "__main__":
    main()
