# ruff: noqa: E402 (the process is pinned before jax is imported)
"""From a database of cast-vote records to the profiles of its voters: time and peak memory.

    python benchmarks/voter_types/database.py [--ballots 10000000] [--folder DIR] [--out benchmarks/results/FILE.json]

A database in the layout of the one of 2020 is generated in parts, a county at a time, by known types of voters:
Parquet in folders state=/county_name=, a row for each voter and office. Reading and fitting it happens in a process of
its own on two cores, so that its peak memory is its own; the types found are held against those that were planted.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import common

CORES = 2
COUNTY = 50_000  # voters on average
STATES = ("AZ", "CO", "GA", "MD", "MI", "NV", "OH", "PA", "TX", "WI")
OFFICES = ("US PRESIDENT", "US SENATE", "US HOUSE", "STATE SENATE", "STATE HOUSE")
SHARES = (0.45, 0.30, 0.15, 0.10)
# of each type, office by office below the president: how many split and how many abstain
SPLIT = ((0.02, 0.03, 0.03, 0.04), (0.10, 0.25, 0.35, 0.45), (0.05, 0.08, 0.10, 0.10), (0.55, 0.50, 0.60, 0.55))
ABSTAIN = ((0.01, 0.02, 0.02, 0.02), (0.02, 0.04, 0.05, 0.06), (0.15, 0.30, 0.60, 0.75), (0.05, 0.10, 0.12, 0.15))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ballots", type=int, default=1_000_000, help="voters of the database")
    parser.add_argument("--folder", type=Path, help="where the database is, or is written to and kept")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--read", type=Path, help="only read and fit this database, figures as JSON to stdout")
    parser.add_argument("--small", action="store_true", help="a check that it runs")
    return parser.parse_args()


ARGS = arguments()
common.pin(CORES)

import numpy as np


def generate(folder, ballots):
    """Write a database; its size in bytes."""
    rng = np.random.default_rng(2020)
    counties = max(ballots // COUNTY, 3)
    sizes = rng.multinomial(ballots, rng.dirichlet(np.full(counties, 2.0)))
    size = 0
    for number, voters in enumerate(sizes):
        state = STATES[number % len(STATES)]
        path = folder / f"state={state}" / f"county_name=COUNTY {number:04d}"
        path.mkdir(parents=True, exist_ok=True)
        write(path / "part-0.parquet", int(voters), number, rng)
        size += (path / "part-0.parquet").stat().st_size
    return size, counties


def write(path, voters, number, rng):
    """The rows of a county: a voter's offices in turn, president first."""
    import pyarrow as pa
    from pyarrow import parquet

    member = rng.choice(len(SHARES), voters, p=SHARES)
    own = (rng.random(voters) < 0.35 + 0.3 * rng.random()).astype(np.int8)  # 0 DEM, 1 REP
    top = np.where(rng.random(voters) < 0.02, 2 + rng.integers(0, 4, voters), own)  # or another, or none
    precinct = rng.integers(0, 1 + voters // 1500, voters)
    half = precinct % 2
    columns = [top]
    districts = [np.zeros(voters, np.int64)]
    for j in range(len(OFFICES) - 1):
        u = rng.random(voters)
        split, abstain = np.array(SPLIT)[member, j], np.array(ABSTAIN)[member, j]
        found = np.where(u < abstain, 4, np.where(u < abstain + split, 1 - own, own))
        district = np.zeros(voters, np.int64) if j == 0 else 1 + (number // 10) % 7 * 2 + half
        if j >= 2:  # some districts have a candidate of one party only
            alone = (district * (j + 1)) % 5
            only = np.where(alone == 0, 0, np.where(alone == 1, 1, -1))
            kept = np.where(only == own, 1 - split - abstain, split)
            wish = kept / (kept + abstain)  # as section 4 has it: without the options that nobody stands for
            gone = np.where(rng.random(voters) < wish, only, 4)
            found = np.where((only >= 0) & (found < 2) & (found != only), gone, found)
        columns.append(found)
        districts.append(district)
    choice, district = np.stack(columns, axis=1).ravel(), np.stack(districts, axis=1).ravel()
    office = np.tile(np.arange(len(OFFICES)), voters)
    every = np.repeat(np.arange(voters), len(OFFICES))

    def texts(codes, labels):
        known = [label for label in labels if label is not None]  # those that are None come last
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes >= len(known)), known)

    named = ["A DEMOCRAT", "A REPUBLICAN", "A LIBERTARIAN", "WRITEIN", "UNDERVOTE", "OVERVOTE"]
    places = [f"PRECINCT {k}" for k in range(int(precinct.max()) + 1 if voters else 1)]
    table = pa.table(
        {
            "cvr_id": pa.array(every + 1),
            "precinct_medsl": texts(precinct[every], places),
            "precinct_cvr": texts(precinct[every], places),
            "office": texts(office, OFFICES),
            "district": texts(district, ["STATEWIDE", *(f"{k:03d}" for k in range(1, int(district.max()) + 1))]),
            "candidate": texts(choice, named),
            "party": texts(choice, ["DEM", "REP", "LBT", None, None, None]),
            "party_detailed": texts(choice, ["DEMOCRAT", "REPUBLICAN", "LIBERTARIAN", None, None, None]),
            "magnitude": pa.array(np.ones(len(choice), np.int64)),
        }
    )
    parquet.write_table(table, path, row_group_size=1 << 20)


def measure(folder):
    """From files to profiles, in this process."""
    from electjax import voter_types

    warnings.simplefilter("ignore")
    begin = time.perf_counter()
    ballots = voter_types.read(folder)
    read = time.perf_counter()
    peak = _peak()
    fit = voter_types.fit(ballots, types=len(SHARES), restarts=20, errors="information")
    end = time.perf_counter()
    truth = 1 - np.array(SPLIT) - np.array(ABSTAIN)
    order = np.argsort(SHARES)[::-1]
    mu = fit["mu"].transpose("type", "office", "option").values
    return {
        "voters": float(fit.attrs["voters"]),
        "unique_rows": ballots.sizes["voter"],
        "seconds_read": read - begin,
        "seconds_fit_with_compilation": end - read,
        "seconds": end - begin,
        "peak_gib_read": peak,
        "peak_gib": _peak(),
        "gap_of_shares": float(np.abs(fit["pi"].values - np.array(SHARES)[order]).max()),
        "gap_of_straight_votes": float(np.abs(mu[:, :, 2] - truth[order]).max()),
        "converged": bool(fit.attrs["converged"]),
    }


def _peak():
    """Most memory this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def run(folder, ballots):
    found = {"benchmark": "voter_types_database", **common.provenance(CORES), "ballots": ballots}
    if not any(folder.rglob("*.parquet")):
        begin = time.perf_counter()
        size, counties = generate(folder, ballots)
        found |= {"seconds_generate": time.perf_counter() - begin, "gib_files": size / 2**30, "counties": counties}
    command = [sys.executable, __file__, "--read", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return found | json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    if ARGS.read:
        print(json.dumps(measure(ARGS.read)))
    else:
        COUNT = 30_000 if ARGS.small else ARGS.ballots
        with tempfile.TemporaryDirectory() as HERE:
            RESULT = run(ARGS.folder or Path(HERE), COUNT)
        print(json.dumps(RESULT, indent=2))
        common.write(ARGS.out, RESULT)
