"""The schemas of the configuration: which keys there are, and of what type.

Each dataclass is one that Hydra merges the files of `conf/` into, so an unknown key or a value of the wrong type is
refused while the configuration is composed, with its full key path.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

Task = Enum("Task", "calibrate simulate counterfactual types calm ecological")
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
Invalid = Enum("Invalid", "error missing")
Incomplete = Enum("Incomplete", "error drop")
Start = Enum("Start", "random votes kmeans")
Stop = Enum("Stop", "log_likelihood parameters")
Acceleration = Enum("Acceleration", "squarem none")
Errors = Enum("Errors", "auto information sandwich cluster none")
Rest = Enum("Rest", "others drop error")
Scale = Enum("Scale", "tiny small delhi")
CalmModel = Enum("CalmModel", "literal recommended")
Affinity = Enum("Affinity", "none shared party hierarchical")
Mobilisation = Enum("Mobilisation", "none previous model")
Coding = Enum("Coding", "one_hot reference sum_to_zero")
Identification = Enum("Identification", "sum_to_zero reference")
Weighting = Enum("Weighting", "plain size")
Optimiser = Enum("Optimiser", "newton lbfgs adam")
Cache = Enum("Cache", "none booth")
Penalties = Enum("Penalties", "given holdout")
CalmErrors = Enum("CalmErrors", "laplace sandwich none")
RowKind = Enum("RowKind", "votes groups")
CellMethod = Enum("CellMethod", "context goodman least_squares em independence")


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
class BallotsData:
    """A user's file of cast ballots; without a path, ballots that are generated."""

    path: str | None = MISSING
    name: str = "${electjax.stem:}"
    voters: int = 5000
    seed: int = 0
    offices: Any = None
    top: str | None = None
    scheme: Any = None
    weight: str | None = None
    cluster: str | None = None
    covariates: Any = None
    invalid: Invalid = Invalid.error
    incomplete: Incomplete = Incomplete.error
    encoding: str = "utf-8-sig"


@dataclass
class BoothsData:
    """A user's folder (or netCDF file) of booths, cells, votes and candidates."""

    path: str = MISSING
    name: str = "${electjax.stem:}"
    rest: Rest = Rest.others
    rescale: bool = False
    encoding: str = "utf-8-sig"


@dataclass
class GeneratedBooths:
    """Booths that are generated from a known truth; None leaves a value to `electjax.calm.simulate`."""

    name: str = MISSING
    scale: Scale = Scale.small
    seed: int = 0
    constituencies: int | None = None
    booths: int | None = None
    eta: Any = None
    eta_sd: float | None = None
    rho_age: float | None = None
    xi: float | None = None
    booth_sd: Any = None
    rho_T: float | None = None
    rho_P: float | None = None
    exponent: float | None = None
    unknown: float | None = None
    absent: float | None = None


@dataclass
class MadipurData:
    """The example of calm.md section 10."""

    name: str = MISSING
    seed: int = 0


@dataclass
class UnitsData:
    """A user's file of units, whose row and column margins are known."""

    path: str = MISSING
    name: str = "${electjax.stem:}"
    truth: Any = None
    contest: str | None = None
    unit: str | None = None
    side: str | None = None
    option: str | None = None
    votes: str | None = None
    rows: Any = None
    columns: Any = None
    electors: str | None = None
    kind: RowKind | None = None
    merge_below: float | None = None
    rescale: bool = False
    row_traits: str | None = None
    column_traits: str | None = None
    axes: Any = None
    encoding: str | None = None


@dataclass
class GeneratedUnits:
    """Units that are drawn from a known truth; as in `electjax.ecological.simulate`."""

    name: str = MISSING
    seed: int = 0
    contests: int = 24
    units: int = 40
    rows: int = 6
    parties: int = 6
    kind: RowKind = RowKind.votes
    fielded: float = 0.85
    voters: float = 400.0
    context: float = 0.6
    correlation: float = 0.01
    level: Any = None
    tau: Any = field(default_factory=lambda: [0.15, 0.15, 0.3])
    pair_sd: float = 0.5
    unit_sd: float = 0.5
    abstention: float = 0.0
    traits: int = 0
    affinity: float = 0.5
    merge_below: float = 0.03


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
class EM:
    """Voter types by EM: one number of types, or several to choose from."""

    types: Any = 3
    choose: Any = "bic"
    restarts: int = 100
    start: Start = Start.random
    covariates: Any = None
    tolerance: float = 1e-9
    criterion: Stop = Stop.log_likelihood
    acceleration: Acceleration = Acceleration.squarem
    max_maps: int = 20_000
    prune: float | None = None
    moves: bool = True
    newton: bool = True
    ridge: float = 0.0
    common: bool = False
    errors: Errors = Errors.auto
    level: float = 0.95
    blrt: int = 0
    bootstrap: int = 0


@dataclass
class Calm:
    """CALM, the candidate-aware model of booths; None is as `model`, the booths or `electjax.calm.fit` have it."""

    model: CalmModel = CalmModel.literal
    axes: Any = None
    use_candidate_affinity: bool = True
    affinity: Affinity = Affinity.shared
    rho_age: float | None = None
    rho: dict[str, float] = field(default_factory=dict)
    lambda_T: float = 1.0
    lambda_P: float = 1.0
    lambda_beta: float = 0.1
    lambda_b: float = 8.0
    lambda_eta: float = 0.01
    lambda_party: float = 1.0
    lambda_tau: float = 10.0
    lambda_tower: float = 1.0
    lambda_constituency: float = 0.1
    tower: int = 0
    mobilisation: Mobilisation = Mobilisation.none
    axis_weight: dict[str, float] = field(default_factory=dict)
    raw_mobilisation: bool = False
    booth_effects: bool | None = None
    constituency_effects: bool | None = None
    integrate: bool | None = None
    overdispersed: bool | None = None
    exponent: float | None = None
    covariates: Any = None
    coding: Coding = Coding.one_hot
    identification: Identification = Identification.sum_to_zero
    weighting: Weighting = Weighting.plain
    project: bool = False
    epsilon: float = 1e-12
    method: Optimiser = Optimiser.newton
    tolerance: float | None = None
    max_steps: int | None = None
    chunk: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    cache: Cache = Cache.none
    penalties: Penalties = Penalties.given
    holdout: float = 0.0
    errors: CalmErrors = CalmErrors.laplace
    level: float = 0.95
    diagnostics: Any = field(default_factory=list)
    diagnostic_options: dict[str, Any] = field(default_factory=dict)
    candidates: dict[str, Any] = field(default_factory=dict)
    draws: int = 200
    example: bool = False


@dataclass
class Ecological:
    """Ecological inference; None is as `electjax.ecological.estimate` has it."""

    method: CellMethod = CellMethod.context
    context: float = 0.6
    context_sd: float | None = None
    contexts: Any = field(default_factory=lambda: [0.3, 0.6, 0.8])
    pooled: bool = True
    overdispersed: bool = True
    affinity: bool = True
    tau: Any = field(default_factory=lambda: [0.15, 0.15, 0.3])
    pair_sd: float = 0.5
    feature_sd: float | None = None
    draws: int = 200
    inflation: float | None = None
    tolerance: float | None = None
    max_steps: int | None = None
    baselines: Any = field(default_factory=list)


@dataclass
class Config:
    """The whole configuration; `conf/config.yaml` says what each key does."""

    name: str = MISSING
    task: Task = Task.calibrate
    data: Any = MISSING
    models: dict[str, Any] = field(default_factory=dict)
    inference: Any = MISSING
    types: Any = MISSING
    calm: Any = MISSING
    ecological: Any = MISSING
    engine: Engine = Engine.leap
    seed: int = 0
    runs: int = 100
    optimal_runs: int = 200
    budget: int = 20_000
    report: bool = True
    scenarios: dict[str, Any] = field(default_factory=dict)
    resume: str | None = None


SCHEMAS: dict[str, dict[str, type]] = {
    "data": {
        "catalogue": CatalogueData,
        "csv": CsvData,
        "ballots": BallotsData,
        "booths": BoothsData,
        "calm_delhi": GeneratedBooths,
        "madipur": MadipurData,
        "units": UnitsData,
        "ecological": GeneratedUnits,
    },
    "model": {"dm": DM, "dpm": DPM, "ecm": ECM, "pcm": PCM, "sim": SIM},
    "inference": {"smc": SMC, "rejection": Rejection, "explore_exploit": ExploreExploit, "exact": Exact},
    "types": {"em": EM},
    "calm": {"calm": Calm},
    "ecological": {"ecological": Ecological},
}
