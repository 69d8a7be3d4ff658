"""`task=predict`: an earlier run's fit applied to other data, from the run's folder alone."""

import json
import shutil

import pytest

import electjax
from electjax.run.tasks import tasks
from tests.command_line import run

RETURNS = "district,party,votes\n" + "\n".join(f"{d},{p},{v}" for d, p, v in (
    ("a", "X", 100), ("a", "Y", 50), ("b", "X", 10), ("b", "Y", 60), ("c", "X", 70), ("c", "Y", 65)
))  # fmt: skip
DISTRICTS = ("data=csv", "data.path=returns.csv", "model=dm", "runs=2", "optimal_runs=2", "inference=rejection")
WORDS = {
    "districts": (*DISTRICTS, "inference.accept=5", "budget=40", "report=false"),
    "voter_types": ("task=voter_types", "data=yuma_like", "data.voters=80", "voter_types.types=1", "report=false"),
    "calm": ("task=calm", "data=calm_delhi", "data.scale=tiny", "report=false"),
}
DATA = {
    "districts": ("data=csv", "data.path=returns.csv"),
    "voter_types": ("data=yuma_like", "data.voters=50", "data.seed=3"),
    "calm": ("data=calm_delhi", "data.scale=tiny", "data.seed=3"),
}
ABLE = [name for name in WORDS if tasks()["calibrate" if name == "districts" else name].predict is not None]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with a run of each wing that can predict, as fits/<wing>."""
    place = tmp_path_factory.mktemp("predict")
    (place / "returns.csv").write_text(RETURNS, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in ABLE:
            assert run(patch, *WORDS[name], f"hydra.run.dir=fits/{name}") == 0
    return place


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize("wing", ABLE)
def test_a_fit_predicts_other_data_and_leaves_a_folder_like_any_run(here, monkeypatch, capsys, wing):
    assert run(monkeypatch, "task=predict", f"fit=fits/{wing}", *DATA[wing]) == 0, capsys.readouterr().err
    folder = here / capsys.readouterr().out.rstrip().splitlines()[-1]
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"config.yaml", "metrics.json", "data.nc", "result.nc", "report.html"} <= found
    assert any(name.startswith("tables/") for name in found)
    opened = electjax.load(folder)
    assert (opened.task, opened.settings["fit"]) == ("predict", f"fits/{wing}")
    assert opened.metrics["predicted"] == opened.metrics["predicted"]
    assert opened.tables
    assert opened.tree.children


def test_a_sweep_over_seeds_has_a_table(here, monkeypatch, capsys):
    asked = ("task=predict", "fit=fits/districts", *DATA["districts"], "report=false")
    assert run(monkeypatch, "-m", *asked, "seed=1,2") == 0
    folder = here / capsys.readouterr().out.rstrip().splitlines()[-1]
    lines = (folder / "sweep.csv").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("job,seed,")
    assert (folder / "sweep.md").is_file()
    numbers = [json.loads((folder / job / "metrics.json").read_text("utf-8")) for job in ("0", "1")]
    assert numbers[0] != numbers[1]


def said(monkeypatch, capsys, *words: str) -> tuple[int, str]:
    code = run(monkeypatch, "task=predict", "report=false", *words)
    told = capsys.readouterr().err.rstrip()
    assert "\n" not in told, told
    return code, told


def test_what_is_wrong_with_a_fit_is_one_line(here, monkeypatch, capsys):
    code, told = said(monkeypatch, capsys, *DATA["districts"])
    assert (code, "fit: missing" in told) == (2, True), told
    code, told = said(monkeypatch, capsys, "fit=nowhere", *DATA["districts"])
    assert (code, "no such file" in told) == (1, True), told
    code, told = said(monkeypatch, capsys, "fit=fits/districts", "data=yuma_like", "data.voters=50")
    assert (code, "data are ballots" in told) == (2, True), told
    code, told = said(monkeypatch, capsys, "fit=fits/districts/data.nc", *DATA["districts"])
    assert (code, "is 'election'" in told) == (2, True), told
    code, told = said(monkeypatch, capsys, "fit=fits/districts", "data=units", "data.path=units.csv")
    assert (code, "units are for task=ecological" in told) == (2, True), told


def test_a_folder_with_no_fit_or_with_several_says_which(here, monkeypatch, capsys, tmp_path):
    several = tmp_path / "several"
    shutil.copytree(here / "fits" / "districts", several)
    shutil.copy(several / "fit_dm.nc", several / "fit_dpm.nc")
    code, told = said(monkeypatch, capsys, f"fit={several}", *DATA["districts"])
    assert (code, f"fit={several}/fit_dm.nc or fit={several}/fit_dpm.nc" in told) == (2, True), told
    assert run(monkeypatch, "task=predict", f"fit={several}/fit_dm.nc", *DATA["districts"], "report=false") == 0
    for file in several.glob("fit*.nc"):
        file.unlink()
    capsys.readouterr()
    code, told = said(monkeypatch, capsys, f"fit={several}", *DATA["districts"])
    assert (code, "holds no fit" in told) == (2, True), told
