"""Damaged files of every kind, by the thousand: each is read, or refused in one line, in time and in little memory.

    python benchmarks/data/fuzz.py                      # 10,000 damaged files of every format
    python benchmarks/data/fuzz.py --inputs 500 --formats booths,netcdf

A file that is right (`damaged_formats`) is damaged from a seed (`damage`): its bytes, or what is packed in them. What
must not happen: an error that is not ours, a message of several lines, more than 20 s of the processor, more than
2 GiB, a crash, or of a file that carries a digest other data than were saved. Results go to
benchmarks/results/data_fuzz.json. The tests do the same with few files.
"""

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))  # where benchmarks and tests are

import electjax
from benchmarks.data.damage import damage
from benchmarks.data.damaged_formats import FORMATS, Format
from electjax import ElectionDataError

SECONDS, GIB = 20.0, 2.0  # of the processor, of memory
HANGS = 900.0  # seconds without an answer, on a busy machine
FORKED = multiprocessing.get_context("fork")  # a worker imports nothing again
RESULTS = Path(__file__).parents[1] / "results" / "data_fuzz.json"


def read_once(form: Format, path: Path, right: Any = None) -> str:
    """What becomes of a file: "read" or "refused"; an AssertionError where something else happens.

    right: what the file was before it was damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = form.read(path)
        except ElectionDataError as error:
            refused = str(error)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}") from error
        else:
            assert not form.sealed or right in (None, found), "read, and not what was saved"
            return "read"
    assert "\n" not in refused, f"several lines: {refused}"
    return "refused"


# ------------------------------------------------------------------------------------ by the thousand


def worker(name: str, first: int, inputs: int, answers: Any) -> None:
    """Read damaged files one after another, an answer for each."""
    form = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        source = form.make(Path(folder))
        right = form.read(source)
        for number in range(first, inputs):
            path = damage(source, Path(folder) / "damaged", np.random.default_rng([number, len(name)]), not form.sealed)
            started = _spent()
            signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)  # which ends the process
            try:
                said = read_once(form, path, right)
            except AssertionError as error:
                said = f"wrong: {error}"
            peak = max(map(_peak, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
            answers.send((number, said, _spent() - started, peak))


def _spent() -> float:
    """Seconds of the processor, which other work on the machine does not change, of this process and its children."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _peak(of: int) -> float:
    return resource.getrusage(of).ru_maxrss / 2**20


def soak(name: str, inputs: int, before: dict[str, Any], until: float) -> dict[str, Any]:
    """Counts of what became of damaged files of a format, the slowest, the peak of memory, and what went wrong.

    before: what is known of the first ones. until: when to stop, in seconds of `time.monotonic`.
    """
    started = time.monotonic()
    first = int(before.get("inputs", 0))
    counts = Counter({said: before.get(said, 0) for said in ("refused", "read", "wrong")})
    wrong = list(before.get("what_went_wrong", ()))
    slowest, peak = float(before.get("slowest_s", 0)), float(before.get("peak_gib", 0))
    while first < inputs and time.monotonic() < until:
        answers, end = FORKED.Pipe(duplex=False)
        process = FORKED.Process(target=worker, args=(name, first, inputs, end))
        process.start()
        end.close()
        for number, said, took, most in _answers(answers):
            first = number + 1
            slowest, peak = max(slowest, took), max(peak, most)
            counts["wrong" if said.startswith("wrong") else said] += 1
            if said.startswith("wrong") or took > SECONDS or most > GIB:
                wrong.append(f"{number}: {said} ({took:.1f} s, {most:.2f} GiB)")
            if time.monotonic() > until:
                break
        process.kill()
        process.join()
        if process.exitcode == 1:
            sys.exit(f"{name}: the benchmark itself fails")
        if first < inputs and time.monotonic() < until:
            counts["wrong"] += 1
            wrong.append(f"{first}: crashed, took more than {2 * SECONDS:.0f} s, or hung")
            first += 1
    seconds = before.get("seconds", 0) + round(time.monotonic() - started)
    told = {"slowest_s": round(slowest, 2), "peak_gib": round(peak, 2), "seconds": seconds}
    return {"inputs": first, **counts, **told, "what_went_wrong": wrong[:50]}


def _answers(answers: Any) -> Iterator[tuple[int, str, float, float]]:
    with suppress(EOFError):
        while answers.poll(HANGS):
            yield answers.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged files of each format")
    parser.add_argument("--formats", default=",".join(FORMATS), help="some of the formats")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="when to stop, whatever was reached")
    parser.add_argument("--go-on", action="store_true", help="from the inputs that the figures have")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go, beside those of other formats")
    asked = parser.parse_args()
    for wing in ("districts", "voter_types", "calm", "ecological"):
        getattr(electjax, wing).read  # noqa: B018 (the import, once for all workers)
    until = time.monotonic() + asked.minutes * 60
    for name in asked.formats.split(","):
        known = json.loads(asked.out.read_text("utf-8")) if asked.out.exists() else {}
        found = soak(name, asked.inputs, known.get(name, {}) if asked.go_on else {}, until)
        print(name, json.dumps(found), flush=True)
        known = json.loads(asked.out.read_text("utf-8")) if asked.out.exists() else {}
        known[name] = found
        ordered = {other: known[other] for other in FORMATS if other in known}
        asked.out.write_text(json.dumps(ordered, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
