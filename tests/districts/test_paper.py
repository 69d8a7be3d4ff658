"""What the paper prints and says, and what we simulate, at the paper's own sizes."""

import csv
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import electjax
from tests.data_paths import shared
from tests.districts.runs import STANDARD_ERRORS

EXPERIMENT = runpy.run_path(
    str(Path(__file__).parents[2] / "experiments" / "districts" / "synthetic_tables" / "run.py")
)
RUNS, QUICK = 1000, 200
BOUNDS = {"dm": 1.3, "dpm": 1.3, "ecm": 3.3, "pcm": 1.0, "sim": 1.0}  # mean absolute error in seats
MARKS = {"dm": (), "ecm": pytest.mark.ci}  # the others take longer
CLOSE, CLOSER = (0.4, 0.35, 0.25), (0.37, 0.33, 0.3)


@cache
def seats(model: str, theta: tuple[float, ...], setting: str, runs: int = QUICK, seed: int = 0) -> np.ndarray:
    """Seats in 100 districts of 10,000 electors, shape (runs, 3), of a setting written as in tables.csv."""
    return EXPERIMENT["seats_of"](EXPERIMENT["Row"]("", model, setting, theta), runs=runs, seed=seed)


def exceeds(more: np.ndarray, less: np.ndarray) -> bool:
    """Whether the mean of one sample is larger than that of another, beyond Monte Carlo error."""
    error = np.sqrt(more.var() / more.size + less.var() / less.size)
    return bool(more.mean() - less.mean() > STANDARD_ERRORS * error)


def from_theta(won: np.ndarray, theta: tuple[float, ...]) -> float:
    """Mean absolute distance in seats from a division in proportion to the votes."""
    return float(np.abs(won.mean(axis=0) - 100 * np.array(theta)).mean())


# ---------------------------------------------------------------- Tables 1 to 4


def test_our_copy_of_the_tables_is_the_papers() -> None:
    with shared("paper/synthetic_tables_1_2_3.csv").open() as file:
        theirs = list(csv.DictReader(file))
    with shared("paper/social_identity_table_4.csv").open() as file:
        for row in csv.DictReader(file):
            if row["communities"] == "3":
                influence = {"individual": "none", "local_influence": "district"}[row["variant"]]
                setting = f"society={row['scenario']};influence={influence}"
                theirs.append(row | {"table": "4", "model": "SIM", "setting": setting})
    names = ("theta", "seats", "sd")
    columns = [[f"{name}{k}" for k in (1, 2, 3)] for name in names]
    expected = [
        (
            row["table"],
            row["model"].lower(),
            row["setting"],
            *(tuple(float(row[key]) for key in group if row.get(key)) for group in columns),
        )
        for row in theirs
    ]
    assert EXPERIMENT["printed"]() == expected


@pytest.mark.parametrize("model", [pytest.param(m, marks=MARKS.get(m, pytest.mark.slow)) for m in BOUNDS])
def test_tables_in_short(model: str) -> None:
    """Fewer runs, and of Tables 2 and 3 the rows of one popularity: the bound holds within the noise of both means."""
    rows = [pair for pair in EXPERIMENT["numbered"]([model]) if model not in ("ecm", "pcm") or pair[1].theta == CLOSE]
    gaps, noise = [], []
    for number, row in rows:
        won = EXPERIMENT["seats_of"](row, runs=QUICK, seed=number)
        gaps.append(np.abs(won.mean(axis=0) - row.seats))
        noise.append(won.std(axis=0) * np.sqrt(1 / QUICK + 1 / 100))  # the paper has 100 runs
    assert np.mean(gaps) <= BOUNDS[model] + np.mean(noise)


@pytest.mark.slow
@pytest.mark.parametrize("model", BOUNDS)
def test_tables_are_reproduced_by_the_default_readings(model: str) -> None:
    errors = EXPERIMENT["row_errors"](model, runs=RUNS)
    assert len(errors) == {"dm": 4, "dpm": 8, "ecm": 16, "pcm": 24, "sim": 4}[model]
    assert errors.mean() <= BOUNDS[model]


LITERAL = [
    ("dm", {"concentration": 1.0}, {}, 1.3),
    *(  # the other models' take as long as their tables
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (
            ("dpm", {"prior_mass": 0.0}, {}, 5.0),
            ("dpm", {}, {"reading": "count"}, 8.0),
            ("ecm", {}, {"reading": "literal"}, 3.3),
            ("pcm", {"capacity": 1.0}, {}, 5.0),
            ("pcm", {"capacity": 1.0}, {"reading": "count"}, 10.0),
            ("sim", {}, {"placement": "capped"}, 4.0),
        )
    ),
]


@pytest.mark.parametrize(("model", "params", "options", "more_than"), LITERAL)
def test_the_literal_readings_miss_the_tables(
    model: str, params: dict[str, Any], options: dict[str, Any], more_than: float
) -> None:
    reading = EXPERIMENT["Reading"]("literal", params, options)
    assert EXPERIMENT["row_errors"](model, reading, runs=QUICK).mean() > more_than


def test_leave_one_out_chooses_on_the_other_rows() -> None:
    """Three rows, two choices: each row alone would have the other choice than the rest."""
    errors = np.array([[0.0, 2.0, 2.0], [1.0, 0.5, 0.5]])
    found = EXPERIMENT["held_out"](errors, [0, 1, 2])
    assert [group["chosen"] for group in found["groups"].values()] == [1, 1, 1]
    assert found["out_of_sample"] == pytest.approx(2 / 3, abs=1e-3)
    grouped = EXPERIMENT["held_out"](errors, ["a", "b", "b"])
    assert [group["chosen"] for group in grouped["groups"].values()] == [1, 0]
    assert grouped["out_of_sample"] == pytest.approx(5 / 3, abs=1e-3)


# ---------------------------------------------------------------- section 5, in words


@pytest.mark.ci
def test_low_gamma_gives_everything_to_the_first_party() -> None:
    """At gamma .3 and 10,000 electors the lead of .1 is seven standard deviations of a district's difference."""
    assert seats("dpm", (0.5, 0.4, 0.1), "gamma=0.3")[:, 0].min() == 100


@pytest.mark.parametrize("theta", [(0.5, 0.4, 0.1), CLOSE, CLOSER])
def test_high_gamma_approaches_theta(theta: tuple[float, ...]) -> None:
    first = [seats("dpm", theta, f"gamma={gamma}")[:, 0] for gamma in (0.8, 0.9, 0.99)]
    assert exceeds(first[0], first[1])
    assert exceeds(first[1], first[2])
    assert from_theta(seats("dpm", theta, "gamma=0.99"), theta) < 5


def pcm(theta: tuple[float, ...], *eta: float) -> np.ndarray:
    return seats("pcm", theta, "eta=" + "/".join(map(str, eta)))


@pytest.mark.parametrize("theta", [CLOSE, pytest.param(CLOSER, marks=pytest.mark.ci)])
def test_a_concentrated_first_party_loses_to_a_diffuse_second(theta: tuple[float, ...]) -> None:
    won = pcm(theta, 0.99, 0.5, 0.5)
    assert exceeds(won[:, 1], won[:, 0])
    assert np.mean(won[:, 1] > won[:, 0]) > 0.5
    diffuse = pcm(theta, 0.5, 0.5, 0.5)
    assert exceeds(diffuse[:, 0], diffuse[:, 1])


@pytest.mark.parametrize("theta", [(0.5, 0.4, 0.1), CLOSE, CLOSER])
def test_all_diffuse_is_a_sweep_and_all_concentrated_near_theta(theta: tuple[float, ...]) -> None:
    assert pcm(theta, 0.5, 0.5, 0.5)[:, 0].mean() > 95
    assert from_theta(pcm(theta, 0.99, 0.99, 0.99), theta) < 5


@pytest.mark.parametrize("theta", [CLOSE, CLOSER])
def test_who_gains_by_concentrating(theta: tuple[float, ...]) -> None:
    """Section 5: the first party never; the second if the first is diffuse; the third unless both others are not."""
    low, high = 0.5, 0.99
    for second in (low, high):
        assert exceeds(pcm(theta, low, second, low)[:, 0], pcm(theta, high, second, low)[:, 0])
    assert exceeds(pcm(theta, low, high, low)[:, 1], pcm(theta, low, low, low)[:, 1])
    assert exceeds(pcm(theta, high, low, low)[:, 1], pcm(theta, high, high, low)[:, 1])
    for others in ((low, low), (low, high), (high, low)):
        assert exceeds(pcm(theta, *others, high)[:, 2], pcm(theta, *others, low)[:, 2])


def test_a_diffuse_third_party_can_win_more_than_its_share() -> None:
    """In a close race with both others concentrated; at the popularities of section 5 ours wins just its share."""
    theta = (0.35, 0.33, 0.32)
    third = pcm(theta, 0.99, 0.99, 0.5)[:, 2]
    assert exceeds(third, np.full(1, 32.0))
    assert exceeds(third, pcm(theta, 0.99, 0.99, 0.99)[:, 2])


def ecm(theta: tuple[float, ...], alpha: float, beta: float) -> np.ndarray:
    return seats("ecm", theta, f"alpha={alpha};beta={beta}", RUNS)


@pytest.mark.parametrize(
    "theta",
    [pytest.param((0.4, 0.3, 0.3), marks=pytest.mark.ci), pytest.param((0.5, 0.4, 0.1), marks=pytest.mark.slow)],
)
def test_many_communities_help_the_first_party_and_copying_moves_seats_to_theta(theta: tuple[float, ...]) -> None:
    for beta in (0.5, 0.8):
        assert exceeds(ecm(theta, 50, beta)[:, 0], ecm(theta, 20, beta)[:, 0])
    for alpha in (20, 50):
        assert exceeds(ecm(theta, alpha, 0.5)[:, 0], ecm(theta, alpha, 0.8)[:, 0])
        assert from_theta(ecm(theta, alpha, 0.8), theta) < from_theta(ecm(theta, alpha, 0.5), theta)


@cache
def polarized(influence: str) -> xr.Dataset:
    """The polarized society with three communities; its third party is neutral to all."""
    row = EXPERIMENT["Row"]("", "sim", f"society=phi1;influence={influence}", ())
    return EXPERIMENT["simulated"](row, runs=QUICK, seed=0)


@pytest.mark.ci
def test_local_influence_hurts_the_centrist_party() -> None:
    alone, swayed = (polarized(influence)["votes"].sum("district").values for influence in ("none", "district"))
    assert exceeds(alone[:, 2], swayed[:, 2])
    assert exceeds(swayed[:, 0], alone[:, 0])  # the party of the largest community gains
    assert alone[:, 2].mean() - swayed[:, 2].mean() > 0.05 * 1_000_000  # the paper: from .32 to .25


@pytest.mark.parametrize("influence", ["none", pytest.param("district", marks=pytest.mark.ci)])
def test_the_neutral_party_wins_next_to_nothing(influence: str) -> None:
    votes, won = (polarized(influence)[name] for name in ("votes", "seats"))
    assert float(won.isel(party=2).mean()) < 0.5
    assert float(votes.isel(party=2).sum("district").mean()) > 0.2 * 1_000_000


# ---------------------------------------------------------------- section 8


def test_section_8_spread_of_dpm_is_about_three_seats() -> None:
    """Section 8 prints sd up to 3 for DPM with 100 districts; the sd of an sd over 1,000 runs is sd / sqrt(2000)."""
    thetas, gammas = ((0.5, 0.3, 0.2), (0.35, 0.33, 0.32)), (0.7, 0.9)
    worst = max(seats("dpm", theta, f"gamma={gamma}", RUNS).std(axis=0).max() for theta in thetas for gamma in gammas)
    assert worst < 3.5 * (1 + 4 / np.sqrt(2 * RUNS))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "typical", "largest"), [("dpm", 3.0, 3.5), ("pcm", 3.5, 3.5), ("sim", 4.0, 4.0)])
def test_section_8_spread(model: str, typical: float, largest: float) -> None:
    """The sds printed, 3 (rounded), 3.5 and 4, hold for the largest of all settings within 4 errors of an sd."""
    runs = EXPERIMENT["SPREAD_RUNS"]
    sd = np.array([line["sd"] for line in EXPERIMENT["spread"](model, runs)])
    assert sd.shape == ({"dpm": 25, "pcm": 40, "sim": 9}[model], 3)
    assert np.median(sd) < typical
    assert sd.max() < largest * (1 + 4 / np.sqrt(2 * runs))


@pytest.mark.slow
def test_section_8_spread_of_ecm() -> None:
    """At beta .8 and the alphas of Table 2 the top two have the 8 to 15 printed.

    With fewer communities, alpha 10, ours have 6 to 8, and at beta .5 half of what is printed: the README says so.
    """
    runs = EXPERIMENT["SPREAD_RUNS"]
    noise = 4 / np.sqrt(2 * runs)
    spread: dict[str, list[list[float]]] = {}
    for line in EXPERIMENT["spread"]("ecm", runs):
        spread.setdefault(line["setting"], []).append(line["sd"][:2])
    high = np.array([sd for setting, sd in spread.items() if setting in ("alpha=20;beta=0.8", "alpha=50;beta=0.8")])
    assert high.shape == (2, 5, 2)
    assert 8 * (1 - noise) < high.min()
    assert high.max() < 15 * (1 + noise)
    typical = [np.median(spread[f"alpha={alpha};beta={beta}"]) for beta in (0.5, 0.8) for alpha in (20, 50)]
    assert np.all(np.diff(typical) > 0)  # section 5: largest when both alpha and beta are high


# ---------------------------------------------------------------- Delhi 2020


@pytest.fixture(scope="module")
def delhi() -> xr.Dataset:
    return electjax.districts.load("delhi2020")


@pytest.fixture(scope="module")
def calibrated(delhi: xr.Dataset) -> xr.Dataset:
    return electjax.districts.calibrate(delhi, model="dpm", seed=0)


@pytest.mark.slow
def test_delhi_2020_is_reached_exactly_by_the_best_draw_of_dpm(calibrated: xr.Dataset) -> None:
    best = calibrated.isel(draw=0)
    assert best["seats"].sel(party=["AAP", "BJP", "INC", "others"]).values.tolist() == [62, 8, 0, 0]
    assert float(best["distance"]) == float(calibrated["distance"].min())


@pytest.mark.slow
def test_psi_opt_of_delhi_2020_holds_on_fresh_seeds(delhi: xr.Dataset, calibrated: xr.Dataset) -> None:
    params = {"gamma": float(calibrated["optimal_gamma"])}
    fresh = electjax.districts.simulate(delhi, "dpm", params, runs=200, seed=20_200_208)
    assert np.abs(fresh["seats"].mean("run").values - [62, 8, 0, 0]).max() <= 2.5
    assert abs(float(fresh["mwm"].mean()) - 0.55) <= 0.02
    assert abs(float(fresh["swm"].mean()) - 0.06) <= 0.03
    exact = float((fresh["seats"] == delhi["seats"]).all("party").mean())
    assert 0.05 < exact < 0.5
