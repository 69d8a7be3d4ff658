"""Tables, figures and report of CALM, from one small fit and from diagnostics made by hand."""

from html import escape
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

import electjax
from electjax.calm.metrics import calm_metrics, diagnostic_metrics, fitted_margins, swap_metrics
from electjax.calm.report import frames, prediction
from electjax.calm.report.page import figures, report, verdict_of_all
from electjax.calm.schema import PREDICTION
from electjax.calm.verbs.plot import Kind
from electjax.data.errors import ElectionDataError
from electjax.data.finished import finished
from electjax.data.notes import notes_text
from electjax.data.schema import conform
from electjax.data.verdict import Doubt, verdict
from electjax.report.csv import write_tables
from electjax.report.draw import png_bytes
from electjax.report.report import render_page
from tests.calm.made import made_fit

NAMES = ["Rs$5 & Cie$", r"back\slash_under%", "<b>भाजपा</b> 🗳️", "=1+1 " + "long " * 40]


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate("tiny")


@pytest.fixture(scope="module")
def fit(booths):
    return made_fit(booths, attrs={"notes": notes_text(["Mind this."])})


@pytest.fixture(scope="module")
def diagnostics():
    """What four diagnostics say, as far as the report reads it."""
    line = np.linspace(0, 1, 5)
    placebo = xr.Dataset({"p_value": 0.05, "z": 4.0, "permuted_z": ("permutation", np.sin(9 * line))})
    bent = ("proximity", (line - 0.5) ** 2)
    curve = xr.Dataset({"excess": bent, "excess_se": bent, "objective": bent, "best": 0.5, "refined": 0.5})
    groups = {"group_eta": (("group", "axis"), [[0.1, 0.5], [np.nan, 0.3]]), "eta": ("axis", [0.2, 0.4])}
    groups |= {"group_eta_se": (("group", "axis"), np.full((2, 2), 0.1)), "eta_se": ("axis", [0.1, 0.1])}
    kept = {"loss": (("model", "measure"), [[0.02, 0.01], [0.015, 0.01]]), "gain": ("measure", [0.005, 0.0])}
    kept |= {"gain_se": ("measure", [0.001, 0.001]), "gain_z": ("measure", [5.0, 0.0])}
    kept |= {"constituency_gain": (("constituency", "measure"), [[0.002, 0.0], [0.008, 0.0]])}
    models = {"model": ["without", "with"], "measure": ["KL", "BCE"]}
    return {
        "placebo": placebo.assign_attrs(axis="caste", finding="The placebo says little."),
        "rho_curve": curve.assign_coords(proximity=line).assign_attrs(curve_axis="age", finding="Best at .5."),
        "stability": xr.Dataset(groups, {"axis": ["age", "caste"]}, {"by": "constituency", "finding": "Stable."}),
        "holdout": xr.Dataset(kept, models, {"finding": "It gains."}),
    }


def test_a_summary_has_every_parameter_with_its_interval(fit):
    table = electjax.calm.summary(fit, show=False)
    axes, parties = fit["axis"].values.tolist(), fit["party"].values.tolist()
    assert table.index.tolist()[: len(axes) + 1] == [*(f"eta[{axis}]" for axis in axes), "alpha"]
    assert [f"gamma[{party}]" for party in parties] == [name for name in table.index if name.startswith("gamma")]
    row = table.loc["eta[age]"]
    assert row["estimate"] == float(fit["eta"].sel(axis="age"))
    assert row["pp"] == float(fit["eta_pp"].sel(axis="age"))
    assert row["high"] - row["low"] == pytest.approx(2 * norm.ppf(0.975) * float(fit["eta_se"].sel(axis="age")))
    assert table["pp"].notna().sum() == len(axes)


def test_a_path_is_as_good_as_a_dataset(fit, tmp_path):
    path = electjax.calm.save(fit, tmp_path / "fit.nc")
    assert electjax.calm.summary(path, show=False).equals(electjax.calm.summary(fit, show=False))
    assert len(electjax.calm.plot(path, "coefficients")) == 2


@pytest.mark.parametrize("kind", ["coefficients", "categories", "booths"])
def test_figures_of_a_fit_have_names(fit, kind):
    assert np.ravel(electjax.calm.plot(fit, kind))[0].figure.axes


def test_figures_of_diagnostics_have_their_names(diagnostics, fit):
    for name, result in diagnostics.items():
        by_name, default = electjax.calm.plot(result, name), electjax.calm.plot(result)
        assert np.ravel(by_name)[0].get_xlabel() == np.ravel(default)[0].get_xlabel() != ""
    with pytest.raises(ElectionDataError, match="'placebo' needs permuted_z, which are not in this result"):
        electjax.calm.plot(fit, "placebo")
    with pytest.raises(ElectionDataError, match="did you mean booths"):
        electjax.calm.plot(fit, "booth")
    with pytest.raises(ElectionDataError, match="no CALM fit"):
        electjax.calm.summary(diagnostics["placebo"])


def test_a_report_tells_what_was_fitted_and_examined(fit, booths, diagnostics):
    tree = xr.DataTree.from_dict({"/fit": fit, "/margins": fitted_margins(fit), **diagnostics})
    metrics = calm_metrics(fit, booths) | {"seconds": 1.0}
    metrics["diagnostics"] = {name: diagnostic_metrics(result) for name, result in diagnostics.items()}
    drawn = [figure.file for figure in figures(tree, metrics)]
    assert drawn == [
        *("coefficients.png", "categories.png", "booths.png"),
        *("placebo.png", "rho_curve.png", "stability.png", "holdout.png"),
    ]
    made = report(SimpleNamespace(tree=tree, metrics=metrics))
    html = render_page(made, [])
    number = booths.sizes["booth"]
    for text in (f"{number} booths in", "The placebo says little.", "Not clearly different", "Mind this.", "η per SD"):
        assert text in html
    assert "Other candidates" not in html
    assert [row["axis"] for row in made.table.rows] == fit["axis"].values.tolist()


# ------------------------------------------------------------------------------------ words


def worlds_of(booths):
    """Votes and seats before and after, made by hand: the first party wins votes."""
    place, party = booths["constituency"].values, booths["party"].values
    votes = np.tile(np.linspace(400.0, 100.0, len(party)), (2, len(place), 1))
    votes[1, :, 0] += 50
    values = {"constituency_votes": (("scenario", "constituency", "party"), votes)}
    values |= {"votes": (("scenario", "party"), votes.sum(1)), "seats": (("scenario", "party"), votes.sum(1) * 0 + 1)}
    values |= {"votes_change": ("party", np.diff(votes.sum(1), axis=0)[0]), "seats_change": ("party", 0 * votes[0, 0])}
    values |= {"constituency_votes_change": (("constituency", "party"), votes[1] - votes[0])}
    values |= {"changed": (("constituency", "party"), votes[1] > votes[0])}
    return xr.Dataset(values, {"scenario": ["before", "after"], "constituency": place, "party": party})


def predicted(booths):
    """What a fit expects, made by hand: every booth as the whole."""
    share = np.linspace(0.4, 0.1, booths.sizes["party"])
    votes = booths["electors"].values[:, None] * 0.5 * share / share.sum()
    member = booths["booth_constituency"].values == booths["constituency"].values[:, None]
    values = {"turnout": ("booth", np.full(len(votes), 0.5)), "votes": (("booth", "party"), votes)}
    values |= {"share": (("booth", "party"), np.tile(share / share.sum(), (len(votes), 1)))}
    values |= {
        "constituency_votes": (("constituency", "party"), member @ votes),
        "party_votes": ("party", votes.sum(0)),
    }
    values |= {
        f"party_share{end}": ("party", share / share.sum() * x) for end, x in (("", 1), ("_low", 0.9), ("_high", 1.1))
    }
    values |= {"known": ("booth", np.zeros(len(votes), bool))}
    coords = {name: booths[name].values for name in ("booth", "constituency", "party")}
    coords |= {"booth_constituency": ("booth", booths["booth_constituency"].values)}
    return conform(xr.Dataset(values, coords, {"level": 0.95, "effects": "none"}), PREDICTION)


def whole(fit, booths, diagnostics):
    """A result with all there is, as the task gives it."""
    worlds = worlds_of(booths)
    tree = xr.DataTree.from_dict(
        {"/fit": fit, "/margins": fitted_margins(fit), "/counterfactual": worlds, **diagnostics}
    )
    metrics = calm_metrics(fit, booths) | {"seconds": 1.0}
    metrics["diagnostics"] = {name: diagnostic_metrics(result) for name, result in diagnostics.items()}
    metrics["counterfactual"] = swap_metrics(worlds, {"everywhere": {str(booths["party"].values[0]): {"age": "old"}}})
    return SimpleNamespace(tree=tree, metrics=metrics)


def test_the_headline_says_what_was_found_before_what_was_done(fit, booths, diagnostics):
    said = report(whole(fit, booths, diagnostics)).headline
    assert said[0] == ("With other candidates (everywhere, AAP: age old) the model expects AAP +200 votes.")
    assert said[-1].startswith("CALM was fitted to 40 booths in 4 constituencies with")
    sure = made_fit(booths, values={"eta_se": ("axis", [0.01, 0.01, 0.01, 1.0]), "eta_pp_se": ("axis", [0.1] * 4)})
    pulls = report(whole(sure, booths, {})).headline[1:3]
    assert pulls[0].startswith(
        "Candidates like the voter draw votes: one standard deviation closer, a party gains on caste"
    )
    assert "0.3 percentage points of the vote (95 % interval" in pulls[0]
    assert pulls[1] == "Not clearly different from nothing: income."
    blind = made_fit(booths, values={"identified": ("axis", [False] * 4)}, attrs={"rank": 0})
    said = report(whole(blind, booths, {}))
    assert said.headline[1].startswith("What candidates change is not identified")
    assert said.table.rows[0]["axis"] == "age\nnot identified"


def test_a_run_has_the_verdict_of_all_that_is_in_it(fit, diagnostics):
    failed = finished(diagnostics["placebo"], about="", verdict=verdict([Doubt("not usable", "It failed.")]))
    found = verdict_of_all(xr.DataTree.from_dict({"/fit": fit, "/placebo": failed}))
    assert found.level == "with care"
    assert found.reasons[-1] == "It failed."


def test_every_figure_of_a_report_is_a_kind_of_plot(fit, booths, diagnostics):
    result = whole(fit, booths, diagnostics)
    found = predicted(booths)
    drawn = [
        *figures(result.tree, result.metrics),
        *prediction.figures(found, prediction.prediction_metrics(found, booths)),
    ]
    assert {figure.file.removesuffix(".png") for figure in drawn} == set(get_args(Kind))
    for kind, of in (("counterfactual", result.tree["counterfactual"].to_dataset()), ("prediction", found)):
        assert np.ravel(electjax.calm.plot(of, kind))[0].get_xlabel()


def test_a_prediction_is_told_and_held_against_votes(booths):
    found = predicted(booths)
    metrics = prediction.prediction_metrics(found, booths) | {"seconds": 1.0}
    made = prediction.report(SimpleNamespace(tree=xr.DataTree.from_dict({"/prediction": found}), metrics=metrics))
    assert made.headline[0].startswith("The fit expects AAP 40.0 % (95 % interval 36–44), BJP 30.0 %")
    assert "AAP is ahead in 4 of 4 constituencies" in made.headline[0]
    assert made.headline[1].startswith("These booths have polled: ")
    assert [row["observed"] for row in made.table.rows]
    silent = booths.assign(votes=booths["votes"] * 0, polled=booths["polled"] * 0)
    assert "observed" not in prediction.prediction_metrics(found, silent)


def test_a_summary_says_its_verdict_first(fit, capsys):
    electjax.calm.summary(fit)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("WITH CARE: Booth effects are fitted, not integrated out")
    assert printed[1] == fit.attrs["about"]
    assert "percentage points of a party's share" in printed[-1]


# ------------------------------------------------------------------------------------ names are data


def test_any_name_is_drawn_and_exported_as_it_is(booths, diagnostics, tmp_path):
    odd = booths.assign_coords(party=NAMES, constituency=NAMES)
    places = dict(zip(booths["constituency"].values, NAMES, strict=True))
    odd = odd.assign_coords(booth_constituency=("booth", [places[p] for p in booths["booth_constituency"].values]))
    odd.attrs["name"] = NAMES[2]
    odd = odd.drop_vars([name for name in odd.data_vars if name.startswith("true_")])
    fit = made_fit(odd, attrs={"name": NAMES[2]})
    result = whole(fit, odd, diagnostics)
    made = report(result)
    images = [(figure.title, figure.caption, png_bytes(figure.draw(), dpi=40)) for figure in made.figures]
    html = render_page(made, images)
    assert "<b>भाजपा" not in html
    for name in NAMES[:3]:
        assert escape(name, quote=False) in unescape_quotes(html)
    found = predicted(odd)
    for figure in prediction.figures(found, {}):
        png_bytes(figure.draw(), dpi=40)
    tables = frames.fit_frames(fit) | frames.swap_frames(result.tree["counterfactual"].to_dataset())
    write_tables(tmp_path, tables | frames.prediction_frames(found))
    again = pd.read_csv(tmp_path / "tables" / "cells.csv", keep_default_na=False)
    assert again["party"].unique().tolist() == [*NAMES[:3], "'" + NAMES[3]]
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == {
        *("coefficients", "parameters", "cells", "categories", "booths", "parties", "constituencies"),
        *("counterfactual", "counterfactual_constituencies"),
    }


def unescape_quotes(html: str) -> str:
    return html.replace("&#34;", '"').replace("&#39;", "'")


def test_tables_are_tidy_and_add_up(fit, booths):
    tables = frames.fit_frames(fit)
    cells = tables["cells"]
    assert cells.groupby(["constituency", "cell"])["choice"].sum().round(9).eq(1).all()
    one = cells.drop_duplicates(["constituency", "cell"])
    assert one["electors"].sum() == booths["electors"].sum()
    assert set(one["axis_age"]) == set(booths["cell_category"].sel(axis="age").values)
    assert len(tables["booths"]) == booths.sizes["booth"] * booths.sizes["party"]
    assert tables["coefficients"]["z"].tolist() == [1.0] * 4
    weight = tables["categories"].drop_duplicates(["axis", "category"]).groupby("axis")["weight"].sum()
    assert weight.round(9).eq(1).all()
