"""The options of ecological inference, each declared once: name, type, default, range and meaning."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any, Literal

import numpy as np

from electjax.data.axes import Axis
from electjax.data.options import option, options
from electjax.data.reading import TableOptions
from electjax.numerics.registry import names_in

RowKind = Literal["votes", "groups"]

KINDS = 3  # of cells: own party, cross, other (`electjax.ecological.model.data.KINDS`)
CONTEXT = 0.6  # near the best of the elections whose cross-tables were counted; margins cannot tell it
TAU = (0.15, 0.15, 0.3)
PAIR_SD = 0.5
MERGE_BELOW = 0.03
LEVELS = (0.8, 0.95)
LARGE = 0.03  # share of a contest's votes above which the shares of a row count in checks of intervals
GRID = tuple(np.round(np.arange(0.0, 1.25, 0.1), 1).tolist())
TRAITS = 6  # categories that `simulate` can give on its axis
BASELINES = tuple(names_in("electjax.ecological.model.baselines"))
METHODS = ("context", *BASELINES)

_EXPONENT = "an exponent between 0 (no context) and 2"
_TAU = "3 numbers above 0: own party, cross, other; or one for all"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(value: Any) -> tuple[Any, ...]:
    """A number or several of them as a tuple; text is no sequence of numbers."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def _numeric(*lengths: int, low: float = -math.inf, high: float = math.inf, above: float = -math.inf) -> Any:
    """A check of one number or several: how many there may be, any number by default, and their range."""

    def good(value: Any) -> bool:
        numbers = _numbers(value)
        fits = all(_is_number(each) and low <= each <= high and each > above for each in numbers)
        return fits and (not lengths or len(numbers) in lengths)

    return good


def _is_grid(value: Any) -> bool:
    grid = _numbers(value)
    return len(grid) >= 3 and _numeric(low=0, high=2)(grid) and all(a < b for a, b in pairwise(grid))


def _are_baselines(value: Any) -> bool:
    return not isinstance(value, str) and isinstance(value, Sequence) and all(each in BASELINES for each in value)


class _Tuples:
    """Fields that take one number or several are tuples of floats, as JSON gives them back."""

    _tuples = ("tau", "contexts")

    def __post_init__(self) -> None:
        for name in self._tuples:
            if getattr(self, name, None) is not None:
                numbers = tuple(float(each) for each in _numbers(getattr(self, name)))
                numbers = numbers * KINDS if name == "tau" and len(numbers) == 1 else numbers
                object.__setattr__(self, name, numbers)


@options
class ModelOptions(_Tuples):
    """What the model assumes beside the context, and how it is fitted."""

    pooled: bool = option(True, "contests learn from each other which pairs of parties go together")
    overdispersed: bool = option(True, "votes of a row within a unit hang together; else they are multinomial")
    affinity: bool = option(True, "traits and covariates of rows and columns enter")
    tau: float | Sequence[float] = option(
        TAU,
        "standard deviation of a contest's deviation from what is pooled, by kind of cell: own party, cross, other; "
        "not to be chosen by fit to margins, which picks too little pooling (experiments/ecological)",
        good=_numeric(1, KINDS, above=0),
        expected=_TAU,
    )
    pair_sd: float = option(PAIR_SD, "prior standard deviation of pooled pairs of parties", above=0)
    feature_sd: float = option(0.5, "prior standard deviation of the effects of traits and covariates", above=0)
    tolerance: float = option(0.01, "Newton's method stops where a step promises to gain less log posterior", above=0)
    max_steps: int = option(200, "most steps of Newton's method", low=1)
    seed: int = option(0, "of what is drawn at random")


@options
class EstimateOptions(ModelOptions):
    """Options of `ecological.estimate`."""

    method: str = option(
        "context",
        "the model with context, or a baseline: Goodman's regression, the same with shares in the simplex "
        "(least_squares), maximum likelihood of multinomial votes (em), or independence",
        good=lambda value: isinstance(value, str) and value in METHODS,
        expected=f"one of {', '.join(METHODS)}",
    )
    context: float = option(
        CONTEXT,
        "exponent beta of the surroundings: how much more people vote like their unit than like their group elsewhere; "
        "an assumption that margins cannot check",
        low=0,
        high=2,
        expected=_EXPONENT,
    )
    context_sd: float = option(0.12, "how unsure it is, for intervals: scale of a Student t with 4 degrees", low=0)
    contexts: float | Sequence[float] = option(
        (0.3, 0.6, 0.8),
        "other exponents to give the tables for",
        good=_numeric(low=0, high=2),
        expected="exponents between 0 and 2",
    )
    inflation: float = option(2.5, "kappa, by which the covariance of parameters is widened for the draws", above=0)
    draws: int = option(200, "number of posterior tables, for the intervals; 0 for none", low=0)


@options
class CalibrateOptions(ModelOptions):
    """Options of `ecological.calibrate_context`."""

    contexts: float | Sequence[float] = option(
        GRID, "exponents to try", good=_is_grid, expected="at least three exponents between 0 and 2, ascending"
    )


@options
class CoverageOptions:
    """Options of `ecological.coverage`."""

    levels: Sequence[float] = option(
        LEVELS,
        "nominal probabilities of the central intervals",
        good=_numeric(above=0, high=1 - 1e-9),
        expected="numbers between 0 and 1",
    )
    large: float = option(LARGE, "rows below this share of a contest's votes are left out", low=0, below=1)


@options
class TaskOptions(EstimateOptions):
    """What the command line's task `ecological` does."""

    baselines: Sequence[str] = option(
        ("goodman", "least_squares", "em", "independence"),
        "methods to estimate beside the first and to compare with it; none: []",
        good=_are_baselines,
        expected=f"a list of some of {', '.join(BASELINES)}",
    )


@options
class UnitsOptions(TableOptions):
    """How tables of units are read; of units that are made, only a name is taken."""

    merge_below: float | None = option(
        None,
        "options of a contest below this share of its votes become one, OTHER, where there are at least two; 0 for no "
        f"merging; None is {MERGE_BELOW:g}, of units that are made 0",
        low=0,
        below=1,
    )
    contest: str | None = option(None, "the column of contests where the header calls it otherwise; of all tables")
    unit: str | None = option(None, "the column of units where the header calls it otherwise")
    side: str | None = option(None, "of a long table, the column that tells rows from columns")
    votes: str | None = option(None, "of a long table, the column of votes")
    rows: Sequence[str] | str | None = option(
        None,
        "of a long table, the side that is rows; of a wide one, a list of columns of the table",
        expected="the name of a side, or a list of columns",
    )
    columns: Mapping[str, str] | Sequence[str] | None = option(  # type: ignore[assignment]
        None,
        "of a wide table, a list of columns of the table; else what the file calls a column: our name -> the file's",
        good=lambda value: isinstance(value, Mapping | Sequence | np.ndarray),
        expected="a list of columns, or a name for each of some names",
    )
    total: str | float | None = option(
        None,
        "the column of a unit's voters, of which margins are shares or percentages, or which counts do not exhaust; or "
        "a number, where all units have as many",
        good=lambda value: isinstance(value, str) or (_is_number(value) and value > 0),
        expected="a column, or a number above 0",
    )
    rest: Literal["others", "drop"] = option(
        "others", "what margins leave of the total: an option 'others', or left out with as many voters"
    )
    electors: str | None = option(
        None,
        'the column of electors (or "rows": as many as the rows add up to), who become "did not vote" as far as they '
        "did not: on the side of columns where rows hold all electors, on both sides where rows are votes of another "
        "election",
    )
    covariates: Sequence[str] | None = option(
        None, "columns of numbers that are known of units, kept as unit_covariate; blank where unknown"
    )
    area: str | None = option(None, "the column of the area that a unit is in, such as its county, kept as unit_area")
    kind: RowKind | None = option(
        None,
        "what rows are: votes on another ballot paper, or groups of people; None is by the name of the side of a long "
        "table, else votes if half of the rows are called like columns or their parties",
    )
    rescale: bool = option(False, "scale the rows of a unit whose columns (or electors) have another total")
    row_traits: Any = option(
        None,
        "a table of traits of the rows: option (or party), contest unless the same in all, then columns of categories "
        "or numbers, blank where unknown",
    )
    column_traits: Any = option(None, "the same of the columns: option (or candidate)")
    axes: Mapping[str, Any] | Sequence[Axis] | None = option(None, "of the traits; None makes each column of text one")
    name: str | None = option(None, "of the units; None is the file's")
    option: str | None = option(None, "of a long table, the column of options")  # last: it hides `option`

    def conflicts(self) -> Iterable[tuple[str, Any, str, str]]:
        """Options that say different things of one number."""
        if self.rest == "drop" and self.electors is not None:
            yield "rest", "drop", "no electors=", "those who are left out would count as electors who did not vote"
        if self.total is not None and self.electors == "rows":
            yield "electors", "rows", "no total=", "name the column of electors, which may be that of total="


@options
class ReadOptions(UnitsOptions):
    """Options of `ecological.read`."""

    column_table: Any = option(
        None, "of two matrices, the table of columns with a row for each unit; the source is that of rows"
    )
    truth: Any = option(
        None,
        "the counted cross-tables: a table with contest, row (or party), column (or candidate) and votes; or, of a "
        "wide table, its columns with the units' cells, {(row, column): name}. Options are joined by name, those whose "
        "names differ by their votes or in order of appearance",
    )


@options
class DatasetOptions:
    """What is known of units beside their margins."""

    contests: Any = option(None, "contest of each unit, [unit]; None is one contest, called all")
    units: Any = option(None, "name of each unit, [unit]; None numbers them")
    rows: Any = option(None, "names of rows, [row], or [contest, row] with '' after the last; None numbers them")
    columns: Any = option(None, "the same of columns")
    row_parties: Any = option(None, "parties of rows, in the shape of `rows`, '' for none; None is none")
    column_parties: Any = option(None, "the same of columns")
    kind: RowKind = option("groups", "what rows are: votes on another ballot paper, or groups of people")
    truth: Any = option(None, "the counted tables, [contest, row, column], NaN where unknown")
    unit_truth: Any = option(None, "the same of units, [unit, row, column]; without `truth` they are added up to it")
    covariates: Any = option(None, "numbers known of units, {name: [unit]}, NaN where unknown")
    areas: Any = option(None, "area of each unit, such as its county, [unit]; None is none")
    name: str = option("units", "of the units")


@options
class SimulateOptions(_Tuples):
    """Options of `ecological.simulate`."""

    contests: int = option(24, "number of contests", low=1)
    units: int = option(40, "units of each contest", low=1)
    rows: int = option(6, "number of rows; the last is OTHER", low=2)
    parties: int = option(6, "number of parties with candidates; the last is OTHER", low=2)
    kind: RowKind = option("votes", "what rows are: votes for parties, or groups of people without a party")
    fielded: float = option(0.85, "chance that a party beyond the first two stands in a contest", low=0, high=1)
    voters: float = option(400.0, "median size of a unit", above=0)
    context: float = option(
        CONTEXT,
        "exponent beta of the surroundings, 0 for none; another than `estimate` assumes shows what being wrong costs",
        low=0,
        high=2,
        expected=_EXPONENT,
    )
    correlation: float = option(0.01, "of two voters of one row of a unit; 0 for multinomial votes", low=0, below=1)
    level: Sequence[float] | None = option(
        None,
        "mean logit of a cell by kind: own party, cross, other; None is 2, 0, 0, of groups 0, 0, 0",
        good=_numeric(KINDS),
        expected="3 numbers: own party, cross, other",
    )
    tau: Sequence[float] = option(
        TAU,
        "standard deviation of a contest's own deviation, by kind of cell",
        good=_numeric(KINDS, low=0),
        expected="3 numbers of at least 0: own party, cross, other",
    )
    pair_sd: float = option(PAIR_SD, "standard deviation of the pooled logits", low=0)
    unit_sd: float = option(0.5, "of the log strength of a row between units of a contest: how they differ", low=0)
    abstention: float = option(0.0, "share of a row that does not vote; 0 for no such column", low=0, below=1)
    traits: int = option(0, "categories that rows and candidates are given on one axis; 0 for none", low=0, high=TRAITS)
    affinity: float = option(0.5, "what a shared category adds to the logit")
    merge_below: float = option(MERGE_BELOW, "options below this share of a contest become OTHER", low=0, below=1)
    seed: int = option(0, "the same seed gives the same Dataset")
    name: str = option("generated", "what the units are called")

    @property
    def levels(self) -> tuple[float, ...]:
        """The mean logit of a cell by kind."""
        if self.level is not None:
            return tuple(float(each) for each in self.level)
        return (2.0, 0.0, 0.0) if self.kind == "votes" else (0.0, 0.0, 0.0)
