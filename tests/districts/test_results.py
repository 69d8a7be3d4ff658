"""From the folder of a run alone: opened, summarised, drawn, applied to other returns, exported; names as they are."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import electjax
from electjax import ElectionDataError
from electjax.data.verdict import verdict_of
from electjax.districts.report.page import figures, report
from electjax.districts.task import TASKS
from electjax.districts.verbs.plot import _PLOTS
from electjax.report.report import write_report
from tests.command_line import run

LONG = "Party of the " + "very " * 37 + "end"
NAMES = ["$x_1$ & \\frac", "<b>50 %</b> 🗳", "=আপ দল_", LONG]
OF_CHECKS = {"ranks", "coverage", "tarp", "models"}


def write_returns(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    rows = [
        {"district": f"D_{d} $ <{d}>", "party": name, "votes": votes}
        for d in range(8)
        for name, votes in zip(NAMES, rng.multinomial(900, rng.dirichlet([9.0, 7.0, 3.0, 1.0])), strict=True)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    write_returns(place / "mine.csv", 0)
    words = [
        "task=counterfactual",
        "data=csv",
        "data.path=mine.csv",
        "model=dm",
        "runs=6",
        "optimal_runs=8",
        "budget=400",
    ]
    words += ["inference=smc", "scenarios.more.districts=12", "seed=1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert run(patch, *words) == 0
    return next((place / "outputs").glob("*/*"))


@pytest.fixture(scope="module")
def opened(folder):
    return electjax.load(folder)


def test_the_run_opens_with_its_fit_and_its_verdict(opened):
    assert list(opened.fits) == ["dm"]
    assert opened.fit.attrs["conventions"] == "electjax calibration"
    assert opened.verdict == verdict_of(opened.fit.attrs)
    assert opened.metrics["verdict"]["level"] == opened.fit.attrs["verdict"]
    assert opened.metrics["simulations"] > 400
    assert opened.fit.attrs["simulations"] <= 400


def test_a_summary_of_the_folder_prints_the_verdict_first(folder, opened, capsys):
    table = electjax.districts.summary(folder)
    said = capsys.readouterr().out
    assert table.index.tolist() == ["concentration"]
    assert {"mean", "sd", "low", "high", "optimal", "contraction", "identified", "ess"} <= set(table)
    for reason in opened.verdict.reasons:
        assert reason in said
    assert "DM calibrated to" in said
    assert electjax.districts.summary(opened.fit, show=False).equals(table)
    assert capsys.readouterr().out == ""


def test_every_figure_of_the_report_is_a_kind_of_plot(folder, opened):
    drawn = list(figures(opened.tree, opened.metrics))
    kinds = {figure.file.removesuffix(".png").partition("_")[0] for figure in drawn}
    assert kinds <= set(_PLOTS)
    assert set(_PLOTS) - kinds - OF_CHECKS <= {"pairs", "trace"}  # one parameter; perhaps one generation
    assert {path.stem for path in (folder / "figures").iterdir()} == {figure.file[:-4] for figure in drawn}
    for kind in kinds:
        axes = np.ravel(electjax.districts.plot(folder, kind))
        assert len(axes)
        axes[0].figure.draw_without_rendering()
    with pytest.raises(ElectionDataError, match=r"plot\(kind=\): found 'seat'; .* did you mean seats"):
        electjax.districts.plot(folder, "seat")
    assert np.size(electjax.districts.plot(folder))
    assert np.size(electjax.districts.plot(folder / "fit_dm.nc", "parameters"))


def test_tables_are_read_back_with_names_as_they_are(opened):
    tables = opened.tables
    assert set(tables) >= {"seats", "districts", "calibrations", "parameters", "scenarios"}
    safe = [f"'{name}" if name.startswith("=") else name for name in NAMES]
    assert set(tables["seats"]["party"]) == set(safe)
    seats = tables["seats"].query("stage == 'default'").set_index("party")
    assert seats.loc[safe[0], "mean"] == pytest.approx(
        opened.metrics["models"]["dm"]["default"]["seats_mean"][NAMES[0]]
    )
    assert seats["observed"].sum() == 8
    places = tables["districts"].query("stage == 'optimal'")
    assert len(places) == 8 * 4
    assert places.groupby("district")["p_win"].sum().to_numpy() == pytest.approx(1.0)
    assert places.groupby("district")["share_mean"].sum().to_numpy() == pytest.approx(1.0)
    assert set(places["observed_winner"]) | set(places["expected_winner"]) <= set(safe)
    assert set(tables["scenarios"]["scenario"]) == {"baseline", "more"}
    assert tables["calibrations"]["verdict"].tolist() == [opened.verdict.level]


def test_the_page_has_every_name_as_it_was_written(folder):
    html = (folder / "report.html").read_text("utf-8")
    assert "&lt;b&gt;50 %&lt;/b&gt; 🗳" in html
    assert LONG in html
    assert "$x_1$ &amp; \\frac" in html
    assert "could not be drawn" not in html
    assert "posterior</" not in html or electjax.load(folder).fit.attrs["verdict"] != "not usable"


def test_a_fit_predicts_other_returns(folder, opened, tmp_path):
    election = electjax.districts.read(write_returns(tmp_path / "other.csv", 5))
    made = electjax.districts.predict(opened.fit, election, runs=8)
    assert made["seats"].sum("party").values.tolist() == [8] * 8
    (task,) = [task for task in TASKS if task.name == "calibrate"]
    result = task.predict.run(opened.fit, election, 0, lambda name: lambda *_: None)
    assert opened.fit.attrs["conventions"] in task.predict.fits
    json.dumps(result.metrics, allow_nan=False)
    tables = task.predict.tables(result)
    assert set(tables["seats"].index.unique("stage")) == {"prediction"}
    assert len(tables["districts"]) == 8 * 4
    told = task.predict.report(result)
    assert told.headline[0].startswith("As calibrated to mine, DM gives ")
    assert told.verdict == opened.verdict
    assert not any("could not be drawn" in fault for fault in write_report(tmp_path, told, config=""))


def test_the_headline_leads_with_the_scenario(opened):
    first = report(opened).headline[0]
    assert first.startswith("By DM, under “more” ")
    assert re.search(r" would win \d+ \(\d+–\d+\) of 12 seats instead of \d+ \(\d+–\d+\) of 8\.", first)


def test_a_run_without_a_calibration_is_summarised_by_its_elections(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parents[2])
    where = f"hydra.run.dir={tmp_path}/simulated"
    assert run(monkeypatch, "task=simulate", "data=csv", "data.path=mine.csv", "model=dm", "runs=6", where) == 0
    table = electjax.districts.summary(tmp_path / "simulated", show=False)
    assert set(table.index) == set(NAMES)
    assert electjax.load(tmp_path / "simulated").verdict is None
    told = report(electjax.load(tmp_path / "simulated"))
    assert told.headline[0].startswith("At its default parameters, DM gives ")
    with pytest.raises(ElectionDataError, match="no fit"):
        _ = electjax.load(tmp_path / "simulated").fit


def test_what_is_neither_is_said_in_a_line(tmp_path):
    with pytest.raises(ElectionDataError, match="found int; expected a Dataset, its file or the folder of a run"):
        electjax.districts.summary(3)
    (tmp_path / "config.yaml").write_text("task: calm\n")
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(ElectionDataError, match="a run of task=calm; expected a run of task=calibrate"):
        electjax.districts.plot(tmp_path)


def test_a_run_of_several_fits_names_their_files(folder, tmp_path):
    for name in ("config.yaml", "metrics.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ElectionDataError, match="a run with no fit; expected a run with one fit"):
        electjax.districts.predict(tmp_path, "delhi2020")
    for name in ("dm", "dpm"):
        (tmp_path / f"fit_{name}.nc").write_bytes((folder / "fit_dm.nc").read_bytes())
    with pytest.raises(
        ElectionDataError, match=r"a run with fit_dm.nc, fit_dpm.nc; .* give the file, as in .*fit_dm.nc"
    ):
        electjax.districts.predict(tmp_path, "delhi2020")
    assert electjax.districts.summary(tmp_path, show=False).index.unique("model").tolist() == ["dm", "dpm"]
