"""What is added by one file: found without a list, and bound by the same contracts as what was there."""

import importlib
import inspect
from dataclasses import fields
from pathlib import Path
from pkgutil import iter_modules

import jax
import numpy as np
import pytest

import electjax
from electjax.data.options import default_of, kind_of, made, rows_of
from electjax.data.table import make_table
from electjax.districts import kernels, readers
from electjax.districts.abc import methods as method_folder
from electjax.districts.abc import statistics as statistic_folder
from electjax.districts.abc.methods import METHODS
from electjax.districts.abc.problem import Method, Statistic
from electjax.districts.abc.statistics import STATISTICS
from electjax.districts.models import SIMULATORS, Simulator
from electjax.districts.models import __path__ as model_path
from electjax.districts.models.base import DISTRICTS, PARTIES, make_plan
from electjax.districts.options import method_group, model_group, split_values
from electjax.districts.readers.base import Reader
from electjax.numerics.registry import declared_in
from tests.districts.runs import contest, outcomes

COIN = '''
"""Coin Model: every district is a fair draw among the parties."""

import jax.numpy as jnp

from electjax.districts.kernels.dirichlet_multinomial import urns_log
from electjax.districts.models.base import DISTRICTS, Parameter, Polled, Simulator, option, options
from electjax.numerics import random


@options
class CoinOptions:
    """Which coin."""

    bias: float = option(0.0, "log-odds of the first party", low=-3, high=3)


def poll(key, contest, params, *, options, plan):
    weights = params["evenness"] + 0.0 * contest.popularity + jnp.exp(options.bias) - 1.0
    bits = random.random_bits(key, jnp.arange(contest.electors.shape[0]), contest.popularity.shape[0])
    shares = jnp.broadcast_to(weights[:, None], (weights.shape[0], contest.electors.shape[0]))
    return Polled(random.multinomial(bits, contest.electors, shares).T)


COIN = Simulator(
    name="coin",
    title="Coin Model",
    source="nobody",
    parameters=(Parameter("evenness", "e", 1.0, (0.1, 10.0), "weight of every party", prior=(0.5, 2.0)),),
    options=CoinOptions,
    poll=poll,
    schedule=lambda contest, *, options: None,
    holds=lambda options: frozenset({DISTRICTS}),
    one_by_one=lambda options: False,
)
'''
READER = '''
"""Shouted CSV: DISTRICT!, PARTY!, VOTES!"""

import numpy as np

from electjax.districts.builders import dataset
from electjax.districts.readers.base import Reader


def read(table, options):
    district, party = (table.column(name) for name in ("DISTRICT!", "PARTY!"))
    votes = np.zeros((len(district.texts), len(party.texts)), np.int64)
    votes[district.codes, party.codes] = table.counts(table.need("VOTES!"))
    return dataset(votes, districts=district.texts, parties=party.texts)


SHOUTED = Reader("shouted CSV", "DISTRICT!, PARTY!, VOTES!", lambda table: "VOTES!" in table.names, read)
'''
STATISTIC = '''
"""Largest vote."""

import jax.numpy as jnp

from electjax.districts.abc.problem import Statistic

LARGEST = Statistic("largest", "largest share of the votes of a district", lambda votes, winner: jnp.max(
    votes / jnp.sum(votes, axis=1, keepdims=True)))
'''
METHOD = '''
"""First come: the first simulations, whatever they are."""

import numpy as np

from electjax.districts.abc.generation import permitted_draws
from electjax.districts.abc.problem import Method, equally_weighted, evaluate


def first(key, problem, *, budget, accept, tolerance, options, progress=None):
    number = min(budget, accept)
    draws = evaluate(key, np.arange(number), permitted_draws(key, 0, number, problem), problem)
    return equally_weighted(draws, problem, tolerance=np.inf, accept=accept, from_prior=True)


FIRST = Method("first", "The first simulations", first, weighting=lambda options: "equal", tolerance=1.0)
'''


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Add a module of this text to the folder of a package, for the time of a test."""

    def add(package: str, name: str, text: str):
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
        home = importlib.import_module(package)
        monkeypatch.setattr(home, "__path__", [*home.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        return home

    return add


# ------------------------------------------------------------------------------------------------ contracts


def check_simulator(model: Simulator) -> None:
    """Declared in full, and elections that keep the sums they promise."""
    assert model.title
    assert model.source
    assert all(row.meaning for row in rows_of(model.options)), model.name
    for parameter in model.parameters:
        assert parameter.meaning
        low, high = parameter.support
        assert np.all((np.asarray(parameter.default) >= low) & (np.asarray(parameter.default) <= high))
        assert parameter.prior is None or low <= parameter.prior[0] < parameter.prior[1] <= high
    made(model.options, {}, where=model.name)
    options = model.options()
    election = contest((40, 60, 50), (0.2, 0.3, 0.5))
    plan = make_plan(model, election, options=options)
    assert hash(plan) == hash(make_plan(model, election, options=options))
    assert model.holds(options) <= {DISTRICTS, PARTIES}


def check_reader(reader: Reader) -> None:
    """It does not take what is nobody's."""
    assert reader.name
    assert reader.layout
    assert not reader.matches(make_table("a.csv", np.array([2]), ["nothing"], [(np.zeros(1, int), ["x"])]))


def check_statistic(statistic: Statistic) -> None:
    """A pure function of an election."""
    assert statistic.meaning
    if statistic.of is not None:
        votes = np.array([[3, 1, 2], [1, 5, 4]], np.int32)
        found = np.asarray(jax.jit(statistic.of)(votes, np.array([0, 1], np.int32)))
        assert found.ndim <= 1
        assert np.isfinite(found).all()


def check_method(method: Method) -> None:
    """Its options have defaults and meanings, and its search takes what all are given."""
    assert method.title
    assert all(row.meaning for row in rows_of(method.options)), method.name
    made(method.options, {}, where=method.name)
    asked = {"budget", "accept", "tolerance", "options", "progress"}
    assert asked <= set(inspect.signature(method.search).parameters)
    assert method.weighting(method.options())


@pytest.mark.parametrize("name", SIMULATORS)
def test_every_simulator_keeps_the_contract(name):
    check_simulator(SIMULATORS[name])


@pytest.mark.parametrize("reader", readers.READERS, ids=lambda reader: reader.name)
def test_every_reader_keeps_the_contract(reader):
    check_reader(reader)


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_keeps_the_contract(name):
    check_statistic(STATISTICS[name])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_the_contract(name):
    check_method(METHODS[name])


@pytest.mark.parametrize("module", sorted(info.name for info in iter_modules(kernels.__path__)))
def test_every_kernel_says_what_it_takes_and_gives(module):
    """Public functions of kernels have a docstring, and a type for every argument and result."""
    found = importlib.import_module(f"electjax.districts.kernels.{module}")
    own = [value for value in vars(found).values() if inspect.isfunction(value) and value.__module__ == found.__name__]
    public = [value for value in own if not value.__name__.startswith("_")]
    assert found.__doc__
    assert public or any(inspect.isclass(value) for value in vars(found).values())
    for function in public:
        assert function.__doc__, function.__name__
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, function.__name__
        assert all(p.annotation is not p.empty for p in signature.parameters.values()), function.__name__


# -------------------------------------------------------------------------------------- added by one file


def test_a_simulator_is_added_by_one_file(added, monkeypatch):
    assert Path(model_path[0]).name == "models"
    added("electjax.districts.models", "coin", COIN)
    found = declared_in("electjax.districts.models", Simulator)
    assert list(found) == ["coin", "dm", "dpm", "ecm", "pcm", "sim"]
    check_simulator(found["coin"])
    monkeypatch.setitem(SIMULATORS, "coin", found["coin"])
    assert (outcomes("coin", contest((40, 60), (0.4, 0.6)), runs=4).votes.sum(axis=2) == [40, 60]).all()
    assert [row.name for row in rows_of(model_group("coin"))] == ["evenness", "bias", "priors"]


def test_a_reader_is_added_by_one_file(added, monkeypatch, tmp_path):
    added("electjax.districts.readers", "shouted", READER)
    found = readers.find_readers()
    assert [reader.name for reader in found[-2:]] == ["tidy CSV", "wide CSV"]  # general ones are asked last
    check_reader(next(reader for reader in found if reader.name == "shouted CSV"))
    monkeypatch.setattr("electjax.districts.verbs.read.READERS", found)
    (tmp_path / "returns.csv").write_text("DISTRICT!,PARTY!,VOTES!\nX,A,3\nX,B,1\n", "utf-8")
    assert electjax.districts.read(tmp_path / "returns.csv")["winner"].values.tolist() == ["A"]


def test_a_statistic_is_added_by_one_file(added):
    added("electjax.districts.abc.statistics", "largest", STATISTIC)
    found = declared_in(statistic_folder.__name__, Statistic)
    assert list(found) == ["largest", "log_votes"]
    check_statistic(found["largest"])


def test_a_method_is_added_by_one_file(added):
    added("electjax.districts.abc.methods", "first", METHOD)
    found = declared_in(method_folder.__name__, Method)
    assert list(found) == ["exact", "explore_exploit", "first", "rejection", "smc"]
    check_method(found["first"])


def test_two_of_one_name_are_refused(added):
    added("electjax.districts.abc.statistics", "again", STATISTIC.replace('"largest"', '"log_votes"'))
    with pytest.raises(ValueError, match="two of the name 'log_votes'"):
        declared_in(statistic_folder.__name__, Statistic)


# --------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("name", SIMULATORS)
def test_a_configuration_of_a_model_parts_into_parameters_and_options(name):
    group, model = model_group(name), SIMULATORS[name]
    values = {item.name: default_of(item) for item in fields(group) if item.name != "priors"}
    params, options = split_values(name, values)
    assert {key: tuple(value) if isinstance(value, list) else value for key, value in params.items()} == model.defaults
    assert vars(model.options(**options)) == vars(model.options())


def test_a_word_stands_for_the_option_of_the_same_name():
    asked = made(model_group("sim"), {"kappa": "beta", "shares": "drawn"}, where="model")
    params, options = split_values("sim", {"kappa": asked.kappa, "shares": asked.shares})
    assert (params, options) == ({}, {"kappa": "beta", "shares": "drawn"})
    with pytest.raises(electjax.ElectionDataError, match=r"model\(kappa=\): found 'alpha'"):
        made(model_group("sim"), {"kappa": "alpha"}, where="model")


@pytest.mark.parametrize("name", METHODS)
def test_a_configuration_of_a_method_has_what_calibrate_takes(name):
    shown = inspect.signature(electjax.districts.calibrate).parameters
    for item in fields(method_group(name)):
        assert item.name in shown
        assert shown[item.name].kind is inspect.Parameter.KEYWORD_ONLY
        assert item.name == "method" or kind_of(item.type) == kind_of(shown[item.name].annotation)
    assert default_of(fields(method_group(name))[0]) == name


def test_every_option_of_every_method_is_visible():
    for verb in (electjax.districts.calibrate, electjax.districts.recover, electjax.districts.compare):
        shown = inspect.signature(verb).parameters
        assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in shown.values())
        for method in METHODS.values():
            assert {item.name for item in fields(method.options)} <= set(shown)
