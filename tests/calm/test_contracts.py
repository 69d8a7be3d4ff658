"""What is added by one file: kernels of axes and diagnostics. Whatever is in their folders is checked here."""

import inspect
import json
from dataclasses import fields

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.calm import diagnostics, options, schema
from electjax.calm.codec import encode_booths
from electjax.calm.model.affinity import raw
from electjax.data import axes as ax
from electjax.data import kernels
from electjax.data.errors import ElectionDataError
from electjax.data.options import rows_of
from electjax.data.verdict import verdict_of

HOW = {"model": "recommended", "context": 0}
QUICK = {"placebo": {"permutations": 19}, "rho_curve": {"values": (0.3, 0.6)}, "stability": {"refit": False}}
FAR = """
import numpy as np

EXAMPLE = {"categories": ["a", "b"], "kernel": "far"}
CATEGORIES, START = True, None


def read(found, size, fault):
    return None


def matrices(size, kept):
    return np.ones((size, size)) - np.eye(size), np.zeros((size, size))
"""


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate("tiny")


# ------------------------------------------------------------------------------------ kernels


@pytest.mark.parametrize("name", ax.kernel_names())
def test_a_kernel_is_what_an_axis_asks_of_it(name):
    kernel = ax.kernel_of(name)
    assert kernel.__doc__.startswith(f"{name}: ")
    assert kernel.EXAMPLE["kernel"] == name
    (axis,) = axes = ax.axes_of({"x": kernel.EXAMPLE})
    assert ax.axes_of(ax.axes_json(axes)) == axes
    assert bool(axis.categories) == kernel.CATEGORIES
    size = len(axis.categories)
    fixed, band = kernel.matrices(size, axis.proximity)
    assert fixed.shape == band.shape == (size, size)
    assert ((fixed >= 0) & (fixed + band <= 1)).all()
    assert bool(band.any()) == (kernel.START is not None)
    with pytest.raises(ElectionDataError, match=r"axes\.x\.proximity: .*; expected .*") as caught:
        ax.axes_of({"x": kernel.EXAMPLE | {"proximity": "near"}})
    assert "\n" not in str(caught.value)


def test_a_new_kernel_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "far.py").write_text(FAR)
    monkeypatch.setattr(kernels, "__path__", [*kernels.__path__, str(tmp_path)])
    axes = {"side": {"categories": ["a", "b"], "kernel": "far"}}
    booths = electjax.calm.simulate("tiny", axes=axes, parties=["A", "B"], booths=2)
    found = encode_booths(booths)
    g = np.asarray(raw(found.frame, np.zeros(1)))[..., 0]  # [a, c, k]
    same = booths["cell_category"].values[:, 0][None, :, None] == booths["candidate_category"].values[:, None, :, 0]
    np.testing.assert_array_equal(g, ~same)


# ------------------------------------------------------------------------------------ diagnostics


@pytest.mark.parametrize("name", options.diagnostic_names())
def test_a_diagnostic_declares_itself(name):
    verb = getattr(electjax.calm, name)
    module = inspect.getmodule(inspect.unwrap(verb))
    assert module.__name__ == f"{diagnostics.__name__}.{name}"
    assert module.SCHEMA.name == f"calm {name}"
    assert module.SCHEMA in schema.schemas()
    booths, *others = inspect.signature(verb).parameters.values()
    assert booths.name == "booths"
    assert all(other.kind is other.KEYWORD_ONLY for other in others)
    assert {item.name for item in fields(options.FitOptions)} <= {other.name for other in others}
    for section in ("Args:", "Options:", "Returns:", "Raises:", "Example:"):
        assert section in verb.__doc__


@pytest.mark.parametrize("name", options.diagnostic_names())
def test_a_diagnostic_says_what_it_found(name, booths, tmp_path):
    found = getattr(electjax.calm, name)(booths, **HOW | QUICK.get(name, {}))
    assert found.attrs["finding"].endswith(".")
    assert verdict_of(found.attrs) is not None
    assert found.attrs["finding"] in repr(found)
    assert json.loads(found.attrs["options"])["model"] == "recommended"
    xr.testing.assert_identical(electjax.calm.validate(found), found)
    path = electjax.calm.save(found.drop_attrs(deep=False).assign_attrs(_kept(found)), tmp_path / "found.nc")
    xr.testing.assert_equal(electjax.calm.load(path), found)
    for variable in found.data_vars.values():
        assert {"long_name", "units"} <= set(variable.attrs)


def _kept(found):
    return {key: value for key, value in found.attrs.items() if value is not None}


# ------------------------------------------------------------------------------------ options


def test_an_option_has_a_meaning_and_one_default():
    groups = [getattr(options, name) for name in dir(options) if name.endswith("Options")]
    assert len(groups) > 7
    for group in groups:
        assert all(row.meaning for row in rows_of(group)), group
    shown = inspect.signature(electjax.calm.fit).parameters
    assert shown["lambda_b"].default == options.FitOptions.lambda_b == 8.0


@pytest.mark.parametrize("verb", ["predict", "counterfactual", "bootstrap"])
def test_what_was_estimated_comes_first(verb):
    first, second, *others = inspect.signature(getattr(electjax.calm, verb)).parameters.values()
    assert (first.name, second.name) == ("fit", "booths")
    assert all(other.kind is other.KEYWORD_ONLY for other in others)
