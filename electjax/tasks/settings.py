"""What a task needs to know, as plain values: no configuration library below `config.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKPOINTED = frozenset({"smc"})  # methods that can be interrupted and continued


@dataclass(frozen=True)
class ModelSettings:
    """One model: the values of its parameters and options by name, and the parameters' priors.

    `priors` maps a parameter to its prior, as `electjax.calibrate` takes it; only these are calibrated.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Everything but the election itself.

    `checkpoints` is where calibrations are kept while they run, a folder per model; None: nowhere. `scenarios` are
    those of the task counterfactual.
    """

    models: Mapping[str, ModelSettings]
    engine: str = "leap"
    seed: int = 0
    runs: int = 100
    optimal_runs: int = 200
    budget: int = 20_000
    method: str = "smc"
    method_options: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Path | None = None
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
