"""Task `calm`: its configuration, what it prints and leaves behind, its figures, and the summary of a sweep.

Runs of the command line use small stand-ins for data and estimation; the last tests are the real thing.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from command_line import run

import electjax
from electjax import report
from electjax.labelled.booths.fitted_margins import fitted_margins
from electjax.labelled.booths.options import Options
from electjax.tasks import sweep_calm
from electjax.tasks.calm import everywhere
from electjax.tasks.calm_metrics import calm_metrics, coefficients, recovery, swap_metrics

PARTIES, AXES = ["A", "B", "others"], ["age", "caste"]
CELLS = [("young", "X"), ("young", ""), ("old", "X"), ("old", "")]
ETA = np.array([0.2, 0.4])


def pretend_booths(**given) -> xr.Dataset:
    """Two constituencies of three booths with four cells, and what they were made from."""
    rng = np.random.default_rng(given.get("seed", 0))
    size = rng.integers(20, 60, (6, 4))
    polled = size.sum(1) // 2
    votes = rng.multinomial(polled, [0.5, 0.3, 0.2])
    return xr.Dataset(
        {
            "cell_size": (("booth", "cell"), size),
            "electors": ("booth", size.sum(1)),
            "polled": ("booth", polled),
            "votes": (("booth", "party"), votes),
            "cell_category": (("cell", "axis"), np.array(CELLS)),
            "true_eta": ("axis", ETA),
            "true_turnout": (("constituency", "cell"), np.full((2, 4), 0.6)),
            "true_choice": (("constituency", "cell", "party"), np.full((2, 4, 3), 1 / 3)),
        },
        coords={
            "booth": [f"b{i}" for i in range(6)],
            "booth_constituency": ("booth", np.repeat(["north", "south"], 3)),
            "constituency": ["north", "south"],
            "cell": [" ".join(cell).strip() for cell in CELLS],
            "party": PARTIES,
            "axis": AXES,
        },
        attrs={"name": "made", "truth": json.dumps({"rho": {"age": 0.5}})},
    )


def pretend_fit(booths, *, rho_age=None, lambda_eta=0.01, holdout=0.0, seed=0, level=0.95, errors="laplace", **options):
    """A fit as `fit_calm` gives it: eta a little off, the smallest validation loss at rho .5 and lambda .01."""
    told = options.pop("progress", None)
    told and told(1, 1, "")
    rng = np.random.default_rng(seed)
    error = {} if errors == "none" else {"eta_se": ("axis", [0.05, 0.1]), "gamma_se": ("party", [0.1] * 3)}
    share = (booths["votes"] / booths["polled"]).transpose("booth", "party")
    turnout = booths["polled"] / booths["electors"]
    validation = 0.5 + 0.1 * ((rho_age or 0.5) - 0.5) ** 2 + 1e-4 * np.log10(lambda_eta / 0.01) ** 2 + 0.01 * seed
    kept = {"turnout": validation - 0.3, "party": 0.3, "total": validation + 1e-6 * rng.normal()}
    return xr.Dataset(
        {
            "alpha": 0.1,
            "gamma": ("party", [0.2, 0.1, -0.3]),
            "eta": ("axis", [0.25, 0.25]),
            "eta_raw": ("axis", [0.5, 0.6]),
            "eta_pp": ("axis", [5.0, 6.0]),
            "boost": ("axis", [0.3, 0.4]),
            "g_mean": ("axis", [0.4, 0.3]),
            "g_sd": ("axis", [0.4, 0.45]),
            "fitted_turnout": turnout * 0.99,
            "observed_turnout": turnout,
            "fitted_share": share * 0.9 + 0.1 / 3,
            "observed_share": share,
            "turnout": (("constituency", "cell"), np.repeat([[0.5], [0.6]], 4, axis=1)),
            "choice": (("constituency", "cell", "party"), np.tile([0.5, 0.3, 0.2], (2, 4, 1))),
            "electors": (("constituency", "cell"), booths["cell_size"].values.reshape(2, 3, 4).sum(1)),
            **error,
        },
        coords={name: booths[name].values for name in ("constituency", "cell", "axis", "party")}
        | {"cell_category": (("cell", "axis"), booths["cell_category"].values)},
        attrs={
            "objective": 12.5,
            "gradient": 1e-9,
            "log_likelihood": -1234.5,
            "steps": 7,
            "converged": 1,
            "level": level,
            "warnings": json.dumps(["eta is chosen by the penalty alone."]),
            "options": json.dumps({"lambda_eta": 7.0, "holdout": holdout}),
            "validation": json.dumps(kept if holdout else {}),
        },
    )


def pretend_diagnostic(name):
    """A diagnostic that keeps what it was called with."""

    def verb(booths, **options) -> xr.Dataset:
        told = {key: value for key, value in options.items() if isinstance(value, int | float | str)}
        return xr.Dataset({"number": 1.5}, attrs={"verdict": f"All is well with {name}.", "called": json.dumps(told)})

    return verb


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder, with the stand-ins in place and no compilation cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELECTJAX_CACHE", "off")
    stand_ins = {"fit_calm": pretend_fit, "simulate_booths": pretend_booths, "madipur": pretend_booths}
    stand_ins |= {name: pretend_diagnostic(name) for name in ("holdout_calm", "placebo_calm", "rho_curve_calm")}
    stand_ins |= {
        name: pretend_diagnostic(name) for name in ("mobilisation_calm", "stability_calm", "collinearity_calm")
    }
    for name, pretend in stand_ins.items():
        monkeypatch.setitem(vars(electjax), name, pretend)
    return tmp_path


# ------------------------------------------------------------------------------------ a run and its folder


def test_the_experiment_leaves_one_complete_folder(here, monkeypatch, capsys):
    assert run(monkeypatch, "+experiment=calm_delhi", "calm.candidates={}") == 0
    printed = capsys.readouterr()
    folder = here / printed.out.rstrip().splitlines()[-1]
    assert folder.parent == here / "outputs" / "calm_delhi"
    assert "+0.250 ± 0.050" in printed.out
    assert "All is well with placebo_calm." in printed.out
    assert "eta is chosen by the penalty alone." in printed.out
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    drawn = {"coefficients", "cells", "booths"}
    assert found >= {
        *("config.yaml", "metrics.json", "result.nc", "report.html"),
        *(f"figures/{name}.png" for name in drawn),
    }
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["booths"] == 6
    assert metrics["coefficients"]["age"]["eta"] == pytest.approx(0.25)
    assert metrics["coefficients"]["age"]["low"] == pytest.approx(0.25 - 1.959964 * 0.05)
    assert list(metrics["diagnostics"]) == ["holdout", "placebo", "rho", "mobilisation", "stability", "collinearity"]
    assert metrics["diagnostics"]["placebo"]["number"] == 1.5
    assert metrics["seconds"] > 0
    with xr.open_datatree(folder / "result.nc", engine="h5netcdf") as tree:
        assert {"/fit", "/margins", "/placebo"} <= set(tree.groups)
        called = json.loads(tree["placebo"].attrs["called"])
    assert called["model"] == "recommended"
    assert called["seed"] == 0
    assert "holdout" not in called
    config = (folder / "config.yaml").read_text("utf-8")
    assert "models" not in config
    assert "holdout: 0.0" in config
    html = (folder / "report.html").read_text("utf-8")
    assert "6 booths in 2 constituencies" in html
    assert "All is well with holdout_calm." in html
    assert html.count("data:image/png;base64") == len(list((folder / "figures").iterdir()))


def test_a_sweep_is_quick_and_finds_what_was_planted(here, monkeypatch, capsys):
    arguments = ("data.scale=small", "calm.rho_age=0.3,0.5,0.6", "calm.lambda_eta=1e-3,1e-2", "seed=0,1")
    assert run(monkeypatch, "-m", "+experiment=calm_delhi", *arguments) == 0
    (folder,) = (here / "multirun" / "calm_delhi").iterdir()
    table = pd.read_csv(folder / "sweep.csv")
    assert len(table) == 12
    assert {"calm.rho_age", "calm.lambda_eta", "seed", "validation", "eta_age"} <= set(table.columns)
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    said = (folder / "sweep.md").read_text("utf-8")
    assert "Best: calm.rho_age=0.5 calm.lambda_eta=0.01, with a validation loss of 0.505" in said
    assert "(mean over 2 seeds)" in said
    for number in range(12):
        job = folder / str(number)
        assert not (job / "report.html").exists()
        config = (job / "config.yaml").read_text("utf-8")
        assert "diagnostics: []" in config
        assert "errors: none" in config
        assert json.loads((job / "metrics.json").read_text("utf-8"))["diagnostics"] == {}


def test_the_seed_draws_new_data_unless_they_have_their_own(here, monkeypatch):
    seeds = []
    monkeypatch.setattr(electjax, "simulate_booths", lambda **given: seeds.append(given["seed"]) or pretend_booths())
    for arguments in (["seed=3"], ["seed=3", "data.seed=1"]):
        assert run(monkeypatch, "+experiment=calm_delhi", "calm.diagnostics=[]", "report=false", *arguments) == 0
    assert seeds == [3, 1]


def test_options_reach_the_fit_and_the_reader(here, monkeypatch):
    called = {}

    def fit(booths, **options):
        called.update(options)
        return pretend_fit(booths, **options)

    monkeypatch.setattr(electjax, "fit_calm", fit)
    monkeypatch.setattr(
        electjax, "read_booths", lambda path, **given: called.update(given, path=path) or pretend_booths()
    )
    arguments = ["task=calm", "data=booths", "data.path=mine", "calm.rho.school=0.2", "calm.affinity=party"]
    arguments += ["calm.axes={caste:{categories:[X,Y],kernel:match}}", "calm.use_candidate_affinity=false"]
    assert run(monkeypatch, *arguments, "hydra.run.dir=one", "report=false", "seed=4") == 0
    assert called["path"] == here / "mine"
    assert called["axes"] == {"caste": {"categories": ["X", "Y"], "kernel": "match"}}
    assert (called["rho"], called["affinity"], called["use_candidate_affinity"]) == ({"school": 0.2}, "party", False)
    assert called["seed"] == 4
    assert "lambda_beta" not in called  # left to fit_calm
    assert json.loads((here / "one" / "metrics.json").read_text("utf-8"))["data"] == "mine"


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (["+experiment=calm_delhi", "calm.rho_ages=1"], 2, "calm.rho_ages: no such key; did you mean rho_age?"),
        (["+experiment=calm_delhi", "calm.rho_age=1.5"], 2, "calm.rho_age: expected a number between 0 and 1"),
        (["+experiment=calm_delhi", "calm.rho.school=-1"], 2, "calm.rho.school: expected a number between 0 and 1"),
        (["+experiment=calm_delhi", "calm.lambda_eta=-1"], 2, "calm.lambda_eta: expected at least 0"),
        (["+experiment=calm_delhi", "calm.lambda_eta=much"], 2, "calm.lambda_eta"),
        (["+experiment=calm_delhi", "calm.affinity=many"], 2, "calm.affinity"),
        (["+experiment=calm_delhi", "calm.level=95"], 2, "calm.level: expected a number between 0 and 1"),
        (["+experiment=calm_delhi", "calm.holdout=1"], 2, "calm.holdout: expected a share from 0 to 0.9"),
        (["+experiment=calm_delhi", "calm.diagnostics=[placebos]"], 2, "calm.diagnostics: expected a list of some of"),
        (["+experiment=calm_delhi", "calm.diagnostics=placebo"], 2, "calm.diagnostics: expected a list of some of"),
        (["+experiment=calm_delhi", "data.path=x"], 2, "data.path: this data has no file; data=csv"),
        (["task=calm"], 2, "data: expected booths for task=calm, as in data=booths"),
        (["task=calm", "data=ballots", "data.path=x"], 2, "data: expected booths for task=calm"),
        (["task=types", "data=madipur"], 2, "data: expected ballots for task=types"),
        (["data=madipur"], 2, "data: expected returns for task=calibrate; booths are for task=calm"),
        (["task=calm", "data=booths"], 2, "data.path: missing"),
        (["task=calm", "data=booths", "data.path=absent"], 1, "absent"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(here, monkeypatch, capsys, overrides, code, says):
    assert run(monkeypatch, *overrides) == code
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert says in printed.err
    assert not list(here.iterdir())


def test_the_configuration_has_the_defaults_of_the_library():
    from hydra import compose, initialize_config_dir

    from electjax.config import conf_dir, to_settings

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        options = to_settings(compose("config", ["task=calm", "data=madipur"])).calm.options
    known = {field.name: field.default for field in dataclasses.fields(Options)}
    assert set(options) <= set(known)
    assert {name: known[name] for name in options} == options
    left = set(known) - set(options) - {name for name, value in known.items() if value is None}
    assert left == {"seed"}  # the run's own


# ------------------------------------------------------------------------------------ numbers


def test_margins_are_means_over_electors_and_over_voters():
    booths = pretend_booths()
    fit = pretend_fit(booths)
    fit["choice"][:, 2:, :] = [0.1, 0.1, 0.8]
    found = fitted_margins(fit)
    assert list(zip(found["axis"].values, found["category"].values, strict=True)) == [
        ("age", "young"),
        ("age", "old"),
        ("caste", "X"),
    ]
    electors = fit["electors"].values
    voters = electors * fit["turnout"].values
    assert found["turnout"].values[0] == pytest.approx(voters[:, :2].sum() / electors[:, :2].sum())
    assert found["choice"].sel(party="A").values[:2] == pytest.approx([0.5, 0.1])
    mixed = (0.5 * voters[:, 0].sum() + 0.1 * voters[:, 2].sum()) / voters[:, [0, 2]].sum()
    assert found["choice"].sel(party="A").values[2] == pytest.approx(mixed)
    assert found["weight"].values[:2].sum() == pytest.approx(1)
    assert found["weight"].values[2] == pytest.approx(1)


def test_the_truth_is_compared_by_label():
    booths = pretend_booths()
    truth = recovery(pretend_fit(booths), booths)
    assert truth["parameters"]["eta[age]"] == pytest.approx({"truth": 0.2, "estimate": 0.25, "se": 0.05, "z": 1.0})
    assert truth["parameters"]["eta[caste]"]["z"] == pytest.approx(-1.5)
    assert (truth["compared"], truth["within"]) == (2, 1.0)
    assert truth["choice_error"] == pytest.approx(np.mean(np.abs(np.array([0.5, 0.3, 0.2]) - 1 / 3)))
    assert truth["rho_age"] == 0.5
    turned = booths.isel(axis=[1, 0])
    assert recovery(pretend_fit(booths), turned)["parameters"]["eta[age]"] == truth["parameters"]["eta[age]"]
    assert recovery(pretend_fit(booths), booths.drop_vars("true_eta")) is None


def test_a_coefficient_per_party_has_a_row_of_its_own():
    booths = pretend_booths()
    fit = pretend_fit(booths)
    fit = fit.drop_vars(["eta", "eta_se"]).assign(
        eta=(("party", "axis"), np.arange(6.0).reshape(3, 2)), eta_se=(("party", "axis"), np.ones((3, 2)))
    )
    found = coefficients(fit)
    assert list(found) == [f"{party}: {axis}" for party in PARTIES for axis in AXES]
    assert found["B: caste"]["eta"] == 3.0
    assert found["B: caste"]["g_mean"] == 0.3


def test_the_best_setting_is_a_mean_of_differences_within_seeds():
    rows = [
        {"calm.rho_age": rho, "seed": seed, "validation": 1.0 + 10 * seed + (0.2 if rho == 0.3 else 0.0) * (1 + seed)}
        for seed in (0, 1)
        for rho in (0.3, 0.5)
    ]
    keys = ["calm.rho_age", "seed"]
    best, other = sweep_calm.ranking(pd.DataFrame(rows), keys)
    assert best.values == (0.5,)
    assert best.loss == pytest.approx(6.0)
    assert other.excess == pytest.approx(0.3)
    assert other.error == pytest.approx(0.1)  # differences .2 and .4
    assert sweep_calm.ranking(pd.DataFrame(rows).assign(validation=np.nan), keys) == []
    assert sweep_calm.best_said(pd.DataFrame(rows[:1]), keys) == ""


# ------------------------------------------------------------------------------------ figures and tables


def test_the_forest_shows_coefficients_intervals_and_truth():
    booths = pretend_booths()
    metrics = calm_metrics(pretend_fit(booths), booths)
    figure = report.coefficient_forest(metrics["coefficients"], 0.95, {"age": 0.2})
    left, right = figure.axes
    dots = [line.get_xdata() for line in left.lines if line.get_marker() == "o"]
    assert dots[0] == pytest.approx([0.25, 0.25])
    crosses = [line.get_xdata() for line in left.lines if line.get_marker() == "X"]
    assert crosses[0][0] == 0.2
    assert [label.get_text() for label in left.get_yticklabels()] == AXES
    assert right.get_xlabel() == "percentage points per SD"


def test_the_heatmap_has_every_category_and_party():
    booths = pretend_booths()
    figure = report.category_heatmap(fitted_margins(pretend_fit(booths)))
    left, right = figure.axes
    assert len(left.texts) == 3
    assert [text.get_text() for text in right.texts] == ["50.0", "30.0", "20.0"] * 3
    assert left.get_yticklabels()[0].get_text().startswith("age: young")


def test_booths_are_dots_or_hexagons():
    fit = pretend_fit(pretend_booths())
    figure = report.booth_scatter(fit)
    assert [ax.get_title() for ax in figure.axes] == ["turnout", *PARTIES]
    assert len(figure.axes[0].lines[1].get_xdata()) == 6
    many = xr.concat([fit[["fitted_turnout", "observed_turnout", "fitted_share", "observed_share"]]] * 300, "booth")
    assert report.booth_scatter(many).axes[0].collections


def test_the_surface_marks_the_best_and_the_planted_value():
    loss = np.array([[1.0, 0.5], [0.75, np.nan]])
    figure = report.loss_surface(loss, ("rho", [0.3, 0.5]), ("lambda", [0.1, 1.0]), planted=0.5)
    left, right = figure.axes
    assert [text.get_text() for text in left.texts] == ["5.00", "best", "2.50"]
    assert [label.get_text() for label in right.get_legend().get_texts()] == ["planted", "lambda = 0.1", "lambda = 1"]


def test_labels_of_users_are_escaped():
    booths = pretend_booths().assign_coords(axis=["<b>age</b>", "caste"])
    metrics = calm_metrics(pretend_fit(booths), booths)
    assert "<b>" not in report.calm_tables.as_html(metrics)
