"""From the folder of a run alone: open it, summarise, plot, predict for new booths, and read its tables again."""

import numpy as np
import pytest

import electjax
from electjax.calm.task import TASKS
from electjax.data.verdict import verdict_of
from electjax.report.report import render_page
from tests.command_line import run

QUICK = ("calm.diagnostics=[]", "calm.draws=0", "calm.max_steps=60", "report=false", "hydra.run.dir=one")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        assert run(patch, "+experiment=calm_delhi", "data.scale=tiny", *QUICK) == 0
    return here / "one"


def test_a_run_opens_again_and_is_summarised_and_drawn(folder, capsys):
    again = electjax.load(folder)
    assert again.fit.identical(electjax.calm.load(folder / "fit.nc"))
    assert repr(again.fit).splitlines()[-3].startswith("CALM, recommended model, calm_delhi: 40 booths")
    assert again.verdict == verdict_of(again.fit.attrs)
    capsys.readouterr()
    table = electjax.calm.summary(folder)
    assert again.fit.attrs["about"] in capsys.readouterr().out
    assert table.equals(electjax.calm.summary(again.fit, show=False))
    for kind in ("coefficients", "categories", "booths"):
        by_folder, by_run = (np.ravel(electjax.calm.plot(source, kind)) for source in (folder, again))
        assert len(by_folder) == len(by_run) > 1
    with pytest.raises(electjax.ElectionDataError, match="'placebo' needs permuted_z"):
        electjax.calm.plot(folder, "placebo")


def test_its_tables_are_read_again(folder):
    tables, fit = electjax.load(folder).tables, electjax.load(folder).fit
    assert set(tables) == {"coefficients", "parameters", "cells", "categories", "booths"}
    own = electjax.calm.summary(fit, show=False)
    np.testing.assert_allclose(tables["coefficients"]["estimate"], own["estimate"][:4])
    assert len(tables["booths"]) == 40 * 4
    assert tables["cells"]["party"].unique().tolist() == fit["party"].values.tolist()


def test_it_predicts_new_booths(folder):
    fit, booths = electjax.load(folder).fit, electjax.calm.simulate("tiny", seed=5)
    found = electjax.calm.predict(folder, booths)
    assert found.attrs["verdict"] == fit.attrs["verdict"]
    predict = TASKS[0].predict
    assert predict.fits == (fit.attrs["conventions"],)
    result = predict.run(fit, booths, 0, lambda name: lambda *_: None)
    tables = predict.tables(result)
    assert set(tables) == {"parties", "constituencies", "booths"}
    np.testing.assert_allclose(tables["parties"]["votes"], found["party_votes"])
    assert {"share_low", "share_high"} <= set(tables["parties"])
    assert tables["constituencies"]["votes"].sum() == pytest.approx(tables["parties"]["votes"].sum())
    page = render_page(predict.report(result), [])
    assert "The fit expects" in page
    assert "These booths have polled" in page
    assert np.ravel(electjax.calm.plot(result.tree["prediction"].to_dataset()))[0].get_xlabel() == "share of the votes"
