"""Every figure of every wing with names that are hard to draw: no text is cut off, overlaps another or is too small."""

import itertools

import numpy as np
import pytest
import xarray as xr

from electjax.calm.report import figures as calm
from electjax.districts.report import figures as districts
from electjax.districts.report import posterior as calibrations
from electjax.ecological.report import figures as ecological
from electjax.ecological.report import truth
from electjax.ecological.verbs.table import contest_table, pooled_table
from electjax.report import draw
from electjax.report.sweep import loss_surface, sweep_figure
from electjax.voter_types.report import figures as voter_types
from tests.districts.test_report import fake_geography, fake_posterior, fake_simulation
from tests.ecological.by_hand import estimate_by_hand
from tests.ecological.test_report import tables
from tests.report.names import MARKS, NAMES, THIRTY, TWO_HUNDRED
from tests.report.texts import overlapping

LIKE = "Independent Rural Voters Union of the North", "Independent Rural Voters Union of the South"
FOUR = [THIRTY, TWO_HUNDRED, MARKS, "others"]
SHORT = ["AAP", "BJP", "INC", "others"]
MANY = [*NAMES, *LIKE, "A", "B", "others"]


def rng():
    return np.random.default_rng(0)


def named(data: xr.Dataset, names) -> xr.Dataset:
    return data.assign_coords(party=names)


def simulations(names):
    one = named(fake_simulation(rng(), [42, 27, 1, 0.3], 0.73), names)
    return {"dm": {"default": one}, "dpm": {"default": one, "optimal": one}}


def many_parties():
    """Simulations of a dozen parties."""
    seats = rng().multinomial(300, rng().dirichlet(np.ones(len(MANY))), 50)
    data = xr.Dataset({"seats": (("run", "party"), seats)}, coords={"party": MANY})
    return {"dm": {"default": data, "optimal": data}}, dict.fromkeys(MANY, 30.0)


def worlds(names):
    scenarios = ["baseline", "with twenty districts more", *LIKE, TWO_HUNDRED]
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    seats = rng().integers(0, 70, (len(scenarios), len(names))).astype(float)
    data = {"seats_mean": (("scenario", "party"), seats), "p_majority": (("scenario", "party"), seats / 80)}
    spread = seats + np.array([-6, -3, 0, 3, 6])[:, None, None]
    data |= {"seats_quantile": (("quantile", "scenario", "party"), spread.clip(0))}
    data |= {"districts": ("scenario", np.full(len(scenarios), 70))}
    return xr.Dataset(data, coords={"scenario": scenarios, "party": names, "quantile": quantiles})


def posterior(names, **parameters):
    return named(fake_posterior(rng(), parameters), names)


def checks():
    """Of calibrations, by parameter: ranks and coverage."""
    labels = ["gamma", f"eta {THIRTY}", f"eta {MARKS}", f"eta {TWO_HUNDRED}", "alpha"]
    of = {"parameter": labels}
    count, point = rng().integers(1, 9, (5, 10)), np.linspace(0, 1, 11)
    line, flat = np.tile(point, (5, 1)), np.full(10, 3)
    ranks = {"count": (("parameter", "bin"), count), "ecdf": (("parameter", "point"), line)}
    ranks |= {"count_low": ("bin", flat - 2), "count_high": ("bin", flat + 2), "ecdf_low": ("point", point - 0.1)}
    ranks |= {"ecdf_high": ("point", point + 0.1), "p_chi2": ("parameter", count[:, 0] / 9)}
    ranks |= {"p_ks": ("parameter", count[:, 1] / 9), "rank": (("replicate", "parameter"), np.zeros((20, 5)))}
    sbc = xr.Dataset(ranks, coords=of | {"point": point}, attrs={"band_level": 0.95})
    inside = {"coverage": (("parameter", "level"), line[:, 1:10]), "low": ("level", point[1:10] - 0.1)}
    inside |= {"high": ("level", point[1:10] + 0.1)}
    coverage = xr.Dataset(inside, coords=of | {"level": point[1:10]})
    return sbc, coverage


def of_districts():
    shares = dict(zip(FOUR, [0.5, 0.3, 0.15, 0.05], strict=True))
    observed = dict(zip(FOUR, [62, 8, 0, 0], strict=True))
    yield "seats", lambda: districts.seat_distribution(simulations(FOUR), observed)
    yield "seats of many", lambda: districts.seat_distribution(*many_parties())
    places = {"dm": {"default": named(fake_geography(0.25), FOUR), "optimal": named(fake_geography(0.3), FOUR)}}
    yield "geography", lambda: districts.geography(places, shares, named(fake_geography(0.5), FOUR))
    optimal = named(fake_simulation(rng(), [62, 8, 0.3, 0.1], 0.55), FOUR)
    yield "predictive", lambda: districts.posterior_predictive(posterior(FOUR, gamma=1), optimal)
    yield "scenarios", lambda: districts.scenario_seats(worlds(FOUR))
    yield "scenarios of many", lambda: districts.scenario_seats(worlds(MANY))
    vectors = posterior(FOUR, gamma=1, eta=("party", 4), sigma=("party", 4), phi=("district", 70))
    yield "parameters", lambda: calibrations.posterior_parameters(vectors)
    few = posterior(FOUR, alpha=1, eta=("party", 4))
    yield "pairs", lambda: calibrations.posterior_pairs(few)
    sbc, coverage = checks()
    yield "ranks", lambda: calibrations.rank_histogram(sbc)
    yield "coverage", lambda: calibrations.coverage_curve(coverage)


def of_calm():
    axes = ["age", "caste", THIRTY, *LIKE, TWO_HUNDRED]
    line = np.linspace(-0.3, 0.4, len(axes))
    one = {"eta_se": 0.1, "eta_pp_se": 1.0}
    rows = {
        axis: one | {"eta": value, "eta_pp": 10 * value, "low": value - 0.2, "high": value + 0.2}
        for axis, value in zip(axes, line, strict=True)
    }
    rows["caste"] |= {"low": -40.0, "high": 41.0, "eta_se": 20.0}
    yield "coefficients", lambda: calm.coefficient_forest(rows, 0.95, {"age": 0.1})
    party = {"party": FOUR}
    share = (("booth", "party"), rng().uniform(0, 1, (30, 4)))
    booths = {"observed_turnout": ("booth", share[1][:, 0]), "fitted_turnout": ("booth", share[1][:, 1])}
    fit = xr.Dataset(booths | {"observed_share": share, "fitted_share": share}, coords=party)
    yield "booths", lambda: calm.booth_scatter(fit)
    groups = list(itertools.product(axes[2:], ["18-25", THIRTY, TWO_HUNDRED]))
    coords = {"axis": ("group", [a for a, _ in groups]), "category": ("group", [c for _, c in groups])} | party
    number = rng().uniform(0, 1, (len(groups), 4))
    margins = {"turnout": ("group", number[:, 0]), "weight": ("group", number[:, 1])}
    margins |= {"choice": (("group", "party"), number)}
    yield "categories", lambda: calm.category_heatmap(xr.Dataset(margins, coords=coords))
    stable = {"eta": ("axis", line), "eta_se": ("axis", 0.1 + 0 * line)}
    stable |= {name: (("group", "axis"), np.tile(0.2 + line, (9, 1))) for name in ("group_eta", "group_eta_se")}
    yield "stability", lambda: calm.stability_strip(xr.Dataset(stable, coords={"axis": axes}))
    placebo = xr.Dataset({"z": 4.0, "permuted_z": ("permutation", np.sin(np.arange(30.0)))})
    yield "placebo", lambda: calm.permutation_histogram(placebo)


def fit_of_types(types=3, offices=(*NAMES, *LIKE), options=("abstain", "split", *LIKE)):
    mu = rng().dirichlet(np.ones(len(options)), (types, len(offices)))
    mu[:, 1, 0] = np.nan
    data = {"pi": ("type", np.full(types, 1 / types)), "mu": (("type", "office", "option"), mu)}
    data |= {"pi_low": ("type", np.full(types, 0.1)), "pi_high": ("type", np.full(types, 0.5))}
    data |= {"zeta": (("profile", "type"), rng().dirichlet(np.ones(types) / 4, 40))}
    data |= {"profile_weight": ("profile", rng().integers(1, 9, 40)), "at_boundary": (*data["mu"][:1], mu < 0.05)}
    data |= {"maxima_log_likelihood": ("maximum", [-123456.7, -123460.1]), "maxima_starts": ("maximum", [17, 2])}
    coords = {"type": np.arange(1, types + 1), "office": list(offices), "option": np.arange(len(options))}
    return xr.Dataset(data, coords=coords | {"option_label": ("option", list(options))}, attrs={"level": 0.95})


def of_voter_types():
    yield "propensities", lambda: voter_types.propensities(fit_of_types())
    five = fit_of_types(5, [f"Office of the {i}th part" for i in range(40)], [f"candidate {i}" for i in range(7)])
    yield "propensities of many", lambda: voter_types.propensities(five)
    for name in ("type_shares", "sharpness", "local_maxima"):
        yield name, lambda name=name: getattr(voter_types, name)(fit_of_types())
        yield f"{name} of many", lambda name=name: getattr(voter_types, name)(fit_of_types(9))
    count = {name: ("types", [3e6, 1e6, 2e6]) for name in ("bic", "aic")}
    yield "scree", lambda: voter_types.scree(xr.Dataset(count, coords={"types": [1, 2, 3]}), 2)
    offices = [*NAMES, *LIKE, *(f"Office {i}" for i in range(12))]
    values = rng().chisquare(1, (len(offices), len(offices)))
    pairs = xr.Dataset({"bivariate": (("office", "office_"), values)}, {"office": offices, "office_": offices})
    yield "residuals", lambda: voter_types.bivariate_residuals(pairs)


def of_ecological():
    several = estimate_by_hand(tables([(5, 5), (4, 5), (3, 3)]), [*FOUR[:3], LIKE[0], "OTHER"])
    square = estimate_by_hand(tables([(2, 2)], units=20, seed=2), list(LIKE))
    contest = several["contest"].values[0]
    large = estimate_by_hand(tables([(12, 12)], seed=3), [*MANY[:11], "OTHER"])
    yield "tomography", lambda: ecological.tomography(square)
    yield "units", lambda: ecological.unit_scatter(several)
    yield "table", lambda: ecological.transition_heatmap(contest_table(several, contest))
    yield "table of many", lambda: ecological.transition_heatmap(contest_table(large, large["contest"].values[0]))
    yield "all", lambda: ecological.transition_heatmap(pooled_table(several))
    yield "rows", lambda: ecological.row_forest(contest_table(several, contest))
    yield "rows of many", lambda: ecological.row_forest(contest_table(large, large["contest"].values[0]))
    yield "context", lambda: ecological.context_lines(several)
    yield "truth", lambda: truth.truth_scatter(several)
    yield "errors", lambda: truth.error_strip(several)


def of_sweeps():
    x = ["agent", *NAMES]
    mean = {name: list(range(i, i + len(x))) for i, name in enumerate(FOUR)}
    yield "words", lambda: sweep_figure(x, mean, label="engine", title=TWO_HUNDRED, observed={THIRTY: 4})
    yield "many words", lambda: sweep_figure(x[:4], {k: v[:4] for k, v in mean.items()}, label="engine")
    loss = rng().uniform(0, 1, (4, 5))
    yield "loss", lambda: loss_surface(loss, ("rho", [0.1, 0.2, 0.3, 0.4, 0.5]), ("lambda", [0.1, 1.0, 10.0, 100.0]))


WINGS = (of_districts, of_calm, of_voter_types, of_ecological, of_sweeps)


@pytest.mark.parametrize("wing", WINGS, ids=lambda wing: wing.__name__)
def test_texts_of_figures_are_whole_and_apart(wing):
    with draw.look():
        faults = {name: found for name, figure in wing() if (found := overlapping(figure()))}
    assert faults == {}
