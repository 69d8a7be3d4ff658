"""The Python of the README and of docs/ runs and prints what it says; the commands name things that exist."""

import doctest
import re
import shlex
import subprocess
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
PAGES = sorted(README.parent.glob("docs/**/*.md"))


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.S)


@pytest.mark.ci  # they calibrate and fit at a size worth reading about
@pytest.mark.parametrize("block", blocks("python"))
def test_python_blocks_print_what_they_say(block):
    assert_runs(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_print_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks("python", page):
        if ">>>" in block:
            assert_runs(block)


def assert_runs(block):
    test = doctest.DocTestParser().get_doctest(block, {}, "README.md", str(README), 0)
    said = []
    result = doctest.DocTestRunner().run(test, out=said.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(said)


def test_commands_are_valid_shell():
    for block in [block for page in (README, *PAGES) for block in blocks("bash", page)]:
        assert subprocess.run(["bash", "-n", "-c", block], check=False).returncode == 0, block


def test_commands_compose():
    from hydra import compose, initialize_config_dir

    from electjax.run.config import conf_dir, job_of

    lines = [line for block in blocks("bash") for line in block.splitlines() if "electjax.run " in line]
    commands = [shlex.split(line.split("electjax.run ")[1]) for line in lines]
    commands = [[word.split(",")[0] if "-m" in command else word for word in command] for command in commands]
    overrides = [[word for word in command if "=" in word and "range" not in word] for command in commands]
    composed = 0
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for given in filter(None, overrides):
            cfg = compose("config", given)
            assert job_of(cfg).task.name == cfg.task.name
            composed += 1
    assert composed >= 4
