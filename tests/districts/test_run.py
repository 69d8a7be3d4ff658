"""The command line: what it prints, what it leaves behind, and how it ends when something is wrong.

The simulator and the calibration are small stand-ins here, as fast as the checks need them; the last test
runs the real ones.
"""

import io
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

import electjax
import electjax.report.report
from electjax.data.schema import conform
from electjax.districts.metrics import most_frequent, simulation_metrics
from electjax.districts.results import CALIBRATION, SIMULATION
from electjax.report.tables import plain
from electjax.run import folder as folders
from electjax.run.progress import show_progress
from electjax.run.tasks import tasks
from tests.command_line import run

PARTIES = ["AAP", "BJP", "INC", "others"]
STAGE_KEYS = {
    *("parameters", "seats_mean", "seats_min", "seats_max", "seats_mode"),
    *("mwm", "swm", "mean_lead", "p_exact", "distance"),
}


def stand_in_simulate(election, *, model, params, runs, seed, engine="leap", options=None, progress=None):
    """District votes from a Dirichlet whose concentration is the first parameter, or its mean over parties."""
    rng = np.random.default_rng(seed)
    size = election["votes"].sum("party").values
    concentration = 1.0 + 100.0 * float(np.mean(next(iter(params.values()))))
    strength = np.maximum(election["popularity"].values, 1e-9) * concentration
    votes = np.round(rng.dirichlet(strength, (runs, size.size)) * size[:, None]).astype(np.int64)
    winner, share = votes.argmax(-1), votes / votes.sum(-1, keepdims=True)
    margin = share.max(-1)
    found = xr.Dataset(
        {
            "votes": (("run", "district", "party"), votes),
            "seats": (("run", "party"), (winner[..., None] == np.arange(votes.shape[-1])).sum(1)),
            "winner": (("run", "district"), election["party"].values[winner]),
            "margin": (("run", "district"), margin),
            "vote_fraction": (("run", "party"), share.mean(1)),
            "mwm": ("run", margin.mean(1)),
            "swm": ("run", margin.std(1)),
        },
        coords={"run": np.arange(runs), "party": election["party"], "district": election["district"]},
        attrs={"election": election.attrs["name"], "model": model, "seed": seed, "engine": engine, "options": "{}"},
    )
    return conform(found, SIMULATION)


def stand_in_calibrate(election, *, model, method, seed, budget, priors, params, options, progress, **_):
    """Ten draws of the first parameter with a prior, closest in seats first; PCM's has a value per party."""
    (name, (low, high)), *_ = priors.items()
    rng = np.random.default_rng(seed)
    dims = ["party"] if name == "eta" else []
    sizes = [election.sizes[dim] for dim in dims]
    values = rng.uniform(low, high, (10, *sizes))
    runs = [stand_in_simulate(election, model=model, params={name: v}, runs=1, seed=seed) for v in values]
    draws = xr.concat(runs, "run").rename(run="draw")[["seats", "vote_fraction", "mwm", "swm"]]
    draws[name] = (["draw", *dims], values, {"symbol": name, "prior": f"uniform({low}, {high})"})
    draws["distance"] = abs(draws["seats"] - election["seats"]).sum("party") / 2.0
    draws["weight"] = ("draw", np.full(10, 0.1))
    draws = draws.sortby("distance")
    progress(budget, budget, "best 1.0")
    extra = {
        "observed_seats": election["seats"],
        "observed_vote_fraction": election["popularity"],
        "observed_mwm": 0.5,
        "observed_swm": 0.1,
        f"optimal_{name}": draws[name][0].drop_attrs(),
        f"prior_{name}": (["prior_draw", *dims], rng.uniform(low, high, (1000, *sizes))),
    }
    attrs = {"method": method, "simulations": budget, "acceptance_rate": 10 / budget, "tolerance": 1.0}
    attrs |= {"model": model, "options": "{}", "fixed_parameters": "{}"}
    return conform(draws.drop_attrs(deep=False).assign(extra).assign_attrs(attrs), CALIBRATION)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder, with the stand-ins in place and no compilation cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELECTJAX_CACHE", "off")
    monkeypatch.delenv("ELECTJAX_TRACEBACK", raising=False)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(electjax.districts, "simulate", stand_in_simulate)
    monkeypatch.setattr(electjax.districts, "calibrate", stand_in_calibrate)
    return tmp_path


def files(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


def write_returns(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["district,party,votes", *rows]) + "\n", "utf-8")
    return path


GOOD = ("a,X,100", "a,Y,50", "b,X,10", "b,Y,60")
SMALL = ("runs=5", "optimal_runs=6", "budget=50", "report=false")


# ------------------------------------------------------------------------------------ a run and its folder


def test_the_main_job_leaves_one_complete_folder(here, monkeypatch, capsys):
    assert (
        run(monkeypatch, "+experiment=delhi2020", "model=[dm,dpm,pcm]", "runs=20", "optimal_runs=30", "budget=50") == 0
    )
    printed = capsys.readouterr().out
    folder = here / printed.rstrip().splitlines()[-1]
    assert folder.parent == here / "outputs" / "delhi2020"
    assert "Observed" in printed
    assert "DPM optimal" in printed
    found = files(here)
    inside = {name.removeprefix(f"{folder.relative_to(here)}/") for name in found}
    assert {
        "config.yaml",
        "metrics.json",
        "result.nc",
        "report.html",
        "figures/seats.png",
        "figures/geography.png",
    } <= inside
    assert all(name.startswith(str(folder.relative_to(here))) for name in found)
    assert not [name for name in inside if name.startswith(".") or name.endswith(".log")]

    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["election"] == "delhi2020"
    assert metrics["observed"]["seats"] == {"AAP": 62, "BJP": 8, "INC": 0, "others": 0}
    assert round(metrics["observed"]["mwm"], 2) == 0.55
    assert sum(metrics["proportional"].values()) == 70
    assert list(metrics["models"]) == ["dm", "dpm", "pcm"]
    assert metrics["simulations"] == 3 * (20 + 50 + 30)
    assert metrics["seconds"] > 0
    for model in metrics["models"]:
        default, optimal = metrics["models"][model]["default"], metrics["models"][model]["optimal"]
        assert set(default) == STAGE_KEYS
        assert set(optimal) == STAGE_KEYS | {"best_draw"}
        assert set(optimal["best_draw"]) == {"parameters", "seats", "mwm", "swm", "distance"}
        assert list(default["seats_mean"]) == PARTIES

    eta = metrics["models"]["pcm"]["optimal"]["parameters"]["eta"]
    assert eta == metrics["models"]["pcm"]["optimal"]["best_draw"]["parameters"]["eta"]
    assert len(eta) == len(PARTIES)
    assert "name: delhi2020" in (folder / "config.yaml").read_text("utf-8")
    with xr.open_datatree(folder / "result.nc", engine="h5netcdf") as tree:
        assert {"/observed", "/dm/default", "/dpm/optimal", "/dpm/fit"} <= set(tree.groups)
        assert tree["dpm/default"]["votes"].shape == (20, 70, 4)
        assert tree["pcm/optimal/geography"]["density"].dims == tree["observed/geography"]["density"].dims
        assert tree["pcm/fit"]["eta"].dims == ("draw", "party")
        mean = tree["dpm/optimal"]["seats"].mean("run").sel(party="AAP")
        assert float(mean) == pytest.approx(metrics["models"]["dpm"]["optimal"]["seats_mean"]["AAP"])


def test_simulate_has_no_optimal_row_and_report_can_be_left_out(here, monkeypatch, capsys):
    assert run(monkeypatch, "task=simulate", "model=[dm,dpm]", *SMALL) == 0
    folder = here / capsys.readouterr().out.rstrip().splitlines()[-1]
    tables = {"tables/seats.csv", "tables/districts.csv"}
    assert files(folder) == {"config.yaml", "metrics.json", "result.nc", "data.nc"} | tables
    models = json.loads((folder / "metrics.json").read_text("utf-8"))["models"]
    assert {name: list(stages) for name, stages in models.items()} == {"dm": ["default"], "dpm": ["default"]}


def test_large_votes_stay_out_of_the_result_and_leave_their_geography(here, monkeypatch):
    monkeypatch.setattr("electjax.districts.task.SMALL", 100)
    assert run(monkeypatch, "model=dm", "task=simulate", "hydra.run.dir=one", *SMALL) == 0
    with xr.open_datatree(here / "one" / "result.nc", engine="h5netcdf") as tree:
        assert "votes" in tree["observed"]
        assert "votes" not in tree["dm/default"]
        density = tree["dm/default/geography"]["density"]
        assert density.mean("bin").values == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_numbers(here, monkeypatch):
    for name in ("one", "two"):
        assert run(monkeypatch, "model=dpm", f"hydra.run.dir={name}", *SMALL) == 0
    one, two = (json.loads((here / name / "metrics.json").read_text("utf-8")) for name in ("one", "two"))
    assert one["models"] == two["models"]


def test_a_users_file_is_found_from_the_launch_folder_and_names_the_results(here, monkeypatch, capsys):
    write_returns(here / "my.csv", *GOOD)
    assert run(monkeypatch, "data=csv", "data.path=my.csv", "model=dpm", *SMALL) == 0
    folder = here / capsys.readouterr().out.rstrip().splitlines()[-1]
    assert folder.parent == here / "outputs" / "my"
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["observed"]["seats"] == {"X": 1, "Y": 1}


def test_two_runs_never_share_a_folder(here, monkeypatch):
    for _ in range(3):
        assert run(monkeypatch, "task=simulate", "model=dpm", "hydra.run.dir=same", *SMALL) == 0
    assert {path.name for path in here.iterdir()} == {"same", "same_2", "same_3"}
    assert len({json.loads((p / "metrics.json").read_text())["seconds"] for p in here.iterdir()}) == 3


# ------------------------------------------------------------------------------------ how it ends


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (["rums=3"], 2, "rums: no such key"),
        (["runs=0"], 2, "runs: expected a whole number of at least 1"),
        (["data=csv"], 2, "data.path: missing"),
        (["seed=1,2"], 2, "--multirun"),
        (["runs"], 2, "runs"),
        (["data=csv", "data.path=absent.csv"], 1, "absent.csv"),
        (["data=csv", "data.path=bad.csv"], 1, "bad.csv, row 3, column 'votes'"),
        (["data=catalogue", "data.name=delhi1952"], 1, "delhi1952"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(here, monkeypatch, capsys, overrides, code, says):
    write_returns(here / "bad.csv", "a,X,5", "a,Y,-3")
    assert run(monkeypatch, *overrides) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("electjax: error: ")
    assert says in printed.err
    assert [path.name for path in here.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize("variable", ["ELECTJAX_TRACEBACK", "HYDRA_FULL_ERROR"])
def test_a_traceback_can_be_asked_for(here, monkeypatch, capsys, variable):
    monkeypatch.setenv(variable, "1")
    assert run(monkeypatch, "data=csv", "data.path=absent.csv") == 1
    assert "Traceback" in capsys.readouterr().err
    assert os.environ[variable] == "1"


def test_a_defect_shows_its_traceback(here, monkeypatch, capsys):
    monkeypatch.setattr(electjax.districts, "simulate", lambda *_, **__: {}["absent"])
    assert run(monkeypatch, "model=dpm", *SMALL) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.splitlines()[-1] == "electjax: error: KeyError: 'absent'"
    assert not list(here.iterdir())


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupt_is_one_line_and_leaves_nothing(here, monkeypatch, capsys):
    monkeypatch.setattr(electjax.districts, "simulate", interrupt)
    assert run(monkeypatch, "model=dpm", "runs=2", "optimal_runs=2", "budget=10") == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("electjax: interrupted")
    assert not list(here.iterdir())


def test_an_interrupt_while_the_report_is_drawn_leaves_the_result(here, monkeypatch, capsys):
    monkeypatch.setattr(electjax.report.report, "write_report", interrupt)
    assert run(monkeypatch, "model=dpm", "runs=2", "optimal_runs=2", "budget=10") == 130
    [folder] = here.glob("outputs/delhi2020/*")
    assert (folder / "result.nc").is_file()
    assert not (folder / "report.html").exists()
    said = capsys.readouterr().err.splitlines()[-2:]
    assert said == [
        "electjax: interrupted",
        f"electjax: the result is whole in {folder.relative_to(here)}; only its report is missing",
    ]


def test_help_explains_tasks_groups_keys_and_outputs(here, monkeypatch, capsys):
    assert run(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    for word in (
        "+experiment=delhi2020",
        "data=csv",
        "task=simulate",
        "report.html",
        "+sweep=gamma",
        "budget=20000",
        "inference.quantile=0.4            the next tolerance: this quantile of the accepted distances (a number",
    ):
        assert word in said
    assert max(len(line) for line in said.splitlines()) < 120
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["task=voter_types", "voter_types.restarts=7"], "voter_types.restarts=7"),
        (["task=calm", "data=madipur", "calm=recommended"], "calm.model=recommended"),
        (["task=ecological", "data=ecological"], "ecological.context=0.6"),
    ],
)
def test_help_of_a_task_has_its_keys_with_meaning_default_and_range(here, monkeypatch, capsys, overrides, key):
    assert run(monkeypatch, *overrides, "--help") == 0
    said = " ".join(capsys.readouterr().out.partition("\nKEYS\n")[2].split())
    section = key.partition(".")[0]
    task = tasks()[section]
    for item in fields(task.options):
        assert (f"{section}.{item.name}=" in said) == (item.name not in task.hidden), item.name
    assert f"{key} " in said
    assert "budget=" not in said
    assert "data." in said
    if "restarts" in key:
        assert "(a whole number of at least 1; default 100)" in said


@pytest.mark.parametrize("module", ["electjax", pytest.param("electjax.run", marks=pytest.mark.ci)])
def test_without_arguments_there_is_a_short_help_and_the_version_is_ours(tmp_path, module):
    environment = os.environ | {"PYTHONPATH": str(Path(electjax.__file__).parents[1])}
    for arguments in ([], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout.splitlines()
        if arguments:
            assert lines == [f"electjax {electjax.__version__}"]
        else:
            assert len(lines) < 30
            assert all(f"task={name} " in done.stdout for name in tasks())
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------ sweeps


def only_folder(top: Path) -> Path:
    (folder,) = top.iterdir()
    return folder


def test_a_sweep_leaves_one_table_and_one_plot(here, monkeypatch, capsys):
    assert run(monkeypatch, "-m", "+experiment=delhi2020", "model=[dpm,pcm]", "seed=range(3)", *SMALL) == 0
    folder = only_folder(here / "multirun" / "delhi2020")
    assert capsys.readouterr().out.rstrip().splitlines()[-1] == str(folder.relative_to(here))
    assert {path.name for path in folder.iterdir()} == {
        *("0", "1", "2"),
        *("multirun.yaml", "sweep.csv", "sweep.md", "sweep.png"),
    }
    table = pd.read_csv(folder / "sweep.csv")
    assert len(table) == 3 * 2 * 2
    assert sorted(table["seed"].unique()) == [0, 1, 2]
    row = table[(table["job"] == 2) & (table["model"] == "dpm") & (table["stage"] == "optimal")].iloc[0]
    metrics = json.loads((folder / "2" / "metrics.json").read_text("utf-8"))["models"]["dpm"]["optimal"]
    assert row["mean_AAP"] == pytest.approx(metrics["seats_mean"]["AAP"])
    assert row["dpm.gamma"] == pytest.approx(metrics["parameters"]["gamma"])
    lines = (folder / "sweep.md").read_text("utf-8").splitlines()
    assert len(lines) == 2 + len(table)
    assert "dpm.gamma" in lines[0]
    assert "dpm.prior_mass" in table
    assert "dpm.prior_mass" not in lines[0]  # the same in all rows
    row = table[(table["job"] == 0) & (table["model"] == "pcm") & (table["stage"] == "optimal")].iloc[0]
    eta = json.loads(row["pcm.eta"])
    assert ", ".join(f"{value:.3g}" for value in eta) in lines[2 + int(row.name)]
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_gamma_sweep_needs_no_multirun_flag(here, monkeypatch):
    assert run(monkeypatch, "+sweep=gamma", "runs=2") == 0
    table = pd.read_csv(only_folder(here / "multirun" / "delhi2020") / "sweep.csv")
    assert len(table) == 20
    assert table["models.dpm.gamma"].equals(table["dpm.gamma"])
    assert table["dpm.gamma"].is_monotonic_increasing


@pytest.mark.ci
def test_vectors_may_be_swept(here, monkeypatch):
    vectors = "models.pcm.eta=[0.9,0.8,0.7,0.6],[0.5,0.5,0.5,0.5]"
    assert run(monkeypatch, "-m", "model=pcm", "task=simulate", vectors, *SMALL) == 0
    table = pd.read_csv(only_folder(here / "multirun" / "delhi2020") / "sweep.csv")
    assert [json.loads(value) for value in table["pcm.eta"]] == [[0.9, 0.8, 0.7, 0.6], [0.5] * 4]


@pytest.mark.ci
def test_jobs_with_names_of_their_own_stay_together(here, monkeypatch):
    assert run(monkeypatch, "-m", "data=delhi2013,delhi2015", "task=simulate", *SMALL) == 0
    folder = only_folder(here / "multirun" / "delhi2020")
    elections = [json.loads((folder / n / "metrics.json").read_text())["election"] for n in ("0", "1")]
    assert elections == ["delhi2013", "delhi2015"]


def test_a_failed_job_is_listed_and_the_others_go_on(here, monkeypatch, capsys):
    write_returns(here / "good.csv", *GOOD)
    write_returns(here / "bad.csv", "a,X,-3")
    arguments = ("data=csv", "data.path=good.csv,bad.csv,good.csv", "task=simulate", *SMALL)
    assert run(monkeypatch, "-m", *arguments) == 1
    folder = only_folder(here / "multirun" / "returns")
    assert list(pd.read_csv(folder / "sweep.csv")["job"]) == [0, 2]
    said = (folder / "sweep.md").read_text("utf-8")
    assert "1 of 3 jobs failed" in said
    assert "bad.csv, row 2" in said
    assert files(folder / "1") == {"job.json"}
    assert "Traceback" not in capsys.readouterr().err


def test_a_sweep_of_failures_still_has_its_list(here, monkeypatch):
    assert run(monkeypatch, "-m", "data=csv", "data.path=x.csv,y.csv", *SMALL) == 1
    folder = only_folder(here / "multirun" / "returns")
    assert "2 of 2 jobs failed" in (folder / "sweep.md").read_text("utf-8")
    assert not (folder / "sweep.png").exists()


def test_a_sweep_that_cannot_start_leaves_nothing(here, monkeypatch, capsys):
    assert run(monkeypatch, "-m", "rums=1,2") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(here.iterdir())


@pytest.mark.ci
def test_an_interrupted_sweep_is_summarised_as_far_as_it_went(here, monkeypatch):
    def until_seed_2(*args, seed, **options):
        if seed == 2:
            raise KeyboardInterrupt
        return stand_in_simulate(*args, seed=seed, **options)

    monkeypatch.setattr(electjax.districts, "simulate", until_seed_2)
    assert run(monkeypatch, "-m", "task=simulate", "seed=0,1,2", *SMALL) == 130
    folder = only_folder(here / "multirun" / "delhi2020")
    assert list(pd.read_csv(folder / "sweep.csv")["seed"]) == [0, 1]
    assert not (folder / "2").exists()


@pytest.mark.ci
def test_two_sweeps_in_one_second_do_not_mix(here, monkeypatch):
    for seeds in ("seed=0,1", "seed=2,3"):
        assert run(monkeypatch, "-m", "task=simulate", seeds, 'hydra.sweep.dir="it\'s, here"', *SMALL) == 0
    tables = {path.name: list(pd.read_csv(path / "sweep.csv")["seed"]) for path in here.iterdir()}
    assert tables == {"it's, here": [0, 1], "it's, here_2": [2, 3]}


@pytest.mark.ci
def test_the_joblib_launcher_works(here, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    arguments = ["-m", "data=csv", "data.path=x.csv,y.csv", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert run(monkeypatch, *arguments) == 1  # the jobs say why they fail, each from its own process
    said = (only_folder(here / "multirun" / "returns") / "sweep.md").read_text("utf-8")
    assert "x.csv" in said
    assert "y.csv" in said


# ------------------------------------------------------------------------------------ the pieces


def test_atomic_path_keeps_the_old_file_when_the_block_fails(tmp_path):
    target = tmp_path / "a.txt"
    with folders.atomic_path(target) as partial:
        partial.write_text("first")
        assert not target.exists()
    with pytest.raises(FileNotFoundError), folders.atomic_path(target) as partial:
        partial.joinpath("nowhere").write_text("second")
    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path):
    target = tmp_path / "runs" / "one"

    def write(folder: Path) -> None:
        (folder / "a").write_text("a")
        assert not (target / "a").exists()

    def fail(folder: Path) -> None:
        write(folder)
        raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        folders.fill_folder(target, fail)
    assert files(tmp_path) == set()
    target.mkdir()
    folders.fill_folder(target, write)
    assert files(tmp_path) == {"runs/one/a"}
    with pytest.raises(OSError, match="not empty"):
        folders.fill_folder(target, lambda folder: None)
    assert files(tmp_path) == {"runs/one/a"}


def test_claimed_folders_are_all_different(tmp_path):
    names = [folders.claim_folder(tmp_path / "deep" / "run").name for _ in range(3)]
    assert names == ["run", "run_2", "run_3"]


def test_metrics_of_a_simulation_by_hand():
    election = electjax.districts.load("delhi2020")
    seats = np.array([[62, 8, 0, 0], [62, 8, 0, 0], [60, 10, 0, 0], [58, 11, 0, 1]])
    simulation = xr.Dataset(
        {
            "seats": (("run", "party"), seats),
            "vote_fraction": (("run", "party"), np.tile(election["popularity"].values, (4, 1))),
            "mwm": ("run", [0.5, 0.6, 0.5, 0.6]),
            "swm": ("run", [0.1, 0.1, 0.3, 0.3]),
        },
        coords={"party": election["party"]},
    )
    found = simulation_metrics(simulation, election, parameters={"gamma": np.float32(0.5)})
    assert found["seats_mean"] == {"AAP": 60.5, "BJP": 9.25, "INC": 0.0, "others": 0.25}
    assert found["seats_min"] == {"AAP": 58, "BJP": 8, "INC": 0, "others": 0}
    assert found["seats_max"] == {"AAP": 62, "BJP": 11, "INC": 0, "others": 1}
    assert found["seats_mode"] == {"AAP": 62, "BJP": 8, "INC": 0, "others": 0}
    assert found["p_exact"] == 0.5
    assert found["mwm"] == pytest.approx(0.55)
    assert found["swm"] == pytest.approx(0.2)
    assert found["parameters"] == {"gamma": 0.5}
    assert json.dumps(found, allow_nan=False)


def test_the_most_frequent_seats_and_their_ties():
    assert most_frequent(np.array([[3, 0], [2, 1], [2, 1]])).tolist() == [2, 1]
    assert most_frequent(np.array([[3, 0], [2, 1], [0, 3]])).tolist() == [2, 1]


def test_plain_values_are_json():
    assert plain(np.int64(3)) == 3
    assert plain(np.array([0.5, np.nan, np.inf])) == [0.5, None, None]
    assert plain(xr.DataArray(0.25)) == 0.25


def test_progress_is_plain_lines_off_a_terminal_and_a_bar_when_forced():
    plain_console = Console(record=True, force_terminal=False, width=200, file=io.StringIO())
    with show_progress(console=plain_console) as stage:
        report = stage("dpm: calibration")
        for done in (1, 50, 100):
            report(done, 100, "best 0.7")
    lines = plain_console.export_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("dpm: calibration: 100 of 100 in")
    assert lines[0].endswith("best 0.7")

    live = Console(record=True, force_terminal=True, width=200, file=io.StringIO())
    with show_progress(live=True, console=live) as stage:
        stage("dpm: calibration")(40, 100, "best 0.7")
    assert "40/100" in live.export_text()


# ------------------------------------------------------------------------------------ the real thing


@pytest.mark.slow
def test_the_real_job_at_small_size_from_an_empty_folder(tmp_path):
    root = str(Path(electjax.__file__).parents[1])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
        "ELECTJAX_CACHE": os.environ.get("ELECTJAX_CACHE", str(tmp_path / "cache")),
    }
    command = [
        sys.executable,
        "-m",
        "electjax",
        "+experiment=delhi2020",
        "model=[dm,sim]",
        "runs=4",
        "optimal_runs=4",
        "budget=200",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / done.stdout.rstrip().splitlines()[-1]
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert set(metrics["models"]) == {"dm", "sim"}
    optimal = metrics["models"]["sim"]["optimal"]
    assert sum(optimal["seats_mean"].values()) == pytest.approx(70)
    assert len(optimal["parameters"]["sigma"]) == len(optimal["best_draw"]["parameters"]["sigma"]) == len(PARTIES)
    assert (folder / "report.html").stat().st_size > 10_000
