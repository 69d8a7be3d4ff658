"""What makes cross-tables from margins good, and what does not? Writes result.json and the tables of README.md.

    python experiments/ecological/run.py [--data FOLDER] [--studies ablation,context,groups,names,penalty] [--small]

Sets whose tables were counted (two New Zealand elections, registration in North Carolina; not part of the repository,
`--data` says where they are) and generated contests, whose truth is known and which the model fits by construction.

ablation: one thing taken away or changed at a time. context: error and intervals against the exponent, and what
`calibrate_context` says. groups: contests fitted in groups of 1 to 24. names: parties of candidates unknown, and wrong.
penalty: what held-out units and the evidence choose. tables: how tables are made of one fit. pooled: sums over all
contests. affinity, planted: generated contests with traits, and with other exponents. A study's figures are kept in the
file until it is run again; `--set` runs it for one set only.
"""

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
from sets import CHECKED, cases
from studies import OF_GENERATED, OF_SETS, STUDIES, suits

import electjax
from electjax.data.files import atomic_path
from electjax.data.programs import start_cache

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ELECTJAX_SHARED", HERE.parents[2] / "shared")) / "data" / "ecological"
TITLES = {"nz_2002": "NZ 2002", "nz_2014": "NZ 2014", "senc": "senc", "generated": "generated"}
MARK = "<!-- {} {} -->"


def measure(folder: Path, studies: Iterable[str], sets: Iterable[str], *, small: bool, before: Any) -> dict[str, Any]:
    """Run studies; those of `before` that are not run stay."""
    result: dict[str, Any] = before | {
        "electjax": electjax.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "small": small,
    }
    quick = {"draws": 20} if small else {}
    options = {"groups": {"sizes": (1, 2, 0)} if small else {}}
    for name, case in cases(folder, small):
        if sets and name not in sets:
            continue
        if case is None:
            print(f"{name} is left out: its files are not in {folder}")
            continue
        result.setdefault("sets", {})[name] = {dim: case.data.sizes[dim] for dim in ("contest", "unit")}
        for study in studies:
            if study in OF_SETS and suits(study, case):
                own = {} if study in ("penalty", "tables") else quick
                begin = time.perf_counter()
                result.setdefault(study, {})[name] = OF_SETS[study](case, **own, **options.get(study, {}))
                print(f"{study}, {name}: {time.perf_counter() - begin:.0f} s", flush=True)
    for study in studies:
        if study in OF_GENERATED:
            result[study] = OF_GENERATED[study](small=small)
    return result


# ---------------------------------------------------------------- tables of README.md


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """In Markdown."""
    lines = [list(headings), *map(list, rows)]
    lines.insert(1, ["---", *["--:"] * (len(lines[0]) - 1)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _checks(row: dict[str, Any] | None) -> list[str]:
    """EI, coverage of both intervals, width of the wider one."""
    if row is None:
        return ["", "", ""]
    values = [row.get(name) for name in CHECKED]
    ei, wide, narrow, width, _ = (float("nan") if v is None else v for v in values)
    return [f"{ei:.2f}", f"{100 * wide:.1f} / {100 * narrow:.1f}", f"{width:.3f}"]


def by_set(found: dict[str, dict[str, Any]]) -> str:
    """Rows that all sets have, with EI, coverage and width of each set."""
    names = list(dict.fromkeys(name for own in found.values() for name in own))
    heads = [f"{TITLES[own]} {what}" for own in found for what in ("EI", "95 / 80 %", "width")]
    return table(
        ["", *heads], ([name, *(c for own in found.values() for c in _checks(own.get(name)))] for name in names)
    )


def of_context(found: dict[str, Any]) -> str:
    """The exponent of the least error, and error and intervals at three exponents."""
    best = [(own["calibrated"], TITLES[name]) for name, own in found.items()]
    rows = [
        [t, f"{b['context']:.3f}", f"{b['context_se']:.3f}", f"{b['context_spread']:.2f}", f"{b['mean_ei']:.2f}"]
        for b, t in best
    ]
    first = table(["", "best exponent", "se", "spread of contests", "EI there"], rows)
    return first + "\n\n" + by_set({name: own["intervals"] for name, own in found.items()})


def of_groups(found: dict[str, Any]) -> str:
    """Options and sizes of groups."""
    flat = {
        name: {f"{option}, {size}": row for option, sizes in own.items() for size, row in sizes.items()}
        for name, own in found.items()
    }
    return by_set(flat)


def of_names(found: dict[str, Any]) -> str:
    """Error, and how often the key is the one that is named."""
    rows = [
        [
            f"{TITLES[name]}, {label}",
            *_checks(row),
            *(f"{100 * row[key]:.0f} %" if key in row else "" for key in ("as_named", "without_party")),
        ]
        for name, own in found.items()
        for label, row in own.items()
    ]
    return table(["", "EI", "95 / 80 %", "width", "keys as named", "no party"], rows)


def of_penalty(found: dict[str, Any]) -> str:
    """What two criteria prefer; the table has their log densities relative to the best."""
    parts = []
    for what, heading in (("tau", "times the default tau"), ("context", "exponent")):
        values = list(dict.fromkeys(v for own in found.values() for v in own[what]["rows"]))
        heads = [f"{TITLES[own]} {kind}" for own in found for kind in ("EI", "held out", "evidence")]
        rows = [
            [value, *(c for own in found.values() for c in _criteria(own[what]["rows"][value]))] for value in values
        ]
        picks = [
            f"- {TITLES[name]}: least error at {own[what]['best_ei']}; "
            + "; ".join(
                f"{label} {own[what][key]} (EI {own[what]['rows'][own[what][key]]['ei']:.2f})"
                for label, key in (("held-out units choose", "held_out"), ("the evidence", "evidence"))
            )
            for name, own in found.items()
        ]
        parts += [table([heading, *heads], rows), "\n".join(picks)]
    return "\n\n".join(parts)


def _criteria(row: dict[str, float]) -> list[str]:
    return [f"{row['ei']:.2f}", f"{row['held_out']:,.0f}", f"{row['evidence']:,.0f}"]


def of_tables(found: dict[str, dict[str, float]]) -> str:
    """EI by how tables are made."""
    names = list(dict.fromkeys(name for own in found.values() for name in own))
    rows = ([name, *(f"{own[name]:.2f}" for own in found.values())] for name in names)
    return table(["EI", *(TITLES[name] for name in found)], rows)


def of_pooled(found: dict[str, Any]) -> str:
    """One row for each set."""
    rows = ([TITLES[name], *_checks(row)] for name, row in found.items())
    return table(["", "EI of the sum", "95 / 80 %", "width"], rows)


def of_affinity(found: dict[str, Any]) -> str:
    """Effects planted and found."""
    rows = [
        [planted, f"{row['effect']:.3f} ± {row['effect_se']:.3f}", f"{row['ei_with']:.2f}", f"{row['ei_without']:.2f}"]
        for planted, row in found.items()
    ]
    return table(["planted effect", "found", "EI with traits", "EI without"], rows)


def of_planted(found: dict[str, Any]) -> str:
    """Exponents planted, calibrated with the truth, and chosen without it."""
    rows = [
        [
            beta,
            f"{row['context']:.3f} ± {row['context_se']:.3f}",
            f"{row['mean_ei']:.2f}",
            f"{row['ei_at_default']:.2f}",
            *(f"{row[key]:g}" if key in row else "" for key in ("held_out", "evidence")),
        ]
        for beta, row in found.items()
    ]
    heads = ["planted", "calibrated with truth", "EI there", "EI at .6", "held-out units choose", "the evidence"]
    return table(heads, rows)


TABLES = {
    "ablation": by_set,
    "context": of_context,
    "groups": of_groups,
    "names": of_names,
    "penalty": of_penalty,
    "tables": of_tables,
    "pooled": of_pooled,
    "affinity": of_affinity,
    "planted": of_planted,
}


def filled(text: str, result: dict[str, Any]) -> str:
    """The text of README.md with the tables of the studies that were run between their marks."""
    for study, render in TABLES.items():
        if study in result:
            first, last = MARK.format("begin", study), MARK.format("end", study)
            if first not in text or last not in text:
                raise ValueError(f"README.md: no {first} or no {last}")
            start, end = text.partition(first)[0], text.partition(last)[2]
            text = f"{start}{first}\n{render(result[study])}\n{last}{end}"
    return text


def main() -> None:
    """Run the studies asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the counted tables")
    parser.add_argument("--studies", default=",".join(STUDIES), help="separated by commas")
    parser.add_argument("--set", dest="sets", nargs="+", default=[], choices=list(TITLES), help="only these sets")
    parser.add_argument("--small", action="store_true", help="a check that it runs; writes nothing unless --out")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--readme", action="store_true", help="only write the tables of result.json into README.md")
    args = parser.parse_args()
    studies = args.studies.split(",")
    for study in studies:
        if study not in STUDIES:
            parser.error(f"no study {study!r}; there are {', '.join(STUDIES)}")
    out = args.out.resolve() if args.out else None if args.small else HERE / "result.json"
    result = json.loads(out.read_text("utf-8")) if out and out.exists() else {}
    if not args.readme:
        start_cache()
        warnings.simplefilter("ignore")
        result = measure(args.data, studies, args.sets, small=args.small, before=result)
        for study in studies:
            if study in result:
                print(f"\n{study}\n\n{TABLES[study](result[study])}")
        if out:
            with atomic_path(out) as partial:
                partial.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if out == HERE / "result.json" and not args.small:
        with atomic_path(HERE / "README.md") as partial:
            partial.write_text(filled((HERE / "README.md").read_text("utf-8"), result), "utf-8")


if __name__ == "__main__":
    main()
