"""Tables, figures and the html report, from Datasets made up to the contract."""

import itertools
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

import electjax
from electjax.districts.report.figures import geography, main_parties, seat_distribution
from electjax.districts.report.page import figures, report
from electjax.districts.report.posterior import calibration_trace, pairs_of, posterior_pairs, posterior_parameters
from electjax.districts.report.tables import (
    calibration_rows,
    election_rows,
    identification_rows,
    parameters_text,
    row_kinds,
    summary,
)
from electjax.districts.results import parameter_names
from electjax.report.report import render_page, write_report
from tests.report.page import Page

PARTIES = ["AAP", "BJP", "INC", "others"]
OBSERVED = dict(zip(PARTIES, [62, 8, 0, 0], strict=True))
FRACTION = np.array([0.54, 0.38, 0.05, 0.03])


def fake_simulation(rng: np.random.Generator, seats: list[float], mwm: float, *, runs: int = 200) -> xr.Dataset:
    """A simulation Dataset whose seats scatter around a mean."""
    counts = rng.multinomial(70, np.array(seats) / sum(seats), size=runs)
    return xr.Dataset(
        {
            "seats": (("run", "party"), counts),
            "vote_fraction": (("run", "party"), rng.dirichlet(FRACTION * 2000, size=runs)),
            "mwm": ("run", rng.normal(mwm, 0.006, runs)),
            "swm": ("run", rng.normal(0.08, 0.005, runs)),
        },
        coords={"party": PARTIES},
    )


def fake_posterior(rng: np.random.Generator, parameters: dict[str, int | tuple[str, int]], draws: int = 150):
    """A calibration Dataset: scalar parameters by ``1``, vectors by (dim, size)."""
    data = fake_simulation(rng, [62, 8, 0.3, 0.1], 0.55, runs=draws).rename(run="draw")
    weight = rng.gamma(2.0, size=draws)
    data["weight"] = ("draw", weight / weight.sum())
    data["distance"] = ("draw", np.sort(rng.gamma(3.0, size=draws)))
    for name, shape in parameters.items():
        dims, sizes = ([], []) if shape == 1 else ([shape[0]], [shape[1]])
        centre = rng.uniform(0.6, 0.9, size=sizes)
        draw = np.clip(rng.normal(centre, 0.03, size=(draws, *sizes)), 0, 1)
        data[name] = (("draw", *dims), draw, {"symbol": name, "prior": "uniform(0, 1)"})
        data[f"optimal_{name}"] = (tuple(dims), draw[0])
        data[f"prior_{name}"] = (("prior_draw", *dims), rng.uniform(size=(1000, *sizes)))
    data["observed_seats"] = ("party", list(OBSERVED.values()))
    data["observed_vote_fraction"] = ("party", FRACTION)
    data["observed_mwm"], data["observed_swm"] = 0.547, 0.062
    data.attrs = {
        "model": "dpm",
        "method": "explore_exploit",
        "simulations": 20000,
        "acceptance_rate": draws / 20000,
        "tolerance": json.dumps({"seats": 2, "vote_fraction": 0.02}),
        "options": "{}",
        "fixed_parameters": "{}",
    }
    return data


def fake_metrics() -> dict:
    def result(gamma, mean, mode, p_exact, distance):
        return {
            "parameters": {"gamma": gamma},
            "seats_mean": dict(zip(PARTIES, mean, strict=True)),
            "seats_min": {p: max(0, round(m) - 5) for p, m in zip(PARTIES, mean, strict=True)},
            "seats_max": {p: round(m) + 4 for p, m in zip(PARTIES, mean, strict=True)},
            "seats_mode": dict(zip(PARTIES, mode, strict=True)),
            "mwm": 0.5512,
            "swm": 0.0814,
            "p_exact": p_exact,
            "distance": distance,
        }

    best = {"parameters": {"gamma": 0.8712}, "seats": OBSERVED, "mwm": 0.548, "swm": 0.07, "distance": 0.42}
    return {
        "election": "delhi2020",
        "observed": {"seats": OBSERVED, "mwm": 0.5473, "swm": 0.0619},
        "proportional": dict(zip(PARTIES, [38, 27, 3, 2], strict=True)),
        "models": {
            "dm": {"default": result(3.0, [41.3, 26.9, 1.4, 0.4], [42, 27, 1, 0], 0.0, 11.2)},
            "dpm": {
                "default": result(0.99, [38.2, 27.5, 3.1, 1.2], [38, 28, 3, 1], 0.0, 12.52),
                "optimal": {**result(0.8712, [61.4, 8.6, 0, 0], [62, 8, 0, 0], 0.165, 1.31), "best_draw": best},
            },
        },
        "simulations": 20400,
        "seconds": 41.2,
    }


def fake_tree(parameters: dict | None = None) -> xr.DataTree:
    rng = np.random.default_rng(0)
    observed = xr.Dataset(
        {"seats": ("party", list(OBSERVED.values()))},
        coords={"party": PARTIES},
        attrs={"name": "delhi2020", "title": "Delhi Legislative Assembly 2020", "source": "Official returns"},
    )
    return xr.DataTree.from_dict(
        {
            "/observed": observed,
            "/dm/default": fake_simulation(rng, [42, 27, 1, 0.3], 0.73),
            "/dpm/default": fake_simulation(rng, [38, 27, 3, 1], 0.73),
            "/dpm/optimal": fake_simulation(rng, [61.5, 8.5, 0.05, 0.01], 0.55),
            "/dpm/fit": fake_posterior(rng, parameters or {"gamma": 1}),
        }
    )


def rendered(metrics: dict, width: int = 120) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(summary(metrics))
    return console.export_text()


def report_of(metrics: dict, tree: xr.DataTree | None = None):
    """What is said of a run with these numbers, by default without arrays."""
    return report(SimpleNamespace(tree=xr.DataTree() if tree is None else tree, metrics=metrics))


def page_of(metrics: dict) -> str:
    return render_page(report_of(metrics), [])


def rows_by_name(metrics: dict) -> dict[str, dict[str, str]]:
    return {row["Model"].partition("\n")[0]: row for row in election_rows(metrics)}


def test_rows_hold_the_metrics_in_the_order_of_the_paper():
    rows = rows_by_name(fake_metrics())
    assert list(rows) == ["Observed", "Proportional", "DM default", "DPM default", "DPM optimal", "DPM best draw"]
    assert [rows["Observed"][party] for party in PARTIES] == ["62", "8", "0", "0"]
    assert (rows["Observed"]["Winner's share"], rows["Observed"]["its sd"]) == ("0.55", "0.06")
    assert rows["DPM optimal"]["BJP"] == "8.6\n4–13"
    assert rows["DPM optimal"]["Most likely"] == "62/8/0/0"
    assert rows["DPM optimal"]["Model"] == "DPM optimal\nγ = 0.871"
    assert rows["DPM optimal"]["Distance"] == "1.31"
    assert rows["DPM best draw"]["AAP"] == "62"
    assert rows["DM default"]["P(exact)"] == "0"


def test_missing_figures_leave_cells_empty():
    metrics = fake_metrics()
    metrics["observed"] |= {"mwm": None, "swm": float("nan")}
    del metrics["proportional"]
    metrics["models"]["dpm"]["optimal"]["best_draw"] = None
    assert row_kinds(metrics) == ["observed", "default", "default", "optimal"]
    row = election_rows(metrics)[0]
    assert (row["Winner's share"], row["its sd"]) == ("", "")
    assert "nan" not in rendered(metrics).lower()


@pytest.mark.parametrize(("p", "text"), [(0.0, "0"), (0.001, "<0.01"), (0.165, "0.17"), (0.999, ">0.99"), (1.0, "1")])
def test_no_probability_is_rounded_to_certainty(p, text):
    metrics = fake_metrics()
    metrics["models"]["dm"]["default"]["p_exact"] = p
    assert election_rows(metrics)[2]["P(exact)"] == text


def test_parameters_are_short_to_read():
    assert parameters_text({"alpha": 36, "beta": 0.57123}) == "α = 36; β = 0.571"
    assert parameters_text({"eta": {"AAP": 0.72, "BJP": 0.8}}) == "η = 0.72, 0.8"
    assert parameters_text({"gamma": list(np.linspace(0.5, 1, 70))}) == "γ = 70 values from 0.5 to 1"
    assert parameters_text({"c": 3, "winner": "votes"}) == "c = 3; winner = votes"
    assert parameters_text({"phi": [[1, -1, 0], [-1, 1, 0.5]]}) == "φ = 1, -1, 0 | -1, 1, 0.5"
    assert parameters_text({"phi": np.eye(5)}) == "φ = 5 x 5 values from 0 to 1"


def test_of_many_parameters_a_row_shows_the_calibrated_ones():
    metrics = fake_metrics()
    models = metrics["models"]
    sim = {"concentration": 0.5, "sigma": 1.0, "kappa": 0.5, "stick": 1.0, "capacity": 1.0}
    models["sim"] = {"default": models["dpm"]["default"] | {"parameters": sim}}
    rows = {name: row["Model"].partition("\n")[2] for name, row in rows_by_name(metrics).items()}
    assert rows["SIM default"] == "concentration = 0.5; σ = 1; κ = 0.5; stick = 1; capacity = 1"
    assert max(len(line.split("  ")[0]) for line in rendered(metrics).splitlines()[4:]) <= 36
    moved = {"concentration": 1.5, "sigma": [1.0, 2.0]}
    optimal = models["dpm"]["optimal"]
    best = optimal["best_draw"] | {"parameters": moved}
    models["sim"]["optimal"] = optimal | {"parameters": sim | moved, "best_draw": best}
    rows = {name: row["Model"].partition("\n")[2] for name, row in rows_by_name(metrics).items()}
    assert rows["SIM default"] == "concentration = 0.5; σ = 1"
    assert rows["SIM optimal"] == rows["SIM best draw"] == "concentration = 1.5; σ = 1, 2"


def test_panels_of_many_short_parameters_go_by_parameter():
    posterior = fake_posterior(np.random.default_rng(3), {"a": 1, "rho": ("party", 4), "sigma": ("party", 4)})
    places = [ax.get_subplotspec() for ax in posterior_parameters(posterior).axes]
    assert [place.rowspan.start for place in places] == [0, *[1] * 4, *[2] * 4]
    few = fake_posterior(np.random.default_rng(3), {"a": 1, "sigma": ("community", 3)})
    assert {ax.get_subplotspec().rowspan.start for ax in posterior_parameters(few).axes} == {0}


def fake_geography(share: float) -> xr.Dataset:
    """All districts alike: every party has its share everywhere, the first one `share`."""
    votes = np.array([share, 0.9 - share, 0.06, 0.04]) * 1000
    counts = np.tile(votes, (5, 1)).round().astype(int)
    election = electjax.districts.dataset(counts, districts=list("abcde"), parties=PARTIES)
    return electjax.districts.geography(election, bins=10)


def test_geography_draws_the_main_parties_of_every_model_and_setting():
    models = {"dm": {"default": fake_geography(0.25)}, "dpm": {k: fake_geography(0.55) for k in ("default", "optimal")}}
    figure = geography(models, dict(zip(PARTIES, FRACTION, strict=True)), fake_geography(0.55))
    dm, empty, dpm, _ = figure.axes
    aap, bjp = dm.patches[0].get_data(), dm.patches[2].get_data()
    assert aap.values.tolist() == pytest.approx([0, 0, 1, *[0] * 7])
    assert bjp.values.tolist() == pytest.approx([*[0] * 6, 1, *[0] * 3])
    assert dm.patches[0].get_facecolor() == dpm.patches[0].get_facecolor()
    assert len(dm.patches) == 2 * 2 + 2  # a fill and an outline for each of two parties, and both as observed
    assert len(empty.patches) == 2
    assert dm.get_ylabel().startswith("DM")
    assert main_parties({"a": 0.05, "others": 0.9, "b": 0.05}) == ["a"]
    assert main_parties(dict.fromkeys("abcde", 0.2)) == ["a", "b", "c"]


def test_the_report_has_the_geography_where_the_tree_has(tmp_path):
    tree = fake_tree()
    tree["observed/popularity"] = xr.DataArray(FRACTION, dims="party")
    for path in ("dpm/default", "dpm/optimal"):
        tree[f"{path}/geography"] = xr.DataTree(fake_geography(0.55))
    (drawn,) = [figure for figure in figures(tree, fake_metrics()) if figure.file == "geography.png"]
    assert len(drawn.draw().axes) == 2
    assert "AAP, BJP" in drawn.caption
    assert "returns" not in drawn.caption


def test_terminal_and_html_show_the_same_cells():
    metrics = fake_metrics()
    text = rendered(metrics)
    html = page_of(metrics)
    page = Page(html[: html.index("</table>")])
    assert len(page.rows) == 1 + len(election_rows(metrics))
    statistics = ["Most likely", "Winner's share", "its sd", "Lead", "P(exact)", "Distance"]
    assert page.rows[0] == ["Model", *PARTIES, *statistics]
    optimal = next(row for row in page.rows if row[0].startswith("DPM optimal"))
    assert optimal[1] == "61.4 56–65"
    for cell in ("61.4", "56–65", "62/8/0/0", "γ = 0.871", "1.31", "12.5"):
        assert cell in text
    assert max(map(len, rendered(metrics, width=80).splitlines())) <= 80
    assert "…" not in rendered(metrics, width=80)


def test_labels_of_users_are_escaped():
    metrics = fake_metrics()
    metrics["election"] = "<script>alert(1)</script>"
    html = page_of(metrics)
    assert "script" not in {tag for tag, _ in Page(html).tags}
    assert "&lt;script&gt;" in html


def test_report_is_self_contained_and_accessible(tmp_path):
    write_report(tmp_path, report_of(fake_metrics(), fake_tree()), config="seed: 42")
    html = (tmp_path / "report.html").read_text("utf-8")
    page = Page(html)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(list((tmp_path / "figures").glob("*.png"))) == 3
    for image in images:
        assert image["src"].startswith("data:image/png;base64,")
        assert len(image["alt"]) > 40
    addresses = [a.get("href") or a.get("src") or "" for tag, a in page.tags if tag != "img"]
    assert all(address == "" or address.startswith("#") for address in addresses)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "url(" not in html
    anchors = {a["href"][1:] for tag, a in page.tags if tag == "a"}
    assert anchors <= {a["id"] for tag, a in page.tags if tag == "section"}
    assert html.startswith("<!DOCTYPE html>")
    for text in ("Delhi Legislative Assembly 2020", "seed: 42", "20,400 elections", "Returns: Official"):
        assert text in html
    cells = next(row for row in page.rows if "explore exploit" in row)
    assert cells[:4] == ["DPM", "explore exploit", "20,000", "150 (0.75%)"]
    assert "seats 2, vote fraction 0.02" in cells


def test_headline_tells_what_came_out():
    metrics = fake_metrics()
    html = page_of(metrics)
    assert "70 districts, won as AAP 62, BJP 8, INC 0, others 0." in html
    assert "its best draw reproduces all the observed seats" in html
    metrics["models"]["dpm"]["optimal"]["best_draw"]["seats"] = OBSERVED | {"AAP": 61, "BJP": 9}
    assert "its best draw gives 61/9/0/0" in page_of(metrics)
    metrics["models"] = {}
    assert "Simulated" not in page_of(metrics)


def test_a_run_without_calibration_or_accepted_draws_has_a_report(tmp_path):
    metrics, tree = fake_metrics(), fake_tree()
    del metrics["models"]["dpm"]["optimal"]
    tree["dpm/fit"] = xr.DataTree(tree["dpm/fit"].to_dataset().isel(draw=slice(0, 0)))
    write_report(tmp_path, report_of(metrics, tree), config="")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["seats.png"]
    assert "How it was calibrated" not in (tmp_path / "report.html").read_text("utf-8")


def test_every_kind_of_parameter_is_drawn():
    rng = np.random.default_rng(1)
    posterior = fake_posterior(rng, {"alpha": 1, "eta": ("party", 4), "gamma": ("district", 70)})
    posterior = posterior.assign_coords(district=[f"D{i}" for i in range(70)])
    assert parameter_names(posterior) == ["alpha", "eta", "gamma"]
    figure = posterior_parameters(posterior)
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels[:5] == ["α", "η AAP", "η BJP", "η INC", "η others"]
    assert labels[5].startswith("70 values by district")
    assert pairs_of(posterior) == []
    pairs = posterior_pairs(posterior.drop_vars(["gamma", "optimal_gamma", "prior_gamma"]))
    assert sum(ax.get_visible() for ax in pairs.axes) == 15
    assert pairs_of(fake_posterior(rng, {"gamma": 1})) == []


def test_histogram_heights_are_the_shares_of_runs():
    data = fake_simulation(np.random.default_rng(2), [62, 8, 0, 0], 0.55, runs=50)
    figure = seat_distribution({"dpm": {"optimal": data}}, OBSERVED)
    ax = figure.axes[1]
    drawn = ax.patches[0].get_data()
    counts = np.bincount(data["seats"].sel(party="BJP").values, minlength=80)
    for height, left in zip(drawn.values, drawn.edges[:-1], strict=True):
        assert height == pytest.approx(counts[int(left + 0.5)] / 50)
    assert drawn.values.sum() == pytest.approx(1)
    assert [line.get_xdata()[0] for line in ax.lines] == [8]


def test_seat_ticks_are_whole_numbers_and_no_label_overlaps():
    tree, metrics = fake_tree({"eta": ("party", 4)}), fake_metrics()
    for drawn in figures(tree, metrics):
        figure = drawn.draw()
        figure.draw_without_rendering()
        for ax in figure.axes:
            if not ax.get_visible():
                continue
            inside = [
                tick.label1
                for tick in ax.xaxis.get_major_ticks()
                if ax.get_xlim()[0] <= tick.get_loc() <= ax.get_xlim()[1]
                and tick.label1.get_visible()
                and tick.label1.get_text()
            ]
            boxes = sorted((label.get_window_extent() for label in inside), key=lambda box: box.x0)
            assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes)), drawn.file
            if "seats" in ax.get_xlabel():
                assert all(re.fullmatch(r"\d+", label.get_text()) for label in inside), drawn.file


def with_trace(posterior: xr.Dataset, generations: int = 4) -> xr.Dataset:
    """A calibration Dataset as sequential Monte Carlo leaves it."""
    tolerance = np.geomspace(4, 0.5, generations)
    return posterior.assign(
        trace_tolerance=("generation", tolerance),
        trace_acceptance_rate=("generation", np.linspace(0.6, 0.05, generations)),
        trace_ess=("generation", np.full(generations, 400.0)),
    ).assign_attrs(stopped="tolerance reached", adjustment="linear", method="smc")


def test_the_course_of_a_calibration_is_drawn_by_generation():
    posterior = with_trace(fake_posterior(np.random.default_rng(0), {"gamma": 1}))
    figure = calibration_trace({"dpm": posterior, "pcm": with_trace(posterior, 6)})
    assert [ax.get_title() for ax in figure.axes] == ["tolerance", "acceptance rate", "effective sample size"]
    for ax, name in zip(figure.axes, ["trace_tolerance", "trace_acceptance_rate", "trace_ess"], strict=True):
        first, second = ax.lines
        assert first.get_ydata().tolist() == posterior[name].values.tolist()
        assert second.get_xdata().tolist() == list(range(6))
        assert first.get_color() != second.get_color()
    assert figure.axes[0].get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DPM", "PCM"]


def test_only_sequential_calibrations_have_a_trace():
    tree = fake_tree()
    files = [drawn.file for drawn in figures(tree, fake_metrics())]
    assert "trace.png" not in files
    tree["dpm/fit"] = xr.DataTree(with_trace(tree["dpm/fit"].to_dataset()))
    assert "trace.png" in [drawn.file for drawn in figures(tree, fake_metrics())]
    tree["dpm/fit"] = xr.DataTree(tree["dpm/fit"].to_dataset().isel(generation=slice(0, 1)))
    assert "trace.png" not in [drawn.file for drawn in figures(tree, fake_metrics())]


def test_a_parameter_that_stayed_at_its_prior_is_called_not_identified(tmp_path):
    rng = np.random.default_rng(0)
    posterior = with_trace(fake_posterior(rng, {"phi_rank": ("party", 4), "shares": ("community", 30)}, draws=2000))
    posterior.attrs["model"] = "sim"
    posterior["weight"] = posterior["weight"] * 0 + 1 / 2000
    posterior["phi_rank"][:, 2] = rng.uniform(size=2000)
    rows = identification_rows({"sim": posterior})
    said = {row["Parameter"]: (row["Says"], row["Contraction"]) for row in rows}
    assert said["phi_rank INC"][0] == "not identified"
    assert float(said["phi_rank INC"][1].removesuffix(" %")) < 10
    assert said["phi_rank AAP"][0] == "identified"
    assert said["shares, 30 values"][0] == "30 of 30 identified"  # many values share a row
    assert len(rows) == 5
    tree = fake_tree()
    tree["dpm/fit"] = xr.DataTree(posterior)
    write_report(tmp_path, report_of(fake_metrics(), tree), config="")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert ["DPM", "phi_rank INC", *list(rows[2].values())[2:]] in page.rows
    method = next(row for row in page.rows if "tolerance reached" in row)
    assert method[1] == "smc, linear adjustment"


def test_of_many_parameters_those_that_contract_most_are_drawn_in_pairs():
    posterior = fake_posterior(np.random.default_rng(0), {"alpha": 1, "gamma": ("district", 9)})
    assert pairs_of(posterior) == []
    contraction = np.array([0.1, 0.9, 0.8, 0.0, 0.7, 0.6, 0.5, 0.4, 0.02])
    posterior = posterior.assign(contraction_alpha=0.01, contraction_gamma=("district", contraction))
    figure = posterior_pairs(posterior)
    bottom = [ax.get_xlabel() for ax in figure.axes[-6:]]
    assert bottom == [f"γ {place}" for place in (1, 2, 4, 5, 6, 7)]


def test_priors_are_told_once():
    posterior = fake_posterior(np.random.default_rng(0), {"gamma": 1})
    posterior["unadjusted_gamma"] = posterior["gamma"]
    (row,) = calibration_rows({"dpm": posterior})
    assert row["Priors"] == "gamma ~ uniform(0, 1)"


def test_a_calibration_in_a_table_and_in_figures():
    posterior = with_trace(fake_posterior(np.random.default_rng(0), {"gamma": 1, "prior_mass": 1}))
    table = electjax.districts.summary(posterior, show=False)
    draws, weight = posterior["gamma"].values, posterior["weight"].values
    assert table.index.tolist() == ["gamma", "prior_mass"]
    assert table.loc["gamma", "mean"] == pytest.approx(np.average(draws, weights=weight))
    assert table.loc["gamma", "sd"] == pytest.approx(np.sqrt(np.cov(draws, aweights=weight, ddof=0)))
    assert table.loc["gamma", "ess"] == pytest.approx(1 / (weight**2).sum())
    assert table.loc["gamma", "optimal"] == draws[0]
    assert (table["low"] < table["median"]).all()
    for kind in ("parameters", "pairs", "predictive", "trace"):
        assert np.size(electjax.districts.plot(posterior, kind))
    with pytest.raises(ValueError, match="expected at least two calibrated parameters"):
        electjax.districts.plot(fake_posterior(np.random.default_rng(0), {"gamma": 1}), "pairs")


def test_elections_and_scenarios_in_a_table_and_in_figures():
    elections = fake_simulation(np.random.default_rng(0), [62, 8, 0, 0], 0.55, runs=50)
    table = electjax.districts.summary(elections, show=False)
    assert table["mean"].to_dict() == elections["seats"].mean("run").to_series().to_dict()
    assert table.loc["BJP", "max"] == int(elections["seats"].sel(party="BJP").max())
    worlds = xr.concat([elections, elections], xr.DataArray(["baseline", "other"], dims="scenario", name="scenario"))
    assert electjax.districts.summary(worlds, show=False).loc[("other", "AAP"), "mean"] == table.loc["AAP", "mean"]
    axes = electjax.districts.plot(elections.assign(winner=("run", ["AAP"] * 50)).assign_coords(run=range(50)))
    assert [ax.get_title() for ax in axes] == PARTIES
    with pytest.raises(ValueError, match=r"districts.summary: found something else; expected the result of"):
        electjax.districts.summary(xr.Dataset(), show=False)
