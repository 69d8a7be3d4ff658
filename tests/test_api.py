"""The public API: four namespaces with the same verbs, the same order of arguments, and an example that runs in each."""

import doctest
import inspect
import warnings
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

import electjax
from electjax.data.options import default_of, is_options

WINGS = ("districts", "voter_types", "calm", "ecological")
EVERYWHERE = {"read", "validate", "save", "load", "dataset", "simulate", "summary", "plot"}
VERBS = {
    "districts": {
        *("list", "describe", "list_models", "uniform", "pool_parties", "winning_margin", "to_inference_data"),
        *("calibrate", "predict", "counterfactual", "outcomes", "swing_curve", "geography"),
        *("recover", "sbc", "coverage", "tarp", "check", "compare", "identifiability", "sensitivity"),
    },
    "voter_types": {"recode", "stream", "yuma_like", "fit", "select", "predict", "residuals", "bootstrap"},
    "calm": {
        *("write", "madipur", "madipur_table", "fit", "predict", "counterfactual", "bootstrap", "nuts"),
        *("holdout", "placebo", "rho_curve", "mobilisation", "stability", "collinearity"),
    },
    "ecological": {"select_contests", "estimate", "table", "coverage", "calibrate_context"},
}
FIRST = {  # what a verb takes first, wherever it stands
    "predict": "fit",
    "counterfactual": "fit",
    "residuals": "fit",
    "bootstrap": "fit",
    "summary": "fit",
    "plot": "fit",
    "table": "fit",
    "check": "fit",
    "identifiability": "fit",
    "to_inference_data": "fit",
    "read": "path",
    "load": "path",
    "save": "dataset",
}
PUBLIC = [(wing, name) for wing in WINGS for name in sorted(VERBS[wing] | EVERYWHERE)] + [("bridges", "units_of_booths")]


def verb(wing: str, name: str):
    return getattr(getattr(electjax, wing), name)


@pytest.mark.parametrize("wing", WINGS)
def test_a_namespace_has_its_verbs_and_no_more(wing):
    space = getattr(electjax, wing)
    assert set(space.__all__) == VERBS[wing] | EVERYWHERE
    assert set(dir(space)) >= set(space.__all__)
    folder = Path(space.__file__).parent
    rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms & set(space.__all__) == set()  # else the name would mean a module once that is loaded


def test_the_package_has_four_namespaces_and_what_they_share():
    assert set(electjax.__all__) == {*WINGS, "bridges", "ElectionDataError", "ElectionDataWarning", "load", "save"}


@pytest.mark.parametrize(("wing", "name"), PUBLIC)
def test_options_are_keywords_that_the_signature_shows(wing, name):
    signature = inspect.signature(verb(wing, name))
    parameters = list(signature.parameters.values())
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters), "something is hidden"
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 3
    assert all(p.annotation is not p.empty for p in parameters)
    if name in FIRST and FIRST[name] != "dataset":
        assert positional[0].name == FIRST[name]


@pytest.mark.parametrize(("wing", "name"), PUBLIC)
def test_an_example_runs(wing, name):
    found = verb(wing, name)
    tests = doctest.DocTestFinder(recurse=False).find(found, name, module=False, globs={"electjax": electjax})
    examples = [test for test in tests if test.examples]
    assert examples, "no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for test in examples:
            runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


@pytest.mark.parametrize(("wing", "name"), PUBLIC)
def test_a_docstring_says_what_comes_back(wing, name):
    text = inspect.getdoc(verb(wing, name)) or ""
    assert len(text.splitlines()[0]) > 15
    if name not in ("save", "list", "list_models"):
        assert "Returns:" in text or "Return" in text.splitlines()[0] or "\n" in text


def groups():
    """All groups of options, by the module that declares them."""
    for wing in WINGS:
        module = import_module(f"electjax.{wing}.options")
        for found in vars(module).values():
            if is_options(found) and found.__module__ == module.__name__:
                yield wing, found


def test_every_option_has_a_meaning_and_its_default_is_allowed():
    from electjax.data.options import made, rows_of

    number = 0
    for wing, group in groups():
        for row in rows_of(group):
            number += 1
            assert row.meaning, f"{wing}: {group.__name__}.{row.name}"
        given = {item.name: default_of(item) for item in fields(group)}
        known = {name: value for name, value in given.items() if value is not inspect._empty and value is not default_of}
        required = {item.name for item in fields(group) if repr(default_of(item)).startswith("<dataclasses._MISSING")}
        if not required:
            made(group, {name: value for name, value in known.items() if name not in required}, where=wing)
    assert number > 100


def test_no_default_is_written_twice():
    """An option of one name has one declaration in a wing, or the same default in all of them."""
    for wing in WINGS:
        seen: dict[str, tuple[str, object]] = {}
        for owner, group in groups():
            if owner != wing:
                continue
            for name in vars(group).get("__annotations__", {}):  # its own fields, not those it inherits
                item = next(item for item in fields(group) if item.name == name)
                before = seen.setdefault(name, (group.__name__, default_of(item)))
                if name not in ("seed", "level", "draws", "replicates", "path", "name"):
                    assert before[0] == group.__name__, f"{wing}: {name} in {before[0]} and {group.__name__}"
