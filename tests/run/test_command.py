"""What the command says and how it ends: help of a task, exit codes, signals, quiet, completion in the shell."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import electjax
from electjax.run.tasks import tasks
from tests.command_line import run

SMALL = ("task=voter_types", "data=yuma_like", "data.voters=60", "voter_types.types=1", "report=false")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "task", "never"),
    [
        (("task=calm",), "calm", ("voter_types", "budget=", "data=csv")),
        (("data=csv",), "calibrate", ("calm", "data=ballots")),
        (("data=ballots",), "voter_types", ("calm", "budget=", "data=csv")),
        (("task=predict",), "predict", ("budget=", "calm.", "seats_")),
        (("task=validate",), "validate", ("budget=", "calm.")),
    ],
)
def test_help_shows_the_task_that_is_chosen_and_no_other(here, monkeypatch, capsys, words, task, never):
    assert run(monkeypatch, *words, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"task={task}: ")
    assert not [word for word in never if f"\n  {word}" in said]
    assert ("\n  fit=" in said) == (task == "predict")
    assert max(map(len, said.splitlines())) < 120
    assert not list(here.iterdir())


def test_quiet_is_the_result_alone_and_the_folder_comes_last(here, monkeypatch, capsys):
    assert run(monkeypatch, *SMALL, "quiet=true") == 0
    out, err = capsys.readouterr()
    assert "1 type" not in err
    assert Path(out.rstrip().splitlines()[-1], "metrics.json").is_file()
    assert run(monkeypatch, *SMALL) == 0
    stages = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("1 type", "results"))]
    assert [line.split(":")[0] for line in stages] == ["1 type", "results"]


def test_the_exit_code_tells_what_is_wrong(here, monkeypatch, capsys):
    assert run(monkeypatch, "rums=3") == 2
    assert run(monkeypatch, "data=csv", "data.path=nowhere.csv") == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
    monkeypatch.setattr(electjax.voter_types, "fit", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    assert run(monkeypatch, *SMALL) == 130
    assert "electjax: interrupted; the unfinished run left nothing behind" in capsys.readouterr().err
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(electjax.voter_types, "fit", lambda *_, **__: (os.kill(os.getpid(), signal.SIGTERM), 1 / 0))
    assert run(monkeypatch, *SMALL) == 143
    assert "electjax: ended; the unfinished run left nothing behind" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before
    assert not list(here.glob("outputs/*/*"))


def completed(line: str, folder: Path) -> list[str]:
    """What the shell is offered at the end of a line."""
    known = os.environ | {"PYTHONPATH": str(Path(electjax.__file__).parents[1]), "COMP_LINE": line}
    command = [sys.executable, "-m", "electjax.run", "-sc", "query=bash"]
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.ci
def test_the_shell_completes_groups_options_and_keys(tmp_path):
    assert "data=csv" in completed("electjax data=c", tmp_path)
    assert {f"voter_types.{name}=" for name in ("restarts", "types")} <= set(
        completed("electjax voter_types.", tmp_path)
    )
    command = [sys.executable, "-m", "electjax.run", "-sc", "install=bash"]
    known = os.environ | {"PYTHONPATH": str(Path(electjax.__file__).parents[1])}
    script = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=True).stdout
    assert "complete " in script


def test_every_task_is_in_the_short_help():
    from electjax.run.help import short_help

    assert all(f"task={name} " in short_help() for name in tasks())
    assert len(short_help().splitlines()) < 30
