"""Golden results: does the toolkit still give the numbers that it gave before a refactor?

Each case calls public verbs on small inputs with fixed seeds and returns what they return, by label. Of every variable
the script keeps dtype, shape, a hash of the bytes, and a few sums that tell how far two results are apart.

    python benchmarks/golden/run.py --write FILE    record
    python benchmarks/golden/run.py --check FILE    compare; exit code 1 where anything differs or is missing
    python benchmarks/golden/run.py --only NAME     one case, with either; may be given several times

The cases are in cases.py. Variables with new names are named in RENAMED, and go on being compared.
"""

import os
from importlib.metadata import version

# Few optimisations, as in the tests: compiling takes half the time. XLA ends the process at a flag it does not know.
if (0, 6) <= tuple(int(part) for part in version("jaxlib").split(".")[:2]) < (0, 11):
    QUICK = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
    os.environ.setdefault("XLA_FLAGS", QUICK + " --xla_llvm_disable_expensive_passes=true")

import argparse
import hashlib
import json
import math
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from cases import CASES

import electjax
from electjax.data.programs import start_cache

# By case, or "*" for all: old name of a variable -> new name, or None for one that is gone on purpose. A name is a
# variable, "@attribute", or either with its label in front, "label/variable". "label/" renames the label.
RENAMED: dict[str, dict[str, str | None]] = {}


# --------------------------------------------------------------------------------------------- fingerprints
TOLERANCE = 1e-12
SOFT = "words"  # text of coordinates and attributes: a difference is told, and no error
TIMES = ("created_at",)  # attributes that differ each time
NOISE = ("@gradient",)  # what rounding leaves where a search ends: told, and no error


def record(results) -> dict:
    """Fingerprints of all variables of a case, by "label/variable"; attributes are "label/@name"."""
    found = {}
    for label, result in results.items():
        for place, ds in datasets(label, result):
            for name, variable in ds.variables.items():
                found[f"{place}/{name}"] = softened(fingerprint(variable.values), name in ds.coords)
            for name, value in ds.attrs.items():
                if name not in TIMES and not name.endswith("_version"):
                    found[f"{place}/@{name}"] = softened(fingerprint(numbers_in(value)), True)
    return found


def softened(entry: dict, soft: bool) -> dict:
    """The fingerprint; text that may change is marked."""
    return entry | {"kind": SOFT} if soft and entry["kind"] == "text" else entry


def numbers_in(value):
    """An attribute; where it is JSON of numbers by name, these in the order of their names."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, dict) and value and all(isinstance(number, int | float) for number in value.values()):
        return [value[name] for name in sorted(value)]
    return str(value) if isinstance(value, dict) else value


def datasets(label, result):
    """The Datasets in what a verb returned, each with its place."""
    if isinstance(result, xr.DataTree):
        for node in result.subtree:
            yield f"{label}{'' if node.path == '/' else node.path}", node.to_dataset()
    elif isinstance(result, xr.DataArray):
        yield label, result.to_dataset(name=result.name or "value")
    elif isinstance(result, pd.DataFrame):
        yield label, xr.Dataset({name: ("line", column.to_numpy()) for name, column in result.items()})
    else:
        yield label, result


def fingerprint(values) -> dict:
    """Kind, dtype, shape and hash of an array, and sums of its numbers in double precision."""
    values = np.asarray(values)
    if values.dtype.kind not in "iufb":
        text = "\x1f".join(str(value) for value in values.ravel())
        return {"kind": "text", "dtype": "text", "shape": list(values.shape), "hash": sha(text.encode())}
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("=")).reshape(values.shape)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type(np.nan), values)
    flat = values.ravel().astype(np.float64)
    finite = flat[np.isfinite(flat)]
    zeroed = np.where(np.isfinite(flat), flat, 0.0)
    vectors = np.random.Generator(np.random.Philox(flat.size)).standard_normal((4, flat.size))
    sums = {
        "sum": math.fsum(finite),
        "squares": math.fsum(finite * finite),
        "size": math.fsum(np.abs(finite)),
        "min": float(finite.min()) if finite.size else 0.0,
        "max": float(finite.max()) if finite.size else 0.0,
        "projections": [math.fsum(vector * zeroed) for vector in vectors],
    }
    counts = [int(np.isnan(flat).sum()), int(np.isposinf(flat).sum()), int(np.isneginf(flat).sum())]
    return {
        "kind": "number",
        "dtype": values.dtype.name,
        "shape": list(values.shape),
        "hash": sha(values.tobytes()),
        "nan": counts,
        **sums,
    }


def sha(data: bytes) -> str:
    """SHA-256 in hexadecimals."""
    return hashlib.sha256(data).hexdigest()


def distance(old: dict, new: dict) -> float:
    """The largest difference of two fingerprints of numbers, relative to the size of the array."""
    largest = max(abs(old["min"]), abs(old["max"]), abs(new["min"]), abs(new["max"]))
    squares = max(old["squares"], new["squares"])
    pairs = [
        (old["sum"], new["sum"], max(old["size"], new["size"])),
        (old["squares"], new["squares"], squares),
        (old["size"], new["size"], max(old["size"], new["size"])),
        (old["min"], new["min"], largest),
        (old["max"], new["max"], largest),
        *((a, b, math.sqrt(squares)) for a, b in zip(old["projections"], new["projections"], strict=True)),
    ]
    return max(0.0 if a == b else abs(a - b) / scale for a, b, scale in pairs)


# --------------------------------------------------------------------------------------------- comparison
def renamed(case_name: str, key: str) -> str | None:
    """What a recorded variable is called now; None where it is gone on purpose."""
    names = RENAMED.get("*", {}) | RENAMED.get(case_name, {})
    label, variable = key.rsplit("/", 1)
    if key in names:
        new = names[key]
        return new if new is None or "/" in new else f"{label}/{new}"
    place = names.get(f"{label}/", f"{label}/")
    if variable in names:
        variable = names[variable]
    return None if place is None or variable is None else f"{place.rstrip('/')}/{variable}"


def compared(name: str, old: dict, new: dict, tolerance: float) -> tuple[bool, str, list[str]]:
    """Whether a case is as it was, a word on it, and lines on what is not."""
    bad, told, worst, same, seen = [], [], 0.0, True, set()
    for key, was in old.items():
        now_key = renamed(name, key)
        if now_key is None:
            continue
        seen.add(now_key)
        now, shown = new.get(now_key), key if now_key == key else f"{key} -> {now_key}"
        if now is None:
            (told if was["kind"] == SOFT else bad).append(f"{shown}: missing")
        elif was["kind"] == SOFT:
            if was["hash"] != now["hash"]:
                told.append(f"{shown}: other words")
        elif any(was[what] != now[what] for what in ("kind", "dtype", "shape")):
            there = " ".join(f"{now[what]}" for what in ("dtype", "shape"))
            bad.append(f"{shown}: {was['dtype']} {was['shape']} became {there}")
        elif was["hash"] != now["hash"]:
            same = False
            if was["kind"] == "text":
                bad.append(f"{shown}: other text")
            elif was["nan"] != now["nan"]:
                bad.append(f"{shown}: NaN, inf, -inf were {was['nan']} and are {now['nan']}")
            else:
                apart = distance(was, now)
                if key.endswith(NOISE):
                    told.append(f"{shown}: differs by {apart:.2g}, which is noise")
                    continue
                worst = max(worst, apart)
                if not apart <= tolerance:
                    bad.append(f"{shown}: differs by {apart:.2g} ({was['dtype']})")
    told += [f"{key}: new" for key in new if key not in seen]
    word = "DIFFERS" if bad else "identical" if same else f"equal to {worst:.1e}"
    return not bad, word, [f"    {line}" for line in bad] + [f"    ({line})" for line in told]


def surroundings() -> dict:
    """What else results may depend on."""
    packages = {name: version(name) for name in ("jax", "jaxlib", "numpy", "scipy", "xarray")}
    return packages | {"xla_flags": os.environ.get("XLA_FLAGS", ""), "cores": len(os.sched_getaffinity(0))}


def main() -> int:
    """Record, compare, or only run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE", type=Path, help="record; with --only, renew these cases of FILE")
    parser.add_argument("--check", metavar="FILE", type=Path, help="run again and compare with FILE")
    parser.add_argument("--only", metavar="NAME", action="append", choices=list(CASES), help="one case")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="largest relative difference (%(default)s)")
    parser.add_argument("--list", action="store_true", help="name the cases")
    args = parser.parse_args()
    if args.list:
        print("\n".join(CASES))
        return 0
    start_cache()
    print(f"electjax is {Path(electjax.__file__).parent}", flush=True)
    golden = json.loads(args.check.read_text()) if args.check else {"cases": {}}
    now_there = surroundings()
    for what, was in golden.get("surroundings", {}).items():
        if was != now_there[what]:
            print(f"note: {what} was {was} and is {now_there[what]}")
    begun, good, found = time.perf_counter(), True, {}
    for name in args.only or CASES:
        start, lines = time.perf_counter(), []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[name] = record(CASES[name]())
            word = f"{len(found[name])} variables"
            if args.check and name in golden["cases"]:
                fine, word, lines = compared(name, golden["cases"][name], found[name], args.tolerance)
                good &= fine
            elif args.check:
                word = "new case"
        except Exception as error:
            good, word = False, f"FAILED: {type(error).__name__}: {error}"
        print("\n".join([f"{name:26s} {time.perf_counter() - start:6.1f} s  {word}", *lines]), flush=True)
    if not args.only:
        for name in golden["cases"].keys() - CASES.keys():
            good = False
            print(f"{name:26s}           MISSING")
    print(f"{'all':26s} {time.perf_counter() - begun:6.1f} s  {'good' if good else 'NOT GOOD'}")
    if args.write and good:
        before = json.loads(args.write.read_text())["cases"] if args.only and args.write.exists() else {}
        text = json.dumps({"surroundings": now_there, "cases": before | found}, indent=1)
        args.write.write_text(text + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
