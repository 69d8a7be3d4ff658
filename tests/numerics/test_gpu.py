"""On an accelerator: the same law as on the CPU. Run with `pytest -m gpu`."""

import jax
import numpy as np
import pytest

import electjax

RUNS = 1000


def accelerator():
    if jax.default_backend() == "cpu":
        pytest.skip("no accelerator: JAX's default backend is the CPU")
    return jax.devices()[0]


@pytest.mark.gpu
@pytest.mark.parametrize("rule", ["none", "interleaved", "by_district"])
def test_the_accelerator_and_the_cpu_simulate_the_same_law(rule):
    delhi = electjax.districts.load("delhi2020")
    params, options = {"gamma": 0.85}, {"bookkeeping": rule}
    with jax.default_device(accelerator()):
        there = electjax.districts.simulate(delhi, "dpm", params, options=options, runs=RUNS, seed=1)
    with jax.default_device(jax.devices("cpu")[0]):
        here = electjax.districts.simulate(delhi, "dpm", params, options=options, runs=RUNS, seed=2)
    for name in ("seats", "mwm", "swm", "vote_fraction"):
        gap = np.abs(there[name].mean("run").values - here[name].mean("run").values)
        error = np.sqrt((there[name].var("run").values + here[name].var("run").values) / RUNS)
        assert (gap <= 4.5 * error + 1e-6).all(), name
