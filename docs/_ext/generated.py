"""Pages of the reference that the package writes itself: verbs, keys, schemas, errors, benchmarks.

Nothing on them is typed by hand, so nothing on them can be out of date.
"""

import importlib
import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

WINGS = ("districts", "voter_types", "calm", "ecological")
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def setup(app: Any) -> dict[str, Any]:
    """Sphinx calls this."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "reference"))
    app.connect("autodoc-process-docstring", _as_written, priority=100)  # before napoleon marks up the sections
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _as_written(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with backticks: a star, a bar or an underscore at a word's end is what it is."""
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else _escaped(line) for line in lines]


def _escaped(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts)


def write_pages(folder: Path) -> None:
    """Write every generated page; one that is as it was keeps its time, so that it is not built again."""
    pages = {f"generated-{wing.replace('_', '-')}": api_page(wing) for wing in WINGS}
    pages |= {
        "generated-electjax": root_page(),
        "generated-keys": keys_page(),
        "generated-datasets": datasets_page(),
        "generated-errors": errors_page(),
        "generated-benchmarks": benchmarks_page(),
        "generated-changelog": (ROOT / "CHANGELOG.md").read_text("utf-8"),
    }
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


# ------------------------------------------------------------------------------------ verbs


def verbs_of(wing: str) -> list[str]:
    """The public verbs of a wing."""
    return sorted(importlib.import_module(f"electjax.{wing}").__all__)


def api_page(wing: str) -> str:
    """A table of a wing's verbs, then each of them."""
    module = importlib.import_module(f"electjax.{wing}")
    return _verbs(f"electjax.{wing}", module.__doc__ or "", {name: getattr(module, name) for name in verbs_of(wing)})


def root_page() -> str:
    """What the wings share."""
    package = importlib.import_module("electjax")
    shared = [name for name in package.__all__ if name not in (*WINGS, "bridges")]
    members = {name: getattr(package, name) for name in shared if not issubclass_of_exception(getattr(package, name))}
    bridges = importlib.import_module("electjax.bridges")
    found = {name: value for name, value in vars(bridges).items() if _is_verb(value, "electjax.bridges")}
    return _verbs("electjax", package.__doc__ or "", members) + _verbs(
        "electjax.bridges", bridges.__doc__ or "", found
    ).replace("# `electjax.bridges`", "## `electjax.bridges`", 1)


def issubclass_of_exception(value: Any) -> bool:
    """Whether this is an error class, which has a page of its own."""
    return inspect.isclass(value) and issubclass(value, Exception)


def _is_verb(value: Any, module: str) -> bool:
    return inspect.isfunction(value) and value.__module__ == module and not value.__name__.startswith("_")


def _verbs(module: str, about: str, members: Mapping[str, Any]) -> str:
    lines = [f"# `{module}`", "", about.strip(), ""]
    rows = [(f"{{py:obj}}`{name} <{module}.{name}>`", _first(value.__doc__)) for name, value in members.items()]
    lines += [*_table(("", "what it does"), rows), ""]
    for name, value in members.items():
        kind = "autoclass" if inspect.isclass(value) else "autofunction"
        lines += [f"## {name}", "", "```{eval-rst}", f".. {kind}:: {module}.{name}", "```", ""]
    return "\n".join(lines)


def _first(doc: str | None) -> str:
    return " ".join((doc or "").strip().split("\n\n")[0].split())


# ------------------------------------------------------------------------------------ keys of the command line


def keys_page() -> str:
    """Every key of the configuration, by task."""
    from electjax.run.schemas import Main, schemas
    from electjax.run.tasks import tasks

    lines = ["# Keys of the configuration", ""]
    lines += ["`python -m electjax.run task=TASK --help` prints the keys of a task. A key is given as `KEY=VALUE`.", ""]
    lines += ["## Every task", "", *_keys(fields(Main), ""), ""]
    for task in tasks().values():
        lines += [f"## `task={task.name}`", "", f"{task.about[0].upper()}{task.about[1:]}.", ""]
        if task.section != "data":
            prefix = f"{task.section}." if task.section else ""
            own = [item for item in fields(task.options) if item.name not in task.hidden]
            lines += _keys(own, prefix)
        lines += [""]
    known = schemas()
    for group, members in known.groups.items():
        for name, schema in members.items():
            options = known.options_of[schema]
            title = f"`{group}` of the schema `{name}`" if len(members) > 1 else f"`{group}`"
            shown = {item.name for item in fields(schema)}
            lines += [f"## {title}", "", *_keys([f for f in fields(options) if f.name in shown], f"{group}."), ""]
    return "\n".join(lines)


def _keys(items: Iterable[Any], prefix: str) -> list[str]:
    from electjax.data.options import default_of, expected_of

    rows = []
    for item in items:
        default = default_of(item)
        shown = "required" if default is MISSING else f"`{json.dumps(default, ensure_ascii=False, default=_text)}`"
        rows.append((f"`{prefix}{item.name}`", item.metadata.get("meaning", ""), shown, expected_of(item)))
    return _table(("key", "meaning", "default", "values"), rows)


def _text(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


# ------------------------------------------------------------------------------------ Datasets, errors, benchmarks


def datasets_page() -> str:
    """Every kind of Dataset with its variables."""
    lines = [
        "# Datasets",
        "",
        "What data and results hold, as `electjax.save` writes and `electjax.load` checks it.",
        "",
    ]
    for wing in WINGS:
        store = importlib.import_module(f"electjax.{wing}.store")
        lines += [f"## {wing}", ""]
        for schema in store.schemas():
            lines += [f"### {schema.name}", "", f"Made by {schema.build}. `conventions`: `{schema.conventions}`.", ""]
            rows = [
                (
                    f"`{name}`",
                    " or ".join(f"({', '.join(dims)})" for dims in variable.shapes),
                    variable.kind,
                    variable.meaning,
                    "" if variable.units == "1" else variable.units,
                    "yes" if variable.required else "",
                )
                for name, variable in schema.variables.items()
            ]
            lines += [*_table(("variable", "dims", "kind", "meaning", "units", "required"), rows), ""]
            if schema.attrs:
                lines += [*_table(("attribute", "meaning"), [(f"`{k}`", v) for k, v in schema.attrs.items()]), ""]
    return "\n".join(lines)


def errors_page() -> str:
    """The errors that the package raises."""
    package = importlib.import_module("electjax")
    lines = ["# Errors and warnings", ""]
    for name in package.__all__:
        value = getattr(package, name)
        if issubclass_of_exception(value):
            lines += [f"## {name}", "", "```{eval-rst}", f".. autoexception:: electjax.{name}", "```", ""]
    return "\n".join(lines)


def benchmarks_page() -> str:
    """Every committed result of a benchmark, with what it ran on."""
    lines = ["# Benchmarks", ""]
    lines += [
        "Figures from `benchmarks/results/*.json`, as the scripts wrote them. The machines are noisy: trust ratios.",
        "",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text("utf-8"))
        lines += [f"## {path.stem}", ""]
        ran = {name: found[name] for name in ("date", "cpu", "cores", "device") if name in found}
        if ran:
            lines += [", ".join(f"{name}: {value}" for name, value in ran.items()) + ".", ""]
        rows = [(f"`{key}`", value) for key, value in _flat({k: v for k, v in found.items() if k not in _ASIDE})]
        lines += [":::{dropdown} Figures", *_table(("figure", "value"), rows), ":::", ""]
    return "\n".join(lines)


_ASIDE = {"benchmark", "date", "cpu", "cores", "device", "backend", "versions", "load_average"}


def _flat(value: Any, key: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{key}[{number}]")
    else:
        yield key, f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return lines + [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
