"""An interrupted run goes on where it was and ends as if nothing had happened, a killed one too."""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import electjax
import electjax.report.result
from electjax.data.errors import ElectionDataError
from electjax.data.seal import SIZE
from electjax.districts.checkpoint import Checkpoint, identify
from electjax.run import folder as folders
from electjax.run.config import ConfigError, conf_dir, job_of, restore
from tests.command_line import run

# a small election, a model that compiles quickly, few draws, and a tolerance that takes several generations
JOB = (
    *("data=csv", "data.path=my.csv", "runs=4", "optimal_runs=4", "budget=9000", "engine=agent"),
    *("model=[dpm]", "models.dpm.reading=count", "models.dpm.bookkeeping=none"),
    *("inference.accept=200", "inference.tolerance=0.3", "report=false", "hydra.run.dir=out"),
)
STATE = {"unit": np.arange(6.0).reshape(3, 2), "number": np.array([1, 2, 3]), "stopped": np.array("no gain")}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder with an election in it, and no compilation cache but one given from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELECTJAX_CACHE", os.environ.get("ELECTJAX_CACHE", "off"))
    rng = np.random.default_rng(0)
    rows = [
        f"d{d},{party},{votes}" for d in range(8) for party, votes in zip("XYZ", rng.integers(20, 90, 3), strict=True)
    ]
    (tmp_path / "my.csv").write_text("\n".join(["district,party,votes", *rows]) + "\n", "utf-8")
    return tmp_path


def interrupted(monkeypatch, *overrides: str, after: int) -> int:
    """The same, with Ctrl-C after so many checkpoints."""
    save, saved = Checkpoint.save, itertools.count(1)

    def then_interrupt(self, state):
        save(self, state)
        if next(saved) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", then_interrupt)
        return run(monkeypatch, *overrides)


def files(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


def assert_same_result(one: Path, two: Path) -> None:
    """Two folders of runs hold the same numbers, but for how long they took."""
    assert files(one) == files(two)
    metrics = [json.loads((folder / "metrics.json").read_text("utf-8")) for folder in (one, two)]
    for found in metrics:
        found.pop("seconds")
    assert metrics[0] == metrics[1]
    assert (one / "config.yaml").read_text("utf-8") == (two / "config.yaml").read_text("utf-8")
    names = sorted(path.name for path in one.glob("*.nc"))
    assert len(names) > 1
    for name in names:
        with xr.open_datatree(one / name, engine="h5netcdf") as a, xr.open_datatree(two / name, engine="h5netcdf") as b:
            assert a.groups == b.groups
            for group in a.groups:
                xr.testing.assert_equal(a[group].to_dataset(), b[group].to_dataset())
                kept = [{k: v for k, v in tree[group].attrs.items() if k != "created_at"} for tree in (a, b)]
                assert kept[0] == kept[1]


# ------------------------------------------------------------------------------------ a checkpoint


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    checkpoint = Checkpoint(tmp_path / "deep" / "dpm", "who")
    assert checkpoint.latest() is None
    assert not list(tmp_path.iterdir())
    checkpoint.save({"file": np.zeros(2)})
    checkpoint.save(STATE)
    found = Checkpoint(tmp_path / "deep" / "dpm", "who").latest()
    assert found is not None
    assert set(found) == set(STATE)
    for name, value in STATE.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    assert files(tmp_path) == {"deep/dpm/state.npz"}


def test_a_checkpoint_of_another_calibration_is_refused_with_what_differs(tmp_path):
    ours = {"seed": 0, "priors": {"eta": (0, 1)}, "votes": np.arange(4)}
    Checkpoint(tmp_path, identify(**ours)).save(STATE)
    assert Checkpoint(tmp_path, identify(**ours)).latest() is not None
    for other, says in (
        ({"seed": 1}, r"seed: 0 there, 1 here"),
        ({"priors": {"eta": (0, 0.5)}}, "priors: "),
        ({"votes": np.arange(4)[::-1]}, "votes: "),
        ({"votes": np.arange(4.0)}, "votes: "),
    ):
        with pytest.raises(ValueError, match=f"state.npz: the checkpoint of another calibration .{says}") as refused:
            Checkpoint(tmp_path, identify(**(ours | other)))
        assert "\n" not in str(refused.value)


def test_functions_are_told_apart_by_their_source():
    namespace: dict = {}
    total = lambda votes, winner: votes.sum(0)  # noqa: E731
    mean = lambda votes, winner: votes.mean(0)  # noqa: E731
    assert identify(statistics=total) != identify(statistics=mean)
    assert identify(statistics=total) == identify(statistics=total)
    exec("def typed(votes, winner):\n    return votes", namespace)
    assert "typed" in identify(statistics=namespace["typed"])


def _without_seal(whole: bytes) -> bytes:
    return whole[:-SIZE]


def _of_other_numbers(whole: bytes) -> bytes:
    """A whole zip with another number in it, whose own checksums are right."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:-1] + b"\x41")
    return changed.getvalue() + whole[-SIZE:]


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda _: b"nonsense", lambda whole: whole[:-40], _without_seal, _of_other_numbers]
)
def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path, damage):
    path = tmp_path / "state.npz"
    Checkpoint(tmp_path, "who").save(STATE)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        ElectionDataError, match=r"state.npz: damaged, or no checkpoint; .*delete it to start over"
    ) as e:
        Checkpoint(tmp_path, "who").latest()
    assert "\n" not in str(e.value)


def test_no_byte_of_a_checkpoint_can_change_unseen(tmp_path):
    path = tmp_path / "state.npz"
    Checkpoint(tmp_path, "who").save(STATE)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ElectionDataError, match="damaged, or no checkpoint"):
            Checkpoint(tmp_path, "who")


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, "who")
    checkpoint.save(STATE)
    with pytest.raises(ValueError, match="unit is no array of numbers"):
        checkpoint.save({"unit": np.array([None, "x"])})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save({"unit": np.zeros(9)})
    found = checkpoint.latest()
    assert found is not None
    np.testing.assert_array_equal(found["unit"], STATE["unit"])
    assert files(tmp_path) == {"state.npz"}


# ------------------------------------------------------------------------------------ a folder that can be continued


def fail_in(target: Path, *, after_checkpoint: bool) -> None:
    with folders.unfinished_folder(target, "a: 1", {"note": None}) as checkpoints:
        assert folders.read_unfinished(target) == ("a: 1", {"note": None})
        if after_checkpoint:
            Checkpoint(checkpoints / "dpm", "who").save(STATE)
        raise KeyError("x")


def test_a_block_that_fails_before_a_checkpoint_leaves_nothing(tmp_path):
    with pytest.raises(KeyError):
        fail_in(tmp_path / "run", after_checkpoint=False)
    assert files(tmp_path) == set()


def test_a_block_that_fails_after_a_checkpoint_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyError) as failed:
        fail_in(tmp_path / "run", after_checkpoint=True)
    assert failed.value.__notes__ == ["python -m electjax.run resume=run continues it"]
    assert {"run/config.yaml", "run/checkpoints/dpm/state.npz"} <= files(tmp_path)


def test_two_processes_are_kept_apart(tmp_path):
    pytest.importorskip("fcntl")
    with folders.unfinished_folder(tmp_path / "run", "", {}):
        second = folders.unfinished_folder(tmp_path / "run", "", {})
        with pytest.raises(ValueError, match="another process is at work"), second:
            pass
        assert (tmp_path / "run" / "config.yaml").exists()


def test_a_finish_that_is_cut_short_can_be_repeated(tmp_path, monkeypatch):
    """Wherever it stops, the checkpoints are still there, and the next attempt succeeds."""
    replace = os.replace

    def write(folder: Path) -> None:
        (folder / "figures").mkdir()
        for name in ("config.yaml", "result.nc", "figures/a.png"):
            (folder / name).write_text(name)

    for stop_at in range(3):
        target = tmp_path / str(stop_at)
        (target / "checkpoints" / "dpm").mkdir(parents=True)
        calls = itertools.count()

        def cut(source, goal, calls=calls, stop_at=stop_at):
            if next(calls) == stop_at:
                raise KeyboardInterrupt
            replace(source, goal)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", cut)
            with pytest.raises(KeyboardInterrupt):
                folders.finish_folder(target, write)
        assert (target / "checkpoints" / "dpm").is_dir()
        folders.finish_folder(target, write)
        assert files(target) == {"config.yaml", "result.nc", "figures/a.png"}
        assert not (target / "checkpoints").exists()


# ------------------------------------------------------------------------------------ the configuration comes back


@pytest.fixture
def hydra_at_conf() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


@pytest.mark.parametrize(
    "overrides",
    [
        ["+experiment=delhi2020", "inference.wall_time=60"],
        ["data=csv", "data.path=a.csv", "data.nota=party", "+data.where={Year: 2020}", "model=[pcm,dm]"],
        ["model=sim", "models.sim.kappa=beta", "inference=rejection", "models.sim.phi=[[1,0],[0,1]]"],
        ["+models.dpm.priors.popularity={around: 1000}", "+models.dpm.priors.prior_mass=[1,2]", "inference=exact"],
        ["inference=explore_exploit", "inference.explore=7", "engine=agent", "seed=9"],
    ],
)
def test_a_configuration_is_restored_from_its_text(hydra_at_conf, overrides):
    cfg = compose("config", overrides)
    text = OmegaConf.to_yaml(cfg, resolve=True)
    again = restore(text)
    assert OmegaConf.to_yaml(again, resolve=True) == text
    assert job_of(again) == job_of(cfg)
    assert again.task is cfg.task


def test_a_users_statistic_is_found_from_the_configuration(hydra_at_conf, here, monkeypatch):
    (here / "mine.py").write_text("def shares(votes, winner):\n    return votes.sum(0)\n\nnumber = 3\n")
    monkeypatch.syspath_prepend(str(here))
    found = job_of(compose("config", ["inference.statistics=mine:shares"])).options.inference.statistics
    assert found(jnp.ones((2, 3)), None).shape == (3,)
    options = job_of(compose("config", ["inference.statistics=log_votes"])).options
    assert options.inference.statistics == "log_votes"
    for wrong, says in (("mine:absent", "a function called absent"), ("mine:number", "function"), ("no.such:f", "No")):
        with pytest.raises(ConfigError, match=rf"inference.statistics: .*{says}"):
            job_of(compose("config", [f"inference.statistics={wrong}"]))


# ------------------------------------------------------------------------------------ runs


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_result(here, monkeypatch, capsys):
    """Ctrl-C while the second of two models is calibrated: the first is not searched again."""
    job = (*JOB, "model=[dpm,dm]")
    assert run(monkeypatch, *job, "hydra.run.dir=whole") == 0
    assert not (here / "whole" / "checkpoints").exists()
    saves = count_saves(monkeypatch)
    assert interrupted(monkeypatch, *job, after=len_of_trace(here / "whole", "dpm") + 2) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "electjax: interrupted",
        "electjax: python -m electjax.run resume=out continues it",
    ]
    assert {"config.yaml", "checkpoints/dm/state.npz", "checkpoints/dpm/state.npz"} <= files(here / "out")
    assert not (here / "out" / "metrics.json").exists()
    saves.clear()
    assert run(monkeypatch, "resume=out") == 0
    assert capsys.readouterr().out.rstrip().splitlines()[-1] == "out"
    assert set(saves) == {"dm"}
    assert_same_result(here / "whole", here / "out")
    assert {path.name for path in here.iterdir()} == {"my.csv", "whole", "out"}


def count_saves(monkeypatch) -> list[str]:
    """The models whose state is saved from now on."""
    save, models = Checkpoint.save, []

    def noted(self, state):
        models.append(self.path.parent.name)
        save(self, state)

    monkeypatch.setattr(Checkpoint, "save", noted)
    return models


def len_of_trace(folder: Path, model: str) -> int:
    """Checkpoints that a finished calibration has saved: one per generation, and one that says why it stopped."""
    with xr.open_datatree(folder / "result.nc", engine="h5netcdf") as tree:
        posterior = tree[f"{model}/fit"]
        return posterior.sizes["generation"] + (posterior.attrs["stopped"] != "tolerance reached")


@pytest.mark.ci
def test_a_killed_run_goes_on_to_the_same_result(here, monkeypatch, capsys):
    """kill -9 as soon as the second generation is on the disk; the other run is never touched."""
    assert run(monkeypatch, *JOB, "hydra.run.dir=whole") == 0
    slowed = """
import sys, time
from electjax.districts.checkpoint import Checkpoint
from electjax.run.main import main
save, saved = Checkpoint.save, []
def slow(self, state):
    save(self, state)
    saved.append(1)
    if len(saved) == 2:
        open("second", "w").close()
        time.sleep(600)
Checkpoint.save = slow
main()
"""
    (here / "slowed.py").write_text(slowed)
    root = str(Path(electjax.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "slowed.py", *JOB]
    with subprocess.Popen(command, cwd=here, env=environment, stderr=subprocess.PIPE) as victim:
        try:
            while not (here / "second").exists():
                assert victim.poll() is None, victim.stderr.read().decode()
                time.sleep(0.05)
        finally:
            victim.kill()
    assert victim.returncode == -signal.SIGKILL
    assert {"config.yaml", "checkpoints/dpm/state.npz"} <= files(here / "out")
    assert len_of_trace(here / "whole", "dpm") > 2, "nothing is left to do after the second generation"
    saves = count_saves(monkeypatch)
    assert run(monkeypatch, "resume=out") == 0
    assert len(saves) == len_of_trace(here / "whole", "dpm") - 2
    assert_same_result(here / "whole", here / "out")


def test_a_run_is_continued_from_another_folder(here, monkeypatch):
    assert interrupted(monkeypatch, *JOB, after=1) == 130
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert run(monkeypatch, f"resume={here / 'out'}") == 0
    assert "metrics.json" in files(here / "out")
    assert not list((here / "elsewhere").iterdir())


@pytest.mark.ci
def test_the_report_says_that_a_run_was_interrupted(here, monkeypatch):
    assert interrupted(monkeypatch, *JOB, "report=true", after=1) == 130
    assert run(monkeypatch, "resume=out") == 0
    page = (here / "out" / "report.html").read_text("utf-8")
    assert "was interrupted and continued" in page
    assert "report=true" in page  # the command that began it
    assert {"figures/trace.png", "figures/parameters_dpm.png"} <= files(here / "out")


@pytest.mark.ci
def test_an_error_after_a_checkpoint_says_how_to_go_on(here, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(electjax.report.result, "write_json", fail)
        assert run(monkeypatch, *JOB) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-2:] == ["electjax: error: disk full", "electjax: python -m electjax.run resume=out continues it"]
    assert run(monkeypatch, "resume=out") == 0
    assert "checkpoints" not in {path.name for path in (here / "out").iterdir()}


def test_what_cannot_be_continued_is_refused_in_one_line(here, monkeypatch, capsys):
    (here / "empty").mkdir()
    (here / "empty" / "notes.txt").write_text("mine")
    (here / "done").mkdir()
    (here / "done" / "config.yaml").write_text("name: x")
    for overrides, says in (
        (["resume=absent"], "resume: no absent"),
        (["resume=empty"], "resume: no empty/config.yaml"),
        (["resume=done"], "resume: done holds a whole run"),
        (["resume=done", "seed=3"], "resume: the run goes on as it was set; expected no other key, got seed=3"),
    ):
        assert run(monkeypatch, *overrides) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert error.startswith(f"electjax: error: {says}")
    assert files(here) == {"my.csv", "empty/notes.txt", "done/config.yaml"}


def test_changed_returns_are_not_continued_with(here, monkeypatch, capsys):
    assert interrupted(monkeypatch, *JOB, after=1) == 130
    before = (here / "my.csv").read_text("utf-8")
    swapped = before.replace("d0,X,", "d0,?,").replace("d0,Y,", "d0,X,").replace("d0,?,", "d0,Y,")
    (here / "my.csv").write_text(swapped, "utf-8")
    assert run(monkeypatch, "resume=out") == 1
    assert "checkpoint of another calibration" in capsys.readouterr().err
    (here / "my.csv").write_text(before, "utf-8")
    assert run(monkeypatch, "resume=out") == 0


@pytest.mark.slow
def test_the_interrupted_job_of_a_sweep_is_continued_into_its_summary(here, monkeypatch, capsys):
    job = [key for key in JOB if not key.startswith("hydra")]
    sweep = ("-m", *job, "seed=0,1", "hydra.sweep.dir=many")
    first = 1 + len_of_first(monkeypatch, here, *job)
    assert interrupted(monkeypatch, *sweep, after=first) == 130
    assert "resume=many/1 continues it" in capsys.readouterr().err
    assert list(pd.read_csv(here / "many" / "sweep.csv")["seed"].unique()) == [0]
    assert run(monkeypatch, "resume=many/1") == 0
    assert list(pd.read_csv(here / "many" / "sweep.csv")["seed"].unique()) == [0, 1]
    assert "failed" not in (here / "many" / "sweep.md").read_text("utf-8")
    assert json.loads((here / "many" / "1" / "job.json").read_text("utf-8"))["error"] is None


def len_of_first(monkeypatch, here: Path, *job: str) -> int:
    """Checkpoints of the sweep's first job, from a run of its own."""
    assert run(monkeypatch, *job, "hydra.run.dir=first") == 0
    return len_of_trace(here / "first", "dpm")
