"""`calm.fit`: what it finds on generated booths, and how it says so."""

import json
import warnings

import jax
import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.calm.codec import check_fittable, encode_booths
from electjax.calm.decode import standard_of_fit
from electjax.calm.diagnostics import mobilisation
from electjax.calm.model import estimate as es
from electjax.calm.model import problem as pb
from electjax.calm.model import sums as sm
from electjax.calm.options import FitOptions, read_options
from electjax.data.axes import axes_of
from electjax.data.errors import ElectionDataError
from electjax.numerics.host import double_precision
from tests.calm.by_hand import options_of

AXES = {  # five axes, the last of which no code knows of
    "age": {"categories": ["18-35", "36-60", "61+"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim"]},
    "caste": {"categories": ["General", "OBC", "SC"], "within": {"religion": "Hindu"}},
    "income": {"categories": ["Low", "High"]},
    "gender": {"categories": ["women", "men"]},
}
ETA = {"age": 0.25, "religion": 0.4, "caste": 0.3, "income": 0.2, "gender": 0.35}
HOW = {"chunk": 48, "proximity": {"age": 0.4}}


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate(
        "tiny",
        constituencies=10,
        booths=24,
        parties=("AAP", "BJP", "INC"),
        axes=AXES,
        eta=ETA,
        proximity={"age": 0.4},
        context=0.3,
        booth_sd=(0.0, 0.0),
        seed=4,
    )


@pytest.fixture(scope="module")
def fit(booths):
    """The recommended model."""
    return electjax.calm.fit(booths, model="recommended", **HOW)


@pytest.fixture(scope="module")
def literal(booths):
    """The model of the source with booth effects integrated out, and a quarter of the booths kept out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return electjax.calm.fit(booths, holdout=0.25, integrate=True, errors="none", **HOW)


def test_the_truth_is_recovered(booths, fit):
    away = ((fit["eta"] - booths["true_eta"]) / fit["eta_se"]).values
    assert (np.abs(away) < 3).all()
    assert (fit["eta"] / fit["eta_se"] > 3).all()  # and 0 is not among what could be
    truth = json.loads(booths.attrs["truth"])
    for name in ("rho_T", "rho_P"):  # a little low, as a variance always is where a mean is fitted besides
        planted = truth[name.replace("rho", "correlation")]
        assert abs(float(fit[name]) - planted) < 3 * float(fit[f"{name}_se"])
    sizes = booths["cell_size"].sum("booth")
    mean = lambda x: float((x * sizes).sum() / sizes.sum())  # noqa: E731
    gap = fit["turnout"].mean("constituency") - booths["true_turnout"].mean("constituency")
    assert abs(mean(gap)) < 0.01
    assert np.corrcoef(fit["turnout"].values.ravel(), booths["true_turnout"].values.ravel())[0, 1] > 0.9
    assert np.corrcoef(fit["choice"].values.ravel(), booths["true_choice"].values.ravel())[0, 1] > 0.95
    assert fit.attrs["converged"]
    assert fit.attrs["verdict"] == "good"
    assert fit.attrs["notes"] == ""


def test_everything_has_its_name_and_its_unit(booths, fit):
    assert fit.attrs["conventions"] == "electjax calm"
    dims = {
        "alpha": (),
        "beta_T": ("feature",),
        "gamma": ("party",),
        "beta_P": ("feature", "party"),
        "eta": ("axis",),
        "eta_raw": ("axis",),
        "eta_pp": ("axis",),
        "boost": ("axis",),
        "effect_T": ("constituency",),
        "effect_P": ("constituency", "party"),
        "rho_T": (),
        "rho_P": (),
    }
    for name, expected in dims.items():
        for variable in (name, f"{name}_se"):
            assert fit[variable].dims == expected
            assert np.isfinite(fit[variable]).all()
            assert fit[variable].attrs["units"]
            assert fit[variable].attrs["long_name"]
        assert (fit[f"{name}_se"] >= 0).all()
    assert fit["eta"].attrs["units"] == "log-odds"
    assert fit["eta_pp"].attrs["units"] == "percentage points"
    assert list(fit["axis"].values) == list(AXES)
    assert list(fit["feature"].values[:5]) == [
        "age[18-35]",
        "age[36-60]",
        "age[61+]",
        "religion[Hindu]",
        "religion[Muslim]",
    ]
    assert list(fit["feature"].values[-2:]) == list(booths["covariate"].values)
    assert fit["turnout"].dims == ("constituency", "cell")
    assert fit["choice"].dims == ("constituency", "cell", "party")
    assert fit["fitted_share"].dims == ("booth", "party")
    for name in ("booth", "constituency", "cell", "party"):
        assert list(fit[name].values) == list(booths[name].values)
    for name in ("xi", "b_T", "b_P", "tower", "mobilisation_weight"):
        assert name not in fit
    options = json.loads(fit.attrs["options"])
    assert options["model"] == "recommended"
    assert options["proximity"] == {"age": 0.4}
    assert json.loads(fit.attrs["axes"]).keys() == AXES.keys()
    assert fit.attrs["seed"] == 0
    assert fit.attrs["electjax_version"] == electjax.__version__


def test_numbers_hang_together(booths, fit):
    close = np.testing.assert_allclose
    close(fit["gamma"].sum("party"), 0, atol=1e-12)
    close(fit["beta_P"].sum("party"), 0, atol=1e-12)
    close(fit["choice"].sum("party"), 1, rtol=1e-12)
    close(fit["fitted_share"].sum("party"), 1, rtol=1e-12)
    close(fit["observed_turnout"], booths["polled"] / booths["electors"], rtol=1e-12)
    close(fit["observed_share"], booths["votes"] / booths["polled"], rtol=1e-12)
    close(fit["eta_raw"], fit["eta"] / fit["g_sd"], rtol=1e-12)
    close(fit["boost"], fit["eta"] * (1 - fit["g_mean"]) / fit["g_sd"], rtol=1e-12)
    close(fit["eta_raw_se"], fit["eta_se"] / fit["g_sd"], rtol=1e-6)
    labels = [f"eta[{axis}]" for axis in AXES]
    variance = [float(fit["theta_covariance"].sel(theta=label, theta_=label)) for label in labels]
    close(fit["eta_se"], np.sqrt(variance), rtol=1e-6)
    close(fit["theta_value"].sel(theta=labels), fit["eta"], rtol=1e-14)
    square = fit["theta_covariance"].values
    close(square, square.T, rtol=1e-8, atol=1e-12)
    assert (np.linalg.eigvalsh(square) > -1e-10).all()
    assert (np.diff(fit["trace"]) <= 1e-8 * abs(fit.attrs["objective"])).all()
    assert fit.attrs["parameters"] == fit.sizes["theta"]
    # a quarter more of a standard deviation is worth about as many percentage points as eta / 4 says, or fewer
    assert (fit["eta_pp"] > 0).all()
    assert (fit["eta_pp"] < 25 * fit["eta"]).all()


def test_a_fifth_axis_is_a_matter_of_configuration(booths):
    given = {
        **AXES,
        "gender": {"categories": ["women", "men"], "kernel": "proximity", "proximity": [[1, 0.5], [0.2, 1]]},
    }
    more = encode_booths(booths, axes=given)
    assert more.labels.axes == tuple(AXES)
    assert [axis.kernel for axis in axes_of(given)] == ["ordinal", "match", "match", "match", "proximity"]
    np.testing.assert_array_equal(more.frame.fixed[4, :2, :2], [[1, 0.5], [0.2, 1]])
    fewer = encode_booths(booths, axes={name: AXES[name] for name in list(AXES)[:2]})
    assert fewer.labels.features == ("age[18-35]", "age[36-60]", "age[61+]", "religion[Hindu]", "religion[Muslim]")
    assert fewer.frame.candidate_codes.shape == (10, 3, 2)


def test_it_comes_back_from_a_file_bit_by_bit(fit, tmp_path):
    path = electjax.calm.save(fit, tmp_path / "fit.nc")
    again = electjax.calm.load(path)
    xr.testing.assert_identical(again, fit)
    for name in fit.variables:
        assert again[name].dtype.kind == fit[name].dtype.kind
    one, other = standard_of_fit(again), standard_of_fit(fit)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.sd, other.sd)
    with pytest.raises(ElectionDataError, match="no such file"):
        electjax.calm.load(tmp_path / "none.nc")
    other = tmp_path / "other.nc"
    xr.Dataset({"x": 1}).to_netcdf(other)
    with pytest.raises(ElectionDataError, match=r"other\.nc.*expected one of: booths, calm"):
        electjax.calm.load(other)


def test_a_warm_start_is_quicker(booths, fit):
    calls = []
    how = {"model": "recommended", "errors": "none", "progress": lambda *at: calls.append(at)} | HOW
    warm = electjax.calm.fit(booths, start=fit, **how | {"proximity": {"age": 0.42}})
    assert calls[-1][0] == warm.attrs["steps"]
    assert calls[-1][2] == "fit"
    cold = electjax.calm.fit(booths, **how | {"proximity": {"age": 0.42}})
    assert warm.attrs["steps"] < cold.attrs["steps"]
    assert warm.attrs["objective"] == pytest.approx(cold.attrs["objective"], rel=1e-9)
    np.testing.assert_allclose(warm["eta"], cold["eta"], atol=1e-4)
    assert "eta_se" not in warm


def test_a_start_with_other_terms_is_refused(booths, fit):
    with pytest.raises(ElectionDataError, match="parameters differ") as caught:
        electjax.calm.fit(booths, start=fit, **HOW)
    assert "\n" not in str(caught.value)


def test_a_sweep_compiles_once(booths, fit):
    programs = (es.newton, pb.pose, sm.sums, sm.gathered, pb.fitted, pb.cells)
    before = [program._cache_size() for program in programs]
    etas = []
    for rho, strength in ((0.2, 1e-3), (0.6, 1e-1), (0.4, 1e3)):
        found = electjax.calm.fit(
            booths, model="recommended", **HOW | {"proximity": {"age": rho}, "lambda_eta": strength, "lambda_beta": 1.0}
        )
        etas.append(found["eta"].values)
    assert [program._cache_size() for program in programs] == before
    assert np.abs(etas[0] - etas[1]).max() > 0.005
    assert np.abs(etas[2]).max() < 0.3


@pytest.mark.slow
def test_booths_kept_out_get_the_mean_of_their_constituency(booths, literal):
    held = literal["held_out"].values
    np.testing.assert_array_equal(literal["held_out"].groupby("booth_constituency").sum(), 6)
    known = json.loads(literal.attrs["validation"])
    assert known.keys() >= {"turnout", "party", "total"}
    assert all(value >= 0 for value in known.values())
    for name in ("b_T", "b_P"):
        effects = literal[name]
        means = effects[~held].groupby("booth_constituency").mean()
        expected = means.sel(booth_constituency=literal["booth_constituency"][held])
        np.testing.assert_allclose(effects[held], expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(literal["b_P"].sum("party"), 0, atol=1e-12)
    trained = booths["cell_size"].values[~held]
    area = booths["booth_constituency"].values[~held]
    electors = np.array([trained[area == a].sum(axis=0) for a in booths["constituency"].values])
    np.testing.assert_array_equal(literal["electors"], electors)  # and g is standardised over the same booths
    votes, shares = booths["votes"].values[held], literal["fitted_share"].values[held]
    observed = votes / votes.sum(axis=1, keepdims=True)
    loss = (votes * np.log(np.where(votes > 0, observed / shares, 1.0))).sum() / votes.sum()
    assert known["party"] == pytest.approx(loss, rel=1e-8)
    assert literal.attrs["booths"] == (~held).sum()


@pytest.mark.ci
def test_one_constituency_says_that_eta_is_chosen_by_the_penalty(booths):
    one = booths.isel(constituency=[0]).drop_vars([name for name in booths.variables if str(name).startswith("true_")])
    one = one.sel(booth=one["booth_constituency"].isin(one["constituency"])).drop_dims("feature", errors="ignore")
    with pytest.warns(UserWarning, match="Not identified: eta") as said:
        alone = electjax.calm.fit(one, errors="none", booth_effects=False, affinity="hierarchical", **HOW)
    assert alone.attrs["rank"] == alone.attrs["rank_without_affinity"]
    assert not alone["identified"].any()
    reasons = json.loads(alone.attrs["verdict_reasons"])
    assert any(reason in str(warning.message) for reason in reasons for warning in said)


@pytest.mark.slow
def test_without_candidate_affinity_there_is_no_eta(booths):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        off = electjax.calm.fit(booths, errors="none", use_candidate_affinity=False, **HOW)
    assert "eta" not in off
    assert "rank" not in off.attrs
    assert not [label for label in off["theta"].values if str(label).startswith("eta")]


# ------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lamda_eta", 0.1),
        ("model", "recomended"),
        ("affinity", "sharde"),
        ("mobilisation", True),
        ("weighting", None),
        ("identification", "none"),
        ("coding", "dummy"),
        ("cache", "cell"),
        ("errors", "bootstrap"),
        ("penalties", "cv"),
        ("lambda_T", 0.0),
        ("lambda_P", -1.0),
        ("lambda_eta", -0.1),
        ("lambda_eta", "much"),
        ("lambda_beta", float("nan")),
        ("lambda_b", float("inf")),
        ("lambda_tau", True),
        ("proximity", {"age": 2.0}),
        ("proximity", {"age": "near"}),
        ("proximity", {"religion": 0.5}),
        ("proximity", {"height": 0.5}),
        ("proximity", 0.5),
        ("integrate", 1),
        ("axis_weight", {"height": 1.0}),
        ("axis_weight", {"age": -1.0}),
        ("axis_weight", {"age": 0.0}),
        ("axis_weight", {"age": "much"}),
        ("axis_weight", 0.5),
        ("holdout", 1.0),
        ("holdout", -0.1),
        ("level", 1.0),
        ("level", 0.0),
        ("epsilon", 0.1),
        ("context", "no"),
        ("tolerance", 0.0),
        ("tower", -1),
        ("tower", 2.5),
        ("tower", True),
        ("max_steps", 0),
        ("chunk", 0),
        ("seed", "today"),
        ("seed", 1.5),
        ("project", "yes"),
        ("booth_effects", 1),
        ("use_candidate_affinity", "no"),
        ("covariates", ["land"]),
        ("covariates", "land_rate"),
        ("axes", {"age": {"kernel": "rbf"}}),
    ],
)
def test_a_wrong_option_is_one_line(booths, name, value):
    with pytest.raises(ElectionDataError) as caught:
        electjax.calm.fit(booths, **{name: value})
    line = str(caught.value)
    assert "\n" not in line
    assert name in line or (name == "covariates" and "covariate" in line)
    assert "expected" in line


def test_without_candidates_no_term_of_theirs_is_left():
    given = {"affinity": "hierarchical", "tower": 2, "mobilisation": "previous"}
    design = options_of({**given, "use_candidate_affinity": False}).design
    assert (design.affinity, design.tower, design.mobilisation) == ("none", 0, "none")
    assert options_of(given).design.tower == 2


def test_options_say_what_they_do_not_do():
    assert options_of({"affinity": "party"}).notes() == []
    (note,) = options_of({"affinity": "party", "lambda_eta": 3.0}).notes()
    assert "lambda_party" in note
    assert options_of({"affinity": "shared", "lambda_eta": 3.0}).notes() == []


def test_what_is_integrated_out_is_there():
    assert options_of({"model": "recommended", "booth_effects": True}).integrates
    assert options_of({"model": "recommended"}).integrates
    assert not options_of({"model": "recommended", "overdispersed": False}).integrates
    assert not options_of({"overdispersed": True}).integrates


def test_booths_that_have_not_polled_are_not_fitted(booths):
    silent = booths.assign(votes=booths["votes"] * 0, polled=booths["polled"] * 0)
    for verb in (electjax.calm.fit, electjax.calm.holdout):
        with pytest.raises(ElectionDataError, match=r"no votes polled.*use predict"):
            verb(silent)
    some = booths["booth"].isin(booths["booth"][:3])
    few = booths.assign(votes=booths["votes"].where(~some, 0), polled=booths["polled"].where(~some, 0))
    assert check_fittable(few, FitOptions().design) == []  # the verdict on a fit says it
    assert check_fittable(booths, FitOptions().design) == []


def test_previous_shares_that_are_not_there_are_missed(booths, monkeypatch):
    design = options_of({"mobilisation": "previous"}).design
    assert check_fittable(booths, design) == []
    for without in (booths.drop_vars("previous"), booths.assign(previous=booths["previous"] * np.nan)):
        assert check_fittable(without, FitOptions().design) == []
        for verb in (electjax.calm.fit, electjax.calm.mobilisation):
            with pytest.raises(ElectionDataError, match="no booth has a previous share"):
                verb(without, mobilisation="previous")
    seen = []
    monkeypatch.setattr(mobilisation, "setting_of", lambda booths, options, *_: seen.append(options) or 1 / 0)
    for there in (booths, booths.drop_vars("previous")):
        with pytest.raises(ZeroDivisionError):
            electjax.calm.mobilisation(there)
    assert [options.mobilisation for options in seen] == ["previous", "model"]
    shares = booths["previous"].transpose("booth", "party").copy()
    shares[:2] = np.nan
    shares[2, 0] = np.nan
    none, part = check_fittable(booths.assign(previous=shares), design)
    assert none.startswith("2 of 240 booths have no previous shares")
    assert part.startswith("1 of 240 booths have previous shares of some")


def test_a_typo_is_met_with_a_guess(booths):
    with pytest.raises(ElectionDataError, match="lambda_eta"):
        electjax.calm.fit(booths, lamda_eta=0.1)
    with pytest.raises(ElectionDataError, match="recommended"):
        electjax.calm.fit(booths, model="recomended")


def test_options_come_back_from_json():
    given = {
        "model": "recommended",
        "affinity": "hierarchical",
        "proximity": {"age": 0.3, "income": 0.2},
        "axis_weight": {"age": 1.0, "caste": 2.0},
        "covariates": ["land_rate"],
        "lambda_eta": np.float32(0.5),
        "lambda_b": np.float64(0.25),
        "tower": np.int64(2),
        "project": np.bool_(True),
        "seed": np.int64(7),
        "context": 0.0,
        "booth_effects": True,
    }
    options = options_of(given)
    assert read_options(options.json()) == options
    assert read_options(FitOptions().json()) == FitOptions()
    assert options.design == read_options(options.json()).design
    with pytest.raises(TypeError):
        FitOptions("literal")
    with pytest.raises(AttributeError):
        options.tower = 3


def test_the_models_are_presets():
    literal, recommended = options_of({}).design, options_of({"model": "recommended"}).design
    assert (literal.booth_effects, literal.constituency_effects, literal.overdispersed, literal.context) == (
        True,
        *[False] * 3,
    )
    assert (recommended.booth_effects, recommended.constituency_effects) == (False, True)
    assert recommended.overdispersed
    assert recommended.context
    mixed = options_of({"model": "recommended", "booth_effects": True, "context": 0.0, "overdispersed": False})
    assert mixed.design.booth_effects
    assert not mixed.design.context
    assert not mixed.design.overdispersed
    assert options_of({"use_candidate_affinity": False}).design.affinity == "none"
    assert hash(mixed.design) == hash(read_options(mixed.json()).design)  # or a program would be compiled again


def test_eta_of_parties_is_held_more_strongly_than_a_shared_one():
    assert FitOptions().lambda_party > FitOptions().lambda_eta


def test_weights_of_the_mobilisation_add_up_to_one():
    hyper = options_of({"axis_weight": {"age": 1.0, "caste": 3.0}, "proximity": {"age": 0.3}}).hyper(axes_of(AXES))
    np.testing.assert_allclose(hyper.axis_weight, [0.25, 0, 0.75, 0, 0])
    np.testing.assert_allclose(hyper.rho, [0.3, 0, 0, 0, 0])
    np.testing.assert_allclose(FitOptions().hyper(axes_of(AXES)).axis_weight, 0.2)


def test_the_codec_gives_the_arrays_of_the_labels(booths):
    data = encode_booths(booths)
    arrays, frame, labels = data.booths, data.frame, data.labels
    assert arrays.sizes.dtype == float
    np.testing.assert_array_equal(arrays.sizes.sum(axis=1), booths["electors"])
    np.testing.assert_array_equal(arrays.votes.sum(axis=1), arrays.polled)
    i, c = 17, 5
    assert labels.constituencies[arrays.constituency[i]] == str(booths["booth_constituency"].values[i])
    row = frame.features[c]
    cell = booths["cell_category"].isel(cell=c)
    on = {labels.features[f] for f in np.flatnonzero(row)}
    assert on == {f"{axis}[{cell.sel(axis=axis).item()}]" for axis in AXES if cell.sel(axis=axis).item()}
    np.testing.assert_allclose(arrays.covariates.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(arrays.covariates.std(axis=0), 1, rtol=1e-12)
    np.testing.assert_array_equal(frame.electors.sum(axis=0), booths["cell_size"].sum("booth"))
    train = np.arange(240) % 3 > 0
    some = encode_booths(booths, train=train, coding="reference", covariates=["mf_ratio"])
    np.testing.assert_array_equal(some.frame.electors.sum(axis=0), booths["cell_size"].values[train].sum(axis=0))
    assert some.labels.covariates == ("mf_ratio",)
    assert "age[18-35]" not in some.labels.features
    np.testing.assert_allclose(some.booths.covariates[train].mean(), 0, atol=1e-12)
    zero = encode_booths(booths, coding="sum_to_zero").frame.features
    assert zero.shape[1] == some.frame.features.shape[1]
    first = data.frame.cell_codes[:, 0] == 0
    np.testing.assert_array_equal(zero[first, :2], -1)


def test_double_precision_is_left_as_it_was(booths, fit):
    assert fit["eta"].dtype == np.float64
    assert not jax.config.jax_enable_x64
    with double_precision():
        assert jax.config.jax_enable_x64
