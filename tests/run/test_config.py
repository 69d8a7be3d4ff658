"""The configuration composes, is typed, and names the key of every mistake."""

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

from electjax.districts.models import get_simulator, list_models
from electjax.districts.models.base import check_options
from electjax.districts.task.simulate import split_values
from electjax.run.config import SCHEMAS, ConfigError, conf_dir, data_settings, describe_groups, explain, to_settings


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
        cfg = composed(*overrides)
        to_settings(cfg)
        data_settings(cfg)
    except Exception as error:
        return explain(error) or str(error)
    raise AssertionError(f"{overrides} was accepted")


OPTIONS = [
    f"{'+' if file.parent.name in ('experiment', 'sweep') else ''}{file.parent.name}={file.stem}"
    for file in sorted(conf_dir().glob("*/*.yaml"))
    if file.parent.name != "hydra"
]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option):
    needs = {"data=csv": ["data.path=a.csv"], "data=catalogue": ["data.name=us2016"]}
    needs |= {"data=ballots": ["data.path=a.csv", "task=types"], "data=yuma_like": ["task=types"]}
    needs |= {"data=booths": ["data.path=a", "task=calm"]}
    needs |= {f"data={name}": ["task=calm"] for name in ("calm_delhi", "madipur")}
    needs |= {"data=units": ["data.path=a.csv", "task=ecological"], "data=ecological": ["task=ecological"]}
    cfg = composed(option, *needs.get(option, []))
    settings = to_settings(cfg)
    own = {name: getattr(settings, name).options for name in ("types", "calm", "ecological")}
    assert own.get(cfg.task.name, settings.models)
    assert data_settings(cfg)["name"]
    assert not OmegaConf.missing_keys(cfg)


def test_every_option_is_in_the_help_with_a_description():
    lines = {line.split()[0]: line.split()[1:] for line in describe_groups().splitlines() if line}
    assert set(lines) == set(OPTIONS)
    assert all(lines.values()), lines


def test_delhi2020_is_every_model_at_the_papers_defaults():
    settings = to_settings(composed("+experiment=delhi2020"))
    assert list(settings.models) == list_models()
    assert settings.models["dpm"].values["gamma"] == 0.99
    assert settings.models["dpm"].priors == {"gamma": (0.0, 1.0)}
    assert settings.models["dm"].values["concentration"] == 3.0
    assert settings.models["pcm"].values["eta"] == 0.99
    assert settings.models["sim"].values["communities"] == len(settings.models["sim"].values["shares"]) == 5
    assert (settings.runs, settings.optimal_runs, settings.engine) == (100, 200, "leap")


def test_several_models_or_one():
    assert list(to_settings(composed("model=[dpm,dm]")).models) == ["dpm", "dm"]
    assert list(to_settings(composed("+experiment=delhi2020", "model=dm")).models) == ["dm"]


def test_the_command_line_reaches_the_settings():
    settings = to_settings(
        composed(
            "models.dpm.gamma=[0.1,0.9]",
            "models.dpm.reading=count",
            "models.dpm.priors.gamma=[0.5,1]",
            "inference=rejection",
            "inference.accept=7",
            "engine=agent",
            "seed=3",
        )
    )
    dpm = settings.models["dpm"]
    assert dpm.values["gamma"] == [0.1, 0.9]
    assert dpm.values["reading"] == "count"
    assert dpm.priors == {"gamma": (0.5, 1.0)}
    assert (settings.method, settings.method_options["accept"]) == ("rejection", 7)
    assert (settings.engine, settings.seed) == ("agent", 3)


def test_a_users_file_names_the_results():
    cfg = composed("data=csv", "data.path=some/where/my.csv")
    assert cfg.name == "my"
    assert data_settings(cfg)["path"] == "some/where/my.csv"
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
        (["task=fly"], "task", "calibrate, simulate"),
        (["models.dpm.reading=literal"], "models.dpm.reading", "fraction, count"),
        (["models.dpm.gamma=high"], "models.dpm.gamma", "a number"),
        (["models.dpm.gamma=[0.5,high]"], "models.dpm.gamma", "a number"),
        (["model=pcm", "models.pcm.eta=[0.5,[]]"], "models.pcm.eta", "a list of numbers"),
        (["model=pcm", "models.pcm.bookkeeping=by_district"], "models.pcm.bookkeeping", "none, interleaved"),
        (["model=sim", "models.sim.phi=[[1,0],[0,x]]"], "models.sim.phi", "a list of numbers"),
        (["model=sim", "models.sim.kappa=gamma"], "models.sim.kappa", "or beta"),
        (["model=sim", "models.sim.communities=2.5"], "models.sim.communities", "Integer"),
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


@pytest.mark.parametrize("name", sorted(SCHEMAS["model"]))
def test_the_config_of_a_model_is_that_of_its_simulator(name):
    simulator = get_simulator(name)
    settings = to_settings(composed(f"model={name}")).models[name]
    params, options = split_values(name, settings.values)
    defaults = {key: list(value) if isinstance(value, tuple) else value for key, value in simulator.defaults.items()}
    assert params == defaults
    assert check_options(simulator, options) == simulator.options()
    assert dict(settings.priors) == {p.name: p.prior for p in simulator.parameters if p.prior}


def test_every_model_has_a_config():
    assert list(SCHEMAS["model"]) == list_models()


@pytest.mark.parametrize("name", sorted(SCHEMAS["model"]))
def test_the_words_of_an_option_are_those_of_the_simulator(name):
    schema, accepted = SCHEMAS["model"][name], get_type_hints(get_simulator(name).options)
    hints = get_type_hints(schema)
    words = {item.name: item.metadata.get("words") for item in fields(schema)}
    for option, kind in hints.items():
        if isinstance(kind, type) and issubclass(kind, Enum):
            assert set(kind.__members__) == set(get_args(accepted[option])), option
        elif words[option]:
            assert set(words[option]) < set(get_args(accepted[option])), option
    assert {name for name in accepted if name not in hints} <= {"growth"}


def test_a_word_chooses_the_option_and_a_number_the_parameter_of_one_name():
    given = to_settings(composed("model=sim", "models.sim.kappa=beta", "models.sim.shares=[0.2,0.3,0.5]")).models["sim"]
    params, options = split_values("sim", given.values)
    assert "kappa" not in params
    assert options["kappa"] == "beta"
    assert params["shares"] == [0.2, 0.3, 0.5]
    assert "shares" not in options
