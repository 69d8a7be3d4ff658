"""Axes as configuration, and the document's example."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from electjax.calm.verbs.madipur import madipur, madipur_table
from electjax.data import axes as ax
from electjax.data.errors import ElectionDataError
from electjax.numerics.host import double_precision
from tests.calm.frames import RHO, SMALL, by_hand, frame_of, raw


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


def test_default_axes():
    axes = ax.axes_of()
    cells = ax.every_cell(axes)
    assert len(cells) == 180
    assert len({tuple(row) for row in cells[:, 1:3]}) == 10
    assert {"36-45", "46-60"} <= set(axes[0].categories)
    assert ax.proximity_of(axes).tolist() == [0.5, 0, 0, 0]
    assert len(set(ax.cell_labels(cells))) == 180


def test_axes_make_the_round_trip():
    spec = SMALL | {
        "age": {**SMALL["age"], "proximity": 0.3},
        "school": {"categories": ["no", "yes"], "kernel": "proximity", "proximity": [[1, 0.1], [0.3, 1]]},
        "tenure": {"kernel": "scalar"},
        "absent": None,
    }
    axes = ax.axes_of(spec)
    assert ax.axis_names(axes) == ["age", "religion", "caste", "income", "school", "tenure"]
    assert ax.axes_of(ax.axes_json(axes)) == axes
    assert ax.axes_of(axes) == axes
    assert ax.axes_of(OmegaConf.create(spec)) == axes
    assert hash(axes) == hash(ax.axes_of(spec))
    assert ax.proximity_of(axes).tolist() == [0.3, 0, 0, 0, 0, 0]
    assert ax.proximity_of(axes, {"age": 0.6}).tolist() == [0.6, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kernel": "ordnial"}, r"axes\.x\.kernel: no kernel 'ordnial'; expected match or .*; did you mean ordinal\?"),
        ({"categorys": ["a"]}, r"axes\.x\.categorys: no such setting .*did you mean categories\?"),
        ({"categories": []}, r"axes\.x\.categories: found \[\]"),
        ({"categories": "ab"}, r"axes\.x\.categories: found 'ab'"),
        ({"categories": ["a", "a"]}, r"axes\.x\.categories: .*expected different labels"),
        ({"categories": ["a", " "]}, r"axes\.x\.categories: .*not blank"),
        ({"categories": [True, False]}, r"axes\.x\.categories: found true or false.*in quotes"),
        ({"categories": ["a"], "kernel": "scalar"}, r"axes\.x\.categories: categories of a scalar axis"),
        ({"categories": ["a"], "rho": 0.5}, r"axes\.x\.rho: no such setting of an axis"),
        ({"categories": ["a"], "kernel": "proximity"}, r"axes\.x\.proximity: no matrix with the kernel proximity"),
        ({"categories": ["a"], "proximity": [[1]]}, r"axes\.x\.proximity: a proximity with the kernel match"),
        ({"categories": ["a", "b"], "kernel": "proximity", "proximity": [[1, 0]]}, r"proximity: found shape \(1, 2\)"),
        ({"categories": ["a", "b"], "kernel": "proximity", "proximity": [[1, 0], [1]]}, r"axes\.x\.proximity: found"),
        ({"categories": ["a", "b"], "kernel": "proximity", "proximity": [[1, 2], [0, 1]]}, r"proximity: found 2;"),
        ({"categories": ["a"], "within": {"religion": "Hindu"}}, r"axes\.x\.within: no axis 'religion' before x"),
        ({"categories": ["a"], "within": {"first": "bb"}}, r"axes\.x\.within: first has no category 'bb'.*b\?"),
        ({"categories": ["a"], "within": {"x": "a"}}, r"axes\.x\.within: no axis 'x' before x"),
        ({"categories": ["a"], "within": "first"}, r"axes\.x\.within: found 'first'"),
        (["a", "b"], r"axes\.x: found \['a', 'b'\]"),
    ],
)
def test_faults_of_axes_name_the_key(entry, message):
    with pytest.raises(ElectionDataError, match=message) as caught:
        ax.axes_of({"first": {"categories": ["a", "b"]}, "x": entry, "last": {"categories": ["c"]}})
    assert "\n" not in str(caught.value)


def test_faults_of_all_axes():
    for spec in ({}, {"x": None}, [], "no json", "[1]", "3", ["age"], 3):
        with pytest.raises(ElectionDataError, match=r"axes: "):
            ax.axes_of(spec)
    with pytest.raises(ElectionDataError, match=r"proximity\.religion: no such ordinal axis"):
        ax.proximity_of(ax.axes_of(SMALL), {"religion": 0.5})


def test_an_unknown_category_is_an_error():
    booths = madipur(booths=2)
    axes = ax.axes_of(booths.attrs["axes"])
    wrong = booths["candidate_category"].copy(data=booths["candidate_category"].values.astype("U20"))
    wrong.loc[{"party": "INC", "axis": "religion"}] = "Muslin"
    with pytest.raises(ElectionDataError, match=r"unknown category 'Muslin' of religion.*did you mean Muslim\?"):
        ax.candidate_codes(booths.assign(candidate_category=wrong), axes)
    with pytest.raises(ElectionDataError, match=r"cell_category: no axis 'income'"):
        ax.cell_codes(booths.isel(axis=slice(3)), axes)
    assert ax.cell_codes(booths, axes)[0].tolist() == [0, 0, 0, 0]


def test_a_nest_within_a_nest():
    spec = {
        "religion": {"categories": ["Hindu", "Muslim"]},
        "caste": {"categories": ["SC", "OBC"], "within": {"religion": "Hindu"}},
        "jati": {"categories": ["a", "b"], "within": {"caste": "OBC"}},
    }
    axes = ax.axes_of(spec)
    labels = ax.every_cell(axes)
    assert labels.tolist() == [["Hindu", "SC", ""], ["Hindu", "OBC", "a"], ["Hindu", "OBC", "b"], ["Muslim", "", ""]]
    gate = ax.gate_of(ax.codes_of(np.array([["Muslim", "OBC", "a"], ["Hindu", "OBC", "a"]]), axes), axes)
    assert gate.tolist() == [[True, False, False], [True, True, True]]


# the example, section 10


def test_madipur_is_exact():
    for rho in (0.0, 0.3, 0.5, 1.0):
        table = madipur_table(proximity={"age": rho})
        np.testing.assert_array_equal(
            table["raw"], [[1, 1, 1, 1], [rho, 1, 0, 1], [1, 0, 0, 1], [rho, 0, 0, 0], [0, 0, 0, 1]]
        )


def test_madipur_in_every_cell_that_is_not_hindu():
    booths = madipur(booths=2)
    axes = ax.axes_of(booths.attrs["axes"])
    candidates = booths["candidate_category"].values
    found = raw(frame_of(candidates, None, booths["cell_category"].values), RHO)[0, :, 1]
    near = {"36-45": 0.5, "46-60": 1.0, "61-75": 0.5}
    other = 0
    for (age, religion, _, income), row in zip(booths["cell_category"].values, np.asarray(found), strict=True):
        if religion != "Hindu":
            other += 1
            assert row.tolist() == [near.get(str(age), 0.0), 0.0, 0.0, float(income == "Middle")]
    assert (other, len(found)) == (5 * 18, 180)
    assert [axis.name for axis in axes] == ["age", "religion", "caste", "income"]


def test_madipur_is_a_booths_dataset_that_says_what_is_invented():
    booths, again = madipur(seed=3), madipur(seed=3)
    assert booths.identical(again)
    assert (booths["votes"].sum("party") == booths["polled"]).all()
    assert (booths["cell_size"].sum("cell") == booths["electors"]).all()
    assert (booths["polled"] <= booths["electors"]).all()
    assert not madipur(seed=4)["votes"].identical(booths["votes"])
    assert "invented" in booths.attrs["note"]
    expected = (booths["cell_size"] * booths["true_turnout"].isel(constituency=0)).sum("cell")
    z = (booths["polled"] - expected) / np.sqrt(booths["electors"] * 0.25 + (0.1 * 0.24 * booths["electors"]) ** 2)
    assert np.abs(z).max() < 4


def test_madipur_standardised_is_what_the_booths_say():
    booths = madipur()
    table = madipur_table(booths)
    axes = ax.axes_of(booths.attrs["axes"])
    presence = (booths["cell_size"].values > 0).sum(axis=0)[None] * 1.0
    frame = frame_of(booths["candidate_category"].values, None, booths["cell_category"].values, presence=presence)
    g = by_hand(frame, axes, 0.5)
    weight = np.repeat(presence[:, :, None], 3, axis=2).ravel()
    mean = np.average(g.reshape(-1, 4), axis=0, weights=weight)
    sd = np.sqrt(np.average((g.reshape(-1, 4) - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(table["standardised"], (table["raw"] - mean) / sd, atol=1e-12)
    np.testing.assert_allclose(table["boost"], table["standardised"].values @ booths["true_eta"].values)
    fit = (
        table[["g_mean", "g_sd", "eta"]]
        .assign(proximity=("axis", [0.25, 0, 0, 0]))
        .assign_attrs(axes=booths.attrs["axes"])
    )
    fitted = madipur_table(fit.isel(axis=[3, 2, 1, 0]))
    np.testing.assert_array_equal(fitted["g_sd"], table["g_sd"])
    assert fitted["raw"].values[1].tolist() == [0.25, 1, 0, 1]
