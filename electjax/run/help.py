"""What `--help` says: the tasks, the groups of `conf/`, and every key of a task with its meaning, default and range."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

WIDTH, COLUMN = 112, 34
OBVIOUS = ("text", "true or false", "a value", "a value for each of some names")
SHORT = """\
electjax: a research toolkit for elections. What to do is chosen by a task, settings are KEY=VALUE.

  electjax +experiment=delhi2020             a whole example; the others are in --help
  electjax data=csv data.path=my.csv         your own returns, calibrated
  electjax task=TASK --help                  every key of a task, with its meaning, default and range
  electjax --version

"""


def short_help() -> str:
    """What the command says that was given nothing to do."""
    return SHORT + describe_tasks()


def describe_tasks() -> str:
    """A paragraph per task."""
    from electjax.run.tasks import tasks

    return "\n".join(_entry(f"task={task.name}", task.about) for task in tasks().values())


def describe_groups() -> str:
    """One line per file of each group: `data=delhi2020  what its file's first comment says`."""
    from electjax.run.config import conf_folders

    found = [file for folder in conf_folders() for file in folder.glob("*/*.yaml") if file.parent.name != "hydra"]
    lines: list[str] = []
    before = ""
    for group, name, file in sorted((file.parent.name, file.stem, file) for file in found):
        comments = [line[2:] for line in file.read_text("utf-8").splitlines() if line.startswith("# ")]
        said = next((line for line in comments if not line.startswith("@package")), "")
        plus = "+" if group in ("experiment", "sweep") else ""
        lines += [""] if before not in ("", group) else []
        lines.append(f"  {plus + group + '=' + name:<27} {said}".rstrip())
        before = group
    return "\n".join(lines)


def describe_keys(*, _root_: DictConfig) -> str:
    """Every key that the chosen task has, with its value, its meaning, default and range."""
    from electjax.run.schemas import main_fields, schemas
    from electjax.run.tasks import tasks

    task, known = tasks()[_root_.task.name], schemas()
    items = [item for item, kind in main_fields().values() if kind in ("", task.kind) and item.name in _root_]
    lines = [_key(item.name, item, _root_) for item in items if item.name not in ("task", "models", "inference")]
    nodes = {"data": _root_.data} | ({task.section: _root_[task.section]} if task.section else {})
    if OmegaConf.get_type(_root_.data) not in {known.groups["data"][name] for name in task.sources}:
        nodes["data"] = OmegaConf.structured(known.groups["data"][next(iter(task.sources))])
        lines += ["", f"  data: {task.kind}, as in {task.example}"]
    for section in () if task.section else ("inference", "models"):
        node = _root_[section]
        nodes |= {section: node} if section == "inference" else {f"models.{name}": node[name] for name in node}
    for section, node in nodes.items():
        schema: Any = OmegaConf.get_type(node)
        declared = {item.name: item for item in fields(cast(Any, known.options_of[schema]))}
        lines += ["", *(_key(f"{section}.{item.name}", declared[item.name], node) for item in fields(schema))]
    return "\n".join(lines).replace("$", "$$")  # Hydra substitutes what it knows in the help text


def _key(key: str, item: "Field[Any]", node: DictConfig) -> str:
    from electjax.data.options import default_of, expected_of

    values: Any = OmegaConf.to_container(node, resolve=False, enum_to_str=True)
    value, default = values[item.name], default_of(item)
    default = [*default] if isinstance(default, tuple) else {} if default is None and value == {} else default
    facts = [] if expected_of(item) in OBVIOUS else [expected_of(item)]
    if value != default and default is not MISSING and value != "???":
        facts.append(f"default {_shown(default)}")
    meaning = re.sub(r"\bNone\b", "null", item.metadata.get("meaning", ""))
    return _entry(f"{key}={_shown(value)}", meaning + (f" ({'; '.join(facts)})" if facts else ""))


def _shown(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _entry(name: str, said: str) -> str:
    indent = " " * (COLUMN + 2)
    text = textwrap.fill(said, WIDTH, initial_indent=indent, subsequent_indent=indent)
    if len(name) < COLUMN:
        return f"  {name:<{COLUMN - 1}} {text.lstrip()}"
    head = textwrap.fill(name, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return f"{head}\n{text}"
