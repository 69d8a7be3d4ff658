"""The configuration: where `conf/` lies, and its values as the options that tasks take."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from electjax.run.errors import ConfigError

# nothing here imports a wing: that waits until a configuration is composed


class Job(NamedTuple):
    """What a configuration asks for: a task, the data it is given, and its options."""

    task: Any
    source: Any
    data: Any
    options: Any


class ElectjaxSearchPath(SearchPathPlugin):
    """Hydra looks for a group in the folder of every wing, as for `model=dpm` in conf/districts/model/dpm.yaml."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called before a configuration is composed; the schemas are made now."""
        from electjax.run.schemas import register

        register()
        for folder in conf_folders()[1:]:
            search_path.append("electjax", f"file://{folder}")


def install() -> None:
    """Tell Hydra of the search path and the resolvers; calling it twice does no harm."""
    Plugins.instance().register(ElectjaxSearchPath)
    OmegaConf.register_new_resolver("electjax.stem", _stem, replace=True)
    OmegaConf.register_new_resolver("electjax.sweep", _in_sweep, replace=True)


def _stem(without: str = "returns", *, _parent_: DictConfig) -> str:
    """The file name of the `path` beside the key; `without` while there is none, as it is before a sweep."""
    path = OmegaConf.select(_parent_, "path")
    return Path(str(path).removesuffix(".gz")).stem if path else without


def _in_sweep(job: Any, alone: Any) -> Any:
    """One value for the jobs of a sweep, which shall be quick, another for a run of its own."""
    return job if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN else alone


def conf_dir() -> Path:
    """Absolute path of the configuration files: inside an installed package, else beside a source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def conf_folders() -> list[Path]:
    """The folder of configuration files, and those of the wings in it."""
    from electjax.run.tasks import WINGS

    return [conf_dir(), *(conf_dir() / wing for wing in WINGS)]


# ------------------------------------------------------------------------------------ to options


def job_of(cfg: DictConfig) -> Job:
    """The task, the data and the options of a configuration.

    Raises ConfigError: a number out of its range, an unknown key, data of another kind than the task's.
    """
    from electjax.run.schemas import Main, schemas
    from electjax.run.tasks import tasks

    known = [item.name for item in fields(schemas().config)]
    for key in cfg:
        _check(str(key), key in known, f"one of {', '.join(known)}", key)
    _check_main(cfg, Main)
    task = tasks()[cfg.task.name]
    source = _check_kind(cfg, task)
    if task.section:
        options = replace(_section(cfg, task.section), **{name: cfg[name] for name in task.hidden if name in cfg})
    else:
        names = [item.name for item in fields(task.options) if item.name in cfg]
        options = _checked(task.options, {name: _plain(cfg, name, name) for name in names}, "")
    return Job(task, task.sources[source], _section(cfg, "data"), options)


def _check(key: str, good: bool, expected: str, got: object) -> None:
    if not good:
        raise ConfigError(f"{key}: expected {expected}, got {got!r}")


def _check_main(cfg: DictConfig, main: type) -> None:
    """The ranges of what every task has."""
    values = {item.name: cfg[item.name] for item in fields(main) if item.name not in ("name", "task")}
    _checked(main, values, "")


def _check_kind(cfg: DictConfig, task: Any) -> str:
    """The schema of the data, which are of the kind that the task takes."""
    from electjax.run.schemas import schemas
    from electjax.run.tasks import kinds

    made = OmegaConf.get_type(cfg.data)
    source = next((name for name, schema in schemas().groups["data"].items() if schema is made), "")
    other = next((one for one in kinds() if source in one.sources), None)
    expected = f"{task.kind} for task={task.name}, as in {task.example}"
    if other is not None and other.kind != task.kind:
        expected += f"; {other.kind} are for task={other.name}"
    _check("data", source in task.sources, expected, cfg.data.get("name"))
    return source


def _section(cfg: DictConfig, key: str) -> Any:
    """A section as the group of options behind its schema."""
    _check(key, isinstance(OmegaConf.select(cfg, key), DictConfig), "a section, not a single value", cfg[key])
    return _plain(cfg, key, key)


def _plain(parent: DictConfig, name: str, key: str) -> Any:
    """A value without Hydra: a section with a schema is its group of options, a word text."""
    from electjax.run.schemas import schemas

    if OmegaConf.is_missing(parent, name):
        raise ConfigError(f"{key}: missing; give it as {key}=...")
    value = parent[name]
    if isinstance(value, DictConfig):
        group = schemas().options_of.get(cast(Any, OmegaConf.get_type(value)))
        values = {inner: _plain(value, inner, f"{key}.{inner}") for inner in map(str, value)}
        return values if group is None else _checked(group, values, key)
    if isinstance(value, ListConfig):
        return OmegaConf.to_container(value, resolve=True)
    return value.name if isinstance(value, Enum) else value


def _checked(group: type, values: Mapping[str, Any], section: str) -> Any:
    """A group of options from the values of a section."""
    from electjax.data.options import checked, default_of, expected_of

    def fault(name: str, value: Any, expected: str, mend: str) -> NoReturn:
        hint = "" if mend in ("give it", "leave it out for the default", "it has no default") else f"; {mend}"
        raise ConfigError(f"{f'{section}.{name}'.lstrip('.')}: expected {expected}, got {value!r}{hint}")

    known = {item.name: item for item in fields(group)}
    # a mapping that nothing was put into is left to its default
    empty = {
        name for name, value in values.items() if value == {} and name in known and default_of(known[name]) is None
    }
    taken = {name: value for name, value in values.items() if name not in empty}
    for name, value in ((name, value) for name, value in taken.items() if name in known):
        if isinstance(value, str) and ":" in value and "function" in expected_of(known[name]):
            taken[name] = _function(f"{section}.{name}", value)
    return checked(group, taken, fault)


def _function(key: str, given: str) -> Any:
    """The user's function that `package.module:function` points to.

    Modules of the working folder are found, as `python -m` finds them.
    """
    module, _, name = given.partition(":")
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the module is the user's, and so is what goes wrong in it
        raise ConfigError(f"{key}: {given}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    _check(key, callable(found), f"a function called {name} in {module}", given)
    return found


# ------------------------------------------------------------------------------------ to text and back


def resolved(cfg: DictConfig) -> str:
    """The configuration as yaml, with every value filled in and without what its task has no use for."""
    from electjax.run.schemas import main_fields
    from electjax.run.tasks import tasks

    task = tasks()[cfg.task.name]
    used = {name for name, (_, kind) in main_fields().items() if kind in ("", task.kind)} | {"data", task.section}
    values = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    assert isinstance(values, dict)
    return OmegaConf.to_yaml({key: value for key, value in values.items() if key in used})


def restore(text: str) -> DictConfig:
    """The configuration of an unfinished run from its config.yaml, typed like the one it was written from."""
    from electjax.run.schemas import schemas

    known = {frozenset(item.name for item in fields(schema)): schema for schema in schemas().options_of}
    saved = OmegaConf.create(text)
    assert isinstance(saved, DictConfig)

    def typed(value: Any) -> Any:
        if not isinstance(value, DictConfig):
            return value
        schema = known.get(frozenset(map(str, value)))
        return {name: typed(value[name]) for name in value} if schema is None else OmegaConf.structured(schema)

    cfg = OmegaConf.structured(schemas().config)
    for name in saved:
        if isinstance(saved[name], DictConfig):
            cfg[name] = typed(saved[name])
    merged = OmegaConf.merge(cfg, saved)
    assert isinstance(merged, DictConfig)
    return merged


install()
