"""The configuration composes, is typed, and names the key of every mistake."""

import dataclasses
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from electjax.data.options import default_of, kind_of, rows_of
from electjax.districts.models import get_simulator, list_models
from electjax.districts.options import split_values
from electjax.run.config import ConfigError, conf_dir, conf_folders, job_of, resolved, restore
from electjax.run.help import describe_groups
from electjax.run.mistakes import explain
from electjax.run.schemas import Main, main_fields, schemas
from electjax.run.tasks import tasks


@pytest.fixture(autouse=True)
def hydra_at_conf() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", list(overrides))


def mistake(*overrides: str) -> str:
    """The line a user reads after a wrong command line."""
    try:
        job_of(composed(*overrides))
    except Exception as error:
        return explain(error) or str(error)
    raise AssertionError(f"{overrides} was accepted")


FILES = [file for folder in conf_folders() for file in sorted(folder.glob("*/*.yaml"))]
OPTIONS = [
    f"{'+' if file.parent.name in ('experiment', 'sweep') else ''}{file.parent.name}={file.stem}" for file in FILES
]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option):
    needs = {"data=csv": ["data.path=a.csv"], "data=catalogue": ["data.name=us2016"]}
    needs |= {"data=ballots": ["data.path=a.csv", "task=voter_types"], "data=yuma_like": ["task=voter_types"]}
    needs |= {"data=booths": ["data.path=a", "task=calm"], "data=file": ["data.path=a", "task=validate"]}
    needs |= {f"data={name}": ["task=calm"] for name in ("calm_delhi", "madipur")}
    needs |= {"data=units": ["data.path=a.csv", "task=ecological"], "data=ecological": ["task=ecological"]}
    cfg = composed(option, *needs.get(option, []))
    job = job_of(cfg)
    assert job.task.name == cfg.task.name
    assert isinstance(job.options, job.task.options)
    assert isinstance(job.data, job.source.options)
    assert job.data.name
    assert not OmegaConf.missing_keys(cfg)
    text = resolved(cfg)
    assert resolved(restore(text)) == text


def test_every_file_of_a_wing_lies_in_its_folder():
    assert [folder.name for folder in conf_folders()[1:]] == ["districts", "voter_types", "calm", "ecological"]
    for task in tasks().values():
        for group in [*task.groups, "data"]:
            wing = task.section or "districts"
            home = conf_dir() / wing if group == task.section else conf_dir() / wing / group
            assert list(home.glob("*.yaml")), home


# ------------------------------------------------------------------------------------ every default is written once


def declared(file: Path) -> "dict[str, object] | None":
    """The declared defaults of the keys that a file of `conf/` may set, by their full key path."""
    text = file.read_text("utf-8")
    values = OmegaConf.load(file)
    schema = re.search(r"- /schema/(\w+)/(\w+)@_here_", text)
    if schema:
        group = schemas().options_of[schemas().groups[schema[1]][schema[2]]]
        return {item.name: default_of(item) for item in fields(group)}
    if "# @package _global_" in text:
        known = {name: default_of(item) for name, (item, _) in main_fields().items()}
        for task in tasks().values():
            known |= {f"{task.section}.{item.name}": default_of(item) for item in fields(task.options)}
        return known
    parents = [file.with_stem(str(name)) for name in values.get("defaults", ()) if name not in ("_self_", "schema")]
    return declared(parents[0]) if parents else None


def leaves(node: DictConfig, known: "dict[str, object]", above: str = "") -> Iterator[tuple[str, object]]:
    values = OmegaConf.to_container(node, resolve=False)
    for name, value in values.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and key not in known:
            yield from leaves(node[name], known, f"{key}.")
        else:
            yield key, value


@pytest.mark.parametrize(
    "file", [*FILES, conf_dir() / "config.yaml"], ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_no_file_repeats_a_declared_default(file):
    values = OmegaConf.load(file)
    known = declared(file) if file.name != "config.yaml" else {name: None for name in main_fields()}
    found = {key: value for key, value in leaves(values, known or {}) if key.split(".")[0] not in ("defaults", "hydra")}
    assert file.name != "config.yaml" or not found
    for key, value in found.items():
        assert key in known, f"{file}: {key} is not declared"
        default = known[key]
        assert value != ([*default] if isinstance(default, tuple) else default), f"{file}: {key} is at its default"


def test_run_declares_no_default_of_a_wing():
    """Keys of `Main` are in no group of a wing, but for names and the seed, which the configuration hands on."""
    own = {item.name for item in fields(Main)}
    for schema, group in schemas().options_of.items():
        names = {item.name for item in fields(schema)}
        assert names & own <= {"name", "seed"}, schema
        for item in fields(schema):
            made = OmegaConf.structured(schema)
            default = default_of(next(one for one in fields(group) if one.name == item.name))
            if default is dataclasses.MISSING:
                assert OmegaConf.is_missing(made, item.name)
            else:
                value = OmegaConf.to_container(made, enum_to_str=True)[item.name]
                said = {} if default is None and value == {} else [*default] if isinstance(default, tuple) else default
                assert value == said, f"{schema}.{item.name}"
    for task in tasks().values():
        assert not task.section or own & {item.name for item in fields(task.options)} <= {"name", "seed"}


def test_a_schema_takes_what_its_option_takes():
    """Words are an Enum, numbers and text what they are; and every key has a meaning."""
    for schema, group in schemas().options_of.items():
        hints, by_name = get_type_hints(schema), {item.name: item for item in fields(group)}
        for name, hint in hints.items():
            kind = kind_of(by_name[name].type)
            parts = [part for part in get_args(hint) or (hint,) if part is not type(None)]
            if kind.words:
                assert tuple(parts[0].__members__) == kind.words
            elif kind.base in (bool, int, float, str):
                assert parts == [kind.base]
        assert all(row.meaning for row in rows_of(group)), schema


@pytest.mark.ci
def test_schemas_are_found_by_name_in_other_processes():
    code = "from electjax.run import schemas; print(schemas.data_csv.__name__, schemas.config_task.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["data_csv", "config_task"]
    cfg = composed("data=csv", "data.path=a.csv")
    again = pickle.loads(pickle.dumps(cfg))
    assert OmegaConf.get_type(again.data) is OmegaConf.get_type(cfg.data)
    assert again.task is cfg.task


# ------------------------------------------------------------------------------------ what is chosen


def test_every_option_is_in_the_help_with_a_description():
    told = re.split(r"\n+ {2}(?=\S)", describe_groups().removeprefix("  "))
    lines = {entry.split()[0]: entry.split()[1:] for entry in told}
    assert set(lines) == set(OPTIONS)
    assert all(lines.values()), lines


def test_delhi2020_is_every_model_at_the_papers_defaults():
    options = job_of(composed("+experiment=delhi2020")).options
    assert list(options.models) == list_models()
    assert options.models["dpm"].gamma == 0.99
    assert options.models["dpm"].priors == {"gamma": [0.0, 1.0]}
    assert options.models["dm"].concentration == 3.0
    assert options.models["pcm"].eta == 0.99
    assert options.models["sim"].communities == len(options.models["sim"].shares) == 5
    assert (options.runs, options.optimal_runs, options.engine) == (100, 200, "leap")


def test_several_models_or_one():
    assert list(job_of(composed("model=[dpm,dm]")).options.models) == ["dpm", "dm"]
    assert list(job_of(composed("+experiment=delhi2020", "model=dm")).options.models) == ["dm"]


def test_the_command_line_reaches_the_options():
    options = job_of(
        composed(
            "models.dpm.gamma=[0.1,0.9]",
            "models.dpm.reading=count",
            "models.dpm.priors.gamma=[0.5,1]",
            "inference=rejection",
            "inference.accept=7",
            "engine=agent",
            "seed=3",
        )
    ).options
    dpm = options.models["dpm"]
    assert dpm.gamma == [0.1, 0.9]
    assert dpm.reading == "count"
    assert dpm.priors == {"gamma": [0.5, 1]}
    assert (options.inference.method, options.inference.accept) == ("rejection", 7)
    assert (options.engine, options.seed) == ("agent", 3)


@pytest.mark.parametrize("example", ["+experiment=yuma_like", "+experiment=madipur", "+experiment=ecological"])
def test_the_seed_of_the_run_is_that_of_the_estimate(example):
    assert job_of(composed(example, "seed=7")).options.seed == 7
    assert "seed" not in composed(example)[composed(example).task.name]


def test_a_users_file_names_the_results():
    cfg = composed("data=csv", "data.path=some/where/my.csv")
    assert cfg.name == "my"
    assert job_of(cfg).data.path == "some/where/my.csv"
    assert composed("data=csv", "data.path=my.csv", "name=other").name == "other"


@pytest.mark.parametrize(
    ("overrides", "key", "says"),
    [
        (["rums=3"], "rums", "did you mean runs"),
        (["models.dpm.gama=0.5"], "models.dpm.gama", "did you mean gamma"),
        (["inference.budget=3"], "inference.budget", "no such key"),
        (["+models.dpm.speed=3"], "models.dpm.speed", "expected one of"),
        (["+runz=3"], "runz", "expected one of"),
        (["runs=many"], "runs", "could not be converted to Integer"),
        (["runs=2.5"], "runs", "could not be converted to Integer"),
        (["runs=0"], "runs", "at least 1"),
        (["seed=-1"], "seed", "at least 0"),
        (["seed=4294967296"], "seed", "less than 2^32"),
        (["inference.quantile=2"], "inference.quantile", "a number between 0 and 1, got 2"),
        (["inference=smc", "inference.accept=0"], "inference.accept", "a whole number of at least 1, got 0"),
        (["task=counterfactual"], "scenarios", "sections such as"),
        (["task=counterfactual", "scenarios.a.distrits=3"], "scenarios.a.distrits", "one of popularity"),
        (["data=madipur", "task=calm", "calm.lambda_b=-1"], "calm.lambda_b", "expected a number of at least 0, got -1"),
        (["task=fly"], "task", "calibrate, simulate"),
        (["models.dpm.reading=literal"], "models.dpm.reading", "fraction, count"),
        (["models.dpm.gamma=high"], "models.dpm.gamma", "a number"),
        (["models.dpm.gamma=[0.5,high]"], "models.dpm.gamma", "a number"),
        (["model=pcm", "models.pcm.eta=[0.5,[]]"], "models.pcm.eta", "a list of numbers"),
        (["model=pcm", "models.pcm.bookkeeping=by_district"], "models.pcm.bookkeeping", "interleaved, none"),
        (["model=sim", "models.sim.phi=[[1,0],[0,x]]"], "models.sim.phi", "a list of numbers"),
        (["model=sim", "models.sim.kappa=gamma"], "models.sim.kappa", "or beta"),
        (["model=sim", "models.sim.communities=2.5"], "models.sim.communities", "Integer"),
        (["+models.dpm.priors.prior_mass={flat: 1}"], "models.dpm.priors.prior_mass", "{dirichlet: ...}"),
        (["models.dpm.priors.gamma=[1,0]"], "models.dpm.priors.gamma", "low < high"),
        (["models.dpm.priors.gamma=[a,b]"], "models.dpm.priors.gamma", "numbers [low, high]"),
        (["+models.dpm.priors.gama=[0,1]"], "models.dpm.priors.gama", "expected one of"),
        (["models.dm.concentration=2"], "models.dm", "model=[dpm,dm]"),
        (["model=dmp"], "model=dmp", "choose from dm, dpm, ecm, pcm, sim"),
        (["+experiment=delhi1952"], "experiment=delhi1952", "choose from"),
        (["model=[]"], "model", "at least one model"),
        (["data=csv"], "data.path", "missing"),
        (["data=catalogue"], "data.name", "missing"),
        (["data=csv", "data.path=a.csv", "data.nota=hide"], "data.nota", "others, party, drop"),
    ],
)
def test_a_mistake_is_one_line_that_begins_with_its_key(overrides, key, says):
    line = mistake(*overrides)
    assert line.startswith(key)
    assert says in line
    assert "\n" not in line


def test_a_mistake_in_a_users_own_experiment_names_the_key(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    mine = "# @package _global_\nmodels:\n  dpm:\n    gama: 0.5\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(mine)
    line = mistake(f"hydra.searchpath=[file://{tmp_path}]", "+experiment=mine")
    assert line.startswith("models.dpm.gama")


def test_other_errors_are_not_taken_for_configuration():
    assert explain(ValueError("x")) is None
    assert explain(ConfigError("runs: x")) is None


def test_importing_the_configuration_does_not_load_jax():
    code = "import electjax.run.main, sys; assert not {'jax', 'xarray', 'pandas', 'matplotlib'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------ a model is a file and a yaml


def test_every_model_has_a_file_of_configuration():
    assert list(schemas().groups["model"]) == list_models()
    assert {file.stem for file in (conf_dir() / "districts" / "model").glob("*.yaml")} >= set(list_models())


@pytest.mark.parametrize("name", list_models())
def test_the_config_of_a_model_is_that_of_its_simulator(name):
    """No key of a model is declared but by its simulator: a model is added by one file and one yaml."""
    simulator = get_simulator(name)
    values = job_of(composed(f"model={name}")).options.models[name]
    params, options = split_values(name, {key: value for key, value in vars(values).items() if key != "priors"})
    defaults = {key: list(value) if isinstance(value, tuple) else value for key, value in simulator.defaults.items()}
    assert params == defaults
    assert simulator.options(**options) == simulator.options()
    assert values.priors == {p.name: list(p.prior) for p in simulator.parameters if p.prior}
    accepted = {item.name: kind_of(item.type).words for item in fields(simulator.options)}
    for key, hint in get_type_hints(schemas().groups["model"][name]).items():
        if isinstance(hint, type) and issubclass(hint, Enum):
            assert tuple(hint.__members__) == accepted.pop(key), key
        elif accepted.get(key):
            for word in accepted.pop(key)[1:]:  # the first is what a number means
                job_of(composed(f"model={name}", f"models.{name}.{key}={word}"))
        else:
            accepted.pop(key, None)
    assert not accepted


COIN = """
import sys
from hydra import compose, initialize_config_dir
from electjax.districts.models import SIMULATORS
SIMULATORS["coin"] = SIMULATORS["dm"]._replace(name="coin")
from electjax.run.config import conf_dir, job_of
with initialize_config_dir(str(conf_dir()), version_base="1.3"):
    chosen = ["model=coin", "models.coin.concentration=2", f"hydra.searchpath=[file://{sys.argv[1]}]"]
    model = job_of(compose("config", chosen)).options.models["coin"]
print(model.concentration, model.winner, model.priors)
"""


@pytest.mark.ci
def test_a_new_simulator_needs_no_more_than_a_yaml(tmp_path: Path):
    (tmp_path / "model").mkdir()
    yaml = "# @package models.coin\ndefaults:\n  - /schema/model/coin@_here_\n"
    (tmp_path / "model" / "coin.yaml").write_text(yaml)
    done = subprocess.run([sys.executable, "-c", COIN, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout == "2 votes {'concentration': [0.1, 200.0]}\n", done.stderr


def test_a_word_chooses_the_option_and_a_number_the_parameter_of_one_name():
    cfg = composed("model=sim", "models.sim.kappa=beta", "models.sim.shares=[0.2,0.3,0.5]")
    params, options = split_values("sim", vars(job_of(cfg).options.models["sim"]))
    assert "kappa" not in params
    assert options["kappa"] == "beta"
    assert params["shares"] == [0.2, 0.3, 0.5]
    assert "shares" not in options
