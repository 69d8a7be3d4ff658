"""Damaged files of every kind, by the thousand: each is read, or refused in one line, in time and in little memory.

    python benchmarks/data/fuzz.py                      # 10,000 damaged files of every format
    python benchmarks/data/fuzz.py --inputs 500 --formats booths,netcdf

A file that is right is damaged by a few changes of its bytes or its text, from a seed. What must not happen: an error
that is not ours, a message of several lines, more than 20 s, more than 2 GiB, or a crash. Results go to
benchmarks/results/data_fuzz.json. The tests do the same with few files.
"""

import argparse
import json
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import electjax
from electjax import ElectionDataError
from electjax.data.sources import read_table

SECONDS, GIB = 20.0, 2.0
RESULTS = Path(__file__).parents[1] / "results" / "data_fuzz.json"
_CELLS = [
    b"",
    b"NA",
    b"-1",
    b"1e400",
    b"nan",
    b"inf",
    b"0",
    b"1.346",
    b"1,346",
    b"X",
    b"*",
    b"12%",
    b'"',
    b"\0",
    b"\xff",
]
_CELLS += [
    b"Total",
    b"99999999999999999999",
    b"\xe9",
    b"\n",
    b"\r",
    b"{",
    b"]",
    b"null",
    b"<a>",
    b"&x;",
    b"-",
    b"=1",
    b"\t",
]


class Format(NamedTuple):
    """Files of a format that are right, and what reads them."""

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]


def damaged(raw: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file with one to three changes."""
    content = bytearray(raw)
    for _ in range(rng.integers(1, 4)):
        size = len(content)
        at = int(rng.integers(0, max(size, 1)))
        span = int(rng.integers(1, 40))
        way = rng.integers(0, 8)
        if way == 0:
            content[at : at + 1] = bytes([rng.integers(0, 256)])
        elif way == 1:
            del content[at : at + span]
        elif way == 2:
            content[at:at] = content[at : at + span]
        elif way == 3:
            del content[at:]
        elif way == 4:
            content[at:at] = _CELLS[rng.integers(0, len(_CELLS))]
        elif way == 5:
            marks = [k for k, byte in enumerate(content) if byte in b',;\n\t"']
            if len(marks) > 1:
                k = int(rng.integers(0, len(marks) - 1))
                content[marks[k] + 1 : marks[k + 1]] = _CELLS[rng.integers(0, len(_CELLS))]
        elif way == 6:
            lines = bytes(content).split(b"\n")
            rng.shuffle(lines)
            content = bytearray(b"\n".join(lines))
        elif size > 8:
            content[at : at + 8] = int(rng.integers(-(2**62), 2**62)).to_bytes(8, "little", signed=True)
    return bytes(content)


def damage(source: Path, target: Path, rng: np.random.Generator) -> Path:
    """A copy of a file, or of a folder, in which one file is damaged."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    copy = target / source.name
    if source.is_dir():
        shutil.copytree(source, copy)
        files = sorted(file for file in copy.rglob("*") if file.is_file())
        chosen = files[rng.integers(0, len(files))]
    else:
        chosen = copy
    origin = source / chosen.relative_to(copy) if source.is_dir() else source
    chosen.write_bytes(damaged(origin.read_bytes(), rng))
    return copy


def read_once(form: Format, path: Path) -> str:
    """What becomes of a file: "read" or "refused"; an AssertionError where something else happens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            form.read(path)
        except ElectionDataError as error:
            refused = str(error)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}") from error
        else:
            return "read"
    assert "\n" not in refused, f"several lines: {refused}"
    return "refused"


# ------------------------------------------------------------------------------------ what is right


def _template(kind: str, name: str) -> Callable[[Path], Path]:
    return lambda folder: electjax.template(kind, folder / kind) / name


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content, "utf-8")
        return folder / name

    return make


def _workbook(folder: Path) -> Path:
    table = pd.read_csv(_template("returns", "returns.csv")(folder))
    table.to_excel(folder / "returns.xlsx", index=False)
    return folder / "returns.xlsx"


def _parquet(folder: Path) -> Path:
    table = pd.read_csv(_template("returns", "returns.csv")(folder))
    table.to_parquet(folder / "returns.parquet", index=False)
    return folder / "returns.parquet"


def _saved(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        booths = electjax.calm.madipur()
        return electjax.save(booths, folder / f"booths{suffix}")

    return make


def _units(path: Path) -> Any:
    return electjax.ecological.read(path, rows=["old", "young"], columns=["blue", "red"])


def _described(path: Path) -> None:
    said = electjax.describe(path)
    if said.error:
        raise ElectionDataError(said.error)


_MIT = """year,state,state_po,office,district,stage,special,candidate,party_detailed,party_simplified,writein,mode,votes
2022,DELAWARE,DE,STATE HOUSE,001,GEN,FALSE,CAND A,DEMOCRAT,DEMOCRAT,FALSE,IN-PERSON,55
2022,DELAWARE,DE,STATE HOUSE,001,GEN,FALSE,CAND A,DEMOCRAT,DEMOCRAT,FALSE,ABSENTEE,15
2022,DELAWARE,DE,STATE HOUSE,001,GEN,FALSE,CAND B,REPUBLICAN,REPUBLICAN,FALSE,IN-PERSON,45
2022,DELAWARE,DE,STATE HOUSE,001,GEN,FALSE,WRITEIN,,,TRUE,IN-PERSON,5
2022,DELAWARE,DE,STATE HOUSE,002,GEN,FALSE,CAND C,DEMOCRAT,DEMOCRAT,FALSE,IN-PERSON,35
2022,DELAWARE,DE,STATE HOUSE,002,GEN,FALSE,CAND D,REPUBLICAN,REPUBLICAN,FALSE,IN-PERSON,65
"""
_GERMAN = """Amtliches Ergebnis;;;
Wahlkreis;Partei;Stimmen;Wahlberechtigte
Nord;Blau;1.346;5.020
Nord;Rot;998;5.020
S\u00fcd;Blau;2.051;6.100
S\u00fcd;Rot;2.200;6.100
"""
_WIDE = "district,electors,votes_A,votes_B,votes_C\nD1,900,100,200,\nD2,800,250,150,30\nD3,700,90,80,70\n"
_LONG_BALLOTS = """voter,office,choice,party
1,President,Ada,Blue
1,Governor,Cy,Blue
2,President,Bo,Red
2,Governor,undervote,
3,President,Ada,Blue
3,Governor,Di,Red
"""
_DOMINION = """Test,5.2,,,,,,
,,,,,Mayor (Vote For=1),Mayor (Vote For=1),
,,,,,A,B,
CvrNumber,TabulatorNum,BatchId,RecordId,BallotType,DEM,REP,
1,5,1,1,1,1,0,
2,5,1,2,1,0,1,
3,5,1,3,1,0,0,
"""
_LONG_UNITS = """contest,unit,side,option,votes
A,1,group,old,30
A,1,group,young,20
A,1,party,blue,25
A,1,party,red,25
A,2,group,old,10
A,2,group,young,40
A,2,party,blue,20
A,2,party,red,30
"""

FORMATS: dict[str, Format] = {
    "returns": Format(_template("returns", "returns.csv"), electjax.districts.read),
    "returns_wide": Format(_text("wide.csv", _WIDE), electjax.districts.read),
    "returns_mit": Format(_text("mit.csv", _MIT), electjax.districts.read),
    "returns_german": Format(_text("german.csv", _GERMAN), electjax.districts.read),
    "workbook": Format(_workbook, read_table),
    "parquet": Format(_parquet, read_table),
    "ballots": Format(_template("ballots", "ballots.csv"), electjax.voter_types.read),
    "ballots_long": Format(_text("long.csv", _LONG_BALLOTS), electjax.voter_types.read),
    "ballots_dominion": Format(_text("cvr.csv", _DOMINION), electjax.voter_types.read),
    "booths": Format(_template("booths", ""), electjax.calm.read),
    "units": Format(_template("units", "units.csv"), _units),
    "units_long": Format(_text("long.csv", _LONG_UNITS), electjax.ecological.read),
    "netcdf": Format(_saved(".nc"), electjax.load),
    "zarr": Format(_saved(".zarr"), electjax.load),
    "describe": Format(_template("returns", "returns.csv"), _described),
}


# ------------------------------------------------------------------------------------ by the thousand


def worker(name: str, first: int, inputs: int) -> None:
    """Read damaged files one after another, a line of JSON for each."""
    form = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        source = form.make(Path(folder))
        assert read_once(form, source) == "read"
        for number in range(first, inputs):
            path = damage(source, Path(folder) / "damaged", np.random.default_rng([number, len(name)]))
            started = time.perf_counter()
            try:
                said = read_once(form, path)
            except AssertionError as error:
                said = f"wrong: {error}"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(json.dumps([number, said, time.perf_counter() - started, peak]), flush=True)


def soak(name: str, inputs: int) -> dict[str, Any]:
    """Counts of what became of damaged files of a format, the slowest, the peak of memory, and what went wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = peak = 0.0
    first = 0
    while first < inputs:
        command = [sys.executable, __file__, "--worker", name, "--first", str(first), "--inputs", str(inputs)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for number, said, took, most in _answers(process):
            first = number + 1
            slowest, peak = max(slowest, took), max(peak, most)
            counts["wrong" if said.startswith("wrong") else said] += 1
            if said.startswith("wrong") or took > SECONDS or most > GIB:
                wrong.append(f"{number}: {said} ({took:.1f} s, {most:.2f} GiB)")
        if first < inputs:
            counts["wrong"] += 1
            wrong.append(f"{first}: crashed or took more than {2 * SECONDS:.0f} s")
            first += 1
    return {**counts, "slowest_s": round(slowest, 2), "peak_gib": round(peak, 2), "what_went_wrong": wrong[:50]}


def _answers(process: "subprocess.Popen[str]") -> Iterator[tuple[int, str, float, float]]:
    assert process.stdout is not None
    waits = 6 * SECONDS  # the first answer waits for the imports
    while select.select([process.stdout], [], [], waits)[0]:
        line = process.stdout.readline()
        if not line:
            break
        waits = 2 * SECONDS
        number, said, took, most = json.loads(line)
        yield number, said, took, most
    process.kill()
    process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged files of each format")
    parser.add_argument("--formats", default=",".join(FORMATS), help="some of the formats")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        worker(asked.worker, asked.first, asked.inputs)
        return
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for name in asked.formats.split(","):
        started = time.perf_counter()
        found = {"inputs": asked.inputs, **soak(name, asked.inputs)}
        known[name] = found | {"seconds": round(time.perf_counter() - started)}
        print(name, json.dumps(known[name]), flush=True)
        RESULTS.write_text(json.dumps(known, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
