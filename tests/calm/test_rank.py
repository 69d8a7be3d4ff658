"""What of eta the data can tell: ranks against the dense design, one constituency, and valence."""

import numpy as np
import pytest

from electjax.calm.model.design import Booths, Design
from electjax.calm.model.rank import affinity_rank, rank_sentence, variance_inflation
from electjax.calm.verbs.madipur import madipur
from electjax.numerics.host import double_precision
from tests.calm.frames import CANDIDATES, RHO, SMALL, build, drawn, frame_of, raw


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


@pytest.fixture(scope="module")
def frame():
    return drawn()


@pytest.fixture(scope="module")
def g(frame):
    return np.asarray(raw(frame, RHO))


def dense(frame, g, effects=False, mix=None):
    """The design as anyone would write it: rows of (constituency, cell, party), around the mean of those who stand."""
    areas, cells, parties, _ = g.shape
    rows, own, root = [], [], []
    groups = [(a, np.eye(cells)[c], frame.presence[a, c]) for a in range(areas) for c in range(cells)]
    for a, share, weight in groups if mix is None else mix:
        if weight == 0:
            continue
        x = np.append(1.0, share @ frame.features)
        block = np.kron(np.eye(parties), np.append(x, np.eye(areas)[a] if effects else []))
        stands = frame.fielded[a].astype(float)
        around = np.diag(stands) - np.outer(stands, stands) / stands.sum()
        rows.append(np.sqrt(weight) * around @ block)
        own.append(np.sqrt(weight) * around @ np.tensordot(share, g[a], axes=1))
        root.append(np.sqrt(weight) * around)
    return np.concatenate(rows), np.concatenate(own), np.concatenate(root)


def residual(of, on):
    return of - on @ np.linalg.lstsq(on, of, rcond=1e-10)[0]


@pytest.mark.parametrize("effects", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_rank_and_inflation_are_those_of_the_dense_design(effects, seed):
    frame = drawn(seed=seed)
    g = np.asarray(raw(frame, RHO))
    free, own, intercepts = dense(frame, g, effects)
    found = affinity_rank(frame, g, effects=effects)
    assert found.without == np.linalg.matrix_rank(free, tol=1e-8)
    assert found.with_g == np.linalg.matrix_rank(np.concatenate([free, own], axis=1), tol=1e-8)
    inflation = variance_inflation(frame, g, effects=effects)
    for d in range(4):
        others = np.concatenate([free, np.delete(own, d, axis=1)], axis=1)
        left = (residual(own[:, d], others) ** 2).sum()
        columns = free.reshape(len(free), 3, -1)[:, :, -4:].reshape(len(free), -1) if effects else intercepts
        varying = (residual(own[:, d], columns) ** 2).sum()
        assert found.identified[d] == (left > 1e-8)
        assert inflation[d] == pytest.approx(varying / left, rel=1e-6)


def test_booth_totals_tell_less_than_cells():
    """Two booths say four things of three parties, whatever the number of their cells."""
    frame = frame_of(CANDIDATES)
    g = np.asarray(raw(frame, RHO))
    rng = np.random.default_rng(7)
    for number, told in ((2, 0), (40, 4)):
        sizes = rng.integers(1, 20, size=(number, 72)) * 1.0
        area = np.arange(number) % 2
        nothing = np.zeros((number, 3))
        booths = Booths(sizes, nothing[:, 0], nothing, area, np.zeros((number, 0)), nothing, np.ones(number))
        found = affinity_rank(frame, g, booths=booths)
        mix = [(a, n / n.sum(), n.sum()) for a, n in zip(area, sizes, strict=True)]
        free, own, intercepts = dense(frame, g, mix=mix)
        assert found.without == np.linalg.matrix_rank(free, tol=1e-8)
        assert found.with_g - found.without == told
        assert found.with_g == np.linalg.matrix_rank(np.concatenate([free, own], axis=1), tol=1e-8)
        if told:
            left = (residual(own[:, 0], np.concatenate([free, own[:, 1:]], axis=1)) ** 2).sum()
            expected = (residual(own[:, 0], intercepts) ** 2).sum() / left
            assert variance_inflation(frame, g, booths=booths)[0] == pytest.approx(expected, rel=1e-6)
        held_out = affinity_rank(frame, g, booths=booths._replace(weight=(np.arange(number) < 2) * 1.0))
        assert not held_out.identified.any()


def test_one_constituency_leaves_eta_to_the_penalty_and_two_do_not():
    """Three parties and 11 free features: 22 -> 22 with one constituency, 22 -> 26 with two."""
    ranks = []
    for areas in (1, 2):
        frame = frame_of(CANDIDATES[:areas])
        for g in (raw(frame, RHO), build(frame, RHO, Design()).g):
            ranks.append(affinity_rank(frame, g))
            assert np.isinf(variance_inflation(frame, g)).all() == (areas == 1)
    assert [(rank.without, rank.with_g) for rank in ranks] == [(22, 22), (22, 22), (22, 26), (22, 26)]
    assert [rank.identified.all() for rank in ranks] == [False, False, True, True]
    said = rank_sentence(ranks[0], list(SMALL))
    assert said.startswith("Not identified: eta[age], eta[religion], eta[caste], eta[income]. Beside")
    assert rank_sentence(ranks[2], list(SMALL)) is None


def test_party_specific_eta_is_not_told_by_one_constituency():
    for areas, told in ((1, 0), (12, 12)):
        frame = drawn(areas=areas, gaps=False, seed=3)
        found = affinity_rank(frame, raw(frame, RHO), by_party=True)
        assert found.identified.shape == (3, 4)
        assert found.identified.sum() == told
    one, two = (frame_of(CANDIDATES[:areas]) for areas in (1, 2))
    said = [rank_sentence(affinity_rank(f, raw(f, RHO), by_party=True), list(SMALL), "XYZ") for f in (one, two)]
    assert said[0].startswith("Not identified: eta of every party and axis.")
    assert said[1].startswith("Not identified: eta[X, income], eta[Y, religion].")


@pytest.mark.parametrize("areas", [1, 2])
def test_valence_is_a_party_intercept_in_one_constituency(areas):
    spec = {"age": SMALL["age"], "valence": {"kernel": "scalar"}}
    people = np.concatenate([CANDIDATES[:areas, :, :1], np.full((areas, 3, 1), "")], axis=-1)
    values = np.zeros(people.shape)
    values[..., 1] = np.array([[0.2, 1.5, 0.9], [1.1, 0.3, 0.4]])[:areas]
    frame = frame_of(people, spec, values=values)
    found = affinity_rank(frame, raw(frame, RHO[:2]))
    assert found.identified[1] == (areas == 2)
    said = rank_sentence(found, ["age", "valence"])
    assert (said is None) == (areas == 2)
    own = affinity_rank(frame, raw(frame, RHO[:2]), effects=True)  # effects of constituencies say the same
    assert not own.identified[1]
    assert rank_sentence(own, ["age", "valence"]).count("eta[valence]") == 1


def test_rank_without_what_was_standing_for_all(frame, g):
    """A copy of a component: neither of the two is told, the others are."""
    twice = np.concatenate([g, g[..., :1]], axis=-1)
    found = affinity_rank(frame, twice)
    assert found.identified.tolist() == [False, True, True, True, False]
    assert np.isinf(variance_inflation(frame, twice)).tolist() == [True, False, False, False, True]


def test_madipur_does_not_identify_eta():
    booths = madipur()
    frame = frame_of(booths["candidate_category"].values, None, booths["cell_category"].values)
    found = affinity_rank(frame, raw(frame, RHO))
    assert (found.without, found.with_g) == (34, 34)  # 17 free features, 2 free parties
    assert not found.identified.any()
