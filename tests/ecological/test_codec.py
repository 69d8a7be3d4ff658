"""Pooling keys and the codec of units: by hand, against enumeration, on drawn contests with known parties."""

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import electjax
from electjax.bridges import units_of_booths
from electjax.data.errors import ElectionDataError
from electjax.ecological.codec import encode_units
from electjax.ecological.keys import RARE, SOLO, matched, pooling_keys, tidy
from electjax.ecological.model.data import KINDS
from electjax.ecological.model.generate import OTHER as OTHER_KEY
from electjax.ecological.model.generate import Drawn
from electjax.ecological.schema import DID_NOT_VOTE, OTHER
from tests.data_paths import shared
from tests.ecological.by_hand import drawn_units

OWN, CROSS, MIXED = range(len(KINDS))
RED, BLUE = ["Red Party", "red party", "Red-Party"], ["Blue", "BLUE ", "Blue"]  # as three contests spell them


def by_hand() -> xr.Dataset:
    """Three contests of two units: Red and Blue everywhere, Green twice on the list, an independent, a local party."""
    lists = [[RED[0], BLUE[0], "Green", OTHER], [RED[1], BLUE[1], "Green"], [RED[2], BLUE[2]]]
    candidates = [
        [f"Ann ({RED[1]})", f"Bob ({BLUE[2]})", "Cy", OTHER],
        ["Dee (Local)", f"Eve ({RED[0]})", "red party"],
        [f"Flo ({BLUE[0]})", f"Gus ({RED[2]})"],
    ]
    return units_of(lists, candidates, seed=1)


def units_of(lists: list[list[str]], candidates: list[list[str]], *, seed: int, units: int = 2) -> xr.Dataset:
    """Units with these options, and votes that add up."""
    rng, records = np.random.default_rng(seed), []
    for d, sides in enumerate(zip(lists, candidates, strict=True)):
        for u in range(units):
            voters = int(rng.integers(50, 90))
            for side, options in zip(("party", "candidate"), sides, strict=True):
                votes = 1 + rng.multinomial(voters, np.full(len(options), 1 / len(options)))
                votes[0] += 20 - len(options)
                records += [(f"d{d}", f"u{u}", side, o, int(v)) for o, v in zip(options, votes, strict=True)]
    frame = pd.DataFrame(records, columns=["contest", "unit", "side", "option", "votes"])
    return electjax.ecological.read(frame, merge_below=0.0)


def dataset_of(drawn: Drawn, parties: Mapping[int, str]) -> xr.Dataset:
    """Drawn units, their columns called as `parties` says."""
    contests = len(drawn.rows)
    used = drawn.rows.sum(axis=2) > 0
    of = np.repeat(np.arange(contests), used.sum(axis=1))
    labels = [f"d{d}/{i}" for i, d in enumerate(of)]
    row = np.where(drawn.row_here, [[OTHER if k == OTHER_KEY else f"P{k}" for k in own] for own in drawn.row_key], "")
    column = [[OTHER if k == OTHER_KEY else parties.get(k, "") for k in own] for own in drawn.column_key]
    names = [[OTHER if k == OTHER_KEY else f"candidate {i}" for i, k in enumerate(own)] for own in drawn.column_key]
    return electjax.ecological.validate(
        xr.Dataset(
            {
                "row_margin": (("unit", "row"), drawn.rows[used]),
                "column_margin": (("unit", "column"), drawn.columns[used]),
            },
            coords={
                "contest": [f"d{d}" for d in range(contests)],
                "unit": labels,
                "unit_contest": ("unit", [f"d{d}" for d in of]),
                "row_name": (("contest", "row"), row),
                "row_party": (("contest", "row"), row),
                "column_name": (("contest", "column"), np.where(drawn.column_here, names, "")),
                "column_party": (("contest", "column"), np.where(drawn.column_here, column, "")),
            },
            attrs={"rows": "votes", "name": "drawn"},
        )
    )


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Parties that differ less in size than in where their loyal voters live."""
    return drawn_units(
        3,
        contests=12,
        units=40,
        rows=6,
        parties=6,
        fielded=0.8,
        fewest_units=0.5,
        strength_sd=0.4,
        contest_sd=0.2,
        level=(3.0, 0.0, 0.0),
    )


@pytest.fixture(scope="module")
def booths() -> xr.Dataset:
    return units_of_booths(electjax.calm.simulate(booths=60, constituencies=4, seed=2), "religion")


def test_keys_by_hand() -> None:
    keys = pooling_keys(by_hand())
    assert keys.row == [["Red Party", "Blue", "Green", OTHER], ["Red Party", "Blue", "Green"], ["Red Party", "Blue"]]
    local = ["Local", "Red Party", "Red Party"]  # a column without brackets that is named like a row is of its party
    assert keys.column == [["Red Party", "Blue", SOLO, OTHER], local, ["Blue", "Red Party"]]
    assert keys.row_pooled[0] == ["Red Party", "Blue", RARE, RARE]
    assert keys.column_pooled == [
        ["Red Party", RARE, RARE, RARE],
        [RARE, "Red Party", "Red Party"],
        [RARE, "Red Party"],
    ]
    first = [[OWN, CROSS, MIXED, MIXED], [CROSS, OWN, MIXED, MIXED], [CROSS, CROSS, MIXED, MIXED], [MIXED] * 4]
    assert keys.kind[0].tolist() == first
    assert keys.kind[1, :3, :3].tolist() == [[CROSS, OWN, OWN], [CROSS] * 3, [CROSS] * 3]  # RARE is no kind
    assert any("1 of 8 columns have no party" in note for note in keys.notes)
    assert any("Green" in note and RARE in note for note in keys.notes)


def test_one_contest_keeps_its_keys() -> None:
    keys = pooling_keys(units_of([["Red", "Blue", "Green"]], [["A (Red)", "B (Blue)", "C (Mauve)"]], seed=2))
    assert keys.row_pooled == [["Red", "Blue", "Green"]]
    assert keys.column_pooled == [["Red", "Blue", "Mauve"]]
    assert keys.kind[0].tolist() == [[OWN, CROSS, CROSS], [CROSS, OWN, CROSS], [CROSS] * 3]


def test_spelling() -> None:
    assert tidy("Māori  Party") == tidy("MAORI-party") != tidy("Mana Party")
    assert tidy("!?") == "!?"


def test_groups(booths: xr.Dataset) -> None:
    keys = pooling_keys(booths)
    assert keys.row[0] == booths["row_name"].values[0][: len(keys.row[0])].tolist()
    assert all(own[-1] == DID_NOT_VOTE for own in keys.column)
    assert SOLO not in keys.column[0]
    here = encode_units(booths).contests
    cells = here.row_here[:, :, None] & here.column_here[:, None, :]
    assert (keys.kind[cells] == CROSS).all()


def test_matching_against_enumeration() -> None:
    rng = np.random.default_rng(7)
    for width in (3, 4, 5):
        voters = rng.integers(50, 500, 30).astype(float)
        rows = rng.dirichlet(np.ones(4) * 3, 30) * voters[:, None]
        mixed = np.column_stack([rows @ rng.dirichlet(np.ones(4) * 0.3) for _ in range(width)])
        columns = mixed + rng.gamma(1.0, 8.0, mixed.shape)
        found = matched(rows, columns, voters)
        correlation = np.corrcoef((rows / voters[:, None]).T, (columns / voters[:, None]).T)[:4, 4:]
        ratio = np.log(rows.sum(axis=0))[:, None] - np.log(columns.sum(axis=0))
        score = correlation - 0.15 * np.abs(ratio)
        wide = np.pad(score, ((0, max(0, width - 4)), (0, max(0, 4 - width))))  # a column beyond the last: none
        best = max(permutations(range(len(wide))), key=lambda p: sum(wide[r, c] for r, c in enumerate(p)))
        expected = np.full(width, -1)
        for r, c in enumerate(best[:4]):
            if c < width and score[r, c] > 0.35:
                expected[c] = r
        np.testing.assert_array_equal(found, expected)
        assert (found >= 0).any()
        order = rng.permutation(width)
        np.testing.assert_array_equal(matched(rows, columns[:, order], voters), found[order])


def test_nothing_to_match() -> None:
    voters = np.full(5, 10.0)
    flat = np.full((5, 2), 5.0)  # the same share in all units tells nothing
    assert matched(flat, flat, voters).tolist() == [-1, -1]
    assert matched(np.zeros((5, 0)), flat, voters).tolist() == [-1, -1]


def test_matching_finds_the_parties(drawn: Drawn) -> None:
    """Columns without names take the parties of their voters; their order does not matter."""
    named = pooling_keys(dataset_of(drawn, {k: f"P{k}" for k in range(5)}))
    blank = pooling_keys(dataset_of(drawn, {}))
    pairs = [p for own in zip(named.column, blank.column, strict=True) for p in zip(*own, strict=True)]
    assert all(guess == OTHER for party, guess in pairs if party == OTHER)
    parties = [(party, guess) for party, guess in pairs if party != OTHER]
    right = sum(party == guess for party, guess in parties)
    wrong = sum(guess not in (party, SOLO) for party, guess in parties)
    assert right >= 0.9 * len(parties)
    assert wrong <= 0.05 * len(parties)
    assert any("matched" in note for note in blank.notes)
    assert not any("matched" in note for note in named.notes)


def test_parties_named_otherwise(drawn: Drawn) -> None:
    """Abbreviations that no row has: all columns of one party take the row most of them are matched with."""
    named = pooling_keys(dataset_of(drawn, {k: f"P{k}" for k in range(5)}))
    other = pooling_keys(dataset_of(drawn, {k: "ABCDE"[k] for k in range(5)}))
    assert other.column == named.column


def test_arrays_add_up(drawn: Drawn) -> None:
    units = dataset_of(drawn, {k: f"P{k}" for k in range(4)})  # the fifth has no name: SOLO
    found = encode_units(units, size=8)
    np.testing.assert_array_equal(found.blocks.rows[found.block, found.place], units["row_margin"])
    np.testing.assert_array_equal(found.blocks.columns[found.block, found.place], units["column_margin"])
    assert found.blocks.rows.sum() == units["row_margin"].values.sum()
    np.testing.assert_array_equal(found.row_total, drawn.rows.sum(axis=1))
    np.testing.assert_array_equal(found.column_total, drawn.columns.sum(axis=1))
    np.testing.assert_allclose(found.contests.mix, found.row_total / found.row_total.sum(axis=1, keepdims=True))
    labels = units["contest"].values
    of_unit = labels[found.blocks.contest[found.block]]
    np.testing.assert_array_equal(of_unit, units["unit_contest"].values)
    keys = found.keys
    for d in range(len(labels)):
        for r, row in enumerate(keys.row_pooled[d]):
            for c, column in enumerate(keys.column_pooled[d]):
                assert found.pairs[found.contests.pair[d, r, c]] == (row, column)
    assert len(set(found.pairs)) == len(found.pairs)
    assert SOLO in [column for _, column in found.pairs]
    assert found.contests.features.shape == (*found.contests.pair.shape, 0)
    cells = found.contests.row_here[:, :, None] & found.contests.column_here[:, None, :]
    named = cells & (drawn.column_key != 4)[:, None, :]
    np.testing.assert_array_equal(found.contests.kind[named], drawn.kind[named])
    assert not found.contests.pair[~cells].any()


def test_features_by_hand() -> None:
    lists = [["Red", "Blue"], ["Red", "Blue"], ["Red", "Blue", "Green"]]
    candidates = [["A (Red)", "B (Blue)"], ["C (Red)", "D (Blue)"], ["E (Red)", "F (Blue)"]]
    units = units_of(lists, candidates, seed=4)
    contests = list("012")
    rows = pd.DataFrame({"option": ["Red", "Blue", "Green"], "area": ["Low", "High", ""], "age": [30, 50, np.nan]})
    columns = pd.DataFrame(
        {
            "contest": [f"d{d}" for d in contests for _ in "AB"],
            "option": [option for own in candidates for option in own],
            "area": ["Low", "Middle", "High", "Low", "", "High"],
            "incumbent": [1, 0, 0, 1, np.nan, 0],
            "seat": [1.0] * 6,
        }
    )
    axes = {"area": {"categories": ["Low", "Middle", "High"], "kernel": "ordinal", "proximity": 0.5}}
    records = []
    for d, (own, other) in enumerate(zip(lists, candidates, strict=True)):
        block = units.isel(unit=units["unit_contest"].values == f"d{d}")
        for u in range(2):
            for side, options, margin in (("party", own, "row_margin"), ("candidate", other, "column_margin")):
                for k, option in enumerate(options):
                    records.append((f"d{d}", f"u{u}", side, option, int(block[margin].values[u, k])))
    frame = pd.DataFrame(records, columns=["contest", "unit", "side", "option", "votes"])
    units = electjax.ecological.read(frame, merge_below=0.0, row_traits=rows, column_traits=columns, axes=axes)
    found = encode_units(units)
    assert found.features == ("affinity[area]", "column[incumbent]", "row[age] x Red", "row[age] x Blue")
    assert any("column[seat]" in note for note in found.notes)

    cells = found.contests.row_here[:, :, None] & found.contests.column_here[:, None, :]
    weight = np.where(cells, found.row_total[:, :, None] * found.column_total[:, None, :], 0.0)
    weight /= found.row_total.sum(axis=1)[:, None, None]
    nan = np.nan
    near = np.array([[[1, 0.5], [0, 0.5]], [[0, 1], [1, 0]], [[0, 0], [0, 1]]])  # Low with Middle: adjacent
    by_row = np.array([[30.0, 30], [50, 50]])
    red, blue = np.array([True, False]), np.array([False, True])
    expected = [near, np.array([[[1, 0]] * 2, [[0, 1]] * 2, [[nan, 0]] * 2])]
    expected += [np.broadcast_to(np.where(key, by_row, nan), (3, 2, 2)) for key in (red, blue)]
    for x, raw in enumerate(expected):
        full = np.full(cells.shape, nan)
        full[:, :2] = raw
        full[2, 2] = {0: [0, 0], 1: [nan, 0]}.get(x, [nan, nan])
        known = np.isfinite(full)
        w = np.where(known, weight, 0.0) / weight[known].sum()
        off = np.nan_to_num(full) - (w * np.nan_to_num(full)).sum()
        scaled = np.where(known, off / np.sqrt((w * off**2).sum()), 0.0)
        np.testing.assert_allclose(found.contests.features[..., x], scaled, atol=1e-12)


def test_affinity_of_booths(booths: xr.Dataset) -> None:
    """Rows by religion, candidates with one: the feature tells equal from different, and abstention is neither."""
    found = encode_units(booths)
    assert found.features == ("affinity[religion]",)
    values = found.contests.features[..., 0]
    same = booths["row_category"].values[:, :, None, 0] == booths["column_category"].values[:, None, :, 0]
    same &= (booths["row_category"].values != "")[:, :, None, 0]
    cells = found.contests.row_here[:, :, None] & found.contests.column_here[:, None, :]
    assert np.unique(values[cells & same].round(12)).size == 1
    assert np.unique(values[cells & ~same].round(12)).size == 1
    assert values[cells & same].min() > 0 > values[cells & ~same].max()
    assert not values[~cells].any()


def test_invalid_units_are_refused() -> None:
    with pytest.raises(ElectionDataError, match="row_margin"):
        encode_units(by_hand().drop_vars("row_margin"))


@pytest.mark.parametrize("year", [pytest.param(2002, marks=pytest.mark.ci), 2014])
def test_new_zealand(year: int) -> None:
    """Without names of parties, votes tell the party of 9 in 10 candidates; when they tell one, it is right."""
    units = electjax.ecological.read(shared(f"data/ecological/nz_{year}_units_long.csv.gz"))
    named = encode_units(units).keys
    merged = np.where(units["column_party"].values == OTHER, OTHER, "")
    blank = pooling_keys(units.assign_coords(column_party=(("contest", "column"), merged)))
    told = right = own = 0
    for rows, names, guesses in zip(named.row, named.column, blank.column, strict=True):
        for name, guess in zip(names, guesses, strict=True):
            if name != OTHER:
                own += name in rows
                told += guess != SOLO
                right += name == guess and guess != SOLO
    assert right >= 0.88 * own
    assert right >= 0.95 * told
