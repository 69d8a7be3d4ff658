"""The configuration: typed schemas, where `conf/` lies, and what to say when a key is wrong.

Each dataclass here is a schema that Hydra merges the files of `conf/` into, so an unknown key or a value
of the wrong type is refused while the configuration is composed, with its full key path.
"""

import difflib
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from electjax.tasks.settings import ModelSettings, Settings

Task = Enum("Task", "calibrate simulate counterfactual")
Engine = Enum("Engine", "leap agent")
Bookkeeping = Enum("Bookkeeping", "none interleaved by_district")
PCMBookkeeping = Enum("PCMBookkeeping", "none interleaved")
Winner = Enum("Winner", "votes mode")
Reading = Enum("Reading", "fraction count")
ECMReading = Enum("ECMReading", "fraction literal")
Base = Enum("Base", "uniform electorate")
Districts = Enum("Districts", "close open")
Ball = Enum("Ball", "community elector")
Urn = Enum("Urn", "national district")
Overflow = Enum("Overflow", "split exceed")
Form = Enum("Form", "franchise hdp")
Placement = Enum("Placement", "dirichlet capped")
Influence = Enum("Influence", "none district community national network")
Drawn = Enum("Drawn", "given drawn")
Constraint = Enum("Constraint", "gross net")
Policy = Enum("Policy", "others party drop")
PartyColumn = Enum("PartyColumn", "party_simplified party_detailed")
Fusion = Enum("Fusion", "line candidate")
Distance = Enum("Distance", "rms max")
Method = Enum("Method", "smc rejection explore_exploit exact")
Adjust = Enum("Adjust", "linear heteroscedastic none")
Summaries = Enum("Summaries", "given learned")
Schedule = Enum("Schedule", "quantile ess")
Move = Enum("Move", "importance mcmc")
Covariance = Enum("Covariance", "full local")
Scaling = Enum("Scaling", "tolerance mad")
Sampler = Enum("Sampler", "auto grid nuts")


POPULARITY = "popularity"  # may be calibrated where a model takes it, and is no parameter of any
PRIOR_KINDS = ("dirichlet", "around", "levels")
CHANGES = ("popularity", "swing", "parameters", "districts")  # of a scenario


class ConfigError(ValueError):
    """A setting that is well typed and still makes no sense; the message begins with its key."""


@dataclass
class CatalogueData:
    """An election of the embedded catalogue."""

    name: str = MISSING
    others_may_win: bool = True


@dataclass
class CsvData:
    """A user's file of returns."""

    path: str = MISSING
    name: str = "${electjax.stem:}"
    top_parties: Any = None
    independents: Policy = Policy.others
    nota: Policy = Policy.others
    others_may_win: bool = True
    year: int | None = None
    assembly_no: int | None = None
    poll_no: int | None = None
    where: dict[str, Any] = field(default_factory=dict)
    encoding: str = "utf-8-sig"
    party_column: PartyColumn = PartyColumn.party_simplified
    fusion: Fusion = Fusion.line


@dataclass
class ModelConfig:
    """What every model has: the prior of each parameter that is calibrated.

    A prior is [low, high], {dirichlet: a}, {around: n} or {levels: [...]}.
    """

    priors: dict[str, Any] = field(default_factory=dict)


@dataclass
class DM(ModelConfig):
    """District-wise model (equation 1)."""

    concentration: Any = 3.0
    winner: Winner = Winner.votes
    bookkeeping: Bookkeeping = Bookkeeping.none


@dataclass
class DPM(ModelConfig):
    """District-wise polarisation model (equation 2)."""

    gamma: Any = 0.99
    prior_mass: Any = 2.5
    reading: Reading = Reading.fraction
    bookkeeping: Bookkeeping = Bookkeeping.interleaved


@dataclass
class ECM(ModelConfig):
    """Elector community model (equations 3 and 4)."""

    alpha: Any = 20.0
    beta: Any = 0.5
    prior_mass: Any = 2.5
    reading: ECMReading = ECMReading.fraction
    ball: Ball = Ball.community
    urn: Urn = Urn.national
    bookkeeping: Bookkeeping = Bookkeeping.by_district
    overflow: Overflow = Overflow.split
    form: Form = Form.franchise


@dataclass
class PCM(ModelConfig):
    """Party-wise concentration model (equation 5)."""

    eta: Any = 0.99
    prior_mass: Any = 1.0
    capacity: Any = 1.5
    reading: Reading = Reading.fraction
    base: Base = Base.uniform
    districts: Districts = Districts.close
    bookkeeping: PCMBookkeeping = PCMBookkeeping.interleaved


@dataclass
class SIM(ModelConfig):
    """Social identity model (equation 6); `shares` and `kappa` are numbers, or the word that has them drawn."""

    concentration: Any = 0.5
    shares: Any = field(default_factory=lambda: [0.5, 0.3, 0.2], metadata={"words": ("drawn",)})
    phi: Any = 0.0
    phi_rank: Any = -1.0
    sigma: Any = 1.0
    sigma_shape: Any = 4.0
    kappa: Any = field(default=0.5, metadata={"words": ("beta",)})
    kappa_a: Any = 2.0
    kappa_b: Any = 2.0
    stick: Any = 1.0
    capacity: Any = 1.0
    network: Any = 0.0
    communities: int = 3
    placement: Placement = Placement.dirichlet
    base: Base = Base.uniform
    influence: Influence = Influence.none
    attitudes: Drawn = Drawn.drawn
    constraint: Constraint = Constraint.gross
    spread: Drawn = Drawn.given


@dataclass
class Exact:
    """The exact posterior of a model whose likelihood is known."""

    method: Method = Method.exact
    accept: int = 2000
    sampler: Sampler = Sampler.auto
    distance: Distance = Distance.rms
    seat_tolerance: float = 2.0
    share_tolerance: float = 0.02


@dataclass
class ExploreExploit:
    """ABC by rounds of prior draws and of Gaussian draws around the best of them."""

    method: Method = Method.explore_exploit
    tolerance: float = 1.0
    accept: int = 500
    distance: Distance = Distance.rms
    seat_tolerance: float = 2.0
    share_tolerance: float = 0.02
    explore: int = 40
    seeds_kept: int = 4
    exploit: int = 40
    exploit_sd: float = 0.05


@dataclass
class Rejection:
    """ABC by rejection: every simulation is drawn from the prior."""

    method: Method = Method.rejection
    tolerance: float | None = None
    accept: int = 500
    distance: Distance = Distance.rms
    seat_tolerance: float = 2.0
    share_tolerance: float = 0.02
    statistics: str = "paper"
    summaries: Summaries = Summaries.given
    pilot: int = 4096
    adjust: Adjust = Adjust.linear


@dataclass
class SMC(Rejection):
    """Sequential Monte Carlo ABC: generations of draws within a tolerance that shrinks."""

    method: Method = Method.smc
    quantile: float = 0.4
    schedule: Schedule = Schedule.quantile
    move: Move = Move.importance
    covariance: Covariance = Covariance.full
    scaling: Scaling = Scaling.tolerance
    defensive: float = 0.05
    min_acceptance: float = 0.005
    min_gain: float = 0.01
    wall_time: float | None = None
    generations: int = 30


@dataclass
class Config:
    """The whole configuration; `conf/config.yaml` says what each key does."""

    name: str = MISSING
    task: Task = Task.calibrate
    data: Any = MISSING
    models: dict[str, Any] = field(default_factory=dict)
    inference: Any = MISSING
    engine: Engine = Engine.leap
    seed: int = 0
    runs: int = 100
    optimal_runs: int = 200
    budget: int = 20_000
    report: bool = True
    scenarios: dict[str, Any] = field(default_factory=dict)
    resume: str | None = None


SCHEMAS: dict[str, dict[str, type]] = {
    "data": {"catalogue": CatalogueData, "csv": CsvData},
    "model": {"dm": DM, "dpm": DPM, "ecm": ECM, "pcm": PCM, "sim": SIM},
    "inference": {"smc": SMC, "rejection": Rejection, "explore_exploit": ExploreExploit, "exact": Exact},
}


def register() -> None:
    """Hand the schemas and the resolvers to Hydra; calling it twice does no harm."""
    store = ConfigStore.instance()
    config = OmegaConf.structured(Config)
    OmegaConf.set_struct(config.scenarios, False)  # a name that is new needs no plus on the command line
    store.store(name="schema", node=config)
    for group, nodes in SCHEMAS.items():
        for name, node in nodes.items():
            store.store(group=f"schema/{group}", name=name, node=node)
    OmegaConf.register_new_resolver("electjax.stem", _stem, replace=True)
    OmegaConf.register_new_resolver("electjax.groups", describe_groups, replace=True)
    OmegaConf.register_new_resolver("electjax.keys", describe_keys, replace=True)


def _stem(*, _parent_: DictConfig) -> str:
    """The file name of the `path` beside the key; "returns" while it is missing, as it is before a sweep."""
    path = OmegaConf.select(_parent_, "path")
    return Path(path).stem if path else "returns"


def conf_dir() -> Path:
    """Absolute path of the configuration files: inside an installed package, else beside a source tree."""
    package = Path(__file__).resolve().parent
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

    Raises ConfigError: a number out of its range, no model, an unknown key, a prior for an unknown parameter.
    """
    known = [item.name for item in fields(Config)]
    for key in cfg:
        _check(str(key), key in known, f"one of {', '.join(known)}", key)
    lowest = {"seed": 0, "runs": 1, "optimal_runs": 1, "budget": 1}
    for key, low in lowest.items():
        _check(key, cfg[key] >= low, f"at least {low}", cfg[key])
    _check("seed", cfg.seed < 2**32, "less than 2^32", cfg.seed)
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
    if key == f"models.{model}" and model in SCHEMAS["model"]:
        return f"{key}: this model is not chosen; model=[{','.join([*known, model])}] would choose it"
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: no such key; {hint}known here: {', '.join(known)}"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


register()
