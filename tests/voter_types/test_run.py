"""Task `voter_types`: its configuration, what it prints and leaves behind, its figures, and prediction from a fit.

Runs of the command line use a small stand-in for the estimation; the last tests fit for real.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import electjax
from electjax.data.verdict import Verdict, attrs_of
from electjax.report.draw import png_bytes
from electjax.report.report import Report, ResultTable, render_page
from electjax.voter_types.codec import voter_covariates
from electjax.voter_types.report import figures, tables
from electjax.voter_types.report.figures import propensities
from electjax.voter_types.task import selection_of
from electjax.voter_types.verbs import simulate as generate
from tests.command_line import run

pytestmark = pytest.mark.filterwarnings("ignore:Office X was on the ballot of nobody")


def pretend_fit(ballots, types=3, *, restarts=100, seed=0, level=0.95, progress=None, **options) -> xr.Dataset:
    """A fit as `fit` gives it, made from the truth of `yuma_like` and a little noise, for up to four types."""
    rng = np.random.default_rng(seed)
    mu = ballots["true_mu"].isel(type=np.arange(types) % 4).values
    mu = mu * rng.uniform(0.97, 1.03, mu.shape)
    mu = mu / mu.sum(-1, keepdims=True)
    mu[:, 3, 1] = np.nan
    share = np.arange(types, 0, -1) / np.arange(1, types + 1).sum()
    zeta = rng.dirichlet(np.ones(types) / 4, 40)
    top = -10_000.0 - 300 * abs(types - 3)
    size = (types, len(ballots["office"]), 3)
    if progress:
        progress(1, 1, "")
    return xr.Dataset(
        {
            "pi": ("type", share),
            "pi_low": ("type", share * 0.95),
            "pi_high": ("type", share * 1.05),
            "mu": (("type", "office", "option"), mu),
            "mu_se": (("type", "office", "option"), np.full(size, 0.02)),
            "gamma": (("term", "type"), np.log(share)[None]),
            "gamma_se": (("term", "type"), np.full((1, types), 0.1)),
            "at_boundary": (("type", "office", "option"), rng.random(size) < 0.04),
            "zeta": (("profile", "type"), zeta),
            "profile_weight": ("profile", rng.integers(1, 9, 40).astype(float)),
            "on_menu": (("office", "option"), np.isfinite(mu[0])),
            "maxima_log_likelihood": ("maximum", top - np.array([0.0, 3.5, 20.25])),
            "maxima_starts": ("maximum", [7, 2, 1]),
        },
        coords={
            "type": np.arange(1, types + 1),
            "office": ballots["office"],
            "option": ballots["option"],
            "option_label": ballots["option_label"],
            "term": ["intercept"],
        },
        attrs={
            "log_likelihood": top,
            **{name: -2 * top + 100 for name in ("aic", "bic", "sabic", "caic", "icl")},
            "entropy": 0.8,
            "rows": 40,
            "restarts": 10,
            "parameters": 30 * types,
            "level": level,
            "remarks": json.dumps(["Office X was on the ballot of nobody."]),
            "conventions": "electjax voter types",
            **attrs_of(Verdict("with care", ("It is made up; fit it.",))),
            "title": "A generated county",
            "source": "a file",
        },
    )


def pretend_selection(ballots, types, *, blrt=0, progress=None, **options) -> xr.Dataset:
    """What speaks for each number of types, from stand-in fits."""
    rows = [selection_of(pretend_fit(ballots, number, **options)) for number in types]
    return xr.concat(rows, "types")


def pretend_residuals(fit, ballots) -> xr.Dataset:
    """Bivariate residuals of 0.5 to 4."""
    offices = fit["office"].values
    values = np.random.default_rng(0).uniform(0.5, 4, (len(offices),) * 2)
    np.fill_diagonal(values, np.nan)
    return xr.Dataset(
        {"bivariate": (("office", "office_"), values), "g2": 812.5}, coords={"office": offices, "office_": offices}
    )


def pretend_predict(fit, ballots) -> xr.Dataset:
    """Everybody is of the first type."""
    return xr.Dataset({"modal_type": ("voter", np.ones(ballots.sizes["voter"], int))})


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder, with the stand-ins in place and no compilation cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELECTJAX_CACHE", "off")
    for name, pretend in {
        "fit": pretend_fit,
        "select": pretend_selection,
        "residuals": pretend_residuals,
        "predict": pretend_predict,
    }.items():
        monkeypatch.setattr(electjax.voter_types, name, pretend)
    return tmp_path


# ------------------------------------------------------------------------------------ a run and its folder


def test_the_experiment_leaves_one_complete_folder(here, monkeypatch, capsys):
    assert run(monkeypatch, "+experiment=yuma_like", "data.voters=300") == 0
    printed = capsys.readouterr().out
    folder = here / printed.rstrip().splitlines()[-1]
    assert folder.parent == here / "outputs" / "yuma_like"
    assert "how many types" in printed
    assert "Superintendent of Schools" in printed
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    drawn = {"propensities", "shares", "sharpness", "scree", "maxima", "residuals"}
    assert found == {
        *("config.yaml", "metrics.json", "data.nc", "fit.nc", "result.nc", "report.html"),
        *(f"tables/{name}.csv" for name in ("types", "shares", "membership", "selection", "residuals")),
        *(f"figures/{name}.png" for name in drawn),
    }
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert list(metrics["types"]) == ["1", "2", "3", "4", "5"]
    assert metrics["fit"]["types"] == 3  # the smallest BIC of the stand-in
    assert metrics["types"]["3"]["starts_at_best"] == 0.7
    assert metrics["residuals"] == {"g2": 812.5}
    assert metrics["voters"] == 300
    assert metrics["seconds"] > 0
    assert len(metrics["fit"]["mu"]["Sheriff"]) == 3
    assert metrics["fit"]["mu"]["State Senate, north"][0][1] is None
    assert "truth" not in metrics  # there are four types, and three were chosen
    with xr.open_datatree(folder / "result.nc", engine="h5netcdf") as tree:
        assert set(tree.groups) == {"/", "/fit", "/selection", "/residuals"}
        assert tree["fit"]["mu"].shape == (3, 16, 3)
        assert list(tree["selection"]["types"].values) == [1, 2, 3, 4, 5]
    config = (folder / "config.yaml").read_text("utf-8")
    assert "tolerance: 1.0e-09" in config
    assert "models" not in config
    html = (folder / "report.html").read_text("utf-8")
    assert "Of 1 to 5 types, 3 were chosen by BIC." in html
    assert "The 300 voters fall into 3 types." in html
    assert "Type 1 (50 % of the voters): mostly vote a straight ticket in " in html
    assert html.index("It is made up; fit it.") < html.index("fall into 3 types")
    assert printed.index("WITH CARE: It is made up; fit it.") < printed.index("what they do")
    assert metrics["verdict"] == {"level": "with care", "reasons": ["It is made up; fit it."], "levels": ["with care"]}
    assert "Office X was on the ballot of nobody." in html
    assert html.count("data:image/png;base64") == len(drawn)


def test_a_number_chooses_itself_and_the_truth_is_held_against_it(here, monkeypatch):
    arguments = ("voter_types.types=[2,4]", "voter_types.choose=4", "data.voters=300", "hydra.run.dir=one")
    assert run(monkeypatch, "+experiment=yuma_like", *arguments) == 0
    metrics = json.loads((here / "one" / "metrics.json").read_text("utf-8"))
    assert (metrics["fit"]["types"], metrics["fit"]["chosen_by"]) == (4, 4)
    truth = metrics["truth"]
    assert truth["types"] == list(generate.NAMES)
    assert truth["fitted_types"] == [1, 2, 3, 4]
    assert truth["fitted_shares"] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert truth["compared"] == 4 * (16 * 3 - 1)
    assert truth["within"] > 0.5
    ballots = electjax.voter_types.yuma_like(voters=300)
    assert truth["agreement"] == pytest.approx(float((ballots["true_type"] == 1).mean()))
    assert "Against the truth" in (here / "one" / "report.html").read_text("utf-8")


def test_one_type_has_a_report_without_what_needs_two(here, monkeypatch):
    assert run(monkeypatch, "+experiment=yuma_like", "voter_types.types=1", "data.voters=50", "hydra.run.dir=one") == 0
    drawn = {path.name for path in (here / "one" / "figures").iterdir()}
    assert drawn == {"propensities.png", "shares.png", "residuals.png"}


def test_a_users_file_takes_the_place_of_the_generated_one(here, monkeypatch, capsys):
    ballots = electjax.voter_types.yuma_like(voters=40)
    names = [str(name) for name in ballots["office"].values]
    table = pd.DataFrame(ballots["choice"].values, columns=[f"y_{name}" for name in names]).replace(-1, np.nan)
    table = table.join(pd.DataFrame(ballots["menu"].values, columns=[f"m_{name}" for name in names]))
    table.astype("Int64").to_csv("my.csv", index=False)
    truth = ballots["true_mu"]
    for name, pretend in {"fit": pretend_fit, "select": pretend_selection}.items():
        monkeypatch.setattr(
            electjax.voter_types, name, lambda read, do=pretend, **rest: do(read.assign(true_mu=truth), **rest)
        )
    assert run(monkeypatch, "+experiment=yuma_like", "data.path=my.csv", "report=false") == 0
    one = here / capsys.readouterr().out.rstrip().splitlines()[-1]
    assert one.parent == here / "outputs" / "my"
    arguments = ("task=voter_types", "data=ballots", "data.path=my.csv", "report=false", "hydra.run.dir=two")
    assert run(monkeypatch, *arguments) == 0
    metrics = [json.loads((folder / "metrics.json").read_text("utf-8")) for folder in (one, here / "two")]
    assert [found["ballots"] for found in metrics] == ["my", "my"]
    assert [list(found["types"]) for found in metrics] == [["1", "2", "3", "4", "5"], ["3"]]
    assert metrics[0]["voters"] == 40


@pytest.mark.parametrize(
    ("overrides", "code", "says"),
    [
        (["+experiment=yuma_like", "voter_types.typs=3"], 2, "voter_types.typs: no such key; did you mean types?"),
        (["+experiment=yuma_like", "+voter_types.speed=3"], 2, "voter_types.speed: expected one of"),
        (
            ["+experiment=yuma_like", "voter_types.types=0"],
            2,
            "voter_types.types: expected a whole number of at least 1",
        ),
        (["+experiment=yuma_like", "voter_types.types=[]"], 2, "voter_types.types: expected a whole number"),
        (["+experiment=yuma_like", "voter_types.types=many"], 2, "voter_types.types: expected a whole number"),
        (["+experiment=yuma_like", "voter_types.choose=bci"], 2, "voter_types.choose: expected one of aic, bic"),
        (["+experiment=yuma_like", "voter_types.choose=7"], 2, "voter_types.choose: expected one of"),
        (["+experiment=yuma_like", "voter_types.errors=bootstrap"], 2, "voter_types.errors"),
        (["+experiment=yuma_like", "voter_types.restarts=0"], 2, "voter_types.restarts: expected a whole number of"),
        (["+experiment=yuma_like", "voter_types.level=95"], 2, "voter_types.level: expected a number between 0 and 1"),
        (["+experiment=yuma_like", "voter_types.covariates=age"], 2, "voter_types.covariates: expected a list"),
        (["+experiment=yuma_like", "data.nota=drop"], 2, "data.nota: no such key"),
        (["task=voter_types"], 2, "data: expected ballots"),
        (["task=voter_types", "data.path=my.csv"], 2, "data=booths (booths) or data=units (units) takes one"),
        (["task=voter_types", "data=ballots"], 2, "data.path: missing"),
        (["data=ballots", "data.path=my.csv"], 2, "data: expected returns"),
        (["task=voter_types", "data=ballots", "data.path=absent.csv"], 1, "absent.csv"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(here, monkeypatch, capsys, overrides, code, says):
    assert run(monkeypatch, *overrides) == code
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert says in printed.err
    assert not list(here.iterdir())


def test_a_sweep_over_numbers_and_seeds_has_its_summary(here, monkeypatch):
    arguments = ("voter_types.types=2,3", "seed=0,1", "report=false", "data.voters=60")
    assert run(monkeypatch, "-m", "+experiment=yuma_like", *arguments) == 0
    (folder,) = (here / "multirun" / "yuma_like").iterdir()
    table = pd.read_csv(folder / "sweep.csv")
    assert list(table["voter_types.types"]) == [2, 2, 3, 3]
    assert list(table["types"]) == [2, 2, 3, 3]
    assert table["share_3"].isna().tolist() == [True, True, False, False]
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "log_likelihood" in (folder / "sweep.md").read_text("utf-8")


# ------------------------------------------------------------------------------------ the generated county


def test_the_generated_county_is_what_it_says():
    ballots = electjax.voter_types.yuma_like(voters=20_000, seed=4)
    menu, choice, own = (ballots[name].values for name in ("menu", "choice", "true_type"))
    assert (menu == 0).mean() == pytest.approx(0.375, abs=0.001)  # six of sixteen offices are those of others
    assert set(np.unique(menu)) == {0, 1, 2, 3}
    assert not ((menu == 1) & (choice == 2)).any()
    assert not ((menu == 2) & (choice == 1)).any()
    missing = ((menu > 0) & (choice < 0)).sum() / (menu > 0).sum()
    assert missing == pytest.approx(generate.UNREADABLE, abs=4 * np.sqrt(0.01 / (menu > 0).sum()))
    share = ballots["true_pi"].values
    assert (np.diff(share) < 0).all()  # types are ordered by share, as a fit orders them
    assert np.bincount(own, minlength=5)[1:] / 20_000 == pytest.approx(share, abs=4 * 0.5 / np.sqrt(20_000))
    mu = ballots["true_mu"]
    assert mu.sum("option").values == pytest.approx(1.0)
    for label in ballots["type"].values:
        seen = choice[(own == label) & (menu[:, 0] == 3) & (choice[:, 0] >= 0), 0]
        truth = mu.sel(type=label, office="US Senate").values
        error = np.sqrt(truth * (1 - truth) / len(seen))
        assert (np.abs(np.bincount(seen, minlength=3) / len(seen) - truth) < 4.5 * error).all()


def test_the_generated_county_is_that_of_its_seed():
    one, again, other = (
        electjax.voter_types.yuma_like(voters=50),
        electjax.voter_types.yuma_like(voters=50),
        electjax.voter_types.yuma_like(voters=50, seed=1),
    )
    assert one.identical(again)
    assert not one["choice"].equals(other["choice"])


# ------------------------------------------------------------------------------------ figures


@pytest.fixture(scope="module")
def county() -> xr.Dataset:
    return electjax.voter_types.yuma_like(voters=300)


def texts(figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_the_heatmap_has_every_probability_and_marks_what_is_none(county):
    fit = pretend_fit(county, 4)
    figure = propensities(fit)
    mu, edge = fit["mu"].values, fit["at_boundary"].values & fit["mu"].notnull().values
    assert len(figure.axes) == 5  # and the scale
    for k, ax in enumerate(figure.axes[:4]):
        numbers = [int(text.get_text()) for text in ax.texts]
        assert numbers == [round(100 * value) for value in mu[k].ravel() if np.isfinite(value)]
        assert len(ax.patches) == np.isnan(mu[k]).sum() + edge[k].sum()
    assert figure.axes[0].get_title() == "type 1\n40 %"


def test_a_heatmap_of_many_offices_has_the_options_that_differ(county):
    fit = pretend_fit(county, 2)
    many = xr.concat([fit[["mu", "pi"]]] * 8, "office", data_vars="minimal")
    figure = propensities(many.assign_coords(office=[f"office {j}" for j in range(many.sizes["office"])]))
    assert len(figure.axes[0].get_yticklabels()) == 60
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_options_that_differ_by_office_have_rows_with_their_names(county):
    fit = pretend_fit(county, 2)
    assert figures.same_options(fit) == ["abstain", "split", "straight"]
    labels = np.tile(fit["option_label"].values, (16, 1))
    same = fit.assign_coords(option_label=(("office", "option"), labels))
    assert figures.same_options(same) == ["abstain", "split", "straight"]
    labels[3, 2] = "Smith"
    differ = fit.assign_coords(option_label=(("office", "option"), labels))
    assert figures.same_options(differ) == []
    rows = [text.get_text() for text in propensities(differ).axes[0].get_yticklabels()]
    assert "State Senate, north: Smith" in rows
    assert len(rows) == 16 * 3 - 1  # one option was on no menu


def test_labels_of_users_are_escaped(county):
    metrics = {"types": {}, "fit": {"types": 1, "shares": [1.0], "shares_low": [None], "shares_high": [None]}}
    metrics["fit"] |= {"options": {"<b>Sheriff</b>": ["no", "<i>yes"]}, "mu": {"<b>Sheriff</b>": [[None, 0.5]]}}
    html = render_page(Report("", [], "", ResultTable(tables.choices_rows(metrics))), [])
    assert "<b>" not in html
    assert "&lt;i&gt;yes" in html
    assert "50 %" in html


# ------------------------------------------------------------------------------------ from a fit back to voters


def true_fit(ballots: xr.Dataset) -> xr.Dataset:
    """The truth of generated ballots in the form of a fit, with every voter as a row."""
    menu, choice = ballots["menu"], ballots["choice"]
    terms = np.array(generate.TERMS)
    design = np.column_stack([np.ones(ballots.sizes["voter"]), ballots["covariate"].values])
    return xr.Dataset(
        {
            "pi": ballots["true_pi"],
            "mu": ballots["true_mu"],
            "on_menu": ballots["true_mu"].notnull().any("type"),
            "gamma": (("term", "type"), ballots["true_gamma"].values),
            "profile_choice": (("profile", "office"), choice.values),
            "profile_menu": (("profile", "office"), np.where(choice.values < 0, -1, menu.values)),
            "profile_weight": ("profile", np.ones(ballots.sizes["voter"])),
            "profile_covariate": (("profile", "term"), design),
        },
        coords={**{name: ballots[name] for name in ("type", "office", "option", "option_label")}, "term": terms},
        attrs={"voters": float(ballots.sizes["voter"]), "scheme": "ticket", "name": "truth", "log_likelihood": 0.0},
    )


def by_hand(fit: xr.Dataset, ballots: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """zeta and log-likelihood, voter by voter, office by office (eqs. 4.6 and 5.4)."""
    allowed = [{0, 1, 2}, {0, 1}, {0, 2}, {0, 1, 2}]
    design = np.column_stack([np.ones(ballots.sizes["voter"]), ballots["covariate"].values])
    odds = np.exp(design @ fit["gamma"].transpose("term", "type").values)
    joint = odds / odds.sum(1, keepdims=True)
    for i in range(ballots.sizes["voter"]):
        for j, office in enumerate(ballots["office"].values):
            vote, menu = int(ballots["choice"].values[i, j]), int(ballots["menu"].values[i, j])
            if vote >= 0:
                mu = fit["mu"].sel(office=office).values
                joint[i] *= mu[:, vote] / mu[:, sorted(allowed[menu])].sum(1)
    return joint / joint.sum(1, keepdims=True), np.log(joint.sum(1))


@pytest.fixture(scope="module")
def truth(county) -> xr.Dataset:
    return true_fit(county)


def test_prediction_is_what_bayes_says_by_hand(county, truth, monkeypatch):
    few = county.isel(voter=slice(0, 60))
    zeta, height = by_hand(truth, few)
    found = electjax.voter_types.predict(truth, few)
    assert found["zeta"].values == pytest.approx(zeta, abs=1e-12)
    assert found["log_likelihood"].values == pytest.approx(height, rel=1e-12)
    assert (found["modal_type"].values == truth["type"].values[zeta.argmax(1)]).all()
    assert (found["precinct"].values == few["precinct"].values).all()
    monkeypatch.setattr("electjax.voter_types.verbs.predict.VOTERS", 17)
    monkeypatch.setattr("electjax.voter_types.verbs.predict.DENSE", 1)
    seen: list[int] = []
    again = electjax.voter_types.predict(truth, few, progress=lambda done, total, text: seen.append(done))
    assert again["zeta"].values == pytest.approx(zeta, abs=1e-12)
    assert seen == [17, 34, 51, 60]


def test_prediction_does_without_offices_and_in_any_order(county, truth):
    few = county.isel(voter=slice(0, 40))
    some = few.isel(office=[7, 2, 11])
    zeta, _ = by_hand(truth, some)
    assert electjax.voter_types.predict(truth, some)["zeta"].values == pytest.approx(zeta, abs=1e-12)


def test_prediction_finds_its_covariates_by_name(county, truth):
    few = county.isel(voter=slice(0, 40))
    named = few.drop_dims("term").assign_coords(
        rural=("voter", few["covariate"].values[:, 0]),
        vote=("voter", np.where(few["covariate"].values[:, 1] > 0, "mail", "polls")),
    )
    dummies = truth.assign_coords(term=["intercept", "rural", "vote[mail]"])
    zeta, _ = by_hand(truth, few)
    assert electjax.voter_types.predict(dummies, named)["zeta"].values == pytest.approx(zeta, abs=1e-12)
    third = named.assign_coords(vote=("voter", np.where(np.arange(40) < 3, "abroad", named["vote"].values)))
    with pytest.raises(electjax.ElectionDataError, match="vote is 'abroad' or 'polls'"):
        electjax.voter_types.predict(dummies, third)
    with pytest.raises(electjax.ElectionDataError, match=r"no covariate 'rural'.*expected .*rural, by mail"):
        electjax.voter_types.predict(truth, few.drop_dims("term"))


def test_prediction_needs_no_weights_and_reads_a_path(county, truth, tmp_path):
    few = county.isel(voter=slice(0, 40))
    found = electjax.voter_types.predict(truth, few)
    none = few.assign(weight=("voter", np.zeros(40)))
    assert electjax.voter_types.predict(truth, none)["zeta"].equals(found["zeta"])
    electjax.voter_types.save(few, tmp_path / "few.nc")
    assert electjax.voter_types.predict(truth, tmp_path / "few.nc")["zeta"].values == pytest.approx(
        found["zeta"].values
    )
    with pytest.raises(electjax.ElectionDataError, match="found ndarray; expected an xarray Dataset"):
        electjax.voter_types.predict(truth, few["choice"].values)


def test_levels_may_hold_brackets(county, truth, tmp_path):
    few = county.isel(voter=slice(0, 200))
    values = few["covariate"].values
    level = np.where(values[:, 1] > 0, "a]1[x]", "a[0]")
    named = few.drop_dims("term").assign_coords(rural=("voter", values[:, 0]), county=("voter", level))
    dummies = truth.assign_coords(term=["intercept", "rural", "county[a]1[x]]"])
    expected = electjax.voter_types.predict(truth, few)["zeta"].values
    assert electjax.voter_types.predict(dummies, named)["zeta"].values == pytest.approx(expected)
    plain = electjax.voter_types.residuals(truth, few)
    assert float(electjax.voter_types.residuals(dummies, named)["g2"]) == pytest.approx(float(plain["g2"]))
    terms, columns = voter_covariates(electjax.voter_types.validate(named), ["rural", "county"])
    assert terms == ("rural", "county[a]1[x]]")
    assert columns == pytest.approx(values)
    electjax.voter_types.save(few.assign_coords(term=["rural", "by[mail]"]), tmp_path / "few.nc")
    brackets = truth.assign_coords(term=["intercept", "rural", "by[mail]"])
    assert float(electjax.voter_types.residuals(brackets, tmp_path / "few.nc")["g2"]) == pytest.approx(
        float(plain["g2"])
    )


def test_mistaken_arguments_are_one_line(county, truth):
    few = county.isel(voter=slice(0, 40))
    numbered = electjax.voter_types.validate(few.drop_vars("term"))
    assert voter_covariates(numbered, [0])[0] == ("0",)
    for call, says in (
        (
            lambda: electjax.voter_types.simulate(truth, few, voters=-1),
            "found -1; expected a whole number of at least 1",
        ),
        (lambda: electjax.voter_types.simulate(truth, voters=0), "found 0; expected a whole number of at least 1"),
        (lambda: voter_covariates(numbered, few["covariate"].values), "found a ndarray; expected names of terms"),
        (lambda: voter_covariates(numbered, 0.5), "found a float; expected names of terms"),
        (lambda: voter_covariates(numbered, [7]), "no covariate '7'"),
        (
            lambda: electjax.voter_types.select(few, 2, level=0.9),
            "voter_types.select(level=): found 0.9; expected one of its options; known: ",
        ),
        (
            lambda: electjax.voter_types.select(few, 2, tolerence=0.1),
            "select(tolerence=): found 0.1; expected one of its options; did you mean tolerance?",
        ),
        (lambda: electjax.voter_types.fit(few["choice"].values, 2), "found ndarray; expected an xarray Dataset"),
        (lambda: electjax.voter_types.fit(None, 2), "found NoneType; expected an xarray Dataset"),
    ):
        with pytest.raises(electjax.ElectionDataError) as caught:
            call()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


def test_prediction_refuses_what_the_fit_does_not_know(county, truth):
    few = county.isel(voter=slice(0, 40))
    renamed = few.assign_coords(office=["Governor", *few["office"].values[1:]])
    with pytest.raises(electjax.ElectionDataError, match="office 'Governor' is not in the fit"):
        electjax.voter_types.predict(truth, renamed)
    mu = truth["mu"].copy()
    mu.loc[{"office": "Sheriff", "option": 1}] = np.nan
    known = truth.assign(mu=mu, on_menu=mu.notnull().any("type"))
    with pytest.raises(electjax.ElectionDataError, match="column 'Sheriff': a vote for 'split', which was on no menu"):
        electjax.voter_types.predict(known, few)
    odd = few.assign_coords(option_label=("option", ["abstain", "straight", "split"]))
    with pytest.raises(electjax.ElectionDataError, match="labelled or numbered otherwise"):
        electjax.voter_types.predict(truth, odd)


def test_options_are_told_by_their_labels_where_ballots_have_no_menus(county, truth):
    few = county.isel(voter=slice(0, 40)).drop_vars("menu")
    order = np.array([2, 0, 1])  # code of abstain, split, straight in the new ballots
    other = few.assign(
        choice=(("voter", "office"), np.where(few["choice"].values < 0, -1, order[few["choice"].values]))
    )
    other = other.assign_coords(option_label=("option", ["split", "straight", "abstain"]))
    zeta = electjax.voter_types.predict(truth, few)["zeta"].values
    assert electjax.voter_types.predict(truth, other)["zeta"].values == pytest.approx(zeta, abs=1e-12)
    unknown = other.assign_coords(option_label=("option", ["split", "straight", "write-in"]))
    with pytest.raises(electjax.ElectionDataError, match="option 'write-in' is not in the fit"):
        electjax.voter_types.predict(truth, unknown)


def test_simulated_ballots_keep_menus_covariates_and_missing_votes(county, truth):
    new = electjax.voter_types.simulate(truth, county, seed=3)
    assert ((new["choice"] < 0) == (county["choice"] < 0)).all()
    assert new["menu"].equals(county["menu"])
    assert new["covariate"].equals(county["covariate"])
    assert "true_mu" not in new
    assert new.identical(electjax.voter_types.simulate(truth, county, seed=3))
    assert not new["choice"].equals(electjax.voter_types.simulate(truth, county, seed=4)["choice"])
    assert electjax.voter_types.validate(new).identical(new)


@pytest.mark.parametrize("given", [True, False])
def test_simulated_ballots_have_the_moments_of_the_fit(county, truth, given):
    voters = 20_000
    new = electjax.voter_types.simulate(truth, county if given else None, voters=voters, seed=1)
    assert new.sizes["voter"] == voters
    design = np.column_stack([np.ones(voters), new["covariate"].values])
    odds = np.exp(design @ truth["gamma"].values)
    share = (odds / odds.sum(1, keepdims=True)).mean(0)
    label = new["true_type"].values
    assert np.bincount(label, minlength=5)[1:] / voters == pytest.approx(share, abs=4 * 0.5 / np.sqrt(voters))
    for j, office in ((0, "US Senate"), (10, "Assessor"), (14, "Sheriff")):
        for k, own in enumerate(truth["type"].values):
            vote, menu = new["choice"].values[label == own, j], new["menu"].values[label == own, j]
            vote = vote[(menu == 2) & (vote >= 0)] if office == "Assessor" else vote[(menu == 3) & (vote >= 0)]
            mu = truth["mu"].sel(office=office).values[k]
            chance = mu[0] / (mu[0] + mu[2]) if office == "Assessor" else mu[0]
            error = np.sqrt(chance * (1 - chance) / len(vote))
            assert abs((vote == 0).mean() - chance) < 4.5 * error, (office, own)


def test_what_a_fit_cannot_simulate_is_said(truth):
    with pytest.raises(electjax.ElectionDataError, match=r"does not hold its rows.*profiles=True"):
        electjax.voter_types.simulate(truth.drop_dims("profile"))
    with pytest.raises(electjax.ElectionDataError, match=r"what its menus were.*pass the ballots"):
        electjax.voter_types.simulate(truth.assign_attrs(scheme="options"))


# ------------------------------------------------------------------------------------ the real thing


@pytest.mark.slow
def test_the_real_experiment_recovers_its_truth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("voter_types.types=[3,4]", "voter_types.restarts=16", "voter_types.bootstrap=20", "hydra.run.dir=one")
    assert run(monkeypatch, "+experiment=yuma_like", *arguments) == 0
    metrics = json.loads((tmp_path / "one" / "metrics.json").read_text("utf-8"))
    assert metrics["fit"]["types"] == 4
    truth = metrics["truth"]
    assert truth["fitted_types"] == [1, 2, 3, 4]
    assert truth["within"] > 0.9
    assert truth["agreement"] > 0.85
    low, high = metrics["fit"]["shares_low"], metrics["fit"]["shares_high"]
    assert sum(a < share < b for a, share, b in zip(low, truth["shares"], high, strict=True)) >= 3
    with xr.open_datatree(tmp_path / "one" / "result.nc", engine="h5netcdf") as tree:
        fit = tree["fit"].to_dataset().load()
        assert tree["bootstrap"]["pi"].sizes["replicate"] == 20
    ballots = electjax.voter_types.yuma_like()
    found = electjax.voter_types.predict(fit, ballots)
    assert float(found["log_likelihood"].sum()) == pytest.approx(fit.attrs["log_likelihood"], abs=1e-6)
    assert found["zeta"].mean("voter").values == pytest.approx(
        np.average(fit["zeta"].values, axis=0, weights=fit["profile_weight"].values), abs=1e-9
    )
