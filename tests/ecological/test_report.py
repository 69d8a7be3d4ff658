"""Tables, figures and report of ecological estimates, from results made by hand, against sums by hand."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from rich.console import Console

import electjax
from electjax.ecological.report.figures import (
    context_lines,
    expected_shares,
    row_forest,
    tomography,
    transition_heatmap,
    unit_scatter,
    units_cells,
    units_of,
)
from electjax.ecological.report.page import notable, report
from electjax.ecological.report.tables import check_table, context_table, coverage_table, method_table, summary
from electjax.ecological.report.truth import error_strip, truth_scatter
from electjax.ecological.verbs.table import contest_table, contests_of, keys_of, pooled_table
from electjax.report.draw import MARKERS, png_bytes
from electjax.report.report import render_page, write_report
from tests.ecological.by_hand import estimate_by_hand

PARTIES = ["Red", "Blue", "Green & <Free>", "Grey", "OTHER"]


def tables(sizes, *, units=12, seed=0):
    """Unit tables whose own-party cells are large, one of each (rows, columns)."""
    rng = np.random.default_rng(seed)
    found = []
    for rows, columns in sizes:
        theta = np.exp(2.0 * np.eye(rows, columns) + 0.5 * rng.normal(size=(rows, columns)))
        margins = rng.multinomial(rng.integers(100, 900, units), rng.dirichlet(np.full(rows, 3.0), units))
        found.append(rng.multinomial(margins, theta / theta.sum(1, keepdims=True)))
    return found


def run_of(estimate):
    """A run that has this estimate and nothing else."""
    return SimpleNamespace(tree=xr.DataTree.from_dict({"/fit": estimate}), metrics={})


@pytest.fixture(scope="module")
def several():
    """Five contests of unequal tables."""
    return estimate_by_hand(tables([(5, 5), (4, 5), (5, 4), (3, 3), (4, 4)]), PARTIES)


@pytest.fixture(scope="module")
def square():
    """One contest of two rows and two columns, with a unit in which a row has no voters."""
    own = tables([(2, 2)], units=20, seed=2)
    own[0][3, 0] = 0
    return estimate_by_hand(own, PARTIES)


def test_a_table_is_tidy(several):
    found = electjax.ecological.table(several)
    assert len(found) == 25 + 20 + 20 + 9 + 16
    assert found.notna().all(axis=None)
    sums = found.groupby(["contest", "row"])[["count", "share", "true_share"]].sum()
    of = found.groupby(["contest", "row"])["row_total"].first()
    np.testing.assert_allclose(sums["count"], of)
    np.testing.assert_allclose(sums[["share", "true_share"]], 1)
    for low, high in (("low_95", "low_80"), ("low_80", "high_80"), ("high_80", "high_95")):
        assert (found[low] <= found[high]).all()
    assert (found["bound_low"] <= found["true_share"]).all()
    assert (found["true_share"] <= found["bound_high"]).all()
    cell = found[(found["contest"] == "Contest 2") & (found["row"] == "Blue") & (found["column_party"] == "Grey")]
    assert cell["column"].item() == "Candidate 2.4"
    np.testing.assert_allclose(cell["truth"].item(), several["truth"].values[1, 1, 3])
    np.testing.assert_allclose(cell["low_80"].item(), several["share_low"].values[0, 1, 1, 3])


def test_all_contests_are_added_up_by_party(several):
    table = pooled_table(several)
    every = electjax.ecological.table(several)
    sums = every.groupby(["row_party", "column_party"])[["count", "truth"]].sum()
    for i, row in enumerate(table.rows):
        for j, column in enumerate(table.columns):
            np.testing.assert_allclose(table.votes[i, j], sums.loc[(row, column), "count"])
            np.testing.assert_allclose(table.truth[i, j], sums.loc[(row, column), "truth"])
    assert table.rows == table.columns
    assert table.rows[-1] == "OTHER"
    row, column = (keys_of(several, side) for side in ("row", "column"))
    here = ((row == "Red")[:, :, None] & (column == "Blue")[:, None, :]).astype(float)
    drawn = np.nansum(several["draws"].values * here, axis=(1, 2, 3)) / sums.loc["Red", "count"].sum()
    at = table.rows.index("Red"), table.columns.index("Blue")
    np.testing.assert_allclose(table.low[0.95][at], np.quantile(drawn, 0.025), rtol=1e-5)
    np.testing.assert_allclose(table.high[0.8][at], np.quantile(drawn, 0.9), rtol=1e-5)
    mean = electjax.ecological.summary(several, show=False)
    assert len(mean) == 25
    np.testing.assert_allclose(mean["count"].sum(), every["count"].sum())
    np.testing.assert_allclose(mean.loc[("Red", "Blue"), "count"], sums.loc[("Red", "Blue"), "count"])


def test_parties_beyond_a_dozen_join_the_others():
    many = [f"Party {i}" for i in range(16)]
    result = estimate_by_hand(tables([(16, 16), (16, 16)], seed=3), many, draws=3)
    table = pooled_table(result)
    assert len(table.rows) == 13
    assert table.rows[-1] == table.columns[-1] == "OTHER"
    np.testing.assert_allclose(table.votes.sum(), np.nansum(result["cells"].values))


def test_names_stand_for_parties_that_are_not_there(several):
    blank = xr.full_like(several["column_party"], "")
    assert set(keys_of(several.assign_coords(column_party=blank), "column").ravel()) == {"", "no party"}
    one = several.isel(contest=[0]).assign_coords(column_party=blank.isel(contest=[0]))
    assert keys_of(one, "column")[0, 0] == "Candidate 1.1"
    matched = several.assign_coords(column_pooled=several["column_party"].where(several["column_party"] != "Red", "R"))
    assert keys_of(matched, "column")[0, 0] == "R"


def test_contests_are_checked_cell_by_cell(several):
    unknown = several.copy(deep=True)
    unknown["truth"][3] = np.nan
    unknown["error"][3] = np.nan
    found = check_table(unknown)
    assert (np.diff(found["votes"]) <= 0).all()
    found = found.set_index("contest")
    assert np.isnan(found.loc["Contest 4", ["ei", "covered_80", "covered_95"]].astype(float)).all()
    table = electjax.ecological.table(unknown)
    part = table["row_total"] / table["contest"].map(found["votes"])
    own = table[(table["contest"] == "Contest 1") & (part > 0.03)]
    inside = own["true_share"].between(own["low_80"], own["high_80"])
    np.testing.assert_allclose(found.loc["Contest 1", "covered_80"], inside.mean())
    np.testing.assert_allclose(found.loc["Contest 1", "width_95"], (own["high_95"] - own["low_95"]).mean())
    ei = 50 * (own["count"] - own["truth"]).abs().sum() / own["count"].sum()
    assert (part[table["contest"] == "Contest 1"] > 0.03).all()
    np.testing.assert_allclose(found.loc["Contest 1", "ei"], ei)
    assert found.loc["Contest 2", ["units", "rows", "columns"]].tolist() == [12, 4, 5]


def test_coverage_counts_what_is_inside_but_for_rounding(several):
    planted = several.copy(deep=True)
    truth = planted["truth"] / planted["truth"].sum("column", min_count=1)
    planted["share_low"], planted["share_high"] = planted["share_low"] * 0 + truth, planted["share_high"] * 0 + truth
    planted["share_low"] += 1e-7
    found = coverage_table(planted).set_index("level")
    assert (found["covered"] == 1).all()
    planted["share_low"][1, 0, 0, 0] += 0.01
    found = coverage_table(planted).set_index("level")
    cells = int(found.loc[0.95, "cells"])
    np.testing.assert_allclose(found["covered"], [1, 1 - 1 / cells])


def test_other_context_exponents_beside_the_chosen_one(several):
    found = context_table(several).set_index("context")
    assert found.index[found["chosen"]].tolist() == [0.6]
    assert found.loc[0.6, "moved"] == 0
    cells = several["cells_by_context"]
    gap = abs(cells.sel(context=0.8) - cells.sel(context=0.6)).sum() / 2 / several["cells"].sum()
    np.testing.assert_allclose(found.loc[0.8, "moved"], float(gap))
    own = sum(np.trace(np.nan_to_num(cells.values[0, d])[:4, :4]) for d in range(5))  # the last is OTHER
    np.testing.assert_allclose(found.loc[0.3, "own_party"], own / float(several["cells"].sum()))
    assert found["own_party"].is_monotonic_increasing
    np.testing.assert_allclose(found["mean_ei"], several["error_by_context"].values)


def test_methods_are_compared_where_both_have_an_error(several):
    other = several.copy(deep=True)
    other["error"] = other["error"] * 2
    other["error"][0] = np.nan
    found = method_table({"ours": several, "theirs": other}).set_index("method")
    np.testing.assert_allclose(found.loc["ours", "mean_ei"], several["error"].values[1:].mean())
    assert found["best"].to_dict() == {"ours": 1.0, "theirs": 0.0}


def test_tomography_lines_are_what_the_margins_allow(square):
    figure = tomography(square)
    ax = figure.axes[0]
    lines = np.stack(next(c for c in ax.collections if isinstance(c, LineCollection)).get_segments())
    table = contest_table(square, "Contest 1")
    rows, columns = units_of(square, table)
    votes = np.einsum("upr,ur->up", lines, rows)
    np.testing.assert_allclose(votes, np.broadcast_to(columns[:, :1], votes.shape), atol=1e-9)
    np.testing.assert_array_equal(lines[3, :, 0], [0, 1])  # nothing is said of a row without voters
    with np.errstate(invalid="ignore"):
        own = units_cells(square, table)[:, :, 0] / rows
    dots = next(c for c in ax.collections if not isinstance(c, LineCollection)).get_offsets()
    known = np.isfinite(own).all(1)
    assert known.sum() == 19
    np.testing.assert_allclose(np.ma.getdata(dots)[known], own[known])
    assert ((own >= lines.min(1) - 1e-9) & (own <= lines.max(1) + 1e-9))[known].all()


def test_tomography_refuses_larger_tables(several):
    with pytest.raises(ValueError, match="5 rows and 5 columns, not 2 x 2"):
        tomography(several, "Contest 1")


def test_expected_shares_follow_the_surroundings(several):
    table = contest_table(several, "Contest 2")
    rows, _ = units_of(several, table)
    part = rows / rows.sum(1, keepdims=True)
    plain = expected_shares(several.assign_attrs(context=0.0), table)
    np.testing.assert_allclose(plain, part @ table.share)
    shift = ((plain + 1e-4) / (rows.sum(0) / rows.sum() @ table.share + 1e-4)) ** 0.6
    local = table.share[None] * shift[:, None]
    local /= local.sum(2, keepdims=True)
    np.testing.assert_allclose(expected_shares(several, table), np.einsum("ur,urc->uc", part, local))
    figure = unit_scatter(several, "Contest 2", [("Blue", "Candidate 2.2")])
    x, y = figure.axes[0].lines[0].get_data()
    np.testing.assert_allclose(x, part[:, 1])
    np.testing.assert_allclose(y, expected_shares(several, table)[:, 1])


def test_heatmap_shows_shares_and_frames_what_is_outside(several):
    planted = several.copy(deep=True)
    truth = planted["truth"][0, 2, 1] / planted["truth"][0, 2].sum()
    planted["share_high"][:, 0, 2, 1], planted["share_low"][:, 0, 2, 1] = truth - 0.01, truth - 0.02
    table = contest_table(planted, "Contest 1")
    left, right, _ = transition_heatmap(table).axes
    texts = [text.get_text() for text in left.texts]
    assert texts[0] == f"{100 * table.share[0, 0]:.1f}"
    assert len(texts) == 2 * 25
    outside = (table.true_share < table.low[0.95]) | (table.true_share > table.high[0.95])
    assert outside[2, 1]
    assert len(right.patches) == outside.sum()
    alone = transition_heatmap(table._replace(truth=None))
    assert [axes.get_label() for axes in alone.axes] == ["", "<colorbar>"]


def test_forest_has_bounds_intervals_and_truth(several):
    table = contest_table(several, "Contest 1")
    axes = row_forest(table).axes
    first = int(table.row_votes.argmax())
    assert axes[0].get_title() == table.rows[first]
    ends = [np.stack(c.get_segments())[:, :, 0] for c in axes[0].collections]
    np.testing.assert_allclose(ends[0], np.stack([table.least[first], table.most[first]], 1))
    np.testing.assert_allclose(ends[1], np.stack([table.low[0.95][first], table.high[0.95][first]], 1))
    np.testing.assert_allclose(ends[2], np.stack([table.low[0.8][first], table.high[0.8][first]], 1))
    np.testing.assert_allclose(axes[0].lines[1].get_xdata(), table.true_share[first])


@pytest.mark.parametrize("contest", [None, "Contest 3"])
def test_context_lines_are_all_in_sight(several, contest):
    figure = context_lines(several, contest)
    drawn = np.concatenate(
        [line.get_ydata() for ax in figure.axes for line in ax.lines if line.get_marker() in MARKERS]
    )
    table = pooled_table(several) if contest is None else contest_table(several, contest)
    assert drawn.size == 3 * table.votes.size
    assert drawn.max() < figure.axes[0].get_ylim()[1]
    assert np.isclose(table.share.max(), drawn).any()


def test_truth_figures(several):
    left, right = truth_scatter(several).axes
    dots = np.concatenate([np.asarray(c.get_offsets()) for c in left.collections])
    table = electjax.ecological.table(several)
    shown = table[table["row_total"] > 0.03 * table.groupby("contest")["count"].transform("sum")]
    assert len(dots) == len(shown) == int(coverage_table(several)["cells"].iloc[0])
    np.testing.assert_allclose(np.sort(dots[:, 0]), np.sort(shown["true_share"]))
    np.testing.assert_allclose(np.sort(dots[:, 1]), np.sort(shown["share"]))
    assert sum(int(re.search(r"\((.*)\)", t.get_text()).group(1)) for t in right.get_xticklabels()) == len(shown)
    strip = error_strip(several, {"EM": several.assign(error=several["error"] + 1)}).axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in strip.patches], np.sort(several["error"]))
    np.testing.assert_allclose(strip.lines[1].get_ydata(), np.sort(several["error"]) + 1)


@pytest.mark.slow
def test_report_of_many_contests(several, tmp_path):
    other = estimate_by_hand(tables([(5, 5), (4, 5), (5, 4), (3, 3), (4, 4)]), PARTIES, off=0.5, method="goodman")
    tree = xr.DataTree.from_dict({"/fit": several, "/goodman": other})
    run = SimpleNamespace(tree=tree, metrics={"seconds": 2.0, "warnings": ["mind the gap"]})
    write_report(tmp_path, report(run), config="task: ecological")
    page = (tmp_path / "report.html").read_text("utf-8")
    largest, worst = notable(several)
    assert largest == check_table(several)["contest"].tolist()[:3]
    assert not set(largest) & set(worst)
    assert page.count("<img ") == len(list((tmp_path / "figures").iterdir())) == 4 + 3 * 2 + 1 + 2 * 2
    for text in (
        "It is an assumption, which margins cannot tell",
        "The context exponent is assumed to be 0.6, and intervals allow for ± 0.15 around it",
        f"Of 100 votes {float(several['error'].mean()):.2f} stand in a wrong cell",
        "Goodman&#39;s regression",
        "Green &amp; &lt;Free&gt;",
        "Two &lt;empty&gt; units were left out.",
        "mind the gap",
        "task: ecological",
    ):
        assert text in page
    assert "<Free>" not in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)


def test_report_of_one_contest(square, tmp_path):
    write_report(tmp_path, report(run_of(square)), config="")
    files = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert files == ["context.png", "rows.png", "table.png", "units.png"]


def test_report_stays_readable_with_seventy_contests():
    result = estimate_by_hand(tables([(4, 4), (5, 4)] * 35, units=3), PARTIES, draws=5)
    page = render_page(report(run_of(result)), [])
    section = page[page.index('id="contests"') :]
    assert section[: section.index("</table>")].count("<tr>") == 71
    assert all(f">{contest}<" in section for contest in contests_of(result))
    assert len(page) < 100_000


def test_baselines_have_no_intervals_and_no_exponent(several):
    plain = estimate_by_hand(tables([(3, 4), (4, 4)]), PARTIES, method="em", truth=False)
    found = electjax.ecological.table(plain)
    assert not [name for name in found if name.startswith(("low_", "high_"))]
    assert found["truth"].isna().all()
    page = render_page(report(run_of(plain)), [])
    assert "multinomial EM" in page
    assert "exponent" not in page
    for figure in (transition_heatmap(pooled_table(plain)), unit_scatter(plain, "Contest 2")):
        assert png_bytes(figure).startswith(b"\x89PNG")
    console = Console(width=160, record=True)
    console.print(summary(several, {"EM": several}))
    text = console.export_text()
    assert "0.6 (assumed)" in text
    assert "margins cannot tell" in text


def test_parties_with_few_votes_join_the_others(several):
    rare = several["column_party"].copy()
    rare[0, 2] = "Rare"  # the third candidate of one contest, whose votes are cut to next to nothing
    small = several.assign_coords(column_party=rare)
    small["cells"] = small["cells"].copy()
    small["cells"][0, :, 2] = 1.0
    table = pooled_table(small)
    assert "Rare" not in table.columns
    np.testing.assert_allclose(table.votes.sum(), np.nansum(small["cells"].values))


def test_a_summary_is_of_one_contest_or_of_all(several, square):
    one = electjax.ecological.summary(several, contest="Contest 2", show=False)
    lines = electjax.ecological.table(several).query("contest == 'Contest 2'").set_index(["row", "column"])
    assert one["count"].to_dict() == lines["count"].to_dict()
    assert list(one.columns) == list(lines.columns.drop(["contest", "row_party", "column_party"]))
    assert electjax.ecological.summary(square, show=False).index[0] == ("Red", "Candidate 1.1")


@pytest.mark.parametrize("kind", ["table", "rows", "units", "context", "truth", "errors"])
def test_every_kind_of_figure_has_its_name(several, square, kind):
    for estimate in (several, square):
        assert np.size(electjax.ecological.plot(estimate, kind))
    assert np.size(electjax.ecological.plot(several, kind, contest="Contest 3"))


def test_what_cannot_be_drawn_is_one_line(several):
    with pytest.raises(
        ValueError, match=r"ecological.plot\(contest=\): found .Contest 9.; expected one of 5 contests; did you mean"
    ):
        electjax.ecological.plot(several, contest="Contest 9")
    with pytest.raises(ValueError, match=r"plot\(kind=\): found .tables.; expected one of table, rows, units"):
        electjax.ecological.plot(several, "tables")
    with pytest.raises(ValueError, match="'context' needs cells_by_context, which are not in this result"):
        electjax.ecological.plot(several.drop_vars("cells_by_context"), "context")
