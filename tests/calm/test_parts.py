"""Passes over booths that cores share: the same numbers as one pass, and the same fit."""

import jax
import numpy as np
import pytest

import electjax
from electjax.calm.codec import encode_booths
from electjax.calm.model import sums as pt
from electjax.calm.model.estimate import estimate, first_point, first_weights
from electjax.calm.model.problem import pose, value
from electjax.calm.model.sums import blocks
from electjax.numerics.host import double_precision
from tests.calm.by_hand import options_of

CHUNK = 8
MODELS = {
    "literal": {"model": "literal"},
    "recommended": {"model": "recommended"},
    "hierarchical": {"affinity": "hierarchical", "constituency_effects": True, "mobilisation": "model"},
}
MARKS = {"literal": (), "recommended": pytest.mark.ci, "hierarchical": pytest.mark.slow}


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate("tiny", constituencies=5, booths=11, seed=3)


def posed(booths, how):
    options = options_of(how)
    data = encode_booths(booths)
    arrays = (data.booths, data.frame, options.hyper(data.axes), options.design)
    problem = pose(*arrays, weights=first_weights(data.booths, data.frame), chunk=CHUNK)
    return arrays, problem, options.design


@pytest.mark.parametrize("how", [pytest.param(how, marks=MARKS[name]) for name, how in MODELS.items()], ids=MODELS)
def test_parts_give_the_arrow_and_the_value_of_the_whole(booths, how, monkeypatch):
    monkeypatch.setattr(pt, "host_workers", lambda: 4)
    with double_precision():
        _, problem, design = posed(booths, how)
        start = first_point(problem, design)
        rng = np.random.default_rng(1)
        point = jax.tree.map(lambda x: x + 0.1 * rng.normal(size=x.shape), start)
        parts = pt.parts_of(problem)
        whole, scores = blocks(point, problem, design)
        found, own_scores = pt.blocks_in_parts(point, problem, parts, design)
        # seven chunks for four cores: two each, and the last part repeats one
        assert [part.problem.booths.weight.shape[0] for part in parts] == [2, 2, 2, 2]
        assert [part.known for part in parts] == [0, 0, 0, CHUNK]
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10), found, whole)
        np.testing.assert_allclose(own_scores, scores, rtol=1e-10, atol=1e-12)
        reached = pt.value_in_parts(point, problem, parts, design)
        np.testing.assert_allclose(reached, value(point, problem, design), rtol=1e-12)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(MODELS["recommended"], marks=pytest.mark.ci, id="recommended"),
        pytest.param(MODELS["hierarchical"], marks=pytest.mark.slow, id="hierarchical"),
    ],
)
def test_a_fit_in_parts_is_the_fit(booths, how, monkeypatch):
    found = []
    for cores, large in ((1, 1e9), (3, 0)):
        monkeypatch.setattr(pt, "host_workers", lambda own=cores: own)
        monkeypatch.setattr(pt, "LARGE", large)
        with double_precision():
            arrays, problem, _ = posed(booths, how)
            assert pt.is_large(problem) == (cores > 1)
            found.append(estimate(*arrays, chunk=CHUNK, tolerance=1e-8))
    one, three = found
    assert one.converged
    assert three.converged
    assert three.steps == one.steps
    np.testing.assert_allclose(three.value, one.value, rtol=1e-12)
    np.testing.assert_allclose(three.point.shared, one.point.shared, rtol=1e-6, atol=1e-6)
