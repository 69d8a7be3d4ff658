"""Options of the wing's verbs, each declared once; those of models and methods of inference are declared beside them.

`model_group` and `method_group` gather what a configuration may set of one model and of one method.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, field, fields, make_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from electjax.data.options import default_of, kind_of, made, option, options
from electjax.data.reading import TableOptions
from electjax.districts.abc.distance import SEAT_TOLERANCE, SHARE_TOLERANCE
from electjax.districts.abc.methods import METHODS
from electjax.districts.abc.statistics import STATISTICS
from electjax.districts.models import get_simulator

Engine = Literal["leap", "agent"]
Policy = Literal["others", "party", "drop"]
LEVELS = (0.5, 0.8, 0.9, 0.95)
FRACTIONS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.15, 0.1)
_SEEDS = "a whole number from 0 to 2^32 - 1"
_LEAP = "leap: exact-moment blocks, fast; agent: elector by elector, the slow reference"


OUTLINES = "file of the districts' outlines (GeoJSON, TopoJSON, shapefile, GeoPackage) for the report's maps"


@options
class ReadOptions(TableOptions):
    """How returns are read."""

    independents: Policy = option("others", "where votes for independents go: 'others', a party IND, or left out")
    nota: Policy = option("others", "the same for none of the above, blank, void and spoilt ballots")
    others_may_win: bool = option(True, "whether others may hold seats; if not, the best named party does")
    year: int | None = option(None, "which election, in a file that holds several")
    assembly_no: int | None = option(None, "which election, in TCPD files")
    poll_no: int | None = option(
        None, "which poll of a TCPD file; None: the general one (0), not bye-polls (1, 2, ...)"
    )
    district: str | None = option(
        None,
        "the column that districts are, such as county_name; None: the district, of an office of a state the state",
    )
    total: str | None = option(None, "column of all votes, where votes are shares of it")
    uncontested: Literal["refuse", "drop"] = option(
        "refuse",
        "districts without votes, where one candidate won unopposed or the poll was put off: refused, or left out"
        " (none can be kept: models need votes in each)",
    )
    parties: Sequence[str] | None = option(
        None, "columns of a wide table that are parties; None: those called votes_, else all counts of no other name"
    )
    ballot: str | None = option(
        None, "which of two votes, where columns of a wide table are of both: a word of their names, as Erststimmen"
    )
    party_column: Literal["party_simplified", "party_detailed"] = option("party_simplified", "MIT files only")
    fusion: Literal["line", "candidate"] = option(
        "line", "MIT files only: votes of one candidate on several lines count for each line's party, or the main one"
    )

    def selection(self) -> dict[str, Any]:
        """The conditions on columns beside `where`, `poll_no` left to the readers that know bye-polls."""
        asked = {"year": self.year, "assembly_no": self.assembly_no}
        return {name: value for name, value in asked.items() if value is not None}


@options
class SeedOptions:
    """Where random numbers start."""

    seed: int = option(0, "the same seed gives the same result", low=0, high=2**32 - 1, expected=_SEEDS)


@options
class EngineOptions(SeedOptions):
    """How electors are drawn."""

    engine: Engine = option("leap", _LEAP)


@options
class SimulateOptions(EngineOptions):
    """How elections are simulated."""

    runs: int = option(100, "simulated elections; run r depends on the seed and r alone", low=1)
    chunk: int | None = option(
        None, "runs a compiled call, rounded up to whole batches; no result depends on it", low=1
    )


@options
class PredictOptions(SeedOptions):
    """How elections are simulated from a calibration."""

    runs: int = option(1000, "simulated elections (of every scenario)", low=1)


@options
class CalibrateOptions(EngineOptions):
    """How a calibration searches, and what it compares; `electjax.districts.abc.METHODS` has more for each method."""

    method: str = option(
        "smc",
        "how the posterior is found",
        good=lambda method: isinstance(method, str) and method in METHODS,
        expected=f"one of {', '.join(METHODS)}",
    )
    budget: int = option(20_000, "most simulations, apart from those of a pilot and those that choose psi_opt", low=1)
    accept: int | None = option(
        None,
        "accepted draws: of smc in every generation, of others to stop at; None: "
        + ", ".join(f"{method.name} {method.accept}" for method in METHODS.values()),
        low=1,
    )
    tolerance: float | None = option(
        None,
        "largest accepted distance; None: "
        + ", ".join(f"{m.name} {m.tolerance:g}" for m in METHODS.values() if m.tolerance is not None)
        + " with the paper's statistics; with others smc goes on until another rule stops it, and rejection keeps"
        " the closest",
        above=0,
    )
    distance: Literal["rms", "max"] = option("rms", "over the statistics, in tolerances")
    seat_tolerance: float = option(SEAT_TOLERANCE, "the gap in seats that counts as one", above=0)
    share_tolerance: float = option(
        SHARE_TOLERANCE, "the gap in vote fractions and margins that counts as one", above=0
    )
    statistics: Any = option(
        "paper",
        "what is compared; a function of votes[district, party] and winner[district] returns a vector, in jax.numpy."
        " Others than the paper's count in prior median absolute deviations",
        good=lambda statistics: callable(statistics) or (isinstance(statistics, str) and statistics in STATISTICS),
        expected=f"{', '.join(STATISTICS)}, or a function",
    )
    summaries: Literal["given", "learned"] = option(
        "given", "learned: the statistics are replaced by what a pilot says that they tell of the parameters"
    )
    pilot: int = option(4096, "simulations that scale other statistics, or teach learned ones", low=1)
    adjust: Literal["linear", "heteroscedastic", "none"] | None = option(
        None,
        "regression adjustment of the accepted draws; None: "
        + ", ".join(f"{method.name} {method.adjust}" for method in METHODS.values()),
    )


@options
class RecoverOptions(CalibrateOptions):
    """How parameters are recovered from simulated elections."""

    replicates: int = option(200, "simulated elections", low=2)
    share_table: bool = option(
        True, "with method rejection, one table of simulations serves all replicates, which then share its error"
    )


@options
class CompareOptions(CalibrateOptions):
    """How models are compared."""

    at: float | None = option(
        None,
        "tolerance of the reported probabilities; None: the smallest that 100 simulations and errors up to .05 carry",
        above=0,
    )
    runs: int = option(1000, "predicted elections a model, for the scores; 0 leaves scores out", low=0)


@options
class BandOptions(SeedOptions):
    """Bands of checks of calibration; the seed breaks ties."""

    level: float = option(
        0.95, "probability with which a right method stays within a band everywhere", above=0, below=1
    )


@options
class CoverageOptions:
    """Which intervals are checked."""

    levels: Sequence[float] = option(
        LEVELS,
        "nominal probabilities of the intervals",
        good=lambda levels: len(levels) > 0 and all(0 < level < 1 for level in levels),
        expected="numbers between 0 and 1",
    )


@options
class SensitivityOptions:
    """Which tolerances are looked at."""

    fractions: Sequence[float] = option(
        FRACTIONS,
        "shares of the accepted draws, by weight; each gives a tolerance",
        good=lambda fractions: len(fractions) > 0 and all(0 < fraction <= 1 for fraction in fractions),
        expected="numbers above 0 and up to 1",
    )


def _group(name: str, entries: Iterable[tuple[str, Any, Any]], text: str, **namespace: Any) -> type:
    """A group of options from declared fields."""
    group = make_dataclass(name, list(entries), namespace=namespace, frozen=True, kw_only=True)
    group.is_options = True  # type: ignore[attr-defined]
    group.__doc__ = text
    return group


def _copied(item: "Field[Any]", default: Any = None, **facts: Any) -> Any:
    """A declared field again, perhaps with another default or more facts."""
    value = default_of(item) if default is None else default
    facts = dict(item.metadata) | facts
    if isinstance(value, list | dict):
        return field(default_factory=value.copy, metadata=facts)
    return field(default=value, metadata=facts)


if TYPE_CHECKING:
    MethodOptions = Any
else:
    _OF_METHODS = {item.name: item for method in METHODS.values() for item in fields(method.options)}
    MethodOptions = _group(
        "MethodOptions",
        [(name, item.type, _copied(item)) for name, item in _OF_METHODS.items()],
        "What one method or another reads; `chosen_options` picks those of one.",
    )


def chosen_options(method: str, given: Any, *, where: str) -> Any:
    """The options of one method out of those of all.

    Raises:
        ElectionDataError: values that do not go together, or an option of another method that is not at its default.
    """
    group = METHODS[method].options
    names = {item.name for item in fields(group)}
    values = {item.name: getattr(given, item.name) for item in fields(given)}
    foreign = {item.name for item in fields(given) if values[item.name] != default_of(item)} - names
    return made(group, {name: value for name, value in values.items() if name in names | foreign}, where=where)


def method_group(name: str) -> type:
    """What a configuration may set of a method of inference: one group, with the defaults that hold for the method."""
    method = METHODS[name]
    asked = {item.name: item for item in fields(CalibrateOptions)}
    defaults: dict[str, Any] = {"accept": method.accept, "adjust": method.adjust}
    kept = ["tolerance", "accept"] if method.likelihood_free else ["accept"]
    entries: list[tuple[str, Any, Any]] = [("method", Literal[name], option(name, method.title))]
    for key in (*kept, "distance", "seat_tolerance", "share_tolerance", *method.reads):
        entries.append((key, asked[key].type, _copied(asked[key], defaults.get(key))))
    entries += [(item.name, item.type, _copied(item)) for item in fields(method.options)]
    rules = {"conflicts": method.options.conflicts} if hasattr(method.options, "conflicts") else {}
    return _group(f"{name}_options", entries, method.title, **rules)


def model_group(name: str) -> type:
    """What a configuration may set of a model: its parameters, its options, and priors of what is calibrated.

    A parameter is a number or a list. Where an option has its name, the words of the option may stand for it.
    """
    model = get_simulator(name)
    readings = {item.name: item for item in fields(model.options)}
    entries: list[tuple[str, Any, Any]] = []
    for parameter in model.parameters:
        default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        words: tuple[str, ...] = ()
        if parameter.name in readings:
            item = readings.pop(parameter.name)
            words = tuple(word for word in kind_of(item.type).words if word != item.default)
        expected = " or ".join(["a number", "a list of numbers", *words])
        entry = option(default, parameter.meaning, good=partial(_is_value, words=words), expected=expected)
        entries.append((parameter.name, Any, entry))
    entries += [(item.name, item.type, _copied(item)) for item in readings.values()]
    priors = {p.name: list(p.prior) for p in model.parameters if p.prior is not None}
    meaning = (
        "parameter -> prior: [low, high], {dirichlet: a}, {around: n} or {levels: [...]}; only these are calibrated"
    )
    entries.append(("priors", dict[str, Any], option(priors, meaning)))
    return _group(f"{name}_values", entries, model.title)


def _is_value(value: Any, words: Sequence[str] = ()) -> bool:
    """A number, a list of numbers or of such lists, or one of some words."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_value, value))
    return value in words or (isinstance(value, int | float) and not isinstance(value, bool))


def split_values(model: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what a configuration says of a model into its parameters (numbers) and its options.

    Where both have one name, a word is the option: kappa = 0.5, or kappa = beta.
    """
    names = get_simulator(model).defaults
    params = {name: value for name, value in values.items() if name in names and not isinstance(value, str)}
    return params, {name: value for name, value in values.items() if name not in params}
