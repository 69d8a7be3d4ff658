"""Task `calm`: its configuration, what it prints and leaves behind, its figures, and the summary of a sweep.

Runs of the command line use small stand-ins for data and estimation; the last tests are the real thing.
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
from electjax import kinds
from electjax.calm import task
from electjax.calm.metrics import calm_metrics, coefficients, fitted_margins, recovery, swap_metrics
from electjax.calm.options import FitOptions
from electjax.calm.report import tables
from electjax.calm.report.figures import booth_scatter, category_heatmap, coefficient_forest
from electjax.calm.schema import FIT as FIT_SCHEMA
from electjax.calm.task import everywhere
from electjax.calm.verdict import about, judge
from electjax.data.finished import finished
from electjax.data.notes import notes_text
from electjax.data.options import default_of
from electjax.data.schema import conform
from electjax.report.report import Report, ResultTable, render_page
from tests.command_line import run

PARTIES, AXES, PLACES = ["A", "B", "others"], ["age", "caste"], ["north", "south"]
CELLS = [("young", "X"), ("young", ""), ("old", "X"), ("old", "")]
SPEC = {"age": {"categories": ["young", "old"], "kernel": "ordinal"}, "caste": {"categories": ["X"], "kernel": "match"}}
ETA = np.array([0.2, 0.4])
FIT = electjax.calm.fit  # as it is


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
            "candidate_category": (("constituency", "party", "axis"), np.full((2, 3, 2), "")),
            "candidate_value": (("constituency", "party", "axis"), np.full((2, 3, 2), np.nan)),
            "fielded": (("constituency", "party"), [[True, True, True], [True, False, True]]),
            "true_eta": ("axis", ETA),
            "true_turnout": (("constituency", "cell"), np.full((2, 4), 0.6)),
            "true_choice": (("constituency", "cell", "party"), np.full((2, 4, 3), 1 / 3)),
        },
        coords={
            "booth": [f"b{i}" for i in range(6)],
            "booth_constituency": ("booth", np.repeat(PLACES, 3)),
            "constituency": PLACES,
            "cell": [" ".join(cell).strip() for cell in CELLS],
            "party": PARTIES,
            "axis": AXES,
        },
        attrs={"name": "made", "axes": json.dumps(SPEC), "truth": json.dumps({"proximity": {"age": 0.5}})},
    )


def pretend_simulate(scale, **given) -> xr.Dataset:
    """The same, of whatever size."""
    return pretend_booths(**given)


def pretend_fit(
    booths, *, proximity=None, lambda_eta=0.01, holdout=0.0, seed=0, level=0.95, errors="laplace", **options
):
    """A fit as `calm.fit` gives it: eta a little off, the smallest validation loss at proximity .5 and lambda .01."""
    told = options.pop("progress", None)
    told and told(1, 1, "")
    rng = np.random.default_rng(seed)
    error = {} if errors == "none" else {"eta_se": ("axis", [0.05, 0.1]), "gamma_se": ("party", [0.1] * 3)}
    share = (booths["votes"] / booths["polled"]).transpose("booth", "party")
    turnout = booths["polled"] / booths["electors"]
    off = (proximity or {}).get("age", 0.5) - 0.5
    validation = 0.5 + 0.1 * off**2 + 1e-4 * np.log10(lambda_eta / 0.01) ** 2 + 0.01 * seed
    kept = {"turnout": validation - 0.3, "party": 0.3, "total": validation + 1e-6 * rng.normal()}
    sizes, of = booths["cell_size"].values, booths["booth_constituency"].values
    found = xr.Dataset(
        {
            "theta_value": ("theta", [0.1]),
            "alpha": 0.1,
            "gamma": ("party", [0.2, 0.1, -0.3]),
            "proximity": ("axis", [0.5, 0.0]),
            "axis_weight": ("axis", [0.5, 0.5]),
            "identified": ("axis", [True, True]),
            "held_out": ("booth", np.zeros(len(of), bool)),
            "booth_electors": ("booth", sizes.sum(1)),
            "b_T": ("booth", np.zeros(len(of))),
            "b_P": (("booth", "party"), np.zeros((len(of), 3))),
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
            "electors": (("constituency", "cell"), sizes.reshape(2, 3, 4).sum(1)),
            **error,
        },
        coords={name: booths[name].values for name in ("constituency", "cell", "axis", "party", "booth")}
        | {"cell_category": (("cell", "axis"), booths["cell_category"].values)}
        | {"booth_constituency": ("booth", of), "theta": ["alpha"]},
        attrs={
            "objective": 12.5,
            "gradient": 1e-9,
            "log_likelihood": -1234.5,
            "steps": 7,
            "converged": 1,
            "level": level,
            "errors": errors,
            "rank": 2,
            "rank_without_affinity": 0,
            "notes": notes_text(["A booth was odd."]),
            "axes": booths.attrs["axes"],
            "options": json.dumps({"lambda_eta": 7.0, "holdout": holdout, "errors": errors}),
            "validation": json.dumps(kept if holdout else {}),
        },
    )
    found = conform(found, FIT_SCHEMA)
    return finished(found, about=about(found), verdict=judge(found))


def told(options) -> str:
    return json.dumps({key: value for key, value in options.items() if isinstance(value, int | float | str)})


def pretend_holdout(booths, **options) -> xr.Dataset:
    """Booths kept out that gain from the candidates."""
    over = ("model", "measure")
    return xr.Dataset(
        {
            "loss": (over, [[0.02, 0.01], [0.015, 0.01]]),
            "gain": ("measure", [0.005, 0.0]),
            "gain_se": ("measure", [0.001, 0.001]),
            "gain_z": ("measure", [5.0, 0.0]),
            "constituency_gain": (("constituency", "measure"), [[0.002, 0.0], [0.008, 0.0]]),
        },
        coords={"model": ["without", "with"], "measure": ["KL", "BCE"]},
        attrs={"finding": "All is well with booths kept out.", "called": told(options)},
    )


def pretend_placebo(booths, **options) -> xr.Dataset:
    """Twenty shuffles, none as far out as the candidates."""
    z = np.random.default_rng(0).normal(size=20)
    return xr.Dataset(
        {"p_value": 1 / 21, "z": 4.0, "permuted_z": ("permutation", z)},
        attrs={"finding": "All is well with the placebo.", "axis": "caste", "called": told(options)},
    )


def pretend_curve(booths, **options) -> xr.Dataset:
    """A proximity of .5 is best."""
    near = np.linspace(0, 1, 5)
    lost = (near - 0.5) ** 2
    return xr.Dataset(
        {
            "excess": ("proximity", lost),
            "excess_se": ("proximity", lost),
            "objective": ("proximity", lost),
            "best": 0.5,
            "refined": 0.5,
        },
        coords={"proximity": near},
        attrs={"finding": "All is well with the proximity.", "curve_axis": "age"},
    )


def pretend_stability(booths, **options) -> xr.Dataset:
    """Two groups, of which one says nothing about age."""
    return xr.Dataset(
        {
            "eta": ("axis", ETA),
            "eta_se": ("axis", [0.1, 0.1]),
            "group_eta": (("group", "axis"), [[0.1, 0.5], [np.nan, 0.3]]),
            "group_eta_se": (("group", "axis"), [[0.1, 0.1], [np.nan, 0.1]]),
        },
        coords={"axis": AXES},
        attrs={"finding": "All is well with the groups.", "by": "constituency"},
    )


def pretend_collinearity(booths, **options) -> xr.Dataset:
    """Nothing but a verdict."""
    assert "progress" not in options
    return xr.Dataset({"rank_with": 5}, attrs={"finding": "All is well with the rank."})


pretend_collinearity.__signature__ = inspect.signature(electjax.calm.collinearity)


def pretend_swap(fit, booths, candidates, *, draws, progress, **options) -> xr.Dataset:
    """B gains 10 votes and a seat where its candidate is another."""
    changed = np.array([["B" in candidates.get(place, {}) and party == "B" for party in PARTIES] for place in PLACES])
    before = np.tile([50.0, 40.0, 10.0], (2, 1))
    votes = np.stack([before, before + 10 * changed])
    found = {"votes": votes.sum(1), "seats": np.array([[2.0, 0, 0], [1, 1, 0]])}
    variables = {name: (("scenario", "party"), values) for name, values in found.items()}
    variables |= {f"{name}_change": ("party", values[1] - values[0]) for name, values in found.items()}
    for name in ("votes", "seats"):
        for end, shift in (("low", -1), ("high", 1)):
            variables[f"{name}_change_{end}"] = ("party", found[name][1] - found[name][0] + shift)
    variables["constituency_votes"] = (("scenario", "constituency", "party"), votes)
    variables["constituency_votes_change"] = (("constituency", "party"), votes[1] - votes[0])
    variables["changed"] = (("constituency", "party"), changed)
    coords = {"scenario": ["before", "after"], "constituency": PLACES, "party": PARTIES}
    return xr.Dataset(variables, coords=coords, attrs={"draws": draws})


SAVE = kinds.save


def pretend_save(dataset, path):
    """Stand-ins of data are not checked; a fit is."""
    return SAVE(dataset, path) if "conventions" in dataset.attrs else dataset.to_netcdf(path, engine="h5netcdf")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder, with the stand-ins in place and no compilation cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELECTJAX_CACHE", "off")
    stand_ins = {
        "fit": pretend_fit,
        "simulate": pretend_simulate,
        "madipur": pretend_booths,
        "holdout": pretend_holdout,
        "mobilisation": pretend_holdout,
        "placebo": pretend_placebo,
        "rho_curve": pretend_curve,
        "stability": pretend_stability,
        "collinearity": pretend_collinearity,
        "counterfactual": pretend_swap,
    }
    for name, pretend in stand_ins.items():
        monkeypatch.setattr(electjax.calm, name, pretend)
    monkeypatch.setattr(kinds, "save", pretend_save)
    return tmp_path


# ------------------------------------------------------------------------------------ a run and its folder


def test_the_experiment_leaves_one_complete_folder(here, monkeypatch, capsys):
    candidates = ("~calm.candidates.everywhere.BJP", "calm.candidates.everywhere.B.caste=X")
    assert run(monkeypatch, "+experiment=calm_delhi", *candidates) == 0
    printed = capsys.readouterr()
    assert "WITH CARE: Booth effects are fitted, not integrated out" in printed.out
    folder = here / printed.out.rstrip().splitlines()[-1]
    assert folder.parent == here / "outputs" / "calm_delhi"
    assert "+0.250 ± 0.050" in printed.out
    assert "everywhere, B: caste X" in printed.out
    assert "+10 (+9 to +11)" in printed.out  # one constituency: in the other, B does not stand
    assert "All is well with the placebo." in printed.out
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    drawn = {"coefficients", "categories", "booths", "counterfactual", "placebo", "rho_curve", "stability", "holdout"}
    kept = {"coefficients", "parameters", "cells", "categories", "booths", "diagnostics"}
    kept |= {"counterfactual", "counterfactual_constituencies"}
    assert found == {
        *("config.yaml", "metrics.json", "data.nc", "fit.nc", "result.nc", "report.html"),
        *(f"tables/{name}.csv" for name in kept),
        *(f"figures/{name}.png" for name in drawn),
    }
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["booths"] == 6
    assert metrics["coefficients"]["age"]["eta"] == pytest.approx(0.25)
    assert metrics["coefficients"]["age"]["low"] == pytest.approx(0.25 - 1.959964 * 0.05)
    assert list(metrics["diagnostics"]) == [
        "holdout",
        "placebo",
        "rho_curve",
        "mobilisation",
        "stability",
        "collinearity",
    ]
    assert metrics["diagnostics"]["placebo"]["p_value"] == pytest.approx(1 / 21)
    assert metrics["diagnostics"]["holdout"]["KL"]["gain_z"] == 5.0
    assert list(metrics["counterfactual"]["places"]) == ["north"]
    assert metrics["counterfactual"]["parties"]["B"]["seats"]["change"] == {"value": 1.0, "low": 0.0, "high": 2.0}
    assert metrics["seconds"] > 0
    with xr.open_datatree(folder / "result.nc", engine="h5netcdf") as tree:
        assert {"/margins", "/placebo", "/counterfactual"} <= set(tree.groups)
        assert "/fit" not in tree.groups
        called = json.loads(tree["placebo"].attrs["called"])
    assert called["model"] == "recommended"
    assert called["seed"] == 0
    assert "holdout" not in called
    config = (folder / "config.yaml").read_text("utf-8")
    assert "models" not in config
    assert "holdout: 0.0" in config
    html = (folder / "report.html").read_text("utf-8")
    assert "6 booths in 2 constituencies" in html
    assert "All is well with booths kept out." in html
    assert "A booth was odd." in html
    assert metrics["verdict"]["level"] == "with care"
    again = electjax.load(folder)
    assert repr(again.fit).startswith("<electjax calm>\nWITH CARE: Booth effects")
    assert electjax.calm.plot(folder, "placebo").get_xlabel() == electjax.calm.plot(again, "placebo").get_xlabel()
    assert html.count("data:image/png;base64") == len(drawn)


def test_a_sweep_is_quick_and_finds_what_was_planted(here, monkeypatch, capsys):
    arguments = ("data.scale=small", "calm.proximity.age=0.3,0.5", "seed=0,1")
    assert run(monkeypatch, "-m", "+experiment=calm_delhi", *arguments) == 0
    (folder,) = (here / "multirun" / "calm_delhi").iterdir()
    table = pd.read_csv(folder / "sweep.csv")
    assert len(table) == 4
    assert {"calm.proximity.age", "seed", "validation", "eta_age"} <= set(table.columns)
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    said = (folder / "sweep.md").read_text("utf-8")
    assert "Best: calm.proximity.age=0.5, with a validation loss of 0.505" in said
    assert "(mean over 2 seeds)" in said
    assert "The best with another calm.proximity.age, 0.3, loses 4.0e-03" in said
    for number in range(4):
        job = folder / str(number)
        assert not (job / "report.html").exists()
        config = (job / "config.yaml").read_text("utf-8")
        assert "diagnostics: []" in config
        assert "errors: none" in config
        metrics = json.loads((job / "metrics.json").read_text("utf-8"))
        assert metrics["diagnostics"] == {}
        assert "counterfactual" not in metrics


def test_the_seed_draws_new_data_unless_they_have_their_own(here, monkeypatch):
    seeds = []
    monkeypatch.setattr(
        electjax.calm, "simulate", lambda scale, **given: seeds.append(given["seed"]) or pretend_booths()
    )
    for arguments in (["seed=3"], ["seed=3", "data.seed=1"]):
        assert (
            run(
                monkeypatch, "+experiment=calm_delhi", "calm.diagnostics=[]", "calm.draws=0", "report=false", *arguments
            )
            == 0
        )
    assert seeds == [3, 1]


def test_options_reach_the_fit_and_the_reader(here, monkeypatch):
    called = {}

    def fit(booths, **options):
        called.update(options)
        return pretend_fit(booths, **options)

    monkeypatch.setattr(electjax.calm, "fit", fit)
    monkeypatch.setattr(
        electjax.calm, "read", lambda path, **given: called.update(given, path=path) or pretend_booths()
    )
    arguments = ["task=calm", "data=booths", "data.path=mine", "calm.proximity.school=0.2", "calm.affinity=party"]
    arguments += ["calm.axes={caste:{categories:[X,Y],kernel:match}}", "calm.use_candidate_affinity=false"]
    assert run(monkeypatch, *arguments, "hydra.run.dir=one", "report=false", "seed=4") == 0
    assert called["path"] == here / "mine"
    assert called["axes"] == {"caste": {"categories": ["X", "Y"], "kernel": "match"}}
    assert (called["proximity"], called["affinity"], called["use_candidate_affinity"]) == (
        {"school": 0.2},
        "party",
        False,
    )
    assert called["seed"] == 4
    assert called["tolerance"] == FitOptions().tolerance
    assert json.loads((here / "one" / "metrics.json").read_text("utf-8"))["data"] == "mine"


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (["+experiment=calm_delhi", "calm.proximities=1"], 2, "calm.proximities: no such key; did you mean proximity?"),
        (["+experiment=calm_delhi", "calm.proximity.age=1.5"], 2, "calm.proximity: expected a number from 0 to 1"),
        (["+experiment=calm_delhi", "calm.proximity.school=-1"], 2, "calm.proximity: expected a number from 0 to 1"),
        (["+experiment=calm_delhi", "calm.lambda_eta=-1"], 2, "calm.lambda_eta: expected a number of at least 0"),
        (["+experiment=calm_delhi", "calm.lambda_eta=much"], 2, "calm.lambda_eta"),
        (["+experiment=calm_delhi", "calm.affinity=many"], 2, "calm.affinity"),
        (["+experiment=calm_delhi", "calm.level=95"], 2, "calm.level: expected a number between 0 and 1"),
        (["+experiment=calm_delhi", "calm.holdout=1"], 2, "calm.holdout: expected a number from 0 to 0.9"),
        (["+experiment=calm_delhi", "calm.diagnostics=[placebos]"], 2, "calm.diagnostics: expected some of"),
        (["+experiment=calm_delhi", "calm.diagnostics=placebo"], 2, "calm.diagnostics: expected a list"),
        (["+experiment=calm_delhi", "calm.draws=1"], 2, "calm.draws: expected at least 2, or 0"),
        (["+experiment=madipur"], 1, "no constituency 'Madipur'"),
        (["+experiment=calm_delhi"], 1, "no party 'BJP'"),
        (["+experiment=calm_delhi", "data.path=x"], 2, "data.path: this data has no file; data=csv"),
        (["task=calm"], 2, "data: expected booths for task=calm, as in data=booths"),
        (["task=calm", "data=ballots", "data.path=x"], 2, "data: expected booths for task=calm"),
        (["task=voter_types", "data=madipur"], 2, "data: expected ballots for task=voter_types"),
        (
            ["data=madipur"],
            2,
            "data: expected returns for task=calibrate, as in data=csv data.path=my.csv; booths are for task=calm",
        ),
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

    from electjax.run.config import conf_dir, job_of

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        options = job_of(compose("config", ["task=calm", "data=madipur"])).options
    assert options == task.Settings()
    shown = inspect.signature(FIT).parameters
    for item in dataclasses.fields(FitOptions):
        assert shown[item.name].default == default_of(item)


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
    assert truth["proximity"] == {"age": 0.5}
    turned = booths.isel(axis=[1, 0])
    assert recovery(pretend_fit(booths), turned)["parameters"]["eta[age]"] == truth["parameters"]["eta[age]"]
    assert recovery(pretend_fit(booths), booths.drop_vars("true_eta")) is None


def test_the_truth_is_compared_where_it_is_the_same_quantity():
    booths = pretend_booths().assign(true_xi=0.3)
    said = {
        "proximity": {"age": 0.5, "caste": 0.0},
        "g_sd": {"age": 0.2, "caste": 0.45},
        "axis_weight": {"age": 1.0, "caste": 0.0},
    }
    booths.attrs["truth"] = json.dumps(said)
    fit = pretend_fit(booths).assign(
        proximity=("axis", [0.5, 0.0]), axis_weight=("axis", [1.0, 0.0]), xi=0.2, xi_se=0.1, g_sd=("axis", [0.4, 0.45])
    )

    def compared(found=fit, **options):
        return recovery(found.assign_attrs(options=json.dumps(options)), booths)["parameters"]

    assert compared()["eta[age]"]["truth"] == pytest.approx(0.4)  # per SD of a g that varies twice as much
    assert compared()["eta[caste]"]["truth"] == pytest.approx(0.4)
    assert list(compared(fit.assign(proximity=("axis", [0.2, 0.0])))) == ["eta[caste]"]
    assert compared(tower=1) == {}
    alike = fit.assign(g_sd=("axis", [0.2, 0.45]))
    assert "xi" in compared(alike, mobilisation="previous")
    for options in ({}, {"mobilisation": "model"}, {"mobilisation": "previous", "raw_mobilisation": True}):
        assert "xi" not in compared(alike, **options)
    assert "xi" not in compared(alike.assign(axis_weight=("axis", [0.5, 0.5])), mobilisation="previous")
    features = {
        "true_beta_T": ("feature", [0.1, -0.1]),
        "beta_T": ("feature", [0.1, 0.0]),
        "beta_T_se": ("feature", [0.1] * 2),
    }
    coded = fit.assign({name: value for name, value in features.items() if name != "true_beta_T"})
    booths = booths.assign(true_beta_T=features["true_beta_T"]).assign_coords(feature=["a", "b"])
    coded = coded.assign_coords(feature=["a", "b"])
    for options, number in (({}, 4), ({"coding": "reference"}, 2), ({"identification": "reference"}, 2)):
        assert recovery(coded.assign_attrs(options=json.dumps(options)), booths)["compared"] == number


def test_the_verdict_is_told_without_a_warning(here, monkeypatch, recwarn):
    monkeypatch.setattr(electjax.calm, "read", lambda path, **given: pretend_booths())
    assert run(monkeypatch, "task=calm", "data=booths", "data.path=mine", "hydra.run.dir=one") == 0
    assert "integrate=True takes the bias off" in (here / "one" / "report.html").read_text("utf-8")
    assert not [warning for warning in recwarn if "integrate" in str(warning.message)]


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


def test_a_sweep_is_drawn_over_rho_and_the_other_setting():
    rows = [
        {
            "job": 0,
            "calm.lambda_eta": eta,
            "calm.proximity.age": rho,
            "seed": seed,
            "validation": seed + (rho - 0.4) ** 2 + eta,
        }
        for seed in (0, 1)
        for rho in (0.3, 0.4, 0.6)
        for eta in (0.01, 0.1)
    ]
    keys = ["calm.lambda_eta", "calm.proximity.age", "seed"]
    left, right = task.sweep_figures(pd.DataFrame(rows), keys, [{"truth": {"proximity": {"age": 0.4}}}])[0].axes
    assert (left.get_xlabel(), left.get_ylabel()) == ("calm.proximity.age", "calm.lambda_eta")
    assert [text.get_text() for text in left.texts] == ["0.10", "best", "0.40", "1.00", "0.90", "1.30"]
    assert right.lines[-1].get_xdata() == [0.4, 0.4]
    said = task.best_said(pd.DataFrame(rows), keys)
    assert said.startswith("Best: calm.lambda_eta=0.01 calm.proximity.age=0.4, with")
    assert "another calm.lambda_eta, 0.1, loses 9.0e-02" in said
    only = pd.DataFrame(rows[:1])
    assert task.sweep_figures(only.assign(eta_age=0.2), ["seed"], [])[0].axes[0].get_ylabel() == "η per SD"


def test_everywhere_is_where_the_party_stands():
    booths = pretend_booths()
    given = {"everywhere": {"B": {"caste": "X"}, "A": None}, "south": {"A": {"age": "old"}}}
    assert everywhere(given, booths) == {
        "north": {"B": {"caste": "X"}, "A": None},
        "south": {"A": {"age": "old"}},  # what is said of a place counts there
    }
    assert everywhere({}, booths) == {}


def test_swaps_are_told_in_words():
    booths = pretend_booths()
    given = {"north": {"B": {"caste": None, "age": "old"}, "A": None}}
    metrics = swap_metrics(pretend_swap(pretend_fit(booths), booths, given, draws=2, progress=None), given)
    assert metrics["changes"] == ["north, B: caste unknown, age old", "north, A: does not stand"]
    assert metrics["places"]["north"]["B"]["votes"]["change"] == {"value": 10.0, "low": None, "high": None}


def test_the_best_setting_is_a_mean_of_differences_within_seeds():
    rows = [
        {
            "calm.proximity.age": rho,
            "seed": seed,
            "validation": 1.0 + 10 * seed + (0.2 if rho == 0.3 else 0.0) * (1 + seed),
        }
        for seed in (0, 1)
        for rho in (0.3, 0.5)
    ]
    keys = ["calm.proximity.age", "seed"]
    best, other = task.ranking(pd.DataFrame(rows), keys)
    assert best.values == (0.5,)
    assert best.loss == pytest.approx(6.0)
    assert other.excess == pytest.approx(0.3)
    assert other.error == pytest.approx(0.1)  # differences .2 and .4
    assert task.ranking(pd.DataFrame(rows).assign(validation=np.nan), keys) == []
    assert task.best_said(pd.DataFrame(rows[:1]), keys) == ""


# ------------------------------------------------------------------------------------ figures and tables


def test_the_forest_shows_coefficients_intervals_and_truth():
    booths = pretend_booths()
    metrics = calm_metrics(pretend_fit(booths), booths)
    figure = coefficient_forest(metrics["coefficients"], 0.95, {"age": 0.2})
    left, right = figure.axes
    dots = [line.get_xdata() for line in left.lines if line.get_marker() == "o"]
    assert dots[0] == pytest.approx([0.25, 0.25])
    crosses = [line.get_xdata() for line in left.lines if line.get_marker() == "X"]
    assert crosses[0][0] == 0.2
    assert [label.get_text() for label in left.get_yticklabels()] == AXES
    assert right.get_xlabel() == "percentage points per SD"


def test_the_heatmap_has_every_category_and_party():
    booths = pretend_booths()
    figure = category_heatmap(fitted_margins(pretend_fit(booths)))
    left, right, _ = figure.axes  # the last is the scale
    assert len(left.texts) == 3
    assert [text.get_text() for text in right.texts] == ["50.0", "30.0", "20.0"] * 3
    assert left.get_yticklabels()[0].get_text().startswith("age: young")


def test_booths_are_dots_or_hexagons():
    fit = pretend_fit(pretend_booths())
    figure = booth_scatter(fit)
    assert [ax.get_title() for ax in figure.axes if ax.axison] == ["turnout", *PARTIES]
    assert len(figure.axes[0].lines[1].get_xdata()) == 6
    many = xr.concat([fit[["fitted_turnout", "observed_turnout", "fitted_share", "observed_share"]]] * 300, "booth")
    assert booth_scatter(many).axes[0].collections


def test_labels_of_users_are_escaped():
    booths = pretend_booths().assign_coords(axis=["<b>age</b>", "caste"])
    metrics = calm_metrics(pretend_fit(booths), booths)
    page = render_page(Report("", [], "", ResultTable(tables.coefficient_rows(metrics))), [])
    assert "<b>" not in page
    assert "&lt;b&gt;age" in page


# ------------------------------------------------------------------------------------ the real thing


@pytest.mark.ci
def test_the_documents_example_has_its_vectors_and_says_what_it_cannot_tell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = ("calm.errors=none", "calm.max_steps=3", "calm.diagnostics=[]", "calm.draws=0", "report=false")
    assert run(monkeypatch, "+experiment=madipur", "calm.proximity.age=0.25", *quick, "hydra.run.dir=one") == 0
    printed = capsys.readouterr().out
    assert "Not identified: eta[age], eta[religion], eta[caste], eta[income]." in printed
    assert "affinity g with BJP: 46-60 Hindu OBC Middle" in printed
    found = json.loads((tmp_path / "one" / "metrics.json").read_text("utf-8"))
    raw = {row["cell"]: list(row["raw"].values()) for row in found["affinity"]["cells"]}
    assert raw["46-60 Hindu OBC Middle"] == [1, 1, 1, 1]
    assert raw["36-45 Hindu SC Middle"] == [0.25, 1, 0, 1]
    assert raw["46-60 Muslim Middle"] == [1, 0, 0, 1]
    fit = found["coefficients"]
    for row in found["affinity"]["cells"]:
        for axis, value in row["standardised"].items():
            assert value == pytest.approx((row["raw"][axis] - fit[axis]["g_mean"]) / fit[axis]["g_sd"])
        gain = sum(fit[axis]["eta"] * value for axis, value in row["standardised"].items())
        assert row["boost"] == pytest.approx(gain)


@pytest.mark.slow
def test_the_generated_booths_are_fitted_examined_and_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "+experiment=calm_delhi", "data.scale=small", "hydra.run.dir=one") == 0
    metrics = json.loads((tmp_path / "one" / "metrics.json").read_text("utf-8"))
    assert metrics["converged"]
    truth = metrics["truth"]["parameters"]
    assert set(truth) == {f"eta[{axis}]" for axis in ("age", "religion", "caste", "income")}
    assert max(abs(row["z"]) for row in truth.values()) < 3.5  # four of them
    assert metrics["diagnostics"]["placebo"]["p_value"] < 0.05
    assert metrics["diagnostics"]["holdout"]["KL"]["gain_z"] > 2
    change = metrics["counterfactual"]["parties"]
    assert sum(row["votes"]["change"]["value"] for row in change.values()) == pytest.approx(0, abs=1e-6)
    assert len(list((tmp_path / "one" / "figures").iterdir())) == 8


@pytest.mark.slow
def test_a_real_sweep_finds_the_planted_proximity(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("data.scale=small", "calm.proximity.age=0,0.5,1", "seed=0,1,2")
    assert run(monkeypatch, "-m", "+experiment=calm_delhi", *arguments) == 0
    (folder,) = (tmp_path / "multirun" / "calm_delhi").iterdir()
    assert "Best: calm.proximity.age=0.5, " in (folder / "sweep.md").read_text("utf-8")
