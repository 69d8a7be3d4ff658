"""First calls: what a fresh process waits for its first result, with and without compiled programs in files.

    python benchmarks/first_calls.py [--case NAME] [--tree PATH] [--out PATH]

Each case imports the package and calls one verb on small data, in processes of its own: cold with an empty folder of
compiled programs, then warm, with what the cold one left there. --tree measures another checkout instead, without
such a folder, as a library user had it before there was one. Wall and processor seconds are both told: on a busy
machine the second are nearer to what an idle one would need. Programs are listed with the seconds that compiling or
reading them took; those of tracing and lowering in Python are told beside.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
CASES = {
    "calm.fit": 'electjax.calm.fit(electjax.calm.simulate("tiny"), model="recommended")',
    "voter_types.fit": "electjax.voter_types.fit(electjax.voter_types.yuma_like(voters=300), types=2, restarts=5)",
    "ecological.estimate": "electjax.ecological.estimate(electjax.ecological.simulate(contests=2, units=20))",
    "districts.simulate": 'electjax.districts.simulate(electjax.districts.load("delhi2020"), model="dpm", runs=20)',
    "districts.calibrate": 'electjax.districts.calibrate(electjax.districts.load("us2016"), model="dpm", budget=500)',
}
MEASURE = """
import time
BEGUN, CPU = time.perf_counter(), time.process_time()
import json, logging, re, warnings
warnings.simplefilter("ignore")
TOLD = []
class Keep(logging.Handler):
    def emit(self, record):
        TOLD.append(record.getMessage())
import electjax
IMPORTED = time.perf_counter() - BEGUN
for name in ("jax._src.dispatch", "jax._src.interpreters.pxla"):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(Keep())
{call}
TOOK, CPU = time.perf_counter() - BEGUN, time.process_time() - CPU
def of(kind):
    found = [re.search(kind + r" (.+?)(?: for pjit)? in ([\\d.e-]+) sec", line) for line in TOLD]
    return [(match[1], float(match[2])) for match in found if match]
PYTHON = r"Finished tracing \\+ transforming", "Finished jaxpr to MLIR module conversion"
compiled = of("Finished XLA compilation of")
print(json.dumps({{
    "seconds": round(TOOK, 2),
    "processor_seconds": round(CPU, 2),
    "import_seconds": round(IMPORTED, 3),
    "tracing_seconds": round(sum(s for kind in PYTHON for _, s in of(kind)), 2),
    "xla_seconds": round(sum(s for _, s in compiled), 2),
    "programs": len(compiled),
    "largest": [[name, round(s, 3)] for name, s in sorted(compiled, key=lambda pair: -pair[1])[:12]],
    "names": sorted(name for name, _ in compiled),
}}))
"""


def measured(call: str, tree: Path, folder: str) -> dict:
    """One fresh process of a checkout, with this folder of compiled programs, or "off"."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    known |= {"PYTHONPATH": str(tree), "ELECTJAX_CACHE": folder}
    command = [sys.executable, "-c", MEASURE.format(call=call)]
    done = subprocess.run(command, env=known, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def case(call: str, tree: Path, *, kept: bool) -> dict:
    """A case cold and, with programs in files, warm."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"cold": measured(call, tree, folder if kept else "off")}
        if kept:
            found["warm"] = measured(call, tree, folder)
            found["files"] = len(list(Path(folder).iterdir()))
            found["kilobytes"] = sum(file.stat().st_size for file in Path(folder).iterdir()) // 1024
    if "warm" in found:
        del found["warm"]["names"]  # the same
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="only this one")
    parser.add_argument("--tree", type=Path, help="another checkout, measured without files of programs")
    parser.add_argument("--out", type=Path, help="a file of figures; those measured now replace their namesakes")
    asked = parser.parse_args()
    kept = asked.tree is None
    figures = json.loads(asked.out.read_text("utf-8")) if asked.out and asked.out.exists() else {}
    for name in asked.case or CASES:
        found = case(CASES[name], (asked.tree or HERE).resolve(), kept=kept)
        for state in ("cold", "warm") if kept else ("cold",):
            one = found[state]
            print(
                f"{name:20} {state}: {one['seconds']:6.2f} s ({one['processor_seconds']:.1f} s of processors), import "
                f"{one['import_seconds']:.2f} s, tracing {one['tracing_seconds']:.2f} s, "
                f"XLA {one['xla_seconds']:.2f} s in {one['programs']} programs"
            )
        figures.setdefault(name, {})["now" if kept else "before"] = found | {"load": round(os.getloadavg()[0], 1)}
        if asked.out:
            asked.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
