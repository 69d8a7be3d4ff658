"""Tables, figures and report of CALM, from one small fit and from diagnostics made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import electjax
from electjax.calm.metrics import calm_metrics, diagnostic_metrics, fitted_margins
from electjax.calm.options import FitOptions
from electjax.calm.report.page import figures, report
from electjax.calm.schema import FIT
from electjax.data.errors import ElectionDataError
from electjax.data.schema import conform
from electjax.report.report import render_page


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate("tiny")


@pytest.fixture(scope="module")
def fit(booths):
    """A fit by hand: all that its schema asks for, and what the report reads."""
    size = {dim: booths.sizes[dim] for dim in ("axis", "party", "constituency", "cell", "booth")}
    axis, line = ("axis", np.linspace(0.1, 0.4, size["axis"])), np.linspace(0.1, 0.4, size["party"])
    turnout, share = booths["polled"] / booths["electors"], booths["votes"] / booths["polled"]
    cells = booths["cell_size"].groupby(booths["booth_constituency"]).sum().rename(booth_constituency="constituency")
    values = {"turnout": np.full((size["constituency"], size["cell"]), 0.5), "alpha": 0.1, "alpha_se": 0.2}
    values |= {name: axis for name in ("eta", "eta_se", "eta_pp", "eta_pp_se", "g_mean", "g_sd", "proximity")}
    values |= {"axis_weight": axis, "gamma": ("party", line), "gamma_se": ("party", line)}
    values["turnout"] = (("constituency", "cell"), values["turnout"])
    choice = np.tile(line / line.sum(), (size["constituency"], size["cell"], 1))
    values |= {"choice": (("constituency", "cell", "party"), choice), "theta_value": ("theta", [0.0])}
    values |= {
        "electors": cells,
        "booth_electors": booths["electors"],
        "held_out": ("booth", np.zeros(size["booth"], bool)),
    }
    values |= {"fitted_turnout": turnout, "observed_turnout": turnout, "fitted_share": share, "observed_share": share}
    values |= {"b_T": 0 * turnout, "b_P": (("booth", "party"), np.zeros(share.shape))}
    coords = {name: booths[name] for name in ("axis", "party", "cell_category", "booth_constituency")}
    said = {
        "options": FitOptions().json(),
        "axes": booths.attrs["axes"],
        "level": 0.95,
        "validation": "{}",
        "warnings": "[]",
    }
    said |= {"objective": 1.0, "log_likelihood": -2.0, "gradient": 0.0, "steps": 3, "converged": 1}
    return conform(xr.Dataset(values, coords=coords, attrs=said), FIT)


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
        "placebo": placebo.assign_attrs(axis="caste", verdict="The placebo says little."),
        "rho_curve": curve.assign_coords(proximity=line).assign_attrs(curve_axis="age", verdict="Best at .5."),
        "stability": xr.Dataset(groups, {"axis": ["age", "caste"]}, {"by": "constituency", "verdict": "Stable."}),
        "holdout": xr.Dataset(kept, models, {"verdict": "It gains."}),
    }


def test_a_summary_has_every_parameter_with_its_interval(fit):
    table = electjax.calm.summary(fit)
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
    assert electjax.calm.summary(path).equals(electjax.calm.summary(fit))
    assert len(electjax.calm.plot(path, "coefficients").axes) == 2


@pytest.mark.parametrize("kind", ["coefficients", "categories", "booths"])
def test_figures_of_a_fit_have_names(fit, kind):
    assert electjax.calm.plot(fit, kind).axes


def test_figures_of_diagnostics_have_their_names(diagnostics, fit):
    for name, result in diagnostics.items():
        by_name, default = electjax.calm.plot(result, name), electjax.calm.plot(result)
        assert by_name.axes[0].get_xlabel() == default.axes[0].get_xlabel() != ""
    with pytest.raises(ElectionDataError, match="'placebo' needs permuted_z, which are not in this result"):
        electjax.calm.plot(fit, "placebo")
    with pytest.raises(ElectionDataError, match="did you mean booths"):
        electjax.calm.plot(fit, "booth")
    with pytest.raises(ElectionDataError, match="no CALM fit"):
        electjax.calm.summary(diagnostics["placebo"])


def test_a_report_tells_what_was_fitted_and_examined(fit, booths, diagnostics):
    tree = xr.DataTree.from_dict({"/fit": fit, "/margins": fitted_margins(fit), **diagnostics})
    metrics = calm_metrics(fit, booths) | {"warnings": ["Mind this."], "seconds": 1.0}
    metrics["diagnostics"] = {name: diagnostic_metrics(result) for name, result in diagnostics.items()}
    drawn = [figure.file for figure in figures(tree, metrics)]
    assert drawn == [
        *("coefficients.png", "categories.png", "booths.png"),
        *("placebo.png", "rho_curve.png", "stability.png", "holdout.png"),
    ]
    made = report(SimpleNamespace(tree=tree, metrics=metrics))
    html = render_page(made, [])
    number = booths.sizes["booth"]
    for text in (f"{number} booths in", "The placebo says little.", "candidate affinity", "Mind this.", "η per SD"):
        assert text in html
    assert "Other candidates" not in html
    assert [row["axis"] for row in made.table.rows] == fit["axis"].values.tolist()
