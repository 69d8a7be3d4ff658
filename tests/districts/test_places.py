"""Districts one by one: maps joined by name, strips without a map, on the command line and from Python."""

import json

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax import ElectionDataError
from electjax.districts.report.places import outlines_of, places_figure, places_of
from tests.command_line import run

geopandas = pytest.importorskip("geopandas", reason="maps need the extra 'map'")
NAMES = ["North $x", "South & <b>", "अ East", "West"]


@pytest.fixture(scope="module")
def returns() -> xr.Dataset:
    votes = [[60, 40], [45, 55], [70, 30], [20, 80]]
    return electjax.districts.dataset(np.array(votes) * 10, parties=["Blue", "Red"], districts=NAMES)


@pytest.fixture(scope="module")
def elections(returns) -> xr.Dataset:
    return electjax.districts.simulate(returns, model="dm", runs=8, seed=1)


@pytest.fixture
def outlines(tmp_path):
    squares = [
        {
            "type": "Feature",
            "properties": {"id": n, "name": name.upper() + " "},
            "geometry": {"type": "Polygon", "coordinates": [[[n, 0], [n + 1, 0], [n + 1, 1], [n, 1], [n, 0]]]},
        }
        for n, name in reversed(list(enumerate([*NAMES, "Elsewhere"])))
    ]
    path = tmp_path / "map.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": squares}), "utf-8")
    return path


def test_panels_say_who_won_and_who_is_expected_to(returns, elections):
    won, likely, expected = places_of(elections, returns)
    assert won.winner.tolist() == [0, 1, 0, 1]
    assert won.value.tolist() == [0.6, 0.55, 0.7, 0.8]
    wins = (elections["winner"] == "Blue").mean("run").values
    assert likely.winner.tolist() == (wins < 0.5).astype(int).tolist()
    assert likely.value == pytest.approx(np.maximum(wins, 1 - wins))
    share = (elections["votes"] / elections["votes"].sum("party")).mean("run").transpose("district", "party").values
    assert expected.value == pytest.approx(share[np.arange(4), likely.winner])


def test_outlines_are_joined_by_name_in_the_order_of_the_districts(outlines):
    found = outlines_of(outlines, NAMES)
    assert found["id"].tolist() == [0, 1, 2, 3]


def test_a_district_without_outline_is_refused_with_both_lists(outlines, tmp_path):
    with pytest.raises(ElectionDataError, match=r"no outline of 1 of 2 districts: Centre; .*without a district: .*E"):
        outlines_of(outlines, ["West", "Centre"])
    with pytest.raises(ElectionDataError, match="no such file"):
        outlines_of(tmp_path / "none.geojson", NAMES)
    (tmp_path / "bad.geojson").write_text("{")
    with pytest.raises(ElectionDataError, match="cannot be read") as error:
        outlines_of(tmp_path / "bad.geojson", NAMES)
    assert "\n" not in str(error.value)


def test_a_map_has_a_shape_for_every_district_and_a_strip_a_bar(returns, elections, outlines):
    strip = places_figure(elections, returns, None)
    assert [len(ax.patches) for ax in strip.axes] == [4, 4, 4]
    drawn = places_figure(elections, returns, outlines)
    assert [sum(len(c.get_paths()) for c in ax.collections) for ax in drawn.axes] == [4, 4, 4]
    assert np.size(electjax.districts.plot(elections, "map", map=outlines)) == 2
    assert np.size(electjax.districts.plot(elections, "map")) == 2


def test_a_run_draws_the_map(returns, outlines, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    returns["votes"].to_dataframe().reset_index()[["district", "party", "votes"]].to_csv("my.csv", index=False)
    words = ("task=simulate", "model=dm", "runs=5", "data=csv", "data.path=my.csv", "hydra.run.dir=one")
    assert run(monkeypatch, *words, "data.map=map.geojson") == 0
    assert (tmp_path / "one" / "figures" / "map_dm.png").is_file()
    assert np.size(electjax.districts.plot("one", "map")) == 3
    assert run(monkeypatch, *words[:-1], "data.map=none.geojson") == 1
    assert "none.geojson: no such file" in capsys.readouterr().err
