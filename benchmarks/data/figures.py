"""What docs/reading-files.md says of speed and of damaged files, made from the committed results.

    python benchmarks/data/figures.py

puts them there; a test holds the page against them.
"""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
PAGE = Path(__file__).parents[2] / "docs" / "reading-files.md"
BEGIN, END = "<!-- begin figures: python benchmarks/data/figures.py -->", "<!-- end figures -->"
FILES = {
    "returns": "returns, {:,} rows",
    "wide": "returns of 50 districts, {:,} columns of parties",
    "ballots": "ballots, {:,} voters and 20 offices",
    "units": "units, {:,} precincts",
}


def figures() -> str:
    """A table of large files, and a sentence on damaged ones."""
    readers, damaged = (json.loads((RESULTS / f"data_{name}.json").read_text("utf-8")) for name in ("readers", "fuzz"))
    return f"{_table(readers)}\n\n{_sentence(damaged)}"


def _table(found: dict[str, Any]) -> str:
    lines = ["| CSV of n rows or columns | at n/4, n/2, n | memory at n | pandas alone at n |", "|---|---|---|---|"]
    for name, title in FILES.items():
        sizes = sorted(found[name], key=int)
        seconds = ", ".join(f"{found[name][size]['electjax']['seconds']:.1f}" for size in sizes)
        last = found[name][sizes[-1]]
        told = title.format(int(sizes[-1]))
        pandas = last["pandas"]
        lines.append(f"| {told} | {seconds} s | {last['electjax']['peak_gib']:.2f} GiB | {pandas['seconds']:.2f} s |")
    return "\n".join(lines)


def _sentence(found: dict[str, dict[str, Any]]) -> str:
    """How many files were damaged, and what became of them."""
    refused, read, wrong = (sum(each.get(said, 0) for each in found.values()) for said in ("refused", "read", "wrong"))
    least = min(each["inputs"] for each in found.values())
    most = max(each["inputs"] for each in found.values())
    slowest = max(each["slowest_s"] for each in found.values())
    peak = max(each["peak_gib"] for each in found.values())
    number = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return (
        f"Damaged files of {len(found)} formats and containers, {number} of each: {refused:,} refused in one line,\n"
        f"{read:,} read, {wrong:,} ended otherwise. None took more than {slowest:.1f} s or {peak:.2f} GiB."
    )


def with_figures(page: str) -> str:
    """The page with these figures between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{figures()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_figures(PAGE.read_text("utf-8")), "utf-8")
