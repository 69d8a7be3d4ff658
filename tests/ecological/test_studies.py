"""The benchmark and the experiment of ecological inference, on six generated contests."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import electjax

ROOT = Path(__file__).parents[2]
OWN = ("common", "methods", "sets", "studies", "run")  # modules of scripts, which no other test is to find


@pytest.fixture(scope="module")
def scripts():
    """The scripts' modules by name."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in ("benchmarks", "benchmarks/ecological", "experiments/ecological"):
            patch.syspath_prepend(ROOT / folder)
        for name in OWN:
            patch.delitem(importlib.sys.modules, name, raising=False)
        yield {name: importlib.import_module(name) for name in OWN}
        for name in OWN:
            importlib.sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def case(scripts, tmp_path_factory):
    (found,) = scripts["sets"].cases(tmp_path_factory.mktemp("none"), small=True)
    return found[1]


@pytest.mark.slow
def test_an_experiment_says_what_the_public_verb_says(scripts, case):
    found = scripts["studies"].ablation(case, only=("default", "inflation 1"), draws=50)
    verb = electjax.ecological.estimate(case.data, draws=50)
    for name in scripts["sets"].CHECKED:
        np.testing.assert_allclose(found["default"][name], verb.attrs[name], atol=1e-6)
    assert found["inflation 1"]["mean_ei"] == found["default"]["mean_ei"]
    assert found["inflation 1"]["width_95"] < found["default"]["width_95"]


@pytest.mark.ci
def test_tables_of_one_fit_and_their_sum(scripts, case):
    found = scripts["studies"].tables(case)
    plain = scripts["studies"].ablation(case, only=("default",), draws=0)["default"]["mean_ei"]
    np.testing.assert_allclose(found["expected, balanced in each unit"], plain, atol=1e-3)
    assert all(0 < error < 20 for error in found.values())
    # misplaced votes that cancel between contests are none of the sum
    assert 0 < scripts["studies"].pooled(case, draws=50)["mean_ei"] < plain


@pytest.mark.ci
def test_criteria_are_relative_to_what_they_choose(scripts, case):
    found = scripts["studies"].chosen(case, {"0.15": {}, "8": {"tau": (8.0, 8.0, 8.0)}})
    for criterion in ("held_out", "evidence"):
        density = {name: row[criterion] for name, row in found["rows"].items()}
        assert density[found[criterion]] == 0
        assert min(density.values()) < 0
        assert found[criterion] == "0.15"  # nobody's deviations are of 8


@pytest.mark.ci
def test_wrong_names_cost_and_blank_ones_are_matched(scripts, case):
    found = scripts["studies"].names(case, draws=0)
    assert found["blanked"]["as_named"] > 0.8
    assert found["dealt out anew"]["mean_ei"] > found["named"]["mean_ei"] + 2


@pytest.mark.ci
def test_experiment_fills_its_tables(scripts, tmp_path):
    run = scripts["run"]
    text = "before\n<!-- begin tables -->\nold\n<!-- end tables -->\n<!-- begin names -->\nkept\n<!-- end names -->\n"
    found = run.measure(tmp_path, ["tables"], [], small=True, before={"names_before": 1})
    assert found["names_before"] == 1
    assert json.loads(json.dumps(found)) == found
    filled = run.filled(text, found)
    assert "balanced in each unit |" in filled
    assert "old" not in filled
    assert "kept" in filled
    readme = (ROOT / "experiments" / "ecological" / "README.md").read_text("utf-8")
    assert all(run.MARK.format(side, study) in readme for study in run.TABLES for side in ("begin", "end"))


def test_sets_that_are_absent_are_left_out(scripts, tmp_path):
    there = {name: case is not None for name, case in scripts["sets"].cases(tmp_path, small=False)}
    assert there == {"nz_2002": False, "nz_2014": False, "senc": False, "generated": True}
    assert str(tmp_path) in scripts["methods"].part("senc", tmp_path, False)["left_out"]


@pytest.mark.ci
def test_benchmark_times_and_checks_every_method(scripts, case):
    benchmark = scripts["methods"]
    found = benchmark.compared(benchmark.made(small=True), 1)
    assert found["em"]["x_em"] == 1
    assert all(row["seconds"] > 0 and row["compile_seconds"] >= 0 for row in found.values())
    error = {name: row["mean_ei"] for name, row in found.items()}
    assert error["context"] == error["context, no draws"] < min(error["em"], error["goodman"], error["least_squares"])
    assert error["independence"] == max(error.values())
    assert 0 < found["context"]["coverage_95"] <= 1
    assert "coverage_95" not in found["em"]
    table = benchmark.methods_table(
        "senc", {"contest": 1, "unit": 2, "peak_gib": 1, "methods": found}, benchmark.QUOTED
    )
    names = list(table.columns[0].cells)
    assert names[: len(found)] == list(found)
    assert all(name.startswith("quoted: ") for name in names[len(found) :])


@pytest.mark.slow
def test_padded_groups_are_fitted_as_their_contests_alone(scripts, case):
    sets = scripts["sets"]
    codes = sets.parts_of(case, 4)  # groups of three, padded to one shape
    for code, labels in zip(codes, np.array_split(case.data["contest"].values, len(codes)), strict=True):
        alone = electjax.ecological.estimate(electjax.ecological.select_contests(case.data, labels.tolist()), draws=0)
        width = tuple(alone.sizes[side] for side in ("row", "column"))
        wide = sets.widened(code, len(code.blocks.contest) + 2, len(code.pairs) + 3, tuple(n + 1 for n in width))
        own = sets.fitted(wide, draws=0).contests[:, : width[0], : width[1]]
        np.testing.assert_allclose(own, alone["cells"].values, atol=0.5)
