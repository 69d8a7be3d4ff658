"""Outcomes against hand-counted cases, a plain numpy reference, their invariants and the printed tables."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import electjax
from electjax.districts.kernels import outcome

ELECTIONS = Path(electjax.__file__).parent / "data" / "elections"

# Three districts, three parties: A wins the first, B the second and the third.
TINY = np.array([[50, 30, 20], [10, 60, 30], [20, 40, 40]])


def reference(votes: np.ndarray) -> outcome.Summary:
    """The summary statistics in float64, district by district; districts without votes have no margin."""
    districts, parties = votes.shape
    won, margins, fractions = [0] * parties, [], []
    for s in range(districts):
        winner = max(range(parties), key=lambda k, s=s: (votes[s, k], -k))
        won[winner] += 1
        if votes[s].sum():
            margins.append(votes[s, winner] / votes[s].sum())
            fractions.append(votes[s] / votes[s].sum())
    mean = np.mean(margins)
    sd = np.sqrt(np.mean((np.array(margins) - mean) ** 2))
    return outcome.Summary(np.array(won), np.mean(fractions, axis=0), mean, sd)


def returns(name: str) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Party labels, votes[district, party] and the official winner's index (a winner not named is others)."""
    table = pd.read_csv(ELECTIONS / f"{name}.csv")
    columns = [column for column in table if column.startswith("votes_")]
    labels = [column.removeprefix("votes_") for column in columns]
    winner = None
    if "winner" in table:
        winner = np.array([labels.index(p if p in labels else "others") for p in table["winner"]])
    return labels, table[columns].to_numpy(), winner


# A handful of shapes: every new one is compiled.
votes_strategy = st.sampled_from([(1, 1), (1, 4), (5, 2), (6, 4)]).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.integers(0, 10**8)).filter(lambda votes: votes.sum() > 0)
)


def test_hand_counted_election():
    winner = outcome.winners(TINY)
    assert winner.tolist() == [0, 1, 1]
    assert outcome.seats(winner, 3).tolist() == [1, 2, 0]
    np.testing.assert_allclose(outcome.margins(TINY, winner), [0.5, 0.6, 0.4], rtol=1e-6)
    summary = outcome.summaries(TINY)
    np.testing.assert_allclose(summary.vote_fraction, [8 / 30, 13 / 30, 9 / 30], rtol=1e-6)
    np.testing.assert_allclose(summary.mwm, 0.5, rtol=1e-6)
    np.testing.assert_allclose(summary.swm, np.sqrt(0.02 / 3), rtol=1e-5)


@given(votes_strategy)
@settings(max_examples=60, deadline=None)
def test_summaries_equal_the_reference(votes):
    ours, theirs = outcome.summaries(votes), reference(votes)
    assert ours.seats.tolist() == theirs.seats.tolist()
    np.testing.assert_allclose(ours.vote_fraction, theirs.vote_fraction, atol=3e-7)
    np.testing.assert_allclose(ours.mwm, theirs.mwm, atol=3e-7)
    np.testing.assert_allclose(ours.swm, theirs.swm, atol=5e-7)


@given(votes_strategy, st.integers(0, 2**31 - 1))
@settings(max_examples=60, deadline=None)
def test_invariants(votes, seed):
    districts, parties = votes.shape
    winner = np.asarray(outcome.winners(votes, key=jax.random.key(seed)))
    assert (votes[np.arange(districts), winner] == votes.max(axis=1)).all()
    assert outcome.seats(winner, parties).sum() == districts
    margin = np.asarray(outcome.margins(votes, winner))
    polled = votes.sum(axis=1) > 0
    assert (margin[polled] >= 1 / parties - 1e-6).all()
    assert np.isnan(margin[~polled]).all()
    assert np.isclose(outcome.vote_fractions(votes).sum(), 1, atol=1e-5)


@given(votes_strategy, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_renaming_the_parties_changes_nothing_else(votes, random):
    votes = votes * votes.shape[1] + np.arange(votes.shape[1])  # no ties: remainders differ
    order = list(range(votes.shape[1]))
    random.shuffle(order)
    before, after = outcome.summaries(votes), outcome.summaries(votes[:, order])
    assert before.seats[jnp.array(order)].tolist() == after.seats.tolist()
    np.testing.assert_allclose(before.vote_fraction[jnp.array(order)], after.vote_fraction, atol=3e-7)
    np.testing.assert_allclose([before.mwm, before.swm], [after.mwm, after.swm], atol=1e-6)


def test_ties_are_broken_uniformly_among_the_tied():
    votes = np.broadcast_to([7, 9, 9, 3, 9], (6000, 5))
    winner = outcome.winners(votes, key=jax.random.key(1))
    counts = np.asarray(outcome.seats(winner, 5))
    assert counts[[0, 3]].sum() == 0
    assert stats.chisquare(counts[[1, 2, 4]]).pvalue > 0.001
    again = outcome.winners(votes, key=jax.random.key(1))
    assert (winner == again).all()
    assert (outcome.winners(votes) == 1).all()


def test_barred_parties_never_win_even_where_nobody_voted():
    votes = np.array([[1, 2, 90], [0, 0, 0], [3, 3, 3]])
    keys = jax.random.split(jax.random.key(0), 200)
    winner = jax.vmap(lambda key: outcome.winners(votes, key=key, may_win=(True, True, False)))(keys)
    assert (winner[:, 0] == 1).all()
    assert set(np.unique(winner).tolist()) == {0, 1}
    floats = outcome.winners(votes - 5.5, may_win=np.array([True, True, False]))
    assert floats.tolist() == [1, 0, 0]
    unsigned = outcome.winners(jnp.asarray(votes, dtype=jnp.uint32), may_win=(False, True, False))
    assert unsigned.tolist() == [1, 1, 1]


def test_strength_decides_the_winner_and_votes_the_margin():
    strength = np.array([[0.1, 0.2, 0.7]] * 3)
    summary = outcome.summaries(TINY, winner=outcome.winners(strength))
    assert summary.seats.tolist() == [0, 0, 3]
    np.testing.assert_allclose(summary.mwm, (0.2 + 0.3 + 0.4) / 3, rtol=1e-6)
    official = outcome.summaries(TINY, winner=np.array([2, 2, 0]))
    assert official.seats.tolist() == [1, 0, 2]


def test_counts_beyond_float32_integers():
    big = 2**24
    votes = np.array([[big, big + 1], [big * 50 + 1, big * 50], [big * 60, big * 60 + 1]], dtype=np.int32)
    assert outcome.winners(votes).tolist() == [1, 0, 1]
    assert outcome.seats(outcome.winners(votes), 2).tolist() == [1, 2]
    exact = votes.astype(np.float64)
    np.testing.assert_allclose(
        outcome.national_shares(votes), exact.sum(axis=0) / exact.sum(), rtol=1e-6
    )  # the total is above 2^31
    many = np.ones((3_000_000, 2), dtype=np.int32) * [9, 1]
    np.testing.assert_allclose(outcome.national_shares(many), [0.9, 0.1], rtol=1e-6)


def test_districts_without_votes_are_left_out_of_means():
    votes = np.vstack([TINY, np.zeros((2, 3), dtype=int)])
    with_empty, without = outcome.summaries(votes), outcome.summaries(TINY)
    np.testing.assert_array_equal(with_empty.vote_fraction, without.vote_fraction)
    np.testing.assert_array_equal([with_empty.mwm, with_empty.swm], [without.mwm, without.swm])
    assert with_empty.seats.sum() == 5
    assert np.isnan(outcome.summaries(votes[3:]).mwm)


def test_batches_under_jit_and_vmap_equal_one_at_a_time():
    votes = np.random.default_rng(0).integers(0, 50, size=(2, 3, 6, 4))
    batched = jax.jit(outcome.summaries)(votes)
    mapped = jax.vmap(jax.vmap(outcome.summaries))(votes)
    for i, j in np.ndindex(2, 3):
        single = outcome.summaries(votes[i, j])
        for field in outcome.Summary._fields:
            np.testing.assert_allclose(getattr(batched, field)[i, j], getattr(single, field), rtol=1e-5)
            np.testing.assert_allclose(getattr(mapped, field)[i, j], getattr(single, field), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "mwm", "swm"),
    [
        ("delhi2013", 0.39, 0.06),
        ("delhi2015", 0.55, 0.07),
        ("delhi2020", 0.55, 0.06),
        pytest.param("us2016", 0.60, 0.08, marks=pytest.mark.ci),
        pytest.param("us2020", 0.60, 0.08, marks=pytest.mark.ci),
    ],
)
def test_embedded_returns_give_the_printed_margins(name, mwm, swm):
    _, votes, winner = returns(name)
    summary = outcome.summaries(votes, winner=winner)
    assert round(float(summary.mwm), 2) == mwm
    assert round(float(summary.swm), 2) == swm


@pytest.mark.parametrize(
    ("name", "seats"),
    [
        ("delhi2013", {"BJP": 31, "AAP": 28, "INC": 8, "others": 3}),  # printed 34/28/8: all but AAP and INC
        ("delhi2015", {"AAP": 67, "BJP": 3, "INC": 0, "others": 0}),
        ("delhi2020", {"AAP": 62, "BJP": 8, "INC": 0, "others": 0}),
        ("us2016", {"democratic": 22, "republican": 34}),
        ("us2020", {"democratic": 28, "republican": 28}),
    ],
)
def test_embedded_returns_give_the_printed_seats(name, seats):
    labels, votes, winner = returns(name)
    counted = outcome.summaries(votes, winner=winner).seats
    assert dict(zip(labels, counted.tolist(), strict=True)) == seats


def test_indices_by_hand():
    votes, seats = np.array([60, 40]), np.array([8, 2])
    np.testing.assert_allclose(outcome.gallagher(votes, seats), 20.0, rtol=1e-6)
    np.testing.assert_allclose(outcome.gallagher(votes, votes * 3), 0.0, atol=1e-5)
    np.testing.assert_allclose(outcome.gallagher(np.array([1.0, 0.0]), np.array([0, 5])), 100.0, rtol=1e-6)
    np.testing.assert_allclose(outcome.effective_parties(np.array([5, 5, 5, 5])), 4.0, rtol=1e-6)
    np.testing.assert_allclose(outcome.effective_parties(votes), 1 / 0.52, rtol=1e-6)
    np.testing.assert_allclose(outcome.effective_parties(np.stack([votes, seats])), [1 / 0.52, 1 / 0.68], 1e-6)


def swung(votes: np.ndarray, party: int, swing: float) -> tuple[float, float]:
    """One point of the seats-votes curve in float64, district by district."""
    own, seats, total = 0.0, 0, 0.0
    for polled in votes.astype(float):
        share = polled / polled.sum()
        x = min(max(share[party] + swing, 0.0), 1.0)
        others = 1 - share[party]
        new = [
            x if k == party else (1 - x) * (share[k] / others if others else 1 / (len(share) - 1))
            for k in range(len(share))
        ]
        own += x * polled.sum()
        total += polled.sum()
        seats += int(np.argmax(new)) == party
    return own / total, seats / len(votes)


def test_swing_curve_equals_the_reference():
    rng = np.random.default_rng(3)
    votes = rng.integers(1, 10**6, size=(40, 3))
    votes[0] = [5, 0, 0]
    swings = np.array([-1.0, -0.31, -0.1003, -0.0107, 0.0, 0.0503, 0.2011, 1.0])
    curve = outcome.swing_curve(votes, 0, swings)
    expected = np.array([swung(votes, 0, swing) for swing in swings])
    np.testing.assert_allclose(curve.vote_share, expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(curve.seat_share, expected[:, 1], atol=1e-6)
    assert (np.diff(curve.seat_share) >= 0).all()
    assert curve.seat_share[0] == 0
    assert curve.seat_share[-1] == 1


@pytest.mark.ci
def test_no_swing_is_the_observed_result():
    _, votes, _ = returns("delhi2020")
    curve = outcome.swing_curve(votes, 1, np.array([0.0]))
    np.testing.assert_allclose(curve.seat_share, [8 / 70], rtol=1e-6)
    np.testing.assert_allclose(curve.vote_share, [votes[:, 1].sum() / votes.sum()], rtol=1e-6)


@pytest.mark.ci
def test_swing_ignores_districts_without_votes():
    swings = np.array([-0.2, 0.0, 0.2])
    empty = np.vstack([TINY, np.zeros((4, 3), dtype=int)])
    ours, theirs = outcome.swing_curve(empty, 1, swings), outcome.swing_curve(TINY, 1, swings)
    np.testing.assert_array_equal(ours.seat_share, theirs.seat_share)
    np.testing.assert_array_equal(ours.vote_share, theirs.vote_share)
