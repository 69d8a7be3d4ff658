"""What a task needs to know, as plain values: no configuration library below `config.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelSettings:
    """One model: the values of its parameters and options by name, and the parameters' priors.

    `priors` maps a parameter to the bounds of its uniform prior; only these are calibrated.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Everything but the election itself."""

    models: Mapping[str, ModelSettings]
    engine: str = "leap"
    seed: int = 0
    runs: int = 100
    optimal_runs: int = 200
    budget: int = 20_000
    method: str = "explore_exploit"
    method_options: Mapping[str, Any] = field(default_factory=dict)
