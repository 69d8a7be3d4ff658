"""The configuration: where `conf/` lies, its values as plain settings, and what to say when a key is wrong.

`schemas.py` says which keys there are.
"""

import difflib
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from electjax.run.schemas import (
    SCHEMAS,
    BallotsData,
    BoothsData,
    CatalogueData,
    Config,
    CsvData,
    GeneratedBooths,
    GeneratedUnits,
    MadipurData,
    Task,
    UnitsData,
)
from electjax.run.settings import (
    BASELINES,
    CRITERIA,
    DIAGNOSTICS,
    CalmSettings,
    EcologicalSettings,
    ModelSettings,
    Settings,
    TypesSettings,
)

POPULARITY = "popularity"  # may be calibrated where a model takes it, and is no parameter of any
PRIOR_KINDS = ("dirichlet", "around", "levels")
CHANGES = ("popularity", "swing", "parameters", "districts")  # of a scenario
_ELECTION_KEYS = ("models", "inference", "engine", "runs", "optimal_runs", "budget", "scenarios")
_FITS = {Task.types: "types", Task.calm: "calm", Task.ecological: "ecological"}  # sections of their own, by task


class _Kind(NamedTuple):
    """A kind of data other than returns."""

    name: str
    schemas: tuple[type, ...]
    example: str


_KIND_OF = {  # by the task that takes it
    Task.types: _Kind("ballots", (BallotsData,), "data=ballots data.path=my.csv"),
    Task.calm: _Kind("booths", (BoothsData, GeneratedBooths, MadipurData), "data=booths data.path=my_folder"),
    Task.ecological: _Kind("units", (UnitsData, GeneratedUnits), "data=units data.path=my.csv"),
}


class ConfigError(ValueError):
    """A setting that is well typed and still makes no sense; the message begins with its key."""


def register() -> None:
    """Hand the schemas and the resolvers to Hydra; calling it twice does no harm."""
    store = ConfigStore.instance()
    config = OmegaConf.structured(Config)
    store.store(name="schema", node=_open(config))
    for group, nodes in SCHEMAS.items():
        for name, node in nodes.items():
            store.store(group=f"schema/{group}", name=name, node=_open(OmegaConf.structured(node)))
    OmegaConf.register_new_resolver("electjax.stem", _stem, replace=True)
    OmegaConf.register_new_resolver("electjax.sweep", _in_sweep, replace=True)
    OmegaConf.register_new_resolver("electjax.groups", describe_groups, replace=True)
    OmegaConf.register_new_resolver("electjax.keys", describe_keys, replace=True)


def _open(config: DictConfig) -> DictConfig:
    """Let the user's own names stand in a section that has any: there a new one needs no plus on the command line."""
    for key in ("scenarios", "rho", "diagnostic_options", "candidates"):
        if key in config:
            OmegaConf.set_struct(config[key], False)
    return config


def _stem(without: str = "returns", *, _parent_: DictConfig) -> str:
    """The file name of the `path` beside the key; `without` while there is none, as it is before a sweep."""
    path = OmegaConf.select(_parent_, "path")
    return Path(str(path).removesuffix(".gz")).stem if path else without


def _in_sweep(job: Any, alone: Any) -> Any:
    """One value for the jobs of a sweep, which shall be quick, another for a run of its own."""
    return job if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN else alone


def conf_dir() -> Path:
    """Absolute path of the configuration files: inside an installed package, else beside a source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def describe_keys() -> str:
    """The commented keys of `conf/config.yaml`, as they stand there."""
    lines = (conf_dir() / "config.yaml").read_text("utf-8").splitlines()
    said = "\n".join(f"  {line}" for line in lines if re.match(r"\w+: .*# ", line))
    return said.replace("$", "$$")  # Hydra substitutes what it knows in the help text


def describe_groups() -> str:
    """One line per option of each group: `data=delhi2020  what its file's first comment says`."""
    lines = []
    for group in sorted(path for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra"):
        plus = "+" if group.name in ("experiment", "sweep") else ""
        for file in sorted(group.glob("*.yaml")):
            comments = [line[2:] for line in file.read_text("utf-8").splitlines() if line.startswith("# ")]
            said = next((line for line in comments if not line.startswith("@package")), "")
            lines.append(f"  {plus + group.name + '=' + file.stem:<27} {said}".rstrip())
        lines.append("")
    return "\n".join(lines).rstrip()


# ------------------------------------------------------------------------------------ to plain settings


def _check(key: str, good: bool, expected: str, got: object) -> None:
    if not good:
        raise ConfigError(f"{key}: expected {expected}, got {got!r}")


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, Enum) else value


def _is_numeric(value: object) -> bool:
    """A number, or a list of numbers, or of such lists."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _section(cfg: DictConfig, key: str) -> dict[str, Any]:
    """The values under a key, which must be a section with no key that its schema does not have."""
    node = OmegaConf.select(cfg, key)
    _check(key, isinstance(node, DictConfig), "a section, not a single value", node)
    schema = OmegaConf.get_type(node)
    if is_dataclass(schema):  # a `+key=value` on the command line passes Hydra's own check
        known = [item.name for item in fields(schema)]
        for name in node:
            _check(f"{key}.{name}".lstrip("."), name in known, f"one of {', '.join(known)}", name)
    for name in node:
        if OmegaConf.is_missing(node, name):
            raise ConfigError(f"{key}.{name}: missing; give it as {key}.{name}=...")
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}


def _model_settings(cfg: DictConfig, name: str) -> ModelSettings:
    values = _section(cfg, f"models.{name}")
    priors = {}
    for parameter, prior in values.pop("priors", {}).items():
        key = f"models.{name}.priors.{parameter}"
        _check(key, parameter in values or parameter == POPULARITY, f"one of {', '.join(values)}", parameter)
        priors[parameter] = _prior(key, prior)
    schema = OmegaConf.get_type(cfg.models[name])
    for item in fields(schema) if is_dataclass(schema) else ():
        value, words = values.get(item.name), item.metadata.get("words", ())
        if item.name in values and not isinstance(value, Enum | bool):
            expected = " or ".join(["a number", "a list of numbers", *words])
            _check(f"models.{name}.{item.name}", _is_numeric(value) or value in words, expected, value)
    return ModelSettings(values={key: _plain(value) for key, value in values.items()}, priors=priors)


def _prior(key: str, prior: Any) -> Any:
    """A prior as the library takes it; whether it fits its parameter is for the library to say."""
    if isinstance(prior, dict):
        kinds = ", ".join(f"{{{kind}: ...}}" for kind in PRIOR_KINDS)
        good = len(prior) == 1 and set(prior) <= set(PRIOR_KINDS) and all(map(_is_numeric, prior.values()))
        _check(key, good, f"[low, high] or one of {kinds} with numbers", prior)
        return prior
    good = isinstance(prior, list) and len(prior) == 2 and all(_is_numeric(bound) for bound in prior)
    _check(key, good and prior[0] < prior[1], "numbers [low, high] with low < high", prior)
    return float(prior[0]), float(prior[1])


def _statistics(given: str) -> Any:
    """A name that the library knows, or the user's function that `package.module:function` points to.

    Modules of the working folder are found, as `python -m` finds them.
    """
    module, colon, name = given.partition(":")
    if not colon:
        return given
    key = "inference.statistics"
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the module is the user's, and so is what goes wrong in it
        raise ConfigError(f"{key}: {given}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    _check(key, callable(found), f"a function called {name} in {module}", given)
    return found


def _scenarios(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """What would have been different, by name; whether it is possible is for the library to say."""
    scenarios = _section(cfg, "scenarios")
    example = "sections such as scenarios.larger={districts: 140}"
    _check("scenarios", bool(scenarios) or cfg.task != Task.counterfactual, example, scenarios)
    for name, changes in scenarios.items():
        key, known = f"scenarios.{name}", ", ".join(CHANGES)
        _check(key, isinstance(changes, dict) and bool(changes), f"some of {known}", changes)
        for change in changes:
            _check(f"{key}.{change}", change in CHANGES, f"one of {known}", change)
    return scenarios


def to_settings(cfg: DictConfig) -> Settings:
    """The plain settings that the tasks take.

    Raises ConfigError: a number out of its range, no model, an unknown key, a prior for an unknown parameter, data of
    another kind than the task's.
    """
    known = [item.name for item in fields(Config)]
    for key in cfg:
        _check(str(key), key in known, f"one of {', '.join(known)}", key)
    lowest = {"seed": 0, "runs": 1, "optimal_runs": 1, "budget": 1}
    for key, low in lowest.items():
        _check(key, cfg[key] >= low, f"at least {low}", cfg[key])
    _check("seed", cfg.seed < 2**32, "less than 2^32", cfg.seed)
    _check_kind(cfg)
    if cfg.task == Task.types:
        return Settings(models={}, seed=cfg.seed, types=_types_settings(cfg))
    if cfg.task == Task.calm:
        return Settings(models={}, seed=cfg.seed, calm=_calm_settings(cfg))
    if cfg.task == Task.ecological:
        return Settings(models={}, seed=cfg.seed, ecological=_ecological_settings(cfg))
    _check("model", len(cfg.models) > 0, "at least one model, as in model=[dm,dpm]", [])
    options = {key: _plain(value) for key, value in _section(cfg, "inference").items()}
    if "statistics" in options:
        options["statistics"] = _statistics(options["statistics"])
    return Settings(
        models={str(name): _model_settings(cfg, str(name)) for name in cfg.models},
        engine=cfg.engine.name,
        seed=cfg.seed,
        runs=cfg.runs,
        optimal_runs=cfg.optimal_runs,
        budget=cfg.budget,
        method=options.pop("method"),
        method_options=options,
        scenarios=_scenarios(cfg),
    )


def _check_kind(cfg: DictConfig) -> None:
    """The data are of the kind that the task takes: ballots, booths, units, or else returns."""
    given = next((kind for kind in _KIND_OF.values() if OmegaConf.get_type(cfg.data) in kind.schemas), None)
    wanted = _KIND_OF.get(cfg.task)
    if wanted is not None:
        expected = f"{wanted.name} for task={cfg.task.name}, as in {wanted.example}"
        _check("data", given is wanted, expected, cfg.data.get("name"))
    elif given is not None:
        task = next(task for task, kind in _KIND_OF.items() if kind is given)
        expected = f"returns for task={cfg.task.name}; {given.name} are for task={task.name}"
        _check("data", False, expected, given.name)


def _types_settings(cfg: DictConfig) -> TypesSettings:
    """The section of the voter types; what is left to `voter_types.fit` by its own defaults is left out."""
    values = {key: _plain(value) for key, value in _section(cfg, "types").items() if value is not None}
    counts = values.pop("types") if isinstance(values["types"], list) else [values.pop("types")]
    whole = bool(counts) and all(type(count) is int and count >= 1 for count in counts)
    _check("types.types", whole, "a whole number of at least 1, or a list of such", counts)
    choose = values.pop("choose")
    chosen = f"one of {', '.join(CRITERIA)}, or one of types.types"
    _check("types.choose", choose in CRITERIA or choose in counts, chosen, choose)
    lowest = {"restarts": 1, "max_maps": 1, "ridge": 0, "blrt": 0, "bootstrap": 0}
    for key, low in lowest.items():
        if key in values:
            _check(f"types.{key}", values[key] >= low, f"at least {low}", values[key])
    share = values.get("prune", 1.0)
    _check("types.prune", 0 < share <= 1, "a share between 0 and 1", share)
    _check("types.tolerance", values["tolerance"] > 0, "a positive number", values["tolerance"])
    _check("types.level", 0 < values["level"] < 1, "a number between 0 and 1", values["level"])
    covariates = values.get("covariates", [])
    words = isinstance(covariates, list) and all(isinstance(name, str) for name in covariates)
    _check("types.covariates", words, "a list, as in [age,party]", covariates)
    return TypesSettings(
        counts=tuple(sorted(set(counts))),
        choose=choose,
        blrt=values.pop("blrt"),
        bootstrap=values.pop("bootstrap"),
        options=values,
    )


def _calm_settings(cfg: DictConfig) -> CalmSettings:
    """The section of the candidate-aware model; what is left to `calm.fit` by its own defaults is left out."""
    values = {key: _plain(value) for key, value in _section(cfg, "calm").items() if value is not None}
    for key, value in values.items():
        if key.startswith("lambda_"):
            _check(f"calm.{key}", value >= 0, "at least 0", value)
    rhos = {"rho_age": values.get("rho_age", 0.0)} | {f"rho.{axis}": rho for axis, rho in values["rho"].items()}
    for key, rho in rhos.items():
        _check(f"calm.{key}", 0 <= rho <= 1, "a number between 0 and 1", rho)
    _check("calm.level", 0 < values["level"] < 1, "a number between 0 and 1", values["level"])
    _check("calm.holdout", 0 <= values["holdout"] <= 0.9, "a share from 0 to 0.9", values["holdout"])
    _check("calm.tower", values["tower"] >= 0, "a rank of at least 0", values["tower"])
    _check("calm.draws", values["draws"] == 0 or values["draws"] >= 2, "at least 2, or 0", values["draws"])
    diagnostics = values.pop("diagnostics")
    known = f"a list of some of {', '.join(DIAGNOSTICS)}"
    _check("calm.diagnostics", isinstance(diagnostics, list), known, diagnostics)
    for name in [*diagnostics, *values["diagnostic_options"]]:
        _check("calm.diagnostics", name in DIAGNOSTICS, known, name)
    return CalmSettings(
        diagnostics=tuple(diagnostics),
        diagnostic_options=values.pop("diagnostic_options"),
        candidates=values.pop("candidates"),
        draws=values.pop("draws"),
        example=values.pop("example"),
        options={key: value for key, value in values.items() if value != {}},
    )


def _ecological_settings(cfg: DictConfig) -> EcologicalSettings:
    """The section of ecological inference; what is left to `ecological.estimate` by its own defaults is left out."""
    values = {key: _plain(value) for key, value in _section(cfg, "ecological").items() if value is not None}
    baselines = values.pop("baselines")
    known = f"a list of some of {', '.join(BASELINES)}"
    _check("ecological.baselines", isinstance(baselines, list), known, baselines)
    for name in baselines:
        _check("ecological.baselines", name in BASELINES, known, name)
    exponent = "between 0 (no context) and 2"
    _check("ecological.context", 0 <= values["context"] <= 2, f"an exponent {exponent}", values["context"])
    contexts = values["contexts"]
    numbers = isinstance(contexts, list) and all(_is_numeric(beta) for beta in contexts)
    _check("ecological.contexts", numbers and all(0 <= b <= 2 for b in contexts), f"a list {exponent}", contexts)
    tau = values["tau"] if isinstance(values["tau"], list) else [values["tau"]] * 3
    good = len(tau) == 3 and all(_is_numeric(sd) and sd > 0 for sd in tau)
    _check("ecological.tau", good, "a number above 0, or three: own party, cross, other", values["tau"])
    lowest = {"context_sd": 0, "draws": 0, "max_steps": 1}
    for key in ("pair_sd", "feature_sd", "inflation", "tolerance"):
        _check(f"ecological.{key}", values.get(key, 1.0) > 0, "a number above 0", values.get(key))
    for key, low in lowest.items():
        _check(f"ecological.{key}", values.get(key, low) >= low, f"at least {low}", values.get(key))
    return EcologicalSettings(options=values | {"tau": tuple(tau)}, baselines=tuple(dict.fromkeys(baselines)))


def resolved(cfg: DictConfig) -> str:
    """The configuration as yaml, with every value filled in and without what its task has no use for."""
    unused = {*_FITS.values(), *(_ELECTION_KEYS if cfg.task in _FITS else ())} - {_FITS.get(cfg.task)}
    values = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    assert isinstance(values, dict)
    return OmegaConf.to_yaml({key: value for key, value in values.items() if key not in unused})


def data_settings(cfg: DictConfig) -> dict[str, Any]:
    """The keys of the data group that were given a value."""
    return {key: _plain(value) for key, value in _section(cfg, "data").items() if value is not None}


def restore(text: str) -> DictConfig:
    """The configuration of an unfinished run from its config.yaml, typed like the one it was written from."""
    saved = OmegaConf.create(text)
    cfg = OmegaConf.structured(Config)
    cfg.data = OmegaConf.structured(CsvData if "path" in saved.data else CatalogueData)
    cfg.models = {name: OmegaConf.structured(SCHEMAS["model"][str(name)]) for name in saved.models}
    cfg.inference = OmegaConf.structured(SCHEMAS["inference"][saved.inference.method])
    merged = OmegaConf.merge(cfg, saved)
    assert isinstance(merged, DictConfig)
    return merged


# ------------------------------------------------------------------------------------ to one clear line


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _known_keys(node: Any) -> list[str]:
    if not isinstance(node, DictConfig) or node._is_none():
        return []
    return [str(key) for key in node if key != "hydra"]


def explain(error: Exception) -> str | None:
    """One line for a mistake in the configuration, with the key it is about; None for any other error."""
    chain = list(_causes(error))
    if not isinstance(chain[0], HydraException | OmegaConfBaseException):
        return None
    missing = next((e for e in chain if isinstance(e, MissingConfigException)), None)
    if missing is not None and missing.options:
        group, _, option = (missing.missing_cfg_file or "").rpartition("/")
        return f"{group}={option}: no such option; choose from {', '.join(sorted(missing.options))}"
    inner = next((e for e in chain if isinstance(e, OmegaConfBaseException)), None)
    if inner is None:
        return " ".join(str(error).split())
    key = str(inner.full_key or inner.key or "")
    model = key.split(".")[1] if key.startswith("models.") else ""
    absent = re.search(r"Missing mandatory value: (\S+)", str(inner))
    if absent:
        return f"{absent[1]}: missing; give it as {absent[1]}=..."
    known = _known_keys(inner.parent_node)
    if not isinstance(inner, AttributeError | KeyError) or not known:
        return f"{key}: {_first_line(inner)}".removeprefix(": ")
    if key == "data.path":
        takes = "data=csv (returns), data=booths (booths), data=ballots (ballots) or data=units (units) takes one"
        return f"{key}: this data has no file; {takes}"
    if key == f"models.{model}" and model in SCHEMAS["model"]:
        return f"{key}: this model is not chosen; model=[{','.join([*known, model])}] would choose it"
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: no such key; {hint}known here: {', '.join(known)}"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


register()
