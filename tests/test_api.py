"""The public API: four namespaces with the same verbs and order of arguments, and an example that runs in each."""

import doctest
import inspect
import warnings
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import pytest

import electjax
from electjax.data.options import default_of, is_options, made, rows_of

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
    "read": "source",
}
PUBLIC = [(wing, name) for wing in WINGS for name in sorted(VERBS[wing] | EVERYWHERE)]
PUBLIC += [("bridges", "units_of_booths")]
LONG = {  # their examples run in CI, tests of the same calls always
    "calm": {"bootstrap", "counterfactual", "holdout", "mobilisation", "placebo"},
    "ecological": {"coverage"},
    "voter_types": {"bootstrap"},
}
EXAMPLES = [
    pytest.param(wing, name, marks=pytest.mark.ci if name in LONG.get(wing, ()) else ()) for wing, name in PUBLIC
]


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
    shared = {
        "bridges",
        "cache",
        "Description",
        "describe",
        "template",
        "ElectionDataError",
        "ElectionDataWarning",
        "load",
        "save",
        "Run",
    }
    assert set(electjax.__all__) == {*WINGS, *shared}


@pytest.mark.parametrize(("wing", "name"), PUBLIC)
def test_options_are_keywords_that_the_signature_shows(wing, name):
    signature = inspect.signature(verb(wing, name))
    parameters = list(signature.parameters.values())
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters), "something is hidden"
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 3
    assert all(p.annotation is not p.empty for p in parameters)
    if name in FIRST:
        assert positional[0].name == FIRST[name]


@pytest.mark.parametrize(("wing", "name"), EXAMPLES)
def test_an_example_runs(wing, name):
    found = verb(wing, name)
    tests = doctest.DocTestFinder(recurse=False).find(found, name, module=False, globs={})
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
def test_a_docstring_says_what_goes_in_and_what_comes_back(wing, name):
    text = inspect.getdoc(verb(wing, name)) or ""
    head = text.splitlines()[0]
    assert 15 < len(head) <= 120
    assert head[-1] in ".:?"
    if name not in ("list", "list_models", "describe", "load"):
        assert "Returns:" in text
    if any(p.kind is p.POSITIONAL_OR_KEYWORD for p in inspect.signature(verb(wing, name)).parameters.values()):
        assert "Args:" in text or "Options:" in text or name == "load"


def groups(wing):
    """All groups of options that a wing's options.py declares."""
    module = import_module(f"electjax.{wing}.options")
    return [found for found in vars(module).values() if is_options(found) and found.__module__ == module.__name__]


@pytest.mark.parametrize("wing", WINGS)
def test_every_option_has_a_meaning_and_a_default_that_is_allowed(wing):
    assert groups(wing)
    for group in groups(wing):
        for row in rows_of(group):
            assert row.meaning, f"{group.__name__}.{row.name}"
        given = {item.name: default_of(item) for item in fields(group)}
        if MISSING not in given.values():
            made(group, given, where=wing)


@pytest.mark.parametrize("wing", WINGS)
def test_no_default_is_written_twice(wing):
    """Two groups that declare an option of one name mean something else by it; what is the same is inherited."""
    seen: dict[tuple[str, str], str] = {}
    for group in groups(wing):
        for name in inspect.get_annotations(group):
            meaning = next(item.metadata["meaning"] for item in fields(group) if item.name == name)
            assert seen.setdefault((name, meaning), group.__name__) == group.__name__, name
