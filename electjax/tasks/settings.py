"""What a task needs to know, as plain values: no configuration library below `config.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKPOINTED = frozenset({"smc"})  # methods that can be interrupted and continued
CRITERIA = ("aic", "bic", "sabic", "caic", "icl")  # that choose a number of types


@dataclass(frozen=True)
class ModelSettings:
    """One model: the values of its parameters and options by name, and the parameters' priors.

    `priors` maps a parameter to its prior, as `electjax.calibrate` takes it; only these are calibrated.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TypesSettings:
    """Voter types: the numbers of types to fit, and what chooses among them (a criterion, or one of the numbers).

    `blrt` and `bootstrap` are numbers of replicates, 0 for none; `options` go to `electjax.fit_types` by name.
    """

    counts: tuple[int, ...] = (3,)
    choose: str | int = "bic"
    blrt: int = 0
    bootstrap: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Everything but the election itself.

    `checkpoints` is where calibrations are kept while they run, a folder per model; None: nowhere. `scenarios` are
    those of the task counterfactual, `types` the settings of the task types.
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
    types: TypesSettings = field(default_factory=TypesSettings)
