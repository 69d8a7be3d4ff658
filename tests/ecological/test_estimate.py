"""`ecological.estimate` on drawn contests whose tables are known, on odd ones, and on elections that were counted."""

import json
from functools import partial

import jax
import numpy as np
import pytest
import xarray as xr
from scipy.special import softmax

import electjax
from electjax.data.axes import axes_json, axes_of
from electjax.data.options import made
from electjax.ecological.codec import encode_units, error_index
from electjax.ecological.model import draws as dr
from electjax.ecological.model import estimate as es
from electjax.ecological.model.data import KINDS
from electjax.ecological.model.generate import ABSTAINED, Drawn
from electjax.ecological.model.generate import OTHER as OTHER_KEY
from electjax.ecological.options import BASELINES, LEVELS, EstimateOptions
from electjax.ecological.schema import DID_NOT_VOTE, OTHER, TABLE, contest_index
from tests.ecological.by_hand import assert_consistent, drawn_units

CI = pytest.mark.ci  # a repeat
CONTESTS, ROWS, COLUMNS = 12, 4, 5  # of all that is drawn, so that programs are compiled once
AXES = {"creed": {"categories": ["c0", "c1", "c2"], "kernel": "match"}}
PROGRAMS = (es._pose, es._first, es._search, es._logits, es.curvature, es.unit_tables, es.noise, dr.draw_tables)

quick = partial(electjax.ecological.estimate, draws=0, contexts=())  # no more than the table
draw = partial(
    drawn_units, contests=CONTESTS, units=32, rows=ROWS, parties=COLUMNS, fielded=0.8, traits=3, affinity=0.0
)


def units_of(drawn: Drawn, rows: str = "votes") -> xr.Dataset:
    """Drawn units with their truth."""
    used = drawn.rows.sum(axis=2) > 0
    of, number = np.nonzero(used)
    special = {OTHER_KEY: OTHER, ABSTAINED: DID_NOT_VOTE}

    def names(keys: np.ndarray, here: np.ndarray) -> np.ndarray:
        return np.where(here, [[special.get(k, f"P{k}") for k in own] for own in keys.tolist()], "")

    def traits(codes: np.ndarray) -> np.ndarray:
        return np.where(codes >= 0, np.char.add("c", codes.astype(str)), "")[:, :, None]

    row, column = names(drawn.row_key, drawn.row_here), names(drawn.column_key, drawn.column_here)
    return electjax.ecological.validate(
        xr.Dataset(
            {
                "row_margin": (("unit", "row"), drawn.rows[used]),
                "column_margin": (("unit", "column"), drawn.columns[used]),
                "truth": (TABLE, drawn.tables.sum(axis=1).astype(float)),
                "row_category": (("contest", "row", "axis"), traits(drawn.row_trait)),
                "column_category": (("contest", "column", "axis"), traits(drawn.column_trait)),
            },
            coords={
                "contest": [f"d{d}" for d in range(len(row))],
                "unit": [f"d{d}/{u}" for d, u in zip(of, number, strict=True)],
                "unit_contest": ("unit", [f"d{d}" for d in of]),
                "row_name": (("contest", "row"), row),
                "row_party": (("contest", "row"), row),
                "column_name": (("contest", "column"), column),
                "column_party": (("contest", "column"), column),
                "axis": ["creed"],
            },
            attrs={"rows": rows, "name": "drawn", "axes": axes_json(axes_of(AXES))},
        )
    )


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(1)


@pytest.fixture(scope="module")
def units(drawn: Drawn) -> xr.Dataset:
    return units_of(drawn)


@pytest.fixture(scope="module")
def result(units: xr.Dataset) -> xr.Dataset:
    return electjax.ecological.estimate(units)


def better(one: xr.Dataset, other: xr.Dataset) -> float:
    """How much smaller the error of one is on average, in standard errors of the difference over contests."""
    gain = (other["error"] - one["error"]).values
    return float(gain.mean() / gain.std(ddof=1) * np.sqrt(gain.size))


# ------------------------------------------------------------------------------------ drawn contests


def test_a_result_has_what_it_promises(result: xr.Dataset, units: xr.Dataset) -> None:
    assert_consistent(result, units)
    assert not jax.config.jax_enable_x64  # nothing global is left changed
    assert result.attrs["converged"] == 1
    assert result.attrs["context"] == 0.6
    assert any("assumption that margins cannot check" in note for note in json.loads(result.attrs["notes"]))
    assert made(EstimateOptions, json.loads(result.attrs["options"]), where="") == EstimateOptions()
    assert result["draws"].sizes == {"draw": 200, "contest": CONTESTS, "row": ROWS, "column": COLUMNS}
    np.testing.assert_array_equal(result["context"], [0.3, 0.6, 0.8])
    np.testing.assert_array_equal(result["cells_by_context"].sel(context=0.6), result["cells"])
    np.testing.assert_allclose(result["share"].sum("column"), 1.0, rtol=1e-9)
    total = result["cells"].sum("column")
    for level in LEVELS:
        ends = (result["draws"] / total).fillna(-1.0).quantile([(1 - level) / 2, (1 + level) / 2], dim="draw")
        for name, want in zip(("share_low", "share_high"), ends.values, strict=True):
            got = result[name].sel(level=level).transpose(*TABLE)
            np.testing.assert_allclose(got.fillna(-1.0), want, rtol=1e-5, atol=1e-7)
    inside = (result["share_low"] <= result["share"]) & (result["share"] <= result["share_high"])
    assert inside.where(result["share"].notnull()).mean() > 0.95  # the estimate is in the middle of its draws
    np.testing.assert_array_equal(result["kind"], KINDS)
    assert ((result["correlation"] > 0) & (result["correlation"] < 0.2)).all()


def test_the_correlation_within_rows_is_found(result: xr.Dataset, drawn: Drawn) -> None:
    found, planted = np.log(result["correlation"].values), np.log(drawn.parameters.rho)
    assert abs(found.mean() - planted.mean()) < 0.3
    assert np.corrcoef(found, planted)[0, 1] > 0.6


def test_it_beats_every_baseline(result: xr.Dataset, units: xr.Dataset) -> None:
    errors = {}
    for method in BASELINES:
        other = electjax.ecological.estimate(units, method=method)
        errors[method] = other.attrs["mean_ei"]
        assert better(result, other) > 3
        assert other.attrs["method"] == method
        assert {"unit_cells", "draws", "cells_by_context"}.isdisjoint(other)
        np.testing.assert_allclose(other["cells"].sum("row"), units["truth"].sum("row"), atol=1e-5)
        np.testing.assert_array_equal(other["bound_low"], result["bound_low"])
    assert result.attrs["mean_ei"] < 0.5 * min(errors.values())


def test_what_was_drawn_from_the_model_is_better_estimated_by_all_of_it(result: xr.Dataset, units: xr.Dataset) -> None:
    assert better(result, quick(units, pooled=False)) > 3
    assert better(result, quick(units, overdispersed=False)) > 3
    np.testing.assert_allclose(quick(units)["cells"], result["cells"], rtol=1e-12)


def test_intervals_cover_as_often_as_they_say() -> None:
    """Right model, nothing inflated: the share of all cells of 8 sets, each set counted as one draw."""
    found = []
    for seed in range(8):
        one = electjax.ecological.estimate(units_of(draw(100 + seed)), inflation=1.0, context_sd=0.0, contexts=())
        found.append([one.attrs["coverage_80"], one.attrs["coverage_95"]])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(mean - LEVELS) < 4 * error + 0.01).all()  # 200 draws blur an end by about 0.01


def test_the_defaults_are_cautious_when_the_context_is_right(result: xr.Dataset) -> None:
    assert result.attrs["coverage_80"] > 0.8
    assert result.attrs["coverage_95"] > 0.95


@pytest.mark.parametrize("beta", [pytest.param(0.0, marks=CI), 0.3, pytest.param(0.9, marks=CI)])
def test_the_error_is_least_at_the_context_that_was_planted(beta: float) -> None:
    contexts = (0.0, 0.3, 0.6, 0.9, 1.2)
    units = units_of(draw(2, beta=beta))
    found = electjax.ecological.estimate(units, context=beta, contexts=contexts, draws=0)
    error = found["error_by_context"].sel(context=list(contexts)).values
    best = contexts.index(beta)
    assert (np.diff(error[: best + 1]) < 0).all()
    assert (np.diff(error[best:]) > 0).all()
    # what is said of another context is what one who assumes it gets
    other = quick(units, context=0.6)
    np.testing.assert_allclose(other["cells"], found["cells_by_context"].sel(context=0.6), rtol=2e-2, atol=2.0)
    assert abs(other.attrs["mean_ei"] - error[2]) < 0.02


def test_draws_know_that_the_context_is_not_known(units: xr.Dataset, result: xr.Dataset) -> None:
    """Assumed at .3 where it is .6: intervals of a known context miss, those with context_sd are wider."""
    sure = electjax.ecological.estimate(units, context=0.3, context_sd=0.0, inflation=1.0)
    unsure = electjax.ecological.estimate(units, context=0.3, context_sd=0.3, inflation=1.0)
    np.testing.assert_array_equal(sure["cells"], unsure["cells"])
    assert sure.attrs["coverage_95"] < 0.8
    assert unsure.attrs["coverage_95"] > sure.attrs["coverage_95"] + 0.1
    assert unsure.attrs["width_95"] > 1.3 * sure.attrs["width_95"]


def test_affinity_is_found_and_helps() -> None:
    planted, scores = 1.0, []
    for seed in range(4):
        units = units_of(draw(20 + seed, affinity=planted))
        found, without = electjax.ecological.estimate(units, inflation=1.0, contexts=()), quick(units, feature_sd=1e-3)
        assert found["feature"].values.tolist() == ["affinity[creed]"]
        feature = encode_units(units).contests.features[..., 0]
        effect = found["feature_effect"].item() * (feature.max() - feature.min())  # of a match
        error = found["feature_effect_se"].item() * (feature.max() - feature.min())
        scores.append((effect - planted) / error)
        assert better(found, without) > 3
        assert found.attrs["mean_ei"] < 0.8 * without.attrs["mean_ei"]
    assert np.abs(scores).max() < 3.5
    assert abs(np.mean(scores)) < 2.0  # 4 standard errors


def shuffled(units: xr.Dataset, what: str, seed: int) -> tuple[xr.Dataset, np.ndarray, np.ndarray, np.ndarray]:
    """Units with contests, rows, columns or units in another order, and the old places of contests, rows, columns."""
    rng = np.random.default_rng(seed)
    contests = rng.permutation(CONTESTS) if what in ("contests", "all") else np.arange(CONTESTS)
    places = {}
    for side, size in (("row", ROWS), ("column", COLUMNS)):
        places[side] = np.tile(np.arange(size), (CONTESTS, 1))
        if what in (f"{side}s", "all"):
            for d, here in enumerate((units[f"{side}_name"].values != "").sum(axis=1)):
                places[side][d, :here] = rng.permutation(here)
    of, new = contest_index(units), units.copy(deep=True)
    for name, values in units.variables.items():
        moved = values.values
        for side, place in places.items():
            if side in values.dims and name != side:
                axis = values.dims.index(side)
                own = place[of] if values.dims[0] == "unit" else place
                own = own.reshape([-1 if i == 0 else own.shape[1] if i == axis else 1 for i in range(values.ndim)])
                moved = np.take_along_axis(moved, own, axis)
        new[name] = (values.dims, moved)
    new = new.isel(contest=contests)
    if what in ("units", "all"):
        new = new.isel(unit=rng.permutation(new.sizes["unit"]))
    return electjax.ecological.validate(new), contests, places["row"], places["column"]


@pytest.mark.parametrize(
    ("what", "seed"),
    [
        *(pytest.param(*each, marks=CI) for each in [("contests", 1), ("rows", 2), ("columns", 3), ("units", 4)]),
        ("all", 5),
    ],
)
def test_the_order_of_things_does_not_matter(units: xr.Dataset, what: str, seed: int) -> None:
    tight = partial(quick, tolerance=1e-9)
    found = tight(units)
    other, contests, row, column = shuffled(units, what, seed)
    got = tight(other)
    assert any(not np.array_equal(other[name], units[name]) for name in ("row_margin", "column_margin"))
    d = contests[:, None, None]
    place = (d, row[contests][:, :, None], column[contests][:, None, :])
    np.testing.assert_allclose(got["cells"], found["cells"].values[place], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got["correlation"], found["correlation"].values[contests], rtol=1e-4)
    np.testing.assert_allclose(got["pair_logit"].sel(found["pair_logit"].coords), found["pair_logit"], atol=1e-4)
    assert got.attrs["mean_ei"] == pytest.approx(found.attrs["mean_ei"], rel=1e-5)


def test_abstention_is_a_column_and_rows_are_groups() -> None:
    drawn = draw(3, parties=COLUMNS - 1, abstention=0.3, level=(0.0, 0.0, 0.0), unit_sd=0.8)
    units = units_of(drawn, rows="groups")
    found = electjax.ecological.estimate(units)
    assert_consistent(found, units)
    assert DID_NOT_VOTE in found["column_key"]
    own = encode_units(units).contests
    assert (own.kind[own.row_here[:, :, None] & own.column_here[:, None, :]] > 0).all()  # no cell is a party's own
    for method in ("goodman", "em"):
        assert better(found, electjax.ecological.estimate(units, method=method)) > 2
    away = (units["column_name"] == DID_NOT_VOTE).values[:, None, :] & np.ones((1, ROWS, 1), bool)
    off = (found["share"] - units["truth"] / units["truth"].sum("column")).values[away]
    assert np.abs(off).mean() < 0.06  # turnout of a group
    assert found.attrs["coverage_95"] > 0.9


def test_truth_enters_no_estimate(units: xr.Dataset, result: xr.Dataset) -> None:
    blind = electjax.ecological.estimate(units.drop_vars("truth"))
    for name in ("cells", "draws", "unit_cells", "cells_by_context", "share_low"):
        np.testing.assert_array_equal(blind[name], result[name])
    assert {"truth", "error", "error_by_context"}.isdisjoint(blind)
    assert "mean_ei" not in blind.attrs


def test_seeds(units: xr.Dataset, result: xr.Dataset) -> None:
    other = electjax.ecological.estimate(units, seed=1, draws=60)
    np.testing.assert_array_equal(other["cells"], result["cells"])
    assert other.sizes["draw"] == 60
    same = electjax.ecological.estimate(units, draws=60)
    np.testing.assert_array_equal(same["draws"], result["draws"][:60])
    off = (other["draws"] - same["draws"]).values
    assert np.abs(off[np.isfinite(off)]).max() > 1.0


def test_other_options_do_not_compile_again(units: xr.Dataset, result: xr.Dataset) -> None:
    before = [program._cache_size() for program in PROGRAMS]
    told: list[tuple[int, int, str]] = []
    electjax.ecological.estimate(
        units,
        context=0.4,
        contexts=(0.2, 1),
        context_sd=0,
        tau=[0.2, 0.3, 0.4],
        pair_sd=1,
        feature_sd=0.1,
        inflation=1,
        draws=np.int64(70),
        tolerance=0.1,
        max_steps=30,
        pooled=False,
        overdispersed=False,
        progress=lambda *of: told.append(of),
    )
    assert [program._cache_size() for program in PROGRAMS] == before
    assert [done for done, *_ in told] == list(range(len(told)))
    assert told[-1][0] == told[-1][1]


# ------------------------------------------------------------------------------------ odd contests


def by_hand(specs: list[tuple[list[str], list[str], np.ndarray, float]], seed: int) -> xr.Dataset:
    """Contests of these rows, columns and sizes of units; the last number scales the votes."""
    rng = np.random.default_rng(seed)
    width = [max(len(spec[side]) for spec in specs) for side in (0, 1)]
    names = [np.full((len(specs), size), "", "U20") for size in width]
    truth, rows, columns, of = np.full((len(specs), *width), np.nan), [], [], []
    for d, (row, column, sizes, scale) in enumerate(specs):
        names[0][d, : len(row)], names[1][d, : len(column)] = row, column
        theta = softmax(rng.normal(size=(len(row), len(column))) + 2.0 * np.equal.outer(row, column), axis=1)
        margin = rng.multinomial(sizes, rng.dirichlet(np.ones(len(row)), len(sizes)))
        margin[-1] = np.eye(len(row), dtype=int)[0] * sizes[-1]  # all of one row
        tables = rng.multinomial(margin, theta) * scale
        truth[d, : len(row), : len(column)] = tables.sum(axis=0)
        rows.append(np.pad(tables.sum(axis=2), ((0, 0), (0, width[0] - len(row)))))
        columns.append(np.pad(tables.sum(axis=1), ((0, 0), (0, width[1] - len(column)))))
        of += [f"d{d}"] * len(sizes)
    return electjax.ecological.validate(
        xr.Dataset(
            {
                "row_margin": (("unit", "row"), np.concatenate(rows)),
                "column_margin": (("unit", "column"), np.concatenate(columns)),
                "truth": (TABLE, truth),
            },
            coords={
                "contest": [f"d{d}" for d in range(len(specs))],
                "unit": [f"{d}/{u}" for u, d in enumerate(of)],
                "unit_contest": ("unit", of),
                **{f"{side}_name": (("contest", side), n) for side, n in zip(("row", "column"), names, strict=True)},
                **{f"{side}_party": (("contest", side), n) for side, n in zip(("row", "column"), names, strict=True)},
            },
            attrs={"rows": "votes", "name": "by hand"},
        )
    )


@pytest.fixture(scope="module")
def odd() -> xr.Dataset:
    """Contests of other parties, 2 x 2, of two units, of huge and of tiny ones, of fractions, and of one column.

    Nobody's surroundings matter in them.
    """
    usual, some = ["A", "B", OTHER], np.random.default_rng(5).integers(50, 900, 12)
    return by_hand(
        [
            (usual, ["A", "B", "C", OTHER], some, 1.0),
            (usual, ["B", "A", OTHER], some[:9], 1.0),
            (["U", "V", "W"], ["X", "Y", "Z"], some, 1.0),
            (["A", "B"], ["A", "B"], some[:7], 1.0),
            (usual, ["A", "B", "C"], some[:2], 1.0),
            (usual, ["A", "B", "C", OTHER], np.full(6, 1_000_000), 1.0),
            (usual, ["A", "B", OTHER], np.ones(20, int), 1.0),
            (usual, ["A", "B", "C"], np.concatenate([some[:5], [1, 1, 2_000_000]]), 0.37),
            (["A", "B"], ["B"], some[:4], 1.0),
        ],
        seed=6,
    )


@pytest.fixture(scope="module")
def odd_result(odd: xr.Dataset) -> xr.Dataset:
    return electjax.ecological.estimate(odd, context=0.0)


def error_of_independence(units: xr.Dataset) -> np.ndarray:
    truth = units["truth"].values
    rows, columns = np.nansum(truth, axis=2, keepdims=True), np.nansum(truth, axis=1, keepdims=True)
    return error_index(rows * columns / np.nansum(truth, axis=(1, 2), keepdims=True), np.nan_to_num(truth))


@pytest.mark.ci
def test_odd_contests_stand_beside_each_other(odd: xr.Dataset, odd_result: xr.Dataset) -> None:
    assert_consistent(odd_result, odd)
    assert odd_result.attrs["converged"] == 1
    assert np.isfinite(odd_result["correlation"]).all()
    missing = odd_result["cells_by_context"].isnull() != odd_result["cells"].isnull()
    assert not missing.any()
    assert odd_result.attrs["mean_ei"] < 0.7 * error_of_independence(odd).mean()


@pytest.mark.ci
def test_what_is_certain_is_certain(odd_result: xr.Dataset) -> None:
    one_column = odd_result.sel(contest="d8")
    assert one_column["error"] == pytest.approx(0.0, abs=1e-6)
    assert (electjax.ecological.coverage(odd_result)["coverage_by_contest"].sel(contest="d8") == 1.0).all()
    assert (one_column["share_high"] - one_column["share_low"]).max() < 1e-6
    # units of one voter tell their tables
    tiny = odd_result.sel(contest="d6")
    np.testing.assert_allclose(tiny["cells"].fillna(0.0), tiny["truth"].fillna(0.0), atol=1e-5)


@pytest.mark.ci
def test_without_affinity_traits_count_nothing(odd: xr.Dataset, odd_result: xr.Dataset) -> None:
    rng = np.random.default_rng(2)
    traits = {
        f"{side}_category": (
            ("contest", side, "axis"),
            np.where(odd[f"{side}_name"] != "", rng.choice(["c0", "c1"], odd[f"{side}_name"].shape), "")[:, :, None],
        )
        for side in ("row", "column")
    }
    told = odd.assign(traits).assign_coords(axis=["creed"])
    told.attrs["axes"] = axes_json(axes_of(AXES))
    assert encode_units(told).features == ("affinity[creed]",)
    ignored = quick(told, context=0.0, affinity=False)
    assert "feature_effect" not in ignored
    np.testing.assert_array_equal(ignored["cells"], odd_result["cells"])


@pytest.mark.ci  # contests of this size are among the odd ones
def test_one_contest_of_two_rows_and_two_columns() -> None:
    units = units_of(drawn_units(4, contests=1, units=48, rows=2, parties=2, other=False, traits=0))
    found = quick(units)
    assert found.attrs["converged"] == 1
    assert found["pair_logit"].shape == (2, 2)
    assert found.attrs["mean_ei"] < 0.3 * error_of_independence(units).item()
    for side in ("row", "column"):
        np.testing.assert_allclose(found["cells"].sum(side), units["truth"].sum(side), rtol=1e-9)


# ------------------------------------------------------------------------------------ searches


def test_a_search_that_is_cut_short_warns_and_says_at_which_exponent(units: xr.Dataset) -> None:
    with pytest.warns(UserWarning, match="at context 0.6, 0.3: raise max_steps"):
        short = electjax.ecological.estimate(units, draws=0, contexts=(0.3,), max_steps=2)
    assert short.attrs["converged"] == 0
    assert short.attrs["verdict"] == "not usable"
    assert "did not converge in 2 steps" in repr(short).splitlines()[1]


def test_a_thousand_times_the_voters_change_little(units: xr.Dataset) -> None:
    names = ["row_margin", "column_margin"]
    large = units.drop_vars("unit_truth", errors="ignore").assign({name: units[name] * 100_000 for name in names})
    found, plain = quick(large.assign(truth=units["truth"] * 100_000)), quick(units)
    assert found.attrs["converged"] == 1
    assert abs(found.attrs["mean_ei"] - plain.attrs["mean_ei"]) < 1.0
