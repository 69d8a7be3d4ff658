"""Where the host meets the device: random numbers from a key, and computing in double precision."""

from contextlib import AbstractContextManager
from importlib import import_module

import jax
import numpy as np
from jax import Array


def host_generator(key: Array) -> np.random.Generator:
    """A numpy generator seeded by the key, for what is too small or too irregular for the device."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())


def double_precision() -> AbstractContextManager[object]:
    """A context in which jax computes in 64 bits, on this thread only."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return import_module("jax.experimental").enable_x64(True)  # as it was called before
