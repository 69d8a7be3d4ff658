"""What a task needs to know, as plain values: no configuration library below `config.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKPOINTED = frozenset({"smc"})  # methods that can be interrupted and continued
CRITERIA = ("aic", "bic", "sabic", "caic", "icl")  # that choose a number of types
BASELINES = ("goodman", "least_squares", "em", "independence")  # of the task ecological
DIAGNOSTICS = ("holdout", "placebo", "rho", "mobilisation", "stability", "collinearity")  # of the task calm


@dataclass(frozen=True)
class ModelSettings:
    """One model: the values of its parameters and options by name, and the parameters' priors.

    `priors` maps a parameter to its prior, as `electjax.districts.calibrate` takes it; only these are calibrated.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TypesSettings:
    """Voter types: the numbers of types to fit, and what chooses among them (a criterion, or one of the numbers).

    `blrt` and `bootstrap` are numbers of replicates, 0 for none; `options` go to `electjax.voter_types.fit` by name.
    """

    counts: tuple[int, ...] = (3,)
    choose: str | int = "bic"
    blrt: int = 0
    bootstrap: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CalmSettings:
    """The candidate-aware model: `options` go to `electjax.calm.fit` by name, and to every diagnostic.

    `diagnostics` are some of `DIAGNOSTICS`, with options of their own by name in `diagnostic_options`. `candidates` are
    those of another world, by constituency, party and axis; `draws` of the parameters tell how sure its result is,
    and 0 leaves it out. `example` asks for the affinity vectors of the document's example.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    diagnostics: tuple[str, ...] = ()
    diagnostic_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    candidates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    draws: int = 200
    example: bool = False


@dataclass(frozen=True)
class EcologicalSettings:
    """Ecological inference: `options` go to `ecological.estimate` by name; `baselines` are estimated beside it."""

    options: Mapping[str, Any] = field(default_factory=dict)
    baselines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything but the election itself.

    `checkpoints` is where calibrations are kept while they run, a folder per model; None: nowhere. `scenarios` are
    those of the task counterfactual, `types`, `calm` and `ecological` the settings of the tasks of these names.
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
    calm: CalmSettings = field(default_factory=CalmSettings)
    ecological: EcologicalSettings = field(default_factory=EcologicalSettings)
