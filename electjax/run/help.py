"""What `--help` says: the tasks, the groups of `conf/`, and every key of a task with its meaning, default and range."""

import re
import textwrap
from collections.abc import Collection, Mapping
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


TASK = """\
{task}
{choices}

KEYS
{keys}

EXIT CODES: 0 done, 1 the data or a file is wrong, 2 a key is wrong, 130 interrupted, 143 ended by SIGTERM.
All tasks, examples and groups: python -m electjax.run --help
"""

LONG = """\
electjax simulates district elections, calibrates the simulators to observed returns, finds types of
voters in cast ballots, fits candidate-aware models to the totals of polling booths, and estimates who
voted for whom from the margins of units.

  python -m electjax.run [+experiment=NAME] [GROUP=OPTION ...] [KEY=VALUE ...]
  python -m electjax.run task=TASK [GROUP=OPTION ...] --help     every key of a task
  python -m electjax.run ... --cfg job                           the configuration that this is

TASKS
{tasks}

EXAMPLES
  python -m electjax.run +experiment=delhi2020
  python -m electjax.run data=us2016 'model=[dm,dpm]' task=simulate runs=1000
  python -m electjax.run data=csv data.path=my.csv data.top_parties=4 model=dpm
  python -m electjax.run model=dpm models.dpm.gamma=0.9 models.dpm.reading=count task=simulate
  python -m electjax.run model=pcm 'models.pcm.eta=[0.9,0.8,0.5,0.5]' task=simulate
  python -m electjax.run 'models.dpm.priors.gamma=[0.5,1]' inference=rejection budget=5000
  python -m electjax.run +experiment=delhi2020_counterfactual 'scenarios.more.districts=90'
  python -m electjax.run +experiment=yuma_like
  python -m electjax.run task=voter_types data=ballots data.path=my.csv 'voter_types.types=[1,2,3,4]'
  python -m electjax.run +experiment=madipur
  python -m electjax.run task=calm data=booths data.path=my_folder 'calm.diagnostics=[holdout,placebo]'
  python -m electjax.run -m +experiment=calm_delhi data.scale=small calm.proximity.age=0.3,0.5 seed=0,1,2
  python -m electjax.run +experiment=ecological
  python -m electjax.run task=ecological data=units data.path=units.csv data.truth=truth.csv
  python -m electjax.run -m +experiment=ecological ecological.context=0.3,0.6,0.9 seed=0,1,2
  python -m electjax.run resume=outputs/delhi2020/<date>_<time>
  python -m electjax.run -m +experiment=delhi2020 'seed=range(10)'
  python -m electjax.run +experiment=delhi2020 +sweep=gamma
  python -m electjax.run -m +experiment=delhi2020 'seed=range(10)' hydra/launcher=joblib

GROUPS AND THEIR OPTIONS
{groups}

KEYS, FOR WHAT IS CHOSEN ABOVE
{keys}

OUTPUTS
  outputs/<name>/<date>_<time>/ holds config.yaml (the configuration, resolved), metrics.json (the
  printed table), result.nc (simulations and posterior draws, an xarray DataTree), for each model
  posterior_<model>.nc (for ArviZ), figures/*.png and report.html. Of the other data result.nc holds the
  fit and what was found out about it; of task=ecological the estimates of every method, without draws,
  beside units.nc and estimate.nc, which has them. An smc run has its folder from the start, unfinished for
  as long as checkpoints/ is in it; any other folder appears when the run is complete. A finished one is
  never written to again. A sweep writes one such folder per job under
  multirun/<name>/<date>_<time>/, with sweep.csv, sweep.md and sweep.png.

EXIT CODES
  0 done; 1 the data or a file is wrong; 2 a key is wrong; 130 interrupted; 143 ended by SIGTERM

SHELL COMPLETION
  eval "$(electjax -sc install=bash)"     completes groups, their options and keys (also zsh and fish)

ENVIRONMENT
  ELECTJAX_CACHE      folder of compiled code (default: in the user's cache folder); off: keep none
  ELECTJAX_TRACEBACK  1: show where an error was raised
"""


def short_help() -> str:
    """What the command says that was given nothing to do."""
    return SHORT + describe_tasks()


def long_help(cfg: DictConfig) -> str:
    """What `--help` says of a configuration."""
    parts = {"{tasks}": describe_tasks(), "{groups}": describe_groups(), "{keys}": describe_keys(cfg)}
    return _filled(LONG, parts)


def task_help(cfg: DictConfig, overrides: Collection[str]) -> str:
    """What `--help` says of the task that is chosen, or of the one that takes the data that are."""
    from electjax.run.schemas import schemas
    from electjax.run.tasks import kinds, tasks

    task = tasks()[cfg.task.name]
    made = OmegaConf.get_type(cfg.data)
    source = next((name for name, schema in schemas().groups["data"].items() if schema is made), "")
    if source not in task.sources and not any(word.startswith("task=") for word in overrides):
        task = next((one for one in kinds() if source in one.sources), task)
        cfg = cast(DictConfig, OmegaConf.merge(cfg, {"task": task.name}))
    groups = ("data", *task.groups, "experiment", "sweep")
    wing = task.run.__module__.split(".")[1]
    about = textwrap.fill(f"task={task.name}: {task.about}.", WIDTH)
    parts = {"{task}": f"{about}\n\n  python -m electjax.run task={task.name} {task.example}"}
    parts |= {"{choices}": f"\nGROUPS AND THEIR OPTIONS\n{describe_groups(groups, wing)}" if task.groups else ""}
    return _filled(TASK, parts | {"{keys}": describe_keys(cfg)})


def _filled(text: str, parts: Mapping[str, str]) -> str:
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def describe_tasks() -> str:
    """A paragraph per task."""
    from electjax.run.tasks import tasks

    return "\n".join(_entry(f"task={task.name}", task.about) for task in tasks().values())


def describe_groups(groups: Collection[str] = (), wing: str = "") -> str:
    """An entry for each file of each group: `data=delhi2020` and what its file's first comment says.

    groups, wing: only those that a task has use for, where they are given.
    """
    from electjax.run.config import conf_folders

    found = [file for folder in conf_folders() for file in folder.glob("*/*.yaml")]
    if wing:
        found = [file for file in found if file.parent.name in groups and wing in (file.parent.name, file.parts[-3])]
    lines: list[str] = []
    before = ""
    for group, name, file in sorted((file.parent.name, file.stem, file) for file in found):
        comments = [line[2:] for line in file.read_text("utf-8").splitlines() if line.startswith("# ")]
        said = next((line for line in comments if not line.startswith("@package")), "")
        lines += [""] if before not in ("", group) else []
        lines.append(_entry(f"{'+' if group in ('experiment', 'sweep') else ''}{group}={name}", said))
        before = group
    return "\n".join(lines)


def describe_keys(cfg: DictConfig) -> str:
    """Every key that the chosen task has, with its value, its meaning, default and range."""
    from electjax.run.schemas import main_fields, schemas
    from electjax.run.tasks import tasks

    task, known = tasks()[cfg.task.name], schemas()
    items = [item for item, kind in main_fields().values() if kind in ("", task.kind) and item.name in cfg]
    lines = [_key(item.name, item, cfg) for item in items if item.name not in ("task", "models", "inference")]
    nodes = {"data": cfg.data} | ({task.section: cfg[task.section]} if task.section else {})
    if OmegaConf.get_type(cfg.data) not in {known.groups["data"][name] for name in task.sources}:
        nodes["data"] = OmegaConf.structured(known.groups["data"][next(iter(task.sources))])
        lines += ["", f"  data: {task.kind}, as in {task.example}"]
    for section in () if task.section else ("inference", "models"):
        node = cfg[section]
        nodes |= {section: node} if section == "inference" else {f"models.{name}": node[name] for name in node}
    for section, node in nodes.items():
        schema: Any = OmegaConf.get_type(node)
        declared = {item.name: item for item in fields(cast(Any, known.options_of[schema]))}
        lines += ["", *(_key(f"{section}.{item.name}", declared[item.name], node) for item in fields(schema))]
    return "\n".join(lines)


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
