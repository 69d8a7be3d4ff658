"""The options of voter types, each declared once: name, type, default, range and meaning."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import xarray as xr

from electjax.data.options import option, options
from electjax.data.reading import TableOptions

Scheme = Literal["ticket", "split", "options"]
Invalid = Literal["error", "missing"]
Incomplete = Literal["error", "drop"]
Blank = Literal["abstain", "missing", "not_on_ballot"]
Absent = Literal["missing", "off_ballot", "abstain"]
Overvote = Literal["abstain", "missing"]
Others = Literal["split", "abstain", "missing"]
Start = Literal["random", "votes", "kmeans"]
Stop = Literal["log_likelihood", "parameters"]
Acceleration = Literal["squarem", "none"]
Errors = Literal["auto", "information", "sandwich", "cluster", "none"]
Replicate = Literal["nonparametric", "parametric"]
Criterion = Literal["aic", "bic", "sabic", "caic", "icl"]

ABSTAIN = ("abstain", "abstention", "blank", "no vote", "none", "undervote", "overvote", "undervoted", "overvoted")
_NAMES = "a name or a list of names"
_SCHEMES = f"one of {', '.join(get_args(Scheme))}, or one for each of some offices"


def _are_names(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Sequence) and all(isinstance(each, str) for each in value))


def _are_terms(value: Any) -> bool:
    """Covariates of a fit; the verb says itself what is wrong with a list."""
    return isinstance(value, bool | str | Sequence) or hasattr(value, "__iter__")


def _are_schemes(value: Any) -> bool:
    each = value.values() if isinstance(value, Mapping) else [value]
    return all(word in get_args(Scheme) for word in each)


def _is_fit(value: Any) -> bool:
    return isinstance(value, xr.Dataset | str | Path)


@options
class TextOptions(TableOptions):
    """What both `read` and `stream` want to know of a file of ballots."""

    offices: Sequence[str] | None = option(
        None,
        "columns or contests that are offices; by default all that are not otherwise named, and of cast-vote records "
        "the contests in which a voter has one vote",
        good=_are_names,
        expected=_NAMES,
    )
    top: str | None = option(None, "the office at the top of the ticket, or the voters' column with its party")
    scheme: Scheme | Mapping[str, Scheme] | None = option(
        None, "what votes are coded to; by default as the file has them", good=_are_schemes, expected=_SCHEMES
    )
    weight: str | None = option(None, "the column of survey weights or counts")
    cluster: str | None = option(None, "the column of sampling clusters")
    covariates: Sequence[str] | None = option(
        None,
        "columns that membership of a type may depend on; text becomes an indicator for each level but the first, "
        "the term 'party[R]'",
        good=_are_names,
        expected=_NAMES,
    )
    invalid: Invalid = option("error", "a vote for an option that was not on the ballot: refused, or taken as missing")
    incomplete: Incomplete = option(
        "error", "a voter without a covariate: refused, or left out and counted in the attribute incomplete_voters"
    )
    overvote: Overvote = option("abstain", "a contest with too many marks: no vote is counted, or it is missing")
    blank: Blank | None = option(
        None,
        "what a blank cell of an office means: no vote, a vote that is not known, or an office that was not on the "
        "ballot; by default what it means in the format, and in other tables a vote that is missing",
    )


@options
class ReadOptions(TextOptions):
    """Options of `voter_types.read`."""

    parties: Sequence[str] | None = option(
        None,
        "the two parties that votes are recoded by; by default those with most votes at the top",
        good=_are_names,
        expected="two names",
    )
    absent: Absent | None = option(
        None, "an office without a row in a long table without menus; by default a vote that is missing"
    )
    name: str | None = option(None, "what the ballots are called; by default the name of the file")


@options
class StreamOptions(TextOptions):
    """Options of `voter_types.stream`."""

    chunk: int = option(1 << 18, "most voters of a Dataset", low=1)

    def conflicts(self) -> Iterator[tuple[str, Any, str, str]]:
        """Chunks are not recoded."""
        if isinstance(self.scheme, Mapping):
            yield "scheme", self.scheme, "the scheme that the codes of the file have", "recode the chunks"


@options
class RecodeOptions:
    """Options of `voter_types.recode`."""

    scheme: Scheme | Mapping[str, Scheme] = option(
        "ticket", "for all offices, or by office; those not named are 'ticket'", good=_are_schemes, expected=_SCHEMES
    )
    top: str | None = option(
        None,
        "the office at the top of the ticket, which leaves the ballots, or a coordinate of voters with its party; by "
        "default the attribute `top`, else the first office that looks like it",
    )
    parties: Sequence[str] | None = option(
        None, "the two parties; by default those with most votes at the top", good=_are_names, expected="two names"
    )
    party_of: Mapping[str, str] | None = option(
        None,
        "party by label of the option; by default `option_party`, else what the label holds in brackets at its end, "
        "else the label",
    )
    others: Others = option(
        "split",
        "a vote for a candidate of neither party: a split, which opens the menu of the other party, an abstention, or "
        "missing",
    )
    abstain: Collection[str] = option(ABSTAIN, "labels of options that are no vote, whatever their case")
    keep_unaligned: bool = option(
        False, "whether voters without a vote at the top for one of the two parties stay, their recoded votes missing"
    )


@options
class SearchOptions:
    """How the maximum of the likelihood is looked for, the same in `fit` and `select`."""

    restarts: int = option(
        100, "number of starts; where the best maximum is rare among them, moves from the best follow", low=1
    )
    seed: int = option(0, "the same seed gives the same result", low=0)
    covariates: Sequence[str] | bool | None = option(
        None,
        "what membership depends on: terms of `covariate` or names of voters' variables (text becomes dummies); by "
        "default all of `covariate`; none with False",
        good=_are_terms,
        expected="a list of names, or false",
    )
    start: Start = option(
        "random",
        "initial values: every probability at random, from random assignment of the votes (section 2.2), or from "
        "k-means of the rows",
    )
    tolerance: float = option(1e-9, "EM stops when `criterion` changes by less over a cycle", above=0)
    criterion: Stop = option(
        "log_likelihood",
        "what has to stand still: the log-likelihood, relatively, or the largest change of a probability",
    )
    acceleration: Acceleration = option("squarem", "of EM; none is plain EM")
    max_maps: int = option(20_000, "most evaluations of the EM map per start", low=1)
    prune: float | None = option(
        None,
        "share of the starts that go on after a short run; by default all, unless that is much work",
        above=0,
        high=1,
    )
    moves: bool = option(True, "whether better maxima are looked for by splitting, dropping and crossing types")
    newton: bool = option(True, "whether Newton's method ends the search")
    ridge: float = option(
        0.0, "ridge / 2 times the squared slopes of gamma, covariates in standard deviations, is taken off", low=0
    )
    common: bool = option(False, "one set of intercepts of psi for all offices, as covariates of offices need")


@options
class FitOptions(SearchOptions):
    """Options of `voter_types.fit`."""

    errors: Errors = option(
        "auto",
        "standard errors by the observed information, the sandwich of independent voters, or clustered by `cluster`; "
        "auto: the last where there are clusters, the second with weights that are no counts",
    )
    level: float = option(0.95, "of the intervals", above=0, below=1)
    initial: xr.Dataset | str | None = option(
        None,
        "an earlier fit, or its path, to begin at, instead of the starts",
        good=_is_fit,
        expected="a fit, or the path of one",
    )
    reference: xr.Dataset | str | None = option(
        None,
        "an earlier fit, or its path, whose order of types to follow; by default the largest type comes first",
        good=_is_fit,
        expected="a fit, or the path of one",
    )
    collapse: bool = option(True, "False keeps every voter as a row, for comparison")
    profiles: bool | None = option(
        None, "whether the result holds every unique row with its zeta; by default up to 100,000 rows"
    )


@options
class RatioTestOptions:
    """The bootstrap likelihood-ratio test of each number of types against one less."""

    blrt: int = option(0, "data sets of the bootstrap likelihood-ratio test against one type less; 0 for none", low=0)
    blrt_starts: int = option(10, "starts of each fit there; too few make the p-values too small", low=2)


@options
class SelectOptions(SearchOptions, RatioTestOptions):
    """Options of `voter_types.select`."""


@options
class BootstrapOptions:
    """Options of `voter_types.bootstrap`."""

    kind: Replicate = option(
        "nonparametric",
        "voters are drawn with replacement (whole clusters where the ballots have `cluster`), or new votes of the "
        "same voters from the fit, at their menus and covariates",
    )
    replicates: int = option(200, "number of replicates", low=2)
    seed: int = option(0, "replicate b depends on it and on b alone", low=0)
    level: float = option(0.95, "of the percentile intervals", above=0, below=1)


@options
class ResidualOptions:
    """Options of `voter_types.residuals`."""

    replicates: int = option(0, "data sets of a parametric bootstrap of the p-values; 0 for none", low=0)
    seed: int = option(0, "of the bootstrap", low=0)


@options
class SimulateOptions:
    """Options of `voter_types.simulate`."""

    voters: int | None = option(
        None,
        "so many, drawn with replacement from the ballots; by default each as it is, or, without ballots, as many as "
        "the types were fitted to",
        low=1,
    )
    seed: int = option(0, "the same seed gives the same ballots", low=0)


@options
class YumaOptions:
    """Options of `voter_types.yuma_like`."""

    voters: int = option(5000, "number of voters; fewer are no part of more", low=1)
    seed: int = option(0, "the same seed gives the same county", low=0)


# options of `fit` that a command line cannot give or does not ask for
NOT_ON_THE_COMMAND_LINE = ("seed", "initial", "reference", "collapse", "profiles", "blrt_starts")


@options
class TaskOptions(FitOptions, RatioTestOptions):
    """What the command line asks for: the options of `fit`, and which numbers of types are compared how."""

    types: int | Sequence[int] = option(
        3,
        "how many, or several numbers to choose from, as in [1,2,3,4]",
        good=lambda value: bool(_counts(value)) and all(type(count) is int and count >= 1 for count in _counts(value)),
        expected="a whole number of at least 1, or a list of such",
    )
    choose: Criterion | int = option(
        "bic",
        "which of several is kept: by a criterion, or one of the numbers",
        good=lambda value: value in get_args(Criterion) or isinstance(value, int),
        expected=f"one of {', '.join(get_args(Criterion))}, or one of types",
    )
    bootstrap: int = option(
        0,
        "replicates of a bootstrap of the voters for the chosen fit, at least 2; 0 for none",
        good=lambda value: type(value) is int and (value == 0 or value >= 2),
        expected="0, or a whole number of at least 2",
    )

    @property
    def counts(self) -> list[int]:
        """The numbers of types to fit, ascending."""
        return sorted(set(_counts(self.types)))

    def conflicts(self) -> Iterator[tuple[str, Any, str, str]]:
        """A number that is chosen must be among those fitted, and covariates are a list."""
        if isinstance(self.covariates, str):
            yield "covariates", self.covariates, "a list, as in [age,party]", "put it into brackets"
        if isinstance(self.choose, int) and self.choose not in self.counts:
            yield "choose", self.choose, f"one of types={self.counts}", "add it to types, or choose by a criterion"


def _counts(types: Any) -> list[Any]:
    return list(types) if isinstance(types, Sequence) and not isinstance(types, str) else [types]
