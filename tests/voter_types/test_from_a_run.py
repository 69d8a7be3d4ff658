"""A run of the command line, opened again from its folder alone: summary, figures, prediction, tables; any names."""

import numpy as np
import pandas as pd
import pytest

import electjax
from electjax.report.report import render_page
from electjax.report.result import Result
from electjax.voter_types.task import TASKS
from tests.command_line import run

NAMES = {
    r"$\frac{$ Mayor_1": ["US$ and A$", r"C:\new\table", "no vote"],
    "Clerk <b>of</b> Court & 100 % " + "x" * 170: ["Ann_Smith", "बहुजन समाज पार्टी", "no vote"],
    "=SUM(A1)": ["😀 Party", "A" * 200, "no vote"],
    "Sheriff": ["+1", "অসম গণ পৰিষদ", "no vote"],
}
CHANCE = np.array([[0.85, 0.1, 0.05], [0.15, 0.8, 0.05]])


def cast(voters=300):
    """Votes of two types of voters."""
    rng = np.random.default_rng(5)
    own = rng.integers(0, 2, voters)
    columns = {"voter": np.arange(voters)}
    for office, options in NAMES.items():
        code = (rng.random((voters, 1)) > CHANCE[own].cumsum(1)[:, :2]).sum(1)
        columns[office] = np.array(options, dtype=object)[code]
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What one small run of the command line left, and nothing else of it."""
    here = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        cast().to_csv("ballots.csv", index=False)
        arguments = ("voter_types.types=2", "voter_types.restarts=4", "hydra.run.dir=one")
        assert run(patch, "task=voter_types", "data=ballots", "data.path=ballots.csv", *arguments) == 0
    (here / "ballots.csv").unlink()
    return here / "one"


def test_a_run_opens_and_its_fit_is_summed_up(folder, capsys):
    opened = electjax.load(folder)
    assert opened.task == "voter_types"
    assert list(opened.fits) == ["fit"]
    assert opened.data.sizes["voter"] == 300
    assert opened.verdict is not None
    tables = [
        electjax.voter_types.summary(given, show=False) for given in (folder, folder / "fit.nc", opened, opened.fit)
    ]
    assert all(table.equals(tables[0]) for table in tables)
    assert set(tables[0].index.get_level_values("option")) == {name for row in NAMES.values() for name in row}
    electjax.voter_types.summary(folder)
    printed = capsys.readouterr().out
    assert "in 300 ballots with 4 offices; converged" in printed
    assert "choose অসম গণ পৰিষদ (of all voters" in printed


@pytest.mark.parametrize("kind", ["propensities", "shares", "sharpness", "maxima", "residuals"])
def test_a_run_has_the_figures_of_its_report(folder, kind):
    axes = electjax.voter_types.plot(folder, kind)
    assert (folder / "figures" / f"{kind}.png").is_file()
    assert np.ravel(axes)[0].figure.get_figwidth() <= 9.6


def test_names_are_written_as_they_are(folder):
    html = (folder / "report.html").read_text("utf-8")
    for name in ("$\\frac{$ Mayor_1", "&lt;b&gt;of&lt;/b&gt; Court &amp; 100 %", "😀 Party", "A" * 200, "অসম গণ পৰিষদ"):
        assert name in html, name
    assert "could not be drawn" not in html
    tables = electjax.load(folder).tables
    assert {"types", "shares", "membership", "residuals"} == set(tables)
    types = tables["types"]
    assert set(types["office"]) == {f"'{name}" if name[0] == "=" else name for name in NAMES}
    assert {"'+1", "😀 Party", "A" * 200, "C:\\new\\table"} <= set(types["option"])
    assert types.groupby(["type", "office"])["probability"].sum().round(6).eq(1).all()
    assert tables["shares"]["share"].sum() == pytest.approx(1)
    assert (tables["types"]["low"] <= tables["types"]["probability"]).all()
    assert len(tables["residuals"]) == 6


def test_a_fit_of_a_run_is_applied_to_other_ballots(folder):
    opened = electjax.load(folder)
    other = opened.data.isel(voter=slice(0, 50), office=[0, 3])
    found = electjax.voter_types.predict(folder, other)
    assert found["zeta"].sum("type").values == pytest.approx(1)
    assert "which of 2 types each of 50 voters is of" in repr(found)
    (task,) = TASKS
    assert task.predict is not None
    assert opened.fit.attrs["conventions"] in task.predict.fits
    result = task.predict.run(opened.fit, other, 0, lambda text: lambda done, total, line: None)
    assert isinstance(result, Result)
    assert result.tree["prediction"]["zeta"].values == pytest.approx(found["zeta"].values)
    assert result.metrics["shares"] == pytest.approx(found["zeta"].mean("voter").values)
    tables = task.predict.tables(result)
    assert len(tables["voters"]) == 50
    assert tables["voters"]["likeliest_type"].tolist() == found["modal_type"].values.tolist()
    report = task.predict.report(result)
    assert report.headline[0].startswith("Of 50 voters ")
    assert report.verdict is not None
    assert "US$ and A$" in render_page(report, [])
