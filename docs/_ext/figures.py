"""The README's table of figures, made from the committed results of benchmarks.

`python docs/_ext/figures.py` prints it. A test holds the README against it, so no figure there is typed by hand.
"""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
BEGIN, END = "<!-- begin figures: python docs/_ext/figures.py -->", "<!-- end figures -->"

# what is done, and the figures beside what others do: {file:path:format}
ROWS = (
    (
        "1 run of Delhi's 9.3 million electors under DPM",
        "{districts_simulators:rows/DPM/microseconds_per_run:.0f} µs",
        "{districts_simulators:rows/DPM/ratio_to_plain_loop:,.0f} times a plain Numba loop over electors,"
        " {districts_simulators:rows/DPM/ratio:,.0f} times our fastest",
    ),
    (
        "rejection ABC, DPM with totals",
        "{districts_abc_inference:rows/DPM, totals interleaved/electjax, rejection/simulations_per_second:,.0f}"
        " simulations a second",
        "{districts_abc_inference:rows/DPM, totals interleaved/electjax, rejection/ratio_to_pyabc:.1f} times pyABC with"
        " the same simulator",
    ),
    (
        "types of 100,000 ballots, ten starts",
        "{voter_types:end_to_end/seconds/electjax:.2f} s",
        "StepMix {voter_types:end_to_end/seconds/StepMix:.0f} s, on rows collapsed by hand"
        " {voter_types:end_to_end/seconds/StepMix, collapsed by hand:.1f} s",
    ),
    (
        "10 million ballots in Parquet, from files to types",
        "{voter_types_database:seconds:.0f} s, {voter_types_database:peak_gib:.2f} GiB",
        "",
    ),
    (
        "CALM on {calm:recommended/booths:,} booths, with standard errors",
        "{calm:recommended/seconds:.0f} s, once compiled",
        "one gradient of the document's pseudocode in PyTorch:"
        " {calm:pytorch/seconds/PyTorch:.1f} s, ours {calm:pytorch/seconds/electjax:.1f} s",
    ),
    (
        "EI of New Zealand 2002, 69 districts, tables counted",
        "{ecological:nz_2002/methods/context/mean_ei:.2f} %",
        "fastei {ecological:quoted/mean_ei/fastei mvn_pdf (R, C++)/nz_2002:.2f} % (measured elsewhere), Goodman"
        " {ecological:nz_2002/methods/goodman/mean_ei:.1f} %",
    ),
    ("its 95 % intervals hold the counted share", "{ecological:nz_2002/methods/context/coverage_95:.1%}", ""),
)


def value_of(key: str) -> str:
    """One figure: `file:path/in/the/json:format`."""
    file, path, form = key.rsplit(":", 2)
    found: Any = json.loads((RESULTS / f"{file}.json").read_text("utf-8"))
    for name in path.split("/"):
        found = found[name]
    return format(found, form)


def filled(text: str) -> str:
    """A text with its figures."""
    parts = text.replace("}", "{").split("{")
    return "".join(value_of(part) if n % 2 else part for n, part in enumerate(parts))


def table() -> str:
    """The table as Markdown."""
    rows = [tuple(map(filled, row)) for row in ROWS]
    return "\n".join(["| | electjax | beside |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


if __name__ == "__main__":
    print(table())
