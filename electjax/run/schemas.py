"""The schemas of the configuration, made from the groups of options that the wings declare.

Hydra merges the files of `conf/` into them, so an unknown key or a value of the wrong type is refused while the
configuration is composed, with its full key path. They are attributes of this module, made when first asked for: other
processes of a sweep find them by name.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, make_dataclass
from enum import Enum
from functools import cache
from typing import Any, NamedTuple, Optional, get_origin

import numpy as np
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING as REQUIRED
from omegaconf import DictConfig, OmegaConf

from electjax.data.options import default_of, kind_of, option, options
from electjax.run.tasks import tasks

PLAIN = (bool, int, float, str)
FIRST = ("path", "name")  # keys that come first in a section
FILLED = ("models",)  # mappings that configuration groups fill: a user's own name there is a mistake


@options
class Main:
    """Keys that every task has; `conf/config.yaml` has no more than what differs."""

    name: str = option("${data.name}", "results go to outputs/<name>/<date>_<time>/")
    task: str = option("calibrate", "what is done")
    seed: int = option(
        0,
        "the same seed gives the same numbers",
        good=lambda seed: type(seed) is int and 0 <= seed < 2**32,
        expected="a whole number of at least 0 and less than 2^32",
    )
    report: bool = option(True, "draw figures/*.png and write report.html")
    quiet: bool = option(False, "show no progress: only the result, warnings and errors")
    resume: str | None = option(None, "the folder of an interrupted run: it goes on as it was set, to the same result")


class Schemas(NamedTuple):
    """The schema of the whole configuration; those of its groups; and the group of options behind each schema."""

    config: type
    groups: Mapping[str, Mapping[str, type]]
    options_of: Mapping[type, type]


def main_fields() -> dict[str, "tuple[Field[Any], str]"]:
    """Keys of the whole configuration that are options, with the kind of data that they are about ("": any)."""
    found = {item.name: (item, "") for item in fields(Main)}
    for task in tasks().values():
        for item in () if task.section else fields(task.options):
            if item.name not in task.hidden:
                found.setdefault(item.name, (item, task.kind))
    return found


@cache
def schemas() -> Schemas:
    """All schemas."""
    behind: dict[type, type] = {}

    def made(kind: str, name: str, group: type, hidden: tuple[str, ...] = ()) -> type:
        schema = _dataclass(f"{kind}_{name}", [item for item in fields(group) if item.name not in hidden])
        behind[schema] = group
        return schema

    groups: dict[str, dict[str, type]] = {"data": {}}
    for task in tasks().values():
        for name, source in task.sources.items():
            if name not in groups["data"]:
                groups["data"][name] = made("data", name, source.options)
        for group, members in task.groups.items():
            if group not in groups:
                groups[group] = {name: made(group, name, options, task.hidden) for name, options in members.items()}
    options = {name: item for name, (item, _) in main_fields().items()}
    sections = ["data", *(task.section for task in tasks().values() if task.section)]
    config = _dataclass("config", list(options.values()), {section: Any for section in sections})
    return Schemas(config, groups, behind)


@cache
def register() -> None:
    """Hand the schemas to Hydra, once."""
    store, known = ConfigStore.instance(), schemas()
    store.store(name="schema", node=_open(OmegaConf.structured(known.config)))
    for group, members in known.groups.items():
        for name, node in members.items():
            store.store(group=f"schema/{group}", name=name, node=_open(OmegaConf.structured(node)))


def _dataclass(name: str, items: "list[Field[Any]]", sections: Mapping[str, Any] | None = None) -> type:
    """A dataclass for Hydra: words are an Enum, numbers, text and mappings what they are, anything else is Any."""
    made = [_field(name, item) for item in sorted(items, key=lambda item: item.name not in FIRST)]
    made += [(section, kind, field(default=REQUIRED)) for section, kind in (sections or {}).items()]
    schema = make_dataclass(name, made)
    return _published(name, schema)


def _field(schema: str, item: "Field[Any]") -> tuple[str, Any, Any]:
    default, kind = default_of(item), kind_of(item.type)
    words = tuple(tasks()) if (schema, item.name) == ("config", "task") else kind.words
    base: Any = Any
    if words:
        name = f"{schema}_{item.name}"
        base = _published(name, Enum(name, words))
        default = base[default] if isinstance(default, str) else default
    elif kind.base in PLAIN:
        base = kind.base
    elif _is_mapping(kind.base):
        base, default = dict[str, Any], dict(default or {}) if default is not MISSING else default
    annotation = Optional[base] if kind.empty and not _is_mapping(kind.base) else base  # noqa: UP045
    if isinstance(default, tuple | list | np.ndarray):
        default = [*default]
    if isinstance(default, list | dict):
        return item.name, annotation, field(default_factory=default.copy)
    return item.name, annotation, field(default=REQUIRED if default is MISSING else default)


def _is_mapping(base: Any) -> bool:
    origin = get_origin(base) or base
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _published(name: str, made: Any) -> Any:
    """A class as an attribute of this module, where other processes look for it."""
    made.__module__, made.__qualname__ = __name__, name
    globals()[name] = made
    return made


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name in globals():
        raise AttributeError(name)
    schemas()
    try:
        return globals()[name]
    except KeyError:
        raise AttributeError(f"module {__name__} has no attribute {name}") from None


def _open(config: DictConfig) -> DictConfig:
    """Let the user's own names stand in a mapping: there a new one needs no plus on the command line."""
    for key in config:
        node = config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing() and key not in FILLED:
            OmegaConf.set_struct(node, False)
    return config
