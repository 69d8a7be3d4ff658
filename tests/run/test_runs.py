"""The folder of a run, opened again from Python."""

import json
import shutil

import pytest

import electjax
from electjax import ElectionDataError, ElectionDataWarning
from electjax.runs import Run
from tests.command_line import run

WORDS = ("task=voter_types", "data=yuma_like", "data.voters=80", "voter_types.types=1", "report=false")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert run(patch, *WORDS) == 0
    return next((place / "outputs").glob("*/*"))


def test_a_run_opens_with_everything_it_left(folder):
    opened = electjax.load(folder)
    assert isinstance(opened, Run)
    assert opened.task == "voter_types"
    assert opened.settings["data"]["voters"] == 80
    assert opened.metrics["voters"] == opened.data.sizes["voter"] == 80
    assert opened.data.attrs["conventions"] == "electjax ballots"
    assert opened.tree["fit"].sizes["type"] == 1
    assert str(folder) in repr(opened)


def test_what_is_not_there_is_said_in_a_line(folder, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    for name in ("config.yaml", "metrics.json"):
        (half / name).write_bytes((folder / name).read_bytes())
    opened = electjax.load(half)
    with pytest.raises(ElectionDataError, match="no such file"):
        _ = opened.data
    with pytest.raises(ElectionDataError, match="no fit: task=voter_types"):
        _ = opened.fit
    with pytest.raises(ElectionDataError, match=r"no result\.nc"):
        _ = opened.tree
    (half / "result.nc").write_bytes((folder / "result.nc").read_bytes()[:3000])
    with pytest.raises(ElectionDataError) as error:
        _ = opened.tree
    assert "\n" not in str(error.value)
    (half / "metrics.json").write_text("{")
    with pytest.raises(ElectionDataError, match=r"metrics\.json: cannot be read"):
        electjax.load(half)
    assert json.loads((folder / "metrics.json").read_text("utf-8"))


def test_a_run_shows_its_report_and_a_sweep_is_its_runs(folder, tmp_path):
    sweep = tmp_path / "sweep"
    for job in ("0", "10"):
        shutil.copytree(folder, sweep / job)
    (sweep / "multirun.yaml").write_text("{}")
    (sweep / "sweep.csv").write_text("")
    assert list(electjax.load(sweep)) == [0, 10]
    (sweep / "2").mkdir()
    with pytest.warns(ElectionDataWarning, match="job 2 of the sweep failed"):
        assert electjax.load(sweep)[10].metrics["voters"] == 80
    for job in ("0", "10"):
        shutil.rmtree(sweep / job)
    with pytest.raises(ElectionDataError, match="a sweep without a result"):
        electjax.load(sweep)
    opened = electjax.load(folder)
    assert opened.report is None
    assert opened.figures == {}
    assert "report.html" not in opened._repr_html_()
    shown = tmp_path / "<shown>"
    shutil.copytree(folder, shown)
    (shown / "figures").mkdir()
    (shown / "figures" / "shares.png").write_bytes(b"")
    (shown / "report.html").write_text("")
    opened = electjax.load(shown)
    assert opened.figures == {"shares": shown / "figures" / "shares.png"}
    assert opened.report == shown / "report.html"
    assert "&lt;shown&gt;" in opened._repr_html_()
    assert "report.html</a>" in opened._repr_html_()
