"""Task `ecological` and the units it generates: configuration, what it prints and leaves behind, a sweep's summary.

Runs of the command line use a stand-in for the estimate, or a baseline, which is quick; the last test is the real one.
"""

import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import electjax
from electjax.data.schema import conform
from electjax.ecological import task
from electjax.ecological.codec import with_checks
from electjax.ecological.options import EstimateOptions, TaskOptions
from electjax.ecological.schema import ESTIMATE, OTHER
from electjax.ecological.task import method_metrics
from tests.command_line import run

SMALL = ("data.contests=3", "data.units=8", "data.rows=3", "data.parties=3")
BASELINES = ["goodman", "least_squares", "em", "independence"]
TABLE = ("contest", "row", "column")


estimate = electjax.ecological.estimate  # as it is


def pretend_estimate(units, *, seed=0, progress=None, **options) -> xr.Dataset:
    """The table of independence as an estimate with intervals; nearer to the truth the nearer the context is to .6."""
    if options.get("method", "context") != "context":
        return estimate(units, **options)
    result = estimate(units, method="independence")
    context, total = options["context"], result["cells"].sum("column")
    toward = {beta: 1 - abs(beta - 0.6) for beta in sorted({context, *options["contexts"]})}
    truth = result["truth"] if "truth" in result else result["cells"]
    tables = [part * truth + (1 - part) * result["cells"] for part in toward.values()]
    result["cells_by_context"] = xr.concat(tables, xr.IndexVariable("context", list(toward)))
    result["cells"] = result["cells_by_context"].sel(context=context, drop=True)
    result["share"] = result["cells"] / total
    noise = np.random.default_rng(seed).normal(0, 0.05, (20, 1, 1, 1))
    result["draws"] = (("draw", *TABLE), result["cells"].values * (1 + noise))
    ends = np.quantile(result["draws"].values, [[0.1, 0.9], [0.025, 0.975]], axis=0)
    for n, name in enumerate(("share_low", "share_high")):
        result[name] = xr.DataArray(ends[:, n], dims=("level", *TABLE)) / total
    result = result.assign_coords(level=[0.8, 0.95], kind=["own party", "cross", "other"])
    result["unit_cells"] = result["row_margin"] * result["column_margin"] / result["row_margin"].sum("row")
    result["kind_logit"] = ("kind", [2.0, 0.0, 0.0])
    result.attrs |= {"method": "context", "context": context, "context_sd": 0.15, "steps": 7, "converged": 1}
    result.attrs["called"] = json.dumps(options)
    progress(3, 3, "done")
    return conform(with_checks(result), ESTIMATE)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder, with the stand-in in place and no compilation cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELECTJAX_CACHE", "off")
    monkeypatch.setattr(electjax.ecological, "estimate", pretend_estimate)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text("utf-8"))


# ------------------------------------------------------------------------------------ generated units


def test_generated_units_have_their_truth():
    units = electjax.ecological.simulate(contests=3, units=10, rows=4, parties=5, fielded=0.6, merge_below=0.0, seed=2)
    tables = units["unit_truth"].values
    assert (units["row_margin"].values == tables.sum(axis=2)).all()
    assert (units["column_margin"].values == tables.sum(axis=1)).all()
    of = np.searchsorted(units["contest"].values, units["unit_contest"].values)
    for d in range(3):
        assert (units["truth"].values[d] == tables[of == d].sum(axis=0)).all()
    assert units["row_name"].values[0].tolist() == ["Anchor", "Beacon", "Cedar", OTHER]
    for names, parties in zip(units["column_name"].values, units["column_party"].values, strict=True):
        for name, party in zip(names, parties, strict=True):
            assert name == party if party in ("", OTHER) else name.endswith(f" ({party})")
    planted = json.loads(units.attrs["parameters"])
    assert planted["context"] == 0.6
    assert np.shape(planted["pair_logit"]) == (4, 5)
    assert len(planted["correlations"]) == 3


def test_the_same_seed_gives_the_same_units_which_a_file_keeps(tmp_path):
    options = {"contests": 2, "units": 4, "rows": 3, "parties": 3, "traits": 2}
    units = electjax.ecological.simulate(**options, seed=1)
    xr.testing.assert_identical(units, electjax.ecological.simulate(**options, seed=1))
    assert not units["column_margin"].equals(electjax.ecological.simulate(**options, seed=2)["column_margin"])
    electjax.ecological.save(units, tmp_path / "units.nc")
    xr.testing.assert_identical(electjax.ecological.read(tmp_path / "units.nc"), units)


def test_a_partys_voters_stay_with_it_and_groups_have_none():
    """Mean log odds of own-party cells against the cross cells of their rows, over many contests."""
    options = {"contests": 150, "units": 4, "rows": 3, "parties": 3, "fielded": 1.0, "merge_below": 0.0}
    gaps = {}
    for kind in ("votes", "groups"):
        units = electjax.ecological.simulate(**options, kind=kind, context=0.0, correlation=0.0, pair_sd=0.0, seed=3)
        assert units.attrs["rows"] == kind
        truth = units["truth"].values + 0.5
        # each party against the other with both rows: candidates' strengths cancel
        odds = np.log(truth[:, 0, 0] * truth[:, 1, 1] / (truth[:, 0, 1] * truth[:, 1, 0])) / 2
        gaps[kind] = odds.mean(), odds.std() / np.sqrt(len(odds))
    assert abs(gaps["votes"][0] - 2.0) < 4 * gaps["votes"][1]
    assert abs(gaps["groups"][0]) < 4 * gaps["groups"][1]
    assert (units["row_party"].values[:, :2] == "").all()


def test_context_makes_units_more_different_than_their_rows():
    """With an exponent, people of one row vote more for a party where it is strong."""
    slopes = {}
    for context in (0.0, 0.8):
        units = electjax.ecological.simulate(
            contests=20, units=30, rows=3, parties=3, context=context, unit_sd=1.0, merge_below=0, seed=4
        )
        table = units["unit_truth"].values
        with np.errstate(invalid="ignore"):
            loyal = table[:, 0, 0] / table[:, 0].sum(axis=1)
        part = table[:, 0].sum(axis=1) / table.sum(axis=(1, 2))
        use = table[:, 0].sum(axis=1) > 20
        slopes[context] = np.polyfit(part[use], loyal[use], 1)[0]
    assert slopes[0.8] > slopes[0.0] + 0.1


def test_those_who_do_not_vote_are_a_column_and_traits_are_shared():
    units = electjax.ecological.simulate(contests=4, units=6, rows=3, parties=3, abstention=0.3, traits=2, seed=5)
    stayed = units["column_name"].values == "did not vote"
    assert (stayed.sum(axis=1) == 1).all()
    share = units["truth"].values.sum(axis=1)[stayed].sum() / units["truth"].values.sum()
    assert 0.15 < share < 0.5
    assert list(units["axis"].values) == ["background"]
    assert set(np.unique(units["row_category"].values)) == {"", "farm", "trade"}
    assert (units["column_category"].values[..., 0][stayed] == "").all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"contests": 0}, "contests=): found 0; expected a whole number of at least 1"),
        ({"rows": 2.5}, "rows=): found 2.5"),
        ({"context": -0.1}, "context=): found -0.1; expected an exponent"),
        ({"correlation": 1.0}, "correlation=): found 1.0"),
        ({"tau": (0.1, 0.2)}, "tau=): found (0.1, 0.2); expected 3 numbers of at least 0: own party, cross, other"),
        ({"traits": 9}, "traits=): found 9; expected a whole number from 0 to 6"),
        ({"kind": "people"}, "kind"),
    ],
)
def test_what_cannot_be_generated_is_refused(options, says):
    with pytest.raises(electjax.ElectionDataError) as error:
        electjax.ecological.simulate(**options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------ a run and its folder


def test_the_experiment_leaves_one_complete_folder(here, monkeypatch, capsys):
    assert run(monkeypatch, "+experiment=ecological", *SMALL, "seed=1", "hydra.run.dir=one") == 0
    printed = capsys.readouterr()
    assert "estimate: 3 of 3" in printed.err
    assert "least_squares: done" in printed.err
    assert "Goodman's regression" in printed.out
    assert "0.6 (assumed)" in printed.out
    folder = here / "one"
    found = files(folder)
    assert {"config.yaml", "metrics.json", "result.nc", "data.nc", "fit.nc", "tables/cells.csv", "report.html"} <= found
    assert {"figures/all.png", "figures/context.png", "figures/truth.png", "figures/errors.png"} <= found
    metrics = metrics_of(folder)
    assert (metrics["data"], metrics["contests"], metrics["counted"], metrics["context"]) == ("ecological", 3, 3, 0.6)
    assert list(metrics["methods"]) == ["context", *BASELINES]
    assert metrics["methods"]["independence"]["mean_ei"] > metrics["mean_ei"] == pytest.approx(0, abs=1e-9)
    assert metrics["by_context"]["0.3"]["mean_ei"] == pytest.approx(0.3 * metrics["methods"]["independence"]["mean_ei"])
    assert metrics["intervals"]["0.95"] == {"coverage": 1.0, "width": metrics["intervals"]["0.95"]["width"]}
    assert metrics["planted"]["seed"] == 1
    assert metrics["converged"] is True
    assert metrics["seconds"] >= sum(found["seconds"] for found in metrics["methods"].values())
    units, cells = electjax.ecological.read(folder / "data.nc"), electjax.load(folder).fit
    options = {"contests": 3, "units": 8, "rows": 3, "parties": 3, "seed": 1, "name": "ecological"}
    xr.testing.assert_identical(units, electjax.ecological.simulate(**options))
    assert cells.sizes["draw"] == 20
    assert json.loads(cells.attrs["called"])["tau"] == [0.15, 0.15, 0.3]
    with xr.open_datatree(folder / "result.nc", engine="h5netcdf") as tree:
        assert set(tree.children) == {"fit", *BASELINES}
        assert set(tree["fit"].dims) & {"draw", "unit"} == set()
        assert tree["em"].attrs["method"] == "em"
    config = (folder / "config.yaml").read_text("utf-8")
    assert "baselines:" in config
    assert "calm:" not in config
    assert "budget" not in config
    html = (folder / "report.html").read_text("utf-8")
    assert "with a context exponent of 0.6" in html


def test_a_users_file_with_its_truth(here, monkeypatch, capsys):
    write_tables(here, electjax.ecological.simulate(contests=3, units=8, rows=3, parties=3, merge_below=0.0, seed=6))
    arguments = ["task=ecological", "data=units", "data.path=my.csv.gz", "data.truth=truth.csv", "report=false"]
    assert run(monkeypatch, *arguments, "ecological.baselines=[]", "hydra.run.dir=one", "data.kind=votes") == 0
    metrics = metrics_of(here / "one")
    assert (metrics["data"], metrics["counted"], metrics["rows"]) == ("my", 3, "votes")
    assert list(metrics["methods"]) == ["context"]
    assert metrics["mean_ei"] == pytest.approx(0, abs=1e-9)
    assert "planted" not in metrics
    assert "against the truth" in capsys.readouterr().out


def test_a_wide_file_by_a_baseline_without_truth(here, monkeypatch):
    frame = pd.DataFrame({"black": [10, 20, 5], "white": [90, 30, 45], "dem": [40, 35, 12], "rep": [60, 15, 38]})
    frame.to_csv(here / "wide.csv", index=False)
    arguments = ["task=ecological", "data=units", "data.path=wide.csv", "data.rows=[black,white]"]
    arguments += ["data.columns=[dem,rep]", "ecological.method=goodman", "ecological.baselines=[goodman]"]
    assert run(monkeypatch, *arguments, "report=false", "hydra.run.dir=one") == 0
    metrics = metrics_of(here / "one")
    assert (metrics["method"], metrics["counted"], metrics["mean_ei"]) == ("goodman", 0, None)
    assert list(metrics["methods"]) == ["goodman"]
    assert "context" not in metrics
    cells = electjax.ecological.load(here / "one")
    assert cells["cells"].sum(("row", "column")).values == pytest.approx(200)
    truth = ["data.truth={black:{dem:a,rep:b},white:{dem:c,rep:d}}"]
    frame.assign(a=[8, 18, 4], b=[2, 2, 1], c=[32, 17, 8], d=[58, 13, 37]).to_csv(here / "wide.csv", index=False)
    assert run(monkeypatch, *arguments, *truth, "report=false", "hydra.run.dir=two") == 0
    assert metrics_of(here / "two")["mean_ei"] > 0


def test_the_options_of_tables_are_keys(here, monkeypatch, capsys):
    frame = pd.DataFrame({"voters": [100, 50, 80], "black": [0.1, 0.4, 0.5], "white": [0.9, 0.6, 0.5]})
    frame = frame.assign(dem=[0.4, 0.6, 0.25], rep=[0.6, 0.3, 0.65], year=[2020, 2020, 2024], Ort=["a", "b", "c"])
    frame.to_csv(here / "shares.csv", index=False)
    arguments = ["task=ecological", "data=units", "data.path=shares.csv", "data.rows=[black,white]", "data.unit=Ort"]
    arguments += ["data.columns=[dem,rep]", "data.where={year: [2020]}", "ecological.method=independence"]
    arguments += ["ecological.baselines=[]", "report=false", "hydra.run.dir=one"]
    assert run(monkeypatch, *arguments) == 1
    assert "pass data.total='voters', the column of voters" in capsys.readouterr().err
    assert run(monkeypatch, *arguments, "data.total=voters") == 0
    units = electjax.load(here / "one").data
    assert units["unit_name"].values.tolist() == ["a", "b"]
    assert units["column_margin"].values.tolist() == [[40, 60], [33, 17]]  # .1 may be rounding
    long = electjax.ecological.simulate(contests=2, units=4, rows=2, parties=2, merge_below=0.0, seed=6)
    write_tables(here, long)
    renamed = pd.read_csv(here / "my.csv.gz").rename(columns={"option": "Partei"})
    renamed.to_csv(here / "renamed.csv", index=False)
    arguments = ["task=ecological", "data=units", "data.path=renamed.csv", "data.columns={option: Partei}"]
    arguments += ["ecological.method=independence", "ecological.baselines=[]", "report=false", "hydra.run.dir=two"]
    assert run(monkeypatch, *arguments) == 0


@pytest.mark.slow
def test_a_sweep_over_the_context_finds_what_was_planted(here, monkeypatch, capsys):
    arguments = ("ecological.context=0.3,0.5,0.9", "seed=0,1")
    assert run(monkeypatch, "-m", "+experiment=ecological", *SMALL, *arguments) == 0
    (folder,) = (here / "multirun" / "ecological").iterdir()
    table = pd.read_csv(folder / "sweep.csv")
    assert len(table) == 6
    assert {"ecological.context", "seed", "mean_ei", "coverage_95", "width_80", "own_candidate"} <= set(table.columns)
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    said = (folder / "sweep.md").read_text("utf-8")
    assert "Least error: ecological.context=0.5, with a mean EI of" in said
    assert "(mean over 2 data sets); next ecological.context=" in said
    assert not (folder / "0" / "report.html").exists()
    assert metrics_of(folder / "0")["methods"].keys() == {"context"}


@pytest.mark.ci
def test_a_sweep_over_tau_and_one_that_knows_no_truth(here, monkeypatch):
    arguments = ("ecological.tau=[0.1,0.1,0.3],0.2", "seed=4")
    assert run(monkeypatch, "-m", "+experiment=ecological", *SMALL, *arguments) == 0
    (folder,) = (here / "multirun" / "ecological").iterdir()
    called = [json.loads(electjax.ecological.load(folder / job).attrs["called"])["tau"] for job in "01"]
    assert called == [[0.1, 0.1, 0.3], [0.2, 0.2, 0.2]]
    table = pd.DataFrame({"ecological.context": [0.3, 0.6], "mean_ei": [np.nan] * 2, "own_candidate": [0.4, 0.5]})
    assert task.least_error(table, ["ecological.context"]) == ""
    (figure,) = task.sweep_figures(table, ["ecological.context"], [])
    assert figure.axes[0].get_ylabel() == "own candidates' share of the votes"


def test_settings_are_compared_on_the_seeds_that_all_have():
    rows = [(0.3, 0, 5.0), (0.6, 0, 4.0), (0.3, 1, 3.0), (0.6, 1, 2.5), (0.3, 2, 0.1)]
    table = pd.DataFrame(rows, columns=["ecological.context", "seed", "mean_ei"])
    keys = ["ecological.context", "seed"]
    said = task.least_error(table, keys)
    assert said.startswith("Least error: ecological.context=0.6, with a mean EI of 3.25 % (mean over 2 data sets);")
    assert "next ecological.context=0.3 with 4.00 %" in said
    other = table.assign(seed=0, **{"data.context": table["seed"]})[:4]
    (figure,) = task.sweep_figures(other, [*keys, "data.context"], [])
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines["data.context=0"] == [5.0, 4.0]
    assert lines["data.context=1"] == [3.0, 2.5]
    assert task.least_error(table[:1], keys) == ""
    assert task.least_error(table, ["seed"]) == ""


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (["ecological.contex=1"], 2, "ecological.contex: no such key; did you mean context?"),
        (["ecological.context=3"], 2, "ecological.context: expected an exponent between 0 (no context) and 2, got 3"),
        (["ecological.contexts=[0.3,3]"], 2, "ecological.contexts: expected exponents between 0 and 2"),
        (["ecological.tau=[1,2]"], 2, "ecological.tau: expected 3 numbers above 0"),
        (["ecological.inflation=0"], 2, "ecological.inflation: expected a number above 0"),
        (["ecological.baselines=[ols]"], 2, "ecological.baselines: expected a list of some of em, goodman"),
        (["data.context=-1"], 2, "data.context: expected an exponent between 0 (no context) and 2, got -1"),
        (["data.path=x"], 2, "data.path: this data has no file; data=csv"),
        (["data=madipur"], 2, "data: expected units for task=ecological, as in data=units data.path=my.csv"),
        (["data=units", "data.path=absent.csv"], 1, "data.path: "),
        (["data=units", "data.path=odd.csv"], 1, "or data.rows=[...] and data.columns=[...]"),
        (["data=units", "data.path=odd.csv", "data.rows=[a,b]", "data.columns=[c,e]"], 1, "data.columns: odd.csv: no"),
        (["data=units", "data.path=odd.csv", "data.rows=[a,b]", "data.columns=[c,d]"], 1, "data.rescale=True"),
        (
            ["data=units", "data.path=odd.csv", "data.rest=drop", "data.electors=a"],
            2,
            "data.rest: expected no electors=",
        ),
        (["data=units", "data.path=odd.csv", "data.totals=some"], 2, "data.totals: Invalid value 'some'"),
        (["data=units", "data.path=my.csv.gz", "data.truth=none.csv"], 1, "data.truth: "),
        (["data=units", "data.path=my.csv.gz", "data.contest=place"], 1, "data.contest: my.csv.gz: no column 'place'"),
        (["data=units", "data.path=my.csv.gz", "data.merge_below=2"], 2, "data.merge_below: expected a number of at"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(here, monkeypatch, capsys, overrides, code, says):
    write_tables(here, electjax.ecological.simulate(contests=1, units=1, rows=2, parties=2, seed=6))
    pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [2, 2], "d": [1, 1]}).to_csv(here / "odd.csv", index=False)
    before = files(here)
    monkeypatch.setattr(electjax.ecological, "estimate", None)  # nothing gets so far
    assert run(monkeypatch, "+experiment=ecological", *overrides) == code
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert says in printed.err
    assert files(here) == before
    assert {path.name for path in here.iterdir()} == before


def test_an_interrupt_leaves_nothing(here, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(electjax.kinds, "save", interrupted)
    assert run(monkeypatch, "+experiment=ecological", *SMALL, "ecological.baselines=[]", "report=false") == 130
    assert "interrupted" in capsys.readouterr().err
    assert files(here) == set()


def test_a_run_is_used_from_its_folder_alone(here, monkeypatch, capsys):
    electjax.ecological.simulate(contests=2, units=8, rows=2, parties=2, abstention=0.3, seed=4, name="my").pipe(
        electjax.ecological.save, here / "my.nc"
    )
    names = ("=Red $x_1$", "<b>अ 🐘 " + "long " * 40)
    units = electjax.ecological.load(here / "my.nc")
    party = units["row_party"].values[0, 0]
    for side in ("row", "column"):
        for coord in (f"{side}_name", f"{side}_party"):
            values = units[coord].values.astype(object)
            values[units[f"{side}_party"].values == party] = names[side == "row"]
            units = units.assign_coords({coord: (units[coord].dims, values.astype(str))})
    electjax.ecological.save(units, here / "my.nc")
    arguments = ("task=ecological", "data=units", "data.path=my.nc", "ecological.baselines=[]", "hydra.run.dir=one")
    monkeypatch.setattr(electjax.ecological, "estimate", estimate)
    short = ("ecological.draws=20", "ecological.contexts=[0.3]")
    assert run(monkeypatch, *arguments, *short) == 0
    out = capsys.readouterr().out
    opened = electjax.load("one")
    assert opened.verdict.level == opened.fit.attrs["verdict"] == opened.metrics["verdict"]["level"]
    table = electjax.ecological.summary("one")
    assert capsys.readouterr().out.splitlines()[0].startswith(("WITH CARE: ", "who voted for whom in 2 contests"))
    assert table.equals(electjax.ecological.summary(opened.fit, show=False))
    assert np.size(electjax.ecological.plot("one", "rows")) >= 2
    cells = opened.tables["cells"]
    every = electjax.ecological.table("one")
    assert cells["row"].str.removeprefix("'").tolist() == every["row"].tolist()
    assert cells["count"].to_numpy() == pytest.approx(every["count"].to_numpy())
    voted = every[every["column"] != "did not vote"]
    share = voted["count"] / voted.groupby(["contest", "row"])["count"].transform("sum")
    assert voted["voters_share"].to_numpy() == pytest.approx(share.to_numpy())
    assert (voted["voters_low_95"] <= voted["voters_high_95"]).all()
    assert every.loc[every["column"] == "did not vote", "voters_share"].isna().all()
    page = (here / "one" / "report.html").read_text("utf-8")
    assert "Among those who voted" in page
    assert "&lt;b&gt;अ 🐘" in page
    assert "Among those who voted, " in page
    assert "of those who voted" in out


# ------------------------------------------------------------------------------------ settings and numbers


def test_the_configuration_has_the_defaults_of_the_library():
    from hydra import compose, initialize_config_dir

    from electjax.run.config import conf_dir, job_of

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        job = job_of(compose("config", ["+experiment=ecological"]))
    assert job.options == TaskOptions(baselines=job.options.baselines)
    assert list(job.options.baselines) == BASELINES
    shown = inspect.signature(electjax.ecological.estimate).parameters
    for item in dataclasses.fields(EstimateOptions):
        assert shown[item.name].default == item.default
    defaults = {name: one.default for name, one in inspect.signature(electjax.ecological.simulate).parameters.items()}
    assert {**vars(job.data), "name": "", "tau": tuple(job.data.tau)} == {**defaults, "name": ""}


def test_messages_about_arguments_name_keys():
    keys = {"contest": None, "rows": None, "context": None}
    assert task.in_keys("my.csv, contest: no column", keys) == "data.contest: my.csv: no column"
    assert task.in_keys("ecological.simulate(context=): found -1", keys) == "data.context: found -1"
    assert task.in_keys("my.csv, row 3: pass rescale=True", keys) == "my.csv, row 3: pass data.rescale=True"


def test_errors_are_summed_up_over_contests_whose_table_was_counted():
    result = xr.Dataset({"error": ("contest", [1.0, np.nan, 5.0, 3.0])})
    assert method_metrics(result) == {"mean_ei": 3.0, "median_ei": 3.0, "worst_ei": 5.0}
    assert method_metrics(xr.Dataset()) == {"mean_ei": None, "median_ei": None, "worst_ei": None}


def write_tables(folder: Path, units: xr.Dataset) -> None:
    """The units as a long file, and their truth."""
    lines = []
    for side, said in (("row", "party"), ("column", "candidate")):
        margin = units[f"{side}_margin"].values
        for i, contest in enumerate(units["unit_contest"].values):
            names = units[f"{side}_name"].sel(contest=contest).values
            unit = units["unit_name"].values[i]
            lines += [(contest, unit, said, n, v) for n, v in zip(names, margin[i], strict=True) if n]
    frame = pd.DataFrame(lines, columns=["district", "unit", "side", "option", "votes"])
    frame.to_csv(folder / "my.csv.gz", index=False)
    cells = []
    for contest in units["contest"].values:
        own = units.sel(contest=contest)
        for r, row in enumerate(own["row_name"].values):
            for c, column in enumerate(own["column_name"].values):
                if row and column:
                    cells.append((contest, row, column, own["truth"].values[r, c]))
    pd.DataFrame(cells, columns=["district", "party", "candidate", "votes"]).to_csv(folder / "truth.csv", index=False)


# ------------------------------------------------------------------------------------ the real thing


@pytest.mark.slow
def test_the_generated_contests_are_estimated_better_than_by_any_baseline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "+experiment=ecological", "report=false", "hydra.run.dir=one") == 0
    metrics = metrics_of(tmp_path / "one")
    assert metrics["converged"]
    others = [found["mean_ei"] for name, found in metrics["methods"].items() if name != "context"]
    assert metrics["mean_ei"] < 0.5 * min(others)
    assert metrics["intervals"]["0.95"]["coverage"] > 0.92  # wider than it needs: the context is as assumed
    assert metrics["mean_ei"] == min(found["mean_ei"] for found in metrics["by_context"].values())
    own, cross, _ = metrics["kind_logit"].values()
    assert own - cross == pytest.approx(2.0, abs=0.5)
